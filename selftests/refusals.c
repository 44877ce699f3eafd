// SPDX-License-Identifier: GPL-2.0
/*
 * Where the module cannot work it refuses to load, with one sentence in the kernel's log that says why and what to
 * do. It gets along with KVM: whoever holds the hardware keeps it, and the other one is told.
 *
 * The module is not loaded when this starts. What kind of machine this is decides which cases are for it: the lab's
 * list has a line for each.
 */
#define _GNU_SOURCE
#include "machine.h"
#include "vm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MSR_VM_CR	0xc0010114
#define VM_CR_SVMDIS	(1ULL << 4)

static void unload(void *unused)
{
	(void)unused;
	if (module_loaded())
		CHECK_SYS(module_unload());
}

static void load(const char *parameters)
{
	if (module_load(parameters))
		FAIL("loading with \"%s\": %s", parameters, strerror(errno));
	ktap_defer(unload, NULL);
}

static void expect_refusal(const char *parameters, int error, const char *sentence)
{
	int log, lines;

	module_load("enable=nothing");	/* of the first module that it did not come with the kernel remarks more */
	log = kernel_log();
	lines = kernel_log();
	errno = 0;
	if (!module_load(parameters)) {
		module_unload();
		FAIL("the module loads");
	}
	CHECK_STR(ktap_errno_name(errno), ktap_errno_name(error));
	CHECK_EQ(kernel_log_count(log, sentence), 1);
	CHECK_EQ(kernel_log_count(lines, ";trapeze: "), 1);
	CHECK(!module_loaded());
	CHECK_EQ(access(DEVICE, F_OK), -1);
}

static GUEST __u32 add(__u64 n)
{
	return n + 40;
}

static void run_guest(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, add, 2);
	CHECK_EQ(vcpu_finish(vcpu), 42);
	vm_close(vcpu->vm);
}

/* ------------------------------------------------------------------ parameters */

static void an_unknown_parameter_value(void)
{
	expect_refusal("enable=nonsense", EINVAL, "enable=nonsense is unknown; it is load or first-vm");
	expect_refusal("backend=nonsense", EINVAL, "backend=nonsense is unknown; it is auto, vmx or svm");
	load("enable=first-vm");
	run_guest();
}

/* ------------------------------------------------------------------ KVM */

/*
 * KVM's modules take an emulator up to a minute and a half to load, so kvm itself stays once it is there; only the
 * vendor's part comes and goes.
 */
struct vendor {
	const char *insert, *remove;
	const char *go_away, *kept_out;
};

static const struct vendor intel = {
	.insert = "modprobe kvm_intel enable_apicv=0",
	.remove = "! grep -q ^kvm_intel /proc/modules || rmmod kvm_intel",
	.go_away = "KVM holds VMX; run \"modprobe -r kvm_intel\" first",
	.kept_out = "kvm_intel is kept out: Trapeze holds the hardware; run \"modprobe -r trapeze\" first",
};

static const struct vendor amd = {
	.insert = "modprobe kvm_amd",
	.remove = "! grep -q ^kvm_amd /proc/modules || rmmod kvm_amd",
	.go_away = "KVM holds SVM; run \"modprobe -r kvm_amd\" first",
	.kept_out = "kvm_amd is kept out: Trapeze holds the hardware; run \"modprobe -r trapeze\" first",
};

static bool have_vmx(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	return ecx & 1 << 5;
}

/* Leaf 0 of the extended ones tells the last of them; an Intel CPU answers a higher one with nonsense */
static bool have_svm(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(0x80000000, 0, &eax, &ebx, &ecx, &edx);
	if (eax < 0x80000001)
		return false;
	cpuid(0x80000001, 0, &eax, &ebx, &ecx, &edx);
	return ecx & 1 << 2;
}

static const struct vendor *vendor(void)
{
	return have_svm() ? &amd : &intel;
}

static void remove_kvm(void *unused)
{
	(void)unused;
	if (system(vendor()->remove))
		FAIL("KVM cannot be removed");
}

static bool load_kvm(void)
{
	ktap_timeout(300);
	ktap_defer(remove_kvm, NULL);
	return !system(vendor()->insert);
}

/* A VM of KVM's, which makes it take the hardware: a file, or -1 and errno */
static int create_kvm_vm(void)
{
	int kvm = CHECK_SYS(open("/dev/kvm", O_RDWR | O_CLOEXEC)), vm;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return vm;
}

static void kvm_is_second(void)
{
	int log;

	load("");
	log = kernel_log();
	if (load_kvm())
		FAIL("KVM is loaded beside us");
	CHECK_GE(kernel_log_count(log, vendor()->kept_out), 1);	/* modprobe may try twice */
	run_guest();
}

/* With enable=first-vm the hardware is anybody's while there is no VM */
static void we_take_turns(void)
{
	struct tpz_create_vm create = { .size = sizeof(create) };
	struct vcpu *vcpu;
	int log, kvm_vm;

	load("enable=first-vm");
	for (int turn = 0; turn < 2; turn++) {
		CHECK(load_kvm());
		kvm_vm = CHECK_SYS(create_kvm_vm());
		log = kernel_log();
		CHECK_ERR(ioctl(device_open(), TPZ_CREATE_VM, &create), EBUSY);
		CHECK_EQ(kernel_log_count(log, vendor()->go_away), 1);
		close(kvm_vm);
		remove_kvm(NULL);

		vcpu = vm_with_vcpu();
		log = kernel_log();
		if (load_kvm())
			FAIL("KVM is loaded beside a VM");
		CHECK_GE(kernel_log_count(log, vendor()->kept_out), 1);	/* modprobe may try twice */
		vcpu_start(vcpu, MODE_LONG, RING0, add, 2);
		CHECK_EQ(vcpu_finish(vcpu), 42);
		vm_close(vcpu->vm);
	}
}

static void kvm_is_first(void)
{
	if (!load_kvm())
		SKIP("there is no KVM here");
	expect_refusal("", EBUSY, vendor()->go_away);
	remove_kvm(NULL);
	load("");
	run_guest();
}

/* ------------------------------------------------------------------ machines that cannot */

/* Is @word in the line "@name : ..." of /proc/cpuinfo? */
static bool cpuinfo_has(const char *name, const char *word)
{
	static char line[8192];
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;

	CHECK(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)))
			continue;
		for (char *next = strtok(line, " \t\n"); next && !found; next = strtok(NULL, " \t\n"))
			found = !strcmp(next, word);
		break;
	}
	fclose(file);
	return found;
}

static void neither_vmx_nor_svm(void)
{
	if (have_vmx() || have_svm())
		SKIP("this CPU has VMX or SVM");
	expect_refusal("", ENODEV, "this CPU has neither VMX (Intel VT-x) nor SVM (AMD-V)");
}

/* Asked for by name, the backend that is there does not serve */
static void the_other_vendor(void)
{
	if (!have_vmx())
		expect_refusal("backend=vmx", ENODEV,
			       "this CPU has no VMX (CPUID.1:ECX[5] is 0): that takes a processor with Intel VT-x");
	if (!have_svm())
		expect_refusal("backend=svm", ENODEV,
			       "this CPU has no SVM (CPUID.80000001h:ECX[2] is 0): that takes a processor with AMD-V");
}

static void no_ept(void)
{
	if (!cpuinfo_has("flags", "vmx") || cpuinfo_has("vmx flags", "ept"))
		SKIP("this CPU has no VMX, or has EPT");
	expect_refusal("", EOPNOTSUPP, "this CPU's VMX has no \"EPT\"");
}

static void no_unrestricted_guest(void)
{
	if (!cpuinfo_has("vmx flags", "ept") || cpuinfo_has("vmx flags", "unrestricted_guest"))
		SKIP("this CPU has no EPT, or has unrestricted guests");
	expect_refusal("", EOPNOTSUPP, "this CPU's VMX has no \"unrestricted guest\"");
}

/* The kernel then hides the flag; CPUID cannot */
static void vmx_disabled_by_firmware(void)
{
	if (!have_vmx() || cpuinfo_has("flags", "vmx"))
		SKIP("the firmware lets VMX be used, or there is none");
	expect_refusal("", EOPNOTSUPP,
		       "VMX is disabled by the firmware; enable \"Intel VT-x\" (virtualization) in its setup");
}

static void no_nested_paging(void)
{
	if (!have_svm() || cpuinfo_has("flags", "npt"))
		SKIP("this CPU has no SVM, or has nested paging");
	expect_refusal("", EOPNOTSUPP, "this CPU's SVM has no nested paging");
}

/*
 * VM_CR.SVMDIS, as a firmware would set it, but by us: through /dev/cpu/0/msr. It makes EFER.SVME a reserved bit until
 * it is cleared again, which the LOCK that goes with it on most machines would forbid until the next reset.
 */
static void svm_disabled(void)
{
	__u64 vm_cr, disabled;
	int msr;

	if (!have_svm())
		SKIP("this CPU has no SVM");
	not_in_tcg("ignores writes of VM_CR");		/* and each write taints the kernel */
	if (system("modprobe msr allow_writes=on"))
		SKIP("no way to write MSRs: the kernel has no module msr here");
	msr = CHECK_SYS(open("/dev/cpu/0/msr", O_RDWR | O_CLOEXEC));
	CHECK_EQ(pread(msr, &vm_cr, 8, MSR_VM_CR), 8);
	disabled = vm_cr | VM_CR_SVMDIS;
	if (pwrite(msr, &disabled, 8, MSR_VM_CR) != 8 || pread(msr, &disabled, 8, MSR_VM_CR) != 8 ||
	    !(disabled & VM_CR_SVMDIS)) {
		close(msr);
		SKIP("this CPU does not keep VM_CR.SVMDIS, or it is locked");
	}
	expect_refusal("", EOPNOTSUPP, "SVM is disabled (VM_CR.SVMDIS), though not locked");
	CHECK_EQ(pwrite(msr, &vm_cr, 8, MSR_VM_CR), 8);
	close(msr);
	load("");
	run_guest();
}

static const struct ktap_case cases[] = {
	{ "a parameter of unknown value", an_unknown_parameter_value },
	{ "KVM is second", kvm_is_second },
	{ "KVM and we take turns", we_take_turns },
	{ "KVM is first", kvm_is_first },
	{ "the other vendor's backend", the_other_vendor },
	{ "a CPU with neither VMX nor SVM", neither_vmx_nor_svm },
	{ "a CPU without EPT", no_ept },
	{ "a CPU without unrestricted guests", no_unrestricted_guest },
	{ "VMX disabled by the firmware", vmx_disabled_by_firmware },
	{ "a CPU without nested paging", no_nested_paging },
	{ "SVM is disabled in VM_CR", svm_disabled },
};
KTAP_MAIN(cases)
