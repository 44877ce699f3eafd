/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's side of a test: what code that runs inside the VM may use.
 *
 * A guest is a C function in the test program itself. The program's own image is part of the guest's
 * memory, at the same addresses (vm.h), so guest code shares functions, constants and global variables
 * with the test, and an ordinary global is how both sides talk:
 *
 *	static volatile __u64 squares;
 *
 *	static GUEST __u32 square(__u64 n)
 *	{
 *		squares = n * n;
 *		return 1;
 *	}
 *	…
 *	vcpu_start(vcpu, MODE_LONG, RING0, square, 7);
 *	CHECK_EQ(vcpu_finish(vcpu), 1);
 *
 * Rules: a GUEST function calls no library (no TLS, no system calls, no vector code there), and touches
 * no host stack or heap. Guests for other modes than 64-bit are assembly (selftests/guests/).
 */
#ifndef TRAPEZE_GUEST_H
#define TRAPEZE_GUEST_H

#define GUEST	__attribute__((noinline, noclone, used))

/* The ports that guests talk through; the I/O bitmap opens 0x50 to 0x5f, and no others, to ring 3 */
#define PORT_TEST	0x50	/* for tests: anything, of up to 4 bytes */
#define PORT_DONE	0x54	/* the guest has finished; EAX: its result */
#define PORT_CHECK	0x58	/* a GUEST_CHECK failed; RDI: struct guest_check */
#define PORT_FAULT16	0x5c	/* of ring 0: an exception nobody expected; DI, EDI, RDI: its frame */
#define PORT_FAULT32	0x5d
#define PORT_FAULT64	0x5e

/* How much of guest-physical memory is laid out by vm.c; a test's own data may start at GUEST_FREE */
#define GUEST_REAL_CODE	0x10000	/* vcpu_load() copies blobs for real mode here: CS 0x1000, IP 0 */
#define GUEST_CPU_AREAS	0x20000
#define GUEST_CPU_BYTES	0x4000	/* for each vCPU: TSS 4 KiB, ring 3 stack 4 KiB, ring 0 stack 8 KiB */
#define GUEST_CPUS	64
#define GUEST_NEAR_CPUS	16
#define GUEST_FAR_AREAS	0x200000	/* of all further vCPUs: in memory that else is the test's */
#define GUEST_FREE	0x100000

/* What vm.c lays out below it */
#define GUEST_GDT	0x1000
#define GUEST_IDT64	0x2000
#define GUEST_IDT32	0x3000
#define GUEST_PML4	0x4000	/* long mode: 4 KiB pages below 4 MiB, 2 MiB pages to 1 GiB, all of ring 3 */
#define GUEST_PDPT	0x5000
#define GUEST_PD	0x6000	/* of PAE too */
#define GUEST_PT	0x7000	/* two pages: see vm_pte() */
#define GUEST_PD32	0x9000	/* 32-bit paging: 4 KiB pages below 4 MiB, 4 MiB pages to 1 GiB */
#define GUEST_PT32	0xa000
#define GUEST_PDPT_PAE	0xb000

/* Selectors of the GDT; SYSCALL and SYSRET find what they need */
#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_USER_CODE32	0x18
#define SEL_USER_DATA	0x20
#define SEL_USER_CODE64	0x28
#define SEL_CODE32	0x30
#define SEL_CODE16	0x38
#define SEL_DATA16	0x40
#define SEL_TSS		0x80	/* + 16 * vCPU */

#ifndef __ASSEMBLER__

#include <linux/types.h>

/* What the stubs of guest.S push, 64-bit; a handler may change it */
struct guest_frame {
	__u64 cr2;
	__u64 rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 vector;
	__u64 error;
	__u64 rip, cs, rflags, rsp, ss;
};

struct guest_check {
	const char *file;
	const char *expression;
	__u32 line;
};

static inline __u8 inb(__u16 port)
{
	__u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline __u16 inw(__u16 port)
{
	__u16 value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline __u32 inl(__u16 port)
{
	__u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outb(__u16 port, __u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(__u16 port, __u16 value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(__u16 port, __u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void cpuid(__u32 leaf, __u32 subleaf, __u32 *eax, __u32 *ebx, __u32 *ecx, __u32 *edx)
{
	asm volatile("cpuid"
		     : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx)
		     : "0"(leaf), "2"(subleaf));
}

static inline __u64 rdtsc(void)
{
	__u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (__u64)high << 32;
}

static inline __u64 rdmsr(__u32 msr)
{
	__u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return low | (__u64)high << 32;
}

static inline void wrmsr(__u32 msr, __u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((__u32)value), "d"((__u32)(value >> 32)) : "memory");
}

static inline void hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/*
 * Interrupts on. Without a local APIC none comes, so a guest that spins may as well have them on: Bochs 3.0 keeps the
 * host's interrupts from a guest that was entered with IF = 0 and never changes it.
 */
static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void guest_done(__u32 result)
{
	outl(PORT_DONE, result);
}

#ifdef __x86_64__

#define READ_REGISTER(name)						\
	({								\
		__u64 guest_value;					\
		asm volatile("mov %%" #name ", %0" : "=r"(guest_value) : : "memory"); \
		guest_value;						\
	})
#define WRITE_REGISTER(name, value)					\
	asm volatile("mov %0, %%" #name : : "r"((__u64)(value)) : "memory")

/* Stops the test with the guest's file and line and both values */
#define GUEST_CHECK_EQ(a, b)						\
	do {								\
		__u64 guest_a = (a), guest_b = (b);			\
		static const struct guest_check guest_check = { __FILE__, #a " == " #b, __LINE__ }; \
		if (guest_a != guest_b)					\
			asm volatile("outl %%eax, %0"			\
				     : : "N"(PORT_CHECK), "a"(0), "D"(&guest_check), \
				     "S"(guest_a), "d"(guest_b) : "memory"); \
	} while (0)

/*
 * Runs one instruction that may fault:
 *
 *	GUEST_TRY(fault, "rdmsr", ("=a"(low), "=d"(high)), ("c"(0x10)));
 *
 * fault.vector is GUEST_NO_FAULT if it did not. Outputs are %0 and on, inputs go by their registers' names; R8 to R11 are not for them.
 */
#define GUEST_NO_FAULT	0xffffffffU
#define GUEST_TRY_MAGIC	0x7261707a5f747279ULL	/* in R9 while GUEST_TRY's instruction runs */

struct guest_fault {
	__u64 vector;
	__u64 error;
	__u64 address;		/* CR2 */
	__u64 rip;		/* of the frame: the instruction itself, or the one after it */
};

/* R9 tells guest_exception() that a fault here is expected, R10 where to go on */
#define GUEST_TRY(fault, instruction, outputs, inputs)			\
	do {								\
		register __u64 try_r8 asm("r8");			\
		register __u64 try_r9 asm("r9") = GUEST_TRY_MAGIC;	\
		register __u64 try_r10 asm("r10");			\
		register __u64 try_r11 asm("r11");			\
		asm volatile("lea 771f(%%rip), %%r10\n\t"		\
			     instruction "\n\t"				\
			     "mov %[none], %%r9d\n"			\
			     "771:"					\
			     : GUEST_OPERANDS outputs			\
			       "=&r"(try_r8), "+&r"(try_r9), "=&r"(try_r10), "=&r"(try_r11) \
			     : GUEST_OPERANDS inputs [none] "i"(GUEST_NO_FAULT) \
			     : "memory", "cc");				\
		(fault).rip = try_r8;					\
		(fault).vector = try_r9;				\
		(fault).error = try_r10;				\
		(fault).address = try_r11;				\
	} while (0)
#define GUEST_OPERANDS(...)	__VA_ARGS__ __VA_OPT__(,)

typedef void (*guest_handler)(struct guest_frame *frame);

/* What runs on a vector in 64-bit mode; set by guest_on() of vm.h, or by the guest itself */
extern guest_handler guest_handlers[256];

#endif /* __x86_64__ */

/* In guest.S: where the IDTs point, and where a guest's function returns to */
extern const char guest_stubs64[], guest_stubs32[], guest_return64[], guest_return32[];
extern const char guest_real_begin[], guest_real_end[];
#define GUEST_STUB_BYTES	16

#endif /* !__ASSEMBLER__ */
#endif /* TRAPEZE_GUEST_H */
