// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptor-table instructions under TPZ_TRAP_DT, with the results that they have without the trap (SDM vol. 2).
 *
 * The trap comes after #UD (LLDT, LTR, SLDT and STR in real and virtual-8086 mode) and after #GP of the privilege
 * level and of UMIP; limits, addresses and descriptors are checked here.
 */
#include "internal.h"

#define SYSTEM_LDT	2
#define TSS16_AVAILABLE	1
#define TSS_AVAILABLE	9	/* 32-bit; in IA-32e mode 64-bit */
#define TSS_BUSY	2	/* the bit that makes a busy one of either */

/* ---- operands */

/* Return: 0; -EFAULT: a fault is queued; -ENXIO */
static int operand(struct tpz_vcpu *v, const struct tpz_operand *op, void *data, unsigned int bytes, bool write,
		   struct tpz_hole *hole)
{
	u64 gva;
	int ret = tpz_linear(v, op->seg, op->offset, op->addr_bytes, bytes, write, &gva);

	if (ret)
		return ret;
	if (write)
		return tpz_write_gva(v, gva, data, bytes, hole);
	return tpz_read_gva(v, gva, data, bytes, hole);
}

/* ---- SGDT, SIDT, LGDT, LIDT: 16 bits of limit, 32 or 64 bits of base */

struct pseudo_descriptor {
	u16 limit;
	u64 base;
} __packed;

static struct tpz_dtable *table(struct tpz_vcpu *v, u8 insn)
{
	return insn == TPZ_SGDT || insn == TPZ_LGDT ? &v->s.gdtr : &v->s.idtr;
}

static int store_table(struct tpz_vcpu *v, const struct tpz_exit *x, struct tpz_hole *hole)
{
	struct pseudo_descriptor d;

	tpz_fetch(v, TPZ_P_GDTR | TPZ_P_IDTR);
	d.limit = table(v, x->dt.insn)->limit;
	d.base = table(v, x->dt.insn)->base;
	/* Outside 64-bit mode 32 bits of base are stored, with either operand size */
	return operand(v, &x->dt.op, &d, tpz_long_mode(v) ? 10 : 6, true, hole);
}

static int load_table(struct tpz_vcpu *v, const struct tpz_exit *x, struct tpz_hole *hole)
{
	const bool long_mode = tpz_long_mode(v);
	struct pseudo_descriptor d = {};
	int ret = operand(v, &x->dt.op, &d, long_mode ? 10 : 6, false, hole);

	if (ret)
		return ret;
	if (!long_mode && x->dt.op.bytes == 2)
		d.base &= 0xffffff;
	if (!tpz_canonical(d.base)) {
		tpz_queue_exception(v, X86_TRAP_GP, 0);
		return -EFAULT;
	}
	*table(v, x->dt.insn) = (struct tpz_dtable){ .base = d.base, .limit = d.limit };
	tpz_dirty(v, x->dt.insn == TPZ_LGDT ? TPZ_P_GDTR : TPZ_P_IDTR);
	return 0;
}

/* ---- SLDT, STR: 16 bits into memory; a register takes its operand size, zero-extended */

static int store_selector(struct tpz_vcpu *v, const struct tpz_exit *x, struct tpz_hole *hole)
{
	const struct tpz_operand *op = &x->dt.op;
	u16 selector = tpz_seg(v, x->dt.insn == TPZ_SLDT ? TPZ_LDTR : TPZ_TR)->selector;

	if (!op->is_reg)
		return operand(v, op, &selector, sizeof(selector), true, hole);
	tpz_set_gpr(v, op->reg, tpz_merge(tpz_gpr(v, op->reg), selector, op->bytes));
	return 0;
}

/* ---- LLDT, LTR: a system descriptor of the GDT, 8 bytes, in 64-bit mode 16 (SDM vol. 3A, 3.5 and 8.2.3) */

static int bad_selector(struct tpz_vcpu *v, u8 vector, u16 selector)
{
	tpz_queue_exception(v, vector, selector & ~3);
	return -EFAULT;
}

static bool ia32e(struct tpz_vcpu *v)
{
	tpz_fetch(v, TPZ_P_EFER);
	return v->s.efer & EFER_LMA;
}

static int load_selector_operand(struct tpz_vcpu *v, const struct tpz_operand *op, u16 *selector, struct tpz_hole *hole)
{
	if (!op->is_reg)
		return operand(v, op, selector, sizeof(*selector), false, hole);
	*selector = tpz_gpr(v, op->reg);
	return 0;
}

/* The linear address of a descriptor of @bytes */
static int find_descriptor(struct tpz_vcpu *v, u16 selector, unsigned int bytes, u64 *gva)
{
	const struct tpz_segment *ldt = tpz_seg(v, TPZ_LDTR);
	const unsigned int offset = selector & ~7;
	const bool local = selector & 4;

	tpz_fetch(v, TPZ_P_GDTR);
	if ((local && ldt->unusable) || offset + bytes - 1 > (local ? ldt->limit : v->s.gdtr.limit))
		return bad_selector(v, X86_TRAP_GP, selector);
	*gva = (local ? ldt->base : v->s.gdtr.base) + offset;
	return 0;
}

static int read_descriptor(struct tpz_vcpu *v, u16 selector, u64 d[2], struct tpz_hole *hole)
{
	const unsigned int bytes = tpz_long_mode(v) ? 16 : 8;
	u64 gva;

	if (selector & 4)
		return bad_selector(v, X86_TRAP_GP, selector);
	return find_descriptor(v, selector, bytes, &gva) ?: tpz_read_system(v, gva, d, bytes, hole);
}

static struct tpz_segment unpack(u16 selector, const u64 d[2])
{
	struct tpz_segment s = {
		.selector = selector,
		.base = (d[0] >> 16 & 0xffffff) | (d[0] >> 56 & 0xff) << 24 | d[1] << 32,
		.limit = (d[0] & 0xffff) | (d[0] >> 48 & 0xf) << 16,
		.type = d[0] >> 40 & 15,
		.s = d[0] >> 44 & 1,
		.dpl = d[0] >> 45 & 3,
		.present = d[0] >> 47 & 1,
		.avl = d[0] >> 52 & 1,
		.l = d[0] >> 53 & 1,
		.db = d[0] >> 54 & 1,
		.g = d[0] >> 55 & 1,
	};

	if (s.g)
		s.limit = s.limit << 12 | 0xfff;
	return s;
}

/* The upper half of a 16-byte descriptor: base, and a type field that must be 0 */
static bool upper_half_valid(const u64 d[2], u64 base)
{
	return !(d[1] >> 40 & 0x1f) && tpz_canonical(base);
}

static int load_ldtr(struct tpz_vcpu *v, u16 selector, struct tpz_hole *hole)
{
	struct tpz_segment s = { .selector = selector, .unusable = 1 };
	u64 d[2] = {};
	int ret;

	if (selector & ~3) {
		ret = read_descriptor(v, selector, d, hole);
		if (ret)
			return ret;
		s = unpack(selector, d);
		if (s.s || s.type != SYSTEM_LDT)
			return bad_selector(v, X86_TRAP_GP, selector);
		if (!s.present)
			return bad_selector(v, X86_TRAP_NP, selector);
		if (!upper_half_valid(d, s.base))
			return bad_selector(v, X86_TRAP_GP, selector);
	}
	v->s.seg[TPZ_LDTR] = s;
	tpz_dirty(v, TPZ_P_LDTR);
	return 0;
}

static bool tss_available(struct tpz_vcpu *v, const struct tpz_segment *s)
{
	if (s->s)
		return false;
	return s->type == TSS_AVAILABLE || (s->type == TSS16_AVAILABLE && !ia32e(v));
}

static int load_tr(struct tpz_vcpu *v, u16 selector, struct tpz_hole *hole)
{
	struct tpz_segment s;
	u64 d[2] = {};
	u8 rights;
	int ret;

	if (!(selector & ~3))
		return bad_selector(v, X86_TRAP_GP, 0);
	ret = read_descriptor(v, selector, d, hole);
	if (ret)
		return ret;
	s = unpack(selector, d);
	if (!tss_available(v, &s))
		return bad_selector(v, X86_TRAP_GP, selector);
	if (!s.present)
		return bad_selector(v, X86_TRAP_NP, selector);
	if (!upper_half_valid(d, s.base))
		return bad_selector(v, X86_TRAP_GP, selector);
	/* The CPU locks the bus around this; with one vCPU nobody else looks */
	rights = (d[0] >> 40) | TSS_BUSY;
	ret = tpz_write_system(v, v->s.gdtr.base + (selector & ~7) + 5, &rights, 1, hole);
	if (ret)
		return ret;
	s.type |= TSS_BUSY;
	v->s.seg[TPZ_TR] = s;
	tpz_dirty(v, TPZ_P_TR);
	return 0;
}

/* ---- MOV to ES, DS, FS, GS (SDM vol. 2B, "MOV") */

static int read_data_segment(struct tpz_vcpu *v, u16 selector, struct tpz_segment *s, struct tpz_hole *hole)
{
	u64 d[2] = {}, gva;
	u8 rights;
	int ret = find_descriptor(v, selector, 8, &gva) ?: tpz_read_system(v, gva, d, 8, hole);

	if (ret)
		return ret;
	*s = unpack(selector, d);
	if (!s->s || (s->type & 10) == 8)	/* code that can't be read */
		return bad_selector(v, X86_TRAP_GP, selector);
	if ((s->type & 12) != 12 && s->dpl < max_t(u8, tpz_cpl(v), selector & 3))	/* conforming code is for all */
		return bad_selector(v, X86_TRAP_GP, selector);
	if (!s->present)
		return bad_selector(v, X86_TRAP_NP, selector);
	if (s->type & 1)
		return 0;
	s->type |= 1;
	rights = (d[0] >> 40) | 1;
	return tpz_write_system(v, gva + 5, &rights, 1, hole);
}

int tpz_load_data_segment(struct tpz_vcpu *v, unsigned int seg, u16 selector, struct tpz_hole *hole)
{
	struct tpz_segment s = *tpz_seg(v, seg);
	int ret;

	tpz_fetch(v, TPZ_P_CR0);
	if (!(v->s.cr0 & X86_CR0_PE) || (tpz_rflags(v) & X86_EFLAGS_VM)) {
		s.selector = selector;
		s.base = selector << 4;
	} else if (!(selector & ~3)) {
		/* AMD's CPUs keep the base */
		s = (struct tpz_segment){
			.selector = selector,
			.unusable = 1,
			.base = boot_cpu_has_bug(X86_BUG_NULL_SEG) ? s.base : 0,
		};
	} else {
		ret = read_data_segment(v, selector, &s, hole);
		if (ret)
			return ret;
	}
	v->s.seg[seg] = s;
	tpz_dirty(v, TPZ_P_SEG(seg));
	return 0;
}

static int load_selector(struct tpz_vcpu *v, const struct tpz_exit *x, struct tpz_hole *hole)
{
	u16 selector;
	int ret = load_selector_operand(v, &x->dt.op, &selector, hole);

	if (ret)
		return ret;
	return x->dt.insn == TPZ_LLDT ? load_ldtr(v, selector, hole) : load_tr(v, selector, hole);
}

/*
 * tpz_on_dt_access() - SGDT SIDT LGDT LIDT SLDT STR LLDT LTR
 */
TPZ_HANDLER(tpz_on_dt_access)
{
	static int (*const carry_out[])(struct tpz_vcpu *v, const struct tpz_exit *x, struct tpz_hole *hole) = {
		[TPZ_SGDT] = store_table,
		[TPZ_SIDT] = store_table,
		[TPZ_LGDT] = load_table,
		[TPZ_LIDT] = load_table,
		[TPZ_SLDT] = store_selector,
		[TPZ_STR]  = store_selector,
		[TPZ_LLDT] = load_selector,
		[TPZ_LTR]  = load_selector,
	};
	struct tpz_hole hole;
	int ret = carry_out[x->dt.insn](v, x, &hole);

	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret)
		return tpz_no_memory(v, &hole);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}
