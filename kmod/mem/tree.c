// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page table: one walker over the backend's format (struct tpz_npt_format).
 *
 * Levels count from 1 (4 KiB leaves) upwards; the root is at format->levels. An entry is nothing, a leaf, or a
 * pointer to the table one level below. Each table's struct page counts the leaves in that table (not below it)
 * in ->private, so that unlinking a whole subtree needs no look at its bottom-level tables: a zap of any
 * length holds the lock for microseconds.
 *
 * CPUs walk the tables at any time: an entry is written as a whole, a new table before the entry that
 * points to it, and an unlinked one is freed only after tpz_flush_all(). The accessed and dirty bits are theirs;
 * nothing of value is in them when an entry goes: a page is marked dirty when its writable leaf is installed.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include "internal.h"

/* ------------------------------------------------------------------ table pages */

u64 *tpz_table_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return NULL;
	set_page_private(page, 0);
	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, 1);
	return page_address(page);
}

void tpz_table_free(u64 *table)
{
	struct page *page = virt_to_page(table);

	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, -1);
	set_page_private(page, 0);
	__free_page(page);
}

int tpz_spare_fill(struct tpz_spare *spare, unsigned int count)
{
	while (spare->count < count) {
		u64 *table = tpz_table_alloc();

		if (!table)
			return -ENOMEM;
		spare->table[spare->count++] = table;
	}
	return 0;
}

void tpz_spare_free(struct tpz_spare *spare)
{
	while (spare->count)
		tpz_table_free(spare->table[--spare->count]);
}

static unsigned long leaves_in(const u64 *table)
{
	return page_private(virt_to_page(table));
}

static void count_leaf(u64 *table, int change)
{
	struct page *page = virt_to_page(table);

	set_page_private(page, page_private(page) + change);
}

/* ------------------------------------------------------------------ entries */

static u64 *entry_at(u64 *table, u64 gpa, unsigned int level)
{
	return &table[(gpa >> (PAGE_SHIFT + 9 * (level - 1))) & (PTRS_PER_PTE - 1)];
}

static bool is_present(const struct tpz_npt_format *f, u64 entry)
{
	return entry & f->present;
}

static bool is_leaf(const struct tpz_npt_format *f, u64 entry, unsigned int level)
{
	return level == 1 || entry & f->large;
}

static u64 *table_of(const struct tpz_npt_format *f, u64 entry)
{
	return __va(entry & f->address);
}

/* Where the part of [gpa, to) that one entry covers ends */
static u64 part_end(u64 gpa, u64 to, unsigned int level)
{
	return min(to, ALIGN_DOWN(gpa, tpz_level_bytes(level)) + tpz_level_bytes(level));
}

/* Each entry of a table that covers a part of [from, to), that part being [at, next) */
#define for_each_part(entry, at, next, table, level, from, to)			\
	for (at = (from);							\
	     at < (to) && (next = part_end(at, to, level),			\
			   entry = entry_at(table, at, level));			\
	     at = next)

/* ------------------------------------------------------------------ zap */

static void drop_leaf(u64 *table, u64 *entry, unsigned int level, struct tpz_zap *zap)
{
	WRITE_ONCE(*entry, 0);
	count_leaf(table, -1);
	zap->leaves++;
	zap->pages += tpz_level_bytes(level) >> PAGE_SHIFT;
}

/* An unlinked table and all below it: counted and put on the list to be freed */
static void collect(const struct tpz_npt_format *f, u64 *table, unsigned int level, struct tpz_zap *zap)
{
	unsigned int i;

	zap->leaves += leaves_in(table);
	zap->pages += leaves_in(table) * (tpz_level_bytes(level) >> PAGE_SHIFT);
	zap->table_count++;
	list_add(&virt_to_page(table)->lru, &zap->tables);

	for (i = 0; level > 1 && i < PTRS_PER_PTE; i++)
		if (is_present(f, table[i]) && !is_leaf(f, table[i], level))
			collect(f, table_of(f, table[i]), level - 1, zap);
}

static void drop_table(const struct tpz_npt_format *f, u64 *entry, unsigned int level, struct tpz_zap *zap)
{
	u64 *table = table_of(f, *entry);

	WRITE_ONCE(*entry, 0);
	collect(f, table, level - 1, zap);
}

static void zap_table(const struct tpz_npt_format *f, u64 *table, unsigned int level, u64 from, u64 to,
		      struct tpz_zap *zap)
{
	u64 *entry, at, next;

	for_each_part(entry, at, next, table, level, from, to) {
		if (!is_present(f, *entry))
			continue;
		if (is_leaf(f, *entry, level))
			drop_leaf(table, entry, level, zap);
		else if (next - at == tpz_level_bytes(level))
			drop_table(f, entry, level, zap);
		else
			zap_table(f, table_of(f, *entry), level - 1, at, next, zap);
	}
}

/* The difference that a piece of work made to the counts of the tree */
static void account(struct tpz_mem *mem, const struct tpz_zap *zap, const struct tpz_zap *before)
{
	mem->pages -= zap->pages - before->pages;
	mem->tables -= zap->table_count - before->table_count;
	tpz_tree_meters(mem);
}

void tpz_tree_zap(struct tpz_mem *mem, u64 from, u64 to, struct tpz_zap *zap)
{
	const struct tpz_zap before = *zap;

	lockdep_assert_held(&mem->space->lock);
	zap_table(mem->format, mem->root, mem->format->levels, from, to, zap);
	account(mem, zap, &before);
}

void tpz_tree_zap_all(struct tpz_mem *mem, struct tpz_zap *zap)
{
	tpz_tree_zap(mem, 0, tpz_level_bytes(mem->format->levels + 1), zap);
}

void tpz_zap_flush(struct tpz_mem *mem, const struct tpz_zap *zap)
{
	lockdep_assert_held(&mem->space->lock);
	if (zap->leaves || zap->table_count)
		tpz_flush_all(mem->vm);
}

void tpz_zap_free(struct tpz_zap *zap, bool may_sleep)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &zap->tables, lru) {
		list_del(&page->lru);
		tpz_table_free(page_address(page));
		if (may_sleep)
			cond_resched();
	}
}

/* ------------------------------------------------------------------ map */

/*
 * On processors with the "machine check on page size change" erratum a guest that executes from a large leaf could
 * bring the machine down (multiple hits in the instruction TLB). There, large leaves are not executable
 * and a fetch gets a small one.
 */
static bool large_exec_is_safe(void)
{
	return !boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT);
}

/*
 * A table stands where a leaf would fit. If the leaf is the largest thing that the host maps there, leaves in that
 * table can only be small on purpose (an executable page beside data, see above): keep them small.
 */
static bool table_is_in_use(const u64 *table, unsigned int level)
{
	return level > 2 || leaves_in(table);
}

unsigned int tpz_tree_map(struct tpz_mem *mem, u64 gpa, u64 pa, unsigned int level, unsigned int permissions,
			  bool fetch, struct tpz_spare *spare, struct tpz_zap *zap)
{
	const struct tpz_npt_format *f = mem->format;
	const struct tpz_zap before = *zap;
	u64 *table = mem->root, *entry, new;
	unsigned int at;

	lockdep_assert_held(&mem->space->lock);
	if (level > 1 && fetch && !large_exec_is_safe())
		level = 1;

	for (at = f->levels; ; at--, table = table_of(f, *entry)) {
		entry = entry_at(table, gpa, at);
		if (is_present(f, *entry) && !is_leaf(f, *entry, at)) {
			if (at == level) {
				if (!table_is_in_use(table_of(f, *entry), at))
					break;
				level--;
			}
			continue;
		}
		if (at == level)
			break;
		if (spare->count < at - level)
			return at - level;
		if (is_present(f, *entry)) {	/* a larger leaf than we may have now */
			drop_leaf(table, entry, at, zap);
			tpz_zap_flush(mem, zap);
		}
		mem->tables++;
		smp_wmb();	/* the zeroes of the table before the way to it */
		WRITE_ONCE(*entry, f->table(__pa(spare->table[--spare->count])));
	}

	if (level > 1 && !large_exec_is_safe())
		permissions &= ~TPZ_NPT_EXEC;
	new = f->leaf(ALIGN_DOWN(pa, tpz_level_bytes(level)), level, permissions) | f->accessed;
	if (permissions & TPZ_NPT_WRITE)
		new |= f->dirty;

	/* Whatever else stands there goes first: two translations of one address must never be cached */
	if (is_present(f, *entry) && ((*entry ^ new) & f->address || !is_leaf(f, *entry, level))) {
		if (is_leaf(f, *entry, level))
			drop_leaf(table, entry, level, zap);
		else
			drop_table(f, entry, level, zap);
		tpz_zap_flush(mem, zap);
	}
	if (is_present(f, *entry)) {
		new |= *entry & f->write;	/* the same page, perhaps by another vCPU: permissions only grow */
	} else {
		count_leaf(table, 1);
		mem->pages += tpz_level_bytes(level) >> PAGE_SHIFT;
	}
	WRITE_ONCE(*entry, new);
	account(mem, zap, &before);
	return 0;
}

/* ------------------------------------------------------------------ age */

static bool age_table(const struct tpz_npt_format *f, u64 *table, unsigned int level, u64 from, u64 to, bool clear,
		      struct tpz_zap *zap)
{
	u64 *entry, at, next;
	bool young = false;

	for_each_part(entry, at, next, table, level, from, to) {
		if (!is_present(f, *entry))
			continue;
		if (!is_leaf(f, *entry, level)) {
			young |= age_table(f, table_of(f, *entry), level - 1, at, next, clear, zap);
		} else if (!f->accessed) {
			young = true;
			if (clear)
				drop_leaf(table, entry, level, zap);
		} else if (*entry & f->accessed) {
			young = true;
			if (clear)	/* atomic: a CPU may be setting the dirty bit */
				clear_bit(__ffs64(f->accessed), (unsigned long *)entry);
		}
	}
	return young;
}

bool tpz_tree_age(struct tpz_mem *mem, u64 from, u64 to, bool clear, struct tpz_zap *zap)
{
	const struct tpz_zap before = *zap;
	bool young;

	lockdep_assert_held(&mem->space->lock);
	young = age_table(mem->format, mem->root, mem->format->levels, from, to, clear, zap);
	account(mem, zap, &before);
	return young;
}

/* ------------------------------------------------------------------ meters */

void tpz_tree_meters(struct tpz_mem *mem)
{
	struct tpz_vm_meters *m = mem->vm->m;

	WRITE_ONCE(m->resident_pages, mem->pages);
	WRITE_ONCE(m->table_pages, mem->tables);
	WRITE_ONCE(m->notifier_zaps, mem->zaps);
}
