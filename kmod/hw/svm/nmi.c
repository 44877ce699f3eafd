// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's NMIs: blocked from their delivery to the next IRET (AMD APM vol. 2, 8.1.2 and 15.21.10).
 *
 * A CPU with VNMI does it all: it keeps a pending NMI and the blocking in the VMCB. For one without, the IRET traps; it then
 * runs, and the window is open once RIP has left it. Who waits for that moment, or for the end of MOV SS's shadow with IF
 * clear, has the CPU trap behind one instruction, by RFLAGS.TF. Should that very instruction push RFLAGS, be it by a fault,
 * the guest sees our TF.
 */
#include <asm/processor-flags.h>
#include <uapi/asm/debugreg.h>
#include "svm.h"

bool svm_nmi_is_blocked(const struct svm_vcpu *x)
{
	return svm_has(SVM_CPUID_VNMI) ? x->vmcb->control.vintr & VINTR_V_NMI_MASK : x->nmi_blocked;
}

void svm_nmi_block(struct svm_vcpu *x, bool blocked)
{
	u64 *vintr = &x->vmcb->control.vintr;

	if (svm_has(SVM_CPUID_VNMI)) {
		*vintr = blocked ? *vintr | VINTR_V_NMI_MASK : *vintr & ~VINTR_V_NMI_MASK;
		svm_touch(x, CLEAN_TPR);
		return;
	}
	x->nmi_blocked = blocked;
	x->iret_begun = false;
	svm_intercept3(x, INTERCEPT3_IRET, blocked);
}

void svm_nmi_on_iret(struct svm_vcpu *x)
{
	x->iret_begun = true;
	x->iret_rip = x->vmcb->save.rip;
	svm_intercept3(x, INTERCEPT3_IRET, false);
}

/* ---- the window */

static void hand_over(struct tpz_vcpu *v, struct svm_vcpu *x)
{
	x->vmcb->control.vintr |= VINTR_V_NMI;
	svm_touch(x, CLEAN_TPR);
	atomic_set(&v->nmi_pending, 0);
}

static void take_back(struct tpz_vcpu *v, struct svm_vcpu *x)
{
	u64 *vintr = &x->vmcb->control.vintr;

	if (!(*vintr & VINTR_V_NMI))
		return;
	*vintr &= ~VINTR_V_NMI;
	svm_touch(x, CLEAN_TPR);
	atomic_set(&v->nmi_pending, 1);
}

/* Before each entry. Interrupts off */
void svm_nmi_window(struct tpz_vcpu *v, bool wanted)
{
	struct svm_vcpu *x = to_svm(v);

	x->stepping = false;
	if (likely(!wanted))
		return;
	if (svm_has(SVM_CPUID_VNMI)) {
		hand_over(v, x);
	} else if (v->event.valid) {
		/* The delivery would push our TF: let an interrupt of our own end the stay right behind it */
		tpz_host_interrupt(smp_processor_id());
	} else if (!x->nmi_blocked || x->iret_begun) {
		x->stepping = true;
	}
}

/* ---- after an exit, before anything reads the guest's RFLAGS */

static void end_step(struct svm_vcpu *x)
{
	struct vmcb_save *save = &x->vmcb->save;
	bool trapped = x->vmcb->control.exitcode == SVM_EXIT_EXCEPTION + 1 && (save->dr6 & DR_STEP);

	/* Behind an IRET, TF is what the guest has popped */
	if (!x->guest_tf && !(trapped && x->iret_begun))
		save->rflags &= ~(u64)X86_EFLAGS_TF;
	/* The trap is ours alone: svm_decode_exit() finds no cause left */
	if (trapped && !x->guest_tf)
		save->dr6 &= ~(u64)DR_STEP;
}

void svm_nmi_after_exit(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);

	if (svm_has(SVM_CPUID_VNMI)) {
		take_back(v, x);
		return;
	}
	if (unlikely(x->stepping))
		end_step(x);
	if (unlikely(x->iret_begun) && x->vmcb->save.rip != x->iret_rip)
		svm_nmi_block(x, false);
}
