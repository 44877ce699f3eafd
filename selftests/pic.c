// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259 pair in a VM: its ports, lines driven by TPZ_IRQ_LINE, and its interrupt's way to the guest as ExtINT
 * through LINT0. What the chips do by themselves is tested, in every mode, by unit/i8259.c.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <pthread.h>
#include <unistd.h>

#define MASTER	0x20
#define SLAVE	0xa0

static volatile __u32 taken;
static volatile __u8 vectors[32];

static GUEST void note(struct guest_frame *frame)
{
	vectors[taken % 32] = frame->vector;
	taken++;
}

/* EOI to the master, and first to the slave for its vectors */
static GUEST void note_and_eoi(struct guest_frame *frame)
{
	note(frame);
	if (frame->vector >= 0x38)
		outb(SLAVE, 0x20);
	outb(MASTER, 0x20);
}

/* Asks the launcher to drive a line */
static inline void line(__u8 number, __u8 level)
{
	outl(PORT_TEST, number | level << 8);
}

/* Vectors 0x30 and 0x38; everything masked but @open */
static inline void initialize(__u16 open, __u8 icw4)
{
	outb(MASTER, 0x11);
	outb(MASTER + 1, 0x30);
	outb(MASTER + 1, 4);
	outb(MASTER + 1, icw4);
	outb(SLAVE, 0x11);
	outb(SLAVE + 1, 0x38);
	outb(SLAVE + 1, 2);
	outb(SLAVE + 1, icw4);
	outb(MASTER + 1, ~open);
	outb(SLAVE + 1, ~open >> 8);
}

#define start(guest)	start_at((uintptr_t)(guest))
static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	taken = 0;
	for (unsigned int vector = 0x30; vector < 0x40; vector++)
		guest_on(vector, note_and_eoi);
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}

#define run_guest(guest)	CHECK_EQ(serve(start(guest)), 0)

/* ------------------------------------------------------------------ the device */

static GUEST __u32 touch_ports(void)
{
	inb(MASTER);
	return 0;
}

static void absent(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct tpz_irq_line irq = { .size = sizeof(irq), .line = 4, .level = 1 };

	vcpu_start(vcpu, MODE_LONG, RING0, touch_ports, 0);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, MASTER);
	CHECK_ERR(ioctl(vcpu->vm->fd, TPZ_IRQ_LINE, &irq), ENXIO);
}

static void line_arguments(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct tpz_irq_line irq = { .size = sizeof(irq) };

	for (unsigned int number = 0; number < 20; number++) {
		irq.line = number;
		irq.level = number & 1;
		if (number == 2 || number > 15)
			CHECK_ERR(ioctl(vm->fd, TPZ_IRQ_LINE, &irq), EINVAL);
		else
			CHECK_SYS(ioctl(vm->fd, TPZ_IRQ_LINE, &irq));
	}
	irq.line = 4;
	irq.level = 2;
	CHECK_ERR(ioctl(vm->fd, TPZ_IRQ_LINE, &irq), EINVAL);
	irq.level = 1;
	irq.flags = 1;
	CHECK_ERR(ioctl(vm->fd, TPZ_IRQ_LINE, &irq), EINVAL);
}

static GUEST __u32 use_ports(void)
{
	GUEST_CHECK_EQ(inb(MASTER + 1), 0xff);
	GUEST_CHECK_EQ(inb(SLAVE + 1), 0xff);
	initialize(0, 1);
	outb(MASTER + 1, 0xfb);
	GUEST_CHECK_EQ(inb(MASTER + 1), 0xfb);
	GUEST_CHECK_EQ(inb(SLAVE + 1), 0xff);
	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	GUEST_CHECK_EQ(inb(0x4d0), 0xf8);
	GUEST_CHECK_EQ(inb(0x4d1), 0xde);
	/* A word is two ports */
	outw(0x4d0, 0x0820);
	GUEST_CHECK_EQ(inb(0x4d0), 0x20);
	GUEST_CHECK_EQ(inb(0x4d1), 0x08);
	GUEST_CHECK_EQ(inw(0x4d0), 0x0820);
	GUEST_CHECK_EQ(inb(MASTER), 0);
	return 0;
}

/* None of them is the launcher's business */
static void port_accesses(void)
{
	struct vcpu *vcpu = start(use_ports);
	struct meters meters = meters_open(vcpu->vm->id);

	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(meters_read(&meters, 0).user_exits, 1);
}

/* ------------------------------------------------------------------ to the guest */

static GUEST __u32 edge(void)
{
	initialize(1 << 4 | 1 << 7, 1);
	line(4, 1);
	GUEST_CHECK_EQ(inb(MASTER), 0x10);
	window();
	GUEST_CHECK_EQ(taken, 1);
	GUEST_CHECK_EQ(vectors[0], 0x34);
	window();
	GUEST_CHECK_EQ(taken, 1);	/* high, and no new edge */
	line(4, 0);
	line(4, 1);
	line(4, 0);
	window();
	GUEST_CHECK_EQ(taken, 2);	/* the pulse was latched */
	line(7, 1);
	line(4, 1);
	window();
	GUEST_CHECK_EQ(taken, 4);	/* one after the other, in the one window or in the handler's end */
	GUEST_CHECK_EQ(vectors[2], 0x34);
	GUEST_CHECK_EQ(vectors[3], 0x37);
	return 0;
}

static void edges(void)
{
	run_guest(edge);
}

/* A level interrupts again as soon as it was ended, until it is masked or low */
static GUEST void note_level(struct guest_frame *frame)
{
	note(frame);
	if (taken == 3)
		outb(MASTER + 1, 0xff);
	outb(MASTER, 0x20);
}

static GUEST __u32 level(void)
{
	initialize(1 << 5, 1);
	outb(0x4d0, 1 << 5);
	line(5, 1);
	window();
	GUEST_CHECK_EQ(taken, 3);
	GUEST_CHECK_EQ(inb(MASTER), 0x20);
	line(5, 0);
	GUEST_CHECK_EQ(inb(MASTER), 0);
	outb(MASTER + 1, ~(1 << 5));
	window();
	GUEST_CHECK_EQ(taken, 3);
	line(5, 1);
	line(5, 0);			/* too short */
	window();
	GUEST_CHECK_EQ(taken, 3);
	return 0;
}

static void levels(void)
{
	struct vcpu *vcpu = start(level);

	guest_handlers[0x35] = note_level;
	CHECK_EQ(serve(vcpu), 0);
}

static GUEST void no_eoi(struct guest_frame *frame)
{
	note(frame);
}

static GUEST __u32 slave(void)
{
	initialize(1 << 2 | 1 << 12 | 1 << 8 | 1 << 1, 1);
	line(12, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	GUEST_CHECK_EQ(vectors[0], 0x3c);
	outb(MASTER, 0x0b);
	outb(SLAVE, 0x0b);
	GUEST_CHECK_EQ(inb(MASTER), 4);
	GUEST_CHECK_EQ(inb(SLAVE), 0x10);
	line(8, 1);			/* behind the cascade, which is in service */
	window();
	GUEST_CHECK_EQ(taken, 1);
	line(1, 1);			/* above it */
	window();
	GUEST_CHECK_EQ(taken, 2);
	GUEST_CHECK_EQ(vectors[1], 0x31);
	outb(MASTER, 0x61);
	outb(SLAVE, 0x20);
	window();
	GUEST_CHECK_EQ(taken, 2);
	outb(MASTER, 0x62);
	window();
	GUEST_CHECK_EQ(taken, 3);
	GUEST_CHECK_EQ(vectors[2], 0x38);
	return 0;
}

static void slaves(void)
{
	struct vcpu *vcpu = start(slave);

	for (unsigned int vector = 0x30; vector < 0x40; vector++)
		guest_handlers[vector] = no_eoi;
	CHECK_EQ(serve(vcpu), 0);
}

static GUEST __u32 auto_eoi(void)
{
	initialize(1 << 4, 3);
	line(4, 1);
	window();
	line(4, 0);
	line(4, 1);
	window();
	outb(MASTER, 0x0b);
	GUEST_CHECK_EQ(inb(MASTER), 0);
	return taken - 2;
}

static void automatic_eoi(void)
{
	struct vcpu *vcpu = start(auto_eoi);

	guest_handlers[0x34] = no_eoi;
	CHECK_EQ(serve(vcpu), 0);
}

/* The IMCR: 0: INTR goes to the processor past the local APIC ("PIC mode", as at start); 1: to LINT0 */
static inline void imcr(__u8 value)
{
	outb(0x22, 0x70);
	outb(0x23, value);
}

static GUEST __u32 past_apic(void)
{
	initialize(1 << 4, 1);
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_LVT_LINT0, LVT_MASKED);
	wrmsr(APIC_TPR, 0xff);
	line(4, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	line(4, 0);
	imcr(1);
	line(4, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	imcr(0);
	window();
	GUEST_CHECK_EQ(taken, 2);
	return 0;
}

static void pic_mode(void)
{
	run_guest(past_apic);
}

/* ExtINT passes LINT0 only while that is unmasked and says ExtINT; priorities do not hold it */
static GUEST __u32 through_lint0(void)
{
	imcr(1);
	initialize(1 << 4, 1);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_LINT0), MODE_EXTINT);	/* as firmware leaves it, and still software-disabled */
	line(4, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	line(4, 0);

	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_LVT_LINT0, LVT_MASKED | MODE_EXTINT);
	line(4, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	wrmsr(APIC_TPR, 0xff);
	wrmsr(APIC_LVT_LINT0, MODE_EXTINT);
	window();
	GUEST_CHECK_EQ(taken, 2);
	for (__u32 word = 0; word < 8; word++) {		/* the local APIC has no part in it */
		GUEST_CHECK_EQ(rdmsr(APIC_ISR + word), 0);
		GUEST_CHECK_EQ(rdmsr(APIC_IRR + word), 0);
	}
	line(4, 0);

	/* As a fixed interrupt: the local vector table's vector */
	wrmsr(APIC_TPR, 0);
	wrmsr(APIC_LVT_LINT0, 0x3f);
	line(4, 1);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, 0x3f), 1);
	window();
	GUEST_CHECK_EQ(taken, 3);
	GUEST_CHECK_EQ(vectors[2], 0x3f);
	wrmsr(APIC_EOI, 0);
	GUEST_CHECK_EQ(inb(MASTER), 0x10);			/* nobody acknowledged it there */

	/* Software-disabling masks LINT0 */
	wrmsr(APIC_LVT_LINT0, MODE_EXTINT);
	wrmsr(APIC_SVR, 0xff);
	window();
	GUEST_CHECK_EQ(taken, 3);
	/* Switched off altogether, the pin is the processor's own */
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~0xc00);
	window();
	GUEST_CHECK_EQ(taken, 4);
	GUEST_CHECK_EQ(vectors[3], 0x34);
	return 0;
}

static void lint0(void)
{
	run_guest(through_lint0);
}

/* Both controllers ask: ExtINT first, then the local APIC's */
static GUEST __u32 ask_both(void)
{
	initialize(1 << 4, 1);
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_LVT_LINT0, MODE_EXTINT);
	wrmsr(APIC_SELF_IPI, 0xf1);
	line(4, 1);
	sti();
	while (taken < 2)
		asm volatile("pause");
	return 0;
}

static GUEST void apic_handler(struct guest_frame *frame)
{
	note(frame);
	wrmsr(APIC_EOI, 0);
}

static void both(void)
{
	struct vcpu *vcpu = start(ask_both);

	guest_on(0xf1, apic_handler);
	CHECK_EQ(serve(vcpu), 0);
	CHECK_EQ(vectors[0], 0x34);
	CHECK_EQ(vectors[1], 0xf1);
}

/* ------------------------------------------------------------------ from another thread */

static volatile bool ready;	/* an edge before the initialization would be forgotten */

static GUEST __u32 sleep_for_lines(void)
{
	initialize(1 << 4, 1);
	ready = true;
	while (taken < 20)
		wait_for_interrupt();
	return taken;
}

static GUEST __u32 spin_for_lines(void)
{
	initialize(1 << 4, 1);
	ready = true;
	sti();
	while (taken < 20)
		asm volatile("pause");
	cli();
	return taken;
}

/* Each pulse when the one before has arrived: so 20 pulses are 20 interrupts */
static void *pulse(void *arg)
{
	struct vcpu *vcpu = arg;

	for (unsigned int i = 0; i < 20; i++) {
		while (!ready || taken < i)
			usleep(1000);
		drive(vcpu->vm, 4, 1);
		drive(vcpu->vm, 4, 0);
	}
	return NULL;
}

static void other_thread(__u32 (*guest)(void))
{
	struct vcpu *vcpu = start(guest);
	pthread_t thread;

	ready = false;
	CHECK_EQ(pthread_create(&thread, NULL, pulse, vcpu), 0);
	CHECK_EQ(vcpu_finish(vcpu), 20);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(taken, 20);
}

static void wakes_hlt(void)
{
	other_thread(sleep_for_lines);
}

static void reaches_running_guest(void)
{
	other_thread(spin_for_lines);
}

static const struct ktap_case cases[] = {
	{ "no 8259 pair: ports are the launcher's, lines are refused", absent },
	{ "TPZ_IRQ_LINE: arguments", line_arguments },
	{ "ports answer in the kernel", port_accesses },
	{ "edges", edges },
	{ "levels", levels },
	{ "slave and cascade", slaves },
	{ "automatic EOI", automatic_eoi },
	{ "PIC mode: past the local APIC, by the IMCR", pic_mode },
	{ "ExtINT through LINT0", lint0 },
	{ "ExtINT before the local APIC's interrupt", both },
	{ "a line wakes a halted guest", wakes_hlt },
	{ "a line reaches a running guest", reaches_running_guest },
};
KTAP_MAIN(cases)
