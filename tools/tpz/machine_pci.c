// SPDX-License-Identifier: GPL-2.0
/*
 * Puts devices on the guest's PCI bus.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

#define DISK_QUEUES	4	/* the guest takes one for each of its vCPUs */

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

static void add_disk(struct machine_pci *pci, const char *name, bool readonly)
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
	if (virtio_blk_init(&pci->disk[pci->disks++], &pci->host, fd, bytes, readonly, DISK_QUEUES))
		errx(STATUS_CANNOT, "%s: no room for the disk", name);
}

bool machine_pci_wanted(const struct machine_pci_config *config)
{
	return config->disks || config->rng;
}

void machine_pci_create(struct machine *machine, const struct machine_pci_config *config)
{
	struct machine_pci *pci = &machine->pci;
	struct boot *boot = &machine->boot;
	uint64_t high = boot->memory_bytes - boot->low_bytes;

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
		add_disk(pci, config->disk[i].name, config->disk[i].readonly);
	pci->has_rng = config->rng;
	if (config->rng && virtio_rng_init(&pci->rng, &pci->host))
		errx(STATUS_CANNOT, "no room for the entropy device");
}

void machine_pci_start(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < pci->disks; i++)
		ret = virtio_add(&pci->disk[i].virtio, &pci->bus);
	if (!ret && pci->has_rng)
		ret = virtio_add(&pci->rng, &pci->bus);
	if (ret)
		errx(STATUS_CANNOT, "a device on the PCI bus: no room, or no thread");
}

void machine_pci_destroy(struct machine *machine)
{
	struct machine_pci *pci = &machine->pci;

	for (unsigned int i = 0; i < pci->disks; i++) {
		virtio_free(&pci->disk[i].virtio);
		close(pci->disk[i].fd);
	}
	if (pci->has_rng)
		virtio_free(&pci->rng);
	if (pci->present)
		mmio_free(&pci->mmio);
}
