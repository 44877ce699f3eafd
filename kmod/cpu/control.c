// SPDX-License-Identifier: GPL-2.0
/*
 * Control registers, EFER and XCR0, by the rules of the instructions that write them (SDM vol. 2B, "MOV - Move to/from
 * Control Registers"; vol. 3A, 2.5, 4.1 and 10.8.5).
 *
 * Each setter checks all rules first, then reads what it needs of the guest's memory, then changes the state: a
 * refused write has changed nothing.
 */
#include "internal.h"

#define CR0_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
			 X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* Bits whose change makes the CPU read the four PDPTEs again in PAE paging (SDM vol. 3A, 4.4.1) */
#define CR0_RELOADS_PDPTES	(X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)
#define CR4_RELOADS_PDPTES	(X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)

/* Bits whose change ends cached translations (SDM vol. 3A, 4.10.4.1; SMAP and PKE are checked at each use) */
#define CR4_FLUSHES	(X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PCIDE | X86_CR4_SMEP)

static void flush(struct tpz_vcpu *v)
{
	set_bit(TPZ_REQ_FLUSH, &v->requests);
}

/* ---- CR0 */

static bool cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE))
		return false;
	return !(cr0 & X86_CR0_NW) || (cr0 & X86_CR0_CD);
}

/* IA-32e mode is entered by setting PG under EFER.LME: SDM vol. 3A, 10.8.5 and 10.8.5.4 */
static bool may_enter_long_mode(struct tpz_vcpu *v)
{
	if (!(v->s.cr4 & X86_CR4_PAE) || tpz_seg(v, TPZ_CS)->l)
		return false;
	/* Intel's: a 16-bit TSS in TR has no place there. The other busy type has the same number in both modes */
	return v->processor->cpuid.amd || tpz_seg(v, TPZ_TR)->type == 11;
}

static bool may_clear_paging(struct tpz_vcpu *v)
{
	return !(v->s.cr4 & X86_CR4_PCIDE) && !tpz_long_mode(v);
}

int tpz_set_cr0(struct tpz_vcpu *v, u64 cr0)
{
	struct tpz_cpu_state *s = &v->s;
	u64 changed, efer;
	int ret;

	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER);
	if (!cr0_valid(cr0))
		return -EINVAL;
	cr0 = (cr0 & CR0_BITS) | X86_CR0_ET;
	changed = cr0 ^ s->cr0;
	efer = s->efer;

	if (changed & X86_CR0_PG) {
		if (!(cr0 & X86_CR0_PG)) {
			if (!may_clear_paging(v))
				return -EINVAL;
			efer &= ~EFER_LMA;
		} else if (efer & EFER_LME) {
			if (!may_enter_long_mode(v))
				return -EINVAL;
			efer |= EFER_LMA;
		}
	}
	if ((changed & CR0_RELOADS_PDPTES) && (cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !(efer & EFER_LMA)) {
		ret = tpz_load_pdptes(v, s->cr3);
		if (ret)
			return ret;
	}
	s->cr0 = cr0;
	tpz_dirty(v, TPZ_P_CR0);
	if (efer != s->efer) {
		s->efer = efer;
		tpz_dirty(v, TPZ_P_EFER);
	}
	if (changed & X86_CR0_PG)
		flush(v);
	return 0;
}

/* ---- CR3 */

int tpz_set_cr3(struct tpz_vcpu *v, u64 cr3)
{
	struct tpz_cpu_state *s = &v->s;
	bool keep = false;
	int ret;

	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_CR4 | TPZ_P_EFER);
	/* With PCIDs, bit 63 is an order to keep the new PCID's translations, and is not stored */
	if (s->cr4 & X86_CR4_PCIDE) {
		keep = cr3 & X86_CR3_PCID_NOFLUSH;
		cr3 &= ~X86_CR3_PCID_NOFLUSH;
	}
	if (cr3 >> tpz_guest_phys_bits(v))
		return -EINVAL;
	if (tpz_pae_paging(s)) {
		ret = tpz_load_pdptes(v, cr3);
		if (ret)
			return ret;
	}
	s->cr3 = cr3;
	tpz_dirty(v, TPZ_P_CR3);
	if (!keep)
		flush(v);
	return 0;
}

/* ---- CR4 */

static bool cr4_valid(struct tpz_vcpu *v, u64 cr4)
{
	const struct tpz_cpu_state *s = &v->s;

	if (cr4 & ~tpz_cr4_allowed(v))
		return false;
	if ((s->efer & EFER_LMA) && !(cr4 & X86_CR4_PAE))
		return false;
	/* PCIDs start in IA-32e mode and from PCID 0 (SDM vol. 3A, 4.10.1) */
	if ((cr4 & X86_CR4_PCIDE) && !(s->cr4 & X86_CR4_PCIDE))
		return (s->efer & EFER_LMA) && !(s->cr3 & X86_CR3_PCID_MASK);
	return true;
}

int tpz_set_cr4(struct tpz_vcpu *v, u64 cr4)
{
	struct tpz_cpu_state *s = &v->s;
	u64 changed;
	int ret;

	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER);
	if (!cr4_valid(v, cr4))
		return -EINVAL;
	changed = cr4 ^ s->cr4;
	if ((changed & CR4_RELOADS_PDPTES) && (cr4 & X86_CR4_PAE) && (s->cr0 & X86_CR0_PG) && !(s->efer & EFER_LMA)) {
		ret = tpz_load_pdptes(v, s->cr3);
		if (ret)
			return ret;
	}
	s->cr4 = cr4;
	tpz_dirty(v, TPZ_P_CR4);
	if (changed & CR4_FLUSHES)
		flush(v);
	return 0;
}

/* ---- EFER, XCR0, CR8 */

/* SDM vol. 3A, 2.2.1: LMA is the CPU's to write; LME cannot change under paging */
int tpz_set_efer(struct tpz_vcpu *v, u64 efer)
{
	struct tpz_cpu_state *s = &v->s;

	tpz_fetch(v, TPZ_P_EFER | TPZ_P_CR0);
	if (efer & ~tpz_efer_allowed(v))
		return -EINVAL;
	if (((efer ^ s->efer) & EFER_LME) && (s->cr0 & X86_CR0_PG))
		return -EINVAL;
	efer = (efer & ~EFER_LMA) | (s->efer & EFER_LMA);
	/* Whether bit 63 of a page-table entry is reserved is cached with the translation */
	if ((efer ^ s->efer) & EFER_NX)
		flush(v);
	s->efer = efer;
	tpz_dirty(v, TPZ_P_EFER);
	return 0;
}

/* SDM vol. 1, 13.3: x87 always; AVX upon SSE; AVX-512 whole and upon AVX */
bool tpz_xcr0_valid(const struct tpz_vcpu *v, u64 xcr0)
{
	const u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (!tpz_guest_has(v, X86_FEATURE_XSAVE))
		return xcr0 == XFEATURE_MASK_FP;
	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~tpz_fpu_mask))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	return !avx512 || (avx512 == XFEATURE_MASK_AVX512 && (xcr0 & XFEATURE_MASK_YMM));
}

int tpz_set_cr8(struct tpz_vcpu *v, u64 cr8)
{
	if (cr8 > 15)				/* SDM vol. 3A, 2.5, "CR8" */
		return -EINVAL;
	v->s.cr8 = cr8;
	if (v->apic)
		tpz_apic_set_cr8(v);
	return 0;
}

/* ---- handlers */

static int mov_to_cr(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	const u64 value = tpz_arg(v, x->cr.reg);

	switch (x->cr.cr) {
	case 0:
		return tpz_set_cr0(v, value);
	case 3:
		return tpz_set_cr3(v, value);
	case 4:
		return tpz_set_cr4(v, value);
	case 8:
		return tpz_set_cr8(v, value);
	}
	return -EINVAL;
}

static void mov_from_cr(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	u64 value = 0;

	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4);
	switch (x->cr.cr) {
	case 0:
		value = v->s.cr0;
		break;
	case 2:
		value = v->s.cr2;
		break;
	case 3:
		value = v->s.cr3;
		break;
	case 4:
		value = v->s.cr4;
		break;
	case 8:
		value = v->s.cr8;
		break;
	}
	tpz_set_gpr(v, x->cr.reg, tpz_long_mode(v) ? value : (u32)value);
}

/* SDM vol. 2A, LMSW: the low four bits, and PE cannot be cleared */
static int lmsw(struct tpz_vcpu *v, u16 source)
{
	const u64 sets = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;

	tpz_fetch(v, TPZ_P_CR0);
	return tpz_set_cr0(v, (v->s.cr0 & ~sets) | (source & (sets | X86_CR0_PE)));
}

/* SDM vol. 2B, SMSW: 16 bits into memory; a register takes as much of CR0 as its operand size */
static int smsw(struct tpz_vcpu *v, const struct tpz_operand *op, struct tpz_hole *hole)
{
	u16 low;
	u64 gva;

	tpz_fetch(v, TPZ_P_CR0);
	if (op->is_reg) {
		tpz_set_gpr(v, op->reg, tpz_merge(tpz_gpr(v, op->reg), v->s.cr0, op->bytes));
		return 0;
	}
	low = v->s.cr0;
	return tpz_linear(v, op->seg, op->offset, op->addr_bytes, sizeof(low), true, &gva) ?:
	       tpz_write_gva(v, gva, &low, sizeof(low), hole);
}

static int clts(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_CR0);
	return tpz_set_cr0(v, v->s.cr0 & ~X86_CR0_TS);
}

/* Where PDPTEs were to be read, and nothing is */
static struct tpz_hole pdptes_hole(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	const u64 cr3 = x->cr.cr == 3 ? tpz_arg(v, x->cr.reg) : v->s.cr3;

	return (struct tpz_hole){ .gpa = cr3 & TPZ_PDPT_ADDRESS, .page_walk = true };
}

/*
 * tpz_on_cr() - MOV CR, CLTS, LMSW, SMSW. #GP of the privilege level came before the trap
 */
TPZ_HANDLER(tpz_on_cr)
{
	struct tpz_hole hole;
	int ret = 0;

	switch (x->cr.access) {
	case TPZ_MOV_TO_CR:
		ret = mov_to_cr(v, x);
		break;
	case TPZ_MOV_FROM_CR:
		mov_from_cr(v, x);
		break;
	case TPZ_CLTS:
		ret = clts(v);
		break;
	case TPZ_LMSW:
		ret = lmsw(v, x->cr.lmsw);
		break;
	case TPZ_SMSW:
		ret = smsw(v, &x->cr.op, &hole);
		break;
	}
	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret == -ENXIO) {
		if (x->cr.access != TPZ_SMSW)
			hole = pdptes_hole(v, x);
		return tpz_no_memory(v, &hole);
	}
	if (ret)
		return tpz_inject_gp(v);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/*
 * tpz_on_xsetbv() - ECX: which (0 alone exists); EDX:EAX: the value (SDM vol. 2D)
 */
TPZ_HANDLER(tpz_on_xsetbv)
{
	const u64 value = (u32)v->s.gpr[TPZ_RAX] | v->s.gpr[TPZ_RDX] << 32;

	tpz_fetch(v, TPZ_P_CR4);
	if (!(v->s.cr4 & X86_CR4_OSXSAVE))	/* a CPU raises it before the trap; QEMU's TCG does not */
		return tpz_inject_ud(v);
	if (tpz_cpl(v) || (u32)v->s.gpr[TPZ_RCX] || !tpz_xcr0_valid(v, value))
		return tpz_inject_gp(v);
	v->s.xcr0 = value;
	tpz_skip_insn(v);
	return TPZ_RESUME;
}
