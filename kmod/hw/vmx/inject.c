// SPDX-License-Identifier: GPL-2.0
/*
 * Events into the guest (SDM vol. 3C, 27.6 "Event Injection"), and the event whose delivery an exit interrupted
 * (28.2.4 "Information for VM Exits During Event Delivery").
 *
 * TPZ_EVENT_* are numbered as VMX's interruption types, so no translation is needed.
 */
#include <asm/processor-flags.h>
#include "../event.h"
#include "vmx.h"

void vmx_inject(struct tpz_vcpu *v, const struct tpz_event *e)
{
	if (vmx_open(v))
		return;			/* nor will the entry be possible */
	if (e->has_error)
		vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, e->error);
	if (e->type >= TPZ_EVENT_SOFT_INTR)
		vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, e->insn_bytes);
	vmcs_write(VMCS_ENTRY_INTR_INFO, tpz_event_to_word(e, e->type));
	vmx_close(v);
}

void vmx_windows(struct tpz_vcpu *v, bool interrupt, bool nmi)
{
	struct vmx_vcpu *x = to_vmx(v);
	u32 primary = x->primary & ~(PRIMARY_INTERRUPT_WINDOW_EXITING | PRIMARY_NMI_WINDOW_EXITING);

	/*
	 * Under the shadow of STI an NMI window may open at once, before the instruction (SDM vol. 3C, 26.2), and so would
	 * for ever; the interrupt window opens behind it.
	 */
	if (unlikely(nmi)) {
		tpz_fetch(v, TPZ_P_SHADOW);
		if (v->s.sti_shadow && !v->s.nmi_blocked) {
			nmi = false;
			interrupt = true;
		}
	}
	if (interrupt)
		primary |= PRIMARY_INTERRUPT_WINDOW_EXITING;
	if (nmi)
		primary |= PRIMARY_NMI_WINDOW_EXITING;
	if (primary == x->primary || vmx_open(v))
		return;
	vmcs_write(VMCS_PRIMARY_CONTROLS, primary);
	x->primary = primary;
	vmx_close(v);
}

/* Before any handler runs: what the exit interrupted goes back to v->event, to be delivered again */
void vmx_save_interrupted_event(struct tpz_vcpu *v)
{
	u32 info = vmcs_read(VMCS_IDT_VECTORING_INFO);
	struct tpz_event *e = &v->event;

	if (likely(!(info & INTR_INFO_VALID)))
		return;
	tpz_event_from_word(e, info, info & INTR_INFO_ERROR_CODE ? vmcs_read(VMCS_IDT_VECTORING_ERROR_CODE) : 0);
	if (e->type >= TPZ_EVENT_SOFT_INTR)
		e->insn_bytes = vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH);
	/* Its delivery begins anew: the blocking that a begun NMI set must not forbid it */
	if (e->type == TPZ_EVENT_NMI) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
			   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_NMI);
	}
}

void vmx_restore_nmi_blocking(struct tpz_vcpu *v)
{
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}
