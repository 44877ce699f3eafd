// SPDX-License-Identifier: GPL-2.0
/*
 * What the CPU did not tell of a trap, read off the instruction itself: its length and its operands. A CPU with next-RIP
 * saving and decode assists (AMD APM vol. 2, 15.7.1, 15.10) or VMX's exit information needs none of this.
 *
 * The bytes are fetched through the guest's own page tables, by the rules of an instruction fetch. By then they may not
 * be those that trapped: another thread writes, too. So they are believed only where they agree with the trap.
 */
#include <linux/uaccess.h>
#include "internal.h"

DEFINE_STATIC_KEY_FALSE(tpz_decode_always);

/* ---- operands, by reason. Return: 0; -ESTALE: not the instruction that trapped; or as tpz_read_gva() */

typedef int filler(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole);

static void fill_operand(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_operand *op)
{
	*op = (struct tpz_operand){ .bytes = insn->operand_bytes };
	if (!insn->has_memory) {
		op->is_reg = true;
		op->reg = insn->rm;
		return;
	}
	tpz_fetch(v, TPZ_P_RSP);
	op->seg = insn->segment;
	op->addr_bytes = insn->address_bytes;
	op->offset = tpz_effective_address(insn, v->s.gpr, tpz_rip(v));
}

static bool writes_cr(const struct tpz_exit *x)
{
	return x->cr.access != TPZ_MOV_FROM_CR && x->cr.access != TPZ_SMSW;
}

static int fill_mov_cr(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	const u8 access = insn->opcode & 2 ? TPZ_MOV_TO_CR : TPZ_MOV_FROM_CR;
	struct tpz_exit *x = &v->exit;

	/* LOCK makes CR8 of CR0 where CPUID has AltMovCr8 (APM vol. 3, "MOV CRn") */
	if (x->cr.cr != (insn->lock && !insn->reg ? 8 : insn->reg) || writes_cr(x) != (access == TPZ_MOV_TO_CR))
		return -ESTALE;
	x->cr.access = access;
	x->cr.reg = insn->rm;
	return 0;
}

static int fill_clts(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;

	if (x->cr.cr || !writes_cr(x))
		return -ESTALE;
	x->cr.access = TPZ_CLTS;
	return 0;
}

/* The source is 16 bits whatever the operand size */
static int fill_lmsw(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;
	struct tpz_operand op;
	u64 gva;
	int ret;

	if (x->cr.cr || !writes_cr(x))
		return -ESTALE;
	fill_operand(v, insn, &op);
	if (op.is_reg) {
		x->cr.lmsw = tpz_gpr(v, op.reg);
	} else if (pagefault_disabled()) {
		return -ENXIO;		/* the guest's PKRU is known only where its FPU state is saved */
	} else {
		ret = tpz_linear(v, op.seg, op.offset, op.addr_bytes, sizeof(x->cr.lmsw), false, &gva) ?:
		      tpz_read_gva(v, gva, &x->cr.lmsw, sizeof(x->cr.lmsw), hole);
		if (ret)
			return ret;
	}
	x->cr.access = TPZ_LMSW;
	return 0;
}

static int fill_smsw(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;

	if (x->cr.cr || writes_cr(x))
		return -ESTALE;
	fill_operand(v, insn, &x->cr.op);
	x->cr.access = TPZ_SMSW;
	return 0;
}

static int fill_dr(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;

	if (x->dr.dr != insn->reg || x->dr.from != !(insn->opcode & 2))
		return -ESTALE;
	x->dr.reg = insn->rm;
	return 0;
}

/* Port, size, direction and REP are always told */
static int fill_io(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;
	const bool string = insn->opcode < 0x70;

	if (x->io.string != string || x->io.in != !(insn->opcode & 2) || (x->io.bytes == 1) == (insn->opcode & 1))
		return -ESTALE;
	if (string) {
		x->io.seg = x->io.in ? TPZ_ES : insn->segment;
		x->io.addr_bytes = insn->address_bytes;
	}
	return 0;
}

/* 0F 01 /0 to /3, then 0F 00 /0 to /3: in the order of enum tpz_dt_insn */
static int fill_dt(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;

	if (x->dt.insn != (insn->opcode ? TPZ_SGDT : TPZ_SLDT) + (insn->modrm >> 3 & 3))
		return -ESTALE;
	fill_operand(v, insn, &x->dt.op);
	return 0;
}

static int fill_invlpg(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_operand *op = &v->exit.insn.op;

	fill_operand(v, insn, op);
	op->offset = tpz_segment_address(v, op->seg, op->offset);
	return 0;
}

/* INVPCID: the type's register and the descriptor. RDRAND, RDSEED: the destination */
static int fill_insn(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_exit *x = &v->exit;

	fill_operand(v, insn, &x->insn.op);
	x->insn.reg = insn->has_memory ? insn->reg : insn->rm;
	return 0;
}

/*
 * QEMU's TCG reports RDTSCP as RDTSC, and INVD as WBINVD. The instruction decides which it was, for the meters too: the exit
 * has been counted already.
 */
static int fill_reason(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	struct tpz_reason_meter *m = v->m->reason;

	tpz_meters_begin(v->m);
	tpz_add(&m[v->exit.reason].count, -1);
	v->exit.reason = insn->opcode == 0x08 ? TPZ_EXIT_INVD : TPZ_EXIT_RDTSCP;
	tpz_count(&m[v->exit.reason].count);
	tpz_meters_done(v->m);
	return 0;
}

/* INT3, INTO, INT1 */
static int fill_exception(struct tpz_vcpu *v, const struct tpz_insn *insn, struct tpz_hole *hole)
{
	const u8 vector = insn->opcode == 0xcc ? X86_TRAP_BP : insn->opcode == 0xce ? X86_TRAP_OF : X86_TRAP_DB;

	return v->exit.exception.vector == vector ? 0 : -ESTALE;
}

/* ---- the table: which instructions can be behind each reason */

#define ANY_MODRM	0	/* ModRM, if there is one, may be what it likes */
#define MODRM		BIT(0)	/* it is @modrm, whole */
#define DIGIT		BIT(1)	/* its reg member is @modrm */
#define MEMORY		BIT(2)	/* it names memory */
#define REGISTER	BIT(3)	/* it names a register */
#define REP		BIT(4)	/* F3 stands before */
#define REPNE		BIT(5)	/* F2 */
#define OPSIZE		BIT(6)	/* 66h */
#define RING0		BIT(7)	/* privileged: QEMU's TCG looks at some intercepts before it looks at the CPL */

struct form {
	u8 map;
	u8 opcode;
	u8 flags;
	u8 modrm;
	filler *fill;
};

/* Ends with an opcode that no map has */
#define FORMS(...)	((const struct form[]){ __VA_ARGS__, { 0xff } })

#define OF_0F		TPZ_MAP_0F
#define OF_ONE		TPZ_MAP_ONE

/* Where a handler raises #UD or #GP anyway, neither operands nor privilege are of interest */
static const struct form *const forms[TPZ_EXIT_COUNT] = {
	[TPZ_EXIT_EXCEPTION] = FORMS({ OF_ONE, 0xcc, 0, 0, fill_exception },	/* INT3 */
				     { OF_ONE, 0xce, 0, 0, fill_exception },	/* INTO */
				     { OF_ONE, 0xf1, 0, 0, fill_exception }),	/* INT1 */
	[TPZ_EXIT_TASK_SWITCH] = FORMS({ OF_ONE, 0x9a },			/* CALL far, immediate */
				       { OF_ONE, 0xea },			/* JMP far, immediate */
				       { OF_ONE, 0xff, DIGIT | MEMORY, 3 },	/* CALL far */
				       { OF_ONE, 0xff, DIGIT | MEMORY, 5 },	/* JMP far */
				       { OF_ONE, 0xcf }),			/* IRET */
	[TPZ_EXIT_CPUID]     = FORMS({ OF_0F, 0xa2 }),
	[TPZ_EXIT_HLT]	     = FORMS({ OF_ONE, 0xf4, RING0 }),
	[TPZ_EXIT_INVD]	     = FORMS({ OF_0F, 0x08, RING0 }),
	[TPZ_EXIT_WBINVD]    = FORMS({ OF_0F, 0x09, RING0 },			/* with F3: WBNOINVD */
				     { OF_0F, 0x08, RING0, 0, fill_reason }),
	[TPZ_EXIT_INVLPG]    = FORMS({ OF_0F, 0x01, DIGIT | MEMORY | RING0, 7, fill_invlpg }),
	[TPZ_EXIT_INVPCID]   = FORMS({ TPZ_MAP_0F38, 0x82, MEMORY | RING0, 0, fill_insn }),
	[TPZ_EXIT_RDPMC]     = FORMS({ OF_0F, 0x33 }),
	[TPZ_EXIT_RDTSC]     = FORMS({ OF_0F, 0x31 },
				     { OF_0F, 0x01, MODRM, 0xf9, fill_reason }),
	[TPZ_EXIT_RDTSCP]    = FORMS({ OF_0F, 0x01, MODRM, 0xf9 }),
	[TPZ_EXIT_RSM]	     = FORMS({ OF_0F, 0xaa }),
	[TPZ_EXIT_HYPERCALL] = FORMS({ OF_0F, 0x01, MODRM, 0xd9 },		/* VMMCALL */
				     { OF_0F, 0x01, MODRM, 0xc1 }),		/* VMCALL */
	[TPZ_EXIT_VIRT_INSN] = FORMS({ OF_0F, 0x01, MODRM, 0xd8 },		/* VMRUN */
				     { OF_0F, 0x01, MODRM, 0xda },		/* VMLOAD */
				     { OF_0F, 0x01, MODRM, 0xdb },		/* VMSAVE */
				     { OF_0F, 0x01, MODRM, 0xdc },		/* STGI */
				     { OF_0F, 0x01, MODRM, 0xdd },		/* CLGI */
				     { OF_0F, 0x01, MODRM, 0xde },		/* SKINIT */
				     { OF_0F, 0x01, MODRM, 0xdf },		/* INVLPGA */
				     { OF_0F, 0x01, MODRM, 0xc2 },		/* VMLAUNCH */
				     { OF_0F, 0x01, MODRM, 0xc3 },		/* VMRESUME */
				     { OF_0F, 0x01, MODRM, 0xc4 },		/* VMXOFF */
				     { OF_0F, 0x78 },				/* VMREAD */
				     { OF_0F, 0x79 },				/* VMWRITE */
				     { OF_0F, 0xc7, DIGIT | MEMORY, 6 },	/* VMPTRLD, VMCLEAR, VMXON */
				     { OF_0F, 0xc7, DIGIT | MEMORY, 7 },	/* VMPTRST */
				     { TPZ_MAP_0F38, 0x80, MEMORY },		/* INVEPT */
				     { TPZ_MAP_0F38, 0x81, MEMORY }),		/* INVVPID */
	[TPZ_EXIT_CR]	     = FORMS({ OF_0F, 0x20, RING0, 0, fill_mov_cr },
				     { OF_0F, 0x22, RING0, 0, fill_mov_cr },
				     { OF_0F, 0x06, RING0, 0, fill_clts },
				     { OF_0F, 0x01, DIGIT | RING0, 6, fill_lmsw },
				     { OF_0F, 0x01, DIGIT, 4, fill_smsw }),
	[TPZ_EXIT_DR]	     = FORMS({ OF_0F, 0x21, 0, 0, fill_dr },
				     { OF_0F, 0x23, 0, 0, fill_dr }),
	[TPZ_EXIT_IO]	     = FORMS({ OF_ONE, 0x6c, 0, 0, fill_io }, { OF_ONE, 0x6d, 0, 0, fill_io },
				     { OF_ONE, 0x6e, 0, 0, fill_io }, { OF_ONE, 0x6f, 0, 0, fill_io },
				     { OF_ONE, 0xe4, 0, 0, fill_io }, { OF_ONE, 0xe5, 0, 0, fill_io },
				     { OF_ONE, 0xe6, 0, 0, fill_io }, { OF_ONE, 0xe7, 0, 0, fill_io },
				     { OF_ONE, 0xec, 0, 0, fill_io }, { OF_ONE, 0xed, 0, 0, fill_io },
				     { OF_ONE, 0xee, 0, 0, fill_io }, { OF_ONE, 0xef, 0, 0, fill_io }),
	[TPZ_EXIT_MSR_READ]  = FORMS({ OF_0F, 0x32, RING0 }),
	[TPZ_EXIT_MSR_WRITE] = FORMS({ OF_0F, 0x30, RING0 }),
	[TPZ_EXIT_MWAIT]     = FORMS({ OF_0F, 0x01, MODRM, 0xc9 }, { OF_0F, 0x01, MODRM, 0xfb }),
	[TPZ_EXIT_MONITOR]   = FORMS({ OF_0F, 0x01, MODRM, 0xc8 }, { OF_0F, 0x01, MODRM, 0xfa }),
	[TPZ_EXIT_PAUSE]     = FORMS({ OF_ONE, 0x90, REP }),
	[TPZ_EXIT_DT_ACCESS] = FORMS({ OF_0F, 0x01, DIGIT | MEMORY, 0, fill_dt },	/* SGDT */
				     { OF_0F, 0x01, DIGIT | MEMORY, 1, fill_dt },	/* SIDT */
				     { OF_0F, 0x01, DIGIT | MEMORY | RING0, 2, fill_dt },	/* LGDT */
				     { OF_0F, 0x01, DIGIT | MEMORY | RING0, 3, fill_dt },	/* LIDT */
				     { OF_0F, 0x00, DIGIT, 0, fill_dt },		/* SLDT */
				     { OF_0F, 0x00, DIGIT, 1, fill_dt },		/* STR */
				     { OF_0F, 0x00, DIGIT | RING0, 2, fill_dt },		/* LLDT */
				     { OF_0F, 0x00, DIGIT | RING0, 3, fill_dt }),		/* LTR */
	[TPZ_EXIT_XSETBV]    = FORMS({ OF_0F, 0x01, MODRM | RING0, 0xd1 }),
	[TPZ_EXIT_RDRAND]    = FORMS({ OF_0F, 0xc7, DIGIT | REGISTER, 6, fill_insn }),
	[TPZ_EXIT_RDSEED]    = FORMS({ OF_0F, 0xc7, DIGIT | REGISTER, 7, fill_insn }),
	[TPZ_EXIT_XSAVES]    = FORMS({ OF_0F, 0xc7, DIGIT | MEMORY, 5 }, { OF_0F, 0xc7, DIGIT | MEMORY, 3 }),
	[TPZ_EXIT_GETSEC]    = FORMS({ OF_0F, 0x37 }),
	[TPZ_EXIT_ENCLS]     = FORMS({ OF_0F, 0x01, MODRM, 0xcf }, { OF_0F, 0x01, MODRM, 0xc0 }),
	[TPZ_EXIT_VMFUNC]    = FORMS({ OF_0F, 0x01, MODRM, 0xd4 }),
	[TPZ_EXIT_UMWAIT]    = FORMS({ OF_0F, 0xae, DIGIT | REGISTER | REPNE, 6 },
				     { OF_0F, 0xae, DIGIT | REGISTER | OPSIZE, 6 }),
	[TPZ_EXIT_RDPRU]     = FORMS({ OF_0F, 0x01, MODRM, 0xfd }),
	[TPZ_EXIT_MCOMMIT]   = FORMS({ OF_0F, 0x01, MODRM | REP, 0xfa }),
	[TPZ_EXIT_INVLPGB]   = FORMS({ OF_0F, 0x01, MODRM, 0xfe },		/* INVLPGB */
				     { OF_0F, 0x01, MODRM, 0xff }),		/* TLBSYNC */
};

static bool fits(const struct form *f, const struct tpz_insn *insn)
{
	if (insn->encoding != TPZ_LEGACY || f->opcode != insn->opcode || f->map != insn->map)
		return false;
	if (((f->flags & REP) && !insn->rep) || ((f->flags & REPNE) && !insn->repne) ||
	    ((f->flags & OPSIZE) && !insn->opsize))
		return false;
	if (((f->flags & MEMORY) && !insn->has_memory) || ((f->flags & REGISTER) && insn->has_memory))
		return false;
	if (f->flags & MODRM)
		return insn->modrm == f->modrm;
	return !(f->flags & DIGIT) || (insn->modrm >> 3 & 7) == f->modrm;
}

/* ---- the bytes at RIP */

static unsigned int room_in_segment(struct tpz_vcpu *v)
{
	const u64 rip = tpz_rip(v);
	u64 last;

	if (!tpz_long_mode(v))
		last = tpz_seg(v, TPZ_CS)->limit;
	else
		last = (s64)rip < 0 ? ~0ULL : TPZ_CANONICAL_TOP;
	if (rip > last)
		return 0;
	return min_t(u64, last - rip, TPZ_INSN_MAX - 1) + 1;
}

/* What of the instruction's 15 bytes stands in the next page. 0; -EFAULT: the guest's #PF is queued; -ENXIO */
static int fetch_page(struct tpz_vcpu *v, struct tpz_code *code, struct tpz_hole *hole)
{
	const u64 gva = tpz_code_address(v, code->count);
	const unsigned int n = min_t(unsigned int, code->room - code->count, PAGE_SIZE - offset_in_page(gva));
	int ret = n ? tpz_fetch_code(v, gva, code->bytes + code->count, n, hole) : 0;

	if (!ret)
		code->count += n;
	return ret;
}

static enum tpz_decode_mode code_mode(struct tpz_vcpu *v)
{
	if (tpz_long_mode(v))
		return TPZ_DECODE_64;
	return tpz_seg(v, TPZ_CS)->db ? TPZ_DECODE_32 : TPZ_DECODE_16;
}

/* The second page is touched only where the instruction goes on there */
int tpz_decode_at_rip(struct tpz_vcpu *v, struct tpz_insn *insn, struct tpz_code *code, struct tpz_hole *hole)
{
	const enum tpz_decode_mode mode = code_mode(v);
	int ret = -EAGAIN;

	code->count = 0;
	code->room = room_in_segment(v);
	while (ret == -EAGAIN && code->count < code->room) {
		ret = fetch_page(v, code, hole);
		if (ret)
			return ret;
		ret = tpz_decode(insn, code->bytes, code->count, mode);
	}
	if (!ret)
		return 0;
	/* A CPU that runs into the segment's end, or beyond 15 bytes, raises #GP; what it cannot read is #UD, and no trap */
	if (ret == -EINVAL)
		return -ESTALE;
	tpz_queue_exception(v, X86_TRAP_GP, 0);
	return -EFAULT;
}

/* ---- both together */

/*
 * The bytes are not what trapped. If somebody wrote them since, the CPU is right the next time. If they stay the same,
 * this file and the CPU disagree on what they mean, and would for ever.
 */
static void run_again(struct tpz_vcpu *v, const struct tpz_code *code)
{
	struct tpz_disagreement *d = &v->processor->disagreement;
	const u64 rip = tpz_rip(v);

	if (d->rip != rip || d->reason != v->exit.reason || memcmp(d->bytes, code->bytes, code->count)) {
		d->rip = rip;
		d->reason = v->exit.reason;
		memcpy(d->bytes, code->bytes, code->count);
		d->times = 0;
	}
	if (++d->times == 100)
		tpz_vm_kill(v->vm, "exit %u (raw %#llx) at %#llx: %*ph is no instruction that traps so",
			    v->exit.reason, v->exit.raw_reason, rip, code->count, code->bytes);
}

/* Return: as tpz_decode_at_rip() */
static int decode(struct tpz_vcpu *v, struct tpz_code *code, struct tpz_hole *hole)
{
	const struct form *f = forms[v->exit.reason];
	struct tpz_insn insn;
	int ret = tpz_decode_at_rip(v, &insn, code, hole);

	if (ret)
		return ret;
	if (f) {
		while (f->map != 0xff && !fits(f, &insn))
			f++;
		if (f->map == 0xff)
			return -ESTALE;
	}
	if (v->exit.insn_bytes && v->exit.insn_bytes != insn.bytes)
		return -ESTALE;
	if (f && (f->flags & RING0) && tpz_cpl(v)) {
		tpz_queue_exception(v, X86_TRAP_GP, 0);
		return -EFAULT;
	}
	ret = f && f->fill ? f->fill(v, &insn, hole) : 0;
	if (!ret)
		v->exit.insn_bytes = insn.bytes;
	return ret;
}

static bool same_operand(const struct tpz_operand *a, const struct tpz_operand *b)
{
	if (a->is_reg != b->is_reg)
		return false;
	if (a->is_reg)
		return a->reg == b->reg;
	return a->seg == b->seg && a->addr_bytes == b->addr_bytes && a->offset == b->offset;
}

/* decode=always: does what was decoded agree with what the CPU told? */
static bool agrees(const struct tpz_exit *told, const struct tpz_exit *x)
{
	if (told->insn_bytes != x->insn_bytes)
		return false;
	if (told->decode)
		return true;	/* it told the length alone */
	switch (x->reason) {
	case TPZ_EXIT_CR:
		return told->cr.access == x->cr.access && told->cr.reg == x->cr.reg &&
		       (x->cr.access != TPZ_LMSW || told->cr.lmsw == x->cr.lmsw);
	case TPZ_EXIT_DR:
		return told->dr.reg == x->dr.reg;
	case TPZ_EXIT_IO:
		return !x->io.string || (told->io.seg == x->io.seg && told->io.addr_bytes == x->io.addr_bytes);
	case TPZ_EXIT_DT_ACCESS:
		return same_operand(&told->dt.op, &x->dt.op);
	case TPZ_EXIT_INVLPG:
		return told->insn.op.offset == x->insn.op.offset;
	case TPZ_EXIT_INVPCID:
		return told->insn.reg == x->insn.reg && same_operand(&told->insn.op, &x->insn.op);
	case TPZ_EXIT_RDRAND:
	case TPZ_EXIT_RDSEED:
		return told->insn.reg == x->insn.reg;
	}
	return true;
}

static void check_against_cpu(struct tpz_vcpu *v, const struct tpz_code *code, int ret)
{
	const struct tpz_exit *told = &v->processor->told;

	if (!told->insn_bytes || (!ret && agrees(told, &v->exit)))
		return;
	tpz_vm_bug(v->vm, "decode=always: exit %u at %#llx, %*ph: the CPU told %u bytes, decoded were %u, or operands differ (%d)",
		   told->reason, tpz_rip(v), code->count, code->bytes, told->insn_bytes, v->exit.insn_bytes, ret);
}

/* Not those by a task gate: an exception's have no length */
void tpz_decode_anyway(struct tpz_vcpu *v)
{
	struct tpz_exit *x = &v->exit, *told = &v->processor->told;

	told->insn_bytes = 0;
	if (!x->insn_bytes || !forms[x->reason] || (x->reason == TPZ_EXIT_TASK_SWITCH && x->task.source == 3))
		return;
	*told = *x;
	x->insn_bytes = 0;
	x->decode = true;
}

bool tpz_decode_exit(struct tpz_vcpu *v, bool may_sleep, enum tpz_next *answer)
{
	struct tpz_hole hole;
	struct tpz_code code;
	int ret;

	/* All that a walk looks at, at once */
	tpz_fetch(v, TPZ_P_RIP | TPZ_P_RFLAGS | TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER | TPZ_P_PDPTE | TPZ_P_CS |
		  TPZ_P_SS);
	if (!may_sleep)
		pagefault_disable();	/* memory that is not there right now is -ENXIO */
	ret = decode(v, &code, &hole);
	if (!may_sleep)
		pagefault_enable();

	*answer = TPZ_RESUME;
	if (ret == -ENXIO && !may_sleep) {
		*answer = TPZ_SLOW;
		return false;
	}
	if (static_branch_unlikely(&tpz_decode_always))
		check_against_cpu(v, &code, ret);
	v->exit.decode = false;
	if (ret == -ENXIO)
		*answer = tpz_no_memory(v, &hole);
	else if (ret == -ESTALE)
		run_again(v, &code);
	else
		v->processor->disagreement.times = 0;
	return !ret;
}
