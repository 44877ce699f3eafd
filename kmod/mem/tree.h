/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The nested page table as a data structure: no VM, no lock, no flush in here. Whoever owns a tree guards it by one
 * lock, and flushes what a zap took out before the lock is dropped.
 */
#ifndef TPZ_MEM_TREE_H
#define TPZ_MEM_TREE_H

#include <linux/list.h>
#include "../hw/npt.h"

#define TPZ_NPT_MAX_LEVELS	5

/**
 * struct tpz_tree - a nested page table
 * @pages: mapped, in units of 4 KiB
 * @tables: pages of the table itself, the root included
 */
struct tpz_tree {
	const struct tpz_npt_format *format;
	u64 *root;
	unsigned long pages;
	unsigned long tables;
};

/* What a leaf at this level maps; and what the whole tree can map, one level above the root */
static inline u64 tpz_level_bytes(unsigned int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

int tpz_tree_create(struct tpz_tree *tree, const struct tpz_npt_format *format);	/* 0 or -ENOMEM; may sleep */
void tpz_tree_destroy(struct tpz_tree *tree);	/* empty, but for the root */

/**
 * struct tpz_spare - zeroed table pages, allocated before the lock
 */
struct tpz_spare {
	unsigned int count;
	u64 *table[TPZ_NPT_MAX_LEVELS - 1];
};

int tpz_spare_fill(struct tpz_spare *spare, unsigned int count);	/* 0 or -ENOMEM; may sleep */
void tpz_spare_free(struct tpz_spare *spare);

/**
 * struct tpz_zap - what was taken out of a tree
 * @leaves: of any size
 * @pages: the same in 4 KiB pages
 * @table_count: pages in @tables
 * @tables: unlinked, to be freed by tpz_zap_free() after a flush and outside the lock
 *
 * If leaves or tables were taken, CPUs may still hold translations through them. Zaps of a tree may be added up in
 * one.
 */
struct tpz_zap {
	unsigned long leaves;
	unsigned long pages;
	unsigned long table_count;
	struct list_head tables;
};

#define TPZ_ZAP_INIT(name)	{ .tables = LIST_HEAD_INIT((name).tables) }

/**
 * tpz_zap_free() - give the tables back
 * @may_sleep: yield the CPU now and then
 */
void tpz_zap_free(struct tpz_zap *zap, bool may_sleep);

/**
 * tpz_tree_zap() - take [from, to) out of the tree; a leaf that reaches beyond goes as a whole
 */
void tpz_tree_zap(struct tpz_tree *tree, u64 from, u64 to, struct tpz_zap *zap);
void tpz_tree_zap_all(struct tpz_tree *tree, struct tpz_zap *zap);	/* everything but the root */

/**
 * tpz_tree_map() - install a leaf
 * @level: the largest that host and slot allow; less is taken where the tree needs it
 * @pa: of the 4 KiB page at @gpa
 * @permissions: TPZ_NPT_*
 * @fetch: an instruction fetch: the leaf must be executable
 * Return: 0; > 0: so many spare tables are missing, nothing was changed; -EAGAIN: something else stood there and is in
 * @zap now: flush, then call again.
 */
int tpz_tree_map(struct tpz_tree *tree, u64 gpa, u64 pa, unsigned int level, unsigned int permissions, bool fetch,
		 struct tpz_spare *spare, struct tpz_zap *zap);

/**
 * tpz_tree_age() - was [from, to) accessed since the last call?
 * @clear: forget that it was. A format without accessed bits forgets by dropping the leaf, into @zap.
 */
bool tpz_tree_age(struct tpz_tree *tree, u64 from, u64 to, bool clear, struct tpz_zap *zap);

enum tpz_leaf { TPZ_LEAF_NONE, TPZ_LEAF_CLEAN, TPZ_LEAF_DIRTY };

/**
 * tpz_tree_clean() - was the page at @gpa, mapped by a 4 KiB leaf, written to since the last call?
 *
 * It is clean from now on, once TLBs are flushed. A format without dirty bits takes a writable leaf away, into @zap: any that
 * stands there counts as dirty.
 */
enum tpz_leaf tpz_tree_clean(struct tpz_tree *tree, u64 gpa, struct tpz_zap *zap);

#endif /* TPZ_MEM_TREE_H */
