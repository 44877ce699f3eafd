// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions on their way to the guest, and the end of an instruction that the module carried out.
 *
 * One event at a time waits in v->event for the next entry. It may be there already when a handler raises an
 * exception: the exit had interrupted its delivery. Then the two combine as they would inside the CPU.
 */
#include "internal.h"

/* ---- double faults: SDM vol. 3A, tables 6-4 and 6-5 */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class fault_class(u8 type, u8 vector)
{
	/* Interrupts, NMIs and INT n are benign, whatever their vector */
	if (type != TPZ_EVENT_EXCEPTION)
		return BENIGN;
	switch (vector) {
	case X86_TRAP_DE:
	case X86_TRAP_TS:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
	case X86_TRAP_GP:
		return CONTRIBUTORY;
	case X86_TRAP_PF:
		return PAGE_FAULT;
	case X86_TRAP_DF:
		return DOUBLE_FAULT;
	}
	return BENIGN;
}

enum outcome { SECOND_ALONE, MAKE_DOUBLE, MAKE_TRIPLE };

static enum outcome combine(enum fault_class first, enum fault_class second)
{
	if (first == DOUBLE_FAULT)
		return second == BENIGN ? SECOND_ALONE : MAKE_TRIPLE;
	if (first == CONTRIBUTORY)
		return second == CONTRIBUTORY ? MAKE_DOUBLE : SECOND_ALONE;
	if (first == PAGE_FAULT)
		return second == CONTRIBUTORY || second == PAGE_FAULT ? MAKE_DOUBLE : SECOND_ALONE;
	return SECOND_ALONE;
}

/*
 * A second fault that does not make a double fault takes the first one's place: the CPU never comes back to the
 * first by itself (a faulting instruction runs again; an interrupt was acknowledged and is lost to the handler).
 */
static void queue(struct tpz_vcpu *v, const struct tpz_event *event)
{
	enum outcome outcome = SECOND_ALONE;
	struct tpz_event *e = &v->event;

	if (e->valid)
		outcome = combine(fault_class(e->type, e->vector), fault_class(event->type, event->vector));
	if (outcome == MAKE_TRIPLE) {
		/* The run loop reports TPZ_EXIT_TRIPLE_FAULT instead of an entry */
		e->valid = false;
		v->activity = TPZ_ACTIVITY_SHUTDOWN;
		return;
	}
	*e = *event;
	e->valid = true;
	tpz_count(&v->m->injected_exceptions);	/* deliveries that an exit cut off are not counted again */
	if (outcome == MAKE_DOUBLE) {
		e->vector = X86_TRAP_DF;
		e->error = 0;
	}
	tpz_fetch(v, TPZ_P_CR0);
	e->has_error = (event->has_error || outcome == MAKE_DOUBLE) && (v->s.cr0 & X86_CR0_PE);

	/*
	 * Delivery ends the shadow of STI and MOV SS. To say so here keeps the entry rule on pending debug exceptions
	 * under a shadow (SDM vol. 3C, 27.3.1.5) true, also for exits that leave BS clear under one.
	 */
	tpz_fetch(v, TPZ_P_SHADOW);
	if (v->s.sti_shadow || v->s.mov_ss_shadow) {
		v->s.sti_shadow = false;
		v->s.mov_ss_shadow = false;
		tpz_dirty(v, TPZ_P_SHADOW);
	}
}

static bool is_fault(u8 vector)
{
	return vector != X86_TRAP_DB && vector != X86_TRAP_BP && vector != X86_TRAP_OF && vector != X86_TRAP_DF &&
		vector != X86_TRAP_MC;
}

void tpz_queue_exception(struct tpz_vcpu *v, u8 vector, long error)
{
	struct tpz_event e = {
		.type = TPZ_EVENT_EXCEPTION,
		.vector = vector,
		.has_error = error != TPZ_NO_ERROR,
		.error = error != TPZ_NO_ERROR ? error : 0,
	};

	/* The image of RFLAGS that a fault pushes has RF set: an instruction breakpoint must not hit twice (SDM 17.3.1.1) */
	if (is_fault(vector)) {
		tpz_fetch(v, TPZ_P_RFLAGS);
		v->s.rflags |= X86_EFLAGS_RF;
		tpz_dirty(v, TPZ_P_RFLAGS);
	}
	queue(v, &e);
}

/*
 * CR2 and DR6 change now, not at the delivery: the event of the state group TPZ_STATE_EVENTS carries no payload, and
 * so a state read between the two is whole.
 */
void tpz_queue_page_fault(struct tpz_vcpu *v, u64 address, u32 error)
{
	v->s.cr2 = address;
	tpz_queue_exception(v, X86_TRAP_PF, error);
}

/* SDM vol. 3B, 17.2.3: B0 to B3 tell the last #DB; the other bits stay until software clears them. GD ends */
void tpz_queue_debug(struct tpz_vcpu *v, u64 dr6_bits)
{
	v->s.dr6 = (v->s.dr6 & ~(u64)TPZ_DR6_TRAPS) | (dr6_bits & TPZ_DR6_WRITABLE);
	tpz_fetch(v, TPZ_P_DR7);
	if (v->s.dr7 & TPZ_DR7_GD) {
		v->s.dr7 &= ~TPZ_DR7_GD;
		tpz_dirty(v, TPZ_P_DR7);
	}
	tpz_queue_exception(v, X86_TRAP_DB, TPZ_NO_ERROR);
}

enum tpz_next tpz_inject_ud(struct tpz_vcpu *v)
{
	tpz_queue_exception(v, X86_TRAP_UD, TPZ_NO_ERROR);
	return TPZ_RESUME;
}

enum tpz_next tpz_inject_gp(struct tpz_vcpu *v)
{
	tpz_queue_exception(v, X86_TRAP_GP, 0);
	return TPZ_RESUME;
}

/* ---- handlers */

/*
 * tpz_on_exception() - an intercepted exception goes on to the guest's own handler
 *
 * INT3, INTO and INT1 keep their type and length: the handler must find the RIP after the instruction, and INT1 leaves
 * DR6 and DR7 alone (SDM vol. 3B, 17.3.1.6).
 */
TPZ_HANDLER(tpz_on_exception)
{
	struct tpz_event e = {
		.type = x->exception.type,
		.vector = x->exception.vector,
		.has_error = x->exception.has_error,
		.error = x->exception.error,
	};

	if (e.type == TPZ_EVENT_SOFT_EXCEPTION || e.type == TPZ_EVENT_PRIV_SOFT) {
		e.insn_bytes = x->insn_bytes;
		queue(v, &e);
	} else if (e.vector == X86_TRAP_PF) {
		tpz_queue_page_fault(v, x->exception.address, e.error);
	} else if (e.vector == X86_TRAP_DB) {
		tpz_queue_debug(v, x->exception.address);
	} else {
		tpz_queue_exception(v, e.vector, e.has_error ? e.error : TPZ_NO_ERROR);
	}
	return TPZ_RESUME;
}

TPZ_HANDLER(tpz_on_triple_fault)
{
	v->event.valid = false;
	v->activity = TPZ_ACTIVITY_SHUTDOWN;
	tpz_user_exit(v, TPZ_EXIT_TRIPLE_FAULT);
	return TPZ_TO_USER;
}

/*
 * tpz_on_task_switch() - hardware task switches always trap, and no 64-bit system uses them: the launcher decides
 */
TPZ_HANDLER(tpz_on_task_switch)
{
	struct tpz_run *run = tpz_user_exit(v, TPZ_EXIT_TASK_SWITCH);

	run->task_switch.selector = x->task.selector;
	run->task_switch.source = x->task.source;
	return TPZ_TO_USER;
}

/* ---- the end of an instruction, and small questions about the mode */

/*
 * tpz_insn_boundary() - an instruction, or one iteration of a REP, is done: shadows end, a single step is due
 */
void tpz_insn_boundary(struct tpz_vcpu *v)
{
	struct tpz_cpu_state *s = &v->s;

	tpz_fetch(v, TPZ_P_RFLAGS | TPZ_P_SHADOW);
	if (unlikely(s->sti_shadow || s->mov_ss_shadow)) {
		s->sti_shadow = false;
		s->mov_ss_shadow = false;
		tpz_dirty(v, TPZ_P_SHADOW);
	}
	if (unlikely(s->rflags & X86_EFLAGS_TF)) {
		s->pending_debug |= TPZ_DR6_BS;
		tpz_dirty(v, TPZ_P_SHADOW);
	}
	/* The CPU's own step counts what it runs itself; this one is ours, and is reported before the next instruction */
	if (unlikely(v->vm->traps & TPZ_TRAP_STEP))
		set_bit(TPZ_REQ_STEP, &v->requests);
}

/*
 * tpz_insn_done() - the instruction that trapped is done
 *
 * Outside 64-bit mode EIP wraps at 4 GiB. It does not wrap at 64 KiB in 16-bit code: the CPU runs on to the address
 * 0x10000, and the limit of CS stops it there.
 */
void tpz_insn_done(struct tpz_vcpu *v, u64 rip)
{
	struct tpz_cpu_state *s = &v->s;

	tpz_fetch(v, TPZ_P_RIP);
	if (unlikely((rip ^ s->rip) >> 32) && !tpz_long_mode(v))
		rip = (u32)rip;
	s->rip = rip;
	tpz_dirty(v, TPZ_P_RIP);
	tpz_insn_boundary(v);
	if (unlikely(s->rflags & X86_EFLAGS_RF)) {
		s->rflags &= ~X86_EFLAGS_RF;
		tpz_dirty(v, TPZ_P_RFLAGS);
	}
}

void tpz_skip_insn(struct tpz_vcpu *v)
{
	tpz_insn_done(v, tpz_rip(v) + v->exit.insn_bytes);
}

unsigned int tpz_cpl(struct tpz_vcpu *v)
{
	return tpz_seg(v, TPZ_SS)->dpl;
}

bool tpz_long_mode(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_EFER);
	return (v->s.efer & EFER_LMA) && tpz_seg(v, TPZ_CS)->l;
}

u64 tpz_arg(struct tpz_vcpu *v, unsigned int reg)
{
	u64 value = tpz_gpr(v, reg);

	return tpz_long_mode(v) ? value : (u32)value;
}
