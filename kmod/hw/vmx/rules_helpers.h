/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of rules share: readers of fields and a few predicates. See rules.h. */
#ifndef TPZ_HW_VMX_RULES_HELPERS_H
#define TPZ_HW_VMX_RULES_HELPERS_H

#include "../rule_table.h"
#include "caps.h"
#include "rules.h"
#include "vmcs.h"

/* Bits that older kernels' headers do not name */
#define CR3_LAM			GENMASK_ULL(62, 61)
#define CR4_FRED_BIT		32
#define CR4_FRED		BIT_ULL(CR4_FRED_BIT)
#define S_CET_RESERVED		GENMASK_ULL(9, 6)
#define S_CET_SUPPRESS		BIT_ULL(10)
#define S_CET_TRACKER		BIT_ULL(11)

/* VM entry and exit leave these two bits of CR0 alone: their values in a VMCS are not checked. */
#define CR0_NEVER_CHECKED	(X86_CR0_NW | X86_CR0_CD)

extern const struct tpz_rule_table vmx_execution_rules;
extern const struct tpz_rule_table vmx_exit_entry_rules;
extern const struct tpz_rule_table vmx_host_rules;
extern const struct tpz_rule_table vmx_guest_register_rules;
extern const struct tpz_rule_table vmx_guest_segment_rules;
extern const struct tpz_rule_table vmx_guest_state_rules;

static inline const struct vmx_caps *caps(const struct tpz_rule_ctx *ctx)
{
	return ctx->caps;
}

/* The control words as the CPU sees them: a word that is not activated counts as 0. */

static inline u32 pin(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_PIN_BASED_CONTROLS);
}

static inline u32 primary(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_PRIMARY_CONTROLS);
}

static inline u32 secondary(const struct tpz_rule_ctx *ctx)
{
	if (!(primary(ctx) & PRIMARY_ACTIVATE_SECONDARY))
		return 0;
	return get(ctx, VMCS_SECONDARY_CONTROLS);
}

static inline u64 tertiary(const struct tpz_rule_ctx *ctx)
{
	if (!(primary(ctx) & PRIMARY_ACTIVATE_TERTIARY))
		return 0;
	return get(ctx, VMCS_TERTIARY_CONTROLS);
}

static inline u64 vm_functions(const struct tpz_rule_ctx *ctx)
{
	if (!(secondary(ctx) & SECONDARY_ENABLE_VM_FUNCTIONS))
		return 0;
	return get(ctx, VMCS_VM_FUNCTION_CONTROLS);
}

static inline u32 exit_controls(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_EXIT_CONTROLS);
}

static inline u64 secondary_exit(const struct tpz_rule_ctx *ctx)
{
	if (!(exit_controls(ctx) & EXIT_ACTIVATE_SECONDARY))
		return 0;
	return get(ctx, VMCS_SECONDARY_EXIT_CONTROLS);
}

static inline u32 entry_controls(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_ENTRY_CONTROLS);
}

static inline bool unrestricted(const struct tpz_rule_ctx *ctx)
{
	return secondary(ctx) & SECONDARY_UNRESTRICTED_GUEST;
}

static inline bool ia32e_guest(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_IA32E_MODE_GUEST;
}

/* Is an event of this INTR_INFO_* type to be injected? */
static inline bool injects(const struct tpz_rule_ctx *ctx, u32 type)
{
	u32 info = get(ctx, VMCS_ENTRY_INTR_INFO);

	return (info & INTR_INFO_VALID) && (info & INTR_INFO_TYPE) == type;
}

/* Control words against the capability MSRs: two functions of rules, and what they need. */

static inline const struct vmx_allowed *allowed(const struct tpz_rule_ctx *ctx, u32 field)
{
	switch (field) {
	case VMCS_PIN_BASED_CONTROLS:
		return &caps(ctx)->pin;
	case VMCS_PRIMARY_CONTROLS:
		return &caps(ctx)->primary;
	case VMCS_EXIT_CONTROLS:
		return &caps(ctx)->exit;
	default:
		return &caps(ctx)->entry;
	}
}

static inline bool required_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(allowed(ctx, field)->must & ~get(ctx, field));
}

static inline bool supported_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & ~(u64)allowed(ctx, field)->may);
}

/* Section 29.2.1: an address must not be wider than the CPU's physical addresses. */
static inline bool is_physical(const struct tpz_rule_ctx *ctx, u64 address)
{
	if (caps(ctx)->basic & VMX_CAP_BASIC_32BIT_ADDRESSES)
		return !(address >> 32);
	return !(address >> caps(ctx)->physical_bits);
}

/*
 * The SDM's "CPU-canonical": the width is the CPU's, whatever CR4.LA57 is. That is what VM entry
 * compares registers and base addresses with.
 */
static inline bool is_canonical(const struct tpz_rule_ctx *ctx, u64 address)
{
	u64 upper = ~0ULL << (caps(ctx)->linear_bits - 1);

	return !(address & upper) || (address & upper) == upper;
}

/* A weaker demand: the bits above the CPU's linear addresses are all 0 or all 1. */
static inline bool is_almost_canonical(const struct tpz_rule_ctx *ctx, u64 address)
{
	u64 upper = ~0ULL << caps(ctx)->linear_bits;

	return !(address & upper) || (address & upper) == upper;
}

/* CR3 may hold a physical address, PCID or cache bits below it, and LAM's bits where LAM exists. */
static inline bool is_cr3(const struct tpz_rule_ctx *ctx, u64 cr3)
{
	if (caps(ctx)->lam)
		cr3 &= ~CR3_LAM;
	return is_physical(ctx, cr3);
}

static inline bool is_s_cet_state(u64 s_cet)
{
	return !(s_cet & S_CET_SUPPRESS) || !(s_cet & S_CET_TRACKER);
}

/* FRED's registers hold a CPU-canonical address and keep some low bits at 0. */
static inline bool is_fred_address(const struct tpz_rule_ctx *ctx, u64 value, u64 reserved)
{
	return !(value & reserved) && is_canonical(ctx, value);
}

#define FRED_CONFIG_RESERVED	(BIT_ULL(2) | GENMASK_ULL(5, 4) | BIT_ULL(11))
#define FRED_RSP_RESERVED	GENMASK_ULL(5, 0)
#define FRED_SSP_RESERVED	GENMASK_ULL(2, 0)

#endif /* TPZ_HW_VMX_RULES_HELPERS_H */
