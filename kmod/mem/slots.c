// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: which part of the launcher's memory stands where in the guest's physical address space.
 *
 * The table of slots never changes: a change makes a new one, publishes it (RCU) and, in the same critical section,
 * moves the space's sequence number and takes the old slot's pages out of the tree. So a fault that looked
 * its slot up in the old table finds its sequence stale.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "internal.h"

#define SCAN_MIN_US	100
#define SCAN_MAX_US	1000000

static const struct tpz_range *search(const struct tpz_slots *slots, u64 gpa)
{
	unsigned int low = 0, high = slots->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct tpz_range *r = &slots->range[middle];

		if (gpa < r->gpa)
			high = middle;
		else if (gpa - r->gpa >= r->bytes)
			low = middle + 1;
		else
			return r;
	}
	return NULL;
}

int tpz_slot_find(struct tpz_mem *mem, u64 gpa, struct tpz_range *range)
{
	const struct tpz_range *r;

	rcu_read_lock();
	r = search(rcu_dereference(mem->slots), gpa);
	if (r)
		*range = *r;
	rcu_read_unlock();
	return r ? 0 : -ENOENT;
}

unsigned int tpz_mem_phys_bits(void)
{
	const struct tpz_npt_format *f = tpz_hw->npt;

	return min_t(unsigned int, boot_cpu_data.x86_phys_bits, PAGE_SHIFT + 9 * f->levels);
}

/* What the ABI promises about a slot, apart from its neighbours */
static int check(const struct tpz_slot *s)
{
	u64 end = 1ULL << tpz_mem_phys_bits();

	if (s->flags & ~(TPZ_SLOT_READONLY | TPZ_SLOT_SCANNED) || s->slot >= TPZ_MAX_SLOTS)
		return -EINVAL;
	if (s->flags & TPZ_SLOT_SCANNED) {
		if (s->flags & TPZ_SLOT_READONLY || s->bytes > TPZ_SCANNED_PAGES * PAGE_SIZE)
			return -EINVAL;
		if (s->scan_us < SCAN_MIN_US || s->scan_us > SCAN_MAX_US)
			return -EINVAL;
	} else if (s->scan_us) {
		return -EINVAL;
	}
	if (!s->bytes)
		return 0;
	if (!PAGE_ALIGNED(s->gpa | s->bytes | s->uaddr))
		return -EINVAL;
	if (s->bytes > end || s->gpa > end - s->bytes)
		return -EINVAL;
	if (s->uaddr + s->bytes < s->uaddr || !access_ok((void __user *)(unsigned long)s->uaddr, s->bytes))
		return -EFAULT;
	return 0;
}

static bool overlap(const struct tpz_range *r, const struct tpz_slot *s)
{
	return s->gpa < r->gpa + r->bytes && r->gpa < s->gpa + s->bytes;
}

/* Tables that this range could need if it were mapped by 4 KiB leaves: a VM never has more than its slots' sum */
static unsigned long tables_needed(const struct tpz_range *r, unsigned int levels)
{
	unsigned long tables = 0;
	unsigned int level;

	for (level = 2; level <= levels; level++) {
		unsigned int shift = ilog2(tpz_level_bytes(level));

		tables += ((r->gpa + r->bytes - 1) >> shift) - (r->gpa >> shift) + 1;
	}
	return tables;
}

/*
 * A new table with the change made. @scan: of the slot, if it is a scanned one. @old: what the slot was before, untouched if it
 * was nothing. ERR_PTR on overlap or lack of memory.
 */
static struct tpz_slots *changed(const struct tpz_slots *now, const struct tpz_slot *s, struct tpz_scan *scan,
				 struct tpz_range *old)
{
	struct tpz_slots *next = kzalloc(struct_size(next, range, now->count + 1), GFP_KERNEL_ACCOUNT);
	const struct tpz_range add = {
		.gpa = s->gpa,
		.bytes = s->bytes,
		.uaddr = s->uaddr,
		.slot = s->slot,
		.readonly = s->flags & TPZ_SLOT_READONLY,
		.scan_us = s->scan_us,
		.scan = scan,
	};
	bool placed = !s->bytes;
	unsigned int i;

	if (!next)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < now->count; i++) {
		const struct tpz_range *r = &now->range[i];

		if (r->slot == s->slot) {
			*old = *r;
			continue;
		}
		if (overlap(r, s)) {
			kfree(next);
			return ERR_PTR(-EEXIST);
		}
		if (!placed && r->gpa > s->gpa) {
			next->range[next->count++] = add;
			placed = true;
		}
		next->range[next->count++] = *r;
	}
	if (!placed)
		next->range[next->count++] = add;
	return next;
}

/*
 * The new table takes effect. A slot that goes takes the whole tree with it, lest tables at its borders stay behind
 * that no slot needs (rare, and what other slots lose comes back by faults).
 */
static void publish(struct tpz_mem *mem, struct tpz_slots *next, const struct tpz_range *old)
{
	struct tpz_space *space = mem->space;
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	unsigned long max_tables = 1;	/* the root */
	u32 scan_us = U32_MAX;
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < next->count; i++) {
		bytes += next->range[i].bytes;
		if (next->range[i].scan)
			scan_us = min(scan_us, next->range[i].scan_us);
		max_tables += tables_needed(&next->range[i], mem->tree.format->levels);
	}

	spin_lock(&space->lock);
	rcu_assign_pointer(mem->slots, next);
	WRITE_ONCE(space->seq, space->seq + 1);
	mem->max_tables = max_tables;
	if (old->bytes)
		tpz_tree_zap_all(&mem->tree, &zap);
	tpz_mem_flush(mem, &zap);
	WRITE_ONCE(mem->vm->m->slot_bytes, bytes);
	WRITE_ONCE(mem->vm->scan_us, scan_us == U32_MAX ? 0 : scan_us);
	spin_unlock(&space->lock);
	wake_up_all(&space->wait);
	tpz_zap_free(&zap, true);
}

int tpz_mem_set_slot(struct tpz_vm *vm, const struct tpz_slot *s)
{
	struct tpz_mem *mem = vm->mem;
	struct tpz_slots *now, *next;
	struct tpz_range old = {};
	struct tpz_scan *scan;
	int err = check(s);

	if (err)
		return err;
	if (current->mm != vm->mm)
		return -EXDEV;
	scan = tpz_scan_create(s);
	if (IS_ERR(scan))
		return PTR_ERR(scan);

	mutex_lock(&mem->slots_lock);
	now = rcu_dereference_protected(mem->slots, lockdep_is_held(&mem->slots_lock));
	next = changed(now, s, scan, &old);
	if (IS_ERR(next)) {
		err = PTR_ERR(next);
		goto unlock;
	}
	if (!s->bytes && !old.bytes) {
		kfree(next);
		err = -ENOENT;
		goto unlock;
	}
	publish(mem, next, &old);
	kfree_rcu(now, rcu);
	if (scan)
		tpz_scan_start(mem);
	scan = old.scan;	/* nobody knows it any more */
unlock:
	mutex_unlock(&mem->slots_lock);
	tpz_scan_destroy(scan);
	return err;
}
