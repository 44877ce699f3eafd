/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back: general registers swapped around VMRUN, hidden state around VMLOAD and VMSAVE (AMD APM vol. 2,
 * 15.5). RAX and RSP are the VMCB's; the caller moves them.
 *
 * The caller has cleared the global interrupt flag. Interrupts are on across VMRUN, because with V_INTR_MASKING the
 * host's RFLAGS.IF decides whether a physical interrupt ends the stay.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#define RCX(r)	0x08(r)
#define RDX(r)	0x10(r)
#define RBX(r)	0x18(r)
#define RBP(r)	0x28(r)
#define RSI(r)	0x30(r)
#define RDI(r)	0x38(r)
#define R8(r)	0x40(r)
#define R9(r)	0x48(r)
#define R10(r)	0x50(r)
#define R11(r)	0x58(r)
#define R12(r)	0x60(r)
#define R13(r)	0x68(r)
#define R14(r)	0x70(r)
#define R15(r)	0x78(r)

	.section .noinstr.text, "ax"

/*
 * void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa, unsigned long flags)
 */
SYM_FUNC_START(svm_enter_guest)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdx			/* host_vmcb_pa */
	push	%rsi			/* vmcb_pa */
	push	%rdi			/* gpr */

	mov	%rsi, %rax
1:	vmload	%rax
2:
	test	$1, %cl
	jz	3f
	sub	$8, %rsp
	movw	$__KERNEL_DS, (%rsp)
	verw	(%rsp)
	add	$8, %rsp
3:
	mov	RCX(%rdi), %rcx
	mov	RDX(%rdi), %rdx
	mov	RBX(%rdi), %rbx
	mov	RBP(%rdi), %rbp
	mov	RSI(%rdi), %rsi
	mov	R8(%rdi), %r8
	mov	R9(%rdi), %r9
	mov	R10(%rdi), %r10
	mov	R11(%rdi), %r11
	mov	R12(%rdi), %r12
	mov	R13(%rdi), %r13
	mov	R14(%rdi), %r14
	mov	R15(%rdi), %r15
	mov	RDI(%rdi), %rdi

	sti
4:	vmrun	%rax
5:	cli

	/* RAX is the host's again; the guest's RDI goes over the stack */
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rcx, RCX(%rdi)
	mov	%rdx, RDX(%rdi)
	mov	%rbx, RBX(%rdi)
	mov	%rbp, RBP(%rdi)
	mov	%rsi, RSI(%rdi)
	mov	%r8, R8(%rdi)
	mov	%r9, R9(%rdi)
	mov	%r10, R10(%rdi)
	mov	%r11, R11(%rdi)
	mov	%r12, R12(%rdi)
	mov	%r13, R13(%rdi)
	mov	%r14, R14(%rdi)
	mov	%r15, R15(%rdi)
	pop	RDI(%rdi)

	mov	8(%rsp), %rax
6:	vmsave	%rax
7:	mov	16(%rsp), %rax
8:	vmload	%rax
9:
	/* The guest's return predictions go before the first RET */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	add	$24, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
#ifdef UNTRAIN_RET_VM
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
#endif
	RET

	/* #UD: EFER.SVME has gone, as the machine goes down: the exit code that the caller preset says so */
	_ASM_EXTABLE(1b, 2b)
	_ASM_EXTABLE(4b, 5b)
	_ASM_EXTABLE(6b, 7b)
	_ASM_EXTABLE(8b, 9b)
SYM_FUNC_END(svm_enter_guest)
