/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of VM entry: what the SDM asks of a VMCS before a guest may run.
 *
 * A CPU that refuses an entry says only "controls", "host state" or "guest state". These rules
 * say which sentence of the SDM was broken. Their shape is ../rules.h; a context's @caps is a
 * struct vmx_caps, its fields are those of vmcs.h.
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

#include "../rules.h"

extern const struct tpz_rule_book vmx_rule_book;

#endif /* TPZ_HW_VMX_RULES_H */
