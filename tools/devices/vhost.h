/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtqueues that the host's kernel serves (vhost). It finds the rings in this process's memory, is kicked by the
 * eventfd that the guest's writes signal, and interrupts by the eventfd of an MSI-X vector: nothing of it passes
 * through the launcher, which only starts and stops it, and interrupts by hand where MSI-X cannot.
 */
#ifndef TPZ_VHOST_H
#define TPZ_VHOST_H

#include <linux/vhost.h>

#include "virtio_pci.h"

#define VHOST_RINGS_MAX	2

/**
 * struct vhost_ring - guarded by its queue's lock, but the eventfds, which stay
 * @call: the kernel's interrupt, to be sent on by hand; it wakes the queue's thread
 * @error: the kernel met what breaks the rules
 * @called: what the kernel signals at present: @call, or a vector's eventfd
 */
struct vhost_ring {
	bool running;
	int call, error;
	int called;
};

/**
 * struct vhost - what serves the first @rings queues of a device
 * @fd: of the kernel's device, or -1
 * @features: what the kernel can do
 * @serve: begin to serve (or, @on false, leave) ring @index, which is set up; @return 0, or -1 and errno
 */
struct vhost {
	int fd;
	uint64_t features;
	unsigned int rings;
	int (*serve)(struct virtio_device *device, unsigned int index, bool on);
	struct vhost_ring ring[VHOST_RINGS_MAX];
};

/**
 * vhost_open() - have the kernel's device @path work in @memory, which does not change any more
 * @return 0, or -1 and errno: ENOTSUP: not for virtio 1.x; else as the kernel says
 */
int vhost_open(struct vhost *vhost, const char *path, const struct guest_memory *memory);

/**
 * vhost_attach() - @vhost serves the first @rings queues of @device, between virtio_init() and virtio_add()
 *
 * @vhost->serve is set already. The device offers no more than the kernel can do, of @shared: features that
 * are the kernel's concern besides those of the transport. What it offers besides is the launcher's.
 * @return 0, or -1: out of files
 */
int vhost_attach(struct vhost *vhost, struct virtio_device *device, unsigned int rings, uint64_t shared);

/* For models: process() of these queues */
void vhost_process(struct virtio_device *device, unsigned int index);

/* After virtio_free(); or instead of vhost_attach() */
void vhost_close(struct vhost *vhost);

#endif /* TPZ_VHOST_H */
