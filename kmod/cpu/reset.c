// SPDX-License-Identifier: GPL-2.0
/*
 * The processor's states after power-up, INIT and a start-up message (SDM vol. 3A, "Processor state after reset" and
 * 9.4, "Multiple-processor (MP) initialization"). The last two come from other vCPUs, as requests.
 */
#include "../irq/irq.h"
#include "internal.h"

static void reset_segments(struct tpz_cpu_state *s)
{
	static const struct tpz_segment data = { .limit = 0xffff, .type = 3, .s = 1, .present = 1 };
	unsigned int i;

	for (i = TPZ_ES; i <= TPZ_GS; i++)
		s->seg[i] = data;
	s->seg[TPZ_CS].selector = 0xf000;
	s->seg[TPZ_CS].base = 0xffff0000;
	s->seg[TPZ_CS].type = 11;
	s->seg[TPZ_LDTR] = (struct tpz_segment){ .limit = 0xffff, .type = 2, .present = 1 };
	s->seg[TPZ_TR] = (struct tpz_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	s->gdtr = (struct tpz_dtable){ .limit = 0xffff };
	s->idtr = (struct tpz_dtable){ .limit = 0xffff };
}

/* What power-up and INIT have in common: real mode at F000:FFF0, and the processor's signature in EDX */
static void begin(struct tpz_vcpu *v)
{
	struct tpz_cpu_state *s = &v->s;
	u32 regs[4] = {};

	tpz_cpuid_find(v, 1, 0, regs);
	s->gpr[TPZ_RDX] = regs[0];
	s->rip = 0xfff0;
	s->rflags = X86_EFLAGS_FIXED;
	s->dr6 = TPZ_DR6_FIXED;
	s->dr7 = TPZ_DR7_FIXED;
	reset_segments(s);
	memset(&v->event, 0, sizeof(v->event));
	v->io_pending = false;
	v->mmio_pending = false;
	v->activity = v->id ? TPZ_ACTIVITY_WAIT_SIPI : TPZ_ACTIVITY_RUN;
	tpz_dirty(v, TPZ_P_ALL);
	set_bit(TPZ_REQ_FLUSH, &v->requests);
}

/*
 * tpz_cpu_reset() - power-up
 */
void tpz_cpu_reset(struct tpz_vcpu *v)
{
	struct tpz_cpu_state *s = &v->s;

	memset(s, 0, sizeof(*s));
	s->cr0 = X86_CR0_ET | X86_CR0_NW | X86_CR0_CD;
	s->pat = 0x0007040600070406ULL;
	s->xcr0 = 1;
	tpz_fpu_reset(v);
	begin(v);
}

/* INIT leaves alone: CR0's CD and NW, XCR0, the FPU, and the MSRs but for EFER */
static void init(struct tpz_vcpu *v)
{
	struct tpz_cpu_state *s = &v->s;
	struct tpz_cpu_state old;

	tpz_fetch(v, TPZ_P_ALL);
	old = *s;
	*s = (struct tpz_cpu_state){
		.cr0 = X86_CR0_ET | (old.cr0 & (X86_CR0_NW | X86_CR0_CD)),
		.xcr0 = old.xcr0,
		.sysenter_cs = old.sysenter_cs,
		.sysenter_esp = old.sysenter_esp,
		.sysenter_eip = old.sysenter_eip,
		.pat = old.pat,
		.kernel_gs_base = old.kernel_gs_base,
		.star = old.star,
		.lstar = old.lstar,
		.cstar = old.cstar,
		.fmask = old.fmask,
		.tsc_aux = old.tsc_aux,
	};
	atomic_set(&v->nmi_pending, 0);
	begin(v);
	tpz_apic_init(v);
	tpz_pv_init(v);
}

/* STARTUP: real mode at VV00:0000 */
static void start_up(struct tpz_vcpu *v, u8 vector)
{
	struct tpz_segment *cs = &v->s.seg[TPZ_CS];

	tpz_fetch(v, TPZ_P_CS | TPZ_P_RIP);
	cs->selector = vector << 8;
	cs->base = vector << 12;
	v->s.rip = 0;
	v->activity = TPZ_ACTIVITY_RUN;
	tpz_dirty(v, TPZ_P_CS | TPZ_P_RIP);
}

void tpz_cpu_take_init(struct tpz_vcpu *v)
{
	for (;;) {
		if (test_and_clear_bit(TPZ_REQ_INIT, &v->requests))
			init(v);
		if (!test_bit(TPZ_REQ_SIPI, &v->requests))
			return;
		smp_rmb();	/* an INIT is sent before its STARTUP, and counts before it */
		if (!test_bit(TPZ_REQ_INIT, &v->requests))
			break;
	}
	clear_bit(TPZ_REQ_SIPI, &v->requests);
	smp_mb__after_atomic();
	if (v->activity == TPZ_ACTIVITY_WAIT_SIPI)
		start_up(v, READ_ONCE(v->sipi_vector));
}
