/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of VM entry: what the SDM asks of a VMCS before a guest may run.
 *
 * A CPU that refuses an entry says only "controls", "host state" or "guest state". These rules
 * say which sentence of the SDM was broken. They are pure code over the fields of a VMCS, so they
 * run in a unit test, too, and cost nothing until an entry has failed.
 *
 * The numbers of sections are those of the SDM, volume 3C, edition 092 (June 2026), where "VM
 * Entries" is chapter 29. It was chapter 26 and 27 in earlier editions; titles and the numbers
 * behind the first dot have stayed, so each rule carries both.
 *
 * Left out, as no field tells of it: what the pages and MSR areas that a field points to hold
 * (the TPR on the virtual-APIC page, the revision in a linked VMCS, sections 29.4 and 29.5), an
 * active IA32_RTIT_CTL.TraceEn, and the rules for SMM and SEAM beyond "this is neither". Rules
 * that another one always precedes are left out as well, with a remark in their place.
 */
#ifndef TPZ_HW_VMX_RULES_H
#define TPZ_HW_VMX_RULES_H

#include <linux/types.h>

#include "caps.h"
#include "vmcs.h"

/**
 * struct vmx_rule_ctx - a VMCS to be judged, and the CPU that it is for
 * @read: returns a field of the VMCS, extended with zeros to 64 bits; 0 for a field that this CPU
 *	does not have (a rule reads a field only where the controls put it to use, but the
 *	description of a broken rule may show one more)
 * @arg: handed to @read
 * @caps: the CPU
 * @vmcs_address: physical address of the VMCS itself; 0 if not known
 */
struct vmx_rule_ctx {
	u64 (*read)(void *arg, u32 field);
	void *arg;
	const struct vmx_caps *caps;
	u64 vmcs_address;
};

#define VMX_RULE_FIELDS 4

/**
 * struct vmx_rule - one sentence of the SDM
 * @name: stable short name ("guest-cs-type"), unique, at most 47 characters
 * @section: the section that asks for it, number and title, at most 79 characters
 * @must: the rule in one sentence
 * @holds: whether the VMCS keeps the rule
 * @arg: handed to @holds: the segment, field or control bit, where rules share a function
 * @fields: the fields that the rule is about, for the log
 * @nr_fields: how many
 */
struct vmx_rule {
	const char *name;
	const char *section;
	const char *must;
	bool (*holds)(const struct vmx_rule_ctx *ctx, u32 arg);
	u32 arg;
	u16 fields[VMX_RULE_FIELDS];
	u16 nr_fields;
};

/**
 * vmx_first_broken_rule() - why an entry failed
 * @ctx: the VMCS and the CPU
 *
 * Rules are tried in the order of the SDM: controls, host state, guest state. The CPU may try them
 * in any order, so where several are broken it may have met another one first.
 *
 * Return: the first broken rule, or NULL if the VMCS keeps them all.
 */
const struct vmx_rule *vmx_first_broken_rule(const struct vmx_rule_ctx *ctx);

/**
 * vmx_rule_at() - walk over all rules
 * @index: from 0
 *
 * Return: a rule, in the order of the SDM, or NULL past the last one.
 */
const struct vmx_rule *vmx_rule_at(unsigned int index);

/**
 * vmx_rule_describe() - say in one line what a broken rule asks for and what it found
 * @rule: the rule
 * @ctx: the VMCS that broke it
 * @buf: takes the text, always terminated
 * @size: of @buf; 320 is always enough
 *
 * Return: the length of the text.
 */
int vmx_rule_describe(const struct vmx_rule *rule, const struct vmx_rule_ctx *ctx, char *buf,
		      size_t size);

#endif /* TPZ_HW_VMX_RULES_H */
