/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both backends switch by hand around a stay in the guest: registers that no VM entry and no exit of either vendor
 * loads. Below the backends, above nothing.
 */
#ifndef TPZ_HW_SWITCH_H
#define TPZ_HW_SWITCH_H

#include "../core.h"
#include "../host.h"

/**
 * struct tpz_switch - the host's values, while the vCPU is loaded; owned by its thread
 * @last_cpu: where it was loaded last, or -1
 */
struct tpz_switch {
	int last_cpu;
	u64 host_xcr0;			/* 0: the host does not use XSAVE */
	u64 host_xss;			/* not 0: guests must not XSAVES the host's supervisor states */
	u64 host_tsc_aux;
	struct tpz_host_debug debug;
	bool host_armed;		/* a breakpoint of the host's was armed at the entry */
};

/**
 * tpz_switch_init() - a new vCPU's. tpz_switch_load(), tpz_switch_put(): with vcpu_load() and vcpu_put()
 *
 * Load: flushes the branch predictors between two trust domains; counts migrations, and requests a flush of cached
 * translations where the vCPU @moved; reads XCR0 and IA32_XSS; loads the guest's TSC_AUX. Put: the host's TSC_AUX.
 * Context: preemption off, interrupts on.
 */
void tpz_switch_init(struct tpz_switch *w);
void tpz_switch_load(struct tpz_switch *w, struct tpz_vcpu *v, bool moved);
void tpz_switch_put(struct tpz_switch *w);
void tpz_switch_tsc_aux(const struct tpz_vcpu *v);	/* v->s.tsc_aux was written: with TPZ_P_SYSCALL dirty. Loaded */

/**
 * tpz_switch_enter(), tpz_switch_exit() - right around the entry: DR0 to DR3, XCR0, IA32_XSS. Interrupts off
 *
 * An exit of either vendor leaves DR7 with all breakpoints disabled, so the host's armed ones are restored here.
 */
void tpz_switch_enter(struct tpz_switch *w, const struct tpz_vcpu *v);
void tpz_switch_exit(struct tpz_switch *w, const struct tpz_vcpu *v);

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

#endif /* TPZ_HW_SWITCH_H */
