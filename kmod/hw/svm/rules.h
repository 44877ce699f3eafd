/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of VMRUN: what the APM asks of a VMCB before a guest may run.
 *
 * A CPU that refuses an entry says only "invalid". These rules say which sentence of the manual was broken. Their shape is
 * ../rules.h; a context's @caps is a struct svm_caps, its fields are those of vmcb.h.
 *
 * Sections are those of the APM, volume 2 (24593), revision 3.43. The list of 15.5.1 is the chapter's core; other sections
 * add to it.
 *
 * Left out, as no field tells of it: U_CET, which guests share with the host's MSR (CR4.CET with U_CET.SS in virtual-8086
 * mode); the PDPEs of a PAE guest without nested paging; a host without paging (15.25.3) and a processor without long mode,
 * which are none of ours; guests whose state is encrypted (15.34 to 15.36). A CPU may judge by what it kept of parts that
 * are marked clean, the rules judge by what stands in the VMCB.
 */
#ifndef TPZ_HW_SVM_RULES_H
#define TPZ_HW_SVM_RULES_H

#include "../rules.h"

extern const struct tpz_rule_book svm_rule_book;

#endif /* TPZ_HW_SVM_RULES_H */
