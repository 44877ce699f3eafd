// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder (kmod/cpu/decode.c) by itself: what the manuals say of chosen instructions, bytes that are not
 * there yet, the limit of 15, effective addresses. decode_zydis.c has the comparison with another decoder.
 */
#include "../lib/ktap.c"

#include "../../kmod/cpu/decode.c"
#include "../../kmod/cpu/decode_tables.c"
#include "decode_samples.h"

#define SAME(member)	CHECK_THAT(insn.member == is->member, "%s: %s is %#llx, not %#llx", sample->text, #member, \
				   (unsigned long long)insn.member, (unsigned long long)is->member)

static void as_the_manuals_say(void)
{
	for (const struct sample *sample = samples; sample < samples + ARRAY_SIZE(samples); sample++) {
		const struct tpz_insn *is = &sample->is;
		struct tpz_insn insn;
		int ret = tpz_decode(&insn, (const u8 *)sample->code, sample->bytes, sample->mode);

		CHECK_THAT(!ret, "%s: %s", sample->text, ktap_errno_name(-ret));
		CHECK_THAT(insn.bytes == sample->bytes, "%s: %u bytes", sample->text, insn.bytes);
		SAME(encoding);
		SAME(map);
		SAME(opcode);
		SAME(lock);
		SAME(rep);
		SAME(repne);
		SAME(opsize);
		SAME(addrsize);
		SAME(has_rex);
		SAME(has_modrm);
		SAME(has_memory);
		SAME(rip_relative);
		SAME(base);
		SAME(index);
		SAME(scale);
		SAME(displacement);
		SAME(immediate);
		SAME(immediate2);
		SAME(vvvv);
		if (is->encoding == TPZ_LEGACY)
			SAME(rex_w);
		if (is->has_modrm)
			SAME(reg);
		if (is->has_modrm ? !is->has_memory : is->rm)
			SAME(rm);
		if (is->has_memory || is->segment)
			SAME(segment);
		if (is->operand_bytes)
			SAME(operand_bytes);
	}
}

/*
 * The answer to @code, after asking it with every number of bytes: -EAGAIN exactly as long as the answer is not known, the
 * same answer whatever follows
 */
static int decode_stepwise(struct tpz_insn *insn, const u8 *code, enum tpz_decode_mode mode)
{
	int ret = -EAGAIN;

	for (unsigned int count = 0; count <= TPZ_INSN_MAX + 1; count++) {
		struct tpz_insn now;
		u8 alone[TPZ_INSN_MAX + 1];
		int step;

		memset(alone, ~code[count], sizeof(alone));
		memcpy(alone, code, count);
		step = tpz_decode(&now, alone, count, mode);
		if (ret == -EAGAIN) {
			CHECK(count < TPZ_INSN_MAX || step != -EAGAIN);
			if (!step)
				CHECK_EQ(now.bytes, count);
			ret = step;
			*insn = now;
		} else {
			CHECK_EQ(step, ret);
			CHECK(step || !memcmp(&now, insn, sizeof(now)));
		}
	}
	return ret;
}

static void samples_byte_by_byte(void)
{
	for (const struct sample *sample = samples; sample < samples + ARRAY_SIZE(samples); sample++) {
		struct tpz_insn insn;
		u8 code[TPZ_INSN_MAX + 2] = {};

		memcpy(code, sample->code, sample->bytes);
		CHECK_EQ(decode_stepwise(&insn, code, sample->mode), 0);
		CHECK_EQ(insn.bytes, sample->bytes);
	}
}

static void opcodes_byte_by_byte(void)
{
	static const char *const heads[] = { "", "\x0f", "\x0f\x38", "\x0f\x3a", "\x0f\x0f", "\xc5\xf9", "\xc4\xe2\x79", "\x8f\xe8\x78",
					     "\x62\xf1\x7d\x48" };
	struct tpz_insn insn;
	u8 code[TPZ_INSN_MAX + 2];
	unsigned int decoded = 0, refused = 0;

	for (unsigned int i = 0; i < 3 * ARRAY_SIZE(heads) * 65536; i++) {
		const char *head = heads[i / 3 / 65536];

		memset(code, 0x94, sizeof(code));
		memcpy(code, head, strlen(head));
		code[strlen(head)] = i / 3;
		code[strlen(head) + 1] = i / 3 >> 8;
		if (decode_stepwise(&insn, code, i % 3))
			refused++;
		else
			decoded++;
	}
	ktap_diag("%u decoded, %u refused", decoded, refused);
	CHECK_GT(decoded, 500000U);
	CHECK_GT(refused, 500000U);
}

/* @prefixes of 66h before CPUID, with @count bytes there */
static int prefixed(unsigned int prefixes, unsigned int count)
{
	u8 code[2 * TPZ_INSN_MAX];
	struct tpz_insn insn;

	memset(code, 0x66, sizeof(code));
	code[prefixes] = 0x0f;
	code[prefixes + 1] = 0xa2;
	return tpz_decode(&insn, code, count, TPZ_DECODE_64) ?: insn.bytes;
}

static void fifteen_bytes(void)
{
	static const u8 long_move[] = { 0x67, 0x67, 0x66, 0x2e, 0x48, 0xc7, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct tpz_insn insn;

	CHECK_EQ(prefixed(13, 30), 15);
	CHECK_EQ(prefixed(13, 15), 15);
	CHECK_EQ(prefixed(13, 14), -EAGAIN);
	CHECK_EQ(prefixed(14, 30), -E2BIG);
	CHECK_EQ(prefixed(14, 15), -E2BIG);
	CHECK_EQ(prefixed(14, 14), -EAGAIN);
	CHECK_EQ(prefixed(15, 15), -E2BIG);
	CHECK_EQ(prefixed(0, 0), -EAGAIN);

	/* The last byte of the immediate is the sixteenth; without one prefix it fits */
	CHECK_EQ(tpz_decode(&insn, long_move, 16, TPZ_DECODE_64), -E2BIG);
	CHECK_EQ(tpz_decode(&insn, long_move + 1, 15, TPZ_DECODE_64), 0);
	CHECK_EQ(insn.bytes, 15);
	CHECK_EQ(insn.displacement, 0x04030201);
	CHECK_EQ(insn.immediate, 0x08070605ULL);
}

/* Bytes that are no instruction, or an instruction of other modes alone */
static void refused(void)
{
	static const struct {
		const char *why, *code;
		unsigned int modes;	/* bits of enum tpz_decode_mode that refuse it */
	} refusals[] = {
		{ "LOCK before a load", "\xf0\x8b\x10", 7 },
		{ "LOCK before a register destination", "\xf0\x01\xc8", 7 },
		{ "LOCK before CPUID", "\xf0\x0f\xa2", 7 },
		{ "LOCK before CMP", "\xf0\x80\x38\x01", 7 },
		{ "CR1", "\x0f\x20\xc8", 7 },
		{ "CR9", "\x44\x0f\x22\xc8", 4 },
		{ "LOCK before MOV CR4", "\xf0\x0f\x22\xe0", 7 },
		{ "DR8", "\x44\x0f\x23\xc0", 4 },
		{ "MOV to CS", "\x8e\xc8", 7 },
		{ "segment register 6", "\x8c\xf0", 7 },
		{ "POP /1", "\x8f\xc8", 7 },
		{ "LEA of a register", "\x8d\xc1", 7 },
		{ "UD of map 0F", "\x0f\x04", 7 },
		{ "PUSH ES", "\x06", 4 },
		{ "PUSHA", "\x60", 4 },
		{ "AAM", "\xd4\x0a", 4 },
		{ "far CALL", "\x9a\x01\x01\x01\x01\x01\x01", 4 },
		{ "66h before VEX", "\x66\xc5\xf8\x77", 7 },
		{ "REX before VEX", "\x41\xc5\xf8\x77", 4 },
		{ "VEX map 4", "\xc4\xe4\x78\x10\xc1", 7 },
		{ "EVEX's fixed bit", "\x62\xf1\x78\x48\x10\xc1", 7 },
		{ "gather without SIB", "\xc4\xe2\x61\x92\x0d\x90", 7 },
		{ "3DNow! opcode 0", "\x0f\x0f\xc1\x01", 7 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(refusals); i++) {
		for (unsigned int mode = TPZ_DECODE_16; mode <= TPZ_DECODE_64; mode++) {
			bool wanted = refusals[i].modes >> mode & 1;
			u8 code[TPZ_INSN_MAX] = {};
			struct tpz_insn insn;
			int ret;

			if (!wanted && refusals[i].modes != 4)
				continue;
			strcpy((char *)code, refusals[i].code);
			ret = tpz_decode(&insn, code, sizeof(code), mode);
			CHECK_THAT((ret == -EINVAL) == wanted, "%s, mode %u: %d", refusals[i].why, mode, ret);
		}
	}
}

static void effective_addresses(void)
{
	static const struct {
		const char *text, *code;
		u64 rip, address;
		enum tpz_decode_mode mode;
	} cases[] = {
		{ "[rax]", "\x8b\x40\x7f", 0, 0x800000000000007f, M64 },
		{ "[r12+rcx*8-1]", "\x41\x8b\x44\xcc\xff", 0, 0x1234567f00000000 + 8 * 0x1ffffff00 - 1, M64 },
		{ "[rax+rax*2] wraps at 64 bits", "\x48\x8b\x84\x40\x01\x01\x01\x01", 0, 0x8000000001010101, M64 },
		{ "[eax], 67h", "\x67\x8b\x40\x7f", 0, 0x7f, M64 },
		{ "[r12d-1]", "\x67\x41\x8b\x44\x24\xff", 0, 0xffffffff, M64 },
		{ "[rip+2]", "\x8b\x05\x02\x02\x02\x02", 0xffffffff80000000, 0xffffffff82020208, M64 },
		{ "[eip-1]", "\x67\x8b\x05\xff\xff\xff\xff", 0x100000000, 6, M64 },
		{ "[rip+1], an immediate behind it", "\xc7\x05\x01\x01\x01\x01\x09\x09\x09\x09", 0x1000, 0x1000 + 10 + 0x01010101, M64 },
		{ "[ecx+ecx*2]", "\x8b\x04\x49", 0, 0xfffffd00, M32 },
		{ "[bx+si] wraps at 16 bits", "\x8b\x40\x10", 0, 0x000f, M16 },
		{ "[disp16]", "\x8b\x06\xfe\xff", 0, 0xfffe, M16 },
		{ "[bp-1]", "\x8b\x46\xff", 0, 0xffff, M16 },
		{ "moffs32", "\xa1\x78\x56\x34\x82", 0, 0x82345678, M32 },
		{ "moffs64", "\xa1\x78\x56\x34\x82\x78\x56\x34\x82", 0, 0x8234567882345678, M64 },
	};
	u64 gpr[TPZ_GPRS] = {
		[TPZ_RAX] = 0x8000000000000000, [TPZ_RCX] = 0x1ffffff00, [TPZ_RBX] = 0xaaaafffe, [TPZ_RSI] = 0x1,
		[TPZ_R12] = 0x1234567f00000000,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 code[TPZ_INSN_MAX + 1] = {};
		struct tpz_insn insn;
		u64 address;

		strcpy((char *)code, cases[i].code);
		CHECK_EQ(tpz_decode(&insn, code, TPZ_INSN_MAX, cases[i].mode), 0);
		address = tpz_effective_address(&insn, gpr, cases[i].rip);
		CHECK_THAT(address == cases[i].address, "%s: %#llx, not %#llx", cases[i].text, (unsigned long long)address,
			   (unsigned long long)cases[i].address);
	}
}

static const struct ktap_case cases[] = {
	{ "instructions as the manuals have them", as_the_manuals_say },
	{ "instructions byte by byte", samples_byte_by_byte },
	{ "all opcodes byte by byte", opcodes_byte_by_byte },
	{ "fifteen bytes", fifteen_bytes },
	{ "no instruction", refused },
	{ "effective addresses", effective_addresses },
};

KTAP_MAIN(cases)
