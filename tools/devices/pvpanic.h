/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Port 0x505: the guest's word that it panicked.
 */
#ifndef TPZ_PVPANIC_H
#define TPZ_PVPANIC_H

#include "ports.h"

/**
 * struct pvpanic - where the word goes
 * @panicked: called for each
 */
struct pvpanic {
	void (*panicked)(void *host);
	void *host;
};

struct port_device pvpanic_device(struct pvpanic *pvpanic);

#endif /* TPZ_PVPANIC_H */
