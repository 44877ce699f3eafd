// SPDX-License-Identifier: GPL-2.0
/*
 * Scanned slots (TPZ_SLOT_SCANNED): the guest reads and writes a device's registers with no exit, and the launcher hears of what
 * has changed. Told in exits, not in time.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "memory.h"

#define REGISTERS	AREA
#define PORTS		0x300
#define CONTROLS	8		/* control registers, of 4 bytes, behind the status */
#define LOOKS_US	10000

static int set_slot(struct vm *vm, __u32 flags, __u64 bytes, const void *memory, __u32 scan_us)
{
	struct tpz_slot set = { .size = sizeof(set), .flags = flags, .slot = SLOT_TEST, .scan_us = scan_us,
				.gpa = REGISTERS, .bytes = bytes, .uaddr = (uintptr_t)memory };

	return ioctl(vm->fd, TPZ_SET_SLOT, &set);
}

/* The device, and what the launcher knows of it */
static struct {
	__u32 control[CONTROLS];
	unsigned int told, exits;
} device;

static __u32 *registers_of(struct vm *vm, __u64 bytes, __u32 scan_us)
{
	__u32 *memory = map_anonymous(reserve(), bytes);

	memset(memory, 0, bytes);
	CHECK_SYS(set_slot(vm, TPZ_SLOT_SCANNED, bytes, memory, scan_us));
	memset(&device, 0, sizeof(device));
	return memory;
}

static struct tpz_queue *queue_of(struct vm *vm)
{
	return CHECK_SYS(mmap(NULL, TPZ_QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vm->fd, 0));
}

static bool take(struct tpz_queue *queue, struct tpz_queued_write *write)
{
	if (queue->tail == __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE))
		return false;
	*write = queue->write[queue->tail % TPZ_QUEUE_WRITES];
	__atomic_store_n(&queue->tail, queue->tail + 1, __ATOMIC_RELEASE);
	return true;
}

/* What was told goes into the device */
static void serve_queue(struct tpz_queue *queue)
{
	struct tpz_queued_write write;

	while (take(queue, &write)) {
		const __u64 n = (write.address - REGISTERS) / 4 - 1;

		CHECK_EQ(write.kind, TPZ_QUEUED_SCANNED);
		CHECK_EQ(write.bytes, 4);
		if (write.address == REGISTERS)		/* the launcher's own change, found beside the guest's */
			continue;
		CHECK_LT(n, CONTROLS);
		device.control[n] = write.data;
		device.told++;
	}
}

/* To the guest's end; what a look finds before the last exit is told before it */
static __u32 serve(struct vcpu *vcpu, struct tpz_queue *queue)
{
	for (;;) {
		const __u32 reason = vcpu_run(vcpu);

		serve_queue(queue);
		if (reason == TPZ_EXIT_SCANNED)
			device.exits++;
		else if (reason != TPZ_EXIT_INTERRUPTED)
			break;
	}
	CHECK_THAT(vcpu->run->reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE, "%s", vcpu_exit_text(vcpu));
	return *(volatile __u32 *)vcpu->data;
}

/* ------------------------------------------------------------------ against ports */

#define READS_PER_WRITE	20

/* A driver: status reads, and a control write after each 20 of them */
static GUEST __u32 drive_registers(__u64 writes)
{
	volatile __u32 *status = (volatile __u32 *)REGISTERS, *control = status + 1;
	__u32 sum = 0;

	for (__u32 i = 1; i <= writes; i++) {
		for (unsigned int n = 0; n < READS_PER_WRITE; n++)
			sum += *status;
		control[i % CONTROLS] = i * 3;
	}
	return sum;
}

static GUEST __u32 drive_ports(__u64 writes)
{
	__u32 sum = 0;

	for (__u32 i = 1; i <= writes; i++) {
		for (unsigned int n = 0; n < READS_PER_WRITE; n++)
			sum += inb(PORTS);
		outl(PORTS + 4 + 4 * (i % CONTROLS), i * 3);
	}
	return sum;
}

static __u32 serve_ports(struct vcpu *vcpu, __u32 control[CONTROLS])
{
	for (;;) {
		const __u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		CHECK_EQ(reason, TPZ_EXIT_IO);
		if (vcpu->run->io.port == PORT_DONE)
			return *(volatile __u32 *)vcpu->data;
		if (vcpu->run->io.in)
			vcpu->data[0] = 3;
		else
			control[(vcpu->run->io.port - PORTS - 4) / 4] = *(volatile __u32 *)vcpu->data;
	}
}

/* All of them: where the host's timer makes a vCPU look, its interrupts are a part of the price */
static __u64 all_exits(const struct meters *meters)
{
	return meters_read(meters, 0).exits;
}

/* @writes control writes and 20 times as many status reads: the same device in the end, for a thousandth of the exits */
static void against_ports(__u32 writes)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	struct meters meters = meters_open(vcpu->vm->id);
	__u32 *memory = registers_of(vcpu->vm, PAGE, LOOKS_US), by_ports[CONTROLS] = {};
	__u64 before, ports, scanned;

	/* What a first touch costs is not at stake */
	quiet_host_memory();
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, CONTROLS);
	serve(vcpu, queue);
	vcpu_start(vcpu, MODE_LONG, RING0, drive_ports, 1);
	serve_ports(vcpu, by_ports);
	memset(by_ports, 0, sizeof(by_ports));
	memset(&device, 0, sizeof(device));

	before = all_exits(&meters);
	vcpu_start(vcpu, MODE_LONG, RING0, drive_ports, writes);
	CHECK_EQ(serve_ports(vcpu, by_ports), writes * READS_PER_WRITE * 3);
	ports = all_exits(&meters) - before;

	memory[0] = 3;
	before = all_exits(&meters);
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, writes);
	CHECK_EQ(serve(vcpu, queue), writes * READS_PER_WRITE * 3);
	scanned = all_exits(&meters) - before;

	CHECK_EQ(memcmp(device.control, by_ports, sizeof(by_ports)), 0);
	CHECK_EQ(device.control[writes % CONTROLS], writes * 3);
	ktap_diag("%u status reads and %u control writes: %llu exits by ports, %llu scanned (%u looks found something)",
		  writes * READS_PER_WRITE, writes, ports, scanned, device.exits);
	CHECK_GE(ports, (__u64)writes * (READS_PER_WRITE + 1));
	CHECK_LE(scanned, writes * 3 / 100);
}

static void few_exits(void)
{
	against_ports(1000);
}

/* The exits of a million port reads are what takes the time */
static void a_million_reads(void)
{
	ktap_timeout(1800);
	against_ports(50000);
}

/* ------------------------------------------------------------------ what is told, and when */

static volatile bool wrote, go_on;

static GUEST __u32 write_and_wait(__u64 value)
{
	volatile __u32 *registers = (volatile __u32 *)REGISTERS;

	sti();
	registers[1] = value;
	wrote = true;
	while (!go_on)
		;
	return registers[0];
}

/* A guest that makes no exit of its own is looked at all the same */
static void looked_at_while_it_runs(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	__u32 *memory = registers_of(vcpu->vm, PAGE, 1000);

	for (__u32 i = 1; i < 20; i++) {
		go_on = false;
		vcpu_start(vcpu, MODE_LONG, RING0, write_and_wait, i);
		while (vcpu_run(vcpu) != TPZ_EXIT_SCANNED)
			CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
		CHECK_EQ(vcpu->run->insn_bytes, 0);
		serve_queue(queue);
		CHECK_EQ(device.told, i);
		CHECK_EQ(device.control[0], i);
		memory[0] = i * 5;		/* the device answers */
		go_on = true;
		CHECK_EQ(serve(vcpu, queue), i * 5);
		/* Its status stood in the same page, which had not been written to since */
		CHECK_EQ(device.told, i);
	}
}

/* A slot set while a guest runs without an exit */
static void *set_later(void *arg)
{
	struct vm *vm = arg;

	CHECK_SYS(set_slot(vm, TPZ_SLOT_SCANNED, PAGE, vm_host(vm, GUEST_FREE), 1000));
	return NULL;
}

static GUEST __u32 write_until_told(__u64 n)
{
	sti();
	while (!go_on)
		((volatile __u32 *)REGISTERS)[1] = ++n;
	return 1;
}

static void set_while_it_runs(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	pthread_t thread;

	go_on = false;
	CHECK_SYS(set_slot(vcpu->vm, 0, PAGE, vm_host(vcpu->vm, GUEST_FREE), 0));
	CHECK_EQ(pthread_create(&thread, NULL, set_later, vcpu->vm), 0);
	vcpu_start(vcpu, MODE_LONG, RING0, write_until_told, 0);
	while (vcpu_run(vcpu) != TPZ_EXIT_SCANNED)
		CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
	pthread_join(thread, NULL);
	go_on = true;
	while (vcpu_run(vcpu) != TPZ_EXIT_IO)
		CHECK(vcpu->run->reason == TPZ_EXIT_SCANNED || vcpu->run->reason == TPZ_EXIT_INTERRUPTED);
}

static GUEST __u32 write_two_then_out(__u64 value)
{
	volatile __u32 *registers = (volatile __u32 *)REGISTERS;

	registers[1] = 1000;
	registers[1] = value;
	registers[CONTROLS] = value + 1;
	outb(PORT_TEST, 7);
	registers[1] = 0;
	registers[1] = value;		/* no change */
	return 2;
}

static void before_any_other_exit(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);

	registers_of(vcpu->vm, PAGE, 1000000);
	for (__u32 i = 1; i < 10; i++) {
		vcpu_start(vcpu, MODE_LONG, RING0, write_two_then_out, i);
		CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 7);
		serve_queue(queue);
		CHECK_EQ(device.control[0], i);
		CHECK_EQ(device.control[CONTROLS - 1], i + 1);
		CHECK_EQ(device.told, 2 * i);
		CHECK_EQ(vcpu_finish(vcpu), 2);
		serve_queue(queue);
		CHECK_EQ(device.told, 2 * i);
	}
}

static GUEST __u32 write_then_halt(__u64 value)
{
	((volatile __u32 *)REGISTERS)[1] = value;
	asm volatile("hlt");
	return 0;
}

static void before_it_sleeps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct tpz_queue *queue = queue_of(vcpu->vm);

	registers_of(vcpu->vm, PAGE, 1000000);
	vcpu_start(vcpu, MODE_LONG, RING0, write_then_halt, 9);
	while (vcpu_run(vcpu) != TPZ_EXIT_SCANNED)
		CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
	serve_queue(queue);
	CHECK_EQ(device.control[0], 9);
}

/* ------------------------------------------------------------------ more words than the queue takes; several pages */

static GUEST __u32 write_each_word(__u64 pages)
{
	volatile __u32 *registers = (volatile __u32 *)REGISTERS;

	for (__u32 i = 0; i < pages * PAGE / 4; i++)
		registers[i] = i + 1;
	return 3;
}

static void more_than_the_queue_takes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	struct tpz_queued_write write;
	const unsigned int pages = 3;
	__u32 next = 0, reason;
	bool done = false;

	registers_of(vcpu->vm, pages * PAGE, 1000000);
	vcpu_start(vcpu, MODE_LONG, RING0, write_each_word, pages);
	while (!done) {
		reason = vcpu_run(vcpu);
		done = reason == TPZ_EXIT_IO;
		CHECK(done || reason == TPZ_EXIT_SCANNED || reason == TPZ_EXIT_INTERRUPTED);
		while (take(queue, &write)) {
			CHECK_EQ(write.address, REGISTERS + 4 * next);
			CHECK_EQ(write.data, ++next);
		}
	}
	/* The end of the guest came when the queue was full: the next run has the rest */
	vcpu_start(vcpu, MODE_LONG, RING0, write_each_word, pages);
	while (vcpu_run(vcpu) != TPZ_EXIT_IO)
		while (take(queue, &write)) {
			CHECK_EQ(write.address, REGISTERS + 4 * next);
			CHECK_EQ(write.data, ++next);
		}
	CHECK_EQ(next, pages * PAGE / 4);
}

/* A launcher that takes nothing out of the queue gets nowhere, but back */
static void a_queue_that_nobody_empties(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	registers_of(vcpu->vm, PAGE, 1000000);
	vcpu_start(vcpu, MODE_LONG, RING0, write_each_word, 1);
	while (vcpu_run(vcpu) != TPZ_EXIT_IO)
		CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
	for (unsigned int i = 0; i < 10; i++)
		CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_SCANNED);
}

/* ------------------------------------------------------------------ what the host does meanwhile */

/* The page goes, with its dirty bit, before anybody has looked: write-protected, or moved away and back */
static __u32 *taken;
static unsigned int turn;

static void *take_page(void *away)
{
	while (!wrote)
		sched_yield();
	if (turn % 2) {
		mremap(taken, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away);
		mremap(away, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, taken);
	} else {
		mprotect(taken, PAGE, PROT_READ);
		mprotect(taken, PAGE, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

static void the_host_takes_the_page(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *spare = reserve();
	const __u64 zaps = meters.vm->notifier_zaps;
	pthread_t thread;

	taken = registers_of(vcpu->vm, PAGE, 50000);
	for (turn = 1; turn < 7; turn++) {
		wrote = go_on = false;
		CHECK_EQ(pthread_create(&thread, NULL, take_page, spare), 0);
		vcpu_start(vcpu, MODE_LONG, RING0, write_and_wait, turn);
		while (vcpu_run(vcpu) != TPZ_EXIT_SCANNED)
			CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
		serve_queue(queue);
		CHECK_EQ(device.control[0], turn);
		CHECK_EQ(device.told, turn);
		pthread_join(thread, NULL);
		go_on = true;
		CHECK_EQ(serve(vcpu, queue), 0);
		CHECK_EQ(device.told, turn);
	}
	CHECK_GT(meters.vm->notifier_zaps, zaps);
}

/* The module itself writes for the guest: INS into the registers */
static GUEST __u32 ins_into_registers(__u64 to)
{
	asm volatile("cld; insl" : "+D"(to) : "d"(PORTS) : "memory");
	return 4;
}

static void what_the_module_writes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);

	registers_of(vcpu->vm, PAGE, 1000000);
	vcpu_start(vcpu, MODE_LONG, RING0, ins_into_registers, REGISTERS + 8);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	*(volatile __u32 *)vcpu->data = 0x1234;
	CHECK_EQ(serve(vcpu, queue), 4);
	CHECK_EQ(device.control[1], 0x1234);
	CHECK_EQ(device.told, 1);
}

/* ------------------------------------------------------------------ each write, by taking the permission away */

static void each_write_in_turn(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	struct meters meters = meters_open(vcpu->vm->id);
	__u32 *memory = registers_of(vcpu->vm, PAGE, LOOKS_US), i = 1;
	struct cost before, cost;

	quiet_host_memory();
	memory[0] = 1;
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, 30);
	CHECK_EQ(serve(vcpu, queue), 30 * READS_PER_WRITE);

	CHECK_SYS(set_slot(vcpu->vm, TPZ_SLOT_READONLY, PAGE, memory, 0));
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, 1);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu_finish(vcpu), READS_PER_WRITE);
	before = cost_of(&meters);
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, 30);
	for (;;) {
		const __u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_MMIO)
			break;
		CHECK_EQ(vcpu->run->mmio.write, 1);
		CHECK_EQ(vcpu->run->mmio.gpa, REGISTERS + 4 + 4 * (i % CONTROLS));
		CHECK_EQ(*(volatile __u32 *)vcpu->data, 3 * i);
		i++;
	}
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	cost = cost_since(&meters, &before);
	CHECK_EQ(i, 31);
	CHECK_GE(cost.exits, 31);
	CHECK_LE(cost.exits, 31 + cost.zaps);	/* the reads, 600 of them, cost none */
	CHECK_EQ(queue->head, queue->tail);

	CHECK_SYS(set_slot(vcpu->vm, TPZ_SLOT_SCANNED, PAGE, memory, LOOKS_US));
	vcpu_start(vcpu, MODE_LONG, RING0, drive_registers, 40);
	CHECK_EQ(serve(vcpu, queue), 40 * READS_PER_WRITE);
	CHECK_EQ(device.control[40 % CONTROLS], 120);
}

/* ------------------------------------------------------------------ the call */

static void slots_are_checked(void)
{
	struct vm *vm = vm_create();
	__u8 *memory = map_anonymous(reserve(), 65 * PAGE);
	const __u32 scanned = TPZ_SLOT_SCANNED;

	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, 99), EINVAL);
	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, 1000001), EINVAL);
	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, ~0U), EINVAL);
	CHECK_ERR(set_slot(vm, 0, PAGE, memory, 1000), EINVAL);
	CHECK_ERR(set_slot(vm, TPZ_SLOT_READONLY, PAGE, memory, 1000), EINVAL);
	CHECK_ERR(set_slot(vm, TPZ_SLOT_READONLY | scanned, PAGE, memory, 1000), EINVAL);
	CHECK_ERR(set_slot(vm, scanned, 65 * PAGE, memory, 1000), EINVAL);
	CHECK_ERR(set_slot(vm, 4 | scanned, PAGE, memory, 1000), EINVAL);
	CHECK_SYS(set_slot(vm, scanned, 64 * PAGE, memory, 100));
	CHECK_SYS(set_slot(vm, scanned, PAGE, memory, 1000000));
	CHECK_SYS(mprotect(memory, PAGE, PROT_NONE));
	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, 1000), EFAULT);
	CHECK_SYS(munmap(memory, PAGE));
	CHECK_ERR(set_slot(vm, scanned, PAGE, memory, 1000), EFAULT);
	CHECK_SYS(set_slot(vm, 0, 0, NULL, 0));
}

static const struct ktap_case cases[] = {
	{ "scanned registers cost few exits", few_exits },
	{ "looked at while a guest runs", looked_at_while_it_runs },
	{ "a scanned slot set while a guest runs", set_while_it_runs },
	{ "looked at before any other exit", before_any_other_exit },
	{ "looked at before a guest sleeps", before_it_sleeps },
	{ "more scanned words than the queue takes", more_than_the_queue_takes },
	{ "a queue of scanned words that nobody empties", a_queue_that_nobody_empties },
	{ "the host takes a scanned page away", the_host_takes_the_page },
	{ "the module writes to a scanned page", what_the_module_writes },
	{ "scanned, then each write, then scanned", each_write_in_turn },
	{ "scanned slots are checked", slots_are_checked },
	{ "a million status reads", a_million_reads },	/* in lists/long */
};
KTAP_MAIN(cases)
