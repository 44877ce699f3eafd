/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio block device (virtio 1.2, 5.2) over a raw file or a block device. */
#ifndef TPZ_VIRTIO_BLK_H
#define TPZ_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "virtio_pci.h"

struct virtio_blk {
	struct virtio_device virtio;
	struct virtio_blk_config config;
	int fd;
	bool readonly;
	uint64_t sectors;
};

/**
 * virtio_blk_init() - a disk of @bytes on @fd, which stays the caller's
 * @return 0 or -1
 */
int virtio_blk_init(struct virtio_blk *blk, const struct virtio_host *host, int fd, uint64_t bytes, bool readonly,
		    unsigned int queues);

#endif /* TPZ_VIRTIO_BLK_H */
