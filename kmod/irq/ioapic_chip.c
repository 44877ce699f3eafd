// SPDX-License-Identifier: GPL-2.0
/*
 * An I/O APIC, by Intel's data sheet "82093AA I/O Advanced Programmable Interrupt Controller" (290566), version 0x11: a
 * level-triggered interrupt ends by the local APIC's EOI message, there is no EOI register.
 *
 * An edge at a masked pin is lost. A level at one waits. Remote IRR says that a level was accepted and not yet ended:
 * until then the pin sends nothing. Making an entry edge-triggered clears it, which is how system software ends an
 * interrupt whose EOI message went astray.
 */
#include <linux/bits.h>
#include <linux/types.h>
#include "ioapic_chip.h"

/* Offsets in the page */
#define IOREGSEL	0x00
#define IOWIN		0x10

/* Registers behind the window */
#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_ARBITRATION	0x02
#define REG_REDIRECTION	0x10	/* two for each pin */

#define VERSION		(0x11 | (IOAPIC_PINS - 1) << 16)
#define ID_BITS		0x0f000000

#define ENTRY_READ_ONLY	(IOAPIC_STATUS | IOAPIC_REMOTE_IRR)
#define ENTRY_KNOWN	(IOAPIC_DESTINATION | GENMASK_ULL(16, 0))

/* Only fixed and lowest-priority interrupts have a level; the others are edges however they are programmed */
static bool is_level(u64 entry)
{
	return (entry & IOAPIC_LEVEL) && (entry & IOAPIC_MODE) <= IOAPIC_MODE_LOWEST;
}

/* A level that may be sent is. Not accepted: it goes on asking, and is looked at when its pin or entry changes */
static void look_at(struct ioapic_chip *chip, unsigned int pin)
{
	u64 entry = chip->redirection[pin];

	if (!is_level(entry) || !(chip->lines & BIT(pin)) || (entry & (IOAPIC_MASKED | IOAPIC_REMOTE_IRR)))
		return;
	if (chip->send(chip, entry))
		chip->redirection[pin] |= IOAPIC_REMOTE_IRR;
}

void ioapic_look(struct ioapic_chip *chip, u32 pins)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if (pins & BIT(pin))
			look_at(chip, pin);
}

void ioapic_set_pin(struct ioapic_chip *chip, unsigned int pin, bool asserted)
{
	u64 entry = chip->redirection[pin];
	bool rises = asserted && !(chip->lines & BIT(pin));

	if (asserted)
		chip->lines |= BIT(pin);
	else
		chip->lines &= ~BIT(pin);
	if (is_level(entry))
		look_at(chip, pin);
	else if (rises && !(entry & IOAPIC_MASKED))
		chip->send(chip, entry);
}

u32 ioapic_end(struct ioapic_chip *chip, u8 vector)
{
	unsigned int pin;
	u32 ended = 0;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &chip->redirection[pin];

		if ((*entry & IOAPIC_REMOTE_IRR) && (*entry & IOAPIC_VECTOR) == vector) {
			*entry &= ~IOAPIC_REMOTE_IRR;
			ended |= BIT(pin);
		}
	}
	return ended;
}

/* ------------------------------------------------------------------ registers */

static void write_entry(struct ioapic_chip *chip, unsigned int pin, u64 value)
{
	u64 *entry = &chip->redirection[pin];

	*entry = (value & ENTRY_KNOWN & ~ENTRY_READ_ONLY) | (*entry & ENTRY_READ_ONLY);
	if (!is_level(*entry))
		*entry &= ~IOAPIC_REMOTE_IRR;
	look_at(chip, pin);
}

static void write_register(struct ioapic_chip *chip, u32 value)
{
	unsigned int n = chip->select - REG_REDIRECTION;
	u64 entry;

	if (chip->select == REG_ID)
		chip->id = value & ID_BITS;
	if (chip->select < REG_REDIRECTION || n >= 2 * IOAPIC_PINS)
		return;
	entry = chip->redirection[n / 2];
	if (n & 1)
		entry = (u32)entry | (u64)value << 32;
	else
		entry = (entry & GENMASK_ULL(63, 32)) | value;
	write_entry(chip, n / 2, entry);
}

static u32 read_register(const struct ioapic_chip *chip)
{
	unsigned int n = chip->select - REG_REDIRECTION;

	switch (chip->select) {
	case REG_ID:
	case REG_ARBITRATION:	/* loaded with the ID when that is written; nobody arbitrates */
		return chip->id;
	case REG_VERSION:
		return VERSION;
	}
	if (chip->select < REG_REDIRECTION || n >= 2 * IOAPIC_PINS)
		return 0;
	return chip->redirection[n / 2] >> (n & 1 ? 32 : 0);
}

u32 ioapic_read(const struct ioapic_chip *chip, u32 offset)
{
	switch (offset) {
	case IOREGSEL:
		return chip->select;
	case IOWIN:
		return read_register(chip);
	}
	return 0;
}

void ioapic_write(struct ioapic_chip *chip, u32 offset, u32 value)
{
	if (offset == IOREGSEL)
		chip->select = value;
	else if (offset == IOWIN)
		write_register(chip, value);
}

void ioapic_init(struct ioapic_chip *chip)
{
	unsigned int pin;

	chip->id = 0;
	chip->select = 0;
	chip->lines = 0;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		chip->redirection[pin] = IOAPIC_MASKED;
}

const char *ioapic_check(u64 entry)
{
	if (entry & ~ENTRY_KNOWN)
		return "reserved bits";
	if (entry & IOAPIC_STATUS)
		return "delivery status: a message is accepted at once";
	if ((entry & IOAPIC_REMOTE_IRR) && !is_level(entry))
		return "remote IRR of an entry that is not level-triggered";
	return NULL;
}
