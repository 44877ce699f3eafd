// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI bus, the virtio transport and the device models under libFuzzer, with the sanitizers on: a script of port and
 * register accesses, writes to the guest's memory, and turns of the queues' threads. Called with "--" it is a plain libFuzzer program.
 */
#include "../lib/ktap.c"

#include <fcntl.h>
#include <sys/socket.h>

#include "../../tools/devices/guestmem.c"
#include "../../tools/devices/mmio.c"
#include "../../tools/devices/msix.c"
#include "../../tools/devices/ports.c"
#include "../../tools/devices/pci.c"
#include "../../tools/devices/virtq.c"
#include "../../tools/devices/virtio_pci.c"
#include "../../tools/devices/virtio_rng.c"
#include "../../tools/devices/disk_ring.c"
#include "../../tools/devices/virtio_blk.c"
#include "../../tools/devices/virtio_9p.c"
#include "../../tools/devices/virtio_console.c"
#include "../../tools/devices/cable.c"
#include "../../tools/devices/vhost.c"
#include "../../tools/devices/virtio_net.c"
#include "fuzz.h"

#define RAM		0x4000
#define SIZE		8
#define RUNS		100000

static uint8_t *ram;
static struct guest_memory memory;
static struct port_space ports;
static struct mmio_space mmio;
static struct pci_bus bus;
static struct virtio_blk blk;
static struct virtio_device rng;
static struct virtio_9p p9;
static struct virtio_console console;
static struct virtio_net net;
static struct virtio_device *const devices[] = { &blk.virtio, &rng, &p9.virtio, &console.virtio, &net.virtio };
static int server;		/* the other end of the 9P device's socket */
static int cable[2];
enum { COUNT_RUNS, COUNT_ANSWERS, COUNT_P9_ANSWERS, COUNT_PRINTED, COUNT_RECEIVED, COUNT_SENT };

static int send_msi(void *arg, uint64_t address, uint32_t data)
{
	return 0;
}

static void set_line(void *arg, unsigned int line, bool level)
{
}

static struct virtio_host host = { .memory = &memory, .msix = { .send = send_msi } };

static void print(void *arg, const void *data, size_t bytes)
{
	if (fuzz_count)
		fuzz_count[COUNT_PRINTED] += bytes;
}

static void set_up(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC), ends[2];

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
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	server = ends[1];
	CHECK_EQ(virtio_9p_init(&p9, &host, ends[0], "tag", 0), 0);
	CHECK_EQ(virtio_console_init(&console, &host, 80, 25), 0);
	console.transmit = print;
	CHECK_SYS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, cable));
	CHECK_EQ(virtio_net_init(&net, &host, cable[0], (const uint8_t[ETH_ALEN]){ 2 }), 0);
	/* Without threads: the script gives the turns */
	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
		CHECK_EQ(pci_add(&bus, &devices[i]->pci), 0);
}

static void store(uint64_t gpa, unsigned int bytes, uint64_t value)
{
	mmio_access(&mmio, gpa, bytes, true, &value);
}

/* A driver's start; rings at 0, 0x400, 0x800 for queue 0, and 0x1000 on for queue 1 */
static void start(uint64_t bar, unsigned int queues, uint32_t more)
{
	uint32_t features = ram[RAM - 1] & 1 ? (uint32_t)VIRTIO_TRANSPORT_FEATURES : 1U << VIRTIO_RING_F_INDIRECT_DESC;

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

/* A frame from outside */
static void arrive(unsigned int bytes)
{
	static const uint8_t frame[4096];

	if (write(cable[1], frame, ETH_HLEN + bytes % (sizeof(frame) - ETH_HLEN)) < 0)
		CHECK_EQ(errno, EAGAIN);
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

static void turns(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
		for (unsigned int queue = 0; queue < devices[i]->queues; queue++)
			serve(&devices[i]->queue[queue]);
}

static void empty(int fd)
{
	static uint8_t data[1 << 16];

	while (read(fd, data, sizeof(data)) > 0)
		;
}

/* The 9P server: an answer of the right shape to whatever it was asked, or not */
static void play_server(const uint8_t *op)
{
	uint8_t message[7 + 64] = { 7 + op[2] % 64, 0, 0, 0, 51, op[3], op[4] };

	empty(server);
	if (op[1] & 0xf0)
		CHECK_GT(write(server, message, message[0]), 0);
	else
		CHECK_GT(write(server, op, 8), 0);
}

static uint64_t bar_of(unsigned int device)
{
	return PCI_WINDOW + device * BAR_BYTES;
}

static uint64_t config_of(unsigned int device)
{
	return PCI_ECAM + 0x8000 * (device + 1);
}

/* A register of a device: in its BAR, or its configuration space */
static uint64_t some_register(const uint8_t *op)
{
	static const uint16_t parts[] = { AT_COMMON, AT_ISR, AT_DEVICE, AT_NOTIFY, AT_TABLE, AT_PENDING, AT_COMMON, AT_COMMON };

	unsigned int device = (op[1] >> 1) % ARRAY_SIZE(devices);

	return op[1] & 1 ? config_of(device) : bar_of(device) + parts[op[2] >> 5];
}

static void start_all(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
		start(bar_of(i), devices[i]->queues,
		      devices[i] == &net.virtio && ram[RAM - 1] & 2 ? 1U << VIRTIO_NET_F_MRG_RXBUF : 0);
}

static void step(const uint8_t *op)
{
	uint64_t value = op[4] | op[5] << 8 | (uint64_t)op[6] << 16 | (uint64_t)op[7] << 56;
	uint8_t wide[64] = { op[4], op[5], op[6] };

	switch (op[0] % 8) {
	case 0:
		store(some_register(op) + (op[3] & 0x7f), 1U << op[2] % 4, value);
		break;
	case 1:
		mmio_access(&mmio, some_register(op) + op[3], op[2] % 64 + 1, false, wide);
		break;
	case 2:
		ports_access(&ports, 0xcf8 + op[1] % 8, 1U << op[2] % 3, 1, op[3] & 1, wide);
		break;
	case 3:
	case 4:
		memcpy(ram + ((op[1] | op[2] << 8) % (RAM - 8)), op + 3, 1 + op[0] / 8 % 5);
		break;
	case 5:
		offer(op[1] & 1, op[2], op[3], !(op[4] & 3));
		break;
	case 6:
		if (op[1] & 1)
			play_server(op);
		if (op[1] & 2)
			virtio_console_receive(&console, op, 1 + op[2] % 8);
		if (op[1] & 4)
			arrive(op[2] | op[3] << 8);
		turns();
		break;
	default:
		start_all();
		break;
	}
}

/* What a run leaves outside of the devices' registers */
static void forget(void)
{
	empty(server);
	empty(p9.server);
	p9.in_bytes = p9.out_bytes = p9.out_at = 0;
	console.count = console.first = 0;
}

static int target(const uint8_t *data, size_t count)
{
	memset(ram, 0, RAM);
	if (count)
		ram[RAM - 1] = data[0];
	net.frame_bytes = 0;
	drain(cable[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		store(config_of(i) + 0x10, 4, bar_of(i));
		store(config_of(i) + 4, 2, 2);
		msix_reset(&devices[i]->pci.msix);
	}
	start_all();
	for (size_t i = 1; i + 8 <= count; i += 8)
		step(data + i);
	/* If the script has left the devices in order: a frame, a request to the disk and the share, and the server's answer */
	arrive(100);
	offer(0, 16, 0, 0);
	turns();
	play_server((const uint8_t[8]){ 0, 0xf0 });
	turns();
	if (fuzz_count) {
		fuzz_count[COUNT_RUNS]++;
		fuzz_count[COUNT_ANSWERS] += blk.virtio.queue[0].ring.next_used + blk.virtio.queue[1].ring.next_used;
		fuzz_count[COUNT_P9_ANSWERS] += p9.virtio.queue[0].ring.next_used;
		fuzz_count[COUNT_RECEIVED] += net.virtio.queue[RECEIVE].ring.next_used;
		fuzz_count[COUNT_SENT] += drain(cable[1]);
	} else {
		drain(cable[1]);
	}
	forget();
	return 0;
}

static const struct fuzz fuzz = {
	.name = "virtio_fuzz", .target = target, .set_up = set_up, .runs = RUNS, .max_bytes = 257, .option = "-len_control=0",
};

static void many_runs(void)
{
	fuzz_run(&fuzz);
	CHECK_GE(fuzz_count[COUNT_ANSWERS], RUNS / 100);		/* it got through to the disk */
	CHECK_GE(fuzz_count[COUNT_P9_ANSWERS], RUNS / 100);
	CHECK_GE(fuzz_count[COUNT_PRINTED], RUNS / 100);
	CHECK_GE(fuzz_count[COUNT_RECEIVED], RUNS / 100);
	CHECK_GE(fuzz_count[COUNT_SENT], RUNS / 100);
	ktap_diag("%lu runs, %lu answers by the disk, %lu by the share, %lu bytes to the console, %lu buffers received into, %lu frames sent",
		  fuzz_count[COUNT_RUNS], fuzz_count[COUNT_ANSWERS], fuzz_count[COUNT_P9_ANSWERS], fuzz_count[COUNT_PRINTED], fuzz_count[COUNT_RECEIVED], fuzz_count[COUNT_SENT]);
}

static const struct ktap_case cases[] = {
	{ "100,000 runs guided by coverage", many_runs },
};

int main(int argc, char **argv)
{
	return fuzz_main(&fuzz, cases, ARRAY_SIZE(cases), argc, argv);
}
