/* SPDX-License-Identifier: GPL-2.0 */
/* A multiboot guest that spins for ever. */
	.section .text
	.balign 4
	.long 0x1badb002, 0, -0x1badb002	/* multiboot 1: magic, flags, checksum */
	.globl _start
_start:	pause
	jmp _start
