// SPDX-License-Identifier: GPL-2.0
/* SDM 29.3.1.3 to 29.3.1.6: descriptor tables, RIP and flags, non-register state, PDPTEs. */

#include "rules_helpers.h"

#define DESCRIPTOR_TABLES "29.3.1.3 Checks on Guest Descriptor-Table Registers"
#define RIP_RFLAGS "29.3.1.4 Checks on Guest RIP, RFLAGS, and SSP"
#define NON_REGISTER "29.3.1.5 Checks on Guest Non-Register State"
#define PDPTES "29.3.1.6 Checks on Guest Page-Directory-Pointer-Table Entries"

static bool table_base(const struct tpz_rule_ctx *ctx, u32 field)
{
	return is_canonical(ctx, get(ctx, field));
}

static bool table_limit(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field) <= 0xffff;
}

static bool guest_runs_64bit(const struct tpz_rule_ctx *ctx)
{
	return ia32e_guest(ctx) && (get(ctx, VMCS_GUEST_CS_ACCESS_RIGHTS) & VMCS_AR_L);
}

static bool rip_32bit(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(!guest_runs_64bit(ctx), !(get(ctx, field) >> 32));
}

static bool rip_64bit(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(guest_runs_64bit(ctx), is_almost_canonical(ctx, get(ctx, field)));
}

static bool rflags_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 reserved = GENMASK_ULL(63, 22) | BIT_ULL(15) | BIT_ULL(5) | BIT_ULL(3);

	return !(get(ctx, field) & reserved);
}

static bool rflags_fixed(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field) & X86_EFLAGS_FIXED;
}

static bool rflags_vm(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(ia32e_guest(ctx) || !(get(ctx, VMCS_GUEST_CR0) & X86_CR0_PE),
		       !(get(ctx, field) & X86_EFLAGS_VM));
}

static bool rflags_if(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(injects(ctx, INTR_INFO_EXTERNAL), get(ctx, field) & X86_EFLAGS_IF);
}

static bool ssp_alignment(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_CET_STATE, !(get(ctx, field) & 3));
}

static bool ssp_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(entry_controls(ctx) & ENTRY_LOAD_CET_STATE,
		       is_almost_canonical(ctx, get(ctx, field)));
}

/*
 * Activity and interruptibility
 */

static u64 activity(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_GUEST_ACTIVITY);
}

static u64 interruptibility(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_GUEST_INTERRUPTIBILITY);
}

static bool blocked_by_sti_or_ss(const struct tpz_rule_ctx *ctx)
{
	return interruptibility(ctx) & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
}

static bool activity_supported(const struct tpz_rule_ctx *ctx, u32 field)
{
	switch (activity(ctx)) {
	case ACTIVITY_ACTIVE:
		return true;
	case ACTIVITY_HLT:
		return caps(ctx)->misc & VMX_CAP_MISC_HLT;
	case ACTIVITY_SHUTDOWN:
		return caps(ctx)->misc & VMX_CAP_MISC_SHUTDOWN;
	case ACTIVITY_WAIT_FOR_SIPI:
		return caps(ctx)->misc & VMX_CAP_MISC_WAIT_FOR_SIPI;
	default:
		return false;
	}
}

static bool activity_hlt_cpl(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(activity(ctx) == ACTIVITY_HLT,
		       !(get(ctx, VMCS_GUEST_SS_ACCESS_RIGHTS) & VMCS_AR_DPL));
}

static bool activity_blocked(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(blocked_by_sti_or_ss(ctx), activity(ctx) == ACTIVITY_ACTIVE);
}

static bool injects_any(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_ENTRY_INTR_INFO) & INTR_INFO_VALID;
}

static bool injects_vector(const struct tpz_rule_ctx *ctx, u32 type, u32 vector)
{
	return injects(ctx, type) &&
	       (get(ctx, VMCS_ENTRY_INTR_INFO) & INTR_INFO_VECTOR) == vector;
}

#define VECTOR_DB 1
#define VECTOR_MC 18

static bool event_in_hlt(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(activity(ctx) == ACTIVITY_HLT && injects_any(ctx),
		       injects(ctx, INTR_INFO_EXTERNAL) || injects(ctx, INTR_INFO_NMI) ||
		       injects_vector(ctx, INTR_INFO_HARDWARE_EXCEPTION, VECTOR_DB) ||
		       injects_vector(ctx, INTR_INFO_HARDWARE_EXCEPTION, VECTOR_MC) ||
		       injects_vector(ctx, INTR_INFO_OTHER_EVENT, INTR_OTHER_MTF));
}

static bool event_in_shutdown(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(activity(ctx) == ACTIVITY_SHUTDOWN && injects_any(ctx),
		       injects(ctx, INTR_INFO_NMI) ||
		       injects_vector(ctx, INTR_INFO_HARDWARE_EXCEPTION, VECTOR_MC));
}

static bool event_in_wait_for_sipi(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(activity(ctx) == ACTIVITY_WAIT_FOR_SIPI, !injects_any(ctx));
}

static bool interruptibility_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & INTERRUPTIBILITY_RESERVED);
}

static bool sti_or_ss(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & INTERRUPTIBILITY_STI) ||
	       !(get(ctx, field) & INTERRUPTIBILITY_MOV_SS);
}

static bool sti_if(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(interruptibility(ctx) & INTERRUPTIBILITY_STI,
		       get(ctx, VMCS_GUEST_RFLAGS) & X86_EFLAGS_IF);
}

static bool event_not_blocked(const struct tpz_rule_ctx *ctx, u32 type)
{
	return implies(injects(ctx, type), !blocked_by_sti_or_ss(ctx));
}

static bool smi_blocking(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & INTERRUPTIBILITY_SMI);
}

static bool virtual_nmi_blocking(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies((pin(ctx) & PIN_VIRTUAL_NMIS) && injects(ctx, INTR_INFO_NMI),
		       !(interruptibility(ctx) & INTERRUPTIBILITY_NMI));
}

static bool enclave_supported(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(get(ctx, field) & INTERRUPTIBILITY_ENCLAVE, caps(ctx)->sgx);
}

static bool enclave_ss(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(get(ctx, field) & INTERRUPTIBILITY_ENCLAVE,
		       !(get(ctx, field) & INTERRUPTIBILITY_MOV_SS));
}

/*
 * Pending debug exceptions
 */

static u64 pending_debug(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_GUEST_PENDING_DEBUG);
}

static bool pending_reserved(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 reserved = GENMASK_ULL(63, 17) | BIT_ULL(15) | BIT_ULL(13) | GENMASK_ULL(11, 4);

	if (caps(ctx)->bus_lock_detect)
		reserved &= ~PENDING_DEBUG_BUS_LOCK;
	return !(get(ctx, field) & reserved);
}

/* Does the guest resume in a state where a single step may be pending? */
static bool step_may_be_pending(const struct tpz_rule_ctx *ctx)
{
	return blocked_by_sti_or_ss(ctx) || activity(ctx) == ACTIVITY_HLT;
}

static bool single_steps(const struct tpz_rule_ctx *ctx)
{
	return (get(ctx, VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF) &&
	       !(get(ctx, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF);
}

static bool pending_step(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(step_may_be_pending(ctx) && single_steps(ctx),
		       pending_debug(ctx) & PENDING_DEBUG_BS);
}

static bool pending_no_step(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(step_may_be_pending(ctx) && !single_steps(ctx),
		       !(pending_debug(ctx) & PENDING_DEBUG_BS));
}

static bool pending_rtm_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(pending_debug(ctx) & PENDING_DEBUG_RTM,
		       pending_debug(ctx) == (PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED_BP));
}

static bool pending_rtm_supported(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(pending_debug(ctx) & PENDING_DEBUG_RTM, caps(ctx)->rtm);
}

static bool pending_rtm_ss(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(pending_debug(ctx) & PENDING_DEBUG_RTM,
		       !(interruptibility(ctx) & INTERRUPTIBILITY_MOV_SS));
}

/*
 * VMCS link pointer and page-directory-pointer-table entries
 */

static bool links(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_LINK_POINTER) != VMCS_NO_LINK;
}

static bool link_alignment(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(links(ctx), !(get(ctx, field) & 0xfff));
}

static bool link_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(links(ctx), is_physical(ctx, get(ctx, field)));
}

static bool link_not_itself(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(ctx->address, get(ctx, field) != ctx->address);
}

static bool pae_paging_with_ept(const struct tpz_rule_ctx *ctx)
{
	return (secondary(ctx) & SECONDARY_ENABLE_EPT) && !ia32e_guest(ctx) &&
	       (get(ctx, VMCS_GUEST_CR0) & X86_CR0_PG) &&
	       (get(ctx, VMCS_GUEST_CR4) & X86_CR4_PAE);
}

static bool is_pdpte(const struct tpz_rule_ctx *ctx, u64 pdpte)
{
	u64 reserved = GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5);

	return !(pdpte & 1) || (!(pdpte & reserved) && is_physical(ctx, pdpte));
}

static bool guest_pdpte(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(pae_paging_with_ept(ctx), is_pdpte(ctx, get(ctx, field)));
}

static const struct tpz_rule state_rules[] = {
	FIELD_RULE(VMCS_GUEST_GDTR_BASE, "guest-gdtr-base", DESCRIPTOR_TABLES,
		   table_base, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_IDTR_BASE, "guest-idtr-base", DESCRIPTOR_TABLES,
		   table_base, "must be canonical"),
	FIELD_RULE(VMCS_GUEST_GDTR_LIMIT, "guest-gdtr-limit", DESCRIPTOR_TABLES,
		   table_limit, "bits 31:16 must be 0"),
	FIELD_RULE(VMCS_GUEST_IDTR_LIMIT, "guest-idtr-limit", DESCRIPTOR_TABLES,
		   table_limit, "bits 31:16 must be 0"),

	RULE_FOR(VMCS_GUEST_RIP, "guest-rip-32bit", RIP_RFLAGS, rip_32bit,
		 "bits 63:32 must be 0 outside 64-bit mode",
		 VMCS_GUEST_RIP, VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_ENTRY_CONTROLS),
	FIELD_RULE(VMCS_GUEST_RIP, "guest-rip-64bit", RIP_RFLAGS,
		   rip_64bit, "the bits above the linear-address width must all be equal"),
	FIELD_RULE(VMCS_GUEST_RFLAGS, "guest-rflags-reserved", RIP_RFLAGS,
		   rflags_reserved, "bits 63:22, 15, 5 and 3 must be 0"),
	FIELD_RULE(VMCS_GUEST_RFLAGS, "guest-rflags-fixed", RIP_RFLAGS,
		   rflags_fixed, "bit 1 must be 1"),
	RULE_FOR(VMCS_GUEST_RFLAGS, "guest-rflags-vm", RIP_RFLAGS, rflags_vm,
		 "VM must be 0 in IA-32e mode and where CR0.PE is 0",
		 VMCS_GUEST_RFLAGS, VMCS_GUEST_CR0, VMCS_ENTRY_CONTROLS),
	RULE_FOR(VMCS_GUEST_RFLAGS, "guest-rflags-if", RIP_RFLAGS, rflags_if,
		 "IF must be 1 to inject an external interrupt",
		 VMCS_GUEST_RFLAGS, VMCS_ENTRY_INTR_INFO),
	FIELD_RULE(VMCS_GUEST_SSP, "guest-ssp-alignment", RIP_RFLAGS,
		   ssp_alignment, "bits 1:0 must be 0"),
	FIELD_RULE(VMCS_GUEST_SSP, "guest-ssp", RIP_RFLAGS,
		   ssp_width, "the bits above the linear-address width must all be equal"),

	FIELD_RULE(VMCS_GUEST_ACTIVITY, "guest-activity", NON_REGISTER,
		   activity_supported, "must be an activity state that this CPU has"),
	RULE("guest-hlt-cpl", NON_REGISTER, activity_hlt_cpl,
	     "SS.DPL must be 0 in the HLT state",
	     VMCS_GUEST_SS_ACCESS_RIGHTS, VMCS_GUEST_ACTIVITY),
	RULE("guest-blocked-is-active", NON_REGISTER, activity_blocked,
	     "a guest with blocking by STI or MOV SS must be active",
	     VMCS_GUEST_ACTIVITY, VMCS_GUEST_INTERRUPTIBILITY),
	RULE("guest-hlt-event", NON_REGISTER, event_in_hlt,
	     "the HLT state takes interrupts, NMIs, #DB, #MC and MTF only",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_ACTIVITY),
	RULE("guest-shutdown-event", NON_REGISTER, event_in_shutdown,
	     "the shutdown state takes NMIs and #MC only",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_ACTIVITY),
	RULE("guest-wait-for-sipi-event", NON_REGISTER, event_in_wait_for_sipi,
	     "the wait-for-SIPI state takes no injected event",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_ACTIVITY),
	/* Entry to SMM has two more rules, which "entry-to-smm" precedes. */
	FIELD_RULE(VMCS_GUEST_INTERRUPTIBILITY, "guest-interruptibility-reserved", NON_REGISTER,
		   interruptibility_reserved, "bits 31:5 must be 0"),
	FIELD_RULE(VMCS_GUEST_INTERRUPTIBILITY, "guest-sti-or-mov-ss", NON_REGISTER,
		   sti_or_ss, "blocking by STI and by MOV SS exclude each other"),
	RULE("guest-sti-needs-if", NON_REGISTER, sti_if,
	     "blocking by STI needs RFLAGS.IF",
	     VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_RFLAGS),
	RULE_FOR(INTR_INFO_EXTERNAL, "guest-interrupt-blocked", NON_REGISTER, event_not_blocked,
		 "blocking by STI or MOV SS excludes the injection of an interrupt",
		 VMCS_GUEST_INTERRUPTIBILITY, VMCS_ENTRY_INTR_INFO),
	RULE_FOR(INTR_INFO_NMI, "guest-nmi-blocked", NON_REGISTER, event_not_blocked,
		 "blocking by STI or MOV SS excludes the injection of an NMI",
		 VMCS_GUEST_INTERRUPTIBILITY, VMCS_ENTRY_INTR_INFO),
	FIELD_RULE(VMCS_GUEST_INTERRUPTIBILITY, "guest-smi-blocking", NON_REGISTER,
		   smi_blocking, "blocking by SMI must be 0 outside SMM"),
	RULE("guest-virtual-nmi-blocked", NON_REGISTER, virtual_nmi_blocking,
	     "blocking by virtual NMI excludes the injection of an NMI",
	     VMCS_GUEST_INTERRUPTIBILITY, VMCS_ENTRY_INTR_INFO, VMCS_PIN_BASED_CONTROLS),
	FIELD_RULE(VMCS_GUEST_INTERRUPTIBILITY, "guest-enclave-mov-ss", NON_REGISTER,
		   enclave_ss, "enclave interruption and blocking by MOV SS exclude each other"),
	FIELD_RULE(VMCS_GUEST_INTERRUPTIBILITY, "guest-enclave-supported", NON_REGISTER,
		   enclave_supported, "enclave interruption must be 0 on a CPU without SGX"),
	FIELD_RULE(VMCS_GUEST_PENDING_DEBUG, "guest-pending-debug-reserved", NON_REGISTER,
		   pending_reserved, "reserved bits must be 0"),
	RULE("guest-pending-step", NON_REGISTER, pending_step,
	     "BS must be 1 when blocked or halted while single-stepping",
	     VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_RFLAGS, VMCS_GUEST_IA32_DEBUGCTL,
	     VMCS_GUEST_INTERRUPTIBILITY),
	RULE("guest-pending-no-step", NON_REGISTER, pending_no_step,
	     "BS must be 0 when blocked or halted and not single-stepping",
	     VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_RFLAGS, VMCS_GUEST_IA32_DEBUGCTL,
	     VMCS_GUEST_INTERRUPTIBILITY),
	FIELD_RULE(VMCS_GUEST_PENDING_DEBUG, "guest-pending-rtm", NON_REGISTER,
		   pending_rtm_bits, "RTM must come with the enabled-breakpoint bit alone"),
	FIELD_RULE(VMCS_GUEST_PENDING_DEBUG, "guest-pending-rtm-supported", NON_REGISTER,
		   pending_rtm_supported, "RTM must be 0 on a CPU without RTM"),
	RULE("guest-pending-rtm-mov-ss", NON_REGISTER, pending_rtm_ss,
	     "RTM and blocking by MOV SS exclude each other",
	     VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_INTERRUPTIBILITY),
	FIELD_RULE(VMCS_LINK_POINTER, "vmcs-link-alignment", NON_REGISTER,
		   link_alignment, "must be 4-KByte aligned, or all ones for none"),
	FIELD_RULE(VMCS_LINK_POINTER, "vmcs-link-width", NON_REGISTER,
		   link_width, "must be within the physical-address width, or all ones for none"),
	FIELD_RULE(VMCS_LINK_POINTER, "vmcs-link-itself", NON_REGISTER,
		   link_not_itself, "a VMCS must not link to itself"),

	FIELD_RULE(VMCS_GUEST_PDPTE0, "guest-pdpte0", PDPTES,
		   guest_pdpte, "a present entry's reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_PDPTE1, "guest-pdpte1", PDPTES,
		   guest_pdpte, "a present entry's reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_PDPTE2, "guest-pdpte2", PDPTES,
		   guest_pdpte, "a present entry's reserved bits must be 0"),
	FIELD_RULE(VMCS_GUEST_PDPTE3, "guest-pdpte3", PDPTES,
		   guest_pdpte, "a present entry's reserved bits must be 0"),
};

const struct tpz_rule_table vmx_guest_state_rules = RULE_TABLE(state_rules);
