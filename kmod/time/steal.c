// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time by KVM's convention (Linux, Documentation/virt/kvm/x86/msr.rst): MSR 0x4b564d03 names a structure where the
 * guest reads how long its vCPU was ready to run and another thread had its CPU. The figure is the host scheduler's own:
 * the change of the vCPU thread's run delay. A halted vCPU waits for nobody, so a halt adds only the wait behind its end.
 *
 * The structure is written only when the figure has moved, before the next entry: a thread that was never made to wait
 * costs its guest a comparison. It exists in VMs with TPZ_DEVICE_KVMCLOCK, on hosts whose scheduler keeps the account.
 */
#include <linux/sched.h>
#include <asm/kvm_para.h>
#include "../host.h"
#include "../mem/mem.h"
#include "time.h"

static u64 address(u64 msr)
{
	return msr & KVM_STEAL_VALID_BITS;
}

static bool announced(const struct tpz_vcpu *v)
{
	return v->vm->clock && tpz_host_keeps_run_delay();
}

static int write_steal(struct tpz_vcpu *v, u64 gpa)
{
	struct kvm_steal_time structure = { .steal = v->steal.told_ns };

	return tpz_write_versioned(v->vm, gpa, &structure, sizeof(structure), offsetof(struct kvm_steal_time, version));
}

/* What the thread waited before it ran this vCPU, or while the guest did not ask, was not the guest's */
static void start_account(struct tpz_vcpu *v)
{
	v->steal.thread = task_pid_nr(current);
	v->steal.seen_ns = tpz_host_run_delay();
}

void tpz_steal_update(struct tpz_vcpu *v)
{
	u64 waited;

	if (likely(!(v->steal.msr & KVM_MSR_ENABLED)))
		return;
	if (v->steal.thread != task_pid_nr(current))
		start_account(v);
	waited = tpz_host_run_delay() - v->steal.seen_ns;
	if (likely(!waited && !v->steal.stale))
		return;
	v->steal.seen_ns += waited;
	v->steal.told_ns += waited;
	v->steal.stale = false;
	/* A structure that is no longer there can be read by nobody */
	write_steal(v, address(v->steal.msr));
}

/* ---- the MSR, and the state group */

bool tpz_steal_valid(const struct tpz_vcpu *v, u64 msr)
{
	if (!announced(v))
		return !msr;
	return !(msr & KVM_STEAL_RESERVED_MASK) && !(address(msr) >> 52);
}

static int read_msr(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!announced(v))
		return -EINVAL;
	*value = v->steal.msr;
	return 0;
}

static int write_msr(struct tpz_vcpu *v, u32 index, u64 value)
{
	if (!announced(v) || !tpz_steal_valid(v, value))
		return -EINVAL;
	if ((value & KVM_MSR_ENABLED) && write_steal(v, address(value)))
		return -EINVAL;
	if (!(v->steal.msr & KVM_MSR_ENABLED))
		start_account(v);
	v->steal.msr = value;
	return 0;
}

void tpz_steal_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv)
{
	pv->kvm_steal_time = v->steal.msr;
	pv->stolen_ns = v->steal.told_ns;
}

void tpz_steal_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv)
{
	v->steal.msr = pv->kvm_steal_time;
	v->steal.told_ns = pv->stolen_ns;
	v->steal.stale = true;
	start_account(v);
}

const struct tpz_msr tpz_steal_msrs[] = {
	{ MSR_KVM_STEAL_TIME, MSR_KVM_STEAL_TIME, .sleeps = true, .read = read_msr, .write = write_msr },
	{ 1, 0 },
};
