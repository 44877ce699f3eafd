// SPDX-License-Identifier: GPL-2.0
/* Find and describe the first broken rule of VM entry. The rules stand in rules_*.c. */

#include "rules_helpers.h"

static const struct vmx_rule_table *const tables[] = {
	&vmx_execution_rules,
	&vmx_exit_entry_rules,
	&vmx_host_rules,
	&vmx_guest_register_rules,
	&vmx_guest_segment_rules,
	&vmx_guest_state_rules,
};

const struct vmx_rule *vmx_rule_at(unsigned int index)
{
	unsigned int t;

	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		if (index < tables[t]->count)
			return &tables[t]->rules[index];
		index -= tables[t]->count;
	}
	return NULL;
}

const struct vmx_rule *vmx_first_broken_rule(const struct vmx_rule_ctx *ctx)
{
	const struct vmx_rule *rule;
	unsigned int i;

	for (i = 0; (rule = vmx_rule_at(i)); i++)
		if (!rule->holds(ctx, rule->arg))
			return rule;
	return NULL;
}

int vmx_rule_describe(const struct vmx_rule *rule, const struct vmx_rule_ctx *ctx, char *buf,
		      size_t size)
{
	unsigned int i;
	int len;

	len = scnprintf(buf, size, "%s: %s (SDM 3C, %s):", rule->name, rule->must, rule->section);
	for (i = 0; i < rule->nr_fields; i++)
		len += scnprintf(buf + len, size - len, " %s=%#llx",
				 vmcs_field_name(rule->fields[i]),
				 (unsigned long long)get(ctx, rule->fields[i]));
	return len;
}
