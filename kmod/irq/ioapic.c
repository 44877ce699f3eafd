// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC (ioapic_chip.c) in a VM: interrupt lines, its page, its messages; and messages of devices (MSI).
 *
 * Messages are sent under the lock, so that remote IRR and the local APIC's IRR change in one order: tpz_irq_deliver()
 * takes no lock.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "i8259.h"
#include "ioapic_chip.h"
#include "irq.h"

#define IOAPIC_BASE	0xfec00000u
#define IOAPIC_BYTES	0x1000u
#define TIMER_LINE	0
#define TIMER_PIN	2

static_assert(IOAPIC_PINS == TPZ_IOAPIC_PINS && IOAPIC_PINS == TPZ_IRQ_LINES);

struct tpz_ioapic {
	struct tpz_vm *vm;		/* (c) */
	raw_spinlock_t lock;
	struct ioapic_chip chip;	/* @lock */
};

/* ------------------------------------------------------------------ messages */

/* Destinations of 8 bits */
static u32 destination8(u8 destination)
{
	return destination == 0xff ? TPZ_IRQ_BROADCAST : destination;
}

static bool send(struct ioapic_chip *chip, u64 entry)
{
	struct tpz_ioapic *ioapic = container_of(chip, struct tpz_ioapic, chip);
	const struct tpz_irq_message m = {
		.destination = destination8(entry >> 56),
		.logical = entry & IOAPIC_LOGICAL,
		.mode = (entry & IOAPIC_MODE) >> 8,
		.level = (entry & IOAPIC_LEVEL) && (entry & IOAPIC_MODE) <= IOAPIC_MODE_LOWEST,
		.vector = entry & IOAPIC_VECTOR,
	};

	return tpz_irq_deliver(ioapic->vm, &m) > 0;
}

/* SDM vol. 3A, "Message Signalled Interrupts": the address is 0xfee, the destination, redirection hint and mode */
#define MSI_BASE		0xfeeu
#define MSI_REDIRECTION_HINT	BIT(3)
#define MSI_LOGICAL		BIT(2)
#define MSI_DATA_LEVEL		BIT(15)		/* level-triggered; then bit 14 tells assert from de-assert */
#define MSI_DATA_ASSERT		BIT(14)
#define MSI_DATA_KNOWN		(MSI_DATA_LEVEL | MSI_DATA_ASSERT | 0x7ffu)

/* The hint and mode 1 both mean: one of them. A de-assert has no receiver, so it is refused, as is what is reserved */
int tpz_msi_message(const struct tpz_vm *vm, u64 address, u32 data, struct tpz_irq_message *m)
{
	u8 mode = data >> 8 & 7;

	if (!(vm->devices & TPZ_DEVICE_LAPIC))
		return -ENXIO;
	if (address >> 20 != MSI_BASE || data & ~MSI_DATA_KNOWN || mode == TPZ_IRQ_STARTUP || mode == 3)
		return -EINVAL;
	if ((data & MSI_DATA_LEVEL) && !(data & MSI_DATA_ASSERT))
		return -EINVAL;
	if (mode == TPZ_IRQ_FIXED && (address & MSI_REDIRECTION_HINT))
		mode = TPZ_IRQ_LOWEST;
	*m = (struct tpz_irq_message) {
		.destination = destination8(address >> 12),
		.logical = address & MSI_LOGICAL,
		.level = (data & MSI_DATA_LEVEL) && mode <= TPZ_IRQ_LOWEST,
		.mode = mode,
		.vector = data,
	};
	return 0;
}

/* ------------------------------------------------------------------ lines */

int tpz_irq_check_line(const struct tpz_vm *vm, u32 line)
{
	if (!vm->pic && !vm->ioapic)
		return -ENXIO;
	if (line == I8259_CASCADE || line >= (vm->ioapic ? TPZ_IRQ_LINES : 16))
		return -EINVAL;
	return 0;
}

void tpz_irq_set_line(struct tpz_vm *vm, u32 line, bool level)
{
	struct tpz_ioapic *ioapic = vm->ioapic;
	unsigned long flags;

	tpz_pic_set_line(vm, line, level);
	if (!ioapic)
		return;
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	ioapic_set_pin(&ioapic->chip, line == TIMER_LINE ? TIMER_PIN : line, level);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

static u32 lines_of_pins(u32 pins)
{
	u32 lines = pins & ~(BIT(TIMER_LINE) | BIT(TIMER_PIN));

	return pins & BIT(TIMER_PIN) ? lines | BIT(TIMER_LINE) : lines;
}

/* Whoever resamples gets the chance to lower its line before what still asks is sent again */
void tpz_ioapic_eoi(struct tpz_vm *vm, u32 vector)
{
	struct tpz_ioapic *ioapic = vm->ioapic;
	unsigned long flags;
	u32 pins;

	if (!ioapic)
		return;
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	pins = ioapic_end(&ioapic->chip, vector);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	if (!pins)
		return;
	tpz_irq_ended(vm, lines_of_pins(pins));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	ioapic_look(&ioapic->chip, pins);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* ------------------------------------------------------------------ the page */

bool tpz_ioapic_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data)
{
	struct tpz_ioapic *ioapic = v->vm->ioapic;
	const u32 offset = gpa - IOAPIC_BASE;
	unsigned long flags;
	u32 value;

	if (!ioapic || gpa < IOAPIC_BASE || gpa >= IOAPIC_BASE + IOAPIC_BYTES)
		return false;
	if (bytes != sizeof(value)) {
		if (!write)
			memset(data, 0, bytes);
		return true;
	}
	memcpy(&value, data, sizeof(value));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if (write)
		ioapic_write(&ioapic->chip, offset, value);
	else
		value = ioapic_read(&ioapic->chip, offset);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	if (!write)
		memcpy(data, &value, sizeof(value));
	return true;
}

/* ------------------------------------------------------------------ state group TPZ_VM_STATE_IOAPIC */

void tpz_ioapic_get_state(struct tpz_vm *vm, struct tpz_ioapic_state *st)
{
	struct tpz_ioapic *ioapic = vm->ioapic;
	unsigned long flags;

	memset(st, 0, sizeof(*st));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	memcpy(st->redirection, ioapic->chip.redirection, sizeof(st->redirection));
	st->id = ioapic->chip.id;
	st->select = ioapic->chip.select;
	st->lines = ioapic->chip.lines;
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

const char *tpz_ioapic_check_state(const struct tpz_ioapic_state *st)
{
	const char *bad;
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		bad = ioapic_check(st->redirection[pin]);
		if (bad)
			return bad;
	}
	if (st->id & ~0x0f000000u)
		return "id: bits 27:24 alone";
	if (st->select > U8_MAX)
		return "select: 8 bits";
	if (st->lines >> IOAPIC_PINS || st->pad)
		return "lines: one bit for each of 24 pins";
	return NULL;
}

/* A level that asks and may be sent is */
void tpz_ioapic_set_state(struct tpz_vm *vm, const struct tpz_ioapic_state *st)
{
	struct tpz_ioapic *ioapic = vm->ioapic;
	unsigned long flags;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	memcpy(ioapic->chip.redirection, st->redirection, sizeof(st->redirection));
	ioapic->chip.id = st->id;
	ioapic->chip.select = st->select;
	ioapic->chip.lines = st->lines;
	ioapic_look(&ioapic->chip, st->lines);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* ------------------------------------------------------------------ life */

int tpz_ioapic_create(struct tpz_vm *vm)
{
	struct tpz_ioapic *ioapic;

	if (!(vm->devices & TPZ_DEVICE_IOAPIC))
		return 0;
	ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	if (!ioapic)
		return -ENOMEM;
	ioapic->vm = vm;
	raw_spin_lock_init(&ioapic->lock);
	ioapic->chip.send = send;
	ioapic_init(&ioapic->chip);
	vm->ioapic = ioapic;
	return 0;
}

void tpz_ioapic_destroy(struct tpz_vm *vm)
{
	kfree(vm->ioapic);
	vm->ioapic = NULL;
}
