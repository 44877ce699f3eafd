// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: a guest ends its interrupts by a flag in its own memory, with no exit; and wherever somebody waits for that end
 * (another interrupt, a level-triggered line, a reader of the state), all is as with the EOI register.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <pthread.h>
#include <sys/mman.h>

#define MSR_EOI		0x4b564d04
#define ENABLE		1
#define GP		13
#define FEATURE_EOI	(1U << 6)
#define LOW		0x51
#define HIGH		0x71
#define ROUNDS		1000

#define FLAG_GPA	(GUEST_FREE + 0x2004)
#define FLAG		((volatile __u32 *)FLAG_GPA)

static volatile __u32 taken[256], by_flag, by_register;

/* As a Linux guest ends an interrupt */
static inline void end_interrupt(void)
{
	bool set;

	asm volatile("btrl $0, %1" : "=@ccc"(set), "+m"(*FLAG) : : "memory");
	if (set) {
		by_flag++;
	} else {
		by_register++;
		wrmsr(APIC_EOI, 0);
	}
}

static GUEST void take(struct guest_frame *frame)
{
	taken[frame->vector]++;
	end_interrupt();
}

static inline void enable(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(MSR_EOI, FLAG_GPA | ENABLE);
}

static inline void send_self(__u8 vector)
{
	wrmsr(APIC_SELF_IPI, vector);
}

static inline __u64 in_service(void)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < 8; i++)
		sum += rdmsr(APIC_ISR + i) != 0;
	return sum;
}

static struct vcpu *begin(struct vm_options options)
{
	memset((void *)taken, 0, sizeof(taken));
	by_flag = by_register = 0;
	options.devices = TPZ_DEVICES_PC;
	return vcpu_create(vm_create_with(options), 0);
}

static __u8 flag_in(struct vm *vm)
{
	return *(volatile __u8 *)vm_host(vm, FLAG_GPA);
}

/* ------------------------------------------------------------------ one by one */

static GUEST __u32 one_by_one(__u64 rounds)
{
	enable();
	for (__u64 i = 0; i < rounds; i++) {
		send_self(LOW);
		window();
	}
	GUEST_CHECK_EQ(*FLAG, 0);
	GUEST_CHECK_EQ(in_service(), 0);
	return 0;
}

static void no_exit(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters m;

	guest_on(LOW, take);
	vcpu_start(vcpu, MODE_LONG, RING0, one_by_one, ROUNDS);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	m = meters_read(&meters, 0);
	CHECK_EQ(taken[LOW], ROUNDS);
	CHECK_EQ(by_flag, ROUNDS);
	CHECK_EQ(by_register, 0);
	CHECK_EQ(m.pv_eois, ROUNDS);
	CHECK_EQ(m.reason[TPZ_EXIT_MSR_WRITE].count, ROUNDS + 2);	/* to send them, and enable() */
}

/* Without the MSR nothing changes */
static GUEST __u32 not_enabled(__u64 rounds)
{
	wrmsr(APIC_SVR, SVR_ON);
	wrmsr(MSR_EOI, FLAG_GPA);
	for (__u64 i = 0; i < rounds; i++) {
		send_self(LOW);
		window();
	}
	return 0;
}

static void only_where_asked_for(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	guest_on(LOW, take);
	vcpu_start(vcpu, MODE_LONG, RING0, not_enabled, 10);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(by_register, 10);
	CHECK_EQ(by_flag, 0);
}

/* ------------------------------------------------------------------ somebody waits */

/* Two wait: the first one's end matters to the second, whose end matters to nobody */
static GUEST __u32 two_wait(void)
{
	enable();
	for (__u32 i = 1; i <= 20; i++) {
		send_self(LOW);
		send_self(HIGH);
		window();
		window();
		GUEST_CHECK_EQ(taken[LOW], i);
		GUEST_CHECK_EQ(taken[HIGH], i);
		GUEST_CHECK_EQ(by_register, i);
		GUEST_CHECK_EQ(by_flag, i);
		GUEST_CHECK_EQ(in_service(), 0);
	}
	return 0;
}

static void several_pending(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	guest_on(LOW, take);
	guest_on(HIGH, take);
	vcpu_start(vcpu, MODE_LONG, RING0, two_wait, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* A higher one comes inside the handler */
static GUEST void nest(struct guest_frame *frame)
{
	taken[frame->vector]++;
	GUEST_CHECK_EQ(*FLAG, 1);
	send_self(HIGH);
	window();
	GUEST_CHECK_EQ(taken[HIGH], taken[LOW]);
	GUEST_CHECK_EQ(by_register, 2 * taken[LOW] - 1);	/* two were in service */
	GUEST_CHECK_EQ(in_service(), 1);
	wrmsr(APIC_EOI, 0);
	by_register++;
	GUEST_CHECK_EQ(in_service(), 0);
}

static GUEST __u32 nested(void)
{
	enable();
	for (__u32 i = 1; i <= 20; i++) {
		send_self(LOW);
		window();
		GUEST_CHECK_EQ(taken[HIGH], i);
		GUEST_CHECK_EQ(*FLAG, 0);
	}
	return 0;
}

static void nested_interrupts(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	guest_on(LOW, nest);
	guest_on(HIGH, take);
	vcpu_start(vcpu, MODE_LONG, RING0, nested, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

/* The EOI register, although the flag stands: then it does not stand any more */
static GUEST void end_by_register(struct guest_frame *frame)
{
	taken[frame->vector]++;
	GUEST_CHECK_EQ(*FLAG, 1);
	wrmsr(APIC_EOI, 0);
	GUEST_CHECK_EQ(*FLAG, 0);
	GUEST_CHECK_EQ(in_service(), 0);
}

static GUEST __u32 use_register(void)
{
	enable();
	for (__u32 i = 1; i <= 20; i++) {
		send_self(LOW);
		window();
		GUEST_CHECK_EQ(taken[LOW], i);
	}
	return 0;
}

static void the_register_still_works(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	guest_on(LOW, end_by_register);
	vcpu_start(vcpu, MODE_LONG, RING0, use_register, 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static GUEST __u32 wait_for_message(void)
{
	enable();
	outb(PORT_TEST, 0);
	window();
	outb(PORT_TEST, 0);
	window();
	return 0;
}

static void send(struct vm *vm, __u32 data)
{
	struct tpz_msi msi = { .size = sizeof(msi), .address = 0xfee00000, .data = data };

	CHECK_EQ(CHECK_SYS(ioctl(vm->fd, TPZ_SEND_MSI, &msi)), 1);
}

/* Level-triggered: its end is news for the I/O APIC */
static void level_triggered(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	guest_on(LOW, take);
	vcpu_start(vcpu, MODE_LONG, RING0, wait_for_message, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	send(vcpu->vm, 0xc000 | LOW);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_EQ(taken[LOW], 1);
	CHECK_EQ(by_register, 1);
	send(vcpu->vm, LOW);			/* the same vector, edge-triggered */
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(by_register, 1);
	CHECK_EQ(by_flag, 1);
}

/* Stays in the handler until the flag is taken back, because another interrupt waits now */
static volatile __u32 inside;

static GUEST void linger(struct guest_frame *frame)
{
	taken[frame->vector]++;
	inside = 1;
	while (*FLAG)
		spin_off();
	inside = 0;
	end_interrupt();
}

static GUEST __u32 interrupted_handler(void)
{
	enable();
	sti();
	for (__u32 i = 1; i <= 20; i++) {
		send_self(HIGH);
		while (taken[LOW] < i)
			asm volatile("pause");
		GUEST_CHECK_EQ(taken[HIGH], i);
	}
	return 0;
}

static void *run(void *vcpu)
{
	CHECK_EQ(vcpu_finish(vcpu), 0);
	return NULL;
}

static void one_arrives_in_the_handler(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});
	pthread_t thread;

	inside = 0;
	guest_on(LOW, take);
	guest_on(HIGH, linger);
	vcpu_start(vcpu, MODE_LONG, RING0, interrupted_handler, 0);
	CHECK_EQ(pthread_create(&thread, NULL, run, vcpu), 0);
	for (__u32 i = 1; i <= 20; i++) {
		while (taken[HIGH] < i || !inside)
			CHECK(!ktap_failed());
		send(vcpu->vm, LOW);
		while (taken[LOW] < i)
			CHECK(!ktap_failed());
	}
	pthread_join(thread, NULL);
	CHECK_EQ(by_register, 20);
	CHECK_EQ(by_flag, 20);
}

/* ------------------------------------------------------------------ state */

static GUEST void tell_and_end(struct guest_frame *frame)
{
	taken[frame->vector]++;
	outb(PORT_TEST, 1);
	GUEST_CHECK_EQ(*FLAG, 1);
	end_interrupt();
	outb(PORT_TEST, 2);
}

static GUEST __u32 tell(void)
{
	enable();
	send_self(LOW);
	window();
	GUEST_CHECK_EQ(by_flag, 1);
	return 0;
}

static bool low_in_service(const struct tpz_state *state)
{
	__u32 word;

	memcpy(&word, state->lapic.regs + (0x10 + LOW / 32) * 16, sizeof(word));
	return word >> LOW % 32 & 1;
}

/* What is read between two runs has no promise in it, and goes on elsewhere */
static void state_moves(void)
{
	struct vcpu *vcpu = begin((struct vm_options){}), *other = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	static char fpu[16384];
	struct tpz_state state = {
		.size = sizeof(state), .groups = TPZ_STATE_ALL,
		.fpu = (uintptr_t)fpu, .fpu_bytes = device_info().xsave_bytes,
	};

	CHECK_LE(state.fpu_bytes, sizeof(fpu));
	guest_on(LOW, tell_and_end);
	vcpu_start(vcpu, MODE_LONG, RING0, tell, 0);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 1);
	CHECK_EQ(flag_in(vcpu->vm), 0);
	CHECK_SYS(ioctl(vcpu->fd, TPZ_GET_STATE, &state));
	CHECK(low_in_service(&state));
	CHECK_EQ(state.pv.kvm_pv_eoi, FLAG_GPA | ENABLE);
	memcpy(other->vm->memory, vcpu->vm->memory, VM_BYTES);
	CHECK_SYS(ioctl(other->fd, TPZ_SET_STATE, &state));
	CHECK_EQ(vcpu_expect_out(other, PORT_TEST), 2);
	CHECK_EQ(flag_in(other->vm), 0);
	CHECK_SYS(ioctl(other->fd, TPZ_GET_STATE, &state));
	CHECK(!low_in_service(&state));
	CHECK_EQ(vcpu_finish(other), 0);
}

static void state_refused(void)
{
	struct vcpu *vcpu = begin((struct vm_options){}), *plain = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	const __u64 bad[] = { FLAG_GPA | 2, FLAG_GPA | 2 | ENABLE, 1ULL << 52 | ENABLE };
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_PV);

	CHECK_EQ(state.pv.kvm_pv_eoi, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		state.pv.kvm_pv_eoi = bad[i];
		CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EINVAL);
		CHECK_EQ(state.bad_group, TPZ_STATE_PV);
		CHECK(strstr(state.bad_field, "kvm_pv_eoi"));
	}
	state.pv.kvm_pv_eoi = FLAG_GPA | ENABLE;
	CHECK_SYS(ioctl(vcpu->fd, TPZ_SET_STATE, &state));
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_PV).pv.kvm_pv_eoi, FLAG_GPA | ENABLE);
	CHECK_ERR(ioctl(plain->fd, TPZ_SET_STATE, &state), EINVAL);
}

/* ------------------------------------------------------------------ the MSR */

static GUEST __u32 rules(__u64 end)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(0x40000001, 0, &eax, &ebx, &ecx, &edx);
	GUEST_CHECK_EQ(eax & FEATURE_EOI, FEATURE_EOI);
	GUEST_CHECK_EQ(rdmsr(MSR_EOI), 0);
	GUEST_CHECK_EQ(try_wrmsr(MSR_EOI, FLAG_GPA | 2 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_EOI, 1ULL << 52 | ENABLE), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_EOI, 1ULL << 40 | ENABLE), GP);		/* no memory there */
	GUEST_CHECK_EQ(try_wrmsr(MSR_EOI, 1ULL << 40), GUEST_NO_FAULT);		/* nor is it asked for */
	*FLAG = 0xff;
	wrmsr(MSR_EOI, FLAG_GPA | ENABLE);
	GUEST_CHECK_EQ(*FLAG, 0);
	GUEST_CHECK_EQ(rdmsr(MSR_EOI), FLAG_GPA | ENABLE);
	wrmsr(MSR_EOI, (end - 4) | ENABLE);
	wrmsr(MSR_EOI, 0);
	return 0;
}

static void msr(void)
{
	struct vcpu *vcpu = begin((struct vm_options){});

	vcpu_start(vcpu, MODE_LONG, RING0, rules, VM_BYTES);
	CHECK_EQ(vcpu_finish(vcpu), 0);
}

static GUEST __u32 no_msr(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(0x40000001, 0, &eax, &ebx, &ecx, &edx);
	GUEST_CHECK_EQ(eax & FEATURE_EOI, 0);
	GUEST_CHECK_EQ(try_rdmsr(MSR_EOI), GP);
	GUEST_CHECK_EQ(try_wrmsr(MSR_EOI, FLAG_GPA | ENABLE), GP);
	return 0;
}

static void absent(void)
{
	static const __u64 devices[] = { TPZ_DEVICE_LAPIC, TPZ_DEVICE_KVMCLOCK };

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		struct vcpu *vcpu = vm_with_vcpu(.devices = devices[i]);

		vcpu_start(vcpu, MODE_LONG, RING0, no_msr, 0);
		CHECK_EQ(vcpu_finish(vcpu), 0);
	}
}

/* ------------------------------------------------------------------ the flag's memory comes and goes */

static volatile bool done;

static void *drop_pages(void *page)
{
	while (!done)
		CHECK_SYS(madvise(page, PAGE, MADV_DONTNEED));	/* shared: what stood there stays */
	return NULL;
}

static void memory_comes_and_goes(void)
{
	struct vcpu *vcpu = begin((struct vm_options){ .memfd = true });
	pthread_t thread;

	done = false;
	guest_on(LOW, take);
	vcpu_start(vcpu, MODE_LONG, RING0, one_by_one, 3 * ROUNDS);
	CHECK_EQ(pthread_create(&thread, NULL, drop_pages, (void *)((uintptr_t)vm_host(vcpu->vm, FLAG_GPA) & -PAGE)), 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	done = true;
	pthread_join(thread, NULL);
	CHECK_EQ(taken[LOW], 3 * ROUNDS);
	CHECK_EQ(by_flag + by_register, 3 * ROUNDS);
	CHECK_GT(by_flag, 0);
	ktap_diag("by flag %u, by register %u", by_flag, by_register);
}

static const struct ktap_case cases[] = {
	{ "interrupts end without an exit", no_exit },
	{ "only where the guest asks for it", only_where_asked_for },
	{ "several pending", several_pending },
	{ "nested", nested_interrupts },
	{ "the register still works", the_register_still_works },
	{ "level-triggered interrupts end by the register", level_triggered },
	{ "one arrives while another is in service", one_arrives_in_the_handler },
	{ "state moves", state_moves },
	{ "refused states", state_refused },
	{ "the MSR", msr },
	{ "absent without local APIC or clock", absent },
	{ "the flag's memory comes and goes", memory_comes_and_goes },
};
KTAP_MAIN(cases)
