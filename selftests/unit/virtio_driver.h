/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's virtio driver in process memory, for tests of the devices: for the bus's first place, one queue at a time.
 */
#ifndef VIRTIO_DRIVER_H
#define VIRTIO_DRIVER_H

#include <asm/types.h>

#include "../lib/ktap.c"

#include "../../tools/devices/guestmem.c"
#include "../../tools/devices/mmio.c"
#include "../../tools/devices/msix.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pci.c"
#include "../../tools/devices/virtq.c"
#include "../../tools/devices/virtio_pci.c"

#define RAM		0x40000
#define RING		0x1000		/* desc, avail and used follow at pages */
#define DATA		0x10000
#define SIZE		16
#define BAR		PCI_WINDOW

static _Alignas(4096) uint8_t ram[RAM];
static struct guest_memory memory;
static struct port_space ports;
static struct mmio_space mmio;
static struct pci_bus bus;
static struct virtio_device *device;
static unsigned int messages, lines, next_descriptor;
static uint16_t offered;
static uint64_t declined;	/* features */

static int send_msi(void *arg, uint64_t address, uint32_t data)
{
	__atomic_add_fetch(&messages, 1, __ATOMIC_SEQ_CST);
	return 1;
}

static void set_line(void *arg, unsigned int line, bool level)
{
	__atomic_store_n(&lines, level, __ATOMIC_SEQ_CST);
}

static struct virtio_host host = { .memory = &memory, .msix = { .send = send_msi } };

static uint64_t load(uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0;

	mmio_access(&mmio, BAR + offset, bytes, false, &value);
	return value;
}

static void store(uint64_t offset, unsigned int bytes, uint64_t value)
{
	mmio_access(&mmio, BAR + offset, bytes, true, &value);
}

static void new_machine(void)
{
	memset(ram, 0, sizeof(ram));
	memory = (struct guest_memory){ 0 };
	messages = lines = next_descriptor = 0;
	offered = 0;
	declined = 1ULL << VIRTIO_RING_F_EVENT_IDX;
	CHECK_EQ(guest_memory_add(&memory, 0, RAM, ram), 0);
	CHECK_EQ(ports_init(&ports), 0);
	mmio_init(&mmio);
	CHECK_EQ(pci_init(&bus, &ports, &mmio, set_line, NULL), 0);
}

/* Reset to FEATURES_OK, as virtio 1.2, 3.1.1 orders it */
static void negotiate(bool msix)
{
	store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	memset(ram + RING, 0, 0x4000);
	offered = next_descriptor = 0;
	store(VIRTIO_PCI_COMMON_STATUS, 1, 3);
	store(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	store(VIRTIO_PCI_COMMON_GF, 4, 1);
	store(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	store(VIRTIO_PCI_COMMON_GF, 4, device->features & ~declined);
	store(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 11);
	if (msix) {
		uint32_t address = 0x80000000 | 1 << 11 | 0x40, value = 0x80000000;

		ports_access(&ports, 0xcf8, 4, 1, false, &address);
		ports_access(&ports, 0xcfc, 4, 1, false, &value);
		store(AT_TABLE + 16, 8, 0xfee00000);
		store(AT_TABLE + 24, 8, 0x51);
	}
}

/* A queue with vector 1, its rings from @ring on */
static void enable(unsigned int queue, uint64_t ring)
{
	store(VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	store(VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
	store(VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
	store(VIRTIO_PCI_COMMON_Q_DESCLO, 8, ring);
	store(VIRTIO_PCI_COMMON_Q_AVAILLO, 4, ring + 0x1000);
	store(VIRTIO_PCI_COMMON_Q_USEDLO, 4, ring + 0x2000);
	store(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

/* Reset to DRIVER_OK */
static inline void start(unsigned int queue, bool msix)
{
	negotiate(msix);
	enable(queue, RING);
	store(VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static inline void buffer(uint64_t gpa, uint32_t bytes, uint16_t flags)
{
	struct vring_desc *desc = (struct vring_desc *)(ram + RING) + next_descriptor % SIZE;

	next_descriptor++;
	*desc = (struct vring_desc){ gpa, bytes, flags, next_descriptor % SIZE };
}

static uint16_t used_index(void)
{
	return __atomic_load_n((uint16_t *)(ram + RING + 0x2000) + 1, __ATOMIC_SEQ_CST);
}

/* The bytes written to the buffers of answer @index */
static inline uint32_t used_bytes(unsigned int index)
{
	return *(uint32_t *)(ram + RING + 0x2000 + 8 * (index % SIZE) + 8);
}

/* Offers @head, and kicks if the device wants that */
static void offer(unsigned int queue, uint16_t head)
{
	uint16_t *avail = (uint16_t *)(ram + RING + 0x1000);
	volatile uint16_t *used = (uint16_t *)(ram + RING + 0x2000);
	bool wanted;

	avail[2 + offered % SIZE] = head;
	__atomic_store_n(&avail[1], ++offered, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (declined & 1ULL << VIRTIO_RING_F_EVENT_IDX)
		wanted = !(used[0] & VRING_USED_F_NO_NOTIFY);
	else
		wanted = used[USED_RING + 4 * SIZE] == (uint16_t)(offered - 1);
	if (wanted)
		store(AT_NOTIFY + NOTIFY_BYTES * queue, 2, queue);
}

/* @return whether all that was offered was answered; false: the device needs a reset */
static bool answered(void)
{
	for (int i = 0; i < 5000; i++) {
		if (used_index() == offered)
			return true;
		if (load(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return false;
		usleep(1000);
	}
	FAIL("no answer");
}

static inline bool go(unsigned int queue, uint16_t head)
{
	offer(queue, head);
	return answered();
}

/* Waits for @count answers since the start, of more that were offered; @return as answered() */
static inline bool given_back(uint16_t count)
{
	uint16_t all = offered;
	bool ret;

	offered = count;
	ret = answered();
	offered = all;
	return ret;
}

static inline uint32_t used_head(unsigned int index)
{
	return *(uint32_t *)(ram + RING + 0x2000 + 8 * (index % SIZE) + 4);
}

#endif /* VIRTIO_DRIVER_H */
