/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SVM backend's own objects and the calls between its files:
 *
 *	caps.c		what this CPU can do, and what is missing (probe)
 *	percpu.c	EFER.SVME and the host save area of a CPU; its ASIDs
 *	vmcb.c		a vCPU's VMCB: creation, intercepts, what never changes; the permission maps
 *	host_state.c	onto a CPU and off it
 *	guest_state.c	the guest's registers out of the VMCB and into it
 *	inject.c	events into the guest; windows; NMIs and IRET; events that an exit interrupted
 *	enter.c stub.S	one stay in the guest
 *	exits.c		raw exit codes to normalized ones
 */
#ifndef TPZ_SVM_H
#define TPZ_SVM_H

#include "../hw.h"
#include "../../host.h"
#include "vmcb.h"

/**
 * struct svm_vcpu - v->hw: owned by the vCPU's thread
 */
struct svm_vcpu {
	struct vmcb *vmcb;
	u64 vmcb_pa;
	int last_cpu;			/* where it was loaded last, or -1 */
	u64 asid_generation;		/* of last_cpu: svm_take_asid() */
	bool flush;			/* forget this ASID's translations at the next entry */

	/* NMIs, where the CPU does not track them (15.21.10 VNMI) */
	bool nmi_blocked;		/* the guest is in its NMI handler, until its IRET */
	bool iret_seen;			/* that IRET was intercepted at @iret_rip, and is not yet done */
	u64 iret_rip;
	bool stepping;			/* TF is ours: an NMI waits for the end of an instruction */
	u64 stepped_rflags;		/* TF and RF as the guest has them */
	u8 soft_bytes;			/* the injected event was the software's: RIP was moved over it */

	struct tpz_host_regs host;	/* the launcher's thread's, while loaded */
	u64 host_tsc_aux;
	u64 host_xcr0;
	u64 host_debugctl;
};

static inline struct svm_vcpu *to_svm(struct tpz_vcpu *v)
{
	return v->hw;
}

/**
 * struct svm_caps - what this CPU can do; written by probe, then constant
 * @features: CPUID leaf 8000000ah, EDX
 * @asids: how many there are, 0 included (the host's)
 * @iopm_pa: the I/O permission map that all VMs share: every port traps
 */
struct svm_caps {
	u32 features;
	u32 asids;
	u64 iopm_pa;
	u64 msrpm_pa;
};
extern struct svm_caps svm_caps;

static inline bool svm_has(u32 feature)
{
	return svm_caps.features & feature;
}

int svm_probe(void);
void svm_remove(void);
const struct tpz_hw_feature *svm_feature(u32 index);
u64 svm_traps(void);

int svm_percpu_init(void);
void svm_percpu_exit(void);
int svm_cpu_on(void);
void svm_cpu_off(void);
bool svm_this_cpu_on(void);
void svm_take_asid(struct svm_vcpu *x);		/* an ASID of this CPU, before each entry. Interrupts off */
u64 svm_host_vmcb_pa(void);			/* where VMSAVE keeps this CPU's host registers */

int svm_maps_init(void);			/* the permission maps */
void svm_maps_exit(void);
int svm_vcpu_create(struct tpz_vcpu *v);
void svm_vcpu_destroy(struct tpz_vcpu *v);

int svm_vcpu_load(struct tpz_vcpu *v);
void svm_vcpu_put(struct tpz_vcpu *v);

void svm_fetch(struct tpz_vcpu *v, u32 parts);
void svm_commit(struct tpz_vcpu *v);		/* v->dirty into the VMCB. Interrupts off */

void svm_inject(struct tpz_vcpu *v, const struct tpz_event *e);
void svm_windows(struct tpz_vcpu *v, bool interrupt, bool nmi);
void svm_save_interrupted_event(struct tpz_vcpu *v);
bool svm_own_step(struct tpz_vcpu *v);		/* the #DB was for us: an NMI's window is open */
void svm_on_iret(struct tpz_vcpu *v);
void svm_after_exit_nmi(struct tpz_vcpu *v);	/* has the IRET been done? */

int svm_enter(struct tpz_vcpu *v);
void svm_flush(struct tpz_vcpu *v);
void svm_set_tsc_offset(struct tpz_vcpu *v, u64 offset);

/* stub.S. Global interrupts off (CLGI), interrupts on */
void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa, unsigned long flags);
#define SVM_ENTER_VERW	1

void svm_decode_exit(struct tpz_vcpu *v);

#endif /* TPZ_SVM_H */
