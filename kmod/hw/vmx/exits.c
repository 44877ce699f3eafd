// SPDX-License-Identifier: GPL-2.0
/*
 * Raw exit reasons (SDM vol. 3D, appendix C) to normalized ones, and the decoding of their qualifications
 * (vol. 3C, 28.2.1) and instruction information (28.2.5). Raw codes end here.
 */
#include <asm/trapnr.h>
#include "vmx.h"

/* ---- instruction information */

#define INFO_SCALE(i)		((i) & 3)
#define INFO_REG1(i)		(((i) >> 3) & 0xf)
#define INFO_ADDRESS_SIZE(i)	(((i) >> 7) & 7)	/* 0: 16-bit, 1: 32-bit, 2: 64-bit */
#define INFO_IS_REGISTER(i)	((i) & BIT(10))
#define INFO_OPERAND_SIZE(i)	(((i) >> 11) & 3)
#define INFO_SEGMENT(i)		(((i) >> 15) & 7)
#define INFO_INDEX(i)		(((i) >> 18) & 0xf)
#define INFO_NO_INDEX(i)	((i) & BIT(22))
#define INFO_BASE(i)		(((i) >> 23) & 0xf)
#define INFO_NO_BASE(i)		((i) & BIT(27))
#define INFO_REG2(i)		(((i) >> 28) & 0xf)

static u64 cut(u64 value, unsigned int bytes)
{
	return bytes == 8 ? value : value & ((1ULL << (8 * bytes)) - 1);
}

/* The displacement is the qualification (28.2.1, table 28-5) */
static void decode_memory(struct tpz_vcpu *v, u32 info, struct tpz_operand *op)
{
	u64 offset = v->exit.qualification;

	op->seg = INFO_SEGMENT(info);
	op->addr_bytes = 2 << INFO_ADDRESS_SIZE(info);
	if (!INFO_NO_BASE(info))
		offset += tpz_gpr(v, INFO_BASE(info));
	if (!INFO_NO_INDEX(info))
		offset += tpz_gpr(v, INFO_INDEX(info)) << INFO_SCALE(info);
	op->offset = cut(offset, op->addr_bytes);
}

/* ---- one decoder per reason that tells more than its name */

static void decode_exception(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;
	u32 info = vmcs_read(VMCS_EXIT_INTR_INFO);

	x->exception.vector = info & INTR_INFO_VECTOR;
	x->exception.type = (info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;
	x->exception.has_error = info & INTR_INFO_ERROR_CODE;
	x->exception.error = x->exception.has_error ? vmcs_read(VMCS_EXIT_INTR_ERROR_CODE) : 0;
	x->exception.address = x->qualification;
	if (x->exception.type == TPZ_EVENT_NMI)
		x->reason = TPZ_EXIT_HOST_NMI;		/* enter.c has passed it on */
	else if (x->exception.vector == X86_TRAP_MC)
		x->reason = TPZ_EXIT_MACHINE_CHECK;
	if (x->exception.type >= TPZ_EVENT_SOFT_INTR)
		x->insn_bytes = vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH);
	/* 28.2.2: a fault of an IRET that had unblocked NMIs; not of #DF, not while an event was delivered */
	if ((info & INTR_INFO_NMI_UNBLOCKING) && x->exception.vector != X86_TRAP_DF && !v->event.valid)
		vmx_restore_nmi_blocking(v);
}

static void decode_npf(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;
	u64 q = x->qualification;

	x->npf.gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
	x->npf.gva_valid = q & EPT_VIOLATION_LINEAR_VALID;
	x->npf.gva = x->npf.gva_valid ? vmcs_read(VMCS_GUEST_LINEAR_ADDRESS) : 0;
	x->npf.read = q & EPT_VIOLATION_READ;
	x->npf.write = q & EPT_VIOLATION_WRITE;
	x->npf.fetch = q & EPT_VIOLATION_FETCH;
	x->npf.page_walk = x->npf.gva_valid && !(q & EPT_VIOLATION_TRANSLATED);
	if ((q & EPT_VIOLATION_NMI_UNBLOCKING) && !v->event.valid)
		vmx_restore_nmi_blocking(v);
}

static void decode_misconfig(struct tpz_vcpu *v)
{
	memset(&v->exit.npf, 0, sizeof(v->exit.npf));
	v->exit.npf.gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
}

static void decode_io(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;
	u64 q = x->qualification;
	u32 info;

	x->io.port = q >> IO_QUAL_PORT_SHIFT;
	x->io.bytes = (q & IO_QUAL_SIZE) + 1;
	x->io.in = q & IO_QUAL_IN;
	x->io.string = q & IO_QUAL_STRING;
	x->io.rep = q & IO_QUAL_REP;
	if (!x->io.string)
		return;
	info = vmcs_read(VMCS_EXIT_INSTRUCTION_INFO);
	x->io.addr_bytes = 2 << INFO_ADDRESS_SIZE(info);
	x->io.seg = x->io.in ? TPZ_ES : INFO_SEGMENT(info);
}

static void decode_cr(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;
	u64 q = x->qualification;

	x->cr.cr = q & CR_QUAL_NUMBER;
	x->cr.access = (q & CR_QUAL_ACCESS) >> 4;	/* numbered as enum tpz_cr_access */
	x->cr.reg = (q >> CR_QUAL_REGISTER_SHIFT) & 0xf;
	x->cr.lmsw = q >> CR_QUAL_LMSW_SOURCE_SHIFT;
}

static void decode_dr(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;
	u64 q = x->qualification;

	x->dr.dr = q & DR_QUAL_NUMBER;
	x->dr.from = q & DR_QUAL_FROM;
	x->dr.reg = (q >> DR_QUAL_REGISTER_SHIFT) & 0xf;
}

static void decode_task_switch(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit;

	x->task.selector = x->qualification & TASK_QUAL_SELECTOR;
	x->task.source = (x->qualification >> TASK_QUAL_SOURCE_SHIFT) & 3;
}

/* The operand size is not told for SLDT and STR (28.2.5, table 28-11), nor by Bochs for LGDT and LIDT: it is decoded */
static void decode_gdtr_idtr(struct tpz_vcpu *v)
{
	static const u8 insns[] = { TPZ_SGDT, TPZ_SIDT, TPZ_LGDT, TPZ_LIDT };
	struct tpz_exit *x = &v->exit;
	u32 info = vmcs_read(VMCS_EXIT_INSTRUCTION_INFO);

	memset(&x->dt, 0, sizeof(x->dt));
	x->dt.insn = insns[(info >> 28) & 3];
	x->decode = true;
	decode_memory(v, info, &x->dt.op);
}

static void decode_ldtr_tr(struct tpz_vcpu *v)
{
	static const u8 insns[] = { TPZ_SLDT, TPZ_STR, TPZ_LLDT, TPZ_LTR };
	struct tpz_exit *x = &v->exit;
	u32 info = vmcs_read(VMCS_EXIT_INSTRUCTION_INFO);

	memset(&x->dt, 0, sizeof(x->dt));
	x->dt.insn = insns[(info >> 28) & 3];
	x->decode = true;
	if (INFO_IS_REGISTER(info)) {
		x->dt.op.is_reg = true;
		x->dt.op.reg = INFO_REG1(info);
	} else {
		decode_memory(v, info, &x->dt.op);
	}
}

static void decode_invlpg(struct tpz_vcpu *v)
{
	memset(&v->exit.insn, 0, sizeof(v->exit.insn));
	v->exit.insn.op.offset = v->exit.qualification;
}

static void decode_invpcid(struct tpz_vcpu *v)
{
	u32 info = vmcs_read(VMCS_EXIT_INSTRUCTION_INFO);

	memset(&v->exit.insn, 0, sizeof(v->exit.insn));
	v->exit.insn.reg = INFO_REG2(info);
	decode_memory(v, info, &v->exit.insn.op);
}

static void decode_rdrand(struct tpz_vcpu *v)
{
	u32 info = vmcs_read(VMCS_EXIT_INSTRUCTION_INFO);

	memset(&v->exit.insn, 0, sizeof(v->exit.insn));
	v->exit.insn.reg = INFO_REG1(info);
	v->exit.insn.op.bytes = 2 << INFO_OPERAND_SIZE(info);
}

/* ---- the table: every basic reason of appendix C */

/* What of the exit information is valid */
#define Q	1	/* qualification */
#define L	2	/* instruction length */

static const struct {
	u8 reason;
	u8 valid;
	void (*decode)(struct tpz_vcpu *v);
} exits[VMX_EXIT_COUNT] = {
	[VMX_EXIT_EXCEPTION_NMI]	= { TPZ_EXIT_EXCEPTION, Q, decode_exception },
	[VMX_EXIT_EXTERNAL_INTERRUPT]	= { TPZ_EXIT_HOST_INTERRUPT },
	[VMX_EXIT_TRIPLE_FAULT]		= { TPZ_EXIT_TRIPLE_FAULT },
	[VMX_EXIT_INIT]			= { TPZ_EXIT_INIT },
	[VMX_EXIT_SIPI]			= { TPZ_EXIT_SIPI, Q },
	[VMX_EXIT_IO_SMI]		= { TPZ_EXIT_SMI, Q },
	[VMX_EXIT_OTHER_SMI]		= { TPZ_EXIT_SMI },
	[VMX_EXIT_INTERRUPT_WINDOW]	= { TPZ_EXIT_INTR_WINDOW },
	[VMX_EXIT_NMI_WINDOW]		= { TPZ_EXIT_NMI_WINDOW },
	[VMX_EXIT_TASK_SWITCH]		= { TPZ_EXIT_TASK_SWITCH, Q | L, decode_task_switch },
	[VMX_EXIT_CPUID]		= { TPZ_EXIT_CPUID, L },
	[VMX_EXIT_GETSEC]		= { TPZ_EXIT_GETSEC, L },
	[VMX_EXIT_HLT]			= { TPZ_EXIT_HLT, L },
	[VMX_EXIT_INVD]			= { TPZ_EXIT_INVD, L },
	[VMX_EXIT_INVLPG]		= { TPZ_EXIT_INVLPG, Q | L, decode_invlpg },
	[VMX_EXIT_RDPMC]		= { TPZ_EXIT_RDPMC, L },
	[VMX_EXIT_RDTSC]		= { TPZ_EXIT_RDTSC, L },
	[VMX_EXIT_RSM]			= { TPZ_EXIT_RSM, L },
	[VMX_EXIT_VMCALL]		= { TPZ_EXIT_HYPERCALL, L },
	[VMX_EXIT_VMCLEAR]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMLAUNCH]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMPTRLD]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMPTRST]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMREAD]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMRESUME]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMWRITE]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMXOFF]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_VMXON]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_CR_ACCESS]		= { TPZ_EXIT_CR, Q | L, decode_cr },
	[VMX_EXIT_MOV_DR]		= { TPZ_EXIT_DR, Q | L, decode_dr },
	[VMX_EXIT_IO_INSTRUCTION]	= { TPZ_EXIT_IO, Q | L, decode_io },
	[VMX_EXIT_RDMSR]		= { TPZ_EXIT_MSR_READ, L },
	[VMX_EXIT_WRMSR]		= { TPZ_EXIT_MSR_WRITE, L },
	[VMX_EXIT_INVALID_GUEST_STATE]	= { TPZ_EXIT_ENTRY_FAILED, Q },	/* with the failure bit: enter.c */
	[VMX_EXIT_MSR_LOADING]		= { TPZ_EXIT_ENTRY_FAILED, Q },
	[VMX_EXIT_MWAIT]		= { TPZ_EXIT_MWAIT, Q | L },
	[VMX_EXIT_MONITOR_TRAP_FLAG]	= { TPZ_EXIT_SINGLE_STEP },
	[VMX_EXIT_MONITOR]		= { TPZ_EXIT_MONITOR, L },
	[VMX_EXIT_PAUSE]		= { TPZ_EXIT_PAUSE, L },
	[VMX_EXIT_MACHINE_CHECK]	= { TPZ_EXIT_MACHINE_CHECK },
	[VMX_EXIT_TPR_BELOW_THRESHOLD]	= { TPZ_EXIT_TPR },
	[VMX_EXIT_APIC_ACCESS]		= { TPZ_EXIT_APIC_ACCESS, Q | L },
	[VMX_EXIT_VIRTUALIZED_EOI]	= { TPZ_EXIT_APIC_EOI, Q },
	[VMX_EXIT_GDTR_IDTR_ACCESS]	= { TPZ_EXIT_DT_ACCESS, Q | L, decode_gdtr_idtr },
	[VMX_EXIT_LDTR_TR_ACCESS]	= { TPZ_EXIT_DT_ACCESS, Q | L, decode_ldtr_tr },
	[VMX_EXIT_EPT_VIOLATION]	= { TPZ_EXIT_NPF, Q, decode_npf },
	[VMX_EXIT_EPT_MISCONFIGURATION]	= { TPZ_EXIT_NPF_MISCONFIG, 0, decode_misconfig },
	[VMX_EXIT_INVEPT]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_RDTSCP]		= { TPZ_EXIT_RDTSCP, L },
	[VMX_EXIT_PREEMPTION_TIMER]	= { TPZ_EXIT_TIMER },
	[VMX_EXIT_INVVPID]		= { TPZ_EXIT_VIRT_INSN, L },
	[VMX_EXIT_WBINVD]		= { TPZ_EXIT_WBINVD, L },
	[VMX_EXIT_XSETBV]		= { TPZ_EXIT_XSETBV, L },
	[VMX_EXIT_APIC_WRITE]		= { TPZ_EXIT_APIC_WRITE, Q },
	[VMX_EXIT_RDRAND]		= { TPZ_EXIT_RDRAND, L, decode_rdrand },
	[VMX_EXIT_INVPCID]		= { TPZ_EXIT_INVPCID, Q | L, decode_invpcid },
	[VMX_EXIT_VMFUNC]		= { TPZ_EXIT_VMFUNC, L },
	[VMX_EXIT_ENCLS]		= { TPZ_EXIT_ENCLS, L },
	[VMX_EXIT_RDSEED]		= { TPZ_EXIT_RDSEED, L, decode_rdrand },
	[VMX_EXIT_PML_FULL]		= { TPZ_EXIT_PML_FULL },
	[VMX_EXIT_XSAVES]		= { TPZ_EXIT_XSAVES, L },
	[VMX_EXIT_XRSTORS]		= { TPZ_EXIT_XSAVES, L },
	[VMX_EXIT_PCONFIG]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_SPP]			= { TPZ_EXIT_OTHER, Q },
	[VMX_EXIT_UMWAIT]		= { TPZ_EXIT_UMWAIT, L },
	[VMX_EXIT_TPAUSE]		= { TPZ_EXIT_UMWAIT, L },
	[VMX_EXIT_LOADIWKEY]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_ENCLV]		= { TPZ_EXIT_ENCLS, L },
	[VMX_EXIT_ENQCMD_PASID]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_ENQCMDS_PASID]	= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_BUS_LOCK]		= { TPZ_EXIT_BUS_LOCK },
	[VMX_EXIT_INSTRUCTION_TIMEOUT]	= { TPZ_EXIT_NOTIFY, Q },
	[VMX_EXIT_SEAMCALL]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_TDCALL]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_RDMSRLIST]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_WRMSRLIST]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_URDMSR]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_UWRMSR]		= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_RDMSR_IMMEDIATE]	= { TPZ_EXIT_OTHER, L },
	[VMX_EXIT_WRMSRNS_IMMEDIATE]	= { TPZ_EXIT_OTHER, L },
};

/**
 * vmx_decode_exit() - v->exit out of the VMCS
 * @v: the vCPU
 * @reason: the exit-reason word, of an entry that did not fail
 */
void vmx_decode_exit(struct tpz_vcpu *v, u32 reason)
{
	u32 basic = reason & VMX_EXIT_BASIC_REASON;
	struct tpz_exit *x = &v->exit;

	x->raw_reason = reason;
	x->insn_bytes = 0;
	x->decode = false;
	x->qualification = 0;
	if (unlikely(basic >= VMX_EXIT_COUNT)) {
		x->reason = TPZ_EXIT_UNKNOWN;
		x->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
		return;
	}
	x->reason = exits[basic].reason;	/* a gap of the table: 0, TPZ_EXIT_UNKNOWN */
	if (exits[basic].valid & Q)
		x->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
	if (exits[basic].valid & L)
		x->insn_bytes = vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH);
	if (exits[basic].decode)
		exits[basic].decode(v);
}
