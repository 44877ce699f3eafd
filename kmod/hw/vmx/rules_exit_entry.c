// SPDX-License-Identifier: GPL-2.0
/* SDM 29.2.1.2, "VM-Exit Control Fields", and 29.2.1.3, "VM-Entry Control Fields". */

#include "rules_helpers.h"

#define EXIT_FIELDS "29.2.1.2 VM-Exit Control Fields"
#define ENTRY_FIELDS "29.2.1.3 VM-Entry Control Fields"

static bool secondary_exit_bits(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return !(secondary_exit(ctx) & ~caps(ctx)->secondary_exit);
}

static bool preemption_timer_saved(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(exit_controls(ctx) & EXIT_SAVE_PREEMPTION_TIMER,
		       pin(ctx) & PIN_PREEMPTION_TIMER);
}

static u32 msr_count_field(u32 address_field)
{
	switch (address_field) {
	case VMCS_EXIT_MSR_STORE_ADDRESS:
		return VMCS_EXIT_MSR_STORE_COUNT;
	case VMCS_EXIT_MSR_LOAD_ADDRESS:
		return VMCS_EXIT_MSR_LOAD_COUNT;
	default:
		return VMCS_ENTRY_MSR_LOAD_COUNT;
	}
}

static bool msr_area_start(const struct tpz_rule_ctx *ctx, u32 field)
{
	return implies(get(ctx, msr_count_field(field)),
		       !(get(ctx, field) & 15) && is_physical(ctx, get(ctx, field)));
}

static bool msr_area_end(const struct tpz_rule_ctx *ctx, u32 field)
{
	u64 count = get(ctx, msr_count_field(field));

	return implies(count, is_physical(ctx, get(ctx, field) + 16 * count - 1));
}

/*
 * The event to be injected
 */

#define VECTORS_WITH_ERROR_CODE	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

static u32 event_info(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_ENTRY_INTR_INFO);
}

static u32 event_vector(const struct tpz_rule_ctx *ctx)
{
	return event_info(ctx) & INTR_INFO_VECTOR;
}

static bool has_mtf(const struct tpz_rule_ctx *ctx)
{
	return caps(ctx)->primary.may & PRIMARY_MONITOR_TRAP_FLAG;
}

static bool event_type(const struct tpz_rule_ctx *ctx, u32 arg)
{
	if (injects(ctx, INTR_INFO_RESERVED_TYPE))
		return false;
	return implies(injects(ctx, INTR_INFO_OTHER_EVENT),
		       has_mtf(ctx) || (caps(ctx)->basic & VMX_CAP_BASIC_NESTED_EXCEPTION));
}

static bool event_nmi_vector(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(injects(ctx, INTR_INFO_NMI), event_vector(ctx) == 2);
}

static bool event_exception_vector(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(injects(ctx, INTR_INFO_HARDWARE_EXCEPTION), event_vector(ctx) <= 31);
}

static bool other_event_known(const struct tpz_rule_ctx *ctx)
{
	switch (event_vector(ctx)) {
	case INTR_OTHER_MTF:
		return has_mtf(ctx);
	case INTR_OTHER_SYSCALL:
	case INTR_OTHER_SYSENTER:
		return get(ctx, VMCS_GUEST_CR4) & CR4_FRED;
	default:
		return false;
	}
}

static bool event_other_vector(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(injects(ctx, INTR_INFO_OTHER_EVENT), other_event_known(ctx));
}

/* Can the event take an error code, as far as its type and the guest's mode go? */
static bool error_code_possible(const struct tpz_rule_ctx *ctx)
{
	return injects(ctx, INTR_INFO_HARDWARE_EXCEPTION) &&
	       (!unrestricted(ctx) || (get(ctx, VMCS_GUEST_CR0) & X86_CR0_PE));
}

static bool vector_has_error_code(const struct tpz_rule_ctx *ctx)
{
	return event_vector(ctx) <= 31 && (BIT(event_vector(ctx)) & VECTORS_WITH_ERROR_CODE);
}

static bool any_error_code(const struct tpz_rule_ctx *ctx)
{
	return caps(ctx)->basic & VMX_CAP_BASIC_ANY_ERROR_CODE;
}

static bool event_error_code_given(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(error_code_possible(ctx) && vector_has_error_code(ctx) &&
		       !any_error_code(ctx),
		       event_info(ctx) & INTR_INFO_ERROR_CODE);
}

static bool event_error_code_withheld(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u32 delivers = INTR_INFO_VALID | INTR_INFO_ERROR_CODE;

	return implies((event_info(ctx) & delivers) == delivers,
		       error_code_possible(ctx) &&
		       (vector_has_error_code(ctx) || any_error_code(ctx)));
}

static bool event_nested_exception(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u32 nested = INTR_INFO_VALID | INTR_INFO_NESTED_EXCEPTION;

	return implies((event_info(ctx) & nested) == nested,
		       injects(ctx, INTR_INFO_HARDWARE_EXCEPTION) &&
		       (caps(ctx)->basic & VMX_CAP_BASIC_NESTED_EXCEPTION));
}

static bool event_reserved(const struct tpz_rule_ctx *ctx, u32 arg)
{
	return implies(event_info(ctx) & INTR_INFO_VALID,
		       !(event_info(ctx) & (GENMASK_ULL(30, 14) | BIT(12))));
}

static bool event_error_code(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u32 delivers = INTR_INFO_VALID | INTR_INFO_ERROR_CODE;

	return implies((event_info(ctx) & delivers) == delivers,
		       get(ctx, VMCS_ENTRY_EXCEPTION_ERROR_CODE) <= 0xffff);
}

static bool event_has_length(const struct tpz_rule_ctx *ctx)
{
	return injects(ctx, INTR_INFO_SOFTWARE_INTERRUPT) ||
	       injects(ctx, INTR_INFO_SOFTWARE_EXCEPTION) ||
	       injects(ctx, INTR_INFO_PRIVILEGED_EXCEPTION) ||
	       (injects(ctx, INTR_INFO_OTHER_EVENT) && event_vector(ctx) != INTR_OTHER_MTF);
}

static bool event_length(const struct tpz_rule_ctx *ctx, u32 arg)
{
	u64 length = get(ctx, VMCS_ENTRY_INSTRUCTION_LENGTH);

	return implies(event_has_length(ctx),
		       length <= 15 && (length || (caps(ctx)->misc & VMX_CAP_MISC_ZERO_LENGTH)));
}

static bool entry_control_clear(const struct tpz_rule_ctx *ctx, u32 control)
{
	return !(entry_controls(ctx) & control);
}

static const struct tpz_rule exit_entry_rules[] = {
	FIELD_RULE(VMCS_EXIT_CONTROLS, "exit-controls-required", EXIT_FIELDS,
		   required_bits, "exit controls must set the bits that this CPU requires"),
	FIELD_RULE(VMCS_EXIT_CONTROLS, "exit-controls-supported", EXIT_FIELDS,
		   supported_bits, "exit controls must not set bits that this CPU lacks"),
	RULE("secondary-exit-controls-supported", EXIT_FIELDS, secondary_exit_bits,
	     "secondary exit controls must not set bits that this CPU lacks",
	     VMCS_SECONDARY_EXIT_CONTROLS),
	RULE("preemption-timer-saved", EXIT_FIELDS, preemption_timer_saved,
	     "an exit must not save a preemption timer that is not active",
	     VMCS_EXIT_CONTROLS, VMCS_PIN_BASED_CONTROLS),

#define MSR_AREA_RULES(_address, _count, _name, _section)				\
	RULE_FOR(_address, _name "-address", _section, msr_area_start,			\
		 "must be 16-byte aligned and within the physical-address width",	\
		 _address, _count),							\
	RULE_FOR(_address, _name "-end", _section, msr_area_end,			\
		 "the last byte must be within the physical-address width",		\
		 _address, _count)
	MSR_AREA_RULES(VMCS_EXIT_MSR_STORE_ADDRESS, VMCS_EXIT_MSR_STORE_COUNT,
		       "exit-msr-store", EXIT_FIELDS),
	MSR_AREA_RULES(VMCS_EXIT_MSR_LOAD_ADDRESS, VMCS_EXIT_MSR_LOAD_COUNT,
		       "exit-msr-load", EXIT_FIELDS),

	FIELD_RULE(VMCS_ENTRY_CONTROLS, "entry-controls-required", ENTRY_FIELDS,
		   required_bits, "entry controls must set the bits that this CPU requires"),
	FIELD_RULE(VMCS_ENTRY_CONTROLS, "entry-controls-supported", ENTRY_FIELDS,
		   supported_bits, "entry controls must not set bits that this CPU lacks"),
	RULE("event-type", ENTRY_FIELDS, event_type,
	     "the type of an injected event must not be reserved",
	     VMCS_ENTRY_INTR_INFO),
	RULE("event-nmi-vector", ENTRY_FIELDS, event_nmi_vector,
	     "an injected NMI has vector 2",
	     VMCS_ENTRY_INTR_INFO),
	RULE("event-exception-vector", ENTRY_FIELDS, event_exception_vector,
	     "an injected hardware exception has a vector of at most 31",
	     VMCS_ENTRY_INTR_INFO),
	RULE("event-other-vector", ENTRY_FIELDS, event_other_vector,
	     "an event of type 7 is 0 (MTF), or with CR4.FRED 1 (SYSCALL) or 2 (SYSENTER)",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR4),
	RULE("event-error-code-given", ENTRY_FIELDS, event_error_code_given,
	     "this exception must deliver an error code",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR0),
	RULE("event-error-code-withheld", ENTRY_FIELDS, event_error_code_withheld,
	     "this event must not deliver an error code",
	     VMCS_ENTRY_INTR_INFO, VMCS_GUEST_CR0),
	RULE("event-nested-exception", ENTRY_FIELDS, event_nested_exception,
	     "only a hardware exception on a CPU with FRED is marked as nested",
	     VMCS_ENTRY_INTR_INFO),
	RULE("event-reserved", ENTRY_FIELDS, event_reserved,
	     "bits 30:14 and 12 of an injected event must be 0",
	     VMCS_ENTRY_INTR_INFO),
	RULE("event-error-code", ENTRY_FIELDS, event_error_code,
	     "bits 31:16 of the error code must be 0",
	     VMCS_ENTRY_EXCEPTION_ERROR_CODE, VMCS_ENTRY_INTR_INFO),
	RULE("event-instruction-length", ENTRY_FIELDS, event_length,
	     "a software event has an instruction length of 1 to 15 (0 where the CPU permits it)",
	     VMCS_ENTRY_INSTRUCTION_LENGTH, VMCS_ENTRY_INTR_INFO),
	MSR_AREA_RULES(VMCS_ENTRY_MSR_LOAD_ADDRESS, VMCS_ENTRY_MSR_LOAD_COUNT,
		       "entry-msr-load", ENTRY_FIELDS),
	/* Never in SMM here, so the rule that not both of these be 1 follows from the two. */
	RULE_FOR(ENTRY_TO_SMM, "entry-to-smm", ENTRY_FIELDS, entry_control_clear,
		 "entry to SMM must be 0 outside SMM",
		 VMCS_ENTRY_CONTROLS),
	RULE_FOR(ENTRY_DEACTIVATE_DUAL_MONITOR, "deactivate-dual-monitor", ENTRY_FIELDS,
		 entry_control_clear, "must be 0 outside SMM",
		 VMCS_ENTRY_CONTROLS),
};

const struct tpz_rule_table vmx_exit_entry_rules = RULE_TABLE(exit_entry_rules);
