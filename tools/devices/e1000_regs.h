/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registers of Intel's gigabit cards of the 8254x family, as far as the device knows them, by the family's software
 * developer's manual (SDM, revision 4.0): chapter 13 for registers, 3 for descriptors, 5.6 for the EEPROM.
 */
#ifndef TPZ_E1000_REGS_H
#define TPZ_E1000_REGS_H

/* General */
#define E1000_CTRL		0x0000
#define   CTRL_SLU		(1U << 6)
#define   CTRL_RST		(1U << 26)
#define   CTRL_VME		(1U << 30)
#define   CTRL_PHY_RST		(1U << 31)
#define E1000_CTRL_DUP		0x0004		/* the same register again */
#define E1000_STATUS		0x0008
#define   STATUS_FD		(1U << 0)
#define   STATUS_LU		(1U << 1)
#define   STATUS_SPEED_1000	(1U << 7)
#define E1000_EECD		0x0010
#define   EECD_SK		(1U << 0)
#define   EECD_CS		(1U << 1)
#define   EECD_DI		(1U << 2)
#define   EECD_DO		(1U << 3)
#define   EECD_FWE_DIS		(1U << 4)
#define   EECD_REQ		(1U << 6)
#define   EECD_GNT		(1U << 7)
#define   EECD_PRES		(1U << 8)
#define E1000_EERD		0x0014
#define   EERD_START		(1U << 0)
#define   EERD_DONE		(1U << 4)
#define E1000_CTRL_EXT		0x0018
#define   CTRL_EXT_EE_RST	(1U << 13)
#define E1000_MDIC		0x0020
#define   MDIC_WRITE		(1U << 26)
#define   MDIC_READ		(2U << 26)
#define   MDIC_OPERATION	(3U << 26)
#define   MDIC_READY		(1U << 28)
#define   MDIC_INTERRUPT	(1U << 29)
#define   MDIC_ERROR		(1U << 30)
#define E1000_FCAL		0x0028
#define E1000_FCT		0x0030
#define E1000_VET		0x0038
#define E1000_FCTTV		0x0170
#define E1000_TXCW		0x0178
#define E1000_LEDCTL		0x0e00
#define E1000_PBA		0x1000

/* Interrupts; ICR's bits are those of ICS, IMS and IMC, too */
#define E1000_ICR		0x00c0
#define   ICR_TXDW		(1U << 0)	/* a transmit descriptor was written back */
#define   ICR_TXQE		(1U << 1)	/* the transmit queue is empty */
#define   ICR_LSC		(1U << 2)	/* the link changed */
#define   ICR_RXDMT0		(1U << 4)	/* few receive descriptors are left */
#define   ICR_RXT0		(1U << 7)	/* frames were received */
#define   ICR_MDAC		(1U << 9)	/* the access to the PHY is done */
#define   ICR_ALL		0x0001ffffU
#define E1000_ITR		0x00c4
#define E1000_ICS		0x00c8
#define E1000_IMS		0x00d0
#define E1000_IMC		0x00d8

/* Receiving */
#define E1000_RCTL		0x0100
#define   RCTL_EN		(1U << 1)
#define   RCTL_UPE		(1U << 3)	/* all unicast */
#define   RCTL_MPE		(1U << 4)	/* all multicast */
#define   RCTL_LPE		(1U << 5)	/* long frames */
#define   RCTL_RDMTS(rctl)	((rctl) >> 8 & 3)
#define   RCTL_MO(rctl)		((rctl) >> 12 & 3)
#define   RCTL_BAM		(1U << 15)	/* broadcast */
#define   RCTL_BSIZE(rctl)	((rctl) >> 16 & 3)
#define   RCTL_VFE		(1U << 18)	/* filter VLANs */
#define   RCTL_BSEX		(1U << 25)
#define   RCTL_SECRC		(1U << 26)	/* without the frame's checksum */
#define E1000_FCRTL		0x2160
#define E1000_FCRTH		0x2168
#define E1000_RDBAL		0x2800		/* the ring's registers, as E1000_RING_ says */
#define E1000_RDT		0x2818
#define E1000_RDTR		0x2820
#define E1000_RXDCTL		0x2828
#define E1000_RADV		0x282c
#define E1000_RSRPD		0x2c00
#define E1000_RXCSUM		0x5000
#define E1000_MTA		0x5200		/* 4096 bits */
#define E1000_RA		0x5400		/* 16 addresses */
#define   RA_COUNT		16
#define   RAH_AV		(1U << 31)
#define   RAH_SELECT(high)	((high) >> 16 & 3)	/* 0: destination, 1: source */
#define E1000_VFTA		0x5600		/* 4096 bits */

/* Sending */
#define E1000_TCTL		0x0400
#define   TCTL_EN		(1U << 1)
#define   TCTL_PSP		(1U << 3)
#define E1000_TIPG		0x0410
#define E1000_AIT		0x0458
#define E1000_TDBAL		0x3800
#define E1000_TDH		0x3810
#define E1000_TDT		0x3818
#define E1000_TIDV		0x3820
#define E1000_TXDCTL		0x3828
#define E1000_TADV		0x382c
#define E1000_TSPMT		0x3830

/* From a ring's first register on */
#define E1000_RING_BAL		0x00
#define E1000_RING_BAH		0x04
#define E1000_RING_LEN		0x08
#define E1000_RING_HEAD		0x10
#define E1000_RING_TAIL		0x18

/* Counters: cleared by reading; those of two words by reading the second one */
#define E1000_STATISTICS	0x4000
#define E1000_STATISTICS_END	0x4128
#define E1000_PRC64		0x405c		/* received, by six classes of length */
#define E1000_GPRC		0x4074
#define E1000_BPRC		0x4078
#define E1000_MPRC		0x407c
#define E1000_GPTC		0x4080
#define E1000_GORCL		0x4088
#define E1000_GOTCL		0x4090
#define E1000_ROC		0x40ac		/* too long */
#define E1000_TORL		0x40c0
#define E1000_TOTL		0x40c8
#define E1000_TPR		0x40d0
#define E1000_TPT		0x40d4
#define E1000_PTC64		0x40d8		/* sent, by length */
#define E1000_MPTC		0x40f0
#define E1000_BPTC		0x40f4
#define E1000_TSCTC		0x40f8		/* segmented */

/* Waking up and management: only kept */
#define E1000_WUC		0x5800
#define E1000_WUFC		0x5808
#define E1000_WUS		0x5810
#define E1000_MANC		0x5820

#define E1000_REGISTERS_END	0x6000

/* A receive descriptor's second word: length, then bits */
#define RXD_DONE		(1ULL << 32)
#define RXD_EOP			(1ULL << 33)
#define RXD_IXSM		(1ULL << 34)	/* no checksum was looked at */
#define RXD_VLAN		(1ULL << 35)
#define RXD_INEXACT		(1ULL << 39)
#define RXD_SPECIAL		48		/* where the VLAN tag goes */

/* A transmit descriptor's second word; its status byte is byte 12 of the descriptor */
#define TXD_CSO(word)		((word) >> 16 & 0xff)	/* of the oldest form */
#define TXD_CSS(word)		((word) >> 40 & 0xff)
#define TXD_TYPE(word)		((word) >> 20 & 0xf)	/* with TXD_EXTENDED: 0 a context, 1 data */
#define TXD_EOP			(1U << 24)
#define TXD_CHECKSUM		(1U << 26)	/* of the oldest form */
#define TXD_SEGMENT		(1U << 26)	/* of the others */
#define TXD_REPORT		(1U << 27)
#define TXD_EXTENDED		(1U << 29)
#define TXD_VLAN		(1U << 30)
#define TXD_DONE		(1U << 0)	/* in the status byte */
#define TXD_STATUS		12
#define TXD_IXSM		(1ULL << 40)	/* insert the IP checksum */
#define TXD_TXSM		(1ULL << 41)	/* insert the TCP or UDP checksum */
#define TXD_SPECIAL(word)	((word) >> 48)
#define TXD_CONTEXT_TCP		(1U << 24)
#define TXD_CONTEXT_IP4		(1U << 25)

#endif /* TPZ_E1000_REGS_H */
