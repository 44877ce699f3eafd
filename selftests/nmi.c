// SPDX-License-Identifier: GPL-2.0
/*
 * Non-maskable interrupts, the guest's and the host's. A guest's second NMI waits, one deep, until the IRET of the
 * handler of the first (SDM vol. 3A, "Handling Multiple NMIs"); the host's NMIs reach the host at all times.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define VECTOR		0x51
#define NMI		2
#define BP		3

static volatile __u32 taken, interrupts;
static volatile __u64 last_rip;

static GUEST void note(struct guest_frame *frame)
{
	last_rip = frame->rip;
	taken++;
}

static GUEST void note_interrupt(struct guest_frame *frame)
{
	(void)frame;
	interrupts++;
	wrmsr(APIC_EOI, 0);
}

/* To the vCPU itself; delivered before the next instruction, if it may be */
static inline void send_nmi(void)
{
	wrmsr(APIC_ICR, MODE_NMI);
}

static struct vcpu *new_machine(guest_handler handler)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	taken = 0;
	interrupts = 0;
	guest_on(NMI, handler);
	guest_on(VECTOR, note_interrupt);
	return vcpu;
}

#define start(guest, handler)	start_at((uintptr_t)(guest), handler)
static struct vcpu *start_at(uintptr_t guest, guest_handler handler)
{
	struct vcpu *vcpu = new_machine(handler);

	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}

/* ------------------------------------------------------------------ the guest's own */

/* Returns how many came between here and there, and checks where the last one came */
static GUEST __u32 send_one(void)
{
	__u64 at;

	wrmsr(APIC_SVR, SVR_ON);
	asm volatile("lea 1f(%%rip), %0; wrmsr; 1:" : "=&r"(at) : "c"(APIC_ICR), "a"(MODE_NMI), "d"(0) : "memory");
	GUEST_CHECK_EQ(last_rip, at);
	return taken;
}

static GUEST void send_two_more(struct guest_frame *frame)
{
	note(frame);
	if (taken > 1)
		return;
	send_nmi();
	send_nmi();
	GUEST_CHECK_EQ(taken, 1);
	outl(PORT_TEST, 0);
	GUEST_CHECK_EQ(taken, 1);
}

static void one_deep(void)
{
	struct vcpu *vcpu = start(send_one, send_two_more);
	struct tpz_events events;

	vcpu_expect_out(vcpu, PORT_TEST);
	events = vcpu_get(vcpu, TPZ_STATE_EVENTS).events;
	CHECK_EQ(events.nmi_blocked, 1);
	CHECK_EQ(events.nmi_pending, 1);
	CHECK_EQ(events.pending, 0);
	CHECK_EQ(vcpu_finish(vcpu), 2);
	events = vcpu_get(vcpu, TPZ_STATE_EVENTS).events;
	CHECK_EQ(events.nmi_blocked, 0);
	CHECK_EQ(events.nmi_pending, 0);
}

static GUEST __u32 send_many(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (__u32 i = 0; i < 100; i++) {
		send_nmi();
		GUEST_CHECK_EQ(taken, i + 1);
	}
	return taken;
}

static void many(void)
{
	struct vcpu *vcpu = start(send_many, note);
	struct meters meters = meters_open(vcpu->vm->id);

	CHECK_EQ(vcpu_finish(vcpu), 100);
	CHECK_EQ(meters_read(&meters, 0).injected_nmis, 100);
}

/* Any IRET ends the blocking, also that of an exception inside the handler */
static GUEST void nothing(struct guest_frame *frame)
{
	(void)frame;
}

static GUEST void nest(struct guest_frame *frame)
{
	note(frame);
	if (taken > 1)
		return;
	send_nmi();
	GUEST_CHECK_EQ(taken, 1);
	asm volatile("int3" : : : "memory");
	GUEST_CHECK_EQ(taken, 2);
}

static GUEST __u32 send_and_count(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	send_nmi();
	return taken;
}

static void any_iret(void)
{
	struct vcpu *vcpu = start(send_and_count, nest);

	guest_on(BP, nothing);
	CHECK_EQ(vcpu_finish(vcpu), 2);
}

/*
 * The IRET itself is cut off: its GDT's page is gone. It has not ended the blocking then, so the second NMI waits
 * until it has run in full.
 */
#define GDT_GPA		(16UL << 20)

static void iret_cut_off(void)
{
	struct vcpu *vcpu = new_machine(send_two_more);
	void *gdt = vm_add_memory(vcpu->vm, SLOT_TEST, GDT_GPA, PAGE, 0);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)send_one, 0);
	struct tpz_events events;

	memcpy(gdt, vm_host(vcpu->vm, GUEST_GDT), PAGE);
	state.segments.gdtr.base = GDT_GPA;
	vcpu_set(vcpu, &state);
	vcpu_expect_out(vcpu, PORT_TEST);
	vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa & -PAGE, GDT_GPA);
	CHECK_EQ(*(__u16 *)vm_host(vcpu->vm, vcpu->run->rip), 0xcf48);	/* IRETQ */
	events = vcpu_get(vcpu, TPZ_STATE_EVENTS).events;
	CHECK_EQ(events.nmi_blocked, 1);
	CHECK_EQ(events.nmi_pending, 1);
	CHECK_EQ(events.pending, 0);
	CHECK_EQ(taken, 1);
	vm_set_slot(vcpu->vm, SLOT_TEST, GDT_GPA, PAGE, gdt, 0);
	CHECK_EQ(vcpu_finish(vcpu), 2);
}

/* NMIs come before interrupts; the handler's interrupts wait for its IRET as well, because IF is clear */
static GUEST void before_interrupt(struct guest_frame *frame)
{
	GUEST_CHECK_EQ(interrupts, 0);
	note(frame);
}

static GUEST __u32 send_both(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(APIC_SELF_IPI, VECTOR);
	asm volatile("sti; wrmsr; nop; cli" : : "c"(APIC_ICR), "a"(MODE_NMI), "d"(0) : "memory");
	GUEST_CHECK_EQ(interrupts, 1);
	return taken;
}

static void before_interrupts(void)
{
	CHECK_EQ(vcpu_finish(start(send_both, before_interrupt)), 1);
}

/* ------------------------------------------------------------------ set from outside */

#define STRING(x)	STRING_OF(x)
#define STRING_OF(x)	#x

/* Two instructions of one byte, an IRET to the next instruction, and one more */
static GUEST __attribute__((naked)) void nops_and_iret(void)
{
	asm("nop; nop\n"
	    "mov %ss, %eax; push %rax; lea 8(%rsp), %rax; push %rax; pushf; mov %cs, %eax; push %rax\n"
	    "lea after_iret(%rip), %rax; push %rax; iretq\n"
	    "after_iret: nop; xor %eax, %eax; out %eax, $" STRING(PORT_DONE));
}

extern const char after_iret[];

static __u64 taken_at(struct tpz_events wanted)
{
	struct vcpu *vcpu = new_machine(note);
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)nops_and_iret, 0);

	state.groups |= TPZ_STATE_EVENTS;
	state.regs.rflags |= wanted.sti_shadow ? RFLAGS_IF : 0;
	state.events = wanted;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(taken, 1);
	return last_rip;
}

static void state(void)
{
	const __u64 first = (uintptr_t)nops_and_iret;

	CHECK_EQ(taken_at((struct tpz_events){ .nmi_pending = 1 }), first);
	CHECK_EQ(taken_at((struct tpz_events){ .nmi_pending = 1, .mov_ss_shadow = 1 }), first + 1);
	/* Whether the shadow of STI holds back an NMI differs among CPUs */
	CHECK_LE(taken_at((struct tpz_events){ .nmi_pending = 1, .sti_shadow = 1 }), first + 1);
	CHECK_EQ(taken_at((struct tpz_events){ .nmi_pending = 1, .nmi_blocked = 1 }), (uintptr_t)after_iret);
}

static GUEST __u32 halt(void)
{
	asm volatile("cli; hlt" : : : "memory");
	return taken;
}

static void nobody(int signal)
{
	(void)signal;
}

/* Halted with interrupts off: an NMI is what wakes it */
static void wakes_halted(void)
{
	struct sigaction action = { .sa_handler = nobody };
	struct itimerspec times = { { 0, 30000000 }, { 0, 30000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct vcpu *vcpu = start(halt, note);
	struct tpz_state state;
	timer_t timer;

	CHECK_SYS(sigaction(SIGUSR1, &action, NULL));
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_SYS(timer_settime(timer, 0, &times, NULL));
	do
		CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	while (vcpu_get(vcpu, TPZ_STATE_EVENTS).events.activity != TPZ_ACTIVITY_HLT);
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);		/* and it stays so */
	timer_delete(timer);
	state = vcpu_get(vcpu, TPZ_STATE_EVENTS);
	CHECK_EQ(state.events.activity, TPZ_ACTIVITY_HLT);
	CHECK_EQ(taken, 0);
	state.events.nmi_pending = 1;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* ------------------------------------------------------------------ the host's */

static volatile bool stop, in_handler;

/* The guest runs on CPU 0, in a thread; the test goes on on CPU 1 */
static void *run_to_end(void *vcpu)
{
	run_on_cpu(0);
	vcpu_finish(vcpu);
	return NULL;
}

static void all_cpus(void *unused)
{
	cpu_set_t set;

	(void)unused;
	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static pthread_t run_beside(struct vcpu *vcpu)
{
	pthread_t thread;

	if (cpus_online() < 2)
		SKIP("one CPU");
	ktap_defer(all_cpus, NULL);
	run_on_cpu(1);
	CHECK_EQ(pthread_create(&thread, NULL, run_to_end, vcpu), 0);
	return thread;
}

static void write_file(const char *path, const char *text)
{
	int fd = CHECK_SYS(open(path, O_WRONLY | O_CLOEXEC));

	CHECK_SYS(write(fd, text, strlen(text)));
	close(fd);
}

static void loud(void *unused)
{
	(void)unused;
	write_file("/proc/sys/kernel/printk", "4");
}

/* Backtraces to the log, not to the console, which is slow */
static void quiet(void)
{
	write_file("/proc/sys/kernel/printk", "1");
	ktap_defer(loud, NULL);
}

/* The other CPUs are asked for a backtrace, by NMI */
static void host_nmi(void)
{
	write_file("/proc/sysrq-trigger", "l");
	usleep(20000);
}

/* NMIs that CPU 0 of the host has taken */
static long host_nmis(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[1024];
	long count = -1;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " NMI: %ld", &count) == 1)
			break;
	fclose(file);
	CHECK_GE(count, 0);
	return count;
}

static __u64 hits(const struct meters *meters)
{
	return meters_read(meters, 0).reason[TPZ_EXIT_HOST_NMI].count;
}

#define HITS	5
#define TRIES	200

/* Some find the host at work on an exit: on an emulated CPU half of them, on a kernel full of checks most */
static long host_nmis_until_hit(const struct meters *meters, long at_least)
{
	long sent = 0;

	while (sent < at_least || (hits(meters) < HITS && sent < TRIES)) {
		host_nmi();
		sent++;
	}
	ktap_diag("%llu of %ld NMIs hit the guest", hits(meters), sent);
	return sent;
}

static GUEST __u32 spin(void)
{
	while (!stop)
		spin_off();
	return 0;
}

static void while_guest_spins(void)
{
	struct vcpu *vcpu = start(spin, note);
	struct meters meters = meters_open(vcpu->vm->id);
	long before, sent;
	pthread_t thread;

	stop = false;
	quiet();
	thread = run_beside(vcpu);
	usleep(100000);
	before = host_nmis();
	sent = host_nmis_until_hit(&meters, 10);
	CHECK_GE(host_nmis() - before, sent);
	stop = true;
	pthread_join(thread, NULL);
	CHECK_GE(hits(&meters), HITS);
	CHECK_EQ(taken, 0);
}

/* In the guest's NMI handler, with its second one waiting */
static GUEST void stay(struct guest_frame *frame)
{
	note(frame);
	if (taken > 1)
		return;
	send_nmi();
	in_handler = true;
	while (!stop)
		spin_off();
	GUEST_CHECK_EQ(taken, 1);
}

static void while_guest_handles_nmi(void)
{
	struct vcpu *vcpu = start(send_and_count, stay);
	struct meters meters = meters_open(vcpu->vm->id);
	long before, sent;
	pthread_t thread;

	stop = false;
	in_handler = false;
	quiet();
	thread = run_beside(vcpu);
	while (!in_handler)
		usleep(10000);
	before = host_nmis();
	sent = host_nmis_until_hit(&meters, 10);
	CHECK_GE(host_nmis() - before, sent);
	CHECK_EQ(taken, 1);
	stop = true;
	pthread_join(thread, NULL);
	CHECK_EQ(taken, 2);
	CHECK_GE(hits(&meters), HITS);
	CHECK_EQ(meters_read(&meters, 0).injected_nmis, 2);
}

/* Exits, interrupts and NMIs of its own, while the host's NMIs rain on it */
static volatile __u64 rounds;

static GUEST __u32 busy(void)
{
	__u32 eax, ebx, ecx, edx;

	wrmsr(APIC_SVR, SVR_ON);
	while (!stop) {
		cpuid(0, 0, &eax, &ebx, &ecx, &edx);
		GUEST_CHECK_EQ(interrupts, rounds);
		wrmsr(APIC_SELF_IPI, VECTOR);
		window();
		send_nmi();
		rounds++;
		GUEST_CHECK_EQ(taken, rounds);
		for (__u32 i = 0; i < 10000; i++)
			spin_off();
	}
	return 0;
}

static void storm(void)
{
	struct vcpu *vcpu = start(busy, note);
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters m;
	pthread_t thread;

	stop = false;
	rounds = 0;
	quiet();
	thread = run_beside(vcpu);
	host_nmis_until_hit(&meters, 30);
	stop = true;
	pthread_join(thread, NULL);
	m = meters_read(&meters, 0);
	ktap_diag("%llu rounds", rounds);
	CHECK_GE(hits(&meters), HITS);
	CHECK_GT(rounds, 20);
	CHECK_EQ(taken, rounds);
	CHECK_EQ(interrupts, rounds);
	CHECK_EQ(m.injected_nmis, rounds);
	CHECK_EQ(m.injected_interrupts, rounds);
}

static const struct ktap_case cases[] = {
	{ "one more waits, one deep, until IRET", one_deep },
	{ "each is taken once", many },
	{ "an exception's IRET inside the handler lets the next one in", any_iret },
	{ "an IRET that missing pages cut off", iret_cut_off },
	{ "before interrupts", before_interrupts },
	{ "state set from outside: pending, blocked, in a shadow", state },
	{ "wakes a guest halted with interrupts off", wakes_halted },
	{ "the host's, while a guest spins with interrupts off", while_guest_spins },
	{ "the host's, while a guest is in its NMI handler", while_guest_handles_nmi },
	{ "a storm of the host's", storm },
};
KTAP_MAIN(cases)
