// SPDX-License-Identifier: GPL-2.0
/* Pages of each CPU: see percpu.h. */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/topology.h>
#include "percpu.h"

struct cpu_pages {
	void *page[TPZ_CPU_PAGES];
};

static DEFINE_PER_CPU(struct cpu_pages, cpu_pages);	/* written at load and unload */

void *tpz_cpu_page(int cpu, unsigned int index)
{
	return per_cpu(cpu_pages, cpu).page[index];
}

static void *zeroed_page(int cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

int tpz_cpu_pages_alloc(unsigned int count)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cpu_pages *c = &per_cpu(cpu_pages, cpu);

		for (i = 0; i < count; i++) {
			c->page[i] = zeroed_page(cpu);
			if (!c->page[i]) {
				tpz_cpu_pages_free();
				return -ENOMEM;
			}
		}
	}
	return 0;
}

void tpz_cpu_pages_free(void)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cpu_pages *c = &per_cpu(cpu_pages, cpu);

		for (i = 0; i < TPZ_CPU_PAGES; i++) {
			free_page((unsigned long)c->page[i]);
			c->page[i] = NULL;
		}
	}
}
