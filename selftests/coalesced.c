// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced regions (TPZ_SET_COALESCED): a guest's writes are queued in a page that the launcher maps, in order, and cost no
 * exit to user space until the queue is full.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "vm.h"

#define DEVICE_GPA	0x20000000ULL
#define PORTS		0x300

static int set_coalesced(struct vm *vm, __u32 flags, __u64 address, __u64 bytes)
{
	struct tpz_coalesced region = { .size = sizeof(region), .flags = flags, .address = address, .bytes = bytes };

	return ioctl(vm->fd, TPZ_SET_COALESCED, &region);
}

static struct tpz_queue *queue_of(struct vm *vm)
{
	return CHECK_SYS(mmap(NULL, TPZ_QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vm->fd, 0));
}

static unsigned int queued(struct tpz_queue *queue)
{
	return __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE) - queue->tail;
}

static struct tpz_queued_write take(struct tpz_queue *queue)
{
	struct tpz_queued_write write;

	CHECK_GT(queued(queue), 0);
	write = queue->write[queue->tail % TPZ_QUEUE_WRITES];
	__atomic_store_n(&queue->tail, queue->tail + 1, __ATOMIC_RELEASE);
	return write;
}

static void expect_write(struct tpz_queue *queue, __u8 kind, __u64 address, __u8 bytes, __u64 data)
{
	const struct tpz_queued_write write = take(queue);

	CHECK_EQ(write.kind, kind);
	CHECK_EQ(write.address, address);
	CHECK_EQ(write.bytes, bytes);
	CHECK_EQ(write.data, data);
}

/* ------------------------------------------------------------------ what goes there */

static GUEST __u32 write_all_widths(__u64 last)
{
	*(volatile __u8 *)(DEVICE_GPA + 1) = 0x11;
	outb(PORTS, 0x22);
	*(volatile __u16 *)(DEVICE_GPA + 2) = 0x3333;
	*(volatile __u32 *)(DEVICE_GPA + 4) = 0x44444444;
	outl(PORTS + 4, 0x55555555);
	*(volatile __u64 *)(DEVICE_GPA + 0xff8) = 0x6666666666666666;
	outw(PORTS + 6, 0x7777);
	outb(PORT_TEST, last);
	return 5;
}

static void in_order(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, PAGE));
	CHECK_SYS(set_coalesced(vcpu->vm, TPZ_COALESCED_PORT, PORTS, 8));
	vcpu_start(vcpu, MODE_LONG, RING0, write_all_widths, 1);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 1);
	CHECK_EQ(queued(queue), 7);
	expect_write(queue, TPZ_QUEUED_MMIO, DEVICE_GPA + 1, 1, 0x11);
	expect_write(queue, TPZ_QUEUED_PORT, PORTS, 1, 0x22);
	expect_write(queue, TPZ_QUEUED_MMIO, DEVICE_GPA + 2, 2, 0x3333);
	expect_write(queue, TPZ_QUEUED_MMIO, DEVICE_GPA + 4, 4, 0x44444444);
	expect_write(queue, TPZ_QUEUED_PORT, PORTS + 4, 4, 0x55555555);
	expect_write(queue, TPZ_QUEUED_MMIO, DEVICE_GPA + 0xff8, 8, 0x6666666666666666);
	expect_write(queue, TPZ_QUEUED_PORT, PORTS + 6, 2, 0x7777);
	CHECK_EQ(vcpu_finish(vcpu), 5);
	CHECK_EQ(queued(queue), 0);
}

/* Reads; writes that lie outside, or reach out of the region; and those of more than 8 bytes: exits as ever */
static GUEST __u32 others(__u64 value)
{
	const __u32 read = *(volatile __u32 *)DEVICE_GPA;

	*(volatile __u32 *)(DEVICE_GPA + 0x3e) = 7;
	*(volatile __u8 *)(DEVICE_GPA + 0x40) = value;
	asm volatile("movups %%xmm0, (%0)" : : "r"(DEVICE_GPA) : "memory");
	outw(PORTS + 7, 9);
	return read + inb(PORTS);
}

static void what_exits_all_the_same(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	const struct { __u64 gpa; __u8 bytes, write; } exits[] = {
		{ DEVICE_GPA, 4, 0 }, { DEVICE_GPA + 0x3e, 4, 1 }, { DEVICE_GPA + 0x40, 1, 1 }, { DEVICE_GPA, 16, 1 },
	};

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 0x40));
	CHECK_SYS(set_coalesced(vcpu->vm, TPZ_COALESCED_PORT, PORTS, 8));
	vcpu_start(vcpu, MODE_LONG, RING0, others, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(exits); i++) {
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.gpa, exits[i].gpa);
		CHECK_EQ(vcpu->run->mmio.bytes, exits[i].bytes);
		CHECK_EQ(vcpu->run->mmio.write, exits[i].write);
		*(volatile __u32 *)vcpu->data = 30;
	}
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, PORTS + 7);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.in, 1);
	vcpu->data[0] = 4;
	CHECK_EQ(vcpu_finish(vcpu), 34);
	CHECK_EQ(queued(queue), 0);
}

/* ------------------------------------------------------------------ a full queue */

static GUEST __u32 count_up(__u64 times)
{
	for (__u32 i = 0; i < times; i++)
		*(volatile __u32 *)DEVICE_GPA = i;
	return 1;
}

static void a_full_queue_exits(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	const unsigned int times = 1000;
	unsigned int next = 0, exits = 0;

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 4));
	vcpu_start(vcpu, MODE_LONG, RING0, count_up, times);
	for (;;) {
		const __u32 reason = vcpu_run(vcpu);

		while (queued(queue))
			expect_write(queue, TPZ_QUEUED_MMIO, DEVICE_GPA, 4, next++);
		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_MMIO)
			break;
		CHECK_EQ(*(volatile __u32 *)vcpu->data, next++);
		exits++;
	}
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	CHECK_EQ(next, times);
	CHECK_EQ(exits, times / (TPZ_QUEUE_WRITES + 1));	/* each of them behind a full queue */
}

/* REP OUTS: what still fits is queued, the rest is one exit */
static GUEST __u32 out_string(__u64 count)
{
	const void *from = (void *)GUEST_FREE;

	asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(PORTS) : "memory");
	return from - (void *)GUEST_FREE;
}

static void strings(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	const unsigned int count = TPZ_QUEUE_WRITES + 20;
	__u8 *bytes = vm_host(vcpu->vm, GUEST_FREE);

	for (unsigned int i = 0; i < count; i++)
		bytes[i] = i * 7;
	CHECK_SYS(set_coalesced(vcpu->vm, TPZ_COALESCED_PORT, PORTS, 1));
	vcpu_start(vcpu, MODE_LONG, RING0, out_string, count);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(queued(queue), TPZ_QUEUE_WRITES);
	for (unsigned int i = 0; i < TPZ_QUEUE_WRITES; i++)
		expect_write(queue, TPZ_QUEUED_PORT, PORTS, 1, bytes[i]);
	CHECK_EQ(vcpu->run->io.count, count - TPZ_QUEUE_WRITES);
	CHECK_EQ(memcmp((void *)vcpu->data, bytes + TPZ_QUEUE_WRITES, count - TPZ_QUEUE_WRITES), 0);
	CHECK_EQ(vcpu_finish(vcpu), count);
}

/* ------------------------------------------------------------------ what it costs */

static void no_exit_to_user_space(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters before, now;
	__u64 entered[2];

	for (unsigned int coalesced = 0; coalesced < 2; coalesced++) {
		if (coalesced)
			CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 4));
		vcpu_start(vcpu, MODE_LONG, RING0, count_up, 100);
		before = meters_read(&meters, 0);
		while (vcpu_run(vcpu) != TPZ_EXIT_IO)
			CHECK_THAT(vcpu->run->reason == TPZ_EXIT_MMIO || vcpu->run->reason == TPZ_EXIT_INTERRUPTED, "%s",
				   vcpu_exit_text(vcpu));
		now = meters_read(&meters, 0);
		entered[coalesced] = now.user_exits - before.user_exits;
	}
	CHECK_GE(entered[0], 101);
	CHECK_LE(entered[1], 10);	/* one, but for signals */
}

/* ------------------------------------------------------------------ a launcher that does not keep the rules */

static void scribbles(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	const __u32 tails[] = { 1, 127, 128, 129, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned int exits;

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 4));
	for (unsigned int i = 0; i < ARRAY_SIZE(tails); i++) {
		memset(queue, 0xa5, sizeof(*queue));
		queue->tail = tails[i];
		vcpu_start(vcpu, MODE_LONG, RING0, count_up, 300);
		for (exits = 0; vcpu_run(vcpu) != TPZ_EXIT_IO; exits++)
			CHECK_LE(exits, 400);
		CHECK_EQ(vcpu->run->io.port, PORT_DONE);
	}
	/* Afterwards it works as before */
	queue->tail = queue->head;
	vcpu_start(vcpu, MODE_LONG, RING0, count_up, 1);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(queued(queue), 1);
}

static void *scribble(void *arg)
{
	struct tpz_queue *queue = arg;
	__u64 random = 88172645463325252ULL, *words = arg;

	while (queue->pad[6] != 1) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[random % (sizeof(*queue) / 8 - 8) + 8] = random;
		((volatile __u32 *)queue)[random >> 32 & 1] = random;
	}
	return NULL;
}

static void scribbles_all_the_time(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);
	pthread_t thread;

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 4));
	CHECK_EQ(pthread_create(&thread, NULL, scribble, queue), 0);
	for (unsigned int i = 0; i < 20; i++) {
		vcpu_start(vcpu, MODE_LONG, RING0, count_up, 200);
		while (vcpu_run(vcpu) != TPZ_EXIT_IO)
			CHECK(vcpu->run->reason == TPZ_EXIT_MMIO || vcpu->run->reason == TPZ_EXIT_INTERRUPTED);
	}
	queue->pad[6] = 1;
	pthread_join(thread, NULL);
}

/* ------------------------------------------------------------------ the calls */

static void regions_are_checked(void)
{
	struct vm *vm = vm_create();
	const __u64 top = 1ULL << device_info().phys_bits;
	const __u32 port = TPZ_COALESCED_PORT, remove = TPZ_COALESCED_REMOVE;
	unsigned int i;

	CHECK_ERR(set_coalesced(vm, 0, DEVICE_GPA, 0), EINVAL);
	CHECK_ERR(set_coalesced(vm, 0, top, 1), EINVAL);
	CHECK_ERR(set_coalesced(vm, 0, top - 4, 5), EINVAL);
	CHECK_ERR(set_coalesced(vm, 0, -1ULL, 2), EINVAL);
	CHECK_ERR(set_coalesced(vm, 0, 8, -8ULL), EINVAL);
	CHECK_ERR(set_coalesced(vm, port, 0x10000, 1), EINVAL);
	CHECK_ERR(set_coalesced(vm, port, 0xffff, 2), EINVAL);
	CHECK_ERR(set_coalesced(vm, port, 1, 0x10000), EINVAL);
	CHECK_ERR(set_coalesced(vm, 4, DEVICE_GPA, 4), EINVAL);
	CHECK_ERR(set_coalesced(vm, remove, DEVICE_GPA, 4), ENOENT);

	CHECK_SYS(set_coalesced(vm, 0, 0x1000, 0x10));
	CHECK_ERR(set_coalesced(vm, 0, 0x100f, 1), EEXIST);
	CHECK_ERR(set_coalesced(vm, 0, 0xfff, 2), EEXIST);
	CHECK_ERR(set_coalesced(vm, 0, 0xf00, 0x1000), EEXIST);
	CHECK_SYS(set_coalesced(vm, port, 0x1000, 0x10));	/* ports are another space */
	CHECK_SYS(set_coalesced(vm, 0, 0x1010, 1));
	CHECK_ERR(set_coalesced(vm, remove, 0x1000, 8), ENOENT);
	CHECK_ERR(set_coalesced(vm, remove, 0x1000, 0x11), ENOENT);
	CHECK_SYS(set_coalesced(vm, remove, 0x1000, 0x10));
	CHECK_SYS(set_coalesced(vm, remove | port, 0x1000, 0x10));
	CHECK_SYS(set_coalesced(vm, remove, 0x1010, 1));
	CHECK_ERR(set_coalesced(vm, remove, 0x1010, 1), ENOENT);
	CHECK_SYS(set_coalesced(vm, 0, top - 4, 4));
	CHECK_SYS(set_coalesced(vm, port, 0, 0x10000));

	for (i = 2; !set_coalesced(vm, 0, i * 0x100, 1); i++)
		CHECK_LE(i, 100000);
	CHECK_EQ(errno, ENOSPC);
}

static void a_region_taken_away(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_queue *queue = queue_of(vcpu->vm);

	CHECK_SYS(set_coalesced(vcpu->vm, 0, DEVICE_GPA, 4));
	CHECK_SYS(set_coalesced(vcpu->vm, TPZ_COALESCED_REMOVE, DEVICE_GPA, 4));
	vcpu_start(vcpu, MODE_LONG, RING0, count_up, 1);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(queued(queue), 0);
}

static void the_queue_maps_in_one_way(void)
{
	struct vm *vm = vm_create();
	const int rw = PROT_READ | PROT_WRITE;
	struct tpz_queue *queue;

	CHECK_EQ(mmap(NULL, 2 * PAGE, rw, MAP_SHARED, vm->fd, 0), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_SHARED, vm->fd, PAGE), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_SHARED, vm->fd, 1UL << 40), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_PRIVATE, vm->fd, 0), MAP_FAILED);
	queue = queue_of(vm);
	queue->tail = 3;
	CHECK_EQ(queue_of(vm)->tail, 3);
}

static const struct ktap_case cases[] = {
	{ "in order, of every width", in_order },
	{ "what exits all the same", what_exits_all_the_same },
	{ "a full queue exits", a_full_queue_exits },
	{ "strings", strings },
	{ "no exit to user space", no_exit_to_user_space },
	{ "the launcher scribbles into the queue", scribbles },
	{ "all the time", scribbles_all_the_time },
	{ "regions are checked", regions_are_checked },
	{ "a region taken away", a_region_taken_away },
	{ "the queue maps in one way", the_queue_maps_in_one_way },
};
KTAP_MAIN(cases)
