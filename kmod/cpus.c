// SPDX-License-Identifier: GPL-2.0
/*
 * Every CPU into virtualization operation and out of it: at load or with the first VM, as CPUs come and go, around
 * suspend, before a reboot or kexec, and in a crash.
 *
 * A module's hotplug callback runs while a CPU still has (or already has) other threads on it, so "this CPU is on"
 * (tpz_this_cpu_on()) is asked before a vCPU is loaded, and with interrupts off before each entry.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/mutex.h>
#include "cpus.h"
#include "host.h"
#include "hw/hw.h"

static DEFINE_MUTEX(lock);		/* guards users and hotplug_state */
static unsigned int users;		/* VMs alive, plus one with enable=load */
static int hotplug_state = -1;		/* valid while users > 0 */
static atomic_t cpus_on;
static bool gone;			/* set once, before a reboot */

bool tpz_cpus_gone(void)
{
	return READ_ONCE(gone);
}

unsigned int tpz_cpus_on(void)
{
	return atomic_read(&cpus_on);
}

/* ---- one CPU. Interrupts off, on that CPU */

static int on_here(void)
{
	int ret;

	if (tpz_this_cpu_on())
		return 0;
	ret = READ_ONCE(gone) ? -ESHUTDOWN : tpz_hw->cpu_on();
	if (ret)
		return ret;
	__this_cpu_write(tpz_cpu_on, true);
	atomic_inc(&cpus_on);
	return 0;
}

static void off_here(void)
{
	if (!tpz_this_cpu_on())
		return;
	__this_cpu_write(tpz_cpu_on, false);	/* before: an NMI may look */
	tpz_hw->cpu_off();
	atomic_dec(&cpus_on);
}

static void off_by_ipi(void *unused)
{
	off_here();
}

/* ---- CPUs that come and go */

static int hotplug_online(unsigned int cpu)
{
	unsigned long flags;
	int ret;

	local_irq_save(flags);
	ret = on_here();
	local_irq_restore(flags);
	if (ret == -EBUSY)
		pr_err_ratelimited("CPU %u: another hypervisor holds %s; unload it first\n", cpu, tpz_hw->name);
	else if (ret)
		pr_err_ratelimited("CPU %u: %s could not be turned on (%d)\n", cpu, tpz_hw->name, ret);
	return ret;
}

static int hotplug_offline(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	off_here();
	local_irq_restore(flags);
	return 0;
}

/* Before a crash kernel runs: this CPU, from NMI context */
static void crash(void)
{
	tpz_hw->cpu_crash();
}

static int all_on(void)
{
	int ret;

	tpz_host_claim(tpz_hw->rival);		/* first: what is not here now stays away */
	ret = tpz_hw_available(tpz_hw);
	if (ret) {
		tpz_host_release(NULL);
		return ret;
	}
	tpz_host_on_crash(crash);
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/trapeze:online", hotplug_online, hotplug_offline);
	if (ret < 0) {
		tpz_host_release(crash);
		return ret;
	}
	hotplug_state = ret;
	return 0;
}

static void all_off(void)
{
	cpuhp_remove_state(hotplug_state);	/* calls hotplug_offline() on each CPU */
	tpz_host_release(crash);
}

int tpz_cpus_get(void)
{
	int ret = 0;

	mutex_lock(&lock);
	if (!users)
		ret = all_on();
	if (!ret)
		users++;
	mutex_unlock(&lock);
	return ret;
}

void tpz_cpus_put(void)
{
	mutex_lock(&lock);
	if (!--users)
		all_off();
	mutex_unlock(&lock);
}

/* ---- the machine as a whole. With one CPU online, or by the hook's own rules: no lock */

static void (*host_resumed)(void);	/* set at load */

static void machine_suspend(void)
{
	off_here();
}

static void machine_resume(void)
{
	if (READ_ONCE(users) && on_here())
		pr_err("%s could not be turned on again after the host slept\n", tpz_hw->name);
	host_resumed();
}

static void machine_reboot(void)
{
	WRITE_ONCE(gone, true);
	on_each_cpu(off_by_ipi, NULL, 1);
}

static const struct tpz_host_events events = {
	.suspend = machine_suspend,
	.resume = machine_resume,
	.reboot = machine_reboot,
};

static bool held_at_load;

int tpz_cpus_init(bool at_load, void (*resumed)(void))
{
	int ret;

	host_resumed = resumed;
	ret = tpz_host_register(&events);
	if (ret)
		return ret;
	if (at_load) {
		ret = tpz_cpus_get();
		if (ret)
			tpz_host_unregister();
		held_at_load = !ret;
	}
	return ret;
}

void tpz_cpus_exit(void)
{
	if (held_at_load)
		tpz_cpus_put();
	tpz_host_unregister();
}
