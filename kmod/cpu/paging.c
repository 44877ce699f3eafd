// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's own page tables, walked by the module when it reads or writes memory on the guest's behalf (SDM vol. 3A,
 * chapter 4). access.c is the user of the walks.
 *
 * All formats are one loop over one table: levels, bytes of an entry, bits of an index. What differs is which bits are
 * reserved, and PAE's first level, which stands in registers and has no permissions.
 */
#include "internal.h"
#include "../mem/mem.h"

#define PTE_P		BIT_ULL(0)
#define PTE_W		BIT_ULL(1)
#define PTE_U		BIT_ULL(2)
#define PTE_A		BIT_ULL(5)
#define PTE_D		BIT_ULL(6)
#define PTE_PS		BIT_ULL(7)	/* above level 1 */
#define PTE_NX		BIT_ULL(63)
#define PTE_PKEY_SHIFT	59

#define ADDRESS_BITS	GENMASK_ULL(51, 12)

/* PDPTEs: bits 2:1, 8:5 and those above the address are reserved (SDM vol. 3A, table 4-8) */
#define PDPTE_RESERVED	0x1e6ULL

struct format {
	unsigned int levels;
	unsigned int entry_bytes;
	unsigned int index_bits;
};

static const struct format two_level = { 2, 4, 10 };
static const struct format pae = { 3, 8, 9 };
static const struct format four_level = { 4, 8, 9 };
static const struct format five_level = { 5, 8, 9 };

static const struct format *format_of(const struct tpz_cpu_state *s)
{
	if (!(s->cr4 & X86_CR4_PAE))
		return &two_level;
	if (!(s->efer & EFER_LMA))
		return &pae;
	return s->cr4 & X86_CR4_LA57 ? &five_level : &four_level;
}

/* One entry on the way down */
struct step {
	u64 gpa;
	u64 entry;
};

struct descent {
	const struct format *f;
	struct step step[5];	/* from the root on */
	unsigned int depth;
	unsigned int level;	/* of the leaf: 1: 4 KiB */
	u64 allowed;		/* PTE_W and PTE_U: of all entries together */
	bool nx;
};

/* ---- reserved bits: SDM vol. 3A, 4.3 to 4.5 */

static u64 above(unsigned int bits)
{
	return bits < 52 ? GENMASK_ULL(51, bits) : 0;
}

static bool is_leaf(const struct tpz_vcpu *v, const struct format *f, unsigned int level, u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	return f != &two_level || (v->s.cr4 & X86_CR4_PSE);
}

static u64 reserved_bits(const struct tpz_vcpu *v, const struct format *f, unsigned int level, u64 entry)
{
	const unsigned int phys = tpz_guest_phys_bits(v);
	u64 reserved;

	if (f == &two_level) {
		/* PSE-36: bits 20:13 of a 4 MiB leaf are address bits 39:32 */
		if (level == 1 || !is_leaf(v, f, level, entry))
			return 0;
		return phys >= 40 ? BIT_ULL(21) : GENMASK_ULL(21, phys > 32 ? phys - 19 : 13);
	}
	reserved = above(phys);
	if (f == &pae)
		reserved |= GENMASK_ULL(62, 52);
	if (!(v->s.efer & EFER_NX))
		reserved |= PTE_NX;
	if (level == 1 || !(entry & PTE_PS))
		return reserved;
	if (level > 3 || (level == 3 && !tpz_guest_has(v, X86_FEATURE_GBPAGES)))
		return reserved | PTE_PS;
	/* A large leaf: the address below its size, but for bit 12 (PAT) */
	return reserved | GENMASK_ULL(level == 3 ? 29 : 20, 13);
}

static u64 leaf_address(const struct format *f, unsigned int level, u64 entry, u64 gva)
{
	u64 base = entry & (f == &two_level ? GENMASK_ULL(31, 12) : ADDRESS_BITS);
	u64 bytes = BIT_ULL(12 + (level - 1) * f->index_bits);

	if (f == &two_level && level == 2)
		base = (entry & GENMASK_ULL(31, 22)) | (entry & GENMASK_ULL(20, 13)) << 19;
	return (base & ~(bytes - 1)) | (gva & (bytes - 1));
}

/* ---- the way down */

static bool pdpte_valid(const struct tpz_vcpu *v, u64 pdpte)
{
	return !(pdpte & (PDPTE_RESERVED | above(tpz_guest_phys_bits(v)) | GENMASK_ULL(63, 52)));
}

/*
 * PAE's first level permits everything. Intel's CPUs read it when CR3 is loaded, and check it then; AMD's read it in each
 * walk under nested paging (APM vol. 2, 15.25.10), where a reserved bit is a #PF as in the other levels. But for A: QEMU's
 * TCG sets it itself.
 */
static int read_pdpte(struct tpz_vcpu *v, u64 gva, u64 *pdpte, struct tpz_walk *w)
{
	const unsigned int i = (u32)gva >> 30;
	const u64 gpa = (v->s.cr3 & TPZ_PDPT_ADDRESS) + i * sizeof(*pdpte);

	*pdpte = v->s.pdpte[i];
	if (tpz_hw->pdptes_in_memory && tpz_mem_read(v->vm, gpa, pdpte, sizeof(*pdpte))) {
		w->gpa = gpa;
		return -ENXIO;
	}
	if (!(*pdpte & PTE_P))
		return -EFAULT;
	if (!tpz_hw->pdptes_in_memory || pdpte_valid(v, *pdpte & ~PTE_A))
		return 0;
	w->pf_error |= X86_PF_PROT | X86_PF_RSVD;
	return -EFAULT;
}

/* The table where the loop of descend() begins, and its level. Return: as descend() */
static int find_root(struct tpz_vcpu *v, const struct format *f, u64 gva, u64 *table, unsigned int *level,
		     struct tpz_walk *w)
{
	*level = f->levels;
	if (f == &pae) {
		--*level;
		return read_pdpte(v, gva, table, w);
	}
	*table = v->s.cr3 & (f == &two_level ? GENMASK_ULL(31, 12) : ADDRESS_BITS);
	return 0;
}

/*
 * descend() - collect the entries from the root to the leaf
 * Return: 0; -EFAULT with w->pf_error: not present or reserved bits; -ENXIO with w->gpa: a table without memory.
 */
static int descend(struct tpz_vcpu *v, u64 gva, struct descent *p, struct tpz_walk *w)
{
	const struct format *f = p->f;
	struct step *step = p->step;
	unsigned int level;
	u64 table;
	int ret = find_root(v, f, gva, &table, &level, w);

	if (ret)
		return ret;
	p->allowed = PTE_W | PTE_U;
	for (;; level--, step++) {
		const unsigned int shift = 12 + (level - 1) * f->index_bits;
		u64 entry = 0;

		step->gpa = (table & ADDRESS_BITS) + ((gva >> shift) & (BIT_ULL(f->index_bits) - 1)) * f->entry_bytes;
		if (tpz_mem_read(v->vm, step->gpa, &entry, f->entry_bytes)) {
			w->gpa = step->gpa;
			return -ENXIO;
		}
		if (!(entry & PTE_P))
			return -EFAULT;
		if (entry & reserved_bits(v, f, level, entry)) {
			w->pf_error |= X86_PF_PROT | X86_PF_RSVD;
			return -EFAULT;
		}
		step->entry = entry;
		p->allowed &= entry;
		p->nx |= !!(entry & PTE_NX);
		if (is_leaf(v, f, level, entry)) {
			p->depth = step - p->step + 1;
			p->level = level;
			w->gpa = leaf_address(f, level, entry, gva);
			w->page_bytes = BIT_ULL(shift);
			return 0;
		}
		table = entry;
	}
}

/* ---- rights: SDM vol. 3A, 4.6 */

static bool key_forbids(struct tpz_vcpu *v, u64 leaf, u32 access, bool user)
{
	const u32 rights = tpz_fpu_pkru(v) >> (leaf >> PTE_PKEY_SHIFT & 15) * 2;

	if (access & X86_PF_INSTR)
		return false;
	if (rights & 1)
		return true;
	return (rights & 2) && (access & X86_PF_WRITE) && (user || (v->s.cr0 & X86_CR0_WP));
}

static bool smap_forbids(struct tpz_vcpu *v, u32 access)
{
	if (!(v->s.cr4 & X86_CR4_SMAP) || (access & X86_PF_INSTR))
		return false;
	return (access & TPZ_ACCESS_IMPLICIT) || !(tpz_rflags(v) & X86_EFLAGS_AC);
}

static bool permitted(struct tpz_vcpu *v, const struct descent *p, u32 access, bool user, u32 *pf_error)
{
	const struct tpz_cpu_state *s = &v->s;
	const bool user_page = p->allowed & PTE_U;

	/* Told also where something else forbids the access, too (SDM vol. 3A, 4.7) */
	if (user_page && (s->efer & EFER_LMA) && (s->cr4 & X86_CR4_PKE) &&
	    key_forbids(v, p->step[p->depth - 1].entry, access, user)) {
		*pf_error |= X86_PF_PK;
		return false;
	}
	if (user && !user_page)
		return false;
	if ((access & X86_PF_WRITE) && !(p->allowed & PTE_W) && (user || (s->cr0 & X86_CR0_WP)))
		return false;
	if ((access & X86_PF_INSTR) && (p->nx || (!user && user_page && (s->cr4 & X86_CR4_SMEP))))
		return false;
	return user || !user_page || !smap_forbids(v, access);
}

/* Accessed in every entry, dirty in the leaf of a write (SDM vol. 3A, 4.8). -EAGAIN: the tables changed under us */
static int mark_used(struct tpz_vcpu *v, const struct descent *p, u32 access, struct tpz_walk *w)
{
	unsigned int i;
	int ret;

	for (i = 0; i < p->depth; i++) {
		const struct step *step = &p->step[i];
		u64 used = step->entry | PTE_A;

		if ((access & X86_PF_WRITE) && i == p->depth - 1)
			used |= PTE_D;
		if (used == step->entry)
			continue;
		ret = tpz_mem_cmpxchg(v->vm, step->gpa, step->entry, used, p->f->entry_bytes);
		if (ret == -EAGAIN)
			return ret;
		if (ret) {
			w->gpa = step->gpa;
			return -ENXIO;
		}
	}
	return 0;
}

static int try_walk(struct tpz_vcpu *v, u64 gva, u32 access, bool user, struct tpz_walk *w)
{
	struct tpz_cpu_state *s = &v->s;
	struct descent p = { .f = format_of(s) };
	int ret;

	w->pf_error = (access & X86_PF_WRITE) | (user ? X86_PF_USER : 0);
	if ((access & X86_PF_INSTR) && ((s->cr4 & X86_CR4_SMEP) || (p.f != &two_level && (s->efer & EFER_NX))))
		w->pf_error |= X86_PF_INSTR;
	ret = descend(v, gva, &p, w);
	if (ret)
		return ret;
	if (!permitted(v, &p, access, user, &w->pf_error)) {
		w->pf_error |= X86_PF_PROT;
		return -EFAULT;
	}
	return mark_used(v, &p, access, w);
}

int tpz_walk_gva(struct tpz_vcpu *v, u64 gva, u32 access, bool user, struct tpz_walk *w)
{
	unsigned int tries;
	int ret;

	tpz_fetch(v, TPZ_P_CR0 | TPZ_P_CR3 | TPZ_P_CR4 | TPZ_P_EFER | TPZ_P_PDPTE);
	if (!(v->s.cr0 & X86_CR0_PG)) {
		w->gpa = (u32)gva;
		w->page_bytes = PAGE_SIZE;
		w->pf_error = 0;
		return 0;
	}
	/* Another vCPU may rewrite the tables as fast as we read them; it must not hold us here for ever */
	for (tries = 0; tries < 100; tries++) {
		ret = try_walk(v, gva, access, user, w);
		if (ret != -EAGAIN)
			return ret;
	}
	return -ENXIO;
}

/* ---- PAE's four entries */

int tpz_load_pdptes(struct tpz_vcpu *v, u64 cr3)
{
	u64 pdpte[4];
	unsigned int i;

	if (tpz_hw->pdptes_in_memory)
		return 0;
	if (tpz_mem_read(v->vm, cr3 & TPZ_PDPT_ADDRESS, pdpte, sizeof(pdpte)))
		return -ENXIO;
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & PTE_P) && !pdpte_valid(v, pdpte[i]))
			return -EINVAL;
	memcpy(v->s.pdpte, pdpte, sizeof(pdpte));
	tpz_dirty(v, TPZ_P_PDPTE);
	return 0;
}

void tpz_get_pdptes(struct tpz_vcpu *v, u64 pdpte[4])
{
	memcpy(pdpte, v->s.pdpte, sizeof(v->s.pdpte));
	if (tpz_hw->pdptes_in_memory &&
	    (!tpz_pae_paging(&v->s) ||
	     tpz_mem_read(v->vm, v->s.cr3 & TPZ_PDPT_ADDRESS, pdpte, sizeof(v->s.pdpte))))
		memset(pdpte, 0, sizeof(v->s.pdpte));
}
