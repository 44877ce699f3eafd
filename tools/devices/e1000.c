// SPDX-License-Identifier: GPL-2.0
/*
 * The card's registers: (i) interrupts and the link, (ii) rings, (iii) counters, (iv) reset, (v) accesses; then (vi)
 * its thread, (vii) building.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "e1000.h"

#define VENDOR		0x8086
#define DEVICE		0x1026
#define CLASS		0x020000
#define BAR_BYTES	0x20000
#define DESCRIPTOR	16	/* bytes */

/* ------------------------------------------------------------------ (i) interrupts and the link */

static void update_interrupt(struct e1000 *card)
{
	bool level = card->causes & card->mask;

	if (level != card->pci.intx && card->pci.bus)
		pci_set_intx(&card->pci, level);
}

void e1000_tell(struct e1000 *card, uint32_t causes)
{
	card->causes |= causes & ICR_ALL;
	update_interrupt(card);
}

void e1000_pull_cable(struct e1000 *card)
{
	if (!card->has_cable)
		return;
	card->has_cable = false;
	e1000_tell(card, ICR_LSC);
}

/* With the lock: the thread looks at the rings, if it does not anyway */
static void wake(struct e1000 *card)
{
	if (!card->awake)
		eventfd_write(card->kick, 1);
	card->awake = true;
}

/* ------------------------------------------------------------------ (ii) rings */

void *e1000_descriptor(struct e1000 *card, unsigned int ring, unsigned int *left)
{
	const uint32_t *reg = e1000_reg(card, ring);
	uint32_t count = reg[E1000_RING_LEN / 4] / DESCRIPTOR;
	uint32_t head = reg[E1000_RING_HEAD / 4], tail = reg[E1000_RING_TAIL / 4];
	uint64_t base = reg[E1000_RING_BAL / 4] | (uint64_t)reg[E1000_RING_BAH / 4] << 32;

	*left = 0;
	if (head >= count || tail >= count || head == tail)
		return NULL;
	*left = (tail + count - head) % count;
	return guest_memory_at(card->memory, base + head * DESCRIPTOR, DESCRIPTOR);
}

void e1000_advance(struct e1000 *card, unsigned int ring)
{
	uint32_t *reg = e1000_reg(card, ring);
	uint32_t count = reg[E1000_RING_LEN / 4] / DESCRIPTOR, *head = &reg[E1000_RING_HEAD / 4];

	*head = *head + 1 < count ? *head + 1 : 0;
}

/* ------------------------------------------------------------------ (iii) counters */

static void add(struct e1000 *card, unsigned int counter, uint32_t value)
{
	uint32_t *reg = e1000_reg(card, counter);

	*reg = *reg + value < *reg ? UINT32_MAX : *reg + value;		/* they stick at the top */
}

static void add64(struct e1000 *card, unsigned int counter, uint32_t value)
{
	uint32_t *reg = e1000_reg(card, counter);
	uint64_t sum = (reg[0] | (uint64_t)reg[1] << 32) + value;

	reg[0] = sum;
	reg[1] = sum >> 32;
}

/* Registers stand at offsets from the first class of lengths that differ for the two ways */
void e1000_count(struct e1000 *card, const uint8_t *frame, size_t bytes, bool sent)
{
	static const uint16_t longest[] = { 64, 127, 255, 511, 1023 };
	bool group = frame[0] & 1, all = group && !memcmp(frame, "\xff\xff\xff\xff\xff\xff", ETH_ALEN);
	unsigned int class = 0;

	bytes += ETH_FCS_LEN;
	while (class < sizeof(longest) / sizeof(longest[0]) && bytes > longest[class])
		class++;
	add(card, (sent ? E1000_PTC64 : E1000_PRC64) + 4 * class, 1);
	add(card, sent ? E1000_GPTC : E1000_GPRC, 1);
	add(card, sent ? E1000_TPT : E1000_TPR, 1);
	if (all)
		add(card, sent ? E1000_BPTC : E1000_BPRC, 1);
	else if (group)
		add(card, sent ? E1000_MPTC : E1000_MPRC, 1);
	add64(card, sent ? E1000_GOTCL : E1000_GORCL, bytes);
	add64(card, sent ? E1000_TOTL : E1000_TORL, bytes);
}

static uint32_t read_counter(struct e1000 *card, unsigned int offset)
{
	static const uint16_t wide[] = { E1000_GORCL, E1000_GOTCL, E1000_TORL, E1000_TOTL };
	uint32_t *reg = e1000_reg(card, offset), value = *reg;

	for (unsigned int i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (offset == wide[i])
			return value;		/* cleared with its upper half */
		if (offset == wide[i] + 4U)
			reg[-1] = 0;
	}
	*reg = 0;
	return value;
}

/* ------------------------------------------------------------------ (iv) reset */

/* The driver takes its rings back: nothing of the guest's is touched after */
static void forget_frames(struct e1000 *card)
{
	card->out.begun = card->out.complete = false;
	card->out.bytes = 0;
	memset(card->context, 0, sizeof(card->context));
}

static void reset(struct e1000 *card)
{
	const uint16_t *mac = card->eeprom.word;

	memset(card->reg, 0, sizeof(card->reg));
	*e1000_reg(card, E1000_CTRL) = CTRL_SLU;
	*e1000_reg(card, E1000_PBA) = 0x00100030;
	*e1000_reg(card, E1000_VET) = ETH_P_8021Q;
	*e1000_reg(card, E1000_RA) = mac[0] | (uint32_t)mac[1] << 16;
	*e1000_reg(card, E1000_RA + 4) = mac[2] | RAH_AV;
	card->eeprom.eecd = card->eeprom.eerd = 0;
	card->eeprom.reading = false;
	card->eeprom.bits = card->eeprom.count = 0;
	card->phy.mdic = 0;
	forget_frames(card);
	card->starved = true;
	card->causes = card->mask = 0;
	update_interrupt(card);
}

static void control(struct e1000 *card, uint32_t value)
{
	if (value & CTRL_PHY_RST)
		e1000_phy_reset(&card->phy);
	if (value & CTRL_RST)
		reset(card);
	else
		*e1000_reg(card, E1000_CTRL) = value & ~CTRL_PHY_RST;
}

/* ------------------------------------------------------------------ (v) accesses */

/* Registers that keep what is written, and of it the bits that exist */
static const struct {
	uint16_t first, last;
	uint32_t writable;
} kept[] = {
	{ E1000_CTRL_EXT, E1000_CTRL_EXT, ~CTRL_EXT_EE_RST },
	{ E1000_FCAL, E1000_FCT, ~0U },
	{ E1000_VET, E1000_VET, 0xffff },
	{ E1000_ITR, E1000_ITR, 0xffff },
	{ E1000_RCTL, E1000_RCTL, ~0U },
	{ E1000_FCTTV, E1000_TXCW, ~0U },
	{ E1000_TCTL, E1000_TIPG, ~0U },
	{ E1000_AIT, E1000_AIT, 0xffff },
	{ E1000_LEDCTL, E1000_LEDCTL, ~0U },
	{ E1000_PBA, E1000_PBA, 0xffff },
	{ E1000_FCRTL, E1000_FCRTH, ~0U },
	{ E1000_RDBAL, E1000_RDBAL, ~0xfU },
	{ E1000_RDBAL + E1000_RING_BAH, E1000_RDBAL + E1000_RING_BAH, ~0U },
	{ E1000_RDBAL + E1000_RING_LEN, E1000_RDBAL + E1000_RING_LEN, 0xfff80 },
	{ E1000_RDBAL + E1000_RING_HEAD, E1000_RDBAL + E1000_RING_HEAD, 0xffff },
	{ E1000_RDT, E1000_RDT, 0xffff },
	{ E1000_RDTR, E1000_RADV, ~0U },
	{ E1000_RSRPD, E1000_RSRPD, 0xfff },
	{ E1000_TDBAL, E1000_TDBAL, ~0xfU },
	{ E1000_TDBAL + E1000_RING_BAH, E1000_TDBAL + E1000_RING_BAH, ~0U },
	{ E1000_TDBAL + E1000_RING_LEN, E1000_TDBAL + E1000_RING_LEN, 0xfff80 },
	{ E1000_TDH, E1000_TDH, 0xffff },
	{ E1000_TDT, E1000_TDT, 0xffff },
	{ E1000_TIDV, E1000_TSPMT, ~0U },
	{ E1000_RXCSUM, E1000_RXCSUM, 0x7ff },
	{ E1000_MTA, E1000_MTA + 0x1fc, ~0U },
	{ E1000_RA, E1000_RA + 8 * RA_COUNT - 4, ~0U },
	{ E1000_VFTA, E1000_VFTA + 0x1fc, ~0U },
	{ E1000_WUC, E1000_WUS, ~0U },
	{ E1000_MANC, E1000_MANC, ~0U },
};

static bool keep(struct e1000 *card, unsigned int offset, uint32_t value)
{
	for (unsigned int i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (offset >= kept[i].first && offset <= kept[i].last) {
			*e1000_reg(card, offset) = value & kept[i].writable;
			return true;
		}
	}
	return false;
}

/* What else a kept register does */
static void act(struct e1000 *card, unsigned int offset)
{
	switch (offset) {
	case E1000_TDH:
		forget_frames(card);
		break;
	case E1000_RDT:
	case E1000_RCTL:
		if (card->starved)
			wake(card);
		break;
	case E1000_TDT:
	case E1000_TCTL:
		wake(card);
		break;
	}
}

static uint32_t read_register(struct e1000 *card, unsigned int offset)
{
	uint32_t value;

	switch (offset) {
	case E1000_CTRL_DUP:
		return *e1000_reg(card, E1000_CTRL);
	case E1000_STATUS:
		return STATUS_FD | STATUS_SPEED_1000 | (card->has_cable ? STATUS_LU : 0);
	case E1000_EECD:
		return e1000_eeprom_pins(&card->eeprom);
	case E1000_EERD:
		return card->eeprom.eerd;
	case E1000_MDIC:
		return card->phy.mdic;
	case E1000_ICR:
		value = card->causes;
		card->causes = 0;
		update_interrupt(card);
		return value;
	case E1000_IMS:
		return card->mask;
	}
	if (offset >= E1000_STATISTICS && offset < E1000_STATISTICS_END)
		return read_counter(card, offset);
	return offset < E1000_REGISTERS_END ? *e1000_reg(card, offset) : 0;
}

static void write_register(struct e1000 *card, unsigned int offset, uint32_t value)
{
	switch (offset) {
	case E1000_CTRL:
	case E1000_CTRL_DUP:
		control(card, value);
		return;
	case E1000_EECD:
		e1000_eeprom_set_pins(&card->eeprom, value);
		return;
	case E1000_EERD:
		e1000_eeprom_request(&card->eeprom, value);
		return;
	case E1000_MDIC:
		e1000_tell(card, e1000_phy_request(&card->phy, value, card->has_cable));
		return;
	case E1000_ICR:
		card->causes &= ~value;
		break;
	case E1000_ICS:
		card->causes |= value & ICR_ALL;
		break;
	case E1000_IMS:
		card->mask |= value & ICR_ALL;
		break;
	case E1000_IMC:
		card->mask &= ~value;
		break;
	default:
		if (keep(card, offset, value))
			act(card, offset);
		return;
	}
	update_interrupt(card);
}

/* Registers are of 32 bits: a narrow read gets its part of one, a narrow write does nothing */
static uint64_t read_bar(void *device, uint64_t offset, unsigned int bytes)
{
	struct e1000 *card = device;
	uint64_t value;

	pthread_mutex_lock(&card->lock);
	value = read_register(card, offset & ~3ULL);
	if (bytes == 8)
		value |= (uint64_t)read_register(card, offset + 4) << 32;
	pthread_mutex_unlock(&card->lock);
	return value >> (8 * (offset & 3));
}

static void write_bar(void *device, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct e1000 *card = device;

	if (bytes < 4)
		return;
	pthread_mutex_lock(&card->lock);
	write_register(card, offset, value);
	if (bytes == 8)
		write_register(card, offset + 4, value >> 32);
	pthread_mutex_unlock(&card->lock);
}

/* ------------------------------------------------------------------ (vi) the thread */

/* @return the poll() events that it waits for at the cable, if there is no more to do at once */
static short take_turn(struct e1000 *card, bool *more)
{
	short wait_for = 0;

	pthread_mutex_lock(&card->lock);
	e1000_receive(card, &wait_for);
	*more = e1000_transmit(card, &wait_for);
	card->awake = *more;
	pthread_mutex_unlock(&card->lock);
	return wait_for;
}

static void *card_thread(void *arg)
{
	struct e1000 *card = arg;
	struct pollfd files[2] = {
		{ .fd = card->kick, .events = POLLIN },
		{ .fd = -1 },
	};
	bool more = false;
	eventfd_t count;

	while (!__atomic_load_n(&card->stopping, __ATOMIC_ACQUIRE)) {
		if (more)
			sched_yield();		/* a vCPU may wait for the lock */
		else if (poll(files, 2, -1) < 0 && errno != EINTR)
			break;
		else if (files[0].revents)
			eventfd_read(card->kick, &count);
		files[1].events = take_turn(card, &more);
		files[1].fd = files[1].events ? card->cable : -1;	/* a dead file is ready for ever */
	}
	return NULL;
}

/* ------------------------------------------------------------------ (vii) building */

int e1000_init(struct e1000 *card, const struct guest_memory *memory, int cable, const uint8_t mac[ETH_ALEN])
{
	memset(card, 0, sizeof(*card));
	pci_device_init(&card->pci, "e1000", VENDOR, DEVICE, CLASS, VENDOR, DEVICE);
	card->pci.bar[0] = (struct pci_bar){
		.bytes = BAR_BYTES,
		.range = { .name = "e1000", .read = read_bar, .write = write_bar, .device = card },
	};
	pthread_mutex_init(&card->lock, NULL);
	card->memory = memory;
	card->cable = cable;
	card->has_cable = true;
	card->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e1000_eeprom_fill(&card->eeprom, mac, VENDOR, DEVICE);
	e1000_phy_reset(&card->phy);
	reset(card);
	return card->kick < 0 ? -1 : 0;
}

int e1000_add(struct e1000 *card, struct pci_bus *bus)
{
	if (pci_add(bus, &card->pci) || pthread_create(&card->thread, NULL, card_thread, card))
		return -1;	/* the launcher ends then */
	return 0;
}

void e1000_free(struct e1000 *card)
{
	__atomic_store_n(&card->stopping, true, __ATOMIC_RELEASE);
	eventfd_write(card->kick, 1);
	pthread_join(card->thread, NULL);
	close(card->kick);
	pthread_mutex_destroy(&card->lock);
}
