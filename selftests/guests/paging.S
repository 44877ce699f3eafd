/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of paging.c: one access to a byte or a double word, by the CPU and by way of the module. (R/E)DI: the address.
 */
#include "guest.h"

	.text

.macro accesses bits, di, si
	.globl load1_\bits, store1_\bits, outs1_\bits, ins1_\bits, load4_\bits, store4_\bits, outs4_\bits, ins4_\bits
load1_\bits:
	movb (%\di), %al
	ret
store1_\bits:
	movb $0x5a, (%\di)
	ret
outs1_\bits:
	mov %\di, %\si
	mov $PORT_TEST, %edx
	outsb
	ret
ins1_\bits:
	mov $PORT_TEST, %edx
	insb
	ret
load4_\bits:
	movl (%\di), %eax
	ret
store4_\bits:
	movl $0x5a5a5a5a, (%\di)
	ret
outs4_\bits:
	mov %\di, %\si
	mov $PORT_TEST, %edx
	outsl
	ret
ins4_\bits:
	mov $PORT_TEST, %edx
	insl
	ret
.endm

	.code32
	.balign 16
	accesses 32, edi, esi

	.code64
	.balign 16
	accesses 64, rdi, rsi

	.section .note.GNU-stack, "", @progbits
