// SPDX-License-Identifier: GPL-2.0
/*
 * Where the module cannot work it refuses to load, with one sentence in the kernel's log that says why and what to
 * do. It gets along with KVM: whoever holds VMX keeps it, and the other one is told.
 *
 * The module is not loaded when this starts. What kind of machine this is decides which cases are for it: the lab's
 * list has a line for each.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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
	load("enable=first-vm");
	run_guest();
}

/* ------------------------------------------------------------------ KVM */

/*
 * KVM's modules take an emulator a minute to load, so kvm itself stays once it is there; only kvm_intel comes and goes.
 */
static void remove_kvm(void *unused)
{
	(void)unused;
	if (system("! grep -q ^kvm_intel /proc/modules || rmmod kvm_intel"))
		FAIL("kvm_intel cannot be removed");
}

static bool load_kvm(void)
{
	ktap_defer(remove_kvm, NULL);
	return !system("modprobe kvm_intel enable_apicv=0");
}

/* A VM of KVM's, which makes it take VMX: a file, or -1 and errno */
static int create_kvm_vm(void)
{
	int kvm = CHECK_SYS(open("/dev/kvm", O_RDWR | O_CLOEXEC)), vm;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return vm;
}

#define GO_AWAY	"KVM holds VMX; run \"modprobe -r kvm_intel\" first"
#define KEPT_OUT "kvm_intel is kept out: Trapeze holds the hardware; run \"modprobe -r trapeze\" first"

static void kvm_is_second(void)
{
	int log;

	load("");
	log = kernel_log();
	if (load_kvm())
		FAIL("KVM is loaded beside us");
	CHECK_GE(kernel_log_count(log, KEPT_OUT), 1);	/* modprobe may try twice */
	run_guest();
}

/* With enable=first-vm VMX is anybody's while there is no VM */
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
		CHECK_EQ(kernel_log_count(log, GO_AWAY), 1);
		close(kvm_vm);
		remove_kvm(NULL);

		vcpu = vm_with_vcpu();
		log = kernel_log();
		if (load_kvm())
			FAIL("KVM is loaded beside a VM");
		CHECK_GE(kernel_log_count(log, KEPT_OUT), 1);	/* modprobe may try twice */
		vcpu_start(vcpu, MODE_LONG, RING0, add, 2);
		CHECK_EQ(vcpu_finish(vcpu), 42);
		vm_close(vcpu->vm);
	}
}

static void kvm_is_first(void)
{
	if (!load_kvm())
		SKIP("there is no KVM here");
	expect_refusal("", EBUSY, GO_AWAY);
	CHECK_EQ(system("modprobe -r kvm_intel"), 0);
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

static bool have_vmx(void)
{
	__u32 eax, ebx, ecx, edx;

	cpuid(1, 0, &eax, &ebx, &ecx, &edx);
	return ecx & 1 << 5;
}

static void no_vmx(void)
{
	if (have_vmx())
		SKIP("this CPU has VMX");
	expect_refusal("", ENODEV, "this CPU has no VMX (CPUID.1:ECX[5] is 0): a processor with Intel VT-x is needed");
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
static void disabled_by_firmware(void)
{
	if (!have_vmx() || cpuinfo_has("flags", "vmx"))
		SKIP("the firmware lets VMX be used, or there is none");
	expect_refusal("", EOPNOTSUPP,
		       "VMX is disabled by the firmware; enable \"Intel VT-x\" (virtualization) in its setup");
}

static const struct ktap_case cases[] = {
	{ "a parameter of unknown value", an_unknown_parameter_value },
	{ "KVM is second", kvm_is_second },
	{ "KVM and we take turns", we_take_turns },
	{ "KVM is first", kvm_is_first },
	{ "a CPU without VMX", no_vmx },
	{ "a CPU without EPT", no_ept },
	{ "a CPU without unrestricted guests", no_unrestricted_guest },
	{ "disabled by the firmware", disabled_by_firmware },
};
KTAP_MAIN(cases)
