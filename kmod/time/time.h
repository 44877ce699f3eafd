/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's time: virtual TSC, the KVM-compatible paravirtual clock. Stands above irq/: a TSC that moves takes the
 * local APIC's deadline with it.
 */
#ifndef TPZ_TIME_H
#define TPZ_TIME_H

#include "../cpu/cpu.h"

/* ---- tsc.c */

u64 tpz_guest_tsc(const struct tpz_vcpu *v);			/* now; any context of the vCPU's thread */
void tpz_set_guest_tsc(struct tpz_vcpu *v, u64 tsc);		/* loaded: moves the offset */

/**
 * struct tpz_scale - cycles of the TSC to nanoseconds: (cycles << shift) * mul >> 32, shift may be negative
 *
 * The paravirtual clock hands this very pair to the guest, so host and guest compute the same.
 */
struct tpz_scale {
	u32 mul;
	s8 shift;
};

struct tpz_scale tpz_tsc_scale(void);
u64 tpz_tsc_to_ns(u64 cycles);					/* host = guest frequency */

/* ---- pvclock.c */

/**
 * tpz_write_versioned() - a structure that the guest reads under a version: odd while the rest changes, then the next even one
 * @structure: its contents; its version is filled in here, going on from the one that stands in guest memory
 * @version_at: offset of the version (a u32)
 * Return: 0, or as tpz_mem_write(). May sleep.
 */
int tpz_write_versioned(struct tpz_vm *vm, u64 gpa, void *structure, size_t bytes, size_t version_at);

int tpz_clock_create(struct tpz_vm *vm);	/* nothing without TPZ_DEVICE_KVMCLOCK */
void tpz_clock_destroy(struct tpz_vm *vm);
int tpz_check_kvm_msr(u32 index, u64 value);			/* 0 or -EINVAL: for the state group */

/**
 * tpz_clock_update() - TPZ_REQ_CLOCK: rewrites the page; after the host slept, moves the clock on
 * Context: the vCPU's thread. May sleep.
 */
void tpz_clock_update(struct tpz_vcpu *v);

/* ---- steal.c */

/**
 * tpz_steal_away() - the vCPU's thread leaves its CPU: the guest's other vCPUs are told, if that can be done at once
 * Context: the vCPU's thread, preemption off, also in a preempt notifier. Takes no fault.
 */
void tpz_steal_away(struct tpz_vcpu *v);

/**
 * tpz_steal_update() - the vCPU is back: tell the guest so, and what has been stolen since it was last told
 * Context: the vCPU's thread, before an entry. May sleep.
 */
void tpz_steal_update(struct tpz_vcpu *v);
bool tpz_steal_valid(const struct tpz_vcpu *v, u64 msr);	/* may the MSR have this value in a state that user space sets? */
void tpz_steal_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv);
void tpz_steal_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv);

#endif /* TPZ_TIME_H */
