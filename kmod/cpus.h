/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every CPU into virtualization operation and out of it, whatever the backend.
 */
#ifndef TPZ_CPUS_H
#define TPZ_CPUS_H

#include <linux/types.h>

/**
 * tpz_cpus_init() - take part in CPU hotplug, suspend, reboot and crash
 * @at_load: turn on every CPU now
 * @resumed: called after the host slept and its boot CPU is on again; interrupts off, all threads frozen
 *
 * Return: 0; -EBUSY: another hypervisor holds some CPU (printed). May sleep.
 */
int tpz_cpus_init(bool at_load, void (*resumed)(void));
void tpz_cpus_exit(void);

/* With enable=first-vm: the first VM turns the CPUs on, the last one off. May sleep */
int tpz_cpus_get(void);
void tpz_cpus_put(void);

unsigned int tpz_cpus_on(void);		/* how many are in virtualization operation now */
bool tpz_cpus_gone(void);		/* the machine is going down: no CPU will come back */

#endif /* TPZ_CPUS_H */
