// SPDX-License-Identifier: GPL-2.0
/*
 * Events into the guest (AMD APM vol. 2, 15.20 "Event Injection"), the event whose delivery an exit interrupted (15.7.2
 * EXITINTINFO), and the interrupt window (15.21).
 *
 * TPZ_EVENT_* below TPZ_EVENT_PRIV_SOFT are numbered as EVENTINJ's types.
 */
#include <asm/trapnr.h>
#include "svm.h"

static_assert(TPZ_EVENT_INTR == SVM_EVENT_TYPE_INTR && TPZ_EVENT_NMI == SVM_EVENT_TYPE_NMI &&
	      TPZ_EVENT_EXCEPTION == SVM_EVENT_TYPE_EXCEPTION && TPZ_EVENT_SOFT_INTR == SVM_EVENT_TYPE_SOFT);

/*
 * The guest must find the RIP behind an INT n, INT3, INTO or INT1. A CPU with NRIPS takes it from the VMCB's nRIP; for one
 * without, RIP itself moves first, and back if the delivery is cut off.
 */
static void inject_soft(struct tpz_vcpu *v, struct svm_vcpu *x, const struct tpz_event *e)
{
	u64 rip = tpz_rip(v), next = rip + e->insn_bytes;

	x->injected = *e;
	x->injected_rip = rip;
	if (svm_has(SVM_CPUID_NRIPS)) {
		x->vmcb->control.nrip = next;
		return;
	}
	v->s.rip = next;
	tpz_dirty(v, TPZ_P_RIP);
}

void svm_inject(struct tpz_vcpu *v, const struct tpz_event *e)
{
	u64 type = e->type > TPZ_EVENT_SOFT_INTR ? SVM_EVENT_TYPE_EXCEPTION : e->type;
	u64 info = SVM_EVENT_VALID | type << SVM_EVENT_TYPE_SHIFT | e->vector;
	struct svm_vcpu *x = to_svm(v);

	if (e->has_error)
		info |= SVM_EVENT_EV | (u64)e->error << SVM_EVENT_ERROR_SHIFT;
	if (e->type >= TPZ_EVENT_SOFT_INTR)
		inject_soft(v, x, e);
	if (e->type == TPZ_EVENT_NMI && !svm_has(SVM_CPUID_VNMI)) {
		tpz_fetch(v, TPZ_P_SHADOW);
		v->s.nmi_blocked = true;
		tpz_dirty(v, TPZ_P_SHADOW);
	}
	x->vmcb->control.eventinj = info;
	if (type == SVM_EVENT_TYPE_EXCEPTION)
		x->unproven = true;
}

/* A virtual interrupt of the highest priority, whose acceptance traps before anything of it is seen (15.21.4) */
static void interrupt_window(struct svm_vcpu *x, bool open)
{
	struct vmcb_control *c = &x->vmcb->control;
	u64 vintr = c->vintr & ~(VINTR_V_IRQ | VINTR_V_INTR_PRIO | VINTR_V_IGN_TPR);

	if (open)
		vintr |= VINTR_V_IRQ | VINTR_V_INTR_PRIO | VINTR_V_IGN_TPR;
	if (vintr == c->vintr)
		return;
	c->vintr = vintr;
	svm_touch(x, CLEAN_TPR);
	svm_intercept3(x, INTERCEPT3_VINTR, open);
}

void svm_windows(struct tpz_vcpu *v, bool interrupt, bool nmi)
{
	interrupt_window(to_svm(v), interrupt);
	svm_nmi_window(v, nmi);
}

/*
 * Did software raise it? INT3 and INTO are reported as exceptions. RIP is the instruction's: it simply runs again, but if
 * the event was injected by us, the instruction may not be there any more (the launcher's state), or have been ours alone.
 */
static bool is_soft(u64 info, u8 vector)
{
	u64 type = (info & SVM_EVENT_TYPE) >> SVM_EVENT_TYPE_SHIFT;

	return type == SVM_EVENT_TYPE_SOFT ||
		(type == SVM_EVENT_TYPE_EXCEPTION && (vector == X86_TRAP_BP || vector == X86_TRAP_OF));
}

static bool is_injected_again(const struct svm_vcpu *x, u8 vector)
{
	const struct tpz_event *e = &x->injected;
	u64 rip = x->injected_rip + (svm_has(SVM_CPUID_NRIPS) ? 0 : e->insn_bytes);

	return e->valid && e->vector == vector && x->vmcb->save.rip == rip;
}

/* Before any handler runs: what the exit interrupted goes back to v->event, to be delivered again */
void svm_save_interrupted_event(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);
	u64 info = x->vmcb->control.exitintinfo;
	struct tpz_event *e = &v->event;
	u8 vector = info & SVM_EVENT_VECTOR;

	if (likely(!(info & SVM_EVENT_VALID))) {
		x->injected.valid = false;
		return;
	}
	if (is_injected_again(x, vector)) {
		*e = x->injected;
		x->vmcb->save.rip = x->injected_rip;
	} else if (!is_soft(info, vector)) {
		memset(e, 0, sizeof(*e));
		e->valid = true;
		e->vector = vector;
		e->type = (info & SVM_EVENT_TYPE) >> SVM_EVENT_TYPE_SHIFT;
		e->has_error = info & SVM_EVENT_EV;
		e->error = e->has_error ? info >> SVM_EVENT_ERROR_SHIFT : 0;
	}
	x->injected.valid = false;
	/* Its delivery begins anew: the blocking that a begun NMI set must not forbid it */
	if (e->valid && e->type == TPZ_EVENT_NMI)
		svm_nmi_block(x, false);
}
