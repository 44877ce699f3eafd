// SPDX-License-Identifier: GPL-2.0
/* The names of VMCS fields and exit reasons, from the lists in vmcs.h. */

#include <linux/kernel.h>

#include "vmcs.h"

struct vmcs_name {
	u32 number;
	const char *name;
};

#define FIELD_NAME(field, encoding) { encoding, &#field[sizeof("VMCS_") - 1] },
static const struct vmcs_name field_names[] = { VMCS_FIELDS(FIELD_NAME) };

#define EXIT_NAME(reason, number) [number] = &#reason[sizeof("VMX_EXIT_") - 1],
static const char *const exit_names[] = { VMX_EXIT_REASONS(EXIT_NAME) };

const char *vmcs_field_name(u32 field)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(field_names); i++)
		if (field_names[i].number == field)
			return field_names[i].name;
	return NULL;
}

const char *vmx_exit_name(u32 reason)
{
	return reason < VMX_EXIT_COUNT ? exit_names[reason] : NULL;
}
