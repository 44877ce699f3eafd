// SPDX-License-Identifier: GPL-2.0
/*
 * One stay in the guest: the last preparations with interrupts off, the entry, and what must follow an exit at once.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include "../../host_guest.h"
#include <asm/special_insns.h>
#include "rules.h"
#include "vmx.h"

/* ---- noinstr: the host's tracing and RCU believe that this CPU runs a guest */

static __always_inline bool is_nmi(u32 reason)
{
	return reason == VMX_EXIT_EXCEPTION_NMI &&
		(vmcs_read(VMCS_EXIT_INTR_INFO) & (INTR_INFO_VALID | INTR_INFO_TYPE)) ==
		(INTR_INFO_VALID | INTR_INFO_NMI);
}

/* Return: the exit-reason word; ~0 if the CPU refused the entry */
static noinstr u32 run_guest(struct tpz_vcpu *v, struct vmx_vcpu *x, unsigned long flags)
{
	u32 reason = ~0U;

	guest_state_enter_irqoff();
	if (v->s.cr2 != native_read_cr2())
		native_write_cr2(v->s.cr2);
	x->failed = vmx_enter_guest(v->s.gpr, flags, &x->host_rsp);
	v->s.cr2 = native_read_cr2();
	/* perf's NMI handler must find its own registers, and what it leaves in them stays */
	if (unlikely(x->host_pebs))
		tpz_wrmsr_noinstr(MSR_IA32_PEBS_ENABLE, x->host_pebs);
	tpz_switch_debugctl_to_host(&x->host_switch);	/* the exit cleared it (SDM vol. 3C, "Loading Host State") */
	if (likely(!x->failed)) {
		reason = vmcs_read(VMCS_EXIT_REASON);
		/* The exit left NMIs blocked: the handler's IRET must be the first one to come */
		if (unlikely(is_nmi(reason))) {
			v->host_ran = true;
			asm volatile("int $2");
		}
	}
	guest_state_exit_irqoff();
	return reason;
}

/* ---- TPZ_POKE */

int vmx_poke(struct tpz_vcpu *v, u32 field, u64 value, bool flip)
{
	/* What the entry stub itself writes can't be poked either */
	if (!vmcs_field_name(field) || VMCS_AREA(field) == VMCS_AREA_READ_ONLY || field == VMCS_HOST_RSP)
		return -EINVAL;
	tpz_poke_arm(&to_vmx(v)->poke, field, value, flip);
	return 0;
}

/* ---- why an entry failed */

static u64 rule_read(void *arg, u32 field)
{
	return vmcs_read(field);
}

void vmx_explain_failure(struct tpz_vcpu *v, u32 hw_error, u32 raw_reason)
{
	const struct tpz_rule_ctx ctx = {
		.read = rule_read,
		.caps = &vmx_caps,
		.address = to_vmx(v)->vmcs_pa,
	};

	tpz_explain_refusal(v, &vmx_rule_book, &ctx, hw_error, raw_reason);
	if (raw_reason)
		v->exit.qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
}

/* ---- the stay */

static unsigned long entry_flags(const struct vmx_vcpu *x)
{
	return (x->launched ? VMX_ENTER_RESUME : 0) | (tpz_host_mitigations.verw ? VMX_ENTER_VERW : 0);
}

/* No exit: nothing of the guest has run, and v->event is still to be delivered */
static void on_refusal(struct tpz_vcpu *v, struct vmx_vcpu *x, u32 reason)
{
	if (x->failed) {
		vmx_explain_failure(v, vmcs_read(VMCS_VM_INSTRUCTION_ERROR), 0);
	} else if ((reason & VMX_EXIT_BASIC_REASON) == VMX_EXIT_MACHINE_CHECK) {
		/* SDM vol. 3C, "Machine-Check Events During VM Entry": the host must hear of it; then it is tried again */
		v->exit.reason = TPZ_EXIT_MACHINE_CHECK;
		v->exit.raw_reason = reason;
		v->exit.qualification = 0;
		v->exit.insn_bytes = 0;
	} else {
		vmx_explain_failure(v, 0, reason);
	}
}

static void after_exit(struct tpz_vcpu *v, struct vmx_vcpu *x, u32 reason)
{
	x->launched = true;
	v->cached &= ~VMX_GUEST_CHANGES;
	v->event.valid = false;
	vmx_save_interrupted_event(v);
	vmx_decode_exit(v, reason);
	/* Next to every handler reads these: cheaper than a window of its own */
	if (static_branch_unlikely(&vmx_transient))
		tpz_fetch(v, TPZ_P_RIP | TPZ_P_RFLAGS | TPZ_P_SHADOW);
}

/*
 * TPZ_TRAP_TIMER's next tick or v->timer_at, whichever comes first (SDM vol. 3C, 25.5.1). One count is a power of two of TSC
 * cycles; rounded up, lest the exit come before its time.
 */
static void set_timer(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	const bool on = x->timer_ticks || v->timer_at;
	u64 ticks = x->timer_ticks ?: U32_MAX, now;

	if (on != x->timer_on)
		vmcs_write(VMCS_PIN_BASED_CONTROLS, vmcs_read(VMCS_PIN_BASED_CONTROLS) ^ PIN_PREEMPTION_TIMER);
	x->timer_on = on;
	if (!on)
		return;
	if (v->timer_at) {
		now = rdtsc();
		ticks = now >= v->timer_at ? 0 :
			min(ticks, ((v->timer_at - now) >> (vmx_caps.misc & VMX_CAP_MISC_TIMER_RATE)) + 1);
	}
	vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, ticks);
}

static void before_entry(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	vmx_commit(v);
	vmx_refresh_host_state(x);
	if (unlikely(v->host_ran)) {
		vmx_look_at_host(x);
		v->host_ran = false;
	}
	if (unlikely(x->timer_on || v->timer_at))
		set_timer(v, x);
	if (unlikely(x->poke.armed))
		vmcs_write(x->poke.field, tpz_poke_apply(&x->poke, vmcs_read(x->poke.field)));
	tpz_switch_enter(&x->host_switch, v);
	if (unlikely(x->host_pebs))
		tpz_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
}

/**
 * vmx_enter() - hw.h's enter()
 * @v: the vCPU
 *
 * Context: interrupts off, loaded, the guest's FPU state in the registers.
 */
int vmx_enter(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);
	bool refused;
	u32 reason;

	if (vmx_open(v))
		return -ESHUTDOWN;
	before_entry(v, x);
	v->entered_tsc = rdtsc();
	reason = run_guest(v, x, entry_flags(x));
	v->exit.tsc = rdtsc();

	tpz_switch_exit(&x->host_switch, v);
	refused = x->failed || (reason & VMX_EXIT_ENTRY_FAILURE);
	if (unlikely(refused))
		on_refusal(v, x, reason);
	if (unlikely(x->poke.armed)) {
		vmcs_write(x->poke.field, x->poke.before);
		x->poke.armed = false;
	}
	if (unlikely(refused))
		vmcs_write(VMCS_ENTRY_INTR_INFO, 0);	/* an exit would have cleared it */
	else
		after_exit(v, x, reason);
	vmx_close(v);
	return 0;
}
