/* SPDX-License-Identifier: GPL-2.0 */
/* Pages of memory with a struct page each: right behind the page. Physical addresses are virtual ones. */
#ifndef COMPAT_LINUX_MM_H
#define COMPAT_LINUX_MM_H

#include <linux/list.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL

struct page {
	unsigned long private;
	struct list_head lru;
};

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_ZERO		0
#define NR_SECONDARY_PAGETABLE	0

extern long pages_alive;	/* the test's: pages allocated and not freed */

static inline struct page *virt_to_page(const void *address)
{
	return (struct page *)((char *)address + PAGE_SIZE);
}

static inline void *page_address(struct page *page)
{
	return (char *)page - PAGE_SIZE;
}

static inline struct page *alloc_page(int gfp)
{
	void *address = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);

	(void)gfp;
	memset(address, 0, PAGE_SIZE);
	memset((char *)address + PAGE_SIZE, 0xa5, PAGE_SIZE);
	pages_alive++;
	return virt_to_page(address);
}

static inline void __free_page(struct page *page)
{
	pages_alive--;
	free(page_address(page));
}

static inline unsigned long page_private(struct page *page)
{
	return page->private;
}

static inline void set_page_private(struct page *page, unsigned long value)
{
	page->private = value;
}

static inline void mod_lruvec_page_state(struct page *page, int item, int change)
{
	(void)page, (void)item, (void)change;
}

#define __va(pa)		((void *)(uintptr_t)(pa))
#define __pa(va)		((uintptr_t)(va))
#define ALIGN_DOWN(x, to)	((x) & ~((__typeof__(x))(to) - 1))
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile __typeof__(x) *)&(x) = (value))
#define smp_wmb()		__asm__ volatile("" : : : "memory")
#define __ffs64(x)		((unsigned int)__builtin_ctzll(x))

static inline void clear_bit(unsigned int bit, unsigned long *word)
{
	*word &= ~(1UL << bit);
}

static inline bool test_and_clear_bit(unsigned int bit, unsigned long *word)
{
	return __atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_RELAXED) >> bit & 1;
}

#define X86_BUG_ITLB_MULTIHIT	0
extern bool cpu_has_bug;	/* the test's */
#define boot_cpu_has_bug(bug)	((void)(bug), cpu_has_bug)

#endif
