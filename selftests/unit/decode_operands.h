/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operands of an instruction whose length both decoders agree on, field by field.
 */
#ifndef DECODE_OPERANDS_H
#define DECODE_OPERANDS_H

#include "decode_compare.h"

#define SAME(ours_, theirs_)							\
	do {									\
		if ((ours_) != (theirs_))					\
			wrong_operand(p, #ours_, (u64)(ours_), (u64)(theirs_));	\
	} while (0)

static void wrong_operand(const struct pair *p, const char *field, u64 ours, u64 theirs)
{
	char text[160];

	counts.wrong++;
	snprintf(text, sizeof(text), "%s: %#llx, not %#llx", field, (unsigned long long)ours, (unsigned long long)theirs);
	tell(p, text);
}

/* A register's number as instructions write it: Zydis counts AH after BL, and SPL after BH */
static unsigned int register_number(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BH)
		return reg - ZYDIS_REGISTER_AL;
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return reg - ZYDIS_REGISTER_AL - 4;
	return ZydisRegisterGetId(reg);
}

/* Bits of a register's number that count: REX does not reach all classes, and EVEX's further bits only vectors */
static unsigned int register_mask(ZydisRegister reg)
{
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_XMM: case ZYDIS_REGCLASS_YMM: case ZYDIS_REGCLASS_ZMM:
		return 31;
	case ZYDIS_REGCLASS_GPR8: case ZYDIS_REGCLASS_GPR16: case ZYDIS_REGCLASS_GPR32: case ZYDIS_REGCLASS_GPR64:
	case ZYDIS_REGCLASS_CONTROL: case ZYDIS_REGCLASS_DEBUG:
		return 15;
	default:
		return 7;
	}
}

static u8 number_or_none(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ? TPZ_NO_REG : register_number(reg);
}

/* The same address by both, with values in the registers that overflow every address size */
static void compare_address(const struct pair *p, const ZydisDecodedOperand *operand)
{
	static ZydisRegisterContext context;
	static u64 gpr[TPZ_GPRS];
	const u64 rip = 0xfedcba9876543210;
	ZyanU64 theirs;
	u64 ours;

	for (unsigned int i = 0; !gpr[TPZ_R15] && i < TPZ_GPRS; i++) {
		gpr[i] = 0x9e3779b97f4a7c15 * (i + 1);
		context.values[ZYDIS_REGISTER_RAX + i] = gpr[i];
		context.values[ZYDIS_REGISTER_EAX + i] = (u32)gpr[i];
		context.values[ZYDIS_REGISTER_AX + i] = (u16)gpr[i];
	}
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&p->theirs, operand, rip, &context, &theirs))) {
		wrong_operand(p, "no address by Zydis", 0, 0);
		return;
	}
	ours = tpz_effective_address(&p->ours, gpr, rip);
	SAME(ours, theirs);
}

static void compare_memory(const struct pair *p, const ZydisDecodedOperand *operand)
{
	const struct tpz_insn *i = &p->ours;
	bool vector = ZydisRegisterGetClass(operand->mem.index) >= ZYDIS_REGCLASS_XMM &&
		      ZydisRegisterGetClass(operand->mem.index) <= ZYDIS_REGCLASS_ZMM;
	bool rip = operand->mem.base == ZYDIS_REGISTER_RIP || operand->mem.base == ZYDIS_REGISTER_EIP;

	SAME(i->has_memory, true);
	SAME(i->rip_relative, rip);
	if (i->base == TPZ_NO_REG && operand->mem.base == ZYDIS_REGISTER_R13D && explain(p))
		return;
	SAME(i->base, rip ? TPZ_NO_REG : number_or_none(operand->mem.base));
	SAME(i->index, vector ? TPZ_NO_REG : number_or_none(operand->mem.index));
	if (i->index != TPZ_NO_REG)
		SAME(1 << i->scale, operand->mem.scale);
	if (operand->mem.type != ZYDIS_MEMOP_TYPE_AGEN && operand->mem.segment != ZYDIS_REGISTER_NONE)
		SAME(i->segment, ZydisRegisterGetId(operand->mem.segment));
	/* EVEX multiplies a displacement of one byte by what our decoder does not know: the size of the memory operand */
	if (!vector && i->encoding != TPZ_EVEX)
		compare_address(p, operand);
}

static void compare_register(const struct pair *p, u8 ours, ZydisRegister theirs)
{
	unsigned int mask = register_mask(theirs);

	SAME(ours & mask, register_number(theirs) & mask);
}

/* String instructions: the segment of the source, else of the destination; and the offset of MOV's short forms */
static void compare_implied_memory(const struct pair *p, const ZydisDecodedOperand *operands, unsigned int count)
{
	const struct tpz_insn *i = &p->ours;
	u8 segment = TPZ_NO_REG;

	if (i->map != TPZ_MAP_ONE || i->has_modrm)
		return;
	for (unsigned int k = 0; k < count; k++) {
		const ZydisDecodedOperand *operand = &operands[k];
		bool source = operand->mem.base == ZYDIS_REGISTER_SI || operand->mem.base == ZYDIS_REGISTER_ESI ||
			      operand->mem.base == ZYDIS_REGISTER_RSI;

		if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (segment == TPZ_NO_REG || source)
			segment = ZydisRegisterGetId(operand->mem.segment);
		if (i->opcode >= 0xa0 && i->opcode <= 0xa3)
			compare_address(p, operand);
	}
	if ((i->opcode >= 0x6c && i->opcode <= 0x6f) || (i->opcode >= 0xa0 && i->opcode <= 0xa7) ||
	    (i->opcode >= 0xaa && i->opcode <= 0xaf))
		SAME(i->segment, segment);
}

static void compare_listed_operands(const struct pair *p)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	unsigned int count = p->theirs.operand_count;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&views[p->view], &p->context, &p->theirs, operands, count))) {
		wrong_operand(p, "no operands by Zydis", 0, 0);
		return;
	}
	for (unsigned int k = 0; k < count; k++) {
		const ZydisDecodedOperand *operand = &operands[k];
		bool is_register = operand->type == ZYDIS_OPERAND_TYPE_REGISTER;

		if (operand->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
			compare_memory(p, operand);
		else if (operand->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && is_register)
			compare_register(p, p->ours.rm, operand->reg.value);
		else if (operand->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG && is_register)
			compare_register(p, p->ours.reg, operand->reg.value);
		else if (operand->encoding == ZYDIS_OPERAND_ENCODING_OPCODE && is_register)
			compare_register(p, p->ours.rm, operand->reg.value);
		else if (operand->encoding == ZYDIS_OPERAND_ENCODING_NDSNDD && is_register)
			compare_register(p, p->ours.vvvv, operand->reg.value);
	}
	compare_implied_memory(p, operands, count);
}

static void compare_numbers(const struct pair *p)
{
	const struct tpz_insn *i = &p->ours;
	const ZydisDecodedInstruction *z = &p->theirs;
	bool offset = i->map == TPZ_MAP_ONE && i->opcode >= 0xa0 && i->opcode <= 0xa3;
	/* Above the operand's size, the manual says nothing of an immediate */
	u64 mask = z->operand_width && z->operand_width < 64 ? (1ULL << z->operand_width) - 1 : ~0ULL;

	if (offset || i->map == TPZ_MAP_3DNOW)
		return;
	SAME(i->displacement_bytes, z->raw.disp.size / 8);
	SAME(i->displacement, (s32)z->raw.disp.value);
	SAME(i->immediate_bytes, z->raw.imm[0].size / 8);
	if (i->opcode == 0xc8 || z->raw.imm[0].is_relative || i->map != TPZ_MAP_ONE)
		mask = ~0ULL;
	SAME(i->immediate & mask, z->raw.imm[0].value.u & mask);
	SAME(i->immediate2, z->raw.imm[1].value.u);
}

/* Whether the operand size that our decoder tells is one: not of byte instructions, nor where no operand's size varies */
static bool has_operand_size(const struct tpz_insn *i)
{
	if (i->map == TPZ_MAP_ONE) {
		switch (i->opcode) {
		case 0x00 ... 0x3f:
		case 0x84 ... 0x8b:
		case 0xc0: case 0xc1: case 0xd0 ... 0xd3:
		case 0xc6: case 0xc7: case 0xf6: case 0xf7:
		case 0xa0 ... 0xaf:
		case 0xe4 ... 0xe7: case 0xec ... 0xef:
			return i->opcode & 1;
		case 0x6d: case 0x6f:	/* Zydis says 64 bits with REX.W, and INSD */
			return !i->rex_w;
		case 0x50 ... 0x5f: case 0x68 ... 0x6b: case 0x70 ... 0x7f: case 0x81: case 0x83: case 0x8f: case 0x90 ... 0x9a:
		case 0x9c: case 0x9d: case 0xb8 ... 0xbf: case 0xc2: case 0xc3: case 0xc9: case 0xca: case 0xcb: case 0xcf:
		case 0xe8 ... 0xeb: case 0xff:
			return true;
		}
	}
	if (i->map == TPZ_MAP_0F) {
		switch (i->opcode) {
		case 0x20 ... 0x23:
		case 0x40 ... 0x4f:
		case 0x80 ... 0x8f:
		case 0xa0: case 0xa1: case 0xa3: case 0xa4: case 0xa5: case 0xa8: case 0xa9: case 0xab ... 0xad: case 0xaf:
		case 0xb1 ... 0xb7: case 0xba ... 0xbf: case 0xc1: case 0xc8 ... 0xcf:
			return true;
		}
	}
	return false;
}

static void compare_operands(const struct pair *p)
{
	const struct tpz_insn *i = &p->ours;
	const ZydisDecodedInstruction *z = &p->theirs;

	SAME(i->has_modrm, !!(z->attributes & ZYDIS_ATTRIB_HAS_MODRM));
	SAME(i->modrm, z->raw.modrm.mod << 6 | z->raw.modrm.reg << 3 | z->raw.modrm.rm);
	/* ENCLS and the like: always 32 or 64 bits, which is nobody's business here */
	if (!(i->map == TPZ_MAP_0F && i->opcode == 0x01 && (i->modrm == 0xc0 || i->modrm == 0xcf || i->modrm == 0xd7)))
		SAME(i->address_bytes, z->address_width / 8);
	SAME(i->lock, !!(z->attributes & ZYDIS_ATTRIB_HAS_LOCK));
	if (i->encoding == TPZ_LEGACY) {
		SAME(i->rex_w, z->raw.rex.W);
		SAME(i->has_rex, !!(z->attributes & ZYDIS_ATTRIB_HAS_REX));
		if (has_operand_size(i))
			SAME(i->operand_bytes, z->operand_width / 8);
	}
	compare_numbers(p);
	compare_listed_operands(p);
}

#endif /* DECODE_OPERANDS_H */
