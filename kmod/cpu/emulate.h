/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction emulator: carries out what the decoder read, on a copy of the registers, with memory behind callbacks.
 * Pure, as the decoder is: the same source compiles in user space for its tests.
 *
 * An instruction either ends well, and then its whole effect stands in struct tpz_emulation, or a callback's error ends it,
 * and nothing of it counts. So the caller may run it again from the start, with what it read the first time as the answers:
 * an instruction of several accesses needs no state of its own between them.
 */
#ifndef TPZ_CPU_EMULATE_H
#define TPZ_CPU_EMULATE_H

#include <linux/types.h>
#include "decode.h"

#define TPZ_VECTOR_BYTES	32	/* YMM */

/* Flags of struct tpz_place */
#define TPZ_PLACE_MODIFY	(1u << 0)	/* the read of an instruction that writes the same place next */
#define TPZ_PLACE_SAME		(1u << 1)	/* that write */
#define TPZ_PLACE_ALIGNED	(1u << 2)	/* a linear address that is no multiple of @bytes is #GP */

/**
 * struct tpz_place - a memory operand
 * @offset: in the segment, cut to the address size
 */
struct tpz_place {
	u64 offset;
	u8 seg;			/* enum tpz_seg */
	u8 addr_bytes;
	u8 bytes;		/* 1 to TPZ_VECTOR_BYTES */
	u8 flags;
};

struct tpz_emulation;

/**
 * struct tpz_emulate_ops - what an instruction needs of the world. Any return value but 0 ends it
 * @write: the last access of its instruction, but for the faults that none can have after it
 * @branch: may RIP go there? (canonical address, limit of CS)
 * @get_vector, @set_vector: XMM or YMM @reg; @whole: what lies above the 32 bytes becomes 0, else only the lower 16 are set and
 *	all above is kept. The last thing that an instruction does
 * @load_segment: ES, DS, FS or GS, by the rules of MOV. The last thing that an instruction does
 */
struct tpz_emulate_ops {
	int (*read)(struct tpz_emulation *e, const struct tpz_place *place, void *to);
	int (*write)(struct tpz_emulation *e, const struct tpz_place *place, const void *from);
	int (*branch)(struct tpz_emulation *e, u64 rip);
	void (*get_vector)(struct tpz_emulation *e, unsigned int reg, u8 value[TPZ_VECTOR_BYTES]);
	void (*set_vector)(struct tpz_emulation *e, unsigned int reg, const u8 value[TPZ_VECTOR_BYTES], bool whole);
	u16 (*get_segment)(struct tpz_emulation *e, unsigned int seg);
	int (*load_segment)(struct tpz_emulation *e, unsigned int seg, u16 selector);
};

/**
 * struct tpz_emulation - one instruction on its way
 * @gpr, @rip, @rflags: before and after. @rip: behind the instruction, or where it jumps, unless @more
 * @stack_bytes: address size of the stack: 2, 4 or 8
 * @more: one iteration of a REP is done, and there are others
 */
struct tpz_emulation {
	const struct tpz_insn *insn;
	const struct tpz_emulate_ops *ops;
	u64 gpr[16];
	u64 rip;
	u64 rflags;
	u8 stack_bytes;
	bool more;
};

/**
 * tpz_emulate() - carry out an instruction with a memory operand, or one iteration of a string instruction
 *
 * What its operands say is done; what the processor checks before it looks at them (its mode, CR0.TS, whether it has the
 * instruction at all) is the caller's affair. It does not look at @rip's segment.
 *
 * Return: 0; -EOPNOTSUPP: not an instruction that it knows, and nothing has been asked of the callbacks; else what a callback
 * returned. Context: any that the callbacks allow.
 */
int tpz_emulate(struct tpz_emulation *e);

/* A register's new value by the rules of operand size: 32 bits clear the upper half, 8 and 16 bits keep the rest */
static inline u64 tpz_merge(u64 old, u64 value, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		return (old & ~0xffULL) | (value & 0xff);
	case 2:
		return (old & ~0xffffULL) | (value & 0xffff);
	case 4:
		return (u32)value;
	}
	return value;
}

/* The values of @bytes bytes: of an address, or of an operand */
static inline u64 tpz_addr_mask(unsigned int bytes)
{
	return bytes == 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
}

#endif /* TPZ_CPU_EMULATE_H */
