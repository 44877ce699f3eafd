// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time: what a guest is told of it is what the host's scheduler says its vCPU thread has waited for a CPU, to the
 * nanosecond; and the rules of its MSR and its state group.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MSR_STEAL	0x4b564d03
#define ENABLE		1
#define GP		13
#define FEATURE_STEAL	(1U << 5)

/* What the MSR names: struct kvm_steal_time of Linux */
struct steal {
	__u64 steal;
	__u32 version;
	__u32 flags;
	__u8 preempted;
	__u8 pad[47];
};

#define STEAL_GPA	GUEST_FREE
#define STEAL		((volatile struct steal *)STEAL_GPA)

/* What /proc says of this thread so far: nanoseconds that it waited for a CPU, and how often it got one */
struct account {
	unsigned long long waited, turns;
};

static struct account account(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "r");
	unsigned long long ran;
	struct account a;

	if (!file)
		SKIP("this host's scheduler keeps no account of waits");
	CHECK_EQ(fscanf(file, "%llu %llu %llu", &ran, &a.waited, &a.turns), 3);
	fclose(file);
	return a;
}

static __u64 run_delay(void)
{
	return account().waited;
}

/* Somebody who wants this CPU too, until the case ends */
static void stop(void *pid)
{
	kill((pid_t)(uintptr_t)pid, SIGKILL);
	waitpid((pid_t)(uintptr_t)pid, NULL, 0);
}

static void start_rival(void)
{
	pid_t pid = CHECK_SYS(fork());

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			asm volatile("pause");
	}
	ktap_defer(stop, (void *)(uintptr_t)pid);
}

/* ------------------------------------------------------------------ the account */

static GUEST __u32 measure(__u64 rounds)
{
	__u32 version;

	sti();
	wrmsr(MSR_STEAL, STEAL_GPA | ENABLE);
	GUEST_CHECK_EQ(STEAL->version & 1, 0);
	outb(PORT_TEST, 1);
	version = STEAL->version;
	for (__u64 i = 0; i < rounds; i++)
		asm volatile("pause");
	outb(PORT_TEST, 2);
	GUEST_CHECK_EQ(STEAL->version & 1, 0);
	GUEST_CHECK_EQ(STEAL->version > version, 1);
	return 0;
}

static __u64 told(struct vcpu *vcpu)
{
	return ((volatile struct steal *)vm_host(vcpu->vm, STEAL_GPA))->steal;
}

static void told_is_what_the_scheduler_says(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	__u64 before, enabled, after;

	run_on_cpu(0);
	vcpu_start(vcpu, MODE_LONG, RING0, measure, 3000000);
	start_rival();
	before = run_delay();
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 1);
	enabled = run_delay();
	CHECK_LE(told(vcpu), enabled - before);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 2);
	after = run_delay();
	ktap_diag("waited %llu us, told %llu us", (after - before) / 1000, told(vcpu) / 1000);
	CHECK_GT(after - enabled, 10000000);	/* the rival had its share */
	CHECK_LE(told(vcpu), after - before);
	CHECK_EQ(vcpu_finish(vcpu), 0);		/* its entry tells the rest */
	CHECK_GE(told(vcpu), after - enabled);
}

static GUEST __u32 compute(__u64 rounds)
{
	wrmsr(MSR_STEAL, STEAL_GPA | ENABLE);
	outb(PORT_TEST, STEAL->version);
	for (__u64 i = 0; i < rounds; i++)
		outb(PORT_TEST, 0);
	return STEAL->version;
}

#define ENTRIES	1000

/* No write for each entry: at most one for each time that the thread had to wait */
static void nothing_is_written_for_nothing(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct account before;
	__u32 version, writes;
	__u64 turns;

	vcpu_start(vcpu, MODE_LONG, RING0, compute, ENTRIES);
	before = account();
	version = vcpu_expect_out(vcpu, PORT_TEST);
	for (int i = 0; i < ENTRIES; i++)
		vcpu_expect_out(vcpu, PORT_TEST);
	writes = (vcpu_finish(vcpu) - version) / 2;
	turns = account().turns - before.turns;
	ktap_diag("%u entries, %llu turns on a CPU, %u writes", ENTRIES, turns, writes);
	CHECK_LE(writes, turns);
	if (turns >= ENTRIES)
		SKIP("this host lets the thread wait for each entry");
	CHECK_LT(writes, ENTRIES);
}

/* ------------------------------------------------------------------ MSR and state */

/* Whole, once or more often: the thread may have waited meanwhile */
static GUEST __u32 is_told(__u32 version)
{
	return version && !(version & 1);
}

static GUEST __u32 rules(__u64 end)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(0x40000001, 0, &eax, &ebx, &ecx, &edx);
	GUEST_CHECK_EQ(eax & FEATURE_STEAL, FEATURE_STEAL);
	GUEST_CHECK_EQ(rdmsr(MSR_STEAL), 0);
	GUEST_CHECK_EQ(try_wrmsr(MSR_STEAL, STEAL_GPA | 2 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_STEAL, (STEAL_GPA + 32) | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_STEAL, 1ULL << 52 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_STEAL, 1ULL << 40 | ENABLE), GP);		/* no memory there */
	GUEST_CHECK_EQ(rdmsr(MSR_STEAL), 0);
	wrmsr(MSR_STEAL, STEAL_GPA);			/* not enabled: nothing is written */
	GUEST_CHECK_EQ(STEAL->version, 0);
	wrmsr(MSR_STEAL, (end - 64) | ENABLE);		/* up to the last byte of memory */
	GUEST_CHECK_EQ(is_told(((volatile struct steal *)(end - 64))->version), 1);
	wrmsr(MSR_STEAL, STEAL_GPA | ENABLE);
	GUEST_CHECK_EQ(rdmsr(MSR_STEAL), STEAL_GPA | ENABLE);
	GUEST_CHECK_EQ(is_told(STEAL->version), 1);
	GUEST_CHECK_EQ(STEAL->flags | STEAL->preempted, 0);
	return 0;
}

static void msr(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	run_delay();
	vcpu_start(vcpu, MODE_LONG, RING0, rules, VM_BYTES);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static GUEST __u32 no_msr(void)
{
	GUEST_CHECK_EQ(try_rdmsr(MSR_STEAL), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_STEAL, STEAL_GPA | ENABLE), GP);
	return 0;
}

static void absent_without_the_clock(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_PV);

	vcpu_start(vcpu, MODE_LONG, RING0, no_msr, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	state.pv.kvm_steal_time = STEAL_GPA | ENABLE;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_PV);
}

static GUEST __u32 go_on(void)
{
	outb(PORT_TEST, 0);
	return 0;
}

/* A guest that moves to another VM is told its old sum, and on from there */
static void state_moves(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct tpz_state state;

	run_delay();
	vcpu_start(vcpu, MODE_LONG, RING0, go_on, 0);
	state = vcpu_get(vcpu, TPZ_STATE_PV);
	CHECK_EQ(state.pv.kvm_steal_time, 0);
	CHECK_EQ(state.pv.stolen_ns, 0);
	state.pv.kvm_steal_time = STEAL_GPA | ENABLE;
	state.pv.stolen_ns = 1ULL << 40;
	vcpu_set(vcpu, &state);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_GE(told(vcpu), 1ULL << 40);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_PV).pv.stolen_ns, told(vcpu));
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static void state_refused(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	const __u64 bad[] = { STEAL_GPA | 2, STEAL_GPA | 3, (STEAL_GPA + 32) | ENABLE, 1ULL << 52 | ENABLE };
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_PV);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		state.pv.kvm_steal_time = bad[i];
		CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
		CHECK_EQ(state.bad_group, TPZ_STATE_PV);
	}
	state.pv.kvm_steal_time = 0;
	state.pv.spare[5] = 1;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK(strstr(state.bad_field, "spare"));
}

static const struct ktap_case cases[] = {
	{ "the guest is told what the scheduler says", told_is_what_the_scheduler_says },
	{ "nothing is written for nothing", nothing_is_written_for_nothing },
	{ "the MSR", msr },
	{ "absent without the clock", absent_without_the_clock },
	{ "state moves", state_moves },
	{ "refused states", state_refused },
};
KTAP_MAIN(cases)
