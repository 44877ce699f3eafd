// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder (kmod/cpu/decode.c) against Zydis: every opcode with every ModRM behind all prefixes that
 * matter, the code of a kernel and of libraries, and random bytes. Lengths, and what is invalid, agree but for the
 * list in decode_compare.h; operands agree field by field.
 */
#include "../lib/ktap.c"

#include <linux/bits.h>

#include "../../kmod/cpu/decode.c"
#include "../../kmod/cpu/decode_tables.c"
#include "decode_compare.h"
#include "decode_operands.h"

static void begin(void)
{
	set_up_views();
	memset(&counts, 0, sizeof(counts));
	ktap_timeout(550);
}

static unsigned int concluded;	/* cases */

static void conclude(void)
{
	concluded++;
	ktap_diag("%lu compared: both decode %lu, both refuse %lu, explained %lu, wrong %lu", counts.compared, counts.valid,
		  counts.invalid, counts.explained, counts.wrong);
	CHECK_EQ(counts.wrong, 0UL);
}

/* Behind ModRM: a SIB byte (base rBP, index rSP: the special cases) and what else an instruction may want */
static const u8 tail[TPZ_INSN_MAX] = {
	0x25, 0x11, 0x82, 0x33, 0xf4, 0x55, 0xe6, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee
};

/* Every opcode with every @step-th ModRM behind @head */
static void all_opcodes(unsigned int view, const u8 *head, unsigned int bytes, unsigned int step)
{
	u8 code[2 * TPZ_INSN_MAX];
	struct pair p;

	memcpy(code, head, bytes);
	memcpy(code + bytes + 2, tail, sizeof(tail));
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		code[bytes] = opcode;
		for (unsigned int modrm = opcode % step; modrm < 256; modrm += step) {
			code[bytes + 1] = modrm;
			if (compare_length(&p, view, code))
				compare_operands(&p);
		}
	}
}

static void legacy_maps(void)
{
	static const char *const prefixes[] = {
		"", "\x66", "\xf3", "\xf2", "\x66\xf3", "\xf2\x66", "\xf3\xf2", "\xf2\xf3", "\x67", "\x66\x67", "\xf0", "\xf0\xf2", "\x2e",
		"\x65", "\x64\x36", "\x48", "\x4f", "\x66\x48", "\x48\x66", "\xf3\x48", "\x41", "\x44", "\x67\x4a", "\x67\x41", "\xf0\x48", "\x3e",
	};
	static const char *const escapes[] = { "", "\x0f", "\x0f\x38", "\x0f\x3a" };

	begin();
	for (unsigned int view = 0; view < VIEWS; view++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(prefixes); i++) {
			for (unsigned int map = 0; map < ARRAY_SIZE(escapes); map++) {
				char head[TPZ_INSN_MAX];
				unsigned int bytes = sprintf(head, "%s%s", prefixes[i], escapes[map]);

				all_opcodes(view, (u8 *)head, bytes, 1);
			}
		}
	}
	conclude();
}

/* Every ModRM and every opcode behind it */
static void map_3dnow(void)
{
	u8 code[2 * TPZ_INSN_MAX] = { 0x0f, 0x0f };
	struct pair p;

	begin();
	for (unsigned int view = 0; view < VIEWS; view++) {
		for (unsigned int modrm = 0; modrm < 256; modrm++) {
			for (unsigned int opcode = 0; opcode < 256; opcode++) {
				code[2] = modrm;
				memset(code + 3, opcode, TPZ_INSN_MAX);
				if (compare_length(&p, view, code))
					compare_operands(&p);
			}
		}
	}
	conclude();
}

/* @bits: of W, vvvv (1111b or not), L, pp, from above */
static u8 vex_byte(unsigned int bits)
{
	return (bits >> 4 & 1) << 7 | (bits & 8 ? 15 : 3) << 3 | (bits & 7);
}

static void vex(void)
{
	static const u8 extensions[] = { 0xe0, 0x40, 0xc0 };

	begin();
	for (unsigned int view = VIEW_16; view <= VIEW_64; view++) {
		for (unsigned int bits = 0; bits < 32; bits++) {
			u8 two[] = { 0xc5, vex_byte(bits) | (bits & 16 ? 0x80 : 0) };

			all_opcodes(view, two, sizeof(two), 1);
			for (unsigned int map = 0; map < 5; map++) {
				u8 three[] = { 0xc4, extensions[bits % 3] | map, vex_byte(bits) };

				all_opcodes(view, three, sizeof(three), 1);
			}
		}
	}
	conclude();
}

static void xop(void)
{
	begin();
	for (unsigned int view = VIEW_16; view <= VIEW_64; view++) {
		for (unsigned int bits = 0; bits < 32; bits++) {
			for (unsigned int map = 7; map < 12; map++) {
				u8 head[] = { 0x8f, (bits & 16 ? 0xe0 : 0xc0) | map, vex_byte(bits) };

				all_opcodes(view, head, sizeof(head), 1);
			}
		}
	}
	conclude();
}

/* @bits: aaa, b, L'L, vvvv, W, pp */
static void evex_head(unsigned int map, unsigned int bits, u8 *head)
{
	head[0] = 0x62;
	head[1] = 0xf0 | map;
	head[2] = (bits >> 2 & 1) << 7 | (bits & 8 ? 15 : 3) << 3 | 4 | (bits & 3);
	head[3] = (bits >> 4 & 3) << 5 | (bits >> 6 & 1) << 4 | 8 | (bits >> 7 & 1);
}

static void evex(void)
{
	u8 head[4];

	begin();
	for (unsigned int view = VIEW_32; view <= VIEW_64; view++) {
		for (unsigned int map = 0; map < 8; map++) {
			for (unsigned int bits = 0; bits < 256; bits++) {
				evex_head(map, bits, head);
				all_opcodes(view, head, sizeof(head), 7);
			}
		}
	}
	conclude();
}

#define SYSTEMATIC_CASES	5	/* those above, which between them meet every difference */

static void differences_still_there(void)
{
	unsigned int gone = 0;

	if (concluded < SYSTEMATIC_CASES)
		SKIP("the cases before this one were left out");
	for (unsigned int i = 0; i < ARRAY_SIZE(differences); i++) {
		ktap_diag("%8lu %s (%s)", differences[i].count, differences[i].what, differences[i].why);
		gone += !differences[i].count;
	}
	CHECK_THAT(!gone, "%u entries of the list explain nothing", gone);
}

/* The code of @name, from a file that the lab extracted; each offset in it is taken for an instruction's start */
static void text(const char *name)
{
	const char *folder = getenv("DECODE_TEXTS");
	struct pair p;
	char path[4096];
	u8 *code;
	long bytes;
	FILE *file;

	if (!folder)
		SKIP("DECODE_TEXTS names no folder (selftests/lab/texts.py makes it; make check does)");
	begin();
	snprintf(path, sizeof(path), "%s/%s.text", folder, name);
	file = fopen(path, "rb");
	CHECK_THAT(file, "%s", path);
	CHECK_SYS(fseek(file, 0, SEEK_END));
	bytes = CHECK_SYS(ftell(file));
	rewind(file);
	code = calloc(1, bytes + TPZ_INSN_MAX);
	CHECK_EQ(fread(code, 1, bytes, file), bytes);
	fclose(file);
	CHECK_GT(bytes, 500000L);
	for (long at = 0; at < bytes; at++)
		if (compare_length(&p, VIEW_64, code + at))
			compare_operands(&p);
	free(code);
	conclude();
}

static void kernel(void)
{
	text("kernel");
}

static void libc(void)
{
	text("libc");
}

static void video(void)
{
	text("libdav1d");
}

#define RANDOM_STRINGS	12000000

static void random_bytes(void)
{
	u64 seed = 20260101;
	u32 words[8];
	struct pair p;

	begin();
	for (unsigned int i = 0; i < RANDOM_STRINGS; i++) {
		for (unsigned int word = 0; word < 4; word++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			words[word] = seed >> 32;
		}
		if (compare_length(&p, i % 3, (u8 *)words))
			compare_operands(&p);
	}
	conclude();
}

static const struct ktap_case cases[] = {
	{ "one-byte map, 0F, 0F38, 0F3A: every opcode, ModRM and prefix", legacy_maps },
	{ "3DNow!: every opcode and ModRM", map_3dnow },
	{ "VEX: every opcode and ModRM", vex },
	{ "XOP: every opcode and ModRM", xop },
	{ "EVEX: every opcode, one ModRM in seven", evex },
	{ "every known difference is still there", differences_still_there },
	{ "a kernel, at each offset", kernel },
	{ "libc, at each offset", libc },
	{ "a video codec, at each offset", video },
	{ "random bytes", random_bytes },
};

KTAP_MAIN(cases)
