// SPDX-License-Identifier: GPL-2.0
/*
 * struct tpz_hw of SVM, and its smallest hooks.
 */
#include <linux/kernel.h>
#include "npt.h"
#include "svm.h"

/* Guest and nested translations are tagged by ASID; the next entry takes a new one, or flushes this one's */
void svm_flush(struct tpz_vcpu *v)
{
	to_svm(v)->flush = true;
}

void svm_set_tsc_offset(struct tpz_vcpu *v, u64 offset)
{
	to_svm(v)->vmcb->control.tsc_offset = offset;
	svm_touch(to_svm(v), CLEAN_INTERCEPTS);
}

const struct tpz_hw tpz_hw_svm = {
	.name = "SVM",
	.backend = TPZ_BACKEND_SVM,
	.rival = "kvm_amd",
	.held_by = "EFER.SVME",
	.held = svm_held,
	.npt = &svm_npt_format,
	.pdptes_in_memory = true,
	.probe = svm_probe,
	.remove = svm_remove,
	.traps = svm_traps,
	.feature = svm_feature,
	.cpu_on = svm_cpu_on,
	.cpu_off = svm_cpu_off,
	.cpu_crash = svm_cpu_off,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.vcpu_load = svm_vcpu_load,
	.vcpu_put = svm_vcpu_put,
	.fetch = svm_fetch,
	.enter = svm_enter,
	.inject = svm_inject,
	.windows = svm_windows,
	.flush = svm_flush,
	.set_tsc_offset = svm_set_tsc_offset,
	.poke = svm_poke,
};
