// SPDX-License-Identifier: GPL-2.0
/*
 * tpz's devices, register by register: the port space, the 16550, the ports that end a run; and the
 * console's escape keys.
 */
#include <asm/types.h>

#include "../lib/ktap.c"

#include "../../tools/devices/debugexit.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/reset.c"
#include "../../tools/devices/serial.c"
#include "../../tools/tpz/console.c"

#define BASE	0x3f8

static struct port_space ports;
static struct serial serial;

static struct {
	uint8_t sent[64];
	unsigned int sent_count;
	bool irq;
	unsigned int irq_changes;
	unsigned int rooms;
	uint32_t ended_with;
	unsigned int ends;
	uint16_t reset_by;
	unsigned int resets;
} host;

static void transmit(void *arg, uint8_t byte)
{
	(void)arg;
	host.sent[host.sent_count++ % sizeof(host.sent)] = byte;
}

static void set_irq(void *arg, bool level)
{
	(void)arg;
	CHECK_NE(level, host.irq);	/* told only when it changes */
	host.irq = level;
	host.irq_changes++;
}

static void room(void *arg)
{
	(void)arg;
	host.rooms++;
}

static void end_run(void *arg, uint32_t value)
{
	(void)arg;
	host.ended_with = value;
	host.ends++;
}

static void reset_run(void *arg, uint16_t port)
{
	(void)arg;
	host.reset_by = port;
	host.resets++;
}

static void free_ports(void *arg)
{
	ports_free(arg);
}

static void new_ports(void)
{
	memset(&host, 0, sizeof(host));
	CHECK_EQ(ports_init(&ports), 0);
	ktap_defer(free_ports, &ports);
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

static uint8_t get(unsigned int reg)
{
	return in(BASE + reg, 1);
}

static void put(unsigned int reg, uint8_t value)
{
	out(BASE + reg, 1, value);
}

static void new_serial(void)
{
	struct port_device device = serial_device(&serial, BASE);

	new_ports();
	serial_init(&serial);
	serial.transmit = transmit;
	serial.set_irq = set_irq;
	serial.room = room;
	CHECK_EQ(ports_add(&ports, &device), 0);
}

/* ------------------------------------------------------------------ the port space */

static void absent_ports(void)
{
	uint8_t bytes[6] = { 1, 2, 3, 4, 5, 6 };
	char text[256];

	new_ports();
	CHECK(!ports_describe_unanswered(&ports, text, sizeof(text)));
	CHECK_EQ(in(0x1234, 1), 0xffU);
	CHECK_EQ(in(0x1234, 2), 0xffffU);
	CHECK_EQ(in(0x1234, 4), 0xffffffffU);
	out(0xcf8, 4, 0x80000000);
	out(0xffff, 1, 0);
	ports_access(&ports, 0x1234, 2, 3, true, bytes);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(bytes[i], 0xff);
	CHECK(ports_describe_unanswered(&ports, text, sizeof(text)));
	CHECK_STR(text, "8 port accesses that no device answered (read as all-ones): 0x1234 (6), 0xcf8 (1), 0xffff (1)");
	for (int i = 0; i < 20; i++)
		out(0x2000 + i, 1, 0);
	CHECK(ports_describe_unanswered(&ports, text, sizeof(text)));
	CHECK_THAT(strstr(text, "others (15)"), "%s", text);
	ports_describe_unanswered(&ports, text, 20);
	CHECK_EQ(strlen(text), 19);
}

static void wide_and_repeated_accesses(void)
{
	const struct port_device overlapping = { .first = BASE + 7, .count = 2, .max_bytes = 1 };

	new_serial();
	CHECK_EQ(ports_add(&ports, &overlapping), -1);

	/* A word at a byte device is two bytes at two ports */
	put(UART_LCR, UART_LCR_DLAB);
	out(BASE, 2, 0x0c34);
	CHECK_EQ(get(0), 0x34);
	CHECK_EQ(get(1), 0x0c);
	CHECK_EQ(in(BASE, 2), 0x0c34U);
	put(UART_LCR, 3);

	/* REP OUTSB: each item to the same port */
	ports_access(&ports, BASE, 1, 5, false, (uint8_t *)"hello");
	CHECK_EQ(host.sent_count, 5U);
	CHECK(!memcmp(host.sent, "hello", 5));
	CHECK_EQ(ports.unanswered, 0);
}

/* ------------------------------------------------------------------ the 16550 */

static void serial_after_reset(void)
{
	new_serial();
	CHECK_EQ(get(UART_IER), 0);
	CHECK_EQ(get(UART_IIR), UART_IIR_NO_INT);
	CHECK_EQ(get(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	CHECK_EQ(get(UART_MSR), UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
	put(UART_SCR, 0xa5);
	CHECK_EQ(get(UART_SCR), 0xa5);
	put(UART_IER, 0xff);
	CHECK_EQ(get(UART_IER), 0x0f);
	put(UART_MCR, 0xff);
	CHECK_EQ(get(UART_MCR), 0x1f);
	CHECK_EQ(host.irq, false);
}

/* What a driver looks at to tell a 16550A from its relatives */
static void serial_is_a_16550a(void)
{
	new_serial();
	put(UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQ(get(UART_IIR), 0xc0 | UART_IIR_NO_INT);
	put(UART_FCR, UART_FCR_ENABLE_FIFO | 0x20);	/* 64-byte FIFO: not here */
	CHECK_EQ(get(UART_IIR) & 0x20, 0);
	put(UART_FCR, 0);
	CHECK_EQ(get(UART_IIR), UART_IIR_NO_INT);

	put(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	CHECK_EQ(get(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	put(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1 | UART_MCR_DTR);
	CHECK_EQ(get(UART_MSR) & 0xf0, UART_MSR_RI | UART_MSR_DSR);
	put(UART_MCR, UART_MCR_LOOP);
	CHECK_EQ(get(UART_MSR) & 0x0f, UART_MSR_TERI | UART_MSR_DDSR);
	CHECK_EQ(get(UART_MSR) & 0x0f, 0);		/* read once */
}

static void serial_loopback(void)
{
	new_serial();
	put(UART_FCR, UART_FCR_ENABLE_FIFO);
	put(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	put(UART_IER, UART_IER_RDI);
	for (int i = 0; i < 17; i++)
		put(UART_TX, 'a' + i);
	CHECK_EQ(host.sent_count, 0U);
	CHECK_EQ(host.irq, false);
	CHECK_EQ(get(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DR | UART_LSR_OE);
	CHECK_EQ(get(UART_LSR) & UART_LSR_OE, 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(get(UART_RX), 'a' + i);
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);

	/* Clearing the FIFO empties it; so does switching it */
	put(UART_TX, 'x');
	put(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	put(UART_TX, 'x');
	put(UART_FCR, 0);
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
}

static void serial_polled(void)
{
	new_serial();
	CHECK_EQ(serial_receive(&serial, (const uint8_t *)"abc", 3), 3);
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);	/* held back: no RTS */
	put(UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(get(UART_LSR) & UART_LSR_DR, UART_LSR_DR);
		CHECK_EQ(get(UART_RX), 'a' + i);
	}
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	put(UART_TX, 'z');
	CHECK_EQ(host.sent[0], 'z');
	CHECK_EQ(host.irq_changes, 0U);
}

static void serial_receive_interrupt(void)
{
	new_serial();
	put(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	put(UART_IER, UART_IER_RDI);
	put(UART_MCR, UART_MCR_RTS);
	serial_receive(&serial, (const uint8_t *)"1", 1);
	CHECK_EQ(host.irq, false);			/* OUT2 gates it */
	put(UART_MCR, UART_MCR_RTS | UART_MCR_OUT2);
	CHECK_EQ(host.irq, true);
	CHECK_EQ(get(UART_IIR), 0xc0 | UART_IIR_RX_TIMEOUT);
	serial_receive(&serial, (const uint8_t *)"2345678", 7);
	CHECK_EQ(get(UART_IIR), 0xc0 | UART_IIR_RDI);
	CHECK_EQ(host.irq, true);			/* reading IIR does not end it */
	for (int i = 0; i < 8; i++)
		CHECK_EQ(get(UART_RX), '1' + i);
	CHECK_EQ(host.irq, false);
	CHECK_EQ(get(UART_IIR), 0xc0 | UART_IIR_NO_INT);
}

static void serial_transmit_interrupt(void)
{
	new_serial();
	put(UART_MCR, UART_MCR_OUT2);
	put(UART_IER, UART_IER_THRI);
	CHECK_EQ(host.irq, true);			/* at once: it is empty */
	CHECK_EQ(get(UART_IIR), UART_IIR_THRI);
	CHECK_EQ(host.irq, false);			/* taken */
	CHECK_EQ(get(UART_IIR), UART_IIR_NO_INT);
	put(UART_TX, 'a');
	CHECK_EQ(host.irq, true);
	put(UART_IER, 0);
	CHECK_EQ(host.irq, false);
	put(UART_IER, UART_IER_THRI);			/* enabling tells it again */
	CHECK_EQ(host.irq, true);
	CHECK_EQ(get(UART_IIR), UART_IIR_THRI);
	put(UART_IER, 0);
	put(UART_IER, UART_IER_THRI);
	CHECK_EQ(get(UART_IIR), UART_IIR_THRI);
}

static void serial_interrupt_priority(void)
{
	new_serial();
	put(UART_MCR, UART_MCR_LOOP);
	put(UART_TX, 'a');
	put(UART_TX, 'b');				/* overrun: one byte without FIFO */
	put(UART_IER, 0x0f);
	CHECK_EQ(get(UART_IIR), UART_IIR_RLSI);
	get(UART_LSR);
	CHECK_EQ(get(UART_IIR), UART_IIR_RDI);
	CHECK_EQ(get(UART_RX), 'a');
	CHECK_EQ(get(UART_IIR), UART_IIR_THRI);
	CHECK_EQ(get(UART_IIR), UART_IIR_MSI);		/* loopback changed the lines */
	get(UART_MSR);
	CHECK_EQ(get(UART_IIR), UART_IIR_NO_INT);
}

static void serial_flow_control(void)
{
	static uint8_t bytes[SERIAL_QUEUE + 100];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7;
	new_serial();
	put(UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQ(serial_receive(&serial, bytes, sizeof(bytes)), SERIAL_QUEUE);
	CHECK_EQ(serial_room(&serial), 0);
	put(UART_MCR, UART_MCR_RTS);
	CHECK_EQ(serial_room(&serial), SERIAL_FIFO);
	for (size_t i = 0; i < SERIAL_QUEUE; i++) {
		CHECK_EQ(get(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DR);
		CHECK_EQ(get(UART_RX), (uint8_t)(i * 7));
	}
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	CHECK_EQ(host.rooms, 1U);			/* the sender is told once */
	CHECK_EQ(serial_room(&serial), SERIAL_QUEUE);
}

/* ------------------------------------------------------------------ the other devices */

/* As a BIOS does it: RTS stays down, and there is one byte whenever it found none */
static void serial_without_rts(void)
{
	static const uint8_t typed[] = { '1', '2', '3' };

	new_serial();
	serial.without_rts = true;
	put(UART_FCR, UART_FCR_ENABLE_FIFO);
	serial_receive(&serial, typed, sizeof(typed));
	CHECK_EQ(serial.fifo_count, 0U);
	for (unsigned int i = 0; i < sizeof(typed); i++) {
		CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
		CHECK_EQ(get(UART_LSR) & UART_LSR_DR, UART_LSR_DR);
		CHECK_EQ(get(UART_RX), typed[i]);
	}
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	/* It waits for what is typed later, too; with RTS all of it comes */
	serial_receive(&serial, typed, sizeof(typed));
	CHECK_EQ(serial.fifo_count, 1U);
	put(UART_MCR, UART_MCR_RTS);
	CHECK_EQ(serial.fifo_count, 3U);
	/* None in a loop */
	put(UART_MCR, UART_MCR_LOOP);
	put(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	serial_receive(&serial, typed, sizeof(typed));
	CHECK_EQ(get(UART_LSR) & UART_LSR_DR, 0);
	CHECK_EQ(serial.fifo_count, 0U);
}

static void ends_of_a_run(void)
{
	static struct debug_exit debug_exit = { .end = end_run };
	static struct reset reset = { .reset = reset_run };
	struct port_device device = debug_exit_device(&debug_exit);

	new_ports();
	CHECK_EQ(ports_add(&ports, &device), 0);
	CHECK_EQ(reset_add(&reset, &ports), 0);

	CHECK_EQ(in(0xf4, 4), 0xffffffffU);
	out(0xf4, 4, 0x12345678);
	CHECK_EQ(host.ended_with, 0x12345678U);
	out(0xf4, 1, 0);
	CHECK_EQ(host.ended_with, 0U);
	CHECK_EQ(host.ends, 2U);

	out(0x64, 1, 0xd1);
	out(0x92, 1, 0x02);
	out(0xcf9, 1, 0x02);
	out(0xcf8, 4, 0x80000600);		/* PCI configuration, whatever its second byte */
	CHECK_EQ(host.resets, 0U);
	CHECK_EQ(in(0xcf9, 1), 0x02U);
	CHECK_EQ(in(0x92, 1), 0x02U);
	CHECK_EQ(in(0x64, 1), 0xfdU);
	out(0xcf9, 1, 0x06);
	CHECK_EQ(host.resets, 1U);
	CHECK_EQ(host.reset_by, 0xcf9);
	out(0x64, 1, 0xfe);
	CHECK_EQ(host.reset_by, 0x64);
	out(0x92, 1, 0x01);
	CHECK_EQ(host.reset_by, 0x92);
	CHECK_EQ(host.resets, 3U);
}

/* ------------------------------------------------------------------ the console's keys */

static enum console_command type(struct console *console, const char *typed, const char *rest)
{
	uint8_t bytes[32];
	size_t count = strlen(typed);
	enum console_command command;

	memcpy(bytes, typed, count);
	command = console_filter(console, bytes, &count);
	CHECK_EQ(count, strlen(rest));
	CHECK(!memcmp(bytes, rest, count));
	return command;
}

static void escape_keys(void)
{
	struct console console = { 0 };

	CHECK_EQ(type(&console, "abc\003", "abc\003"), CONSOLE_NONE);
	CHECK_EQ(type(&console, "a\001", "a"), CONSOLE_NONE);
	CHECK_EQ(type(&console, "x", ""), CONSOLE_QUIT);	/* in two reads */
	console.escaped = false;
	CHECK_EQ(type(&console, "a\001xrest", "a"), CONSOLE_QUIT);
	CHECK_EQ(type(&console, "\001hb", "b"), CONSOLE_HELP);
	CHECK_EQ(type(&console, "\001\001\001a\001", "\001\001"), CONSOLE_NONE);
	CHECK_EQ(type(&console, "?c", "c"), CONSOLE_HELP);
}

static const struct ktap_case cases[] = {
	{ "absent ports read as all-ones and are counted", absent_ports },
	{ "wide and repeated accesses", wide_and_repeated_accesses },
	{ "16550: after reset", serial_after_reset },
	{ "16550: what tells its kind", serial_is_a_16550a },
	{ "16550: loopback, overrun, FIFO clear", serial_loopback },
	{ "16550: polled", serial_polled },
	{ "16550: receive interrupt", serial_receive_interrupt },
	{ "16550: transmit interrupt", serial_transmit_interrupt },
	{ "16550: priority of interrupts", serial_interrupt_priority },
	{ "16550: a full queue, flow control", serial_flow_control },
	{ "serial: a guest that raises no RTS", serial_without_rts },
	{ "ports that end a run", ends_of_a_run },
	{ "escape keys", escape_keys },
};
KTAP_MAIN(cases)
