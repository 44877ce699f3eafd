// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC of a vCPU: how an interrupt comes in, waits, and is taken.
 *
 *	a message, a timer, an error	tpz_apic_deliver(): IRR, and a bit in v->requests
 *	the run loop asks		tpz_apic_pending(): which one could be taken now
 *	the run loop takes it		tpz_apic_accept(): IRR to ISR
 *	the guest is done with it	tpz_apic_eoi(): out of ISR; the next one may come
 *
 * Parts: (i) priorities, (ii) coming in, (iii) being taken, (iv) life. Sending is in lapic_message.c, the registers as the guest sees
 * them are in lapic_msr.c, the timer is in lapic_timer.c.
 *
 * x2APIC mode's MSRs and xAPIC mode's MMIO page (lapic_mmio.c) are two ways to the same functions of lapic_msr.c.
 */
#include <linux/slab.h>
#include <asm/tsc.h>
#include "lapic.h"

#define APIC_CLASS(vector)	((vector) & 0xf0)

/* ------------------------------------------------------------------ (i) priorities, SDM .8.3 */

/* The highest bit set, or -1 */
static int highest(const unsigned long *bitmap)
{
	unsigned int bit = find_last_bit(bitmap, TPZ_VECTORS);

	return bit < TPZ_VECTORS ? (int)bit : -1;
}

/*
 * tpz_apic_ppr() - the processor priority: the higher of the task's and that of the interrupt in service
 */
u32 tpz_apic_ppr(const struct tpz_apic *apic)
{
	int in_service = highest(apic->isr);
	u32 tpr = READ_ONCE(apic->tpr);

	if (in_service < 0 || APIC_CLASS(tpr) >= APIC_CLASS(in_service))
		return tpr;
	return APIC_CLASS(in_service);
}

/* The vector in IRR that PPR lets through, or -1 */
static int deliverable(const struct tpz_apic *apic)
{
	int vector = highest(apic->irr);

	if (vector < 0 || APIC_CLASS(vector) <= APIC_CLASS(tpz_apic_ppr(apic)))
		return -1;
	return vector;
}

bool tpz_apic_enabled(const struct tpz_vcpu *v)
{
	return v->apic && (READ_ONCE(v->apic_base) & MSR_IA32_APICBASE_ENABLE);
}

bool tpz_apic_x2(const struct tpz_vcpu *v)
{
	return tpz_apic_enabled(v) && (READ_ONCE(v->apic_base) & APIC_BASE_EXTD);
}

/*
 * Does the 8259's INTR reach this vCPU? By the IMCR it is wired to vCPU 0's own INTR, or to its LINT0. With the APIC
 * switched off that pin is INTR too (SDM .4.3); otherwise the local vector table decides. ExtINT knows no priority
 * (SDM .5.1).
 */
static bool extint_open(const struct tpz_vcpu *v)
{
	u32 lint0;

	if (!v->vm->pic || v->id)
		return false;
	if (!tpz_apic_enabled(v) || tpz_pic_direct(v->vm))
		return true;
	lint0 = READ_ONCE(v->apic->lvt[LVT_LINT0]);
	return (lint0 & (LVT_MASKED | LVT_MODE)) == LVT_MODE_EXTINT;
}

/*
 * tpz_apic_recheck() - the owner changed what may be delivered: have the run loop look, if there is something
 */
void tpz_apic_recheck(struct tpz_vcpu *v)
{
	if (tpz_apic_pending(v) >= 0)
		set_bit(TPZ_REQ_EVENT, &v->requests);
}

/* ------------------------------------------------------------------ (ii) coming in */

/*
 * tpz_apic_error() - detected errors wait for the guest to write ESR; the first one interrupts (SDM .5.3)
 * @bits: of ESR
 * Context: any.
 */
void tpz_apic_error(struct tpz_apic *apic, u32 bits)
{
	if (!atomic_fetch_or(bits, &apic->errors))
		tpz_apic_local(apic, LVT_ERROR);
}

/*
 * tpz_apic_deliver() - accept a fixed interrupt (SDM .8.4)
 * @level: level-triggered: goes to TMR, which IRR's reader sees not older than IRR
 * Context: any.
 */
void tpz_apic_deliver(struct tpz_apic *apic, u32 vector, bool level)
{
	if (vector < TPZ_FIRST_VECTOR) {
		tpz_apic_error(apic, ESR_RECEIVE_ILLEGAL);
		return;
	}
	if (level)
		set_bit(vector, apic->tmr);
	else
		clear_bit(vector, apic->tmr);
	smp_mb__before_atomic();
	if (!test_and_set_bit(vector, apic->irr))
		tpz_request(apic->v, TPZ_REQ_EVENT);
	/* else: whoever set it has told the vCPU, and the two are one (SDM .8.4) */
}

/*
 * tpz_apic_nmi() - an NMI, from wherever. Context: any
 */
void tpz_apic_nmi(struct tpz_vcpu *v)
{
	atomic_set(&v->nmi_pending, 1);
	tpz_request(v, TPZ_REQ_EVENT);
}

/*
 * tpz_apic_local() - a local source fires: by its entry of the local vector table (SDM .5.1)
 *
 * LINT1, the machine's NMI button, will come in here. ExtINT (LINT0) is not delivered but looked for (extint_open()).
 * SMI and INIT of a local source have no meaning here: there is no SMM, and no source whose INIT a guest could expect.
 * Context: any.
 */
void tpz_apic_local(struct tpz_apic *apic, enum tpz_lvt lvt)
{
	u32 entry = READ_ONCE(apic->lvt[lvt]);

	if (entry & LVT_MASKED)
		return;
	switch (entry & LVT_MODE) {
	case LVT_MODE_FIXED:
		tpz_apic_deliver(apic, entry & LVT_VECTOR, false);
		break;
	case LVT_MODE_NMI:
		tpz_apic_nmi(apic->v);
		break;
	}
}

void tpz_apic_lint0_rises(struct tpz_vcpu *v)
{
	if (tpz_apic_enabled(v))
		tpz_apic_local(v->apic, LVT_LINT0);
	if (extint_open(v))
		tpz_request(v, TPZ_REQ_EVENT);
}

/* ------------------------------------------------------------------ (iii) being taken */

int tpz_apic_pending(struct tpz_vcpu *v)
{
	if (extint_open(v) && tpz_pic_pending(v->vm))
		return tpz_pic_vector(v->vm);
	return tpz_apic_enabled(v) ? deliverable(v->apic) : -1;
}

static int accept_fixed(struct tpz_apic *apic)
{
	int vector = deliverable(apic);

	if (vector >= 0) {
		clear_bit(vector, apic->irr);
		set_bit(vector, apic->isr);
	}
	return vector;
}

int tpz_apic_accept(struct tpz_vcpu *v)
{
	int vector = -1;

	if (extint_open(v) && tpz_pic_pending(v->vm))
		vector = tpz_pic_accept(v->vm);
	else if (tpz_apic_enabled(v))
		vector = accept_fixed(v->apic);
	tpz_apic_recheck(v);
	return vector;
}

/*
 * tpz_apic_eoi() - the guest ends the interrupt in service (SDM .8.5)
 *
 * A level-triggered one (TMR) is told to the I/O APIC.
 */
void tpz_apic_eoi(struct tpz_apic *apic)
{
	int vector = highest(apic->isr);

	if (vector < 0)
		return;
	clear_bit(vector, apic->isr);
	if (test_bit(vector, apic->tmr))
		tpz_ioapic_eoi(apic->v->vm, vector);
	tpz_apic_recheck(apic->v);
}

/* CR8 is bits 7:4 of the task priority (SDM vol. 3A, 10.8.6.1) */
void tpz_apic_set_tpr(struct tpz_apic *apic, u32 tpr)
{
	WRITE_ONCE(apic->tpr, tpr);
	apic->v->s.cr8 = tpr >> 4;
}

void tpz_apic_set_cr8(struct tpz_vcpu *v)
{
	tpz_apic_set_tpr(v->apic, v->s.cr8 << 4);
	tpz_apic_recheck(v);
}

/* ------------------------------------------------------------------ (iv) life */

/*
 * tpz_apic_reset() - the state after power-up or reset (SDM .4.7.1), with LINT0 as firmware leaves it
 */
void tpz_apic_reset(struct tpz_apic *apic)
{
	struct tpz_vcpu *v = apic->v;
	unsigned int i;

	tpz_timer_stop(apic);
	bitmap_zero(apic->irr, TPZ_VECTORS);
	bitmap_zero(apic->isr, TPZ_VECTORS);
	bitmap_zero(apic->tmr, TPZ_VECTORS);
	atomic_set(&apic->errors, 0);
	apic->esr = 0;
	apic->icr = 0;
	apic->divide = 0;
	WRITE_ONCE(apic->ldr, 0);
	WRITE_ONCE(apic->dfr, DFR_FLAT | DFR_ONES);
	tpz_apic_set_tpr(apic, 0);
	WRITE_ONCE(apic->svr, SVR_VECTOR);
	for (i = 0; i < LVTS; i++)
		WRITE_ONCE(apic->lvt[i], LVT_MASKED);
	if (v->vm->pic && !v->id)
		WRITE_ONCE(apic->lvt[LVT_LINT0], LVT_MODE_EXTINT);
}

void tpz_apic_init(struct tpz_vcpu *v)
{
	tpz_apic_reset(v->apic);
}

int tpz_apic_create(struct tpz_vcpu *v)
{
	struct tpz_apic *apic;

	if (!(v->vm->devices & TPZ_DEVICE_LAPIC))
		return 0;
	if (!tsc_khz)
		return -ENODEV;
	apic = kzalloc(sizeof(*apic), GFP_KERNEL_ACCOUNT);
	if (!apic)
		return -ENOMEM;
	apic->v = v;
	tpz_timer_init(apic);
	tpz_apic_reset(apic);
	v->apic_base = APIC_BASE_X2APIC | (v->id ? 0 : MSR_IA32_APICBASE_BSP);
	v->apic = apic;
	set_bit(TPZ_REQ_EVENT, &v->requests);	/* an input of the 8259 may stand high already */
	return 0;
}

void tpz_apic_destroy(struct tpz_vcpu *v)
{
	if (!v->apic)
		return;
	hrtimer_cancel(&v->apic->timer);
	kfree(v->apic);
	v->apic = NULL;
}
