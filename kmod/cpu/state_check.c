// SPDX-License-Identifier: GPL-2.0
/*
 * Is this state one that a processor can be in? A list of rules, each with the group and the field that it blames.
 *
 * The rules are the architecture's, not a vendor's; where both backends' CPUs check the guest state at an entry
 * (SDM vol. 3C, 27.3.1; APM vol. 2, 15.5.1), whatever passes here passes there. So user space learns of a bad value
 * when it sets it, and a failed entry is always the module's own fault.
 */
#include <asm/kvm_para.h>
#include "internal.h"

/*
 * struct candidate - the state that would result, and questions that many rules ask
 * @seg: the segment that a rule on segments looks at; its number
 */
struct candidate {
	const struct tpz_vcpu *v;
	const struct tpz_state *st;
	const struct tpz_control *c;
	const struct tpz_segment *seg;
	unsigned int n;
	bool long_mode;		/* IA-32e mode is active */
	bool code64;
	bool v86;
	bool protected;
};

struct rule {
	u64 group;
	const char *field;
	const char *text;
	bool (*holds)(const struct candidate *k);
};

#define RULE(name)	static bool name(const struct candidate *k)

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
};

/* ---- each segment: SDM vol. 3C, 27.3.1.2. Asked once for each of the eight */

static bool is_code(const struct tpz_segment *s)
{
	return s->type & 8;
}

/* CS and TR are never unusable; a null selector makes the others so */
static bool usable(const struct candidate *k)
{
	return k->n == TPZ_CS || k->n == TPZ_TR || !k->seg->unusable;
}

static bool system_segment(const struct candidate *k)
{
	return k->n == TPZ_LDTR || k->n == TPZ_TR;
}

RULE(seg_ranges)
{
	const struct tpz_segment *s = k->seg;

	return s->type <= 15 && s->dpl <= 3 && !s->pad &&
	       (s->s | s->present | s->avl | s->l | s->db | s->g | s->unusable) <= 1;
}

RULE(seg_must_be_usable)
{
	return (k->n != TPZ_CS && k->n != TPZ_TR) || !k->seg->unusable;
}

RULE(seg_base)
{
	switch (k->n) {
	case TPZ_FS:
	case TPZ_GS:
	case TPZ_TR:
		return tpz_canonical(k->seg->base);
	case TPZ_LDTR:
		return !usable(k) || tpz_canonical(k->seg->base);
	}
	return !usable(k) || !(k->seg->base >> 32);
}

RULE(seg_v86)
{
	const struct tpz_segment *s = k->seg;

	if (!k->v86 || system_segment(k))
		return true;
	return s->base == (u64)s->selector << 4 && s->limit == 0xffff && s->type == 3 && s->s && s->dpl == 3 &&
	       s->present && !s->avl && !s->l && !s->db && !s->g && !s->unusable;
}

RULE(seg_type)
{
	const u8 type = k->seg->type;

	if (!usable(k) || k->v86)
		return true;
	switch (k->n) {
	case TPZ_CS:
		return type == 3 || (is_code(k->seg) && (type & 1));
	case TPZ_SS:
		return type == 3 || type == 7;
	case TPZ_LDTR:
	case TPZ_TR:
		return true;	/* their own rules */
	}
	return (type & 1) && (!is_code(k->seg) || (type & 2));
}

RULE(seg_s)
{
	return !usable(k) || k->seg->s == !system_segment(k);
}

RULE(seg_present)
{
	return !usable(k) || k->seg->present;
}

RULE(seg_granularity)
{
	const struct tpz_segment *s = k->seg;

	if (!usable(k) || k->v86)
		return true;
	if ((s->limit & 0xfff) != 0xfff && s->g)
		return false;
	return !(s->limit >> 20) || s->g;
}

static const struct rule segment_rules[] = {
	{ TPZ_STATE_SEGMENTS, NULL, "a member is out of its range", seg_ranges },
	{ TPZ_STATE_SEGMENTS, NULL, "CS and TR cannot be unusable", seg_must_be_usable },
	{ TPZ_STATE_SEGMENTS, NULL, "base: beyond 32 bits, or not canonical", seg_base },
	{ TPZ_STATE_SEGMENTS, NULL, "virtual-8086 mode: base, limit or rights are not that mode's", seg_v86 },
	{ TPZ_STATE_SEGMENTS, NULL, "type: not one that this register can hold", seg_type },
	{ TPZ_STATE_SEGMENTS, NULL, "s: 1 for code and data, 0 for LDTR and TR", seg_s },
	{ TPZ_STATE_SEGMENTS, NULL, "present must be 1", seg_present },
	{ TPZ_STATE_SEGMENTS, NULL, "limit does not agree with g", seg_granularity },
};

/* ---- segments together */

static const struct tpz_segment *seg_of(const struct candidate *k, unsigned int n)
{
	return &k->st->segments.seg[n];
}

RULE(cs_dpl)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS), *ss = seg_of(k, TPZ_SS);

	if (k->v86)
		return true;
	if (cs->type == 3)
		return !cs->dpl;
	return cs->type & 4 ? cs->dpl <= ss->dpl : cs->dpl == ss->dpl;
}

RULE(ss_dpl)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS), *ss = seg_of(k, TPZ_SS);

	return k->v86 || ((k->protected && cs->type != 3) || !ss->dpl);
}

RULE(cs_long)
{
	const struct tpz_segment *cs = seg_of(k, TPZ_CS);

	return !k->code64 || !cs->db;
}

RULE(ldtr)
{
	const struct tpz_segment *s = seg_of(k, TPZ_LDTR);

	return s->unusable || (s->type == 2 && !(s->selector & 4));
}

/* Busy, 16-bit or 32-bit; in IA-32e mode the 64-bit one, which has the number of the 32-bit one */
RULE(tr)
{
	const struct tpz_segment *s = seg_of(k, TPZ_TR);

	return (s->type == 11 || (s->type == 3 && !k->long_mode)) && !(s->selector & 4);
}

RULE(gdtr)
{
	return tpz_canonical(k->st->segments.gdtr.base) && !(k->st->segments.gdtr.limit >> 16);
}

RULE(idtr)
{
	return tpz_canonical(k->st->segments.idtr.base) && !(k->st->segments.idtr.limit >> 16);
}

static const struct rule segments_rules[] = {
	{ TPZ_STATE_SEGMENTS, "cs",   "dpl: must fit SS's, the privilege level", cs_dpl },
	{ TPZ_STATE_SEGMENTS, "ss",   "dpl: must be 0 in real mode and where CS is of type 3", ss_dpl },
	{ TPZ_STATE_SEGMENTS, "cs",   "l and db exclude each other in IA-32e mode", cs_long },
	{ TPZ_STATE_SEGMENTS, "ldtr", "type must be 2, and the selector in the GDT", ldtr },
	{ TPZ_STATE_SEGMENTS, "tr",   "type must be that of a busy TSS of this mode, the selector in the GDT", tr },
	{ TPZ_STATE_SEGMENTS, "gdtr", "base must be canonical, limit below 64 KiB", gdtr },
	{ TPZ_STATE_SEGMENTS, "idtr", "base must be canonical, limit below 64 KiB", idtr },
};

/* ---- events: SDM vol. 3C, 27.2.1.3 and 27.3.1.5 */

RULE(ev_ranges)
{
	const struct tpz_events *e = &k->st->events;

	return (e->pending | e->has_error | e->nmi_pending | e->nmi_blocked | e->sti_shadow | e->mov_ss_shadow) <= 1 &&
	       !e->pad[0] && !e->pad[1];
}

RULE(ev_activity)
{
	return k->st->events.activity <= TPZ_ACTIVITY_WAIT_SIPI;
}

RULE(ev_halted)
{
	const struct tpz_events *e = &k->st->events;

	if (e->activity == TPZ_ACTIVITY_RUN)
		return true;
	if (e->sti_shadow || e->mov_ss_shadow || e->pending)
		return false;
	return e->activity != TPZ_ACTIVITY_HLT || !seg_of(k, TPZ_SS)->dpl;
}

RULE(ev_type)
{
	const struct tpz_events *e = &k->st->events;

	if (!e->pending)
		return true;
	switch (e->type) {
	case TPZ_EVENT_INTR:
	case TPZ_EVENT_SOFT_INTR:
		return true;
	case TPZ_EVENT_NMI:
		return e->vector == X86_TRAP_NMI;
	case TPZ_EVENT_EXCEPTION:
		return e->vector < 32 && e->vector != X86_TRAP_NMI;
	case TPZ_EVENT_PRIV_SOFT:
		return e->vector == X86_TRAP_DB;
	case TPZ_EVENT_SOFT_EXCEPTION:
		return e->vector == X86_TRAP_BP || e->vector == X86_TRAP_OF;
	}
	return false;
}

/* Vectors that push an error code in protected mode: 8, 10 to 14, 17 */
#define PUSH_ERROR	0x00027d00u

RULE(ev_error)
{
	const struct tpz_events *e = &k->st->events;
	const bool pushes = e->type == TPZ_EVENT_EXCEPTION && k->protected && e->vector < 32 &&
			    (PUSH_ERROR & BIT(e->vector));

	if (!e->pending)
		return true;
	return e->has_error == pushes && (!e->has_error || !(e->error >> 16));
}

RULE(ev_insn_bytes)
{
	const struct tpz_events *e = &k->st->events;

	return !e->pending || e->type < TPZ_EVENT_SOFT_INTR || (e->insn_bytes >= 1 && e->insn_bytes <= 15);
}

RULE(ev_shadows)
{
	const struct tpz_events *e = &k->st->events;

	return !(e->sti_shadow && e->mov_ss_shadow) &&
	       (!e->sti_shadow || (k->st->regs.rflags & X86_EFLAGS_IF));
}

RULE(ev_deliverable)
{
	const struct tpz_events *e = &k->st->events;
	const bool shadow = e->sti_shadow || e->mov_ss_shadow;

	if (!e->pending)
		return true;
	if (e->type == TPZ_EVENT_INTR)
		return !shadow && (k->st->regs.rflags & X86_EFLAGS_IF);
	return e->type != TPZ_EVENT_NMI || (!shadow && !e->nmi_blocked);
}

#define PENDING_DEBUG_BITS	(0xfULL | BIT(12) | TPZ_DR6_BS)

RULE(ev_pending_debug)
{
	return !(k->st->events.pending_debug & ~PENDING_DEBUG_BITS);
}

/* Under a shadow, and halted, a single step is pending exactly if TF is set */
RULE(ev_pending_step)
{
	const struct tpz_events *e = &k->st->events;

	if (!e->sti_shadow && !e->mov_ss_shadow && e->activity != TPZ_ACTIVITY_HLT)
		return true;
	return !(e->pending_debug & TPZ_DR6_BS) == !(k->st->regs.rflags & X86_EFLAGS_TF);
}

static const struct rule event_rules[] = {
	{ TPZ_STATE_EVENTS, "events",	     "a member is out of its range", ev_ranges },
	{ TPZ_STATE_EVENTS, "activity",	     "no such state", ev_activity },
	{ TPZ_STATE_EVENTS, "activity",	     "not with a shadow or a pending event; HLT needs privilege level 0", ev_halted },
	{ TPZ_STATE_EVENTS, "type, vector",  "no such event", ev_type },
	{ TPZ_STATE_EVENTS, "error",	     "exactly with vectors 8, 10 to 14, 17 in protected mode; 16 bits", ev_error },
	{ TPZ_STATE_EVENTS, "insn_bytes",    "must be 1 to 15 with a software event", ev_insn_bytes },
	{ TPZ_STATE_EVENTS, "sti_shadow",    "not both shadows, and STI's needs RFLAGS.IF", ev_shadows },
	{ TPZ_STATE_EVENTS, "pending",	     "an interrupt or NMI that is blocked now", ev_deliverable },
	{ TPZ_STATE_EVENTS, "pending_debug", "a reserved bit is set", ev_pending_debug },
	{ TPZ_STATE_EVENTS, "pending_debug", "BS must agree with RFLAGS.TF under a shadow or halted", ev_pending_step },
};

/* ---- the check */

static const char *const segment_names[TPZ_SEGS] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

static const struct rule *first_broken(const struct rule *rules, unsigned int count, const struct candidate *k)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!rules[i].holds(k))
			return &rules[i];
	return NULL;
}

static const struct rule *first_broken_segment(struct candidate *k)
{
	const struct rule *broken;

	for (k->n = 0; k->n < TPZ_SEGS; k->n++) {
		k->seg = seg_of(k, k->n);
		broken = first_broken(segment_rules, ARRAY_SIZE(segment_rules), k);
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
	const struct rule *broken = first_broken(control_rules, ARRAY_SIZE(control_rules), &k);

	if (!broken)
		broken = first_broken(regs_rules, ARRAY_SIZE(regs_rules), &k);
	if (!broken)
		broken = first_broken(register_rules, ARRAY_SIZE(register_rules), &k);
	if (!broken)
		broken = first_broken_segment(&k);
	if (!broken)
		broken = first_broken(segments_rules, ARRAY_SIZE(segments_rules), &k);
	if (!broken)
		broken = first_broken(event_rules, ARRAY_SIZE(event_rules), &k);
	if (!broken)
		return 0;
	st->bad_group = broken->group;
	snprintf(st->bad_field, sizeof(st->bad_field), "%s: %s", broken->field ?: segment_names[k.n], broken->text);
	return -EINVAL;
}
