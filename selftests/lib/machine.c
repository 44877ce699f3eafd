// SPDX-License-Identifier: GPL-2.0
#include "machine.h"

#include <cpuid.h>
#include <string.h>

#include "ktap.h"

struct machine machine;

/* The signature of a hypervisor that is there already: an emulator tells its name so */
static bool hypervisor_is(const char *name)
{
	unsigned int eax, ebx, ecx, edx, signature[3];

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & 1U << 31))
		return false;
	__cpuid(0x40000000, eax, signature[0], signature[1], signature[2]);
	return !memcmp(signature, name, sizeof(signature));
}

static void __attribute__((constructor)) find_machine(void)
{
	unsigned int eax, ebx, ecx, edx, vendor[3];
	bool vmx;

	__cpuid(0, eax, vendor[0], vendor[2], vendor[1]);
	__cpuid(1, eax, ebx, ecx, edx);
	vmx = ecx & 1U << 5;
	__cpuid(0x80000001, eax, ebx, ecx, edx);
	machine.svm = !vmx && (ecx & 1U << 2);
	machine.amd = !memcmp(vendor, "AuthenticAMD", 12) || !memcmp(vendor, "HygonGenuine", 12);
	machine.tcg = hypervisor_is("TCGTCGTCGTCG");

	machine.vmmcall = machine.svm;
	machine.npf_tells_gva = !machine.svm;
	machine.pdptes_at_mov_cr3 = !machine.svm;
	machine.pf_reserved = machine.tcg ? 8 : 9;	/* TCG leaves P out */
	machine.error_ext = !machine.tcg;
	machine.cr8_reads_trap = !machine.svm;
	machine.two_shadows = !machine.svm;
}

void not_in_tcg(const char *does_what)
{
	if (machine.tcg)
		SKIP("QEMU's TCG %s", does_what);
}
