// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio console: (i) output, (ii) input.
 */
#include <linux/virtio_ids.h>
#include <string.h>

#include "virtio_console.h"

#define INPUT_QUEUE	0
#define OUTPUT_QUEUE	1

/* ------------------------------------------------------------------ (i) output */

static void transmit(struct virtio_console *console, const struct virtq_chain *chain)
{
	uint8_t data[512];
	uint64_t part;

	/* A buffer may be of 4 GiB: an end must not wait for it */
	for (uint64_t at = 0; !__atomic_load_n(&console->virtio.stopping, __ATOMIC_ACQUIRE); at += part) {
		part = virtq_read(chain, at, data, sizeof(data));
		if (!part)
			break;
		console->transmit(console->arg, data, part);
	}
}

/* ------------------------------------------------------------------ (ii) input */

/* @return whether there was some */
static bool take_input(struct virtio_console *console, const struct virtq_chain *chain, uint32_t *written)
{
	*written = 0;
	pthread_mutex_lock(&console->lock);
	while (console->count && *written < chain->write_bytes) {
		unsigned int part = CONSOLE_INPUT_BYTES - console->first;

		if (part > console->count)
			part = console->count;
		if (part > chain->write_bytes - *written)
			part = chain->write_bytes - *written;
		virtq_write(chain, *written, console->input + console->first, part);
		console->first = (console->first + part) % CONSOLE_INPUT_BYTES;
		console->count -= part;
		*written += part;
	}
	pthread_mutex_unlock(&console->lock);
	return *written;
}

static void tell_room(struct virtio_console *console)
{
	bool full;

	pthread_mutex_lock(&console->lock);
	full = console->full;
	console->full = false;
	pthread_mutex_unlock(&console->lock);
	if (full && console->room)
		console->room(console->arg);
}

static bool has_input(struct virtio_console *console)
{
	bool ret;

	pthread_mutex_lock(&console->lock);
	ret = console->count;
	pthread_mutex_unlock(&console->lock);
	return ret;
}

size_t virtio_console_room(struct virtio_console *console)
{
	size_t room;

	pthread_mutex_lock(&console->lock);
	room = CONSOLE_INPUT_BYTES - console->count;
	if (!room)
		console->full = true;
	pthread_mutex_unlock(&console->lock);
	return room;
}

void virtio_console_receive(struct virtio_console *console, const uint8_t *data, size_t bytes)
{
	pthread_mutex_lock(&console->lock);
	for (size_t i = 0; i < bytes && console->count < CONSOLE_INPUT_BYTES; i++)
		console->input[(console->first + console->count++) % CONSOLE_INPUT_BYTES] = data[i];
	pthread_mutex_unlock(&console->lock);
	virtio_wake(&console->virtio, INPUT_QUEUE);
}

static void serve_console(struct virtio_device *device, unsigned int index)
{
	struct virtio_console *console = (struct virtio_console *)device;
	struct virtq *ring = &device->queue[index].ring;
	struct virtq_chain *chain = &device->queue[index].chain;
	uint32_t written = 0;

	do {
		while ((index == OUTPUT_QUEUE || has_input(console)) && virtq_pop(ring, chain) > 0) {
			if (index == OUTPUT_QUEUE) {
				transmit(console, chain);
			} else if (!take_input(console, chain, &written)) {
				virtq_break(ring, "a buffer for input that cannot be written to");
				return;
			}
			virtq_push(ring, chain->head, written);
		}
		if (index == INPUT_QUEUE)
			tell_room(console);
	} while (virtq_listen(ring, true) && !ring->broken && (index == OUTPUT_QUEUE || has_input(console)));
}

int virtio_console_init(struct virtio_console *console, const struct virtio_host *host, uint16_t columns, uint16_t rows)
{
	static const struct virtio_model model = { "virtio-console", VIRTIO_ID_CONSOLE, 0x078000, serve_console };

	memset(console, 0, sizeof(*console));
	console->config.cols = columns;
	console->config.rows = rows;
	pthread_mutex_init(&console->lock, NULL);
	return virtio_init(&console->virtio, &model, host, columns && rows ? 1ULL << VIRTIO_CONSOLE_F_SIZE : 0, 2,
			   &console->config, sizeof(console->config));
}
