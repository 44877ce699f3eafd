// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode maps. A line has 32 opcodes: two rows of the manual's map.
 */
#include <linux/build_bug.h>
#include <linux/types.h>
#include "decode_tables.h"

/*
 * What follows the opcode:
 *
 *	m ModRM		r ModRM whose mod is ignored: two registers (SDM vol. 2B, "MOV-Move to/from Control Registers")
 *	b m, imm8	z m, imm16/32			s, S m; behind TEST alone (reg 0 and 1) imm8 or imm16/32
 *	i imm8		Z imm16/32	v imm16/32/64	w imm16		e imm16, imm8
 *	j rel8		J rel16/32	o an address	p far pointer	- nothing
 */
static const char shapes_one[] =
	"mmmmiZ--mmmmiZ--" "mmmmiZ--mmmmiZ--"	/* 00 */
	"mmmmiZ--mmmmiZ--" "mmmmiZ--mmmmiZ--"	/* 20 */
	"----------------" "----------------"	/* 40 */
	"--mm----Zzib----" "jjjjjjjjjjjjjjjj"	/* 60 */
	"bzbbmmmmmmmmmmmm" "----------p-----"	/* 80 */
	"oooo----iZ------" "iiiiiiiivvvvvvvv"	/* a0 */
	"bbw-mmbze-w--i--" "mmmmii--mmmmmmmm"	/* c0 */
	"jjjjiiiiJJpj----" "------sS------mm";	/* e0 */

static const char shapes_0f[] =
	"mmmm---------m-b" "mmmmmmmmmmmmmmmm"	/* 00 */
	"rrrr----mmmmmmmm" "----------------"	/* 20 */
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm"	/* 40 */
	"mmmmmmmmmmmmmmmm" "bbbbmmm-mmmmmmmm"	/* 60 */
	"JJJJJJJJJJJJJJJJ" "mmmmmmmmmmmmmmmm"	/* 80 */
	"---mbmmm---mbmmm" "mmmmmmmmmmbmmmmm"	/* a0 */
	"mmbmbbbm--------" "mmmmmmmmmmmmmmmm"	/* c0 */
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";	/* e0 */

/*
 * The operand size in 64-bit mode (SDM vol. 2D, appendix A: f64, d64):
 *
 *	n near branch: 64 bits. Intel ignores 66h, AMD takes it: by Intel's rule here, since no compiler writes it
 *	s stack: 64 bits, or 16 with 66h	p port: never 64 bits	w: as wide as the mode
 *	f by ModRM.reg				- 32 bits, 16 with 66h, 64 with REX.W
 */
#define BLANK	"----------------"

static const char sizes_one[] =
	BLANK BLANK BLANK BLANK				/* 00 */
	BLANK "ssssssssssssssss"				/* 40 */
	"--------s-s-pppp" "nnnnnnnnnnnnnnnn"		/* 60 */
	"---------------s" "------------ss--"		/* 80 */
	BLANK BLANK					/* a0 */
	"--nn----ss------" BLANK				/* c0 */
	"nnnnppppnn-npppp" "---------------f";		/* e0 */

static const char sizes_0f[] =
	BLANK BLANK "wwww------------" BLANK BLANK BLANK BLANK	/* 00 */
	"--------ww------"				/* 70 */
	"nnnnnnnnnnnnnnnn" BLANK				/* 80 */
	"ss------ss------" BLANK				/* a0 */
	BLANK BLANK BLANK BLANK;				/* c0 */

#undef BLANK

/*
 * Which forms exist. A hexadecimal digit has one bit for each mandatory prefix that makes an instruction of the opcode
 * (1 none, 2 66h, 4 F3h, 8 F2h); a point says that these prefixes don't matter; L that 64-bit mode lacks the
 * opcode. Other characters: forms, below.
 */
#define BLANK	"0000000000000000"

static const char one[] =
	"......LL......L0" "......LL......LL"	/* 00 */
	"......0L......0L" "......0L......0L"	/* 20 */
	"................" "................"	/* 40 */
	"LLL.0000........" "................"	/* 60 */
	"..L.........sMSp" "..........L....."	/* 80 */
	"................" "................"	/* a0 */
	"....LLtt......L." "....LLL.x(x)x[xx"	/* c0 */
	"..........L....." "0.00..........in";	/* e0 */

static const char legacy_0f[] =
	"g@..0.....0.0..." "ffhq33kq........"	/* 00 */
	"CDCD000033fMff33" "......0100000000"	/* 20 */
	"................" "rf553333fff7ffff"	/* 40 */
	"3333333333332237" "fPPQ3331vV00aa77"	/* 60 */
	"................" "................"	/* 80 */
	"......00......A." "..M.MM..4.B....."	/* a0 */
	"..fT3r3G........" "a33333ur33333333"	/* c0 */
	"333333eq33333333" "w333333r3333333.";	/* e0 */

static const char legacy_0f38[] =
	"3333333333330000" "2000220200003330"	/* 00 */
	"2222220022m20000" "2222220222222222"	/* 20 */
	"2200000000000000" BLANK BLANK BLANK	/* 40 */
	"mmm0000000000000" BLANK BLANK BLANK	/* 80 */
	"0000000011111102" "00000000j0026lll"	/* c0 */
	BLANK "yy000mX0YTzzM000";		/* e0 */

static const char legacy_0f3a[] =
	"0000000022222223" "0000222200000000"	/* 00 */
	"2220000000000000" BLANK			/* 20 */
	"2220200000000000" BLANK			/* 40 */
	"2222000000000000" BLANK BLANK BLANK BLANK BLANK	/* 60 */
	"0000000000001022" "0000000000000002"	/* c0 */
	BLANK "H000000000000000";		/* e0 */

/* The byte behind ModRM and displacement */
static const char legacy_3dnow[] =
	"000000000000..00" "000000000000..00" BLANK BLANK BLANK BLANK BLANK BLANK	/* 00 */
	"0000000000.000.0" ".000.0..00.000.0"	/* 80 */
	".000.0..00.000.0" ".000.0..000.000."	/* a0 */
	BLANK BLANK BLANK BLANK;

static const char vex_0f[] =
	BLANK "ffhq33kq00000000"			/* 00 */
	"0000000033cqcc33" BLANK			/* 20 */
	"0rr0rrrr00rr0000" "rf553333fff7ffff"	/* 40 */
	"2222222222222226" "eIIJ22210000aa66"	/* 60 */
	BLANK "3qKK0000rr000000"			/* 80 */
	"00000000000000O0" BLANK			/* a0 */
	"00f02R3000000000" "a222222R22222222"	/* c0 */
	"222222em22222222" "w222222R22222220";	/* e0 */

static const char vex_0f38[] =
	"2222222222222222" "0002002222m02220"	/* 00 */
	"2222220022m2mmmm" "2222222222222222"	/* 20 */
	"220002220U0N0000" "ff22000022m0E0F0"	/* 40 */
	"000000000000r000" "0040000022000000"	/* 60 */
	"000000000000m0m0" "mmmm002222222222"	/* 80 */
	"0000002222222222" "MW00222222222222"	/* a0 */
	"00000000000ooo02" "0077000000f22222"	/* c0 */
	"mmmmmmmmmmmmmmmm" "001#0d8f00000000";	/* e0 */

static const char vex_0f3a[] =
	"2220222022222222" "0000222222000200"	/* 00 */
	"2220000000000000" "RRRR000022000000"	/* 20 */
	"2220202022222000" "0000000000002222"	/* 40 */
	"2222000022222222" "0000000022222222"	/* 60 */
	BLANK BLANK BLANK BLANK			/* 80 */
	"0000000000000022" "0000000000000022"	/* c0 */
	BLANK "8000000000000000";		/* e0 */

static const char xop_8[] =
	BLANK BLANK BLANK BLANK BLANK BLANK BLANK BLANK	/* 00 */
	"0000011100000011" "0000011100000011"	/* 80 */
	"0011001000000000" "0000001000000000"	/* a0 */
	"1111000000001111" BLANK			/* c0 */
	"0000000000001111" BLANK;		/* e0 */

static const char xop_9[] =
	"0!?0000000000000" "00+0000000000000"	/* 00 */
	BLANK BLANK BLANK BLANK BLANK BLANK		/* 20 */
	"1111000000000000" "1111111111110000"	/* 80 */
	BLANK BLANK				/* a0 */
	"0111001100010000" "0111001100010000"	/* c0 */
	"0111000000000000" BLANK;		/* e0 */

static const char xop_a[] =
	BLANK "10*0000000000000" BLANK BLANK BLANK BLANK BLANK BLANK	/* 00 */
	BLANK BLANK BLANK BLANK BLANK BLANK BLANK BLANK;		/* 80 */

static const char evex_0f[] =
	BLANK "ffhq33kq00000000"			/* 00 */
	"0000000033cqcc33" BLANK			/* 20 */
	BLANK "0f003333fff7ffff"			/* 40 */
	"222222222222222e" "e%&$2220ffee006e"	/* 60 */
	BLANK BLANK BLANK BLANK			/* 80 */
	"00f02R3000000000" "0222222022222222"	/* c0 */
	"222222em22222222" "0222222022222220";	/* e0 */

static const char evex_0f38[] =
	"2000200000022200" "6666662022mm2222"	/* 00 */
	"66666666::~22200" "66666622:::22222"	/* 20 */
	"2022222200002222" "22;<220022mm0000"	/* 40 */
	"0022222080000000" "22e2022222RRR222"	/* 60 */
	"0002000022220202" "mmmm002222<<2222"	/* 80 */
	"mmmm002222<<2222" "0000222222222222"	/* a0 */
	"000020>>20222202" "0000000000002222"	/* c0 */
	BLANK BLANK;				/* e0 */

static const char evex_0f3a[] =
	"2202220032320002" "0000222222220222"	/* 00 */
	"2222023300000000" "0000000022220022"	/* 20 */
	"0022200000000000" "2200223300000000"	/* 40 */
	"0000003300000000" "2222000000000000"	/* 60 */
	BLANK BLANK BLANK BLANK			/* 80 */
	"0050000000000022" BLANK BLANK BLANK;	/* c0 */

static const char evex_5[] =
	BLANK "4400000000000300"			/* 00 */
	"0000000000404411" BLANK			/* 20 */
	BLANK "0500000055f75555"			/* 40 */
	"0000000000000020" "0000000077a63f20"	/* 60 */
	BLANK BLANK BLANK BLANK BLANK BLANK BLANK BLANK;	/* 80 */

static const char evex_6[] =
	BLANK "0003000000000000"			/* 00 */
	"0000000000002200" BLANK			/* 20 */
	"0022000000002222" "000000cc00000000"	/* 40 */
	BLANK BLANK BLANK				/* 60 */
	"0000002222222222" "0000002222222222" "0000002222222222"	/* 90 */
	BLANK "000000cc00000000" BLANK BLANK;	/* c0 */

#undef BLANK

#define WHOLE(map)	static_assert(sizeof(map) == 256 + 1)

WHOLE(shapes_one);
WHOLE(shapes_0f);
WHOLE(sizes_one);
WHOLE(sizes_0f);
WHOLE(one);
WHOLE(legacy_0f);
WHOLE(legacy_0f38);
WHOLE(legacy_0f3a);
WHOLE(legacy_3dnow);
WHOLE(vex_0f);
WHOLE(vex_0f38);
WHOLE(vex_0f3a);
WHOLE(xop_8);
WHOLE(xop_9);
WHOLE(xop_a);
WHOLE(evex_0f);
WHOLE(evex_0f38);
WHOLE(evex_0f3a);
WHOLE(evex_5);
WHOLE(evex_6);

static const char *const opcodes[TPZ_MAPS][TPZ_ENCODINGS] = {
	[TPZ_MAP_ONE]	= { [TPZ_LEGACY] = one },
	[TPZ_MAP_0F]	= { [TPZ_LEGACY] = legacy_0f, [TPZ_VEX] = vex_0f, [TPZ_EVEX] = evex_0f },
	[TPZ_MAP_0F38]	= { [TPZ_LEGACY] = legacy_0f38, [TPZ_VEX] = vex_0f38, [TPZ_EVEX] = evex_0f38 },
	[TPZ_MAP_0F3A]	= { [TPZ_LEGACY] = legacy_0f3a, [TPZ_VEX] = vex_0f3a, [TPZ_EVEX] = evex_0f3a },
	[TPZ_MAP_3DNOW]	= { [TPZ_LEGACY] = legacy_3dnow },
	[TPZ_MAP_5]	= { [TPZ_EVEX] = evex_5 },
	[TPZ_MAP_6]	= { [TPZ_EVEX] = evex_6 },
	[TPZ_MAP_XOP8]	= { [TPZ_XOP] = xop_8 },
	[TPZ_MAP_XOP9]	= { [TPZ_XOP] = xop_9 },
	[TPZ_MAP_XOPA]	= { [TPZ_XOP] = xop_a },
};

/*
 * With which ModRM.reg and mandatory prefix an opcode exists, with a memory operand and with a register operand: four bits
 * for each value of ModRM.reg, the lowest for 0, one bit of them for each enum tpz_mandatory
 */
struct forms {
	u32 memory, registers;
};

#define EACH(prefixes)		((prefixes) * 0x11111111u)	/* whatever ModRM.reg is */
#define BOTH(forms)		{ forms, forms }
#define MEMORY(forms)		{ forms, 0 }
#define REGISTERS(forms)	{ 0, forms }

static const struct forms forms[128] = {
	['1'] = BOTH(EACH(1)), ['2'] = BOTH(EACH(2)), ['3'] = BOTH(EACH(3)), ['4'] = BOTH(EACH(4)), ['5'] = BOTH(EACH(5)),
	['6'] = BOTH(EACH(6)), ['7'] = BOTH(EACH(7)), ['8'] = BOTH(EACH(8)), ['9'] = BOTH(EACH(9)), ['a'] = BOTH(EACH(10)),
	['b'] = BOTH(EACH(11)), ['c'] = BOTH(EACH(12)), ['d'] = BOTH(EACH(13)), ['e'] = BOTH(EACH(14)), ['f'] = BOTH(EACH(15)),
	['.'] = BOTH(EACH(15)), ['L'] = BOTH(EACH(15)),

	/* memory alone */
	['M'] = MEMORY(EACH(15)), ['T'] = MEMORY(EACH(1)), ['m'] = MEMORY(EACH(2)), ['q'] = MEMORY(EACH(3)),
	['W'] = MEMORY(EACH(6)), ['w'] = MEMORY(EACH(8)), ['N'] = MEMORY(EACH(14)),

	/* registers alone */
	['R'] = REGISTERS(EACH(2)), ['r'] = REGISTERS(EACH(3)), ['z'] = REGISTERS(EACH(4)), ['o'] = REGISTERS(EACH(8)),
	['K'] = REGISTERS(EACH(11)), ['E'] = REGISTERS(EACH(12)), ['F'] = REGISTERS(EACH(15)),

	/* one-byte map */
	['s'] = BOTH(0x00ffffff),			/* 8c MOV from segment register */
	['S'] = BOTH(0x00ffff0f),			/* 8e: not to CS */
	['p'] = BOTH(0x0000000f),			/* 8f POP */
	['t'] = { 0x0000000f, 0xf000000f },		/* c6, c7 MOV; XABORT, XBEGIN: rm_exists() */
	['i'] = BOTH(0x000000ff),			/* fe INC, DEC */
	['n'] = { 0x0fffffff, 0x0f0f0fff },		/* ff: far CALL and JMP have memory alone */
	['x'] = BOTH(EACH(15)),				/* d8 to df: x87. Registers: x87_registers */
	['('] = { 0xffffff0f, EACH(15) },		/* d9 */
	[')'] = { 0xf0f0ffff, EACH(15) },		/* db */
	['['] = { 0xff0fffff, EACH(15) },		/* dd */

	/* map 0F */
	['g'] = BOTH(0x08ffffff),			/* 00: SLDT STR LLDT LTR VERR VERW, LKGS */
	['@'] = { 0xff4fffff, EACH(15) },		/* 01: forms_0f01 */
	['h'] = { EACH(15), EACH(13) },			/* 12 MOVLPS, MOVHLPS, MOVSLDUP, MOVDDUP */
	['k'] = { EACH(7), EACH(5) },			/* 16 MOVHPS, MOVLHPS, MOVSHDUP */
	['C'] = REGISTERS(0x000fff0f),			/* 20, 22 MOV CR0, CR2, CR3, CR4, CR8 */
	['D'] = REGISTERS(EACH(15)),			/* 21, 23 MOV DR */
	['P'] = REGISTERS(0x03030300),			/* 71, 72: shifts by imm8 */
	['Q'] = REGISTERS(0x23002300),			/* 73 */
	['v'] = { EACH(1), 0x9999999b },		/* 78 VMREAD, INSERTQ, EXTRQ */
	['V'] = { EACH(1), EACH(11) },			/* 79 VMWRITE, INSERTQ, EXTRQ */
	['A'] = { 0x37151111, 0x1f544444 },		/* ae: FXSAVE ..., FENCEs, WRFSBASE ... */
	['B'] = BOTH(0xffff0000),			/* ba BT, BTS, BTR, BTC */
	['G'] = { 0x171110f0, 0x77000000 },		/* c7: CMPXCHG8B, XSAVES, VMX; RDRAND, RDSEED */
	['u'] = { EACH(2), EACH(14) },			/* d6 MOVQ, MOVQ2DQ, MOVDQ2Q */

	/* maps 0F38, 0F3A */
	['j'] = MEMORY(0x00004444),			/* d8 AESENCWIDE128KL ... */
	['l'] = { EACH(6), EACH(2) },			/* dd to df: AES, key locker */
	['y'] = { EACH(11), EACH(8) },			/* f0, f1 MOVBE, CRC32 */
	['X'] = { EACH(7), EACH(6) },			/* f6 WRSS, ADCX, ADOX */
	['Y'] = { EACH(14), EACH(12) },			/* f8 MOVDIR64B, ENQCMD; URDMSR, UWRMSR */
	['H'] = REGISTERS(0x00000004),			/* 0F3A f0 HRESET */

	/* VEX */
	['I'] = REGISTERS(0x02020200),			/* 71, 72: shifts by imm8 */
	['J'] = REGISTERS(0x22002200),			/* 73 */
	['O'] = MEMORY(0x00001100),			/* ae VLDMXCSR, VSTMXCSR */
	['U'] = { 0x00000003, 0x88888889 },		/* 0F38 49 LDTILECFG, STTILECFG; TILERELEASE, TILEZERO */
	['#'] = BOTH(0x00001110),			/* 0F38 f3 BLSR, BLSMSK, BLSI */

	/* XOP */
	['!'] = BOTH(0x11111110),			/* 9.01 BLCFILL ... */
	['?'] = BOTH(0x01000010),			/* 9.02 BLCMSK, BLCI */
	['+'] = REGISTERS(0x00000011),			/* 9.12 LLWPCB, SLWPCB */
	['*'] = BOTH(0x00000011),			/* A.12 LWPINS, LWPVAL */

	/* EVEX */
	['%'] = BOTH(0x02020200),			/* 71: shifts by imm8 */
	['&'] = BOTH(0x02020222),			/* 72 */
	['$'] = BOTH(0x22002200),			/* 73 */
	[':'] = { EACH(2), EACH(6) },			/* 0F38: VPMOVM2B ... */
	['~'] = { EACH(2), EACH(4) },			/* 0F38 2a VMOVNTDQA, VPBROADCASTMB2Q */
	[';'] = { EACH(14), EACH(6) },			/* 0F38 52 VPDPWSSD, VDPBF16PS, VP4DPWSSD */
	['<'] = { EACH(10), EACH(2) },			/* 0F38 53, 9a ...: VP4DPWSSDS, V4FMADDPS ... */
	['>'] = MEMORY(0x02200220),			/* 0F38 c6, c7: gather and scatter prefetches */
};

/* 0F 01 with a register operand: [ModRM.reg], four bits for each ModRM.rm */
static const u32 forms_0f01[8] = {
	0x1d1ffff1,	/* ENCLV VMCALL VMLAUNCH VMRESUME VMXOFF PCONFIG WRMSRNS, RDMSRLIST, WRMSRLIST; PBNDKB */
	0x32221dff,	/* MONITOR MWAIT CLAC, ERETS, ERETU; STAC TDCALL SEAMRET SEAMOPS ENCLS, SEAMCALL */
	0x11110011,	/* XGETBV XSETBV - - VMFUNC XEND XTEST ENCLU */
	0xffffffff,	/* VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT INVLPGA */
	0xffffffff,	/* SMSW */
	0x5544048d,	/* SERIALIZE, SETSSBSY, XSUSLDTRK; XRESLDTRK SAVEPREVSSP - UIRET TESTUI RDPKRU, CLUI; WRPKRU, STUI */
	0xffffffff,	/* LMSW */
	/* SWAPGS RDTSCP MONITORX, MCOMMIT; MWAITX CLZERO RDPRU, RMPQUERY, RMPREAD; INVLPGB ...; TLBSYNC ... */
	0xddff15ff,
};

/* d8 to df with a register operand: a bit for each low six bits of ModRM */
static const u64 x87_registers[8] = {
	~0ULL, 0xffff7f33ff01ffff, 0x00000200ffffffff, 0x00ffff1fffffffff,
	~0ULL, 0x0000ffffffffffff, 0xffffffff02ffffff, 0x00ffff01ffffffff,
};

char tpz_shape(const struct tpz_insn *insn)
{
	switch (insn->map) {
	case TPZ_MAP_ONE:
		return shapes_one[insn->opcode];
	case TPZ_MAP_0F:
		return shapes_0f[insn->opcode];
	case TPZ_MAP_0F3A:
	case TPZ_MAP_XOP8:
		return 'b';
	case TPZ_MAP_XOPA:
		return 'z';
	default:
		return 'm';
	}
}

char tpz_size_rule(const struct tpz_insn *insn)
{
	u8 reg = insn->modrm >> 3 & 7;
	char rule;

	if (insn->map > TPZ_MAP_0F)
		return '-';
	rule = (insn->map == TPZ_MAP_ONE ? sizes_one : sizes_0f)[insn->opcode];
	if (rule == 'f')	/* the group of INC, DEC, near and far CALL and JMP, PUSH */
		return reg == 2 || reg == 4 ? 'n' : reg == 6 ? 's' : '-';
	return rule;
}

bool tpz_map_exists(enum tpz_opcode_map map, enum tpz_encoding encoding)
{
	return opcodes[map][encoding];
}

bool tpz_has_vector_index(const struct tpz_insn *insn)
{
	if (insn->map != TPZ_MAP_0F38 || insn->encoding == TPZ_LEGACY)
		return false;
	return (insn->opcode >= 0x90 && insn->opcode <= 0x93) ||
	       (insn->encoding == TPZ_EVEX && ((insn->opcode >= 0xa0 && insn->opcode <= 0xa3) ||
					       insn->opcode == 0xc6 || insn->opcode == 0xc7));
}

/* Where more than the opcode, ModRM.reg and the mandatory prefix says which instruction it is */
static bool register_form_exists(const struct tpz_insn *insn, char form)
{
	u8 reg = insn->modrm >> 3 & 7, rm = insn->modrm & 7;

	switch (form) {
	case 't':		/* XABORT, XBEGIN */
		return reg == 0 || rm == 0;
	case 'H': case 'U':	/* HRESET, TILERELEASE, TILEZERO */
		return rm == 0;
	case 'x': case '(': case ')': case '[':
		return x87_registers[insn->opcode & 7] >> (insn->modrm & 0x3f) & 1;
	case '@':
		return forms_0f01[reg] >> (4 * rm + insn->mandatory) & 1;
	case 'C':		/* CR0 to CR8, or CR0 behind LOCK: CR8 on AMD (APM vol. 3, "MOV CRn") */
		return insn->reg <= 8 && (!insn->lock || insn->reg == 0);
	case 'D':
		return insn->reg < 8;
	default:
		return true;
	}
}

/* LOCK: only before those that read, modify and write memory (SDM vol. 2A, "LOCK") */
static bool takes_lock(const struct tpz_insn *insn)
{
	u8 reg = insn->modrm >> 3 & 7;

	if (insn->map == TPZ_MAP_0F && (insn->opcode == 0x20 || insn->opcode == 0x22))
		return true;
	if (!insn->has_memory)
		return false;
	if (insn->map == TPZ_MAP_ONE) {
		switch (insn->opcode) {
		case 0x00 ... 0x35:
			return (insn->opcode & 7) < 2;
		case 0x80 ... 0x83:
			return reg != 7;
		case 0x86: case 0x87:
			return true;
		case 0xf6: case 0xf7:
			return reg == 2 || reg == 3;
		case 0xfe: case 0xff:
			return reg < 2;
		}
	} else if (insn->map == TPZ_MAP_0F) {
		switch (insn->opcode) {
		case 0xab: case 0xb3: case 0xbb: case 0xb0: case 0xb1: case 0xc0: case 0xc1:
			return true;
		case 0xba:
			return reg > 4;
		case 0xc7:
			return reg == 1;
		}
	}
	return false;
}

static char form_of(const struct tpz_insn *insn)
{
	return opcodes[insn->map][insn->encoding][insn->opcode];
}

/* Gathers, scatters and the moves of tiles have an index register: SIB (SDM vol. 2A, 2.3.12) */
static bool memory_form_exists(const struct tpz_insn *insn, char form)
{
	return (!tpz_has_vector_index(insn) && form != 'N') || (insn->address_bytes != 2 && (insn->modrm & 7) == 4);
}

bool tpz_opcode_exists(const struct tpz_insn *insn)
{
	char form = form_of(insn);
	const struct forms *f = &forms[(u8)form];

	if (form == 'L' && insn->mode == TPZ_DECODE_64)
		return false;
	return (f->memory | f->registers) & (0x11111111u << insn->mandatory);
}

bool tpz_form_exists(const struct tpz_insn *insn)
{
	char form = form_of(insn);
	const struct forms *f = &forms[(u8)form];
	u8 reg = insn->modrm >> 3 & 7;

	if (!((insn->has_memory ? f->memory : f->registers) >> (4 * reg + insn->mandatory) & 1))
		return false;
	if (insn->has_modrm && !(insn->has_memory ? memory_form_exists(insn, form) : register_form_exists(insn, form)))
		return false;
	return !insn->lock || takes_lock(insn);
}
