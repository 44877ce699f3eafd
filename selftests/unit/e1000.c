// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated network card, driven by registers and rings as a guest's driver does it; its cable is a socket, the test
 * its other end.
 */
#include "e1000_driver.h"

static const uint8_t mac[ETH_ALEN] = { 2, 1, 2, 3, 4, 5 };
static int ends[2];

static void free_all(void *arg)
{
	e1000_free(&card);
	ports_free(&ports);
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
}

static void new_card(void)
{
	struct timeval patience = { .tv_sec = 20 };

	new_machine();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	CHECK_EQ(e1000_init(&card, &memory, ends[0], mac), 0);
	CHECK_EQ(e1000_add(&card, &bus), 0);
	ktap_defer(free_all, NULL);
}

static uint8_t pattern(unsigned int number, unsigned int at)
{
	return number * 31 + at * 7 + at / 256;
}

/* From outside, to @address */
static void arrive(const uint8_t *address, unsigned int number, unsigned int bytes)
{
	uint8_t frame[4096];

	for (unsigned int i = 0; i < bytes; i++)
		frame[i] = pattern(number, i);
	memcpy(frame, address, ETH_ALEN);
	CHECK_EQ(send(ends[1], frame, bytes, 0), bytes);
}

/* From the guest, outside; @return its bytes */
static unsigned int fetch(uint8_t *frame)
{
	ssize_t got = recv(ends[1], frame, CABLE_FRAME_MAX, 0);

	CHECK_GE(got, 0);
	return got;
}

/* @return whether @condition came true in some seconds */
#define await(condition)				\
({							\
	for (int i_ = 0; i_ < 5000 && !(condition); i_++)	\
		usleep(1000);				\
	(condition);					\
})

/* ------------------------------------------------------------------ what a driver looks for */

static void clock_bit(bool bit)
{
	uint32_t pins = EECD_REQ | EECD_CS | (bit ? EECD_DI : 0);

	store(E1000_EECD, 4, pins);
	store(E1000_EECD, 4, pins | EECD_SK);
	store(E1000_EECD, 4, pins);
}

static uint16_t read_eeprom(unsigned int address)
{
	unsigned int command = 6 << 6 | address;
	uint16_t word = 0;

	store(E1000_EECD, 4, EECD_REQ);
	CHECK_EQ(load(E1000_EECD, 4) & (EECD_GNT | EECD_PRES), EECD_GNT | EECD_PRES);
	store(E1000_EECD, 4, EECD_REQ | EECD_CS);
	clock_bit(0);				/* before the start it does nothing */
	for (int i = 8; i >= 0; i--)
		clock_bit(command >> i & 1);
	for (int i = 0; i < 16; i++) {
		clock_bit(0);
		word = word << 1 | !!(load(E1000_EECD, 4) & EECD_DO);
	}
	store(E1000_EECD, 4, 0);
	return word;
}

static void eeprom(void)
{
	uint16_t sum = 0;

	new_card();
	for (unsigned int i = 0; i < E1000_EEPROM_WORDS; i++) {
		uint16_t word = read_eeprom(i);

		sum += word;
		store(E1000_EERD, 4, i << 8 | EERD_START);
		CHECK_EQ(load(E1000_EERD, 4), (uint32_t)word << 16 | i << 8 | EERD_DONE);
	}
	CHECK_EQ(sum, 0xbaba);
	CHECK_EQ(read_eeprom(0), 0x0102);
	CHECK_EQ(read_eeprom(1), 0x0302);
	CHECK_EQ(read_eeprom(2), 0x0504);
	store(E1000_EERD, 4, 0xff00 | EERD_START);
	CHECK_EQ(load(E1000_EERD, 4), 0xff00U | EERD_DONE);
	CHECK_EQ(load(E1000_RA, 8), (uint64_t)(RAH_AV | 0x0504) << 32 | 0x03020102);
}

static uint32_t mdi(uint32_t request)
{
	store(E1000_MDIC, 4, request);
	return load(E1000_MDIC, 4);
}

static void phy(void)
{
	const uint32_t at = 1 << 21;

	new_card();
	CHECK_EQ(mdi(MDIC_READ | at | MII_PHYSID1 << 16) & 0xffff, 0x0141);
	CHECK_EQ(mdi(MDIC_READ | at | MII_PHYSID2 << 16) & 0xfff0, 0x0c20);
	CHECK_EQ(mdi(MDIC_READ | at | MII_BMSR << 16) & (MDIC_READY | MDIC_ERROR | BMSR_LSTATUS | BMSR_ANEGCOMPLETE),
		 MDIC_READY | BMSR_LSTATUS | BMSR_ANEGCOMPLETE);
	CHECK_EQ(mdi(MDIC_READ | 2 << 21) & MDIC_ERROR, MDIC_ERROR);
	CHECK_EQ(mdi(at) & MDIC_ERROR, MDIC_ERROR);
	mdi(MDIC_WRITE | at | MII_PHYSID1 << 16 | 0x5555);
	CHECK_EQ(mdi(MDIC_READ | at | MII_PHYSID1 << 16) & 0xffff, 0x0141);
	mdi(MDIC_WRITE | at | MII_ADVERTISE << 16 | 0x5555);
	CHECK_EQ(mdi(MDIC_READ | at | MII_ADVERTISE << 16) & 0xffff, 0x5555);
	load(E1000_ICR, 4);
	mdi(MDIC_WRITE | MDIC_INTERRUPT | at | BMCR_RESET);
	CHECK_EQ(load(E1000_ICR, 4), ICR_LSC | ICR_MDAC);
	CHECK_NE(mdi(MDIC_READ | at | MII_ADVERTISE << 16) & 0xffff, 0x5555);
	CHECK_EQ(load(E1000_STATUS, 4), STATUS_LU | STATUS_FD | STATUS_SPEED_1000);
}

static void causes_and_mask(void)
{
	new_card();
	store(E1000_ICS, 4, ICR_LSC | ICR_TXDW);
	CHECK_EQ(lines, 0);
	store(E1000_IMS, 4, ICR_TXDW);
	CHECK_EQ(lines, 1);
	CHECK_EQ(load(E1000_IMS, 4), ICR_TXDW);
	store(E1000_IMC, 4, ICR_TXDW);
	CHECK_EQ(lines, 0);
	store(E1000_IMS, 4, ICR_LSC);
	CHECK_EQ(lines, 1);
	CHECK_EQ(load(E1000_ICR, 4), ICR_LSC | ICR_TXDW);	/* reading clears */
	CHECK_EQ(lines, 0);
	CHECK_EQ(load(E1000_ICR, 4), 0);
	store(E1000_ICS, 4, ICR_LSC);
	store(E1000_ICR, 4, ICR_LSC);				/* writing ones, too */
	CHECK_EQ(lines, 0);
	store(E1000_ICS, 4, ICR_LSC);
	store(E1000_CTRL_DUP, 4, CTRL_RST);
	CHECK_EQ(lines, 0);
	CHECK_EQ(load(E1000_IMS, 4), 0);
	CHECK_EQ(load(E1000_CTRL, 4), CTRL_SLU);
}

static void registers(void)
{
	new_card();
	store(E1000_RDBAL, 8, 0x123456789abcdeff);
	CHECK_EQ(load(E1000_RDBAL, 8), 0x123456789abcdef0ULL);
	CHECK_EQ(load(E1000_RDBAL + 1, 1), 0xde);
	CHECK_EQ(load(E1000_RDBAL + 6, 2), 0x1234);
	store(E1000_RDBAL, 2, 0);
	CHECK_EQ(load(E1000_RDBAL, 4), 0x9abcdef0U);
	store(E1000_RDBAL + E1000_RING_LEN, 4, ~0U);
	CHECK_EQ(load(E1000_RDBAL + E1000_RING_LEN, 4), 0xfff80U);
	store(E1000_STATUS, 4, 0);
	CHECK_EQ(load(E1000_STATUS, 4) & STATUS_LU, STATUS_LU);
	store(0x5ffc, 4, 1);					/* no register */
	store(0x1fff8, 8, ~0ULL);
	CHECK_EQ(load(0x5ffc, 4), 0);
	CHECK_EQ(load(0x1fff8, 8), 0);
}

/* ------------------------------------------------------------------ sending */

/* The driver's frame at the data area, @bytes of @number's pattern; @return where */
static uint8_t *compose(unsigned int number, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		ram[DATA + i] = pattern(number, i);
	return ram + DATA;
}

static void sends(void)
{
	uint8_t frame[CABLE_FRAME_MAX];

	new_card();
	start();
	for (unsigned int n = 0; n < 3 * RING; n++) {		/* several times around */
		unsigned int bytes = 60 + n * 20;

		compose(n, bytes);
		offer(DATA, 40, 0);
		offer(DATA + 40, bytes - 40, TXD_EOP | TXD_REPORT);
		CHECK_EQ(fetch(frame), bytes);
		for (unsigned int i = 0; i < bytes; i++)
			CHECK_EQ(frame[i], pattern(n, i));
		CHECK(await(load(E1000_TDH, 4) == load(E1000_TDT, 4)));
	}
	CHECK_EQ(tx_ring()[2 * ((tail + RING - 1) % RING) + 1] >> 32 & 0xff, TXD_DONE);
	CHECK_EQ(load(E1000_ICR, 4) & ICR_TXDW, ICR_TXDW);
	CHECK_EQ(load(E1000_GPTC, 4), 3 * RING);
	CHECK_EQ(load(E1000_GPTC, 4), 0);
	/* A short one is padded; what is in no memory, or no frame, goes nowhere */
	compose(1, 20);
	offer(RAM - 4, 20, TXD_EOP);
	offer(DATA, 4, TXD_EOP);
	offer(DATA, 20, TXD_EOP | TXD_REPORT);
	CHECK_EQ(fetch(frame), 4 + 56);
	CHECK_EQ(frame[19], pattern(1, 19));
	CHECK_EQ(frame[20], 0);
}

/* Ones' complement sum of [start, end): 0xffff, or 0, if a checksum in it is right */
static uint16_t sum(const uint8_t *data, unsigned int start, unsigned int end, uint32_t more)
{
	for (unsigned int i = start; i < end; i++)
		more += (i - start) % 2 ? data[i] : data[i] << 8;
	while (more >> 16)
		more = (more & 0xffff) + (more >> 16);
	return more;
}

#define IP	14
#define TCP	34
#define HEADERS	54

/* An IPv4 and TCP header, with the pseudo-header's sum without its length */
static void compose_tcp(unsigned int bytes)
{
	uint8_t *data = compose(5, bytes);
	uint16_t pseudo;

	memcpy(data + 12, "\x08\x00\x45\x00\0\0\x12\xff\x40\0\x40\x06\0\0\x0a\0\x02\x0f\x0a\0\x02\x02", 22);
	memcpy(data + TCP + 4, "\xff\xff\xff\0\0\0\0\0\x50\x19\x10\0\0\0\0\0", 16);
	pseudo = sum(data, IP + 12, IP + 20, 6);
	data[TCP + 16] = pseudo >> 8;
	data[TCP + 17] = pseudo;
}

#define TCP_CONTEXT	((uint64_t)(IP | (IP + 10) << 8 | (TCP - 1) << 16) | (uint64_t)(TCP | (TCP + 16) << 8) << 32)

static void segments(void)
{
	const unsigned int mss = 1000, payload = 2500;
	uint8_t frame[CABLE_FRAME_MAX];
	unsigned int done = 0;

	new_card();
	start();
	compose_tcp(HEADERS + payload);
	offer2(TCP_CONTEXT, payload | TXD_SEGMENT | TXD_EXTENDED | TXD_CONTEXT_TCP | TXD_CONTEXT_IP4 | (uint64_t)HEADERS << 40 |
	       (uint64_t)mss << 48);
	offer2(DATA, HEADERS | TXD_EXTENDED | TXD_SEGMENT | 1 << 20 | TXD_IXSM | TXD_TXSM);
	offer2(DATA + HEADERS, payload | TXD_EXTENDED | TXD_SEGMENT | TXD_EOP | TXD_REPORT | 1 << 20 | TXD_IXSM | TXD_TXSM);
	for (unsigned int n = 0; n < 3; n++) {
		unsigned int part = n < 2 ? mss : payload - 2 * mss, bytes = fetch(frame);

		CHECK_EQ(bytes, HEADERS + part);
		CHECK_EQ(frame[IP + 2] << 8 | frame[IP + 3], bytes - IP);
		CHECK_EQ(frame[IP + 4] << 8 | frame[IP + 5], 0x12ff + n);
		CHECK_EQ(sum(frame, IP, TCP, 0), 0xffff);
		CHECK_EQ(sum(frame, TCP, bytes, 6 + bytes - TCP + sum(frame, IP + 12, IP + 20, 0)), 0xffff);
		CHECK_EQ((uint32_t)frame[TCP + 4] << 24 | frame[TCP + 5] << 16 | frame[TCP + 6] << 8 | frame[TCP + 7],
			 (uint32_t)(0xffffff00 + done));
		CHECK_EQ(frame[TCP + 13], n < 2 ? 0x10 : 0x19);
		for (unsigned int i = HEADERS; i < bytes; i++)
			CHECK_EQ(frame[i], pattern(5, i + done));
		done += part;
	}
	CHECK(await(load(E1000_TDH, 4) == load(E1000_TDT, 4)));
	CHECK_EQ(load(E1000_TSCTC, 4), 1);
	/* A context whose offsets are not in the headers: nothing goes */
	offer2(TCP_CONTEXT, TXD_SEGMENT | TXD_EXTENDED | TXD_CONTEXT_TCP | (uint64_t)40 << 40 | (uint64_t)mss << 48);
	offer2(DATA, (HEADERS + payload) | TXD_EXTENDED | TXD_SEGMENT | TXD_EOP | 1 << 20 | TXD_TXSM);
	compose(9, 60);
	offer(DATA, 60, TXD_EOP);
	CHECK_EQ(fetch(frame), 60);
}

static void checksums_and_tags(void)
{
	uint8_t frame[CABLE_FRAME_MAX];

	new_card();
	start();
	compose_tcp(HEADERS + 101);
	ram[DATA + TCP + 17] += 121;		/* with its length, as there is no segmentation */
	offer2(TCP_CONTEXT, TXD_EXTENDED | TXD_CONTEXT_TCP | TXD_CONTEXT_IP4);
	store(E1000_CTRL, 4, CTRL_VME | CTRL_SLU);
	offer2(DATA, (HEADERS + 101) | TXD_EXTENDED | TXD_EOP | TXD_VLAN | 1 << 20 | TXD_TXSM | 0x2123ULL << 48);
	CHECK_EQ(fetch(frame), HEADERS + 101 + 4);
	CHECK_EQ(memcmp(frame + 12, "\x81\0\x21\x23\x08\0", 6), 0);
	CHECK_EQ(sum(frame, TCP + 4, HEADERS + 101 + 4, 6 + 121 + sum(frame, IP + 12 + 4, IP + 20 + 4, 0)), 0xffff);
	/* The oldest form's: a sum from one place to the end */
	compose(7, 100);
	ram[DATA + 50] = ram[DATA + 51] = 0;
	offer2(DATA, 100 | 50 << 16 | TXD_EOP | TXD_CHECKSUM | (uint64_t)20 << 40);
	CHECK_EQ(fetch(frame), 100);
	CHECK_EQ(sum(frame, 20, 100, 0), 0xffff);
	/* Places past the frame's end are none */
	compose(7, 100);
	offer2(DATA, 100 | 99 << 16 | TXD_EOP | TXD_CHECKSUM | (uint64_t)200 << 40);
	CHECK_EQ(fetch(frame), 100);
	CHECK_EQ(frame[99], pattern(7, 99));
}

/* ------------------------------------------------------------------ receiving */

static void check_received(unsigned int slot, unsigned int number, unsigned int first, unsigned int bytes, unsigned int all)
{
	CHECK_EQ(rx_word(slot) & 0xffff, all);
	for (unsigned int i = 0; i < bytes; i++) {
		if (first + i >= ETH_ALEN)
			CHECK_EQ(ram[room_at(slot) + i], pattern(number, first + i));
	}
}

static bool got(unsigned int slot)
{
	return await(rx_word(slot) & RXD_DONE);
}

static void receives(void)
{
	new_card();
	start();
	store(E1000_IMS, 4, ICR_RXT0);
	arrive(mac, 1, 1000);
	CHECK(got(0));
	check_received(0, 1, 0, 1000, 1004);
	CHECK_EQ(rx_word(0) & (RXD_EOP | RXD_IXSM), RXD_EOP | RXD_IXSM);
	CHECK(await(__atomic_load_n(&lines, __ATOMIC_SEQ_CST)));
	CHECK_EQ(load(E1000_ICR, 4) & ICR_RXT0, ICR_RXT0);
	CHECK_EQ(lines, 0);
	/* A short one is padded; a long one takes two buffers, or is none */
	arrive(mac, 2, 30);
	CHECK(got(1));
	check_received(1, 2, 0, 30, 64);
	store(E1000_RCTL, 4, RCTL_EN | RCTL_SECRC | RCTL_LPE | 1 << 16);
	arrive(mac, 3, 1600);
	CHECK(got(3));
	check_received(2, 3, 0, 1024, 1024);
	check_received(3, 3, 1024, 576, 576);
	CHECK_EQ(rx_word(2) & RXD_EOP, 0);
	CHECK_EQ(rx_word(3) & RXD_EOP, RXD_EOP);
	store(E1000_RCTL, 4, RCTL_EN | RCTL_SECRC);
	arrive(mac, 4, 1600);
	arrive(mac, 5, 60);
	CHECK(got(4));
	check_received(4, 5, 0, 60, 60);
	CHECK_EQ(load(E1000_ROC, 4), 1);
	CHECK_EQ(load(E1000_GPRC, 4), 4);
	/* The ring is full: what comes waits for the driver */
	for (unsigned int i = 5; i < RING - 1; i++)
		arrive(mac, i, 60);
	CHECK(got(RING - 2));
	arrive(mac, 77, 60);
	usleep(20000);
	CHECK_EQ(load(E1000_RDBAL + E1000_RING_HEAD, 4), RING - 1);
	CHECK_EQ(load(E1000_ICR, 4) & ICR_RXDMT0, ICR_RXDMT0);
	store(E1000_RDT, 4, 2);
	CHECK(got(RING - 1));
	check_received(RING - 1, 77, 0, 60, 60);
}

static void filters(void)
{
	static const uint8_t other[ETH_ALEN] = { 2, 9, 9, 9, 9, 9 }, all[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t group[ETH_ALEN] = { 1, 0, 0x5e, 0, 0x34, 0x12 };
	unsigned int next = 0, hash = 0x1234 >> 4;

	new_card();
	start();
	store(E1000_RCTL, 4, RCTL_EN);
	arrive(other, 1, 60);
	arrive(all, 1, 60);
	arrive(group, 1, 60);
	arrive(mac, 2, 60);
	CHECK(got(next));
	check_received(next++, 2, 0, 60, 64);
	store(E1000_RCTL, 4, RCTL_EN | RCTL_BAM);
	store(E1000_MTA + hash / 32 * 4, 4, 1U << hash % 32);
	arrive(other, 1, 60);
	arrive(all, 3, 60);
	arrive(group, 4, 60);
	CHECK(got(next + 1));
	check_received(next++, 3, 0, 60, 64);
	CHECK_EQ(rx_word(next) & RXD_INEXACT, RXD_INEXACT);
	check_received(next++, 4, 0, 60, 64);
	store(E1000_RCTL, 4, RCTL_EN | RCTL_UPE);
	arrive(other, 5, 60);
	CHECK(got(next));
	check_received(next++, 5, 0, 60, 64);
	store(E1000_RCTL, 4, RCTL_EN);
	store(E1000_RA + 8, 8, (uint64_t)(RAH_AV | 0x0909) << 32 | 0x09090902);
	arrive(other, 6, 60);
	CHECK(got(next));
	check_received(next++, 6, 0, 60, 64);
}

static void pulled(void)
{
	new_card();
	start();
	store(E1000_IMS, 4, ICR_LSC);
	close(ends[1]);
	ends[1] = -1;
	CHECK(await(!(load(E1000_STATUS, 4) & STATUS_LU)));
	CHECK_EQ(lines, 1);
	CHECK_EQ(mdi(MDIC_READ | 1 << 21 | MII_BMSR << 16) & BMSR_LSTATUS, 0);
	compose(1, 60);
	offer(DATA, 60, TXD_EOP | TXD_REPORT);		/* to nobody */
	CHECK(await(load(E1000_TDH, 4) == load(E1000_TDT, 4)));
}

/* Rings that are not in memory, indices that are not in the ring: nothing, until they are right */
static void bad_rings(void)
{
	uint8_t frame[CABLE_FRAME_MAX];

	new_card();
	start();
	store(E1000_TDBAL, 4, RAM - 16);
	offer(DATA, 60, TXD_EOP);
	store(E1000_RDBAL + E1000_RING_BAH, 4, 1);
	arrive(mac, 1, 60);
	usleep(20000);
	store(E1000_TDT, 4, 0xffff);
	store(E1000_RDT, 4, 0xffff);
	usleep(20000);
	store(E1000_TDBAL + E1000_RING_LEN, 4, 0);
	store(E1000_TDT, 4, 5);
	usleep(20000);
	CHECK_LE(load(E1000_TDH, 4), 1);
	store(E1000_CTRL, 4, CTRL_RST);
	start();
	compose(2, 60);
	offer(DATA, 60, TXD_EOP);
	CHECK_EQ(fetch(frame), 60);
	CHECK(got(0));
	check_received(0, 1, 0, 60, 64);
}

static const struct ktap_case cases[] = {
	{ "EEPROM, by its pins and by its register", eeprom },
	{ "PHY", phy },
	{ "causes and mask of the interrupt", causes_and_mask },
	{ "registers of all widths", registers },
	{ "sends frames of several buffers", sends },
	{ "cuts segments", segments },
	{ "inserts checksums and tags", checksums_and_tags },
	{ "receives frames, each when there is room", receives },
	{ "addresses are filtered", filters },
	{ "a cable that is pulled is a link down", pulled },
	{ "bad rings do nothing, and a reset mends them", bad_rings },
};
KTAP_MAIN(cases)
