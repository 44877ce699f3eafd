// SPDX-License-Identifier: GPL-2.0
/*
 * A module that breaks the lab's kernel on request, to show that the lab notices.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static bool oops, warn, spin, reuse, shift, order, sleep, leak, object;
module_param(oops, bool, 0);
module_param(warn, bool, 0);
module_param(spin, bool, 0);
module_param(reuse, bool, 0);
module_param(shift, bool, 0);
module_param(order, bool, 0);
module_param(sleep, bool, 0);
module_param(leak, bool, 0);
module_param(object, bool, 0);

/* ---- what only a debug kernel notices */

static noinline void use_after_free(void)
{
	volatile u8 *bytes = kzalloc(64, GFP_KERNEL);

	kfree((void *)bytes);
	if (bytes)
		bytes[8] = 1;
}

static noinline void shift_too_far(void)
{
	volatile int bits = 40, one = 1;

	one <<= bits;
}

static noinline void lock_both_ways(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void sleep_with_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static noinline void forget_memory(void)
{
	memset(kmalloc(1000, GFP_KERNEL | __GFP_NOFAIL), 0x5a, 1000);
}

static void on_timer(struct timer_list *timer)
{
}

static noinline void free_armed_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL | __GFP_NOFAIL);

	timer_setup(timer, on_timer, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void break_quietly(void)
{
	if (reuse)
		use_after_free();
	if (shift)
		shift_too_far();
	if (order)
		lock_both_ways();
	if (sleep)
		sleep_with_spinlock();
	if (leak)
		forget_memory();
	if (object)
		free_armed_timer();
}

static int __init broken_init(void)
{
	if (oops)
		WRITE_ONCE(*(volatile int *)8, 1);
	WARN_ON(warn);
	break_quietly();
	if (spin) {
		local_irq_disable();
		for (;;)
			barrier();	/* not PAUSE: QEMU counts few of them in a second */
	}
	return 0;
}

static void __exit broken_exit(void)
{
}

module_init(broken_init);
module_exit(broken_exit);
MODULE_DESCRIPTION("Breaks the lab's kernel on purpose");
MODULE_LICENSE("GPL");
