/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs by opcode: the opcode maps, and questions to them.
 */
#ifndef TPZ_CPU_DECODE_TABLES_H
#define TPZ_CPU_DECODE_TABLES_H

#include "decode.h"

#define TPZ_MAPS	(TPZ_MAP_XOPA + 1)
#define TPZ_ENCODINGS	(TPZ_XOP + 1)

bool tpz_map_exists(enum tpz_opcode_map map, enum tpz_encoding encoding);

/* Whether any ModRM could make an instruction of the opcode; whether this ModRM does, and LOCK if it is there */
bool tpz_opcode_exists(const struct tpz_insn *insn);
bool tpz_form_exists(const struct tpz_insn *insn);

/* What follows the opcode; how the operand size comes about: letters, with legends in decode_tables.c */
char tpz_shape(const struct tpz_insn *insn);
char tpz_size_rule(const struct tpz_insn *insn);

/* VSIB: the index register is a vector, each element of it an address of its own */
bool tpz_has_vector_index(const struct tpz_insn *insn);

#endif /* TPZ_CPU_DECODE_TABLES_H */
