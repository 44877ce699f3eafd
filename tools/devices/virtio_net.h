/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio network device (virtio 1.2, 5.1) over a cable. No offloads: each frame is complete. With a tap the host's
 * kernel can move the frames.
 */
#ifndef TPZ_VIRTIO_NET_H
#define TPZ_VIRTIO_NET_H

#include <linux/virtio_net.h>

#include "cable.h"
#include "vhost.h"

/**
 * struct virtio_net
 * @fd: set not to block
 * @config: @config.status is atomic
 * @vhost: what moves the frames, if @vhost.fd is not -1
 * @frame: received, and not yet given to the driver if @frame_bytes; the receive queue's
 */
struct virtio_net {
	struct virtio_device virtio;
	struct virtio_net_config config;
	int fd;
	struct vhost vhost;
	size_t frame_bytes;
	uint8_t frame[CABLE_FRAME_MAX];
};

/**
 * virtio_net_init() - a network card whose cable is @fd, which stays the caller's and must not block
 * @return 0 or -1
 */
int virtio_net_init(struct virtio_net *net, const struct virtio_host *host, int fd, const uint8_t mac[ETH_ALEN]);

/**
 * virtio_net_use_vhost() - from now on the kernel moves the frames; between init and virtio_add()
 * @vhost: from vhost_open(); its file is the card's from now on. The card's own one must be a tap whose frames have a
 *	struct virtio_net_hdr_v1 in front: both kernel parts pass that on as the guest has it
 * @return 0, or -1: out of files
 */
int virtio_net_use_vhost(struct virtio_net *net, const struct vhost *vhost);

/* Instead of virtio_free() */
void virtio_net_free(struct virtio_net *net);

#endif /* TPZ_VIRTIO_NET_H */
