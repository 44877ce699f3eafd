// SPDX-License-Identifier: GPL-2.0
/*
 * Registers that both backends switch by hand, and the policy that both express in their control structures.
 */
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/fpu/xcr.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include "switch.h"

#define DR7_ENABLES	0xff	/* L0 to G3 */

/* ---- onto a CPU and off it */

/* Who ran a guest on this CPU last: predictors trained by one trust domain must not steer another */
static DEFINE_PER_CPU(u32, last_domain);

static void predictor_barrier(const struct tpz_vm *vm)
{
	if (!tpz_host_mitigations.ibpb || __this_cpu_read(last_domain) == vm->domain)
		return;
	tpz_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	__this_cpu_write(last_domain, vm->domain);
}

static bool note_cpu(struct tpz_switch *w, struct tpz_vcpu *v)
{
	int cpu = smp_processor_id();

	if (likely(w->last_cpu == cpu))
		return false;
	/* Translations that this CPU kept from an earlier stay may be stale */
	set_bit(TPZ_REQ_FLUSH, &v->requests);
	if (w->last_cpu >= 0)
		tpz_count(&v->m->migrations);
	w->last_cpu = cpu;
	return true;
}

static bool has_tsc_aux(void)
{
	return boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
}

void tpz_switch_init(struct tpz_switch *w, bool xsaves)
{
	*w = (struct tpz_switch) { .last_cpu = -1, .xsaves = xsaves };
}

bool tpz_switch_load(struct tpz_switch *w, struct tpz_vcpu *v)
{
	predictor_barrier(v->vm);
	w->host_xcr0 = boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 0;
	w->host_xss = w->xsaves && boot_cpu_has(X86_FEATURE_XSAVES) ? tpz_msr(MSR_IA32_XSS) : 0;
	if (has_tsc_aux()) {
		w->host_tsc_aux = tpz_msr(MSR_TSC_AUX);
		tpz_switch_tsc_aux(v);
	}
	return note_cpu(w, v);
}

void tpz_switch_put(struct tpz_switch *w)
{
	if (has_tsc_aux())
		tpz_wrmsr(MSR_TSC_AUX, w->host_tsc_aux);
}

void tpz_switch_tsc_aux(const struct tpz_vcpu *v)
{
	if (has_tsc_aux())
		tpz_wrmsr(MSR_TSC_AUX, v->s.tsc_aux);
}

/* ---- around an entry: only what differs */

void tpz_switch_look_at_host(struct tpz_switch *w)
{
	w->host_debugctl = tpz_msr(MSR_IA32_DEBUGCTLMSR);
}

static void load_guest_breakpoints(const struct tpz_switch *w, const struct tpz_cpu_state *s)
{
	if (w->host_armed)
		set_debugreg(0, 7);	/* the host's enables must not meet the guest's addresses */
	set_debugreg(s->db[0], 0);
	set_debugreg(s->db[1], 1);
	set_debugreg(s->db[2], 2);
	set_debugreg(s->db[3], 3);
}

void tpz_switch_enter(struct tpz_switch *w, const struct tpz_vcpu *v)
{
	w->host_armed = tpz_host_debug_save(&w->debug);
	if (v->s.dr7 & DR7_ENABLES)
		load_guest_breakpoints(w, &v->s);
	if (w->host_xcr0 && w->host_xcr0 != v->s.xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, v->s.xcr0);
	if (unlikely(w->host_xss))
		tpz_wrmsr(MSR_IA32_XSS, 0);
}

void tpz_switch_exit(struct tpz_switch *w, const struct tpz_vcpu *v)
{
	if (unlikely(w->host_xss))
		tpz_wrmsr(MSR_IA32_XSS, w->host_xss);
	if (w->host_xcr0 && w->host_xcr0 != v->s.xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, w->host_xcr0);
	if (unlikely(w->host_armed))
		tpz_host_debug_restore(&w->debug);
}

/* ---- policy */

u32 tpz_trapped_exceptions(const struct tpz_vm *vm)
{
	/* #DB and #AC always: a guest that raises them without end inside their own delivery would never exit */
	u32 vectors = BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC);

	if (vm->traps & TPZ_TRAP_INT3)
		vectors |= BIT(X86_TRAP_BP);
	if (vm->traps & TPZ_TRAP_PF)
		vectors |= BIT(X86_TRAP_PF);
	if (vm->traps & TPZ_TRAP_UD)
		vectors |= BIT(X86_TRAP_UD);
	return vectors;
}

/* SYSCALL's are read with no exit; writes are trapped, so that v->s always has them */
const struct tpz_passed_msr tpz_passed_msrs[] = {
	{ MSR_FS_BASE, true },
	{ MSR_GS_BASE, true },
	{ MSR_KERNEL_GS_BASE, true },
	{ MSR_IA32_SYSENTER_CS, true },
	{ MSR_IA32_SYSENTER_ESP, true },
	{ MSR_IA32_SYSENTER_EIP, true },
	{ MSR_STAR, false },
	{ MSR_LSTAR, false },
	{ MSR_CSTAR, false },
	{ MSR_SYSCALL_MASK, false },
	{}
};
