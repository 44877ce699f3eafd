// SPDX-License-Identifier: GPL-2.0
/*
 * The state groups: what is set is what is got, and what the guest sees; a value that no processor could hold is
 * refused when it is set, with its group and field named, and changes nothing. The rules are those of the SDM's
 * checks on guest state (vol. 3C, 27.3.1) and of the instructions that write each register.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CR0_PE		(1ULL << 0)
#define CR0_TS		(1ULL << 3)
#define CR0_NW		(1ULL << 29)
#define CR0_CD		(1ULL << 30)
#define CR0_PG		(1ULL << 31)
#define CR4_PAE		(1ULL << 5)
#define CR4_VMXE	(1ULL << 13)
#define CR4_PCIDE	(1ULL << 17)
#define CR4_OSXSAVE	(1ULL << 18)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)
#define RFLAGS_IF	(1ULL << 9)
#define RFLAGS_VM	(1ULL << 17)
#define NOT_CANONICAL	(1ULL << 47)

#define NO_LAPIC	(TPZ_STATE_ALL & ~TPZ_STATE_LAPIC)

/* ------------------------------------------------------------------ helpers */

/* What does not change while the module is loaded is asked once */
static const struct tpz_info *info(void)
{
	static struct tpz_info known;

	if (!known.size)
		known = device_info();
	return &known;
}

static __u8 *new_fpu_area(void)
{
	return aligned_alloc(64, (info()->xsave_bytes + 63) & ~63U);
}

/* All groups of a vCPU, in a form that can be compared */
struct everything {
	struct tpz_state state;
	__u8 *fpu;
};

static struct everything get_everything(struct vcpu *vcpu, __u64 groups)
{
	struct everything all = { .state = { .size = sizeof(all.state), .groups = groups } };

	all.fpu = new_fpu_area();
	memset(all.fpu, 0, info()->xsave_bytes);
	all.state.fpu = (uintptr_t)all.fpu;
	all.state.fpu_bytes = info()->xsave_bytes;
	CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_STATE, &all.state));
	/* What moves by itself */
	all.state.msrs.tsc = 0;
	all.state.lapic.timer_left_ns = 0;
	return all;
}

static void free_everything(struct everything *all)
{
	free(all->fpu);
}

#define SAME(group)								\
	do {									\
		if (memcmp(&a->state.group, &b->state.group, sizeof(a->state.group))) \
			return #group;						\
	} while (0)

/* The first group that differs, or NULL */
static const char *difference(const struct everything *a, const struct everything *b)
{
	SAME(regs);
	SAME(segments);
	SAME(control);
	SAME(debug);
	SAME(msrs);
	SAME(events);
	SAME(lapic);
	return memcmp(a->fpu, b->fpu, info()->xsave_bytes) ? "fpu" : NULL;
}

/* ------------------------------------------------------------------ power-up */

/* SDM vol. 3A, table 9-1 */
static void a_new_vcpu_is_as_after_power_up(void)
{
	struct tpz_state s = vcpu_get(vm_with_vcpu(), NO_LAPIC & ~TPZ_STATE_FPU);

	CHECK_EQ(s.regs.rip, 0xfff0);
	CHECK_EQ(s.regs.rflags, 2);
	CHECK_EQ(s.regs.gpr[TPZ_RAX], 0);
	CHECK_EQ(s.regs.gpr[TPZ_RSP], 0);
	CHECK_EQ(s.control.cr0, CR0_CD | CR0_NW | 1 << 4);
	CHECK_EQ(s.control.cr2, 0);
	CHECK_EQ(s.control.cr3, 0);
	CHECK_EQ(s.control.cr4, 0);
	CHECK_EQ(s.control.efer, 0);
	CHECK_EQ(s.control.xcr0, 1);
	CHECK_EQ(s.segments.seg[TPZ_CS].selector, 0xf000);
	CHECK_EQ(s.segments.seg[TPZ_CS].base, 0xffff0000);
	CHECK_EQ(s.segments.seg[TPZ_CS].limit, 0xffff);
	CHECK_EQ(s.segments.seg[TPZ_DS].base, 0);
	CHECK_EQ(s.segments.seg[TPZ_DS].limit, 0xffff);
	CHECK_EQ(s.segments.gdtr.limit, 0xffff);
	CHECK_EQ(s.segments.idtr.limit, 0xffff);
	CHECK_EQ(s.debug.dr6, 0xffff0ff0);
	CHECK_EQ(s.debug.dr7, 0x400);
	CHECK_EQ(s.msrs.pat, 0x0007040600070406ULL);
	CHECK_EQ(s.events.pending, 0);
	CHECK_EQ(s.events.activity, TPZ_ACTIVITY_RUN);
}

/* The first fetch is at the reset vector: nothing stands there */
static void the_first_fetch_is_at_the_reset_vector(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, 0xfffffff0);
	CHECK_EQ(vcpu->run->memory.fetch, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
}

/* ------------------------------------------------------------------ round trips */

static __u64 random_state = 0x74726170657a65ULL;

static __u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static __u64 random_canonical(void)
{
	return (__s64)(random64() << 17) >> 17;
}

/* Sets @set, gets it back, and compares the groups */
static void check_round_trip(struct vcpu *vcpu, struct everything *set)
{
	struct everything got;
	const char *group;

	vcpu_set(vcpu, &set->state);
	got = get_everything(vcpu, set->state.groups);
	set->state.msrs.tsc = 0;
	group = difference(set, &got);
	free_everything(&got);
	if (group)
		FAIL("%s came back otherwise", group);
}

static void regs_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything all;

	vcpu_start(vcpu, MODE_LONG, RING0, 0, 0);
	all = get_everything(vcpu, TPZ_STATE_REGS);
	for (int i = 0; i < 20; i++) {
		for (int r = 0; r < TPZ_GPRS; r++)
			all.state.regs.gpr[r] = random64();
		all.state.regs.rip = random_canonical();
		all.state.regs.rflags = 2 | (random64() & 0x247dd5);	/* all but VM, VIF, VIP */
		check_round_trip(vcpu, &all);
	}
	free_everything(&all);
}

static void segments_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const enum guest_mode modes[] = { MODE_REAL, MODE_PROTECTED, MODE_PAE, MODE_COMPAT, MODE_LONG };
	struct everything all;

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		struct tpz_segments *s;

		vcpu_start(vcpu, modes[i], RING0, 0, 0);
		all = get_everything(vcpu, TPZ_STATE_SEGMENTS);
		s = &all.state.segments;
		for (int n = TPZ_ES; n <= TPZ_GS; n++) {
			if (n == TPZ_CS || n == TPZ_SS)
				continue;
			s->seg[n].base = modes[i] == MODE_REAL ? (__u64)(0x1230 + n) << 4 : 0x12345600 + n;
			s->seg[n].selector = modes[i] == MODE_REAL ? 0x1230 + n : 0x10;
			s->seg[n].avl = modes[i] != MODE_REAL;
		}
		if (modes[i] == MODE_LONG) {
			s->seg[TPZ_FS].base = random_canonical();
			s->seg[TPZ_GS].base = random_canonical();
			s->gdtr.base = random_canonical();
			s->idtr.base = random_canonical();
		}
		s->gdtr.limit = 0x1237;
		s->idtr.limit = 0x235;
		if (modes[i] != MODE_REAL)
			s->seg[TPZ_LDTR] = (struct tpz_segment){
				.base = 0x4000, .limit = 0x7f, .selector = 0x28, .type = 2, .present = 1,
			};
		check_round_trip(vcpu, &all);

		/* Null segments, as MOV of a null selector leaves them */
		if (modes[i] != MODE_REAL)
			for (int n = TPZ_DS; n <= TPZ_GS; n++)
				s->seg[n] = (struct tpz_segment){ .unusable = 1 };
		vcpu_set(vcpu, &all.state);
		CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_SEGMENTS).segments.seg[TPZ_DS].unusable, modes[i] != MODE_REAL);
		free_everything(&all);
	}
}

static void control_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything all;

	vcpu_start(vcpu, MODE_LONG, RING0, 0, 0);
	all = get_everything(vcpu, TPZ_STATE_CONTROL);
	all.state.control.cr0 |= CR0_TS;
	all.state.control.cr2 = random_canonical();
	all.state.control.cr3 = 0x123456000;
	all.state.control.cr8 = 9;
	check_round_trip(vcpu, &all);
	all.state.control.cr0 |= CR0_CD | CR0_NW;
	all.state.control.cr0 &= ~(1ULL << 16);
	all.state.control.cr4 |= 1ULL << 7;
	all.state.control.cr8 = 0;
	check_round_trip(vcpu, &all);
	free_everything(&all);

	vcpu_start(vcpu, MODE_PAE, RING0, 0, 0);
	all = get_everything(vcpu, TPZ_STATE_CONTROL);
	CHECK_EQ(all.state.control.pdpte[0], GUEST_PD | 1);
	/* A processor that keeps none of its own tells those in memory, whatever is set */
	for (int i = 1; i < 4 && machine.pdptes_at_mov_cr3; i++)
		all.state.control.pdpte[i] = (GUEST_PD + i * PAGE) | 1;
	check_round_trip(vcpu, &all);
	free_everything(&all);
}

static void debug_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything all;

	vcpu_start(vcpu, MODE_LONG, RING0, 0, 0);
	all = get_everything(vcpu, TPZ_STATE_DEBUG);
	for (int i = 0; i < 4; i++)
		all.state.debug.db[i] = random_canonical();
	all.state.debug.dr6 = 0xffff0ff0 | 0x600f;
	all.state.debug.dr7 = 0x400 | 0xffff03ff;
	check_round_trip(vcpu, &all);
	all.state.debug.dr6 = 0xffff0ff0;
	all.state.debug.dr7 = 0x400;
	check_round_trip(vcpu, &all);
	free_everything(&all);
}

static void msrs_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything all = get_everything(vcpu, TPZ_STATE_MSRS);
	struct tpz_msrs *m = &all.state.msrs;

	for (int i = 0; i < 5; i++) {
		m->star = random64();
		m->lstar = random_canonical();
		m->cstar = random_canonical();
		m->fmask = (__u32)random64();
		m->kernel_gs_base = random_canonical();
		m->sysenter_cs = random64() & 0xffff;
		m->sysenter_esp = random_canonical();
		m->sysenter_eip = random_canonical();
		m->pat = 0x0001040506070406ULL;
		m->tsc_aux = (__u32)random64();
		check_round_trip(vcpu, &all);
	}
	free_everything(&all);
}

/* The guest's time goes on from what was set */
static void tsc_is_set(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 values[] = { 0, 1ULL << 40, 1ULL << 62, 5 };

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_MSRS);
		__u64 now;

		state.msrs.tsc = values[i];
		vcpu_set(vcpu, &state);
		now = vcpu_get(vcpu, TPZ_STATE_MSRS).msrs.tsc;
		CHECK_GE(now, values[i]);
		CHECK_LT(now - values[i], (__u64)info()->tsc_khz * 1000);
	}
}

static void events_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const struct tpz_events values[] = {
		{ .pending = 0 },
		{ .pending = 1, .type = TPZ_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0x1234 },
		{ .pending = 1, .type = TPZ_EVENT_EXCEPTION, .vector = 6 },
		{ .pending = 1, .type = TPZ_EVENT_SOFT_INTR, .vector = 0x80, .insn_bytes = 2 },
		{ .pending = 1, .type = TPZ_EVENT_SOFT_EXCEPTION, .vector = 3, .insn_bytes = 1 },
		{ .pending = 1, .type = TPZ_EVENT_NMI, .vector = 2 },
		{ .nmi_pending = 1 },
		{ .nmi_blocked = 1 },
		{ .mov_ss_shadow = 1 },
		{ .activity = TPZ_ACTIVITY_HLT },
		{ .activity = TPZ_ACTIVITY_SHUTDOWN },
		{ .pending_debug = 1 << 14 },
	};
	struct everything all;

	vcpu_start(vcpu, MODE_LONG, RING0, 0, 0);
	all = get_everything(vcpu, TPZ_STATE_EVENTS);
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		struct tpz_events got;

		all.state.events = values[i];
		vcpu_set(vcpu, &all.state);
		got = vcpu_get(vcpu, TPZ_STATE_EVENTS).events;
		CHECK_THAT(!memcmp(&got, &values[i], sizeof(got)), "events %u came back otherwise", i);
	}
	free_everything(&all);
	/* With interrupts on */
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, 0, 0);

	state.regs.rflags |= RFLAGS_IF;
	state.events.sti_shadow = 1;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.sti_shadow, 1);
	state.events = (struct tpz_events){ .pending = 1, .type = TPZ_EVENT_INTR, .vector = 0x40 };
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.vector, 0x40);
}

/* Offsets of XSAVE's header */
#define XSTATE_BV	512
#define XCOMP_BV	520
#define XRESERVED	528
#define MXCSR		24

static void fpu_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything all = get_everything(vcpu, TPZ_STATE_FPU), got;
	__u64 xcr0, *components = (__u64 *)(all.fpu + XSTATE_BV);

	asm volatile("xgetbv" : "=a"(xcr0) : "c"(0) : "edx");
	/* XMM registers: any bytes will do */
	for (int i = 160; i < 416; i++)
		all.fpu[i] = random64();
	*components = 3;
	if (xcr0 & 4) {
		*components |= 4;
		for (int i = 576; i < 576 + 256; i++)
			all.fpu[i] = random64();
	}
	all.fpu[0] = 0x7f;	/* FCW */
	all.fpu[1] = 0x03;
	*(__u32 *)(all.fpu + MXCSR) = 0x1fa0;
	vcpu_set(vcpu, &all.state);
	got = get_everything(vcpu, TPZ_STATE_FPU);
	CHECK_EQ(memcmp(all.fpu, got.fpu, 28), 0);
	CHECK_EQ(memcmp(all.fpu + 160, got.fpu + 160, 256), 0);
	CHECK_EQ(*(__u64 *)(got.fpu + XSTATE_BV) & 7, *components);
	if (xcr0 & 4)
		CHECK_EQ(memcmp(all.fpu + 576, got.fpu + 576, 256), 0);
	free_everything(&got);
	free_everything(&all);
}

static __u32 *apic_register(struct tpz_state *state, unsigned int number)
{
	return (__u32 *)(state->lapic.regs + number * 16);
}

static void lapic_round_trip(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct everything all = get_everything(vcpu, TPZ_STATE_LAPIC);

	CHECK_EQ(*apic_register(&all.state, 2), 0);			/* ID */
	CHECK_EQ(*apic_register(&all.state, 3) & 0xff, 0x14);	/* version */
	*apic_register(&all.state, 0xf) = 0x1ff;			/* SVR: enabled */
	*apic_register(&all.state, 0x32) = 0x10040;			/* LVT timer, masked */
	*apic_register(&all.state, 0x3e) = 0xb;			/* divide by 1 */
	*apic_register(&all.state, 0x21) = 1 << 4;			/* IRR: vector 36 */
	check_round_trip(vcpu, &all);
	free_everything(&all);
}

/* The group of a device that the VM lacks */
static void lapic_needs_the_device(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = { .size = sizeof(state), .groups = TPZ_STATE_LAPIC };

	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_LAPIC);
}

/* ------------------------------------------------------------------ what the guest sees of it */

static volatile __u64 seen[32];

static GUEST __u32 look(__u64 unused)
{
	int n = 0;

	(void)unused;
	seen[n++] = READ_REGISTER(dr0);
	seen[n++] = READ_REGISTER(dr3);
	seen[n++] = READ_REGISTER(dr6);
	seen[n++] = READ_REGISTER(cr2);
	seen[n++] = READ_REGISTER(cr8);
	seen[n++] = rdmsr(0xc0000081);
	seen[n++] = rdmsr(0xc0000082);
	seen[n++] = rdmsr(0xc0000084);
	seen[n++] = rdmsr(0xc0000102);
	seen[n++] = rdmsr(0x175);
	seen[n++] = rdmsr(0x277);
	seen[n++] = rdmsr(0xc0000103);
	seen[n++] = rdmsr(0xc0000100);
	seen[n++] = READ_REGISTER(cr0);
	seen[n++] = READ_REGISTER(cr4);
	seen[n++] = rdmsr(0xc0000080);

	/* And what it writes is what the launcher gets */
	WRITE_REGISTER(dr1, 0x1111);
	WRITE_REGISTER(dr2, 0x2222);
	WRITE_REGISTER(cr2, 0x3333);
	WRITE_REGISTER(cr8, 4);
	wrmsr(0xc0000082, 0x4444);
	wrmsr(0xc0000102, 0x5555);
	wrmsr(0xc0000101, 0x6666);
	wrmsr(0x176, 0x7777);
	wrmsr(0x277, 0x0606060606060606ULL);
	return 0;
}

static void the_guest_sees_what_was_set(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state s = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)look, 0);
	struct tpz_state now = vcpu_get(vcpu, TPZ_STATE_MSRS | TPZ_STATE_DEBUG);
	const __u64 cr0 = s.control.cr0, cr4 = s.control.cr4, efer = s.control.efer;

	s.groups |= TPZ_STATE_MSRS | TPZ_STATE_DEBUG;
	s.msrs = now.msrs;
	s.debug = now.debug;
	s.debug.db[0] = 0x123456789a;
	s.debug.db[3] = 0xfffff00000001000;
	s.debug.dr6 = 0xffff0ff0 | 0x4000;
	s.control.cr2 = 0xffff888012345678;
	s.control.cr8 = 3;
	s.msrs.star = 0x1122334455667788;
	s.msrs.lstar = 0xffffffff81000000;
	s.msrs.fmask = 0x47700;
	s.msrs.kernel_gs_base = 0xffff888000001000;
	s.msrs.sysenter_esp = 0xfffffe0000003000;
	s.msrs.pat = 0x0007010600070106;
	s.msrs.tsc_aux = 0x77;
	s.segments.seg[TPZ_FS].base = 0x7f0012345000;
	vcpu_set(vcpu, &s);
	CHECK_EQ(vcpu_finish(vcpu), 0);

	const __u64 expected[] = {
		s.debug.db[0], s.debug.db[3], s.debug.dr6, s.control.cr2, s.control.cr8, s.msrs.star, s.msrs.lstar,
		s.msrs.fmask, s.msrs.kernel_gs_base, s.msrs.sysenter_esp, s.msrs.pat, s.msrs.tsc_aux,
		s.segments.seg[TPZ_FS].base, cr0, cr4, efer,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_THAT(seen[i] == expected[i], "value %u: the guest saw %#llx, not %#llx", i, seen[i], expected[i]);

	now = vcpu_get(vcpu, TPZ_STATE_MSRS | TPZ_STATE_DEBUG | TPZ_STATE_CONTROL | TPZ_STATE_SEGMENTS);
	CHECK_EQ(now.debug.db[1], 0x1111);
	CHECK_EQ(now.debug.db[2], 0x2222);
	CHECK_EQ(now.control.cr2, 0x3333);
	CHECK_EQ(now.control.cr8, 4);
	CHECK_EQ(now.msrs.lstar, 0x4444);
	CHECK_EQ(now.msrs.kernel_gs_base, 0x5555);
	CHECK_EQ(now.segments.seg[TPZ_GS].base, 0x6666);
	CHECK_EQ(now.msrs.sysenter_eip, 0x7777);
	CHECK_EQ(now.msrs.pat, 0x0606060606060606ULL);
}

static GUEST __u32 nothing(__u64 unused)
{
	(void)unused;
	return 1;
}

/* An event that was set is delivered before the first instruction */
static void a_pending_event_is_delivered(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const struct { struct tpz_events events; __u64 rflags; __u64 error; unsigned int skips; } values[] = {
		{ { .pending = 1, .type = TPZ_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0x1234 }, 0, 0x1234, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_EXCEPTION, .vector = 6 }, 0, 0, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_SOFT_INTR, .vector = 0x80, .insn_bytes = 2 }, 0, 0, 2 },
		{ { .pending = 1, .type = TPZ_EVENT_SOFT_EXCEPTION, .vector = 3, .insn_bytes = 1 }, 0, 0, 1 },
		{ { .pending = 1, .type = TPZ_EVENT_NMI, .vector = 2 }, 0, 0, 0 },
		{ { .pending = 1, .type = TPZ_EVENT_INTR, .vector = 0x40 }, RFLAGS_IF, 0, 0 },
		{ { .nmi_pending = 1, .vector = 2 }, 0, 0, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)nothing, 0);
		struct fault fault;

		state.events = values[i].events;
		if (!state.events.pending)
			state.events.vector = 0;
		state.regs.rflags |= values[i].rflags;
		vcpu_set(vcpu, &state);
		fault = vcpu_expect_fault(vcpu, values[i].events.vector);
		CHECK_EQ(fault.error, values[i].error);
		CHECK_EQ(fault.rip, (uintptr_t)nothing + values[i].skips);
		CHECK_EQ(fault.rflags & RFLAGS_IF, values[i].rflags);
		CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.pending, 0);
		CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_EVENTS).events.nmi_blocked, values[i].events.vector == 2);
	}
}

/* ------------------------------------------------------------------ from mode to mode in one call */

extern const char fibonacci32[];	/* guests/modes.S */
extern const char real_sum_begin[], real_sum_end[];

static GUEST __u32 fibonacci64(__u64 n)
{
	__u32 a = 0, b = 1;

	while (n--) {
		__u32 next = a + b;

		a = b;
		b = next;
	}
	return a;
}

static void run_in_mode(struct vcpu *vcpu, enum guest_mode mode)
{
	switch (mode) {
	case MODE_REAL:
		vcpu_start(vcpu, mode, RING0, 0, 10);
		CHECK_EQ(vcpu_finish(vcpu), 1155);
		break;
	case MODE_LONG:
		vcpu_start(vcpu, mode, RING0, fibonacci64, 20);
		CHECK_EQ(vcpu_finish(vcpu), 6765);
		break;
	default:
		vcpu_start(vcpu, mode, RING0, fibonacci32, 10);
		CHECK_EQ(vcpu_finish(vcpu), 55);
	}
}

static void any_mode_to_any_mode(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_load(vcpu, GUEST_REAL_CODE, real_sum_begin, real_sum_end);
	for (int from = MODE_REAL; from <= MODE_LONG; from++)
		for (int to = MODE_REAL; to <= MODE_LONG; to++) {
			run_in_mode(vcpu, from);
			run_in_mode(vcpu, to);
		}
}

/* The half of a change that makes no sense alone is refused, the whole is not */
static void half_a_change_is_refused(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state, half;

	state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)nothing, 0);
	state.regs.rip = 0xffff800000001000;
	vcpu_set(vcpu, &state);
	half = state = vcpu_start_state(vcpu, MODE_PROTECTED, RING0, (uintptr_t)fibonacci32, 10);
	half.groups = TPZ_STATE_CONTROL | TPZ_STATE_SEGMENTS;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &half), EINVAL);
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 55);
}

/* ------------------------------------------------------------------ refusals */

static unsigned int not_refused;	/* in this case: all are told, then the case fails */

/*
 * The vCPU stands in @mode; @bad is that with one value changed. Refused: -EINVAL, one of @groups named, the field
 * too, and nothing changed.
 */
static void check_refused(struct vcpu *vcpu, struct tpz_state *bad, __u64 groups, int line, const char *change)
{
	struct everything before = get_everything(vcpu, NO_LAPIC), after;
	const char *why = NULL, *group;
	int ret = ioctl(vcpu->fd, TPZ_SET_STATE, bad);

	if (!ret)
		why = "was accepted";
	else if (errno != EINVAL)
		why = ktap_errno_name(errno);
	else if (!bad->bad_group || bad->bad_group & (bad->bad_group - 1))
		why = "named no group, or several";
	else if (!(bad->bad_group & groups))
		why = "named another group";
	else if (!bad->bad_field[0] || !memchr(bad->bad_field, 0, sizeof(bad->bad_field)))
		why = "named no field";
	if (why) {
		ktap_diag("%s:%d: %s: %s (group %#llx: %.90s)", __FILE__, line, change, why, bad->bad_group,
			  bad->bad_field);
		not_refused++;
	}
	after = get_everything(vcpu, NO_LAPIC);
	group = difference(&before, &after);
	if (ret && group) {
		ktap_diag("%s:%d: %s: refused, but %s changed", __FILE__, line, change, group);
		not_refused++;
	}
	free_everything(&before);
	free_everything(&after);
}

/* In @mode: do @change to the state @s; that must be refused with one of the groups of the mask */
#define REFUSED(mode, groups_mask, change)					\
	do {									\
		struct tpz_state s = vcpu_start_state(vcpu, mode, RING0, 0x1000, 0); \
		vcpu_set(vcpu, &s);						\
		struct tpz_state now = vcpu_get(vcpu, TPZ_STATE_MSRS | TPZ_STATE_DEBUG | TPZ_STATE_EVENTS); \
		s.msrs = now.msrs;						\
		s.debug = now.debug;						\
		s.events = now.events;						\
		s.groups |= TPZ_STATE_MSRS | TPZ_STATE_DEBUG;			\
		change;								\
		check_refused(vcpu, &s, groups_mask, __LINE__, #change);	\
	} while (0)

/* The opposite: a value that looks odd and is right */
#define ACCEPTED(mode, change)							\
	do {									\
		struct tpz_state s = vcpu_start_state(vcpu, mode, RING0, 0x1000, 0); \
		vcpu_set(vcpu, &s);						\
		struct tpz_state now = vcpu_get(vcpu, TPZ_STATE_MSRS | TPZ_STATE_DEBUG); \
		s.msrs = now.msrs;						\
		s.debug = now.debug;						\
		s.groups |= TPZ_STATE_MSRS | TPZ_STATE_DEBUG;			\
		change;								\
		if (ioctl(vcpu->fd, TPZ_SET_STATE, &s)) {			\
			ktap_diag("%s:%d: %s: was refused (group %#llx: %s)", __FILE__, __LINE__, #change, \
				  s.bad_group, s.bad_field);			\
			not_refused++;						\
		}								\
	} while (0)

#define BEGIN_REFUSALS								\
	struct vcpu *vcpu = vm_with_vcpu();					\
	not_refused = 0
#define END_REFUSALS								\
	CHECK_THAT(!not_refused, "%u", not_refused)

#define REGS		TPZ_STATE_REGS
#define SEGMENTS	TPZ_STATE_SEGMENTS
#define CONTROL		TPZ_STATE_CONTROL
#define DEBUG		TPZ_STATE_DEBUG
#define MSRS		TPZ_STATE_MSRS
#define EVENTS		TPZ_STATE_EVENTS

static void bad_regs(void)
{
	BEGIN_REFUSALS;
	REFUSED(MODE_LONG, REGS, s.regs.rflags = 0);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1 << 3);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1 << 5);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1 << 15);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1 << 22);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1ULL << 32);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= 1ULL << 63);
	REFUSED(MODE_LONG, REGS, s.regs.rflags |= RFLAGS_VM);
	REFUSED(MODE_REAL, REGS, s.regs.rflags |= RFLAGS_VM);
	REFUSED(MODE_LONG, REGS, s.regs.rip = 1ULL << 48);
	REFUSED(MODE_LONG, REGS, s.regs.rip = 1ULL << 63);
	REFUSED(MODE_COMPAT, REGS, s.regs.rip = 1ULL << 32);
	REFUSED(MODE_PROTECTED, REGS, s.regs.rip = 1ULL << 32);
	REFUSED(MODE_REAL, REGS, s.regs.rip = 1ULL << 40);
	ACCEPTED(MODE_LONG, s.regs.rip = 0xffff800000000000);
	/* Where a CPU stands after the last canonical instruction: bits 63:48 count alone */
	ACCEPTED(MODE_LONG, s.regs.rip = 1ULL << 47);
	ACCEPTED(MODE_LONG, s.regs.rflags |= RFLAGS_IF | 3 << 12 | 1 << 14 | 1 << 21);
	END_REFUSALS;
}

static void bad_code_segments(void)
{
	BEGIN_REFUSALS;
#define CS	s.segments.seg[TPZ_CS]
	for (int type = 0; type < 8; type++)
		if (type != 3)
			REFUSED(MODE_PROTECTED, SEGMENTS, CS.type = type);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.type = 8);		/* not accessed */
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.type = 10);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.type = 16 + 11);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.s = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.s = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.present = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.present = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.dpl = 4);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.dpl = 3);		/* SS is of ring 0 */
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.unusable = 1);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.unusable = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.db = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.l = 3);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.avl = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.g = 2);
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.g = 0);		/* a limit of 4 GiB */
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.limit = 0xfffff0ff);	/* not whole pages */
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.base = 1ULL << 32);
	REFUSED(MODE_LONG, SEGMENTS, CS.base = 1ULL << 32);
	REFUSED(MODE_LONG, SEGMENTS, CS.db = 1);		/* L and D */
	REFUSED(MODE_PROTECTED, SEGMENTS, CS.pad = 1);
	ACCEPTED(MODE_PROTECTED, CS.type = 9);
	ACCEPTED(MODE_PROTECTED, CS.type = 13);			/* conforming */
	ACCEPTED(MODE_PROTECTED, CS.type = 15);
	ACCEPTED(MODE_PROTECTED, CS.limit = 0xfffff; CS.g = 0);
	ACCEPTED(MODE_REAL, CS.type = 11);
#undef CS
	END_REFUSALS;
}

static void bad_data_segments(void)
{
	BEGIN_REFUSALS;
#define SS	s.segments.seg[TPZ_SS]
#define DS	s.segments.seg[TPZ_DS]
	for (int type = 0; type < 16; type++)
		if (type != 3 && type != 7)
			REFUSED(MODE_PROTECTED, SEGMENTS, SS.type = type);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.s = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.present = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.dpl = 3);		/* CS is of ring 0 */
	REFUSED(MODE_REAL, SEGMENTS, SS.dpl = 1);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.base = 1ULL << 32);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.g = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, SS.limit = 0x1000fe);
	ACCEPTED(MODE_PROTECTED, SS.type = 7);			/* grows down */
	ACCEPTED(MODE_LONG, SS = (struct tpz_segment){ .unusable = 1 });

	for (int n = TPZ_ES; n <= TPZ_GS; n++) {
		if (n == TPZ_CS || n == TPZ_SS)
			continue;
#define SEG	s.segments.seg[n]
		for (int type = 0; type < 16; type += 2)
			REFUSED(MODE_PROTECTED, SEGMENTS, SEG.type = type);	/* not accessed */
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.type = 9);		/* code that cannot be read */
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.type = 13);
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.s = 0);
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.present = 0);
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.g = 0);
		REFUSED(MODE_PROTECTED, SEGMENTS, SEG.limit = 0xffffefff - 1);
		ACCEPTED(MODE_PROTECTED, SEG.type = 1);
		ACCEPTED(MODE_PROTECTED, SEG.type = 11);
		ACCEPTED(MODE_PROTECTED, SEG = (struct tpz_segment){ .unusable = 1 });
#undef SEG
	}
	REFUSED(MODE_PROTECTED, SEGMENTS, DS.base = 1ULL << 32);
	REFUSED(MODE_LONG, SEGMENTS, DS.base = 1ULL << 40);
	REFUSED(MODE_LONG, SEGMENTS, s.segments.seg[TPZ_FS].base = NOT_CANONICAL);
	REFUSED(MODE_LONG, SEGMENTS, s.segments.seg[TPZ_GS].base = 1ULL << 63);
	REFUSED(MODE_LONG, SEGMENTS,
		s.segments.seg[TPZ_GS] = ((struct tpz_segment){ .unusable = 1, .base = NOT_CANONICAL }));
	ACCEPTED(MODE_LONG, s.segments.seg[TPZ_FS] = ((struct tpz_segment){ .unusable = 1, .base = 1ULL << 46 }));
#undef SS
#undef DS
	END_REFUSALS;
}

static void bad_system_segments(void)
{
	BEGIN_REFUSALS;
#define TR	s.segments.seg[TPZ_TR]
#define LDTR	s.segments.seg[TPZ_LDTR] = (struct tpz_segment){ .base = 0x4000, .limit = 0x7f, .selector = 0x28, \
			.type = 2, .present = 1 }; s.segments.seg[TPZ_LDTR]
	for (int type = 0; type < 16; type++) {
		if (type != 11)
			REFUSED(MODE_LONG, SEGMENTS, TR.type = type);
		if (type != 11 && type != 3)
			REFUSED(MODE_PROTECTED, SEGMENTS, TR.type = type);
	}
	ACCEPTED(MODE_PROTECTED, TR.type = 3);			/* a busy 16-bit TSS */
	REFUSED(MODE_LONG, SEGMENTS, TR.unusable = 1);
	REFUSED(MODE_LONG, SEGMENTS, TR.s = 1);
	REFUSED(MODE_LONG, SEGMENTS, TR.present = 0);
	REFUSED(MODE_LONG, SEGMENTS, TR.selector |= 4);		/* in the LDT */
	REFUSED(MODE_LONG, SEGMENTS, TR.base = NOT_CANONICAL);
	REFUSED(MODE_LONG, SEGMENTS, TR.limit = 0x100000);	/* without G */
	REFUSED(MODE_LONG, SEGMENTS, TR.g = 1);			/* not whole pages */

	for (int type = 0; type < 16; type++)
		if (type != 2)
			REFUSED(MODE_PROTECTED, SEGMENTS, LDTR.type = type);
	REFUSED(MODE_PROTECTED, SEGMENTS, LDTR.s = 1);
	REFUSED(MODE_PROTECTED, SEGMENTS, LDTR.present = 0);
	REFUSED(MODE_PROTECTED, SEGMENTS, LDTR.selector |= 4);
	REFUSED(MODE_LONG, SEGMENTS, LDTR.base = NOT_CANONICAL);
	REFUSED(MODE_LONG, SEGMENTS, LDTR.g = 1);

	REFUSED(MODE_LONG, SEGMENTS, s.segments.gdtr.base = NOT_CANONICAL);
	REFUSED(MODE_LONG, SEGMENTS, s.segments.idtr.base = 1ULL << 63);
	REFUSED(MODE_LONG, SEGMENTS, s.segments.gdtr.limit = 0x10000);
	REFUSED(MODE_LONG, SEGMENTS, s.segments.idtr.limit = 0xffffffff);
#undef TR
#undef LDTR
	END_REFUSALS;
}

static void bad_control(void)
{
	BEGIN_REFUSALS;
#define C	s.control
	/* CR0 */
	REFUSED(MODE_LONG, CONTROL, C.cr0 |= 1ULL << 32);
	REFUSED(MODE_LONG, CONTROL, C.cr0 |= 1ULL << 63);
	REFUSED(MODE_LONG, CONTROL, C.cr0 |= CR0_NW);
	REFUSED(MODE_PAGING32, CONTROL, C.cr0 &= ~CR0_PE);
	REFUSED(MODE_LONG, CONTROL, C.cr0 &= ~CR0_PG);		/* LMA stays */
	ACCEPTED(MODE_LONG, C.cr0 |= CR0_CD);
	ACCEPTED(MODE_LONG, C.cr0 |= CR0_CD | CR0_NW);

	/* CR3 */
	REFUSED(MODE_LONG, CONTROL, C.cr3 = 1ULL << info()->phys_bits);
	REFUSED(MODE_LONG, CONTROL, C.cr3 = 1ULL << 63);

	/* CR4 */
	REFUSED(MODE_LONG, CONTROL, C.cr4 |= 1ULL << 15);
	REFUSED(MODE_LONG, CONTROL, C.cr4 |= 1ULL << 31);
	REFUSED(MODE_LONG, CONTROL, C.cr4 |= 1ULL << 32);
	REFUSED(MODE_LONG, CONTROL, C.cr4 |= 1ULL << 63);
	REFUSED(MODE_LONG, CONTROL, C.cr4 |= CR4_VMXE);
	REFUSED(MODE_LONG, CONTROL, C.cr4 &= ~CR4_PAE);
	REFUSED(MODE_PROTECTED, CONTROL, C.cr4 |= CR4_PCIDE);

	/* EFER */
	REFUSED(MODE_LONG, CONTROL, C.efer |= 1ULL << 1);
	REFUSED(MODE_LONG, CONTROL, C.efer |= 1ULL << 9);
	REFUSED(MODE_LONG, CONTROL, C.efer |= 1ULL << 32);
	REFUSED(MODE_LONG, CONTROL, C.efer |= 1ULL << 63);
	REFUSED(MODE_LONG, CONTROL, C.efer &= ~EFER_LMA);
	REFUSED(MODE_LONG, CONTROL, C.efer &= ~EFER_LME);
	REFUSED(MODE_PAGING32, CONTROL, C.efer |= EFER_LMA);
	REFUSED(MODE_PAGING32, CONTROL, C.efer |= EFER_LME | EFER_LMA);	/* without PAE */
	REFUSED(MODE_PROTECTED, CONTROL, C.efer |= EFER_LME | EFER_LMA);	/* without PG */
	ACCEPTED(MODE_PROTECTED, C.efer |= EFER_LME);

	REFUSED(MODE_LONG, CONTROL, C.cr8 = 16);
	REFUSED(MODE_LONG, CONTROL, C.cr8 = 1ULL << 32);

	/* XCR0 */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 0);
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 2);
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 5);		/* AVX without SSE */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 3 | 1 << 3);	/* half of MPX */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 7 | 1 << 5);	/* a third of AVX-512 */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 3 | 7 << 5);	/* AVX-512 without AVX */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 3 | 1 << 8);	/* a supervisor component */
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = 3 | 1ULL << 62);
	REFUSED(MODE_LONG, CONTROL, C.xcr0 = ~0ULL);
	ACCEPTED(MODE_LONG, C.xcr0 = 3);

#undef C
	END_REFUSALS;
}

static void bad_pdptes(void)
{
	BEGIN_REFUSALS;
	if (!machine.pdptes_at_mov_cr3)
		SKIP("this processor keeps no PDPTEs: it reads them from memory");
#define C	s.control
	REFUSED(MODE_PAE, CONTROL, C.pdpte[0] |= 2);
	REFUSED(MODE_PAE, CONTROL, C.pdpte[3] = 1 | 1ULL << 5);
	REFUSED(MODE_PAE, CONTROL, C.pdpte[1] = 1 | 1ULL << 63);
	REFUSED(MODE_PAE, CONTROL, C.pdpte[2] = 1 | 1ULL << info()->phys_bits);
	ACCEPTED(MODE_PAE, C.pdpte[2] = ~1ULL);			/* not present: anything goes */
#undef C
	END_REFUSALS;
}

static void bad_debug(void)
{
	BEGIN_REFUSALS;
	REFUSED(MODE_LONG, DEBUG, s.debug.dr7 |= 1ULL << 32);
	REFUSED(MODE_LONG, DEBUG, s.debug.dr7 |= 1ULL << 63);
	REFUSED(MODE_LONG, DEBUG, s.debug.dr6 |= 1ULL << 32);
	END_REFUSALS;
}

static void bad_msrs(void)
{
	BEGIN_REFUSALS;
#define M	s.msrs
	REFUSED(MODE_LONG, MSRS, M.lstar = NOT_CANONICAL);
	REFUSED(MODE_LONG, MSRS, M.cstar = NOT_CANONICAL);
	REFUSED(MODE_LONG, MSRS, M.kernel_gs_base = NOT_CANONICAL);
	REFUSED(MODE_LONG, MSRS, M.sysenter_esp = 1ULL << 63);
	REFUSED(MODE_LONG, MSRS, M.sysenter_eip = 1ULL << 63);
	REFUSED(MODE_LONG, MSRS, M.fmask = 1ULL << 32);
	REFUSED(MODE_LONG, MSRS, M.tsc_aux = 1ULL << 32);
	for (int entry = 0; entry < 64; entry += 8) {
		REFUSED(MODE_LONG, MSRS, M.pat = 2ULL << entry);
		REFUSED(MODE_LONG, MSRS, M.pat = 3ULL << entry);
		REFUSED(MODE_LONG, MSRS, M.pat = 8ULL << entry);
		REFUSED(MODE_LONG, MSRS, M.pat = 0x80ULL << entry);
	}
	REFUSED(MODE_LONG, MSRS, M.apic_base |= 1);
	REFUSED(MODE_LONG, MSRS, M.apic_base |= 1ULL << 9);
	REFUSED(MODE_LONG, MSRS, M.apic_base |= 1ULL << 63);
	ACCEPTED(MODE_LONG, M.star = ~0ULL);
#undef M
	END_REFUSALS;
}

static void bad_apic_base(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);

	not_refused = 0;
	REFUSED(MODE_LONG, MSRS, s.msrs.apic_base &= ~(1ULL << 11));	/* EXTD without EN */
	REFUSED(MODE_LONG, MSRS, s.msrs.apic_base += PAGE);
	REFUSED(MODE_LONG, MSRS, s.msrs.apic_base |= 1);
	END_REFUSALS;
}

static void bad_events(void)
{
	BEGIN_REFUSALS;
#define E	s.events
	/* What no event is */
	REFUSED(MODE_LONG, EVENTS, E.pending = 2);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = 1);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = 7);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = 8);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_NMI; E.vector = 3);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 32);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 15);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 20);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 31);
	/* BOUND is no instruction of 64-bit code */
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 5);
	ACCEPTED(MODE_COMPAT, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 5);
	/* Error codes where they belong, and only there */
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 13);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 6; E.has_error = 1);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 14; E.has_error = 2);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 13; E.has_error = 1;
		E.error = 0x10000);
	REFUSED(MODE_REAL, EVENTS, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 13; E.has_error = 1);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_SOFT_INTR; E.vector = 14; E.has_error = 1;
		E.insn_bytes = 2);
	ACCEPTED(MODE_REAL, E.pending = 1; E.type = TPZ_EVENT_EXCEPTION; E.vector = 13);
	/* Software events have a length */
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_SOFT_INTR; E.vector = 0x80);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_SOFT_INTR; E.vector = 0x80; E.insn_bytes = 16);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_SOFT_EXCEPTION; E.vector = 3);
	/* An interrupt needs IF, and no shadow */
	REFUSED(MODE_LONG, EVENTS | REGS, E.pending = 1; E.type = TPZ_EVENT_INTR; E.vector = 0x40);
	REFUSED(MODE_LONG, EVENTS, E.pending = 1; E.type = TPZ_EVENT_INTR; E.vector = 0x40; s.regs.rflags |= RFLAGS_IF;
		E.sti_shadow = 1);

	REFUSED(MODE_LONG, EVENTS, E.nmi_pending = 2);
	REFUSED(MODE_LONG, EVENTS, E.nmi_blocked = 2);
	REFUSED(MODE_LONG, EVENTS, E.mov_ss_shadow = 2);
	REFUSED(MODE_LONG, EVENTS | REGS, E.sti_shadow = 1);		/* IF is off */
	REFUSED(MODE_LONG, EVENTS, s.regs.rflags |= RFLAGS_IF; E.sti_shadow = 1; E.mov_ss_shadow = 1);
	REFUSED(MODE_LONG, EVENTS, E.activity = 4);
	REFUSED(MODE_LONG, EVENTS, E.activity = 0xff);
	REFUSED(MODE_LONG, EVENTS, E.activity = TPZ_ACTIVITY_HLT; E.mov_ss_shadow = 1);
	REFUSED(MODE_LONG, EVENTS, E.pending_debug = 1 << 4);
	REFUSED(MODE_LONG, EVENTS, E.pending_debug = 1ULL << 63);
	REFUSED(MODE_LONG, EVENTS, E.pad[1] = 1);
#undef E
	END_REFUSALS;
}

static void bad_fpu(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything before = get_everything(vcpu, TPZ_STATE_FPU), after;
	const struct { unsigned int at; __u8 bits; } bytes[] = {
		{ MXCSR + 2, 1 }, { MXCSR + 3, 0x80 },				/* reserved bits of MXCSR */
		{ XSTATE_BV, 8 }, { XSTATE_BV + 1, 1 }, { XSTATE_BV + 7, 0x80 },	/* MPX, supervisor, nonsense */
		{ XCOMP_BV, 1 }, { XCOMP_BV + 7, 0x80 },			/* the compacted format */
		{ XRESERVED, 1 }, { XRESERVED + 47, 0x80 },
	};
	struct tpz_state state;

	for (unsigned int i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct everything bad = get_everything(vcpu, TPZ_STATE_FPU);

		*(__u64 *)(bad.fpu + XSTATE_BV) |= 2;	/* so that MXCSR counts */
		bad.fpu[bytes[i].at] |= bytes[i].bits;
		CHECK_THAT(ioctl(vcpu->fd, TPZ_SET_STATE, &bad.state) == -1 && errno == EINVAL,
			   "byte %u |= %#x was accepted", bytes[i].at, bytes[i].bits);
		CHECK_EQ(bad.state.bad_group, TPZ_STATE_FPU);
		CHECK(bad.state.bad_field[0]);
		free_everything(&bad);
		after = get_everything(vcpu, TPZ_STATE_FPU);
		CHECK_THAT(!difference(&before, &after), "byte %u |= %#x changed something", bytes[i].at, bytes[i].bits);
		free_everything(&after);
	}

	/* The size must be the area's */
	state = before.state;
	state.fpu_bytes--;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_ERR(ioctl(vcpu->fd, TPZ_GET_STATE, &state), EINVAL);
	state.fpu_bytes = 0;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	free_everything(&before);
}

/* One bad group among good ones: none of them is set */
static void all_or_nothing(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct everything before, after;
	struct tpz_state state;

	vcpu_start(vcpu, MODE_LONG, RING0, 0x1000, 0);
	before = get_everything(vcpu, NO_LAPIC);
	state = before.state;
	state.regs.gpr[TPZ_RBX] = 0x1234;
	state.regs.rip = 0x2000;
	state.segments.gdtr.limit = 0x77;
	state.control.cr2 = 0x88;
	state.debug.db[0] = 0x99;
	state.msrs.star = 0xaa;
	state.events.nmi_blocked = 1;
	state.events.pending_debug = 1ULL << 63;	/* the bad one */
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_EVENTS);
	after = get_everything(vcpu, NO_LAPIC);
	CHECK(!difference(&before, &after));
	state.events.pending_debug = 0;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_MSRS).msrs.star, 0xaa);
	free_everything(&before);
	free_everything(&after);
}

/* After a refusal the vCPU still runs what it was set to run */
static void a_refusal_does_no_harm(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	for (int i = 0; i < 3; i++) {
		vcpu_start(vcpu, MODE_LONG, RING0, fibonacci64, 30);
		state = vcpu_get(vcpu, TPZ_STATE_CONTROL | TPZ_STATE_REGS);
		state.control.cr4 &= ~CR4_PAE;
		state.regs.rip = 0;
		CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
		CHECK_EQ(vcpu_finish(vcpu), 832040);
	}
}

static const struct ktap_case cases[] = {
	{ "a new vCPU is as after power-up", a_new_vcpu_is_as_after_power_up },
	{ "the first fetch is at the reset vector", the_first_fetch_is_at_the_reset_vector },
	{ "round trip: registers", regs_round_trip },
	{ "round trip: segments", segments_round_trip },
	{ "round trip: control registers", control_round_trip },
	{ "round trip: debug registers", debug_round_trip },
	{ "round trip: MSRs", msrs_round_trip },
	{ "round trip: TSC", tsc_is_set },
	{ "round trip: events", events_round_trip },
	{ "round trip: FPU", fpu_round_trip },
	{ "round trip: local APIC", lapic_round_trip },
	{ "the local APIC's group needs the device", lapic_needs_the_device },
	{ "the guest sees what was set", the_guest_sees_what_was_set },
	{ "a pending event is delivered", a_pending_event_is_delivered },
	{ "any mode to any mode in one call", any_mode_to_any_mode },
	{ "half a change of mode is refused", half_a_change_is_refused },
	{ "refused: registers", bad_regs },
	{ "refused: code segments", bad_code_segments },
	{ "refused: data segments", bad_data_segments },
	{ "refused: system segments and tables", bad_system_segments },
	{ "refused: control registers", bad_control },
	{ "refused: PDPTEs", bad_pdptes },
	{ "refused: debug registers", bad_debug },
	{ "refused: MSRs", bad_msrs },
	{ "refused: APIC base", bad_apic_base },
	{ "refused: events", bad_events },
	{ "refused: FPU", bad_fpu },
	{ "all groups of a call or none", all_or_nothing },
	{ "a refusal does no harm", a_refusal_does_no_harm },
};
KTAP_MAIN(cases)
