// SPDX-License-Identifier: GPL-2.0
/*
 * struct tpz_hw of VMX, and its smallest hooks.
 */
#include <linux/kernel.h>
#include "../percpu.h"
#include "ept.h"
#include "vmx.h"

/* Guest and nested translations are tagged by VPID and EPTP; this CPU forgets those of this vCPU */
void vmx_flush(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);

	if (vmx_open(v)) {
		set_bit(TPZ_REQ_FLUSH, &v->requests);
		return;
	}
	if (vmx_caps.ept_vpid & VMX_CAP_EPT_INVEPT_SINGLE)
		vmx_invept(INVEPT_SINGLE_CONTEXT, x->eptp);
	else
		vmx_invept(INVEPT_ALL_CONTEXTS, 0);
	if (x->vpid)
		vmx_invvpid(INVVPID_SINGLE_CONTEXT, x->vpid);
	vmx_close(v);
}

void vmx_set_tsc_offset(struct tpz_vcpu *v, u64 offset)
{
	if (vmx_open(v))
		return;			/* the next load looks at it */
	vmcs_write(VMCS_TSC_OFFSET, offset);
	to_vmx(v)->tsc_offset = offset;
	vmx_close(v);
}

const struct tpz_hw tpz_hw_vmx = {
	.name = "VMX",
	.backend = TPZ_BACKEND_VMX,
	.rival = "kvm_intel",
	.held_by = "CR4.VMXE",
	.held = vmx_held,
	.npt = &tpz_ept_format,
	.pending_debug = true,
	.probe = vmx_probe,
	.remove = tpz_cpu_pages_free,
	.traps = vmx_traps,
	.feature = vmx_feature,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.cpu_crash = vmx_cpu_crash,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_put = vmx_vcpu_put,
	.fetch = vmx_fetch,
	.enter = vmx_enter,
	.inject = vmx_inject,
	.windows = vmx_windows,
	.flush = vmx_flush,
	.set_tsc_offset = vmx_set_tsc_offset,
	.poke = vmx_poke,
};
