// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time by KVM's convention (Linux, Documentation/virt/kvm/x86/msr.rst): MSR 0x4b564d03 names a structure where the
 * guest reads how long its vCPU was ready to run and another thread had its CPU. The figure is the host scheduler's own:
 * the change of the vCPU thread's run delay. A halted vCPU waits for nobody, so a halt adds only the wait behind its end.
 *
 * The structure is written only when the figure has moved, before the next entry: a thread that was never made to wait
 * costs its guest a comparison. It exists in VMs with TPZ_DEVICE_KVMCLOCK, on hosts whose scheduler keeps the account.
 *
 * A byte of it tells the guest's other vCPUs that this one is away: its thread has lost its CPU, sleeps, or is in user space.
 * They need not wait for it, and leave their wish for a flush of its translations there instead of an interrupt. That byte
 * has two writers: we say KVM_VCPU_PREEMPTED when it goes (TPZ_REQ_BACK remembers), they add KVM_VCPU_FLUSH_TLB by
 * compare-and-exchange, and before the next entry we take it all back, atomically, and flush if they want it.
 */
#include <linux/sched.h>
#include <asm/kvm_para.h>
#include "../host.h"
#include "../mem/mem.h"
#include "time.h"

#define AWAY_OFFSET	offsetof(struct kvm_steal_time, preempted)

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

	return tpz_write_versioned(v->vm, gpa, &structure, AWAY_OFFSET, offsetof(struct kvm_steal_time, version));
}

/* ---- away and back */

void tpz_steal_away(struct tpz_vcpu *v)
{
	const u8 away = KVM_VCPU_PREEMPTED;

	/* Where it stands already, a wish may have been added */
	if (likely(!(v->steal.msr & KVM_MSR_ENABLED)) || test_bit(TPZ_REQ_BACK, &v->requests))
		return;
	if (!tpz_mem_write_now(v->vm, address(v->steal.msr) + AWAY_OFFSET, &away, sizeof(away)))
		set_bit(TPZ_REQ_BACK, &v->requests);
}

/*
 * A flush that comes after the byte is clear covers all wishes, also those that a plain write of 0 runs over: who finds it
 * clear sends an interrupt. The bit goes last: until then this thread may be away again with the byte half taken back.
 */
static void come_back(struct tpz_vcpu *v)
{
	const u64 gpa = address(v->steal.msr) + AWAY_OFFSET;
	const u8 here = 0;
	u8 said;

	if (tpz_mem_cmpxchg(v->vm, gpa, KVM_VCPU_PREEMPTED, here, sizeof(here))) {
		if (!tpz_mem_read(v->vm, gpa, &said, sizeof(said)) && (said & KVM_VCPU_FLUSH_TLB))
			tpz_count(&v->m->pv_flushes);
		tpz_mem_write(v->vm, gpa, &here, sizeof(here));
		set_bit(TPZ_REQ_FLUSH, &v->requests);
	}
	clear_bit(TPZ_REQ_BACK, &v->requests);
}

/*
 * Another address, or none. The old byte says that the vCPU is here then. @away: the new one may say that it is away. All
 * at once for tpz_steal_away(), which comes when this thread is preempted
 */
static void change_msr(struct tpz_vcpu *v, u64 value, bool away)
{
	preempt_disable();
	while (test_bit(TPZ_REQ_BACK, &v->requests)) {
		preempt_enable();
		come_back(v);
		preempt_disable();
	}
	v->steal.msr = value;
	if (away && (value & KVM_MSR_ENABLED))
		set_bit(TPZ_REQ_BACK, &v->requests);
	preempt_enable();
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
	if (test_bit(TPZ_REQ_BACK, &v->requests))
		come_back(v);
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

/* What an earlier life of the memory says of being away is void: this vCPU is here */
static int begin(struct tpz_vcpu *v, u64 gpa)
{
	const u8 here = 0;

	return write_steal(v, gpa) ?: tpz_mem_write(v->vm, gpa + AWAY_OFFSET, &here, sizeof(here));
}

static int write_msr(struct tpz_vcpu *v, u32 index, u64 value)
{
	if (!announced(v) || !tpz_steal_valid(v, value))
		return -EINVAL;
	if ((value & KVM_MSR_ENABLED) && begin(v, address(value)))
		return -EINVAL;
	if (!(v->steal.msr & KVM_MSR_ENABLED))
		start_account(v);
	change_msr(v, value, false);
	return 0;
}

void tpz_steal_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv)
{
	pv->kvm_steal_time = v->steal.msr;
	pv->stolen_ns = v->steal.told_ns;
}

/* In the memory that comes with a state the vCPU may be away, with a wish for a flush */
void tpz_steal_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv)
{
	change_msr(v, pv->kvm_steal_time, true);
	v->steal.told_ns = pv->stolen_ns;
	v->steal.stale = true;
	start_account(v);
}

const struct tpz_msr tpz_steal_msrs[] = {
	{ MSR_KVM_STEAL_TIME, MSR_KVM_STEAL_TIME, .sleeps = true, .read = read_msr, .write = write_msr },
	{ 1, 0 },
};
