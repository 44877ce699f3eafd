// SPDX-License-Identifier: GPL-2.0
/*
 * Moves between memory and SSE or AVX registers. EVEX, MMX and what computes are not known.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include "emulate_internal.h"

#define STORE	(1u << 0)
#define ALIGNED	(1u << 1)
#define PART	(1u << 2)	/* a load that keeps the other half; VEX takes that half from another register: not known */
#define HIGH	(1u << 3)	/* the upper half of the register's 16 bytes */

#define FULL	0		/* bytes: 16, or 32 with VEX.L */
#define WORD	1		/* 4, or 8 with REX.W or VEX.W */

#define P_NONE	(1u << TPZ_PREFIX_NONE)
#define P_66	(1u << TPZ_PREFIX_66)
#define P_F3	(1u << TPZ_PREFIX_F3)
#define P_F2	(1u << TPZ_PREFIX_F2)

static const struct move {
	u8 map;
	u8 opcode;
	u8 prefixes;
	u8 bytes;
	u8 flags;
} moves[] = {
	{ TPZ_MAP_0F, 0x10, P_NONE | P_66, FULL, 0 },		/* MOVUPS, MOVUPD */
	{ TPZ_MAP_0F, 0x11, P_NONE | P_66, FULL, STORE },
	{ TPZ_MAP_0F, 0x10, P_F3, 4, 0 },				/* MOVSS */
	{ TPZ_MAP_0F, 0x11, P_F3, 4, STORE },
	{ TPZ_MAP_0F, 0x10, P_F2, 8, 0 },				/* MOVSD */
	{ TPZ_MAP_0F, 0x11, P_F2, 8, STORE },
	{ TPZ_MAP_0F, 0x12, P_NONE | P_66, 8, PART },		/* MOVLPS, MOVLPD */
	{ TPZ_MAP_0F, 0x13, P_NONE | P_66, 8, STORE },
	{ TPZ_MAP_0F, 0x16, P_NONE | P_66, 8, PART | HIGH },	/* MOVHPS, MOVHPD */
	{ TPZ_MAP_0F, 0x17, P_NONE | P_66, 8, STORE | HIGH },
	{ TPZ_MAP_0F, 0x28, P_NONE | P_66, FULL, ALIGNED },	/* MOVAPS, MOVAPD */
	{ TPZ_MAP_0F, 0x29, P_NONE | P_66, FULL, STORE | ALIGNED },
	{ TPZ_MAP_0F, 0x2b, P_NONE | P_66, FULL, STORE | ALIGNED },	/* MOVNTPS, MOVNTPD */
	{ TPZ_MAP_0F, 0x6e, P_66, WORD, 0 },			/* MOVD, MOVQ */
	{ TPZ_MAP_0F, 0x7e, P_66, WORD, STORE },
	{ TPZ_MAP_0F, 0x7e, P_F3, 8, 0 },				/* MOVQ */
	{ TPZ_MAP_0F, 0xd6, P_66, 8, STORE },
	{ TPZ_MAP_0F, 0x6f, P_66, FULL, ALIGNED },		/* MOVDQA */
	{ TPZ_MAP_0F, 0x7f, P_66, FULL, STORE | ALIGNED },
	{ TPZ_MAP_0F, 0x6f, P_F3, FULL, 0 },			/* MOVDQU */
	{ TPZ_MAP_0F, 0x7f, P_F3, FULL, STORE },
	{ TPZ_MAP_0F, 0xe7, P_66, FULL, STORE | ALIGNED },	/* MOVNTDQ */
	{ TPZ_MAP_0F, 0xf0, P_F2, FULL, 0 },			/* LDDQU */
	{ TPZ_MAP_0F38, 0x2a, P_66, FULL, ALIGNED },		/* MOVNTDQA */
};

static const struct move *find(const struct tpz_insn *insn)
{
	const struct move *m;

	for (m = moves; m < moves + ARRAY_SIZE(moves); m++)
		if (m->map == insn->map && m->opcode == insn->opcode && (m->prefixes >> insn->mandatory & 1))
			return m;
	return NULL;
}

static unsigned int bytes_of(const struct move *m, const struct tpz_insn *insn)
{
	if (m->bytes == FULL)
		return insn->vex_l ? 32 : 16;
	if (m->bytes == WORD)
		return insn->rex_w && insn->mode == TPZ_DECODE_64 ? 8 : 4;
	return m->bytes;
}

int tpz_emulate_vector(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;
	const struct move *m = find(insn);
	const bool vex = insn->encoding == TPZ_VEX;
	u8 value[TPZ_VECTOR_BYTES] = {};
	struct tpz_place place;
	u8 *part;
	int ret;

	if (!m || !insn->has_memory || (!vex && insn->encoding != TPZ_LEGACY) || (vex && (m->flags & PART)))
		return -EOPNOTSUPP;
	place = tpz_operand_place(e, bytes_of(m, insn), m->flags & ALIGNED ? TPZ_PLACE_ALIGNED : 0);
	part = value + (m->flags & HIGH ? 8 : 0);
	if (m->flags & (STORE | PART))
		e->ops->get_vector(e, insn->reg, value);
	if (m->flags & STORE)
		return e->ops->write(e, &place, part);
	ret = e->ops->read(e, &place, part);
	if (!ret)
		e->ops->set_vector(e, insn->reg, value, vex);
	return ret;
}
