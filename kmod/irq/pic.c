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

bool tpz_pic_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value)
{
	struct tpz_pic *pic = v->vm->pic;
	unsigned long flags;
	bool rises;
	bool imcr = port == IMCR_INDEX_PORT || port == IMCR_DATA_PORT;

	if (!pic || !(imcr || i8259_is_port(port)))
		return false;
	raw_spin_lock_irqsave(&pic->lock, flags);
	if (imcr)
		imcr_port(pic, port, in, value);
	else if (in)
		*value = i8259_read(&pic->pair, port);
	else
		i8259_write(&pic->pair, port, *value);
	rises = output_rises(pic) || (imcr && pic->output);	/* it may have found another way in */
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (rises)
		tell_vcpu(pic);
	return true;
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
