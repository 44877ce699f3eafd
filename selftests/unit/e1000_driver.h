/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's driver of the emulated network card in process memory: its rings, and what stands below the device.
 */
#ifndef E1000_DRIVER_H
#define E1000_DRIVER_H

#include <asm/types.h>

#include "../lib/ktap.c"

#include <fcntl.h>
#include <linux/mii.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../../tools/devices/guestmem.c"
#include "../../tools/devices/mmio.c"
#include "../../tools/devices/msix.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pci.c"
#include "../../tools/devices/cable.c"
#include "../../tools/devices/e1000.h"

/* Each has its own TURN */
#include "../../tools/devices/e1000.c"
#include "../../tools/devices/e1000_phy.c"
#include "../../tools/devices/e1000_offload.c"
#include "../../tools/devices/e1000_rx.c"
#undef TURN
#include "../../tools/devices/e1000_tx.c"

#define RAM		0x20000
#define RX_RING		0x1000
#define TX_RING		0x2000
#define ROOM		0x8000
#define DATA		0x10000
#define RING		16
#define BAR		PCI_WINDOW

static uint8_t *ram;
static struct guest_memory memory;
static struct port_space ports;
static struct mmio_space mmio;
static struct pci_bus bus;
static struct e1000 card;
static unsigned int lines, tail;

static void set_line(void *arg, unsigned int line, bool level)
{
	__atomic_store_n(&lines, level, __ATOMIC_SEQ_CST);
}

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
	/* From malloc, so that a sanitizer sees each byte past its end */
	free(ram);
	ram = aligned_alloc(4096, RAM);
	CHECK(ram);
	memset(ram, 0, RAM);
	memory = (struct guest_memory){ 0 };
	lines = 0;
	CHECK_EQ(guest_memory_add(&memory, 0, RAM, ram), 0);
	CHECK_EQ(ports_init(&ports), 0);
	mmio_init(&mmio);
	CHECK_EQ(pci_init(&bus, &ports, &mmio, set_line, NULL), 0);
}

static uint64_t *tx_ring(void)
{
	return (uint64_t *)(ram + TX_RING);
}

static uint64_t room_at(unsigned int slot)
{
	return ROOM + slot * 0x800;
}

/* Rings of RING descriptors; all but one of the receiver's are offered */
static void start(void)
{
	uint64_t *rx = (uint64_t *)(ram + RX_RING);

	memset(ram + RX_RING, 0, 0x2000);
	for (unsigned int i = 0; i < RING; i++)
		rx[2 * i] = room_at(i);
	store(E1000_RDBAL, 8, RX_RING);
	store(E1000_RDBAL + E1000_RING_LEN, 4, 16 * RING);
	store(E1000_RDBAL + E1000_RING_HEAD, 4, 0);
	store(E1000_RDT, 4, RING - 1);
	store(E1000_TDBAL, 8, TX_RING);
	store(E1000_TDBAL + E1000_RING_LEN, 4, 16 * RING);
	store(E1000_TDT, 4, 0);
	store(E1000_TDH, 4, 0);
	tail = 0;
	store(E1000_TCTL, 4, TCTL_EN | TCTL_PSP);
	store(E1000_RCTL, 4, RCTL_EN | RCTL_BAM);
}

/* A transmit descriptor of two words */
static inline void offer2(uint64_t first, uint64_t second)
{
	tx_ring()[2 * tail] = first;
	tx_ring()[2 * tail + 1] = second;
	tail = (tail + 1) % RING;
	store(E1000_TDT, 4, tail);
}

static inline void offer(uint64_t buffer, uint16_t bytes, uint32_t flags)
{
	offer2(buffer, bytes | flags);
}

static inline uint64_t rx_word(unsigned int slot)
{
	return __atomic_load_n((uint64_t *)(ram + RX_RING) + 2 * slot + 1, __ATOMIC_ACQUIRE);
}

#endif /* E1000_DRIVER_H */
