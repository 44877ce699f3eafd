// SPDX-License-Identifier: GPL-2.0
/*
 * Two promises of the state groups, tried with states made at random:
 *
 *	what TPZ_SET_STATE accepts, the CPU accepts: no entry fails, whatever user space has set;
 *	what TPZ_GET_STATE tells, TPZ_SET_STATE takes back: wherever a vCPU has stopped.
 *
 * Each trial begins with a good state of some mode, and changes a few things in it: a bit, a whole field, an interesting
 * value. What is refused must name a group and a field. What is accepted runs for a few instructions, one by one
 * (TPZ_TRAP_STEP), of a kind that traps in as many ways as there are; and the state after each goes round.
 */
#include "vm.h"

#define GROUPS	(TPZ_STATE_REGS | TPZ_STATE_SEGMENTS | TPZ_STATE_CONTROL | TPZ_STATE_DEBUG | TPZ_STATE_MSRS | TPZ_STATE_EVENTS)

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

/* ------------------------------------------------------------------ changes */

static const __u64 values[] = {
	0, 1, 2, 3, 0xf, 0xff, 0xffff, 0x10000, 0xfffff, 0x100000, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
	1ULL << 46, 1ULL << 47, (1ULL << 47) - 1, 0xffff800000000000, 0xffff7fffffffffff, 1ULL << 48, 1ULL << 51, 1ULL << 52,
	1ULL << 63, ~0ULL, 0x80000011, 0x80050033, 0x6f0, 0xd01, 0x0007040600070406, 0xfee00d00,
};

static __u64 changed(__u64 value, unsigned int bits)
{
	switch (random64() % 4) {
	case 0:
	case 1:
		return value ^ 1ULL << random64() % bits;
	case 2:
		return values[random64() % ARRAY_SIZE(values)];
	default:
		return random64() >> random64() % 64;
	}
}

/*
 * No unusable segments in real mode: what Bochs makes of one there at the next MOV to it is usable, of type 0, and no
 * state that its own entry accepts.
 */
static void change_segment(struct tpz_segment *s, bool real)
{
	switch (random64() % (real ? 11 : 12)) {
	case 0:
		s->base = changed(s->base, 64);
		break;
	case 1:
		s->limit = changed(s->limit, 32);
		break;
	case 2:
		s->selector = changed(s->selector, 16);
		break;
	case 3:
	case 4:
		s->type = random64() % 17;
		break;
	case 5:
		s->s ^= 1;
		break;
	case 6:
		s->dpl = random64() % 5;
		break;
	case 7:
		s->present ^= 1;
		break;
	case 8:
		s->l ^= 1;
		break;
	case 9:
		s->db ^= 1;
		break;
	case 10:
		s->g ^= 1;
		break;
	default:
		s->unusable ^= 1;
	}
}

static void change_control(struct tpz_control *c)
{
	__u64 *const fields[] = { &c->cr0, &c->cr0, &c->cr2, &c->cr3, &c->cr4, &c->cr4, &c->cr8, &c->efer, &c->xcr0, &c->pdpte[0],
				  &c->pdpte[3] };
	__u64 *field = fields[random64() % ARRAY_SIZE(fields)];

	*field = changed(*field, field == &c->cr8 ? 5 : 64);
}

static void change_msrs(struct tpz_msrs *m)
{
	__u64 *fields = (__u64 *)m;
	const unsigned int n = random64() % (sizeof(*m) / 8);

	fields[n] = changed(fields[n], 64);
}

static void change_events(struct tpz_events *e)
{
	static const __u8 types[] = { 0, 2, 3, 3, 3, 4, 5, 6 };

	switch (random64() % 10) {
	case 0:
	case 1:
	case 2:
		e->pending = 1;
		e->type = types[random64() % ARRAY_SIZE(types)];
		e->vector = one_in(4) ? random64() : random64() % 32;
		e->has_error = e->type == 3 && (0x27d00 >> (e->vector & 31) & 1);
		e->error = e->has_error ? random64() & 0xffff : 0;
		e->insn_bytes = e->type >= 4 ? 1 + random64() % 15 : 0;
		break;
	case 3:
		e->has_error ^= 1;
		break;
	case 4:
		e->sti_shadow ^= 1;
		break;
	case 5:
		e->mov_ss_shadow ^= 1;
		break;
	case 6:
		e->nmi_blocked ^= 1;
		break;
	case 7:
		e->nmi_pending ^= 1;
		break;
	case 8:
		e->activity = random64() % 5;
		break;
	default:
		e->pending_debug = changed(e->pending_debug, 17);
	}
}

static void change(struct tpz_state *s, bool real)
{
	switch (random64() % 16) {
	case 0:
	case 1:
		s->regs.rflags = changed(s->regs.rflags, 22);
		break;
	case 2:
		s->regs.rip = changed(s->regs.rip, 64);
		break;
	case 3:
		s->regs.gpr[random64() % TPZ_GPRS] = changed(0, 64);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		change_segment(&s->segments.seg[random64() % TPZ_SEGS], real);
		break;
	case 8:
		s->segments.gdtr.base = changed(s->segments.gdtr.base, 64);
		s->segments.idtr.limit = changed(s->segments.idtr.limit, 17);
		break;
	case 9:
	case 10:
	case 11:
		change_control(&s->control);
		break;
	case 12:
		change_msrs(&s->msrs);
		break;
	case 13:
		s->debug.dr7 = changed(s->debug.dr7, 33);
		s->debug.db[random64() % 4] = changed(0, 64);
		break;
	default:
		change_events(&s->events);
	}
}

/* ------------------------------------------------------------------ what the guest runs, in whatever mode it finds itself */

static const struct { __u8 bytes, code[5]; } insns[] = {
	{ 1, { 0x90 } },			/* NOP */
	{ 2, { 0x0f, 0xa2 } },			/* CPUID */
	{ 2, { 0x0f, 0x32 } },			/* RDMSR */
	{ 2, { 0x0f, 0x30 } },			/* WRMSR */
	{ 2, { 0xe6, PORT_TEST } },		/* OUT */
	{ 2, { 0xe5, PORT_TEST } },		/* IN */
	{ 1, { 0x6c } },			/* INS */
	{ 1, { 0x6f } },			/* OUTS */
	{ 2, { 0xf3, 0x6e } },			/* REP OUTS */
	{ 3, { 0xf3, 0x67, 0x6d } },		/* REP INS, the other address size */
	{ 1, { 0xcc } },			/* INT3 */
	{ 1, { 0xf1 } },			/* INT1 */
	{ 2, { 0xcd, 0x80 } },			/* INT 0x80 */
	{ 1, { 0xcf } },			/* IRET */
	{ 2, { 0x0f, 0x0b } },			/* UD2 */
	{ 1, { 0xf4 } },			/* HLT */
	{ 3, { 0x0f, 0x20, 0xc0 } },		/* MOV from CR0 */
	{ 3, { 0x0f, 0x22, 0xc0 } },		/* MOV to CR0 */
	{ 3, { 0x0f, 0x22, 0xd8 } },		/* MOV to CR3 */
	{ 3, { 0x0f, 0x22, 0xe0 } },		/* MOV to CR4 */
	{ 4, { 0xf0, 0x0f, 0x22, 0xc0 } },	/* MOV to CR8, of some CPUs */
	{ 3, { 0x0f, 0x23, 0xf8 } },		/* MOV to DR7 */
	{ 3, { 0x0f, 0x21, 0xf0 } },		/* MOV from DR6 */
	{ 3, { 0x0f, 0x01, 0xd1 } },		/* XSETBV */
	{ 3, { 0x0f, 0x01, 0xc1 } },		/* VMCALL */
	{ 2, { 0x0f, 0x06 } },			/* CLTS */
	{ 3, { 0x0f, 0x01, 0xf0 } },		/* LMSW AX */
	{ 2, { 0x0f, 0x09 } },			/* WBINVD */
	{ 1, { 0xfb } },			/* STI */
	{ 1, { 0xfa } },			/* CLI */
	{ 2, { 0x8e, 0xd0 } },			/* MOV SS, AX */
	{ 2, { 0x8e, 0xe0 } },			/* MOV FS, AX */
	{ 1, { 0x9c } },			/* PUSHF */
	{ 1, { 0x9d } },			/* POPF */
	{ 3, { 0x0f, 0x00, 0xd0 } },		/* LLDT AX */
	{ 3, { 0x0f, 0x00, 0xc8 } },		/* STR AX */
	{ 3, { 0x0f, 0x01, 0x07 } },		/* SGDT */
	{ 3, { 0x0f, 0x01, 0x1f } },		/* LIDT */
	{ 3, { 0x0f, 0x01, 0x3f } },		/* INVLPG */
	{ 2, { 0xf3, 0x90 } },			/* PAUSE */
};

#define CODE		GUEST_FREE
#define STEPS		4

static void put_code(struct vm *vm, __u64 at)
{
	__u8 *code = vm->memory + at;

	memset(code, 0x90, 64);
	for (unsigned int i = 0; i < STEPS; i++) {
		const unsigned int n = random64() % ARRAY_SIZE(insns);

		memcpy(code, insns[n].code, insns[n].bytes);
		code += insns[n].bytes;
	}
}

/* ------------------------------------------------------------------ trials */

static struct {
	unsigned int refused, ran, stopped[TPZ_EXIT_COUNT];
} seen;

static void check_refusal(const struct tpz_state *s)
{
	CHECK_EQ(errno, EINVAL);
	CHECK_THAT(s->bad_group && !(s->bad_group & (s->bad_group - 1)) && s->bad_field[0], "group %#llx", s->bad_group);
	seen.refused++;
}

static void run_and_go_round(struct vcpu *vcpu, enum guest_mode mode, unsigned int number)
{
	__u32 reason = vcpu_run(vcpu);
	struct tpz_state now;

	if (reason == TPZ_EXIT_ENTRY_FAILED || reason == TPZ_EXIT_DEAD || reason == TPZ_EXIT_UNKNOWN)
		FAIL("trial %u, mode %d: %s", number, mode, vcpu_exit_text(vcpu));
	seen.ran++;
	seen.stopped[reason]++;
	now = vcpu_get(vcpu, GROUPS);
	if (ioctl(vcpu->fd, TPZ_SET_STATE, &now))
		FAIL("trial %u, mode %d: after %s what was got is refused: group %#llx: %s", number, mode,
		     reason_name(reason), now.bad_group, now.bad_field);
}

static void one_trial(struct vcpu *vcpu, enum guest_mode mode, unsigned int number)
{
	const __u64 entry = mode == MODE_REAL ? 0 : CODE;
	struct tpz_state s = vcpu_start_state(vcpu, mode, mode != MODE_REAL && one_in(2) ? RING3 : RING0, entry, 0);
	struct tpz_state now = vcpu_get(vcpu, TPZ_STATE_MSRS);

	put_code(vcpu->vm, mode == MODE_REAL ? GUEST_REAL_CODE : CODE);
	s.groups = GROUPS;
	s.msrs = now.msrs;
	s.msrs.kvm_system_time = s.msrs.kvm_wall_clock = 0;
	s.debug.dr6 = 0xffff0ff0;
	s.debug.dr7 = 0x400;
	s.regs.gpr[TPZ_RAX] = changed(s.control.cr0, 32);
	s.regs.gpr[TPZ_RCX] = changed(0xc0000080, 32);
	for (unsigned int i = random64() % 4; i; i--)
		change(&s, mode == MODE_REAL);
	/* Bochs carries EIP beyond 32 bits when it injects INT n at the end of 4 GiB */
	if (s.events.pending && s.events.type >= TPZ_EVENT_SOFT_INTR && (__u32)s.regs.rip > 0xfffffff0)
		return;
	if (ioctl(vcpu->fd, TPZ_SET_STATE, &s)) {
		check_refusal(&s);
		return;
	}
	for (int i = 0; i < STEPS; i++) {
		if (vcpu_get(vcpu, TPZ_STATE_EVENTS).events.activity == TPZ_ACTIVITY_HLT)
			return;			/* nothing would wake it */
		run_and_go_round(vcpu, mode, number);
	}
}

/* Every second VM has the other traps on, too */
#define MORE_TRAPS	(TPZ_TRAP_DT | TPZ_TRAP_CR3 | TPZ_TRAP_INVLPG | TPZ_TRAP_PAUSE | TPZ_TRAP_INT3 | TPZ_TRAP_PF | TPZ_TRAP_UD)

/* What the guest writes at random may hit its tables: a new VM now and then */
#define TRIALS_OF_A_VM	100

static void trials(enum guest_mode mode, unsigned int count)
{
	struct vcpu *vcpu = NULL;

	memset(&seen, 0, sizeof(seen));
	random_state = 0x2545f4914f6cdd1dULL * (mode + 1);
	for (unsigned int i = 0; i < count; i++) {
		if (i % TRIALS_OF_A_VM == 0) {
			if (vcpu)
				vm_close(vcpu->vm);
			vcpu = vm_with_vcpu(.traps = TPZ_TRAP_STEP | (i / TRIALS_OF_A_VM % 2 ? MORE_TRAPS : 0));
		}
		one_trial(vcpu, mode, i);
	}
	ktap_diag("%u states refused; %u runs: %u steps, %u I/O, %u to memory that is not there, %u triple faults", seen.refused,
		  seen.ran, seen.stopped[TPZ_EXIT_SINGLE_STEP], seen.stopped[TPZ_EXIT_IO], seen.stopped[TPZ_EXIT_MEMORY],
		  seen.stopped[TPZ_EXIT_TRIPLE_FAULT]);
	CHECK_GT(seen.refused, count / 8);
	CHECK_GT(seen.ran, count);
}

#define TRIALS	1000

static void real_mode(void)
{
	trials(MODE_REAL, TRIALS);
}

static void protected_mode(void)
{
	trials(MODE_PROTECTED, TRIALS);
}

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
	trials(MODE_LONG, TRIALS);
}

static const struct ktap_case cases[] = {
	{ "real mode", real_mode },
	{ "protected mode", protected_mode },
	{ "32-bit paging", paging32 },
	{ "PAE paging", pae },
	{ "compatibility mode", compat },
	{ "64-bit mode", long_mode },
};
KTAP_MAIN(cases)
