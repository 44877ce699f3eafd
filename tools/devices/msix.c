// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X of one PCI function.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "msix.h"

#define CONTROL_MASKED	(1U << 0)	/* of a vector */

int msix_init(struct msix *msix, unsigned int vectors, const struct msix_host *host)
{
	memset(msix, 0, sizeof(*msix));
	if (vectors > MSIX_VECTORS_MAX)
		return -1;
	pthread_mutex_init(&msix->lock, NULL);
	msix->host = *host;
	msix->vectors = vectors;
	for (unsigned int i = 0; i < MSIX_VECTORS_MAX; i++) {
		msix->vector[i].masked = true;
		/* Now, as a confined launcher makes no files; without one the message is sent by hand */
		msix->vector[i].fd = i < vectors && host->route ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	}
	return 0;
}

void msix_free(struct msix *msix)
{
	for (unsigned int i = 0; i < msix->vectors; i++) {
		if (msix->vector[i].fd >= 0)
			close(msix->vector[i].fd);
	}
	pthread_mutex_destroy(&msix->lock);
}

static bool route_vector(const struct msix *msix, struct msix_vector *vector)
{
	if (!vector->routed && vector->fd >= 0)
		vector->routed = !msix->host.route(msix->host.arg, vector->fd, vector->address, vector->data);
	return vector->routed;
}

static void send_vector(const struct msix *msix, struct msix_vector *vector)
{
	if (!route_vector(msix, vector) || eventfd_write(vector->fd, 1))
		msix->host.send(msix->host.arg, vector->address, vector->data);
}

static void send_pending(struct msix *msix)
{
	if (!msix->enabled || msix->masked)
		return;
	for (unsigned int i = 0; i < msix->vectors; i++) {
		struct msix_vector *vector = &msix->vector[i];

		if (vector->pending && !vector->masked) {
			vector->pending = false;
			send_vector(msix, vector);
		}
	}
}

static void tell_changed(const struct msix *msix)
{
	if (msix->changed)
		msix->changed(msix->arg);
}

void msix_control(struct msix *msix, bool enabled, bool masked)
{
	pthread_mutex_lock(&msix->lock);
	msix->enabled = enabled;
	msix->masked = masked;
	send_pending(msix);
	pthread_mutex_unlock(&msix->lock);
	tell_changed(msix);
}

void msix_reset(struct msix *msix)
{
	pthread_mutex_lock(&msix->lock);
	msix->enabled = false;
	msix->masked = false;
	for (unsigned int i = 0; i < msix->vectors; i++)
		msix->vector[i] = (struct msix_vector){ .masked = true, .fd = msix->vector[i].fd };
	pthread_mutex_unlock(&msix->lock);
	tell_changed(msix);
}

static uint32_t read_word(const struct msix *msix, uint64_t offset)
{
	const struct msix_vector *vector = &msix->vector[offset / MSIX_ENTRY_BYTES];

	switch (offset % MSIX_ENTRY_BYTES) {
	case 0:
		return vector->address;
	case 4:
		return vector->address >> 32;
	case 8:
		return vector->data;
	default:
		return vector->masked ? CONTROL_MASKED : 0;
	}
}

static void write_word(struct msix *msix, uint64_t offset, uint32_t value)
{
	struct msix_vector *vector = &msix->vector[offset / MSIX_ENTRY_BYTES];

	switch (offset % MSIX_ENTRY_BYTES) {
	case 0:
		vector->address = (vector->address & ~0xffffffffULL) | (value & ~3U);
		vector->routed = false;
		break;
	case 4:
		vector->address = (vector->address & 0xffffffff) | (uint64_t)value << 32;
		vector->routed = false;
		break;
	case 8:
		vector->data = value;
		vector->routed = false;
		break;
	default:
		vector->masked = value & CONTROL_MASKED;
		break;
	}
}

static bool is_register(uint64_t offset, unsigned int bytes, uint64_t end)
{
	return bytes >= 4 && !(offset & (bytes - 1)) && offset + bytes <= end;
}

uint64_t msix_read_table(struct msix *msix, uint64_t offset, unsigned int bytes)
{
	uint64_t value;

	if (!is_register(offset, bytes, msix->vectors * MSIX_ENTRY_BYTES))
		return 0;
	pthread_mutex_lock(&msix->lock);
	value = read_word(msix, offset);
	if (bytes == 8)
		value |= (uint64_t)read_word(msix, offset + 4) << 32;
	pthread_mutex_unlock(&msix->lock);
	return value;
}

void msix_write_table(struct msix *msix, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (!is_register(offset, bytes, msix->vectors * MSIX_ENTRY_BYTES))
		return;
	pthread_mutex_lock(&msix->lock);
	write_word(msix, offset, value);
	if (bytes == 8)
		write_word(msix, offset + 4, value >> 32);
	send_pending(msix);
	pthread_mutex_unlock(&msix->lock);
	tell_changed(msix);
}

uint64_t msix_read_pending(struct msix *msix, uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0;

	if (!is_register(offset, bytes, 8))
		return 0;
	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < msix->vectors; i++)
		value |= (uint64_t)msix->vector[i].pending << i;
	pthread_mutex_unlock(&msix->lock);
	return value >> (8 * offset);
}

bool msix_notify(struct msix *msix, unsigned int vector)
{
	bool enabled;

	pthread_mutex_lock(&msix->lock);
	enabled = msix->enabled;
	if (enabled && vector < msix->vectors) {
		msix->vector[vector].pending = true;
		send_pending(msix);
	}
	pthread_mutex_unlock(&msix->lock);
	return enabled;
}

int msix_direct(struct msix *msix, unsigned int vector)
{
	int fd = -1;

	pthread_mutex_lock(&msix->lock);
	if (msix->enabled && !msix->masked && vector < msix->vectors && !msix->vector[vector].masked &&
	    route_vector(msix, &msix->vector[vector]))
		fd = msix->vector[vector].fd;
	pthread_mutex_unlock(&msix->lock);
	return fd;
}
