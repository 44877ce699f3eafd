// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair of a PC, by its ports: master at 0x20, slave at 0xa0 on the master's input 2, and the
 * edge/level control registers of the chipset at 0x4d0.
 *
 * By Intel's data sheet "8259A Programmable Interrupt Controller" (231468), whose words are used below: ICW1-4
 * initialize, OCW1-3 operate; IRR is what asks, IMR what is masked, ISR what is in service. Three things differ:
 *  - Level or edge is chosen per input by the chipset (ELCR), not by ICW1's LTIM, which is ignored, as on all PCs.
 *  - An edge stays latched until it is acknowledged, though its input has fallen again: a device of a
 *    virtual machine may pulse its line. So only a level that falls too early ends as a spurious IRQ 7.
 *  - The CALL vectors of the MCS-80 and the buffered modes do not exist.
 */
#include <linux/bits.h>
#include <linux/types.h>
#include "i8259.h"

/* What the next write to the data port means */
enum pic_expects { EXPECT_OCW1, EXPECT_ICW2, EXPECT_ICW3, EXPECT_ICW4 };

#define ICW1_SELECT	BIT(4)	/* tells ICW1 from OCW2 and OCW3 */
#define ICW1_NEEDS_ICW4	BIT(0)
#define ICW1_SINGLE	BIT(1)
#define ICW4_AUTO_EOI	BIT(1)
#define ICW4_FULLY_NESTED BIT(4)
#define OCW3_SELECT	BIT(3)	/* tells OCW3 from OCW2 */
#define OCW3_READ_ISR	BIT(0)
#define OCW3_READ	BIT(1)
#define OCW3_POLL	BIT(2)
#define OCW3_SPECIAL	BIT(5)
#define OCW3_SET_SPECIAL BIT(6)

/* OCW2's commands: its bits R, SL, EOI */
enum {
	OCW2_ROTATE_AUTO_CLEAR	= 0,
	OCW2_EOI		= 1,
	OCW2_NOP		= 2,
	OCW2_EOI_SPECIFIC	= 3,
	OCW2_ROTATE_AUTO_SET	= 4,
	OCW2_EOI_ROTATE		= 5,
	OCW2_SET_PRIORITY	= 6,
	OCW2_EOI_SPECIFIC_ROTATE = 7,
};

/* ------------------------------------------------------------------ one chip */

/* What asks. @slave: the level that the slave's output puts on the cascade input */
static u8 chip_irr(const struct i8259_chip *c, bool slave)
{
	return (c->latched & ~c->elcr) | (c->lines & c->elcr) | (slave ? BIT(I8259_CASCADE) : 0);
}

/* The input of highest priority in @set, or -1 */
static int chip_first(const struct i8259_chip *c, u8 set)
{
	unsigned int i;

	for (i = 1; i <= 8; i++)
		if (set & BIT((c->lowest + i) & 7))
			return (c->lowest + i) & 7;
	return -1;
}

/* 0 for the highest */
static unsigned int chip_rank(const struct i8259_chip *c, int irq)
{
	return (irq - c->lowest - 1) & 7;
}

/*
 * The input that the chip interrupts for, or -1: of the unmasked ones that ask the first, if nothing as high is in
 * service. Special mask mode: a masked input in service holds nobody back. Special fully nested mode: the slave's
 * being in service does not hold the slave back.
 */
static int chip_pending(const struct i8259_chip *c, bool slave)
{
	u8 holding = c->special_mask ? c->isr & ~c->imr : c->isr;
	int asks = chip_first(c, chip_irr(c, slave) & ~c->imr);
	int holds;

	if (asks < 0)
		return -1;
	if (c->fully_nested && asks == I8259_CASCADE)
		holding &= ~BIT(I8259_CASCADE);
	holds = chip_first(c, holding);
	if (holds >= 0 && chip_rank(c, holds) <= chip_rank(c, asks))
		return -1;
	return asks;
}

static void chip_acknowledge(struct i8259_chip *c, int irq)
{
	c->latched &= ~BIT(irq);
	if (!c->auto_eoi)
		c->isr |= BIT(irq);
	else if (c->auto_rotate)
		c->lowest = irq;
}

static void chip_set_line(struct i8259_chip *c, unsigned int irq, bool level)
{
	if (level && !(c->lines & BIT(irq)))
		c->latched |= BIT(irq);
	if (level)
		c->lines |= BIT(irq);
	else
		c->lines &= ~BIT(irq);
}

/* ICW1: edges are forgotten, nothing is masked or in service, IRQ 7 is last */
static void chip_initialize(struct i8259_chip *c, u8 icw1)
{
	c->latched = 0;
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->auto_eoi = false;
	c->auto_rotate = false;
	c->special_mask = false;
	c->fully_nested = false;
	c->read_isr = false;
	c->poll = false;
	c->needs_icw4 = icw1 & ICW1_NEEDS_ICW4;
	c->single = icw1 & ICW1_SINGLE;
	c->expects = EXPECT_ICW2;
}

/* Non-specific EOI: the highest in service; in special mask mode not one that is masked */
static int chip_eoi(struct i8259_chip *c)
{
	int irq = chip_first(c, c->special_mask ? c->isr & ~c->imr : c->isr);

	if (irq >= 0)
		c->isr &= ~BIT(irq);
	return irq;
}

static void chip_ocw2(struct i8259_chip *c, u8 value)
{
	int irq = value & 7;

	switch (value >> 5) {
	case OCW2_ROTATE_AUTO_CLEAR:
	case OCW2_ROTATE_AUTO_SET:
		c->auto_rotate = value >> 7;
		break;
	case OCW2_EOI:
		chip_eoi(c);
		break;
	case OCW2_EOI_ROTATE:
		irq = chip_eoi(c);
		if (irq >= 0)
			c->lowest = irq;
		break;
	case OCW2_EOI_SPECIFIC:
		c->isr &= ~BIT(irq);
		break;
	case OCW2_EOI_SPECIFIC_ROTATE:
		c->isr &= ~BIT(irq);
		c->lowest = irq;
		break;
	case OCW2_SET_PRIORITY:
		c->lowest = irq;
		break;
	case OCW2_NOP:
		break;
	}
}

static void chip_ocw3(struct i8259_chip *c, u8 value)
{
	if (value & OCW3_SET_SPECIAL)
		c->special_mask = value & OCW3_SPECIAL;
	if (value & OCW3_POLL)
		c->poll = true;
	else if (value & OCW3_READ)
		c->read_isr = value & OCW3_READ_ISR;
}

static void chip_write_command(struct i8259_chip *c, u8 value)
{
	if (value & ICW1_SELECT)
		chip_initialize(c, value);
	else if (value & OCW3_SELECT)
		chip_ocw3(c, value);
	else
		chip_ocw2(c, value);
}

/* ICW3 tells which inputs have slaves, or which slave this is: wired here, so not looked at */
static void chip_write_data(struct i8259_chip *c, u8 value)
{
	u8 last = c->needs_icw4 ? EXPECT_ICW4 : EXPECT_OCW1;

	switch (c->expects) {
	case EXPECT_OCW1:
		c->imr = value;
		break;
	case EXPECT_ICW2:
		c->vector_base = value & 0xf8;
		c->expects = c->single ? last : EXPECT_ICW3;
		break;
	case EXPECT_ICW3:
		c->expects = last;
		break;
	case EXPECT_ICW4:
		c->auto_eoi = value & ICW4_AUTO_EOI;
		c->fully_nested = value & ICW4_FULLY_NESTED;
		c->expects = EXPECT_OCW1;
		break;
	}
}

/* After a poll command, a read is an acknowledge cycle that answers the input and bit 7; 0: nobody asked */
static u8 chip_poll(struct i8259_chip *c, bool slave)
{
	int irq = chip_pending(c, slave);

	c->poll = false;
	if (irq < 0)
		return 0;
	chip_acknowledge(c, irq);
	return 0x80 | irq;
}

static u8 chip_read(struct i8259_chip *c, bool data, bool slave)
{
	if (c->poll)
		return chip_poll(c, slave);
	if (data)
		return c->imr;
	return c->read_isr ? c->isr : chip_irr(c, slave);
}

/* ------------------------------------------------------------------ the pair */

static bool slave_output(const struct i8259 *pair)
{
	return chip_pending(&pair->slave, false) >= 0;
}

bool i8259_output(const struct i8259 *pair)
{
	return chip_pending(&pair->master, slave_output(pair)) >= 0;
}

void i8259_set_line(struct i8259 *pair, unsigned int line, bool level)
{
	chip_set_line(line < 8 ? &pair->master : &pair->slave, line & 7, level);
}

/* An input that no longer asks answers as input 7, without being in service (data sheet: "default IR7") */
static int acknowledge(struct i8259_chip *c, bool slave)
{
	int irq = chip_pending(c, slave);

	if (irq >= 0)
		chip_acknowledge(c, irq);
	return irq < 0 ? 7 : irq;
}

/* The master takes its input into service; where that is the slave's, the slave tells the vector */
u8 i8259_acknowledge(struct i8259 *pair)
{
	int irq = acknowledge(&pair->master, slave_output(pair));

	if (irq == I8259_CASCADE)
		return pair->slave.vector_base + acknowledge(&pair->slave, false);
	return pair->master.vector_base + irq;
}

/* ------------------------------------------------------------------ ports */

bool i8259_is_port(u16 port)
{
	u16 even = port & ~1;

	return even == 0x20 || even == 0xa0 || even == 0x4d0;
}

u8 i8259_read(struct i8259 *pair, u16 port)
{
	switch (port) {
	case 0x20:
	case 0x21:
		return chip_read(&pair->master, port & 1, slave_output(pair));
	case 0xa0:
	case 0xa1:
		return chip_read(&pair->slave, port & 1, false);
	case 0x4d0:
		return pair->master.elcr;
	default:
		return pair->slave.elcr;
	}
}

void i8259_write(struct i8259 *pair, u16 port, u8 value)
{
	switch (port) {
	case 0x20:
		chip_write_command(&pair->master, value);
		break;
	case 0x21:
		chip_write_data(&pair->master, value);
		break;
	case 0xa0:
		chip_write_command(&pair->slave, value);
		break;
	case 0xa1:
		chip_write_data(&pair->slave, value);
		break;
	case 0x4d0:
		pair->master.elcr = value & pair->master.elcr_writable;
		break;
	case 0x4d1:
		pair->slave.elcr = value & pair->slave.elcr_writable;
		break;
	}
}

/* Before any ICW: masked altogether, so that nothing interrupts by a vector that nobody chose */
void i8259_init(struct i8259 *pair)
{
	*pair = (struct i8259) {};
	chip_initialize(&pair->master, 0);
	chip_initialize(&pair->slave, 0);
	pair->master.expects = EXPECT_OCW1;
	pair->slave.expects = EXPECT_OCW1;
	pair->master.imr = 0xff;
	pair->slave.imr = 0xff;
	pair->master.elcr_writable = 0xf8;	/* not the timer, the keyboard, the cascade */
	pair->slave.elcr_writable = 0xde;	/* not the clock, the FPU */
}
