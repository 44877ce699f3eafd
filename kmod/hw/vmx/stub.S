/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back: general registers swapped, VMLAUNCH or VMRESUME (SDM vol. 3C, 27 and 28).
 *
 * Everything else of the state moves with the VMCS, or in enter.c around the call. After an exit no register holds a
 * guest's value: nothing of it may steer the host, not even speculatively.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>
#include "../stub.h"

#define VMCS_HOST_RSP	0x6c14

	.section .noinstr.text, "ax"

/*
 * bool vmx_enter_guest(u64 *gpr, unsigned long flags, u64 *host_rsp)
 *
 * @flags: VMX_ENTER_RESUME (bit 0), VMX_ENTER_VERW (bit 1)
 * @host_rsp: what VMCS_HOST_RSP holds; written when it changes
 * Returns false after an exit, true if the CPU refused the instruction (its VMfail, or #UD: not in VMX operation).
 */
SYM_FUNC_START(vmx_enter_guest)
	TPZ_PUSH_HOST
	push	%rdi

	cmp	%rsp, (%rdx)
	je	.Lhost_rsp_right
	mov	%rsp, (%rdx)
	mov	$VMCS_HOST_RSP, %eax
.Lwrite_host_rsp:
	vmwrite	%rsp, %rax
	_ASM_EXTABLE(.Lwrite_host_rsp, .Lhost_rsp_right)
.Lhost_rsp_right:

	test	$2, %sil
	jz	1f
	TPZ_CLEAR_CPU_BUFFERS
1:	bt	$0, %esi		/* CF: VMRESUME. Nothing up to the jump changes it */

	mov	TPZ_GPR_RAX(%rdi), %rax
	TPZ_LOAD_GUEST

	UNWIND_HINT_SAVE
	jc	.Lresume
.Llaunch:
	vmlaunch
	jmp	.Lrefused
.Lresume:
	vmresume
	jmp	.Lrefused
	_ASM_EXTABLE(.Llaunch, .Lrefused)
	_ASM_EXTABLE(.Lresume, .Lrefused)

SYM_INNER_LABEL(vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	/* (%rsp) is the saved @gpr */
	TPZ_SAVE_GUEST
	mov	%rax, TPZ_GPR_RAX(%rdi)
	xor	%ebx, %ebx

.Lclear:
	/* The guest's return predictions go before the first RET; then the branch history */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE
	ALTERNATIVE "jmp .Lno_ibrs", "", X86_FEATURE_KERNEL_IBRS
	/* Written anew after each exit, or it restricts nothing, even if it is set */
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	mov	PER_CPU_VAR(x86_spec_ctrl_current + 4), %edx
	wrmsr
.Lno_ibrs:
#ifndef TPZ_KVM_FENCE
	CLEAR_BRANCH_HISTORY_VMEXIT
#endif
	mov	%ebx, %eax
	TPZ_FORGET_GUEST
	add	$8, %rsp
	TPZ_POP_HOST
	RET

.Lrefused:
	/* The registers hold what was loaded for the guest */
	mov	$1, %ebx
	jmp	.Lclear
SYM_FUNC_END(vmx_enter_guest)
