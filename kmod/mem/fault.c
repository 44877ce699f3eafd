// SPDX-License-Identifier: GPL-2.0
/*
 * A nested page fault: the guest touched a guest-physical address that its nested page table does not map (so).
 *
 *	1. read the space's sequence number, then find the slot: the address becomes one of the launcher's
 *	2. let the host make that page present and, for a write, writable (get_user_pages): all of demand paging,
 *	   swap-in, copy-on-write and huge-page allocation happens there
 *	3. under the lock, and only if no invalidation came in between: look up in the host's page table how large
 *	   the mapping is, install the leaf
 *	4. drop the reference: from now on the notifier keeps the leaf right
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "../host.h"
#include "internal.h"

/* One fault on its way */
struct fault {
	struct tpz_mem *mem;
	u64 gpa;			/* of the page */
	bool write;
	bool fetch;
	unsigned long seq;		/* before anything else was looked up */
	struct tpz_range range;
	unsigned long address;		/* of the page in the launcher */
	struct page *page;		/* referenced */
	struct tpz_spare spare;		/* for the tree, allocated before the lock */
	struct tpz_zap zap;		/* what had to go to make room */
};

/* What the host's page table says about a user address */
struct host_leaf {
	unsigned int level;
	bool writable;
	unsigned long pfn;	/* of the 4 KiB page at the address */
};

/*
 * Read as get_user_pages_fast() does: without locks; with interrupts off no table goes away under us.
 * _PAGE_RW and not pte_write(), which is also true of user shadow stacks.
 */
static bool read_host_leaf(struct mm_struct *mm, unsigned long address, struct host_leaf *leaf)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, address));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	if (pgd_none(pgd))
		return false;
	p4d = READ_ONCE(*p4d_offset(&pgd, address));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, address));
	if (pud_none(pud) || !pud_present(pud))
		return false;
	if (pud_leaf(pud)) {
		leaf->level = 3;
		leaf->writable = pud_flags(pud) & _PAGE_RW;
		leaf->pfn = pud_pfn(pud) + ((address & ~PUD_MASK) >> PAGE_SHIFT);
		return true;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, address));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return false;
	if (pmd_leaf(pmd)) {
		leaf->level = 2;
		leaf->writable = pmd_flags(pmd) & _PAGE_RW;
		leaf->pfn = pmd_pfn(pmd) + ((address & ~PMD_MASK) >> PAGE_SHIFT);
		return true;
	}
	pte = READ_ONCE(*pte_offset_kernel(&pmd, address));
	if (!pte_present(pte))
		return false;
	leaf->level = 1;
	leaf->writable = pte_flags(pte) & _PAGE_RW;
	leaf->pfn = pte_pfn(pte);
	return true;
}

/*
 * The page is known from get_user_pages(); the host's page table adds how large its mapping is and whether a page
 * that was only read may be written at once. If it cannot tell, or tells of another page: small, and as asked.
 */
static void host_leaf_of(const struct fault *f, struct host_leaf *leaf)
{
	unsigned long pfn = page_to_pfn(f->page), flags;
	bool found;

	local_irq_save(flags);
	found = read_host_leaf(current->mm, f->address, leaf);
	local_irq_restore(flags);

	if (!found || leaf->pfn != pfn)
		*leaf = (struct host_leaf){ .level = 1, .pfn = pfn };
	leaf->writable |= f->write;
}

/* A leaf of this level must lie inside the slot, and be aligned in both address spaces alike; a scanned slot has small ones */
static bool leaf_fits(const struct tpz_range *r, u64 gpa, unsigned int level)
{
	u64 bytes = tpz_level_bytes(level);
	u64 first = ALIGN_DOWN(gpa, bytes);

	if (r->scan && level > 1)
		return false;
	return !((r->gpa ^ r->uaddr) & (bytes - 1)) && first >= r->gpa && first + bytes <= r->gpa + r->bytes;
}

/*
 * What a leaf permits. Reasons to withhold write access come together here: a read-only slot, a scanned one where only a
 * fault tells of a write, and the host's own mapping today; the dirty log, copy-on-write of a fork and watchers one day.
 */
static unsigned int leaf_permissions(const struct fault *f, const struct host_leaf *leaf)
{
	const bool wait_for_write = f->range.scan && !f->mem->tree.format->dirty && !f->write;
	unsigned int permissions = TPZ_NPT_READ | TPZ_NPT_EXEC;

	if (leaf->writable && !f->range.readonly && !wait_for_write)
		permissions |= TPZ_NPT_WRITE;
	return permissions;
}

/* 0; -EAGAIN: overtaken by an invalidation; > 0: so many spare tables are missing */
static int install(struct fault *f)
{
	struct tpz_mem *mem = f->mem;
	unsigned int permissions;
	struct host_leaf leaf;
	unsigned long first;
	int ret;

	lockdep_assert_held(&mem->space->lock);
	host_leaf_of(f, &leaf);
	leaf.level = min(leaf.level, mem->tree.format->max_leaf);
	while (!leaf_fits(&f->range, f->gpa, leaf.level))
		leaf.level--;

	first = ALIGN_DOWN(f->address, tpz_level_bytes(leaf.level));
	if (tpz_space_stale(mem->space, f->seq, first, first + tpz_level_bytes(leaf.level)))
		return -EAGAIN;

	permissions = leaf_permissions(f, &leaf);
	do {
		ret = tpz_tree_map(&mem->tree, f->gpa, PFN_PHYS(leaf.pfn), leaf.level, permissions, f->fetch,
				   &f->spare, &f->zap);
		tpz_mem_flush(mem, &f->zap);
	} while (ret == -EAGAIN);
	if (ret)
		return ret;
	/*
	 * The guest may write from now on without anybody's notice: the page counts as dirty until the host cleans it,
	 * and whoever cleans a page write-protects it first, which takes this leaf away.
	 */
	if (permissions & TPZ_NPT_WRITE) {
		SetPageDirty(f->page);
		if (f->range.scan)	/* not stale, so the slot is still there */
			f->range.scan->mapped |= BIT_ULL((f->gpa - f->range.gpa) >> PAGE_SHIFT);
	}
	if (mem->tree.tables > mem->max_tables)
		tpz_vm_bug(mem->vm, "%lu pages of nested page table, more than the slots can need", mem->tree.tables);
	return 0;
}

/* The host's page, present and as writable as asked, with a reference */
static int get_host_page(struct fault *f)
{
	unsigned int flags = f->write ? FOLL_WRITE : 0;
	int got;

	if (get_user_page_fast_only(f->address, flags, &f->page))
		return 0;
	got = get_user_pages_unlocked(f->address, 1, &f->page, flags | TPZ_GUP_FLAGS);
	switch (got) {
	case 1:
		return 0;
	case -EINTR:
	case -ERESTARTSYS:
		return -EINTR;
	case -EAGAIN:
	case -ENOMEM:
		return got;
	default:	/* no mapping, no permission, poisoned, not ordinary memory */
		return -EFAULT;
	}
}

/* Some invalidation ends, or slots change. 0 or -EINTR */
static int wait_for_change(struct tpz_space *space, unsigned long seq)
{
	return wait_event_interruptible(space->wait, READ_ONCE(space->seq) != seq) ? -EINTR : 0;
}

/* -EAGAIN: once more from the start */
static int try_fault(struct fault *f)
{
	struct tpz_space *space = f->mem->space;
	int err, missing;

	f->seq = READ_ONCE(space->seq);
	smp_rmb();	/* whatever is looked at below is at least as new as the sequence number */
	err = tpz_slot_find(f->mem, f->gpa, &f->range);
	if (err)
		return err;
	if (f->write && f->range.readonly)
		return -EROFS;
	f->address = f->range.uaddr + (f->gpa - f->range.gpa);
	err = get_host_page(f);
	if (err)
		return err;

	do {
		spin_lock(&space->lock);
		missing = install(f);
		spin_unlock(&space->lock);
		err = missing > 0 ? tpz_spare_fill(&f->spare, missing) : missing;
	} while (missing > 0 && !err);
	put_page(f->page);

	/* Overtaken: has the invalidation ended (the sequence number moved), or must it be waited for? */
	if (err == -EAGAIN)
		err = wait_for_change(space, f->seq) ?: -EAGAIN;
	return err;
}

int tpz_mem_fault(struct tpz_vcpu *v, u64 gpa, bool write, bool fetch)
{
	struct fault f = {
		.mem = v->vm->mem,
		.gpa = ALIGN_DOWN(gpa, PAGE_SIZE),
		.write = write,
		.fetch = fetch,
		.zap = TPZ_ZAP_INIT(f.zap),
	};
	int err;

	if (current->mm != v->vm->mm)
		return -EFAULT;
	do {
		err = signal_pending(current) ? -EINTR : try_fault(&f);
		cond_resched();
	} while (err == -EAGAIN);

	tpz_zap_free(&f.zap, true);
	tpz_spare_free(&f.spare);
	return err;
}
