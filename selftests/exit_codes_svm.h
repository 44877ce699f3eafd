/* SPDX-License-Identifier: GPL-2.0 */
/* exit_codes.c on SVM: AMD APM vol. 2, table C-1. Rows are struct code's; N: nothing is tried, and why. */

#define READS(n)	.reason = TPZ_EXIT_CR, .field = VMCB_INTERCEPT_CR, .flip = INTERCEPT_CR_READ(n)
#define WRITES(n)	.reason = TPZ_EXIT_CR, .field = VMCB_INTERCEPT_CR, .flip = INTERCEPT_CR_WRITE(n)
#define RAISES(n)	.reason = TPZ_EXIT_EXCEPTION, .field = VMCB_INTERCEPT_EXCEPTIONS, .flip = BIT(n)
#define POKED3(bit)	.field = VMCB_INTERCEPT3, .flip = INTERCEPT3_##bit
#define TABLE		.reason = TPZ_EXIT_DT_ACCESS, .traps = TPZ_TRAP_DT
#define TCG_READS	.tcg = "never ends a stay for a read of this register"
#define NO_CR		"there is no such control register"
#define NO_DR		"there is no such debug register"
#define RESERVED	"no exception has this number"
#define ENCRYPTED	"for guests whose state is encrypted"

#define SVM_ROWS(X, N)									\
	X(0x00, "mov %cr0, %rax", READS(0))						\
	N(0x01, 0x01, NO_CR)								\
	X(0x02, "mov %cr2, %rax", READS(2), TCG_READS)			\
	X(0x03, "mov %cr3, %rax", READS(3), TCG_READS)			\
	X(0x04, "mov %cr4, %rax", READS(4), TCG_READS)			\
	N(0x05, 0x07, NO_CR)								\
	X(0x08, "mov %cr8, %rax", READS(8), TCG_READS)			\
	N(0x09, 0x0f, NO_CR)								\
	X(0x10, "mov %cr0, %rax; mov %rax, %cr0", WRITES(0))				\
	N(0x11, 0x11, NO_CR)								\
	X(0x12, "mov %rax, %cr2", WRITES(2))						\
	X(0x13, "mov %cr3, %rax; mov %rax, %cr3", WRITES(3))				\
	X(0x14, "mov %cr4, %rax; mov %rax, %cr4", .reason = TPZ_EXIT_CR)		\
	N(0x15, 0x17, NO_CR)								\
	X(0x18, "mov %rax, %cr8", .reason = TPZ_EXIT_CR)				\
	N(0x19, 0x1f, NO_CR)								\
	X(0x20, "mov %dr0, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x21, "mov %dr1, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x22, "mov %dr2, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x23, "mov %dr3, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x24, "mov %dr4, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x25, "mov %dr5, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x26, "mov %dr6, %rax", .reason = TPZ_EXIT_DR)				\
	X(0x27, "mov %dr7, %rax", .reason = TPZ_EXIT_DR)				\
	N(0x28, 0x2f, NO_DR)								\
	X(0x30, "mov %rax, %dr0", .reason = TPZ_EXIT_DR)				\
	X(0x31, "mov %rax, %dr1", .reason = TPZ_EXIT_DR)				\
	X(0x32, "mov %rax, %dr2", .reason = TPZ_EXIT_DR)				\
	X(0x33, "mov %rax, %dr3", .reason = TPZ_EXIT_DR)				\
	X(0x34, "mov %rax, %dr4", .reason = TPZ_EXIT_DR)				\
	X(0x35, "mov %rax, %dr5", .reason = TPZ_EXIT_DR)				\
	X(0x36, "mov %rax, %dr6", .reason = TPZ_EXIT_DR)				\
	X(0x37, "mov %rax, %dr7", .reason = TPZ_EXIT_DR)				\
	N(0x38, 0x3f, NO_DR)								\
	X(0x40, "xor %edx, %edx; xor %ecx, %ecx; div %ecx", RAISES(0))			\
	X(0x41, "pushf; orl $0x100, (%rsp); popf; nop", .reason = TPZ_EXIT_EXCEPTION)	\
	N(0x42, 0x42, "an NMI is code 61h")						\
	X(0x43, "int3", .reason = TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_INT3,	\
	  .tcg = "never ends a stay for the #BP of INT3")				\
	X(0x44, ".code32; mov $0x7fffffff, %eax; inc %eax; into", RAISES(4), .protected = true, \
	  .tcg = "never ends a stay for the #OF of INTO")				\
	X(0x45, ".code32; mov $-1, %eax; bound %eax, (%ebx)", RAISES(5), .protected = true) \
	X(0x46, "ud2", .reason = TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_UD)		\
	X(0x47, "fnop", RAISES(7), .cr0 = 1 << 3)					\
	X(0x48, "pushq $0; pushq $0x200000cf; lidt (%rsp); mov $0x7000, %eax; mov %eax, %ds",	/* no gate for #GP */ \
	  RAISES(8), .tcg = "does not look at the intercept of #DF")			\
	N(0x49, 0x49, RESERVED)								\
	X(0x4a, ".code32; pushl $0x4000; popf; iret", RAISES(10), .protected = true)	\
	X(0x4b, "mov $0x50, %eax; mov %eax, %ds", RAISES(11))				\
	X(0x4c, "mov $0x50, %eax; mov %eax, %ss", RAISES(12))				\
	X(0x4d, "mov $0x7000, %eax; mov %eax, %ds", RAISES(13))				\
	X(0x4e, "mov (%rsi), %eax", .reason = TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_PF)	\
	N(0x4f, 0x4f, RESERVED)								\
	X(0x50, "fninit; pushq $0x37b; fldcw (%rsp); pop %rax; fld1; fldz; fdivrp; fwait", RAISES(16), .cr0 = 1 << 5) \
	N(0x51, 0x51, "modes, \"CR0 decides on #AC\", on CPUs that raise it: it needs ring 3")	\
	N(0x52, 0x52, "nothing breaks the host's machine here")				\
	X(0x53, "pushq $0x1d00; ldmxcsr (%rsp); pop %rax; xorps %xmm1, %xmm1; pcmpeqd %xmm0, %xmm0; psrld $25, %xmm0; " \
		"pslld $23, %xmm0; divss %xmm1, %xmm0", RAISES(19), .cr4 = 3 << 9,	\
	  .tcg = "raises no #XM")							\
	N(0x54, 0x54, RESERVED)								\
	N(0x55, 0x55, "guests have no shadow stacks")					\
	N(0x56, 0x5b, RESERVED)								\
	N(0x5c, 0x5d, ENCRYPTED)							\
	N(0x5e, 0x5e, "#SX comes of a redirected INIT, which Trapeze does not ask for")	\
	N(0x5f, 0x5f, RESERVED)								\
	X(0x60, "mov $3000000, %ecx; 1: dec %ecx; jnz 1b", .reason = TPZ_EXIT_HOST_INTERRUPT, .many = true) \
	N(0x61, 0x61, "nmi, \"the host's, while a guest spins\"")			\
	N(0x62, 0x62, "the lab's firmware sends no SMI")				\
	N(0x63, 0x63, "nobody sends an INIT to a CPU that runs a guest")		\
	N(0x64, 0x64, "exits, \"interrupt window\"")					\
	X(0x65, "mov %cr0, %rax; bts $30, %rax; mov %rax, %cr0", .reason = TPZ_EXIT_CR)	\
	X(0x66, "sidt (%rbx)", TABLE)							\
	X(0x67, "sgdt (%rbx)", TABLE)							\
	X(0x68, "sldt %eax", TABLE)							\
	X(0x69, "str %eax", TABLE)							\
	X(0x6a, "sub $16, %rsp; sidt (%rsp); lidt (%rsp); add $16, %rsp", TABLE, .many = true) \
	X(0x6b, "sub $16, %rsp; sgdt (%rsp); lgdt (%rsp); add $16, %rsp", TABLE, .many = true) \
	X(0x6c, "xor %eax, %eax; lldt %ax", TABLE)					\
	X(0x6d, "mov $0x50, %eax; ltr %ax", TABLE)					\
	X(0x6e, "rdtsc", .reason = TPZ_EXIT_RDTSC, .traps = TPZ_TRAP_TSC)		\
	X(0x6f, "rdpmc", .reason = TPZ_EXIT_RDPMC)					\
	X(0x70, "pushf; pop %rax", .reason = TPZ_EXIT_OTHER, .to_user = true, POKED3(PUSHF)) \
	X(0x71, "push $2; popf", .reason = TPZ_EXIT_OTHER, .to_user = true, POKED3(POPF)) \
	X(0x72, "cpuid", .reason = TPZ_EXIT_CPUID)					\
	X(0x73, "rsm", .reason = TPZ_EXIT_RSM)						\
	X(0x74, "mov %ss, %eax; lea (%rsp), %rcx; push %rax; push %rcx; pushf; mov %cs, %eax; push %rax; " \
		"lea 1f(%rip), %rcx; push %rcx; iretq; 1:", .reason = TPZ_EXIT_IRET, .nmi_blocked = true) \
	X(0x75, "int $0x70", .reason = TPZ_EXIT_OTHER, .to_user = true, POKED3(INTN))	\
	X(0x76, "invd", .reason = TPZ_EXIT_INVD, .tcg_tells = "WBINVD")			\
	X(0x77, "pause", .reason = TPZ_EXIT_PAUSE, .traps = TPZ_TRAP_PAUSE)		\
	X(0x78, "hlt", .reason = TPZ_EXIT_HLT, .to_user = true)				\
	X(0x79, "invlpg (%rbx)", .reason = TPZ_EXIT_INVLPG, .traps = TPZ_TRAP_INVLPG)	\
	X(0x7a, "invlpga %rax, %ecx", .reason = TPZ_EXIT_VIRT_INSN)			\
	X(0x7b, "out %al, $0x50", .reason = TPZ_EXIT_IO, .to_user = true)		\
	X(0x7c, "mov $0x12345678, %ecx; rdmsr", .reason = TPZ_EXIT_MSR_READ)		\
	X(0x7d, ".code32; ljmp $0x48, $0", .reason = TPZ_EXIT_TASK_SWITCH, .to_user = true, .protected = true, \
	  .tcg = "switches tasks by itself, whatever is intercepted")			\
	N(0x7e, 0x7e, "FERR# is a wire that no machine here has")			\
	X(0x7f, "pushq $0; pushq $0; lidt (%rsp); ud2", .reason = TPZ_EXIT_TRIPLE_FAULT, .to_user = true) \
	X(0x80, "vmrun %rax", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(0x81, "mov $0x7fff, %eax; vmmcall", .reason = TPZ_EXIT_HYPERCALL)		\
	X(0x82, "vmload %rax", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(0x83, "vmsave %rax", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(0x84, "stgi", .reason = TPZ_EXIT_VIRT_INSN)					\
	X(0x85, "clgi", .reason = TPZ_EXIT_VIRT_INSN)					\
	X(0x86, "skinit %eax", .reason = TPZ_EXIT_VIRT_INSN)				\
	X(0x87, "rdtscp", .reason = TPZ_EXIT_RDTSCP, .traps = TPZ_TRAP_TSC, .tcg_tells = "RDTSC") \
	X(0x88, ".byte 0xf1", .reason = TPZ_EXIT_EXCEPTION)				\
	X(0x89, "wbinvd", .reason = TPZ_EXIT_WBINVD)					\
	X(0x8a, "monitor %rax, %ecx, %edx", .reason = TPZ_EXIT_MONITOR)			\
	X(0x8b, "mwait %eax, %ecx", .reason = TPZ_EXIT_MWAIT)				\
	X(0x8c, "mwait %eax, %ecx", .reason = TPZ_EXIT_MWAIT,				\
	  .field = VMCB_INTERCEPT4, .flip = INTERCEPT4_MWAIT | INTERCEPT4_MWAIT_ARMED)	\
	X(0x8d, "xgetbv; xsetbv", .reason = TPZ_EXIT_XSETBV, .cr4 = 1 << 18)		\
	N(0x8e, 0x8e, "no CPU of the lab has RDPRU")					\
	N(0x8f, 0x9f, ENCRYPTED)							\
	N(0xa0, 0xa1, "no CPU of the lab has INVLPGB")					\
	X(0xa2, "invpcid (%rbx), %rcx", .reason = TPZ_EXIT_INVPCID, .traps = TPZ_TRAP_INVLPG, \
	  .tcg = "has no INVPCID")							\
	N(0xa3, 0xa3, "no CPU of the lab has MCOMMIT")					\
	N(0xa4, 0xa4, "no CPU of the lab has TLBSYNC")					\
	N(0xa5, 0xa5, "no CPU of the lab tells bus locks")				\
	N(0xa6, 0xa6, "no CPU of the lab has this intercept")				\
	X(0x400, "mov (%rdi), %eax", .reason = TPZ_EXIT_NPF, .ends = TPZ_EXIT_MMIO, .many = true) \
	N(0x401, 0x402, "AVIC is not used")						\
	N(0x403, 0x403, ENCRYPTED)
