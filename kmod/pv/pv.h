/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guests may ask for: hypercalls and the KVM-compatible services (Documentation/pv.md). They exist in VMs with
 * TPZ_DEVICE_KVMCLOCK; one function says which, for CPUID and for all that would serve them.
 */
#ifndef TPZ_PV_H
#define TPZ_PV_H

#include "../cpu/cpu.h"
#include <asm/kvm_para.h>

/* ---- services.c */

/**
 * tpz_pv_features() - the services that a VM's guests have: BIT(KVM_FEATURE_*), as CPUID tells them
 */
u32 tpz_pv_features(const struct tpz_vm *vm);

static inline bool tpz_pv_has(const struct tpz_vcpu *v, unsigned int feature)
{
	return tpz_pv_features(v->vm) & BIT(feature);
}

/* The state group TPZ_STATE_PV, and what INIT leaves of it: nothing. The vCPU's thread; may sleep */
void tpz_pv_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv);
void tpz_pv_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv);
void tpz_pv_init(struct tpz_vcpu *v);

/* ---- eoi.c */

/* An interrupt was taken: the next entry may promise. The vCPU's thread */
static inline void tpz_eoi_consider(struct tpz_vcpu *v)
{
	if (v->eoi.msr & KVM_MSR_ENABLED)
		v->eoi.state = TPZ_EOI_CONSIDER;
}

/**
 * tpz_eoi_promise() - the guest may end the interrupt in service without an exit, if there is nothing to do about its end
 * Context: the vCPU's thread, right before an entry, interrupts off.
 */
void tpz_eoi_promise(struct tpz_vcpu *v);

/**
 * tpz_eoi_settle() - after an exit: what has the guest done with the promise? It ends with that
 * @may_sleep: else memory may be missing right now
 * Return: true: v->eoi.state is not TPZ_EOI_PROMISED any more; false: call again where it may sleep.
 * Context: the vCPU's thread, before anything looks at what is in service.
 */
bool tpz_eoi_settle(struct tpz_vcpu *v, bool may_sleep);

bool tpz_eoi_valid(const struct tpz_vcpu *v, u64 msr);	/* in a state that user space sets */

/* ---- yield.c */

/**
 * tpz_yield_to() - the calling vCPU gives its CPU to another one of its VM that waits for one
 * Return: false: that one does not wait. Context: the vCPU's thread; may sleep.
 */
bool tpz_yield_to(struct tpz_vcpu *v, struct tpz_vcpu *to);

TPZ_HANDLER(tpz_on_pause_fast);
TPZ_HANDLER(tpz_on_pause);		/* slow: a vCPU that spins yields */

/* ---- hypercall.c: unknown numbers answer -ENOSYS (KVM's -1000), CPL > 0: -EPERM */

TPZ_HANDLER(tpz_on_hypercall_fast);
TPZ_HANDLER(tpz_on_hypercall);		/* KVM_HC_SCHED_YIELD, which may sleep */

#endif /* TPZ_PV_H */
