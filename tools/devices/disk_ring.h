/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads, writes and flushes of one file by io_uring: many under way at a time. One thread at a time may use a ring.
 *
 * Ring operations pass by the launcher's system call filter. So the kernel is told what this ring is for: these three
 * operations on this file, from the opening on and for good.
 */
#ifndef TPZ_DISK_RING_H
#define TPZ_DISK_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH };

/**
 * struct disk_ring
 * @done: an eventfd that is signalled as operations end
 */
struct disk_ring {
	struct io_uring uring;
	int done;
};

/**
 * disk_ring_open() - a ring for up to @entries operations at a time on @fd
 * @return 0, or -1: this kernel has none, or not for this user
 */
int disk_ring_open(struct disk_ring *ring, int fd, unsigned int entries);

/* With no operation under way */
void disk_ring_close(struct disk_ring *ring);

/* Prepares one; @part must last until its end, which tells @token */
void disk_ring_add(struct disk_ring *ring, enum disk_operation operation, const struct iovec *part, unsigned int parts,
		   uint64_t at, void *token);

/* Begins all that are prepared */
void disk_ring_submit(struct disk_ring *ring);

/**
 * disk_ring_next() - one that has ended; or, @wait, that will
 * @result: bytes, or a negative error
 * @return its token, or NULL: none
 */
void *disk_ring_next(struct disk_ring *ring, bool wait, int *result);

#endif /* TPZ_DISK_RING_H */
