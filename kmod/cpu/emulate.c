// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction emulator: general registers, strings, the stack. emulate_alu.c has arithmetic, emulate_vector.c SSE and AVX.
 *
 * Each function here carries out one form: reads its operands, computes, writes memory, and changes registers last. Only forms
 * with memory are known: no other can meet a page that is not there.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/trapeze.h>
#include <asm/processor-flags.h>
#include "emulate_internal.h"

/* ---- registers */

/* Of bytes without REX, 4 to 7 are AH, CH, DH, BH */
static bool is_high(const struct tpz_emulation *e, unsigned int reg, unsigned int bytes)
{
	return bytes == 1 && !e->insn->has_rex && reg >= 4;
}

static u64 get_reg(const struct tpz_emulation *e, unsigned int reg, unsigned int bytes)
{
	if (is_high(e, reg, bytes))
		return e->gpr[reg - 4] >> 8 & 0xff;
	return e->gpr[reg] & tpz_addr_mask(bytes);
}

static void set_reg(struct tpz_emulation *e, unsigned int reg, u64 value, unsigned int bytes)
{
	if (is_high(e, reg, bytes))
		e->gpr[reg - 4] = (e->gpr[reg - 4] & ~0xff00ULL) | (value & 0xff) << 8;
	else
		e->gpr[reg] = tpz_merge(e->gpr[reg], value, bytes);
}

static u64 sign_extend(u64 value, unsigned int bytes)
{
	const unsigned int shift = 64 - 8 * bytes;

	return (u64)((s64)(value << shift) >> shift);
}

/* Bit 0 of most opcodes: a byte, or the operand size */
static unsigned int size(const struct tpz_insn *insn)
{
	return insn->opcode & 1 ? insn->operand_bytes : 1;
}

static unsigned int digit(const struct tpz_insn *insn)
{
	return insn->modrm >> 3 & 7;
}

/* ---- memory */

struct tpz_place tpz_operand_place(const struct tpz_emulation *e, unsigned int bytes, u8 flags)
{
	const struct tpz_insn *insn = e->insn;

	return (struct tpz_place){
		.offset = tpz_effective_address(insn, e->gpr, e->rip),
		.seg = insn->segment,
		.addr_bytes = insn->address_bytes,
		.bytes = bytes,
		.flags = flags,
	};
}

static int load(struct tpz_emulation *e, const struct tpz_place *place, u64 *value)
{
	*value = 0;
	return e->ops->read(e, place, value);
}

static int store(struct tpz_emulation *e, const struct tpz_place *place, u64 value)
{
	return e->ops->write(e, place, &value);
}

/* The ModRM operand */
static int read_operand(struct tpz_emulation *e, unsigned int bytes, u64 *value)
{
	const struct tpz_place place = tpz_operand_place(e, bytes, 0);

	return load(e, &place, value);
}

static int write_operand(struct tpz_emulation *e, unsigned int bytes, u64 value)
{
	const struct tpz_place place = tpz_operand_place(e, bytes, 0);

	return store(e, &place, value);
}

/* Read, to be written by write_back() before any register has changed */
static int read_for_write(struct tpz_emulation *e, struct tpz_place *place, u64 *value)
{
	place->flags = TPZ_PLACE_MODIFY;
	return load(e, place, value);
}

static int write_back(struct tpz_emulation *e, struct tpz_place *place, u64 value)
{
	place->flags = TPZ_PLACE_SAME;
	return store(e, place, value);
}

/* ---- MOV and its kin */

/* 88 to 8b; bit 1: from memory */
static int mov(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;
	const unsigned int bytes = size(insn);
	u64 value;
	int ret;

	if (!(insn->opcode & 2))
		return write_operand(e, bytes, get_reg(e, insn->reg, bytes));
	ret = read_operand(e, bytes, &value);
	if (!ret)
		set_reg(e, insn->reg, value, bytes);
	return ret;
}

/* a0 to a3: AL, AX, EAX, RAX and an offset; bit 1: to memory */
static int mov_offset(struct tpz_emulation *e)
{
	const unsigned int bytes = size(e->insn);
	u64 value;
	int ret;

	if (e->insn->opcode & 2)
		return write_operand(e, bytes, e->gpr[TPZ_RAX]);
	ret = read_operand(e, bytes, &value);
	if (!ret)
		e->gpr[TPZ_RAX] = tpz_merge(e->gpr[TPZ_RAX], value, bytes);
	return ret;
}

/* MOVZX, MOVSX, MOVSXD */
static int mov_extended(struct tpz_emulation *e, unsigned int from, bool is_signed)
{
	u64 value;
	int ret = read_operand(e, from, &value);

	if (!ret)
		set_reg(e, e->insn->reg, is_signed ? sign_extend(value, from) : value, e->insn->operand_bytes);
	return ret;
}

static int cmov(struct tpz_emulation *e)
{
	const unsigned int bytes = e->insn->operand_bytes, reg = e->insn->reg;
	u64 value;
	int ret = read_operand(e, bytes, &value);

	if (!ret)	/* where nothing is moved, 32 bits clear the upper half all the same */
		set_reg(e, reg, tpz_condition(e, e->insn->opcode) ? value : get_reg(e, reg, bytes), bytes);
	return ret;
}

static u64 swap_bytes(u64 value, unsigned int bytes)
{
	return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

/* MOVBE: 0f 38 f0; f1: to memory */
static int mov_swapped(struct tpz_emulation *e)
{
	const unsigned int bytes = e->insn->operand_bytes, reg = e->insn->reg;
	u64 value;
	int ret;

	if (e->insn->opcode & 1)
		return write_operand(e, bytes, swap_bytes(get_reg(e, reg, bytes), bytes));
	ret = read_operand(e, bytes, &value);
	if (!ret)
		set_reg(e, reg, swap_bytes(value, bytes), bytes);
	return ret;
}

/* 8c, 8e: 16 bits, whatever the operand size. Not SS: the instruction behind it would be shielded */
static int mov_segment(struct tpz_emulation *e, bool load)
{
	const unsigned int seg = digit(e->insn);
	u64 selector;
	int ret;

	if (seg > TPZ_GS || (load && (seg == TPZ_CS || seg == TPZ_SS)))
		return -EOPNOTSUPP;
	if (!load)
		return write_operand(e, 2, e->ops->get_segment(e, seg));
	ret = read_operand(e, 2, &selector);
	return ret ?: e->ops->load_segment(e, seg, selector);
}

/* ---- arithmetic on memory */

/* 00 to 3b: bit 1: the register is the destination */
static int alu(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;
	const enum tpz_arithmetic op = insn->opcode >> 3;
	const unsigned int bytes = size(insn);
	const u64 reg = get_reg(e, insn->reg, bytes);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret;

	if (op == TPZ_CMP || (insn->opcode & 2))
		ret = load(e, &place, &value);
	else
		ret = read_for_write(e, &place, &value);
	if (ret)
		return ret;
	if (insn->opcode & 2) {
		value = tpz_arithmetic(e, op, reg, value, bytes);
		if (op != TPZ_CMP)
			set_reg(e, insn->reg, value, bytes);
		return 0;
	}
	value = tpz_arithmetic(e, op, value, reg, bytes);
	return op == TPZ_CMP ? 0 : write_back(e, &place, value);
}

/* 80 to 83 */
static int alu_immediate(struct tpz_emulation *e)
{
	const enum tpz_arithmetic op = digit(e->insn);
	const unsigned int bytes = size(e->insn);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = op == TPZ_CMP ? load(e, &place, &value) : read_for_write(e, &place, &value);

	if (ret)
		return ret;
	value = tpz_arithmetic(e, op, value, e->insn->immediate, bytes);
	return op == TPZ_CMP ? 0 : write_back(e, &place, value);
}

static int test(struct tpz_emulation *e, u64 with, unsigned int bytes)
{
	u64 value;
	int ret = read_operand(e, bytes, &value);

	if (!ret)
		tpz_arithmetic(e, TPZ_AND, value, with, bytes);
	return ret;
}

/* f6, f7: MUL, IMUL: rAX into rDX:rAX, a byte's product into AX */
static int multiply_rax(struct tpz_emulation *e, bool is_signed)
{
	const unsigned int bytes = size(e->insn);
	u64 *gpr = e->gpr, x = gpr[TPZ_RAX] & tpz_addr_mask(bytes), y, low, high;
	int ret = read_operand(e, bytes, &y);

	if (ret)
		return ret;
	if (is_signed) {
		x = sign_extend(x, bytes);
		y = sign_extend(y, bytes);
	}
	low = tpz_multiply(e, x, y, is_signed, bytes, &high);
	if (bytes == 1) {
		gpr[TPZ_RAX] = tpz_merge(gpr[TPZ_RAX], high << 8 | low, 2);
		return 0;
	}
	gpr[TPZ_RAX] = tpz_merge(gpr[TPZ_RAX], low, bytes);
	gpr[TPZ_RDX] = tpz_merge(gpr[TPZ_RDX], high, bytes);
	return 0;
}

/* IMUL of memory with a register or an immediate, into the register */
static int multiply(struct tpz_emulation *e, u64 with)
{
	const unsigned int bytes = e->insn->operand_bytes;
	u64 value, high;
	int ret = read_operand(e, bytes, &value);

	if (!ret)
		set_reg(e, e->insn->reg, tpz_multiply(e, sign_extend(value, bytes), sign_extend(with, bytes), true, bytes,
						      &high), bytes);
	return ret;
}

/* c0, c1, d0 to d3: rotations and shifts */
static int shift(struct tpz_emulation *e, u8 count)
{
	const unsigned int bytes = size(e->insn);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = read_for_write(e, &place, &value);

	return ret ?: write_back(e, &place, tpz_shift(e, digit(e->insn), value, count, bytes));
}

/* f6, f7: TEST, NOT, NEG, MUL, IMUL. Not DIV and IDIV */
static int group_3(struct tpz_emulation *e)
{
	const unsigned int op = digit(e->insn), bytes = size(e->insn);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret;

	if (op < 2)
		return test(e, e->insn->immediate, bytes);
	if (op > 5)
		return -EOPNOTSUPP;
	if (op > 3)
		return multiply_rax(e, op == 5);
	ret = read_for_write(e, &place, &value);
	if (ret)
		return ret;
	return write_back(e, &place, op == 2 ? ~value : tpz_arithmetic(e, TPZ_SUB, 0, value, bytes));
}

/* fe, ff: INC, DEC */
static int step(struct tpz_emulation *e)
{
	const unsigned int bytes = size(e->insn);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = read_for_write(e, &place, &value);

	return ret ?: write_back(e, &place, tpz_step(e, value, digit(e->insn), bytes));
}

static int exchange(struct tpz_emulation *e)
{
	const unsigned int bytes = size(e->insn), reg = e->insn->reg;
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = read_for_write(e, &place, &value) ?: write_back(e, &place, get_reg(e, reg, bytes));

	if (!ret)
		set_reg(e, reg, value, bytes);
	return ret;
}

static int exchange_add(struct tpz_emulation *e)
{
	const unsigned int bytes = size(e->insn), reg = e->insn->reg;
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = read_for_write(e, &place, &value) ?:
		  write_back(e, &place, tpz_arithmetic(e, TPZ_ADD, value, get_reg(e, reg, bytes), bytes));

	if (!ret)
		set_reg(e, reg, value, bytes);
	return ret;
}

/* CMPXCHG: memory is written either way (SDM vol. 2A) */
static int compare_exchange(struct tpz_emulation *e)
{
	const unsigned int bytes = size(e->insn);
	const u64 want = e->gpr[TPZ_RAX] & tpz_addr_mask(bytes);
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret = read_for_write(e, &place, &value);

	if (ret)
		return ret;
	tpz_arithmetic(e, TPZ_CMP, want, value, bytes);
	ret = write_back(e, &place, value == want ? get_reg(e, e->insn->reg, bytes) : value);
	if (!ret && value != want)
		e->gpr[TPZ_RAX] = tpz_merge(e->gpr[TPZ_RAX], value, bytes);
	return ret;
}

/* CMPXCHG8B, CMPXCHG16B: EDX:EAX against memory, ECX:EBX into it */
static int compare_exchange_pair(struct tpz_emulation *e)
{
	const unsigned int half = e->insn->operand_bytes == 8 ? 8 : 4;
	u64 *gpr = e->gpr, low = 0, high = 0;
	struct tpz_place place = tpz_operand_place(e, 2 * half, TPZ_PLACE_MODIFY | (half == 8 ? TPZ_PLACE_ALIGNED : 0));
	u8 pair[16];
	bool same;
	int ret = e->ops->read(e, &place, pair);

	if (ret)
		return ret;
	memcpy(&low, pair, half);
	memcpy(&high, pair + half, half);
	same = low == (gpr[TPZ_RAX] & tpz_addr_mask(half)) && high == (gpr[TPZ_RDX] & tpz_addr_mask(half));
	if (same) {
		memcpy(pair, &gpr[TPZ_RBX], half);
		memcpy(pair + half, &gpr[TPZ_RCX], half);
	}
	place.flags = TPZ_PLACE_SAME;
	ret = e->ops->write(e, &place, pair);
	if (ret)
		return ret;
	e->rflags = same ? e->rflags | X86_EFLAGS_ZF : e->rflags & ~(u64)X86_EFLAGS_ZF;
	if (!same) {
		gpr[TPZ_RAX] = low;
		gpr[TPZ_RDX] = high;
	}
	return 0;
}

/* BT and its kin. A bit number in a register reaches beyond the operand: it selects the word, too */
static int bit(struct tpz_emulation *e, unsigned int op, bool by_register)
{
	const struct tpz_insn *insn = e->insn;
	const unsigned int bytes = insn->operand_bytes;
	const u64 n = by_register ? sign_extend(get_reg(e, insn->reg, bytes), bytes) : insn->immediate & 0xff;
	struct tpz_place place = tpz_operand_place(e, bytes, 0);
	u64 value;
	int ret;

	if (by_register)
		place.offset = (place.offset + (u64)((s64)n >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4)) * bytes) &
			       tpz_addr_mask(insn->address_bytes);
	ret = op ? read_for_write(e, &place, &value) : load(e, &place, &value);
	if (ret)
		return ret;
	value = tpz_bit(e, op, value, n & (8 * bytes - 1));
	return op ? write_back(e, &place, value) : 0;
}

/* ---- the stack */

static void move_stack(struct tpz_emulation *e, unsigned int bytes, bool down)
{
	e->gpr[TPZ_RSP] = tpz_merge(e->gpr[TPZ_RSP], e->gpr[TPZ_RSP] + (down ? -(u64)bytes : bytes), e->stack_bytes);
}

static struct tpz_place stack_place(const struct tpz_emulation *e, unsigned int bytes)
{
	return (struct tpz_place){
		.offset = e->gpr[TPZ_RSP] & tpz_addr_mask(e->stack_bytes),
		.seg = TPZ_SS,
		.addr_bytes = e->stack_bytes,
		.bytes = bytes,
	};
}

static int push(struct tpz_emulation *e, u64 value)
{
	const unsigned int bytes = e->insn->operand_bytes;
	struct tpz_place place;

	move_stack(e, bytes, true);
	place = stack_place(e, bytes);
	return store(e, &place, value);
}

static int pop(struct tpz_emulation *e, u64 *value)
{
	const struct tpz_place place = stack_place(e, e->insn->operand_bytes);
	int ret = load(e, &place, value);

	if (!ret)
		move_stack(e, e->insn->operand_bytes, false);
	return ret;
}

static int push_operand(struct tpz_emulation *e)
{
	u64 value;

	return read_operand(e, e->insn->operand_bytes, &value) ?: push(e, value);
}

/* An address by RSP is that of the RSP behind the POP (SDM vol. 2B) */
static int pop_operand(struct tpz_emulation *e)
{
	u64 value;

	return pop(e, &value) ?: write_operand(e, e->insn->operand_bytes, value);
}

static int pop_reg(struct tpz_emulation *e)
{
	u64 value;
	int ret = pop(e, &value);

	if (!ret)
		set_reg(e, e->insn->rm, value, e->insn->operand_bytes);
	return ret;
}

/* CALL and JMP near, through memory */
static int branch(struct tpz_emulation *e, bool call)
{
	const u64 next = e->rip + e->insn->bytes;
	u64 target;
	int ret = read_operand(e, e->insn->operand_bytes, &target) ?: e->ops->branch(e, target);

	if (!ret && call)
		ret = push(e, next);
	if (!ret)
		e->rip = target - e->insn->bytes;	/* tpz_emulate() adds them */
	return ret;
}

/* fe, ff */
static int group_5(struct tpz_emulation *e)
{
	switch (digit(e->insn)) {
	case 0:
	case 1:
		return step(e);
	case 2:
	case 4:
		return branch(e, digit(e->insn) == 2);
	case 6:
		return push_operand(e);
	}
	return -EOPNOTSUPP;	/* far branches */
}

/* ---- strings */

static struct tpz_place string_place(const struct tpz_emulation *e, bool source)
{
	const struct tpz_insn *insn = e->insn;

	return (struct tpz_place){
		.offset = e->gpr[source ? TPZ_RSI : TPZ_RDI] & tpz_addr_mask(insn->address_bytes),
		.seg = source ? insn->segment : TPZ_ES,
		.addr_bytes = insn->address_bytes,
		.bytes = size(insn),
	};
}

static void advance(struct tpz_emulation *e, unsigned int reg)
{
	const u64 step = size(e->insn);

	e->gpr[reg] = tpz_merge(e->gpr[reg], e->gpr[reg] + (e->rflags & X86_EFLAGS_DF ? -step : step),
				e->insn->address_bytes);
}

/* The item itself; *@compares: REPE and REPNE look at ZF */
static int string_item(struct tpz_emulation *e, bool *compares)
{
	const unsigned int bytes = size(e->insn), op = e->insn->opcode & 0xfe;
	const struct tpz_place source = string_place(e, true), destination = string_place(e, false);
	const bool has_source = op != 0xaa && op != 0xae, has_destination = op != 0xac;
	u64 x = e->gpr[TPZ_RAX] & tpz_addr_mask(bytes), y;
	int ret = has_source ? load(e, &source, &x) : 0;

	*compares = op == 0xa6 || op == 0xae;
	if (ret)
		return ret;
	if (*compares)
		ret = load(e, &destination, &y);
	else if (has_destination)
		ret = store(e, &destination, x);
	if (ret)
		return ret;
	if (*compares)
		tpz_arithmetic(e, TPZ_CMP, x, y, bytes);
	if (op == 0xac)
		e->gpr[TPZ_RAX] = tpz_merge(e->gpr[TPZ_RAX], x, bytes);
	if (has_source)
		advance(e, TPZ_RSI);
	if (has_destination)
		advance(e, TPZ_RDI);
	return 0;
}

/* MOVS, CMPS, STOS, LODS, SCAS; F2 repeats those that do not compare, too */
static int string(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;
	const u64 mask = tpz_addr_mask(insn->address_bytes);
	const bool repeats = insn->rep || insn->repne;
	u64 count = e->gpr[TPZ_RCX];
	bool compares;
	int ret;

	if (repeats && !(count & mask))
		return 0;
	ret = string_item(e, &compares);
	if (ret || !repeats)
		return ret;
	count = tpz_merge(count, count - 1, insn->address_bytes);
	e->gpr[TPZ_RCX] = count;
	e->more = (count & mask) && (!compares || !(e->rflags & X86_EFLAGS_ZF) == insn->repne);
	return 0;
}

/* ---- which instruction it is */

static int one_byte(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;

	switch (insn->opcode) {
	case 0x50 ... 0x57:
		return push(e, e->gpr[insn->rm]);
	case 0x58 ... 0x5f:
		return pop_reg(e);
	case 0x68: case 0x6a:
		return push(e, insn->immediate);
	case 0xa0 ... 0xa3:
		return mov_offset(e);
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
		return string(e);
	}
	if (!insn->has_memory)
		return -EOPNOTSUPP;
	switch (insn->opcode) {
	case 0x00 ... 0x3b:
		return (insn->opcode & 7) < 4 ? alu(e) : -EOPNOTSUPP;
	case 0x63:
		return insn->mode == TPZ_DECODE_64 ? mov_extended(e, insn->operand_bytes == 2 ? 2 : 4, true) : -EOPNOTSUPP;
	case 0x69: case 0x6b:
		return multiply(e, insn->immediate);
	case 0x80 ... 0x83:
		return alu_immediate(e);
	case 0x84: case 0x85:
		return test(e, get_reg(e, insn->reg, size(insn)), size(insn));
	case 0x86: case 0x87:
		return exchange(e);
	case 0x88 ... 0x8b:
		return mov(e);
	case 0x8c:
	case 0x8e:
		return mov_segment(e, insn->opcode & 2);
	case 0x8f:
		return pop_operand(e);
	case 0xc0: case 0xc1:
		return shift(e, insn->immediate);
	case 0xd0: case 0xd1:
		return shift(e, 1);
	case 0xd2: case 0xd3:
		return shift(e, e->gpr[TPZ_RCX]);
	case 0xc6: case 0xc7:
		return write_operand(e, size(insn), insn->immediate);
	case 0xf6: case 0xf7:
		return group_3(e);
	case 0xfe: case 0xff:
		return group_5(e);
	}
	return -EOPNOTSUPP;
}

static int map_0f(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;

	if (!insn->has_memory)
		return -EOPNOTSUPP;
	switch (insn->opcode) {
	case 0x40 ... 0x4f:
		return cmov(e);
	case 0x90 ... 0x9f:
		return write_operand(e, 1, tpz_condition(e, insn->opcode));
	case 0xa3: case 0xab: case 0xb3: case 0xbb:
		return bit(e, insn->opcode >> 3 & 3, true);
	case 0xba:
		return bit(e, digit(insn) & 3, false);
	case 0xaf:
		return multiply(e, get_reg(e, insn->reg, insn->operand_bytes));
	case 0xb0: case 0xb1:
		return compare_exchange(e);
	case 0xb6: case 0xb7: case 0xbe: case 0xbf:
		return mov_extended(e, insn->opcode & 1 ? 2 : 1, insn->opcode & 8);
	case 0xc0: case 0xc1:
		return exchange_add(e);
	case 0xc3:	/* MOVNTI */
		return insn->mandatory == TPZ_PREFIX_NONE ?
		       write_operand(e, insn->operand_bytes, get_reg(e, insn->reg, insn->operand_bytes)) : -EOPNOTSUPP;
	case 0xc7:
		return digit(insn) == 1 ? compare_exchange_pair(e) : -EOPNOTSUPP;
	}
	return tpz_emulate_vector(e);
}

int tpz_emulate(struct tpz_emulation *e)
{
	const struct tpz_insn *insn = e->insn;
	int ret;

	e->more = false;
	if (insn->encoding == TPZ_LEGACY && insn->map == TPZ_MAP_ONE)
		ret = one_byte(e);
	else if (insn->encoding == TPZ_LEGACY && insn->map == TPZ_MAP_0F)
		ret = map_0f(e);
	else if (insn->encoding == TPZ_LEGACY && insn->map == TPZ_MAP_0F38 && (insn->opcode & 0xfe) == 0xf0)
		ret = insn->has_memory && insn->mandatory <= TPZ_PREFIX_66 ? mov_swapped(e) : -EOPNOTSUPP;
	else
		ret = tpz_emulate_vector(e);
	if (!ret && !e->more)
		e->rip += insn->bytes;
	return ret;
}
