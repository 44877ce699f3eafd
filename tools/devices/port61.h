/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Port 0x61, a PC's system control port.
 */
#ifndef TPZ_PORT61_H
#define TPZ_PORT61_H

#include "ports.h"

struct port61 {
	uint8_t control;	/* what the guest wrote */
	uint8_t toggling;	/* the bits that change by themselves */
};

struct port_device port61_device(struct port61 *port61);

#endif /* TPZ_PORT61_H */
