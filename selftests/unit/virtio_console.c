// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio console, with a guest's driver on one side and a terminal on the other, both played here.
 */
#include "virtio_driver.h"

#include "../../tools/devices/virtio_console.c"

static struct virtio_console console;
static char output[8192];
static unsigned int output_bytes, rooms;

static void keep_output(void *arg, const void *data, size_t bytes)
{
	CHECK_LE(output_bytes + bytes, sizeof(output));
	memcpy(output + output_bytes, data, bytes);
	__atomic_add_fetch(&output_bytes, bytes, __ATOMIC_SEQ_CST);
}

static void count_rooms(void *arg)
{
	__atomic_add_fetch(&rooms, 1, __ATOMIC_SEQ_CST);
}

static void free_all(void *arg)
{
	virtio_free(device);
	ports_free(&ports);
}

static void new_console(uint16_t columns, uint16_t rows)
{
	new_machine();
	output_bytes = rooms = 0;
	CHECK_EQ(virtio_console_init(&console, &host, columns, rows), 0);
	console.transmit = keep_output;
	console.room = count_rooms;
	device = &console.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_all, NULL);
}

static void size(void)
{
	new_console(80, 25);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_DF, 4) >> VIRTIO_CONSOLE_F_SIZE & 1, 1);
	CHECK_EQ(load(AT_DEVICE, 4), 25 << 16 | 80);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_NUMQ, 2), 2);
}

static void no_size(void)
{
	new_console(0, 0);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_DF, 4) >> VIRTIO_CONSOLE_F_SIZE & 1, 0);
}

static void writes_out(void)
{
	new_console(0, 0);
	start(OUTPUT_QUEUE, true);
	for (int i = 0; i < 3000; i++)
		ram[DATA + i] = i * 7;
	buffer(DATA, 1, VRING_DESC_F_NEXT);		/* in pieces that fit nothing */
	buffer(DATA + 1, 1999, VRING_DESC_F_NEXT);
	buffer(DATA + 2000, 1000, 0);
	CHECK(go(OUTPUT_QUEUE, 0));
	CHECK_EQ(output_bytes, 3000);
	CHECK(!memcmp(output, ram + DATA, 3000));
	CHECK_EQ(used_bytes(0), 0);
	buffer(DATA, 5, VRING_DESC_F_WRITE);		/* nothing to read in it */
	CHECK(go(OUTPUT_QUEUE, 3));
	CHECK_EQ(output_bytes, 3000);
}

static void reads_in(void)
{
	new_console(0, 0);
	virtio_console_receive(&console, (const uint8_t *)"early", 5);
	start(INPUT_QUEUE, true);
	buffer(DATA, 3, VRING_DESC_F_WRITE);
	CHECK(go(INPUT_QUEUE, 0));
	CHECK_EQ(used_bytes(0), 3);
	CHECK(!memcmp(ram + DATA, "ear", 3));
	buffer(DATA + 16, 1, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	buffer(DATA + 32, 100, VRING_DESC_F_WRITE);
	CHECK(go(INPUT_QUEUE, 1));
	CHECK_EQ(used_bytes(1), 2);
	CHECK_EQ(ram[DATA + 16], 'l');
	CHECK_EQ(ram[DATA + 32], 'y');
	CHECK_EQ(ram[DATA + 33], 0);
	/* A buffer that waits for input is filled when some comes, and no earlier */
	buffer(DATA + 64, 10, VRING_DESC_F_WRITE);
	offer(INPUT_QUEUE, 3);
	usleep(20000);
	CHECK_EQ(*(uint16_t *)(ram + RING + 0x2002), 2);
	virtio_console_receive(&console, (const uint8_t *)"later", 5);
	CHECK(given_back(3));
	CHECK_EQ(used_bytes(2), 5);
	CHECK(!memcmp(ram + DATA + 64, "later", 5));
}

static void much_input(void)
{
	uint8_t data[CONSOLE_INPUT_BYTES + 100];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = i % 251;
	new_console(0, 0);
	CHECK_EQ(virtio_console_room(&console), CONSOLE_INPUT_BYTES);
	virtio_console_receive(&console, data, sizeof(data));	/* the last 100 are lost */
	CHECK_EQ(virtio_console_room(&console), 0);
	CHECK_EQ(rooms, 0);
	start(INPUT_QUEUE, true);
	buffer(DATA, 1000, VRING_DESC_F_WRITE);
	CHECK(go(INPUT_QUEUE, 0));
	CHECK(!memcmp(ram + DATA, data, 1000));
	for (int i = 0; !__atomic_load_n(&rooms, __ATOMIC_SEQ_CST) && i < 5000; i++)
		usleep(1000);
	CHECK_EQ(rooms, 1);
	CHECK_EQ(virtio_console_room(&console), 1000);
	virtio_console_receive(&console, data, 1000);		/* around the end of the buffer */
	buffer(DATA, 5000, VRING_DESC_F_WRITE);
	CHECK(go(INPUT_QUEUE, 1));
	CHECK_EQ(used_bytes(1), CONSOLE_INPUT_BYTES);
	CHECK(!memcmp(ram + DATA, data + 1000, CONSOLE_INPUT_BYTES - 1000));
	CHECK(!memcmp(ram + DATA + CONSOLE_INPUT_BYTES - 1000, data, 1000));
}

static void hostile(void)
{
	new_console(0, 0);
	start(INPUT_QUEUE, true);
	virtio_console_receive(&console, (const uint8_t *)"x", 1);
	buffer(DATA, 16, 0);			/* input into a buffer to read from */
	CHECK(!go(INPUT_QUEUE, 0));
	start(OUTPUT_QUEUE, true);
	buffer(RAM - 8, 16, 0);
	CHECK(!go(OUTPUT_QUEUE, 0));
	CHECK_EQ(output_bytes, 0);
	start(INPUT_QUEUE, true);
	buffer(DATA, 16, VRING_DESC_F_WRITE);
	CHECK(go(INPUT_QUEUE, 0));
	CHECK_EQ(ram[DATA], 'x');		/* it was not lost */
}

static const struct ktap_case cases[] = {
	{ "a terminal's size", size },
	{ "a terminal without one", no_size },
	{ "output", writes_out },
	{ "input, before and after its buffers", reads_in },
	{ "more input than there is room", much_input },
	{ "what breaks its rules needs a reset", hostile },
};
KTAP_MAIN(cases)
