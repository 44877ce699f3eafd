// SPDX-License-Identifier: GPL-2.0
/* The exit record and the log's line of an entry that the CPU refused. */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/kernel.h>
#include <linux/string.h>
#include "hw.h"
#include "rules.h"

/* Each rule (NULL: none that we know) is told once in the log: a launcher may try again without end */
static bool first_time(const struct tpz_rule_book *book, const struct tpz_rule *rule)
{
	static DECLARE_BITMAP(told, 512);	/* more than there are rules; one module has one backend */
	unsigned int i = 0;

	while (tpz_rule_at(book, i) && tpz_rule_at(book, i) != rule)
		i++;
	return i < 512 && !test_and_set_bit(i, told);
}

void tpz_explain_refusal(struct tpz_vcpu *v, const struct tpz_rule_book *book, const struct tpz_rule_ctx *ctx,
			 u32 hw_error, u64 raw_reason)
{
	const struct tpz_rule *rule = tpz_first_broken_rule(book, ctx);
	struct tpz_run_entry_failed *failed = &v->exit.failed;

	memset(failed, 0, sizeof(*failed));
	v->exit.reason = TPZ_EXIT_ENTRY_FAILED;
	v->exit.raw_reason = raw_reason;
	v->exit.qualification = 0;
	v->exit.insn_bytes = 0;
	failed->hw_error = hw_error;
	failed->hw_reason = raw_reason;
	if (rule) {
		strscpy(failed->rule, rule->name, sizeof(failed->rule));
		strscpy(failed->section, rule->section, sizeof(failed->section));
		/* The fields found may be addresses of the host's kernel: for its developers alone */
		if (tpz_test_mode)
			tpz_rule_describe(book, rule, ctx, failed->text, sizeof(failed->text));
		else
			strscpy(failed->text, rule->must, sizeof(failed->text));
	} else {
		strscpy(failed->text, "every rule that is checked here is kept", sizeof(failed->text));
	}
	if (first_time(book, rule))
		pr_info("VM %llu: the CPU refused an entry (error %u, reason %#x): %s\n", v->vm->id, hw_error,
			failed->hw_reason, failed->text);
}
