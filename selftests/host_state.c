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
#include <sys/io.h>
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

static GUEST __u32 change_for_ever(__u64 unused)
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

/* ------------------------------------------------------------------ I/O ports */

/* Read by the kernel's own delay loops, without effect; its neighbour is as harmless */
#define PORT_ALLOWED	0x80
#define PORT_FORBIDDEN	0x81

static void read_forbidden(void *vcpu)
{
	if (vcpu)
		run(vcpu);
	inb(PORT_FORBIDDEN);
}

static void the_io_bitmap(void)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 1));
	inb(PORT_ALLOWED);
	for (int i = 0; i < 20; i++) {
		run(vcpu);
		inb(PORT_ALLOWED);	/* or SIGSEGV */
		if (i % 4 == 3)
			sched_yield();
	}
	CHECK_EQ(WTERMSIG(ktap_fork(read_forbidden, NULL)), SIGSEGV);
	run(vcpu);
	inb(PORT_ALLOWED);
	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 0));
}

/* A child has no VM of its parent's: it makes its own */
static void read_after_guest(void *port)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(ioperm(PORT_ALLOWED, 1, 1));
	run(vcpu);
	inb((uintptr_t)port);
}

static void what_the_io_bitmap_forbids(void)
{
	CHECK_EQ(ktap_fork(read_after_guest, (void *)PORT_ALLOWED), 0);
	CHECK_EQ(WTERMSIG(ktap_fork(read_after_guest, (void *)PORT_FORBIDDEN)), SIGSEGV);
}

static void all_ports(void)
{
	struct vcpu *vcpu = changing_guest();

	CHECK_SYS(iopl(3));
	for (int i = 0; i < 5; i++) {
		run(vcpu);
		inb(PORT_FORBIDDEN);
	}
	CHECK_SYS(iopl(0));
}
