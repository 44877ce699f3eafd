// SPDX-License-Identifier: GPL-2.0
/*
 * The watch over a launcher's address space: whenever the host is about to change how a page is mapped (unmap,
 * migration, swap, copy-on-write, page merging, splitting a huge page, …) it says so here first, and the nested
 * page tables of all VMs of that process forget the page before the host goes on.
 *
 * A change comes as invalidate_range_start … invalidate_range_end. Between the two nothing may be mapped in the
 * range; a fault that looked at the host's page table before the end may have seen the old page. So start counts
 * an invalidation in progress, end moves the sequence number, and a fault that finds either when it comes to
 * install its leaf (tpz_space_stale()) starts again.
 *
 * Callbacks may come with the host's page-table locks held. They must not allocate, nor sleep unless the range
 * says so.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "internal.h"

static struct tpz_space *space_of(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct tpz_space, notifier);
}

/* The part of user addresses [start, end) that a slot covers, as guest-physical [*from, *to) */
static bool in_slot(const struct tpz_range *r, unsigned long start, unsigned long end, u64 *from, u64 *to)
{
	u64 first = max_t(u64, start, r->uaddr);
	u64 last = min_t(u64, end, r->uaddr + r->bytes);

	if (first >= last)
		return false;
	*from = r->gpa + (first - r->uaddr);
	*to = r->gpa + (last - r->uaddr);
	return true;
}

static const struct tpz_slots *slots_of(struct tpz_mem *mem)
{
	return rcu_dereference_protected(mem->slots, lockdep_is_held(&mem->space->lock));
}

static void zap_user(struct tpz_mem *mem, unsigned long start, unsigned long end, struct tpz_zap *zap)
{
	const struct tpz_slots *slots = slots_of(mem);
	unsigned int i;
	u64 from, to;

	for (i = 0; i < slots->count; i++)
		if (in_slot(&slots->range[i], start, end, &from, &to))
			tpz_tree_zap(&mem->tree, from, to, zap);
}

/* The host takes [start, end) away from every VM */
static void space_zap(struct tpz_space *space, unsigned long start, unsigned long end, struct list_head *tables)
{
	struct tpz_mem *mem;

	list_for_each_entry(mem, &space->mems, link) {
		struct tpz_zap zap = TPZ_ZAP_INIT(zap);

		zap_user(mem, start, end, &zap);
		mem->zaps += zap.leaves;
		tpz_mem_flush(mem, &zap);
		list_splice(&zap.tables, tables);
	}
}

static int invalidate_range_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct tpz_space *space = space_of(notifier);
	struct tpz_zap freed = TPZ_ZAP_INIT(freed);

	spin_lock(&space->lock);
	if (space->invalidating++) {
		space->start = min(space->start, range->start);
		space->end = max(space->end, range->end);
	} else {
		space->start = range->start;
		space->end = range->end;
	}
	space_zap(space, range->start, range->end, &freed.tables);
	spin_unlock(&space->lock);

	tpz_zap_free(&freed, mmu_notifier_range_blockable(range));
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct tpz_space *space = space_of(notifier);

	spin_lock(&space->lock);
	WRITE_ONCE(space->seq, space->seq + 1);
	space->invalidating--;
	spin_unlock(&space->lock);
	wake_up_all(&space->wait);
}

bool tpz_space_stale(const struct tpz_space *space, unsigned long seq, unsigned long start, unsigned long end)
{
	lockdep_assert_held(&space->lock);
	return space->seq != seq || (space->invalidating && start < space->end && space->start < end);
}

/* ------------------------------------------------------------------ aging: is the page in use? */

typedef typeof(((struct mmu_notifier_ops *)NULL)->test_young(NULL, NULL, 0)) young_t;	/* int, or bool since 7.x */

static young_t age(struct mmu_notifier *notifier, unsigned long start, unsigned long end, bool clear)
{
	struct tpz_space *space = space_of(notifier);
	struct tpz_mem *mem;
	bool young = false;

	spin_lock(&space->lock);
	list_for_each_entry(mem, &space->mems, link) {
		const struct tpz_slots *slots = slots_of(mem);
		struct tpz_zap zap = TPZ_ZAP_INIT(zap);
		unsigned int i;
		u64 from, to;

		for (i = 0; i < slots->count; i++)
			if (in_slot(&slots->range[i], start, end, &from, &to))
				young |= tpz_tree_age(&mem->tree, from, to, clear, &zap);
		/* For a cleared bit alone nothing is flushed: a late answer does no harm */
		tpz_mem_flush(mem, &zap);
	}
	spin_unlock(&space->lock);
	return young;
}

static young_t clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	return age(notifier, start, end, true);
}

static young_t test_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	return age(notifier, address, address + PAGE_SIZE, false);
}

/* ------------------------------------------------------------------ life */

/* The address space ends: no thread of it is left to run a vCPU, but VM files may live on elsewhere */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct tpz_space *space = space_of(notifier);
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	struct tpz_mem *mem;

	spin_lock(&space->lock);
	list_for_each_entry(mem, &space->mems, link) {
		tpz_tree_zap_all(&mem->tree, &zap);
		tpz_mem_flush(mem, &zap);
	}
	spin_unlock(&space->lock);
	tpz_zap_free(&zap, true);
}

static atomic_t spaces;		/* until free_notifier(), which may lag behind the last VM's end */

static struct mmu_notifier *alloc_notifier(struct mm_struct *mm)
{
	struct tpz_space *space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);

	if (!space)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&space->lock);
	INIT_LIST_HEAD(&space->mems);
	init_waitqueue_head(&space->wait);
	atomic_inc(&spaces);
	return &space->notifier;
}

static void free_notifier(struct mmu_notifier *notifier)
{
	kfree(space_of(notifier));
	atomic_dec(&spaces);
}

static const struct mmu_notifier_ops ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
	.alloc_notifier = alloc_notifier,
	.free_notifier = free_notifier,
};

bool tpz_spaces_alive(void)
{
	return atomic_read(&spaces);
}

struct tpz_space *tpz_space_get(void)
{
	struct mmu_notifier *notifier = mmu_notifier_get(&ops, current->mm);

	return IS_ERR(notifier) ? ERR_CAST(notifier) : space_of(notifier);
}

void tpz_space_put(struct tpz_space *space)
{
	mmu_notifier_put(&space->notifier);
}
