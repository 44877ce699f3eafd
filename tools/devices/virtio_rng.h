/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio entropy device (virtio 1.2, 5.4): the host kernel's random numbers. */
#ifndef TPZ_VIRTIO_RNG_H
#define TPZ_VIRTIO_RNG_H

#include "virtio_pci.h"

/* @return 0 or -1 */
int virtio_rng_init(struct virtio_device *device, const struct virtio_host *host);

#endif /* TPZ_VIRTIO_RNG_H */
