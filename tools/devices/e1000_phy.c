// SPDX-License-Identifier: GPL-2.0
/*
 * What a driver finds the card's nature by: (i) the EEPROM, which is only read, (ii) the PHY, whose link is up whenever
 * there is a cable.
 */
#include <linux/mii.h>
#include <string.h>

#include "e1000.h"

/* ------------------------------------------------------------------ (i) EEPROM: a 93C46 of 64 words */

#define COMMAND_BITS	9	/* a 1 to start, two of operation, six of address */
#define COMMAND_READ	6	/* with the starting bit */

#define WORD_SUBSYSTEM	0x0b
#define WORD_VENDOR	0x0e
#define WORD_DEVICE	0x0d
#define WORD_CHECKSUM	0x3f
#define CHECKSUM	0xbaba	/* of all words */

void e1000_eeprom_fill(struct e1000_eeprom *eeprom, const uint8_t mac[ETH_ALEN], uint16_t vendor, uint16_t device)
{
	uint16_t *word = eeprom->word, sum = 0;

	memset(eeprom, 0, sizeof(*eeprom));
	for (unsigned int i = 0; i < ETH_ALEN / 2; i++)
		word[i] = mac[2 * i] | mac[2 * i + 1] << 8;
	word[0x07] = 0xffff;		/* nothing special of the PHY */
	word[0x08] = word[0x09] = 0xffff;	/* no part number */
	word[WORD_SUBSYSTEM] = device;
	word[WORD_SUBSYSTEM + 1] = vendor;
	word[WORD_DEVICE] = device;
	word[WORD_VENDOR] = vendor;
	for (unsigned int i = 0; i < WORD_CHECKSUM; i++)
		sum += word[i];
	word[WORD_CHECKSUM] = CHECKSUM - sum;
}

uint32_t e1000_eeprom_pins(const struct e1000_eeprom *eeprom)
{
	bool out = true;	/* an idle output is pulled up */

	if (eeprom->reading)
		out = eeprom->out >> eeprom->out_count & 1;
	return eeprom->eecd | EECD_PRES | EECD_FWE_DIS | (eeprom->eecd & EECD_REQ ? EECD_GNT : 0) | (out ? EECD_DO : 0);
}

/* A rising clock, while selected */
static void clock_eeprom(struct e1000_eeprom *eeprom, bool in)
{
	if (eeprom->reading) {
		if (!eeprom->out_count) {	/* the next word follows by itself */
			eeprom->out = eeprom->word[eeprom->address++ % E1000_EEPROM_WORDS];
			eeprom->out_count = 16;
		}
		eeprom->out_count--;
		return;
	}
	if (!eeprom->count && !in)
		return;			/* it waits for the starting bit */
	eeprom->bits = eeprom->bits << 1 | in;
	if (++eeprom->count < COMMAND_BITS)
		return;
	if (eeprom->bits >> 6 == COMMAND_READ) {
		eeprom->address = eeprom->bits % E1000_EEPROM_WORDS;
		eeprom->reading = true;
		eeprom->out = eeprom->out_count = 0;	/* a 0 comes before the first bit */
	}
	eeprom->bits = eeprom->count = 0;
}

void e1000_eeprom_set_pins(struct e1000_eeprom *eeprom, uint32_t eecd)
{
	uint32_t risen = eecd & ~eeprom->eecd;

	eeprom->eecd = eecd & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ);
	if (!(eecd & EECD_CS)) {
		eeprom->reading = false;
		eeprom->bits = eeprom->count = 0;
	} else if (risen & EECD_SK) {
		clock_eeprom(eeprom, eecd & EECD_DI);
	}
}

void e1000_eeprom_request(struct e1000_eeprom *eeprom, uint32_t eerd)
{
	unsigned int address = eerd >> 8 & 0xff;

	if (!(eerd & EERD_START))
		return;
	eeprom->eerd = (eerd & 0xff00) | EERD_DONE |
		       (address < E1000_EEPROM_WORDS ? (uint32_t)eeprom->word[address] << 16 : 0);
}

/* ------------------------------------------------------------------ (ii) PHY: an M88E1011 */

#define PHY_ADDRESS	1
#define PHY_SPECIFIC	0x11	/* its status: speed and duplex, whether they are settled, link */

/* Which bits of a register a driver can change; those of other registers, all */
static const struct {
	uint8_t reg;
	uint16_t reset, writable;
} phy_registers[] = {
	{ MII_BMCR, BMCR_ANENABLE | BMCR_FULLDPLX | BMCR_SPEED1000,
	  (uint16_t)~(BMCR_RESET | BMCR_ANRESTART) },
	{ MII_BMSR, BMSR_100FULL | BMSR_100HALF | BMSR_10FULL | BMSR_10HALF | BMSR_ESTATEN | BMSR_ANEGCAPABLE | BMSR_ERCAP |
	  1 << 6, 0 },
	{ MII_PHYSID1, 0x0141, 0 },
	{ MII_PHYSID2, 0x0c24, 0 },
	{ MII_ADVERTISE, ADVERTISE_ALL | ADVERTISE_CSMA, 0xffff },
	{ MII_LPA, 0, 0 },
	{ MII_EXPANSION, 0x0004, 0 },
	{ MII_CTRL1000, ADVERTISE_1000FULL | ADVERTISE_1000HALF, 0xffff },
	{ MII_STAT1000, 0, 0 },
	{ MII_ESTATUS, ESTATUS_1000_TFULL | ESTATUS_1000_THALF, 0 },
	{ 0x10, 0x0060, 0xffff },	/* crossover by itself */
	{ PHY_SPECIFIC, 0, 0 },
	{ 0x14, 0x0c60, 0xffff },
};

#define PHY_KNOWN	(sizeof(phy_registers) / sizeof(phy_registers[0]))

void e1000_phy_reset(struct e1000_phy *phy)
{
	memset(phy->reg, 0, sizeof(phy->reg));
	for (unsigned int i = 0; i < PHY_KNOWN; i++)
		phy->reg[phy_registers[i].reg] = phy_registers[i].reset;
}

/* What comes from the other end, besides what is kept */
static uint16_t phy_read(const struct e1000_phy *phy, unsigned int reg, bool has_cable)
{
	uint16_t value = phy->reg[reg];

	if (!has_cable)
		return value;
	switch (reg) {
	case MII_BMSR:
		return value | BMSR_LSTATUS | BMSR_ANEGCOMPLETE;
	case MII_LPA:
		return value | LPA_LPACK | ADVERTISE_ALL | ADVERTISE_CSMA;
	case MII_EXPANSION:
		return value | EXPANSION_NWAY;
	case MII_STAT1000:
		return value | LPA_1000FULL | LPA_1000HALF | LPA_1000LOCALRXOK | LPA_1000REMRXOK;
	case PHY_SPECIFIC:
		return value | 0xac00;		/* 1000, full, settled, up */
	}
	return value;
}

static uint32_t phy_write(struct e1000_phy *phy, unsigned int reg, uint16_t value)
{
	uint16_t writable = 0xffff;

	for (unsigned int i = 0; i < PHY_KNOWN; i++) {
		if (phy_registers[i].reg == reg)
			writable = phy_registers[i].writable;
	}
	phy->reg[reg] = (phy->reg[reg] & ~writable) | (value & writable);
	if (reg != MII_BMCR)
		return 0;
	if (value & BMCR_RESET)
		e1000_phy_reset(phy);
	return value & (BMCR_RESET | BMCR_ANRESTART) ? ICR_LSC : 0;	/* it has negotiated already */
}

uint32_t e1000_phy_request(struct e1000_phy *phy, uint32_t mdic, bool has_cable)
{
	unsigned int reg = mdic >> 16 & 31, address = mdic >> 21 & 31, operation = mdic & MDIC_OPERATION;
	uint32_t causes = mdic & MDIC_INTERRUPT ? ICR_MDAC : 0;

	phy->mdic = (mdic & ~MDIC_ERROR) | MDIC_READY;
	if (address != PHY_ADDRESS || (operation != MDIC_READ && operation != MDIC_WRITE))
		phy->mdic |= MDIC_ERROR;
	else if (operation == MDIC_READ)
		phy->mdic = (phy->mdic & ~0xffffU) | phy_read(phy, reg, has_cable);
	else
		causes |= phy_write(phy, reg, mdic);
	return causes;
}
