/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An I/O APIC as a machine without surroundings: pins and register accesses in, interrupt messages out. No locks, no
 * guest, no kernel: ioapic.c puts it into a VM, and selftests/unit/ioapic.c takes it apart.
 */
#ifndef TPZ_IOAPIC_CHIP_H
#define TPZ_IOAPIC_CHIP_H

#include <linux/types.h>

#define IOAPIC_PINS		24

/* A redirection table entry */
#define IOAPIC_VECTOR		0xffull
#define IOAPIC_MODE		(7ull << 8)	/* delivery mode */
#define  IOAPIC_MODE_FIXED	(0ull << 8)
#define  IOAPIC_MODE_LOWEST	(1ull << 8)
#define IOAPIC_LOGICAL		(1ull << 11)
#define IOAPIC_STATUS		(1ull << 12)	/* delivery status: read-only; always idle, a message is accepted at once */
#define IOAPIC_POLARITY		(1ull << 13)	/* kept; pins are told as asserted or not */
#define IOAPIC_REMOTE_IRR	(1ull << 14)	/* read-only */
#define IOAPIC_LEVEL		(1ull << 15)
#define IOAPIC_MASKED		(1ull << 16)
#define IOAPIC_DESTINATION	(0xffull << 56)

/**
 * struct ioapic_chip - the registers
 * @send: an interrupt message, as its entry describes it. Return: did a local APIC accept it?
 */
struct ioapic_chip {
	u64 redirection[IOAPIC_PINS];
	u32 id;			/* the register: bits 27:24 */
	u8 select;		/* IOREGSEL */
	u32 lines;		/* which pins are asserted */
	bool (*send)(struct ioapic_chip *chip, u64 entry);
};

void ioapic_init(struct ioapic_chip *chip);	/* as after reset: everything masked. Keeps @send */
void ioapic_set_pin(struct ioapic_chip *chip, unsigned int pin, bool asserted);

/*
 * A local APIC ended the level-triggered interrupt @vector. ioapic_end(): the pins that it was for; they may interrupt
 * again. Whoever drives them may lower them, then ioapic_look() sends what still asks.
 */
u32 ioapic_end(struct ioapic_chip *chip, u8 vector);
void ioapic_look(struct ioapic_chip *chip, u32 pins);

/* The page's registers are 32 bits wide, at offsets of 16 bytes; what is none reads as 0 */
u32 ioapic_read(const struct ioapic_chip *chip, u32 offset);
void ioapic_write(struct ioapic_chip *chip, u32 offset, u32 value);

/* NULL, or what is wrong with an entry that user space sets */
const char *ioapic_check(u64 entry);

#endif /* TPZ_IOAPIC_CHIP_H */
