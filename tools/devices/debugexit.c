// SPDX-License-Identifier: GPL-2.0
/*
 * Port 0xf4: a write of any width ends the run with the value written.
 */
#include "debugexit.h"

static void debug_exit_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct debug_exit *debug_exit = device;

	(void)port;
	(void)bytes;
	debug_exit->end(debug_exit->host, value);
}

struct port_device debug_exit_device(struct debug_exit *debug_exit)
{
	return (struct port_device){
		.name = "debug-exit", .first = 0xf4, .count = 4, .max_bytes = 4,
		.out = debug_exit_out, .device = debug_exit,
	};
}
