// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder: prefixes, opcode, ModRM, SIB, displacement, immediates, in the order of their bytes. What
 * exists is said by decode_tables.c; Documentation/decoder.md says what is judged and what is not.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/trapeze.h>
#include "decode.h"
#include "decode_tables.h"

/* One decoding: the bytes, how many are there, and the next one */
struct decoder {
	struct tpz_insn *insn;
	const u8 *code;
	unsigned int count, at;
	u8 rex;
	u8 r, x, b;		/* 8: extends ModRM.reg, SIB.index, ModRM.rm or SIB.base; with EVEX 16 and 24 too */
	u8 segment;		/* the override, or TPZ_NO_REG */
};

/* The next byte: 0 to 255, or the error that its lack is */
static int peek(const struct decoder *d)
{
	if (d->at >= TPZ_INSN_MAX)
		return -E2BIG;
	if (d->at >= d->count)
		return -EAGAIN;
	return d->code[d->at];
}

static int next(struct decoder *d)
{
	int byte = peek(d);

	if (byte >= 0)
		d->at++;
	return byte;
}

/* A little-endian number */
static int next_number(struct decoder *d, unsigned int bytes, u64 *number)
{
	*number = 0;
	for (unsigned int i = 0; i < bytes; i++) {
		int byte = next(d);

		if (byte < 0)
			return byte;
		*number |= (u64)byte << (8 * i);
	}
	return 0;
}

static u64 sign_extended(u64 number, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return bytes ? (u64)((s64)(number << shift) >> shift) : 0;
}

/* -- prefixes ------------------------------------------------------------------------------------------------------ */

static void set_segment(struct decoder *d, u8 segment)
{
	/* 64-bit mode ignores the others, even behind FS or GS (SDM vol. 1, 3.4.2.1) */
	if (d->insn->mode != TPZ_DECODE_64 || segment == TPZ_FS || segment == TPZ_GS)
		d->segment = segment;
}

static bool is_prefix(struct decoder *d, u8 byte)
{
	struct tpz_insn *insn = d->insn;

	if (insn->mode == TPZ_DECODE_64 && (byte & 0xf0) == 0x40) {
		d->rex = byte;
		return true;
	}
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:
		set_segment(d, byte >> 3 & 3);	/* ES, CS, SS, DS, as enum tpz_seg has them */
		break;
	case 0x64: case 0x65:
		set_segment(d, byte & 7);	/* FS, GS */
		break;
	case 0x66:
		insn->opsize = true;
		break;
	case 0x67:
		insn->addrsize = true;
		break;
	case 0xf0:
		insn->lock = true;
		break;
	case 0xf2: case 0xf3:
		insn->repne = byte == 0xf2;
		insn->rep = byte == 0xf3;
		break;
	default:
		return false;
	}
	d->rex = 0;		/* counts only right before the opcode (SDM vol. 2A, 2.2.1) */
	return true;
}

static int read_prefixes(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	int byte = next(d);

	while (byte >= 0 && is_prefix(d, byte))
		byte = next(d);
	if (byte < 0)
		return byte;
	insn->opcode = byte;
	insn->has_rex = d->rex;
	insn->rex_w = d->rex & 8;
	d->r = d->rex & 4 ? 8 : 0;
	d->x = d->rex & 2 ? 8 : 0;
	d->b = d->rex & 1 ? 8 : 0;
	insn->mandatory = insn->rep ? TPZ_PREFIX_F3 : insn->repne ? TPZ_PREFIX_F2 : insn->opsize ? TPZ_PREFIX_66 : TPZ_PREFIX_NONE;
	return 0;
}

/* -- opcode: escapes, VEX, EVEX, XOP ------------------------------------------------------------------------------- */

/*
 * Whether this opcode byte begins VEX, EVEX or XOP. Outside of 64-bit mode LES, LDS and BOUND have the same first byte,
 * but always a memory operand; XOP shares its byte with POP, whose ModRM.reg is 0
 */
static int read_encoding(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	bool vex = insn->opcode == 0xc4 || insn->opcode == 0xc5;
	int byte;

	if (!vex && insn->opcode != 0x62 && insn->opcode != 0x8f)
		return 0;
	if (insn->mode == TPZ_DECODE_64 && insn->opcode != 0x8f) {
		insn->encoding = vex ? TPZ_VEX : TPZ_EVEX;
		return 0;
	}
	byte = peek(d);
	if (byte < 0)
		return byte;
	if (insn->opcode == 0x8f)
		insn->encoding = (byte & 0x1f) >= 8 ? TPZ_XOP : TPZ_LEGACY;
	else if (byte >= 0xc0)
		insn->encoding = vex ? TPZ_VEX : TPZ_EVEX;
	return 0;
}

/* The map's number in VEX, EVEX and XOP; TPZ_MAP_ONE: there is none */
static enum tpz_opcode_map map_numbered(enum tpz_encoding encoding, u8 number)
{
	static const u8 maps[] = {
		[1] = TPZ_MAP_0F, [2] = TPZ_MAP_0F38, [3] = TPZ_MAP_0F3A, [5] = TPZ_MAP_5, [6] = TPZ_MAP_6,
		[8] = TPZ_MAP_XOP8, [9] = TPZ_MAP_XOP9, [10] = TPZ_MAP_XOPA,
	};

	return number < ARRAY_SIZE(maps) && tpz_map_exists(maps[number], encoding) ? maps[number] : TPZ_MAP_ONE;
}

/* The bytes behind the first one, with R, X, B, R', vvvv and V' upside down, as they stand there */
static int read_vex(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	unsigned int payload = insn->encoding == TPZ_EVEX ? 3 : insn->opcode == 0xc5 ? 1 : 2;
	u8 p[3] = { 0xe1, 0, 8 };	/* the two-byte VEX: neither X nor B, map 0F */
	int byte = 0;

	if (insn->lock || insn->opsize || insn->rep || insn->repne || d->rex)
		return -EINVAL;
	if (payload == 1) {
		byte = next(d);
		p[0] = (byte & 0x80) | 0x61;
		p[1] = byte & 0x7f;
	}
	for (unsigned int i = 0; payload > 1 && i < payload && byte >= 0; i++)
		p[i] = byte = next(d);
	if (byte < 0)
		return byte;

	if (insn->encoding == TPZ_EVEX && ((p[0] & 8) || !(p[1] & 4)))
		return -EINVAL;
	insn->map = map_numbered(insn->encoding, p[0] & (insn->encoding == TPZ_EVEX ? 7 : 0x1f));
	if (insn->map == TPZ_MAP_ONE)
		return -EINVAL;
	insn->mandatory = p[1] & 3;
	insn->rex_w = p[1] & 0x80;
	insn->vex_l = insn->encoding == TPZ_VEX && (p[1] & 4);
	insn->vvvv = ~p[1] >> 3 & 15;
	if (insn->mode == TPZ_DECODE_64) {
		d->r = p[0] & 0x80 ? 0 : 8;
		d->x = p[0] & 0x40 ? 0 : 8;
		d->b = p[0] & 0x20 ? 0 : 8;
		if (insn->encoding == TPZ_EVEX) {
			d->r |= p[0] & 0x10 ? 0 : 16;
			insn->vvvv |= p[2] & 8 ? 0 : 16;
		}
	} else {
		insn->vvvv &= 7;
	}
	byte = next(d);
	insn->opcode = byte;
	return byte < 0 ? byte : 0;
}

static int read_opcode(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	int byte = read_encoding(d);

	if (byte < 0)
		return byte;
	if (insn->encoding != TPZ_LEGACY)
		return read_vex(d);
	if (insn->opcode != 0x0f)
		return 0;
	byte = next(d);
	insn->map = TPZ_MAP_0F;
	if (byte == 0x38 || byte == 0x3a) {
		insn->map = byte == 0x38 ? TPZ_MAP_0F38 : TPZ_MAP_0F3A;
		byte = next(d);
	}
	insn->opcode = byte;
	return byte < 0 ? byte : 0;
}

/* -- ModRM, SIB, displacement -------------------------------------------------------------------------------------- */

/* Table 2-1 of SDM vol. 2A */
static void address_16(struct tpz_insn *insn, u8 mod, u8 rm)
{
	static const u8 bases[] = { TPZ_RBX, TPZ_RBX, TPZ_RBP, TPZ_RBP, TPZ_RSI, TPZ_RDI, TPZ_RBP, TPZ_RBX };

	insn->base = bases[rm];
	if (rm < 4)
		insn->index = rm & 1 ? TPZ_RDI : TPZ_RSI;
	insn->displacement_bytes = mod == 1 ? 1 : mod == 2 ? 2 : 0;
	if (mod == 0 && rm == 6) {
		insn->base = TPZ_NO_REG;
		insn->displacement_bytes = 2;
	}
}

/* Tables 2-2 and 2-3 of SDM vol. 2A; REX.B does not change which rm means SIB or a displacement alone */
static int address_32(struct decoder *d, u8 mod, u8 rm)
{
	struct tpz_insn *insn = d->insn;
	int sib;

	insn->displacement_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	insn->base = rm | d->b;
	if (rm == 4) {
		sib = next(d);
		if (sib < 0)
			return sib;
		rm = sib & 7;
		insn->base = rm | d->b;
		insn->index = (sib >> 3 & 7) | d->x;
		insn->scale = sib >> 6;
		if (insn->index == 4 || tpz_has_vector_index(insn)) {
			insn->index = TPZ_NO_REG;
			insn->scale = 0;
		}
	} else if (mod == 0 && rm == 5) {
		insn->rip_relative = insn->mode == TPZ_DECODE_64;
	}
	if (mod == 0 && rm == 5) {
		insn->base = TPZ_NO_REG;
		insn->displacement_bytes = 4;
	}
	return 0;
}

static int read_memory_operand(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	u8 mod = insn->modrm >> 6, rm = insn->modrm & 7;
	u64 displacement;
	int ret = 0;

	if (insn->address_bytes == 2)
		address_16(insn, mod, rm);
	else
		ret = address_32(d, mod, rm);
	if (ret)
		return ret;
	insn->segment = insn->base == TPZ_RSP || insn->base == TPZ_RBP ? TPZ_SS : TPZ_DS;
	if (d->segment != TPZ_NO_REG)
		insn->segment = d->segment;
	ret = next_number(d, insn->displacement_bytes, &displacement);
	insn->displacement = sign_extended(displacement, insn->displacement_bytes);
	return ret;
}

static int read_modrm(struct decoder *d, char shape)
{
	struct tpz_insn *insn = d->insn;
	int byte = next(d);

	if (byte < 0)
		return byte;
	insn->has_modrm = true;
	insn->modrm = byte;
	insn->has_memory = byte < 0xc0 && shape != 'r';
	insn->reg = (byte >> 3 & 7) | d->r;
	insn->rm = (byte & 7) | d->b | (insn->encoding == TPZ_EVEX ? d->x << 1 : 0);
	return 0;
}

/* -- sizes --------------------------------------------------------------------------------------------------------- */

static u8 operand_bytes(const struct tpz_insn *insn)
{
	u8 bytes = (insn->mode == TPZ_DECODE_16) != insn->opsize ? 2 : 4;
	char rule = tpz_size_rule(insn);

	if (insn->encoding != TPZ_LEGACY)
		return insn->rex_w && insn->mode == TPZ_DECODE_64 ? 8 : 4;
	if (insn->mode != TPZ_DECODE_64)
		return rule == 'w' ? 4 : bytes;
	if (rule == 'n' || rule == 'w')
		return 8;
	if (insn->rex_w)
		return rule == 'p' ? 4 : 8;
	return rule == 's' && bytes == 4 ? 8 : bytes;
}

static u8 address_bytes(const struct tpz_insn *insn)
{
	switch (insn->mode) {
	case TPZ_DECODE_64:
		return insn->addrsize ? 4 : 8;
	case TPZ_DECODE_32:
		return insn->addrsize ? 2 : 4;
	default:
		return insn->addrsize ? 4 : 2;
	}
}

/* -- immediates ---------------------------------------------------------------------------------------------------- */

/* How many bytes of immediate there are; *@second of another one behind it */
static u8 immediate_bytes(const struct tpz_insn *insn, char shape, u8 *second)
{
	u8 z = insn->operand_bytes == 2 ? 2 : 4;
	bool test = (insn->modrm >> 3 & 7) < 2;

	*second = 0;
	switch (shape) {
	case 'b': case 'i': case 'j':
		return 1;
	case 'z': case 'Z': case 'J':
		return z;
	case 's':
		return test ? 1 : 0;
	case 'S':
		return test ? z : 0;
	case 'v':
		return insn->operand_bytes;
	case 'w':
		return 2;
	case 'e':
		*second = 1;
		return 2;
	case 'o':
		return insn->address_bytes;
	case 'p':
		*second = 2;
		return z;
	default:
		break;
	}
	/* EXTRQ and INSERTQ with two bytes; the opcode without a prefix is VMREAD */
	if (insn->encoding == TPZ_LEGACY && insn->map == TPZ_MAP_0F && insn->opcode == 0x78 && insn->mandatory) {
		*second = 1;
		return 1;
	}
	return 0;
}

static bool immediate_is_signed(const struct tpz_insn *insn, char shape)
{
	if (shape == 'j' || shape == 'J')
		return true;
	if (insn->map != TPZ_MAP_ONE)
		return false;
	switch (insn->opcode) {
	case 0x6a: case 0x6b: case 0x83:	/* eight bits, for an operand of more */
		return true;
	default:
		if (insn->opcode == 0xc7 && insn->modrm == 0xf8)	/* XBEGIN */
			return true;
		return insn->operand_bytes == 8 && insn->immediate_bytes == 4;
	}
}

static int read_immediates(struct decoder *d, char shape)
{
	struct tpz_insn *insn = d->insn;
	u64 number;
	u8 second;
	int ret;

	insn->immediate_bytes = immediate_bytes(insn, shape, &second);
	ret = next_number(d, insn->immediate_bytes, &insn->immediate);
	if (ret)
		return ret;
	if (immediate_is_signed(insn, shape))
		insn->immediate = sign_extended(insn->immediate, insn->immediate_bytes);
	ret = next_number(d, second, &number);
	insn->immediate2 = number;
	return ret;
}

/* 0F 0F: the opcode comes last */
static int read_3dnow_opcode(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;

	insn->map = TPZ_MAP_3DNOW;
	insn->opcode = insn->immediate;
	insn->immediate = insn->immediate_bytes = 0;
	return tpz_opcode_exists(insn) ? 0 : -EINVAL;
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

/* The segment of what has no ModRM: string instructions' source (INS, STOS and SCAS have but a destination), offsets */
static void implied_segment(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;

	insn->segment = d->segment != TPZ_NO_REG ? d->segment : TPZ_DS;
	if (insn->map != TPZ_MAP_ONE)
		return;
	switch (insn->opcode) {
	case 0x6c: case 0x6d:
	case 0xaa: case 0xab:
	case 0xae: case 0xaf:
		insn->segment = TPZ_ES;
	}
}

static int decode(struct decoder *d)
{
	struct tpz_insn *insn = d->insn;
	int ret;
	char shape;

	ret = read_prefixes(d);
	if (ret)
		return ret;
	ret = read_opcode(d);
	if (ret)
		return ret;
	if (!tpz_opcode_exists(insn))
		return -EINVAL;
	insn->address_bytes = address_bytes(insn);
	implied_segment(d);
	insn->rm = (insn->opcode & 7) | d->b;
	shape = tpz_shape(insn);
	if (strchr("mrbzsS", shape)) {
		ret = read_modrm(d, shape);
		if (ret)
			return ret;
	}
	if (!tpz_form_exists(insn))
		return -EINVAL;
	insn->operand_bytes = operand_bytes(insn);
	if (insn->has_memory)
		ret = read_memory_operand(d);
	if (!ret)
		ret = read_immediates(d, shape);
	if (!ret && insn->map == TPZ_MAP_0F && insn->opcode == 0x0f)
		ret = read_3dnow_opcode(d);
	return ret;
}

int tpz_decode(struct tpz_insn *insn, const u8 *code, unsigned int count, enum tpz_decode_mode mode)
{
	struct decoder d = { .insn = insn, .code = code, .count = count, .segment = TPZ_NO_REG };
	int ret;

	*insn = (struct tpz_insn) { .mode = mode, .base = TPZ_NO_REG, .index = TPZ_NO_REG };
	ret = decode(&d);
	insn->bytes = d.at;
	return ret;
}

u64 tpz_effective_address(const struct tpz_insn *insn, const u64 *gpr, u64 rip)
{
	u64 address = insn->has_memory ? (u64)(s64)insn->displacement : insn->immediate;

	if (insn->rip_relative)
		address += rip + insn->bytes;
	if (insn->base != TPZ_NO_REG)
		address += gpr[insn->base];
	if (insn->index != TPZ_NO_REG)
		address += gpr[insn->index] << insn->scale;
	return insn->address_bytes == 8 ? address : address & ((1ULL << (8 * insn->address_bytes)) - 1);
}
