/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The opcode maps as tables of characters, a character an opcode, laid out as the manuals' maps are (SDM vol. 2D,
 * appendix A; APM vol. 3, appendix A).
 */
#ifndef TPZ_CPU_DECODE_TABLES_H
#define TPZ_CPU_DECODE_TABLES_H

#include "decode.h"

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

/* What follows the opcodes of the one-byte map and of map 0F; their operand sizes. decode_tables.c has the legends */
extern const char tpz_shapes_one[], tpz_shapes_0f[];
extern const char tpz_sizes_one[], tpz_sizes_0f[];

/* tpz_forms[tpz_opcodes[map][encoding][opcode]]; NULL: the encoding does not have the map */
extern const char *const tpz_opcodes[TPZ_MAPS][TPZ_ENCODINGS];
extern const struct tpz_forms tpz_forms[128];

/* Where ModRM.rm of a register operand is a part of the opcode too */
extern const u32 tpz_forms_0f01[8];
extern const u64 tpz_x87_registers[8];

#endif /* TPZ_CPU_DECODE_TABLES_H */
