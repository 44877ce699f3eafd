/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of a book of rules (kmod/hw/rules.h) on made-up control structures and made-up CPUs. The program that includes this
 * has defined:
 *
 *	BOOK, CAPS, full_cpu	the book; the type of a CPU's capabilities; a CPU that has everything
 *	struct image, ADDRESS	a control structure, and its physical address
 *	image_read(), set()	a field of it
 *
 * and runs test_rules(). Each rule is one line of the report, each guest that breaks none, and each fact.
 */
#ifndef RULE_TEST_H
#define RULE_TEST_H

#include <stdio.h>
#include <string.h>

/*
 * Cases: a guest, up to six changes of its fields, perhaps a change of the CPU
 */
struct change {
	enum { NOTHING, SET, OR, CLEAR } how;
	u32 field;
	u64 value;
};

struct test_case {
	const char *rule;	/* that must be broken; where none may be: what the case shows */
	void (*guest)(struct image *image);
	struct change change[6];
	void (*cpu)(CAPS *cpu);
	unsigned int more;	/* other rules that cannot but be broken, too, all after @rule */
};

/* What is true of the tables beside the cases */
struct fact {
	const char *name;
	bool (*holds)(void);
};

static void prepare(const struct test_case *test, struct image *image, CAPS *cpu)
{
	unsigned int i;

	*cpu = full_cpu;
	if (test->cpu)
		test->cpu(cpu);
	test->guest(image);
	for (i = 0; i < ARRAY_SIZE(test->change); i++) {
		const struct change *c = &test->change[i];

		switch (c->how) {
		case NOTHING:
			break;
		case SET:
			set(image, c->field, c->value);
			break;
		case OR:
			set(image, c->field, image_read(image, c->field) | c->value);
			break;
		case CLEAR:
			set(image, c->field, image_read(image, c->field) & ~c->value);
			break;
		}
	}
}

static bool unknown_field_read;

static u64 rule_read(void *image, u32 field)
{
	if (!BOOK.field_name(field)) {
		unknown_field_read = true;
		return 0;
	}
	return image_read(image, field);
}

/*
 * The report
 */

static unsigned int reported;
static unsigned int failed;

static void report(bool ok, const char *name)
{
	printf("%sok %u %s\n", ok ? "" : "not ", ++reported, name);
	failed += !ok;
}

/* Run one case. @rule: the name that must come out first, or NULL for none. */
static bool run(const struct test_case *test, const char *rule)
{
	static struct image image;
	CAPS cpu;
	struct tpz_rule_ctx ctx = { rule_read, &image, &cpu, ADDRESS };
	const struct tpz_rule *found, *other;
	unsigned int i, more = 0;
	bool ok = true;
	char text[320];

	prepare(test, &image, &cpu);
	unknown_field_read = false;
	found = tpz_first_broken_rule(&BOOK, &ctx);
	if (!found != !rule || (found && strcmp(found->name, rule))) {
		printf("# %s: expected %s, found %s\n", test->rule, rule ?: "no broken rule",
		       found ? found->name : "no broken rule");
		ok = false;
	}
	for (i = 0; (other = tpz_rule_at(&BOOK, i)); i++)
		if (other != found && !other->holds(&ctx, other->arg)) {
			if (++more > test->more)
				printf("# %s: %s is broken, too\n", test->rule, other->name);
		}
	if (found && more != test->more)
		ok = false;
	if (found) {
		int len = tpz_rule_describe(&BOOK, found, &ctx, text, sizeof(text));

		if (len != (int)strlen(text) || len >= (int)sizeof(text) - 1 ||
		    strncmp(text, found->name, strlen(found->name)) || strstr(text, "(null)")) {
			printf("# %s: bad description: %s\n", test->rule, text);
			ok = false;
		}
	}
	if (unknown_field_read) {
		printf("# %s: a field that is not in the list was read\n", test->rule);
		ok = false;
	}
	return ok;
}

static bool try_rule(const struct tpz_rule *rule, const struct test_case *broken, unsigned int count)
{
	unsigned int i, cases = 0;
	bool ok = true;

	for (i = 0; i < count; i++)
		if (!strcmp(broken[i].rule, rule->name)) {
			cases++;
			ok &= run(&broken[i], rule->name);
		}
	if (!cases)
		printf("# %s: no case breaks this rule\n", rule->name);
	return ok && cases;
}

/*
 * The tables
 */

static const struct tpz_rule *find_rule(const char *name)
{
	const struct tpz_rule *rule;
	unsigned int i;

	for (i = 0; (rule = tpz_rule_at(&BOOK, i)); i++)
		if (!strcmp(rule->name, name))
			return rule;
	return NULL;
}

static bool cases_name_rules(const struct test_case *broken, unsigned int count)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!find_rule(broken[i].rule)) {
			printf("# a case names the unknown rule %s\n", broken[i].rule);
			ok = false;
		}
	return ok;
}

/* The longest text that tpz_rule_describe() can make of a rule */
static size_t longest_text(const struct tpz_rule *rule)
{
	size_t length = strlen(rule->name) + strlen(rule->must) + strlen(rule->section) +
			strlen(BOOK.manual) + strlen(":  (, ):");
	unsigned int f;

	for (f = 0; f < rule->nr_fields; f++)
		length += strlen(" =0x0123456789abcdef") + strlen(BOOK.field_name(rule->fields[f]));
	return length;
}

/* Unique short names, sections of the manual's chapter in its order, known fields, texts that fit */
static bool rules_well_formed(void)
{
	const char *chapter = tpz_rule_at(&BOOK, 0)->section;
	size_t digits = strcspn(chapter, ".") + 1;
	const struct tpz_rule *rule, *last = NULL;
	unsigned int i, f;
	bool ok = true;

	for (i = 0; (rule = tpz_rule_at(&BOOK, i)); last = rule, i++) {
		bool good = find_rule(rule->name) == rule && strlen(rule->name) <= 47 &&
			    strlen(rule->section) <= 79 && !strncmp(rule->section, chapter, digits) &&
			    rule->must[0] && rule->holds && rule->nr_fields &&
			    rule->nr_fields <= TPZ_RULE_FIELDS;

		if (last && strverscmp(last->section, rule->section) > 0)
			good = false;
		for (f = 0; f < rule->nr_fields && f < TPZ_RULE_FIELDS; f++)
			good &= !!BOOK.field_name(rule->fields[f]);
		if (!good || longest_text(rule) >= 320) {
			printf("# %s is malformed\n", rule->name);
			ok = false;
		}
	}
	return ok;
}

/* The whole text of a broken rule, and what a short buffer keeps of it */
static bool describes(const struct test_case *test, const char *expected, const char *expected_cut)
{
	static struct image image;
	CAPS cpu;
	struct tpz_rule_ctx ctx = { rule_read, &image, &cpu, 0 };
	const struct tpz_rule *rule;
	char text[320], cut[16];

	prepare(test, &image, &cpu);
	rule = tpz_first_broken_rule(&BOOK, &ctx);
	tpz_rule_describe(&BOOK, rule, &ctx, text, sizeof(text));
	tpz_rule_describe(&BOOK, rule, &ctx, cut, sizeof(cut));
	if (strcmp(text, expected))
		printf("# %s\n", text);
	return !strcmp(text, expected) && !strcmp(cut, expected_cut);
}

/* Return: the program's exit status */
static int test_rules(const struct test_case *broken, unsigned int nr_broken, const struct test_case *kept,
		      unsigned int nr_kept, const struct fact *facts, unsigned int nr_facts)
{
	const struct tpz_rule *rule;
	unsigned int i, rules = 0;

	while (tpz_rule_at(&BOOK, rules))
		rules++;
	printf("KTAP version 1\n1..%u\n", rules + nr_kept + nr_facts + 2);

	for (i = 0; i < nr_kept; i++)
		report(run(&kept[i], NULL), kept[i].rule);
	for (i = 0; (rule = tpz_rule_at(&BOOK, i)); i++)
		report(try_rule(rule, broken, nr_broken), rule->name);
	report(cases_name_rules(broken, nr_broken), "every case names a rule");
	report(rules_well_formed(), "rules are well formed, in the order of the manual");
	for (i = 0; i < nr_facts; i++)
		report(facts[i].holds(), facts[i].name);

	printf("# %u rules, %u cases that break one, %u that break none\n", rules, nr_broken, nr_kept);
	return failed != 0;
}

#endif
