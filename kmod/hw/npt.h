/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The format of a nested page table, as data: what mem/ walks. Pure, so that the walker has a unit test.
 */
#ifndef TPZ_NPT_H
#define TPZ_NPT_H

#include <linux/bits.h>
#include <linux/types.h>

/* What a leaf of the nested page table permits */
#define TPZ_NPT_READ	BIT(0)
#define TPZ_NPT_WRITE	BIT(1)
#define TPZ_NPT_EXEC	BIT(2)

/**
 * struct tpz_npt_format - one of the formats of the nested page table that mem/ walks
 * @levels: 4 (48-bit guest-physical addresses) or 5
 * @max_leaf: largest level that may hold a leaf: 1: 4 KiB, 2: 2 MiB, 3: 1 GiB
 * @present: an entry is present if any of these bits is set
 * @write: the bit that permits writes
 * @accessed, @dirty: bits that the CPU sets, or 0 where it has none
 * @large: the bit that tells a leaf above level 1
 * @address: the bits of an entry that hold a physical address
 * @leaf: makes a leaf: physical address, level, TPZ_NPT_*
 * @table: makes an entry that points to the next level's table
 */
struct tpz_npt_format {
	const char *name;
	unsigned int levels;
	unsigned int max_leaf;
	u64 present;
	u64 write;
	u64 accessed;
	u64 dirty;
	u64 large;
	u64 address;
	u64 (*leaf)(u64 pa, unsigned int level, unsigned int permissions);
	u64 (*table)(u64 pa);
};

#endif /* TPZ_NPT_H */
