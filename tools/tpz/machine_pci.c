// SPDX-License-Identifier: GPL-2.0
/*
 * Puts devices on the guest's PCI bus.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"

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

void machine_pci_create(struct machine *machine, const struct machine_pci_config *config)
{
	struct machine_pci *pci = &machine->pci;
	struct boot *boot = &machine->boot;
	uint64_t high = boot->memory_bytes - boot->low_bytes;
	/* A vCPU that has a queue of its own waits for no other's requests */
	unsigned int queues = boot->processors < VIRTIO_QUEUES_MAX ? boot->processors : VIRTIO_QUEUES_MAX;

	if (!boot->pci)
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
		machine_disk_open(&pci->disk[pci->disks++], &config->disk[i], &pci->host, queues);
	for (unsigned int i = 0; i < config->nets; i++)
		machine_net_open(&pci->net[pci->nets++], &config->net[i], &pci->host);
	pci->has_rng = config->rng;
	if (config->rng && virtio_rng_init(&pci->rng, &pci->host))
		errx(STATUS_CANNOT, "no room for the entropy device");
	for (unsigned int i = 0; i < config->shares; i++)
		add_share(pci, config->share[i].name, config->share[i].tag, config->share[i].readonly);
	if (config->console)
		add_console(machine);
	if (config->vsock_cid)
		machine_vsock_open(&pci->vsock, config->vsock_cid, &pci->host);
	pci->has_vsock = config->vsock_cid;
}

void machine_pci_start(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < pci->disks; i++)
		ret = virtio_add(&pci->disk[i].virtio, &pci->bus);
	for (unsigned int i = 0; !ret && i < pci->nets; i++)
		ret = machine_net_start(&pci->net[i], &pci->bus);
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

	for (unsigned int i = 0; i < pci->disks; i++)
		machine_disk_free(&pci->disk[i]);
	for (unsigned int i = 0; i < pci->nets; i++)
		machine_net_free(&pci->net[i]);
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
