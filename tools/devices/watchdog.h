/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A watchdog that the guest starts and must then keep quiet: how a hang is told from a guest that is only busy.
 */
#ifndef TPZ_WATCHDOG_H
#define TPZ_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ports.h"

/**
 * struct watchdog
 * @arm: call watchdog_tick() at this monotonic time (nanoseconds; 0: not at all)
 * @expired: the guest let its time pass; the watchdog has stopped
 * @host: passed to both
 * @now: monotonic time; watchdog_init() sets the host's
 *
 * @lock guards what follows it; the callbacks run with it held.
 */
struct watchdog {
	void (*arm)(void *host, uint64_t ns);
	void (*expired)(void *host);
	void *host;
	void (*now)(struct timespec *time);

	pthread_mutex_t lock;
	bool running;
	uint32_t limit;			/* in periods */
	uint64_t deadline;		/* while it runs */
};

/**
 * watchdog_init() - a watchdog that is stopped; the callbacks and @host are the caller's to set before use
 */
void watchdog_init(struct watchdog *watchdog);
struct port_device watchdog_device(struct watchdog *watchdog);

/**
 * watchdog_tick() - look whether the time has passed; any thread
 */
void watchdog_tick(struct watchdog *watchdog);

#endif /* TPZ_WATCHDOG_H */
