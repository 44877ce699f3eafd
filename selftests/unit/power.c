// SPDX-License-Identifier: GPL-2.0
/*
 * tpz's power management and clocks, register by register: ACPI's fixed hardware, the word of a panic, the watchdog and
 * the real-time clock.
 */
#include <asm/types.h>

#include "../lib/ktap.c"

#include "../../tools/devices/acpi_pm.c"
#define host_time watchdog_host_time
#define now_ns watchdog_now_ns
#include "../../tools/devices/watchdog.c"
#undef host_time
#undef now_ns
#define host_time cmos_host_time
#include "../../tools/devices/cmos.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pvpanic.c"

#define NOON	1709208000ULL		/* Thu 29 Feb 2024 12:00:00 UTC */

static struct port_space ports;
static struct timespec clock_now;

static struct {
	bool line;
	unsigned int changes;
	unsigned int offs, panics, expirations;
	uint64_t armed;
	unsigned int arms;
} host;

static void set_line(void *arg, bool level)
{
	CHECK_NE(level, host.line);	/* told only when it changes */
	host.line = level;
	host.changes++;
}

static void count_off(void *arg)
{
	host.offs++;
}

static void count_panic(void *arg)
{
	host.panics++;
}

static void count_expiration(void *arg)
{
	host.expirations++;
}

static void note_arm(void *arg, uint64_t ns)
{
	host.armed = ns;
	host.arms++;
}

static void tell_clock(struct timespec *time)
{
	*time = clock_now;
}

static void set_clock(uint64_t second, uint32_t ns)
{
	clock_now = (struct timespec){ .tv_sec = second, .tv_nsec = ns };
}

static uint32_t in(uint16_t port, unsigned int bytes)
{
	uint32_t value = 0;

	ports_access(&ports, port, bytes, 1, true, &value);
	return value;
}

static void out(uint16_t port, unsigned int bytes, uint32_t value)
{
	ports_access(&ports, port, bytes, 1, false, &value);
}

static void free_ports(void *arg)
{
	ports_free(arg);
}

static void plug(struct port_device device)
{
	memset(&host, 0, sizeof(host));
	set_clock(NOON, 0);
	CHECK_EQ(ports_init(&ports), 0);
	ktap_defer(free_ports, &ports);
	CHECK_EQ(ports_add(&ports, &device), 0);
}

/* ------------------------------------------------------------------ ACPI's fixed hardware */

static struct acpi_pm pm;

static void new_pm(void)
{
	acpi_pm_init(&pm);
	pm.now = tell_clock;
	pm.set_sci = set_line;
	pm.power_off = count_off;
	plug(acpi_pm_device(&pm));
}

static void power_button(void)
{
	new_pm();
	CHECK_EQ(acpi_pm_press(&pm), false);		/* nobody listens */
	CHECK_EQ(host.line, false);
	CHECK_EQ(in(0x600, 2), 0x100U);
	out(0x602, 2, 0xffff);
	CHECK_EQ(in(0x602, 2), 0x721U);			/* the events that ACPI knows */
	CHECK_EQ(host.line, true);
	out(0x600, 2, 0xfeff);
	CHECK_EQ(in(0x600, 2), 0x100U);
	out(0x600, 2, 0x100);				/* a one clears */
	CHECK_EQ(in(0x600, 2), 0U);
	CHECK_EQ(host.line, false);

	out(0x602, 2, 0x100);
	CHECK_EQ(acpi_pm_press(&pm), true);
	CHECK_EQ(acpi_pm_press(&pm), true);
	CHECK_EQ(host.line, true);
	CHECK_EQ(in(0x600, 4), 0x1000100U);
	out(0x601, 1, 0x01);				/* by bytes, too */
	CHECK_EQ(host.line, false);
	acpi_pm_press(&pm);
	out(0x603, 1, 0);
	CHECK_EQ(host.line, false);
	CHECK_EQ(host.changes, 6U);
}

static void switching_off(void)
{
	new_pm();
	CHECK_EQ(in(0x604, 2), 1U);			/* in ACPI mode, and stays there */
	out(0x604, 2, 0);
	CHECK_EQ(in(0x604, 2), 1U);
	for (unsigned int type = 0; type < 8; type++) {
		out(0x604, 2, type << 10);
		CHECK_EQ(in(0x604, 2), type << 10 | 1);
		if (type == 5)
			continue;
		out(0x604, 2, type << 10 | 1 << 13);
		CHECK_EQ(host.offs, 0U);
		CHECK_EQ(in(0x604, 2), type << 10 | 1);
	}
	out(0x604, 2, 5 << 10 | 1 << 13);
	CHECK_EQ(host.offs, 1U);
	out(0x605, 1, 0x34);
	CHECK_EQ(host.offs, 2U);
	out(0x604, 1, 0x34);
	out(0x606, 2, 0x3400);
	CHECK_EQ(host.offs, 2U);
}

static void pm_timer(void)
{
	new_pm();
	set_clock(0, 0);
	CHECK_EQ(in(0x608, 4), 0U);
	set_clock(1, 0);
	CHECK_EQ(in(0x608, 4), 3579545U);
	set_clock(1, 500000000);
	CHECK_EQ(in(0x608, 4), 5369317U);
	set_clock(1200, 0);				/* 4295454000: past 32 bits */
	CHECK_EQ(in(0x608, 4), 486704U);
	out(0x608, 4, 0);
	CHECK_EQ(in(0x608, 4), 486704U);
	CHECK_EQ(in(0x60a, 4), 0xffff0007U);		/* two bytes of it, two of nothing */
}

/* ------------------------------------------------------------------ panic */

static void panic_port(void)
{
	struct pvpanic pvpanic = { .panicked = count_panic };

	plug(pvpanic_device(&pvpanic));
	CHECK_EQ(in(0x505, 1), 1U);
	out(0x505, 1, 2);				/* a crash kernel takes over */
	out(0x505, 1, 0);
	CHECK_EQ(host.panics, 0U);
	out(0x505, 1, 1);
	CHECK_EQ(host.panics, 1U);
}

/* ------------------------------------------------------------------ watchdog */

static void watchdog(void)
{
	static struct watchdog dog;

	watchdog_init(&dog);
	dog.now = tell_clock;
	dog.arm = note_arm;
	dog.expired = count_expiration;
	plug(watchdog_device(&dog));
	CHECK_EQ(in(0x620, 4), 0U);
	CHECK_EQ(in(0x624, 4), 600U);
	CHECK_EQ(in(0x628, 4), 600U);
	CHECK_EQ(in(0x620, 1), 0xffU);
	CHECK_EQ(in(0x622, 4), 0xffffffffU);
	out(0x624, 4, 0xffff000a);
	CHECK_EQ(in(0x624, 4), 10U);
	watchdog_tick(&dog);
	CHECK_EQ(host.expirations, 0U);

	out(0x620, 4, 1);
	CHECK_EQ(in(0x620, 4), 1U);
	CHECK_EQ(host.armed, (NOON + 1) * SECOND);
	set_clock(NOON, 999999999);
	CHECK_EQ(in(0x628, 4), 0U);
	watchdog_tick(&dog);
	out(0x628, 4, 1);
	CHECK_EQ(host.armed, (NOON + 1) * SECOND + 999999999);
	CHECK_EQ(in(0x628, 4), 10U);
	out(0x620, 1, 0);				/* no way to reach it */
	set_clock(NOON + 1, 999999998);
	watchdog_tick(&dog);
	CHECK_EQ(host.expirations, 0U);
	set_clock(NOON + 1, 999999999);
	watchdog_tick(&dog);
	watchdog_tick(&dog);
	CHECK_EQ(host.expirations, 1U);
	CHECK_EQ(in(0x620, 4), 0U);

	out(0x620, 4, 1);
	out(0x620, 4, 0);
	CHECK_EQ(host.armed, 0U);
	set_clock(NOON + 100, 0);
	watchdog_tick(&dog);
	CHECK_EQ(host.expirations, 1U);
	out(0x624, 4, 0);				/* no limit of 0 */
	CHECK_EQ(in(0x624, 4), 1U);
}

/* ------------------------------------------------------------------ real-time clock */

static struct cmos cmos;

static uint8_t get(uint8_t index)
{
	out(0x70, 1, index);
	return in(0x71, 1);
}

static void put(uint8_t index, uint8_t value)
{
	out(0x70, 1, index);
	out(0x71, 1, value);
}

static void new_cmos(void)
{
	set_clock(NOON, 0);
	cmos_init(&cmos);
	cmos.now = tell_clock;
	cmos.set_irq = set_line;
	cmos.arm = note_arm;
	cmos.accounted = NOON * SECOND;
	plug(cmos_device(&cmos));
	put(1, 0);					/* the alarm by the clock above: midnight */
}

static void clock_tells_the_time(void)
{
	new_cmos();
	set_clock(1709251199, 0);			/* Thu 29 Feb 2024 23:59:59 UTC */
	CHECK_EQ(get(0x00), 0x59);
	CHECK_EQ(get(0x02), 0x59);
	CHECK_EQ(get(0x04), 0x23);
	CHECK_EQ(get(0x06), 5);
	CHECK_EQ(get(0x07), 0x29);
	CHECK_EQ(get(0x08), 0x02);
	CHECK_EQ(get(0x09), 0x24);
	CHECK_EQ(get(0x32), 0x20);
	CHECK_EQ(get(0x8a), 0x26);		/* bit 7 of the index is the NMI mask */
	CHECK_EQ(get(0x0d), 0x80);
	set_clock(1709251199, 999900000);
	CHECK_EQ(get(0x0a), 0xa6);		/* about to change */

	put(0x0b, 0x04);			/* binary, 12 hours */
	CHECK_EQ(get(0x0b), 0x04);
	CHECK_EQ(get(0x00), 59);
	CHECK_EQ(get(0x04), 0x80 | 11);
	set_clock(1709251200, 0);		/* midnight */
	CHECK_EQ(get(0x04), 12);
	CHECK_EQ(get(0x07), 1);
	put(0x40, 0x77);
	CHECK_EQ(get(0x40), 0x77);
	put(0x0d, 0);
	CHECK_EQ(get(0x0d), 0x80);
	CHECK_EQ(in(0x70, 1), 0xffU);
}

/* As Linux sets it: stopped meanwhile */
static void clock_is_set(void)
{
	new_cmos();
	put(0x0b, 0x82);
	set_clock(NOON + 7, 0);
	CHECK_EQ(get(0x00), 0x00);			/* it stands still */
	put(0x00, 0x58);
	put(0x02, 0x59);
	put(0x04, 0x23);
	put(0x07, 0x31);
	put(0x08, 0x12);
	put(0x09, 0x99);
	put(0x32, 0x19);
	put(0x0b, 0x02);
	CHECK_EQ(get(0x00), 0x58);
	set_clock(NOON + 8, 0);
	CHECK_EQ(get(0x00), 0x59);
	CHECK_EQ(get(0x09), 0x99);
	set_clock(NOON + 9, 0);
	CHECK_EQ(get(0x00), 0x00);
	CHECK_EQ(get(0x04), 0x00);
	CHECK_EQ(get(0x07), 0x01);
	CHECK_EQ(get(0x08), 0x01);
	CHECK_EQ(get(0x09), 0x00);
	CHECK_EQ(get(0x32), 0x20);
	CHECK_EQ(get(0x06), 7);				/* Saturday */
	put(0x02, 0x30);				/* one register of a running clock */
	CHECK_EQ(get(0x02), 0x30);
	CHECK_EQ(get(0x04), 0x00);
	put(0x08, 0xff);				/* no such month: any date, but a date */
	CHECK_LE(get(0x08), 0x12);
}

static void clock_events_are_polled(void)
{
	new_cmos();
	get(0x0c);
	CHECK_EQ(get(0x0c), 0);
	set_clock(NOON, 1000000);			/* 1 ms: 1024 Hz has come round */
	CHECK_EQ(get(0x0c), 0x40);
	CHECK_EQ(get(0x0c), 0);
	set_clock(NOON + 1, 0);
	CHECK_EQ(get(0x0c), 0x50);
	put(0x0a, 0x20);				/* no rate */
	set_clock(NOON + 2, 0);
	CHECK_EQ(get(0x0c), 0x10);
	put(0x0b, 0x82);
	set_clock(NOON + 3, 0);
	CHECK_EQ(get(0x0c), 0);				/* a clock that stands still */
	CHECK_EQ(host.armed, 0U);
	CHECK_EQ(host.changes, 0U);
}

static void clock_alarm(void)
{
	new_cmos();
	put(0x0a, 0x20);
	put(0x05, 0x12);
	put(0x03, 0x00);
	put(0x01, 0x02);
	get(0x0c);
	host.arms = 0;
	put(0x0b, 0x22);
	CHECK_EQ(host.armed, (NOON + 2) * SECOND);
	set_clock(NOON + 1, 999999999);
	cmos_tick(&cmos);
	CHECK_EQ(host.line, false);
	CHECK_EQ(host.armed, (NOON + 2) * SECOND);
	set_clock(NOON + 2, 0);
	cmos_tick(&cmos);
	CHECK_EQ(host.line, true);
	CHECK_EQ(host.arms, 2U);			/* nothing to wait for while it is pending */
	CHECK_EQ(get(0x0c), 0xb0);
	CHECK_EQ(host.line, false);
	CHECK_EQ(host.armed, (NOON + 2 + 86400) * SECOND);
	put(0x05, 0xff);				/* any hour, any minute, second 2 */
	put(0x03, 0xc0);
	CHECK_EQ(host.armed, (NOON + 62) * SECOND);
	put(0x01, 0x99);				/* never */
	CHECK_EQ(host.armed, 0U);
	put(0x01, 0x02);
	put(0x0b, 0xa2);				/* the clock is being set */
	CHECK_EQ(host.armed, 0U);
	put(0x00, 0x00);
	put(0x0b, 0x22);
	CHECK_EQ(host.armed, (NOON + 4) * SECOND);	/* two seconds behind now */
	put(0x0b, 0x02);
	CHECK_EQ(host.armed, 0U);
}

static void clock_periodic_and_update(void)
{
	new_cmos();
	put(0x0b, 0x42);				/* 1024 Hz */
	CHECK_EQ(host.armed, NOON * SECOND + 976563);	/* 1/1024 s, rounded up */
	set_clock(NOON, 976563);
	cmos_tick(&cmos);
	CHECK_EQ(host.line, true);
	CHECK_EQ(get(0x0c), 0xc0);
	CHECK_EQ(host.line, false);
	CHECK_EQ(host.armed, NOON * SECOND + 1953125);
	put(0x0a, 0x2f);				/* 2 Hz */
	CHECK_EQ(host.armed, NOON * SECOND + 500000000);
	put(0x0a, 0x21);				/* 256 Hz, as rate 8 */
	CHECK_EQ(host.armed, NOON * SECOND + 3906250);
	put(0x0b, 0x12);
	CHECK_EQ(host.armed, (NOON + 1) * SECOND);
	set_clock(NOON + 1, 5);
	cmos_tick(&cmos);
	CHECK_EQ(host.line, true);
	CHECK_EQ(get(0x0b), 0x12);
	CHECK_EQ(get(0x0c) & 0x90, 0x90);
	CHECK_EQ(host.armed, (NOON + 2) * SECOND);
	set_clock(NOON - 100, 0);			/* the host's clock is set back */
	cmos_tick(&cmos);
	get(0x0c);
	CHECK_EQ(host.armed, (NOON - 99) * SECOND);
}

static const struct ktap_case cases[] = {
	{ "power button and its interrupt", power_button },
	{ "switching off", switching_off },
	{ "power management timer", pm_timer },
	{ "word of a panic", panic_port },
	{ "watchdog", watchdog },
	{ "clock: date and formats", clock_tells_the_time },
	{ "clock: set by the guest", clock_is_set },
	{ "clock: events, polled", clock_events_are_polled },
	{ "clock: alarm", clock_alarm },
	{ "clock: periodic and update interrupts", clock_periodic_and_update },
};
KTAP_MAIN(cases)
