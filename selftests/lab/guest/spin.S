/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A multiboot guest that spins for ever with interrupts off.
 *
 * The CLI stands inside the loop for Bochs's sake: after an entry with IF = 0 it holds the host's interrupts back until
 * the guest next writes IF (Documentation/lab.md).
 */
	.section .text
	.balign 4
	.long 0x1badb002, 0, -0x1badb002	/* multiboot 1: magic, flags, checksum */
	.globl _start
_start:	cli
	pause
	jmp _start
