// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio transport over PCI: (i) interrupts, (ii) queues and their threads, (iii) registers, (iv) a second way to
 * them, (v) building.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio_pci.h"

#define VENDOR		0x1af4
#define DEVICE_BASE	0x1040
#define NO_VECTOR	0xffff

/* BAR 0 */
#define BAR_BYTES	0x4000
#define AT_COMMON	0x0000
#define AT_ISR		0x0800
#define AT_DEVICE	0x1000
#define AT_NOTIFY	0x2000
#define AT_TABLE	0x3000
#define AT_PENDING	0x3800
#define NOTIFY_BYTES	4		/* for each queue: an address of its own, so that one eventfd is one queue */

/* ------------------------------------------------------------------ (i) interrupts */

static void interrupt(struct virtio_device *device, uint16_t vector, uint8_t isr)
{
	if (msix_notify(&device->pci.msix, vector))
		return;
	pthread_mutex_lock(&device->isr_lock);
	device->isr |= isr;
	pci_set_intx(&device->pci, true);
	pthread_mutex_unlock(&device->isr_lock);
}

static uint8_t read_isr(struct virtio_device *device)
{
	uint8_t isr;

	pthread_mutex_lock(&device->isr_lock);
	isr = device->isr;
	device->isr = 0;
	pci_set_intx(&device->pci, false);
	pthread_mutex_unlock(&device->isr_lock);
	return isr;
}

static uint8_t get_status(const struct virtio_device *device)
{
	return __atomic_load_n(&device->status, __ATOMIC_ACQUIRE);
}

/* With the queue's lock: so it cannot come after a reset */
static void need_reset(struct virtio_device *device)
{
	uint8_t old = __atomic_fetch_or(&device->status, VIRTIO_CONFIG_S_NEEDS_RESET, __ATOMIC_ACQ_REL);

	if (old & VIRTIO_CONFIG_S_DRIVER_OK && !(old & VIRTIO_CONFIG_S_NEEDS_RESET))
		interrupt(device, __atomic_load_n(&device->config_vector, __ATOMIC_RELAXED), VIRTIO_PCI_ISR_CONFIG);
}

/* For MSI-X, without its lock */
static void routes_changed(void *arg)
{
	struct virtio_device *device = arg;

	for (unsigned int i = 0; device->reroute && i < device->queues; i++) {
		pthread_mutex_lock(&device->queue[i].lock);
		device->reroute(device, i);
		pthread_mutex_unlock(&device->queue[i].lock);
	}
}

void virtio_tell_config(struct virtio_device *device)
{
	if (get_status(device) & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt(device, __atomic_load_n(&device->config_vector, __ATOMIC_RELAXED), VIRTIO_PCI_ISR_CONFIG);
}

/* ------------------------------------------------------------------ (ii) queues */

void virtio_tell(struct virtio_device *device, unsigned int index)
{
	struct virtio_queue *queue = &device->queue[index];

	if (queue->ring.broken)
		need_reset(device);
	else if (queue->wake != queue->kick || virtq_wants_interrupt(&queue->ring))	/* who serves it has asked the driver */
		interrupt(device, __atomic_load_n(&queue->vector, __ATOMIC_RELAXED), 1);
}

bool virtio_has(const struct virtio_device *device, unsigned int feature)
{
	return device->driver_features >> feature & 1;
}

/* @return what the thread shall poll for */
static short serve(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;
	short poll_for;

	pthread_mutex_lock(&queue->lock);
	queue->poll_for = 0;
	if (queue->enabled && !queue->ring.broken &&
	    (get_status(device) & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) == VIRTIO_CONFIG_S_DRIVER_OK) {
		device->model->process(device, queue->index);
		virtio_tell(device, queue->index);
	}
	poll_for = queue->ring.broken ? 0 : queue->poll_for;
	pthread_mutex_unlock(&queue->lock);
	return poll_for;
}

static void *queue_thread(void *arg)
{
	struct virtio_queue *queue = arg;
	struct pollfd files[2] = {
		{ .fd = queue->wake, .events = POLLIN },
		{ .fd = -1 },
	};
	eventfd_t count;

	while (!__atomic_load_n(&queue->device->stopping, __ATOMIC_ACQUIRE)) {
		if (poll(files, 2, -1) < 0 && errno != EINTR)
			break;
		eventfd_read(queue->wake, &count);
		files[1].events = serve(queue);
		files[1].fd = files[1].events ? queue->poll_fd : -1;	/* a dead file is ready for ever */
	}
	return NULL;
}

static void wake(const struct virtio_queue *queue)
{
	eventfd_write(queue->wake, 1);
}

void virtio_wake(struct virtio_device *device, unsigned int index)
{
	wake(&device->queue[index]);
}

static void reset(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->queues; i++) {
		struct virtio_queue *queue = &device->queue[i];

		pthread_mutex_lock(&queue->lock);	/* waits for the thread: nothing of the guest's is touched after */
		if (device->reset)
			device->reset(device, i);
		queue->enabled = false;
		queue->ring = (struct virtq){ .memory = device->host->memory, .size = VIRTQ_SIZE_MAX };
		__atomic_store_n(&queue->vector, NO_VECTOR, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&queue->lock);
	}
	__atomic_store_n(&device->status, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&device->config_vector, NO_VECTOR, __ATOMIC_RELAXED);
	device->driver_features = 0;
	device->device_select = device->driver_select = 0;
	device->queue_select = 0;
	read_isr(device);
}

/* ------------------------------------------------------------------ (iii) registers */

static void set_status(struct virtio_device *device, uint8_t status)
{
	uint8_t old = get_status(device);
	uint64_t features = device->driver_features;

	if (!status) {
		reset(device);
		return;
	}
	if (features & ~device->features || !(features >> VIRTIO_F_VERSION_1 & 1))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	/* Bits are only ever set, and needing a reset is not the driver's to say */
	__atomic_fetch_or(&device->status, status & ~VIRTIO_CONFIG_S_NEEDS_RESET, __ATOMIC_ACQ_REL);
	if (status & ~old & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (device->start && device->start(device))
			need_reset(device);
		for (unsigned int i = 0; i < device->queues; i++)
			wake(&device->queue[i]);
	}
}

static void enable_queue(struct virtio_device *device, struct virtio_queue *queue)
{
	if (queue->enabled || !(get_status(device) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	queue->ring.indirect = virtio_has(device, VIRTIO_RING_F_INDIRECT_DESC);
	queue->ring.event_idx = virtio_has(device, VIRTIO_RING_F_EVENT_IDX);
	queue->enabled = true;
	if (virtq_start(&queue->ring))
		need_reset(device);
	wake(queue);
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? (*value & 0xffffffff) | (uint64_t)half << 32 : (*value & ~0xffffffffULL) | half;
}

static uint16_t checked_vector(const struct virtio_device *device, uint16_t vector)
{
	return vector < device->pci.msix.vectors ? vector : NO_VECTOR;
}

static void write_queue(struct virtio_device *device, struct virtio_queue *queue, uint64_t offset, uint32_t value)
{
	uint64_t *const address[] = { &queue->ring.desc, &queue->ring.avail, &queue->ring.used };

	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		__atomic_store_n(&queue->vector, checked_vector(device, value), __ATOMIC_RELAXED);
		if (device->reroute)
			device->reroute(device, queue->index);
	} else if (offset == VIRTIO_PCI_COMMON_Q_ENABLE && value == 1) {
		enable_queue(device, queue);
	} else if (queue->enabled) {
		return;			/* a live ring does not move */
	} else if (offset == VIRTIO_PCI_COMMON_Q_SIZE) {
		queue->ring.size = value;
	} else if (offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset <= VIRTIO_PCI_COMMON_Q_USEDHI) {
		set_half(address[(offset - VIRTIO_PCI_COMMON_Q_DESCLO) / 8], offset & 4, value);
	}
}

static uint32_t read_queue(const struct virtio_queue *queue, uint64_t offset)
{
	const uint64_t address[] = { queue->ring.desc, queue->ring.avail, queue->ring.used };

	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->ring.size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return queue->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return queue->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return queue->index;
	}
	if (offset < VIRTIO_PCI_COMMON_Q_DESCLO || offset > VIRTIO_PCI_COMMON_Q_USEDHI)
		return 0;
	return address[(offset - VIRTIO_PCI_COMMON_Q_DESCLO) / 8] >> (offset & 4 ? 32 : 0);
}

/* A register's width; others' accesses do nothing. The low halves of the rings' addresses take 8 bytes as two */
static unsigned int register_bytes(uint64_t offset)
{
	if (offset < VIRTIO_PCI_COMMON_MSIX || offset >= VIRTIO_PCI_COMMON_Q_DESCLO)
		return offset & 3 ? 0 : 4;
	if (offset == VIRTIO_PCI_COMMON_STATUS || offset == VIRTIO_PCI_COMMON_CFGGENERATION)
		return 1;
	return offset & 1 ? 0 : 2;
}

static uint32_t read_common(struct virtio_device *device, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return device->device_select;
	case VIRTIO_PCI_COMMON_DF:
		return device->device_select < 2 ? device->features >> (32 * device->device_select) : 0;
	case VIRTIO_PCI_COMMON_GFSELECT:
		return device->driver_select;
	case VIRTIO_PCI_COMMON_GF:
		return device->driver_select < 2 ? device->driver_features >> (32 * device->driver_select) : 0;
	case VIRTIO_PCI_COMMON_MSIX:
		return device->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return device->queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return get_status(device);
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return device->queue_select;
	}
	if (offset < VIRTIO_PCI_COMMON_Q_SIZE || device->queue_select >= device->queues)
		return 0;
	return read_queue(&device->queue[device->queue_select], offset);
}

static void write_common(struct virtio_device *device, uint64_t offset, uint32_t value)
{
	struct virtio_queue *queue;

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		device->device_select = value;
		return;
	case VIRTIO_PCI_COMMON_GFSELECT:
		device->driver_select = value;
		return;
	case VIRTIO_PCI_COMMON_GF:
		if (device->driver_select < 2 && !(get_status(device) & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&device->driver_features, device->driver_select, value);
		return;
	case VIRTIO_PCI_COMMON_MSIX:
		__atomic_store_n(&device->config_vector, checked_vector(device, value), __ATOMIC_RELAXED);
		return;
	case VIRTIO_PCI_COMMON_STATUS:
		set_status(device, value);
		return;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		device->queue_select = value;
		return;
	}
	if (offset < VIRTIO_PCI_COMMON_Q_SIZE || device->queue_select >= device->queues)
		return;
	queue = &device->queue[device->queue_select];
	pthread_mutex_lock(&queue->lock);
	write_queue(device, queue, offset, value);
	pthread_mutex_unlock(&queue->lock);
}

static uint64_t bar_read(void *arg, uint64_t offset, unsigned int bytes)
{
	struct virtio_device *device = arg;
	uint64_t value = 0;

	if (offset >= AT_PENDING)
		return msix_read_pending(&device->pci.msix, offset - AT_PENDING, bytes);
	if (offset >= AT_TABLE)
		return msix_read_table(&device->pci.msix, offset - AT_TABLE, bytes);
	if (offset >= AT_NOTIFY)
		return 0;
	if (offset >= AT_DEVICE) {
		offset -= AT_DEVICE;
		if (offset + bytes <= device->config_bytes)
			memcpy(&value, (const char *)device->config + offset, bytes);
		return value;
	}
	if (offset >= AT_ISR)
		return offset == AT_ISR ? read_isr(device) : 0;
	pthread_mutex_lock(&device->lock);
	if (register_bytes(offset) == bytes)
		value = read_common(device, offset);
	pthread_mutex_unlock(&device->lock);
	return value;
}

static void bar_write(void *arg, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct virtio_device *device = arg;

	if (offset >= AT_TABLE) {
		if (offset < AT_PENDING)
			msix_write_table(&device->pci.msix, offset - AT_TABLE, bytes, value);
	} else if (offset >= AT_NOTIFY) {
		unsigned int index = (offset - AT_NOTIFY) / NOTIFY_BYTES;

		if (index < device->queues)
			eventfd_write(device->queue[index].kick, 1);
	} else if (offset < AT_ISR && bytes == 8 && register_bytes(offset) == 4) {
		bar_write(device, offset, 4, value);
		bar_write(device, offset + 4, 4, value >> 32);
	} else if (offset < AT_ISR && register_bytes(offset) == bytes) {
		pthread_mutex_lock(&device->lock);
		write_common(device, offset, value);
		pthread_mutex_unlock(&device->lock);
	}
}

/* Where the guest's writes signal the eventfd straight from the kernel; if that fails, bar_write() does it */
static void bar_moved(struct pci_device *pci, unsigned int bar, uint64_t gpa, bool mapped)
{
	struct virtio_device *device = (struct virtio_device *)((char *)pci - offsetof(struct virtio_device, pci));

	(void)bar;
	for (unsigned int i = 0; device->host->watch && i < device->queues; i++)
		device->host->watch(device->host->arg, gpa + AT_NOTIFY + i * NOTIFY_BYTES, device->queue[i].kick, mapped);
}

/* ------------------------------------------------------------------ (iv) the window in configuration space */

/* VIRTIO_PCI_CAP_PCI_CFG (virtio 1.2, 4.1.4.9): what a BIOS reaches the BAR by; accesses that break its rules do nothing */
static bool window_access(struct pci_device *pci, unsigned int reg, unsigned int bytes, bool write, uint32_t *value)
{
	struct virtio_device *device = (struct virtio_device *)((char *)pci - offsetof(struct virtio_device, pci));
	const uint8_t *config = pci->config + device->window_at;
	struct virtio_pci_cap cap;

	if (reg != device->window_at + sizeof(cap))
		return false;
	pthread_mutex_lock(&pci->bus->lock);
	memcpy(&cap, config, sizeof(cap));
	pthread_mutex_unlock(&pci->bus->lock);
	if (cap.bar || cap.length != bytes || cap.offset % bytes || cap.offset >= BAR_BYTES)
		return false;
	if (write)
		bar_write(device, cap.offset, bytes, *value);
	else
		*value = bar_read(device, cap.offset, bytes);
	return true;
}

static int add_window(struct virtio_device *device)
{
	struct virtio_pci_cfg_cap window = { .cap = { .cap_len = sizeof(window), .cfg_type = VIRTIO_PCI_CAP_PCI_CFG } };
	struct pci_device *pci = &device->pci;
	uint8_t *writable;

	device->window_at = pci_add_capability(pci, 0x09, &window, sizeof(window));
	if (!device->window_at)
		return -1;
	writable = pci->writable + device->window_at;
	writable[offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(writable + offsetof(struct virtio_pci_cap, offset), 0xff, 8);	/* the length, too */
	pci->access = window_access;
	return 0;
}

/* ------------------------------------------------------------------ (v) building */

static int add_capability(struct pci_device *pci, uint8_t type, uint32_t offset, uint32_t bytes)
{
	struct virtio_pci_notify_cap notify = {
		.cap = { .cap_len = sizeof(notify.cap), .cfg_type = type, .offset = offset, .length = bytes },
		.notify_off_multiplier = NOTIFY_BYTES,
	};

	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
		notify.cap.cap_len = sizeof(notify);
	return pci_add_capability(pci, 0x09, &notify, notify.cap.cap_len) ? 0 : -1;
}

int virtio_init(struct virtio_device *device, const struct virtio_model *model, const struct virtio_host *host,
		uint64_t features, unsigned int queues, const void *config, unsigned int config_bytes)
{
	struct pci_device *pci = &device->pci;

	if (queues > VIRTIO_QUEUES_MAX)
		return -1;
	pci_device_init(pci, model->name, VENDOR, DEVICE_BASE + model->id, model->class, VENDOR, 0x1100);
	pci->bar[0] = (struct pci_bar){
		.bytes = BAR_BYTES,
		.range = { .name = model->name, .read = bar_read, .write = bar_write, .device = device },
	};
	pci->moved = bar_moved;
	device->model = model;
	device->host = host;
	device->features = features | VIRTIO_TRANSPORT_FEATURES;
	device->config = config;
	device->config_bytes = config_bytes;
	device->queues = queues;
	device->config_vector = NO_VECTOR;
	pthread_mutex_init(&device->lock, NULL);
	pthread_mutex_init(&device->isr_lock, NULL);
	for (unsigned int i = 0; i < queues; i++) {
		struct virtio_queue *queue = &device->queue[i];

		*queue = (struct virtio_queue){
			.device = device, .index = i, .poll_fd = -1, .vector = NO_VECTOR,
			.ring = { .memory = host->memory, .size = VIRTQ_SIZE_MAX },
			.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		};
		queue->wake = queue->kick;
		pthread_mutex_init(&queue->lock, NULL);
		if (queue->kick < 0)
			return -1;
	}
	if (pci_add_msix(pci, &host->msix, queues + 1, 0, AT_TABLE, AT_PENDING) ||
	    add_capability(pci, VIRTIO_PCI_CAP_COMMON_CFG, AT_COMMON, sizeof(struct virtio_pci_common_cfg)) ||
	    add_capability(pci, VIRTIO_PCI_CAP_ISR_CFG, AT_ISR, 1) ||
	    add_capability(pci, VIRTIO_PCI_CAP_NOTIFY_CFG, AT_NOTIFY, queues * NOTIFY_BYTES) ||
	    (config_bytes && add_capability(pci, VIRTIO_PCI_CAP_DEVICE_CFG, AT_DEVICE, config_bytes)) || add_window(device))
		return -1;
	pci->msix.changed = routes_changed;
	pci->msix.arg = device;
	return 0;
}

int virtio_add(struct virtio_device *device, struct pci_bus *bus)
{
	if (pci_add(bus, &device->pci))
		return -1;
	for (unsigned int i = 0; i < device->queues; i++) {
		if (pthread_create(&device->queue[i].thread, NULL, queue_thread, &device->queue[i]))
			return -1;	/* the launcher ends then */
	}
	return 0;
}

void virtio_free(struct virtio_device *device)
{
	__atomic_store_n(&device->stopping, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < device->queues; i++) {
		wake(&device->queue[i]);
		pthread_join(device->queue[i].thread, NULL);
		close(device->queue[i].kick);
	}
	msix_free(&device->pci.msix);
}
