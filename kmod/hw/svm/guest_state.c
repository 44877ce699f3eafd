// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's registers out of the VMCB and into it (AMD APM vol. 2, appendix B, table B-2), part by part: see enum
 * tpz_part. The VMCB is ordinary memory: nothing here depends on the CPU.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include <asm/special_insns.h>
#include "svm.h"

/* ---- segments */

static struct vmcb_segment *vmcb_segment(struct vmcb_save *save, unsigned int n)
{
	static const u16 offsets[TPZ_SEGS] = {
		[TPZ_ES] = offsetof(struct vmcb_save, es),
		[TPZ_CS] = offsetof(struct vmcb_save, cs),
		[TPZ_SS] = offsetof(struct vmcb_save, ss),
		[TPZ_DS] = offsetof(struct vmcb_save, ds),
		[TPZ_FS] = offsetof(struct vmcb_save, fs),
		[TPZ_GS] = offsetof(struct vmcb_save, gs),
		[TPZ_LDTR] = offsetof(struct vmcb_save, ldtr),
		[TPZ_TR] = offsetof(struct vmcb_save, tr),
	};

	return (void *)save + offsets[n];
}

static void fetch_segment(struct vmcb_save *save, unsigned int n, struct tpz_segment *seg)
{
	const struct vmcb_segment *from = vmcb_segment(save, n);
	u16 a = from->attributes;

	seg->base = from->base;
	seg->limit = from->limit;
	seg->selector = from->selector;
	seg->type = a & VMCB_ATTR_TYPE;
	seg->s = !!(a & VMCB_ATTR_S);
	seg->dpl = n == TPZ_SS ? save->cpl : (a & VMCB_ATTR_DPL) >> VMCB_ATTR_DPL_SHIFT;
	seg->present = !!(a & VMCB_ATTR_P);
	seg->avl = !!(a & VMCB_ATTR_AVL);
	seg->l = !!(a & VMCB_ATTR_L);
	seg->db = !!(a & VMCB_ATTR_DB);
	/* Some CPUs do not keep the bit, but a limit beyond 20 bits tells of it */
	seg->g = (a & VMCB_ATTR_G) || seg->limit > 0xfffff;
	/* No segment register holds a descriptor that is not present, but for a null selector */
	seg->unusable = !seg->present;
	/* The CPU need not keep "busy", which TR always is (15.5.1) */
	if (n == TPZ_TR && seg->present)
		seg->type |= 2;
}

static void commit_segment(struct vmcb_save *save, unsigned int n, const struct tpz_segment *seg)
{
	struct vmcb_segment *to = vmcb_segment(save, n);

	to->base = seg->base;
	to->limit = seg->limit;
	to->selector = seg->selector;
	to->attributes = 0;
	if (!seg->unusable)
		to->attributes = (seg->type & VMCB_ATTR_TYPE) | (seg->s ? VMCB_ATTR_S : 0) |
				 ((seg->dpl << VMCB_ATTR_DPL_SHIFT) & VMCB_ATTR_DPL) |
				 (seg->present ? VMCB_ATTR_P : 0) | (seg->avl ? VMCB_ATTR_AVL : 0) |
				 (seg->l ? VMCB_ATTR_L : 0) | (seg->db ? VMCB_ATTR_DB : 0) | (seg->g ? VMCB_ATTR_G : 0);
	/* Nor does QEMU's stand it: a stack switch by a busy TSS aborts the emulator */
	if (n == TPZ_TR)
		to->attributes &= ~2U;
	if (n == TPZ_SS)
		save->cpl = seg->dpl;	/* the CPL, also where SS is null */
}

static void fetch_table(const struct vmcb_segment *from, struct tpz_dtable *table)
{
	table->base = from->base;
	table->limit = from->limit;
}

static void commit_table(struct vmcb_segment *to, const struct tpz_dtable *table)
{
	to->base = table->base;
	to->limit = table->limit;
}

/* ---- control registers: what the guest reads, against what the hardware needs */

#define CR0_CACHE	((u64)(X86_CR0_CD | X86_CR0_NW))

/* Who changes the paging mode behind the guest's back must flush its translations (15.16, "Software Rule") */
static void change_mode(struct svm_vcpu *x, u64 *reg, u64 value, u64 mode_bits)
{
	x->flush |= !!((*reg ^ value) & mode_bits);
	*reg = value;
}

/*
 * CD and NW would make the guest's memory uncacheable (15.25.8, table 15-20), so the hardware never sees them set. While the guest's own
 * CR0 differs from the hardware's for that, all accesses trap; else only writes that change more than TS and MP.
 */
static void commit_cr0(struct svm_vcpu *x, u64 cr0)
{
	change_mode(x, &x->vmcb->save.cr0, cr0 & ~CR0_CACHE, X86_CR0_PG | X86_CR0_WP);
	svm_intercept_cr(x, INTERCEPT_CR_READ(0) | INTERCEPT_CR_WRITE(0), cr0 & CR0_CACHE);
}

/* The host's machine-check enable holds in the guest, too: clear, an error would not exit but shut the CPU down */
static void commit_cr4(struct svm_vcpu *x, u64 cr4)
{
	u64 hw = cr4 | (__read_cr4() & X86_CR4_MCE);
	bool trapped = x->vmcb->control.intercept_cr & INTERCEPT_CR_READ(4);

	change_mode(x, &x->vmcb->save.cr4, hw, X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PSE);
	if (trapped != (hw != cr4))
		svm_intercept_cr(x, INTERCEPT_CR_READ(4), hw != cr4);
}

/*
 * Without paging LME means nothing, and CR0.PG is set by a trapped write alone. It is hidden so long, because QEMU's TCG
 * leaves the host without paging at an exit from a guest with EFER.LME set, CR0.PG and CR4.PAE clear.
 */
static void commit_efer(struct svm_vcpu *x, u64 efer)
{
	struct vmcb_save *save = &x->vmcb->save;

	if (!(save->cr0 & X86_CR0_PG))
		efer &= ~(u64)EFER_LME;
	change_mode(x, &save->efer, efer | EFER_SVME, EFER_NX | EFER_LMA | EFER_LME);
}

/* ---- all parts */

void svm_fetch(struct tpz_vcpu *v, u32 parts)
{
	struct svm_vcpu *x = to_svm(v);
	struct vmcb_save *save = &x->vmcb->save;
	struct tpz_cpu_state *s = &v->s;
	unsigned long segments = (parts & TPZ_P_SEGMENTS) / TPZ_P_SEG(0);
	unsigned int n;

	if (parts & TPZ_P_RIP)
		s->rip = save->rip;
	if (parts & TPZ_P_RSP)
		s->gpr[TPZ_RSP] = save->rsp;
	if (parts & TPZ_P_RFLAGS)
		s->rflags = save->rflags;
	if (parts & TPZ_P_CR0)
		s->cr0 = save->cr0 | (s->cr0 & CR0_CACHE);
	if (parts & TPZ_P_CR3)
		s->cr3 = save->cr3;
	for_each_set_bit(n, &segments, TPZ_SEGS)
		fetch_segment(save, n, &s->seg[n]);
	if (parts & TPZ_P_GDTR)
		fetch_table(&save->gdtr, &s->gdtr);
	if (parts & TPZ_P_IDTR)
		fetch_table(&save->idtr, &s->idtr);
	if (parts & TPZ_P_SYSENTER) {
		s->sysenter_cs = save->sysenter_cs;
		s->sysenter_esp = save->sysenter_esp;
		s->sysenter_eip = save->sysenter_eip;
	}
	if (parts & TPZ_P_SHADOW) {
		/* One bit for both kinds of shadow: STI's, which also holds NMIs back, is the one to name */
		s->sti_shadow = x->vmcb->control.interrupt_shadow & INTERRUPT_SHADOW;
		s->mov_ss_shadow = false;
		s->nmi_blocked = svm_nmi_is_blocked(x);
		s->pending_debug = 0;
	}
	if (parts & TPZ_P_KERNEL_GS)
		s->kernel_gs_base = save->kernel_gs_base;
}

static void commit_shadow(struct svm_vcpu *x, const struct tpz_cpu_state *s)
{
	x->vmcb->control.interrupt_shadow = s->sti_shadow || s->mov_ss_shadow ? INTERRUPT_SHADOW : 0;
	if (s->nmi_blocked != svm_nmi_is_blocked(x))
		svm_nmi_block(x, s->nmi_blocked);
}

static void commit_syscall(struct vmcb_save *save, const struct tpz_vcpu *v)
{
	save->star = v->s.star;
	save->lstar = v->s.lstar;
	save->cstar = v->s.cstar;
	save->sfmask = v->s.fmask;
	tpz_switch_tsc_aux(v);
}

/* What clean bits the parts come under. FS, GS, LDTR and TR are VMLOAD's, which has none */
static u64 dirtied(u32 parts)
{
	return (parts & (TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER) ? CLEAN_CR : 0) |
	       (parts & TPZ_P_SEGMENTS ? CLEAN_SEG : 0) |
	       (parts & (TPZ_P_GDTR | TPZ_P_IDTR) ? CLEAN_DT : 0) |
	       (parts & TPZ_P_DR7 ? CLEAN_DR : 0) |
	       (parts & TPZ_P_PAT ? CLEAN_NP : 0);
}

/* What VMRUN checks of these (15.5.1, 15.25.4). Not CR3, which is written often where it is trapped, by rules as strict */
#define CHECKED	(TPZ_P_CR0 | TPZ_P_CR4 | TPZ_P_EFER | TPZ_P_CS | TPZ_P_DR7 | TPZ_P_PAT)

void svm_commit(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);
	struct vmcb_save *save = &x->vmcb->save;
	const struct tpz_cpu_state *s = &v->s;
	u32 parts = v->dirty;
	unsigned int n;

	if (!parts)
		return;
	svm_touch(x, dirtied(parts));
	if (parts & CHECKED)
		x->unproven = true;
	if (parts & TPZ_P_RIP)
		save->rip = s->rip;
	if (parts & TPZ_P_RSP)
		save->rsp = s->gpr[TPZ_RSP];
	if (parts & TPZ_P_RFLAGS)
		save->rflags = s->rflags;
	if (parts & TPZ_P_CR0)
		commit_cr0(x, s->cr0);
	if (parts & TPZ_P_CR3)
		save->cr3 = s->cr3;
	if (parts & TPZ_P_CR4)
		commit_cr4(x, s->cr4);
	if (parts & (TPZ_P_EFER | TPZ_P_CR0))
		commit_efer(x, s->efer);
	if (parts & TPZ_P_SEGMENTS)
		for (n = 0; n < TPZ_SEGS; n++)
			if (parts & TPZ_P_SEG(n))
				commit_segment(save, n, &s->seg[n]);
	if (parts & TPZ_P_GDTR)
		commit_table(&save->gdtr, &s->gdtr);
	if (parts & TPZ_P_IDTR)
		commit_table(&save->idtr, &s->idtr);
	if (parts & TPZ_P_DR7)
		save->dr7 = s->dr7;
	if (parts & TPZ_P_SYSENTER) {
		save->sysenter_cs = s->sysenter_cs;
		save->sysenter_esp = s->sysenter_esp;
		save->sysenter_eip = s->sysenter_eip;
	}
	if (parts & TPZ_P_PAT)
		save->g_pat = s->pat;
	if (parts & TPZ_P_SHADOW)
		commit_shadow(x, s);
	if (parts & TPZ_P_KERNEL_GS)
		save->kernel_gs_base = s->kernel_gs_base;
	if (parts & TPZ_P_SYSCALL)
		commit_syscall(save, v);
	v->dirty = 0;
}
