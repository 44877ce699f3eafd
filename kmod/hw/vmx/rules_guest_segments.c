// SPDX-License-Identifier: GPL-2.0
/* SDM 29.3.1.2, "Checks on Guest Segment Registers". @seg is one of VMCS_SEG_*. */

#include "rules_helpers.h"

#define SEGMENTS "29.3.1.2 Checks on Guest Segment Registers"

static u32 selector(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return get(ctx, VMCS_GUEST_SELECTOR(seg));
}

static u32 rpl(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return selector(ctx, seg) & 3;
}

static u64 base(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return get(ctx, VMCS_GUEST_BASE(seg));
}

static u32 limit(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return get(ctx, VMCS_GUEST_LIMIT(seg));
}

static u32 rights(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return get(ctx, VMCS_GUEST_ACCESS_RIGHTS(seg));
}

static u32 type(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return rights(ctx, seg) & VMCS_AR_TYPE;
}

static u32 dpl(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return (rights(ctx, seg) & VMCS_AR_DPL) >> VMCS_AR_DPL_SHIFT;
}

static bool usable(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return !(rights(ctx, seg) & VMCS_AR_UNUSABLE);
}

static bool virtual_8086(const struct tpz_rule_ctx *ctx)
{
	return get(ctx, VMCS_GUEST_RFLAGS) & X86_EFLAGS_VM;
}

/* Are the access rights' parts judged one by one? TR's always, CS's even if it is unusable. */
static bool judged(const struct tpz_rule_ctx *ctx, u32 seg)
{
	switch (seg) {
	case VMCS_SEG_TR:
		return true;
	case VMCS_SEG_LDTR:
		return usable(ctx, seg);
	case VMCS_SEG_CS:
		return !virtual_8086(ctx);
	default:
		return !virtual_8086(ctx) && usable(ctx, seg);
	}
}

/*
 * Selectors and base addresses
 */

static bool selector_in_gdt(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), !(selector(ctx, seg) & 4));
}

static bool ss_rpl_is_cs_rpl(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(!virtual_8086(ctx) && !unrestricted(ctx),
		       rpl(ctx, VMCS_SEG_SS) == rpl(ctx, VMCS_SEG_CS));
}

static bool v8086_base(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(virtual_8086(ctx), base(ctx, seg) == (u64)selector(ctx, seg) << 4);
}

static bool canonical_base(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return is_canonical(ctx, base(ctx, seg));
}

static bool canonical_base_if_usable(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(usable(ctx, seg), canonical_base(ctx, seg));
}

static bool short_base(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(seg == VMCS_SEG_CS || usable(ctx, seg), !(base(ctx, seg) >> 32));
}

static bool v8086_limit(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(virtual_8086(ctx), limit(ctx, seg) == 0xffff);
}

static bool v8086_rights(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(virtual_8086(ctx), rights(ctx, seg) == 0xf3);
}

/*
 * Types. An accessed data segment that can be written and expands up is type 3.
 */

#define TYPE_DATA		(VMCS_AR_TYPE_ACCESSED | VMCS_AR_TYPE_WRITABLE)
/* and code, that may be readable in addition */
#define TYPE_CODE		(VMCS_AR_TYPE_ACCESSED | VMCS_AR_TYPE_CODE)
#define TYPE_CODE_CONFORMING	(TYPE_CODE | VMCS_AR_TYPE_CONFORMING)

static bool is_code(u32 type)
{
	return (type & ~VMCS_AR_TYPE_READABLE) == TYPE_CODE;
}

static bool is_conforming_code(u32 type)
{
	return (type & ~VMCS_AR_TYPE_READABLE) == TYPE_CODE_CONFORMING;
}

static bool cs_type(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg),
		       is_code(type(ctx, seg)) || is_conforming_code(type(ctx, seg)) ||
		       (type(ctx, seg) == TYPE_DATA && unrestricted(ctx)));
}

static bool ss_type(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), (type(ctx, seg) & ~VMCS_AR_TYPE_EXPAND_DOWN) == TYPE_DATA);
}

static bool accessed(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), type(ctx, seg) & VMCS_AR_TYPE_ACCESSED);
}

static bool readable(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && (type(ctx, seg) & VMCS_AR_TYPE_CODE),
		       type(ctx, seg) & VMCS_AR_TYPE_READABLE);
}

static bool code_or_data(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), rights(ctx, seg) & VMCS_AR_S);
}

static bool system_segment(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), !(rights(ctx, seg) & VMCS_AR_S));
}

static bool tr_type(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return type(ctx, seg) == VMCS_AR_TYPE_BUSY_TSS ||
	       (type(ctx, seg) == VMCS_AR_TYPE_BUSY_TSS_16 && !ia32e_guest(ctx));
}

static bool ldtr_type(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), type(ctx, seg) == VMCS_AR_TYPE_LDT);
}

/*
 * Privilege levels. SS.DPL is the guest's current one.
 */

static bool cs_dpl_data(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && type(ctx, seg) == TYPE_DATA, !dpl(ctx, seg));
}

static bool cs_dpl_code(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && is_code(type(ctx, seg)),
		       dpl(ctx, seg) == dpl(ctx, VMCS_SEG_SS));
}

static bool cs_dpl_conforming(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && is_conforming_code(type(ctx, seg)),
		       dpl(ctx, seg) <= dpl(ctx, VMCS_SEG_SS));
}

static bool ss_dpl_is_rpl(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(!virtual_8086(ctx) && !unrestricted(ctx), dpl(ctx, seg) == rpl(ctx, seg));
}

static bool ss_dpl_real_mode(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(!virtual_8086(ctx) &&
		       (type(ctx, VMCS_SEG_CS) == TYPE_DATA ||
			!(get(ctx, VMCS_GUEST_CR0) & X86_CR0_PE)),
		       !dpl(ctx, seg));
}

static bool fred_guest(const struct tpz_rule_ctx *ctx)
{
	return !virtual_8086(ctx) && (get(ctx, VMCS_GUEST_CR4) & CR4_FRED);
}

static bool ss_dpl_fred(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(fred_guest(ctx), dpl(ctx, seg) == 0 || dpl(ctx, seg) == 3);
}

static bool ss_fred_kernel(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(fred_guest(ctx) && dpl(ctx, seg) == 0, rights(ctx, VMCS_SEG_CS) & VMCS_AR_L);
}

static bool ss_fred_user(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(fred_guest(ctx) && dpl(ctx, seg) == 3,
		       !(get(ctx, VMCS_GUEST_RFLAGS) & X86_EFLAGS_IOPL) &&
		       !(get(ctx, VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_STI));
}

static bool data_dpl(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && !unrestricted(ctx) && type(ctx, seg) <= 11,
		       dpl(ctx, seg) >= rpl(ctx, seg));
}

/*
 * The other bits
 */

static bool present(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), rights(ctx, seg) & VMCS_AR_P);
}

static bool reserved_low(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), !(rights(ctx, seg) & VMCS_AR_RESERVED_LOW));
}

static bool reserved_high(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg), !(rights(ctx, seg) & VMCS_AR_RESERVED_HIGH));
}

static bool cs_long_or_default(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && ia32e_guest(ctx) && (rights(ctx, seg) & VMCS_AR_L),
		       !(rights(ctx, seg) & VMCS_AR_DB));
}

/* A limit counted in pages ends with a whole page. */
static bool granularity_pages(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && (rights(ctx, seg) & VMCS_AR_G),
		       (limit(ctx, seg) & 0xfff) == 0xfff);
}

/* A limit counted in bytes has 20 bits. */
static bool granularity_bytes(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return implies(judged(ctx, seg) && !(rights(ctx, seg) & VMCS_AR_G),
		       !(limit(ctx, seg) >> 20));
}

static bool tr_usable(const struct tpz_rule_ctx *ctx, u32 seg)
{
	return usable(ctx, seg);
}

/*
 * Rows: one or two fields of a segment, named by the last part of VMCS_GUEST_<segment>_<field>.
 * EACH_*() repeats a row for several segments, in the SDM's order.
 */
#define SEG(_SEG, _seg, _what, _holds, _must, _FIELD)					\
	RULE_FOR(VMCS_SEG_##_SEG, "guest-" _seg "-" _what, SEGMENTS, _holds, _must,	\
		 VMCS_GUEST_##_SEG##_##_FIELD)
#define SEG2(_SEG, _seg, _what, _holds, _must, _FIELD, _FIELD2)				\
	RULE_FOR(VMCS_SEG_##_SEG, "guest-" _seg "-" _what, SEGMENTS, _holds, _must,	\
		 VMCS_GUEST_##_SEG##_##_FIELD, VMCS_GUEST_##_SEG##_##_FIELD2)

#define EACH_DATA(row, ...)								\
	row(DS, "ds", __VA_ARGS__), row(ES, "es", __VA_ARGS__),				\
	row(FS, "fs", __VA_ARGS__), row(GS, "gs", __VA_ARGS__)
#define EACH_CODE_DATA(row, ...)							\
	row(CS, "cs", __VA_ARGS__), row(SS, "ss", __VA_ARGS__), EACH_DATA(row, __VA_ARGS__)

/* What holds for the system segments TR and LDTR alike, after their types */
#define SYSTEM(_SEG, _seg)								\
	SEG(_SEG, _seg, "s", system_segment, "S must be 0", ACCESS_RIGHTS),		\
	SEG(_SEG, _seg, "present", present, "P must be 1", ACCESS_RIGHTS),		\
	SEG(_SEG, _seg, "reserved-low", reserved_low, "bits 11:8 must be 0",		\
	    ACCESS_RIGHTS),								\
	SEG2(_SEG, _seg, "granularity-pages", granularity_pages,			\
	     "G must be 0 unless bits 11:0 of the limit are all 1", ACCESS_RIGHTS, LIMIT),	\
	SEG2(_SEG, _seg, "granularity-bytes", granularity_bytes,			\
	     "G must be 1 if bits 31:20 of the limit are not all 0", ACCESS_RIGHTS, LIMIT)

static const struct tpz_rule segment_rules[] = {
	SEG(TR, "tr", "ti", selector_in_gdt, "TI must be 0", SELECTOR),
	SEG(LDTR, "ldtr", "ti", selector_in_gdt, "TI must be 0", SELECTOR),
	RULE_FOR(VMCS_SEG_SS, "guest-ss-rpl", SEGMENTS, ss_rpl_is_cs_rpl,
		 "SS.RPL must equal CS.RPL",
		 VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_CS_SELECTOR),

	EACH_CODE_DATA(SEG2, "v8086-base", v8086_base,
		       "must be the selector times 16 in virtual-8086 mode", BASE, SELECTOR),
	SEG(TR, "tr", "base", canonical_base, "must be canonical", BASE),
	SEG(FS, "fs", "base", canonical_base, "must be canonical", BASE),
	SEG(GS, "gs", "base", canonical_base, "must be canonical", BASE),
	SEG(LDTR, "ldtr", "base", canonical_base_if_usable, "must be canonical", BASE),
	SEG(CS, "cs", "base", short_base, "bits 63:32 must be 0", BASE),
	SEG(SS, "ss", "base", short_base, "bits 63:32 must be 0", BASE),
	SEG(DS, "ds", "base", short_base, "bits 63:32 must be 0", BASE),
	SEG(ES, "es", "base", short_base, "bits 63:32 must be 0", BASE),

	EACH_CODE_DATA(SEG, "v8086-limit", v8086_limit,
		       "must be 0xffff in virtual-8086 mode", LIMIT),
	EACH_CODE_DATA(SEG, "v8086-rights", v8086_rights,
		       "must be 0xf3 in virtual-8086 mode", ACCESS_RIGHTS),

	RULE_FOR(VMCS_SEG_CS, "guest-cs-type", SEGMENTS, cs_type,
		 "the type must be accessed code: 9, 11, 13, 15 (or 3 in an unrestricted guest)",
		 VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_SECONDARY_CONTROLS),
	SEG(SS, "ss", "type", ss_type,
	    "the type must be accessed, writable data: 3 or 7", ACCESS_RIGHTS),
	EACH_DATA(SEG, "type-accessed", accessed, "the type must be accessed", ACCESS_RIGHTS),
	EACH_DATA(SEG, "type-readable", readable,
		  "a code segment must be readable", ACCESS_RIGHTS),
	EACH_CODE_DATA(SEG, "s", code_or_data, "S must be 1", ACCESS_RIGHTS),

	RULE_FOR(VMCS_SEG_CS, "guest-cs-dpl-data", SEGMENTS, cs_dpl_data,
		 "DPL must be 0 for type 3",
		 VMCS_GUEST_CS_ACCESS_RIGHTS),
	RULE_FOR(VMCS_SEG_CS, "guest-cs-dpl-code", SEGMENTS, cs_dpl_code,
		 "DPL must equal SS.DPL for non-conforming code",
		 VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_GUEST_SS_ACCESS_RIGHTS),
	RULE_FOR(VMCS_SEG_CS, "guest-cs-dpl-conforming", SEGMENTS, cs_dpl_conforming,
		 "DPL must be at most SS.DPL for conforming code",
		 VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_GUEST_SS_ACCESS_RIGHTS),
	SEG2(SS, "ss", "dpl-rpl", ss_dpl_is_rpl,
	     "DPL must equal RPL unless the guest is unrestricted", ACCESS_RIGHTS, SELECTOR),
	RULE_FOR(VMCS_SEG_SS, "guest-ss-dpl-real-mode", SEGMENTS, ss_dpl_real_mode,
		 "DPL must be 0 if CR0.PE is 0 or CS is of type 3",
		 VMCS_GUEST_SS_ACCESS_RIGHTS, VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_GUEST_CR0),
	RULE_FOR(VMCS_SEG_SS, "guest-ss-dpl-fred", SEGMENTS, ss_dpl_fred,
		 "DPL must be 0 or 3 with CR4.FRED",
		 VMCS_GUEST_SS_ACCESS_RIGHTS, VMCS_GUEST_CR4),
	RULE_FOR(VMCS_SEG_SS, "guest-ss-fred-kernel", SEGMENTS, ss_fred_kernel,
		 "CS.L must be 1 at privilege level 0 with CR4.FRED",
		 VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_GUEST_SS_ACCESS_RIGHTS, VMCS_GUEST_CR4),
	RULE_FOR(VMCS_SEG_SS, "guest-ss-fred-user", SEGMENTS, ss_fred_user,
		 "IOPL and blocking by STI must be 0 at privilege level 3 with CR4.FRED",
		 VMCS_GUEST_RFLAGS, VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_SS_ACCESS_RIGHTS,
		 VMCS_GUEST_CR4),
	EACH_DATA(SEG2, "dpl", data_dpl,
		  "DPL must be at least RPL unless the guest is unrestricted",
		  ACCESS_RIGHTS, SELECTOR),

	EACH_CODE_DATA(SEG, "present", present, "P must be 1", ACCESS_RIGHTS),
	EACH_CODE_DATA(SEG, "reserved-low", reserved_low, "bits 11:8 must be 0", ACCESS_RIGHTS),
	RULE_FOR(VMCS_SEG_CS, "guest-cs-db", SEGMENTS, cs_long_or_default,
		 "D/B must be 0 for 64-bit code (L is 1)",
		 VMCS_GUEST_CS_ACCESS_RIGHTS, VMCS_ENTRY_CONTROLS),
	EACH_CODE_DATA(SEG2, "granularity-pages", granularity_pages,
		       "G must be 0 unless bits 11:0 of the limit are all 1",
		       ACCESS_RIGHTS, LIMIT),
	EACH_CODE_DATA(SEG2, "granularity-bytes", granularity_bytes,
		       "G must be 1 if bits 31:20 of the limit are not all 0",
		       ACCESS_RIGHTS, LIMIT),
	EACH_CODE_DATA(SEG, "reserved-high", reserved_high,
		       "bits 31:17 must be 0", ACCESS_RIGHTS),

	RULE_FOR(VMCS_SEG_TR, "guest-tr-type", SEGMENTS, tr_type,
		 "the type must be a busy TSS: 11 (or 3 outside IA-32e mode)",
		 VMCS_GUEST_TR_ACCESS_RIGHTS, VMCS_ENTRY_CONTROLS),
	SYSTEM(TR, "tr"),
	SEG(TR, "tr", "usable", tr_usable, "must not be unusable", ACCESS_RIGHTS),
	SEG(TR, "tr", "reserved-high", reserved_high, "bits 31:17 must be 0", ACCESS_RIGHTS),

	SEG(LDTR, "ldtr", "type", ldtr_type, "the type must be an LDT: 2", ACCESS_RIGHTS),
	SYSTEM(LDTR, "ldtr"),
	SEG(LDTR, "ldtr", "reserved-high", reserved_high, "bits 31:17 must be 0", ACCESS_RIGHTS),
};

const struct tpz_rule_table vmx_guest_segment_rules = RULE_TABLE(segment_rules);
