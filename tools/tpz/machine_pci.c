// SPDX-License-Identifier: GPL-2.0
/*
 * Puts devices on the guest's PCI bus.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

#define VHOST_NET	"/dev/vhost-net"
#define VHOST_VSOCK	"/dev/vhost-vsock"

/* ------------------------------------------------------------------ what the devices call */

static int send_msi(void *arg, uint64_t address, uint32_t data)
{
	struct machine *machine = arg;

	return tpz_vm_send_msi(&machine->vm, address, data);
}

static int route_msi(void *arg, int fd, uint64_t address, uint32_t data)
{
	struct machine *machine = arg;

	return tpz_vm_irqfd_msi(&machine->vm, fd, address, data);
}

static int watch_writes(void *arg, uint64_t gpa, int fd, bool add)
{
	struct machine *machine = arg;

	return tpz_vm_ioeventfd(&machine->vm, gpa, fd, !add);
}

/* On the console's own thread, which no signal reaches: the end of the run must not wait for whoever reads this */
static void console_transmit(void *arg, const void *data, size_t bytes)
{
	struct machine *machine = arg;
	const char *at = data;

	while (bytes && !machine_ended(machine)) {
		struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
		ssize_t written;

		if (poll(&out, 1, 200) <= 0)
			continue;
		written = write(STDOUT_FILENO, at, bytes);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
			machine_end(machine, STATUS_HOST, false, "standard output: %s", strerror(errno));
		if (written > 0) {
			at += written;
			bytes -= written;
		}
	}
}

static void console_has_room(void *arg)
{
	struct machine *machine = arg;

	eventfd_write(machine->notify, 1);
}

/* ------------------------------------------------------------------ building */

static uint64_t disk_bytes(int fd, const char *name)
{
	struct stat status;
	uint64_t bytes;

	if (fstat(fd, &status))
		err(STATUS_CANNOT, "%s", name);
	if (S_ISREG(status.st_mode))
		return status.st_size;
	if (!S_ISBLK(status.st_mode))
		errx(STATUS_CANNOT, "%s: is no regular file and no block device", name);
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		err(STATUS_CANNOT, "%s", name);
	return bytes;
}

static void add_disk(struct machine_pci *pci, const char *name, bool readonly, unsigned int queues)
{
	int fd = open(name, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	uint64_t bytes;

	if (fd < 0)
		err(STATUS_CANNOT, "%s", name);
	if (flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))	/* two writers would destroy it */
		err(STATUS_CANNOT, "%s: is another guest's disk", name);
	bytes = disk_bytes(fd, name);
	if (!bytes || bytes % 512)
		errx(STATUS_CANNOT, "%s: %llu bytes are no whole number of sectors", name, (unsigned long long)bytes);
	if (virtio_blk_init(&pci->disk[pci->disks], &pci->host, fd, bytes, readonly, queues))
		errx(STATUS_CANNOT, "%s: no room for the disk", name);
	virtio_blk_use_rings(&pci->disk[pci->disks++]);		/* or it goes without */
}

static void add_share(struct machine_pci *pci, const char *name, const char *tag, bool readonly)
{
	struct share *share = &pci->share[pci->shares];

	share_open(share, name, readonly);
	if (virtio_9p_init(&pci->p9[pci->shares++], &pci->host, share->socket, tag, geteuid()))
		errx(STATUS_CANNOT, "--share %s: no room for it", name);
}

static void add_console(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;
	struct winsize size = { 0 };

	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);		/* or it has none */
	if (virtio_console_init(&pci->console, &pci->host, size.ws_col, size.ws_row))
		errx(STATUS_CANNOT, "no room for the console");
	pci->console.transmit = console_transmit;
	pci->console.room = console_has_room;
	pci->console.arg = machine;
	pci->has_console = true;
}

bool machine_pci_wanted(const struct machine_pci_config *config)
{
	return config->disks || config->nets || config->rng || config->shares || config->console ||
	       config->vsock_cid;
}

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

static void add_net(struct machine_pci *pci, const struct net_config *net)
{
	struct virtio_net *card = &pci->net[pci->nets++];
	struct vhost vhost = { .fd = -1 };

	if (net->kind == NET_TAP && net->vhost != NET_VHOST_OFF && vhost_open(&vhost, VHOST_NET, &pci->memory) &&
	    net->vhost == NET_VHOST_ON)
		explain_vhost(VHOST_NET, "vhost_net");
	if (virtio_net_init(card, &pci->host, net_open(net, vhost.fd >= 0), net->mac) ||
	    (vhost.fd >= 0 && virtio_net_use_vhost(card, &vhost)))
		errx(STATUS_CANNOT, "--net %s: no room for the card", net->arg);
}

static void add_vsock(struct machine_pci *pci, uint32_t cid)
{
	if (virtio_vsock_init(&pci->vsock, &pci->host, VHOST_VSOCK, cid)) {
		if (errno == EADDRINUSE)
			errx(STATUS_CANNOT, "--vsock cid=%u: another guest of this host has that CID", cid);
		explain_vhost(VHOST_VSOCK, "vhost_vsock");
	}
	pci->has_vsock = true;
}

void machine_pci_create(struct machine *machine, const struct machine_pci_config *config)
{
	struct machine_pci *pci = &machine->pci;
	struct boot *boot = &machine->boot;
	uint64_t high = boot->memory_bytes - boot->low_bytes;
	/* A vCPU that has a queue of its own waits for no other's requests */
	unsigned int queues = boot->processors < VIRTIO_QUEUES_MAX ? boot->processors : VIRTIO_QUEUES_MAX;

	if (!machine_pci_wanted(config))
		return;
	pci->present = true;
	pci->host = (struct virtio_host){
		.memory = &pci->memory,
		.msix = { .send = send_msi, .route = route_msi, .arg = machine },
		.watch = watch_writes,
		.arg = machine,
	};
	mmio_init(&pci->mmio);
	if (guest_memory_add(&pci->memory, 0, boot->low_bytes, boot->memory) ||
	    (high && guest_memory_add(&pci->memory, BOOT_ABOVE_4G, high, boot->memory + boot->low_bytes)) ||
	    pci_init(&pci->bus, &machine->ports, &pci->mmio, machine_set_line, machine))
		errx(STATUS_CANNOT, "no room for the PCI bus");
	for (unsigned int i = 0; i < config->disks; i++)
		add_disk(pci, config->disk[i].name, config->disk[i].readonly, queues);
	for (unsigned int i = 0; i < config->nets; i++)
		add_net(pci, &config->net[i]);
	pci->has_rng = config->rng;
	if (config->rng && virtio_rng_init(&pci->rng, &pci->host))
		errx(STATUS_CANNOT, "no room for the entropy device");
	for (unsigned int i = 0; i < config->shares; i++)
		add_share(pci, config->share[i].name, config->share[i].tag, config->share[i].readonly);
	if (config->console)
		add_console(machine);
	if (config->vsock_cid)
		add_vsock(pci, config->vsock_cid);
}

void machine_pci_start(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < pci->disks; i++)
		ret = virtio_add(&pci->disk[i].virtio, &pci->bus);
	for (unsigned int i = 0; !ret && i < pci->nets; i++)
		ret = virtio_add(&pci->net[i].virtio, &pci->bus);
	if (!ret && pci->has_rng)
		ret = virtio_add(&pci->rng, &pci->bus);
	for (unsigned int i = 0; !ret && i < pci->shares; i++)
		ret = virtio_add(&pci->p9[i].virtio, &pci->bus);
	if (!ret && pci->has_console)
		ret = virtio_add(&pci->console.virtio, &pci->bus);
	if (!ret && pci->has_vsock)
		ret = virtio_add(&pci->vsock.virtio, &pci->bus);
	if (ret)
		errx(STATUS_CANNOT, "a device on the PCI bus: no room, or no thread");
}

void machine_pci_destroy(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;

	for (unsigned int i = 0; i < pci->disks; i++) {
		virtio_blk_free(&pci->disk[i]);
		close(pci->disk[i].fd);
	}
	for (unsigned int i = 0; i < pci->nets; i++) {
		virtio_net_free(&pci->net[i]);
		close(pci->net[i].fd);
	}
	if (pci->has_rng)
		virtio_free(&pci->rng);
	for (unsigned int i = 0; i < pci->shares; i++) {
		virtio_free(&pci->p9[i].virtio);
		share_close(&pci->share[i]);
	}
	if (pci->has_console)
		virtio_free(&pci->console.virtio);
	if (pci->has_vsock)
		virtio_vsock_free(&pci->vsock);
	if (pci->present)
		mmio_free(&pci->mmio);
}
