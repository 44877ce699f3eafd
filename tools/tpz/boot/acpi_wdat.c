// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI table of the watchdog (devices/watchdog.c), by Microsoft's "Hardware Watchdog Timers Design Specification" of
 * 2006: what a guest wants of it, and the access to a register that does it. So a stock kernel's one driver (wdat_wdt)
 * serves it.
 */
#include <string.h>

#include "../../devices/acpi_layout.h"
#include "acpi.h"

#define WDAT_NO_PCI		0xff
#define WDAT_ENABLED		(1U << 0)
#define WDAT_HEADER_BYTES	32	/* what follows the header that all tables have */

enum wdat_action {
	WDAT_RESET = 1,
	WDAT_GET_LEFT = 4,
	WDAT_GET_LIMIT = 5,
	WDAT_SET_LIMIT = 6,
	WDAT_IS_RUNNING = 8,
	WDAT_RUN = 9,
	WDAT_IS_STOPPED = 10,
	WDAT_STOP = 11,
};

enum wdat_instruction { WDAT_COMPARE = 0, WDAT_READ = 1, WDAT_WRITE = 2, WDAT_WRITE_ARGUMENT = 3 };

struct wdat_entry {
	uint8_t action;
	uint8_t instruction;
	uint16_t reserved;
	struct acpi_register place;
	uint32_t value;
	uint32_t mask;
} __attribute__((packed));

#define ENTRY(action, instruction, at, value, mask)						\
	{ action, instruction, 0, { ACPI_SPACE_IO, 32, 0, ACPI_ACCESS_4, WATCHDOG_PORT + (at) }, value, mask }

static const struct wdat_entry entries[] = {
	ENTRY(WDAT_RESET, WDAT_WRITE, WATCHDOG_LEFT, 1, 1),
	ENTRY(WDAT_GET_LEFT, WDAT_READ, WATCHDOG_LEFT, 0, WATCHDOG_LIMIT_MAX),
	ENTRY(WDAT_GET_LIMIT, WDAT_READ, WATCHDOG_LIMIT, 0, WATCHDOG_LIMIT_MAX),
	ENTRY(WDAT_SET_LIMIT, WDAT_WRITE_ARGUMENT, WATCHDOG_LIMIT, 0, WATCHDOG_LIMIT_MAX),
	ENTRY(WDAT_IS_RUNNING, WDAT_COMPARE, WATCHDOG_CONTROL, 1, 1),
	ENTRY(WDAT_RUN, WDAT_WRITE, WATCHDOG_CONTROL, 1, 1),
	ENTRY(WDAT_IS_STOPPED, WDAT_COMPARE, WATCHDOG_CONTROL, 0, 1),
	ENTRY(WDAT_STOP, WDAT_WRITE, WATCHDOG_CONTROL, 0, 1),
};

struct acpi_wdat {
	struct acpi_header header;
	uint32_t header_bytes;
	uint16_t pci_segment;
	uint8_t pci_bus, pci_device, pci_function;
	uint8_t reserved0[3];
	uint32_t period_ms;
	uint32_t limit_max, limit_min;
	uint8_t flags;
	uint8_t reserved1[3];
	uint32_t entries;
	struct wdat_entry entry[sizeof(entries) / sizeof(entries[0])];
} __attribute__((packed));

_Static_assert(offsetof(struct acpi_wdat, entry) == 36 + WDAT_HEADER_BYTES, "the watchdog specification's header");

void acpi_put_wdat(struct acpi_build *build)
{
	struct acpi_wdat wdat = {
		.header_bytes = WDAT_HEADER_BYTES,
		.pci_segment = WDAT_NO_PCI,
		.pci_bus = WDAT_NO_PCI,
		.pci_device = WDAT_NO_PCI,
		.pci_function = WDAT_NO_PCI,
		.period_ms = WATCHDOG_PERIOD_MS,
		.limit_max = WATCHDOG_LIMIT_MAX,
		.limit_min = 1,
		.flags = WDAT_ENABLED,
		.entries = sizeof(entries) / sizeof(entries[0]),
	};

	memcpy(wdat.entry, entries, sizeof(entries));
	acpi_list(build, acpi_put(build, &wdat, "WDAT", 1, sizeof(wdat)));
}
