// SPDX-License-Identifier: GPL-2.0
/*
 * The KVM-compatible paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): the guest names a page, we write
 * into it what makes a clock of its TSC, and each later reading costs no exit:
 *
 *	ns = system_time + scale(rdtsc - tsc_timestamp)
 *
 * The clock of a VM is a straight line over the host's TSC, drawn once when the VM is created: (base_tsc, base_ns),
 * at the rate of tsc_khz. So it never steps and never runs backwards, however often the page is rewritten, and all
 * vCPUs read the same. It is not disciplined by the host's NTP, as CLOCK_MONOTONIC_RAW is not: the guest runs its own.
 * Only when the TSC has stood still or begun anew (the host slept) is a new line drawn, from where the clock ought
 * to be by the host's own clock.
 *
 * MSRs: 0x4b564d01 (once 0x12) address of the clock page, bit 0: enabled; 0x4b564d00 (once 0x11) writes the wall
 * clock's value at clock 0. They exist in VMs with TPZ_DEVICE_KVMCLOCK.
 */
#include <linux/cache.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/kvm_para.h>
#include <asm/pvclock-abi.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include "../mem/mem.h"
#include "time.h"

#define CLOCK_SLACK_NS	(100 * NSEC_PER_MSEC)	/* TSC behind the host's clock by more: it stood still */

/* The line that is a VM's clock: one point of it. @lock guards the rest; vCPU threads take it to write their page */
struct tpz_clock {
	struct mutex lock;
	u64 base_tsc;		/* the host's TSC there */
	u64 base_ns;		/* the guest's clock */
	u64 base_raw_ns;	/* CLOCK_MONOTONIC_RAW of the host */
};

/* One instant by two clocks */
static void host_now(u64 *tsc, u64 *raw_ns)
{
	unsigned long flags;

	local_irq_save(flags);
	*tsc = rdtsc_ordered();
	*raw_ns = ktime_get_raw_ns();
	local_irq_restore(flags);
}

static u64 clock_at(const struct tpz_clock *clock, u64 tsc)
{
	return clock->base_ns + tpz_tsc_to_ns(tsc - clock->base_tsc);
}

/* Under clock->lock */
static void follow_host(struct tpz_clock *clock)
{
	u64 tsc, raw_ns, by_tsc, by_host;

	host_now(&tsc, &raw_ns);
	by_tsc = tsc < clock->base_tsc ? 0 : tpz_tsc_to_ns(tsc - clock->base_tsc);
	by_host = raw_ns - clock->base_raw_ns;
	if (by_host <= by_tsc + CLOCK_SLACK_NS)
		return;
	clock->base_ns += by_host;
	clock->base_tsc = tsc;
	clock->base_raw_ns = raw_ns;
}

int tpz_clock_create(struct tpz_vm *vm)
{
	struct tpz_clock *clock;

	if (!(vm->devices & TPZ_DEVICE_KVMCLOCK))
		return 0;
	if (!tsc_khz)
		return -ENODEV;
	clock = kzalloc(sizeof(*clock), GFP_KERNEL_ACCOUNT);
	if (!clock)
		return -ENOMEM;
	mutex_init(&clock->lock);
	host_now(&clock->base_tsc, &clock->base_raw_ns);
	vm->clock = clock;
	return 0;
}

void tpz_clock_destroy(struct tpz_vm *vm)
{
	kfree(vm->clock);
	vm->clock = NULL;
}

/* ------------------------------------------------------------------ guest memory */

int tpz_write_versioned(struct tpz_vm *vm, u64 gpa, void *structure, size_t bytes, size_t version_at)
{
	u32 *version = structure + version_at;
	int err;

	err = tpz_mem_read(vm, gpa + version_at, version, sizeof(*version));
	if (err)
		return err;
	*version |= 1;
	err = tpz_mem_write(vm, gpa + version_at, version, sizeof(*version));
	if (err)
		return err;
	smp_wmb();	/* odd before the new contents: readers on other CPUs of the guest */
	err = tpz_mem_write(vm, gpa, structure, bytes);
	if (err)
		return err;
	smp_wmb();	/* the contents before even */
	*version += 1;
	return tpz_mem_write(vm, gpa + version_at, version, sizeof(*version));
}

static u8 clock_flags(void)
{
	bool stable = boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && !check_tsc_unstable();

	return stable ? PVCLOCK_TSC_STABLE_BIT : 0;
}

static int write_clock(struct tpz_vcpu *v, u64 gpa)
{
	struct tpz_clock *clock = v->vm->clock;
	struct tpz_scale scale = tpz_tsc_scale();
	struct pvclock_vcpu_time_info info = {
		.tsc_to_system_mul = scale.mul,
		.tsc_shift = scale.shift,
		.flags = clock_flags(),
	};
	int err;

	mutex_lock(&clock->lock);
	follow_host(clock);
	info.tsc_timestamp = clock->base_tsc + v->tsc_offset;
	info.system_time = clock->base_ns;
	err = tpz_write_versioned(v->vm, gpa, &info, sizeof(info), offsetof(struct pvclock_vcpu_time_info, version));
	mutex_unlock(&clock->lock);
	return err;
}

static int write_wall_clock(struct tpz_vcpu *v, u64 gpa)
{
	struct tpz_clock *clock = v->vm->clock;
	struct pvclock_wall_clock wall = {};
	u64 at_zero;
	u32 nsec;

	mutex_lock(&clock->lock);
	follow_host(clock);
	at_zero = ktime_get_real_ns() - clock_at(clock, rdtsc_ordered());
	mutex_unlock(&clock->lock);
	wall.sec = div_u64_rem(at_zero, NSEC_PER_SEC, &nsec);
	wall.nsec = nsec;
	return tpz_write_versioned(v->vm, gpa, &wall, sizeof(wall), offsetof(struct pvclock_wall_clock, version));
}

/*
 * A page that is no longer there (the launcher took the slot away) can be read by nobody: nothing to do. When
 * the guest names a page that is not there, it gets #GP at once (write_kvm_msr()).
 */
void tpz_clock_update(struct tpz_vcpu *v)
{
	if (v->vm->clock && (v->kvm_system_time & KVM_MSR_ENABLED))
		write_clock(v, v->kvm_system_time & ~(u64)KVM_MSR_ENABLED);
}

/* ------------------------------------------------------------------ MSRs */

static bool is_wall_clock(u32 index)
{
	return index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_WALL_CLOCK_NEW;
}

/* Both structures are aligned to 4 bytes; the clock's bit 0 enables it */
int tpz_check_kvm_msr(u32 index, u64 value)
{
	u64 gpa = is_wall_clock(index) ? value : value & ~(u64)KVM_MSR_ENABLED;

	if (gpa & 3 || gpa >> 52)
		return -EINVAL;
	return 0;
}

static int read_kvm_msr(struct tpz_vcpu *v, u32 index, u64 *value)
{
	if (!v->vm->clock)
		return -EINVAL;
	*value = is_wall_clock(index) ? v->kvm_wall_clock : v->kvm_system_time;
	return 0;
}

static int write_kvm_msr(struct tpz_vcpu *v, u32 index, u64 value)
{
	if (!v->vm->clock || tpz_check_kvm_msr(index, value))
		return -EINVAL;
	if (is_wall_clock(index)) {
		if (write_wall_clock(v, value))
			return -EINVAL;
		v->kvm_wall_clock = value;
		return 0;
	}
	if ((value & KVM_MSR_ENABLED) && write_clock(v, value & ~(u64)KVM_MSR_ENABLED))
		return -EINVAL;
	v->kvm_system_time = value;
	return 0;
}

static int read_tsc(struct tpz_vcpu *v, u32 index, u64 *value)
{
	*value = tpz_guest_tsc(v);
	return 0;
}

static int write_tsc(struct tpz_vcpu *v, u32 index, u64 value)
{
	tpz_set_guest_tsc(v, value);
	return 0;
}

/* IA32_TSC_ADJUST is not there, as CPUID says: a guest that wants another TSC writes it */
const struct tpz_msr tpz_time_msrs[] = {
	{ MSR_IA32_TSC, MSR_IA32_TSC, .read = read_tsc, .write = write_tsc },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, .sleeps = true, .read = read_kvm_msr, .write = write_kvm_msr },
	{ MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW, .sleeps = true,
	  .read = read_kvm_msr, .write = write_kvm_msr },
	{ 1, 0 },
};
