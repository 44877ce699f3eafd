// SPDX-License-Identifier: GPL-2.0
/*
 * Rules on events, shadows and activity (SDM vol. 3C, 27.2.1.3 and 27.3.1.5).
 */
#include "state_check.h"

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

/* Exceptions that this guest's processor raises: all of 0 to 19 but 2 (NMI) and 15, and #BR not in 64-bit code */
#define EXCEPTIONS	0x000f7ffbu

static bool exception_exists(const struct candidate *k, u8 vector)
{
	return vector < 32 && (EXCEPTIONS & BIT(vector)) && (vector != X86_TRAP_BR || !k->code64);
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
		return exception_exists(k, e->vector);
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

const struct rule tpz_event_rules[] = {
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
	{}
};
