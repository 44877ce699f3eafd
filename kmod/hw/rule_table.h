/* SPDX-License-Identifier: GPL-2.0 */
/* What files of rules need, of either vendor: the rows of their tables, and predicates. See rules.h. */
#ifndef TPZ_HW_RULE_TABLE_H
#define TPZ_HW_RULE_TABLE_H

#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "rules.h"

/*
 * A row of a table of rules. RULE_FOR() gives the function an argument, so that one function serves several fields,
 * segments or control bits.
 */
#define RULE_FOR(_arg, _name, _section, _holds, _must, ...) {			\
	.name = _name, .section = _section, .must = _must,			\
	.holds = _holds, .arg = _arg, .fields = { __VA_ARGS__ },		\
	.nr_fields = sizeof((u16[]){ __VA_ARGS__ }) / sizeof(u16),		\
}
#define RULE(...)	RULE_FOR(0, __VA_ARGS__)
/* A row about one field, which is its function's argument, too. */
#define FIELD_RULE(_field, _name, _section, _holds, _must) \
	RULE_FOR(_field, _name, _section, _holds, _must, _field)

#define RULE_TABLE(_rules)	{ _rules, ARRAY_SIZE(_rules) }

/* @then is not evaluated, and its fields not read, unless @when is true. */
#define implies(when, then)	(!(when) || (then))

static inline u64 get(const struct tpz_rule_ctx *ctx, u32 field)
{
	return ctx->read(ctx->arg, field);
}

/* Every byte of a PAT is one of the memory types 0, 1, 4, 5, 6 and 7. */
static inline bool is_pat(u64 pat)
{
	for (; pat; pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

#endif /* TPZ_HW_RULE_TABLE_H */
