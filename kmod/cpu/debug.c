// SPDX-License-Identifier: GPL-2.0
/*
 * MOV to and from the debug registers. Every access traps, so v->s.db, dr6 and dr7 are always the guest's own; the
 * backend puts them into the registers for the stay in the guest.
 */
#include "internal.h"

static u64 read_dr(struct tpz_vcpu *v, unsigned int dr)
{
	switch (dr) {
	case 6:
		return v->s.dr6;
	case 7:
		tpz_fetch(v, TPZ_P_DR7);
		return v->s.dr7;
	}
	return v->s.db[dr];
}

/* Reserved bits of the lower half keep their fixed values; in the upper half of DR6 and DR7 they fault */
static int write_dr(struct tpz_vcpu *v, unsigned int dr, u64 value)
{
	if (dr >= 6 && value >> 32)
		return -EINVAL;
	switch (dr) {
	case 6:
		v->s.dr6 = (value & TPZ_DR6_WRITABLE) | TPZ_DR6_FIXED;
		break;
	case 7:
		v->s.dr7 = (value & TPZ_DR7_WRITABLE) | TPZ_DR7_FIXED;
		tpz_dirty(v, TPZ_P_DR7);
		break;
	default:
		v->s.db[dr] = value;
	}
	return 0;
}

/*
 * tpz_on_dr() - MOV DR (SDM vol. 2B)
 *
 * The trap comes before the CPU's own look at CR4.DE and DR7.GD (vol. 3C, 26.1.1), in this order: #UD, #GP of the
 * privilege level, #DB of general detect, which is a fault: RIP stays.
 */
TPZ_HANDLER(tpz_on_dr)
{
	unsigned int dr = x->dr.dr;

	tpz_fetch(v, TPZ_P_CR4 | TPZ_P_DR7);
	if (dr == 4 || dr == 5) {
		if (v->s.cr4 & X86_CR4_DE)
			return tpz_inject_ud(v);
		dr += 2;
	}
	if (tpz_cpl(v))
		return tpz_inject_gp(v);
	if (v->s.dr7 & TPZ_DR7_GD) {
		tpz_queue_debug(v, TPZ_DR6_BD);
		return TPZ_RESUME;
	}
	if (x->dr.from)
		tpz_set_gpr(v, x->dr.reg, read_dr(v, dr));
	else if (write_dr(v, dr, tpz_arg(v, x->dr.reg)))
		return tpz_inject_gp(v);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}
