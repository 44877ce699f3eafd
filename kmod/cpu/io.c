// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O. The privilege level, IOPL and the I/O bitmap were checked by the CPU before the trap.
 *
 * Most ports belong to the launcher: the exit record says port, size and direction, and the data area carries the
 * items. OUT and OUTS are done before the launcher sees them: registers and RIP stand behind the part that is in the
 * data area. IN and INS are done when the answer is committed, at the next TPZ_RUN: until then the guest's state says
 * that the instruction has not run.
 *
 * A launcher that sets the state group TPZ_STATE_REGS between the two has taken the instruction over, and the answer
 * that it owed is forgotten: RIP decides what runs next. Other groups leave the answer wanted. TPZ_RUN with
 * immediate_exit commits and returns, so that a state read afterwards (a snapshot) is whole.
 *
 * REP goes in chunks: as many items as stand in one page and fit into the data area. RIP moves on with the last one
 * only, so the guest takes its interrupts between two chunks, as it does on a CPU.
 */
#include <linux/slab.h>
#include "internal.h"
#include "../mem/mem.h"

static u64 all_ones(unsigned int bytes)
{
	return GENMASK_ULL(bytes * 8 - 1, 0);
}

/* ---- ports that the kernel answers */

static bool byte_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value)
{
	return (v->vm->pic && tpz_pic_port(v, port, in, value)) || (v->vm->pit && tpz_pit_port(v, port, in, value));
}

/*
 * A write may be an ioeventfd's, or be queued for the launcher. The devices' ports are bytes; a wider access is one for each
 * byte, and a byte without a port reads as ones
 */
static bool kernel_port(struct tpz_vcpu *v, u16 port, unsigned int bytes, bool in, u8 *data)
{
	unsigned int i;

	if (!in && tpz_ioeventfd_port(v, port, bytes, data))
		return true;
	if (!byte_port(v, port, in, data))
		return !in && tpz_mem_coalesce(v->vm, true, port, bytes, data);
	for (i = 1; i < bytes; i++)
		if (!byte_port(v, port + i, in, data + i) && in)
			data[i] = 0xff;
	return true;
}

/* ---- IN and OUT */

static void finish_in(struct tpz_vcpu *v, unsigned int bytes, u64 value)
{
	v->s.gpr[TPZ_RAX] = tpz_merge(v->s.gpr[TPZ_RAX], value, bytes);
	tpz_skip_insn(v);
}

static struct tpz_run *report(struct tpz_vcpu *v, const struct tpz_exit *x, u32 count)
{
	struct tpz_run *run = tpz_user_exit(v, TPZ_EXIT_IO);

	run->io.port = x->io.port;
	run->io.bytes = x->io.bytes;
	run->io.in = x->io.in;
	run->io.count = count;
	run->io.string = x->io.string;
	run->io.rep = x->io.rep;
	return run;
}

/*
 * tpz_on_io_fast() - IN and OUT of one register; strings go the slow way
 */
TPZ_HANDLER(tpz_on_io_fast)
{
	const unsigned int bytes = x->io.bytes;
	u64 value = v->s.gpr[TPZ_RAX] & all_ones(bytes);

	/* An eventfd's lock sleeps on PREEMPT_RT */
	if (x->io.string || (IS_ENABLED(CONFIG_PREEMPT_RT) && irqs_disabled()))
		return TPZ_SLOW;
	if (kernel_port(v, x->io.port, bytes, x->io.in, (u8 *)&value)) {
		if (x->io.in)
			finish_in(v, bytes, value);
		else
			tpz_skip_insn(v);
		return TPZ_RESUME;
	}
	report(v, x, 1);
	if (x->io.in) {
		v->processor->io = (struct tpz_pending_io){ .count = 1, .bytes = bytes };
		v->io_pending = true;
	} else {
		memcpy(v->run_data, &value, bytes);
		tpz_skip_insn(v);
	}
	return TPZ_TO_USER;
}

/* ---- strings: how many items at once, and the registers behind them */

static u64 counter(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	return x->io.rep ? v->s.gpr[TPZ_RCX] & tpz_addr_mask(x->io.addr_bytes) : 1;
}

/* Items that stand whole in the page of the first, without a wrap of the offset; at least 1, which may cross pages */
static u32 chunk(u64 count, u64 offset, u64 gva, const struct tpz_exit *x, bool down)
{
	const unsigned int bytes = x->io.bytes;
	const u64 above = PAGE_SIZE - offset_in_page(gva);
	const u64 room = !down ? above : above < bytes ? bytes : offset_in_page(gva) + bytes;
	const u64 top = tpz_addr_mask(x->io.addr_bytes);
	const u64 steps = down ? offset / bytes : (top - offset) / bytes;

	count = min_t(u64, count, TPZ_RUN_DATA_BYTES / bytes);
	count = min_t(u64, count, room / bytes);
	count = min_t(u64, count, steps);
	return max_t(u64, count, 1);
}

static void advance(struct tpz_vcpu *v, unsigned int reg, const struct tpz_pending_io *io)
{
	const u64 step = (u64)io->count * io->bytes;
	u64 *gpr = v->s.gpr;

	gpr[reg] = tpz_merge(gpr[reg], gpr[reg] + (io->down ? -step : step), io->addr_bytes);
	if (io->rep) {
		gpr[TPZ_RCX] = tpz_merge(gpr[TPZ_RCX], gpr[TPZ_RCX] - io->count, io->addr_bytes);
		if (gpr[TPZ_RCX] & tpz_addr_mask(io->addr_bytes))
			return tpz_insn_boundary(v);	/* RIP stays for the rest */
	}
	tpz_skip_insn(v);
}

/* Items are handed over in the order of the transfer, memory is in the order of addresses */
static void reverse(u8 *data, u32 count, unsigned int bytes)
{
	u32 i, j;
	u8 item[4];

	for (i = 0, j = count - 1; i < j; i++, j--) {
		memcpy(item, data + i * bytes, bytes);
		memcpy(data + i * bytes, data + j * bytes, bytes);
		memcpy(data + j * bytes, item, bytes);
	}
}

/*
 * find_chunk() - the linear address of the lowest of the items that go at once, and how many
 * Return: 0; -EFAULT: the guest's own fault is queued.
 */
static int find_chunk(struct tpz_vcpu *v, const struct tpz_exit *x, u64 *gva, struct tpz_pending_io *io)
{
	const unsigned int seg = x->io.in ? TPZ_ES : x->io.seg;
	const u64 offset = v->s.gpr[x->io.in ? TPZ_RDI : TPZ_RSI] & tpz_addr_mask(x->io.addr_bytes);
	struct tpz_walk w;
	u64 first, low;
	int ret;

	*io = (struct tpz_pending_io){
		.bytes = x->io.bytes,
		.string = true,
		.rep = x->io.rep,
		.down = tpz_rflags(v) & X86_EFLAGS_DF,
		.addr_bytes = x->io.addr_bytes,
	};
	ret = tpz_linear(v, seg, offset, x->io.addr_bytes, io->bytes, x->io.in, &first);
	if (ret)
		return ret;
	*gva = first;
	io->count = chunk(counter(v, x), offset, first, x, io->down);
	/* The first item is permitted; if the segment ends before the last, go item by item to the fault */
	low = io->down ? offset - (io->count - 1) * io->bytes : offset;
	if ((tpz_rflags(v) & X86_EFLAGS_TF) ||
	    !tpz_segment_permits(v, seg, low, io->count * io->bytes, x->io.in))
		io->count = 1;
	if (!io->down || io->count == 1)
		return 0;
	/* A fault must name the address of the first item, which is the highest */
	ret = tpz_walk_gva(v, first, x->io.in ? TPZ_ACCESS_WRITE : TPZ_ACCESS_READ, tpz_cpl(v) == 3, &w);
	if (ret == -EFAULT) {
		tpz_queue_page_fault(v, first, w.pf_error);
		return ret;
	}
	*gva = first - (io->count - 1) * io->bytes;
	return 0;
}

/* ---- OUTS */

static enum tpz_next outs(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	struct tpz_pending_io io;
	struct tpz_hole hole;
	u64 gva;
	u8 *data = v->run_data;
	u8 bounce[4];
	u32 i;
	int ret;

	ret = find_chunk(v, x, &gva, &io);
	if (!ret)
		ret = tpz_read_gva(v, gva, data, io.count * io.bytes, &hole);
	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret)
		return tpz_no_memory(v, &hole);
	if (io.down)
		reverse(data, io.count, io.bytes);

	for (i = 0; i < io.count; i++) {
		memcpy(bounce, data + i * io.bytes, io.bytes);
		if (!kernel_port(v, x->io.port, io.bytes, false, bounce))
			break;
	}
	if (i)		/* the rest, if any, traps again */
		io.count = i;
	else
		report(v, x, io.count);
	advance(v, TPZ_RSI, &io);
	return i ? TPZ_RESUME : TPZ_TO_USER;
}

/*
 * ---- INS: the place is found and made writable before anybody is asked, because a device's data comes once
 *
 * find_place(): 0; -EFAULT: run the guest, its fault is queued or a signal came; -ENXIO with @hole.
 */

static int find_place(struct tpz_vcpu *v, u64 gva, struct tpz_pending_io *io, struct tpz_hole *hole)
{
	const u32 total = io->count * io->bytes;
	struct tpz_walk w;
	u32 done = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < 2 && done < total; i++) {
		ret = tpz_check_access(v, gva, TPZ_ACCESS_WRITE, &w, hole);
		if (ret)
			return ret;
		*hole = (struct tpz_hole){ .gpa = w.gpa, .gva = gva, .gva_valid = true, .write = true };
		ret = tpz_mem_fault(v, w.gpa, true, false);
		if (ret)
			return ret == -EINTR || ret == -EAGAIN ? -EFAULT : -ENXIO;
		io->gpa[i] = w.gpa;
		io->piece[i] = min_t(u32, total - done, PAGE_SIZE - offset_in_page(gva));
		done += io->piece[i];
		gva += io->piece[i];
		if (!tpz_long_mode(v))
			gva = (u32)gva;
	}
	return 0;
}

/* The launcher may write the data area while it is read: one copy is taken */
static int store(struct tpz_vcpu *v, const struct tpz_pending_io *io, struct tpz_hole *hole)
{
	const u32 total = io->count * io->bytes;
	u8 *data = kmalloc(total, GFP_KERNEL_ACCOUNT);
	u32 done = 0;
	unsigned int i;
	int ret = 0;

	if (!data)
		return -ENOMEM;
	memcpy(data, v->run_data, total);
	if (io->down)
		reverse(data, io->count, io->bytes);
	for (i = 0; i < 2 && io->piece[i] && !ret; i++) {
		*hole = (struct tpz_hole){ .gpa = io->gpa[i], .write = true };
		ret = tpz_mem_write(v->vm, io->gpa[i], data + done, io->piece[i]);
		done += io->piece[i];
	}
	kfree(data);
	return ret;
}

static enum tpz_next ins(struct tpz_vcpu *v, const struct tpz_exit *x)
{
	struct tpz_pending_io *io = &v->processor->io;
	struct tpz_hole hole;
	u64 gva;
	u32 i;
	int ret;

	ret = find_chunk(v, x, &gva, io);
	if (!ret)
		ret = find_place(v, gva, io, &hole);
	if (ret == -EFAULT)
		return TPZ_RESUME;
	if (ret)
		return tpz_no_memory(v, &hole);
	for (i = 0; i < io->count; i++)
		if (!kernel_port(v, x->io.port, io->bytes, true, v->run_data + i * io->bytes))
			break;
	if (i < io->count) {
		report(v, x, io->count);
		v->io_pending = true;
		return TPZ_TO_USER;
	}
	ret = store(v, io, &hole);
	if (ret)
		return ret == -ENOMEM ? TPZ_NO_MEMORY : tpz_no_memory(v, &hole);
	advance(v, TPZ_RDI, io);
	return TPZ_RESUME;
}

/*
 * tpz_on_io() - INS and OUTS; IN and OUT too, if the fast path passed them on
 */
TPZ_HANDLER(tpz_on_io)
{
	if (!x->io.string)
		return tpz_on_io_fast(v, x);
	if (!counter(v, x)) {
		tpz_skip_insn(v);
		return TPZ_RESUME;
	}
	return x->io.in ? ins(v, x) : outs(v, x);
}

int tpz_io_complete(struct tpz_vcpu *v)
{
	const struct tpz_pending_io *io = &v->processor->io;
	struct tpz_hole hole = {};
	enum tpz_next next;
	u64 value = 0;
	int ret;

	if (!v->io_pending)
		return 0;
	if (!io->string) {
		memcpy(&value, v->run_data, io->bytes);
		finish_in(v, io->bytes, value);
		v->io_pending = false;
		return 0;
	}
	ret = store(v, io, &hole);
	if (ret == -ENOMEM)
		return ret;
	if (ret) {
		/* The slot went away in between. The answer stays wanted: the launcher may put memory there */
		next = tpz_no_memory(v, &hole);
		if (next == TPZ_TO_USER)
			return 1;
		return next == TPZ_NO_MEMORY ? -ENOMEM : -EINTR;	/* the next run commits it again */
	}
	advance(v, TPZ_RDI, io);
	v->io_pending = false;
	return 0;
}
