// SPDX-License-Identifier: GPL-2.0
/*
 * Events into the guest (AMD APM vol. 2, 15.20 "Event Injection"), the event whose delivery an exit interrupted (15.7.2
 * EXITINTINFO), and the interrupt window (15.21).
 *
 * TPZ_EVENT_* below TPZ_EVENT_PRIV_SOFT are numbered as EVENTINJ's types.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "../event.h"
#include "svm.h"

static_assert(TPZ_EVENT_INTR == SVM_EVENT_TYPE_INTR && TPZ_EVENT_NMI == SVM_EVENT_TYPE_NMI &&
	      TPZ_EVENT_EXCEPTION == SVM_EVENT_TYPE_EXCEPTION && TPZ_EVENT_SOFT_INTR == SVM_EVENT_TYPE_SOFT);

/*
 * The guest must find the RIP behind an INT n, INT3, INTO or INT1. A CPU with NRIPS takes that of the first three from the
 * VMCB's nRIP; else RIP itself moves first, and back if the delivery is cut off.
 */
static bool by_nrip(const struct tpz_event *e)
{
	return svm_has(SVM_CPUID_NRIPS) && e->type != TPZ_EVENT_PRIV_SOFT;
}

static void inject_soft(struct tpz_vcpu *v, struct svm_vcpu *x, const struct tpz_event *e)
{
	u64 rip = tpz_rip(v), next = rip + e->insn_bytes;

	x->injected = *e;
	x->injected_rip = rip;
	if (!tpz_seg(v, TPZ_CS)->l || !(v->s.efer & EFER_LMA))
		next = (u32)next;
	if (by_nrip(e)) {
		x->vmcb->control.nrip = next;
		return;
	}
	v->s.rip = next;
	tpz_dirty(v, TPZ_P_RIP);
}

static void inject(struct svm_vcpu *x, const struct tpz_event *e)
{
	u64 type = e->type > TPZ_EVENT_SOFT_INTR ? SVM_EVENT_TYPE_EXCEPTION : e->type;

	x->vmcb->control.eventinj = tpz_event_to_word(e, type) | (u64)e->error << SVM_EVENT_ERROR_SHIFT;
	if (type == SVM_EVENT_TYPE_EXCEPTION)
		x->unproven = true;
}

void svm_inject(struct tpz_vcpu *v, const struct tpz_event *e)
{
	struct svm_vcpu *x = to_svm(v);

	x->virtual_interrupt = e->type == TPZ_EVENT_INTR;
	if (x->virtual_interrupt)
		return;			/* svm_windows() decides how */
	if (e->type >= TPZ_EVENT_SOFT_INTR)
		inject_soft(v, x, e);
	else
		x->vmcb->control.nrip = tpz_rip(v);	/* heeded for every #BP and #OF, also a launcher's own */
	if (e->type == TPZ_EVENT_NMI && !svm_has(SVM_CPUID_VNMI)) {
		tpz_fetch(v, TPZ_P_SHADOW);
		v->s.nmi_blocked = true;
		tpz_dirty(v, TPZ_P_SHADOW);
	}
	inject(x, e);
}

/* ---- the VMCB's virtual interrupt (15.21.4), which does not heed the task priority: the local APIC has */

#define VIRTUAL_INTERRUPT	(VINTR_V_IRQ | VINTR_V_INTR_PRIO | VINTR_V_IGN_TPR)

static void set_vintr(struct svm_vcpu *x, u64 bits)
{
	struct vmcb_control *c = &x->vmcb->control;
	u64 vintr = (c->vintr & ~(VIRTUAL_INTERRUPT | VINTR_V_VECTOR)) | bits;

	if (vintr == c->vintr)
		return;
	c->vintr = vintr;
	svm_touch(x, CLEAN_TPR);
}

/* The window of an NMI under STI's shadow is that of an interrupt, which needs no step by TF */
static bool behind_shadow(struct tpz_vcpu *v, const struct svm_vcpu *x)
{
	tpz_fetch(v, TPZ_P_SHADOW | TPZ_P_RFLAGS);
	return (v->s.sti_shadow || v->s.mov_ss_shadow) && (v->s.rflags & X86_EFLAGS_IF) && !v->event.valid &&
		!svm_nmi_is_blocked(x);
}

/*
 * It serves twice. With its intercept it is the interrupt window: its acceptance traps before anything of it is seen.
 * Without, it delivers an interrupt that the guest can take now; QEMU's TCG may deliver one of EVENTINJ a second time. Where
 * a window is wanted besides (an 8259's interrupt behind the local APIC's, an NMI), EVENTINJ delivers: V_IRQ can be but one of
 * the two, and when the guest takes one that delivers, no exit tells that the window may be asked for.
 *
 * TCG's second delivery of EVENTINJ's interrupt comes whenever it likes, also with interrupts off: guests deadlock on their
 * own spinlocks. So on CPUs of its kind the window of an interrupt waits for the next exit, which is the end of the first
 * interrupt at the latest, or a tick of the host.
 */
static bool repeats_eventinj(void)
{
	return !svm_has(SVM_CPUID_NRIPS);
}

void svm_windows(struct tpz_vcpu *v, bool interrupt, bool nmi)
{
	struct svm_vcpu *x = to_svm(v);

	if (unlikely(nmi) && behind_shadow(v, x)) {
		nmi = false;
		interrupt = true;
	}
	if (x->virtual_interrupt && !nmi && repeats_eventinj())
		interrupt = false;
	if ((interrupt || nmi) && x->virtual_interrupt) {
		x->virtual_interrupt = false;
		inject(x, &v->event);
	}
	if (interrupt)
		set_vintr(x, VIRTUAL_INTERRUPT);
	else if (x->virtual_interrupt)
		set_vintr(x, VIRTUAL_INTERRUPT | (u64)v->event.vector << VINTR_V_VECTOR_SHIFT);
	else
		set_vintr(x, 0);
	svm_intercept3(x, INTERCEPT3_VINTR, interrupt);
	svm_nmi_window(v, nmi);
}

/* The VMCB is as before that entry, but for what was injected */
void svm_inject_again(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);

	x->vmcb->control.eventinj = 0;
	x->virtual_interrupt = false;
	if (!x->injected.valid)
		return;
	x->injected.valid = false;
	v->s.rip = x->injected_rip;
	tpz_dirty(v, TPZ_P_RIP);
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
	u64 rip = x->injected_rip + (by_nrip(e) ? 0 : e->insn_bytes);

	return e->valid && e->vector == vector && x->vmcb->save.rip == rip;
}

/* Did the exit come before the guest took it, or during its delivery? TCG tells the latter as an exception's */
static bool virtual_interrupt_waits(struct svm_vcpu *x, const struct tpz_event *e)
{
	const struct vmcb_control *c = &x->vmcb->control;
	bool cut_off = (c->exitintinfo & SVM_EVENT_VALID) && (c->exitintinfo & SVM_EVENT_VECTOR) == e->vector;
	bool was_virtual = x->virtual_interrupt;

	x->virtual_interrupt = false;
	return was_virtual && ((c->vintr & VINTR_V_IRQ) || cut_off);
}

/* Before any handler runs: what the exit interrupted goes back to v->event, to be delivered again */
void svm_save_interrupted_event(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);
	u64 info = x->vmcb->control.exitintinfo;
	struct tpz_event *e = &v->event;
	u8 vector = info & SVM_EVENT_VECTOR;

	e->valid = virtual_interrupt_waits(x, e);
	if (likely(!(info & SVM_EVENT_VALID)) || e->valid) {
		x->injected.valid = false;
		return;
	}
	if (is_injected_again(x, vector)) {
		*e = x->injected;
		x->vmcb->save.rip = x->injected_rip;
	} else if (!is_soft(info, vector)) {
		tpz_event_from_word(e, info, info >> SVM_EVENT_ERROR_SHIFT);
	}
	x->injected.valid = false;
	/* Its delivery begins anew: the blocking that a begun NMI set must not forbid it */
	if (e->valid && e->type == TPZ_EVENT_NMI)
		svm_nmi_block(x, false);
}
