// SPDX-License-Identifier: GPL-2.0
/*
 * Power button and power off, panic, watchdog and real-time clock: from the devices to the VM, the timers and the ends
 * of the run.
 */
#include <err.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/acpi_layout.h"
#include "machine.h"

#define RTC_LINE	8

/* ------------------------------------------------------------------ what the devices call */

static void set_sci(void *host, bool level)
{
	machine_set_line(host, ACPI_SCI, level);
}

static void set_rtc_irq(void *host, bool level)
{
	machine_set_line(host, RTC_LINE, level);
}

static void power_off(void *host)
{
	machine_end(host, STATUS_OK, false, "the guest switched its machine off");
}

static void panicked(void *host)
{
	machine_end(host, STATUS_PANIC, false, "the guest panicked");
}

static void watchdog_expired(void *host)
{
	machine_end(host, STATUS_HANG, true, "the guest hangs: it let its watchdog's time pass");
}

/* Absolute, so that a step of the host's clock moves it, too; 0 stops it */
static void arm(int timer, uint64_t ns)
{
	const struct itimerspec time = { .it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 } };

	timerfd_settime(timer, TFD_TIMER_ABSTIME, &time, NULL);
}

static void arm_rtc(void *host, uint64_t ns)
{
	const struct machine *machine = host;

	arm(machine->power.rtc_timer, ns);
}

static void arm_watchdog(void *host, uint64_t ns)
{
	const struct machine *machine = host;

	arm(machine->power.watchdog_timer, ns);
}

/* ------------------------------------------------------------------ timers, in the main thread */

/* A timer that was armed anew meanwhile has nothing to read, and its device finds nothing due */
static void take(int timer)
{
	uint64_t count;

	if (read(timer, &count, sizeof(count)) < 0)
		return;
}

void machine_power_rtc(struct machine *machine)
{
	take(machine->power.rtc_timer);
	cmos_tick(&machine->power.cmos);
}

void machine_power_watchdog(struct machine *machine)
{
	take(machine->power.watchdog_timer);
	watchdog_tick(&machine->power.watchdog);
}

/* ------------------------------------------------------------------ building */

void machine_power_create(struct machine *machine)
{
	struct machine_power *power = &machine->power;
	const struct port_device devices[] = {
		acpi_pm_device(&power->pm),
		pvpanic_device(&power->pvpanic),
		watchdog_device(&power->watchdog),
		cmos_device(&power->cmos),
	};

	acpi_pm_init(&power->pm);
	power->pm.set_sci = set_sci;
	power->pm.power_off = power_off;
	power->pm.host = machine;
	power->pvpanic = (struct pvpanic){ .panicked = panicked, .host = machine };
	watchdog_init(&power->watchdog);
	power->watchdog.arm = arm_watchdog;
	power->watchdog.expired = watchdog_expired;
	power->watchdog.host = machine;
	cmos_init(&power->cmos);
	power->cmos.set_irq = set_rtc_irq;
	power->cmos.arm = arm_rtc;
	power->cmos.host = machine;

	power->rtc_timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	power->watchdog_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (power->rtc_timer < 0 || power->watchdog_timer < 0)
		err(STATUS_CANNOT, "timers");
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (ports_add(&machine->ports, &devices[i]))
			errx(STATUS_CANNOT, "no room for the device %s", devices[i].name);
	}
}

void machine_power_destroy(struct machine *machine)
{
	close(machine->power.rtc_timer);
	close(machine->power.watchdog_timer);
}
