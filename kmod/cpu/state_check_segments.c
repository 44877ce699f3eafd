// SPDX-License-Identifier: GPL-2.0
/*
 * Rules on segment registers, GDTR and IDTR (SDM vol. 3C, 27.3.1.2 and 27.3.1.3), as an unrestricted guest has them.
 */
#include "state_check.h"

/* ---- each segment: SDM vol. 3C, 27.3.1.2. Asked once for each of the eight */

static bool is_code(const struct tpz_segment *s)
{
	return s->type & 8;
}

/* CS and TR are never unusable; a null selector makes the others so */
static bool usable(const struct candidate *k)
{
	return k->n == TPZ_CS || k->n == TPZ_TR || !k->seg->unusable;
}

static bool system_segment(const struct candidate *k)
{
	return k->n == TPZ_LDTR || k->n == TPZ_TR;
}

RULE(seg_ranges)
{
	const struct tpz_segment *s = k->seg;

	return s->type <= 15 && s->dpl <= 3 && !s->pad &&
	       (s->s | s->present | s->avl | s->l | s->db | s->g | s->unusable) <= 1;
}

RULE(seg_must_be_usable)
{
	return (k->n != TPZ_CS && k->n != TPZ_TR) || !k->seg->unusable;
}

RULE(seg_base)
{
	switch (k->n) {
	case TPZ_FS:
	case TPZ_GS:
	case TPZ_TR:
		return tpz_canonical(k->seg->base);
	case TPZ_LDTR:
		return !usable(k) || tpz_canonical(k->seg->base);
	}
	return !usable(k) || !(k->seg->base >> 32);
}

RULE(seg_v86)
{
	const struct tpz_segment *s = k->seg;

	if (!k->v86 || system_segment(k))
		return true;
	return s->base == (u64)s->selector << 4 && s->limit == 0xffff && s->type == 3 && s->s && s->dpl == 3 &&
	       s->present && !s->avl && !s->l && !s->db && !s->g && !s->unusable;
}

RULE(seg_type)
{
	const u8 type = k->seg->type;

	if (!usable(k) || k->v86)
		return true;
	switch (k->n) {
	case TPZ_CS:
		return type == 3 || (is_code(k->seg) && (type & 1));
	case TPZ_SS:
		return type == 3 || type == 7;
	case TPZ_LDTR:
	case TPZ_TR:
		return true;	/* their own rules */
	}
	return (type & 1) && (!is_code(k->seg) || (type & 2));
}

RULE(seg_s)
{
	return !usable(k) || k->seg->s == !system_segment(k);
}

RULE(seg_present)
{
	return !usable(k) || k->seg->present;
}

RULE(seg_granularity)
{
	const struct tpz_segment *s = k->seg;

	if (!usable(k) || k->v86)
		return true;
	if ((s->limit & 0xfff) != 0xfff && s->g)
		return false;
	return !(s->limit >> 20) || s->g;
}

const struct rule tpz_segment_rules[] = {
	{ TPZ_STATE_SEGMENTS, NULL, "a member is out of its range", seg_ranges },
	{ TPZ_STATE_SEGMENTS, NULL, "CS and TR cannot be unusable", seg_must_be_usable },
	{ TPZ_STATE_SEGMENTS, NULL, "base: beyond 32 bits, or not canonical", seg_base },
	{ TPZ_STATE_SEGMENTS, NULL, "virtual-8086 mode: base, limit or rights are not that mode's", seg_v86 },
	{ TPZ_STATE_SEGMENTS, NULL, "type: not one that this register can hold", seg_type },
	{ TPZ_STATE_SEGMENTS, NULL, "s: 1 for code and data, 0 for LDTR and TR", seg_s },
	{ TPZ_STATE_SEGMENTS, NULL, "present must be 1", seg_present },
	{ TPZ_STATE_SEGMENTS, NULL, "limit does not agree with g", seg_granularity },
	{}
};

/* ---- segments together */

RULE(cs_dpl)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS), *ss = seg_of(k, TPZ_SS);

	if (k->v86)
		return true;
	if (cs->type == 3)
		return !cs->dpl;
	return cs->type & 4 ? cs->dpl <= ss->dpl : cs->dpl == ss->dpl;
}

RULE(ss_dpl)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS), *ss = seg_of(k, TPZ_SS);

	return k->v86 || ((k->protected && cs->type != 3) || !ss->dpl);
}

RULE(cs_long)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS);

	return !k->code64 || !cs->db;
}

RULE(ldtr)
{
	const struct tpz_segment *s = seg_of(k, TPZ_LDTR);

	return s->unusable || (s->type == 2 && !(s->selector & 4));
}

/* Busy, 16-bit or 32-bit; in IA-32e mode the 64-bit one, which has the number of the 32-bit one */
RULE(tr)
{
	const struct tpz_segment *s = seg_of(k, TPZ_TR);

	return (s->type == 11 || (s->type == 3 && !k->long_mode)) && !(s->selector & 4);
}

RULE(gdtr)
{
	return tpz_canonical(k->st->segments.gdtr.base) && !(k->st->segments.gdtr.limit >> 16);
}

RULE(idtr)
{
	return tpz_canonical(k->st->segments.idtr.base) && !(k->st->segments.idtr.limit >> 16);
}

const struct rule tpz_segments_rules[] = {
	{ TPZ_STATE_SEGMENTS, "cs",   "dpl: must fit SS's, the privilege level", cs_dpl },
	{ TPZ_STATE_SEGMENTS, "ss",   "dpl: must be 0 in real mode and where CS is of type 3", ss_dpl },
	{ TPZ_STATE_SEGMENTS, "cs",   "l and db exclude each other in IA-32e mode", cs_long },
	{ TPZ_STATE_SEGMENTS, "ldtr", "type must be 2, and the selector in the GDT", ldtr },
	{ TPZ_STATE_SEGMENTS, "tr",   "type must be that of a busy TSS of this mode, the selector in the GDT", tr },
	{ TPZ_STATE_SEGMENTS, "gdtr", "base must be canonical, limit below 64 KiB", gdtr },
	{ TPZ_STATE_SEGMENTS, "idtr", "base must be canonical, limit below 64 KiB", idtr },
	{}
};
