// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio block device. Each queue's thread carries its requests out one after the other, straight between the
 * guest's memory and the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <unistd.h>

#include "virtio_blk.h"

#define SECTOR		512ULL
#define RANGES_MAX	16U			/* of one discard */
#define RANGE_SECTORS	(1U << 21)		/* 1 GiB */
#define ID		"trapeze"

static bool in_disk(const struct virtio_blk *blk, uint64_t sector, uint64_t count)
{
	return sector <= blk->sectors && count <= blk->sectors - sector;
}

/* All of the buffers from @sector on; what the file does not give reads as an error */
static uint8_t transfer(struct virtio_blk *blk, const struct virtq_chain *chain, bool in, uint64_t sector)
{
	uint64_t header = in ? 0 : sizeof(struct virtio_blk_outhdr);
	uint64_t bytes = in ? chain->write_bytes - 1 : chain->read_bytes - header, done = 0;
	struct iovec slice[VIRTQ_SIZE_MAX];

	if (bytes % SECTOR || !in_disk(blk, sector, bytes / SECTOR) || (!in && blk->readonly))
		return VIRTIO_BLK_S_IOERR;
	while (done < bytes) {
		unsigned int count = virtq_slice(chain, in, header + done, bytes - done, slice);
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
		return transfer(blk, chain, true, header.sector);
	case VIRTIO_BLK_T_OUT:
		return transfer(blk, chain, false, header.sector);
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

static void serve_blk(struct virtio_device *device, unsigned int index)
{
	struct virtio_blk *blk = (struct virtio_blk *)device;
	struct virtq *ring = &device->queue[index].ring;
	struct virtq_chain *chain = &device->queue[index].chain;

	do {
		while (virtq_pop(ring, chain) > 0) {
			uint8_t status;

			if (chain->read_bytes < sizeof(struct virtio_blk_outhdr) || !chain->write_bytes) {
				virtq_break(ring, "a request without header or status");
				return;
			}
			status = carry_out(blk, chain);
			virtq_write(chain, chain->write_bytes - 1, &status, 1);
			virtq_push(ring, chain->head, chain->write_bytes);
			virtio_tell(device, index);
		}
	} while (virtq_listen(ring, true) && !ring->broken);
}

int virtio_blk_init(struct virtio_blk *blk, const struct virtio_host *host, int fd, uint64_t bytes, bool readonly,
		    unsigned int queues)
{
	static const struct virtio_model model = {
		.name = "virtio-blk", .id = VIRTIO_ID_BLOCK, .class = 0x010000, .process = serve_blk,
	};
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
	return virtio_init(&blk->virtio, &model, host, features, queues, &blk->config, sizeof(blk->config));
}
