/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of debug.c. Labels name the addresses at which a #DB or #BP must be reported.
 */
#include "guest.h"

	.text
	.code64
	.balign 16
/*
 * A walk under TF, from one POPF to the next. walk64_0 and on: where the traps stand
 */
	.globl walk64, walk64_0, walk64_1, walk64_2, walk64_3, walk64_4, walk64_5, walk64_6, walk64_7, walk64_8, walk64_9
	.globl walk64_10
walk64:
	push %rbx
	pushf
	pop %rax
	mov %rax, %rsi
	or $0x100, %rax
	push %rax
	popf
	nop				/* the first trap is after the instruction behind POPF */
walk64_0:
	mov $0x40000000, %eax
walk64_1:
	cpuid				/* traps on the way */
walk64_2:
	mov $0x10, %ecx
walk64_3:
	rdmsr				/* too; the slow way */
walk64_4:
	mov %cr8, %rax
walk64_5:
	outb %al, $PORT_TEST		/* to the launcher */
walk64_6:
	inb $PORT_TEST, %al
walk64_7:
	mov %ss, %ecx
	mov %ecx, %ss			/* no trap behind this one: only after the next instruction */
	nop
walk64_8:
	push %rsi
walk64_9:
	popf				/* TF was set when it began */
walk64_10:
	pop %rbx
	mov $0x3a1c, %eax
	ret

/* INT3, and the one-byte INT1 */
	.balign 16
	.globl breakpoints64, after_int3_64, after_int1_64
breakpoints64:
	int3
after_int3_64:
	.byte 0xf1
after_int1_64:
	mov $0x1b, %eax
	ret

	.code32
	.balign 16
	.globl breakpoints32, after_int3_32, after_int1_32
breakpoints32:
	int3
after_int3_32:
	.byte 0xf1
after_int1_32:
	movl $0x1b, %eax
	ret

	.section .note.GNU-stack, "", @progbits
