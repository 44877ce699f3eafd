/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue (virtio 1.2, 2.7), device side. All of it is the guest's and may change at any time: each
 * field is read once and checked, and a queue that breaks a rule is broken for good, with a sentence.
 *
 * What buffers overlap is the guest's business: they are only places to copy from or to, and rings are checked
 * anew whenever they are read.
 */
#ifndef TPZ_VIRTQ_H
#define TPZ_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "guestmem.h"

#define VIRTQ_SIZE_MAX	256

/**
 * struct virtq - a queue; guarded by its owner's lock
 * @size, @desc, @avail, @used: what the driver set
 * @indirect, @event_idx: what was negotiated
 * @broken: why it is broken, or NULL
 */
struct virtq {
	const struct guest_memory *memory;
	uint16_t size;
	uint64_t desc, avail, used;
	bool indirect;
	bool event_idx;
	const char *broken;

	const void *desc_at;		/* the same, in the launcher; NULL: not started */
	volatile uint16_t *avail_at;
	volatile uint16_t *used_at;
	uint16_t next_avail;		/* of the driver's index */
	uint16_t next_used;		/* our index */
	uint16_t told_used;		/* up to there the driver was told */
	bool tell_always;		/* told_used means nothing yet */
};

/**
 * struct virtq_chain - one request: buffers to read, then buffers to write
 */
struct virtq_chain {
	uint16_t head;
	unsigned int reads, writes;
	uint64_t read_bytes, write_bytes;	/* each below 4 GiB */
	struct iovec buffer[VIRTQ_SIZE_MAX];
};

/* Checks what the driver set, and begins; @return 0, or -1: broken */
int virtq_start(struct virtq *queue);

/* Note why the queue is broken; @return -1 */
int virtq_break(struct virtq *queue, const char *why);

/**
 * virtq_pop() - take the next request
 * @return 1, 0: none there, -1: broken
 */
int virtq_pop(struct virtq *queue, struct virtq_chain *chain);

/* Undoes the last @count virtq_pop(), of which nothing was pushed or filled */
void virtq_unpop(struct virtq *queue, unsigned int count);

/**
 * virtq_push() - give a request back
 * @written: bytes written to its buffers, from the first on
 */
void virtq_push(struct virtq *queue, uint16_t head, uint32_t written);

/**
 * virtq_fill(), virtq_publish() - give several back, so that the driver sees all of them at once or none
 * @ahead: how many were filled since the last virtq_publish()
 */
void virtq_fill(struct virtq *queue, unsigned int ahead, uint16_t head, uint32_t written);
void virtq_publish(struct virtq *queue, unsigned int count);

/* Whether the driver wants to be interrupted for what was pushed since the last call */
bool virtq_wants_interrupt(struct virtq *queue);

/**
 * virtq_listen() - ask for a kick at the next request (or, @wanted false, for none)
 * @return whether one is there already: then no kick may come
 */
bool virtq_listen(struct virtq *queue, bool wanted);

/* Copies from the read buffers, from byte @offset; @return bytes copied */
uint64_t virtq_read(const struct virtq_chain *chain, uint64_t offset, void *data, uint64_t bytes);

/* Copies to the write buffers */
uint64_t virtq_write(const struct virtq_chain *chain, uint64_t offset, const void *data, uint64_t bytes);

/**
 * virtq_slice() - the buffers that hold [offset, offset + bytes) of the read (or write) part
 * @slice: VIRTQ_SIZE_MAX of them
 * @return their number; the part must be long enough
 */
unsigned int virtq_slice(const struct virtq_chain *chain, bool write, uint64_t offset, uint64_t bytes,
			 struct iovec *slice);

#endif /* TPZ_VIRTQ_H */
