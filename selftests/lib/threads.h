/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vCPUs that run at once, each in a thread until its guest is done:
 *
 *	for (unsigned int i = 0; i < n; i++)
 *		runner_start(&r[i], vm->vcpus[i]);
 *	runners_join(r, n);
 *	CHECK_EQ(r[0].result, 0);
 */
#ifndef TRAPEZE_THREADS_H
#define TRAPEZE_THREADS_H

#include <pthread.h>

#include "vm.h"

struct runner {
	struct vcpu *vcpu;
	pthread_t thread;
	__u32 result;		/* the guest's; 0xdead if it did not end by itself */
};

/* Any exit but the guest's end fails the case */
void runner_start(struct runner *r, struct vcpu *vcpu);
bool runner_ended(struct runner *r);

/* Waits for the guests' ends; or ends the threads, once runners_stop() was called or the case has failed */
void runners_join(struct runner *r, unsigned int n);
void runners_stop(void);

/* vCPU 0 runs @first, the others up to 64 @rest, with their number as argument; all must end with 0 */
#define run_all(n, first, rest)							\
	run_all_in(vm_create(.devices = TPZ_DEVICES_PC), n, (uintptr_t)(first), (uintptr_t)(rest))
void run_all_in(struct vm *vm, unsigned int n, uintptr_t first, uintptr_t rest);

#endif /* TRAPEZE_THREADS_H */
