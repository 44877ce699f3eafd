// SPDX-License-Identifier: GPL-2.0
/*
 * A whole machine moves to a new VM in the middle of everything: the 8254 and the local APIC's timer tick, a
 * level-triggered line is high and in service, an edge waits in the 8259, a counter stands latched. The guest notices
 * nothing.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <string.h>

#define DEVICES		(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC | TPZ_DEVICE_PIT)
#define PIT_VECTOR	0x62
#define TIMER_VECTOR	0x63
#define LEVEL_VECTOR	0x49
#define LEVEL		(1 << 15)
#define REMOTE_IRR	(1 << 14)
#define ENTRY_LOW(pin)	(0x10 + 2 * (pin))

/* What the guest asks of the launcher */
enum { RAISE_BOTH, MOVE, LOWER };

static volatile bool by_mmio;
static volatile __u32 pit_ticks, timer_ticks, levels;

static inline void apic_write(__u32 reg, __u32 to)
{
	if (by_mmio)
		xapic_write(reg, to);
	else
		wrmsr(reg, to);
}

static inline __u32 apic_read(__u32 reg)
{
	return by_mmio ? xapic_read(reg) : rdmsr(reg);
}

static GUEST void on_pit(struct guest_frame *frame __attribute__((unused)))
{
	pit_ticks++;
	apic_write(APIC_EOI, 0);
}

static GUEST void on_timer(struct guest_frame *frame __attribute__((unused)))
{
	timer_ticks++;
	apic_write(APIC_EOI, 0);
}

/* Taken, and left in service */
static GUEST void on_level(struct guest_frame *frame __attribute__((unused)))
{
	levels++;
}

static inline bool level_in_service(void)
{
	return apic_read(APIC_ISR + LEVEL_VECTOR / 32) >> (LEVEL_VECTOR % 32) & 1;
}

static inline bool remote_irr(void)
{
	return ioapic_read(ENTRY_LOW(9)) & REMOTE_IRR;
}

/* Vectors from 0x20, 8086 mode; the slave is left masked. INTR goes to LINT0, which is masked */
static inline void program_8259(void)
{
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0x5a);
	outb(0x22, 0x70);
	outb(0x23, 1);
}

static inline void check_8259(void)
{
	outb(0x20, 0x0a);
	GUEST_CHECK_EQ(inb(0x20) & 1 << 5, 1 << 5);	/* IRR: line 5 */
	GUEST_CHECK_EQ(inb(0x21), 0x5a);
	outb(0x22, 0x70);
	GUEST_CHECK_EQ(inb(0x23), 1);
}

/* Until both timers have ticked three times more */
static inline void let_them_tick(void)
{
	const __u32 pit = pit_ticks, timer = timer_ticks;

	while (pit_ticks < pit + 3 || timer_ticks < timer + 3)
		wait_for_interrupt();
}

static GUEST __u32 live_through_it(void)
{
	apic_write(APIC_SVR, SVR_ON);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	program_8259();
	ioapic_write(ENTRY_LOW(2), PIT_VECTOR);
	ioapic_write(ENTRY_LOW(9), LEVEL | LEVEL_VECTOR);
	outl(PORT_TEST, RAISE_BOTH);
	window();
	GUEST_CHECK_EQ(levels, 1);
	outb(0x43, 0x34);				/* counter 0: mode 2, 100 Hz */
	outb(0x40, 11932 & 0xff);
	outb(0x40, 11932 >> 8);
	outb(0x61, 3);
	outb(0x43, 0xb6);				/* counter 2: mode 3 */
	outb(0x42, 0x34);
	outb(0x42, 0x12);
	outb(0x43, 0x80);				/* latched, and half of it read */
	inb(0x42);
	apic_write(APIC_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
	apic_write(APIC_INITIAL, 7000000);
	let_them_tick();
	check_8259();

	outl(PORT_TEST, MOVE);

	GUEST_CHECK_EQ(inb(0x42) <= 0x12, 1);
	GUEST_CHECK_EQ(inb(0x61) & 3, 3);
	GUEST_CHECK_EQ(level_in_service(), 1);
	GUEST_CHECK_EQ(remote_irr(), 1);
	check_8259();
	let_them_tick();
	GUEST_CHECK_EQ(levels, 1);
	apic_write(APIC_EOI, 0);			/* and it is still high */
	window();
	GUEST_CHECK_EQ(levels, 2);
	outl(PORT_TEST, LOWER);
	apic_write(APIC_EOI, 0);
	GUEST_CHECK_EQ(remote_irr(), 0);
	let_them_tick();
	GUEST_CHECK_EQ(levels, 2);
	return 0;
}

/* Who drives lines is read first and set last: what comes meanwhile comes twice rather than never (abi.md) */
static struct vcpu *move(struct vcpu *from)
{
	struct tpz_vm_state devices = { .size = sizeof(devices), .groups = TPZ_VM_STATE_ALL };
	struct vcpu *to = vm_with_vcpu(.devices = DEVICES, .xapic = true);
	struct tpz_state state;

	CHECK_SYS(ioctl(from->vm->fd, TPZ_GET_VM_STATE, &devices));
	state = vcpu_get(from, TPZ_STATE_ALL & ~TPZ_STATE_FPU);
	memcpy(to->vm->memory, from->vm->memory, VM_BYTES);
	vm_close(from->vm);
	CHECK_EQ(devices.ioapic.lines, 1 << 9 | 1 << 5);
	CHECK(devices.ioapic.redirection[9] & REMOTE_IRR);
	CHECK_GT(state.lapic.timer_left_ns, 0);
	vcpu_set(to, &state);
	CHECK_SYS(ioctl(to->vm->fd, TPZ_SET_VM_STATE, &devices));
	return to;
}

static void run(bool xapic)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = DEVICES, .xapic = xapic);

	by_mmio = xapic;
	pit_ticks = timer_ticks = levels = 0;
	guest_on(PIT_VECTOR, on_pit);
	guest_on(TIMER_VECTOR, on_timer);
	guest_on(LEVEL_VECTOR, on_level);
	map_controllers(vcpu->vm);
	vcpu_start(vcpu, MODE_LONG, RING0, live_through_it, 0);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), RAISE_BOTH);
	drive(vcpu->vm, 5, 1);
	drive(vcpu->vm, 9, 1);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), MOVE);
	vcpu = move(vcpu);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), LOWER);
	drive(vcpu->vm, 9, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static void in_x2apic_mode(void)
{
	run(false);
}

static void in_xapic_mode(void)
{
	run(true);
}

static const struct ktap_case cases[] = {
	{ "local APIC in x2APIC mode", in_x2apic_mode },
	{ "local APIC in xAPIC mode", in_xapic_mode },
};
KTAP_MAIN(cases)
