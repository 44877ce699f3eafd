// SPDX-License-Identifier: GPL-2.0
/*
 * SVM on a CPU: EFER.SVME, the host save area (AMD APM vol. 2, 15.4, 15.30.4), and the CPU's ASIDs.
 *
 * Translations are tagged by ASID. A CPU hands its ASIDs out in turn; when they run out it starts a new generation, whose
 * first entry flushes them all. A vCPU keeps its ASID as long as it stays on the CPU and the generation lives.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/msr-index.h>
#include <asm/asm.h>
#include "../percpu.h"
#include "svm.h"

#define TSC_RATIO_ONE	BIT_ULL(32)	/* 8.32 fixed point (15.30.5) */

struct svm_cpu {
	void *host_save;		/* MSR VM_HSAVE_PA: the CPU's own */
	void *host_vmcb;		/* VMSAVE's: segments and MSRs of the host, as they were before the entry */
	u64 generation;			/* this CPU, interrupts off */
	u32 next_asid;
};

static DEFINE_PER_CPU(struct svm_cpu, svm_cpus);

int svm_percpu_init(void)
{
	int cpu, ret;

	ret = tpz_cpu_pages_alloc(2);
	if (ret)
		return ret;
	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = &per_cpu(svm_cpus, cpu);

		c->host_save = tpz_cpu_page(cpu, 0);
		c->host_vmcb = tpz_cpu_page(cpu, 1);
		c->generation = 1;
		c->next_asid = svm_caps.asids;		/* the first entry begins a generation, and flushes */
	}
	return 0;
}

static void set_tsc_ratio(u64 ratio)
{
	tpz_wrmsr(MSR_AMD64_TSC_RATIO, ratio);
}

/**
 * svm_cpu_on() - this CPU may execute VMRUN
 * Return: 0; -EBUSY: EFER.SVME is set already, by another hypervisor. Context: interrupts off.
 */
int svm_cpu_on(void)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpus);
	u64 efer = tpz_msr(MSR_EFER);

	if (efer & EFER_SVME)
		return -EBUSY;
	tpz_wrmsr(MSR_EFER, efer | EFER_SVME);
	tpz_wrmsr(MSR_VM_HSAVE_PA, __pa(c->host_save));
	/* What an earlier owner left under the same ASIDs must not serve our guests, nor its TSC ratio */
	c->generation++;
	c->next_asid = svm_caps.asids;
	if (svm_has(SVM_CPUID_TSC_RATE))
		set_tsc_ratio(TSC_RATIO_ONE);
	tpz_host_reduce_speculation(true);
	return 0;
}

/**
 * svm_cpu_off() - no VMRUN any more. Context: interrupts off; also from NMI context when the machine crashes
 */
void svm_cpu_off(void)
{
	u64 efer = tpz_msr(MSR_EFER);

	if (!(efer & EFER_SVME))
		return;
	/* A crash may come with the global interrupt flag clear: INIT would then stay pending for ever */
	asm volatile("1:	stgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
	tpz_wrmsr(MSR_VM_HSAVE_PA, 0);
	tpz_wrmsr(MSR_EFER, efer & ~EFER_SVME);
	tpz_host_reduce_speculation(false);
}

u64 svm_host_vmcb_pa(void)
{
	return __pa(__this_cpu_read(svm_cpus.host_vmcb));
}

static void take_next(struct svm_cpu *c, struct svm_vcpu *x)
{
	struct vmcb_control *control = &x->vmcb->control;

	if (c->next_asid >= svm_caps.asids) {
		c->generation++;
		c->next_asid = 1;
		control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	}
	x->asid_generation = c->generation;
	control->guest_asid = c->next_asid++;
	svm_touch(x, CLEAN_ASID);
}

/**
 * svm_take_asid() - give the next entry an ASID, with the flush that was asked for
 * @x: the vCPU, loaded
 *
 * AMD APM vol. 2, 15.16. Context: interrupts off.
 */
void svm_take_asid(struct svm_vcpu *x)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpus);
	struct vmcb_control *control = &x->vmcb->control;

	control->tlb_control = TLB_CONTROL_NOTHING;
	if (unlikely(x->asid_generation != c->generation))
		take_next(c, x);
	else if (!x->flush)
		return;
	else if (svm_has(SVM_CPUID_FLUSH_BY_ASID))
		control->tlb_control = TLB_CONTROL_FLUSH_ASID;
	else
		take_next(c, x);	/* a fresh ASID has no translations */
	x->flush = false;
}

/**
 * svm_untake_asid() - VMRUN was refused: nobody promises that it has flushed what svm_take_asid() asked for
 * @x: the vCPU, whose VMCB still says what that was
 *
 * Context: interrupts off since svm_take_asid().
 */
void svm_untake_asid(struct svm_vcpu *x)
{
	if (x->vmcb->control.tlb_control == TLB_CONTROL_FLUSH_ALL)
		__this_cpu_write(svm_cpus.next_asid, svm_caps.asids);	/* that generation has not begun */
	x->asid_generation = 0;
	x->flush = true;
}
