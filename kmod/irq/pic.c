// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair (i8259.c) in a VM: its lines are driven from any context, its ports by vCPU threads, and its INTR
 * output goes to vCPU 0: past its local APIC, as the board starts ("PIC mode", MultiProcessor Specification 3.6.2.1),
 * or to its LINT0 once the guest has set bit 0 of the IMCR. A Linux guest that finds no I/O APIC masks LINT0 and never
 * writes the IMCR: it depends on PIC mode for its serial port's interrupt.
 *
 * @lock guards the pair; it is raw and taken with interrupts off, because lines may be driven from hard interrupts. The
 * vCPU looks at @output without it, at every entry.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "i8259.h"
#include "irq.h"

struct tpz_pic {
	struct tpz_vm *vm;		/* (c) */
	raw_spinlock_t lock;
	struct i8259 pair;		/* @lock */
	bool output;			/* @lock; READ_ONCE by anyone */
	bool through_apic;		/* IMCR bit 0. Written by vCPU threads; READ_ONCE by anyone */
	u8 imcr_index;			/* @lock: port 0x22 */
};

/* Under @lock, after any change. Return: INTR has risen, so that vCPU 0 must hear of it */
static bool output_rises(struct tpz_pic *pic)
{
	bool before = pic->output;

	WRITE_ONCE(pic->output, i8259_output(&pic->pair));
	return pic->output && !before;
}

static void tell_vcpu(struct tpz_pic *pic)
{
	struct tpz_vcpu *v = READ_ONCE(pic->vm->vcpu[0]);

	if (v)
		tpz_apic_lint0_rises(v);
}

void tpz_pic_set_line(struct tpz_vm *vm, unsigned int line, bool level)
{
	struct tpz_pic *pic = vm->pic;
	unsigned long flags;
	bool rises;

	if (!pic || line > 15 || line == I8259_CASCADE)
		return;
	raw_spin_lock_irqsave(&pic->lock, flags);
	i8259_set_line(&pic->pair, line, level);
	rises = output_rises(pic);
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (rises)
		tell_vcpu(pic);
}

int tpz_pic_pending(struct tpz_vm *vm)
{
	return vm->pic && READ_ONCE(vm->pic->output);
}

int tpz_pic_accept(struct tpz_vm *vm)
{
	struct tpz_pic *pic = vm->pic;
	unsigned long flags;
	int vector;

	raw_spin_lock_irqsave(&pic->lock, flags);
	vector = i8259_acknowledge(&pic->pair);
	output_rises(pic);	/* it falls, or stays: the caller looks again */
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	return vector;
}

/* The acknowledge cycle of a copy */
int tpz_pic_vector(struct tpz_vm *vm)
{
	struct tpz_pic *pic = vm->pic;
	struct i8259 copy;
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	copy = pic->pair;
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	return i8259_acknowledge(&copy);
}

bool tpz_pic_direct(struct tpz_vm *vm)
{
	return vm->pic && !READ_ONCE(vm->pic->through_apic);
}

/* The interrupt mode configuration register: index at port 0x22, data at 0x23 */
#define IMCR_INDEX_PORT		0x22
#define IMCR_DATA_PORT		0x23
#define IMCR_REGISTER		0x70

static void imcr_port(struct tpz_pic *pic, u16 port, bool in, u8 *value)
{
	if (port == IMCR_INDEX_PORT) {
		if (in)
			*value = pic->imcr_index;
		else
			pic->imcr_index = *value;
	} else if (pic->imcr_index == IMCR_REGISTER) {
		if (in)
			*value = pic->through_apic;
		else
			WRITE_ONCE(pic->through_apic, *value & 1);
	} else if (in) {
		*value = 0xff;
	}
}

static u16 in_service(const struct tpz_pic *pic)
{
	return pic->pair.master.isr | pic->pair.slave.isr << 8;
}

bool tpz_pic_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value)
{
	struct tpz_pic *pic = v->vm->pic;
	unsigned long flags;
	bool rises;
	u16 ended;
	bool imcr = port == IMCR_INDEX_PORT || port == IMCR_DATA_PORT;

	if (!pic || !(imcr || i8259_is_port(port)))
		return false;
	raw_spin_lock_irqsave(&pic->lock, flags);
	ended = in_service(pic);
	if (imcr)
		imcr_port(pic, port, in, value);
	else if (in)
		*value = i8259_read(&pic->pair, port);
	else
		i8259_write(&pic->pair, port, *value);
	ended &= ~in_service(pic);
	rises = output_rises(pic) || (imcr && pic->output);	/* it may have found another way in */
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (ended)
		tpz_irq_ended(v->vm, ended);
	if (rises)
		tell_vcpu(pic);
	return true;
}

/* ------------------------------------------------------------------ state group TPZ_VM_STATE_PIC */

static void get_chip(const struct i8259_chip *c, struct tpz_pic_chip *st)
{
	*st = (struct tpz_pic_chip) {
		.lines = c->lines,
		.latched = c->latched,
		.elcr = c->elcr,
		.imr = c->imr,
		.isr = c->isr,
		.vector_base = c->vector_base,
		.lowest = c->lowest,
		.expects = c->expects,
		.flags = (c->needs_icw4 ? TPZ_PIC_NEEDS_ICW4 : 0) | (c->single ? TPZ_PIC_SINGLE : 0) |
			 (c->auto_eoi ? TPZ_PIC_AUTO_EOI : 0) | (c->auto_rotate ? TPZ_PIC_AUTO_ROTATE : 0) |
			 (c->special_mask ? TPZ_PIC_SPECIAL_MASK : 0) | (c->fully_nested ? TPZ_PIC_FULLY_NESTED : 0) |
			 (c->read_isr ? TPZ_PIC_READ_ISR : 0) | (c->poll ? TPZ_PIC_POLL : 0),
	};
}

static void set_chip(struct i8259_chip *c, const struct tpz_pic_chip *st)
{
	*c = (struct i8259_chip) {
		.lines = st->lines,
		.latched = st->latched,
		.elcr = st->elcr,
		.elcr_writable = c->elcr_writable,
		.imr = st->imr,
		.isr = st->isr,
		.vector_base = st->vector_base,
		.lowest = st->lowest,
		.expects = st->expects,
		.needs_icw4 = st->flags & TPZ_PIC_NEEDS_ICW4,
		.single = st->flags & TPZ_PIC_SINGLE,
		.auto_eoi = st->flags & TPZ_PIC_AUTO_EOI,
		.auto_rotate = st->flags & TPZ_PIC_AUTO_ROTATE,
		.special_mask = st->flags & TPZ_PIC_SPECIAL_MASK,
		.fully_nested = st->flags & TPZ_PIC_FULLY_NESTED,
		.read_isr = st->flags & TPZ_PIC_READ_ISR,
		.poll = st->flags & TPZ_PIC_POLL,
	};
}

void tpz_pic_get_state(struct tpz_vm *vm, struct tpz_pic_state *st)
{
	struct tpz_pic *pic = vm->pic;
	unsigned long flags;

	memset(st, 0, sizeof(*st));
	raw_spin_lock_irqsave(&pic->lock, flags);
	get_chip(&pic->pair.master, &st->master);
	get_chip(&pic->pair.slave, &st->slave);
	st->imcr = pic->through_apic;
	st->imcr_index = pic->imcr_index;
	raw_spin_unlock_irqrestore(&pic->lock, flags);
}

static const char *check_chip(const struct tpz_pic_chip *st, u8 elcr_writable)
{
	if (st->flags & ~0xffu || st->pad)
		return "flags: unknown ones";
	if (st->lowest > 7)
		return "lowest: an input, 0 to 7";
	if (st->expects > 3)
		return "expects: 0 to 3";
	if (st->vector_base & 7)
		return "vector_base: bits 2:0 are the input's number";
	if (st->elcr & ~elcr_writable)
		return "elcr: an input that is always edge-triggered";
	return NULL;
}

const char *tpz_pic_check_state(const struct tpz_pic_state *st)
{
	struct i8259 fresh;
	const char *bad;

	i8259_init(&fresh);
	bad = check_chip(&st->master, fresh.master.elcr_writable) ?: check_chip(&st->slave, fresh.slave.elcr_writable);
	if (bad)
		return bad;
	if ((st->master.lines | st->master.latched) & BIT(I8259_CASCADE))
		return "master: the slave drives its input 2";
	if (st->imcr > 1 || memchr_inv(st->pad, 0, sizeof(st->pad)))
		return "imcr: bit 0 alone";
	return NULL;
}

void tpz_pic_set_state(struct tpz_vm *vm, const struct tpz_pic_state *st)
{
	struct tpz_pic *pic = vm->pic;
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	set_chip(&pic->pair.master, &st->master);
	set_chip(&pic->pair.slave, &st->slave);
	WRITE_ONCE(pic->through_apic, st->imcr);
	pic->imcr_index = st->imcr_index;
	output_rises(pic);
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (tpz_pic_pending(vm))
		tell_vcpu(pic);
}

int tpz_pic_create(struct tpz_vm *vm)
{
	struct tpz_pic *pic;

	if (!(vm->devices & TPZ_DEVICE_PIC))
		return 0;
	pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);
	if (!pic)
		return -ENOMEM;
	pic->vm = vm;
	raw_spin_lock_init(&pic->lock);
	i8259_init(&pic->pair);
	vm->pic = pic;
	return 0;
}

void tpz_pic_destroy(struct tpz_vm *vm)
{
	kfree(vm->pic);
	vm->pic = NULL;
}
