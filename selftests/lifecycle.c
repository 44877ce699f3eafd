// SPDX-License-Identifier: GPL-2.0
/*
 * The module's comings and goings: load and unload again and again, refused while anything uses it; its parameters;
 * CPUs that leave and come back under running guests; launchers killed at any moment. Nothing is left behind.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static GUEST __u32 square(__u64 n)
{
	return n * n;
}

static void run_a_guest(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, square, 12);
	CHECK_EQ(vcpu_finish(vcpu), 144);
	vm_close(vcpu->vm);
}

static long long references(void)
{
	return read_number("/sys/module/trapeze/refcnt");
}

/* ------------------------------------------------------------------ load and unload */

static void loads_and_unloads_20_times(void)
{
	static const char *const parameters[] = { "", "enable=load", "enable=first-vm", "test=1" };

	ktap_timeout(400);	/* a load costs seconds of an emulated machine's time */
	module_reload("");
	for (int i = 0; i < 20; i++) {
		CHECK_SYS(module_unload());
		CHECK(!module_loaded());
		CHECK_ERR(open(DEVICE, O_RDWR), ENOENT);
		CHECK_SYS(module_load(parameters[i % ARRAY_SIZE(parameters)]));
		CHECK(module_loaded());
		CHECK_EQ(device_info().vms, 0);
		run_a_guest();
		CHECK_EQ(references(), 0);
	}
}

static void loading_twice_is_refused(void)
{
	CHECK_ERR(module_load(""), EEXIST);
}

static void bad_parameters_are_refused(void)
{
	static const char *const bad[] = { "enable=nonsense", "enable=", "test=maybe" };

	module_reload("");
	CHECK_SYS(module_unload());
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_THAT(module_load(bad[i]) == -1 && errno == EINVAL, "\"%s\"", bad[i]);
		CHECK(!module_loaded());
	}
	CHECK_SYS(module_load(""));
	run_a_guest();
}

/* Whatever file is left holds the module, and the last to go lets it go */
static void unloading_is_refused_while_in_use(void)
{
	struct vcpu *vcpu;
	struct meters meters;
	void *run_page;
	int device;

	module_reload("");
	device = open(DEVICE, O_RDWR);
	CHECK_ERR(module_unload(), EAGAIN);
	close(device);

	vcpu = vm_with_vcpu();
	CHECK_ERR(module_unload(), EAGAIN);
	/* The VM's file alone; the vCPU's alone; the mapping alone; the meters alone */
	run_page = CHECK_SYS(mmap(NULL, TPZ_RUN_BYTES, PROT_READ, MAP_SHARED, vcpu->fd, 0));
	meters = meters_open(vcpu->vm->id);
	close(vcpu->fd);
	vcpu->fd = -1;
	munmap((void *)vcpu->run, TPZ_RUN_BYTES);
	vcpu->run = NULL;
	CHECK_ERR(module_unload(), EAGAIN);
	vm_close(vcpu->vm);
	CHECK_ERR(module_unload(), EAGAIN);
	munmap(run_page, TPZ_RUN_BYTES);
	CHECK_ERR(module_unload(), EAGAIN);
	CHECK_EQ(meters.vm->dead, 1);
}

/* ------------------------------------------------------------------ enable= */

static void enable_load_is_on_at_once(void)
{
	module_reload("enable=load");
	CHECK_EQ(device_info().cpus_on, cpus_online());
	run_a_guest();
	CHECK_EQ(device_info().cpus_on, cpus_online());
}

static void enable_first_vm_is_on_with_the_first(void)
{
	struct vm *first, *second;

	module_reload("enable=first-vm");
	CHECK_EQ(device_info().cpus_on, 0);
	for (int i = 0; i < 3; i++) {
		first = vm_create();
		CHECK_EQ(device_info().cpus_on, cpus_online());
		second = vm_create();
		vm_close(first);
		CHECK_EQ(device_info().cpus_on, cpus_online());
		vm_close(second);
		CHECK_EQ(device_info().cpus_on, 0);
		run_a_guest();
		CHECK_EQ(device_info().cpus_on, 0);
	}
}

/* ------------------------------------------------------------------ CPUs that leave and come back */

static bool set_online(int cpu, bool online)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ret = write(fd, online ? "1" : "0", 1);
	close(fd);
	return ret == 1;
}

static void online_again(void *unused)
{
	(void)unused;
	set_online(1, true);
}

static struct job {
	__u64 seed;
	volatile __u64 go_on;
	volatile __u64 rounds;
	volatile __u64 hash;
} jobs[2];

static inline __u64 mix(__u64 hash, __u64 round)
{
	hash ^= round;
	hash *= 0x100000001b3ULL;
	return hash ^ hash >> 29;
}

/* Computes until told to stop */
static GUEST __u32 compute(__u64 arg)
{
	struct job *job = (void *)arg;
	__u64 hash = job->seed, rounds = 0;
	__u32 a, b, c, d;

	sti();
	while (job->go_on) {
		hash = mix(hash, rounds++);
		if (rounds % 512 == 0)
			cpuid(0, 0, &a, &b, &c, &d);
		job->rounds = rounds;
	}
	job->hash = hash;
	return 1;
}

static void *run_job(void *arg)
{
	vcpu_finish(arg);
	return NULL;
}

static void check_job(const struct job *job)
{
	__u64 hash = job->seed;

	for (__u64 round = 0; round < job->rounds; round++)
		hash = mix(hash, round);
	CHECK_EQ(job->hash, hash);
}

static void stop_jobs(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		jobs[i].go_on = false;
}

static void cpus_leave_under_running_guests(void)
{
	struct vcpu *vcpus[2];
	pthread_t threads[2];
	int cpus = cpus_online();

	if (cpus < 2)
		SKIP("needs 2 CPUs");
	if (!set_online(1, true))
		SKIP("CPU 1 cannot be taken offline here");
	ktap_defer(online_again, NULL);
	for (int i = 0; i < 2; i++) {
		jobs[i] = (struct job){ .seed = 0x5000 + i, .go_on = true };
		vcpus[i] = vm_with_vcpu();
		vcpu_start(vcpus[i], MODE_LONG, RING0, compute, &jobs[i]);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run_job, vcpus[i]), 0);
	ktap_defer(stop_jobs, NULL);
	for (int i = 0; i < 5; i++) {
		__u64 before[2];

		usleep(20000);
		CHECK(set_online(1, false));
		CHECK_EQ(device_info().cpus_on, cpus - 1);
		for (int j = 0; j < 2; j++)
			before[j] = jobs[j].rounds;
		/* Both go on, on the CPU that is left; if one does not, this does not end either */
		for (int j = 0; j < 2; j++)
			while (jobs[j].rounds == before[j])
				usleep(1000);
		CHECK(set_online(1, true));
		CHECK_EQ(device_info().cpus_on, cpus);
	}
	stop_jobs(NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		check_job(&jobs[i]);
}

/* The CPU that held a vCPU's state goes while nobody runs it; what was on it is not lost */
static void a_cpu_leaves_between_two_runs(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	if (cpus_online() < 2 || !set_online(1, true))
		SKIP("needs 2 CPUs");
	ktap_defer(online_again, NULL);
	run_on_cpu(1);
	vcpu_start(vcpu, MODE_LONG, RING0, square, 0x777);
	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	run_on_cpu(0);
	CHECK(set_online(1, false));
	state = vcpu_get(vcpu, TPZ_STATE_REGS);
	CHECK_EQ(state.regs.gpr[TPZ_RDI], 0x777);
	CHECK_EQ(vcpu_finish(vcpu), 0x777 * 0x777);
	CHECK(set_online(1, true));
	run_on_cpu(1);
	vcpu_start(vcpu, MODE_LONG, RING0, square, 5);
	CHECK_EQ(vcpu_finish(vcpu), 25);
}

/* With enable=first-vm a CPU may come while VMX is off, and while it is on */
static void cpus_come_under_first_vm(void)
{
	int cpus = cpus_online();
	struct vm *vm;

	if (cpus < 2 || !set_online(1, true))
		SKIP("needs 2 CPUs");
	module_reload("enable=first-vm");
	ktap_defer(online_again, NULL);
	CHECK(set_online(1, false));
	vm = vm_create();
	CHECK_EQ(device_info().cpus_on, cpus - 1);
	CHECK(set_online(1, true));
	CHECK_EQ(device_info().cpus_on, cpus);
	vm_close(vm);
	CHECK_EQ(device_info().cpus_on, 0);
	CHECK(set_online(1, false));
	CHECK(set_online(1, true));
	CHECK_EQ(device_info().cpus_on, 0);
	run_a_guest();
}

/* Unloaded and loaded while a CPU is away: it comes back right in both cases */
static void a_cpu_is_away_while_loading(void)
{
	int cpus = cpus_online();

	if (cpus < 2 || !set_online(1, true))
		SKIP("needs 2 CPUs");
	module_reload("enable=load");
	ktap_defer(online_again, NULL);
	CHECK(set_online(1, false));
	CHECK_SYS(module_unload());
	CHECK(set_online(1, true));
	CHECK(set_online(1, false));
	CHECK_SYS(module_load("enable=load"));
	CHECK_EQ(device_info().cpus_on, cpus - 1);
	CHECK(set_online(1, true));
	CHECK_EQ(device_info().cpus_on, cpus);
	run_a_guest();
}

/* ------------------------------------------------------------------ SIGKILL */

/* All ways to leave the guest: in the kernel, to the launcher, by touching memory, and none at all for a while */
static GUEST __u32 busy(__u64 unused)
{
	volatile __u8 *memory = (void *)GUEST_FREE;
	__u32 a, b, c, d;

	(void)unused;
	sti();
	for (__u32 i = 0; ; i++) {
		cpuid(0, 0, &a, &b, &c, &d);
		memory[i * 4096UL % (VM_BYTES - GUEST_FREE)] = i;
		if (i % 16 == 0)
			outb(PORT_TEST, i);
		for (int spin = 0; spin < 200; spin++)
			asm volatile("pause");
	}
	return 0;
}

/* A launcher, from its first system call on */
static void __attribute__((noreturn)) launch(void)
{
	for (;;) {
		struct vcpu *vcpu = vm_with_vcpu();

		vm_add_memory(vcpu->vm, SLOT_TEST, 256 << 20, 64 * PAGE, 0);
		vcpu_start(vcpu, MODE_LONG, RING0, busy, 0);
		for (int exits = 0; exits < 3; exits++)
			vcpu_expect_out(vcpu, PORT_TEST);
		vm_close(vcpu->vm);
	}
}

static void kill_after(unsigned int microseconds)
{
	int status;
	pid_t pid = CHECK_SYS(fork());

	if (!pid)
		launch();
	usleep(microseconds);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_THAT(WIFSIGNALED(status), "the launcher ended by itself: status %#x", status);
}

static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long value = -1;

	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = strtol(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return value;
}

/* Pages on no list but the CPUs' own: free too */
static long per_cpu_lists(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[256];
	long count, sum = 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %ld", &count) == 1)
			sum += count;
	fclose(file);
	return sum * PAGE / 1024;
}

/* Everything that can be given back is */
static void settle(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		CHECK_EQ(write(fd, "3", 1), 1);
		close(fd);
	}
	usleep(200000);	/* RCU callbacks, per-CPU lists */
}

#define KILLS	50
#define BATCHES	4

/* VMs are numbered as they are made */
static long last_vm(void)
{
	struct vm *vm = vm_create();
	const long id = vm->id;

	vm_close(vm);
	return id;
}

/* Kills launchers at 50 moments. Did the kernel keep half a page, or 1 KiB of small objects, for each of their VMs? */
static bool a_batch_of_kills_leaks(void)
{
	long free_before, free_after, slab_before, slab_after, vms = last_vm();
	bool grown = true;

	settle();
	free_before = meminfo("MemFree") + per_cpu_lists();
	slab_before = meminfo("SUnreclaim");
	for (int i = 0; i < KILLS; i++)
		kill_after(i * 2000);
	CHECK_EQ(vms_alive(), 0);
	CHECK_EQ(references(), 0);
	vms = last_vm() - vms;
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP("KASAN keeps what is freed; kmemleak looks when the boot ends");
	CHECK_GE(vms, KILLS / 2);	/* too few to tell a leak from what the host does */
	/* The kernel gives some back late; what leaked never comes back */
	for (int wait = 0; grown && wait < 25; wait++) {
		settle();
		free_after = meminfo("MemFree") + per_cpu_lists();
		slab_after = meminfo("SUnreclaim");
		grown = free_before - free_after > vms * 2 || slab_after - slab_before > vms;
	}
	ktap_diag("%ld VMs: free %ld -> %ld kB, SUnreclaim %ld -> %ld kB", vms, free_before, free_after,
		  slab_before, slab_after);
	return grown;
}

/* A leak shows in each batch; what the host takes for itself meanwhile does not */
static void launchers_are_killed_at_50_moments(void)
{
	bool leaks = true;

	ktap_timeout(300);
	/* What is allocated once and stays */
	for (int i = 0; i < 15; i++)
		kill_after(i * 1500);
	for (int batch = 0; leaks && batch < BATCHES; batch++)
		leaks = a_batch_of_kills_leaks();
	CHECK_THAT(!leaks, "memory is gone after each of %d batches of %d kills", BATCHES, KILLS);
	run_a_guest();
	module_reload("");
}

/* Of several threads, some inside TPZ_RUN, one about to close what they use */
static void *run_until_killed(void *vcpu)
{
	for (;;)
		vcpu_expect_out(vcpu, PORT_TEST);
	return NULL;
}

static void __attribute__((noreturn)) launch_threads(void)
{
	struct vcpu *vcpus[3];
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		vcpus[i] = vm_with_vcpu();
		vcpu_start(vcpus[i], MODE_LONG, RING0, busy, 0);
		pthread_create(&thread, NULL, run_until_killed, vcpus[i]);
	}
	for (;;)
		pause();
}

static void threads_are_killed_together(void)
{
	for (int i = 0; i < 10; i++) {
		int status;
		pid_t pid = CHECK_SYS(fork());

		if (!pid)
			launch_threads();
		usleep(5000 + i * 3000);
		CHECK_SYS(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
	}
	CHECK_EQ(vms_alive(), 0);
	CHECK_EQ(references(), 0);
}

static const struct ktap_case cases[] = {
	{ "loads and unloads 20 times", loads_and_unloads_20_times },
	{ "loading twice is refused", loading_twice_is_refused },
	{ "bad parameters are refused", bad_parameters_are_refused },
	{ "unloading is refused while in use", unloading_is_refused_while_in_use },
	{ "enable=load is on at once", enable_load_is_on_at_once },
	{ "enable=first-vm is on with the first VM", enable_first_vm_is_on_with_the_first },
	{ "CPUs leave under running guests", cpus_leave_under_running_guests },
	{ "a CPU leaves between two runs", a_cpu_leaves_between_two_runs },
	{ "CPUs come under enable=first-vm", cpus_come_under_first_vm },
	{ "a CPU is away while loading", a_cpu_is_away_while_loading },
	{ "launchers are killed at 50 moments", launchers_are_killed_at_50_moments },
	{ "threads are killed together", threads_are_killed_together },
};
KTAP_MAIN(cases)
