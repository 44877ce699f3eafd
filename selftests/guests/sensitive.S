/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of sensitive.c: every unprivileged sensitive instruction once, the same source for 32-bit and 64-bit code.
 * (R/E)DI: struct looks of sensitive.c; offsets below.
 */
#include "guest.h"

#define GDT		0
#define IDT		16
#define SLDT_REG	32
#define SLDT_REG16	40
#define SLDT_MEM	48
#define STR_REG		56
#define STR_REG16	64
#define STR_MEM		72
#define SMSW_REG	80
#define SMSW_REG16	88
#define SMSW_MEM	96
#define FLAGS		104
#define FLAGS_SET	112
#define FLAGS_BACK	120
#define CS_SS		128
#define SELECTORS	136		/* 32 words, then 32 results of 16 bytes */
#define RESULTS		200
#define COUNT		32

	.text

/* What LAR and LSL find, and the ZF of all four, of the selector in %ecx; at %di + %bx */
.macro look_selector di, bx
	movl $-1, %eax
	lar %ecx, %eax
	movl %eax, RESULTS(%\di, %\bx)
	setz RESULTS + 8(%\di, %\bx)
	movl $-1, %eax
	lsl %ecx, %eax
	movl %eax, RESULTS + 4(%\di, %\bx)
	setz RESULTS + 9(%\di, %\bx)
	verr %cx
	setz RESULTS + 10(%\di, %\bx)
	verw %cx
	setz RESULTS + 11(%\di, %\bx)
.endm

/* A selector register's store: full register, 16-bit register, memory. %ax is all ones before */
.macro look_store insn, ax, di, offset
	mov $-1, %\ax
	\insn %\ax
	mov %\ax, \offset(%\di)
	mov $-1, %\ax
	\insn %ax
	mov %\ax, \offset + 8(%\di)
	\insn \offset + 16(%\di)
.endm

.macro look_all ax, bx, di, si
	sgdt GDT(%\di)
	sidt IDT(%\di)
	look_store sldt, \ax, \di, SLDT_REG
	look_store str, \ax, \di, STR_REG
	look_store smsw, \ax, \di, SMSW_REG

	/* Flags: as they are; with IF and IOPL turned around; and back */
	pushf
	pop %\ax
	mov %\ax, FLAGS(%\di)
	xor $0x3200, %\ax
	push %\ax
	popf
	pushf
	pop %\ax
	mov %\ax, FLAGS_SET(%\di)
	mov FLAGS(%\di), %\ax
	push %\ax
	popf
	pushf
	pop %\ax
	mov %\ax, FLAGS_BACK(%\di)
	mov %cs, %eax
	mov %eax, CS_SS(%\di)
	mov %ss, %eax
	mov %eax, CS_SS + 4(%\di)

	xor %esi, %esi
	xor %ebx, %ebx
1:	movzwl SELECTORS(%\di, %\si, 2), %ecx
	look_selector \di, \bx
	add $16, %\bx
	add $1, %\si
	cmp $COUNT, %\si
	jb 1b
	mov $0x5e5, %eax
	ret
.endm

	.code32
	.balign 16
	.globl sensitive32
sensitive32:
	look_all eax, ebx, edi, esi

	.code64
	.balign 16
	.globl sensitive64
sensitive64:
	look_all rax, rbx, rdi, rsi

/*
 * Instructions of ring 0 that load the tables, each at a label so that a fault tells which. (R/E)DI: the operand's
 * address
 */
	.code32
	.balign 16
	.globl lgdt32, lgdt32_word, lidt32, lldt32, ltr32, lldt32_mem, ltr32_mem
lgdt32:
	lgdtl (%edi)
	ret
lgdt32_word:
	data16 lgdtl (%edi)
	ret
lidt32:
	lidtl (%edi)
	ret
lldt32:
	lldt %di
	ret
lldt32_mem:
	lldt (%edi)
	ret
ltr32:
	ltr %di
	ret
ltr32_mem:
	ltr (%edi)
	ret

	.code64
	.balign 16
	.globl lgdt64, lidt64, lldt64, ltr64, lldt64_mem, ltr64_mem
lgdt64:
	lgdt (%rdi)
	ret
lidt64:
	lidt (%rdi)
	ret
lldt64:
	lldt %di
	ret
lldt64_mem:
	lldt (%rdi)
	ret
ltr64:
	ltr %di
	ret
ltr64_mem:
	ltr (%rdi)
	ret

	.section .note.GNU-stack, "", @progbits
