/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CMOS real-time clock at ports 0x70 and 0x71: tells the host's time in UTC.
 */
#ifndef TPZ_CMOS_H
#define TPZ_CMOS_H

#include <stdint.h>
#include <time.h>

#include "ports.h"

/**
 * struct cmos - the clock and its bytes of memory
 * @now: where the time comes from; cmos_init() sets the host's real-time clock
 */
struct cmos {
	void (*now)(struct timespec *time);
	uint8_t index;
	uint8_t memory[128];
};

void cmos_init(struct cmos *cmos);
struct port_device cmos_device(struct cmos *cmos);

#endif /* TPZ_CMOS_H */
