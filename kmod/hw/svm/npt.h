/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The format of SVM's nested page table (AMD APM vol. 2, 15.25, "Nested Paging").
 */
#ifndef TPZ_HW_SVM_NPT_H
#define TPZ_HW_SVM_NPT_H

#include "../npt.h"

extern struct tpz_npt_format svm_npt_format;	/* constant after svm_npt_init_format() */

/**
 * svm_npt_init_format() - what this host's paging mode permits, which the nested walk shares (15.25.3)
 * @la57: the host pages with five levels, so the nested table has five
 * @has_no_execute: the host's EFER.NXE is set; without it bit 63 of an entry is reserved
 * @large_1g: the CPU has 1 GiB pages
 */
void svm_npt_init_format(bool la57, bool has_no_execute, bool large_1g);

#endif /* TPZ_HW_SVM_NPT_H */
