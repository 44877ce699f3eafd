// SPDX-License-Identifier: GPL-2.0
/*
 * A split virtqueue, driven by a well-behaved driver and by hostile ones; and guest memory's bounds.
 */
#include <asm/types.h>

#include "../lib/ktap.c"

#include <linux/virtio_ring.h>

#include "../../tools/devices/guestmem.c"
#include "../../tools/devices/virtq.c"

#define SIZE		8
#define BASE		0x10000
#define BYTES		0x10000
#define DESC		BASE
#define AVAIL		(BASE + 0x1000)
#define USED		(BASE + 0x2000)
#define TABLE		(BASE + 0x3000)
#define DATA		(BASE + 0x4000)

static _Alignas(4096) uint8_t ram[BYTES];
static struct guest_memory memory;
static struct virtq queue;
static struct virtq_chain chain;

static struct vring_desc *descriptor(uint64_t table, unsigned int i)
{
	return (struct vring_desc *)(ram + (table - BASE)) + i;
}

static uint16_t *avail(void)
{
	return (uint16_t *)(ram + (AVAIL - BASE));
}

static uint16_t *used(void)
{
	return (uint16_t *)(ram + (USED - BASE));
}

static void describe(uint64_t table, unsigned int i, uint64_t gpa, uint32_t bytes, uint16_t flags, uint16_t next)
{
	*descriptor(table, i) = (struct vring_desc){ gpa, bytes, flags, next };
}

static void offer(uint16_t head)
{
	avail()[2 + avail()[1] % SIZE] = head;
	avail()[1]++;
}

static void new_queue(void)
{
	memset(ram, 0, sizeof(ram));
	memory = (struct guest_memory){ 0 };
	CHECK_EQ(guest_memory_add(&memory, BASE, BYTES, ram), 0);
	queue = (struct virtq){ .memory = &memory, .size = SIZE, .desc = DESC, .avail = AVAIL, .used = USED, .indirect = true };
	CHECK_EQ(virtq_start(&queue), 0);
}

static void memory_bounds(void)
{
	struct guest_memory two = { 0 };
	static uint8_t low[4096], high[4096];

	CHECK_EQ(guest_memory_add(&two, 0, 4096, low), 0);
	CHECK_EQ(guest_memory_add(&two, 4096, 4096, high), 0);
	CHECK_EQ(guest_memory_add(&two, 8191, 1, high), -1);
	CHECK_EQ(guest_memory_add(&two, ~0ULL, 2, high), -1);
	CHECK_EQ(guest_memory_add(&two, 0x10000, 0, high), -1);
	CHECK(guest_memory_at(&two, 4095, 1) == low + 4095);
	CHECK(guest_memory_at(&two, 4096, 4096) == high);
	CHECK(!guest_memory_at(&two, 4095, 2));
	CHECK(!guest_memory_at(&two, 8192, 0));
	CHECK(!guest_memory_at(&two, 4097, 4096));
	CHECK(!guest_memory_at(&two, 4097, ~0ULL));
	CHECK(!guest_memory_at(&two, ~0ULL, 1));
}

static void requests_come_and_go(void)
{
	char text[32] = { 0 };
	struct iovec slice[VIRTQ_SIZE_MAX];

	new_queue();
	CHECK_EQ(virtq_pop(&queue, &chain), 0);
	describe(DESC, 3, DATA, 4, VRING_DESC_F_NEXT, 1);
	describe(DESC, 1, DATA + 100, 3, VRING_DESC_F_NEXT, 5);
	describe(DESC, 5, DATA + 200, 10, VRING_DESC_F_WRITE, 0);
	memcpy(ram + (DATA - BASE), "abcd", 4);
	memcpy(ram + (DATA - BASE) + 100, "efg", 3);
	for (int i = 0; i < 0x10010; i++) {	/* the indices wrap around */
		offer(3);
		CHECK_EQ(virtq_pop(&queue, &chain), 1);
		CHECK_EQ(chain.reads, 2);
		CHECK_EQ(chain.writes, 1);
		CHECK_EQ(chain.read_bytes, 7);
		CHECK_EQ(chain.write_bytes, 10);
		virtq_push(&queue, chain.head, 10);
		CHECK_EQ(used()[1], (uint16_t)(i + 1));
		CHECK_EQ(used()[2 + 4 * (i % SIZE)], 3);
	}
	CHECK_EQ(virtq_read(&chain, 2, text, 30), 5);
	CHECK_STR(text, "cdefg");
	CHECK_EQ(virtq_read(&chain, 7, text, 1), 0);
	CHECK_EQ(virtq_write(&chain, 8, "xyz", 3), 2);
	CHECK(!memcmp(ram + (DATA - BASE) + 208, "xy\0", 3));
	CHECK_EQ(virtq_slice(&chain, false, 3, 2, slice), 2);
	CHECK_EQ(slice[0].iov_len, 1);
}

static void indirect_tables(void)
{
	new_queue();
	describe(DESC, 0, TABLE, 32, VRING_DESC_F_INDIRECT, 0);
	describe(TABLE, 0, DATA, 4, VRING_DESC_F_NEXT, 1);
	describe(TABLE, 1, DATA, 8, VRING_DESC_F_WRITE, 0);
	offer(0);
	CHECK_EQ(virtq_pop(&queue, &chain), 1);
	CHECK_EQ(chain.read_bytes, 4);
	CHECK_EQ(chain.write_bytes, 8);
}

static void interrupts_and_kicks(void)
{
	new_queue();
	CHECK(!virtq_wants_interrupt(&queue));
	virtq_push(&queue, 0, 0);
	CHECK(virtq_wants_interrupt(&queue));
	CHECK(!virtq_wants_interrupt(&queue));
	avail()[0] = VRING_AVAIL_F_NO_INTERRUPT;
	virtq_push(&queue, 0, 0);
	CHECK(!virtq_wants_interrupt(&queue));
	CHECK(!virtq_listen(&queue, false));
	CHECK_EQ(used()[0], VRING_USED_F_NO_NOTIFY);
	offer(0);
	CHECK(virtq_listen(&queue, true));
	CHECK_EQ(used()[0], 0);

	new_queue();
	queue.event_idx = true;
	virtq_push(&queue, 0, 0);
	CHECK(virtq_wants_interrupt(&queue));	/* the first always */
	avail()[2 + SIZE] = 2;			/* used_event: when the index passes 2 */
	virtq_push(&queue, 0, 0);
	CHECK(!virtq_wants_interrupt(&queue));
	virtq_push(&queue, 0, 0);
	CHECK(virtq_wants_interrupt(&queue));
	describe(DESC, 0, DATA, 4, 0, 0);
	offer(0);
	CHECK_EQ(virtq_pop(&queue, &chain), 1);
	CHECK(!virtq_listen(&queue, true));
	CHECK_EQ(used()[2 + 4 * SIZE], 1);	/* avail_event */
}

static void breaks(const char *why)
{
	CHECK_EQ(virtq_pop(&queue, &chain), -1);
	CHECK_STR(queue.broken, why);
	CHECK_EQ(virtq_pop(&queue, &chain), -1);
	virtq_push(&queue, 0, 0);
	CHECK_EQ(used()[1], 0);
	CHECK(!virtq_wants_interrupt(&queue));
	CHECK(!virtq_listen(&queue, true));
}

static void hostile_chains(void)
{
	static const struct {
		struct vring_desc first, second, inner;
		const char *why;
	} cases[] = {
		{ { DATA, 4, VRING_DESC_F_NEXT, 0 }, {}, {}, "a chain is longer than the queue, or a loop" },
		{ { DATA, 4, VRING_DESC_F_NEXT, SIZE }, {}, {}, "a descriptor's number is past the table" },
		{ { DATA, 4, VRING_DESC_F_NEXT, 65535 }, {}, {}, "a descriptor's number is past the table" },
		{ { DATA, 0, 0, 0 }, {}, {}, "a buffer without bytes" },
		{ { BASE + BYTES - 1, 2, 0, 0 }, {}, {}, "a buffer is not in memory" },
		{ { BASE - 1, 2, 0, 0 }, {}, {}, "a buffer is not in memory" },
		{ { ~0ULL, ~0U, 0, 0 }, {}, {}, "a buffer is not in memory" },
		{ { DATA, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1 }, { DATA, 4, 0, 0 }, {}, "a buffer to read follows one to write" },
		{ { TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 }, {}, {}, "an indirect descriptor where none may be" },
		{ { TABLE, 16, VRING_DESC_F_INDIRECT, 0 }, {}, { TABLE, 16, VRING_DESC_F_INDIRECT, 0 }, "an indirect descriptor where none may be" },
		{ { TABLE, 17, VRING_DESC_F_INDIRECT, 0 }, {}, {}, "an indirect table of a wrong length" },
		{ { TABLE, 0, VRING_DESC_F_INDIRECT, 0 }, {}, {}, "an indirect table of a wrong length" },
		{ { TABLE, 16 * SIZE + 16, VRING_DESC_F_INDIRECT, 0 }, {}, {}, "an indirect table of a wrong length" },
		{ { BASE + BYTES - 8, 16, VRING_DESC_F_INDIRECT, 0 }, {}, {}, "an indirect table is not in memory" },
		{ { TABLE, 16, VRING_DESC_F_INDIRECT, 0 }, {}, { DATA, 4, VRING_DESC_F_NEXT, 1 }, "a descriptor's number is past the table" },
		{ { TABLE, 16, VRING_DESC_F_INDIRECT, 0 }, {}, { DATA, 4, VRING_DESC_F_NEXT, 0 }, "a chain is longer than the queue, or a loop" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		new_queue();
		*descriptor(DESC, 0) = cases[i].first;
		*descriptor(DESC, 1) = cases[i].second;
		*descriptor(TABLE, 0) = cases[i].inner;
		offer(0);
		breaks(cases[i].why);
	}
}

static void hostile_rings(void)
{
	new_queue();
	offer(SIZE);
	breaks("a descriptor's number is past the table");
	new_queue();
	avail()[1] = SIZE + 1;
	breaks("the available index runs ahead of the queue");

	new_queue();
	queue.size = 7;
	CHECK_EQ(virtq_start(&queue), -1);
	queue.size = 2 * VIRTQ_SIZE_MAX;
	CHECK_EQ(virtq_start(&queue), -1);
	queue.size = 0;
	CHECK_EQ(virtq_start(&queue), -1);
	queue.size = SIZE;
	queue.desc = DESC + 8;
	CHECK_EQ(virtq_start(&queue), -1);
	CHECK_STR(queue.broken, "a ring is not aligned");
	queue.desc = DESC;
	queue.used = BASE + BYTES - 8 * SIZE - 4;	/* all but avail_event */
	CHECK_EQ(virtq_start(&queue), -1);
	CHECK_STR(queue.broken, "a ring is not in memory");
	queue.used = USED;
	CHECK_EQ(virtq_start(&queue), 0);
}

/* Any bytes in the rings: every answer is one of three, and buffers stay in memory */
static void random_rings(void)
{
	srandom(1);
	for (int run = 0; run < 200000; run++) {
		new_queue();
		for (int i = 0; i < SIZE; i++) {
			describe(DESC, i, BASE + random() % (BYTES + 64), random() % 600, random() % 8, random() % (SIZE + 1));
			describe(TABLE, i, BASE + random() % (BYTES + 64), random() % 600, random() % 4, random() % (SIZE + 1));
			offer(random() % SIZE);
		}
		if (random() % 2)
			describe(DESC, avail()[2], TABLE, 16 * (random() % SIZE), VRING_DESC_F_INDIRECT, 0);
		while (virtq_pop(&queue, &chain) > 0) {
			uint64_t bytes = 0;

			CHECK_LE(chain.reads + chain.writes, SIZE);
			for (unsigned int i = 0; i < chain.reads + chain.writes; i++) {
				uint8_t *at = chain.buffer[i].iov_base;

				CHECK(at >= ram && at + chain.buffer[i].iov_len <= ram + BYTES);
				bytes += chain.buffer[i].iov_len;
			}
			CHECK_EQ(bytes, chain.read_bytes + chain.write_bytes);
			virtq_push(&queue, chain.head, chain.write_bytes);
		}
	}
}

static const struct ktap_case cases[] = {
	{ "guest memory ends where its ranges end", memory_bounds },
	{ "requests come and go, indices wrap", requests_come_and_go },
	{ "indirect tables", indirect_tables },
	{ "interrupts and kicks as the driver wishes", interrupts_and_kicks },
	{ "hostile chains break the queue", hostile_chains },
	{ "hostile rings and sizes break the queue", hostile_rings },
	{ "200,000 random rings", random_rings },
};
KTAP_MAIN(cases)
