/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's network cards and its socket device, on the files and kernel parts that they need.
 */
#ifndef TPZ_MACHINE_NET_H
#define TPZ_MACHINE_NET_H

#include "devices/e1000.h"
#include "devices/virtio_net.h"
#include "devices/virtio_vsock.h"
#include "net.h"

/**
 * struct machine_net - a network card of either model, on @cable, which is its own
 */
struct machine_net {
	enum net_model model;
	int cable;
	struct virtio_net virtio;
	struct e1000 e1000;
};

/* Open what is behind it, and prepare it; ends tpz with a message on failure */
void machine_net_open(struct machine_net *net, const struct net_config *config, const struct virtio_host *host);

/* Plug it in and start its threads; @return 0 or -1 */
int machine_net_start(struct machine_net *net, struct pci_bus *bus);
void machine_net_free(struct machine_net *net);

/* Ends tpz with a message on failure; virtio_add() starts it, virtio_vsock_free() gives it back */
void machine_vsock_open(struct virtio_vsock *vsock, uint32_t cid, const struct virtio_host *host);

#endif /* TPZ_MACHINE_NET_H */
