// SPDX-License-Identifier: GPL-2.0
/*
 * The device's side of a split virtqueue.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtq.h"

/* In 16-bit words of the available ring: flags, idx, ring[size], used_event */
#define AVAIL_FLAGS	0
#define AVAIL_IDX	1
#define AVAIL_RING	2

/* The used ring: flags, idx, ring[size] of two 32-bit words, avail_event */
#define USED_FLAGS	0
#define USED_IDX	1
#define USED_RING	2

int virtq_break(struct virtq *queue, const char *why)
{
	if (!queue->broken)
		queue->broken = why;
	return -1;
}

int virtq_start(struct virtq *queue)
{
	uint64_t size = queue->size;

	queue->broken = NULL;
	queue->next_avail = 0;
	queue->next_used = 0;
	queue->told_used = 0;
	queue->tell_always = true;
	if (!size || size > VIRTQ_SIZE_MAX || size & (size - 1))
		return virtq_break(queue, "its size is no power of two, or too large");
	if (queue->desc & 15 || queue->avail & 1 || queue->used & 3)
		return virtq_break(queue, "a ring is not aligned");
	queue->desc_at = guest_memory_at(queue->memory, queue->desc, 16 * size);
	queue->avail_at = guest_memory_at(queue->memory, queue->avail, 2 * (AVAIL_RING + size + 1));
	queue->used_at = guest_memory_at(queue->memory, queue->used, 2 * (USED_RING + 1) + 8 * size);
	if (!queue->desc_at || !queue->avail_at || !queue->used_at)
		return virtq_break(queue, "a ring is not in memory");
	return 0;
}

/* A copy that the guest cannot change between check and use */
static struct vring_desc read_descriptor(const void *table, unsigned int index)
{
	const volatile uint64_t *at = (const volatile uint64_t *)((const char *)table + 16 * index);
	uint64_t word[2] = { at[0], at[1] };
	struct vring_desc descriptor;

	memcpy(&descriptor, word, sizeof(descriptor));
	return descriptor;
}

static int add_buffer(struct virtq *queue, struct virtq_chain *chain, const struct vring_desc *descriptor)
{
	bool write = descriptor->flags & VRING_DESC_F_WRITE;
	uint64_t *bytes = write ? &chain->write_bytes : &chain->read_bytes;
	unsigned int count = chain->reads + chain->writes;
	void *at = guest_memory_at(queue->memory, descriptor->addr, descriptor->len);

	if (count == queue->size)
		return virtq_break(queue, "a chain is longer than the queue, or a loop");
	if (!descriptor->len)
		return virtq_break(queue, "a buffer without bytes");
	if (!at)
		return virtq_break(queue, "a buffer is not in memory");
	if (!write && chain->writes)
		return virtq_break(queue, "a buffer to read follows one to write");
	*bytes += descriptor->len;
	if (*bytes > UINT32_MAX)
		return virtq_break(queue, "a chain of more than 4 GiB");
	chain->buffer[count] = (struct iovec){ at, descriptor->len };
	if (write)
		chain->writes++;
	else
		chain->reads++;
	return 0;
}

/* Follows the chain through one table; each step adds a buffer, so a loop ends at the queue's size */
static int walk_table(struct virtq *queue, struct virtq_chain *chain, const void *table, unsigned int entries,
		      unsigned int index, bool is_indirect)
{
	for (;;) {
		struct vring_desc descriptor;

		if (index >= entries)
			return virtq_break(queue, "a descriptor's number is past the table");
		descriptor = read_descriptor(table, index);
		if (descriptor.flags & VRING_DESC_F_INDIRECT) {
			unsigned int inner = descriptor.len / 16;
			const void *at = guest_memory_at(queue->memory, descriptor.addr, descriptor.len);

			if (is_indirect || !queue->indirect || descriptor.flags & VRING_DESC_F_NEXT)
				return virtq_break(queue, "an indirect descriptor where none may be");
			if (descriptor.len % 16 || !inner || inner > queue->size || descriptor.addr & 7)
				return virtq_break(queue, "an indirect table of a wrong length");
			if (!at)
				return virtq_break(queue, "an indirect table is not in memory");
			return walk_table(queue, chain, at, inner, 0, true);
		}
		if (add_buffer(queue, chain, &descriptor))
			return -1;
		if (!(descriptor.flags & VRING_DESC_F_NEXT))
			return 0;
		index = descriptor.next;
	}
}

static int count_available(struct virtq *queue)
{
	uint16_t count;

	if (queue->broken || !queue->desc_at)
		return -1;
	count = __atomic_load_n(&queue->avail_at[AVAIL_IDX], __ATOMIC_ACQUIRE) - queue->next_avail;
	if (count > queue->size)
		return virtq_break(queue, "the available index runs ahead of the queue");
	return count;
}

int virtq_pop(struct virtq *queue, struct virtq_chain *chain)
{
	int ret = count_available(queue);

	if (ret <= 0)
		return ret;
	chain->reads = chain->writes = 0;
	chain->read_bytes = chain->write_bytes = 0;
	chain->head = queue->avail_at[AVAIL_RING + (queue->next_avail & (queue->size - 1))];
	if (walk_table(queue, chain, queue->desc_at, queue->size, chain->head, false))
		return -1;
	queue->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *queue, unsigned int count)
{
	queue->next_avail -= count;
}

void virtq_fill(struct virtq *queue, unsigned int ahead, uint16_t head, uint32_t written)
{
	uint16_t slot = (queue->next_used + ahead) & (queue->size - 1);
	volatile uint32_t *entry;

	if (queue->broken)
		return;
	entry = (volatile uint32_t *)&queue->used_at[USED_RING + 4 * slot];
	entry[0] = head;
	entry[1] = written;
}

void virtq_publish(struct virtq *queue, unsigned int count)
{
	if (queue->broken)
		return;
	queue->next_used += count;
	__atomic_store_n(&queue->used_at[USED_IDX], queue->next_used, __ATOMIC_RELEASE);
}

void virtq_push(struct virtq *queue, uint16_t head, uint32_t written)
{
	virtq_fill(queue, 0, head, written);
	virtq_publish(queue, 1);
}

bool virtq_wants_interrupt(struct virtq *queue)
{
	uint16_t old = queue->told_used, new = queue->next_used;
	bool always = queue->tell_always;

	if (queue->broken || !queue->desc_at || old == new)
		return false;
	/* The used index must be seen before the driver's wish is read, or both sides may wait (2.7.7.1) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	queue->told_used = new;
	queue->tell_always = false;
	if (!queue->event_idx)
		return !(queue->avail_at[AVAIL_FLAGS] & VRING_AVAIL_F_NO_INTERRUPT);
	return always || vring_need_event(queue->avail_at[AVAIL_RING + queue->size], new, old);
}

bool virtq_listen(struct virtq *queue, bool wanted)
{
	if (queue->broken || !queue->desc_at)
		return false;
	if (queue->event_idx) {
		if (wanted)
			queue->used_at[USED_RING + 4 * queue->size] = queue->next_avail;
	} else {
		queue->used_at[USED_FLAGS] = wanted ? 0 : VRING_USED_F_NO_NOTIFY;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return count_available(queue) != 0;
}

unsigned int virtq_slice(const struct virtq_chain *chain, bool write, uint64_t offset, uint64_t bytes,
			 struct iovec *slice)
{
	const struct iovec *buffer = chain->buffer + (write ? chain->reads : 0);
	unsigned int left = write ? chain->writes : chain->reads, count = 0;

	for (; left && bytes; left--, buffer++) {
		uint64_t part = buffer->iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part -= offset;
		if (part > bytes)
			part = bytes;
		slice[count++] = (struct iovec){ (char *)buffer->iov_base + offset, part };
		offset = 0;
		bytes -= part;
	}
	return count;
}

uint64_t virtq_read(const struct virtq_chain *chain, uint64_t offset, void *data, uint64_t bytes)
{
	struct iovec slice[VIRTQ_SIZE_MAX];
	unsigned int count = virtq_slice(chain, false, offset, bytes, slice);
	uint64_t done = 0;

	for (unsigned int i = 0; i < count; done += slice[i++].iov_len)
		memcpy((char *)data + done, slice[i].iov_base, slice[i].iov_len);
	return done;
}

uint64_t virtq_write(const struct virtq_chain *chain, uint64_t offset, const void *data, uint64_t bytes)
{
	struct iovec slice[VIRTQ_SIZE_MAX];
	unsigned int count = virtq_slice(chain, true, offset, bytes, slice);
	uint64_t done = 0;

	for (unsigned int i = 0; i < count; done += slice[i++].iov_len)
		memcpy(slice[i].iov_base, (const char *)data + done, slice[i].iov_len);
	return done;
}
