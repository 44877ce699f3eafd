// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio 9P transport between a guest's driver and a server, both played here.
 */
#include "virtio_driver.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "../../tools/devices/virtio_9p.c"

#define ROOM	0x8000		/* in DATA: for a request, and behind it for its answer */
#define USER	4321

static struct virtio_9p p9;
static int server = -1;

static void free_all(void *arg)
{
	virtio_free(device);
	ports_free(&ports);
	close(p9.server);
	if (server >= 0)
		close(server);
	server = -1;
}

static void new_share(void)
{
	int ends[2];

	new_machine();
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_SYS(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	server = ends[1];
	CHECK_EQ(virtio_9p_init(&p9, &host, ends[0], "the-tag", USER), 0);
	device = &p9.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_all, NULL);
	start(0, true);
}

/* A message with @bytes in all; its content tells the tag */
static void put_message(uint8_t *at, uint32_t bytes, uint8_t type, uint16_t tag)
{
	memcpy(at, &bytes, 4);
	at[4] = type;
	memcpy(at + 5, &tag, 2);
	for (uint32_t i = 7; i < bytes; i++)
		at[i] = tag + i;
}

/* @return the request's head; @room: bytes for the answer */
static uint16_t ask(uint32_t bytes, uint16_t tag, unsigned int place, uint32_t room)
{
	uint16_t head = next_descriptor % SIZE;
	uint64_t at = DATA + place * 0x1000;

	put_message(ram + at, bytes, 50, tag);
	buffer(at, bytes, VRING_DESC_F_NEXT);
	buffer(at + 0x800, room, VRING_DESC_F_WRITE);
	offer(0, head);
	return head;
}

static void get(uint8_t *data, uint32_t bytes)
{
	for (uint32_t got = 0; got < bytes;) {
		ssize_t more = read(server, data + got, bytes - got);

		CHECK_GT(more, 0);
		got += more;
	}
}

static void check_asked(uint32_t bytes, uint16_t tag)
{
	uint8_t got[4096], wanted[4096];

	get(got, bytes);
	put_message(wanted, bytes, 50, tag);
	CHECK(!memcmp(got, wanted, bytes));
}

static void reply(uint32_t bytes, uint16_t tag)
{
	uint8_t data[4096];

	put_message(data, bytes, 51, tag);
	CHECK_EQ(write(server, data, bytes), bytes);
}

static void check_answer(unsigned int index, uint16_t head, unsigned int place, uint32_t bytes, uint16_t tag)
{
	uint8_t wanted[4096];

	put_message(wanted, bytes, 51, tag);
	CHECK_EQ(used_head(index), head);
	CHECK_EQ(used_bytes(index), bytes);
	CHECK(!memcmp(ram + DATA + place * 0x1000 + 0x800, wanted, bytes));
}

static void configuration(void)
{
	new_share();
	CHECK_EQ(load(AT_DEVICE, 2), 7);
	CHECK_EQ(load(AT_DEVICE + 2, 1), 't');
	CHECK_EQ(load(AT_DEVICE + 8, 1), 'g');
	CHECK_EQ(load(AT_DEVICE + 9, 1), 0);
	CHECK_EQ(virtio_9p_init(&p9, &host, -1, "", 0), -1);
	CHECK_EQ(virtio_9p_init(&p9, &host, -1, "a tag that is longer than it may be", 0), -1);
}

static void one_message(void)
{
	uint16_t head;

	new_share();
	head = ask(100, 1, 0, 0x800);
	check_asked(100, 1);
	reply(200, 1);
	CHECK(given_back(1));
	check_answer(0, head, 0, 200, 1);
	for (int i = 0; !__atomic_load_n(&messages, __ATOMIC_SEQ_CST) && i < 5000; i++)
		usleep(1000);
	CHECK_EQ(__atomic_load_n(&messages, __ATOMIC_SEQ_CST), 1);
}

/* Three under way; answered in another order, two of them at once, the third in pieces */
static void any_order(void)
{
	uint16_t head[3];
	uint8_t data[300];

	new_share();
	for (int i = 0; i < 3; i++)
		head[i] = ask(64 + i, 10 + i, i, 0x800);
	for (int i = 0; i < 3; i++)
		check_asked(64 + i, 10 + i);
	put_message(data, 100, 51, 12);
	put_message(data + 100, 30, 51, 10);
	CHECK_EQ(write(server, data, 130), 130);
	CHECK(given_back(2));
	check_answer(0, head[2], 2, 100, 12);
	check_answer(1, head[0], 0, 30, 10);
	put_message(data, 300, 51, 11);
	for (int i = 0; i < 300; i += 3)
		CHECK_EQ(write(server, data + i, 3), 3);
	CHECK(given_back(3));
	check_answer(2, head[1], 1, 300, 11);
	reply(20, 11);		/* once more: of nobody's */
	head[0] = ask(64, 11, 0, 0x800);
	check_asked(64, 11);
	reply(21, 11);
	CHECK(given_back(4));
}

static unsigned int attach_message(uint8_t *at, const char *uname, const char *aname, uint32_t user)
{
	uint16_t length = strlen(uname);
	uint32_t bytes = 15;

	put_message(at, 15, TATTACH, 7);
	memcpy(at + bytes, &length, 2);
	memcpy(at + bytes + 2, uname, length);
	bytes += 2 + length;
	length = strlen(aname);
	memcpy(at + bytes, &length, 2);
	memcpy(at + bytes + 2, aname, length);
	bytes += 2 + length;
	memcpy(at + bytes, &user, 4);
	bytes += 4;
	memcpy(at, &bytes, 4);
	return bytes;
}

/* Whoever the guest says it is, and whatever it leaves out */
static void attaches(void)
{
	static const struct {
		const char *uname, *aname, *becomes;
	} tries[] = { { "root", "/sub", "/sub" }, { "", "", "/" }, { "nobody", "", "/" } };
	uint8_t got[100], wanted[100];

	new_share();
	for (unsigned int i = 0; i < ARRAY_SIZE(tries); i++) {
		uint32_t bytes = attach_message(ram + DATA, tries[i].uname, tries[i].aname, 0);

		buffer(DATA, bytes, VRING_DESC_F_NEXT);
		buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
		offer(0, next_descriptor % SIZE - 2);
		bytes = attach_message(wanted, "", tries[i].becomes, USER);
		get(got, bytes);
		CHECK(!memcmp(got, wanted, bytes));
		reply(20, 7);
		CHECK(given_back(i + 1));
	}
	for (uint32_t bytes = 7; bytes < 23; bytes++) {		/* cut short anywhere */
		start(0, true);
		attach_message(ram + DATA, "", "", 0);
		memcpy(ram + DATA, &bytes, 4);
		buffer(DATA, bytes, VRING_DESC_F_NEXT);
		buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
		CHECK(!go(0, 0));
	}
	start(0, true);
	attach_message(ram + DATA, "", "", 0);
	ram[DATA + 15] = ram[DATA + 16] = 0xff;
	buffer(DATA, 23, VRING_DESC_F_NEXT);
	buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
	CHECK(!go(0, 0));
}

static void flushes(void)
{
	uint16_t old, flush;

	new_share();
	old = ask(40, 5, 0, 0x800);
	check_asked(40, 5);
	flush = next_descriptor % SIZE;
	put_message(ram + DATA + 0x1000, 9, TFLUSH, 6);
	ram[DATA + 0x1000 + 7] = 5;
	ram[DATA + 0x1000 + 8] = 0;
	buffer(DATA + 0x1000, 9, VRING_DESC_F_NEXT);
	buffer(DATA + 0x1800, 100, VRING_DESC_F_WRITE);
	offer(0, flush);
	get(ram + DATA + 0x3000, 9);
	reply(7, 6);
	CHECK(given_back(2));
	CHECK_EQ(used_head(0), old);
	CHECK_EQ(used_bytes(0), 0);
	check_answer(1, flush, 1, 7, 6);
}

static void hostile(void)
{
	uint16_t head;

	new_share();
	head = ask(100, 1, 0, 0x800);		/* the length is the message's own, not the buffer's */
	check_asked(100, 1);
	start(0, true);
	ram[DATA] = 101;
	buffer(DATA, 100, VRING_DESC_F_NEXT);
	buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
	CHECK(!go(0, head));
	start(0, true);
	ram[DATA] = 6;
	buffer(DATA, 100, VRING_DESC_F_NEXT);
	buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
	CHECK(!go(0, 0));
	start(0, true);
	buffer(DATA, 6, VRING_DESC_F_NEXT);
	buffer(DATA + 0x800, 100, VRING_DESC_F_WRITE);
	CHECK(!go(0, 0));
	start(0, true);
	buffer(DATA, 100, 0);			/* no room for an answer */
	CHECK(!go(0, 0));
	start(0, true);
	ask(50, 2, 0, 0x800);
	check_asked(50, 2);
	ask(50, 2, 1, 0x800);			/* a tag that is under way */
	CHECK(!given_back(2));
	start(0, true);
	ask(50, 3, 0, 10);
	check_asked(50, 3);
	reply(11, 3);
	CHECK(!given_back(1));
	/* And after all that it works, and knows nothing of what was before */
	start(0, true);
	reply(50, 2);
	head = ask(50, 4, 1, 0x800);
	check_asked(50, 4);
	reply(60, 4);
	CHECK(given_back(1));
	check_answer(0, head, 1, 60, 4);
}

/* The server reads nothing for a while: what does not go out waits, and a reset does not wait for it */
static void slow_server(void)
{
	static uint8_t big[ROOM];
	unsigned int count = 7;

	new_share();
	for (unsigned int i = 0; i < count; i++) {
		/* The same memory serves all; the tag is read when it is taken */
		buffer(DATA, ROOM - 16, VRING_DESC_F_NEXT);
		buffer(DATA + ROOM, 0x100, VRING_DESC_F_WRITE);
		put_message(ram + DATA, ROOM - 16, 50, i);
		offer(0, 2 * i);
		for (int ms = 0; i < 3 && !__atomic_load_n(&p9.request[i].sent, __ATOMIC_RELAXED) && ms < 5000; ms++)
			usleep(1000);
	}
	for (unsigned int i = 0; i < 3; i++) {
		get(big, ROOM - 16);
		CHECK_EQ(big[5], i);
		reply(7, i);
	}
	CHECK(given_back(3) || load(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET);
	start(0, true);
}

static void server_gone(void)
{
	new_share();
	ask(50, 1, 0, 0x800);
	check_asked(50, 1);
	close(server);
	server = -1;
	CHECK(!given_back(1));
	start(0, true);
	ask(50, 1, 0, 0x800);
	CHECK(!given_back(1));
}

static void talks_nonsense(void)
{
	const uint32_t words[] = { 6, 0, P9_MESSAGE_MAX + 1, ~0U };

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		uint8_t data[7] = { 0 };

		if (!i)
			new_share();
		start(0, true);
		ask(50, i, 0, 0x800);
		check_asked(50, i);
		memcpy(data, &words[i], 4);
		CHECK_EQ(write(server, data, 7), 7);
		CHECK(!given_back(1));
		p9.in_bytes = 0;
	}
}

static const struct ktap_case cases[] = {
	{ "configuration", configuration },
	{ "a message, and its answer", one_message },
	{ "answers in any order and in pieces", any_order },
	{ "every guest user is the one who shares", attaches },
	{ "a flushed request is given back", flushes },
	{ "what breaks its rules needs a reset", hostile },
	{ "a server that does not read", slow_server },
	{ "a server that is gone", server_gone },
	{ "a server that talks nonsense", talks_nonsense },
};
KTAP_MAIN(cases)
