/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 32-bit guests of exits.c: the four ways to switch tasks. SEL_TASK: an available TSS, vector 0x70: a task gate.
 */
#include "guest.h"

#define SEL_TASK	0x48

	.text
	.code32
	.balign 16
	.globl task_call32, task_jmp32, task_gate32, task_iret32
task_call32:
	lcall $SEL_TASK, $0
	ret
task_jmp32:
	ljmp $SEL_TASK, $0
task_gate32:
	int $0x70
	ret
task_iret32:			/* NT is set; the link of the TSS names SEL_TASK */
	iret

	.section .note.GNU-stack, "", @progbits
