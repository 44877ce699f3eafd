// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void check_host(const void *memory, __u64 pages, __u64 generation)
{
	for (__u64 page = 0; page < pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			CHECK_THAT(*word_at((uintptr_t)memory, page, i) == word_of(page, generation, i),
				   "page %llu, word %u: %#llx", page, i, *word_at((uintptr_t)memory, page, i));
}

/* ------------------------------------------------------------------ guests */

#ifdef __x86_64__

struct memory_work work;

GUEST __u32 guest_read(__u64 gpa)
{
	return *(volatile __u32 *)gpa;
}

GUEST __u32 guest_write(__u64 gpa)
{
	*(volatile __u32 *)gpa = 0x12345678;
	return *(volatile __u32 *)gpa;
}

GUEST __u32 guest_fill(__u64 generation)
{
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			*word_at(work.gpa, page, i) = word_of(page, generation, i);
	return 1;
}

GUEST __u32 guest_verify(__u64 generation)
{
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			GUEST_CHECK_EQ(*word_at(work.gpa, page, i), word_of(page, generation, i));
	return 1;
}

GUEST __u32 guest_sum(__u64 unused)
{
	__u64 sum = unused & 0;

	for (__u64 page = 0; page < work.pages; page++)
		sum += *word_at(work.gpa, page, 0);
	return sum;
}

__u32 run_guest(struct vcpu *vcpu, __u32 (*guest)(__u64), __u64 argument)
{
	vcpu_start(vcpu, MODE_LONG, RING0, guest, argument);
	return vcpu_finish(vcpu);
}

/* ------------------------------------------------------------------ the launcher's memory */

static void unmap_area(void *address)
{
	munmap(address, MAX_PAGES * PAGE);
}

__u8 *reserve(void)
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

void *map_at(void *address, size_t bytes, int flags, int fd)
{
	void *memory = mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);

	if (memory == MAP_FAILED)
		FAIL("mmap of %zu bytes: %s", bytes, strerror(errno));
	return memory;
}

void *map_anonymous(void *address, size_t bytes)
{
	return map_at(address, bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

struct vcpu *vm_filled(__u64 pages, __u8 **memory)
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

#endif /* __x86_64__ */

__u64 frame_of(const void *address)
{
	__u64 entry = 0;
	int fd = CHECK_SYS(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(pread(fd, &entry, 8, (uintptr_t)address / PAGE * 8), 8);
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

long long huge_kib(const void *address)
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

/* ------------------------------------------------------------------ what memory costs */

struct cost cost_of(const struct meters *meters)
{
	struct tpz_vcpu_meters m = meters_read(meters, 0);

	return (struct cost){ meters_own_exits(&m), m.reason[TPZ_EXIT_NPF].count, m.npf_mapped,
			      m.reason[TPZ_EXIT_EXCEPTION].count, meters->vm->notifier_zaps };
}

struct cost cost_since(const struct meters *meters, const struct cost *before)
{
	struct cost c = cost_of(meters);

	return (struct cost){ c.exits - before->exits, c.faults - before->faults, c.mapped - before->mapped,
			      c.exceptions - before->exceptions, c.zaps - before->zaps };
}

/* ------------------------------------------------------------------ the host's switches */

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* One word of /sys or /proc, and what it was */
struct host_switch {
	const char *path;
	char was[32];
};

static void switch_back(void *arg)
{
	struct host_switch *s = arg;

	write_file(s->path, s->was);
	free(s);
}

/* Return: false if there is no such switch. The word in force may stand in brackets among others */
static bool switch_to(const char *path, const char *value)
{
	struct host_switch *s;
	char text[64], *was;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	was = fgets(text, sizeof(text), f);
	fclose(f);
	CHECK(was);
	if (strchr(text, '['))
		was = strchr(text, '[') + 1;
	was[strcspn(was, "]\n")] = 0;
	if (!strcmp(was, value))
		return true;
	s = calloc(1, sizeof(*s));
	CHECK(s);
	s->path = path;
	snprintf(s->was, sizeof(s->was), "%s", was);
	ktap_defer(switch_back, s);
	if (!write_file(path, value))
		FAIL("%s: cannot write \"%s\": %s", path, value, strerror(errno));
	return true;
}

#define THP_ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

void thp_enable(void)
{
	if (!switch_to(THP_ENABLED, "always"))
		SKIP("no transparent huge pages in this kernel");
}

void quiet_host_memory(void)
{
	switch_to(THP_ENABLED, "never");
	switch_to("/sys/kernel/mm/ksm/run", "0");
	switch_to("/proc/sys/vm/compaction_proactiveness", "0");
	switch_to("/proc/sys/kernel/numa_balancing", "0");
}
