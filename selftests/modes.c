// SPDX-License-Identifier: GPL-2.0
/*
 * A tiny guest in each mode of the processor: it computes something and reports it through a port; exceptions
 * arrive with the right vector, error code, address and return address. Guests: guests/modes.S, and C for 64-bit.
 */
#include "vm.h"

/* guests/modes.S */
extern const char real_sum_begin[], real_sum_end[];
extern const char real_faults_begin[], real_faults_end[], real_faults_ud[], real_faults_gp[];
extern const char fibonacci32[], load32[], store32[], store32_insn[], where32[];
extern const char privileged32[], privileged32_insn[], compat_tour[];
extern const char mode_tour_begin[], mode_tour_end[];

#define PF_PRESENT	1
#define PF_WRITE	2
#define PF_USER		4
#define PF_FETCH	16

#define DE	0
#define BP	3
#define UD	6
#define NM	7
#define NP	11
#define SS	12
#define GP	13
#define PF	14
#define AC	17

/* ------------------------------------------------------------------ real mode */

static void real_mode_computes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_load(vcpu, GUEST_REAL_CODE, real_sum_begin, real_sum_end);
	vcpu_start(vcpu, MODE_REAL, RING0, 0, 1000);
	CHECK_EQ(vcpu_finish(vcpu), 1000 * 1001 / 2 + 1100);
}

static void raise_in_real_mode(bool with_limit)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u16 de = real_faults_ud - real_faults_begin - 2;
	const __u16 ud = real_faults_ud - real_faults_begin;
	const __u16 gp = real_faults_gp + 3 - real_faults_begin;
	struct fault fault;

	vcpu_load(vcpu, GUEST_REAL_CODE, real_faults_begin, real_faults_end);
	vcpu_start(vcpu, MODE_REAL, RING0, 0, 0);

	/* Each is reported with the address of the instruction; the test steps over it by way of the frame's IP */
	const struct { __u32 vector; __u16 ip; __u16 bytes; } faults[] = {
		{ DE, de, 2 }, { UD, ud, 2 }, { GP, gp, 3 }, { BP, gp + 4, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		if (faults[i].vector == GP && !with_limit)
			continue;
		fault = vcpu_expect_fault(vcpu, faults[i].vector);
		CHECK_EQ(fault.rip, faults[i].ip);
		CHECK_EQ(fault.cs, GUEST_REAL_CODE >> 4);
		CHECK_EQ(fault.rflags & 0x8002, 2);
		((__u16 *)fault.frame)[11] += faults[i].bytes;
	}
	CHECK_EQ(vcpu_finish(vcpu), 0x1234);
}

/* ------------------------------------------------------------------ 32-bit modes */

static void computes_32(enum guest_mode mode)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, mode, RING0, fibonacci32, 16);
	CHECK_EQ(vcpu_finish(vcpu), 987);
	vcpu_start(vcpu, mode, RING0, where32, 0);
	CHECK_EQ(vcpu_finish(vcpu), SEL_CODE32 | 2 << 16);

	/* Ring 3: the stack and the ports are there, what is privileged is not */
	vcpu_start(vcpu, mode, RING3, fibonacci32, 10);
	CHECK_EQ(vcpu_finish(vcpu), 55);
	vcpu_start(vcpu, mode, RING3, where32, 0);
	CHECK_EQ(vcpu_finish(vcpu), SEL_USER_CODE32 | 3 | 2 << 16);
	vcpu_start(vcpu, mode, RING3, privileged32, 0);
	struct fault fault = vcpu_expect_fault(vcpu, GP);

	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.rip, (uintptr_t)privileged32_insn);
	CHECK_EQ(fault.cs, SEL_USER_CODE32 | 3);
	vcpu_start(vcpu, mode, RING0, privileged32, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static void real_mode_faults(void)
{
	raise_in_real_mode(!machine.tcg);
}

static void real_mode_limit(void)
{
	not_in_tcg("checks no segment limit");
	raise_in_real_mode(true);
}

static void protected_mode_computes(void)
{
	computes_32(MODE_PROTECTED);
}

static void paging32_computes(void)
{
	computes_32(MODE_PAGING32);
}

static void pae_computes(void)
{
	computes_32(MODE_PAE);
}

static void compat_computes(void)
{
	computes_32(MODE_COMPAT);
}

/* Entries of both 32-bit formats look the same in what is used here */
static volatile __u8 *low_pte_byte(struct vm *vm, enum guest_mode mode, __u64 address)
{
	return mode == MODE_PAGING32 ? vm->memory + GUEST_PT32 + 4 * (address / PAGE) :
				       (volatile __u8 *)vm_pte(vm, address);
}

static void faults_32(enum guest_mode mode)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	const __u64 address = GUEST_FREE + 0x5678;
	volatile __u8 *pte = low_pte_byte(vm, mode, address);
	struct fault fault;
	const __u32 value = 0x600df00d;

	memcpy(vm->memory + address, &value, 4);

	/* Not present */
	*pte &= ~1;
	vcpu_start(vcpu, mode, RING0, load32, address);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.cr2, address);
	CHECK_EQ(fault.rip, (uintptr_t)load32);
	*pte |= 1;
	CHECK_EQ(vcpu_finish(vcpu), value);
	CHECK_EQ(*pte & 0x20, 0x20);	/* accessed */
	CHECK_EQ(*pte & 0x40, 0);	/* not dirty */

	/* Write-protected, CR0.WP being 1 */
	*pte &= ~2;
	vcpu_start(vcpu, mode, RING0, store32, address);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.error, PF_PRESENT | PF_WRITE);
	CHECK_EQ(fault.cr2, address);
	CHECK_EQ(fault.rip, (uintptr_t)store32_insn);
	*pte |= 2;
	CHECK_EQ(vcpu_finish(vcpu), 0x5a5a);
	CHECK_EQ(*pte & 0x40, 0x40);

	/* Ring 3 at a page of ring 0; a new CR3 drops the cached translation */
	*pte &= ~4;
	vcpu_start(vcpu, mode, RING3, load32, address);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.error, PF_PRESENT | PF_USER);
	CHECK_EQ(fault.cr2, address);
	*pte |= 4;
	CHECK_EQ(vcpu_finish(vcpu), 0x5a5a);
}

static void paging32_faults(void)
{
	faults_32(MODE_PAGING32);
}

static void pae_faults(void)
{
	faults_32(MODE_PAE);
}

static void compat_faults(void)
{
	faults_32(MODE_COMPAT);
}

static void compat_goes_to_64_bit_and_back(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_COMPAT, RING0, compat_tour, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0x12345688);
}

/* ------------------------------------------------------------------ 64-bit */

static volatile __u64 long_result;

static GUEST __u32 long_product(__u64 n)
{
	__u64 product = 1;

	while (n)
		product *= n--;
	long_result = product;
	return READ_REGISTER(cs);
}

static void long_mode_computes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, long_product, 20);
	CHECK_EQ(vcpu_finish(vcpu), SEL_CODE64);
	CHECK_EQ(long_result, 2432902008176640000ULL);
	long_result = 0;
	vcpu_start(vcpu, MODE_LONG, RING3, long_product, 18);
	CHECK_EQ(vcpu_finish(vcpu), SEL_USER_CODE64 | 3);
	CHECK_EQ(long_result, 6402373705728000ULL);
}

#define HOLE		(GUEST_FREE + 0x10000ULL)	/* not present */
#define READONLY	(GUEST_FREE + 0x11000ULL)
#define KERNEL		(GUEST_FREE + 0x12000ULL)	/* of ring 0 */
#define NOEXEC		(GUEST_FREE + 0x13000ULL)
#define FAR		(1ULL << 63)			/* not canonical */

#define EXPECT(want_vector, want_error)					\
	do {								\
		GUEST_CHECK_EQ(fault.vector, want_vector);		\
		GUEST_CHECK_EQ(fault.error, want_error);		\
	} while (0)
#define EXPECT_PF(want_error, want_address)				\
	do {								\
		EXPECT(PF, want_error);					\
		GUEST_CHECK_EQ(fault.address, want_address);		\
	} while (0)
#define EXPECT_NOTHING	GUEST_CHECK_EQ(fault.vector, GUEST_NO_FAULT)

/* Faults that a program of either ring can raise by one instruction */
static GUEST __u32 long_faults(__u64 ring)
{
	const __u64 user = ring == RING3 ? PF_USER : 0;
	struct guest_fault fault;
	__u64 value;

	GUEST_TRY(fault, "nop", (), ());
	EXPECT_NOTHING;
	GUEST_TRY(fault, "divl %%ecx", ("=a"(value)), ("a"(1), "d"(0), "c"(0)));
	EXPECT(DE, 0);
	GUEST_TRY(fault, "int3", (), ());
	EXPECT(BP, 0);
	GUEST_TRY(fault, "int $0x80", (), ());
	EXPECT(0x80, 0);
	GUEST_TRY(fault, "ud2", (), ());
	EXPECT(UD, 0);

	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(FAR)));
	EXPECT(GP, 0);
	GUEST_TRY(fault, "mov %%ebx, %%fs", (), ("b"(SEL_TSS)));
	EXPECT(GP, SEL_TSS);
	GUEST_TRY(fault, "mov %%ebx, %%fs", (), ("b"(SEL_DATA16 | ring)));
	EXPECT(NP, SEL_DATA16);

	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(HOLE + 5)));
	EXPECT_PF(user, HOLE + 5);
	GUEST_TRY(fault, "movl $1, (%%rbx)", (), ("b"(HOLE + 6)));
	EXPECT_PF(PF_WRITE | user, HOLE + 6);
	GUEST_TRY(fault, "movl $1, (%%rbx)", (), ("b"(READONLY)));
	EXPECT_PF(PF_PRESENT | PF_WRITE | user, READONLY);
	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(READONLY)));
	EXPECT_NOTHING;
	/* Four bytes over the end of a page whose neighbour is not there: the address is the neighbour's */
	GUEST_TRY(fault, "movl (%%rbx), %k0", ("=a"(value)), ("b"(HOLE - 2)));
	EXPECT_PF(user, HOLE);
	GUEST_TRY(fault, "jmp *%%rbx", (), ("b"(NOEXEC)));
	EXPECT_PF(PF_PRESENT | PF_FETCH | user, NOEXEC);
	GUEST_CHECK_EQ(fault.rip, NOEXEC);
	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(KERNEL)));
	if (ring == RING3)
		EXPECT_PF(PF_PRESENT | PF_USER, KERNEL);
	else
		EXPECT_NOTHING;
	return 5;
}

static GUEST __u32 stack_fault(__u64 unused)
{
	struct guest_fault fault;
	__u64 value;

	(void)unused;
	GUEST_TRY(fault, "mov (%%rsp,%%rbx), %0", ("=a"(value)), ("b"(FAR)));
	EXPECT(SS, 0);
	return 5;
}

/* What ring 3 may not do at all */
static GUEST __u32 ring3_faults(__u64 unused)
{
	struct guest_fault fault;
	__u64 value;

	(void)unused;
#define PRIVILEGED(instruction)					\
	do {							\
		GUEST_TRY(fault, instruction, ("=a"(value)), ("a"(0), "c"(0), "d"(0))); \
		EXPECT(GP, 0);					\
	} while (0)
	PRIVILEGED("cli");
	PRIVILEGED("sti");
	PRIVILEGED("hlt");
	PRIVILEGED("clts");
	PRIVILEGED("invd");
	PRIVILEGED("wbinvd");
	PRIVILEGED("mov %%cr0, %0");
	PRIVILEGED("mov %0, %%cr0");
	PRIVILEGED("mov %%cr3, %0");
	PRIVILEGED("mov %0, %%cr3");
	PRIVILEGED("mov %0, %%cr4");
	PRIVILEGED("mov %0, %%cr8");
	PRIVILEGED("mov %%dr7, %0");
	PRIVILEGED("mov %0, %%dr7");
	PRIVILEGED("rdmsr");
	PRIVILEGED("wrmsr");
	PRIVILEGED("lmsw %w0");
	PRIVILEGED("lldt %w0");
	PRIVILEGED("ltr %w0");
	PRIVILEGED("invlpg (%0)");
	PRIVILEGED("swapgs");
	PRIVILEGED("inb $0x60, %%al");
	PRIVILEGED("outb %%al, $0x60");
	PRIVILEGED("inl $0x5e, %%eax");		/* its last bytes are beyond the open ports */
	GUEST_TRY(fault, "int $0x81", (), ());	/* its gate is of ring 0; the error code names it */
	EXPECT(GP, 0x81 << 3 | 2);
	return 6;
}

/* What ring 0 may not do: a broken rule of a control register or an MSR */
static GUEST __u32 ring0_faults(__u64 unused)
{
	const __u64 cr0 = READ_REGISTER(cr0), cr4 = READ_REGISTER(cr4), efer = rdmsr(0xc0000080);
	struct guest_fault fault;

	(void)unused;
#define REFUSED(instruction, value)					\
	do {								\
		GUEST_TRY(fault, instruction, (), ("a"((__u32)(value)), "d"((__u64)(value) >> 32), \
					      "b"((__u64)(value)), "c"(0xc0000080))); \
		EXPECT(GP, 0);						\
	} while (0)
	REFUSED("mov %%rbx, %%cr0", cr0 & ~1ULL);		/* PG without PE */
	REFUSED("mov %%rbx, %%cr0", cr0 | 1ULL << 29);		/* NW without CD */
	REFUSED("mov %%rbx, %%cr4", cr4 & ~(1ULL << 5));	/* PAE off in long mode */
	REFUSED("mov %%rbx, %%cr4", cr4 | 1ULL << 31);
	REFUSED("mov %%rbx, %%cr4", cr4 | 1ULL << 13);		/* VMXE: the guest has no VMX */
	REFUSED("mov %%rbx, %%cr8", 16);
	REFUSED("mov %%rbx, %%dr7", 1ULL << 32);
	REFUSED("wrmsr", efer & ~(1ULL << 8));			/* LME off under paging */
	REFUSED("wrmsr", efer | 1ULL << 1);
	GUEST_TRY(fault, "wrmsr", (), ("a"(0), "d"(0x80000000), "c"(0xc0000082)));	/* LSTAR: not canonical */
	EXPECT(GP, 0);
	GUEST_TRY(fault, "wrmsr", (), ("a"(2), "d"(0), "c"(0x277)));			/* PAT: a bad type */
	EXPECT(GP, 0);
	GUEST_TRY(fault, "wrmsr", (), ("a"(0), "d"(0), "c"(0x12345)));
	EXPECT(GP, 0);
	GUEST_TRY(fault, "rdmsr", (), ("a"(0), "d"(0), "c"(0x12345)));
	EXPECT(GP, 0);
	GUEST_TRY(fault, "xsetbv", (), ("a"(1), "d"(0), "c"(0)));	/* without CR4.OSXSAVE */
	EXPECT(UD, 0);
	GUEST_CHECK_EQ(READ_REGISTER(cr0), cr0);
	GUEST_CHECK_EQ(READ_REGISTER(cr4), cr4);
	GUEST_CHECK_EQ(rdmsr(0xc0000080), efer);
	return 7;
}

static struct vcpu *vcpu_with_pages(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;

	*vm_pte(vm, HOLE) &= ~1ULL;
	*vm_pte(vm, READONLY) &= ~2ULL;
	*vm_pte(vm, KERNEL) &= ~4ULL;
	*vm_pte(vm, NOEXEC) |= 1ULL << 63;
	vm->memory[GUEST_GDT + SEL_DATA16 + 5] = 0x73;		/* not present; of ring 3 */
	vm->memory[GUEST_IDT64 + 16 * 0x81 + 5] = 0x8e;		/* of ring 0 */
	return vcpu;
}

static void long_mode_faults(void)
{
	struct vcpu *vcpu = vcpu_with_pages();

	vcpu_start(vcpu, MODE_LONG, RING0, long_faults, RING0);
	CHECK_EQ(vcpu_finish(vcpu), 5);
	vcpu_start(vcpu, MODE_LONG, RING3, long_faults, RING3);
	CHECK_EQ(vcpu_finish(vcpu), 5);
}

static void far_stack(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	not_in_tcg("raises #GP, not #SS, at a stack's address that is not canonical");
	vcpu_start(vcpu, MODE_LONG, RING0, stack_fault, 0);
	CHECK_EQ(vcpu_finish(vcpu), 5);
}

static void ring3_is_held(void)
{
	struct vcpu *vcpu = vcpu_with_pages();

	vcpu_start(vcpu, MODE_LONG, RING3, ring3_faults, 0);
	CHECK_EQ(vcpu_finish(vcpu), 6);
}

static void control_registers_are_guarded(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, ring0_faults, 0);
	CHECK_EQ(vcpu_finish(vcpu), 7);
}

#define CR0_EM	(1ULL << 2)
#define CR0_TS	(1ULL << 3)
#define CR0_AM	(1ULL << 18)
#define RFLAGS_AC	(1ULL << 18)

static GUEST __u32 x87_and_sse(__u64 want)
{
	struct guest_fault fault;

	GUEST_TRY(fault, "fninit", (), ());
	GUEST_CHECK_EQ(fault.vector, want & 0xff);
	GUEST_TRY(fault, "xorps %%xmm0, %%xmm0", (), ());
	GUEST_CHECK_EQ(fault.vector, want >> 8);
	return 1;
}

static GUEST __u32 unaligned(__u64 address)
{
	struct guest_fault fault;

	GUEST_TRY(fault, "movl $1, (%%rbx)", (), ("b"(address)));
	EXPECT(AC, 0);
	return 1;
}

static void start_with(struct vcpu *vcpu, enum guest_ring ring, const void *entry, __u64 argument,
		       __u64 cr0, __u64 rflags)
{
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, ring, (uintptr_t)entry, argument);

	state.control.cr0 |= cr0;
	state.regs.rflags |= rflags;
	vcpu_set(vcpu, &state);
}

static void cr0_decides_on_faults(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	start_with(vcpu, RING0, x87_and_sse, NM | NM << 8, CR0_TS, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	start_with(vcpu, RING0, x87_and_sse, NM | UD << 8, CR0_EM, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static void alignment_check(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	not_in_tcg("checks no alignment");
	start_with(vcpu, RING3, unaligned, GUEST_FREE + 1, CR0_AM, RFLAGS_AC);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* ------------------------------------------------------------------ system calls */

extern const char syscall_entry[], sysenter_entry[];
asm(".pushsection .text\n"
    "syscall_entry:\n"		/* RAX: what stands at the kernel's GS base; RDX: CS */
    "	swapgs\n"
    "	mov %gs:0, %rax\n"
    "	swapgs\n"
    "	mov %cs, %edx\n"
    "	pushf\n"
    "	pop %rsi\n"
    "	sysretq\n"
    "sysenter_entry:\n"
    "	mov %cs, %eax\n"
    "	shl $16, %eax\n"
    "	mov %ss, %ax\n"
    "	outl %eax, $0x54\n"	/* PORT_DONE */
    ".popsection\n");

static __u64 kernel_word = 0x6b65726e656cULL, user_word = 0x75736572ULL;

static GUEST __u32 make_syscall(__u64 unused)
{
	__u64 rax, rcx, rdx, rsi, gs, here;

	(void)unused;
	asm volatile("lea 1f(%%rip), %%rbx\n\t"
		     "pushf\n\t"
		     "orq $0x1, (%%rsp)\n\t"	/* carry: FMASK clears it */
		     "popf\n\t"
		     "syscall\n"
		     "1:	mov %%gs:0, %%rdi"
		     : "=a"(rax), "=b"(here), "=c"(rcx), "=d"(rdx), "=S"(rsi), "=D"(gs)
		     : : "r11", "memory", "cc");
	GUEST_CHECK_EQ(rax, kernel_word);
	GUEST_CHECK_EQ(gs, user_word);
	GUEST_CHECK_EQ(rcx, here);
	GUEST_CHECK_EQ(rdx, SEL_CODE64);
	GUEST_CHECK_EQ(rsi & 1, 0);
	return READ_REGISTER(cs) << 16 | READ_REGISTER(ss);
}

static GUEST __u32 make_sysenter(__u64 unused)
{
	(void)unused;
	asm volatile("sysenter" : : : "memory");
	return 0;
}

static void system_calls_work(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING3, (uintptr_t)make_syscall, 0);

	state.segments.seg[TPZ_GS].base = (uintptr_t)&user_word;
	state.msrs = vcpu_get(vcpu, TPZ_STATE_MSRS).msrs;
	state.msrs.star = (__u64)(SEL_USER_CODE32 | 3) << 48 | (__u64)SEL_CODE64 << 32;
	state.msrs.lstar = (uintptr_t)syscall_entry;
	state.msrs.fmask = 0x301;
	state.msrs.kernel_gs_base = (uintptr_t)&kernel_word;
	state.groups |= TPZ_STATE_MSRS;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), (SEL_USER_CODE64 | 3) << 16 | (SEL_USER_DATA | 3));
}

static void sysenter_works(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	state = vcpu_start_state(vcpu, MODE_LONG, RING3, (uintptr_t)make_sysenter, 0);
	state.msrs = vcpu_get(vcpu, TPZ_STATE_MSRS).msrs;
	state.msrs.sysenter_cs = SEL_CODE64;
	state.msrs.sysenter_eip = (uintptr_t)sysenter_entry;
	state.msrs.sysenter_esp = state.segments.seg[TPZ_TR].base + GUEST_CPU_BYTES;
	state.groups |= TPZ_STATE_MSRS;
	vcpu_set(vcpu, &state);
	if (machine.amd)	/* which has it in legacy mode alone */
		vcpu_expect_fault(vcpu, UD);
	else
		CHECK_EQ(vcpu_finish(vcpu), SEL_CODE64 << 16 | SEL_DATA);
}

/* ------------------------------------------------------------------ from mode to mode */

static void a_guest_tours_the_modes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_load(vcpu, GUEST_REAL_CODE, mode_tour_begin, mode_tour_end);
	for (__u32 n = 1; n < 100; n += 33) {
		vcpu_start(vcpu, MODE_REAL, RING0, 0, n);
		CHECK_EQ(vcpu_finish(vcpu), (((n + 0x10001) * 3 * 2 + 5) ^ 0xff));
	}
}

static const struct ktap_case cases[] = {
	{ "real mode computes", real_mode_computes },
	{ "real mode faults", real_mode_faults },
	{ "a segment's limit in real mode", real_mode_limit },
	{ "protected mode computes", protected_mode_computes },
	{ "32-bit paging computes", paging32_computes },
	{ "32-bit paging faults", paging32_faults },
	{ "PAE computes", pae_computes },
	{ "PAE faults", pae_faults },
	{ "compatibility mode computes", compat_computes },
	{ "compatibility mode faults", compat_faults },
	{ "compatibility mode goes to 64-bit and back", compat_goes_to_64_bit_and_back },
	{ "long mode computes", long_mode_computes },
	{ "long mode faults", long_mode_faults },
	{ "#SS in long mode", far_stack },
	{ "ring 3 is held", ring3_is_held },
	{ "control registers and MSRs are guarded", control_registers_are_guarded },
	{ "CR0 decides on #NM and #UD", cr0_decides_on_faults },
	{ "CR0 decides on #AC", alignment_check },
	{ "SYSCALL, SYSRET, SWAPGS", system_calls_work },
	{ "SYSENTER", sysenter_works },
	{ "a guest tours the modes", a_guest_tours_the_modes },
};
KTAP_MAIN(cases)
