// SPDX-License-Identifier: GPL-2.0
/*
 * The same as host_state.c for a 32-bit launcher, which lives by its segments: all of them are there after its guests
 * have run, and so are both its ways into the kernel.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <asm/ldt.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(sizeof(void *) == 4, "this program is to be built with -m32");

#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define ROUNDS			20

static GUEST void change_for_ever(void)
{
	sti();
	for (;;) {
		wrmsr(MSR_SYSENTER_CS, 0x18);
		wrmsr(MSR_SYSENTER_ESP, 0x1000);
		wrmsr(MSR_SYSENTER_EIP, 0x2000);
		asm volatile("lldt %w0" : : "r"(0));
		outb(PORT_TEST, 0);
	}
}

static struct vcpu *changing_guest(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_PROTECTED, RING0, change_for_ever, 0);
	return vcpu;
}

static void run(struct vcpu *vcpu)
{
	vcpu_expect_out(vcpu, PORT_TEST);
}

/* ------------------------------------------------------------------ segments */

struct segments {
	__u16 cs, ss, ds, es, fs, gs;
};

static struct segments store_segments(void)
{
	struct segments s;

	asm volatile("mov %%cs, %0\n\t"
		     "mov %%ss, %1\n\t"
		     "mov %%ds, %2\n\t"
		     "mov %%es, %3\n\t"
		     "mov %%fs, %4\n\t"
		     "mov %%gs, %5"
		     : "=m"(s.cs), "=m"(s.ss), "=m"(s.ds), "=m"(s.es), "=m"(s.fs), "=m"(s.gs));
	return s;
}

static volatile __u32 word = 0x12345678;

/* The library's own data is found by GS; FS is free: it sees @word alone */
static void check_segments(__u16 ds, __u16 fs)
{
	struct vcpu *vcpu = changing_guest();
	const struct segments before = store_segments();

	asm volatile("mov %0, %%ds\n\t"
		     "mov %0, %%es\n\t"
		     "mov %1, %%fs" : : "r"((__u32)ds), "r"((__u32)fs) : "memory");
	for (int i = 0; i < ROUNDS; i++) {
		struct segments now;
		__u32 seen;

		run(vcpu);
		now = store_segments();
		CHECK_EQ(now.cs, before.cs);
		CHECK_EQ(now.ss, before.ss);
		CHECK_EQ(now.ds, ds);
		CHECK_EQ(now.es, ds);
		CHECK_EQ(now.fs, fs);
		CHECK_EQ(now.gs, before.gs);
		asm volatile("mov %%fs:0, %0" : "=r"(seen));
		CHECK_EQ(seen, word);
	}
	asm volatile("mov %0, %%ds\n\t"
		     "mov %0, %%es\n\t"
		     "mov %1, %%fs" : : "r"((__u32)before.ds), "r"((__u32)before.fs) : "memory");
}

static void segments_of_the_gdt(void)
{
	struct user_desc tls = {
		.entry_number = -1, .base_addr = (uintptr_t)&word, .limit = 3, .seg_32bit = 1, .useable = 1,
	};

	CHECK_SYS(syscall(SYS_set_thread_area, &tls));
	check_segments(store_segments().ds, tls.entry_number << 3 | 3);
}

static void segments_of_the_ldt(void)
{
	struct user_desc flat = {
		.entry_number = 0, .limit = 0xfffff, .limit_in_pages = 1, .seg_32bit = 1, .useable = 1,
	};
	struct user_desc narrow = {
		.entry_number = 1, .base_addr = (uintptr_t)&word, .limit = 3, .seg_32bit = 1, .useable = 1,
	};

	CHECK_SYS(syscall(SYS_modify_ldt, 1, &flat, sizeof(flat)));
	CHECK_SYS(syscall(SYS_modify_ldt, 1, &narrow, sizeof(narrow)));
	check_segments(0 << 3 | 7, 1 << 3 | 7);
}

/* ------------------------------------------------------------------ system calls and ports */

static void system_calls(void)
{
	struct vcpu *vcpu = changing_guest();
	unsigned long vdso = getauxval(AT_SYSINFO);	/* SYSENTER, or SYSCALL */
	long pid = getpid(), seen;

	for (int i = 0; i < ROUNDS; i++) {
		run(vcpu);
		asm volatile("int $0x80" : "=a"(seen) : "0"(SYS_getpid) : "memory");
		CHECK_EQ(seen, pid);
		run(vcpu);
		asm volatile("call *%2" : "=a"(seen) : "0"(SYS_getpid), "r"(vdso) : "memory");
		CHECK_EQ(seen, pid);
	}
}

int ioperm(unsigned long from, unsigned long count, int on);	/* <sys/io.h> has it beside another inb() */
#define PORT_ALLOWED	0x80
#define PORT_FORBIDDEN	0x81

static void read_port(void *port)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 1));
	for (int i = 0; i < ROUNDS; i++) {
		run(vcpu);
		inb((uintptr_t)port);
	}
}

static void ports(void)
{
	CHECK_EQ(ktap_fork(read_port, (void *)PORT_ALLOWED), 0);
	CHECK_EQ(ktap_fork(read_port, (void *)PORT_FORBIDDEN), SIGSEGV);
}

static const struct ktap_case cases[] = {
	{ "segments of the GDT", segments_of_the_gdt },
	{ "segments of the LDT", segments_of_the_ldt },
	{ "system calls", system_calls },
	{ "ports", ports },
};
KTAP_MAIN(cases)
