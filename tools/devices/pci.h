/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One PCI bus: a host bridge, configuration space by mechanism #1 (ports 0xcf8 to 0xcff) and by ECAM, memory
 * BARs that the guest can move, INTx lines and MSI-X.
 *
 * There need be no firmware: BARs and interrupt lines are set when the guest starts. The latter the guest cannot write:
 * a BIOS that does not know how this bus is wired would, and then pass a wrong number on.
 */
#ifndef TPZ_PCI_H
#define TPZ_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mmio.h"
#include "msix.h"
#include "pci_layout.h"
#include "ports.h"

#define PCI_DEVICES_MAX		32
#define PCI_BARS		6
#define PCI_CONFIG_BYTES	256	/* what follows in ECAM's 4096 reads as 0 */

/* Registers of configuration space that devices use */
#define PCI_STATUS_REGISTER	0x06
#define PCI_BAR_REGISTER	0x10

struct pci_device;

/**
 * struct pci_bar - a memory BAR of 32 bits
 * @bytes: a power of two from 4096 up; 0: no such BAR
 * @range: its registers; gpa is filled in while it is mapped
 */
struct pci_bar {
	uint32_t bytes;
	struct mmio_range range;
	bool mapped;
};

/**
 * struct pci_device - a function 0
 * @config: as the guest reads it; guarded by the bus's lock
 * @writable: which of its bits the guest's writes change
 * @moved: BAR @bar is now at @gpa, or (@mapped false) no more there; called with the bus's lock
 * @access: serves a register of configuration space itself; or answers false, and it is as any other. Without locks; or NULL
 * @intx: the level the device drives
 */
struct pci_device {
	const char *name;
	struct pci_bus *bus;
	unsigned int slot;
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES];
	struct pci_bar bar[PCI_BARS];
	void (*moved)(struct pci_device *device, unsigned int bar, uint64_t gpa, bool mapped);
	bool (*access)(struct pci_device *device, unsigned int reg, unsigned int bytes, bool write, uint32_t *value);
	bool intx;
	struct msix msix;
	unsigned int msix_at;	/* its capability; 0: none */
	unsigned int free_at;	/* where the next capability goes */
	unsigned int last_at;	/* the byte that points to it */
};

/**
 * struct pci_bus
 * @lock: guards @address and every device's config space and BARs; taken before the MMIO space's and a device's MSI-X lock
 * @line_lock: guards the levels of INTx; taken last
 */
struct pci_bus {
	pthread_mutex_t lock;
	pthread_mutex_t line_lock;
	struct mmio_space *mmio;
	void (*set_line)(void *arg, unsigned int line, bool level);
	void *arg;
	uint32_t address;		/* CONFIG_ADDRESS */
	uint64_t next_bar;
	struct pci_device *device[PCI_DEVICES_MAX];
	struct pci_device bridge;
	bool line[PCI_LINES];
};

/**
 * pci_init() - a bus with its host bridge at slot 0
 * @return 0, or -1: no room in @ports or @mmio
 */
int pci_init(struct pci_bus *bus, struct port_space *ports, struct mmio_space *mmio,
	     void (*set_line)(void *arg, unsigned int line, bool level), void *arg);

/**
 * pci_device_init() - an empty configuration space, before BARs and capabilities are added
 * @class: class, subclass and interface: 0x020000
 */
void pci_device_init(struct pci_device *device, const char *name, uint16_t vendor, uint16_t id, uint32_t class,
		     uint16_t subsystem_vendor, uint16_t subsystem);

/**
 * pci_add_capability() - append a capability; its bytes 0 and 1 are filled in here
 * @return its place in configuration space, or 0: no room
 */
unsigned int pci_add_capability(struct pci_device *device, uint8_t id, const void *body, unsigned int bytes);

/**
 * pci_add_msix() - an MSI-X capability whose tables stand in BAR @bar at @table and @pending
 * @return 0 or -1
 */
int pci_add_msix(struct pci_device *device, const struct msix_host *host, unsigned int vectors, unsigned int bar,
		 uint32_t table, uint32_t pending);

/**
 * pci_add() - plug the device into the next free slot, place its BARs, and turn memory decoding on
 * @return 0, or -1: no room
 */
int pci_add(struct pci_bus *bus, struct pci_device *device);

/**
 * pci_set_intx() - drive the device's INTx line; any thread. Devices share lines: one that is high holds its line.
 */
void pci_set_intx(struct pci_device *device, bool level);

#endif /* TPZ_PCI_H */
