// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated network card under libFuzzer, with the sanitizers on: a script of register accesses, descriptors, writes
 * to the guest's memory, frames from outside, and turns of the card's thread. Called with "--" it is a plain libFuzzer
 * program.
 */
#include "e1000_driver.h"
#include "fuzz.h"

#define RUNS		30000
#define TURNS		8	/* of the thread, at most, for one step */

enum { COUNT_RUNS, COUNT_RECEIVED, COUNT_SENT, COUNT_SEGMENTED };

static const uint8_t mac[ETH_ALEN] = { 2 };
static int cable[2];

static const uint16_t interesting[] = {
	E1000_CTRL, E1000_EECD, E1000_EERD, E1000_MDIC, E1000_ICS, E1000_IMS, E1000_RCTL, E1000_TCTL, E1000_VET, E1000_RDBAL,
	E1000_RDBAL + E1000_RING_BAH, E1000_RDBAL + E1000_RING_LEN, E1000_RDBAL + E1000_RING_HEAD, E1000_RDT, E1000_TDBAL,
	E1000_TDBAL + E1000_RING_BAH, E1000_TDBAL + E1000_RING_LEN, E1000_TDH, E1000_TDT, E1000_MTA, E1000_RA, E1000_RA + 4,
	E1000_VFTA, E1000_GORCL,
};

static void set_up(void)
{
	new_machine();
	CHECK_SYS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, cable));
	CHECK_EQ(e1000_init(&card, &memory, cable[0], mac), 0);
	/* Without the thread: the script gives the turns */
	CHECK_EQ(pci_add(&bus, &card.pci), 0);
}

/* @return the frames that were there */
static unsigned int drain(int fd)
{
	static uint8_t frame[CABLE_FRAME_MAX];
	unsigned int count = 0;

	while (read(fd, frame, sizeof(frame)) > 0)
		count++;
	return count;
}

static void arrive(unsigned int bytes, uint8_t first)
{
	uint8_t frame[20000] = { first };

	if (write(cable[1], frame, ETH_HLEN + bytes % (sizeof(frame) - ETH_HLEN)) < 0)
		CHECK_EQ(errno, EAGAIN);
}

/* However long a guest makes it, each turn ends, and what is left is a guest's own doing */
static void turns(void)
{
	bool more = true;

	for (int i = 0; more && i < TURNS; i++)
		take_turn(&card, &more);
}

/* A descriptor of the right shape, which the script then spoils */
static void transmit(const uint8_t *op)
{
	uint64_t bytes = (op[2] | op[3] << 8) & 0x3fff, flags = (uint64_t)op[4] << 24, high = (uint64_t)op[5] << 40;

	if (op[1] & 1)
		offer2(0x2210000e | (uint64_t)(op[6] << 8 | op[7]) << 32, (flags & ~TXD_EOP) | TXD_EXTENDED | high |
		       (uint64_t)(op[2] | (op[3] & 7) << 8) << 48);
	else
		offer2(DATA, bytes | flags | high | (op[1] & 2 ? TXD_EXTENDED | 1 << 20 : 0));
}

static void step(const uint8_t *op)
{
	uint64_t value = op[4] | op[5] << 8 | (uint64_t)op[6] << 16 | (uint64_t)op[7] << 24;
	unsigned int known = interesting[op[1] % ARRAY_SIZE(interesting)];

	switch (op[0] % 8) {
	case 0:
		store(known, 4, value);
		break;
	case 1:
		store((op[1] | op[2] << 8) & 0xfff8, 1U << op[3] % 4, value);
		break;
	case 2:
		load(op[1] & 1 ? known & ~7U : (op[2] | op[3] << 8) & 0xfff8, 1U << op[4] % 4);
		break;
	case 3:
		memcpy(ram + RX_RING + (op[1] | op[2] << 8) % 0x2000, op + 3, 5);
		break;
	case 4:
	case 5:
		transmit(op);
		break;
	case 6:
		arrive(op[2] | op[3] << 8, op[1]);
		turns();
		break;
	default:
		start();
		break;
	}
}

static int target(const uint8_t *data, size_t count)
{
	unsigned int out;

	store(E1000_CTRL, 4, CTRL_RST | CTRL_PHY_RST);
	card.in_bytes = 0;
	drain(cable[0]);
	start();
	for (size_t i = 0; i + 8 <= count; i += 8)
		step(data + i);
	turns();
	if (fuzz_count)
		fuzz_count[COUNT_SEGMENTED] += load(E1000_TSCTC, 4);
	/* If the script has left the card in order: a frame each way */
	arrive(100, 255);
	offer(DATA, 100, TXD_EOP);
	turns();
	out = drain(cable[1]);
	if (fuzz_count) {
		fuzz_count[COUNT_RUNS]++;
		fuzz_count[COUNT_SENT] += out;
		fuzz_count[COUNT_RECEIVED] += load(E1000_GPRC, 4);
	}
	return 0;
}

static const struct fuzz fuzz = {
	.name = "e1000_fuzz", .target = target, .set_up = set_up, .runs = RUNS, .max_bytes = 256, .option = "-len_control=0",
};

static void many_runs(void)
{
	fuzz_run(&fuzz);
	CHECK_GE(fuzz_count[COUNT_RECEIVED], RUNS / 100);		/* it got through */
	CHECK_GE(fuzz_count[COUNT_SENT], RUNS / 100);
	CHECK_GT(fuzz_count[COUNT_SEGMENTED], 0);
	ktap_diag("%lu runs, %lu frames received, %lu sent, %lu cut into segments", fuzz_count[COUNT_RUNS],
		  fuzz_count[COUNT_RECEIVED], fuzz_count[COUNT_SENT], fuzz_count[COUNT_SEGMENTED]);
}

static const struct ktap_case cases[] = {
	{ "30,000 runs guided by coverage", many_runs },
};

int main(int argc, char **argv)
{
	return fuzz_main(&fuzz, cases, ARRAY_SIZE(cases), argc, argv);
}
