/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The processor that runs the guests, as facts. A test that depends on the machine asks for the fact it depends on,
 * each by its own name; guests may read them, too. What a processor lacks is a SKIP with the reason.
 */
#ifndef TRAPEZE_MACHINE_H
#define TRAPEZE_MACHINE_H

#include <linux/types.h>
#include <stdbool.h>

struct machine {
	bool svm;		/* AMD's virtualization, SVM, runs the guests; else Intel's, VMX */
	bool amd;		/* CPUID's vendor, which guests see, too, is AMD: its rules hold where the two differ */
	bool tcg;		/* QEMU's TCG emulates it (Documentation/lab.md has what it gets wrong) */

	/* What follows from the first two */
	bool vmmcall;		/* the hypercall instruction is VMMCALL; else VMCALL */
	bool npf_tells_gva;	/* a nested page fault tells the guest-virtual address */
	bool pdptes_at_mov_cr3;	/* PAE's PDPTEs are loaded and checked at MOV CR3; else with each use of one */
	__u32 pf_reserved;	/* error code of a read that meets a reserved bit in the guest's tables */
	__u32 error_ext;	/* EXT of error codes: what came from outside met the fault; 0: never set */
	bool cr8_reads_trap;	/* else the guest's CR8 is in the processor, and only writes trap */
	bool two_shadows;	/* state has two shadows, of STI and of MOV SS; else one for both */
};

/* Found by CPUID before main() */
extern struct machine machine;

/* Ends the case as skipped: QEMU's TCG @does_what, so what the case asks for cannot be seen there */
void not_in_tcg(const char *does_what);

#endif /* TRAPEZE_MACHINE_H */
