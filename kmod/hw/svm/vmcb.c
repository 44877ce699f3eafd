// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's VMCB: its memory, its intercepts, and the words that never change (AMD APM vol. 2, 15.5 to 15.13, appendix B).
 * And the two permission maps, which are the same for all guests: what is not named below traps.
 */
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include "svm.h"

/* ---- permission maps (15.10.1, 15.11): a set bit traps */

#define IOPM_ORDER	2	/* 12 KiB */
#define MSRPM_ORDER	1	/* 8 KiB: two bits for each MSR: read, write */

static void *iopm, *msrpm;	/* written at load */

static void msr_allow(u32 msr, bool write)
{
	unsigned int base = msr >= 0xc0010000 ? 0x1000 : msr >= 0xc0000000 ? 0x800 : 0;
	unsigned int bit = base * 8 + (msr & 0x1fff) * 2;

	__clear_bit(bit, msrpm);
	if (write)
		__clear_bit(bit + 1, msrpm);
}

int svm_maps_init(void)
{
	const struct tpz_passed_msr *m;

	iopm = (void *)__get_free_pages(GFP_KERNEL, IOPM_ORDER);
	msrpm = (void *)__get_free_pages(GFP_KERNEL, MSRPM_ORDER);
	if (!iopm || !msrpm) {
		svm_maps_exit();
		return -ENOMEM;
	}
	memset(iopm, 0xff, PAGE_SIZE << IOPM_ORDER);
	memset(msrpm, 0xff, PAGE_SIZE << MSRPM_ORDER);
	for (m = tpz_passed_msrs; m->msr; m++)
		msr_allow(m->msr, m->write);
	return 0;
}

void svm_maps_exit(void)
{
	free_pages((unsigned long)iopm, IOPM_ORDER);
	free_pages((unsigned long)msrpm, MSRPM_ORDER);
	iopm = NULL;
	msrpm = NULL;
}

/* ---- intercepts */

static void intercept(struct svm_vcpu *x, u32 *word, u32 bits, bool on)
{
	u32 wanted = on ? *word | bits : *word & ~bits;

	if (*word == wanted)
		return;
	*word = wanted;
	svm_touch(x, CLEAN_INTERCEPTS);
}

void svm_intercept3(struct svm_vcpu *x, u32 bits, bool on)
{
	intercept(x, &x->vmcb->control.intercept3, bits, on);
}

void svm_intercept_cr(struct svm_vcpu *x, u32 bits, bool on)
{
	intercept(x, &x->vmcb->control.intercept_cr, bits, on);
}

#define ALWAYS3	(INTERCEPT3_INTR | INTERCEPT3_NMI | INTERCEPT3_SMI | INTERCEPT3_INIT | INTERCEPT3_CR0_SELECTIVE |	\
		 INTERCEPT3_RDPMC | INTERCEPT3_CPUID | INTERCEPT3_RSM | INTERCEPT3_INVD | INTERCEPT3_HLT |		\
		 INTERCEPT3_INVLPGA | INTERCEPT3_IOIO_PROT | INTERCEPT3_MSR_PROT | INTERCEPT3_TASK_SWITCH |		\
		 INTERCEPT3_SHUTDOWN)
#define ALWAYS4	(INTERCEPT4_VMRUN | INTERCEPT4_VMMCALL | INTERCEPT4_VMLOAD | INTERCEPT4_VMSAVE | INTERCEPT4_STGI |	\
		 INTERCEPT4_CLGI | INTERCEPT4_SKINIT | INTERCEPT4_ICEBP | INTERCEPT4_WBINVD | INTERCEPT4_MONITOR |	\
		 INTERCEPT4_MWAIT | INTERCEPT4_XSETBV)
#define DESCRIPTOR_TABLES3 (INTERCEPT3_IDTR_READ | INTERCEPT3_GDTR_READ | INTERCEPT3_LDTR_READ | INTERCEPT3_TR_READ |	\
			    INTERCEPT3_IDTR_WRITE | INTERCEPT3_GDTR_WRITE | INTERCEPT3_LDTR_WRITE | INTERCEPT3_TR_WRITE)
#define DEBUG_REGISTERS	0x00ff00ffU	/* DR0 to DR7, reads and writes */

/* Bits of CPUID leaf 80000008h, EBX: instructions that guests do not have */
#define CPUID_INVLPGB	BIT(3)
#define CPUID_RDPRU	BIT(4)
#define CPUID_MCOMMIT	BIT(8)

static void intercept_extensions(struct vmcb_control *c)
{
	u32 has = boot_cpu_data.extended_cpuid_level >= 0x80000008 ? cpuid_ebx(0x80000008) : 0;

	if (has & CPUID_RDPRU)
		c->intercept4 |= INTERCEPT4_RDPRU;
	if (has & CPUID_MCOMMIT)
		c->intercept5 |= INTERCEPT5_MCOMMIT;
	if (has & CPUID_INVLPGB)
		c->intercept5 |= INTERCEPT5_INVLPGB | INTERCEPT5_INVLPGB_ILLEGAL | INTERCEPT5_TLBSYNC;
}

static void intercept_traps(struct vmcb_control *c, u64 traps)
{
	if (traps & TPZ_TRAP_DT)
		c->intercept3 |= DESCRIPTOR_TABLES3;
	if (traps & TPZ_TRAP_CR3)
		c->intercept_cr |= INTERCEPT_CR_READ(3) | INTERCEPT_CR_WRITE(3);
	if (traps & TPZ_TRAP_INVLPG) {
		c->intercept3 |= INTERCEPT3_INVLPG;
		if (boot_cpu_has(X86_FEATURE_INVPCID))
			c->intercept5 |= INTERCEPT5_INVPCID;
	}
	if (traps & TPZ_TRAP_TSC) {
		c->intercept3 |= INTERCEPT3_RDTSC;
		c->intercept4 |= INTERCEPT4_RDTSCP;
	}
	if (traps & TPZ_TRAP_PAUSE)
		c->intercept3 |= INTERCEPT3_PAUSE;
}

/* A vCPU that spins in PAUSE loops yields now and then to the others (15.14.4) */
#define SPIN_PAUSES	3000	/* how many PAUSEs */
#define SPIN_CYCLES	128	/* each this close to the one before */

static bool filters_pauses(const struct tpz_vm *vm)
{
	return svm_has(SVM_CPUID_PAUSE_FILTER) && !(vm->traps & TPZ_TRAP_PAUSE);
}

static void init_pause_filter(struct tpz_vm *vm, struct vmcb_control *c)
{
	if (!filters_pauses(vm))
		return;
	c->pause_filter_count = SPIN_PAUSES;
	if (svm_has(SVM_CPUID_PAUSE_THRESHOLD))
		c->pause_filter_threshold = SPIN_CYCLES;
}

void svm_watch_spins(struct tpz_vcpu *v)
{
	if (filters_pauses(v->vm))
		svm_intercept3(to_svm(v), INTERCEPT3_PAUSE, tpz_has_others(v));
}

static void init_control(struct tpz_vm *vm, struct vmcb_control *c)
{
	/* CR0: see commit_cr0(). CR4 is written through us alone, because the host's MCE holds in the guest, too */
	c->intercept_cr = INTERCEPT_CR_WRITE(4) | INTERCEPT_CR_WRITE(8);
	c->intercept_dr = DEBUG_REGISTERS;
	c->intercept_exceptions = tpz_trapped_exceptions(vm);
	c->intercept3 = ALWAYS3;
	c->intercept4 = ALWAYS4;
	intercept_extensions(c);
	intercept_traps(c, vm->traps);
	init_pause_filter(vm, c);
	c->iopm_base_pa = __pa(iopm);
	c->msrpm_base_pa = __pa(msrpm);
	c->vintr = VINTR_V_INTR_MASKING | (svm_has(SVM_CPUID_VNMI) ? VINTR_V_NMI_ENABLE : 0);
	c->np_enable = NP_ENABLE;
	c->n_cr3 = vm->npt_root;
}

/* ---- objects */

/**
 * svm_vcpu_create() - v->hw, with its VMCB
 * @v: the vCPU; its thread need not be loaded
 *
 * Return: 0; -ENOMEM.
 */
int svm_vcpu_create(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = kzalloc(sizeof(*x), GFP_KERNEL_ACCOUNT);

	if (!x)
		return -ENOMEM;
	v->hw = x;
	tpz_switch_init(&x->host, true);
	x->vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	x->before = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!x->vmcb || !x->before) {
		svm_vcpu_destroy(v);
		return -ENOMEM;
	}
	x->vmcb_pa = __pa(x->vmcb);
	x->unproven = true;
	init_control(v->vm, &x->vmcb->control);
	return 0;
}

void svm_vcpu_destroy(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);

	if (!x)
		return;
	free_page((unsigned long)x->before);
	free_page((unsigned long)x->vmcb);
	kfree(x);
	v->hw = NULL;
}
