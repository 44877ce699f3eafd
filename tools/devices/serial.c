// SPDX-License-Identifier: GPL-2.0
/*
 * A 16550A serial port.
 *
 * Sending takes no time: the transmitter is always empty. Receiving is paced by the guest: bytes from the
 * terminal wait in a queue until the guest raises RTS, as a modem with hardware flow control would hold
 * them, so nothing typed or piped in is lost while the guest boots. The interrupt output is gated by OUT2,
 * as a PC's wiring does it, and dead in loopback.
 *
 * Every entry ends in update(), which moves what may move and sets the interrupt output to what the
 * registers now say: there is no other place where the output changes.
 */
#include <string.h>

#include <linux/serial_reg.h>

#include "serial.h"

#define LINES_FROM_TERMINAL	(UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)
#define MSR_LINES		0xf0
#define MSR_DELTAS		0x0f
#define IIR_FIFO_ON		0xc0

static bool fifo_on(const struct serial *serial)
{
	return serial->fcr & UART_FCR_ENABLE_FIFO;
}

static unsigned int fifo_size(const struct serial *serial)
{
	return fifo_on(serial) ? SERIAL_FIFO : 1;
}

/* How many bytes make "data available"; fewer in the FIFO are a "timeout" interrupt */
static unsigned int trigger_level(const struct serial *serial)
{
	static const unsigned int level[] = { 1, 4, 8, 14 };

	return fifo_on(serial) ? level[serial->fcr >> 6] : 1;
}

static bool loopback(const struct serial *serial)
{
	return serial->mcr & UART_MCR_LOOP;
}

static void fifo_push(struct serial *serial, uint8_t byte)
{
	if (serial->fifo_count == fifo_size(serial)) {
		serial->lsr_errors |= UART_LSR_OE;
		return;
	}
	serial->fifo[(serial->fifo_head + serial->fifo_count++) % SERIAL_FIFO] = byte;
}

static uint8_t fifo_pop(struct serial *serial)
{
	uint8_t byte;

	if (!serial->fifo_count)
		return 0;
	byte = serial->fifo[serial->fifo_head];
	serial->fifo_head = (serial->fifo_head + 1) % SERIAL_FIFO;
	serial->fifo_count--;
	return byte;
}

/* The most urgent interrupt that is enabled and there, as IIR tells it */
static uint8_t interrupt_id(const struct serial *serial)
{
	if (serial->ier & UART_IER_RLSI && serial->lsr_errors)
		return UART_IIR_RLSI;
	if (serial->ier & UART_IER_RDI && serial->fifo_count >= trigger_level(serial))
		return UART_IIR_RDI;
	if (serial->ier & UART_IER_RDI && serial->fifo_count)
		return UART_IIR_RX_TIMEOUT;
	if (serial->ier & UART_IER_THRI && serial->thr_empty_pending)
		return UART_IIR_THRI;
	if (serial->ier & UART_IER_MSI && serial->msr & MSR_DELTAS)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

/* May the terminal send a byte? */
static bool take_leave(struct serial *serial)
{
	if (loopback(serial))
		return false;
	if (serial->mcr & UART_MCR_RTS)
		return true;
	if (!serial->one_more)
		return false;
	serial->one_more = false;
	return true;
}

static void update(struct serial *serial)
{
	bool moved = false, irq;

	while (serial->queue_count && serial->fifo_count < fifo_size(serial) && take_leave(serial)) {
		fifo_push(serial, serial->queue[serial->queue_head]);
		serial->queue_head = (serial->queue_head + 1) % SERIAL_QUEUE;
		serial->queue_count--;
		moved = true;
	}
	if (moved && serial->queue_was_full && serial->queue_count <= SERIAL_QUEUE / 2) {
		serial->queue_was_full = false;
		if (serial->room)
			serial->room(serial->host);
	}

	irq = interrupt_id(serial) != UART_IIR_NO_INT && serial->mcr & UART_MCR_OUT2 && !loopback(serial);
	if (irq != serial->irq) {
		serial->irq = irq;
		serial->set_irq(serial->host, irq);
	}
}

/* The modem's lines as the guest sees them; a change leaves its mark until MSR is read */
static void set_modem_lines(struct serial *serial)
{
	uint8_t lines = LINES_FROM_TERMINAL, changed;

	if (loopback(serial)) {
		lines = 0;
		if (serial->mcr & UART_MCR_RTS)
			lines |= UART_MSR_CTS;
		if (serial->mcr & UART_MCR_DTR)
			lines |= UART_MSR_DSR;
		if (serial->mcr & UART_MCR_OUT1)
			lines |= UART_MSR_RI;
		if (serial->mcr & UART_MCR_OUT2)
			lines |= UART_MSR_DCD;
	}
	changed = (lines ^ serial->msr) & MSR_LINES;
	if (lines & UART_MSR_RI)
		changed &= ~UART_MSR_RI;	/* RI marks its falling edge only */
	serial->msr = lines | (serial->msr & MSR_DELTAS) | changed >> 4;
}

static void write_fcr(struct serial *serial, uint8_t value)
{
	bool switched = (value ^ serial->fcr) & UART_FCR_ENABLE_FIFO;

	/* The other bits count only together with the enable bit */
	if (switched || (value & UART_FCR_ENABLE_FIFO && value & UART_FCR_CLEAR_RCVR))
		serial->fifo_count = 0;
	serial->fcr = value & UART_FCR_ENABLE_FIFO ? value & (UART_FCR_TRIGGER_MASK | UART_FCR_ENABLE_FIFO) : 0;
}

static void write_thr(struct serial *serial, uint8_t byte)
{
	if (loopback(serial))
		fifo_push(serial, byte);
	else
		serial->transmit(serial->host, byte);
	serial->thr_empty_pending = true;
}

static void write_ier(struct serial *serial, uint8_t value)
{
	if (value & ~serial->ier & UART_IER_THRI)
		serial->thr_empty_pending = true;
	serial->ier = value & 0x0f;
}

static void serial_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct serial *serial = device;
	bool dlab = serial->lcr & UART_LCR_DLAB;

	(void)bytes;
	pthread_mutex_lock(&serial->lock);
	switch (port & 7) {
	case UART_TX:
		if (dlab)
			serial->divisor[0] = value;
		else
			write_thr(serial, value);
		break;
	case UART_IER:
		if (dlab)
			serial->divisor[1] = value;
		else
			write_ier(serial, value);
		break;
	case UART_FCR:
		write_fcr(serial, value);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & 0x1f;
		set_modem_lines(serial);
		break;
	case UART_SCR:
		serial->scratch = value;
		break;
	}
	update(serial);
	pthread_mutex_unlock(&serial->lock);
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t id = interrupt_id(serial);

	if (id == UART_IIR_THRI)
		serial->thr_empty_pending = false;
	return id | (fifo_on(serial) ? IIR_FIFO_ON : 0);
}

static uint8_t read_lsr(struct serial *serial)
{
	uint8_t value = UART_LSR_THRE | UART_LSR_TEMT | serial->lsr_errors;

	if (serial->fifo_count)
		value |= UART_LSR_DR;
	else if (serial->without_rts)
		serial->one_more = true;
	serial->lsr_errors = 0;
	return value;
}

static uint8_t read_msr(struct serial *serial)
{
	uint8_t value = serial->msr;

	serial->msr &= MSR_LINES;
	return value;
}

static uint32_t serial_in(void *device, uint16_t port, unsigned int bytes)
{
	struct serial *serial = device;
	bool dlab = serial->lcr & UART_LCR_DLAB;
	uint8_t value = 0;

	(void)bytes;
	pthread_mutex_lock(&serial->lock);
	switch (port & 7) {
	case UART_RX:
		value = dlab ? serial->divisor[0] : fifo_pop(serial);
		break;
	case UART_IER:
		value = dlab ? serial->divisor[1] : serial->ier;
		break;
	case UART_IIR:
		value = read_iir(serial);
		break;
	case UART_LCR:
		value = serial->lcr;
		break;
	case UART_MCR:
		value = serial->mcr;
		break;
	case UART_LSR:
		value = read_lsr(serial);
		break;
	case UART_MSR:
		value = read_msr(serial);
		break;
	case UART_SCR:
		value = serial->scratch;
		break;
	}
	update(serial);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

void serial_init(struct serial *serial)
{
	memset(serial, 0, sizeof(*serial));
	pthread_mutex_init(&serial->lock, NULL);
	serial->divisor[0] = 1;			/* 115200 baud */
	serial->msr = LINES_FROM_TERMINAL;
}

struct port_device serial_device(struct serial *serial, uint16_t first_port)
{
	return (struct port_device){
		.name = "serial", .first = first_port, .count = 8, .max_bytes = 1,
		.in = serial_in, .out = serial_out, .device = serial,
	};
}

size_t serial_receive(struct serial *serial, const uint8_t *bytes, size_t count)
{
	size_t taken = 0;

	pthread_mutex_lock(&serial->lock);
	while (taken < count && serial->queue_count < SERIAL_QUEUE)
		serial->queue[(serial->queue_head + serial->queue_count++) % SERIAL_QUEUE] = bytes[taken++];
	if (serial->queue_count == SERIAL_QUEUE)
		serial->queue_was_full = true;
	update(serial);
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

size_t serial_room(struct serial *serial)
{
	size_t room;

	pthread_mutex_lock(&serial->lock);
	room = SERIAL_QUEUE - serial->queue_count;
	pthread_mutex_unlock(&serial->lock);
	return room;
}
