/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of two boot lives: a multiboot-1 image, and an ELF with a PVH note. It says on the serial port how it was
 * loaded, its command line and its first module, and ends as the command line's first letter asks:
 *
 *	r  a reset by port 64h		t  a triple fault
 *	u  a read of unbacked memory	s  it spins (the CLI inside the loop: see spin.S)
 *	d  power off (down)		b  the same once the power button was pressed
 *	p  word of a panic		w  it starts the watchdog and spins
 *	else: port f4h, 10h by multiboot, 20h by PVH
 */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.section .text
	.balign 4
	.long 0x1badb002, 0, -0x1badb002	/* multiboot 1: magic, flags, checksum */
	.globl _start
_start:	mov	$stack_end, %esp
	cmp	$0x2badb002, %eax
	je	multiboot
	cmpl	$0x336ec578, (%ebx)	/* hvm_start_info.magic */
	jne	strange

	mov	$by_pvh, %esi
	call	print
	mov	24(%ebx), %edi		/* cmdline_paddr */
	cmpl	$0, 12(%ebx)		/* nr_modules */
	je	no_module
	mov	16(%ebx), %edx		/* modlist_paddr */
	mov	(%edx), %ebp
	mov	$0x20, %ebx
	jmp	report

multiboot:
	mov	$by_multiboot, %esi
	call	print
	mov	16(%ebx), %edi		/* cmdline */
	cmpl	$0, 20(%ebx)		/* mods_count */
	je	no_module
	mov	24(%ebx), %edx		/* mods_addr */
	mov	(%edx), %ebp		/* mod_start */
	mov	$0x10, %ebx

/* EDI: command line, EBP: module, EBX: value for port f4h */
report:	mov	$command_line, %esi
	call	print
	mov	%edi, %esi
	call	print
	mov	$module, %esi
	call	print
	mov	%ebp, %esi
	call	print
	mov	$newline, %esi
	call	print
	mov	(%edi), %al
	cmp	$'r', %al
	je	reset
	cmp	$'t', %al
	je	triple_fault
	cmp	$'u', %al
	je	unbacked
	cmp	$'s', %al
	je	spin
	cmp	$'d', %al
	je	power_off
	cmp	$'b', %al
	je	button
	cmp	$'p', %al
	je	panic
	cmp	$'w', %al
	je	watchdog
	mov	%ebx, %eax
	out	%eax, $0xf4

strange:
	mov	$0x7f, %eax
	out	%eax, $0xf4
no_module:
	mov	$0x7e, %eax
	out	%eax, $0xf4
reset:	mov	$0xfe, %al
	out	%al, $0x64
triple_fault:
	lidt	no_idt
	int3
unbacked:
	mov	0xd0000000, %eax
spin:	cli
	pause
	jmp	spin

button:	mov	$0x602, %dx		/* PM1 enable: the power button */
	mov	$0x100, %ax
	out	%ax, %dx
	mov	$listening, %esi
	call	print
	mov	$0x600, %dx		/* PM1 status */
1:	pause
	in	%dx, %ax
	test	$0x100, %ax
	je	1b
power_off:
	mov	$0x604, %dx		/* PM1 control: sleep type 5, go */
	mov	$5 << 10 | 1 << 13, %ax
	out	%ax, %dx
panic:	mov	$0x505, %dx
	mov	$1, %al
	out	%al, %dx
watchdog:
	mov	$0x624, %dx		/* its limit, half a second; and start */
	mov	$5, %eax
	out	%eax, %dx
	mov	$0x620, %dx
	mov	$1, %eax
	out	%eax, %dx
	jmp	spin

/* ESI: a string that ends with 0. Polled: the transmitter is empty */
print:	lodsb
	test	%al, %al
	je	2f
	mov	%al, %cl
	mov	$0x3fd, %dx
1:	in	%dx, %al
	test	$0x20, %al
	je	1b
	mov	$0x3f8, %dx
	mov	%cl, %al
	out	%al, %dx
	jmp	print
2:	ret

by_pvh:		.asciz "hello by PVH\n"
by_multiboot:	.asciz "hello by multiboot\n"
command_line:	.asciz "command line: "
module:		.asciz "\nmodule: "
listening:	.asciz "listening\n"
newline:	.asciz "\n"
	.balign 8
no_idt:	.word 0
	.long 0

	.bss
	.balign 16
	.skip 4096
stack_end:
