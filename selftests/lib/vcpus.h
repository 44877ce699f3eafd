/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several vCPUs of a VM, each run by a thread of its own until its guest is done.
 */
#ifndef TRAPEZE_VCPUS_H
#define TRAPEZE_VCPUS_H

#include <pthread.h>

#include "vm.h"

#define MAX_RUNNERS	8

struct runner {
	struct vcpu *vcpu;
	pthread_t thread;
	__u32 result;		/* the guest's */
};

/* Starts a thread; waits for @n of them; has those end whose guests are not done, at their next exit or signal */
void vcpus_start(struct runner *r, struct vcpu *vcpu);
void vcpus_join(struct runner *r, unsigned int n);
void vcpus_end(void);

/* vCPU 0 runs @first, the others @rest, with their number as argument; all must end with 0 */
#define run_all(n, first, rest)							\
	run_all_in(vm_create(.devices = TPZ_DEVICES_PC), n, (uintptr_t)(first), (uintptr_t)(rest))
void run_all_in(struct vm *vm, unsigned int n, uintptr_t first, uintptr_t rest);

#endif /* TRAPEZE_VCPUS_H */
