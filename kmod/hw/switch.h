/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both backends switch by hand around a stay in the guest: registers that no VM entry and no exit of either vendor
 * loads. And the policy that both vendors' control structures express. Below the backends, above nothing.
 */
#ifndef TPZ_HW_SWITCH_H
#define TPZ_HW_SWITCH_H

#include "../core.h"
#include "../host.h"

/**
 * struct tpz_switch - the host's values, while the vCPU is loaded; owned by its thread
 * @last_cpu: where it was loaded last, or -1
 * @xsaves: the guest can execute XSAVES and XRSTORS, whatever its CPUID says
 */
struct tpz_switch {
	int last_cpu;
	bool xsaves;
	bool host_armed;		/* a breakpoint of the host's was armed at the entry */
	u64 host_xcr0;			/* 0: the host does not use XSAVE */
	u64 host_xss;			/* not 0: the guest must not XSAVES the host's supervisor states */
	u64 host_tsc_aux;
	u64 host_debugctl;		/* bits that trap or trace the host's own code: not in the guest */
	struct tpz_host_debug debug;
};

/**
 * tpz_switch_init() - a new vCPU's
 * @xsaves: the guest will be able to execute XSAVES
 */
void tpz_switch_init(struct tpz_switch *w, bool xsaves);

/**
 * tpz_switch_load(), tpz_switch_put() - last in vcpu_load(), first in vcpu_put()
 *
 * Load: flushes the branch predictors between two trust domains; counts migrations, and requests a flush of cached
 * translations where the vCPU moved; reads XCR0 and IA32_XSS; loads the guest's TSC_AUX. Put: the host's TSC_AUX.
 * Return: the vCPU was last loaded on another CPU, or never: what the control structure knows of the CPU is not true.
 * Context: preemption off, interrupts on.
 */
bool tpz_switch_load(struct tpz_switch *w, struct tpz_vcpu *v);
void tpz_switch_put(struct tpz_switch *w);
void tpz_switch_tsc_aux(const struct tpz_vcpu *v);	/* v->s.tsc_aux was written: with TPZ_P_SYSCALL dirty. Loaded */

/**
 * tpz_switch_enter(), tpz_switch_exit() - right around the entry: DR0 to DR3, XCR0, IA32_XSS. Interrupts off
 *
 * An exit of either vendor leaves DR7 with all breakpoints disabled, so the host's armed ones are restored here.
 */
void tpz_switch_enter(struct tpz_switch *w, const struct tpz_vcpu *v);
void tpz_switch_exit(struct tpz_switch *w, const struct tpz_vcpu *v);

/* Where v->host_ran, before an entry: DEBUGCTL may have changed. Interrupts off */
void tpz_switch_look_at_host(struct tpz_switch *w);

/**
 * tpz_switch_debugctl_to_host() - straight after an exit: DEBUGCTL, of which the exit left nothing, or the entry
 * Context: noinstr, NMIs not yet let in: perf's handler must find its own, and what it leaves stays.
 */
static __always_inline void tpz_switch_debugctl_to_host(const struct tpz_switch *w)
{
	if (unlikely(w->host_debugctl))
		tpz_wrmsr_noinstr(MSR_IA32_DEBUGCTLMSR, w->host_debugctl);
}

/* Straight before the entry, on a CPU that would enter with the host's */
static __always_inline void tpz_switch_debugctl_to_guest(const struct tpz_switch *w)
{
	if (unlikely(w->host_debugctl))
		tpz_wrmsr_noinstr(MSR_IA32_DEBUGCTLMSR, 0);
}

/* ---- policy that both vendors' control structures express */

/**
 * tpz_trapped_exceptions() - vectors that exit, as a bit mask: #DB, #AC, #MC always, the rest by TPZ_TRAP_*
 */
u32 tpz_trapped_exceptions(const struct tpz_vm *vm);

/**
 * struct tpz_passed_msr - an MSR that guests read (and write) with no exit: the control structure or vcpu_load() switches
 * it. The list ends with msr 0.
 */
struct tpz_passed_msr {
	u32 msr;
	bool write;
};

extern const struct tpz_passed_msr tpz_passed_msrs[];

/* ---- TPZ_POKE: one field of the control structure, for the next entry alone */

struct tpz_poked {
	bool armed;
	bool flips;			/* TPZ_POKE_XOR */
	u32 field;
	u64 value;
	u64 before;			/* what the field held: the backend writes it back after the entry, and disarms */
};

static inline void tpz_poke_arm(struct tpz_poked *p, u32 field, u64 value, bool flips)
{
	*p = (struct tpz_poked) { .armed = true, .flips = flips, .field = field, .value = value };
}

/* Return: what to write over @before */
static inline u64 tpz_poke_apply(struct tpz_poked *p, u64 before)
{
	p->before = before;
	return p->flips ? before ^ p->value : p->value;
}

#endif /* TPZ_HW_SWITCH_H */
