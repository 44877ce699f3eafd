// SPDX-License-Identifier: GPL-2.0
/* The book of VM entry's rules. They stand in rules_*.c. */

#include "rules_helpers.h"

static const struct tpz_rule_table *const tables[] = {
	&vmx_execution_rules,
	&vmx_exit_entry_rules,
	&vmx_host_rules,
	&vmx_guest_register_rules,
	&vmx_guest_segment_rules,
	&vmx_guest_state_rules,
};

const struct tpz_rule_book vmx_rule_book = {
	.manual = "SDM 3C",
	.field_name = vmcs_field_name,
	.tables = tables,
	.count = ARRAY_SIZE(tables),
};
