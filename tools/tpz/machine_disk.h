/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's disks, on the files or block devices that hold them.
 */
#ifndef TPZ_MACHINE_DISK_H
#define TPZ_MACHINE_DISK_H

#include "devices/virtio_blk.h"

/**
 * struct disk_config - what one --disk asked for
 */
struct disk_config {
	const char *name;
	bool readonly;
};

/**
 * machine_disk_open() - open it for this guest alone (or, read-only, for such guests) and prepare the device
 * @queues: 1 to VIRTIO_QUEUES_MAX
 *
 * Ends tpz with a message on failure; virtio_add() starts it.
 */
void machine_disk_open(struct virtio_blk *disk, const struct disk_config *config, const struct virtio_host *host,
		       unsigned int queues);
void machine_disk_free(struct virtio_blk *disk);

#endif /* TPZ_MACHINE_DISK_H */
