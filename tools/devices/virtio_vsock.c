// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio socket device. The kernel serves the two queues of packets; the third, for events, only ever has something to
 * say to a guest that was moved to another host.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/ioctl.h>

#include "virtio_vsock.h"

#define RINGS	2	/* to the guest, from the guest */

/* Both begin at once, and end at once */
static int serve_packets(struct virtio_device *device, unsigned int index, bool on)
{
	struct virtio_vsock *vsock = (struct virtio_vsock *)device;
	int running = on;

	if (on && index < RINGS - 1)
		return 0;
	return ioctl(vsock->vhost.fd, VHOST_VSOCK_SET_RUNNING, &running);
}

static void process_vsock(struct virtio_device *device, unsigned int index)
{
	if (index < RINGS)
		vhost_process(device, index);
}

int virtio_vsock_init(struct virtio_vsock *vsock, const struct virtio_host *host, const char *path, uint32_t cid)
{
	static const struct virtio_model model = { "virtio-vsock", VIRTIO_ID_VSOCK, 0x078000, process_vsock };
	const uint64_t features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET;
	uint64_t guest = cid;
	int error;

	if (vhost_open(&vsock->vhost, path, host->memory))
		return -1;
	vsock->vhost.serve = serve_packets;
	vsock->config.guest_cid = cid;
	if (!ioctl(vsock->vhost.fd, VHOST_VSOCK_SET_GUEST_CID, &guest) &&
	    !virtio_init(&vsock->virtio, &model, host, features, RINGS + 1, &vsock->config, sizeof(vsock->config)) &&
	    !vhost_attach(&vsock->vhost, &vsock->virtio, RINGS, features))
		return 0;
	error = errno;
	vhost_close(&vsock->vhost);
	errno = error;
	return -1;
}

void virtio_vsock_free(struct virtio_vsock *vsock)
{
	virtio_free(&vsock->virtio);
	vhost_close(&vsock->vhost);
}
