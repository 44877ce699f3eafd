/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of modes.c: one for each mode that is not 64-bit, and one that goes through all of them and back.
 * Real-mode blobs are copied to GUEST_REAL_CODE (CS 0x1000, IP 0); 32-bit ones run where they stand.
 */
#include "guest.h"

	.text

/*
 * 16-bit: EDI is the number of terms; the sum of 1 to EDI, by way of memory, a segment, a call, an interrupt
 */
	.code16
	.balign 16
	.globl real_sum_begin, real_sum_end
real_sum_begin:
	xorl %eax, %eax
	movl %edi, %ecx
1:	addl %ecx, %eax
	decl %ecx
	jnz 1b
	/* Store through ES = 0x8000, read back through FS = 0x7fff at 16 bytes more */
	movw $0x8000, %bx
	movw %bx, %es
	movl %eax, %es:0x10
	movw $0x7fff, %bx
	movw %bx, %fs
	xorl %eax, %eax
	movl %fs:0x20, %eax
	call 2f
	/* INT 0x60 adds 1000 */
	xorw %bx, %bx
	movw %bx, %gs
	movw $(3f - real_sum_begin), %gs:(0x60 * 4)
	movw %cs, %gs:(0x60 * 4 + 2)
	int $0x60
	outl %eax, $PORT_DONE
2:	addl $100, %eax
	ret
3:	addl $1000, %eax
	iretw
real_sum_end:

/* What faults in real mode: IP of each is told by its label */
	.balign 16
	.globl real_faults_begin, real_faults_end, real_faults_ud, real_faults_gp
real_faults_begin:
	xorw %bx, %bx
	movw $7, %ax
	divb %bl		/* #DE, 2 bytes */
real_faults_ud:
	ud2			/* #UD, 2 bytes */
real_faults_gp:
	movb 0xffff, %al	/* fine: the last byte of the segment */
	movw 0xffff, %ax	/* #GP: over its end; 3 bytes */
	int3			/* #BP */
	movw $0x1234, %ax
	outw %ax, $PORT_DONE
real_faults_end:

/*
 * 32-bit: EDI is n; the n-th Fibonacci number by recursion: calls, stack, 32-bit arithmetic
 */
	.code32
	.balign 16
	.globl fibonacci32
fibonacci32:
	movl %edi, %eax
	call 1f
	ret
1:	cmpl $2, %eax
	jb 2f
	pushl %ebx
	pushl %eax
	decl %eax
	call 1b
	movl %eax, %ebx
	popl %eax
	subl $2, %eax
	call 1b
	addl %ebx, %eax
	popl %ebx
2:	ret

/* EDI: an address to read; what stands there */
	.balign 16
	.globl load32
load32:
	movl (%edi), %eax
	ret

/* EDI: an address to write 0x5a5a to; then INVLPG, then read it */
	.balign 16
	.globl store32, store32_insn
store32:
	movl $0x5a5a, %eax
store32_insn:
	movl %eax, (%edi)
	invlpg (%edi)
	movl (%edi), %eax
	ret

/* CS as the guest sees it, in the low half; FLAGS in the upper */
	.balign 16
	.globl where32
where32:
	pushfl
	popl %eax
	shll $16, %eax
	movw %cs, %ax
	ret

	.balign 16
	.globl privileged32, privileged32_insn
privileged32:
privileged32_insn:
	cli
	movl $1, %eax
	ret

/*
 * Compatibility mode: an address of 32 bits wraps, a REX prefix is INC or DEC; then 64-bit code and back
 */
	.balign 16
	.globl compat_tour
compat_tour:
	movl $1, %eax
	.byte 0x48		/* 32-bit: dec %eax; 64-bit: a prefix */
	movl %eax, %ecx		/* 0 */
	movl $0xfffffff0, %ebx
	leal 0x20(%ebx), %ebx	/* wraps to 0x10 */
	addl %ebx, %ecx		/* 0x10 */
	ljmp $SEL_CODE64, $1f
	.code64
1:	movabs $0x123456789abcdef0, %rdx
	mov %rdx, %r15
	shr $32, %r15
	add %r15d, %ecx		/* 0x12345678 + 0x10 */
	pushq $SEL_CODE32
	pushq $2f
	lretq
	.code32
2:	movl %ecx, %eax
	ret

/*
 * Real, protected, long, compatibility, 16-bit protected, real. EDI comes in; each stage changes EAX in its way.
 */
#define LINEAR(label)	(GUEST_REAL_CODE + (label) - mode_tour_begin)
#define OFFSET(label)	((label) - mode_tour_begin)

	.code16
	.balign 16
	.globl mode_tour_begin, mode_tour_end
mode_tour_begin:
	movl %edi, %eax
	addl $0x10001, %eax
	lgdtl %cs:OFFSET(tour_gdtr)
	movl %cr0, %ecx
	orl $1, %ecx
	movl %ecx, %cr0
	ljmpl $SEL_CODE32, $LINEAR(tour_protected)

	.code32
tour_protected:
	movl $SEL_DATA, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	movl $GUEST_FREE, %esp
	imull $3, %eax, %eax
	pushl %eax
	movl %cr4, %ecx
	orl $0x20, %ecx		/* PAE */
	movl %ecx, %cr4
	movl $GUEST_PML4, %ecx
	movl %ecx, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax	/* EFER.LME */
	wrmsr
	movl %cr0, %ecx
	orl $0x80000000, %ecx
	movl %ecx, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $0x500, %eax	/* LME and LMA */
	cmpl $0x500, %eax
	jne tour_wrong
	ljmp $SEL_CODE64, $LINEAR(tour_long)

	.code64
tour_long:
	mov $SEL_DATA, %ecx
	mov %ecx, %ss
	mov $GUEST_FREE - 4, %rsp
	mov (%rsp), %eax
	add $4, %rsp
	mov $0x100000001, %r9
	imul %r9, %rax		/* both halves the same */
	mov %rax, %r10
	shr $32, %r10
	add %r10, %rax		/* the low half doubles, if 64 bits are there */
	mov %eax, %eax
	push %rax
	pushq $SEL_CODE32
	lea tour_compat(%rip), %rcx
	push %rcx
	lretq

	.code32
tour_compat:
	movl %cr0, %ecx
	andl $0x7fffffff, %ecx
	movl %ecx, %cr0		/* out of long mode: the code segment is 32-bit already */
	movl $0xc0000080, %ecx
	rdmsr
	testl $0x400, %eax
	jnz tour_wrong
	andl $~0x100, %eax
	wrmsr
	movl %cr4, %ecx
	andl $~0x20, %ecx
	movl %ecx, %cr4
	popl %eax
	addl $5, %eax
	ljmp $SEL_CODE16, $OFFSET(tour_protected16)

	.code16
tour_protected16:
	movw $SEL_DATA16, %cx
	movw %cx, %ds
	movw %cx, %es
	movw %cx, %fs
	movw %cx, %gs
	movw %cx, %ss
	movl %cr0, %ecx
	andl $~1, %ecx
	movl %ecx, %cr0
	ljmp $(GUEST_REAL_CODE >> 4), $OFFSET(tour_real)
tour_real:
	movw $0x3000, %cx
	movw %cx, %ss
	movl $0x1000, %esp
	xorw %cx, %cx
	movw %cx, %gs
	movw $OFFSET(tour_interrupt), %gs:(0x61 * 4)
	movw %cs, %gs:(0x61 * 4 + 2)
	int $0x61
	outl %eax, $PORT_DONE
tour_interrupt:
	xorl $0xff, %eax
	iretw

	.code32
tour_wrong:
	movl $0xbad, %eax
	outl %eax, $PORT_DONE

	.balign 8
tour_gdtr:
	.word SEL_TSS + 15
	.long GUEST_GDT
mode_tour_end:

	.section .note.GNU-stack, "", @progbits
