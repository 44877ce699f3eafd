/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of cpu/ share among themselves.
 */
#ifndef TPZ_CPU_INTERNAL_H
#define TPZ_CPU_INTERNAL_H

#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include "cpu.h"
#include "decode.h"
#include "emulate.h"

#define TPZ_CPUID_MAX	64
#define XSAVE_AREA_LEGACY_BYTES	576	/* the legacy region and the header */

/**
 * struct tpz_pending_io - an IN or INS that waits for the launcher's data
 * @gpa: INS: where the data goes, found and checked before the launcher was asked. Two pieces if an item crosses pages
 */
struct tpz_pending_io {
	u32 count;
	u8 bytes;
	bool string;
	bool rep;
	bool down;		/* RFLAGS.DF: items follow each other downwards */
	u8 addr_bytes;
	u64 gpa[2];
	u32 piece[2];		/* bytes at each */
};

/**
 * struct tpz_cpuid_table - what the guest's CPUID answers, and what follows from it
 * @entries: sorted by leaf and subleaf
 * @caps: the same answers by the kernel's words of X86_FEATURE_*, for tpz_guest_has()
 */
struct tpz_cpuid_table {
	struct tpz_cpuid_entry entries[TPZ_CPUID_MAX];
	unsigned int count;
	u32 caps[NCAPINTS];
	u32 max_basic;
	u32 phys_bits;
	u32 max_extended;
	bool amd;		/* or Hygon: by AMD's manual where the two differ */
};

/* One access of an emulated instruction: two pieces if it crosses pages */
struct tpz_mmio_access {
	bool write;
	u8 bytes;
	u8 pieces;
	u8 done;		/* bit for each piece */
	struct {
		u64 gpa;
		u64 gva;
		u8 at;		/* where in @data it begins */
		u8 bytes;
	} piece[2];
	u8 data[TPZ_VECTOR_BYTES];
};

#define TPZ_MMIO_ACCESSES	2	/* no instruction of the emulator's has more */

/**
 * struct tpz_mmio - mmio.c: the instruction that is being emulated, and its accesses so far
 * @count: of @access
 * @at: the access that the present pass through the instruction comes to next
 * @wanted: the piece of the last access that the launcher is asked for, or -1
 * @served: a device or the launcher has seen one of the accesses: it must not see it again
 */
struct tpz_mmio {
	struct tpz_insn insn;
	struct tpz_mmio_access access[TPZ_MMIO_ACCESSES];
	u8 count;
	u8 at;
	s8 wanted;
	bool served;
	struct tpz_hole hole;	/* where a pass ended with -ENXIO */
};

/* decode_exit.c: the last instruction that did not fit its trap, and how often it was met in a row */
struct tpz_disagreement {
	u64 rip;
	unsigned int times;
	u8 reason;
	u8 bytes[TPZ_INSN_MAX];
};

/**
 * struct tpz_processor - v->processor: what cpu/ keeps of a vCPU besides v->s
 * @host_pkru: the launcher's, while the guest's FPU state is loaded
 */
struct tpz_processor {
	struct tpz_cpuid_table cpuid;
	u32 host_pkru;
	struct tpz_pending_io io;
	struct tpz_mmio mmio;
	struct tpz_disagreement disagreement;
	struct tpz_exit told;	/* decode=always: what the CPU told of the exit */
};

/* DR6 and DR7, SDM vol. 3B, 17.2.3 and 17.2.4: without RTM and bus-lock detection, which guests do not have */
#define TPZ_DR6_TRAPS		0xfULL		/* B0 to B3 */
#define TPZ_DR6_BD		BIT_ULL(13)
#define TPZ_DR6_BS		BIT_ULL(14)
#define TPZ_DR6_WRITABLE	0xe00fULL
#define TPZ_DR6_FIXED		0xffff0ff0ULL	/* read as 1 */
#define TPZ_DR7_GD		BIT_ULL(13)
#define TPZ_DR7_WRITABLE	0xffff23ffULL
#define TPZ_DR7_FIXED		0x400ULL	/* reads as 1 */

#define TPZ_CANONICAL_TOP	GENMASK_ULL(46, 0)	/* of the lower half. 48 bits: guests have no five-level paging */

static inline bool tpz_canonical(u64 address)
{
	return ((s64)(address << 16) >> 16) == (s64)address;
}

static inline bool tpz_pae_paging(const struct tpz_cpu_state *s)
{
	return (s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !(s->efer & EFER_LMA);
}

/* exception.c */
void tpz_insn_boundary(struct tpz_vcpu *v);
void tpz_insn_done(struct tpz_vcpu *v, u64 rip);	/* and what runs next is at @rip */

/**
 * struct tpz_code - decode_exit.c: the bytes of an instruction, as far as they were fetched
 * @bytes: from RIP on
 * @count: bytes of it
 * @room: how many of the 15 stand within CS's limit, or below the canonical boundary
 */
struct tpz_code {
	u8 bytes[TPZ_INSN_MAX];
	unsigned int count;
	unsigned int room;
};

/**
 * tpz_decode_at_rip() - fetch and decode
 * Return: 0; -ESTALE: no instruction; -EFAULT: the guest's own fault is queued; -ENXIO: @hole. May sleep.
 */
int tpz_decode_at_rip(struct tpz_vcpu *v, struct tpz_insn *insn, struct tpz_code *code, struct tpz_hole *hole);

/* dtable.c: 0; -EFAULT: the guest's own fault is queued; -ENXIO: @hole. ES, DS, FS, GS */
int tpz_load_data_segment(struct tpz_vcpu *v, unsigned int seg, u16 selector, struct tpz_hole *hole);

/* insn.c: TPZ_EXIT_MEMORY for @hole, where tpz_mem_fault() answered @why */
struct tpz_run *tpz_report_memory(struct tpz_vcpu *v, const struct tpz_hole *hole, int why);

/* access.c, paging.c: the second flavour of access to guest memory: not by the current CPL but as the CPU itself does */
#define TPZ_ACCESS_IMPLICIT	BIT(16)	/* descriptor tables: CPL 0, and EFLAGS.AC does not lift SMAP */

bool tpz_segment_permits(struct tpz_vcpu *v, unsigned int seg, u64 offset, unsigned int bytes, bool write);
int tpz_read_system(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole);
int tpz_write_system(struct tpz_vcpu *v, u64 gva, const void *from, size_t bytes, struct tpz_hole *hole);
u64 tpz_segment_address(struct tpz_vcpu *v, unsigned int seg, u64 offset);
u64 tpz_code_address(struct tpz_vcpu *v, unsigned int skip);
int tpz_fetch_code(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole);
int tpz_check_access(struct tpz_vcpu *v, u64 gva, u32 access, struct tpz_walk *w, struct tpz_hole *hole);

#define TPZ_PDPT_ADDRESS	0xffffffe0ULL	/* CR3 in PAE paging */

/* msr.c */
bool tpz_pat_valid(u64 pat);

/* fpu.c */
void tpz_fpu_reset(struct tpz_vcpu *v);
void tpz_fpu_get_vector(struct tpz_vcpu *v, unsigned int reg, u8 value[TPZ_VECTOR_BYTES]);	/* saved; as tpz_emulate_ops */
void tpz_fpu_set_vector(struct tpz_vcpu *v, unsigned int reg, const u8 value[TPZ_VECTOR_BYTES], bool whole);
u32 tpz_fpu_pkru(struct tpz_vcpu *v);
int tpz_fpu_check(const void *area, char *bad, size_t bad_bytes);

/* state_check.c: refuses the first broken rule of a whole state in st->bad_group, st->bad_field */
int tpz_state_check(struct tpz_vcpu *v, struct tpz_state *st);

#endif /* TPZ_CPU_INTERNAL_H */
