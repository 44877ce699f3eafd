// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs that wait for each other, on fewer CPUs than there are of them: one that spins, or knows whom it waits for, gives
 * its CPU to one that could go on. The scheduler has the last word (the kernel's yield_to()).
 *
 * That a guest spins is told by the CPU: pause-loop exiting, the pause filter (Documentation/pv.md). A guest that knows
 * whom it waits for says so by KVM_HC_SCHED_YIELD.
 */
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include "../host.h"
#include "pv.h"

#define TRIES	3	/* threads that the scheduler may refuse, before we rather go on */

/* The thread inside TPZ_RUN, referenced; or NULL. It can't be freed before an RCU grace period after its exit */
static struct task_struct *runner_of(struct tpz_vcpu *v)
{
	struct task_struct *thread;

	rcu_read_lock();
	thread = READ_ONCE(v->runner);
	if (thread)
		get_task_struct(thread);
	rcu_read_unlock();
	return thread;
}

bool tpz_yield_to(struct tpz_vcpu *v, struct tpz_vcpu *to)
{
	struct task_struct *thread;
	bool gave;

	if (to == v || !READ_ONCE(to->waits_for_cpu))
		return false;
	thread = runner_of(to);
	if (!thread)
		return false;
	gave = tpz_host_yield_to(thread);
	put_task_struct(thread);
	if (gave)
		tpz_count(&v->m->yields);
	return gave;
}

static bool may_take(const struct tpz_vcpu *v, const struct tpz_vcpu *to)
{
	return to && to != v && READ_ONCE(to->waits_for_cpu);
}

/* To each in turn: nobody knows whom it spins for */
static void yield_to_any(struct tpz_vcpu *v)
{
	struct tpz_vm *vm = v->vm;
	const unsigned int turn = READ_ONCE(vm->yield_turn);
	unsigned int tries = TRIES, i;

	for (i = 1; i <= TPZ_MAX_VCPUS && tries; i++) {
		struct tpz_vcpu *to = READ_ONCE(vm->vcpu[(turn + i) % TPZ_MAX_VCPUS]);

		if (!may_take(v, to))
			continue;
		WRITE_ONCE(vm->yield_turn, to->id);
		if (tpz_yield_to(v, to))
			return;
		tries--;
	}
}

/* Under TPZ_TRAP_PAUSE each PAUSE comes here, so that says nothing of spinning */
TPZ_HANDLER(tpz_on_pause_fast)
{
	if (tpz_has_others(v))	/* slowly, with interrupts on: Bochs takes the host's there alone (lab.md) */
		return TPZ_SLOW;
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

TPZ_HANDLER(tpz_on_pause)
{
	tpz_skip_insn(v);
	if (!(v->vm->traps & TPZ_TRAP_PAUSE))
		yield_to_any(v);
	return TPZ_RESUME;
}
