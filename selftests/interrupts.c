// SPDX-License-Identifier: GPL-2.0
/*
 * Events on their way into the guest: when an interrupt may come, a delivery that is cut off by a missing page and
 * goes on later, and double faults. And the other direction: a guest with interrupts off takes nothing from its host.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VECTOR		0x51
#define NMI		2
#define BP		3
#define UD		6
#define DF		8
#define NP		11
#define GP		13
#define PF		14

static volatile __u32 taken;
static volatile struct guest_frame last;

static GUEST void note(struct guest_frame *frame)
{
	last.vector = frame->vector;
	last.error = frame->error;
	last.rip = frame->rip;
	last.rflags = frame->rflags;
	last.cr2 = frame->cr2;
	taken++;
	if (frame->vector == VECTOR)
		wrmsr(APIC_EOI, 0);
}

static struct vcpu *new_machine(struct vm_options options)
{
	options.devices = TPZ_DEVICES_PC;
	taken = 0;
	guest_on(VECTOR, note);
	return vcpu_create(vm_create_with(options), 0);
}

#define start(guest)	start_at((uintptr_t)(guest))
static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = new_machine((struct vm_options){});

	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}

#define run_guest(guest)	CHECK_EQ(vcpu_finish(start(guest)), 0)

static inline void self_ipi(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_SELF_IPI, VECTOR);
}

/* ------------------------------------------------------------------ when an interrupt may come */

/* Runs @code with an interrupt waiting; the handler must find RIP at the label 1 in it */
#define TAKEN_AT(code)							\
	do {								\
		__u64 at;						\
									\
		taken = 0;						\
		self_ipi();						\
		asm volatile("lea 1f(%%rip), %0\n" code "\ncli" : "=&r"(at) : : "memory", "cc"); \
		GUEST_CHECK_EQ(taken, 1);				\
		GUEST_CHECK_EQ(last.rip, at);				\
	} while (0)

static GUEST __u32 shadows(void)
{
	self_ipi();
	for (__u32 i = 0; i < 1000; i++)
		asm volatile("nop");
	GUEST_CHECK_EQ(taken, 0);			/* interrupts are off */
	asm volatile("sti; cli" : : : "memory");
	GUEST_CHECK_EQ(taken, 0);			/* no interrupt between the two */
	TAKEN_AT("sti; nop; 1: nop");			/* one instruction after STI */
	TAKEN_AT("sti; sti; 1: nop; nop");		/* a second STI has no shadow */
	TAKEN_AT("pushf; orl $0x200, (%%rsp); popf; 1: nop; nop");
	return 0;
}

static void sti_shadow(void)
{
	run_guest(shadows);
}

/* IRET that turns interrupts on has no shadow */
static GUEST __u32 by_iret(void)
{
	self_ipi();
	asm volatile("mov %%ss, %%eax; push %%rax; lea 8(%%rsp), %%rax; push %%rax; pushf; orl $0x200, (%%rsp)\n"
		     "mov %%cs, %%eax; push %%rax; lea 1f(%%rip), %%rax; push %%rax; iretq\n"
		     "1: nop; cli; lea 1b(%%rip), %%rax; mov %%rax, %0"
		     : "=m"(last.rsp) : : "rax", "memory", "cc");
	GUEST_CHECK_EQ(taken, 1);
	GUEST_CHECK_EQ(last.rip, last.rsp);
	return 0;
}

static void iret(void)
{
	run_guest(by_iret);
}

#define STRING(x)	STRING_OF(x)
#define STRING_OF(x)	#x

/* Three instructions of one byte; RIP tells how many ran */
static GUEST __attribute__((naked)) void three_nops(void)
{
	asm("nop; nop; nop; cli; xor %eax, %eax; out %eax, $" STRING(PORT_DONE));
}

enum shadow { NO_SHADOW, STI_SHADOW, MOV_SS_SHADOW };

static void check_shadow(enum shadow shadow, __u64 expected)
{
	struct vcpu *vcpu = start(three_nops);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)three_nops, 0);
	__u32 svr = SVR_ON, irr = 1U << VECTOR % 32;

	state.lapic = vcpu_get(vcpu, TPZ_STATE_LAPIC).lapic;
	memcpy(state.lapic.regs + 0xf * 16, &svr, 4);
	memcpy(state.lapic.regs + (0x20 + VECTOR / 32) * 16, &irr, 4);
	state.groups |= TPZ_STATE_LAPIC | TPZ_STATE_EVENTS;
	state.regs.rflags |= RFLAGS_IF;
	state.events.sti_shadow = shadow == STI_SHADOW;
	state.events.mov_ss_shadow = shadow == MOV_SS_SHADOW;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(taken, 1);
	CHECK_EQ(last.rip - (uintptr_t)three_nops, expected);
}

static void shadows_in_state(void)
{
	check_shadow(NO_SHADOW, 0);
	check_shadow(STI_SHADOW, 1);
	check_shadow(MOV_SS_SHADOW, 1);
}

/* An exit between MOV SS and what follows it: the shadow is in the state, and still holds afterwards */
static GUEST __u32 exit_in_shadow(void)
{
	sti();
	asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; in %0, %%al; cli" : : "N"(PORT_TEST) : "eax", "memory");
	return 0;
}

static void mov_ss_shadow(void)
{
	struct vcpu *vcpu = start(exit_in_shadow);
	struct tpz_state state;

	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.in, 1);
	state = vcpu_get(vcpu, TPZ_STATE_EVENTS);
	if (machine.two_shadows) {
		CHECK_EQ(state.events.mov_ss_shadow, 1);
		CHECK_EQ(state.events.sti_shadow, 0);
	} else {
		CHECK_EQ(state.events.mov_ss_shadow + state.events.sti_shadow, 1);
	}
	CHECK_EQ(vcpu_finish(vcpu), 0);
	state = vcpu_get(vcpu, TPZ_STATE_EVENTS);
	CHECK_EQ(state.events.mov_ss_shadow | state.events.sti_shadow, 0);
}

/* An interrupt that comes while none may: it waits for the window, and is then taken once */
static GUEST __u32 many_windows(void)
{
	for (__u32 i = 0; i < 200; i++) {
		self_ipi();
		GUEST_CHECK_EQ(taken, i);
		window();
		GUEST_CHECK_EQ(taken, i + 1);
	}
	return 0;
}

static void windows(void)
{
	struct vcpu *vcpu = start(many_windows);
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters m;

	CHECK_EQ(vcpu_finish(vcpu), 0);
	m = meters_read(&meters, 0);
	CHECK_EQ(m.injected_interrupts, 200);
	CHECK_LE(m.reason[TPZ_EXIT_INTR_WINDOW].count, 200);
	CHECK_GE(m.reason[TPZ_EXIT_INTR_WINDOW].count, 180);	/* a host interrupt in the window serves as well */
}

/* ------------------------------------------------------------------ a delivery that is cut off */

/* Handlers of these vectors run on a page of their own (an IST stack), so that the page can be taken away */
#define IST_GPA		(16UL << 20)
#define NOT_MAPPED	(GUEST_FREE + 0x10000)	/* by the guest's own page table */

static void use_ist(struct vcpu *vcpu, __u8 vector, __u64 stack)
{
	__u64 ist1 = stack + PAGE;

	vcpu->vm->memory[GUEST_IDT64 + 16 * vector + 4] = 1;
	memcpy(vcpu->vm->memory + GUEST_CPU_AREAS + vcpu->id * GUEST_CPU_BYTES + 0x24, &ist1, 8);
}

enum { INTERRUPT, NMI_BY_IPI, UNDEFINED, SOFTWARE, BREAKPOINT, WITH_ERROR, PAGE_FAULT, KINDS };

static const struct kind {
	const char *name;
	__u8 vector;
	__u8 type;
	__u8 insn_bytes;	/* of a software event */
	bool has_error;
	__u32 error;
	__u8 skip;		/* the handler must move RIP on by as much */
} kinds[KINDS] = {
	[INTERRUPT]	= { "interrupt", VECTOR, TPZ_EVENT_INTR },
	[NMI_BY_IPI]	= { "NMI", NMI, TPZ_EVENT_NMI },
	[UNDEFINED]	= { "#UD", UD, TPZ_EVENT_EXCEPTION, .skip = 2 },
	[SOFTWARE]	= { "INT n", 0x60, TPZ_EVENT_SOFT_INTR, 2 },
	[BREAKPOINT]	= { "INT3", BP, TPZ_EVENT_SOFT_EXCEPTION, 1 },
	[WITH_ERROR]	= { "#GP with an error code", GP, TPZ_EVENT_EXCEPTION, 0, true, 0x1230, .skip = 2 },
	[PAGE_FAULT]	= { "#PF", PF, TPZ_EVENT_EXCEPTION, 0, true, 2, .skip = 3 },
};

static volatile __u64 event_rip;	/* where the handler must find RIP */
static volatile __u32 skip;

static GUEST void note_and_skip(struct guest_frame *frame)
{
	note(frame);
	frame->rip += skip;
}

static GUEST void raise_event(__u64 kind)
{
	__u64 at;

	switch (kind) {
	case INTERRUPT:
		self_ipi();
		asm volatile("lea 1f(%%rip), %0; sti; nop; 1: nop; cli" : "=&r"(at) : : "memory");
		break;
	case NMI_BY_IPI:
		asm volatile("lea 1f(%%rip), %0; wrmsr; 1:" : "=&r"(at) : "c"(APIC_ICR), "a"(MODE_NMI), "d"(0) : "memory");
		break;
	case UNDEFINED:
		asm volatile("lea 1f(%%rip), %0; 1: ud2" : "=&r"(at) : : "memory");
		break;
	case SOFTWARE:
		asm volatile("lea 1f(%%rip), %0; int $0x60; 1:" : "=&r"(at) : : "memory");
		break;
	case BREAKPOINT:
		asm volatile("lea 1f(%%rip), %0; int3; 1:" : "=&r"(at) : : "memory");
		break;
	case WITH_ERROR:
		asm volatile("lea 1f(%%rip), %0; 1: mov %%eax, %%es" : "=&r"(at) : "a"(0x1230) : "memory");
		break;
	default:
		asm volatile("lea 1f(%%rip), %0; 1: mov %%rcx, (%%rax)" : "=&r"(at) : "a"(NOT_MAPPED) : "memory");
		break;
	}
	event_rip = at;
}

#define ROUNDS	10

static GUEST __u32 raise_often(__u64 kind)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 i = 0; i < ROUNDS; i++) {
		outl(PORT_TEST, i);		/* the launcher takes the page away */
		raise_event(kind);
		GUEST_CHECK_EQ(taken, i + 1);
		GUEST_CHECK_EQ(last.rip, event_rip);
	}
	return 0;
}

static struct vcpu *start_kind(unsigned int kind, void **stack)
{
	const struct kind *k = &kinds[kind];
	struct vcpu *vcpu = new_machine((struct vm_options){});

	guest_on(k->vector, note_and_skip);
	skip = k->skip;
	*stack = vm_add_memory(vcpu->vm, SLOT_TEST, IST_GPA, PAGE, 0);
	*vm_pte(vcpu->vm, NOT_MAPPED) = 0;
	vcpu_start(vcpu, MODE_LONG, RING0, raise_often, kind);
	use_ist(vcpu, k->vector, IST_GPA);
	return vcpu;
}

static void check_delivered(const struct kind *k)
{
	CHECK_EQ(last.vector, k->vector);
	if (k->has_error)
		CHECK_EQ(last.error, k->error);
	if (k->vector == PF)
		CHECK_EQ(last.cr2, NOT_MAPPED);
}

/* The page is dropped: the fault is answered in the kernel, and the event delivered again */
static void stack_dropped(void)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		void *stack;
		struct vcpu *vcpu = start_kind(kind, &stack);
		struct meters meters = meters_open(vcpu->vm->id);
		struct tpz_vcpu_meters m;

		for (unsigned int i = 0; i < ROUNDS; i++) {
			CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), i);
			CHECK_SYS(madvise(stack, PAGE, MADV_DONTNEED));
			if (i)
				check_delivered(&kinds[kind]);
		}
		CHECK_EQ(vcpu_finish(vcpu), 0);
		check_delivered(&kinds[kind]);
		CHECK_THAT(taken == ROUNDS, "%s: taken %u times", kinds[kind].name, taken);
		m = meters_read(&meters, 0);
		CHECK_GE(m.reason[TPZ_EXIT_NPF].count, ROUNDS);
		if (kind == INTERRUPT)
			CHECK_EQ(m.injected_interrupts, ROUNDS);
		if (kind == NMI_BY_IPI)
			CHECK_EQ(m.injected_nmis, ROUNDS);
		vm_close(vcpu->vm);
	}
}

static void check_pending(const struct tpz_events *events, const struct kind *k)
{
	CHECK_THAT(events->pending, "%s", k->name);
	CHECK_EQ(events->type, k->type);
	CHECK_EQ(events->vector, k->vector);
	CHECK_EQ(events->insn_bytes, k->insn_bytes);
	CHECK_EQ(events->has_error, k->has_error);
	CHECK_EQ(events->error, k->error);
}

/* On SVM an instruction that raises an event has not happened when the delivery is cut off: RIP is still its own */
static void check_runs_again(struct vcpu *vcpu, const struct tpz_state *state, const struct kind *k)
{
	CHECK_EQ(state->events.pending, 0);
	CHECK_EQ(*(__u8 *)vm_host(vcpu->vm, state->regs.rip), k->vector == BP ? 0xcc : 0xcd);
}

/* The slot is taken away: the launcher hears of it, finds the event in the state, and gives the slot back */
static void slot_removed(void)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		const struct kind *k = &kinds[kind];
		void *stack;
		struct vcpu *vcpu = start_kind(kind, &stack);
		struct tpz_state state;

		for (unsigned int i = 0; i < ROUNDS; i++) {
			CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), i);
			vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
			vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
			CHECK_EQ(vcpu->run->memory.gpa & -PAGE, IST_GPA);
			CHECK_EQ(vcpu->run->memory.write, 1);
			CHECK_EQ(vcpu->run->memory.no_slot, 1);
			CHECK_EQ(taken, i);
			state = vcpu_get(vcpu, TPZ_STATE_EVENTS | TPZ_STATE_REGS);
			if (machine.svm && k->insn_bytes)
				check_runs_again(vcpu, &state, k);
			else
				check_pending(&state.events, k);
			CHECK_EQ(state.events.nmi_blocked, 0);
			vm_set_slot(vcpu->vm, SLOT_TEST, IST_GPA, PAGE, stack, 0);
		}
		CHECK_EQ(vcpu_finish(vcpu), 0);
		check_delivered(k);
		CHECK_THAT(taken == ROUNDS, "%s: taken %u times", k->name, taken);
		vm_close(vcpu->vm);
	}
}

/* Everything that a delivery touches is dropped: IDT, GDT, TSS, page tables, stack, and the handler's code */
static void everything_dropped(void)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct vcpu *vcpu = new_machine((struct vm_options){ .memfd = true });

		guest_on(kinds[kind].vector, note_and_skip);
		skip = kinds[kind].skip;
		*vm_pte(vcpu->vm, NOT_MAPPED) = 0;
		vcpu_start(vcpu, MODE_LONG, RING0, raise_often, kind);
		for (unsigned int i = 0; i < ROUNDS; i++) {
			CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), i);
			CHECK_SYS(madvise(vcpu->vm->memory, VM_BYTES, MADV_DONTNEED));
		}
		CHECK_EQ(vcpu_finish(vcpu), 0);
		check_delivered(&kinds[kind]);
		CHECK_THAT(taken == ROUNDS, "%s: taken %u times", kinds[kind].name, taken);
		vm_close(vcpu->vm);
	}
}

/* ------------------------------------------------------------------ double faults, SDM vol. 3A, table 6-5 */

/* The first fault's gate is not present, or its stack is not mapped by the guest */
enum broken { GATE, STACK };

static GUEST void report(struct guest_frame *frame)
{
	note(frame);
	outl(PORT_TEST, frame->vector);
}

/* @kind, and touches the page that a delivery on another stack needs: the TSS's */
static GUEST __u32 raise_once(__u64 kind)
{
	(void)*(volatile __u8 *)GUEST_CPU_AREAS;
	wrmsr(APIC_SVR, SVR_ON);
	raise_event(kind);
	return 0;
}

static struct vcpu *broken_guest(unsigned int kind, enum broken broken, __u64 traps)
{
	static const __u8 reported[] = { UD, DF, NP, GP, PF };
	struct vcpu *vcpu = new_machine((struct vm_options){ .traps = traps });
	__u8 vector = kinds[kind].vector;

	for (unsigned int i = 0; i < ARRAY_SIZE(reported); i++)
		guest_on(reported[i], report);
	*vm_pte(vcpu->vm, NOT_MAPPED) = 0;
	/* Once with all in order: from then on no delivery is cut off by memory that is not there yet */
	vcpu_start(vcpu, MODE_LONG, RING0, raise_once, kind);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	vcpu_start(vcpu, MODE_LONG, RING0, raise_once, kind);
	if (broken == GATE)
		vcpu->vm->memory[GUEST_IDT64 + 16 * vector + 5] &= ~0x80;
	else
		use_ist(vcpu, vector, NOT_MAPPED);
	return vcpu;
}

static const struct {
	__u8 kind;
	enum broken broken;
	__u8 becomes;
	__u32 error;
} faults[] = {
	{ INTERRUPT,	GATE,  NP, VECTOR << 3 | 3 },	/* benign: the second fault alone */
	{ UNDEFINED,	GATE,  NP, UD << 3 | 3 },
	{ SOFTWARE,	GATE,  NP, 0x60 << 3 | 2 },
	{ BREAKPOINT,	GATE,  NP, BP << 3 | 2 },
	{ INTERRUPT,	STACK, PF, 2 },
	{ UNDEFINED,	STACK, PF, 2 },
	{ WITH_ERROR,	GATE,  DF, 0 },			/* contributory, then contributory */
	{ WITH_ERROR,	STACK, PF, 2 },			/* contributory, then a page fault: alone */
	{ PAGE_FAULT,	GATE,  DF, 0 },			/* a page fault, then contributory */
	{ PAGE_FAULT,	STACK, DF, 0 },			/* twice a page fault */
};

static void check_faults(__u64 traps)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		struct vcpu *vcpu = broken_guest(faults[i].kind, faults[i].broken, traps);
		__u32 vector = vcpu_expect_out(vcpu, PORT_TEST), error = faults[i].error;

		if (!machine.error_ext)
			error &= ~1;
		CHECK_THAT(vector == faults[i].becomes && last.error == error, "%s, %s: %u, error %#llx",
			   kinds[faults[i].kind].name, faults[i].broken == GATE ? "gate" : "stack", vector, last.error);
		if (vector == PF)
			CHECK_EQ(last.cr2 & -PAGE, NOT_MAPPED);
		vm_close(vcpu->vm);
	}
}

static void double_faults(void)
{
	check_faults(0);
}

/* The same where the module delivers the faults, and so combines them */
static void double_faults_trapped(void)
{
	not_in_tcg("does not combine an injected fault with the one that its delivery meets");
	check_faults(TPZ_TRAP_PF | TPZ_TRAP_UD | TPZ_TRAP_INT3);
}

static void check_triple_faults(__u64 traps)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		struct vcpu *vcpu;

		if (faults[i].becomes != DF)
			continue;
		vcpu = broken_guest(faults[i].kind, faults[i].broken, traps);
		vcpu->vm->memory[GUEST_IDT64 + 16 * DF + 5] &= ~0x80;
		vcpu_expect(vcpu, TPZ_EXIT_TRIPLE_FAULT);
		vm_close(vcpu->vm);
	}
}

static void triple_fault(void)
{
	check_triple_faults(0);
}

static void triple_fault_trapped(void)
{
	not_in_tcg("does not count an injected #DF towards a triple fault");
	check_triple_faults(TPZ_TRAP_PF | TPZ_TRAP_UD | TPZ_TRAP_INT3);
}

/* ------------------------------------------------------------------ a guest cannot take the machine */

static GUEST void spin_cli(void)
{
	for (;;)
		spin_off();
}

static GUEST void halt_cli(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

#define PROGRESS_GPA	IST_GPA		/* shared between the processes */

static GUEST void count_up(void)
{
	sti();
	for (;;)
		++*(volatile __u64 *)PROGRESS_GPA;
}

static volatile __u64 *progress;

struct rival {
	const char *name;
	uintptr_t guest;	/* 0: a loop in user space; 1: nothing */
};

/* Never returns */
static void live(uintptr_t guest, bool with_progress)
{
	struct vcpu *vcpu;

	run_on_cpu(0);
	while (!guest)
		asm volatile("pause");
	vcpu = new_machine((struct vm_options){});
	if (with_progress)
		vm_set_slot(vcpu->vm, SLOT_TEST, PROGRESS_GPA, PAGE, progress, 0);
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	for (;;)
		vcpu_run(vcpu);
}

static void kill_child(void *arg)
{
	pid_t pid = (intptr_t)arg;

	if (!kill(pid, SIGKILL))
		waitpid(pid, NULL, 0);
}

static pid_t spawn(uintptr_t guest, bool with_progress)
{
	pid_t pid = CHECK_SYS(fork());

	if (!pid)
		live(guest, with_progress);
	ktap_defer(kill_child, (void *)(intptr_t)pid);
	return pid;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t))
		;
}

/* CPU 0's local timer interrupts so far */
static long ticks(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[1024];
	long count = -1;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " LOC: %ld", &count) == 1)
			break;
	fclose(file);
	CHECK_GE(count, 0);
	return count;
}

/* CPU 0's time in guests so far, in hundredths of a second */
static long guest_time(void)
{
	FILE *file = fopen("/proc/stat", "re");
	char line[512];
	long t[9] = {};

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "cpu0 %ld %ld %ld %ld %ld %ld %ld %ld %ld", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
			   &t[6], &t[7], &t[8]) == 9)
			break;
	fclose(file);
	return t[8];
}

static int wait_for_exit(pid_t pid)
{
	int status;

	for (unsigned int i = 0; i < 200; i++) {
		if (CHECK_SYS(waitpid(pid, &status, WNOHANG)) == pid)
			return status;
		sleep_ms(20);
	}
	FAIL("process %d does not end", pid);
}

struct effect {
	long ticks;
	__u64 progress;
};

#define MEASURE_MS	2000

/* What a rival on CPU 0 leaves of the timer's ticks and of another VM's progress there; then it is killed */
static struct effect measure(const struct rival *rival)
{
	struct effect effect;
	pid_t other, pid = 0;
	int vms = vms_alive();

	other = spawn((uintptr_t)count_up, true);
	if (rival->guest != 1)
		pid = spawn(rival->guest, false);
	sleep_ms(500);
	effect.ticks = ticks();
	effect.progress = *progress;
	sleep_ms(MEASURE_MS);
	effect.ticks = ticks() - effect.ticks;
	effect.progress = *progress - effect.progress;
	ktap_diag("%s: %ld ticks, progress %llu", rival->name, effect.ticks, effect.progress);
	if (pid) {
		CHECK_SYS(kill(pid, SIGKILL));
		CHECK_EQ(wait_for_exit(pid), SIGKILL);
	}
	CHECK_SYS(kill(other, SIGKILL));
	CHECK_EQ(wait_for_exit(other), SIGKILL);
	for (unsigned int i = 0; vms_alive() != vms; i++) {
		CHECK_LT(i, 100);
		sleep_ms(20);
	}
	return effect;
}

static void check_same(const struct rival *rival, const struct rival *fair)
{
	struct effect with = measure(rival), without = measure(fair);

	CHECK_GE(with.ticks * 10, without.ticks * 7);
	CHECK_GE(with.progress * 10, without.progress * 7);
	CHECK_LE(with.progress * 10, without.progress * 14);
}

static void share_page(void)
{
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED);
}

/* Spinning with interrupts off is worth as much as a loop in user space */
static void cannot_take_spinning(void)
{
	share_page();
	check_same(&(struct rival){ "cli; jmp", (uintptr_t)spin_cli }, &(struct rival){ "user-space loop", 0 });
}

/* Halted with interrupts off is worth nothing */
static void cannot_take_halted(void)
{
	share_page();
	check_same(&(struct rival){ "cli; hlt", (uintptr_t)halt_cli }, &(struct rival){ "nothing", 1 });
}

static void guest_time_is_told(void)
{
	pid_t pid = spawn((uintptr_t)spin_cli, false);
	long before, after;

	sleep_ms(500);
	before = guest_time();
	sleep_ms(3000);
	after = guest_time();
	CHECK_GE(after - before, 100);	/* of 300: on a machine of 10 MHz its tick takes the host a good part of each */
	CHECK_LE(after - before, 400);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(wait_for_exit(pid), SIGKILL);
	before = guest_time();
	sleep_ms(1000);
	CHECK_LE(guest_time() - before, 10);
}

/* Nothing in the host's log is the point: RCU complains after 21 s */
static void long_spin(void)
{
	pid_t pid;

	ktap_timeout(200);
	pid = spawn((uintptr_t)spin_cli, false);
	sleep_ms(65000);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(wait_for_exit(pid), SIGKILL);
}

static const struct ktap_case cases[] = {
	{ "STI and POPF: when the interrupt comes", sti_shadow },
	{ "IRET: when the interrupt comes", iret },
	{ "shadows set from outside hold for one instruction", shadows_in_state },
	{ "the shadow of MOV SS across an exit", mov_ss_shadow },
	{ "one exit and one interrupt for each window", windows },
	{ "delivery cut off: the stack's page was dropped", stack_dropped },
	{ "delivery cut off: the stack's slot was removed", slot_removed },
	{ "delivery cut off: all of memory was dropped", everything_dropped },
	{ "double faults by the CPU", double_faults },
	{ "double faults by the module", double_faults_trapped },
	{ "triple faults by the CPU", triple_fault },
	{ "triple faults after a #DF of the module", triple_fault_trapped },
	{ "a guest cannot take the machine: spinning with interrupts off", cannot_take_spinning },
	{ "a guest cannot take the machine: halted with interrupts off", cannot_take_halted },
	{ "a guest's time is told as such", guest_time_is_told },
	{ "a guest that spins for a minute stalls nobody", long_spin },
};
KTAP_MAIN(cases)
