/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The three ports by which a PC's software resets it.
 */
#ifndef TPZ_RESET_H
#define TPZ_RESET_H

#include "ports.h"

/**
 * struct reset - what the ports share
 * @reset: called with the port that asked for it
 * @control: what was written to port 0xcf9
 */
struct reset {
	void (*reset)(void *host, uint16_t port);
	void *host;
	uint8_t control;
};

/**
 * reset_add() - enter the ports
 * @return 0, or -1 as ports_add()
 */
int reset_add(struct reset *reset, struct port_space *ports);

#endif /* TPZ_RESET_H */
