/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the assembly stubs of both backends: general registers to and fro. In each, RDI points to struct
 * tpz_cpu_state.gpr, which is in the architecture's order of registers. RSP is the control structure's affair.
 */
#ifndef TPZ_HW_STUB_H
#define TPZ_HW_STUB_H

#include <asm/alternative.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#define TPZ_GPR_RAX	0x00
#define TPZ_GPR_RDI	0x38

	/* What the C caller wants back */
	.macro TPZ_PUSH_HOST
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	.endm

	.macro TPZ_POP_HOST
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	.endm

	/* VERW of a valid selector: clears the CPU's buffers of what the host left in them */
	.macro TPZ_CLEAR_CPU_BUFFERS
	sub	$8, %rsp
	movw	$__KERNEL_DS, (%rsp)
	verw	(%rsp)
	add	$8, %rsp
	.endm

	/* All but RAX and RSP. No flag changes */
	.macro TPZ_LOAD_GUEST
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	TPZ_GPR_RDI(%rdi), %rdi
	.endm

	/* The pointer stands on top of the stack, and comes back into RDI; the guest's RDI goes over the stack, too */
	.macro TPZ_SAVE_GUEST
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rcx, 0x08(%rdi)
	mov	%rdx, 0x10(%rdi)
	mov	%rbx, 0x18(%rdi)
	mov	%rbp, 0x28(%rdi)
	mov	%rsi, 0x30(%rdi)
	mov	%r8, 0x40(%rdi)
	mov	%r9, 0x48(%rdi)
	mov	%r10, 0x50(%rdi)
	mov	%r11, 0x58(%rdi)
	mov	%r12, 0x60(%rdi)
	mov	%r13, 0x68(%rdi)
	mov	%r14, 0x70(%rdi)
	mov	%r15, 0x78(%rdi)
	pop	TPZ_GPR_RDI(%rdi)
	.endm

	/* No register may hold a guest's value, which could steer the host speculatively: those that TPZ_POP_HOST and RAX spare */
	.macro TPZ_FORGET_GUEST
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	.endm

	/*
	 * AMD: what the guest trained returns to do is undone before the first one. Clobbers RAX, RCX and RDX. Where the
	 * kernel fences its barrier, IBPB is written here.
	 */
	.macro TPZ_UNTRAIN_RET
#ifdef TPZ_KVM_FENCE
	CALL_UNTRAIN_RET
	ALTERNATIVE "jmp .Lno_barrier_\@", "", X86_FEATURE_IBPB_ON_VMEXIT
	mov	$MSR_IA32_PRED_CMD, %ecx
	mov	$PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
.Lno_barrier_\@:
#elif defined(UNTRAIN_RET_VM)
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
#ifdef X86_FEATURE_IBPB_ON_VMEXIT
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
#endif
#endif
	.endm

#endif /* TPZ_HW_STUB_H */
