// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC in x2APIC mode, against the tables and rules of the SDM, vol. 3A, "Advanced Programmable Interrupt
 * Controller": every register and reserved bit, the timer in its three modes, IPIs, priorities, EOI, and HLT.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#define GP	13
#define NONE	GUEST_NO_FAULT
#define VECTOR	0x51		/* where only one is needed */
#define NOBODY	(0xeeULL << 32)	/* ICR: a destination that does not exist */

static __u64 khz;		/* of the TSC, for the guest too */

/* What the interrupt handler saw, in order */
static volatile __u32 taken;
static volatile __u8 vectors[32];
static volatile __u64 taken_at[32];

static GUEST void note(struct guest_frame *frame)
{
	__u32 n = taken % 32;

	vectors[n] = frame->vector;
	taken_at[n] = rdtsc();
	taken++;
}

static GUEST void note_and_eoi(struct guest_frame *frame)
{
	note(frame);
	wrmsr(APIC_EOI, 0);
}

static inline __u64 cycles_of_us(__u64 us)
{
	return us * khz / 1000;
}

/* Interrupts off. CLI: see spin_off() in apic.h */
static inline void spin_us(__u64 us)
{
	__u64 end = rdtsc() + cycles_of_us(us);

	while (rdtsc() < end)
		spin_off();
}

#define start(guest, argument)	start_at((uintptr_t)(guest), argument)
static struct vcpu *start_at(uintptr_t guest, __u64 argument)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	khz = device_info().tsc_khz;
	taken = 0;
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, argument);
	return vcpu;
}

/* The guest's checks are its own; it returns 0 */
#define run_guest(guest, argument)	CHECK_EQ(vcpu_finish(start(guest, argument)), 0)

/* ------------------------------------------------------------------ registers */

/* The manual's table, "Local APIC Register Address Map Supported by x2APIC"; all others raise #GP */
static const struct reg {
	__u8 first, last;
	bool read, write;
	__u64 writable;		/* bits that may be written with 1 */
	__u64 reset;		/* of vCPU 0 in a VM with the 8259 pair */
} regs[] = {
	{ 0x02, 0x02, true,  false, 0, 0 },
	{ 0x03, 0x03, true,  false, 0, 0x50014 },
	{ 0x08, 0x08, true,  true,  0xff, 0 },
	{ 0x0a, 0x0a, true,  false, 0, 0 },
	{ 0x0b, 0x0b, false, true,  0, 0 },
	{ 0x0d, 0x0d, true,  false, 0, 1 },
	{ 0x0f, 0x0f, true,  true,  0x3ff, 0xff },
	{ 0x10, 0x27, true,  false, 0, 0 },
	{ 0x28, 0x28, true,  true,  0, 0 },
	{ 0x30, 0x30, true,  true,  0xffffffff000cdfffULL, 0 },
	{ 0x32, 0x32, true,  true,  0x710ff, LVT_MASKED },
	{ 0x33, 0x34, true,  true,  0x117ff, LVT_MASKED },
	{ 0x35, 0x35, true,  true,  0x1f7ff, MODE_EXTINT },
	{ 0x36, 0x36, true,  true,  0x1f7ff, LVT_MASKED },
	{ 0x37, 0x37, true,  true,  0x110ff, LVT_MASKED },
	{ 0x38, 0x38, true,  true,  0xffffffff, 0 },
	{ 0x39, 0x39, true,  false, 0, 0 },
	{ 0x3e, 0x3e, true,  true,  0xb, 0 },
	{ 0x3f, 0x3f, false, true,  0xff, 0 },
};

static const struct reg *find_reg(__u32 n)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++)
		if (n >= regs[i].first && n <= regs[i].last)
			return &regs[i];
	return NULL;
}

#define MSRS	0x100
static volatile __u64 read_fault[MSRS], write_fault[MSRS], value[MSRS], refused[MSRS];

static GUEST __u32 read_all(void)
{
	for (__u32 n = 0; n < MSRS; n++) {
		read_fault[n] = try_rdmsr(0x800 + n);
		if (read_fault[n] == NONE)
			value[n] = rdmsr(0x800 + n);
	}
	return 0;
}

static void reset_values(void)
{
	run_guest(read_all, 0);
	for (__u32 n = 0; n < MSRS; n++) {
		const struct reg *reg = find_reg(n);

		CHECK_THAT(read_fault[n] == (reg && reg->read ? NONE : GP), "MSR %#x: %#llx", 0x800 + n, read_fault[n]);
		if (reg && reg->read)
			CHECK_THAT(value[n] == reg->reset, "MSR %#x: %#llx", 0x800 + n, value[n]);
	}
}

static GUEST __u32 write_all(void)
{
	for (__u32 n = 0; n < MSRS; n++)
		write_fault[n] = try_wrmsr(0x800 + n, n == 0x30 ? NOBODY : 0);
	return 0;
}

static void write_permissions(void)
{
	run_guest(write_all, 0);
	for (__u32 n = 0; n < MSRS; n++) {
		const struct reg *reg = find_reg(n);

		CHECK_THAT(write_fault[n] == (reg && reg->write ? NONE : GP), "MSR %#x: %#llx", 0x800 + n,
			   write_fault[n]);
	}
}

static GUEST __u32 write_each_bit(void)
{
	for (__u32 i = 0; i < ARRAY_SIZE(regs); i++) {
		__u32 n = regs[i].first;

		if (!regs[i].write)
			continue;
		for (; n <= regs[i].last; n++) {
			refused[n] = 0;
			for (__u32 bit = 0; bit < 64; bit++) {
				__u64 data = 1ULL << bit;

				if (n == 0x30 && bit < 32)
					data |= NOBODY;
				if (try_wrmsr(0x800 + n, data) != NONE)
					refused[n] |= 1ULL << bit;
			}
		}
	}
	GUEST_CHECK_EQ(try_wrmsr(APIC_LVT_TIMER, 3 << 17), GP);
	return 0;
}

static void reserved_bits(void)
{
	run_guest(write_each_bit, 0);
	for (__u32 n = 0; n < MSRS; n++) {
		const struct reg *reg = find_reg(n);

		if (reg && reg->write)
			CHECK_THAT(refused[n] == ~reg->writable, "MSR %#x refuses %#llx", 0x800 + n, refused[n]);
	}
}

/* What was written is read again, but for read-only bits */
static GUEST __u32 read_back(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	GUEST_CHECK_EQ(rdmsr(APIC_SVR), SVR_ON);
	wrmsr(APIC_TPR, 0x5a);
	GUEST_CHECK_EQ(rdmsr(APIC_TPR), 0x5a);
	GUEST_CHECK_EQ(rdmsr(APIC_PPR), 0x5a);
	wrmsr(APIC_LVT_TIMER, 0x710ff & ~(1 << 17));
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_TIMER), 0x500ff);
	wrmsr(APIC_LVT_THERMAL, 0x117ff);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_THERMAL), 0x107ff);
	wrmsr(APIC_LVT_PERF, 0x104ff);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_PERF), 0x104ff);
	wrmsr(APIC_LVT_LINT1, 0x1f7ff);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_LINT1), 0x1a7ff);
	wrmsr(APIC_LVT_ERROR, 0x110ff);
	GUEST_CHECK_EQ(rdmsr(APIC_LVT_ERROR), 0x100ff);
	wrmsr(APIC_DIVIDE, 0xb);
	GUEST_CHECK_EQ(rdmsr(APIC_DIVIDE), 0xb);
	wrmsr(APIC_ICR, NOBODY | 0x98fe);
	GUEST_CHECK_EQ(rdmsr(APIC_ICR), NOBODY | 0x88fe);
	return 0;
}

static void values_read_back(void)
{
	run_guest(read_back, 0);
}

/* A software-disabled APIC has its local vector table masked, and takes no IPI */
static GUEST __u32 switch_off(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 msr = APIC_LVT_TIMER; msr <= APIC_LVT_ERROR; msr++)
		wrmsr(msr, 0x60);
	wrmsr(APIC_SVR, 0xff);
	for (__u32 msr = APIC_LVT_TIMER; msr <= APIC_LVT_ERROR; msr++) {
		GUEST_CHECK_EQ(rdmsr(msr), LVT_MASKED | 0x60);
		wrmsr(msr, 0x61);
		GUEST_CHECK_EQ(rdmsr(msr), LVT_MASKED | 0x61);
	}
	wrmsr(APIC_SELF_IPI, VECTOR);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	return 0;
}

static void software_disabled(void)
{
	run_guest(switch_off, 0);
}

static GUEST __u32 move_base(void)
{
	__u64 base = rdmsr(MSR_APIC_BASE);

	GUEST_CHECK_EQ(base, 0xfee00d00);
	wrmsr(MSR_APIC_BASE, base);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base & ~0x800), GP);	/* EXTD without EN */
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base & ~0x400), GP);	/* x2APIC to xAPIC */
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base & ~0x100), GP);	/* not the BSP */
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base + 0x1000), GP);
	for (__u32 bit = 0; bit < 64; bit++)
		if (bit < 8 || bit == 9 || bit >= 52)
			GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base | 1ULL << bit), GP);
	GUEST_CHECK_EQ(rdmsr(MSR_APIC_BASE), base);

	wrmsr(MSR_APIC_BASE, base & ~0xc00);				/* off */
	GUEST_CHECK_EQ(rdmsr(MSR_APIC_BASE), base & ~0xc00);
	GUEST_CHECK_EQ(try_rdmsr(APIC_ID), GP);
	GUEST_CHECK_EQ(try_wrmsr(APIC_EOI, 0), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_APIC_BASE, base), GP);		/* off to x2APIC */

	wrmsr(MSR_APIC_BASE, base & ~0x400);				/* off to xAPIC: its MSRs are not there */
	GUEST_CHECK_EQ(rdmsr(MSR_APIC_BASE), base & ~0x400);
	GUEST_CHECK_EQ(try_rdmsr(APIC_ID), GP);
	wrmsr(MSR_APIC_BASE, base & ~0xc00);
	wrmsr(MSR_APIC_BASE, base & ~0x400);
	wrmsr(MSR_APIC_BASE, base);					/* and by it to x2APIC */
	GUEST_CHECK_EQ(rdmsr(APIC_ID), 0);
	GUEST_CHECK_EQ(rdmsr(APIC_LDR), 1);
	return 0;
}

static void base_register(void)
{
	run_guest(move_base, 0);
}

/* A VM without the device: its MSRs are not there */
static GUEST __u32 no_apic(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	GUEST_CHECK_EQ(edx >> 9 & 1, 0);
	GUEST_CHECK_EQ(ecx >> 21 & 1, 0);
	GUEST_CHECK_EQ(ecx >> 24 & 1, 0);
	for (__u32 n = 0; n < MSRS; n++)
		GUEST_CHECK_EQ(try_rdmsr(0x800 + n), GP);
	GUEST_CHECK_EQ(try_rdmsr(MSR_APIC_BASE), GP);
	GUEST_CHECK_EQ(try_rdmsr(MSR_DEADLINE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_DEADLINE, 0), GP);
	return 0;
}

static void absent(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, no_apic, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* ------------------------------------------------------------------ the timer */

static inline void timer_mode(__u32 lvt)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_DIVIDE, DIVIDE_BY_1);
	wrmsr(APIC_LVT_TIMER, lvt);
}

static inline void wait_until_taken(__u32 count)
{
	while (taken < count)
		wait_for_interrupt();
}

static volatile __u64 began;

/*
 * Durations are long, because the lab's machine is slow: an exit may take a millisecond of its time. At 1 GHz: 50 ms
 */
#define COUNT	50000000

static GUEST __u32 one_shot(__u64 divide)
{
	timer_mode(TIMER_ONE_SHOT | VECTOR);
	wrmsr(APIC_DIVIDE, divide);
	began = rdtsc();
	wrmsr(APIC_INITIAL, COUNT);
	wait_until_taken(1);
	GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);
	GUEST_CHECK_EQ(rdmsr(APIC_INITIAL), COUNT);
	spin_us(120000);
	window();
	GUEST_CHECK_EQ(taken, 1);
	return 0;
}

/* Never early by more than the host's clock may be disciplined; late by what a loaded machine makes of it */
static void check_duration(__u64 cycles, __u64 ns)
{
	__u64 took = cycles * 1000000 / khz;

	CHECK_GE(took, ns - ns / 50);
	CHECK_LT(took, ns * 2 + 100000000);
}

static void timer_one_shot(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(one_shot, DIVIDE_BY_1);
	CHECK_EQ(vectors[0], VECTOR);
	check_duration(taken_at[0] - began, COUNT);
	run_guest(one_shot, 0);		/* by 2 */
	check_duration(taken_at[0] - began, 2 * COUNT);
}

static GUEST __u32 periodic(__u64 ticks)
{
	timer_mode(TIMER_PERIODIC | VECTOR);
	began = rdtsc();
	wrmsr(APIC_INITIAL, COUNT);
	wait_until_taken(ticks);
	wrmsr(APIC_INITIAL, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);
	window();
	__u32 count = taken;

	spin_us(150000);
	window();
	GUEST_CHECK_EQ(taken, count);
	return 0;
}

static void timer_periodic(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(periodic, 8);
	check_duration(taken_at[7] - began, 8 * COUNT);
}

/* The current count falls at the pace that each divisor tells */
static volatile __u64 dropped[8], passed[8];
static const __u8 divide_values[8] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };

static GUEST __u32 count_down(void)
{
	timer_mode(TIMER_ONE_SHOT | LVT_MASKED | VECTOR);
	for (__u32 i = 0; i < 8; i++) {
		wrmsr(APIC_DIVIDE, divide_values[i]);
		wrmsr(APIC_INITIAL, 1000000000);
		__u64 start = rdtsc(), first = rdmsr(APIC_CURRENT);

		spin_us(50000);
		__u64 last = rdmsr(APIC_CURRENT);

		passed[i] = rdtsc() - start;
		dropped[i] = first - last;
		GUEST_CHECK_EQ(first <= 1000000000 && last < first, 1);
	}
	return 0;
}

static void timer_divisors(void)
{
	run_guest(count_down, 0);
	for (unsigned int i = 0; i < 8; i++) {
		__u64 by_timer = dropped[i] << i, by_tsc = passed[i] * 1000000 / khz;

		CHECK_THAT(by_timer * 10 >= by_tsc * 8 && by_timer * 8 <= by_tsc * 10,
			   "divide by %u: %llu ns by the timer, %llu by the TSC", 1 << i, by_timer, by_tsc);
	}
}

/* A new divisor while it counts: it goes on from where it is */
static GUEST __u32 change_divisor(void)
{
	timer_mode(TIMER_ONE_SHOT | LVT_MASKED | VECTOR);
	wrmsr(APIC_INITIAL, 1000000000);
	spin_us(20000);
	__u64 before = rdmsr(APIC_CURRENT);

	wrmsr(APIC_DIVIDE, 0xa);
	__u64 after = rdmsr(APIC_CURRENT);

	GUEST_CHECK_EQ(after <= before, 1);
	GUEST_CHECK_EQ(before - after < 20000000, 1);
	wrmsr(APIC_INITIAL, 0);
	wrmsr(APIC_DIVIDE, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);
	return 0;
}

static void timer_change_divisor(void)
{
	run_guest(change_divisor, 0);
}

/* It counts and expires, silently; and unmasking it then brings nothing back */
static GUEST __u32 masked(__u64 mode)
{
	timer_mode(mode | LVT_MASKED | VECTOR);
	if (mode == TIMER_DEADLINE)
		wrmsr(MSR_DEADLINE, rdtsc() + cycles_of_us(20000));
	else
		wrmsr(APIC_INITIAL, 20000000);
	spin_us(60000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	if (mode == TIMER_DEADLINE)
		GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	if (mode == TIMER_ONE_SHOT)
		GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);
	if (mode == TIMER_PERIODIC)
		wrmsr(APIC_INITIAL, 0);
	wrmsr(APIC_LVT_TIMER, mode | VECTOR);
	spin_us(40000);
	window();
	GUEST_CHECK_EQ(taken, 0);
	return 0;
}

static void timer_masked(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(masked, TIMER_ONE_SHOT);
	run_guest(masked, TIMER_PERIODIC);
	run_guest(masked, TIMER_DEADLINE);
}

static volatile __u64 deadline;

static GUEST __u32 deadlines(__u64 count)
{
	timer_mode(TIMER_DEADLINE | VECTOR);
	for (__u32 i = 0; i < count; i++) {
		deadline = rdtsc() + cycles_of_us(2000 + 1000 * i);
		wrmsr(MSR_DEADLINE, deadline);
		__u64 armed = rdmsr(MSR_DEADLINE);

		if (armed)	/* a machine that was away for long may have let it pass */
			GUEST_CHECK_EQ(armed, deadline);
		wait_until_taken(i + 1);
		GUEST_CHECK_EQ(taken_at[i] >= deadline, 1);	/* never early */
		GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	}
	return 0;
}

static void timer_deadline(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(deadlines, 20);
	CHECK_EQ(taken, 20);
}

static GUEST __u32 late(void)
{
	static const __u64 back[] = { 0, 1, 100, 10000 };

	timer_mode(TIMER_DEADLINE | VECTOR);
	spin_us(5000);	/* so that the TSC is large enough */
	for (__u32 i = 0; i < ARRAY_SIZE(back); i++) {
		wrmsr(MSR_DEADLINE, rdtsc() - back[i]);
		GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 1);
		GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
		window();
		GUEST_CHECK_EQ(taken, i + 1);
	}
	wrmsr(MSR_DEADLINE, 1);
	window();
	GUEST_CHECK_EQ(taken, ARRAY_SIZE(back) + 1);
	return 0;
}

static void timer_late(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(late, 0);
}

static GUEST __u32 disarm(void)
{
	timer_mode(TIMER_DEADLINE | VECTOR);
	wrmsr(MSR_DEADLINE, rdtsc() + cycles_of_us(100000));
	wrmsr(MSR_DEADLINE, 0);
	GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	spin_us(200000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);

	/* Another mode disarms as well */
	wrmsr(MSR_DEADLINE, rdtsc() + cycles_of_us(100000));
	wrmsr(APIC_LVT_TIMER, TIMER_ONE_SHOT | VECTOR);
	GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	spin_us(200000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	wrmsr(APIC_INITIAL, 100000000);
	wrmsr(APIC_LVT_TIMER, TIMER_DEADLINE | VECTOR);
	spin_us(200000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);

	/* Each mode ignores the other's register */
	wrmsr(APIC_INITIAL, 1000000);
	GUEST_CHECK_EQ(rdmsr(APIC_CURRENT), 0);
	wrmsr(APIC_LVT_TIMER, TIMER_PERIODIC | VECTOR);
	wrmsr(MSR_DEADLINE, 1);
	GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	spin_us(40000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	return 0;
}

static void timer_disarm(void)
{
	run_guest(disarm, 0);
}

/* Deadlines beyond all time; and a TSC that moves takes the deadline nearer, or further away */
static GUEST __u32 move_tsc(void)
{
	timer_mode(TIMER_DEADLINE | VECTOR);
	wrmsr(MSR_DEADLINE, ~0ULL);
	spin_us(30000);
	GUEST_CHECK_EQ(rdmsr(MSR_DEADLINE), ~0ULL);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);

	wrmsr(MSR_TSC, 1ULL << 62);
	wrmsr(MSR_DEADLINE, (1ULL << 62) + cycles_of_us(20000));
	wait_until_taken(1);
	wrmsr(MSR_TSC, 1000);
	GUEST_CHECK_EQ(rdtsc() < 1ULL << 40, 1);

	wrmsr(MSR_DEADLINE, 1ULL << 50);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	wrmsr(MSR_TSC, 1ULL << 50);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 1);
	window();
	GUEST_CHECK_EQ(taken, 2);

	wrmsr(MSR_DEADLINE, rdtsc() + cycles_of_us(50000));
	wrmsr(MSR_TSC, 1000);
	spin_us(150000);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	return 0;
}

static void timer_tsc_moves(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(move_tsc, 0);
}

/* ------------------------------------------------------------------ messages */

static const struct {
	__u64 icr;
	bool arrives;
} messages[] = {
	{ TO_SELF | VECTOR, true },
	{ TO_ALL | VECTOR, true },
	{ TO_OTHERS | VECTOR, false },
	{ VECTOR, true },				/* physical, to 0 */
	{ 1ULL << 32 | VECTOR, false },
	{ 0xffffffffULL << 32 | VECTOR, true },
	{ 1ULL << 32 | 0x800 | VECTOR, true },		/* logical: cluster 0, bit 0 */
	{ 0xffffULL << 32 | 0x800 | VECTOR, true },
	{ 2ULL << 32 | 0x800 | VECTOR, false },
	{ 0x10001ULL << 32 | 0x800 | VECTOR, false },
	{ 0x800 | VECTOR, false },			/* logical, no bit */
	{ 0xffffffffULL << 32 | 0x800 | VECTOR, true },
	{ 0x100 | VECTOR, true },			/* lowest priority */
	{ 1ULL << 32 | 0x900 | VECTOR, true },
	{ 0x4000 | VECTOR, true },			/* "assert" makes no difference */
	{ 0x500 | 0x8000, false },			/* INIT level de-assert: nobody listens */
};

static GUEST __u32 send_all(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 i = 0; i < ARRAY_SIZE(messages); i++) {
		__u32 before = taken;

		wrmsr(APIC_ICR, messages[i].icr);
		GUEST_CHECK_EQ(rdmsr(APIC_ICR), messages[i].icr);
		GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), messages[i].arrives);
		GUEST_CHECK_EQ(apic_bit(APIC_TMR, VECTOR), 0);
		window();
		GUEST_CHECK_EQ(taken - before, messages[i].arrives);
	}
	return 0;
}

static void messages_to_self(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(send_all, 0);
}

/* The handlers' stubs take these for exceptions with an error code */
static inline bool no_handler(__u32 vector)
{
	return vector == 17 || vector == 21 || vector == 29 || vector == 30;
}

static GUEST __u32 self_ipi(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 vector = 16; vector < 256; vector++) {
		__u32 before = taken;

		if (no_handler(vector))
			continue;

		wrmsr(APIC_SELF_IPI, vector);
		GUEST_CHECK_EQ(apic_bit(APIC_IRR, vector), 1);
		GUEST_CHECK_EQ(apic_bit(APIC_ISR, vector), 0);
		wrmsr(APIC_SELF_IPI, vector);	/* two are one */
		window();
		GUEST_CHECK_EQ(taken, before + 1);
		GUEST_CHECK_EQ(vectors[before % 32], vector);
		GUEST_CHECK_EQ(apic_bit(APIC_IRR, vector), 0);
		GUEST_CHECK_EQ(apic_bit(APIC_ISR, vector), 1);
		GUEST_CHECK_EQ(rdmsr(APIC_PPR), vector & 0xf0);
		wrmsr(APIC_EOI, 0);
		GUEST_CHECK_EQ(apic_bit(APIC_ISR, vector), 0);
	}
	return 0;
}

static void self_ipis(void)
{
	for (unsigned int vector = 16; vector < 256; vector++)
		guest_on(vector, note);
	run_guest(self_ipi, 0);
}

static GUEST __u32 errors(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_SELF_IPI, 5);	/* an illegal vector, sent and received */
	GUEST_CHECK_EQ(rdmsr(APIC_ESR), 0);
	wrmsr(APIC_ESR, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_ESR), 0x60);
	wrmsr(APIC_ESR, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_ESR), 0);
	wrmsr(APIC_ICR, NOBODY | 15);
	wrmsr(APIC_ESR, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_ESR), 0x20);
	wrmsr(APIC_ESR, 0);
	for (__u32 word = 0; word < 8; word++)
		GUEST_CHECK_EQ(rdmsr(APIC_IRR + word), 0);

	/* The error interrupt: once, until ESR is written */
	wrmsr(APIC_LVT_ERROR, VECTOR);
	wrmsr(APIC_SELF_IPI, 5);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 1);
	window();
	GUEST_CHECK_EQ(taken, 1);
	wrmsr(APIC_SELF_IPI, 5);
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, VECTOR), 0);
	wrmsr(APIC_ESR, 0);
	wrmsr(APIC_SELF_IPI, 5);
	window();
	GUEST_CHECK_EQ(taken, 2);

	/* A timer with an illegal vector */
	wrmsr(APIC_ESR, 0);
	wrmsr(APIC_LVT_ERROR, LVT_MASKED);
	timer_mode(TIMER_DEADLINE | 3);
	wrmsr(MSR_DEADLINE, 1);
	wrmsr(APIC_ESR, 0);
	GUEST_CHECK_EQ(rdmsr(APIC_ESR), 0x40);
	return 0;
}

static void error_status(void)
{
	guest_on(VECTOR, note_and_eoi);
	run_guest(errors, 0);
}

/* ------------------------------------------------------------------ priorities */

static GUEST __u32 pile_up(void)
{
	static const __u8 sent[] = { 0x45, 0x31, 0x83, 0xf0, 0x41, 0x10 };

	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 i = 0; i < ARRAY_SIZE(sent); i++)
		wrmsr(APIC_SELF_IPI, sent[i]);
	sti();
	while (taken < ARRAY_SIZE(sent))
		asm volatile("pause");
	return 0;
}

static void highest_first(void)
{
	static const __u8 order[] = { 0xf0, 0x83, 0x45, 0x41, 0x31, 0x10 };

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		guest_on(order[i], note_and_eoi);
	run_guest(pile_up, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		CHECK_EQ(vectors[i], order[i]);
}

/* In service at 0x45: its own class waits for the EOI, a higher class does not */
static GUEST void nesting(struct guest_frame *frame)
{
	note(frame);
	wrmsr(APIC_SELF_IPI, 0x4f);
	wrmsr(APIC_SELF_IPI, 0x43);
	window();
	GUEST_CHECK_EQ(taken, 1);
	wrmsr(APIC_SELF_IPI, 0x81);
	window();
	GUEST_CHECK_EQ(taken, 2);
	GUEST_CHECK_EQ(apic_bit(APIC_ISR, 0x45), 1);
	wrmsr(APIC_EOI, 0);
}

static GUEST __u32 nest(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_SELF_IPI, 0x45);
	window();
	GUEST_CHECK_EQ(apic_bit(APIC_ISR, 0x45), 0);
	while (taken < 4)
		window();
	return 0;
}

static void nested(void)
{
	static const __u8 order[] = { 0x45, 0x81, 0x4f, 0x43 };

	guest_on(0x45, nesting);
	guest_on(0x81, note_and_eoi);
	guest_on(0x4f, note_and_eoi);
	guest_on(0x43, note_and_eoi);
	run_guest(nest, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		CHECK_EQ(vectors[i], order[i]);
}

/* EOI ends the highest in service, whatever came last; with nothing in service it does nothing */
static GUEST __u32 ends(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_EOI, 0);
	wrmsr(APIC_SELF_IPI, 0x45);
	window();
	wrmsr(APIC_SELF_IPI, 0x81);
	window();
	GUEST_CHECK_EQ(taken, 2);
	GUEST_CHECK_EQ(rdmsr(APIC_PPR), 0x80);
	wrmsr(APIC_EOI, 0);
	GUEST_CHECK_EQ(apic_bit(APIC_ISR, 0x81), 0);
	GUEST_CHECK_EQ(apic_bit(APIC_ISR, 0x45), 1);
	GUEST_CHECK_EQ(rdmsr(APIC_PPR), 0x40);
	wrmsr(APIC_SELF_IPI, 0x45);		/* the same again while in service: waits in IRR */
	GUEST_CHECK_EQ(apic_bit(APIC_IRR, 0x45), 1);
	window();
	GUEST_CHECK_EQ(taken, 2);
	wrmsr(APIC_EOI, 0);
	GUEST_CHECK_EQ(apic_bit(APIC_ISR, 0x45), 0);
	window();
	GUEST_CHECK_EQ(taken, 3);
	return 0;
}

static void eoi_order(void)
{
	guest_on(0x45, note);
	guest_on(0x81, note);
	run_guest(ends, 0);
}

static GUEST __u32 task_priority(__u64 by_cr8)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_TPR, 0x52);
	GUEST_CHECK_EQ(READ_REGISTER(cr8), 5);
	wrmsr(APIC_SELF_IPI, 0x5f);
	window();
	GUEST_CHECK_EQ(taken, 0);
	wrmsr(APIC_SELF_IPI, 0x61);
	window();
	GUEST_CHECK_EQ(taken, 1);		/* and stays in service */
	GUEST_CHECK_EQ(rdmsr(APIC_PPR), 0x60);
	wrmsr(APIC_TPR, 0x63);
	GUEST_CHECK_EQ(rdmsr(APIC_PPR), 0x63);
	wrmsr(APIC_EOI, 0);
	window();
	GUEST_CHECK_EQ(taken, 1);
	sti();
	if (by_cr8)
		WRITE_REGISTER(cr8, 4);
	else
		wrmsr(APIC_TPR, 0x4f);
	cli();					/* delivered right at the write */
	GUEST_CHECK_EQ(taken, 2);
	GUEST_CHECK_EQ(rdmsr(APIC_TPR), by_cr8 ? 0x40 : 0x4f);
	WRITE_REGISTER(cr8, 15);
	GUEST_CHECK_EQ(rdmsr(APIC_TPR), 0xf0);
	wrmsr(APIC_SELF_IPI, 0x61);
	wrmsr(APIC_EOI, 0);
	window();
	GUEST_CHECK_EQ(taken, 2);

	struct guest_fault fault;

	GUEST_TRY(fault, "mov %[value], %%cr8", (), ([value] "r"(0x10ULL)));
	GUEST_CHECK_EQ(fault.vector, GP);
	GUEST_CHECK_EQ(READ_REGISTER(cr8), 15);
	return 0;
}

static void priorities(void)
{
	guest_on(0x5f, note);
	guest_on(0x61, note);
	run_guest(task_priority, 0);
	run_guest(task_priority, 1);
}

/* ------------------------------------------------------------------ HLT */

static GUEST __u32 sleep_often(__u64 times)
{
	timer_mode(TIMER_DEADLINE | VECTOR);
	for (__u32 i = 0; i < times; i++) {
		wrmsr(MSR_DEADLINE, rdtsc() + cycles_of_us(i % 4 * 4000));
		while (taken == i)
			wait_for_interrupt();
		GUEST_CHECK_EQ(taken, i + 1);
	}
	return 0;
}

static void hlt_wakes(void)
{
	struct vcpu *vcpu;
	struct meters meters;
	struct tpz_vcpu_meters m;

	guest_on(VECTOR, note_and_eoi);
	vcpu = start(sleep_often, 60);
	meters = meters_open(vcpu->vm->id);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	m = meters_read(&meters, 0);
	CHECK_GE(m.halts, 30);		/* some have passed before HLT */
	CHECK_EQ(m.injected_interrupts, 60);
	CHECK_GT(m.halted_cycles, 0);
	CHECK_EQ(m.user_exits, 1);
}

static void nothing(int signal)
{
	(void)signal;
}

static void stop_timer(void *timer)
{
	timer_delete(timer);
}

/* A signal every @ms: what blocks in TPZ_RUN returns */
static void signal_every(unsigned int ms)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct timespec period = { .tv_nsec = ms * 1000000L };
	struct itimerspec times = { period, period };
	struct sigaction action = { .sa_handler = nothing };
	timer_t timer;

	CHECK_SYS(sigaction(SIGUSR1, &action, NULL));
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
	ktap_defer(stop_timer, timer);
	CHECK_SYS(timer_settime(timer, 0, &times, NULL));
}

static GUEST __u32 sleep_blocked(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_TPR, 0x80);
	wrmsr(APIC_SELF_IPI, VECTOR);
	outl(PORT_TEST, 0);
	wait_for_interrupt();
	return taken - 1;
}

/* An interrupt below the task priority does not end HLT; a state that lowers the priority does */
static void hlt_priority(void)
{
	struct vcpu *vcpu;
	struct tpz_state state;
	struct meters meters;

	guest_on(VECTOR, note_and_eoi);
	vcpu = start(sleep_blocked, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	meters = meters_open(vcpu->vm->id);
	signal_every(30);
	do
		CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	while (vcpu_get(vcpu, TPZ_STATE_EVENTS).events.activity != TPZ_ACTIVITY_HLT);
	for (int i = 0; i < 3; i++)		/* and it stays so */
		CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	state = vcpu_get(vcpu, TPZ_STATE_EVENTS | TPZ_STATE_LAPIC);
	CHECK_EQ(state.events.activity, TPZ_ACTIVITY_HLT);
	CHECK_EQ(meters_read(&meters, 0).halts, 1);
	state.groups = TPZ_STATE_LAPIC;
	state.lapic.regs[8 * 16] = 0x40;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* ------------------------------------------------------------------ the state group */

static __u32 state_reg(const struct tpz_lapic *lapic, unsigned int n)
{
	__u32 value;

	memcpy(&value, lapic->regs + 16 * n, 4);
	return value;
}

static void set_state_reg(struct tpz_lapic *lapic, unsigned int n, __u32 value)
{
	memcpy(lapic->regs + 16 * n, &value, 4);
}

static GUEST __u32 fill(__u64 mode)
{
	timer_mode(mode | VECTOR);
	wrmsr(APIC_TPR, 0x20);
	wrmsr(APIC_SELF_IPI, 0x71);
	window();
	wrmsr(APIC_SELF_IPI, 0x33);
	wrmsr(APIC_ICR, NOBODY | 0x44);
	wrmsr(APIC_LVT_PERF, 0x10400);
	if (mode == TIMER_DEADLINE)
		wrmsr(MSR_DEADLINE, 1ULL << 60);
	else
		wrmsr(APIC_INITIAL, 4000000000);
	outl(PORT_TEST, 0);
	return 0;
}

static void round_trip_mode(__u32 mode)
{
	struct tpz_state before, after;
	struct vcpu *vcpu = start(fill, mode);

	vcpu_expect_out(vcpu, PORT_TEST);
	before = vcpu_get(vcpu, TPZ_STATE_LAPIC);
	CHECK_EQ(state_reg(&before.lapic, 0x13), 1 << 17);	/* ISR: 0x71 */
	CHECK_EQ(state_reg(&before.lapic, 0x21), 1 << 19);	/* IRR: 0x33 */
	CHECK_EQ(state_reg(&before.lapic, 0x30), 0x44);
	CHECK_EQ(state_reg(&before.lapic, 0x31), 0xee);
	CHECK_EQ(state_reg(&before.lapic, 0x0a), 0x70);
	CHECK_EQ(before.lapic.tsc_deadline, mode == TIMER_DEADLINE ? 1ULL << 60 : 0);
	if (mode == TIMER_DEADLINE)
		CHECK_EQ(before.lapic.timer_left_ns, 0);
	else
		CHECK_GT(before.lapic.timer_left_ns, 1000000000);

	vcpu_set(vcpu, &before);
	after = vcpu_get(vcpu, TPZ_STATE_LAPIC);
	for (unsigned int n = 0; n < 0x40; n++)
		if (n != 0x39)
			CHECK_THAT(state_reg(&before.lapic, n) == state_reg(&after.lapic, n),
				   "register %#x: %#x, %#x", n, state_reg(&before.lapic, n),
				   state_reg(&after.lapic, n));
	CHECK_EQ(before.lapic.tsc_deadline, after.lapic.tsc_deadline);
	CHECK_LE(after.lapic.timer_left_ns, before.lapic.timer_left_ns);
}

static void state_round_trip(void)
{
	guest_on(0x71, note);
	round_trip_mode(TIMER_ONE_SHOT);
	round_trip_mode(TIMER_PERIODIC);
	round_trip_mode(TIMER_DEADLINE);
}

static void state_refused(void)
{
	static const struct {
		__u16 reg;
		__u32 value;
		const char *field;
	} bad[] = {
		{ 0x02, 1, "ID" },
		{ 0x03, 0x14, "version" },
		{ 0x04, 1, "regs" },
		{ 0x08, 0x100, "TPR" },
		{ 0x0b, 1, "regs" },
		{ 0x0d, 2, "LDR" },
		{ 0x0f, 0x1400, "SVR" },
		{ 0x10, 0x8000, "ISR" },
		{ 0x20, 1, "IRR" },
		{ 0x28, 0x100, "ESR" },
		{ 0x30, 0x2000, "ICR" },
		{ 0x32, 0x70000, "timer" },
		{ 0x32, 0x100, "timer" },
		{ 0x33, 0x8000, "thermal" },
		{ 0x34, 0x8000, "performance" },
		{ 0x35, 0x20000, "LINT0" },
		{ 0x36, 0x20000, "LINT1" },
		{ 0x37, 0x100, "error" },
		{ 0x3e, 4, "divide" },
		{ 0x3f, 1, "regs" },
	};
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct tpz_state good = vcpu_get(vcpu, TPZ_STATE_LAPIC), state;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		state = good;
		set_state_reg(&state.lapic, bad[i].reg, bad[i].value);
		CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
		CHECK_EQ(state.bad_group, TPZ_STATE_LAPIC);
		CHECK_THAT(strstr(state.bad_field, bad[i].field), "register %#x: \"%s\"", bad[i].reg,
			   state.bad_field);
	}
	state = good;
	state.lapic.regs[8 * 16 + 4] = 1;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	state = good;
	state.lapic.tsc_deadline = 1;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK(strstr(state.bad_field, "tsc_deadline"));
	state = good;
	state.lapic.timer_left_ns = 1;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK(strstr(state.bad_field, "timer_left_ns"));
	state = good;
	set_state_reg(&state.lapic, 0x38, 1000000);
	state.lapic.timer_left_ns = 1000000000000;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK(strstr(state.bad_field, "timer_left_ns"));

	/* Nothing of all that was taken over */
	state = vcpu_get(vcpu, TPZ_STATE_LAPIC);
	CHECK(!memcmp(&state.lapic, &good.lapic, sizeof(good.lapic)));
}

static GUEST __u32 just_open(void)
{
	window();
	return taken;
}

/* What user space puts into IRR is delivered; a timer that it sets expires */
static void state_is_live(void)
{
	struct vcpu *vcpu;
	struct tpz_state state;

	guest_on(VECTOR, note_and_eoi);
	vcpu = start(just_open, 0);
	state = vcpu_get(vcpu, TPZ_STATE_LAPIC);
	set_state_reg(&state.lapic, 0x0f, SVR_ON);
	set_state_reg(&state.lapic, 0x20 + VECTOR / 32, 1U << VECTOR % 32);
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);

	vcpu_start(vcpu, MODE_LONG, RING0, just_open, 0);
	state = vcpu_get(vcpu, TPZ_STATE_LAPIC);
	set_state_reg(&state.lapic, 0x32, TIMER_ONE_SHOT | VECTOR);
	set_state_reg(&state.lapic, 0x38, 1000000);
	state.lapic.timer_left_ns = 1000;
	vcpu_set(vcpu, &state);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	CHECK_EQ(vcpu_finish(vcpu), 2);
}

static const struct ktap_case cases[] = {
	{ "registers after reset, and those that may be read", reset_values },
	{ "registers that may be written", write_permissions },
	{ "reserved bits of each register raise #GP", reserved_bits },
	{ "values read back", values_read_back },
	{ "software-disabled: local vector table masked", software_disabled },
	{ "IA32_APIC_BASE: legal and illegal transitions", base_register },
	{ "no local APIC: no registers", absent },
	{ "timer: one-shot", timer_one_shot },
	{ "timer: periodic", timer_periodic },
	{ "timer: every divisor", timer_divisors },
	{ "timer: divisor changed while it counts", timer_change_divisor },
	{ "timer: masked, in each mode", timer_masked },
	{ "timer: TSC deadline, never early", timer_deadline },
	{ "timer: late deadline fires at once", timer_late },
	{ "timer: disarmed by 0 and by a change of mode", timer_disarm },
	{ "timer: TSC deadline follows a moved TSC", timer_tsc_moves },
	{ "ICR: all ways to address oneself, and nobody", messages_to_self },
	{ "self IPI: every vector", self_ipis },
	{ "error status and error interrupt", error_status },
	{ "highest vector first", highest_first },
	{ "nesting by priority class", nested },
	{ "EOI order", eoi_order },
	{ "TPR, PPR and CR8", priorities },
	{ "HLT sleeps and wakes", hlt_wakes },
	{ "HLT: an interrupt below the priority does not wake", hlt_priority },
	{ "state: round trip", state_round_trip },
	{ "state: bad values refused by name", state_refused },
	{ "state: what is set takes effect", state_is_live },
};
KTAP_MAIN(cases)
