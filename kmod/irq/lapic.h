/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC's inside, shared by lapic.c (accepting and taking interrupts), lapic_message.c (sending them),
 * lapic_timer.c, lapic_msr.c (the registers) and lapic_state.c (the state group). Nobody else includes it.
 *
 * "SDM n" means section n of volume 3A's chapter "Advanced Programmable Interrupt Controller (APIC)", whose
 * number moved from 10 to 11 in 2022: n is without it. SDM .12 is "Extended XAPIC (x2APIC)".
 */
#ifndef TPZ_LAPIC_H
#define TPZ_LAPIC_H

#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include "irq.h"

#define TPZ_VECTORS		256
#define TPZ_FIRST_VECTOR	16	/* 0 to 15 are illegal in a message: ESR bits 5 and 6 */

#define X2APIC_MSRS		0x800

/* Numbers of the registers: MSR X2APIC_MSRS + n; xAPIC mode's page has them at offset 16 * n */
enum tpz_apic_reg {
	APIC_REG_ID		= 0x02,
	APIC_REG_VERSION	= 0x03,
	APIC_REG_TPR		= 0x08,
	APIC_REG_PPR		= 0x0a,
	APIC_REG_EOI		= 0x0b,
	APIC_REG_LDR		= 0x0d,
	APIC_REG_DFR		= 0x0e,	/* xAPIC mode only */
	APIC_REG_SVR		= 0x0f,
	APIC_REG_ISR		= 0x10,	/* 8 words of 32 bits each */
	APIC_REG_TMR		= 0x18,
	APIC_REG_IRR		= 0x20,
	APIC_REG_ESR		= 0x28,
	APIC_REG_ICR		= 0x30,	/* 64 bits wide in x2APIC mode */
	APIC_REG_ICR_HIGH	= 0x31,	/* in x2APIC mode no register of its own; its place in the state group */
	APIC_REG_LVT		= 0x32,	/* + enum tpz_lvt */
	APIC_REG_INITIAL	= 0x38,
	APIC_REG_CURRENT	= 0x39,
	APIC_REG_DIVIDE		= 0x3e,
	APIC_REG_SELF_IPI	= 0x3f,
	APIC_REGS		= 0x40,
};

/* The local vector table in the order of its registers. No CMCI: the version register says so */
enum tpz_lvt {
	LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR,
	LVTS
};

#define APIC_VERSION		(0x14 | (LVTS - 1) << 16)	/* integrated; no directed EOI */

/* Local vector table and interrupt command (SDM .5.1, .6.1) */
#define LVT_VECTOR		0xffu
#define LVT_MODE		(7u << 8)
#define  LVT_MODE_FIXED		(0u << 8)
#define  LVT_MODE_LOWEST	(1u << 8)	/* ICR alone */
#define  LVT_MODE_SMI		(2u << 8)
#define  LVT_MODE_NMI		(4u << 8)
#define  LVT_MODE_INIT		(5u << 8)
#define  LVT_MODE_STARTUP	(6u << 8)	/* ICR alone */
#define  LVT_MODE_EXTINT	(7u << 8)
#define LVT_STATUS		(1u << 12)	/* read-only */
#define LVT_POLARITY		(1u << 13)
#define LVT_REMOTE_IRR		(1u << 14)	/* read-only */
#define LVT_LEVEL		(1u << 15)
#define LVT_MASKED		(1u << 16)
#define LVT_TIMER_MODE		(3u << 17)
#define  LVT_TIMER_ONE_SHOT	(0u << 17)
#define  LVT_TIMER_PERIODIC	(1u << 17)
#define  LVT_TIMER_DEADLINE	(2u << 17)
#define  LVT_TIMER_RESERVED	(3u << 17)

#define ICR_LOGICAL		(1u << 11)
#define ICR_BUSY		(1u << 12)	/* read-only; always idle in x2APIC mode */
#define ICR_ASSERT		(1u << 14)
#define ICR_LEVEL		(1u << 15)
#define ICR_SHORTHAND		(3u << 18)
#define  ICR_TO_ONE		(0u << 18)
#define  ICR_TO_SELF		(1u << 18)
#define  ICR_TO_ALL		(2u << 18)
#define  ICR_TO_OTHERS		(3u << 18)

#define SVR_VECTOR		0xffu
#define SVR_ENABLED		(1u << 8)
#define SVR_FOCUS		(1u << 9)	/* kept, without effect */

/* xAPIC mode's logical destinations (SDM .6.2.2): 8 bits of LDR; DFR says whether they are flat or clusters of 4 */
#define LDR_WRITABLE		0xff000000u
#define DFR_MODEL		0xf0000000u
#define  DFR_FLAT		0xf0000000u
#define DFR_ONES		0x0fffffffu

/* IA32_APIC_BASE (SDM .4.4, .12.1): all but the BSP flag in x2APIC mode */
#define APIC_BASE_EXTD		(1u << 10)
#define APIC_BASE_DEFAULT	0xfee00000u
#define APIC_BASE_X2APIC	(APIC_BASE_DEFAULT | MSR_IA32_APICBASE_ENABLE | APIC_BASE_EXTD)

/* Errors (SDM .5.3) */
#define ESR_SEND_ILLEGAL	BIT(5)
#define ESR_RECEIVE_ILLEGAL	BIT(6)
#define ESR_ILLEGAL_REGISTER	BIT(7)

/**
 * struct tpz_apic - one vCPU's local APIC
 *
 * Tags as in core.h. The rule in short: what other contexts deliver goes into @irr, @tmr and @errors by atomic
 * operations, and a bit in v->requests tells the owner. Everything else is the owner's, who writes it with
 * WRITE_ONCE where tpz_apic_pending() or the timer's callback look at it from elsewhere.
 *
 * The timer's callback (hard interrupt, any CPU) owns the fields of the part "timer" from hrtimer_start() on, until
 * hrtimer_cancel() has returned: the owner cancels first, then changes them.
 */
struct tpz_apic {
	struct tpz_vcpu *v;			/* (c) */

	/* Any context */
	DECLARE_BITMAP(irr, TPZ_VECTORS);	/* (a) accepted, not yet taken */
	DECLARE_BITMAP(tmr, TPZ_VECTORS);	/* (a) level-triggered; right for vectors in IRR or ISR */
	atomic_t errors;			/* (a) of ESR's bits: since the last write to ESR */

	/* The owner's; @isr, @tpr, @svr, @lvt are read by others too */
	DECLARE_BITMAP(isr, TPZ_VECTORS);
	u32 tpr;			/* written by tpz_apic_set_tpr() alone */
	u32 svr;
	u32 ldr, dfr;			/* xAPIC mode's, read by others too */
	u32 esr;
	u32 lvt[LVTS];
	u64 icr;

	/* Timer */
	struct hrtimer timer;
	u32 initial;				/* initial count */
	u32 divide;				/* the register */
	u64 period_ns;				/* of the initial count */
	u64 deadline;				/* IA32_TSC_DEADLINE; 0: disarmed. Read by the owner at any time */
	u64 deadline_offset;			/* v->tsc_offset when the deadline was armed */
};

/* lapic.c */
bool tpz_apic_enabled(const struct tpz_vcpu *v);	/* IA32_APIC_BASE: not switched off */
bool tpz_apic_x2(const struct tpz_vcpu *v);		/* and in x2APIC mode */
u32 tpz_apic_ppr(const struct tpz_apic *apic);
void tpz_apic_error(struct tpz_apic *apic, u32 bits);
void tpz_apic_deliver(struct tpz_apic *apic, u32 vector, bool level);
void tpz_apic_local(struct tpz_apic *apic, enum tpz_lvt lvt);
void tpz_apic_eoi(struct tpz_apic *apic);
void tpz_apic_nmi(struct tpz_vcpu *v);
void tpz_apic_recheck(struct tpz_vcpu *v);
void tpz_apic_set_tpr(struct tpz_apic *apic, u32 tpr);
void tpz_apic_reset(struct tpz_apic *apic);

/* lapic_message.c */
void tpz_apic_send(struct tpz_apic *apic, u64 icr);

static inline u32 tpz_apic_logical_id(const struct tpz_vcpu *v)
{
	return (v->id >> 4) << 16 | 1u << (v->id & 15);		/* SDM .12.10.2 */
}

/* lapic_msr.c: any register in the mode that the local APIC is in; a write's reserved bits are clear */
u64 tpz_apic_read(const struct tpz_apic *apic, unsigned int reg);
void tpz_apic_write(struct tpz_apic *apic, unsigned int reg, u64 value);
u64 tpz_apic_writable(unsigned int reg);

/* lapic_msr.c: is there such a register to read? May this be written: 0 or -EINVAL, by its reserved bits */
bool tpz_apic_readable(unsigned int reg);
int tpz_apic_check_write(unsigned int reg, u64 value);

/* lapic_timer.c. The owner's thread, interrupts on or off */
void tpz_timer_init(struct tpz_apic *apic);
void tpz_timer_stop(struct tpz_apic *apic);		/* and forget what it would have done */
void tpz_timer_set_lvt(struct tpz_apic *apic, u32 lvt);
void tpz_timer_set_initial(struct tpz_apic *apic, u32 count);
void tpz_timer_set_divide(struct tpz_apic *apic, u32 divide);
u32 tpz_timer_current(const struct tpz_apic *apic);
void tpz_timer_set_deadline(struct tpz_apic *apic, u64 tsc);
u64 tpz_timer_deadline(const struct tpz_apic *apic);
u64 tpz_timer_left_ns(const struct tpz_apic *apic);
void tpz_timer_restore(struct tpz_apic *apic, u64 left_ns, u64 deadline);
u64 tpz_timer_max_left_ns(u32 initial, u32 divide);

#endif /* TPZ_LAPIC_H */
