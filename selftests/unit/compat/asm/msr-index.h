/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPAT_ASM_MSR_INDEX_H
#define COMPAT_ASM_MSR_INDEX_H

#define EFER_SCE		(1 << 0)
#define EFER_LME		(1 << 8)
#define EFER_LMA		(1 << 10)
#define EFER_NX			(1 << 11)
#define EFER_SVME		(1 << 12)

#define DEBUGCTLMSR_LBR		(1UL << 0)
#define DEBUGCTLMSR_BTF		(1UL << 1)

#endif
