// SPDX-License-Identifier: GPL-2.0
/*
 * The watchdog's three registers. Control: bit 0 runs it. Limit: how many periods it grants. Left: those that are left;
 * any write grants the limit anew, and so does every start.
 */
#include <string.h>

#include "acpi_layout.h"
#include "watchdog.h"

#define CONTROL_RUN	1U
#define PERIOD_NS	(WATCHDOG_PERIOD_MS * 1000000ULL)
#define LIMIT_DEFAULT	(60000 / WATCHDOG_PERIOD_MS)

static uint64_t now_ns(const struct watchdog *watchdog)
{
	struct timespec now;

	watchdog->now(&now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void grant(struct watchdog *watchdog)
{
	watchdog->deadline = watchdog->running ? now_ns(watchdog) + watchdog->limit * PERIOD_NS : 0;
	watchdog->arm(watchdog->host, watchdog->deadline);
}

static uint32_t left(const struct watchdog *watchdog)
{
	uint64_t now = now_ns(watchdog);

	if (!watchdog->running)
		return watchdog->limit;
	return now < watchdog->deadline ? (watchdog->deadline - now) / PERIOD_NS : 0;
}

static uint32_t watchdog_in(void *device, uint16_t port, unsigned int bytes)
{
	struct watchdog *watchdog = device;
	uint32_t value = ~0U;

	if (bytes != 4)
		return value;
	pthread_mutex_lock(&watchdog->lock);
	switch (port - WATCHDOG_PORT) {
	case WATCHDOG_CONTROL:
		value = watchdog->running;
		break;
	case WATCHDOG_LIMIT:
		value = watchdog->limit;
		break;
	case WATCHDOG_LEFT:
		value = left(watchdog);
		break;
	}
	pthread_mutex_unlock(&watchdog->lock);
	return value;
}

static void watchdog_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct watchdog *watchdog = device;

	if (bytes != 4)
		return;
	pthread_mutex_lock(&watchdog->lock);
	switch (port - WATCHDOG_PORT) {
	case WATCHDOG_CONTROL:
		watchdog->running = value & CONTROL_RUN;
		grant(watchdog);
		break;
	case WATCHDOG_LIMIT:
		watchdog->limit = value & WATCHDOG_LIMIT_MAX ?: 1;
		break;
	case WATCHDOG_LEFT:
		grant(watchdog);
		break;
	}
	pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_tick(struct watchdog *watchdog)
{
	pthread_mutex_lock(&watchdog->lock);
	if (watchdog->running && now_ns(watchdog) >= watchdog->deadline) {
		watchdog->running = false;
		grant(watchdog);
		watchdog->expired(watchdog->host);
	}
	pthread_mutex_unlock(&watchdog->lock);
}

static void host_time(struct timespec *time)
{
	clock_gettime(CLOCK_MONOTONIC, time);
}

void watchdog_init(struct watchdog *watchdog)
{
	memset(watchdog, 0, sizeof(*watchdog));
	pthread_mutex_init(&watchdog->lock, NULL);
	watchdog->limit = LIMIT_DEFAULT;
	watchdog->now = host_time;
}

struct port_device watchdog_device(struct watchdog *watchdog)
{
	return (struct port_device){
		.name = "watchdog", .first = WATCHDOG_PORT, .count = WATCHDOG_PORTS, .max_bytes = 4,
		.in = watchdog_in, .out = watchdog_out, .device = watchdog,
	};
}
