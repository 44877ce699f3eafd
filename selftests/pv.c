// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest may ask for by hypercalls, with any arguments; and what vCPUs that wait for each other, on fewer CPUs than
 * there are of them, spare the host: a CPU given to the one that is waited for. TLB shoot-downs are shootdown.c's.
 */
#define MAX		8		/* vCPUs of a VM */
#define _GNU_SOURCE
#include "apic.h"
#include "pv.h"
#include "threads.h"

#define VECTOR		0x61
#define EINVAL_KVM	((__u64)-22)
#define ENOSYS_KVM	((__u64)-1000)
#define EPERM_KVM	((__u64)-1)

static volatile __u32 ready, got[MAX];
static volatile bool done;

static void begin(void)
{
	ready = 0;
	done = false;
	memset((void *)got, 0, sizeof(got));
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

static void crowd(void)
{
	run_on_cpu(0);
	ktap_defer(run_on_any_cpu, NULL);
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
};
KTAP_MAIN(cases)
