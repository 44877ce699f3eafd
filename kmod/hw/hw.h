/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract of a backend. VMX and SVM implement struct tpz_hw; nothing above this folder knows which one runs.
 */
#ifndef TPZ_HW_H
#define TPZ_HW_H

#include "../core.h"
#include "npt.h"

/**
 * struct tpz_hw_feature - one line of `tpz info`
 */
struct tpz_hw_feature {
	const char *name;
	u32 state;		/* enum tpz_feature_state */
	const char *why;
};

/**
 * struct tpz_hw - a backend
 *
 * "Loaded" below: between vcpu_load() and vcpu_put() on this CPU, preemption off or a preempt notifier that
 * calls vcpu_put() and vcpu_load() around a switch to another thread.
 */
struct tpz_hw {
	const char *name;
	u32 backend;		/* enum tpz_backend */
	const char *rival;	/* KVM's module for the same hardware */
	const char *held_by;	/* the bit that held() looks at, in words */
	bool (*held)(void);	/* the extension is on, on this CPU: before we turn it on, by another hypervisor */
	const struct tpz_npt_format *npt;
	bool pdptes_in_memory;	/* PAE paging: the CPU has no PDPTE registers, each walk reads the table at CR3 */
	bool pending_debug;	/* the control structure has a field for debug traps that wait (v->s.pending_debug) */

	/* Module load and unload. probe() prints one sentence that says what is missing and what to do. May sleep */
	int (*probe)(void);
	void (*remove)(void);
	u64 (*traps)(void);	/* TPZ_TRAP_* that this CPU can do */
	const struct tpz_hw_feature *(*feature)(u32 index);	/* NULL beyond the last */

	/* One CPU enters and leaves virtualization operation. Interrupts off, on that CPU */
	int (*cpu_on)(void);
	void (*cpu_off)(void);
	void (*cpu_crash)(void);	/* off, for a crash kernel: from NMI context, anything may be half done */

	/* Objects. May sleep */
	int (*vcpu_create)(struct tpz_vcpu *v);
	void (*vcpu_destroy)(struct tpz_vcpu *v);

	/* The control structure, host state and MSRs onto this CPU (that is in virtualization operation) and off it.
	 * Preemption off, interrupts on. vcpu_load(): 0 or an error: this CPU cannot run guests now.
	 */
	int (*vcpu_load)(struct tpz_vcpu *v);
	void (*vcpu_put)(struct tpz_vcpu *v);

	/* Parts of v->s from the control structure (all of @parts are missing from v->cached). Loaded, preemption off */
	void (*fetch)(struct tpz_vcpu *v, u32 parts);

	/* One stay in the guest, until v->timer_at at most where traps() has TPZ_TRAP_TIMER: commits v->dirty, enters, fills v->exit, saves an event whose delivery the exit
	 * interrupted in v->event (and clears v->event where it was delivered). v->cached keeps only what the guest
	 * cannot have changed. Loaded, tpz_this_cpu_on(), interrupts off, guest FPU state loaded.
	 * Return: 0, v->exit filled; -ESHUTDOWN: this CPU is not in virtualization operation any more.
	 */
	int (*enter)(struct tpz_vcpu *v);

	/* Deliver v->event by the next entry; or exit when an interrupt (NMI) could be delivered. Interrupts off */
	void (*inject)(struct tpz_vcpu *v, const struct tpz_event *e);
	void (*windows)(struct tpz_vcpu *v, bool interrupt, bool nmi);

	void (*flush)(struct tpz_vcpu *v);		/* cached translations, before the next entry; loaded */
	void (*set_tsc_offset)(struct tpz_vcpu *v, u64 offset);		/* loaded */
	int (*poke)(struct tpz_vcpu *v, u32 field, u64 value, bool flip);	/* test=1 only; loaded */
};

extern const struct tpz_hw *tpz_hw;	/* the one in use; set at load */
extern const struct tpz_hw tpz_hw_vmx;
extern const struct tpz_hw tpz_hw_svm;

/**
 * tpz_hw_available() - may we have the hardware?
 * @hw: the backend
 *
 * Return: 0; -EBUSY after one sentence: KVM or another hypervisor has it. May sleep.
 */
int tpz_hw_available(const struct tpz_hw *hw);

/**
 * tpz_fetch() - make parts of v->s right
 * @parts: enum tpz_part
 * Context: the vCPU's thread, loaded; may sleep if its CPU just left virtualization operation.
 */
void tpz_fetch_slow(struct tpz_vcpu *v, u32 parts);

static inline void tpz_fetch(struct tpz_vcpu *v, u32 parts)
{
	if (unlikely(parts & ~v->cached))
		tpz_fetch_slow(v, parts & ~v->cached);
}

/* tpz_dirty() - parts of v->s were written */
static inline void tpz_dirty(struct tpz_vcpu *v, u32 parts)
{
	v->cached |= parts;
	v->dirty |= parts;
}

/* Single registers, fetched */
static inline u64 tpz_rip(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_RIP);
	return v->s.rip;
}

static inline u64 tpz_rflags(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_RFLAGS);
	return v->s.rflags;
}

static inline u64 tpz_gpr(struct tpz_vcpu *v, unsigned int reg)
{
	if (reg == TPZ_RSP)
		tpz_fetch(v, TPZ_P_RSP);
	return v->s.gpr[reg];
}

static inline void tpz_set_gpr(struct tpz_vcpu *v, unsigned int reg, u64 value)
{
	v->s.gpr[reg] = value;
	if (reg == TPZ_RSP)
		tpz_dirty(v, TPZ_P_RSP);
}

static inline const struct tpz_segment *tpz_seg(struct tpz_vcpu *v, unsigned int seg)
{
	tpz_fetch(v, TPZ_P_SEG(seg));
	return &v->s.seg[seg];
}

#endif /* TPZ_HW_H */
