/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMX backend's own objects and the calls between its files:
 *
 *	caps.c		what this CPU can do, and what is missing (probe)
 *	percpu.c	VMXON and VMXOFF on a CPU; which VMCS stands on which CPU
 *	vmcs.c		a vCPU's VMCS: creation, controls, what never changes
 *	host_state.c	onto a CPU and off it: the host's registers and MSRs
 *	guest_state.c	the guest's registers out of the VMCS and into it
 *	inject.c	events into the guest; events that an exit interrupted
 *	enter.c stub.S	one stay in the guest
 *	exits.c		raw exit reasons to normalized ones
 *	rules*.c	why an entry failed
 */
#ifndef TPZ_VMX_H
#define TPZ_VMX_H

#include <linux/jump_label.h>
#include "../hw.h"
#include "../switch.h"
#include "caps.h"
#include "insn.h"

/* A VMXON region or a VMCS: the CPU owns the rest (SDM vol. 3C, 25.2 and 25.11.5) */
struct vmx_region {
	u32 revision;
	u32 abort;
	u8 data[PAGE_SIZE - 8];
};
static_assert(sizeof(struct vmx_region) == PAGE_SIZE);

#define VMX_SYSCALL_MSRS	4	/* see host_state.c */

/**
 * struct vmx_vcpu - v->hw: owned by the vCPU's thread, except @link and @cpu (see percpu.c)
 */
struct vmx_vcpu {
	struct vmx_region *vmcs;
	u64 vmcs_pa;
	struct list_head link;		/* in the list of VMCSs that stand on @cpu; that CPU, interrupts off */
	int cpu;			/* where the VMCS is active, or -1 */
	bool initialized;		/* the CPU has VMCLEARed it once */
	unsigned int windows;		/* transient mode: this one is open; how deep */
	unsigned long irq_flags;	/* before it */
	bool launched;
	bool failed;			/* the last VMLAUNCH or VMRESUME was refused by the CPU */
	u16 vpid;			/* 0: the CPU has no VPIDs */
	u64 eptp;
	unsigned long *msr_bitmap;

	u32 primary;			/* controls, as they stand in the VMCS */
	u32 secondary;
	u32 entry_controls;
	u64 cr0_owned;			/* bits of CR0, CR4 that the guest sees as in its read shadow */
	u64 cr4_owned;
	u64 host_cr3;			/* as they stand in the VMCS */
	u64 host_cr4;
	u64 tsc_offset;
	u64 host_rsp;

	struct tpz_host_regs host;	/* the launcher's thread's, while loaded */
	struct tpz_switch host_switch;
	u64 host_syscall[VMX_SYSCALL_MSRS];	/* STAR, LSTAR, CSTAR, FMASK */
	u64 host_pebs;			/* IA32_PEBS_ENABLE: its buffer has a host address, so not in the guest */
	u64 timer_ticks;		/* preemption timer of TPZ_TRAP_TIMER */
	bool timer_on;			/* the preemption timer counts: as it stands in the VMCS */
	struct tpz_poked poke;
};

/* What the guest may have changed without an exit: not cached after a stay. The rest is trapped */
#define VMX_GUEST_CHANGES (TPZ_P_RIP | TPZ_P_RSP | TPZ_P_RFLAGS | TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_PDPTE |	\
			   TPZ_P_SEGMENTS | TPZ_P_GDTR | TPZ_P_IDTR | TPZ_P_SYSENTER | TPZ_P_SHADOW | TPZ_P_KERNEL_GS)

static inline struct vmx_vcpu *to_vmx(struct tpz_vcpu *v)
{
	return v->hw;
}

extern struct vmx_caps vmx_caps;	/* written by probe, then constant */

/* What the backend sets, found by probe: required bits, and the optional ones that this CPU has */
struct vmx_controls {
	u32 pin, primary, secondary, exit, entry;
};
extern struct vmx_controls vmx_controls;

int vmx_probe(void);
bool vmx_held(void);
const struct tpz_hw_feature *vmx_feature(u32 index);
u64 vmx_traps(void);
void vmx_trap_controls(u64 traps, struct vmx_controls *controls);	/* adds what the traps need */

int vmx_percpu_init(void);
int vmx_cpu_on(void);
void vmx_cpu_off(void);
void vmx_cpu_crash(void);
int vmx_make_current(struct vmx_vcpu *x);	/* VMPTRLD if another VMCS is current: 0 or an error. Preemption off */
void vmx_evict(struct vmx_vcpu *x);		/* VMCLEAR, on whichever CPU it stands. Interrupts on */

DECLARE_STATIC_KEY_FALSE(vmx_transient);
int vmx_open_window(struct tpz_vcpu *v);
void vmx_close_window(struct tpz_vcpu *v);

/**
 * vmx_open(), vmx_close() - around whatever uses a vCPU's VMCS. They nest; nothing, unless in transient mode: percpu.c
 * Return: 0; or an error: this CPU is not in VMX operation (and, if it should be, the VM is dead), nothing to close.
 */
static inline int vmx_open(struct tpz_vcpu *v)
{
	return static_branch_unlikely(&vmx_transient) ? vmx_open_window(v) : 0;
}

static inline void vmx_close(struct tpz_vcpu *v)
{
	if (static_branch_unlikely(&vmx_transient))
		vmx_close_window(v);
}

int vmx_vcpu_create(struct tpz_vcpu *v);
void vmx_watch_spins(struct tpz_vcpu *v);	/* if it has others to spin for, which may change. The VMCS is current */
void vmx_vcpu_destroy(struct tpz_vcpu *v);

int vmx_vcpu_load(struct tpz_vcpu *v);
void vmx_vcpu_put(struct tpz_vcpu *v);
void vmx_load_syscall_msrs(const struct tpz_cpu_state *s);
void vmx_look_at_host(struct vmx_vcpu *x);		/* where v->host_ran. Interrupts off */
void vmx_refresh_host_state(struct vmx_vcpu *x);	/* CR3, CR4 at each entry. Interrupts off */

void vmx_fetch(struct tpz_vcpu *v, u32 parts);
void vmx_commit(struct tpz_vcpu *v);			/* v->dirty into the VMCS. Interrupts off */

void vmx_inject(struct tpz_vcpu *v, const struct tpz_event *e);
void vmx_windows(struct tpz_vcpu *v, bool interrupt, bool nmi);
void vmx_save_interrupted_event(struct tpz_vcpu *v);
void vmx_restore_nmi_blocking(struct tpz_vcpu *v);	/* the exit interrupted an IRET that had ended it */

int vmx_enter(struct tpz_vcpu *v);
int vmx_poke(struct tpz_vcpu *v, u32 field, u64 value, bool flip);
void vmx_flush(struct tpz_vcpu *v);
void vmx_set_tsc_offset(struct tpz_vcpu *v, u64 offset);

/* stub.S: true if the CPU refused the entry. @flags: VMX_ENTER_* */
#define VMX_ENTER_RESUME	1	/* VMRESUME, not VMLAUNCH: bit 0, tested into CF */
#define VMX_ENTER_VERW		2
bool vmx_enter_guest(u64 *gpr, unsigned long flags, u64 *host_rsp);
extern const char vmx_exit_point[];

void vmx_decode_exit(struct tpz_vcpu *v, u32 reason);
void vmx_explain_failure(struct tpz_vcpu *v, u32 hw_error, u32 raw_reason);

#endif /* TPZ_VMX_H */
