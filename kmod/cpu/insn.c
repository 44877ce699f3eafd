// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of the trapped instructions, and guest-physical memory that is not there.
 *
 * #UD and #GP of the privilege level come before the trap for all of them (SDM vol. 3C, 26.1.1; on CPUs that are sloppy
 * there, decode_exit.c looks), so a handler here meets an instruction that the guest was allowed to run. Hypercalls alone are
 * for every level.
 */
#include <asm/archrandom.h>
#include "internal.h"
#include "../mem/mem.h"

/*
 * tpz_on_ud_insn() - what guests do not have: VMX, SVM, GETSEC, RSM outside SMM, MONITOR, MWAIT, XSAVES, ENCLS, ...
 *
 * CPUID says so, and #UD is what a CPU without them raises.
 */
TPZ_HANDLER(tpz_on_ud_insn)
{
	return tpz_inject_ud(v);
}

/*
 * tpz_on_gp_insn() - RDPMC: there are no counters, so each index is one too high
 */
TPZ_HANDLER(tpz_on_gp_insn)
{
	return tpz_inject_gp(v);
}

/*
 * Caches. INVD would throw away what the host has not written back yet, and WBINVD would stop every CPU that shares
 * the cache. Guest memory is coherent without either; no device of a guest snoops past the caches.
 */
TPZ_HANDLER(tpz_on_invd)
{
	tpz_count(&v->m->invds);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

TPZ_HANDLER(tpz_on_wbinvd)
{
	tpz_count(&v->m->wbinvds);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/* ---- translations. All are forgotten where the guest names one: more than asked for is always right */

TPZ_HANDLER(tpz_on_invlpg)
{
	set_bit(TPZ_REQ_FLUSH, &v->requests);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/* SDM vol. 2A, INVPCID */
static bool invpcid_valid(struct tpz_vcpu *v, u64 type, const u64 descriptor[2])
{
	const u64 pcid = descriptor[0];

	if (type > 3 || pcid >> 12)
		return false;
	tpz_fetch(v, TPZ_P_CR4);
	if (type < 2 && pcid && !(v->s.cr4 & X86_CR4_PCIDE))
		return false;
	return type != 0 || tpz_canonical(descriptor[1]);
}

TPZ_HANDLER(tpz_on_invpcid)
{
	const struct tpz_operand *op = &x->insn.op;
	struct tpz_hole hole;
	u64 descriptor[2], gva;
	int ret;

	ret = tpz_linear(v, op->seg, op->offset, op->addr_bytes, sizeof(descriptor), false, &gva);
	if (!ret)
		ret = tpz_read_gva(v, gva, descriptor, sizeof(descriptor), &hole);
	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret)
		return tpz_no_memory(v, &hole);
	if (!invpcid_valid(v, tpz_arg(v, x->insn.reg), descriptor))
		return tpz_inject_gp(v);
	set_bit(TPZ_REQ_FLUSH, &v->requests);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/* ---- time and chance */

/*
 * tpz_on_rdtsc() - RDTSC and RDTSCP under TPZ_TRAP_TSC. CR4.TSD was checked before the trap
 */
TPZ_HANDLER(tpz_on_rdtsc)
{
	const u64 tsc = tpz_guest_tsc(v);

	v->s.gpr[TPZ_RAX] = (u32)tsc;
	v->s.gpr[TPZ_RDX] = tsc >> 32;
	if (x->reason == TPZ_EXIT_RDTSCP)
		v->s.gpr[TPZ_RCX] = (u32)v->s.tsc_aux;
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/*
 * tpz_on_rdrand() - RDRAND and RDSEED under TPZ_TRAP_RDRAND: the host's own, with CF for "there was one"
 *
 * The module does not repeat an empty answer: to do so is the guest's affair, and its flags show what the CPU said.
 */
TPZ_HANDLER(tpz_on_rdrand)
{
	const unsigned int bytes = x->insn.op.bytes;
	const u64 arithmetic = X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF |
			       X86_EFLAGS_OF;
	unsigned long random = 0;
	bool ok;

	if (x->reason == TPZ_EXIT_RDRAND)
		asm volatile("rdrand %0" : "=r" (random), "=@ccc" (ok));
	else
		asm volatile("rdseed %0" : "=r" (random), "=@ccc" (ok));
	if (!ok)
		random = 0;
	tpz_set_gpr(v, x->insn.reg, tpz_merge(tpz_gpr(v, x->insn.reg), random, bytes));
	tpz_fetch(v, TPZ_P_RFLAGS);
	v->s.rflags = (v->s.rflags & ~arithmetic) | (ok ? X86_EFLAGS_CF : 0);
	tpz_dirty(v, TPZ_P_RFLAGS);
	tpz_skip_insn(v);
	return TPZ_RESUME;
}

/* ---- guest-physical memory that is not there; mmio.c has the nested page fault */

struct tpz_run *tpz_report_memory(struct tpz_vcpu *v, const struct tpz_hole *hole, int why)
{
	struct tpz_run *run = tpz_user_exit(v, TPZ_EXIT_MEMORY);

	run->memory.gpa = hole->gpa;
	run->memory.gva = hole->gva;
	run->memory.gva_valid = hole->gva_valid;
	run->memory.read = !hole->write;
	run->memory.write = hole->write;
	run->memory.page_walk = hole->page_walk;
	run->memory.readonly_slot = why == -EROFS;
	run->memory.no_slot = why == -ENOENT;
	return run;
}

enum tpz_next tpz_no_memory(struct tpz_vcpu *v, const struct tpz_hole *hole)
{
	/* What is wrong there, asked once more in the words of the nested page fault. A walk sets accessed bits */
	const int why = tpz_mem_fault(v, hole->gpa, hole->write || hole->page_walk, false);

	switch (why) {
	case 0:		/* nothing any more: the host was short of memory, or the launcher was quick */
	case -EINTR:
	case -EAGAIN:
		return TPZ_RESUME;
	case -ENOMEM:
		return TPZ_NO_MEMORY;
	}
	tpz_report_memory(v, hole, why);
	return TPZ_TO_USER;
}
