// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt messages to the local APICs, until SMP guests bring the whole of it.
 */
#include "lapic.h"

static bool receive(struct tpz_vcpu *v, const struct tpz_irq_message *m)
{
	if (m->mode == TPZ_IRQ_NMI) {
		atomic_set(&v->nmi_pending, 1);
		tpz_request(v, TPZ_REQ_EVENT);
		return true;
	}
	if (m->mode > TPZ_IRQ_LOWEST || !(READ_ONCE(v->apic->svr) & SVR_ENABLED))
		return false;
	tpz_apic_deliver(v->apic, m->vector, m->level);
	return true;
}

int tpz_irq_deliver(struct tpz_vm *vm, const struct tpz_irq_message *m)
{
	unsigned int i;
	int took = 0;

	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		struct tpz_vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (v && tpz_apic_enabled(v) && (m->destination == TPZ_IRQ_BROADCAST ||
		    (m->logical ? m->destination & tpz_apic_logical_id(v) : m->destination == v->id)))
			took += receive(v, m);
	}
	return took;
}
