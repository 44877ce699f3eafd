// SPDX-License-Identifier: GPL-2.0
/*
 * What this CPU's VMX can do (SDM vol. 3D, appendix A), what Trapeze needs of it, and the sentence that refuses to
 * load where something is missing.
 *
 * Parts: 1. the lists of controls  2. reading the capability MSRs  3. probe  4. the lines of `tpz info`
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/kernel.h>
#include <asm/cpufeature.h>
#include "../probe.h"
#include "ept.h"
#include "vmx.h"

struct vmx_caps vmx_caps;
struct vmx_controls vmx_controls;

/* ---- 1. The lists */

struct control {
	u32 bit;
	const char *name;
};

static const struct control pin_required[] = {
	{ PIN_EXTERNAL_INTERRUPT_EXITING,	"external-interrupt exiting" },
	{ PIN_NMI_EXITING,			"NMI exiting" },
	{ PIN_VIRTUAL_NMIS,			"virtual NMIs" },
	{}
};

static const struct control primary_required[] = {
	{ PRIMARY_USE_TSC_OFFSETTING,		"TSC offsetting" },
	{ PRIMARY_HLT_EXITING,			"HLT exiting" },
	{ PRIMARY_MWAIT_EXITING,		"MWAIT exiting" },
	{ PRIMARY_MONITOR_EXITING,		"MONITOR exiting" },
	{ PRIMARY_RDPMC_EXITING,		"RDPMC exiting" },
	{ PRIMARY_CR8_LOAD_EXITING,		"CR8-load exiting" },
	{ PRIMARY_CR8_STORE_EXITING,		"CR8-store exiting" },
	{ PRIMARY_MOV_DR_EXITING,		"MOV-DR exiting" },
	{ PRIMARY_UNCONDITIONAL_IO_EXITING,	"unconditional I/O exiting" },
	{ PRIMARY_USE_MSR_BITMAPS,		"MSR bitmaps" },
	{ PRIMARY_ACTIVATE_SECONDARY,		"secondary controls" },
	{}
};

static const struct control secondary_required[] = {
	{ SECONDARY_ENABLE_EPT,			"EPT" },
	{ SECONDARY_UNRESTRICTED_GUEST,		"unrestricted guest" },
	{ SECONDARY_WBINVD_EXITING,		"WBINVD exiting" },
	{}
};

static const struct control secondary_optional[] = {
	{ SECONDARY_ENABLE_VPID,		"VPID" },
	{ SECONDARY_ENABLE_RDTSCP,		"RDTSCP" },
	{ SECONDARY_ENABLE_INVPCID,		"INVPCID" },
	{ SECONDARY_CONCEAL_VMX_FROM_PT,	"conceal VMX from PT" },
	{ SECONDARY_ENCLS_EXITING,		"ENCLS exiting" },
	{ SECONDARY_ENCLV_EXITING,		"ENCLV exiting" },
	{}
};

static const struct control exit_required[] = {
	{ EXIT_HOST_ADDRESS_SPACE_SIZE,		"64-bit host" },
	{ EXIT_SAVE_DEBUG_CONTROLS,		"save debug controls" },
	{ EXIT_SAVE_IA32_PAT,			"save IA32_PAT" },
	{ EXIT_LOAD_IA32_PAT,			"load IA32_PAT" },
	{ EXIT_SAVE_IA32_EFER,			"save IA32_EFER" },
	{ EXIT_LOAD_IA32_EFER,			"load IA32_EFER" },
	{}
};

static const struct control entry_required[] = {
	{ ENTRY_LOAD_DEBUG_CONTROLS,		"load debug controls" },
	{ ENTRY_LOAD_IA32_PAT,			"load IA32_PAT" },
	{ ENTRY_LOAD_IA32_EFER,			"load IA32_EFER" },
	{}
};

static const struct control none[] = { {} };

/* Controls that a TPZ_TRAP_* turns on, in addition */
static const struct {
	u64 trap;
	u32 pin, primary, secondary;
} trap_controls[] = {
	{ TPZ_TRAP_DT,		0, 0, SECONDARY_DESCRIPTOR_TABLE_EXITING },
	{ TPZ_TRAP_CR3,		0, PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING, 0 },
	{ TPZ_TRAP_INVLPG,	0, PRIMARY_INVLPG_EXITING, 0 },
	{ TPZ_TRAP_TSC,		0, PRIMARY_RDTSC_EXITING, 0 },
	{ TPZ_TRAP_PAUSE,	0, PRIMARY_PAUSE_EXITING, 0 },
	{ TPZ_TRAP_RDRAND,	0, 0, SECONDARY_RDRAND_EXITING | SECONDARY_RDSEED_EXITING },
	{ TPZ_TRAP_TIMER,	PIN_PREEMPTION_TIMER, 0, 0 },
	{ TPZ_TRAP_STEP,	0, PRIMARY_MONITOR_TRAP_FLAG, 0 },
};

void vmx_trap_controls(u64 traps, struct vmx_controls *controls)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(trap_controls); i++) {
		if (!(traps & trap_controls[i].trap))
			continue;
		controls->pin |= trap_controls[i].pin;
		controls->primary |= trap_controls[i].primary;
		controls->secondary |= trap_controls[i].secondary;
	}
}

u64 vmx_traps(void)
{
	u64 traps = TPZ_TRAP_INT3 | TPZ_TRAP_PF | TPZ_TRAP_UD;	/* the exception bitmap has all of them */
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(trap_controls); i++) {
		if (!(trap_controls[i].pin & ~vmx_caps.pin.may) &&
		    !(trap_controls[i].primary & ~vmx_caps.primary.may) &&
		    !(trap_controls[i].secondary & ~vmx_caps.secondary.may))
			traps |= trap_controls[i].trap;
	}
	return traps;
}

/* ---- 2. The capability MSRs */

static struct vmx_allowed read_allowed(u32 msr, u32 true_msr)
{
	u64 value = tpz_msr(vmx_caps.basic & VMX_CAP_BASIC_TRUE_CONTROLS ? true_msr : msr);

	return (struct vmx_allowed) { .must = value, .may = value >> 32 };
}

static void read_caps(void)
{
	struct vmx_caps *c = &vmx_caps;

	c->basic = tpz_msr(MSR_IA32_VMX_BASIC);
	c->misc = tpz_msr(MSR_IA32_VMX_MISC);
	c->pin = read_allowed(MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS);
	c->primary = read_allowed(MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS);
	c->exit = read_allowed(MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS);
	c->entry = read_allowed(MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS);
	if (c->primary.may & PRIMARY_ACTIVATE_SECONDARY)
		c->secondary = read_allowed(MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2);
	if (c->secondary.may & (SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID))
		c->ept_vpid = tpz_msr(MSR_IA32_VMX_EPT_VPID_CAP);
	c->cr0_fixed0 = tpz_msr(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = tpz_msr(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = tpz_msr(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = tpz_msr(MSR_IA32_VMX_CR4_FIXED1);
	c->efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	c->debugctl_bits = ~0ULL;
	c->perf_global_ctrl_bits = ~0ULL;
	c->rtit_ctl_bits = ~0ULL;
	c->lbr_ctl_bits = ~0ULL;
	c->spec_ctrl_bits = ~0ULL;
	c->physical_bits = boot_cpu_data.x86_phys_bits;
	c->linear_bits = boot_cpu_has(X86_FEATURE_LA57) ? 57 : 48;
	c->ia32e_mode = true;
	c->rtm = boot_cpu_has(X86_FEATURE_RTM);
	c->sgx = boot_cpu_has(X86_FEATURE_SGX);
}

/* ---- 3. Probe */

/*
 * Algorithm of SDM vol. 3D, A.3.1: must-be-1 bits, the required, and the optional where allowed.
 * Return: 0, or -EOPNOTSUPP after one sentence.
 */
static int choose(const char *word, const struct vmx_allowed *allowed, const struct control *required,
		  const struct control *optional, u32 *result)
{
	const struct control *c;
	u32 bits = allowed->must;

	for (c = required; c->bit; c++) {
		if (!(allowed->may & c->bit)) {
			pr_err("this CPU's VMX has no \"%s\" (%s controls); it takes an Intel CPU of 2010 (Westmere) or later, or an outer hypervisor that passes it on\n",
			       c->name, word);
			return -EOPNOTSUPP;
		}
		bits |= c->bit;
	}
	for (c = optional; c->bit; c++)
		bits |= allowed->may & c->bit;
	*result = bits;
	return 0;
}

static int choose_controls(void)
{
	return choose("pin-based", &vmx_caps.pin, pin_required, none, &vmx_controls.pin) ?:
	       choose("primary", &vmx_caps.primary, primary_required, none, &vmx_controls.primary) ?:
	       choose("secondary", &vmx_caps.secondary, secondary_required, secondary_optional,
		      &vmx_controls.secondary) ?:
	       choose("exit", &vmx_caps.exit, exit_required, none, &vmx_controls.exit) ?:
	       choose("entry", &vmx_caps.entry, entry_required, none, &vmx_controls.entry);
}

static int check_ept(void)
{
	static const struct {
		u64 bit;
		const char *name;
	} required[] = {
		{ VMX_CAP_EPT_WALK_4,	"4-level tables" },
		{ VMX_CAP_EPT_WB,	"write-back tables" },
		{ VMX_CAP_EPT_INVEPT,	"INVEPT" },
		{ VMX_CAP_EPT_INVEPT_ALL, "all-context INVEPT" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(required); i++) {
		if (!(vmx_caps.ept_vpid & required[i].bit)) {
			pr_err("this CPU's EPT lacks %s; it takes an Intel CPU of 2010 (Westmere) or later, or an outer hypervisor that passes it on\n",
			       required[i].name);
			return -EOPNOTSUPP;
		}
	}
	/* VPIDs that cannot be flushed one by one are not used */
	if (!(vmx_caps.ept_vpid & VMX_CAP_VPID_INVVPID) || !(vmx_caps.ept_vpid & VMX_CAP_VPID_SINGLE))
		vmx_controls.secondary &= ~SECONDARY_ENABLE_VPID;
	return 0;
}

static int check_firmware(void)
{
	u64 control = 0;

	if (tpz_rdmsr_safe(MSR_IA32_FEAT_CTL, &control) || !(control & FEAT_CTL_LOCKED)) {
		pr_err("VMX is not set up: IA32_FEATURE_CONTROL is unlocked; update the firmware or the kernel\n");
		return -EOPNOTSUPP;
	}
	if (!(control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VMX is disabled by the firmware; enable \"Intel VT-x\" (virtualization) in its setup\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

bool vmx_held(void)
{
	return __read_cr4() & X86_CR4_VMXE;
}

/**
 * vmx_probe() - can this machine run Trapeze by VMX?
 * Return: 0; -ENODEV: no VMX at all (nothing printed: SVM may be there); else an error after one sentence.
 */
int vmx_probe(void)
{
	int ret;

	if (!(cpuid_ecx(1) & BIT(5)))
		return -ENODEV;
#ifdef X86_FEATURE_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		pr_err("the kernel delivers events by FRED, which Trapeze's VMX does not know yet; boot with fred=off\n");
		return -EOPNOTSUPP;
	}
#endif
	ret = check_firmware() ?: tpz_hw_available(&tpz_hw_vmx);
	if (ret)
		return ret;
	read_caps();
	ret = choose_controls() ?: check_ept();
	if (ret)
		return ret;
	tpz_ept_init_format(vmx_caps.ept_vpid & VMX_CAP_EPT_ACCESSED_DIRTY, vmx_caps.ept_vpid & VMX_CAP_EPT_2M,
			    vmx_caps.ept_vpid & VMX_CAP_EPT_1G);
	return vmx_percpu_init();
}

/* ---- 4. The lines of `tpz info` */

enum { BY_PIN, BY_PRIMARY, BY_SECONDARY, BY_EPT_VPID };	/* indices of vmx_feature()'s words */

static const struct tpz_feature_line feature_lines[] = {
	{ "ept", BY_SECONDARY, SECONDARY_ENABLE_EPT, true, "guest memory needs no shadow page tables" },
	{ "unrestricted-guest", BY_SECONDARY, SECONDARY_UNRESTRICTED_GUEST, true, "real mode runs on the CPU" },
	{ "vpid", BY_SECONDARY, SECONDARY_ENABLE_VPID, true, "translations live across exits" },
	{ "ept-2m", BY_EPT_VPID, VMX_CAP_EPT_2M, true, "2 MiB leaves" },
	{ "ept-1g", BY_EPT_VPID, VMX_CAP_EPT_1G, true, "1 GiB leaves" },
	{ "ept-accessed-dirty", BY_EPT_VPID, VMX_CAP_EPT_ACCESSED_DIRTY, true, "the CPU marks touched pages; a write to a scanned slot costs no fault" },
	{ "ept-execute-only", BY_EPT_VPID, VMX_CAP_EPT_EXECUTE_ONLY, false, "pages that can be run, not read" },
	{ "ept-5-level", BY_EPT_VPID, VMX_CAP_EPT_WALK_5, false, "guest-physical addresses above 48 bits" },
	{ "rdtscp", BY_SECONDARY, SECONDARY_ENABLE_RDTSCP, true, "the guest may use RDTSCP and RDPID" },
	{ "invpcid", BY_SECONDARY, SECONDARY_ENABLE_INVPCID, true, "the guest may use INVPCID" },
	{ "encls-exiting", BY_SECONDARY, SECONDARY_ENCLS_EXITING, true, "SGX's leaves trap" },
	{ "descriptor-table-exiting", BY_SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING, true, "TPZ_TRAP_DT" },
	{ "monitor-trap-flag", BY_PRIMARY, PRIMARY_MONITOR_TRAP_FLAG, true, "TPZ_TRAP_STEP" },
	{ "preemption-timer", BY_PIN, PIN_PREEMPTION_TIMER, true, "TPZ_TRAP_TIMER; scanned slots need no timer of the host" },
	{ "rdrand-exiting", BY_SECONDARY, SECONDARY_RDRAND_EXITING, true, "TPZ_TRAP_RDRAND" },
	{ "pause-loop-exiting", BY_SECONDARY, SECONDARY_PAUSE_LOOP_EXITING, false, "spinning vCPUs yield" },
	{ "page-modification-log", BY_SECONDARY, SECONDARY_ENABLE_PML, false, "the CPU lists dirtied pages" },
	{ "tsc-scaling", BY_SECONDARY, SECONDARY_USE_TSC_SCALING, false, "a guest TSC of another frequency" },
	{ "tpr-shadow", BY_PRIMARY, PRIMARY_USE_TPR_SHADOW, false, "CR8 without exits" },
	{ "apic-register-virtualization", BY_SECONDARY, SECONDARY_APIC_REGISTER_VIRTUALIZATION, false,
	  "APIC reads without exits" },
	{ "virtual-interrupt-delivery", BY_SECONDARY, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, false,
	  "APIC writes and EOI without exits" },
	{ "posted-interrupts", BY_PIN, PIN_PROCESS_POSTED_INTERRUPTS, false, "interrupts without exits" },
	{ "vmcs-shadowing", BY_SECONDARY, SECONDARY_VMCS_SHADOWING, false, "nested VMREAD without exits" },
	{ "vm-functions", BY_SECONDARY, SECONDARY_ENABLE_VM_FUNCTIONS, false, "EPTP switching by the guest" },
	{ "mode-based-execute", BY_SECONDARY, SECONDARY_MODE_BASED_EXECUTE, false,
	  "execute permission by privilege level" },
	{ "xsaves", BY_SECONDARY, SECONDARY_ENABLE_XSAVES, false, "the guest may use XSAVES" },
};

/* Not the CPU's, but a choice: percpu.c */
static const struct tpz_hw_feature *transient_line(void)
{
	static const struct tpz_hw_feature lines[] = {
		{ "transient-vmx", TPZ_FEATURE_UNUSED, "CPUs are in VMX operation all the time (vmx= of the module)" },
		{ "transient-vmx", TPZ_FEATURE_PRESENT, "CPUs are in VMX operation only while a guest runs" },
	};

	return &lines[static_branch_unlikely(&vmx_transient)];
}

const struct tpz_hw_feature *vmx_feature(u32 index)
{
	static struct tpz_hw_feature answer[ARRAY_SIZE(feature_lines)];	/* the same words every time */
	const u64 words[] = {
		[BY_PIN] = vmx_caps.pin.may,
		[BY_PRIMARY] = vmx_caps.primary.may,
		[BY_SECONDARY] = vmx_caps.secondary.may,
		[BY_EPT_VPID] = vmx_caps.ept_vpid,
	};

	if (index == ARRAY_SIZE(feature_lines))
		return transient_line();
	if (index > ARRAY_SIZE(feature_lines))
		return NULL;
	tpz_feature_answer(&feature_lines[index], words, &answer[index]);
	return &answer[index];
}
