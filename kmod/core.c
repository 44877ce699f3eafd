// SPDX-License-Identifier: GPL-2.0
/*
 * What every layer may call: the kick, the flush of all vCPUs, the end of a VM, the exit record.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include "core.h"
#include "cpus.h"
#include "host.h"
#include "hw/hw.h"

DEFINE_PER_CPU(bool, tpz_cpu_on);

/* The interrupt itself is the message: it ends the stay in the guest */
static void interrupt_guest(struct tpz_vcpu *v)
{
	int cpu;

	preempt_disable();	/* the CPU that we see cannot go offline meanwhile */
	cpu = READ_ONCE(v->cpu);
	if (READ_ONCE(v->mode) == TPZ_IN_GUEST && cpu >= 0 && cpu != smp_processor_id())
		tpz_host_interrupt(cpu);
	preempt_enable();
}

void tpz_kick(struct tpz_vcpu *v)
{
	interrupt_guest(v);
	rcuwait_wake_up(&v->wait);
}

/* In the guest, and not since the request was made: the run loop clears the bit before each entry */
static bool flush_outstanding(struct tpz_vcpu *v)
{
	return smp_load_acquire(&v->mode) == TPZ_IN_GUEST && test_bit(TPZ_REQ_FLUSH, &v->requests);
}

void tpz_flush_all(struct tpz_vm *vm)
{
	struct tpz_vcpu *v;
	int i;

	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		v = READ_ONCE(vm->vcpu[i]);
		if (!v)
			continue;
		set_bit(TPZ_REQ_FLUSH, &v->requests);
		smp_mb__after_atomic();		/* the bit before the mode; the run loop has them the other way round */
		interrupt_guest(v);
	}
	/* All CPUs are on their way out of the guest at once */
	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		v = READ_ONCE(vm->vcpu[i]);
		while (v && flush_outstanding(v))
			cpu_relax();
	}
}

void tpz_vm_kill(struct tpz_vm *vm, const char *fmt, ...)
{
	va_list args;
	int i;

	if (atomic_xchg(&vm->dying, 1))
		return;
	va_start(args, fmt);
	vscnprintf(vm->why, sizeof(vm->why), fmt, args);
	va_end(args);
	smp_store_release(&vm->dead, true);
	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		struct tpz_vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (v)
			tpz_request(v, TPZ_REQ_DEAD);
	}
}

struct tpz_run *tpz_user_exit(struct tpz_vcpu *v, enum tpz_exit_reason reason)
{
	struct tpz_run *run = v->run;
	const struct tpz_exit *x = &v->exit;
	bool trap = x->reason == reason;

	memset(run->words, 0, sizeof(run->words));
	run->reason = reason;
	run->insn_bytes = trap ? x->insn_bytes : 0;
	run->raw_reason = trap ? x->raw_reason : 0;
	run->qualification = trap ? x->qualification : 0;
	run->rip = tpz_rip(v);
	v->user_exit = true;
	return run;
}

void tpz_fetch_slow(struct tpz_vcpu *v, u32 parts)
{
	preempt_disable();
	/*
	 * A CPU that goes offline leaves virtualization operation before the last thread has left it, and so does
	 * every CPU before a reboot: there is nothing to read then until this thread runs on another CPU, or never.
	 */
	while (unlikely(!v->on_cpu) && !tpz_cpus_gone() && !fatal_signal_pending(current)) {
		preempt_enable();
		schedule_timeout_uninterruptible(1);
		preempt_disable();
	}
	if (likely(v->on_cpu))
		tpz_hw->fetch(v, parts);
	v->cached |= parts;
	preempt_enable();
}
