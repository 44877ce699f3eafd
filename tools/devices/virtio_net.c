// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio network device. The receive queue's thread moves frames from the file to the guest, the transmit queue's
 * the other way. Neither waits while it holds its queue: what cannot go on says what to wait for. Or the kernel does both.
 */
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "virtio_net.h"

#define RECEIVE		0
#define TRANSMIT	1
#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define TURN		64U	/* frames, before the driver is told and the queue's lock is free for a moment */

/* The other end is gone: as if the cable were pulled */
static void pull_cable(struct virtio_net *net)
{
	if (__atomic_exchange_n(&net->config.status, 0, __ATOMIC_ACQ_REL) & VIRTIO_NET_S_LINK_UP)
		virtio_tell_config(&net->virtio);
}

static bool has_cable(const struct virtio_net *net)
{
	return __atomic_load_n(&net->config.status, __ATOMIC_ACQUIRE) & VIRTIO_NET_S_LINK_UP;
}

/* ------------------------------------------------------------------ to the guest */

/* @return whether there is a frame to give */
static bool receive_frame(struct virtio_net *net)
{
	ssize_t got;

	if (net->frame_bytes || !has_cable(net))
		return net->frame_bytes;
	got = cable_receive(net->fd, net->frame, sizeof(net->frame));
	if (got < 0)
		pull_cable(net);
	else
		net->frame_bytes = got;
	return net->frame_bytes;
}

/* The first buffer's header tells how many buffers there are, so it is written last */
static void write_header(const struct iovec *slice, unsigned int slices, unsigned int buffers)
{
	struct virtio_net_hdr_v1 header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE, .num_buffers = buffers };
	size_t at = 0;

	for (; slices--; at += slice++->iov_len)
		memcpy(slice->iov_base, (const char *)&header + at, slice->iov_len);
}

/**
 * give_frame() - the frame to the driver, in as many buffers as it takes
 * @return 1: given, or dropped; 0: too few buffers, the driver will kick; -1: broken
 */
static int give_frame(struct virtio_net *net)
{
	struct virtq *ring = &net->virtio.queue[RECEIVE].ring;
	struct virtq_chain *chain = &net->virtio.queue[RECEIVE].chain;
	unsigned int most = virtio_has(&net->virtio, VIRTIO_NET_F_MRG_RXBUF) ? ring->size : 1, buffers = 0, slices = 0;
	struct iovec first[VIRTQ_SIZE_MAX];
	size_t done = 0;
	int ret = 1;

	while (done < net->frame_bytes && buffers < most) {
		size_t skip = buffers ? 0 : HEADER, part = net->frame_bytes - done;

		ret = virtq_pop(ring, chain);
		if (!ret && virtq_listen(ring, true))
			continue;
		if (ret <= 0)
			goto undo;
		if (chain->write_bytes <= skip) {
			ret = virtq_break(ring, "a receive buffer without room");
			goto undo;
		}
		if (part > chain->write_bytes - skip)
			part = chain->write_bytes - skip;
		if (!buffers)
			slices = virtq_slice(chain, true, 0, HEADER, first);
		virtq_write(chain, skip, net->frame + done, part);
		virtq_fill(ring, buffers++, chain->head, skip + part);
		done += part;
	}
	if (done < net->frame_bytes) {
		net->frame_bytes = 0;	/* it fits nowhere; the buffers may do for the next one */
		goto undo;
	}
	write_header(first, slices, buffers);
	virtq_publish(ring, buffers);
	net->frame_bytes = 0;
	return 1;
undo:
	virtq_unpop(ring, buffers);
	return ret;
}

static void receive_frames(struct virtio_net *net)
{
	struct virtio_queue *queue = &net->virtio.queue[RECEIVE];

	virtq_listen(&queue->ring, false);
	for (unsigned int i = 0; i < TURN && receive_frame(net); i++) {
		if (give_frame(net) <= 0)
			return;
	}
	if (has_cable(net))
		queue->poll_for = POLLIN;
}

/* ------------------------------------------------------------------ from the guest */

/* @return whether the cable took it, or never will; false: wait until it can be written to */
static bool send_frame(struct virtio_net *net, const struct virtq_chain *chain)
{
	uint64_t bytes = chain->read_bytes - HEADER;
	struct iovec slice[VIRTQ_SIZE_MAX];
	int sent;

	if (bytes >= CABLE_FRAME_MAX || !has_cable(net))
		return true;
	sent = cable_send(net->fd, slice, virtq_slice(chain, false, HEADER, bytes, slice));
	if (sent < 0)
		pull_cable(net);
	return sent;
}

static void send_frames(struct virtio_net *net)
{
	struct virtio_queue *queue = &net->virtio.queue[TRANSMIT];
	struct virtq *ring = &queue->ring;
	struct virtq_chain *chain = &queue->chain;

	do {
		virtq_listen(ring, false);
		while (virtq_pop(ring, chain) > 0) {
			if (chain->read_bytes < HEADER) {
				virtq_break(ring, "a frame without header");
				return;
			}
			if (!send_frame(net, chain)) {
				virtq_unpop(ring, 1);
				queue->poll_for = POLLOUT;
				return;
			}
			virtq_push(ring, chain->head, 0);
		}
	} while (virtq_listen(ring, true) && !ring->broken);
}

static void process_frames(struct virtio_device *device, unsigned int index)
{
	struct virtio_net *net = (struct virtio_net *)device;

	if (index == RECEIVE)
		receive_frames(net);
	else
		send_frames(net);
}

/* ------------------------------------------------------------------ building */

int virtio_net_init(struct virtio_net *net, const struct virtio_host *host, int fd, const uint8_t mac[ETH_ALEN])
{
	static const struct virtio_model model = { "virtio-net", VIRTIO_ID_NET, 0x020000, process_frames };
	uint64_t features = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS | 1ULL << VIRTIO_NET_F_MRG_RXBUF;

	memset(net, 0, sizeof(*net));
	net->fd = fd;
	net->vhost.fd = -1;
	memcpy(net->config.mac, mac, ETH_ALEN);
	net->config.status = VIRTIO_NET_S_LINK_UP;
	if (virtio_init(&net->virtio, &model, host, features, 2, &net->config,
			offsetof(struct virtio_net_config, max_virtqueue_pairs)))
		return -1;
	net->virtio.queue[RECEIVE].poll_fd = fd;
	net->virtio.queue[TRANSMIT].poll_fd = fd;
	return 0;
}

/* ------------------------------------------------------------------ by the kernel */

static int serve_frames(struct virtio_device *device, unsigned int index, bool on)
{
	struct virtio_net *net = (struct virtio_net *)device;
	struct vhost_vring_file backend = { .index = index, .fd = on ? net->fd : VHOST_FILE_UNBIND };

	return ioctl(net->vhost.fd, VHOST_NET_SET_BACKEND, &backend);
}

int virtio_net_use_vhost(struct virtio_net *net, const struct vhost *vhost)
{
	static const struct virtio_model model = { "virtio-net", VIRTIO_ID_NET, 0x020000, vhost_process };

	net->vhost = *vhost;
	net->vhost.serve = serve_frames;
	net->virtio.model = &model;
	return vhost_attach(&net->vhost, &net->virtio, 2, 1ULL << VIRTIO_NET_F_MRG_RXBUF);
}

void virtio_net_free(struct virtio_net *net)
{
	virtio_free(&net->virtio);
	vhost_close(&net->vhost);
}
