/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CMOS real-time clock at ports 0x70 and 0x71.
 */
#ifndef TPZ_CMOS_H
#define TPZ_CMOS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ports.h"

/**
 * struct cmos - the clock and its bytes of memory
 * @now: where the time comes from, UTC; cmos_init() sets the host's real-time clock
 * @set_irq: the level of the interrupt output changed
 * @arm: call cmos_tick() at that time (nanoseconds since 1970 of @now; 0: not at all)
 * @host: passed to @set_irq and @arm
 *
 * @lock guards what follows it; the callbacks run with it held.
 *
 * @offset: seconds by which the guest has set the clock ahead of @now
 * @accounted: up to when events are in register C (nanoseconds of @now)
 * @alarm: the next second at which the alarm is due, by the guest's time; INT64_MAX: never
 * @armed: what @arm was last told
 */
struct cmos {
	void (*now)(struct timespec *time);
	void (*set_irq)(void *host, bool level);
	void (*arm)(void *host, uint64_t ns);
	void *host;

	pthread_mutex_t lock;
	uint8_t index;
	uint8_t memory[128];
	int64_t offset;
	uint64_t accounted;
	int64_t alarm;
	uint64_t armed;
	bool irq;
};

/**
 * cmos_init() - a clock that tells the time of @now; @set_irq, @arm and @host are the caller's to set before use
 */
void cmos_init(struct cmos *cmos);
struct port_device cmos_device(struct cmos *cmos);

/**
 * cmos_tick() - an event may be due; any thread
 */
void cmos_tick(struct cmos *cmos);

#endif /* TPZ_CMOS_H */
