/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The KVM-compatible clock as guests read it (Linux, Documentation/virt/kvm/x86/msr.rst).
 */
#ifndef TRAPEZE_TEST_CLOCK_H
#define TRAPEZE_TEST_CLOCK_H

#include "guest.h"

#define MSR_SYSTEM_TIME		0x4b564d01
#define ENABLE			1		/* bit of its value; the rest is the page's address */

/* The page that MSR_SYSTEM_TIME names (struct pvclock_vcpu_time_info) */
struct clock_page {
	__u32 version;
	__u32 pad0;
	__u64 tsc_timestamp;
	__u64 system_time;
	__u32 mul;
	__s8 shift;
	__u8 flags;
	__u8 pad[2];
};

/* As a guest reads the clock whose page is at @page */
static inline __u64 clock_ns_at(volatile struct clock_page *page)
{
	__u32 version;
	__u64 ns;

	do {
		version = page->version;
		asm volatile("lfence" : : : "memory");
		__u64 delta = rdtsc() - page->tsc_timestamp;

		delta = page->shift < 0 ? delta >> -page->shift : delta << page->shift;
		ns = page->system_time + (__u64)((unsigned __int128)delta * page->mul >> 32);
		asm volatile("" : : : "memory");
	} while ((version & 1) || version != page->version);
	return ns;
}

#endif /* TRAPEZE_TEST_CLOCK_H */
