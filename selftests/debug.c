// SPDX-License-Identifier: GPL-2.0
/*
 * Debugging state kept apart. The guest's INT3 and #DB reach its own handler with the exact RIP, whether the module
 * intercepts them or not; single steps and breakpoints work over instructions that trap. And with a watchpoint of the
 * host armed, neither side sees the other's DR0 to DR7, over exits and migrations.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DB	1
#define BP	3
#define UD	6
#define GP	13

#define RFLAGS_TF	(1ULL << 8)
#define RFLAGS_RF	(1ULL << 16)
#define CR4_DE		(1ULL << 3)

#define DR6_CLEAR	0xffff0ff0ULL
#define DR6_BD		(1ULL << 13)
#define DR6_BS		(1ULL << 14)
#define DR7_CLEAR	0x400ULL
#define DR7_GD		(1ULL << 13)
/* Breakpoint @n: @kind 0: execution, 1: write, 3: read and write; @bytes 1, 2, 4, 8 */
#define DR7_ON(n, kind, bytes)	\
	(2ULL << (2 * (n)) | (__u64)((kind) | ((bytes) == 8 ? 2 : (bytes) - 1) << 2) << (16 + 4 * (n)))

static void each_way(void (*run)(__u64 traps))
{
	run(0);
	run(TPZ_TRAP_INT3);
}

/* ------------------------------------------------------------------ INT3 and INT1 */

/* guests/debug.S */
extern const char breakpoints64[], after_int3_64[], after_int1_64[];
extern const char breakpoints32[], after_int3_32[], after_int1_32[];

static void breakpoints_in(__u64 traps, enum guest_mode mode, enum guest_ring ring)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);
	const bool wide = mode == MODE_LONG;
	struct fault fault;

	vcpu_start(vcpu, mode, ring, wide ? breakpoints64 : breakpoints32, 0);
	fault = vcpu_expect_fault(vcpu, BP);
	CHECK_EQ(fault.rip, (uintptr_t)(wide ? after_int3_64 : after_int3_32));
	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.cs & 3, ring);
	fault = vcpu_expect_fault(vcpu, DB);
	CHECK_EQ(fault.rip, (uintptr_t)(wide ? after_int1_64 : after_int1_32));
	/* INT1 tells nothing in DR6 */
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_DEBUG).debug.dr6, DR6_CLEAR);
	CHECK_EQ(vcpu_finish(vcpu), 0x1b);
	vm_close(vcpu->vm);
}

static void breakpoint_instructions_with(__u64 traps)
{
	static const enum guest_mode modes[] = { MODE_PROTECTED, MODE_PAE, MODE_COMPAT, MODE_LONG };

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		breakpoints_in(traps, modes[i], RING0);
		breakpoints_in(traps, modes[i], RING3);
	}
}

static void breakpoint_instructions(void)
{
	each_way(breakpoint_instructions_with);
}

/* A gate of ring 0 is not for INT3 of ring 3: #GP with the gate's number, also if the module delivers it */
static void int3_by_a_gate_of_ring0_with(__u64 traps)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);
	struct fault fault;

	vcpu->vm->memory[GUEST_IDT64 + 16 * BP + 5] = 0x8e;
	vcpu_start(vcpu, MODE_LONG, RING3, breakpoints64, 0);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.error, BP << 3 | 2);
	CHECK_EQ(fault.rip, (uintptr_t)breakpoints64);
}

static void int3_by_a_gate_of_ring0(void)
{
	each_way(int3_by_a_gate_of_ring0_with);
}

/* ------------------------------------------------------------------ single step */

#define MAX_TRAPS	64

static volatile struct { __u64 rip, dr6, rflags; } traps[MAX_TRAPS];
static volatile __u32 trap_count;
static volatile bool set_rf;

/* Notes where, and clears DR6, as a debugger does */
static GUEST void note_trap(struct guest_frame *frame)
{
	if (trap_count < MAX_TRAPS) {
		traps[trap_count].rip = frame->rip;
		traps[trap_count].dr6 = READ_REGISTER(dr6);
		traps[trap_count].rflags = frame->rflags;
	}
	trap_count++;
	WRITE_REGISTER(dr6, DR6_CLEAR);
	if (set_rf)
		frame->rflags |= RFLAGS_RF;
}

extern const char walk64[], walk64_0[], walk64_1[], walk64_2[], walk64_3[], walk64_4[], walk64_5[], walk64_6[], walk64_7[],
	walk64_8[], walk64_9[], walk64_10[];

static void single_steps(void)
{
	static const char *const stops[] = { walk64_0, walk64_1, walk64_2, walk64_3, walk64_4, walk64_5, walk64_6, walk64_7,
					     NULL, walk64_8, walk64_9, walk64_10 };
	struct vcpu *vcpu = vm_with_vcpu();

	trap_count = 0;
	set_rf = false;
	guest_on(DB, note_trap);
	vcpu_start(vcpu, MODE_LONG, RING0, walk64, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.in, 1);
	CHECK_EQ(vcpu_finish(vcpu), 0x3a1c);
	CHECK_EQ(trap_count, ARRAY_SIZE(stops));
	for (unsigned int i = 0; i < ARRAY_SIZE(stops); i++) {
		if (stops[i])		/* NULL: between the two MOVs of walk64_7 */
			CHECK_THAT(traps[i].rip == (uintptr_t)stops[i], "trap %u at %#llx, expected %#lx", i, traps[i].rip,
				   (uintptr_t)stops[i]);
		CHECK_EQ(traps[i].dr6, DR6_CLEAR | DR6_BS);
		CHECK_EQ(!(traps[i].rflags & RFLAGS_TF), stops[i] == walk64_10);
	}
}

/* ------------------------------------------------------------------ breakpoints */

static volatile __u64 cell[4];

static GUEST __u32 touch_cells(__u64 unused)
{
	(void)unused;
	asm volatile("mov %%rax, (%0)\n\t"
		     ".globl debug_wrote0\n"
		     "debug_wrote0: mov 8(%0), %%rax\n\t"
		     ".globl debug_read1\n"
		     "debug_read1: mov %%rax, 8(%0)\n\t"
		     ".globl debug_wrote1\n"
		     "debug_wrote1: mov %%al, 17(%0)\n\t"
		     ".globl debug_wrote2\n"
		     "debug_wrote2: mov 16(%0), %%al\n\t"
		     "mov %%eax, 26(%0)\n\t"		/* reaches into the watched half */
		     ".globl debug_wrote3\n"
		     "debug_wrote3: nop"
		     : : "r"(cell) : "rax", "memory");
	return 1;
}

extern const char debug_wrote0[], debug_read1[], debug_wrote1[], debug_wrote2[], debug_wrote3[];

static struct tpz_state state_with_breakpoints(struct vcpu *vcpu, const void *guest, const __u64 db[4], __u64 dr7)
{
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest, 0);

	state.groups |= TPZ_STATE_DEBUG;
	state.debug.dr6 = DR6_CLEAR;
	state.debug.dr7 = DR7_CLEAR | dr7;
	memcpy(state.debug.db, db, sizeof(state.debug.db));
	return state;
}

static void data_breakpoints(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 at = (uintptr_t)cell;
	const __u64 db[4] = { at, at + 8, at + 17, at + 28 };
	struct tpz_state state;
	static const struct { const char *rip; __u64 dr6; } want[] = {
		{ debug_wrote0, 1 }, { debug_read1, 2 }, { debug_wrote1, 2 }, { debug_wrote2, 4 }, { debug_wrote3, 8 },
	};

	trap_count = 0;
	set_rf = false;
	guest_on(DB, note_trap);
	state = state_with_breakpoints(vcpu, touch_cells, db, DR7_ON(0, 1, 8) | DR7_ON(1, 3, 8) | DR7_ON(2, 1, 1) |
				       DR7_ON(3, 1, 4));
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(trap_count, ARRAY_SIZE(want));
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		CHECK_THAT(traps[i].rip == (uintptr_t)want[i].rip, "trap %u at %#llx", i, traps[i].rip);
		CHECK_EQ(traps[i].dr6, DR6_CLEAR | want[i].dr6);
	}
	/* Off again */
	trap_count = 0;
	state = state_with_breakpoints(vcpu, touch_cells, db, 0);
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(trap_count, 0);
}

/* Before an instruction that traps itself, and before one that does not; RF lets it pass, once */
static GUEST __u32 run_into_breakpoints(__u64 unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		asm volatile(".globl debug_cpuid\n"
			     "debug_cpuid: cpuid\n\t"
			     ".globl debug_nop\n"
			     "debug_nop: nop"
			     : : "a"(0) : "rbx", "rcx", "rdx", "memory");
	return 2;
}

extern const char debug_cpuid[], debug_nop[];

static void execution_breakpoints(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 db[4] = { (uintptr_t)debug_cpuid, (uintptr_t)debug_nop };
	struct tpz_state state;

	trap_count = 0;
	set_rf = true;
	guest_on(DB, note_trap);
	state = state_with_breakpoints(vcpu, run_into_breakpoints, db, DR7_ON(0, 0, 1) | DR7_ON(1, 0, 1));
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 2);
	CHECK_EQ(trap_count, 6);
	for (unsigned int i = 0; i < 6; i++) {
		CHECK_EQ(traps[i].rip, (uintptr_t)(i % 2 ? debug_nop : debug_cpuid));
		CHECK_EQ(traps[i].dr6, DR6_CLEAR | 1 << i % 2);
	}
}

/* ------------------------------------------------------------------ MOV DR */

static GUEST __u32 general_detect(__u64 unused)
{
	struct guest_fault fault;
	__u64 value;

	(void)unused;
	WRITE_REGISTER(dr7, DR7_CLEAR | DR7_GD);
	GUEST_TRY(fault, "mov %%dr0, %0", ("=a"(value)), ());
	GUEST_CHECK_EQ(fault.vector, DB);
	/* The #DB has cleared GD, so the handler may look */
	GUEST_CHECK_EQ(READ_REGISTER(dr6), DR6_CLEAR | DR6_BD);
	GUEST_CHECK_EQ(READ_REGISTER(dr7), DR7_CLEAR);
	/* It is a fault: RIP is the instruction's own */
	GUEST_CHECK_EQ(*(__u8 *)fault.rip == 0x0f && *(__u8 *)(fault.rip + 1) == 0x21, 1);
	return 3;
}

static GUEST __u32 reserved_bits(__u64 unused)
{
	const __u64 cr4 = READ_REGISTER(cr4);
	struct guest_fault fault;
	__u64 value;

	(void)unused;
	/* What is fixed stays, what is reserved above faults */
	WRITE_REGISTER(dr6, 0);
	GUEST_CHECK_EQ(READ_REGISTER(dr6), DR6_CLEAR);
	WRITE_REGISTER(dr6, 0xffffffff);
	GUEST_CHECK_EQ(READ_REGISTER(dr6), 0xffffefff);
	WRITE_REGISTER(dr6, DR6_CLEAR);
	WRITE_REGISTER(dr7, 0);
	GUEST_CHECK_EQ(READ_REGISTER(dr7), DR7_CLEAR);
	WRITE_REGISTER(dr7, 0xdc00);		/* bits 10, 11, 12, 14, 15 */
	GUEST_CHECK_EQ(READ_REGISTER(dr7), DR7_CLEAR);
	GUEST_TRY(fault, "mov %%rbx, %%dr6", (), ("b"(1ULL << 32)));
	GUEST_CHECK_EQ(fault.vector, GP);
	GUEST_TRY(fault, "mov %%rbx, %%dr7", (), ("b"(1ULL << 63)));
	GUEST_CHECK_EQ(fault.vector, GP);
	/* An address may be anything */
	WRITE_REGISTER(dr2, 1ULL << 63);
	GUEST_CHECK_EQ(READ_REGISTER(dr2), 1ULL << 63);
	/* DR4 and DR5 are DR6 and DR7, or nothing */
	WRITE_REGISTER(dr6, DR6_CLEAR | 5);
	GUEST_TRY(fault, "mov %%dr4, %0", ("=a"(value)), ());
	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT);
	GUEST_CHECK_EQ(value, DR6_CLEAR | 5);
	GUEST_TRY(fault, "mov %%rbx, %%dr5", (), ("b"(0x401)));
	GUEST_CHECK_EQ(READ_REGISTER(dr7), 0x401);
	WRITE_REGISTER(dr7, DR7_CLEAR);
	WRITE_REGISTER(cr4, cr4 | CR4_DE);
	GUEST_TRY(fault, "mov %%dr4, %0", ("=a"(value)), ());
	GUEST_CHECK_EQ(fault.vector, UD);
	GUEST_TRY(fault, "mov %%rbx, %%dr5", (), ("b"(0x400)));
	GUEST_CHECK_EQ(fault.vector, UD);
	return 4;
}

static void mov_dr_rules(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, general_detect, 0);
	CHECK_EQ(vcpu_finish(vcpu), 3);
	vcpu_start(vcpu, MODE_LONG, RING0, reserved_bits, 0);
	CHECK_EQ(vcpu_finish(vcpu), 4);
}

/* ------------------------------------------------------------------ a watchpoint of the host's, beside the guest's */

static volatile __u64 watched __attribute__((aligned(8)));	/* the host's, and at the same address the guest's */
static volatile __u64 guests_own __attribute__((aligned(8)));	/* the guest's breakpoint; the launcher writes it too */
static volatile bool stop;

/* A perf event that counts this thread's writes to @address */
static int watch(volatile void *address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .sample_period = 1,
		.bp_type = HW_BREAKPOINT_W, .bp_addr = (uintptr_t)address, .bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1, .exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		SKIP("no hardware watchpoints here: %s", strerror(errno));
	return fd;
}

static __u64 hits(int fd)
{
	__u64 count;

	CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

#define ROUNDS	200

/* In each round: both cells are written, the registers are as they were set, something exits, something goes to user */
static GUEST __u32 guest_with_breakpoint(__u64 with)
{
	const __u64 dr7 = with ? DR7_CLEAR | DR7_ON(1, 1, 8) : DR7_CLEAR;
	__u32 eax, ebx, ecx, edx;

	WRITE_REGISTER(dr0, 0x1000);
	WRITE_REGISTER(dr1, (__u64)&guests_own);
	WRITE_REGISTER(dr2, 0x3000);
	WRITE_REGISTER(dr3, 0x4000);
	WRITE_REGISTER(dr7, dr7);
	for (__u32 i = 0; i < ROUNDS; i++) {
		watched = i;
		guests_own = i;
		GUEST_CHECK_EQ(trap_count, with ? i + 1 : 0);
		cpuid(0, 0, &eax, &ebx, &ecx, &edx);
		if (i % 8 == 0)
			outb(PORT_TEST, 0);
		GUEST_CHECK_EQ(READ_REGISTER(dr0), 0x1000);
		GUEST_CHECK_EQ(READ_REGISTER(dr1), (__u64)&guests_own);
		GUEST_CHECK_EQ(READ_REGISTER(dr2), 0x3000);
		GUEST_CHECK_EQ(READ_REGISTER(dr3), 0x4000);
		GUEST_CHECK_EQ(READ_REGISTER(dr6), DR6_CLEAR);
		GUEST_CHECK_EQ(READ_REGISTER(dr7), dr7);
	}
	return 7;
}

struct mover {
	pid_t thread;
	int cpus;
};

/* Drives the vCPU's thread from CPU to CPU */
static void *move(void *arg)
{
	const struct mover *mover = arg;
	cpu_set_t set;

	for (int cpu = 0; !stop; cpu = (cpu + 1) % mover->cpus) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		sched_setaffinity(mover->thread, sizeof(set), &set);
		usleep(500);
	}
	return NULL;
}

static void side_by_side(bool with_guest_breakpoint, bool migrate)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct mover mover = { .thread = gettid(), .cpus = cpus_online() };
	__u64 launcher_writes = 0;
	pthread_t thread;
	int fd = watch(&watched);

	trap_count = 0;
	set_rf = false;
	stop = false;
	guest_on(DB, note_trap);
	if (migrate)
		CHECK_EQ(pthread_create(&thread, NULL, move, &mover), 0);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_with_breakpoint, with_guest_breakpoint);
	for (;;) {
		__u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_IO || vcpu->run->io.port != PORT_TEST)
			break;
		/* The launcher's own: its watchpoint hits, the guest's breakpoint does not bite it */
		watched = launcher_writes;
		launcher_writes++;
		guests_own = ~0ULL;
	}
	stop = true;
	if (migrate)
		pthread_join(thread, NULL);
	CHECK_THAT(vcpu->run->reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE, "%s", vcpu_exit_text(vcpu));
	CHECK_EQ(trap_count, with_guest_breakpoint ? ROUNDS : 0);
	for (__u32 i = 0; i < MAX_TRAPS && i < trap_count; i++)
		CHECK_EQ(traps[i].dr6, DR6_CLEAR | 2);
	CHECK_EQ(launcher_writes, ROUNDS / 8);
	CHECK_EQ(hits(fd), launcher_writes);
	watched = 1;
	CHECK_EQ(hits(fd), launcher_writes + 1);
	close(fd);
	vm_close(vcpu->vm);
}

static void a_watchpoint_of_the_host(void)
{
	side_by_side(false, false);
}

static void a_watchpoint_of_the_host_and_one_of_the_guest(void)
{
	side_by_side(true, false);
}

static void both_while_the_thread_moves(void)
{
	if (cpus_online() < 2)
		SKIP("needs two CPUs");
	for (int i = 0; i < 5; i++)
		side_by_side(true, true);
}

/* The guest's breakpoint is not left behind in the CPU for the launcher */
static void nothing_is_left_behind(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 db[4] = { (uintptr_t)&guests_own, (uintptr_t)&watched, (uintptr_t)strlen, 0 };
	struct tpz_state state;

	trap_count = 0;
	set_rf = false;
	guest_on(DB, note_trap);
	state = state_with_breakpoints(vcpu, touch_cells, db, DR7_ON(0, 3, 8) | DR7_ON(1, 1, 8) | DR7_ON(2, 0, 1));
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	/* SIGTRAP would end the test */
	for (int i = 0; i < 1000; i++) {
		guests_own++;
		watched++;
	}
	CHECK_EQ(strlen("launcher"), 8);
	CHECK_EQ(trap_count, 0);
}

/* ------------------------------------------------------------------ the guest's addresses never meet the host's enables */

static GUEST void many_exits(__u64 n)
{
	__u32 eax, ebx, ecx, edx;

	for (__u64 i = 0; i < n; i++)
		cpuid(0, 0, &eax, &ebx, &ecx, &edx);
	outb(PORT_TEST, 0);
}

/* Where the module keeps what it reads right before each entry */
static __u64 kernel_symbol(const char *name)
{
	unsigned long long at = 0, value;
	char line[256], found[128];
	FILE *file = fopen("/proc/kallsyms", "r");

	CHECK(file);
	while (!at && fgets(line, sizeof(line), file))
		if (strstr(line, name) && sscanf(line, "%llx %*c %127s", &value, found) == 2 && !strcmp(found, name))
			at = value;
	fclose(file);
	return at;
}

/* The host watches a cell that nobody touches; the guest watches the module. Neither may trap in the host's kernel */
static void guest_addresses_stay_in_the_guest(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .bp_type = HW_BREAKPOINT_RW,
		.bp_addr = (uintptr_t)&watched, .bp_len = HW_BREAKPOINT_LEN_1, .exclude_hv = 1,
	};
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;
	int fd = CHECK_SYS(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
	__u64 target = kernel_symbol("tpz_host_mitigations");

	CHECK(target);
	vcpu_start(vcpu, MODE_LONG, RING0, many_exits, 100);
	state = vcpu_get(vcpu, TPZ_STATE_DEBUG);
	for (int i = 0; i < 4; i++)
		state.debug.db[i] = target;
	state.debug.dr7 |= 0x333300ff;		/* reads and writes, one byte, all four enabled */
	vcpu_set(vcpu, &state);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(hits(fd), 0);
	close(fd);
}

static const struct ktap_case cases[] = {
	{ "INT3 and INT1", breakpoint_instructions },
	{ "INT3 by a gate of ring 0", int3_by_a_gate_of_ring0 },
	{ "single steps", single_steps },
	{ "data breakpoints", data_breakpoints },
	{ "execution breakpoints", execution_breakpoints },
	{ "rules of MOV DR", mov_dr_rules },
	{ "a watchpoint of the host", a_watchpoint_of_the_host },
	{ "a watchpoint of the host, and one of the guest", a_watchpoint_of_the_host_and_one_of_the_guest },
	{ "both, while the thread moves", both_while_the_thread_moves },
	{ "the guest's addresses stay in the guest", guest_addresses_stay_in_the_guest },
	{ "nothing is left behind", nothing_is_left_behind },
};
KTAP_MAIN(cases)
