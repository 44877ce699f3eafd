/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio socket device (virtio 1.2, 5.10): AF_VSOCK between guest and host. The host's kernel is the other end. */
#ifndef TPZ_VIRTIO_VSOCK_H
#define TPZ_VIRTIO_VSOCK_H

#include <linux/virtio_vsock.h>

#include "vhost.h"

#define VSOCK_CID_MIN	3U		/* those below are nobody's, the loopback's and the host's */
#define VSOCK_CID_MAX	0xfffffffeU	/* the next one means any */

struct virtio_vsock {
	struct virtio_device virtio;
	struct virtio_vsock_config config;
	struct vhost vhost;
};

/**
 * virtio_vsock_init() - the guest is context @cid to the host's AF_VSOCK, by the kernel's device @path
 * @return 0, or -1 and errno: EADDRINUSE: another guest has that CID; else as vhost_open()
 */
int virtio_vsock_init(struct virtio_vsock *vsock, const struct virtio_host *host, const char *path, uint32_t cid);

/* Instead of virtio_free() */
void virtio_vsock_free(struct virtio_vsock *vsock);

#endif /* TPZ_VIRTIO_VSOCK_H */
