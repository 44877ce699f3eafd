// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: slots, the nested page table, and the host's memory management at work under it.
 *
 * What is verified: which accesses exit and with what told; how many faults memory costs; that a guest sees exactly
 * what the launcher's memory holds while the host unmaps, zeroes, moves, merges, splits, copies and migrates it,
 * in single steps and in a storm; and that nothing is left when a slot, a VM or an address space goes.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB	(21 << 26)
#endif

#define MAX_PAGES	4096

/* ------------------------------------------------------------------ guests */

static GUEST __u32 guest_read(__u64 gpa)
{
	return *(volatile __u32 *)gpa;
}

static GUEST __u32 guest_write(__u64 gpa)
{
	*(volatile __u32 *)gpa = 0x12345678;
	return *(volatile __u32 *)gpa;
}

/* Pages of memory that a guest fills and checks */
static struct {
	__u64 gpa;
	__u64 pages;
	__u64 generation;
	bool may_be_zero;	/* the host may throw content away, but never bring old content back */
	volatile bool stop;
	volatile __u64 passes;
	__u32 of_page[MAX_PAGES];	/* the generation of each page, for guest_work() */
} work;

static GUEST __u32 guest_fill(__u64 generation)
{
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			*word_at(work.gpa, page, i) = word_of(page, generation, i);
	return 1;
}

static GUEST __u32 guest_verify(__u64 generation)
{
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			GUEST_CHECK_EQ(*word_at(work.gpa, page, i), word_of(page, generation, i));
	return 1;
}

/* Reads one word of each page: their sum modulo 2^32 */
static GUEST __u32 guest_sum(__u64 unused)
{
	__u64 sum = unused & 0;

	for (__u64 page = 0; page < work.pages; page++)
		sum += *word_at(work.gpa, page, 0);
	return sum;
}

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

/* ------------------------------------------------------------------ the launcher's side */

static void unmap_area(void *address)
{
	munmap(address, MAX_PAGES * PAGE);
}

/* An address range of our own, aligned to 2 MiB, unmapped at the end of the case: tests map pieces of it as they like */
static __u8 *reserve(void)
{
	__u8 *all = mmap(NULL, MAX_PAGES * PAGE + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u8 *aligned;

	CHECK(all != MAP_FAILED);
	aligned = (__u8 *)(((uintptr_t)all + LARGE - 1) & -LARGE);
	munmap(all, aligned - all);
	munmap(aligned + MAX_PAGES * PAGE, all + LARGE - aligned);
	ktap_defer(unmap_area, aligned);
	return aligned;
}

static void *map_at(void *address, size_t bytes, int flags, int fd)
{
	void *memory = mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);

	if (memory == MAP_FAILED)
		FAIL("mmap of %zu bytes: %s", bytes, strerror(errno));
	return memory;
}

static void *map_anonymous(void *address, size_t bytes)
{
	return map_at(address, bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* A VM with @pages of 4 KiB of private anonymous memory at AREA, which the guest has filled */
static struct vcpu *vm_filled(__u64 pages, __u8 **memory)
{
	struct vcpu *vcpu = vm_with_vcpu();

	*memory = map_anonymous(reserve(), pages * PAGE);
	CHECK_SYS(madvise(*memory, pages * PAGE, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, pages * PAGE, *memory, 0);
	work.gpa = AREA;
	work.pages = pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	check_host(*memory, pages, 1);
	return vcpu;
}

/* The frame of a page of ours, by /proc/self/pagemap; 0: none */
static __u64 frame_of(const void *address)
{
	__u64 entry = 0;
	int fd = CHECK_SYS(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(pread(fd, &entry, 8, (uintptr_t)address / PAGE * 8), 8);
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* How much of a mapping is made of huge pages, in KiB */
static long long huge_kib(const void *address)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long long start, end;
	long long kib = 0, value;
	bool inside = false;
	char line[512];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
			inside = start <= (uintptr_t)address && (uintptr_t)address < end;
		else if (inside && sscanf(line, "AnonHugePages: %lld kB", &value) == 1)
			kib = value;
	}
	fclose(f);
	return kib;
}

/* The counters of a vCPU that tell what memory cost */
struct cost {
	__u64 exits, faults, mapped, exceptions;
};

static struct cost cost_of(const struct meters *meters)
{
	struct tpz_vcpu_meters m = meters_read(meters, 0);

	return (struct cost){ m.exits - m.reason[TPZ_EXIT_HOST_INTERRUPT].count, m.reason[TPZ_EXIT_NPF].count,
			      m.npf_mapped, m.reason[TPZ_EXIT_EXCEPTION].count };
}

/* ------------------------------------------------------------------ what exits, and what is told */

static void unbacked_address(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 gpa = AREA + 0x12345678;
	__u32 *memory;

	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, gpa);
	for (int again = 0; again < 2; again++) {	/* running on tries again */
		vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
		CHECK_EQ(vcpu->run->memory.gpa, gpa);
		CHECK_EQ(vcpu->run->memory.gva_valid, 1);
		CHECK_EQ(vcpu->run->memory.gva, gpa);
		CHECK_EQ(vcpu->run->memory.no_slot, 1);
		CHECK_EQ(vcpu->run->memory.readonly_slot, 0);
		CHECK_EQ(vcpu->run->memory.read, 1);
		CHECK_EQ(vcpu->run->memory.write, 0);
		CHECK_EQ(vcpu->run->memory.fetch, 0);
		CHECK_EQ(vcpu->run->memory.page_walk, 0);
	}
	memory = vm_add_memory(vcpu->vm, SLOT_TEST, gpa & -PAGE, PAGE, 0);
	memory[(gpa & (PAGE - 1)) / 4] = 0xabcdef01;
	CHECK_EQ(vcpu_finish(vcpu), 0xabcdef01);
}

static void unbacked_write_and_fetch(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA + 4);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + 4);
	CHECK_EQ(vcpu->run->memory.write, 1);
	CHECK_EQ(vcpu->run->memory.fetch, 0);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);

	vcpu_start(vcpu, MODE_LONG, RING0, AREA + 16, 0);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + 16);
	CHECK_EQ(vcpu->run->memory.fetch, 1);
	CHECK_EQ(vcpu->run->memory.write, 0);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->rip, AREA + 16);
}

static void readonly_slot(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, AREA, 4 * PAGE, TPZ_SLOT_READONLY);

	memory[0] = 77;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 77);
	for (int page = 0; page < 2; page++) {		/* one that was read before, one that was not */
		vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA + page * PAGE);
		vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
		CHECK_EQ(vcpu->run->memory.gpa, AREA + page * PAGE);
		CHECK_EQ(vcpu->run->memory.readonly_slot, 1);
		CHECK_EQ(vcpu->run->memory.no_slot, 0);
		CHECK_EQ(vcpu->run->memory.write, 1);
		CHECK_EQ(vcpu->run->memory.page_walk, 0);
	}
	CHECK_EQ(memory[0], 77);
	CHECK_EQ(memory[PAGE / 4], 0);

	/* The launcher may still write, and the guest sees it */
	memory[0] = 78;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 78);

	/* The same memory, writable: the guest runs on */
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 4 * PAGE, memory, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0x12345678);
	CHECK_EQ(memory[0], 0x12345678);
}

/* What the launcher itself may not do, the guest may not do */
static void launcher_protection(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, AREA, PAGE, 0);

	memory[0] = 5;
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 5);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA);
	CHECK_EQ(vcpu->run->memory.readonly_slot, 0);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(vcpu_finish(vcpu), 0x12345678);

	CHECK_SYS(mprotect(memory, PAGE, PROT_NONE));
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ));
	CHECK_EQ(vcpu_finish(vcpu), 0x12345678);
}

/* ------------------------------------------------------------------ slots */

static int set_slot(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, __u64 uaddr, __u32 flags)
{
	struct tpz_slot set = { .size = sizeof(set), .flags = flags, .slot = slot,
				.gpa = gpa, .bytes = bytes, .uaddr = uaddr };

	return ioctl(vm->fd, TPZ_SET_SLOT, &set);
}

static void slot_rules(void)
{
	struct vm *vm = vm_create();
	struct tpz_info info = device_info();
	__u64 memory = (uintptr_t)map_anonymous(reserve(), 16 * PAGE), top = 1ULL << info.phys_bits;
	struct tpz_slot odd = { .size = sizeof(odd), .slot = 5, .pad = 1, .gpa = AREA, .bytes = PAGE, .uaddr = memory };

	CHECK_SYS(set_slot(vm, 2, AREA, 8 * PAGE, memory, 0));
	/* Overlaps: at its start, its end, inside, around; but not side by side */
	CHECK_ERR(set_slot(vm, 3, AREA - PAGE, 2 * PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA + 7 * PAGE, 2 * PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA + 3 * PAGE, PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA - PAGE, 16 * PAGE, memory, 0), EEXIST);
	CHECK_SYS(set_slot(vm, 3, AREA - PAGE, PAGE, memory, 0));
	CHECK_SYS(set_slot(vm, 4, AREA + 8 * PAGE, PAGE, memory, 0));
	/* A slot may move over its own old place, but not over others */
	CHECK_SYS(set_slot(vm, 2, AREA + PAGE, 7 * PAGE, memory, 0));
	CHECK_ERR(set_slot(vm, 2, AREA, 9 * PAGE, memory, 0), EEXIST);

	CHECK_ERR(set_slot(vm, 5, AREA + 1, PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE + 512, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, memory + 8, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, memory, 2), EINVAL);
	CHECK_ERR(set_slot(vm, info.max_slots, 2 * AREA, PAGE, memory, 0), EINVAL);
	CHECK_ERR(ioctl(vm->fd, TPZ_SET_SLOT, &odd), EINVAL);
	CHECK_ERR(set_slot(vm, 5, top, PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, top - PAGE, 2 * PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, -PAGE, 2 * PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 0, -PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, 0xffff888000000000ULL, 0), EFAULT);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, 4 * PAGE, -2 * PAGE, 0), EFAULT);
	CHECK_ERR(set_slot(vm, 5, 0, 0, 0, 0), ENOENT);
	CHECK_SYS(set_slot(vm, 5, top - PAGE, PAGE, memory, 0));

	for (__u32 slot = 2; slot < 6; slot++)
		CHECK_SYS(set_slot(vm, slot, 0, 0, 0, 0));
	CHECK_ERR(set_slot(vm, 2, 0, 0, 0, 0), ENOENT);
	for (__u32 slot = 2; slot < info.max_slots; slot++)	/* from the top down */
		CHECK_SYS(set_slot(vm, slot, AREA + (info.max_slots - slot) * 2 * PAGE, PAGE, memory, 0));
}

static void slots_come_and_go(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *memory = map_anonymous(reserve(), 8 * PAGE);
	__u64 before = meters.vm->slot_bytes;

	memory[0] = 1;
	memory[4 * PAGE] = 2;
	vm_set_slot(vcpu->vm, 2, AREA, 4 * PAGE, memory, 0);
	CHECK_EQ(meters.vm->slot_bytes, before + 4 * PAGE);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 1);
	/* Other memory at the same place */
	vm_set_slot(vcpu->vm, 2, AREA, 4 * PAGE, memory + 4 * PAGE, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 2);
	/* The same memory at another place, twice */
	vm_set_slot(vcpu->vm, 2, AREA + LARGE, 4 * PAGE, memory, 0);
	vm_set_slot(vcpu->vm, 3, AREA + 2 * LARGE, 4 * PAGE, memory, TPZ_SLOT_READONLY);
	CHECK_EQ(run_guest(vcpu, guest_write, AREA + LARGE), 0x12345678);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0x12345678);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	/* What the host takes away is gone at both places */
	CHECK_SYS(madvise(memory, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + LARGE), 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0);
	vm_set_slot(vcpu->vm, 2, 0, 0, NULL, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0);
	vm_set_slot(vcpu->vm, 3, 0, 0, NULL, 0);
	CHECK_EQ(meters.vm->slot_bytes, before);
	CHECK_EQ(meters.vm->resident_pages, 0);
	CHECK_EQ(meters.vm->table_pages, 1);
}

/* ------------------------------------------------------------------ faults kept apart */

static volatile __u64 page_faults;
static volatile __u64 *pte_to_mend;

static void mend_pte(struct guest_frame *frame)
{
	page_faults++;
	GUEST_CHECK_EQ(frame->error & 1, 0);
	*pte_to_mend |= 1;
}

/* The first touch of each page costs one nested fault and no #PF; the second costs nothing */
static void first_touch(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	const __u64 pages = 64;
	struct cost before, after;
	__u8 *memory = map_anonymous(reserve(), (pages + 1) * PAGE);
	__u64 resident;

	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, (pages + 1) * PAGE, memory, 0);
	guest_on(14, mend_pte);
	page_faults = 0;
	work.gpa = AREA;
	work.pages = 1;
	run_guest(vcpu, guest_fill, 1);		/* code, stack and page tables are there now */
	run_guest(vcpu, guest_verify, 1);
	work.gpa = AREA + PAGE;
	work.pages = pages;

	before = cost_of(&meters);
	resident = meters.vm->resident_pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	after = cost_of(&meters);
	CHECK_EQ(after.faults - before.faults, pages);
	CHECK_EQ(after.mapped - before.mapped, pages);
	CHECK_EQ(after.exits - before.exits, pages + 1);	/* and the OUT at the end */
	CHECK_EQ(after.exceptions - before.exceptions, 0);
	CHECK_EQ(page_faults, 0);
	CHECK_EQ(meters.vm->resident_pages - resident, pages);

	before = after;
	CHECK_EQ(run_guest(vcpu, guest_verify, 1), 1);
	after = cost_of(&meters);
	CHECK_EQ(after.faults - before.faults, 0);
	CHECK_EQ(after.exits - before.exits, 1);

	/* Read first: the leaf permits what the host's does. Zero pages are read-only: each costs a second fault */
	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_DONTNEED));
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_sum, 0), 0);
	after = cost_of(&meters);
	CHECK_EQ(after.faults - before.faults, pages);
	before = after;
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	after = cost_of(&meters);
	CHECK_EQ(after.faults - before.faults, pages);
	/* What the launcher has written to is writable at once */
	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_DONTNEED));
	memset(memory, 0, (pages + 1) * PAGE);
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_sum, 0), 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 3), 1);
	after = cost_of(&meters);
	CHECK_EQ(after.faults - before.faults, pages);
	CHECK_EQ(page_faults, 0);
}

static GUEST __u32 guest_fault_once(__u64 gpa)
{
	__u64 faults = page_faults;

	*pte_to_mend &= ~1ULL;
	asm volatile("invlpg (%0)" : : "r"(gpa) : "memory");
	*(volatile __u32 *)gpa = 9;
	return page_faults - faults;
}

/* A #PF that the guest's own tables cause is the guest's own affair */
static void guests_own_page_fault(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	const __u64 gpa = GUEST_FREE;
	struct cost before, after;

	guest_on(14, mend_pte);
	pte_to_mend = (volatile __u64 *)(GUEST_PT + gpa / PAGE * 8);
	CHECK_EQ(run_guest(vcpu, guest_fault_once, gpa), 1);	/* brings everything in */
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_fault_once, gpa), 1);
	after = cost_of(&meters);
	CHECK_EQ(after.exits - before.exits, 1);	/* the OUT at the end */
	CHECK_EQ(after.faults - before.faults, 0);
	CHECK_EQ(after.exceptions - before.exceptions, 0);
}

/* The CPU could not read or mark the guest's own page table: told apart from an access by the guest */
static void page_table_page(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 table = AREA, gva = 1ULL << 39;	/* PML4 entry 1 -> a PDPT at AREA: gva + 0 is gpa 0 by a 1 GiB page */
	__u64 *pml4 = vm_host(vcpu->vm, GUEST_PML4), *pdpt;

	pml4[1] = table | 7;
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, gva + GUEST_FREE);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, table);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->memory.gva, gva + GUEST_FREE);

	/* A table in a read-only slot: its accessed bit cannot be set */
	pdpt = vm_add_memory(vcpu->vm, SLOT_TEST, table, PAGE, TPZ_SLOT_READONLY);
	pdpt[0] = 0x87;
	*(__u32 *)vm_host(vcpu->vm, GUEST_FREE) = 31;
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, table);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.readonly_slot, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_EQ(vcpu->run->memory.write, 1);

	/* The guest's own access to the same page is not a page walk */
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, table + 8);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, table + 8);
	CHECK_EQ(vcpu->run->memory.page_walk, 0);
	CHECK_EQ(vcpu->run->memory.readonly_slot, 1);

	vm_set_slot(vcpu->vm, SLOT_TEST, table, PAGE, pdpt, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, gva + GUEST_FREE), 31);
	CHECK_EQ(pdpt[0] & 0xff, 0xa7);		/* the CPU has marked it accessed */
}

/* ------------------------------------------------------------------ huge pages */

static __u8 *map_huge(size_t bytes)
{
	__u8 *memory = map_anonymous(reserve(), bytes);

	thp_enable();
	CHECK_SYS(madvise(memory, bytes, MADV_HUGEPAGE));
	for (size_t i = 0; i < bytes; i += LARGE)
		memory[i] = 0;
	if (huge_kib(memory) * 1024 != bytes)
		SKIP("the host gave no transparent huge page");
	return memory;
}

static void huge_pages(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *memory = map_huge(2 * LARGE);
	struct cost before;
	__u64 resident, tables;

	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 2 * LARGE, memory, 0);
	run_guest(vcpu, guest_read, AREA);
	work.gpa = AREA;
	work.pages = 2 * LARGE / PAGE;
	before = cost_of(&meters);
	resident = meters.vm->resident_pages;
	tables = meters.vm->table_pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	check_host(memory, work.pages, 1);
	CHECK_LE(cost_of(&meters).faults - before.faults, 3);	/* the other large page; code and data of guest_fill() */
	CHECK_GE(meters.vm->resident_pages - resident, 512);
	CHECK_LE(meters.vm->resident_pages - resident, 512 + 2);
	CHECK_EQ(meters.vm->table_pages, tables);

	/* A hole of one page splits the host's huge page; what is around the hole stays */
	CHECK_SYS(madvise(memory + 5 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 5 * PAGE), 0);
	CHECK_EQ(run_guest(vcpu, guest_write, AREA + 5 * PAGE), 0x12345678);
	CHECK_EQ(*(__u32 *)(memory + 5 * PAGE), 0x12345678);
	for (unsigned int i = 0; i < WORDS; i++)
		*word_at((uintptr_t)memory, 5, i) = word_of(5, 1, i);
	CHECK_EQ(run_guest(vcpu, guest_verify, 1), 1);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	check_host(memory, work.pages, 2);

	/* And back to a huge page */
	if (madvise(memory, LARGE, MADV_COLLAPSE))
		SKIP("MADV_COLLAPSE: %s", strerror(errno));
	CHECK_EQ(run_guest(vcpu, guest_verify, 2), 1);
	CHECK_EQ(run_guest(vcpu, guest_fill, 3), 1);
	check_host(memory, work.pages, 3);
}

/* Guest and launcher address must be aligned alike for a large leaf; a slot's edges must not reach over */
static void huge_pages_out_of_step(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *memory = map_huge(2 * LARGE);
	struct cost before;

	work.gpa = AREA + PAGE;
	work.pages = 2 * LARGE / PAGE;
	vm_set_slot(vcpu->vm, SLOT_TEST, work.gpa, 2 * LARGE, memory, 0);
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	CHECK_GE(cost_of(&meters).faults - before.faults, work.pages);
	check_host(memory, work.pages, 1);

	/* The slot starts and ends inside huge pages: memory outside it must not show */
	vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
	work.gpa = AREA + PAGE;
	work.pages = 2 * LARGE / PAGE - 2;
	vm_set_slot(vcpu->vm, SLOT_TEST, work.gpa, work.pages * PAGE, memory + PAGE, 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	check_host(memory + PAGE, work.pages, 2);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA + 2 * LARGE - PAGE);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
}

/* Code and data of the guest side by side in one huge page */
static void code_in_huge_page(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	static const __u8 code[] = { 0x89, 0xf8, 0x05, 1, 0, 0, 0, 0xc3 };	/* mov %edi, %eax; add $1, %eax; ret */
	__u8 *memory = map_huge(LARGE);

	memcpy(memory + 100 * PAGE, code, sizeof(code));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, LARGE, memory, 0);
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + 7 * PAGE), 0);
		vcpu_start(vcpu, MODE_LONG, RING0, AREA + 100 * PAGE, 41 + round);
		CHECK_EQ(vcpu_finish(vcpu), 42 + round);
		CHECK_EQ(run_guest(vcpu, guest_write, AREA + (8 + round) * PAGE), 0x12345678);
	}
}

static void no_hugepages(void *arg)
{
	(void)arg;
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0");
}

static void hugetlb(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	__u8 *memory = reserve(), *second;
	struct cost before;

	if (fd < 0)
		SKIP("no hugetlbfs: %s", strerror(errno));
	ktap_defer(no_hugepages, NULL);
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4");
	if (read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") < 4) {
		close(fd);
		SKIP("no memory for 4 huge pages");
	}
	CHECK_SYS(ftruncate(fd, 3 * LARGE));
	map_at(memory, 3 * LARGE, MAP_SHARED, fd);
	second = mmap(NULL, 3 * LARGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(second != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 3 * LARGE, memory, 0);
	work.gpa = AREA;
	work.pages = 3 * LARGE / PAGE;
	run_guest(vcpu, guest_read, AREA);
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	CHECK_LE(cost_of(&meters).faults - before.faults, 5);
	check_host(second, work.pages, 1);
	/* A hole in the file is a hole in the guest's memory: zeroes */
	CHECK_SYS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LARGE, LARGE));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + LARGE + 3 * PAGE), 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	check_host(second, work.pages, 2);
	munmap(second, 3 * LARGE);
	close(fd);
	munmap(memory, 3 * LARGE);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
}

/* ------------------------------------------------------------------ the host's memory management, step by step */

static void thrown_away(void)
{
	struct meters meters;
	__u8 *memory;
	struct vcpu *vcpu = vm_filled(32, &memory);
	__u64 zaps;

	meters = meters_open(vcpu->vm->id);
	zaps = meters.vm->notifier_zaps;
	CHECK_SYS(madvise(memory + 4 * PAGE, 8 * PAGE, MADV_DONTNEED));
	CHECK_EQ(meters.vm->notifier_zaps - zaps, 8);
	for (int page = 0; page < 32; page++)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + page * PAGE),
			 page >= 4 && page < 12 ? 0 : (__u32)word_of(page, 1, 0));
	/* Other memory in the middle of the slot */
	map_anonymous(memory + 8 * PAGE, 8 * PAGE);
	memory[8 * PAGE] = 123;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 8 * PAGE), 123);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 9 * PAGE), 0);
	/* None at all, then some again */
	CHECK_SYS(munmap(memory + 8 * PAGE, 8 * PAGE));
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA + 8 * PAGE);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + 8 * PAGE);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	map_anonymous(memory + 8 * PAGE, 8 * PAGE);
	memory[8 * PAGE] = 124;
	CHECK_EQ(vcpu_finish(vcpu), 124);
}

static void moved_away(void)
{
	__u8 *memory, *elsewhere;
	struct vcpu *vcpu = vm_filled(16, &memory);

	elsewhere = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(elsewhere != MAP_FAILED);
	CHECK(mremap(memory, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_verify, 1);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA);
	CHECK(mremap(elsewhere, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	check_host(memory, 16, 1);
}

/* The vCPU's thread moves between CPUs while pages change: no CPU may go on with an old translation */
static void no_stale_translation(void)
{
	__u8 *memory;
	struct vcpu *vcpu;

	if (cpus_online() < 2)
		SKIP("one CPU");
	run_on_cpu(0);
	vcpu = vm_filled(16, &memory);
	for (int round = 0; round < 20; round++) {
		run_on_cpu(0);
		CHECK_EQ(run_guest(vcpu, guest_fill, 2 * round), 1);
		run_on_cpu(1);
		CHECK_EQ(run_guest(vcpu, guest_verify, 2 * round), 1);
		CHECK_SYS(madvise(memory, 16 * PAGE, MADV_DONTNEED));
		for (__u64 page = 0; page < 16; page++)		/* other frames, other content */
			for (unsigned int i = 0; i < WORDS; i++)
				*word_at((uintptr_t)memory, page, i) = word_of(page, 2 * round + 1, i);
		if (round & 1)
			CHECK_EQ(run_guest(vcpu, guest_verify, 2 * round + 1), 1);
		run_on_cpu(0);
		CHECK_EQ(run_guest(vcpu, guest_verify, 2 * round + 1), 1);
	}
}

struct fork_case {
	__u8 *memory;
	int to_child[2], to_parent[2];
};

/* The child keeps what was when it was born, whatever the guest of its parent writes, and the other way round */
static void fork_child(void *arg)
{
	struct fork_case *f = arg;
	char c = 0;

	CHECK_EQ(read(f->to_child[0], &c, 1), 1);
	check_host(f->memory, 32, 1);
	memset(f->memory, 0x5a, 32 * PAGE);
	CHECK_EQ(write(f->to_parent[1], &c, 1), 1);
	CHECK_EQ(read(f->to_child[0], &c, 1), 1);
}

static void fork_and_copy(void)
{
	struct fork_case f;
	struct vcpu *vcpu = vm_filled(32, &f.memory);
	int status;
	pid_t child;
	char c = 1;

	CHECK_SYS(pipe2(f.to_child, O_CLOEXEC));
	CHECK_SYS(pipe2(f.to_parent, O_CLOEXEC));
	child = CHECK_SYS(fork());
	if (!child) {
		fork_child(&f);
		_exit(0);
	}
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	CHECK_EQ(write(f.to_child[1], &c, 1), 1);
	CHECK_EQ(read(f.to_parent[0], &c, 1), 1);
	CHECK_EQ(run_guest(vcpu, guest_verify, 2), 1);
	check_host(f.memory, 32, 2);
	CHECK_EQ(write(f.to_child[1], &c, 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 3), 1);
	check_host(f.memory, 32, 3);
	close(f.to_child[0]);
	close(f.to_child[1]);
	close(f.to_parent[0]);
	close(f.to_parent[1]);
}

static void ksm_off(void *arg)
{
	(void)arg;
	write_file("/sys/kernel/mm/ksm/run", "2");	/* unmerge all */
	write_file("/sys/kernel/mm/ksm/run", "0");
}

/* Pages with equal content are merged under the guest, and part again at its first write */
static void merged(void)
{
	const int pages = 64;
	struct vcpu *vcpu = vm_with_vcpu();
	__u8 *memory = map_anonymous(reserve(), pages * PAGE);
	int wait;

	if (access("/sys/kernel/mm/ksm/run", W_OK))
		SKIP("no KSM");
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, pages * PAGE, memory, 0);
	CHECK_SYS(madvise(memory, pages * PAGE, MADV_NOHUGEPAGE));
	for (int page = 0; page < pages; page++) {
		memset(memory + page * PAGE, 0x77, PAGE);
		CHECK_EQ(run_guest(vcpu, guest_write, AREA + page * PAGE), 0x12345678);
	}
	CHECK_SYS(madvise(memory, pages * PAGE, MADV_MERGEABLE));
	ktap_defer(ksm_off, NULL);
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "10");
	CHECK(write_file("/sys/kernel/mm/ksm/run", "1"));
	for (wait = 0; wait < 1000 && read_number("/sys/kernel/mm/ksm/pages_sharing") < pages - 2; wait++)
		usleep(10000);
	CHECK_GE(read_number("/sys/kernel/mm/ksm/pages_sharing"), pages - 2);
	CHECK_EQ(frame_of(memory), frame_of(memory + 9 * PAGE));
	for (int page = 0; page < pages; page++)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + page * PAGE), 0x12345678);
	/* A write to one, elsewhere in the page, changes that one alone */
	CHECK_EQ(run_guest(vcpu, guest_write, AREA + 9 * PAGE + 64), 0x12345678);
	CHECK_NE(frame_of(memory), frame_of(memory + 9 * PAGE));
	for (int page = 0; page < pages; page++) {
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + page * PAGE + 64), page == 9 ? 0x12345678 : 0x77777777);
		CHECK_EQ(*(__u32 *)(memory + page * PAGE + 64), page == 9 ? 0x12345678 : 0x77777777);
	}
}

/* Compaction moves the guest's pages to other frames; what it then writes lands there */
static void migrated(void)
{
	const size_t pages = 512, noise_pages = 8192;
	__u8 *memory, *noise;
	struct vcpu *vcpu = vm_with_vcpu();
	__u64 moved = 0, *frames = calloc(pages, 8);

	/* Memory in holes: every second page of a big area is given back, the guest's lie among the rest */
	noise = mmap(NULL, noise_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(noise != MAP_FAILED);
	madvise(noise, noise_pages * PAGE, MADV_NOHUGEPAGE);
	memory = map_anonymous(reserve(), pages * PAGE);
	CHECK_SYS(madvise(memory, pages * PAGE, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < noise_pages; i++) {
		noise[i * PAGE] = 1;
		if (i % (noise_pages / pages) == 0)
			memory[i / (noise_pages / pages) * PAGE] = 1;
	}
	for (size_t i = 0; i < noise_pages; i += 2)
		madvise(noise + i * PAGE, PAGE, MADV_DONTNEED);

	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, pages * PAGE, memory, 0);
	work.gpa = AREA;
	work.pages = pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	for (size_t i = 0; i < pages; i++)
		frames[i] = frame_of(memory + i * PAGE);
	if (!write_file("/proc/sys/vm/compact_memory", "1"))
		SKIP("no compaction");
	for (size_t i = 0; i < pages; i++)
		moved += frames[i] != frame_of(memory + i * PAGE);
	CHECK_EQ(run_guest(vcpu, guest_verify, 1), 1);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	check_host(memory, pages, 2);
	munmap(noise, noise_pages * PAGE);
	free(frames);
	ktap_diag("%llu of %zu pages moved", moved, pages);
	if (!moved)
		SKIP("compaction moved none of the guest's pages");
}

static void memfd(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 pages = 64;
	int fd = CHECK_SYS(memfd_create("guest", MFD_CLOEXEC));
	__u8 *memory = reserve(), *second;

	CHECK_SYS(ftruncate(fd, pages * PAGE));
	map_at(memory, pages * PAGE, MAP_SHARED, fd);
	second = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(second != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, pages * PAGE, memory, 0);
	work.gpa = AREA;
	work.pages = pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	check_host(second, pages, 1);
	/* What others write through a mapping of their own or the file shows */
	*(__u32 *)(second + 3 * PAGE) = 99;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 3 * PAGE), 99);
	CHECK_EQ(pwrite(fd, "abcd", 4, 4 * PAGE), 4);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 4 * PAGE), 0x64636261);
	CHECK_SYS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PAGE, 4 * PAGE));
	for (int page = 8; page < 12; page++)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + page * PAGE), 0);
	/* The end of the file moves into the slot */
	CHECK_SYS(ftruncate(fd, 32 * PAGE));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 31 * PAGE), (__u32)word_of(31, 1, 0));
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA + 32 * PAGE);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + 32 * PAGE);
	CHECK_SYS(ftruncate(fd, pages * PAGE));
	CHECK_EQ(vcpu_finish(vcpu), 0);
	munmap(second, pages * PAGE);
	close(fd);
}

/* A private mapping of a file: the guest's writes stay its own */
static void private_file(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	int fd = CHECK_SYS(memfd_create("image", MFD_CLOEXEC));
	__u8 *memory = reserve();
	__u32 value = 5;

	CHECK_SYS(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(pwrite(fd, &value, 4, 0), 4);
	map_at(memory, 4 * PAGE, MAP_PRIVATE, fd);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 4 * PAGE, memory, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 5);
	value = 6;	/* not copied yet: the file shows through */
	CHECK_EQ(pwrite(fd, &value, 4, 0), 4);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 6);
	CHECK_EQ(run_guest(vcpu, guest_write, AREA), 0x12345678);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 0x12345678);
	CHECK_EQ(pread(fd, &value, 4, 0), 4);
	CHECK_EQ(value, 6);
	CHECK_EQ(*(__u32 *)memory, 0x12345678);
	close(fd);
}

/* ------------------------------------------------------------------ a user-space pager */

struct pager {
	int fd;
	volatile int served;
};

static void *serve_pages(void *arg)
{
	struct pager *pager = arg;
	static __u8 page[PAGE] __attribute__((aligned(4096)));
	struct uffd_msg message;

	while (read(pager->fd, &message, sizeof(message)) == sizeof(message)) {
		__u64 address = message.arg.pagefault.address & -PAGE;
		struct uffdio_copy copy = { .dst = address, .src = (uintptr_t)page, .len = PAGE };

		CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
		usleep(2000);
		*(__u32 *)page = 1000 + pager->served;
		CHECK_SYS(ioctl(pager->fd, UFFDIO_COPY, &copy));
		if (++pager->served == 8)
			break;
	}
	return NULL;
}

/* A page that a user-space pager must bring: the fault waits for it */
static void user_pager(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct pager pager = { .fd = syscall(SYS_userfaultfd, O_CLOEXEC) };
	struct uffdio_api api = { .api = UFFD_API };
	__u8 *memory = map_anonymous(reserve(), 8 * PAGE);
	struct uffdio_register reg = { .range = { (uintptr_t)memory, 8 * PAGE },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	if (pager.fd < 0)
		SKIP("userfaultfd: %s", strerror(errno));
	CHECK_SYS(ioctl(pager.fd, UFFDIO_API, &api));
	CHECK_SYS(madvise(memory, 8 * PAGE, MADV_NOHUGEPAGE));
	CHECK_SYS(ioctl(pager.fd, UFFDIO_REGISTER, &reg));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 8 * PAGE, memory, 0);
	CHECK_EQ(pthread_create(&thread, NULL, serve_pages, &pager), 0);
	for (int page = 7; page >= 0; page--)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + page * PAGE), 1000 + 7 - page);
	pthread_join(thread, NULL);
	CHECK_EQ(pager.served, 8);
	close(pager.fd);
}

/* ------------------------------------------------------------------ ends */

static void send_fd(int socket, int fd, __u64 id)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &id, sizeof(id) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
				  .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	CHECK_EQ(sendmsg(socket, &message, 0), (ssize_t)sizeof(id));
}

static int receive_fd(int socket, __u64 *id)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { id, sizeof(*id) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
				  .msg_control = control, .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(socket, &message, 0), (ssize_t)sizeof(*id));
	CHECK(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

/* The launcher ends, its VM file lives on in another process: its memory is gone all the same */
static void address_space_ends(void)
{
	int sockets[2], fd, status;
	struct meters meters;
	pid_t child;
	__u64 id;
	struct tpz_create_vcpu create = { .size = sizeof(create) };
	struct tpz_slot slot = { .size = sizeof(slot), .slot = 9, .gpa = 2 * AREA, .bytes = PAGE,
				 .uaddr = (uintptr_t)reserve() };

	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = CHECK_SYS(fork());
	if (!child) {
		__u8 *memory;
		struct vcpu *vcpu = vm_filled(64, &memory);
		char c;

		send_fd(sockets[1], vcpu->vm->fd, vcpu->vm->id);
		CHECK_EQ(read(sockets[1], &c, 1), 1);
		_exit(0);
	}
	fd = receive_fd(sockets[0], &id);
	meters = meters_open(id);
	CHECK_GE(meters.vm->resident_pages, 64);
	CHECK_GE(meters.vm->table_pages, 4);
	CHECK_ERR(ioctl(fd, TPZ_SET_SLOT, &slot), EXDEV);
	CHECK_ERR(ioctl(fd, TPZ_CREATE_VCPU, &create), EXDEV);
	CHECK_EQ(write(sockets[0], "x", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(meters.vm->dead, 0);
	CHECK_EQ(meters.vm->resident_pages, 0);
	CHECK_EQ(meters.vm->table_pages, 1);
	CHECK_ERR(ioctl(fd, TPZ_SET_SLOT, &slot), EXDEV);
	close(fd);
	for (int wait = 0; wait < 100 && !meters.vm->dead; wait++)
		usleep(10000);
	CHECK_EQ(meters.vm->dead, 1);
	close(sockets[0]);
	close(sockets[1]);
}

/* Two VMs of one process share its memory; one ends, the other goes on */
static void two_vms(void)
{
	__u8 *memory;
	struct vcpu *first = vm_filled(32, &memory), *second = vm_with_vcpu();

	vm_set_slot(second->vm, SLOT_TEST, AREA, 32 * PAGE, memory, 0);
	CHECK_EQ(run_guest(second, guest_verify, 1), 1);
	CHECK_EQ(run_guest(second, guest_fill, 2), 1);
	CHECK_EQ(run_guest(first, guest_verify, 2), 1);
	CHECK_SYS(madvise(memory, 32 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(first, guest_read, AREA), 0);
	CHECK_EQ(run_guest(second, guest_read, AREA), 0);
	CHECK_EQ(run_guest(first, guest_fill, 3), 1);
	vm_close(first->vm);
	CHECK_EQ(run_guest(second, guest_verify, 3), 1);
	CHECK_SYS(madvise(memory, 32 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(second, guest_read, AREA), 0);
}

/* Page-table pages grow with what is touched, and go with the slot */
static void table_pages(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	const __u64 bytes = 128UL << 20;
	__u8 *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	__u64 before;

	CHECK(memory != MAP_FAILED);
	CHECK_SYS(madvise(memory, bytes, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	run_guest(vcpu, guest_read, AREA);
	before = meters.vm->table_pages;
	for (__u64 at = LARGE; at < bytes; at += LARGE)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + at), 0);
	CHECK_EQ(meters.vm->table_pages - before, bytes / LARGE - 1);
	CHECK_SYS(madvise(memory, bytes, MADV_DONTNEED));
	CHECK_LE(meters.vm->table_pages, before);
	CHECK_SYS(munmap(memory, bytes));
	CHECK_LE(meters.vm->table_pages, before);
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
	{ "an access to an unbacked address exits with that address", unbacked_address },
	{ "unbacked writes and fetches are told as such", unbacked_write_and_fetch },
	{ "a read-only slot", readonly_slot },
	{ "the launcher's own protections bind the guest", launcher_protection },
	{ "slots: rules", slot_rules },
	{ "slots: set, moved, aliased, removed", slots_come_and_go },
	{ "the first touch of a page: one nested fault and no #PF", first_touch },
	{ "a #PF of the guest's own making costs no exit", guests_own_page_fault },
	{ "a violation on the guest's page table is told apart", page_table_page },
	{ "transparent huge pages: large leaves, split, collapsed", huge_pages },
	{ "huge pages out of step with the slot", huge_pages_out_of_step },
	{ "guest code in a huge page", code_in_huge_page },
	{ "hugetlbfs", hugetlb },
	{ "DONTNEED, munmap and mmap inside a slot", thrown_away },
	{ "mremap away and back", moved_away },
	{ "no stale translation on another CPU", no_stale_translation },
	{ "fork: copy-on-write both ways", fork_and_copy },
	{ "pages merged by KSM", merged },
	{ "pages migrated by compaction", migrated },
	{ "memfd: shared, punched, truncated", memfd },
	{ "a private file mapping", private_file },
	{ "a user-space pager (userfaultfd)", user_pager },
	{ "the launcher's address space ends before its VM", address_space_ends },
	{ "two VMs on the same memory", two_vms },
	{ "pages of the nested page table", table_pages },
	{ "faults against unmapping", faults_against_unmap },
	{ "faults against slot changes", faults_against_slots },
	{ "faults against fork", faults_against_fork },
	{ "storm of host memory management that keeps content", storm_that_keeps },
	{ "storm that throws content away, too", storm_that_loses },
};

KTAP_MAIN(cases)
