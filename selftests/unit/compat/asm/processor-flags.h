/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPAT_ASM_PROCESSOR_FLAGS_H
#define COMPAT_ASM_PROCESSOR_FLAGS_H

#define X86_EFLAGS_CF		(1UL << 0)
#define X86_EFLAGS_FIXED	(1UL << 1)
#define X86_EFLAGS_PF		(1UL << 2)
#define X86_EFLAGS_AF		(1UL << 4)
#define X86_EFLAGS_ZF		(1UL << 6)
#define X86_EFLAGS_SF		(1UL << 7)
#define X86_EFLAGS_TF		(1UL << 8)
#define X86_EFLAGS_IF		(1UL << 9)
#define X86_EFLAGS_DF		(1UL << 10)
#define X86_EFLAGS_OF		(1UL << 11)
#define X86_EFLAGS_IOPL		(3UL << 12)
#define X86_EFLAGS_VM		(1UL << 17)

#define X86_CR0_PE		(1UL << 0)
#define X86_CR0_MP		(1UL << 1)
#define X86_CR0_EM		(1UL << 2)
#define X86_CR0_TS		(1UL << 3)
#define X86_CR0_ET		(1UL << 4)
#define X86_CR0_NE		(1UL << 5)
#define X86_CR0_WP		(1UL << 16)
#define X86_CR0_AM		(1UL << 18)
#define X86_CR0_NW		(1UL << 29)
#define X86_CR0_CD		(1UL << 30)
#define X86_CR0_PG		(1UL << 31)

#define X86_CR4_PAE		(1UL << 5)
#define X86_CR4_VMXE		(1UL << 13)
#define X86_CR4_PCIDE_BIT	17
#define X86_CR4_PCIDE		(1UL << X86_CR4_PCIDE_BIT)
#define X86_CR4_CET		(1UL << 23)

#endif
