// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's CPUID: a table made from the host's when the vCPU is created (cpuid.c looks it up at each trap).
 *
 * It lets through only what is on a list: features whose state the module switches (or that have none), on CPUs whose
 * kernel uses them too. A feature that the next CPU brings stays hidden until somebody has thought about it.
 *
 * What is hidden on purpose:
 *	MCE, MCA, MTRR, thermal, monitor, PMU, DS, PT	no MSRs behind them; Linux does without any of them
 *	SPEC_CTRL and its kin, ARCH_CAPABILITIES	not switched: the guest assumes the worst and uses retpolines
 *	XSAVES, CET, AMX, LA57, TSC_ADJUST, RTM		not switched, or not asked for yet
 */
#include <linux/slab.h>
#include <asm/kvm_para.h>
#include <asm/tsc.h>
#include "../host.h"
#include "internal.h"

enum { EAX, EBX, ECX, EDX };

#define WORD(name)	(X86_FEATURE_##name / 32)
#define F(name)		BIT(X86_FEATURE_##name % 32)

#define BASIC_FEATURES								\
	(F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(CX8) |	\
	 F(PGE) | F(CMOV) | F(PAT) | F(PSE36) | F(MMX) | F(FXSR))

/* One register of a leaf: which word of the kernel's features it is, and which of its bits a guest may have */
static const struct feature_word {
	u32 leaf, subleaf;
	u8 reg;
	u8 word;
	u32 allowed;
} feature_words[] = {
	{ 0x1, 0, EDX, WORD(FPU), BASIC_FEATURES | F(SEP) | F(CLFLUSH) | F(XMM) | F(XMM2) | F(SELFSNOOP) | F(APIC) },
	{ 0x1, 0, ECX, WORD(XMM3),
	  F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) | F(XMM4_1) | F(XMM4_2) | F(X2APIC) |
	  F(MOVBE) | F(POPCNT) | F(TSC_DEADLINE_TIMER) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND) |
	  F(HYPERVISOR) },
	{ 0x6, 0, EAX, WORD(ARAT), F(ARAT) },
	{ 0x7, 0, EBX, WORD(FSGSBASE),
	  F(FSGSBASE) | F(BMI1) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | F(ERMS) | F(INVPCID) |
	  F(ZERO_FCS_FDS) | F(AVX512F) | F(AVX512DQ) | F(RDSEED) | F(ADX) | F(SMAP) | F(AVX512IFMA) |
	  F(CLFLUSHOPT) | F(CLWB) | F(AVX512CD) | F(SHA_NI) | F(AVX512BW) | F(AVX512VL) },
	{ 0x7, 0, ECX, WORD(AVX512VBMI),
	  F(AVX512VBMI) | F(UMIP) | F(PKU) | F(AVX512_VBMI2) | F(GFNI) | F(VAES) | F(VPCLMULQDQ) |
	  F(AVX512_VNNI) | F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ) | F(RDPID) | F(CLDEMOTE) | F(MOVDIRI) |
	  F(MOVDIR64B) },
	{ 0x7, 0, EDX, WORD(FSRM),
	  F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(FSRM) | F(AVX512_VP2INTERSECT) | F(MD_CLEAR) | F(SERIALIZE) |
	  F(AVX512_FP16) },
	{ 0x7, 1, EAX, WORD(AVX_VNNI), F(AVX_VNNI) | F(AVX512_BF16) },
	{ 0xd, 1, EAX, WORD(XSAVEOPT), F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) },
	/* AMD's CPUs repeat leaf 1's bits here */
	{ 0x80000001, 0, EDX, WORD(SYSCALL),
	  F(SYSCALL) | F(NX) | F(MMXEXT) | F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) | F(LM) },
	{ 0x80000001, 0, ECX, WORD(LAHF_LM),
	  F(LAHF_LM) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) | F(MISALIGNSSE) | F(3DNOWPREFETCH) | F(XOP) | F(FMA4) |
	  F(TBM) | F(TOPOEXT) },
	{ 0x80000008, 0, EBX, WORD(CLZERO), F(CLZERO) | F(XSAVEERPTR) },
};

/* What cannot stand without XSAVE, AVX or AVX-512 state */
static const unsigned int needs_xsave[] = {
	X86_FEATURE_PKU, X86_FEATURE_XSAVEOPT, X86_FEATURE_XSAVEC, X86_FEATURE_XGETBV1, X86_FEATURE_XSAVEERPTR,
};
static const unsigned int needs_avx[] = {
	X86_FEATURE_AVX, X86_FEATURE_AVX2, X86_FEATURE_FMA, X86_FEATURE_F16C, X86_FEATURE_VAES,
	X86_FEATURE_VPCLMULQDQ, X86_FEATURE_AVX_VNNI, X86_FEATURE_XOP, X86_FEATURE_FMA4,
};
static const unsigned int needs_avx512[] = {
	X86_FEATURE_AVX512F, X86_FEATURE_AVX512DQ, X86_FEATURE_AVX512IFMA, X86_FEATURE_AVX512CD,
	X86_FEATURE_AVX512BW, X86_FEATURE_AVX512VL, X86_FEATURE_AVX512VBMI, X86_FEATURE_AVX512_VBMI2,
	X86_FEATURE_AVX512_VNNI, X86_FEATURE_AVX512_BITALG, X86_FEATURE_AVX512_VPOPCNTDQ,
	X86_FEATURE_AVX512_4VNNIW, X86_FEATURE_AVX512_4FMAPS, X86_FEATURE_AVX512_VP2INTERSECT,
	X86_FEATURE_AVX512_FP16, X86_FEATURE_AVX512_BF16,
};

/* ---- the features */

static bool has(const struct tpz_cpuid_table *t, unsigned int feature)
{
	return t->caps[feature / 32] & BIT(feature % 32);
}

static void set_feature(struct tpz_cpuid_table *t, unsigned int feature, bool on)
{
	if (on)
		t->caps[feature / 32] |= BIT(feature % 32);
	else
		t->caps[feature / 32] &= ~BIT(feature % 32);
}

static void drop(struct tpz_cpuid_table *t, const unsigned int *features, unsigned int count)
{
	while (count--)
		set_feature(t, *features++, false);
}

static void find_features(struct tpz_cpuid_table *t, const struct tpz_vm *vm)
{
	const bool lapic = vm->devices & TPZ_DEVICE_LAPIC;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];
		u32 regs[4];

		/* The kernel knows of features that CPUID does not tell (AMD's PREFETCHW), and denies some that it does */
		cpuid_count(w->leaf, w->subleaf, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]);
		t->caps[w->word] = w->allowed & regs[w->reg] & boot_cpu_data.x86_capability[w->word];
	}

	/* The module's own, whether the host has them or not */
	set_feature(t, X86_FEATURE_HYPERVISOR, !vm->hidden);
	set_feature(t, X86_FEATURE_APIC, lapic);
	set_feature(t, X86_FEATURE_X2APIC, lapic);
	set_feature(t, X86_FEATURE_TSC_DEADLINE_TIMER, lapic);
	set_feature(t, X86_FEATURE_ARAT, lapic);
	set_feature(t, X86_FEATURE_HT, vm->topology.cores * vm->topology.threads > 1);
	set_feature(t, X86_FEATURE_CMP_LEGACY, t->amd && vm->topology.cores * vm->topology.threads > 1);

	if (t->amd && vm->topology.threads > 1)
		set_feature(t, X86_FEATURE_TOPOEXT, true);	/* nothing else tells of threads there */

	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		set_feature(t, X86_FEATURE_XSAVE, false);
	if (!has(t, X86_FEATURE_XSAVE))
		drop(t, needs_xsave, ARRAY_SIZE(needs_xsave));
	if (!has(t, X86_FEATURE_XSAVE) || !(tpz_fpu_mask & XFEATURE_MASK_YMM))
		drop(t, needs_avx, ARRAY_SIZE(needs_avx));
	if (!has(t, X86_FEATURE_AVX) || (tpz_fpu_mask & XFEATURE_MASK_AVX512) != XFEATURE_MASK_AVX512)
		drop(t, needs_avx512, ARRAY_SIZE(needs_avx512));
	if (!(tpz_fpu_mask & XFEATURE_MASK_PKRU))
		set_feature(t, X86_FEATURE_PKU, false);
}

bool tpz_guest_has(const struct tpz_vcpu *v, unsigned int x86_feature)
{
	return has(&v->processor->cpuid, x86_feature);
}

/* ---- the table */

static struct tpz_cpuid_entry *add(struct tpz_cpuid_table *t, u32 leaf, u32 subleaf, bool counts)
{
	struct tpz_cpuid_entry *e = &t->entries[t->count];

	if (WARN_ON_ONCE(t->count == TPZ_CPUID_MAX))
		return &t->entries[TPZ_CPUID_MAX - 1];
	t->count++;
	e->leaf = leaf;
	e->subleaf = subleaf;
	e->flags = counts ? TPZ_CPUID_SUBLEAF : 0;
	return e;
}

static struct tpz_cpuid_entry *add_host(struct tpz_cpuid_table *t, u32 leaf, u32 subleaf, bool counts)
{
	struct tpz_cpuid_entry *e = add(t, leaf, subleaf, counts);

	cpuid_count(leaf, subleaf, &e->eax, &e->ebx, &e->ecx, &e->edx);
	return e;
}

/* Features of one register by the words above */
static u32 features(const struct tpz_cpuid_table *t, u32 leaf, u32 subleaf, unsigned int reg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_words); i++)
		if (feature_words[i].leaf == leaf && feature_words[i].subleaf == subleaf && feature_words[i].reg == reg)
			return t->caps[feature_words[i].word];
	return 0;
}

/* Leaves 0, 1, 2: name, model, features, and the cache descriptors of old */
static void add_identity(struct tpz_cpuid_table *t, const struct tpz_topology *topology, u32 apic_id)
{
	struct tpz_cpuid_entry *e = add_host(t, 0, 0, false);

	e->eax = t->max_basic;
	e = add_host(t, 1, 0, false);
	/* Brand index and CLFLUSH size are the host's. A socket's processors: AMD counts them, Intel their identifiers */
	e->ebx = (e->ebx & 0xffff) | apic_id << 24 |
		 (t->amd ? topology->cores * topology->threads : BIT(topology->package_bits)) << 16;
	e->ecx = features(t, 1, 0, ECX);
	e->edx = features(t, 1, 0, EDX);
	if (!t->amd)
		add_host(t, 2, 0, false);
}

/*
 * Leaf 4, on AMD's CPUs 8000001dh: the host's caches; levels 1 and 2 are shared by the threads of a core, the others by a
 * socket. AMD counts the processors that share one, Intel their identifiers, and the cores' too
 */
static void add_caches(struct tpz_cpuid_table *t, const struct tpz_topology *topology, u32 leaf)
{
	const u32 of_core = t->amd ? topology->threads : BIT(topology->thread_bits);
	const u32 of_socket = t->amd ? topology->cores * topology->threads : BIT(topology->package_bits);
	const u32 core_ids = t->amd ? 1 : BIT(topology->package_bits - topology->thread_bits);
	struct tpz_cpuid_entry *e;
	u32 i;

	for (i = 0; i < 8; i++) {
		e = add_host(t, leaf, i, true);
		e->eax &= 0x3fff;	/* type, level, fully associative */
		if (!(e->eax & 0x1f))
			break;
		e->eax |= ((e->eax >> 5 & 7) <= 2 ? of_core - 1 : of_socket - 1) << 14 | (core_ids - 1) << 26;
	}
}

static void add_features(struct tpz_cpuid_table *t)
{
	struct tpz_cpuid_entry *e = add(t, 6, 0, false);

	e->eax = features(t, 6, 0, EAX);
	e = add(t, 7, 0, true);
	e->eax = 1;
	e->ebx = features(t, 7, 0, EBX);
	e->ecx = features(t, 7, 0, ECX);
	e->edx = features(t, 7, 0, EDX);
	e = add(t, 7, 1, true);
	e->eax = features(t, 7, 1, EAX);
}

/* Leaves 0xB and 0x1F: threads, cores, and an end */
static void add_topology(struct tpz_cpuid_table *t, const struct tpz_topology *topology, u32 leaf, u32 apic_id)
{
	const u32 shift[] = { topology->thread_bits, topology->package_bits, 0 };
	const u32 count[] = { topology->threads, topology->cores * topology->threads, 0 };
	u32 level;

	for (level = 0; level < 3; level++) {
		struct tpz_cpuid_entry *e = add(t, leaf, level, true);

		e->eax = shift[level];
		e->ebx = count[level];
		e->ecx = level | (level < 2 ? (level + 1) << 8 : 0);
		e->edx = apic_id;
	}
}

/* Leaf 0xD: what each component of XSAVE's area takes. EBX of subleaves 0 and 1 follows XCR0: see dynamic() in cpuid.c */
static void add_xsave(struct tpz_cpuid_table *t)
{
	struct tpz_cpuid_entry *e;
	unsigned int i;

	if (!has(t, X86_FEATURE_XSAVE))
		return;
	e = add(t, 0xd, 0, true);
	e->eax = tpz_fpu_mask;
	e->edx = tpz_fpu_mask >> 32;
	e->ebx = XSAVE_AREA_LEGACY_BYTES;
	e->ecx = tpz_fpu_bytes();
	e = add(t, 0xd, 1, true);
	e->eax = features(t, 0xd, 1, EAX);
	e->ebx = XSAVE_AREA_LEGACY_BYTES;
	for (i = 2; i < 63; i++) {
		if (!(tpz_fpu_mask & BIT_ULL(i)))
			continue;
		e = add_host(t, 0xd, i, true);
		e->ecx &= BIT(1);	/* aligned to 64 bytes in the compacted format */
		e->edx = 0;
	}
}

/*
 * Leaves 0x15 and 0x16: the TSC's rate. The "crystal" is the TSC itself, ratio 1 to 1: Linux multiplies in 32 bits.
 */
static void add_frequency(struct tpz_cpuid_table *t)
{
	struct tpz_cpuid_entry *e = add(t, 0x15, 0, false);
	u64 hz = (u64)tsc_khz * 1000;

	if (hz <= U32_MAX) {
		e->eax = 1;
		e->ebx = 1;
		e->ecx = hz;
	}
	e = add(t, 0x16, 0, false);
	e->eax = tsc_khz / 1000;
	e->ebx = tsc_khz / 1000;
}

static void add_signature(struct tpz_cpuid_table *t, u32 leaf, u32 last, const char name[12])
{
	struct tpz_cpuid_entry *e = add(t, leaf, 0, false);

	e->eax = last;
	memcpy(&e->ebx, name, 4);
	memcpy(&e->ecx, name + 4, 4);
	memcpy(&e->edx, name + 8, 4);
}

/*
 * 0x40000000: what stock guests look for. 0x40000100: ours; guests search for a signature in steps of 0x100.
 */
static void add_hypervisor(struct tpz_cpuid_table *t, const struct tpz_vm *vm)
{
	static const char kvm_name[12] = "KVMKVMKVM\0\0";
	static const char own_name[12] = "TrapezeTrap";
	const bool kvm = vm->devices & TPZ_DEVICE_KVMCLOCK;
	struct tpz_cpuid_entry *e;

	if (vm->hidden)
		return;
	add_signature(t, KVM_CPUID_SIGNATURE, 0x40000010, kvm ? kvm_name : own_name);
	e = add(t, KVM_CPUID_FEATURES, 0, false);
	e->eax = tpz_pv_features(vm);
	e = add(t, 0x40000010, 0, false);
	e->eax = tsc_khz;
	add_signature(t, 0x40000100, 0x40000101, own_name);
	e = add(t, 0x40000101, 0, false);
	e->eax = TPZ_ABI_VERSION;
	e->ebx = vm->devices;
}

static void add_extended(struct tpz_cpuid_table *t, const struct tpz_topology *topology)
{
	struct tpz_cpuid_entry *e = add_host(t, 0x80000000, 0, false);
	u32 leaf;

	e->eax = t->max_extended;
	e = add_host(t, 0x80000001, 0, false);
	e->ecx = features(t, 0x80000001, 0, ECX);
	e->edx = features(t, 0x80000001, 0, EDX);
	if (!t->amd)
		e->ebx = 0;
	else
		e->edx |= features(t, 1, 0, EDX) & (BASIC_FEATURES | F(APIC));
	for (leaf = 0x80000002; leaf <= 0x80000006; leaf++)
		add_host(t, leaf, 0, false);
	e = add(t, 0x80000007, 0, false);
	if (boot_cpu_has(X86_FEATURE_NONSTOP_TSC))
		e->edx = BIT(8);	/* the TSC's rate never changes */
	e = add(t, 0x80000008, 0, false);
	e->eax = t->phys_bits | 48 << 8;
	e->ebx = features(t, 0x80000008, 0, EBX);
	if (t->amd)
		e->ecx = (topology->cores * topology->threads - 1) | topology->package_bits << 12;
}

/* AMD's topology extensions. What stands between (SVM, performance counters, encrypted memory) is zero */
static void add_amd_topology(struct tpz_cpuid_table *t, const struct tpz_topology *topology, u32 apic_id)
{
	struct tpz_cpuid_entry *e;

	if (t->max_extended < 0x8000001e)
		return;
	if (boot_cpu_has(X86_FEATURE_TOPOEXT)) {
		add_host(t, 0x80000019, 0, false);	/* TLBs of 1 GiB pages */
		add_host(t, 0x8000001a, 0, false);	/* how wide the SIMD units are */
		add_caches(t, topology, 0x8000001d);
	}
	e = add(t, 0x8000001e, 0, false);
	e->eax = apic_id;
	e->ebx = (apic_id & (BIT(topology->package_bits) - 1)) >> topology->thread_bits |	/* the core */
		 (topology->threads - 1) << 8;
	e->ecx = apic_id >> topology->package_bits;						/* the node: one in a socket */
}

int tpz_processor_create(struct tpz_vcpu *v)
{
	const struct tpz_topology *topology = &v->vm->topology;
	struct tpz_cpuid_table *t;

	v->processor = kvzalloc(sizeof(*v->processor), GFP_KERNEL_ACCOUNT);
	if (!v->processor)
		return -ENOMEM;
	t = &v->processor->cpuid;
	t->amd = boot_cpu_data.x86_vendor == X86_VENDOR_AMD || boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;
	t->max_basic = t->amd ? 0x16 : 0x1f;
	/* Four levels of nested page table reach 48 bits of guest-physical address */
	t->phys_bits = min_t(u32, boot_cpu_data.x86_phys_bits, tpz_hw->npt->levels == 4 ? 48 : 52);
	find_features(t, v->vm);
	t->max_extended = has(t, X86_FEATURE_TOPOEXT) ? 0x8000001e : 0x80000008;
	/* In the order of leaves: the lookup halves the table */
	add_identity(t, topology, v->id);
	if (!t->amd)
		add_caches(t, topology, 4);
	add_features(t);
	add_topology(t, topology, 0xb, v->id);
	add_xsave(t);
	add_frequency(t);
	if (!t->amd)
		add_topology(t, topology, 0x1f, v->id);
	add_hypervisor(t, v->vm);
	add_extended(t, topology);
	add_amd_topology(t, topology, v->id);
	return 0;
}

void tpz_processor_destroy(struct tpz_vcpu *v)
{
	kvfree(v->processor);
	v->processor = NULL;
}
