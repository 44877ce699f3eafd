// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes of guest memory as an instruction of the guest makes them: segmentation (SDM vol. 3A, chapter 5), then
 * the page tables (paging.c), then memory. What the guest's own rules forbid becomes the guest's own exception.
 */
#include "internal.h"
#include "../mem/mem.h"

/* ---- segmentation */

/* SDM vol. 3A, 5.3 */
static bool within_limit(const struct tpz_segment *s, u64 offset, unsigned int bytes)
{
	const u64 last = offset + bytes - 1;
	const bool expands_down = s->s && !(s->type & 8) && (s->type & 4);

	if (expands_down)
		return offset > s->limit && last <= (s->db ? 0xffffffffULL : 0xffffULL);
	return last <= s->limit;
}

/* SDM vol. 3A, 5.5: code is never written, and read only if it says so; data is written only if it says so */
static bool type_permits(struct tpz_vcpu *v, const struct tpz_segment *s, bool write)
{
	tpz_fetch(v, TPZ_P_CR0);
	if (!(v->s.cr0 & X86_CR0_PE) || (tpz_rflags(v) & X86_EFLAGS_VM))
		return true;
	if (s->unusable || !s->present)
		return false;
	if (write)
		return !(s->type & 8) && (s->type & 2);
	return !(s->type & 8) || (s->type & 2);
}

/* Base and offset, unchecked. 64-bit code has bases in FS and GS alone */
u64 tpz_segment_address(struct tpz_vcpu *v, unsigned int seg, u64 offset)
{
	const u64 base = tpz_seg(v, seg)->base;

	if (!tpz_long_mode(v))
		return (u32)(base + offset);
	return seg == TPZ_FS || seg == TPZ_GS ? base + offset : offset;
}

/* Would the segment let an access pass? Raises nothing */
bool tpz_segment_permits(struct tpz_vcpu *v, unsigned int seg, u64 offset, unsigned int bytes, bool write)
{
	const struct tpz_segment *s = tpz_seg(v, seg);
	u64 gva;

	if (!tpz_long_mode(v))
		return type_permits(v, s, write) && within_limit(s, offset, bytes);
	gva = tpz_segment_address(v, seg, offset);
	return tpz_canonical(gva) && tpz_canonical(gva + bytes - 1);
}

int tpz_linear(struct tpz_vcpu *v, unsigned int seg, u64 offset, unsigned int addr_bytes, unsigned int bytes,
	       bool write, u64 *gva)
{
	offset &= tpz_addr_mask(addr_bytes);
	if (!tpz_segment_permits(v, seg, offset, bytes, write)) {
		tpz_queue_exception(v, seg == TPZ_SS ? X86_TRAP_SS : X86_TRAP_GP, 0);
		return -EFAULT;
	}
	*gva = tpz_segment_address(v, seg, offset);
	return 0;
}

/* ---- access */

static int translate(struct tpz_vcpu *v, u64 gva, u32 kind, bool user, struct tpz_walk *w, struct tpz_hole *hole)
{
	const int ret = tpz_walk_gva(v, gva, kind, user, w);

	if (ret == -EFAULT)
		tpz_queue_page_fault(v, gva, w->pf_error);
	if (ret == -ENXIO)
		*hole = (struct tpz_hole){ .gpa = w->gpa, .gva = gva, .gva_valid = true, .page_walk = true };
	return ret;
}

static int access(struct tpz_vcpu *v, u64 gva, void *buffer, size_t bytes, u32 kind, bool user, struct tpz_hole *hole)
{
	const bool wraps = !tpz_long_mode(v);
	const bool write = kind & X86_PF_WRITE;
	struct tpz_walk w;
	int ret;

	while (bytes) {
		const size_t n = min_t(size_t, bytes, PAGE_SIZE - offset_in_page(gva));

		ret = translate(v, gva, kind, user, &w, hole);
		if (ret)
			return ret;
		if (write ? tpz_mem_write(v->vm, w.gpa, buffer, n) : tpz_mem_read(v->vm, w.gpa, buffer, n)) {
			*hole = (struct tpz_hole){ .gpa = w.gpa, .gva = gva, .gva_valid = true, .write = write };
			return -ENXIO;
		}
		buffer += n;
		bytes -= n;
		gva += n;
		if (wraps)
			gva = (u32)gva;
	}
	return 0;
}

int tpz_read_gva(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole)
{
	return access(v, gva, to, bytes, TPZ_ACCESS_READ, tpz_cpl(v) == 3, hole);
}

/* May the current privilege level read or write at @gva? As tpz_read_gva() and tpz_write_gva(), but memory is left alone */
int tpz_check_access(struct tpz_vcpu *v, u64 gva, u32 access, struct tpz_walk *w, struct tpz_hole *hole)
{
	return translate(v, gva, access, tpz_cpl(v) == 3, w, hole);
}

int tpz_write_gva(struct tpz_vcpu *v, u64 gva, const void *from, size_t bytes, struct tpz_hole *hole)
{
	u64 second = (gva | ~PAGE_MASK) + 1;
	struct tpz_walk w;
	int ret;

	/* Nothing is written unless all can be: both pages of a crossing access are looked at first */
	if (offset_in_page(gva) + bytes > PAGE_SIZE) {
		if (!tpz_long_mode(v))
			second = (u32)second;
		ret = tpz_check_access(v, gva, TPZ_ACCESS_WRITE, &w, hole) ?:
		      tpz_check_access(v, second, TPZ_ACCESS_WRITE, &w, hole);
		if (ret)
			return ret;
	}
	return access(v, gva, (void *)from, bytes, TPZ_ACCESS_WRITE, tpz_cpl(v) == 3, hole);
}

/* Descriptor tables: as ring 0, whatever runs */
int tpz_read_system(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole)
{
	return access(v, gva, to, bytes, TPZ_ACCESS_READ | TPZ_ACCESS_IMPLICIT, false, hole);
}

int tpz_write_system(struct tpz_vcpu *v, u64 gva, const void *from, size_t bytes, struct tpz_hole *hole)
{
	return access(v, gva, (void *)from, bytes, TPZ_ACCESS_WRITE | TPZ_ACCESS_IMPLICIT, false, hole);
}

/* ---- code */

/* The linear address of the byte @skip bytes behind RIP */
u64 tpz_code_address(struct tpz_vcpu *v, unsigned int skip)
{
	return tpz_segment_address(v, TPZ_CS, tpz_rip(v) + skip);
}

/* As tpz_read_gva(), by the rules of an instruction fetch. The segment's limit is the caller's affair */
int tpz_fetch_code(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole)
{
	return access(v, gva, to, bytes, TPZ_ACCESS_FETCH, tpz_cpl(v) == 3, hole);
}
