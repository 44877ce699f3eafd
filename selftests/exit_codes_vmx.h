/* SPDX-License-Identifier: GPL-2.0 */
/* exit_codes.c on VMX: SDM vol. 3D, appendix C. Rows are struct code's; N: nothing is tried, and why. */

#define UNUSED_PART	"Trapeze does not turn this part of VMX on"
#define NO_INSN		"guests do not have the instruction: #UD comes before the exit"

#define VMX_ROWS(X, N)									\
	X(0, "ud2", .reason = TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_UD)			\
	X(1, "sti; mov $3000000, %ecx; 1: dec %ecx; jnz 1b", .reason = TPZ_EXIT_HOST_INTERRUPT, .many = true) \
	X(2, "pushq $0; pushq $0; lidt (%rsp); ud2", .reason = TPZ_EXIT_TRIPLE_FAULT, .to_user = true) \
	N(3, 3, "nobody sends an INIT to a CPU that runs a guest")			\
	N(4, 4, "no CPU is put into the wait for a SIPI while it runs a guest")		\
	N(5, 6, "SMIs end a stay only under SMM's own monitor")				\
	X(7, "sti; nop", .reason = TPZ_EXIT_INTR_WINDOW,				\
	  .field = VMCS_PRIMARY_CONTROLS, .flip = PRIMARY_INTERRUPT_WINDOW_EXITING)	\
	X(8, "nop", .reason = TPZ_EXIT_NMI_WINDOW,					\
	  .field = VMCS_PRIMARY_CONTROLS, .flip = PRIMARY_NMI_WINDOW_EXITING)		\
	X(9, ".code32; ljmp $0x48, $0", .reason = TPZ_EXIT_TASK_SWITCH, .to_user = true, .protected = true) \
	X(10, "cpuid", .reason = TPZ_EXIT_CPUID)					\
	N(11, 11, "GETSEC: guests do not have CR4.SMXE")				\
	X(12, "hlt", .reason = TPZ_EXIT_HLT, .to_user = true)				\
	X(13, "invd", .reason = TPZ_EXIT_INVD)						\
	X(14, "invlpg (%rbx)", .reason = TPZ_EXIT_INVLPG, .traps = TPZ_TRAP_INVLPG)	\
	X(15, "rdpmc", .reason = TPZ_EXIT_RDPMC)					\
	X(16, "rdtsc", .reason = TPZ_EXIT_RDTSC, .traps = TPZ_TRAP_TSC)			\
	N(17, 17, "RSM is #UD outside SMM, before the exit")				\
	X(18, "mov $0x7fff, %eax; vmcall", .reason = TPZ_EXIT_HYPERCALL)		\
	X(19, "vmclear (%rbx)", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(20, "vmlaunch", .reason = TPZ_EXIT_VIRT_INSN)					\
	X(21, "vmptrld (%rbx)", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(22, "vmptrst (%rbx)", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(23, "vmread %rax, %rcx", .reason = TPZ_EXIT_VIRT_INSN)			\
	X(24, "vmresume", .reason = TPZ_EXIT_VIRT_INSN)					\
	X(25, "vmwrite %rax, %rcx", .reason = TPZ_EXIT_VIRT_INSN)			\
	X(26, "vmxoff", .reason = TPZ_EXIT_VIRT_INSN)					\
	X(27, "vmxon (%rbx)", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(28, "mov %rax, %cr8", .reason = TPZ_EXIT_CR)					\
	X(29, "mov %dr0, %rax", .reason = TPZ_EXIT_DR)					\
	X(30, "out %al, $0x50", .reason = TPZ_EXIT_IO, .to_user = true)			\
	X(31, "mov $0x12345678, %ecx; rdmsr", .reason = TPZ_EXIT_MSR_READ)		\
	X(32, "mov $0x12345678, %ecx; wrmsr", .reason = TPZ_EXIT_MSR_WRITE)		\
	N(33, 33, "entry_rules: its refusals of guest state")				\
	N(34, 34, "no list of MSRs is loaded at VM entry")				\
	X(36, "mwait %eax, %ecx", .reason = TPZ_EXIT_MWAIT)				\
	X(37, "nop", .reason = TPZ_EXIT_SINGLE_STEP, .to_user = true, .traps = TPZ_TRAP_STEP) \
	X(39, "monitor %rax, %ecx, %edx", .reason = TPZ_EXIT_MONITOR)			\
	X(40, "pause", .reason = TPZ_EXIT_PAUSE, .traps = TPZ_TRAP_PAUSE)		\
	N(41, 41, "nothing breaks the host's machine here")				\
	N(43, 45, UNUSED_PART)								\
	X(46, "sidt (%rbx)", .reason = TPZ_EXIT_DT_ACCESS, .traps = TPZ_TRAP_DT)	\
	X(47, "str %eax", .reason = TPZ_EXIT_DT_ACCESS, .traps = TPZ_TRAP_DT)		\
	X(48, "mov (%rdi), %eax", .reason = TPZ_EXIT_NPF, .ends = TPZ_EXIT_MMIO, .many = true) \
	N(49, 49, "the nested page table is well formed, or the VM is dead")		\
	X(50, "invept (%rbx), %rcx", .reason = TPZ_EXIT_VIRT_INSN)			\
	X(51, "rdtscp", .reason = TPZ_EXIT_RDTSCP, .traps = TPZ_TRAP_TSC)		\
	X(52, "sti; mov $100000, %ecx; 1: dec %ecx; jnz 1b", .reason = TPZ_EXIT_TIMER, .traps = TPZ_TRAP_TIMER, .many = true) \
	X(53, "invvpid (%rbx), %rcx", .reason = TPZ_EXIT_VIRT_INSN)			\
	X(54, "wbinvd", .reason = TPZ_EXIT_WBINVD)					\
	X(55, "xgetbv; xsetbv", .reason = TPZ_EXIT_XSETBV, .cr4 = 1 << 18)		\
	N(56, 56, UNUSED_PART)								\
	X(57, "rdrand %eax", .reason = TPZ_EXIT_RDRAND, .traps = TPZ_TRAP_RDRAND)	\
	X(58, "invpcid (%rbx), %rcx", .reason = TPZ_EXIT_INVPCID, .traps = TPZ_TRAP_INVLPG) \
	N(59, 60, NO_INSN)								\
	X(61, "rdseed %eax", .reason = TPZ_EXIT_RDSEED, .traps = TPZ_TRAP_RDRAND)	\
	N(62, 62, UNUSED_PART)								\
	N(63, 65, NO_INSN)								\
	N(66, 66, UNUSED_PART)								\
	N(67, 73, NO_INSN)								\
	N(74, 75, UNUSED_PART)								\
	N(76, 85, NO_INSN)
