// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's port space. Port accesses come item by item in the order in which the guest made them; those
 * that no device answers read as all-ones, as on a bus where nobody drives the lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports.h"

#define TOP_PORTS	8	/* named in the description; the rest is a number */

int ports_init(struct port_space *ports)
{
	memset(ports, 0, sizeof(*ports));
	ports->unanswered_at = calloc(PORTS, sizeof(*ports->unanswered_at));
	return ports->unanswered_at ? 0 : -1;
}

void ports_free(struct port_space *ports)
{
	free(ports->unanswered_at);
	ports->unanswered_at = NULL;
}

static const struct port_device *find_device(const struct port_space *ports, uint16_t port)
{
	for (unsigned int i = 0; i < ports->devices; i++) {
		const struct port_device *device = &ports->device[i];

		if (port >= device->first && port - device->first < device->count)
			return device;
	}
	return NULL;
}

int ports_add(struct port_space *ports, const struct port_device *device)
{
	if (ports->devices == PORT_DEVICES_MAX)
		return -1;
	for (unsigned int i = 0; i < device->count; i++) {
		if (find_device(ports, device->first + i))
			return -1;
	}
	ports->device[ports->devices++] = *device;
	return 0;
}

static void count_unanswered(struct port_space *ports, uint16_t port)
{
	ports->unanswered++;
	if (ports->unanswered_at[port] != UINT32_MAX)
		ports->unanswered_at[port]++;
}

static uint32_t all_ones(unsigned int bytes)
{
	return 0xffffffffU >> (32 - 8 * bytes);
}

static uint32_t port_in(struct port_space *ports, uint16_t port, unsigned int bytes)
{
	const struct port_device *device = find_device(ports, port);
	uint32_t value = 0;

	if (!device) {
		count_unanswered(ports, port);
		return all_ones(bytes);
	}
	if (bytes <= device->max_bytes)
		return (device->in ? device->in(device->device, port, bytes) : ~0U) & all_ones(bytes);

	for (unsigned int i = 0; i < bytes; i++)
		value |= port_in(ports, port + i, 1) << (8 * i);
	return value;
}

static void port_out(struct port_space *ports, uint16_t port, unsigned int bytes, uint32_t value)
{
	const struct port_device *device = find_device(ports, port);

	if (!device) {
		count_unanswered(ports, port);
		return;
	}
	if (bytes <= device->max_bytes) {
		if (device->out)
			device->out(device->device, port, bytes, value);
		return;
	}
	for (unsigned int i = 0; i < bytes; i++)
		port_out(ports, port + i, 1, value >> (8 * i) & 0xff);
}

void ports_access(struct port_space *ports, uint16_t port, unsigned int bytes, uint32_t count, bool in,
		  void *data)
{
	uint8_t *item = data;

	for (uint32_t i = 0; i < count; i++, item += bytes) {
		uint32_t value = 0;

		if (in) {
			value = port_in(ports, port, bytes);
			memcpy(item, &value, bytes);
		} else {
			memcpy(&value, item, bytes);
			port_out(ports, port, bytes, value);
		}
	}
}

bool ports_describe_unanswered(const struct port_space *ports, char *text, unsigned int bytes)
{
	uint64_t named = 0;
	uint16_t shown[TOP_PORTS];
	int length;

	if (!ports->unanswered)
		return false;
	length = snprintf(text, bytes, "%llu port accesses that no device answered (read as all-ones):",
			  (unsigned long long)ports->unanswered);

	for (unsigned int n = 0; n < TOP_PORTS; n++) {
		uint32_t most = 0;

		/* The busiest port not shown yet */
		for (uint32_t port = 0; port < PORTS; port++) {
			bool seen = false;

			if (ports->unanswered_at[port] <= most)
				continue;
			for (unsigned int i = 0; i < n; i++)
				seen |= shown[i] == port;
			if (!seen) {
				most = ports->unanswered_at[port];
				shown[n] = port;
			}
		}
		if (!most)
			break;
		named += most;
		if (length >= 0 && (unsigned int)length < bytes)
			length += snprintf(text + length, bytes - length, "%s %#x (%u)", n ? "," : "",
					   shown[n], most);
	}
	if (named < ports->unanswered && length >= 0 && (unsigned int)length < bytes)
		snprintf(text + length, bytes - length, ", others (%llu)",
			 (unsigned long long)(ports->unanswered - named));
	return true;
}
