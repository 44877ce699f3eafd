// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's registers out of the VMCS and into it (SDM vol. 3C, 25.4), part by part: see enum tpz_part.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include "vmx.h"

/* Encodings of a segment's four fields follow each other by register number, from ES on */
#define SELECTOR(n)	(VMCS_GUEST_ES_SELECTOR + 2 * (n))
#define LIMIT(n)	(VMCS_GUEST_ES_LIMIT + 2 * (n))
#define RIGHTS(n)	(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * (n))
#define BASE(n)		(VMCS_GUEST_ES_BASE + 2 * (n))
static_assert(SELECTOR(TPZ_TR) == VMCS_GUEST_TR_SELECTOR && LIMIT(TPZ_TR) == VMCS_GUEST_TR_LIMIT &&
	      RIGHTS(TPZ_TR) == VMCS_GUEST_TR_ACCESS_RIGHTS && BASE(TPZ_TR) == VMCS_GUEST_TR_BASE);

static void fetch_segment(unsigned int n, struct tpz_segment *seg)
{
	u32 ar = vmcs_read(RIGHTS(n));

	seg->base = vmcs_read(BASE(n));
	seg->limit = vmcs_read(LIMIT(n));
	seg->selector = vmcs_read(SELECTOR(n));
	seg->type = ar & VMCS_AR_TYPE;
	seg->s = !!(ar & VMCS_AR_S);
	seg->dpl = (ar & VMCS_AR_DPL) >> VMCS_AR_DPL_SHIFT;
	seg->present = !!(ar & VMCS_AR_P);
	seg->avl = !!(ar & VMCS_AR_AVL);
	seg->l = !!(ar & VMCS_AR_L);
	seg->db = !!(ar & VMCS_AR_DB);
	seg->g = !!(ar & VMCS_AR_G);
	seg->unusable = !!(ar & VMCS_AR_UNUSABLE);
}

static void commit_segment(unsigned int n, const struct tpz_segment *seg)
{
	u32 ar = VMCS_AR_UNUSABLE;

	/* An unusable SS keeps its DPL: it is the CPL */
	if (!seg->unusable)
		ar = (seg->type & VMCS_AR_TYPE) | (seg->s ? VMCS_AR_S : 0) | (seg->present ? VMCS_AR_P : 0) |
		     (seg->avl ? VMCS_AR_AVL : 0) | (seg->l ? VMCS_AR_L : 0) | (seg->db ? VMCS_AR_DB : 0) | (seg->g ? VMCS_AR_G : 0);
	ar |= (seg->dpl << VMCS_AR_DPL_SHIFT) & VMCS_AR_DPL;
	vmcs_write(SELECTOR(n), seg->selector);
	vmcs_write(LIMIT(n), seg->limit);
	vmcs_write(BASE(n), seg->base);
	vmcs_write(RIGHTS(n), ar);
}

/* ---- interrupt shadows, NMI blocking, pending debug exceptions */

static void fetch_shadow(struct tpz_cpu_state *s)
{
	u32 state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	s->sti_shadow = state & INTERRUPTIBILITY_STI;
	s->mov_ss_shadow = state & INTERRUPTIBILITY_MOV_SS;
	s->nmi_blocked = state & INTERRUPTIBILITY_NMI;
	s->pending_debug = vmcs_read(VMCS_GUEST_PENDING_DEBUG);
}

static void commit_shadow(const struct tpz_cpu_state *s)
{
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, (s->sti_shadow ? INTERRUPTIBILITY_STI : 0) |
		   (s->mov_ss_shadow ? INTERRUPTIBILITY_MOV_SS : 0) | (s->nmi_blocked ? INTERRUPTIBILITY_NMI : 0));
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, s->pending_debug);
}

/* ---- control registers: what the guest reads, against what the hardware needs */

static u64 fetch_cr0(const struct vmx_vcpu *x)
{
	return (vmcs_read(VMCS_GUEST_CR0) & ~x->cr0_owned) | (vmcs_read(VMCS_CR0_READ_SHADOW) & x->cr0_owned);
}

static u64 fetch_cr4(const struct vmx_vcpu *x)
{
	return (vmcs_read(VMCS_GUEST_CR4) & ~x->cr4_owned) | (vmcs_read(VMCS_CR4_READ_SHADOW) & x->cr4_owned);
}

static void commit_cr0(u64 cr0)
{
	/* Unrestricted guest: PE and PG are not fixed. CD and NW stay the host's: clear */
	u64 hw = (cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW)) |
		 (vmx_caps.cr0_fixed0 & ~(u64)(X86_CR0_PE | X86_CR0_PG));

	vmcs_write(VMCS_GUEST_CR0, hw);
	vmcs_write(VMCS_CR0_READ_SHADOW, cr0);
}

static void commit_cr4(u64 cr4)
{
	/* The host's machine-check enable holds in the guest too: clear, an error would not exit but shut the CPU down */
	vmcs_write(VMCS_GUEST_CR4, cr4 | vmx_caps.cr4_fixed0 | (__read_cr4() & X86_CR4_MCE));
	vmcs_write(VMCS_CR4_READ_SHADOW, cr4);
}

static void commit_efer(struct vmx_vcpu *x, u64 efer)
{
	u32 controls = x->entry_controls & ~ENTRY_IA32E_MODE_GUEST;

	if (efer & EFER_LMA)
		controls |= ENTRY_IA32E_MODE_GUEST;
	vmcs_write(VMCS_GUEST_IA32_EFER, efer);
	vmcs_write(VMCS_ENTRY_CONTROLS, controls);
	x->entry_controls = controls;
}

/* ---- all parts */

/* Those that are what their fields are: X(part, member, field) */
#define PLAIN_FIELDS(X)					\
	X(RIP,		rip,		RIP)		\
	X(RSP,		gpr[TPZ_RSP],	RSP)		\
	X(RFLAGS,	rflags,		RFLAGS)		\
	X(CR3,		cr3,		CR3)		\
	X(PDPTE,	pdpte[0],	PDPTE0)		\
	X(PDPTE,	pdpte[1],	PDPTE1)		\
	X(PDPTE,	pdpte[2],	PDPTE2)		\
	X(PDPTE,	pdpte[3],	PDPTE3)		\
	X(GDTR,		gdtr.base,	GDTR_BASE)	\
	X(GDTR,		gdtr.limit,	GDTR_LIMIT)	\
	X(IDTR,		idtr.base,	IDTR_BASE)	\
	X(IDTR,		idtr.limit,	IDTR_LIMIT)	\
	X(DR7,		dr7,		DR7)		\
	X(SYSENTER,	sysenter_cs,	IA32_SYSENTER_CS)	\
	X(SYSENTER,	sysenter_esp,	IA32_SYSENTER_ESP)	\
	X(SYSENTER,	sysenter_eip,	IA32_SYSENTER_EIP)	\
	X(PAT,		pat,		IA32_PAT)

#define READ_FIELD(part, member, field)			\
	if (parts & TPZ_P_##part)			\
		s->member = vmcs_read(VMCS_GUEST_##field);
#define WRITE_FIELD(part, member, field)		\
	if (parts & TPZ_P_##part)			\
		vmcs_write(VMCS_GUEST_##field, s->member);

static void read_parts(struct tpz_vcpu *v, u32 parts)
{
	const struct vmx_vcpu *x = to_vmx(v);
	struct tpz_cpu_state *s = &v->s;
	unsigned int n;

	PLAIN_FIELDS(READ_FIELD)
	if (parts & TPZ_P_CR0)
		s->cr0 = fetch_cr0(x);
	if (parts & TPZ_P_CR4)
		s->cr4 = fetch_cr4(x);
	if (parts & TPZ_P_SEGMENTS)
		for (n = 0; n < TPZ_SEGS; n++)
			if (parts & TPZ_P_SEG(n))
				fetch_segment(n, &s->seg[n]);
	if (parts & TPZ_P_SHADOW)
		fetch_shadow(s);
	if (parts & TPZ_P_KERNEL_GS)
		s->kernel_gs_base = tpz_msr(MSR_KERNEL_GS_BASE);
}

void vmx_fetch(struct tpz_vcpu *v, u32 parts)
{
	/* A handler that has to open a window for one part will read others */
	if (static_branch_unlikely(&vmx_transient) && !to_vmx(v)->windows)
		parts |= VMX_GUEST_CHANGES & ~v->cached;
	if (vmx_open(v))
		return;
	read_parts(v, parts);
	v->cached |= parts;
	vmx_close(v);
}

void vmx_commit(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);
	const struct tpz_cpu_state *s = &v->s;
	u32 parts = v->dirty;
	unsigned int n;

	if (!parts)
		return;
	PLAIN_FIELDS(WRITE_FIELD)
	if (parts & TPZ_P_CR0)
		commit_cr0(s->cr0);
	if (parts & TPZ_P_CR4)
		commit_cr4(s->cr4);
	if (parts & TPZ_P_EFER)
		commit_efer(x, s->efer);
	if (parts & TPZ_P_SEGMENTS)
		for (n = 0; n < TPZ_SEGS; n++)
			if (parts & TPZ_P_SEG(n))
				commit_segment(n, &s->seg[n]);
	if (parts & TPZ_P_SHADOW)
		commit_shadow(s);
	if (parts & TPZ_P_KERNEL_GS)
		tpz_wrmsr(MSR_KERNEL_GS_BASE, s->kernel_gs_base);
	if (parts & TPZ_P_SYSCALL) {
		vmx_load_syscall_msrs(s);
		tpz_switch_tsc_aux(v);
	}
	v->dirty = 0;
}
