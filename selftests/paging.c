// SPDX-License-Identifier: GPL-2.0
/*
 * The module walks the guest's page tables when it reads or writes memory on the guest's behalf (INS, OUTS). It must find
 * what the CPU finds: the same byte, or the same #PF with the same error code and address, and the same accessed and
 * dirty bits left behind.
 *
 * Each case makes page tables at random (every bit that means something, in every entry on the way), lets the guest
 * access one address by MOV, puts everything back, does it again by OUTS or INS, and compares. In every format: 32-bit
 * with and without PSE, PAE, 4-level; rings 0 and 3; WP, SMEP, SMAP, AC, NXE, PKE on and off.
 */
#include "vm.h"

#include <stdio.h>

#define PF	14

#define CR0_WP		(1ULL << 16)
#define CR4_PSE		(1ULL << 4)
#define CR4_SMEP	(1ULL << 20)
#define CR4_SMAP	(1ULL << 21)
#define CR4_PKE		(1ULL << 22)
#define EFER_NXE	(1ULL << 11)
#define RFLAGS_AC	(1ULL << 18)

#define P		1ULL
#define W		2ULL
#define U		4ULL
#define A		0x20ULL
#define D		0x40ULL
#define PS		0x80ULL
#define NX		(1ULL << 63)

/* The tables under test, and the two pages that they lead to: at the same offset from 2 MiB as the linear address */
#define TABLES		(GUEST_FREE + 0x10000ULL)	/* one page for each level */
#define IMAGE_TABLE	(GUEST_FREE + 0x18000ULL)	/* 32-bit paging: of the test's own image, for when PSE is off */
#define TARGET		(GUEST_FREE + 0x50000ULL)
#define OFFSET		0x150000ULL			/* of TARGET, from 0 */
#define AREA		0xc0000000ULL			/* where they are mapped; in 64-bit mode also higher */
#define HIGH_AREA	(0xffff800000000000ULL + AREA)

/* ------------------------------------------------------------------ chance */

static __u64 random_state;

static __u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool one_in(unsigned int n)
{
	return random64() % n == 0;
}

/* ------------------------------------------------------------------ one configuration */

struct trial {
	enum guest_mode mode;
	enum guest_ring ring;
	bool high;			/* HIGH_AREA */
	__u64 address;
	bool write;
	__u8 bytes;			/* 1 or 4 */
	unsigned int levels;		/* that are at random: 2, in long mode 4 */
	__u64 entry[4];			/* from the root's side on; the last one is a PTE */
	__u64 cr4, rflags;		/* bits to turn on */
	__u64 cr0_off, cr4_off, efer_off;
	__u32 pkru;
};

static const char *trial_text(const struct trial *t)
{
	static char text[400];
	int n = snprintf(text, sizeof(text), "mode %d, ring %d, %s of %u at %#llx, cr0 -%#llx cr4 +%#llx -%#llx efer -%#llx "
			 "AC %d pkru %#x, entries", t->mode, t->ring, t->write ? "write" : "read", t->bytes, t->address,
			 t->cr0_off, t->cr4, t->cr4_off, t->efer_off, !!t->rflags, t->pkru);

	for (unsigned int i = 0; i < t->levels; i++)
		n += snprintf(text + n, sizeof(text) - n, " %#llx", t->entry[i]);
	return text;
}

static int phys_bits;
static bool have_smep, have_smap, have_pku;

static void find_features(struct vcpu *vcpu)
{
	struct tpz_cpuid_entry e[128];
	struct tpz_cpuid get = { .size = sizeof(get), .entries = (uintptr_t)e, .capacity = 128, .entry_bytes = sizeof(e[0]) };
	int count = CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &get));

	phys_bits = device_info().phys_bits;
	for (int i = 0; i < count; i++) {
		if (e[i].leaf == 7 && !e[i].subleaf) {
			have_smep = e[i].ebx & 1 << 7;
			have_smap = e[i].ebx & 1 << 20;
			have_pku = e[i].ecx & 1 << 3;
		}
	}
}

/* An entry that is mostly right: each thing that can be wrong with it comes up now and then */
static __u64 random_entry(const struct trial *t, unsigned int level)
{
	const bool wide = t->mode != MODE_PAGING32;
	__u64 entry = (one_in(12) ? 0 : P) | (one_in(4) ? 0 : W) | (one_in(4) ? 0 : U) | (random64() & (A | D | 0xe18));

	if (level > 1 && one_in(4))
		entry |= PS;
	if (level == 1)
		entry |= random64() & 0x180;		/* PAT, G */
	if (wide && one_in(4))
		entry |= NX;
	if (wide && one_in(20))
		entry |= 1ULL << (one_in(2) ? 51 : phys_bits);
	/* Ignored in long mode, reserved in PAE; in a leaf, the protection key */
	if (wide && one_in(t->mode == MODE_PAE ? 20 : 4))
		entry |= (random64() & 0x7ff) << 52;
	return entry;
}

static unsigned int shift_of(const struct trial *t, unsigned int level)
{
	return 12 + (level - 1) * (t->mode == MODE_PAGING32 ? 10 : 9);
}

static struct trial random_trial(enum guest_mode mode)
{
	struct trial t = {
		.mode = mode, .ring = one_in(2) ? RING3 : RING0, .high = mode == MODE_LONG && one_in(2),
		.write = one_in(2), .bytes = one_in(3) ? 4 : 1, .levels = mode == MODE_LONG || mode == MODE_COMPAT ? 4 : 2,
	};

	t.address = (t.high ? HIGH_AREA : AREA) + OFFSET + random64() % PAGE;
	/* Across the page's end every second time that more than a byte is accessed */
	if (t.bytes == 4 && one_in(2))
		t.address = (t.address & -PAGE) + PAGE - 1 - random64() % 3;
	if (one_in(3))
		t.cr0_off |= CR0_WP;
	/* They are about ring 0 alone; in trials of ring 3 its handlers would meet them */
	if (have_smep && !t.ring && one_in(2))
		t.cr4 |= CR4_SMEP;
	if (have_smap && !t.ring && one_in(2))
		t.cr4 |= CR4_SMAP;
	if (one_in(2))
		t.rflags |= RFLAGS_AC;
	if (have_pku && t.levels == 4 && one_in(2)) {
		t.cr4 |= CR4_PKE;
		t.pkru = random64() & ~3U;	/* key 0 is that of the guest's own pages */
	}
	if (mode != MODE_PAGING32 && one_in(6))
		t.efer_off |= EFER_NXE;
	if (mode == MODE_PAGING32 && one_in(4))
		t.cr4_off |= CR4_PSE;

	for (unsigned int i = 0; i < t.levels; i++) {
		const unsigned int level = t.levels - i;

		t.entry[i] = random_entry(&t, level);
		/* Most trials would end in the first entries if the upper ones were not kinder */
		if (level > 1 && !one_in(4))
			t.entry[i] = (t.entry[i] & ~NX) | P | W | U;
		if (level > 2 && !one_in(8))
			t.entry[i] &= ~PS;
		if (level == 1)
			t.entry[i] |= TARGET;
		else if (!(t.entry[i] & PS) || (t.cr4_off & CR4_PSE))
			t.entry[i] |= TABLES + (i + 1) * PAGE;
		else if (one_in(8))			/* a large page must be aligned; PAT's bit is not a part of that */
			t.entry[i] |= random64() & ((1ULL << shift_of(&t, level)) - 1) & -PAGE & ~(1ULL << 12);
		else
			t.entry[i] |= random64() & 1ULL << 12;
	}
	return t;
}

/* ------------------------------------------------------------------ putting it into the guest */

static void put_entry(struct vm *vm, const struct trial *t, __u64 table, unsigned int index, __u64 entry)
{
	const int bytes = t->mode == MODE_PAGING32 ? 4 : 8;

	memcpy(vm->memory + table + index * bytes, &entry, bytes);
}

/* The page of the root's table in which entry 0 of the trial stands */
static __u64 first_table(const struct trial *t)
{
	switch (t->mode) {
	case MODE_PAGING32:
		return GUEST_PD32;
	case MODE_PAE:
		return TABLES;
	default:
		return GUEST_PML4;
	}
}

static unsigned int index_of(const struct trial *t, unsigned int level)
{
	return t->address >> shift_of(t, level) & (t->mode == MODE_PAGING32 ? 1023 : 511);
}

static __u64 table_of(const struct trial *t, unsigned int i)
{
	return i ? TABLES + i * PAGE : first_table(t);
}

/*
 * The guest's own pages belong to the ring that runs, so that SMEP and SMAP let it live: U or not U in the entries of the
 * last table but one below them (PAE's and long mode's is the same). In the low half of 64-bit mode and in compatibility
 * mode the trial's PML4 entry is the guest's own: it stays as it is.
 */
static void put_tables(struct vm *vm, const struct trial *t)
{
	const __u64 own = t->ring ? U : 0;

	for (__u32 page = 0; t->mode == MODE_PAGING32 && page < 1024; page++)
		put_entry(vm, t, IMAGE_TABLE, page, (1 << 22 | page << 12) | P | W | U);
	if (t->mode == MODE_PAGING32)
		put_entry(vm, t, GUEST_PD32, 1, IMAGE_TABLE | P | W | U);
	for (unsigned int i = 0; i < 16; i++) {
		vm->memory[GUEST_PD + 8 * i] = (vm->memory[GUEST_PD + 8 * i] & ~U) | own;
		vm->memory[GUEST_PD32 + 4 * i] = (vm->memory[GUEST_PD32 + 4 * i] & ~U) | own;
	}
	memset(vm->memory + TABLES, 0, 4 * PAGE);
	for (unsigned int i = 0; i < t->levels; i++) {
		const unsigned int level = t->levels - i, index = index_of(t, level);

		if (t->levels == 4 && !t->high && i == 0)
			continue;
		put_entry(vm, t, t->levels == 4 && !t->high && i == 1 ? GUEST_PDPT : table_of(t, i), index, t->entry[i]);
		/* The neighbour, for accesses across the end: a page as good as can be, but one time in four */
		if (level == 1)
			put_entry(vm, t, table_of(t, i), index + 1, (TARGET + PAGE) | (t->address & 1 ? P | W | U : W | U));
	}
	if (t->mode == MODE_PAE)
		put_entry(vm, t, GUEST_PDPT_PAE, 3, TABLES | P);
}

/* What an access leaves behind */
struct outcome {
	__u32 vector;			/* or GUEST_NO_FAULT */
	__u64 error, cr2;
	__u32 value;			/* that was read */
	__u64 entry[4];			/* with accessed and dirty bits */
	__u64 neighbour;
	__u8 target[2 * PAGE];
};

static void get_tables(struct vm *vm, const struct trial *t, struct outcome *o)
{
	const int bytes = t->mode == MODE_PAGING32 ? 4 : 8;

	for (unsigned int i = 0; i < t->levels; i++) {
		const __u64 table = t->levels == 4 && !t->high && i == 1 ? GUEST_PDPT : table_of(t, i);
		const unsigned int index = index_of(t, t->levels - i);

		o->entry[i] = 0;
		memcpy(&o->entry[i], vm->memory + table + index * bytes, bytes);
		if (i == t->levels - 1)
			memcpy(&o->neighbour, vm->memory + table + (index + 1) * bytes, bytes);
	}
	memcpy(o->target, vm->memory + TARGET, sizeof(o->target));
}

static void set_state(struct vcpu *vcpu, const struct trial *t, const void *guest)
{
	struct tpz_state state = vcpu_start_state(vcpu, t->mode, t->ring, (uintptr_t)guest, t->address);

	state.control.cr0 &= ~t->cr0_off;
	state.control.cr4 = (state.control.cr4 & ~t->cr4_off) | t->cr4;
	state.control.efer &= ~t->efer_off;
	state.regs.rflags |= t->rflags;
	vcpu_set(vcpu, &state);
}

/* PKRU stands in the FPU group, where CPUID says */
static void set_pkru(struct vcpu *vcpu, __u32 pkru)
{
	static __u8 area[8192] __attribute__((aligned(64)));
	const __u32 bytes = device_info().xsave_bytes;
	struct tpz_state state = {
		.size = sizeof(state), .groups = TPZ_STATE_FPU, .fpu = (uintptr_t)area, .fpu_bytes = bytes,
	};
	__u32 eax, ebx, ecx, edx;

	CHECK_LE(bytes, sizeof(area));
	cpuid(0xd, 9, &eax, &ebx, &ecx, &edx);
	memset(area, 0, sizeof(area));
	area[24] = 0x80;		/* MXCSR */
	area[25] = 0x1f;
	area[512 + 1] = 2;		/* XSTATE_BV: bit 9 */
	memcpy(area + ebx, &pkru, 4);
	vcpu_set(vcpu, &state);
}

/* Runs the access, by MOV or by the string instruction, and serves its port */
static void run_trial(struct vcpu *vcpu, const struct trial *t, const void *guest, struct outcome *o)
{
	struct vm *vm = vcpu->vm;
	const __u32 in = 0x5a5a5a5a;
	bool by_port = false;

	memset(o, 0, sizeof(*o));
	for (__u64 i = 0; i < 2 * PAGE; i++)
		vm->memory[TARGET + i] = i * 7 + i / 256;
	put_tables(vm, t);
	if (t->cr4 & CR4_PKE)
		set_pkru(vcpu, t->pkru);
	set_state(vcpu, t, guest);
	o->vector = GUEST_NO_FAULT;
	for (;;) {
		volatile struct tpz_run *run = vcpu->run;

		while (vcpu_run(vcpu) == TPZ_EXIT_INTERRUPTED)
			;
		/* PSE-36 reaches beyond 4 GiB, where the guest has nothing: the address is what counts */
		if (run->reason == TPZ_EXIT_MMIO) {
			o->vector = TPZ_EXIT_MEMORY << 8;
			o->error = run->mmio.write;
			o->cr2 = run->mmio.gpa;
			break;
		}
		if (run->reason == TPZ_EXIT_MEMORY) {
			o->vector = TPZ_EXIT_MEMORY << 8;
			o->error = run->memory.write;
			o->cr2 = run->memory.gpa;
			break;
		}
		CHECK_THAT(run->reason == TPZ_EXIT_IO, "%s", vcpu_exit_text(vcpu));
		if (run->io.port == PORT_TEST) {
			if (run->io.in)
				memcpy((void *)vcpu->data, &in, 4);
			else
				memcpy(&o->value, (void *)vcpu->data, t->bytes);
			by_port = true;
			continue;
		}
		if (run->io.port == PORT_FAULT64) {
			struct guest_frame *f = vm_host(vm, vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

			o->vector = f->vector;
			o->error = f->error;
			o->cr2 = f->cr2;
		} else if (run->io.port == PORT_FAULT32) {
			__u32 *f = vm_host(vm, (__u32)vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

			o->vector = f[9];
			o->error = f[10];
			o->cr2 = f[0];
		} else if (!t->write && !by_port) {
			memcpy(&o->value, (void *)vcpu->data, t->bytes);
		}
		break;
	}
	get_tables(vm, t, o);
}

/* ------------------------------------------------------------------ the comparison */

/* guests/paging.S */
extern const char load1_32[], store1_32[], outs1_32[], ins1_32[], load4_32[], store4_32[], outs4_32[], ins4_32[];
extern const char load1_64[], store1_64[], outs1_64[], ins1_64[], load4_64[], store4_64[], outs4_64[], ins4_64[];

static const char *const guests[2][2][2][2] = {	/* [64-bit][4 bytes][write][by the module] */
	{ { { load1_32, outs1_32 }, { store1_32, ins1_32 } }, { { load4_32, outs4_32 }, { store4_32, ins4_32 } } },
	{ { { load1_64, outs1_64 }, { store1_64, ins1_64 } }, { { load4_64, outs4_64 }, { store4_64, ins4_64 } } },
};

static struct {
	unsigned int trials, faults, reserved, keys, crossings, nowhere;
} seen;

static void compare(const struct trial *t, const struct outcome *cpu, const struct outcome *module)
{
	const __u64 ignore = cpu->vector == PF ? A : 0;
	/* Where the CPU leaves out P beside RSVD (machine.h), the module still tells it */
	const __u64 left_out = cpu->vector == PF && (cpu->error & 8) ? 9 & ~machine.pf_reserved : 0;

	seen.trials++;
	seen.faults += cpu->vector == PF;
	seen.reserved += cpu->vector == PF && (cpu->error & 8);
	seen.keys += cpu->vector == PF && (cpu->error & 32);
	seen.nowhere += cpu->vector == TPZ_EXIT_MEMORY << 8;
	seen.crossings += (t->address & (PAGE - 1)) + t->bytes > PAGE;
	if (cpu->vector != module->vector || (cpu->error | left_out) != module->error || cpu->cr2 != module->cr2)
		FAIL("%s: the CPU: vector %d, error %#llx, address %#llx; the module: %d, %#llx, %#llx", trial_text(t),
		     cpu->vector, cpu->error, cpu->cr2, module->vector, module->error, module->cr2);
	if (cpu->value != module->value)
		FAIL("%s: the CPU read %#x, the module %#x", trial_text(t), cpu->value, module->value);
	/* After a fault a CPU may have set accessed bits on the way, or not: SDM vol. 3A, 4.8 */
	for (unsigned int i = 0; i < t->levels; i++)
		if ((cpu->entry[i] | ignore) != (module->entry[i] | ignore))
			FAIL("%s: entry %u: the CPU left %#llx, the module %#llx", trial_text(t), i, cpu->entry[i],
			     module->entry[i]);
	if ((cpu->neighbour | ignore) != (module->neighbour | ignore))
		FAIL("%s: the neighbour: %#llx, %#llx", trial_text(t), cpu->neighbour, module->neighbour);
	/* MOV is emulated then: of two pages, it has written to the one that is there. INS asks for both first */
	if (cpu->vector == TPZ_EXIT_MEMORY << 8 && (t->address & (PAGE - 1)) + t->bytes > PAGE)
		return;
	if (memcmp(cpu->target, module->target, sizeof(cpu->target)))
		FAIL("%s: memory differs", trial_text(t));
}

static void trials(enum guest_mode mode, unsigned int count)
{
	struct vcpu *vcpu = vm_with_vcpu();
	static struct outcome cpu, module;

	find_features(vcpu);
	memset(&seen, 0, sizeof(seen));
	random_state = 0x9e3779b97f4a7c15ULL + mode;
	for (unsigned int i = 0; i < count; i++) {
		const struct trial t = random_trial(mode);
		const char *const *pair = guests[mode == MODE_LONG][t.bytes == 4][t.write];

		run_trial(vcpu, &t, pair[0], &cpu);
		run_trial(vcpu, &t, pair[1], &module);
		compare(&t, &cpu, &module);
	}
	ktap_diag("%u trials: %u faults, of these %u by reserved bits, %u by protection keys; %u beyond memory; %u across a "
		  "page's end", seen.trials, seen.faults, seen.reserved, seen.keys, seen.nowhere, seen.crossings);
	CHECK_GT(seen.faults, count / 10);
	CHECK_LT(seen.faults, count - count / 10);
}

#define TRIALS	400

static void paging32(void)
{
	trials(MODE_PAGING32, TRIALS);
}

static void pae(void)
{
	trials(MODE_PAE, TRIALS);
}

static void compat(void)
{
	trials(MODE_COMPAT, TRIALS);
}

static void long_mode(void)
{
	trials(MODE_LONG, 2 * TRIALS);
}

/* PAE's first level permits everything or nothing; its entries are in registers */
static void pdptes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	static struct outcome cpu, module;
	struct trial t;

	find_features(vcpu);
	random_state = 1;
	do
		t = random_trial(MODE_PAE);
	while (t.write || t.bytes != 1);
	t.address = 0x40001234;			/* PDPTE 1 is not present */
	run_trial(vcpu, &t, load1_32, &cpu);
	run_trial(vcpu, &t, outs1_32, &module);
	CHECK_EQ(cpu.vector, PF);
	CHECK_EQ(cpu.error, t.ring ? U : 0);
	compare(&t, &cpu, &module);
}

/* Without paging a linear address is a physical one, of 32 bits */
static void no_paging(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu->vm->memory[TARGET + 5] = 0xa7;
	vcpu_start(vcpu, MODE_PROTECTED, RING0, outs1_32, TARGET + 5);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 0xa7);
	vcpu_finish(vcpu);
	vcpu_start(vcpu, MODE_PROTECTED, RING0, ins1_32, TARGET + 6);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	*vcpu->data = 0x77;
	vcpu_finish(vcpu);
	CHECK_EQ(vcpu->vm->memory[TARGET + 6], 0x77);
}

/* The guest's table is where no memory is: the launcher hears of the entry's address, and that it was a walk */
static void a_table_without_memory(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 nowhere = 0x30000000 | P | W | U;

	memcpy(vcpu->vm->memory + GUEST_PD + 8 * 100, &nowhere, 8);
	vcpu_start(vcpu, MODE_LONG, RING0, outs1_64, (100ULL << 21) + 0x3008);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, 0x30000000 + 3 * 8);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->memory.gva, (100ULL << 21) + 0x3008);
}

static const struct ktap_case cases[] = {
	{ "no paging", no_paging },
	{ "32-bit paging", paging32 },
	{ "PAE paging", pae },
	{ "PDPTEs", pdptes },
	{ "4-level paging, 32-bit code", compat },
	{ "4-level paging, 64-bit code", long_mode },
	{ "a table without memory", a_table_without_memory },
};
KTAP_MAIN(cases)
