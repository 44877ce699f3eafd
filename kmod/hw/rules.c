// SPDX-License-Identifier: GPL-2.0
/* Find and describe the first broken rule of a book: see rules.h. */
#include <linux/kernel.h>
#include "rules.h"

const struct tpz_rule *tpz_rule_at(const struct tpz_rule_book *book, unsigned int index)
{
	unsigned int t;

	for (t = 0; t < book->count; t++) {
		if (index < book->tables[t]->count)
			return &book->tables[t]->rules[index];
		index -= book->tables[t]->count;
	}
	return NULL;
}

const struct tpz_rule *tpz_first_broken_rule(const struct tpz_rule_book *book, const struct tpz_rule_ctx *ctx)
{
	const struct tpz_rule *rule;
	unsigned int i;

	for (i = 0; (rule = tpz_rule_at(book, i)); i++)
		if (!rule->holds(ctx, rule->arg))
			return rule;
	return NULL;
}

int tpz_rule_describe(const struct tpz_rule_book *book, const struct tpz_rule *rule, const struct tpz_rule_ctx *ctx,
		      char *buf, size_t size)
{
	unsigned int i;
	int len;

	len = scnprintf(buf, size, "%s: %s (%s, %s):", rule->name, rule->must, book->manual, rule->section);
	for (i = 0; i < rule->nr_fields; i++)
		len += scnprintf(buf + len, size - len, " %s=%#llx", book->field_name(rule->fields[i]),
				 (unsigned long long)ctx->read(ctx->arg, rule->fields[i]));
	return len;
}
