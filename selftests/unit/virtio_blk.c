// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio block and entropy devices with all below them, driven by registers and rings as a guest's driver does it.
 */
#include "virtio_driver.h"

#include <sys/mman.h>

#include "../../tools/devices/virtio_rng.c"
#include "../../tools/devices/disk_ring.c"
#include "../../tools/devices/virtio_blk.c"

#define DISK		(64 * 1024)

static struct virtio_blk blk;
static struct virtio_device rng;
static FILE *disk;
static bool use_rings;

static void free_all(void *arg)
{
	use_rings = false;
	if (device == &rng)
		virtio_free(device);
	else
		virtio_blk_free(&blk);
	ports_free(&ports);
	if (disk)
		fclose(disk);
	disk = NULL;
}

static void new_disk(bool readonly)
{
	new_machine();
	disk = tmpfile();
	CHECK(disk);
	CHECK_EQ(ftruncate(fileno(disk), DISK), 0);
	CHECK_EQ(virtio_blk_init(&blk, &host, fileno(disk), DISK, readonly, 2), 0);
	device = &blk.virtio;
	if (use_rings && !virtio_blk_use_rings(&blk)) {
		use_rings = false;
		SKIP("io_uring is not permitted here");
	}
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_all, NULL);
}

static uint8_t request(uint32_t type, uint64_t sector, uint32_t bytes, bool in)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	uint16_t head = next_descriptor % SIZE;

	memcpy(ram + DATA, &header, sizeof(header));
	ram[DATA + 100] = 0xee;
	buffer(DATA, sizeof(header), VRING_DESC_F_NEXT);
	if (bytes)
		buffer(DATA + 0x1000, bytes, VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0));
	buffer(DATA + 100, 1, VRING_DESC_F_WRITE);
	CHECK(go(0, head));
	return ram[DATA + 100];
}

static void configuration(void)
{
	new_disk(false);
	CHECK_EQ(load(AT_DEVICE, 8), DISK / 512);
	CHECK_EQ(load(AT_DEVICE + 34, 2), 2);
	CHECK_EQ(load(AT_DEVICE + 1000, 4), 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_Q_SIZE, 2), VIRTQ_SIZE_MAX);
	store(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	/* Without VERSION_1, or with a feature not offered, no FEATURES_OK */
	store(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 3);
	store(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	store(VIRTIO_PCI_COMMON_GF, 4, 0x80000001);
	store(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 3);
	store(VIRTIO_PCI_COMMON_Q_MSIX, 2, 77);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_Q_MSIX, 2), 0);
	store(VIRTIO_PCI_COMMON_MSIX, 2, 77);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_MSIX, 2), NO_VECTOR);
}

static uint32_t config_access(unsigned int reg, unsigned int bytes, bool write, uint32_t value)
{
	uint32_t address = 0x80000000 | 1 << 11 | (reg & 0xfc);

	ports_access(&ports, 0xcf8, 4, 1, false, &address);
	ports_access(&ports, 0xcfc + (reg & 3), bytes, 1, !write, &value);
	return value;
}

/* The device's registers without its BAR, as a BIOS reaches them */
static void window(void)
{
	unsigned int at = 0;

	new_disk(false);
	for (unsigned int cap = config_access(0x34, 1, false, 0); cap; cap = config_access(cap + 1, 1, false, 0)) {
		if (config_access(cap, 1, false, 0) == 0x09 && config_access(cap + 3, 1, false, 0) == VIRTIO_PCI_CAP_PCI_CFG)
			at = cap;
	}
	CHECK(at);
	config_access(at + 8, 4, true, AT_DEVICE);
	config_access(at + 12, 4, true, 4);
	CHECK_EQ(config_access(at + 8, 4, false, 0), AT_DEVICE);
	CHECK_EQ(config_access(at + 16, 4, false, 0), DISK / 512);
	config_access(at + 8, 4, true, VIRTIO_PCI_COMMON_STATUS);
	config_access(at + 12, 4, true, 1);
	config_access(at + 16, 1, true, 3);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 3);
	CHECK_EQ(config_access(at + 16, 1, false, 0), 3);
	/* Another width, another BAR, a place past the end: nothing */
	CHECK_EQ(config_access(at + 16, 2, false, 0), 0);
	config_access(at + 4, 1, true, 1);
	config_access(at + 16, 1, true, 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 3);
	config_access(at + 4, 1, true, 0);
	config_access(at + 8, 4, true, BAR_BYTES);
	CHECK_EQ(config_access(at + 16, 1, false, 0), 0);
	config_access(at + 8, 4, true, ~0U);
	CHECK_EQ(config_access(at + 16, 1, false, 0), 0);
}

static void reads_and_writes(void)
{
	char name[21] = { 0 };

	new_disk(false);
	start(0, true);
	memset(ram + DATA + 0x1000, 0x5a, 4096);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 8, 4096, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	memset(ram + DATA + 0x1000, 0, 4096);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 8, 4096, true), VIRTIO_BLK_S_OK);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(ram[DATA + 0x1000 + i], 0x5a);
	for (int i = 0; __atomic_load_n(&messages, __ATOMIC_SEQ_CST) < 3 && i < 5000; i++)
		usleep(1000);		/* the message follows the used index */
	CHECK_EQ(__atomic_load_n(&messages, __ATOMIC_SEQ_CST), 3);
	CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	memcpy(name, ram + DATA + 0x1000, 20);
	CHECK_STR(name, ID);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, DISK / 512 - 1, 512, true), VIRTIO_BLK_S_OK);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, DISK / 512 - 1, 1024, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, ~0ULL, 512, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, ~0ULL >> 9, 1024, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 511, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(99, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
}

static void discards(void)
{
	struct virtio_blk_discard_write_zeroes range = { 8, 4, 0 };

	new_disk(false);
	start(0, true);
	memset(ram + DATA + 0x1000, 0x5a, 4096);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 8, 4096, false), VIRTIO_BLK_S_OK);
	memcpy(ram + DATA + 0x1000, &range, sizeof(range));
	CHECK_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), false), VIRTIO_BLK_S_OK);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 8, 4096, true), VIRTIO_BLK_S_OK);
	CHECK_EQ(ram[DATA + 0x1000], 0);
	CHECK_EQ(ram[DATA + 0x1000 + 2047], 0);
	CHECK_EQ(ram[DATA + 0x1000 + 2048], 0x5a);
	memcpy(ram + DATA + 0x1000, &range, sizeof(range));
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), false), VIRTIO_BLK_S_OK);
	range.sector = ~0ULL;
	memcpy(ram + DATA + 0x1000, &range, sizeof(range));
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_DISCARD, 0, 15, false), VIRTIO_BLK_S_UNSUPP);
	range.flags = ~0U;
	memcpy(ram + DATA + 0x1000, &range, sizeof(range));
	CHECK_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), false), VIRTIO_BLK_S_UNSUPP);
}

static void read_only(void)
{
	new_disk(true);
	start(0, false);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	/* No MSI-X: the line, until the status is read */
	while (!__atomic_load_n(&lines, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK_EQ(load(AT_ISR, 1) & 1, 1);
}

static void broken_and_reset(void)
{
	new_disk(false);
	start(1, true);
	buffer(RAM - 8, 16, 0);
	CHECK(!go(1, 0));
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 15 | VIRTIO_CONFIG_S_NEEDS_RESET);
	start(0, true);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	buffer(DATA, 4, VRING_DESC_F_NEXT);	/* no whole header */
	buffer(DATA + 100, 1, VRING_DESC_F_WRITE);
	CHECK(!go(0, next_descriptor % SIZE - 2));
	/* Rings that are nowhere */
	start(0, true);
	store(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	store(VIRTIO_PCI_COMMON_Q_DESCLO, 8, ~0xfULL);
	store(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 15 | VIRTIO_CONFIG_S_NEEDS_RESET);
	start(0, true);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
}

static void ring_reads_and_writes(void)
{
	use_rings = true;
	reads_and_writes();
}

static void ring_read_only(void)
{
	use_rings = true;
	read_only();
}

static void ring_broken_and_reset(void)
{
	use_rings = true;
	broken_and_reset();
}

#define MANY	5		/* requests of three descriptors */

/* Puts MANY requests of a sector each into the ring, and one kick for all; request i at DATA + i * 0x1000 */
static void offer_many(uint32_t type)
{
	uint16_t *avail = (uint16_t *)(ram + RING + 0x1000);

	for (unsigned int i = 0; i < MANY; i++) {
		struct virtio_blk_outhdr header = { .type = type, .sector = 3 * i };
		uint64_t at = DATA + i * 0x1000;

		memcpy(ram + at, &header, sizeof(header));
		avail[2 + offered++ % SIZE] = next_descriptor % SIZE;
		buffer(at, sizeof(header), VRING_DESC_F_NEXT);
		buffer(at + 0x200, 512, VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0));
		buffer(at + 0x100, 1, VRING_DESC_F_WRITE);
	}
	__atomic_store_n(&avail[1], offered, __ATOMIC_RELEASE);
	store(AT_NOTIFY, 2, 0);
}

static void ring_many(void)
{
	unsigned char sector[512];

	use_rings = true;
	new_disk(false);
	for (unsigned int i = 0; i < MANY; i++) {
		memset(sector, 0x11 * (i + 1), sizeof(sector));
		CHECK_EQ(pwrite(fileno(disk), sector, sizeof(sector), 3 * 512 * i), 512);
	}
	start(0, true);
	offer_many(VIRTIO_BLK_T_IN);
	CHECK(given_back(MANY));
	for (unsigned int i = 0; i < MANY; i++) {
		uint8_t *at = ram + DATA + i * 0x1000;

		CHECK_EQ(at[0x100], VIRTIO_BLK_S_OK);
		CHECK_EQ(at[0x200], 0x11 * (i + 1));
		CHECK_EQ(at[0x3ff], 0x11 * (i + 1));
		CHECK_EQ(at[0x400], 0);
	}
}

/* After a reset the device leaves memory alone, whatever was under way */
static void ring_reset(void)
{
	use_rings = true;
	new_disk(false);
	for (unsigned int round = 0; round < 200; round++) {
		start(0, true);
		for (unsigned int i = 0; i < MANY; i++)
			memset(ram + DATA + i * 0x1000, 0xee, 0x1000);
		offer_many(VIRTIO_BLK_T_IN);
		if (round % 2)
			usleep(round);
		store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		for (unsigned int i = 0; i < MANY; i++)
			memset(ram + DATA + i * 0x1000, 0xdd, 0x1000);
		CHECK_EQ(blk.queue[0].busy, 0);
		usleep(500);
		for (unsigned int i = 0; i < MANY; i++)
			CHECK_EQ(ram[DATA + i * 0x1000 + 0x200], 0xdd);
	}
	start(0, true);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
}

static int open_ring(struct disk_ring *ring, int *fd)
{
	*fd = memfd_create("disk", MFD_CLOEXEC);
	CHECK_GE(*fd, 0);
	return disk_ring_open(ring, *fd, 4);
}

/* A ring does what it is for, and nothing else, whoever asks */
static void ring_restricted(void)
{
	struct disk_ring ring;
	struct io_uring_sqe *sqe;
	int fd, result, token;

	if (open_ring(&ring, &fd))
		SKIP("io_uring is not permitted here");
	disk_ring_add(&ring, DISK_FLUSH, NULL, 0, 0, &token);
	disk_ring_submit(&ring);
	CHECK(disk_ring_next(&ring, true, &result) == &token);
	CHECK_EQ(result, 0);
	sqe = io_uring_get_sqe(&ring.uring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	io_uring_sqe_set_data(sqe, &token);
	disk_ring_submit(&ring);
	CHECK(disk_ring_next(&ring, true, &result) == &token);
	CHECK_EQ(result, -EACCES);
	sqe = io_uring_get_sqe(&ring.uring);
	io_uring_prep_fsync(sqe, fd, 0);		/* a file of the process, not of the ring */
	io_uring_sqe_set_data(sqe, &token);
	disk_ring_submit(&ring);
	CHECK(disk_ring_next(&ring, true, &result) == &token);
	CHECK_EQ(result, -EACCES);
	disk_ring_close(&ring);
	close(fd);
}

/* Any register written with anything, at any time: the device answers after a reset */
static void random_registers(void)
{
	new_disk(false);
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		static const uint64_t parts[] = { AT_COMMON, AT_COMMON, AT_COMMON, AT_ISR, AT_DEVICE, AT_NOTIFY, AT_TABLE, AT_PENDING };
		uint64_t offset = parts[random() % 8] + random() % 72;
		unsigned int bytes = 1 << random() % 4;

		if (random() % 4)
			store(offset, bytes, random() % 3 ? random() % 64 : (uint64_t)random() << 13);
		else
			load(offset, bytes);
	}
	start(0, true);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
}

static void entropy(void)
{
	unsigned int zeroes = 0;

	new_machine();
	CHECK_EQ(virtio_rng_init(&rng, &host), 0);
	device = &rng;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_all, NULL);
	start(0, true);
	buffer(DATA, 64, VRING_DESC_F_WRITE);
	CHECK(go(0, 0));
	for (int i = 0; i < 64; i++)
		zeroes += !ram[DATA + i];
	CHECK_LT(zeroes, 32);
	CHECK_EQ(used_bytes(0), 64);
	CHECK_EQ(ram[DATA + 64], 0);
}

static const struct ktap_case cases[] = {
	{ "configuration and features", configuration },
	{ "registers by way of configuration space", window },
	{ "reads, writes, flushes, and their bounds", reads_and_writes },
	{ "discards and zeroes", discards },
	{ "a read-only disk, and INTx", read_only },
	{ "what breaks a queue needs a reset, and a reset mends it", broken_and_reset },
	{ "by io_uring: reads, writes, flushes, and their bounds", ring_reads_and_writes },
	{ "by io_uring: a read-only disk", ring_read_only },
	{ "by io_uring: what breaks a queue", ring_broken_and_reset },
	{ "by io_uring: several requests at once", ring_many },
	{ "by io_uring: a reset while they are under way", ring_reset },
	{ "a ring of a disk can do nothing else", ring_restricted },
	{ "100,000 random register accesses", random_registers },
	{ "the entropy device", entropy },
};
KTAP_MAIN(cases)
