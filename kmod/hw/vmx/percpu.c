// SPDX-License-Identifier: GPL-2.0
/*
 * VMX operation on a CPU (SDM vol. 3C, 24.7 "Enabling and Entering VMX Operation"), and VMCS residency.
 *
 * A VMCS is active on at most one CPU, which may hold parts of it in its caches: before another CPU uses it, and
 * before VMXOFF, it must be VMCLEARed where it stands. Each CPU has a list of the VMCSs that stand on it. List,
 * vmx_vcpu.cpu and the current pointer change on that CPU alone, with interrupts off; so a vCPU's thread that
 * moved reaches them by an IPI.
 *
 * CPUs stay in VMX operation while the module is loaded, or VMs live (enable=). In transient mode (vmx=transient, and on
 * kernels that let KVM's module alone keep CR4.VMXE set) they are in it only in windows: { VMXON, VMPTRLD, what is
 * to be done, VMCLEAR, VMXOFF } with interrupts off. vmx_open() and vmx_close() are the window's ends. No VMCS
 * stands anywhere outside of one, so nothing has to happen there before a CPU goes offline, sleeps or is reset.
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include "../percpu.h"
#include "vmx.h"

struct vmx_cpu {
	struct vmx_region *vmxon;	/* its page of ../percpu.c */
	struct list_head resident;	/* vmx_vcpu.link */
	struct vmx_vcpu *current_vmcs;	/* what VMPTRLD loaded last, or NULL */
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpus);

/* ---- load and unload */

DEFINE_STATIC_KEY_FALSE(vmx_transient);

static char *residence = "auto";
module_param_named(vmx, residence, charp, 0444);
MODULE_PARM_DESC(vmx, "transient: CPUs are in VMX operation only for each stay in a guest; resident: all the time; auto (default): resident where the kernel allows it");

static int choose_residence(void)
{
	bool transient = !strcmp(residence, "transient");

	if (!transient && strcmp(residence, "resident") && strcmp(residence, "auto")) {
		pr_err("vmx=%s is unknown; it is auto, resident or transient\n", residence);
		return -EINVAL;
	}
	if (!strcmp(residence, "resident") && !TPZ_HOST_CAN_KEEP_VMXE) {
		pr_err("vmx=resident cannot be had: this kernel keeps what it takes for KVM; leave the parameter out\n");
		return -EOPNOTSUPP;
	}
	if (transient || !TPZ_HOST_CAN_KEEP_VMXE)
		static_branch_enable(&vmx_transient);
	return 0;
}

int vmx_percpu_init(void)
{
	int cpu, ret;

	ret = choose_residence() ?: tpz_cpu_pages_alloc(1);
	if (ret)
		return ret;
	for_each_possible_cpu(cpu) {
		struct vmx_cpu *c = &per_cpu(vmx_cpus, cpu);

		INIT_LIST_HEAD(&c->resident);
		c->vmxon = tpz_cpu_page(cpu, 0);
		c->vmxon->revision = vmx_caps.basic & VMX_CAP_BASIC_REVISION;
	}
	return 0;
}

/* ---- VMX operation. Interrupts off */

static bool stays(void)
{
	return !static_branch_unlikely(&vmx_transient);
}

static int operation_on(struct vmx_cpu *c)
{
	int ret;

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	tpz_host_vmx_begin(stays());
	ret = vmx_vmxon(__pa(c->vmxon));
	if (ret)
		tpz_host_vmx_end(stays());
	return ret;
}

static void clear_resident(struct vmx_cpu *c, struct vmx_vcpu *x)
{
	vmx_vmclear(x->vmcs_pa);
	if (c->current_vmcs == x)
		c->current_vmcs = NULL;
	list_del_init(&x->link);
	x->launched = false;
	smp_store_release(&x->cpu, -1);		/* after the VMCLEAR: another CPU may take it from here */
}

static void operation_off(struct vmx_cpu *c)
{
	struct vmx_vcpu *x, *next;

	list_for_each_entry_safe(x, next, &c->resident, link)
		clear_resident(c, x);
	vmx_vmxoff();
	tpz_host_vmx_end(stays());
}

/**
 * vmx_cpu_on() - this CPU enters VMX operation; in transient mode it shows that it can
 * Return: 0; -EBUSY: it is in VMX operation already, by another hypervisor; -EIO: VMXON failed.
 * Context: interrupts off.
 */
int vmx_cpu_on(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	int ret = operation_on(c);

	if (ret)
		return ret;
	/* What an earlier owner left in the caches under the same tags must not serve our guests */
	if (vmx_caps.ept_vpid & VMX_CAP_EPT_INVEPT_ALL)
		vmx_invept(INVEPT_ALL_CONTEXTS, 0);
	if (!stays())
		operation_off(c);
	return 0;
}

/**
 * vmx_cpu_off() - this CPU leaves VMX operation, its VMCSs put away first
 * Context: interrupts off.
 */
void vmx_cpu_off(void)
{
	if (stays())
		operation_off(this_cpu_ptr(&vmx_cpus));
}

/**
 * vmx_cpu_crash() - vmx_cpu_off() for the last moments: the NMI may have hit inside a change of the list, or in a window
 */
void vmx_cpu_crash(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	struct vmx_vcpu *x;

	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	list_for_each_entry(x, &c->resident, link)
		vmx_vmclear(x->vmcs_pa);
	vmx_vmxoff();
}

/* ---- a VMCS onto this CPU and off it */

/* By IPI on the CPU where it stood when the caller looked; it may have been cleared meanwhile */
static void evict_here(void *arg)
{
	struct vmx_vcpu *x = arg;

	if (x->cpu == smp_processor_id())
		clear_resident(this_cpu_ptr(&vmx_cpus), x);
}

void vmx_evict(struct vmx_vcpu *x)
{
	int cpu = READ_ONCE(x->cpu);

	/* A CPU that went offline cleared its VMCSs before: the call then fails and there is nothing left to do */
	if (cpu >= 0)
		smp_call_function_single(cpu, evict_here, x, 1);
}

int vmx_make_current(struct vmx_vcpu *x)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	unsigned long flags;
	int ret = 0;

	if (c->current_vmcs == x)
		return 0;
	local_irq_save(flags);
	if (!tpz_this_cpu_on())
		ret = -ESHUTDOWN;
	else if (!x->initialized)
		ret = vmx_vmclear(x->vmcs_pa);
	if (!ret)
		ret = vmx_vmptrld(x->vmcs_pa);
	if (!ret) {
		x->initialized = true;
		if (x->cpu < 0) {
			x->cpu = smp_processor_id();
			list_add(&x->link, &c->resident);
		}
		c->current_vmcs = x;
	}
	local_irq_restore(flags);
	return ret;
}

/* ---- windows of transient mode */

int vmx_open_window(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);
	unsigned long flags;
	int ret = -ESHUTDOWN;

	if (x->windows) {
		x->windows++;
		return 0;
	}
	local_irq_save(flags);
	if (tpz_this_cpu_on()) {
		ret = operation_on(this_cpu_ptr(&vmx_cpus));
		if (ret)
			tpz_vm_kill(v->vm, "VMX was taken by another hypervisor while this VM lived");
	}
	if (ret) {
		local_irq_restore(flags);
		return ret;
	}
	vmx_make_current(x);		/* if it fails, the first VMREAD or VMWRITE tells */
	x->irq_flags = flags;
	x->windows = 1;
	return 0;
}

void vmx_close_window(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);

	if (--x->windows)
		return;
	operation_off(this_cpu_ptr(&vmx_cpus));
	local_irq_restore(x->irq_flags);
}

/* ---- failures of VMREAD and VMWRITE: a bug of ours, or a CPU that left VMX operation under us */

void vmx_read_failed(u32 field)
{
	if (tpz_this_cpu_on())
		WARN_ONCE(1, "trapeze: VMREAD of %s (%#x) failed, from %pS\n", vmcs_field_name(field), field,
			  __builtin_return_address(0));
}

void vmx_write_failed(u32 field, u64 value)
{
	if (tpz_this_cpu_on())
		WARN_ONCE(1, "trapeze: VMWRITE of %#llx to %s (%#x) failed, from %pS\n", value,
			  vmcs_field_name(field), field, __builtin_return_address(0));
}
