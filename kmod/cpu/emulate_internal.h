/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the emulator share.
 */
#ifndef TPZ_CPU_EMULATE_INTERNAL_H
#define TPZ_CPU_EMULATE_INTERNAL_H

#include "emulate.h"

/* Operations, numbered as bits 5:3 of the opcodes 00 to 3f and ModRM.reg of 80 to 83 are */
enum tpz_arithmetic { TPZ_ADD, TPZ_OR, TPZ_ADC, TPZ_SBB, TPZ_AND, TPZ_SUB, TPZ_XOR, TPZ_CMP };

/* emulate_alu.c */

/* tpz_arithmetic() - @x op @y; sets the flags. TPZ_CMP: the difference, for nobody's use */
u64 tpz_arithmetic(struct tpz_emulation *e, enum tpz_arithmetic op, u64 x, u64 y, unsigned int bytes);
u64 tpz_step(struct tpz_emulation *e, u64 x, bool down, unsigned int bytes);	/* INC, DEC: CF stays */
bool tpz_condition(const struct tpz_emulation *e, unsigned int code);	/* the lowest four bits of Jcc, SETcc, CMOVcc */
/* tpz_shift() - ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR (@op: 0 to 7) by the processor's part of @count */
u64 tpz_shift(struct tpz_emulation *e, unsigned int op, u64 x, u8 count, unsigned int bytes);
u64 tpz_multiply(struct tpz_emulation *e, u64 x, u64 y, bool is_signed, unsigned int bytes, u64 *high);
/* tpz_bit() - BT, BTS, BTR, BTC (@op: 0 to 3) of bit @n of @x; CF is what it was */
u64 tpz_bit(struct tpz_emulation *e, unsigned int op, u64 x, unsigned int n);

/* emulate_vector.c: -EOPNOTSUPP, or the instruction is carried out */
int tpz_emulate_vector(struct tpz_emulation *e);

/* emulate.c */
struct tpz_place tpz_operand_place(const struct tpz_emulation *e, unsigned int bytes, u8 flags);

#endif /* TPZ_CPU_EMULATE_INTERNAL_H */
