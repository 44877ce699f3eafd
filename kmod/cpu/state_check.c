// SPDX-License-Identifier: GPL-2.0
/*
 * Is this state one that a processor can be in? A list of rules, each with the group and the field that it blames.
 *
 * The rules are the architecture's, not a vendor's; where both backends' CPUs check the guest state at an entry
 * (SDM vol. 3C, 27.3.1; APM vol. 2, 15.5.1), whatever passes here passes there. So user space learns of a bad value
 * when it sets it, and a failed entry is always the module's own fault.
 */
#include <asm/kvm_para.h>
#include "state_check.h"

/* ---- control registers: SDM vol. 3A, 2.5; vol. 3C, 27.3.1.1 */

#define CR0_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
			 X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

RULE(cr0_reserved)
{
	return !(k->c->cr0 & ~(u64)CR0_BITS);
}

RULE(cr0_paging)
{
	return !(k->c->cr0 & X86_CR0_PG) || (k->c->cr0 & X86_CR0_PE);
}

RULE(cr0_caching)
{
	return !(k->c->cr0 & X86_CR0_NW) || (k->c->cr0 & X86_CR0_CD);
}

RULE(cr3_width)
{
	return !(k->c->cr3 >> tpz_guest_phys_bits(k->v));
}

RULE(cr4_allowed)
{
	return !(k->c->cr4 & ~tpz_cr4_allowed(k->v));
}

RULE(cr4_pcide)
{
	return !(k->c->cr4 & X86_CR4_PCIDE) || k->long_mode;
}

RULE(cr8_width)
{
	return k->c->cr8 <= 15;
}

RULE(efer_allowed)
{
	return !(k->c->efer & ~tpz_efer_allowed(k->v));
}

RULE(efer_lma)
{
	return k->long_mode == ((k->c->efer & EFER_LME) && (k->c->cr0 & X86_CR0_PG));
}

RULE(efer_pae)
{
	return !k->long_mode || (k->c->cr4 & X86_CR4_PAE);
}

RULE(xcr0_valid)
{
	return tpz_xcr0_valid(k->v, k->c->xcr0);
}

/* SDM vol. 3A, table 4-8; vol. 3C, 27.3.1.6 */
RULE(pdptes)
{
	const u64 reserved = 0x1e6 | ~GENMASK_ULL(tpz_guest_phys_bits(k->v) - 1, 0);
	unsigned int i;

	if (tpz_hw->pdptes_in_memory)
		return true;	/* what is set has no effect */
	if (!(k->c->cr0 & X86_CR0_PG) || !(k->c->cr4 & X86_CR4_PAE) || k->long_mode)
		return true;
	for (i = 0; i < 4; i++)
		if ((k->c->pdpte[i] & 1) && (k->c->pdpte[i] & reserved))
			return false;
	return true;
}

static const struct rule control_rules[] = {
	{ TPZ_STATE_CONTROL, "cr0",   "a reserved bit is set", cr0_reserved },
	{ TPZ_STATE_CONTROL, "cr0",   "PG needs PE", cr0_paging },
	{ TPZ_STATE_CONTROL, "cr0",   "NW needs CD", cr0_caching },
	{ TPZ_STATE_CONTROL, "cr3",   "a bit beyond the width of physical addresses is set", cr3_width },
	{ TPZ_STATE_CONTROL, "cr4",   "a bit that this guest does not have is set", cr4_allowed },
	{ TPZ_STATE_CONTROL, "efer",  "a bit that this guest does not have is set", efer_allowed },
	{ TPZ_STATE_CONTROL, "efer",  "LMA must be LME and CR0.PG", efer_lma },
	{ TPZ_STATE_CONTROL, "cr4",   "IA-32e mode needs PAE", efer_pae },
	{ TPZ_STATE_CONTROL, "cr4",   "PCIDE needs IA-32e mode", cr4_pcide },
	{ TPZ_STATE_CONTROL, "cr8",   "must be 0 to 15", cr8_width },
	{ TPZ_STATE_CONTROL, "xcr0",  "not a set of components that XSETBV takes", xcr0_valid },
	{ TPZ_STATE_CONTROL, "pdpte", "a present entry has a reserved bit set", pdptes },
	{}
};

/* ---- RIP, RFLAGS: SDM vol. 3C, 27.3.1.4 */

RULE(rip_width)
{
	const u64 rip = k->st->regs.rip;

	if (!k->code64)
		return !(rip >> 32);
	/* It may stand one bit past the canonical half: the fetch faults */
	return (s64)rip >> 48 == 0 || (s64)rip >> 48 == -1;
}

RULE(rflags_reserved)
{
	const u64 ones = X86_EFLAGS_FIXED;
	const u64 zeroes = ~GENMASK_ULL(21, 0) | BIT(15) | BIT(5) | BIT(3);

	return (k->st->regs.rflags & ones) && !(k->st->regs.rflags & zeroes);
}

RULE(rflags_vm)
{
	return !(k->st->regs.rflags & X86_EFLAGS_VM) || (k->protected && !k->long_mode);
}

static const struct rule regs_rules[] = {
	{ TPZ_STATE_REGS, "rip",    "beyond 32 bits outside 64-bit code, or not an address", rip_width },
	{ TPZ_STATE_REGS, "rflags", "bit 1 must be 1; bits 3, 5, 15 and from 22 on must be 0", rflags_reserved },
	{ TPZ_STATE_REGS, "rflags", "VM needs protected mode outside IA-32e mode", rflags_vm },
	{}
};

/* ---- debug registers, MSRs */

RULE(dr6_width)
{
	return !(k->st->debug.dr6 >> 32);
}

RULE(dr7_width)
{
	return !(k->st->debug.dr7 >> 32);
}

RULE(bases_canonical)
{
	const struct tpz_msrs *m = &k->st->msrs;

	return tpz_canonical(m->lstar) && tpz_canonical(m->cstar) && tpz_canonical(m->kernel_gs_base);
}

RULE(sysenter_canonical)
{
	return tpz_canonical(k->st->msrs.sysenter_esp) && tpz_canonical(k->st->msrs.sysenter_eip);
}

RULE(low_halves)
{
	const struct tpz_msrs *m = &k->st->msrs;

	return !((m->fmask | m->sysenter_cs | m->tsc_aux) >> 32);
}

RULE(pat)
{
	return tpz_pat_valid(k->st->msrs.pat);
}

RULE(apic_base)
{
	return !tpz_apic_check_base(k->v, k->st->msrs.apic_base);
}

RULE(kvm_system_time)
{
	return !tpz_check_kvm_msr(MSR_KVM_SYSTEM_TIME_NEW, k->st->msrs.kvm_system_time);
}

RULE(kvm_wall_clock)
{
	return !tpz_check_kvm_msr(MSR_KVM_WALL_CLOCK_NEW, k->st->msrs.kvm_wall_clock);
}

RULE(kvm_steal_time)
{
	return tpz_steal_valid(k->v, k->st->pv.kvm_steal_time);
}

RULE(kvm_pv_eoi)
{
	return tpz_eoi_valid(k->v, k->st->pv.kvm_pv_eoi);
}

RULE(kicked)
{
	return k->st->pv.kicked <= 1;
}

RULE(pv_spare)
{
	return !memchr_inv(k->st->pv.spare, 0, sizeof(k->st->pv.spare));
}

static const struct rule register_rules[] = {
	{ TPZ_STATE_DEBUG, "dr6", "bits 63 to 32 must be 0", dr6_width },
	{ TPZ_STATE_DEBUG, "dr7", "bits 63 to 32 must be 0", dr7_width },
	{ TPZ_STATE_MSRS,  "lstar, cstar, kernel_gs_base", "must be canonical", bases_canonical },
	{ TPZ_STATE_MSRS,  "sysenter_esp, sysenter_eip", "must be canonical", sysenter_canonical },
	{ TPZ_STATE_MSRS,  "fmask, sysenter_cs, tsc_aux", "bits 63 to 32 must be 0", low_halves },
	{ TPZ_STATE_MSRS,  "pat", "a reserved memory type", pat },
	{ TPZ_STATE_MSRS,  "apic_base", "not a state of this local APIC", apic_base },
	{ TPZ_STATE_MSRS,  "kvm_system_time", "a reserved bit is set", kvm_system_time },
	{ TPZ_STATE_MSRS,  "kvm_wall_clock", "a reserved bit is set", kvm_wall_clock },
	{ TPZ_STATE_PV,	   "kvm_steal_time", "a reserved bit is set, or the guest has no such MSR", kvm_steal_time },
	{ TPZ_STATE_PV,	   "kvm_pv_eoi", "a reserved bit is set, or the guest has no such MSR", kvm_pv_eoi },
	{ TPZ_STATE_PV,	   "kicked", "must be 0 or 1", kicked },
	{ TPZ_STATE_PV,	   "spare", "must be 0", pv_spare },
	{}
};

/* ---- the check */

static const char *const segment_names[TPZ_SEGS] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

static const struct rule *first_broken(const struct rule *rule, const struct candidate *k)
{
	for (; rule->holds; rule++)
		if (!rule->holds(k))
			return rule;
	return NULL;
}

static const struct rule *first_broken_segment(struct candidate *k)
{
	const struct rule *broken;

	for (k->n = 0; k->n < TPZ_SEGS; k->n++) {
		k->seg = seg_of(k, k->n);
		broken = first_broken(tpz_segment_rules, k);
		if (broken)
			return broken;
	}
	return NULL;
}

int tpz_state_check(struct tpz_vcpu *v, struct tpz_state *st)
{
	struct candidate k = {
		.v = v,
		.st = st,
		.c = &st->control,
		.long_mode = st->control.efer & EFER_LMA,
		.code64 = (st->control.efer & EFER_LMA) && st->segments.seg[TPZ_CS].l,
		.v86 = st->regs.rflags & X86_EFLAGS_VM,
		.protected = st->control.cr0 & X86_CR0_PE,
	};
	const struct rule *broken;

	broken = first_broken(control_rules, &k) ?: first_broken(regs_rules, &k) ?: first_broken(register_rules, &k) ?:
		 first_broken_segment(&k) ?: first_broken(tpz_segments_rules, &k) ?: first_broken(tpz_event_rules, &k);
	if (!broken)
		return 0;
	st->bad_group = broken->group;
	snprintf(st->bad_field, sizeof(st->bad_field), "%s: %s", broken->field ?: segment_names[k.n], broken->text);
	return -EINVAL;
}
