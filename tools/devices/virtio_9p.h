/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio 9P transport (device ID 9): carries 9P2000.L messages between the guest and a file server, which is
 * another process at the end of a socket.
 */
#ifndef TPZ_VIRTIO_9P_H
#define TPZ_VIRTIO_9P_H

#include "virtio_pci.h"

#define P9_TAG_MAX	31		/* characters of a share's name */
#define P9_MESSAGE_MAX	(72U << 10)	/* above what the server agrees to */

/**
 * struct p9_request - a request that the server has not answered, if @sent
 * @flushed: if @flushes, the tag of another one that this one takes back
 */
struct p9_request {
	bool sent;
	bool flushes;
	uint16_t tag;
	uint16_t flushed;
	struct virtq_chain chain;
};

/**
 * struct virtio_9p - all but @virtio and @config belong to the one queue's lock
 * @server: a stream socket; non-blocking. The device reads and writes it, closing is the launcher's
 * @user: whom every guest user is to the server
 * @out, @out_at, @out_bytes: what is being sent; nothing more is taken from the ring before it has gone
 * @in, @in_bytes: what has come of the next answer
 */
struct virtio_9p {
	struct virtio_device virtio;
	struct {
		uint16_t bytes;
		char name[P9_TAG_MAX + 1];
	} config;
	int server;
	uint32_t user;
	uint8_t out[P9_MESSAGE_MAX];
	uint32_t out_at, out_bytes;
	uint8_t in[P9_MESSAGE_MAX];
	uint32_t in_bytes;
	struct p9_request request[VIRTQ_SIZE_MAX];
};

/**
 * virtio_9p_init() - the share @name, served at the other end of @server
 * @return 0, or -1: the name is too long or empty, or out of files
 */
int virtio_9p_init(struct virtio_9p *p9, const struct virtio_host *host, int server, const char *name, uint32_t user);

#endif /* TPZ_VIRTIO_9P_H */
