/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the probes of both vendors share: the lines of `tpz info` that tell what the CPU's virtualization can do, a table of
 * each backend, are answered here.
 */
#ifndef TPZ_HW_PROBE_H
#define TPZ_HW_PROBE_H

#include "hw.h"

/**
 * struct tpz_feature_line - one feature of the CPU
 * @name: as `tpz info` shows it
 * @word: index of the capability word that tells of it
 * @bit: in that word
 * @used: by this module, where the CPU has it
 * @gives: what it gives
 */
struct tpz_feature_line {
	const char *name;
	unsigned int word;
	u64 bit;
	bool used;
	const char *gives;
};

/**
 * tpz_feature_answer() - a line's answer on this CPU
 * @line: the line
 * @words: the CPU's capability words
 * @answer: filled in
 */
void tpz_feature_answer(const struct tpz_feature_line *line, const u64 *words, struct tpz_hw_feature *answer);

#endif /* TPZ_HW_PROBE_H */
