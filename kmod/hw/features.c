// SPDX-License-Identifier: GPL-2.0
/* The lines of `tpz info`: see features.h. */
#include "features.h"

void tpz_feature_answer(const struct tpz_feature_line *line, const u64 *words, struct tpz_hw_feature *answer)
{
	answer->name = line->name;
	answer->why = line->gives;
	if (!(words[line->word] & line->bit)) {
		answer->state = TPZ_FEATURE_ABSENT;
		answer->why = "this CPU does not have it";
	} else {
		answer->state = line->used ? TPZ_FEATURE_PRESENT : TPZ_FEATURE_UNUSED;
	}
}
