// SPDX-License-Identifier: GPL-2.0
/*
 * What this CPU's SVM can do (AMD APM vol. 3, appendix E, CPUID leaf 8000000ah), what Trapeze needs of it, and the
 * sentence that refuses to load where something is missing.
 *
 * Parts: 1. reading the capabilities  2. probe  3. the lines of `tpz info`
 */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/cc_platform.h>
#include <linux/kernel.h>
#include <asm/cpufeature.h>
#include "../../host.h"
#include "../probe.h"
#include "../percpu.h"
#include "npt.h"
#include "svm.h"

struct svm_caps svm_caps;

/* ---- 1. The capabilities */

#define LEAF_FEATURES	0x80000001
#define LEAF_SIZES	0x80000008
#define LEAF_SVM	0x8000000a
#define LEAF_FEATURES_2	0x80000021

/* Bits of a register that a CPU has only with a bit of CPUID: the CPU's own word, as the kernel may hide features */
struct gated {
	u64 bits;
	u32 leaf;
	enum cpuid_regs_idx reg;
	u32 bit;
};

static const struct gated cr4_gated[] = {
	{ X86_CR4_VME | X86_CR4_PVI,	1, CPUID_EDX, BIT(1) },
	{ X86_CR4_UMIP,			7, CPUID_ECX, BIT(2) },
	{ X86_CR4_LA57,			7, CPUID_ECX, BIT(16) },
	{ X86_CR4_FSGSBASE,		7, CPUID_EBX, BIT(0) },
	{ X86_CR4_PCIDE,		1, CPUID_ECX, BIT(17) },
	{ X86_CR4_OSXSAVE,		1, CPUID_ECX, BIT(26) },
	{ X86_CR4_SMEP,			7, CPUID_EBX, BIT(7) },
	{ X86_CR4_SMAP,			7, CPUID_EBX, BIT(20) },
	{ X86_CR4_PKE,			7, CPUID_ECX, BIT(3) },
	{ X86_CR4_CET,			7, CPUID_ECX, BIT(7) },		/* shadow stacks */
	{ X86_CR4_CET,			7, CPUID_EDX, BIT(20) },	/* indirect branch tracking */
};

static const struct gated efer_gated[] = {
	{ EFER_NX,			LEAF_FEATURES, CPUID_EDX, BIT(20) },
	{ EFER_FFXSR,			LEAF_FEATURES, CPUID_EDX, BIT(25) },
	{ SVM_EFER_TCE,			LEAF_FEATURES, CPUID_ECX, BIT(17) },
	{ SVM_EFER_MCOMMIT,		LEAF_SIZES, CPUID_EBX, BIT(8) },
	{ SVM_EFER_INTWB,		LEAF_SIZES, CPUID_EBX, BIT(13) },
	{ SVM_EFER_UAIE,		LEAF_FEATURES_2, CPUID_EAX, BIT(7) },
	{ SVM_EFER_AIBRSE,		LEAF_FEATURES_2, CPUID_EAX, BIT(8) },
};

static u64 gated_bits(const struct gated *gated, unsigned int count)
{
	u64 bits = 0;
	u32 regs[4];

	for (; count--; gated++) {
		/* cpuid() answers a leaf beyond the last with that of another one */
		if (gated->leaf > cpuid_eax(gated->leaf & 0x80000000))
			continue;
		cpuid_count(gated->leaf, 0, &regs[CPUID_EAX], &regs[CPUID_EBX], &regs[CPUID_ECX], &regs[CPUID_EDX]);
		if (regs[gated->reg] & gated->bit)
			bits |= gated->bits;
	}
	return bits;
}

static void read_caps(void)
{
	struct svm_caps *c = &svm_caps;

	c->features = cpuid_edx(LEAF_SVM);
	c->asids = cpuid_ebx(LEAF_SVM);
	c->physical_bits = cpuid_eax(LEAF_SIZES) & 0xff;
	c->cr4_bits = X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE |
		      X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | gated_bits(cr4_gated, ARRAY_SIZE(cr4_gated));
	/* LMSLE: CPUID tells of it only since it began to disappear */
	c->efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_SVME | EFER_LMSLE |
		       gated_bits(efer_gated, ARRAY_SIZE(efer_gated));
	c->x2avic_ext = cpuid_ecx(LEAF_SVM) & SVM_CPUID_ECX_X2AVIC_EXT;
}

/* ---- 2. Probe */

static int refuse(const char *sentence)
{
	pr_err("%s\n", sentence);
	return -EOPNOTSUPP;
}

/* AMD APM vol. 2, 15.4: SVMDIS makes EFER.SVME a reserved bit; a set LOCK keeps it so until the next reset */
static int check_firmware(void)
{
	u64 vm_cr = 0;

	if (tpz_rdmsr_safe(MSR_VM_CR, &vm_cr) || !(vm_cr & MSR_VM_CR_SVMDIS))
		return 0;
	if (vm_cr & MSR_VM_CR_LOCK)
		return refuse("SVM is disabled and locked by the firmware (VM_CR.SVMDIS); enable \"SVM\" (virtualization) in its setup");
	return refuse("SVM is disabled (VM_CR.SVMDIS), though not locked; enable \"SVM\" (virtualization) in the firmware's setup, or clear bit 4 of MSR 0xc0010114 on each CPU");
}

static int check_features(void)
{
	if (!svm_has(SVM_CPUID_NP))
		return refuse("this CPU's SVM has no nested paging; it takes an AMD CPU of 2011 (Bulldozer) or later, or an outer hypervisor that passes it on");
	if (svm_caps.asids < 2)
		return refuse("this CPU's SVM tells of no ASID for guests (CPUID 8000000ah, EBX); the outer hypervisor should pass on at least 2");
	/* Nested tables and VMCBs would need the encryption bit in every address */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return refuse("the kernel encrypts its memory (SME, SEV), which Trapeze does not know yet; boot with mem_encrypt=off");
	/* While a guest runs, a host's write to the large page that its VMCB begins would fault: pages to be chosen with care */
	if (tpz_host_has_snp())
		return refuse("SEV-SNP is on in this host, which Trapeze does not know yet; disable \"SNP Memory Coverage\" in the firmware's setup, or boot with clearcpuid=sev_snp");
	/* Erratum 383: a guest could raise a machine check that ends the host */
	if (boot_cpu_has_bug(X86_BUG_AMD_TLB_MMATCH))
		return refuse("this CPU has AMD's erratum 383 (family 10h), by which a guest can halt the machine; it takes a later AMD CPU");
	return 0;
}

bool svm_held(void)
{
	return tpz_msr(MSR_EFER) & EFER_SVME;
}

/**
 * svm_probe() - can this machine run Trapeze by SVM?
 * Return: 0; -ENODEV: no SVM at all (nothing printed: VMX may be there); else an error after one sentence.
 */
int svm_probe(void)
{
	int ret;

	if (cpuid_eax(0x80000000) < LEAF_SVM || !(cpuid_ecx(LEAF_FEATURES) & BIT(2)))
		return -ENODEV;
	read_caps();
	ret = check_firmware() ?: tpz_hw_available(&tpz_hw_svm) ?: check_features();
	if (ret)
		return ret;
	svm_npt_init_format(__read_cr4() & X86_CR4_LA57, tpz_msr(MSR_EFER) & EFER_NX,
			    boot_cpu_has(X86_FEATURE_GBPAGES));
	ret = svm_maps_init();
	if (ret)
		return ret;
	ret = svm_percpu_init();
	if (ret)
		svm_maps_exit();
	return ret;
}

void svm_remove(void)
{
	tpz_cpu_pages_free();
	svm_maps_exit();
}

/* SVM intercepts each of these on every CPU; it has no intercept of RDRAND, no timer and no monitor trap flag */
u64 svm_traps(void)
{
	return TPZ_TRAP_DT | TPZ_TRAP_CR3 | TPZ_TRAP_INVLPG | TPZ_TRAP_TSC | TPZ_TRAP_PAUSE | TPZ_TRAP_INT3 |
	       TPZ_TRAP_PF | TPZ_TRAP_UD;
}

/* ---- 3. The lines of `tpz info` */

static const struct tpz_feature_line feature_lines[] = {
	{ "nested-paging", 0, SVM_CPUID_NP, true, "guest memory needs no shadow page tables" },
	{ "nrips", 0, SVM_CPUID_NRIPS, true, "an exit tells the next RIP: no instruction is decoded for its length" },
	{ "decode-assists", 0, SVM_CPUID_DECODE_ASSISTS, true, "an exit tells operands and instruction bytes" },
	{ "clean-bits", 0, SVM_CPUID_CLEAN_BITS, true, "unchanged guest state is not loaded again" },
	{ "flush-by-asid", 0, SVM_CPUID_FLUSH_BY_ASID, true, "one guest's translations are flushed, not all" },
	{ "vgif", 0, SVM_CPUID_VGIF, false, "nested STGI and CLGI without exits" },
	{ "vnmi", 0, SVM_CPUID_VNMI, true, "the CPU tracks the guest's NMI blocking: no IRET exits" },
	{ "pause-filter", 0, SVM_CPUID_PAUSE_FILTER, true, "spinning vCPUs yield" },
	{ "pause-filter-threshold", 0, SVM_CPUID_PAUSE_THRESHOLD, true, "only tight loops count as spinning" },
	{ "tsc-ratio", 0, SVM_CPUID_TSC_RATE, false, "a guest TSC of another frequency" },
	{ "avic", 0, SVM_CPUID_AVIC, false, "APIC accesses and interrupts without exits" },
	{ "x2avic", 0, SVM_CPUID_X2AVIC, false, "the same in x2APIC mode" },
	{ "lbr", 0, SVM_CPUID_LBR, false, "the guest's own last-branch record" },
	{ "virtual-vmload", 0, SVM_CPUID_VIRTUAL_VMLOAD, false, "nested VMLOAD and VMSAVE without exits" },
	{ "guest-mode-execute-trap", 0, SVM_CPUID_GMET, false, "execute permission by privilege level" },
	{ "supervisor-shadow-stack", 0, SVM_CPUID_SSS, false, "the guest's shadow stacks are confined to marked pages" },
	{ "virtual-spec-ctrl", 0, SVM_CPUID_SPEC_CTRL, false, "SPEC_CTRL is switched by the CPU" },
	{ "read-only-guest-tables", 0, SVM_CPUID_ROGPT, false, "guest page tables may be write-protected" },
	{ "bus-lock-threshold", 0, SVM_CPUID_BUS_LOCK, false, "an exit before too many bus locks" },
	{ "idle-hlt", 0, SVM_CPUID_IDLE_HLT, false, "HLT exits only where no event waits" },
};

const struct tpz_hw_feature *svm_feature(u32 index)
{
	static struct tpz_hw_feature answer[ARRAY_SIZE(feature_lines)];	/* the same words every time */
	const u64 words[] = { svm_caps.features };

	if (index >= ARRAY_SIZE(feature_lines))
		return NULL;
	tpz_feature_answer(&feature_lines[index], words, &answer[index]);
	return &answer[index];
}
