// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of devices (MSI, and the I/O APIC's) to a VM of several vCPUs: lowest priority, sets, NMI, INIT, and what has
 * no receiver. How vCPUs send to each other is smp.c's and xapic.c's.
 */
#define _GNU_SOURCE
#include "apic.h"
#include "threads.h"

#include <string.h>
#include <unistd.h>

#define DEVICES		(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC)
#define VECTOR		0x61
#define MAX		4
#define LEVEL		(1 << 15)
#define REMOTE_IRR	(1 << 14)
#define LOGICAL		(1 << 11)
#define LOWEST		(1 << 8)
#define REDIRECTION	(1 << 3)	/* of an MSI's address: one of those addressed */
#define BY_SET		(1 << 2)
#define PIN		20
#define TO(destination)	((__u64)(destination) << 56)
#define MSI(destination) (0xfee00000ULL | (destination) << 12)

static volatile __u32 got[MAX], nmis[MAX], ready;
static volatile __u8 priority[MAX];
static volatile bool done;

static GUEST void note(struct guest_frame *frame __attribute__((unused)))
{
	__atomic_fetch_add(&got[rdmsr(APIC_ID)], 1, __ATOMIC_SEQ_CST);
	wrmsr(APIC_EOI, 0);
}

static GUEST void note_nmi(struct guest_frame *frame __attribute__((unused)))
{
	nmis[rdmsr(APIC_ID)]++;
}

static GUEST __u32 sleeper(__u64 id)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_TPR, priority[id]);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!done)
		wait_for_interrupt();
	return 0;
}

static struct vm *vm;
static struct runner runners[MAX];

/* Four vCPUs asleep, each with its task priority */
static void begin(__u8 first, __u8 second, __u8 third, __u8 fourth)
{
	const __u8 priorities[MAX] = { first, second, third, fourth };

	vm = vm_create(.devices = DEVICES);
	memset((void *)got, 0, sizeof(got));
	memset((void *)nmis, 0, sizeof(nmis));
	memcpy((void *)priority, priorities, sizeof(priorities));
	ready = 0;
	done = false;
	guest_on(VECTOR, note);
	guest_on(2, note_nmi);
	for (unsigned int i = 0; i < MAX; i++)
		vcpu_start(vcpu_create(vm, i), MODE_LONG, RING0, sleeper, i);
	for (unsigned int i = 0; i < MAX; i++)
		runner_start(&runners[i], vm->vcpus[i]);
	while (ready < MAX && !ktap_failed())
		usleep(1000);
}

static int msi(__u64 address, __u32 data)
{
	struct tpz_msi m = { .size = sizeof(m), .address = address, .data = data };

	return ioctl(vm->fd, TPZ_SEND_MSI, &m);
}

static __u32 sum(void)
{
	return got[0] + got[1] + got[2] + got[3];
}

static void wait_for(volatile __u32 *value, __u32 least)
{
	while (*value < least && !ktap_failed())
		usleep(100);
}

/* All go home. Who is awake sees it before its message */
static void end(void)
{
	const __u32 before = sum();

	done = true;
	CHECK_EQ(msi(MSI(0xff), VECTOR), MAX);
	runners_join(runners, MAX);
	for (unsigned int i = 0; i < MAX; i++)
		CHECK_EQ(runners[i].result, 0);
	CHECK_LE(sum(), before + MAX);
	vm_close(vm);
}

static void program(__u64 entry)
{
	struct tpz_vm_state st = { .size = sizeof(st), .groups = TPZ_VM_STATE_IOAPIC };

	CHECK_SYS(ioctl(vm->fd, TPZ_GET_VM_STATE, &st));
	st.ioapic.redirection[PIN] = entry;
	CHECK_SYS(ioctl(vm->fd, TPZ_SET_VM_STATE, &st));
}

static __u64 entry(void)
{
	struct tpz_vm_state st = { .size = sizeof(st), .groups = TPZ_VM_STATE_IOAPIC };

	CHECK_SYS(ioctl(vm->fd, TPZ_GET_VM_STATE, &st));
	return st.ioapic.redirection[PIN];
}

static void drive_pin(__u32 level)
{
	struct tpz_irq_line irq = { .size = sizeof(irq), .line = PIN, .level = level };

	CHECK_SYS(ioctl(vm->fd, TPZ_IRQ_LINE, &irq));
}

static void pulse(void)
{
	drive_pin(1);
	drive_pin(0);
}

/* ------------------------------------------------------------------ lowest priority */

static void one_by_msi(void)
{
	CHECK_EQ(msi(MSI(0x0f) | REDIRECTION | BY_SET, VECTOR), 1);
}

static void one_by_msi_mode(void)
{
	CHECK_EQ(msi(MSI(0x0f) | BY_SET, LOWEST | VECTOR), 1);
}

static void send_many(void (*one)(void))
{
	const __u32 before = sum();

	for (__u32 i = 1; i <= 80; i++) {
		one();
		while (sum() < before + i && !ktap_failed())
			usleep(100);
		CHECK_EQ(sum(), before + i);
	}
}

/* Exactly one takes each; equals take turns; who has a higher priority is left in peace */
static void lowest_through(void (*one)(void), __u64 programmed)
{
	begin(0, 0, 0, 0);
	program(programmed);
	send_many(one);
	for (unsigned int i = 0; i < MAX; i++)
		CHECK_THAT(got[i] > 0, "vCPU %u took none", i);
	end();

	begin(0x20, 0x10, 0x10, 0x20);
	program(programmed);
	send_many(one);
	CHECK_EQ(got[0] + got[3], 0);
	CHECK(got[1] && got[2]);
	end();
}

static void lowest_by_msi(void)
{
	lowest_through(one_by_msi, LVT_MASKED);
	lowest_through(one_by_msi_mode, LVT_MASKED);
}

static void lowest_by_edge(void)
{
	lowest_through(pulse, TO(0x0f) | LOGICAL | LOWEST | VECTOR);
}

static void lowest_by_broadcast(void)
{
	lowest_through(pulse, TO(0xff) | LOWEST | VECTOR);
}

/* A level stays high until its receiver's EOI; then it is sent anew, and may be another's */
static void lowest_by_level(void)
{
	begin(0, 0, 0, 0);
	program(TO(0x0f) | LOGICAL | LOWEST | LEVEL | VECTOR);
	drive_pin(1);
	for (unsigned int i = 0; i < MAX; i++)
		wait_for(&got[i], 2);
	drive_pin(0);
	while (entry() & REMOTE_IRR && !ktap_failed())	/* its last receiver is not done */
		usleep(1000);
	end();
}

/* ------------------------------------------------------------------ sets, NMI, INIT */

static void sets(void)
{
	begin(0, 0, 0, 0);
	CHECK_EQ(msi(MSI(0x05) | BY_SET, VECTOR), 2);
	wait_for(&got[0], 1);
	wait_for(&got[2], 1);
	CHECK_EQ(msi(MSI(0x03), VECTOR), 1);
	wait_for(&got[3], 1);
	CHECK_EQ(msi(MSI(0x04), VECTOR), 0);
	CHECK_EQ(msi(MSI(0x30) | BY_SET, VECTOR), 0);
	CHECK_EQ(msi(MSI(0xff), VECTOR), 4);
	for (unsigned int i = 0; i < MAX; i++)
		wait_for(&got[i], 1 + (i != 1));
	program(TO(0x0a) | LOGICAL | VECTOR);
	pulse();
	wait_for(&got[1], 2);
	wait_for(&got[3], 3);
	CHECK_EQ(sum(), 9);
	end();
}

static void nmi(void)
{
	begin(0xf0, 0xf0, 0xf0, 0xf0);		/* no priority keeps one away */
	CHECK_EQ(msi(MSI(0x02), MODE_NMI), 1);
	wait_for(&nmis[2], 1);
	CHECK_EQ(msi(MSI(0x0a) | BY_SET, MODE_NMI | 0x33), 2);
	wait_for(&nmis[1], 1);
	wait_for(&nmis[3], 1);
	program(TO(0) | MODE_NMI | LEVEL);	/* an edge, whatever it says */
	pulse();
	wait_for(&nmis[0], 1);
	pulse();
	wait_for(&nmis[0], 2);
	CHECK_EQ(nmis[1] + nmis[2] + nmis[3], 3);
	done = true;
	CHECK_EQ(msi(MSI(0xff), MODE_NMI), MAX);	/* wakes them */
	runners_join(runners, MAX);
	for (unsigned int i = 0; i < MAX; i++)
		CHECK_EQ(runners[i].result, 0);
	CHECK_EQ(sum(), 0);
}

#define MODE_INIT	(5 << 8)
#define MODE_SMI	(2 << 8)

/* INIT by a device: the vCPU waits for its start-up message, which only vCPUs send */
static void init(void)
{
	begin(0, 0, 0, 0);
	CHECK_EQ(msi(MSI(0x01), MODE_INIT), 1);
	program(TO(2) | MODE_INIT);
	pulse();
	CHECK_EQ(msi(MSI(0x00), VECTOR), 1);
	wait_for(&got[0], 1);
	CHECK_EQ(msi(MSI(0xff), MODE_SMI), 0);
	CHECK_EQ(msi(MSI(0xff), MODE_EXTINT), 0);
	done = true;
	msi(MSI(0xff), VECTOR);
	runners_join(&runners[0], 1);
	runners_join(&runners[3], 1);
	runners_stop();
	runners_join(&runners[1], 2);
	for (unsigned int i = 0; i < MAX; i++) {
		struct tpz_state state = vcpu_get(vm->vcpus[i], TPZ_STATE_REGS | TPZ_STATE_EVENTS);
		const bool gone = i == 1 || i == 2;

		CHECK_EQ(runners[i].result, gone ? 0xdead : 0);
		CHECK_EQ(state.events.activity == TPZ_ACTIVITY_WAIT_SIPI, gone);
		CHECK_EQ(state.regs.rip == 0xfff0, gone);
	}
}

static const struct ktap_case cases[] = {
	{ "MSI: lowest priority", lowest_by_msi },
	{ "I/O APIC, edge: lowest priority of a set", lowest_by_edge },
	{ "I/O APIC, edge: lowest priority of all", lowest_by_broadcast },
	{ "I/O APIC, level: lowest priority, handed on by EOI", lowest_by_level },
	{ "each of a set, and nobody else", sets },
	{ "NMIs", nmi },
	{ "INIT; SMI and ExtINT have no receiver", init },
};
KTAP_MAIN(cases)
