// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory where the host has to write it out: swap under a memory control group's limit (zram), a shared file on a
 * real file system (ext4 on a RAM disk) over sync and drop_caches; and what the guest's page tables are charged to.
 *
 * A page that only the guest has written, through the nested page table, must never be taken for clean.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP		"/sys/fs/cgroup/trapeze-memory"
#define MOUNT_POINT	"/tmp/trapeze-ext4"

/* ------------------------------------------------------------------ guests */

static volatile __u64 rewritten;	/* the last generation that guest_rewrite() has finished */

/* One generation after the other, until told to stop: always whole ones */
static GUEST __u32 guest_rewrite(__u64 generation)
{
	asm volatile("sti");
	while (!work.stop) {
		guest_verify(generation);
		guest_fill(++generation);
		rewritten = generation;
	}
	return 1;
}

/* ------------------------------------------------------------------ the host's side */

static bool command(const char *line)
{
	int status = system(line);

	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* A value of the group's memory.stat */
static long long group_stat(const char *name)
{
	FILE *f = fopen(GROUP "/memory.stat", "r");
	long long value = -1, v;
	char key[64];

	CHECK(f);
	while (fscanf(f, "%63s %lld", key, &v) == 2)
		if (!strcmp(key, name))
			value = v;
	fclose(f);
	return value;
}

static void group_remove(void *unused)
{
	(void)unused;
	for (int wait = 0; wait < 100 && rmdir(GROUP) && errno == EBUSY; wait++)
		usleep(10000);
}

static void group_create(const char *max)
{
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		SKIP("no control groups: %s", strerror(errno));
	ktap_defer(group_remove, NULL);
	if (!write_file(GROUP "/memory.max", max))
		SKIP("no memory control group: %s", strerror(errno));
}

/* The calling process, a child of the test, enters */
static void group_enter(void)
{
	CHECK(write_file(GROUP "/cgroup.procs", "0"));
}

/* ------------------------------------------------------------------ swap */

static void swap_remove(void *unused)
{
	(void)unused;
	swapoff("/dev/zram0");
	write_file("/sys/block/zram0/reset", "1");
}

static void swap_create(void)
{
	command("modprobe lzo-rle 2>/dev/null");	/* zram's compressor, where the kernel cannot load it itself */
	if (access("/sys/block/zram0", F_OK) && !command("modprobe zram"))
		SKIP("no zram module");
	if (!write_file("/sys/block/zram0/disksize", "128M") || !command("mkswap /dev/zram0 >/dev/null 2>&1"))
		SKIP("zram0 cannot be made a swap device");
	ktap_defer(swap_remove, NULL);
	CHECK_SYS(swapon("/dev/zram0", 0));
}

struct swap_case {
	__u64 bytes;
	int advice;
	bool shared;
};

static void swapping_child(void *arg)
{
	const struct swap_case *c = arg;
	struct vcpu *vcpu;
	__u8 *memory;

	group_enter();
	vcpu = vm_with_vcpu();
	memory = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE,
		      (c->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_SYS(madvise(memory, c->bytes, c->advice));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, c->bytes, memory, 0);
	work.gpa = AREA;
	work.pages = c->bytes / PAGE;
	for (__u64 generation = 1; generation <= 2; generation++) {
		CHECK_EQ(run_guest(vcpu, guest_fill, generation), 1);
		CHECK_EQ(run_guest(vcpu, guest_verify, generation), 1);
	}
	CHECK_GT(read_number(GROUP "/memory.swap.current"), 0);
	CHECK_GT(group_stat("pgsteal"), (long long)(work.pages / 2));
	check_host(memory, work.pages, 2);
	/* The guest reads what swap brings back, the launcher writes, the guest sees it, and again */
	for (__u64 page = 0; page < work.pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			*word_at((uintptr_t)memory, page, i) = word_of(page, 3, i);
	CHECK_EQ(run_guest(vcpu, guest_verify, 3), 1);
}

static void swapping(struct swap_case c)
{
	ktap_timeout(240);
	swap_create();
	group_create("6M");
	CHECK_EQ(ktap_fork(swapping_child, &c), 0);
	ktap_diag("%lld pages stolen from the group", group_stat("pgsteal"));
}

static void swap_small(void)
{
	swapping((struct swap_case){ 10 << 20, MADV_NOHUGEPAGE, false });
}

static void swap_huge(void)
{
	thp_enable();
	swapping((struct swap_case){ 10 << 20, MADV_HUGEPAGE, false });
}

static void swap_shared(void)
{
	swapping((struct swap_case){ 10 << 20, MADV_NORMAL, true });
}

/* MADV_PAGEOUT spares a page that was in use since the host last looked; since Linux 6.9 it does not look */
static bool pageout_looks(void)
{
	struct utsname name;
	int major, minor;

	CHECK_SYS(uname(&name));
	CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major < 6 || (major == 6 && minor < 9);
}

/* Pages are driven out again and again while the guest works on them */
static void pageout_child(void *arg)
{
	const __u64 bytes = 1 << 20;
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 zaps = 0;
	int tries;

	(void)arg;
	CHECK(memory != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	work.gpa = AREA;
	work.pages = bytes / PAGE;
	for (__u64 generation = 1; generation <= 6; generation++) {
		CHECK_EQ(run_guest(vcpu, guest_fill, generation), 1);
		/* Where the host looks, it learns of the guest's use from us: a second look finds the pages idle */
		for (tries = 0; tries < 4 && meters.vm->notifier_zaps < zaps + work.pages / 2; tries++)
			CHECK_SYS(madvise(memory, bytes, MADV_PAGEOUT));
		CHECK_GE(meters.vm->notifier_zaps, zaps + work.pages / 2);
		if (pageout_looks())
			CHECK_GT(tries, 1);
		zaps = meters.vm->notifier_zaps;
		if (generation & 1)
			CHECK_EQ(run_guest(vcpu, guest_verify, generation), 1);
		else
			check_host(memory, work.pages, generation);
	}
}

static void pageout(void)
{
	swap_create();
	CHECK_EQ(ktap_fork(pageout_child, NULL), 0);
}

/* MADV_FREE: the host may drop the content, until the guest writes anew: that must stay, whatever pressure comes */
static void free_child(void *arg)
{
	const __u64 bytes = 8 << 20;
	__u8 *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vcpu *vcpu;

	(void)arg;
	group_enter();
	vcpu = vm_with_vcpu();
	CHECK(memory != MAP_FAILED);
	CHECK_SYS(madvise(memory, bytes, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	work.gpa = AREA;
	work.pages = bytes / PAGE;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	CHECK_SYS(madvise(memory, bytes, MADV_FREE));
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	CHECK_SYS(madvise(memory, bytes, MADV_PAGEOUT));
	CHECK(write_file(GROUP "/memory.reclaim", "8M") || errno == EAGAIN);
	CHECK_EQ(run_guest(vcpu, guest_verify, 2), 1);
	check_host(memory, work.pages, 2);
}

static void lazily_freed(void)
{
	swap_create();
	group_create("64M");
	CHECK_EQ(ktap_fork(free_child, NULL), 0);
}

/* ------------------------------------------------------------------ a shared file */

static void file_system_remove(void *unused)
{
	(void)unused;
	for (int wait = 0; wait < 100 && umount(MOUNT_POINT) && errno == EBUSY; wait++)
		usleep(10000);
	rmdir(MOUNT_POINT);
}

static void file_system_create(void)
{
	if (access("/dev/ram0", F_OK) && !command("modprobe brd rd_nr=1 rd_size=32768"))
		SKIP("no RAM disk module (brd)");
	if (!command("mkfs.ext4 -q -F /dev/ram0 2>/dev/null"))
		SKIP("no mkfs.ext4");
	mkdir(MOUNT_POINT, 0755);
	if (mount("/dev/ram0", MOUNT_POINT, "ext4", 0, NULL)) {
		rmdir(MOUNT_POINT);
		SKIP("mount: %s", strerror(errno));
	}
	ktap_defer(file_system_remove, NULL);
}

static int file_create(void)
{
	int fd = CHECK_SYS(open(MOUNT_POINT "/memory", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	CHECK_SYS(ftruncate(fd, work.pages * PAGE));
	return fd;
}

/* What is on the disk: the page cache is dropped first. Nobody may have the file mapped */
static void check_disk(int fd, __u64 generation)
{
	__u8 *copy = malloc(work.pages * PAGE);

	sync();
	CHECK(write_file("/proc/sys/vm/drop_caches", "3"));
	CHECK_EQ(pread(fd, copy, work.pages * PAGE, 0), (ssize_t)(work.pages * PAGE));
	check_host(copy, work.pages, generation);
	free(copy);
}

static void shared_file(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u8 *memory;
	int fd;

	file_system_create();
	work.gpa = AREA;
	work.pages = 512;
	fd = file_create();
	memory = mmap(NULL, work.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, work.pages * PAGE, memory, 0);
	for (__u64 generation = 1; generation <= 4; generation++) {
		/* After a sync the pages are clean: only a fault can tell the file system that they are written again */
		CHECK_EQ(run_guest(vcpu, guest_fill, generation), 1);
		if (generation != 4)
			CHECK_SYS(generation == 2 ? fsync(fd) : msync(memory, work.pages * PAGE, MS_SYNC));
	}
	CHECK_SYS(munmap(memory, work.pages * PAGE));
	check_disk(fd, 4);

	/* Written, cleaned, then only read through the nested page table: no harm; then written once more */
	memory = mmap(NULL, work.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, work.pages * PAGE, memory, 0);
	CHECK_EQ(run_guest(vcpu, guest_verify, 4), 1);
	CHECK_EQ(run_guest(vcpu, guest_fill, 5), 1);
	CHECK_SYS(fsync(fd));
	CHECK_EQ(run_guest(vcpu, guest_verify, 5), 1);
	CHECK_EQ(run_guest(vcpu, guest_fill, 6), 1);
	CHECK_SYS(munmap(memory, work.pages * PAGE));
	check_disk(fd, 6);
	close(fd);
}

static void *sync_thread(void *arg)
{
	for (int i = 0; i < 100; i++) {
		CHECK_SYS(fsync((intptr_t)arg));
		sched_yield();
	}
	work.stop = true;
	return NULL;
}

/* The disk is written while the guest goes on writing */
static void shared_file_under_load(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	pthread_t thread;
	__u8 *memory;
	int fd;

	file_system_create();
	work.gpa = AREA;
	work.pages = 64;
	work.stop = false;
	fd = file_create();
	memory = mmap(NULL, work.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, work.pages * PAGE, memory, 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 0), 1);
	CHECK_EQ(pthread_create(&thread, NULL, sync_thread, (void *)(intptr_t)fd), 0);
	CHECK_EQ(run_guest(vcpu, guest_rewrite, 0), 1);
	pthread_join(thread, NULL);
	ktap_diag("%llu generations written", rewritten);
	check_host(memory, work.pages, rewritten);
	CHECK_SYS(munmap(memory, work.pages * PAGE));
	check_disk(fd, rewritten);
	close(fd);
}

/* ------------------------------------------------------------------ what it is charged to */

static GUEST __u32 guest_touch(__u64 step)
{
	for (__u64 at = 0; at < work.pages * PAGE; at += step)
		(void)*(volatile __u8 *)(AREA + at);
	return 1;
}

static void charged_child(void *arg)
{
	const __u64 bytes = 256UL << 20;
	struct meters meters;
	struct vcpu *vcpu;
	__u8 *memory;

	(void)arg;
	group_enter();
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_SYS(madvise(memory, bytes, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	work.gpa = AREA;
	work.pages = bytes / PAGE;
	CHECK_EQ(run_guest(vcpu, guest_touch, 2 << 20), 1);
	CHECK_GE(meters.vm->table_pages, 128);
	CHECK_EQ(group_stat("sec_pagetables"), (long long)(meters.vm->table_pages * PAGE));
	CHECK_SYS(munmap(memory, bytes));
	CHECK_EQ(group_stat("sec_pagetables"), (long long)(meters.vm->table_pages * PAGE));
	CHECK_LT(meters.vm->table_pages, 32);
	vm_close(vcpu->vm);
	CHECK_EQ(group_stat("sec_pagetables"), 0);
}

static void charged(void)
{
	group_create("max");
	if (group_stat("sec_pagetables") < 0)
		SKIP("this kernel does not tell secondary page tables apart");
	CHECK_EQ(ktap_fork(charged_child, NULL), 0);
	CHECK_EQ(group_stat("sec_pagetables"), 0);
}

/* The group's limit is reached in the middle of a guest's fault */
static void limited_child(void *arg)
{
	const __u64 bytes = 448UL << 20;
	struct vcpu *vcpu;
	__u8 *memory;

	(void)arg;
	group_enter();
	vcpu = vm_with_vcpu();
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	work.gpa = AREA;
	work.pages = bytes / PAGE;
	run_guest(vcpu, guest_fill, 1);
	FAIL("the group's limit let 448 MiB through");
}

static void limited(void)
{
	int status;

	group_create("8M");
	write_file(GROUP "/memory.swap.max", "0");
	status = ktap_fork(limited_child, NULL);
	CHECK_THAT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
	CHECK_EQ(vms_alive(), 0);
}

static const struct ktap_case cases[] = {
	{ "page tables are charged to the launcher's group, and given back", charged },
	{ "a file on ext4, cleaned and written again", shared_file },
	{ "a file on ext4, synced while the guest writes", shared_file_under_load },
	{ "MADV_PAGEOUT between the guest's writes", pageout },
	{ "MADV_FREE, then written by the guest", lazily_freed },
	{ "swap under a group's limit: small pages", swap_small },
	{ "swap under a group's limit: huge pages", swap_huge },
	{ "swap under a group's limit: shared memory", swap_shared },
	{ "the OOM killer of a group ends a launcher", limited },
};

KTAP_MAIN(cases)
