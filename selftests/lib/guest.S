/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's default exception handlers, one set for each width of code, and where guests return to.
 */
#include "guest.h"

/* Vectors where the CPU pushes an error code */
#define HAS_ERROR_CODE(v)	\
	((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

	.text

#ifdef __x86_64__
	.code64
	.balign 16
	.globl guest_stubs64
guest_stubs64:
	vector = 0
	.rept 256
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	push $0
	.endif
	push $vector
	jmp common64
	vector = vector + 1
	.endr

	.balign 16
common64:			/* struct guest_frame, from its end */
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rdi
	push %rsi
	push %rbp
	push %rbx
	push %rdx
	push %rcx
	push %rax
	mov %cr2, %rax
	push %rax
	cld
	mov %rsp, %rdi
	mov %rsp, %rbx
	and $-16, %rsp
	call guest_exception
	mov %rbx, %rsp
	pop %rax		/* CR2 stays what it is */
	pop %rax
	pop %rcx
	pop %rdx
	pop %rbx
	pop %rbp
	pop %rsi
	pop %rdi
	pop %r8
	pop %r9
	pop %r10
	pop %r11
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	add $16, %rsp
	iretq

	.globl guest_return64
guest_return64:
	outl %eax, $PORT_DONE
	jmp guest_return64
#endif

	.code32
	.balign 16
	.globl guest_stubs32
guest_stubs32:
	vector = 0
	.rept 256
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	push $0
	.endif
	push $vector
	jmp common32
	vector = vector + 1
	.endr

	.balign 16
common32:			/* struct frame32 of vm.c, from its end */
	pushal
	mov %cr2, %eax
	push %eax
	mov %esp, %edi
	outl %eax, $PORT_FAULT32
	pop %eax
	popal
	add $8, %esp
	iretl

	.globl guest_return32
guest_return32:
	outl %eax, $PORT_DONE
	jmp guest_return32

/* Copied to 0x400, behind the real-mode vectors: stub n stands at 0x400 + 8 * n */
	.code16
	.balign 16
	.globl guest_real_begin, guest_real_end
guest_real_begin:
	vector = 0
	.rept 256
	.balign 8
	pushw $vector
	jmp common16
	vector = vector + 1
	.endr
	.balign 8
common16:			/* struct frame16 of vm.c, from its end */
	pushaw
	pushw %ds
	pushw %es
	movw %sp, %di
	outw %ax, $PORT_FAULT16
	popw %es
	popw %ds
	popaw
	addw $2, %sp
	iretw
guest_real_end:

	.section .note.GNU-stack, "", @progbits
