// SPDX-License-Identifier: GPL-2.0
/*
 * The format of SVM's nested page table: that of the host's own page table in long mode (AMD APM vol. 2, 15.25 and 5.3).
 */
#include <linux/cache.h>
#include "npt.h"

#define NPT_PRESENT	BIT_ULL(0)
#define NPT_WRITE	BIT_ULL(1)
#define NPT_USER	BIT_ULL(2)
#define NPT_ACCESSED	BIT_ULL(5)
#define NPT_DIRTY	BIT_ULL(6)
#define NPT_LARGE	BIT_ULL(7)
#define NPT_NO_EXECUTE	BIT_ULL(63)
#define NPT_ADDRESS	GENMASK_ULL(51, 12)

static u64 no_execute;		/* NPT_NO_EXECUTE, or 0 where the host has no such bit */

/*
 * A guest's access counts as a user's whatever its privilege (15.25.5): each entry has the user bit.
 *
 * PWT, PCD and PAT are clear: entry 0 of the host's PAT, which Linux keeps at write-back. The guest's own type is combined
 * with it (15.25.8).
 */
static u64 npt_leaf(u64 pa, unsigned int level, unsigned int permissions)
{
	u64 entry = (pa & NPT_ADDRESS) | NPT_PRESENT | NPT_USER;

	if (permissions & TPZ_NPT_WRITE)
		entry |= NPT_WRITE;
	if (!(permissions & TPZ_NPT_EXEC))
		entry |= no_execute;
	if (level > 1)
		entry |= NPT_LARGE;
	return entry;
}

static u64 npt_table(u64 pa)
{
	return (pa & NPT_ADDRESS) | NPT_PRESENT | NPT_WRITE | NPT_USER;
}

struct tpz_npt_format svm_npt_format __ro_after_init = {
	.name = "NPT",
	.levels = 4,
	.max_leaf = 2,		/* long mode always has 2 MiB pages */
	.present = NPT_PRESENT,
	.write = NPT_WRITE,
	.accessed = NPT_ACCESSED,
	.dirty = NPT_DIRTY,
	.large = NPT_LARGE,
	.address = NPT_ADDRESS,
	.leaf = npt_leaf,
	.table = npt_table,
};

void svm_npt_init_format(bool la57, bool has_no_execute, bool large_1g)
{
	svm_npt_format.levels = la57 ? 5 : 4;
	svm_npt_format.max_leaf = large_1g ? 3 : 2;
	no_execute = has_no_execute ? NPT_NO_EXECUTE : 0;
}
