// SPDX-License-Identifier: GPL-2.0
/*
 * TLB shoot-downs as Linux guests do them, counted in exits, with the paravirtual services (PV TLB flush, PV IPI, PV EOI) and
 * without: vCPUs that do not run, asleep or preempted, cost nothing, and yet see the change when they run again.
 */
#define _GNU_SOURCE
#include "apic.h"
#include "clock.h"
#include "pv.h"
#include "threads.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define VECTOR		0x61
#define MAX		8		/* vCPUs of a VM */
#define MSR_STEAL	0x4b564d03
#define MSR_EOI		0x4b564d04
#define PREEMPTED	1
#define FLUSH		2
#define SHOTS		400
#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"

#define AREA(id)	(GUEST_FREE + 0x4000 + 128ULL * (id))		/* its steal time; then its flag of PV EOI */
#define AWAY_OFFSET	16
#define AWAY(id)	((volatile __u8 *)AREA(id) + AWAY_OFFSET)
#define EOI_FLAG(id)	((volatile __u32 *)(AREA(id) + 64))
#define WINDOW		0x3f0000			/* the address whose translation changes */
#define PTE		((volatile __u64 *)(GUEST_PT + WINDOW / PAGE * 8))
#define PAGES		(GUEST_FREE + 0x10000)		/* between these two */

/* vCPU 0 shoots; 1 to awake run all the time, the rest is away */
static struct shape {
	__u32 awake, away;
	bool preempted;		/* who is away: a thread of the host has its CPU; else it sleeps */
	bool pinned;		/* each has a CPU of its own */
} shape;

static volatile __u32 ready, acks, paravirtual;
static volatile bool done, waiting;

static inline __u64 look(void)
{
	return *(volatile __u64 *)WINDOW;
}

static GUEST void shot(struct guest_frame *frame)
{
	bool ended = false;

	if (!done)		/* who was away all the time has nothing but the wish that was left for it */
		asm volatile("invlpg (%0)" : : "r"((__u64)WINDOW) : "memory");
	if (paravirtual)
		asm volatile("btrl $0, %1" : "=@ccc"(ended), "+m"(*EOI_FLAG(id_of(frame))) : : "memory");
	if (!ended)
		wrmsr(APIC_EOI, 0);
	add(&acks);
}

static GUEST void announce(__u64 id)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(MSR_STEAL, AREA(id) | ENABLE);
	wrmsr(MSR_EOI, (AREA(id) + 64) | ENABLE);
	look();
	add(&ready);
}

/* At the end all must see what stands there then */
static GUEST __u32 target(__u64 id)
{
	const bool sleeps = id > shape.awake && !shape.preempted;

	announce(id);
	if (!sleeps)
		sti();
	while (!done)
		if (sleeps)
			wait_for_interrupt();
		else
			asm volatile("pause");
	GUEST_CHECK_EQ(look(), SHOTS);
	return 0;
}

static inline bool leave_wish(__u64 id)
{
	__u8 said = *AWAY(id);

	return (said & PREEMPTED) &&
	       __atomic_compare_exchange_n(AWAY(id), &said, said | FLUSH, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* As Linux does it, with its services or without */
static GUEST void shoot(void)
{
	__u64 rest = 0;
	__u32 n = 0;

	asm volatile("invlpg (%0)" : : "r"((__u64)WINDOW) : "memory");
	acks = 0;
	for (__u64 id = 1; id <= shape.awake + shape.away; id++) {
		if (paravirtual && leave_wish(id))
			continue;
		n++;
		rest |= 1 << id;
		if (!paravirtual)
			wrmsr(APIC_ICR, id << 32 | VECTOR);
	}
	if (paravirtual && rest)
		GUEST_CHECK_EQ(hypercall(HC_SEND_IPI, rest, 0, 0, VECTOR), n);
	waiting = n > shape.awake;
	wait_until(&acks, n);
	waiting = false;
}

static GUEST __u32 shooter(void)
{
	announce(0);
	wait_until(&ready, 1 + shape.awake + shape.away);
	for (__u64 i = 1; i <= SHOTS; i++) {
		const __u64 page = PAGES + i % 2 * PAGE;

		for (__u64 id = shape.awake + 1; id <= shape.awake + shape.away; id++)
			while (!(*AWAY(id) & PREEMPTED))
				window();
		*(volatile __u64 *)page = i;
		*PTE = page | (*PTE & 0xfff);
		shoot();
	}
	done = true;
	wrmsr(APIC_ICR, TO_OTHERS | VECTOR);
	return 0;
}

/* ------------------------------------------------------------------ the threads */

struct keeper {
	unsigned int cpu;
	volatile __u8 *away;	/* of the vCPU there */
	pthread_t thread;
};

/* The vCPU of this CPU is not to run, but while somebody waits for it, and until it is known to be away */
static void *keep_the_cpu(void *arg)
{
	const struct sched_param first = { .sched_priority = 1 };
	const struct keeper *k = arg;

	run_on_cpu(k->cpu);
	CHECK_SYS(sched_setscheduler(0, SCHED_FIFO, &first));
	while (!done && !ktap_failed())
		if (waiting || !(*k->away & PREEMPTED))
			usleep(1000);
	return NULL;
}

static void write_rt_runtime(void *us)
{
	FILE *file = fopen(RT_RUNTIME, "we");

	CHECK(file);
	fprintf(file, "%ld", (long)(intptr_t)us);
	CHECK_EQ(fclose(file), 0);
}

static void run_threads(struct vm *vm)
{
	const unsigned int n = 1 + shape.awake + shape.away, kept = shape.preempted ? shape.away : 0;
	struct keeper keepers[MAX];
	struct runner r[MAX];

	for (unsigned int i = 0; i < n; i++)
		vcpu_start_at(vcpu_create(vm, i), MODE_LONG, RING0, i ? (uintptr_t)target : (uintptr_t)shooter, i);
	for (unsigned int i = 0; i < n; i++) {
		if (shape.pinned)
			run_on_cpu(i);
		runner_start(&r[i], vm->vcpus[i]);
	}
	if (shape.pinned)
		run_on_cpu(0);
	while (ready < n && !ktap_failed())
		usleep(1000);
	for (unsigned int i = n - kept; i < n; i++) {
		keepers[i] = (struct keeper){ .cpu = i, .away = (__u8 *)vm_host(vm, AREA(i)) + AWAY_OFFSET };
		CHECK_EQ(pthread_create(&keepers[i].thread, NULL, keep_the_cpu, &keepers[i]), 0);
	}
	runners_join(r, n);
	for (unsigned int i = n - kept; i < n; i++)
		pthread_join(keepers[i].thread, NULL);
	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(r[i].result, 0);
}

static __u32 guest_features(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct tpz_cpuid_entry entries[128];
	struct tpz_cpuid c = { .size = sizeof(c), .entries = (uintptr_t)entries, .capacity = ARRAY_SIZE(entries),
			       .entry_bytes = sizeof(*entries) };
	int n = CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &c));

	for (int i = 0; i < n && i < (int)ARRAY_SIZE(entries); i++)
		if (entries[i].leaf == 0x40000001)
			return entries[i].eax;
	return 0;
}

/* Exits in SHOTS shoot-downs: but for the host's own interrupts, among which a kick can't be told; it injects one, so counts */
static __u64 exits_of(bool with_services)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct tpz_vcpu_meters m;
	struct meters meters;

	ready = acks = 0;
	done = waiting = false;
	paravirtual = with_services;
	memset(vm_host(vm, AREA(0)), 0, 128 * MAX);
	guest_on(VECTOR, shot);
	run_threads(vm);
	meters = meters_open(vm->id);
	m = sum_of(&meters, 1 + shape.awake + shape.away);
	if (with_services)
		CHECK_GE(m.pv_flushes, shape.away);
	vm_close(vm);
	return m.exits - m.reason[TPZ_EXIT_HOST_INTERRUPT].count - m.reason[TPZ_EXIT_HOST_NMI].count -
	       m.reason[TPZ_EXIT_PAUSE].count + m.injected_interrupts;
}

static void needs_services(void)
{
	if (!(guest_features() & 1 << 9))
		SKIP("this host's scheduler keeps no account of waits: there is no steal time, and so no PV TLB flush");
}

static void count_both(struct shape s, __u64 *without, __u64 *with)
{
	shape = s;
	*without = exits_of(false);
	*with = exits_of(true);
	ktap_diag("%u vCPUs, %u of them %s: %llu.%02llu exits for each shoot-down, with the services %llu.%02llu",
		  1 + s.awake + s.away, s.away, s.preempted ? "preempted" : "asleep", *without / SHOTS,
		  *without * 100 / SHOTS % 100, *with / SHOTS, *with * 100 / SHOTS % 100);
}

/* ------------------------------------------------------------------ the cases */

/* More and more who sleep, and one who does not */
static void beside_one_awake(void)
{
	static const unsigned int asleep[] = { 0, 2, 6 };
	__u64 without[3], with[3];

	needs_services();
	for (unsigned int i = 0; i < 3; i++)
		count_both((struct shape){ .awake = 1, .away = asleep[i] }, &without[i], &with[i]);
	for (unsigned int i = 1; i < 3; i++) {
		CHECK_GE(without[i], without[0] + asleep[i] * SHOTS);
		CHECK_LT(with[i], without[0]);		/* less than the one awake alone costs without the services */
		CHECK_LE(with[i], with[0] + SHOTS / 4);	/* what a vCPU costs that starts and ends, not the shoot-downs */
	}
}

/* Eight vCPUs, each on a CPU of its own; none to seven of them do not run */
static void of_eight(bool preempted)
{
	__u64 without[MAX], with[MAX];

	needs_services();
	if (cpus_online() < MAX)
		SKIP("needs %d CPUs", MAX);
	ktap_timeout(1200);
	ktap_defer(run_on_any_cpu, NULL);
	if (preempted) {
		ktap_defer(write_rt_runtime, (void *)(intptr_t)read_number(RT_RUNTIME));
		write_rt_runtime((void *)-1);
	}
	for (unsigned int i = 0; i < MAX; i++)
		count_both((struct shape){ .awake = MAX - 1 - i, .away = i, .preempted = preempted, .pinned = true },
			   &without[i], &with[i]);
	for (unsigned int i = 1; i < MAX; i++) {
		CHECK_LE(with[i], with[i - 1]);
		CHECK_GE(without[i], with[i] + 2 * i * SHOTS);	/* the message to each who is away, and its arrival */
		if (!preempted)
			CHECK_GE(without[i], without[i - 1] + SHOTS / 2);	/* who sleeps halts anew each time */
	}
}

static void eight_asleep(void)
{
	of_eight(false);
}

static void eight_preempted(void)
{
	of_eight(true);
}

static const struct ktap_case cases[] = {
	{ "TLB shoot-downs beside one vCPU that is awake", beside_one_awake },
	{ "of eight vCPUs 0 to 7 are asleep", eight_asleep },
	{ "of eight vCPUs 0 to 7 are preempted", eight_preempted },
};
KTAP_MAIN(cases)
