// SPDX-License-Identifier: GPL-2.0
/* The rules of VMRUN, in the APM's order: see rules.h. */

#include "../rule_table.h"
#include "caps.h"
#include "rules.h"
#include "vmcb.h"

#define CONSISTENCY	"15.5.1 Canonicalization and Consistency Checks"
#define INJECTION	"15.20 Event Injection"
#define VIRTUAL_NMI	"15.21.10 NMI Virtualization"
#define NESTED_PAGING	"15.25.4 Nested Paging and VMRUN/#VMEXIT"
#define SHADOW_STACKS	"15.25.14 Supervisor Shadow Stacks"
#define AVIC_CONTROL	"15.29.4.1 VMCB Virtual Interrupt Control Word"
#define AVIC_POINTERS	"15.29.4.3 Physical Address Pointer Restrictions"

static const struct svm_caps *caps(const struct tpz_rule_ctx *ctx)
{
	return ctx->caps;
}

static bool has(const struct tpz_rule_ctx *ctx, u32 feature)
{
	return caps(ctx)->features & feature;
}

static bool is_physical(const struct tpz_rule_ctx *ctx, u64 address)
{
	return !(address >> caps(ctx)->physical_bits);
}

/* VMRUN's view of long mode: EFER.LMA follows from these two */
static bool long_mode(const struct tpz_rule_ctx *ctx)
{
	return (get(ctx, VMCB_EFER) & EFER_LME) && (get(ctx, VMCB_CR0) & X86_CR0_PG);
}

/*
 * 15.5.1: registers
 */

static bool efer_svme(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field) & EFER_SVME;
}

static bool nw_needs_cd(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 cr0 = get(ctx, field);

	return implies(cr0 & X86_CR0_NW, cr0 & X86_CR0_CD);
}

static bool high_half_clear(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) >> 32);
}

static bool guest_cr3(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(long_mode(ctx), is_physical(ctx, get(ctx, field)));
}

static bool cr4_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & ~caps(ctx)->cr4_bits);
}

static bool efer_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return !(get(ctx, field) & ~caps(ctx)->efer_bits);
}

static bool long_mode_pae(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(long_mode(ctx), get(ctx, VMCB_CR4) & X86_CR4_PAE);
}

static bool long_mode_pe(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(long_mode(ctx), get(ctx, VMCB_CR0) & X86_CR0_PE);
}

static bool long_mode_cs(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 attributes = get(ctx, VMCB_CS_ATTRIBUTES);

	return implies(long_mode(ctx) && (get(ctx, VMCB_CR4) & X86_CR4_PAE),
		       !(attributes & VMCB_ATTR_L) || !(attributes & VMCB_ATTR_DB));
}

/*
 * 15.5.1: controls
 */

static bool vmrun_intercept(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field) & INTERCEPT4_VMRUN;
}

#define IOPM_BYTES	0x3000
#define MSRPM_BYTES	0x2000

/* Bits 11:0 of a base are ignored (15.10.1, 15.11) */
static bool map_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 bytes = field == VMCB_IOPM_BASE_PA ? IOPM_BYTES : MSRPM_BYTES;
	u64 first = get(ctx, field) & ~0xfffULL;

	return is_physical(ctx, first) && is_physical(ctx, first + bytes - 1);
}

static bool asid_not_host(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field);
}

static bool asid_exists(const struct tpz_rule_ctx *ctx, u32 field)
{
	return get(ctx, field) < caps(ctx)->asids;
}

/*
 * 15.5.1: shadow stacks
 */

#define S_CET_SHADOW_STACKS	GENMASK_ULL(1, 0)	/* SH_STK_EN, WR_SHSTK_EN: the bits that AMD's CPUs have */

static bool s_cet_bits(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(caps(ctx)->cr4_bits & X86_CR4_CET, !(get(ctx, field) & ~S_CET_SHADOW_STACKS));
}

static bool cet_wp(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(get(ctx, VMCB_CR4) & X86_CR4_CET, get(ctx, VMCB_CR0) & X86_CR0_WP);
}

/*
 * 15.20: the event to be injected
 */

static bool injects(const struct tpz_rule_ctx *ctx, u64 type)
{
	u64 event = get(ctx, VMCB_EVENTINJ);

	return (event & SVM_EVENT_VALID) && (event & SVM_EVENT_TYPE) >> SVM_EVENT_TYPE_SHIFT == type;
}

static bool event_type(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(get(ctx, field) & SVM_EVENT_VALID,
		       injects(ctx, SVM_EVENT_TYPE_INTR) || injects(ctx, SVM_EVENT_TYPE_NMI) ||
		       injects(ctx, SVM_EVENT_TYPE_EXCEPTION) || injects(ctx, SVM_EVENT_TYPE_SOFT));
}

#define NO_EXCEPTIONS	((u32)(BIT(2) | BIT(15) | BIT(20) | GENMASK_ULL(27, 22) | BIT(31)))	/* 8.2, table 8-1 */

static bool event_vector(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 vector = get(ctx, field) & SVM_EVENT_VECTOR;

	return implies(injects(ctx, SVM_EVENT_TYPE_EXCEPTION), vector < 32 && !(NO_EXCEPTIONS & BIT(vector)));
}

#define VECTOR_BR	5	/* BOUND, which 64-bit code does not have */

static bool event_mode(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(injects(ctx, SVM_EVENT_TYPE_EXCEPTION) && (get(ctx, VMCB_EVENTINJ) & SVM_EVENT_VECTOR) == VECTOR_BR,
		       !long_mode(ctx) || !(get(ctx, VMCB_CS_ATTRIBUTES) & VMCB_ATTR_L));
}

/*
 * 15.21.10, 15.25: NMIs, nested paging
 */

static bool virtual_nmi(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(has(ctx, SVM_CPUID_VNMI) && (get(ctx, VMCB_VINTR) & VINTR_V_NMI_ENABLE),
		       get(ctx, VMCB_INTERCEPT3) & INTERCEPT3_NMI);
}

static bool nested_paging(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCB_NP_ENABLE) & NP_ENABLE;
}

static bool nested_cr3(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(nested_paging(ctx), is_physical(ctx, get(ctx, field)));
}

static bool guest_pat(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(nested_paging(ctx), is_pat(get(ctx, field)));
}

static bool shadow_stack_pages(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(has(ctx, SVM_CPUID_SSS) && (get(ctx, field) & NP_SSS), nested_paging(ctx));
}

/*
 * 15.29: AVIC
 */

static bool avic(const struct tpz_rule_ctx *ctx)
{
	return has(ctx, SVM_CPUID_AVIC) && (get(ctx, VMCB_VINTR) & VINTR_AVIC_ENABLE);
}

static bool x2avic(const struct tpz_rule_ctx *ctx)
{
	return has(ctx, SVM_CPUID_X2AVIC) && (get(ctx, VMCB_VINTR) & VINTR_X2AVIC_ENABLE);
}

static bool avic_np(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(avic(ctx), nested_paging(ctx));
}

static bool x2avic_avic(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(x2avic(ctx), avic(ctx));
}

static bool avic_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(avic(ctx), is_physical(ctx, get(ctx, field)));
}

static bool avic_max_index(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 last = get(ctx, field) & AVIC_MAX_INDEX;

	if (!avic(ctx))
		return true;
	if (!x2avic(ctx))
		return last <= 255;
	return last <= 511 || caps(ctx)->x2avic_ext;
}

static const struct tpz_rule rules[] = {
	FIELD_RULE(VMCB_EFER, "guest-efer-svme", CONSISTENCY, efer_svme,
		   "EFER.SVME must be 1"),
	FIELD_RULE(VMCB_CR0, "guest-cr0-nw-needs-cd", CONSISTENCY, nw_needs_cd,
		   "CR0.NW needs CR0.CD"),
	FIELD_RULE(VMCB_CR0, "guest-cr0-high", CONSISTENCY, high_half_clear,
		   "bits 63:32 of CR0 must be 0"),
	RULE_FOR(VMCB_CR3, "guest-cr3", CONSISTENCY, guest_cr3,
		 "in long mode CR3 must be within the physical-address width",
		 VMCB_CR3, VMCB_EFER, VMCB_CR0),
	FIELD_RULE(VMCB_CR4, "guest-cr4-reserved", CONSISTENCY, cr4_bits,
		   "bits of CR4 that this CPU does not have must be 0"),
	FIELD_RULE(VMCB_DR6, "guest-dr6-high", CONSISTENCY, high_half_clear,
		   "bits 63:32 of DR6 must be 0"),
	FIELD_RULE(VMCB_DR7, "guest-dr7-high", CONSISTENCY, high_half_clear,
		   "bits 63:32 of DR7 must be 0"),
	FIELD_RULE(VMCB_EFER, "guest-efer-reserved", CONSISTENCY, efer_bits,
		   "bits of EFER that this CPU does not have must be 0"),
	RULE("guest-long-mode-needs-pae", CONSISTENCY, long_mode_pae,
	     "EFER.LME with CR0.PG needs CR4.PAE",
	     VMCB_EFER, VMCB_CR0, VMCB_CR4),
	RULE("guest-long-mode-needs-pe", CONSISTENCY, long_mode_pe,
	     "EFER.LME with CR0.PG needs CR0.PE",
	     VMCB_EFER, VMCB_CR0),
	RULE("guest-cs-long-and-default", CONSISTENCY, long_mode_cs,
	     "in long mode CS.L and CS.D must not both be 1",
	     VMCB_CS_ATTRIBUTES, VMCB_EFER, VMCB_CR0, VMCB_CR4),
	FIELD_RULE(VMCB_INTERCEPT4, "vmrun-intercept", CONSISTENCY, vmrun_intercept,
		   "VMRUN must be intercepted"),
	FIELD_RULE(VMCB_MSRPM_BASE_PA, "msrpm-width", CONSISTENCY, map_width,
		   "the MSR permission map must end within the physical-address width"),
	FIELD_RULE(VMCB_IOPM_BASE_PA, "iopm-width", CONSISTENCY, map_width,
		   "the I/O permission map must end within the physical-address width"),
	FIELD_RULE(VMCB_GUEST_ASID, "asid-not-host", CONSISTENCY, asid_not_host,
		   "the guest's ASID must not be 0, the host's"),
	FIELD_RULE(VMCB_GUEST_ASID, "asid-exists", CONSISTENCY, asid_exists,
		   "the guest's ASID must be one that this CPU has"),
	FIELD_RULE(VMCB_S_CET, "guest-s-cet", CONSISTENCY, s_cet_bits,
		   "reserved bits of S_CET must be 0"),
	RULE("guest-cet-needs-wp", CONSISTENCY, cet_wp,
	     "CR4.CET needs CR0.WP",
	     VMCB_CR4, VMCB_CR0),

	FIELD_RULE(VMCB_EVENTINJ, "event-type", INJECTION, event_type,
		   "the type must be 0 (INTR), 2 (NMI), 3 (exception) or 4 (INT n)"),
	FIELD_RULE(VMCB_EVENTINJ, "event-vector", INJECTION, event_vector,
		   "an exception's vector must be one of an exception (2 is not)"),
	RULE("event-mode", INJECTION, event_mode,
	     "the event must be possible in the guest's mode: no #BR in 64-bit code",
	     VMCB_EVENTINJ, VMCB_CS_ATTRIBUTES, VMCB_EFER, VMCB_CR0),

	RULE("virtual-nmi-needs-intercept", VIRTUAL_NMI, virtual_nmi,
	     "virtual NMIs need the NMI intercept",
	     VMCB_VINTR, VMCB_INTERCEPT3),

	FIELD_RULE(VMCB_N_CR3, "nested-cr3", NESTED_PAGING, nested_cr3,
		   "the nested CR3 must be within the physical-address width"),
	FIELD_RULE(VMCB_G_PAT, "guest-pat", NESTED_PAGING, guest_pat,
		   "each byte must be a memory type: 0, 1, 4, 5, 6 or 7"),
	FIELD_RULE(VMCB_NP_ENABLE, "shadow-stack-pages-need-np", SHADOW_STACKS, shadow_stack_pages,
		   "supervisor shadow stack pages need nested paging"),

	RULE("avic-needs-np", AVIC_CONTROL, avic_np,
	     "AVIC needs nested paging",
	     VMCB_VINTR, VMCB_NP_ENABLE),
	RULE("x2avic-needs-avic", AVIC_CONTROL, x2avic_avic,
	     "x2AVIC mode needs AVIC",
	     VMCB_VINTR),
	FIELD_RULE(VMCB_AVIC_BACKING_PAGE, "avic-backing-page", AVIC_POINTERS, avic_width,
		   "the virtual APIC's page must be within the physical-address width"),
	FIELD_RULE(VMCB_AVIC_LOGICAL_TABLE, "avic-logical-table", AVIC_POINTERS, avic_width,
		   "the logical APIC ID table must be within the physical-address width"),
	FIELD_RULE(VMCB_AVIC_PHYSICAL_TABLE, "avic-physical-table", AVIC_POINTERS, avic_width,
		   "the physical APIC ID table must be within the physical-address width"),
	RULE_FOR(VMCB_AVIC_PHYSICAL_TABLE, "avic-max-index", AVIC_POINTERS, avic_max_index,
		 "the largest index must be 255 or less, in x2AVIC mode 511",
		 VMCB_AVIC_PHYSICAL_TABLE, VMCB_VINTR),
};

static const struct tpz_rule_table table = RULE_TABLE(rules);
static const struct tpz_rule_table *const tables[] = { &table };

const struct tpz_rule_book svm_rule_book = {
	.manual = "APM 2",
	.field_name = vmcb_field_name,
	.tables = tables,
	.count = ARRAY_SIZE(tables),
};
