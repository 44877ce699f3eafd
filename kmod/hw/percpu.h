/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages that each CPU's virtualization hardware needs for itself, whoever runs on it.
 */
#ifndef TPZ_HW_PERCPU_H
#define TPZ_HW_PERCPU_H

#include <linux/types.h>

#define TPZ_CPU_PAGES	2	/* at most */

int tpz_cpu_pages_alloc(unsigned int count);	/* for each possible CPU, zeroed, near it. May sleep. 0 or -ENOMEM */
void tpz_cpu_pages_free(void);
void *tpz_cpu_page(int cpu, unsigned int index);

#endif /* TPZ_HW_PERCPU_H */
