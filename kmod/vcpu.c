// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU: its creation, the loop that runs it, and its thread's comings and goings on CPUs.
 *
 * The life of one trap: deliver() what is due, enter the guest, charge the exit, answer it fast with interrupts still
 * off, or slowly with everything on; round and round until a record for user space is filled.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/tsc.h>
#include "cpu/cpu.h"
#include "cpus.h"
#include "exit.h"
#include "host.h"
#include "host_guest.h"
#include "irq/irq.h"
#include "mem/mem.h"
#include "pv/pv.h"
#include "time/time.h"
#include "vm.h"
#include "watch/meters.h"

/* ---- onto a CPU and off it */

static void load(struct tpz_vcpu *v, int cpu)
{
	v->cpu = cpu;
	v->on_cpu = tpz_this_cpu_on() && !tpz_hw->vcpu_load(v);
}

static void unload(struct tpz_vcpu *v)
{
	if (v->on_cpu)
		tpz_hw->vcpu_put(v);
	v->on_cpu = false;
	v->cpu = -1;
	tpz_steal_away(v);
}

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct tpz_vcpu *v = container_of(notifier, struct tpz_vcpu, notifier);

	WRITE_ONCE(v->waits_for_cpu, false);
	load(v, cpu);
}

static void sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct tpz_vcpu *v = container_of(notifier, struct tpz_vcpu, notifier);

	unload(v);
	WRITE_ONCE(v->waits_for_cpu, tpz_host_thread_runnable());
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

int tpz_vcpu_get(struct tpz_vcpu *v)
{
	if (v->vm->mm != current->mm)
		return -EXDEV;
	if (mutex_lock_killable(&v->lock))
		return -EINTR;
	preempt_disable();
	preempt_notifier_register(&v->notifier);
	load(v, smp_processor_id());
	preempt_enable();
	return 0;
}

void tpz_vcpu_put(struct tpz_vcpu *v)
{
	preempt_disable();
	unload(v);
	preempt_notifier_unregister(&v->notifier);
	preempt_enable();
	mutex_unlock(&v->lock);
}

/* ---- events into the guest */

/* A trap of the last instruction comes before an NMI or an interrupt (SDM vol. 3A, 6.9): the entry delivers it alone */
static bool debug_trap_due(const struct tpz_vcpu *v)
{
	return v->s.pending_debug & (TPZ_PENDING_DEBUG_BS | TPZ_PENDING_DEBUG_ENABLED);
}

/* A CPU whose control structure has no field for a trap that waits is told of it as an exception */
static bool debug_trap_is_ours(struct tpz_vcpu *v)
{
	if (likely(tpz_hw->pending_debug))
		return false;
	tpz_fetch(v, TPZ_P_SHADOW);
	return unlikely(debug_trap_due(v)) && !v->s.mov_ss_shadow;
}

static bool can_take_interrupt(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_RFLAGS | TPZ_P_SHADOW);
	return (v->s.rflags & X86_EFLAGS_IF) && !v->s.sti_shadow && !v->s.mov_ss_shadow && !debug_trap_due(v);
}

static bool can_take_nmi(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_SHADOW);
	return !v->s.nmi_blocked && !v->s.mov_ss_shadow && !v->s.sti_shadow && !debug_trap_due(v);
}

/* What an earlier entry began and an exit cut off comes first; then a trap; an NMI; an interrupt (SDM vol. 3A, 6.9) */
static void choose_event(struct tpz_vcpu *v)
{
	if (v->event.valid)
		return;
	if (debug_trap_is_ours(v)) {
		const u64 traps = v->s.pending_debug;

		v->s.pending_debug = 0;
		tpz_dirty(v, TPZ_P_SHADOW);
		tpz_queue_debug(v, traps);
		return;
	}
	if (atomic_read(&v->nmi_pending) && can_take_nmi(v)) {
		atomic_set(&v->nmi_pending, 0);
		v->event = (struct tpz_event) { .valid = true, .type = TPZ_EVENT_NMI, .vector = X86_TRAP_NMI };
		tpz_count(&v->m->injected_nmis);
		return;
	}
	if (v->apic && tpz_apic_pending(v) >= 0 && can_take_interrupt(v)) {
		int vector = tpz_apic_accept(v);

		if (vector < 0)
			return;
		v->event = (struct tpz_event) { .valid = true, .type = TPZ_EVENT_INTR, .vector = vector };
		tpz_eoi_consider(v);
		tpz_count(&v->m->injected_interrupts);
	}
}

static void open_windows(struct tpz_vcpu *v)
{
	tpz_hw->windows(v, v->apic && tpz_apic_pending(v) >= 0, atomic_read(&v->nmi_pending));
}

/* Interrupts off, right before the entry */
static void deliver(struct tpz_vcpu *v)
{
	choose_event(v);
	if (v->event.valid)
		tpz_hw->inject(v, &v->event);
	if (unlikely(v->eoi.state == TPZ_EOI_CONSIDER))
		tpz_eoi_promise(v);
	open_windows(v);
}

/* ---- meters */

/* An exit that is over: what the host spent on it goes to its reason */
static void charge_host(struct tpz_vcpu *v, u8 reason, u64 now)
{
	struct tpz_vcpu_meters *m = v->m;
	u64 cycles = now - v->left_tsc;

	tpz_add(&m->host_cycles, cycles);
	tpz_add(&m->reason[reason].cycles, cycles);
	v->left_tsc = now;
}

static void charge_exit(struct tpz_vcpu *v)
{
	struct tpz_vcpu_meters *m = v->m;

	tpz_count(&m->entries);
	tpz_add(&m->guest_cycles, v->exit.tsc - v->entered_tsc);
	tpz_count(&m->exits);
	tpz_count(&m->reason[v->exit.reason].count);
	v->left_tsc = v->exit.tsc;
}

/* ---- one stay: as many entries as fast handlers answer */

/* Requests that interrupts-off code can serve. Return: true if some other one waits */
static bool serve_requests(struct tpz_vcpu *v)
{
	if (likely(!READ_ONCE(v->requests)))
		return false;
	if (test_and_clear_bit(TPZ_REQ_FLUSH, &v->requests))
		tpz_hw->flush(v);
	clear_bit(TPZ_REQ_EVENT, &v->requests);		/* deliver() looks anew at each entry */
	return READ_ONCE(v->requests);
}

/* Never with the guest's FPU state in the registers: softirqs run here, and may use them */
static void take_host_interrupts(struct tpz_vcpu *v)
{
	v->host_ran = true;
	local_irq_enable();
	/* One instruction later they are taken; the tick among them finds that the time is the guest's */
	asm volatile("nop" : : : "memory");
	local_irq_disable();
}

/*
 * Return: TPZ_RESUME: something waits that needs the slow loop; TPZ_SLOW: v->exit does; TPZ_TO_USER; or -ESHUTDOWN.
 * Interrupts off, preemption off.
 */
static int stay(struct tpz_vcpu *v)
{
	enum tpz_next next;
	u8 before;

	for (;;) {
		smp_store_mb(v->mode, TPZ_IN_GUEST);	/* before the look at the request word: see tpz_kick() */
		if (unlikely(!v->on_cpu) || serve_requests(v) || tpz_host_work_pending())
			return TPZ_RESUME;
		deliver(v);
		before = v->exit.reason;
		if (unlikely(!tpz_this_cpu_on() || tpz_hw->enter(v)))
			return -ESHUTDOWN;
		tpz_meters_begin(v->m);
		charge_host(v, before, v->entered_tsc);
		charge_exit(v);
		tpz_meters_done(v->m);
		if (v->exit.reason == TPZ_EXIT_HOST_INTERRUPT) {
			tpz_fpu_save(v);
			take_host_interrupts(v);
			tpz_fpu_load(v);
		}
		next = tpz_exit_fast(v);
		if (next != TPZ_RESUME)
			return next;
		if (unlikely(v->activity != TPZ_ACTIVITY_RUN || v->vm->dead))
			return TPZ_RESUME;
	}
}

static int run_guest(struct tpz_vcpu *v)
{
	int next;

	preempt_disable();
	local_irq_disable();
	tpz_fpu_load(v);
	guest_timing_enter_irqoff();
	v->host_ran = true;
	next = stay(v);
	tpz_fpu_save(v);
	tpz_host_guest_ran();
	WRITE_ONCE(v->mode, TPZ_OUTSIDE);
	take_host_interrupts(v);	/* a tick that ended the stay is charged as the guest's */
	guest_timing_exit_irqoff();
	local_irq_enable();
	preempt_enable();
	return next;
}

/* ---- scanned slots */

/* The next look at them: by the CPU's own timer, else by one of the host's */
static void plan_look(struct tpz_vcpu *v)
{
	const u32 us = READ_ONCE(v->vm->scan_us);

	if (likely(!us))
		v->timer_at = 0;
	else if (!(tpz_hw->traps() & TPZ_TRAP_TIMER))
		tpz_mem_scan_later(v->vm);
	else if (!v->timer_at)
		v->timer_at = rdtsc() + (u64)us * tsc_khz / 1000;
}

/* What the run itself reports: no trap of its own. Return: 0 */
static int report_own(struct tpz_vcpu *v, enum tpz_exit_reason reason)
{
	v->exit.reason = reason;
	v->exit.insn_bytes = 0;
	v->exit.raw_reason = 0;
	v->exit.qualification = 0;
	tpz_user_exit(v, reason);
	return 0;
}

/* Return: 1: nothing has changed; 0: a record is filled */
static int look_at_slots(struct tpz_vcpu *v)
{
	v->timer_at = 0;
	return tpz_mem_scan(v) ? report_own(v, TPZ_EXIT_SCANNED) : 1;
}

/* ---- halted */

static bool init_waits(struct tpz_vcpu *v)
{
	return READ_ONCE(v->requests) & (BIT(TPZ_REQ_INIT) | BIT(TPZ_REQ_SIPI));
}

/* A CPU that waits for its start-up message takes nothing else (SDM vol. 3A, 9.4.2) */
static bool wakes(struct tpz_vcpu *v)
{
	if (READ_ONCE(v->vm->dead) || init_waits(v))
		return true;
	return v->activity == TPZ_ACTIVITY_HLT &&
	       (v->event.valid || debug_trap_due(v) ||
		(atomic_read(&v->nmi_pending) && !v->s.nmi_blocked) || READ_ONCE(v->kicked) ||
		(v->apic && (v->s.rflags & X86_EFLAGS_IF) && tpz_apic_pending(v) >= 0));
}

static int sleep_until_woken(struct tpz_vcpu *v)
{
	u64 start = rdtsc(), slept;
	int ret;

	tpz_fetch(v, TPZ_P_RFLAGS | TPZ_P_SHADOW);
	ret = rcuwait_wait_event(&v->wait, wakes(v), TASK_INTERRUPTIBLE);
	slept = rdtsc() - start;
	tpz_meters_begin(v->m);
	tpz_add(&v->m->halted_cycles, slept);
	tpz_meters_done(v->m);
	v->left_tsc += slept;		/* not the exit's own cost */
	return ret ? -EINTR : 0;
}

/* Return: 1: go on; 0: a record is filled; -EINTR */
static int leave_halt(struct tpz_vcpu *v)
{
	int ret;

	/* Nothing in here ends SHUTDOWN; nor, without a local APIC, the wait for a start-up message */
	if (v->activity == TPZ_ACTIVITY_SHUTDOWN || (v->activity == TPZ_ACTIVITY_WAIT_SIPI && !v->apic)) {
		tpz_user_exit(v, TPZ_EXIT_TRIPLE_FAULT);
		return 0;
	}
	ret = READ_ONCE(v->vm->scan_us) ? look_at_slots(v) : 1;
	if (ret != 1)
		return ret;
	ret = sleep_until_woken(v);
	if (ret)
		return ret;
	if (init_waits(v))
		tpz_cpu_take_init(v);
	else if (v->activity == TPZ_ACTIVITY_HLT)
		v->activity = TPZ_ACTIVITY_RUN;
	WRITE_ONCE(v->kicked, false);	/* the guest looks for itself why it was woken */
	return 1;
}

/* ---- the loop */

static int report_dead(struct tpz_vcpu *v)
{
	struct tpz_run *run;

	smp_rmb();	/* why was complete before dead was set */
	v->user_exit = false;
	run = tpz_user_exit(v, TPZ_EXIT_DEAD);
	memcpy(run->dead.why, v->vm->why, sizeof(run->dead.why));
	return 0;
}

/* The CPU's monitor trap flag counts only what the CPU itself runs; this instruction was carried out by a handler */
static int report_step(struct tpz_vcpu *v)
{
	return report_own(v, TPZ_EXIT_SINGLE_STEP);
}

/* This CPU is on its way offline, or the machine is going down. Return: 1: look again; or an error */
static int wait_for_cpu(struct tpz_vcpu *v)
{
	if (tpz_cpus_gone())
		return -ESHUTDOWN;
	schedule_timeout_uninterruptible(1);
	return 1;
}

/* Everything that may sleep before the next stay. Return: 1: enter; 0: a record is filled; or an error */
static int prepare(struct tpz_vcpu *v)
{
	int ret = tpz_host_handle_work();

	if (ret)
		return ret;
	clear_bit(TPZ_REQ_DEAD, &v->requests);
	smp_mb__after_atomic();		/* then look: tpz_vm_kill() has them the other way round */
	if (test_and_clear_bit(TPZ_REQ_CLOCK, &v->requests))
		tpz_clock_update(v);
	if (unlikely(test_and_clear_bit(TPZ_REQ_SCAN, &v->requests))) {
		ret = look_at_slots(v);
		if (ret != 1)
			return ret;
	}
	if (unlikely(test_and_clear_bit(TPZ_REQ_STEP, &v->requests)))
		return report_step(v);
	if (unlikely(init_waits(v)))
		tpz_cpu_take_init(v);
	while (unlikely(v->activity != TPZ_ACTIVITY_RUN && !READ_ONCE(v->vm->dead))) {
		ret = leave_halt(v);
		if (ret <= 0)
			return ret;
	}
	if (unlikely(READ_ONCE(v->vm->dead)))
		return report_dead(v);
	plan_look(v);
	tpz_steal_update(v);		/* last: it was away while it was halted */
	return unlikely(!READ_ONCE(v->on_cpu)) ? wait_for_cpu(v) : 1;
}

static int loop(struct tpz_vcpu *v)
{
	int ret;

	for (;;) {
		ret = prepare(v);
		if (ret <= 0)
			return ret;
		ret = run_guest(v);
		if (ret == TPZ_SLOW)
			ret = tpz_exit_slow(v);
		if (ret == TPZ_TO_USER)
			return 0;
		if (ret == TPZ_NO_MEMORY)
			return -ENOMEM;
		if (ret < 0)
			return ret;
	}
}

/* The launcher's answer to the last run's exit. Return: 1: go on; 0: a record is filled; or an error */
static int commit_answer(struct tpz_vcpu *v)
{
	int ret = 1;

	if (v->io_pending || v->mmio_pending) {
		ret = v->io_pending ? tpz_io_complete(v) : tpz_mmio_complete(v);
		ret = ret > 0 ? 0 : ret ?: 1;
	}
	if (ret == 1 && READ_ONCE(v->run->immediate_exit))
		ret = -EINTR;
	return ret;
}

int tpz_vcpu_run(struct tpz_vcpu *v)
{
	int ret;

	v->user_exit = false;
	v->left_tsc = rdtsc();
	v->exit.reason = TPZ_EXIT_INTERRUPTED;	/* until an exit comes, what the host does is for the call itself */
	WRITE_ONCE(v->runner, current);
	ret = commit_answer(v);
	if (ret == 1)
		ret = loop(v);
	WRITE_ONCE(v->runner, NULL);
	if ((ret == -EINTR || ret == -ENOMEM) && !v->user_exit)
		tpz_user_exit(v, TPZ_EXIT_INTERRUPTED);
	tpz_mem_scan(v);	/* what the guest wrote before the exit comes before it */
	tpz_meters_begin(v->m);
	charge_host(v, v->exit.reason, rdtsc());
	tpz_count(&v->m->user_exits);
	tpz_meters_done(v->m);
	return ret;
}

/* ---- creation and end */

static int create_parts(struct tpz_vcpu *v)
{
	int ret = tpz_processor_create(v) ?: tpz_fpu_create(v);

	if (ret)
		return ret;
	if (v->vm->devices & TPZ_DEVICE_LAPIC)
		ret = tpz_apic_create(v);
	if (ret)
		return ret;
	v->cr4_allowed = tpz_cr4_allowed(v);
	/* A CPU on its way offline has left virtualization operation; the next one that this thread gets has not */
	while ((ret = tpz_hw->vcpu_create(v)) == -ESHUTDOWN && !tpz_cpus_gone() && !fatal_signal_pending(current))
		schedule_timeout_uninterruptible(1);
	return ret;
}

static int first_state(struct tpz_vcpu *v)
{
	int ret = tpz_vcpu_get(v);

	if (ret)
		return ret;
	tpz_cpu_reset(v);
	tpz_dirty(v, TPZ_P_ALL);
	v->tsc_offset = v->vm->tsc_offset;	/* each load looks at it */
	tpz_vcpu_put(v);
	return 0;
}

/* Is there such a socket, core and thread? */
static bool in_topology(const struct tpz_topology *t, u32 id)
{
	return id >> t->package_bits < t->sockets &&
	       (id & (BIT(t->package_bits) - 1)) >> t->thread_bits < t->cores &&
	       (id & (BIT(t->thread_bits) - 1)) < t->threads;
}

struct tpz_vcpu *tpz_vcpu_create(struct tpz_vm *vm, u32 id)
{
	struct tpz_vcpu *v;
	int ret;

	if (id >= TPZ_MAX_VCPUS || !in_topology(&vm->topology, id))
		return ERR_PTR(-EINVAL);
	if (vm->mm != current->mm)
		return ERR_PTR(-EXDEV);
	if (mutex_lock_killable(&vm->lock))
		return ERR_PTR(-EINTR);
	ret = -EEXIST;
	if (vm->vcpu[id])
		goto unlock;
	ret = -ENOMEM;
	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		goto unlock;
	v->vm = vm;
	v->id = id;
	v->cpu = -1;
	v->cached = TPZ_P_ALL;		/* until the first stay everything is in memory */
	mutex_init(&v->lock);
	rcuwait_init(&v->wait);
	preempt_notifier_init(&v->notifier, &preempt_ops);
	v->run = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_COMP, get_order(TPZ_RUN_BYTES));
	v->m = tpz_meters_add_vcpu(vm, id);
	if (!v->run || !v->m)
		goto destroy;
	v->run_data = (void *)v->run + TPZ_RUN_DATA_OFFSET;
	ret = create_parts(v) ?: first_state(v);
	if (ret)
		goto destroy;
	WRITE_ONCE(vm->vcpu[id], v);
	WRITE_ONCE(vm->vcpus, vm->vcpus + 1);
	mutex_unlock(&vm->lock);
	return v;

destroy:
	tpz_vcpu_destroy(v);
unlock:
	mutex_unlock(&vm->lock);
	return ERR_PTR(ret);
}

void tpz_vcpu_destroy(struct tpz_vcpu *v)
{
	if (v->apic)
		tpz_apic_destroy(v);
	tpz_hw->vcpu_destroy(v);
	tpz_fpu_destroy(v);
	tpz_processor_destroy(v);
	/* A mapping of the run pages may outlive us: each holds its own reference */
	if (v->run)
		free_pages((unsigned long)v->run, get_order(TPZ_RUN_BYTES));
	kfree(v);
}
