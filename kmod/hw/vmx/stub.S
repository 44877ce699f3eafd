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
#include <asm/segment.h>
#include <asm/unwind_hints.h>

#define VMCS_HOST_RSP	0x6c14

/* struct tpz_cpu_state.gpr: the architecture's register numbers */
#define RAX(r)	0x00(r)
#define RCX(r)	0x08(r)
#define RDX(r)	0x10(r)
#define RBX(r)	0x18(r)
/* RSP is in the VMCS */
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
 * bool vmx_enter_guest(u64 *gpr, unsigned long flags, u64 *host_rsp)
 *
 * @flags: VMX_ENTER_RESUME (bit 0), VMX_ENTER_VERW (bit 1)
 * @host_rsp: what VMCS_HOST_RSP holds; written when it changes
 * Returns false after an exit, true if the CPU refused the instruction (its VMfail, or #UD: not in VMX operation).
 */
SYM_FUNC_START(vmx_enter_guest)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi

	cmp	%rsp, (%rdx)
	je	.Lhost_rsp_right
	mov	%rsp, (%rdx)
	mov	$VMCS_HOST_RSP, %eax
.Lwrite_host_rsp:
	vmwrite	%rsp, %rax
	_ASM_EXTABLE(.Lwrite_host_rsp, .Lhost_rsp_right)
.Lhost_rsp_right:

	/* From here on no instruction may change CF: it says VMRESUME. VERW changes ZF alone */
	test	$2, %sil
	jz	1f
	sub	$8, %rsp
	movw	$__KERNEL_DS, (%rsp)
	verw	(%rsp)
	add	$8, %rsp
1:	bt	$0, %esi

	mov	RAX(%rdi), %rax
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

	/* (%rsp) is the saved @gpr. The guest's RDI goes over the stack */
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, RAX(%rdi)
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
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	/* The rest are restored: RBX, RBP, R12 to R15 */
	add	$8, %rsp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lrefused:
	/* The registers hold what was loaded for the guest */
	mov	$1, %ebx
	jmp	.Lclear
SYM_FUNC_END(vmx_enter_guest)
