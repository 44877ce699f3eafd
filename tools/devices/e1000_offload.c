// SPDX-License-Identifier: GPL-2.0
/*
 * What the card does to a frame on its way out: (i) checksums, (ii) segmentation, (iii) padding and the VLAN's tag.
 * Every offset is the guest's: one that is not in the frame's headers spoils the frame.
 */
#include <string.h>

#include "e1000.h"

static uint16_t get_be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)get_be16(at) << 16 | get_be16(at + 2);
}

static void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

/* ------------------------------------------------------------------ (i) checksums */

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of 16-bit words, in this machine's order of bytes (RFC 1071, 2 (B): it does not matter) */
static uint16_t sum_words(const uint8_t *data, size_t bytes)
{
	uint64_t sum = 0;
	uint32_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), data += sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, data, bytes);
	return fold(sum + word);
}

static void insert_sum(uint8_t *data, size_t bytes, const struct e1000_sum *place, bool zero_is_none)
{
	size_t end = place->end && place->end + 1U < bytes ? place->end + 1U : bytes;
	uint16_t sum;

	if (place->at + 2U > bytes || place->start >= end)
		return;
	sum = ~sum_words(data + place->start, end - place->start);
	if (!sum && zero_is_none)
		sum = 0xffff;
	memcpy(data + place->at, &sum, sizeof(sum));
}

static void insert_sums(struct e1000_frame *frame)
{
	const struct e1000_context *context = &frame->context;

	if (frame->sums & TXD_IXSM)
		insert_sum(frame->ready, frame->ready_bytes, &context->ip, false);
	if (frame->sums & TXD_TXSM)
		insert_sum(frame->ready, frame->ready_bytes, &context->payload, !context->tcp);
}

/* ------------------------------------------------------------------ (ii) segmentation */

#define IP4_LENGTH	2
#define IP4_ID		4
#define IP6_LENGTH	4
#define IP6_HEADER	40
#define TCP_SEQUENCE	4
#define TCP_FLAGS	13
#define TCP_LAST	0x09	/* FIN, PSH */
#define UDP_LENGTH	4

static void fix_ip(struct e1000_frame *frame)
{
	uint8_t *ip = frame->segment + frame->context.ip.start;
	uint32_t bytes = frame->ready_bytes - frame->context.ip.start;

	if (frame->context.ip4) {
		put_be16(ip + IP4_LENGTH, bytes);
		put_be16(ip + IP4_ID, get_be16(ip + IP4_ID) + frame->segments);
	} else {
		put_be16(ip + IP6_LENGTH, bytes - IP6_HEADER);
	}
}

static void fix_payload(struct e1000_frame *frame, bool last)
{
	const struct e1000_context *context = &frame->context;
	uint8_t *header = frame->segment + context->payload.start, *sum = frame->segment + context->payload.at;
	uint32_t bytes = frame->ready_bytes - context->payload.start;

	if (context->tcp) {
		put_be32(header + TCP_SEQUENCE, get_be32(header + TCP_SEQUENCE) + frame->sent);
		if (!last)
			header[TCP_FLAGS] &= ~TCP_LAST;
	} else {
		put_be16(header + UDP_LENGTH, bytes);
	}
	/* The driver put the pseudo-header's sum there, without a length */
	if (frame->sums & TXD_TXSM)
		put_be16(sum, fold((uint64_t)get_be16(sum) + bytes));
}

static bool offsets_ok(const struct e1000_context *context)
{
	unsigned int header = context->header_bytes;

	return header >= ETH_HLEN && context->segment_bytes &&
	       context->ip.start + (context->ip4 ? IP4_ID : IP6_LENGTH) + 2U <= header &&
	       context->payload.start + (context->tcp ? TCP_FLAGS + 1U : UDP_LENGTH + 2U) <= header &&
	       context->payload.at + 2U <= header;
}

/* The next segment of @frame; @return false: there is none */
static bool cut(struct e1000_frame *frame)
{
	const struct e1000_context *context = &frame->context;
	uint32_t header = context->header_bytes, left;

	if (!offsets_ok(context) || frame->bytes < header)
		return false;
	left = frame->bytes - header - frame->sent;
	if (!left)
		return false;
	frame->ready_part = left < context->segment_bytes ? left : context->segment_bytes;
	frame->ready_bytes = header + frame->ready_part;
	memcpy(frame->segment, frame->data, header);
	memcpy(frame->segment + header, frame->data + header + frame->sent, frame->ready_part);
	frame->ready = frame->segment;
	fix_ip(frame);
	fix_payload(frame, frame->ready_part == left);
	return true;
}

/* ------------------------------------------------------------------ (iii) the last of it */

static void pad(struct e1000_frame *frame)
{
	if (frame->ready_bytes < ETH_ZLEN) {
		memset(frame->ready + frame->ready_bytes, 0, ETH_ZLEN - frame->ready_bytes);
		frame->ready_bytes = ETH_ZLEN;
	}
}

/* Between addresses and type */
static bool insert_tag(struct e1000_frame *frame, uint16_t type)
{
	uint8_t *at = frame->ready + 2 * ETH_ALEN;

	if (frame->ready_bytes + 4 > E1000_FRAME_MAX)
		return false;
	memmove(at + 4, at, frame->ready_bytes - 2 * ETH_ALEN);
	put_be16(at, type);
	put_be16(at + 2, frame->tag);
	frame->ready_bytes += 4;
	return true;
}

void e1000_next_part(struct e1000_frame *frame)
{
	frame->sent += frame->ready_part;
	frame->segments++;
	frame->ready = NULL;
}

bool e1000_finish_frame(struct e1000 *card)
{
	struct e1000_frame *frame = &card->out;

	if (frame->ready)
		return true;		/* the cable had no room for it */
	if (frame->broken)
		return false;
	if (frame->segmented) {
		if (!cut(frame))
			return false;
		if (!frame->segments)
			++*e1000_reg(card, E1000_TSCTC);
	} else {
		if (frame->sent)
			return false;
		frame->ready = frame->data;
		frame->ready_part = frame->ready_bytes = frame->bytes;
	}
	if (frame->ready_bytes < ETH_HLEN) {	/* no frame, and no place for a tag */
		frame->ready = NULL;
		return false;
	}
	insert_sums(frame);
	if (*e1000_reg(card, E1000_TCTL) & TCTL_PSP)
		pad(frame);
	if (frame->tagged && !insert_tag(frame, *e1000_reg(card, E1000_VET)))
		frame->ready = NULL;
	return frame->ready;
}
