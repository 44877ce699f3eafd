// SPDX-License-Identifier: GPL-2.0
/*
 * One time for all vCPUs of a VM: whoever reads the TSC or the KVM clock after another vCPU did finds it no earlier. The long
 * cases (lists/long) do so ten million times.
 */
#define _GNU_SOURCE
#include "apic.h"
#include "clock.h"
#include "threads.h"

#define MAX		4		/* vCPUs */
#define FEW		60000
#define MANY		10000000
#define PAGE_OF(id)	(GUEST_FREE + PAGE * (id))	/* of its clock */

/* What each vCPU found; a cache line for each */
static struct count {
	__u64 reads, backward;
	__u64 taken_over;		/* reads right after another vCPU's */
	__u64 worst;			/* step back */
	__u64 pad[4];
} counts[MAX];

static volatile __u32 vcpus, ready;
static volatile __u64 reads_each;

/* The newest reading that all can see, and whose: a reading * 64 + vCPU */
static volatile __u64 newest;

static inline __u64 read_tsc(__u64 id)
{
	(void)id;
	asm volatile("lfence" : : : "memory");
	return rdtsc();
}

static inline __u64 read_clock(__u64 id)
{
	return clock_ns_at((volatile struct clock_page *)PAGE_OF(id));
}

/*
 * What is seen was read before, so an honest clock is not behind it. No lock: the order of "see, read, show" is all it
 * takes. PAUSE is where QEMU goes on to another CPU.
 */
static inline __u32 read_on(__u64 id, __u64 (*read)(__u64 id))
{
	struct count count = {};

	sti();
	add(&ready);
	while (ready < vcpus)
		asm volatile("pause");
	while (count.reads++ < reads_each) {
		const __u64 seen = newest, now = read(id);

		if (now < seen / 64) {
			count.backward++;
			if (seen / 64 - now > count.worst)
				count.worst = seen / 64 - now;
		}
		count.taken_over += seen % 64 != id;
		newest = now * 64 + id;
		asm volatile("pause" : : : "memory");
	}
	counts[id] = count;
	return 0;
}

static GUEST __u32 read_tscs(__u64 id)
{
	return read_on(id, read_tsc);
}

static GUEST __u32 read_clocks(__u64 id)
{
	wrmsr(MSR_SYSTEM_TIME, PAGE_OF(id) | ENABLE);
	return read_on(id, read_clock);
}

static void move_tsc(struct vcpu *vcpu, __s64 cycles)
{
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_MSRS);

	state.msrs.tsc += cycles;
	vcpu_set(vcpu, &state);
}

/* The library's switch to x2APIC mode would set each TSC: .xapic leaves them as they are created */
static struct vm *vm_of(unsigned int n)
{
	struct vm *vm = vm_create(.devices = TPZ_DEVICES_PC, .xapic = true);

	for (unsigned int i = 0; i < n; i++)
		vcpu_create(vm, i);
	return vm;
}

/* About so many readings by all vCPUs of the VM together */
#define read_in(vm, n, guest, readings, unit)	read_in_at(vm, n, (uintptr_t)(guest), readings, unit)
static struct count read_in_at(struct vm *vm, unsigned int n, uintptr_t guest, __u64 readings, const char *unit)
{
	struct count sum = {};
	struct runner r[MAX];
	struct meters meters;
	__u64 migrations = 0;

	vcpus = n;
	ready = 0;
	newest = 0;
	reads_each = (readings + n - 1) / n;
	for (unsigned int i = 0; i < n; i++)
		vcpu_start_at(vm->vcpus[i], MODE_LONG, RING0, guest, i);
	for (unsigned int i = 0; i < n; i++)
		runner_start(&r[i], vm->vcpus[i]);
	runners_join(r, n);
	meters = meters_open(vm->id);
	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(r[i].result, 0);
		sum.reads += reads_each;
		sum.backward += counts[i].backward;
		sum.taken_over += counts[i].taken_over;
		if (counts[i].worst > sum.worst)
			sum.worst = counts[i].worst;
		migrations += meters_read(&meters, i).migrations;
	}
	ktap_diag("%u vCPUs on %d CPUs: %llu readings, %llu of them next after another vCPU's, %llu migrations; "
		  "%llu steps back, the largest of %llu %s", n, cpus_online(), sum.reads, sum.taken_over, migrations,
		  sum.backward, sum.worst, unit);
	CHECK_GE(sum.reads, readings);
	CHECK_GE(sum.taken_over, readings / 1000);	/* or it would be no test of several */
	return sum;
}

static void tscs(unsigned int n, __u64 readings)
{
	CHECK_EQ(read_in(vm_of(n), n, read_tscs, readings, "cycles").backward, 0);
}

/* However far the TSCs are apart */
static void clocks(unsigned int n, __u64 readings)
{
	struct vm *vm = vm_of(n);

	for (unsigned int i = 1; i < n; i++)
		move_tsc(vm->vcpus[i], (__s64)i << 40);
	CHECK_EQ(read_in(vm, n, read_clocks, readings, "ns").backward, 0);
}

static void few_tscs(void)
{
	tscs(3, FEW);
}

static void few_clocks(void)
{
	clocks(3, FEW);
}

/* This test's own proof: a TSC that is a millisecond behind, and as much more as setting it takes */
static void one_behind(void)
{
	const __s64 cycles = device_info().tsc_khz;
	struct vm *vm = vm_of(2);
	struct count count;

	move_tsc(vm->vcpus[1], -cycles);
	count = read_in(vm, 2, read_tscs, FEW, "cycles");
	CHECK_GT(count.backward, 0);
	CHECK_GE(count.worst, (__u64)cycles / 2);
}

static void long_reading(void (*test)(unsigned int n, __u64 readings), unsigned int n)
{
	if (cpus_online() < 2)
		SKIP("one CPU");
	ktap_timeout(1800);
	test(n, MANY);
}

static void two_tscs(void)
{
	long_reading(tscs, 2);
}

static void four_tscs(void)
{
	long_reading(tscs, 4);
}

static void two_clocks(void)
{
	long_reading(clocks, 2);
}

static void four_clocks(void)
{
	long_reading(clocks, 4);
}

static const struct ktap_case cases[] = {
	{ "the TSC never goes back between vCPUs", few_tscs },
	{ "the KVM clock never goes back between vCPUs", few_clocks },
	{ "a TSC that is behind between vCPUs is found", one_behind },
	{ "ten million readings: the TSC, 2 vCPUs", two_tscs },
	{ "ten million readings: the TSC, 4 vCPUs", four_tscs },
	{ "ten million readings: the KVM clock, 2 vCPUs", two_clocks },
	{ "ten million readings: the KVM clock, 4 vCPUs", four_clocks },
};
KTAP_MAIN(cases)
