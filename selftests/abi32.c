// SPDX-License-Identifier: GPL-2.0
/*
 * A 32-bit launcher: the layout is that of a 64-bit one (layout.h, checked by the compiler), and every ioctl works
 * for it, up to a guest that runs to its end.
 */
#include "layout.h"
#include "vm.h"

#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

_Static_assert(sizeof(void *) == 4, "this program is to be built with -m32");

static void the_host_is_64_bit(void)
{
	struct utsname host;

	uname(&host);
	CHECK_STR(host.machine, "x86_64");
}

static void information_is_the_same(void)
{
	struct tpz_info info = device_info();
	struct tpz_feature feature = { .size = sizeof(feature) };

	CHECK_EQ(info.size, sizeof(info));
	CHECK_EQ(info.abi_version, TPZ_ABI_VERSION);
	CHECK_EQ(info.run_bytes, TPZ_RUN_BYTES);
	CHECK_SYS(ioctl(device_open(), TPZ_GET_FEATURE, &feature));
	CHECK(feature.name[0]);
}

static volatile __u32 count;

static GUEST __u32 compute(void)
{
	__u32 sum = 0;

	for (__u32 i = 1; i <= 100; i++)
		sum += i;
	count++;
	outl(PORT_TEST, sum);
	return inl(PORT_TEST) + 1;
}

static void run_to_the_end(enum guest_mode mode, enum guest_ring ring)
{
	struct vcpu *vcpu = vm_with_vcpu();

	count = 0;
	vcpu_start(vcpu, mode, ring, compute, 0);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 5050);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.in, 1);
	CHECK_EQ(vcpu->run->io.bytes, 4);
	*(volatile __u32 *)vcpu->data = 0x01020304;
	CHECK_EQ(vcpu_finish(vcpu), 0x01020305);
	CHECK_EQ(count, 1);
}

static void a_guest_runs(void)
{
	run_to_the_end(MODE_PROTECTED, RING0);
	run_to_the_end(MODE_PAGING32, RING0);
	run_to_the_end(MODE_PAE, RING0);
	run_to_the_end(MODE_COMPAT, RING0);
	run_to_the_end(MODE_PROTECTED, RING3);
	run_to_the_end(MODE_PAE, RING3);
}

static GUEST __u32 halt(void)
{
	hlt();
	return 3;
}

static void a_guest_halts(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_PROTECTED, RING0, halt, 0);
	vcpu_expect(vcpu, TPZ_EXIT_HLT);
	CHECK_EQ(vcpu_finish(vcpu), 3);
}

static GUEST __u32 fault(void)
{
	asm volatile("ud2");
	return 4;
}

static void a_guest_faults(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_PAGING32, RING0, fault, 0);
	CHECK_EQ(vcpu_expect_fault(vcpu, 6).error, 0);
}

/* All 64 bits of the state pass through a 32-bit launcher */
static void state_is_64_bits_wide(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, 0xffff800012345678, 0x1122334455667788);

	state.regs.gpr[TPZ_R15] = 0x99aabbccddeeff00;
	vcpu_set(vcpu, &state);
	state = vcpu_get(vcpu, TPZ_STATE_ALL & ~(TPZ_STATE_FPU | TPZ_STATE_LAPIC));
	CHECK_EQ(state.regs.rip, 0xffff800012345678);
	CHECK_EQ(state.regs.gpr[TPZ_RDI], 0x1122334455667788);
	CHECK_EQ(state.regs.gpr[TPZ_R15], 0x99aabbccddeeff00);
	CHECK_EQ(state.segments.seg[TPZ_CS].l, 1);
	state.regs.rip = 1ULL << 63;
	state.groups = TPZ_STATE_REGS;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_REGS);
}

static void arrays_and_the_fpu_area(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	static struct tpz_cpuid_entry entries[256];
	static __u8 area[16 << 10] __attribute__((aligned(64)));
	struct tpz_cpuid get = {
		.size = sizeof(get), .entries = (uintptr_t)entries,
		.capacity = ARRAY_SIZE(entries), .entry_bytes = sizeof(entries[0]),
	};
	struct tpz_state state = {
		.size = sizeof(state), .groups = TPZ_STATE_FPU, .fpu = (uintptr_t)area,
		.fpu_bytes = device_info().xsave_bytes,
	};
	struct tpz_vm_entry vms[2];
	struct tpz_list_vms list = {
		.size = sizeof(list), .entries = (uintptr_t)vms, .capacity = 2, .entry_bytes = sizeof(vms[0]),
	};

	CHECK_LE(state.fpu_bytes, sizeof(area));
	CHECK_GT(CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &get)), 5);
	CHECK_EQ(entries[0].leaf, 0);
	CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_STATE, &state));
	CHECK_SYS(ioctl(vcpu->fd, TPZ_SET_STATE, &state));
	CHECK_EQ(CHECK_SYS(ioctl(device_open(), TPZ_LIST_VMS, &list)), 1);
	CHECK_EQ(vms[0].id, vcpu->vm->id);
	CHECK_EQ(vms[0].pid, getpid());

	/* An address that a 32-bit process cannot have */
	state.fpu = 1ULL << 40;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_GET_STATE, &state), EFAULT);
	get.entries = 1ULL << 40;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_GET_CPUID, &get), EFAULT);
}

static void meters_are_the_same(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_PROTECTED, RING0, halt, 0);
	vcpu_expect(vcpu, TPZ_EXIT_HLT);
	CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_HLT].count, 1);
	CHECK_EQ(meters.vm->id, vcpu->vm->id);
}

static const struct ktap_case cases[] = {
	{ "the host is 64-bit", the_host_is_64_bit },
	{ "information is the same", information_is_the_same },
	{ "a guest runs in each mode", a_guest_runs },
	{ "a guest halts", a_guest_halts },
	{ "a guest faults", a_guest_faults },
	{ "state is 64 bits wide", state_is_64_bits_wide },
	{ "arrays and the FPU area", arrays_and_the_fpu_area },
	{ "meters are the same", meters_are_the_same },
};
KTAP_MAIN(cases)
