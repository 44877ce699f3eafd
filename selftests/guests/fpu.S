/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and storing all vector registers, for guest and launcher alike (fpu.c).
 *
 * RDI: struct fpu_image (fpu.c); ESI: how far: 0 x87 and SSE, 1 and AVX, 2 and AVX-512
 */
	.text
	.code64

#define LEGACY	0	/* FXSAVE's 512 bytes */
#define WIDE	512	/* 32 registers of 64 bytes */
#define MASKS	2560	/* k0 to k7 */

	.balign 16
	.globl fpu_load
fpu_load:
	fxrstor64 LEGACY(%rdi)
	cmp $1, %esi
	jb 9f
	ja 1f
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vmovdqu WIDE + 64 * \n(%rdi), %ymm\n
	.endr
9:	ret
1:	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	vmovdqu64 WIDE + 64 * \n(%rdi), %zmm\n
	.endr
	.irp n, 0,1,2,3,4,5,6,7
	kmovq MASKS + 8 * \n(%rdi), %k\n
	.endr
	ret

	.balign 16
	.globl fpu_store
fpu_store:
	fxsave64 LEGACY(%rdi)
	cmp $1, %esi
	jb 9f
	ja 1f
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vmovdqu %ymm\n, WIDE + 64 * \n(%rdi)
	.endr
9:	ret
1:	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	vmovdqu64 %zmm\n, WIDE + 64 * \n(%rdi)
	.endr
	.irp n, 0,1,2,3,4,5,6,7
	kmovq %k\n, MASKS + 8 * \n(%rdi)
	.endr
	ret

	.section .note.GNU-stack, "", @progbits
