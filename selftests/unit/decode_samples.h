/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions as assemblers write them, with what the manuals say of each: expectations of the unit test, seeds of the
 * fuzzer.
 */
#ifndef DECODE_SAMPLES_H
#define DECODE_SAMPLES_H

struct sample {
	const char *text;
	enum tpz_decode_mode mode;
	const char *code;
	unsigned int bytes;
	struct tpz_insn is;	/* @operand_bytes 0, @segment of what has no memory: nobody cares */
};

#define M16	TPZ_DECODE_16
#define M32	TPZ_DECODE_32
#define M64	TPZ_DECODE_64
#define BYTES(code)	code, sizeof(code) - 1
#define NO_BASE	TPZ_NO_REG
#define ONE(byte)	.map = TPZ_MAP_ONE, .opcode = byte
#define OF(byte)	.map = TPZ_MAP_0F, .opcode = byte
#define OF38(byte)	.map = TPZ_MAP_0F38, .opcode = byte
#define BASE(segment_, base_, displacement_) \
	.has_modrm = true, .has_memory = true, .segment = segment_, .base = base_, .index = NO_BASE, .displacement = displacement_
#define SIB(segment_, base_, index_, scale_, displacement_) \
	.has_modrm = true, .has_memory = true, .segment = segment_, .base = base_, .index = index_, .scale = scale_, \
	.displacement = displacement_
#define REGS(reg_, rm_)	.has_modrm = true, .reg = reg_, .rm = rm_, .base = NO_BASE, .index = NO_BASE
#define PLAIN		.base = NO_BASE, .index = NO_BASE

static const struct sample samples[] = {
	/* what traps without operands */
	{ "cpuid", M64, BYTES("\x0f\xa2"), { OF(0xa2), PLAIN } },
	{ "data16 rep cpuid", M64, BYTES("\x66\xf3\x0f\xa2"), { OF(0xa2), .opsize = true, .rep = true, PLAIN } },
	{ "rdmsr", M32, BYTES("\x0f\x32"), { OF(0x32), PLAIN } },
	{ "repne wrmsr", M64, BYTES("\xf2\x0f\x30"), { OF(0x30), .repne = true, PLAIN } },
	{ "hlt", M16, BYTES("\xf4"), { ONE(0xf4), PLAIN } },
	{ "rex.W hlt", M64, BYTES("\x48\xf4"), { ONE(0xf4), .has_rex = true, .rex_w = true, PLAIN } },
	{ "vmmcall", M64, BYTES("\x0f\x01\xd9"), { OF(0x01), REGS(3, 1) } },
	{ "data16 vmmcall", M32, BYTES("\x66\x0f\x01\xd9"), { OF(0x01), .opsize = true, REGS(3, 1) } },
	{ "vmcall", M64, BYTES("\x0f\x01\xc1"), { OF(0x01), REGS(0, 1) } },
	{ "rdtscp", M64, BYTES("\x0f\x01\xf9"), { OF(0x01), REGS(7, 1) } },
	{ "pause", M64, BYTES("\xf3\x90"), { ONE(0x90), .rep = true, PLAIN } },
	{ "wbnoinvd", M64, BYTES("\xf3\x0f\x09"), { OF(0x09), .rep = true, PLAIN } },
	{ "int3", M16, BYTES("\xcc"), { ONE(0xcc), PLAIN } },
	{ "into", M32, BYTES("\xce"), { ONE(0xce), PLAIN } },
	{ "int 0x80", M64, BYTES("\xcd\x80"), { ONE(0xcd), .immediate = 0x80, PLAIN } },
	{ "data16 int 0x80", M32, BYTES("\x66\xcd\x80"), { ONE(0xcd), .opsize = true, .immediate = 0x80, PLAIN } },
	{ "iretq", M64, BYTES("\x48\xcf"), { ONE(0xcf), .has_rex = true, .rex_w = true, .operand_bytes = 8, PLAIN } },

	/* control and debug registers: mod is ignored */
	{ "mov rax, cr0", M64, BYTES("\x0f\x20\xc0"), { OF(0x20), .operand_bytes = 8, REGS(0, 0) } },
	{ "mov cr4, r12", M64, BYTES("\x41\x0f\x22\xe4"),
	  { OF(0x22), .has_rex = true, .operand_bytes = 8, REGS(4, TPZ_R12) } },
	{ "mov r9, cr8", M64, BYTES("\x45\x0f\x20\xc1"), { OF(0x20), .has_rex = true, .operand_bytes = 8, REGS(8, TPZ_R9) } },
	{ "mov cr3, edi, mod 0", M32, BYTES("\x0f\x22\x1f"), { OF(0x22), .operand_bytes = 4, REGS(3, TPZ_RDI) } },
	{ "mov edx, cr2, mod 2", M16, BYTES("\x0f\x20\x92"), { OF(0x20), .operand_bytes = 4, REGS(2, TPZ_RDX) } },
	{ "mov cr8, eax by LOCK", M32, BYTES("\xf0\x0f\x22\xc0"), { OF(0x22), .lock = true, .operand_bytes = 4, REGS(0, 0) } },
	{ "mov dr7, rsp", M64, BYTES("\x0f\x23\xfc"), { OF(0x23), .operand_bytes = 8, REGS(7, TPZ_RSP) } },
	{ "mov esi, dr6", M32, BYTES("\x66\x0f\x21\xf6"), { OF(0x21), .opsize = true, .operand_bytes = 4, REGS(6, TPZ_RSI) } },
	{ "clts", M64, BYTES("\x0f\x06"), { OF(0x06), PLAIN } },
	{ "lmsw cx", M16, BYTES("\x0f\x01\xf1"), { OF(0x01), REGS(6, TPZ_RCX) } },
	{ "smsw [esp+8]", M32, BYTES("\x0f\x01\x64\x24\x08"), { OF(0x01), .reg = 4, BASE(TPZ_SS, TPZ_RSP, 8) } },

	/* descriptor tables, INVLPG, INVPCID */
	{ "lgdt [rip+0x12345678]", M64, BYTES("\x0f\x01\x15\x78\x56\x34\x12"),
	  { OF(0x01), .reg = 2, .rip_relative = true, BASE(TPZ_DS, NO_BASE, 0x12345678) } },
	{ "sidt gs:[r13-1]", M64, BYTES("\x65\x41\x0f\x01\x4d\xff"),
	  { OF(0x01), .has_rex = true, .reg = 1, BASE(TPZ_GS, TPZ_R13, -1) } },
	{ "str dx", M32, BYTES("\x66\x0f\x00\xca"), { OF(0x00), .opsize = true, .operand_bytes = 2, REGS(1, TPZ_RDX) } },
	{ "lldt cs:[bp+si]", M16, BYTES("\x2e\x0f\x00\x12"), { OF(0x00), .reg = 2, SIB(TPZ_CS, TPZ_RBP, TPZ_RSI, 0, 0) } },
	{ "invlpg [rax+r12*8]", M64, BYTES("\x42\x0f\x01\x3c\xe0"),
	  { OF(0x01), .has_rex = true, .reg = 7, SIB(TPZ_DS, TPZ_RAX, TPZ_R12, 3, 0) } },
	{ "invpcid rcx, [rbp]", M64, BYTES("\x66\x0f\x38\x82\x4d\x00"),
	  { OF38(0x82), .opsize = true, .reg = TPZ_RCX, BASE(TPZ_SS, TPZ_RBP, 0) } },

	/* port I/O */
	{ "in al, 0x60", M64, BYTES("\xe4\x60"), { ONE(0xe4), .immediate = 0x60, PLAIN } },
	{ "out dx, eax", M16, BYTES("\x66\xef"), { ONE(0xef), .opsize = true, .operand_bytes = 4, PLAIN } },
	{ "rex.W in eax, dx", M64, BYTES("\x48\xed"),
	  { ONE(0xed), .has_rex = true, .rex_w = true, .operand_bytes = 4, PLAIN } },
	{ "rep outs dx, word fs:[esi]", M32, BYTES("\xf3\x64\x66\x6f"),
	  { ONE(0x6f), .rep = true, .opsize = true, .operand_bytes = 2, .segment = TPZ_FS, PLAIN } },
	{ "rep insd", M64, BYTES("\xf3\x6d"), { ONE(0x6d), .rep = true, .operand_bytes = 4, .segment = TPZ_ES, PLAIN } },
	{ "outsb, 32-bit address", M64, BYTES("\x67\x6e"), { ONE(0x6e), .addrsize = true, .segment = TPZ_DS, PLAIN } },

	/* memory */
	{ "mov [rdi+rsi*4+0x100], r15d", M64, BYTES("\x44\x89\xbc\xb7\x00\x01\x00\x00"),
	  { ONE(0x89), .has_rex = true, .operand_bytes = 4, .reg = TPZ_R15, SIB(TPZ_DS, TPZ_RDI, TPZ_RSI, 2, 0x100) } },
	{ "mov qword [rax], -2", M64, BYTES("\x48\xc7\x00\xfe\xff\xff\xff"),
	  { ONE(0xc7), .has_rex = true, .rex_w = true, .operand_bytes = 8, .immediate = -2, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "mov word [rax], 0xfffe, REX.W not last", M64, BYTES("\x48\x66\xc7\x00\xfe\xff"),
	  { ONE(0xc7), .opsize = true, .operand_bytes = 2, .immediate = 0xfffe, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "add qword [r12], -128; 66h loses to REX.W", M64, BYTES("\x66\x49\x83\x04\x24\x80"),
	  { ONE(0x83), .opsize = true, .has_rex = true, .rex_w = true, .operand_bytes = 8, .immediate = -128, BASE(TPZ_DS, TPZ_R12, 0) } },
	{ "mov eax, [0x12345678], no base", M64, BYTES("\x8b\x04\x25\x78\x56\x34\x12"),
	  { ONE(0x8b), .operand_bytes = 4, BASE(TPZ_DS, NO_BASE, 0x12345678) } },
	{ "mov eax, [disp32], no base with REX.B", M64, BYTES("\x41\x8b\x04\x25\xff\xff\xff\xff"),
	  { ONE(0x8b), .has_rex = true, .operand_bytes = 4, BASE(TPZ_DS, NO_BASE, -1) } },
	{ "mov al, [rax+r12]", M64, BYTES("\x42\x8a\x04\x20"),
	  { ONE(0x8a), .has_rex = true, SIB(TPZ_DS, TPZ_RAX, TPZ_R12, 0, 0) } },
	{ "movzx ecx, byte [eip-4]", M64, BYTES("\x67\x0f\xb6\x0d\xfc\xff\xff\xff"),
	  { OF(0xb6), .addrsize = true, .operand_bytes = 4, .rip_relative = true, .reg = TPZ_RCX, BASE(TPZ_DS, NO_BASE, -4) } },
	{ "mov [0x1234], cx", M16, BYTES("\x89\x0e\x34\x12"),
	  { ONE(0x89), .operand_bytes = 2, .reg = TPZ_RCX, BASE(TPZ_DS, NO_BASE, 0x1234) } },
	{ "mov es:[bp-2], dx", M16, BYTES("\x26\x89\x56\xfe"),
	  { ONE(0x89), .operand_bytes = 2, .reg = TPZ_RDX, BASE(TPZ_ES, TPZ_RBP, -2) } },
	{ "mov rax, moffs64", M64, BYTES("\x48\xa1\x88\x77\x66\x55\x44\x33\x22\x11"),
	  { ONE(0xa1), .has_rex = true, .rex_w = true, .operand_bytes = 8, .immediate = 0x1122334455667788, .segment = TPZ_DS, PLAIN } },
	{ "mov ss:moffs16, al", M32, BYTES("\x36\x67\xa2\x34\xf2"),
	  { ONE(0xa2), .addrsize = true, .immediate = 0xf234, .segment = TPZ_SS, PLAIN } },
	{ "lock cmpxchg16b [rsp]", M64, BYTES("\xf0\x48\x0f\xc7\x0c\x24"),
	  { OF(0xc7), .lock = true, .has_rex = true, .rex_w = true, .operand_bytes = 8, .reg = 1, BASE(TPZ_SS, TPZ_RSP, 0) } },
	{ "rep movsq from gs, fs ignored before", M64, BYTES("\x64\x65\xf3\x48\xa5"),
	  { ONE(0xa5), .rep = true, .has_rex = true, .rex_w = true, .operand_bytes = 8, .segment = TPZ_GS, PLAIN } },
	{ "mov eax, fs:[rbx], CS ignored", M64, BYTES("\x64\x2e\x8b\x03"),
	  { ONE(0x8b), .operand_bytes = 4, BASE(TPZ_FS, TPZ_RBX, 0) } },

	/* immediates and branches */
	{ "mov rax, imm64", M64, BYTES("\x48\xb8\x08\x07\x06\x05\x04\x03\x02\x81"),
	  { ONE(0xb8), .has_rex = true, .rex_w = true, .operand_bytes = 8, .immediate = 0x8102030405060708, PLAIN } },
	{ "mov r9d, imm32", M64, BYTES("\x41\xb9\xff\xff\xff\xff"),
	  { ONE(0xb9), .has_rex = true, .operand_bytes = 4, .rm = TPZ_R9, .immediate = 0xffffffff, PLAIN } },
	{ "enter 0x1234, 5", M32, BYTES("\xc8\x34\x12\x05"), { ONE(0xc8), .immediate = 0x1234, .immediate2 = 5, PLAIN } },
	{ "jmp far 0x8:0x12345678", M32, BYTES("\xea\x78\x56\x34\x12\x08\x00"),
	  { ONE(0xea), .operand_bytes = 4, .immediate = 0x12345678, .immediate2 = 8, PLAIN } },
	{ "call far 0xf000:0xfff0", M16, BYTES("\x9a\xf0\xff\x00\xf0"),
	  { ONE(0x9a), .operand_bytes = 2, .immediate = 0xfff0, .immediate2 = 0xf000, PLAIN } },
	{ "call rel32", M64, BYTES("\xe8\xfc\xff\xff\xff"), { ONE(0xe8), .operand_bytes = 8, .immediate = -4, PLAIN } },
	{ "call rel32, 66h ignored", M64, BYTES("\x66\xe8\x00\x00\x00\x80"),
	  { ONE(0xe8), .opsize = true, .operand_bytes = 8, .immediate = 0xffffffff80000000, PLAIN } },
	{ "je rel16", M16, BYTES("\x0f\x84\xfe\xff"), { OF(0x84), .operand_bytes = 2, .immediate = -2, PLAIN } },
	{ "push imm8", M64, BYTES("\x6a\x80"), { ONE(0x6a), .operand_bytes = 8, .immediate = -128, PLAIN } },
	{ "test byte [eax], 1", M32, BYTES("\xf6\x00\x01"), { ONE(0xf6), .immediate = 1, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "not byte [eax]", M32, BYTES("\xf6\x10"), { ONE(0xf6), .reg = 2, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "extrq xmm1, 2, 3", M64, BYTES("\x66\x0f\x78\xc1\x02\x03"),
	  { OF(0x78), .opsize = true, .immediate = 2, .immediate2 = 3, REGS(0, 1) } },
	{ "pfadd mm1, [ebx+4]", M32, BYTES("\x0f\x0f\x4b\x04\x9e"),
	  { .map = TPZ_MAP_3DNOW, .opcode = 0x9e, .reg = 1, BASE(TPZ_DS, TPZ_RBX, 4) } },

	/* VEX, EVEX, XOP, and what looks like them */
	{ "vzeroupper", M64, BYTES("\xc5\xf8\x77"), { .encoding = TPZ_VEX, OF(0x77), PLAIN } },
	{ "vmovaps ymm8, [r9]", M64, BYTES("\xc4\x41\x7c\x28\x01"),
	  { .encoding = TPZ_VEX, OF(0x28), .reg = 8, BASE(TPZ_DS, TPZ_R9, 0) } },
	{ "andn eax, ebx, [ecx]", M32, BYTES("\xc4\xe2\x60\xf2\x01"),
	  { .encoding = TPZ_VEX, OF38(0xf2), .vvvv = TPZ_RBX, .operand_bytes = 4, BASE(TPZ_DS, TPZ_RCX, 0) } },
	{ "vgatherdps xmm1, [rax+xmm2*4], xmm3", M64, BYTES("\xc4\xe2\x61\x92\x0c\x90"),
	  { .encoding = TPZ_VEX, OF38(0x92), .reg = 1, .vvvv = 3, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "vpaddd zmm16, zmm17, zmm31", M64, BYTES("\x62\x81\x75\x40\xfe\xc7"),
	  { .encoding = TPZ_EVEX, OF(0xfe), .vvvv = 17, REGS(16, 31) } },
	{ "bextr eax, ecx, imm32", M64, BYTES("\x8f\xea\x78\x10\xc1\x44\x33\x22\x11"),
	  { .encoding = TPZ_XOP, .map = TPZ_MAP_XOPA, .opcode = 0x10, .immediate = 0x11223344, REGS(0, 1) } },
	{ "pop [eax]", M32, BYTES("\x8f\x00"), { ONE(0x8f), .operand_bytes = 4, BASE(TPZ_DS, TPZ_RAX, 0) } },
	{ "les eax, [ecx]", M32, BYTES("\xc4\x01"), { ONE(0xc4), .operand_bytes = 4, BASE(TPZ_DS, TPZ_RCX, 0) } },
	{ "lds bx, [bx+di]", M16, BYTES("\xc5\x19"),
	  { ONE(0xc5), .operand_bytes = 2, .reg = 3, SIB(TPZ_DS, TPZ_RBX, TPZ_RDI, 0, 0) } },
	{ "bound eax, [edx+0x7f]", M32, BYTES("\x62\x42\x7f"),
	  { ONE(0x62), .operand_bytes = 4, BASE(TPZ_DS, TPZ_RDX, 0x7f) } },
};

#endif /* DECODE_SAMPLES_H */
