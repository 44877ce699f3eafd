// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's x87, SSE, AVX, AVX-512 and protection-key state.
 *
 * The kernel offers a guest FPU interface to KVM alone on newer versions, so this file has its own: between
 * kernel_fpu_begin_mask(0), which puts the launcher's state away, and kernel_fpu_end(), the registers belong to the
 * guest. They stay there over all exits that the fast path answers, and are saved before interrupts are on again: softirqs
 * may use the registers. (Newer kernels would keep softirqs away for as long, if we began with interrupts on.)
 *
 * XSAVE and XRSTOR run under the host's XCR0 (the guest's is set for the stay in the guest alone), so components that
 * the guest has not enabled keep its own old values too, never the host's. The plain form of XSAVE, because the guest
 * may have run XRSTOR itself, and the optimized forms would then trust the CPU's memory of another area.
 */
#include <linux/log2.h>
#include <linux/slab.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/special_insns.h>
#include "../host.h"
#include "internal.h"

#define SUPPORTED	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

u64 tpz_fpu_mask;

static bool have_xsave;
static u32 area_bytes;
static u32 pkru_offset;
static u32 ymm_offset, zmm_offset;	/* bits 255:128, and 511:256 of registers 0 to 15; 0: guests have none */
static u32 mxcsr_mask;

/* The standard format, SDM vol. 1, 13.4: legacy region, header; the components follow */
struct xsave_area {
	u16 fcw;
	u16 fsw;
	u8 ftw;
	u8 pad0;
	u16 fop;
	u64 fip;
	u64 fdp;
	u32 mxcsr;
	u32 mxcsr_mask;
	u8 registers[480];
	u64 xstate_bv;
	u64 xcomp_bv;
	u64 reserved[6];
};
static_assert(sizeof(struct xsave_area) == XSAVE_AREA_LEGACY_BYTES);

/* ---- the instructions */

static void save(void *area)
{
	if (likely(have_xsave))
		asm volatile("xsave64 (%0)" : : "r" (area), "a" ((u32)tpz_fpu_mask), "d" ((u32)(tpz_fpu_mask >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r" (area) : "memory");
}

/*
 * Older AMD CPUs load FOP, FIP and FDP only where the area has an x87 exception pending (APM vol. 2, 11.4.4), and else leave
 * what somebody's last instruction put there. An area with one pending, and with none of the three, goes before.
 */
static void forget_x87_pointers(void)
{
	static const struct xsave_area pending __aligned(16) = {
		.fsw = 0x8081,		/* B, ES and IE; all exceptions are unmasked */
		.mxcsr = 0x1f80,
	};

	asm volatile("fxrstor64 %0" : : "m" (pending));
}

/* Return: 0, or -1: the area is malformed. tpz_fpu_check() lets none in; this is the net below it */
static int restore(const void *area)
{
	int error = -1;

	if (unlikely(boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK)))
		forget_x87_pointers();
	if (likely(have_xsave))
		asm volatile("1:	xrstor64 (%1)\n\t"
			     "xorl %0, %0\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : "+r" (error)
			     : "r" (area), "a" ((u32)tpz_fpu_mask), "d" ((u32)(tpz_fpu_mask >> 32))
			     : "memory");
	else
		asm volatile("1:	fxrstor64 (%1)\n\t"
			     "xorl %0, %0\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : "+r" (error) : "r" (area) : "memory");
	return error;
}

/* ---- module load */

static void find_size(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	area_bytes = XSAVE_AREA_LEGACY_BYTES;
	for (i = 2; i < 63; i++) {
		if (!(tpz_fpu_mask & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		area_bytes = max(area_bytes, ebx + eax);
		if (BIT_ULL(i) == XFEATURE_MASK_PKRU)
			pkru_offset = ebx;
		if (BIT_ULL(i) == XFEATURE_MASK_YMM)
			ymm_offset = ebx;
		if (BIT_ULL(i) == XFEATURE_MASK_ZMM_Hi256)
			zmm_offset = ebx;
	}
}

/* Which bits MXCSR has. 0 means an old CPU's default (SDM vol. 1, 11.6.6) */
static int find_mxcsr_mask(void)
{
	struct xsave_area *area = kzalloc(1024, GFP_KERNEL);

	if (!area)
		return -ENOMEM;
	kernel_fpu_begin();
	asm volatile("fxsave64 (%0)" : : "r" (area) : "memory");
	kernel_fpu_end();
	mxcsr_mask = area->mxcsr_mask ?: 0xffbf;
	kfree(area);
	return 0;
}

int tpz_fpu_init(void)
{
	have_xsave = boot_cpu_has(X86_FEATURE_OSXSAVE);
	tpz_fpu_mask = XFEATURE_MASK_FPSSE;
	if (have_xsave)
		tpz_fpu_mask = xgetbv(XCR_XFEATURE_ENABLED_MASK) & SUPPORTED;
	/* All of AVX-512 or nothing: XCR0 knows no third way */
	if ((tpz_fpu_mask & XFEATURE_MASK_AVX512) != XFEATURE_MASK_AVX512)
		tpz_fpu_mask &= ~(u64)XFEATURE_MASK_AVX512;
	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		tpz_fpu_mask &= ~(u64)XFEATURE_MASK_PKRU;
	find_size();
	return find_mxcsr_mask();
}

u32 tpz_fpu_bytes(void)
{
	return area_bytes;
}

/* ---- a vCPU's area */

int tpz_fpu_create(struct tpz_vcpu *v)
{
	/* A power of two is aligned to itself, so to the 64 bytes that XSAVE wants */
	v->fpu = kzalloc(roundup_pow_of_two(area_bytes), GFP_KERNEL_ACCOUNT);
	if (!v->fpu)
		return -ENOMEM;
	tpz_fpu_reset(v);
	return 0;
}

void tpz_fpu_destroy(struct tpz_vcpu *v)
{
	kfree(v->fpu);
	v->fpu = NULL;
}

/*
 * tpz_fpu_reset() - after power-up, SDM vol. 3A, table 9-1: all registers hold +0.0 and are tagged so
 *
 * FCW is 0x40 and not FNINIT's 0x37f: software begins with FNINIT.
 */
void tpz_fpu_reset(struct tpz_vcpu *v)
{
	struct xsave_area *area = v->fpu;

	memset(area, 0, area_bytes);
	area->fcw = 0x40;
	area->ftw = 0xff;
	area->mxcsr = 0x1f80;
	area->xstate_bv = XFEATURE_MASK_FP;
}

/* ---- onto the CPU and off it */

void tpz_fpu_load(struct tpz_vcpu *v)
{
	kernel_fpu_begin_mask(0);
	/* PKRU is a part of the area, but kernel_fpu_begin() leaves it in force: it also guards the kernel's own accesses */
	if (tpz_fpu_mask & XFEATURE_MASK_PKRU)
		v->processor->host_pkru = rdpkru();
	if (unlikely(restore(v->fpu))) {
		tpz_fpu_reset(v);
		restore(v->fpu);
		tpz_vm_bug(v->vm, "the guest's FPU state was refused by the CPU");
	}
}

void tpz_fpu_save(struct tpz_vcpu *v)
{
	save(v->fpu);
	if (tpz_fpu_mask & XFEATURE_MASK_PKRU)
		wrpkru(v->processor->host_pkru);
	kernel_fpu_end();
}

/* The guest's PKRU while its state is saved; paging.c asks */
u32 tpz_fpu_pkru(struct tpz_vcpu *v)
{
	const struct xsave_area *area = v->fpu;

	if (!(tpz_fpu_mask & XFEATURE_MASK_PKRU) || !(area->xstate_bv & XFEATURE_MASK_PKRU))
		return 0;
	return *(const u32 *)(v->fpu + pkru_offset);
}

/* ---- single registers, for the emulator */

#define XMM_OFFSET	160
#define REGISTERS	16

/* A component that XSTATE_BV leaves out is in its initial state, whatever the area holds */
static bool in_use(const struct xsave_area *area, u64 component)
{
	return !have_xsave || (area->xstate_bv & component);
}

static void *use(struct tpz_vcpu *v, u64 component, u32 offset, size_t bytes)
{
	struct xsave_area *area = v->fpu;

	if (!in_use(area, component)) {
		memset(v->fpu + offset, 0, bytes);
		area->xstate_bv |= component;
	}
	return v->fpu + offset;
}

void tpz_fpu_get_vector(struct tpz_vcpu *v, unsigned int reg, u8 value[TPZ_VECTOR_BYTES])
{
	memset(value, 0, TPZ_VECTOR_BYTES);
	if (reg >= REGISTERS)
		return;
	if (in_use(v->fpu, XFEATURE_MASK_SSE))
		memcpy(value, v->fpu + XMM_OFFSET + 16 * reg, 16);
	if (ymm_offset && in_use(v->fpu, XFEATURE_MASK_YMM))
		memcpy(value + 16, v->fpu + ymm_offset + 16 * reg, 16);
}

void tpz_fpu_set_vector(struct tpz_vcpu *v, unsigned int reg, const u8 value[TPZ_VECTOR_BYTES], bool whole)
{
	if (reg >= REGISTERS)
		return;
	memcpy(use(v, XFEATURE_MASK_SSE, XMM_OFFSET, 16 * REGISTERS) + 16 * reg, value, 16);
	if (!whole || !ymm_offset)
		return;
	memcpy(use(v, XFEATURE_MASK_YMM, ymm_offset, 16 * REGISTERS) + 16 * reg, value + 16, 16);
	if (zmm_offset && in_use(v->fpu, XFEATURE_MASK_ZMM_Hi256))
		memset(v->fpu + zmm_offset + 32 * reg, 0, 32);
}

/* ---- the state group */

/*
 * tpz_fpu_check() - would XRSTOR take this area? SDM vol. 2D, XRSTOR, "Protected Mode Exceptions"
 */
int tpz_fpu_check(const void *from, char *bad, size_t bad_bytes)
{
	const struct xsave_area *area = from;
	unsigned int i;

	if (area->mxcsr & ~mxcsr_mask) {
		strscpy(bad, "MXCSR: a reserved bit is set", bad_bytes);
		return -EINVAL;
	}
	if (!have_xsave)
		return 0;
	if (area->xstate_bv & ~tpz_fpu_mask) {
		strscpy(bad, "XSTATE_BV: a component that guests do not have", bad_bytes);
		return -EINVAL;
	}
	if (area->xcomp_bv) {
		strscpy(bad, "XCOMP_BV: must be 0, the standard format", bad_bytes);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(area->reserved); i++) {
		if (area->reserved[i]) {
			strscpy(bad, "XSAVE header: bytes 16 to 63 must be 0", bad_bytes);
			return -EINVAL;
		}
	}
	return 0;
}

int tpz_fpu_set(struct tpz_vcpu *v, const void *area, char *bad, size_t bad_bytes)
{
	int ret = tpz_fpu_check(area, bad, bad_bytes);

	if (!ret)
		memcpy(v->fpu, area, area_bytes);
	return ret;
}
