// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR: the processor's own registers. time/ and irq/ have tables of the same shape for theirs; exit.c
 * joins them. What no table knows raises #GP, as on a CPU that lacks the register.
 *
 * The hardware's bitmap lets the guest reach the few of tpz_passed_msrs[] (hw/switch.c) without a trap; all else comes here.
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

/* @amd_has_half: AMD's CPUs implement the lower half alone (no SYSENTER in long mode), and ignore what is written above */
static const struct word {
	u32 index;
	u32 part;
	size_t offset;
	bool (*valid)(u64 value);
	bool amd_has_half;
} words[] = {
#define W(msr, part, member, valid, half)	{ msr, part, offsetof(struct tpz_cpu_state, member), valid, half }
	W(MSR_IA32_SYSENTER_CS,	 TPZ_P_SYSENTER,  sysenter_cs,	  low_half,	 true),
	W(MSR_IA32_SYSENTER_ESP, TPZ_P_SYSENTER,  sysenter_esp,	  tpz_canonical, true),
	W(MSR_IA32_SYSENTER_EIP, TPZ_P_SYSENTER,  sysenter_eip,	  tpz_canonical, true),
	W(MSR_IA32_CR_PAT,	 TPZ_P_PAT,	  pat,		  tpz_pat_valid, false),
	W(MSR_STAR,		 TPZ_P_SYSCALL,	  star,		  any_value,	 false),
	W(MSR_LSTAR,		 TPZ_P_SYSCALL,	  lstar,	  tpz_canonical, false),
	W(MSR_CSTAR,		 TPZ_P_SYSCALL,	  cstar,	  tpz_canonical, false),
	W(MSR_SYSCALL_MASK,	 TPZ_P_SYSCALL,	  fmask,	  low_half,	 false),
	W(MSR_KERNEL_GS_BASE,	 TPZ_P_KERNEL_GS, kernel_gs_base, tpz_canonical, false),
	W(MSR_TSC_AUX,		 TPZ_P_SYSCALL,	  tsc_aux,	  low_half,	 true),
#undef W
};

static bool amd(const struct tpz_vcpu *v)
{
	return v->processor->cpuid.amd;
}

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

	if (!w)
		return -EINVAL;
	if (w->amd_has_half && amd(v))
		value = (u32)value;
	if (!w->valid(value))
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
 * The host's own would tell a guest which of its processor's errors are mended. AMD's CPUs have it in the lower half, and
 * no way to write it here.
 */
static int read_microcode(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = amd(v) ? 0 : 1ULL << 32;
	return 0;
}

static int write_microcode(struct tpz_vcpu *v, u32 index, u64 value)
{
	return value || amd(v) ? -EINVAL : 0;
}

/* Fast strings are on; no branch trace store, no PEBS */
#define MISC_ENABLE	(MSR_IA32_MISC_ENABLE_FAST_STRING | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | \
			 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/* What AMD's CPUs do not have. A write may only confirm the value */
static int read_intel(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = index == MSR_IA32_MISC_ENABLE ? MISC_ENABLE : 0;
	return amd(v) ? -EINVAL : 0;
}

static int write_misc_enable(struct tpz_vcpu *v, u32 index, u64 value)
{
	return amd(v) || value != MISC_ENABLE ? -EINVAL : 0;
}

/*
 * AMD's CPUs only: what stock systems read there without a net, with the values after reset (APM vol. 2, appendix A; BKDGs).
 * Bits of @ignored may be written, and stay as they are: no guest can see what they would do.
 */
static const struct amd_register {
	u32 index;
	u64 value;
	u64 ignored;
} amd_registers[] = {
	{ MSR_AMD64_SYSCFG },
	/* The TSC counts at the rate of P0. Linux sets FFDIS on family 0Fh */
	{ MSR_K7_HWCR, BIT_ULL(24), BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8) },
	{ MSR_K8_TOP_MEM1 },
	{ MSR_K7_CLK_CTL, 0x20000000 },
	{ MSR_K8_TOP_MEM2 },
	{ MSR_AMD64_NB_CFG, 0, BIT_ULL(46) },		/* extended configuration space by ports */
	{ MSR_K8_INT_PENDING_MSG },
	{ MSR_FAM10H_MMIO_CONF_BASE },
	{ MSR_VM_CR, BIT_ULL(3) | BIT_ULL(4) },		/* SVM is disabled, and that is locked */
	/* LFENCE is serializing. Linux turns work-arounds of a Zen's errors on and off */
	{ MSR_AMD64_DE_CFG, BIT_ULL(1), BIT_ULL(9) | BIT_ULL(31) },
};

static const struct amd_register *find_amd(const struct tpz_vcpu *v, u32 index)
{
	unsigned int i;

	for (i = 0; amd(v) && i < ARRAY_SIZE(amd_registers); i++)
		if (amd_registers[i].index == index)
			return &amd_registers[i];
	return NULL;
}

static int read_amd(struct tpz_vcpu *v, u32 index, u64 *value)
{
	const struct amd_register *r = find_amd(v, index);

	if (!r)
		return -EINVAL;
	*value = r->value;
	return 0;
}

static int write_amd(struct tpz_vcpu *v, u32 index, u64 value)
{
	const struct amd_register *r = find_amd(v, index);

	return r && !((value ^ r->value) & ~r->ignored) ? 0 : -EINVAL;
}

/* By index */
const struct tpz_msr tpz_cpu_msrs[] = {
	{ MSR_IA32_PLATFORM_ID,	 MSR_IA32_PLATFORM_ID,	  false, read_intel,	   NULL },
	{ MSR_IA32_UCODE_REV,	 MSR_IA32_UCODE_REV,	  false, read_microcode,   write_microcode },
	{ MSR_IA32_SYSENTER_CS,	 MSR_IA32_SYSENTER_EIP,	  false, read_word,	   write_word },
	{ MSR_IA32_MISC_ENABLE,	 MSR_IA32_MISC_ENABLE,	  false, read_intel,	   write_misc_enable },
	/* No LBR, no BTF; with 0 in it, it is as after reset */
	{ MSR_IA32_DEBUGCTLMSR,	 MSR_IA32_DEBUGCTLMSR,	  false, read_zero,	   write_zero },
	{ MSR_IA32_CR_PAT,	 MSR_IA32_CR_PAT,	  false, read_word,	   write_word },
	{ MSR_EFER,		 MSR_EFER,		  false, read_efer,	   write_efer },
	{ MSR_STAR,		 MSR_SYSCALL_MASK,	  false, read_word,	   write_word },
	{ MSR_FS_BASE,		 MSR_GS_BASE,		  false, read_base,	   write_base },
	{ MSR_KERNEL_GS_BASE,	 MSR_KERNEL_GS_BASE,	  false, read_word,	   write_word },
	{ MSR_TSC_AUX,		 MSR_TSC_AUX,		  false, read_tsc_aux,	   write_tsc_aux },
	{ MSR_AMD64_SYSCFG,	 MSR_AMD64_DE_CFG,	  false, read_amd,	   write_amd },
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
