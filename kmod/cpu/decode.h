/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction decoder: bytes to length and operands (SDM vol. 2A, chapter 2; AMD APM vol. 3, chapter 1). Pure: no
 * allocation, no access to a guest, bounded by 15 bytes; the same source compiles in user space for its tests.
 */
#ifndef TPZ_CPU_DECODE_H
#define TPZ_CPU_DECODE_H

#include <linux/types.h>

#define TPZ_INSN_MAX	15	/* bytes: longer is #GP (SDM vol. 2A, 2.3.11) */
#define TPZ_NO_REG	0xff

/* The code segment's default sizes */
enum tpz_decode_mode { TPZ_DECODE_16, TPZ_DECODE_32, TPZ_DECODE_64 };

enum tpz_opcode_map {
	TPZ_MAP_ONE,		/* one-byte opcodes */
	TPZ_MAP_0F,
	TPZ_MAP_0F38,
	TPZ_MAP_0F3A,
	TPZ_MAP_3DNOW,		/* 0f 0f: the opcode is the byte behind ModRM and displacement */
	TPZ_MAP_5,		/* EVEX maps 5 and 6 */
	TPZ_MAP_6,
	TPZ_MAP_XOP8,
	TPZ_MAP_XOP9,
	TPZ_MAP_XOPA,
};

enum tpz_encoding { TPZ_LEGACY, TPZ_VEX, TPZ_EVEX, TPZ_XOP };

/* The prefix that can be a part of the opcode, numbered as VEX.pp is */
enum tpz_mandatory { TPZ_PREFIX_NONE, TPZ_PREFIX_66, TPZ_PREFIX_F3, TPZ_PREFIX_F2 };

/**
 * struct tpz_insn - one decoded instruction
 * @bytes: its length, 1 to 15
 * @mode: enum tpz_decode_mode it was decoded for
 * @encoding: enum tpz_encoding
 * @map: enum tpz_opcode_map
 * @mandatory: enum tpz_mandatory: VEX.pp, or of the prefixes that are there the one that counts where it counts
 * @lock, @repne, @rep, @opsize, @addrsize: prefixes F0, F2, F3, 66h, 67h that are there (of F2 and F3 the last one)
 * @rex_w, @has_rex: REX.W (or VEX.W, EVEX.W); a REX prefix right before the opcode
 * @reg: ModRM.reg, extended
 * @rm: ModRM.rm of a register operand, extended (has_modrm, !has_memory); or the opcode's own register. As in @reg, of byte
 *	instructions without REX 4 to 7 are AH, CH, DH, BH
 * @vvvv: VEX, EVEX and XOP: the second source
 * @vex_l: VEX.L: vectors of 32 bytes instead of 16
 * @has_memory: ModRM names memory: @base, @index, @scale (shift: 0 to 3), @displacement, @rip_relative. MOV to and from control
 *	and debug registers never do. With a vector of indices (VSIB) @index is TPZ_NO_REG: each element has its own
 * @segment: of the memory operand: the override, else what its base register implies (enum tpz_seg). For string
 *	instructions, of their source; of their destination, ES, where they have no source in memory
 * @operand_bytes: 2, 4 or 8: of an operand whose size is not fixed by the opcode. IN, OUT, INS, OUTS: 2 or 4
 * @address_bytes: 2, 4 or 8
 * @displacement: sign-extended. EVEX multiplies one of a single byte by the size of its memory operand: not done here
 * @immediate: sign-extended where the opcode says so, else zero-extended; far pointers: the offset (the selector is
 *	@immediate2); MOV with an offset alone (A0 to A3): that, and @has_memory is false
 * @immediate2: second immediate of ENTER, EXTRQ, INSERTQ
 */
struct tpz_insn {
	u8 bytes;
	u8 mode;
	u8 encoding;
	u8 map;
	u8 opcode;
	u8 mandatory;
	bool lock, repne, rep, opsize, addrsize;
	bool has_rex, rex_w, vex_l;
	bool has_modrm, has_memory, rip_relative;
	u8 modrm;
	u8 reg, rm, vvvv;
	u8 base, index, scale;	/* TPZ_NO_REG: none */
	u8 segment;
	u8 operand_bytes, address_bytes;
	u8 displacement_bytes, immediate_bytes;
	s32 displacement;
	u64 immediate;
	u32 immediate2;
};

/**
 * tpz_decode() - decode one instruction
 * @insn: the answer, whole only where 0 is returned
 * @code: the bytes at RIP
 * @count: how many there are; more than TPZ_INSN_MAX are not looked at
 * @mode: the code segment's
 *
 * Judges only what the bytes say: an instruction that this CPU does not have, or that the mode of the guest forbids,
 * decodes all the same if the opcode map has it. Documentation/decoder.md says what that means for VEX and EVEX.
 *
 * Return: 0; -EAGAIN: that depends on bytes behind @count (below TPZ_INSN_MAX); -EINVAL: the opcode map has no such
 * instruction, or it cannot have the LOCK that is there (#UD); -E2BIG: it is longer than 15 bytes (#GP). Context: any.
 */
int tpz_decode(struct tpz_insn *insn, const u8 *code, unsigned int count, enum tpz_decode_mode mode);

/**
 * tpz_effective_address() - the offset of the memory operand in its segment
 * @gpr: the general registers, indexed by enum tpz_gpr
 * @rip: of the instruction
 *
 * Return: base + index << scale + displacement, or the offset of MOV A0 to A3, cut to the address size. No segment base is
 * added.
 */
u64 tpz_effective_address(const struct tpz_insn *insn, const u64 *gpr, u64 rip);

#endif /* TPZ_CPU_DECODE_H */
