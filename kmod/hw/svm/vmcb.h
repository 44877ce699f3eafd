/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMCB in numbers: its layout, the bits of its words, exit codes (AMD APM vol. 2, appendices B and C). Needs nothing
 * beyond linux/types.h and linux/bits.h, so that unit tests compile it in user space.
 *
 * Reading order: 1. layout  2. intercepts  3. control words  4. events  5. exit codes  6. CPUID and MSR bits
 */
#ifndef TPZ_SVM_VMCB_H
#define TPZ_SVM_VMCB_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

/* ---- 1. Layout (appendix B, tables B-1 and B-2) */

struct vmcb_segment {
	u16 selector;
	u16 attributes;		/* VMCB_ATTR_* */
	u32 limit;
	u64 base;
};

struct vmcb_control {
	u32 intercept_cr;		/* 000h: reads of CR0 to 15, then writes */
	u32 intercept_dr;
	u32 intercept_exceptions;
	u32 intercept3;			/* INTERCEPT3_* */
	u32 intercept4;			/* INTERCEPT4_* */
	u32 intercept5;			/* INTERCEPT5_* */
	u8 reserved_018[0x24];
	u16 pause_filter_threshold;	/* 03ch */
	u16 pause_filter_count;
	u64 iopm_base_pa;		/* 040h */
	u64 msrpm_base_pa;
	u64 tsc_offset;			/* 050h */
	u32 guest_asid;
	u8 tlb_control;			/* TLB_CONTROL_* */
	u8 reserved_05d[3];
	u64 vintr;			/* 060h: VINTR_* */
	u64 interrupt_shadow;		/* INTERRUPT_SHADOW */
	u64 exitcode;			/* 070h */
	u64 exitinfo1;
	u64 exitinfo2;			/* 080h */
	u64 exitintinfo;		/* format of eventinj */
	u64 np_enable;			/* 090h: NP_ENABLE, … */
	u64 avic_apic_bar;
	u64 ghcb_pa;
	u64 eventinj;			/* 0a8h: SVM_EVENT_* */
	u64 n_cr3;
	u64 lbr_virtualization;
	u64 clean;			/* 0c0h: CLEAN_* */
	u64 nrip;
	u8 fetched_bytes;		/* 0d0h */
	u8 guest_bytes[15];
	u64 avic_backing_page;		/* 0e0h */
	u64 reserved_0e8;
	u64 avic_logical_table;		/* 0f0h */
	u64 avic_physical_table;	/* bits 11:0: the largest index */
	u8 reserved_100[0x300];
};

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;	/* 000h */
	u8 reserved_0a0[0x2b];
	u8 cpl;				/* 0cbh */
	u8 reserved_0cc[4];
	u64 efer;			/* 0d0h */
	u8 reserved_0d8[0x70];
	u64 cr4;			/* 148h */
	u64 cr3;
	u64 cr0;
	u64 dr7;			/* 160h */
	u64 dr6;
	u64 rflags;
	u64 rip;
	u8 reserved_180[0x58];
	u64 rsp;			/* 1d8h */
	u64 s_cet;
	u64 ssp;
	u64 isst_address;
	u64 rax;			/* 1f8h */
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;		/* 220h */
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 cr2;			/* 240h */
	u8 reserved_248[0x20];
	u64 g_pat;			/* 268h */
	u64 debugctl;
	u64 last_branch_from;
	u64 last_branch_to;
	u64 last_exception_from;
	u64 last_exception_to;		/* 290h */
	u64 debug_extension_ctl;
	u8 reserved_2a0[0x40];
	u64 spec_ctrl;			/* 2e0h */
	u8 reserved_2e8[0x918];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;		/* 400h */
};

static_assert(offsetof(struct vmcb, control.intercept5) == 0x14);
static_assert(offsetof(struct vmcb, control.iopm_base_pa) == 0x40);
static_assert(offsetof(struct vmcb, control.exitcode) == 0x70);
static_assert(offsetof(struct vmcb, control.eventinj) == 0xa8);
static_assert(offsetof(struct vmcb, control.nrip) == 0xc8);
static_assert(offsetof(struct vmcb, control.avic_physical_table) == 0xf8);
static_assert(offsetof(struct vmcb, save) == 0x400);
static_assert(offsetof(struct vmcb, save.cpl) == 0x4cb);
static_assert(offsetof(struct vmcb, save.cr4) == 0x548);
static_assert(offsetof(struct vmcb, save.rsp) == 0x5d8);
static_assert(offsetof(struct vmcb, save.rax) == 0x5f8);
static_assert(offsetof(struct vmcb, save.cr2) == 0x640);
static_assert(offsetof(struct vmcb, save.last_exception_to) == 0x690);
static_assert(offsetof(struct vmcb, save.spec_ctrl) == 0x6e0);
static_assert(sizeof(struct vmcb) == 4096);

/*
 * The fields that VMRUN reads, by a number each: bits 11:0 the offset, bits 15:12 log2 of the width in bytes. TPZ_POKE and
 * the rules of rules.c know them by it. Names are appendix B's.
 */
#define VMCB_LOG2(bytes)	((bytes) == 8 ? 3 : (bytes) == 4 ? 2 : (bytes) == 2 ? 1 : 0)
#define VMCB_FIELD(member)								\
	(offsetof(struct vmcb, member) | VMCB_LOG2(sizeof(((struct vmcb *)0)->member)) << 12)
#define VMCB_FIELD_OFFSET(field)	((field) & 0xfffU)
#define VMCB_FIELD_BYTES(field)		(1U << ((field) >> 12))

#define VMCB_SEGMENT_FIELDS(X, NAME, member)				\
	X(NAME##_SELECTOR,	save.member.selector)			\
	X(NAME##_ATTRIBUTES,	save.member.attributes)			\
	X(NAME##_LIMIT,		save.member.limit)			\
	X(NAME##_BASE,		save.member.base)

#define VMCB_FIELDS(X)							\
	X(INTERCEPT_CR,		control.intercept_cr)			\
	X(INTERCEPT_DR,		control.intercept_dr)			\
	X(INTERCEPT_EXCEPTIONS,	control.intercept_exceptions)		\
	X(INTERCEPT3,		control.intercept3)			\
	X(INTERCEPT4,		control.intercept4)			\
	X(INTERCEPT5,		control.intercept5)			\
	X(PAUSE_FILTER_THRESHOLD, control.pause_filter_threshold)	\
	X(PAUSE_FILTER_COUNT,	control.pause_filter_count)		\
	X(IOPM_BASE_PA,		control.iopm_base_pa)			\
	X(MSRPM_BASE_PA,	control.msrpm_base_pa)			\
	X(TSC_OFFSET,		control.tsc_offset)			\
	X(GUEST_ASID,		control.guest_asid)			\
	X(TLB_CONTROL,		control.tlb_control)			\
	X(VINTR,		control.vintr)				\
	X(INTERRUPT_SHADOW,	control.interrupt_shadow)		\
	X(NP_ENABLE,		control.np_enable)			\
	X(AVIC_APIC_BAR,	control.avic_apic_bar)			\
	X(EVENTINJ,		control.eventinj)			\
	X(N_CR3,		control.n_cr3)				\
	X(LBR_VIRTUALIZATION,	control.lbr_virtualization)		\
	X(CLEAN,		control.clean)				\
	X(NRIP,			control.nrip)				\
	X(AVIC_BACKING_PAGE,	control.avic_backing_page)		\
	X(AVIC_LOGICAL_TABLE,	control.avic_logical_table)		\
	X(AVIC_PHYSICAL_TABLE,	control.avic_physical_table)		\
	VMCB_SEGMENT_FIELDS(X, ES, es)					\
	VMCB_SEGMENT_FIELDS(X, CS, cs)					\
	VMCB_SEGMENT_FIELDS(X, SS, ss)					\
	VMCB_SEGMENT_FIELDS(X, DS, ds)					\
	VMCB_SEGMENT_FIELDS(X, FS, fs)					\
	VMCB_SEGMENT_FIELDS(X, GS, gs)					\
	VMCB_SEGMENT_FIELDS(X, GDTR, gdtr)				\
	VMCB_SEGMENT_FIELDS(X, LDTR, ldtr)				\
	VMCB_SEGMENT_FIELDS(X, IDTR, idtr)				\
	VMCB_SEGMENT_FIELDS(X, TR, tr)					\
	X(CPL,			save.cpl)				\
	X(EFER,			save.efer)				\
	X(CR4,			save.cr4)				\
	X(CR3,			save.cr3)				\
	X(CR0,			save.cr0)				\
	X(DR7,			save.dr7)				\
	X(DR6,			save.dr6)				\
	X(RFLAGS,		save.rflags)				\
	X(RIP,			save.rip)				\
	X(RSP,			save.rsp)				\
	X(S_CET,		save.s_cet)				\
	X(SSP,			save.ssp)				\
	X(ISST_ADDR,		save.isst_address)			\
	X(RAX,			save.rax)				\
	X(STAR,			save.star)				\
	X(LSTAR,		save.lstar)				\
	X(CSTAR,		save.cstar)				\
	X(SFMASK,		save.sfmask)				\
	X(KERNEL_GS_BASE,	save.kernel_gs_base)			\
	X(SYSENTER_CS,		save.sysenter_cs)			\
	X(SYSENTER_ESP,		save.sysenter_esp)			\
	X(SYSENTER_EIP,		save.sysenter_eip)			\
	X(CR2,			save.cr2)				\
	X(G_PAT,		save.g_pat)				\
	X(DBGCTL,		save.debugctl)

#define VMCB_FIELD_ENUM_MEMBER(name, member) VMCB_##name = VMCB_FIELD(member),
enum vmcb_field {
	VMCB_FIELDS(VMCB_FIELD_ENUM_MEMBER)
};
#undef VMCB_FIELD_ENUM_MEMBER

/**
 * vmcb_field_name() - the name of a field, for messages
 * @field: its number
 *
 * Return: the name without "VMCB_", or NULL for a number that is not in the list.
 */
const char *vmcb_field_name(u32 field);

/**
 * vmcb_read(), vmcb_write() - a field by its number
 * @vmcb: where it stands
 * @field: its number, one of the list
 */
u64 vmcb_read(const struct vmcb *vmcb, u32 field);
void vmcb_write(struct vmcb *vmcb, u32 field, u64 value);

/* Attributes of a segment: bits 55:52 and 47:40 of its descriptor */
#define VMCB_ATTR_TYPE		0xfU
#define VMCB_ATTR_S		BIT(4)
#define VMCB_ATTR_DPL_SHIFT	5
#define VMCB_ATTR_DPL		(3U << VMCB_ATTR_DPL_SHIFT)
#define VMCB_ATTR_P		BIT(7)
#define VMCB_ATTR_AVL		BIT(8)
#define VMCB_ATTR_L		BIT(9)
#define VMCB_ATTR_DB		BIT(10)
#define VMCB_ATTR_G		BIT(11)

/* ---- 2. Intercepts */

#define INTERCEPT_CR_READ(n)	BIT(n)
#define INTERCEPT_CR_WRITE(n)	BIT(16 + (n))

#define INTERCEPT3_INTR		BIT(0)
#define INTERCEPT3_NMI		BIT(1)
#define INTERCEPT3_SMI		BIT(2)
#define INTERCEPT3_INIT		BIT(3)
#define INTERCEPT3_VINTR	BIT(4)
#define INTERCEPT3_CR0_SELECTIVE BIT(5)
#define INTERCEPT3_IDTR_READ	BIT(6)
#define INTERCEPT3_GDTR_READ	BIT(7)
#define INTERCEPT3_LDTR_READ	BIT(8)
#define INTERCEPT3_TR_READ	BIT(9)
#define INTERCEPT3_IDTR_WRITE	BIT(10)
#define INTERCEPT3_GDTR_WRITE	BIT(11)
#define INTERCEPT3_LDTR_WRITE	BIT(12)
#define INTERCEPT3_TR_WRITE	BIT(13)
#define INTERCEPT3_RDTSC	BIT(14)
#define INTERCEPT3_RDPMC	BIT(15)
#define INTERCEPT3_PUSHF	BIT(16)
#define INTERCEPT3_POPF		BIT(17)
#define INTERCEPT3_CPUID	BIT(18)
#define INTERCEPT3_RSM		BIT(19)
#define INTERCEPT3_IRET		BIT(20)
#define INTERCEPT3_INTN		BIT(21)
#define INTERCEPT3_INVD		BIT(22)
#define INTERCEPT3_PAUSE	BIT(23)
#define INTERCEPT3_HLT		BIT(24)
#define INTERCEPT3_INVLPG	BIT(25)
#define INTERCEPT3_INVLPGA	BIT(26)
#define INTERCEPT3_IOIO_PROT	BIT(27)
#define INTERCEPT3_MSR_PROT	BIT(28)
#define INTERCEPT3_TASK_SWITCH	BIT(29)
#define INTERCEPT3_FERR_FREEZE	BIT(30)
#define INTERCEPT3_SHUTDOWN	BIT(31)

#define INTERCEPT4_VMRUN	BIT(0)
#define INTERCEPT4_VMMCALL	BIT(1)
#define INTERCEPT4_VMLOAD	BIT(2)
#define INTERCEPT4_VMSAVE	BIT(3)
#define INTERCEPT4_STGI		BIT(4)
#define INTERCEPT4_CLGI		BIT(5)
#define INTERCEPT4_SKINIT	BIT(6)
#define INTERCEPT4_RDTSCP	BIT(7)
#define INTERCEPT4_ICEBP	BIT(8)
#define INTERCEPT4_WBINVD	BIT(9)
#define INTERCEPT4_MONITOR	BIT(10)
#define INTERCEPT4_MWAIT	BIT(11)
#define INTERCEPT4_MWAIT_ARMED	BIT(12)
#define INTERCEPT4_XSETBV	BIT(13)
#define INTERCEPT4_RDPRU	BIT(14)
#define INTERCEPT4_EFER_WRITE	BIT(15)		/* after it; and bits 31:16: writes of CR0 to 15 */

#define INTERCEPT5_INVLPGB	BIT(0)
#define INTERCEPT5_INVLPGB_ILLEGAL BIT(1)
#define INTERCEPT5_INVPCID	BIT(2)
#define INTERCEPT5_MCOMMIT	BIT(3)
#define INTERCEPT5_TLBSYNC	BIT(4)
#define INTERCEPT5_BUS_LOCK	BIT(5)
#define INTERCEPT5_IDLE_HLT	BIT(6)

/* ---- 3. Control words */

#define TLB_CONTROL_NOTHING	0
#define TLB_CONTROL_FLUSH_ALL	1
#define TLB_CONTROL_FLUSH_ASID	3
#define TLB_CONTROL_FLUSH_ASID_NON_GLOBAL 7

#define VINTR_V_TPR		0xffULL		/* CR8, as the guest reads it */
#define VINTR_V_IRQ		BIT_ULL(8)
#define VINTR_VGIF		BIT_ULL(9)
#define VINTR_V_NMI		BIT_ULL(11)
#define VINTR_V_NMI_MASK	BIT_ULL(12)
#define VINTR_V_INTR_PRIO	(0xfULL << 16)
#define VINTR_V_IGN_TPR		BIT_ULL(20)
#define VINTR_V_INTR_MASKING	BIT_ULL(24)
#define VINTR_V_VECTOR_SHIFT	32
#define VINTR_V_VECTOR		(0xffULL << VINTR_V_VECTOR_SHIFT)
#define VINTR_VGIF_ENABLE	BIT_ULL(25)
#define VINTR_V_NMI_ENABLE	BIT_ULL(26)
#define VINTR_X2AVIC_ENABLE	BIT_ULL(30)
#define VINTR_AVIC_ENABLE	BIT_ULL(31)

#define INTERRUPT_SHADOW	BIT_ULL(0)

#define NP_ENABLE		BIT_ULL(0)
#define NP_GMET			BIT_ULL(3)	/* the user bit of an entry forbids execution by supervisors */
#define NP_SSS			BIT_ULL(4)	/* supervisor shadow stacks stand on marked pages */
#define NP_ROGPT		BIT_ULL(6)	/* walks of the guest's tables are reads, where they set no bit */

#define AVIC_MAX_INDEX		GENMASK_ULL(11, 0)	/* of avic_physical_table */

/* Clean bits (15.15.3): what of the VMCB has not been written since the last exit. CPUs without them ignore the word */
#define CLEAN_INTERCEPTS	BIT_ULL(0)	/* and TSC offset, pause filter */
#define CLEAN_MAPS		BIT_ULL(1)
#define CLEAN_ASID		BIT_ULL(2)
#define CLEAN_TPR		BIT_ULL(3)	/* the word @vintr */
#define CLEAN_NP		BIT_ULL(4)	/* nested CR3, G_PAT */
#define CLEAN_CR		BIT_ULL(5)	/* CR0, CR3, CR4, EFER */
#define CLEAN_DR		BIT_ULL(6)
#define CLEAN_DT		BIT_ULL(7)	/* GDTR, IDTR */
#define CLEAN_SEG		BIT_ULL(8)	/* CS, DS, ES, SS, CPL */
#define CLEAN_CR2		BIT_ULL(9)
#define CLEAN_LBR		BIT_ULL(10)
#define CLEAN_AVIC		BIT_ULL(11)
#define CLEAN_CET		BIT_ULL(12)	/* S_CET, SSP, ISST_ADDR */
#define CLEAN_ALL		GENMASK_ULL(10, 0)

/* ---- 4. Events: EVENTINJ and EXITINTINFO (15.20) */

#define SVM_EVENT_VECTOR		0xffULL
#define SVM_EVENT_TYPE_SHIFT	8
#define SVM_EVENT_TYPE		(7ULL << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_TYPE_INTR		0ULL
#define SVM_EVENT_TYPE_NMI		2ULL
#define SVM_EVENT_TYPE_EXCEPTION	3ULL
#define SVM_EVENT_TYPE_SOFT		4ULL	/* INT n */
#define SVM_EVENT_EV		BIT_ULL(11)	/* the error code in bits 63:32 is valid */
#define SVM_EVENT_VALID		BIT_ULL(31)
#define SVM_EVENT_ERROR_SHIFT	32

/* ---- 5. Exit codes (appendix C, table C-1) */

#define SVM_EXIT_CODES(X)				\
	X(SVM_EXIT_CR_READ,		0x000)	/* to 00fh: CR0 to CR15 */ \
	X(SVM_EXIT_CR_WRITE,		0x010)		\
	X(SVM_EXIT_DR_READ,		0x020)		\
	X(SVM_EXIT_DR_WRITE,		0x030)		\
	X(SVM_EXIT_EXCEPTION,		0x040)	/* to 05fh: vector 0 to 31 */ \
	X(SVM_EXIT_INTR,		0x060)		\
	X(SVM_EXIT_NMI,			0x061)		\
	X(SVM_EXIT_SMI,			0x062)		\
	X(SVM_EXIT_INIT,		0x063)		\
	X(SVM_EXIT_VINTR,		0x064)		\
	X(SVM_EXIT_CR0_SEL_WRITE,	0x065)		\
	X(SVM_EXIT_IDTR_READ,		0x066)		\
	X(SVM_EXIT_GDTR_READ,		0x067)		\
	X(SVM_EXIT_LDTR_READ,		0x068)		\
	X(SVM_EXIT_TR_READ,		0x069)		\
	X(SVM_EXIT_IDTR_WRITE,		0x06a)		\
	X(SVM_EXIT_GDTR_WRITE,		0x06b)		\
	X(SVM_EXIT_LDTR_WRITE,		0x06c)		\
	X(SVM_EXIT_TR_WRITE,		0x06d)		\
	X(SVM_EXIT_RDTSC,		0x06e)		\
	X(SVM_EXIT_RDPMC,		0x06f)		\
	X(SVM_EXIT_PUSHF,		0x070)		\
	X(SVM_EXIT_POPF,		0x071)		\
	X(SVM_EXIT_CPUID,		0x072)		\
	X(SVM_EXIT_RSM,			0x073)		\
	X(SVM_EXIT_IRET,		0x074)		\
	X(SVM_EXIT_SWINT,		0x075)		\
	X(SVM_EXIT_INVD,		0x076)		\
	X(SVM_EXIT_PAUSE,		0x077)		\
	X(SVM_EXIT_HLT,			0x078)		\
	X(SVM_EXIT_INVLPG,		0x079)		\
	X(SVM_EXIT_INVLPGA,		0x07a)		\
	X(SVM_EXIT_IOIO,		0x07b)		\
	X(SVM_EXIT_MSR,			0x07c)		\
	X(SVM_EXIT_TASK_SWITCH,		0x07d)		\
	X(SVM_EXIT_FERR_FREEZE,		0x07e)		\
	X(SVM_EXIT_SHUTDOWN,		0x07f)		\
	X(SVM_EXIT_VMRUN,		0x080)		\
	X(SVM_EXIT_VMMCALL,		0x081)		\
	X(SVM_EXIT_VMLOAD,		0x082)		\
	X(SVM_EXIT_VMSAVE,		0x083)		\
	X(SVM_EXIT_STGI,		0x084)		\
	X(SVM_EXIT_CLGI,		0x085)		\
	X(SVM_EXIT_SKINIT,		0x086)		\
	X(SVM_EXIT_RDTSCP,		0x087)		\
	X(SVM_EXIT_ICEBP,		0x088)		\
	X(SVM_EXIT_WBINVD,		0x089)		\
	X(SVM_EXIT_MONITOR,		0x08a)		\
	X(SVM_EXIT_MWAIT,		0x08b)		\
	X(SVM_EXIT_MWAIT_CONDITIONAL,	0x08c)		\
	X(SVM_EXIT_XSETBV,		0x08d)		\
	X(SVM_EXIT_RDPRU,		0x08e)		\
	X(SVM_EXIT_EFER_WRITE_TRAP,	0x08f)		\
	X(SVM_EXIT_CR_WRITE_TRAP,	0x090)	/* to 09fh */ \
	X(SVM_EXIT_INVLPGB,		0x0a0)		\
	X(SVM_EXIT_INVLPGB_ILLEGAL,	0x0a1)		\
	X(SVM_EXIT_INVPCID,		0x0a2)		\
	X(SVM_EXIT_MCOMMIT,		0x0a3)		\
	X(SVM_EXIT_TLBSYNC,		0x0a4)		\
	X(SVM_EXIT_BUSLOCK,		0x0a5)		\
	X(SVM_EXIT_IDLE_HLT,		0x0a6)		\
	X(SVM_EXIT_NPF,			0x400)		\
	X(SVM_EXIT_AVIC_INCOMPLETE_IPI,	0x401)		\
	X(SVM_EXIT_AVIC_NOACCEL,	0x402)		\
	X(SVM_EXIT_VMGEXIT,		0x403)

#define SVM_EXIT_ENUM_MEMBER(name, number) name = number,
enum svm_exit_code {
	SVM_EXIT_CODES(SVM_EXIT_ENUM_MEMBER)
};
#undef SVM_EXIT_ENUM_MEMBER

#define SVM_EXIT_INVALID	(~0ULL)		/* the VMCB broke a rule of 15.5.1 */
#define SVM_EXIT_BUSY		(~1ULL)		/* SEV-ES: the VMSA is in use */
#define SVM_EXIT_IDLE_REQUIRED	(~2ULL)		/* SEV-SNP: the sibling thread is not idle */
#define SVM_EXIT_INVALID_PMC	(~3ULL)		/* illegal state of the virtual performance counters */

/* Was VMRUN refused? QEMU's TCG writes only the code's lower half */
static inline bool svm_refused(u64 exitcode)
{
	return (u32)exitcode == (u32)SVM_EXIT_INVALID;
}

/**
 * svm_exit_name() - the name of an exit code, for messages
 * @exitcode: the code
 *
 * Return: the name without "SVM_EXIT_", for a range (CR_READ, EXCEPTION, …) that of its first code; NULL if unknown.
 */
const char *svm_exit_name(u64 exitcode);

/* EXITINFO1 of IOIO (15.10.2) */
#define IOIO_IN			BIT(0)
#define IOIO_STRING		BIT(2)
#define IOIO_REP		BIT(3)
#define IOIO_SIZE_SHIFT		4	/* bits 6:4: 8, 16, 32 bits: the size in bytes */
#define IOIO_ADDRESS_SHIFT	7	/* bits 9:7: 16, 32, 64 bits: the size in bytes, halved */
#define IOIO_SEGMENT_SHIFT	10	/* bits 12:10, with decode assists */
#define IOIO_PORT_SHIFT		16

/* EXITINFO1 of a nested page fault, beside the bits of a page fault (15.25.6) */
#define NPF_FINAL		BIT_ULL(32)	/* the guest's final physical address */
#define NPF_PAGE_WALK		BIT_ULL(33)	/* the guest's own page table */

/* EXITINFO1 of MOV CR, with decode assists */
#define CR_MOV			BIT_ULL(63)
#define CR_GPR			0xfULL

/* EXITINFO2 of a task switch (15.14.1) */
#define TASK_SWITCH_IRET	BIT_ULL(36)
#define TASK_SWITCH_JMP		BIT_ULL(38)
#define TASK_SWITCH_HAS_ERROR	BIT_ULL(44)

/* ---- 6. CPUID leaf 8000000ah, EDX and ECX; MSR bits */

#define SVM_CPUID_NP		BIT(0)
#define SVM_CPUID_LBR		BIT(1)
#define SVM_CPUID_LOCK		BIT(2)
#define SVM_CPUID_NRIPS		BIT(3)
#define SVM_CPUID_TSC_RATE	BIT(4)
#define SVM_CPUID_CLEAN_BITS	BIT(5)
#define SVM_CPUID_FLUSH_BY_ASID	BIT(6)
#define SVM_CPUID_DECODE_ASSISTS BIT(7)
#define SVM_CPUID_PAUSE_FILTER	BIT(10)
#define SVM_CPUID_PAUSE_THRESHOLD BIT(12)
#define SVM_CPUID_AVIC		BIT(13)
#define SVM_CPUID_VIRTUAL_VMLOAD BIT(15)
#define SVM_CPUID_VGIF		BIT(16)
#define SVM_CPUID_GMET		BIT(17)
#define SVM_CPUID_X2AVIC	BIT(18)
#define SVM_CPUID_SSS		BIT(19)
#define SVM_CPUID_SPEC_CTRL	BIT(20)
#define SVM_CPUID_ROGPT		BIT(21)
#define SVM_CPUID_VNMI		BIT(25)
#define SVM_CPUID_BUS_LOCK	BIT(29)
#define SVM_CPUID_IDLE_HLT	BIT(30)
#define SVM_CPUID_ECX_X2AVIC_EXT BIT(6)

#define MSR_VM_CR_SVMDIS	BIT_ULL(4)
#define MSR_VM_CR_LOCK		BIT_ULL(3)

/* Bits of EFER that older kernels' headers do not name (3.1.7) */
#define SVM_EFER_TCE		BIT_ULL(15)
#define SVM_EFER_MCOMMIT	BIT_ULL(17)
#define SVM_EFER_INTWB		BIT_ULL(18)
#define SVM_EFER_UAIE		BIT_ULL(20)
#define SVM_EFER_AIBRSE		BIT_ULL(21)

#endif /* TPZ_SVM_VMCB_H */
