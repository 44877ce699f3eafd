// SPDX-License-Identifier: GPL-2.0
/*
 * xAPIC mode: the local APIC's registers as a page of memory, each of 32 bits at a multiple of 16 bytes (SDM .4.1).
 *
 * Where x2APIC mode raises #GP, this mode is silent: reserved bits are ignored, a register that is not there reads as 0 and
 * is an error that ESR tells (SDM .5.3).
 */
#include <linux/string.h>
#include "lapic.h"

#define REGISTER_STEP	16

static u64 writable(unsigned int reg)
{
	switch (reg) {
	case APIC_REG_LDR:
		return LDR_WRITABLE;
	case APIC_REG_DFR:
		return DFR_MODEL;
	case APIC_REG_ICR_HIGH:
		return 0xff000000;
	}
	return (u32)tpz_apic_writable(reg);
}

/* To read or to write: what is read-only or write-only ignores the other */
static bool exists(unsigned int reg)
{
	return reg < APIC_REGS &&
		(tpz_apic_readable(reg) || reg == APIC_REG_DFR || reg == APIC_REG_ICR_HIGH || reg == APIC_REG_EOI);
}

static void write(struct tpz_apic *apic, unsigned int reg, u32 value)
{
	value &= writable(reg);
	if (!tpz_apic_check_write(reg, value) || reg == APIC_REG_LDR || reg == APIC_REG_DFR || reg == APIC_REG_ICR_HIGH)
		tpz_apic_write(apic, reg, value);
}

bool tpz_apic_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool is_write, void *data)
{
	const unsigned int reg = (gpa & ~PAGE_MASK) / REGISTER_STEP;
	u32 value = 0;

	if (!tpz_apic_enabled(v) || tpz_apic_x2(v) || (gpa & PAGE_MASK) != APIC_BASE_DEFAULT)
		return false;
	if (!is_write)
		memset(data, 0, bytes);
	/* What is not 32 bits wide and aligned is undefined: ignored, and zeroes */
	if (gpa % REGISTER_STEP || bytes != sizeof(value))
		return true;
	if (!exists(reg)) {
		tpz_apic_error(v->apic, ESR_ILLEGAL_REGISTER);
		return true;
	}
	if (is_write) {
		memcpy(&value, data, sizeof(value));
		write(v->apic, reg, value);
	} else {
		value = tpz_apic_read(v->apic, reg);
		memcpy(data, &value, sizeof(value));
	}
	return true;
}
