// SPDX-License-Identifier: GPL-2.0
/*
 * The CMOS real-time clock, as far as a guest reads the time from it: the date registers tell the host's
 * time in UTC (BCD or binary, 12 or 24 hours, as the guest sets register B), "update in progress" is told
 * truly, and writes to the date change nothing. There is no alarm and no interrupt.
 */
#include <string.h>

#include "cmos.h"

enum {
	CMOS_SECONDS = 0x00,
	CMOS_MINUTES = 0x02,
	CMOS_HOURS = 0x04,
	CMOS_WEEKDAY = 0x06,
	CMOS_DAY = 0x07,
	CMOS_MONTH = 0x08,
	CMOS_YEAR = 0x09,
	CMOS_A = 0x0a,
	CMOS_B = 0x0b,
	CMOS_C = 0x0c,
	CMOS_D = 0x0d,
	CMOS_CENTURY = 0x32,
};

#define A_UPDATING	0x80
#define A_DIVIDER	0x26		/* 32.768 kHz, the usual rate */
#define B_24_HOURS	0x02
#define B_BINARY	0x04
#define B_WRITABLE	(B_24_HOURS | B_BINARY)
#define D_VALID		0x80		/* the battery is good */
#define HOUR_PM		0x80

#define UPDATE_NS	244000		/* the flag rises this long before the second changes */

static uint8_t as_digits(const struct cmos *cmos, int value)
{
	if (cmos->memory[CMOS_B] & B_BINARY)
		return value;
	return value / 10 << 4 | value % 10;
}

static uint8_t hours(const struct cmos *cmos, int hour)
{
	if (cmos->memory[CMOS_B] & B_24_HOURS)
		return as_digits(cmos, hour);
	return as_digits(cmos, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static uint32_t cmos_in(void *device, uint16_t port, unsigned int bytes)
{
	struct cmos *cmos = device;
	struct timespec now;
	struct tm date;

	(void)bytes;
	if (port == 0x70)
		return 0xff;			/* the index is write-only */
	cmos->now(&now);
	gmtime_r(&now.tv_sec, &date);
	switch (cmos->index) {
	case CMOS_SECONDS:
		return as_digits(cmos, date.tm_sec);
	case CMOS_MINUTES:
		return as_digits(cmos, date.tm_min);
	case CMOS_HOURS:
		return hours(cmos, date.tm_hour);
	case CMOS_WEEKDAY:
		return as_digits(cmos, date.tm_wday + 1);
	case CMOS_DAY:
		return as_digits(cmos, date.tm_mday);
	case CMOS_MONTH:
		return as_digits(cmos, date.tm_mon + 1);
	case CMOS_YEAR:
		return as_digits(cmos, date.tm_year % 100);
	case CMOS_CENTURY:
		return as_digits(cmos, 19 + date.tm_year / 100);
	case CMOS_A:
		return A_DIVIDER | (now.tv_nsec >= 1000000000 - UPDATE_NS ? A_UPDATING : 0);
	case CMOS_C:
		return 0;			/* no interrupt is pending */
	case CMOS_D:
		return D_VALID;
	default:
		return cmos->memory[cmos->index];
	}
}

static void cmos_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct cmos *cmos = device;

	(void)bytes;
	if (port == 0x70)
		cmos->index = value & 0x7f;	/* bit 7 masks NMIs, which no device here raises */
	else if (cmos->index == CMOS_B)
		cmos->memory[CMOS_B] = value & B_WRITABLE;
	else
		cmos->memory[cmos->index] = value;
}

static void host_time(struct timespec *time)
{
	clock_gettime(CLOCK_REALTIME, time);
}

void cmos_init(struct cmos *cmos)
{
	/* The C library's first conversion may read time zone files: now, while files can be opened */
	tzset();
	memset(cmos, 0, sizeof(*cmos));
	cmos->now = host_time;
	cmos->memory[CMOS_B] = B_24_HOURS;
	cmos->memory[0x15] = 640 & 0xff;	/* KiB below 1 MiB */
	cmos->memory[0x16] = 640 >> 8;
}

struct port_device cmos_device(struct cmos *cmos)
{
	return (struct port_device){
		.name = "cmos", .first = 0x70, .count = 2, .max_bytes = 1,
		.in = cmos_in, .out = cmos_out, .device = cmos,
	};
}
