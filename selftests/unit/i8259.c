// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair (kmod/irq/i8259.c) by its data sheet: initialization, edges and levels, priorities and their
 * rotation, the special modes, the cascade, polling, spurious interrupts.
 */
#include "chip_test.h"

#include "../../kmod/irq/i8259.c"

static struct i8259 pair;

static void out(u16 port, u8 value)
{
	i8259_write(&pair, port, value);
}

static u8 in(u16 port)
{
	return i8259_read(&pair, port);
}

static void line(unsigned int irq, bool level)
{
	i8259_set_line(&pair, irq, level);
}

static void pulse(unsigned int irq)
{
	line(irq, true);
	line(irq, false);
}

static u8 irr(u16 port)
{
	out(port, 0x0a);
	return in(port);
}

static u8 isr(u16 port)
{
	out(port, 0x0b);
	return in(port);
}

/* Vectors 0x20 and 0x28, everything unmasked */
static void initialize(u8 icw4)
{
	i8259_init(&pair);
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, icw4);
	out(0xa0, 0x11);
	out(0xa1, 0x28);
	out(0xa1, 0x02);
	out(0xa1, icw4 & 3);
}

/* INTR must be asserted, and the acknowledge cycle answer this vector */
static bool taken(u8 vector)
{
	return i8259_output(&pair) && i8259_acknowledge(&pair) == vector;
}

static void at_start(void)
{
	i8259_init(&pair);
	CHECK(in(0x21) == 0xff && in(0xa1) == 0xff);
	for (unsigned int i = 0; i < 16; i++)
		if (i != 2)
			line(i, true);
	CHECK(!i8259_output(&pair));
}

static void initialization(void)
{
	initialize(0x01);
	CHECK(in(0x21) == 0 && in(0xa1) == 0);
	CHECK(irr(0x20) == 0 && isr(0x20) == 0);
	out(0x21, 0x5a);
	CHECK(in(0x21) == 0x5a);
	CHECK(in(0xa1) == 0);

	/* ICW2's low bits are the input's number; ICW1 without "ICW4 needed" ends after ICW3 */
	out(0x20, 0x10);
	out(0x21, 0x47);
	out(0x21, 0x04);
	out(0x21, 0x0f);	/* OCW1 by now */
	CHECK(in(0x21) == 0x0f);
	out(0x21, 0);
	line(1, true);
	CHECK(taken(0x41));

	/* Single: no ICW3 */
	out(0x20, 0x13);
	out(0x21, 0x60);
	out(0x21, 0x01);
	out(0x21, 0xf0);
	CHECK(in(0x21) == 0xf0);
	CHECK(isr(0x20) == 0);	/* ICW1 cleared it */

	/* An edge before ICW1 is forgotten, and a line that is still high asks no more */
	initialize(0x01);
	line(3, true);
	initialize(0x01);
	i8259_set_line(&pair, 3, true);
	CHECK(taken(0x23));
	line(5, true);
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, 0x01);
	CHECK(!i8259_output(&pair));
	line(5, true);
	CHECK(!i8259_output(&pair));
	pulse(5);
	CHECK(!i8259_output(&pair));	/* that was its falling: the next rise counts */
	pulse(5);
	CHECK(taken(0x25));
}

static void edges(void)
{
	initialize(0x01);
	line(4, true);
	CHECK(irr(0x20) == 0x10 && isr(0x20) == 0);
	CHECK(taken(0x24));
	CHECK(irr(0x20) == 0 && isr(0x20) == 0x10);
	CHECK(!i8259_output(&pair));
	out(0x20, 0x20);
	CHECK(isr(0x20) == 0);
	CHECK(!i8259_output(&pair));	/* still high: no new edge */
	line(4, false);
	line(4, true);
	CHECK(taken(0x24));
	line(4, false);
	line(4, true);			/* again while in service: waits */
	CHECK(!i8259_output(&pair) && irr(0x20) == 0x10);
	out(0x20, 0x20);
	CHECK(taken(0x24));
	out(0x20, 0x20);

	/* Masked: remembered */
	out(0x21, 0xff);
	line(4, false);
	pulse(4);
	CHECK(!i8259_output(&pair) && irr(0x20) == 0x10);
	out(0x21, 0);
	CHECK(taken(0x24));
}

static void levels(void)
{
	initialize(0x01);
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	CHECK(in(0x4d0) == 0xf8 && in(0x4d1) == 0xde);
	line(5, true);
	CHECK(taken(0x25));
	CHECK(!i8259_output(&pair) && irr(0x20) == 0x20);
	out(0x20, 0x20);
	CHECK(taken(0x25));		/* still high */
	line(5, false);
	CHECK(irr(0x20) == 0);
	out(0x20, 0x20);
	CHECK(!i8259_output(&pair));
	line(5, true);
	line(5, false);			/* too short */
	CHECK(!i8259_output(&pair));
	line(0, true);			/* cannot be made a level */
	CHECK(taken(0x20));
	out(0x20, 0x20);
	CHECK(!i8259_output(&pair));
}

static void spurious(void)
{
	initialize(0x01);
	out(0x4d0, 0x20);
	out(0x4d1, 0x08);
	line(5, true);
	line(5, false);
	CHECK(i8259_acknowledge(&pair) == 0x27);
	CHECK(isr(0x20) == 0);
	/* The slave's: only the master has it in service */
	pulse(12);
	pair.slave.latched = 0;
	line(11, true);
	CHECK(i8259_output(&pair));
	pair.slave.lines = 0;
	pair.master.latched |= BIT(I8259_CASCADE);
	CHECK(i8259_acknowledge(&pair) == 0x2f);
	CHECK(isr(0xa0) == 0 && isr(0x20) == 0x04);
}

static void cascade(void)
{
	initialize(0x01);
	line(12, true);
	CHECK(irr(0x20) == 0x04 && irr(0xa0) == 0x10);
	CHECK(taken(0x2c));
	CHECK(isr(0x20) == 0x04 && isr(0xa0) == 0x10);
	line(8, true);			/* higher within the slave: held by the master's own input in service */
	CHECK(!i8259_output(&pair));
	line(1, true);			/* higher than the slave */
	CHECK(taken(0x21));
	out(0x20, 0x20);
	out(0xa0, 0x20);		/* ends 12 */
	CHECK(!i8259_output(&pair));
	out(0x20, 0x20);
	CHECK(taken(0x28));
	/* Inputs 3 to 7 of the master stand below the whole slave */
	out(0x20, 0x20);
	out(0xa0, 0x20);
	line(3, true);
	line(15, true);
	CHECK(taken(0x2f));
	/* The slave masked in the master */
	initialize(0x01);
	out(0x21, 0x04);
	line(9, false);
	line(9, true);
	CHECK(!i8259_output(&pair));
	out(0x21, 0);
	CHECK(taken(0x29));
}

static void fully_nested(void)
{
	initialize(0x11);
	line(12, true);
	CHECK(taken(0x2c));
	line(8, true);
	CHECK(taken(0x28));		/* the slave interrupts its slave */
	line(13, true);
	CHECK(!i8259_output(&pair));
	out(0xa0, 0x20);
	CHECK(isr(0xa0) == 0x10);
}

static void priorities(void)
{
	initialize(0x01);
	line(7, true);
	line(4, true);
	line(1, true);
	CHECK(taken(0x21));
	CHECK(!i8259_output(&pair));
	line(0, true);
	CHECK(taken(0x20));
	CHECK(isr(0x20) == 0x03);
	out(0x20, 0x20);		/* ends the highest: 0 */
	CHECK(isr(0x20) == 0x02);
	out(0x20, 0x20);
	CHECK(taken(0x24));
	out(0x20, 0x67);		/* specific: 7 is not in service */
	CHECK(isr(0x20) == 0x10 && !i8259_output(&pair));
	out(0x20, 0x64);
	CHECK(taken(0x27));
	out(0x20, 0x20);
	out(0x20, 0x20);		/* nothing in service: nothing happens */
	CHECK(isr(0x20) == 0);
}

static void rotation(void)
{
	initialize(0x01);
	out(0x20, 0xc4);		/* 4 is lowest: 5 6 7 0 1 2 3 4 */
	line(4, true);
	line(0, true);
	line(6, true);
	CHECK(taken(0x26));
	out(0x20, 0xa0);		/* EOI, and 6 is lowest now: 7 0 1 2 3 4 5 6 */
	line(7, true);
	CHECK(taken(0x27));
	out(0x20, 0xe7);		/* specific EOI, 7 lowest */
	CHECK(taken(0x20));
	out(0x20, 0x20);
	CHECK(taken(0x24));

	/* Rotation in automatic EOI mode */
	initialize(0x03);
	out(0x20, 0x80);
	line(2 + 1, true);
	line(5, true);
	CHECK(taken(0x23));
	CHECK(isr(0x20) == 0);
	line(1, true);
	line(3, false);
	line(3, true);			/* lowest by now: 4 5 6 7 0 1 2 3 */
	CHECK(taken(0x25));
	CHECK(taken(0x21));
	CHECK(taken(0x23));
	out(0x20, 0x00);
	pulse(1);
	pulse(1);
	CHECK(pair.master.lowest == 3);
}

static void automatic_eoi(void)
{
	initialize(0x03);
	line(4, true);
	line(5, true);
	CHECK(taken(0x24));
	CHECK(isr(0x20) == 0);
	CHECK(taken(0x25));
	CHECK(!i8259_output(&pair));
}

static void special_mask(void)
{
	initialize(0x01);
	line(3, true);
	CHECK(taken(0x23));
	line(5, true);
	CHECK(!i8259_output(&pair));
	out(0x20, 0x68);		/* special mask mode on */
	CHECK(!i8259_output(&pair));	/* 3 is not masked: it holds still */
	out(0x21, 0x08);
	CHECK(taken(0x25));		/* lower ones come through a masked one in service */
	out(0x20, 0x20);		/* non-specific: not the masked one */
	CHECK(isr(0x20) == 0x08);
	out(0x20, 0x20);
	CHECK(isr(0x20) == 0x08);
	out(0x20, 0x63);
	CHECK(isr(0x20) == 0);
	out(0x20, 0x48);		/* off again */
	CHECK(!pair.master.special_mask);
}

static void polling(void)
{
	initialize(0x01);
	out(0x20, 0x0c);
	CHECK(in(0x20) == 0);
	line(6, true);
	out(0x20, 0x0c);
	CHECK(in(0x20) == 0x86);
	CHECK(isr(0x20) == 0x40 && irr(0x20) == 0);
	CHECK(!i8259_output(&pair));
	out(0x20, 0x20);
	line(10, true);
	out(0x20, 0x0c);
	CHECK(in(0x20) == 0x82);
	out(0xa0, 0x0c);
	CHECK(in(0xa0) == 0x82);
	CHECK(isr(0xa0) == 0x04);
	/* One read only; and the choice of IRR or ISR survives it */
	out(0x20, 0x0b);
	out(0x20, 0x0c);
	in(0x20);
	CHECK(in(0x20) == 0x04);
}

static void ports(void)
{
	unsigned int count = 0;

	for (unsigned int port = 0; port < 0x10000; port++)
		count += i8259_is_port(port);
	CHECK(count == 6);
	CHECK(i8259_is_port(0x20) && i8259_is_port(0x21) && i8259_is_port(0xa0) && i8259_is_port(0xa1) &&
	      i8259_is_port(0x4d0) && i8259_is_port(0x4d1));
}

/* Any sequence of port writes and lines: never out of bounds (a sanitizer watches), never a vector nobody chose */
static void anything(void)
{
	static const u16 where[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	u32 random = 1;

	i8259_init(&pair);
	for (unsigned int i = 0; i < 2000000; i++) {
		random = random * 1664525 + 1013904223;
		u8 value = random >> 16, what = random >> 28;

		if (what < 6)
			out(where[what], value);
		else if (what < 12)
			in(where[what - 6]);
		else if (what < 15)
			line(value & 15, value & 16);
		else if (i8259_output(&pair)) {
			u8 vector = i8259_acknowledge(&pair);

			CHECK((vector & 0xf8) == pair.master.vector_base || (vector & 0xf8) == pair.slave.vector_base);
		}
		CHECK(pair.master.lowest < 8 && pair.slave.lowest < 8);
		CHECK(!pair.master.auto_eoi || !(pair.master.expects == EXPECT_ICW2));
	}
}

static const struct chip_case cases[] = {
	{ "masked before initialization", at_start },
	{ "initialization", initialization },
	{ "edges", edges },
	{ "levels", levels },
	{ "spurious", spurious },
	{ "cascade", cascade },
	{ "special fully nested mode", fully_nested },
	{ "priorities and EOI", priorities },
	{ "rotation", rotation },
	{ "automatic EOI", automatic_eoi },
	{ "special mask mode", special_mask },
	{ "polling", polling },
	{ "ports", ports },
	{ "any sequence at all", anything },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
