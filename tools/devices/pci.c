// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus: (i) configuration space and what its registers do, (ii) the two ways to it, (iii) interrupt
 * lines, (iv) building devices.
 */
#include <linux/pci_regs.h>
#include <stddef.h>
#include <string.h>

#include "pci.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define ADDRESS_ENABLE	(1U << 31)

#define BRIDGE_VENDOR	0x1b36		/* Red Hat's bridge for virtual machines: stock kernels need no driver */
#define BRIDGE_DEVICE	0x0008
#define BRIDGE_CLASS	0x060000

_Static_assert(PCI_WINDOW_LAST == PCI_WINDOW + (PCI_WINDOW_BYTES - 1), "the window's end");
_Static_assert(PCI_BIOS_WINDOW_LAST == PCI_BIOS_WINDOW + (PCI_BIOS_WINDOW_BYTES - 1), "the BIOS's window's end");
_Static_assert(PCI_IO_WINDOW_LAST == PCI_IO_WINDOW + (PCI_IO_WINDOW_BYTES - 1), "the I/O window's end");

static uint16_t get16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value;
	at[1] = value >> 8;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value);
	put16(at + 2, value >> 16);
}

/* ------------------------------------------------------------------ (i) configuration space */

static void update_line(struct pci_bus *bus, unsigned int line);

/* Maps each BAR where the guest put it, if it decodes memory at all */
static void update_bars(struct pci_device *device)
{
	bool decode = device->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &device->bar[i];
		uint32_t base = get32(device->config + PCI_BAR_REGISTER + 4 * i) & ~0xfU;

		if (!bar->bytes || (bar->mapped == decode && (!decode || bar->range.gpa == base)))
			continue;
		if (bar->mapped) {
			if (device->moved)
				device->moved(device, i, bar->range.gpa, false);
			mmio_remove(device->bus->mmio, bar->range.device, bar->range.gpa);
			bar->mapped = false;
		}
		bar->range.gpa = base;
		if (decode && !mmio_add(device->bus->mmio, &bar->range)) {
			bar->mapped = true;
			if (device->moved)
				device->moved(device, i, base, true);
		}
	}
}

static void config_written(struct pci_device *device)
{
	update_bars(device);
	pthread_mutex_lock(&device->bus->line_lock);
	update_line(device->bus, device->slot % PCI_LINES);	/* the command register may hold INTx back */
	pthread_mutex_unlock(&device->bus->line_lock);
	if (device->msix_at) {
		uint16_t control = get16(device->config + device->msix_at + PCI_MSIX_FLAGS);

		msix_control(&device->msix, control & PCI_MSIX_FLAGS_ENABLE, control & PCI_MSIX_FLAGS_MASKALL);
	}
}

/* [reg, reg + bytes) never crosses four aligned bytes */
static uint32_t read_config(struct pci_bus *bus, unsigned int slot, unsigned int reg, unsigned int bytes)
{
	struct pci_device *device = slot < PCI_DEVICES_MAX ? bus->device[slot] : NULL;
	uint32_t value = 0;

	if (!device)
		return ~0U;
	if (device->access && device->access(device, reg, bytes, false, &value))
		return value;
	pthread_mutex_lock(&bus->lock);
	for (unsigned int i = 0; i < bytes && reg + i < PCI_CONFIG_BYTES; i++) {
		uint8_t byte = device->config[reg + i];

		if (reg + i == PCI_STATUS_REGISTER && __atomic_load_n(&device->intx, __ATOMIC_RELAXED))
			byte |= PCI_STATUS_INTERRUPT;
		value |= (uint32_t)byte << (8 * i);
	}
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static void write_config(struct pci_bus *bus, unsigned int slot, unsigned int reg, unsigned int bytes, uint32_t value)
{
	struct pci_device *device = slot < PCI_DEVICES_MAX ? bus->device[slot] : NULL;

	if (!device || (device->access && device->access(device, reg, bytes, true, &value)))
		return;
	pthread_mutex_lock(&bus->lock);
	for (unsigned int i = 0; i < bytes && reg + i < PCI_CONFIG_BYTES; i++) {
		uint8_t mask = device->writable[reg + i], *byte = &device->config[reg + i];

		*byte = (*byte & ~mask) | (value >> (8 * i) & mask);
	}
	config_written(device);
	pthread_mutex_unlock(&bus->lock);
}

/* ------------------------------------------------------------------ (ii) the ways to it */

static uint32_t read_port(void *arg, uint16_t port, unsigned int bytes)
{
	struct pci_bus *bus = arg;
	uint32_t address = __atomic_load_n(&bus->address, __ATOMIC_RELAXED);
	uint32_t ones = 0xffffffffU >> (32 - 8 * bytes);

	if (port < CONFIG_DATA)
		return port == CONFIG_ADDRESS && bytes == 4 ? address : ones;
	/* Bus 0, function 0; and no access runs over the end of the register */
	if (!(address & ADDRESS_ENABLE) || address & 0x00ff0700 || (port & 3) + bytes > 4)
		return ones;
	return read_config(bus, address >> 11 & 31, (address & 0xfc) + (port & 3), bytes) & ones;
}

static void write_port(void *arg, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct pci_bus *bus = arg;
	uint32_t address = __atomic_load_n(&bus->address, __ATOMIC_RELAXED);

	if (port < CONFIG_DATA) {
		if (port == CONFIG_ADDRESS && bytes == 4)
			__atomic_store_n(&bus->address, value & 0x80fffffc, __ATOMIC_RELAXED);
	} else if (address & ADDRESS_ENABLE && !(address & 0x00ff0700) && (port & 3) + bytes <= 4) {
		write_config(bus, address >> 11 & 31, (address & 0xfc) + (port & 3), bytes, value);
	}
}

/* An offset is slot << 15 | function << 12 | register */
static uint64_t read_ecam(void *arg, uint64_t offset, unsigned int bytes)
{
	uint64_t value;

	if (offset & 0x7000)
		return ~0ULL;
	value = read_config(arg, offset >> 15, offset & 0xfff, bytes > 4 ? 4 : bytes);
	if (bytes == 8)
		value |= (uint64_t)read_config(arg, offset >> 15, (offset & 0xfff) + 4, 4) << 32;
	return value;
}

static void write_ecam(void *arg, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (offset & 0x7000)
		return;
	write_config(arg, offset >> 15, offset & 0xfff, bytes > 4 ? 4 : bytes, value);
	if (bytes == 8)
		write_config(arg, offset >> 15, (offset & 0xfff) + 4, 4, value >> 32);
}

/* ------------------------------------------------------------------ (iii) interrupt lines */

static void update_line(struct pci_bus *bus, unsigned int line)
{
	bool level = false;

	for (unsigned int slot = line; slot < PCI_DEVICES_MAX; slot += PCI_LINES) {
		const struct pci_device *device = bus->device[slot];

		if (device && device->intx && !(device->config[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8))
			level = true;
	}
	if (level != bus->line[line]) {
		bus->line[line] = level;
		bus->set_line(bus->arg, PCI_LINE_FIRST + line, level);
	}
}

void pci_set_intx(struct pci_device *device, bool level)
{
	struct pci_bus *bus = device->bus;

	pthread_mutex_lock(&bus->line_lock);
	__atomic_store_n(&device->intx, level, __ATOMIC_RELAXED);
	update_line(bus, device->slot % PCI_LINES);
	pthread_mutex_unlock(&bus->line_lock);
}

/* ------------------------------------------------------------------ (iv) building */

void pci_device_init(struct pci_device *device, const char *name, uint16_t vendor, uint16_t id, uint32_t class,
		     uint16_t subsystem_vendor, uint16_t subsystem)
{
	memset(device, 0, sizeof(*device));
	device->name = name;
	put16(device->config + PCI_VENDOR_ID, vendor);
	put16(device->config + PCI_DEVICE_ID, id);
	device->config[PCI_REVISION_ID] = 1;
	device->config[PCI_CLASS_PROG] = class;
	put16(device->config + PCI_CLASS_DEVICE, class >> 8);
	put16(device->config + PCI_SUBSYSTEM_VENDOR_ID, subsystem_vendor);
	put16(device->config + PCI_SUBSYSTEM_ID, subsystem);
	put16(device->writable + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	device->free_at = 0x40;
	device->last_at = PCI_CAPABILITY_LIST;
}

unsigned int pci_add_capability(struct pci_device *device, uint8_t id, const void *body, unsigned int bytes)
{
	unsigned int at = device->free_at;

	if (bytes < 2 || at + bytes > PCI_CONFIG_BYTES)
		return 0;
	memcpy(device->config + at, body, bytes);
	device->config[at] = id;
	device->config[at + 1] = 0;
	device->config[device->last_at] = at;
	device->config[PCI_STATUS_REGISTER] |= PCI_STATUS_CAP_LIST;
	device->last_at = at + 1;
	device->free_at = (at + bytes + 3) & ~3U;
	return at;
}

int pci_add_msix(struct pci_device *device, const struct msix_host *host, unsigned int vectors, unsigned int bar,
		 uint32_t table, uint32_t pending)
{
	uint8_t body[PCI_CAP_MSIX_SIZEOF] = { 0 };

	if (!vectors || msix_init(&device->msix, vectors, host))
		return -1;
	put16(body + PCI_MSIX_FLAGS, vectors - 1);
	put32(body + PCI_MSIX_TABLE, table | bar);
	put32(body + PCI_MSIX_PBA, pending | bar);
	device->msix_at = pci_add_capability(device, PCI_CAP_ID_MSIX, body, sizeof(body));
	if (!device->msix_at)
		return -1;
	put16(device->writable + device->msix_at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	return 0;
}

static int place_bars(struct pci_bus *bus, struct pci_device *device)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint64_t bytes = device->bar[i].bytes;
		uint64_t base = (bus->next_bar + bytes - 1) & -bytes;

		if (!bytes)
			continue;
		if (base + bytes > PCI_WINDOW + (uint64_t)PCI_WINDOW_BYTES)
			return -1;
		bus->next_bar = base + bytes;
		device->bar[i].range.bytes = bytes;
		put32(device->config + PCI_BAR_REGISTER + 4 * i, base);
		put32(device->writable + PCI_BAR_REGISTER + 4 * i, -bytes);
	}
	return 0;
}

int pci_add(struct pci_bus *bus, struct pci_device *device)
{
	unsigned int slot = 0;

	while (slot < PCI_DEVICES_MAX && bus->device[slot])
		slot++;
	if (slot == PCI_DEVICES_MAX || place_bars(bus, device))
		return -1;
	device->bus = bus;
	device->slot = slot;
	if (device != &bus->bridge) {
		device->config[PCI_COMMAND] = PCI_COMMAND_MEMORY;
		device->config[PCI_INTERRUPT_PIN] = 1;
		device->config[PCI_INTERRUPT_LINE] = PCI_LINE_FIRST + slot % PCI_LINES;
	}
	bus->device[slot] = device;
	update_bars(device);
	return 0;
}

int pci_init(struct pci_bus *bus, struct port_space *ports, struct mmio_space *mmio,
	     void (*set_line)(void *arg, unsigned int line, bool level), void *arg)
{
	/* Byte accesses at 0xcf9 are the reset control register's (reset.c) */
	struct port_device address = {
		.name = "pci-address", .first = CONFIG_ADDRESS, .count = 1, .max_bytes = 4,
		.in = read_port, .out = write_port, .device = bus,
	};
	struct port_device data = {
		.name = "pci-data", .first = CONFIG_DATA, .count = 4, .max_bytes = 4,
		.in = read_port, .out = write_port, .device = bus,
	};
	struct mmio_range ecam = {
		.name = "pci-ecam", .gpa = PCI_ECAM, .bytes = PCI_ECAM_BYTES,
		.read = read_ecam, .write = write_ecam, .device = bus,
	};

	memset(bus, 0, sizeof(*bus));
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->line_lock, NULL);
	bus->mmio = mmio;
	bus->set_line = set_line;
	bus->arg = arg;
	bus->next_bar = PCI_WINDOW;
	pci_device_init(&bus->bridge, "host-bridge", BRIDGE_VENDOR, BRIDGE_DEVICE, BRIDGE_CLASS, 0, 0);
	if (ports_add(ports, &address) || ports_add(ports, &data) || mmio_add(mmio, &ecam))
		return -1;
	return pci_add(bus, &bus->bridge);
}
