// SPDX-License-Identifier: GPL-2.0
/*
 * A module that breaks the lab's kernel on request, to show that the lab notices.
 */
#include <linux/irqflags.h>
#include <linux/module.h>

static bool oops, warn, spin;
module_param(oops, bool, 0);
module_param(warn, bool, 0);
module_param(spin, bool, 0);

static int __init broken_init(void)
{
	if (oops)
		WRITE_ONCE(*(volatile int *)8, 1);
	WARN_ON(warn);
	if (spin) {
		local_irq_disable();
		for (;;)
			cpu_relax();
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
