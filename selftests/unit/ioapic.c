// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC (kmod/irq/ioapic_chip.c) by its data sheet: registers, edges and levels, masks, remote IRR and EOI.
 */
#include "chip_test.h"

#include "../../kmod/irq/ioapic_chip.c"

static struct ioapic_chip chip;
static unsigned int sent;
static u64 last;
static bool refuse;

static bool send(struct ioapic_chip *c, u64 entry)
{
	CHECK(c == &chip);
	if (refuse)
		return false;
	sent++;
	last = entry;
	return true;
}

static void start(void)
{
	chip = (struct ioapic_chip){ .send = send };
	ioapic_init(&chip);
	sent = 0;
	refuse = false;
}

static u32 get(u8 reg)
{
	ioapic_write(&chip, 0x00, reg);
	return ioapic_read(&chip, 0x10);
}

static void set(u8 reg, u32 value)
{
	ioapic_write(&chip, 0x00, reg);
	ioapic_write(&chip, 0x10, value);
}

static void pin_is(unsigned int n, u32 low)
{
	set(0x10 + 2 * n, low);
}

static u32 low(unsigned int n)
{
	return get(0x10 + 2 * n);
}

static void pin(unsigned int n, bool level)
{
	ioapic_set_pin(&chip, n, level);
}

static void eoi(u8 vector)
{
	ioapic_look(&chip, ioapic_end(&chip, vector));
}

#define LEVEL	(1u << 15)
#define MASKED	(1u << 16)
#define REMOTE	(1u << 14)

static void registers(void)
{
	start();
	CHECK(get(0x01) == (0x11 | 23 << 16));
	set(0x01, 0);
	CHECK(get(0x01) == (0x11 | 23 << 16));
	CHECK(get(0x00) == 0);
	set(0x00, 0xffffffff);
	CHECK(get(0x00) == 0x0f000000 && get(0x02) == 0x0f000000);
	set(0x02, 0);
	CHECK(get(0x02) == 0x0f000000);
	CHECK(ioapic_read(&chip, 0x00) == 0x02);
	ioapic_write(&chip, 0x00, 0x12345601);
	CHECK(ioapic_read(&chip, 0x00) == 0x01);
	for (unsigned int n = 0; n < 24; n++)
		CHECK(low(n) == MASKED && get(0x11 + 2 * n) == 0);
	for (unsigned int reg = 3; reg < 0x10; reg++)
		CHECK(get(reg) == 0);
	for (unsigned int reg = 0x40; reg < 0x100; reg++) {
		set(reg, 0xffffffff);
		CHECK(get(reg) == 0);
	}
	for (unsigned int offset = 4; offset < 0x1000; offset += 4)
		if (offset != 0x10)
			CHECK(ioapic_read(&chip, offset) == 0);
}

/* Reserved and read-only bits; both halves by themselves */
static void entries(void)
{
	start();
	set(0x10 + 2 * 23, 0xffffffff);
	CHECK(low(23) == 0x1afff);
	set(0x11 + 2 * 23, 0xffffffff);
	CHECK(get(0x11 + 2 * 23) == 0xff000000 && low(23) == 0x1afff);
	set(0x10 + 2 * 23, 0);
	CHECK(low(23) == 0 && get(0x11 + 2 * 23) == 0xff000000);
	CHECK(low(22) == MASKED && !sent);
}

static void edges(void)
{
	start();
	set(0x11 + 2 * 4, 0x05000000);
	pin_is(4, 0x34 | 1 << 11);
	pin(4, true);
	CHECK(sent == 1 && last == (0x05ull << 56 | 1 << 11 | 0x34));
	pin(4, true);
	CHECK(sent == 1 && low(4) == (0x34 | 1 << 11));
	pin(4, false);
	CHECK(sent == 1);
	pin(4, true);
	CHECK(sent == 2);
	eoi(0x34);
	CHECK(sent == 2);

	/* Masked: lost, also when the pin is still asserted at the unmasking */
	pin(4, false);
	pin_is(4, 0x34 | MASKED);
	pin(4, true);
	pin_is(4, 0x34);
	CHECK(sent == 2);
	pin(4, false);
	pin(4, true);
	CHECK(sent == 3);
}

static void levels(void)
{
	start();
	pin_is(9, 0x41 | LEVEL);
	pin(9, true);
	CHECK(sent == 1 && low(9) == (0x41 | LEVEL | REMOTE));
	pin(9, false);
	pin(9, true);
	CHECK(sent == 1);		/* remote IRR holds it */
	eoi(0x40);
	CHECK(sent == 1 && (low(9) & REMOTE));
	eoi(0x41);
	CHECK(sent == 2 && (low(9) & REMOTE));
	pin(9, false);
	eoi(0x41);
	CHECK(sent == 2 && !(low(9) & REMOTE));
	pin(9, true);
	CHECK(sent == 3);

	/* Lowered between the end and the look: nothing asks */
	CHECK(ioapic_end(&chip, 0x41) == 1 << 9);
	pin(9, false);
	ioapic_look(&chip, 1 << 9);
	CHECK(sent == 3 && !(low(9) & REMOTE));
}

static void masked_levels(void)
{
	start();
	pin_is(9, 0x41 | LEVEL | MASKED);
	pin(9, true);
	CHECK(!sent);
	pin_is(9, 0x41 | LEVEL);
	CHECK(sent == 1);
	/* Masked in service: the EOI still ends it, and unmasking sends what asks */
	pin_is(9, 0x41 | LEVEL | MASKED);
	CHECK(low(9) & REMOTE);
	eoi(0x41);
	CHECK(sent == 1 && !(low(9) & REMOTE));
	pin_is(9, 0x41 | LEVEL);
	CHECK(sent == 2);
	/* The way out when the EOI went astray: edge, and level again */
	pin_is(9, 0x41 | MASKED);
	CHECK(!(low(9) & REMOTE));
	pin_is(9, 0x41 | LEVEL);
	CHECK(sent == 3 && (low(9) & REMOTE));
}

static void shared_vectors(void)
{
	start();
	for (unsigned int n = 0; n < 24; n++) {
		pin_is(n, 0x50 | LEVEL);
		pin(n, true);
	}
	CHECK(sent == 24);
	pin(3, false);
	CHECK(ioapic_end(&chip, 0x50) == 0xffffff);
	ioapic_look(&chip, 0xffffff);
	CHECK(sent == 24 + 23);
}

/* NMI, SMI, INIT and ExtINT are edges whatever the entry says */
static void modes(void)
{
	start();
	for (unsigned int mode = 0; mode < 8; mode++) {
		sent = 0;
		pin(7, false);
		pin_is(7, 0x60 | mode << 8 | LEVEL | MASKED);
		pin_is(7, 0x60 | mode << 8 | LEVEL);
		pin(7, true);
		CHECK(sent == 1 && (last >> 8 & 7) == mode);
		CHECK(!!(low(7) & REMOTE) == (mode < 2));
		eoi(0x60);
		CHECK(sent == (mode < 2 ? 2 : 1));
		pin_is(7, MASKED);
	}
}

static void not_accepted(void)
{
	start();
	refuse = true;
	pin_is(9, 0x41 | LEVEL);
	pin(9, true);
	CHECK(!sent && !(low(9) & REMOTE));
	refuse = false;
	pin_is(9, 0x42 | LEVEL);
	CHECK(sent == 1 && (low(9) & REMOTE));
}

static void checks(void)
{
	CHECK(!ioapic_check(MASKED));
	CHECK(!ioapic_check(0x31 | LEVEL | REMOTE | 0xffull << 56));
	CHECK(ioapic_check(REMOTE));
	CHECK(ioapic_check(REMOTE | LEVEL | 4 << 8));
	CHECK(ioapic_check(1 << 12));
	for (unsigned int bit = 17; bit < 56; bit++)
		CHECK(ioapic_check(1ull << bit));
}

/* Whatever happens, an entry stays one that user space could set, and a level that may be sent was */
static void anything(void)
{
	start();
	srand(1);
	for (unsigned int i = 0; i < 2000000; i++) {
		unsigned int n = rand() % 24;

		switch (rand() % 4) {
		case 0:
			pin(n, rand() & 1);
			break;
		case 1:
			eoi(rand() & 15);
			break;
		case 2:
			set(0x10 + 2 * n, rand() & ~0xf0 & (rand() & 1 ? ~MASKED : ~0));
			break;
		case 3:
			set(rand(), rand());
			break;
		}
		for (n = 0; n < 24; n++) {
			u64 entry = chip.redirection[n];

			CHECK(!ioapic_check(entry));
			if (is_level(entry) && !(entry & (MASKED | REMOTE)))
				CHECK(!(chip.lines >> n & 1));
		}
	}
}

static const struct chip_case cases[] = {
	{ "registers", registers },
	{ "redirection entries", entries },
	{ "edges", edges },
	{ "levels, remote IRR and EOI", levels },
	{ "masked levels", masked_levels },
	{ "pins that share a vector", shared_vectors },
	{ "delivery modes", modes },
	{ "messages that nobody accepts", not_accepted },
	{ "entries that user space sets", checks },
	{ "any sequence at all", anything },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
