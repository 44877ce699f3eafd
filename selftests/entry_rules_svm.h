/* SPDX-License-Identifier: GPL-2.0 */
/*
 * entry_rules.c on SVM: the rules of the APM, vol. 2, 15.5.1 "Canonicalization and Consistency Checks", and what other
 * sections add to them.
 */

#define SET(field, value)	VMCB_##field, 0, value
#define FLIP(field, value)	VMCB_##field, TPZ_POKE_XOR, value
#define HIGH			(1ULL << 32)
#define TOP			(1ULL << 63)
#define CR0_PE			(1 << 0)
#define CR0_NW			(1 << 29)
#define CR4_CET			(1 << 23)
#define EFER_SVME		(1 << 12)
#define INJECT(type, vector)	SET(EVENTINJ, SVM_EVENT_VALID | (type) << SVM_EVENT_TYPE_SHIFT | (vector))

/* The CPU says no more than that it refused. QEMU writes 32 bits of the code, a CPU 64; hw_reason holds 32 */
static const struct refusal invalid = { 0, (__u32)SVM_EXIT_INVALID, 0 };

static const struct rule svm_register_rules[] = {
	{ "guest-efer-svme", ANY, FLIP(EFER, EFER_SVME), NULL },
	{ "guest-cr0-nw-needs-cd", ANY, FLIP(CR0, CR0_NW), NULL },
	{ "guest-cr0-high", ANY, FLIP(CR0, HIGH), NULL },
	{ "guest-cr0-high", ANY, FLIP(CR0, TOP), NULL },
	{ "guest-cr3", L, FLIP(CR3, TOO_WIDE), NULL },
	{ "guest-cr4-reserved", ANY, FLIP(CR4, 1 << 19), NULL },
	{ "guest-cr4-reserved", ANY, FLIP(CR4, TOP), NULL },
	{ "guest-dr6-high", ANY, FLIP(DR6, HIGH), NULL },
	{ "guest-dr7-high", ANY, FLIP(DR7, HIGH), NULL },
	{ "guest-efer-reserved", ANY, FLIP(EFER, 1 << 1), NULL },
	{ "guest-efer-reserved", ANY, FLIP(EFER, TOP), NULL },
	{ "guest-long-mode-needs-pae", L, FLIP(CR4, CR4_PAE), NULL },
	{ "guest-long-mode-needs-pe", L, FLIP(CR0, CR0_PE), NULL },
	{ "guest-cs-long-and-default", L, FLIP(CS_ATTRIBUTES, VMCB_ATTR_DB), NULL },
};

static void svm_registers(void)
{
	break_rules(svm_register_rules, ARRAY_SIZE(svm_register_rules), &invalid);
}

static const struct rule svm_control_rules[] = {
	{ "vmrun-intercept", ANY, FLIP(INTERCEPT4, INTERCEPT4_VMRUN), NULL },
	{ "msrpm-width", ANY, SET(MSRPM_BASE_PA, TOO_WIDE), NULL },
	{ "iopm-width", ANY, SET(IOPM_BASE_PA, TOO_WIDE), NULL },
	{ "asid-not-host", ANY, SET(GUEST_ASID, 0), NULL },
};

static void svm_controls(void)
{
	break_rules(svm_control_rules, ARRAY_SIZE(svm_control_rules), &invalid);
}

static const struct rule svm_event_rules[] = {
	{ "event-type", ANY, INJECT(1, 0x20), NULL },
	{ "event-type", ANY, INJECT(5, 1), NULL },
	{ "event-type", ANY, INJECT(6, 3), NULL },
	{ "event-type", ANY, INJECT(7, 0), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 2), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 31), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 32), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 255), NULL },
};

static void svm_events(void)
{
	break_rules(svm_event_rules, ARRAY_SIZE(svm_event_rules), &invalid);
}

/* QEMU's TCG enters with each of these (Documentation/lab.md), and the guest would go astray */
static const struct rule svm_untested_by_tcg[] = {
	{ "asid-exists", ANY, SET(GUEST_ASID, 0xffffffff), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 15), NULL },
	{ "event-mode", L, INJECT(SVM_EVENT_TYPE_EXCEPTION, 5), NULL },
	{ "nested-cr3", ANY, FLIP(N_CR3, TOO_WIDE), NULL },
	{ "guest-pat", ANY, SET(G_PAT, 2), NULL },
};

static void svm_tcg_lets_in(void)
{
	__u32 eax, signature, ecx, edx;

	cpuid(0x40000000, 0, &eax, &signature, &ecx, &edx);
	if (signature == 0x54474354)	/* "TCGT", of "TCGTCGTCGTCG" */
		SKIP("QEMU's TCG does not check: asid-exists, event-vector (reserved ones below 31), event-mode, nested-cr3, guest-pat");
	break_rules(svm_untested_by_tcg, ARRAY_SIZE(svm_untested_by_tcg), &invalid);
}

static const struct rule svm_vnmi_rules[] = {
	{ "virtual-nmi-needs-intercept", ANY, FLIP(INTERCEPT3, INTERCEPT3_NMI), NULL },
};

static const struct rule svm_x2avic_rules[] = {
	{ "x2avic-needs-avic", ANY, FLIP(VINTR, VINTR_X2AVIC_ENABLE), NULL },
};

static const struct rule svm_sss_rules[] = {
	{ "shadow-stack-pages-need-np", ANY, FLIP(NP_ENABLE, NP_ENABLE | NP_SSS), NULL },
};

static const struct rule svm_cet_rules[] = {
	{ "guest-s-cet", ANY, SET(S_CET, 1 << 2), NULL },
	{ "guest-cet-needs-wp", P | R, FLIP(CR4, CR4_CET), NULL },
};

static void svm_optional(void)
{
	__u32 eax, ebx, ecx, features;
	bool cet;

	cpuid(7, 0, &eax, &ebx, &ecx, &features);
	cet = ecx & 1 << 7;
	cpuid(0x8000000a, 0, &eax, &ebx, &ecx, &features);
	if (!(features & (SVM_CPUID_VNMI | SVM_CPUID_X2AVIC | SVM_CPUID_SSS)) && !cet)
		SKIP("this CPU has no virtual NMIs, x2AVIC, supervisor shadow stack pages or CET");
	if (features & SVM_CPUID_VNMI)
		break_rules(svm_vnmi_rules, ARRAY_SIZE(svm_vnmi_rules), &invalid);
	if (features & SVM_CPUID_X2AVIC)
		break_rules(svm_x2avic_rules, ARRAY_SIZE(svm_x2avic_rules), &invalid);
	if (features & SVM_CPUID_SSS)
		break_rules(svm_sss_rules, ARRAY_SIZE(svm_sss_rules), &invalid);
	if (cet)
		break_rules(svm_cet_rules, ARRAY_SIZE(svm_cet_rules), &invalid);
}

static const struct rule asid = { "asid-not-host", ANY, SET(GUEST_ASID, 0), NULL };
static const struct rule cr0 = { "guest-cr0-high", ANY, FLIP(CR0, HIGH), NULL };

static const __u32 svm_unpokeable[] = {
	VMCB_FIELD(control.exitcode),	/* written by the exit */
	VMCB_FIELD(control.iopm_base_pa) + 1,	/* in the middle of a field */
	1 << 16,			/* no such field */
};

static const struct vendor svm = {
	.chapter = "15.",
	.samples = {
		{ &asid, &invalid, "refused an entry (error 0, reason 0xffffffff): asid-not-host: " },
		{ &cr0, &invalid, "refused an entry (error 0, reason 0xffffffff): guest-cr0-high: " },
	},
	.unpokeable = svm_unpokeable,
	.nr_unpokeable = ARRAY_SIZE(svm_unpokeable),
};

#undef SET
#undef FLIP
