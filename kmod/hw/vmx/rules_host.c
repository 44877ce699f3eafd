// SPDX-License-Identifier: GPL-2.0
/* SDM 29.2.2 to 29.2.4: the rules for the host state, which the next exit will load. */

#include "rules_helpers.h"

#define HOST_REGISTERS "29.2.2 Checks on Host Control Registers, MSRs, and SSP"
#define HOST_SEGMENTS "29.2.3 Checks on Host Segment and Descriptor-Table Registers"
#define ADDRESS_SPACE "29.2.4 Checks Related to Address-Space Size"

static bool host_is_64bit(const struct tpz_rule_ctx *ctx)
{
	return exit_controls(ctx) & EXIT_HOST_ADDRESS_SPACE_SIZE;
}

/*
 * Control registers
 */

static bool host_cr0_required(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 required = caps(ctx)->cr0_fixed0 & ~CR0_NEVER_CHECKED;

	return !(required & ~get(ctx, VMCS_HOST_CR0));
}

static bool host_cr0_supported(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 supported = caps(ctx)->cr0_fixed1 | CR0_NEVER_CHECKED;

	return !(get(ctx, VMCS_HOST_CR0) & ~supported);
}

static bool host_cr4_required(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(caps(ctx)->cr4_fixed0 & ~get(ctx, VMCS_HOST_CR4));
}

static bool host_cr4_supported(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(get(ctx, VMCS_HOST_CR4) & ~caps(ctx)->cr4_fixed1);
}

static bool host_cet_wp(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(get(ctx, VMCS_HOST_CR4) & X86_CR4_CET,
		       get(ctx, VMCS_HOST_CR0) & X86_CR0_WP);
}

static bool host_cr3(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return is_cr3(ctx, get(ctx, VMCS_HOST_CR3));
}

static bool host_canonical(const struct tpz_rule_ctx *ctx, u32 field)
{
	return is_canonical(ctx, get(ctx, field));
}

/*
 * MSRs that the exit controls load
 */

static bool host_perf_global_ctrl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(exit_controls(ctx) & EXIT_LOAD_IA32_PERF_GLOBAL_CTRL,
		       !(get(ctx, field) & ~caps(ctx)->perf_global_ctrl_bits));
}

static bool host_pat(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(exit_controls(ctx) & EXIT_LOAD_IA32_PAT, is_pat(get(ctx, field)));
}

static bool host_efer_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(exit_controls(ctx) & EXIT_LOAD_IA32_EFER,
		       !(get(ctx, field) & ~caps(ctx)->efer_bits));
}

static bool host_efer_mode(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 mode = host_is_64bit(ctx) ? EFER_LMA | EFER_LME : 0;

	return implies(exit_controls(ctx) & EXIT_LOAD_IA32_EFER,
		       (get(ctx, field) & (EFER_LMA | EFER_LME)) == mode);
}

static bool loads_host_cet(const struct tpz_rule_ctx *ctx)
{
	return exit_controls(ctx) & EXIT_LOAD_CET_STATE;
}

static bool host_s_cet_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_cet(ctx), !(get(ctx, field) & S_CET_RESERVED));
}

static bool host_s_cet_state(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_cet(ctx), is_s_cet_state(get(ctx, field)));
}

static bool host_ssp_alignment(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_cet(ctx), !(get(ctx, field) & 3));
}

static bool host_pkrs(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(exit_controls(ctx) & EXIT_LOAD_PKRS, !(get(ctx, field) >> 32));
}

static bool loads_host_fred(const struct tpz_rule_ctx *ctx)
{
	return secondary_exit(ctx) & SECONDARY_EXIT_LOAD_FRED;
}

static bool host_fred_config(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_fred(ctx),
		       is_fred_address(ctx, get(ctx, field), FRED_CONFIG_RESERVED));
}

static bool host_fred_rsp(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_fred(ctx),
		       is_fred_address(ctx, get(ctx, field), FRED_RSP_RESERVED));
}

static bool host_fred_ssp(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_fred(ctx),
		       is_fred_address(ctx, get(ctx, field), FRED_SSP_RESERVED));
}

static bool host_spec_ctrl(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary_exit(ctx) & SECONDARY_EXIT_LOAD_IA32_SPEC_CTRL,
		       !(get(ctx, field) & ~caps(ctx)->spec_ctrl_bits));
}

/*
 * Segments
 */

static bool host_selector(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & 7);
}

static bool host_selector_not_null(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field);
}

static bool host_ss_not_null(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(!host_is_64bit(ctx), get(ctx, field));
}

/*
 * Address-space size
 */

static bool legacy_host_guest(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(!caps(ctx)->ia32e_mode, !ia32e_guest(ctx));
}

static bool legacy_host_stays(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(!caps(ctx)->ia32e_mode, !host_is_64bit(ctx));
}

static bool ia32e_host_stays(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(caps(ctx)->ia32e_mode, host_is_64bit(ctx));
}

static bool legacy_host_cr4(const struct tpz_rule_ctx *ctx, u32 bit)
{
	return implies(!host_is_64bit(ctx), !(get(ctx, VMCS_HOST_CR4) & BIT_ULL(bit)));
}

static bool legacy_host_rip(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(!host_is_64bit(ctx), !(get(ctx, field) >> 32));
}

static bool legacy_host_cet(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(!host_is_64bit(ctx) && loads_host_cet(ctx), !(get(ctx, field) >> 32));
}

static bool ia32e_host_pae(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(host_is_64bit(ctx), get(ctx, VMCS_HOST_CR4) & X86_CR4_PAE);
}

static bool ia32e_host_rip(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(host_is_64bit(ctx), is_canonical(ctx, get(ctx, field)));
}

static bool ia32e_host_cet(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(host_is_64bit(ctx) && loads_host_cet(ctx),
		       is_canonical(ctx, get(ctx, field)));
}

static bool host_ssp_table(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(loads_host_cet(ctx), is_canonical(ctx, get(ctx, field)));
}

static const struct tpz_rule host_rules[] = {
	RULE("host-cr0-required", HOST_REGISTERS, host_cr0_required,
	     "host CR0 must set the bits that VMX operation requires",
	     VMCS_HOST_CR0),
	RULE("host-cr0-supported", HOST_REGISTERS, host_cr0_supported,
	     "host CR0 must not set bits that VMX operation forbids",
	     VMCS_HOST_CR0),
	RULE("host-cr4-required", HOST_REGISTERS, host_cr4_required,
	     "host CR4 must set the bits that VMX operation requires",
	     VMCS_HOST_CR4),
	RULE("host-cr4-supported", HOST_REGISTERS, host_cr4_supported,
	     "host CR4 must not set bits that VMX operation forbids",
	     VMCS_HOST_CR4),
	RULE("host-cet-needs-wp", HOST_REGISTERS, host_cet_wp,
	     "CR4.CET needs CR0.WP",
	     VMCS_HOST_CR4, VMCS_HOST_CR0),
	RULE("host-cr3", HOST_REGISTERS, host_cr3,
	     "must be within the physical-address width",
	     VMCS_HOST_CR3),
	FIELD_RULE(VMCS_HOST_IA32_SYSENTER_ESP, "host-sysenter-esp", HOST_REGISTERS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_IA32_SYSENTER_EIP, "host-sysenter-eip", HOST_REGISTERS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_IA32_PERF_GLOBAL_CTRL, "host-perf-global-ctrl", HOST_REGISTERS,
		   host_perf_global_ctrl, "reserved bits must be 0"),
	FIELD_RULE(VMCS_HOST_IA32_PAT, "host-pat", HOST_REGISTERS,
		   host_pat, "each byte must be a memory type: 0, 1, 4, 5, 6 or 7"),
	FIELD_RULE(VMCS_HOST_IA32_EFER, "host-efer-reserved", HOST_REGISTERS,
		   host_efer_reserved, "reserved bits must be 0"),
	RULE_FOR(VMCS_HOST_IA32_EFER, "host-efer-mode", HOST_REGISTERS, host_efer_mode,
		 "LMA and LME must equal the host address-space size",
		 VMCS_HOST_IA32_EFER, VMCS_EXIT_CONTROLS),
	FIELD_RULE(VMCS_HOST_IA32_S_CET, "host-s-cet-reserved", HOST_REGISTERS,
		   host_s_cet_reserved, "reserved bits must be 0"),
	FIELD_RULE(VMCS_HOST_IA32_S_CET, "host-s-cet-state", HOST_REGISTERS,
		   host_s_cet_state, "SUPPRESS and TRACKER must not both be 1"),
	FIELD_RULE(VMCS_HOST_SSP, "host-ssp-alignment", HOST_REGISTERS,
		   host_ssp_alignment, "bits 1:0 must be 0"),
	FIELD_RULE(VMCS_HOST_IA32_PKRS, "host-pkrs", HOST_REGISTERS,
		   host_pkrs, "bits 63:32 must be 0"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_CONFIG, "host-fred-config", HOST_REGISTERS,
		   host_fred_config, "reserved bits must be 0, the address canonical"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_RSP1, "host-fred-rsp1", HOST_REGISTERS,
		   host_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_RSP2, "host-fred-rsp2", HOST_REGISTERS,
		   host_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_RSP3, "host-fred-rsp3", HOST_REGISTERS,
		   host_fred_rsp, "must be canonical and 64-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_SSP1, "host-fred-ssp1", HOST_REGISTERS,
		   host_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_SSP2, "host-fred-ssp2", HOST_REGISTERS,
		   host_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_FRED_SSP3, "host-fred-ssp3", HOST_REGISTERS,
		   host_fred_ssp, "must be canonical and 8-byte aligned"),
	FIELD_RULE(VMCS_HOST_IA32_SPEC_CTRL, "host-spec-ctrl", HOST_REGISTERS,
		   host_spec_ctrl, "reserved bits must be 0"),

#define SELECTOR_RULE(_seg, _name)							\
	FIELD_RULE(VMCS_HOST_##_seg##_SELECTOR, "host-" _name "-selector",		\
		   HOST_SEGMENTS, host_selector, "TI and RPL must be 0")
	SELECTOR_RULE(CS, "cs"),
	SELECTOR_RULE(SS, "ss"),
	SELECTOR_RULE(DS, "ds"),
	SELECTOR_RULE(ES, "es"),
	SELECTOR_RULE(FS, "fs"),
	SELECTOR_RULE(GS, "gs"),
	SELECTOR_RULE(TR, "tr"),
	FIELD_RULE(VMCS_HOST_CS_SELECTOR, "host-cs-not-null", HOST_SEGMENTS,
		   host_selector_not_null, "must not be 0"),
	FIELD_RULE(VMCS_HOST_TR_SELECTOR, "host-tr-not-null", HOST_SEGMENTS,
		   host_selector_not_null, "must not be 0"),
	RULE_FOR(VMCS_HOST_SS_SELECTOR, "host-ss-not-null", HOST_SEGMENTS, host_ss_not_null,
		 "must not be 0 for a host outside IA-32e mode",
		 VMCS_HOST_SS_SELECTOR, VMCS_EXIT_CONTROLS),
	FIELD_RULE(VMCS_HOST_FS_BASE, "host-fs-base", HOST_SEGMENTS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_GS_BASE, "host-gs-base", HOST_SEGMENTS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_GDTR_BASE, "host-gdtr-base", HOST_SEGMENTS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_IDTR_BASE, "host-idtr-base", HOST_SEGMENTS,
		   host_canonical, "must be canonical"),
	FIELD_RULE(VMCS_HOST_TR_BASE, "host-tr-base", HOST_SEGMENTS,
		   host_canonical, "must be canonical"),

	/* That a 32-bit host excludes an IA-32e-mode guest follows from these three. */
	RULE("legacy-host-excludes-ia32e-guest", ADDRESS_SPACE, legacy_host_guest,
	     "a host outside IA-32e mode must not have an IA-32e-mode guest",
	     VMCS_ENTRY_CONTROLS),
	RULE("legacy-host-stays-legacy", ADDRESS_SPACE, legacy_host_stays,
	     "the host address-space size must be 0 for a host outside IA-32e mode",
	     VMCS_EXIT_CONTROLS),
	RULE("ia32e-host-stays-ia32e", ADDRESS_SPACE, ia32e_host_stays,
	     "the host address-space size must be 1 for a host in IA-32e mode",
	     VMCS_EXIT_CONTROLS),
	RULE_FOR(X86_CR4_PCIDE_BIT, "legacy-host-pcide", ADDRESS_SPACE, legacy_host_cr4,
		 "CR4.PCIDE must be 0 for a host outside IA-32e mode",
		 VMCS_HOST_CR4, VMCS_EXIT_CONTROLS),
	RULE_FOR(CR4_FRED_BIT, "legacy-host-fred", ADDRESS_SPACE, legacy_host_cr4,
		 "CR4.FRED must be 0 for a host outside IA-32e mode",
		 VMCS_HOST_CR4, VMCS_EXIT_CONTROLS),
	RULE_FOR(VMCS_HOST_RIP, "legacy-host-rip", ADDRESS_SPACE, legacy_host_rip,
		 "bits 63:32 must be 0 for a host outside IA-32e mode",
		 VMCS_HOST_RIP, VMCS_EXIT_CONTROLS),
	RULE_FOR(VMCS_HOST_IA32_S_CET, "legacy-host-s-cet", ADDRESS_SPACE, legacy_host_cet,
		 "bits 63:32 must be 0 for a host outside IA-32e mode",
		 VMCS_HOST_IA32_S_CET, VMCS_EXIT_CONTROLS),
	RULE_FOR(VMCS_HOST_SSP, "legacy-host-ssp", ADDRESS_SPACE, legacy_host_cet,
		 "bits 63:32 must be 0 for a host outside IA-32e mode",
		 VMCS_HOST_SSP, VMCS_EXIT_CONTROLS),
	RULE("host-pae", ADDRESS_SPACE, ia32e_host_pae,
	     "CR4.PAE must be 1 for a host in IA-32e mode",
	     VMCS_HOST_CR4),
	FIELD_RULE(VMCS_HOST_RIP, "host-rip", ADDRESS_SPACE,
		   ia32e_host_rip, "must be canonical"),
	FIELD_RULE(VMCS_HOST_IA32_S_CET, "host-s-cet", ADDRESS_SPACE,
		   ia32e_host_cet, "must be canonical"),
	FIELD_RULE(VMCS_HOST_SSP, "host-ssp", ADDRESS_SPACE,
		   ia32e_host_cet, "must be canonical"),
	FIELD_RULE(VMCS_HOST_INTR_SSP_TABLE_ADDR, "host-ssp-table", ADDRESS_SPACE,
		   host_ssp_table, "must be canonical"),
};

const struct tpz_rule_table vmx_host_rules = RULE_TABLE(host_rules);
