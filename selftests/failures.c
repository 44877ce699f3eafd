// SPDX-License-Identifier: GPL-2.0
/*
 * The host runs out of memory, at each point where the module asks for some: the first allocation of a call fails, then
 * the second alone, and so on until the call passes with nothing failed. Each such call passes all the same or fails with
 * ENOMEM, leaves no memory behind, and the next one passes.
 *
 * The kernel's fault injection fails them (failslab, fail_page_alloc; /proc/thread-self/fail-nth), so this is for the
 * debug kernel. What leaks from the slabs, its kmemleak tells at the end of the boot (lab/init); whole pages, which
 * kmemleak does not follow, are counted here, in a memory control group. `lab.py selfcheck --machine svm-debug` shows
 * that both find a leak.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug"
#define GROUP		"/sys/fs/cgroup/trapeze-failures"
#define FAR_GPA		(64UL << 30)		/* whose nested page table has nothing in common with the rest's */
#define FAR_BYTES	(2 * PAGE)
#define AGAIN		8			/* times that a failing call is made, for its leak to stand out */
#define MOST		20000			/* allocations of one call */

/* ------------------------------------------------------------------ failing the nth allocation of this thread */

static int fail_nth = -1;

static void write_or_skip(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, value, strlen(value));

	if (fd >= 0)
		close(fd);
	if (written < 0)
		SKIP("%s: %s (a kernel with CONFIG_FAULT_INJECTION has it)", path, strerror(errno));
}

/* Every kind of allocation, also those that could wait for memory; nothing said in the log of each */
static void injection_start(void)
{
	if (fail_nth < 0)
		fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		SKIP("/proc/thread-self/fail-nth: %s (a kernel with CONFIG_FAULT_INJECTION has it)", strerror(errno));
	write_or_skip(DEBUGFS "/failslab/ignore-gfp-wait", "N");
	write_or_skip(DEBUGFS "/failslab/verbose", "0");
	write_or_skip(DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N");
	write_or_skip(DEBUGFS "/fail_page_alloc/ignore-gfp-highmem", "N");
	write_or_skip(DEBUGFS "/fail_page_alloc/min-order", "0");
	write_or_skip(DEBUGFS "/fail_page_alloc/verbose", "0");
}

static void arm(unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	CHECK_SYS(pwrite(fail_nth, text, strlen(text), 0));
}

/* How many allocations were still to come before the one that fails; 0: it has failed */
static unsigned int disarm(void)
{
	char text[16] = "";

	CHECK_SYS(pread(fail_nth, text, sizeof(text) - 1, 0));
	CHECK_SYS(pwrite(fail_nth, "0", 1, 0));
	return atoi(text);
}

/* ------------------------------------------------------------------ pages that the module holds */

static void group_leave(void *unused)
{
	int fd = open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);

	(void)unused;
	if (fd >= 0 && write(fd, "0", 1) == 1)
		rmdir(GROUP);
	close(fd);
}

static void group_enter(void)
{
	write_or_skip("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0700) && errno != EEXIST)
		SKIP("no memory control group: %s", strerror(errno));
	ktap_defer(group_leave, NULL);
	write_or_skip(GROUP "/cgroup.procs", "0");
}

/*
 * Bytes of kernel memory charged to this test. The kernel gathers what its CPUs have counted only after hundreds of pages,
 * or every two seconds: a figure read at once may be as old as that.
 */
#define GATHERED_IN	2500000		/* microseconds */

static long long charged(void)
{
	long long bytes = -1;
	char line[128];
	FILE *file;

	usleep(GATHERED_IN);
	file = fopen(GROUP "/memory.stat", "re");
	CHECK(file);
	while (bytes < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "kernel %lld", &bytes);
	fclose(file);
	CHECK_GE(bytes, 0);
	return bytes;
}

/* ------------------------------------------------------------------ one call, failed at each of its allocations */

struct call {
	void (*before)(void);
	int (*make)(void);		/* the system call: its value, errno */
	void (*undo)(int ret);		/* after a call that passed */
	unsigned int first;		/* the first allocation worth failing */
};

static int make(const struct call *call, unsigned int nth, bool *injected)
{
	int ret, error;

	if (call->before)
		call->before();
	arm(nth);
	ret = call->make();
	error = errno;
	*injected = !disarm();
	errno = error;
	return ret;
}

static void make_it_pass(const struct call *call)
{
	int ret;

	if (call->before)
		call->before();
	ret = CHECK_SYS(call->make());
	call->undo(ret);
}

/* Files, VMs and mappings that hold the module */
static long long references(void)
{
	return read_number("/sys/module/trapeze/refcnt");
}

/* The nth allocation fails. Return: whether there was an nth; @failed: and the call failed with it */
static bool try_nth(const struct call *call, unsigned int nth, bool *failed)
{
	long long held = references();
	bool injected;
	int ret;

	*failed = false;
	for (int i = 0; i < AGAIN; i++) {
		ret = make(call, nth, &injected);
		*failed |= ret < 0;
		if (ret < 0) {
			CHECK_THAT(injected, "nothing was made to fail, yet: %s", strerror(errno));
			CHECK_THAT(errno == ENOMEM, "allocation %u failed: %s", nth, strerror(errno));
		} else {
			call->undo(ret);
			if (!injected || i > 1)
				return injected;	/* it has a way around that allocation: one look is enough */
		}
	}
	CHECK_THAT(references() == held, "allocation %u failed, and the module is held %lld times more", nth,
		   references() - held);
	return true;
}

#define LEAK	(AGAIN * (long long)PAGE)	/* of one page by each call that failed at one allocation */

/* Something between @first and @last leaks: each alone, with the time that its figure needs */
static void find_leak(const struct call *call, unsigned int first, unsigned int last)
{
	long long before, grown;
	bool failed;

	ktap_timeout(1500);
	for (unsigned int nth = first; nth < last; nth++) {
		before = charged();
		try_nth(call, nth, &failed);
		grown = charged() - before;
		CHECK_THAT(grown < LEAK, "allocation %u failed %d times, and %lld bytes are held", nth, AGAIN, grown);
	}
}

static void fail_each(const struct call *call, bool must_fail)
{
	const unsigned int first = call->first ?: 1;
	unsigned int nth = first, injected = 0, failures = 0;
	long long before, grown;
	bool failed;

	make_it_pass(call);
	before = charged();
	for (; try_nth(call, nth, &failed); nth++) {
		injected++;
		failures += failed;
		make_it_pass(call);
		CHECK_LT(nth, MOST);
	}
	grown = charged() - before;
	ktap_diag("%u allocations failed one by one: %u times ENOMEM; %lld bytes more are held", injected, failures, grown);
	if (grown >= LEAK)
		find_leak(call, first, nth);
	CHECK_THAT(grown < LEAK, "%lld bytes are held, of no one allocation", grown);
	CHECK_THAT(failures || !must_fail, "no call failed: was anything injected?");
}

/* ------------------------------------------------------------------ the device */

static int device;
static struct vm *vm;
static struct vcpu *vcpu;

static void start(void)
{
	injection_start();
	group_enter();
	device = device_open();
	vm = vm_create(.devices = TPZ_DEVICES_PC);
	vcpu = vcpu_create(vm, 0);
}

static void close_file(int fd)
{
	CHECK_SYS(close(fd));
}

static int open_device(void)
{
	return open(DEVICE, O_RDWR | O_CLOEXEC);
}

static void opening_the_device(void)
{
	start();
	fail_each(&(struct call){ .make = open_device, .undo = close_file }, true);
}

static int create_vm(void)
{
	struct tpz_create_vm create = { .size = sizeof(create), .devices = TPZ_DEVICES_PC };

	return ioctl(device, TPZ_CREATE_VM, &create);
}

static void creating_a_vm(void)
{
	start();
	fail_each(&(struct call){ .make = create_vm, .undo = close_file }, true);
}

static int vm_fd;

static void new_vm(void)
{
	if (vm_fd > 0)
		close(vm_fd);
	vm_fd = CHECK_SYS(create_vm());
}

static int create_vcpu(void)
{
	struct tpz_create_vcpu create = { .size = sizeof(create) };

	return ioctl(vm_fd, TPZ_CREATE_VCPU, &create);
}

static void close_vm(void *unused)
{
	(void)unused;
	if (vm_fd > 0)
		close(vm_fd);
	vm_fd = -1;
}

static void creating_a_vcpu(void)
{
	start();
	ktap_defer(close_vm, NULL);
	fail_each(&(struct call){ .before = new_vm, .make = create_vcpu, .undo = close_file }, true);
}

static int open_meters(void)
{
	struct tpz_open_meters open = { .size = sizeof(open), .id = vm->id };

	return ioctl(device, TPZ_OPEN_METERS, &open);
}

static void opening_meters(void)
{
	start();
	fail_each(&(struct call){ .make = open_meters, .undo = close_file }, true);
}

static int list_vms(void)
{
	struct tpz_vm_entry entries[4];
	struct tpz_list_vms list = {
		.size = sizeof(list), .entries = (uintptr_t)entries, .capacity = 4, .entry_bytes = sizeof(entries[0]),
	};

	return ioctl(device, TPZ_LIST_VMS, &list);
}

static void nothing(int ret)
{
	(void)ret;
}

static int get_info(void)
{
	struct tpz_info info = { .size = sizeof(info) };

	return ioctl(device, TPZ_GET_INFO, &info);
}

static int get_feature(void)
{
	struct tpz_feature feature = { .size = sizeof(feature) };

	return ioctl(device, TPZ_GET_FEATURE, &feature);
}

static void asking_the_device(void)
{
	start();
	fail_each(&(struct call){ .make = list_vms, .undo = nothing }, false);
	fail_each(&(struct call){ .make = get_info, .undo = nothing }, false);
	fail_each(&(struct call){ .make = get_feature, .undo = nothing }, false);
}

/* ------------------------------------------------------------------ a VM */

static void *far;		/* launcher memory that nobody has touched */

static void far_free(void *unused)
{
	(void)unused;
	if (far)
		munmap(far, FAR_BYTES);
	far = NULL;
}

static int set_far_slot(__u64 bytes)
{
	struct tpz_slot slot = {
		.size = sizeof(slot), .slot = SLOT_TEST, .gpa = FAR_GPA, .bytes = bytes, .uaddr = (uintptr_t)far,
	};

	return ioctl(vm->fd, TPZ_SET_SLOT, &slot);
}

static void untouched_memory(void)
{
	set_far_slot(0);
	far_free(NULL);
	far = mmap(NULL, FAR_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(far != MAP_FAILED);
}

static int add_slot(void)
{
	return set_far_slot(FAR_BYTES);
}

static int remove_slot(void)
{
	return set_far_slot(0);
}

static void slot_there(void)
{
	untouched_memory();
	CHECK_SYS(add_slot());
}

static void setting_slots(void)
{
	start();
	ktap_defer(far_free, NULL);
	fail_each(&(struct call){ .before = untouched_memory, .make = add_slot, .undo = nothing }, true);
	fail_each(&(struct call){ .before = slot_there, .make = remove_slot, .undo = nothing }, false);
}

static int raise_line(void)
{
	struct tpz_irq_line line = { .size = sizeof(line), .line = 3, .level = 1 };

	return ioctl(vm->fd, TPZ_IRQ_LINE, &line);
}

static void driving_a_line(void)
{
	start();
	fail_each(&(struct call){ .make = raise_line, .undo = nothing }, false);
}

/* ------------------------------------------------------------------ a vCPU */

static void *run_page;

static int map_run_page(void)
{
	run_page = mmap(NULL, TPZ_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	return run_page == MAP_FAILED ? -1 : 0;
}

static void unmap_run_page(int ret)
{
	(void)ret;
	CHECK_SYS(munmap(run_page, TPZ_RUN_BYTES));
}

static void mapping_the_run_page(void)
{
	start();
	fail_each(&(struct call){ .make = map_run_page, .undo = unmap_run_page }, true);
}

static __u32 fpu_bytes;

static int read_and_set_state(void)
{
	static __u8 fpu[16 << 10];
	struct tpz_state state = { .size = sizeof(state), .groups = TPZ_STATE_REGS | TPZ_STATE_FPU };

	state.fpu = (uintptr_t)fpu;
	state.fpu_bytes = fpu_bytes;
	if (ioctl(vcpu->fd, TPZ_GET_STATE, &state))
		return -1;
	state.size = sizeof(state);
	return ioctl(vcpu->fd, TPZ_SET_STATE, &state);
}

static int get_cpuid(void)
{
	static struct tpz_cpuid_entry entries[256];
	struct tpz_cpuid cpuid = {
		.size = sizeof(cpuid), .entries = (uintptr_t)entries, .capacity = 256, .entry_bytes = sizeof(entries[0]),
	};

	return ioctl(vcpu->fd, TPZ_GET_CPUID, &cpuid);
}

static void reading_and_setting_state(void)
{
	start();
	fpu_bytes = device_info().xsave_bytes;
	fail_each(&(struct call){ .make = read_and_set_state, .undo = nothing }, true);
	fail_each(&(struct call){ .make = get_cpuid, .undo = nothing }, false);
}

/* ------------------------------------------------------------------ a run */

static GUEST __u32 touch(__u64 value)
{
	volatile __u64 *place = (volatile __u64 *)(GUEST_FREE + PAGE);	/* mapped to FAR_GPA */

	place[0] = value;
	return place[0] + place[PAGE / sizeof(*place)];
}

#define PRESENT_WRITABLE	3

/* The guest's next run touches two pages that neither the launcher nor the nested page table has yet */
static void about_to_touch(void)
{
	slot_there();
	for (int i = 0; i < 2; i++)
		*vm_pte(vm, GUEST_FREE + (i + 1) * PAGE) = (FAR_GPA + i * PAGE) | PRESENT_WRITABLE;
	vcpu_start(vcpu, MODE_LONG, RING0, touch, 1234);
}

static int run(void)
{
	vcpu->run->reason = TPZ_EXIT_UNKNOWN;
	if (!ioctl(vcpu->fd, TPZ_RUN, 0))
		return 0;
	if (errno == ENOMEM && vcpu->run->reason != TPZ_EXIT_INTERRUPTED)
		errno = EPROTO;			/* told apart by the caller's check */
	return -1;
}

/* The run that passed, or one that goes on where a failed one stood */
static void touched(int ret)
{
	(void)ret;
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, PORT_DONE);
	CHECK_EQ(*(volatile __u32 *)vcpu->data, 1234);
	CHECK_EQ(*(volatile __u64 *)far, 1234);
}

/* What failed is made good by the very next run of the same VM: nothing is lost */
static int run_and_go_on(void)
{
	int ret = run();

	if (ret < 0 && errno == ENOMEM) {
		CHECK_EQ(disarm(), 0);
		CHECK_SYS(run());
		touched(0);
		errno = ENOMEM;
	}
	return ret;
}

static void touching_memory(void)
{
	start();
	ktap_defer(far_free, NULL);
	fail_each(&(struct call){ .before = about_to_touch, .make = run_and_go_on, .undo = touched }, true);
}

/* ------------------------------------------------------------------ the module */

static void reload(void *unused)
{
	(void)unused;
	if (!module_loaded())
		CHECK_SYS(module_load(""));
}

/* Allocations of a load that the module itself refuses: the kernel's own, before and after */
static unsigned int allocations_of_refused_load(void)
{
	arm(MOST);
	CHECK_ERR(module_load("enable=nonsense"), EINVAL);
	return MOST - disarm();
}

static void loading_the_module(void)
{
	const unsigned int margin = 8;
	unsigned int first, nth, failures = 0;
	bool injected = true;
	int ret, error;

	ktap_timeout(1500);
	injection_start();
	CHECK_SYS(module_unload());
	ktap_defer(reload, NULL);
	first = allocations_of_refused_load();
	ktap_diag("the kernel's loader allocates %u times around it", first);
	for (nth = first > margin ? first - margin : 1; injected; nth++) {
		CHECK_LT(nth, MOST);
		arm(nth);
		ret = module_load("");
		error = errno;
		injected = !disarm();
		if (!ret) {
			CHECK_SYS(module_unload());
			continue;
		}
		CHECK(injected);
		CHECK_THAT(error == ENOMEM, "allocation %u failed: %s", nth, strerror(error));
		CHECK(!module_loaded());
		failures++;
	}
	ktap_diag("allocations up to %u failed one by one: %u times ENOMEM", nth - 1, failures);
	CHECK_GT(failures, 0);
	CHECK_SYS(module_load(""));
	vm_with_vcpu();
}

static const struct ktap_case cases[] = {
	{ "opening the device", opening_the_device },
	{ "creating a VM", creating_a_vm },
	{ "creating a vCPU", creating_a_vcpu },
	{ "opening meters", opening_meters },
	{ "asking the device", asking_the_device },
	{ "setting slots", setting_slots },
	{ "driving a line", driving_a_line },
	{ "mapping the run page", mapping_the_run_page },
	{ "reading and setting state", reading_and_setting_state },
	{ "a run that touches memory", touching_memory },
	{ "loading the module", loading_the_module },
};
KTAP_MAIN(cases)
