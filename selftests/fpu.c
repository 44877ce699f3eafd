// SPDX-License-Identifier: GPL-2.0
/*
 * x87, SSE, AVX and AVX-512 registers, MXCSR, XCR0 and PKRU belong to whoever loaded them: guests keep theirs across
 * exits, preemption and migration, and the launcher keeps its own. As much is tested as CPUID tells.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CR4_OSXSAVE	(1ULL << 18)
#define CR4_PKE		(1ULL << 22)
#define UD	6
#define GP	13
#define PF	14

enum level { SSE, AVX, AVX512 };

static const __u64 xcr0_of[] = { 3, 7, 0xe7 };

/* guests/fpu.S knows the offsets */
struct fpu_image {
	__u8 legacy[512];	/* as FXSAVE */
	__u8 wide[32][64];
	__u64 mask[8];
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct fpu_image, mask) == 2560, "guests/fpu.S");

void fpu_load(const struct fpu_image *image, enum level level);
void fpu_store(struct fpu_image *image, enum level level);

static __u64 xgetbv(void)
{
	__u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (__u64)high << 32;
}

/* What host and guest both have */
static enum level best_level(void)
{
	__u64 xcr0 = xgetbv();

	return (xcr0 & 0xe7) == 0xe7 ? AVX512 : (xcr0 & 7) == 7 ? AVX : SSE;
}

static bool have_pku(void)
{
	__u32 a, b, c, d;

	cpuid(7, 0, &a, &b, &c, &d);
	return c & 1 << 4;	/* OSPKE */
}

/* An image that no other seed makes. Bytes that @level does not reach are 0, as are those that hold no state */
static void fill(struct fpu_image *image, __u64 seed, enum level level)
{
	__u64 random = seed * 0x9e3779b97f4a7c15ULL + 1;
	const unsigned int registers = level == AVX512 ? 32 : 16, bytes = level == AVX512 ? 64 : level == AVX ? 32 : 16;

#define NEXT	(random ^= random << 13, random ^= random >> 7, random ^= random << 17)
	memset(image, 0, sizeof(*image));
	for (unsigned int r = 0; r < registers; r++)
		for (unsigned int i = 0; i < bytes; i++)
			image->wide[r][i] = NEXT;
	if (level == AVX512)
		for (unsigned int k = 0; k < 8; k++)
			image->mask[k] = NEXT;
	*(__u16 *)image->legacy = 0x007f | (seed & 3) << 10 | 0x0300;	/* FCW: rounding by seed */
	image->legacy[4] = 0xff;						/* FTW: all in use */
	*(__u32 *)(image->legacy + 24) = 0x1f80 | (seed & 3) << 13;		/* MXCSR: rounding by seed */
	for (unsigned int st = 0; st < 8; st++) {
		for (unsigned int i = 0; i < 10; i++)
			image->legacy[32 + 16 * st + i] = NEXT;
		image->legacy[32 + 16 * st + 7] |= 0x80;	/* a normal number */
		image->legacy[32 + 16 * st + 9] &= 0x3f;
		image->legacy[32 + 16 * st + 8] |= 1;
	}
	for (unsigned int r = 0; r < 16; r++)
		memcpy(image->legacy + 160 + 16 * r, image->wide[r], 16);
	if (level == SSE)
		memset(image->wide, 0, sizeof(image->wide));
}

/* Where two images differ: byte + 1, or 0. Plain loads: guests use it too. FIP, FDP and MXCSR_MASK do not count */
static __u32 difference(const struct fpu_image *a, const struct fpu_image *b)
{
	const volatile __u64 *x = (const void *)a, *y = (const void *)b;

	for (unsigned int i = 0; i < sizeof(*a) / 8; i++) {
		const __u64 mask = i == 0 ? 0x00ffffff :	/* FCW, low FSW */
				   i == 1 || i == 2 ? 0 : i == 3 ? 0xffffffff : ~0ULL;

		if (i >= 52 && i < 64)	/* behind XMM15: unused */
			continue;
		if ((x[i] ^ y[i]) & mask)
			return 8 * i + 1;
	}
	return 0;
}

/* ------------------------------------------------------------------ a guest that watches its registers */

struct watch {
	enum level level;
	__u32 rounds;
	__u32 spins;		/* of PAUSE between two looks */
	struct fpu_image image;
	struct fpu_image scratch;
} __attribute__((aligned(64)));

static struct watch watches[2];

static GUEST void enable_xsave(__u64 xcr0)
{
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	asm volatile("xsetbv" : : "a"((__u32)xcr0), "d"((__u32)(xcr0 >> 32)), "c"(0));
}

/* 0, or where the registers first differed from the image */
static GUEST __u32 watch_registers(__u64 arg)
{
	struct watch *w = (void *)arg;
	__u32 a, b, c, d, where = 0;

	sti();
	enable_xsave(xcr0_of[w->level]);
	fpu_load(&w->image, w->level);
	for (__u32 round = 0; round < w->rounds && !where; round++) {
		cpuid(0, 0, &a, &b, &c, &d);
		if (round % 8 == 0)
			outb(PORT_TEST, round);
		for (__u32 i = 0; i < w->spins; i++)
			asm volatile("pause");
		fpu_store(&w->scratch, w->level);
		where = difference(&w->image, &w->scratch);
	}
	return where;
}

static void start_watch(struct vcpu *vcpu, struct watch *w, enum level level, __u64 seed, __u32 rounds, __u32 spins)
{
	w->level = level;
	w->rounds = rounds;
	w->spins = spins;
	fill(&w->image, seed, level);
	memset(&w->scratch, 0, sizeof(w->scratch));
	vcpu_start(vcpu, MODE_LONG, RING0, watch_registers, w);
}

/* ioctl() without the library: nothing but the kernel stands between two looks at the registers */
static long raw_run(int fd)
{
	long ret;

	asm volatile("syscall" : "=a"(ret) : "0"(SYS_ioctl), "D"(fd), "S"(TPZ_RUN), "d"(0) : "rcx", "r11", "memory");
	return ret;
}

static struct fpu_image ours[3], ours_after[3];

/*
 * Runs to the end with the launcher's registers full of @seed; they must be the same after each TPZ_RUN.
 * @n: the image of this thread
 */
static __u32 run_with_registers(struct vcpu *vcpu, int n, __u64 seed)
{
	const enum level level = best_level();
	__u32 where;
	long ret;

	fill(&ours[n], seed, level);
	for (;;) {
		fpu_load(&ours[n], level);
		ret = raw_run(vcpu->fd);
		fpu_store(&ours_after[n], level);
		asm volatile("fninit; ldmxcsr %0" : : "m"((__u32){ 0x1f80 }));
		if (best_level() >= AVX)
			asm volatile("vzeroupper");
		where = difference(&ours[n], &ours_after[n]);
		CHECK_THAT(!where, "the launcher's registers changed at byte %u", where - 1);
		if (ret == -EINTR)
			continue;
		CHECK_EQ(ret, 0);
		if (vcpu->run->reason != TPZ_EXIT_IO || vcpu->run->io.in)
			FAIL("%s", vcpu_exit_text(vcpu));
		if (vcpu->run->io.port == PORT_DONE)
			return *(volatile __u32 *)vcpu->data;
		if (vcpu->run->io.port != PORT_TEST)
			FAIL("%s", vcpu_exit_text(vcpu));
	}
}

static void registers_survive(enum level level)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 where;

	if (best_level() < level)
		SKIP("this CPU does not have it");
	start_watch(vcpu, &watches[0], level, 11 + level, 200, 0);
	where = run_with_registers(vcpu, 0, 77);
	CHECK_THAT(!where, "the guest's registers changed at byte %u", where - 1);
}

static void x87_and_sse_survive(void)
{
	registers_survive(SSE);
}

static void avx_survives(void)
{
	registers_survive(AVX);
}

static void avx512_survives(void)
{
	registers_survive(AVX512);
}

/* A new vCPU holds nothing of what ran on the CPU before */
static GUEST __u32 store_first(__u64 arg)
{
	struct watch *w = (void *)arg;

	enable_xsave(xcr0_of[w->level]);
	fpu_store(&w->scratch, w->level);
	return 0;
}

static void a_new_vcpu_holds_nothing_of_the_host(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct watch *w = &watches[0];

	w->level = best_level();
	memset(&w->scratch, 0xee, sizeof(w->scratch));
	vcpu_start(vcpu, MODE_LONG, RING0, store_first, w);
	run_with_registers(vcpu, 0, 123);
	for (unsigned int r = 0; r < (w->level == AVX512 ? 32 : 16); r++)
		for (unsigned int i = 0; i < (w->level == AVX512 ? 64 : w->level == AVX ? 32 : 0); i++)
			CHECK_THAT(!w->scratch.wide[r][i], "register %u byte %u is %#x", r, i, w->scratch.wide[r][i]);
	for (unsigned int i = 160; i < 416; i++)
		CHECK_EQ(w->scratch.legacy[i], 0);
	CHECK_EQ(*(__u32 *)(w->scratch.legacy + 24), 0x1f80);
}

/* ------------------------------------------------------------------ two vCPUs and two launcher threads */

struct runner {
	struct vcpu *vcpu;
	int number;
	pid_t tid;
	__u32 where;
	int cpu;		/* -1: anywhere */
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	r->tid = gettid();
	if (r->cpu >= 0)
		run_on_cpu(r->cpu);
	r->where = run_with_registers(r->vcpu, 1 + r->number, 1000 + r->number);
	return NULL;
}

static void two_at_once(bool migrate)
{
	struct runner runners[2];
	pthread_t threads[2];

	for (int i = 0; i < 2; i++) {
		runners[i] = (struct runner){ .vcpu = vm_with_vcpu(), .number = i, .cpu = migrate ? -1 : 0 };
		start_watch(runners[i].vcpu, &watches[i], best_level(), 31 + i, 100, 2000);
		CHECK_EQ(pthread_create(&threads[i], NULL, run_thread, &runners[i]), 0);
	}
	/* Until both have ended, send each to the other CPU again and again */
	for (unsigned int flip = 0; migrate; flip++) {
		int alive = 0;

		for (int i = 0; i < 2; i++) {
			cpu_set_t set;

			if (!runners[i].tid)
				continue;
			CPU_ZERO(&set);
			CPU_SET((flip + i) & 1, &set);
			if (!sched_setaffinity(runners[i].tid, sizeof(set), &set))
				alive++;
		}
		usleep(2000);
		if (!alive && runners[0].tid && runners[1].tid)
			break;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		CHECK_THAT(!runners[i].where, "registers of guest %d changed at byte %u", i, runners[i].where - 1);
}

static void registers_survive_preemption(void)
{
	two_at_once(false);
}

static void registers_survive_migration(void)
{
	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	two_at_once(true);
}

/* ------------------------------------------------------------------ the state group */

static GUEST __u32 load_and_wait(__u64 arg)
{
	struct watch *w = (void *)arg;

	enable_xsave(xcr0_of[w->level]);
	fpu_load(&w->image, w->level);
	outb(PORT_TEST, 0);
	fpu_store(&w->scratch, w->level);
	return 0;
}

static void the_state_group_is_the_registers(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	static __u8 area[16 << 10] __attribute__((aligned(64)));
	struct watch *w = &watches[0];
	struct tpz_state state = {
		.size = sizeof(state), .groups = TPZ_STATE_FPU, .fpu = (uintptr_t)area,
		.fpu_bytes = device_info().xsave_bytes,
	};

	CHECK_LE(state.fpu_bytes, sizeof(area));
	w->level = best_level();
	fill(&w->image, 55, w->level);
	vcpu_start(vcpu, MODE_LONG, RING0, load_and_wait, w);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_STATE, &state));
	CHECK_EQ(memcmp(area + 160, w->image.legacy + 160, 256), 0);	/* XMM */
	CHECK_EQ(memcmp(area + 32, w->image.legacy + 32, 10), 0);	/* ST0 */
	CHECK_EQ(*(__u32 *)(area + 24), *(__u32 *)(w->image.legacy + 24));
	if (w->level >= AVX)
		for (int r = 0; r < 16; r++)
			CHECK_EQ(memcmp(area + 576 + 16 * r, w->image.wide[r] + 16, 16), 0);

	/* Changed by the launcher, the guest finds it so */
	area[160] ^= 0xff;
	area[416 - 1] ^= 0xff;
	if (w->level >= AVX)
		area[576 + 3] ^= 0xff;
	CHECK_SYS(ioctl(vcpu->fd, TPZ_SET_STATE, &state));
	vcpu_finish(vcpu);
	CHECK_EQ(memcmp(area + 160, w->scratch.legacy + 160, 256), 0);
	if (w->level >= AVX)
		CHECK_EQ(w->scratch.wide[0][16 + 3], area[576 + 3]);
}

/* ------------------------------------------------------------------ XCR0 */

static GUEST __u64 guest_xgetbv(void)
{
	__u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (__u64)high << 32;
}

static GUEST __u32 xsave_size(void)
{
	__u32 a, b, c, d;

	cpuid(0xd, 0, &a, &b, &c, &d);
	return b;
}

static GUEST __u32 switch_xcr0(__u64 all)
{
	struct guest_fault fault;
	__u32 a, b, c, d;

#define XSETBV(index, value)	\
	GUEST_TRY(fault, "xsetbv", (), ("a"((__u32)(value)), "d"((__u32)((__u64)(value) >> 32)), "c"(index)))
	sti();
	/* Without OSXSAVE there is none */
	XSETBV(0, 3);
	GUEST_CHECK_EQ(fault.vector, UD);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_CHECK_EQ(c >> 27 & 1, 0);
	WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_CHECK_EQ(c >> 27 & 1, 1);
	GUEST_CHECK_EQ(guest_xgetbv(), 1);

	XSETBV(0, 3);
	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
	GUEST_CHECK_EQ(guest_xgetbv(), 3);
	GUEST_CHECK_EQ(xsave_size(), 576);
	if (all & 4) {
		XSETBV(0, 7);
		GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
		GUEST_CHECK_EQ(guest_xgetbv(), 7);
		GUEST_CHECK_EQ(xsave_size(), 832);
		GUEST_TRY(fault, "vpxor %%ymm0, %%ymm0, %%ymm0", (), ());
		GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
		outb(PORT_TEST, 0);
		GUEST_CHECK_EQ(guest_xgetbv(), 7);
		XSETBV(0, 5);			/* AVX without SSE */
		GUEST_CHECK_EQ(fault.vector, GP);
	}
	XSETBV(0, all);
	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
	XSETBV(0, 0);
	GUEST_CHECK_EQ(fault.vector, GP);
	XSETBV(0, 2);
	GUEST_CHECK_EQ(fault.vector, GP);
	XSETBV(0, 3 | 1ULL << 62);
	GUEST_CHECK_EQ(fault.vector, GP);
	XSETBV(0, 3 | 1 << 5);
	GUEST_CHECK_EQ(fault.vector, GP);
	XSETBV(1, 3);
	GUEST_CHECK_EQ(fault.vector, GP);
	GUEST_CHECK_EQ(guest_xgetbv(), all);
	return 9;
}

/* AVX without its bit in XCR0 */
static GUEST __u32 use_avx(__u64 unused)
{
	struct guest_fault fault;

	(void)unused;
	enable_xsave(7);
	XSETBV(0, 3);
	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
	GUEST_TRY(fault, "vpxor %%ymm0, %%ymm0, %%ymm0", (), ());
	GUEST_CHECK_EQ(fault.vector, UD);
	return 9;
}

static void xcr0_decides_on_avx(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	if (best_level() < AVX)
		SKIP("no AVX");
	not_in_tcg("runs AVX instructions in a guest whatever its XCR0 says");
	vcpu_start(vcpu, MODE_LONG, RING0, use_avx, 0);
	CHECK_EQ(vcpu_finish(vcpu), 9);
}

static GUEST __u32 xsetbv_of_ring3(__u64 unused)
{
	struct guest_fault fault;

	(void)unused;
	XSETBV(0, 3);
	GUEST_CHECK_EQ(fault.vector, GP);
	return guest_xgetbv();
}

static void xcr0_is_the_guests_own(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 host = xgetbv(), all = xcr0_of[best_level()];
	struct tpz_state state;

	vcpu_start(vcpu, MODE_LONG, RING0, switch_xcr0, all);
	if (all & 4) {
		vcpu_expect_out(vcpu, PORT_TEST);
		CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_CONTROL).control.xcr0, 7);
		CHECK_EQ(xgetbv(), host);
	}
	CHECK_EQ(vcpu_finish(vcpu), 9);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_CONTROL).control.xcr0, all);
	CHECK_EQ(xgetbv(), host);

	/* Set by the launcher, seen by the guest; ring 3 may not */
	state = vcpu_start_state(vcpu, MODE_LONG, RING3, (uintptr_t)xsetbv_of_ring3, 0);
	state.control.cr4 |= CR4_OSXSAVE;
	state.control.xcr0 = 3;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 3);
}

/* A component that the guest disables and enables again is as it was, whatever the host did meanwhile */
static GUEST __u32 hide_avx(__u64 arg)
{
	struct watch *w = (void *)arg;

	enable_xsave(7);
	fpu_load(&w->image, AVX);
	enable_xsave(3);
	outb(PORT_TEST, 0);
	outb(PORT_TEST, 0);
	enable_xsave(7);
	fpu_store(&w->scratch, AVX);
	return difference(&w->image, &w->scratch);
}

static void a_hidden_component_keeps_its_state(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	if (best_level() < AVX)
		SKIP("no AVX");
	fill(&watches[0].image, 91, AVX);
	memset(&watches[0].scratch, 0, sizeof(watches[0].scratch));
	vcpu_start(vcpu, MODE_LONG, RING0, hide_avx, &watches[0]);
	CHECK_EQ(run_with_registers(vcpu, 0, 92), 0);
}

/* ------------------------------------------------------------------ MXCSR and rounding */

static GUEST __u32 divide(__u64 mxcsr)
{
	float one = 1.0f, three = 3.0f;
	__u32 result, control = mxcsr;

	asm volatile("ldmxcsr %0" : : "m"(control));
	outb(PORT_TEST, 0);
	asm volatile("movss %1, %%xmm0\n\t"
		     "divss %2, %%xmm0\n\t"
		     "movd %%xmm0, %0"
		     : "=r"(result) : "m"(one), "m"(three));
	return result;
}

static __u32 host_mxcsr(void)
{
	__u32 value;

	asm volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static void rounding_is_the_guests_own(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u32 before = host_mxcsr();

	for (__u32 mode = 0; mode < 4; mode++) {
		vcpu_start(vcpu, MODE_LONG, RING0, divide, 0x1f80 | mode << 13);
		vcpu_expect_out(vcpu, PORT_TEST);
		CHECK_EQ(host_mxcsr(), before);
		/* 1/3 upwards, or to nearest, is one unit more than downwards and to zero */
		CHECK_EQ(vcpu_finish(vcpu), mode == 0 || mode == 2 ? 0x3eaaaaab : 0x3eaaaaaa);
		CHECK_EQ(host_mxcsr(), before);
	}
}

/* ------------------------------------------------------------------ protection keys */

static __u32 rdpkru(void)
{
	__u32 value;

	asm volatile("rdpkru" : "=a"(value) : "c"(0) : "edx");
	return value;
}

static void wrpkru(__u32 value)
{
	asm volatile("wrpkru" : : "a"(value), "c"(0), "d"(0));
}

static GUEST __u32 use_keys(__u64 address)
{
	struct guest_fault fault;
	__u32 value, a, b, c, d;

	/* Key 1: no access; key 2: no writes */
	asm volatile("wrpkru" : : "a"(1 << 2 | 2 << 4), "c"(0), "d"(0));
	cpuid(0, 0, &a, &b, &c, &d);
	outb(PORT_TEST, 0);
	asm volatile("rdpkru" : "=a"(value), "=d"(d) : "c"(0));
	GUEST_CHECK_EQ(value, 1 << 2 | 2 << 4);
	GUEST_TRY(fault, "mov (%%rbx), %k0", ("=a"(value)), ("b"(address)));
	GUEST_CHECK_EQ(fault.vector, PF);
	GUEST_CHECK_EQ(fault.error, 1 | 1 << 5);
	GUEST_CHECK_EQ(fault.address, address);
	asm volatile("wrpkru" : : "a"(2 << 2), "c"(0), "d"(0));
	GUEST_TRY(fault, "mov (%%rbx), %k0", ("=a"(value)), ("b"(address)));
	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
	return 5;
}

static void pkru_is_the_guests_own(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 address = GUEST_FREE + 0x3000;
	struct tpz_state state;
	__u32 ours_before;

	if (!have_pku())
		SKIP("no protection keys");
	*vm_pte(vcpu->vm, address) |= 1ULL << 59;
	state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)use_keys, address);
	state.control.cr4 |= CR4_PKE | CR4_OSXSAVE;
	vcpu_set(vcpu, &state);
	ours_before = rdpkru();
	wrpkru(0x55555550);
	__u32 reason = raw_run(vcpu->fd);
	__u32 ours_after_run = rdpkru();

	wrpkru(ours_before);
	CHECK_EQ(reason, 0);
	CHECK_EQ(ours_after_run, 0x55555550);
	CHECK_EQ(vcpu->run->io.port, PORT_TEST);
	CHECK_EQ(vcpu_finish(vcpu), 5);
	CHECK_EQ(rdpkru(), ours_before);
}

static const struct ktap_case cases[] = {
	{ "a new vCPU holds nothing of the host", a_new_vcpu_holds_nothing_of_the_host },
	{ "x87 and SSE survive exits", x87_and_sse_survive },
	{ "AVX survives exits", avx_survives },
	{ "AVX-512 survives exits", avx512_survives },
	{ "registers survive preemption", registers_survive_preemption },
	{ "registers survive migration", registers_survive_migration },
	{ "the state group is the registers", the_state_group_is_the_registers },
	{ "XCR0 is the guest's own", xcr0_is_the_guests_own },
	{ "XCR0 decides on AVX", xcr0_decides_on_avx },
	{ "a hidden component keeps its state", a_hidden_component_keeps_its_state },
	{ "rounding is the guest's own", rounding_is_the_guests_own },
	{ "PKRU is the guest's own", pkru_is_the_guests_own },
};
KTAP_MAIN(cases)
