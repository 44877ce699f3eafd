# SPDX-License-Identifier: GPL-2.0
# How a selftest is compiled. Included by selftests/Makefile; needs $(TOP), the top of the tree.
#
# The programs are static, and not position-independent: guest code runs inside the test program's own image, at the
# same addresses. For its sake there are no red zone, no vector registers, no stack protector and no calls that the
# compiler invents.

SELFTEST_LIB := ktap.c vm.c threads.c machine.c memory.c module.c guest.c guest.S
SELFTEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-sign-compare \
	-I$(TOP)/selftests/lib -I$(TOP)/uapi \
	-fno-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -minline-all-stringops
SELFTEST_LDFLAGS := -static -no-pie -pthread -Wl,-z,noexecstack

# One program = its own source, the library, and every guest blob (selftests/guests/*.S) whose symbols it uses.
# SELFTESTS_32 are built with -m32 too
SELFTESTS_32 := abi32 host_state32
