/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The opcode maps as tables of characters, a character an opcode, laid out as the manuals' maps are (SDM vol. 2D,
 * appendix A; APM vol. 3, appendix A).
 */
#ifndef TPZ_CPU_DECODE_TABLES_H
#define TPZ_CPU_DECODE_TABLES_H

#include "decode.h"

/* The mandatory prefix, numbered as VEX.pp is */
enum tpz_mandatory { TPZ_PREFIX_NONE, TPZ_PREFIX_66, TPZ_PREFIX_F3, TPZ_PREFIX_F2 };

#define TPZ_MAPS	(TPZ_MAP_XOPA + 1)
#define TPZ_ENCODINGS	(TPZ_XOP + 1)

/**
 * struct tpz_forms - with which ModRM.reg and mandatory prefix an opcode exists
 * @memory: with a memory operand: four bits for each value of ModRM.reg, the lowest for 0, one bit of them for each
 *	enum tpz_mandatory
 * @registers: with a register operand
 */
struct tpz_forms {
	u32 memory, registers;
};

/* What follows the opcodes of the one-byte map and of map 0F: the legend stands in decode_tables.c */
extern const char tpz_shapes_one[], tpz_shapes_0f[];

/* tpz_forms[tpz_opcodes[map][encoding][opcode]]; NULL: the encoding does not have the map */
extern const char *const tpz_opcodes[TPZ_MAPS][TPZ_ENCODINGS];
extern const struct tpz_forms tpz_forms[128];

/* Where ModRM.rm of a register operand is a part of the opcode too: of [ModRM.reg], a group of four bits for each rm; of
 * x87, [opcode's low bits], one bit for each low six bits of ModRM
 */
extern const u32 tpz_forms_0f01[8];
extern const u64 tpz_x87_registers[8];

#endif /* TPZ_CPU_DECODE_TABLES_H */
