/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One instruction by two decoders: kmod/cpu/decode.c and Zydis. What they may differ in is a list, each entry with its
 * reason; a difference that no entry explains is an error, and so is an entry that explains nothing any more.
 */
#ifndef DECODE_COMPARE_H
#define DECODE_COMPARE_H

#include <Zydis/Zydis.h>

/* Zydis in the three modes, and in the fourth way of looking at 64-bit mode: AMD's near branches */
enum { VIEW_16, VIEW_32, VIEW_64, VIEW_64_AMD, VIEWS };

static const enum tpz_decode_mode view_modes[VIEWS] = { TPZ_DECODE_16, TPZ_DECODE_32, TPZ_DECODE_64, TPZ_DECODE_64 };
static const char *const view_names[VIEWS] = { "16-bit", "32-bit", "64-bit", "64-bit AMD" };
static ZydisDecoder views[VIEWS];

/* What both said */
struct pair {
	const u8 *code;		/* TPZ_INSN_MAX bytes */
	unsigned int view;
	struct tpz_insn ours;
	int ret;
	ZydisDecodedInstruction theirs;
	ZydisDecoderContext context;
	ZyanStatus status;
};

static struct {
	unsigned long compared, valid, invalid, explained, wrong;
} counts;

static ZyanStatus zydis_judges(const u8 *code, unsigned int view, unsigned int bytes)
{
	ZydisDecodedInstruction insn;
	ZydisDecoderContext context;
	ZyanStatus status = ZydisDecoderDecodeInstruction(&views[view], &context, code, TPZ_INSN_MAX, &insn);

	return ZYAN_SUCCESS(status) && insn.length != bytes ? ZYDIS_STATUS_DECODING_ERROR : status;
}

/* -- the reasons --------------------------------------------------------------------------------------------------- */

/* Where the first byte of VEX, EVEX or XOP stands: only prefixes are before it */
static unsigned int vex_offset(const struct pair *p)
{
	static const u8 first[TPZ_ENCODINGS][2] = {
		[TPZ_VEX] = { 0xc4, 0xc5 }, [TPZ_EVEX] = { 0x62, 0x62 }, [TPZ_XOP] = { 0x8f, 0x8f },
	};
	unsigned int at = 0;

	while (p->code[at] != first[p->ours.encoding][0] && p->code[at] != first[p->ours.encoding][1])
		at++;
	return at;
}

/*
 * One variant of the operands of a VEX, EVEX or XOP instruction: the same opcode, map, mandatory prefix and length, other
 * values of W, L, vvvv, of the bits that extend registers, and EVEX's z, b, aaa
 */
static void vary_operands(const struct pair *p, unsigned int at, unsigned int variant, u8 *code)
{
	static const u8 vvvv[] = { 15, 3, 12, 10 };
	u8 *bits = code + at + 1;

	if (code[at] == 0xc5) {
		bits[0] = (bits[0] & 0x03) | 0x80 | vvvv[variant & 3] << 3 | (variant >> 2 & 1) << 2;
		return;
	}
	if (!(variant & 0x100))
		bits[0] |= p->ours.encoding == TPZ_EVEX ? 0xf0 : 0xe0;
	bits[1] = (bits[1] & 0x07) | vvvv[variant & 3] << 3 | (variant >> 3 & 1) << 7;
	if (p->ours.encoding == TPZ_EVEX)	/* z, L'L, b, V' set, aaa 0 or 1 */
		bits[2] = (variant >> 4 & 1) << 7 | (variant >> 9 & 3) << 5 | (variant >> 5 & 1) << 4 | 8 | (variant >> 6 & 1);
	else
		bits[1] = (bits[1] & ~4) | (variant >> 2 & 1) << 2;
}

/* Whether Zydis takes the opcode with any other operands, at this length */
static bool has_other_operands(const struct pair *p, const u8 *original, unsigned int view, unsigned int bytes)
{
	unsigned int at, variants = p->ours.encoding == TPZ_EVEX ? 0x800 : 0x200;
	u8 code[TPZ_INSN_MAX], *modrm;

	if (p->ret || p->ours.encoding == TPZ_LEGACY)
		return false;
	at = vex_offset(p);
	modrm = code + at + (original[at] == 0xc5 ? 3 : p->ours.encoding == TPZ_EVEX ? 5 : 4);
	for (unsigned int variant = 0; variant < variants; variant++) {
		ZyanStatus status;

		memcpy(code, original, sizeof(code));
		vary_operands(p, at, variant, code);
		status = zydis_judges(code, view, bytes);
		for (unsigned int reg = 0; status == ZYDIS_STATUS_BAD_REGISTER && reg < 8; reg++) {
			*modrm = (*modrm & 0xc7) | reg << 3;
			status = zydis_judges(code, view, bytes);
		}
		if (ZYAN_SUCCESS(status))
			return true;
	}
	return false;
}

/*
 * The opcode exists, but these operands of it don't: a vector length, W, a vvvv that must be 1111b, a mask register,
 * registers that must differ
 */
static bool is_about_operands(const struct pair *p)
{
	return has_other_operands(p, p->code, p->view, p->ours.bytes);
}

/* The same instruction in 64-bit mode. That has no 16-bit addresses: an operand that is just a base register must do */
static unsigned int in_64_bit_mode(const struct pair *p, u8 *code)
{
	const struct tpz_insn *i = &p->ours;
	unsigned int bytes = i->bytes;

	memcpy(code, p->code, TPZ_INSN_MAX);
	if (i->has_memory && i->address_bytes == 2) {
		bytes -= i->displacement_bytes;
		code[bytes - i->immediate_bytes - 1] = i->modrm & 0x38;
	}
	return bytes;
}

/* We decode for all modes what 64-bit mode alone has: SWAPGS, WRFSBASE, tiles ... */
static bool is_64_bit_only(const struct pair *p)
{
	u8 code[TPZ_INSN_MAX];
	unsigned int bytes = in_64_bit_mode(p, code);

	return !p->ret && p->ours.mode != TPZ_DECODE_64 &&
	       (ZYAN_SUCCESS(zydis_judges(code, VIEW_64, bytes)) || has_other_operands(p, code, VIEW_64, bytes));
}

/*
 * SIB with base 5 and mod 0 is a displacement without a base, with REX.B too (SDM vol. 2A, table 2-5: not decoded).
 * Zydis 4.0.0 says so behind 64-bit addresses, and R13D behind 32-bit ones; binutils and QEMU agree with the manual
 */
static bool is_r13d_without_base(const struct pair *p)
{
	const struct tpz_insn *i = &p->ours;

	return !p->ret && i->mode == TPZ_DECODE_64 && i->address_bytes == 4 && i->has_memory && !(i->modrm >> 6) &&
	       (i->modrm & 7) == 4 && i->base == TPZ_NO_REG && ZYAN_SUCCESS(p->status) &&
	       p->theirs.raw.sib.base == 5 && i->bytes == p->theirs.length;
}

static bool has_isa(const struct pair *p, const char *prefix)
{
	return ZYAN_SUCCESS(p->status) &&
	       !strncmp(ZydisISAExtGetString(p->theirs.meta.isa_ext), prefix, strlen(prefix));
}

static bool is_knights_corner(const struct pair *p)
{
	return p->ret == -EINVAL && has_isa(p, "KNC");
}

static bool is_padlock(const struct pair *p)
{
	return p->ret == -EINVAL && has_isa(p, "PADLOCK");
}

/* 66h without REX.W, and nothing else but it makes the difference of two bytes */
static bool is_amd_near_branch(const struct pair *p)
{
	const struct tpz_insn *i = &p->ours;

	return !p->ret && ZYAN_SUCCESS(p->status) && p->view == VIEW_64_AMD && i->opsize && !i->rex_w &&
	       ((i->map == TPZ_MAP_ONE && (i->opcode == 0xe8 || i->opcode == 0xe9)) ||
		(i->map == TPZ_MAP_0F && (i->opcode & 0xf0) == 0x80)) && p->theirs.length + 2 == i->bytes;
}

static bool is_locked_mov_cr0(const struct pair *p)
{
	return !p->ret && p->status == ZYDIS_STATUS_ILLEGAL_LOCK && p->ours.map == TPZ_MAP_0F &&
	       (p->ours.opcode == 0x20 || p->ours.opcode == 0x22) && p->ours.reg == 0;
}

/* -- the list ------------------------------------------------------------------------------------------------------ */

#define NP	BIT(TPZ_PREFIX_NONE)
#define P66	BIT(TPZ_PREFIX_66)
#define PF3	BIT(TPZ_PREFIX_F3)
#define PF2	BIT(TPZ_PREFIX_F2)

enum { MEM = 1, REG = 2 };

static struct difference {
	const char *what, *why;
	bool (*explains)(const struct pair *p);		/* or: we decode this pattern, Zydis has no such instruction */
	u8 encoding, map, first, last, prefixes, form;
	u8 modrm, mask;					/* ModRM & mask is @modrm */
	unsigned long count;
} differences[] = {
#define RULE(text, reason, function) { .what = text, .why = reason, .explains = function }
#define GROUP(text, reason, encoding_, map_, first_, last_, prefixes_, form_, modrm_, mask_) { .what = text, .why = reason, \
	.encoding = encoding_, .map = map_, .first = first_, .last = last_, .prefixes = prefixes_, .form = form_, \
	.modrm = modrm_, .mask = mask_ }
#define OPCODES(...) GROUP(__VA_ARGS__, 0, 0)

	RULE("operands of VEX, EVEX and XOP instructions",
	     "the decoder judges the opcode map, not W, L, vvvv, masks: at an exit the CPU has judged those", is_about_operands),
	RULE("64-bit mode's own instructions in other modes", "the decoder does not judge what the mode forbids", is_64_bit_only),
	RULE("Knights Corner", "a coprocessor that runs no hypervisor; its opcodes are no part of the SDM", is_knights_corner),
	RULE("VIA PadLock", "neither Intel's nor AMD's", is_padlock),
	RULE("66h before a near branch in 64-bit mode",
	     "AMD takes it, Intel ignores it: Intel's rule, by kmod/cpu/decode_tables.c", is_amd_near_branch),
	RULE("[disp32] with 67h and REX.B", "Zydis 4.0.0 has R13D for its base, against the SDM's table 2-5", is_r13d_without_base),
	RULE("LOCK MOV CR0", "means CR8 on AMD (APM vol. 3, MOV CRn); Zydis knows Intel's #UD alone", is_locked_mov_cr0),

	/* The SDM gives these no NP, so 66h, F3h, F2h are ignored; Zydis takes them for a part of the opcode */
#define IGNORED	"no NP in the SDM: the prefix is ignored; Zydis takes it for a part of the opcode"
	GROUP("prefix before VMCALL", IGNORED, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, P66 | PF3 | PF2, REG, 0xc1, 0xff),
	GROUP("prefix before VMLAUNCH, VMRESUME", IGNORED, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, P66 | PF3 | PF2, REG, 0xc2, 0xfe),
	GROUP("prefix before VMXOFF", IGNORED, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, P66 | PF3 | PF2, REG, 0xc4, 0xff),
	GROUP("prefix before MONITOR, MWAIT", IGNORED, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, P66 | PF3 | PF2, REG, 0xc8, 0xfe),
	GROUP("prefix before SWAPGS, RDTSCP", IGNORED, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, P66 | PF3 | PF2, REG, 0xf8, 0xfe),

	/* Published after Zydis 4.0.0 */
#define NEWER	"newer than Zydis 4.0.0"
	GROUP("LKGS", NEWER, TPZ_LEGACY, TPZ_MAP_0F, 0x00, 0x00, PF2, MEM | REG, 0x30, 0x38),
	GROUP("WRMSRNS, RDMSRLIST, WRMSRLIST", NEWER, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, NP | PF3 | PF2, REG, 0xc6, 0xff),
	GROUP("PBNDKB", NEWER, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, NP, REG, 0xc7, 0xff),
	GROUP("ERETU, ERETS", NEWER, TPZ_LEGACY, TPZ_MAP_0F, 0x01, 0x01, PF3 | PF2, REG, 0xca, 0xff),
	OPCODES("URDMSR, UWRMSR", NEWER, TPZ_LEGACY, TPZ_MAP_0F38, 0xf8, 0xf8, PF3 | PF2, REG),
	OPCODES("AADD, AAND, AOR, AXOR", NEWER, TPZ_LEGACY, TPZ_MAP_0F38, 0xfc, 0xfc, NP | P66 | PF3 | PF2, MEM),
	OPCODES("AVX-VNNI-INT8", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0x50, 0x51, NP | PF3 | PF2, MEM | REG),
	OPCODES("TDPFP16PS", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0x5c, 0x5c, PF2, REG),
	OPCODES("TCMMIMFP16PS, TCMMRLFP16PS", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0x6c, 0x6c, NP | P66, REG),
	OPCODES("VCVTNEPS2BF16 with VEX", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0x72, 0x72, PF3, MEM | REG),
	OPCODES("VCVTNEEPH2PS ...", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xb0, 0xb0, NP | P66 | PF3 | PF2, MEM),
	OPCODES("VBCSTNEBF162PS, VBCSTNESH2PS", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xb1, 0xb1, P66 | PF3, MEM),
	OPCODES("AVX-IFMA", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xb4, 0xb5, P66, MEM | REG),
	OPCODES("SHA512", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xcb, 0xcd, PF2, REG),
	OPCODES("AVX-VNNI-INT16", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xd2, 0xd3, NP | P66 | PF3, MEM | REG),
	OPCODES("SM3, SM4", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xda, 0xda, NP | P66 | PF3 | PF2, MEM | REG),
	OPCODES("CMPccXADD", NEWER, TPZ_VEX, TPZ_MAP_0F38, 0xe0, 0xef, P66, MEM),
	OPCODES("VSM3RNDS2", NEWER, TPZ_VEX, TPZ_MAP_0F3A, 0xde, 0xde, P66, MEM | REG),
};

static bool matches(const struct difference *difference, const struct pair *p)
{
	const struct tpz_insn *i = &p->ours;

	if (difference->explains)
		return difference->explains(p);
	return !p->ret && !ZYAN_SUCCESS(p->status) && i->encoding == difference->encoding && i->map == difference->map &&
	       i->opcode >= difference->first && i->opcode <= difference->last &&
	       (difference->prefixes & BIT(i->mandatory)) && (difference->form & (i->has_memory ? MEM : REG)) &&
	       (i->modrm & difference->mask) == difference->modrm;
}

/* The cheap patterns first: that of the operands tries hundreds of variants */
static bool explain(const struct pair *p)
{
	for (unsigned int i = ARRAY_SIZE(differences); i-- > 0;) {
		if (matches(&differences[i], p)) {
			differences[i].count++;
			return true;
		}
	}
	return false;
}

/* -- comparison ---------------------------------------------------------------------------------------------------- */

static const char *zydis_status(ZyanStatus status)
{
	switch (status) {
	case ZYDIS_STATUS_DECODING_ERROR:	return "no such instruction";
	case ZYDIS_STATUS_INSTRUCTION_TOO_LONG:	return "too long";
	case ZYDIS_STATUS_BAD_REGISTER:		return "bad register";
	case ZYDIS_STATUS_ILLEGAL_LOCK:		return "illegal LOCK";
	case ZYDIS_STATUS_ILLEGAL_LEGACY_PFX:	return "illegal prefix";
	case ZYDIS_STATUS_ILLEGAL_REX:		return "illegal REX";
	case ZYDIS_STATUS_INVALID_MAP:		return "invalid map";
	case ZYDIS_STATUS_MALFORMED_EVEX:	return "malformed EVEX";
	case ZYDIS_STATUS_INVALID_MASK:		return "invalid mask";
	default:				return ZYAN_SUCCESS(status) ? "decoded" : "another error";
	}
}

static void tell(const struct pair *p, const char *what)
{
	char bytes[3 * TPZ_INSN_MAX + 1];
	bool decoded = ZYAN_SUCCESS(p->status);

	for (unsigned int i = 0; i < TPZ_INSN_MAX; i++)
		sprintf(bytes + 3 * i, "%02x ", p->code[i]);
	if (counts.wrong <= 20)
		ktap_diag("%s: %s: %sours: %d, %u bytes; Zydis: %s, %u bytes %s", view_names[p->view], what, bytes, p->ret,
			  p->ours.bytes, zydis_status(p->status), decoded ? p->theirs.length : 0,
			  decoded ? ZydisMnemonicGetString(p->theirs.mnemonic) : "");
}

static void decode_both(struct pair *p, unsigned int view, const u8 *code)
{
	p->view = view;
	p->code = code;
	p->ret = tpz_decode(&p->ours, code, TPZ_INSN_MAX, view_modes[view]);
	p->status = ZydisDecoderDecodeInstruction(&views[view], &p->context, code, TPZ_INSN_MAX, &p->theirs);
	counts.compared++;
}

/* Whether both decoded it and agree on the length */
static bool compare_length(struct pair *p, unsigned int view, const u8 *code)
{
	decode_both(p, view, code);
	if (ZYAN_SUCCESS(p->status) && !p->ret && p->ours.bytes == p->theirs.length) {
		counts.valid++;
		return true;
	}
	if (!ZYAN_SUCCESS(p->status) && p->ret) {
		counts.invalid++;
	} else if (explain(p)) {
		counts.explained++;
	} else {
		counts.wrong++;
		tell(p, "length");
	}
	return false;
}

/*
 * MPX's opcodes are NOPs where it is not enabled, which is everywhere today. Without CET, 3Eh before an indirect branch is
 * the segment override that it always was; with it, NOTRACK
 */
static void set_up_views(void)
{
	ZydisDecoderInit(&views[VIEW_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&views[VIEW_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&views[VIEW_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderInit(&views[VIEW_64_AMD], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (unsigned int view = 0; view < VIEWS; view++) {
		ZydisDecoderEnableMode(&views[view], ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
		ZydisDecoderEnableMode(&views[view], ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
	}
	ZydisDecoderEnableMode(&views[VIEW_64_AMD], ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE);
}

#endif /* DECODE_COMPARE_H */
