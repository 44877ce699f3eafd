/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI's fixed hardware: the power button, switching off, and the power management timer.
 */
#ifndef TPZ_ACPI_PM_H
#define TPZ_ACPI_PM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ports.h"

/**
 * struct acpi_pm - the registers
 * @set_sci: the level of the system control interrupt changed
 * @power_off: the guest switched the machine off
 * @host: passed to both
 * @now: monotonic time; acpi_pm_init() sets the host's
 *
 * @lock guards what follows it; the callbacks run with it held.
 */
struct acpi_pm {
	void (*set_sci)(void *host, bool level);
	void (*power_off)(void *host);
	void *host;
	void (*now)(struct timespec *time);

	pthread_mutex_t lock;
	uint16_t status, enable, control;
	bool sci;
};

/**
 * acpi_pm_init() - registers after reset; the callbacks and @host are the caller's to set before use
 */
void acpi_pm_init(struct acpi_pm *pm);
struct port_device acpi_pm_device(struct acpi_pm *pm);

/**
 * acpi_pm_press() - press the power button, and let it go; any thread
 * @return whether the guest listens to it: has enabled its interrupt
 */
bool acpi_pm_press(struct acpi_pm *pm);

#endif /* TPZ_ACPI_PM_H */
