// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's state as user space reads and writes it, in groups.
 *
 * A write is checked over the state that would result from the whole call (state_check.c) before any of it is made:
 * a change of mode, which touches several groups at once, is one call.
 */
#include <linux/slab.h>
#include "internal.h"

/* ---- reading */

static void get_control(struct tpz_vcpu *v, struct tpz_control *c)
{
	const struct tpz_cpu_state *s = &v->s;

	c->cr0 = s->cr0;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->cr8 = s->cr8;
	c->efer = s->efer;
	c->xcr0 = s->xcr0;
	tpz_get_pdptes(v, c->pdpte);
}

static void get_msrs(struct tpz_vcpu *v, struct tpz_msrs *m)
{
	const struct tpz_cpu_state *s = &v->s;

	*m = (struct tpz_msrs){
		.star = s->star,
		.lstar = s->lstar,
		.cstar = s->cstar,
		.fmask = s->fmask,
		.kernel_gs_base = s->kernel_gs_base,
		.sysenter_cs = s->sysenter_cs,
		.sysenter_esp = s->sysenter_esp,
		.sysenter_eip = s->sysenter_eip,
		.pat = s->pat,
		.tsc = tpz_guest_tsc(v),
		.tsc_aux = s->tsc_aux,
		.apic_base = v->apic_base,
		.kvm_system_time = v->kvm_system_time,
		.kvm_wall_clock = v->kvm_wall_clock,
	};
}

static void get_events(struct tpz_vcpu *v, struct tpz_events *ev)
{
	const struct tpz_event *e = &v->event;

	*ev = (struct tpz_events){
		.nmi_pending = atomic_read(&v->nmi_pending),
		.nmi_blocked = v->s.nmi_blocked,
		.sti_shadow = v->s.sti_shadow,
		.mov_ss_shadow = v->s.mov_ss_shadow,
		.activity = v->activity,
		.pending_debug = v->s.pending_debug,
	};
	if (!e->valid)
		return;
	ev->pending = 1;
	ev->type = e->type;
	ev->vector = e->vector;
	ev->has_error = e->has_error;
	ev->error = e->error;
	ev->insn_bytes = e->insn_bytes;
}

/* Every group but FPU and LAPIC, which are large and have owners of their own */
static void get_all(struct tpz_vcpu *v, struct tpz_state *st)
{
	const struct tpz_cpu_state *s = &v->s;

	tpz_fetch(v, TPZ_P_ALL);
	memcpy(st->regs.gpr, s->gpr, sizeof(st->regs.gpr));
	st->regs.rip = s->rip;
	st->regs.rflags = s->rflags;
	memcpy(st->segments.seg, s->seg, sizeof(st->segments.seg));
	st->segments.gdtr = s->gdtr;
	st->segments.idtr = s->idtr;
	get_control(v, &st->control);
	memcpy(st->debug.db, s->db, sizeof(st->debug.db));
	st->debug.dr6 = s->dr6;
	st->debug.dr7 = s->dr7;
	get_msrs(v, &st->msrs);
	get_events(v, &st->events);
	tpz_pv_get_state(v, &st->pv);
}

/* The groups of @groups from @from */
static void merge(struct tpz_state *to, const struct tpz_state *from, u64 groups)
{
	if (groups & TPZ_STATE_REGS)
		to->regs = from->regs;
	if (groups & TPZ_STATE_SEGMENTS)
		to->segments = from->segments;
	if (groups & TPZ_STATE_CONTROL)
		to->control = from->control;
	if (groups & TPZ_STATE_DEBUG)
		to->debug = from->debug;
	if (groups & TPZ_STATE_MSRS)
		to->msrs = from->msrs;
	if (groups & TPZ_STATE_EVENTS)
		to->events = from->events;
	if (groups & TPZ_STATE_PV)
		to->pv = from->pv;
}

static int refuse(struct tpz_state *st, u64 group, const char *why)
{
	st->bad_group = group;
	strscpy(st->bad_field, why, sizeof(st->bad_field));
	return -EINVAL;
}

/* Groups that this vCPU has */
static int check_groups(const struct tpz_vcpu *v, struct tpz_state *st)
{
	if (st->groups & ~TPZ_STATE_ALL)
		return refuse(st, st->groups & ~TPZ_STATE_ALL, "groups: no such group");
	if ((st->groups & TPZ_STATE_LAPIC) && !v->apic)
		return refuse(st, TPZ_STATE_LAPIC, "lapic: this VM was created without TPZ_DEVICE_LAPIC");
	return 0;
}

int tpz_state_get(struct tpz_vcpu *v, struct tpz_state *st, void *fpu)
{
	struct tpz_state *now;
	int ret = check_groups(v, st);

	if (ret)
		return ret;
	now = kzalloc(sizeof(*now), GFP_KERNEL_ACCOUNT);
	if (!now)
		return -ENOMEM;
	get_all(v, now);
	merge(st, now, st->groups);
	kfree(now);
	if (st->groups & TPZ_STATE_FPU)
		memcpy(fpu, v->fpu, tpz_fpu_bytes());
	if (st->groups & TPZ_STATE_LAPIC)
		tpz_apic_get_state(v, &st->lapic);
	return 0;
}

/* ---- writing. What follows cannot fail any more */

static void set_regs(struct tpz_vcpu *v, const struct tpz_regs *r)
{
	memcpy(v->s.gpr, r->gpr, sizeof(v->s.gpr));
	v->s.rip = r->rip;
	v->s.rflags = r->rflags;
	tpz_dirty(v, TPZ_P_RIP | TPZ_P_RSP | TPZ_P_RFLAGS);
	/* The launcher has taken the instruction over: see io.c and mmio.c */
	v->io_pending = false;
	v->mmio_pending = false;
}

static void set_segments(struct tpz_vcpu *v, const struct tpz_segments *g)
{
	memcpy(v->s.seg, g->seg, sizeof(v->s.seg));
	v->s.gdtr = g->gdtr;
	v->s.idtr = g->idtr;
	tpz_dirty(v, TPZ_P_SEGMENTS | TPZ_P_GDTR | TPZ_P_IDTR);
}

static void set_control(struct tpz_vcpu *v, const struct tpz_control *c)
{
	struct tpz_cpu_state *s = &v->s;

	s->cr0 = c->cr0 | X86_CR0_ET;
	s->cr2 = c->cr2;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->efer = c->efer;
	s->xcr0 = c->xcr0;
	memcpy(s->pdpte, c->pdpte, sizeof(s->pdpte));
	tpz_set_cr8(v, c->cr8);
	tpz_dirty(v, TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER | TPZ_P_PDPTE);
	set_bit(TPZ_REQ_FLUSH, &v->requests);
}

static void set_debug(struct tpz_vcpu *v, const struct tpz_debug *d)
{
	memcpy(v->s.db, d->db, sizeof(v->s.db));
	v->s.dr6 = (d->dr6 & TPZ_DR6_WRITABLE) | TPZ_DR6_FIXED;
	v->s.dr7 = (d->dr7 & TPZ_DR7_WRITABLE) | TPZ_DR7_FIXED;
	tpz_dirty(v, TPZ_P_DR7);
}

static void set_msrs(struct tpz_vcpu *v, const struct tpz_msrs *m)
{
	struct tpz_cpu_state *s = &v->s;

	s->star = m->star;
	s->lstar = m->lstar;
	s->cstar = m->cstar;
	s->fmask = m->fmask;
	s->kernel_gs_base = m->kernel_gs_base;
	s->sysenter_cs = m->sysenter_cs;
	s->sysenter_esp = m->sysenter_esp;
	s->sysenter_eip = m->sysenter_eip;
	s->pat = m->pat;
	s->tsc_aux = m->tsc_aux;
	tpz_dirty(v, TPZ_P_SYSENTER | TPZ_P_PAT | TPZ_P_KERNEL_GS | TPZ_P_SYSCALL);
	tpz_set_guest_tsc(v, m->tsc);
	WRITE_ONCE(v->apic_base, m->apic_base);
	v->kvm_system_time = m->kvm_system_time;
	v->kvm_wall_clock = m->kvm_wall_clock;
	set_bit(TPZ_REQ_CLOCK, &v->requests);
	set_bit(TPZ_REQ_EVENT, &v->requests);
}

static void set_events(struct tpz_vcpu *v, const struct tpz_events *ev)
{
	v->event = (struct tpz_event){
		.valid = ev->pending,
		.type = ev->type,
		.vector = ev->vector,
		.has_error = ev->has_error,
		.error = ev->error,
		.insn_bytes = ev->insn_bytes,
	};
	atomic_set(&v->nmi_pending, ev->nmi_pending);
	v->s.nmi_blocked = ev->nmi_blocked;
	v->s.sti_shadow = ev->sti_shadow;
	v->s.mov_ss_shadow = ev->mov_ss_shadow;
	v->s.pending_debug = ev->pending_debug;
	v->activity = ev->activity;
	tpz_dirty(v, TPZ_P_SHADOW);
	set_bit(TPZ_REQ_EVENT, &v->requests);
}

static void set_all(struct tpz_vcpu *v, const struct tpz_state *st)
{
	/* Parts that share a word of the control structure with what is set must be right before */
	tpz_fetch(v, TPZ_P_ALL);
	if (st->groups & TPZ_STATE_REGS)
		set_regs(v, &st->regs);
	if (st->groups & TPZ_STATE_SEGMENTS)
		set_segments(v, &st->segments);
	/* The APIC's task priority is CR8 too. Where both groups come, CR8's is the newer word */
	if (st->groups & TPZ_STATE_MSRS)
		set_msrs(v, &st->msrs);
	if (st->groups & TPZ_STATE_LAPIC)
		tpz_apic_set_state(v, &st->lapic);
	if (st->groups & TPZ_STATE_CONTROL)
		set_control(v, &st->control);
	if (st->groups & TPZ_STATE_DEBUG)
		set_debug(v, &st->debug);
	if (st->groups & TPZ_STATE_EVENTS)
		set_events(v, &st->events);
	if (st->groups & TPZ_STATE_PV)
		tpz_pv_set_state(v, &st->pv);
}

static int check_whole(struct tpz_vcpu *v, struct tpz_state *st)
{
	struct tpz_state *result = kzalloc(sizeof(*result), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!result)
		return -ENOMEM;
	get_all(v, result);
	merge(result, st, st->groups);
	result->groups = st->groups;
	ret = tpz_state_check(v, result);
	if (ret) {
		st->bad_group = result->bad_group;
		memcpy(st->bad_field, result->bad_field, sizeof(st->bad_field));
	}
	kfree(result);
	return ret;
}

int tpz_state_set(struct tpz_vcpu *v, struct tpz_state *st, const void *fpu)
{
	int ret = check_groups(v, st);

	if (!ret)
		ret = check_whole(v, st);
	if (ret)
		return ret;
	if (st->groups & TPZ_STATE_LAPIC) {
		ret = tpz_apic_check_state(v, &st->lapic, st->bad_field, sizeof(st->bad_field));
		if (ret) {
			st->bad_group = TPZ_STATE_LAPIC;
			return ret;
		}
	}
	/* The last that may refuse, so checking and setting are one */
	if (st->groups & TPZ_STATE_FPU) {
		ret = tpz_fpu_set(v, fpu, st->bad_field, sizeof(st->bad_field));
		if (ret) {
			st->bad_group = TPZ_STATE_FPU;
			return ret;
		}
	}
	set_all(v, st);
	return 0;
}
