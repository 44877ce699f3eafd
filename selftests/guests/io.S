/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of io.c that are not 64-bit: string I/O with 16-bit addresses in real mode, and against a segment's limit.
 */
#include "guest.h"

	.text

/*
 * Real mode, CS and DS 0x1000. EDI: 1 for the direction flag. REP OUTSB of 6 bytes from SI 0xfffd, which
 * wraps at 64 KiB; then the same through ES; then SI, CX.
 */
	.code16
	.balign 16
	.globl real_outs_begin, real_outs_end
real_outs_begin:
	movw $0x8000, %ax
	movw %ax, %es
	movw $PORT_TEST, %dx
	movl $0xaaaafffd, %esi
	movl $0xbbbb0006, %ecx
	rep outsb
	movl %esi, %eax
	outl %eax, $PORT_DONE
	movl %ecx, %eax
	outl %eax, $PORT_DONE
	std
	movl $0xaaaa0002, %esi
	movl $0xbbbb0003, %ecx
	rep outsw %es:(%si), %dx
	movl %esi, %eax
	outl %eax, $PORT_DONE
	cld
	movw $4, %di
	movw $3, %cx
	rep insw
	movw %di, %ax
	outw %ax, $PORT_DONE
real_outs_end:

/* 32-bit, FS with a limit of EDI; OUTSB through it at ESI */
	.code32
	.balign 16
	.globl limit_outs, limit_outs_insn, limit_outs_rep, limit_outs_rep_insn
limit_outs:
	movl %edi, %esi
	movl $PORT_TEST, %edx
limit_outs_insn:
	outsl %fs:(%esi), %dx
	movl %esi, %eax
	ret
limit_outs_rep:
	movl %edi, %esi
	movl $PORT_TEST, %edx
	movl $8, %ecx
limit_outs_rep_insn:
	rep outsb %fs:(%esi), %dx
	movl %esi, %eax
	ret

/* 32-bit with 16-bit addresses: SI and CX alone count, and wrap */
	.balign 16
	.globl outs_addr16
outs_addr16:
	movl $0x1234ffff, %esi
	movl $0x56780002, %ecx
	movl $PORT_TEST, %edx
	rep addr16 outsb
	movl %esi, %eax
	subl %ecx, %eax
	ret

	.section .note.GNU-stack, "", @progbits
