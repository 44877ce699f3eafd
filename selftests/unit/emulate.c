// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction emulator (kmod/cpu/emulate*.c) against the CPU of the build machine: random instructions on random operands
 * run natively, on memory of ours, and in the emulator, on a copy. Registers, flags, memory and vectors must be the same.
 *
 * Flags that the manual leaves undefined are left out.
 */
#include "../lib/ktap.c"

#include <sys/mman.h>

#include "../../kmod/cpu/decode.c"
#undef next
#include "../../kmod/cpu/decode_tables.c"
#include "../../kmod/cpu/emulate_alu.c"
#include "../../kmod/cpu/emulate.c"
#undef STORE
#include "../../kmod/cpu/emulate_vector.c"

#define ROUNDS		25000	/* of each template */
#define DATA_BYTES	4096

#define CF	0x001u
#define PF	0x004u
#define AF	0x010u
#define ZF	0x040u
#define SF	0x080u
#define DF	0x400u
#define OF	0x800u
#define STATUS	(CF | PF | AF | ZF | SF | OF)

/* ---- what is tried */

#define BYTE		(1u << 0)	/* the operand is a byte */
#define RELEASED	(1u << 1)	/* LOCK may stand before */
#define IMM8		(1u << 2)
#define IMMZ		(1u << 3)	/* 2 or 4 bytes */
#define FIXED		(1u << 4)	/* neither 66h nor REX.W */
#define NO_66		(1u << 5)
#define BY_BIT		(1u << 6)	/* the register is a bit number that reaches out of the operand */
#define STRING		(1u << 7)
#define NO_MODRM	(1u << 8)
#define BRANCH		(1u << 9)
#define VECTOR		(1u << 10)
#define VEX		(1u << 11)	/* opcode[0]: map, opcode[1]: pp */
#define OFFSET		(1u << 12)	/* MOV with an offset of 8 bytes */
#define ALIGN		(1u << 13)
#define PAIR		(1u << 14)
#define COMPARES	(1u << 15)
#define NEEDS_W		(1u << 16)
#define VEX_128		(1u << 17)
#define STACK		(1u << 18)
#define MOVBE		(1u << 20)
#define SHIFT		(1u << 19)	/* by less than the operand's width, so that CF is defined */

struct template {
	const char *name;
	u8 length;
	u8 opcode[4];
	s8 digit;		/* ModRM.reg, or -1: random */
	u32 flags;
	u32 undefined;
};

#define T(name, digit, flags, undefined, ...)						\
	{ name, sizeof((u8[]){ __VA_ARGS__ }), { __VA_ARGS__ }, digit, flags, undefined }
#define ALU(name, op, undefined, lock)						\
	T(name " Eb,Gb", -1, BYTE | (lock), undefined, op),			\
	T(name " Ev,Gv", -1, lock, undefined, op + 1),				\
	T(name " Gb,Eb", -1, BYTE, undefined, op + 2),				\
	T(name " Gv,Ev", -1, 0, undefined, op + 3),				\
	T(name " Eb,Ib", op / 8, BYTE | IMM8 | (lock), undefined, 0x80),	\
	T(name " Ev,Iz", op / 8, IMMZ | (lock), undefined, 0x81),		\
	T(name " Ev,Ib", op / 8, IMM8 | (lock), undefined, 0x83)
#define BITS	(OF | SF | AF | PF)
#define PRODUCT	(SF | ZF | AF | PF)
#define SHIFTS(name, digit, undefined)								\
	T(name " Eb,1", digit, BYTE, undefined, 0xd0), T(name " Ev,1", digit, 0, undefined, 0xd1),	\
	T(name " Eb,Ib", digit, BYTE | IMM8 | SHIFT, (undefined) | OF, 0xc0),				\
	T(name " Ev,Ib", digit, IMM8 | SHIFT, (undefined) | OF, 0xc1),					\
	T(name " Eb,CL", digit, BYTE | SHIFT, (undefined) | OF, 0xd2),					\
	T(name " Ev,CL", digit, SHIFT, (undefined) | OF, 0xd3)
#define CONDITIONS(X, op)									\
	X(op), X(op + 1), X(op + 2), X(op + 3), X(op + 4), X(op + 5), X(op + 6), X(op + 7),		\
	X(op + 8), X(op + 9), X(op + 10), X(op + 11), X(op + 12), X(op + 13), X(op + 14), X(op + 15)
#define CMOV(op)	T("CMOVcc Gv,Ev", -1, 0, 0, 0x0f, op)
#define SETCC(op)	T("SETcc Eb", 0, BYTE, 0, 0x0f, op)

static const struct template templates[] = {
	T("MOV Eb,Gb", -1, BYTE, 0, 0x88), T("MOV Ev,Gv", -1, 0, 0, 0x89),
	T("MOV Gb,Eb", -1, BYTE, 0, 0x8a), T("MOV Gv,Ev", -1, 0, 0, 0x8b),
	T("MOV Eb,Ib", 0, BYTE | IMM8, 0, 0xc6), T("MOV Ev,Iz", 0, IMMZ, 0, 0xc7),
	T("MOV AL,Ob", -1, BYTE | OFFSET, 0, 0xa0), T("MOV rAX,Ov", -1, OFFSET, 0, 0xa1),
	T("MOV Ob,AL", -1, BYTE | OFFSET, 0, 0xa2), T("MOV Ov,rAX", -1, OFFSET, 0, 0xa3),
	T("MOVZX Gv,Eb", -1, 0, 0, 0x0f, 0xb6), T("MOVZX Gv,Ew", -1, 0, 0, 0x0f, 0xb7),
	T("MOVSX Gv,Eb", -1, 0, 0, 0x0f, 0xbe), T("MOVSX Gv,Ew", -1, 0, 0, 0x0f, 0xbf),
	T("MOVSXD Gv,Ed", -1, NO_66, 0, 0x63),
	T("MOV Ew,ES", 0, 0, 0, 0x8c), T("MOV Ew,CS", 1, 0, 0, 0x8c), T("MOV Ew,SS", 2, 0, 0, 0x8c),
	T("MOV Ew,DS", 3, 0, 0, 0x8c), T("MOV Ew,FS", 4, 0, 0, 0x8c), T("MOV Ew,GS", 5, 0, 0, 0x8c),
	T("MOVNTI", -1, NO_66, 0, 0x0f, 0xc3),
	T("MOVBE Gv,Ev", -1, MOVBE, 0, 0x0f, 0x38, 0xf0), T("MOVBE Ev,Gv", -1, MOVBE, 0, 0x0f, 0x38, 0xf1),
	CONDITIONS(CMOV, 0x40), CONDITIONS(SETCC, 0x90),
	SHIFTS("ROL", 0, 0), SHIFTS("ROR", 1, 0), SHIFTS("RCL", 2, 0), SHIFTS("RCR", 3, 0),
	SHIFTS("SHL", 4, AF), SHIFTS("SHR", 5, AF), SHIFTS("SAL", 6, AF), SHIFTS("SAR", 7, AF),
	T("MUL Eb", 4, BYTE, PRODUCT, 0xf6), T("MUL Ev", 4, 0, PRODUCT, 0xf7),
	T("IMUL Eb", 5, BYTE, PRODUCT, 0xf6), T("IMUL Ev", 5, 0, PRODUCT, 0xf7),
	T("IMUL Gv,Ev", -1, 0, PRODUCT, 0x0f, 0xaf),
	T("IMUL Gv,Ev,Iz", -1, IMMZ, PRODUCT, 0x69), T("IMUL Gv,Ev,Ib", -1, IMM8, PRODUCT, 0x6b),
	ALU("ADD", 0x00, 0, RELEASED), ALU("OR", 0x08, AF, RELEASED), ALU("ADC", 0x10, 0, RELEASED),
	ALU("SBB", 0x18, 0, RELEASED), ALU("AND", 0x20, AF, RELEASED), ALU("SUB", 0x28, 0, RELEASED),
	ALU("XOR", 0x30, AF, RELEASED), ALU("CMP", 0x38, 0, 0),
	T("TEST Eb,Gb", -1, BYTE, AF, 0x84), T("TEST Ev,Gv", -1, 0, AF, 0x85),
	T("TEST Eb,Ib", 0, BYTE | IMM8, AF, 0xf6), T("TEST Ev,Iz", 0, IMMZ, AF, 0xf7),
	T("NOT Eb", 2, BYTE | RELEASED, 0, 0xf6), T("NOT Ev", 2, RELEASED, 0, 0xf7),
	T("NEG Eb", 3, BYTE | RELEASED, 0, 0xf6), T("NEG Ev", 3, RELEASED, 0, 0xf7),
	T("INC Eb", 0, BYTE | RELEASED, 0, 0xfe), T("INC Ev", 0, RELEASED, 0, 0xff),
	T("DEC Eb", 1, BYTE | RELEASED, 0, 0xfe), T("DEC Ev", 1, RELEASED, 0, 0xff),
	T("XCHG Eb,Gb", -1, BYTE | RELEASED, 0, 0x86), T("XCHG Ev,Gv", -1, RELEASED, 0, 0x87),
	T("XADD Eb,Gb", -1, BYTE | RELEASED, 0, 0x0f, 0xc0), T("XADD Ev,Gv", -1, RELEASED, 0, 0x0f, 0xc1),
	T("CMPXCHG Eb,Gb", -1, BYTE | RELEASED | COMPARES, 0, 0x0f, 0xb0),
	T("CMPXCHG Ev,Gv", -1, RELEASED | COMPARES, 0, 0x0f, 0xb1),
	T("CMPXCHG8B", 1, RELEASED | PAIR | COMPARES | FIXED, 0, 0x0f, 0xc7),
	T("CMPXCHG16B", 1, RELEASED | PAIR | COMPARES | NO_66 | NEEDS_W | ALIGN, 0, 0x0f, 0xc7),
	T("BT Ev,Gv", -1, BY_BIT, BITS, 0x0f, 0xa3), T("BTS Ev,Gv", -1, BY_BIT | RELEASED, BITS, 0x0f, 0xab),
	T("BTR Ev,Gv", -1, BY_BIT | RELEASED, BITS, 0x0f, 0xb3), T("BTC Ev,Gv", -1, BY_BIT | RELEASED, BITS, 0x0f, 0xbb),
	T("BT Ev,Ib", 4, IMM8, BITS, 0x0f, 0xba), T("BTS Ev,Ib", 5, IMM8 | RELEASED, BITS, 0x0f, 0xba),
	T("BTR Ev,Ib", 6, IMM8 | RELEASED, BITS, 0x0f, 0xba), T("BTC Ev,Ib", 7, IMM8 | RELEASED, BITS, 0x0f, 0xba),
	T("PUSH Ev", 6, STACK, 0, 0xff), T("POP Ev", 0, STACK, 0, 0x8f),
	T("PUSH Gv", -1, STACK | NO_MODRM, 0, 0x50), T("POP Gv", -1, STACK | NO_MODRM, 0, 0x58),
	T("PUSH Iz", -1, STACK | NO_MODRM | IMMZ, 0, 0x68), T("PUSH Ib", -1, STACK | NO_MODRM | IMM8, 0, 0x6a),
	T("CALL Ev", 2, STACK | BRANCH | FIXED, 0, 0xff), T("JMP Ev", 4, STACK | BRANCH | FIXED, 0, 0xff),
	T("MOVSB", -1, STRING | BYTE, 0, 0xa4), T("MOVSv", -1, STRING, 0, 0xa5),
	T("CMPSB", -1, STRING | BYTE | COMPARES, 0, 0xa6), T("CMPSv", -1, STRING | COMPARES, 0, 0xa7),
	T("STOSB", -1, STRING | BYTE, 0, 0xaa), T("STOSv", -1, STRING, 0, 0xab),
	T("LODSB", -1, STRING | BYTE, 0, 0xac), T("LODSv", -1, STRING, 0, 0xad),
	T("SCASB", -1, STRING | BYTE | COMPARES, 0, 0xae), T("SCASv", -1, STRING | COMPARES, 0, 0xaf),
	T("MOVUPS load", -1, VECTOR | FIXED, 0, 0x0f, 0x10), T("MOVUPS store", -1, VECTOR | FIXED, 0, 0x0f, 0x11),
	T("MOVUPD load", -1, VECTOR | FIXED, 0, 0x66, 0x0f, 0x10), T("MOVSS load", -1, VECTOR | FIXED, 0, 0xf3, 0x0f, 0x10),
	T("MOVSS store", -1, VECTOR | FIXED, 0, 0xf3, 0x0f, 0x11), T("MOVSD load", -1, VECTOR | FIXED, 0, 0xf2, 0x0f, 0x10),
	T("MOVSD store", -1, VECTOR | FIXED, 0, 0xf2, 0x0f, 0x11), T("MOVLPS load", -1, VECTOR | FIXED, 0, 0x0f, 0x12),
	T("MOVLPD store", -1, VECTOR | FIXED, 0, 0x66, 0x0f, 0x13), T("MOVHPS load", -1, VECTOR | FIXED, 0, 0x0f, 0x16),
	T("MOVHPD store", -1, VECTOR | FIXED, 0, 0x66, 0x0f, 0x17),
	T("MOVAPS load", -1, VECTOR | FIXED | ALIGN, 0, 0x0f, 0x28), T("MOVAPD store", -1, VECTOR | FIXED | ALIGN, 0, 0x66, 0x0f, 0x29),
	T("MOVNTPS", -1, VECTOR | FIXED | ALIGN, 0, 0x0f, 0x2b), T("MOVNTDQ", -1, VECTOR | FIXED | ALIGN, 0, 0x66, 0x0f, 0xe7),
	T("MOVD load", -1, VECTOR | NO_66, 0, 0x66, 0x0f, 0x6e), T("MOVD store", -1, VECTOR | NO_66, 0, 0x66, 0x0f, 0x7e),
	T("MOVQ load", -1, VECTOR | FIXED, 0, 0xf3, 0x0f, 0x7e), T("MOVQ store", -1, VECTOR | FIXED, 0, 0x66, 0x0f, 0xd6),
	T("MOVDQA load", -1, VECTOR | FIXED | ALIGN, 0, 0x66, 0x0f, 0x6f),
	T("MOVDQA store", -1, VECTOR | FIXED | ALIGN, 0, 0x66, 0x0f, 0x7f),
	T("MOVDQU load", -1, VECTOR | FIXED, 0, 0xf3, 0x0f, 0x6f), T("MOVDQU store", -1, VECTOR | FIXED, 0, 0xf3, 0x0f, 0x7f),
	T("LDDQU", -1, VECTOR | FIXED, 0, 0xf2, 0x0f, 0xf0),
	T("VMOVUPS load", -1, VECTOR | VEX, 0, 1, 0, 0x10), T("VMOVUPD store", -1, VECTOR | VEX, 0, 1, 1, 0x11),
	T("VMOVAPS load", -1, VECTOR | VEX | ALIGN, 0, 1, 0, 0x28), T("VMOVAPD store", -1, VECTOR | VEX | ALIGN, 0, 1, 1, 0x29),
	T("VMOVDQA load", -1, VECTOR | VEX | ALIGN, 0, 1, 1, 0x6f), T("VMOVDQA store", -1, VECTOR | VEX | ALIGN, 0, 1, 1, 0x7f),
	T("VMOVDQU load", -1, VECTOR | VEX, 0, 1, 2, 0x6f), T("VMOVDQU store", -1, VECTOR | VEX, 0, 1, 2, 0x7f),
	T("VMOVSS load", -1, VECTOR | VEX, 0, 1, 2, 0x10), T("VMOVSD store", -1, VECTOR | VEX, 0, 1, 3, 0x11),
	T("VMOVD load", -1, VECTOR | VEX | VEX_128, 0, 1, 1, 0x6e), T("VMOVD store", -1, VECTOR | VEX | VEX_128, 0, 1, 1, 0x7e),
	T("VMOVQ load", -1, VECTOR | VEX | VEX_128, 0, 1, 2, 0x7e), T("VMOVQ store", -1, VECTOR | VEX | VEX_128, 0, 1, 1, 0xd6),
	T("VMOVNTDQ", -1, VECTOR | VEX | ALIGN, 0, 1, 1, 0xe7), T("VLDDQU", -1, VECTOR | VEX, 0, 1, 3, 0xf0),
	T("VMOVLPS store", -1, VECTOR | VEX | VEX_128, 0, 1, 0, 0x13), T("VMOVHPS store", -1, VECTOR | VEX | VEX_128, 0, 1, 0, 0x17),
};

/* ---- randomness */

static u64 random_state = 0x9e3779b97f4a7c15ULL;

static u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(unsigned int n)
{
	return (random64() >> 33) % n;
}

/* Where carries, borrows and signs change, often */
static u64 operand(void)
{
	static const u64 edges[] = { 0, 1, ~0ULL, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 63 };

	return below(3) ? random64() : edges[below(ARRAY_SIZE(edges))] + below(3) - 1;
}

/* ---- the machine: registers and memory, below 4 GiB so that every way to address reaches them */

struct vectors {
	u8 ymm[16][32];
};

struct machine_state {
	u64 gpr[16];
	u64 flags;
	struct vectors vectors;
};

/* One page of code, and behind it what the code loads and stores by addresses relative to RIP */
struct arena {
	u8 code[4096];
	struct machine_state state;
	u64 host_rsp;
	u8 data[DATA_BYTES] __attribute__((aligned(4096)));
} *arena;

static u8 *insn_at;		/* 16 bytes for the instruction and 5 for what follows it */
static void (*native)(void), (*native_vectors)(void);
static bool have_avx, have_movbe;

static u8 *emit(u8 *at, const void *bytes, unsigned int count)
{
	memcpy(at, bytes, count);
	return at + count;
}

/* An instruction of @count bytes whose last four are an address relative to the next one's */
static u8 *emit_relative(u8 *at, const u8 *opcode, unsigned int count, const void *target)
{
	s32 relative;

	at = emit(at, opcode, count);
	relative = (const u8 *)target - (at + 4);
	return emit(at, &relative, 4);
}

static u8 *emit_gpr(u8 *at, bool store, unsigned int reg)
{
	const u8 opcode[] = { 0x48 | (reg & 8 ? 4 : 0), store ? 0x89 : 0x8b, 0x05 | (reg & 7) << 3 };

	return emit_relative(at, opcode, 3, &arena->state.gpr[reg]);
}

/* VMOVDQU or MOVDQU */
static u8 *emit_vector(u8 *at, bool store, unsigned int reg)
{
	const u8 move = store ? 0x7f : 0x6f, modrm = 0x05 | (reg & 7) << 3;
	const u8 avx[] = { 0xc5, (reg & 8 ? 0 : 0x80) | 0x7e, move, modrm };
	const u8 sse[] = { 0xf3, 0x40 | (reg & 8 ? 4 : 0), 0x0f, move, modrm };

	return have_avx ? emit_relative(at, avx, 4, arena->state.vectors.ymm[reg]) :
			  emit_relative(at, sse, 5, arena->state.vectors.ymm[reg]);
}

#define BYTES(...)	(const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ })

/* Host registers away, the state in; jumps to the instruction */
static u8 *emit_entry(u8 *at, bool vectors)
{
	at = emit(at, BYTES(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57));	/* PUSH callee-saved */
	at = emit_relative(at, BYTES(0x48, 0x89, 0x25), &arena->host_rsp);			/* MOV RSP */
	for (unsigned int reg = 0; vectors && reg < 16; reg++)
		at = emit_vector(at, false, reg);
	at = emit_relative(at, BYTES(0xff, 0x35), &arena->state.flags);				/* PUSH */
	at = emit(at, BYTES(0x9d));								/* POPFQ */
	for (unsigned int reg = 0; reg < 16; reg++)
		at = emit_gpr(at, false, reg);
	return emit_relative(at, BYTES(0xe9), insn_at);						/* JMP */
}

static u8 *emit_leave(u8 *at, bool vectors)
{
	for (unsigned int reg = 0; reg < 16; reg++)
		at = emit_gpr(at, true, reg);
	at = emit_relative(at, BYTES(0x48, 0x8b, 0x25), &arena->host_rsp);
	at = emit(at, BYTES(0x9c));								/* PUSHFQ */
	at = emit_relative(at, BYTES(0x8f, 0x05), &arena->state.flags);				/* POP */
	for (unsigned int reg = 0; vectors && reg < 16; reg++)
		at = emit_vector(at, true, reg);
	return emit(at, BYTES(0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3));
}

static u8 *leave[2];		/* without and with vectors */

static bool cpu_has_movbe(void)
{
	unsigned int eax = 1, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ecx >> 22 & 1;
}

static void build_machine(void)
{
	u8 *at;

	have_avx = __builtin_cpu_supports("avx");
	have_movbe = cpu_has_movbe();
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(arena != MAP_FAILED);
	insn_at = arena->code + 2048;
	native = (void (*)(void))(uintptr_t)arena->code;
	at = emit_entry(arena->code, false);
	native_vectors = (void (*)(void))(uintptr_t)at;
	at = emit_entry(at, true);
	leave[0] = at;
	leave[1] = emit_leave(at, false);
	at = emit_leave(leave[1], true);
	CHECK(at < insn_at);
}

/* ---- a random instruction of a template, with registers that make it reach the data */

struct trial {
	const struct template *t;
	u8 code[16];
	unsigned int length;
	struct machine_state before;
	u64 place;		/* of the memory operand */
};

static void put(struct trial *trial, u64 number, unsigned int bytes)
{
	memcpy(trial->code + trial->length, &number, bytes);
	trial->length += bytes;
}

static u8 *pick_prefixes(struct trial *trial, unsigned int *bytes, bool *address_32)
{
	const u32 flags = trial->t->flags;
	const u8 *opcode = trial->t->opcode;
	u8 rex = 0x40 | below(16);
	bool has_rex = below(2);

	*address_32 = !below(4) && !(flags & OFFSET);
	*bytes = flags & BYTE ? 1 : 4;
	if (*address_32)
		put(trial, 0x67, 1);
	if ((flags & RELEASED) && !below(3))
		put(trial, 0xf0, 1);
	if (!(flags & (FIXED | NO_66 | BYTE | VECTOR)) && !below(3)) {
		put(trial, 0x66, 1);
		*bytes = 2;
	}
	if ((flags & STRING) && below(3))
		put(trial, below(2) ? 0xf2 : 0xf3, 1);
	if ((flags & VECTOR) && (opcode[0] == 0x66 || opcode[0] >= 0xf2))
		put(trial, opcode[0], 1);
	if (flags & FIXED)
		rex &= ~8;
	if (flags & NEEDS_W)
		rex |= 8, has_rex = true;
	if ((flags & STACK) && *bytes == 4)
		*bytes = 8;
	if (has_rex) {
		if ((rex & 8) && !(flags & BYTE))
			*bytes = 8;
		put(trial, rex, 1);
	}
	return has_rex ? &trial->code[trial->length - 1] : NULL;
}

static u64 random_place(const struct trial *trial, unsigned int bytes)
{
	u64 at = (uintptr_t)arena->data + 1024 + below(2048);

	return trial->t->flags & ALIGN ? at & ~31ULL : at;
}

/* ModRM, SIB and displacement; the registers that they name are set */
static void pick_operand(struct trial *trial, unsigned int reg, u8 x, u8 b, bool address_32, unsigned int avoid,
			 unsigned int immediate)
{
	u64 *gpr = trial->before.gpr;
	const unsigned int form = below(4);
	s32 displacement = form == 1 ? (s8)random64() : (s32)(random64() & 0x3fffffff);
	unsigned int base = below(8) | b, index = below(8) | x, scale = 0;
	bool has_index = false, sib;
	u8 modrm;

	if (form == 2) {		/* relative to RIP */
		displacement = trial->place - ((uintptr_t)insn_at + trial->length + 5 + immediate);
		put(trial, 0x05 | (reg & 7) << 3, 1);
		put(trial, (u32)displacement, 4);
		return;
	}
	if (form == 3) {		/* an address alone, by SIB without base and index */
		put(trial, 0x04 | (reg & 7) << 3, 1);
		put(trial, 0x25, 1);
		if (x)
			gpr[12] = 0;	/* with REX.X there is an index */
		put(trial, trial->place, 4);
		return;
	}
	while (base == avoid || ((trial->t->flags & STACK) && base == TPZ_RSP))
		base = (base & 8) | ((base + 1) & 7);
	sib = (base & 7) == 4 || below(2);
	modrm = (form == 1 ? 0x40 : 0x80) | (reg & 7) << 3 | (sib ? 4 : base & 7);
	put(trial, modrm, 1);
	if (sib) {
		has_index = index != TPZ_RSP && index != base && index != avoid;
		scale = below(4);
		if (!has_index && index != TPZ_RSP) {	/* no other way to have none, with REX.X */
			if (x)
				index = base == 12 ? 13 : 12, has_index = index != avoid;
			else
				index = TPZ_RSP;
		}
		if (has_index)
			gpr[index] = below(2) ? below(1 << 20) : -(u64)below(1 << 20);
		put(trial, scale << 6 | (index & 7) << 3 | (base & 7), 1);
	}
	put(trial, (u32)displacement, form == 1 ? 1 : 4);
	gpr[base] = trial->place - (s64)displacement - (sib && index != TPZ_RSP ? gpr[index] << scale : 0);
	if (address_32)
		gpr[base] += random64() << 32;
}

static void make_vex(struct trial *trial, u8 *x, u8 *b, unsigned int *reg, bool *address_32)
{
	const struct template *t = trial->t;
	const bool l = !(t->flags & VEX_128) && below(2), w = below(2);

	*address_32 = !below(4);
	if (*address_32)
		put(trial, 0x67, 1);
	*reg = below(16);
	*x = below(2) * 8;
	*b = below(2) * 8;
	put(trial, 0xc4, 1);
	put(trial, (*reg & 8 ? 0 : 0x80) | (*x ? 0 : 0x40) | (*b ? 0 : 0x20) | t->opcode[0], 1);
	put(trial, (w ? 0x80 : 0) | 0x78 | (l ? 4 : 0) | t->opcode[1], 1);
	put(trial, t->opcode[2], 1);
}

static void make_registers(struct trial *trial)
{
	struct machine_state *s = &trial->before;

	for (unsigned int i = 0; i < 16; i++)
		s->gpr[i] = operand();
	s->flags = 0x202 | (random64() & (STATUS | DF));
	s->gpr[TPZ_RSP] = (uintptr_t)arena->data + 2048 + below(512);
	if (trial->t->flags & VECTOR)
		for (unsigned int i = 0; i < sizeof(s->vectors); i += 8)
			*(u64 *)((u8 *)&s->vectors + i) = random64();
	if (!have_avx)
		for (unsigned int i = 0; i < 16; i++)
			memset(s->vectors.ymm[i] + 16, 0, 16);
}

static void make_string(struct trial *trial, bool address_32)
{
	u64 *gpr = trial->before.gpr;

	gpr[TPZ_RSI] = (uintptr_t)arena->data + 1024 + below(1024);
	gpr[TPZ_RDI] = (uintptr_t)arena->data + 2048 + below(1024);
	gpr[TPZ_RCX] = 1 + below(8);	/* none is no access. Its registers are not the same on all CPUs, by 67h */
	if (address_32) {
		gpr[TPZ_RSI] += random64() << 32;
		gpr[TPZ_RDI] += random64() << 32;
		gpr[TPZ_RCX] += random64() << 32;
	}
	if (trial->t->flags & COMPARES) {	/* equal for a while, then not */
		const u8 fill = random64();

		memset(arena->data + 900, fill, 2400);
		memset(&gpr[TPZ_RAX], fill, 8);
		arena->data[900 + below(2400)] = random64();
	}
}

static void make_operands(struct trial *trial, unsigned int bytes)
{
	u64 *gpr = trial->before.gpr, value = operand();
	u8 *memory = (u8 *)(uintptr_t)trial->place;

	memcpy(memory, &value, 8);
	if ((trial->t->flags & COMPARES) && below(2)) {
		memcpy(&gpr[TPZ_RAX], memory, 8);
		if (trial->t->flags & NEEDS_W)
			memcpy(&gpr[TPZ_RDX], memory + 8, 8);
		else
			memcpy(&gpr[TPZ_RDX], memory + 4, 4);
	}
}

static void make_trial(struct trial *trial, const struct template *t)
{
	const u32 flags = t->flags;
	unsigned int bytes = 4, reg, avoid = 16, immediate, skip;
	bool address_32;
	u8 x = 0, b = 0, *rex;

	memset(trial, 0, sizeof(*trial));
	trial->t = t;
	for (unsigned int i = 0; i < DATA_BYTES; i += 8)
		*(u64 *)(arena->data + i) = random_state + i * 0x9e3779b97f4a7c15ULL;
	make_registers(trial);
	if (flags & VEX) {
		make_vex(trial, &x, &b, &reg, &address_32);
		trial->place = random_place(trial, 32);
		pick_operand(trial, reg, x, b, address_32, 16, 0);
		return;
	}
	rex = pick_prefixes(trial, &bytes, &address_32);
	if (rex) {
		x = *rex & 2 ? 8 : 0;
		b = *rex & 1 ? 8 : 0;
	}
	skip = (flags & VECTOR) && t->opcode[0] != 0x0f;
	for (unsigned int i = skip; i < t->length; i++)
		put(trial, t->opcode[i], 1);
	immediate = flags & IMM8 ? 1 : flags & IMMZ ? (bytes == 2 ? 2 : 4) : 0;
	if (flags & STRING) {
		make_string(trial, address_32);
		return;
	}
	trial->place = random_place(trial, 32);
	if (flags & SHIFT) {		/* RCX is the count: not an address, too */
		trial->before.gpr[TPZ_RCX] = (trial->before.gpr[TPZ_RCX] & ~0xffULL) | below(8 * bytes);
		avoid = TPZ_RCX;
	}
	if (flags & OFFSET) {
		put(trial, trial->place, 8);
	} else if (flags & NO_MODRM) {
		if (!immediate)
			trial->code[trial->length - 1] |= below(8);
	} else {
		reg = t->digit >= 0 ? t->digit : (below(8) | (rex && (*rex & 4) ? 8 : 0));
		if (flags & BY_BIT)
			avoid = reg;
		if (flags & PAIR)
			avoid = TPZ_RAX;
		if (flags & BY_BIT)
			trial->before.gpr[reg] = tpz_merge(random64(), (s64)(s16)(below(12000) - 6000), bytes);
		pick_operand(trial, reg, x, b, address_32, avoid, immediate);
	}
	put(trial, flags & SHIFT ? below(8 * bytes) : operand(), immediate);
	make_operands(trial, bytes);
	if (flags & BRANCH) {
		u64 target = (uintptr_t)insn_at + 32;

		memcpy((u8 *)(uintptr_t)trial->place, &target, 8);
	}
}

/* ---- in the emulator */

struct emulated {
	struct tpz_emulation e;
	u8 *data;		/* the copy */
	struct vectors *vectors;
	unsigned int bad;	/* accesses beyond the data */
};

static u8 *find_data(struct tpz_emulation *e, const struct tpz_place *place)
{
	struct emulated *m = (struct emulated *)e;
	u64 at = place->offset - (uintptr_t)arena->data;

	if (at > DATA_BYTES - place->bytes) {
		m->bad++;
		return m->data;
	}
	return m->data + at;
}

static int read_copy(struct tpz_emulation *e, const struct tpz_place *place, void *to)
{
	memcpy(to, find_data(e, place), place->bytes);
	return 0;
}

static int write_copy(struct tpz_emulation *e, const struct tpz_place *place, const void *from)
{
	memcpy(find_data(e, place), from, place->bytes);
	return 0;
}

static int any_branch(struct tpz_emulation *e, u64 rip)
{
	return 0;
}

static void get_copy(struct tpz_emulation *e, unsigned int reg, u8 value[TPZ_VECTOR_BYTES])
{
	memcpy(value, ((struct emulated *)e)->vectors->ymm[reg], 32);
}

static void set_copy(struct tpz_emulation *e, unsigned int reg, const u8 value[TPZ_VECTOR_BYTES], bool whole)
{
	memcpy(((struct emulated *)e)->vectors->ymm[reg], value, whole ? 32 : 16);
}

static u16 own_segment(struct tpz_emulation *e, unsigned int seg)
{
	u16 selectors[6];

	asm volatile("mov %%es, %0; mov %%cs, %1; mov %%ss, %2; mov %%ds, %3; mov %%fs, %4; mov %%gs, %5" :
		     "=m"(selectors[0]), "=m"(selectors[1]), "=m"(selectors[2]), "=m"(selectors[3]), "=m"(selectors[4]),
		     "=m"(selectors[5]));
	return selectors[seg];
}

static unsigned int loaded_segment, loaded_selector;

static int note_segment(struct tpz_emulation *e, unsigned int seg, u16 selector)
{
	loaded_segment = seg;
	loaded_selector = selector;
	return 0;
}

static const struct tpz_emulate_ops copy_ops = {
	read_copy, write_copy, any_branch, get_copy, set_copy, own_segment, note_segment,
};

static int emulate(const struct trial *trial, struct machine_state *s, u8 *data, u64 *rip, unsigned int *bad)
{
	struct tpz_insn insn;
	struct emulated m = {
		.e = { .insn = &insn, .ops = &copy_ops, .rip = (uintptr_t)insn_at, .rflags = s->flags, .stack_bytes = 8 },
		.data = data,
		.vectors = &s->vectors,
	};
	int ret = tpz_decode(&insn, trial->code, trial->length, TPZ_DECODE_64);

	if (ret)
		return ret;
	if (insn.bytes != trial->length)
		return -ERANGE;
	memcpy(m.e.gpr, s->gpr, sizeof(s->gpr));
	do {
		ret = tpz_emulate(&m.e);
	} while (!ret && m.e.more);
	memcpy(s->gpr, m.e.gpr, sizeof(s->gpr));
	s->flags = m.e.rflags;
	*rip = m.e.rip;
	*bad = m.bad;
	return ret;
}

/* ---- on the CPU */

static void run_native(const struct trial *trial)
{
	const bool vectors = trial->t->flags & VECTOR;
	u8 *at;

	memcpy(&arena->state, &trial->before, sizeof(arena->state));
	at = emit(insn_at, trial->code, trial->length);
	emit_relative(at, BYTES(0xe9), leave[vectors]);
	emit_relative(insn_at + 32, BYTES(0xe9), leave[vectors]);
	if (vectors)
		native_vectors();
	else
		native();
}

/* ---- together */

static const char *code_text(const struct trial *trial)
{
	static char text[64];
	int n = 0;

	for (unsigned int i = 0; i < trial->length; i++)
		n += snprintf(text + n, sizeof(text) - n, "%02x ", trial->code[i]);
	return text;
}

static void compare(const struct trial *trial, const struct machine_state *emulated, const u8 *data)
{
	const struct template *t = trial->t;
	const u64 flags = (STATUS | DF) & ~t->undefined;

	for (unsigned int reg = 0; reg < 16; reg++)
		CHECK_THAT(arena->state.gpr[reg] == emulated->gpr[reg],
			   "%s: %s: register %u was %#llx; the CPU made it %#llx, the emulator %#llx", t->name,
			   code_text(trial), reg, (unsigned long long)trial->before.gpr[reg],
			   (unsigned long long)arena->state.gpr[reg], (unsigned long long)emulated->gpr[reg]);
	CHECK_THAT(!((arena->state.flags ^ emulated->flags) & flags), "%s: %s: flags were %#llx; the CPU made them %#llx, the emulator %#llx",
		   t->name, code_text(trial), (unsigned long long)trial->before.flags, (unsigned long long)arena->state.flags,
		   (unsigned long long)emulated->flags);
	CHECK_THAT(!memcmp(arena->data, data, DATA_BYTES), "%s: %s: memory differs", t->name, code_text(trial));
	if (t->flags & VECTOR)
		for (unsigned int reg = 0; reg < 16; reg++)
			CHECK_THAT(!memcmp(arena->state.vectors.ymm[reg], emulated->vectors.ymm[reg], 32),
				   "%s: %s: vector %u differs", t->name, code_text(trial), reg);
}

static void as_the_cpu(void)
{
	static u8 copy[DATA_BYTES];
	unsigned long trials = 0, kinds = 0, outside = 0;

	build_machine();
	for (const struct template *t = templates; t < templates + ARRAY_SIZE(templates); t++) {
		if (((t->flags & VEX) && !have_avx) || ((t->flags & MOVBE) && !have_movbe))
			continue;
		kinds++;
		for (unsigned int round = 0; round < ROUNDS; round++) {
			struct machine_state emulated;
			struct trial trial;
			unsigned int bad = 0;
			u64 rip = 0;
			int ret;

			make_trial(&trial, t);
			memcpy(copy, arena->data, DATA_BYTES);
			emulated = trial.before;
			ret = emulate(&trial, &emulated, copy, &rip, &bad);
			CHECK_THAT(!ret, "%s: %s: %d", t->name, code_text(&trial), ret);
			if (bad) {	/* a register that is operand and address: not for the CPU of this process */
				outside++;
				continue;
			}
			if (t->flags & BRANCH)
				CHECK_EQ(rip, (uintptr_t)insn_at + 32);
			else
				CHECK_EQ(rip, (uintptr_t)insn_at + trial.length);
			run_native(&trial);
			compare(&trial, &emulated, copy);
			trials++;
		}
	}
	ktap_diag("%lu instructions of %lu kinds; %lu more had addresses outside%s", trials, kinds, outside,
		  have_avx ? "" : "; no AVX here");
	CHECK_GT(trials, 1000000ul);
	CHECK_LE(outside * 20, trials);
}

/* ---- what the CPU cannot be asked in this process */

static int emulate_code(const u8 *code, unsigned int count, enum tpz_decode_mode mode, struct emulated *m)
{
	static struct tpz_insn insn;

	CHECK_EQ(tpz_decode(&insn, code, count, mode), 0);
	m->e.insn = &insn;
	m->e.ops = &copy_ops;
	return tpz_emulate(&m->e);
}

static void unknown_instructions(void)
{
	static const struct { const char *text; u8 bytes[6]; u8 count; } unknown[] = {
		{ "DIV", { 0xf7, 0x30 }, 2 }, { "IDIV", { 0xf6, 0x38 }, 2 }, { "SHLD", { 0x0f, 0xa5, 0x00 }, 3 },
		{ "CALL far", { 0xff, 0x18 }, 2 }, { "JMP far", { 0xff, 0x28 }, 2 }, { "FLD", { 0xd9, 0x00 }, 2 },
		{ "ADDPS", { 0x0f, 0x58, 0x00 }, 3 }, { "MOV SS", { 0x8e, 0x10 }, 2 }, { "IRET", { 0xcf }, 1 },
		{ "MOVQ MMX", { 0x0f, 0x6f, 0x00 }, 3 }, { "VADDPS", { 0xc5, 0xfc, 0x58, 0x00 }, 4 },
		{ "VMOVUPS ZMM", { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00 }, 6 }, { "VMOVLPS", { 0xc5, 0xf8, 0x12, 0x00 }, 4 },
		{ "FXSAVE", { 0x0f, 0xae, 0x00 }, 3 }, { "MOV r,r", { 0x89, 0xc0 }, 2 }, { "ADD AL,imm", { 0x04, 1 }, 2 },
		{ "CPUID", { 0x0f, 0xa2 }, 2 }, { "CRC32", { 0xf2, 0x0f, 0x38, 0xf0, 0x00 }, 5 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct emulated m = { .e = { .rip = 0x1000, .stack_bytes = 8 } };
		int ret = emulate_code(unknown[i].bytes, unknown[i].count, TPZ_DECODE_64, &m);

		CHECK_THAT(ret == -EOPNOTSUPP, "%s: %d", unknown[i].text, ret);
		CHECK_EQ(m.bad, 0);
	}
}

static struct tpz_place seen_place;

static int see_place(struct tpz_emulation *e, const struct tpz_place *place, const void *from)
{
	seen_place = *place;
	return 0;
}

/* 16-bit code and stacks of 16 bits: what wraps, and what is kept */
static void sixteen_bits(void)
{
	static const struct tpz_emulate_ops ops = { .read = read_copy, .write = see_place };
	static const u8 push[] = { 0x50 }, stosw[] = { 0xf3, 0xab }, mov[] = { 0x89, 0x40, 0x10 };
	struct tpz_insn insn;
	struct tpz_emulation e = { .insn = &insn, .ops = &ops, .stack_bytes = 2, .gpr = { [TPZ_RSP] = 0x12340000 } };

	CHECK_EQ(tpz_decode(&insn, push, sizeof(push), TPZ_DECODE_16), 0);
	CHECK_EQ(tpz_emulate(&e), 0);
	CHECK_EQ(seen_place.offset, 0xfffe);
	CHECK_EQ(seen_place.seg, TPZ_SS);
	CHECK_EQ(seen_place.bytes, 2);
	CHECK_EQ(e.gpr[TPZ_RSP], 0x1234fffe);

	e.gpr[TPZ_RCX] = 0x50002;
	e.gpr[TPZ_RDI] = 0x7fffe;
	CHECK_EQ(tpz_decode(&insn, stosw, sizeof(stosw), TPZ_DECODE_16), 0);
	CHECK_EQ(tpz_emulate(&e), 0);
	CHECK_EQ(seen_place.offset, 0xfffe);
	CHECK_EQ(seen_place.seg, TPZ_ES);
	CHECK_EQ(e.gpr[TPZ_RDI], 0x70000);
	CHECK_EQ(e.gpr[TPZ_RCX], 0x50001);
	CHECK(e.more);

	e.gpr[TPZ_RBX] = 0xfff8;
	e.gpr[TPZ_RSI] = 0x0010;
	CHECK_EQ(tpz_decode(&insn, mov, sizeof(mov), TPZ_DECODE_16), 0);	/* MOV [BX+SI+10h], AX */
	CHECK_EQ(tpz_emulate(&e), 0);
	CHECK_EQ(seen_place.offset, 0x18);
	CHECK_EQ(seen_place.addr_bytes, 2);
}

/* MOV to a segment register: 16 bits are read, and what they mean is the caller's affair */
static void segments(void)
{
	static const u8 digits[] = { TPZ_ES, TPZ_DS, TPZ_FS, TPZ_GS };
	u8 data[8] = { 0x34, 0x12, 0x78, 0x56 };

	for (unsigned int i = 0; i < ARRAY_SIZE(digits); i++) {
		const u8 code[] = { 0x48, 0x8e, digits[i] << 3 | 6 };
		struct emulated m = { .e = { .rip = 0x1000, .stack_bytes = 8 }, .data = data };

		m.e.gpr[TPZ_RSI] = (uintptr_t)arena->data;
		CHECK_EQ(emulate_code(code, sizeof(code), TPZ_DECODE_64, &m), 0);
		CHECK_EQ(loaded_segment, digits[i]);
		CHECK_EQ(loaded_selector, 0x1234);
		CHECK_EQ(m.bad, 0);
		CHECK_EQ(m.e.rip, 0x1003);
	}
}

static const struct ktap_case cases[] = {
	{ "as the CPU of this machine", as_the_cpu },
	{ "unknown instructions are left alone", unknown_instructions },
	{ "16-bit code and stacks", sixteen_bits },
	{ "segment registers", segments },
};
KTAP_MAIN(cases)
