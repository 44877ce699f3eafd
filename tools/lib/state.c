// SPDX-License-Identifier: GPL-2.0
/*
 * Whole processor modes: what a launcher would otherwise write out field by field.
 */
#include <string.h>

#include "trapeze.h"

#define CR0_PE		(1ULL << 0)
#define CR0_ET		(1ULL << 4)
#define CR0_PG		(1ULL << 31)
#define CR4_PAE		(1ULL << 5)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)

#define RFLAGS_ONE	(1ULL << 1)	/* the bit that is always set */

/* Types of segments, all accessed */
#define TYPE_DATA	0x3		/* read, write */
#define TYPE_CODE	0xb		/* execute, read */
#define TYPE_LDT	0x2
#define TYPE_TSS_BUSY	0xb		/* in real mode too: VM entry takes no other there */

static void clear_mode(struct tpz_state *state, uint64_t rip)
{
	uint64_t xcr0 = state->control.xcr0;

	memset(&state->regs, 0, sizeof(state->regs));
	memset(&state->segments, 0, sizeof(state->segments));
	memset(&state->control, 0, sizeof(state->control));
	state->control.xcr0 = xcr0;
	state->regs.rip = rip;
	state->regs.rflags = RFLAGS_ONE;

	state->segments.seg[TPZ_LDTR] = (struct tpz_segment){ .type = TYPE_LDT, .unusable = 1 };
	state->segments.seg[TPZ_TR] = (struct tpz_segment){
		.limit = 0x67, .type = TYPE_TSS_BUSY, .present = 1,
	};
}

static void set_flat_segments(struct tpz_state *state, uint16_t cs, uint16_t ds, int long_mode)
{
	const struct tpz_segment data = {
		.selector = ds, .limit = 0xffffffff, .type = TYPE_DATA, .s = 1, .present = 1, .db = 1, .g = 1,
	};
	struct tpz_segment code = data;

	code.selector = cs;
	code.type = TYPE_CODE;
	code.l = long_mode;
	code.db = !long_mode;
	for (int i = TPZ_ES; i <= TPZ_GS; i++)
		state->segments.seg[i] = i == TPZ_CS ? code : data;
}

void tpz_state_real(struct tpz_state *state, uint16_t cs, uint16_t ip)
{
	const struct tpz_segment data = { .limit = 0xffff, .type = TYPE_DATA, .s = 1, .present = 1 };
	struct tpz_segment *seg = state->segments.seg;

	clear_mode(state, ip);
	for (int i = TPZ_ES; i <= TPZ_GS; i++)
		seg[i] = data;
	seg[TPZ_CS].type = TYPE_CODE;
	seg[TPZ_CS].selector = cs;
	seg[TPZ_CS].base = (uint32_t)cs << 4;
	seg[TPZ_TR].limit = 0xffff;
	state->segments.gdtr.limit = 0xffff;
	state->segments.idtr.limit = 0xffff;
	state->control.cr0 = CR0_ET;
}

void tpz_state_protected(struct tpz_state *state, uint16_t cs, uint16_t ds, uint32_t eip)
{
	clear_mode(state, eip);
	set_flat_segments(state, cs, ds, 0);
	state->control.cr0 = CR0_PE | CR0_ET;
}

void tpz_state_long(struct tpz_state *state, uint16_t cs, uint16_t ds, uint64_t rip, uint64_t cr3)
{
	clear_mode(state, rip);
	set_flat_segments(state, cs, ds, 1);
	state->control.cr0 = CR0_PE | CR0_ET | CR0_PG;
	state->control.cr3 = cr3;
	state->control.cr4 = CR4_PAE;
	state->control.efer = EFER_LME | EFER_LMA;
}
