/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where vCPUs start by a start-up message: real mode, CS = VV00. Copied to such a page. Tells how many came, then ends with
 * CS as its result.
 */
#include "../lib/guest.h"

	.text
	.code16
	.globl smp_ap_begin, smp_ap_end
smp_ap_begin:
	xor %ax, %ax
	mov %ax, %ds
	lock incl 0xff0
	mov %cs, %ax
	movzwl %ax, %eax
	outl %eax, $PORT_DONE
	cli
1:	hlt
	jmp 1b
smp_ap_end:

	.section .note.GNU-stack, "", @progbits
