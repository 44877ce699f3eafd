// SPDX-License-Identifier: GPL-2.0
/*
 * What the launcher's thread has in its processor is there after its guests have run, above all what no VM exit
 * restores by itself: the I/O bitmap, the LDT, segment registers and their bases, the extended state, debug
 * registers; and none of it is seen by the guest.
 *
 * Each guest changes all that it can. Between two looks at the host there are exits that the kernel answers, exits
 * to the launcher, and other threads on the same CPU.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ a guest that changes all it can */

#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_TSC_AUX		0xc0000103
#define CR4_OSXSAVE		(1 << 18)

static GUEST void change_all(void)
{
	const struct { __u16 limit; __u64 base; } __attribute__((packed)) gdt = { SEL_TSS + 15, GUEST_GDT };
	const __u32 mxcsr = 0x7f80;		/* flush to zero, round to zero */
	const __u16 fcw = 0x0c7f;
	__u32 eax, ebx, ecx, edx;

	wrmsr(MSR_FS_BASE, 0x1111111000);
	wrmsr(MSR_GS_BASE, 0x2222222000);
	wrmsr(MSR_KERNEL_GS_BASE, 0x3333333000);
	wrmsr(MSR_STAR, 0x0010000800000000);
	wrmsr(MSR_LSTAR, 0x4444444000);
	wrmsr(MSR_TSC_AUX, 0x55);
	asm volatile("lgdt %0\n\t"
		     "mov %1, %%ds\n\t"
		     "mov %1, %%es\n\t"
		     "lldt %w2"
		     : : "m"(gdt), "r"(SEL_DATA), "r"(0));
	asm volatile("ldmxcsr %0\n\t"
		     "fldcw %1"
		     : : "m"(mxcsr), "m"(fcw));
	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	if (ecx & 1 << 26) {
		WRITE_REGISTER(cr4, READ_REGISTER(cr4) | CR4_OSXSAVE);
		asm volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
	}
	for (int i = 0; i < 3; i++)
		cpuid(i, 0, &eax, &ebx, &ecx, &edx);
}

static GUEST void change_for_ever(__u64 unused)
{
	(void)unused;
	sti();
	for (;;) {
		change_all();
		outb(PORT_TEST, 0);
	}
}

static struct vcpu *changing_guest(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, change_for_ever, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	return vcpu;
}

static void run(struct vcpu *vcpu)
{
	vcpu_expect_out(vcpu, PORT_TEST);
}

/* ------------------------------------------------------------------ another thread that wants the same CPU */

static atomic_bool hog_stops;
static pthread_t hog_thread;

static void *hog(void *unused)
{
	(void)unused;
	run_on_cpu(0);
	while (!hog_stops)
		;
	return NULL;
}

static void run_anywhere(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	CHECK_SYS(sched_setaffinity(0, sizeof(all), &all));
}

static void stop_hog(void *unused)
{
	(void)unused;
	hog_stops = true;
	pthread_join(hog_thread, NULL);
	run_anywhere();
}

/* From now on the test's thread is on CPU 0, and is taken off it time and again, in the midst of its guests */
static void share_cpu(void)
{
	run_on_cpu(0);
	hog_stops = false;
	CHECK_EQ(pthread_create(&hog_thread, NULL, hog, NULL), 0);
	ktap_defer(stop_hog, NULL);
}

#define ROUNDS	30

/* ------------------------------------------------------------------ I/O ports */

/* <sys/io.h> has these beside another inb() */
int ioperm(unsigned long from, unsigned long count, int on);
int iopl(int level);

/* Ports that may be read without effect: the kernel writes to the first for its delays */
#define PORT_ALLOWED	0x80
#define PORT_FORBIDDEN	0x81

static void ports_allowed_one_by_one(void)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 1));
	share_cpu();
	for (int i = 0; i < ROUNDS; i++) {
		run(vcpu);
		inb(PORT_ALLOWED);	/* or SIGSEGV */
	}
	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 0));
}

static void read_after_guest(void *port)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 1));
	run(vcpu);
	inb((uintptr_t)port);
}

static void ports_forbidden(void)
{
	CHECK_EQ(ktap_fork(read_after_guest, (void *)PORT_ALLOWED), 0);
	CHECK_EQ(ktap_fork(read_after_guest, (void *)PORT_FORBIDDEN), SIGSEGV);
}

static void all_ports_allowed(void)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(iopl(3));
	share_cpu();
	for (int i = 0; i < ROUNDS; i++) {
		run(vcpu);
		inb(PORT_FORBIDDEN);
	}
	CHECK_SYS(iopl(0));
}

/* ------------------------------------------------------------------ segments */

#define USER_DS		0x2b
#define LDT(n)		((n) << 3 | 7)

static volatile __u64 words[4] = { 0xaaaa, 0xbbbb, 0xcccc, 0xdddd };

static void set_ldt_entry(int n)
{
	struct user_desc entry = {
		.entry_number = n, .base_addr = (uintptr_t)&words[n], .limit = 7, .seg_32bit = 1, .useable = 1,
	};

	CHECK_SYS(syscall(SYS_modify_ldt, 1, &entry, sizeof(entry)));
}

static void clear_ldt_entry(int n)
{
	struct user_desc entry = { .entry_number = n, .read_exec_only = 1, .seg_not_present = 1 };

	CHECK_SYS(syscall(SYS_modify_ldt, 1, &entry, sizeof(entry)));
}

struct segments {
	__u16 ds, es, fs, gs;
	__u64 fs_base, gs_base;		/* 0: what comes with the selector */
};

/* Without the library: it finds its own data by FS */
static inline long raw_syscall(long number, long a, long b, long c)
{
	long ret;

	asm volatile("syscall" : "=a"(ret) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

static inline void load_segments(const struct segments *s)
{
	asm volatile("mov %0, %%ds\n\t"
		     "mov %1, %%es\n\t"
		     "mov %2, %%fs\n\t"
		     "mov %3, %%gs" : : "r"((__u32)s->ds), "r"((__u32)s->es), "r"((__u32)s->fs), "r"((__u32)s->gs));
	if (s->fs_base)
		asm volatile("wrfsbase %0" : : "r"(s->fs_base));
	if (s->gs_base)
		asm volatile("wrgsbase %0" : : "r"(s->gs_base));
}

static inline struct segments store_segments(void)
{
	struct segments s;

	asm volatile("mov %%ds, %0\n\t"
		     "mov %%es, %1\n\t"
		     "mov %%fs, %2\n\t"
		     "mov %%gs, %3\n\t"
		     "rdfsbase %4\n\t"
		     "rdgsbase %5"
		     : "=&r"(s.ds), "=&r"(s.es), "=&r"(s.fs), "=&r"(s.gs), "=&r"(s.fs_base), "=r"(s.gs_base));
	return s;
}

/* Runs a guest with these segments; returns what there is afterwards, and loads them once more to see that it can */
static __attribute__((noinline)) struct segments run_with(int fd, const struct segments *set, __u64 *fs_word,
							   __u64 *gs_word)
{
	const struct segments mine = store_segments();
	struct segments seen;

	load_segments(set);
	raw_syscall(SYS_ioctl, fd, TPZ_RUN, 0);
	seen = store_segments();
	asm volatile("mov %%fs:0, %0\n\t"
		     "mov %%gs:0, %1" : "=&r"(*fs_word), "=r"(*gs_word));
	load_segments(set);
	load_segments(&(struct segments){ mine.ds, mine.es, mine.fs, mine.gs, mine.fs_base, mine.gs_base });
	return seen;
}

static void need_fsgsbase(void)
{
	if (!(getauxval(AT_HWCAP2) & 2))
		SKIP("the kernel has not enabled WRFSBASE");
}

static void check_segments(const struct segments *set, __u64 fs_base, __u64 gs_base)
{
	struct vcpu *vcpu = changing_guest();

	for (int i = 0; i < ROUNDS; i++) {
		__u64 fs_word, gs_word;
		struct segments seen = run_with(vcpu->fd, set, &fs_word, &gs_word);

		CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
		CHECK_EQ(seen.ds, set->ds);
		CHECK_EQ(seen.es, set->es);
		CHECK_EQ(seen.fs, set->fs);
		CHECK_EQ(seen.gs, set->gs);
		CHECK_EQ(seen.fs_base, fs_base);
		CHECK_EQ(seen.gs_base, gs_base);
		CHECK_EQ(fs_word, *(__u64 *)(uintptr_t)fs_base);
		CHECK_EQ(gs_word, *(__u64 *)(uintptr_t)gs_base);
	}
	vm_close(vcpu->vm);
}

#define WORD(n)	((uintptr_t)&words[n])

static void segment_registers(void)
{
	static const struct segments null = { 0, 0, 0, 0, WORD(2), WORD(3) };
	static const struct segments flat = { USER_DS, USER_DS, USER_DS, USER_DS, WORD(2), WORD(3) };

	need_fsgsbase();
	share_cpu();
	check_segments(&null, WORD(2), WORD(3));
	check_segments(&flat, WORD(2), WORD(3));
}

static void segments_of_the_ldt(void)
{
	static const struct segments ldt = { LDT(0), LDT(1), LDT(0), LDT(1), 0, 0 };
	static const struct segments moved = { LDT(0), USER_DS, LDT(1), LDT(0), WORD(2), WORD(3) };

	need_fsgsbase();
	set_ldt_entry(0);
	set_ldt_entry(1);
	share_cpu();
	check_segments(&ldt, WORD(0), WORD(1));
	check_segments(&moved, WORD(2), WORD(3));
}

/* While this thread is in a guest, on CPU 0, another one of the process changes their LDT, on CPU 1 */
static GUEST void spin_until(__u64 flag)
{
	sti();
	while (!*(volatile __u32 *)flag)
		;
	outb(PORT_TEST, 0);
}

static volatile __u32 spin_over;

static void *change_ldt(void *set)
{
	run_on_cpu(1);
	usleep(20000);
	if (set)
		set_ldt_entry(0);
	else
		clear_ldt_entry(0);
	usleep(20000);		/* the guest exits and is entered again: ticks */
	spin_over = 1;
	return NULL;
}

static void run_while_ldt_changes(void *set)
{
	struct vcpu *vcpu = vm_with_vcpu();
	pthread_t thread;

	spin_over = 0;
	vcpu_start(vcpu, MODE_LONG, RING0, spin_until, &spin_over);
	run_on_cpu(0);
	CHECK_EQ(pthread_create(&thread, NULL, change_ldt, set), 0);
	run(vcpu);
}

static void get_an_ldt(void *unused)
{
	(void)unused;
	run_while_ldt_changes((void *)1);
	asm volatile("mov %0, %%gs" : : "r"(LDT(0)));	/* or SIGSEGV */
}

static void lose_an_ldt_entry(void *unused)
{
	struct segments now;

	(void)unused;
	set_ldt_entry(0);
	asm volatile("mov %0, %%ds\n\t"
		     "mov %0, %%es\n\t"
		     "mov %0, %%gs" : : "r"(LDT(0)));
	run_while_ldt_changes(NULL);
	usleep(1000);		/* the kernel itself looks at GS when it switches threads */
	now = store_segments();
	CHECK_EQ(now.ds, 0);
	CHECK_EQ(now.es, 0);
	CHECK_EQ(now.gs, 0);
}

static void an_ldt_that_changes(void)
{
	need_fsgsbase();
	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	CHECK_EQ(ktap_fork(get_an_ldt, NULL), 0);
	CHECK_EQ(ktap_fork(lose_an_ldt_entry, NULL), 0);
}

/* ------------------------------------------------------------------ other registers */

struct table {
	__u16 limit;
	__u64 base;
} __attribute__((packed));

struct registers {
	struct table gdt, idt;
	__u16 tr, ldt, fcw;
	__u32 mxcsr, pkru, tsc_aux;
	__u64 xcr0;
};

static bool have_xsave, have_pkru, have_umip;

static void find_features(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	have_xsave = ecx & 1 << 27;
	cpuid(7, 0, &eax, &ebx, &ecx, &edx);
	have_pkru = ecx & 1 << 4;
	have_umip = ecx & 1 << 2;	/* SGDT and SIDT of ring 3 tell nothing */
}

static struct registers look(void)
{
	struct registers r;
	__u32 low, high;

	memset(&r, 0, sizeof(r));
	asm volatile("sgdt %0\n\t"
		     "sidt %1\n\t"
		     "str %2\n\t"
		     "sldt %3\n\t"
		     "fnstcw %4\n\t"
		     "stmxcsr %5" : "=m"(r.gdt), "=m"(r.idt), "=m"(r.tr), "=m"(r.ldt), "=m"(r.fcw), "=m"(r.mxcsr));
	asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(r.tsc_aux));
	if (have_xsave) {
		asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		r.xcr0 = low | (__u64)high << 32;
	}
	if (have_pkru)
		asm volatile("rdpkru" : "=a"(r.pkru), "=d"(high) : "c"(0));
	return r;
}

/* As they were, in hexadecimal */
static void check_registers(const struct registers *now, const struct registers *before)
{
	CHECK_EQ(now->gdt.base, before->gdt.base);
	CHECK_EQ(now->gdt.limit, before->gdt.limit);
	CHECK_EQ(now->idt.base, before->idt.base);
	CHECK_EQ(now->idt.limit, before->idt.limit);
	CHECK_EQ(now->tr, before->tr);
	CHECK_EQ(now->ldt, before->ldt);
	CHECK_EQ(now->fcw, before->fcw);
	CHECK_EQ(now->mxcsr, before->mxcsr);
	CHECK_EQ(now->tsc_aux, before->tsc_aux);
	CHECK_EQ(now->xcr0, before->xcr0);
	CHECK_EQ(now->pkru, before->pkru);
}

static void system_and_extended_state(void)
{
	const __u32 mxcsr = 0x3f80, pkru = 0x55555550;	/* keys other than 0 are denied; round up */
	const __u16 fcw = 0x027f;			/* double precision */
	struct vcpu *vcpu = changing_guest();
	struct registers before;

	find_features();
	share_cpu();
	asm volatile("ldmxcsr %0\n\t"
		     "fldcw %1" : : "m"(mxcsr), "m"(fcw));
	if (have_pkru)
		asm volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0));
	before = look();	/* guests ran here before */
	CHECK_EQ(before.mxcsr, mxcsr);
	CHECK_EQ(before.fcw, fcw);
	CHECK_EQ(before.tsc_aux & 0xfff, 0);	/* the number of this CPU */
	if (!have_umip) {
		CHECK_EQ(before.idt.limit, 256 * 16 - 1);
		CHECK_EQ(before.gdt.limit, 16 * 8 - 1);
	}
	ktap_diag("GDT limit %#x, IDT limit %#x, XCR0 %#llx, PKRU %#x (%s)", before.gdt.limit, before.idt.limit,
		  before.xcr0, before.pkru, have_pkru ? "there" : "none");
	for (int i = 0; i < ROUNDS; i++) {
		struct registers now;

		run(vcpu);
		now = look();
		check_registers(&now, &before);
	}
	asm volatile("fninit");
}

/* All that a system call keeps */
static __attribute__((noinline)) long run_with_registers(int fd)
{
	register long r8 asm("r8") = 0x08080808;
	register long r9 asm("r9") = 0x09090909;
	register long r10 asm("r10") = 0x10101010;
	long ret, a = fd, b = TPZ_RUN, c = 0x0d0d0d0d & 0;

	asm volatile("push %%rbp\n\t"
		     "push %%rbx\n\t"
		     "mov $0x0b0b0b0b, %%ebx\n\t"
		     "mov $0x05050505, %%ebp\n\t"
		     "mov $0x12121212, %%r12d\n\t"
		     "mov $0x13131313, %%r13d\n\t"
		     "mov $0x14141414, %%r14d\n\t"
		     "mov $0x15151515, %%r15d\n\t"
		     "syscall\n\t"
		     "xor $0x0b0b0b0b, %%rbx\n\t"
		     "or %%rbx, %%rax\n\t"
		     "xor $0x05050505, %%rbp\n\t"
		     "or %%rbp, %%rax\n\t"
		     "xor $0x12121212, %%r12\n\t"
		     "or %%r12, %%rax\n\t"
		     "xor $0x13131313, %%r13\n\t"
		     "or %%r13, %%rax\n\t"
		     "xor $0x14141414, %%r14\n\t"
		     "or %%r14, %%rax\n\t"
		     "xor $0x15151515, %%r15\n\t"
		     "or %%r15, %%rax\n\t"
		     "pop %%rbx\n\t"
		     "pop %%rbp"
		     : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r8), "+r"(r9), "+r"(r10)
		     : "0"(SYS_ioctl)
		     : "rcx", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return ret | (a ^ fd) | (b ^ TPZ_RUN) | c | (r8 ^ 0x08080808) | (r9 ^ 0x09090909) | (r10 ^ 0x10101010);
}

static void general_registers(void)
{
	struct vcpu *vcpu = changing_guest();

	share_cpu();
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQ(run_with_registers(vcpu->fd), 0);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
}

/* ------------------------------------------------------------------ the host's watchpoints */

static volatile __u64 watched __attribute__((aligned(8)));		/* by the host */
static volatile __u64 guest_watched __attribute__((aligned(8)));	/* by the guest */

static void close_deferred(void *fd)
{
	close((intptr_t)fd);
}

static int watch(pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched, .bp_len = HW_BREAKPOINT_LEN_8, .exclude_kernel = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, 0);

	if (fd < 0)
		SKIP("no watchpoint to be had: %s", strerror(errno));
	ktap_defer(close_deferred, (void *)(intptr_t)fd);
	return fd;
}

static __u64 hits(int fd)
{
	__u64 count;

	CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

#define DR6_CLEAR	0xffff0ff0
#define DR7_CLEAR	0x400
#define DR7_WATCH_0	0x90403		/* L0, G0: a write of 8 bytes */

static volatile __u64 guest_hits;

static GUEST void on_debug(struct guest_frame *frame)
{
	(void)frame;
	if (READ_REGISTER(dr6) & 1)
		guest_hits++;
	WRITE_REGISTER(dr6, DR6_CLEAR);
}

/* Writes to the host's address; sees nothing of its watchpoint */
static GUEST void writes(__u64 rounds)
{
	sti();
	for (;;) {
		for (__u64 i = 0; i < rounds; i++)
			watched = i;
		GUEST_CHECK_EQ(READ_REGISTER(dr0), 0);
		GUEST_CHECK_EQ(READ_REGISTER(dr3), 0);
		GUEST_CHECK_EQ(READ_REGISTER(dr6), DR6_CLEAR);
		GUEST_CHECK_EQ(READ_REGISTER(dr7), DR7_CLEAR);
		outb(PORT_TEST, 0);
	}
}

/* The same, with a watchpoint of its own in the same register */
static GUEST void writes_and_watches(__u64 rounds)
{
	__u64 own = 0;

	WRITE_REGISTER(dr0, (uintptr_t)&guest_watched);
	WRITE_REGISTER(dr1, 0x1111);
	WRITE_REGISTER(dr2, 0x2222);
	WRITE_REGISTER(dr3, 0x3333);
	WRITE_REGISTER(dr7, DR7_WATCH_0);
	sti();
	for (;;) {
		for (__u64 i = 0; i < rounds; i++)
			watched = i;
		GUEST_CHECK_EQ(guest_hits, own);
		guest_watched = own++;
		GUEST_CHECK_EQ(guest_hits, own);
		GUEST_CHECK_EQ(READ_REGISTER(dr0), (uintptr_t)&guest_watched);
		GUEST_CHECK_EQ(READ_REGISTER(dr1), 0x1111);
		GUEST_CHECK_EQ(READ_REGISTER(dr2), 0x2222);
		GUEST_CHECK_EQ(READ_REGISTER(dr3), 0x3333);
		GUEST_CHECK_EQ(READ_REGISTER(dr6), DR6_CLEAR);
		GUEST_CHECK_EQ(READ_REGISTER(dr7), DR7_WATCH_0);
		outb(PORT_TEST, 0);
	}
}

static struct vcpu *start(void (*guest)(__u64), __u64 rounds)
{
	struct vcpu *vcpu = vm_with_vcpu();

	guest_hits = 0;
	guest_on(1, on_debug);
	vcpu_start(vcpu, MODE_LONG, RING0, guest, rounds);
	return vcpu;
}

/* Each write of ours is one hit, and nothing else is */
static void check_watch(int fd, struct vcpu *vcpu)
{
	__u64 before = hits(fd);

	run(vcpu);
	CHECK_EQ(hits(fd), before);
	guest_watched = 0;
	CHECK_EQ(hits(fd), before);
	watched = 1;
	CHECK_EQ(hits(fd), before + 1);
}

static void (*const guests[])(__u64) = { writes, writes_and_watches };

static void a_threads_watchpoint(void)
{
	int fd = watch(0, -1);

	share_cpu();
	for (unsigned int i = 0; i < ARRAY_SIZE(guests); i++) {
		struct vcpu *vcpu = start(guests[i], 1000);

		for (int rounds = 0; rounds < ROUNDS; rounds++)
			check_watch(fd, vcpu);
		vm_close(vcpu->vm);
	}
}

static void a_cpus_watchpoint(void)
{
	int fd = watch(-1, 0);

	share_cpu();
	for (unsigned int i = 0; i < ARRAY_SIZE(guests); i++) {
		struct vcpu *vcpu = start(guests[i], 1000);

		for (int rounds = 0; rounds < ROUNDS; rounds++)
			check_watch(fd, vcpu);
		vm_close(vcpu->vm);
	}
}

/* ---- from CPU to CPU */

static atomic_bool flip_stops;
static pthread_t flip_thread;

static void *flip(void *tid)
{
	for (int i = 0; !flip_stops; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % 2, &set);
		sched_setaffinity((intptr_t)tid, sizeof(set), &set);
		usleep(1000);
	}
	return NULL;
}

static void stop_flip(void *unused)
{
	(void)unused;
	flip_stops = true;
	pthread_join(flip_thread, NULL);
	run_anywhere();
}

static void watchpoints_travel(void)
{
	struct meters meters;
	struct vcpu *vcpu;
	int fd;

	if (cpus_online() < 2)
		SKIP("needs 2 CPUs");
	fd = watch(0, -1);
	flip_stops = false;
	CHECK_EQ(pthread_create(&flip_thread, NULL, flip, (void *)(intptr_t)gettid()), 0);
	ktap_defer(stop_flip, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(guests); i++) {
		vcpu = start(guests[i], 20000);
		meters = meters_open(vcpu->vm->id);
		for (int rounds = 0; rounds < ROUNDS; rounds++)
			check_watch(fd, vcpu);
		ktap_diag("%llu migrations", meters_read(&meters, 0).migrations);
		CHECK_GE(meters_read(&meters, 0).migrations, 3);
		vm_close(vcpu->vm);
	}
}

/* ---- under a debugger */

static void traced_launcher(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	for (unsigned int i = 0; i < ARRAY_SIZE(guests); i++) {
		struct vcpu *vcpu = start(guests[i], 1000);

		for (int rounds = 0; rounds < 5; rounds++) {
			run(vcpu);
			guest_watched = rounds;
			watched = rounds;	/* SIGTRAP */
		}
	}
	_exit(0);
}

static void a_debuggers_watchpoint(void)
{
	unsigned int traps = 0;
	int status;
	pid_t pid = CHECK_SYS(fork());

	if (!pid)
		traced_launcher();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_SYS(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), &watched));
	CHECK_SYS(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), (void *)0x90001));
	for (;;) {
		CHECK_SYS(ptrace(PTRACE_CONT, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0) & 0xf, 1);
		traps++;
	}
	CHECK_EQ(status, 0);
	CHECK_EQ(traps, 5 * ARRAY_SIZE(guests));
}

static const struct ktap_case cases[] = {
	{ "ports allowed one by one", ports_allowed_one_by_one },
	{ "ports forbidden", ports_forbidden },
	{ "all ports allowed", all_ports_allowed },
	{ "segment registers and bases", segment_registers },
	{ "an LDT that changes meanwhile", an_ldt_that_changes },	/* before the next: a child inherits its parent's */
	{ "segments of the LDT", segments_of_the_ldt },
	{ "system registers and extended state", system_and_extended_state },
	{ "general registers", general_registers },
	{ "a watchpoint of the launcher's thread", a_threads_watchpoint },
	{ "a watchpoint of a CPU", a_cpus_watchpoint },
	{ "watchpoints travel from CPU to CPU", watchpoints_travel },
	{ "a watchpoint set by a debugger", a_debuggers_watchpoint },
};
KTAP_MAIN(cases)
