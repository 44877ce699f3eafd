// SPDX-License-Identifier: GPL-2.0
/*
 * The nested page fault; and the guest's accesses to guest-physical addresses without memory, or writes to read-only memory.
 *
 * The instruction is decoded and emulated (emulate.c). Each of its accesses is translated as the CPU would, then goes to
 * memory, or to a device in the kernel, or to the launcher (TPZ_EXIT_MMIO, or its queue). What has been answered is recorded, and the
 * instruction runs again from its start with those answers, until it needs no more. Registers change at its end alone: until
 * then the guest's state says that it has not run. A write that is its last access is done before the launcher sees it, as an
 * OUT is.
 *
 * As with port I/O (io.c), a launcher that sets TPZ_STATE_REGS meanwhile has taken the instruction over: it is forgotten.
 * REP goes item by item, and the guest takes its interrupts between two.
 */
#include "internal.h"
#include "../mem/mem.h"

/* What ops return besides errors of access: a record is filled, the launcher's answer or its next run is needed */
#define NEED_USER	(-EINPROGRESS)

struct emulation {
	struct tpz_emulation e;
	struct tpz_vcpu *v;
};

static struct tpz_vcpu *vcpu_of(struct tpz_emulation *e)
{
	return container_of(e, struct emulation, e)->v;
}

/* ---- an access: where it goes */

/* SDM vol. 3A, 6.15, "Interrupt 17": behind page faults. Vectors have rules of their own */
static bool misaligned(struct tpz_vcpu *v, u64 gva, unsigned int bytes)
{
	if (bytes > 8 || !(gva & (bytes - 1)) || tpz_cpl(v) != 3)
		return false;
	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_RFLAGS);
	return (v->s.cr0 & X86_CR0_AM) && (v->s.rflags & X86_EFLAGS_AC);
}

static int fault(struct tpz_vcpu *v, u8 vector)
{
	tpz_queue_exception(v, vector, 0);
	return -EFAULT;
}

/* Translate, with every fault that there is, before anything is touched. 0, -EFAULT, -ENXIO with mmio.hole */
static int locate(struct tpz_vcpu *v, struct tpz_mmio_access *a, const struct tpz_place *place)
{
	const bool writes = a->write || (place->flags & TPZ_PLACE_MODIFY);
	struct tpz_hole *hole = &v->processor->mmio.hole;
	unsigned int done = 0;
	struct tpz_walk w;
	u64 gva;
	int ret = tpz_linear(v, place->seg, place->offset, place->addr_bytes, place->bytes, writes, &gva);

	if (ret)
		return ret;
	if ((place->flags & TPZ_PLACE_ALIGNED) && (gva & (place->bytes - 1)))
		return fault(v, X86_TRAP_GP);
	for (a->pieces = 0; done < place->bytes; a->pieces++) {
		const unsigned int n = min_t(unsigned int, place->bytes - done, PAGE_SIZE - offset_in_page(gva + done));
		const u64 at = tpz_long_mode(v) ? gva + done : (u32)(gva + done);

		ret = tpz_check_access(v, at, writes ? TPZ_ACCESS_WRITE : TPZ_ACCESS_READ, &w, hole);
		if (ret)
			return ret;
		a->piece[a->pieces].gpa = w.gpa;
		a->piece[a->pieces].gva = at;
		a->piece[a->pieces].at = done;
		a->piece[a->pieces].bytes = n;
		done += n;
	}
	return misaligned(v, gva, place->bytes) ? fault(v, X86_TRAP_AC) : 0;
}

/*
 * An instruction that reads, modifies and writes memory alone must do so at once, and the CPU can: somebody has put memory there
 * meanwhile. Return: -EAGAIN then
 */
static int leave_to_cpu(struct tpz_vcpu *v, const struct tpz_mmio_access *a)
{
	unsigned int i;

	for (i = 0; i < a->pieces; i++)
		if (tpz_mem_fault(v, a->piece[i].gpa, true, false))
			return 0;
	return -EAGAIN;
}

/* The next access of this pass: one that an earlier pass has made, or a new one */
static int next_access(struct tpz_vcpu *v, const struct tpz_place *place, bool write, struct tpz_mmio_access **access)
{
	struct tpz_mmio *m = &v->processor->mmio;
	struct tpz_mmio_access *a;
	int ret = 0;

	if (WARN_ON_ONCE(m->at >= TPZ_MMIO_ACCESSES))
		return -EAGAIN;
	*access = a = &m->access[m->at++];
	if (m->at <= m->count)		/* what decides is the same in each pass; a difference runs the instruction anew */
		return a->write == write && a->bytes == place->bytes ? 0 : -EAGAIN;
	if (place->flags & TPZ_PLACE_SAME)
		*a = m->access[m->at - 2];
	a->write = write;
	a->bytes = place->bytes;
	a->done = 0;
	if (!(place->flags & TPZ_PLACE_SAME))
		ret = locate(v, a, place);
	if (!ret && (place->flags & TPZ_PLACE_MODIFY))
		ret = leave_to_cpu(v, a);
	if (!ret)
		m->count = m->at;
	return ret;
}

/* ---- an access: memory, devices, the launcher */

static int to_memory(struct tpz_vcpu *v, struct tpz_mmio_access *a, unsigned int i)
{
	void *data = a->data + a->piece[i].at;
	const u64 gpa = a->piece[i].gpa;
	int ret;

	ret = a->write ? tpz_mem_write(v->vm, gpa, data, a->piece[i].bytes) :
			 tpz_mem_read(v->vm, gpa, data, a->piece[i].bytes);
	if (!ret)
		a->done |= BIT(i);
	if (ret != -EFAULT)
		return 0;		/* -ENOENT, -EROFS: not memory's affair */
	v->processor->mmio.hole = (struct tpz_hole){
		.gpa = gpa, .gva = a->piece[i].gva, .gva_valid = true, .write = a->write,
	};
	return -ENXIO;
}

static void report(struct tpz_vcpu *v, const struct tpz_mmio_access *a, unsigned int i)
{
	struct tpz_run *run = tpz_user_exit(v, TPZ_EXIT_MMIO);

	run->insn_bytes = v->processor->mmio.insn.bytes;
	run->mmio.gpa = a->piece[i].gpa;
	run->mmio.bytes = a->piece[i].bytes;
	run->mmio.write = a->write;
}

static int to_device(struct tpz_vcpu *v, struct tpz_mmio_access *a, unsigned int i)
{
	struct tpz_mmio *m = &v->processor->mmio;
	void *data = a->data + a->piece[i].at;

	m->served = true;
	if (tpz_mmio_device(v, a->piece[i].gpa, a->piece[i].bytes, a->write, data)) {
		a->done |= BIT(i);
		return 0;
	}
	if (v->user_exit)		/* one record in each run */
		return NEED_USER;
	if (a->write && tpz_mem_coalesce(v->vm, false, a->piece[i].gpa, a->piece[i].bytes, data)) {
		a->done |= BIT(i);
		return 0;
	}
	report(v, a, i);
	if (!a->write) {
		m->wanted = i;
		return NEED_USER;
	}
	memcpy(v->run_data, data, a->piece[i].bytes);
	a->done |= BIT(i);
	return 0;
}

/* Memory first: it alone can still fail */
static int carry_out(struct tpz_vcpu *v, struct tpz_mmio_access *a)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < a->pieces && !ret; i++)
		if (!(a->done & BIT(i)))
			ret = to_memory(v, a, i);
	for (i = 0; i < a->pieces && !ret; i++)
		if (!(a->done & BIT(i)))
			ret = to_device(v, a, i);
	return ret;
}

static int read(struct tpz_emulation *e, const struct tpz_place *place, void *to)
{
	struct tpz_vcpu *v = vcpu_of(e);
	struct tpz_mmio_access *a;
	int ret = next_access(v, place, false, &a) ?: carry_out(v, a);

	if (!ret)
		memcpy(to, a->data, a->bytes);
	return ret;
}

static int write(struct tpz_emulation *e, const struct tpz_place *place, const void *from)
{
	struct tpz_vcpu *v = vcpu_of(e);
	struct tpz_mmio_access *a;
	int ret = next_access(v, place, true, &a);

	if (ret)
		return ret;
	if (!a->done)
		memcpy(a->data, from, a->bytes);
	return carry_out(v, a);
}

static int branch(struct tpz_emulation *e, u64 rip)
{
	struct tpz_vcpu *v = vcpu_of(e);
	const bool permitted = tpz_long_mode(v) ? tpz_canonical(rip) : rip <= tpz_seg(v, TPZ_CS)->limit;

	return permitted ? 0 : fault(v, X86_TRAP_GP);
}

static void get_vector(struct tpz_emulation *e, unsigned int reg, u8 value[TPZ_VECTOR_BYTES])
{
	tpz_fpu_get_vector(vcpu_of(e), reg, value);
}

static void set_vector(struct tpz_emulation *e, unsigned int reg, const u8 value[TPZ_VECTOR_BYTES], bool whole)
{
	tpz_fpu_set_vector(vcpu_of(e), reg, value, whole);
}

static u16 get_segment(struct tpz_emulation *e, unsigned int seg)
{
	return tpz_seg(vcpu_of(e), seg)->selector;
}

static int load_segment(struct tpz_emulation *e, unsigned int seg, u16 selector)
{
	struct tpz_vcpu *v = vcpu_of(e);

	return tpz_load_data_segment(v, seg, selector, &v->processor->mmio.hole);
}

static const struct tpz_emulate_ops ops = {
	.read = read,
	.write = write,
	.branch = branch,
	.get_vector = get_vector,
	.set_vector = set_vector,
	.get_segment = get_segment,
	.load_segment = load_segment,
};

/* ---- the instruction */

static void begin_pass(struct tpz_vcpu *v, struct emulation *m)
{
	tpz_fetch(v, TPZ_P_RIP | TPZ_P_RSP | TPZ_P_RFLAGS);
	*m = (struct emulation){
		.v = v,
		.e = { .insn = &v->processor->mmio.insn, .ops = &ops, .rip = v->s.rip, .rflags = v->s.rflags },
	};
	memcpy(m->e.gpr, v->s.gpr, sizeof(m->e.gpr));
	m->e.stack_bytes = tpz_long_mode(v) ? 8 : tpz_seg(v, TPZ_SS)->db ? 4 : 2;
	v->processor->mmio.at = 0;
}

static void commit(struct tpz_vcpu *v, const struct tpz_emulation *e)
{
	memcpy(v->s.gpr, e->gpr, sizeof(v->s.gpr));
	v->s.rflags = e->rflags;
	tpz_dirty(v, TPZ_P_RSP | TPZ_P_RFLAGS);
	if (e->more)
		tpz_insn_boundary(v);
	else
		tpz_insn_done(v, e->rip);
}

/*
 * pass() - through the instruction once, from its start; v->mmio_pending says whether there is another one to come
 * Return: a handler's answer; or -EOPNOTSUPP.
 */
static int pass(struct tpz_vcpu *v)
{
	struct tpz_mmio *m = &v->processor->mmio;
	struct emulation now;
	int ret;

	begin_pass(v, &now);
	ret = tpz_emulate(&now.e);
	v->mmio_pending = ret == NEED_USER;
	switch (ret) {
	case 0:
		commit(v, &now.e);
		break;
	case -ENXIO:
		/* The launcher may put memory there: what devices have answered stays */
		v->mmio_pending = m->served;
		return v->user_exit ? TPZ_TO_USER : tpz_no_memory(v, &m->hole);
	case -EOPNOTSUPP:
		return ret;
	}
	return v->user_exit ? TPZ_TO_USER : TPZ_RESUME;
}

int tpz_mmio_complete(struct tpz_vcpu *v)
{
	struct tpz_mmio *m = &v->processor->mmio;
	struct tpz_mmio_access *a = &m->access[m->count - 1];
	int next;

	if (m->wanted >= 0) {
		memcpy(a->data + a->piece[m->wanted].at, v->run_data, a->piece[m->wanted].bytes);
		a->done |= BIT(m->wanted);
		m->wanted = -1;
	}
	next = pass(v);
	if (next == TPZ_TO_USER)
		return 1;
	if (next == TPZ_NO_MEMORY)
		return -ENOMEM;
	return v->mmio_pending ? -EINTR : 0;	/* the next run tries again */
}

/* ---- the nested page fault */

static enum tpz_next cannot_emulate(struct tpz_vcpu *v, const struct tpz_exit *x, int why, const struct tpz_code *code,
				    unsigned int length)
{
	const struct tpz_hole hole = {
		.gpa = x->npf.gpa,
		.gva = x->npf.gva,
		.gva_valid = x->npf.gva_valid,
		.page_walk = x->npf.page_walk,
	};
	struct tpz_run *run = tpz_report_memory(v, &hole, why);

	run->memory.read = x->npf.read;
	run->memory.write = x->npf.write;
	run->memory.fetch = x->npf.fetch;
	run->insn_bytes = length;
	run->memory.insn_bytes = length ?: code->count;
	memcpy(run->memory.insn, code->bytes, run->memory.insn_bytes);
	return TPZ_TO_USER;
}

/* An access by the instruction at RIP: not a fetch, a page walk, or the delivery of an event */
static enum tpz_next emulate(struct tpz_vcpu *v, const struct tpz_exit *x, int why)
{
	struct tpz_mmio *m = &v->processor->mmio;
	struct tpz_code code;
	int ret;

	ret = tpz_decode_at_rip(v, &m->insn, &code, &m->hole);
	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret == -ENXIO)
		return tpz_no_memory(v, &m->hole);
	if (ret)
		return cannot_emulate(v, x, why, &code, 0);
	if (why == -EFAULT)		/* the launcher's own memory is not there */
		return cannot_emulate(v, x, why, &code, m->insn.bytes);
	m->count = 0;
	m->wanted = -1;
	m->served = false;
	ret = pass(v);
	return ret == -EOPNOTSUPP ? cannot_emulate(v, x, why, &code, m->insn.bytes) : ret;
}

/*
 * tpz_on_npf() - nothing was mapped at a guest-physical address: map it, emulate the access, or say that nothing is there
 *
 * Where it was mapped, the guest's instruction runs again. An event whose delivery met the fault is delivered again (v->event).
 */
TPZ_HANDLER(tpz_on_npf)
{
	static const struct tpz_code unknown;
	int ret = tpz_mem_fault(v, x->npf.gpa, x->npf.write, x->npf.fetch);

	switch (ret) {
	case 0:
		tpz_count(&v->m->npf_mapped);
		return TPZ_RESUME;
	case -EINTR:	/* a signal: the run loop sees it */
	case -EAGAIN:
		return TPZ_RESUME;
	case -ENOMEM:
		return TPZ_NO_MEMORY;
	}
	if (x->npf.fetch || x->npf.page_walk || v->event.valid)
		return cannot_emulate(v, x, ret, &unknown, 0);
	return emulate(v, x, ret);
}
