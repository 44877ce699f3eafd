/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Intel's 82545GM, a gigabit card that kernels without virtio know (Linux: e1000; also iPXE, the BSDs, older Windows).
 * All of its registers are memory, and its interrupt is a line. Delays of interrupts (ITR, RDTR, TIDV ...) are kept and
 * not waited for: frames that come or go together are told together anyway.
 *
 * One thread moves frames both ways. What a guest writes is checked when it is used: a ring or buffer that is not in
 * memory, an index past the ring's end and an offset past the frame's end do nothing, or drop the frame.
 */
#ifndef TPZ_E1000_H
#define TPZ_E1000_H

#include <linux/if_ether.h>

#include "cable.h"
#include "e1000_regs.h"
#include "guestmem.h"
#include "pci.h"

#define E1000_EEPROM_WORDS	64
#define E1000_PHY_REGISTERS	32
#define E1000_FRAME_MAX		(CABLE_FRAME_MAX + 256)	/* to be segmented: its headers besides */

/**
 * struct e1000_eeprom - a Microwire EEPROM at the pins of EECD, and its read register
 * @bits: shifted in since it was selected; @count of them
 * @out: what it shifts out, the highest of @out_count bits first; @address: of the word that follows
 */
struct e1000_eeprom {
	uint16_t word[E1000_EEPROM_WORDS];
	uint32_t eecd, eerd;
	uint32_t bits, out;
	unsigned int count, out_count, address;
	bool reading;
};

/**
 * struct e1000_phy - the PHY at address 1, behind MDIC
 */
struct e1000_phy {
	uint16_t reg[E1000_PHY_REGISTERS];
	uint32_t mdic;
};

/**
 * struct e1000_context - where a frame's checksums and lengths are
 * @ip, @payload: checksum from @start to @end (0: the frame's) into @at
 * @tcp, @ip4: which headers
 */
struct e1000_context {
	struct e1000_sum {
		uint8_t start, at;
		uint16_t end;
	} ip, payload;
	bool tcp, ip4;
	uint8_t header_bytes;
	uint16_t segment_bytes;
};

/**
 * struct e1000_frame - one from the guest
 * @bytes: gathered so far, if @begun; all of them, if @complete
 * @broken: it will not go out
 * @sums: TXD_IXSM and TXD_TXSM, and @segmented: by the first descriptor; @context, @tagged: by the last one
 * @sent: how much of what is to be sent has gone, in @segments frames
 * @ready: @ready_bytes that are to be sent next, for @ready_part of it; or NULL
 */
struct e1000_frame {
	bool begun, complete, broken, segmented, tagged;
	uint16_t tag;
	uint32_t bytes, sent, segments;
	uint64_t sums;
	struct e1000_context context;
	uint8_t *ready;
	uint32_t ready_bytes, ready_part;
	uint8_t data[E1000_FRAME_MAX];
	uint8_t segment[E1000_FRAME_MAX];
};

/**
 * struct e1000
 * @kick: an eventfd that wakes the thread
 * @lock: guards all that follows; taken before the bus's line_lock
 * @awake: the thread will look at the rings again before it sleeps; @starved: it waits for the driver to receive
 * @reg: those registers that only keep what is written, and the counters
 * @context: for checksums alone; and for segmentation
 * @in: a frame from outside that the driver has no room for yet, if @in_bytes
 */
struct e1000 {
	struct pci_device pci;
	const struct guest_memory *memory;
	int cable;
	int kick;
	pthread_t thread;
	bool stopping;

	pthread_mutex_t lock;
	bool awake, starved;
	uint32_t reg[E1000_REGISTERS_END / 4];
	uint32_t causes, mask;
	bool has_cable;
	struct e1000_eeprom eeprom;
	struct e1000_phy phy;
	struct e1000_context context[2];
	struct e1000_frame out;
	size_t in_bytes;
	uint8_t in[CABLE_FRAME_MAX];
};

/**
 * e1000_init() - a card whose cable is @cable, which stays the caller's and must not block
 * @return 0, or -1: out of files
 */
int e1000_init(struct e1000 *card, const struct guest_memory *memory, int cable, const uint8_t mac[ETH_ALEN]);

/* Plugs it in and starts its thread; @return 0 or -1 */
int e1000_add(struct e1000 *card, struct pci_bus *bus);

/* Ends its thread and gives all back */
void e1000_free(struct e1000 *card);

/* ------------------------------------------------------------------ among the card's own files, with @lock held */

static inline uint32_t *e1000_reg(struct e1000 *card, unsigned int offset)
{
	return &card->reg[offset / 4];
}

/* Causes of an interrupt have come */
void e1000_tell(struct e1000 *card, uint32_t causes);

/* The other end is gone: as if the cable were pulled */
void e1000_pull_cable(struct e1000 *card);

/**
 * e1000_descriptor() - where the ring at register @ring has its next descriptor
 * @left: how many the driver has offered
 * @return NULL: none, or the ring is not in memory
 */
void *e1000_descriptor(struct e1000 *card, unsigned int ring, unsigned int *left);

/* On to the next one */
void e1000_advance(struct e1000 *card, unsigned int ring);

/**
 * e1000_count() - a good frame into the counters
 * @sent: which way
 */
void e1000_count(struct e1000 *card, const uint8_t *frame, size_t bytes, bool sent);

/**
 * e1000_receive(), e1000_transmit() - move frames, a bounded number
 * @wait_for: gets the poll() events of the cable that it waits for
 * @return whether there is more to do at once
 */
void e1000_receive(struct e1000 *card, short *wait_for);
bool e1000_transmit(struct e1000 *card, short *wait_for);

/**
 * e1000_finish_frame() - set the complete frame's @ready: what goes out next, with its checksums
 * @return false: nothing is left, or it is broken
 */
bool e1000_finish_frame(struct e1000 *card);

/* What was ready has gone */
void e1000_next_part(struct e1000_frame *frame);

/* EEPROM and PHY */
void e1000_eeprom_fill(struct e1000_eeprom *eeprom, const uint8_t mac[ETH_ALEN], uint16_t vendor, uint16_t device);
uint32_t e1000_eeprom_pins(const struct e1000_eeprom *eeprom);
void e1000_eeprom_set_pins(struct e1000_eeprom *eeprom, uint32_t eecd);
void e1000_eeprom_request(struct e1000_eeprom *eeprom, uint32_t eerd);
void e1000_phy_reset(struct e1000_phy *phy);

/* @return causes of an interrupt */
uint32_t e1000_phy_request(struct e1000_phy *phy, uint32_t mdic, bool has_cable);

#endif /* TPZ_E1000_H */
