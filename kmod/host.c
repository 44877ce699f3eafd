// SPDX-License-Identifier: GPL-2.0
/*
 * The host kernel, where it varies between versions or is fenced: see host.h.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/cpu.h>
#ifdef TPZ_HAVE_ENTRY_VIRT
#include <linux/entry-virt.h>
#else
#include <linux/entry-kvm.h>
#endif
#include <linux/hw_breakpoint.h>
#ifndef TPZ_HAVE_XFER_VOID
#include <linux/kvm_host.h>
#endif
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>
#include <asm/asm.h>
#include <asm/cpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/extable_fixup_types.h>
#include <asm/mce.h>
#include <asm/nospec-branch.h>
#include <asm/perf_event.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>
#include "host.h"

/* ---- VMX operation of this CPU */

static void change_vmxe(bool on, bool in_kernels_copy)
{
	unsigned long cr4 = __read_cr4() & ~X86_CR4_VMXE;

#ifndef TPZ_KVM_FENCE
	if (in_kernels_copy) {
		if (on)
			cr4_set_bits_irqsoff(X86_CR4_VMXE);
		else
			cr4_clear_bits_irqsoff(X86_CR4_VMXE);
		return;
	}
#endif
	asm volatile("mov %0, %%cr4" : : "r" (on ? cr4 | X86_CR4_VMXE : cr4) : "memory");
}

/* On CPUs that cannot trace in VMX operation VMXON stops the trace, behind its driver's back */
static void tell_intel_pt(bool vmx_on)
{
#ifndef TPZ_KVM_FENCE
	intel_pt_handle_vmx(vmx_on);
#endif
}

void tpz_host_vmx_begin(bool keep)
{
	tell_intel_pt(true);
	change_vmxe(true, keep);
}

void tpz_host_vmx_end(bool kept)
{
	change_vmxe(false, kept);
	tell_intel_pt(false);
}

/* ---- other users */

bool tpz_host_module_loaded(const char *name)
{
	char path[64];
	struct path found;

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (kern_path(path, LOOKUP_FOLLOW, &found))
		return false;
	path_put(&found);
	return true;
}

static const char *claim_rival;		/* written while nothing is registered */

static int claim_module_event(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct module *module = data;

	if (action != MODULE_STATE_COMING || strcmp(module->name, claim_rival))
		return NOTIFY_DONE;
	pr_err("%s is kept out: Trapeze holds the hardware; run \"modprobe -r trapeze\" first\n", claim_rival);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block claim_notifier = {
	.notifier_call = claim_module_event,
};

void tpz_host_claim(const char *rival)
{
	claim_rival = rival;
	register_module_notifier(&claim_notifier);
}

void tpz_host_on_crash(void (*crash)(void))
{
#ifdef TPZ_HAVE_EMERGENCY_CALLBACK
	cpu_emergency_register_virt_callback(crash);
#endif
}

void tpz_host_release(void (*crash)(void))
{
#ifdef TPZ_HAVE_EMERGENCY_CALLBACK
	if (crash)
		cpu_emergency_unregister_virt_callback(crash);
#endif
	unregister_module_notifier(&claim_notifier);
}

/* ---- the life of the machine */

static const struct tpz_host_events *events;	/* written while nothing is registered */

static int host_suspend(void)
{
	events->suspend();
	return 0;
}

static void host_resume(void)
{
	events->resume();
}

static int host_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	events->reboot();
	return NOTIFY_OK;
}

#ifdef TPZ_HAVE_SYSCORE
static int host_syscore_suspend(void *data)
{
	return host_suspend();
}

static void host_syscore_resume(void *data)
{
	host_resume();
}

static const struct syscore_ops host_syscore_ops = {
	.suspend = host_syscore_suspend,
	.resume = host_syscore_resume,
};

static struct syscore host_syscore = { .ops = &host_syscore_ops };

static void host_syscore_register(void)
{
	register_syscore(&host_syscore);
}

static void host_syscore_unregister(void)
{
	unregister_syscore(&host_syscore);
}
#else
static struct syscore_ops host_syscore_ops = {
	.suspend = host_suspend,
	.resume = host_resume,
};

static void host_syscore_register(void)
{
	register_syscore_ops(&host_syscore_ops);
}

static void host_syscore_unregister(void)
{
	unregister_syscore_ops(&host_syscore_ops);
}
#endif

static struct notifier_block host_reboot_notifier = {
	.notifier_call = host_reboot,
};

int tpz_host_register(const struct tpz_host_events *e)
{
	int ret;

	events = e;
	ret = register_reboot_notifier(&host_reboot_notifier);
	if (ret)
		return ret;
	host_syscore_register();
	return 0;
}

void tpz_host_unregister(void)
{
	host_syscore_unregister();
	unregister_reboot_notifier(&host_reboot_notifier);
}

/* ---- the run loop */

bool tpz_host_work_pending(void)
{
#ifdef TPZ_HAVE_XFER_PREPARE
	xfer_to_guest_mode_prepare();
#endif
	return xfer_to_guest_mode_work_pending();
}

#ifdef TPZ_HAVE_XFER_VOID
int tpz_host_handle_work(void)
{
	return xfer_to_guest_mode_handle_work();
}
#else
/*
 * The kernel's helper takes one of KVM's vCPUs, only to count a signal in it: this one is nobody's, and what many
 * threads count there at once does not matter.
 */
static struct kvm_run nobodys_run;
static struct kvm_vcpu nobodys_vcpu = { .run = &nobodys_run };

int tpz_host_handle_work(void)
{
	return xfer_to_guest_mode_handle_work(&nobodys_vcpu);
}
#endif

/* ---- what a VM exit does not restore */

void tpz_host_regs_save(struct tpz_host_regs *regs)
{
	savesegment(ds, regs->ds);
	savesegment(es, regs->es);
	savesegment(fs, regs->fs);
	savesegment(gs, regs->gs);
	store_ldt(regs->ldt);
	store_idt(&regs->idt);
	regs->fs_base = tpz_msr(MSR_FS_BASE);
	regs->kernel_gs_base = tpz_msr(MSR_KERNEL_GS_BASE);
}

/*
 * Loads the thread's GS selector without losing the kernel's own base. The descriptor may have gone meanwhile, by another
 * thread's modify_ldt(): the selector is null then. Without FSGSBASE an NMI in between sees a user's base and swaps: what
 * it finds must be the kernel's, so both bases are until the caller sets the thread's own.
 */
static void load_user_gs(u16 selector)
{
	u64 kernel_base = tpz_msr(MSR_GS_BASE);
	unsigned long value = selector;
	unsigned long flags;

	local_irq_save(flags);
	tpz_wrmsr(MSR_KERNEL_GS_BASE, kernel_base);
	asm volatile("1:	mov %k0, %%gs\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 1b, EX_TYPE_ZERO_REG, %k0)
		     : "+r" (value) : : "memory");
	tpz_wrmsr(MSR_GS_BASE, kernel_base);
	local_irq_restore(flags);
}

void tpz_host_regs_restore(const struct tpz_host_regs *regs)
{
	load_fixmap_gdt(smp_processor_id());	/* the exit set the limits of both tables to 64 KiB */
	asm volatile("lidt %0" : : "m" (regs->idt));
	invalidate_tss_limit();			/* and TR's to 67h: no I/O bitmap */
	if (unlikely(regs->ldt))
		asm volatile("lldt %0" : : "r" (regs->ldt));
	if (unlikely(regs->ds | regs->es)) {
		loadsegment(ds, regs->ds);
		loadsegment(es, regs->es);
	}
	if (unlikely(regs->fs)) {
		loadsegment(fs, regs->fs);
		tpz_wrmsr(MSR_FS_BASE, regs->fs_base);
	}
	if (unlikely(regs->gs))
		load_user_gs(regs->gs);
	tpz_wrmsr(MSR_KERNEL_GS_BASE, regs->kernel_gs_base);
}

bool tpz_host_debug_save(struct tpz_host_debug *d)
{
	if (likely(!hw_breakpoint_active()))
		return false;
	get_debugreg(d->dr[0], 0);
	get_debugreg(d->dr[1], 1);
	get_debugreg(d->dr[2], 2);
	get_debugreg(d->dr[3], 3);
	get_debugreg(d->dr7, 7);
	return true;
}

void tpz_host_debug_restore(const struct tpz_host_debug *d)
{
	set_debugreg(d->dr[0], 0);
	set_debugreg(d->dr[1], 1);
	set_debugreg(d->dr[2], 2);
	set_debugreg(d->dr[3], 3);
	set_debugreg(d->dr7, 7);
}

void tpz_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,	/* as if user code ran: the guest may be killed, the kernel is sound */
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/* ---- mitigations */

struct tpz_host_mitigations tpz_host_mitigations;

void tpz_host_mitigations_init(void)
{
	bool off = cpu_mitigations_off();

	tpz_host_mitigations.verw = !off && boot_cpu_has(X86_FEATURE_MD_CLEAR) &&
		(boot_cpu_has_bug(X86_BUG_MDS) || boot_cpu_has_bug(X86_BUG_TAA) ||
		 boot_cpu_has_bug(X86_BUG_MMIO_STALE_DATA)
#ifdef X86_BUG_RFDS
		 || boot_cpu_has_bug(X86_BUG_RFDS)
#endif
		);
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
	tpz_host_mitigations.verw |= boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM);	/* AMD: TSA */
#endif
	tpz_host_mitigations.l1d_flush = !off && boot_cpu_has_bug(X86_BUG_L1TF) &&
		boot_cpu_has(X86_FEATURE_FLUSH_L1D);
#ifdef X86_FEATURE_USE_IBPB
	tpz_host_mitigations.ibpb = !off && boot_cpu_has(X86_FEATURE_USE_IBPB);
#else
	tpz_host_mitigations.ibpb = !off && boot_cpu_has(X86_FEATURE_IBPB);	/* the kernel's own choice is fenced */
#endif
#if defined(X86_FEATURE_IBPB_EXIT_TO_USER) && !defined(TPZ_KVM_FENCE)
	tpz_host_mitigations.vmscape = boot_cpu_has(X86_FEATURE_IBPB_EXIT_TO_USER);
#endif
	tpz_host_mitigations.pebs = boot_cpu_has(X86_FEATURE_PEBS);
}

static bool can_reduce_speculation(void)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	return boot_cpu_has(X86_FEATURE_SRSO_BP_SPEC_REDUCE);
#else
	return false;
#endif
}

void tpz_host_reduce_speculation(bool reduce)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	u64 value, bit = BIT_ULL(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);

	if (can_reduce_speculation() && !tpz_rdmsr_safe(MSR_ZEN4_BP_CFG, &value))
		tpz_wrmsr(MSR_ZEN4_BP_CFG, reduce ? value | bit : value & ~bit);
#endif
}

const struct tpz_host_mitigation *tpz_host_mitigation(u32 index)
{
	static struct tpz_host_mitigation lines[] = {
		{ "clear-return-predictions", false, "after each exit" },
		{ "restrict-indirect-branches", false, "IBRS written after each exit" },
		{ "clear-branch-history", false, "after each exit" },
		{ "untrain-returns", false, "after each exit (Retbleed, SRSO)" },
		{ "barrier-after-exit", false, "IBPB after each exit (Retbleed, SRSO)" },
		{ "reduce-speculation", false, "while a CPU may run guests (SRSO)" },
		{ "clear-cpu-buffers", false, "VERW before each entry" },
		{ "flush-l1d", false, "before an entry that follows more than fast handlers" },
		{ "branch-predictor-barrier", false, "between two VMs on a CPU" },
		{ "barrier-to-user-space", false, "before the launcher runs on (VMSCAPE)" },
	};
	const bool on[ARRAY_SIZE(lines)] = {
		boot_cpu_has(X86_FEATURE_RSB_VMEXIT) || boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE),
		boot_cpu_has(X86_FEATURE_KERNEL_IBRS),
#if defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT) && !defined(TPZ_KVM_FENCE)
		boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT),
#else
		false,
#endif
		boot_cpu_has(X86_FEATURE_UNRET) || boot_cpu_has(X86_FEATURE_SRSO) || boot_cpu_has(X86_FEATURE_SRSO_ALIAS),
		boot_cpu_has(X86_FEATURE_ENTRY_IBPB) || boot_cpu_has(X86_FEATURE_IBPB_ON_VMEXIT),
		can_reduce_speculation(),
		tpz_host_mitigations.verw,
		tpz_host_mitigations.l1d_flush,
		tpz_host_mitigations.ibpb,
		tpz_host_mitigations.vmscape,
	};

	if (index >= ARRAY_SIZE(lines))
		return NULL;
	lines[index].on = on[index];	/* the same every time */
	return &lines[index];
}

void tpz_host_guest_ran(void)
{
#if defined(X86_FEATURE_IBPB_EXIT_TO_USER) && !defined(TPZ_KVM_FENCE)
	if (tpz_host_mitigations.vmscape)
		__this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

bool tpz_host_split_lock(unsigned long rip)
{
#if defined(CONFIG_CPU_SUP_INTEL) && !defined(TPZ_KVM_FENCE)
	return boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) && handle_guest_split_lock(rip);
#else
	return false;
#endif
}
