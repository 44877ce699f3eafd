// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI's fixed hardware as the ACPI specification 6.5, section 4.8.3, has it: PM1 event and control registers and the
 * power management timer. The machine is always in ACPI mode. The timer has its 32 bits and never sets its status bit:
 * no system that reads it as a clock asks for that.
 */
#include <string.h>

#include "acpi_layout.h"
#include "acpi_pm.h"

#define PM_POWER_BUTTON		(1U << 8)	/* of status and enable */
#define PM_EVENTS		(1U << 0 | 1U << 5 | PM_POWER_BUTTON | 1U << 9 | 1U << 10)	/* that can be enabled */

#define CONTROL_ACPI_MODE	(1U << 0)
#define CONTROL_WRITABLE	(1U << 1 | 7U << 10)	/* a bus master wakes the CPU; sleep type */
#define CONTROL_SLEEP_TYPE(c)	((c) >> 10 & 7)
#define CONTROL_SLEEP		(1U << 13)		/* writes only */

#define TIMER_HZ		3579545ULL

enum { STATUS = 0, ENABLE = 2, CONTROL = ACPI_PM_CONTROL - ACPI_PM_EVENT, TIMER = ACPI_PM_TIMER - ACPI_PM_EVENT };

static void update_sci(struct acpi_pm *pm)
{
	bool level = pm->status & pm->enable;

	if (level == pm->sci)
		return;
	pm->sci = level;
	pm->set_sci(pm->host, level);
}

static uint32_t timer(const struct acpi_pm *pm)
{
	struct timespec now;

	pm->now(&now);
	return now.tv_sec * TIMER_HZ + now.tv_nsec * TIMER_HZ / 1000000000;
}

static uint32_t pm_in(void *device, uint16_t port, unsigned int bytes)
{
	struct acpi_pm *pm = device;
	unsigned int at = port - ACPI_PM_EVENT;
	uint8_t registers[ACPI_PM_PORTS + 4];	/* an access may run over the end */
	uint32_t ticks = timer(pm), value = 0;
	uint16_t control;

	memset(registers, 0xff, sizeof(registers));
	pthread_mutex_lock(&pm->lock);
	control = pm->control | CONTROL_ACPI_MODE;
	memcpy(registers + STATUS, &pm->status, 2);
	memcpy(registers + ENABLE, &pm->enable, 2);
	memcpy(registers + CONTROL, &control, 2);
	memcpy(registers + TIMER, &ticks, 4);
	pthread_mutex_unlock(&pm->lock);
	memcpy(&value, registers + at, bytes);
	return value;
}

static void write_control(struct acpi_pm *pm, uint16_t value, uint16_t mask)
{
	pm->control = (pm->control & ~mask) | (value & mask & CONTROL_WRITABLE);
	if (value & mask & CONTROL_SLEEP && CONTROL_SLEEP_TYPE(pm->control) == ACPI_S5_TYPE)
		pm->power_off(pm->host);
}

static void pm_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct acpi_pm *pm = device;

	pthread_mutex_lock(&pm->lock);
	for (unsigned int i = 0; i < bytes; i++, value >>= 8) {
		unsigned int at = port - ACPI_PM_EVENT + i, shift = at % 2 * 8;
		uint16_t byte = (value & 0xff) << shift, mask = 0xff << shift;

		switch (at - at % 2) {
		case STATUS:
			pm->status &= ~byte;
			break;
		case ENABLE:
			pm->enable = (pm->enable & ~mask) | (byte & PM_EVENTS);
			break;
		case CONTROL:
			write_control(pm, byte, mask);
			break;
		}
	}
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

bool acpi_pm_press(struct acpi_pm *pm)
{
	bool listens;

	pthread_mutex_lock(&pm->lock);
	pm->status |= PM_POWER_BUTTON;
	update_sci(pm);
	listens = pm->enable & PM_POWER_BUTTON;
	pthread_mutex_unlock(&pm->lock);
	return listens;
}

static void host_time(struct timespec *time)
{
	clock_gettime(CLOCK_MONOTONIC, time);
}

void acpi_pm_init(struct acpi_pm *pm)
{
	memset(pm, 0, sizeof(*pm));
	pthread_mutex_init(&pm->lock, NULL);
	pm->now = host_time;
}

struct port_device acpi_pm_device(struct acpi_pm *pm)
{
	return (struct port_device){
		.name = "acpi-pm", .first = ACPI_PM_EVENT, .count = ACPI_PM_PORTS, .max_bytes = 4,
		.in = pm_in, .out = pm_out, .device = pm,
	};
}
