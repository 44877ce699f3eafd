/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's port space: a small table of devices, and counts of what nobody answers.
 */
#ifndef TPZ_PORTS_H
#define TPZ_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct port_device - one device's ports
 * @first: the first port
 * @count: how many
 * @max_bytes: the widest access that the device takes in one; a wider one that starts at one of its ports
 *	becomes accesses to the ports that follow, as an ISA bus does it
 * @in: answer a read; NULL: reads as all-ones
 * @out: take a write; NULL: ignored
 * @device: passed to both
 */
struct port_device {
	const char *name;
	uint16_t first;
	uint16_t count;
	uint8_t max_bytes;
	uint32_t (*in)(void *device, uint16_t port, unsigned int bytes);
	void (*out)(void *device, uint16_t port, unsigned int bytes, uint32_t value);
	void *device;
};

#define PORT_DEVICES_MAX	16
#define PORTS			0x10000

struct port_space {
	struct port_device device[PORT_DEVICES_MAX];
	unsigned int devices;
	uint64_t unanswered;			/* accesses to ports without a device */
	uint32_t *unanswered_at;		/* of them, by port */
};

/**
 * ports_init() - an empty port space
 * @return 0, or -1: out of memory
 */
int ports_init(struct port_space *ports);
void ports_free(struct port_space *ports);

/**
 * ports_add() - add a device
 * @return 0, or -1: the table is full, or the ports are another device's
 */
int ports_add(struct port_space *ports, const struct port_device *device);

/**
 * ports_access() - carry out one exit's accesses
 * @data: @count items of @bytes (1, 2 or 4) each; filled in for a read
 */
void ports_access(struct port_space *ports, uint16_t port, unsigned int bytes, uint32_t count, bool in,
		  void *data);

/**
 * ports_describe_unanswered() - "12 accesses … : 0x40 (8), 0xcf8 (4)" into @text
 * @return false if there was none
 */
bool ports_describe_unanswered(const struct port_space *ports, char *text, unsigned int bytes);

#endif /* TPZ_PORTS_H */
