/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memory tests share: pages filled with a pattern and checked by the guest and by the launcher, what faults
 * cost, and the switches of the host's own memory management.
 */
#ifndef TRAPEZE_MEMORY_H
#define TRAPEZE_MEMORY_H

#include "vm.h"

#define AREA		0x20000000ULL	/* where tests put their slots; the guest's tables map up to 1 GiB */
#define LARGE		(2UL << 20)
#define WORDS		8		/* checked in each page */
#define MAX_PAGES	4096

static inline __u64 word_of(__u64 page, __u64 generation, unsigned int word)
{
	return (page << 40 | generation << 8 | word | 1ULL << 63) * 0x9e3779b97f4a7c15ULL;
}

static inline volatile __u64 *word_at(__u64 base, __u64 page, unsigned int word)
{
	return (volatile __u64 *)(uintptr_t)(base + page * PAGE + word * (PAGE / WORDS));
}

/* The launcher's look at @pages that hold @generation */
void check_host(const void *memory, __u64 pages, __u64 generation);

/* ---- guests */

/* The pages that these guests work on */
struct memory_work {
	__u64 gpa;
	__u64 pages;
	bool may_be_zero;	/* the host may throw content away, but never bring old content back */
	volatile bool stop;
	volatile __u64 passes;
	__u32 of_page[MAX_PAGES];	/* what each page holds now, or was seen to hold */
};
extern struct memory_work work;

__u32 guest_read(__u64 gpa);		/* 32 bits */
__u32 guest_write(__u64 gpa);		/* 0x12345678; reads it again */
__u32 guest_fill(__u64 generation);
__u32 guest_verify(__u64 generation);
__u32 guest_sum(__u64 unused);		/* reads one word of each page: their sum modulo 2^32 */

/* In ring 0 of a 64-bit guest, to its end */
__u32 run_guest(struct vcpu *vcpu, __u32 (*guest)(__u64), __u64 argument);

/* ---- the launcher's memory */

/*
 * An address range of our own of MAX_PAGES, aligned to 2 MiB, unmapped at the end of the case: tests map pieces of it
 * as they like
 */
__u8 *reserve(void);
void *map_at(void *address, size_t bytes, int flags, int fd);
void *map_anonymous(void *address, size_t bytes);

/* A VM with @pages of 4 KiB of private anonymous memory at AREA, which the guest has filled */
struct vcpu *vm_filled(__u64 pages, __u8 **memory);

/* The frame of a page of ours, by /proc/self/pagemap; 0: none */
__u64 frame_of(const void *address);
/* How much of a mapping is made of huge pages, in KiB */
long long huge_kib(const void *address);

/* ---- what memory costs */

struct cost {
	__u64 exits;		/* of the guest's own making: without the host's interrupts and NMIs */
	__u64 faults, mapped, exceptions;
	__u64 zaps;		/* leaves that the host took away, of the whole VM: each may cost a fault anew */
};
struct cost cost_of(const struct meters *meters);
struct cost cost_since(const struct meters *meters, const struct cost *before);

/* ---- the host's switches, put back at the end of the case */

bool write_file(const char *path, const char *text);

/* A kernel with little memory switches transparent huge pages off; SKIPs where there are none */
void thp_enable(void);

/*
 * For cases that count faults to the last one: nothing in the host collapses, merges, compacts or samples pages by
 * itself. Comes before the VM is made
 */
void quiet_host_memory(void);

#endif /* TRAPEZE_MEMORY_H */
