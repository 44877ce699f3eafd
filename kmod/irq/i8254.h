/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254 as a machine without surroundings: ports, gates and a clock in, outputs out. No locks, no guest, no kernel:
 * selftests/unit/i8254.c takes it apart.
 */
#ifndef TPZ_I8254_H
#define TPZ_I8254_H

#include <linux/types.h>

#define I8254_HZ	1193182u
#define I8254_NEVER	(~0ull)

/* One counter. Times are ticks of the 8254's clock */
struct i8254_counter {
	u64 start;		/* when the count was loaded, or the gate triggered it */
	u64 halted;		/* ticks that had gone when the gate went low */
	u32 count;		/* 1 to 65536 (BCD: 10000) */
	u8 mode;		/* 0 to 5 */
	u8 access;		/* 1: low byte, 2: high byte, 3: both, low first */
	bool bcd;
	bool gate;
	bool loaded;		/* a count was written since the control word */
	bool triggered;		/* modes 1 and 5: by the gate, since the count */
	bool write_high;	/* access 3: the high byte is next */
	bool read_high;
	u8 low;			/* the low byte, waiting for the high one */
	u8 latched;		/* bytes of @latch still to be read */
	u16 latch;
	bool status_latched;
	u8 status;
};

struct i8254 {
	struct i8254_counter counter[3];
	bool speaker;		/* port 0x61 bit 1 */
};

void i8254_init(struct i8254 *pit);
bool i8254_is_port(u16 port);		/* 0x40 to 0x43, 0x61 */
u8 i8254_read(struct i8254 *pit, u16 port, u64 now);
void i8254_write(struct i8254 *pit, u16 port, u8 value, u64 now);
bool i8254_output(const struct i8254_counter *c, u64 now);
u64 i8254_next_rise(const struct i8254_counter *c, u64 now);	/* the first after @now; or I8254_NEVER */

#endif /* TPZ_I8254_H */
