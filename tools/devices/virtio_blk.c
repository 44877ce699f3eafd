// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio block device, straight between the guest's memory and the file: (i) requests that the queue's thread
 * carries out itself, (ii) those that it only begins, by io_uring, (iii) queues.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio_blk.h"

#define SECTOR		512ULL
#define RANGES_MAX	16U			/* of one discard */
#define RANGE_SECTORS	(1U << 21)		/* 1 GiB */
#define ID		"trapeze"

/* ------------------------------------------------------------------ (i) one at a time */

static bool in_disk(const struct virtio_blk *blk, uint64_t sector, uint64_t count)
{
	return sector <= blk->sectors && count <= blk->sectors - sector;
}

static uint64_t data_at(bool in)
{
	return in ? 0 : sizeof(struct virtio_blk_outhdr);
}

/* @bytes: of the disk's data; @return whether the request may be carried out */
static bool check_transfer(const struct virtio_blk *blk, const struct virtq_chain *chain, bool in, uint64_t sector,
			   uint64_t *bytes)
{
	*bytes = in ? chain->write_bytes - 1 : chain->read_bytes - data_at(in);
	return !(*bytes % SECTOR) && in_disk(blk, sector, *bytes / SECTOR) && (in || !blk->readonly);
}

/* All of the buffers from @sector on, but for the first @done bytes; what the file does not give reads as an error */
static uint8_t transfer(struct virtio_blk *blk, const struct virtq_chain *chain, bool in, uint64_t sector, uint64_t done)
{
	struct iovec slice[VIRTQ_SIZE_MAX];
	uint64_t bytes;

	if (!check_transfer(blk, chain, in, sector, &bytes))
		return VIRTIO_BLK_S_IOERR;
	while (done < bytes) {
		unsigned int count = virtq_slice(chain, in, data_at(in) + done, bytes - done, slice);
		off_t at = sector * SECTOR + done;
		ssize_t got = in ? preadv(blk->fd, slice, count, at) : pwritev(blk->fd, slice, count, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return VIRTIO_BLK_S_IOERR;
		done += got;
	}
	return VIRTIO_BLK_S_OK;
}

static int write_zeroes(int fd, uint64_t at, uint64_t bytes)
{
	static const uint8_t zeroes[1 << 16];

	while (bytes) {
		ssize_t got = pwrite(fd, zeroes, bytes < sizeof(zeroes) ? bytes : sizeof(zeroes), at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += got;
		bytes -= got;
	}
	return 0;
}

static uint8_t clear(struct virtio_blk *blk, const struct virtq_chain *chain, bool zero)
{
	struct virtio_blk_discard_write_zeroes range[RANGES_MAX];
	uint64_t header = sizeof(struct virtio_blk_outhdr), bytes = chain->read_bytes - header;

	if (blk->readonly)
		return VIRTIO_BLK_S_IOERR;
	if (!bytes || bytes % sizeof(range[0]) || bytes > sizeof(range))
		return VIRTIO_BLK_S_UNSUPP;
	virtq_read(chain, header, range, bytes);
	for (unsigned int i = 0; i < bytes / sizeof(range[0]); i++) {
		uint64_t at = range[i].sector * SECTOR, length = range[i].num_sectors * SECTOR;

		if (range[i].flags & ~(zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0U))
			return VIRTIO_BLK_S_UNSUPP;
		if (range[i].num_sectors > RANGE_SECTORS || !in_disk(blk, range[i].sector, range[i].num_sectors))
			return VIRTIO_BLK_S_IOERR;
		if (!length || !fallocate(blk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length))
			continue;
		/* A discard is only a hint */
		if (zero ? write_zeroes(blk->fd, at, length) : errno != EOPNOTSUPP)
			return VIRTIO_BLK_S_IOERR;
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t carry_out(struct virtio_blk *blk, const struct virtq_chain *chain)
{
	struct virtio_blk_outhdr header;
	char id[VIRTIO_BLK_ID_BYTES] = ID;

	virtq_read(chain, 0, &header, sizeof(header));
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		return transfer(blk, chain, true, header.sector, 0);
	case VIRTIO_BLK_T_OUT:
		return transfer(blk, chain, false, header.sector, 0);
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(blk->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		virtq_write(chain, 0, id, chain->write_bytes - 1 < sizeof(id) ? chain->write_bytes - 1 : sizeof(id));
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
		return clear(blk, chain, false);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return clear(blk, chain, true);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static void give_back(struct virtq *ring, const struct virtq_chain *chain, uint8_t status)
{
	virtq_write(chain, chain->write_bytes - 1, &status, 1);
	virtq_push(ring, chain->head, chain->write_bytes);
}

/* ------------------------------------------------------------------ (ii) many at a time */

static struct blk_request *idle_request(struct blk_queue *queue)
{
	unsigned int i = 0;

	while (queue->request[i].busy)		/* one is not: @busy is below their number */
		i++;
	return &queue->request[i];
}

/* @return whether it is under way; else it is to be carried out here */
static bool begin(struct virtio_blk *blk, struct blk_queue *queue, struct blk_request *request)
{
	struct virtio_blk_outhdr header;
	unsigned int parts = 0;
	bool in;

	virtq_read(&request->chain, 0, &header, sizeof(header));
	in = header.type == VIRTIO_BLK_T_IN;
	request->sector = header.sector;
	if (header.type == VIRTIO_BLK_T_FLUSH) {
		request->operation = DISK_FLUSH;
	} else if (in || header.type == VIRTIO_BLK_T_OUT) {
		request->operation = in ? DISK_READ : DISK_WRITE;
		if (!check_transfer(blk, &request->chain, in, header.sector, &request->bytes) || !request->bytes)
			return false;
		parts = virtq_slice(&request->chain, in, data_at(in), request->bytes, request->part);
	} else {
		return false;
	}
	request->busy = true;
	queue->busy++;
	disk_ring_add(&queue->ring, request->operation, request->part, parts, header.sector * SECTOR, request);
	return true;
}

/* What has come only in part, or not at all, is tried once more: what remains of it is an error then */
static uint8_t result_of(struct virtio_blk *blk, const struct blk_request *request, int result)
{
	if (request->operation == DISK_FLUSH)
		return result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	if (result >= 0 && (uint64_t)result == request->bytes)
		return VIRTIO_BLK_S_OK;
	return transfer(blk, &request->chain, request->operation == DISK_READ, request->sector,
			result > 0 ? result : 0);
}

static void take_ended(struct virtio_blk *blk, unsigned int index)
{
	struct blk_queue *queue = &blk->queue[index];
	struct blk_request *request;
	eventfd_t count;
	int result;

	eventfd_read(queue->ring.done, &count);
	while ((request = disk_ring_next(&queue->ring, false, &result))) {
		give_back(&blk->virtio.queue[index].ring, &request->chain, result_of(blk, request, result));
		request->busy = false;
		queue->busy--;
	}
	virtio_tell(&blk->virtio, index);
}

/* Nothing is told of them any more, but the file and the guest's memory are theirs until they have ended */
static void wait_for_all(struct blk_queue *queue)
{
	struct blk_request *request;
	int result;

	while (queue->busy) {
		request = disk_ring_next(&queue->ring, true, &result);
		if (!request)
			continue;
		request->busy = false;
		queue->busy--;
	}
}

/* ------------------------------------------------------------------ (iii) queues */

/* @return whether another may follow */
static bool serve_one(struct virtio_blk *blk, unsigned int index)
{
	struct virtio_queue *queue = &blk->virtio.queue[index];
	struct blk_queue *many = &blk->queue[index];
	struct blk_request *request = many->request ? idle_request(many) : NULL;
	struct virtq_chain *chain = request ? &request->chain : &queue->chain;

	if (virtq_pop(&queue->ring, chain) <= 0)
		return false;
	if (chain->read_bytes < sizeof(struct virtio_blk_outhdr) || !chain->write_bytes) {
		virtq_break(&queue->ring, "a request without header or status");
		return false;
	}
	if (!request || !begin(blk, many, request)) {
		give_back(&queue->ring, chain, carry_out(blk, chain));
		virtio_tell(&blk->virtio, index);
	}
	return true;
}

static void serve_blk(struct virtio_device *device, unsigned int index)
{
	struct virtio_blk *blk = (struct virtio_blk *)device;
	struct virtio_queue *queue = &device->queue[index];
	struct blk_queue *many = &blk->queue[index];

	do {
		if (many->request)
			take_ended(blk, index);
		while (many->busy < BLK_UNDER_WAY_MAX && serve_one(blk, index))
			;
		if (many->request)
			disk_ring_submit(&many->ring);
		/* With no room the next end wakes the thread */
	} while (many->busy < BLK_UNDER_WAY_MAX && virtq_listen(&queue->ring, true) && !queue->ring.broken);
	queue->poll_for = many->request ? POLLIN : 0;
}

static void reset_blk(struct virtio_device *device, unsigned int index)
{
	wait_for_all(&((struct virtio_blk *)device)->queue[index]);
}

bool virtio_blk_use_rings(struct virtio_blk *blk)
{
	for (unsigned int i = 0; i < blk->virtio.queues; i++) {
		struct blk_queue *queue = &blk->queue[i];

		if (disk_ring_open(&queue->ring, blk->fd, BLK_UNDER_WAY_MAX))
			return false;
		queue->request = calloc(BLK_UNDER_WAY_MAX, sizeof(*queue->request));
		if (!queue->request) {
			disk_ring_close(&queue->ring);
			return false;
		}
		blk->virtio.queue[i].poll_fd = queue->ring.done;
	}
	return true;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	virtio_free(&blk->virtio);
	for (unsigned int i = 0; i < blk->virtio.queues; i++) {
		struct blk_queue *queue = &blk->queue[i];

		if (!queue->request)
			continue;
		wait_for_all(queue);
		disk_ring_close(&queue->ring);
		free(queue->request);
	}
}

int virtio_blk_init(struct virtio_blk *blk, const struct virtio_host *host, int fd, uint64_t bytes, bool readonly,
		    unsigned int queues)
{
	static const struct virtio_model model = { "virtio-blk", VIRTIO_ID_BLOCK, 0x010000, serve_blk };
	uint64_t features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_MQ;

	memset(blk, 0, sizeof(*blk));
	features |= readonly ? 1ULL << VIRTIO_BLK_F_RO : 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	blk->fd = fd;
	blk->readonly = readonly;
	blk->sectors = bytes / SECTOR;
	blk->config = (struct virtio_blk_config){
		.capacity = blk->sectors,
		.seg_max = VIRTQ_SIZE_MAX - 2,
		.num_queues = queues,
		.max_discard_sectors = RANGE_SECTORS,
		.max_discard_seg = RANGES_MAX,
		.discard_sector_alignment = 8,
		.max_write_zeroes_sectors = RANGE_SECTORS,
		.max_write_zeroes_seg = RANGES_MAX,
		.write_zeroes_may_unmap = 1,
	};
	blk->virtio.reset = reset_blk;
	return virtio_init(&blk->virtio, &model, host, features, queues, &blk->config, sizeof(blk->config));
}
