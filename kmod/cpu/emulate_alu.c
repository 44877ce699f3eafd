// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic and its flags (SDM vol. 1, appendix A; vol. 2, each instruction). Where the manual leaves a flag undefined, it
 * becomes what CPUs make of it: AF 0 after AND, OR, XOR and TEST; all but CF stays after BT and its kin, all but
 * CF and OF after MUL and IMUL; OF after shifts by more than 1 is what a shift by the last of those steps makes it.
 */
#include <linux/kernel.h>
#include <linux/types.h>
#include <asm/processor-flags.h>
#include "emulate_internal.h"

static void set_flag(struct tpz_emulation *e, u64 flag, bool on)
{
	e->rflags = on ? e->rflags | flag : e->rflags & ~flag;
}

static bool sign(u64 x, unsigned int bytes)
{
	return x >> (8 * bytes - 1) & 1;
}

/* PF is of the lowest byte alone */
static bool even_parity(u64 x)
{
	x ^= x >> 4;
	return !(0x6996 >> (x & 15) & 1);
}

static void set_result_flags(struct tpz_emulation *e, u64 result, unsigned int bytes)
{
	set_flag(e, X86_EFLAGS_PF, even_parity(result & 0xff));
	set_flag(e, X86_EFLAGS_ZF, !result);
	set_flag(e, X86_EFLAGS_SF, sign(result, bytes));
}

static u64 add(struct tpz_emulation *e, u64 x, u64 y, bool carry, unsigned int bytes)
{
	const u64 r = (x + y + carry) & tpz_addr_mask(bytes);

	set_flag(e, X86_EFLAGS_CF, carry ? r <= x : r < x);
	set_flag(e, X86_EFLAGS_AF, (x ^ y ^ r) & 0x10);
	set_flag(e, X86_EFLAGS_OF, sign((x ^ r) & (y ^ r), bytes));
	return r;
}

static u64 subtract(struct tpz_emulation *e, u64 x, u64 y, bool borrow, unsigned int bytes)
{
	const u64 r = (x - y - borrow) & tpz_addr_mask(bytes);

	set_flag(e, X86_EFLAGS_CF, borrow ? x <= y : x < y);
	set_flag(e, X86_EFLAGS_AF, (x ^ y ^ r) & 0x10);
	set_flag(e, X86_EFLAGS_OF, sign((x ^ y) & (x ^ r), bytes));
	return r;
}

static u64 logic(struct tpz_emulation *e, u64 r)
{
	e->rflags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_OF | X86_EFLAGS_AF);
	return r;
}

u64 tpz_arithmetic(struct tpz_emulation *e, enum tpz_arithmetic op, u64 x, u64 y, unsigned int bytes)
{
	const bool carry = e->rflags & X86_EFLAGS_CF;
	u64 r;

	x &= tpz_addr_mask(bytes);
	y &= tpz_addr_mask(bytes);
	switch (op) {
	case TPZ_ADD:
	case TPZ_ADC:
		r = add(e, x, y, op == TPZ_ADC && carry, bytes);
		break;
	case TPZ_OR:
		r = logic(e, x | y);
		break;
	case TPZ_AND:
		r = logic(e, x & y);
		break;
	case TPZ_XOR:
		r = logic(e, x ^ y);
		break;
	default:
		r = subtract(e, x, y, op == TPZ_SBB && carry, bytes);
	}
	set_result_flags(e, r, bytes);
	return r;
}

u64 tpz_step(struct tpz_emulation *e, u64 x, bool down, unsigned int bytes)
{
	const u64 carry = e->rflags & X86_EFLAGS_CF;

	x = tpz_arithmetic(e, down ? TPZ_SUB : TPZ_ADD, x, 1, bytes);
	set_flag(e, X86_EFLAGS_CF, carry);
	return x;
}

u64 tpz_bit(struct tpz_emulation *e, unsigned int op, u64 x, unsigned int n)
{
	const u64 bit = 1ULL << n;

	set_flag(e, X86_EFLAGS_CF, x & bit);
	switch (op) {
	case 1:
		return x | bit;
	case 2:
		return x & ~bit;
	case 3:
		return x ^ bit;
	}
	return x;
}

bool tpz_condition(const struct tpz_emulation *e, unsigned int code)
{
	const u64 f = e->rflags;
	const bool less = !(f & X86_EFLAGS_SF) != !(f & X86_EFLAGS_OF);
	const bool holds[] = {
		f & X86_EFLAGS_OF,
		f & X86_EFLAGS_CF,
		f & X86_EFLAGS_ZF,
		f & (X86_EFLAGS_CF | X86_EFLAGS_ZF),
		f & X86_EFLAGS_SF,
		f & X86_EFLAGS_PF,
		less,
		less || (f & X86_EFLAGS_ZF),
	};

	return holds[code >> 1 & 7] != (code & 1);
}

/* Bit by bit: odd operations go to the right, and what comes in is the only other difference */
u64 tpz_shift(struct tpz_emulation *e, unsigned int op, u64 x, u8 count, unsigned int bytes)
{
	const unsigned int top = 8 * bytes - 1;
	bool carry = e->rflags & X86_EFLAGS_CF;

	count &= bytes == 8 ? 63 : 31;
	if (!count)
		return x;
	for (; count; count--) {
		const bool out = op & 1 ? x & 1 : sign(x, bytes);
		const u64 in = op < 2 ? out : op < 4 ? carry : op == 7 ? sign(x, bytes) : 0;

		x = op & 1 ? x >> 1 | in << top : (x << 1 | in) & tpz_addr_mask(bytes);
		carry = out;
	}
	set_flag(e, X86_EFLAGS_CF, carry);
	set_flag(e, X86_EFLAGS_OF, sign(x, bytes) ^ (op & 1 ? x >> (top - 1) & 1 : carry));
	if (op >= 4)
		set_result_flags(e, x, bytes);
	return x;
}

/* @x, @y: @is_signed: sign-extended. Return: the product's lower half; CF and OF say whether the upper one tells more */
u64 tpz_multiply(struct tpz_emulation *e, u64 x, u64 y, bool is_signed, unsigned int bytes, u64 *high)
{
	const unsigned int bits = 8 * bytes;
	const u64 mask = tpz_addr_mask(bytes);
	unsigned __int128 product;
	u64 low;

	product = is_signed ? (unsigned __int128)((__int128)(s64)x * (s64)y) : (unsigned __int128)x * y;
	low = (u64)product & mask;
	*high = (u64)(product >> bits) & mask;
	set_flag(e, X86_EFLAGS_CF | X86_EFLAGS_OF, *high != (is_signed && sign(low, bytes) ? mask : 0));
	return low;
}
