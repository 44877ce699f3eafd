// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's TSC: the host's, at the host's frequency, moved by v->tsc_offset. The CPU adds the offset itself, so
 * that RDTSC costs no exit; only writing it does.
 */
#include <linux/cache.h>
#include <linux/time64.h>
#include <asm/msr.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include "../irq/irq.h"
#include "time.h"

u64 tpz_guest_tsc(const struct tpz_vcpu *v)
{
	return rdtsc_ordered() + v->tsc_offset;
}

/*
 * What is bound to the TSC follows: the deadline timer keeps its deadline in guest cycles; the clock page is
 * rewritten, so that the guest's clock does not jump with its TSC.
 */
void tpz_set_guest_tsc(struct tpz_vcpu *v, u64 tsc)
{
	v->tsc_offset = tsc - rdtsc_ordered();
	preempt_disable();
	if (likely(v->on_cpu))		/* else the next load takes it from v */
		tpz_hw->set_tsc_offset(v, v->tsc_offset);
	preempt_enable();
	tpz_apic_tsc_moved(v);
	set_bit(TPZ_REQ_CLOCK, &v->requests);
}

/*
 * tpz_tsc_scale() - the factor nanoseconds / cycles as precise as 32 bits of it can be: 2^31 <= mul < 2^32
 */
struct tpz_scale tpz_tsc_scale(void)
{
	u64 hz = (u64)tsc_khz * 1000;
	s8 shift = 0;

	/* ns = cycles * 10^9 / hz: first bring hz into (10^9, 2 * 10^9] by shifting the cycles, so that mul < 2^32 */
	while (hz > 2 * NSEC_PER_SEC) {
		hz >>= 1;
		shift--;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		shift++;
	}
	return (struct tpz_scale){ .mul = div64_u64((u64)NSEC_PER_SEC << 32, hz), .shift = shift };
}

u64 tpz_tsc_to_ns(u64 cycles)
{
	struct tpz_scale scale = tpz_tsc_scale();

	return pvclock_scale_delta(cycles, scale.mul, scale.shift);
}
