// SPDX-License-Identifier: GPL-2.0
/* SDM 29.3.1.1, "Checks on Guest Control Registers, Debug Registers, and MSRs". */

#include "rules_helpers.h"

#define REGISTERS "29.3.1.1 Checks on Guest Control Registers, Debug Registers, and MSRs"

/*
 * Control registers
 */

static bool guest_cr0_required(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 required = caps(ctx)->cr0_fixed0 & ~CR0_NEVER_CHECKED;

	if (unrestricted(ctx))
		required &= ~(X86_CR0_PE | X86_CR0_PG);
	return !(required & ~get(ctx, VMCS_GUEST_CR0));
}

static bool guest_cr0_supported(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 supported = caps(ctx)->cr0_fixed1 | CR0_NEVER_CHECKED;

	return !(get(ctx, VMCS_GUEST_CR0) & ~supported);
}

static bool guest_pg_pe(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(get(ctx, VMCS_GUEST_CR0) & X86_CR0_PG,
		       get(ctx, VMCS_GUEST_CR0) & X86_CR0_PE);
}

static bool guest_cr4_required(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(caps(ctx)->cr4_fixed0 & ~get(ctx, VMCS_GUEST_CR4));
}

static bool guest_cr4_supported(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(get(ctx, VMCS_GUEST_CR4) & ~caps(ctx)->cr4_fixed1);
}

static bool guest_cet_wp(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(get(ctx, VMCS_GUEST_CR4) & X86_CR4_CET,
		       get(ctx, VMCS_GUEST_CR0) & X86_CR0_WP);
}

static bool loads_debug(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_LOAD_DEBUG_CONTROLS;
}

static bool guest_debugctl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_debug(ctx), !(get(ctx, field) & ~caps(ctx)->debugctl_bits));
}

static bool ia32e_paging(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(ia32e_guest(ctx), get(ctx, VMCS_GUEST_CR0) & X86_CR0_PG);
}

static bool ia32e_pae(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(ia32e_guest(ctx), get(ctx, VMCS_GUEST_CR4) & X86_CR4_PAE);
}

static bool legacy_guest_cr4(const struct tpz_rule_ctx *ctx, u32 bit)
{
	return implies(!ia32e_guest(ctx), !(get(ctx, VMCS_GUEST_CR4) & BIT_ULL(bit)));
}

static bool guest_cr3(const struct tpz_rule_ctx *ctx, u32 field)
{
	return is_cr3(ctx, get(ctx, field));
}

static bool guest_dr7(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_debug(ctx), !(get(ctx, field) >> 32));
}

/*
 * MSRs
 */

static bool guest_canonical(const struct tpz_rule_ctx *ctx, u32 field)
{
	return is_canonical(ctx, get(ctx, field));
}

static bool loads_cet(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_LOAD_CET_STATE;
}

static bool guest_cet_canonical(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_cet(ctx), is_canonical(ctx, get(ctx, field)));
}

static bool guest_perf_global_ctrl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL,
		       !(get(ctx, field) & ~caps(ctx)->perf_global_ctrl_bits));
}

static bool guest_pat(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_IA32_PAT, is_pat(get(ctx, field)));
}

static bool loads_efer(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_LOAD_IA32_EFER;
}

static bool guest_efer_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_efer(ctx), !(get(ctx, field) & ~caps(ctx)->efer_bits));
}

static bool guest_efer_lma(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_efer(ctx), !!(get(ctx, field) & EFER_LMA) == ia32e_guest(ctx));
}

static bool guest_efer_lme(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_efer(ctx) && (get(ctx, VMCS_GUEST_CR0) & X86_CR0_PG),
		       !!(get(ctx, field) & EFER_LMA) == !!(get(ctx, field) & EFER_LME));
}

static bool loads_bndcfgs(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_LOAD_IA32_BNDCFGS;
}

static bool guest_bndcfgs_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_bndcfgs(ctx), !(get(ctx, field) & GENMASK_ULL(11, 2)));
}

static bool guest_bndcfgs_address(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_bndcfgs(ctx), is_canonical(ctx, get(ctx, field) & ~0xfffULL));
}

static bool guest_rtit_ctl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_IA32_RTIT_CTL,
		       !(get(ctx, field) & ~caps(ctx)->rtit_ctl_bits));
}

static bool guest_s_cet_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_cet(ctx), !(get(ctx, field) & S_CET_RESERVED));
}

static bool guest_s_cet_state(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_cet(ctx), is_s_cet_state(get(ctx, field)));
}

static bool guest_lbr_ctl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_IA32_LBR_CTL,
		       !(get(ctx, field) & ~caps(ctx)->lbr_ctl_bits));
}

static bool guest_pkrs(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_PKRS, !(get(ctx, field) >> 32));
}

static bool guest_uinv(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_UINV, get(ctx, field) <= 255);
}

static bool loads_fred(const struct tpz_rule_ctx *ctx)
{
	return entry_controls(ctx) & ENTRY_LOAD_FRED;
}

static bool guest_fred_config(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_fred(ctx),
		       is_fred_address(ctx, get(ctx, field), FRED_CONFIG_RESERVED));
}

static bool guest_fred_rsp(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_fred(ctx), is_fred_address(ctx, get(ctx, field), FRED_RSP_RESERVED));
}

static bool guest_fred_ssp(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_fred(ctx), is_fred_address(ctx, get(ctx, field), FRED_SSP_RESERVED));
}

static bool guest_spec_ctrl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_IA32_SPEC_CTRL,
		       !(get(ctx, field) & ~caps(ctx)->spec_ctrl_bits));
}

static const struct tpz_rule register_rules[] = {
	RULE("guest-cr0-required", REGISTERS, guest_cr0_required,
	     "guest CR0 must set the bits that VMX operation requires",
	     VMCS_GUEST_CR0, VMCS_SECONDARY_CONTROLS),
	RULE("guest-cr0-supported", REGISTERS, guest_cr0_supported,
	     "guest CR0 must not set bits that VMX operation forbids",
	     VMCS_GUEST_CR0),
	RULE("guest-pg-needs-pe", REGISTERS, guest_pg_pe,
	     "CR0.PG needs CR0.PE",
	     VMCS_GUEST_CR0),
	RULE("guest-cr4-required", REGISTERS, guest_cr4_required,
	     "guest CR4 must set the bits that VMX operation requires",
	     VMCS_GUEST_CR4),
	RULE("guest-cr4-supported", REGISTERS, guest_cr4_supported,
	     "guest CR4 must not set bits that VMX operation forbids",
	     VMCS_GUEST_CR4),
	RULE("guest-cet-needs-wp", REGISTERS, guest_cet_wp,
	     "CR4.CET needs CR0.WP",
	     VMCS_GUEST_CR4, VMCS_GUEST_CR0),
	FIELD_RULE(VMCS_GUEST_IA32_DEBUGCTL, "guest-debugctl", REGISTERS,
		   guest_debugctl, "reserved bits must be 0"),
	RULE("ia32e-guest-needs-paging", REGISTERS, ia32e_paging,
	     "a guest in IA-32e mode needs CR0.PG",
	     VMCS_GUEST_CR0, VMCS_ENTRY_CONTROLS),
	RULE("ia32e-guest-needs-pae", REGISTERS, ia32e_pae,
	     "a guest in IA-32e mode needs CR4.PAE",
	     VMCS_GUEST_CR4, VMCS_ENTRY_CONTROLS),
	RULE_FOR(X86_CR4_PCIDE_BIT, "guest-pcide-needs-ia32e", REGISTERS, legacy_guest_cr4,
		 "CR4.PCIDE needs a guest in IA-32e mode",
		 VMCS_GUEST_CR4, VMCS_ENTRY_CONTROLS),
	RULE_FOR(CR4_FRED_BIT, "guest-fred-needs-ia32e", REGISTERS, legacy_guest_cr4,
		 "CR4.FRED needs a guest in IA-32e mode",
		 VMCS_GUEST_CR4, VMCS_ENTRY_CONTROLS),
	FIELD_RULE(VMCS_GUEST_CR3, "guest-cr3", REGISTERS,
		   guest_cr3, "must be within the physical-address width"),
	FIELD_RULE(VMCS_GUEST_DR7, "guest-dr7", REGISTERS,
		   guest_dr7, "bits 63:32 must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_SYSENTER_ESP, "guest-sysenter-esp", REGISTERS,
		   guest_canonical, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_IA32_SYSENTER_EIP, "guest-sysenter-eip", REGISTERS,
		   guest_canonical, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_IA32_S_CET, "guest-s-cet", REGISTERS,
		   guest_cet_canonical, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_INTR_SSP_TABLE_ADDR, "guest-ssp-table", REGISTERS,
		   guest_cet_canonical, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, "guest-perf-global-ctrl", REGISTERS,
		   guest_perf_global_ctrl, "reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_PAT, "guest-pat", REGISTERS,
		   guest_pat, "each byte must be a memory type: 0, 1, 4, 5, 6 or 7"),
	FIELD_RULE(VMCS_GUEST_IA32_EFER, "guest-efer-reserved", REGISTERS,
		   guest_efer_reserved, "reserved bits must be 0"),
	RULE_FOR(VMCS_GUEST_IA32_EFER, "guest-efer-lma", REGISTERS, guest_efer_lma,
		 "LMA must equal the IA-32e mode guest control",
		 VMCS_GUEST_IA32_EFER, VMCS_ENTRY_CONTROLS),
	RULE_FOR(VMCS_GUEST_IA32_EFER, "guest-efer-lme", REGISTERS, guest_efer_lme,
		 "LMA must equal LME where CR0.PG is 1",
		 VMCS_GUEST_IA32_EFER, VMCS_GUEST_CR0),
	FIELD_RULE(VMCS_GUEST_IA32_BNDCFGS, "guest-bndcfgs-reserved", REGISTERS,
		   guest_bndcfgs_reserved, "reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_BNDCFGS, "guest-bndcfgs-address", REGISTERS,
		   guest_bndcfgs_address, "the address must be canonical"),
	FIELD_RULE(VMCS_GUEST_IA32_RTIT_CTL, "guest-rtit-ctl", REGISTERS,
		   guest_rtit_ctl, "reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_S_CET, "guest-s-cet-reserved", REGISTERS,
		   guest_s_cet_reserved, "reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_S_CET, "guest-s-cet-state", REGISTERS,
		   guest_s_cet_state, "SUPPRESS and TRACKER must not both be 1"),
	FIELD_RULE(VMCS_GUEST_IA32_LBR_CTL, "guest-lbr-ctl", REGISTERS,
		   guest_lbr_ctl, "reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_PKRS, "guest-pkrs", REGISTERS,
		   guest_pkrs, "bits 63:32 must be 0"),
	FIELD_RULE(VMCS_GUEST_UINV, "guest-uinv", REGISTERS,
		   guest_uinv, "bits 15:8 must be 0"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_CONFIG, "guest-fred-config", REGISTERS,
		   guest_fred_config, "reserved bits must be 0, the address canonical"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_RSP1, "guest-fred-rsp1", REGISTERS,
		   guest_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_RSP2, "guest-fred-rsp2", REGISTERS,
		   guest_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_RSP3, "guest-fred-rsp3", REGISTERS,
		   guest_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_SSP1, "guest-fred-ssp1", REGISTERS,
		   guest_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_SSP2, "guest-fred-ssp2", REGISTERS,
		   guest_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_FRED_SSP3, "guest-fred-ssp3", REGISTERS,
		   guest_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_GUEST_IA32_SPEC_CTRL, "guest-spec-ctrl", REGISTERS,
		   guest_spec_ctrl, "reserved bits must be 0"),
};

const struct tpz_rule_table vmx_guest_register_rules = RULE_TABLE(register_rules);
