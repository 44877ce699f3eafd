// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory while the host's memory management works under it, step by step: a guest sees exactly what the
 * launcher's memory holds while the host unmaps, zeroes, moves, merges, splits, copies and migrates it; and nothing is
 * left when an address space ends.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

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
	struct cost before, cost;
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
	cost = cost_since(&meters, &before);
	CHECK_LE(cost.faults, 3 + cost.zaps);	/* the other large page; code and data of guest_fill() */
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
	CHECK_GE(cost_since(&meters, &before).faults, work.pages);
	check_host(memory, work.pages, 1);

	/* The slot starts and ends inside huge pages: memory outside it must not show */
	vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
	work.gpa = AREA + PAGE;
	work.pages = 2 * LARGE / PAGE - 2;
	vm_set_slot(vcpu->vm, SLOT_TEST, work.gpa, work.pages * PAGE, memory + PAGE, 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	check_host(memory + PAGE, work.pages, 2);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA + 2 * LARGE - PAGE);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
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

#define HUGEPAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB/"

static void no_hugepages(void *arg)
{
	(void)arg;
	write_file(HUGEPAGES "nr_hugepages", "0");
}

static void hugetlb(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	__u8 *memory = reserve(), *second;
	struct cost before, cost;

	if (fd < 0)
		SKIP("no hugetlbfs: %s", strerror(errno));
	ktap_defer(no_hugepages, NULL);
	write_file(HUGEPAGES "nr_hugepages", "4");
	if (read_number(HUGEPAGES "free_hugepages") < 4) {
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
	cost = cost_since(&meters, &before);
	CHECK_LE(cost.faults, 5 + cost.zaps);
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
	struct vcpu *vcpu;
	__u8 *memory;
	__u64 zaps;

	quiet_host_memory();
	vcpu = vm_filled(32, &memory);
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

static bool share_a_frame(const __u8 *memory, int pages)
{
	const __u64 frame = frame_of(memory);

	for (int page = 1; page < pages; page++)
		if (frame_of(memory + page * PAGE) != frame)
			return false;
	return frame;
}

/* Pages with equal content are merged under the guest, and part again at its first write */
static void merged(void)
{
	const int pages = 64;
	struct vcpu *vcpu = vm_with_vcpu();
	__u8 *memory = map_anonymous(reserve(), pages * PAGE);

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
	while (!share_a_frame(memory, pages))	/* or the case's time is over */
		usleep(10000);
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
	while (!meters.vm->dead)	/* or the case's time is over */
		usleep(10000);
	close(sockets[0]);
	close(sockets[1]);
}

static const struct ktap_case cases[] = {
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
};

KTAP_MAIN(cases)
