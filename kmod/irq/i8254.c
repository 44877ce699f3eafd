// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 of a PC, by Intel's data sheet "8254 Programmable Interval Timer" (231164): three counters at ports 0x40 to
 * 0x42, the control word at 0x43; counter 2's gate and output, the speaker's switch and the refresh toggle at 0x61.
 *
 * Nothing ticks here: a counter knows when it started, and everything else follows from the time. A new count in the
 * periodic modes 2 and 3 takes effect at once, not at the end of the period. Counters 0 and 1 have their gates high.
 */
#include <linux/bits.h>
#include <linux/types.h>
#include "i8254.h"

#define STATUS_OUT	BIT(7)
#define STATUS_NULL	BIT(6)
#define REFRESH_TICKS	18	/* 15 µs */

static u32 full(const struct i8254_counter *c)
{
	return c->bcd ? 10000 : 65536;
}

static u16 to_bcd(u32 n)
{
	return n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12;
}

static u32 from_bcd(u16 n)
{
	return (n & 15) + (n >> 4 & 15) * 10 + (n >> 8 & 15) * 100 + (n >> 12) * 1000;
}

static bool is_triggered_mode(const struct i8254_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

static bool runs(const struct i8254_counter *c)
{
	return c->loaded && (is_triggered_mode(c) ? c->triggered : c->gate);
}

static u64 elapsed(const struct i8254_counter *c, u64 now)
{
	return runs(c) ? now - c->start : c->halted;
}

/* ------------------------------------------------------------------ what follows from the time */

bool i8254_output(const struct i8254_counter *c, u64 now)
{
	u64 gone = elapsed(c, now);

	if (!c->loaded)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
		return gone >= c->count;
	case 1:
		return !c->triggered || gone >= c->count;
	case 2:
		return !c->gate || gone % c->count != c->count - 1;
	case 3:
		return !c->gate || gone % c->count < (c->count + 1) / 2;
	default:		/* 4 and 5: a strobe of one tick */
		return !runs(c) || gone != c->count;
	}
}

static u16 count_now(const struct i8254_counter *c, u64 now)
{
	u64 gone = elapsed(c, now);
	u32 left;

	switch (c->mode) {
	case 2:
		left = c->count - gone % c->count;
		break;
	case 3:			/* two at a time, twice in a period */
		left = c->count - 2 * (gone % c->count) % c->count;
		break;
	default:		/* goes on below 0 */
		left = (c->count + full(c) - gone % full(c)) % full(c);
	}
	return c->bcd ? to_bcd(left) : left;
}

u64 i8254_next_rise(const struct i8254_counter *c, u64 now)
{
	u64 gone = elapsed(c, now), rise;

	if (!runs(c))
		return I8254_NEVER;
	switch (c->mode) {
	case 2:
	case 3:
		return now + c->count - gone % c->count;
	case 4:
	case 5:
		rise = (u64)c->count + 1;
		break;
	default:
		rise = c->count;
	}
	return gone < rise ? c->start + rise : I8254_NEVER;
}

/* ------------------------------------------------------------------ writes */

static void load(struct i8254_counter *c, u16 value, u64 now)
{
	u32 count = c->bcd ? from_bcd(value) % 10000 : value;

	c->count = count ? count : full(c);
	if (c->mode == 3 && c->count == 1)
		c->count = 2;		/* a square wave has two halves */
	c->loaded = true;
	if (is_triggered_mode(c) && c->triggered)
		return;			/* the next trigger takes it; this one ends at the new count */
	c->start = now;
	c->halted = 0;
}

static void write_count(struct i8254_counter *c, u8 value, u64 now)
{
	switch (c->access) {
	case 1:
		load(c, value, now);
		break;
	case 2:
		load(c, value << 8, now);
		break;
	default:
		if (c->write_high)
			load(c, value << 8 | c->low, now);
		else
			c->low = value;
		c->write_high = !c->write_high;
	}
}

static void latch_count(struct i8254_counter *c, u64 now)
{
	if (c->latched)
		return;
	c->latch = count_now(c, now);
	c->latched = c->access == 3 ? 2 : 1;
}

static void latch_status(struct i8254_counter *c, u64 now)
{
	if (c->status_latched)
		return;
	c->status = (i8254_output(c, now) ? STATUS_OUT : 0) | (c->loaded ? 0 : STATUS_NULL) | c->access << 4 |
		    c->mode << 1 | c->bcd;
	c->status_latched = true;
}

static void read_back(struct i8254 *pit, u8 value, u64 now)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!(value & BIT(i + 1)))
			continue;
		if (!(value & BIT(5)))
			latch_count(&pit->counter[i], now);
		if (!(value & BIT(4)))
			latch_status(&pit->counter[i], now);
	}
}

static void write_control(struct i8254 *pit, u8 value, u64 now)
{
	struct i8254_counter *c;
	u8 mode = value >> 1 & 7;

	if (value >> 6 == 3)
		return read_back(pit, value, now);
	c = &pit->counter[value >> 6];
	if (!(value & 0x30))
		return latch_count(c, now);
	*c = (struct i8254_counter) {
		.count = full(c),
		.access = value >> 4 & 3,
		.mode = mode > 5 ? mode - 4 : mode,
		.bcd = value & 1,
		.gate = c->gate,
	};
}

static void set_gate(struct i8254_counter *c, bool gate, u64 now)
{
	u64 gone = elapsed(c, now);

	if (gate == c->gate)
		return;
	if (is_triggered_mode(c)) {
		if (gate && c->loaded) {
			c->triggered = true;
			c->start = now;
		}
	} else if (!gate) {
		c->halted = gone;
	} else {
		c->start = c->mode == 2 || c->mode == 3 ? now : now - c->halted;
	}
	c->gate = gate;
}

void i8254_write(struct i8254 *pit, u16 port, u8 value, u64 now)
{
	if (port == 0x61) {
		pit->speaker = value & BIT(1);
		set_gate(&pit->counter[2], value & BIT(0), now);
	} else if (port == 0x43) {
		write_control(pit, value, now);
	} else {
		write_count(&pit->counter[port - 0x40], value, now);
	}
}

/* ------------------------------------------------------------------ reads */

static u8 read_counter(struct i8254_counter *c, u64 now)
{
	u16 value = c->latched ? c->latch : count_now(c, now);
	bool high = c->access == 2 || (c->access == 3 && c->read_high);

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched)
		c->latched--;
	if (c->access == 3)
		c->read_high = !c->read_high;
	return high ? value >> 8 : value;
}

u8 i8254_read(struct i8254 *pit, u16 port, u64 now)
{
	if (port == 0x61)
		return pit->counter[2].gate | pit->speaker << 1 | (now / REFRESH_TICKS & 1) << 4 |
		       i8254_output(&pit->counter[2], now) << 5;
	return port == 0x43 ? 0xff : read_counter(&pit->counter[port - 0x40], now);
}

bool i8254_is_port(u16 port)
{
	return (port >= 0x40 && port <= 0x43) || port == 0x61;
}

void i8254_init(struct i8254 *pit)
{
	unsigned int i;

	*pit = (struct i8254) {};
	for (i = 0; i < 3; i++)
		pit->counter[i] = (struct i8254_counter) { .count = 65536, .access = 3, .gate = i < 2 };
}
