// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload: find the backend, set up what all VMs share, open the device.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include "cpu/cpu.h"
#include "cpus.h"
#include "device.h"
#include "host.h"
#include "hw/hw.h"
#include "mem/mem.h"
#include "vm.h"

const struct tpz_hw *tpz_hw;

static char *enable = "load";
module_param(enable, charp, 0444);
MODULE_PARM_DESC(enable, "when CPUs enter virtualization operation: load (default) or first-vm");

bool tpz_test_mode;
module_param_named(test, tpz_test_mode, bool, 0444);
MODULE_PARM_DESC(test, "allow TPZ_POKE, for the selftests (default: no)");

/* The first backend whose vendor's extension this CPU has decides */
static int find_backend(void)
{
	static const struct tpz_hw *const backends[] = { &tpz_hw_vmx };
	unsigned int i;
	int ret = -ENODEV;

	for (i = 0; i < ARRAY_SIZE(backends) && ret == -ENODEV; i++) {
		ret = backends[i]->probe();
		if (!ret)
			tpz_hw = backends[i];
	}
	if (ret == -ENODEV)
		pr_err("this CPU has no VMX (CPUID.1:ECX[5] is 0): a processor with Intel VT-x is needed, or a lab machine (make lab)\n");
	return ret;
}

static int parse_enable(bool *at_load)
{
	*at_load = !strcmp(enable, "load");
	if (*at_load || !strcmp(enable, "first-vm"))
		return 0;
	pr_err("enable=%s is unknown; it is load or first-vm\n", enable);
	return -EINVAL;
}

static int __init trapeze_init(void)
{
	bool at_load;
	int ret;

	ret = parse_enable(&at_load) ?: tpz_fpu_init() ?: find_backend();
	if (ret)
		return ret;
	tpz_host_mitigations_init();
	preempt_notifier_inc();
	ret = tpz_cpus_init(at_load, tpz_vm_host_resumed);
	if (ret)
		goto remove_backend;
	ret = tpz_device_init();
	if (ret)
		goto exit_cpus;
	pr_info("%s, CPUs on: %u\n", tpz_hw->name, tpz_cpus_on());
	return 0;

exit_cpus:
	tpz_cpus_exit();
remove_backend:
	preempt_notifier_dec();
	tpz_hw->remove();
	return ret;
}

static void __exit trapeze_exit(void)
{
	tpz_device_exit();
	tpz_mem_exit();
	tpz_cpus_exit();
	preempt_notifier_dec();
	tpz_hw->remove();
}

module_init(trapeze_init);
module_exit(trapeze_exit);

MODULE_DESCRIPTION("Trapeze: a hypervisor in one module");
MODULE_AUTHOR("The Trapeze developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(TPZ_MODULE_VERSION);
