/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMs and vCPUs as objects. device.c translates the ABI to these calls; nothing here sees a user struct but the
 * vCPU's run page.
 */
#ifndef TPZ_VM_H
#define TPZ_VM_H

#include "core.h"

/* ---- vm.c */

/**
 * struct tpz_vm_options - what a VM is created with, checked
 */
struct tpz_vm_options {
	u32 flags;
	u64 devices;
	u64 traps;
	u64 timer_cycles;
	u32 sockets, cores, threads;
};

/**
 * tpz_vm_create() - a VM of the calling process, with one reference
 * Return: the VM; -EINVAL, -EOPNOTSUPP (a trap that this CPU lacks), -ENOMEM, -EBUSY (the CPUs are held). May sleep.
 */
struct tpz_vm *tpz_vm_create(const struct tpz_vm_options *options);
struct tpz_vm *tpz_vm_get(struct tpz_vm *vm);
void tpz_vm_put(struct tpz_vm *vm);		/* the last one destroys it. May sleep */

/* The VMs that the calling thread may watch. May sleep */
int tpz_vm_list(struct tpz_vm_entry *entries, u32 capacity);
struct tpz_meters *tpz_vm_find_meters(u64 id);	/* held; ERR_PTR(-ENOENT, -EPERM) */
unsigned int tpz_vm_count(void);
void tpz_vm_host_resumed(void);

/* ---- vcpu.c */

/**
 * tpz_vcpu_create() - the VM's vCPU number @id; it lives as long as the VM
 * Return: the vCPU; -EINVAL, -EEXIST, -ENOMEM. May sleep.
 */
struct tpz_vcpu *tpz_vcpu_create(struct tpz_vm *vm, u32 id);
void tpz_vcpu_destroy(struct tpz_vcpu *v);

/**
 * tpz_vcpu_get() - lock the vCPU and load it on this CPU; every ioctl of a vCPU stands between get and put
 * Return: 0; -EXDEV: not the creator's address space; -EINTR; -ESHUTDOWN. May sleep.
 */
int tpz_vcpu_get(struct tpz_vcpu *v);
void tpz_vcpu_put(struct tpz_vcpu *v);

/**
 * tpz_vcpu_run() - run the guest until an exit record is filled
 * Return: 0; -EINTR: a signal or immediate_exit (the record says TPZ_EXIT_INTERRUPTED).
 * Context: between tpz_vcpu_get() and tpz_vcpu_put(). May sleep.
 */
int tpz_vcpu_run(struct tpz_vcpu *v);

#endif /* TPZ_VM_H */
