// SPDX-License-Identifier: GPL-2.0
/*
 * Model-specific registers: which exist, what they hold, what may be written, and what a write does. Everything that is
 * not on the list raises #GP, both ways: an index in which the host has something must not be in reach.
 */
#include "vm.h"

#define GP	13
#define NONE	GUEST_NO_FAULT

#define NOT_CANONICAL	(1ULL << 47)

/* ------------------------------------------------------------------ every index */

static const struct { __u32 first, count; } ranges[] = {
	{ 0x0, 0x2000 }, { 0xc0000000, 0x2000 }, { 0x40000000, 0x40 }, { 0x4b564d00, 0x10 }, { 0xc0010000, 0x200 },
	{ 0xc0011000, 0x40 }, { 0x80000000, 0x10 }, { 0xfffffff0, 0x10 },
};

#define MAX_FOUND	256

static volatile struct { __u32 index; __u32 wrote; __u64 value; } found[MAX_FOUND];
static volatile __u32 found_count, write_only;

/* Reads all, and writes back what it has read */
static GUEST __u32 sweep(__u64 unused)
{
	struct guest_fault fault;
	__u64 rax, rdx;

	(void)unused;
	for (unsigned int r = 0; r < ARRAY_SIZE(ranges); r++)
		for (__u32 i = 0; i < ranges[r].count; i++) {
			const __u32 index = ranges[r].first + i;

			GUEST_TRY(fault, "rdmsr", ("=a"(rax), "=d"(rdx)), ("c"((__u64)index)));
			if (fault.vector == NONE) {
				GUEST_CHECK_EQ(rax >> 32 | rdx >> 32, 0);
				GUEST_CHECK_EQ(found_count < MAX_FOUND, 1);
				found[found_count].index = index;
				found[found_count].value = rax | rdx << 32;
				GUEST_TRY(fault, "wrmsr", (), ("c"((__u64)index), "a"(rax), "d"(rdx)));
				found[found_count++].wrote = fault.vector == NONE;
				continue;
			}
			GUEST_CHECK_EQ(fault.vector, GP);
			GUEST_CHECK_EQ(fault.error, 0);
			GUEST_TRY(fault, "wrmsr", (), ("c"((__u64)index), "a"(0), "d"(0)));
			if (fault.vector == NONE)
				write_only++;
		}
	return 1;
}

/* What must be found, in the order of @ranges; and which of it takes back what it held */
struct known {
	__u32 first, last;
	bool readonly;
	__u64 devices;
	bool intel;	/* Intel's alone */
};

static const struct known known[] = {
	{ 0x10, 0x10, false, 0, false },			/* TSC */
	{ 0x11, 0x12, false, TPZ_DEVICE_KVMCLOCK, false },
	{ 0x17, 0x17, true, 0, true },			/* PLATFORM_ID */
	{ 0x1b, 0x1b, false, TPZ_DEVICE_LAPIC, false },	/* APIC_BASE */
	{ 0x8b, 0x8b, true, 0, false },			/* microcode: takes 0 only */
	{ 0x174, 0x176, false, 0, false },			/* SYSENTER */
	{ 0x1a0, 0x1a0, false, 0, true },		/* MISC_ENABLE */
	{ 0x1d9, 0x1d9, false, 0, false },			/* DEBUGCTL */
	{ 0x277, 0x277, false, 0, false },			/* PAT */
	{ 0x6e0, 0x6e0, false, TPZ_DEVICE_LAPIC, false },	/* TSC_DEADLINE */
	{ 0xc0000080, 0xc0000084, false, 0, false },		/* EFER, STAR, LSTAR, CSTAR, FMASK */
	{ 0xc0000100, 0xc0000102, false, 0, false },		/* FS, GS, KERNEL_GS base */
	{ 0xc0000103, 0xc0000103, false, 0, false },		/* TSC_AUX */
	{ 0x4b564d00, 0x4b564d01, false, TPZ_DEVICE_KVMCLOCK, false },
	{ 0x4b564d03, 0x4b564d04, false, TPZ_DEVICE_KVMCLOCK, false },
};

/* Of AMD's alone, in order too: what stock systems read there without a net. Reset values, which may be written again */
static const __u32 amd_known[] = {
	0xc0010010, 0xc0010015, 0xc001001a, 0xc001001b, 0xc001001d, 0xc001001f, 0xc0010055, 0xc0010058, 0xc0010114,
	0xc0011029,
};

static void sweep_with(__u64 devices)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = devices);
	unsigned int n = 0;

	found_count = write_only = 0;
	vcpu_start(vcpu, MODE_LONG, RING0, sweep, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	for (unsigned int k = 0; k < ARRAY_SIZE(known); k++) {
		if ((known[k].devices & ~devices) || (known[k].intel && machine.amd))
			continue;
		for (__u32 index = known[k].first; index <= known[k].last; index++, n++) {
			/* The local APIC's own (apic.c tests them) */
			while (n < found_count && found[n].index >= 0x800 && found[n].index < 0x900 && devices)
				n++;
			CHECK_LT(n, found_count);
			CHECK_THAT(found[n].index == index, "found %#x, expected %#x", found[n].index, index);
			CHECK_THAT(found[n].wrote == !known[k].readonly, "MSR %#x", index);
		}
	}
	for (unsigned int k = 0; machine.amd && k < ARRAY_SIZE(amd_known); k++, n++) {
		CHECK_LT(n, found_count);
		CHECK_THAT(found[n].index == amd_known[k], "found %#x, expected %#x", found[n].index, amd_known[k]);
		CHECK_THAT(found[n].wrote, "MSR %#x", amd_known[k]);
	}
	CHECK_THAT(n == found_count, "MSR %#x was not expected", found[n].index);
	/* EOI and self-IPI are for writing alone. (A self-IPI of vector 0 is an error that nobody hears of) */
	CHECK_EQ(write_only, devices & TPZ_DEVICE_LAPIC ? 2 : 0);
}

static void every_index(void)
{
	sweep_with(0);
}

static void every_index_with_devices(void)
{
	sweep_with(TPZ_DEVICE_LAPIC | TPZ_DEVICE_KVMCLOCK);
}

/* ------------------------------------------------------------------ values */

/* @value is taken and read back; or it is refused, and the register keeps what it held */
enum kind { ANY = 1, INTEL = 2, ADDRESS = 4 };	/* INTEL: on Intel's alone. ADDRESS: must be canonical; the guest has it itself */

static const struct value { __u32 index; __u64 value; bool refused; enum kind kind; } values[] = {
	{ 0x174, 0x8, false, ANY },
	{ 0x174, 0xffff, false, ANY },
	{ 0x175, 0xffff800000001000, false, ANY },
	{ 0x176, 0x00007ffffffff000, false, ANY },
	{ 0x277, 0x0007040600070406, false, ANY },
	{ 0x277, 0x0706050401000607, false, ANY },
	{ 0x277, 2, true, ANY },
	{ 0x277, 3ULL << 56, true, ANY },
	{ 0x277, 8, true, ANY },
	{ 0x277, 0x80ULL << 32, true, ANY },
	{ 0x1a0, 0x1801, false, INTEL },
	{ 0x1a0, 0, true, INTEL },
	{ 0x1a0, 0x1801 | 1ULL << 34, true, INTEL },
	{ 0x1d9, 0, false, ANY },
	{ 0x1d9, 1ULL << 63, true, ANY },
	{ 0x8b, 1, true, ANY },
	{ 0x17, 0, true, INTEL },
	{ 0xc0000080, 0xd01, false, ANY },
	{ 0xc0000080, 0xd00, false, ANY },
	{ 0xc0000080, 0x501, false, ANY },
	{ 0xc0000080, 0xd03, true, ANY },
	{ 0xc0000080, 0xc01, true, ANY },
	{ 0xc0000080, 0x1d01, true, ANY },
	{ 0xc0000081, ~0ULL, false, ANY },
	{ 0xc0000081, 0, false, ANY },
	{ 0xc0000082, 0xffffffff81000000, false, ANY },
	{ 0xc0000082, NOT_CANONICAL, true, ANY },
	{ 0xc0000082, 1ULL << 63, true, ANY },
	{ 0xc0000083, 0xffff800000000000, false, ANY },
	{ 0xc0000083, NOT_CANONICAL, true, ANY },
	{ 0xc0000084, 0xffffffff, false, ANY },
	{ 0xc0000084, 0x47700, false, ANY },
	{ 0xc0000084, 1ULL << 32, true, ANY },
	{ 0xc0000102, 0xffff888000000000, false, ANY },
	{ 0xc0000102, NOT_CANONICAL, true, ADDRESS },
	{ 0xc0000102, 0x00007fffffffffff, false, ANY },
	{ 0xc0000100, 0x00007fffffffffff, false, ANY },
	{ 0xc0000100, NOT_CANONICAL, true, ADDRESS },
	{ 0xc0000101, 0xffff800000000000, false, ANY },
	{ 0xc0000101, NOT_CANONICAL, true, ADDRESS },
	{ 0x175, NOT_CANONICAL, true, INTEL | ADDRESS },
	{ 0x176, 1ULL << 63, true, INTEL | ADDRESS },
	{ 0xc0000103, 0xffffffff, false, ANY },
	{ 0xc0000103, 5, false, ANY },
	{ 0xc0000103, 1ULL << 32, true, INTEL },
};

/* Those of these kinds, each of which must be in @kinds */
static GUEST __u32 write_values(__u64 kinds)
{
	struct guest_fault fault;

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		const struct value *v = &values[i];
		__u64 before, after;

		if (v->kind & ~kinds || (v->kind & ADDRESS) != (kinds & ADDRESS))
			continue;
		before = rdmsr(v->index);

		GUEST_TRY(fault, "wrmsr", (), ("c"((__u64)v->index), "a"(v->value), "d"(v->value >> 32)));
		after = rdmsr(v->index);
		if (fault.vector != (v->refused ? GP : NONE) || after != (v->refused ? before : v->value))
			return i;
	}
	return 0xffff;
}

static void check_values(unsigned int kinds)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 i;

	vcpu_start(vcpu, MODE_LONG, RING0, write_values, kinds | (machine.amd ? 0 : INTEL));
	i = vcpu_finish(vcpu);
	if (i < ARRAY_SIZE(values))
		FAIL("MSR %#x, value %#llx: must be %s", values[i].index, values[i].value,
		     values[i].refused ? "refused" : "taken");
	CHECK_EQ(i, 0xffff);
}

static void values_are_checked(void)
{
	check_values(ANY);
}

static void addresses_are_canonical(void)
{
	not_in_tcg("takes any address into FS_BASE, GS_BASE and KERNEL_GS_BASE");
	check_values(ADDRESS);
}

/* ------------------------------------------------------------------ effects */

static __u64 at_fs = 0x1111, at_gs = 0x2222, at_kernel_gs = 0x3333;

static GUEST __u64 load_fs(void)
{
	__u64 value;

	asm volatile("mov %%fs:0, %0" : "=r"(value) : : "memory");
	return value;
}

static GUEST __u64 load_gs(void)
{
	__u64 value;

	asm volatile("mov %%gs:0, %0" : "=r"(value) : : "memory");
	return value;
}

static GUEST __u32 use_bases(__u64 unused)
{
	(void)unused;
	wrmsr(0xc0000100, (__u64)&at_fs);
	wrmsr(0xc0000101, (__u64)&at_gs);
	wrmsr(0xc0000102, (__u64)&at_kernel_gs);
	GUEST_CHECK_EQ(load_fs(), 0x1111);
	GUEST_CHECK_EQ(load_gs(), 0x2222);
	asm volatile("swapgs");
	GUEST_CHECK_EQ(load_gs(), 0x3333);
	GUEST_CHECK_EQ(rdmsr(0xc0000101), (__u64)&at_kernel_gs);
	GUEST_CHECK_EQ(rdmsr(0xc0000102), (__u64)&at_gs);
	/* Across an exit to the launcher */
	outb(PORT_TEST, 0);
	GUEST_CHECK_EQ(load_gs(), 0x3333);
	asm volatile("swapgs");
	GUEST_CHECK_EQ(load_gs(), 0x2222);
	GUEST_CHECK_EQ(rdmsr(0xc0000102), (__u64)&at_kernel_gs);
	GUEST_CHECK_EQ(load_fs(), 0x1111);
	return 1;
}

static void bases_work(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	vcpu_start(vcpu, MODE_LONG, RING0, use_bases, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	state = vcpu_get(vcpu, TPZ_STATE_MSRS | TPZ_STATE_SEGMENTS);
	CHECK_EQ(state.msrs.kernel_gs_base, (uintptr_t)&at_gs);
	CHECK_EQ(state.segments.seg[TPZ_GS].base, (uintptr_t)&at_kernel_gs);
	CHECK_EQ(state.segments.seg[TPZ_FS].base, (uintptr_t)&at_fs);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* TSC_AUX by RDTSCP and RDPID; a TSC that is written goes on from there */
static GUEST __u32 use_tsc(__u64 unused)
{
	__u32 eax, ebx, ecx, edx;
	__u64 aux;

	(void)unused;
	wrmsr(0xc0000103, 0x4711);
	asm volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
	GUEST_CHECK_EQ(aux, 0x4711);
	cpuid(7, 0, &eax, &ebx, &ecx, &edx);
	if (ecx & 1 << 22) {
		asm volatile("rdpid %0" : "=r"(aux));
		GUEST_CHECK_EQ(aux, 0x4711);
	}
	wrmsr(0x10, 1ULL << 50);
	GUEST_CHECK_EQ(rdtsc() >= 1ULL << 50, 1);
	GUEST_CHECK_EQ(rdtsc() < (1ULL << 50) + (1ULL << 40), 1);
	GUEST_CHECK_EQ(rdmsr(0x10) >= 1ULL << 50, 1);
	wrmsr(0x10, 0);
	GUEST_CHECK_EQ(rdtsc() < 1ULL << 40, 1);
	return 2;
}

static void tsc_works(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, use_tsc, 0);
	CHECK_EQ(vcpu_finish(vcpu), 2);
}

/* Two VMs and the host's kernel have SYSCALL's registers in turn: each finds its own */
static GUEST __u32 keep_syscall(__u64 seed)
{
	static const __u32 msrs[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000103, 0x174, 0x175, 0x176, 0x277 };
	/* A PAT of valid types, and whatever fits into 31 bits elsewhere */
	const __u64 pat = 0x0101010101010101 * (seed & 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i], msrs[i] == 0x277 ? pat : seed + i);
	for (int turn = 0; turn < 20; turn++) {
		outb(PORT_TEST, turn);
		for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++)
			GUEST_CHECK_EQ(rdmsr(msrs[i]), msrs[i] == 0x277 ? pat : seed + i);
	}
	return 3;
}

static void each_has_its_own(void)
{
	struct vcpu *a = vm_with_vcpu(), *b = vm_with_vcpu();

	vcpu_start(a, MODE_LONG, RING0, keep_syscall, 0x1000);
	vcpu_start(b, MODE_LONG, RING0, keep_syscall, 0x2001);
	for (int turn = 0; turn < 20; turn++) {
		CHECK_EQ(vcpu_expect_out(a, PORT_TEST), turn);
		CHECK_EQ(vcpu_expect_out(b, PORT_TEST), turn);
	}
	CHECK_EQ(vcpu_finish(a), 3);
	CHECK_EQ(vcpu_finish(b), 3);
}

static const struct ktap_case cases[] = {
	{ "every index", every_index },
	{ "every index, with a local APIC and the clock", every_index_with_devices },
	{ "values are checked", values_are_checked },
	{ "addresses are canonical", addresses_are_canonical },
	{ "FS, GS and SWAPGS", bases_work },
	{ "TSC and TSC_AUX", tsc_works },
	{ "each VM has its own", each_has_its_own },
};
KTAP_MAIN(cases)
