// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 (i8254.c) in a VM: a host timer fires when counter 0's output rises, and pulses line 0. A rise that a port
 * write itself makes is none: software programs the chip, and waits for the count.
 *
 * The timer is only started, never waited for, under the lock: its callback takes the lock, looks what is due, and starts
 * the timer anew. A callback that comes for what has been replaced finds nothing due.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "../host.h"
#include "i8254.h"
#include "irq.h"

#define TIMER_LINE	0
#define MIN_PERIOD_NS	100000	/* a guest can't keep the host busy with shorter ones */

struct tpz_pit {
	struct tpz_vm *vm;	/* (c) */
	u64 created;		/* (c) ktime: tick 0 */
	struct hrtimer timer;
	raw_spinlock_t lock;
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
	bool rises;
	u64 now;

	raw_spin_lock_irqsave(&pit->lock, flags);
	now = ticks_now(pit);
	rises = now >= pit->due;
	if (rises)
		arm(pit, now);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	if (rises) {
		tpz_irq_set_line(pit->vm, TIMER_LINE, true);
		tpz_irq_set_line(pit->vm, TIMER_LINE, false);
	}
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
