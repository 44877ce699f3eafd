/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's addresses without memory: a table of device ranges, some of which the guest moves (BARs).
 */
#ifndef TPZ_MMIO_H
#define TPZ_MMIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct mmio_range - one device's addresses
 * @read: answer a read of 1, 2, 4 or 8 bytes at @offset, within the range
 * @write: take one
 * @device: passed to both
 */
struct mmio_range {
	const char *name;
	uint64_t gpa;
	uint64_t bytes;
	uint64_t (*read)(void *device, uint64_t offset, unsigned int bytes);
	void (*write)(void *device, uint64_t offset, unsigned int bytes, uint64_t value);
	void *device;
};

#define MMIO_RANGES_MAX	64

/**
 * struct mmio_space - @lock guards @range and @ranges; no device is called with it
 * @unanswered: accesses where nothing stands, read as all-ones
 */
struct mmio_space {
	pthread_rwlock_t lock;
	struct mmio_range range[MMIO_RANGES_MAX];
	unsigned int ranges;
	uint64_t unanswered;
};

void mmio_init(struct mmio_space *space);
void mmio_free(struct mmio_space *space);

/**
 * mmio_add() - add a range. Where ranges overlap, as a guest can move them, the older one answers.
 * @return 0, or -1: the table is full
 */
int mmio_add(struct mmio_space *space, const struct mmio_range *range);

/**
 * mmio_remove() - take @device's range at @gpa away. An access that has begun may still reach the device.
 */
void mmio_remove(struct mmio_space *space, const void *device, uint64_t gpa);

/**
 * mmio_access() - carry out one exit's access: @data is filled for a read
 * @bytes: 1 to 64; what is no power of two up to 8 becomes several accesses
 */
void mmio_access(struct mmio_space *space, uint64_t gpa, unsigned int bytes, bool write, void *data);

#endif /* TPZ_MMIO_H */
