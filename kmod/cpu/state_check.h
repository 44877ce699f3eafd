/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of rules on a vCPU's state (state_check*.c): what a rule is, and what it looks at.
 */
#ifndef TPZ_STATE_CHECK_H
#define TPZ_STATE_CHECK_H

#include "internal.h"

/**
 * struct candidate - the state that would result, and questions that many rules ask
 * @seg: the segment that a rule on segments looks at; its number
 */
struct candidate {
	const struct tpz_vcpu *v;
	const struct tpz_state *st;
	const struct tpz_control *c;
	const struct tpz_segment *seg;
	unsigned int n;
	bool long_mode;		/* IA-32e mode is active */
	bool code64;
	bool v86;
	bool protected;
};

/**
 * struct rule - one rule: whom to blame, in which words, and whether it holds
 * @field: NULL: the segment at which the rule looks
 */
struct rule {
	u64 group;
	const char *field;
	const char *text;
	bool (*holds)(const struct candidate *k);
};

#define RULE(name)	static bool name(const struct candidate *k)

/* A list of rules ends with an empty one */
extern const struct rule tpz_segment_rules[];		/* asked once for each segment: k->seg, k->n */
extern const struct rule tpz_segments_rules[];		/* segments together */
extern const struct rule tpz_event_rules[];

static inline const struct tpz_segment *seg_of(const struct candidate *k, unsigned int n)
{
	return &k->st->segments.seg[n];
}

#endif /* TPZ_STATE_CHECK_H */
