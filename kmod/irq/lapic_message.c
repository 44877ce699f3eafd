// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt messages: who is addressed, and what each receiver makes of one. The ICR, the I/O APIC and MSI all come in
 * at tpz_irq_deliver().
 *
 * INIT and STARTUP change the processor itself: they become requests to the vCPU's own thread (cpu/reset.c).
 */
#include "lapic.h"

/* ------------------------------------------------------------------ who, SDM .6.2 and .12.10 */

/* xAPIC mode: 8 bits of LDR, flat or a cluster's number and 4 bits in it (SDM .6.2.2) */
static bool addressed_logically_by_8(const struct tpz_apic *apic, u8 destination)
{
	u8 id = READ_ONCE(apic->ldr) >> 24;

	if ((READ_ONCE(apic->dfr) & DFR_MODEL) == DFR_FLAT)
		return destination & id;
	return destination >> 4 == id >> 4 && (destination & id & 0xf);
}

static bool addressed_logically(const struct tpz_vcpu *v, u32 destination)
{
	u32 id = tpz_apic_logical_id(v);

	if (!tpz_apic_x2(v))
		return v->apic && addressed_logically_by_8(v->apic, destination);
	return destination >> 16 == id >> 16 && (destination & id & 0xffff);	/* the cluster, then the bits in it */
}

static bool addressed(const struct tpz_vcpu *v, const struct tpz_irq_message *m)
{
	switch (m->to) {
	case TPZ_IRQ_TO_SELF:
		return v == m->from;
	case TPZ_IRQ_TO_ALL:
		return true;
	case TPZ_IRQ_TO_OTHERS:
		return v != m->from;
	}
	if (m->destination == TPZ_IRQ_BROADCAST)
		return true;
	return m->logical ? addressed_logically(v, m->destination) : m->destination == v->id;
}

/* A software-disabled APIC takes no fixed interrupt (SDM .4.7.2) */
static bool takes_fixed(const struct tpz_vcpu *v)
{
	return tpz_apic_enabled(v) && (READ_ONCE(v->apic->svr) & SVR_ENABLED);
}

/* ------------------------------------------------------------------ what */

/* What an INIT finds of an earlier start-up is void */
static void receive_init(struct tpz_vcpu *v)
{
	clear_bit(TPZ_REQ_SIPI, &v->requests);
	smp_mb__after_atomic();
	tpz_request(v, TPZ_REQ_INIT);
}

/* A CPU that does not wait for it drops it, when it looks */
static void receive_startup(struct tpz_vcpu *v, u8 vector)
{
	WRITE_ONCE(v->sipi_vector, vector);
	smp_mb__before_atomic();
	tpz_request(v, TPZ_REQ_SIPI);
}

/* A message arrives at @v. A switched-off APIC hears nothing. Return: it took it */
static bool receive(struct tpz_vcpu *v, const struct tpz_irq_message *m)
{
	if (!tpz_apic_enabled(v))
		return false;
	switch (m->mode) {
	case TPZ_IRQ_FIXED:
		if (!takes_fixed(v))
			return false;
		tpz_apic_deliver(v->apic, m->vector, m->level);
		return true;
	case TPZ_IRQ_NMI:
		tpz_apic_nmi(v);
		return true;
	case TPZ_IRQ_INIT:
		receive_init(v);
		return true;
	case TPZ_IRQ_STARTUP:
		receive_startup(v, m->vector);
		return true;
	}
	return false;
}

/*
 * Lowest priority: of those addressed the one whose processor priority is lowest; between equals they take turns. The
 * choice need not be exact: priorities change while we look.
 */
static int deliver_lowest(struct tpz_vm *vm, const struct tpz_irq_message *m)
{
	unsigned int turn = READ_ONCE(vm->lowest_turn), i;
	struct tpz_vcpu *best = NULL;
	u32 best_ppr = 0;

	for (i = 1; i <= TPZ_MAX_VCPUS; i++) {
		struct tpz_vcpu *v = READ_ONCE(vm->vcpu[(turn + i) % TPZ_MAX_VCPUS]);
		u32 ppr;

		if (!v || !takes_fixed(v) || !addressed(v, m))
			continue;
		ppr = tpz_apic_ppr(v->apic);
		if (best && ppr >= best_ppr)
			continue;
		best = v;
		best_ppr = ppr;
	}
	if (!best)
		return 0;
	WRITE_ONCE(vm->lowest_turn, best->id);
	tpz_apic_deliver(best->apic, m->vector, m->level);
	return 1;
}

int tpz_irq_deliver(struct tpz_vm *vm, const struct tpz_irq_message *m)
{
	unsigned int i;
	int took = 0;

	if (m->mode == TPZ_IRQ_LOWEST)
		return deliver_lowest(vm, m);
	for (i = 0; i < TPZ_MAX_VCPUS; i++) {
		struct tpz_vcpu *v = READ_ONCE(vm->vcpu[i]);

		if (v && addressed(v, m))
			took += receive(v, m);
	}
	return took;
}

int tpz_irq_deliver_set(struct tpz_vm *vm, u64 ids, const struct tpz_irq_message *m)
{
	int took = 0;

	static_assert(TPZ_MAX_VCPUS <= 64);
	for (; ids; ids &= ids - 1) {
		const unsigned int id = __ffs64(ids);
		struct tpz_vcpu *v = id < TPZ_MAX_VCPUS ? READ_ONCE(vm->vcpu[id]) : NULL;

		if (v)
			took += receive(v, m);
	}
	return took;
}

/* ------------------------------------------------------------------ the ICR, SDM .6.1 and .12.9 */

/*
 * tpz_apic_send() - a message to other CPUs, or to the sender itself
 * @icr: as written to the interrupt command register; reserved bits are clear. In xAPIC mode the destination is bits 63:56
 *
 * Level-triggered messages do not exist but for INIT's de-assert, which no CPU listens to (SDM .6.1, "Level").
 */
void tpz_apic_send(struct tpz_apic *apic, u64 icr)
{
	const u8 short_destination = icr >> 56;
	const u32 by_8 = short_destination == 0xff ? TPZ_IRQ_BROADCAST : short_destination;
	const struct tpz_irq_message m = {
		.destination = tpz_apic_x2(apic->v) ? icr >> 32 : by_8,
		.logical = icr & ICR_LOGICAL,
		.mode = (icr & LVT_MODE) >> 8,
		.vector = icr & LVT_VECTOR,
		.to = (icr & ICR_SHORTHAND) >> 18,
		.from = apic->v,
	};

	if (m.mode == TPZ_IRQ_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	if (m.mode <= TPZ_IRQ_LOWEST && m.vector < TPZ_FIRST_VECTOR)
		tpz_apic_error(apic, ESR_SEND_ILLEGAL);
	tpz_irq_deliver(apic->v->vm, &m);
}
