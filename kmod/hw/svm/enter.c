// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU onto a CPU and off it, and one stay in the guest (AMD APM vol. 2, 15.5, 15.6).
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include "../../host_guest.h"
#include <asm/fpu/xcr.h>
#include <asm/asm.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include "rules.h"
#include "svm.h"

/* What the guest may have changed without an exit: not cached after a stay. The rest is trapped */
#define GUEST_CHANGES	(TPZ_P_RIP | TPZ_P_RSP | TPZ_P_RFLAGS | TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_PDPTE | TPZ_P_SEGMENTS | \
			 TPZ_P_GDTR | TPZ_P_IDTR | TPZ_P_SYSENTER | TPZ_P_SHADOW | TPZ_P_KERNEL_GS)

#define NOT_RUN	0xdeadULL	/* no exit code: VMRUN has not come as far as an exit */

/* ---- onto a CPU and off it. VMRUN, VMLOAD and their counterparts switch all that tpz_switch does not */

int svm_vcpu_load(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);

	if (x->vmcb->control.tsc_offset != v->tsc_offset)
		svm_set_tsc_offset(v, v->tsc_offset);
	if (tpz_switch_load(&x->host, v)) {
		x->asid_generation = 0;
		x->vmcb->control.clean = 0;	/* this CPU has seen nothing of it, or something old */
	}
	svm_watch_spins(v);
	return 0;
}

void svm_vcpu_put(struct tpz_vcpu *v)
{
	tpz_switch_put(&to_svm(v)->host);
}

/* ---- instructions. #UD: EFER.SVME is clear, because the machine goes down */

static __always_inline void clgi(void)
{
	asm volatile("1:	clgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
}

static __always_inline void stgi(void)
{
	asm volatile("1:	stgi\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "memory");
}

static __always_inline void vmsave(u64 pa)
{
	asm volatile("1:	vmsave %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "a" (pa) : "memory");
}

/* noinstr: the host's tracing and RCU believe that this CPU runs a guest */
static noinstr void run_guest(struct tpz_vcpu *v, struct svm_vcpu *x, u64 host_vmcb_pa, unsigned long flags)
{
	guest_state_enter_irqoff();
	tpz_switch_debugctl_to_guest(&x->host);		/* VMRUN leaves it alone, without LBR virtualization */
	svm_enter_guest(v->s.gpr, x->vmcb_pa, host_vmcb_pa, flags);
	tpz_switch_debugctl_to_host(&x->host);
	guest_state_exit_irqoff();
}

/* ---- TPZ_POKE: one of enum vmcb_field */

int svm_poke(struct tpz_vcpu *v, u32 field, u64 value, bool flip)
{
	if (!vmcb_field_name(field))
		return -EINVAL;
	tpz_poke_arm(&to_svm(v)->poke, field, value, flip);
	return 0;
}

static void poke(struct svm_vcpu *x, u64 value)
{
	vmcb_write(x->vmcb, x->poke.field, value);
	x->vmcb->control.clean = 0;
	x->unproven = true;
}

static void apply_poke(struct svm_vcpu *x)
{
	poke(x, tpz_poke_apply(&x->poke, vmcb_read(x->vmcb, x->poke.field)));
}

/* ---- why an entry failed */

static u64 rule_read(void *arg, u32 field)
{
	return vmcb_read(arg, field);
}

/*
 * Nothing of the guest has run, and v->event is still to be delivered.
 *
 * A CPU that refuses may already have cleared EVENTINJ. QEMU's has not yet loaded the guest's registers for some of the
 * rules, and stores the host's in their place. So what was entered is kept aside where it is not known to be right.
 */
static void on_refusal(struct tpz_vcpu *v, struct svm_vcpu *x, bool kept)
{
	const struct tpz_rule_ctx ctx = {
		.read = rule_read,
		.arg = kept ? x->before : x->vmcb,
		.caps = &svm_caps,
		.address = x->vmcb_pa,
	};

	tpz_explain_refusal(v, &svm_rule_book, &ctx, 0, x->vmcb->control.exitcode);
	if (kept) {
		*x->vmcb = *x->before;
	} else {
		memset(&x->vmcb->save, 0, sizeof(x->vmcb->save));	/* the launcher must not see the host's */
		tpz_vm_kill(v->vm, "the CPU refused an entry with what the guest itself had set: its state is lost");
	}
	svm_untake_asid(x);
	svm_inject_again(v);
	x->vmcb->control.clean = 0;
	if (unlikely(x->stepping) && !x->guest_tf)
		x->vmcb->save.rflags &= ~(u64)X86_EFLAGS_TF;
}

/* ---- the stay */

static void before_entry(struct tpz_vcpu *v, struct svm_vcpu *x)
{
	struct vmcb *vmcb = x->vmcb;

	svm_commit(v);
	svm_take_asid(x);
	vmcb->save.rax = v->s.gpr[TPZ_RAX];
	if (unlikely((vmcb->control.vintr & VINTR_V_TPR) != v->s.cr8)) {
		vmcb->control.vintr = (vmcb->control.vintr & ~VINTR_V_TPR) | v->s.cr8;
		svm_touch(x, CLEAN_TPR);
	}
	if (vmcb->save.cr2 != v->s.cr2) {
		vmcb->save.cr2 = v->s.cr2;
		svm_touch(x, CLEAN_CR2);
	}
	/* What a #DB adds stands there alone: the guest's own DR6 is v->s.dr6 */
	if (unlikely(vmcb->save.dr6 != DR6_RESERVED)) {
		vmcb->save.dr6 = DR6_RESERVED;
		svm_touch(x, CLEAN_DR);
	}
	if (unlikely(x->stepping)) {
		x->guest_tf = vmcb->save.rflags & X86_EFLAGS_TF;
		vmcb->save.rflags |= X86_EFLAGS_TF;
	}
	vmcb->control.exitcode = NOT_RUN;
	if (unlikely(v->host_ran)) {
		/* Another thread may have changed this one's LDT, a debugger its bases */
		vmsave(svm_host_vmcb_pa());
		tpz_switch_look_at_host(&x->host);
		v->host_ran = false;
	}
}

/* Its save area is undefined (15.14.3): what it holds may be shown, but is written anew before an entry */
static void distrust(struct tpz_vcpu *v, struct svm_vcpu *x)
{
	svm_fetch(v, ~v->cached & TPZ_P_ALL);
	tpz_dirty(v, TPZ_P_ALL);
	x->vmcb->control.clean = 0;
}

static void after_exit(struct tpz_vcpu *v, struct svm_vcpu *x)
{
	struct vmcb *vmcb = x->vmcb;

	v->s.gpr[TPZ_RAX] = vmcb->save.rax;
	v->s.cr2 = vmcb->save.cr2;
	vmcb->control.clean = svm_has(SVM_CPUID_CLEAN_BITS) ? CLEAN_ALL : 0;
	vmcb->control.eventinj = 0;
	v->cached &= ~GUEST_CHANGES;
	svm_save_interrupted_event(v);
	svm_nmi_after_exit(v);
	svm_decode_exit(v);
	if (unlikely(vmcb->control.exitcode == SVM_EXIT_SHUTDOWN))
		distrust(v, x);
	/* The host's #DB handler must not find what the guest's traps left in its register */
	if (unlikely(vmcb->save.dr6 != DR6_RESERVED))
		set_debugreg(DR6_RESERVED, 6);
}

/**
 * svm_enter() - hw.h's enter()
 * @v: the vCPU
 *
 * Context: interrupts off, loaded, the guest's FPU state in the registers.
 */
int svm_enter(struct tpz_vcpu *v)
{
	struct svm_vcpu *x = to_svm(v);
	bool refused, kept;

	before_entry(v, x);
	if (unlikely(x->poke.armed))
		apply_poke(x);
	kept = x->unproven;
	if (unlikely(kept))
		*x->before = *x->vmcb;
	tpz_switch_enter(&x->host, v);
	clgi();
	v->entered_tsc = rdtsc();
	run_guest(v, x, svm_host_vmcb_pa(), tpz_host_mitigations.verw ? SVM_ENTER_VERW : 0);
	v->exit.tsc = rdtsc();
	stgi();		/* an NMI that ended the stay is taken here */
	/* QEMU's TCG does not trap XSETBV: what the guest has set is read back. It is the one CPU with SVM and without NRIPS */
	if (unlikely(!svm_has(SVM_CPUID_NRIPS)) && x->host.host_xcr0)
		v->s.xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	tpz_switch_exit(&x->host, v);

	refused = svm_refused(x->vmcb->control.exitcode);
	if (unlikely(refused))
		on_refusal(v, x, kept);
	if (unlikely(x->poke.armed)) {
		poke(x, x->poke.before);
		x->poke.armed = false;
	}
	if (unlikely(refused))
		return 0;
	if (unlikely(x->vmcb->control.exitcode == NOT_RUN))
		return -ESHUTDOWN;
	x->unproven = false;
	after_exit(v, x);
	return 0;
}
