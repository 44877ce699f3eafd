// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's VMCS: its memory, its controls, and the fields that never change (SDM vol. 3C, chapter 25).
 */
#include <linux/idr.h>
#include <linux/slab.h>
#include <asm/desc.h>
#include "vmx.h"

static DEFINE_IDA(vpids);
#define VPID_MAX	0xffff

/* ---- the MSR bitmap: deny, but for what the VMCS or vcpu_load() switches (SDM vol. 3C, 25.6.9) */

static void msr_allow(unsigned long *bitmap, u32 msr, bool write)
{
	unsigned int bit = msr & 0x1fff;
	unsigned int high = msr & 0xc0000000 ? 1024 * 8 : 0;

	__clear_bit(high + bit, bitmap);
	if (write)
		__clear_bit(2048 * 8 + high + bit, bitmap);
}

static unsigned long *msr_bitmap_create(void)
{
	unsigned long *bitmap = (unsigned long *)__get_free_page(GFP_KERNEL_ACCOUNT);
	const struct tpz_passed_msr *m;

	if (!bitmap)
		return NULL;
	memset(bitmap, 0xff, PAGE_SIZE);
	for (m = tpz_passed_msrs; m->msr; m++)
		msr_allow(bitmap, m->msr, m->write);
	return bitmap;
}

/* ---- the fields */

/* A guest's kernel that spins this long yields (SDM vol. 3C, 25.6.13): two PAUSEs closer than the gap are one loop's */
#define SPIN_GAP	128	/* cycles */
#define SPIN_WINDOW	4096

static void write_controls(struct vmx_vcpu *x, struct tpz_vm *vm)
{
	struct vmx_controls c = vmx_controls;

	vmx_trap_controls(vm->traps, &c);
	c.secondary &= ~SECONDARY_PAUSE_LOOP_EXITING;	/* vmx_watch_spins() */
	x->primary = c.primary;
	x->secondary = c.secondary;
	x->entry_controls = c.entry & ~ENTRY_IA32E_MODE_GUEST;
	vmcs_write(VMCS_PIN_BASED_CONTROLS, c.pin);
	vmcs_write(VMCS_PRIMARY_CONTROLS, x->primary);
	vmcs_write(VMCS_SECONDARY_CONTROLS, c.secondary);
	vmcs_write(VMCS_EXIT_CONTROLS, c.exit);
	vmcs_write(VMCS_ENTRY_CONTROLS, x->entry_controls);
	vmcs_write(VMCS_EXCEPTION_BITMAP, tpz_trapped_exceptions(vm));
	vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write(VMCS_MSR_BITMAP, __pa(x->msr_bitmap));
	if (c.secondary & SECONDARY_ENCLS_EXITING)
		vmcs_write(VMCS_ENCLS_EXITING_BITMAP, ~0ULL);
	if (c.secondary & SECONDARY_ENCLV_EXITING)
		vmcs_write(VMCS_ENCLV_EXITING_BITMAP, ~0ULL);
	if (vmx_controls.secondary & SECONDARY_PAUSE_LOOP_EXITING) {
		vmcs_write(VMCS_PLE_GAP, SPIN_GAP);
		vmcs_write(VMCS_PLE_WINDOW, SPIN_WINDOW);
	}
	vmcs_write(VMCS_EPTP, x->eptp);
	vmcs_write(VMCS_LINK_POINTER, ~0ULL);
	if (x->vpid)
		vmcs_write(VMCS_VPID, x->vpid);
}

void vmx_watch_spins(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);
	const u32 bit = vmx_controls.secondary & SECONDARY_PAUSE_LOOP_EXITING;
	const u32 wanted = tpz_has_others(v) ? x->secondary | bit : x->secondary & ~bit;

	if (x->secondary == wanted)
		return;
	x->secondary = wanted;
	vmcs_write(VMCS_SECONDARY_CONTROLS, wanted);
}

static void write_masks(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	/*
	 * CR0: the guest owns what has no consequence for us. NE is fixed in VMX operation; CD and NW would act on
	 * the host's caches; PG changes EFER.LMA, which the entry controls mirror.
	 */
	x->cr0_owned = ~(u64)(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_WP | X86_CR0_AM);
	x->cr4_owned = ~v->cr4_allowed | vmx_caps.cr4_fixed0 | X86_CR4_MCE;
	vmcs_write(VMCS_CR0_GUEST_HOST_MASK, x->cr0_owned);
	vmcs_write(VMCS_CR4_GUEST_HOST_MASK, x->cr4_owned);
}

static void write_guest_constants(struct vmx_vcpu *x)
{
	vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmcs_write(VMCS_GUEST_IA32_DEBUGCTL, 0);
}

static void write_host_constants(void)
{
	struct desc_ptr idt;

	store_idt(&idt);
	vmcs_write(VMCS_HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write(VMCS_HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(VMCS_HOST_SS_SELECTOR, __KERNEL_DS);
	/* The thread's own DS, ES, FS, GS have RPL 3, which no host field may have: restored when unloaded */
	vmcs_write(VMCS_HOST_DS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_ES_SELECTOR, 0);
	vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(VMCS_HOST_IDTR_BASE, idt.address);
	vmcs_write(VMCS_HOST_IA32_EFER, tpz_msr(MSR_EFER));
	vmcs_write(VMCS_HOST_IA32_PAT, tpz_msr(MSR_IA32_CR_PAT));
	vmcs_write(VMCS_HOST_IA32_SYSENTER_CS, tpz_msr(MSR_IA32_SYSENTER_CS));
	vmcs_write(VMCS_HOST_IA32_SYSENTER_EIP, tpz_msr(MSR_IA32_SYSENTER_EIP));
	vmcs_write(VMCS_HOST_RIP, (unsigned long)vmx_exit_point);
}

/* ---- objects */

static u64 eptp_of(struct tpz_vm *vm)
{
	u64 eptp = vm->npt_root | EPTP_MEMORY_TYPE_WB | EPTP_WALK_LENGTH_4;

	if (vmx_caps.ept_vpid & VMX_CAP_EPT_ACCESSED_DIRTY)
		eptp |= EPTP_ACCESSED_DIRTY;
	return eptp;
}

static int vpid_alloc(struct vmx_vcpu *x)
{
	int vpid;

	if (!(vmx_controls.secondary & SECONDARY_ENABLE_VPID))
		return 0;
	vpid = ida_alloc_range(&vpids, 1, VPID_MAX, GFP_KERNEL);
	if (vpid < 0)
		return vpid;
	x->vpid = vpid;
	return 0;
}

static int init_vmcs(struct tpz_vcpu *v, struct vmx_vcpu *x)
{
	int ret;

	preempt_disable();
	ret = vmx_open(v);
	if (!ret) {
		ret = vmx_make_current(x);
		if (!ret) {
			write_controls(x, v->vm);
			write_masks(v, x);
			write_guest_constants(x);
			write_host_constants();
		}
		vmx_close(v);
	}
	preempt_enable();
	return ret;
}

/**
 * vmx_vcpu_create() - v->hw, with its VMCS initialized and put away again
 * @v: the vCPU; its thread need not be loaded
 *
 * Return: 0; -ENOMEM; -ENOSPC: no VPID left; -ESHUTDOWN.
 */
int vmx_vcpu_create(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = kzalloc(sizeof(*x), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!x)
		return -ENOMEM;
	v->hw = x;
	x->cpu = -1;
	tpz_switch_init(&x->host_switch, false);	/* the control that lets XSAVES through is never set */
	INIT_LIST_HEAD(&x->link);
	x->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	x->msr_bitmap = msr_bitmap_create();
	if (!x->vmcs || !x->msr_bitmap)
		goto fail;
	ret = vpid_alloc(x);
	if (ret)
		goto fail;
	x->vmcs_pa = __pa(x->vmcs);
	x->vmcs->revision = vmx_caps.basic & VMX_CAP_BASIC_REVISION;
	x->eptp = eptp_of(v->vm);
	if (v->vm->traps & TPZ_TRAP_TIMER)
		x->timer_ticks = max_t(u64, 1, v->vm->timer_cycles >> (vmx_caps.misc & VMX_CAP_MISC_TIMER_RATE));
	x->timer_on = x->timer_ticks;

	ret = init_vmcs(v, x);
	if (ret)
		goto fail;
	vmx_evict(x);		/* the first load finds it nowhere, and writes what a CPU's own fields need */
	return 0;
fail:
	vmx_vcpu_destroy(v);
	return ret;
}

void vmx_vcpu_destroy(struct tpz_vcpu *v)
{
	struct vmx_vcpu *x = to_vmx(v);

	if (!x)
		return;
	vmx_evict(x);
	if (x->vpid)
		ida_free(&vpids, x->vpid);
	free_page((unsigned long)x->msr_bitmap);
	free_page((unsigned long)x->vmcs);
	kfree(x);
	v->hw = NULL;
}
