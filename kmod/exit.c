// SPDX-License-Identifier: GPL-2.0
/*
 * The dispatch table: who answers each trap; and the tables that join the layers' MSRs and MMIO to their handlers.
 *
 * A fast handler runs with interrupts off straight after the exit. Where there is none, or it answers TPZ_SLOW, the
 * slow one runs and may sleep. A reason with neither goes to user space with everything the CPU said about it. Where the
 * CPU told too little of the instruction, it is decoded first (cpu/decode_exit.c), at best with interrupts off, too; a fast
 * handler may thus be called with interrupts on.
 */
#include <linux/kernel.h>
#include "cpu/cpu.h"
#include "exit.h"
#include "host.h"
#include "irq/irq.h"
#include "pv/pv.h"
#include "time/time.h"

/* The exit itself was the point: the run loop takes the interrupt, or delivers into the open window */
static enum tpz_next just_resume(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	return TPZ_RESUME;
}

/* A tick of TPZ_TRAP_TIMER, or it is time to look at the scanned slots: the run loop does */
static enum tpz_next on_timer(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	if (v->timer_at && x->tsc >= v->timer_at)
		set_bit(TPZ_REQ_SCAN, &v->requests);
	return TPZ_RESUME;
}

static enum tpz_next on_machine_check(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	tpz_host_machine_check();
	return TPZ_RESUME;
}

static enum tpz_next on_hlt(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	tpz_skip_insn(v);
	tpz_count(&v->m->halts);
	if (!v->apic) {
		tpz_user_exit(v, TPZ_EXIT_HLT);
		return TPZ_TO_USER;
	}
	v->activity = TPZ_ACTIVITY_HLT;		/* the run loop sleeps */
	return TPZ_RESUME;
}

static enum tpz_next on_entry_failed(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	struct tpz_run *run = tpz_user_exit(v, TPZ_EXIT_ENTRY_FAILED);

	run->entry_failed = x->failed;
	return TPZ_TO_USER;
}

static enum tpz_next on_npf_misconfig(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	tpz_vm_bug(v->vm, "the nested page table's entry for %#llx is malformed", x->npf.gpa);
	return TPZ_RESUME;	/* the run loop sees that the VM is dead */
}

/* An #AC that the guest's own alignment check did not raise is the host's split-lock detection */
static enum tpz_next on_exception(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	if (x->exception.vector == X86_TRAP_AC) {
		tpz_fetch(v, TPZ_P_CR0 | TPZ_P_RFLAGS);
		if (!(v->s.cr0 & X86_CR0_AM) || !(v->s.rflags & X86_EFLAGS_AC) || tpz_cpl(v) != 3)
			return TPZ_SLOW;
	}
	return tpz_on_exception(v, x);
}

static enum tpz_next on_split_lock(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	return tpz_host_split_lock(tpz_rip(v)) ? TPZ_RESUME : tpz_on_exception(v, x);
}

typedef enum tpz_next handler(struct tpz_vcpu *v, const struct tpz_exit *x);

static const struct {
	handler *fast;
	handler *slow;
} handlers[TPZ_EXIT_COUNT] = {
	[TPZ_EXIT_EXCEPTION]		= { on_exception, on_split_lock },
	[TPZ_EXIT_HOST_INTERRUPT]	= { just_resume },
	[TPZ_EXIT_HOST_NMI]		= { just_resume },
	[TPZ_EXIT_MACHINE_CHECK]	= { on_machine_check },
	[TPZ_EXIT_TRIPLE_FAULT]		= { NULL, tpz_on_triple_fault },
	[TPZ_EXIT_INTR_WINDOW]		= { just_resume },
	[TPZ_EXIT_NMI_WINDOW]		= { just_resume },
	[TPZ_EXIT_IRET]			= { just_resume },
	[TPZ_EXIT_TASK_SWITCH]		= { NULL, tpz_on_task_switch },
	[TPZ_EXIT_CPUID]		= { tpz_on_cpuid },
	[TPZ_EXIT_HLT]			= { NULL, on_hlt },
	[TPZ_EXIT_INVD]			= { tpz_on_invd },
	[TPZ_EXIT_WBINVD]		= { tpz_on_wbinvd },
	[TPZ_EXIT_INVLPG]		= { tpz_on_invlpg },
	[TPZ_EXIT_INVPCID]		= { NULL, tpz_on_invpcid },
	[TPZ_EXIT_RDPMC]		= { tpz_on_gp_insn },
	[TPZ_EXIT_RDTSC]		= { tpz_on_rdtsc },
	[TPZ_EXIT_RDTSCP]		= { tpz_on_rdtsc },
	[TPZ_EXIT_RSM]			= { tpz_on_ud_insn },
	[TPZ_EXIT_HYPERCALL]		= { tpz_on_hypercall_fast, tpz_on_hypercall },
	[TPZ_EXIT_VIRT_INSN]		= { tpz_on_ud_insn },
	[TPZ_EXIT_CR]			= { NULL, tpz_on_cr },
	[TPZ_EXIT_DR]			= { tpz_on_dr },
	[TPZ_EXIT_IO]			= { tpz_on_io_fast, tpz_on_io },
	[TPZ_EXIT_MSR_READ]		= { tpz_on_msr_read_fast, tpz_on_msr_read },
	[TPZ_EXIT_MSR_WRITE]		= { tpz_on_msr_write_fast, tpz_on_msr_write },
	[TPZ_EXIT_ENTRY_FAILED]		= { NULL, on_entry_failed },
	[TPZ_EXIT_MWAIT]		= { tpz_on_ud_insn },
	[TPZ_EXIT_MONITOR]		= { tpz_on_ud_insn },
	[TPZ_EXIT_PAUSE]		= { tpz_on_pause_fast, tpz_on_pause },
	[TPZ_EXIT_DT_ACCESS]		= { NULL, tpz_on_dt_access },
	[TPZ_EXIT_NPF]			= { NULL, tpz_on_npf },
	[TPZ_EXIT_NPF_MISCONFIG]	= { NULL, on_npf_misconfig },
	[TPZ_EXIT_XSETBV]		= { tpz_on_xsetbv },
	[TPZ_EXIT_RDRAND]		= { tpz_on_rdrand },
	[TPZ_EXIT_RDSEED]		= { tpz_on_rdrand },
	[TPZ_EXIT_XSAVES]		= { tpz_on_ud_insn },
	[TPZ_EXIT_TIMER]		= { on_timer },
	[TPZ_EXIT_GETSEC]		= { tpz_on_ud_insn },
	[TPZ_EXIT_ENCLS]		= { tpz_on_ud_insn },
	[TPZ_EXIT_VMFUNC]		= { tpz_on_ud_insn },
	[TPZ_EXIT_UMWAIT]		= { tpz_on_ud_insn },
	[TPZ_EXIT_RDPRU]		= { tpz_on_ud_insn },
	[TPZ_EXIT_MCOMMIT]		= { tpz_on_ud_insn },
	[TPZ_EXIT_INVLPGB]		= { tpz_on_ud_insn },
};

/* A handler's answer and what it did must agree: a record is filled exactly if the run goes to user space */
static enum tpz_next check_answer(struct tpz_vcpu *v, enum tpz_next next)
{
	if (likely((next == TPZ_TO_USER) == v->user_exit))
		return next;
	tpz_vm_bug(v->vm, "the handler of exit %u answered %u with the record %s", v->exit.reason, next,
		   v->user_exit ? "filled" : "empty");
	v->user_exit = false;
	return TPZ_RESUME;
}

static enum tpz_next call_fast(struct tpz_vcpu *v)
{
	handler *fast = handlers[v->exit.reason].fast;
	enum tpz_next next;

	if (!fast)
		return TPZ_SLOW;
	next = fast(v, &v->exit);
	return next == TPZ_SLOW ? next : check_answer(v, next);
}

enum tpz_next tpz_exit_fast(struct tpz_vcpu *v)
{
	enum tpz_next next;

	/* Handlers look at what is in service */
	if (unlikely(v->eoi.state == TPZ_EOI_PROMISED) && !tpz_eoi_settle(v, false))
		return TPZ_SLOW;
	if (static_branch_unlikely(&tpz_decode_always))
		tpz_decode_anyway(v);
	if (v->exit.decode && !tpz_decode_exit(v, false, &next))
		return next;
	return call_fast(v);
}

enum tpz_next tpz_exit_slow(struct tpz_vcpu *v)
{
	handler *slow = handlers[v->exit.reason].slow;
	enum tpz_next next;

	/* The guest's flag could not be read without sleeping: nothing has been done about this exit yet */
	if (unlikely(v->eoi.state == TPZ_EOI_PROMISED)) {
		tpz_eoi_settle(v, true);
		next = tpz_exit_fast(v);
		if (next != TPZ_SLOW)
			return next;
	}
	/* The instruction could not be read without sleeping, so the fast handler has not run yet */
	if (unlikely(v->exit.decode)) {
		if (!tpz_decode_exit(v, true, &next))
			return check_answer(v, next);
		next = call_fast(v);
		if (next != TPZ_SLOW)
			return next;
	}
	if (!slow) {
		tpz_user_exit(v, v->exit.reason);
		return TPZ_TO_USER;
	}
	return check_answer(v, slow(v, &v->exit));
}

/* ---- MSRs: each layer has a table of its own */

static const struct tpz_msr *const msr_tables[] = { tpz_cpu_msrs, tpz_time_msrs, tpz_steal_msrs, tpz_eoi_msrs, tpz_apic_msrs };

static const struct tpz_msr *find_msr(u32 index)
{
	const struct tpz_msr *m;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_tables); i++)
		for (m = msr_tables[i]; m->first <= m->last; m++)
			if (index >= m->first && index <= m->last)
				return m;
	return NULL;
}

/* RDMSR and WRMSR by whichever layer knows the MSR. -EINVAL: #GP, also for one that nobody knows */
int tpz_msr_read(struct tpz_vcpu *v, u32 index, u64 *value, bool may_sleep)
{
	const struct tpz_msr *m = find_msr(index);

	if (!m || !m->read)
		return -EINVAL;
	if (m->sleeps && !may_sleep)
		return -EAGAIN;
	return m->read(v, index, value);
}

int tpz_msr_write(struct tpz_vcpu *v, u32 index, u64 value, bool may_sleep)
{
	const struct tpz_msr *m = find_msr(index);

	if (!m || !m->write)
		return -EINVAL;
	if (m->sleeps && !may_sleep)
		return -EAGAIN;
	return m->write(v, index, value);
}

/* ---- MMIO: the devices in the kernel, asked one after the other */

typedef bool mmio_server(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data);

static mmio_server *const mmio_servers[] = { tpz_apic_mmio, tpz_ioapic_mmio, tpz_ioeventfd_mmio, NULL };

bool tpz_mmio_device(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data)
{
	mmio_server *const *serve;

	for (serve = mmio_servers; *serve; serve++)
		if ((*serve)(v, gpa, bytes, write, data))
			return true;
	return false;
}
