// SPDX-License-Identifier: GPL-2.0
/*
 * One stay in the guest: the last preparations with interrupts off, the entry, and what must follow an exit at once.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include "../../host_guest.h"
#include <asm/debugreg.h>
#include <asm/fpu/xcr.h>
#include <asm/special_insns.h>
#include "rules.h"
#include "vmx.h"

/* What the guest may have changed without an exit: not cached after a stay. The rest is trapped */
#define GUEST_CHANGES	(TPZ_P_RIP | TPZ_P_RSP | TPZ_P_RFLAGS | TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_PDPTE | \
			 TPZ_P_SEGMENTS | TPZ_P_GDTR | TPZ_P_IDTR | TPZ_P_SYSENTER | TPZ_P_SHADOW | TPZ_P_KERNEL_GS)

#define DR7_ENABLES	0xff	/* L0 to G3 */

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
	if (unlikely(x->host_debugctl))
		tpz_wrmsr_noinstr(MSR_IA32_DEBUGCTLMSR, x->host_debugctl);
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

/* ---- registers that are switched only where they differ */

static void load_guest_debug(const struct tpz_cpu_state *s)
{
	set_debugreg(s->db[0], 0);
	set_debugreg(s->db[1], 1);
	set_debugreg(s->db[2], 2);
	set_debugreg(s->db[3], 3);
}

static void switch_xcr0(u64 from, u64 to)
{
	if (from != to)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, to);
}

/* ---- TPZ_POKE */

int vmx_poke(struct tpz_vcpu *v, u32 field, u64 value, bool flip)
{
	struct vmx_vcpu *x = to_vmx(v);

	/* Exit-information fields are read-only; what the entry stub itself writes can't be poked */
	if (!vmcs_field_name(field) || ((field >> 10) & 3) == 1 || field == VMCS_HOST_RSP)
		return -EINVAL;
	x->poke_field = field;
	x->poke_value = value;
	x->poke_flips = flip;
	x->poked = true;
	return 0;
}

static u64 apply_poke(struct vmx_vcpu *x)
{
	u64 old = vmcs_read(x->poke_field);

	vmcs_write(x->poke_field, x->poke_flips ? old ^ x->poke_value : x->poke_value);
	return old;
}

/* ---- why an entry failed */

static u64 rule_read(void *arg, u32 field)
{
	return vmcs_read(field);
}

/* Each rule (NULL: none that we know) is told once in the log: a launcher may try again without end */
static bool first_time(const struct vmx_rule *rule)
{
	static DECLARE_BITMAP(told, 512);	/* more than there are rules */
	unsigned int i = 0;

	while (vmx_rule_at(i) && vmx_rule_at(i) != rule)
		i++;
	return i < 512 && !test_and_set_bit(i, told);
}

void vmx_explain_failure(struct tpz_vcpu *v, u32 hw_error, u32 raw_reason)
{
	const struct vmx_rule_ctx ctx = {
		.read = rule_read,
		.caps = &vmx_caps,
		.vmcs_address = to_vmx(v)->vmcs_pa,
	};
	const struct vmx_rule *rule = vmx_first_broken_rule(&ctx);
	struct tpz_exit *e = &v->exit;

	memset(&e->failed, 0, sizeof(e->failed));
	e->reason = TPZ_EXIT_ENTRY_FAILED;
	e->raw_reason = raw_reason;
	e->qualification = raw_reason ? vmcs_read(VMCS_EXIT_QUALIFICATION) : 0;
	e->insn_bytes = 0;
	e->failed.hw_error = hw_error;
	e->failed.hw_reason = raw_reason;
	if (rule) {
		strscpy(e->failed.rule, rule->name, sizeof(e->failed.rule));
		strscpy(e->failed.section, rule->section, sizeof(e->failed.section));
		/* The fields found may be addresses of the host's kernel: for its developers alone */
		if (tpz_test_mode)
			vmx_rule_describe(rule, &ctx, e->failed.text, sizeof(e->failed.text));
		else
			strscpy(e->failed.text, rule->must, sizeof(e->failed.text));
	} else {
		strscpy(e->failed.text, "every rule that is checked here is kept", sizeof(e->failed.text));
	}
	if (first_time(rule))
		pr_info("VM %llu: the CPU refused an entry (error %u, reason %#x): %s\n", v->vm->id, hw_error,
			raw_reason, e->failed.text);
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
	v->event.valid = false;
	vmx_save_interrupted_event(v);
	vmx_decode_exit(v, reason);
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
	bool guest_debug = v->s.dr7 & DR7_ENABLES;
	struct tpz_host_debug host_debug;
	bool host_armed, refused, poked = x->poked;
	u64 unpoked = 0;
	u32 reason;

	if (unlikely(!vmx_this_cpu_on()))
		return -ESHUTDOWN;
	vmx_commit(v);
	vmx_refresh_host_state(x);
	if (unlikely(v->host_ran)) {
		vmx_look_at_host(x);
		v->host_ran = false;
	}
	if (x->timer_ticks)
		vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, x->timer_ticks);
	/* An exit leaves DR7 at 400h, so an armed breakpoint of the host's is restored even where the guest has none */
	host_armed = tpz_host_debug_save(&host_debug);
	if (guest_debug) {
		if (host_armed)
			set_debugreg(0, 7);	/* the host's enables must not meet the guest's addresses */
		load_guest_debug(&v->s);
	}
	if (unlikely(poked))
		unpoked = apply_poke(x);
	if (x->host_xcr0)
		switch_xcr0(x->host_xcr0, v->s.xcr0);

	if (unlikely(x->host_pebs))
		tpz_wrmsr(MSR_IA32_PEBS_ENABLE, 0);

	v->entered_tsc = rdtsc();
	reason = run_guest(v, x, entry_flags(x));
	v->exit.tsc = rdtsc();

	if (x->host_xcr0)
		switch_xcr0(v->s.xcr0, x->host_xcr0);
	if (unlikely(host_armed))
		tpz_host_debug_restore(&host_debug);
	refused = x->failed || (reason & VMX_EXIT_ENTRY_FAILURE);
	if (unlikely(refused))
		on_refusal(v, x, reason);
	if (unlikely(poked)) {
		vmcs_write(x->poke_field, unpoked);
		x->poked = false;
	}
	if (unlikely(refused)) {
		vmcs_write(VMCS_ENTRY_INTR_INFO, 0);	/* an exit would have cleared it */
		return 0;
	}
	v->cached &= ~GUEST_CHANGES;
	after_exit(v, x, reason);
	return 0;
}
