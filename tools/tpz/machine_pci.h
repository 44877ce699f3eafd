/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands on a guest's PCI bus, and how it reaches the VM.
 */
#ifndef TPZ_MACHINE_PCI_H
#define TPZ_MACHINE_PCI_H

#include <stdbool.h>

#include <trapeze.h>

#include "devices/virtio_blk.h"
#include "devices/virtio_rng.h"

#define DISKS_MAX	8

/**
 * struct machine_pci_config - what the command line asked for; nothing: the guest has no PCI bus
 */
struct machine_pci_config {
	struct {
		const char *name;
		bool readonly;
	} disk[DISKS_MAX];
	unsigned int disks;
	bool rng;
};

/**
 * struct machine_pci - written before the vCPU's thread starts; the devices have locks of their own
 * @present: there is a bus
 */
struct machine_pci {
	bool present;
	const struct tpz_vm *vm;
	struct guest_memory memory;
	struct mmio_space mmio;
	struct pci_bus bus;
	struct virtio_host host;
	struct virtio_blk disk[DISKS_MAX];
	unsigned int disks;
	struct virtio_device rng;
	bool has_rng;
};

struct machine;

/* Whether the guest has a PCI bus */
bool machine_pci_wanted(const struct machine_pci_config *config);

/* Open files and prepare the devices; ends tpz with a message on failure */
void machine_pci_create(struct machine *machine, const struct machine_pci_config *config);

/* Plug the devices in and start their threads, with signals blocked and the VM there */
void machine_pci_start(struct machine *machine);
void machine_pci_destroy(struct machine *machine);

#endif /* TPZ_MACHINE_PCI_H */
