// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio entropy device.
 */
#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "virtio_rng.h"

/* An answer may be shorter than asked for: that bounds what one request can cost */
static void serve_rng(struct virtio_device *device, unsigned int index)
{
	struct virtq *ring = &device->queue[index].ring;
	struct virtq_chain *chain = &device->queue[index].chain;
	uint8_t random[256];

	do {
		while (virtq_pop(ring, chain) > 0) {
			ssize_t got = getrandom(random, sizeof(random), 0);

			virtq_push(ring, chain->head, got > 0 ? virtq_write(chain, 0, random, got) : 0);
		}
	} while (virtq_listen(ring, true) && !ring->broken);
}

int virtio_rng_init(struct virtio_device *device, const struct virtio_host *host)
{
	static const struct virtio_model model = { "virtio-rng", VIRTIO_ID_RNG, 0x00ff00, serve_rng };

	return virtio_init(device, &model, host, 0, 1, NULL, 0);
}
