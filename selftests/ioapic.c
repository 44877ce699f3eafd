// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC in a VM, messages of devices (MSI), and the state groups of the VM's devices. What the chip does by
 * itself is tested by unit/ioapic.c. The launcher programs it by its state group.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <string.h>

#define DEVICES		(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC)

#define LEVEL		(1 << 15)
#define REMOTE_IRR	(1 << 14)
#define LOGICAL		(1 << 11)
#define LOWEST		(1 << 8)
#define TO(id)		((__u64)(id) << 56)

static volatile __u32 taken;
static volatile __u8 last;

static GUEST void take(struct guest_frame *frame)
{
	last = frame->vector;
	taken++;
	wrmsr(APIC_EOI, 0);
}

/* Taken, and left in service */
static GUEST void take_only(struct guest_frame *frame)
{
	last = frame->vector;
	taken++;
}

/* Asks the launcher to drive a line */
static inline void line(__u8 number, __u8 level)
{
	outl(PORT_TEST, number | level << 8);
}

static struct tpz_vm_state get_state(struct vm *vm, __u64 groups)
{
	struct tpz_vm_state st = { .size = sizeof(st), .groups = groups };

	CHECK_SYS(ioctl(vm->fd, TPZ_GET_VM_STATE, &st));
	return st;
}

static void set_state(struct vm *vm, struct tpz_vm_state *st)
{
	CHECK_SYS(ioctl(vm->fd, TPZ_SET_VM_STATE, st));
}

static void program(struct vm *vm, unsigned int pin, __u64 entry)
{
	struct tpz_vm_state st = get_state(vm, TPZ_VM_STATE_IOAPIC);

	st.ioapic.redirection[pin] = entry;
	set_state(vm, &st);
}

static __u64 entry_of(struct vm *vm, unsigned int pin)
{
	return get_state(vm, TPZ_VM_STATE_IOAPIC).ioapic.redirection[pin];
}

static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = DEVICES);

	taken = 0;
	for (unsigned int vector = 0x40; vector < 0x60; vector++)
		guest_on(vector, take);
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}
#define start(guest)	start_at((uintptr_t)(guest))

/* ------------------------------------------------------------------ edges and levels */

static GUEST __u32 edges(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (unsigned int pin = 4; pin < 24; pin += 19) {
		taken = 0;
		line(pin, 1);
		window();
		GUEST_CHECK_EQ(taken, 1);
		GUEST_CHECK_EQ(last, 0x40 + pin % 8);
		window();
		line(pin, 1);
		window();
		GUEST_CHECK_EQ(taken, 1);
		line(pin, 0);
		window();
		GUEST_CHECK_EQ(taken, 1);
		line(pin, 1);
		line(pin, 0);
		window();
		GUEST_CHECK_EQ(taken, 2);
	}
	return 0;
}

/* To vCPU 0 by its ID, as a member of a logical set, as the one of lowest priority, by broadcast */
static void edges_all_ways(void)
{
	static const __u64 ways[] = { TO(0), TO(1) | LOGICAL, TO(1) | LOGICAL | LOWEST, TO(0) | LOWEST, TO(0xff) };

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct vcpu *vcpu = start(edges);

		program(vcpu->vm, 4, ways[i] | 0x44);
		program(vcpu->vm, 23, ways[i] | 0x47);
		CHECK_EQ(serve(vcpu), 0);
		vm_close(vcpu->vm);
	}
}

static GUEST __u32 nothing_comes(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	line(4, 1);
	line(9, 1);
	window();
	return taken;
}

static void masked_or_for_others(void)
{
	struct vcpu *vcpu = start(nothing_comes);

	program(vcpu->vm, 4, LVT_MASKED | 0x44);
	program(vcpu->vm, 9, TO(7) | 0x49);
	CHECK_EQ(serve(vcpu), 0);
}

static GUEST __u32 timer_line(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	line(0, 1);
	window();
	return last;
}

static void timer_pin(void)
{
	struct vcpu *vcpu = start(timer_line);

	program(vcpu->vm, 0, 0x40);
	program(vcpu->vm, 2, 0x42);
	CHECK_EQ(serve(vcpu), 0x42);
}

static GUEST __u32 level(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	guest_handlers[0x49] = take_only;
	line(9, 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	GUEST_CHECK_EQ(apic_bit(APIC_TMR, 0x49), 1);
	window();
	GUEST_CHECK_EQ(taken, 1);	/* in service */
	wrmsr(APIC_EOI, 0);
	window();
	GUEST_CHECK_EQ(taken, 2);	/* and still high */
	line(9, 0);
	wrmsr(APIC_EOI, 0);
	window();
	GUEST_CHECK_EQ(taken, 2);
	line(9, 1);
	window();
	GUEST_CHECK_EQ(taken, 3);
	return 0;
}

static void levels(void)
{
	struct vcpu *vcpu = start(level);

	program(vcpu->vm, 9, LEVEL | 0x49);
	CHECK_EQ(serve(vcpu), 0);
	CHECK_EQ(entry_of(vcpu->vm, 9), LEVEL | REMOTE_IRR | 0x49);
	drive(vcpu->vm, 9, 0);
	CHECK_EQ(entry_of(vcpu->vm, 9), LEVEL | REMOTE_IRR | 0x49);
}

/* A line is one wire to both controllers */
static void both_controllers(void)
{
	struct vm *vm = vm_create(.devices = DEVICES);
	struct tpz_vm_state st;

	drive(vm, 5, 1);
	drive(vm, 14, 1);
	drive(vm, 20, 1);
	drive(vm, 0, 1);
	st = get_state(vm, TPZ_VM_STATE_PIC | TPZ_VM_STATE_IOAPIC);
	CHECK_EQ(st.ioapic.lines, 1 << 5 | 1 << 14 | 1 << 20 | 1 << 2);
	CHECK_EQ(st.pic.master.lines, 1 << 5 | 1 << 0);
	CHECK_EQ(st.pic.slave.lines, 1 << 6);
}

/* ------------------------------------------------------------------ arguments */

static void arguments(void)
{
	struct tpz_create_vm c = { .size = sizeof(c), .devices = TPZ_DEVICE_IOAPIC };
	struct tpz_irq_line irq = { .size = sizeof(irq) };
	struct vm *vm;

	CHECK_ERR(ioctl(device_open(), TPZ_CREATE_VM, &c), EINVAL);
	vm = vm_create(.devices = TPZ_DEVICE_LAPIC | TPZ_DEVICE_IOAPIC);
	for (irq.line = 0; irq.line < 40; irq.line++) {
		if (irq.line == 2 || irq.line > 23)
			CHECK_ERR(ioctl(vm->fd, TPZ_IRQ_LINE, &irq), EINVAL);
		else
			CHECK_SYS(ioctl(vm->fd, TPZ_IRQ_LINE, &irq));
	}
	irq.line = -1;
	CHECK_ERR(ioctl(vm->fd, TPZ_IRQ_LINE, &irq), EINVAL);
}

static void refused(struct vm *vm, struct tpz_vm_state st, __u64 group)
{
	CHECK_ERR(ioctl(vm->fd, TPZ_SET_VM_STATE, &st), EINVAL);
	CHECK_EQ(st.bad_group, group);
	CHECK(st.bad_field[0]);
}

/* A refused call sets nothing */
static void state_arguments(void)
{
	struct vm *vm = vm_create(.devices = DEVICES), *bare = vm_create(.devices = TPZ_DEVICE_LAPIC);
	const __u64 both = TPZ_VM_STATE_PIC | TPZ_VM_STATE_IOAPIC;
	const struct tpz_vm_state good = get_state(vm, both);
	struct tpz_vm_state st;

	for (unsigned int bit = 0; bit < 64; bit++) {
		st = good;
		st.pic.master.imr = 0x5a;
		st.ioapic.redirection[bit % 24] = 1ull << bit;
		if ((bit > 16 && bit < 56) || bit == 12 || bit == 14)
			refused(vm, st, TPZ_VM_STATE_IOAPIC);
	}
	CHECK_EQ(get_state(vm, both).pic.master.imr, 0xff);
	st = good;
	st.ioapic.lines = 1 << 24;
	refused(vm, st, TPZ_VM_STATE_IOAPIC);
	st = good;
	st.ioapic.id = 1;
	refused(vm, st, TPZ_VM_STATE_IOAPIC);
	st = good;
	st.pic.slave.expects = 4;
	refused(vm, st, TPZ_VM_STATE_PIC);
	st = good;
	st.pic.master.elcr = 1;
	refused(vm, st, TPZ_VM_STATE_PIC);
	st = good;
	st.pic.master.lines = 4;
	refused(vm, st, TPZ_VM_STATE_PIC);
	st = good;
	st.groups = 1ull << 40;
	refused(vm, st, 1ull << 40);
	st = good;
	refused(bare, st, TPZ_VM_STATE_PIC);
	st.flags = 1;
	CHECK_ERR(ioctl(vm->fd, TPZ_SET_VM_STATE, &st), EINVAL);
	CHECK_ERR(ioctl(vm->fd, TPZ_GET_VM_STATE, NULL), EFAULT);
}

/* ------------------------------------------------------------------ save and restore */

static GUEST __u32 one_comes(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	window();
	window();
	return taken << 8 | last;
}

static void restored(void)
{
	const __u64 both = TPZ_VM_STATE_PIC | TPZ_VM_STATE_IOAPIC;
	struct vcpu *vcpu;
	struct tpz_vm_state st, again;
	struct vm *vm = vm_create(.devices = DEVICES);

	for (unsigned int pin = 0; pin < 24; pin++)
		program(vm, pin, TO(pin) | (pin & 1 ? LEVEL : 0) | LVT_MASKED | (0x40 + pin));
	drive(vm, 9, 1);
	drive(vm, 4, 1);
	st = get_state(vm, both);
	st.ioapic.id = 5 << 24;
	st.ioapic.select = 0x31;
	st.pic.master.flags = TPZ_PIC_AUTO_EOI | TPZ_PIC_READ_ISR;
	st.pic.master.lowest = 3;
	st.pic.slave.isr = 0x10;
	st.pic.imcr = 1;
	vcpu = start(one_comes);
	set_state(vcpu->vm, &st);
	again = get_state(vcpu->vm, both);
	CHECK(!memcmp(&again.pic, &st.pic, sizeof(st.pic)));
	CHECK(!memcmp(&again.ioapic, &st.ioapic, sizeof(st.ioapic)));

	/* A level that asks interrupts once the local APIC listens and the entry is open */
	vcpu_expect_out(vcpu, PORT_DONE);
	vcpu_start(vcpu, MODE_LONG, RING0, one_comes, 0);
	guest_on(0x49, take_only);
	program(vcpu->vm, 9, LEVEL | 0x49);
	CHECK_EQ(entry_of(vcpu->vm, 9), LEVEL | REMOTE_IRR | 0x49);
	CHECK_EQ(vcpu_finish(vcpu), 1 << 8 | 0x49);
}

/* ------------------------------------------------------------------ MSI */

static GUEST __u32 switch_on(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	return 0;
}

static int send(struct vm *vm, __u64 address, __u32 data)
{
	struct tpz_msi msi = { .size = sizeof(msi), .address = address, .data = data };

	return ioctl(vm->fd, TPZ_SEND_MSI, &msi);
}

static void msi(void)
{
	struct vcpu *vcpu = start(switch_on);
	struct vm *vm = vcpu->vm;

	CHECK_EQ(send(vm, 0xfee00000, 0x41), 0);	/* its local APIC is off by software */
	CHECK_EQ(vcpu_finish(vcpu), 0);
	for (unsigned int i = 0; i < 4; i++) {
		static const __u64 addresses[] = { 0xfee00000, 0xfee0100c, 0xfee01004, 0xfeeff000 };

		taken = 0;
		CHECK_EQ(send(vm, addresses[i], 0x41 + i), 1);
		vcpu_start(vcpu, MODE_LONG, RING0, one_comes, 0);
		CHECK_EQ(vcpu_finish(vcpu), 1 << 8 | (0x41 + i));
	}
	CHECK_EQ(send(vm, 0xfee05000, 0x41), 0);
	CHECK_EQ(send(vm, 0xfee02004, 0x41), 0);
}

static void msi_arguments(void)
{
	struct vm *vm = vm_with_vcpu(.devices = DEVICES)->vm, *bare = vm_create();
	struct tpz_msi m = { .size = sizeof(m), .address = 0xfee00000, .data = 0x41, .pad = 1 };

	CHECK_ERR(send(bare, 0xfee00000, 0x41), ENXIO);
	CHECK_ERR(send(vm, 0xfed00000, 0x41), EINVAL);
	CHECK_ERR(send(vm, 0x1fee00000, 0x41), EINVAL);
	CHECK_ERR(send(vm, 0xfee00000, 0x10041), EINVAL);
	CHECK_ERR(send(vm, 0xfee00000, 0x341), EINVAL);
	CHECK_ERR(send(vm, 0xfee00000, 0x641), EINVAL);
	CHECK_ERR(send(vm, 0xfee00000, 0x8041), EINVAL);
	CHECK_ERR(ioctl(vm->fd, TPZ_SEND_MSI, &m), EINVAL);
	m.pad = 0;
	m.flags = 1;
	CHECK_ERR(ioctl(vm->fd, TPZ_SEND_MSI, &m), EINVAL);
}

static const struct ktap_case cases[] = {
	{ "TPZ_IRQ_LINE: arguments", arguments },
	{ "edges through each form of destination", edges_all_ways },
	{ "masked, or for somebody else", masked_or_for_others },
	{ "the timer's line is pin 2", timer_pin },
	{ "levels, remote IRR and EOI", levels },
	{ "a line drives both controllers", both_controllers },
	{ "TPZ_SET_VM_STATE: arguments", state_arguments },
	{ "save and restore", restored },
	{ "TPZ_SEND_MSI", msi },
	{ "TPZ_SEND_MSI: arguments", msi_arguments },
};
KTAP_MAIN(cases)
