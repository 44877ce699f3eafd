// SPDX-License-Identifier: GPL-2.0
/*
 * The state group TPZ_STATE_LAPIC: the local APIC as 16-byte register slots, and its timer.
 *
 * Registers that follow from others (PPR, the current count) are told and not read back. Identity (ID, version,
 * LDR) must be the vCPU's own.
 */
#include <linux/string.h>
#include "lapic.h"

#define SLOT_BYTES	16

static_assert(TPZ_LAPIC_BYTES == APIC_REGS * SLOT_BYTES);

static u32 get_reg(const struct tpz_lapic *st, unsigned int reg)
{
	u32 value;

	memcpy(&value, st->regs + reg * SLOT_BYTES, sizeof(value));
	return value;
}

static void put_reg(struct tpz_lapic *st, unsigned int reg, u32 value)
{
	memcpy(st->regs + reg * SLOT_BYTES, &value, sizeof(value));
}

static u64 get_icr(const struct tpz_lapic *st)
{
	return get_reg(st, APIC_REG_ICR) | (u64)get_reg(st, APIC_REG_ICR_HIGH) << 32;
}

/* ------------------------------------------------------------------ get */

static void put_bitmap(struct tpz_lapic *st, unsigned int reg, const unsigned long *bitmap)
{
	u32 words[TPZ_VECTORS / 32];
	unsigned int i;

	bitmap_to_arr32(words, bitmap, TPZ_VECTORS);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		put_reg(st, reg + i, words[i]);
}

void tpz_apic_get_state(struct tpz_vcpu *v, struct tpz_lapic *st)
{
	const struct tpz_apic *apic = v->apic;
	unsigned int i;

	memset(st, 0, sizeof(*st));
	if (!apic)
		return;
	put_reg(st, APIC_REG_ID, tpz_apic_read(apic, APIC_REG_ID));
	put_reg(st, APIC_REG_VERSION, APIC_VERSION);
	put_reg(st, APIC_REG_TPR, apic->tpr);
	put_reg(st, APIC_REG_PPR, tpz_apic_ppr(apic));
	put_reg(st, APIC_REG_LDR, tpz_apic_read(apic, APIC_REG_LDR));
	put_reg(st, APIC_REG_DFR, tpz_apic_read(apic, APIC_REG_DFR));
	put_reg(st, APIC_REG_SVR, apic->svr);
	put_bitmap(st, APIC_REG_ISR, apic->isr);
	put_bitmap(st, APIC_REG_TMR, apic->tmr);
	put_bitmap(st, APIC_REG_IRR, apic->irr);
	put_reg(st, APIC_REG_ESR, apic->esr);
	put_reg(st, APIC_REG_ICR, apic->icr);
	put_reg(st, APIC_REG_ICR_HIGH, apic->icr >> 32);
	for (i = 0; i < LVTS; i++)
		put_reg(st, APIC_REG_LVT + i, apic->lvt[i]);
	put_reg(st, APIC_REG_INITIAL, apic->initial);
	put_reg(st, APIC_REG_CURRENT, tpz_timer_current(apic));
	put_reg(st, APIC_REG_DIVIDE, apic->divide);
	st->tsc_deadline = tpz_timer_deadline(apic);
	st->timer_left_ns = tpz_timer_left_ns(apic);
}

/* ------------------------------------------------------------------ check */

static int refuse(char *bad, size_t bad_bytes, const char *why)
{
	strscpy(bad, why, bad_bytes);
	return -EINVAL;
}

/* Nothing may stand beside and between the registers */
static bool padding_clear(const struct tpz_lapic *st)
{
	unsigned int i;

	for (i = 0; i < APIC_REGS; i++) {
		bool exists = tpz_apic_readable(i) || i == APIC_REG_ICR_HIGH || i == APIC_REG_DFR;

		if (memchr_inv(st->regs + i * SLOT_BYTES + 4, 0, SLOT_BYTES - 4) || (!exists && get_reg(st, i)))
			return false;
	}
	return true;
}

/* As xAPIC mode has them: DFR tells, which x2APIC mode has not */
static bool xapic_form(const struct tpz_lapic *st)
{
	return get_reg(st, APIC_REG_DFR);
}

static const char *xapic_identity_wrong(const struct tpz_vcpu *v, const struct tpz_lapic *st)
{
	if (get_reg(st, APIC_REG_ID) != v->id << 24)
		return "lapic ID: is not the vCPU's number";
	if ((get_reg(st, APIC_REG_DFR) & DFR_ONES) != DFR_ONES)
		return "lapic DFR: reserved bits are clear";
	if (get_reg(st, APIC_REG_LDR) & ~LDR_WRITABLE)
		return "lapic LDR: reserved bits are set";
	return NULL;
}

static const char *identity_wrong(const struct tpz_vcpu *v, const struct tpz_lapic *st)
{
	if (get_reg(st, APIC_REG_VERSION) != APIC_VERSION)
		return "lapic version: is not this local APIC's";
	if (xapic_form(st))
		return xapic_identity_wrong(v, st);
	if (get_reg(st, APIC_REG_ID) != v->id)
		return "lapic ID: is not the vCPU's number";
	if (get_reg(st, APIC_REG_LDR) != tpz_apic_logical_id(v))
		return "lapic LDR: does not follow from the ID";
	return NULL;
}

/* A value that the guest could not have written */
static const char *registers_wrong(const struct tpz_lapic *st)
{
	static const struct {
		u8 reg;
		const char *why;
	} checks[] = {
		{ APIC_REG_TPR, "lapic TPR: reserved bits are set" },
		{ APIC_REG_SVR, "lapic SVR: reserved bits are set" },
		{ APIC_REG_LVT + LVT_TIMER, "lapic LVT timer: reserved bits or mode" },
		{ APIC_REG_LVT + LVT_THERMAL, "lapic LVT thermal: reserved bits are set" },
		{ APIC_REG_LVT + LVT_PERF, "lapic LVT performance counters: reserved bits are set" },
		{ APIC_REG_LVT + LVT_LINT0, "lapic LVT LINT0: reserved bits are set" },
		{ APIC_REG_LVT + LVT_LINT1, "lapic LVT LINT1: reserved bits are set" },
		{ APIC_REG_LVT + LVT_ERROR, "lapic LVT error: reserved bits are set" },
		{ APIC_REG_DIVIDE, "lapic divide: reserved bits are set" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(checks); i++)
		if (tpz_apic_check_write(checks[i].reg, get_reg(st, checks[i].reg)))
			return checks[i].why;
	if (tpz_apic_check_write(APIC_REG_ICR, get_icr(st)))
		return "lapic ICR: reserved bits are set";
	if (get_reg(st, APIC_REG_ESR) & ~0xffu)
		return "lapic ESR: reserved bits are set";
	if ((get_reg(st, APIC_REG_IRR) | get_reg(st, APIC_REG_ISR)) & (BIT(TPZ_FIRST_VECTOR) - 1))
		return "lapic IRR, ISR: vectors 0 to 15 are never set";
	return NULL;
}

static const char *timer_wrong(const struct tpz_lapic *st)
{
	u32 mode = get_reg(st, APIC_REG_LVT + LVT_TIMER) & LVT_TIMER_MODE;
	u32 initial = get_reg(st, APIC_REG_INITIAL);

	if (mode == LVT_TIMER_DEADLINE) {
		if (initial || st->timer_left_ns)
			return "lapic timer: a count in TSC-deadline mode";
		return NULL;
	}
	if (st->tsc_deadline)
		return "lapic tsc_deadline: the timer is not in TSC-deadline mode";
	if (st->timer_left_ns && !initial)
		return "lapic timer_left_ns: the initial count is 0";
	if (st->timer_left_ns > tpz_timer_max_left_ns(initial, get_reg(st, APIC_REG_DIVIDE)))
		return "lapic timer_left_ns: more than the initial count";
	return NULL;
}

int tpz_apic_check_state(const struct tpz_vcpu *v, const struct tpz_lapic *st, char *bad, size_t bad_bytes)
{
	const char *why = NULL;

	if (!v->apic)
		return refuse(bad, bad_bytes, "lapic: this VM has no local APIC");
	if (!padding_clear(st))
		why = "lapic regs: a byte that belongs to no register is set";
	if (!why)
		why = identity_wrong(v, st);
	if (!why)
		why = registers_wrong(st);
	if (!why)
		why = timer_wrong(st);
	return why ? refuse(bad, bad_bytes, why) : 0;
}

/* ------------------------------------------------------------------ set */

static void take_bitmap(const struct tpz_lapic *st, unsigned int reg, unsigned long *bitmap)
{
	u32 words[TPZ_VECTORS / 32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = get_reg(st, reg + i);
	bitmap_from_arr32(bitmap, words, TPZ_VECTORS);
}

void tpz_apic_set_state(struct tpz_vcpu *v, const struct tpz_lapic *st)
{
	struct tpz_apic *apic = v->apic;
	unsigned int i;

	if (!apic)
		return;
	tpz_timer_stop(apic);
	tpz_apic_set_tpr(apic, get_reg(st, APIC_REG_TPR));
	WRITE_ONCE(apic->svr, get_reg(st, APIC_REG_SVR));
	take_bitmap(st, APIC_REG_ISR, apic->isr);
	take_bitmap(st, APIC_REG_TMR, apic->tmr);
	take_bitmap(st, APIC_REG_IRR, apic->irr);
	if (xapic_form(st)) {
		WRITE_ONCE(apic->ldr, get_reg(st, APIC_REG_LDR));
		WRITE_ONCE(apic->dfr, get_reg(st, APIC_REG_DFR));
	}
	apic->esr = get_reg(st, APIC_REG_ESR);
	atomic_set(&apic->errors, 0);
	apic->icr = get_icr(st);
	for (i = 0; i < LVTS; i++)
		WRITE_ONCE(apic->lvt[i], get_reg(st, APIC_REG_LVT + i));
	apic->initial = get_reg(st, APIC_REG_INITIAL);
	apic->divide = get_reg(st, APIC_REG_DIVIDE);
	tpz_timer_restore(apic, st->timer_left_ns, st->tsc_deadline);
	tpz_apic_recheck(v);
}
