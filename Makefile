# SPDX-License-Identifier: GPL-2.0
# Trapeze, from the top. `make help` lists what there is.

KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
		    $(shell ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | sort -rV))
KVER = $(or $(shell sed -n 's/.*UTS_RELEASE "\(.*\)".*/\1/p' $(KROOT)$(KDIR)/include/generated/utsrelease.h 2>/dev/null),unknown)
MODDIR = build/mod-$(KVER)
PYTHON = /usr/bin/python3
LAB = $(PYTHON) selftests/lab/lab.py
LAB_OPTIONS = $(if $(MACHINE),--machine $(MACHINE))

all: module tools selftests

help:
	@echo 'make             module (for KDIR=$(KDIR)), tools, selftests'
	@echo 'make run         from nothing: boot a Linux guest in Trapeze in the lab (HOST=1: on this machine)'
	@echo 'make check       from nothing: every test on every lab machine; MACHINE= and TESTS="..." narrow it'
	@echo 'make check-long  every test on every kernel'
	@echo 'make lab         a shell on a lab machine, module loaded (GDB=1: with a debugger); MACHINE=vmx or svm'
	@echo 'make install     module through DKMS, tools, udev rule, manual pages (DESTDIR=, PREFIX=)'
	@echo 'make clean       remove build/'

# Objects of each kernel live in a tree of links of their own, so one checkout builds for many kernels.
# KROOT: a root directory that holds KDIR and the tools it needs (selftests/lab/kernels.py).
module:
	@mkdir -p $(MODDIR)
	@find $(MODDIR) -xtype l -delete
	@cp -asf $(CURDIR)/Kbuild $(CURDIR)/kmod $(CURDIR)/uapi $(MODDIR)/
	+flock $(MODDIR).lock $(if $(KROOT),selftests/lab/kernels/enter $(KROOT)) $(MAKE) -C $(KDIR) M=$(CURDIR)/$(MODDIR) modules

# The same, afresh, with every warning on and sparse; any warning is an error.
module-checked:
	@rm -rf build/checked-$(KVER)
	+selftests/lab/quiet-make $(MAKE) --no-print-directory module KDIR=$(KDIR) MODDIR=build/checked-$(KVER) \
		W=1 C=2 CF='-D__CHECK_ENDIAN__ -Wsparse-error'

tools:
	$(MAKE) -C tools

guest: tools
	$(MAKE) -C tools guest

# SELFTESTS="NAME ..." builds only these.
selftests:
	$(MAKE) -C selftests $(or $(SELFTESTS),all)

ifeq ($(HOST),1)
run: all guest
	selftests/lab/run-on-host $(MODDIR)/trapeze.ko
else
run: $(PYTHON)
	$(LAB) demo $(LAB_OPTIONS)
endif

check: $(PYTHON)
	$(LAB) check $(LAB_OPTIONS) $(TESTS)

check-long: $(PYTHON)
	$(LAB) check --long $(LAB_OPTIONS)

$(PYTHON):
	apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3

lab: $(PYTHON)
	$(LAB) shell $(LAB_OPTIONS) $(if $(GDB),--debugger)

lab-selfcheck: $(PYTHON)
	$(LAB) selfcheck $(LAB_OPTIONS)

# What needs the running system (DKMS, udev) is left out when files are gathered for a package (DESTDIR).
VERSION = 0.1
PREFIX = /usr/local
MAN1 = $(wildcard tools/man/*.1)
SOURCE = $(DESTDIR)/usr/src/trapeze-$(VERSION)

install: tools
	@test -n "$(DESTDIR)" || command -v dkms >/dev/null || \
		{ echo 'make install needs DKMS: apt-get install dkms'; exit 1; }
	rm -rf $(SOURCE)
	mkdir -p $(SOURCE)/tools
	cp -a Kbuild COPYING kmod uapi $(SOURCE)
	cp -a tools/install $(SOURCE)/tools
	sed 's/@VERSION@/$(VERSION)/' dkms.conf >$(SOURCE)/dkms.conf
	install -D -m 755 build/tools/tpz $(DESTDIR)$(PREFIX)/bin/tpz
	test ! -e build/tools/tpz-net || install -D -m 755 build/tools/tpz-net $(DESTDIR)$(PREFIX)/bin/tpz-net
	$(if $(MAN1),install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(MAN1))
	install -D -m 644 tools/install/60-trapeze.rules $(DESTDIR)/etc/udev/rules.d/60-trapeze.rules
	test -e $(DESTDIR)/etc/modprobe.d/trapeze.conf || \
		install -D -m 644 tools/install/modprobe.conf $(DESTDIR)/etc/modprobe.d/trapeze.conf
ifeq ($(DESTDIR),)
	! dkms status trapeze/$(VERSION) | grep -q . || dkms remove trapeze/$(VERSION) --all
	dkms install trapeze/$(VERSION) -k $(KVER)
	modinfo -k $(KVER) -n trapeze
	! command -v udevadm >/dev/null || udevadm control --reload || true
	@echo 'Now: modprobe trapeze && tpz info. About KVM on the same host: /etc/modprobe.d/trapeze.conf'
endif

uninstall:
	! dkms status trapeze/$(VERSION) | grep -q . || dkms remove trapeze/$(VERSION) --all
	rm -rf $(SOURCE) $(PREFIX)/bin/tpz $(PREFIX)/bin/tpz-net $(addprefix $(PREFIX)/share/man/man1/,$(notdir $(MAN1)))
	rm -f /etc/udev/rules.d/60-trapeze.rules /etc/modprobe.d/trapeze.conf

clean:
	rm -rf build

.PHONY: all help module module-checked tools guest selftests run check check-long lab lab-selfcheck install uninstall clean
