// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory against the host's memory management at full speed: faults in the very moment that the host takes
 * pages away, and a storm of all that it can do, while guests check and change every page.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* ------------------------------------------------------------------ guests */

/* Checks and changes page after page until told to stop */
static GUEST __u32 guest_work(__u64 unused)
{
	(void)unused;
	asm volatile("sti");
	while (!work.stop) {
		for (__u64 page = 0; page < work.pages; page++) {
			__u64 generation = work.of_page[page];

			for (unsigned int i = 0; i < WORDS; i++) {
				__u64 is = *word_at(work.gpa, page, i);

				if (is || !work.may_be_zero)
					GUEST_CHECK_EQ(is, word_of(page, generation, i));
			}
			generation = (generation + 1) & 0xffffffff;
			work.of_page[page] = generation;
			for (unsigned int i = 0; i < WORDS; i++)
				*word_at(work.gpa, page, i) = word_of(page, generation, i);
		}
		work.passes++;
	}
	return 1;
}

/* Looks at page after page, last one first (the host takes pages away from the first on), until told to stop */
static GUEST __u32 guest_watch(__u64 unused)
{
	(void)unused;
	asm volatile("sti");
	while (!work.stop) {
		for (__u64 page = work.pages; page--; )
			work.of_page[page] = *(volatile __u32 *)(work.gpa + page * PAGE);
		work.passes++;
	}
	return 1;
}

/* Likewise, and counts in each */
static GUEST __u32 guest_count(__u64 unused)
{
	(void)unused;
	asm volatile("sti");
	while (!work.stop) {
		for (__u64 page = work.pages; page--; )
			++*(volatile __u32 *)(work.gpa + page * PAGE);
		work.passes++;
	}
	return 1;
}

/* ------------------------------------------------------------------ faults against invalidations */

/*
 * The guest faults on pages in the very moment that the host takes them away: a fault that looked up the old page
 * must not install it after the host is done. What a case does runs in a thread beside the guest.
 */
static struct {
	struct vcpu *vcpu;
	__u8 *memory;
	size_t bytes;
} race;

static void stop_work(void *unused)
{
	(void)unused;
	work.stop = true;
}

static void run_race(__u32 (*guest)(__u64), void *(*host)(void *), __u64 pages)
{
	pthread_t thread;
	__u32 reason;

	race.vcpu = vm_with_vcpu();
	race.bytes = pages * PAGE;
	race.memory = map_anonymous(reserve(), 2 * race.bytes);
	CHECK_SYS(madvise(race.memory, 2 * race.bytes, MADV_NOHUGEPAGE));
	vm_set_slot(race.vcpu->vm, SLOT_TEST, AREA, race.bytes, race.memory, 0);
	memset(&work, 0, sizeof(work));
	work.gpa = AREA;
	work.pages = pages;
	ktap_defer(stop_work, NULL);
	vcpu_start(race.vcpu, MODE_LONG, RING0, guest, 0);
	CHECK_EQ(pthread_create(&thread, NULL, host, NULL), 0);
	do
		reason = vcpu_run(race.vcpu);
	while (reason == TPZ_EXIT_INTERRUPTED);
	work.stop = true;
	pthread_join(thread, NULL);
	CHECK_THAT(reason == TPZ_EXIT_IO && race.vcpu->run->io.port == PORT_DONE, "%s", vcpu_exit_text(race.vcpu));
}

static void wait_passes(unsigned int passes)
{
	__u64 until = work.passes + passes;

	while (work.passes < until && !work.stop)
		sched_yield();
}

/* Each page has its own stamp: a frame that was freed too early soon serves another page */
static __u32 stamp_of(__u32 round, __u64 page)
{
	return round << 16 | page;
}

static void stamp_pages(__u8 *memory, __u32 round)
{
	for (__u64 page = 0; page < work.pages; page++)
		*(volatile __u32 *)(memory + page * PAGE) = stamp_of(round, page);
}

/* After two passes the guest has seen what is there now, in every page */
static void check_seen(__u32 round)
{
	wait_passes(2);
	for (__u64 page = 0; page < work.pages; page++)
		CHECK_THAT(work.of_page[page] == stamp_of(round, page), "round %u, page %llu: %#x", round, page,
			   work.of_page[page]);
}

static void *race_unmap(void *unused)
{
	(void)unused;
	pthread_cleanup_push(stop_work, NULL);
	for (__u32 round = 1; round <= 40; round++) {
		CHECK_SYS(madvise(race.memory, race.bytes, MADV_DONTNEED));
		stamp_pages(race.memory, round);
		check_seen(round);
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void faults_against_unmap(void)
{
	run_race(guest_watch, race_unmap, 256);
}

static void *race_slot(void *unused)
{
	(void)unused;
	pthread_cleanup_push(stop_work, NULL);
	for (__u32 round = 1; round <= 100; round++) {
		__u8 *memory = race.memory + (round & 1) * race.bytes;

		stamp_pages(memory, round);
		vm_set_slot(race.vcpu->vm, SLOT_TEST, AREA, race.bytes, memory, 0);
		check_seen(round);
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void faults_against_slots(void)
{
	run_race(guest_watch, race_slot, 128);
}

/* The child's copy stands still while the parent's guest goes on writing */
static void *race_fork(void *unused)
{
	static __u32 seen[256];

	(void)unused;
	pthread_cleanup_push(stop_work, NULL);
	for (int round = 0; round < 15; round++) {
		int status;
		pid_t child = CHECK_SYS(fork());

		if (!child) {
			for (__u64 page = 0; page < work.pages; page++)
				seen[page] = *(volatile __u32 *)(race.memory + page * PAGE);
			usleep(20000);
			for (__u64 page = 0; page < work.pages; page++)
				CHECK_EQ(seen[page], *(volatile __u32 *)(race.memory + page * PAGE));
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void faults_against_fork(void)
{
	run_race(guest_count, race_fork, 256);
	/* Nothing the guest counted is lost: all pages but those of the last, unfinished pass say the same */
	for (__u64 page = 0; page < work.pages; page++)
		CHECK_EQ(*(volatile __u32 *)(race.memory + page * PAGE), (__u32)work.passes);
}

/* ------------------------------------------------------------------ the storm */

static struct {
	__u8 *memory;
	size_t bytes;
	unsigned int seed;
	bool may_lose;
	int rounds;
	__u64 counts[16];
} storm;

static unsigned int any(unsigned int below)
{
	storm.seed = storm.seed * 1103515245 + 12345;
	return (storm.seed >> 8) % below;
}

static void ksm_off(void *arg)
{
	(void)arg;
	write_file("/sys/kernel/mm/ksm/run", "2");	/* unmerge all */
	write_file("/sys/kernel/mm/ksm/run", "0");
}

static void storm_step(void)
{
	size_t pages = storm.bytes / PAGE, first = any(pages), count = 1 + any(any(2) ? 16 : pages);
	__u8 *at = storm.memory + first * PAGE, *elsewhere;
	unsigned int what = any(storm.may_lose ? 13 : 9);
	size_t bytes;

	if (count > pages - first)
		count = pages - first;
	bytes = count * PAGE;
	storm.counts[what]++;
	switch (what) {
	case 0:
		madvise(at, bytes, MADV_HUGEPAGE);
		break;
	case 1:
		madvise(at, bytes, MADV_NOHUGEPAGE);
		break;
	case 2:
		madvise(storm.memory + any(storm.bytes / LARGE) * LARGE, LARGE, MADV_COLLAPSE);
		break;
	case 3:
		madvise(at, bytes, any(2) ? MADV_MERGEABLE : MADV_UNMERGEABLE);
		break;
	case 4:		/* protections come back before the guest goes on */
		CHECK_SYS(mprotect(at, bytes, any(2) ? PROT_READ : PROT_NONE));
		sched_yield();
		CHECK_SYS(mprotect(at, bytes, PROT_READ | PROT_WRITE));
		break;
	case 5:		/* page by page: advice has split the mapping, and mremap() takes one piece at a time */
		elsewhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(elsewhere != MAP_FAILED);
		for (; count; count = count > 8 ? 8 : count - 1, at += PAGE) {
			CHECK(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
			sched_yield();
			CHECK(mremap(elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
		}
		break;
	case 6: {	/* copy-on-write against a child that writes, too */
		pid_t child = CHECK_SYS(fork());

		if (!child) {
			memset(at, 0xee, bytes);
			_exit(0);
		}
		CHECK_EQ(waitpid(child, NULL, 0), child);
		break;
	}
	case 7:
		write_file("/proc/sys/vm/compact_memory", "1");
		break;
	case 8:
		madvise(at, bytes, any(2) ? MADV_COLD : MADV_PAGEOUT);
		break;
	case 9:
	case 10:
		CHECK_SYS(madvise(at, bytes, MADV_DONTNEED));
		break;
	case 11:
		madvise(at, bytes, MADV_FREE);
		break;
	case 12:
		map_anonymous(at, bytes);
		break;
	}
}

static void *storm_thread(void *unused)
{
	(void)unused;
	pthread_cleanup_push(stop_work, NULL);		/* however it ends */
	for (int i = 0; i < storm.rounds && !work.stop; i++)
		storm_step();
	pthread_cleanup_pop(1);
	return NULL;
}

static void run_storm(bool may_lose, int rounds)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	unsigned long mem_exits = 0;
	pthread_t thread;
	__u32 reason;

	thp_enable();
	storm = (typeof(storm)){ .bytes = 4 * LARGE, .seed = 20240607 + may_lose, .may_lose = may_lose,
				 .rounds = rounds };
	storm.memory = map_anonymous(reserve(), storm.bytes);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, storm.bytes, storm.memory, 0);
	if (write_file("/sys/kernel/mm/ksm/run", "1"))
		ktap_defer(ksm_off, NULL);
	memset(&work, 0, sizeof(work));
	work.gpa = AREA;
	work.pages = storm.bytes / PAGE;
	work.may_be_zero = may_lose;
	CHECK_EQ(run_guest(vcpu, guest_fill, 0), 1);

	ktap_defer(stop_work, NULL);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_work, 0);
	CHECK_EQ(pthread_create(&thread, NULL, storm_thread, NULL), 0);
	while ((reason = vcpu_run(vcpu)) == TPZ_EXIT_MEMORY || reason == TPZ_EXIT_INTERRUPTED) {
		mem_exits++;		/* the host's memory is away for the moment */
		CHECK_EQ(vcpu->run->memory.no_slot, 0);
		CHECK_EQ(vcpu->run->memory.readonly_slot, 0);
		sched_yield();
	}
	CHECK_THAT(reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE, "%s", vcpu_exit_text(vcpu));
	pthread_join(thread, NULL);
	ktap_diag("%d host operations, %llu passes of the guest, %llu leaves zapped, %lu accesses in vain", rounds,
		  work.passes, meters.vm->notifier_zaps, mem_exits);
	CHECK_GT(work.passes, 0);
	/* And the host sees what the guest wrote last */
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++) {
			__u64 is = *word_at((uintptr_t)storm.memory, page, i);

			if (is || !may_lose)
				CHECK_EQ(is, word_of(page, work.of_page[page], i));
		}
}

static void storm_that_keeps(void)
{
	run_storm(false, 250);
}

static void storm_that_loses(void)
{
	run_storm(true, 400);
}

static const struct ktap_case cases[] = {
	{ "faults against unmapping", faults_against_unmap },
	{ "faults against slot changes", faults_against_slots },
	{ "faults against fork", faults_against_fork },
	{ "storm of host memory management that keeps content", storm_that_keeps },
	{ "storm that throws content away, too", storm_that_loses },
};

KTAP_MAIN(cases)
