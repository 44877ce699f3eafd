// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest may ask for by hypercalls, with any arguments; and what vCPUs that wait for each other, on fewer CPUs than
 * there are of them, spare the host: a CPU given to the one that is waited for, and TLB shoot-downs that let those be who
 * do not run.
 */
#define MAX		8		/* vCPUs of a VM */
#define _GNU_SOURCE
#include "apic.h"
#include "threads.h"

#include <sched.h>

#define VECTOR		0x61
#define EINVAL_KVM	((__u64)-22)
#define ENOSYS_KVM	((__u64)-1000)
#define EPERM_KVM	((__u64)-1)

#define HC_POLL_IRQ	1
#define HC_KICK		5
#define HC_SEND_IPI	10
#define HC_YIELD	11

static inline __u64 hypercall(__u64 nr, __u64 a, __u64 b, __u64 c, __u64 d)
{
	if (machine.vmmcall)
		asm volatile("vmmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	else
		asm volatile("vmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return nr;
}

static volatile __u32 ready, got[MAX];
static volatile bool done;

static void begin(void)
{
	ready = 0;
	done = false;
	memset((void *)got, 0, sizeof(got));
}

/* A handler knows its vCPU by its stack, which costs no exit */
static inline __u32 id_of(const struct guest_frame *frame)
{
	return ((uintptr_t)frame - GUEST_CPU_AREAS) / GUEST_CPU_BYTES;
}

static GUEST void note(struct guest_frame *frame)
{
	add(&got[id_of(frame)]);
	if (frame->vector != 2)
		wrmsr(APIC_EOI, 0);
}

static GUEST __u32 sleeper(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	add(&ready);
	while (!done)
		wait_for_interrupt();
	return 0;
}

static GUEST void dismiss(void)
{
	done = true;
	wrmsr(APIC_ICR, TO_OTHERS | VECTOR);
}

/* ------------------------------------------------------------------ which calls there are */

static const __u64 unknown[] = { 0, 2, 3, 4, 6, 7, 8, 9, 12, 13, 0x7fff, 0xffffffff, 1ULL << 63, ~0ULL };

static GUEST __u32 ask_all(__u64 services)
{
	for (__u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
		GUEST_CHECK_EQ(hypercall(unknown[i], 0, 0, 0, 0), ENOSYS_KVM);
		GUEST_CHECK_EQ(hypercall(unknown[i], ~0ULL, ~0ULL, ~0ULL, ~0ULL), ENOSYS_KVM);
	}
	GUEST_CHECK_EQ(hypercall(HC_POLL_IRQ, 0, 0, 0, 0), 0);
	GUEST_CHECK_EQ(hypercall(HC_KICK, 0, 7, 0, 0), services & TPZ_DEVICE_LAPIC ? 0 : ENOSYS_KVM);
	GUEST_CHECK_EQ(hypercall(HC_SEND_IPI, 0, 0, 0, VECTOR), services & TPZ_DEVICE_LAPIC ? 0 : ENOSYS_KVM);
	GUEST_CHECK_EQ(hypercall(HC_YIELD, 7, 0, 0, 0), services ? 0 : ENOSYS_KVM);
	return 0;
}

static void which_calls_there_are(void)
{
	static const struct {
		__u64 devices, services;
	} vms[] = {
		{ 0, 0 },
		{ TPZ_DEVICE_LAPIC, 0 },
		{ TPZ_DEVICE_KVMCLOCK, TPZ_DEVICE_KVMCLOCK },
		{ TPZ_DEVICES_PC, TPZ_DEVICES_PC },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(vms); i++) {
		struct vcpu *vcpu = vm_with_vcpu(.devices = vms[i].devices);

		vcpu_start(vcpu, MODE_LONG, RING0, ask_all, vms[i].services);
		CHECK_EQ(vcpu_finish(vcpu), 0);
	}
}

static GUEST __u32 from_ring3(void)
{
	GUEST_CHECK_EQ(hypercall(HC_POLL_IRQ, 0, 0, 0, 0), EPERM_KVM);
	GUEST_CHECK_EQ(hypercall(HC_SEND_IPI, 1, 0, 0, VECTOR), EPERM_KVM);
	GUEST_CHECK_EQ(hypercall(HC_YIELD, 0, 0, 0, 0), EPERM_KVM);
	GUEST_CHECK_EQ(hypercall(77, 0, 0, 0, 0), EPERM_KVM);
	return 0;
}

static void not_for_user_code(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);

	vcpu_start(vcpu, MODE_LONG, RING3, from_ring3, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static GUEST __u32 no_such_instruction(void)
{
	struct guest_fault fault;

	if (machine.vmmcall)
		GUEST_TRY(fault, "vmmcall", (), ("a"(HC_POLL_IRQ)));
	else
		GUEST_TRY(fault, "vmcall", (), ("a"(HC_POLL_IRQ)));
	return fault.vector;
}

static void none_without_a_hypervisor(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC, .flags = TPZ_VM_NO_HYPERVISOR);

	vcpu_start(vcpu, MODE_LONG, RING0, no_such_instruction, 0);
	CHECK_EQ(vcpu_finish(vcpu), 6);
}

/* ------------------------------------------------------------------ KVM_HC_SEND_IPI */

/* To vCPUs 0 to 3: who gets it, or the error */
static const struct {
	__u64 low, high, first, command, answer;
	__u32 receivers;
} calls[] = {
	{ 1, 0, 0, VECTOR, 1, 1 },
	{ 1, 0, 3, VECTOR, 1, 8 },
	{ 5, 0, 1, VECTOR, 2, 10 },
	{ 15, 0, 0, 0x4000 | VECTOR, 4, 15 },
	{ ~0ULL, ~0ULL, 0, VECTOR, 4, 15 },
	{ ~0ULL, ~0ULL, 2, VECTOR, 2, 12 },
	{ 0xa, 0, 0, 0x400, 2, 10 },			/* an NMI: its vector does not count */
	{ 0, ~0ULL, 0, VECTOR, 0, 0 },
	{ ~0ULL << 4, ~0ULL, 0, VECTOR, 0, 0 },
	{ ~0ULL, ~0ULL, 4, VECTOR, 0, 0 },
	{ ~0ULL, ~0ULL, 63, VECTOR, 0, 0 },
	{ ~0ULL, ~0ULL, 64, VECTOR, 0, 0 },
	{ ~0ULL, ~0ULL, 1ULL << 32, VECTOR, 0, 0 },
	{ ~0ULL, ~0ULL, ~0ULL, VECTOR, 0, 0 },
	{ 0, 0, 0, VECTOR, 0, 0 },
	{ 15, 0, 0, 15, EINVAL_KVM, 0 },		/* no vector of an interrupt */
	{ 15, 0, 0, 0x100 | VECTOR, EINVAL_KVM, 0 },	/* lowest priority, SMI, INIT, STARTUP, ExtINT */
	{ 15, 0, 0, 0x200 | VECTOR, EINVAL_KVM, 0 },
	{ 15, 0, 0, 0x500, EINVAL_KVM, 0 },
	{ 15, 0, 0, 0x600 | 0x10, EINVAL_KVM, 0 },
	{ 15, 0, 0, 0x700, EINVAL_KVM, 0 },
	{ 15, 0, 0, 0x800 | VECTOR, EINVAL_KVM, 0 },	/* a destination of its own; shorthands; what no ICR has */
	{ 15, 0, 0, 0x40000 | VECTOR, EINVAL_KVM, 0 },
	{ 15, 0, 0, 0xc0000 | VECTOR, EINVAL_KVM, 0 },
	{ 15, 0, 0, 1ULL << 32 | VECTOR, EINVAL_KVM, 0 },
	{ 15, 0, 0, ~0ULL, EINVAL_KVM, 0 },
};

static GUEST __u32 send_each(void)
{
	__u32 expected[4] = { 0, 0, 0, 0 };

	wrmsr(APIC_SVR, SVR_ON);
	wait_until(&ready, 3);
	for (__u32 i = 0; i < ARRAY_SIZE(calls); i++) {
		GUEST_CHECK_EQ(hypercall(HC_SEND_IPI, calls[i].low, calls[i].high, calls[i].first, calls[i].command),
			       calls[i].answer);
		for (__u32 id = 0; id < 4; id++) {
			expected[id] += calls[i].receivers >> id & 1;
			wait_until(&got[id], expected[id]);
		}
	}
	for (__u32 id = 0; id < 4; id++)
		GUEST_CHECK_EQ(got[id], expected[id]);
	dismiss();
	return 0;
}

static void ipis(void)
{
	begin();
	guest_on(VECTOR, note);
	guest_on(2, note);
	run_all(4, send_each, sleeper);
}

/* ------------------------------------------------------------------ KVM_HC_KICK_CPU */

#define KICKS	200

static volatile __u32 halting, woken;

/* Sleeps with interrupts off: nothing but the kick wakes it */
static GUEST __u32 kicked(void)
{
	for (__u32 i = 0; i < KICKS; i++) {
		add(&halting);
		hlt();
		add(&woken);
	}
	return 0;
}

/* Before it halts, while it halts, after: no kick is lost */
static GUEST __u32 kicker(void)
{
	for (__u32 i = 1; i <= KICKS; i++) {
		wait_until(&halting, i);
		GUEST_CHECK_EQ(woken, i - 1);
		GUEST_CHECK_EQ(hypercall(HC_KICK, 0, 1, 0, 0), 0);
		wait_until(&woken, i);
	}
	for (__u32 i = 2; i < 70; i++)
		GUEST_CHECK_EQ(hypercall(HC_KICK, 0, i, 0, 0), 0);
	GUEST_CHECK_EQ(hypercall(HC_KICK, ~0ULL, ~0ULL, ~0ULL, ~0ULL), 0);
	return 0;
}

static void kicks(void)
{
	begin();
	halting = woken = 0;
	run_all(2, kicker, kicked);
}

static GUEST __u32 kick_oneself(void)
{
	hypercall(HC_KICK, 0, 0, 0, 0);
	outb(PORT_TEST, 0);
	hlt();
	outb(PORT_TEST, 0);
	hlt();				/* by the state that is set */
	return 0;
}

static void kicks_are_state(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct tpz_state state;

	vcpu_start(vcpu, MODE_LONG, RING0, kick_oneself, 0);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_PV).pv.kicked, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_PV).pv.kicked, 1);
	vcpu_expect_out(vcpu, PORT_TEST);
	state = vcpu_get(vcpu, TPZ_STATE_PV);
	CHECK_EQ(state.pv.kicked, 0);
	state.pv.kicked = 2;
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
	CHECK_EQ(state.bad_group, TPZ_STATE_PV);
	state.pv.kicked = 1;
	vcpu_set(vcpu, &state);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* ------------------------------------------------------------------ a CPU for the one that is waited for */

#define TURNS	100

static volatile __u32 turn;

/* Each in turn; both threads have one CPU */
static GUEST void take_turns(__u32 mine, bool ask)
{
	sti();
	for (__u32 i = 0; i < TURNS; i++) {
		while (turn % 2 != mine) {
			if (ask)
				hypercall(HC_YIELD, !mine, 0, 0, 0);
			else
				asm volatile("pause");
		}
		turn++;
	}
}

static GUEST __u32 yield_in_turn(__u64 id)
{
	take_turns(id, true);
	return 0;
}

static GUEST __u32 pause_in_turn(__u64 id)
{
	take_turns(id, false);
	return 0;
}

static void spread(void *unused)
{
	cpu_set_t all;

	(void)unused;
	memset(&all, 0xff, sizeof(all));
	CHECK_SYS(sched_setaffinity(0, sizeof(all), &all));
}

static void crowd(void)
{
	run_on_cpu(0);
	ktap_defer(spread, NULL);
}

static struct tpz_vcpu_meters sum_of(const struct meters *meters, unsigned int n)
{
	struct tpz_vcpu_meters sum = {};

	for (unsigned int i = 0; i < n; i++) {
		struct tpz_vcpu_meters m = meters_read(meters, i);

		sum.exits += m.exits;
		sum.yields += m.yields;
		sum.pv_flushes += m.pv_flushes;
		sum.injected_interrupts += m.injected_interrupts;
		for (unsigned int r = 0; r < TPZ_EXIT_COUNT; r++)
			sum.reason[r].count += m.reason[r].count;
	}
	return sum;
}

#define in_turn(guest)	in_turn_at((uintptr_t)(guest))
static struct tpz_vcpu_meters in_turn_at(uintptr_t guest)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct meters meters;

	turn = 0;
	crowd();
	run_all_in(vm, 2, guest, guest);
	CHECK_EQ(turn, 2 * TURNS);
	meters = meters_open(vm->id);
	return sum_of(&meters, 2);
}

static void yields_to_the_one_named(void)
{
	struct tpz_vcpu_meters m = in_turn(yield_in_turn);

	ktap_diag("%u turns, %llu calls, %llu yields", 2 * TURNS, m.reason[TPZ_EXIT_HYPERCALL].count, m.yields);
	CHECK_GT(m.yields, 0);
	CHECK_LE(m.yields, m.reason[TPZ_EXIT_HYPERCALL].count);
}

static GUEST __u32 yield_to_nobody(void)
{
	static const __u64 nobody[] = { 0, 1, 63, 64, 1ULL << 32, ~0ULL };

	for (__u32 i = 0; i < ARRAY_SIZE(nobody); i++)
		GUEST_CHECK_EQ(hypercall(HC_YIELD, nobody[i], ~0ULL, ~0ULL, ~0ULL), 0);
	return 0;
}

static void yields_to_nobody(void)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct vcpu *vcpu = vcpu_create(vm, 0);
	struct meters meters;

	vcpu_create(vm, 1);
	meters = meters_open(vm->id);
	vcpu_start(vcpu, MODE_LONG, RING0, yield_to_nobody, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(meters_read(&meters, 0).yields, 0);
}

/* Does the CPU tell of spinning? */
static bool tells_of_spinning(void)
{
	struct tpz_feature f = { .size = sizeof(f) };
	int device = device_open();

	for (; !ioctl(device, TPZ_GET_FEATURE, &f); f.index++)
		if (!strcmp(f.name, machine.svm ? "pause-filter" : "pause-loop-exiting"))
			return f.state == TPZ_FEATURE_PRESENT;
	return false;
}

static void a_spinning_vcpu_yields(void)
{
	struct tpz_vcpu_meters m;

	if (!tells_of_spinning())
		SKIP("this CPU does not tell of loops of PAUSEs");
	m = in_turn(pause_in_turn);
	ktap_diag("%u turns, %llu exits for spinning, %llu yields", 2 * TURNS, m.reason[TPZ_EXIT_PAUSE].count, m.yields);
	CHECK_GT(m.reason[TPZ_EXIT_PAUSE].count, 0);
	CHECK_GT(m.yields, 0);
}

/* ------------------------------------------------------------------ TLB shoot-downs */

#define MSR_STEAL	0x4b564d03
#define MSR_EOI		0x4b564d04
#define ENABLE		1
#define PREEMPTED	1
#define FLUSH		2
#define SHOTS		400
#define ASLEEP		6		/* at most; vCPU 1 is awake */

#define AREA(id)	(GUEST_FREE + 0x4000 + 128ULL * (id))		/* its steal time; then its flag of PV EOI */
#define AWAY(id)	((volatile __u8 *)AREA(id) + 16)
#define EOI_FLAG(id)	((volatile __u32 *)(AREA(id) + 64))
#define WINDOW		0x3f0000			/* the address whose translation changes */
#define PTE		((volatile __u64 *)(GUEST_PT + WINDOW / PAGE * 8))
#define PAGES		(GUEST_FREE + 0x10000)		/* between these two */

static volatile __u32 acks, paravirtual, sleepers;
static volatile __u64 stale;

static inline __u64 look(void)
{
	return *(volatile __u64 *)WINDOW;
}

static GUEST void shot(struct guest_frame *frame)
{
	bool ended = false;

	if (!done)		/* who was asleep all the time has nothing but the wish that was left for it */
		asm volatile("invlpg (%0)" : : "r"((__u64)WINDOW) : "memory");
	if (paravirtual)
		asm volatile("btrl $0, %1" : "=@ccc"(ended), "+m"(*EOI_FLAG(id_of(frame))) : : "memory");
	if (!ended)
		wrmsr(APIC_EOI, 0);
	add(&acks);
}

static GUEST void announce(__u64 id)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(MSR_STEAL, AREA(id) | ENABLE);
	wrmsr(MSR_EOI, (AREA(id) + 64) | ENABLE);
	look();
	add(&ready);
}

/* vCPU 1 runs all the time, the others sleep; at the end all must see what stands there then */
static GUEST __u32 target(__u64 id)
{
	announce(id);
	if (id == 1)
		sti();
	while (!done)
		if (id == 1)
			asm volatile("pause");
		else
			wait_for_interrupt();
	GUEST_CHECK_EQ(look(), SHOTS);
	return 0;
}

static inline bool leave_wish(__u64 id)
{
	__u8 said = *AWAY(id);

	return (said & PREEMPTED) &&
	       __atomic_compare_exchange_n(AWAY(id), &said, said | FLUSH, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* As Linux does it, with its services or without */
static GUEST void shoot(void)
{
	__u64 rest = 0;
	__u32 n = 0;

	asm volatile("invlpg (%0)" : : "r"((__u64)WINDOW) : "memory");
	acks = 0;
	for (__u64 id = 1; id <= 1 + sleepers; id++) {
		if (paravirtual && leave_wish(id))
			continue;
		n++;
		rest |= 1 << id;
		if (!paravirtual)
			wrmsr(APIC_ICR, id << 32 | VECTOR);
	}
	if (paravirtual && rest)
		GUEST_CHECK_EQ(hypercall(HC_SEND_IPI, rest, 0, 0, VECTOR), n);
	wait_until(&acks, n);
}

static GUEST __u32 shooter(void)
{
	announce(0);
	wait_until(&ready, 2 + sleepers);
	for (__u64 id = 2; id < 2 + sleepers; id++)
		while (!(*AWAY(id) & PREEMPTED))
			window();
	for (__u64 i = 1; i <= SHOTS; i++) {
		const __u64 page = PAGES + i % 2 * PAGE;

		*(volatile __u64 *)page = i;
		*PTE = page | (*PTE & 0xfff);
		shoot();
	}
	dismiss();
	return 0;
}

static __u32 guest_features(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct tpz_cpuid_entry entries[128];
	struct tpz_cpuid c = { .size = sizeof(c), .entries = (uintptr_t)entries, .capacity = ARRAY_SIZE(entries),
			       .entry_bytes = sizeof(*entries) };
	int n = CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_CPUID, &c));

	for (int i = 0; i < n && i < (int)ARRAY_SIZE(entries); i++)
		if (entries[i].leaf == 0x40000001)
			return entries[i].eax;
	return 0;
}

/* Exits in SHOTS shoot-downs: but for the host's own interrupts, among which a kick can't be told; it injects one, so counts */
static __u64 exits_of(bool with_services, unsigned int asleep)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC);
	struct tpz_vcpu_meters m;
	struct meters meters;

	begin();
	paravirtual = with_services;
	sleepers = asleep;
	memset(vm_host(vm, AREA(0)), 0, 128 * MAX);
	guest_on(VECTOR, shot);
	run_all_in(vm, 2 + asleep, (uintptr_t)shooter, (uintptr_t)target);
	meters = meters_open(vm->id);
	m = sum_of(&meters, 2 + asleep);
	if (with_services)
		CHECK_GE(m.pv_flushes, asleep);
	return m.exits - m.reason[TPZ_EXIT_HOST_INTERRUPT].count - m.reason[TPZ_EXIT_HOST_NMI].count -
	       m.reason[TPZ_EXIT_PAUSE].count + m.injected_interrupts;
}

static void shootdowns(void)
{
	static const unsigned int asleep[] = { 0, 2, ASLEEP };
	__u64 without[3], with[3];

	if (!(guest_features() & 1 << 9))
		SKIP("this host's scheduler keeps no account of waits: there is no steal time, and so no PV TLB flush");
	for (unsigned int i = 0; i < 3; i++) {
		without[i] = exits_of(false, asleep[i]);
		with[i] = exits_of(true, asleep[i]);
		ktap_diag("%u vCPUs, %u of them asleep: %llu.%02llu exits for each shoot-down, with the services %llu.%02llu",
			  2 + asleep[i], asleep[i], without[i] / SHOTS, without[i] * 100 / SHOTS % 100,
			  with[i] / SHOTS, with[i] * 100 / SHOTS % 100);
	}
	for (unsigned int i = 1; i < 3; i++) {
		CHECK_GE(without[i], without[0] + asleep[i] * SHOTS);
		CHECK_LT(with[i], without[0]);		/* less than the one awake alone costs without the services */
	}
}

static const struct ktap_case cases[] = {
	{ "which calls there are", which_calls_there_are },
	{ "none for user code", not_for_user_code },
	{ "none without a hypervisor", none_without_a_hypervisor },
	{ "IPIs", ipis },
	{ "kicks", kicks },
	{ "kicks are state", kicks_are_state },
	{ "a yield to the one named", yields_to_the_one_named },
	{ "a yield to nobody", yields_to_nobody },
	{ "a spinning vCPU yields", a_spinning_vcpu_yields },
	{ "TLB shoot-downs leave those alone who do not run", shootdowns },
};
KTAP_MAIN(cases)
