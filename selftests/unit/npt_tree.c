// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page table (kmod/mem/tree.c), against a walker of its own: random maps, zaps and looks at the accessed
 * bits, on both formats: EPT with and without accessed bits, SVM's NPT with and without its no-execute bit; four and five
 * levels, each largest leaf, and with the processor erratum that forbids executable large leaves.
 *
 * After each step: the leaves are those before it but for what the step may change; the counts are right; no page is
 * lost; no table is reachable that was freed.
 */
#include "../lib/ktap.c"

#include <linux/types.h>

#include "../../kmod/mem/tree.c"
#include "../../kmod/hw/svm/npt.c"
#include "../../kmod/hw/vmx/ept.c"

long pages_alive;
bool cpu_has_bug;

#define GIB		(1ULL << 30)
#define BASE		(511 * GIB)		/* the window lies across a border of the root's entries */
#define WINDOW		(2 * GIB)
#define MAX_LEAVES	20000

struct leaf {
	u64 gpa;
	u64 entry;
	unsigned int level;
};

struct leaves {
	unsigned int count;
	unsigned long pages, tables;
	struct leaf leaf[MAX_LEAVES];
};

static struct leaves before, after;
static struct tpz_tree tree;

static unsigned int any(unsigned int below)
{
	static u64 seed = 42;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

/* The walker of its own */
static void collect_leaves(struct leaves *l, u64 *table, unsigned int level, u64 gpa)
{
	const struct tpz_npt_format *f = tree.format;
	u64 bytes = 1ULL << (12 + 9 * (level - 1));
	unsigned long here = 0;

	l->tables++;
	for (int i = 0; i < 512; i++) {
		if (!(table[i] & f->present)) {
			CHECK_EQ(table[i], 0ULL);
			continue;
		}
		if (level > 1 && !(table[i] & f->large)) {
			collect_leaves(l, (u64 *)(table[i] & f->address), level - 1, gpa + i * bytes);
			continue;
		}
		CHECK_LE(level, f->max_leaf);
		CHECK_LT(l->count, MAX_LEAVES);
		CHECK_EQ((table[i] & f->address) % bytes, 0ULL);
		l->leaf[l->count++] = (struct leaf){ gpa + i * bytes, table[i], level };
		l->pages += bytes >> 12;
		here++;
	}
	CHECK_EQ(leaves_in(table), here);
}

static void look(struct leaves *l)
{
	l->count = 0;
	l->pages = 0;
	l->tables = 0;
	collect_leaves(l, tree.root, tree.format->levels, 0);
	CHECK_EQ(tree.pages, l->pages);
	CHECK_EQ(tree.tables, l->tables);
	CHECK_EQ((long)l->tables, pages_alive);
}

/* What no member of the format tells: may code run from this leaf? EPT has a bit that permits it, NPT one that forbids it */
static bool executable(u64 entry)
{
	return tree.format == &tpz_ept_format ? entry & BIT_ULL(2) : !(entry & BIT_ULL(63));
}

static u64 bytes_of(const struct leaf *l)
{
	return 1ULL << (12 + 9 * (l->level - 1));
}

static const struct leaf *find(const struct leaves *l, u64 gpa)
{
	for (unsigned int i = 0; i < l->count; i++)
		if (gpa - l->leaf[i].gpa < bytes_of(&l->leaf[i]))
			return &l->leaf[i];
	return NULL;
}

static bool meets(const struct leaf *l, u64 from, u64 to)
{
	return l->gpa < to && from < l->gpa + bytes_of(l);
}

/* Everything outside [from, to), but for leaves that reach into it, is as before */
static void check_outside(u64 from, u64 to, u64 may_differ)
{
	unsigned int i, j = 0;

	for (i = 0; i < before.count; i++) {
		if (meets(&before.leaf[i], from, to))
			continue;
		while (j < after.count && meets(&after.leaf[j], from, to))
			j++;
		CHECK_LT(j, after.count);
		CHECK_EQ(after.leaf[j].gpa, before.leaf[i].gpa);
		CHECK_EQ(after.leaf[j].level, before.leaf[i].level);
		CHECK_EQ(after.leaf[j].entry & ~may_differ, before.leaf[i].entry & ~may_differ);
		j++;
	}
	while (j < after.count && meets(&after.leaf[j], from, to))
		j++;
	CHECK_EQ(j, after.count);
}

static u64 any_gpa(void)
{
	/* Mostly in a few 2 MiB pieces, so that steps meet */
	u64 piece = any(4) ? any(3) * (GIB / 2) + any(2) * (2 << 20) : any(WINDOW >> 21) * (2ULL << 20);

	return BASE + piece + any(512) * 4096ULL;
}

/* What the host maps at an address: contiguous for as long as its largest page */
static u64 host_pa(u64 gpa, unsigned int generation)
{
	return gpa ^ (u64)generation << 41;
}

static void step_map(unsigned int generation)
{
	const struct tpz_npt_format *f = tree.format;
	unsigned int level = 1 + any(f->max_leaf), needed = 0, flushes = 0;
	unsigned int permissions = TPZ_NPT_READ | TPZ_NPT_EXEC | (any(2) ? TPZ_NPT_WRITE : 0);
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	struct tpz_spare spare = {};
	const struct leaf *leaf, *old;
	u64 gpa = any_gpa(), pa, span;
	bool fetch = !any(4);
	int ret;

	if (!any(8))		/* the larger the rarer */
		level = 1;
	old = find(&before, gpa);
	pa = old && any(2) ? (old->entry & f->address) + (gpa - old->gpa) : host_pa(gpa, generation);
	while ((ret = tpz_tree_map(&tree, gpa, pa, level, permissions, fetch, &spare, &zap))) {
		if (ret > 0) {
			CHECK_EQ(spare.count, 0U);
			CHECK_EQ(needed, 0U);		/* asked for once, and all of it */
			needed = ret;
			CHECK_EQ(tpz_spare_fill(&spare, needed), 0);
		} else {
			CHECK_EQ(ret, -EAGAIN);
			CHECK(zap.leaves || zap.table_count);
			CHECK_LT(flushes++, 2U);
		}
	}
	CHECK_EQ(spare.count, 0U);
	tpz_zap_free(&zap, true);
	look(&after);

	leaf = find(&after, gpa);
	CHECK(leaf);
	CHECK_LE(leaf->level, level);
	CHECK_EQ((leaf->entry & f->address) + (gpa - leaf->gpa), pa);
	CHECK(!(permissions & TPZ_NPT_WRITE) || (leaf->entry & f->write));
	CHECK_EQ(leaf->entry & f->accessed, f->accessed);
	if (!cpu_has_bug || leaf->level == 1)
		CHECK(executable(leaf->entry));
	else
		CHECK(!executable(leaf->entry) && !fetch);
	/* What else was in the way of the leaf is gone, and counted */
	old = find(&before, gpa);
	span = old && bytes_of(old) > bytes_of(leaf) ? bytes_of(old) : bytes_of(leaf);
	check_outside(gpa & -span, (gpa & -span) + span, 0);
	CHECK_EQ(zap.leaves, before.count + 1UL - after.count - (old && !zap.leaves));
}

static void step_zap(void)
{
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	u64 from = any_gpa(), to;

	switch (any(4)) {
	case 0:
		to = from + 4096;
		break;
	case 1:
		to = from + any(1024) * 4096ULL;
		break;
	case 2:
		from &= -(2ULL << 20);
		to = from + (any(512) + 1ULL) * (2ULL << 20);
		break;
	default:
		from = any(4) ? from & -GIB : 0;
		to = from + GIB * (1 + any(600));
	}
	tpz_tree_zap(&tree, from, to, &zap);
	/* Until they are freed the tables may still be looked at by a CPU: their content is whole */
	CHECK_EQ((unsigned long)pages_alive, tree.tables + zap.table_count);
	tpz_zap_free(&zap, true);
	look(&after);
	for (unsigned int i = 0; i < after.count; i++)
		CHECK(!meets(&after.leaf[i], from, to));
	check_outside(from, to, 0);
	CHECK_EQ(zap.leaves, before.count - after.count);
	CHECK_EQ(zap.pages, before.pages - after.pages);
	CHECK_EQ(zap.table_count, before.tables - after.tables);
}

static void step_age(void)
{
	const struct tpz_npt_format *f = tree.format;
	u64 from = any_gpa(), to = from + (any(2) ? 4096 : 4096ULL * any(700));
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	bool clear = any(2), young = false, is;

	for (unsigned int i = 0; i < before.count; i++)
		if (meets(&before.leaf[i], from, to))
			young |= !f->accessed || (before.leaf[i].entry & f->accessed);
	is = tpz_tree_age(&tree, from, to, clear, &zap);
	CHECK_EQ(is, young);
	tpz_zap_free(&zap, true);
	look(&after);
	check_outside(from, to, 0);
	CHECK_EQ(before.count - after.count, (unsigned int)zap.leaves);
	CHECK_EQ(before.tables, after.tables);
	if (f->accessed || !clear)
		CHECK_EQ(zap.leaves, 0UL);
	for (unsigned int i = 0; i < after.count; i++)
		if (clear && meets(&after.leaf[i], from, to))
			CHECK_EQ(after.leaf[i].entry & f->accessed, 0ULL);
}

/* A small page is cleaned: it tells whether it was written to, or could have been, and nothing else changes */
static void step_clean(void)
{
	const struct tpz_npt_format *f = tree.format;
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	const struct leaf *was, *is;
	const u64 gpa = any_gpa();
	enum tpz_leaf told;

	was = find(&before, gpa);
	if (was && was->level > 1)
		return;
	told = tpz_tree_clean(&tree, gpa, &zap);
	tpz_zap_free(&zap, true);
	look(&after);
	is = find(&after, gpa);
	check_outside(gpa, gpa + 4096, 0);
	CHECK_EQ(before.tables, after.tables);
	CHECK_EQ(before.count - after.count, (unsigned int)zap.leaves);
	if (!was) {
		CHECK_EQ(told, TPZ_LEAF_NONE);
		return;
	}
	CHECK_EQ(told, was->entry & (f->dirty ?: f->write) ? TPZ_LEAF_DIRTY : TPZ_LEAF_CLEAN);
	if (f->dirty || told == TPZ_LEAF_CLEAN)
		CHECK_EQ(is->entry, was->entry & ~f->dirty);
	else
		CHECK(!is);
}

/* A CPU uses some of the leaves */
static void touch(void)
{
	for (unsigned int i = 0; i < after.count; i++) {
		u64 *table = tree.root, gpa = after.leaf[i].gpa;

		if (any(8))
			continue;
		for (unsigned int level = tree.format->levels; level > after.leaf[i].level; level--)
			table = table_of(tree.format, *entry_at(table, gpa, level));
		*entry_at(table, gpa, after.leaf[i].level) |= tree.format->accessed;
	}
}

static void random_steps(const struct tpz_npt_format *format, bool bug)
{
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);

	cpu_has_bug = bug;
	CHECK_EQ(pages_alive, 0L);
	CHECK_EQ(tpz_tree_create(&tree, format), 0);
	look(&after);
	for (unsigned int step = 0; step < 6000; step++) {
		if (step % 64 == 0)
			touch();
		look(&before);
		switch (any(10)) {
		case 0:
			step_zap();
			break;
		case 1:
		case 2:
			step_age();
			break;
		case 3:
			step_clean();
			break;
		default:
			step_map(any(2));
		}
	}
	CHECK_GT(after.count, 0U);
	tpz_tree_zap_all(&tree, &zap);
	CHECK_EQ(zap.pages, after.pages);
	tpz_zap_free(&zap, true);
	look(&after);
	CHECK_EQ(after.tables, 1UL);
	tpz_tree_destroy(&tree);
	CHECK_EQ(pages_alive, 0L);
}

static void ept_steps(bool accessed, bool large_2m, bool large_1g, unsigned int levels, bool bug)
{
	tpz_ept_init_format(accessed, large_2m, large_1g);
	tpz_ept_format.levels = levels;
	random_steps(&tpz_ept_format, bug);
}

static void small(void)
{
	ept_steps(true, false, false, 4, false);
}

static void large(void)
{
	ept_steps(true, true, false, 4, false);
}

static void giant(void)
{
	ept_steps(true, true, true, 4, false);
}

static void five_levels(void)
{
	ept_steps(true, true, true, 5, false);
}

static void no_accessed_bits(void)
{
	ept_steps(false, true, true, 4, false);
}

static void erratum(void)
{
	ept_steps(true, true, true, 4, true);
}

static void npt_steps(bool la57, bool has_no_execute, bool large_1g)
{
	svm_npt_init_format(la57, has_no_execute, large_1g);
	random_steps(&svm_npt_format, false);
}

static void npt_large(void)
{
	npt_steps(false, true, false);
}

static void npt_giant(void)
{
	npt_steps(false, true, true);
}

static void npt_five_levels(void)
{
	npt_steps(true, true, true);
}

static void npt_no_execute_bit(void)
{
	npt_steps(false, false, true);
}

/* Entries as the manual has them: SDM vol. 3C, tables 28-1 to 28-7 */
static void ept_entries(void)
{
	tpz_ept_init_format(true, true, true);
	CHECK_EQ(tpz_ept_format.leaf(0x123456000, 1, TPZ_NPT_READ), 0x123456071ULL);
	CHECK_EQ(tpz_ept_format.leaf(0x123456000, 1, TPZ_NPT_READ | TPZ_NPT_WRITE | TPZ_NPT_EXEC), 0x123456077ULL);
	CHECK_EQ(tpz_ept_format.leaf(0x123400000, 2, TPZ_NPT_READ | TPZ_NPT_WRITE), 0x1234000f3ULL);
	CHECK_EQ(tpz_ept_format.leaf(0x140000000, 3, TPZ_NPT_READ | TPZ_NPT_EXEC), 0x1400000f5ULL);
	CHECK_EQ(tpz_ept_format.table(0x123456000), 0x123456007ULL);
	CHECK_EQ(tpz_ept_format.accessed, 0x100ULL);
	CHECK_EQ(tpz_ept_format.dirty, 0x200ULL);
	CHECK_EQ(tpz_ept_format.max_leaf, 3U);
	tpz_ept_init_format(false, true, false);
	CHECK_EQ(tpz_ept_format.accessed, 0ULL);
	CHECK_EQ(tpz_ept_format.max_leaf, 2U);
}

/* AMD APM vol. 2, 5.3 (figures 5-20 to 5-25) and 15.25.5: each entry is a user's, or no guest may touch it */
static void npt_entries(void)
{
	const u64 nx = 1ULL << 63;

	svm_npt_init_format(false, true, true);
	CHECK_EQ(svm_npt_format.leaf(0x123456000, 1, TPZ_NPT_READ), nx | 0x123456005ULL);
	CHECK_EQ(svm_npt_format.leaf(0x123456000, 1, TPZ_NPT_READ | TPZ_NPT_EXEC), 0x123456005ULL);
	CHECK_EQ(svm_npt_format.leaf(0x123456000, 1, TPZ_NPT_READ | TPZ_NPT_WRITE | TPZ_NPT_EXEC), 0x123456007ULL);
	CHECK_EQ(svm_npt_format.leaf(0x123400000, 2, TPZ_NPT_READ | TPZ_NPT_WRITE), nx | 0x123400087ULL);
	CHECK_EQ(svm_npt_format.leaf(0x140000000, 3, TPZ_NPT_READ | TPZ_NPT_EXEC), 0x140000085ULL);
	CHECK_EQ(svm_npt_format.table(0x123456000), 0x123456007ULL);
	CHECK_EQ(svm_npt_format.present, 0x1ULL);
	CHECK_EQ(svm_npt_format.write, 0x2ULL);
	CHECK_EQ(svm_npt_format.accessed, 0x20ULL);
	CHECK_EQ(svm_npt_format.dirty, 0x40ULL);
	CHECK_EQ(svm_npt_format.large, 0x80ULL);
	CHECK_EQ(svm_npt_format.levels, 4U);
	CHECK_EQ(svm_npt_format.max_leaf, 3U);
	/* Without EFER.NXE bit 63 is reserved: an entry that set it would fault for ever */
	svm_npt_init_format(true, false, false);
	CHECK_EQ(svm_npt_format.leaf(0x123456000, 1, TPZ_NPT_READ), 0x123456005ULL);
	CHECK_EQ(svm_npt_format.levels, 5U);
	CHECK_EQ(svm_npt_format.max_leaf, 2U);
}

static const struct ktap_case cases[] = {
	{ "EPT entries", ept_entries },
	{ "4 KiB leaves", small },
	{ "2 MiB leaves", large },
	{ "1 GiB leaves", giant },
	{ "five levels", five_levels },
	{ "no accessed bits", no_accessed_bits },
	{ "no executable large leaves", erratum },
	{ "NPT entries", npt_entries },
	{ "NPT: 2 MiB leaves", npt_large },
	{ "NPT: 1 GiB leaves", npt_giant },
	{ "NPT: five levels", npt_five_levels },
	{ "NPT: no no-execute bit", npt_no_execute_bit },
};

KTAP_MAIN(cases)
