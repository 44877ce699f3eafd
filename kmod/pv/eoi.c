// SPDX-License-Identifier: GPL-2.0
/*
 * The end of an interrupt without an exit, by KVM's convention (Linux, Documentation/virt/kvm/x86/msr.rst): MSR
 * 0x4b564d04 names a byte of guest memory. Where bit 0 is set there, a guest that has dealt with its interrupt clears it, and
 * need not write the EOI register.
 *
 * An entry sets it ("promises") only if nobody is waiting for that end: one interrupt is in service, edge-triggered, and
 * none is behind it. One that arrives meanwhile ends the stay in the guest, as ever. And each exit settles: the bit is gone,
 * then so is the interrupt; or it is still there, then it is taken back. So but for the time in the guest itself the local
 * APIC is as it would be without all this: handlers, states that are read, interrupts of other vCPUs see no difference.
 *
 * The byte is the launcher's memory, and may be missing when an entry or exit looks for it: then there is no promise, or
 * the exit is settled where it may sleep.
 */
#include "../irq/irq.h"
#include "../mem/mem.h"
#include "pv.h"

static u64 address(u64 msr)
{
	return msr & ~(u64)KVM_MSR_ENABLED;
}

void tpz_eoi_promise(struct tpz_vcpu *v)
{
	const u8 flag = KVM_PV_EOI_ENABLED;

	v->eoi.state = TPZ_EOI_BY_EXIT;
	if ((v->eoi.msr & KVM_MSR_ENABLED) && tpz_apic_sole_edge(v) &&
	    !tpz_mem_write_now(v->vm, address(v->eoi.msr), &flag, sizeof(flag)))
		v->eoi.state = TPZ_EOI_PROMISED;
}

/* Return: 1: the flag stood, and is taken back; 0: the guest has cleared it; or an error */
static int take_back(struct tpz_vcpu *v, bool may_sleep)
{
	const u64 gpa = address(v->eoi.msr);
	u8 flag;
	int err;

	err = may_sleep ? tpz_mem_read(v->vm, gpa, &flag, 1) : tpz_mem_read_now(v->vm, gpa, &flag, 1);
	if (err || !(flag & KVM_PV_EOI_ENABLED))
		return err;
	flag &= ~KVM_PV_EOI_ENABLED;
	err = may_sleep ? tpz_mem_write(v->vm, gpa, &flag, 1) : tpz_mem_write_now(v->vm, gpa, &flag, 1);
	return err ?: 1;
}

bool tpz_eoi_settle(struct tpz_vcpu *v, bool may_sleep)
{
	int stood = take_back(v, may_sleep);

	if (stood < 0 && !may_sleep)
		return false;
	/* Memory that is no longer there: the guest, which can't reach its flag either, is left with the register */
	v->eoi.state = stood ? TPZ_EOI_CONSIDER : TPZ_EOI_BY_EXIT;
	if (!stood) {
		tpz_count(&v->m->pv_eois);
		tpz_apic_ended(v);
	}
	return true;
}

/* ---- the MSR */

static bool reserved_clear(u64 msr)
{
	return !(msr & 2) && !(msr >> 52);
}

bool tpz_eoi_valid(const struct tpz_vcpu *v, u64 msr)
{
	return tpz_pv_has(v, KVM_FEATURE_PV_EOI) ? reserved_clear(msr) : !msr;
}

static int read_msr(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!tpz_pv_has(v, KVM_FEATURE_PV_EOI))
		return -EINVAL;
	*value = v->eoi.msr;
	return 0;
}

/* The write finds out whether memory is there, and has it ready for the first promise */
static int write_msr(struct tpz_vcpu *v, u32 index, u64 value)
{
	const u8 clear = 0;

	if (!tpz_pv_has(v, KVM_FEATURE_PV_EOI) || !reserved_clear(value))
		return -EINVAL;
	if ((value & KVM_MSR_ENABLED) && tpz_mem_write(v->vm, address(value), &clear, sizeof(clear)))
		return -EINVAL;
	v->eoi.msr = value;
	return 0;
}

const struct tpz_msr tpz_eoi_msrs[] = {
	{ MSR_KVM_PV_EOI_EN, MSR_KVM_PV_EOI_EN, .sleeps = true, .read = read_msr, .write = write_msr },
	{ 1, 0 },
};
