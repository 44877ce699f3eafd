/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of mem/ share: the watched address space, the memory of one VM, the nested page table.
 *
 * One spinning lock, space->lock, guards every nested page table of a launcher. It is taken below mmap_lock and
 * the host's page-table locks (notifier callbacks come with those held) and above nothing: inside it there is no
 * allocation, no sleep, no other lock but what tpz_flush_all() needs. Zaps under it are short whatever the size
 * of the range: whole tables are unlinked, and freed after the lock is gone.
 *
 *	mem->slots_lock  >  mmap_lock  >  host page-table locks  >  space->lock
 *
 * Tags of the members:
 *   (c) written once at creation
 *   (L) guarded by space->lock
 *   (S) written under mem->slots_lock and space->lock, read under either or RCU
 */
#ifndef TPZ_MEM_INTERNAL_H
#define TPZ_MEM_INTERNAL_H

#include <linux/hrtimer.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include "../hw/hw.h"
#include "mem.h"
#include "tree.h"

/**
 * struct tpz_space - a launcher's address space, watched: all VMs of the process share it
 * @seq: moves when an invalidation ends and when slots change: what was learnt before that may be stale
 * @invalidating: invalidations in progress; they lie in [@start, @end)
 * @wait: faults wait here for an invalidation to end
 */
struct tpz_space {
	struct mmu_notifier notifier;
	spinlock_t lock;
	struct list_head mems;		/* (L) */
	unsigned long seq;		/* (L), read by anyone */
	unsigned int invalidating;	/* (L) */
	unsigned long start, end;	/* (L) */
	wait_queue_head_t wait;
};

/**
 * struct tpz_range - a slot: guest-physical [@gpa, @gpa + @bytes) is the launcher's memory at @uaddr
 */
struct tpz_range {
	u64 gpa;
	u64 bytes;
	unsigned long uaddr;
	u32 slot;
	bool readonly;
	u32 scan_us;
	struct tpz_scan *scan;		/* TPZ_SLOT_SCANNED; lives as long as the slot: (L) or mem->slots_lock */
};

/**
 * struct tpz_scan - what is known of a scanned slot
 * @mapped: (L) pages that the guest could write since the last look: if their leaves are gone, so is what those told
 * @changed: (s) pages to be compared with @told
 * @told: (s) the words as the launcher knows them
 *
 * (s): guarded by mem->slots_lock
 */
struct tpz_scan {
	u64 mapped;
	u64 changed;
	unsigned int pages;
	u32 now[PAGE_SIZE / 4];		/* (s) a page that is being compared */
	u32 told[];
};

/**
 * struct tpz_slots - all slots of a VM, sorted by gpa, never changed: a change replaces the whole table
 */
struct tpz_slots {
	struct rcu_head rcu;
	unsigned int count;
	struct tpz_range range[];
};

/**
 * struct tpz_mem - the memory of a VM
 */
struct tpz_mem {
	struct tpz_vm *vm;			/* (c) */
	struct tpz_space *space;		/* (c) */
	struct list_head link;			/* (L) in space->mems */
	struct tpz_tree tree;			/* (L); its format and root: (c) */
	unsigned long max_tables;		/* (L) pages of the tree that the slots could ever need */
	unsigned long zaps;			/* (L) leaves taken away by the host */
	struct mutex slots_lock;
	struct tpz_slots __rcu *slots;		/* (S) */
	struct tpz_queued *queued;		/* (c) queue.c */
	struct hrtimer scan_timer;		/* scan.c; runs for one interval */
	int scan_armed;				/* atomic: it does, and has not asked the vCPUs yet */
	unsigned long scan_written;		/* atomic: slots that the module itself has written to for the guest */
};

/* ------------------------------------------------------------------ mem.c */

/**
 * tpz_mem_flush() - ends a piece of work on the tree that took @zap out of it
 *
 * On return no CPU runs this VM's guest with a translation through what was taken, and the meters are right.
 * Context: space->lock.
 */
void tpz_mem_flush(struct tpz_mem *mem, const struct tpz_zap *zap);

/* ------------------------------------------------------------------ slots.c */

/**
 * tpz_slot_find() - the slot at a guest-physical address, copied
 * Return: 0 or -ENOENT. Context: any.
 */
int tpz_slot_find(struct tpz_mem *mem, u64 gpa, struct tpz_range *range);

/* ------------------------------------------------------------------ scan.c */

struct tpz_scan *tpz_scan_create(const struct tpz_slot *s);	/* ERR_PTR: -ENOMEM, -EFAULT; may sleep */
void tpz_scan_destroy(struct tpz_scan *scan);
void tpz_scan_init(struct tpz_mem *mem);
void tpz_scan_start(struct tpz_mem *mem);	/* vCPUs that run hear of a slot to look at */
void tpz_scan_exit(struct tpz_mem *mem);	/* no vCPU runs any more */

/* tpz_scan_wrote() - the module has written to @range for the guest, or is about to. Context: any */
static inline void tpz_scan_wrote(struct tpz_mem *mem, const struct tpz_range *range)
{
	if (unlikely(range->scan))
		set_bit(range->slot, &mem->scan_written);
}

/* ------------------------------------------------------------------ queue.c */

struct tpz_queued *tpz_queue_create(void);	/* or NULL; may sleep */
void tpz_queue_destroy(struct tpz_queued *q);

/* tpz_queue_put() - one more for the launcher. Return: false: the queue is full. Context: any that may take a spin lock */
bool tpz_queue_put(struct tpz_queued *q, enum tpz_queued_kind kind, u64 address, unsigned int bytes, u64 data);

/* ------------------------------------------------------------------ notifier.c */

bool tpz_spaces_alive(void);		/* some mmu_notifier_put() has not come to its end */
struct tpz_space *tpz_space_get(void);		/* of the calling process; ERR_PTR; may sleep */
void tpz_space_put(struct tpz_space *space);

/**
 * tpz_space_stale() - may what was learnt of [start, end) since @seq was read be wrong by now?
 * Context: space->lock.
 */
bool tpz_space_stale(const struct tpz_space *space, unsigned long seq, unsigned long start, unsigned long end);

#endif /* TPZ_MEM_INTERNAL_H */
