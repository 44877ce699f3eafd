/* SPDX-License-Identifier: GPL-2.0 */
/*
 * entry_rules.c on SVM: the rules of the APM, vol. 2, 15.5.1 "Canonicalization and Consistency Checks", and what other
 * sections add to them. Bochs says why it refuses (each row has its words); QEMU's TCG does not.
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

#define HOST_ASID		"attempt to run guest with host ASID"

/* The CPU says no more than that it refused. QEMU writes 32 bits of the code, a CPU 64; hw_reason holds 32 */
static const struct refusal invalid = { 0, (__u32)SVM_EXIT_INVALID, 0 };

/* ---- what both of the lab's emulators check */

static const struct rule svm_register_rules[] = {
	{ "guest-efer-svme", ANY, FLIP(EFER, EFER_SVME), "Guest EFER.SVME = 0" },
	{ "guest-cr0-nw-needs-cd", ANY, FLIP(CR0, CR0_NW), "CR0 is broken" },
	{ "guest-cr0-high", ANY, FLIP(CR0, HIGH), "Guest CR0[63:32] is not zero" },
	{ "guest-cr0-high", ANY, FLIP(CR0, TOP), "Guest CR0[63:32] is not zero" },
	{ "guest-cr4-reserved", ANY, FLIP(CR4, 1 << 19), "Guest CR4 reserved bits set" },
	{ "guest-cr4-reserved", ANY, FLIP(CR4, TOP), "Guest CR4[63:32] is not zero" },
	{ "guest-dr6-high", ANY, FLIP(DR6, HIGH), "Guest DR6[63:32] is not zero" },
	{ "guest-dr7-high", ANY, FLIP(DR7, HIGH), "Guest DR7[63:32] is not zero" },
	{ "guest-efer-reserved", ANY, FLIP(EFER, 1 << 1), "Guest EFER reserved bits set" },
	{ "guest-efer-reserved", ANY, FLIP(EFER, TOP), "Guest EFER[63:32] is not zero" },
	{ "guest-long-mode-needs-pae", L, FLIP(CR4, CR4_PAE), "CR4 is broken" },
	{ "guest-cs-long-and-default", L, FLIP(CS_ATTRIBUTES, VMCB_ATTR_DB), "VMCB CS.D_B/L mismatch" },
};

static void svm_registers(void)
{
	break_rules(svm_register_rules, ARRAY_SIZE(svm_register_rules), &invalid);
}

static const struct rule svm_control_rules[] = {
	{ "vmrun-intercept", ANY, FLIP(INTERCEPT4, INTERCEPT4_VMRUN), "VMRUN intercept bit is not set" },
	{ "msrpm-width", ANY, SET(MSRPM_BASE_PA, TOO_WIDE), "invalid MSRPM Base Address" },
	{ "iopm-width", ANY, SET(IOPM_BASE_PA, TOO_WIDE), "invalid IOPM Base Address" },
	{ "asid-not-host", ANY, SET(GUEST_ASID, 0), HOST_ASID },
};

static void svm_controls(void)
{
	break_rules(svm_control_rules, ARRAY_SIZE(svm_control_rules), &invalid);
}

static const struct rule svm_event_rules[] = {
	{ "event-type", ANY, INJECT(1, 0x20), "unsupported event injection type 1" },
	{ "event-type", ANY, INJECT(5, 1), "unsupported event injection type 5" },
	{ "event-type", ANY, INJECT(6, 3), "unsupported event injection type 6" },
	{ "event-type", ANY, INJECT(7, 0), "unsupported event injection type 7" },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 2), "invalid vector 2 for HW exception" },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 32), "invalid vector 32 for HW exception" },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 255), "invalid vector 255 for HW exception" },
};

static void svm_events(void)
{
	break_rules(svm_event_rules, ARRAY_SIZE(svm_event_rules), &invalid);
}

/* ---- what one of them lets in (Documentation/lab.md): the guest would go astray, or Bochs end the machine */

/* QEMU has its firmware's name, too */
static bool emulator_is_bochs(void)
{
	char header[16] = "";
	int fd = open("/sys/firmware/acpi/tables/FACP", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	CHECK_EQ(read(fd, header, sizeof(header)), (ssize_t)sizeof(header));
	close(fd);
	return !memcmp(header + 10, "BOCHS ", 6) && !machine.tcg;
}

static const struct rule svm_not_tcg_rules[] = {
	{ "nested-cr3", ANY, FLIP(N_CR3, TOO_WIDE), "NCR3 reserved bits set" },
	{ "guest-pat", ANY, SET(G_PAT, 2), "invalid memory type in guest PAT_MSR" },
};

static void svm_tcg_lets_in(void)
{
	not_in_tcg("does not check: nested-cr3, guest-pat");
	break_rules(svm_not_tcg_rules, ARRAY_SIZE(svm_not_tcg_rules), &invalid);
}

static const struct rule svm_not_bochs_rules[] = {
	{ "guest-cr3", L, FLIP(CR3, TOO_WIDE), NULL },
	{ "guest-long-mode-needs-pe", L, FLIP(CR0, CR0_PE), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 31), NULL },
};

static void svm_bochs_lets_in(void)
{
	if (emulator_is_bochs())
		SKIP("Bochs does not check: guest-cr3, event-vector of 31; it ends at guest-long-mode-needs-pe");
	break_rules(svm_not_bochs_rules, ARRAY_SIZE(svm_not_bochs_rules), &invalid);
}

static const struct rule svm_real_rules[] = {
	{ "asid-exists", ANY, SET(GUEST_ASID, 0xffffffff), NULL },
	{ "event-vector", ANY, INJECT(SVM_EVENT_TYPE_EXCEPTION, 15), NULL },
	{ "event-mode", L, INJECT(SVM_EVENT_TYPE_EXCEPTION, 5), NULL },
};

static void svm_emulators_let_in(void)
{
	if (machine.tcg || emulator_is_bochs())
		SKIP("neither QEMU's TCG nor Bochs checks: asid-exists, event-vector (reserved ones below 31), event-mode");
	break_rules(svm_real_rules, ARRAY_SIZE(svm_real_rules), &invalid);
}

/* ---- what comes with a feature */

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

static const struct rule asid = { "asid-not-host", ANY, SET(GUEST_ASID, 0), HOST_ASID };
static const struct rule cr0 = { "guest-cr0-high", ANY, FLIP(CR0, HIGH), "Guest CR0[63:32] is not zero" };

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
