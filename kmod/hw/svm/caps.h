/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this CPU's SVM can do, read once at load and constant from then on. Plain data, so that unit tests can make up
 * any CPU.
 */
#ifndef TPZ_HW_SVM_CAPS_H
#define TPZ_HW_SVM_CAPS_H

#include <linux/types.h>

/**
 * struct svm_caps - the capabilities of this CPU
 * @features: CPUID leaf 8000000ah, EDX: SVM_CPUID_*
 * @asids: how many there are, 0 included (the host's)
 * @cr4_bits: bits of CR4 that may be 1
 * @efer_bits: bits of EFER that may be 1
 * @physical_bits: CPUID leaf 80000008h, EAX[7:0]
 * @x2avic_ext: the table of physical APIC identifiers may have more than 512 entries
 */
struct svm_caps {
	u32 features;
	u32 asids;
	u64 cr4_bits;
	u64 efer_bits;
	u8 physical_bits;
	bool x2avic_ext;
};

#endif /* TPZ_HW_SVM_CAPS_H */
