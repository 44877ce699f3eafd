// SPDX-License-Identifier: GPL-2.0
/*
 * Frames to the guest: (i) whether the driver wants them, (ii) into its buffers.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>

#include "e1000.h"

#define TURN		64U
#define LONGEST		(ETH_FRAME_LEN + 4)	/* with a tag; without RCTL_LPE */
#define LONGEST_LPE	(16384 - ETH_FCS_LEN)
#define TAG_BYTES	4

/* ------------------------------------------------------------------ (i) filters */

/* The table's hash: 12 of the address's last 16 bits */
static bool in_multicast_table(struct e1000 *card, const uint8_t *address)
{
	static const uint8_t shift[] = { 4, 3, 2, 0 };
	uint32_t last = address[4] | address[5] << 8, hash = last >> shift[RCTL_MO(*e1000_reg(card, E1000_RCTL))] & 0xfff;

	return *e1000_reg(card, E1000_MTA + hash / 32 * 4) >> hash % 32 & 1;
}

static bool is_own_address(struct e1000 *card, const uint8_t *frame)
{
	for (unsigned int i = 0; i < RA_COUNT; i++) {
		uint32_t low = *e1000_reg(card, E1000_RA + 8 * i), high = *e1000_reg(card, E1000_RA + 8 * i + 4);
		const uint8_t *address = frame + (RAH_SELECT(high) == 1 ? ETH_ALEN : 0);

		if (high & RAH_AV && RAH_SELECT(high) < 2 && !memcmp(address, &low, 4) && !memcmp(address + 4, &high, 2))
			return true;
	}
	return false;
}

/* @return whether it is wanted; @inexact: only as far as the table knows */
static bool address_wanted(struct e1000 *card, const uint8_t *frame, bool *inexact)
{
	uint32_t rctl = *e1000_reg(card, E1000_RCTL);

	*inexact = false;
	if (rctl & (frame[0] & 1 ? RCTL_MPE : RCTL_UPE) || is_own_address(card, frame))
		return true;
	if (rctl & RCTL_BAM && !memcmp(frame, "\xff\xff\xff\xff\xff\xff", ETH_ALEN))
		return true;
	*inexact = frame[0] & 1 && in_multicast_table(card, frame);
	return *inexact;
}

static bool has_tag(struct e1000 *card, const uint8_t *frame, size_t bytes)
{
	return bytes >= ETH_HLEN + TAG_BYTES && (uint32_t)(frame[12] << 8 | frame[13]) == *e1000_reg(card, E1000_VET);
}

static bool frame_wanted(struct e1000 *card, bool *inexact)
{
	uint32_t rctl = *e1000_reg(card, E1000_RCTL);
	unsigned int vlan;

	if (card->in_bytes > (rctl & RCTL_LPE ? LONGEST_LPE : LONGEST)) {
		++*e1000_reg(card, E1000_ROC);
		return false;
	}
	if (!address_wanted(card, card->in, inexact))
		return false;
	if (!(rctl & RCTL_VFE) || !has_tag(card, card->in, card->in_bytes))
		return true;
	vlan = (card->in[14] << 8 | card->in[15]) & 0xfff;
	return *e1000_reg(card, E1000_VFTA + vlan / 32 * 4) >> vlan % 32 & 1;
}

/* ------------------------------------------------------------------ (ii) buffers */

static uint32_t buffer_bytes(uint32_t rctl)
{
	uint32_t bytes = 2048 >> RCTL_BSIZE(rctl);

	/* With the extension 2048 is reserved */
	return rctl & RCTL_BSEX && RCTL_BSIZE(rctl) ? bytes * 16 : bytes;
}

/* @return 1: a frame that the driver wants; 0: one that it does not; -1: none */
static int next_frame(struct e1000 *card, bool *inexact)
{
	if (!card->in_bytes && card->has_cable) {
		ssize_t got = cable_receive(card->cable, card->in, sizeof(card->in));

		if (got < 0)
			e1000_pull_cable(card);
		else
			card->in_bytes = got;
	}
	if (!card->in_bytes)
		return -1;
	if (frame_wanted(card, inexact))
		return 1;
	card->in_bytes = 0;
	return 0;
}

/* Takes the tag out; @return bits for the last descriptor */
static uint64_t strip_tag(struct e1000 *card)
{
	uint64_t tag;

	if (!(*e1000_reg(card, E1000_CTRL) & CTRL_VME) || !has_tag(card, card->in, card->in_bytes))
		return 0;
	tag = card->in[14] << 8 | card->in[15];
	memmove(card->in + 12, card->in + 12 + TAG_BYTES, card->in_bytes - 12 - TAG_BYTES);
	card->in_bytes -= TAG_BYTES;
	return RXD_VLAN | tag << RXD_SPECIAL;
}

/* One buffer, of [@from, @from + @part) of the frame; what is no memory gets nothing, and is told as filled */
static void fill(struct e1000 *card, uint64_t *descriptor, size_t from, uint32_t part, uint64_t bits)
{
	uint64_t buffer = *(volatile uint64_t *)descriptor;
	uint8_t *at = guest_memory_at(card->memory, buffer, part);

	if (at)
		memcpy(at, card->in + from, part);
	__atomic_store_n(&descriptor[1], part | RXD_DONE | bits, __ATOMIC_RELEASE);
}

/* @return whether it went to the driver, or never will; false: there is no room now */
static bool give_frame(struct e1000 *card, bool inexact)
{
	uint32_t rctl = *e1000_reg(card, E1000_RCTL), size = buffer_bytes(rctl), before = card->in_bytes;
	size_t bytes = before < ETH_ZLEN ? ETH_ZLEN : before;
	unsigned int left, needed;
	uint64_t bits;

	/* The checksum behind the frame is room that drivers leave out: it is 0 */
	bytes += rctl & RCTL_SECRC ? 0 : ETH_FCS_LEN;
	needed = (bytes + size - 1) / size;
	if (needed >= *e1000_reg(card, E1000_RDBAL + E1000_RING_LEN) / 16)
		return true;			/* not even a whole ring holds it */
	if (!e1000_descriptor(card, E1000_RDBAL, &left) || left < needed)
		return false;
	e1000_count(card, card->in, before < ETH_ZLEN ? ETH_ZLEN : before, false);
	bits = RXD_EOP | RXD_IXSM | (inexact ? RXD_INEXACT : 0) | strip_tag(card);
	bytes -= before - card->in_bytes;
	memset(card->in + card->in_bytes, 0, bytes - card->in_bytes);
	for (size_t at = 0; at < bytes; at += size) {
		uint64_t *descriptor = e1000_descriptor(card, E1000_RDBAL, &left);
		uint32_t part = bytes - at < size ? bytes - at : size;

		if (!descriptor)
			return true;		/* a ring that is only partly in memory */
		fill(card, descriptor, at, part, at + part == bytes ? bits : 0);
		e1000_advance(card, E1000_RDBAL);
	}
	return true;
}

/* Few are left: fewer than the share of the ring that the driver has set */
static uint32_t low_cause(struct e1000 *card)
{
	uint32_t count = *e1000_reg(card, E1000_RDBAL + E1000_RING_LEN) / 16;
	unsigned int left;

	e1000_descriptor(card, E1000_RDBAL, &left);
	return left <= count >> (1 + RCTL_RDMTS(*e1000_reg(card, E1000_RCTL))) ? ICR_RXDMT0 : 0;
}

void e1000_receive(struct e1000 *card, short *wait_for)
{
	unsigned int left, given = 0;
	bool inexact;
	int next;

	card->starved = true;
	if (!(*e1000_reg(card, E1000_RCTL) & RCTL_EN))
		return;			/* what comes meanwhile waits in the cable */
	for (unsigned int i = 0; i < TURN && e1000_descriptor(card, E1000_RDBAL, &left); i++) {
		next = next_frame(card, &inexact);
		if (next < 0 || (next && !give_frame(card, inexact)))
			break;
		card->in_bytes = 0;
		given += next;
	}
	if (given)
		e1000_tell(card, ICR_RXT0 | low_cause(card));
	if (card->has_cable && !card->in_bytes && e1000_descriptor(card, E1000_RDBAL, &left)) {
		card->starved = false;
		*wait_for |= POLLIN;
	}
}
