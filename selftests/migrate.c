// SPDX-License-Identifier: GPL-2.0
/*
 * Two VMs whose vCPU threads are sent from CPU to CPU while the guests compute: the results are exact, all that the
 * guests hold in their processors comes along, their clocks never step back, and the meters count the moves.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define VMS	2

static struct job {
	__u64 seed;
	__u64 rounds;
	__u32 exits_every;	/* rounds between two CPUIDs; 0: none */
	__u32 outs_every;
	__u64 result;
	__u64 tsc_steps_back;
} jobs[VMS];

/* What guest and test compute alike */
static inline __u64 mix(__u64 hash, __u64 round)
{
	hash ^= round;
	hash *= 0x100000001b3ULL;
	return hash ^ hash >> 29;
}

static GUEST __u32 compute(__u64 arg)
{
	struct job *job = (void *)arg;
	volatile __u64 *memory = (void *)GUEST_FREE;
	__u64 hash = job->seed, tsc = rdtsc();
	__u32 a, b, c, d;

	sti();
	/* Registers that are switched in various ways, each with a value of its own */
	wrmsr(0xc0000082, job->seed << 4);		/* LSTAR */
	wrmsr(0xc0000102, job->seed << 8);		/* KERNEL_GS_BASE */
	wrmsr(0xc0000101, job->seed << 12);		/* GS_BASE */
	wrmsr(0x176, job->seed << 16);			/* SYSENTER_EIP */
	wrmsr(0xc0000103, job->seed & 0xffff);		/* TSC_AUX */
	WRITE_REGISTER(dr0, job->seed << 20);
	WRITE_REGISTER(dr3, job->seed << 24);
	WRITE_REGISTER(cr2, job->seed << 28);

	for (__u64 round = 0; round < job->rounds; round++) {
		hash = mix(hash, round);
		memory[hash & 0xfff] = hash;
		GUEST_CHECK_EQ(memory[hash & 0xfff], hash);
		if (job->exits_every && round % job->exits_every == 0)
			cpuid(0, 0, &a, &b, &c, &d);
		if (job->outs_every && round % job->outs_every == 0)
			outb(PORT_TEST, round);
		if (round % 64 == 0) {
			__u64 now = rdtsc();

			job->tsc_steps_back += now < tsc;
			tsc = now;
			GUEST_CHECK_EQ(rdmsr(0xc0000082), job->seed << 4);
			GUEST_CHECK_EQ(rdmsr(0xc0000102), job->seed << 8);
			GUEST_CHECK_EQ(rdmsr(0xc0000101), job->seed << 12);
			GUEST_CHECK_EQ(rdmsr(0x176), job->seed << 16);
			GUEST_CHECK_EQ(rdmsr(0xc0000103), job->seed & 0xffff);
			GUEST_CHECK_EQ(READ_REGISTER(cr2), job->seed << 28);
		}
		if (round % 1024 == 0) {
			GUEST_CHECK_EQ(READ_REGISTER(dr0), job->seed << 20);
			GUEST_CHECK_EQ(READ_REGISTER(dr3), job->seed << 24);
		}
	}
	job->result = hash;
	return 1;
}

/* ------------------------------------------------------------------ threads */

static struct runner {
	struct vcpu *vcpu;
	struct meters meters;
	_Atomic pid_t tid;	/* 0: not yet; -1: no more */
	unsigned int flips, patience;
	__u64 migrations;	/* at the last flip */
} runners[VMS];

static void *run(void *arg)
{
	struct runner *r = arg;

	r->tid = gettid();
	for (;;) {
		__u32 reason = vcpu_run(r->vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_IO || r->vcpu->run->io.in)
			FAIL("%s", vcpu_exit_text(r->vcpu));
		if (r->vcpu->run->io.port == PORT_DONE)
			break;
		if (r->vcpu->run->io.port != PORT_TEST)
			FAIL("%s", vcpu_exit_text(r->vcpu));
	}
	r->tid = -1;
	return NULL;
}

static bool any_alive(void)
{
	for (int i = 0; i < VMS; i++)
		if (runners[i].tid != -1)
			return !ktap_failed();
	return false;
}

/* On a busy machine it may be long until a thread comes to run where it was sent. In vain, if it was there already */
static bool has_moved(struct runner *r)
{
	const __u64 migrations = meters_read(&r->meters, 0).migrations;

	if (migrations == r->migrations && r->patience--)
		return false;
	r->migrations = migrations;
	r->patience = 20;
	return true;
}

/* Sends both to and fro until they end, each once it has moved */
static void flip_until_done(unsigned int microseconds)
{
	for (; any_alive(); usleep(microseconds)) {
		for (int i = 0; i < VMS; i++) {
			struct runner *r = &runners[i];
			const pid_t tid = r->tid;
			cpu_set_t set;

			if (tid <= 0 || !has_moved(r))
				continue;
			CPU_ZERO(&set);
			CPU_SET((r->flips + i) % 2, &set);
			sched_setaffinity(tid, sizeof(set), &set);
			r->flips++;
		}
	}
}

static void migrate(__u64 rounds, __u32 exits_every, __u32 outs_every)
{
	pthread_t threads[VMS];

	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	for (int i = 0; i < VMS; i++) {
		jobs[i] = (struct job){ 0x12345 + i, rounds, exits_every, outs_every, 0, 0 };
		runners[i] = (struct runner){ .vcpu = vm_with_vcpu() };
		runners[i].meters = meters_open(runners[i].vcpu->vm->id);
		vcpu_start(runners[i].vcpu, MODE_LONG, RING0, compute, &jobs[i]);
	}
	for (int i = 0; i < VMS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
	flip_until_done(1500);
	for (int i = 0; i < VMS; i++)
		pthread_join(threads[i], NULL);
	if (ktap_failed())
		return;

	for (int i = 0; i < VMS; i++) {
		struct tpz_vcpu_meters m = meters_read(&runners[i].meters, 0);
		const unsigned int flips = runners[i].flips;
		__u64 hash = jobs[i].seed;

		for (__u64 round = 0; round < rounds; round++)
			hash = mix(hash, round);
		CHECK_EQ(jobs[i].result, hash);
		CHECK_EQ(jobs[i].tsc_steps_back, 0);
		ktap_diag("VM %d: %u flips, %llu migrations, %llu exits", i, flips, m.migrations, m.exits);
		CHECK_GE(m.migrations, 5);
		CHECK_GE(m.migrations, flips / 2);
		CHECK_LE(m.migrations, 4 * flips + 10);
		if (exits_every)
			CHECK_EQ(m.reason[TPZ_EXIT_CPUID].count, (rounds + exits_every - 1) / exits_every);
	}
}

/* No exit but those that the move itself causes */
static void a_guest_that_does_not_exit(void)
{
	migrate(300000, 0, 0);
}

static void a_guest_that_exits_to_the_kernel(void)
{
	migrate(100000, 50, 0);
}

static void a_guest_that_exits_to_the_launcher(void)
{
	migrate(60000, 200, 150);
}

/* The same thread runs two vCPUs in turn: each is loaded where the other has just been */
static void one_thread_runs_two_vcpus(void)
{
	struct vcpu *vcpus[VMS];
	bool done[VMS] = {};

	for (int i = 0; i < VMS; i++) {
		jobs[i] = (struct job){ 0x777 + i, 3000, 0, 20, 0, 0 };
		vcpus[i] = vm_with_vcpu();
		vcpu_start(vcpus[i], MODE_LONG, RING0, compute, &jobs[i]);
	}
	for (int turn = 0; !done[0] || !done[1]; turn++) {
		int i = turn % VMS;

		if (done[i])
			continue;
		if (cpus_online() > 1)
			run_on_cpu(turn / 3 % 2);
		vcpu_expect(vcpus[i], TPZ_EXIT_IO);
		if (vcpus[i]->run->io.port == PORT_DONE)
			done[i] = true;
		else if (vcpus[i]->run->io.port != PORT_TEST)
			FAIL("%s", vcpu_exit_text(vcpus[i]));
	}
	for (int i = 0; i < VMS; i++) {
		__u64 hash = jobs[i].seed;

		for (__u64 round = 0; round < jobs[i].rounds; round++)
			hash = mix(hash, round);
		CHECK_EQ(jobs[i].result, hash);
	}
}

/* A vCPU may be run by one thread, then by another */
struct turn {
	struct vcpu *vcpu;
	int cpu;
};

static void *one_run(void *arg)
{
	struct turn *turn = arg;

	run_on_cpu(turn->cpu);
	vcpu_expect(turn->vcpu, TPZ_EXIT_IO);
	return NULL;
}

static void threads_take_turns(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u64 hash = 0x999;

	jobs[0] = (struct job){ hash, 1000, 7, 25, 0, 0 };
	vcpu_start(vcpu, MODE_LONG, RING0, compute, &jobs[0]);
	for (int i = 0; i < 1000 && !jobs[0].result; i++) {
		struct turn turn = { vcpu, i % cpus_online() };
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, one_run, &turn), 0);
		pthread_join(thread, NULL);
		if (vcpu->run->io.port != PORT_TEST && vcpu->run->io.port != PORT_DONE)
			FAIL("%s", vcpu_exit_text(vcpu));
	}
	for (__u64 round = 0; round < 1000; round++)
		hash = mix(hash, round);
	CHECK_EQ(jobs[0].result, hash);
}

/*
 * A CPU that a vCPU has left may still hold translations of memory that changed since. When the vCPU comes back they
 * must be gone: the guest reads what is there now, not what was.
 */
static GUEST __u32 read_word(__u64 at)
{
	return *(volatile __u32 *)at;
}

static __u32 read_on_cpu(struct vcpu *vcpu, int cpu, __u64 at)
{
	run_on_cpu(cpu);
	vcpu_start(vcpu, MODE_LONG, RING0, read_word, at);
	return vcpu_finish(vcpu);
}

static void old_translations_do_not_come_back(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 at = 256 << 20;
	volatile __u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, at, PAGE, 0);

	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	*memory = 1;
	for (__u32 n = 1; n < 50; n++) {
		const int here = n % 2;

		CHECK_EQ(read_on_cpu(vcpu, here, at), n);
		CHECK_EQ(read_on_cpu(vcpu, !here, at), n);
		CHECK_SYS(madvise((void *)memory, PAGE, MADV_DONTNEED));
		*memory = n + 1;
		CHECK_EQ(read_on_cpu(vcpu, !here, at), n + 1);
	}
}

static const struct ktap_case cases[] = {
	{ "guests that do not exit", a_guest_that_does_not_exit },
	{ "guests that exit to the kernel", a_guest_that_exits_to_the_kernel },
	{ "guests that exit to the launcher", a_guest_that_exits_to_the_launcher },
	{ "one thread runs two vCPUs", one_thread_runs_two_vcpus },
	{ "threads take turns on one vCPU", threads_take_turns },
	{ "old translations do not come back", old_translations_do_not_come_back },
};
KTAP_MAIN(cases)
