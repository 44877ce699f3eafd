/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest-physical memory: slots of the launcher's memory, and the nested page table as a cache over the
 * launcher's own page tables, kept right by an MMU notifier.
 */
#ifndef TPZ_MEM_H
#define TPZ_MEM_H

#include "../core.h"

struct tpz_slot;

/**
 * tpz_mem_create() - in the creator's address space, vm->m in place; may sleep
 * Return: 0, -ENOMEM, -EINTR (a signal).
 */
int tpz_mem_create(struct tpz_vm *vm);

/**
 * tpz_mem_destroy() - no vCPU runs any more, but vCPU objects still exist: until this returns, the host's memory
 * management may call tpz_flush_all(). May sleep.
 */
void tpz_mem_destroy(struct tpz_vm *vm);

void tpz_mem_exit(void);			/* module unload: waits for notifiers */

unsigned int tpz_mem_phys_bits(void);		/* width of a guest-physical address */

/**
 * tpz_mem_set_slot() - TPZ_SET_SLOT, every field unchecked so far
 * Return: 0; -EINVAL, -EEXIST (overlap), -ENOENT (removal of nothing), -EFAULT, -EXDEV, -ENOMEM. May sleep.
 */
int tpz_mem_set_slot(struct tpz_vm *vm, const struct tpz_slot *slot);

/**
 * tpz_mem_fault() - answer a nested page fault by mapping the page
 * @write, @fetch: the access
 * Return: 0: mapped (or somebody else did); -ENOENT: no slot there; -EROFS: a write to a read-only slot;
 * -EFAULT: the launcher has no such memory; -EINTR; -ENOMEM. May sleep.
 */
int tpz_mem_fault(struct tpz_vcpu *v, u64 gpa, bool write, bool fetch);

/**
 * tpz_mem_root() - physical address of the nested page table's root
 */
u64 tpz_mem_root(struct tpz_vm *vm);
/*
 * The root page's earlier life is unknown, and a flush reaches only the CPU where a vCPU runs next: the backend
 * flushes when a vCPU is first loaded, and each time it is loaded on another CPU than last time.
 */

/* Guest-physical reads and writes of any length, across pages. 0, -ENOENT, -EROFS, -EFAULT. May sleep */
int tpz_mem_read(struct tpz_vm *vm, u64 gpa, void *to, size_t bytes);
int tpz_mem_write(struct tpz_vm *vm, u64 gpa, const void *from, size_t bytes);

/**
 * tpz_mem_cmpxchg() - atomic compare and exchange of an aligned 4- or 8-byte word of guest memory
 * (a guest page-table entry's accessed and dirty bits)
 * Return: 0: done; -EAGAIN: it held something else; else as tpz_mem_write(). May sleep.
 */
int tpz_mem_cmpxchg(struct tpz_vm *vm, u64 gpa, u64 old, u64 new, size_t bytes);

/* ------------------------------------------------------------------ scan.c: slots whose changes are found by looking */

/**
 * tpz_mem_scan() - look at the scanned slots; what the guest has changed goes into the queue
 * @v: a vCPU of the VM; it is asked to look again if the queue became full
 * Return: words that changed. Context: the vCPU's thread; may sleep.
 */
unsigned int tpz_mem_scan(struct tpz_vcpu *v);

/**
 * tpz_mem_scan_later() - at the end of the interval every vCPU is asked to look (TPZ_REQ_SCAN), by a timer of the host's
 * Context: any.
 */
void tpz_mem_scan_later(struct tpz_vm *vm);

/* ------------------------------------------------------------------ queue.c: writes that cost no exit to user space */

struct tpz_coalesced;

/**
 * tpz_mem_set_coalesced() - TPZ_SET_COALESCED, every field but @flags unchecked so far
 * Return: 0; -EINVAL, -EEXIST (overlap), -ENOENT (removal of nothing), -ENOSPC, -ENOMEM. May sleep.
 */
int tpz_mem_set_coalesced(struct tpz_vm *vm, const struct tpz_coalesced *region);

/**
 * tpz_mem_coalesce() - a guest's write that no device in the kernel has taken
 * @port: to a port, else to a guest-physical address
 * Return: true: it is in the queue; false: no coalesced region, or the queue is full. Context: any that may take a spin lock.
 */
bool tpz_mem_coalesce(struct tpz_vm *vm, bool port, u64 address, unsigned int bytes, const void *data);

struct page *tpz_mem_queue_page(struct tpz_vm *vm);	/* for mmap(); lives as long as the VM */

#endif /* TPZ_MEM_H */
