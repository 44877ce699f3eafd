// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR: the processor's own registers. time/ and irq/ have tables of the same shape for theirs; exit.c
 * joins them. What no table knows raises #GP, as on a CPU that lacks the register.
 *
 * The hardware's bitmap lets the guest reach FS and GS base alone without a trap; all else comes here.
 */
#include "internal.h"

/* ---- registers of segments, in the backend's keeping */

static int read_base(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = tpz_seg(v, index == MSR_FS_BASE ? TPZ_FS : TPZ_GS)->base;
	return 0;
}

static int write_base(struct tpz_vcpu *v, u32 index, u64 value)
{
	const unsigned int seg = index == MSR_FS_BASE ? TPZ_FS : TPZ_GS;

	if (!tpz_canonical(value))
		return -EINVAL;
	tpz_fetch(v, TPZ_P_SEG(seg));
	v->s.seg[seg].base = value;
	tpz_dirty(v, TPZ_P_SEG(seg));
	return 0;
}

/* ---- SYSCALL, SWAPGS, SYSENTER, PAT: words of v->s, each with a rule for what may be written */

static bool any_value(u64 value)
{
	return true;
}

static bool low_half(u64 value)
{
	return !(value >> 32);
}

/* SDM vol. 3A, table 12-10: eight memory types, 2 and 3 are reserved */
bool tpz_pat_valid(u64 pat)
{
	unsigned int i;

	for (i = 0; i < 8; i++, pat >>= 8) {
		const u8 type = pat;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static const struct word {
	u32 index;
	u32 part;
	size_t offset;
	bool (*valid)(u64 value);
} words[] = {
#define W(msr, part, member, valid)	{ msr, part, offsetof(struct tpz_cpu_state, member), valid }
	W(MSR_IA32_SYSENTER_CS,	 TPZ_P_SYSENTER,  sysenter_cs,	  low_half),
	W(MSR_IA32_SYSENTER_ESP, TPZ_P_SYSENTER,  sysenter_esp,	  tpz_canonical),
	W(MSR_IA32_SYSENTER_EIP, TPZ_P_SYSENTER,  sysenter_eip,	  tpz_canonical),
	W(MSR_IA32_CR_PAT,	 TPZ_P_PAT,	  pat,		  tpz_pat_valid),
	W(MSR_STAR,		 TPZ_P_SYSCALL,	  star,		  any_value),
	W(MSR_LSTAR,		 TPZ_P_SYSCALL,	  lstar,	  tpz_canonical),
	W(MSR_CSTAR,		 TPZ_P_SYSCALL,	  cstar,	  tpz_canonical),
	W(MSR_SYSCALL_MASK,	 TPZ_P_SYSCALL,	  fmask,	  low_half),
	W(MSR_KERNEL_GS_BASE,	 TPZ_P_KERNEL_GS, kernel_gs_base, tpz_canonical),
	W(MSR_TSC_AUX,		 TPZ_P_SYSCALL,	  tsc_aux,	  low_half),
#undef W
};

static const struct word *find_word(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].index == index)
			return &words[i];
	return NULL;
}

static u64 *word_of(struct tpz_vcpu *v, const struct word *w)
{
	return (void *)&v->s + w->offset;
}

static int read_word(struct tpz_vcpu *v, u32 index, u64 *value)
{
	const struct word *w = find_word(index);

	if (!w)
		return -EINVAL;
	tpz_fetch(v, w->part);
	*value = *word_of(v, w);
	return 0;
}

static int write_word(struct tpz_vcpu *v, u32 index, u64 value)
{
	const struct word *w = find_word(index);

	if (!w || !w->valid(value))
		return -EINVAL;
	/* The part's other words must be right before it is called dirty */
	tpz_fetch(v, w->part);
	*word_of(v, w) = value;
	tpz_dirty(v, w->part);
	return 0;
}

/* TSC_AUX comes with RDTSCP or RDPID */
static bool has_tsc_aux(const struct tpz_vcpu *v)
{
	return tpz_guest_has(v, X86_FEATURE_RDTSCP) || tpz_guest_has(v, X86_FEATURE_RDPID);
}

static int read_tsc_aux(struct tpz_vcpu *v, u32 index, u64 *value)
{
	return has_tsc_aux(v) ? read_word(v, index, value) : -EINVAL;
}

static int write_tsc_aux(struct tpz_vcpu *v, u32 index, u64 value)
{
	return has_tsc_aux(v) ? write_word(v, index, value) : -EINVAL;
}

static int read_efer(struct tpz_vcpu *v, u32 index, u64 *value)
{
	tpz_fetch(v, TPZ_P_EFER);
	*value = v->s.efer;
	return 0;
}

static int write_efer(struct tpz_vcpu *v, u32 index, u64 value)
{
	return tpz_set_efer(v, value);
}

/* ---- registers that say something and hold nothing */

static int read_zero(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = 0;
	return 0;
}

static int write_zero(struct tpz_vcpu *v, u32 index, u64 value)
{
	return value ? -EINVAL : 0;
}

/*
 * The microcode's revision. Linux reads it after WRMSR 0 and CPUID 1 without a net below it (intel_get_microcode_revision).
 * The host's own would tell a guest which of its processor's errors are mended.
 */
static int read_microcode(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = 1ULL << 32;
	return 0;
}

/* Fast strings are on; no branch trace store, no PEBS. A write may only confirm it */
#define MISC_ENABLE	(MSR_IA32_MISC_ENABLE_FAST_STRING | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | \
			 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

static int read_misc_enable(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = MISC_ENABLE;
	return 0;
}

static int write_misc_enable(struct tpz_vcpu *v, u32 index, u64 value)
{
	return value == MISC_ENABLE ? 0 : -EINVAL;
}

/*
 * AMD's CPUs only: what Linux reads there without a net. HWCR bit 24: the TSC counts at the rate of P0.
 * DE_CFG bit 1: LFENCE is serializing.
 */
static bool amd(const struct tpz_vcpu *v)
{
	return !v->processor->cpuid.intel;
}

static int read_amd(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!amd(v))
		return -EINVAL;
	*value = index == MSR_K7_HWCR ? BIT_ULL(24) : index == MSR_AMD64_DE_CFG ? BIT_ULL(1) : 0;
	return 0;
}

static int write_amd(struct tpz_vcpu *v, u32 index, u64 value)
{
	u64 is;

	return read_amd(v, index, &is) || value != is ? -EINVAL : 0;
}

/* By index */
const struct tpz_msr tpz_cpu_msrs[] = {
	{ MSR_IA32_PLATFORM_ID,	 MSR_IA32_PLATFORM_ID,	  false, read_zero,	   NULL },
	{ MSR_IA32_UCODE_REV,	 MSR_IA32_UCODE_REV,	  false, read_microcode,   write_zero },
	{ MSR_IA32_SYSENTER_CS,	 MSR_IA32_SYSENTER_EIP,	  false, read_word,	   write_word },
	{ MSR_IA32_MISC_ENABLE,	 MSR_IA32_MISC_ENABLE,	  false, read_misc_enable, write_misc_enable },
	/* No LBR, no BTF; with 0 in it, it is as after reset */
	{ MSR_IA32_DEBUGCTLMSR,	 MSR_IA32_DEBUGCTLMSR,	  false, read_zero,	   write_zero },
	{ MSR_IA32_CR_PAT,	 MSR_IA32_CR_PAT,	  false, read_word,	   write_word },
	{ MSR_EFER,		 MSR_EFER,		  false, read_efer,	   write_efer },
	{ MSR_STAR,		 MSR_SYSCALL_MASK,	  false, read_word,	   write_word },
	{ MSR_FS_BASE,		 MSR_GS_BASE,		  false, read_base,	   write_base },
	{ MSR_KERNEL_GS_BASE,	 MSR_KERNEL_GS_BASE,	  false, read_word,	   write_word },
	{ MSR_TSC_AUX,		 MSR_TSC_AUX,		  false, read_tsc_aux,	   write_tsc_aux },
	{ MSR_AMD64_SYSCFG,	 MSR_AMD64_SYSCFG,	  false, read_amd,	   write_amd },
	{ MSR_K7_HWCR,		 MSR_K7_HWCR,		  false, read_amd,	   write_amd },
	{ MSR_AMD64_DE_CFG,	 MSR_AMD64_DE_CFG,	  false, read_amd,	   write_amd },
	{ 1, 0 }
};

/* ---- handlers. ECX: the index; EDX:EAX: the value. The privilege level was checked before the trap */

static enum tpz_next do_read(struct tpz_vcpu *v, bool may_sleep)
{
	u64 value;
	int ret = tpz_msr_read(v, v->s.gpr[TPZ_RCX], &value, may_sleep);

	if (ret == -EAGAIN && !may_sleep)
		return TPZ_SLOW;
	if (ret)
		return tpz_inject_gp(v);
	v->s.gpr[TPZ_RAX] = (u32)value;
	v->s.gpr[TPZ_RDX] = value >> 32;
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

static enum tpz_next do_write(struct tpz_vcpu *v, bool may_sleep)
{
	const u64 value = (u32)v->s.gpr[TPZ_RAX] | v->s.gpr[TPZ_RDX] << 32;
	int ret = tpz_msr_write(v, v->s.gpr[TPZ_RCX], value, may_sleep);

	if (ret == -EAGAIN && !may_sleep)
		return TPZ_SLOW;
	if (ret)
		return tpz_inject_gp(v);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

TPZ_HANDLER(tpz_on_msr_read_fast)
{
	return do_read(v, false);
}

TPZ_HANDLER(tpz_on_msr_read)
{
	return do_read(v, true);
}

TPZ_HANDLER(tpz_on_msr_write_fast)
{
	return do_write(v, false);
}

TPZ_HANDLER(tpz_on_msr_write)
{
	return do_write(v, true);
}
