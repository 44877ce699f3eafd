// SPDX-License-Identifier: GPL-2.0
/*
 * Frames from the guest: (i) descriptors of three kinds, (ii) out.
 */
#include <poll.h>
#include <string.h>

#include "e1000.h"

#define TURN		64U	/* descriptors and frames, before the lock is free for a moment */
#define DATA_BYTES	0xfffffU
#define DATA_BYTES_OLD	0xffffU

/* ------------------------------------------------------------------ (i) descriptors */

static void set_context(struct e1000 *card, uint64_t offsets, uint64_t word)
{
	struct e1000_context *context = &card->context[!!(word & TXD_SEGMENT)];

	*context = (struct e1000_context){
		.ip = { .start = offsets, .at = offsets >> 8, .end = offsets >> 16 },
		.payload = { .start = offsets >> 32, .at = offsets >> 40, .end = offsets >> 48 },
		.tcp = word & TXD_CONTEXT_TCP,
		.ip4 = word & TXD_CONTEXT_IP4,
		.header_bytes = word >> 40,
		.segment_bytes = word >> 48,
	};
}

/* A buffer's bytes to the frame; what does not fit, or is no memory, spoils it */
static void gather(struct e1000 *card, uint64_t buffer, uint32_t bytes)
{
	struct e1000_frame *frame = &card->out;
	const uint8_t *at = guest_memory_at(card->memory, buffer, bytes);

	if (!at || bytes > sizeof(frame->data) - frame->bytes)
		frame->broken = true;
	if (frame->broken)
		return;
	memcpy(frame->data + frame->bytes, at, bytes);
	frame->bytes += bytes;
}

static void begin_frame(struct e1000_frame *frame, uint64_t word)
{
	bool extended = word & TXD_EXTENDED;

	frame->begun = true;
	frame->broken = frame->complete = false;
	frame->segmented = extended && word & TXD_SEGMENT;
	frame->sums = extended ? word & (TXD_IXSM | TXD_TXSM) : 0;
	frame->bytes = frame->sent = frame->segments = 0;
	frame->ready = NULL;
}

/* The oldest form tells its one checksum in its last descriptor: a context of its own */
static void old_checksum(struct e1000 *card, uint64_t word)
{
	card->out.context = (struct e1000_context){
		.payload = { .start = TXD_CSS(word), .at = TXD_CSO(word) },
		.tcp = true,		/* as it comes out of the sum */
	};
	card->out.sums = TXD_TXSM;
}

static void end_frame(struct e1000 *card, uint64_t word)
{
	struct e1000_frame *frame = &card->out;

	if (word & TXD_EXTENDED)
		frame->context = card->context[frame->segmented];
	else if (word & TXD_CHECKSUM)
		old_checksum(card, word);
	frame->tagged = word & TXD_VLAN && *e1000_reg(card, E1000_CTRL) & CTRL_VME;
	frame->tag = TXD_SPECIAL(word);
	frame->complete = true;
}

static void take_descriptor(struct e1000 *card, uint64_t address, uint64_t word)
{
	struct e1000_frame *frame = &card->out;

	if (word & TXD_EXTENDED && !TXD_TYPE(word)) {
		set_context(card, address, word);
		return;
	}
	if (!frame->begun)
		begin_frame(frame, word);
	gather(card, address, word & (word & TXD_EXTENDED ? DATA_BYTES : DATA_BYTES_OLD));
	if (word & TXD_EOP)
		end_frame(card, word);
}

/* ------------------------------------------------------------------ (ii) out */

/* @return whether all of the frame has gone; false: @budget is used up, or the cable takes no more now */
static bool send_frame(struct e1000 *card, unsigned int *budget)
{
	struct iovec slice;
	int sent;

	while (*budget) {
		if (!e1000_finish_frame(card))
			return true;
		slice = (struct iovec){ card->out.ready, card->out.ready_bytes };
		sent = card->has_cable ? cable_send(card->cable, &slice, 1) : 1;
		if (!sent)
			return false;
		if (sent < 0)
			e1000_pull_cable(card);
		else
			e1000_count(card, slice.iov_base, slice.iov_len, true);
		e1000_next_part(&card->out);
		--*budget;
	}
	return false;
}

bool e1000_transmit(struct e1000 *card, short *wait_for)
{
	unsigned int budget = TURN, left;
	uint32_t causes = 0;

	while (budget && *e1000_reg(card, E1000_TCTL) & TCTL_EN) {
		volatile uint64_t *descriptor = e1000_descriptor(card, E1000_TDBAL, &left);
		uint64_t word;

		if (!descriptor)
			break;
		word = descriptor[1];
		if (!card->out.complete)
			take_descriptor(card, descriptor[0], word);
		if (card->out.complete) {
			if (!send_frame(card, &budget)) {
				if (budget)
					*wait_for |= POLLOUT;
				break;
			}
			card->out.begun = card->out.complete = false;
		}
		if (word & TXD_REPORT) {
			__atomic_store_n((uint8_t *)descriptor + TXD_STATUS, TXD_DONE, __ATOMIC_RELEASE);
			causes |= ICR_TXDW;
		}
		e1000_advance(card, E1000_TDBAL);
		if (left == 1)
			causes |= ICR_TXQE;
		budget -= !!budget;
	}
	if (causes)
		e1000_tell(card, causes);
	return !budget;
}
