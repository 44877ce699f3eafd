// SPDX-License-Identifier: GPL-2.0
/*
 * Each exit reason that a guest can reach, at least once: what the guest sees of it, which record the launcher gets, and
 * that the meters count exactly these traps and no others.
 *
 * Most traps are answered in the kernel. Then the guest's registers tell whether the trap was decoded right: which
 * register, which size, where the next instruction stands.
 */
#include "vm.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#define DB	1
#define BP	3
#define UD	6
#define GP	13
#define PF	14

#define BUFFER		(GUEST_FREE + 0x4000ULL)
#define HOLE		(GUEST_FREE + 0x8000ULL)
#define NOWHERE		(512ULL << 20)		/* in the guest's page tables, in no slot */

/* ------------------------------------------------------------------ the frame of most cases */

/* Traps that come and go with the host's affairs, and the guest's words with the launcher */
static bool is_noise(unsigned int reason)
{
	return reason == TPZ_EXIT_HOST_INTERRUPT || reason == TPZ_EXIT_HOST_NMI || reason == TPZ_EXIT_NPF ||
	       reason == TPZ_EXIT_IO;
}

/* The guest's result is the number of its traps of @reason; there were these and no others */
static void check_count(const struct meters *meters, __u32 reason, __u64 count)
{
	struct tpz_vcpu_meters m = meters_read(meters, 0);

	for (unsigned int i = 0; i < TPZ_EXIT_COUNT; i++) {
		const __u64 want = i == reason ? count : 0;

		if ((i == reason || !is_noise(i)) && m.reason[i].count != want)
			FAIL("%llu exits of %s, expected %llu", m.reason[i].count, reason_name(i), want);
		if (i == reason && count)
			CHECK_THAT(m.reason[i].cycles, "%s costs nothing", reason_name(i));
	}
}

static void traps(__u32 reason, const void *guest, struct vm_options options)
{
	struct vcpu *vcpu = vcpu_create(vm_create_with(options), 0);
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_LONG, RING0, guest, 0);
	check_count(&meters, reason, vcpu_finish(vcpu));
}

/* A case of a guest that returns how many traps of @reason it has made */
#define CASE(name, reason, ...)								\
	static void name##_traps(void)							\
	{										\
		traps(reason, guest_##name, (struct vm_options){ __VA_ARGS__ });	\
	}

#define RAISES(want, instruction, outputs, inputs)					\
	do {										\
		struct guest_fault raised;						\
		GUEST_TRY(raised, instruction, outputs, inputs);			\
		GUEST_CHECK_EQ(raised.vector, want);					\
		GUEST_CHECK_EQ(raised.error, 0);					\
	} while (0)
#define WORKS(instruction, outputs, inputs)						\
	do {										\
		struct guest_fault raised;						\
		GUEST_TRY(raised, instruction, outputs, inputs);			\
		GUEST_CHECK_EQ(raised.vector, GUEST_NO_FAULT);				\
	} while (0)

/* Every general register but RSP, which guests test by hand */
#define EACH_REGISTER(X)								\
	X(rax) X(rcx) X(rdx) X(rbx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)
#define REGISTERS	15

static __u64 word, word2;	/* at fixed addresses: no register needed to reach them */

/* @instruction with the register as its operand (REG), @before in it; what it holds afterwards goes to word */
#define WITH_REGISTER(reg, before, instruction)						\
	asm volatile("mov %1, %%" #reg "\n\t" instruction "\n\tmov %%" #reg ", %0"	\
		     : "=m"(word) : "m"(before) : #reg, "memory", "cc")

/* ------------------------------------------------------------------ instructions that the kernel answers */

static GUEST __u32 guest_cpuid(__u64 unused)
{
	__u64 rax = 0xffffffff40000100, rbx = ~0ULL, rcx = ~0ULL, rdx = ~0ULL;

	(void)unused;
	asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
	GUEST_CHECK_EQ(rax, 0x40000101);
	GUEST_CHECK_EQ(rbx, 0x70617254);	/* "Trap" */
	GUEST_CHECK_EQ(rcx, 0x54657a65);	/* "ezeT" */
	GUEST_CHECK_EQ(rdx, 0x00706172);	/* "rap" */
	return 1;
}
CASE(cpuid, TPZ_EXIT_CPUID)

static GUEST __u32 guest_invd(__u64 unused)
{
	(void)unused;
	asm volatile("invd" : : : "memory");
	return 1;
}
CASE(invd, TPZ_EXIT_INVD)

static GUEST __u32 guest_wbinvd(__u64 unused)
{
	(void)unused;
	asm volatile("wbinvd" : : : "memory");
	return 1;
}
CASE(wbinvd, TPZ_EXIT_WBINVD)

/* A page moves; the guest sees that after INVLPG. RDI is GUEST_PT: the entries are in reach of the guest */
static GUEST __u32 remap(void (*invalidate)(void))
{
	volatile __u64 *pte = (volatile __u64 *)GUEST_PT + BUFFER / 4096;
	volatile __u32 *page = (volatile __u32 *)BUFFER;
	const __u64 old = *pte;

	page[0] = 0x11111111;
	page[1024] = 0x22222222;
	GUEST_CHECK_EQ(page[0], 0x11111111);
	*pte = old + 4096;
	invalidate();
	GUEST_CHECK_EQ(page[0], 0x22222222);
	*pte = old;
	invalidate();
	GUEST_CHECK_EQ(page[0], 0x11111111);
	return 2;
}

static GUEST void invalidate_by_invlpg(void)
{
	asm volatile("invlpg (%0)" : : "r"(BUFFER) : "memory");
}

static GUEST __u32 guest_invlpg(__u64 unused)
{
	(void)unused;
	return remap(invalidate_by_invlpg);
}
CASE(invlpg, TPZ_EXIT_INVLPG, .traps = TPZ_TRAP_INVLPG)

static struct { __u64 pcid, address; } invpcid_descriptor;
static __u64 invpcid_type;

static GUEST void invalidate_by_invpcid(void)
{
	asm volatile("invpcid (%0), %1" : : "r"(&invpcid_descriptor), "r"(invpcid_type) : "memory");
}

static GUEST __u32 guest_invpcid(__u64 unused)
{
	__u32 eax, ebx, ecx, edx, n = 0;

	(void)unused;
	cpuid(7, 0, &eax, &ebx, &ecx, &edx);
	if (!(ebx & 1 << 10))
		return 0;
	invpcid_descriptor.address = BUFFER;
	for (invpcid_type = 0; invpcid_type < 4; invpcid_type++)
		n += remap(invalidate_by_invpcid);
	/* A bad type, reserved bits, a PCID without CR4.PCIDE, an address that is not canonical */
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(4)));
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(1ULL << 32)));
	invpcid_descriptor.pcid = 1 << 12;
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(2)));
	invpcid_descriptor.pcid = 1;
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(1)));
	WORKS("invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(3)));
	invpcid_descriptor.pcid = 0;
	invpcid_descriptor.address = 1ULL << 47;
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(&invpcid_descriptor), "c"(0)));
	RAISES(GP, "invpcid (%%rbx), %%rcx", (), ("b"(1ULL << 47), "c"(0)));
	return n + 7;
}

static void invpcid_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_INVLPG);
	struct meters meters = meters_open(vcpu->vm->id);
	__u32 count;

	vcpu_start(vcpu, MODE_LONG, RING0, guest_invpcid, 0);
	count = vcpu_finish(vcpu);
	if (!count)
		SKIP("this CPU has no INVPCID");
	CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_INVPCID].count, count);
}

static GUEST __u32 guest_rdpmc(__u64 unused)
{
	(void)unused;
	RAISES(GP, "rdpmc", (), ("c"(0)));
	RAISES(GP, "rdpmc", (), ("c"(1 << 30)));
	return 2;
}
CASE(rdpmc, TPZ_EXIT_RDPMC)

static GUEST __u32 guest_rdtsc(__u64 unused)
{
	__u64 last = 0, rax, rdx;

	(void)unused;
	for (int i = 0; i < 10; i++) {
		rax = rdx = ~0ULL;
		asm volatile("rdtsc" : "+a"(rax), "+d"(rdx));
		GUEST_CHECK_EQ(rax >> 32, 0);
		GUEST_CHECK_EQ(rdx >> 32, 0);
		GUEST_CHECK_EQ((rdx << 32 | rax) > last, 1);
		last = rdx << 32 | rax;
	}
	return 10;
}
CASE(rdtsc, TPZ_EXIT_RDTSC, .traps = TPZ_TRAP_TSC)

static GUEST __u32 guest_rdtscp(__u64 unused)
{
	__u64 rax = ~0ULL, rcx = ~0ULL, rdx = ~0ULL;

	(void)unused;
	asm volatile("rdtscp" : "+a"(rax), "+c"(rcx), "+d"(rdx));
	GUEST_CHECK_EQ(rax >> 32, 0);
	GUEST_CHECK_EQ(rcx, 0x12345678);
	return 1;
}

static void rdtscp_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_TSC);
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_rdtscp, 0);

	state.groups |= TPZ_STATE_MSRS;
	state.msrs = vcpu_get(vcpu, TPZ_STATE_MSRS).msrs;
	state.msrs.tsc_aux = 0x12345678;
	vcpu_set(vcpu, &state);
	check_count(&meters, TPZ_EXIT_RDTSCP, vcpu_finish(vcpu));
}

static GUEST __u32 guest_hypercall(__u64 unused)
{
	__u64 rax = 0x7fff, rbx = 0x1234;

	(void)unused;
	if (machine.vmmcall)
		asm volatile("vmmcall" : "+a"(rax), "+b"(rbx) : : "memory");
	else
		asm volatile("vmcall" : "+a"(rax), "+b"(rbx) : : "memory");
	GUEST_CHECK_EQ(rax, -1000);		/* "no such call" */
	GUEST_CHECK_EQ(rbx, 0x1234);
	/* The other vendor's is not there */
	if (machine.vmmcall)
		RAISES(UD, "vmcall", (), ("a"(0)));
	else
		RAISES(UD, "vmmcall", (), ("a"(0)));
	return 1;
}
CASE(hypercall, TPZ_EXIT_HYPERCALL)

/* The guest has none: nobody looks at the operands, #UD comes first. Some processors have SVM's all the same, and trap */
static GUEST __u32 guest_svm_insns(__u64 unused)
{
	(void)unused;
	RAISES(UD, "vmrun", (), ("a"(BUFFER)));
	RAISES(UD, "vmload", (), ("a"(BUFFER)));
	RAISES(UD, "vmsave", (), ("a"(BUFFER)));
	RAISES(UD, "stgi", (), ());
	RAISES(UD, "clgi", (), ());
	RAISES(UD, "skinit", (), ("a"(0)));
	RAISES(UD, "invlpga", (), ("a"(BUFFER), "c"(0)));
	return machine.svm ? 7 : 0;
}
CASE(svm_insns, TPZ_EXIT_VIRT_INSN)

static GUEST __u32 guest_vmx_insns(__u64 unused)
{
	(void)unused;
	RAISES(UD, "vmxoff", (), ());
	RAISES(UD, "vmread %%rbx, %%rcx", (), ("b"(0), "c"(0)));
	RAISES(UD, "vmwrite %%rbx, %%rcx", (), ("b"(0), "c"(0)));
	RAISES(UD, "vmlaunch", (), ());
	RAISES(UD, "vmresume", (), ());
	RAISES(UD, "invept (%%rbx), %%rcx", (), ("b"(BUFFER), "c"(1)));
	RAISES(UD, "invvpid (%%rbx), %%rcx", (), ("b"(BUFFER), "c"(1)));
	return machine.svm ? 0 : 7;
}
CASE(vmx_insns, TPZ_EXIT_VIRT_INSN)

/* Those that are forms of 0F C7 */
static GUEST __u32 guest_0fc7_insns(__u64 unused)
{
	(void)unused;
	RAISES(UD, "vmxon (%%rbx)", (), ("b"(BUFFER)));
	RAISES(UD, "vmclear (%%rbx)", (), ("b"(BUFFER)));
	RAISES(UD, "vmptrld (%%rbx)", (), ("b"(BUFFER)));
	RAISES(UD, "vmptrst (%%rbx)", (), ("b"(BUFFER)));
	RAISES(UD, "xsaves (%%rbx)", (), ("a"(1), "b"(BUFFER), "d"(0)));
	RAISES(UD, "xrstors (%%rbx)", (), ("a"(1), "b"(BUFFER), "d"(0)));
	return machine.svm ? 0 : 4;
}

static void insns_0fc7_traps(void)
{
	not_in_tcg("runs forms of 0F C7 that it does not know as if they were nothing");
	traps(TPZ_EXIT_VIRT_INSN, guest_0fc7_insns, (struct vm_options){});
}

/* What CPUID says is not there raises #UD, whether it traps on the way or not */
static GUEST __u32 guest_absent_insns(__u64 unused)
{
	(void)unused;
	RAISES(UD, "rsm", (), ());
	RAISES(UD, "vmfunc", (), ("a"(0), "c"(0)));
	RAISES(UD, "getsec", (), ("a"(0)));
	RAISES(UD, ".byte 0xf3, 0x0f, 0xae, 0xf0", (), ());	/* UMONITOR RAX */
	return 4;
}

static void absent_insns_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, guest_absent_insns, 0);
	CHECK_EQ(vcpu_finish(vcpu), 4);
}

static GUEST __u32 guest_encls(__u64 unused)
{
	(void)unused;
	RAISES(UD, "encls", (), ("a"(0)));
	return 1;
}

static void encls_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	not_in_tcg("runs ENCLS as if it were nothing");
	vcpu_start(vcpu, MODE_LONG, RING0, guest_encls, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static GUEST __u32 guest_monitor(__u64 unused)
{
	(void)unused;
	RAISES(UD, "monitor", (), ("a"(BUFFER), "c"(0), "d"(0)));
	return 1;
}
CASE(monitor, TPZ_EXIT_MONITOR)

static GUEST __u32 guest_mwait(__u64 unused)
{
	(void)unused;
	RAISES(UD, "mwait", (), ("a"(0), "c"(0)));
	return 1;
}
CASE(mwait, TPZ_EXIT_MWAIT)

static GUEST __u32 guest_pause(__u64 unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++)
		asm volatile("pause");
	return 5;
}
CASE(pause, TPZ_EXIT_PAUSE, .traps = TPZ_TRAP_PAUSE)

/* ------------------------------------------------------------------ control and debug registers: every operand */

static GUEST __u32 guest_cr8(__u64 unused)
{
	__u64 n = 0, reads = 0;

	(void)unused;
	word2 = 5;
	WITH_REGISTER(rax, word2, "mov %%rax, %%cr8");
	word2 = ~0ULL;
#define READ(reg)									\
	WITH_REGISTER(reg, word2, "mov %%cr8, %%" #reg);				\
	GUEST_CHECK_EQ(word, 5);							\
	reads++;
	EACH_REGISTER(READ)
#undef READ
#define WRITE(reg)									\
	word2 = n & 15;									\
	WITH_REGISTER(reg, word2, "mov %%" #reg ", %%cr8");				\
	GUEST_CHECK_EQ(READ_REGISTER(cr8), word2);					\
	reads++;									\
	n++;
	EACH_REGISTER(WRITE)
#undef WRITE
	/* RSP is an operand as any other */
	asm volatile("mov %%rsp, %%rbx\n\tmov %%cr8, %%rsp\n\tmov %%rsp, %0\n\tmov %%rbx, %%rsp"
		     : "=m"(word) : : "rbx", "memory");
	GUEST_CHECK_EQ(word, word2);
	RAISES(GP, "mov %%rbx, %%cr8", (), ("b"(16)));
	RAISES(GP, "mov %%rbx, %%cr8", (), ("b"(1ULL << 32)));
	reads++;
	return n + 1 + 2 + (machine.cr8_reads_trap ? reads : 0);
}
CASE(cr8, TPZ_EXIT_CR)

static GUEST __u32 guest_read_cr3(__u64 unused)
{
	const __u64 cr3 = GUEST_PML4;
	__u64 n = 0;

	(void)unused;
	word2 = ~0ULL;
#define READ(reg)									\
	WITH_REGISTER(reg, word2, "mov %%cr3, %%" #reg);				\
	GUEST_CHECK_EQ(word, cr3);							\
	n++;
	EACH_REGISTER(READ)
#undef READ
	return n;
}

static void read_cr3_traps(void)
{
	not_in_tcg("never ends a stay for a read of CR3");
	traps(TPZ_EXIT_CR, guest_read_cr3, (struct vm_options){ .traps = TPZ_TRAP_CR3 });
}

static GUEST __u32 guest_write_cr3(__u64 unused)
{
	const __u64 cr3 = GUEST_PML4;
	__u64 n = 0;

	(void)unused;
	word2 = cr3 | 0x18;	/* PWT and PCD: the same tables */
#define WRITE(reg)									\
	WITH_REGISTER(reg, word2, "mov %%" #reg ", %%cr3");				\
	n++;
	EACH_REGISTER(WRITE)
#undef WRITE
	RAISES(GP, "mov %%rbx, %%cr3", (), ("b"(1ULL << 63)));
	RAISES(GP, "mov %%rbx, %%cr3", (), ("b"(1ULL << 52)));
	return n + 2;
}

static void write_cr3_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_CR3);
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_LONG, RING0, guest_write_cr3, 0);
	check_count(&meters, TPZ_EXIT_CR, vcpu_finish(vcpu));
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_CONTROL).control.cr3, GUEST_PML4 | 0x18);
}

#define CR0_CD	(1ULL << 30)

static GUEST __u32 guest_cr0_caching(__u64 unused)
{
	const __u64 cr0 = READ_REGISTER(cr0);

	(void)unused;
	word2 = cr0 | CR0_CD;
	WITH_REGISTER(rcx, word2, "mov %%rcx, %%cr0");
	GUEST_CHECK_EQ(READ_REGISTER(cr0), cr0 | CR0_CD);
	word2 = cr0;
	WITH_REGISTER(r14, word2, "mov %%r14, %%cr0");
	GUEST_CHECK_EQ(READ_REGISTER(cr0), cr0);
	return machine.svm ? 3 : 2;	/* SVM has no read shadow: while CD is set the guest's reads trap, too */
}
CASE(cr0_caching, TPZ_EXIT_CR)

static GUEST __u32 guest_dr(__u64 unused)
{
	__u64 n = 0;

	(void)unused;
#define TRY(reg)									\
	word2 = 0x1000 + n;								\
	WITH_REGISTER(reg, word2, "mov %%" #reg ", %%dr0\n\txor %%" #reg ", %%" #reg "\n\tmov %%dr0, %%" #reg); \
	GUEST_CHECK_EQ(word, word2);							\
	n += 2;
	EACH_REGISTER(TRY)
#undef TRY
	WRITE_REGISTER(dr1, 0x1111);
	WRITE_REGISTER(dr2, 0x2222);
	WRITE_REGISTER(dr3, 0x3333);
	GUEST_CHECK_EQ(READ_REGISTER(dr1), 0x1111);
	GUEST_CHECK_EQ(READ_REGISTER(dr2), 0x2222);
	GUEST_CHECK_EQ(READ_REGISTER(dr3), 0x3333);
	GUEST_CHECK_EQ(READ_REGISTER(dr6), 0xffff0ff0);
	GUEST_CHECK_EQ(READ_REGISTER(dr7), 0x400);
	return n + 8;
}
CASE(dr, TPZ_EXIT_DR)

/* ------------------------------------------------------------------ MSRs, XSETBV, numbers by chance */

static GUEST __u32 guest_msr_read(__u64 unused)
{
	__u64 rax = ~0ULL, rdx = ~0ULL;

	(void)unused;
	asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(0xffffffffc0000080ULL));
	GUEST_CHECK_EQ(rax, 0xd01);		/* EFER: SCE, LME, LMA, NXE */
	GUEST_CHECK_EQ(rdx, 0);
	RAISES(GP, "rdmsr", (), ("c"(0x12345678)));
	RAISES(GP, "rdmsr", (), ("c"(0x2000)));
	RAISES(GP, "rdmsr", (), ("c"(0xc0002000)));
	return 4;
}
CASE(msr_read, TPZ_EXIT_MSR_READ)

static GUEST __u32 guest_msr_write(__u64 unused)
{
	(void)unused;
	/* The upper halves of the registers do not count */
	WORKS("wrmsr", (), ("c"(0xffffffffc0000080), "a"(0xffffffff00000d01), "d"(0xffffffff00000000)));
	RAISES(GP, "wrmsr", (), ("c"(0x277), "a"(0x06060602), "d"(0x06060606)));
	RAISES(GP, "wrmsr", (), ("c"(0x12345678), "a"(0), "d"(0)));
	return 3;
}
CASE(msr_write, TPZ_EXIT_MSR_WRITE)

static GUEST __u32 guest_xsetbv(__u64 unused)
{
	__u64 rax = ~0ULL, rdx = ~0ULL;

	(void)unused;
	WORKS("xsetbv", (), ("c"(0xffffffff00000000), "a"(0xffffffff00000003), "d"(0xffffffff00000000)));
	asm volatile("xgetbv" : "+a"(rax), "+d"(rdx) : "c"(0));
	GUEST_CHECK_EQ(rax, 3);
	GUEST_CHECK_EQ(rdx, 0);
	RAISES(GP, "xsetbv", (), ("c"(0), "a"(2), "d"(0)));
	RAISES(GP, "xsetbv", (), ("c"(0), "a"(3), "d"(1)));
	RAISES(GP, "xsetbv", (), ("c"(1), "a"(3), "d"(0)));
	return 4;
}

static void xsetbv_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_xsetbv, 0);

	state.control.cr4 |= 1 << 18;		/* OSXSAVE */
	vcpu_set(vcpu, &state);
	check_count(&meters, TPZ_EXIT_XSETBV, vcpu_finish(vcpu));
}

/* One of the two for each register and width: the rest of the register, CF and the other flags */
#define RANDOM_GUEST(insn, bit, register_of_leaf)					\
	static GUEST __u32 guest_##insn(__u64 leaf)					\
	{										\
		__u32 regs[4], n = 0;							\
											\
		cpuid(leaf, 0, &regs[0], &regs[1], &regs[2], &regs[3]);			\
		if (!(regs[register_of_leaf] >> (bit) & 1))				\
			return 0;							\
		EACH_REGISTER(RANDOM_##insn)						\
		return n;								\
	}
/* CF may be 0 once in a while: ask again. The other flags, set before, are 0 */
#define RANDOM(insn, reg)								\
	do {										\
		word2 = ~0ULL;								\
		asm volatile("mov %2, %%" #reg "\n\t" #insn " %%" #reg "\n\tmov %%" #reg ", %0\n\tpushf\n\tpop %1" \
			     : "=m"(word), "=m"(word2) : "m"(word2) : #reg, "memory", "cc"); \
		n++;									\
	} while (!(word2 & 1));								\
	GUEST_CHECK_EQ(word2 & 0x8d5, 1);						\
	GUEST_CHECK_EQ(word != 0 && word != ~0ULL, 1);
#define RANDOM_rdrand(reg)	RANDOM(rdrand, reg)
#define RANDOM_rdseed(reg)	RANDOM(rdseed, reg)
RANDOM_GUEST(rdrand, 30, 2)
RANDOM_GUEST(rdseed, 18, 1)

static GUEST __u32 guest_rdrand_sizes(__u64 unused)
{
	__u64 r9;

	/* Not 16 bits: Bochs tells the address size where the operand's should stand (cpu/vmx.cc) */
	(void)unused;
	asm volatile("mov $-1, %%r9\n1:	rdrand %%r9d\n\tjnc 1b\n\tmov %%r9, %0" : "=r"(r9) : : "r9");
	GUEST_CHECK_EQ(r9 >> 32, 0);
	return 0;
}

static void random_numbers(__u32 reason, const void *guest, __u64 leaf)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_RDRAND);
	struct meters meters = meters_open(vcpu->vm->id);
	__u32 count;

	vcpu_start(vcpu, MODE_LONG, RING0, guest, leaf);
	count = vcpu_finish(vcpu);
	if (!count)
		SKIP("this CPU has no such instruction");
	CHECK_GE(count, REGISTERS);
	CHECK_EQ(meters_read(&meters, 0).reason[reason].count, count);
}

static void rdrand_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_RDRAND);

	random_numbers(TPZ_EXIT_RDRAND, guest_rdrand, 1);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_rdrand_sizes, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static void rdseed_traps(void)
{
	random_numbers(TPZ_EXIT_RDSEED, guest_rdseed, 7);
}

/* ------------------------------------------------------------------ exceptions */

static GUEST __u32 guest_int3(__u64 unused)
{
	RAISES(BP, "int3", (), ());
	RAISES(BP, ".byte 0xcd, 3", (), ());	/* INT n is not INT3, but this CPU's exit is the same */
	(void)unused;
	return 1;
}

static void int3_traps(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_INT3);
	struct meters meters = meters_open(vcpu->vm->id);

	not_in_tcg("never ends a stay for the #BP of INT3");
	vcpu_start(vcpu, MODE_LONG, RING0, guest_int3, 0);
	vcpu_finish(vcpu);
	CHECK_GE(meters_read(&meters, 0).reason[TPZ_EXIT_EXCEPTION].count, 1);
}

static GUEST __u32 guest_ud(__u64 unused)
{
	(void)unused;
	RAISES(UD, "ud2", (), ());
	return 1;
}
CASE(ud, TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_UD)

static GUEST __u32 guest_pf(__u64 unused)
{
	volatile __u64 *pte = (volatile __u64 *)GUEST_PT + HOLE / 4096;
	struct guest_fault fault;
	__u64 value;

	(void)unused;
	*pte &= ~1ULL;
	asm volatile("invlpg (%0)" : : "r"(HOLE) : "memory");
	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(HOLE + 0x123)));
	GUEST_CHECK_EQ(fault.vector, PF);
	GUEST_CHECK_EQ(fault.error, 0);
	GUEST_CHECK_EQ(fault.address, HOLE + 0x123);
	GUEST_TRY(fault, "mov %0, (%%rbx)", ("=a"(value)), ("b"(HOLE + 0xfff)));
	GUEST_CHECK_EQ(fault.error, 2);
	GUEST_CHECK_EQ(fault.address, HOLE + 0xfff);
	return 2;
}
CASE(pf, TPZ_EXIT_EXCEPTION, .traps = TPZ_TRAP_PF)

/* Without the traps the guest's own faults cost nothing */
static GUEST __u32 guest_own_faults(__u64 unused)
{
	guest_pf(0);
	guest_ud(0);
	RAISES(BP, "int3", (), ());
	RAISES(GP, "mov (%%rbx), %%rbx", (), ("b"(1ULL << 47)));
	(void)unused;
	return 0;
}
CASE(own_faults, TPZ_EXIT_EXCEPTION)

/* An IDT too short for anything: the third fault ends it */
static GUEST __u32 guest_triple_fault(__u64 unused)
{
	struct { __u16 limit; __u64 base; } __attribute__((packed)) idt = { 0, 0 };

	(void)unused;
	asm volatile("lidt %0\n\tud2" : : "m"(idt));
	return 0;
}

static void triple_fault(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, guest_triple_fault, 0);
	vcpu_expect(vcpu, TPZ_EXIT_TRIPLE_FAULT);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.activity, TPZ_ACTIVITY_SHUTDOWN);
	vcpu_expect(vcpu, TPZ_EXIT_TRIPLE_FAULT);	/* and it stays so */
	vcpu_start(vcpu, MODE_LONG, RING0, guest_cpuid, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* The same when the module raises the third: a #UD of its own while the CPU was delivering */
static void triple_fault_by_the_module(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_PF | TPZ_TRAP_UD);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_ud, 0);

	/* IDT and stack on a page that is not there: #UD, #PF of the IDT, #DF, #PF of the IDT */
	*vm_pte(vcpu->vm, HOLE) &= ~1ULL;
	state.segments.idtr.base = HOLE;
	vcpu_set(vcpu, &state);
	vcpu_expect(vcpu, TPZ_EXIT_TRIPLE_FAULT);
}

/* ------------------------------------------------------------------ to the launcher */

static GUEST __u32 guest_hlt(__u64 unused)
{
	(void)unused;
	asm volatile(".globl exits_hlt\nexits_hlt: hlt");
	return 1;
}

static void hlt_without_apic(void)
{
	extern const char exits_hlt[];
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, guest_hlt, 0);
	vcpu_expect(vcpu, TPZ_EXIT_HLT);
	CHECK_EQ(vcpu->run->insn_bytes, 1);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_REGS).regs.rip, (uintptr_t)exits_hlt + 1);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* guests/exits.S */
extern const char task_call32[], task_jmp32[], task_gate32[], task_iret32[];

#define SEL_TASK	0x48
#define RFLAGS_NT	(1ULL << 14)

static void task_switch(void)
{
	not_in_tcg("switches tasks by itself, whatever is intercepted");
	static const struct { const char *entry; __u8 source; __u8 bytes; } ways[] = {
		{ task_call32, 0, 7 }, { task_iret32, 1, 1 }, { task_jmp32, 2, 7 }, { task_gate32, 3, 2 },
	};
	const __u64 tss = 0x0000890000000067ULL | BUFFER << 16, busy_tss = tss | 2ULL << 40;
	const __u64 gate = 0x0000e50000000000ULL | SEL_TASK << 16;

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		struct vcpu *vcpu = vm_with_vcpu();
		struct tpz_state state = vcpu_start_state(vcpu, MODE_PROTECTED, RING0, (uintptr_t)ways[i].entry, 0);

		/* IRET goes back to a task that is busy */
		memcpy(vcpu->vm->memory + GUEST_GDT + SEL_TASK, ways[i].source == 1 ? &busy_tss : &tss, 8);
		memcpy(vcpu->vm->memory + GUEST_IDT32 + 8 * 0x70, &gate, 8);
		if (ways[i].source == 1) {
			state.regs.rflags |= RFLAGS_NT;
			vcpu->vm->memory[state.segments.seg[TPZ_TR].base] = SEL_TASK;
		}
		vcpu_set(vcpu, &state);
		vcpu_expect(vcpu, TPZ_EXIT_TASK_SWITCH);
		CHECK_EQ(vcpu->run->task_switch.selector, SEL_TASK);
		CHECK_EQ(vcpu->run->task_switch.source, ways[i].source);
		CHECK_EQ(vcpu->run->rip, (uintptr_t)ways[i].entry);
		CHECK_EQ(vcpu->run->insn_bytes, ways[i].bytes);
		vm_close(vcpu->vm);
	}
}

static GUEST __u32 guest_read(__u64 address)
{
	return *(volatile __u32 *)address;
}

static GUEST __u32 guest_write(__u64 address)
{
	*(volatile __u32 *)address = 7;
	return 1;
}

static GUEST __u32 guest_jump(__u64 address)
{
	return ((__u32 (*)(void))address)();
}

static void memory_that_is_not_there(void)
{
	static const struct { const void *guest; __u8 read, write, fetch; } ways[] = {
		{ guest_read, 1, 0, 0 }, { guest_write, 0, 1, 0 }, { guest_jump, 0, 0, 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		struct vcpu *vcpu = vm_with_vcpu();
		volatile struct tpz_run_memory *m = &vcpu->run->memory;
		volatile struct tpz_run_mmio *mmio = &vcpu->run->mmio;

		vcpu_start(vcpu, MODE_LONG, RING0, ways[i].guest, NOWHERE + 0x34);
		if (!ways[i].fetch) {
			vcpu_expect(vcpu, TPZ_EXIT_MMIO);
			CHECK_EQ(mmio->gpa, NOWHERE + 0x34);
			CHECK_EQ(mmio->bytes, 4);
			CHECK_EQ(mmio->write, ways[i].write);
			memset((void *)vcpu->data, 0, 4);
			vm_add_memory(vcpu->vm, SLOT_TEST, NOWHERE, PAGE, 0);
			vcpu_finish(vcpu);
			vm_close(vcpu->vm);
			continue;
		}
		vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
		CHECK_EQ(m->gpa, NOWHERE + 0x34);
		CHECK_EQ(m->gva_valid, machine.npf_tells_gva);
		CHECK_EQ(m->gva, m->gva_valid ? NOWHERE + 0x34 : 0);
		CHECK_EQ(m->write, ways[i].write);
		CHECK_EQ(m->fetch, ways[i].fetch);
		CHECK_EQ(m->read, ways[i].read);
		CHECK_EQ(m->page_walk, 0);
		CHECK_EQ(m->no_slot, 1);
		CHECK_EQ(m->readonly_slot, 0);
		vm_close(vcpu->vm);
	}
}

static void a_page_table_that_is_not_there(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 entry = NOWHERE | 7, address = 64ULL << 21;

	memcpy(vcpu->vm->memory + GUEST_PD + 8 * 64, &entry, 8);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, address + 0x1008);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, NOWHERE + 8);
	CHECK_EQ(vcpu->run->memory.gva, machine.npf_tells_gva ? address + 0x1008 : 0);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
}

static void readonly_memory(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vm_add_memory(vcpu->vm, SLOT_TEST, NOWHERE, PAGE, TPZ_SLOT_READONLY);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, NOWHERE);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, NOWHERE + 8);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, NOWHERE + 8);
	CHECK_EQ(vcpu->run->mmio.write, 1);
}

/* The first touch of a page costs one trap, and the next none */
static void first_touch(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u64 before, mapped;

	vm_add_memory(vcpu->vm, SLOT_TEST, NOWHERE, PAGE, 0);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, 0);
	vcpu_finish(vcpu);
	for (int i = 0; i < 2; i++) {
		before = meters_read(&meters, 0).reason[TPZ_EXIT_NPF].count;
		mapped = meters_read(&meters, 0).npf_mapped;
		vcpu_start(vcpu, MODE_LONG, RING0, guest_write, NOWHERE);
		CHECK_EQ(vcpu_finish(vcpu), 1);
		CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_NPF].count - before, !i);
		CHECK_EQ(meters_read(&meters, 0).npf_mapped - mapped, !i);
	}
}

static GUEST __u32 guest_steps(__u64 unused)
{
	(void)unused;
	asm volatile(".globl exits_steps\nexits_steps: nop\n\tcpuid\n\tpush %%rax\n\tpop %%rax"
		     : : : "rax", "rbx", "rcx", "rdx", "memory");
	return 1;
}

static void single_step(void)
{
	extern const char exits_steps[];
	static const __u8 rips[] = { 0, 1, 3, 4, 5 };
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_STEP);
	unsigned int i = 0;

	vcpu_start(vcpu, MODE_LONG, RING0, guest_steps, 0);
	for (int steps = 0; i < ARRAY_SIZE(rips); steps++) {
		CHECK_LT(steps, 100);
		if (vcpu_run(vcpu) != TPZ_EXIT_SINGLE_STEP)
			FAIL("%s", vcpu_exit_text(vcpu));
		if (i || vcpu->run->rip == (uintptr_t)exits_steps)
			CHECK_EQ(vcpu->run->rip, (uintptr_t)exits_steps + rips[i++]);
	}
}

/* ------------------------------------------------------------------ what comes from outside */

static volatile __u32 stop;

/* With interrupts on: Bochs's entry does not let the host's through otherwise (Documentation/lab.md) */
static GUEST __u32 guest_spin(__u64 unused)
{
	(void)unused;
	asm volatile("sti");
	while (!stop)
		asm volatile("" : : : "memory");
	return 1;
}

/* What the guest spins for */
static struct {
	struct meters meters;
	__u32 reason;
	__u64 count;
} awaited;

static void look(int signal)
{
	(void)signal;
	stop = meters_read(&awaited.meters, 0).reason[awaited.reason].count >= awaited.count;
}

static void look_no_more(void *unused)
{
	(void)unused;
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	signal(SIGALRM, SIG_DFL);
}

/* Spins until there have been @count exits of @reason, or the case's time is over */
static void spin_until(struct vcpu *vcpu, __u32 reason, __u64 count)
{
	const struct timeval often = { .tv_usec = 20000 };

	awaited = (typeof(awaited)){ meters_open(vcpu->vm->id), reason, count };
	stop = 0;
	ktap_defer(look_no_more, NULL);
	signal(SIGALRM, look);
	setitimer(ITIMER_REAL, &(struct itimerval){ often, often }, NULL);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_spin, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static void host_interrupts(void)
{
	spin_until(vm_with_vcpu(), TPZ_EXIT_HOST_INTERRUPT, 5);
}

static void preemption_timer(void)
{
	spin_until(vm_with_vcpu(.traps = TPZ_TRAP_TIMER, .timer_cycles = 20000), TPZ_EXIT_TIMER, 10);
}

static volatile __u32 interrupts, nmis;

static GUEST void count_interrupt(struct guest_frame *frame)
{
	interrupts++;
	wrmsr(0x80b, 0);
	(void)frame;
}

static GUEST void count_nmi(struct guest_frame *frame)
{
	nmis++;
	(void)frame;
}

static GUEST __u32 guest_interrupt_window(__u64 unused)
{
	(void)unused;
	interrupts = 0;
	wrmsr(0x80f, 0x1ff);
	wrmsr(0x83f, 0x51);
	GUEST_CHECK_EQ(interrupts, 0);
	asm volatile("sti\n\tnop");
	GUEST_CHECK_EQ(interrupts, 1);
	return 1;
}

static void interrupt_window(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct meters meters = meters_open(vcpu->vm->id);

	guest_on(0x51, count_interrupt);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_interrupt_window, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_INTR_WINDOW].count, 1);
	CHECK_EQ(meters_read(&meters, 0).injected_interrupts, 1);
}

/* Inside an NMI handler: the next one waits for IRET */
static GUEST __u32 guest_nmi_window(__u64 unused)
{
	(void)unused;
	GUEST_CHECK_EQ(nmis, 0);
	asm volatile("mov %%ss, %%eax\n\tpush %%rax\n\tlea 8(%%rsp), %%rcx\n\tpush %%rcx\n\tpushf\n\t"
		     "mov %%cs, %%eax\n\tpush %%rax\n\tlea 1f(%%rip), %%rcx\n\tpush %%rcx\n\tiretq\n1:"
		     : : : "rax", "rcx", "memory", "cc");
	GUEST_CHECK_EQ(nmis, 1);
	return 1;
}

static void nmi_window(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_nmi_window, 0);

	nmis = 0;
	guest_on(2, count_nmi);
	state.events.nmi_pending = 1;
	state.events.nmi_blocked = 1;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_NMI_WINDOW].count, 1);
	CHECK_EQ(meters_read(&meters, 0).injected_nmis, 1);
}

/* ------------------------------------------------------------------ events whose delivery an exit cuts off */

/*
 * The guest's stack page is in no slot when the event comes: the delivery ends in MEMORY. With memory there it is
 * delivered again: once, with its own vector and error code.
 */
static void an_interrupted_delivery_goes_on(void)
{
	static const struct { struct tpz_events events; __u64 error; unsigned int skips; } events[] = {
		{ { .pending = 1, .type = TPZ_EVENT_EXCEPTION, .vector = GP, .has_error = 1, .error = 0x1230 }, 0x1230, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_NMI, .vector = 2 }, 0, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_INTR, .vector = 0x44 }, 0, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_SOFT_INTR, .vector = 0x45, .insn_bytes = 2 }, 0, 2 },
		{ { .pending = 1, .type = TPZ_EVENT_SOFT_EXCEPTION, .vector = BP, .insn_bytes = 1 }, 0, 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		struct vcpu *vcpu = vm_with_vcpu();
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_read, BUFFER);
		struct tpz_events now;
		__u8 *stack;

		state.regs.gpr[TPZ_RSP] = NOWHERE + PAGE - 16;
		state.regs.rflags |= 1 << 9;
		state.events = events[i].events;
		vcpu_set(vcpu, &state);
		vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
		CHECK_EQ(vcpu->run->memory.gpa & -PAGE, NOWHERE);
		CHECK_EQ(vcpu->run->memory.write, 1);
		now = vcpu_get(vcpu, TPZ_STATE_EVENTS).events;
		CHECK_EQ(now.pending, 1);
		CHECK_EQ(now.type, events[i].events.type);
		CHECK_EQ(now.vector, events[i].events.vector);
		CHECK_EQ(now.error, events[i].events.error);
		CHECK_EQ(now.nmi_blocked, 0);

		stack = vm_add_memory(vcpu->vm, SLOT_TEST, NOWHERE, PAGE, 0);
		vcpu_expect(vcpu, TPZ_EXIT_IO);
		CHECK_EQ(vcpu->run->io.port, PORT_FAULT64);
		struct guest_frame *frame =
			(void *)stack + (vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI] - NOWHERE);

		CHECK_EQ(frame->vector, events[i].events.vector);
		CHECK_EQ(frame->error, events[i].error);
		CHECK_EQ(frame->rip, (uintptr_t)guest_read + events[i].skips);
		CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.pending, 0);
		vm_close(vcpu->vm);
	}
}

static const struct ktap_case cases[] = {
	{ "CPUID", cpuid_traps },
	{ "INVD", invd_traps },
	{ "WBINVD", wbinvd_traps },
	{ "INVLPG", invlpg_traps },
	{ "INVPCID", invpcid_traps },
	{ "RDPMC", rdpmc_traps },
	{ "RDTSC", rdtsc_traps },
	{ "RDTSCP", rdtscp_traps },
	{ "VMCALL or VMMCALL, and the other", hypercall_traps },
	{ "VMX instructions", vmx_insns_traps },
	{ "VMXON, VMPTRLD, XSAVES and their like", insns_0fc7_traps },
	{ "SVM instructions", svm_insns_traps },
	{ "instructions that are not there", absent_insns_traps },
	{ "ENCLS", encls_traps },
	{ "MONITOR", monitor_traps },
	{ "MWAIT", mwait_traps },
	{ "PAUSE", pause_traps },
	{ "MOV CR8", cr8_traps },
	{ "MOV from CR3", read_cr3_traps },
	{ "MOV to CR3", write_cr3_traps },
	{ "MOV CR0: caching", cr0_caching_traps },
	{ "MOV DR", dr_traps },
	{ "RDMSR", msr_read_traps },
	{ "WRMSR", msr_write_traps },
	{ "XSETBV", xsetbv_traps },
	{ "RDRAND", rdrand_traps },
	{ "RDSEED", rdseed_traps },
	{ "INT3", int3_traps },
	{ "#UD", ud_traps },
	{ "#PF", pf_traps },
	{ "faults that nobody asked for cost no exit", own_faults_traps },
	{ "triple fault", triple_fault },
	{ "triple fault by the module", triple_fault_by_the_module },
	{ "HLT without a local APIC", hlt_without_apic },
	{ "task switch", task_switch },
	{ "memory that is not there", memory_that_is_not_there },
	{ "a page table that is not there", a_page_table_that_is_not_there },
	{ "read-only memory", readonly_memory },
	{ "the first touch of a page", first_touch },
	{ "single step", single_step },
	{ "interrupts of the host", host_interrupts },
	{ "preemption timer", preemption_timer },
	{ "interrupt window", interrupt_window },
	{ "NMI window", nmi_window },
	{ "an interrupted delivery goes on", an_interrupted_delivery_goes_on },
};
KTAP_MAIN(cases)
