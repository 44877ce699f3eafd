// SPDX-License-Identifier: GPL-2.0
/*
 * Port 0x505, as stock guests know it from QEMU's device of that name: a read tells the events that are taken, a write
 * tells one. Only a panic is taken: a guest that goes on into a crash kernel is not at its end, and tells nothing.
 */
#include "acpi_layout.h"
#include "pvpanic.h"

#define PANICKED	(1U << 0)

static uint32_t pvpanic_in(void *device, uint16_t port, unsigned int bytes)
{
	(void)device;
	(void)port;
	(void)bytes;
	return PANICKED;
}

static void pvpanic_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct pvpanic *pvpanic = device;

	(void)port;
	(void)bytes;
	if (value & PANICKED)
		pvpanic->panicked(pvpanic->host);
}

struct port_device pvpanic_device(struct pvpanic *pvpanic)
{
	return (struct port_device){
		.name = "pvpanic", .first = PVPANIC_PORT, .count = 1, .max_bytes = 1,
		.in = pvpanic_in, .out = pvpanic_out, .device = pvpanic,
	};
}
