// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page table: one walker over the backend's format (struct tpz_npt_format).
 *
 * Levels count from 1 (4 KiB leaves) upwards; the root is at format->levels. An entry is nothing, a leaf, or a
 * pointer to the table one level below. Each table's struct page counts the leaves in that table (not below it)
 * in ->private, so that unlinking a whole subtree needs no look at its bottom-level tables: a zap of any
 * length holds the lock for a short time.
 *
 * CPUs walk the tables at any time: an entry is written as a whole, a new table before the entry that
 * points to it, and an unlinked one is freed only after a flush. The accessed and dirty bits are theirs;
 * nothing of value is in them when an entry goes: a page is marked dirty when its writable leaf is installed.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "tree.h"

#define ENTRIES		512

/* ------------------------------------------------------------------ table pages */

static u64 *table_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return NULL;
	set_page_private(page, 0);
	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, 1);
	return page_address(page);
}

static void table_free(u64 *table)
{
	struct page *page = virt_to_page(table);

	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, -1);
	set_page_private(page, 0);
	__free_page(page);
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

int tpz_spare_fill(struct tpz_spare *spare, unsigned int count)
{
	while (spare->count < count) {
		u64 *table = table_alloc();

		if (!table)
			return -ENOMEM;
		spare->table[spare->count++] = table;
	}
	return 0;
}

void tpz_spare_free(struct tpz_spare *spare)
{
	while (spare->count)
		table_free(spare->table[--spare->count]);
}

int tpz_tree_create(struct tpz_tree *tree, const struct tpz_npt_format *format)
{
	tree->format = format;
	tree->pages = 0;
	tree->tables = 1;
	tree->root = table_alloc();
	return tree->root ? 0 : -ENOMEM;
}

void tpz_tree_destroy(struct tpz_tree *tree)
{
	table_free(tree->root);
	tree->tables = 0;
}

/* ------------------------------------------------------------------ entries */

static u64 *entry_at(u64 *table, u64 gpa, unsigned int level)
{
	return &table[(gpa >> (PAGE_SHIFT + 9 * (level - 1))) % ENTRIES];
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

static unsigned long pages_of(unsigned int level)
{
	return tpz_level_bytes(level) >> PAGE_SHIFT;
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
	zap->pages += pages_of(level);
}

/* An unlinked table and all below it: counted and put on the list to be freed */
static void collect(const struct tpz_npt_format *f, u64 *table, unsigned int level, struct tpz_zap *zap)
{
	unsigned int i;

	zap->leaves += leaves_in(table);
	zap->pages += leaves_in(table) * pages_of(level);
	zap->table_count++;
	list_add(&virt_to_page(table)->lru, &zap->tables);

	for (i = 0; level > 1 && i < ENTRIES; i++)
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

/* What was taken out since @zap looked like @before */
static void uncount(struct tpz_tree *tree, const struct tpz_zap *zap, const struct tpz_zap *before)
{
	tree->pages -= zap->pages - before->pages;
	tree->tables -= zap->table_count - before->table_count;
}

void tpz_tree_zap(struct tpz_tree *tree, u64 from, u64 to, struct tpz_zap *zap)
{
	const struct tpz_zap before = *zap;

	zap_table(tree->format, tree->root, tree->format->levels, from, to, zap);
	uncount(tree, zap, &before);
}

void tpz_tree_zap_all(struct tpz_tree *tree, struct tpz_zap *zap)
{
	tpz_tree_zap(tree, 0, tpz_level_bytes(tree->format->levels + 1), zap);
}

void tpz_zap_free(struct tpz_zap *zap, bool may_sleep)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &zap->tables, lru) {
		list_del(&page->lru);
		table_free(page_address(page));
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
 * A table stands where a leaf would fit. Leaves in it are small on purpose then (an executable page beside data, see
 * above), for whenever the host's mapping grows all of them are zapped: keep them small.
 */
static bool table_is_in_use(const u64 *table, unsigned int level)
{
	return level > 2 || leaves_in(table);
}

/*
 * Down to where a leaf of at most *level goes, as far as tables stand. The entry there, its level in *at, its table in
 * *table; *level becomes less where a table is in use.
 */
static u64 *descend(struct tpz_tree *tree, u64 gpa, unsigned int *level, unsigned int *at, u64 **table)
{
	const struct tpz_npt_format *f = tree->format;
	u64 *entry;

	*table = tree->root;
	for (*at = f->levels; ; --*at) {
		entry = entry_at(*table, gpa, *at);
		if (!is_present(f, *entry) || is_leaf(f, *entry, *at))
			return entry;
		if (*at == *level) {
			if (!table_is_in_use(table_of(f, *entry), *at))
				return entry;
			--*level;
		}
		*table = table_of(f, *entry);
	}
}

/*
 * Takes out what stands at an entry, unless that maps just this page: two translations of one address must never be
 * cached. Return: nothing had to go.
 */
static bool make_room(struct tpz_tree *tree, u64 *table, u64 *entry, unsigned int level, u64 pa, struct tpz_zap *zap)
{
	const struct tpz_npt_format *f = tree->format;
	const struct tpz_zap before = *zap;

	if (!is_present(f, *entry))
		return true;
	if (!is_leaf(f, *entry, level))
		drop_table(f, entry, level, zap);
	else if ((*entry & f->address) != pa)
		drop_leaf(table, entry, level, zap);
	else
		return true;
	uncount(tree, zap, &before);
	return false;
}

int tpz_tree_map(struct tpz_tree *tree, u64 gpa, u64 pa, unsigned int level, unsigned int permissions, bool fetch,
		 struct tpz_spare *spare, struct tpz_zap *zap)
{
	const struct tpz_npt_format *f = tree->format;
	u64 *table, *entry, leaf;
	unsigned int at;

	if (fetch && !large_exec_is_safe())
		level = 1;
	entry = descend(tree, gpa, &level, &at, &table);
	if (at > level) {
		if (spare->count < at - level)
			return at - level;
		if (!make_room(tree, table, entry, at, ~0ULL, zap))	/* a larger leaf than we may have now */
			return -EAGAIN;
	}
	for (; at > level; at--) {
		u64 *next = spare->table[--spare->count];

		tree->tables++;
		smp_wmb();	/* the zeroes of the table before the way to it */
		WRITE_ONCE(*entry, f->table(__pa(next)));
		table = next;
		entry = entry_at(table, gpa, at - 1);
	}

	pa = ALIGN_DOWN(pa, tpz_level_bytes(level));
	if (!make_room(tree, table, entry, level, pa, zap))
		return -EAGAIN;
	if (level > 1 && !large_exec_is_safe())
		permissions &= ~TPZ_NPT_EXEC;
	leaf = f->leaf(pa, level, permissions) | f->accessed;
	if (permissions & TPZ_NPT_WRITE)
		leaf |= f->dirty;
	if (is_present(f, *entry)) {
		leaf |= *entry & f->write;	/* the same page, perhaps by another vCPU: permissions only grow */
	} else {
		count_leaf(table, 1);
		tree->pages += pages_of(level);
	}
	WRITE_ONCE(*entry, leaf);
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

bool tpz_tree_age(struct tpz_tree *tree, u64 from, u64 to, bool clear, struct tpz_zap *zap)
{
	const struct tpz_zap before = *zap;
	bool young = age_table(tree->format, tree->root, tree->format->levels, from, to, clear, zap);

	uncount(tree, zap, &before);
	return young;
}

/* ------------------------------------------------------------------ dirty */

enum tpz_leaf tpz_tree_clean(struct tpz_tree *tree, u64 gpa, struct tpz_zap *zap)
{
	const struct tpz_npt_format *f = tree->format;
	const struct tpz_zap before = *zap;
	u64 *table = tree->root, *entry;
	unsigned int level = f->levels;

	for (;; level--) {
		entry = entry_at(table, gpa, level);
		if (!is_present(f, *entry))
			return TPZ_LEAF_NONE;
		if (is_leaf(f, *entry, level))
			break;
		table = table_of(f, *entry);
	}
	if (f->dirty)		/* atomic: a CPU may be setting the accessed bit */
		return test_and_clear_bit(__ffs64(f->dirty), (unsigned long *)entry) ? TPZ_LEAF_DIRTY : TPZ_LEAF_CLEAN;
	if (!(*entry & f->write))
		return TPZ_LEAF_CLEAN;
	drop_leaf(table, entry, level, zap);
	uncount(tree, zap, &before);
	return TPZ_LEAF_DIRTY;
}
