/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every dependence on what varies or is fenced in the host kernel. Its stable API may be used anywhere else.
 * Features are told by Kbuild's look at the headers (TPZ_HAVE_*), never by the kernel's version.
 */
#ifndef TPZ_HOST_H
#define TPZ_HOST_H

#include <linux/cc_platform.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/types.h>
#include <asm/desc_defs.h>
#include <asm/msr.h>

/* ---- names that moved */

#ifdef TPZ_HAVE_RDMSRQ
#define tpz_rdmsr(msr, value)	rdmsrq(msr, value)
#define tpz_wrmsr(msr, value)	wrmsrq(msr, value)
#define tpz_rdmsr_safe(msr, p)	rdmsrq_safe(msr, p)
#else
#define tpz_rdmsr(msr, value)	rdmsrl(msr, value)
#define tpz_wrmsr(msr, value)	wrmsrl(msr, value)
#define tpz_rdmsr_safe(msr, p)	rdmsrl_safe(msr, p)
#endif

/* No tracepoint */
static __always_inline void tpz_wrmsr_noinstr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

static inline u64 tpz_msr(u32 msr)
{
	u64 value;

	tpz_rdmsr(msr, value);
	return value;
}

static inline void tpz_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
				     clockid_t clock, enum hrtimer_mode mode)
{
#ifdef TPZ_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

static inline void tpz_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef TPZ_HAVE_EVENTFD_SIGNAL_ONE
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* An interrupt to another CPU that means nothing but itself */
static inline void tpz_host_interrupt(int cpu)
{
#ifdef TPZ_HAVE_ARCH_RESCHEDULE
	arch_smp_send_reschedule(cpu);		/* the generic one has a tracepoint that is not ours */
#else
	smp_send_reschedule(cpu);
#endif
}

/* get_user_pages(): give way to any signal; let NUMA balancing see the access (where there is no flag, it does) */
#ifdef TPZ_HAVE_GUP_FLAGS
#define TPZ_GUP_FLAGS	(FOLL_INTERRUPTIBLE | FOLL_HONOR_NUMA_FAULT)
#else
#define TPZ_GUP_FLAGS	0
#endif

#ifdef TPZ_HAVE_CPUID_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

/* ---- VMX operation of this CPU */

/*
 * The kernel writes CR4 from a copy of its own, at a context switch for one: where it keeps the helpers that change this
 * copy for KVM alone, CR4.VMXE can be set only while interrupts stay off.
 */
#ifdef TPZ_KVM_FENCE
#define TPZ_HOST_CAN_KEEP_VMXE	false
#else
#define TPZ_HOST_CAN_KEEP_VMXE	true
#endif

/* Before VMXON, and after VMXOFF: CR4.VMXE, and Intel PT's driver is told. @keep: beyond this stretch of interrupts off */
void tpz_host_vmx_begin(bool keep);
void tpz_host_vmx_end(bool kept);

/* ---- the scheduler's account */

static inline bool tpz_host_keeps_run_delay(void)
{
	return IS_ENABLED(CONFIG_SCHED_INFO);
}

/* Nanoseconds that the calling thread has waited for a CPU in its life */
static inline u64 tpz_host_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* In a preempt notifier's sched_out: the calling thread would rather go on */
static inline bool tpz_host_thread_runnable(void)
{
#ifdef TPZ_HAVE_TASK_IS_RUNNABLE
	return task_is_runnable(current);
#else
	return current->on_rq;
#endif
}

/**
 * tpz_host_yield_to() - give this CPU to a thread that waits for one
 * Return: false: it does not wait, or may not have it. Where the kernel lets no module choose, whoever is next may.
 * Context: may sleep.
 */
static inline bool tpz_host_yield_to(struct task_struct *thread)
{
#ifdef TPZ_HAVE_YIELD_TO
	return yield_to(thread, true) > 0;
#else
	yield();
	return true;
#endif
}

/* ---- other users of the CPU's virtualization */

/**
 * tpz_host_module_loaded() - is a module of this name loaded (or built in with parameters)? May sleep
 */
bool tpz_host_module_loaded(const char *name);

/**
 * tpz_host_claim() - keep KVM's module for this hardware out from now on. May sleep
 * @rival: its name
 */
void tpz_host_claim(const char *rival);

/**
 * tpz_host_on_crash() - take the kernel's one slot for a callback before a crash kernel runs
 * @crash: called on each CPU, from NMI context
 * Context: the rival, which would take the slot too, is claimed against and not loaded.
 */
void tpz_host_on_crash(void (*crash)(void));
void tpz_host_release(void (*crash)(void));	/* @crash: NULL if it was not registered. May sleep */

/* ---- what the host does with its memory */

/* AMD's SEV-SNP is initialized: a table says who owns each page, and the CPU checks it */
static inline bool tpz_host_has_snp(void)
{
#ifdef TPZ_HAVE_SNP
	return cc_platform_has(CC_ATTR_HOST_SEV_SNP);
#else
	return false;		/* kernels that do not know of it do not turn it on */
#endif
}

/* ---- events in the life of the machine */

/**
 * struct tpz_host_events - who is told when CPUs must leave virtualization operation, and may come back
 * @suspend, @resume: the boot CPU, interrupts off, the others offline
 * @reboot: before a reboot, halt or kexec; may sleep
 */
struct tpz_host_events {
	void (*suspend)(void);
	void (*resume)(void);
	void (*reboot)(void);
};

int tpz_host_register(const struct tpz_host_events *events);
void tpz_host_unregister(void);

/* ---- the run loop */

/**
 * tpz_host_work_pending() - a signal, a reschedule or other work of return to user space waits. Interrupts off
 * tpz_host_handle_work() - do it. May sleep. Return: 0, or -EINTR: a signal
 */
bool tpz_host_work_pending(void);
int tpz_host_handle_work(void);

/* ---- host state that a VM exit does not restore (HOST-KERNELS: "What a VM exit does not restore") */

/**
 * struct tpz_host_regs - what the launcher's thread had in registers that the guest's entry or exit loses
 */
struct tpz_host_regs {
	u16 ds, es, fs, gs, ldt;
	struct desc_ptr idt;
	u64 fs_base;
	u64 kernel_gs_base;	/* the thread's user-space GS base */
};

void tpz_host_regs_save(struct tpz_host_regs *regs);		/* preemption off */
void tpz_host_regs_restore(const struct tpz_host_regs *regs);	/* preemption off: also TSS and GDT limits */

/* Debug registers: the thread's and perf's breakpoints around a stay in the guest. Interrupts off */
struct tpz_host_debug {
	unsigned long dr[4];
	unsigned long dr7;
};

bool tpz_host_debug_save(struct tpz_host_debug *d);	/* true: some breakpoint is armed, restore afterwards */
void tpz_host_debug_restore(const struct tpz_host_debug *d);

/* A machine check that hit while the guest ran. Interrupts off */
void tpz_host_machine_check(void);

/* ---- mitigations (tpz info reads them back) */

struct tpz_host_mitigations {
	bool verw;		/* clear CPU buffers at each entry (MDS, TAA, MMIO stale data, RFDS) */
	bool l1d_flush;		/* flush L1D at entries after which foreign data was touched (L1TF) */
	bool ibpb;		/* branch-predictor barrier between two VMs of different domains */
	bool vmscape;		/* and before the launcher returns to user space after its guest ran */
	bool pebs;		/* the host's precise events pause in guests: their buffer has a host address */
};

/*
 * SRSO on CPUs where it is left between guests and the host alone: the host asks for less speculation while this CPU
 * may run guests. Interrupts off, or in a crash
 */
void tpz_host_reduce_speculation(bool reduce);

extern struct tpz_host_mitigations tpz_host_mitigations;
void tpz_host_mitigations_init(void);

/**
 * struct tpz_host_mitigation - one line of `tpz info`
 */
struct tpz_host_mitigation {
	const char *name;
	bool on;
	const char *what;
};

const struct tpz_host_mitigation *tpz_host_mitigation(u32 index);	/* NULL beyond the last */

/* A guest ran on this CPU: the predictors are flushed before user space runs, where the kernel does that. Preemption off */
void tpz_host_guest_ran(void);

/**
 * tpz_host_split_lock() - the guest raised #AC by a split lock that the host's kernel looks for
 * @rip: the guest's
 * Return: true: the kernel has dealt with it, the instruction may run again; false: the #AC is the guest's. May sleep.
 */
bool tpz_host_split_lock(unsigned long rip);

#endif /* TPZ_HOST_H */
