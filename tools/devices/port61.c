// SPDX-License-Identifier: GPL-2.0
/*
 * Port 0x61. All-ones here would tell a guest's NMI handler of a memory parity error, and a stuck
 * refresh bit would hang those that wait by it: so the error bits read 0, the refresh and timer bits
 * change at each read, and the speaker bits hold what was written.
 */
#include "port61.h"

#define WRITABLE	0x0f
#define REFRESH		0x10
#define TIMER2		0x20

static uint32_t port61_in(void *device, uint16_t port, unsigned int bytes)
{
	struct port61 *port61 = device;

	(void)port;
	(void)bytes;
	port61->toggling ^= REFRESH | TIMER2;
	return port61->control | port61->toggling;
}

static void port61_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct port61 *port61 = device;

	(void)port;
	(void)bytes;
	port61->control = value & WRITABLE;
}

struct port_device port61_device(struct port61 *port61)
{
	return (struct port_device){
		.name = "port61", .first = 0x61, .count = 1, .max_bytes = 1,
		.in = port61_in, .out = port61_out, .device = port61,
	};
}
