// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU onto a CPU and off it: the host's part of the VMCS, and the MSRs and selectors that no exit restores.
 *
 * Between load and put the kernel runs with the guest's SYSCALL MSRs and KERNEL_GS_BASE, which it uses only on the
 * way to and from user space, and with null data selectors. The preempt notifier puts before another thread runs.
 */
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include <asm/nospec-branch.h>
#include <asm/tlbflush.h>
#include "vmx.h"

static const u32 syscall_msrs[VMX_SYSCALL_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK };

void vmx_load_syscall_msrs(const struct tpz_cpu_state *s)
{
	const u64 values[VMX_SYSCALL_MSRS] = { s->star, s->lstar, s->cstar, s->fmask };
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		tpz_wrmsr(syscall_msrs[i], values[i]);
}

static void switch_msrs_to_guest(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		x->host_syscall[i] = tpz_msr(syscall_msrs[i]);
	vmx_load_syscall_msrs(&v->s);
	tpz_wrmsr(MSR_KERNEL_GS_BASE, v->s.kernel_gs_base);
	v->cached |= TPZ_P_KERNEL_GS;
}

static void switch_msrs_to_host(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	unsigned int i;

	if (!(v->cached & TPZ_P_KERNEL_GS)) {
		v->s.kernel_gs_base = tpz_msr(MSR_KERNEL_GS_BASE);
		v->cached |= TPZ_P_KERNEL_GS;
	}
	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		tpz_wrmsr(syscall_msrs[i], x->host_syscall[i]);
}

static void write_fields(struct tpz_vcpu *v, struct vmx_vcpu *x, bool moved)
{
	int cpu = smp_processor_id();

	if (moved) {		/* fields that differ from CPU to CPU */
		vmcs_write(VMCS_HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
		vmcs_write(VMCS_HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
		vmcs_write(VMCS_HOST_GS_BASE, tpz_msr(MSR_GS_BASE));
		vmcs_write(VMCS_HOST_IA32_SYSENTER_ESP, tpz_msr(MSR_IA32_SYSENTER_ESP));
	}
	vmcs_write(VMCS_HOST_FS_BASE, x->host.fs_base);
	if (x->tsc_offset != v->tsc_offset)
		vmx_set_tsc_offset(v, v->tsc_offset);
}

void vmx_refresh_host_state(struct vmx_vcpu *x)
{
	u64 cr3 = __read_cr3();
	u64 cr4 = __read_cr4();
	u16 ldt;

	/* Another thread may have given the process its first LDT since we were loaded: by an IPI, and an exit loses it */
	store_ldt(ldt);
	if (unlikely(ldt))
		x->host.ldt = ldt;
	if (unlikely(cr3 != x->host_cr3)) {
		vmcs_write(VMCS_HOST_CR3, cr3);
		x->host_cr3 = cr3;
	}
	if (unlikely(cr4 != x->host_cr4)) {
		vmcs_write(VMCS_HOST_CR4, cr4);
		x->host_cr4 = cr4;
	}
}

/* After anything of the host's ran with interrupts on: perf may have changed these, and foreign data stand in the L1D */
void vmx_look_at_host(struct vmx_vcpu *x)
{
	tpz_switch_look_at_host(&x->host_switch);
	if (tpz_host_mitigations.pebs)
		x->host_pebs = tpz_msr(MSR_IA32_PEBS_ENABLE);
	if (tpz_host_mitigations.l1d_flush)
		tpz_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

int vmx_vcpu_load(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);
	int ret;

	if (x->cpu != smp_processor_id())
		vmx_evict(x);
	ret = vmx_open(v);
	if (ret)
		return ret;
	ret = vmx_make_current(x);
	if (!ret) {
		tpz_host_regs_save(&x->host);
		write_fields(v, x, tpz_switch_load(&x->host_switch, v));
		switch_msrs_to_guest(v, x);
		vmx_watch_spins(v);
	}
	vmx_close(v);
	return ret;
}

void vmx_vcpu_put(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);

	tpz_switch_put(&x->host_switch);
	switch_msrs_to_host(v, x);
	tpz_host_regs_restore(&x->host);
}
