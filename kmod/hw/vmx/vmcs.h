/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMCS in numbers: its fields (vmcs_fields.h), the bits of the words held in them, exit reasons and
 * the capability words that say which of those bits this CPU knows.
 *
 * Every number is the Intel SDM's (volume 3, edition 092 of June 2026): the fields are its
 * appendix B, the exit reasons its appendix C, the capability words its appendix A, and the bits
 * its chapter 27, "Virtual Machine Control Structures". Nothing here touches the CPU, and nothing
 * beyond linux/types.h and linux/bits.h is needed, so that unit tests compile it in user space.
 *
 * Reading order: 1. controls  2. events  3. guest state  4. exit reasons  5. capability MSRs
 *                6. instruction errors
 */
#ifndef TPZ_HW_VMX_VMCS_H
#define TPZ_HW_VMX_VMCS_H

#include <linux/bits.h>
#include <linux/types.h>
#include "vmcs_fields.h"

/*
 * 1. Controls
 */

/* Pin-based VM-execution controls */
#define PIN_EXTERNAL_INTERRUPT_EXITING		BIT(0)
#define PIN_NMI_EXITING				BIT(3)
#define PIN_VIRTUAL_NMIS			BIT(5)
#define PIN_PREEMPTION_TIMER			BIT(6)
#define PIN_PROCESS_POSTED_INTERRUPTS		BIT(7)

/* Primary processor-based VM-execution controls */
#define PRIMARY_INTERRUPT_WINDOW_EXITING	BIT(2)
#define PRIMARY_USE_TSC_OFFSETTING		BIT(3)
#define PRIMARY_HLT_EXITING			BIT(7)
#define PRIMARY_INVLPG_EXITING			BIT(9)
#define PRIMARY_MWAIT_EXITING			BIT(10)
#define PRIMARY_RDPMC_EXITING			BIT(11)
#define PRIMARY_RDTSC_EXITING			BIT(12)
#define PRIMARY_CR3_LOAD_EXITING		BIT(15)
#define PRIMARY_CR3_STORE_EXITING		BIT(16)
#define PRIMARY_ACTIVATE_TERTIARY		BIT(17)
#define PRIMARY_CR8_LOAD_EXITING		BIT(19)
#define PRIMARY_CR8_STORE_EXITING		BIT(20)
#define PRIMARY_USE_TPR_SHADOW			BIT(21)
#define PRIMARY_NMI_WINDOW_EXITING		BIT(22)
#define PRIMARY_MOV_DR_EXITING			BIT(23)
#define PRIMARY_UNCONDITIONAL_IO_EXITING	BIT(24)
#define PRIMARY_USE_IO_BITMAPS			BIT(25)
#define PRIMARY_MONITOR_TRAP_FLAG		BIT(27)
#define PRIMARY_USE_MSR_BITMAPS			BIT(28)
#define PRIMARY_MONITOR_EXITING			BIT(29)
#define PRIMARY_PAUSE_EXITING			BIT(30)
#define PRIMARY_ACTIVATE_SECONDARY		BIT(31)

/* Secondary processor-based VM-execution controls */
#define SECONDARY_VIRTUALIZE_APIC_ACCESSES	BIT(0)
#define SECONDARY_ENABLE_EPT			BIT(1)
#define SECONDARY_DESCRIPTOR_TABLE_EXITING	BIT(2)
#define SECONDARY_ENABLE_RDTSCP			BIT(3)
#define SECONDARY_VIRTUALIZE_X2APIC		BIT(4)
#define SECONDARY_ENABLE_VPID			BIT(5)
#define SECONDARY_WBINVD_EXITING		BIT(6)
#define SECONDARY_UNRESTRICTED_GUEST		BIT(7)
#define SECONDARY_APIC_REGISTER_VIRTUALIZATION	BIT(8)
#define SECONDARY_VIRTUAL_INTERRUPT_DELIVERY	BIT(9)
#define SECONDARY_PAUSE_LOOP_EXITING		BIT(10)
#define SECONDARY_RDRAND_EXITING		BIT(11)
#define SECONDARY_ENABLE_INVPCID		BIT(12)
#define SECONDARY_ENABLE_VM_FUNCTIONS		BIT(13)
#define SECONDARY_VMCS_SHADOWING		BIT(14)
#define SECONDARY_ENCLS_EXITING			BIT(15)
#define SECONDARY_RDSEED_EXITING		BIT(16)
#define SECONDARY_ENABLE_PML			BIT(17)
#define SECONDARY_EPT_VIOLATION_VE		BIT(18)
#define SECONDARY_CONCEAL_VMX_FROM_PT		BIT(19)
#define SECONDARY_ENABLE_XSAVES			BIT(20)
#define SECONDARY_ENABLE_PASID_TRANSLATION	BIT(21)
#define SECONDARY_MODE_BASED_EXECUTE		BIT(22)
#define SECONDARY_SUB_PAGE_WRITE_PERMISSIONS	BIT(23)
#define SECONDARY_PT_USES_GUEST_PHYSICAL	BIT(24)
#define SECONDARY_USE_TSC_SCALING		BIT(25)
#define SECONDARY_ENABLE_USER_WAIT_PAUSE	BIT(26)
#define SECONDARY_ENABLE_PCONFIG		BIT(27)
#define SECONDARY_ENCLV_EXITING			BIT(28)
#define SECONDARY_BUS_LOCK_DETECTION		BIT(30)
#define SECONDARY_INSTRUCTION_TIMEOUT		BIT(31)

/* Tertiary processor-based VM-execution controls (64 bits) */
#define TERTIARY_LOADIWKEY_EXITING		BIT_ULL(0)
#define TERTIARY_ENABLE_HLAT			BIT_ULL(1)
#define TERTIARY_EPT_PAGING_WRITE_CONTROL	BIT_ULL(2)
#define TERTIARY_GUEST_PAGING_VERIFICATION	BIT_ULL(3)
#define TERTIARY_IPI_VIRTUALIZATION		BIT_ULL(4)
#define TERTIARY_SEAM_GUEST_PHYSICAL_WIDTH	BIT_ULL(5)
#define TERTIARY_ENABLE_MSR_LIST		BIT_ULL(6)
#define TERTIARY_VIRTUALIZE_SPEC_CTRL		BIT_ULL(7)
#define TERTIARY_APIC_TIMER_VIRTUALIZATION	BIT_ULL(8)
#define TERTIARY_ENABLE_PBNDKB			BIT_ULL(9)
#define TERTIARY_PEBS_USES_GUEST_PHYSICAL	BIT_ULL(12)

/* Primary VM-exit controls */
#define EXIT_SAVE_DEBUG_CONTROLS		BIT(2)
#define EXIT_HOST_ADDRESS_SPACE_SIZE		BIT(9)
#define EXIT_LOAD_IA32_PERF_GLOBAL_CTRL		BIT(12)
#define EXIT_ACKNOWLEDGE_INTERRUPT		BIT(15)
#define EXIT_SAVE_IA32_PAT			BIT(18)
#define EXIT_LOAD_IA32_PAT			BIT(19)
#define EXIT_SAVE_IA32_EFER			BIT(20)
#define EXIT_LOAD_IA32_EFER			BIT(21)
#define EXIT_SAVE_PREEMPTION_TIMER		BIT(22)
#define EXIT_CLEAR_IA32_BNDCFGS			BIT(23)
#define EXIT_CONCEAL_VMX_FROM_PT		BIT(24)
#define EXIT_CLEAR_IA32_RTIT_CTL		BIT(25)
#define EXIT_CLEAR_IA32_LBR_CTL			BIT(26)
#define EXIT_CLEAR_UINV				BIT(27)
#define EXIT_LOAD_CET_STATE			BIT(28)
#define EXIT_LOAD_PKRS				BIT(29)
#define EXIT_SAVE_IA32_PERF_GLOBAL_CTRL		BIT(30)
#define EXIT_ACTIVATE_SECONDARY			BIT(31)

/* Secondary VM-exit controls (64 bits) */
#define SECONDARY_EXIT_SAVE_FRED		BIT_ULL(0)
#define SECONDARY_EXIT_LOAD_FRED		BIT_ULL(1)
#define SECONDARY_EXIT_LOAD_IA32_SPEC_CTRL	BIT_ULL(2)
#define SECONDARY_EXIT_SHADOW_STACK_BUSY	BIT_ULL(3)

/* VM-entry controls */
#define ENTRY_LOAD_DEBUG_CONTROLS		BIT(2)
#define ENTRY_IA32E_MODE_GUEST			BIT(9)
#define ENTRY_TO_SMM				BIT(10)
#define ENTRY_DEACTIVATE_DUAL_MONITOR		BIT(11)
#define ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL	BIT(13)
#define ENTRY_LOAD_IA32_PAT			BIT(14)
#define ENTRY_LOAD_IA32_EFER			BIT(15)
#define ENTRY_LOAD_IA32_BNDCFGS			BIT(16)
#define ENTRY_CONCEAL_VMX_FROM_PT		BIT(17)
#define ENTRY_LOAD_IA32_RTIT_CTL		BIT(18)
#define ENTRY_LOAD_UINV				BIT(19)
#define ENTRY_LOAD_CET_STATE			BIT(20)
#define ENTRY_LOAD_IA32_LBR_CTL			BIT(21)
#define ENTRY_LOAD_PKRS				BIT(22)
#define ENTRY_LOAD_FRED				BIT(23)
#define ENTRY_LOAD_IA32_SPEC_CTRL		BIT(24)
#define ENTRY_ALLOW_SEAM_TELEMETRY		BIT(25)

/* VM-function controls */
#define VM_FUNCTION_EPTP_SWITCHING		BIT_ULL(0)

/* EPTP: memory type of the paging structures, page-walk length minus one, what is enabled */
#define EPTP_MEMORY_TYPE_MASK			0x7ULL
#define EPTP_MEMORY_TYPE_UC			0ULL
#define EPTP_MEMORY_TYPE_WB			6ULL
#define EPTP_WALK_LENGTH_MASK			0x38ULL
#define EPTP_WALK_LENGTH_4			(3ULL << 3)
#define EPTP_WALK_LENGTH_5			(4ULL << 3)
#define EPTP_ACCESSED_DIRTY			BIT_ULL(6)
#define EPTP_SUPERVISOR_SHADOW_STACK		BIT_ULL(7)

/*
 * 2. Events
 *
 * One format for VM-entry interruption information, VM-exit interruption information and
 * IDT-vectoring information; the three differ in their use of bits 11 to 13 only. (The SDM of today
 * calls them injected-event, exiting-event and original-event identification.)
 */
#define INTR_INFO_VECTOR		0xffU
#define INTR_INFO_TYPE			0x700U
#define INTR_INFO_TYPE_SHIFT		8
#define INTR_INFO_EXTERNAL		(0U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_RESERVED_TYPE		(1U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_NMI			(2U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_HARDWARE_EXCEPTION	(3U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_SOFTWARE_INTERRUPT	(4U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_PRIVILEGED_EXCEPTION	(5U << INTR_INFO_TYPE_SHIFT)	/* #DB by INT1 */
#define INTR_INFO_SOFTWARE_EXCEPTION	(6U << INTR_INFO_TYPE_SHIFT)	/* #BP, #OF */
#define INTR_INFO_OTHER_EVENT		(7U << INTR_INFO_TYPE_SHIFT)
#define INTR_INFO_ERROR_CODE		BIT(11)		/* entry: deliver it; exit: it is valid */
#define INTR_INFO_NMI_UNBLOCKING	BIT(12)		/* exit only: by an IRET */
#define INTR_INFO_NESTED_EXCEPTION	BIT(13)		/* met while FRED delivered an event */
#define INTR_INFO_VALID			BIT(31)

/* Vectors of the type "other event" */
#define INTR_OTHER_MTF			0	/* a monitor-trap-flag exit is made pending */
#define INTR_OTHER_SYSCALL		1	/* by FRED's event delivery, as the next one */
#define INTR_OTHER_SYSENTER		2

/*
 * 3. Guest state
 */

/* Access rights of a segment. (The kernel's own AR_* are the descriptor's bits, 8 higher.) */
#define VMCS_AR_TYPE			0xfU
#define VMCS_AR_TYPE_ACCESSED		BIT(0)	/* code and data segments */
#define VMCS_AR_TYPE_WRITABLE		BIT(1)	/* data segments */
#define VMCS_AR_TYPE_READABLE		BIT(1)	/* code segments */
#define VMCS_AR_TYPE_EXPAND_DOWN	BIT(2)	/* data segments */
#define VMCS_AR_TYPE_CONFORMING		BIT(2)	/* code segments */
#define VMCS_AR_TYPE_CODE		BIT(3)
#define VMCS_AR_TYPE_LDT		2U	/* system segments, with S clear, from here on */
#define VMCS_AR_TYPE_BUSY_TSS_16	3U
#define VMCS_AR_TYPE_BUSY_TSS		11U	/* 32-bit, and 64-bit in IA-32e mode */
#define VMCS_AR_S			BIT(4)	/* a code or data segment */
#define VMCS_AR_DPL			0x60U
#define VMCS_AR_DPL_SHIFT		5
#define VMCS_AR_P			BIT(7)
#define VMCS_AR_RESERVED_LOW		0xf00U
#define VMCS_AR_AVL			BIT(12)
#define VMCS_AR_L			BIT(13)
#define VMCS_AR_DB			BIT(14)
#define VMCS_AR_G			BIT(15)
#define VMCS_AR_UNUSABLE		BIT(16)
#define VMCS_AR_RESERVED_HIGH		0xfffe0000U

/* Interruptibility state */
#define INTERRUPTIBILITY_STI		BIT(0)
#define INTERRUPTIBILITY_MOV_SS		BIT(1)
#define INTERRUPTIBILITY_SMI		BIT(2)
#define INTERRUPTIBILITY_NMI		BIT(3)
#define INTERRUPTIBILITY_ENCLAVE	BIT(4)	/* the exit came out of an SGX enclave */
#define INTERRUPTIBILITY_RESERVED	0xffffffe0U

/* Activity states */
#define ACTIVITY_ACTIVE			0
#define ACTIVITY_HLT			1
#define ACTIVITY_SHUTDOWN		2
#define ACTIVITY_WAIT_FOR_SIPI		3

/* Pending debug exceptions */
#define PENDING_DEBUG_B(n)		BIT(n)	/* n = 0..3: the breakpoint's condition was met */
#define PENDING_DEBUG_BUS_LOCK		BIT(11)
#define PENDING_DEBUG_ENABLED_BP	BIT(12)	/* at least one of them was enabled in DR7 */
#define PENDING_DEBUG_BS		BIT(14)	/* a single step */
#define PENDING_DEBUG_RTM		BIT(16)

/*
 * 4. Exit reasons (appendix C)
 */

/* The exit-reason word */
#define VMX_EXIT_BASIC_REASON		0xffffU
#define VMX_EXIT_SHADOW_STACK_BUSY	BIT(25)
#define VMX_EXIT_BUS_LOCK_TAKEN		BIT(26)
#define VMX_EXIT_ENCLAVE_MODE		BIT(27)
#define VMX_EXIT_PENDING_MTF		BIT(28)
#define VMX_EXIT_FROM_VMX_ROOT		BIT(29)
#define VMX_EXIT_ENTRY_FAILURE		BIT(31)

#define VMX_EXIT_REASONS(X)						\
	X(VMX_EXIT_EXCEPTION_NMI,		0)			\
	X(VMX_EXIT_EXTERNAL_INTERRUPT,		1)			\
	X(VMX_EXIT_TRIPLE_FAULT,		2)			\
	X(VMX_EXIT_INIT,			3)			\
	X(VMX_EXIT_SIPI,			4)			\
	X(VMX_EXIT_IO_SMI,			5)			\
	X(VMX_EXIT_OTHER_SMI,			6)			\
	X(VMX_EXIT_INTERRUPT_WINDOW,		7)			\
	X(VMX_EXIT_NMI_WINDOW,			8)			\
	X(VMX_EXIT_TASK_SWITCH,			9)			\
	X(VMX_EXIT_CPUID,			10)			\
	X(VMX_EXIT_GETSEC,			11)			\
	X(VMX_EXIT_HLT,				12)			\
	X(VMX_EXIT_INVD,			13)			\
	X(VMX_EXIT_INVLPG,			14)			\
	X(VMX_EXIT_RDPMC,			15)			\
	X(VMX_EXIT_RDTSC,			16)			\
	X(VMX_EXIT_RSM,				17)			\
	X(VMX_EXIT_VMCALL,			18)			\
	X(VMX_EXIT_VMCLEAR,			19)			\
	X(VMX_EXIT_VMLAUNCH,			20)			\
	X(VMX_EXIT_VMPTRLD,			21)			\
	X(VMX_EXIT_VMPTRST,			22)			\
	X(VMX_EXIT_VMREAD,			23)			\
	X(VMX_EXIT_VMRESUME,			24)			\
	X(VMX_EXIT_VMWRITE,			25)			\
	X(VMX_EXIT_VMXOFF,			26)			\
	X(VMX_EXIT_VMXON,			27)			\
	X(VMX_EXIT_CR_ACCESS,			28)			\
	X(VMX_EXIT_MOV_DR,			29)			\
	X(VMX_EXIT_IO_INSTRUCTION,		30)			\
	X(VMX_EXIT_RDMSR,			31)			\
	X(VMX_EXIT_WRMSR,			32)			\
	X(VMX_EXIT_INVALID_GUEST_STATE,		33)			\
	X(VMX_EXIT_MSR_LOADING,			34)			\
	X(VMX_EXIT_MWAIT,			36)			\
	X(VMX_EXIT_MONITOR_TRAP_FLAG,		37)			\
	X(VMX_EXIT_MONITOR,			39)			\
	X(VMX_EXIT_PAUSE,			40)			\
	X(VMX_EXIT_MACHINE_CHECK,		41)			\
	X(VMX_EXIT_TPR_BELOW_THRESHOLD,		43)			\
	X(VMX_EXIT_APIC_ACCESS,			44)			\
	X(VMX_EXIT_VIRTUALIZED_EOI,		45)			\
	X(VMX_EXIT_GDTR_IDTR_ACCESS,		46)			\
	X(VMX_EXIT_LDTR_TR_ACCESS,		47)			\
	X(VMX_EXIT_EPT_VIOLATION,		48)			\
	X(VMX_EXIT_EPT_MISCONFIGURATION,	49)			\
	X(VMX_EXIT_INVEPT,			50)			\
	X(VMX_EXIT_RDTSCP,			51)			\
	X(VMX_EXIT_PREEMPTION_TIMER,		52)			\
	X(VMX_EXIT_INVVPID,			53)			\
	X(VMX_EXIT_WBINVD,			54)			\
	X(VMX_EXIT_XSETBV,			55)			\
	X(VMX_EXIT_APIC_WRITE,			56)			\
	X(VMX_EXIT_RDRAND,			57)			\
	X(VMX_EXIT_INVPCID,			58)			\
	X(VMX_EXIT_VMFUNC,			59)			\
	X(VMX_EXIT_ENCLS,			60)			\
	X(VMX_EXIT_RDSEED,			61)			\
	X(VMX_EXIT_PML_FULL,			62)			\
	X(VMX_EXIT_XSAVES,			63)			\
	X(VMX_EXIT_XRSTORS,			64)			\
	X(VMX_EXIT_PCONFIG,			65)			\
	X(VMX_EXIT_SPP,				66)			\
	X(VMX_EXIT_UMWAIT,			67)			\
	X(VMX_EXIT_TPAUSE,			68)			\
	X(VMX_EXIT_LOADIWKEY,			69)			\
	X(VMX_EXIT_ENCLV,			70)			\
	X(VMX_EXIT_ENQCMD_PASID,		72)			\
	X(VMX_EXIT_ENQCMDS_PASID,		73)			\
	X(VMX_EXIT_BUS_LOCK,			74)			\
	X(VMX_EXIT_INSTRUCTION_TIMEOUT,		75)			\
	X(VMX_EXIT_SEAMCALL,			76)			\
	X(VMX_EXIT_TDCALL,			77)			\
	X(VMX_EXIT_RDMSRLIST,			78)			\
	X(VMX_EXIT_WRMSRLIST,			79)			\
	X(VMX_EXIT_URDMSR,			80)			\
	X(VMX_EXIT_UWRMSR,			81)			\
	X(VMX_EXIT_RDMSR_IMMEDIATE,		84)			\
	X(VMX_EXIT_WRMSRNS_IMMEDIATE,		85)

#define VMX_EXIT_ENUM_MEMBER(name, number) name = number,
enum vmx_exit_reason {
	VMX_EXIT_REASONS(VMX_EXIT_ENUM_MEMBER)
	VMX_EXIT_COUNT		/* one more than the highest basic reason */
};
#undef VMX_EXIT_ENUM_MEMBER

/**
 * vmx_exit_name() - the name of a basic exit reason, for messages
 * @reason: bits 15:0 of the exit-reason word
 *
 * Return: the name as in enum vmx_exit_reason without its prefix ("EPT_VIOLATION"), or NULL.
 */
const char *vmx_exit_name(u32 reason);

/* Exit qualification of an EPT violation */
#define EPT_VIOLATION_READ		BIT(0)
#define EPT_VIOLATION_WRITE		BIT(1)
#define EPT_VIOLATION_FETCH		BIT(2)
#define EPT_VIOLATION_READABLE		BIT(3)
#define EPT_VIOLATION_WRITABLE		BIT(4)
#define EPT_VIOLATION_EXECUTABLE	BIT(5)
#define EPT_VIOLATION_USER_EXECUTABLE	BIT(6)
#define EPT_VIOLATION_LINEAR_VALID	BIT(7)	/* guest linear address is meaningful */
#define EPT_VIOLATION_TRANSLATED	BIT(8)	/* not while walking the guest's page tables */
#define EPT_VIOLATION_USER_PAGE		BIT(9)
#define EPT_VIOLATION_WRITABLE_PAGE	BIT(10)
#define EPT_VIOLATION_NX_PAGE		BIT(11)
#define EPT_VIOLATION_NMI_UNBLOCKING	BIT(12)

/* Exit qualification of an I/O instruction */
#define IO_QUAL_SIZE			0x7U	/* bytes minus one */
#define IO_QUAL_IN			BIT(3)
#define IO_QUAL_STRING			BIT(4)
#define IO_QUAL_REP			BIT(5)
#define IO_QUAL_IMMEDIATE		BIT(6)
#define IO_QUAL_PORT_SHIFT		16

/* Exit qualification of a control-register access */
#define CR_QUAL_NUMBER			0xfU
#define CR_QUAL_ACCESS			0x30U
#define CR_QUAL_MOV_TO			(0U << 4)
#define CR_QUAL_MOV_FROM		(1U << 4)
#define CR_QUAL_CLTS			(2U << 4)
#define CR_QUAL_LMSW			(3U << 4)
#define CR_QUAL_LMSW_MEMORY		BIT(6)
#define CR_QUAL_REGISTER_SHIFT		8	/* 4 bits, 0 = RAX */
#define CR_QUAL_LMSW_SOURCE_SHIFT	16

/* Exit qualification of MOV DR */
#define DR_QUAL_NUMBER			0x7U
#define DR_QUAL_FROM			BIT(4)
#define DR_QUAL_REGISTER_SHIFT		8

/* Exit qualification of a task switch: the new TSS's selector and who asked */
#define TASK_QUAL_SELECTOR		0xffffU
#define TASK_QUAL_SOURCE_SHIFT		30
#define TASK_QUAL_CALL			0
#define TASK_QUAL_IRET			1
#define TASK_QUAL_JMP			2
#define TASK_QUAL_IDT_GATE		3

/* Exit qualification after a failed entry (exit reason 33) */
#define ENTRY_FAILURE_PDPTE		2
#define ENTRY_FAILURE_NMI		3
#define ENTRY_FAILURE_LINK_POINTER	4

/*
 * 5. Capability MSRs (appendix A). Their numbers are in asm/msr-index.h.
 */

/* IA32_VMX_BASIC */
#define VMX_CAP_BASIC_REVISION		0x7fffffffULL
#define VMX_CAP_BASIC_SIZE_SHIFT	32		/* of the VMCS region, 13 bits */
#define VMX_CAP_BASIC_SIZE_MASK		0x1fffULL
#define VMX_CAP_BASIC_32BIT_ADDRESSES	BIT_ULL(48)
#define VMX_CAP_BASIC_DUAL_MONITOR	BIT_ULL(49)
#define VMX_CAP_BASIC_MEMORY_TYPE_SHIFT	50		/* 4 bits, 6 = write-back */
#define VMX_CAP_BASIC_INS_OUTS_INFO	BIT_ULL(54)
#define VMX_CAP_BASIC_TRUE_CONTROLS	BIT_ULL(55)
#define VMX_CAP_BASIC_ANY_ERROR_CODE	BIT_ULL(56)	/* error codes are not tied to vectors */
#define VMX_CAP_BASIC_NESTED_EXCEPTION	BIT_ULL(58)

/* IA32_VMX_MISC */
#define VMX_CAP_MISC_TIMER_RATE		0x1fULL		/* timer ticks at TSC bit n */
#define VMX_CAP_MISC_SAVE_LMA		BIT_ULL(5)
#define VMX_CAP_MISC_HLT		BIT_ULL(6)
#define VMX_CAP_MISC_SHUTDOWN		BIT_ULL(7)
#define VMX_CAP_MISC_WAIT_FOR_SIPI	BIT_ULL(8)
#define VMX_CAP_MISC_PT			BIT_ULL(14)
#define VMX_CAP_MISC_SMBASE		BIT_ULL(15)
#define VMX_CAP_MISC_CR3_TARGETS_SHIFT	16		/* 9 bits */
#define VMX_CAP_MISC_CR3_TARGETS_MASK	0x1ffULL
#define VMX_CAP_MISC_MSR_LIST_SHIFT	25		/* recommended maximum: 512 * (n + 1) */
#define VMX_CAP_MISC_MSR_LIST_MASK	0x7ULL
#define VMX_CAP_MISC_SMI_BLOCKING	BIT_ULL(28)
#define VMX_CAP_MISC_VMWRITE_ANY	BIT_ULL(29)	/* also to read-only fields */
#define VMX_CAP_MISC_ZERO_LENGTH	BIT_ULL(30)	/* software events of length 0 */
#define VMX_CAP_MISC_MSEG_SHIFT		32

/* IA32_VMX_EPT_VPID_CAP */
#define VMX_CAP_EPT_EXECUTE_ONLY	BIT_ULL(0)
#define VMX_CAP_EPT_WALK_4		BIT_ULL(6)
#define VMX_CAP_EPT_WALK_5		BIT_ULL(7)
#define VMX_CAP_EPT_UC			BIT_ULL(8)
#define VMX_CAP_EPT_WB			BIT_ULL(14)
#define VMX_CAP_EPT_2M			BIT_ULL(16)
#define VMX_CAP_EPT_1G			BIT_ULL(17)
#define VMX_CAP_EPT_INVEPT		BIT_ULL(20)
#define VMX_CAP_EPT_ACCESSED_DIRTY	BIT_ULL(21)
#define VMX_CAP_EPT_ADVANCED_INFO	BIT_ULL(22)
#define VMX_CAP_EPT_SHADOW_STACK	BIT_ULL(23)
#define VMX_CAP_EPT_INVEPT_SINGLE	BIT_ULL(25)
#define VMX_CAP_EPT_INVEPT_ALL		BIT_ULL(26)
#define VMX_CAP_VPID_INVVPID		BIT_ULL(32)
#define VMX_CAP_VPID_ADDRESS		BIT_ULL(40)
#define VMX_CAP_VPID_SINGLE		BIT_ULL(41)
#define VMX_CAP_VPID_ALL		BIT_ULL(42)
#define VMX_CAP_VPID_SINGLE_BUT_GLOBALS	BIT_ULL(43)
#define VMX_CAP_HLAT_PREFIX_SHIFT	48		/* maximum prefix size, 6 bits */

/* Types of INVEPT and INVVPID */
#define INVEPT_SINGLE_CONTEXT		1
#define INVEPT_ALL_CONTEXTS		2
#define INVVPID_ADDRESS			0
#define INVVPID_SINGLE_CONTEXT		1
#define INVVPID_ALL_CONTEXTS		2
#define INVVPID_SINGLE_BUT_GLOBALS	3

/*
 * 6. VM-instruction errors (vol. 3, chapter "VMX Instruction Reference")
 */
#define VMX_ERROR_VMCALL_IN_ROOT		1
#define VMX_ERROR_VMCLEAR_ADDRESS		2
#define VMX_ERROR_VMCLEAR_VMXON_POINTER		3
#define VMX_ERROR_VMLAUNCH_NOT_CLEAR		4
#define VMX_ERROR_VMRESUME_NOT_LAUNCHED		5
#define VMX_ERROR_VMRESUME_AFTER_VMXOFF		6
#define VMX_ERROR_ENTRY_CONTROLS		7
#define VMX_ERROR_ENTRY_HOST_STATE		8
#define VMX_ERROR_VMPTRLD_ADDRESS		9
#define VMX_ERROR_VMPTRLD_VMXON_POINTER		10
#define VMX_ERROR_VMPTRLD_REVISION		11
#define VMX_ERROR_UNSUPPORTED_FIELD		12
#define VMX_ERROR_VMWRITE_READ_ONLY		13
#define VMX_ERROR_VMXON_IN_ROOT			15
#define VMX_ERROR_ENTRY_EXECUTIVE_POINTER	16
#define VMX_ERROR_ENTRY_EXECUTIVE_NOT_LAUNCHED	17
#define VMX_ERROR_ENTRY_EXECUTIVE_NOT_VMXON	18
#define VMX_ERROR_VMCALL_NOT_CLEAR		19
#define VMX_ERROR_VMCALL_EXIT_CONTROLS		20
#define VMX_ERROR_VMCALL_MSEG_REVISION		22
#define VMX_ERROR_VMXOFF_DUAL_MONITOR		23
#define VMX_ERROR_VMCALL_SMM_FEATURES		24
#define VMX_ERROR_ENTRY_EXECUTIVE_CONTROLS	25
#define VMX_ERROR_ENTRY_BLOCKED_BY_MOV_SS	26
#define VMX_ERROR_INVEPT_INVVPID_OPERAND	28

#endif /* TPZ_HW_VMX_VMCS_H */
