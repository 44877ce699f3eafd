// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's io_uring.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "disk_ring.h"

static int restrict_ring(struct io_uring *uring)
{
	struct io_uring_restriction rules[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
	};

	return io_uring_register_restrictions(uring, rules, sizeof(rules) / sizeof(rules[0]));
}

int disk_ring_open(struct disk_ring *ring, int fd, unsigned int entries)
{
	struct io_uring_params params = { .flags = IORING_SETUP_R_DISABLED };

	if (io_uring_queue_init_params(entries, &ring->uring, &params))
		return -1;
	ring->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->done < 0)
		goto free_ring;
	if (io_uring_register_files(&ring->uring, &fd, 1) || io_uring_register_eventfd(&ring->uring, ring->done) ||
	    restrict_ring(&ring->uring) || io_uring_enable_rings(&ring->uring))
		goto close_done;
	return 0;

close_done:
	close(ring->done);
free_ring:
	io_uring_queue_exit(&ring->uring);
	return -1;
}

void disk_ring_close(struct disk_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
	close(ring->done);
}

void disk_ring_add(struct disk_ring *ring, enum disk_operation operation, const struct iovec *part, unsigned int parts,
		   uint64_t at, void *token)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);	/* there is one: the caller keeps count */

	if (operation == DISK_FLUSH)
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	else if (operation == DISK_READ)
		io_uring_prep_readv(sqe, 0, part, parts, at);
	else
		io_uring_prep_writev(sqe, 0, part, parts, at);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, token);
}

void disk_ring_submit(struct disk_ring *ring)
{
	while (io_uring_sq_ready(&ring->uring)) {
		if (io_uring_submit(&ring->uring) < 0)
			sched_yield();		/* the host is short of memory */
	}
}

void *disk_ring_next(struct disk_ring *ring, bool wait, int *result)
{
	struct io_uring_cqe *cqe;
	void *token;
	int ret;

	do {
		ret = wait ? io_uring_wait_cqe(&ring->uring, &cqe) : io_uring_peek_cqe(&ring->uring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		return NULL;
	token = io_uring_cqe_get_data(cqe);
	*result = cqe->res;
	io_uring_cqe_seen(&ring->uring, cqe);
	return token;
}
