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
#define EFER_SVME		(1 << 12)
#define INJECT(type, vector)	SET(EVENTINJ, EVENT_VALID | (type) << EVENT_TYPE_SHIFT | (vector))

/* The CPU says no more than that it refused. QEMU writes 32 bits of the code, a CPU 64; hw_reason holds 32 */
static const struct refusal invalid = { 0, (__u32)SVM_EXIT_INVALID, 0 };

static bool backend_is_svm(void)
{
	struct tpz_info info = { .size = sizeof(info) };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	bool svm = fd >= 0 && !ioctl(fd, TPZ_GET_INFO, &info) && info.backend == TPZ_BACKEND_SVM;

	if (fd >= 0)
		close(fd);
	return svm;
}

static bool cpu_is_tcg(void)
{
	__u32 eax, ebx, ecx, edx;

	__asm__("cpuid" : "=a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx) : "a" (0x40000000), "c" (0));
	return ebx == 0x54474354;	/* "TCGT", CGTCGTCG" */
}

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
	{ "event-vector", ANY, INJECT(EVENT_TYPE_EXCEPTION, 2), NULL },
	{ "event-vector", ANY, INJECT(EVENT_TYPE_EXCEPTION, 31), NULL },
	{ "event-vector", ANY, INJECT(EVENT_TYPE_EXCEPTION, 32), NULL },
	{ "event-vector", ANY, INJECT(EVENT_TYPE_EXCEPTION, 255), NULL },
};

static void svm_events(void)
{
	break_rules(svm_event_rules, ARRAY_SIZE(svm_event_rules), &invalid);
}

static const struct rule svm_nested_rules[] = {
	{ "nested-cr3", ANY, FLIP(N_CR3, TOO_WIDE), NULL },
	{ "guest-pat", ANY, SET(G_PAT, 2), NULL },
};

static void svm_nested_paging(void)
{
	break_rules(svm_nested_rules, ARRAY_SIZE(svm_nested_rules), &invalid);
}

static const struct rule svm_unchecked_rules[] = {
	{ "event-mode", L, INJECT(EVENT_TYPE_EXCEPTION, 5), NULL },
	{ "event-vector", ANY, INJECT(EVENT_TYPE_EXCEPTION, 15), NULL },
	{ "asid-exists", ANY, SET(GUEST_ASID, 0xffffffff), NULL },
};

static void svm_unchecked(void)
{
	break_rules(svm_unchecked_rules, ARRAY_SIZE(svm_unchecked_rules), &invalid);
}

static void svm_optional(void)
{
	SKIP("todo %d", cpu_is_tcg());
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
