/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio network device (virtio 1.2, 5.1) over a cable. No offloads: each frame is complete.
 */
#ifndef TPZ_VIRTIO_NET_H
#define TPZ_VIRTIO_NET_H

#include <linux/virtio_net.h>

#include "cable.h"
#include "virtio_pci.h"

/**
 * struct virtio_net
 * @fd: set not to block
 * @config: @config.status is atomic
 * @frame: received, and not yet given to the driver if @frame_bytes; the receive queue's
 */
struct virtio_net {
	struct virtio_device virtio;
	struct virtio_net_config config;
	int fd;
	size_t frame_bytes;
	uint8_t frame[CABLE_FRAME_MAX];
};

/**
 * virtio_net_init() - a network card whose cable is @fd, which stays the caller's and must not block
 * @return 0 or -1
 */
int virtio_net_init(struct virtio_net *net, const struct virtio_host *host, int fd, const uint8_t mac[ETH_ALEN]);

#endif /* TPZ_VIRTIO_NET_H */
