// SPDX-License-Identifier: GPL-2.0
/*
 * The meters tell the truth: each trap is counted once, under its own name, as often as the guest did it; sums agree
 * with their parts; and a reader never sees half of an update.
 */
#define _GNU_SOURCE
#include "memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ one reason at a time */

#define REPEAT(name, ...)						\
	static GUEST __u32 name(__u64 count)				\
	{								\
		struct guest_fault fault;				\
									\
		(void)fault;						\
		while (count--) {					\
			__VA_ARGS__;					\
		}							\
		return 0;						\
	}

static volatile __u32 sink;

REPEAT(do_cpuid, __u32 a, b, c, d; cpuid(1, 0, &a, &b, &c, &d); sink = a)
REPEAT(do_out, outb(PORT_TEST, count))
REPEAT(do_rdmsr, sink = rdmsr(0xc0000080))
REPEAT(do_wrmsr, wrmsr(0xc0000080, 0xd01))		/* EFER, as it is */
REPEAT(do_bad_rdmsr, __u64 v; GUEST_TRY(fault, "rdmsr", ("=a"(v)), ("c"(0x12345))); sink = v)
REPEAT(do_cr8, WRITE_REGISTER(cr8, count & 7))
REPEAT(do_cr3, WRITE_REGISTER(cr3, GUEST_PML4))
REPEAT(do_dr, WRITE_REGISTER(dr0, count))
REPEAT(do_hlt, hlt())
REPEAT(do_wbinvd, asm volatile("wbinvd" : : : "memory"))
REPEAT(do_invd, asm volatile("invd" : : : "memory"))
REPEAT(do_hypercall, __u64 v = ~0U;
	if (machine.vmmcall)
		asm volatile("vmmcall" : "+a"(v) : : "memory", "rbx", "rcx", "rdx");
	else
		asm volatile("vmcall" : "+a"(v) : : "memory", "rbx", "rcx", "rdx");
	sink = v)
REPEAT(do_virt_insn, if (machine.svm) GUEST_TRY(fault, "clgi", (), ()); else GUEST_TRY(fault, "vmxoff", (), ()))
REPEAT(do_rdtsc, sink = rdtsc())
REPEAT(do_pause, asm volatile("pause"))
REPEAT(do_invlpg, asm volatile("invlpg (%0)" : : "r"(GUEST_FREE) : "memory"))
REPEAT(do_int3, GUEST_TRY(fault, "int3", (), ()))
REPEAT(do_ud2, GUEST_TRY(fault, "ud2", (), ()))
REPEAT(do_page_fault, __u64 v; GUEST_TRY(fault, "mov (%%rbx), %0", ("=a"(v)), ("b"(1ULL << 40))); sink = v)
REPEAT(do_rdpmc, GUEST_TRY(fault, "rdpmc", (), ("c"(0))))
REPEAT(do_sgdt, __u8 table[10]; asm volatile("sgdt %0" : "=m"(table)); sink = table[0])

static const struct trap {
	const char *name;
	__u32 (*run)(__u64);
	__u32 reason;
	__u32 count;
	__u64 traps;
} traps[] = {
	{ "CPUID", do_cpuid, TPZ_EXIT_CPUID, 1000, 0 },
	{ "OUT", do_out, TPZ_EXIT_IO, 100, 0 },
	{ "RDMSR", do_rdmsr, TPZ_EXIT_MSR_READ, 300, 0 },
	{ "WRMSR", do_wrmsr, TPZ_EXIT_MSR_WRITE, 300, 0 },
	{ "RDMSR of what is not there", do_bad_rdmsr, TPZ_EXIT_MSR_READ, 100, 0 },
	{ "MOV to CR8", do_cr8, TPZ_EXIT_CR, 200, 0 },
	{ "MOV DR", do_dr, TPZ_EXIT_DR, 200, 0 },
	{ "HLT", do_hlt, TPZ_EXIT_HLT, 50, 0 },
	{ "WBINVD", do_wbinvd, TPZ_EXIT_WBINVD, 70, 0 },
	{ "INVD", do_invd, TPZ_EXIT_INVD, 60, 0 },
	{ "VMCALL or VMMCALL", do_hypercall, TPZ_EXIT_HYPERCALL, 200, 0 },
	{ "VMXOFF or CLGI", do_virt_insn, TPZ_EXIT_VIRT_INSN, 40, 0 },
	{ "RDPMC", do_rdpmc, TPZ_EXIT_RDPMC, 40, 0 },
	{ "MOV to CR3, trapped", do_cr3, TPZ_EXIT_CR, 100, TPZ_TRAP_CR3 },
	{ "RDTSC, trapped", do_rdtsc, TPZ_EXIT_RDTSC, 200, TPZ_TRAP_TSC },
	{ "PAUSE, trapped", do_pause, TPZ_EXIT_PAUSE, 200, TPZ_TRAP_PAUSE },
	{ "INVLPG, trapped", do_invlpg, TPZ_EXIT_INVLPG, 100, TPZ_TRAP_INVLPG },
	{ "UD2, trapped", do_ud2, TPZ_EXIT_EXCEPTION, 100, TPZ_TRAP_UD },
	{ "#PF, trapped", do_page_fault, TPZ_EXIT_EXCEPTION, 100, TPZ_TRAP_PF },
	{ "SGDT, trapped", do_sgdt, TPZ_EXIT_DT_ACCESS, 100, TPZ_TRAP_DT },
	/* Not trapped: no exit at all */
	{ "MOV CR3", do_cr3, TPZ_EXIT_CR, 0, 0 },
	{ "RDTSC", do_rdtsc, TPZ_EXIT_RDTSC, 0, 0 },
	{ "PAUSE", do_pause, TPZ_EXIT_PAUSE, 0, 0 },
	{ "INVLPG", do_invlpg, TPZ_EXIT_INVLPG, 0, 0 },
	{ "INT3", do_int3, TPZ_EXIT_EXCEPTION, 0, 0 },
	{ "UD2", do_ud2, TPZ_EXIT_EXCEPTION, 0, 0 },
	{ "#PF", do_page_fault, TPZ_EXIT_EXCEPTION, 0, 0 },
	{ "SGDT", do_sgdt, TPZ_EXIT_DT_ACCESS, 0, 0 },
};

static __u64 sum_of_counts(const struct tpz_vcpu_meters *m)
{
	__u64 sum = 0;

	for (int i = 0; i < TPZ_EXIT_COUNT; i++)
		sum += m->reason[i].count;
	return sum;
}

static __u64 sum_of_cycles(const struct tpz_vcpu_meters *m)
{
	__u64 sum = 0;

	for (int i = 0; i < TPZ_EXIT_COUNT; i++)
		sum += m->reason[i].cycles;
	return sum;
}

/* To the end, through exits that the launcher has nothing to say about; returns how often TPZ_RUN came back */
static unsigned int run_to_the_end(struct vcpu *vcpu)
{
	for (unsigned int returns = 1; ; returns++) {
		__u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE)
			return returns;
		if (reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_TEST)
			continue;
		if (reason != TPZ_EXIT_HLT && reason != TPZ_EXIT_PAUSE && reason != TPZ_EXIT_INTERRUPTED)
			FAIL("%s", vcpu_exit_text(vcpu));
	}
}

static void count_each(const struct trap *traps, unsigned int count)
{
	unsigned int wrong = 0;

	for (const struct trap *trap = traps; trap < traps + count; trap++) {
		struct vcpu *vcpu = vm_with_vcpu(.traps = trap->traps);
		struct meters meters = meters_open(vcpu->vm->id);
		struct tpz_vcpu_meters m;
		__u32 times = trap->count ? trap->count : 50, expected = trap->count;
		unsigned int returns;

		if (trap->reason == TPZ_EXIT_IO)
			expected++;	/* the guest's last word */
		vcpu_start(vcpu, MODE_LONG, RING0, trap->run, times);
		returns = run_to_the_end(vcpu);
		m = meters_read(&meters, 0);
		if (m.reason[trap->reason].count != expected) {
			ktap_diag("%s: %llu exits \"%s\", not %u", trap->name, m.reason[trap->reason].count,
				  reason_name(trap->reason), expected);
			wrong++;
		}
		if (m.user_exits != returns) {
			ktap_diag("%s: %llu returns to the launcher, not %u", trap->name, m.user_exits, returns);
			wrong++;
		}
		/* All else that can happen meanwhile */
		for (int i = 0; i < TPZ_EXIT_COUNT; i++)
			if (m.reason[i].count && i != (int)trap->reason && i != TPZ_EXIT_IO && i != TPZ_EXIT_NPF &&
			    i != TPZ_EXIT_HOST_INTERRUPT && i != TPZ_EXIT_HOST_NMI) {
				ktap_diag("%s: %llu exits \"%s\"", trap->name, m.reason[i].count, reason_name(i));
				wrong++;
			}
		CHECK_EQ(m.exits, sum_of_counts(&m));
		CHECK_EQ(m.entries, m.exits);
		CHECK_EQ(m.host_cycles, sum_of_cycles(&m));
		CHECK_EQ(m.halts, trap->reason == TPZ_EXIT_HLT ? trap->count : 0);
		CHECK_EQ(m.wbinvds, trap->reason == TPZ_EXIT_WBINVD ? trap->count : 0);
		CHECK_EQ(m.invds, trap->reason == TPZ_EXIT_INVD ? trap->count : 0);
		CHECK_EQ(m.injected_interrupts, 0);
		CHECK_EQ(m.injected_nmis, 0);
		vm_close(vcpu->vm);
	}
	CHECK_THAT(!wrong, "%u", wrong);
}

static void each_trap_is_counted_once(void)
{
	count_each(traps, ARRAY_SIZE(traps));
}

static void int3_is_counted_once(void)
{
	static const struct trap int3 = { "INT3, trapped", do_int3, TPZ_EXIT_EXCEPTION, 100, TPZ_TRAP_INT3 };

	not_in_tcg("never ends a stay for the #BP of INT3");
	count_each(&int3, 1);
}

/* Exceptions that the module delivers are counted; those that the CPU delivers by itself are nobody's affair */
static void injected_exceptions_are_counted(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_UD);
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_LONG, RING0, do_ud2, 20);
	run_to_the_end(vcpu);
	CHECK_EQ(meters_read(&meters, 0).injected_exceptions, 20);
	vcpu_start(vcpu, MODE_LONG, RING0, do_bad_rdmsr, 10);
	run_to_the_end(vcpu);
	CHECK_EQ(meters_read(&meters, 0).injected_exceptions, 30);
	vcpu_start(vcpu, MODE_LONG, RING0, do_int3, 10);
	run_to_the_end(vcpu);
	CHECK_EQ(meters_read(&meters, 0).injected_exceptions, 30);
}

/* ------------------------------------------------------------------ interrupts, halts, time */

#define X2APIC_EOI	0x80b
#define X2APIC_SVR	0x80f
#define X2APIC_TIMER	0x832
#define X2APIC_SELF_IPI	0x83f
#define TSC_DEADLINE	0x6e0
#define TIMER_VECTOR	0x50
#define IPI_VECTOR	0x51

static volatile __u32 interrupts;

static GUEST void count_interrupt(struct guest_frame *frame)
{
	(void)frame;
	interrupts++;
	wrmsr(X2APIC_EOI, 0);
}

static GUEST __u32 self_ipis(__u64 count)
{
	wrmsr(X2APIC_SVR, 0x1ff);
	asm volatile("sti");
	for (__u64 i = 1; i <= count; i++) {
		wrmsr(X2APIC_SELF_IPI, IPI_VECTOR);
		while (interrupts < i)
			asm volatile("pause");
	}
	asm volatile("cli");
	return interrupts;
}

static void injected_interrupts_are_counted(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct meters meters = meters_open(vcpu->vm->id);

	interrupts = 0;
	guest_on(IPI_VECTOR, count_interrupt);
	vcpu_start(vcpu, MODE_LONG, RING0, self_ipis, 100);
	CHECK_EQ(vcpu_finish(vcpu), 100);
	CHECK_EQ(meters_read(&meters, 0).injected_interrupts, 100);
	CHECK_EQ(meters_read(&meters, 0).halts, 0);
}

static GUEST __u32 timed_halts(__u64 count)
{
	wrmsr(X2APIC_SVR, 0x1ff);
	wrmsr(X2APIC_TIMER, 2 << 17 | TIMER_VECTOR);
	for (__u64 i = 1; i <= count; i++) {
		wrmsr(TSC_DEADLINE, rdtsc() + 20000);
		while (interrupts < i)
			asm volatile("sti; hlt; cli" : : : "memory");
	}
	return interrupts;
}

static void halts_and_halted_cycles_are_counted(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = TPZ_DEVICE_LAPIC);
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters m;

	interrupts = 0;
	guest_on(TIMER_VECTOR, count_interrupt);
	vcpu_start(vcpu, MODE_LONG, RING0, timed_halts, 20);
	CHECK_EQ(vcpu_finish(vcpu), 20);
	m = meters_read(&meters, 0);
	CHECK_EQ(m.injected_interrupts, 20);
	CHECK_EQ(m.halts, m.reason[TPZ_EXIT_HLT].count);
	CHECK_GE(m.halts, 1);
	CHECK_GT(m.halted_cycles, 0);
	CHECK_EQ(m.host_cycles, sum_of_cycles(&m));
}

static GUEST __u32 nmi_and_back(__u64 unused)
{
	(void)unused;
	return interrupts;
}

static GUEST void count_nmi(struct guest_frame *frame)
{
	(void)frame;
	interrupts++;
}

static void injected_nmis_are_counted(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	interrupts = 0;
	guest_on(2, count_nmi);
	for (unsigned int i = 1; i <= 5; i++) {
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)nmi_and_back, 0);

		state.events.nmi_pending = 1;
		vcpu_set(vcpu, &state);
		CHECK_EQ(vcpu_finish(vcpu), i);
		CHECK_EQ(meters_read(&meters, 0).injected_nmis, i);
	}
}

static GUEST __u32 burn(__u64 cycles)
{
	__u64 start = rdtsc();

	sti();
	while (rdtsc() - start < cycles)
		;
	return 0;
}

/* That this thread has had of a CPU */
static __u64 thread_cycles(void)
{
	struct timespec t;

	CHECK_SYS(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
	return (t.tv_sec * 1000000ULL + t.tv_nsec / 1000) * device_info().tsc_khz / 1000;
}

static void cycles_are_charged_where_they_were_spent(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	const __u64 spent = (__u64)device_info().tsc_khz * 200;	/* 200 ms */
	struct tpz_vcpu_meters before = meters_read(&meters, 0), after;
	__u64 start, mine;

	vcpu_start(vcpu, MODE_LONG, RING0, burn, spent);
	start = rdtsc();
	mine = thread_cycles();
	vcpu_finish(vcpu);
	mine = thread_cycles() - mine;
	start = rdtsc() - start;
	after = meters_read(&meters, 0);
	CHECK_GE(after.guest_cycles + after.host_cycles, spent);
	CHECK_LE(after.guest_cycles + after.host_cycles - before.guest_cycles - before.host_cycles, start);
	/* Of what this thread had of the CPU nearly all was in the guest */
	CHECK_GE(after.guest_cycles, mine / 2);
	CHECK_GT(mine, 0);
}

/* ------------------------------------------------------------------ memory */

static GUEST __u32 touch(__u64 pages)
{
	volatile __u8 *at = (void *)(256UL << 20);

	while (pages--) {
		*at = 1;
		at += 4096;
	}
	return 0;
}

static void nested_faults_are_counted(void)
{
	const __u64 pages = 100;
	struct tpz_vcpu_meters before, after;
	__u64 resident, slots;
	struct meters meters;
	struct vcpu *vcpu;
	void *memory;

	quiet_host_memory();
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	slots = meters.vm->slot_bytes;
	memory = vm_add_memory(vcpu->vm, SLOT_TEST, 256 << 20, pages * PAGE, 0);
	CHECK_SYS(madvise(memory, pages * PAGE, MADV_NOHUGEPAGE));
	CHECK_EQ(meters.vm->slot_bytes, slots + pages * PAGE);
	/* Once before, so that code and stack are there */
	vcpu_start(vcpu, MODE_LONG, RING0, touch, 1);
	vcpu_finish(vcpu);
	before = meters_read(&meters, 0);
	resident = meters.vm->resident_pages;
	vcpu_start(vcpu, MODE_LONG, RING0, touch, pages);
	vcpu_finish(vcpu);
	after = meters_read(&meters, 0);
	CHECK_EQ(after.npf_mapped - before.npf_mapped, pages - 1);
	CHECK_EQ(after.reason[TPZ_EXIT_NPF].count - before.reason[TPZ_EXIT_NPF].count, pages - 1);
	CHECK_EQ(meters.vm->resident_pages - resident, pages - 1);
	CHECK_GT(meters.vm->table_pages, 0);

	/* Given back, they are gone from the nested table, and come back by faults */
	__u64 zaps = meters.vm->notifier_zaps;

	CHECK_SYS(madvise(memory, pages * PAGE, MADV_DONTNEED));
	CHECK_EQ(meters.vm->resident_pages, resident - 1);
	CHECK_EQ(meters.vm->notifier_zaps - zaps, pages);
	vcpu_start(vcpu, MODE_LONG, RING0, touch, pages);
	vcpu_finish(vcpu);
	CHECK_EQ(meters_read(&meters, 0).npf_mapped - after.npf_mapped, pages);

	vm_set_slot(vcpu->vm, SLOT_TEST, 0, 0, NULL, 0);
	CHECK_EQ(meters.vm->slot_bytes, slots);
	CHECK_LE(meters.vm->resident_pages, resident - 1);
}

/* ------------------------------------------------------------------ the VM's page, and readers */

static void the_vm_page_is_sound(void)
{
	__u64 before = rdtsc();
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	CHECK_EQ(meters.vm->tsc_khz, device_info().tsc_khz);
	CHECK_GE(meters.vm->created_tsc, before);
	CHECK_LE(meters.vm->created_tsc, rdtsc());
	CHECK_EQ(meters.vm->pid, getpid());
	CHECK_STR((const char *)meters.vm->comm, "meters");
	CHECK_GE(meters.vm->slot_bytes, VM_BYTES);
	CHECK_EQ(meters_read(&meters, 0).seq & 1, 0);
	CHECK_EQ(meters_read(&meters, 0).vcpu, 0);
}

static atomic_bool stop;

struct reader {
	struct meters meters;
	unsigned int looks;
};

static void *read_on_and_on(void *arg)
{
	struct reader *reader = arg;
	struct tpz_vcpu_meters last = {}, now;

	while (!stop) {
		now = meters_read(&reader->meters, 0);
		CHECK_EQ(now.exits, sum_of_counts(&now));
		CHECK_EQ(now.entries, now.exits);
		CHECK_GE(now.exits, last.exits);
		CHECK_GE(now.guest_cycles, last.guest_cycles);
		CHECK_GE(now.host_cycles, last.host_cycles);
		CHECK_GE(now.reason[TPZ_EXIT_CPUID].count, last.reason[TPZ_EXIT_CPUID].count);
		last = now;
		reader->looks++;
		usleep(100);
	}
	return NULL;
}

static void a_reader_sees_whole_updates(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct reader reader = { .meters = meters_open(vcpu->vm->id) };
	pthread_t thread;

	stop = false;
	CHECK_EQ(pthread_create(&thread, NULL, read_on_and_on, &reader), 0);
	vcpu_start(vcpu, MODE_LONG, RING0, do_cpuid, 3000);
	vcpu_finish(vcpu);
	stop = true;
	pthread_join(thread, NULL);
	CHECK_GT(reader.looks, 2);
}

static const struct ktap_case cases[] = {
	{ "each trap is counted once", each_trap_is_counted_once },
	{ "INT3 is counted once", int3_is_counted_once },
	{ "injected exceptions are counted", injected_exceptions_are_counted },
	{ "injected interrupts are counted", injected_interrupts_are_counted },
	{ "halts and halted cycles are counted", halts_and_halted_cycles_are_counted },
	{ "injected NMIs are counted", injected_nmis_are_counted },
	{ "cycles are charged where they were spent", cycles_are_charged_where_they_were_spent },
	{ "nested page faults are counted", nested_faults_are_counted },
	{ "the VM's page is sound", the_vm_page_is_sound },
	{ "a reader sees whole updates", a_reader_sees_whole_updates },
};
KTAP_MAIN(cases)
