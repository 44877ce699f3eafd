// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 (kmod/irq/i8254.c) by its data sheet: modes, latches, read-back, BCD, gates and port 0x61.
 */
#include "chip_test.h"

#include "../../kmod/irq/i8254.c"

static struct i8254 pit;
static u64 now;

static void out(u16 port, u8 value)
{
	i8254_write(&pit, port, value, now);
}

static u8 in(u16 port)
{
	return i8254_read(&pit, port, now);
}

static u16 in_word(u16 port)
{
	u16 low = in(port);

	return low | in(port) << 8;
}

static void program(unsigned int n, u8 mode, u16 count)
{
	out(0x43, n << 6 | 3 << 4 | mode << 1);
	out(0x40 + n, count);
	out(0x40 + n, count >> 8);
}

static bool output(unsigned int n)
{
	return i8254_output(&pit.counter[n], now);
}

static void start(void)
{
	i8254_init(&pit);
	now = 1000;
}

static void mode0(void)
{
	start();
	program(0, 0, 100);
	CHECK(!output(0) && i8254_next_rise(&pit.counter[0], now) == 1100);
	now += 99;
	CHECK(!output(0) && in_word(0x40) == 1);
	now += 1;
	CHECK(output(0) && i8254_next_rise(&pit.counter[0], now) == I8254_NEVER);
	now += 1;
	CHECK(in_word(0x40) == 0xffff);
}

static void mode2(void)
{
	start();
	program(0, 2, 100);
	for (unsigned int i = 0; i < 1000; i++, now++) {
		CHECK(output(0) == (i % 100 != 99));
		CHECK(in_word(0x40) == 100 - i % 100);
		CHECK(i8254_next_rise(&pit.counter[0], now) == 1000 + (i / 100 + 1) * 100);
	}
}

static void mode3(void)
{
	start();
	program(0, 3, 0);
	CHECK(i8254_next_rise(&pit.counter[0], now) == now + 65536);
	CHECK(output(0) && in_word(0x40) == 0);
	now += 32767;
	CHECK(output(0) && in_word(0x40) == 2);
	now += 1;
	CHECK(!output(0) && in_word(0x40) == 0);
	now += 32768;
	CHECK(output(0));
	program(0, 3, 5);
	now += 2;
	CHECK(output(0));
	now += 1;
	CHECK(!output(0));
}

static void mode4(void)
{
	start();
	program(0, 4, 10);
	CHECK(output(0) && i8254_next_rise(&pit.counter[0], now) == now + 11);
	now += 10;
	CHECK(!output(0));
	now += 1;
	CHECK(output(0) && i8254_next_rise(&pit.counter[0], now) == I8254_NEVER);
}

static void triggers(void)
{
	start();
	program(2, 1, 10);
	now += 50;
	CHECK(output(2) && i8254_next_rise(&pit.counter[2], now) == I8254_NEVER);
	out(0x61, 1);
	CHECK(!output(2) && !(in(0x61) & 0x20));
	now += 9;
	out(0x61, 0);
	CHECK(!output(2));
	now += 1;
	CHECK(output(2) && (in(0x61) & 0x20));
	out(0x61, 1);
	CHECK(!output(2));

	out(0x61, 0);
	program(2, 5, 10);
	CHECK(output(2));
	out(0x61, 1);
	now += 10;
	CHECK(!output(2));
	now++;
	CHECK(output(2));
}

/* The way Linux calibrates: counter 2 in mode 0, its output in port 0x61 */
static void gates(void)
{
	start();
	out(0x61, 0);
	program(2, 0, 100);
	now += 500;
	CHECK(!(in(0x61) & 0x20) && in_word(0x42) == 100);
	out(0x61, 1);
	now += 40;
	out(0x61, 0);
	now += 500;
	CHECK(in_word(0x42) == 60);
	out(0x61, 3);
	CHECK((in(0x61) & 3) == 3);
	now += 59;
	CHECK(!(in(0x61) & 0x20));
	now += 1;
	CHECK(in(0x61) & 0x20);
}

static void latches(void)
{
	start();
	program(0, 2, 1000);
	now += 10;
	out(0x43, 0x00);
	now += 10;
	out(0x43, 0x00);	/* the first counts */
	CHECK(in_word(0x40) == 990);
	CHECK(in_word(0x40) == 980);

	/* Read-back: status first, then the count */
	out(0x43, 0xc2);
	now += 5;
	CHECK(in(0x40) == (0x80 | 0x34));
	CHECK(in_word(0x40) == 980);
	CHECK(in_word(0x40) == 975);
	out(0x43, 0x34);
	out(0x43, 0xe2);
	CHECK(in(0x40) == (0x80 | 0x40 | 0x34));
	CHECK(in(0x43) == 0xff);
}

static void access(void)
{
	start();
	out(0x43, 0x14);	/* low byte, mode 2 */
	out(0x40, 200);
	CHECK(pit.counter[0].count == 200 && in(0x40) == 200 && in(0x40) == 200);
	out(0x43, 0x24);	/* high byte */
	out(0x40, 2);
	CHECK(pit.counter[0].count == 512 && in(0x40) == 2);
	out(0x43, 0x3e);	/* mode 7 is 3 */
	CHECK(pit.counter[0].mode == 3);
}

static void bcd(void)
{
	start();
	out(0x43, 0x35);
	out(0x40, 0x34);
	out(0x40, 0x12);
	CHECK(pit.counter[0].count == 1234 && in_word(0x40) == 0x1234);
	now += 235;
	CHECK(in_word(0x40) == 0x0999);
	out(0x43, 0x35);
	out(0x40, 0);
	out(0x40, 0);
	CHECK(pit.counter[0].count == 10000);
}

/* Whatever is written: no count of 0, and the output rises where it was told */
static void anything(void)
{
	start();
	srand(1);
	for (unsigned int i = 0; i < 2000000; i++) {
		static const u16 ports[] = { 0x40, 0x41, 0x42, 0x43, 0x61 };
		u16 port = ports[rand() % 5];

		now += rand() % 300;
		if (rand() & 1)
			out(port, rand());
		else
			in(port);
		for (unsigned int n = 0; n < 3; n++) {
			const struct i8254_counter *c = &pit.counter[n];
			u64 rise = i8254_next_rise(c, now);

			CHECK(c->count >= 1 && c->count <= 65536 && c->mode <= 5);
			CHECK(rise > now);
			CHECK(rise == I8254_NEVER || i8254_output(c, rise) || c->count == 1);
		}
	}
}

static const struct chip_case cases[] = {
	{ "mode 0: interrupt on terminal count", mode0 },
	{ "mode 2: rate generator", mode2 },
	{ "mode 3: square wave", mode3 },
	{ "mode 4: strobe", mode4 },
	{ "modes 1 and 5: triggered by the gate", triggers },
	{ "gate and port 0x61", gates },
	{ "latches and read-back", latches },
	{ "one byte or two", access },
	{ "BCD", bcd },
	{ "any sequence at all", anything },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
