// SPDX-License-Identifier: GPL-2.0
/*
 * Port 0x402: the firmware's log.
 */
#include "bios_log.h"

#define PORT		0x402
#define PRESENT		0xe9

static uint32_t bios_log_in(void *device, uint16_t port, unsigned int bytes)
{
	(void)device;
	(void)port;
	(void)bytes;
	return PRESENT;
}

static void bios_log_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct bios_log *log = device;

	(void)port;
	(void)bytes;
	log->byte(log->host, value);
}

struct port_device bios_log_device(struct bios_log *log)
{
	return (struct port_device){
		.name = "bios-log", .first = PORT, .count = 1, .max_bytes = 1,
		.in = bios_log_in, .out = bios_log_out, .device = log,
	};
}
