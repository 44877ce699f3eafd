// SPDX-License-Identifier: GPL-2.0
/*
 * Time in a guest is guest time for the host: top's %guest, the launcher's user time. And a guest that spins for long
 * without a word leaves the host's work as it was: its timer ticks, RCU, other threads on the same CPU and elsewhere.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ a guest that spins, and its end */

static volatile __u32 spin_over;
static volatile __u64 turns;

static GUEST __u32 spin(__u64 unused)
{
	(void)unused;
	sti();
	while (!spin_over)
		turns++;
	return 5;
}

/* In milliseconds */
static __u64 now_of(clockid_t clock)
{
	struct timespec t;

	CHECK_SYS(clock_gettime(clock, &t));
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static __u64 now(void)
{
	return now_of(CLOCK_MONOTONIC);
}

/* The host's other work, meanwhile: on CPU 1; what it got done */
static struct {
	__u64 milliseconds;
	__u64 grace_periods;
	__u64 longest;		/* of a grace period */
} meanwhile;

static void *work_on_cpu_1(void *unused)
{
	__u64 end = now() + meanwhile.milliseconds;

	(void)unused;
	run_on_cpu(1);
	meanwhile.grace_periods = 0;
	meanwhile.longest = 0;
	while (now() < end) {
		__u64 start = now();

		/* Returns once every CPU has been seen outside RCU's read sides, or in a guest */
		CHECK_SYS(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
		meanwhile.grace_periods++;
		if (now() - start > meanwhile.longest)
			meanwhile.longest = now() - start;
		usleep(10000);
	}
	spin_over = 1;
	return NULL;
}

/* Runs the guest on CPU 0 for so long */
static struct tpz_vcpu_meters spin_for(__u64 milliseconds)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	pthread_t thread;

	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	run_on_cpu(0);
	spin_over = 0;
	turns = 0;
	meanwhile.milliseconds = milliseconds;
	vcpu_start(vcpu, MODE_LONG, RING0, spin, 0);
	CHECK_EQ(pthread_create(&thread, NULL, work_on_cpu_1, NULL), 0);
	CHECK_EQ(vcpu_finish(vcpu), 5);
	pthread_join(thread, NULL);
	return meters_read(&meters, 0);
}

/* ------------------------------------------------------------------ what the host counts */

/* In milliseconds */
struct times {
	__u64 wall;
	__u64 user, system, guest;	/* of CPU 0: /proc/stat */
	__u64 other_guest;		/* of CPU 1 */
	__u64 thread_user, thread_guest;
};

static struct times look(void)
{
	const unsigned int tick = 1000 / sysconf(_SC_CLK_TCK);
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal, guest;
	struct times t = { .wall = now() };
	struct rusage usage;
	char line[1024];
	unsigned int cpu;
	FILE *file = fopen("/proc/stat", "re");

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &user, &nice, &system,
			   &idle, &iowait, &irq, &softirq, &steal, &guest) != 10)
			continue;
		if (cpu == 0) {
			t.user = user * tick;
			t.system = (system + irq + softirq) * tick;
			t.guest = guest * tick;
		} else if (cpu == 1) {
			t.other_guest = guest * tick;
		}
	}
	fclose(file);

	CHECK_SYS(getrusage(RUSAGE_THREAD, &usage));
	t.thread_user = usage.ru_utime.tv_sec * 1000ULL + usage.ru_utime.tv_usec / 1000;
	file = fopen("/proc/thread-self/stat", "re");
	CHECK(file);
	/* The 43rd field: guest_time */
	CHECK_EQ(fscanf(file, "%*d (%*[^)]) %*c%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s"
			"%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s %llu", &guest), 1);
	t.thread_guest = guest * tick;
	fclose(file);
	return t;
}

static struct times since(const struct times *before)
{
	struct times t = look();

	t.wall -= before->wall;
	t.user -= before->user;
	t.system -= before->system;
	t.guest -= before->guest;
	t.other_guest -= before->other_guest;
	t.thread_user -= before->thread_user;
	t.thread_guest -= before->thread_guest;
	ktap_diag("ms: %llu; CPU 0: user %llu, of this guest %llu, system %llu; thread: user %llu, guest %llu",
		  t.wall, t.user, t.guest, t.system, t.thread_user, t.thread_guest);
	return t;
}

#define TICK_MS	10	/* the unit of /proc/stat */

static void spinning_is_guest_time(void)
{
	struct times before = look(), t;

	spin_for(3000);
	t = since(&before);
	CHECK_GE(t.guest, t.wall * 8 / 10);
	CHECK_GE(t.user + TICK_MS, t.guest);	/* which it is a part of; a tick may come between the two readings */
	CHECK_LE(t.user, t.wall + 100);
	CHECK_LE(t.system, t.wall / 5);
	CHECK_LE(t.other_guest, t.wall / 20);
	CHECK_GE(t.thread_guest, t.wall * 8 / 10);
	CHECK_GE(t.thread_user, t.wall * 8 / 10);
}

/* A launcher's own loops are no guest time, even between two entries */
static void the_launchers_time_is_not(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct times before, t;

	run_on_cpu(0);
	before = look();
	while (now() < before.wall + 2000) {
		__u64 pause = now() + 50;

		spin_over = 1;
		vcpu_start(vcpu, MODE_LONG, RING0, spin, 0);
		CHECK_EQ(vcpu_finish(vcpu), 5);
		while (now() < pause)
			;
	}
	t = since(&before);
	CHECK_GE(t.user + t.system, t.wall * 8 / 10);
	CHECK_LE(t.guest, t.wall / 10);
	CHECK_LE(t.thread_guest, t.wall / 10);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void *interrupt_later(void *thread)
{
	run_on_cpu(1);
	usleep(2000000);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static GUEST __u32 halt(__u64 unused)
{
	(void)unused;
	sti();
	hlt();
	return 0;
}

static void a_halted_guest_costs_nothing(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	pthread_t self = pthread_self(), thread;
	struct times before, t;

	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	run_on_cpu(0);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	vcpu_start(vcpu, MODE_LONG, RING0, halt, 0);
	CHECK_EQ(pthread_create(&thread, NULL, interrupt_later, &self), 0);
	before = look();
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	t = since(&before);
	pthread_join(thread, NULL);
	CHECK_GE(t.wall, 1900);
	CHECK_LE(t.thread_user, t.wall / 20);
	CHECK_LE(t.thread_guest, t.wall / 20);
	CHECK_LE(t.user + t.system, t.wall / 5);
}

/* ------------------------------------------------------------------ the others */

static atomic_bool neighbour_stops;

static void *neighbour(void *used)
{
	run_on_cpu(0);
	while (!neighbour_stops)
		;
	*(__u64 *)used = now_of(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static void a_neighbour_gets_its_half(void)
{
	__u64 used, mine = now_of(CLOCK_THREAD_CPUTIME_ID), wall = now();
	pthread_t thread;

	neighbour_stops = false;
	CHECK_EQ(pthread_create(&thread, NULL, neighbour, &used), 0);
	spin_for(4000);
	wall = now() - wall;
	mine = now_of(CLOCK_THREAD_CPUTIME_ID) - mine;
	neighbour_stops = true;
	pthread_join(thread, NULL);
	ktap_diag("of %llu ms the neighbour had %llu, the guest's thread %llu", wall, used, mine);
	CHECK_GE(used, wall * 4 / 10);
	CHECK_GE(mine, wall * 4 / 10);
}

#define STALL_TIMEOUT	"/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout"

static void write_number(const char *path, long long value)
{
	FILE *file = fopen(path, "we");

	CHECK(file);
	CHECK_GT(fprintf(file, "%lld", value), 0);
	CHECK_EQ(fclose(file), 0);
}

static void restore_stall_timeout(void *seconds)
{
	write_number(STALL_TIMEOUT, (intptr_t)seconds);
}

static void long_spin(unsigned int seconds)
{
	long long timeout = read_number(STALL_TIMEOUT);
	struct tpz_vcpu_meters m;
	int log = kernel_log();

	/* As impatient as RCU can be: it would stall after 3 s */
	if (timeout > 0) {
		ktap_defer(restore_stall_timeout, (void *)(intptr_t)timeout);
		write_number(STALL_TIMEOUT, 3);
	}
	ktap_timeout(seconds + KTAP_TIMEOUT);
	m = spin_for(1000ULL * seconds);
	ktap_diag("%u s: %llu turns of the guest, %llu ticks and other interrupts, %llu grace periods, the longest %llu ms",
		  seconds, turns, m.reason[TPZ_EXIT_HOST_INTERRUPT].count, meanwhile.grace_periods,
		  meanwhile.longest);
	CHECK_EQ(kernel_log_count(log, "rcu"), 0);
	CHECK_GT(turns, 1000 * seconds);
	CHECK_EQ(meters_own_exits(&m), m.reason[TPZ_EXIT_NPF].count + 1);
	CHECK_GE(m.reason[TPZ_EXIT_HOST_INTERRUPT].count, 50 * seconds);	/* HZ is 100 or more */
	CHECK_GE(meanwhile.grace_periods, 5 * seconds);
	CHECK_LE(meanwhile.longest, 1000);
}

static void ten_seconds(void)
{
	long_spin(10);
}

static void sixty_seconds(void)
{
	long_spin(60);
}

static const struct ktap_case cases[] = {
	{ "time: a guest that spins", spinning_is_guest_time },
	{ "time: a launcher that spins", the_launchers_time_is_not },
	{ "time: a guest that is halted", a_halted_guest_costs_nothing },
	{ "time: a neighbour on the same CPU", a_neighbour_gets_its_half },
	{ "a spin of 10 seconds", ten_seconds },
	{ "a spin of 60 seconds", sixty_seconds },
};
KTAP_MAIN(cases)
