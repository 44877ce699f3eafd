/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio 1.x device on the PCI bus (virtio 1.2, 4.1), modern interface only: the registers that all devices
 * share, a thread for each queue, kicks and interrupts.
 */
#ifndef TPZ_VIRTIO_PCI_H
#define TPZ_VIRTIO_PCI_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "pci.h"
#include "virtq.h"

#define VIRTIO_QUEUES_MAX	8

/* What virtio_init() adds to a model's features */
#define VIRTIO_TRANSPORT_FEATURES	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
					 1ULL << VIRTIO_RING_F_EVENT_IDX)

struct virtio_device;
struct vhost;

/**
 * struct virtio_model - a kind of device
 * @id, @class: virtio device ID; PCI class code
 * @process: queue @index was kicked, or its @poll_fd is ready; called by its thread with its lock, while it is live
 */
struct virtio_model {
	const char *name;
	uint16_t id;
	uint32_t class;
	void (*process)(struct virtio_device *device, unsigned int index);
};

/**
 * struct virtio_queue
 * @lock: guards all that follows, but @kick, @wake, @poll_fd and @thread, which stay, and @vector, which is atomic
 * @live: between the driver's DRIVER_OK with the queue enabled, and reset
 * @kick: an eventfd
 * @wake: what the thread waits for: @kick; or another eventfd, if the ring is served elsewhere (vhost.c)
 * @poll_fd: another file that wakes the thread, or -1
 * @poll_for: for which poll() events, as @process last said; none while the queue is not live
 */
struct virtio_queue {
	struct virtio_device *device;
	unsigned int index;
	int kick, wake;
	int poll_fd;
	pthread_t thread;
	uint16_t vector;
	pthread_mutex_t lock;
	bool enabled;
	short poll_for;
	struct virtq ring;
	struct virtq_chain chain;
};

/**
 * struct virtio_host - what the transport needs of the launcher
 * @watch: from now on (@add) guest writes at @gpa signal @fd, or no more; NULL: the write's exit does it
 */
struct virtio_host {
	const struct guest_memory *memory;
	struct msix_host msix;
	int (*watch)(void *arg, uint64_t gpa, int fd, bool add);
	void *arg;
};

/**
 * struct virtio_device
 * @lock: guards the registers: selectors, features; taken before the queues' locks
 * @isr_lock: guards @isr and the INTx line
 * @status, @config_vector: atomic
 * @config: the device's own registers; the guest only reads them
 * @reset: the driver takes queue @index back: from the return on nothing of the guest's may be touched; with its lock. Or NULL
 * @start: the driver is ready; with @lock; @return 0, or -1: it must reset the device. Or NULL
 * @reroute: what msix_direct() says for queue @index may have changed; with its lock. Or NULL
 * @vhost: who serves the first queues, if the kernel does
 * @window_at: where in configuration space the capability stands that reaches the BAR without mapping it
 */
struct virtio_device {
	struct pci_device pci;
	const struct virtio_model *model;
	const struct virtio_host *host;
	void (*reset)(struct virtio_device *device, unsigned int index);
	int (*start)(struct virtio_device *device);
	void (*reroute)(struct virtio_device *device, unsigned int index);
	struct vhost *vhost;
	uint64_t features;
	const void *config;
	unsigned int config_bytes;
	unsigned int queues;
	struct virtio_queue queue[VIRTIO_QUEUES_MAX];
	unsigned int window_at;
	bool stopping;

	pthread_mutex_t lock;
	uint32_t device_select, driver_select;
	uint64_t driver_features;
	uint16_t queue_select;
	uint8_t status;
	uint16_t config_vector;

	pthread_mutex_t isr_lock;
	uint8_t isr;
};

/**
 * virtio_init() - prepare a device; its queues' poll_fd may be set before virtio_add()
 * @features: the model's own; the transport adds its own
 * @return 0, or -1: out of files or too many queues
 */
int virtio_init(struct virtio_device *device, const struct virtio_model *model, const struct virtio_host *host,
		uint64_t features, unsigned int queues, const void *config, unsigned int config_bytes);

/* Plugs it in and starts its threads; @return 0 or -1 */
int virtio_add(struct virtio_device *device, struct pci_bus *bus);

/* Ends its threads and gives all back */
void virtio_free(struct virtio_device *device);

/* Wakes a queue's thread as a kick does; any thread */
void virtio_wake(struct virtio_device *device, unsigned int index);

/* For models, in @process: interrupt the driver if it wants it; look whether the queue broke */
void virtio_tell(struct virtio_device *device, unsigned int index);

/* For models, in @process: the device's own registers have changed */
void virtio_tell_config(struct virtio_device *device);

/* Whether the driver took @feature (a bit's number) */
bool virtio_has(const struct virtio_device *device, unsigned int feature);

#endif /* TPZ_VIRTIO_PCI_H */
