// SPDX-License-Identifier: GPL-2.0
/* The VMCB's fields by number, and the names of fields and exit codes: from the lists in vmcb.h. */

#include <linux/kernel.h>

#include "vmcb.h"

struct svm_name {
	u32 number;
	const char *name;
};

#define FIELD_NAME(field, member)	{ VMCB_##field, #field },
static const struct svm_name field_names[] = { VMCB_FIELDS(FIELD_NAME) };

#define EXIT_NAME(code, number)		{ number, &#code[sizeof("SVM_EXIT_") - 1] },
static const struct svm_name exit_names[] = { SVM_EXIT_CODES(EXIT_NAME) };

const char *vmcb_field_name(u32 field)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(field_names); i++)
		if (field_names[i].number == field)
			return field_names[i].name;
	return NULL;
}

static void *field_at(const struct vmcb *vmcb, u32 field)
{
	return (u8 *)vmcb + VMCB_FIELD_OFFSET(field);
}

u64 vmcb_read(const struct vmcb *vmcb, u32 field)
{
	const void *at = field_at(vmcb, field);

	switch (VMCB_FIELD_BYTES(field)) {
	case 1:
		return *(const u8 *)at;
	case 2:
		return *(const u16 *)at;
	case 4:
		return *(const u32 *)at;
	default:
		return *(const u64 *)at;
	}
}

void vmcb_write(struct vmcb *vmcb, u32 field, u64 value)
{
	void *at = field_at(vmcb, field);

	switch (VMCB_FIELD_BYTES(field)) {
	case 1:
		*(u8 *)at = value;
		break;
	case 2:
		*(u16 *)at = value;
		break;
	case 4:
		*(u32 *)at = value;
		break;
	default:
		*(u64 *)at = value;
	}
}

/* How many codes share the name of @first: one for each register or vector */
static u32 range(u32 first)
{
	switch (first) {
	case SVM_EXIT_EXCEPTION:
		return 32;
	case SVM_EXIT_CR_READ:
	case SVM_EXIT_CR_WRITE:
	case SVM_EXIT_DR_READ:
	case SVM_EXIT_DR_WRITE:
	case SVM_EXIT_CR_WRITE_TRAP:
		return 16;
	default:
		return 1;
	}
}

const char *svm_exit_name(u64 exitcode)
{
	static const char *const negative[] = { "INVALID", "BUSY", "IDLE_REQUIRED", "INVALID_PMC" };	/* -1, -2, … */
	unsigned int i;

	if (~(u32)exitcode < ARRAY_SIZE(negative))
		return negative[~(u32)exitcode];
	for (i = 0; i < ARRAY_SIZE(exit_names); i++)
		if (exitcode - exit_names[i].number < range(exit_names[i].number))
			return exit_names[i].name;
	return NULL;
}
