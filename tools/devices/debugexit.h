/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Port 0xf4: the guest's way to end its run with a value.
 */
#ifndef TPZ_DEBUGEXIT_H
#define TPZ_DEBUGEXIT_H

#include "ports.h"

/**
 * struct debug_exit - where a write goes
 * @end: called with the value written
 */
struct debug_exit {
	void (*end)(void *host, uint32_t value);
	void *host;
};

struct port_device debug_exit_device(struct debug_exit *debug_exit);

#endif /* TPZ_DEBUGEXIT_H */
