/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SVM backend's own objects and the calls between its files:
 *
 *	caps.c		what this CPU can do, and what is missing (probe)
 *	percpu.c	EFER.SVME and the host save area of a CPU; its ASIDs
 *	vmcb.c		a vCPU's VMCB: creation, intercepts, what never changes; the permission maps
 *	guest_state.c	the guest's registers out of the VMCB and into it
 *	inject.c	events into the guest; events that an exit interrupted; the interrupt window
 *	nmi.c		NMIs: their blocking, and the end of it
 *	enter.c stub.S	onto a CPU and off it; one stay in the guest
 *	exits.c		raw exit codes to normalized ones
 *	rules.c		why an entry failed
 */
#ifndef TPZ_SVM_H
#define TPZ_SVM_H

#include "../hw.h"
#include "../switch.h"
#include "../../host.h"
#include "caps.h"
#include "vmcb.h"

/**
 * struct svm_vcpu - v->hw: owned by the vCPU's thread
 */
struct svm_vcpu {
	struct vmcb *vmcb;
	u64 vmcb_pa;
	u64 asid_generation;		/* of the CPU it was loaded on last; 0: none */
	bool flush;			/* forget this ASID's translations at the next entry */
	struct tpz_switch host;		/* the host's registers, while loaded */

	bool virtual_interrupt;		/* the last entry delivers v->event by V_IRQ */
	struct tpz_event injected;	/* what the last entry delivered, if software raised it: see inject.c */
	u64 injected_rip;

	/* nmi.c, where the CPU does not track NMIs itself */
	bool nmi_blocked;		/* from the delivery of an NMI to the guest's IRET */
	bool iret_begun;		/* that IRET has trapped, at @iret_rip; it is done when RIP has left it */
	u64 iret_rip;
	bool stepping;			/* RFLAGS.TF is ours: the window opens behind one instruction */
	bool guest_tf;			/* TF as the guest has it */

	/* enter.c: what a refused entry is explained by and undone from */
	struct vmcb *before;		/* a copy from right before the entry, where @unproven */
	bool unproven;			/* what the CPU checks was written since the last exit */
	struct tpz_poked poke;
};

static inline struct svm_vcpu *to_svm(struct tpz_vcpu *v)
{
	return v->hw;
}

/* A part of the VMCB was written: CLEAN_* */
static inline void svm_touch(struct svm_vcpu *x, u64 clean)
{
	x->vmcb->control.clean &= ~clean;
}

extern struct svm_caps svm_caps;	/* written by probe, then constant */

static inline bool svm_has(u32 feature)
{
	return svm_caps.features & feature;
}

/* caps.c: hw.h's hooks */
int svm_probe(void);
bool svm_held(void);
void svm_remove(void);
const struct tpz_hw_feature *svm_feature(u32 index);
u64 svm_traps(void);

/* percpu.c */
int svm_percpu_init(void);
int svm_cpu_on(void);
void svm_cpu_off(void);
void svm_take_asid(struct svm_vcpu *x);		/* an ASID of this CPU, before each entry. Interrupts off */
void svm_untake_asid(struct svm_vcpu *x);	/* that entry was refused */
u64 svm_host_vmcb_pa(void);			/* where VMSAVE keeps this CPU's host registers */

/* vmcb.c */
int svm_maps_init(void);			/* the permission maps that all VMs share */
void svm_maps_exit(void);
int svm_vcpu_create(struct tpz_vcpu *v);
void svm_vcpu_destroy(struct tpz_vcpu *v);
void svm_intercept3(struct svm_vcpu *x, u32 bits, bool on);	/* INTERCEPT3_* on or off, with the clean bit */
void svm_intercept_cr(struct svm_vcpu *x, u32 bits, bool on);	/* INTERCEPT_CR_*, the same */
void svm_watch_spins(struct tpz_vcpu *v);	/* if it has others to spin for, which may change. Loaded */

/* guest_state.c */
void svm_fetch(struct tpz_vcpu *v, u32 parts);
void svm_commit(struct tpz_vcpu *v);		/* v->dirty into the VMCB. Interrupts off */

/* inject.c, nmi.c: svm_inject() and svm_windows() are hw.h's hooks */
void svm_inject(struct tpz_vcpu *v, const struct tpz_event *e);
void svm_windows(struct tpz_vcpu *v, bool interrupt, bool nmi);

/**
 * svm_save_interrupted_event() - what the exit cut off goes back to v->event; svm_nmi_after_exit() - the end of a single step
 * of ours, of an IRET, of a pending NMI that the CPU kept
 * @v: the vCPU, right behind an exit
 *
 * In this order, then svm_decode_exit(): the first may move RIP back and open NMIs again, the second takes our TF and its
 * trap out of RFLAGS and DR6, and the third reads them all.
 */
void svm_save_interrupted_event(struct tpz_vcpu *v);
void svm_nmi_after_exit(struct tpz_vcpu *v);

bool svm_nmi_is_blocked(const struct svm_vcpu *x);
void svm_nmi_block(struct svm_vcpu *x, bool blocked);	/* from outside, or by a delivery; forgets an IRET that has begun */
void svm_nmi_window(struct tpz_vcpu *v, bool wanted);	/* part of svm_windows() */
void svm_inject_again(struct tpz_vcpu *v);	/* that entry was refused: the event waits as before */
void svm_nmi_on_iret(struct svm_vcpu *x);	/* the IRET trapped */

/* enter.c: hw.h's hooks. A poke's @field is one of enum vmcb_field, else -EINVAL */
int svm_vcpu_load(struct tpz_vcpu *v);
void svm_vcpu_put(struct tpz_vcpu *v);
int svm_enter(struct tpz_vcpu *v);
int svm_poke(struct tpz_vcpu *v, u32 field, u64 value, bool flip);

/* backend.c: hw.h's hooks */
void svm_flush(struct tpz_vcpu *v);
void svm_set_tsc_offset(struct tpz_vcpu *v, u64 offset);

/* stub.S. Global interrupt flag clear, interrupts off. @flags: SVM_ENTER_* */
#define SVM_ENTER_VERW	1
void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa, unsigned long flags);

/* exits.c */
void svm_decode_exit(struct tpz_vcpu *v);

#endif /* TPZ_SVM_H */
