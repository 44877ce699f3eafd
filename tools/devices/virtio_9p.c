// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio 9P transport: (i) messages, (ii) the guest's requests to the server, (iii) the server's answers to the
 * guest.
 *
 * Requests may be answered in any order, by their tags. The device knows no more of them than their length and tag,
 * with one exception: who a guest says that it is does not count, so the message that says it is written anew.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "virtio_9p.h"

#define MOUNT_TAG	(1ULL << 0)	/* the feature: the share has a name */

/* ------------------------------------------------------------------ (i) messages: size[4] type[1] tag[2] ... */

#define HEADER_BYTES	7U
#define TATTACH		104
#define TFLUSH		108

static uint32_t message_bytes(const uint8_t *message)
{
	uint32_t bytes;

	memcpy(&bytes, message, sizeof(bytes));
	return bytes;
}

static uint16_t message_tag(const uint8_t *message)
{
	uint16_t tag;

	memcpy(&tag, message + 5, sizeof(tag));
	return tag;
}

/* Tattach: fid[4] afid[4] uname[s] aname[s] n_uname[4]; a string is its length[2], then its characters */
static int rewrite_attach(struct virtio_9p *p9)
{
	uint8_t old[P9_MESSAGE_MAX], *to = p9->out + HEADER_BYTES + 8;
	const uint16_t none = 0;
	uint16_t length;
	uint32_t at = HEADER_BYTES + 8;

	memcpy(old, p9->out, p9->out_bytes);
	for (int i = 0; i < 2; i++) {		/* past uname; then at aname, of this length */
		if (at + 2 > p9->out_bytes)
			return -1;
		memcpy(&length, old + at, 2);
		at += 2;
		if (length + 4U > p9->out_bytes - at)
			return -1;
		if (!i)
			at += length;
	}
	memcpy(to, &none, 2);
	to += 2;
	if (!length) {			/* what mount(8) says without "aname=": the share itself */
		old[at] = '/';
		length = 1;
	}
	memcpy(to, &length, 2);
	memcpy(to + 2, old + at, length);
	to += 2 + length;
	memcpy(to, &p9->user, 4);
	p9->out_bytes = to + 4 - p9->out;
	memcpy(p9->out, &p9->out_bytes, 4);
	return 0;
}

/* ------------------------------------------------------------------ (ii) to the server */

static struct p9_request *find_request(struct virtio_9p *p9, uint16_t tag)
{
	for (unsigned int i = 0; i < VIRTQ_SIZE_MAX; i++) {
		if (p9->request[i].sent && p9->request[i].tag == tag)
			return &p9->request[i];
	}
	return NULL;
}

static struct p9_request *free_request(struct virtio_9p *p9)
{
	for (unsigned int i = 0; i < VIRTQ_SIZE_MAX; i++) {
		if (!p9->request[i].sent)
			return &p9->request[i];
	}
	return NULL;
}

/* Takes a message from the ring into @out */
static int take_request(struct virtio_9p *p9, struct virtq *ring, struct p9_request *request)
{
	const struct virtq_chain *chain = &request->chain;

	if (chain->read_bytes < HEADER_BYTES || chain->write_bytes < HEADER_BYTES)
		return virtq_break(ring, "a request without a message, or without room for an answer");
	p9->out_bytes = virtq_read(chain, 0, p9->out, sizeof(p9->out));
	if (message_bytes(p9->out) < HEADER_BYTES || message_bytes(p9->out) > p9->out_bytes)
		return virtq_break(ring, "a message is longer than its buffers, or too long, or too short");
	p9->out_bytes = message_bytes(p9->out);
	if (find_request(p9, message_tag(p9->out)))
		return virtq_break(ring, "two requests of one tag");
	if (p9->out[4] == TATTACH && rewrite_attach(p9))
		return virtq_break(ring, "a malformed Tattach");
	request->tag = message_tag(p9->out);
	request->flushes = p9->out[4] == TFLUSH && p9->out_bytes >= HEADER_BYTES + 2;
	if (request->flushes)
		memcpy(&request->flushed, p9->out + HEADER_BYTES, 2);
	request->sent = true;
	p9->out_at = 0;
	return 0;
}

/* @return 1: all of @out has gone; 0: the server takes no more now; -1: it is gone */
static int send_out(struct virtio_9p *p9)
{
	while (p9->out_at < p9->out_bytes) {
		ssize_t sent = write(p9->server, p9->out + p9->out_at, p9->out_bytes - p9->out_at);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -1;
		p9->out_at += sent;
	}
	return 1;
}

/* @return as send_out(); 1: the ring is empty, too */
static int send_requests(struct virtio_9p *p9, struct virtq *ring)
{
	int ret = send_out(p9);

	while (ret == 1) {
		struct p9_request *request = free_request(p9);

		/* An answer frees one */
		if (!request || virtq_pop(ring, &request->chain) <= 0)
			break;
		if (take_request(p9, ring, request))
			break;
		ret = send_out(p9);
	}
	return ret;
}

/* ------------------------------------------------------------------ (iii) from the server */

/* No answer to a flushed request comes any more: its buffers go back as they are */
static void drop_flushed(struct virtio_9p *p9, struct virtq *ring, const struct p9_request *flush)
{
	struct p9_request *request = find_request(p9, flush->flushed);

	if (!request)
		return;
	request->sent = false;
	virtq_push(ring, request->chain.head, 0);
}

static void answer(struct virtio_9p *p9, struct virtq *ring, const uint8_t *message, uint32_t bytes)
{
	struct p9_request *request = find_request(p9, message_tag(message));

	if (!request)
		return;			/* of a driver before the last reset */
	request->sent = false;
	if (request->flushes)
		drop_flushed(p9, ring, request);
	if (bytes > request->chain.write_bytes) {
		virtq_break(ring, "an answer does not fit into its buffers");
		return;
	}
	virtq_write(&request->chain, 0, message, bytes);
	virtq_push(ring, request->chain.head, bytes);
}

/* @return 0, or -1: the server is gone, or talks nonsense */
static int take_answers(struct virtio_9p *p9, struct virtq *ring)
{
	for (;;) {
		ssize_t got = read(p9->server, p9->in + p9->in_bytes, sizeof(p9->in) - p9->in_bytes);
		uint32_t at = 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 && errno == EAGAIN ? 0 : -1;
		p9->in_bytes += got;
		while (p9->in_bytes - at >= HEADER_BYTES) {
			uint32_t bytes = message_bytes(p9->in + at);

			if (bytes < HEADER_BYTES || bytes > sizeof(p9->in))
				return -1;
			if (bytes > p9->in_bytes - at)
				break;
			answer(p9, ring, p9->in + at, bytes);
			at += bytes;
		}
		p9->in_bytes -= at;
		memmove(p9->in, p9->in + at, p9->in_bytes);
	}
}

static void serve_9p(struct virtio_device *device, unsigned int index)
{
	struct virtio_9p *p9 = (struct virtio_9p *)device;
	struct virtio_queue *queue = &device->queue[index];
	int ret;

	do {
		ret = take_answers(p9, &queue->ring) ? -1 : send_requests(p9, &queue->ring);
	} while (ret == 1 && virtq_listen(&queue->ring, true) && !queue->ring.broken && free_request(p9));
	if (ret < 0)
		virtq_break(&queue->ring, "the server is gone");
	queue->poll_for = POLLIN | (ret ? 0 : POLLOUT);
}

/* Answers to what is forgotten here still come; but a new driver's first message ends the old one's session */
static void reset_9p(struct virtio_device *device, unsigned int index)
{
	struct virtio_9p *p9 = (struct virtio_9p *)device;

	(void)index;
	for (unsigned int i = 0; i < VIRTQ_SIZE_MAX; i++)
		p9->request[i].sent = false;
}

int virtio_9p_init(struct virtio_9p *p9, const struct virtio_host *host, int server, const char *name, uint32_t user)
{
	static const struct virtio_model model = { "virtio-9p", VIRTIO_ID_9P, 0x00ff00, serve_9p };
	size_t length = strlen(name);

	if (!length || length > P9_TAG_MAX)
		return -1;
	memset(p9, 0, sizeof(*p9));
	p9->server = server;
	p9->user = user;
	p9->config.bytes = length;
	memcpy(p9->config.name, name, length);
	if (virtio_init(&p9->virtio, &model, host, MOUNT_TAG, 1, &p9->config, sizeof(p9->config.bytes) + length))
		return -1;
	p9->virtio.queue[0].poll_fd = server;
	p9->virtio.reset = reset_9p;
	return 0;
}
