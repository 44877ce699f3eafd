/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The format of the extended page table (SDM vol. 3C, section 28.3.2, "EPT Translation Mechanism").
 */
#ifndef TPZ_HW_VMX_EPT_H
#define TPZ_HW_VMX_EPT_H

#include "../npt.h"

extern struct tpz_npt_format tpz_ept_format;	/* constant after tpz_ept_init_format() */

/**
 * tpz_ept_init_format() - what this CPU's IA32_VMX_EPT_VPID_CAP permits
 * @accessed_dirty: the EPTP will switch accessed and dirty flags on (bit 6)
 * @large_2m, @large_1g: entries of these levels may map pages
 */
void tpz_ept_init_format(bool accessed_dirty, bool large_2m, bool large_1g);

#endif /* TPZ_HW_VMX_EPT_H */
