// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus as a guest's kernel probes it: both ways to configuration space, BARs sized and moved, MSI-X, INTx.
 */
#include <asm/types.h>
#include <linux/pci_regs.h>

#include "../lib/ktap.c"

#include "../../tools/devices/mmio.c"
#include "../../tools/devices/msix.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pci.c"

#define MSIX_TABLE	0x1000
#define MSIX_PENDING	0x1800

static struct port_space ports;
static struct mmio_space mmio;
static struct pci_bus bus;
static struct pci_device card, other;

static struct {
	uint64_t address;
	uint32_t data;
	unsigned int sent, routes;
	int route_fd;
	bool can_route;
	bool line[24];
	unsigned int line_changes;
	uint64_t moved_to;
	unsigned int moves;
	uint64_t written;
} host;

static int send_msi(void *arg, uint64_t address, uint32_t data)
{
	host.address = address;
	host.data = data;
	host.sent++;
	return 1;
}

static int route(void *arg, int fd, uint64_t address, uint32_t data)
{
	if (!host.can_route)
		return -1;
	host.address = address;
	host.data = data;
	host.route_fd = fd;
	host.routes++;
	return 0;
}

static void set_line(void *arg, unsigned int line, bool level)
{
	CHECK_NE(host.line[line], level);
	host.line[line] = level;
	host.line_changes++;
}

static void moved(struct pci_device *device, unsigned int bar, uint64_t gpa, bool mapped)
{
	host.moved_to = mapped ? gpa : 0;
	host.moves++;
}

static uint64_t card_read(void *device, uint64_t offset, unsigned int bytes)
{
	if (offset >= MSIX_PENDING)
		return msix_read_pending(&card.msix, offset - MSIX_PENDING, bytes);
	if (offset >= MSIX_TABLE)
		return msix_read_table(&card.msix, offset - MSIX_TABLE, bytes);
	return 0x1122334455667788 + offset;
}

static void card_write(void *device, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (offset >= MSIX_TABLE && offset < MSIX_PENDING)
		msix_write_table(&card.msix, offset - MSIX_TABLE, bytes, value);
	else
		host.written = value;
}

static void free_all(void *arg)
{
	ports_free(&ports);
	msix_free(&card.msix);
}

static void new_bus(void)
{
	struct msix_host msix_host = { .send = send_msi, .route = route };

	memset(&host, 0, sizeof(host));
	CHECK_EQ(ports_init(&ports), 0);
	mmio_init(&mmio);
	CHECK_EQ(pci_init(&bus, &ports, &mmio, set_line, NULL), 0);
	pci_device_init(&card, "card", 0x1af4, 0x1042, 0x010000, 0x1af4, 0x1100);
	card.bar[1] = (struct pci_bar){ .bytes = 0x4000, .range = { .name = "card", .read = card_read, .write = card_write, .device = &card } };
	card.moved = moved;
	CHECK_EQ(pci_add_msix(&card, &msix_host, 4, 1, MSIX_TABLE, MSIX_PENDING), 0);
	ktap_defer(free_all, NULL);
	CHECK_EQ(pci_add(&bus, &card), 0);
	pci_device_init(&other, "other", 0x1af4, 0x1044, 0x00ff00, 0x1af4, 0x1100);
	CHECK_EQ(pci_add(&bus, &other), 0);
}

static uint32_t in(unsigned int slot, unsigned int reg, unsigned int bytes)
{
	uint32_t address = 0x80000000 | slot << 11 | (reg & ~3U), value = 0;

	ports_access(&ports, 0xcf8, 4, 1, false, &address);
	ports_access(&ports, 0xcfc + (reg & 3), bytes, 1, true, &value);
	return value;
}

static void out(unsigned int slot, unsigned int reg, unsigned int bytes, uint32_t value)
{
	uint32_t address = 0x80000000 | slot << 11 | (reg & ~3U);

	ports_access(&ports, 0xcf8, 4, 1, false, &address);
	ports_access(&ports, 0xcfc + (reg & 3), bytes, 1, false, &value);
}

static uint64_t load(uint64_t gpa, unsigned int bytes)
{
	uint64_t value = 0;

	mmio_access(&mmio, gpa, bytes, false, &value);
	return value;
}

static void store(uint64_t gpa, unsigned int bytes, uint64_t value)
{
	mmio_access(&mmio, gpa, bytes, true, &value);
}

static void probing(void)
{
	uint32_t ones = 0xffffffff;

	new_bus();
	CHECK_EQ(in(0, PCI_CLASS_REVISION, 4), 0x06000001U);
	CHECK_EQ(in(1, PCI_VENDOR_ID, 4), 0x10421af4U);
	CHECK_EQ(in(1, PCI_DEVICE_ID, 2), 0x1042U);
	CHECK_EQ(in(1, PCI_CLASS_DEVICE + 1, 1), 0x01U);
	CHECK_EQ(in(5, PCI_VENDOR_ID, 4), 0xffffffffU);
	CHECK_EQ(in(1, PCI_HEADER_TYPE, 1), 0U);
	/* Other functions, and other buses, are empty */
	CHECK_EQ(load(PCI_ECAM + 0x9000, 4), 0xffffffffU);
	CHECK_EQ(load(PCI_ECAM + 0x8000, 8), 0x0010000210421af4ULL);
	CHECK_EQ(load(PCI_ECAM + 0x8000 + PCI_SUBSYSTEM_ID, 2), 0x1100U);
	CHECK_EQ(load(PCI_ECAM + 0x8100, 4), 0U);	/* no extended capabilities */
	/* What is not writable stays */
	out(1, PCI_VENDOR_ID, 4, 0);
	CHECK_EQ(in(1, PCI_VENDOR_ID, 4), 0x10421af4U);
	/* With the enable bit off there is nothing */
	ones = 0x00000800;
	ports_access(&ports, 0xcf8, 4, 1, false, &ones);
	ports_access(&ports, 0xcfc, 4, 1, true, &ones);
	CHECK_EQ(ones, 0xffffffffU);
	/* An access over the register's end reads nothing, and none runs past configuration space */
	ports_access(&ports, 0xcff, 4, 1, true, &ones);
	CHECK_EQ(load(PCI_ECAM + PCI_ECAM_BYTES - 4, 4), 0xffffffffU);
	CHECK_EQ(load(PCI_ECAM + 0x8ffc, 4), 0U);
}

static void bars(void)
{
	new_bus();
	CHECK_EQ(in(1, PCI_BASE_ADDRESS_0, 4), 0U);
	CHECK_EQ(in(1, PCI_BASE_ADDRESS_1, 4), PCI_WINDOW);
	CHECK_EQ(host.moved_to, PCI_WINDOW);
	CHECK_EQ(load(PCI_WINDOW + 0x10, 8), 0x1122334455667798ULL);
	CHECK_EQ(load(PCI_WINDOW + 0x10, 2), 0x7798ULL);
	store(PCI_WINDOW, 4, 77);
	CHECK_EQ(host.written, 77);
	/* Sized as Linux does it: decoding off, ones, the old value, on */
	out(1, PCI_COMMAND, 2, 0);
	CHECK_EQ(load(PCI_WINDOW, 4), 0xffffffffULL);
	out(1, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	CHECK_EQ(in(1, PCI_BASE_ADDRESS_1, 4), 0xffffc000U);
	out(1, PCI_BASE_ADDRESS_1, 4, 0xd8000000);
	CHECK_EQ(host.moved_to, 0);
	out(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(host.moved_to, 0xd8000000U);
	CHECK_EQ(load(0xd8000000, 8), 0x1122334455667788ULL);
	/* Over the configuration window: that one answers; and sized while decoding: nothing is lost */
	out(1, PCI_BASE_ADDRESS_1, 4, PCI_ECAM);
	CHECK_EQ(in(1, PCI_VENDOR_ID, 4), 0x10421af4U);
	CHECK_EQ(load(PCI_ECAM, 2), 0x1b36U);
	out(1, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	out(1, PCI_BASE_ADDRESS_1, 4, PCI_WINDOW);
	CHECK_EQ(load(PCI_WINDOW, 8), 0x1122334455667788ULL);
	CHECK_EQ(mmio.ranges, 2);
}

static void messages(void)
{
	unsigned int at = 0x40;
	uint64_t table = PCI_WINDOW + MSIX_TABLE, pending = PCI_WINDOW + MSIX_PENDING;

	new_bus();
	CHECK_EQ(in(1, PCI_CAPABILITY_LIST, 1), at);
	CHECK_EQ(in(1, at, 4), 0x00030011U);
	CHECK_EQ(in(1, at + 4, 4), MSIX_TABLE | 1U);
	CHECK(!msix_notify(&card.msix, 2));		/* off: INTx it is */
	out(1, at + 2, 2, 0xffff);
	CHECK_EQ(in(1, at + 2, 2), 0xc003U);		/* enabled, all masked */
	CHECK_EQ(load(table + 44, 4), 1U);		/* vectors start masked */
	store(table + 32, 8, 0xfee01000);
	store(table + 40, 4, 0x4041);
	store(table + 44, 4, 0);
	CHECK_EQ(load(table + 32, 8), 0xfee01000U);
	CHECK_EQ(load(table + 40, 8), 0x4041U);
	CHECK(msix_notify(&card.msix, 2));
	CHECK_EQ(host.sent, 0);
	CHECK_EQ(load(pending, 8), 1U << 2);
	out(1, at + 2, 2, PCI_MSIX_FLAGS_ENABLE);	/* unmasked: what is pending is sent */
	CHECK_EQ(host.sent, 1);
	CHECK_EQ(host.address, 0xfee01000U);
	CHECK_EQ(host.data, 0x4041U);
	CHECK_EQ(load(pending, 4), 0U);
	CHECK(msix_notify(&card.msix, 3));		/* masked by itself */
	CHECK(msix_notify(&card.msix, 4));		/* no vector */
	CHECK_EQ(host.sent, 1);
	/* Odd widths and places do nothing */
	store(table + 44, 1, 1);
	store(table + 34, 2, 0xffff);
	CHECK_EQ(load(table + 32, 8), 0xfee01000U);
	CHECK_EQ(load(table + 0x40, 4), 0U);
	CHECK(msix_notify(&card.msix, 2));
	CHECK_EQ(host.sent, 2);
}

static void routed_messages(void)
{
	uint64_t table = PCI_WINDOW + MSIX_TABLE;
	eventfd_t count;

	new_bus();
	host.can_route = true;
	out(1, 0x42, 2, PCI_MSIX_FLAGS_ENABLE);
	store(table, 8, 0xfee00000);
	store(table + 8, 8, 0x31);
	CHECK(msix_notify(&card.msix, 0));
	CHECK(msix_notify(&card.msix, 0));
	CHECK_EQ(host.routes, 1);
	CHECK_EQ(host.sent, 0);
	CHECK_EQ(eventfd_read(host.route_fd, &count), 0);
	CHECK_EQ(count, 2);
	store(table + 8, 4, 0x32);			/* a new message: a new route, before it is used */
	CHECK(msix_notify(&card.msix, 0));
	CHECK_EQ(host.routes, 2);
	CHECK_EQ(host.data, 0x32U);
}

static void lines(void)
{
	unsigned int line = PCI_LINE_FIRST + 1;

	new_bus();
	CHECK_EQ(in(1, PCI_INTERRUPT_LINE, 2), 0x100U | line);
	out(1, PCI_INTERRUPT_LINE, 1, 0);		/* as a BIOS that does not know it */
	CHECK_EQ(in(1, PCI_INTERRUPT_LINE, 2), 0x100U | line);
	pci_set_intx(&card, true);
	CHECK(host.line[line]);
	CHECK_EQ(in(1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
	out(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	CHECK(!host.line[line]);
	out(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK(host.line[line]);
	pci_set_intx(&other, true);			/* the next slot has the next line */
	CHECK(host.line[PCI_LINE_FIRST]);
	pci_set_intx(&card, false);
	CHECK(!host.line[line]);
	CHECK_EQ(in(1, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
}

static void wide_accesses(void)
{
	uint8_t bytes[64];

	new_bus();
	memset(bytes, 0, sizeof(bytes));
	mmio_access(&mmio, PCI_WINDOW - 3, 64, false, bytes);	/* three bytes of nothing, then the card */
	CHECK_EQ(bytes[0] & bytes[1] & bytes[2], 0xff);
	CHECK_EQ(bytes[3], 0x88);
	CHECK_EQ(mmio.unanswered, 2);
	mmio_access(&mmio, PCI_WINDOW + 0x4000 - 8, 16, true, bytes);
	CHECK_EQ(mmio.unanswered, 3);
	mmio_access(&mmio, ~0ULL, 1, false, bytes);
	CHECK_EQ(bytes[0], 0xff);
}

static const struct ktap_case cases[] = {
	{ "both ways to configuration space", probing },
	{ "BARs sized and moved", bars },
	{ "MSI-X masks and pending bits", messages },
	{ "MSI-X by eventfd", routed_messages },
	{ "INTx", lines },
	{ "accesses of all widths", wide_accesses },
};
KTAP_MAIN(cases)
