// SPDX-License-Identifier: GPL-2.0
/*
 * Several vCPUs in one VM, each in a thread, more of them than the machine has CPUs: how they start each other, send each
 * other interrupts, share translations, and end. (The time that they share is smp_clock.c's.)
 */
#define _GNU_SOURCE
#include "apic.h"
#include "threads.h"

#include <sys/mman.h>
#include <unistd.h>

#define VECTOR		0x61
#define ANSWERED	0x62		/* who takes it answers vCPU 0 with VECTOR */
#define MAX		64
#define SEND_INIT	0x4500
#define SEND_STARTUP	0x4600
#define COUNTER		0xff0		/* guest-physical: where smp.S counts */
#define AP_PAGE		0x10		/* the start-up message's vector: GUEST_REAL_CODE */

extern const char smp_ap_begin[], smp_ap_end[];

/* ------------------------------------------------------------------ what guests share */

static volatile __u32 *volatile counter = (volatile __u32 *)COUNTER;
static volatile __u32 cpus;		/* in this case */
static volatile __u32 ready;		/* vCPUs that are where the case wants them */
static volatile bool done;
static volatile __u32 got[MAX];

static GUEST void note(struct guest_frame *frame)
{
	add(&got[rdmsr(APIC_ID) % MAX]);
	if (frame->vector != 2)
		wrmsr(APIC_EOI, 0);
}

/* Sleeps but for interrupts, until the case is over */
static GUEST __u32 sleeper(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	add(&ready);
	while (!done)
		wait_for_interrupt();
	return 0;
}

static GUEST void dismiss(void)
{
	done = true;
	wrmsr(APIC_ICR, TO_OTHERS | VECTOR);
}

static void begin(unsigned int n)
{
	cpus = n;
	ready = 0;
	done = false;
	memset((void *)got, 0, sizeof(got));
}

/* ------------------------------------------------------------------ INIT, STARTUP */

static inline __u64 to(__u32 id)
{
	return (__u64)id << 32;
}

/* INIT and two start-up messages to each: the second is for none, as none waits any more */
static GUEST __u32 start_others(void)
{
	volatile __u32 *count = counter;

	for (__u32 i = 1; i < cpus; i++) {
		wrmsr(APIC_ICR, to(i) | SEND_INIT);
		wrmsr(APIC_ICR, to(i) | SEND_STARTUP | AP_PAGE);
		wait_until(count, i);
		wrmsr(APIC_ICR, to(i) | SEND_STARTUP | AP_PAGE);
	}
	GUEST_CHECK_EQ(*count, cpus - 1);
	return 0;
}

static void boots(unsigned int n)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct runner r[MAX];
	__u32 count;

	begin(n);
	for (unsigned int i = 0; i < n; i++)
		vcpu_create(vm, i);
	vcpu_load(vm->vcpus[0], GUEST_REAL_CODE, smp_ap_begin, smp_ap_end);
	vcpu_start(vm->vcpus[0], MODE_LONG, RING0, start_others, 0);
	for (unsigned int i = n; i-- > 0;)
		runner_start(&r[i], vm->vcpus[i]);
	runners_join(r, n);
	CHECK_EQ(r[0].result, 0);
	for (unsigned int i = 1; i < n; i++) {
		struct tpz_state state = vcpu_get(vm->vcpus[i], TPZ_STATE_SEGMENTS | TPZ_STATE_CONTROL | TPZ_STATE_EVENTS);

		CHECK_EQ(r[i].result, AP_PAGE << 8);
		CHECK_EQ(state.segments.seg[TPZ_CS].base, AP_PAGE << 12);
		CHECK_EQ(state.control.cr0 & 1, 0);
		CHECK_EQ(state.events.activity, TPZ_ACTIVITY_RUN);
	}
	memcpy(&count, vm->memory + COUNTER, 4);
	CHECK_EQ(count, n - 1);
}

static void two_boot(void)
{
	boots(2);
}

static void eight_boot(void)
{
	boots(8);
}

/* A start-up message to a CPU that runs is dropped; INIT takes it back to where it waits for one */
static GUEST __u32 restart(void)
{
	wait_until(&ready, 1);
	wrmsr(APIC_ICR, to(1) | SEND_STARTUP | AP_PAGE);
	wrmsr(APIC_ICR, to(1) | VECTOR);
	wait_until(&got[1], 1);
	GUEST_CHECK_EQ(*counter, 0);
	wrmsr(APIC_ICR, to(1) | SEND_INIT);
	return 0;
}

static void init_resets(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct tpz_state state;
	struct runner r[2];
	__u32 tpr;

	begin(2);
	guest_on(VECTOR, note);
	vcpu_start(vcpu_create(vm, 0), MODE_LONG, RING0, restart, 0);
	vcpu_start(vcpu_create(vm, 1), MODE_LONG, RING0, sleeper, 0);
	vcpu_load(vm->vcpus[0], GUEST_REAL_CODE, smp_ap_begin, smp_ap_end);
	runner_start(&r[1], vm->vcpus[1]);
	runner_start(&r[0], vm->vcpus[0]);
	runners_join(&r[0], 1);
	runners_stop();
	runners_join(&r[1], 1);
	CHECK_EQ(r[0].result, 0);

	state = vcpu_get(vm->vcpus[1], TPZ_STATE_ALL & ~TPZ_STATE_FPU);
	CHECK_EQ(state.events.activity, TPZ_ACTIVITY_WAIT_SIPI);
	CHECK_EQ(state.control.cr0 & ~0x60000000ULL, 0x10);
	CHECK_EQ(state.control.cr3 | state.control.cr4 | state.control.efer, 0);
	CHECK_EQ(state.regs.rip, 0xfff0);
	CHECK_EQ(state.regs.rflags, 2);
	CHECK_EQ(state.regs.gpr[TPZ_RSP] | state.regs.gpr[TPZ_RDI], 0);
	CHECK_EQ(state.segments.seg[TPZ_CS].base, 0xffff0000);
	CHECK_EQ(state.msrs.apic_base & 0xc00, 0xc00);		/* the mode stays */
	memcpy(&tpr, state.lapic.regs + 0xf0, 4);
	CHECK_EQ(tpr, 0xff);					/* SVR: software-disabled */
	runner_start(&r[1], vm->vcpus[1]);			/* and there it sleeps */
	usleep(50000);
	CHECK(!runner_ended(&r[1]));
	runners_stop();
	runners_join(&r[1], 1);
}

/* ------------------------------------------------------------------ messages */

/* Physical, logical (cluster and bits in it), broadcast, shorthands: who gets it, of four */
static const struct {
	__u64 icr;
	__u32 receivers;
} messages[] = {
	{ 0ULL << 32, 1 },
	{ 1ULL << 32, 2 },
	{ 3ULL << 32, 8 },
	{ 4ULL << 32, 0 },
	{ 0xffffffffULL << 32, 15 },
	{ 0xffffffffULL << 32 | 0x800, 15 },
	{ 0x000aULL << 32 | 0x800, 10 },
	{ 0xfff1ULL << 32 | 0x800, 1 },
	{ 0x1000fULL << 32 | 0x800, 0 },
	{ 2ULL << 32 | TO_SELF, 1 },
	{ 2ULL << 32 | TO_ALL, 15 },
	{ 2ULL << 32 | TO_OTHERS, 14 },
};

static GUEST __u32 send_each(void)
{
	__u32 expected[4] = { 0, 0, 0, 0 };

	wrmsr(APIC_SVR, SVR_ON);
	wait_until(&ready, 3);
	for (__u32 round = 0; round < 20; round++) {
		for (__u32 i = 0; i < ARRAY_SIZE(messages); i++) {
			wrmsr(APIC_ICR, messages[i].icr | VECTOR);
			for (__u32 id = 0; id < 4; id++) {
				expected[id] += messages[i].receivers >> id & 1;
				wait_until(&got[id], expected[id]);
			}
		}
		for (__u32 id = 0; id < 4; id++)
			GUEST_CHECK_EQ(got[id], expected[id]);
	}
	dismiss();
	return 0;
}

static void destinations(void)
{
	begin(4);
	guest_on(VECTOR, note);
	run_all(4, send_each, sleeper);
}

static inline __u32 sum(void)
{
	return got[0] + got[1] + got[2] + got[3];
}

/* One of those addressed, and the one whose priority is lowest */
static GUEST __u32 send_lowest(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wait_until(&ready, 3);
	for (__u32 i = 1; i <= 200; i++) {
		wrmsr(APIC_ICR, 0xfULL << 32 | 0x900 | VECTOR);
		while (sum() < i)
			window();
		GUEST_CHECK_EQ(sum(), i);
	}
	for (__u32 id = 0; id < 4; id++)
		GUEST_CHECK_EQ(got[id] > 0, 1);			/* they take turns */

	wrmsr(APIC_TPR, 0x20);
	__u32 own = got[0];

	for (__u32 i = 1; i <= 20; i++) {
		wrmsr(APIC_ICR, 0xfULL << 32 | 0x900 | VECTOR);
		while (sum() < 200 + i)
			window();
	}
	GUEST_CHECK_EQ(got[0], own);
	dismiss();
	return 0;
}

static void lowest_priority(void)
{
	begin(4);
	guest_on(VECTOR, note);
	run_all(4, send_lowest, sleeper);
}

/* vCPU 1 spins, 2 sleeps, both with interrupts off: only the NMI gets through */
static GUEST __u32 wait_for_nmi(__u64 id)
{
	add(&ready);
	while (!got[id])
		if (id == 2)
			hlt();
		else
			spin_off();
	return 0;
}

static GUEST __u32 send_nmis(void)
{
	wait_until(&ready, 2);
	wrmsr(APIC_ICR, TO_OTHERS | MODE_NMI);
	wait_until(&got[1], 1);
	wait_until(&got[2], 1);
	GUEST_CHECK_EQ(got[0], 0);
	return 0;
}

static void nmis(void)
{
	begin(3);
	guest_on(2, note);
	run_all(3, send_nmis, wait_for_nmi);
}

/* ------------------------------------------------------------------ as many as there can be */

static GUEST void answer(struct guest_frame *frame)
{
	note(frame);
	wrmsr(APIC_ICR, to(0) | VECTOR);
}

/* Each one by itself, each answering; then a cluster; then all */
static GUEST __u32 send_to_many(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wait_until(&ready, cpus - 1);
	for (__u32 id = 1; id < cpus; id++) {
		wrmsr(APIC_ICR, to(id) | ANSWERED);
		wait_until(&got[0], id);
		GUEST_CHECK_EQ(got[id], 1);
	}
	wrmsr(APIC_ICR, to(3 << 16 | 0xffff) | 0x800 | VECTOR);
	for (__u32 id = 48; id < 64; id++)
		wait_until(&got[id], 2);
	for (__u32 round = 1; round <= 3; round++) {
		wrmsr(APIC_ICR, TO_OTHERS | VECTOR);
		for (__u32 id = 1; id < cpus; id++)
			wait_until(&got[id], 1 + round + (id >= 48));
	}
	for (__u32 id = 1; id < cpus; id++)
		GUEST_CHECK_EQ(got[id], 4 + (id >= 48));
	GUEST_CHECK_EQ(got[0], cpus - 1);
	dismiss();
	return 0;
}

static void many(void)
{
	begin(64);
	guest_on(VECTOR, note);
	guest_on(ANSWERED, answer);
	run_all(64, send_to_many, sleeper);
}

/* ------------------------------------------------------------------ translations */

#define WATCHED		0x200000
static volatile __u32 seen[MAX];

static GUEST __u32 watch(__u64 id)
{
	sti();		/* see guest.h */
	while (!done)
		seen[id] = *(volatile __u32 *)WATCHED;
	return 0;
}

/* The launcher puts another page there: every vCPU sees the new one, those that run too */
static void flushes_reach_all(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct runner r[4];

	begin(4);
	memset((void *)seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < 4; i++)
		vcpu_start(vcpu_create(vm, i), MODE_LONG, RING0, watch, i);
	for (unsigned int i = 0; i < 4; i++)
		runner_start(&r[i], vm->vcpus[i]);
	for (__u32 turn = 1; turn <= 30; turn++) {
		volatile __u32 *page = mmap(vm->memory + WATCHED, PAGE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK(page != MAP_FAILED);
		*page = turn;
		for (unsigned int i = 0; i < 4; i++)
			for (unsigned int tries = 0; seen[i] != turn; tries++) {
				CHECK_LT(tries, 20000);
				CHECK(!ktap_failed());
				usleep(1000);
			}
	}
	done = true;
	runners_join(r, 4);
}

/* ------------------------------------------------------------------ life */

static GUEST __u32 spin(void)
{
	sti();
	for (;;)
		asm volatile("pause");
	return 0;
}

static void files_close_while_others_run(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	const int before = vms_alive() - 1;
	struct runner r[3];

	begin(3);
	for (unsigned int i = 0; i < 4; i++)
		vcpu_create(vm, i);
	for (unsigned int i = 0; i < 2; i++)
		vcpu_start(vm->vcpus[i], MODE_LONG, RING0, spin, 0);
	for (unsigned int i = 0; i < 3; i++)		/* the third waits for its start-up message */
		runner_start(&r[i], vm->vcpus[i]);
	usleep(20000);
	close(vm->fd);
	vm->fd = -1;
	close(vm->vcpus[3]->fd);
	vm->vcpus[3]->fd = -1;
	close(vm->vcpus[1]->fd);
	usleep(20000);
	for (unsigned int i = 0; i < 3; i++)
		CHECK(!runner_ended(&r[i]));
	runners_stop();
	runners_join(r, 3);
	vm->vcpus[1]->fd = -1;
	vm_close(vm);
	CHECK_EQ(vms_alive(), before);
}

static void as_many_as_promised(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	const __u32 max = device_info().max_vcpus;
	struct tpz_create_vcpu create = { .size = sizeof(create) };
	struct meters meters;

	CHECK_GE(max, 64);
	create.id = max;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EINVAL);
	create.id = max - 1;
	close(CHECK_SYS(ioctl(vm->fd, TPZ_CREATE_VCPU, &create)));
	meters = meters_open(vm->id);		/* the meters of those that are not there read as zeroes */
	CHECK_EQ(meters.vm->vcpus, max);
	CHECK_EQ(meters_read(&meters, 3).present, 0);
	CHECK_EQ(meters_read(&meters, max - 1).present, 1);
	for (create.id = 0; create.id < max - 1; create.id++)
		close(CHECK_SYS(ioctl(vm->fd, TPZ_CREATE_VCPU, &create)));
	CHECK_EQ(meters_read(&meters, 3).present, 1);
	create.id = 3;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EEXIST);
}

static const struct ktap_case cases[] = {
	{ "a vCPU starts another by INIT and STARTUP", two_boot },
	{ "a vCPU starts seven others", eight_boot },
	{ "INIT takes a running vCPU back; STARTUP alone does nothing", init_resets },
	{ "messages reach those addressed, and nobody else", destinations },
	{ "lowest priority: exactly one takes it", lowest_priority },
	{ "NMIs reach vCPUs with interrupts off", nmis },
	{ "messages among 64 vCPUs", many },
	{ "a flush reaches all vCPUs", flushes_reach_all },
	{ "files are closed while other vCPUs run", files_close_while_others_run },
	{ "64 vCPUs, in any order", as_many_as_promised },
};
KTAP_MAIN(cases)
