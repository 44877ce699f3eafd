// SPDX-License-Identifier: GPL-2.0
/* SDM 29.2.1.1, "VM-Execution Control Fields". */

#include "rules_helpers.h"

#define EXECUTION_FIELDS "29.2.1.1 VM-Execution Control Fields"

/*
 * Control words against the capability MSRs
 */

static bool secondary_bits(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(secondary(ctx) & ~caps(ctx)->secondary.may);
}

static bool tertiary_bits(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(tertiary(ctx) & ~caps(ctx)->tertiary);
}

static bool vm_function_bits(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(vm_functions(ctx) & ~caps(ctx)->vm_functions);
}

static bool cr3_target_count(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 max = caps(ctx)->misc >> VMX_CAP_MISC_CR3_TARGETS_SHIFT;

	return get(ctx, VMCS_CR3_TARGET_COUNT) <= (max & VMX_CAP_MISC_CR3_TARGETS_MASK);
}

/*
 * Addresses of pages
 */

static bool is_page(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 address = get(ctx, field);

	return !(address & GENMASK_ULL(11, 0)) && is_physical(ctx, address);
}

static bool io_bitmap(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(primary(ctx) & PRIMARY_USE_IO_BITMAPS, is_page(ctx, field));
}

static bool msr_bitmap(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(primary(ctx) & PRIMARY_USE_MSR_BITMAPS, is_page(ctx, field));
}

static bool virtual_apic_page(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(primary(ctx) & PRIMARY_USE_TPR_SHADOW, is_page(ctx, field));
}

static bool apic_access_page(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_VIRTUALIZE_APIC_ACCESSES, is_page(ctx, field));
}

static bool pml_page(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_ENABLE_PML, is_page(ctx, field));
}

static bool spp_table(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_SUB_PAGE_WRITE_PERMISSIONS, is_page(ctx, field));
}

static bool eptp_list(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(vm_functions(ctx) & VM_FUNCTION_EPTP_SWITCHING, is_page(ctx, field));
}

static bool vmcs_shadowing_bitmap(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_VMCS_SHADOWING, is_page(ctx, field));
}

static bool ve_info(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_EPT_VIOLATION_VE, is_page(ctx, field));
}

static bool pasid_directory(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(secondary(ctx) & SECONDARY_ENABLE_PASID_TRANSLATION, is_page(ctx, field));
}

/*
 * NMIs, the local APIC, posted interrupts
 */

static bool tpr_threshold(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies((primary(ctx) & PRIMARY_USE_TPR_SHADOW) &&
		       !(secondary(ctx) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY),
		       get(ctx, VMCS_TPR_THRESHOLD) <= 15);
}

static bool virtual_nmis(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(pin(ctx) & PIN_VIRTUAL_NMIS, pin(ctx) & PIN_NMI_EXITING);
}

static bool nmi_window(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(primary(ctx) & PRIMARY_NMI_WINDOW_EXITING, pin(ctx) & PIN_VIRTUAL_NMIS);
}

static bool tpr_shadow_for(const struct tpz_rule_ctx *ctx, u32 control)
{
	return implies(secondary(ctx) & control, primary(ctx) & PRIMARY_USE_TPR_SHADOW);
}

static bool tpr_shadow_for_ipis(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_IPI_VIRTUALIZATION,
		       primary(ctx) & PRIMARY_USE_TPR_SHADOW);
}

static bool one_apic_mode(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_VIRTUALIZE_X2APIC,
		       !(secondary(ctx) & SECONDARY_VIRTUALIZE_APIC_ACCESSES));
}

static bool virtual_interrupts(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY,
		       pin(ctx) & PIN_EXTERNAL_INTERRUPT_EXITING);
}

static bool posts(const struct tpz_rule_ctx *ctx)
{
	return pin(ctx) & PIN_PROCESS_POSTED_INTERRUPTS;
}

static bool posted_delivery(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(posts(ctx), secondary(ctx) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
}

static bool posted_acknowledge(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(posts(ctx), exit_controls(ctx) & EXIT_ACKNOWLEDGE_INTERRUPT);
}

static bool posted_vector(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(posts(ctx), get(ctx, VMCS_POSTED_INTR_VECTOR) <= 255);
}

static bool posted_alignment(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(posts(ctx), !(get(ctx, field) & GENMASK_ULL(5, 0)));
}

static bool posted_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(posts(ctx), is_physical(ctx, get(ctx, field)));
}

static bool pid_table_alignment(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(tertiary(ctx) & TERTIARY_IPI_VIRTUALIZATION,
		       !(get(ctx, field) & GENMASK_ULL(2, 0)));
}

static bool pid_table_width(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(tertiary(ctx) & TERTIARY_IPI_VIRTUALIZATION,
		       is_physical(ctx, get(ctx, field)));
}

static bool pid_table_end(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(tertiary(ctx) & TERTIARY_IPI_VIRTUALIZATION,
		       is_physical(ctx, get(ctx, field) +
					8 * get(ctx, VMCS_LAST_PID_POINTER_INDEX)));
}

static bool apic_timer_delivery(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_APIC_TIMER_VIRTUALIZATION,
		       secondary(ctx) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
}

static bool apic_timer_rdtsc(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_APIC_TIMER_VIRTUALIZATION,
		       !(primary(ctx) & PRIMARY_RDTSC_EXITING));
}

static bool apic_timer_vector(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_APIC_TIMER_VIRTUALIZATION,
		       get(ctx, VMCS_VIRTUAL_TIMER_VECTOR) <= 255);
}

/*
 * EPT, VPID and what builds on them
 */

static bool vpid(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_ENABLE_VPID, get(ctx, VMCS_VPID));
}

static bool has_ept(const struct tpz_rule_ctx *ctx)
{
	return secondary(ctx) & SECONDARY_ENABLE_EPT;
}

static bool eptp_memory_type_known(const struct tpz_rule_ctx *ctx, u64 eptp)
{
	switch (eptp & EPTP_MEMORY_TYPE_MASK) {
	case EPTP_MEMORY_TYPE_UC:
		return caps(ctx)->ept_vpid & VMX_CAP_EPT_UC;
	case EPTP_MEMORY_TYPE_WB:
		return caps(ctx)->ept_vpid & VMX_CAP_EPT_WB;
	default:
		return false;
	}
}

static bool eptp_walk_length_known(const struct tpz_rule_ctx *ctx, u64 eptp)
{
	switch (eptp & EPTP_WALK_LENGTH_MASK) {
	case EPTP_WALK_LENGTH_4:
		return caps(ctx)->ept_vpid & VMX_CAP_EPT_WALK_4;
	case EPTP_WALK_LENGTH_5:
		return caps(ctx)->ept_vpid & VMX_CAP_EPT_WALK_5;
	default:
		return false;
	}
}

static bool eptp_memory_type(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(has_ept(ctx), eptp_memory_type_known(ctx, get(ctx, VMCS_EPTP)));
}

static bool eptp_walk_length(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(has_ept(ctx), eptp_walk_length_known(ctx, get(ctx, VMCS_EPTP)));
}

static bool eptp_accessed_dirty(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(has_ept(ctx) && (get(ctx, VMCS_EPTP) & EPTP_ACCESSED_DIRTY),
		       caps(ctx)->ept_vpid & VMX_CAP_EPT_ACCESSED_DIRTY);
}

static bool eptp_reserved(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 reserved = GENMASK_ULL(11, 7);

	if (caps(ctx)->ept_vpid & VMX_CAP_EPT_SHADOW_STACK)
		reserved &= ~EPTP_SUPERVISOR_SHADOW_STACK;
	return implies(has_ept(ctx), !(get(ctx, VMCS_EPTP) & reserved));
}

static bool eptp_width(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(has_ept(ctx), is_physical(ctx, get(ctx, VMCS_EPTP)));
}

static bool ept_for(const struct tpz_rule_ctx *ctx, u32 control)
{
	return implies(secondary(ctx) & control, has_ept(ctx));
}

static bool ept_for_tertiary(const struct tpz_rule_ctx *ctx, u32 control)
{
	return implies(tertiary(ctx) & control, has_ept(ctx));
}

static bool ept_for_eptp_switching(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(vm_functions(ctx) & VM_FUNCTION_EPTP_SWITCHING, has_ept(ctx));
}

static bool hlatp_reserved(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_ENABLE_HLAT,
		       !(get(ctx, VMCS_HLATP) & (GENMASK_ULL(2, 0) | GENMASK_ULL(11, 5))));
}

static bool hlatp_width(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(tertiary(ctx) & TERTIARY_ENABLE_HLAT,
		       is_physical(ctx, get(ctx, VMCS_HLATP)));
}

/*
 * Processor trace and the time-stamp counter
 */

static bool pt_load(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_PT_USES_GUEST_PHYSICAL,
		       entry_controls(ctx) & ENTRY_LOAD_IA32_RTIT_CTL);
}

static bool pt_clear(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_PT_USES_GUEST_PHYSICAL,
		       exit_controls(ctx) & EXIT_CLEAR_IA32_RTIT_CTL);
}

static bool tsc_multiplier(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(secondary(ctx) & SECONDARY_USE_TSC_SCALING, get(ctx, VMCS_TSC_MULTIPLIER));
}

static const struct tpz_rule execution_rules[] = {
	FIELD_RULE(VMCS_PIN_BASED_CONTROLS, "pin-controls-required", EXECUTION_FIELDS,
		   required_bits, "pin-based controls must set the bits that this CPU requires"),
	FIELD_RULE(VMCS_PIN_BASED_CONTROLS, "pin-controls-supported", EXECUTION_FIELDS,
		   supported_bits, "pin-based controls must not set bits that this CPU lacks"),
	FIELD_RULE(VMCS_PRIMARY_CONTROLS, "primary-controls-required", EXECUTION_FIELDS,
		   required_bits, "primary controls must set the bits that this CPU requires"),
	FIELD_RULE(VMCS_PRIMARY_CONTROLS, "primary-controls-supported", EXECUTION_FIELDS,
		   supported_bits, "primary controls must not set bits that this CPU lacks"),
	RULE("secondary-controls-supported", EXECUTION_FIELDS, secondary_bits,
	     "secondary controls must not set bits that this CPU lacks",
	     VMCS_SECONDARY_CONTROLS),
	RULE("tertiary-controls-supported", EXECUTION_FIELDS, tertiary_bits,
	     "tertiary controls must not set bits that this CPU lacks",
	     VMCS_TERTIARY_CONTROLS),
	RULE("cr3-target-count", EXECUTION_FIELDS, cr3_target_count,
	     "no more CR3 targets than this CPU has (4)",
	     VMCS_CR3_TARGET_COUNT),

#define PAGE_RULE(_field, _name, _holds)						\
	FIELD_RULE(_field, _name, EXECUTION_FIELDS, _holds,				\
		   "must be 4-KByte aligned and within the physical-address width")
	PAGE_RULE(VMCS_IO_BITMAP_A, "io-bitmap-a-address", io_bitmap),
	PAGE_RULE(VMCS_IO_BITMAP_B, "io-bitmap-b-address", io_bitmap),
	PAGE_RULE(VMCS_MSR_BITMAP, "msr-bitmap-address", msr_bitmap),
	PAGE_RULE(VMCS_VIRTUAL_APIC_ADDRESS, "virtual-apic-address", virtual_apic_page),
	PAGE_RULE(VMCS_APIC_ACCESS_ADDRESS, "apic-access-address", apic_access_page),
	PAGE_RULE(VMCS_PML_ADDRESS, "pml-address", pml_page),
	PAGE_RULE(VMCS_SPP_TABLE_POINTER, "spp-table-pointer", spp_table),
	PAGE_RULE(VMCS_EPTP_LIST_ADDRESS, "eptp-list-address", eptp_list),
	PAGE_RULE(VMCS_VMREAD_BITMAP, "vmread-bitmap-address", vmcs_shadowing_bitmap),
	PAGE_RULE(VMCS_VMWRITE_BITMAP, "vmwrite-bitmap-address", vmcs_shadowing_bitmap),
	PAGE_RULE(VMCS_VE_INFO_ADDRESS, "ve-info-address", ve_info),
	PAGE_RULE(VMCS_LOW_PASID_DIRECTORY, "low-pasid-directory-address", pasid_directory),
	PAGE_RULE(VMCS_HIGH_PASID_DIRECTORY, "high-pasid-directory-address", pasid_directory),

	RULE("tpr-threshold", EXECUTION_FIELDS, tpr_threshold,
	     "bits 31:4 of the TPR threshold must be 0",
	     VMCS_TPR_THRESHOLD),
	RULE("virtual-nmis-need-nmi-exiting", EXECUTION_FIELDS, virtual_nmis,
	     "virtual NMIs need NMI exiting",
	     VMCS_PIN_BASED_CONTROLS),
	RULE("nmi-window-needs-virtual-nmis", EXECUTION_FIELDS, nmi_window,
	     "NMI-window exiting needs virtual NMIs",
	     VMCS_PRIMARY_CONTROLS, VMCS_PIN_BASED_CONTROLS),

#define TPR_SHADOW_RULE(_control, _name)						\
	RULE_FOR(_control, _name "-needs-tpr-shadow", EXECUTION_FIELDS, tpr_shadow_for,	\
		 "needs the TPR shadow", VMCS_SECONDARY_CONTROLS, VMCS_PRIMARY_CONTROLS)
	TPR_SHADOW_RULE(SECONDARY_VIRTUALIZE_X2APIC, "x2apic-virtualization"),
	TPR_SHADOW_RULE(SECONDARY_APIC_REGISTER_VIRTUALIZATION, "apic-register-virtualization"),
	TPR_SHADOW_RULE(SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, "virtual-interrupt-delivery"),
	RULE("ipi-virtualization-needs-tpr-shadow", EXECUTION_FIELDS, tpr_shadow_for_ipis,
	     "needs the TPR shadow",
	     VMCS_TERTIARY_CONTROLS, VMCS_PRIMARY_CONTROLS),
	RULE("x2apic-excludes-apic-accesses", EXECUTION_FIELDS, one_apic_mode,
	     "x2APIC mode and APIC accesses must not both be virtualized",
	     VMCS_SECONDARY_CONTROLS),
	RULE("virtual-interrupts-need-exiting", EXECUTION_FIELDS, virtual_interrupts,
	     "virtual-interrupt delivery needs external-interrupt exiting",
	     VMCS_SECONDARY_CONTROLS, VMCS_PIN_BASED_CONTROLS),
	RULE("posted-interrupts-need-delivery", EXECUTION_FIELDS, posted_delivery,
	     "posted interrupts need virtual-interrupt delivery",
	     VMCS_PIN_BASED_CONTROLS, VMCS_SECONDARY_CONTROLS),
	RULE("posted-interrupts-need-acknowledge", EXECUTION_FIELDS, posted_acknowledge,
	     "posted interrupts need the acknowledgement of interrupts on exit",
	     VMCS_PIN_BASED_CONTROLS, VMCS_EXIT_CONTROLS),
	RULE("posted-interrupt-vector", EXECUTION_FIELDS, posted_vector,
	     "the notification vector must be at most 255",
	     VMCS_POSTED_INTR_VECTOR),
	FIELD_RULE(VMCS_POSTED_INTR_DESCRIPTOR, "posted-descriptor-alignment", EXECUTION_FIELDS,
		   posted_alignment, "the descriptor must be 64-byte aligned"),
	FIELD_RULE(VMCS_POSTED_INTR_DESCRIPTOR, "posted-descriptor-width", EXECUTION_FIELDS,
		   posted_width, "must be within the physical-address width"),
	FIELD_RULE(VMCS_PID_POINTER_TABLE, "pid-pointer-table-alignment", EXECUTION_FIELDS,
		   pid_table_alignment, "the table must be 8-byte aligned"),
	FIELD_RULE(VMCS_PID_POINTER_TABLE, "pid-pointer-table-width", EXECUTION_FIELDS,
		   pid_table_width, "must be within the physical-address width"),
	RULE_FOR(VMCS_PID_POINTER_TABLE, "pid-pointer-table-end", EXECUTION_FIELDS,
		 pid_table_end, "the last entry must be within the physical-address width",
		 VMCS_PID_POINTER_TABLE, VMCS_LAST_PID_POINTER_INDEX),
	RULE("vpid", EXECUTION_FIELDS, vpid,
	     "the VPID must not be 0 where VPIDs are enabled",
	     VMCS_VPID, VMCS_SECONDARY_CONTROLS),
	RULE("eptp-memory-type", EXECUTION_FIELDS, eptp_memory_type,
	     "the memory type of EPT must be one that this CPU has",
	     VMCS_EPTP),
	RULE("eptp-walk-length", EXECUTION_FIELDS, eptp_walk_length,
	     "the page-walk length of EPT must be one that this CPU has",
	     VMCS_EPTP),
	RULE("eptp-accessed-dirty", EXECUTION_FIELDS, eptp_accessed_dirty,
	     "EPT must not enable accessed and dirty flags that this CPU lacks",
	     VMCS_EPTP),
	RULE("eptp-reserved", EXECUTION_FIELDS, eptp_reserved,
	     "the reserved bits of the EPTP must be 0",
	     VMCS_EPTP),
	RULE("eptp-width", EXECUTION_FIELDS, eptp_width,
	     "must be within the physical-address width",
	     VMCS_EPTP),

#define EPT_RULE(_control, _name)							\
	RULE_FOR(_control, _name "-needs-ept", EXECUTION_FIELDS, ept_for,			\
		 "needs EPT", VMCS_SECONDARY_CONTROLS)
#define EPT_TERTIARY_RULE(_control, _name)						\
	RULE_FOR(_control, _name "-needs-ept", EXECUTION_FIELDS, ept_for_tertiary,		\
		 "needs EPT", VMCS_TERTIARY_CONTROLS, VMCS_SECONDARY_CONTROLS)
	EPT_RULE(SECONDARY_ENABLE_PML, "pml"),
	EPT_RULE(SECONDARY_UNRESTRICTED_GUEST, "unrestricted-guest"),
	EPT_RULE(SECONDARY_MODE_BASED_EXECUTE, "mode-based-execute-control"),
	EPT_RULE(SECONDARY_SUB_PAGE_WRITE_PERMISSIONS, "sub-page-write-permissions"),
	EPT_RULE(SECONDARY_PT_USES_GUEST_PHYSICAL, "pt-guest-physical"),
	EPT_TERTIARY_RULE(TERTIARY_PEBS_USES_GUEST_PHYSICAL, "pebs-guest-physical"),
	EPT_TERTIARY_RULE(TERTIARY_ENABLE_HLAT, "hlat"),
	EPT_TERTIARY_RULE(TERTIARY_EPT_PAGING_WRITE_CONTROL, "paging-write-control"),
	EPT_TERTIARY_RULE(TERTIARY_GUEST_PAGING_VERIFICATION, "guest-paging-verification"),

	RULE("vm-functions-supported", EXECUTION_FIELDS, vm_function_bits,
	     "VM-function controls must not set bits that this CPU lacks",
	     VMCS_VM_FUNCTION_CONTROLS),
	RULE("eptp-switching-needs-ept", EXECUTION_FIELDS, ept_for_eptp_switching,
	     "needs EPT",
	     VMCS_VM_FUNCTION_CONTROLS, VMCS_SECONDARY_CONTROLS),
	RULE("pt-guest-physical-needs-load", EXECUTION_FIELDS, pt_load,
	     "trace output to guest-physical addresses needs the load of IA32_RTIT_CTL on entry",
	     VMCS_SECONDARY_CONTROLS, VMCS_ENTRY_CONTROLS),
	RULE("pt-guest-physical-needs-clear", EXECUTION_FIELDS, pt_clear,
	     "trace output to guest-physical addresses needs IA32_RTIT_CTL cleared on exit",
	     VMCS_SECONDARY_CONTROLS, VMCS_EXIT_CONTROLS),
	RULE("tsc-multiplier", EXECUTION_FIELDS, tsc_multiplier,
	     "the TSC multiplier must not be 0 where TSC scaling is enabled",
	     VMCS_TSC_MULTIPLIER, VMCS_SECONDARY_CONTROLS),
	RULE("hlatp-reserved", EXECUTION_FIELDS, hlatp_reserved,
	     "bits 2:0 and 11:5 of the HLATP must be 0",
	     VMCS_HLATP),
	RULE("hlatp-width", EXECUTION_FIELDS, hlatp_width,
	     "must be within the physical-address width",
	     VMCS_HLATP),
	RULE("apic-timer-needs-delivery", EXECUTION_FIELDS, apic_timer_delivery,
	     "APIC-timer virtualization needs virtual-interrupt delivery",
	     VMCS_TERTIARY_CONTROLS, VMCS_SECONDARY_CONTROLS),
	RULE("apic-timer-excludes-rdtsc-exiting", EXECUTION_FIELDS, apic_timer_rdtsc,
	     "APIC-timer virtualization excludes RDTSC exiting",
	     VMCS_TERTIARY_CONTROLS, VMCS_PRIMARY_CONTROLS),
	RULE("apic-timer-vector", EXECUTION_FIELDS, apic_timer_vector,
	     "the virtual timer's vector must be at most 255",
	     VMCS_VIRTUAL_TIMER_VECTOR),
};

const struct tpz_rule_table vmx_execution_rules = RULE_TABLE(execution_rules);
