// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 in a VM: its ports, its clock, and line 0 through the I/O APIC. What the chip does by itself is tested by
 * unit/i8254.c.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* ------------------------------------------------------------------ save and restore */

static struct tpz_vm_state get_state(struct vm *vm)
{
	struct tpz_vm_state st = { .size = sizeof(st), .groups = TPZ_VM_STATE_PIT };

	CHECK_SYS(ioctl(vm->fd, TPZ_GET_VM_STATE, &st));
	return st;
}

/* Each counter in the middle of something: a byte written, one read, a status latched, its gate low */
static GUEST __u32 leave_in_the_middle(void)
{
	program(0, 2, 0xfff0);
	outb(0x40, 0x12);
	program(1, 3, 0x8000);
	outb(0x43, 1 << 6);
	inb(0x41);
	outb(0x43, 0xe4);
	outb(0x61, 3);
	program(2, 0, 0xf000);
	outb(0x61, 2);
	return 0;
}

static volatile __u8 latch_high;

static GUEST __u32 go_on(void)
{
	GUEST_CHECK_EQ(inb(0x61) & 3, 2);
	GUEST_CHECK_EQ(inb(0x41) & 0x7f, 0x36);			/* the status; then the rest of the latch */
	GUEST_CHECK_EQ(inb(0x41), latch_high);
	outb(0x61, 3);
	while (!(inb(0x61) & 0x20))				/* the rest of its count */
		;
	outb(0x40, 0x34);					/* the high byte of 0x3412 */
	outb(0x43, 0);
	__u32 low = inb(0x40), high = inb(0x40);

	GUEST_CHECK_EQ((high << 8 | low) <= 0x3412, 1);
	return 0;
}

static void saved(void)
{
	struct vcpu *vcpu = start(leave_in_the_middle), *other;
	struct tpz_vm_state st, again;
	__u64 before;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	st = get_state(vcpu->vm);
	CHECK_EQ(st.pit.counter[0].low, 0x12);
	CHECK(st.pit.counter[0].flags & TPZ_PIT_WRITE_HIGH);
	CHECK(st.pit.counter[1].flags & TPZ_PIT_STATUS_LATCHED);
	CHECK_EQ(st.pit.counter[1].latched, 1);
	CHECK_EQ(st.pit.counter[2].flags & TPZ_PIT_GATE, 0);

	latch_high = st.pit.counter[1].latch >> 8;
	other = start(go_on);
	CHECK_SYS(ioctl(other->vm->fd, TPZ_SET_VM_STATE, &st));
	again = get_state(other->vm);
	CHECK(!memcmp(again.pit.counter, st.pit.counter, sizeof(st.pit.counter)));
	CHECK_GE(again.pit.ticks, st.pit.ticks);
	CHECK_EQ(again.pit.speaker, 1);
	before = ms_now();
	CHECK_EQ(vcpu_finish(other), 0);
	CHECK_GE((ms_now() - before + 1) * 1194, 0xf000 - st.pit.counter[2].halted);
}

/* Its clock stands while it is saved: a one-shot that would long have fired comes after the rest of its time */
static GUEST __u32 wait_for_one(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	outl(PORT_TEST, 0);
	while (!taken)
		wait_for_interrupt();
	return taken;
}

static GUEST __u32 arm_one(void)
{
	program(0, 0, 0xffff);
	return 0;
}

static void one_shot_goes_on(void)
{
	struct vcpu *vcpu = start(arm_one), *other;
	struct tpz_vm_state st;
	__u64 before;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	st = get_state(vcpu->vm);
	vm_close(vcpu->vm);
	if (st.pit.counter[0].start + 0xffff <= st.pit.ticks)
		SKIP("the machine was away for 55 ms");
	other = start(wait_for_one);
	vcpu_expect_out(other, PORT_TEST);
	usleep(80000);
	before = ms_now();
	CHECK_SYS(ioctl(other->vm->fd, TPZ_SET_VM_STATE, &st));
	CHECK_EQ(vcpu_finish(other), 1);
	CHECK_GE((ms_now() - before + 1) * 1194, st.pit.counter[0].start + 0xffff - st.pit.ticks);

	/* What had risen, untold, is told once */
	st.pit.ticks += 0x10000;
	st.pit.pending = 1;
	other = start(wait_for_one);
	vcpu_expect_out(other, PORT_TEST);
	CHECK_SYS(ioctl(other->vm->fd, TPZ_SET_VM_STATE, &st));
	CHECK_EQ(vcpu_finish(other), 1);
	CHECK_EQ(get_state(other->vm).pit.pending, 0);
}

static void refused(struct vm *vm, struct tpz_vm_state st, const char *field)
{
	CHECK_ERR(ioctl(vm->fd, TPZ_SET_VM_STATE, &st), EINVAL);
	CHECK_EQ(st.bad_group, TPZ_VM_STATE_PIT);
	CHECK_THAT(strstr(st.bad_field, field), "'%s' does not name %s", st.bad_field, field);
}

#define REFUSED(field, change)						\
	do {								\
		struct tpz_vm_state s = good;				\
		change;							\
		refused(vm, s, field);					\
	} while (0)

static void hostile_state(void)
{
	struct vm *vm = vm_create(.devices = DEVICES), *bare = vm_create(.devices = TPZ_DEVICE_LAPIC);
	struct tpz_vm_state good = get_state(vm), st = good;

	for (unsigned int i = 0; i < 3; i++) {
#define C	s.pit.counter[i]
		REFUSED("mode", C.mode = 6);
		REFUSED("mode", C.mode = 255);
		REFUSED("access", C.access = 0);
		REFUSED("access", C.access = 4);
		REFUSED("count", C.count = 0);
		REFUSED("count", C.count = 65537);
		REFUSED("count", C.count = 10001; C.flags |= TPZ_PIT_BCD);
		REFUSED("count", C.count = 1; C.mode = 3);
		REFUSED("start", C.start = ~0ULL);
		REFUSED("halted", C.halted = ~0ULL);
		REFUSED("start", C.start = s.pit.ticks + 1);
		REFUSED("latched", C.latched = 3);
		REFUSED("latched", C.latched = 2; C.access = 1);
		REFUSED("flags", C.flags |= TPZ_PIT_WRITE_HIGH; C.access = 2);
		REFUSED("flags", C.flags |= TPZ_PIT_READ_HIGH; C.access = 1);
		REFUSED("flags", C.flags |= TPZ_PIT_TRIGGERED; C.mode = 2);
		for (unsigned int bit = 7; bit < 32; bit++)
			REFUSED("flags", C.flags |= 1U << bit);
		REFUSED("flags", C.pad = 1);
		if (i < 2)
			REFUSED("flags", C.flags &= ~TPZ_PIT_GATE);
#undef C
	}
	REFUSED("ticks", s.pit.ticks = ~0ULL);
	REFUSED("ticks", s.pit.ticks = (1ULL << 50) + 1);
	REFUSED("speaker", s.pit.speaker = 2);
	REFUSED("pending", s.pit.pending = 2);
	REFUSED("speaker", s.pit.pad[0] = 1);
	refused(bare, good, "pit");

	/* The last that is allowed runs, and tells itself again */
	st.pit.ticks = 1ULL << 50;
	for (unsigned int mode = 0; mode < 6; mode++) {
		st.pit.counter[0] = (struct tpz_pit_counter){
			.count = mode == 3 ? 2 : 1, .mode = mode, .access = 3,
			.flags = TPZ_PIT_GATE | TPZ_PIT_LOADED | (mode % 4 == 1 ? TPZ_PIT_TRIGGERED : 0),
		};
		st.pit.pending = 1;
		CHECK_SYS(ioctl(vm->fd, TPZ_SET_VM_STATE, &st));
		usleep(1000);
		CHECK_GE(get_state(vm).pit.ticks, 1ULL << 50);
	}
}

static const struct ktap_case cases[] = {
	{ "TPZ_DEVICE_PIT: arguments", arguments },
	{ "ports answer in the kernel", ports },
	{ "counter 2 behind its gate", gated },
	{ "a periodic timer wakes the guest", periodic },
	{ "one shot; the shortest period", one_shot },
	{ "state: in the middle of everything", saved },
	{ "state: a count goes on where it stood", one_shot_goes_on },
	{ "state: bad values refused by name", hostile_state },
};
KTAP_MAIN(cases)
