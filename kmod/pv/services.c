// SPDX-License-Identifier: GPL-2.0
/*
 * Which of KVM's services a guest has, and what of them its state holds.
 */
#include "../host.h"
#include "../time/time.h"
#include "pv.h"

u32 tpz_pv_features(const struct tpz_vm *vm)
{
	u32 features;

	if (!(vm->devices & TPZ_DEVICE_KVMCLOCK))
		return 0;
	features = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) |
		   BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
		   BIT(KVM_FEATURE_PV_SCHED_YIELD);
	if (tpz_host_keeps_run_delay())
		features |= BIT(KVM_FEATURE_STEAL_TIME) | BIT(KVM_FEATURE_PV_TLB_FLUSH);
	if (vm->devices & TPZ_DEVICE_LAPIC)
		features |= BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_PV_UNHALT) | BIT(KVM_FEATURE_PV_SEND_IPI);
	return features;
}

void tpz_pv_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv)
{
	tpz_steal_get_state(v, pv);
	pv->kvm_pv_eoi = v->eoi.msr;
	pv->kicked = READ_ONCE(v->kicked);
}

void tpz_pv_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv)
{
	tpz_steal_set_state(v, pv);
	v->eoi.msr = pv->kvm_pv_eoi;
	tpz_eoi_consider(v);
	WRITE_ONCE(v->kicked, pv->kicked);
}

void tpz_pv_init(struct tpz_vcpu *v)
{
	const struct tpz_pv none = {};

	tpz_pv_set_state(v, &none);
}
