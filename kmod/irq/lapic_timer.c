// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer (SDM .5.4) on a timer of the host.
 *
 *	one-shot, periodic	the count goes down by one each TIMER_NS * divisor nanoseconds: a bus of 1 GHz, as KVM has
 *	TSC deadline		fires when the guest's TSC reaches IA32_TSC_DEADLINE
 *
 * The host's timer may fire a little before the TSC gets there (the host's clock is disciplined, the TSC is not):
 * the callback looks at the TSC, and waits on. So a deadline is never early. One that has passed already fires at once.
 * Expiry puts the vector into IRR whether or not the vCPU runs; ticks that nobody takes become one.
 *
 * Who may touch what: struct tpz_apic in lapic.h.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <asm/tsc.h>
#include "../host.h"
#include "lapic.h"

#define TIMER_NS		1
#define TIMER_MIN_PERIOD_NS	(100 * NSEC_PER_USEC)	/* a shorter one would burden the host without end */
#define TIMER_MAX_SLEEP_MS	(3600 * MSEC_PER_SEC)	/* a deadline further away is looked at every hour */

static u32 timer_mode(const struct tpz_apic *apic)
{
	return READ_ONCE(apic->lvt[LVT_TIMER]) & LVT_TIMER_MODE;
}

/* 2, 4, 8, 16, 32, 64, 128, 1 for the register's bits 3, 1, 0 (SDM .5.4, figure "Divide Configuration Register") */
static unsigned int divisor(u32 divide)
{
	unsigned int code = (divide & 3) | (divide & 8) >> 1;

	return 1u << ((code + 1) & 7);
}

static u64 count_ns(u32 count, u32 divide)
{
	return (u64)count * divisor(divide) * TIMER_NS;
}

/*
 * tpz_timer_max_left_ns() - the longest time that a timer with this initial count may still have to go
 */
u64 tpz_timer_max_left_ns(u32 initial, u32 divide)
{
	return max_t(u64, count_ns(initial, divide), TIMER_MIN_PERIOD_NS);
}

/* ------------------------------------------------------------------ TSC deadline, SDM .5.4.1 */

/* Nanoseconds of the host's clock until the guest's TSC is at the deadline; 0: it is */
static u64 deadline_left_ns(const struct tpz_apic *apic)
{
	u64 now = rdtsc_ordered() + apic->deadline_offset;
	u64 cycles;

	if (now >= apic->deadline)
		return 0;
	cycles = min_t(u64, apic->deadline - now, TIMER_MAX_SLEEP_MS * tsc_khz);
	return mul_u64_u32_div(cycles, NSEC_PER_MSEC, tsc_khz) + 1;
}

/* Disarms, then fires */
static void deadline_fire(struct tpz_apic *apic)
{
	WRITE_ONCE(apic->deadline, 0);
	tpz_apic_local(apic, LVT_TIMER);
}

static void deadline_arm(struct tpz_apic *apic, u64 tsc)
{
	u64 left;

	WRITE_ONCE(apic->deadline, tsc);
	apic->deadline_offset = apic->v->tsc_offset;
	if (!tsc)
		return;
	left = deadline_left_ns(apic);
	if (left)
		hrtimer_start(&apic->timer, ns_to_ktime(left), HRTIMER_MODE_REL_HARD);
	else
		deadline_fire(apic);
}

/*
 * tpz_timer_set_deadline() - the guest writes IA32_TSC_DEADLINE; ignored in the other modes
 */
void tpz_timer_set_deadline(struct tpz_apic *apic, u64 tsc)
{
	if (timer_mode(apic) != LVT_TIMER_DEADLINE)
		return;
	hrtimer_cancel(&apic->timer);
	deadline_arm(apic, tsc);
}

/*
 * tpz_timer_deadline() - what the guest reads: 0 once it has fired, and in the other modes
 */
u64 tpz_timer_deadline(const struct tpz_apic *apic)
{
	return READ_ONCE(apic->deadline);
}

void tpz_apic_tsc_moved(struct tpz_vcpu *v)
{
	struct tpz_apic *apic = v->apic;

	if (!apic || timer_mode(apic) != LVT_TIMER_DEADLINE)
		return;
	hrtimer_cancel(&apic->timer);
	deadline_arm(apic, apic->deadline);
}

/* ------------------------------------------------------------------ one-shot and periodic, SDM .5.4 */

static void count_start(struct tpz_apic *apic, u64 ns)
{
	if (timer_mode(apic) == LVT_TIMER_PERIODIC)
		ns = max_t(u64, ns, TIMER_MIN_PERIOD_NS);
	hrtimer_start(&apic->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_HARD);
}

/*
 * tpz_timer_set_initial() - writing the initial count starts the timer, 0 stops it; ignored in TSC-deadline mode
 */
void tpz_timer_set_initial(struct tpz_apic *apic, u32 count)
{
	if (timer_mode(apic) == LVT_TIMER_DEADLINE)
		return;
	hrtimer_cancel(&apic->timer);
	apic->initial = count;
	apic->period_ns = count_ns(count, apic->divide);
	if (count)
		count_start(apic, apic->period_ns);
}

/*
 * tpz_timer_left_ns() - one-shot and periodic: time to the next tick; 0: stopped
 */
u64 tpz_timer_left_ns(const struct tpz_apic *apic)
{
	s64 left;

	if (timer_mode(apic) == LVT_TIMER_DEADLINE || !hrtimer_active(&apic->timer))
		return 0;
	left = ktime_to_ns(hrtimer_get_remaining(&apic->timer));
	return max_t(s64, left, 1);	/* its callback is due, or running */
}

/*
 * tpz_timer_current() - the current count
 */
u32 tpz_timer_current(const struct tpz_apic *apic)
{
	u64 left = div_u64(tpz_timer_left_ns(apic), divisor(apic->divide) * TIMER_NS);

	return min_t(u64, left, apic->initial);	/* a period may have been lengthened */
}

/*
 * tpz_timer_set_divide() - a running count goes on from where it is, at the new pace
 */
void tpz_timer_set_divide(struct tpz_apic *apic, u32 divide)
{
	u32 current_count = tpz_timer_current(apic);

	if (current_count)
		hrtimer_cancel(&apic->timer);
	apic->divide = divide;
	apic->period_ns = count_ns(apic->initial, divide);
	if (current_count)
		count_start(apic, count_ns(current_count, divide));
}

/* ------------------------------------------------------------------ all modes */

/*
 * tpz_timer_stop() - stopped, disarmed, the initial count 0
 */
void tpz_timer_stop(struct tpz_apic *apic)
{
	hrtimer_cancel(&apic->timer);
	apic->initial = 0;
	apic->period_ns = 0;
	WRITE_ONCE(apic->deadline, 0);
}

/*
 * tpz_timer_set_lvt() - a new entry in the local vector table: from or to TSC-deadline mode disarms (SDM .5.4.1)
 *
 * Between one-shot and periodic the count goes on; what happens at its end is the mode's then. So it is with the mask.
 */
void tpz_timer_set_lvt(struct tpz_apic *apic, u32 lvt)
{
	u32 changed = (lvt ^ apic->lvt[LVT_TIMER]) & LVT_TIMER_MODE;

	if (changed & LVT_TIMER_DEADLINE)
		tpz_timer_stop(apic);
	WRITE_ONCE(apic->lvt[LVT_TIMER], lvt);
}

/*
 * tpz_timer_restore() - the timer of a state that user space sets; its registers are in place, and it is stopped
 */
void tpz_timer_restore(struct tpz_apic *apic, u64 left_ns, u64 deadline)
{
	apic->period_ns = count_ns(apic->initial, apic->divide);
	if (timer_mode(apic) == LVT_TIMER_DEADLINE)
		deadline_arm(apic, deadline);
	else if (left_ns)
		hrtimer_start(&apic->timer, ns_to_ktime(left_ns), HRTIMER_MODE_REL_HARD);
}

static enum hrtimer_restart restart_in(struct hrtimer *timer, u64 ns)
{
	hrtimer_forward_now(timer, ns_to_ktime(ns));
	return HRTIMER_RESTART;
}

/* Hard interrupt, on any CPU */
static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct tpz_apic *apic = container_of(timer, struct tpz_apic, timer);
	u64 left;

	switch (timer_mode(apic)) {
	case LVT_TIMER_DEADLINE:
		left = deadline_left_ns(apic);
		if (left)
			return restart_in(timer, left);
		deadline_fire(apic);
		return HRTIMER_NORESTART;
	case LVT_TIMER_PERIODIC:
		tpz_apic_local(apic, LVT_TIMER);
		return restart_in(timer, max_t(u64, apic->period_ns, TIMER_MIN_PERIOD_NS));
	default:
		tpz_apic_local(apic, LVT_TIMER);
		return HRTIMER_NORESTART;
	}
}

void tpz_timer_init(struct tpz_apic *apic)
{
	tpz_hrtimer_setup(&apic->timer, timer_expired, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
}
