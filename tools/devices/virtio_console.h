/* SPDX-License-Identifier: GPL-2.0 */
/* The virtio console (virtio 1.2, 5.3) with one port: hvc0. */
#ifndef TPZ_VIRTIO_CONSOLE_H
#define TPZ_VIRTIO_CONSOLE_H

#include <linux/virtio_console.h>

#include "virtio_pci.h"

#define CONSOLE_INPUT_BYTES	4096

/**
 * struct virtio_console
 * @transmit: the guest's output; by the output queue's thread, and a queue stands still until it returns
 * @room: there is room for input again; by the input queue's thread
 * @lock: guards @input, of which @count bytes from @first on wait, and @full; taken last
 */
struct virtio_console {
	struct virtio_device virtio;
	struct virtio_console_config config;
	void (*transmit)(void *arg, const void *data, size_t bytes);
	void (*room)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	uint8_t input[CONSOLE_INPUT_BYTES];
	unsigned int first, count;
	bool full;
};

/**
 * virtio_console_init() - @transmit, @room and @arg are filled in by the caller afterwards
 * @columns, @rows: the terminal's; 0: it has no size
 * @return 0 or -1
 */
int virtio_console_init(struct virtio_console *console, const struct virtio_host *host, uint16_t columns, uint16_t rows);

/* How many bytes virtio_console_receive() takes now; 0: @room is called later. Any thread */
size_t virtio_console_room(struct virtio_console *console);

/* Input for the guest; what has no room is lost */
void virtio_console_receive(struct virtio_console *console, const uint8_t *data, size_t bytes);

#endif /* TPZ_VIRTIO_CONSOLE_H */
