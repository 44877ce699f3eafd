// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC in xAPIC mode, as it powers up: every register of its page, the ways between its modes, the timer,
 * errors, and messages to one's own and to other vCPUs in both models of logical destinations. By the SDM, vol. 3A,
 * "Advanced Programmable Interrupt Controller". What both modes share is apic.c's and smp.c's.
 */
#define _GNU_SOURCE
#include "apic.h"
#include "threads.h"

#include <string.h>

#define GP		13
#define NONE		GUEST_NO_FAULT
#define VECTOR		0x51
#define BASE		0xfee00900ULL	/* of vCPU 0, in xAPIC mode */
#define EXTD		(1ULL << 10)
#define ENABLED		(1ULL << 11)
#define LOGICAL		(1 << 11)
#define LOWEST		(1 << 8)
#define LINT0_RESET	MODE_EXTINT	/* in a VM with the 8259 pair */
#define MAX		4

static __u64 khz;
static volatile __u32 got[MAX];
static volatile __u8 last;

static GUEST void note(struct guest_frame *frame)
{
	last = frame->vector;
	__atomic_fetch_add(&got[xapic_read(APIC_ID) >> 24], 1, __ATOMIC_SEQ_CST);
}

static GUEST void note_and_eoi(struct guest_frame *frame)
{
	note(frame);
	xapic_write(APIC_EOI, 0);
}

/* Is @vector's bit set in ISR, TMR or IRR? */
static inline bool xapic_bit(__u32 first, __u8 vector)
{
	return xapic_read(first + vector / 32) >> (vector % 32) & 1;
}

static struct vm *new_vm(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC, .xapic = true);

	khz = device_info().tsc_khz;
	memset((void *)got, 0, sizeof(got));
	map_controllers(vm);
	return vm;
}

#define start(guest)	start_at((uintptr_t)(guest))
static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = vcpu_create(new_vm(), 0);

	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}

#define run_guest(guest)	CHECK_EQ(vcpu_finish(start(guest)), 0)

/* ------------------------------------------------------------------ registers */

/* The manual's table "Local APIC Register Address Map" */
static const struct reg {
	__u8 first, last;
	__u32 reset;
	__u32 zeroes;		/* what is read after zeroes are written */
	__u32 ones;		/* and after ones */
} regs[] = {
	{ 0x02, 0x02, 0, 0, 0 },
	{ 0x03, 0x03, 0x50014, 0x50014, 0x50014 },
	{ 0x08, 0x08, 0, 0, 0xff },
	{ 0x0a, 0x0a, 0, 0, 0xff },			/* it follows TPR */
	{ 0x0b, 0x0b, 0, 0, 0 },
	{ 0x0d, 0x0d, 0, 0, 0xff000000 },
	{ 0x0e, 0x0e, 0xffffffff, 0x0fffffff, 0xffffffff },
	{ 0x0f, 0x0f, 0xff, 0, 0x3ff },
	{ 0x10, 0x27, 0, 0, 0 },
	{ 0x28, 0x28, 0, 0, 0 },
	{ 0x31, 0x31, 0, 0, 0xff000000 },
	{ 0x33, 0x34, LVT_MASKED, 0, 0x107ff },
	{ 0x35, 0x35, LINT0_RESET, 0, 0x1a7ff },
	{ 0x36, 0x36, LVT_MASKED, 0, 0x1a7ff },
	{ 0x37, 0x37, LVT_MASKED, 0, 0x100ff },
	{ 0x38, 0x38, 0, 0, 0xffffffff },
	{ 0x3e, 0x3e, 0, 0, 0xb },
};

static volatile __u32 value[0x40];

static GUEST __u32 read_all(void)
{
	for (__u32 i = 0; i < ARRAY_SIZE(regs); i++)
		for (__u32 n = regs[i].first; n <= regs[i].last; n++)
			value[n] = xapic_read(X2APIC(n));
	value[0x30] = xapic_read(APIC_ICR);
	value[0x32] = xapic_read(APIC_LVT_TIMER);
	value[0x39] = xapic_read(APIC_CURRENT);
	xapic_write(APIC_ESR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0);
	return 0;
}

static void power_up(void)
{
	struct vm *vm = new_vm();
	struct vcpu *first = vcpu_create(vm, 0), *second = vcpu_create(vm, 1);

	CHECK_EQ(vcpu_get(first, TPZ_STATE_MSRS).msrs.apic_base, BASE);
	CHECK_EQ(vcpu_get(second, TPZ_STATE_MSRS).msrs.apic_base, BASE & ~0x100);
	vcpu_start(first, MODE_LONG, RING0, read_all, 0);
	CHECK_EQ(vcpu_finish(first), 0);
	for (__u32 i = 0; i < ARRAY_SIZE(regs); i++)
		for (__u32 n = regs[i].first; n <= regs[i].last; n++)
			CHECK_THAT(value[n] == regs[i].reset, "register %#x: %#x", n, value[n]);
	CHECK_EQ(value[0x30] | value[0x39], 0);
	CHECK_EQ(value[0x32], LVT_MASKED);
	vcpu_start(second, MODE_LONG, RING0, read_all, 0);
	CHECK_EQ(vcpu_finish(second), 0);
	CHECK_EQ(value[0x02], 1 << 24);
	CHECK_EQ(value[0x35], LVT_MASKED);
}

static GUEST __u32 write_all(void)
{
	xapic_write(APIC_SVR, SVR_ON);		/* else the local vector table stays masked */
	for (__u32 i = 0; i < ARRAY_SIZE(regs); i++)
		for (__u32 n = regs[i].first; n <= regs[i].last; n++) {
			if (n == 0x0a)
				continue;
			if (n != 0x0f) {
				xapic_write(X2APIC(n), 0);
				GUEST_CHECK_EQ(xapic_read(X2APIC(n)), regs[i].zeroes);
			}
			xapic_write(X2APIC(n), ~0);
			GUEST_CHECK_EQ(xapic_read(X2APIC(n)), regs[i].ones);
			if (n == 0x08)
				GUEST_CHECK_EQ(xapic_read(APIC_PPR), 0xff);
		}
	xapic_write(APIC_LVT_TIMER, ~(1U << 17));
	GUEST_CHECK_EQ(xapic_read(APIC_LVT_TIMER), 0x500ff);
	xapic_write(APIC_SVR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_SVR), 0);
	GUEST_CHECK_EQ(xapic_read(APIC_LVT_LINT1), 0x1a7ff);
	xapic_write(APIC_LVT_LINT1, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_LVT_LINT1), LVT_MASKED);
	xapic_write(APIC_ESR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0);
	return 0;
}

static void written_and_read(void)
{
	run_guest(write_all);
}

static bool known(__u32 n)
{
	for (__u32 i = 0; i < ARRAY_SIZE(regs); i++)
		if (n >= regs[i].first && n <= regs[i].last)
			return true;
	return n == 0x30 || n == 0x32 || n == 0x39;
}

static volatile __u32 error_of_read[0x100], error_of_write[0x100];

static GUEST __u32 touch_all(void)
{
	for (__u32 n = 0; n < 0x100; n++) {
		if (n == 0x30)
			continue;
		xapic_write(APIC_ESR, 0);
		xapic_read(X2APIC(n));
		xapic_write(APIC_ESR, 0);
		error_of_read[n] = xapic_read(APIC_ESR);
		xapic_write(X2APIC(n), n == 0x28 ? 0 : xapic_read(X2APIC(n)));
		xapic_write(APIC_ESR, 0);
		error_of_write[n] = xapic_read(APIC_ESR);
	}
	return 0;
}

static void unknown_registers(void)
{
	run_guest(touch_all);
	for (__u32 n = 0; n < 0x100; n++) {
		if (n == 0x30)
			continue;
		CHECK_THAT(error_of_read[n] == (known(n) ? 0 : 0x80), "read of %#x: %#x", n, error_of_read[n]);
		CHECK_THAT(error_of_write[n] == (known(n) ? 0 : 0x80), "write to %#x: %#x", n, error_of_write[n]);
	}
}

/* What is not 32 bits wide and aligned to 16 bytes is undefined: here it reads as 0, and does nothing */
static GUEST __u32 odd_accesses(void)
{
	const __u64 tpr = XAPIC + 0x80;

	xapic_write(APIC_TPR, 0x5a);
	GUEST_CHECK_EQ(*(volatile __u8 *)tpr, 0);
	GUEST_CHECK_EQ(*(volatile __u16 *)tpr, 0);
	GUEST_CHECK_EQ(*(volatile __u64 *)tpr, 0);
	GUEST_CHECK_EQ(*(volatile __u32 *)(tpr + 4), 0);
	GUEST_CHECK_EQ(*(volatile __u32 *)(tpr + 2), 0);
	*(volatile __u8 *)tpr = 0x11;
	*(volatile __u16 *)tpr = 0x11;
	*(volatile __u64 *)tpr = 0x11;
	*(volatile __u32 *)(tpr + 4) = 0x11;
	GUEST_CHECK_EQ(xapic_read(APIC_TPR), 0x5a);

	/* Forms that compilers use: a memory operand of AND, OR, XCHG */
	asm volatile("andl $0xf0, (%0)" : : "r"(tpr) : "memory");
	GUEST_CHECK_EQ(xapic_read(APIC_TPR), 0x50);
	asm volatile("orl $0x3, (%0)" : : "r"(tpr) : "memory");
	GUEST_CHECK_EQ(xapic_read(APIC_TPR), 0x53);
	GUEST_CHECK_EQ(READ_REGISTER(cr8), 5);
	return 0;
}

static void widths(void)
{
	run_guest(odd_accesses);
}

/* ------------------------------------------------------------------ modes */

static GUEST __u32 change_modes(void)
{
	__u32 a, b, c, d;

	GUEST_CHECK_EQ(rdmsr(MSR_APIC_BASE), BASE);
	for (__u32 n = 0; n < 0x40; n++)
		GUEST_CHECK_EQ(try_rdmsr(X2APIC(n)), GP);
	GUEST_CHECK_EQ(try_wrmsr(APIC_EOI, 0), GP);

	/* The base does not move, the BSP flag neither; reserved bits; EXTD without EN */
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE + 0x1000), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, 0x900), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE & ~0x100), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE | 1), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE | 1 << 9), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE | 1ULL << 52), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, (BASE & ~ENABLED) | EXTD), GP);

	/* xAPIC to x2APIC: what it holds stays, but for LDR */
	xapic_write(APIC_SVR, SVR_ON);
	xapic_write(APIC_TPR, 0x30);
	xapic_write(APIC_LDR, 0x80000000);
	xapic_write(APIC_LVT_ERROR, VECTOR);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE | EXTD), NONE);
	GUEST_CHECK_EQ(rdmsr(APIC_SVR), SVR_ON);
	GUEST_CHECK_EQ(rdmsr(APIC_TPR), 0x30);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_ERROR), VECTOR);
	GUEST_CHECK_EQ(rdmsr(APIC_LDR), 1);
	GUEST_CHECK_EQ(rdmsr(APIC_ID), 0);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE), GP);

	/* Off: it forgets, and CPUID tells that it is not there */
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE & ~ENABLED), NONE);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_CHECK_EQ(d >> 9 & 1, 0);
	GUEST_CHECK_EQ(try_rdmsr(APIC_ID), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE | EXTD), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, BASE), NONE);
	cpuid(1, 0, &a, &b, &c, &d);
	GUEST_CHECK_EQ(d >> 9 & 1, 1);
	GUEST_CHECK_EQ(xapic_read(APIC_SVR), 0xff);
	GUEST_CHECK_EQ(xapic_read(APIC_TPR), 0);
	GUEST_CHECK_EQ(xapic_read(APIC_LDR), 0);
	GUEST_CHECK_EQ(xapic_read(APIC_LVT_ERROR), LVT_MASKED);
	return 0;
}

static void modes(void)
{
	run_guest(change_modes);
}

static GUEST __u32 leave_and_look(__u64 base)
{
	wrmsr(MSR_APIC_BASE, base);
	return *(volatile __u32 *)(XAPIC + 0x30);
}

/* In x2APIC mode, and switched off, its page is the launcher's; in a VM without local APICs too */
static void nobodys_page(void)
{
	static const __u64 bases[] = { BASE | EXTD, BASE & ~ENABLED };

	for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++) {
		struct vcpu *vcpu = vcpu_create(new_vm(), 0);
		__u32 answer = 0x1234567;

		vcpu_start(vcpu, MODE_LONG, RING0, leave_and_look, bases[i]);
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.gpa, XAPIC_GPA + 0x30);
		CHECK_EQ(vcpu->run->mmio.bytes, 4);
		memcpy((void *)vcpu->data, &answer, 4);
		CHECK_EQ(vcpu_finish(vcpu), answer);
	}
}

/* ------------------------------------------------------------------ messages to oneself, priorities, errors */

static inline void send(__u8 destination, __u32 icr)
{
	xapic_write(APIC_ICR_HIGH, destination << 24);
	xapic_write(APIC_ICR, icr);
}

static GUEST __u32 message_oneself(void)
{
	static const struct { __u8 destination; __u32 icr; bool arrives; } messages[] = {
		{ 0, VECTOR, true }, { 1, VECTOR, false }, { 0xff, VECTOR, true },
		{ 4, LOGICAL | VECTOR, true }, { 6, LOGICAL | VECTOR, true }, { 8, LOGICAL | VECTOR, false },
		{ 0, LOGICAL | VECTOR, false }, { 0xff, LOGICAL | VECTOR, true },
		{ 4, LOGICAL | LOWEST | VECTOR, true }, { 0, LOWEST | VECTOR, true },
		{ 7, TO_SELF | VECTOR, true }, { 7, TO_ALL | VECTOR, true }, { 0, TO_OTHERS | VECTOR, false },
	};

	xapic_write(APIC_SVR, SVR_ON);
	xapic_write(APIC_LDR, 4 << 24);
	for (__u32 i = 0; i < ARRAY_SIZE(messages); i++) {
		__u32 before = got[0];

		send(messages[i].destination, messages[i].icr);
		GUEST_CHECK_EQ(xapic_read(APIC_ICR), messages[i].icr);
		GUEST_CHECK_EQ(xapic_read(APIC_ICR_HIGH), (__u32)messages[i].destination << 24);
		GUEST_CHECK_EQ(xapic_bit(APIC_IRR, VECTOR), messages[i].arrives);
		window();
		GUEST_CHECK_EQ(got[0] - before, messages[i].arrives);
	}
	send(0, MODE_NMI);
	GUEST_CHECK_EQ(last, 2);
	return 0;
}

static void to_oneself(void)
{
	guest_on(VECTOR, note_and_eoi);
	guest_on(2, note);
	run_guest(message_oneself);
}

static GUEST __u32 nest(void)
{
	xapic_write(APIC_SVR, SVR_ON);
	send(0, TO_SELF | 0x45);
	window();
	GUEST_CHECK_EQ(xapic_bit(APIC_ISR, 0x45), 1);
	GUEST_CHECK_EQ(xapic_read(APIC_PPR), 0x40);
	send(0, TO_SELF | 0x4f);
	window();
	GUEST_CHECK_EQ(last, 0x45);		/* its class waits */
	send(0, TO_SELF | 0x81);
	window();
	GUEST_CHECK_EQ(last, 0x81);
	xapic_write(APIC_EOI, 0xffffffff);
	GUEST_CHECK_EQ(xapic_bit(APIC_ISR, 0x81), 0);
	xapic_write(APIC_TPR, 0x50);
	xapic_write(APIC_EOI, 0);
	window();
	GUEST_CHECK_EQ(last, 0x81);
	xapic_write(APIC_TPR, 0x3f);
	window();
	GUEST_CHECK_EQ(last, 0x4f);
	GUEST_CHECK_EQ(xapic_read(APIC_PPR), 0x40);
	xapic_write(APIC_EOI, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_PPR), 0x3f);
	return 0;
}

static void priorities(void)
{
	guest_on(0x45, note);
	guest_on(0x4f, note);
	guest_on(0x81, note);
	run_guest(nest);
}

static GUEST __u32 errors(void)
{
	xapic_write(APIC_SVR, SVR_ON);
	send(0, TO_SELF | 5);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0);
	xapic_write(APIC_ESR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0x60);
	xapic_write(APIC_ESR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0);
	xapic_write(APIC_LVT_ERROR, VECTOR);
	xapic_read(X2APIC(0x3f));
	window();
	GUEST_CHECK_EQ(got[0], 1);
	xapic_read(X2APIC(0x3f));
	window();
	GUEST_CHECK_EQ(got[0], 1);		/* until ESR is written */
	xapic_write(APIC_ESR, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_ESR), 0x80);
	xapic_write(X2APIC(0x3f), 0);
	window();
	GUEST_CHECK_EQ(got[0], 2);
	return 0;
}

static void error_status(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(errors);
}

/* ------------------------------------------------------------------ timer */

static GUEST __u32 tick(void)
{
	__u32 count;

	xapic_write(APIC_SVR, SVR_ON);
	xapic_write(APIC_DIVIDE, DIVIDE_BY_1);
	xapic_write(APIC_LVT_TIMER, TIMER_ONE_SHOT | VECTOR);
	xapic_write(APIC_INITIAL, 30000000);
	count = xapic_read(APIC_CURRENT);
	GUEST_CHECK_EQ(count <= 30000000, 1);
	GUEST_CHECK_EQ(xapic_read(APIC_CURRENT) <= count, 1);
	while (!got[0])
		wait_for_interrupt();
	GUEST_CHECK_EQ(xapic_read(APIC_CURRENT), 0);
	GUEST_CHECK_EQ(xapic_read(APIC_INITIAL), 30000000);

	xapic_write(APIC_LVT_TIMER, TIMER_PERIODIC | VECTOR);
	xapic_write(APIC_INITIAL, 2000000);
	while (got[0] < 6)
		wait_for_interrupt();
	xapic_write(APIC_INITIAL, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_CURRENT), 0);
	window();

	got[0] = 0;
	xapic_write(APIC_LVT_TIMER, TIMER_DEADLINE | VECTOR);
	__u64 deadline = rdtsc() + khz * 5;

	wrmsr(MSR_DEADLINE, deadline);
	while (!got[0])
		wait_for_interrupt();
	GUEST_CHECK_EQ(rdtsc() >= deadline, 1);
	xapic_write(APIC_INITIAL, 1000000);	/* ignored */
	GUEST_CHECK_EQ(xapic_read(APIC_CURRENT) | xapic_read(APIC_INITIAL), 0);
	return 0;
}

static void timer(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(tick);
}

/* ------------------------------------------------------------------ several vCPUs */

#define FLAT		0xffffffffU
#define CLUSTERS	0x0fffffffU

static volatile __u32 ready, model;
static volatile bool done;

/* Flat: a bit for each. Clusters: two of two */
static inline __u32 logical_id(__u32 id)
{
	return (model == FLAT ? 1 << id : (id / 2) << 4 | 1 << id % 2) << 24;
}

static inline void listen(void)
{
	xapic_write(APIC_SVR, SVR_ON);
	xapic_write(APIC_DFR, model);
	xapic_write(APIC_LDR, logical_id(xapic_read(APIC_ID) >> 24));
}

static GUEST __u32 sleeper(void)
{
	listen();
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!done)
		wait_for_interrupt();
	return 0;
}

static GUEST void dismiss(void)
{
	done = true;
	send(0, TO_OTHERS | VECTOR);
}

struct message {
	__u32 model;		/* 0: any */
	__u8 destination;
	__u32 icr;
	__u32 receivers;
};

static const struct message messages[] = {
	{ 0, 0, 0, 1 }, { 0, 3, 0, 8 }, { 0, 4, 0, 0 }, { 0, 0xff, 0, 15 },
	{ 0, 9, TO_SELF, 1 }, { 0, 9, TO_ALL, 15 }, { 0, 9, TO_OTHERS, 14 }, { 0, 0xff, LOGICAL, 15 },
	{ FLAT, 1, LOGICAL, 1 }, { FLAT, 4, LOGICAL, 4 }, { FLAT, 0xa, LOGICAL, 10 }, { FLAT, 0xf0, LOGICAL, 0 },
	{ FLAT, 0, LOGICAL, 0 }, { FLAT, 0xf3, LOGICAL, 3 },
	{ CLUSTERS, 0x01, LOGICAL, 1 }, { CLUSTERS, 0x03, LOGICAL, 3 }, { CLUSTERS, 0x13, LOGICAL, 12 },
	{ CLUSTERS, 0x12, LOGICAL, 8 }, { CLUSTERS, 0x23, LOGICAL, 0 }, { CLUSTERS, 0x1c, LOGICAL, 0 },
};

static GUEST __u32 send_each(void)
{
	__u32 expected[MAX] = { 0, 0, 0, 0 };

	listen();
	wait_until(&ready, MAX - 1);
	for (__u32 i = 0; i < 5 * ARRAY_SIZE(messages); i++) {
		const struct message *m = &messages[i % ARRAY_SIZE(messages)];

		if (m->model && m->model != model)
			continue;
		send(m->destination, m->icr | VECTOR);
		for (__u32 id = 0; id < MAX; id++) {
			expected[id] += m->receivers >> id & 1;
			wait_until(&got[id], expected[id]);
		}
	}
	for (__u32 id = 0; id < MAX; id++)
		GUEST_CHECK_EQ(got[id], expected[id]);
	dismiss();
	return 0;
}

static inline __u32 sum(void)
{
	return got[0] + got[1] + got[2] + got[3];
}

static GUEST __u32 send_lowest(void)
{
	const __u8 all = model == FLAT ? 0xf : 0xff, some = model == FLAT ? 0xc : 0x13;

	listen();
	wait_until(&ready, MAX - 1);
	for (__u32 i = 1; i <= 100; i++) {
		send(all, LOGICAL | LOWEST | VECTOR);
		while (sum() < i)
			window();
		GUEST_CHECK_EQ(sum(), i);
	}
	for (__u32 id = 0; id < MAX; id++)
		GUEST_CHECK_EQ(got[id] > 0, 1);
	const __u32 first = got[0] + got[1];

	for (__u32 i = 1; i <= 20; i++) {
		send(some, LOGICAL | LOWEST | VECTOR);
		while (sum() < 100 + i)
			window();
	}
	GUEST_CHECK_EQ(got[0] + got[1], first);
	dismiss();
	return 0;
}

static void run_four(uintptr_t first)
{
	static const __u32 models[] = { FLAT, CLUSTERS };

	guest_on(VECTOR, note_and_eoi);
	for (unsigned int i = 0; i < ARRAY_SIZE(models); i++) {
		struct vm *vm = new_vm();
		struct runner r[MAX];

		ready = 0;
		done = false;
		model = models[i];
		for (unsigned int id = 0; id < MAX; id++)
			vcpu_start_at(vcpu_create(vm, id), MODE_LONG, RING0, id ? (uintptr_t)sleeper : first, 0);
		for (unsigned int id = 0; id < MAX; id++)
			runner_start(&r[id], vm->vcpus[id]);
		runners_join(r, MAX);
		for (unsigned int id = 0; id < MAX; id++)
			CHECK_EQ(r[id].result, 0);
		vm_close(vm);
	}
}

static void destinations(void)
{
	run_four((uintptr_t)send_each);
}

static void lowest_priority(void)
{
	run_four((uintptr_t)send_lowest);
}

extern const char smp_ap_begin[], smp_ap_end[];
#define COUNTER		0xff0		/* guest-physical: where smp.S counts */
#define AP_PAGE		(GUEST_REAL_CODE >> 12)

static volatile __u32 *volatile counter = (volatile __u32 *)COUNTER;

static GUEST __u32 start_other(void)
{
	send(1, 0x4500);
	send(1, 0x4600 | AP_PAGE);
	wait_until(counter, 1);
	send(1, 0x4600 | AP_PAGE);
	send(1, 0x8500);			/* INIT's de-assert: for nobody */
	return 0;
}

static void boots(void)
{
	struct vm *vm = new_vm();
	struct runner r[2];

	vcpu_start(vcpu_create(vm, 0), MODE_LONG, RING0, start_other, 0);
	vcpu_create(vm, 1);
	vcpu_load(vm->vcpus[0], GUEST_REAL_CODE, smp_ap_begin, smp_ap_end);
	for (unsigned int id = 0; id < 2; id++)
		runner_start(&r[id], vm->vcpus[id]);
	runners_join(r, 2);
	CHECK_EQ(r[0].result, 0);
	CHECK_EQ(r[1].result, AP_PAGE << 8);
	CHECK_EQ(vcpu_get(vm->vcpus[1], TPZ_STATE_MSRS).msrs.apic_base, BASE & ~0x100);
}

/* ------------------------------------------------------------------ the state group */

static GUEST __u32 fill(void)
{
	xapic_write(APIC_SVR, SVR_ON);
	xapic_write(APIC_LDR, 0x12000000);
	xapic_write(APIC_DFR, CLUSTERS);
	xapic_write(APIC_TPR, 0x20);
	send(0x77, 0x4000 | VECTOR);
	send(0, TO_SELF | 0x33);
	outl(PORT_TEST, 0);
	GUEST_CHECK_EQ(xapic_read(APIC_LDR), 0x12000000);
	GUEST_CHECK_EQ(xapic_read(APIC_DFR), CLUSTERS);
	GUEST_CHECK_EQ(xapic_read(APIC_ICR_HIGH), 0);
	GUEST_CHECK_EQ(xapic_bit(APIC_IRR, 0x33), 1);
	send(0x12, LOGICAL | VECTOR);
	window();
	GUEST_CHECK_EQ(got[0], 2);
	return 0;
}

static void put_reg(struct tpz_state *state, unsigned int n, __u32 to)
{
	memcpy(state->lapic.regs + 16 * n, &to, 4);
}

static void refused(struct vcpu *vcpu, struct tpz_state state, const char *field)
{
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_LAPIC);
	CHECK_THAT(strstr(state.bad_field, field), "'%s' does not name %s", state.bad_field, field);
}

static void state_moves(void)
{
	static const struct { unsigned int reg; __u32 value; const char *field; } bad[] = {
		{ 0x02, 1, "ID" }, { 0x02, 1 << 24, "ID" }, { 0x03, 0x14, "version" },
		{ 0x0d, 0x12000001, "LDR" }, { 0x0e, 0x0ffffffe, "DFR" }, { 0x0e, 1, "DFR" },
	};
	struct vcpu *vcpu, *other;
	struct tpz_state state, again;

	guest_on(VECTOR, note_and_eoi);
	guest_on(0x33, note_and_eoi);
	vcpu = start(fill);
	vcpu_expect_out(vcpu, PORT_TEST);
	state = vcpu_get(vcpu, TPZ_STATE_ALL & ~TPZ_STATE_FPU);
	other = vcpu_create(new_vm(), 0);
	memcpy(other->vm->memory, vcpu->vm->memory, VM_BYTES);
	vcpu_set(other, &state);
	again = vcpu_get(other, TPZ_STATE_LAPIC);
	CHECK(!memcmp(&again.lapic, &state.lapic, sizeof(state.lapic)));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		again = state;
		again.groups = TPZ_STATE_LAPIC;
		put_reg(&again, bad[i].reg, bad[i].value);
		refused(other, again, bad[i].field);
	}
	CHECK_EQ(vcpu_finish(other), 0);
}

static const struct ktap_case cases[] = {
	{ "registers after power-up", power_up },
	{ "what is written is read, but for reserved bits", written_and_read },
	{ "registers that are none are errors", unknown_registers },
	{ "odd widths and places; other instructions", widths },
	{ "IA32_APIC_BASE: xAPIC, x2APIC, off and back", modes },
	{ "outside xAPIC mode the page is the launcher's", nobodys_page },
	{ "ICR: all ways to address oneself, and nobody", to_oneself },
	{ "priorities, nesting, EOI", priorities },
	{ "error status and error interrupt", error_status },
	{ "timer: each mode", timer },
	{ "four vCPUs: messages by physical, flat and cluster destinations", destinations },
	{ "four vCPUs: lowest priority", lowest_priority },
	{ "a vCPU starts another by INIT and STARTUP", boots },
	{ "state: moved, and bad values refused", state_moves },
};
KTAP_MAIN(cases)
