/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What switches a guest's machine off, tells of its end, and keeps its time; and how these reach the VM.
 */
#ifndef TPZ_MACHINE_POWER_H
#define TPZ_MACHINE_POWER_H

#include "devices/acpi_pm.h"
#include "devices/cmos.h"
#include "devices/pvpanic.h"
#include "devices/watchdog.h"

/**
 * struct machine_power - the devices have locks of their own
 * @rtc_timer: a timerfd; once it is readable the main thread calls machine_power_rtc()
 * @watchdog_timer: the same for machine_power_watchdog()
 */
struct machine_power {
	struct acpi_pm pm;
	struct pvpanic pvpanic;
	struct watchdog watchdog;
	struct cmos cmos;
	int rtc_timer;
	int watchdog_timer;
};

struct machine;

/* Put the devices into the port space; ends tpz with a message on failure */
void machine_power_create(struct machine *machine);
void machine_power_destroy(struct machine *machine);

/* A timer has expired */
void machine_power_rtc(struct machine *machine);
void machine_power_watchdog(struct machine *machine);

#endif /* TPZ_MACHINE_POWER_H */
