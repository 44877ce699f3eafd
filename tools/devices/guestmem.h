/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory as devices reach it. Every address that a guest gives a device goes through here.
 *
 * Written before the guest runs, then only read: by any thread.
 */
#ifndef TPZ_GUESTMEM_H
#define TPZ_GUESTMEM_H

#include <stdint.h>

#define GUEST_RANGES_MAX	8

struct guest_range {
	uint64_t gpa;
	uint64_t bytes;
	void *host;
};

struct guest_memory {
	struct guest_range range[GUEST_RANGES_MAX];
	unsigned int ranges;
};

/**
 * guest_memory_add() - [gpa, gpa + bytes) stands at @host
 * @return 0, or -1: no room, no bytes, past the end of the address space, or over another range
 */
int guest_memory_add(struct guest_memory *memory, uint64_t gpa, uint64_t bytes, void *host);

/**
 * guest_memory_at() - where [gpa, gpa + bytes) stands, or NULL if it is not all within one range
 *
 * Ranges that touch in the guest need not touch here, so an access never runs from one into the next.
 */
void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t bytes);

#endif /* TPZ_GUESTMEM_H */
