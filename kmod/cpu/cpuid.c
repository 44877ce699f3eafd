// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as the guest runs it: an answer of the table (cpuid_table.c), with what CR4 and XCR0 change in it; and what else
 * follows from the features: which bits of CR4 and EFER exist, how wide addresses are.
 */
#include <linux/uaccess.h>
#include "internal.h"

enum { EAX, EBX, ECX, EDX };

#define F(name)		BIT(X86_FEATURE_##name % 32)

/* ---- the lookup */

static const struct tpz_cpuid_entry *lookup(const struct tpz_cpuid_table *t, u32 leaf, u32 subleaf)
{
	const u64 key = (u64)leaf << 32 | subleaf;
	unsigned int low = 0, high = t->count;

	/* The last entry that is not greater */
	while (high - low > 1) {
		const unsigned int middle = (low + high) / 2;
		const struct tpz_cpuid_entry *e = &t->entries[middle];

		if (((u64)e->leaf << 32 | e->subleaf) <= key)
			low = middle;
		else
			high = middle;
	}
	return &t->entries[low];
}

/*
 * tpz_cpuid_find() - one answer of the table, before what depends on CR4 and XCR0
 *
 * A leaf beyond the last is answered as Intel's CPUs do, by the last basic leaf (SDM vol. 2A, CPUID), and with zeroes
 * as AMD's do; hypervisor leaves that nobody defined are zero on both.
 */
bool tpz_cpuid_find(const struct tpz_vcpu *v, u32 leaf, u32 subleaf, u32 regs[4])
{
	const struct tpz_cpuid_table *t = &v->processor->cpuid;
	const struct tpz_cpuid_entry *e;

	memset(regs, 0, 4 * sizeof(*regs));
	if (!t->amd && (leaf > t->max_extended || (leaf > t->max_basic && leaf < 0x80000000 &&
						    (v->vm->hidden || leaf >> 28 != 4))))
		leaf = t->max_basic;
	e = lookup(t, leaf, subleaf);
	if (e->leaf != leaf)
		return false;
	if ((e->flags & TPZ_CPUID_SUBLEAF) && e->subleaf != subleaf) {
		/* Levels of topology beyond the last keep the identifier and echo the level */
		if (leaf == 0xb || leaf == 0x1f) {
			regs[ECX] = subleaf & 0xff;
			regs[EDX] = e->edx;
		}
		return false;
	}
	regs[EAX] = e->eax;
	regs[EBX] = e->ebx;
	regs[ECX] = e->ecx;
	regs[EDX] = e->edx;
	return true;
}

/* Bytes of an XSAVE area for @xcr0: up to the end of the last component, or all packed together (SDM vol. 1, 13.4) */
static u32 xsave_bytes(const struct tpz_vcpu *v, u64 xcr0, bool compacted)
{
	u32 end = XSAVE_AREA_LEGACY_BYTES;
	u64 left = xcr0 & ~(u64)XFEATURE_MASK_FPSSE;
	u32 regs[4];

	while (left) {
		const unsigned int i = __ffs64(left);

		left &= left - 1;
		tpz_cpuid_find(v, 0xd, i, regs);
		if (!compacted)
			end = max(end, regs[EBX] + regs[EAX]);
		else if (regs[ECX] & BIT(1))
			end = ALIGN(end, 64) + regs[EAX];
		else
			end += regs[EAX];
	}
	return end;
}

/* What the guest's own settings change in the answer */
static void dynamic(struct tpz_vcpu *v, u32 leaf, u32 subleaf, u32 regs[4])
{
	switch (leaf) {
	case 0x1:
		tpz_fetch(v, TPZ_P_CR4);
		if (v->s.cr4 & X86_CR4_OSXSAVE)
			regs[ECX] |= F(OSXSAVE);
		if (!(v->apic_base & MSR_IA32_APICBASE_ENABLE))
			regs[EDX] &= ~F(APIC);
		break;
	case 0x7:
		tpz_fetch(v, TPZ_P_CR4);
		if (subleaf == 0 && (v->s.cr4 & X86_CR4_PKE))
			regs[ECX] |= F(OSPKE);
		break;
	case 0xd:
		if (subleaf < 2)
			regs[EBX] = xsave_bytes(v, v->s.xcr0, subleaf == 1);
		break;
	}
}

TPZ_HANDLER(tpz_on_cpuid)
{
	const u32 leaf = v->s.gpr[TPZ_RAX];
	const u32 subleaf = v->s.gpr[TPZ_RCX];
	u32 regs[4];

	if (tpz_cpuid_find(v, leaf, subleaf, regs))
		dynamic(v, leaf, subleaf, regs);
	v->s.gpr[TPZ_RAX] = regs[EAX];
	v->s.gpr[TPZ_RBX] = regs[EBX];
	v->s.gpr[TPZ_RCX] = regs[ECX];
	v->s.gpr[TPZ_RDX] = regs[EDX];
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/* ---- what follows from the features */

u64 tpz_cr4_allowed(const struct tpz_vcpu *v)
{
	static const struct { unsigned int feature; u64 bits; } by_feature[] = {
		{ X86_FEATURE_VME,	X86_CR4_VME | X86_CR4_PVI },
		{ X86_FEATURE_TSC,	X86_CR4_TSD },
		{ X86_FEATURE_DE,	X86_CR4_DE },
		{ X86_FEATURE_PSE,	X86_CR4_PSE },
		{ X86_FEATURE_PAE,	X86_CR4_PAE },
		{ X86_FEATURE_PGE,	X86_CR4_PGE },
		{ X86_FEATURE_FXSR,	X86_CR4_OSFXSR },
		{ X86_FEATURE_XMM,	X86_CR4_OSXMMEXCPT },
		{ X86_FEATURE_UMIP,	X86_CR4_UMIP },
		{ X86_FEATURE_FSGSBASE,	X86_CR4_FSGSBASE },
		{ X86_FEATURE_PCID,	X86_CR4_PCIDE },
		{ X86_FEATURE_XSAVE,	X86_CR4_OSXSAVE },
		{ X86_FEATURE_SMEP,	X86_CR4_SMEP },
		{ X86_FEATURE_SMAP,	X86_CR4_SMAP },
		{ X86_FEATURE_PKU,	X86_CR4_PKE },
	};
	u64 allowed = X86_CR4_PCE;	/* has no CPUID bit; RDPMC raises #GP whatever it says */
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(by_feature); i++)
		if (tpz_guest_has(v, by_feature[i].feature))
			allowed |= by_feature[i].bits;
	return allowed;
}

u64 tpz_efer_allowed(const struct tpz_vcpu *v)
{
	u64 allowed = EFER_SCE | EFER_LME | EFER_LMA;

	if (tpz_guest_has(v, X86_FEATURE_NX))
		allowed |= EFER_NX;
	if (tpz_guest_has(v, X86_FEATURE_FXSR_OPT))
		allowed |= EFER_FFXSR;
	return allowed;
}

unsigned int tpz_guest_phys_bits(const struct tpz_vcpu *v)
{
	return v->processor->cpuid.phys_bits;
}

/*
 * tpz_cpuid_copy() - the table to user space
 * Return: its length, of which no more than @capacity entries were copied; or -EFAULT.
 */
long tpz_cpuid_copy(struct tpz_vcpu *v, struct tpz_cpuid_entry __user *to, u32 capacity)
{
	const struct tpz_cpuid_table *t = &v->processor->cpuid;
	const u32 n = min(capacity, t->count);

	if (copy_to_user(to, t->entries, n * sizeof(*to)))
		return -EFAULT;
	return t->count;
}
