// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus, the virtio transport and the device models under libFuzzer, with the sanitizers on: a script of port and
 * register accesses, writes to the guest's memory, and turns of the queues' threads. Called with "--" it is a plain libFuzzer program.
 */
#include <asm/types.h>

#include "../lib/ktap.c"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../../tools/devices/guestmem.c"
#include "../../tools/devices/mmio.c"
#include "../../tools/devices/msix.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pci.c"
#include "../../tools/devices/virtq.c"
#include "../../tools/devices/virtio_pci.c"
#define process process_rng
#include "../../tools/devices/virtio_rng.c"
#undef process
#define process process_blk
#include "../../tools/devices/virtio_blk.c"
#undef process
#define process process_net
#include "../../tools/devices/virtio_net.c"
#undef process

#define RAM		0x4000
#define SIZE		8
#define RUNS		100000
#define TEXT_(x)	#x
#define TEXT(x)		TEXT_(x)

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t count));

static uint8_t *ram;
static struct guest_memory memory;
static struct port_space ports;
static struct mmio_space mmio;
static struct pci_bus bus;
static struct virtio_blk blk;
static struct virtio_device rng;
static struct virtio_net net;
static int cable[2];
static unsigned long *runs, *answers, *received, *sent;

static int send_msi(void *arg, uint64_t address, uint32_t data)
{
	return 0;
}

static void set_line(void *arg, unsigned int line, bool level)
{
}

static struct virtio_host host = { .memory = &memory, .msix = { .send = send_msi } };

static void set_up(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	/* From malloc, so that the sanitizer sees each byte past its end */
	ram = aligned_alloc(4096, RAM);
	CHECK(ram && fd >= 0);
	CHECK_EQ(ftruncate(fd, 64 << 10), 0);
	CHECK_EQ(guest_memory_add(&memory, 0, RAM, ram), 0);
	CHECK_EQ(ports_init(&ports), 0);
	mmio_init(&mmio);
	CHECK_EQ(pci_init(&bus, &ports, &mmio, set_line, NULL), 0);
	CHECK_EQ(virtio_blk_init(&blk, &host, fd, 64 << 10, false, 2), 0);
	CHECK_EQ(virtio_rng_init(&rng, &host), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, cable), 0);
	CHECK_EQ(virtio_net_init(&net, &host, cable[0], (const uint8_t[ETH_ALEN]){ 2 }), 0);
	/* Without threads: the script gives the turns */
	CHECK_EQ(pci_add(&bus, &blk.virtio.pci), 0);
	CHECK_EQ(pci_add(&bus, &rng.pci), 0);
	CHECK_EQ(pci_add(&bus, &net.virtio.pci), 0);
}

static void store(uint64_t gpa, unsigned int bytes, uint64_t value)
{
	mmio_access(&mmio, gpa, bytes, true, &value);
}

/* A driver's start; rings at 0, 0x400, 0x800 for queue 0, and 0x1000 on for queue 1 */
static void start(uint64_t bar, unsigned int queues, uint32_t more)
{
	uint32_t features = ram[RAM - 1] & 1 ? (uint32_t)TRANSPORT_FEATURES : 1U << VIRTIO_RING_F_INDIRECT_DESC;

	store(bar + VIRTIO_PCI_COMMON_STATUS, 1, 0);
	store(bar + VIRTIO_PCI_COMMON_STATUS, 1, 3);
	store(bar + VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	store(bar + VIRTIO_PCI_COMMON_GF, 4, 1);
	store(bar + VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	store(bar + VIRTIO_PCI_COMMON_GF, 4, features | more);
	store(bar + VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned int i = 0; i < queues; i++) {
		store(bar + VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		store(bar + VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
		store(bar + VIRTIO_PCI_COMMON_Q_DESCLO, 8, i << 12);
		store(bar + VIRTIO_PCI_COMMON_Q_AVAILLO, 8, i << 12 | 0x400);
		store(bar + VIRTIO_PCI_COMMON_Q_USEDLO, 8, i << 12 | 0x800);
		store(bar + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	store(bar + VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void start_all(void)
{
	start(PCI_WINDOW, 2, 0);
	start(PCI_WINDOW + BAR_BYTES, 1, 0);
	start(PCI_WINDOW + 2 * BAR_BYTES, 2, ram[RAM - 1] & 2 ? 1U << VIRTIO_NET_F_MRG_RXBUF : 0);
}

/* A frame from outside, and the network card's turn */
static void arrive(unsigned int bytes)
{
	static const uint8_t frame[4096];

	if (write(cable[1], frame, ETH_HLEN + bytes % (sizeof(frame) - ETH_HLEN)) < 0)
		CHECK_EQ(errno, EAGAIN);
	serve(&net.virtio.queue[RECEIVE]);
}

/* @return the frames that were there */
static unsigned int drain(int fd)
{
	static uint8_t frame[VIRTIO_NET_FRAME_MAX];
	unsigned int count = 0;

	while (read(fd, frame, sizeof(frame)) > 0)
		count++;
	return count;
}

/* A request of the right shape, which the script then spoils; without its @head, it is a buffer to receive into */
static void offer(unsigned int queue, uint8_t type, uint8_t sector, unsigned int head)
{
	struct vring_desc *desc = (struct vring_desc *)(ram + (queue << 12));
	uint16_t *avail = (uint16_t *)(ram + (queue << 12 | 0x400));
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };

	memcpy(ram + 0x2000, &header, sizeof(header));
	desc[0] = (struct vring_desc){ 0x2000, 16, VRING_DESC_F_NEXT, 1 };
	desc[1] = (struct vring_desc){ 0x3000, 512, VRING_DESC_F_NEXT | (type & 1 ? 0 : VRING_DESC_F_WRITE), 2 };
	desc[2] = (struct vring_desc){ 0x2100, 1, VRING_DESC_F_WRITE, 0 };
	avail[2 + avail[1] % SIZE] = head;
	avail[1]++;
}

static void step(const uint8_t *op)
{
	static const uint64_t bases[] = {
		PCI_WINDOW, PCI_WINDOW + BAR_BYTES, PCI_WINDOW + 2 * BAR_BYTES,
		PCI_ECAM + 0x8000, PCI_ECAM + 0x10000, PCI_ECAM + 0x18000,
	};
	static const uint16_t parts[] = { AT_COMMON, AT_ISR, AT_DEVICE, AT_NOTIFY, AT_TABLE, AT_PENDING, AT_COMMON, AT_COMMON };
	uint64_t value = op[4] | op[5] << 8 | (uint64_t)op[6] << 16 | (uint64_t)op[7] << 56, at;
	uint8_t wide[64] = { op[4], op[5], op[6] };

	switch (op[0] % 8) {
	case 0:
		at = bases[op[1] % 6] + (op[1] % 6 > 2 ? 0 : parts[op[2] >> 5]);
		store(at + (op[3] & 0x7f), 1U << op[2] % 4, value);
		break;
	case 1:
		at = bases[op[1] % 6] + (op[1] % 6 > 2 ? 0 : parts[op[2] >> 5]);
		mmio_access(&mmio, at + op[3], op[2] % 64 + 1, false, wide);
		break;
	case 2:
		ports_access(&ports, 0xcf8 + op[1] % 8, 1U << op[2] % 3, 1, op[3] & 1, wide);
		break;
	case 3:
	case 4:
		memcpy(ram + ((op[1] | op[2] << 8) % (RAM - 8)), op + 3, 1 + op[0] / 8 % 5);
		break;
	case 5:
		offer(op[1] & 1, op[2], op[3], op[4] & 1);
		break;
	case 6:
		if (op[1] & 2) {
			arrive(op[2] | op[3] << 8);
			serve(&net.virtio.queue[TRANSMIT]);
			break;
		}
		serve(&blk.virtio.queue[op[1] & 1]);
		serve(&rng.queue[0]);
		break;
	default:
		start_all();
		break;
	}
}

static int target(const uint8_t *data, size_t count)
{
	memset(ram, 0, RAM);
	if (count)
		ram[RAM - 1] = data[0];
	net.frame_bytes = 0;
	drain(cable[0]);
	for (unsigned int i = 0; i < 3; i++) {
		struct pci_device *card = i == 2 ? &net.virtio.pci : i ? &rng.pci : &blk.virtio.pci;

		store(PCI_ECAM + 0x8000 * (i + 1) + 0x10, 4, PCI_WINDOW + i * BAR_BYTES);
		store(PCI_ECAM + 0x8000 * (i + 1) + 4, 2, 2);
		msix_reset(&card->msix);
	}
	start_all();
	for (size_t i = 1; i + 8 <= count; i += 8)
		step(data + i);
	serve(&blk.virtio.queue[0]);
	serve(&blk.virtio.queue[1]);
	serve(&rng.queue[0]);
	arrive(100);
	serve(&net.virtio.queue[TRANSMIT]);
	if (runs) {
		++*runs;
		*answers += blk.virtio.queue[0].ring.next_used + blk.virtio.queue[1].ring.next_used;
		*received += net.virtio.queue[RECEIVE].ring.next_used;
		*sent += drain(cable[1]);
	} else {
		drain(cable[1]);
	}
	return 0;
}

/* libFuzzer ends the process: 0 after all runs, else what it found is on stderr and in the crash file that it names */
static void fuzz(void *unused)
{
	char *arguments[] = { "virtio_fuzz", "-runs=" TEXT(RUNS), "-seed=1", "-max_len=257", "-len_control=0", "-verbosity=0",
			      "-artifact_prefix=/tmp/virtio_fuzz-", NULL };
	char **argv = arguments;
	int argc = ARRAY_SIZE(arguments) - 1;

	exit(LLVMFuzzerRunDriver(&argc, &argv, target));
}

static void many_runs(void)
{
	int status;

	ktap_timeout(550);
	runs = mmap(NULL, 4 * sizeof(*runs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(runs != MAP_FAILED);
	answers = runs + 1;
	received = runs + 2;
	sent = runs + 3;
	set_up();
	status = ktap_fork(fuzz, NULL);
	CHECK_THAT(!status, "libFuzzer ended with wait status %#x: its report is on stderr", status);
	CHECK_GE(*runs, RUNS);
	CHECK_GE(*answers, RUNS / 100);		/* it got through to the disk */
	CHECK_GE(*received, RUNS / 100);
	CHECK_GE(*sent, RUNS / 100);
	ktap_diag("%lu runs, %lu answers by the disk, %lu buffers received into, %lu frames sent", *runs, *answers,
		  *received, *sent);
}

static const struct ktap_case cases[] = {
	{ "100,000 runs guided by coverage", many_runs },
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--")) {
		argv++;
		argc--;
		set_up();
		return LLVMFuzzerRunDriver(&argc, &argv, target);
	}
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
