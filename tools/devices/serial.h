/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550A serial port, polled and interrupt-driven.
 */
#ifndef TPZ_SERIAL_H
#define TPZ_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports.h"

#define SERIAL_FIFO	16
#define SERIAL_QUEUE	4096	/* power of two */

/**
 * struct serial - one port
 * @transmit: the guest sent a byte
 * @set_irq: the level of the interrupt output changed
 * @room: bytes left the queue after it had been full: the sender may go on (may be NULL)
 * @host: passed to all three
 * @without_rts: the guest may be a BIOS, which takes input without raising RTS, and loses what it
 *	has no time for: it gets one byte whenever it found none
 *
 * The vCPU reads and writes registers while another thread hands in what the terminal sent: @lock guards all
 * that follows it. The callbacks run with it held.
 */
struct serial {
	void (*transmit)(void *host, uint8_t byte);
	void (*set_irq)(void *host, bool level);
	void (*room)(void *host);
	void *host;
	bool without_rts;

	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, scratch;
	uint8_t fcr;
	uint8_t lsr_errors;		/* only overrun can happen here; cleared by reading LSR */
	uint8_t msr;
	uint8_t divisor[2];
	bool thr_empty_pending;		/* the "transmitter empty" interrupt was not taken yet */
	bool irq;			/* the output's level now */

	uint8_t fifo[SERIAL_FIFO];	/* what the guest's receiver holds */
	unsigned int fifo_head, fifo_count;

	uint8_t queue[SERIAL_QUEUE];	/* what is on its way, held back while the guest does not raise RTS */
	unsigned int queue_head, queue_count;
	bool queue_was_full;
	bool one_more;			/* a byte may come while RTS is down */
};

/**
 * serial_init() - a port after reset; the callbacks and @host are the caller's to set before use
 */
void serial_init(struct serial *serial);

/**
 * serial_device() - its entry in the port table
 */
struct port_device serial_device(struct serial *serial, uint16_t first_port);

/**
 * serial_receive() - bytes for the guest
 * @return how many were taken; the rest found no room
 */
size_t serial_receive(struct serial *serial, const uint8_t *bytes, size_t count);

/**
 * serial_room() - how many bytes serial_receive() would take now
 */
size_t serial_room(struct serial *serial);

#endif /* TPZ_SERIAL_H */
