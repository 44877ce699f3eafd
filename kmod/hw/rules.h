/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why the CPU refused an entry: the manual's rules about a control structure (VMCS, VMCB), one by one. Both vendors'
 * rules have this shape; each backend has a book of its own.
 *
 * The rules are pure code over the fields of the structure, so they run in a unit test, too, and cost nothing until an
 * entry has failed.
 */
#ifndef TPZ_HW_RULES_H
#define TPZ_HW_RULES_H

#include <linux/types.h>

/**
 * struct tpz_rule_ctx - a control structure to be judged, and the CPU that it is for
 * @read: returns a field, extended with zeros to 64 bits; 0 for a field that this CPU does not have (a rule reads a
 *	field only where the controls put it to use, but the description of a broken rule may show one more)
 * @arg: handed to @read
 * @caps: the CPU: the backend's struct of capabilities
 * @address: physical address of the structure itself; 0 if not known
 */
struct tpz_rule_ctx {
	u64 (*read)(void *arg, u32 field);
	void *arg;
	const void *caps;
	u64 address;
};

#define TPZ_RULE_FIELDS 4

/**
 * struct tpz_rule - one sentence of the manual
 * @name: stable short name ("guest-cs-type"), unique, at most 47 characters
 * @section: the section that asks for it, number and title, at most 79 characters
 * @must: the rule in one sentence
 * @holds: whether the structure keeps the rule
 * @arg: handed to @holds: the segment, field or control bit, where rules share a function
 * @fields: the fields that the rule is about, for the log
 * @nr_fields: how many
 */
struct tpz_rule {
	const char *name;
	const char *section;
	const char *must;
	bool (*holds)(const struct tpz_rule_ctx *ctx, u32 arg);
	u32 arg;
	u16 fields[TPZ_RULE_FIELDS];
	u16 nr_fields;
};

/**
 * struct tpz_rule_table - the rules of one part of the manual's chapter
 * @rules: in the manual's order
 * @count: how many
 */
struct tpz_rule_table {
	const struct tpz_rule *rules;
	unsigned int count;
};

/**
 * struct tpz_rule_book - all rules of a backend
 * @manual: how its sections are cited
 * @field_name: the name of a field
 * @tables: in the manual's order
 * @count: how many
 */
struct tpz_rule_book {
	const char *manual;
	const char *(*field_name)(u32 field);
	const struct tpz_rule_table *const *tables;
	unsigned int count;
};

/**
 * tpz_first_broken_rule() - why an entry failed
 * @book: the backend's
 * @ctx: the structure and the CPU
 *
 * Rules are tried in the manual's order. The CPU may try them in any order, so where several are broken it may have met
 * another one first.
 *
 * Return: the first broken rule, or NULL if the structure keeps them all.
 */
const struct tpz_rule *tpz_first_broken_rule(const struct tpz_rule_book *book, const struct tpz_rule_ctx *ctx);

/**
 * tpz_rule_at() - walk over all rules
 * @book: the backend's
 * @index: from 0
 *
 * Return: a rule, in the manual's order, or NULL past the last one.
 */
const struct tpz_rule *tpz_rule_at(const struct tpz_rule_book *book, unsigned int index);

/**
 * tpz_rule_describe() - say in one line what a broken rule asks for and what it found
 * @book: the backend's
 * @rule: the rule
 * @ctx: the structure that broke it
 * @buf: takes the text, always terminated
 * @size: of @buf; 320 is always enough
 *
 * Return: the length of the text.
 */
int tpz_rule_describe(const struct tpz_rule_book *book, const struct tpz_rule *rule, const struct tpz_rule_ctx *ctx,
		      char *buf, size_t size);

struct tpz_vcpu;

/**
 * tpz_explain_refusal() - v->exit for an entry that the CPU refused: TPZ_EXIT_ENTRY_FAILED, and one line in the log
 * @v: the vCPU
 * @book: the backend's
 * @ctx: the structure that was refused, as it was
 * @hw_error: the CPU's error number, or 0
 * @raw_reason: the raw exit code, or 0
 *
 * Context: loaded, interrupts off.
 */
void tpz_explain_refusal(struct tpz_vcpu *v, const struct tpz_rule_book *book, const struct tpz_rule_ctx *ctx,
			 u32 hw_error, u64 raw_reason);

#endif /* TPZ_HW_RULES_H */
