/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands on a guest's PCI bus, and how it reaches the VM.
 */
#ifndef TPZ_MACHINE_PCI_H
#define TPZ_MACHINE_PCI_H

#include <stdbool.h>

#include <trapeze.h>

#include "devices/virtio_9p.h"
#include "devices/virtio_console.h"
#include "devices/virtio_rng.h"
#include "machine_disk.h"
#include "machine_net.h"
#include "share.h"

#define DISKS_MAX	8
#define NETS_MAX	4
#define SHARES_MAX	4

/**
 * struct machine_pci_config - what the command line asked for; nothing: the guest has no PCI bus
 */
struct machine_pci_config {
	struct disk_config disk[DISKS_MAX];
	unsigned int disks;
	struct net_config net[NETS_MAX];
	unsigned int nets;
	bool rng;
	struct {
		const char *name;
		const char *tag;
		bool readonly;
	} share[SHARES_MAX];
	unsigned int shares;
	bool console;		/* the terminal is hvc0 */
	uint32_t vsock_cid;	/* 0: the guest has no socket device */
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
	struct machine_net net[NETS_MAX];
	unsigned int nets;
	struct virtio_device rng;
	bool has_rng;
	struct virtio_9p p9[SHARES_MAX];
	struct share share[SHARES_MAX];
	unsigned int shares;
	struct virtio_console console;
	bool has_console;
	struct virtio_vsock vsock;
	bool has_vsock;
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
