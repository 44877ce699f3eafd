// SPDX-License-Identifier: GPL-2.0
/*
 * Virtqueues that the host's kernel serves: (i) opening, (ii) interrupts, (iii) start and stop.
 *
 * The kernel checks each request against the table of guest memory that it was given here, as virtq.c does for
 * the launcher's own devices; where the rings themselves stand virtq_start() has checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vhost.h"

/* ------------------------------------------------------------------ (i) opening */

static int set_memory(const struct vhost *vhost, const struct guest_memory *memory)
{
	union {
		struct vhost_memory memory;
		char room[sizeof(struct vhost_memory) + GUEST_RANGES_MAX * sizeof(struct vhost_memory_region)];
	} table = { .memory.nregions = memory->ranges };

	for (unsigned int i = 0; i < memory->ranges; i++) {
		table.memory.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = memory->range[i].gpa,
			.memory_size = memory->range[i].bytes,
			.userspace_addr = (uintptr_t)memory->range[i].host,
		};
	}
	return ioctl(vhost->fd, VHOST_SET_MEM_TABLE, &table);
}

int vhost_open(struct vhost *vhost, const char *path, const struct guest_memory *memory)
{
	int error;

	memset(vhost, 0, sizeof(*vhost));
	vhost->fd = open(path, O_RDWR | O_CLOEXEC);
	if (vhost->fd < 0)
		return -1;
	if (ioctl(vhost->fd, VHOST_SET_OWNER) || ioctl(vhost->fd, VHOST_GET_FEATURES, &vhost->features) ||
	    set_memory(vhost, memory))
		goto fail;
	if (vhost->features >> VIRTIO_F_VERSION_1 & 1)
		return 0;
	errno = ENOTSUP;
fail:
	error = errno;
	vhost_close(vhost);
	errno = error;
	return -1;
}

void vhost_close(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->rings; i++) {
		close(vhost->ring[i].call);
		close(vhost->ring[i].error);
	}
	if (vhost->fd >= 0)
		close(vhost->fd);
	*vhost = (struct vhost){ .fd = -1 };
}

/* ------------------------------------------------------------------ (ii) interrupts */

static int set_file(const struct vhost *vhost, unsigned long request, unsigned int index, int fd)
{
	struct vhost_vring_file file = { .index = index, .fd = fd };

	return ioctl(vhost->fd, request, &file);
}

/* The eventfd of the queue's vector, while that stands for its message */
static int find_call(struct virtio_device *device, unsigned int index)
{
	int fd = msix_direct(&device->pci.msix, __atomic_load_n(&device->queue[index].vector, __ATOMIC_RELAXED));

	return fd < 0 ? device->vhost->ring[index].call : fd;
}

/* With the queue's lock. If the kernel refuses, it goes on as before */
static void reroute(struct virtio_device *device, unsigned int index)
{
	struct vhost *vhost = device->vhost;
	struct vhost_ring *ring = &vhost->ring[index];
	int fd;

	if (index >= vhost->rings || !ring->running)
		return;
	fd = find_call(device, index);
	if (fd != ring->called && !set_file(vhost, VHOST_SET_VRING_CALL, index, fd))
		ring->called = fd;
}

static void stop_ring(struct virtio_device *device, unsigned int index)
{
	struct vhost *vhost = device->vhost;

	if (index >= vhost->rings || !vhost->ring[index].running)
		return;
	vhost->serve(device, index, false);
	set_file(vhost, VHOST_SET_VRING_KICK, index, VHOST_FILE_UNBIND);
	set_file(vhost, VHOST_SET_VRING_CALL, index, VHOST_FILE_UNBIND);
	vhost->ring[index].running = false;
}

/* The thread was woken: by an interrupt, which virtio_tell() sends on, or by an error */
void vhost_process(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queue[index];
	eventfd_t count;

	if (!eventfd_read(device->vhost->ring[index].error, &count)) {
		stop_ring(device, index);
		virtq_break(&queue->ring, "the kernel refuses it");
	}
	queue->poll_for = POLLIN;
}

/* ------------------------------------------------------------------ (iii) start and stop */

/* With the queue's lock. The driver's indices begin at 0 after each reset */
static int set_up_ring(struct virtio_device *device, unsigned int index)
{
	const struct vhost *vhost = device->vhost;
	struct virtio_queue *queue = &device->queue[index];
	struct vhost_ring *ring = &device->vhost->ring[index];
	struct vhost_vring_state state = { .index = index, .num = queue->ring.size };
	struct vhost_vring_addr address = {
		.index = index,
		.desc_user_addr = (uintptr_t)queue->ring.desc_at,
		.avail_user_addr = (uintptr_t)queue->ring.avail_at,
		.used_user_addr = (uintptr_t)queue->ring.used_at,
	};
	eventfd_t count;

	if (!queue->enabled || queue->ring.broken)
		return -1;
	eventfd_read(ring->error, &count);	/* of a driver before the last reset */
	ring->called = find_call(device, index);
	if (ioctl(vhost->fd, VHOST_SET_VRING_NUM, &state))
		return -1;
	state.num = 0;
	if (ioctl(vhost->fd, VHOST_SET_VRING_BASE, &state) || ioctl(vhost->fd, VHOST_SET_VRING_ADDR, &address) ||
	    set_file(vhost, VHOST_SET_VRING_ERR, index, ring->error) ||
	    set_file(vhost, VHOST_SET_VRING_CALL, index, ring->called) ||
	    set_file(vhost, VHOST_SET_VRING_KICK, index, queue->kick))
		return -1;
	ring->running = true;
	return 0;
}

/* With the device's lock. All rings are there before the kernel looks at one */
static int start_rings(struct virtio_device *device)
{
	struct vhost *vhost = device->vhost;
	uint64_t features = device->driver_features & vhost->features;
	int ret = ioctl(vhost->fd, VHOST_SET_FEATURES, &features);

	for (unsigned int i = 0; !ret && i < vhost->rings; i++) {
		pthread_mutex_lock(&device->queue[i].lock);
		ret = set_up_ring(device, i);
		pthread_mutex_unlock(&device->queue[i].lock);
	}
	for (unsigned int i = 0; !ret && i < vhost->rings; i++)
		ret = vhost->serve(device, i, true);
	for (unsigned int i = 0; ret && i < vhost->rings; i++) {
		pthread_mutex_lock(&device->queue[i].lock);
		stop_ring(device, i);
		pthread_mutex_unlock(&device->queue[i].lock);
	}
	return ret ? -1 : 0;
}

int vhost_attach(struct vhost *vhost, struct virtio_device *device, unsigned int rings, uint64_t shared)
{
	shared |= VIRTIO_TRANSPORT_FEATURES;
	while (vhost->rings < rings) {
		struct vhost_ring *ring = &vhost->ring[vhost->rings];
		struct virtio_queue *queue = &device->queue[vhost->rings++];

		ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ring->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (ring->call < 0 || ring->error < 0)
			return -1;
		queue->wake = ring->call;
		queue->poll_fd = ring->error;
	}
	device->features &= ~shared | vhost->features;
	device->vhost = vhost;
	device->start = start_rings;
	device->reset = stop_ring;
	device->reroute = reroute;
	return 0;
}
