/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The paravirtual services as guests ask for them, and what they cost.
 */
#ifndef TRAPEZE_TEST_PV_H
#define TRAPEZE_TEST_PV_H

#include "vm.h"

#define HC_POLL_IRQ	1
#define HC_KICK		5
#define HC_SEND_IPI	10
#define HC_YIELD	11

static inline __u64 hypercall(__u64 nr, __u64 a, __u64 b, __u64 c, __u64 d)
{
	if (machine.vmmcall)
		asm volatile("vmmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	else
		asm volatile("vmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return nr;
}

/* A handler knows its vCPU by its stack, which costs no exit */
static inline __u32 id_of(const struct guest_frame *frame)
{
	return ((uintptr_t)frame - GUEST_CPU_AREAS) / GUEST_CPU_BYTES;
}

/* Of the first @n vCPUs together; not all fields */
static inline struct tpz_vcpu_meters sum_of(const struct meters *meters, unsigned int n)
{
	struct tpz_vcpu_meters sum = {};

	for (unsigned int i = 0; i < n; i++) {
		struct tpz_vcpu_meters m = meters_read(meters, i);

		sum.exits += m.exits;
		sum.yields += m.yields;
		sum.pv_flushes += m.pv_flushes;
		sum.injected_interrupts += m.injected_interrupts;
		for (unsigned int r = 0; r < TPZ_EXIT_COUNT; r++)
			sum.reason[r].count += m.reason[r].count;
	}
	return sum;
}

#endif /* TRAPEZE_TEST_PV_H */
