// SPDX-License-Identifier: GPL-2.0
/*
 * The format of the extended page table (SDM vol. 3C, section 28.3.2, "EPT Translation Mechanism").
 */
#include <linux/cache.h>
#include "ept.h"

#define EPT_READ	BIT_ULL(0)
#define EPT_WRITE	BIT_ULL(1)
#define EPT_EXEC	BIT_ULL(2)
#define EPT_WRITE_BACK	(6ULL << 3)	/* memory type of a leaf */
#define EPT_IGNORE_PAT	BIT_ULL(6)	/* the leaf's memory type overrules the guest's PAT */
#define EPT_LARGE	BIT_ULL(7)
#define EPT_ACCESSED	BIT_ULL(8)
#define EPT_DIRTY	BIT_ULL(9)
#define EPT_ADDRESS	GENMASK_ULL(51, 12)

/*
 * Guest memory is always ordinary memory of the host, and stays write-back whatever the guest asks for: no two mappings
 * of a page disagree. Devices passed through to guests will need the guest's own types.
 *
 * Writable but not readable would be a misconfiguration: each leaf is readable.
 */
static u64 ept_leaf(u64 pa, unsigned int level, unsigned int permissions)
{
	u64 entry = (pa & EPT_ADDRESS) | EPT_READ | EPT_WRITE_BACK | EPT_IGNORE_PAT;

	if (permissions & TPZ_NPT_WRITE)
		entry |= EPT_WRITE;
	if (permissions & TPZ_NPT_EXEC)
		entry |= EPT_EXEC;
	if (level > 1)
		entry |= EPT_LARGE;
	return entry;
}

static u64 ept_table(u64 pa)
{
	return (pa & EPT_ADDRESS) | EPT_READ | EPT_WRITE | EPT_EXEC;
}

struct tpz_npt_format tpz_ept_format __ro_after_init = {
	.name = "EPT",
	.levels = 4,
	.max_leaf = 1,
	.present = EPT_READ | EPT_WRITE | EPT_EXEC,
	.write = EPT_WRITE,
	.large = EPT_LARGE,
	.address = EPT_ADDRESS,
	.leaf = ept_leaf,
	.table = ept_table,
};

void tpz_ept_init_format(bool accessed_dirty, bool large_2m, bool large_1g)
{
	tpz_ept_format.accessed = accessed_dirty ? EPT_ACCESSED : 0;
	tpz_ept_format.dirty = accessed_dirty ? EPT_DIRTY : 0;
	tpz_ept_format.max_leaf = large_2m ? (large_1g ? 3 : 2) : 1;
}
