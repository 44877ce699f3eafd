/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio block device (virtio 1.2, 5.2) over a raw file or a block device. */
#ifndef TPZ_VIRTIO_BLK_H
#define TPZ_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "disk_ring.h"
#include "virtio_pci.h"

#define BLK_UNDER_WAY_MAX	64	/* of one queue */

/**
 * struct blk_request - one that is under way, if @operation is not over
 * @part: its buffers, less header and status
 */
struct blk_request {
	bool busy;
	enum disk_operation operation;
	uint64_t sector;
	uint64_t bytes;
	struct virtq_chain chain;
	struct iovec part[VIRTQ_SIZE_MAX];
};

/**
 * struct blk_queue - what a queue has under way; guarded by its lock
 * @request: BLK_UNDER_WAY_MAX of them, @busy of which are; NULL: one request after the other, without @ring
 */
struct blk_queue {
	struct disk_ring ring;
	struct blk_request *request;
	unsigned int busy;
};

struct virtio_blk {
	struct virtio_device virtio;
	struct virtio_blk_config config;
	int fd;
	bool readonly;
	uint64_t sectors;
	struct blk_queue queue[VIRTIO_QUEUES_MAX];
};

/**
 * virtio_blk_init() - a disk of @bytes on @fd, which stays the caller's
 * @return 0 or -1
 */
int virtio_blk_init(struct virtio_blk *blk, const struct virtio_host *host, int fd, uint64_t bytes, bool readonly,
		    unsigned int queues);

/**
 * virtio_blk_use_rings() - from now on several requests of a queue are under way at a time; between init and virtio_add()
 * @return false: no io_uring is to be had; the disk works without
 */
bool virtio_blk_use_rings(struct virtio_blk *blk);

/* Instead of virtio_free() */
void virtio_blk_free(struct virtio_blk *blk);

#endif /* TPZ_VIRTIO_BLK_H */
