// SPDX-License-Identifier: GPL-2.0
/*
 * Sensitive instructions that do not trap in ring 3 (Documentation/exits.md): SIDT, SGDT, SLDT, STR, SMSW, PUSHF, POPF,
 * LAR, LSL, VERR, VERW must tell the guest's own values, never the host's. From rings 0 and 3, in protected,
 * compatibility and long mode, with descriptor-table exiting off (the CPU answers) and on (the module does).
 *
 * Then LGDT, LIDT, LLDT and LTR with good and bad operands: the module must do what the CPU does, fault for fault.
 */
#include "vm.h"

#include <stdio.h>

#define GP	13
#define NP	11
#define UD	6
#define PF	14

#define CR0_PE		(1ULL << 0)
#define CR0_MP		(1ULL << 1)
#define CR0_TS		(1ULL << 3)
#define CR0_ET		(1ULL << 4)
#define CR0_NE		(1ULL << 5)
#define CR0_CD		(1ULL << 30)
#define CR4_UMIP	(1ULL << 11)
#define RFLAGS_IF	(1ULL << 9)
#define RFLAGS_IOPL	(3ULL << 12)

/* guests/sensitive.S */
extern const char sensitive32[], sensitive64[];

#define SELECTORS	32

struct look_at_selector {
	__u32 lar, lsl;
	__u8 lar_zf, lsl_zf, verr_zf, verw_zf;
	__u8 pad[4];
};

static struct looks {
	__u8 gdt[16], idt[16];
	__u64 sldt[3], str[3], smsw[3];		/* register, 16-bit register, memory */
	__u64 flags, flags_set, flags_back;
	__u32 cs, ss;
	__u16 selectors[SELECTORS];
	struct look_at_selector results[SELECTORS];
} looks;

_Static_assert(offsetof(struct looks, sldt) == 32 && offsetof(struct looks, flags) == 104 &&
	       offsetof(struct looks, selectors) == 136 && offsetof(struct looks, results) == 200,
	       "guests/sensitive.S knows the offsets");

/* ------------------------------------------------------------------ the guest's descriptors, and what LAR and kin must find */

#define SEL_LDT		0x48
#define SEL_NOT_PRESENT	0x58
#define SEL_CONFORMING	0x60
#define SEL_DOWN	SEL_DATA16
#define SEL_EXECUTE	0x68
#define SEL_GATE	0x70		/* 16 bytes in IA-32e mode */
#define LDT_BASE	0x1000c000ULL
#define LDT_LIMIT	0x37

static __u64 descriptor(__u32 base, __u32 limit, __u8 access, __u8 flags)
{
	return (limit & 0xffff) | (__u64)(base & 0xffffff) << 16 | (__u64)access << 40 |
	       (__u64)(limit >> 16 & 15) << 48 | (__u64)flags << 52 | (__u64)(base >> 24) << 56;
}

static void put_descriptor(struct vm *vm, __u16 selector, __u64 value)
{
	memcpy(vm->memory + GUEST_GDT + (selector & ~7), &value, 8);
}

static __u64 get_descriptor(struct vm *vm, __u16 selector)
{
	__u64 value;

	memcpy(&value, vm->memory + GUEST_GDT + (selector & ~7), 8);
	return value;
}

static void add_descriptors(struct vm *vm)
{
	put_descriptor(vm, SEL_LDT, descriptor(LDT_BASE, LDT_LIMIT, 0x82, 0));
	put_descriptor(vm, SEL_LDT + 8, 0);
	put_descriptor(vm, SEL_NOT_PRESENT, descriptor(0, 0xfffff, 0x73, 0xc));
	put_descriptor(vm, SEL_CONFORMING, descriptor(0, 0x12345, 0x9f, 0x4));
	put_descriptor(vm, SEL_DOWN, descriptor(0, 0x777, 0xf7, 0xd));
	put_descriptor(vm, SEL_EXECUTE, descriptor(0, 0xfffff, 0xf9, 0xc));
	put_descriptor(vm, SEL_GATE, 0x0000ec0000001000ULL | SEL_CODE32 << 16);
}

static bool system_type_known(__u8 type, bool wide, bool gates)
{
	if (wide)
		return type == 2 || type == 9 || type == 11 || (gates && type == 12);
	return type == 1 || type == 2 || type == 3 || type == 9 || type == 11 ||
	       (gates && (type == 4 || type == 5 || type == 12));
}

/* SDM vol. 2: LAR, LSL, VERR, VERW */
static struct look_at_selector expected_look(struct vm *vm, __u16 selector, int cpl, bool wide)
{
	const __u64 d = get_descriptor(vm, selector);
	const __u8 access = d >> 40, type = access & 15;
	const bool s = access & 0x10, code = s && (type & 8), conforming = code && (type & 4);
	const int dpl = access >> 5 & 3, rpl = selector & 3;
	const bool in_table = (selector & ~3) && (selector | 7) <= SEL_TSS + 16 * GUEST_CPUS - 1;
	const bool privileged = conforming || (cpl <= dpl && rpl <= dpl);
	__u32 limit = (d & 0xffff) | (d >> 32 & 0xf0000);
	struct look_at_selector look = { .lar = -1, .lsl = -1 };

	if (d & 1ULL << 55)
		limit = limit << 12 | 0xfff;
	look.lar_zf = in_table && privileged && (s || system_type_known(type, wide, true));
	look.lsl_zf = in_table && privileged && (s || system_type_known(type, wide, false));
	look.verr_zf = in_table && privileged && s && (!code || (type & 2));
	look.verw_zf = in_table && privileged && s && !code && (type & 2);
	if (look.lar_zf)
		look.lar = d >> 32 & 0x00f0ff00;
	if (look.lsl_zf)
		look.lsl = limit;
	return look;
}

static void check_selectors(struct vm *vm, int cpl, bool wide)
{
	for (int i = 0; i < SELECTORS; i++) {
		const __u16 selector = looks.selectors[i];
		struct look_at_selector want = expected_look(vm, selector, cpl, wide), *got = &looks.results[i];

		if (got->lar_zf)
			got->lar &= 0x00f0ff00;		/* bits 19 to 16 are undefined */
		if (memcmp(&want, got, sizeof(want)))
			FAIL("selector %#x from ring %d: LAR %#x, LSL %#x, ZF %d%d%d%d; expected %#x, %#x, %d%d%d%d",
			     selector, cpl, got->lar, got->lsl, got->lar_zf, got->lsl_zf, got->verr_zf, got->verw_zf,
			     want.lar, want.lsl, want.lar_zf, want.lsl_zf, want.verr_zf, want.verw_zf);
	}
}

static void choose_selectors(void)
{
	int n = 0;

	memset(&looks, 0xff, sizeof(looks));
	memset(looks.results, 0, sizeof(looks.results));
	for (int selector = 0; selector < SEL_TSS + 8; selector += 8)
		looks.selectors[n++] = selector;
	/* The same from a requester of ring 3, the LDT, and beyond the table */
	looks.selectors[n++] = SEL_CODE64 | 3;
	looks.selectors[n++] = SEL_DATA | 1;
	looks.selectors[n++] = SEL_DATA | 3;
	looks.selectors[n++] = SEL_USER_DATA | 3;
	looks.selectors[n++] = SEL_USER_CODE32 | 2;
	looks.selectors[n++] = SEL_CONFORMING | 3;
	looks.selectors[n++] = SEL_TSS | 3;
	looks.selectors[n++] = SEL_LDT | 3;
	looks.selectors[n++] = 3;
	looks.selectors[n++] = SEL_TSS + 16 * GUEST_CPUS;
	looks.selectors[n++] = 0xfff8;
	looks.selectors[n++] = 0xffff & ~4;
	while (n < SELECTORS)
		looks.selectors[n++] = SEL_DATA;
}

/* ------------------------------------------------------------------ the looks */

static const __u16 idt_limits[] = { 0x7ff, 0xfff };

/* State whose values could not be the host's; CD and a clear NE are kept by the module and shown to the guest alone */
static struct tpz_state odd_state(struct vcpu *vcpu, enum guest_mode mode, enum guest_ring ring, const void *entry)
{
	struct tpz_state state = vcpu_start_state(vcpu, mode, ring, (uintptr_t)entry, (uintptr_t)&looks);

	state.control.cr0 |= CR0_TS | CR0_CD;
	state.control.cr0 &= ~CR0_NE;
	state.segments.seg[TPZ_LDTR] = (struct tpz_segment){
		.selector = SEL_LDT, .base = LDT_BASE, .limit = LDT_LIMIT, .type = 2, .present = 1,
	};
	return state;
}

static void check_stores(const __u64 stores[3], __u16 value, bool wide, const char *name)
{
	const __u64 ones = wide ? ~0ULL : 0xffffffffULL;
	const __u64 mask = ones;

	CHECK_THAT((stores[0] & mask) == value, "%s: %#llx", name, stores[0]);
	CHECK_THAT((stores[1] & mask) == ((ones & ~0xffffULL) | value), "%s: %#llx", name, stores[1]);
	CHECK_THAT(stores[2] == (~0xffffULL | value), "%s: %#llx", name, stores[2]);
}

static void check_table(const __u8 *stored, __u64 base, __u16 limit, bool wide)
{
	__u64 got = 0;
	__u16 got_limit;

	memcpy(&got_limit, stored, 2);
	memcpy(&got, stored + 2, wide ? 8 : 4);
	CHECK_EQ(got_limit, limit);
	CHECK_EQ(got, base);
	CHECK_EQ(stored[wide ? 10 : 6], 0xff);		/* and no byte more */
}

static void check_flags(const struct tpz_state *state, int cpl)
{
	const __u64 iopl = state->regs.rflags & RFLAGS_IOPL;
	const bool moves_if = cpl <= (int)(iopl >> 12);
	__u64 turned = looks.flags;

	CHECK_EQ(looks.flags & (RFLAGS_IOPL | RFLAGS_IF), state->regs.rflags & (RFLAGS_IOPL | RFLAGS_IF));
	if (!cpl)
		turned ^= RFLAGS_IOPL;
	if (moves_if)
		turned ^= RFLAGS_IF;
	CHECK_EQ(looks.flags_set & 0x3200, turned & 0x3200);
	CHECK_EQ(looks.flags_back & 0x3200, looks.flags & 0x3200);
}

static void look(enum guest_mode mode, enum guest_ring ring, __u64 traps, int iopl, bool interrupts)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);
	struct meters meters = meters_open(vcpu->vm->id);
	const bool wide = mode == MODE_LONG, ia32e = wide || mode == MODE_COMPAT;
	struct tpz_state state = odd_state(vcpu, mode, ring, wide ? sensitive64 : sensitive32);
	__u16 msw = CR0_PE | CR0_MP | CR0_TS | CR0_ET;
	__u64 traps_seen;

	add_descriptors(vcpu->vm);
	choose_selectors();
	state.regs.rflags |= (__u64)iopl << 12 | (interrupts ? RFLAGS_IF : 0);
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0x5e5);

	check_table(looks.gdt, state.segments.gdtr.base, state.segments.gdtr.limit, wide);
	check_table(looks.idt, state.segments.idtr.base, idt_limits[ia32e], wide);
	check_stores(looks.sldt, SEL_LDT, wide, "SLDT");
	check_stores(looks.str, SEL_TSS, wide, "STR");
	/* A register takes more of CR0 than its low half */
	CHECK_EQ((__u32)looks.smsw[0], (__u32)state.control.cr0);
	CHECK_EQ(looks.smsw[1] & 0xffff, msw);
	CHECK_EQ(looks.smsw[2], ~0xffffULL | msw);
	check_flags(&state, ring);
	CHECK_EQ(looks.cs & 3, ring);
	CHECK_EQ(looks.ss & 3, ring);
	check_selectors(vcpu->vm, ring, ia32e);

	/* 2 tables, 3 stores each of 2 selectors; and nothing else of what the guest did trapped */
	traps_seen = meters_read(&meters, 0).reason[TPZ_EXIT_DT_ACCESS].count;
	CHECK_EQ(traps_seen, traps & TPZ_TRAP_DT ? 8 : 0);
	vm_close(vcpu->vm);
}

static void look_everywhere(enum guest_mode mode, enum guest_ring ring)
{
	for (int trapped = 0; trapped < 2; trapped++)
		for (int iopl = 0; iopl <= 3; iopl += 3)
			for (int interrupts = 0; interrupts < 2; interrupts++)
				look(mode, ring, trapped ? TPZ_TRAP_DT : 0, iopl, interrupts);
}

static void protected_ring0(void)
{
	look_everywhere(MODE_PROTECTED, RING0);
}

static void protected_ring3(void)
{
	look_everywhere(MODE_PROTECTED, RING3);
}

static void compat_ring0(void)
{
	look_everywhere(MODE_COMPAT, RING0);
}

static void compat_ring3(void)
{
	look_everywhere(MODE_COMPAT, RING3);
}

static void long_ring0(void)
{
	look_everywhere(MODE_LONG, RING0);
}

static void long_ring3(void)
{
	look_everywhere(MODE_LONG, RING3);
}

/* ------------------------------------------------------------------ UMIP: ring 3 may not even look */

static GUEST __u32 umip_tries(__u64 unused)
{
	struct guest_fault fault;
	__u64 value;

	(void)unused;
#define HELD(instruction)								\
	do {										\
		GUEST_TRY(fault, instruction, ("=a"(value)), ("b"(&looks)));		\
		GUEST_CHECK_EQ(fault.vector, GP);					\
		GUEST_CHECK_EQ(fault.error, 0);						\
	} while (0)
	HELD("sgdt (%%rbx)");
	HELD("sidt (%%rbx)");
	HELD("sldt %0");
	HELD("str %0");
	HELD("smsw %0");
	return 3;
}

static void umip_holds_ring3(void)
{
	for (int trapped = 0; trapped < 2; trapped++) {
		struct vcpu *vcpu = vm_with_vcpu(.traps = trapped ? TPZ_TRAP_DT : 0);
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING3, (uintptr_t)umip_tries, 0);

		state.control.cr4 |= CR4_UMIP;
		if (ioctl(vcpu->fd, TPZ_SET_STATE, &state))
			SKIP("this CPU has no UMIP");
		CHECK_EQ(vcpu_finish(vcpu), 3);
	}
}

/* ------------------------------------------------------------------ loads: the module against the CPU */

/* guests/sensitive.S */
extern const char lgdt32[], lgdt32_word[], lidt32[], lldt32[], ltr32[], lldt32_mem[], ltr32_mem[];
extern const char lgdt64[], lidt64[], lldt64[], ltr64[], lldt64_mem[], ltr64_mem[];

#define OPERAND		(GUEST_FREE + 0x800ULL)		/* of the instruction, in guest memory */
#define SEL_TRY		0x48				/* the descriptor under test */

/* How one load ended: the fault, or none, and what it changed */
struct outcome {
	__u64 vector, error, cr2;
	struct tpz_segment ldtr, tr;
	struct tpz_dtable gdtr, idtr;
	__u64 descriptor[2];
};

/* One instruction with an operand of ten bytes and a descriptor of 16, under @traps */
struct load {
	enum guest_mode mode;
	const char *entry;
	__u64 argument;
	__u8 operand[10];
	__u64 descriptor[2];
	bool hole;		/* the operand's page is missing */
	__u16 gdt_limit;	/* 0: as it is */
};

static struct outcome try_load(const struct load *load, __u64 traps)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = traps);
	struct vm *vm = vcpu->vm;
	struct outcome outcome = { .vector = GUEST_NO_FAULT };
	struct tpz_state state;

	memcpy(vm->memory + OPERAND, load->operand, sizeof(load->operand));
	put_descriptor(vm, SEL_TRY, load->descriptor[0]);
	put_descriptor(vm, SEL_TRY + 8, load->descriptor[1]);
	if (load->hole)
		*vm_pte(vm, OPERAND) &= ~1ULL;
	state = vcpu_start_state(vcpu, load->mode, RING0, (uintptr_t)load->entry, load->argument);
	if (load->gdt_limit)
		state.segments.gdtr.limit = load->gdt_limit;
	vcpu_set(vcpu, &state);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	if (vcpu->run->io.port == PORT_FAULT64) {
		struct guest_frame *frame = vm_host(vm, vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

		outcome.vector = frame->vector;
		outcome.error = frame->error;
		/* The page: which of limit and base is read first is the CPU's own affair */
		outcome.cr2 = frame->vector == PF ? frame->cr2 & -PAGE : 0;
		CHECK_EQ(frame->rip, (uintptr_t)load->entry);
	} else if (vcpu->run->io.port == PORT_FAULT32) {
		__u32 *frame = vm_host(vm, (__u32)vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

		outcome.vector = frame[9];
		outcome.error = frame[10];
		CHECK_EQ(frame[11], (uintptr_t)load->entry);
	} else {
		CHECK_EQ(vcpu->run->io.port, PORT_DONE);
	}
	state = vcpu_get(vcpu, TPZ_STATE_SEGMENTS);
	outcome.ldtr = state.segments.seg[TPZ_LDTR];
	outcome.tr = state.segments.seg[TPZ_TR];
	if (outcome.ldtr.unusable)
		outcome.ldtr = (struct tpz_segment){ .unusable = 1, .selector = outcome.ldtr.selector };
	outcome.gdtr = state.segments.gdtr;
	outcome.idtr = state.segments.idtr;
	outcome.descriptor[0] = get_descriptor(vm, SEL_TRY);
	outcome.descriptor[1] = get_descriptor(vm, SEL_TRY + 8);
	vm_close(vm);
	return outcome;
}

static const char *segment_text(const struct tpz_segment *s, char *text)
{
	sprintf(text, "%#x base %#llx limit %#x type %u s %u dpl %u p %u avl %u l %u db %u g %u unusable %u", s->selector,
		s->base, s->limit, s->type, s->s, s->dpl, s->present, s->avl, s->l, s->db, s->g, s->unusable);
	return text;
}

static void same_segment(const struct tpz_segment *cpu, const struct tpz_segment *module, const char *name, int line)
{
	char a[160], b[160];

	if (memcmp(cpu, module, sizeof(*cpu)))
		FAIL("line %d: %s: the CPU: %s; the module: %s", line, name, segment_text(cpu, a),
		     segment_text(module, b));
}

static void same_table(const struct tpz_dtable *cpu, const struct tpz_dtable *module, const char *name, int line)
{
	if (memcmp(cpu, module, sizeof(*cpu)))
		FAIL("line %d: %s: the CPU: %#llx, %#x; the module: %#llx, %#x", line, name, cpu->base, cpu->limit,
		     module->base, module->limit);
}

static struct outcome same_outcome(const struct load *load, int line)
{
	const struct outcome cpu = try_load(load, 0), module = try_load(load, TPZ_TRAP_DT);

	if (cpu.vector != module.vector || cpu.error != module.error || cpu.cr2 != module.cr2)
		FAIL("line %d: the CPU: vector %llu, error %#llx, address %#llx; the module: %llu, %#llx, %#llx", line,
		     cpu.vector, cpu.error, cpu.cr2, module.vector, module.error, module.cr2);
	same_segment(&cpu.ldtr, &module.ldtr, "LDTR", line);
	same_segment(&cpu.tr, &module.tr, "TR", line);
	same_table(&cpu.gdtr, &module.gdtr, "GDTR", line);
	same_table(&cpu.idtr, &module.idtr, "IDTR", line);
	CHECK_THAT(!memcmp(cpu.descriptor, module.descriptor, sizeof(cpu.descriptor)), "line %d", line);
	return module;
}

/* The outcome of a load, which is the same with and without the trap */
#define LOAD(...)	same_outcome(&(struct load){ __VA_ARGS__ }, __LINE__)

/* Limit and base in memory */
#define TABLE(limit, base)							\
	{ (limit) & 0xff, (limit) >> 8, (base) & 0xff, (base) >> 8 & 0xff, (base) >> 16 & 0xff, (base) >> 24 & 0xff, \
	  (__u64)(base) >> 32 & 0xff, (__u64)(base) >> 40 & 0xff, (__u64)(base) >> 48 & 0xff, (__u64)(base) >> 56 }

#define GDT_BYTES	(SEL_TSS + 16 * GUEST_CPUS - 1)

static void lgdt_and_lidt(void)
{
	struct outcome o;

	o = LOAD(.mode = MODE_PROTECTED, .entry = lgdt32, .argument = OPERAND, .operand = TABLE(0x9f, GUEST_GDT));
	CHECK_EQ(o.vector, GUEST_NO_FAULT);
	CHECK_EQ(o.gdtr.limit, 0x9f);
	o = LOAD(.mode = MODE_PROTECTED, .entry = lidt32, .argument = OPERAND, .operand = TABLE(0x6ff, 0xfedc3000));
	CHECK_EQ(o.idtr.base, 0xfedc3000);
	/* A 16-bit operand has 24 bits of base */
	o = LOAD(.mode = MODE_PROTECTED, .entry = lgdt32_word, .argument = OPERAND,
		 .operand = TABLE(0x9f, 0xab000000 | GUEST_GDT));
	CHECK_EQ(o.gdtr.base, GUEST_GDT);
	o = LOAD(.mode = MODE_COMPAT, .entry = lgdt32, .argument = OPERAND, .operand = TABLE(GDT_BYTES, GUEST_GDT));
	CHECK_EQ(o.vector, GUEST_NO_FAULT);
	o = LOAD(.mode = MODE_LONG, .entry = lgdt64, .argument = OPERAND, .operand = TABLE(GDT_BYTES, GUEST_GDT));
	CHECK_EQ(o.vector, GUEST_NO_FAULT);
	o = LOAD(.mode = MODE_LONG, .entry = lidt64, .argument = OPERAND,
		 .operand = TABLE(0xfff, 0xffff800000003000ULL));
	CHECK_EQ(o.idtr.base, 0xffff800000003000ULL);
	o = LOAD(.mode = MODE_LONG, .entry = lidt64, .argument = OPERAND, .hole = true);
	CHECK_EQ(o.vector, PF);
	CHECK_EQ(o.cr2, OPERAND & -PAGE);
	o = LOAD(.mode = MODE_LONG, .entry = lidt64, .argument = 1ULL << 47);
	CHECK_EQ(o.vector, GP);
}

static void lldt(void)
{
	const __u64 ldt = descriptor(LDT_BASE, LDT_LIMIT, 0x82, 0);
	struct outcome o;

	for (int wide = 0; wide < 2; wide++) {
		const enum guest_mode mode = wide ? MODE_LONG : MODE_PROTECTED;
		const char *entry = wide ? lldt64 : lldt32, *from_memory = wide ? lldt64_mem : lldt32_mem;

		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY, .descriptor = { ldt });
		CHECK_EQ(o.vector, GUEST_NO_FAULT);
		CHECK_EQ(o.ldtr.base, LDT_BASE);
		CHECK_EQ(o.ldtr.limit, LDT_LIMIT);
		o = LOAD(.mode = mode, .entry = from_memory, .argument = OPERAND, .operand = { SEL_TRY | 3 },
			 .descriptor = { ldt });
		CHECK_EQ(o.ldtr.selector, SEL_TRY | 3);
		o = LOAD(.mode = mode, .entry = from_memory, .argument = OPERAND, .hole = true);
		CHECK_EQ(o.vector, wide ? PF : GUEST_NO_FAULT);
		/* Null selectors, of any RPL */
		for (int rpl = 0; rpl < 4; rpl++) {
			o = LOAD(.mode = mode, .entry = entry, .argument = rpl);
			CHECK_EQ(o.vector, GUEST_NO_FAULT);
			CHECK_EQ(o.ldtr.unusable, 1);
		}
		/* Not in the GDT, or not wholly */
		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY | 4, .descriptor = { ldt });
		CHECK_EQ(o.vector, GP);
		CHECK_EQ(o.error, SEL_TRY | 4);
		o = LOAD(.mode = mode, .entry = entry, .argument = 0xfff8);
		CHECK_EQ(o.error, 0xfff8);
		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY, .descriptor = { ldt },
			 .gdt_limit = SEL_TRY + 7);
		CHECK_EQ(o.vector, wide ? GP : GUEST_NO_FAULT);
		LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY, .descriptor = { ldt }, .gdt_limit = SEL_TRY + 6);
		/* Not present; every other type */
		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY,
			 .descriptor = { descriptor(LDT_BASE, LDT_LIMIT, 0x02, 0) });
		CHECK_EQ(o.vector, NP);
		for (int access = 0x80; access < 0xa0; access++)
			LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY,
			     .descriptor = { descriptor(LDT_BASE, LDT_LIMIT, access, 0) });
	}
	/* The upper half of a 64-bit descriptor: base, canonical, and a type that must be 0 */
	o = LOAD(.mode = MODE_LONG, .entry = lldt64, .argument = SEL_TRY, .descriptor = { ldt, 0xffff8123 });
	CHECK_EQ(o.ldtr.base, 0xffff812300000000 | LDT_BASE);
	/* Granularity, AVL, and the bits that a system descriptor does not use */
	for (int flags = 0; flags < 16; flags++)
		LOAD(.mode = MODE_LONG, .entry = lldt64, .argument = SEL_TRY,
		     .descriptor = { descriptor(LDT_BASE, 0xf0003, 0x82, flags) });
}

static void ltr(void)
{
	const __u64 tss = descriptor(0x12345678, 0x67, 0x89, 0);
	struct outcome o;

	for (int wide = 0; wide < 2; wide++) {
		const enum guest_mode mode = wide ? MODE_LONG : MODE_PROTECTED;
		const char *entry = wide ? ltr64 : ltr32, *from_memory = wide ? ltr64_mem : ltr32_mem;

		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY, .descriptor = { tss });
		CHECK_EQ(o.vector, GUEST_NO_FAULT);
		CHECK_EQ(o.tr.base, 0x12345678);
		CHECK_EQ(o.tr.type, 11);
		CHECK_EQ(o.descriptor[0], tss | 2ULL << 40);		/* busy now */
		o = LOAD(.mode = mode, .entry = from_memory, .argument = OPERAND, .operand = { SEL_TRY },
			 .descriptor = { tss });
		CHECK_EQ(o.tr.selector, SEL_TRY);
		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY | 4, .descriptor = { tss });
		CHECK_EQ(o.error, SEL_TRY | 4);
		LOAD(.mode = mode, .entry = entry, .argument = 0xfff8);
		LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY, .descriptor = { tss }, .gdt_limit = SEL_TRY + 7);
		o = LOAD(.mode = mode, .entry = entry, .argument = SEL_TRY,
			 .descriptor = { descriptor(0x12345678, 0x67, 0x09, 0) });
		CHECK_EQ(o.vector, NP);
	}
	o = LOAD(.mode = MODE_LONG, .entry = ltr64, .argument = SEL_TRY, .descriptor = { tss, 0xffffffff });
	CHECK_EQ(o.tr.base, 0xffffffff12345678);
}

/* In compatibility mode a system descriptor has 8 bytes */
static void short_descriptors(void)
{
	const __u64 ldt = descriptor(LDT_BASE, LDT_LIMIT, 0x82, 0), tss = descriptor(0x12345678, 0x67, 0x89, 0);

	not_in_tcg("reads system descriptors of 16 bytes in compatibility mode, too");
	LOAD(.mode = MODE_COMPAT, .entry = lldt32, .argument = SEL_TRY, .descriptor = { ldt, 0xffff8123 });
	LOAD(.mode = MODE_COMPAT, .entry = ltr32, .argument = SEL_TRY, .descriptor = { tss, 0xffffffff });
}

static void ltr_types(void)
{
	not_in_tcg("takes TSSs of other types into TR");
	for (int access = 0x80; access < 0xa0; access++) {
		const __u64 tss = descriptor(0x12345678, 0x67, access, 0);

		LOAD(.mode = MODE_PROTECTED, .entry = ltr32, .argument = SEL_TRY, .descriptor = { tss });
		LOAD(.mode = MODE_LONG, .entry = ltr64, .argument = SEL_TRY, .descriptor = { tss });
	}
}

static void bases_are_canonical(void)
{
	const __u64 ldt = descriptor(LDT_BASE, LDT_LIMIT, 0x82, 0), tss = descriptor(0x12345678, 0x67, 0x89, 0);
	struct outcome o;

	not_in_tcg("takes any address as the base of a table");
	o = LOAD(.mode = MODE_LONG, .entry = lgdt64, .argument = OPERAND,
		 .operand = TABLE(GDT_BYTES, 0x0000800000001000ULL));
	CHECK_EQ(o.vector, GP);
	o = LOAD(.mode = MODE_LONG, .entry = lldt64, .argument = SEL_TRY, .descriptor = { ldt, 0x00008123 });
	CHECK_EQ(o.vector, GP);
	o = LOAD(.mode = MODE_LONG, .entry = ltr64, .argument = SEL_TRY, .descriptor = { tss, 0x00100000 });
	CHECK_EQ(o.vector, GP);
}

static void ltr_of_null(void)
{
	struct outcome o;

	not_in_tcg("takes a null selector into TR");
	for (int rpl = 0; rpl < 4; rpl++) {
		o = LOAD(.mode = MODE_PROTECTED, .entry = ltr32, .argument = rpl);
		CHECK_EQ(o.vector, GP);
		CHECK_EQ(o.error, 0);
		o = LOAD(.mode = MODE_LONG, .entry = ltr64, .argument = rpl);
		CHECK_EQ(o.vector, GP);
		CHECK_EQ(o.error, 0);
	}
}

static const struct ktap_case cases[] = {
	{ "protected mode, ring 0", protected_ring0 },
	{ "protected mode, ring 3", protected_ring3 },
	{ "compatibility mode, ring 0", compat_ring0 },
	{ "compatibility mode, ring 3", compat_ring3 },
	{ "long mode, ring 0", long_ring0 },
	{ "long mode, ring 3", long_ring3 },
	{ "UMIP holds ring 3", umip_holds_ring3 },
	{ "LGDT, LIDT: the module does what the CPU does", lgdt_and_lidt },
	{ "LLDT: the module does what the CPU does", lldt },
	{ "LTR: the module does what the CPU does", ltr },
	{ "LTR of a null selector", ltr_of_null },
	{ "LTR of every type", ltr_types },
	{ "LLDT and LTR in compatibility mode", short_descriptors },
	{ "LGDT, LLDT, LTR: bases that are not canonical", bases_are_canonical },
};
KTAP_MAIN(cases)
