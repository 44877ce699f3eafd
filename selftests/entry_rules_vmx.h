/* SPDX-License-Identifier: GPL-2.0 */
/*
 * entry_rules.c on VMX: the rules of the SDM's chapter "VM Entries", in its order (29.2 to 29.3).
 *
 * The lab machine's emulator says why it refuses an entry. What it must say is told in each row: the lab compares it with
 * the emulator's log, one by one.
 */

#define SET(field, value)	VMCS_##field, 0, value
#define FLIP(field, value)	VMCS_##field, TPZ_POKE_XOR, value
#define NOT_CANONICAL		(1ULL << 63)
#define TOO_WIDE		(1ULL << 60)	/* for a physical address */
#define CR0_PE_PG		0x80000001
#define CR0_NE			(1 << 5)
#define CR4_PAE			(1 << 5)
#define CR4_VMXE		(1 << 13)
#define CR4_PCIDE		(1 << 17)
#define EFER_LME		(1 << 8)
#define RFLAGS_FIXED		(1 << 1)

static const struct refusal controls = { VMX_ERROR_ENTRY_CONTROLS, 0, 0 };
static const struct refusal host_state = { VMX_ERROR_ENTRY_HOST_STATE, 0, 0 };
#define GUEST_STATE	(VMX_EXIT_ENTRY_FAILURE | VMX_EXIT_INVALID_GUEST_STATE)
static const struct refusal guest_state = { 0, GUEST_STATE, 0 };
static const struct refusal guest_pdpte = { 0, GUEST_STATE, ENTRY_FAILURE_PDPTE };
static const struct refusal guest_link = { 0, GUEST_STATE, ENTRY_FAILURE_LINK_POINTER };

static const struct rule execution_rules[] = {
	{ "pin-controls-required", ANY, FLIP(PIN_BASED_CONTROLS, BIT(1)), "pin-based controls allowed 0-settings" },
	{ "pin-controls-supported", ANY, FLIP(PIN_BASED_CONTROLS, BIT(8)), "pin-based controls allowed 1-settings" },
	{ "primary-controls-required", ANY, FLIP(PRIMARY_CONTROLS, BIT(1)), "proc-based controls allowed 0-settings" },
	{ "primary-controls-supported", ANY, FLIP(PRIMARY_CONTROLS, BIT(0)),
	  "proc-based controls allowed 1-settings" },
	{ "secondary-controls-supported", ANY, FLIP(SECONDARY_CONTROLS, BIT(29)),
	  "secondary controls allowed 1-settings" },
	{ "cr3-target-count", ANY, SET(CR3_TARGET_COUNT, 5), "too may CR3 targets 5" },
	{ "msr-bitmap-address", ANY, SET(MSR_BITMAP, 1), "MSR bitmap phy addr malformed" },
	{ "msr-bitmap-address", ANY, FLIP(MSR_BITMAP, TOO_WIDE), "MSR bitmap phy addr malformed" },
	{ "virtual-nmis-need-nmi-exiting", ANY, FLIP(PIN_BASED_CONTROLS, PIN_NMI_EXITING),
	  "misconfigured virtual NMI control" },
	{ "x2apic-virtualization-needs-tpr-shadow", ANY, FLIP(SECONDARY_CONTROLS, SECONDARY_VIRTUALIZE_X2APIC),
	  "APIC virtualization is enabled without TPR shadow" },
	{ "vpid", ANY, SET(VPID, 0), "guest VPID == 0" },
	{ "eptp-memory-type", ANY, FLIP(EPTP, 1), "invalid EPTPTR value" },
	{ "eptp-walk-length", ANY, FLIP(EPTP, EPTP_WALK_LENGTH_4), "invalid EPTPTR value" },
	{ "eptp-reserved", ANY, FLIP(EPTP, BIT(8)), "invalid EPTPTR value" },
	{ "eptp-width", ANY, FLIP(EPTP, TOO_WIDE), "invalid EPTPTR value" },
	{ "unrestricted-guest-needs-ept", ANY, FLIP(SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT),
	  "unrestricted guest without EPT" },
};

static void execution_controls(void)
{
	break_rules(execution_rules, ARRAY_SIZE(execution_rules), &controls);
}

static const struct rule exit_entry_rules[] = {
	{ "exit-controls-required", ANY, FLIP(EXIT_CONTROLS, BIT(0)), "vmexit controls allowed 0-settings" },
	{ "preemption-timer-saved", ANY, FLIP(EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER),
	  "save_VMX_preemption_timer VMEXIT control is set" },
	{ "entry-controls-required", ANY, FLIP(ENTRY_CONTROLS, BIT(0)), "vmentry controls allowed 0-settings" },
	{ "entry-controls-supported", ANY, FLIP(ENTRY_CONTROLS, BIT(31)), "vmentry controls allowed 1-settings" },
	{ "event-type", L | P, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_RESERVED_TYPE),
	  "bad injected event type 1" },
	{ "event-nmi-vector", L | P, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_NMI | 3),
	  "bad injected event vector 3" },
	{ "event-exception-vector", L | P, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_HARDWARE_EXCEPTION | 32),
	  "bad injected event vector 32" },
	{ "event-error-code-given", L | P, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_HARDWARE_EXCEPTION | 13),
	  "injected event vector 13 broken error code" },
	{ "event-error-code-withheld", ANY,
	  SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_HARDWARE_EXCEPTION | INTR_INFO_ERROR_CODE | 6),
	  "injected event vector 6 broken error code" },
	{ "event-reserved", ANY, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_NMI | BIT(12) | 2),
	  "broken interruption info field" },
};

static void exit_and_entry_controls(void)
{
	break_rules(exit_entry_rules, ARRAY_SIZE(exit_entry_rules), &controls);
}

static const struct rule host_rules[] = {
	{ "host-cr0-required", ANY, FLIP(HOST_CR0, CR0_NE), "host state invalid CR0" },
	{ "host-cr3", ANY, FLIP(HOST_CR3, TOO_WIDE), "host state invalid CR3" },
	{ "host-cr4-required", ANY, FLIP(HOST_CR4, CR4_VMXE), "host state invalid CR4" },
	{ "host-sysenter-esp", ANY, SET(HOST_IA32_SYSENTER_ESP, NOT_CANONICAL), "host SYSENTER_ESP_MSR non canonical" },
	{ "host-sysenter-eip", ANY, SET(HOST_IA32_SYSENTER_EIP, NOT_CANONICAL), "host SYSENTER_EIP_MSR non canonical" },
	{ "host-pat", ANY, SET(HOST_IA32_PAT, 2), "invalid Memory Type in host MSR_PAT" },
	{ "host-efer-reserved", ANY, FLIP(HOST_IA32_EFER, 1ULL << 63), "host EFER reserved bits set" },
	/* The rule that we meet first; the emulator begins with "ia32e-host-stays-ia32e", which is broken with it */
	{ "host-efer-mode", ANY, FLIP(EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE), "x86-64 host control invalid" },
	{ "host-ds-selector", ANY, SET(HOST_DS_SELECTOR, 3), "host segreg 3 TI/RPL != 0" },
	{ "host-tr-selector", ANY, SET(HOST_TR_SELECTOR, 3), "invalid host TR selector" },
	{ "host-cs-not-null", ANY, SET(HOST_CS_SELECTOR, 0), "host CS selector 0" },
	{ "host-tr-not-null", ANY, SET(HOST_TR_SELECTOR, 0), "invalid host TR selector" },
	{ "host-fs-base", ANY, SET(HOST_FS_BASE, NOT_CANONICAL), "host FS BASE non canonical" },
	{ "host-gs-base", ANY, SET(HOST_GS_BASE, NOT_CANONICAL), "host GS BASE non canonical" },
	{ "host-gdtr-base", ANY, SET(HOST_GDTR_BASE, NOT_CANONICAL), "host GDTR BASE non canonical" },
	{ "host-idtr-base", ANY, SET(HOST_IDTR_BASE, NOT_CANONICAL), "host IDTR BASE non canonical" },
	{ "host-tr-base", ANY, SET(HOST_TR_BASE, NOT_CANONICAL), "host TR BASE non canonical" },
	{ "host-pae", ANY, FLIP(HOST_CR4, CR4_PAE), "host CR4.PAE=0 with x86-64 host" },
	{ "host-rip", ANY, SET(HOST_RIP, NOT_CANONICAL), "host RIP non-canonical" },
};

static void host(void)
{
	break_rules(host_rules, ARRAY_SIZE(host_rules), &host_state);
}

static const struct rule register_rules[] = {
	{ "guest-cr0-required", ANY, FLIP(GUEST_CR0, CR0_NE), "guest invalid CR0" },
	{ "guest-pg-needs-pe", P, FLIP(GUEST_CR0, CR0_PE_PG), "guest CR0.PG without CR0.PE" },
	{ "ia32e-guest-needs-pae", L, FLIP(GUEST_CR4, CR4_PAE), "guest CR4.PAE=0 in x86-64 mode" },
	{ "guest-pcide-needs-ia32e", P, FLIP(GUEST_CR4, CR4_PCIDE), "CR4.PCIDE set in 32-bit guest" },
	{ "guest-cr3", ANY, FLIP(GUEST_CR3, TOO_WIDE), "guest invalid CR3" },
	{ "guest-dr7", ANY, FLIP(GUEST_DR7, 1ULL << 32), "guest invalid DR7" },
	{ "guest-sysenter-esp", ANY, SET(GUEST_IA32_SYSENTER_ESP, NOT_CANONICAL),
	  "guest SYSENTER_ESP_MSR non canonical" },
	{ "guest-sysenter-eip", ANY, SET(GUEST_IA32_SYSENTER_EIP, NOT_CANONICAL),
	  "guest SYSENTER_EIP_MSR non canonical" },
	{ "guest-pat", ANY, SET(GUEST_IA32_PAT, 2), "invalid Memory Type in guest MSR_PAT" },
	{ "guest-efer-reserved", ANY, FLIP(GUEST_IA32_EFER, 1ULL << 63), "guest EFER reserved bits set" },
	{ "guest-efer-lma", L, SET(GUEST_IA32_EFER, 0), "guest EFER.LMA doesn't match x86_64_guest" },
	{ "guest-efer-lme", L, FLIP(GUEST_IA32_EFER, EFER_LME), "inconsistent value" },
};

static void guest_registers(void)
{
	break_rules(register_rules, ARRAY_SIZE(register_rules), &guest_state);
}

static const struct rule segment_rules[] = {
	{ "guest-tr-base", ANY, SET(GUEST_TR_BASE, NOT_CANONICAL), "guest TR.BASE non canonical" },
	{ "guest-fs-base", ANY, SET(GUEST_FS_BASE, NOT_CANONICAL), "guest FS.BASE non canonical" },
	{ "guest-gs-base", ANY, SET(GUEST_GS_BASE, NOT_CANONICAL), "guest GS.BASE non canonical" },
	{ "guest-cs-base", ANY, SET(GUEST_CS_BASE, 1ULL << 32), "guest CS.BASE > 32 bit" },
	{ "guest-ss-type", P, FLIP(GUEST_SS_ACCESS_RIGHTS, VMCS_AR_TYPE_WRITABLE), "guest SS.TYPE" },
	{ "guest-ds-type-accessed", ANY, FLIP(GUEST_DS_ACCESS_RIGHTS, VMCS_AR_TYPE_ACCESSED), "guest DS not ACCESSED" },
	{ "guest-cs-s", ANY, FLIP(GUEST_CS_ACCESS_RIGHTS, VMCS_AR_S), "guest CS not segment" },
	{ "guest-cs-present", ANY, FLIP(GUEST_CS_ACCESS_RIGHTS, VMCS_AR_P), "guest CS not present" },
	{ "guest-cs-reserved-low", ANY, FLIP(GUEST_CS_ACCESS_RIGHTS, BIT(8)), "guest CS.AR/LIMIT malformed" },
	{ "guest-cs-db", L, FLIP(GUEST_CS_ACCESS_RIGHTS, VMCS_AR_DB), "x86_64 guest wrong CS.D_B/L" },
	{ "guest-es-granularity-pages", L | P, SET(GUEST_ES_LIMIT, 0xffff0), "guest ES.AR/LIMIT malformed" },
	{ "guest-tr-type", ANY, FLIP(GUEST_TR_ACCESS_RIGHTS, 2), "guest incorrect TR type" },
	{ "guest-tr-usable", ANY, FLIP(GUEST_TR_ACCESS_RIGHTS, VMCS_AR_UNUSABLE), "guest TR invalid" },
	{ "guest-tr-present", ANY, FLIP(GUEST_TR_ACCESS_RIGHTS, VMCS_AR_P), "guest TR not present" },
	{ "guest-ldtr-type", ANY, SET(GUEST_LDTR_ACCESS_RIGHTS, VMCS_AR_P | 3), "guest incorrect LDTR type (3)" },
};

static void guest_segments(void)
{
	break_rules(segment_rules, ARRAY_SIZE(segment_rules), &guest_state);
}

static const struct rule state_rules[] = {
	{ "guest-gdtr-base", ANY, SET(GUEST_GDTR_BASE, NOT_CANONICAL), "IDTR.BASE non canonical" },
	{ "guest-idtr-base", ANY, SET(GUEST_IDTR_BASE, NOT_CANONICAL), "IDTR.BASE non canonical" },
	{ "guest-gdtr-limit", ANY, SET(GUEST_GDTR_LIMIT, 0x10000), "guest GDTR/IDTR limit > 0xFFFF" },
	{ "guest-idtr-limit", ANY, SET(GUEST_IDTR_LIMIT, 0x10000), "guest GDTR/IDTR limit > 0xFFFF" },
	{ "guest-rip-32bit", P | R, FLIP(GUEST_RIP, 1ULL << 32), "guest RIP > 32 bit" },
	{ "guest-rflags-reserved", ANY, FLIP(GUEST_RFLAGS, BIT(3)), "RFLAGS reserved bits are set" },
	{ "guest-rflags-fixed", ANY, FLIP(GUEST_RFLAGS, RFLAGS_FIXED), "RFLAGS[1] cleared" },
	{ "guest-rflags-if", ANY, SET(ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_EXTERNAL | 48),
	  "guest interrupts blocked when injecting external interrupt" },
	{ "guest-activity", ANY, SET(GUEST_ACTIVITY, 9), "guest activity state 9" },
	{ "guest-interruptibility-reserved", ANY, SET(GUEST_INTERRUPTIBILITY, 0x20),
	  "guest interruptibility state broken" },
	{ "guest-sti-or-mov-ss", ANY, SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS),
	  "guest interruptibility state broken" },
	{ "guest-sti-needs-if", ANY, SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI),
	  "guest interrupts can't be blocked by STI when EFLAGS.IF = 0" },
	{ "guest-smi-blocking", ANY, SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_SMI),
	  "SMI blocked when not in SMM mode" },
	{ "guest-pending-debug-reserved", ANY, SET(GUEST_PENDING_DEBUG, BIT(13)), "guest tmpDR6 reserved bits" },
};

static const struct rule link_rules[] = {
	{ "vmcs-link-alignment", ANY, SET(LINK_POINTER, 0x800), "VMCS link pointer malformed" },
	{ "vmcs-link-width", ANY, SET(LINK_POINTER, TOO_WIDE), "VMCS link pointer malformed" },
};

static const struct rule pdpte_rules[] = {
	{ "guest-pdpte0", A, FLIP(GUEST_PDPTE0, BIT(1)), "EPT Guest State PDPTRs Checks Failed" },
	{ "guest-pdpte3", A, SET(GUEST_PDPTE3, TOO_WIDE | 1), "EPT Guest State PDPTRs Checks Failed" },
};

static void guest_other_state(void)
{
	break_rules(state_rules, ARRAY_SIZE(state_rules), &guest_state);
	break_rules(link_rules, ARRAY_SIZE(link_rules), &guest_link);
	break_rules(pdpte_rules, ARRAY_SIZE(pdpte_rules), &guest_pdpte);
}

static const struct rule vpid = { "vpid", ANY, SET(VPID, 0), "guest VPID == 0" };
static const struct rule activity = { "guest-activity", ANY, SET(GUEST_ACTIVITY, 9), "guest activity state 9" };

static const __u32 vmx_unpokeable[] = {
	0x0fff,			/* no such field */
	VMCS_EXIT_REASON,	/* read-only */
	VMCS_HOST_RSP,		/* written by the entry itself */
};

static const struct vendor vmx = {
	.chapter = "29.",
	.samples = {
		{ &vpid, &controls, "refused an entry (error 7, reason 0x0): vpid: " },
		{ &activity, &guest_state, "refused an entry (error 0, reason 0x80000021): guest-activity: " },
	},
	.unpokeable = vmx_unpokeable,
	.nr_unpokeable = ARRAY_SIZE(vmx_unpokeable),
};

#undef SET
#undef FLIP
