// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls, by KVM's convention (Linux, Documentation/virt/kvm/x86/hypercalls.rst): the number in RAX, arguments
 * in RBX, RCX, RDX, RSI, the answer in RAX; in 32-bit code the registers' lower halves. Documentation/pv.md has the list.
 *
 * Arguments are a guest's, any value: identifiers of CPUs that are not there are nobody, what no message can be is refused.
 */
#include <uapi/linux/kvm_para.h>
#include "../irq/irq.h"
#include "pv.h"

/* Of KVM_HC_SEND_IPI's command, in the ICR's layout (SDM vol. 3A, "Interrupt Command Register") */
#define IPI_VECTOR	GENMASK(7, 0)
#define IPI_MODE_SHIFT	8
#define IPI_MODE	GENMASK(10, 8)
#define IPI_ASSERT	BIT(14)		/* without meaning, as in the ICR for these modes */

static struct tpz_vcpu *vcpu_of(struct tpz_vm *vm, u64 apic_id)
{
	return apic_id < TPZ_MAX_VCPUS ? READ_ONCE(vm->vcpu[apic_id]) : NULL;
}

/*
 * The set of a call: bit n of both words together is the CPU @first + n. No CPU's identifier is above 63, so what moves beyond
 * is nobody
 */
static u64 ids_of(struct tpz_vcpu *v, u64 low, u64 high, u64 first)
{
	u64 ids = tpz_long_mode(v) ? low : low | high << 32;

	return first < 64 ? ids << first : 0;
}

/* Return: how many took it */
static long send_ipi(struct tpz_vcpu *v)
{
	const u64 ids = ids_of(v, tpz_arg(v, TPZ_RBX), tpz_arg(v, TPZ_RCX), tpz_arg(v, TPZ_RDX));
	const u64 command = tpz_arg(v, TPZ_RSI);
	const struct tpz_irq_message m = {
		.mode = (command & IPI_MODE) >> IPI_MODE_SHIFT,
		.vector = command & IPI_VECTOR,
		.from = v,
	};

	if (command & ~(u64)(IPI_VECTOR | IPI_MODE | IPI_ASSERT))
		return -KVM_EINVAL;
	if (m.mode != TPZ_IRQ_NMI && (m.mode != TPZ_IRQ_FIXED || m.vector < 16))
		return -KVM_EINVAL;
	return tpz_irq_deliver_set(v->vm, ids, &m);
}

/* It may be about to halt, and so keeps the kick; if it sleeps already it wakes up */
static long kick(struct tpz_vcpu *v)
{
	struct tpz_vcpu *to = vcpu_of(v->vm, tpz_arg(v, TPZ_RCX));

	if (to) {
		WRITE_ONCE(to->kicked, true);
		rcuwait_wake_up(&to->wait);	/* with a barrier before its look at who sleeps */
	}
	return 0;
}

/*
 * The answer, as a guest's kernel sees it: 0 or more, or a negative error of KVM's own numbering.
 * Return: false: it takes what may sleep
 */
static bool hypercall(struct tpz_vcpu *v, u64 nr, bool may_sleep, long *answer)
{
	*answer = -KVM_ENOSYS;
	if (tpz_cpl(v)) {
		*answer = -KVM_EPERM;
		return true;
	}
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:	/* "look for interrupts": every entry does */
		*answer = 0;
		break;
	case KVM_HC_SEND_IPI:
		if (tpz_pv_has(v, KVM_FEATURE_PV_SEND_IPI))
			*answer = send_ipi(v);
		break;
	case KVM_HC_KICK_CPU:
		if (v->vm->devices & TPZ_DEVICE_LAPIC && v->vm->devices & TPZ_DEVICE_KVMCLOCK)
			*answer = kick(v);
		break;
	case KVM_HC_SCHED_YIELD:
		if (!tpz_pv_has(v, KVM_FEATURE_PV_SCHED_YIELD))
			break;
		*answer = 0;
		return may_sleep;
	}
	return true;
}

static void finish(struct tpz_vcpu *v, long answer)
{
	tpz_set_gpr(v, TPZ_RAX, tpz_long_mode(v) ? (u64)answer : (u32)answer);
	tpz_skip_insn(v);
}

/* Where there is no hypervisor, there is no such instruction */
TPZ_HANDLER(tpz_on_hypercall_fast)
{
	long answer;

	if (v->vm->hidden)
		return tpz_inject_ud(v);
	if (!hypercall(v, tpz_arg(v, TPZ_RAX), false, &answer))
		return TPZ_SLOW;
	finish(v, answer);
	return TPZ_RESUME;
}

TPZ_HANDLER(tpz_on_hypercall)
{
	struct tpz_vcpu *to = vcpu_of(v->vm, tpz_arg(v, TPZ_RBX));

	finish(v, 0);
	if (to)
		tpz_yield_to(v, to);
	return TPZ_RESUME;
}
