// SPDX-License-Identifier: GPL-2.0
/*
 * Scanned slots (TPZ_SLOT_SCANNED): a device's registers in memory. The guest reads and writes them without an exit; now and then
 * a vCPU's thread looks at the leaves' dirty bits, and compares the words of a dirty page with what the launcher was told last.
 * What differs goes into the queue (queue.c).
 *
 * A page is cleaned before it is compared, and no CPU runs with an older translation then: a write that the comparison misses
 * makes the page dirty again. Where the CPU has no dirty bits, cleaning takes the writable leaf away, and a look at a page for
 * reading gives none (fault.c): the next write faults.
 *
 * A leaf that the host has taken away (notifier.c) can't tell: such a page counts as dirty, once. So does one that the module
 * has written to for the guest.
 *
 * Who looks: kmod/vcpu.c, at the ticks of VMX's preemption timer; where there is none, when the timer here has asked for it.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "../host.h"
#include "internal.h"

#define WORDS	(PAGE_SIZE / 4)

/* space->lock. Return: a leaf was cleaned, so that TLBs must forget it */
static bool find_dirty(struct tpz_mem *mem, const struct tpz_range *r, struct tpz_zap *zap)
{
	const bool written = test_and_clear_bit(r->slot, &mem->scan_written);
	struct tpz_scan *scan = r->scan;
	bool cleaned = false;
	unsigned int i;

	for (i = 0; i < scan->pages; i++) {
		const enum tpz_leaf leaf = tpz_tree_clean(&mem->tree, r->gpa + i * PAGE_SIZE, zap);
		const u64 bit = BIT_ULL(i);

		if (written || leaf == TPZ_LEAF_DIRTY || (leaf == TPZ_LEAF_NONE && (scan->mapped & bit)))
			scan->changed |= bit;
		if (leaf == TPZ_LEAF_NONE)
			scan->mapped &= ~bit;
		cleaned |= leaf == TPZ_LEAF_DIRTY;
	}
	return cleaned;
}

static void find_all_dirty(struct tpz_mem *mem, const struct tpz_slots *slots)
{
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	bool cleaned = false;
	unsigned int i;

	spin_lock(&mem->space->lock);
	for (i = 0; i < slots->count; i++)
		if (slots->range[i].scan)
			cleaned |= find_dirty(mem, &slots->range[i], &zap);
	if (cleaned && !zap.leaves)
		tpz_flush_all(mem->vm);
	tpz_mem_flush(mem, &zap);
	spin_unlock(&mem->space->lock);
	tpz_zap_free(&zap, true);
}

/* Compares a page. A launcher without such memory hears nothing of it until it has. Return: words told */
static unsigned int tell_page(struct tpz_mem *mem, const struct tpz_range *r, unsigned int page, bool *full)
{
	const u32 __user *user = (const u32 __user *)(r->uaddr + page * PAGE_SIZE);
	struct tpz_scan *scan = r->scan;
	u32 *told = scan->told + page * WORDS, word;
	unsigned int i, count = 0;

	if (copy_from_user(scan->now, user, PAGE_SIZE))
		return 0;
	for (i = 0; i < WORDS; i++) {
		if (scan->now[i] == told[i])
			continue;
		if (get_user(word, user + i))	/* the copy may have caught half of a write */
			return count;
		if (word == told[i])
			continue;
		*full = !tpz_queue_put(mem->queued, TPZ_QUEUED_SCANNED, r->gpa + page * PAGE_SIZE + 4 * i, 4, word);
		if (*full)
			return count;
		told[i] = word;
		count++;
	}
	scan->changed &= ~BIT_ULL(page);
	return count;
}

static unsigned int tell_changes(struct tpz_mem *mem, const struct tpz_slots *slots, bool *full)
{
	unsigned int i, page, count = 0;

	for (i = 0; i < slots->count; i++) {
		const struct tpz_range *r = &slots->range[i];

		for (page = 0; r->scan && page < r->scan->pages && !*full; page++)
			if (r->scan->changed & BIT_ULL(page))
				count += tell_page(mem, r, page, full);
	}
	return count;
}

unsigned int tpz_mem_scan(struct tpz_vcpu *v)
{
	struct tpz_mem *mem = v->vm->mem;
	const struct tpz_slots *slots;
	bool full = false;
	unsigned int count;

	if (!READ_ONCE(v->vm->scan_us) || mutex_lock_killable(&mem->slots_lock))
		return 0;
	slots = rcu_dereference_protected(mem->slots, lockdep_is_held(&mem->slots_lock));
	find_all_dirty(mem, slots);
	count = tell_changes(mem, slots, &full);
	mutex_unlock(&mem->slots_lock);
	if (full)
		set_bit(TPZ_REQ_SCAN, &v->requests);
	return count + full;
}

/* ------------------------------------------------------------------ when */

static void ask_all(struct tpz_vm *vm)
{
	int i;

	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		struct tpz_vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (v)
			tpz_request(v, TPZ_REQ_SCAN);
	}
}

/* Whoever finds @scan_armed set before it is cleared here is asked after that */
static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct tpz_mem *mem = container_of(timer, struct tpz_mem, scan_timer);

	smp_store_mb(mem->scan_armed, 0);
	ask_all(mem->vm);
	return HRTIMER_NORESTART;
}

void tpz_mem_scan_later(struct tpz_vm *vm)
{
	struct tpz_mem *mem = vm->mem;

	if (READ_ONCE(mem->scan_armed) || xchg(&mem->scan_armed, 1))
		return;
	hrtimer_start(&mem->scan_timer, ns_to_ktime((u64)READ_ONCE(vm->scan_us) * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
}

/* ------------------------------------------------------------------ life */

struct tpz_scan *tpz_scan_create(const struct tpz_slot *s)
{
	const unsigned int pages = s->bytes >> PAGE_SHIFT;
	struct tpz_scan *scan;

	if (!(s->flags & TPZ_SLOT_SCANNED) || !pages)
		return NULL;
	scan = kvzalloc(struct_size(scan, told, pages * WORDS), GFP_KERNEL_ACCOUNT);
	if (!scan)
		return ERR_PTR(-ENOMEM);
	scan->pages = pages;
	if (copy_from_user(scan->told, (const void __user *)(unsigned long)s->uaddr, s->bytes)) {
		kvfree(scan);
		return ERR_PTR(-EFAULT);
	}
	return scan;
}

void tpz_scan_destroy(struct tpz_scan *scan)
{
	kvfree(scan);
}

void tpz_scan_init(struct tpz_mem *mem)
{
	tpz_hrtimer_setup(&mem->scan_timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
}

void tpz_scan_start(struct tpz_mem *mem)
{
	ask_all(mem->vm);
}

void tpz_scan_exit(struct tpz_mem *mem)
{
	const struct tpz_slots *slots = rcu_dereference_protected(mem->slots, true);
	unsigned int i;

	hrtimer_cancel(&mem->scan_timer);
	for (i = 0; i < slots->count; i++)
		tpz_scan_destroy(slots->range[i].scan);
}
