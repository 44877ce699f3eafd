/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A firmware that switches VMX off: an option ROM, which the BIOS calls before it boots, locks IA32_FEATURE_CONTROL
 * with its VMX bits clear. Its checksum is put into the last byte (image.py).
 */
#define IA32_FEATURE_CONTROL	0x3a
#define LOCKED			1

	.code16
	.byte 0x55, 0xaa, 1		/* 1: of 512 bytes */
	movl $IA32_FEATURE_CONTROL, %ecx
	rdmsr
	testb $LOCKED, %al
	jnz 1f
	movl $LOCKED, %eax
	xorl %edx, %edx
	wrmsr
1:	lretw
	.org 512
