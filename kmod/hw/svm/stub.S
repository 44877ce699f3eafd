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
#include "../stub.h"

	.section .noinstr.text, "ax"

/*
 * void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa, unsigned long flags)
 */
SYM_FUNC_START(svm_enter_guest)
	TPZ_PUSH_HOST
	push	%rdx			/* host_vmcb_pa */
	push	%rsi			/* vmcb_pa */
	push	%rdi			/* gpr */

	/* Early: QEMU's TCG would carry STI's shadow into the guest and hold its first interrupt back */
	sti
	mov	%rsi, %rax
1:	vmload	%rax
2:
	test	$1, %cl
	jz	3f
	TPZ_CLEAR_CPU_BUFFERS
3:
	TPZ_LOAD_GUEST

4:	vmrun	%rax
5:	cli

	TPZ_SAVE_GUEST			/* RAX is the host's again */

	mov	8(%rsp), %rax
6:	vmsave	%rax
7:	mov	16(%rsp), %rax
8:	vmload	%rax
9:
	/* The guest's return predictions go before the first RET */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	xor	%eax, %eax
	TPZ_FORGET_GUEST
	add	$24, %rsp
	TPZ_POP_HOST
	TPZ_UNTRAIN_RET
	RET

	/* #UD: EFER.SVME has gone, as the machine goes down: the exit code that the caller preset says so */
	_ASM_EXTABLE(1b, 2b)
	_ASM_EXTABLE(4b, 5b)
	_ASM_EXTABLE(6b, 7b)
	_ASM_EXTABLE(8b, 9b)
SYM_FUNC_END(svm_enter_guest)
