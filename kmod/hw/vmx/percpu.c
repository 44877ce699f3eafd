// SPDX-License-Identifier: GPL-2.0
/*
 * VMX operation on a CPU (SDM vol. 3C, 24.7 "Enabling and Entering VMX Operation"), and VMCS residency.
 *
 * A VMCS is active on at most one CPU, which may hold parts of it in its caches: before another CPU uses it, and
 * before VMXOFF, it must be VMCLEARed where it stands. Each CPU has a list of the VMCSs that stand on it. List,
 * vmx_vcpu.cpu and the current pointer change on that CPU alone, with interrupts off; so a vCPU's thread that
 * moved reaches them by an IPI.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include "vmx.h"

struct vmx_cpu {
	struct vmx_region *vmxon;	/* allocated at load for each possible CPU */
	struct list_head resident;	/* vmx_vcpu.link */
	struct vmx_vcpu *current_vmcs;	/* what VMPTRLD loaded last, or NULL */
	bool on;
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpus);

int vmx_percpu_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *c = &per_cpu(vmx_cpus, cpu);
		struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

		INIT_LIST_HEAD(&c->resident);
		if (!page) {
			vmx_percpu_exit();
			return -ENOMEM;
		}
		c->vmxon = page_address(page);
		c->vmxon->revision = vmx_caps.basic & VMX_CAP_BASIC_REVISION;
	}
	return 0;
}

void vmx_percpu_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *c = &per_cpu(vmx_cpus, cpu);

		free_page((unsigned long)c->vmxon);
		c->vmxon = NULL;
	}
}

/**
 * vmx_cpu_on() - this CPU enters VMX operation
 * Return: 0; -EBUSY: it is in VMX operation already, by another hypervisor; -EIO: VMXON failed.
 * Context: interrupts off.
 */
int vmx_cpu_on(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	int ret;

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	tpz_host_set_vmxe();
	ret = vmx_vmxon(__pa(c->vmxon));
	if (ret) {
		tpz_host_clear_vmxe();
		return ret;
	}
	/* What an earlier owner left in the caches under the same tags must not serve our guests */
	if (vmx_caps.ept_vpid & VMX_CAP_EPT_INVEPT_ALL)
		vmx_invept(INVEPT_ALL_CONTEXTS, 0);
	c->on = true;
	return 0;
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

/**
 * vmx_cpu_off() - this CPU leaves VMX operation, its VMCSs put away first
 * Context: interrupts off.
 */
void vmx_cpu_off(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	struct vmx_vcpu *x, *next;

	if (!c->on)
		return;
	c->on = false;
	list_for_each_entry_safe(x, next, &c->resident, link)
		clear_resident(c, x);
	vmx_vmxoff();
	tpz_host_clear_vmxe();
}

/**
 * vmx_cpu_crash() - vmx_cpu_off() for the last moments: the NMI may have hit inside a change of the list
 */
void vmx_cpu_crash(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpus);
	struct vmx_vcpu *x;

	if (!(__read_cr4() & X86_CR4_VMXE) || !c->vmxon)
		return;
	list_for_each_entry(x, &c->resident, link)
		vmx_vmclear(x->vmcs_pa);
	vmx_vmxoff();
}

bool vmx_this_cpu_on(void)
{
	return __this_cpu_read(vmx_cpus.on);
}

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
	ret = c->on ? vmx_vmptrld(x->vmcs_pa) : -ESHUTDOWN;
	if (!ret) {
		if (x->cpu < 0) {
			x->cpu = smp_processor_id();
			list_add(&x->link, &c->resident);
		}
		c->current_vmcs = x;
	}
	local_irq_restore(flags);
	return ret;
}

/* ---- failures of VMREAD and VMWRITE: a bug of ours, or a CPU that left VMX operation under us */

void vmx_read_failed(u32 field)
{
	if (vmx_this_cpu_on())
		WARN_ONCE(1, "trapeze: VMREAD of %s (%#x) failed, from %pS\n", vmcs_field_name(field), field,
			  __builtin_return_address(0));
}

void vmx_write_failed(u32 field, u64 value)
{
	if (vmx_this_cpu_on())
		WARN_ONCE(1, "trapeze: VMWRITE of %#llx to %s (%#x) failed, from %pS\n", value,
			  vmcs_field_name(field), field, __builtin_return_address(0));
}
