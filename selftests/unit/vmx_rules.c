// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of VM entry (kmod/hw/vmx/rules.h), tried on a made-up VMCS and a made-up CPU.
 *
 * 1. Guests of every mode that break no rule.
 * 2. For each rule, guests that break this rule and no other one; a rule without one fails.
 * 3. Guests at the edge of a rule, which must still be let in.
 * 4. The tables themselves: names, sections, fields, the text for the log.
 */
#define _GNU_SOURCE		/* strverscmp() */
#include <string.h>

#include "../../kmod/hw/rules.c"
#include "../../kmod/hw/vmx/rules.c"
#include "../../kmod/hw/vmx/rules_execution.c"
#include "../../kmod/hw/vmx/rules_exit_entry.c"
#include "../../kmod/hw/vmx/rules_host.c"
#include "../../kmod/hw/vmx/rules_guest_registers.c"
#include "../../kmod/hw/vmx/rules_guest_segments.c"
#include "../../kmod/hw/vmx/rules_guest_state.c"
#include "../../kmod/hw/vmx/vmcs_names.c"

/* Cases leave out the members that they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NOT_CANONICAL	0x8000000000000000ULL
#define TOO_WIDE	BIT_ULL(46)	/* the made-up CPU's physical addresses have 46 bits */
#define ADDRESS		0x7000ULL	/* of the VMCS itself */

/*
 * A VMCS is an array of values; encodings are even and below 0x6c20.
 */
struct image {
	u64 value[0x6c20 / 2];
};

static u64 image_read(struct image *image, u32 field)
{
	return image->value[field / 2];
}

static void set(struct image *image, u32 field, u64 value)
{
	image->value[field / 2] = value;
}

/*
 * The CPU: it has everything, requires what real ones require, and restricts each kind of
 * register at least a little, so that each rule can be broken.
 */
static const struct vmx_caps full_cpu = {
	.basic = 1 | (0x1000ULL << VMX_CAP_BASIC_SIZE_SHIFT) | VMX_CAP_BASIC_TRUE_CONTROLS,
	.misc = VMX_CAP_MISC_HLT | VMX_CAP_MISC_SHUTDOWN | VMX_CAP_MISC_WAIT_FOR_SIPI |
		(4ULL << VMX_CAP_MISC_CR3_TARGETS_SHIFT),
	.ept_vpid = VMX_CAP_EPT_WALK_4 | VMX_CAP_EPT_WB | VMX_CAP_EPT_UC |
		    VMX_CAP_EPT_ACCESSED_DIRTY,
	.vm_functions = VM_FUNCTION_EPTP_SWITCHING,
	.pin = { .must = 0x16, .may = 0xff },
	.primary = { .must = 0x04006172, .may = 0xfffffffe },
	.secondary = { .must = 0, .may = ~(u32)BIT(29) },
	.exit = { .must = 0x00036dfb, .may = ~(u32)EXIT_CLEAR_UINV },
	.entry = { .must = 0x000011fb, .may = 0x03ffffff },
	.tertiary = 0x13ff,
	.secondary_exit = 0xf,
	.cr0_fixed0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_PG,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = X86_CR4_VMXE,
	.cr4_fixed1 = 0x1ffffffff & ~BIT_ULL(15),
	.efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX,
	.debugctl_bits = 0xffc7,
	.perf_global_ctrl_bits = 0x70000000f,
	.rtit_ctl_bits = 0xff,
	.lbr_ctl_bits = 0xf,
	.spec_ctrl_bits = 0x7,
	.physical_bits = 46,
	.linear_bits = 48,
	.ia32e_mode = true,
	.rtm = true,
	.sgx = true,
};

/*
 * Guests
 */

static void set_segment(struct image *image, u32 seg, u16 selector, u64 base, u32 limit, u32 rights)
{
	set(image, VMCS_GUEST_SELECTOR(seg), selector);
	set(image, VMCS_GUEST_BASE(seg), base);
	set(image, VMCS_GUEST_LIMIT(seg), limit);
	set(image, VMCS_GUEST_ACCESS_RIGHTS(seg), rights);
}

#define CONTROLS_LOAD_ALL_EXIT							\
	(EXIT_LOAD_IA32_PERF_GLOBAL_CTRL | EXIT_LOAD_IA32_PAT |			\
	 EXIT_LOAD_IA32_EFER | EXIT_LOAD_CET_STATE | EXIT_LOAD_PKRS |		\
	 EXIT_ACTIVATE_SECONDARY)
#define CONTROLS_LOAD_ALL_ENTRY							\
	(ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL |		\
	 ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_BNDCFGS |	\
	 ENTRY_LOAD_IA32_RTIT_CTL | ENTRY_LOAD_UINV | ENTRY_LOAD_CET_STATE |	\
	 ENTRY_LOAD_IA32_LBR_CTL | ENTRY_LOAD_PKRS | ENTRY_LOAD_FRED |		\
	 ENTRY_LOAD_IA32_SPEC_CTRL)

/* Everything but the guest's mode: unrestricted, with EPT and VPID, all registers loaded. */
static void any_guest(struct image *image)
{
	memset(image, 0, sizeof(*image));

	set(image, VMCS_PIN_BASED_CONTROLS, full_cpu.pin.must | PIN_EXTERNAL_INTERRUPT_EXITING |
					    PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	set(image, VMCS_PRIMARY_CONTROLS, full_cpu.primary.must | PRIMARY_HLT_EXITING |
					  PRIMARY_USE_MSR_BITMAPS | PRIMARY_ACTIVATE_SECONDARY |
					  PRIMARY_ACTIVATE_TERTIARY);
	set(image, VMCS_SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID |
					    SECONDARY_UNRESTRICTED_GUEST);
	set(image, VMCS_EXIT_CONTROLS, full_cpu.exit.must | EXIT_HOST_ADDRESS_SPACE_SIZE |
				       CONTROLS_LOAD_ALL_EXIT);
	set(image, VMCS_SECONDARY_EXIT_CONTROLS, SECONDARY_EXIT_LOAD_FRED |
						 SECONDARY_EXIT_LOAD_IA32_SPEC_CTRL);
	set(image, VMCS_ENTRY_CONTROLS, full_cpu.entry.must | CONTROLS_LOAD_ALL_ENTRY);
	set(image, VMCS_VPID, 1);
	set(image, VMCS_EPTP, 0x5000 | EPTP_MEMORY_TYPE_WB | EPTP_WALK_LENGTH_4);
	set(image, VMCS_MSR_BITMAP, 0x6000);

	set(image, VMCS_HOST_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG);
	set(image, VMCS_HOST_CR3, 0x1000);
	set(image, VMCS_HOST_CR4, X86_CR4_VMXE | X86_CR4_PAE | X86_CR4_PCIDE);
	set(image, VMCS_HOST_IA32_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
	set(image, VMCS_HOST_IA32_PAT, 0x0407050600070106ULL);
	set(image, VMCS_HOST_CS_SELECTOR, 0x10);
	set(image, VMCS_HOST_TR_SELECTOR, 0x40);
	set(image, VMCS_HOST_GS_BASE, 0xffff888000000000ULL);
	set(image, VMCS_HOST_IA32_SYSENTER_EIP, 0xffffffff81000000ULL);
	set(image, VMCS_HOST_RIP, 0xffffffffc0000000ULL);

	set(image, VMCS_GUEST_CR4, X86_CR4_VMXE);
	set(image, VMCS_GUEST_DR7, 0x400);
	set(image, VMCS_GUEST_IA32_PAT, 0x0007040600070406ULL);
	set(image, VMCS_GUEST_RFLAGS, X86_EFLAGS_FIXED);
	set(image, VMCS_GUEST_RIP, 0x8000);
	set(image, VMCS_LINK_POINTER, VMCS_NO_LINK);
	set_segment(image, VMCS_SEG_LDTR, 0, 0, 0, VMCS_AR_UNUSABLE);
}

static void flat_segments(struct image *image, u32 code_rights)
{
	u32 seg;

	for (seg = VMCS_SEG_ES; seg <= VMCS_SEG_GS; seg++)
		set_segment(image, seg, 0x18, 0, 0xffffffff, 0xc093);
	set_segment(image, VMCS_SEG_CS, 0x10, 0, 0xffffffff, code_rights);
	set_segment(image, VMCS_SEG_TR, 0x20, 0, 0x67, 0x8b);
	set_segment(image, VMCS_SEG_LDTR, 0x28, 0x9000, 0xffff, 0x82);
}

static void long_guest(struct image *image)
{
	any_guest(image);
	flat_segments(image, 0xa09b);
	image->value[VMCS_ENTRY_CONTROLS / 2] |= ENTRY_IA32E_MODE_GUEST;
	set(image, VMCS_GUEST_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG);
	set(image, VMCS_GUEST_CR3, 0x2000);
	set(image, VMCS_GUEST_CR4, X86_CR4_VMXE | X86_CR4_PAE);
	set(image, VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
	set(image, VMCS_GUEST_RIP, 0xffffffff80000000ULL);
}

/* 64-bit user space: CS and SS of privilege level 3, the other segments unusable */
static void user_guest(struct image *image)
{
	u32 seg;

	long_guest(image);
	for (seg = VMCS_SEG_DS; seg <= VMCS_SEG_GS; seg++)
		set_segment(image, seg, 0, 0, 0, VMCS_AR_UNUSABLE);
	set_segment(image, VMCS_SEG_ES, 0, 0, 0, VMCS_AR_UNUSABLE);
	set_segment(image, VMCS_SEG_CS, 0x33, 0, 0xffffffff, 0xa0fb);
	set_segment(image, VMCS_SEG_SS, 0x2b, 0, 0xffffffff, 0xc0f3);
	set(image, VMCS_GUEST_RFLAGS, X86_EFLAGS_FIXED | X86_EFLAGS_IF);
	set(image, VMCS_GUEST_RIP, 0x401000);
}

static void protected_guest(struct image *image)
{
	any_guest(image);
	flat_segments(image, 0xc09b);
	set(image, VMCS_GUEST_CR0, X86_CR0_PE | X86_CR0_NE);
}

static void pae_guest(struct image *image)
{
	protected_guest(image);
	set(image, VMCS_GUEST_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_PG);
	set(image, VMCS_GUEST_CR4, X86_CR4_VMXE | X86_CR4_PAE);
	set(image, VMCS_GUEST_PDPTE0, 0x3001);
	set(image, VMCS_GUEST_PDPTE1, 0xfffffffffffffffeULL);	/* not present */
}

/* A CPU or hypervisor without unrestricted guests, as the first ones were */
static void restricted_guest(struct image *image)
{
	pae_guest(image);
	image->value[VMCS_SECONDARY_CONTROLS / 2] &= ~SECONDARY_UNRESTRICTED_GUEST;
}

static void real_guest(struct image *image)
{
	u32 seg;

	any_guest(image);
	for (seg = VMCS_SEG_ES; seg <= VMCS_SEG_GS; seg++)
		set_segment(image, seg, 0x1000, 0x10000, 0xffff, 0x93);
	set_segment(image, VMCS_SEG_CS, 0xf000, 0xffff0000, 0xffff, 0x93);
	set_segment(image, VMCS_SEG_TR, 0, 0, 0xffff, 0x8b);
	set(image, VMCS_GUEST_CR0, X86_CR0_NE | X86_CR0_CD | X86_CR0_NW);
	set(image, VMCS_GUEST_RIP, 0xfff0);
}

static void v8086_guest(struct image *image)
{
	u32 seg;

	protected_guest(image);
	for (seg = VMCS_SEG_ES; seg <= VMCS_SEG_GS; seg++)
		set_segment(image, seg, 0x1234, 0x12340, 0xffff, 0xf3);
	set(image, VMCS_GUEST_RFLAGS, X86_EFLAGS_FIXED | X86_EFLAGS_VM | X86_EFLAGS_IOPL);
}

/* FRED replaces the IDT: privilege levels 0 and 3 only */
static void fred_guest_kernel(struct image *image)
{
	long_guest(image);
	image->value[VMCS_GUEST_CR4 / 2] |= CR4_FRED;
}

static void fred_guest_user(struct image *image)
{
	user_guest(image);
	image->value[VMCS_GUEST_CR4 / 2] |= CR4_FRED;
}

/* A host outside IA-32e mode: not ours, but the SDM has rules for it. */
static void legacy_host(struct image *image)
{
	protected_guest(image);
	image->value[VMCS_EXIT_CONTROLS / 2] &= ~EXIT_HOST_ADDRESS_SPACE_SIZE;
	set(image, VMCS_HOST_CR4, X86_CR4_VMXE);
	set(image, VMCS_HOST_IA32_EFER, 0);
	set(image, VMCS_HOST_SS_SELECTOR, 0x18);
	set(image, VMCS_HOST_RIP, 0xc0000000);
}

/*
 * CPUs: how one differs from the full one
 */

static void legacy_cpu(struct vmx_caps *cpu) { cpu->ia32e_mode = false; }
static void no_mtf(struct vmx_caps *cpu) { cpu->primary.may &= ~PRIMARY_MONITOR_TRAP_FLAG; }
static void no_ad(struct vmx_caps *cpu) { cpu->ept_vpid &= ~VMX_CAP_EPT_ACCESSED_DIRTY; }
static void no_uc(struct vmx_caps *cpu) { cpu->ept_vpid &= ~VMX_CAP_EPT_UC; }
static void no_hlt(struct vmx_caps *cpu) { cpu->misc &= ~VMX_CAP_MISC_HLT; }
static void no_rtm(struct vmx_caps *cpu) { cpu->rtm = false; }
static void no_sgx(struct vmx_caps *cpu) { cpu->sgx = false; }
static void no_vmfunc(struct vmx_caps *cpu) { cpu->vm_functions = 0; }
static void any_error(struct vmx_caps *cpu) { cpu->basic |= VMX_CAP_BASIC_ANY_ERROR_CODE; }
static void fred_cpu(struct vmx_caps *cpu)
{
	cpu->basic |= VMX_CAP_BASIC_ANY_ERROR_CODE | VMX_CAP_BASIC_NESTED_EXCEPTION;
}
static void short_addresses(struct vmx_caps *cpu) { cpu->basic |= VMX_CAP_BASIC_32BIT_ADDRESSES; }
static void zero_length(struct vmx_caps *cpu) { cpu->misc |= VMX_CAP_MISC_ZERO_LENGTH; }
static void lam(struct vmx_caps *cpu) { cpu->lam = true; }
static void la57(struct vmx_caps *cpu) { cpu->linear_bits = 57; }
static void bus_lock(struct vmx_caps *cpu) { cpu->bus_lock_detect = true; }
static void five_levels(struct vmx_caps *cpu) { cpu->ept_vpid |= VMX_CAP_EPT_WALK_5; }
static void ept_shadow(struct vmx_caps *cpu) { cpu->ept_vpid |= VMX_CAP_EPT_SHADOW_STACK; }

#define BOOK	vmx_rule_book
#define CAPS	struct vmx_caps
#include "rule_test.h"

#define F(how, field, value)	{ how, VMCS_##field, value }
#define SECONDARY(bits)		F(OR, SECONDARY_CONTROLS, SECONDARY_##bits)
#define TERTIARY(bits)		F(OR, TERTIARY_CONTROLS, TERTIARY_##bits)
#define INJECT(type, bits)	F(SET, ENTRY_INTR_INFO, INTR_INFO_VALID | INTR_INFO_##type | (bits))
#define RIGHTS(seg, how, bits)	F(how, GUEST_##seg##_ACCESS_RIGHTS, bits)
#define NO_EPT			F(CLEAR, SECONDARY_CONTROLS, SECONDARY_ENABLE_EPT |	\
							     SECONDARY_UNRESTRICTED_GUEST)

static const struct test_case broken[] = {
	/* 29.2.1.1 */
	{ "pin-controls-required", long_guest, { F(CLEAR, PIN_BASED_CONTROLS, BIT(1)) } },
	{ "pin-controls-supported", long_guest, { F(OR, PIN_BASED_CONTROLS, BIT(8)) } },
	{ "primary-controls-required", long_guest, { F(CLEAR, PRIMARY_CONTROLS, BIT(1)) } },
	{ "primary-controls-supported", long_guest, { F(OR, PRIMARY_CONTROLS, BIT(0)) } },
	{ "secondary-controls-supported", long_guest, { F(OR, SECONDARY_CONTROLS, BIT(29)) } },
	{ "tertiary-controls-supported", long_guest, { F(OR, TERTIARY_CONTROLS, BIT_ULL(40)) } },
	{ "cr3-target-count", long_guest, { F(SET, CR3_TARGET_COUNT, 5) } },
	{ "io-bitmap-a-address", long_guest, { F(OR, PRIMARY_CONTROLS, PRIMARY_USE_IO_BITMAPS),
					       F(SET, IO_BITMAP_A, 0x800) } },
	{ "io-bitmap-b-address", long_guest, { F(OR, PRIMARY_CONTROLS, PRIMARY_USE_IO_BITMAPS),
					       F(SET, IO_BITMAP_B, TOO_WIDE) } },
	{ "msr-bitmap-address", long_guest, { F(SET, MSR_BITMAP, 1) } },
	{ "msr-bitmap-address", long_guest, { F(SET, MSR_BITMAP, TOO_WIDE) } },
	{ "msr-bitmap-address", long_guest, { F(SET, MSR_BITMAP, BIT_ULL(32)) }, short_addresses },
	{ "virtual-apic-address", long_guest, { F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW),
						F(SET, VIRTUAL_APIC_ADDRESS, 0x10) } },
	{ "apic-access-address", long_guest, { SECONDARY(VIRTUALIZE_APIC_ACCESSES),
					       F(SET, APIC_ACCESS_ADDRESS, 0x10) } },
	{ "pml-address", long_guest, { SECONDARY(ENABLE_PML), F(SET, PML_ADDRESS, 0x10) } },
	{ "spp-table-pointer", long_guest, { SECONDARY(SUB_PAGE_WRITE_PERMISSIONS),
					     F(SET, SPP_TABLE_POINTER, 0x10) } },
	{ "eptp-list-address", long_guest, { SECONDARY(ENABLE_VM_FUNCTIONS),
					     F(SET, VM_FUNCTION_CONTROLS, 1),
					     F(SET, EPTP_LIST_ADDRESS, 0x10) } },
	{ "vmread-bitmap-address", long_guest, { SECONDARY(VMCS_SHADOWING),
						 F(SET, VMREAD_BITMAP, 0x10) } },
	{ "vmwrite-bitmap-address", long_guest, { SECONDARY(VMCS_SHADOWING),
						  F(SET, VMWRITE_BITMAP, 0x10) } },
	{ "ve-info-address", long_guest, { SECONDARY(EPT_VIOLATION_VE),
					   F(SET, VE_INFO_ADDRESS, 0x10) } },
	{ "low-pasid-directory-address", long_guest, { SECONDARY(ENABLE_PASID_TRANSLATION),
						       F(SET, LOW_PASID_DIRECTORY, 8) } },
	{ "high-pasid-directory-address", long_guest, { SECONDARY(ENABLE_PASID_TRANSLATION),
							F(SET, HIGH_PASID_DIRECTORY, 8) } },
	{ "tpr-threshold", long_guest, { F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW),
					 F(SET, TPR_THRESHOLD, 16) } },
	{ "virtual-nmis-need-nmi-exiting", long_guest,
		{ F(CLEAR, PIN_BASED_CONTROLS, PIN_NMI_EXITING) } },
	{ "nmi-window-needs-virtual-nmis", long_guest,
		{ F(CLEAR, PIN_BASED_CONTROLS, PIN_VIRTUAL_NMIS),
		  F(OR, PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW_EXITING) } },
	{ "x2apic-virtualization-needs-tpr-shadow", long_guest, { SECONDARY(VIRTUALIZE_X2APIC) } },
	{ "apic-register-virtualization-needs-tpr-shadow", long_guest,
		{ SECONDARY(APIC_REGISTER_VIRTUALIZATION) } },
	{ "virtual-interrupt-delivery-needs-tpr-shadow", long_guest,
		{ SECONDARY(VIRTUAL_INTERRUPT_DELIVERY) } },
	{ "ipi-virtualization-needs-tpr-shadow", long_guest, { TERTIARY(IPI_VIRTUALIZATION) } },
	{ "x2apic-excludes-apic-accesses", long_guest,
		{ F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW),
		  SECONDARY(VIRTUALIZE_X2APIC), SECONDARY(VIRTUALIZE_APIC_ACCESSES) } },

#define APICV(how_pin)									\
	F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW), SECONDARY(VIRTUAL_INTERRUPT_DELIVERY),	\
	F(OR, EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT),				\
	F(how_pin, PIN_BASED_CONTROLS, PIN_PROCESS_POSTED_INTERRUPTS)
	{ "virtual-interrupts-need-exiting", long_guest,
		{ APICV(CLEAR), F(CLEAR, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING) } },
	{ "posted-interrupts-need-delivery", long_guest,
		{ F(OR, PIN_BASED_CONTROLS, PIN_PROCESS_POSTED_INTERRUPTS),
		  F(OR, EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT) } },
	{ "posted-interrupts-need-acknowledge", long_guest,
		{ APICV(OR), F(CLEAR, EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT) } },
	{ "posted-interrupt-vector", long_guest, { APICV(OR), F(SET, POSTED_INTR_VECTOR, 256) } },
	{ "posted-descriptor-alignment", long_guest,
		{ APICV(OR), F(SET, POSTED_INTR_DESCRIPTOR, 0x20) } },
	{ "posted-descriptor-width", long_guest,
		{ APICV(OR), F(SET, POSTED_INTR_DESCRIPTOR, TOO_WIDE) } },

#define IPIV	F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW), TERTIARY(IPI_VIRTUALIZATION)
	{ "pid-pointer-table-alignment", long_guest, { IPIV, F(SET, PID_POINTER_TABLE, 4) } },
	{ "pid-pointer-table-width", long_guest,
		{ IPIV, F(SET, PID_POINTER_TABLE, TOO_WIDE) }, .more = 1 },
	{ "pid-pointer-table-end", long_guest, { IPIV, F(SET, PID_POINTER_TABLE, TOO_WIDE - 8),
						 F(SET, LAST_PID_POINTER_INDEX, 1) } },
	{ "vpid", long_guest, { F(SET, VPID, 0) } },
	{ "eptp-memory-type", long_guest, { F(OR, EPTP, 7) } },
	{ "eptp-memory-type", long_guest, { F(CLEAR, EPTP, 7) }, no_uc },
	{ "eptp-walk-length", long_guest, { F(CLEAR, EPTP, EPTP_WALK_LENGTH_MASK) } },
	{ "eptp-walk-length", long_guest, { F(CLEAR, EPTP, EPTP_WALK_LENGTH_MASK),
					    F(OR, EPTP, EPTP_WALK_LENGTH_5) } },
	{ "eptp-accessed-dirty", long_guest, { F(OR, EPTP, EPTP_ACCESSED_DIRTY) }, no_ad },
	{ "eptp-reserved", long_guest, { F(OR, EPTP, BIT(8)) } },
	{ "eptp-reserved", long_guest, { F(OR, EPTP, EPTP_SUPERVISOR_SHADOW_STACK) } },
	{ "eptp-width", long_guest, { F(OR, EPTP, TOO_WIDE) } },
	{ "pml-needs-ept", restricted_guest, { NO_EPT, SECONDARY(ENABLE_PML) } },
	{ "unrestricted-guest-needs-ept", long_guest, { NO_EPT, SECONDARY(UNRESTRICTED_GUEST) } },
	{ "mode-based-execute-control-needs-ept", restricted_guest,
		{ NO_EPT, SECONDARY(MODE_BASED_EXECUTE) } },
	{ "sub-page-write-permissions-needs-ept", restricted_guest,
		{ NO_EPT, SECONDARY(SUB_PAGE_WRITE_PERMISSIONS) } },
	{ "pt-guest-physical-needs-ept", restricted_guest,
		{ NO_EPT, SECONDARY(PT_USES_GUEST_PHYSICAL),
		  F(OR, EXIT_CONTROLS, EXIT_CLEAR_IA32_RTIT_CTL) } },
	{ "pebs-guest-physical-needs-ept", restricted_guest,
		{ NO_EPT, TERTIARY(PEBS_USES_GUEST_PHYSICAL) } },
	{ "hlat-needs-ept", restricted_guest, { NO_EPT, TERTIARY(ENABLE_HLAT) } },
	{ "paging-write-control-needs-ept", restricted_guest,
		{ NO_EPT, TERTIARY(EPT_PAGING_WRITE_CONTROL) } },
	{ "guest-paging-verification-needs-ept", restricted_guest,
		{ NO_EPT, TERTIARY(GUEST_PAGING_VERIFICATION) } },
	{ "vm-functions-supported", long_guest, { SECONDARY(ENABLE_VM_FUNCTIONS),
						  F(SET, VM_FUNCTION_CONTROLS, 2) } },
	{ "vm-functions-supported", long_guest, { SECONDARY(ENABLE_VM_FUNCTIONS),
						  F(SET, VM_FUNCTION_CONTROLS, 1) }, no_vmfunc },
	{ "eptp-switching-needs-ept", restricted_guest, { NO_EPT, SECONDARY(ENABLE_VM_FUNCTIONS),
							  F(SET, VM_FUNCTION_CONTROLS, 1) } },
	{ "pt-guest-physical-needs-load", long_guest,
		{ SECONDARY(PT_USES_GUEST_PHYSICAL),
		  F(OR, EXIT_CONTROLS, EXIT_CLEAR_IA32_RTIT_CTL),
		  F(CLEAR, ENTRY_CONTROLS, ENTRY_LOAD_IA32_RTIT_CTL) } },
	{ "pt-guest-physical-needs-clear", long_guest, { SECONDARY(PT_USES_GUEST_PHYSICAL) } },
	{ "tsc-multiplier", long_guest, { SECONDARY(USE_TSC_SCALING) } },
	{ "hlatp-reserved", long_guest, { TERTIARY(ENABLE_HLAT), F(SET, HLATP, 0x1020) } },
	{ "hlatp-width", long_guest, { TERTIARY(ENABLE_HLAT), F(SET, HLATP, TOO_WIDE) } },
	{ "apic-timer-needs-delivery", long_guest, { TERTIARY(APIC_TIMER_VIRTUALIZATION) } },
	{ "apic-timer-excludes-rdtsc-exiting", long_guest,
		{ APICV(CLEAR), TERTIARY(APIC_TIMER_VIRTUALIZATION),
		  F(OR, PRIMARY_CONTROLS, PRIMARY_RDTSC_EXITING) } },
	{ "apic-timer-vector", long_guest,
		{ APICV(CLEAR), TERTIARY(APIC_TIMER_VIRTUALIZATION),
		  F(SET, VIRTUAL_TIMER_VECTOR, 0x100) } },

	/* 29.2.1.2 */
	{ "exit-controls-required", long_guest, { F(CLEAR, EXIT_CONTROLS, BIT(0)) } },
	{ "exit-controls-supported", long_guest, { F(OR, EXIT_CONTROLS, EXIT_CLEAR_UINV) } },
	{ "secondary-exit-controls-supported", long_guest,
		{ F(OR, SECONDARY_EXIT_CONTROLS, BIT(4)) } },
	{ "preemption-timer-saved", long_guest, { F(OR, EXIT_CONTROLS,
						    EXIT_SAVE_PREEMPTION_TIMER) } },
	{ "exit-msr-store-address", long_guest, { F(SET, EXIT_MSR_STORE_COUNT, 1),
						  F(SET, EXIT_MSR_STORE_ADDRESS, 8) } },
	{ "exit-msr-store-end", long_guest, { F(SET, EXIT_MSR_STORE_COUNT, 2),
					      F(SET, EXIT_MSR_STORE_ADDRESS, TOO_WIDE - 16) } },
	{ "exit-msr-load-address", long_guest, { F(SET, EXIT_MSR_LOAD_COUNT, 1),
						 F(SET, EXIT_MSR_LOAD_ADDRESS, 8) } },
	{ "exit-msr-load-address", long_guest, { F(SET, EXIT_MSR_LOAD_COUNT, 1),
						 F(SET, EXIT_MSR_LOAD_ADDRESS, TOO_WIDE) },
		.more = 1 },
	{ "exit-msr-load-end", long_guest, { F(SET, EXIT_MSR_LOAD_COUNT, 0xffffffff),
					     F(SET, EXIT_MSR_LOAD_ADDRESS, TOO_WIDE - 16) } },

	/* 29.2.1.3 */
	{ "entry-controls-required", long_guest, { F(CLEAR, ENTRY_CONTROLS, BIT(0)) } },
	{ "entry-controls-supported", long_guest, { F(OR, ENTRY_CONTROLS, BIT(26)) } },
	{ "event-type", long_guest, { INJECT(RESERVED_TYPE, 0) } },
	{ "event-type", long_guest, { INJECT(OTHER_EVENT, 0) }, no_mtf, 1 },
	{ "event-nmi-vector", long_guest, { INJECT(NMI, 3) } },
	{ "event-exception-vector", long_guest, { INJECT(HARDWARE_EXCEPTION, 32) } },
	{ "event-other-vector", long_guest, { INJECT(OTHER_EVENT, 3),
					      F(SET, ENTRY_INSTRUCTION_LENGTH, 2) } },
	{ "event-other-vector", long_guest, { INJECT(OTHER_EVENT, INTR_OTHER_SYSCALL),
					      F(SET, ENTRY_INSTRUCTION_LENGTH, 2) }, fred_cpu },
	{ "event-error-code-given", long_guest, { INJECT(HARDWARE_EXCEPTION, 14) } },
	{ "event-error-code-given", long_guest, { INJECT(HARDWARE_EXCEPTION, 8) } },
	{ "event-error-code-given", restricted_guest, { INJECT(HARDWARE_EXCEPTION, 17) } },
	{ "event-error-code-withheld", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 6 | INTR_INFO_ERROR_CODE) } },
	{ "event-error-code-withheld", long_guest,
		{ INJECT(SOFTWARE_INTERRUPT, 14 | INTR_INFO_ERROR_CODE),
		  F(SET, ENTRY_INSTRUCTION_LENGTH, 2) } },
	{ "event-error-code-withheld", real_guest,
		{ INJECT(HARDWARE_EXCEPTION, 13 | INTR_INFO_ERROR_CODE) } },
	{ "event-error-code-withheld", real_guest,
		{ INJECT(HARDWARE_EXCEPTION, 13 | INTR_INFO_ERROR_CODE) }, any_error },
	{ "event-nested-exception", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 6 | INTR_INFO_NESTED_EXCEPTION) } },
	{ "event-nested-exception", long_guest,
		{ INJECT(NMI, 2 | INTR_INFO_NESTED_EXCEPTION) }, fred_cpu },
	{ "event-reserved", long_guest, { INJECT(NMI, 2 | INTR_INFO_NMI_UNBLOCKING) } },
	{ "event-reserved", long_guest, { INJECT(NMI, 2 | BIT(30)) } },
	{ "event-error-code", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 14 | INTR_INFO_ERROR_CODE),
		  F(SET, ENTRY_EXCEPTION_ERROR_CODE, 0x10000) } },
	{ "event-instruction-length", long_guest, { INJECT(SOFTWARE_EXCEPTION, 3),
						    F(SET, ENTRY_INSTRUCTION_LENGTH, 16) } },
	{ "event-instruction-length", long_guest, { INJECT(SOFTWARE_INTERRUPT, 0x80) } },
	{ "event-instruction-length", long_guest, { INJECT(PRIVILEGED_EXCEPTION, 1) } },
	{ "entry-msr-load-address", long_guest, { F(SET, ENTRY_MSR_LOAD_COUNT, 1),
						  F(SET, ENTRY_MSR_LOAD_ADDRESS, 8) } },
	{ "entry-msr-load-end", long_guest, { F(SET, ENTRY_MSR_LOAD_COUNT, 2),
					      F(SET, ENTRY_MSR_LOAD_ADDRESS, TOO_WIDE - 16) } },
	{ "entry-to-smm", long_guest, { F(OR, ENTRY_CONTROLS, ENTRY_TO_SMM) } },
	{ "deactivate-dual-monitor", long_guest,
		{ F(OR, ENTRY_CONTROLS, ENTRY_DEACTIVATE_DUAL_MONITOR) } },

	/* 29.2.2 */
	{ "host-cr0-required", long_guest, { F(CLEAR, HOST_CR0, X86_CR0_NE) } },
	{ "host-cr0-supported", long_guest, { F(OR, HOST_CR0, BIT_ULL(32)) } },
	{ "host-cr4-required", long_guest, { F(CLEAR, HOST_CR4, X86_CR4_VMXE) } },
	{ "host-cr4-supported", long_guest, { F(OR, HOST_CR4, BIT(15)) } },
	{ "host-cet-needs-wp", long_guest, { F(OR, HOST_CR4, X86_CR4_CET),
					     F(CLEAR, HOST_CR0, X86_CR0_WP) } },
	{ "host-cr3", long_guest, { F(OR, HOST_CR3, TOO_WIDE) } },
	{ "host-cr3", long_guest, { F(OR, HOST_CR3, CR3_LAM) } },
	{ "host-sysenter-esp", long_guest, { F(SET, HOST_IA32_SYSENTER_ESP, NOT_CANONICAL) } },
	{ "host-sysenter-eip", long_guest, { F(SET, HOST_IA32_SYSENTER_EIP, NOT_CANONICAL) } },
	{ "host-perf-global-ctrl", long_guest, { F(SET, HOST_IA32_PERF_GLOBAL_CTRL, 0x10) } },
	{ "host-pat", long_guest, { F(SET, HOST_IA32_PAT, 0x0600000000000002ULL) } },
	{ "host-efer-reserved", long_guest, { F(OR, HOST_IA32_EFER, EFER_SVME) } },
	{ "host-efer-mode", long_guest, { F(CLEAR, HOST_IA32_EFER, EFER_LMA) } },
	{ "host-efer-mode", long_guest, { F(CLEAR, HOST_IA32_EFER, EFER_LME) } },
	{ "host-s-cet-reserved", long_guest, { F(SET, HOST_IA32_S_CET, BIT(6)) } },
	{ "host-s-cet-state", long_guest, { F(SET, HOST_IA32_S_CET, BIT(10) | BIT(11)) } },
	{ "host-ssp-alignment", long_guest, { F(SET, HOST_SSP, 2) } },
	{ "host-pkrs", long_guest, { F(SET, HOST_IA32_PKRS, BIT_ULL(32)) } },
	{ "host-fred-config", long_guest, { F(SET, HOST_IA32_FRED_CONFIG, BIT(11)) } },
	{ "host-fred-config", long_guest, { F(SET, HOST_IA32_FRED_CONFIG, NOT_CANONICAL) } },
	{ "host-fred-rsp1", long_guest, { F(SET, HOST_IA32_FRED_RSP1, 0x20) } },
	{ "host-fred-rsp2", long_guest, { F(SET, HOST_IA32_FRED_RSP2, NOT_CANONICAL) } },
	{ "host-fred-rsp3", long_guest, { F(SET, HOST_IA32_FRED_RSP3, 1) } },
	{ "host-fred-ssp1", long_guest, { F(SET, HOST_IA32_FRED_SSP1, 4) } },
	{ "host-fred-ssp2", long_guest, { F(SET, HOST_IA32_FRED_SSP2, NOT_CANONICAL) } },
	{ "host-fred-ssp3", long_guest, { F(SET, HOST_IA32_FRED_SSP3, 1) } },
	{ "host-spec-ctrl", long_guest, { F(SET, HOST_IA32_SPEC_CTRL, 8) } },

	/* 29.2.3 */
	{ "host-cs-selector", long_guest, { F(OR, HOST_CS_SELECTOR, 3) } },
	{ "host-ss-selector", long_guest, { F(SET, HOST_SS_SELECTOR, 4) } },
	{ "host-ds-selector", long_guest, { F(SET, HOST_DS_SELECTOR, 0x2b) } },
	{ "host-es-selector", long_guest, { F(SET, HOST_ES_SELECTOR, 0x2b) } },
	{ "host-fs-selector", long_guest, { F(SET, HOST_FS_SELECTOR, 1) } },
	{ "host-gs-selector", long_guest, { F(SET, HOST_GS_SELECTOR, 1) } },
	{ "host-tr-selector", long_guest, { F(OR, HOST_TR_SELECTOR, 4) } },
	{ "host-cs-not-null", long_guest, { F(SET, HOST_CS_SELECTOR, 0) } },
	{ "host-tr-not-null", long_guest, { F(SET, HOST_TR_SELECTOR, 0) } },
	{ "host-ss-not-null", legacy_host, { F(SET, HOST_SS_SELECTOR, 0) }, legacy_cpu },
	{ "host-fs-base", long_guest, { F(SET, HOST_FS_BASE, NOT_CANONICAL) } },
	{ "host-gs-base", long_guest, { F(SET, HOST_GS_BASE, NOT_CANONICAL) } },
	{ "host-gdtr-base", long_guest, { F(SET, HOST_GDTR_BASE, NOT_CANONICAL) } },
	{ "host-idtr-base", long_guest, { F(SET, HOST_IDTR_BASE, NOT_CANONICAL) } },
	{ "host-tr-base", long_guest, { F(SET, HOST_TR_BASE, 0x0000800000000000ULL) } },

	/* 29.2.4 */
	{ "legacy-host-excludes-ia32e-guest", legacy_host,
		{ F(OR, ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST),
		  F(OR, GUEST_CR0, X86_CR0_PG), F(OR, GUEST_CR4, X86_CR4_PAE),
		  F(SET, GUEST_IA32_EFER, EFER_LMA | EFER_LME) }, legacy_cpu },
	{ "legacy-host-stays-legacy", protected_guest, { { NOTHING } }, legacy_cpu },
	{ "ia32e-host-stays-ia32e", legacy_host, { { NOTHING } } },
	{ "legacy-host-pcide", legacy_host, { F(OR, HOST_CR4, X86_CR4_PCIDE) }, legacy_cpu },
	{ "legacy-host-fred", legacy_host, { F(OR, HOST_CR4, CR4_FRED) }, legacy_cpu },
	{ "legacy-host-rip", legacy_host, { F(OR, HOST_RIP, BIT_ULL(32)) }, legacy_cpu },
	{ "legacy-host-s-cet", legacy_host, { F(SET, HOST_IA32_S_CET, BIT_ULL(32)) }, legacy_cpu },
	{ "legacy-host-ssp", legacy_host, { F(SET, HOST_SSP, BIT_ULL(32)) }, legacy_cpu },
	{ "host-pae", long_guest, { F(CLEAR, HOST_CR4, X86_CR4_PAE) } },
	{ "host-rip", long_guest, { F(SET, HOST_RIP, NOT_CANONICAL) } },
	{ "host-s-cet", long_guest, { F(SET, HOST_IA32_S_CET, NOT_CANONICAL) } },
	{ "host-ssp", long_guest, { F(SET, HOST_SSP, NOT_CANONICAL) } },
	{ "host-ssp-table", long_guest, { F(SET, HOST_INTR_SSP_TABLE_ADDR, NOT_CANONICAL) } },

	/* 29.3.1.1 */
	{ "guest-cr0-required", long_guest, { F(CLEAR, GUEST_CR0, X86_CR0_NE) } },
	{ "guest-cr0-required", restricted_guest, { F(CLEAR, GUEST_CR0, X86_CR0_PG) } },
	{ "guest-cr0-supported", long_guest, { F(OR, GUEST_CR0, BIT_ULL(40)) } },
	{ "guest-pg-needs-pe", pae_guest, { F(CLEAR, GUEST_CR0, X86_CR0_PE) } },
	{ "guest-cr4-required", long_guest, { F(CLEAR, GUEST_CR4, X86_CR4_VMXE) } },
	{ "guest-cr4-supported", long_guest, { F(OR, GUEST_CR4, BIT(15)) } },
	{ "guest-cet-needs-wp", long_guest, { F(OR, GUEST_CR4, X86_CR4_CET),
					      F(CLEAR, GUEST_CR0, X86_CR0_WP) } },
	{ "guest-debugctl", long_guest, { F(SET, GUEST_IA32_DEBUGCTL, BIT(5)) } },
	{ "ia32e-guest-needs-paging", long_guest, { F(CLEAR, GUEST_CR0, X86_CR0_PG) } },
	{ "ia32e-guest-needs-pae", long_guest, { F(CLEAR, GUEST_CR4, X86_CR4_PAE) } },
	{ "guest-pcide-needs-ia32e", protected_guest, { F(OR, GUEST_CR4, X86_CR4_PCIDE) } },
	{ "guest-fred-needs-ia32e", v8086_guest, { F(OR, GUEST_CR4, CR4_FRED) } },
	{ "guest-cr3", long_guest, { F(OR, GUEST_CR3, TOO_WIDE) } },
	{ "guest-dr7", long_guest, { F(OR, GUEST_DR7, BIT_ULL(32)) } },
	{ "guest-sysenter-esp", long_guest, { F(SET, GUEST_IA32_SYSENTER_ESP, NOT_CANONICAL) } },
	{ "guest-sysenter-eip", long_guest, { F(SET, GUEST_IA32_SYSENTER_EIP, NOT_CANONICAL) } },
	{ "guest-s-cet", long_guest, { F(SET, GUEST_IA32_S_CET, NOT_CANONICAL) } },
	{ "guest-ssp-table", long_guest, { F(SET, GUEST_INTR_SSP_TABLE_ADDR, NOT_CANONICAL) } },
	{ "guest-perf-global-ctrl", long_guest, { F(SET, GUEST_IA32_PERF_GLOBAL_CTRL, 0x10) } },
	{ "guest-pat", long_guest, { F(SET, GUEST_IA32_PAT, 0x0300000000000000ULL) } },
	{ "guest-pat", long_guest, { F(SET, GUEST_IA32_PAT, 8) } },
	{ "guest-efer-reserved", long_guest, { F(OR, GUEST_IA32_EFER, EFER_SVME) } },
	{ "guest-efer-lma", real_guest, { F(OR, GUEST_IA32_EFER, EFER_LMA) } },
	{ "guest-efer-lma", long_guest, { F(SET, GUEST_IA32_EFER, 0) } },
	{ "guest-efer-lme", long_guest, { F(CLEAR, GUEST_IA32_EFER, EFER_LME) } },
	{ "guest-efer-lme", pae_guest, { F(OR, GUEST_IA32_EFER, EFER_LME) } },
	{ "guest-bndcfgs-reserved", long_guest, { F(SET, GUEST_IA32_BNDCFGS, BIT(2)) } },
	{ "guest-bndcfgs-address", long_guest, { F(SET, GUEST_IA32_BNDCFGS, NOT_CANONICAL) } },
	{ "guest-rtit-ctl", long_guest, { F(SET, GUEST_IA32_RTIT_CTL, BIT(8)) } },
	{ "guest-s-cet-reserved", long_guest, { F(SET, GUEST_IA32_S_CET, BIT(9)) } },
	{ "guest-s-cet-state", long_guest, { F(SET, GUEST_IA32_S_CET, BIT(10) | BIT(11)) } },
	{ "guest-lbr-ctl", long_guest, { F(SET, GUEST_IA32_LBR_CTL, BIT(8)) } },
	{ "guest-pkrs", long_guest, { F(SET, GUEST_IA32_PKRS, BIT_ULL(32)) } },
	{ "guest-uinv", long_guest, { F(SET, GUEST_UINV, 0x100) } },
	{ "guest-fred-config", long_guest, { F(SET, GUEST_IA32_FRED_CONFIG, BIT(4)) } },
	{ "guest-fred-rsp1", long_guest, { F(SET, GUEST_IA32_FRED_RSP1, 0x20) } },
	{ "guest-fred-rsp2", long_guest, { F(SET, GUEST_IA32_FRED_RSP2, NOT_CANONICAL) } },
	{ "guest-fred-rsp3", long_guest, { F(SET, GUEST_IA32_FRED_RSP3, 1) } },
	{ "guest-fred-ssp1", long_guest, { F(SET, GUEST_IA32_FRED_SSP1, 4) } },
	{ "guest-fred-ssp2", long_guest, { F(SET, GUEST_IA32_FRED_SSP2, NOT_CANONICAL) } },
	{ "guest-fred-ssp3", long_guest, { F(SET, GUEST_IA32_FRED_SSP3, 1) } },
	{ "guest-spec-ctrl", long_guest, { F(SET, GUEST_IA32_SPEC_CTRL, 8) } },

	/* 29.3.1.2 */
	{ "guest-tr-ti", long_guest, { F(OR, GUEST_TR_SELECTOR, 4) } },
	{ "guest-ldtr-ti", long_guest, { F(OR, GUEST_LDTR_SELECTOR, 4) } },
	{ "guest-ss-rpl", restricted_guest, { F(OR, GUEST_CS_SELECTOR, 3) } },
	{ "guest-tr-base", long_guest, { F(SET, GUEST_TR_BASE, NOT_CANONICAL) } },
	{ "guest-fs-base", long_guest, { F(SET, GUEST_FS_BASE, NOT_CANONICAL) } },
	{ "guest-fs-base", user_guest, { F(SET, GUEST_FS_BASE, NOT_CANONICAL) } },
	{ "guest-gs-base", long_guest, { F(SET, GUEST_GS_BASE, NOT_CANONICAL) } },
	{ "guest-ldtr-base", long_guest, { F(SET, GUEST_LDTR_BASE, NOT_CANONICAL) } },
	{ "guest-cs-base", long_guest, { F(SET, GUEST_CS_BASE, BIT_ULL(32)) } },
	{ "guest-ss-base", long_guest, { F(SET, GUEST_SS_BASE, BIT_ULL(32)) } },
	{ "guest-ds-base", long_guest, { F(SET, GUEST_DS_BASE, BIT_ULL(32)) } },
	{ "guest-es-base", long_guest, { F(SET, GUEST_ES_BASE, BIT_ULL(32)) } },

#define EACH_CASE(segment_case)								\
	segment_case(CS, "cs") segment_case(SS, "ss") segment_case(DS, "ds")		\
	segment_case(ES, "es") segment_case(FS, "fs") segment_case(GS, "gs")
#define EACH_DATA_CASE(segment_case)							\
	segment_case(DS, "ds") segment_case(ES, "es")					\
	segment_case(FS, "fs") segment_case(GS, "gs")

#define V8086_BASE(SEG, seg)								\
	{ "guest-" seg "-v8086-base", v8086_guest, { F(SET, GUEST_##SEG##_BASE, 0) } },
	EACH_CASE(V8086_BASE)
#define V8086_LIMIT(SEG, seg)								\
	{ "guest-" seg "-v8086-limit", v8086_guest, { F(SET, GUEST_##SEG##_LIMIT, 0xfffff) } },
	EACH_CASE(V8086_LIMIT)
#define V8086_RIGHTS(SEG, seg)								\
	{ "guest-" seg "-v8086-rights", v8086_guest, { RIGHTS(SEG, SET, 0x93) } },
	EACH_CASE(V8086_RIGHTS)

	{ "guest-cs-type", long_guest, { RIGHTS(CS, SET, 0xa09a) } },
	{ "guest-cs-type", long_guest, { RIGHTS(CS, SET, 0xa097) } },
	{ "guest-cs-type", restricted_guest, { RIGHTS(CS, SET, 0xc093) } },
	{ "guest-ss-type", long_guest, { RIGHTS(SS, SET, 0xc091) } },
	{ "guest-ss-type", long_guest, { RIGHTS(SS, SET, 0xc09b) } },
#define NOT_ACCESSED(SEG, seg)								\
	{ "guest-" seg "-type-accessed", long_guest, { RIGHTS(SEG, SET, 0xc092) } },
	EACH_DATA_CASE(NOT_ACCESSED)
#define NOT_READABLE(SEG, seg)								\
	{ "guest-" seg "-type-readable", long_guest, { RIGHTS(SEG, SET, 0xc099) } },
	EACH_DATA_CASE(NOT_READABLE)
#define NOT_S(SEG, seg)									\
	{ "guest-" seg "-s", long_guest, { RIGHTS(SEG, CLEAR, VMCS_AR_S) } },
	EACH_CASE(NOT_S)
	{ "guest-cs-dpl-data", protected_guest, { RIGHTS(CS, SET, 0xc0f3) } },
	{ "guest-cs-dpl-code", long_guest, { RIGHTS(CS, SET, 0xa0fb) } },
	{ "guest-cs-dpl-code", user_guest, { RIGHTS(CS, SET, 0xa099) } },
	{ "guest-cs-dpl-conforming", long_guest, { RIGHTS(CS, SET, 0xa0ff) } },
	{ "guest-ss-dpl-rpl", restricted_guest, { RIGHTS(SS, SET, 0xc0f3),
						  RIGHTS(CS, SET, 0xc0fb) } },
	{ "guest-ss-dpl-real-mode", real_guest, { RIGHTS(SS, SET, 0xf3) } },
	{ "guest-ss-dpl-real-mode", protected_guest, { RIGHTS(CS, SET, 0xc093),
						       RIGHTS(SS, SET, 0xc0f3) } },
	{ "guest-ss-dpl-fred", fred_guest_user, { RIGHTS(CS, SET, 0xa0bb),
						  RIGHTS(SS, SET, 0xc0b3) } },
	{ "guest-ss-fred-kernel", fred_guest_kernel, { RIGHTS(CS, SET, 0xc09b),
						       F(SET, GUEST_RIP, 0x1000) } },
	{ "guest-ss-fred-user", fred_guest_user, { F(OR, GUEST_RFLAGS, X86_EFLAGS_IOPL) } },
	{ "guest-ss-fred-user", fred_guest_user, { F(SET, GUEST_INTERRUPTIBILITY, 1) } },
#define SMALL_DPL(SEG, seg)								\
	{ "guest-" seg "-dpl", restricted_guest, { F(OR, GUEST_##SEG##_SELECTOR, 3) } },
	EACH_DATA_CASE(SMALL_DPL)
	{ "guest-ds-dpl", restricted_guest, { F(OR, GUEST_DS_SELECTOR, 3),
					      RIGHTS(DS, SET, 0xc09b) } },
#define NOT_PRESENT(SEG, seg)								\
	{ "guest-" seg "-present", long_guest, { RIGHTS(SEG, CLEAR, VMCS_AR_P) } },
	EACH_CASE(NOT_PRESENT)
#define RESERVED_LOW(SEG, seg)								\
	{ "guest-" seg "-reserved-low", long_guest, { RIGHTS(SEG, OR, BIT(8)) } },
	EACH_CASE(RESERVED_LOW)
	{ "guest-cs-db", long_guest, { RIGHTS(CS, OR, VMCS_AR_DB) } },
#define BROKEN_PAGES(SEG, seg)								\
	{ "guest-" seg "-granularity-pages", long_guest,				\
		{ F(SET, GUEST_##SEG##_LIMIT, 0xfffff000) } },
	EACH_CASE(BROKEN_PAGES)
#define MANY_BYTES(SEG, seg)								\
	{ "guest-" seg "-granularity-bytes", long_guest, { RIGHTS(SEG, CLEAR, VMCS_AR_G) } },
	EACH_CASE(MANY_BYTES)
#define RESERVED_HIGH(SEG, seg)								\
	{ "guest-" seg "-reserved-high", long_guest, { RIGHTS(SEG, OR, BIT(17)) } },
	EACH_CASE(RESERVED_HIGH)
	/* CS is judged even if it is unusable. */
	{ "guest-cs-present", long_guest, { RIGHTS(CS, CLEAR, VMCS_AR_P),
					    RIGHTS(CS, OR, VMCS_AR_UNUSABLE) } },

	{ "guest-tr-type", long_guest, { RIGHTS(TR, SET, 0x89) } },
	{ "guest-tr-type", long_guest, { RIGHTS(TR, SET, 0x83) } },
	{ "guest-tr-usable", long_guest, { RIGHTS(TR, OR, VMCS_AR_UNUSABLE) } },
	{ "guest-ldtr-type", long_guest, { RIGHTS(LDTR, SET, 0x83) } },
#define SYSTEM_SEGMENT(SEG, seg)							\
	{ "guest-" seg "-s", long_guest, { RIGHTS(SEG, OR, VMCS_AR_S) } },		\
	{ "guest-" seg "-present", long_guest, { RIGHTS(SEG, CLEAR, VMCS_AR_P) } },	\
	{ "guest-" seg "-reserved-low", long_guest, { RIGHTS(SEG, OR, BIT(11)) } },	\
	{ "guest-" seg "-reserved-high", long_guest, { RIGHTS(SEG, OR, BIT(31)) } },	\
	{ "guest-" seg "-granularity-pages", long_guest,				\
		{ RIGHTS(SEG, OR, VMCS_AR_G), F(SET, GUEST_##SEG##_LIMIT, 0x67) } },	\
	{ "guest-" seg "-granularity-bytes", long_guest,				\
		{ F(SET, GUEST_##SEG##_LIMIT, 0x100fff) } },
	SYSTEM_SEGMENT(TR, "tr")
	SYSTEM_SEGMENT(LDTR, "ldtr")

	/* 29.3.1.3 */
	{ "guest-gdtr-base", long_guest, { F(SET, GUEST_GDTR_BASE, NOT_CANONICAL) } },
	{ "guest-idtr-base", long_guest, { F(SET, GUEST_IDTR_BASE, NOT_CANONICAL) } },
	{ "guest-gdtr-limit", long_guest, { F(SET, GUEST_GDTR_LIMIT, 0x10000) } },
	{ "guest-idtr-limit", long_guest, { F(SET, GUEST_IDTR_LIMIT, 0x10000) } },

	/* 29.3.1.4 */
	{ "guest-rip-32bit", protected_guest, { F(OR, GUEST_RIP, BIT_ULL(32)) } },
	{ "guest-rip-32bit", long_guest, { RIGHTS(CS, SET, 0xc09b) } },
	{ "guest-rip-64bit", long_guest, { F(SET, GUEST_RIP, NOT_CANONICAL) } },
	{ "guest-rflags-reserved", long_guest, { F(OR, GUEST_RFLAGS, BIT(22)) } },
	{ "guest-rflags-reserved", long_guest, { F(OR, GUEST_RFLAGS, BIT(3)) } },
	{ "guest-rflags-fixed", long_guest, { F(CLEAR, GUEST_RFLAGS, BIT(1)) } },
	{ "guest-rflags-vm", v8086_guest, { F(CLEAR, GUEST_CR0, X86_CR0_PE) } },
	{ "guest-rflags-vm", v8086_guest,
		{ F(OR, ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST), F(OR, GUEST_CR0, X86_CR0_PG),
		  F(OR, GUEST_CR4, X86_CR4_PAE),
		  F(SET, GUEST_IA32_EFER, EFER_LMA | EFER_LME) } },
	{ "guest-rflags-if", long_guest, { INJECT(EXTERNAL, 0x20) } },
	{ "guest-ssp-alignment", long_guest, { F(SET, GUEST_SSP, 1) } },
	{ "guest-ssp", long_guest, { F(SET, GUEST_SSP, NOT_CANONICAL) } },

	/* 29.3.1.5 */
	{ "guest-activity", long_guest, { F(SET, GUEST_ACTIVITY, 4) } },
	{ "guest-activity", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT) }, no_hlt },
	{ "guest-hlt-cpl", user_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT) } },
	{ "guest-blocked-is-active", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_SHUTDOWN),
						   F(SET, GUEST_INTERRUPTIBILITY, 2) } },
	{ "guest-hlt-event", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT),
					   INJECT(HARDWARE_EXCEPTION, 6) } },
	{ "guest-hlt-event", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT),
					   INJECT(SOFTWARE_INTERRUPT, 0x80),
					   F(SET, ENTRY_INSTRUCTION_LENGTH, 2) } },
	{ "guest-shutdown-event", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_SHUTDOWN),
						F(OR, GUEST_RFLAGS, X86_EFLAGS_IF),
						INJECT(EXTERNAL, 0x20) } },
	{ "guest-wait-for-sipi-event", long_guest,
		{ F(SET, GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI), INJECT(NMI, 2) } },
	{ "guest-interruptibility-reserved", long_guest,
		{ F(SET, GUEST_INTERRUPTIBILITY, BIT(5)) } },
	{ "guest-sti-or-mov-ss", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_IF),
					       F(SET, GUEST_INTERRUPTIBILITY, 3) } },
	{ "guest-sti-needs-if", long_guest, { F(SET, GUEST_INTERRUPTIBILITY, 1) } },
	{ "guest-interrupt-blocked", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_IF),
						   INJECT(EXTERNAL, 0x20),
						   F(SET, GUEST_INTERRUPTIBILITY, 1) } },
	{ "guest-nmi-blocked", long_guest, { INJECT(NMI, 2), F(SET, GUEST_INTERRUPTIBILITY, 2) } },
	{ "guest-smi-blocking", long_guest, { F(SET, GUEST_INTERRUPTIBILITY, BIT(2)) } },
	{ "guest-virtual-nmi-blocked", long_guest, { INJECT(NMI, 2),
						     F(SET, GUEST_INTERRUPTIBILITY, BIT(3)) } },
	{ "guest-enclave-mov-ss", long_guest, { F(SET, GUEST_INTERRUPTIBILITY, BIT(4) | BIT(1)) } },
	{ "guest-enclave-supported", long_guest, { F(SET, GUEST_INTERRUPTIBILITY, BIT(4)) },
		no_sgx },
	{ "guest-pending-debug-reserved", long_guest, { F(SET, GUEST_PENDING_DEBUG, BIT(13)) } },
	{ "guest-pending-debug-reserved", long_guest,
		{ F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_BUS_LOCK) } },
	{ "guest-pending-step", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_TF),
					      F(SET, GUEST_INTERRUPTIBILITY, 2) } },
	{ "guest-pending-step", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_TF),
					      F(SET, GUEST_ACTIVITY, ACTIVITY_HLT) } },
	{ "guest-pending-no-step", long_guest, { F(SET, GUEST_INTERRUPTIBILITY, 2),
						 F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) } },
	{ "guest-pending-no-step", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_TF),
						 F(SET, GUEST_IA32_DEBUGCTL, DEBUGCTLMSR_BTF),
						 F(SET, GUEST_INTERRUPTIBILITY, 2),
						 F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) } },
#define RTM	(PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED_BP)
	{ "guest-pending-rtm", long_guest, { F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_RTM) } },
	{ "guest-pending-rtm", long_guest, { F(SET, GUEST_PENDING_DEBUG, RTM | 1) } },
	{ "guest-pending-rtm-supported", long_guest, { F(SET, GUEST_PENDING_DEBUG, RTM) }, no_rtm },
	{ "guest-pending-rtm-mov-ss", long_guest, { F(SET, GUEST_PENDING_DEBUG, RTM),
						    F(SET, GUEST_INTERRUPTIBILITY, 2) } },
	{ "vmcs-link-alignment", long_guest, { F(SET, LINK_POINTER, 0x800) } },
	{ "vmcs-link-width", long_guest, { F(SET, LINK_POINTER, TOO_WIDE) } },
	{ "vmcs-link-itself", long_guest, { F(SET, LINK_POINTER, ADDRESS) } },

	/* 29.3.1.6 */
	{ "guest-pdpte0", pae_guest, { F(OR, GUEST_PDPTE0, BIT(1)) } },
	{ "guest-pdpte1", pae_guest, { F(SET, GUEST_PDPTE1, BIT(8) | 1) } },
	{ "guest-pdpte2", pae_guest, { F(SET, GUEST_PDPTE2, TOO_WIDE | 1) } },
	{ "guest-pdpte3", restricted_guest, { F(SET, GUEST_PDPTE3, NOT_CANONICAL | 1) } },
};

/* 1. and 3.: guests that must be let in */
static const struct test_case kept[] = {
	{ "a 64-bit guest", long_guest },
	{ "a 64-bit guest in user space", user_guest },
	{ "a protected-mode guest without paging", protected_guest },
	{ "a guest with PAE paging", pae_guest },
	{ "a guest that is not unrestricted", restricted_guest },
	{ "a real-mode guest", real_guest },
	{ "a virtual-8086 guest", v8086_guest },
	{ "a FRED guest in its kernel", fred_guest_kernel, {}, fred_cpu },
	{ "a FRED guest in user space", fred_guest_user, {}, fred_cpu },
	{ "a host outside IA-32e mode", legacy_host, {}, legacy_cpu },
	{ "control words that are not activated are ignored", protected_guest,
		{ F(CLEAR, PRIMARY_CONTROLS, PRIMARY_ACTIVATE_TERTIARY),
		  F(SET, TERTIARY_CONTROLS, ~0ULL), F(SET, VM_FUNCTION_CONTROLS, ~0ULL),
		  F(CLEAR, EXIT_CONTROLS, EXIT_ACTIVATE_SECONDARY),
		  F(SET, SECONDARY_EXIT_CONTROLS, ~0ULL) } },
	{ "fields of unused controls are ignored", long_guest,
		{ F(SET, IO_BITMAP_A, ~0ULL), F(SET, APIC_ACCESS_ADDRESS, ~0ULL),
		  F(SET, TPR_THRESHOLD, ~0U), F(SET, EXIT_MSR_LOAD_ADDRESS, ~0ULL),
		  F(SET, HLATP, ~0ULL), F(SET, GUEST_PDPTE0, ~0ULL) } },
	{ "an MSR area may end with the last byte of memory", long_guest,
		{ F(SET, EXIT_MSR_LOAD_COUNT, 1),
		  F(SET, EXIT_MSR_LOAD_ADDRESS, TOO_WIDE - 16) } },
	{ "posted interrupts", long_guest, { APICV(OR), F(SET, POSTED_INTR_VECTOR, 255),
					     F(SET, POSTED_INTR_DESCRIPTOR, 0x40) } },
	{ "an uncacheable EPTP with accessed and dirty flags", long_guest,
		{ F(CLEAR, EPTP, 7), F(OR, EPTP, EPTP_ACCESSED_DIRTY) } },
	{ "five levels of EPT", long_guest, { F(CLEAR, EPTP, EPTP_WALK_LENGTH_MASK),
					      F(OR, EPTP, EPTP_WALK_LENGTH_5) }, five_levels },
	{ "an EPTP with supervisor shadow stacks", long_guest,
		{ F(OR, EPTP, EPTP_SUPERVISOR_SHADOW_STACK) }, ept_shadow },
	{ "an injected interrupt", user_guest, { INJECT(EXTERNAL, 0xff) } },
	{ "an injected NMI while NMIs are not virtual", long_guest,
		{ F(CLEAR, PIN_BASED_CONTROLS, PIN_VIRTUAL_NMIS), INJECT(NMI, 2),
		  F(SET, GUEST_INTERRUPTIBILITY, BIT(3)) } },
	{ "an injected page fault", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 14 | INTR_INFO_ERROR_CODE),
		  F(SET, ENTRY_EXCEPTION_ERROR_CODE, 0xffff) } },
	{ "#GP without an error code in real mode", real_guest,
		{ INJECT(HARDWARE_EXCEPTION, 13) } },
	{ "#UD with an error code where the CPU permits any", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 6 | INTR_INFO_ERROR_CODE) }, any_error },
	{ "an injected software interrupt", long_guest, { INJECT(SOFTWARE_INTERRUPT, 0x80),
							  F(SET, ENTRY_INSTRUCTION_LENGTH, 15) } },
	{ "an instruction length of 0 where the CPU permits it", long_guest,
		{ INJECT(SOFTWARE_EXCEPTION, 3) }, zero_length },
	{ "an injected monitor-trap-flag exit", long_guest, { INJECT(OTHER_EVENT, 0) } },
	{ "an injected SYSCALL by FRED", fred_guest_user,
		{ INJECT(OTHER_EVENT, INTR_OTHER_SYSCALL),
		  F(SET, ENTRY_INSTRUCTION_LENGTH, 2) }, fred_cpu },
	{ "an exception nested in FRED's delivery", fred_guest_kernel,
		{ INJECT(HARDWARE_EXCEPTION, 6 | INTR_INFO_NESTED_EXCEPTION) }, fred_cpu },
	{ "stale event fields are ignored without the valid bit", long_guest,
		{ F(SET, ENTRY_INTR_INFO, 0x7fffffff), F(SET, ENTRY_INSTRUCTION_LENGTH, 77),
		  F(SET, ENTRY_EXCEPTION_ERROR_CODE, ~0U) } },
	{ "CR0.CD and NW are never checked", long_guest,
		{ F(OR, HOST_CR0, X86_CR0_CD), F(OR, GUEST_CR0, X86_CR0_NW) } },
	{ "LAM's bits in CR3", long_guest, { F(OR, HOST_CR3, CR3_LAM), F(OR, GUEST_CR3, CR3_LAM) },
		lam },
	{ "57-bit linear addresses", long_guest,
		{ F(SET, HOST_GS_BASE, 0xff10000000000000ULL),
		  F(SET, GUEST_GS_BASE, 0x00ffffffffffffffULL) }, la57 },
	{ "RIP may stand one byte past the canonical addresses", long_guest,
		{ F(SET, GUEST_RIP, 0x0000800000000000ULL) } },
	{ "registers that are not loaded are ignored", long_guest,
		{ F(CLEAR, ENTRY_CONTROLS, CONTROLS_LOAD_ALL_ENTRY), F(SET, GUEST_IA32_EFER, ~0ULL),
		  F(SET, GUEST_IA32_PAT, ~0ULL), F(SET, GUEST_DR7, ~0ULL),
		  F(SET, GUEST_SSP, ~0ULL), F(SET, GUEST_IA32_DEBUGCTL, ~0ULL) } },
	{ "an unusable data segment may hold anything but a DPL", long_guest,
		{ F(SET, GUEST_DS_BASE, ~0ULL), F(SET, GUEST_DS_LIMIT, 0x12345678),
		  RIGHTS(DS, SET, ~0U), F(SET, GUEST_LDTR_BASE, NOT_CANONICAL),
		  RIGHTS(LDTR, SET, ~0U), F(SET, GUEST_LDTR_SELECTOR, 7) } },
	{ "an unusable SS in 64-bit user space", user_guest, { F(SET, GUEST_SS_SELECTOR, 3),
							       RIGHTS(SS, SET, 0x10060) } },
	{ "conforming code of a lower DPL", user_guest, { RIGHTS(CS, SET, 0xa09f) } },
	{ "a 16-bit busy TSS outside IA-32e mode", protected_guest, { RIGHTS(TR, SET, 0x83) } },
	{ "a data segment below its RPL in an unrestricted guest", protected_guest,
		{ F(OR, GUEST_DS_SELECTOR, 3) } },
	{ "a halted guest woken by an interrupt", long_guest,
		{ F(SET, GUEST_ACTIVITY, ACTIVITY_HLT), F(OR, GUEST_RFLAGS, X86_EFLAGS_IF),
		  INJECT(EXTERNAL, 0x20) } },
	{ "a halted guest woken by #DB", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT),
						       INJECT(HARDWARE_EXCEPTION, 1) } },
	{ "an NMI in the shutdown state", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_SHUTDOWN),
							INJECT(NMI, 2) } },
	{ "wait-for-SIPI", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI) } },
	{ "blocking by STI", user_guest, { F(SET, GUEST_INTERRUPTIBILITY, 1) } },
	{ "an exception is not blocked by MOV SS", long_guest,
		{ INJECT(HARDWARE_EXCEPTION, 6), F(SET, GUEST_INTERRUPTIBILITY, 2) } },
	{ "a pending single step", long_guest, { F(OR, GUEST_RFLAGS, X86_EFLAGS_TF),
						 F(SET, GUEST_INTERRUPTIBILITY, 2),
						 F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) } },
	{ "a pending bus lock", long_guest, { F(SET, GUEST_PENDING_DEBUG, PENDING_DEBUG_BUS_LOCK |
								PENDING_DEBUG_ENABLED_BP) },
		bus_lock },
	{ "a pending RTM debug exception", long_guest, { F(SET, GUEST_PENDING_DEBUG, RTM) } },
	{ "counts, vectors and limits at their maximum", long_guest,
		{ F(SET, CR3_TARGET_COUNT, 4), F(SET, GUEST_UINV, 255),
		  F(SET, GUEST_GDTR_LIMIT, 0xffff), F(SET, GUEST_IDTR_LIMIT, 0xffff),
		  INJECT(HARDWARE_EXCEPTION, 31) } },
	{ "a TPR threshold of 15", long_guest, { F(OR, PRIMARY_CONTROLS, PRIMARY_USE_TPR_SHADOW),
						 F(SET, TPR_THRESHOLD, 15) } },
	{ "a virtual timer of vector 255", long_guest,
		{ APICV(CLEAR), TERTIARY(APIC_TIMER_VIRTUALIZATION),
		  F(SET, VIRTUAL_TIMER_VECTOR, 255) } },
	{ "EPT without accessed and dirty flags", long_guest, {}, no_ad },
	{ "a CET state of SUPPRESS or TRACKER", long_guest,
		{ F(SET, HOST_IA32_S_CET, BIT(10)), F(SET, GUEST_IA32_S_CET, BIT(11)) } },
	{ "a host CET state that is not loaded", long_guest,
		{ F(CLEAR, EXIT_CONTROLS, EXIT_LOAD_CET_STATE),
		  F(SET, HOST_IA32_S_CET, ~0ULL >> 1), F(SET, HOST_SSP, NOT_CANONICAL),
		  F(SET, HOST_INTR_SSP_TABLE_ADDR, NOT_CANONICAL) } },
	{ "a read-only data segment", long_guest, { RIGHTS(DS, SET, 0xc091) } },
	{ "a conforming code segment below its RPL", restricted_guest,
		{ F(OR, GUEST_DS_SELECTOR, 3), RIGHTS(DS, SET, 0xc09f) } },
	{ "conforming code of the same DPL", long_guest, { RIGHTS(CS, SET, 0xa09f) } },
	{ "a virtual-8086 guest with any RPLs that is not unrestricted", v8086_guest,
		{ F(CLEAR, SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED_GUEST),
		  F(OR, GUEST_CR0, X86_CR0_PG), F(SET, GUEST_CS_SELECTOR, 0x1233),
		  F(SET, GUEST_CS_BASE, 0x12330) } },
	{ "a halted guest woken by #MC", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_HLT),
						       INJECT(HARDWARE_EXCEPTION, 18) } },
	{ "#MC in the shutdown state", long_guest, { F(SET, GUEST_ACTIVITY, ACTIVITY_SHUTDOWN),
						     INJECT(HARDWARE_EXCEPTION, 18) } },
	{ "a linked VMCS", long_guest, { F(SET, LINK_POINTER, 0x3000) } },
};

#define ENCODING(name, encoding) encoding,
static bool fields_well_formed(void)
{
	static const u32 encodings[] = { VMCS_FIELDS(ENCODING) };
	bool ok = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(encodings); i++) {
		u32 e = encodings[i];

		/* Sorted, full access, no reserved bit, made of its own parts */
		if ((i && e <= encodings[i - 1]) || (e & 0xffff9001) || !vmcs_field_name(e) ||
		    (VMCS_WIDTH(e) << 13 | VMCS_AREA(e) << 10 | VMCS_INDEX(e) << 1) != e) {
			printf("# the encoding %#x is malformed\n", e);
			ok = false;
		}
	}
	return ok;
}

static bool names(void)
{
	return !strcmp(vmcs_field_name(VMCS_VPID), "VPID") &&
	       !strcmp(vmcs_field_name(VMCS_GUEST_RIP), "GUEST_RIP") &&
	       !vmcs_field_name(VMCS_HIGH(VMCS_EPTP)) && !vmcs_field_name(0xffff) &&
	       !strcmp(vmx_exit_name(VMX_EXIT_EXCEPTION_NMI), "EXCEPTION_NMI") &&
	       !strcmp(vmx_exit_name(48), "EPT_VIOLATION") && !vmx_exit_name(35) &&
	       !vmx_exit_name(VMX_EXIT_COUNT) && !vmx_exit_name(~0U);
}

static bool widths(void)
{
	return VMCS_WIDTH(VMCS_VPID) == VMCS_WIDTH_16 && VMCS_WIDTH(VMCS_EPTP) == VMCS_WIDTH_64 &&
	       VMCS_WIDTH(VMCS_EXIT_REASON) == VMCS_WIDTH_32 &&
	       VMCS_WIDTH(VMCS_HOST_RIP) == VMCS_WIDTH_NATURAL &&
	       VMCS_AREA(VMCS_EPTP) == VMCS_AREA_CONTROL &&
	       VMCS_AREA(VMCS_EXIT_REASON) == VMCS_AREA_READ_ONLY &&
	       VMCS_AREA(VMCS_GUEST_RIP) == VMCS_AREA_GUEST &&
	       VMCS_AREA(VMCS_HOST_RIP) == VMCS_AREA_HOST &&
	       VMCS_GUEST_ACCESS_RIGHTS(VMCS_SEG_TR) == VMCS_GUEST_TR_ACCESS_RIGHTS &&
	       VMCS_GUEST_BASE(VMCS_SEG_LDTR) == VMCS_GUEST_LDTR_BASE &&
	       VMCS_GUEST_LIMIT(VMCS_SEG_GS) == VMCS_GUEST_GS_LIMIT &&
	       VMCS_GUEST_SELECTOR(VMCS_SEG_CS) == VMCS_GUEST_CS_SELECTOR;
}

static bool description(void)
{
	static const struct test_case test = { "host-tr-base", long_guest,
					       { F(SET, HOST_TR_BASE, NOT_CANONICAL) } };
	static const char expected[] = "host-tr-base: must be canonical (SDM 3C, " HOST_SEGMENTS
				       "): HOST_TR_BASE=0x8000000000000000";

	return describes(&test, expected, "host-tr-base: m");
}

static const struct fact facts[] = {
	{ "VMCS encodings are well formed", fields_well_formed },
	{ "names of fields and exits", names },
	{ "what an encoding tells", widths },
	{ "the text for the log", description },
};

int main(void)
{
	return test_rules(broken, ARRAY_SIZE(broken), kept, ARRAY_SIZE(kept), facts, ARRAY_SIZE(facts));
}
