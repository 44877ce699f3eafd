/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The word that names an event, alike in both vendors' control structures: injected (VM-entry interruption information,
 * EVENTINJ) or cut off (IDT-vectoring information, EXITINTINFO). Intel SDM vol. 3C, 25.8.3; AMD APM vol. 2, 15.20.
 */
#ifndef TPZ_HW_EVENT_H
#define TPZ_HW_EVENT_H

#include "../core.h"

#define TPZ_EVENT_WORD_TYPE_SHIFT	8
#define TPZ_EVENT_WORD_ERROR		BIT(11)
#define TPZ_EVENT_WORD_VALID		BIT(31)

/* @type: the vendor's number; Intel's are TPZ_EVENT_* */
static inline u32 tpz_event_to_word(const struct tpz_event *e, u32 type)
{
	return TPZ_EVENT_WORD_VALID | (e->has_error ? TPZ_EVENT_WORD_ERROR : 0) | type << TPZ_EVENT_WORD_TYPE_SHIFT | e->vector;
}

/* @error: heeded where the word says that there is one. insn_bytes is the caller's affair */
static inline void tpz_event_from_word(struct tpz_event *e, u32 word, u32 error)
{
	*e = (struct tpz_event) {
		.valid = true,
		.vector = word,
		.type = (word >> TPZ_EVENT_WORD_TYPE_SHIFT) & 7,
		.has_error = word & TPZ_EVENT_WORD_ERROR,
		.error = word & TPZ_EVENT_WORD_ERROR ? error : 0,
	};
}

#endif /* TPZ_HW_EVENT_H */
