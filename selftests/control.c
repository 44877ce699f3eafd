// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of CR0, CR3, CR4, EFER and LMSW: which writes raise #GP, and what those that pass change (SDM vol. 2B, MOV
 * to control registers; vol. 3A, 2.5, 4.1, 4.10.1, 10.8.5). A refused write changes nothing.
 *
 * Some bits are the guest's own, where the CPU decides, some are the module's. The test does not know which; it wants the
 * manual's answer from both.
 */
#include "vm.h"

#define GP	13
#define NONE	GUEST_NO_FAULT

#define CR0_PE		(1ULL << 0)
#define CR0_MP		(1ULL << 1)
#define CR0_EM		(1ULL << 2)
#define CR0_TS		(1ULL << 3)
#define CR0_ET		(1ULL << 4)
#define CR0_NE		(1ULL << 5)
#define CR0_WP		(1ULL << 16)
#define CR0_AM		(1ULL << 18)
#define CR0_NW		(1ULL << 29)
#define CR0_CD		(1ULL << 30)
#define CR0_PG		(1ULL << 31)
#define CR0_ALL		(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

#define CR4_PSE		(1ULL << 4)
#define CR4_PAE		(1ULL << 5)
#define CR4_PGE		(1ULL << 7)
#define CR4_PCIDE	(1ULL << 17)

#define EFER_SCE	(1ULL << 0)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)
#define EFER_NXE	(1ULL << 11)
#define MSR_EFER	0xc0000080

/* guests/control.S */
extern const char to_cr0_32[], to_cr3_32[], to_cr4_32[], to_efer_32[], lmsw_32[], clts_32[];
extern const char to_cr0_64[], to_cr3_64[], to_cr4_64[], to_efer_64[], lmsw_64[], clts_64[];

/* ------------------------------------------------------------------ one write, and the control registers after it */

static struct tpz_control after;

/*
 * The instruction at @entry with @value in (R/E)DI; @state says from where. The vector that it raised, or NONE; error
 * codes of #GP are 0, and the control registers are then as they were.
 */
#define write_from(...)	write_from_line(__VA_ARGS__, __LINE__)
static __u32 write_from_line(struct vcpu *vcpu, struct tpz_state *state, const char *entry, __u64 value, int line)
{
	const struct tpz_control before = state->control;
	__u32 vector = NONE;

	state->regs.rip = (uintptr_t)entry;
	state->regs.gpr[TPZ_RDI] = value;
	state->regs.gpr[TPZ_RCX] = MSR_EFER;
	state->regs.gpr[TPZ_RAX] = (__u32)value;
	state->regs.gpr[TPZ_RDX] = value >> 32;
	vcpu_set(vcpu, state);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	after = vcpu_get(vcpu, TPZ_STATE_CONTROL).control;
	if (vcpu->run->io.port == PORT_FAULT64) {
		struct guest_frame *frame = vm_host(vcpu->vm, vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

		vector = frame->vector;
		CHECK_THAT(frame->rip == (uintptr_t)entry && !frame->error, "line %d: vector %u, error %#llx at %#llx, CR2 %#llx",
			   line, vector, frame->error, frame->rip, frame->cr2);
	} else if (vcpu->run->io.port == PORT_FAULT32) {
		__u32 *frame = vm_host(vcpu->vm, (__u32)vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

		vector = frame[9];
		CHECK_THAT(frame[11] == (uintptr_t)entry && !frame[10], "line %d: vector %u, error %#x at %#x, CR2 %#x",
			   line, vector, frame[10], frame[11], frame[0]);
	} else {
		CHECK_EQ(vcpu->run->io.port, PORT_DONE);
	}
	/* TCG marks PDPTEs accessed, though they have no such bit */
	for (int i = 0; machine.tcg && i < 4; i++)
		after.pdpte[i] &= ~(1ULL << 5);
	if (vector != NONE)
		CHECK_THAT(!memcmp(&before, &after, sizeof(after)), "line %d", line);
	return vector;
}

static struct tpz_state state_in(struct vcpu *vcpu, enum guest_mode mode)
{
	return vcpu_start_state(vcpu, mode, RING0, 0, 0);
}

/* Ring 0's own pages, so that SMEP and SMAP let the guest live */
static struct vcpu *vcpu_without_user_pages(__u64 traps)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);

	vcpu->vm->memory[GUEST_PML4] &= ~4;
	return vcpu;
}

/* ------------------------------------------------------------------ bit by bit, in 64-bit mode */

static void cr0_bit_by_bit(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state start = state_in(vcpu, MODE_LONG);
	const __u64 cr0 = start.control.cr0;

	for (int bit = 0; bit < 32; bit++) {
		const __u64 flag = 1ULL << bit, value = cr0 ^ flag;
		/* PE and PG hold each other; NW needs CD */
		const bool refused = flag == CR0_PE || flag == CR0_PG || flag == CR0_NW;
		struct tpz_state state = start;

		CHECK_THAT(write_from(vcpu, &state, to_cr0_64, value) == (refused ? GP : NONE), "bit %d", bit);
		if (!refused)
			CHECK_THAT(after.cr0 == ((value & CR0_ALL) | CR0_ET), "bit %d: %#llx", bit, after.cr0);
	}
	struct tpz_state state = start;

	CHECK_EQ(write_from(vcpu, &state, to_cr0_64, cr0 | CR0_CD | CR0_NW), NONE);
	CHECK_EQ(after.cr0, cr0 | CR0_CD | CR0_NW);
}

static void cr0_upper_half(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state start = state_in(vcpu, MODE_LONG);

	not_in_tcg("takes any value into the upper half of CR0");
	for (int bit = 32; bit < 64; bit++) {
		struct tpz_state state = start;

		CHECK_THAT(write_from(vcpu, &state, to_cr0_64, start.control.cr0 | 1ULL << bit) == GP, "bit %d", bit);
	}
}

/* The bits of CR4 by the CPUID bits that announce them */
static __u64 cr4_announced(struct vcpu *vcpu)
{
	static const struct { __u32 leaf; int reg, bit; __u64 cr4; } bits[] = {
		{ 1, 3, 1, 3 }, { 1, 3, 4, 1 << 2 }, { 1, 3, 2, 1 << 3 }, { 1, 3, 3, CR4_PSE }, { 1, 3, 6, CR4_PAE },
		{ 1, 3, 7, 1 << 6 }, { 1, 3, 13, CR4_PGE }, { 1, 3, 24, 1 << 9 }, { 1, 3, 25, 1 << 10 },
		{ 1, 2, 5, 1 << 13 }, { 1, 2, 6, 1 << 14 }, { 1, 2, 17, CR4_PCIDE }, { 1, 2, 26, 1 << 18 },
		{ 7, 2, 2, 1 << 11 }, { 7, 2, 16, 1 << 12 }, { 7, 1, 0, 1 << 16 }, { 7, 1, 7, 1 << 20 },
		{ 7, 1, 20, 1 << 21 }, { 7, 2, 3, 1 << 22 },
	};
	struct tpz_cpuid_entry entries[128];
	struct tpz_cpuid get = {
		.size = sizeof(get), .entries = (uintptr_t)entries, .capacity = ARRAY_SIZE(entries),
		.entry_bytes = sizeof(entries[0]),
	};
	int count = CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &get));
	__u64 cr4 = 1 << 8;		/* PCE has no bit of its own */

	CHECK_LE(count, ARRAY_SIZE(entries));
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
		for (int n = 0; n < count; n++) {
			const __u32 regs[] = { entries[n].eax, entries[n].ebx, entries[n].ecx, entries[n].edx };

			if (entries[n].leaf == bits[i].leaf && !entries[n].subleaf && (regs[bits[i].reg] >> bits[i].bit & 1))
				cr4 |= bits[i].cr4;
		}
	return cr4;
}

static void cr4_bit_by_bit(void)
{
	struct vcpu *vcpu = vcpu_without_user_pages(0);
	struct tpz_state start = state_in(vcpu, MODE_LONG);
	const __u64 cr4 = start.control.cr4, announced = cr4_announced(vcpu);

	CHECK_EQ(announced & 0xffffffff9f889000, 0);
	for (int bit = 0; bit < 64; bit++) {
		const __u64 flag = 1ULL << bit, value = cr4 ^ flag;
		const bool refused = !(announced & flag) || flag == CR4_PAE;
		struct tpz_state state = start;

		CHECK_THAT(write_from(vcpu, &state, to_cr4_64, value) == (refused ? GP : NONE), "bit %d", bit);
		if (!refused)
			CHECK_THAT(after.cr4 == value, "bit %d: %#llx", bit, after.cr4);
	}
}

static void efer_bit_by_bit(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state start = state_in(vcpu, MODE_LONG);
	const __u64 efer = start.control.efer;

	for (int bit = 0; bit < 64; bit++) {
		const __u64 flag = 1ULL << bit, value = efer ^ flag;
		const bool refused = !(flag & (EFER_SCE | EFER_LMA | EFER_NXE));
		struct tpz_state state = start;

		CHECK_THAT(write_from(vcpu, &state, to_efer_64, value) == (refused ? GP : NONE), "bit %d", bit);
		if (!refused)		/* LMA is the CPU's to write */
			CHECK_THAT(after.efer == (value | EFER_LMA), "bit %d: %#llx", bit, after.efer);
	}
}

static void cr3_bit_by_bit(__u64 traps)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);
	struct tpz_state start = state_in(vcpu, MODE_LONG);
	const int width = device_info().phys_bits;

	/* Low bits say nothing, or how the table is cached; address bits would need another table */
	for (int bit = 0; bit < 64; bit++) {
		const __u64 value = start.control.cr3 | 1ULL << bit;
		struct tpz_state state = start;

		if (bit >= 12 && bit < width)
			continue;
		CHECK_THAT(write_from(vcpu, &state, to_cr3_64, value) == (bit >= width ? GP : NONE), "bit %d", bit);
		if (bit < 12)
			CHECK_THAT((after.cr3 & ~0xfe7ULL) == (value & ~0xfe7ULL), "bit %d: %#llx", bit, after.cr3);
	}
}

static void cr3_by_the_cpu(void)
{
	not_in_tcg("takes reserved bits into CR3, and refuses the next VMRUN");
	cr3_bit_by_bit(0);
}

static void cr3_by_the_module(void)
{
	cr3_bit_by_bit(TPZ_TRAP_CR3);
}

/* ------------------------------------------------------------------ PCIDs: SDM vol. 3A, 4.10.1 */

static void pcids(void)
{
	for (int trapped = 0; trapped < 2; trapped++) {
		struct vcpu *vcpu = vm_with_vcpu(.traps = trapped ? TPZ_TRAP_CR3 : 0);
		struct tpz_state start, state;

		if (!(cr4_announced(vcpu) & CR4_PCIDE))
			SKIP("this CPU has no PCIDs");
		state = start = state_in(vcpu, MODE_LONG);
		CHECK_EQ(write_from(vcpu, &state, to_cr4_64, start.control.cr4 | CR4_PCIDE), NONE);
		/* Only from PCID 0, only in IA-32e mode */
		state = start;
		state.control.cr3 |= 0x18;
		CHECK_EQ(write_from(vcpu, &state, to_cr4_64, start.control.cr4 | CR4_PCIDE), GP);
		state = state_in(vcpu, MODE_PAE);
		CHECK_EQ(write_from(vcpu, &state, to_cr4_32, state.control.cr4 | CR4_PCIDE), GP);

		start = state_in(vcpu, MODE_LONG);	/* each mode puts its own return address on the stack */
		start.control.cr4 |= CR4_PCIDE;
		/* Bit 63 is an order, not a value */
		state = start;
		CHECK_EQ(write_from(vcpu, &state, to_cr3_64, start.control.cr3 | 0x123 | 1ULL << 63), NONE);
		CHECK_EQ(after.cr3, start.control.cr3 | 0x123);
		state = start;
		CHECK_EQ(write_from(vcpu, &state, to_cr3_64, start.control.cr3 | 1ULL << 62), GP);
		/* Paging cannot end under PCIDs, PCIDs may end under any PCID */
		state = start;
		state.control.cr3 |= 5;
		CHECK_EQ(write_from(vcpu, &state, to_cr4_64, start.control.cr4 & ~CR4_PCIDE), NONE);
		state = state_in(vcpu, MODE_COMPAT);
		state.control.cr4 |= CR4_PCIDE;
		CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 & ~CR0_PG), GP);
	}
}

/* ------------------------------------------------------------------ into paging and out of it */

static void need_pdptes_at_mov_cr3(void)
{
	if (!machine.pdptes_at_mov_cr3)
		SKIP("this processor reads each PDPTE when it uses it, none at MOV CR3");
}

/* In PAE paging the four PDPTEs are read and checked when they come into force (SDM vol. 3A, 4.4.1) */
static void pdptes_are_checked(void)
{
	static const __u64 bad[] = { 1 << 1, 1 << 2, 1 << 5, 1 << 8, 1ULL << 52, 1ULL << 63 };

	need_pdptes_at_mov_cr3();
	for (int trapped = 0; trapped < 2; trapped++) {
		struct vcpu *vcpu = vm_with_vcpu(.traps = trapped ? TPZ_TRAP_CR3 : 0);
		const struct tpz_state pae = state_in(vcpu, MODE_PAE);
		struct tpz_state state;
		__u64 *pdpt = (__u64 *)(vcpu->vm->memory + GUEST_FREE);

		for (unsigned int i = 0; i < 1 + ARRAY_SIZE(bad); i++) {
			const __u32 want = i ? GP : NONE;

			/* PWT and PCD may be set in a PDPTE; and what is not present may hold anything */
			pdpt[0] = GUEST_PD | 0x19;
			pdpt[1] = pdpt[2] = ~1ULL;
			pdpt[3] = (i ? bad[i - 1] : 0) | 1;

			/* By MOV CR3 */
			state = pae;
			CHECK_EQ(write_from(vcpu, &state, to_cr3_32, GUEST_FREE), want);
			if (!i) {
				CHECK_EQ(after.pdpte[0], pdpt[0]);
				CHECK_EQ(after.pdpte[1], pdpt[1]);
			}
			/* By the bits of CR4 that make them be read again; others do not */
			state = pae;
			state.control.cr3 = GUEST_FREE;
			CHECK_EQ(write_from(vcpu, &state, to_cr4_32, pae.control.cr4 | CR4_PGE), want);
			state = pae;
			state.control.cr3 = GUEST_FREE;
			CHECK_EQ(write_from(vcpu, &state, to_cr4_32, pae.control.cr4 | CR4_PSE), want);
			state = pae;
			state.control.cr3 = GUEST_FREE;
			CHECK_EQ(write_from(vcpu, &state, to_cr4_32, pae.control.cr4 | 1 << 2), NONE);
			/* By MOV CR0: caching, and paging itself */
			state = pae;
			state.control.cr3 = GUEST_FREE;
			CHECK_EQ(write_from(vcpu, &state, to_cr0_32, pae.control.cr0 | CR0_CD), want);
			state = pae;
			state.control.cr3 = GUEST_FREE;
			state.control.cr0 &= ~CR0_PG;
			CHECK_EQ(write_from(vcpu, &state, to_cr0_32, pae.control.cr0), want);
		}
	}
}

/* A page table that would stand where there is no memory: the launcher hears of it, with the table's address */
static void pdptes_without_memory(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_CR3);
	struct tpz_state state = state_in(vcpu, MODE_PAE);

	need_pdptes_at_mov_cr3();
	state.regs.rip = (uintptr_t)to_cr3_32;
	state.regs.gpr[TPZ_RDI] = 0x70000020;
	vcpu_set(vcpu, &state);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, 0x70000020);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->rip, (uintptr_t)to_cr3_32);
}

static void into_long_mode(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state start, state;

	/* Compatibility mode, the moment before CR0.PG */
	start = state_in(vcpu, MODE_COMPAT);
	start.control.cr0 &= ~CR0_PG;
	start.control.efer = EFER_SCE | EFER_LME | EFER_NXE;

	state = start;
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, start.control.cr0 | CR0_PG), NONE);
	CHECK_EQ(after.efer, start.control.efer | EFER_LMA);
	/* Not without PAE */
	start.segments.idtr = (struct tpz_dtable){ .base = GUEST_IDT32, .limit = 0x7ff };
	state = start;
	state.control.cr4 &= ~CR4_PAE;
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, start.control.cr0 | CR0_PG), GP);
	/* Not from a code segment that would be 64-bit. (Refused before IA-32e mode, #GP goes through the 32-bit IDT) */
	state = start;
	state.segments.seg[TPZ_CS].l = 1;
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, start.control.cr0 | CR0_PG), GP);
	/* Not with the TSS of a 16-bit task, which AMD's does not look at */
	state = start;
	state.segments.seg[TPZ_TR].type = 3;
	if (!machine.amd)
		CHECK_EQ(write_from(vcpu, &state, to_cr0_32, start.control.cr0 | CR0_PG), GP);

	/* LME does not change under paging, and does without */
	state = state_in(vcpu, MODE_PAE);
	CHECK_EQ(write_from(vcpu, &state, to_efer_32, EFER_LME), GP);
	state = state_in(vcpu, MODE_PROTECTED);
	CHECK_EQ(write_from(vcpu, &state, to_efer_32, EFER_LME), NONE);
	CHECK_EQ(after.efer, EFER_LME);
	state = state_in(vcpu, MODE_COMPAT);
	CHECK_EQ(write_from(vcpu, &state, to_efer_32, EFER_NXE), GP);
}

static void out_of_long_mode(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	state = state_in(vcpu, MODE_COMPAT);
	CHECK_EQ(write_from(vcpu, &state, to_cr4_32, state.control.cr4 & ~CR4_PAE), GP);
	state = state_in(vcpu, MODE_COMPAT);
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 & ~CR0_PG), NONE);
	CHECK_EQ(after.cr0 & CR0_PG, 0);
	CHECK_EQ(after.efer, EFER_SCE | EFER_LME | EFER_NXE);
	state = state_in(vcpu, MODE_LONG);
	CHECK_EQ(write_from(vcpu, &state, to_cr0_64, state.control.cr0 & ~CR0_PG), GP);
}

/* 32-bit paging, PAE paging and none, from one to the other */
static void between_32_bit_modes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	state = state_in(vcpu, MODE_PAGING32);
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 & ~CR0_PG), NONE);
	state.control.cr0 = after.cr0;
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, after.cr0 | CR0_PG), NONE);
	state = state_in(vcpu, MODE_PAE);
	state.control.cr0 &= ~CR0_PG;
	memset(state.control.pdpte, 0, sizeof(state.control.pdpte));
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 | CR0_PG), NONE);
	CHECK_EQ(after.pdpte[0], GUEST_PD | 1);
	/* PG without PE, PE away under PG */
	state = state_in(vcpu, MODE_PAGING32);
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 & ~CR0_PE), GP);
	/* The upper half of a 64-bit register does not count in 32-bit code */
	state = state_in(vcpu, MODE_COMPAT);
	CHECK_EQ(write_from(vcpu, &state, to_cr0_32, state.control.cr0 | 0xffffffff00000000), NONE);
}

/* ------------------------------------------------------------------ LMSW, CLTS */

static void lmsw_and_clts(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state start, state;

	for (int wide = 0; wide < 2; wide++) {
		const char *lmsw = wide ? lmsw_64 : lmsw_32, *clts = wide ? clts_64 : clts_32;
		__u64 cr0;

		start = state_in(vcpu, wide ? MODE_LONG : MODE_PROTECTED);
		start.control.cr0 &= ~CR0_NE;
		cr0 = start.control.cr0;
		for (int value = 0; value < 32; value++) {
			state = start;
			CHECK_EQ(write_from(vcpu, &state, lmsw, 0xfff0 | value), NONE);
			/* Four bits; PE stays */
			CHECK_EQ(after.cr0, (cr0 & ~0xfULL) | (value & 0xe) | CR0_PE);
		}
		state = start;
		state.control.cr0 |= CR0_TS | CR0_CD;
		CHECK_EQ(write_from(vcpu, &state, clts, 0), NONE);
		CHECK_EQ(after.cr0, cr0 | CR0_CD);
	}
}

/* ------------------------------------------------------------------ effects */

static GUEST __u32 write_to(__u64 address)
{
	struct guest_fault fault;

	GUEST_TRY(fault, "movl $1, (%%rbx)", (), ("b"(address)));
	return fault.vector;
}

/* A bit that the guest owns still acts at once: WP, and NXE over a table that is cached */
static GUEST __u32 toggles_wp(__u64 address)
{
	const __u64 cr0 = READ_REGISTER(cr0);

	GUEST_CHECK_EQ(write_to(address), 14);
	WRITE_REGISTER(cr0, cr0 & ~CR0_WP);
	GUEST_CHECK_EQ(write_to(address), NONE);
	WRITE_REGISTER(cr0, cr0);
	GUEST_CHECK_EQ(write_to(address), 14);
	return 1;
}

static GUEST __u32 toggles_nxe(__u64 address)
{
	const __u64 efer = rdmsr(MSR_EFER);
	struct guest_fault fault;
	__u64 value;

	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(address)));
	GUEST_CHECK_EQ(fault.vector, NONE);
	wrmsr(MSR_EFER, efer & ~EFER_NXE);
	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(address)));
	GUEST_CHECK_EQ(fault.vector, 14);
	GUEST_CHECK_EQ(fault.error, machine.pf_reserved);
	wrmsr(MSR_EFER, efer);
	GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(value)), ("b"(address)));
	GUEST_CHECK_EQ(fault.vector, NONE);
	return 1;
}

static void bits_act_at_once(void)
{
	const __u64 address = GUEST_FREE + 0x3000;
	struct vcpu *vcpu = vm_with_vcpu();

	*vm_pte(vcpu->vm, address) &= ~2ULL;
	vcpu_start(vcpu, MODE_LONG, RING0, toggles_wp, address);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	*vm_pte(vcpu->vm, address) |= 2 | 1ULL << 63;
	vcpu_start(vcpu, MODE_LONG, RING0, toggles_nxe, address);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static const struct ktap_case cases[] = {
	{ "CR0 bit by bit", cr0_bit_by_bit },
	{ "CR0: its upper half is reserved", cr0_upper_half },
	{ "CR4 bit by bit", cr4_bit_by_bit },
	{ "EFER bit by bit", efer_bit_by_bit },
	{ "CR3 bit by bit, by the CPU", cr3_by_the_cpu },
	{ "CR3 bit by bit, by the module", cr3_by_the_module },
	{ "PCIDs", pcids },
	{ "PDPTEs are checked", pdptes_are_checked },
	{ "PDPTEs without memory", pdptes_without_memory },
	{ "into long mode", into_long_mode },
	{ "out of long mode", out_of_long_mode },
	{ "between 32-bit modes", between_32_bit_modes },
	{ "LMSW and CLTS", lmsw_and_clts },
	{ "bits act at once", bits_act_at_once },
};
KTAP_MAIN(cases)
