// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's registers, and as the guest reaches them in x2APIC mode: MSRs 0x800 to 0x83f (SDM .12.1.2);
 * IA32_APIC_BASE and IA32_TSC_DEADLINE.
 *
 * One table says what exists, what may be read, and which bits may be written; everything else is #GP, as in the
 * manual's table "Local APIC Register Address Map Supported by x2APIC". Behind it stand one function that reads
 * and one that writes. None of them sleeps.
 */
#include <asm/msr-index.h>
#include "lapic.h"

/* ------------------------------------------------------------------ the registers */

#define CAN_READ	BIT(0)
#define CAN_WRITE	BIT(1)

/* Read-only bits may be written with anything, and keep their value */
#define LVT_PLAIN	(LVT_VECTOR | LVT_STATUS | LVT_MASKED)
#define LVT_READ_ONLY	(LVT_STATUS | LVT_REMOTE_IRR)

/**
 * struct apic_register - one row of the manual's table
 * @access: CAN_READ, CAN_WRITE
 * @writable: bits that do not raise #GP when a guest sets them
 */
struct apic_register {
	u8 access;
	u64 writable;
};

static const struct apic_register registers[APIC_REGS] = {
	[APIC_REG_ID]			= { CAN_READ },
	[APIC_REG_VERSION]		= { CAN_READ },
	[APIC_REG_TPR]			= { CAN_READ | CAN_WRITE, 0xff },
	[APIC_REG_PPR]			= { CAN_READ },
	[APIC_REG_EOI]			= { CAN_WRITE, 0 },
	[APIC_REG_LDR]			= { CAN_READ },
	[APIC_REG_SVR]			= { CAN_READ | CAN_WRITE, SVR_VECTOR | SVR_ENABLED | SVR_FOCUS },
	[APIC_REG_ISR ... APIC_REG_ISR + 7] = { CAN_READ },
	[APIC_REG_TMR ... APIC_REG_TMR + 7] = { CAN_READ },
	[APIC_REG_IRR ... APIC_REG_IRR + 7] = { CAN_READ },
	[APIC_REG_ESR]			= { CAN_READ | CAN_WRITE, 0 },
	[APIC_REG_ICR]			= { CAN_READ | CAN_WRITE, GENMASK_ULL(63, 32) | ICR_SHORTHAND | ICR_LEVEL | ICR_ASSERT |
					    ICR_BUSY | ICR_LOGICAL | LVT_MODE | LVT_VECTOR },
	[APIC_REG_LVT + LVT_TIMER]	= { CAN_READ | CAN_WRITE, LVT_PLAIN | LVT_TIMER_MODE },
	[APIC_REG_LVT + LVT_THERMAL]	= { CAN_READ | CAN_WRITE, LVT_PLAIN | LVT_MODE },
	[APIC_REG_LVT + LVT_PERF]	= { CAN_READ | CAN_WRITE, LVT_PLAIN | LVT_MODE },
	[APIC_REG_LVT + LVT_LINT0 ... APIC_REG_LVT + LVT_LINT1] = { CAN_READ | CAN_WRITE, LVT_PLAIN | LVT_MODE |
					    LVT_POLARITY | LVT_REMOTE_IRR | LVT_LEVEL },
	[APIC_REG_LVT + LVT_ERROR]	= { CAN_READ | CAN_WRITE, LVT_PLAIN },
	[APIC_REG_INITIAL]		= { CAN_READ | CAN_WRITE, U32_MAX },
	[APIC_REG_CURRENT]		= { CAN_READ },
	[APIC_REG_DIVIDE]		= { CAN_READ | CAN_WRITE, 0xb },
	[APIC_REG_SELF_IPI]		= { CAN_WRITE, 0xff },
};

bool tpz_apic_readable(unsigned int reg)
{
	return registers[reg].access & CAN_READ;
}

u64 tpz_apic_writable(unsigned int reg)
{
	return registers[reg].writable;
}

int tpz_apic_check_write(unsigned int reg, u64 value)
{
	if (value & ~registers[reg].writable)
		return -EINVAL;
	if (reg == APIC_REG_LVT + LVT_TIMER && (value & LVT_TIMER_MODE) == LVT_TIMER_RESERVED)
		return -EINVAL;
	return 0;
}

/* ------------------------------------------------------------------ reading */

/* Word @n of 32 bits */
static u32 word(const unsigned long *bitmap, unsigned int n)
{
	return READ_ONCE(bitmap[n / 2]) >> (n % 2 * 32);
}

u64 tpz_apic_read(const struct tpz_apic *apic, unsigned int reg)
{
	const bool x2 = tpz_apic_x2(apic->v);

	switch (reg) {
	case APIC_REG_ID:
		return x2 ? apic->v->id : apic->v->id << 24;
	case APIC_REG_VERSION:
		return APIC_VERSION;
	case APIC_REG_TPR:
		return apic->tpr;
	case APIC_REG_PPR:
		return tpz_apic_ppr(apic);
	case APIC_REG_LDR:
		return x2 ? tpz_apic_logical_id(apic->v) : apic->ldr;
	case APIC_REG_DFR:
		return x2 ? 0 : apic->dfr;
	case APIC_REG_SVR:
		return apic->svr;
	case APIC_REG_ISR ... APIC_REG_ISR + 7:
		return word(apic->isr, reg - APIC_REG_ISR);
	case APIC_REG_TMR ... APIC_REG_TMR + 7:
		return word(apic->tmr, reg - APIC_REG_TMR);
	case APIC_REG_IRR ... APIC_REG_IRR + 7:
		return word(apic->irr, reg - APIC_REG_IRR);
	case APIC_REG_ESR:
		return apic->esr;
	case APIC_REG_ICR:
		return x2 ? apic->icr : (u32)apic->icr;
	case APIC_REG_ICR_HIGH:
		return apic->icr >> 32;
	case APIC_REG_LVT ... APIC_REG_LVT + LVTS - 1:
		return apic->lvt[reg - APIC_REG_LVT];
	case APIC_REG_INITIAL:
		return apic->initial;
	case APIC_REG_CURRENT:
		return tpz_timer_current(apic);
	case APIC_REG_DIVIDE:
		return apic->divide;
	default:
		return 0;
	}
}

static int read_register(struct tpz_vcpu *v, u32 index, u64 *value)
{
	unsigned int reg = index - X2APIC_MSRS;

	if (!tpz_apic_x2(v) || !(registers[reg].access & CAN_READ))
		return -EINVAL;
	*value = tpz_apic_read(v->apic, reg);
	return 0;
}

/* ------------------------------------------------------------------ writing */

/* SDM .9, .4.7.2: a software-disabled APIC has all of its local vector table masked */
static void write_svr(struct tpz_apic *apic, u32 value)
{
	unsigned int i;

	WRITE_ONCE(apic->svr, value);
	if (value & SVR_ENABLED)
		return;
	for (i = 0; i < LVTS; i++)
		WRITE_ONCE(apic->lvt[i], apic->lvt[i] | LVT_MASKED);
}

/* LINT0 may let the 8259's interrupt through now */
static void write_lvt(struct tpz_apic *apic, enum tpz_lvt lvt, u32 value)
{
	value &= ~LVT_READ_ONLY;
	if (!(apic->svr & SVR_ENABLED))
		value |= LVT_MASKED;
	if (lvt == LVT_TIMER)
		tpz_timer_set_lvt(apic, value);
	else
		WRITE_ONCE(apic->lvt[lvt], value);
	if (lvt == LVT_LINT0)
		tpz_apic_recheck(apic->v);
}

static void write_icr(struct tpz_apic *apic, u64 value)
{
	apic->icr = value & ~(u64)ICR_BUSY;
	tpz_apic_send(apic, apic->icr);
}

void tpz_apic_write(struct tpz_apic *apic, unsigned int reg, u64 value)
{
	switch (reg) {
	case APIC_REG_TPR:
		tpz_apic_set_tpr(apic, value);
		tpz_apic_recheck(apic->v);
		break;
	case APIC_REG_EOI:
		tpz_apic_eoi(apic);
		break;
	case APIC_REG_SVR:
		write_svr(apic, value);
		break;
	case APIC_REG_ESR:		/* shows what has come up since, and arms the error interrupt (SDM .5.3) */
		apic->esr = atomic_xchg(&apic->errors, 0);
		break;
	case APIC_REG_ICR:		/* xAPIC mode: its upper half was written before */
		write_icr(apic, tpz_apic_x2(apic->v) ? value : (apic->icr & GENMASK_ULL(63, 32)) | (u32)value);
		break;
	case APIC_REG_ICR_HIGH:
		apic->icr = value << 32 | (u32)apic->icr;
		break;
	case APIC_REG_LDR:
		WRITE_ONCE(apic->ldr, value);
		break;
	case APIC_REG_DFR:
		WRITE_ONCE(apic->dfr, value | DFR_ONES);
		break;
	case APIC_REG_LVT ... APIC_REG_LVT + LVTS - 1:
		write_lvt(apic, reg - APIC_REG_LVT, value);
		break;
	case APIC_REG_INITIAL:
		tpz_timer_set_initial(apic, value);
		break;
	case APIC_REG_DIVIDE:
		tpz_timer_set_divide(apic, value);
		break;
	case APIC_REG_SELF_IPI:		/* SDM .12.11: as the ICR with the shorthand "self", edge-triggered, fixed */
		tpz_apic_send(apic, ICR_TO_SELF | value);
		break;
	default:
		break;
	}
}

static int write_register(struct tpz_vcpu *v, u32 index, u64 value)
{
	unsigned int reg = index - X2APIC_MSRS;

	if (!tpz_apic_x2(v) || !(registers[reg].access & CAN_WRITE) || tpz_apic_check_write(reg, value))
		return -EINVAL;
	tpz_apic_write(v->apic, reg, value);
	return 0;
}

/* ------------------------------------------------------------------ IA32_APIC_BASE, IA32_TSC_DEADLINE */

static u64 x2apic_base(const struct tpz_vcpu *v)
{
	return APIC_BASE_X2APIC | (v->id ? 0 : MSR_IA32_APICBASE_BSP);
}

static u64 xapic_base(const struct tpz_vcpu *v)
{
	return x2apic_base(v) & ~APIC_BASE_EXTD;
}

static u64 off_base(const struct tpz_vcpu *v)
{
	return xapic_base(v) & ~MSR_IA32_APICBASE_ENABLE;
}

/* The three states there are: x2APIC mode, xAPIC mode, and switched off */
static bool base_known(const struct tpz_vcpu *v, u64 value)
{
	return value == x2apic_base(v) || value == xapic_base(v) || value == off_base(v);
}

int tpz_apic_check_base(const struct tpz_vcpu *v, u64 value)
{
	if (!v->apic)
		return value ? -EINVAL : 0;
	return base_known(v, value) ? 0 : -EINVAL;
}

static int read_base(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!v->apic)
		return -EINVAL;
	*value = v->apic_base;
	return 0;
}

/* SDM .12.5, "x2APIC State Transitions": x2APIC mode is entered from xAPIC mode alone, and left for "off" alone */
static bool may_change_base(const struct tpz_vcpu *v, u64 value)
{
	if (!base_known(v, value))
		return false;
	if (v->apic_base == x2apic_base(v))
		return value == off_base(v);
	return value != x2apic_base(v) || v->apic_base == xapic_base(v);
}

/*
 * Switched off, it forgets all. The base address cannot be moved: no guest in use does, and in x2APIC mode it means nothing.
 */
static int write_base(struct tpz_vcpu *v, u32 index, u64 value)
{
	if (!v->apic)
		return -EINVAL;
	if (value == v->apic_base)
		return 0;
	if (!may_change_base(v, value))
		return -EINVAL;
	if (value == off_base(v))
		tpz_apic_reset(v->apic);
	WRITE_ONCE(v->apic_base, value);
	tpz_apic_recheck(v);
	return 0;
}

static int read_deadline(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!v->apic)
		return -EINVAL;
	*value = tpz_timer_deadline(v->apic);
	return 0;
}

static int write_deadline(struct tpz_vcpu *v, u32 index, u64 value)
{
	if (!v->apic)
		return -EINVAL;
	if (tpz_apic_enabled(v))
		tpz_timer_set_deadline(v->apic, value);
	return 0;
}

const struct tpz_msr tpz_apic_msrs[] = {
	{ X2APIC_MSRS, X2APIC_MSRS + APIC_REGS - 1, .read = read_register, .write = write_register },
	{ MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, .read = read_deadline, .write = write_deadline },
	{ MSR_IA32_APICBASE, MSR_IA32_APICBASE, .read = read_base, .write = write_base },
	{ 1, 0 },
};
