/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8259A pair as a machine without surroundings: lines and ports in, INTR and a vector out. No locks, no guest, no
 * kernel: pic.c puts it into a VM, and selftests/unit/i8259.c takes it apart.
 */
#ifndef TPZ_I8259_H
#define TPZ_I8259_H

#include <linux/types.h>

#define I8259_CASCADE	2	/* the master's input that the slave drives */

/* One 8259A */
struct i8259_chip {
	u8 lines;		/* the inputs' levels now */
	u8 latched;		/* edges seen and not yet acknowledged */
	u8 elcr;		/* inputs that are level-triggered */
	u8 elcr_writable;	/* those that may be */
	u8 imr;
	u8 isr;
	u8 vector_base;
	u8 lowest;		/* the input of lowest priority; the next one has the highest */
	u8 expects;		/* enum pic_expects */
	bool needs_icw4;
	bool single;
	bool auto_eoi;
	bool auto_rotate;
	bool special_mask;
	bool fully_nested;	/* "special fully nested mode": a master that lets its slave interrupt its slave */
	bool read_isr;
	bool poll;		/* the next read is an acknowledge cycle */
};

struct i8259 {
	struct i8259_chip master, slave;
};

void i8259_init(struct i8259 *pair);
void i8259_set_line(struct i8259 *pair, unsigned int line, bool level);	/* 0 to 15 */
bool i8259_output(const struct i8259 *pair);	/* the master asserts INTR */
u8 i8259_acknowledge(struct i8259 *pair);	/* the acknowledge cycle: the vector */

bool i8259_is_port(u16 port);
u8 i8259_read(struct i8259 *pair, u16 port);	/* of its ports */
void i8259_write(struct i8259 *pair, u16 port, u8 value);

#endif /* TPZ_I8259_H */
