/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests of control.c: one instruction each, at its label, then back. (R/E)DI: the value.
 */
#include "guest.h"

	.text
	.code32
	.balign 16
	.globl to_cr0_32, to_cr3_32, to_cr4_32, to_efer_32, lmsw_32, clts_32
to_cr0_32:
	mov %edi, %cr0
	ret
to_cr3_32:
	mov %edi, %cr3
	ret
to_cr4_32:
	mov %edi, %cr4
	ret
lmsw_32:
	lmsw %di
	ret
clts_32:
	clts
	ret
to_efer_32:			/* faults at the label too: ECX, EAX, EDX come from the test */
	wrmsr
	ret

	.code64
	.balign 16
	.globl to_cr0_64, to_cr3_64, to_cr4_64, to_efer_64, lmsw_64, clts_64
to_cr0_64:
	mov %rdi, %cr0
	ret
to_cr3_64:
	mov %rdi, %cr3
	ret
to_cr4_64:
	mov %rdi, %cr4
	ret
lmsw_64:
	lmsw %di
	ret
clts_64:
	clts
	ret
to_efer_64:
	wrmsr
	ret

	.section .note.GNU-stack, "", @progbits
