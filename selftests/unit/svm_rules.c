// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of VMRUN (kmod/hw/svm/rules.h), tried on a made-up VMCB and a made-up CPU.
 *
 * 1. Guests of every mode that break no rule.
 * 2. For each rule, guests that break this rule and no other one; a rule without one fails.
 * 3. Guests at the edge of a rule, which must still be let in.
 * 4. The VMCB's layout, fields by number, names of fields and exit codes, against the manual's figures; the text for the log.
 */
#define _GNU_SOURCE		/* strverscmp() */
#include <string.h>

#include "../../kmod/hw/rules.c"
#include "../../kmod/hw/svm/rules.c"
#include "../../kmod/hw/svm/vmcb_names.c"

/* Cases leave out the members that they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define TOO_WIDE	BIT_ULL(44)	/* the made-up CPU's physical addresses have 44 bits */
#define ADDRESS		0x7000ULL	/* of the VMCB itself */

struct image {
	struct vmcb vmcb;
};

static u64 image_read(struct image *image, u32 field)
{
	return vmcb_read(&image->vmcb, field);
}

static void set(struct image *image, u32 field, u64 value)
{
	vmcb_write(&image->vmcb, field, value);
}

/*
 * The CPU has everything that the rules know
 */
static const struct svm_caps full_cpu = {
	.features = SVM_CPUID_NP | SVM_CPUID_NRIPS | SVM_CPUID_AVIC | SVM_CPUID_X2AVIC | SVM_CPUID_SSS | SVM_CPUID_VNMI,
	.asids = 16,
	.cr4_bits = 0xf70fff,
	.efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME,
	.physical_bits = 44,
};

/*
 * Guests
 */

static void set_segment(struct image *image, u32 selector_field, u16 selector, u64 base, u32 limit, u16 attributes)
{
	struct vmcb_segment *seg = (void *)((u8 *)&image->vmcb + VMCB_FIELD_OFFSET(selector_field));

	*seg = (struct vmcb_segment){ selector, attributes, limit, base };
}

/* Everything but the guest's mode */
static void any_guest(struct image *image)
{
	memset(image, 0, sizeof(*image));

	set(image, VMCB_INTERCEPT3, INTERCEPT3_INTR | INTERCEPT3_NMI | INTERCEPT3_IOIO_PROT | INTERCEPT3_MSR_PROT);
	set(image, VMCB_INTERCEPT4, INTERCEPT4_VMRUN | INTERCEPT4_VMMCALL);
	set(image, VMCB_IOPM_BASE_PA, 0x10000);
	set(image, VMCB_MSRPM_BASE_PA, 0x20000);
	set(image, VMCB_GUEST_ASID, 1);
	set(image, VMCB_VINTR, VINTR_V_INTR_MASKING);
	set(image, VMCB_NP_ENABLE, NP_ENABLE);
	set(image, VMCB_N_CR3, 0x5000);
	set(image, VMCB_EFER, EFER_SVME);
	set(image, VMCB_DR6, 0xffff0ff0);
	set(image, VMCB_DR7, 0x400);
	set(image, VMCB_RFLAGS, X86_EFLAGS_FIXED);
	set(image, VMCB_G_PAT, 0x0007040600070406ULL);
	set(image, VMCB_RIP, 0x8000);
}

static void flat_segments(struct image *image, u16 code)
{
	static const u32 data[] = { VMCB_ES_SELECTOR, VMCB_SS_SELECTOR, VMCB_DS_SELECTOR, VMCB_FS_SELECTOR,
				    VMCB_GS_SELECTOR };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(data); i++)
		set_segment(image, data[i], 0x18, 0, 0xffffffff, 0xc93);
	set_segment(image, VMCB_CS_SELECTOR, 0x10, 0, 0xffffffff, code);
	set_segment(image, VMCB_TR_SELECTOR, 0x20, 0, 0x67, 0x8b);
}

static void long_guest(struct image *image)
{
	any_guest(image);
	flat_segments(image, 0xa9b);
	set(image, VMCB_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG);
	set(image, VMCB_CR3, 0x2000);
	set(image, VMCB_CR4, X86_CR4_PAE);
	set(image, VMCB_EFER, EFER_SVME | EFER_LME | EFER_LMA | EFER_NX);
	set(image, VMCB_RIP, 0xffffffff80000000ULL);
}

static void compatibility_guest(struct image *image)
{
	long_guest(image);
	set(image, VMCB_CS_ATTRIBUTES, 0xc9b);
	set(image, VMCB_RIP, 0x8000);
}

static void protected_guest(struct image *image)
{
	any_guest(image);
	flat_segments(image, 0xc9b);
	set(image, VMCB_CR0, X86_CR0_PE);
}

static void pae_guest(struct image *image)
{
	protected_guest(image);
	set(image, VMCB_CR0, X86_CR0_PE | X86_CR0_PG);
	set(image, VMCB_CR4, X86_CR4_PAE);
}

static void real_guest(struct image *image)
{
	any_guest(image);
	set_segment(image, VMCB_CS_SELECTOR, 0xf000, 0xffff0000, 0xffff, 0x93);
	set_segment(image, VMCB_TR_SELECTOR, 0, 0, 0xffff, 0x8b);
	set(image, VMCB_CR0, X86_CR0_CD | X86_CR0_NW);
	set(image, VMCB_RIP, 0xfff0);
}

/* 15.19: VMRUN alone may make this combination */
static void paged_real_guest(struct image *image)
{
	real_guest(image);
	set(image, VMCB_CR0, X86_CR0_PG);
}

static void avic_guest(struct image *image)
{
	long_guest(image);
	set(image, VMCB_VINTR, VINTR_V_INTR_MASKING | VINTR_AVIC_ENABLE);
	set(image, VMCB_AVIC_BACKING_PAGE, 0x30000);
	set(image, VMCB_AVIC_LOGICAL_TABLE, 0x31000);
	set(image, VMCB_AVIC_PHYSICAL_TABLE, 0x32000 | 254);
}

static void x2avic_guest(struct image *image)
{
	avic_guest(image);
	set(image, VMCB_VINTR, VINTR_AVIC_ENABLE | VINTR_X2AVIC_ENABLE);
	set(image, VMCB_AVIC_PHYSICAL_TABLE, 0x32000 | 511);
}

static void cet_guest(struct image *image)
{
	long_guest(image);
	set(image, VMCB_CR4, X86_CR4_PAE | X86_CR4_CET);
	set(image, VMCB_S_CET, 3);
}

/*
 * CPUs: how one differs from the full one
 */

static void bare_cpu(struct svm_caps *cpu) { cpu->features = SVM_CPUID_NP; }
static void no_cet(struct svm_caps *cpu) { cpu->cr4_bits &= ~X86_CR4_CET; }
static void x2avic_ext(struct svm_caps *cpu) { cpu->x2avic_ext = true; }
static void wide_addresses(struct svm_caps *cpu) { cpu->physical_bits = 52; }
static void two_asids(struct svm_caps *cpu) { cpu->asids = 2; }

#define BOOK	svm_rule_book
#define CAPS	struct svm_caps
#include "rule_test.h"

#define F(how, field, value)	{ how, VMCB_##field, value }
#define INJECT(type, bits)	F(SET, EVENTINJ, SVM_EVENT_VALID | SVM_EVENT_TYPE_##type << SVM_EVENT_TYPE_SHIFT | (bits))
#define TYPE(n)			F(SET, EVENTINJ, SVM_EVENT_VALID | (n) << SVM_EVENT_TYPE_SHIFT | 0x20)
#define HIGH			BIT_ULL(32)

static const struct test_case broken[] = {
	/* 15.5.1 */
	{ "guest-efer-svme", long_guest, { F(CLEAR, EFER, EFER_SVME) } },
	{ "guest-efer-svme", real_guest, { F(CLEAR, EFER, EFER_SVME) } },
	{ "guest-cr0-nw-needs-cd", long_guest, { F(OR, CR0, X86_CR0_NW) } },
	{ "guest-cr0-nw-needs-cd", real_guest, { F(CLEAR, CR0, X86_CR0_CD) } },
	{ "guest-cr0-high", long_guest, { F(OR, CR0, HIGH) } },
	{ "guest-cr0-high", real_guest, { F(OR, CR0, BIT_ULL(63)) } },
	{ "guest-cr3", long_guest, { F(OR, CR3, TOO_WIDE) } },
	{ "guest-cr3", compatibility_guest, { F(OR, CR3, BIT_ULL(63)) } },
	{ "guest-cr3", long_guest, { F(OR, CR3, BIT_ULL(52)) }, wide_addresses },
	{ "guest-cr4-reserved", long_guest, { F(OR, CR4, BIT_ULL(19)) } },
	{ "guest-cr4-reserved", long_guest, { F(OR, CR4, BIT_ULL(63)) } },
	{ "guest-cr4-reserved", protected_guest, { F(OR, CR4, BIT_ULL(13)) } },
	{ "guest-cr4-reserved", cet_guest, {}, no_cet },
	{ "guest-dr6-high", long_guest, { F(OR, DR6, HIGH) } },
	{ "guest-dr6-high", long_guest, { F(OR, DR6, BIT_ULL(63)) } },
	{ "guest-dr7-high", real_guest, { F(OR, DR7, HIGH) } },
	{ "guest-dr7-high", real_guest, { F(OR, DR7, BIT_ULL(63)) } },
	{ "guest-efer-reserved", long_guest, { F(OR, EFER, BIT_ULL(1)) } },
	{ "guest-efer-reserved", long_guest, { F(OR, EFER, BIT_ULL(63)) } },
	{ "guest-efer-reserved", protected_guest, { F(OR, EFER, SVM_EFER_MCOMMIT) } },
	{ "guest-long-mode-needs-pae", long_guest, { F(CLEAR, CR4, X86_CR4_PAE) } },
	{ "guest-long-mode-needs-pae", paged_real_guest, { F(OR, EFER, EFER_LME) }, NULL, 1 },
	{ "guest-long-mode-needs-pe", long_guest, { F(CLEAR, CR0, X86_CR0_PE) } },
	{ "guest-cs-long-and-default", long_guest, { F(OR, CS_ATTRIBUTES, VMCB_ATTR_DB) } },
	{ "guest-cs-long-and-default", compatibility_guest, { F(OR, CS_ATTRIBUTES, VMCB_ATTR_L) } },
	{ "vmrun-intercept", long_guest, { F(CLEAR, INTERCEPT4, INTERCEPT4_VMRUN) } },
	{ "msrpm-width", long_guest, { F(SET, MSRPM_BASE_PA, TOO_WIDE) } },
	{ "msrpm-width", long_guest, { F(SET, MSRPM_BASE_PA, TOO_WIDE - 0x1000) } },
	{ "msrpm-width", long_guest, { F(SET, MSRPM_BASE_PA, ~0ULL) } },
	{ "iopm-width", long_guest, { F(SET, IOPM_BASE_PA, TOO_WIDE) } },
	{ "iopm-width", long_guest, { F(SET, IOPM_BASE_PA, TOO_WIDE - 0x2000) } },
	{ "iopm-width", long_guest, { F(SET, IOPM_BASE_PA, ~0ULL) } },
	{ "asid-not-host", long_guest, { F(SET, GUEST_ASID, 0) } },
	{ "asid-exists", long_guest, { F(SET, GUEST_ASID, 16) } },
	{ "asid-exists", long_guest, { F(SET, GUEST_ASID, ~0U) } },
	{ "asid-exists", real_guest, { F(SET, GUEST_ASID, 2) }, two_asids },
	{ "guest-s-cet", long_guest, { F(OR, S_CET, BIT(2)) } },
	{ "guest-s-cet", cet_guest, { F(OR, S_CET, BIT_ULL(63)) } },
	{ "guest-cet-needs-wp", cet_guest, { F(CLEAR, CR0, X86_CR0_WP) } },

	/* 15.20 */
	{ "event-type", long_guest, { TYPE(1) } },
	{ "event-type", long_guest, { TYPE(5) } },
	{ "event-type", real_guest, { TYPE(6) } },
	{ "event-type", real_guest, { TYPE(7) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 2) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 15) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 20) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 22) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 27) } },
	{ "event-vector", long_guest, { INJECT(EXCEPTION, 31) } },
	{ "event-vector", real_guest, { INJECT(EXCEPTION, 32) } },
	{ "event-vector", real_guest, { INJECT(EXCEPTION, 255) } },
	{ "event-mode", long_guest, { INJECT(EXCEPTION, 5) } },

	/* 15.21.10 */
	{ "virtual-nmi-needs-intercept", long_guest, { F(OR, VINTR, VINTR_V_NMI_ENABLE),
						       F(CLEAR, INTERCEPT3, INTERCEPT3_NMI) } },

	/* 15.25 */
	{ "nested-cr3", long_guest, { F(OR, N_CR3, TOO_WIDE) } },
	{ "nested-cr3", real_guest, { F(OR, N_CR3, BIT_ULL(63)) } },
	{ "guest-pat", long_guest, { F(SET, G_PAT, 2) } },
	{ "guest-pat", long_guest, { F(SET, G_PAT, 3ULL << 56) } },
	{ "guest-pat", long_guest, { F(SET, G_PAT, 8ULL << 24) } },
	{ "shadow-stack-pages-need-np", long_guest, { F(SET, NP_ENABLE, NP_SSS) } },

	/* 15.29 */
	{ "avic-needs-np", avic_guest, { F(CLEAR, NP_ENABLE, NP_ENABLE) } },
	{ "x2avic-needs-avic", x2avic_guest, { F(CLEAR, VINTR, VINTR_AVIC_ENABLE) } },
	{ "avic-backing-page", avic_guest, { F(OR, AVIC_BACKING_PAGE, TOO_WIDE) } },
	{ "avic-logical-table", avic_guest, { F(OR, AVIC_LOGICAL_TABLE, TOO_WIDE) } },
	{ "avic-physical-table", x2avic_guest, { F(OR, AVIC_PHYSICAL_TABLE, TOO_WIDE) } },
	{ "avic-max-index", avic_guest, { F(OR, AVIC_PHYSICAL_TABLE, 256) } },
	{ "avic-max-index", avic_guest, { F(OR, AVIC_PHYSICAL_TABLE, 256) }, x2avic_ext },
	{ "avic-max-index", x2avic_guest, { F(SET, AVIC_PHYSICAL_TABLE, 0x32000 | 512) } },
};

/* 1. and 3.: guests that must be let in */
static const struct test_case kept[] = {
	{ "a 64-bit guest", long_guest },
	{ "a guest in compatibility mode", compatibility_guest },
	{ "a protected-mode guest without paging", protected_guest },
	{ "a guest with PAE paging", pae_guest },
	{ "a real-mode guest with its caches off", real_guest },
	{ "a guest in paged real mode", paged_real_guest },
	{ "a guest with AVIC", avic_guest },
	{ "a guest with x2AVIC", x2avic_guest },
	{ "a guest with shadow stacks", cet_guest },
	{ "a guest on a CPU with nothing but nested paging", long_guest, {}, bare_cpu },
	{ "CR0.CD alone", long_guest, { F(OR, CR0, X86_CR0_CD) } },
	{ "the widest CR3", long_guest, { F(SET, CR3, TOO_WIDE - 1) } },
	{ "CR3 is not looked at outside long mode", pae_guest, { F(SET, CR3, ~0ULL) } },
	{ "EFER.LME before paging is on", protected_guest, { F(OR, EFER, EFER_LME) } },
	{ "CS.L and CS.D outside long mode", protected_guest, { F(OR, CS_ATTRIBUTES, VMCB_ATTR_L) } },
	{ "permission maps at the end of memory", long_guest, { F(SET, MSRPM_BASE_PA, TOO_WIDE - 0x2000),
								F(SET, IOPM_BASE_PA, TOO_WIDE - 0x3000) } },
	{ "low bits of a permission map's base are ignored", long_guest,
		{ F(SET, MSRPM_BASE_PA, TOO_WIDE - 0x2000 + 0xfff), F(SET, IOPM_BASE_PA, TOO_WIDE - 0x3000 + 0xfff) } },
	{ "the last ASID", long_guest, { F(SET, GUEST_ASID, 15) } },
	{ "S_CET on a CPU without it", long_guest, { F(SET, S_CET, ~0ULL) }, no_cet },
	{ "stale event fields are ignored without the valid bit", long_guest, { F(SET, EVENTINJ, 0x7fffffff) } },
	{ "an injected interrupt of any vector", real_guest, { INJECT(INTR, 255) } },
	{ "an injected NMI, whose vector is ignored", long_guest, { INJECT(NMI, 255) } },
	{ "an injected INT n", long_guest, { INJECT(SOFT, 0x80) } },
	{ "an injected page fault", long_guest, { INJECT(EXCEPTION, 14 | SVM_EVENT_EV | 7ULL << SVM_EVENT_ERROR_SHIFT) } },
	{ "an injected security exception", long_guest, { INJECT(EXCEPTION, 30 | SVM_EVENT_EV) } },
	{ "#BR in compatibility mode", compatibility_guest, { INJECT(EXCEPTION, 5) } },
	{ "#BR in real mode", real_guest, { INJECT(EXCEPTION, 5) } },
	{ "virtual NMIs with the intercept", long_guest, { F(OR, VINTR, VINTR_V_NMI_ENABLE | VINTR_V_NMI) } },
	{ "bits of features that the CPU lacks are ignored", long_guest,
		{ F(SET, VINTR, VINTR_V_NMI_ENABLE | VINTR_X2AVIC_ENABLE | VINTR_AVIC_ENABLE),
		  F(CLEAR, INTERCEPT3, INTERCEPT3_NMI), F(SET, NP_ENABLE, NP_SSS),
		  F(SET, AVIC_BACKING_PAGE, ~0ULL), F(SET, AVIC_PHYSICAL_TABLE, ~0ULL) }, bare_cpu },
	{ "a PAT of every memory type", long_guest, { F(SET, G_PAT, 0x0706050401000000ULL) } },
	{ "nested CR3 and PAT without nested paging", long_guest,
		{ F(SET, NP_ENABLE, 0), F(SET, N_CR3, ~0ULL), F(SET, G_PAT, ~0ULL) } },
	{ "AVIC's fields while it is off", long_guest,
		{ F(SET, AVIC_BACKING_PAGE, ~0ULL), F(SET, AVIC_LOGICAL_TABLE, ~0ULL),
		  F(SET, AVIC_PHYSICAL_TABLE, ~0ULL) } },
	{ "a table of 4096 physical APIC IDs", x2avic_guest, { F(OR, AVIC_PHYSICAL_TABLE, 4095) }, x2avic_ext },
	{ "reserved bits of DR6 and DR7 in the low half", long_guest, { F(SET, DR6, 0xffffffff),
									F(SET, DR7, 0xffffffff) } },
	{ "RIP anywhere", long_guest, { F(SET, RIP, 0x8000000000000000ULL) } },
};

/*
 * The VMCB, against the figures of appendix B
 */

#define NUMBER(name, member) VMCB_##name,
static bool fields_well_formed(void)
{
	static const u32 fields[] = { VMCB_FIELDS(NUMBER) };
	bool ok = true;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		u32 bytes = VMCB_FIELD_BYTES(fields[i]), offset = VMCB_FIELD_OFFSET(fields[i]);

		if (fields[i] >> 16 || bytes > 8 || offset % bytes || !vmcb_field_name(fields[i]))
			ok = false;
		for (j = 0; j < i; j++)
			if (offset < VMCB_FIELD_OFFSET(fields[j]) + VMCB_FIELD_BYTES(fields[j]) &&
			    VMCB_FIELD_OFFSET(fields[j]) < offset + bytes)
				ok = false;
		if (!ok) {
			printf("# the field %#x is malformed\n", fields[i]);
			break;
		}
	}
	return ok;
}

static bool layout(void)
{
	static const struct {
		u32 field, offset, bytes;
	} known[] = {
		{ VMCB_INTERCEPT_CR,	0x000, 4 }, { VMCB_INTERCEPT_EXCEPTIONS, 0x008, 4 },
		{ VMCB_INTERCEPT3,	0x00c, 4 }, { VMCB_INTERCEPT4,		0x010, 4 },
		{ VMCB_INTERCEPT5,	0x014, 4 }, { VMCB_PAUSE_FILTER_THRESHOLD, 0x03c, 2 },
		{ VMCB_PAUSE_FILTER_COUNT, 0x03e, 2 }, { VMCB_IOPM_BASE_PA,	0x040, 8 },
		{ VMCB_MSRPM_BASE_PA,	0x048, 8 }, { VMCB_TSC_OFFSET,		0x050, 8 },
		{ VMCB_GUEST_ASID,	0x058, 4 }, { VMCB_TLB_CONTROL,		0x05c, 1 },
		{ VMCB_VINTR,		0x060, 8 }, { VMCB_INTERRUPT_SHADOW,	0x068, 8 },
		{ VMCB_NP_ENABLE,	0x090, 8 }, { VMCB_EVENTINJ,		0x0a8, 8 },
		{ VMCB_N_CR3,		0x0b0, 8 }, { VMCB_CLEAN,		0x0c0, 8 },
		{ VMCB_NRIP,		0x0c8, 8 }, { VMCB_AVIC_PHYSICAL_TABLE,	0x0f8, 8 },
		{ VMCB_ES_SELECTOR,	0x400, 2 }, { VMCB_CS_ATTRIBUTES,	0x412, 2 },
		{ VMCB_SS_LIMIT,	0x424, 4 }, { VMCB_GDTR_BASE,		0x468, 8 },
		{ VMCB_TR_SELECTOR,	0x490, 2 }, { VMCB_CPL,			0x4cb, 1 },
		{ VMCB_EFER,		0x4d0, 8 }, { VMCB_CR4,			0x548, 8 },
		{ VMCB_CR3,		0x550, 8 }, { VMCB_CR0,			0x558, 8 },
		{ VMCB_DR7,		0x560, 8 }, { VMCB_DR6,			0x568, 8 },
		{ VMCB_RFLAGS,		0x570, 8 }, { VMCB_RIP,			0x578, 8 },
		{ VMCB_RSP,		0x5d8, 8 }, { VMCB_S_CET,		0x5e0, 8 },
		{ VMCB_RAX,		0x5f8, 8 }, { VMCB_STAR,		0x600, 8 },
		{ VMCB_KERNEL_GS_BASE,	0x620, 8 }, { VMCB_SYSENTER_EIP,	0x638, 8 },
		{ VMCB_CR2,		0x640, 8 }, { VMCB_G_PAT,		0x668, 8 },
		{ VMCB_DBGCTL,		0x670, 8 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (VMCB_FIELD_OFFSET(known[i].field) != known[i].offset ||
		    VMCB_FIELD_BYTES(known[i].field) != known[i].bytes) {
			printf("# %s stands at %#x\n", vmcb_field_name(known[i].field),
			       VMCB_FIELD_OFFSET(known[i].field));
			return false;
		}
	return true;
}

/* Each width is written without its neighbours, and read back without them */
static bool access_by_number(void)
{
	static const u32 fields[] = { VMCB_TLB_CONTROL, VMCB_CS_ATTRIBUTES, VMCB_GUEST_ASID, VMCB_VINTR };
	static struct vmcb vmcb;
	unsigned int i, byte;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		u32 offset = VMCB_FIELD_OFFSET(fields[i]), bytes = VMCB_FIELD_BYTES(fields[i]);
		u64 mask = ~0ULL >> (64 - 8 * bytes), value = 0x1122334455667788ULL;

		memset(&vmcb, 0xee, sizeof(vmcb));
		vmcb_write(&vmcb, fields[i], value);
		if (vmcb_read(&vmcb, fields[i]) != (value & mask))
			return false;
		for (byte = 0; byte < sizeof(vmcb); byte++)
			if ((byte < offset || byte >= offset + bytes) && ((u8 *)&vmcb)[byte] != 0xee)
				return false;
	}
	return true;
}

static bool is_named(u64 code, const char *name)
{
	const char *found = svm_exit_name(code);

	if (!!name == !!found && (!name || !strcmp(name, found)))
		return true;
	printf("# exit code %#llx is %s\n", (unsigned long long)code, found ?: "unknown");
	return false;
}

/* Appendix C, table C-1 */
static bool exit_names_right(void)
{
	static const struct {
		u64 code;
		const char *name;
	} known[] = {
		{ 0x00, "CR_READ" }, { 0x0f, "CR_READ" }, { 0x10, "CR_WRITE" }, { 0x1f, "CR_WRITE" },
		{ 0x20, "DR_READ" }, { 0x2f, "DR_READ" }, { 0x30, "DR_WRITE" }, { 0x3f, "DR_WRITE" },
		{ 0x40, "EXCEPTION" }, { 0x5f, "EXCEPTION" }, { 0x60, "INTR" }, { 0x61, "NMI" }, { 0x62, "SMI" },
		{ 0x63, "INIT" }, { 0x64, "VINTR" }, { 0x65, "CR0_SEL_WRITE" }, { 0x66, "IDTR_READ" },
		{ 0x6d, "TR_WRITE" }, { 0x6e, "RDTSC" }, { 0x72, "CPUID" }, { 0x78, "HLT" }, { 0x7b, "IOIO" },
		{ 0x7c, "MSR" }, { 0x7d, "TASK_SWITCH" }, { 0x7f, "SHUTDOWN" }, { 0x80, "VMRUN" },
		{ 0x81, "VMMCALL" }, { 0x87, "RDTSCP" }, { 0x8d, "XSETBV" }, { 0x8e, "RDPRU" },
		{ 0x8f, "EFER_WRITE_TRAP" }, { 0x90, "CR_WRITE_TRAP" }, { 0x9f, "CR_WRITE_TRAP" },
		{ 0xa0, "INVLPGB" }, { 0xa1, "INVLPGB_ILLEGAL" }, { 0xa2, "INVPCID" }, { 0xa3, "MCOMMIT" },
		{ 0xa4, "TLBSYNC" }, { 0xa5, "BUSLOCK" }, { 0xa6, "IDLE_HLT" }, { 0xa7, NULL }, { 0x3ff, NULL },
		{ 0x400, "NPF" }, { 0x401, "AVIC_INCOMPLETE_IPI" }, { 0x402, "AVIC_NOACCEL" }, { 0x403, "VMGEXIT" },
		{ 0x404, NULL }, { 0x80000000, NULL }, { -1ULL, "INVALID" }, { -2ULL, "BUSY" },
		{ -3ULL, "IDLE_REQUIRED" }, { -4ULL, "INVALID_PMC" }, { -5ULL, NULL }, { 0xffffffff, "INVALID" },
	};
	unsigned int i, unnamed = 0;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!is_named(known[i].code, known[i].name))
			return false;
	for (i = 0; i <= 0xa6; i++)
		unnamed += !svm_exit_name(i);
	return !unnamed;
}

static bool refusals(void)
{
	return svm_refused(SVM_EXIT_INVALID) && svm_refused(0xffffffff) && !svm_refused(SVM_EXIT_BUSY) &&
	       !svm_refused(0) && !svm_refused(SVM_EXIT_NPF);
}

static bool description(void)
{
	static const struct test_case test = { "guest-cr0-high", long_guest, { F(OR, CR0, HIGH) } };

	return describes(&test, "guest-cr0-high: bits 63:32 of CR0 must be 0 (APM 2, " CONSISTENCY "): CR0=0x180010021",
			 "guest-cr0-high:");
}

static const struct fact facts[] = {
	{ "fields are well formed and do not overlap", fields_well_formed },
	{ "fields stand where the manual has them", layout },
	{ "fields are read and written by number", access_by_number },
	{ "names of exit codes", exit_names_right },
	{ "what a refusal looks like", refusals },
	{ "the text for the log", description },
};

int main(void)
{
	return test_rules(broken, ARRAY_SIZE(broken), kept, ARRAY_SIZE(kept), facts, ARRAY_SIZE(facts));
}
