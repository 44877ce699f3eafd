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

#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include "../hw/hw.h"
#include "mem.h"

#define TPZ_NPT_MAX_LEVELS	5

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
	const struct tpz_npt_format *format;	/* (c) */
	u64 *root;				/* (c); what it points to: (L) */
	struct list_head link;			/* (L) in space->mems */
	unsigned long pages;			/* (L) 4 KiB pages mapped */
	unsigned long tables;			/* (L) pages of the nested page table, root included */
	unsigned long max_tables;		/* (L) what the slots could ever need */
	unsigned long zaps;			/* (L) leaves taken away by the host */
	struct mutex slots_lock;
	struct tpz_slots __rcu *slots;		/* (S) */
};

/* ------------------------------------------------------------------ tree.c: the nested page table */

/* What a leaf at this level maps */
static inline u64 tpz_level_bytes(unsigned int level)
{
	return 1ULL << (PAGE_SHIFT + 9 * (level - 1));
}

/**
 * struct tpz_spare - zeroed table pages, allocated before the lock
 */
struct tpz_spare {
	unsigned int count;
	u64 *table[TPZ_NPT_MAX_LEVELS - 1];
};

int tpz_spare_fill(struct tpz_spare *spare, unsigned int count);	/* 0 or -ENOMEM; may sleep */
void tpz_spare_free(struct tpz_spare *spare);

u64 *tpz_table_alloc(void);	/* zeroed, charged to the caller's memory control group; may sleep */
void tpz_table_free(u64 *table);

/**
 * struct tpz_zap - what a zap took out of the tree
 * @leaves: of any size; translations may still be cached if this is not 0
 * @pages: the same in 4 KiB pages
 * @tables: unlinked table pages, to be freed by tpz_zap_free() after a flush and outside the lock
 */
struct tpz_zap {
	unsigned long leaves;
	unsigned long pages;
	unsigned long table_count;
	struct list_head tables;
};

#define TPZ_ZAP_INIT(name)	{ .tables = LIST_HEAD_INIT((name).tables) }

/**
 * tpz_tree_zap() - take [from, to) out of the tree; a leaf that reaches beyond goes as a whole
 *
 * The caller flushes (tpz_zap_flush()) before it drops the lock. Zaps may be added up in one @zap.
 * Context: space->lock.
 */
void tpz_tree_zap(struct tpz_mem *mem, u64 from, u64 to, struct tpz_zap *zap);

void tpz_tree_zap_all(struct tpz_mem *mem, struct tpz_zap *zap);	/* likewise, everything but the root */

/**
 * tpz_zap_flush() - no CPU runs this VM's guest with what @zap holds. Context: space->lock
 */
void tpz_zap_flush(struct tpz_mem *mem, const struct tpz_zap *zap);

/**
 * tpz_zap_free() - give the tables back
 * @may_sleep: yield the CPU now and then
 */
void tpz_zap_free(struct tpz_zap *zap, bool may_sleep);

/**
 * tpz_tree_map() - install a leaf
 * @level: the largest that host and slot allow; less is taken where the tree needs it
 * @pa: of the 4 KiB page at @gpa
 * @fetch: an instruction fetch: the leaf must be executable
 * Return: 0; or how many spare tables are missing (nothing was changed). Context: space->lock.
 */
unsigned int tpz_tree_map(struct tpz_mem *mem, u64 gpa, u64 pa, unsigned int level, unsigned int permissions,
			  bool fetch, struct tpz_spare *spare, struct tpz_zap *zap);

/**
 * tpz_tree_age() - was [from, to) accessed since the last call?
 * @clear: forget that it was. A format without accessed bits forgets by dropping the leaf, into @zap.
 * Context: space->lock.
 */
bool tpz_tree_age(struct tpz_mem *mem, u64 from, u64 to, bool clear, struct tpz_zap *zap);

void tpz_tree_meters(struct tpz_mem *mem);	/* publish the counts. Context: space->lock */

/* ------------------------------------------------------------------ slots.c */

/**
 * tpz_slot_find() - the slot at a guest-physical address, copied
 * Return: 0 or -ENOENT. Context: any.
 */
int tpz_slot_find(struct tpz_mem *mem, u64 gpa, struct tpz_range *range);

/* ------------------------------------------------------------------ notifier.c */

struct tpz_space *tpz_space_get(void);		/* of the calling process; ERR_PTR; may sleep */
void tpz_space_put(struct tpz_space *space);

/**
 * tpz_space_stale() - may what was learnt of [start, end) since @seq was read be wrong by now?
 * Context: space->lock.
 */
bool tpz_space_stale(const struct tpz_space *space, unsigned long seq, unsigned long start, unsigned long end);

#endif /* TPZ_MEM_INTERNAL_H */
