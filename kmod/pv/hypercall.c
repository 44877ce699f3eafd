// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls, by KVM's convention (Linux, Documentation/virt/kvm/x86/hypercalls.rst): the number in RAX, arguments
 * in RBX, RCX, RDX, RSI, the answer in RAX; in 32-bit code the registers' lower halves.
 *
 * None does anything yet: PV IPI, TLB flush and their like get their case here, and their feature bit in CPUID
 * leaf 0x40000001, together.
 */
#include <uapi/linux/kvm_para.h>
#include "pv.h"

/* The answer, as a guest's kernel sees it: 0 or more, or a negative error of KVM's own numbering */
static long hypercall(struct tpz_vcpu *v, u64 nr)
{
	if (tpz_cpl(v))
		return -KVM_EPERM;
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:	/* "look for interrupts": every entry does */
		return 0;
	default:
		return -KVM_ENOSYS;
	}
}

enum tpz_next tpz_on_hypercall(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	long answer = hypercall(v, tpz_arg(v, TPZ_RAX));

	tpz_set_gpr(v, TPZ_RAX, tpz_long_mode(v) ? (u64)answer : (u32)answer);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}
