// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the device of an address and hands it naturally aligned accesses.
 */
#include <string.h>

#include "mmio.h"

void mmio_init(struct mmio_space *space)
{
	memset(space, 0, sizeof(*space));
	pthread_rwlock_init(&space->lock, NULL);
}

void mmio_free(struct mmio_space *space)
{
	pthread_rwlock_destroy(&space->lock);
}

int mmio_add(struct mmio_space *space, const struct mmio_range *range)
{
	int ret = -1;

	pthread_rwlock_wrlock(&space->lock);
	if (space->ranges < MMIO_RANGES_MAX) {
		space->range[space->ranges++] = *range;
		ret = 0;
	}
	pthread_rwlock_unlock(&space->lock);
	return ret;
}

void mmio_remove(struct mmio_space *space, const void *device, uint64_t gpa)
{
	pthread_rwlock_wrlock(&space->lock);
	for (unsigned int i = 0; i < space->ranges; i++) {
		if (space->range[i].device != device || space->range[i].gpa != gpa)
			continue;
		space->ranges--;
		memmove(&space->range[i], &space->range[i + 1], (space->ranges - i) * sizeof(space->range[0]));
		break;
	}
	pthread_rwlock_unlock(&space->lock);
}

static bool find_range(struct mmio_space *space, uint64_t gpa, unsigned int bytes, struct mmio_range *found)
{
	bool ret = false;

	pthread_rwlock_rdlock(&space->lock);
	for (unsigned int i = 0; i < space->ranges && !ret; i++) {
		const struct mmio_range *range = &space->range[i];

		if (gpa >= range->gpa && gpa - range->gpa < range->bytes &&
		    bytes <= range->bytes - (gpa - range->gpa)) {
			*found = *range;
			ret = true;
		}
	}
	pthread_rwlock_unlock(&space->lock);
	return ret;
}

static void access_one(struct mmio_space *space, uint64_t gpa, unsigned int bytes, bool write, void *data)
{
	struct mmio_range range;
	uint64_t value = 0;

	if (!find_range(space, gpa, bytes, &range)) {
		__atomic_add_fetch(&space->unanswered, 1, __ATOMIC_RELAXED);
		if (!write)
			memset(data, 0xff, bytes);
	} else if (write) {
		memcpy(&value, data, bytes);
		range.write(range.device, gpa - range.gpa, bytes, value);
	} else {
		value = range.read(range.device, gpa - range.gpa, bytes);
		memcpy(data, &value, bytes);
	}
}

void mmio_access(struct mmio_space *space, uint64_t gpa, unsigned int bytes, bool write, void *data)
{
	uint8_t *byte = data;

	while (bytes) {
		unsigned int part = 8;

		while (part > bytes || gpa & (part - 1))
			part /= 2;
		access_one(space, gpa, part, write, byte);
		gpa += part;
		byte += part;
		bytes -= part;
	}
}
