// SPDX-License-Identifier: GPL-2.0
/*
 * The CMOS real-time clock, an MC146818A by its data sheet (Motorola ADI856): (i) the date as the guest reads and sets
 * it (BCD or binary, 12 or 24 hours, as register B says), (ii) its three events and their interrupt, (iii) registers.
 *
 * The clock is the host's, in UTC, and an offset: what the guest sets lasts as long as the guest. A guest's second
 * begins with the host's. No timer runs but for an event whose interrupt is enabled and not yet pending; the other
 * events are found when register C is read.
 */
#include <string.h>

#include "cmos.h"

enum {
	CMOS_SECONDS = 0x00,
	CMOS_ALARM_SECONDS = 0x01,
	CMOS_MINUTES = 0x02,
	CMOS_ALARM_MINUTES = 0x03,
	CMOS_HOURS = 0x04,
	CMOS_ALARM_HOURS = 0x05,
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
#define A_RATE		0x0f
#define A_DIVIDER	0x26		/* 32.768 kHz, the usual rate */
#define B_24_HOURS	0x02
#define B_BINARY	0x04
#define B_SET		0x80		/* the date stands still for the guest to set it */
#define EVENT_UPDATED	0x10		/* of C, and enabled by the same bit of B */
#define EVENT_ALARM	0x20
#define EVENT_PERIODIC	0x40
#define EVENTS		(EVENT_UPDATED | EVENT_ALARM | EVENT_PERIODIC)
#define C_INTERRUPT	0x80
#define D_VALID		0x80		/* the battery is good */
#define HOUR_PM		0x80
#define ALARM_ANY	0xc0		/* from here up an alarm register matches every value */

#define SECOND		1000000000ULL
#define UPDATE_NS	244000		/* the flag rises this long before the second changes */
#define CRYSTAL_HZ	32768
#define DAY		86400

/* ------------------------------------------------------------------ (i) the date */

static uint8_t as_digits(const struct cmos *cmos, unsigned int value)
{
	if (cmos->memory[CMOS_B] & B_BINARY)
		return value;
	return value / 10 << 4 | value % 10;
}

static int from_digits(const struct cmos *cmos, uint8_t digits)
{
	if (cmos->memory[CMOS_B] & B_BINARY)
		return digits;
	return (digits >> 4) * 10 + (digits & 0xf);
}

static uint8_t as_hours(const struct cmos *cmos, int hour)
{
	if (cmos->memory[CMOS_B] & B_24_HOURS)
		return as_digits(cmos, hour);
	return as_digits(cmos, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static int from_hours(const struct cmos *cmos, uint8_t hours)
{
	if (cmos->memory[CMOS_B] & B_24_HOURS)
		return from_digits(cmos, hours);
	return from_digits(cmos, hours & ~HOUR_PM) % 12 + (hours & HOUR_PM ? 12 : 0);
}

static bool is_date(uint8_t index)
{
	return index == CMOS_SECONDS || index == CMOS_MINUTES || index == CMOS_HOURS ||
	       (index >= CMOS_WEEKDAY && index <= CMOS_YEAR) || index == CMOS_CENTURY;
}

/* The date registers of this second, into their places in the memory */
static void latch_date(struct cmos *cmos, int64_t second)
{
	time_t time = second;
	struct tm date;

	gmtime_r(&time, &date);
	cmos->memory[CMOS_SECONDS] = as_digits(cmos, date.tm_sec);
	cmos->memory[CMOS_MINUTES] = as_digits(cmos, date.tm_min);
	cmos->memory[CMOS_HOURS] = as_hours(cmos, date.tm_hour);
	cmos->memory[CMOS_WEEKDAY] = as_digits(cmos, date.tm_wday + 1);
	cmos->memory[CMOS_DAY] = as_digits(cmos, date.tm_mday);
	cmos->memory[CMOS_MONTH] = as_digits(cmos, date.tm_mon + 1);
	cmos->memory[CMOS_YEAR] = as_digits(cmos, date.tm_year % 100);
	cmos->memory[CMOS_CENTURY] = as_digits(cmos, 19 + date.tm_year / 100);
}

/* The other way; a date that does not exist becomes one that does */
static int64_t read_date(const struct cmos *cmos)
{
	struct tm date = {
		.tm_sec = from_digits(cmos, cmos->memory[CMOS_SECONDS]),
		.tm_min = from_digits(cmos, cmos->memory[CMOS_MINUTES]),
		.tm_hour = from_hours(cmos, cmos->memory[CMOS_HOURS]),
		.tm_mday = from_digits(cmos, cmos->memory[CMOS_DAY]),
		.tm_mon = from_digits(cmos, cmos->memory[CMOS_MONTH]) - 1,
		.tm_year = from_digits(cmos, cmos->memory[CMOS_CENTURY]) * 100 - 1900 +
			   from_digits(cmos, cmos->memory[CMOS_YEAR]),
	};

	return timegm(&date);
}

/* ------------------------------------------------------------------ (ii) events */

static uint64_t now_ns(const struct cmos *cmos)
{
	struct timespec now;

	cmos->now(&now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static int64_t guest_second(const struct cmos *cmos, uint64_t ns)
{
	return (int64_t)(ns / SECOND) + cmos->offset;
}

static bool stands_still(const struct cmos *cmos)
{
	return cmos->memory[CMOS_B] & B_SET;
}

static bool matches(const struct cmos *cmos, uint8_t index, int value, int (*decode)(const struct cmos *, uint8_t))
{
	uint8_t wanted = cmos->memory[index];

	return wanted >= ALARM_ANY || decode(cmos, wanted) == value;
}

/* The first second after @after at which the alarm is due */
static int64_t next_alarm(const struct cmos *cmos, int64_t after)
{
	for (int64_t at = after + 1; at <= after + DAY; at++) {
		int second = (at % DAY + DAY) % DAY;

		if (matches(cmos, CMOS_ALARM_SECONDS, second % 60, from_digits) &&
		    matches(cmos, CMOS_ALARM_MINUTES, second / 60 % 60, from_digits) &&
		    matches(cmos, CMOS_ALARM_HOURS, second / 3600, from_hours))
			return at;
	}
	return INT64_MAX;
}

/* The periodic event comes whenever these low bits of the crystal's count become 0; 0: it never comes */
static uint64_t period(const struct cmos *cmos)
{
	unsigned int rate = cmos->memory[CMOS_A] & A_RATE;

	if (!rate)
		return 0;
	return 1ULL << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t crystal(uint64_t ns)
{
	return ns / SECOND * CRYSTAL_HZ + ns % SECOND * CRYSTAL_HZ / SECOND;
}

/* When the first event comes whose interrupt is enabled; 0: none does */
static uint64_t next_event(const struct cmos *cmos, uint64_t now)
{
	uint8_t enabled = cmos->memory[CMOS_B] & EVENTS;
	uint64_t next = UINT64_MAX;

	if (enabled & EVENT_PERIODIC && period(cmos)) {
		uint64_t count = (crystal(now) / period(cmos) + 1) * period(cmos);

		next = count / CRYSTAL_HZ * SECOND + (count % CRYSTAL_HZ * SECOND + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
	}
	if (!stands_still(cmos) && enabled & EVENT_UPDATED && (now / SECOND + 1) * SECOND < next)
		next = (now / SECOND + 1) * SECOND;
	if (!stands_still(cmos) && enabled & EVENT_ALARM && cmos->alarm != INT64_MAX &&
	    (uint64_t)(cmos->alarm - cmos->offset) * SECOND < next)
		next = (cmos->alarm - cmos->offset) * SECOND;
	return next == UINT64_MAX ? 0 : next;
}

/* The interrupt output by what is pending and enabled; and the timer, if it has something to wait for */
static void update_irq(struct cmos *cmos, uint64_t now)
{
	bool level = cmos->memory[CMOS_B] & cmos->memory[CMOS_C] & EVENTS;
	uint64_t arm = level ? 0 : next_event(cmos, now);

	if (level != cmos->irq) {
		cmos->irq = level;
		cmos->set_irq(cmos->host, level);
	}
	if (arm != cmos->armed) {
		cmos->armed = arm;
		cmos->arm(cmos->host, arm);
	}
}

static void schedule_alarm(struct cmos *cmos, uint64_t now)
{
	cmos->alarm = next_alarm(cmos, guest_second(cmos, now));
}

/* What came since the last time goes to register C */
static void account(struct cmos *cmos, uint64_t now)
{
	uint8_t *events = &cmos->memory[CMOS_C];
	bool due = guest_second(cmos, now) >= cmos->alarm;

	if (period(cmos) && crystal(now) / period(cmos) != crystal(cmos->accounted) / period(cmos))
		*events |= EVENT_PERIODIC;
	if (!stands_still(cmos) && now / SECOND != cmos->accounted / SECOND) {
		*events |= EVENT_UPDATED;
		if (due)
			*events |= EVENT_ALARM;
		if (due || now < cmos->accounted)	/* the host's clock may be set back */
			schedule_alarm(cmos, now);
	}
	cmos->accounted = now;
}

void cmos_tick(struct cmos *cmos)
{
	uint64_t now;

	pthread_mutex_lock(&cmos->lock);
	now = now_ns(cmos);
	account(cmos, now);
	cmos->armed = 0;	/* that time is over */
	update_irq(cmos, now);
	pthread_mutex_unlock(&cmos->lock);
}

/* ------------------------------------------------------------------ (iii) registers */

static uint8_t read_register(struct cmos *cmos, uint64_t now)
{
	uint8_t value;

	if (is_date(cmos->index) && !stands_still(cmos))
		latch_date(cmos, guest_second(cmos, now));
	switch (cmos->index) {
	case CMOS_A:
		value = cmos->memory[CMOS_A];
		if (!stands_still(cmos) && now % SECOND >= SECOND - UPDATE_NS)
			value |= A_UPDATING;
		return value;
	case CMOS_C:
		value = cmos->memory[CMOS_C] | (cmos->irq ? C_INTERRUPT : 0);
		cmos->memory[CMOS_C] = 0;
		return value;
	case CMOS_D:
		return D_VALID;
	default:
		return cmos->memory[cmos->index];
	}
}

static void write_register(struct cmos *cmos, uint64_t now, uint8_t value)
{
	bool stood_still = stands_still(cmos), sets_date = is_date(cmos->index);

	if (cmos->index == CMOS_C || cmos->index == CMOS_D)
		return;
	if (cmos->index == CMOS_A)
		value &= ~A_UPDATING;
	/* The date as it stands now, in the format until now */
	if (!stood_still && (sets_date || (cmos->index == CMOS_B && value & B_SET)))
		latch_date(cmos, guest_second(cmos, now));
	cmos->memory[cmos->index] = value;
	if ((stood_still && !stands_still(cmos)) || (!stood_still && sets_date))
		cmos->offset = read_date(cmos) - (int64_t)(now / SECOND);
	if (cmos->index <= CMOS_B || sets_date)
		schedule_alarm(cmos, now);
}

static uint32_t cmos_in(void *device, uint16_t port, unsigned int bytes)
{
	struct cmos *cmos = device;
	uint8_t value;
	uint64_t now;

	(void)bytes;
	if (port == 0x70)
		return 0xff;			/* the index is write-only */
	pthread_mutex_lock(&cmos->lock);
	now = now_ns(cmos);
	account(cmos, now);
	update_irq(cmos, now);
	value = read_register(cmos, now);
	update_irq(cmos, now);
	pthread_mutex_unlock(&cmos->lock);
	return value;
}

static void cmos_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct cmos *cmos = device;
	uint64_t now;

	(void)bytes;
	pthread_mutex_lock(&cmos->lock);
	if (port == 0x70) {
		cmos->index = value & 0x7f;	/* bit 7 masks NMIs, which no device here raises */
	} else {
		now = now_ns(cmos);
		account(cmos, now);
		write_register(cmos, now, value);
		update_irq(cmos, now);
	}
	pthread_mutex_unlock(&cmos->lock);
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
	pthread_mutex_init(&cmos->lock, NULL);
	cmos->now = host_time;
	cmos->accounted = now_ns(cmos);
	cmos->memory[CMOS_A] = A_DIVIDER;
	cmos->memory[CMOS_B] = B_24_HOURS;
	cmos->memory[0x15] = 640 & 0xff;	/* KiB below 1 MiB */
	cmos->memory[0x16] = 640 >> 8;
	schedule_alarm(cmos, cmos->accounted);
}

struct port_device cmos_device(struct cmos *cmos)
{
	return (struct port_device){
		.name = "cmos", .first = 0x70, .count = 2, .max_bytes = 1,
		.in = cmos_in, .out = cmos_out, .device = cmos,
	};
}
