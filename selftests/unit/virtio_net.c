// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio network device with all below it, driven by registers and rings as a guest's driver does it; its cable is
 * a socket, the test its other end.
 */
#include "virtio_driver.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "../../tools/devices/cable.c"
#include "../../tools/devices/vhost.c"
#include "../../tools/devices/virtio_net.c"

static const uint8_t mac[ETH_ALEN] = { 2, 1, 2, 3, 4, 5 };
static struct virtio_net net;
static int ends[2];

static void free_all(void *arg)
{
	virtio_free(device);
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
	CHECK_EQ(virtio_net_init(&net, &host, ends[0], mac), 0);
	device = &net.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_all, NULL);
}

static uint8_t pattern(unsigned int number, unsigned int at)
{
	return number * 31 + at * 7 + at / 256;
}

/* From outside, to the guest */
static void arrive(unsigned int number, unsigned int bytes)
{
	uint8_t frame[4096];

	for (unsigned int i = 0; i < bytes; i++)
		frame[i] = pattern(number, i);
	CHECK_EQ(send(ends[1], frame, bytes, 0), bytes);
}

/* From the guest, outside; @return its bytes */
static unsigned int fetch(unsigned int number)
{
	static uint8_t frame[CABLE_FRAME_MAX];
	ssize_t got = recv(ends[1], frame, sizeof(frame), 0);

	CHECK_GE(got, 0);
	for (ssize_t i = 0; i < got; i++)
		CHECK_EQ(frame[i], pattern(number, i));
	return got;
}

/* The driver's frame, in @parts buffers of about the same length */
static void send_parts(unsigned int number, unsigned int bytes, unsigned int parts)
{
	unsigned int all = HEADER + bytes, done = 0;
	uint16_t head = next_descriptor % SIZE;
	uint64_t at = DATA + number % 8 * 0x1000;

	memset(ram + at, 0, HEADER);
	for (unsigned int i = 0; i < bytes; i++)
		ram[at + HEADER + i] = pattern(number, i);
	for (unsigned int i = 0; i < parts; i++) {
		unsigned int part = i == parts - 1 ? all - done : all / parts;

		buffer(at + done, part, i == parts - 1 ? 0 : VRING_DESC_F_NEXT);
		done += part;
	}
	offer(TRANSMIT, head);
}

static uint64_t room_at(unsigned int index)
{
	return DATA + index % 8 * 0x1000;
}

/* A buffer for the driver to receive into */
static void offer_room(unsigned int bytes)
{
	uint16_t head = next_descriptor % SIZE;

	memset(ram + room_at(offered), 0xee, 0x1000);
	buffer(room_at(offered), bytes, VRING_DESC_F_WRITE);
	offer(RECEIVE, head);
}

static void await_used(uint16_t count)
{
	for (int i = 0; i < 5000 && used_index() != count; i++)
		usleep(1000);
	CHECK_EQ(used_index(), count);
}

/* Frame @number of @bytes stands in the buffers from answer @first on */
static void check_received(unsigned int number, unsigned int bytes, unsigned int first, unsigned int buffers)
{
	struct virtio_net_hdr_v1 header;
	unsigned int done = 0;

	memcpy(&header, ram + room_at(first), HEADER);
	CHECK_EQ(header.num_buffers, buffers);
	CHECK_EQ(header.flags, 0);
	CHECK_EQ(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	for (unsigned int b = first; b < first + buffers; b++) {
		unsigned int at = b == first ? HEADER : 0;

		for (; at < used_bytes(b); at++)
			CHECK_EQ(ram[room_at(b) + at], pattern(number, done++));
	}
	CHECK_EQ(done, bytes);
}

static void configuration(void)
{
	new_card();
	CHECK_EQ(load(AT_DEVICE, 4), 0x03020102);
	CHECK_EQ(load(AT_DEVICE + 4, 2), 0x0504);
	CHECK_EQ(load(AT_DEVICE + 6, 2), VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(load(AT_DEVICE + 8, 2), 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_DF, 4) & ~VIRTIO_TRANSPORT_FEATURES,
		 1 << VIRTIO_NET_F_MAC | 1 << VIRTIO_NET_F_STATUS | 1 << VIRTIO_NET_F_MRG_RXBUF);
}

static void sends(void)
{
	new_card();
	start(TRANSMIT, true);
	for (unsigned int parts = 1; parts <= 5; parts++) {
		send_parts(parts, 1514, parts);
		CHECK_EQ(fetch(parts), 1514);
	}
	/* What is no frame goes nowhere, and what follows goes out */
	send_parts(6, ETH_HLEN - 1, 1);
	send_parts(6, 0, 1);
	CHECK(answered());
	buffer(0, RAM, VRING_DESC_F_NEXT);
	buffer(0, RAM, 0);
	CHECK(go(TRANSMIT, (next_descriptor - 2) % SIZE));
	send_parts(7, ETH_HLEN, 2);
	CHECK_EQ(fetch(7), ETH_HLEN);
	CHECK(answered());
	CHECK_EQ(used_bytes(offered - 1), 0);
	CHECK_GE(__atomic_load_n(&messages, __ATOMIC_SEQ_CST), 1);
}

static void receives(void)
{
	new_card();
	start(RECEIVE, true);
	offer_room(2048);
	arrive(1, 1514);
	await_used(1);
	CHECK_EQ(used_bytes(0), HEADER + 1514);
	check_received(1, 1514, 0, 1);
	CHECK_EQ(ram[room_at(0) + HEADER + 1514], 0xee);
	/* More frames than buffers: each waits its turn */
	for (unsigned int i = 1; i < 8; i++)
		arrive(i, 60 + i);
	for (unsigned int i = 1; i < 8; i++) {
		offer_room(1526);
		await_used(i + 1);
		check_received(i, 60 + i, i, 1);
	}
	CHECK_GE(__atomic_load_n(&messages, __ATOMIC_SEQ_CST), 1);
}

static void merges(void)
{
	new_card();
	for (int event = 0; event < 2; event++) {
		declined = event ? 0 : 1ULL << VIRTIO_RING_F_EVENT_IDX;
		start(RECEIVE, true);
		arrive(3, 1400);
		for (int i = 0; i < 2; i++) {
			offer_room(512);
			usleep(20000);
			CHECK_EQ(used_index(), 0);	/* all of a frame's buffers at once, or none */
		}
		offer_room(512);
		await_used(3);
		check_received(3, 1400, 0, 3);
		CHECK_EQ(used_bytes(0), 512);
		CHECK_EQ(used_bytes(1), 512);
		CHECK_EQ(used_bytes(2), 1400 + HEADER - 1024);
		arrive(4, 60);
		offer_room(2048);
		await_used(4);
		check_received(4, 60, 3, 1);
	}
}

static void without_merging(void)
{
	new_card();
	declined |= 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	start(RECEIVE, true);
	offer_room(1024);
	offer_room(1024);
	arrive(1, 1500);		/* fits into neither */
	arrive(2, 1000);
	await_used(1);
	check_received(2, 1000, 0, 1);
	/* The same if it cannot fit into all of a ring */
	declined &= ~(1ULL << VIRTIO_NET_F_MRG_RXBUF);
	start(RECEIVE, true);
	for (int i = 0; i < SIZE; i++)
		offer_room(64);
	arrive(1, 1500);
	arrive(2, 100);
	await_used(2);
	check_received(2, 100, 0, 2);
}

/* Sends until the device waits for the other end; @return the number of the frame that waits */
static unsigned int fill_cable(void)
{
	for (unsigned int number = 0; number < 1000; number++) {
		send_parts(number, 1514, 1);
		for (int i = 0; i < 200 && used_index() != offered; i++)
			usleep(1000);
		if (used_index() != offered)
			return number;
	}
	FAIL("the cable takes everything");
}

/* Nothing is lost, and nobody waits with a lock held */
static void wait_for_cable(uint64_t without)
{
	unsigned int waiting;

	new_card();
	declined = without;
	start(TRANSMIT, true);
	waiting = fill_cable();
	CHECK_GE(waiting, 2);
	for (unsigned int i = 0; i <= waiting; i++)
		CHECK_EQ(fetch(i), 1514);
	CHECK(answered());
	fill_cable();
	store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 0);
}

static void waits_for_the_cable(void)
{
	wait_for_cable(1ULL << VIRTIO_RING_F_EVENT_IDX);
}

static void waits_with_event_idx(void)
{
	wait_for_cable(0);
}

static void the_cable_is_pulled(void)
{
	new_card();
	start(RECEIVE, true);
	store(VIRTIO_PCI_COMMON_MSIX, 2, 1);
	offer_room(2048);
	arrive(1, 100);
	await_used(1);
	close(ends[1]);
	ends[1] = -1;
	for (int i = 0; i < 5000 && load(AT_DEVICE + 6, 2); i++)
		usleep(1000);
	CHECK_EQ(load(AT_DEVICE + 6, 2), 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 15);
	/* The driver goes on sending, to nobody */
	start(TRANSMIT, true);
	send_parts(1, 100, 1);
	CHECK(answered());
}

static void broken_and_reset(void)
{
	new_card();
	start(TRANSMIT, true);
	buffer(DATA, HEADER - 1, 0);
	CHECK(!go(TRANSMIT, 0));
	start(TRANSMIT, true);
	send_parts(1, 100, 1);
	CHECK_EQ(fetch(1), 100);
	start(RECEIVE, true);
	arrive(1, 100);
	offer_room(HEADER);		/* no room for a byte */
	CHECK(!answered());
	start(RECEIVE, true);
	buffer(RAM - 8, 16, VRING_DESC_F_WRITE);
	CHECK(!go(RECEIVE, 0));
	start(RECEIVE, true);
	offer_room(2048);
	CHECK(answered());
	check_received(1, 100, 0, 1);	/* it waited for a driver */
}

static const struct ktap_case cases[] = {
	{ "configuration and features", configuration },
	{ "sends frames of one buffer and of several", sends },
	{ "receives frames, each when there is room", receives },
	{ "a frame in several buffers comes at once", merges },
	{ "a frame that fits nowhere is dropped", without_merging },
	{ "a slow cable loses nothing, and a reset does not wait for it", waits_for_the_cable },
	{ "the same with event indices", waits_with_event_idx },
	{ "a cable that is pulled is a link down", the_cable_is_pulled },
	{ "what breaks a queue needs a reset, and a reset mends it", broken_and_reset },
};
KTAP_MAIN(cases)
