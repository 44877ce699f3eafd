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

static char *backend = "auto";
module_param(backend, charp, 0444);
MODULE_PARM_DESC(backend, "the virtualization extension to use: auto (default), vmx or svm");

static char *decode = "needed";
module_param(decode, charp, 0444);
MODULE_PARM_DESC(decode, "which trapped instructions are decoded: needed (default), or always, and compared with what the CPU told, for the selftests");

static const struct {
	const char *name;
	const struct tpz_hw *hw;
	const char *missing;
} backends[] = {
	{ "vmx", &tpz_hw_vmx, "this CPU has no VMX (CPUID.1:ECX[5] is 0): that takes a processor with Intel VT-x" },
	{ "svm", &tpz_hw_svm, "this CPU has no SVM (CPUID.80000001h:ECX[2] is 0): that takes a processor with AMD-V" },
};

/* The first backend whose vendor's extension this CPU has decides, or the one that was asked for */
static int find_backend(void)
{
	const bool any = !strcmp(backend, "auto");
	const char *missing = "this CPU has neither VMX (Intel VT-x) nor SVM (AMD-V)";
	bool known = any;
	unsigned int i;
	int ret = -ENODEV;

	for (i = 0; i < ARRAY_SIZE(backends) && ret == -ENODEV; i++) {
		if (!any && strcmp(backend, backends[i].name))
			continue;
		known = true;
		ret = backends[i].hw->probe();
		if (!ret)
			tpz_hw = backends[i].hw;
		if (!any)
			missing = backends[i].missing;
	}
	if (!known) {
		pr_err("backend=%s is unknown; it is auto, vmx or svm\n", backend);
		return -EINVAL;
	}
	if (ret == -ENODEV)
		pr_err("%s; without one, there is the lab (make lab)\n", missing);
	return ret;
}

/* A parameter that is one of two words. Return: 0 or 1: which; -EINVAL */
static int one_of(const char *parameter, const char *value, const char *first, const char *second)
{
	if (!strcmp(value, first))
		return 0;
	if (!strcmp(value, second))
		return 1;
	pr_err("%s=%s is unknown; it is %s or %s\n", parameter, value, first, second);
	return -EINVAL;
}

static int parse_parameters(bool *at_load)
{
	int which = one_of("enable", enable, "load", "first-vm");

	if (which < 0)
		return which;
	*at_load = !which;
	which = one_of("decode", decode, "needed", "always");
	if (which > 0)
		static_branch_enable(&tpz_decode_always);
	return min(which, 0);
}

static int __init trapeze_init(void)
{
	bool at_load;
	int ret;

	ret = parse_parameters(&at_load) ?: tpz_fpu_init() ?: find_backend();
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
