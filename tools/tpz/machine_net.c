// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's ways out: its network cards, and its socket device. The host's kernel serves them where it can.
 */
#include <err.h>
#include <errno.h>
#include <unistd.h>

#include "machine_net.h"
#include "tpz.h"

#define VHOST_NET	"/dev/vhost-net"
#define VHOST_VSOCK	"/dev/vhost-vsock"

/* By errno */
static void explain_vhost(const char *path, const char *module)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		errx(STATUS_CANNOT, "%s: this host has none; as root: modprobe %s", path, module);
	case EACCES:
	case EPERM:
		errx(STATUS_CANNOT, "%s: no permission; as root: chgrp GROUP %s && chmod g+rw %s", path, path, path);
	case ENOTSUP:
		errx(STATUS_CANNOT, "%s: this host's kernel is too old for it", path);
	default:
		err(STATUS_CANNOT, "%s", path);
	}
}

/* @return whether the kernel moves this card's frames; else @vhost->fd is -1 */
static bool open_vhost(struct vhost *vhost, const struct net_config *config, const struct guest_memory *memory)
{
	vhost->fd = -1;
	if (config->kind != NET_TAP || config->model != NET_VIRTIO || config->vhost == NET_VHOST_OFF)
		return false;
	if (!vhost_open(vhost, VHOST_NET, memory))
		return true;
	if (config->vhost == NET_VHOST_ON)
		explain_vhost(VHOST_NET, "vhost_net");
	return false;
}

void machine_net_open(struct machine_net *net, const struct net_config *config, const struct virtio_host *host)
{
	struct vhost vhost;
	bool served = open_vhost(&vhost, config, host->memory);
	int ret;

	net->model = config->model;
	net->cable = net_open(config, served);
	if (net->model == NET_E1000)
		ret = e1000_init(&net->e1000, host->memory, net->cable, config->mac);
	else
		ret = virtio_net_init(&net->virtio, host, net->cable, config->mac);
	if (ret || (served && virtio_net_use_vhost(&net->virtio, &vhost)))
		errx(STATUS_CANNOT, "--net %s: no room for the card", config->arg);
}

int machine_net_start(struct machine_net *net, struct pci_bus *bus)
{
	return net->model == NET_E1000 ? e1000_add(&net->e1000, bus) : virtio_add(&net->virtio.virtio, bus);
}

void machine_net_free(struct machine_net *net)
{
	if (net->model == NET_E1000)
		e1000_free(&net->e1000);
	else
		virtio_net_free(&net->virtio);
	close(net->cable);
}

void machine_vsock_open(struct virtio_vsock *vsock, uint32_t cid, const struct virtio_host *host)
{
	if (!virtio_vsock_init(vsock, host, VHOST_VSOCK, cid))
		return;
	if (errno == EADDRINUSE)
		errx(STATUS_CANNOT, "--vsock cid=%u: another guest of this host has that CID", cid);
	explain_vhost(VHOST_VSOCK, "vhost_vsock");
}
