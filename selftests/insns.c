// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that trap, as the CPU runs them and as the module reads them: with prefixes, in every mode, through
 * every kind of page table, across a page's edge, and while somebody writes over them. Where the CPU does not tell an
 * instruction's length the module decodes it; a test sees no difference.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define OF	4
#define BP	3
#define UD	6
#define PF	14

#define CR4_SMEP	(1ULL << 20)
#define RFLAGS_IF	(1ULL << 9)
#define RFLAGS_OF	(1ULL << 11)
#define PTE_NX		(1ULL << 63)

/* Code lies in two pages of real mode's reach; CODE is linear, FRAME where a page table may put it */
#define CODE		(GUEST_REAL_CODE + 0x2000)
#define FRAME		(GUEST_FREE + 0x20000)

/* ------------------------------------------------------------------ one instruction */

struct insn {
	const char *name;
	__u8 bytes[15];
	__u8 length;
	__u32 exit;		/* to user space; 0: the kernel answers. Of a software event: the vector */
	bool prefixes_matter;	/* some make another instruction of it, which may be #UD */
};

#define BYTES(...)	.bytes = { __VA_ARGS__ }, .length = sizeof((__u8[]){ __VA_ARGS__ })

static const struct insn cpuid_insn = { "CPUID", BYTES(0x0f, 0xa2) };
static const struct insn insns[] = {
	{ "CPUID", BYTES(0x0f, 0xa2) },
	{ "RDMSR", BYTES(0x0f, 0x32) },
	{ "WRMSR", BYTES(0x0f, 0x30) },
	{ "HLT", BYTES(0xf4), .exit = TPZ_EXIT_HLT },
	{ "WBINVD", BYTES(0x0f, 0x09) },
	{ "INVD", BYTES(0x0f, 0x08) },
	{ "MOV to DR0", BYTES(0x0f, 0x23, 0xc6) },
	{ "MOV from DR0", BYTES(0x0f, 0x21, 0xc6) },
};
static const struct insn vmcall = { "VMCALL", BYTES(0x0f, 0x01, 0xc1), .prefixes_matter = true };
static const struct insn vmmcall = { "VMMCALL", BYTES(0x0f, 0x01, 0xd9), .prefixes_matter = true };

static const struct insn *hypercall(void)
{
	return machine.vmmcall ? &vmmcall : &vmcall;
}

/* How it runs: the mode, what stands before it, and where the code segment begins */
struct setting {
	enum guest_mode mode;
	const __u8 *prefixes;
	__u8 prefix_bytes;
	__u32 cs_base;
	__u64 cr4;
};

static const char *setting_text(const struct setting *s, const struct insn *insn)
{
	static char text[120];
	int n = snprintf(text, sizeof(text), "%s, mode %u, CS base %#x, prefixes", insn->name, s->mode, s->cs_base);

	for (int i = 0; i < s->prefix_bytes; i++)
		n += snprintf(text + n, sizeof(text) - n, " %02x", s->prefixes[i]);
	return text;
}

/* Real mode's CS has its base anyhow; 64-bit code has none */
static __u64 rip_of(const struct setting *s, __u64 linear)
{
	return s->mode == MODE_REAL ? linear - GUEST_REAL_CODE : s->cs_base ? (__u32)(linear - s->cs_base) : linear;
}

/* The instruction and OUT of AL to PORT_TEST, at @linear; returns the length of the instruction with its prefixes */
static unsigned int put_code(struct vcpu *vcpu, const struct setting *s, const struct insn *insn, __u64 gpa)
{
	__u8 *at = vcpu->vm->memory + gpa;

	memcpy(at, s->prefixes, s->prefix_bytes);
	memcpy(at + s->prefix_bytes, insn->bytes, insn->length);
	memcpy(at + s->prefix_bytes + insn->length, (__u8[]){ 0xe6, PORT_TEST }, 2);
	return s->prefix_bytes + insn->length;
}

static void set_up(struct vcpu *vcpu, const struct setting *s, __u64 linear)
{
	struct tpz_state state = vcpu_start_state(vcpu, s->mode, RING0, rip_of(s, linear), 0);

	state.regs.gpr[TPZ_RCX] = 0xc0000080;		/* EFER, as it is */
	state.regs.gpr[TPZ_RAX] = state.control.efer;
	state.regs.gpr[TPZ_RDX] = 0;
	state.control.cr4 |= s->cr4;
	if (s->mode != MODE_REAL)
		state.segments.seg[TPZ_CS].base = s->cs_base;
	vcpu_set(vcpu, &state);
}

static bool is_fault(struct vcpu *vcpu)
{
	const __u16 port = vcpu->run->io.port;

	return vcpu->run->reason == TPZ_EXIT_IO && port >= PORT_FAULT16 && port <= PORT_FAULT64;
}

/* Runs on to the OUT; it must stand right behind the instruction */
static void expect_done(struct vcpu *vcpu, const struct setting *s, const struct insn *insn, __u64 linear,
			unsigned int length)
{
	__u32 reason;

	do
		reason = vcpu_run(vcpu);
	while (reason == TPZ_EXIT_INTERRUPTED);
	if (insn->exit) {
		CHECK_THAT(reason == insn->exit, "%s: %s", setting_text(s, insn), vcpu_exit_text(vcpu));
		CHECK_THAT(vcpu->run->insn_bytes == length, "%s: %u bytes", setting_text(s, insn),
			   vcpu->run->insn_bytes);
		reason = vcpu_run(vcpu);
	}
	CHECK_THAT(reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_TEST, "%s: %s", setting_text(s, insn),
		   vcpu_exit_text(vcpu));
	CHECK_THAT(vcpu->run->rip == rip_of(s, linear) + length, "%s: went on at %#llx", setting_text(s, insn),
		   vcpu->run->rip);
}

static void runs(struct vcpu *vcpu, const struct setting *s, const struct insn *insn)
{
	const unsigned int length = put_code(vcpu, s, insn, CODE);

	set_up(vcpu, s, CODE);
	expect_done(vcpu, s, insn, CODE, length);
}

/* Runs, or is #UD with the RIP of the first prefix: as the CPU has it */
static void runs_or_ud(struct vcpu *vcpu, const struct setting *s, const struct insn *insn)
{
	const unsigned int length = put_code(vcpu, s, insn, CODE);

	set_up(vcpu, s, CODE);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	if (is_fault(vcpu)) {
		set_up(vcpu, s, CODE);
		CHECK_THAT(vcpu_expect_fault(vcpu, UD).rip == rip_of(s, CODE), "%s", setting_text(s, insn));
	} else {
		set_up(vcpu, s, CODE);
		expect_done(vcpu, s, insn, CODE, length);
	}
}

static void is_ud(struct vcpu *vcpu, const struct setting *s, const struct insn *insn)
{
	put_code(vcpu, s, insn, CODE);
	set_up(vcpu, s, CODE);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_THAT(is_fault(vcpu), "%s: %s", setting_text(s, insn), vcpu_exit_text(vcpu));
	set_up(vcpu, s, CODE);
	CHECK_EQ(vcpu_expect_fault(vcpu, UD).rip, rip_of(s, CODE));
}

/* ------------------------------------------------------------------ prefixes */

static const struct { __u8 bytes[14], count; bool only_64; } prefix_sets[] = {
	{ { 0x66 }, 1, false }, { { 0x67 }, 1, false }, { { 0xf2 }, 1, false }, { { 0xf3 }, 1, false },
	{ { 0x2e }, 1, false }, { { 0x64 }, 1, false }, { { 0x66, 0xf3 }, 2, false },
	{ { 0xf2, 0x66, 0x67 }, 3, false }, { { 0x3e, 0x65, 0x26 }, 3, false },
	{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 }, 11, false },
	{ { 0x48 }, 1, true }, { { 0x4f }, 1, true }, { { 0x66, 0x41 }, 2, true },
	{ { 0x48, 0x66 }, 2, true },		/* a REX that is not the last counts for nothing */
};

static const enum guest_mode modes[] = { MODE_REAL, MODE_PROTECTED, MODE_PAGING32, MODE_PAE, MODE_COMPAT, MODE_LONG };

/* F3 0F 09 is WBNOINVD; SVM's and VMX's instructions have forms of their own with F2, F3 and 66 */
static bool may_be_another(const struct insn *insn, const __u8 *prefixes, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (prefixes[i] == 0x66 || prefixes[i] == 0xf2 || prefixes[i] == 0xf3)
			return insn->prefixes_matter || insn->bytes[1] == 0x08 || insn->bytes[1] == 0x09;
	return false;
}

static void try_prefixes(const struct insn *insn)
{
	for (unsigned int m = 0; m < ARRAY_SIZE(modes); m++) {
		struct vcpu *vcpu = vm_with_vcpu();

		for (unsigned int p = 0; p < ARRAY_SIZE(prefix_sets); p++) {
			const struct setting s = { .mode = modes[m], .prefixes = prefix_sets[p].bytes,
						   .prefix_bytes = prefix_sets[p].count };

			if (prefix_sets[p].only_64 && modes[m] != MODE_LONG)
				continue;
			if (may_be_another(insn, s.prefixes, s.prefix_bytes))
				runs_or_ud(vcpu, &s, insn);
			else
				runs(vcpu, &s, insn);
		}
		vm_close(vcpu->vm);
	}
}

static void prefixes(void)
{
	ktap_timeout(300);
	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++)
		if (insns[i].bytes[1] != 0x21 && insns[i].bytes[1] != 0x23)	/* REX.R makes DR8 of DR0 */
			try_prefixes(&insns[i]);
}

static void prefixes_of_the_hypercall(void)
{
	try_prefixes(hypercall());
}

/* None of them can be locked */
static void lock_prefix(void)
{
	static const __u8 lock[] = { 0xf0 }, more[] = { 0xf0, 0x66 };

	for (unsigned int m = 0; m < ARRAY_SIZE(modes); m++) {
		struct vcpu *vcpu = vm_with_vcpu();
		const struct setting settings[] = {
			{ .mode = modes[m], .prefixes = lock, .prefix_bytes = 1 },
			{ .mode = modes[m], .prefixes = more, .prefix_bytes = 2 },
		};

		for (unsigned int s = 0; s < ARRAY_SIZE(settings); s++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++)
				is_ud(vcpu, &settings[s], &insns[i]);
			is_ud(vcpu, &settings[s], hypercall());
		}
		vm_close(vcpu->vm);
	}
}

/* ------------------------------------------------------------------ modes, segments, page tables */

static void each_mode(void)
{
	static const struct setting settings[] = {
		{ .mode = MODE_REAL }, { .mode = MODE_PROTECTED }, { .mode = MODE_PAGING32 }, { .mode = MODE_PAE },
		{ .mode = MODE_COMPAT }, { .mode = MODE_LONG },
		{ .mode = MODE_PROTECTED, .cs_base = 0x9000 }, { .mode = MODE_PAGING32, .cs_base = 0x12000 },
		{ .mode = MODE_PAE, .cs_base = 0x777 }, { .mode = MODE_COMPAT, .cs_base = 0x11ff1 },
		/* EIP and base wrap around to the linear address */
		{ .mode = MODE_PROTECTED, .cs_base = 0xfff00000 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
		struct vcpu *vcpu = vm_with_vcpu();

		for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++)
			runs(vcpu, &settings[i], &insns[n]);
		runs(vcpu, &settings[i], hypercall());
		vm_close(vcpu->vm);
	}
}

/* 16-bit code in protected mode: a segment of its own */
static void sixteen_bit_segment(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++) {
		const struct setting s = { .mode = MODE_PROTECTED, .cs_base = GUEST_REAL_CODE };
		const unsigned int length = put_code(vcpu, &s, &insns[n], CODE);
		struct tpz_state state;

		set_up(vcpu, &s, CODE);
		state = vcpu_get(vcpu, TPZ_STATE_SEGMENTS);
		state.segments.seg[TPZ_CS].db = 0;
		state.segments.seg[TPZ_CS].g = 0;
		state.segments.seg[TPZ_CS].limit = 0xffff;
		vcpu_set(vcpu, &state);
		expect_done(vcpu, &s, &insns[n], CODE, length);
	}
}

/* Maps the page at CODE to FRAME, in the tables of one mode */
static void map_elsewhere(struct vm *vm, enum guest_mode mode, __u64 clear)
{
	if (mode == MODE_PAGING32) {
		__u32 *pte = (__u32 *)(vm->memory + GUEST_PT32) + CODE / PAGE;

		*pte = ((*pte & 0xfff) | FRAME) & ~clear;
	} else {
		volatile __u64 *pte = vm_pte(vm, CODE);

		*pte = ((*pte & 0xfff) | FRAME) & ~clear;
	}
}

static void other_frames(void)
{
	static const enum guest_mode paged[] = { MODE_PAGING32, MODE_PAE, MODE_COMPAT, MODE_LONG };

	for (unsigned int m = 0; m < ARRAY_SIZE(paged); m++) {
		const struct setting s = { .mode = paged[m] };
		struct vcpu *vcpu = vm_with_vcpu();

		/* What stands at the physical address CODE is no instruction that traps */
		memset(vcpu->vm->memory + CODE, 0x90, PAGE);
		map_elsewhere(vcpu->vm, paged[m], 0);
		for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++) {
			const unsigned int length = put_code(vcpu, &s, &insns[n], FRAME);

			set_up(vcpu, &s, CODE);
			expect_done(vcpu, &s, &insns[n], CODE, length);
		}
		vm_close(vcpu->vm);
	}
}

/* Ring 0's own page under SMEP runs; a page of ring 3 does not */
static void smep(void)
{
	const struct setting s = { .mode = MODE_LONG, .cr4 = CR4_SMEP };
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 eax, ebx, ecx, edx;
	struct fault fault;
	unsigned int length;

	cpuid(7, 0, &eax, &ebx, &ecx, &edx);
	if (!(ebx & 1 << 7))
		SKIP("this CPU has no SMEP");
	vcpu->vm->memory[GUEST_PML4] &= ~4;
	for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++)
		runs(vcpu, &s, &insns[n]);

	/* All but the code's page is of ring 0 */
	vcpu->vm->memory[GUEST_PML4] |= 4;
	for (__u64 at = 0; at < VM_BYTES; at += PAGE)
		*vm_pte(vcpu->vm, at) &= ~4ULL;
	for (unsigned int i = 2; i < 512; i++)
		((__u64 *)(vcpu->vm->memory + GUEST_PD))[i] &= ~4ULL;
	length = put_code(vcpu, &s, &cpuid_insn, CODE);
	set_up(vcpu, &s, CODE);
	expect_done(vcpu, &s, &cpuid_insn, CODE, length);
	*vm_pte(vcpu->vm, CODE) |= 4;
	set_up(vcpu, &s, CODE);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.cr2, CODE);
	CHECK_EQ(fault.error, 1 | 16);
}

/* ------------------------------------------------------------------ across a page's edge */

enum second { ABSENT, NO_EXECUTE };

static GUEST __u32 read_cr2(__u64 unused)
{
	(void)unused;
	return READ_REGISTER(cr2);
}

/* Bochs's Ryzen does not (lab.md): a #PF that the module delivers, and not the CPU, comes with a foreign CR2 there */
static bool entries_load_cr2(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)read_cr2, 0);
	__u32 seen;

	state.control.cr2 = 0x5a5a5a5a;
	vcpu_set(vcpu, &state);
	seen = vcpu_finish(vcpu);
	vm_close(vcpu->vm);
	return seen == 0x5a5a5a5a;
}

static bool check_cr2;		/* of what the module delivers */

/* The first byte ends a page; the second page is taken away in the guest's own tables */
static void across(const struct insn *insn, enum second how, bool stale)
{
	const struct setting s = { .mode = MODE_LONG };
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 linear = CODE + PAGE - 1;
	const unsigned int length = put_code(vcpu, &s, insn, linear);
	volatile __u64 *pte = vm_pte(vcpu->vm, CODE + PAGE);
	struct fault fault;

	if (stale) {	/* the CPU has both pages in its TLB, and nobody tells it that one goes */
		set_up(vcpu, &s, linear);
		expect_done(vcpu, &s, insn, linear, length);
	}
	*pte = how == ABSENT ? *pte & ~1ULL : *pte | PTE_NX;
	set_up(vcpu, &s, linear);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	if (stale && !is_fault(vcpu)) {
		CHECK_EQ(vcpu->run->rip, linear + length);	/* the old translation still served */
	} else {
		fault = vcpu_fault(vcpu);
		CHECK_EQ(fault.vector, PF);
		if (stale && fault.rip == linear + length) {	/* it served this instruction, and not the next */
			CHECK_EQ(fault.cr2, linear + length);
		} else {
			CHECK_EQ(fault.rip, linear);
			if (!stale || check_cr2)
				CHECK_EQ(fault.cr2, CODE + PAGE);
		}
		CHECK_EQ(fault.error, how == ABSENT ? 16 : 16 | 1);
	}
	*pte = (*pte | 1) & ~PTE_NX;
	set_up(vcpu, &s, linear);
	expect_done(vcpu, &s, insn, linear, length);
	vm_close(vcpu->vm);
}

static void across_the_edge(void)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++) {
		if (insns[n].length < 2)
			continue;
		across(&insns[n], ABSENT, false);
		across(&insns[n], NO_EXECUTE, false);
	}
}

static void across_the_edge_stale(void)
{
	check_cr2 = entries_load_cr2();
	for (unsigned int n = 0; n < ARRAY_SIZE(insns); n++) {
		if (insns[n].length < 2)
			continue;
		across(&insns[n], ABSENT, true);
		across(&insns[n], NO_EXECUTE, true);
	}
	if (!check_cr2)
		SKIP("all but CR2 is right: a VM entry does not load it here");
}

/* The second page is in no slot: the launcher hears of the fetch, puts memory there, and the guest goes on */
static void across_into_nowhere(void)
{
	const __u64 linear = AREA + PAGE - 1;
	struct vcpu *vcpu = vm_with_vcpu();
	__u8 *first = vm_add_memory(vcpu->vm, SLOT_TEST, AREA, PAGE, 0), *second;

	first[PAGE - 1] = 0x0f;
	vcpu_start(vcpu, MODE_LONG, RING0, linear, 0);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + PAGE);
	CHECK_EQ(vcpu->run->memory.fetch, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->rip, linear);
	second = vm_add_memory(vcpu->vm, SLOT_TEST + 1, AREA + PAGE, PAGE, 0);
	memcpy(second, (__u8[]){ 0xa2, 0xe6, PORT_TEST }, 3);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(vcpu->run->rip, linear + 2);
}

/* ------------------------------------------------------------------ software interrupts, their delivery cut off */

/* All of the guest's memory is dropped: the delivery meets pages that are not there yet. It must come, behind the insn */
static void soft_events(void)
{
	static const __u8 word[] = { 0x66 };
	static const struct insn soft[] = {
		{ "INT3", BYTES(0xcc), .exit = BP }, { "INTO", BYTES(0xce), .exit = OF }, { "INT 0x60", BYTES(0xcd, 0x60), .exit = 0x60 },
		{ "INT 3", BYTES(0xcd, 3), .exit = BP },
	};
	static const enum guest_mode some[] = { MODE_PROTECTED, MODE_PAE, MODE_COMPAT, MODE_LONG };

	for (unsigned int m = 0; m < ARRAY_SIZE(some); m++)
		for (unsigned int i = 0; i < ARRAY_SIZE(soft); i++)
			for (unsigned int prefixed = 0; prefixed < 2; prefixed++) {
				const struct setting s = { .mode = some[m], .prefixes = word, .prefix_bytes = prefixed };
				struct vcpu *vcpu = vm_with_vcpu(.memfd = true);
				unsigned int length = put_code(vcpu, &s, &soft[i], CODE);
				struct tpz_state state;
				struct fault fault;

				if (some[m] == MODE_LONG && soft[i].bytes[0] == 0xce)
					continue;		/* not in 64-bit code */
				set_up(vcpu, &s, CODE);
				state = vcpu_get(vcpu, TPZ_STATE_REGS);
				state.regs.rflags |= RFLAGS_OF;
				vcpu_set(vcpu, &state);
				CHECK_SYS(madvise(vcpu->vm->memory, VM_BYTES, MADV_DONTNEED));
				fault = vcpu_expect_fault(vcpu, soft[i].exit);
				CHECK_THAT(fault.rip == rip_of(&s, CODE) + length, "%s: RIP %#llx",
					   setting_text(&s, &soft[i]), fault.rip);
				vm_close(vcpu->vm);
			}
}

/* ------------------------------------------------------------------ a code page that changes under a trap */

static struct {
	volatile __u16 *code;
	struct meters meters;
	__u64 flips;
} changing;

#define ENOUGH	500	/* traps of each kind */

static bool enough(void)
{
	const struct tpz_vcpu_meters m = meters_read(&changing.meters, 0);

	return m.reason[TPZ_EXIT_CPUID].count >= ENOUGH && m.reason[TPZ_EXIT_MSR_READ].count >= ENOUGH;
}

/* In bursts: CPUID, a NOP of two bytes, RDMSR, in turn; at last an OUT, which ends the guest */
static void *change_code(void *unused)
{
	static const __u16 words[] = { 0xa20f, 0x9066, 0x320f };

	(void)unused;
	run_on_cpu(1);
	while (!enough()) {
		for (int i = 0; i < 100; i++)
			*changing.code = words[changing.flips++ % ARRAY_SIZE(words)];
		usleep(50);
	}
	*changing.code = PORT_TEST << 8 | 0xe6;
	return NULL;
}

/*
 * ECX := EFER's number, the instruction that changes, and again. Whatever stands there at the moment runs as a whole, or
 * runs again: nothing else comes of it.
 */
static void code_that_changes(void)
{
	static const __u8 code[] = {
		0xb9, 0x80, 0x00, 0x00, 0xc0,		/* mov $0xc0000080, %ecx */
		0x90,
		0x0f, 0xa2,				/* this: at an even address */
		0xeb, 0xf6,				/* jmp to the start */
	};
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_vcpu_meters m;
	struct tpz_state state;
	pthread_t thread;

	if (cpus_online() < 2)
		SKIP("a second CPU is needed, to change the code from");
	run_on_cpu(0);
	memcpy(vcpu->vm->memory + CODE, code, sizeof(code));
	changing.code = (volatile __u16 *)(vcpu->vm->memory + CODE + 6);
	changing.meters = meters_open(vcpu->vm->id);
	changing.flips = 0;
	state = vcpu_start_state(vcpu, MODE_LONG, RING0, CODE, 0);
	state.regs.rflags |= RFLAGS_IF;		/* none comes, but the host's must end the stay: guest.h, sti() */
	vcpu_set(vcpu, &state);
	CHECK_EQ(pthread_create(&thread, NULL, change_code, NULL), 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(vcpu->run->rip, CODE + 6);
	pthread_join(thread, NULL);
	m = meters_read(&changing.meters, 0);
	ktap_diag("%llu changes; %llu CPUIDs, %llu RDMSRs", changing.flips, m.reason[TPZ_EXIT_CPUID].count,
		  m.reason[TPZ_EXIT_MSR_READ].count);
	CHECK_EQ(m.injected_exceptions, 0);
}

static const struct ktap_case cases[] = {
	{ "prefixes", prefixes },
	{ "prefixes of the hypercall", prefixes_of_the_hypercall },
	{ "LOCK is #UD", lock_prefix },
	{ "each mode, with and without a base of CS", each_mode },
	{ "a 16-bit segment in protected mode", sixteen_bit_segment },
	{ "code whose linear address is not its physical one", other_frames },
	{ "code under SMEP", smep },
	{ "across a page's edge, the second page not present or not executable", across_the_edge },
	{ "the same with the old translation still cached", across_the_edge_stale },
	{ "across a page's edge into nowhere", across_into_nowhere },
	{ "INT3, INTO, INT n: a delivery that is cut off comes behind the instruction", soft_events },
	{ "code that changes under the trap", code_that_changes },
};
KTAP_MAIN(cases)
