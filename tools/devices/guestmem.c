// SPDX-License-Identifier: GPL-2.0
/*
 * Guest-physical addresses to the launcher's, checked.
 */
#include <stddef.h>

#include "guestmem.h"

int guest_memory_add(struct guest_memory *memory, uint64_t gpa, uint64_t bytes, void *host)
{
	if (memory->ranges == GUEST_RANGES_MAX || !bytes || gpa + bytes < gpa)
		return -1;
	for (unsigned int i = 0; i < memory->ranges; i++) {
		const struct guest_range *range = &memory->range[i];

		if (gpa < range->gpa + range->bytes && range->gpa < gpa + bytes)
			return -1;
	}
	memory->range[memory->ranges++] = (struct guest_range){ gpa, bytes, host };
	return 0;
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t bytes)
{
	for (unsigned int i = 0; i < memory->ranges; i++) {
		const struct guest_range *range = &memory->range[i];
		uint64_t offset = gpa - range->gpa;

		if (gpa >= range->gpa && offset < range->bytes && bytes <= range->bytes - offset)
			return (char *)range->host + offset;
	}
	return NULL;
}
