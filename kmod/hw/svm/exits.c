// SPDX-License-Identifier: GPL-2.0
/*
 * Raw exit codes (AMD APM vol. 2, appendix C) to normalized ones, and the decoding of EXITINFO1 and EXITINFO2. Raw codes
 * end here. What the CPU does not tell of an instruction is left to cpu/decode_exit.c.
 */
#include <uapi/asm/debugreg.h>
#include <asm/trapnr.h>
#include <asm/trap_pf.h>
#include "svm.h"

/* ---- one decoder per code that tells more than its name */

#define PUSHES_ERROR	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | \
			 BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC) | BIT(21) | BIT(29) | BIT(30))

static void decode_exception(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	struct tpz_exit *x = &v->exit;
	u8 vector = x->raw_reason - SVM_EXIT_EXCEPTION;

	x->exception.vector = vector;
	x->exception.type = TPZ_EVENT_EXCEPTION;
	x->exception.has_error = PUSHES_ERROR & BIT(vector);
	x->exception.error = x->exception.has_error ? vmcb->control.exitinfo1 : 0;
	x->exception.address = 0;
	if (vector == X86_TRAP_PF)
		x->exception.address = vmcb->control.exitinfo2;
	if (vector == X86_TRAP_MC)
		x->reason = TPZ_EXIT_MACHINE_CHECK;
	if (vector == X86_TRAP_DB) {
		x->exception.address = vmcb->save.dr6 ^ DR6_RESERVED;
		if (!x->exception.address)
			x->reason = TPZ_EXIT_NMI_WINDOW;	/* the step was ours: nmi.c */
	}
}

/* INT3 and INTO: RIP is the instruction's */
static void decode_soft_exception(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	decode_exception(v, vmcb);
	v->exit.exception.type = TPZ_EVENT_SOFT_EXCEPTION;
}

static void decode_icebp(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	memset(&v->exit.exception, 0, sizeof(v->exit.exception));
	v->exit.exception.vector = X86_TRAP_DB;
	v->exit.exception.type = TPZ_EVENT_PRIV_SOFT;
}

static void decode_cr(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	struct tpz_exit *x = &v->exit;

	x->cr.cr = x->raw_reason & 0xf;
	x->cr.access = x->raw_reason < SVM_EXIT_CR_WRITE ? TPZ_MOV_FROM_CR : TPZ_MOV_TO_CR;
	x->cr.reg = vmcb->control.exitinfo1 & CR_GPR;
	/* CLTS, LMSW and SMSW are told under the same code, and no more of them */
	x->decode |= !svm_has(SVM_CPUID_DECODE_ASSISTS) || !(vmcb->control.exitinfo1 & CR_MOV);
}

static void decode_cr0_selective(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	v->exit.cr.cr = 0;
	v->exit.cr.access = TPZ_MOV_TO_CR;
	v->exit.decode = true;
}

static void decode_dr(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	struct tpz_exit *x = &v->exit;

	x->dr.dr = x->raw_reason & 0xf;
	x->dr.from = x->raw_reason < SVM_EXIT_DR_WRITE;
	x->dr.reg = vmcb->control.exitinfo1 & CR_GPR;
	x->decode |= !svm_has(SVM_CPUID_DECODE_ASSISTS);
}

static void decode_io(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	struct tpz_exit *x = &v->exit;
	u64 info = vmcb->control.exitinfo1;

	x->io.port = info >> IOIO_PORT_SHIFT;
	x->io.bytes = (info >> IOIO_SIZE_SHIFT) & 7;
	x->io.in = info & IOIO_IN;
	x->io.string = info & IOIO_STRING;
	x->io.rep = info & IOIO_REP;
	x->io.addr_bytes = ((info >> IOIO_ADDRESS_SHIFT) & 7) * 2;
	x->io.seg = x->io.in ? TPZ_ES : (info >> IOIO_SEGMENT_SHIFT) & 7;
	x->insn_bytes = vmcb->control.exitinfo2 - vmcb->save.rip;
	x->decode = x->io.string && !svm_has(SVM_CPUID_DECODE_ASSISTS);
}

static void decode_msr(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	if (vmcb->control.exitinfo1 & 1)
		v->exit.reason = TPZ_EXIT_MSR_WRITE;
}

static void decode_task_switch(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };
	struct tpz_exit *x = &v->exit;
	u64 info = vmcb->control.exitinfo2;

	x->task.selector = vmcb->control.exitinfo1;
	x->task.source = BY_CALL;
	if (info & TASK_SWITCH_IRET)
		x->task.source = BY_IRET;
	else if (info & TASK_SWITCH_JMP)
		x->task.source = BY_JMP;
	else if (vmcb->control.exitintinfo & SVM_EVENT_VALID)
		x->task.source = BY_GATE;
	/* Through a gate no instruction is done, but for INT n, which runs again */
	x->decode = x->task.source != BY_GATE && !x->insn_bytes;
}

static void decode_invlpg(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	memset(&v->exit.insn, 0, sizeof(v->exit.insn));
	v->exit.insn.op.offset = vmcb->control.exitinfo1;
	v->exit.decode |= !svm_has(SVM_CPUID_DECODE_ASSISTS);
}

/* The CPU never tells the operands of these */
static void decode_dt(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	static const u8 insns[] = { TPZ_SIDT, TPZ_SGDT, TPZ_SLDT, TPZ_STR, TPZ_LIDT, TPZ_LGDT, TPZ_LLDT, TPZ_LTR };

	memset(&v->exit.dt, 0, sizeof(v->exit.dt));
	v->exit.dt.insn = insns[v->exit.raw_reason - SVM_EXIT_IDTR_READ];
	v->exit.decode = true;
}

static void decode_invpcid(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	memset(&v->exit.insn, 0, sizeof(v->exit.insn));
	v->exit.decode = true;
}

static void decode_iret(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	svm_nmi_on_iret(to_svm(v));
}

static void decode_npf(struct tpz_vcpu *v, const struct vmcb *vmcb)
{
	struct tpz_exit *x = &v->exit;
	u64 error = vmcb->control.exitinfo1;

	memset(&x->npf, 0, sizeof(x->npf));
	x->npf.gpa = vmcb->control.exitinfo2;
	x->npf.write = error & X86_PF_WRITE;
	x->npf.fetch = error & X86_PF_INSTR;
	x->npf.read = !x->npf.write && !x->npf.fetch;
	x->npf.page_walk = error & NPF_PAGE_WALK;	/* always told as a write (15.25.6) */
	if (error & X86_PF_RSVD)
		x->reason = TPZ_EXIT_NPF_MISCONFIG;
}

/* ---- the table: every code of appendix C */

#define L	1	/* an instruction: its length is wanted */

struct exit_code {
	u8 reason;
	u8 wants;
	void (*decode)(struct tpz_vcpu *v, const struct vmcb *vmcb);
};

static const struct exit_code exits[] = {
	[SVM_EXIT_CR_READ ... SVM_EXIT_CR_READ + 15]	= { TPZ_EXIT_CR, L, decode_cr },
	[SVM_EXIT_CR_WRITE ... SVM_EXIT_CR_WRITE + 15]	= { TPZ_EXIT_CR, L, decode_cr },
	[SVM_EXIT_DR_READ ... SVM_EXIT_DR_READ + 15]	= { TPZ_EXIT_DR, L, decode_dr },
	[SVM_EXIT_DR_WRITE ... SVM_EXIT_DR_WRITE + 15]	= { TPZ_EXIT_DR, L, decode_dr },
	[SVM_EXIT_EXCEPTION ... SVM_EXIT_EXCEPTION + 2]	= { TPZ_EXIT_EXCEPTION, 0, decode_exception },
	[SVM_EXIT_EXCEPTION + X86_TRAP_BP]	= { TPZ_EXIT_EXCEPTION, L, decode_soft_exception },
	[SVM_EXIT_EXCEPTION + X86_TRAP_OF]	= { TPZ_EXIT_EXCEPTION, L, decode_soft_exception },
	[SVM_EXIT_EXCEPTION + 5 ... SVM_EXIT_EXCEPTION + 31] = { TPZ_EXIT_EXCEPTION, 0, decode_exception },
	[SVM_EXIT_INTR]			= { TPZ_EXIT_HOST_INTERRUPT },
	[SVM_EXIT_NMI]			= { TPZ_EXIT_HOST_NMI },
	[SVM_EXIT_SMI]			= { TPZ_EXIT_HOST_INTERRUPT },	/* the host's: taken behind STGI */
	[SVM_EXIT_INIT]			= { TPZ_EXIT_INIT },
	[SVM_EXIT_VINTR]		= { TPZ_EXIT_INTR_WINDOW },
	[SVM_EXIT_CR0_SEL_WRITE]	= { TPZ_EXIT_CR, L, decode_cr0_selective },
	[SVM_EXIT_IDTR_READ ... SVM_EXIT_TR_WRITE] = { TPZ_EXIT_DT_ACCESS, L, decode_dt },
	[SVM_EXIT_RDTSC]		= { TPZ_EXIT_RDTSC, L },
	[SVM_EXIT_RDPMC]		= { TPZ_EXIT_RDPMC, L },
	[SVM_EXIT_PUSHF]		= { TPZ_EXIT_OTHER, L },
	[SVM_EXIT_POPF]			= { TPZ_EXIT_OTHER, L },
	[SVM_EXIT_CPUID]		= { TPZ_EXIT_CPUID, L },
	[SVM_EXIT_RSM]			= { TPZ_EXIT_RSM, L },
	[SVM_EXIT_IRET]			= { TPZ_EXIT_IRET, 0, decode_iret },
	[SVM_EXIT_SWINT]		= { TPZ_EXIT_OTHER, L },
	[SVM_EXIT_INVD]			= { TPZ_EXIT_INVD, L },
	[SVM_EXIT_PAUSE]		= { TPZ_EXIT_PAUSE, L },
	[SVM_EXIT_HLT]			= { TPZ_EXIT_HLT, L },
	[SVM_EXIT_INVLPG]		= { TPZ_EXIT_INVLPG, L, decode_invlpg },
	[SVM_EXIT_INVLPGA]		= { TPZ_EXIT_VIRT_INSN, L },
	[SVM_EXIT_IOIO]			= { TPZ_EXIT_IO, 0, decode_io },
	[SVM_EXIT_MSR]			= { TPZ_EXIT_MSR_READ, L, decode_msr },
	[SVM_EXIT_TASK_SWITCH]		= { TPZ_EXIT_TASK_SWITCH, L, decode_task_switch },
	[SVM_EXIT_FERR_FREEZE]		= { TPZ_EXIT_OTHER },
	[SVM_EXIT_SHUTDOWN]		= { TPZ_EXIT_TRIPLE_FAULT },
	[SVM_EXIT_VMRUN]		= { TPZ_EXIT_VIRT_INSN, L },
	[SVM_EXIT_VMMCALL]		= { TPZ_EXIT_HYPERCALL, L },
	[SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = { TPZ_EXIT_VIRT_INSN, L },
	[SVM_EXIT_RDTSCP]		= { TPZ_EXIT_RDTSCP, L },
	[SVM_EXIT_ICEBP]		= { TPZ_EXIT_EXCEPTION, L, decode_icebp },
	[SVM_EXIT_WBINVD]		= { TPZ_EXIT_WBINVD, L },
	[SVM_EXIT_MONITOR]		= { TPZ_EXIT_MONITOR, L },
	[SVM_EXIT_MWAIT]		= { TPZ_EXIT_MWAIT, L },
	[SVM_EXIT_MWAIT_CONDITIONAL]	= { TPZ_EXIT_MWAIT, L },
	[SVM_EXIT_XSETBV]		= { TPZ_EXIT_XSETBV, L },
	[SVM_EXIT_RDPRU]		= { TPZ_EXIT_RDPRU, L },
	/* Traps behind a write, for guests whose state is encrypted */
	[SVM_EXIT_EFER_WRITE_TRAP]	= { TPZ_EXIT_OTHER },
	[SVM_EXIT_CR_WRITE_TRAP ... SVM_EXIT_CR_WRITE_TRAP + 15] = { TPZ_EXIT_OTHER },
	[SVM_EXIT_INVLPGB]		= { TPZ_EXIT_INVLPGB, L },
	[SVM_EXIT_INVLPGB_ILLEGAL]	= { TPZ_EXIT_INVLPGB, L },
	[SVM_EXIT_INVPCID]		= { TPZ_EXIT_INVPCID, L, decode_invpcid },
	[SVM_EXIT_MCOMMIT]		= { TPZ_EXIT_MCOMMIT, L },
	[SVM_EXIT_TLBSYNC]		= { TPZ_EXIT_INVLPGB, L },
	[SVM_EXIT_BUSLOCK]		= { TPZ_EXIT_BUS_LOCK },
	[SVM_EXIT_IDLE_HLT]		= { TPZ_EXIT_HLT, L },
};

static const struct exit_code high_exits[] = {
	[SVM_EXIT_NPF - SVM_EXIT_NPF]			= { TPZ_EXIT_NPF, 0, decode_npf },
	[SVM_EXIT_AVIC_INCOMPLETE_IPI - SVM_EXIT_NPF]	= { TPZ_EXIT_APIC_WRITE },
	[SVM_EXIT_AVIC_NOACCEL - SVM_EXIT_NPF]		= { TPZ_EXIT_APIC_ACCESS },
	[SVM_EXIT_VMGEXIT - SVM_EXIT_NPF]		= { TPZ_EXIT_OTHER },
};

static const struct exit_code *find(u64 code)
{
	static const struct exit_code unknown = { TPZ_EXIT_UNKNOWN };

	if (likely(code < ARRAY_SIZE(exits)))
		return &exits[code];	/* a gap of the table: 0, TPZ_EXIT_UNKNOWN */
	if (code >= SVM_EXIT_NPF && code - SVM_EXIT_NPF < ARRAY_SIZE(high_exits))
		return &high_exits[code - SVM_EXIT_NPF];
	return &unknown;
}

/**
 * svm_decode_exit() - v->exit out of the VMCB
 * @v: the vCPU, whose entry was not refused
 */
void svm_decode_exit(struct tpz_vcpu *v)
{
	const struct vmcb *vmcb = to_svm(v)->vmcb;
	const struct exit_code *e = find(vmcb->control.exitcode);
	struct tpz_exit *x = &v->exit;

	x->raw_reason = vmcb->control.exitcode;
	x->qualification = vmcb->control.exitinfo1;
	x->reason = e->reason;
	x->insn_bytes = 0;
	x->decode = false;
	if (e->wants & L) {
		if (svm_has(SVM_CPUID_NRIPS) && vmcb->control.nrip)
			x->insn_bytes = vmcb->control.nrip - vmcb->save.rip;
		else
			x->decode = true;
	}
	if (e->decode)
		e->decode(v, vmcb);
}
