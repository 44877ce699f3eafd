/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this CPU's VMX can do: the capability MSRs and the few CPUID facts that the rules of VM
 * entry need, read once at load and constant from then on. Plain data, so that unit tests can
 * make up any CPU.
 */
#ifndef TPZ_HW_VMX_CAPS_H
#define TPZ_HW_VMX_CAPS_H

#include <linux/types.h>

/**
 * struct vmx_allowed - the settings a 32-bit control word may have
 * @must: bits that must be 1 (low half of the capability MSR, the TRUE one where it exists)
 * @may: bits that may be 1 (its high half)
 */
struct vmx_allowed {
	u32 must;
	u32 may;
};

/**
 * struct vmx_caps - the capabilities of this CPU
 * @basic: IA32_VMX_BASIC
 * @misc: IA32_VMX_MISC
 * @ept_vpid: IA32_VMX_EPT_VPID_CAP; 0 where neither EPT nor VPID exists
 * @vm_functions: IA32_VMX_VMFUNC; 0 where the control does not exist
 * @pin: pin-based controls
 * @primary: primary processor-based controls
 * @secondary: secondary processor-based controls; @may is 0 where they do not exist
 * @exit: primary VM-exit controls
 * @entry: VM-entry controls
 * @tertiary: bits of the tertiary controls that may be 1 (IA32_VMX_PROCBASED_CTLS3), or 0
 * @secondary_exit: bits of the secondary exit controls that may be 1 (IA32_VMX_EXIT_CTLS2), or 0
 * @cr0_fixed0: bits of CR0 that must be 1 in VMX operation
 * @cr0_fixed1: bits of CR0 that may be 1
 * @cr4_fixed0: bits of CR4 that must be 1
 * @cr4_fixed1: bits of CR4 that may be 1
 * @efer_bits: bits that IA32_EFER implements
 * @debugctl_bits: bits that IA32_DEBUGCTL implements
 * @perf_global_ctrl_bits: bits that IA32_PERF_GLOBAL_CTRL implements (CPUID leaf 0AH)
 * @rtit_ctl_bits: bits that IA32_RTIT_CTL implements (CPUID leaf 14H)
 * @lbr_ctl_bits: bits that IA32_LBR_CTL implements (CPUID leaf 1CH)
 * @spec_ctrl_bits: bits that IA32_SPEC_CTRL implements
 * @physical_bits: CPUID.80000008H:EAX[7:0], less the key bits of an active TME
 * @linear_bits: linear-address bits that the CPU supports: 57 with CPUID LA57, else 48
 * @ia32e_mode: the host is in IA-32e mode when it enters a guest, as every 64-bit kernel is
 * @lam: CPUID LAM: bits 61 and 62 of CR3 are not reserved
 * @rtm: CPUID RTM: the pending-debug bit of restricted transactional memory exists
 * @bus_lock_detect: CPUID BUS_LOCK_DETECT: the pending-debug bit of bus locks exists
 * @sgx: CPUID SGX: the interruptibility bit of enclaves exists
 *
 * A register mask of all ones (~0ULL) turns off the rule that uses it: right where nothing is
 * known of the register, and better than to blame a legal value.
 */
struct vmx_caps {
	u64 basic;
	u64 misc;
	u64 ept_vpid;
	u64 vm_functions;

	struct vmx_allowed pin;
	struct vmx_allowed primary;
	struct vmx_allowed secondary;
	struct vmx_allowed exit;
	struct vmx_allowed entry;
	u64 tertiary;
	u64 secondary_exit;

	u64 cr0_fixed0;
	u64 cr0_fixed1;
	u64 cr4_fixed0;
	u64 cr4_fixed1;

	u64 efer_bits;
	u64 debugctl_bits;
	u64 perf_global_ctrl_bits;
	u64 rtit_ctl_bits;
	u64 lbr_ctl_bits;
	u64 spec_ctrl_bits;

	u8 physical_bits;
	u8 linear_bits;
	bool ia32e_mode;
	bool lam;
	bool rtm;
	bool bus_lock_detect;
	bool sgx;
};

#endif /* TPZ_HW_VMX_CAPS_H */
