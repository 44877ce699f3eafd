// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: what the guest sees is the table that the launcher can read, nothing is promised that the host lacks or the
 * module does not switch, and what depends on CR4 and XCR0 follows them.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <unistd.h>

#define UD	6
#define NONE	GUEST_NO_FAULT

enum { EAX, EBX, ECX, EDX };

struct regs {
	__u32 r[4];
};

/* ------------------------------------------------------------------ asking */

#define MAX_QUESTIONS	160

static volatile struct { __u32 leaf, subleaf; __u32 r[4]; } answers[MAX_QUESTIONS];
static volatile __u32 questions;

static GUEST __u32 ask(__u64 unused)
{
	(void)unused;
	for (__u32 i = 0; i < questions; i++) {
		/* The upper halves of RAX and RCX do not count, and those of all four are zero afterwards */
		__u64 rax = ~0ULL << 32 | answers[i].leaf, rcx = ~0ULL << 32 | answers[i].subleaf, rbx = ~0ULL, rdx = ~0ULL;

		asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
		GUEST_CHECK_EQ((rax | rbx | rcx | rdx) >> 32, 0);
		answers[i].r[EAX] = rax;
		answers[i].r[EBX] = rbx;
		answers[i].r[ECX] = rcx;
		answers[i].r[EDX] = rdx;
	}
	return 1;
}

static struct regs guest_cpuid_in(struct vcpu *vcpu, struct tpz_state *state, __u32 leaf, __u32 subleaf)
{
	struct regs regs;

	questions = 1;
	answers[0].leaf = leaf;
	answers[0].subleaf = subleaf;
	vcpu_set(vcpu, state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	for (int i = 0; i < 4; i++)
		regs.r[i] = answers[0].r[i];
	return regs;
}

static struct regs guest_cpuid(struct vcpu *vcpu, __u32 leaf, __u32 subleaf)
{
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)ask, 0);

	return guest_cpuid_in(vcpu, &state, leaf, subleaf);
}

static struct regs host_cpuid(__u32 leaf, __u32 subleaf)
{
	struct regs regs;

	cpuid(leaf, subleaf, &regs.r[EAX], &regs.r[EBX], &regs.r[ECX], &regs.r[EDX]);
	return regs;
}

static bool intel(void)
{
	return host_cpuid(0, 0).r[EBX] == 0x756e6547;
}

static int get_table(struct vcpu *vcpu, struct tpz_cpuid_entry *entries, __u32 capacity)
{
	struct tpz_cpuid get = {
		.size = sizeof(get), .entries = (uintptr_t)entries, .capacity = capacity, .entry_bytes = sizeof(*entries),
	};

	return CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &get));
}

/* ------------------------------------------------------------------ the table */

static void the_table_is_what_the_guest_sees(void)
{
	const __u64 devices[] = { 0, TPZ_DEVICE_LAPIC, TPZ_DEVICES_PC };

	for (unsigned int d = 0; d < ARRAY_SIZE(devices); d++) {
		struct vcpu *vcpu = vm_with_vcpu(.devices = devices[d]);
		struct tpz_cpuid_entry entries[MAX_QUESTIONS];
		int count = get_table(vcpu, entries, MAX_QUESTIONS);
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)ask, 0);
		__u64 last = 0;

		CHECK_GT(count, 15);
		CHECK_LE(count, MAX_QUESTIONS);
		questions = count;
		for (int i = 0; i < count; i++) {
			answers[i].leaf = entries[i].leaf;
			/* Where the subleaf does not count, any gives the same */
			answers[i].subleaf = entries[i].flags & TPZ_CPUID_SUBLEAF ? entries[i].subleaf : 0x1234567;
			CHECK_EQ(entries[i].flags & ~TPZ_CPUID_SUBLEAF, 0);
			CHECK_EQ(entries[i].pad, 0);
			if (i)
				CHECK_GT((__u64)entries[i].leaf << 32 | entries[i].subleaf, last);
			last = (__u64)entries[i].leaf << 32 | entries[i].subleaf;
		}
		vcpu_set(vcpu, &state);
		CHECK_EQ(vcpu_finish(vcpu), 1);
		for (int i = 0; i < count; i++) {
			const struct tpz_cpuid_entry *e = &entries[i];
			const __u32 want[] = { e->eax, e->ebx, e->ecx, e->edx };

			for (int r = 0; r < 4; r++)
				CHECK_THAT(answers[i].r[r] == want[r], "leaf %#x, subleaf %#x, register %d: %#x, %#x",
					   e->leaf, e->subleaf, r, answers[i].r[r], want[r]);
		}
		vm_close(vcpu->vm);
	}
}

static void a_short_array_is_filled_and_no_more(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_cpuid_entry all[MAX_QUESTIONS], some[4];
	int count = get_table(vcpu, all, MAX_QUESTIONS);

	memset(some, 0xee, sizeof(some));
	CHECK_EQ(get_table(vcpu, some, 3), count);
	CHECK_EQ(memcmp(some, all, 3 * sizeof(some[0])), 0);
	CHECK_EQ(some[3].leaf, 0xeeeeeeee);
	CHECK_EQ(get_table(vcpu, some, 0), count);
}

static void leaves_beyond_the_last(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u32 last = guest_cpuid(vcpu, 0, 0).r[EAX];
	const struct regs at_last = guest_cpuid(vcpu, last, 0);
	const __u32 beyond[] = { last + 1, 0xffff, 0x3fffffff, 0x7fffffff, 0x80000009, 0x8fffffff, 0xffffffff };
	struct regs got, nothing = {};

	CHECK_GE(last, 0xd);
	for (unsigned int i = 0; i < ARRAY_SIZE(beyond); i++) {
		got = guest_cpuid(vcpu, beyond[i], 0);
		CHECK_THAT(!memcmp(&got, intel() ? &at_last : &nothing, sizeof(got)), "leaf %#x", beyond[i]);
	}
	/* Leaves in between that mean nothing, and the hypervisor's range */
	const __u32 empty[] = { 3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x12, 0x14, 0x40000002, 0x40000011, 0x40000102, 0x40001000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(empty); i++) {
		got = guest_cpuid(vcpu, empty[i], 0);
		CHECK_THAT(!memcmp(&got, &nothing, sizeof(got)), "leaf %#x", empty[i]);
	}
	CHECK_EQ(guest_cpuid(vcpu, 0x80000000, 0).r[EAX], 0x80000008);
}

/* ------------------------------------------------------------------ features */

/* The module's own, with or without a host that has them */
#define OWN_1_ECX	(1U << 31 | 1 << 24 | 1 << 21)	/* HYPERVISOR, TSC_DEADLINE, X2APIC */
#define OWN_1_EDX	(1 << 9)			/* APIC */

static void nothing_that_the_host_lacks(void)
{
	static const struct { __u32 leaf, subleaf; int reg; __u32 own; } words[] = {
		{ 1, 0, ECX, OWN_1_ECX }, { 1, 0, EDX, OWN_1_EDX }, { 6, 0, EAX, 1 << 2 }, { 6, 0, ECX, 0 },
		{ 7, 0, EBX, 0 }, { 7, 0, ECX, 0 }, { 7, 0, EDX, 0 }, { 7, 1, EAX, 0 }, { 0xd, 1, EAX, 0 },
		{ 0x80000001, 0, ECX, 0 }, { 0x80000001, 0, EDX, 0 }, { 0x80000007, 0, EDX, 0 }, { 0x80000008, 0, EBX, 0 },
	};
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		const __u32 guest = guest_cpuid(vcpu, words[i].leaf, words[i].subleaf).r[words[i].reg];
		const __u32 host = host_cpuid(words[i].leaf, words[i].subleaf).r[words[i].reg];

		CHECK_THAT(!(guest & ~(host | words[i].own)), "leaf %#x, register %d: %#x, host %#x", words[i].leaf,
			   words[i].reg, guest, host);
	}
}

/* What has state that the module does not switch, or instructions that it does not answer */
static void nothing_that_is_not_switched(void)
{
	static const struct { __u32 leaf, subleaf; int reg; __u32 hidden; } words[] = {
		/* DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM DCA */
		{ 1, 0, ECX, 0x1fc | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 18 },
		/* MCE MCA MTRR PSN DS ACPI TM PBE */
		{ 1, 0, EDX, 1 << 7 | 1 << 12 | 1 << 14 | 1 << 18 | 1 << 21 | 1 << 22 | 1 << 29 | 1U << 31 },
		{ 6, 0, EAX, ~(1U << 2) },
		{ 6, 0, ECX, ~0U },
		/* TSC_ADJUST SGX HLE RTM CQM MPX RDT PT */
		{ 7, 0, EBX, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 25 },
		/* WAITPKG CET_SS LA57 SGX_LC PKS */
		{ 7, 0, ECX, 1 << 5 | 1 << 7 | 1 << 13 | 1 << 16 | 1 << 24 | 1 << 30 | 1U << 31 },
		/* UINTR HYBRID PCONFIG LBR CET_IBT AMX, and all that steers speculation */
		{ 7, 0, EDX, 1 << 5 | 1 << 15 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 22 | 1 << 24 | 1 << 25 | 0xfc000000 },
		{ 0xa, 0, EAX, ~0U },
		{ 0xd, 1, EAX, ~7U },		/* XSAVES, XFD */
		{ 0x80000001, 0, ECX, 1 << 2 },	/* SVM */
		{ 0x80000008, 0, EBX, 1 << 12 | 1 << 14 | 1 << 15 | 1 << 24 },
	};
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		const __u32 guest = guest_cpuid(vcpu, words[i].leaf, words[i].subleaf).r[words[i].reg];

		CHECK_THAT(!(guest & words[i].hidden), "leaf %#x, register %d: %#x", words[i].leaf, words[i].reg,
			   guest & words[i].hidden);
	}
	/* No supervisor components, no AMX */
	CHECK_EQ(guest_cpuid(vcpu, 0xd, 0).r[EAX] & ~0x2e7U, 0);
	CHECK_EQ(guest_cpuid(vcpu, 0xd, 0).r[EDX], 0);
	CHECK_EQ(guest_cpuid(vcpu, 0xd, 1).r[ECX], 0);
	CHECK_EQ(guest_cpuid(vcpu, 0xd, 1).r[EDX], 0);
}

/* What 64-bit kernels cannot do without is there if the host has it, as every host does */
static void what_every_kernel_needs(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	/* FPU DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
	const __u32 basic = 0x78bab7d;

	CHECK_EQ(guest_cpuid(vcpu, 1, 0).r[EDX] & basic, basic);
	CHECK_EQ(guest_cpuid(vcpu, 1, 0).r[ECX] & OWN_1_ECX, OWN_1_ECX);
	CHECK_EQ(guest_cpuid(vcpu, 6, 0).r[EAX], 1 << 2);
	/* SYSCALL, NX, LM */
	CHECK_EQ(guest_cpuid(vcpu, 0x80000001, 0).r[EDX] & 0x20100800, 0x20100800);
	CHECK_EQ(guest_cpuid(vcpu, 0x80000008, 0).r[EAX], (__u32)device_info().phys_bits | 48 << 8);
}

static void devices_show(void)
{
	struct vcpu *without = vm_with_vcpu(), *with = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);

	CHECK_EQ(guest_cpuid(without, 1, 0).r[ECX] & OWN_1_ECX, 1U << 31);
	CHECK_EQ(guest_cpuid(without, 1, 0).r[EDX] & OWN_1_EDX, 0);
	CHECK_EQ(guest_cpuid(without, 6, 0).r[EAX], 0);
	CHECK_EQ(guest_cpuid(with, 1, 0).r[ECX] & OWN_1_ECX, OWN_1_ECX);
	CHECK_EQ(guest_cpuid(with, 1, 0).r[EDX] & OWN_1_EDX, OWN_1_EDX);
}

/* A promised instruction runs */
static GUEST __u32 try_promised(__u64 unused)
{
	struct guest_fault fault;
	__u32 eax, ebx, ecx, edx;
	__u64 value;

	(void)unused;
#define PROMISED(reg, bit, instruction, inputs)						\
	if ((reg) >> (bit) & 1) {							\
		GUEST_TRY(fault, instruction, ("=a"(value)), inputs);			\
		GUEST_CHECK_EQ(fault.vector, NONE);					\
	}
	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	PROMISED(ecx, 23, "popcnt %0, %0", ("a"(5)));
	PROMISED(ecx, 22, "movbe (%%rbx), %0", ("b"(GUEST_FREE)));
	PROMISED(ecx, 13, "cmpxchg16b (%%rbx)", ("a"(0), "b"(GUEST_FREE), "c"(0), "d"(0)));
	PROMISED(ecx, 30, "rdrand %0", ());
	cpuid(7, 0, &eax, &ebx, &ecx, &edx);
	PROMISED(ebx, 3, "tzcnt %0, %0", ("a"(5)));
	PROMISED(ebx, 8, "mulx %%rbx, %%rcx, %0", ("b"(5), "c"(0), "d"(1)));
	PROMISED(ebx, 18, "rdseed %0", ());
	PROMISED(ebx, 19, "adcx %0, %0", ("a"(5)));
	PROMISED(ebx, 23, "clflushopt (%%rbx)", ("b"(GUEST_FREE)));
	PROMISED(ebx, 24, "clwb (%%rbx)", ("b"(GUEST_FREE)));
	PROMISED(ebx, 20, "stac\n\tclac", ());
	PROMISED(ecx, 22, "rdpid %0", ());
	if (ebx & 1) {
		WRITE_REGISTER(cr4, READ_REGISTER(cr4) | 1 << 16);
		PROMISED(ebx, 0, "rdfsbase %0", ());
	}
	cpuid(0x80000001, 0, &eax, &ebx, &ecx, &edx);
	PROMISED(edx, 27, "rdtscp", ("c"(0), "d"(0)));
	PROMISED(ecx, 5, "lzcnt %0, %0", ("a"(5)));
	PROMISED(ecx, 8, "prefetchw (%%rbx)", ("b"(GUEST_FREE)));
	return 4;
}

static void promises_are_kept(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, try_promised, 0);
	CHECK_EQ(vcpu_finish(vcpu), 4);
}

/* ------------------------------------------------------------------ one CPU, by name */

static void one_thread_of_one_core(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct regs regs;

	regs = guest_cpuid(vcpu, 1, 0);
	CHECK_EQ(regs.r[EBX] >> 24, 0);		/* APIC identifier */
	CHECK_EQ(regs.r[EBX] >> 16 & 0xff, 1);
	CHECK_EQ(regs.r[EAX], host_cpuid(1, 0).r[EAX]);
	for (__u32 i = 0; intel() && i < 8; i++) {
		regs = guest_cpuid(vcpu, 4, i);
		if (!(regs.r[EAX] & 31))
			break;
		CHECK_EQ(regs.r[EAX] >> 14, 0);	/* not shared; one core */
		CHECK_EQ(regs.r[ECX], host_cpuid(4, i).r[ECX]);
	}
	regs = guest_cpuid(vcpu, 0xb, 0);
	CHECK_EQ(regs.r[EAX], 0);
	CHECK_EQ(regs.r[EBX], 1);
	CHECK_EQ(regs.r[ECX], 1 << 8);
	CHECK_EQ(regs.r[EDX], 0);
	CHECK_EQ(guest_cpuid(vcpu, 0xb, 1).r[ECX], 2 << 8 | 1);
	CHECK_EQ(guest_cpuid(vcpu, 0xb, 2).r[ECX], 2);
	CHECK_EQ(guest_cpuid(vcpu, 0xb, 0x107).r[ECX], 7);	/* levels beyond the last echo its number */
}

static void check_signature(struct vcpu *vcpu, __u32 leaf, __u32 last, const char name[12])
{
	struct regs regs = guest_cpuid(vcpu, leaf, 0);

	CHECK_EQ(regs.r[EAX], last);
	CHECK_EQ(memcmp(&regs.r[EBX], name, 12), 0);
}

static void signatures(void)
{
	struct vcpu *plain = vm_with_vcpu(), *kvm = vm_with_vcpu(.devices = TPZ_DEVICE_KVMCLOCK);
	struct vcpu *pc = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	const __u32 khz = device_info().tsc_khz;
	const __u32 of_clock = 1 << 24 | (access("/proc/self/schedstat", F_OK) ? 0 : 1 << 9 | 1 << 5) |
			       1 << 13 | 1 << 3 | 1 << 1 | 1 << 0;

	check_signature(plain, 0x40000000, 0x40000010, "TrapezeTrap");
	check_signature(kvm, 0x40000000, 0x40000010, "KVMKVMKVM\0\0");
	check_signature(plain, 0x40000100, 0x40000101, "TrapezeTrap");
	check_signature(kvm, 0x40000100, 0x40000101, "TrapezeTrap");
	CHECK_EQ(guest_cpuid(plain, 0x40000001, 0).r[EAX], 0);
	/* Clock; where the scheduler keeps its account steal time and PV TLB flush; yield. Of the local APIC: EOI, unhalt, IPI */
	CHECK_EQ(guest_cpuid(kvm, 0x40000001, 0).r[EAX], of_clock);
	CHECK_EQ(guest_cpuid(pc, 0x40000001, 0).r[EAX], of_clock | 1 << 11 | 1 << 7 | 1 << 6);
	CHECK_EQ(guest_cpuid(kvm, 0x40000001, 0).r[EDX], 0);
	CHECK_EQ(guest_cpuid(plain, 0x40000010, 0).r[EAX], khz);
	CHECK_EQ(guest_cpuid(plain, 0x15, 0).r[ECX], khz * 1000);
	CHECK_EQ(guest_cpuid(plain, 0x16, 0).r[EAX], khz / 1000);
}

/* ------------------------------------------------------------------ what follows CR4 and XCR0 */

static void osxsave_and_ospke_follow_cr4(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)ask, 0);

	if (!(guest_cpuid(vcpu, 1, 0).r[ECX] & 1 << 26))
		SKIP("no XSAVE");
	CHECK_EQ(guest_cpuid_in(vcpu, &state, 1, 0).r[ECX] & 1 << 27, 0);
	state.control.cr4 |= 1 << 18;
	CHECK_EQ(guest_cpuid_in(vcpu, &state, 1, 0).r[ECX] & 1 << 27, 1 << 27);
	CHECK_EQ(guest_cpuid_in(vcpu, &state, 7, 0).r[ECX] & 1 << 4, 0);
	if (!(guest_cpuid(vcpu, 7, 0).r[ECX] & 1 << 3))
		return;
	state.control.cr4 |= 1 << 22;
	CHECK_EQ(guest_cpuid_in(vcpu, &state, 7, 0).r[ECX] & 1 << 4, 1 << 4);
}

/* SDM vol. 1, 13.2 and 13.4 */
static void xsave_sizes_follow_xcr0(void)
{
	static const __u64 xcr0s[] = { 1, 3, 7, 0xe7, 0x207, 0x2e7 };
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)ask, 0);
	const __u64 all = guest_cpuid(vcpu, 0xd, 0).r[EAX];
	__u32 largest = 0;

	if (!all)
		SKIP("no XSAVE");
	state.control.cr4 |= 1 << 18;
	for (unsigned int i = 0; i < ARRAY_SIZE(xcr0s); i++) {
		__u32 standard = 576, compacted = 576;

		if (xcr0s[i] & ~all)
			continue;
		for (int c = 2; c < 32; c++) {
			const struct regs regs = guest_cpuid(vcpu, 0xd, c), host = host_cpuid(0xd, c);

			if (!(all >> c & 1)) {
				CHECK_EQ(regs.r[EAX] | regs.r[EBX] | regs.r[ECX] | regs.r[EDX], 0);
				continue;
			}
			CHECK_EQ(regs.r[EAX], host.r[EAX]);
			CHECK_EQ(regs.r[EBX], host.r[EBX]);
			if (!(xcr0s[i] >> c & 1))
				continue;
			if (regs.r[EBX] + regs.r[EAX] > standard)
				standard = regs.r[EBX] + regs.r[EAX];
			if (regs.r[ECX] & 2)
				compacted = (compacted + 63) & ~63U;
			compacted += regs.r[EAX];
		}
		state.control.xcr0 = xcr0s[i];
		CHECK_EQ(guest_cpuid_in(vcpu, &state, 0xd, 0).r[EBX], standard);
		CHECK_EQ(guest_cpuid_in(vcpu, &state, 0xd, 1).r[EBX], compacted);
		if (standard > largest)
			largest = standard;
	}
	CHECK_EQ(guest_cpuid(vcpu, 0xd, 0).r[ECX], device_info().xsave_bytes);
	CHECK_LE(largest, device_info().xsave_bytes);
}

/* Two sockets of three cores of two threads: 1 bit of thread, 2 of core, and identifiers that nobody has */
static void topology(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC, .sockets = 2, .cores = 3, .threads = 2);
	struct tpz_create_vcpu create = { .size = sizeof(create) };
	struct vcpu *vcpu = vcpu_create(vm, 13);	/* socket 1, core 2, thread 1 */
	const __u32 per_socket = machine.amd ? 6 : 8;
	static const __u32 absent[] = { 6, 7, 14, 16, 63 };
	struct regs regs;

	for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++) {
		create.id = absent[i];
		CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EINVAL);
	}
	regs = guest_cpuid(vcpu, 1, 0);
	CHECK_EQ(regs.r[EBX] >> 24, 13);
	CHECK_EQ(regs.r[EBX] >> 16 & 0xff, per_socket);
	CHECK_EQ(regs.r[EDX] >> 28 & 1, 1);
	for (__u32 leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
		if (leaf == 0x1f && machine.amd)
			break;
		for (__u32 level = 0; level < 3; level++) {
			static const __u32 shift[] = { 1, 3, 0 }, count[] = { 2, 6, 0 };

			regs = guest_cpuid(vcpu, leaf, level);
			CHECK_EQ(regs.r[EAX], shift[level]);
			CHECK_EQ(regs.r[EBX], count[level]);
			CHECK_EQ(regs.r[ECX], level | (level < 2 ? (level + 1) << 8 : 0));
			CHECK_EQ(regs.r[EDX], 13);
		}
	}
	if (machine.amd)
		CHECK_EQ(guest_cpuid(vcpu, 0x80000001, 0).r[ECX] >> 22 & 1, 1);		/* TOPOEXT */
	for (__u32 i = 0; i < 8; i++) {
		regs = guest_cpuid(vcpu, machine.amd ? 0x8000001d : 4, i);
		if (!(regs.r[EAX] & 0x1f))
			break;
		CHECK_EQ(regs.r[EAX] >> 14 & 0xfff, (regs.r[EAX] >> 5 & 7) <= 2 ? 1 : per_socket - 1);
		CHECK_EQ(regs.r[EAX] >> 26, machine.amd ? 0 : 3);
	}
	if (!machine.amd)
		return;
	CHECK_EQ(guest_cpuid(vcpu, 0x80000008, 0).r[ECX], 3 << 12 | 5);
	regs = guest_cpuid(vcpu, 0x8000001e, 0);
	CHECK_EQ(regs.r[EAX], 13);
	CHECK_EQ(regs.r[EBX], 1 << 8 | 2);
	CHECK_EQ(regs.r[ECX], 1);
}

/* All three numbers or none, and no identifier beyond the last vCPU's */
static void bad_topologies(void)
{
	static const __u32 bad[][3] = {
		{ 1, 0, 0 }, { 0, 1, 1 }, { 65, 1, 1 }, { 1, 65, 1 }, { 5, 5, 3 }, { 1, 33, 2 }, { ~0U, ~0U, ~0U },
	};
	int device = device_open();

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tpz_create_vm create = {
			.size = sizeof(create), .sockets = bad[i][0], .cores = bad[i][1], .threads = bad[i][2],
		};

		CHECK_THAT(ioctl(device, TPZ_CREATE_VM, &create) == -1 && errno == EINVAL, "%u", i);
	}
}

/* Hidden: no bit, no leaf of a hypervisor's answers; everything else is as before */
static void no_hypervisor_is_told(void)
{
	struct vcpu *plain = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC | TPZ_DEVICE_PIC);
	struct vcpu *hidden = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC | TPZ_DEVICE_PIC, .flags = TPZ_VM_NO_HYPERVISOR);
	struct tpz_cpuid_entry all[MAX_QUESTIONS], left[MAX_QUESTIONS];
	int count = get_table(plain, all, MAX_QUESTIONS), n = 0;
	const struct regs beyond = guest_cpuid(hidden, 0x3fffffff, 0);

	CHECK_EQ(guest_cpuid(plain, 1, 0).r[ECX] >> 31, 1);
	CHECK_EQ(guest_cpuid(hidden, 1, 0).r[ECX] >> 31, 0);
	for (__u32 leaf = 0x40000000; leaf <= 0x40000101; leaf++) {
		const struct regs answer = guest_cpuid(hidden, leaf, 0);

		for (int i = 0; i < 4; i++)
			CHECK_EQ(answer.r[i], beyond.r[i]);	/* as any leaf that nobody has */
	}
	for (int i = 0; i < count; i++) {
		if (all[i].leaf == 1)
			all[i].ecx &= ~(1U << 31);
		if (all[i].leaf >> 28 != 4)
			all[n++] = all[i];
	}
	CHECK_EQ(get_table(hidden, left, MAX_QUESTIONS), n);
	CHECK(!memcmp(all, left, n * sizeof(*all)));
}

static const struct ktap_case cases[] = {
	{ "the table is what the guest sees", the_table_is_what_the_guest_sees },
	{ "a short array is filled, and no more", a_short_array_is_filled_and_no_more },
	{ "leaves beyond the last", leaves_beyond_the_last },
	{ "nothing that the host lacks", nothing_that_the_host_lacks },
	{ "nothing that is not switched", nothing_that_is_not_switched },
	{ "what every kernel needs", what_every_kernel_needs },
	{ "devices show", devices_show },
	{ "promises are kept", promises_are_kept },
	{ "one thread of one core", one_thread_of_one_core },
	{ "signatures", signatures },
	{ "no hypervisor is told where the launcher hides it", no_hypervisor_is_told },
	{ "OSXSAVE and OSPKE follow CR4", osxsave_and_ospke_follow_cr4 },
	{ "sizes of XSAVE's area follow XCR0", xsave_sizes_follow_xcr0 },
	{ "the topology that was asked for", topology },
	{ "topologies that cannot be", bad_topologies },
};
KTAP_MAIN(cases)
