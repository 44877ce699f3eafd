// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's time: its TSC, and the KVM-compatible paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst),
 * read as a Linux guest reads it. Rates are compared as ratios of counts; nothing depends on how fast the machine is.
 */
#define _GNU_SOURCE
#include "apic.h"
#include "clock.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MSR_TSC_ADJUST		0x3b
#define MSR_WALL_CLOCK		0x4b564d00
#define MSR_WALL_CLOCK_OLD	0x11
#define MSR_SYSTEM_TIME_OLD	0x12
#define GP			13
#define SECOND			1000000000ULL

/* The wall clock's (struct pvclock_wall_clock) */
struct wall_clock {
	__u32 version;
	__u32 sec;
	__u32 nsec;
};

#define CLOCK_GPA	GUEST_FREE
#define WALL_GPA	(GUEST_FREE + 0x1000)
#define CLOCK		((volatile struct clock_page *)CLOCK_GPA)
#define WALL		((volatile struct wall_clock *)WALL_GPA)

static __u64 khz;

static inline __u64 clock_ns(void)
{
	return clock_ns_at(CLOCK);
}

#define start(guest, argument)	start_at((uintptr_t)(guest), argument)
static struct vcpu *start_at(uintptr_t guest, __u64 argument)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	khz = device_info().tsc_khz;
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, argument);
	return vcpu;
}

#define run_guest(guest, argument)	CHECK_EQ(vcpu_finish(start(guest, argument)), 0)

static __u64 host_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* ------------------------------------------------------------------ the TSC */

static volatile __u64 tscs[4];

static GUEST __u32 use_tsc(void)
{
	__u64 first = rdtsc(), second = rdmsr(MSR_TSC), third = rdtsc();

	tscs[0] = first;
	GUEST_CHECK_EQ(first <= second && second <= third, 1);
	wrmsr(MSR_TSC, 0);
	tscs[1] = rdtsc();
	wrmsr(MSR_TSC, 1ULL << 56);
	tscs[2] = rdtsc();
	GUEST_CHECK_EQ(rdmsr(MSR_TSC) > tscs[2], 1);
	outl(PORT_TEST, 0);
	tscs[3] = rdtsc();
	GUEST_CHECK_EQ(try_rdmsr(MSR_TSC_ADJUST), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_TSC_ADJUST, 0), GP);
	return 0;
}

static void tsc(void)
{
	struct vcpu *vcpu = start(use_tsc, 0);
	__u64 second = khz * 1000;
	struct tpz_state state;

	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_LT(tscs[0], 10 * second);		/* begins with the VM */
	CHECK_LT(tscs[1], second);
	CHECK_GE(tscs[2], 1ULL << 56);
	CHECK_LT(tscs[2], (1ULL << 56) + second);
	state = vcpu_get(vcpu, TPZ_STATE_MSRS);
	CHECK_GT(state.msrs.tsc, tscs[2]);
	CHECK_LT(state.msrs.tsc, tscs[2] + 10 * second);
	state.msrs.tsc = 1ULL << 40;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_GE(tscs[3], 1ULL << 40);
	CHECK_LT(tscs[3], (1ULL << 40) + 10 * second);
}

/* ------------------------------------------------------------------ the clock */

static volatile __u32 signature[3];
static volatile __u32 features;

static GUEST __u32 identify(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(0x40000000, 0, &eax, &ebx, &ecx, &edx);
	signature[0] = ebx;
	signature[1] = ecx;
	signature[2] = edx;
	GUEST_CHECK_EQ(eax >= 0x40000001, 1);
	cpuid(0x40000001, 0, &eax, &ebx, &ecx, &edx);
	features = eax;
	return 0;
}

static void announced(void)
{
	run_guest(identify, 0);
	CHECK(!memcmp((const void *)signature, "KVMKVMKVM\0\0", 12));
	CHECK(features & 1 << 0);
	CHECK(features & 1 << 3);
}

static GUEST __u32 no_clock(void)
{
	static const __u32 msrs[] = { MSR_WALL_CLOCK, MSR_SYSTEM_TIME, MSR_WALL_CLOCK_OLD, MSR_SYSTEM_TIME_OLD };

	for (__u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		GUEST_CHECK_EQ(try_rdmsr(msrs[i]), GP);
		GUEST_CHECK_EQ(try_wrmsr(msrs[i], CLOCK_GPA), GP);
	}
	return identify();
}

static void absent(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, no_clock, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK(memcmp((const void *)signature, "KVMKVMKVM\0\0", 12));
}

static GUEST __u32 registers(__u64 end)
{
	GUEST_CHECK_EQ(rdmsr(MSR_SYSTEM_TIME), 0);
	GUEST_CHECK_EQ(rdmsr(MSR_WALL_CLOCK), 0);
	GUEST_CHECK_EQ(try_wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | 2 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_SYSTEM_TIME, 1ULL << 52 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_SYSTEM_TIME, 1ULL << 40 | ENABLE), GP);	/* no memory there */
	GUEST_CHECK_EQ(try_wrmsr(MSR_SYSTEM_TIME, (end - 16) | ENABLE), GP);	/* nor behind its first half */
	GUEST_CHECK_EQ(try_wrmsr(MSR_WALL_CLOCK, WALL_GPA | 1), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_WALL_CLOCK, 1ULL << 40), GP);
	GUEST_CHECK_EQ(rdmsr(MSR_SYSTEM_TIME), 0);
	GUEST_CHECK_EQ(rdmsr(MSR_WALL_CLOCK), 0);
	GUEST_CHECK_EQ(CLOCK->version, 0);

	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA);	/* not enabled: nothing is written */
	GUEST_CHECK_EQ(CLOCK->version, 0);
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	GUEST_CHECK_EQ(rdmsr(MSR_SYSTEM_TIME), CLOCK_GPA | ENABLE);
	GUEST_CHECK_EQ(rdmsr(MSR_SYSTEM_TIME_OLD), CLOCK_GPA | ENABLE);
	GUEST_CHECK_EQ(CLOCK->version, 2);
	wrmsr(MSR_SYSTEM_TIME_OLD, CLOCK_GPA | ENABLE);
	GUEST_CHECK_EQ(CLOCK->version, 4);
	GUEST_CHECK_EQ(CLOCK->pad0 | CLOCK->pad[0] | CLOCK->pad[1], 0);
	GUEST_CHECK_EQ(CLOCK->flags & ~1, 0);
	GUEST_CHECK_EQ(CLOCK->mul >= 1U << 31, 1);	/* as precise as it can be */

	/* Across two pages, and up to the last byte of memory */
	wrmsr(MSR_SYSTEM_TIME, (CLOCK_GPA + 0xffc) | ENABLE);
	GUEST_CHECK_EQ(((volatile struct clock_page *)(CLOCK_GPA + 0xffc))->version, 2);
	wrmsr(MSR_SYSTEM_TIME, (end - 32) | ENABLE);
	GUEST_CHECK_EQ(((volatile struct clock_page *)(end - 32))->version, 2);

	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA);		/* off: the page is left alone from now on */
	wrmsr(MSR_TSC, 0);
	outl(PORT_TEST, 0);
	GUEST_CHECK_EQ(CLOCK->version, 4);

	wrmsr(MSR_WALL_CLOCK, WALL_GPA);
	GUEST_CHECK_EQ(rdmsr(MSR_WALL_CLOCK_OLD), WALL_GPA);
	GUEST_CHECK_EQ(WALL->version, 2);
	wrmsr(MSR_WALL_CLOCK_OLD, WALL_GPA);
	GUEST_CHECK_EQ(WALL->version, 4);
	return 0;
}

static void msrs(void)
{
	struct vcpu *vcpu = start(registers, VM_BYTES);

	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* The scale is nanoseconds for TSC cycles, to a part in a million */
static GUEST __u32 enable_clock(void)
{
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	return 0;
}

static void scale(void)
{
	struct vcpu *vcpu = start(enable_clock, 0);
	struct clock_page *page = vm_host(vcpu->vm, CLOCK_GPA);
	unsigned __int128 ns;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	/* Of 2^32 milliseconds, so that nothing is lost on the way */
	ns = (unsigned __int128)page->mul * khz;
	ns = page->shift < 0 ? ns >> -page->shift : ns << page->shift;
	ns >>= 12;
	CHECK_THAT(ns > 999999ULL << 20 && ns < 1000001ULL << 20, "mul %u, shift %d: %llu ns in a ms", page->mul,
		   page->shift, (__u64)(ns >> 20));
}

#define READS	100000

static GUEST __u32 monotonic(void)
{
	__u64 last = 0, first;

	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	first = clock_ns();
	for (__u32 i = 0; i < READS; i++) {
		__u64 now = clock_ns();

		GUEST_CHECK_EQ(now >= last, 1);
		last = now;
		if (i % 1000 == 0)	/* the page written anew: no step back, none forward of more than it takes */
			wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	}
	GUEST_CHECK_EQ(last > first, 1);
	return 0;
}

static void never_back(void)
{
	run_guest(monotonic, 0);
}

static volatile bool stop;

/* Reads until it is told to stop, while the thread is moved from CPU to CPU */
static GUEST __u32 monotonic_until_stopped(void)
{
	__u64 last = 0;

	sti();
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	while (!stop) {
		__u64 now = clock_ns();

		GUEST_CHECK_EQ(now >= last, 1);
		last = now;
	}
	return 0;
}

static void *move_about(void *arg)
{
	pid_t thread = (intptr_t)arg;
	cpu_set_t set;

	for (int i = 0; i < 100; i++) {
		CPU_ZERO(&set);
		CPU_SET(i % 2, &set);
		sched_setaffinity(thread, sizeof(set), &set);
		usleep(5000);
	}
	stop = true;
	return NULL;
}

static void never_back_migrating(void)
{
	struct vcpu *vcpu;
	struct meters meters;
	pthread_t thread;

	if (cpus_online() < 2)
		SKIP("one CPU");
	stop = false;
	vcpu = start(monotonic_until_stopped, 0);
	meters = meters_open(vcpu->vm->id);
	ktap_defer(run_on_any_cpu, NULL);
	CHECK_EQ(pthread_create(&thread, NULL, move_about, (void *)(intptr_t)syscall(SYS_gettid)), 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	pthread_join(thread, NULL);
	CHECK_GE(meters_read(&meters, 0).migrations, 10);
}

/* Two readings with a long way between them */
static volatile __u64 reading[2], reading_tsc[2];

static GUEST __u32 measure(__u64 ms)
{
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	outl(PORT_TEST, 0);
	reading[0] = clock_ns();
	reading_tsc[0] = rdtsc();
	while (rdtsc() - reading_tsc[0] < ms * khz)
		spin_off();
	reading[1] = clock_ns();
	reading_tsc[1] = rdtsc();
	return 0;
}

static void rate(void)
{
	struct vcpu *vcpu = start(measure, 2000);
	__u64 before, guest, host, by_tsc;

	vcpu_expect_out(vcpu, PORT_TEST);
	before = host_ns(CLOCK_MONOTONIC_RAW);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	host = host_ns(CLOCK_MONOTONIC_RAW) - before;
	guest = reading[1] - reading[0];
	by_tsc = (reading_tsc[1] - reading_tsc[0]) * 1000000 / khz;
	ktap_diag("guest's clock %llu ns, its TSC %llu ns, host's clock around it %llu ns", guest, by_tsc, host);
	CHECK_LE(guest, host + host / 1000);		/* it lies inside */
	CHECK_GE(guest, host - host / 10);
	CHECK_GE(guest, by_tsc - by_tsc / 1000);
	CHECK_LE(guest, by_tsc + by_tsc / 1000);
}

/* The TSC moves, the clock does not */
static GUEST __u32 move_tsc(void)
{
	static const __u64 values[] = { 0, 1ULL << 40, 1ULL << 62, ~0ULL - 1000, 12345 };

	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	for (__u32 i = 0; i < ARRAY_SIZE(values); i++) {
		__u64 before = clock_ns();

		wrmsr(MSR_TSC, values[i]);
		__u64 after = clock_ns();

		GUEST_CHECK_EQ(after >= before, 1);
		GUEST_CHECK_EQ(after - before < SECOND / 2, 1);
	}
	return 0;
}

static void tsc_moves(void)
{
	run_guest(move_tsc, 0);
}

static GUEST __u32 read_both(void)
{
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	wrmsr(MSR_WALL_CLOCK, WALL_GPA);
	reading[0] = WALL->sec * SECOND + WALL->nsec + clock_ns();
	GUEST_CHECK_EQ(WALL->nsec < SECOND, 1);
	return 0;
}

static void wall_clock(void)
{
	__u64 before = host_ns(CLOCK_REALTIME), after;

	run_guest(read_both, 0);
	after = host_ns(CLOCK_REALTIME);
	CHECK_GE(reading[0], before - SECOND / 1000);
	CHECK_LE(reading[0], after + SECOND / 1000);
}

/* ------------------------------------------------------------------ from outside */

static GUEST __u32 enable_and_wait(void)
{
	wrmsr(MSR_SYSTEM_TIME, CLOCK_GPA | ENABLE);
	reading[0] = clock_ns();
	outl(PORT_TEST, 0);
	reading[1] = clock_ns();
	return 0;
}

/* A state set from outside moves the page and the TSC like the guest's own writes */
static void state(void)
{
	struct vcpu *vcpu = start(enable_and_wait, 0);
	volatile struct clock_page *page, *other;
	struct tpz_state state;

	page = vm_host(vcpu->vm, CLOCK_GPA);
	other = vm_host(vcpu->vm, CLOCK_GPA + 0x800);
	vcpu_expect_out(vcpu, PORT_TEST);
	state = vcpu_get(vcpu, TPZ_STATE_MSRS);
	CHECK_EQ(state.msrs.kvm_system_time, CLOCK_GPA | ENABLE);
	CHECK_EQ(page->version, 2);
	state.msrs.tsc = 1ULL << 50;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_GE(reading[1], reading[0]);
	CHECK_LT(reading[1] - reading[0], 10 * SECOND);

	state.msrs.kvm_system_time = (CLOCK_GPA + 0x800) | ENABLE;
	vcpu_set(vcpu, &state);
	vcpu_start(vcpu, MODE_LONG, RING0, identify, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(other->version, 2);

	state.msrs.kvm_system_time = CLOCK_GPA | 2 | ENABLE;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_MSRS);
}

/* The page's slot goes away: nobody can read it there; the guest runs on */
static GUEST __u32 clock_elsewhere(__u64 gpa)
{
	wrmsr(MSR_SYSTEM_TIME, gpa | ENABLE);
	outl(PORT_TEST, 0);
	wrmsr(MSR_TSC, 0);
	outl(PORT_TEST, 1);
	wrmsr(MSR_TSC, 0);
	return 0;
}

static void page_goes_away(void)
{
	const __u64 gpa = 16UL << 20;
	struct vcpu *vcpu = start(clock_elsewhere, gpa);
	volatile struct clock_page *page = vm_add_memory(vcpu->vm, SLOT_TEST, gpa, PAGE, 0);

	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(page->version, 2);
	vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(page->version, 2);
	vm_set_slot(vcpu->vm, SLOT_TEST, gpa, PAGE, page, TPZ_SLOT_READONLY);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(page->version, 2);
}

static const struct ktap_case cases[] = {
	{ "TSC: RDTSC, MSR and state agree, writes move it", tsc },
	{ "CPUID announces the clock", announced },
	{ "no clock: no MSRs, another signature", absent },
	{ "MSRs: values, refusals, versions of the page", msrs },
	{ "the scale is the TSC's", scale },
	{ "never runs backwards, over 100000 readings", never_back },
	{ "never runs backwards, between CPUs", never_back_migrating },
	{ "runs as the host's clock", rate },
	{ "a moved TSC does not move it", tsc_moves },
	{ "wall clock", wall_clock },
	{ "state set from outside", state },
	{ "the page's slot goes away", page_goes_away },
};
KTAP_MAIN(cases)
