// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 (i8254.c) in a VM: a host timer fires when counter 0's output rises, and pulses line 0. A rise that a port
 * write itself makes is none: software programs the chip, and waits for the count.
 *
 * The timer is only started, never waited for, under the lock: its callback takes the lock, looks what is due, and
 * starts the timer anew. A callback that comes for what has been replaced finds nothing due. The line is pulsed under the
 * lock, so that a state is from before or after it.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "../host.h"
#include "i8254.h"
#include "irq.h"

#define TIMER_LINE	0
#define MIN_PERIOD_NS	100000	/* a guest can't keep the host busy with shorter ones */

struct tpz_pit {
	struct tpz_vm *vm;	/* (c) */
	struct hrtimer timer;
	raw_spinlock_t lock;
	u64 created;		/* @lock: ktime of tick 0 */
	struct i8254 chip;	/* @lock */
	u64 due;		/* @lock: the tick of the next rise, or I8254_NEVER */
};

static u64 ticks_now(const struct tpz_pit *pit)
{
	return mul_u64_u32_div(ktime_get_ns() - pit->created, I8254_HZ, NSEC_PER_SEC);
}

/* Under @lock. Rounded up: at that time the tick has come */
static void arm(struct tpz_pit *pit, u64 now)
{
	u64 at;

	pit->due = i8254_next_rise(&pit->chip.counter[0], now);
	if (pit->due == I8254_NEVER)
		return;
	at = pit->created + mul_u64_u32_div(pit->due, NSEC_PER_SEC, I8254_HZ) + 1;
	at = max(at, ktime_get_ns() + MIN_PERIOD_NS);
	hrtimer_start(&pit->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_HARD);
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct tpz_pit *pit = container_of(timer, struct tpz_pit, timer);
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&pit->lock, flags);
	now = ticks_now(pit);
	if (now >= pit->due) {
		arm(pit, now);
		tpz_irq_set_line(pit->vm, TIMER_LINE, true);
		tpz_irq_set_line(pit->vm, TIMER_LINE, false);
	}
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return HRTIMER_NORESTART;
}

bool tpz_pit_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value)
{
	struct tpz_pit *pit = v->vm->pit;
	unsigned long flags;
	u64 now;

	if (!pit || !i8254_is_port(port))
		return false;
	raw_spin_lock_irqsave(&pit->lock, flags);
	now = ticks_now(pit);
	if (in) {
		*value = i8254_read(&pit->chip, port, now);
	} else {
		i8254_write(&pit->chip, port, *value, now);
		if (port == 0x40 || port == 0x43)
			arm(pit, now);
	}
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return true;
}

/* ------------------------------------------------------------------ state group TPZ_VM_STATE_PIT */

#define MAX_TICKS	(1ull << 50)	/* 29 years; in nanoseconds it still fits */

static void get_counter(const struct i8254_counter *c, struct tpz_pit_counter *st)
{
	*st = (struct tpz_pit_counter) {
		.start = c->start,
		.halted = c->halted,
		.count = c->count,
		.latch = c->latch,
		.mode = c->mode,
		.access = c->access,
		.low = c->low,
		.latched = c->latched,
		.status = c->status,
		.flags = (c->bcd ? TPZ_PIT_BCD : 0) | (c->gate ? TPZ_PIT_GATE : 0) |
			 (c->loaded ? TPZ_PIT_LOADED : 0) | (c->triggered ? TPZ_PIT_TRIGGERED : 0) |
			 (c->write_high ? TPZ_PIT_WRITE_HIGH : 0) | (c->read_high ? TPZ_PIT_READ_HIGH : 0) |
			 (c->status_latched ? TPZ_PIT_STATUS_LATCHED : 0),
	};
}

static void set_counter(struct i8254_counter *c, const struct tpz_pit_counter *st)
{
	*c = (struct i8254_counter) {
		.start = st->start,
		.halted = st->halted,
		.count = st->count,
		.mode = st->mode,
		.access = st->access,
		.bcd = st->flags & TPZ_PIT_BCD,
		.gate = st->flags & TPZ_PIT_GATE,
		.loaded = st->flags & TPZ_PIT_LOADED,
		.triggered = st->flags & TPZ_PIT_TRIGGERED,
		.write_high = st->flags & TPZ_PIT_WRITE_HIGH,
		.read_high = st->flags & TPZ_PIT_READ_HIGH,
		.low = st->low,
		.latched = st->latched,
		.latch = st->latch,
		.status_latched = st->flags & TPZ_PIT_STATUS_LATCHED,
		.status = st->status,
	};
}

void tpz_pit_get_state(struct tpz_vm *vm, struct tpz_pit_state *st)
{
	struct tpz_pit *pit = vm->pit;
	unsigned long flags;
	unsigned int i;

	memset(st, 0, sizeof(*st));
	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < 3; i++)
		get_counter(&pit->chip.counter[i], &st->counter[i]);
	st->ticks = ticks_now(pit);
	st->speaker = pit->chip.speaker;
	st->pending = st->ticks >= pit->due;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

static const char *check_counter(const struct tpz_pit_counter *st, u64 ticks)
{
	const bool both = st->access == 3, triggers = st->mode == 1 || st->mode == 5;

	if (st->mode > 5)
		return "mode: 0 to 5";
	if (!st->access || st->access > 3)
		return "access: 1 to 3";
	if (!st->count || st->count > (st->flags & TPZ_PIT_BCD ? 10000 : 65536) || (st->mode == 3 && st->count < 2))
		return "count: 1 to 65536 (BCD: 10000); mode 3: from 2";
	if (st->start > ticks || st->halted > ticks)
		return "start, halted: later than now";
	if (st->latched > (both ? 2 : 1))
		return "latched: as many bytes as the access has";
	if ((st->flags & ~0x7fu) || st->pad)
		return "flags: unknown ones";
	if (!both && (st->flags & (TPZ_PIT_WRITE_HIGH | TPZ_PIT_READ_HIGH)))
		return "flags: a high byte is next, where one byte is all";
	if (!triggers && (st->flags & TPZ_PIT_TRIGGERED))
		return "flags: triggered, in a mode that no gate triggers";
	return NULL;
}

const char *tpz_pit_check_state(const struct tpz_pit_state *st)
{
	const char *bad;
	unsigned int i;

	if (st->ticks > MAX_TICKS)
		return "ticks: at most 2^50";
	for (i = 0; i < 3; i++) {
		bad = check_counter(&st->counter[i], st->ticks);
		if (bad)
			return bad;
		if (i < 2 && !(st->counter[i].flags & TPZ_PIT_GATE))
			return "flags: the gates of counters 0 and 1 are high";
	}
	if (st->speaker > 1 || st->pending > 1 || memchr_inv(st->pad, 0, sizeof(st->pad)))
		return "speaker, pending: 0 or 1";
	return NULL;
}

/* A rise that is pending comes as soon as the timer may */
void tpz_pit_set_state(struct tpz_vm *vm, const struct tpz_pit_state *st)
{
	struct tpz_pit *pit = vm->pit;
	unsigned long flags;
	unsigned int i;
	u64 now;

	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < 3; i++)
		set_counter(&pit->chip.counter[i], &st->counter[i]);
	pit->chip.speaker = st->speaker;
	now = ktime_get_ns();
	pit->created = now - mul_u64_u32_div(st->ticks, NSEC_PER_SEC, I8254_HZ) - 1;
	arm(pit, st->ticks);
	if (st->pending) {
		pit->due = st->ticks;
		hrtimer_start(&pit->timer, ns_to_ktime(now), HRTIMER_MODE_ABS_HARD);
	}
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

/* ------------------------------------------------------------------ life */

int tpz_pit_create(struct tpz_vm *vm)
{
	struct tpz_pit *pit;

	if (!(vm->devices & TPZ_DEVICE_PIT))
		return 0;
	pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	if (!pit)
		return -ENOMEM;
	pit->vm = vm;
	pit->created = ktime_get_ns();
	pit->due = I8254_NEVER;
	raw_spin_lock_init(&pit->lock);
	i8254_init(&pit->chip);
	tpz_hrtimer_setup(&pit->timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	vm->pit = pit;
	return 0;
}

/* No vCPU runs, so nobody but the callback starts the timer, and hrtimer_cancel() waits for that */
void tpz_pit_destroy(struct tpz_vm *vm)
{
	if (!vm->pit)
		return;
	hrtimer_cancel(&vm->pit->timer);
	kfree(vm->pit);
	vm->pit = NULL;
}
