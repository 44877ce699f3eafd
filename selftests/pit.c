// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 in a VM: its ports, its clock, and line 0 through the I/O APIC. What the chip does by itself is tested by
 * unit/i8254.c.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <time.h>

#define DEVICES		(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC | TPZ_DEVICE_PIT)

static volatile __u32 taken;

static GUEST void take(struct guest_frame *frame __attribute__((unused)))
{
	taken++;
	wrmsr(APIC_EOI, 0);
}

static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = DEVICES);
	struct tpz_vm_state st = { .size = sizeof(st), .groups = TPZ_VM_STATE_IOAPIC };

	taken = 0;
	guest_on(0x42, take);
	CHECK_SYS(ioctl(vcpu->vm->fd, TPZ_GET_VM_STATE, &st));
	st.ioapic.redirection[2] = 0x42;
	CHECK_SYS(ioctl(vcpu->vm->fd, TPZ_SET_VM_STATE, &st));
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}
#define start(guest)	start_at((uintptr_t)(guest))

static __u64 ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static inline void program(__u8 counter, __u8 mode, __u16 count)
{
	outb(0x43, counter << 6 | 3 << 4 | mode << 1);
	outb(0x40 + counter, count);
	outb(0x40 + counter, count >> 8);
}

static void arguments(void)
{
	struct tpz_create_vm c = { .size = sizeof(c), .devices = TPZ_DEVICE_PIT | TPZ_DEVICE_LAPIC };

	CHECK_ERR(ioctl(device_open(), TPZ_CREATE_VM, &c), EINVAL);
	vm_create(.devices = TPZ_DEVICE_LAPIC | TPZ_DEVICE_PIC | TPZ_DEVICE_PIT);
}

static GUEST __u32 use_ports(void)
{
	program(2, 3, 1000);
	GUEST_CHECK_EQ(inb(0x42) | inb(0x42) << 8, 1000);	/* its gate is low */
	outb(0x61, 2);
	GUEST_CHECK_EQ(inb(0x61) & 3, 2);
	outb(0x43, 0xe8);
	GUEST_CHECK_EQ(inb(0x42), 0x80 | 0x36);
	return 0;
}

static void ports(void)
{
	struct vcpu *vcpu = start(use_ports);
	struct meters meters = meters_open(vcpu->vm->id);

	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(meters_read(&meters, 0).user_exits, 1);
}

/* As kernels measure their TSC: 50 ms of counter 2, seen in port 0x61 */
static GUEST __u32 measure(void)
{
	outb(0x61, 1);
	program(2, 0, 59659);
	while (!(inb(0x61) & 0x20))
		;
	return 0;
}

static void gated(void)
{
	struct vcpu *vcpu = start(measure);
	__u64 before = ms_now(), after;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	after = ms_now();
	CHECK(after - before >= 49);
}

static GUEST __u32 hundred_hz(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	program(0, 2, 11932);
	while (taken < 20)
		wait_for_interrupt();
	return 0;
}

static void periodic(void)
{
	struct vcpu *vcpu = start(hundred_hz);
	__u64 before = ms_now(), after;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	after = ms_now();
	CHECK(after - before >= 195);
}

static GUEST __u32 one_shot_then_storm(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	program(0, 0, 1000);
	wait_for_interrupt();
	GUEST_CHECK_EQ(taken, 1);
	program(0, 2, 1);	/* the host bounds it */
	while (taken < 50)
		wait_for_interrupt();
	program(0, 0, 0xffff);
	return 0;
}

static void one_shot(void)
{
	CHECK_EQ(vcpu_finish(start(one_shot_then_storm)), 0);
}

static const struct ktap_case cases[] = {
	{ "TPZ_DEVICE_PIT: arguments", arguments },
	{ "ports answer in the kernel", ports },
	{ "counter 2 behind its gate", gated },
	{ "a periodic timer wakes the guest", periodic },
	{ "one shot; the shortest period", one_shot },
};
KTAP_MAIN(cases)
