// SPDX-License-Identifier: GPL-2.0
/*
 * What a BIOS asks this machine: the configuration device's items and files, read as firmware reads them and as it
 * should not; and its log port.
 */
#include <asm/types.h>

#include "../lib/ktap.c"

#include "../../tools/devices/bios_log.c"
#include "../../tools/devices/fw_cfg.c"
#include "../../tools/devices/ports.c"

static struct port_space ports;
static struct fw_cfg fw_cfg;

static void free_ports(void *arg)
{
	ports_free(arg);
}

static void new_device(void)
{
	struct port_device device = fw_cfg_device(&fw_cfg);

	CHECK_EQ(ports_init(&ports), 0);
	ktap_defer(free_ports, &ports);
	fw_cfg_init(&fw_cfg);
	CHECK_EQ(ports_add(&ports, &device), 0);
}

static uint32_t in(uint16_t port, unsigned int bytes)
{
	uint32_t value = 0;

	ports_access(&ports, port, bytes, 1, true, &value);
	return value;
}

static void out(uint16_t port, unsigned int bytes, uint32_t value)
{
	ports_access(&ports, port, bytes, 1, false, &value);
}

/* As REP INSB does it: one access of many items */
static void read_item(uint16_t number, void *to, uint32_t bytes)
{
	out(0x510, 2, number);
	ports_access(&ports, 0x511, 1, bytes, true, to);
}

static void who_it_is(void)
{
	char text[6] = "??????";
	uint32_t features;

	new_device();
	read_item(0, text, 4);
	CHECK(!memcmp(text, "QEMU??", 6));
	read_item(1, &features, 4);
	CHECK_EQ(features, 1U);		/* no DMA */
}

static void items(void)
{
	uint16_t processors = 7;
	uint8_t bytes[8];

	new_device();
	CHECK_EQ(fw_cfg_add(&fw_cfg, FW_CFG_PROCESSORS, &processors, 2), 0);
	CHECK_EQ(fw_cfg_add(&fw_cfg, FW_CFG_PROCESSORS, &processors, 2), -1);	/* it is there */
	CHECK_EQ(fw_cfg_add(&fw_cfg, 0x19, &processors, 2), -1);		/* so is the directory */
	memset(bytes, 0xee, sizeof(bytes));
	read_item(FW_CFG_PROCESSORS, bytes, 8);
	CHECK(!memcmp(bytes, "\7\0\0\0\0\0\0\0", 8));
	/* The first byte again, and the rest from there */
	read_item(FW_CFG_PROCESSORS, bytes, 1);
	CHECK_EQ(bytes[0], 7);
	CHECK_EQ(in(0x511, 1), 0U);
	CHECK_EQ(in(0x511, 1), 0U);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void files(void)
{
	static const char first[] = "the first file", second[] = "the second one, which is longer";
	uint8_t directory[4 + 2 * 64], content[64];

	new_device();
	read_item(0x19, directory, 4);
	CHECK_EQ(be32(directory), 0U);
	CHECK_EQ(fw_cfg_add_file(&fw_cfg, "etc/first", first, sizeof(first)), 0);
	CHECK_EQ(fw_cfg_add_file(&fw_cfg, "etc/second", second, sizeof(second)), 0);
	read_item(0x19, directory, sizeof(directory));
	CHECK_EQ(be32(directory), 2U);
	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *entry = directory + 4 + 64 * i;

		CHECK_EQ(be32(entry), i ? sizeof(second) : sizeof(first));
		CHECK(!strcmp((const char *)entry + 8, i ? "etc/second" : "etc/first"));
		CHECK_GE(entry[4] << 8 | entry[5], 0x20);
		read_item(entry[4] << 8 | entry[5], content, be32(entry));
		CHECK(!memcmp(content, i ? second : first, be32(entry)));
	}
}

static void full(void)
{
	char long_name[FW_CFG_NAME_BYTES + 1];
	uint8_t directory[4];
	unsigned int added = 0;

	new_device();
	memset(long_name, 'x', sizeof(long_name));
	long_name[FW_CFG_NAME_BYTES] = 0;
	CHECK_EQ(fw_cfg_add_file(&fw_cfg, long_name, "", 1), -1);
	long_name[FW_CFG_NAME_BYTES - 1] = 0;
	while (!fw_cfg_add_file(&fw_cfg, long_name, "", 1))
		added++;
	CHECK_EQ(added, FW_CFG_FILES_MAX);
	read_item(0x19, directory, 4);
	CHECK_EQ(be32(directory), FW_CFG_FILES_MAX);

	new_device();
	for (added = 0; !fw_cfg_add(&fw_cfg, 0x9000 + added, "", 1); added++)
		;
	CHECK_EQ(added, FW_CFG_ITEMS_MAX - 3);
	CHECK_EQ(fw_cfg_add_file(&fw_cfg, "etc/late", "", 1), -1);
	read_item(0x19, directory, 4);
	CHECK_EQ(be32(directory), 0U);
}

/* Every number, far beyond the end: what is not there reads as zeros, and nobody else's memory is read */
static void hostile_selectors(void)
{
	static uint8_t bytes[sizeof(fw_cfg.directory) + 64];
	unsigned int there = 0;

	new_device();
	CHECK_EQ(fw_cfg_add_file(&fw_cfg, "etc/one", "1234", 4), 0);
	for (unsigned int number = 0; number <= 0xffff; number++) {
		size_t last = 0;

		memset(bytes, 0xee, sizeof(bytes));
		read_item(number, bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++) {
			if (bytes[i])
				last = i + 1;
		}
		CHECK_LE(last, sizeof(fw_cfg.directory));
		there += last != 0;
	}
	CHECK_EQ(there, 4U);	/* signature, features, directory, the file */
	out(0x510, 2, 0x20);
	for (int i = 0; i < 100000; i++)
		in(0x511, 1);
	CHECK_EQ(fw_cfg.at, 4U);	/* it cannot wrap */
}

static void odd_widths(void)
{
	new_device();
	out(0x510, 2, 0);
	CHECK_EQ(in(0x510, 1), 0xffU);		/* the selector cannot be read */
	CHECK_EQ(in(0x510, 2), 0xffffU);
	CHECK_EQ(in(0x511, 2), 0xff00U | 'Q');	/* one byte, whatever the width */
	CHECK_EQ(in(0x511, 1), (uint32_t)'E');
	CHECK_EQ(in(0x510, 4), 0xffff00ffU | 'M' << 8);		/* four bytes' accesses: the second is the data's */
	out(0x510, 1, 1);			/* no selection */
	out(0x511, 1, 1);			/* nothing is ever written to an item */
	out(0x511, 2, 1);
	out(0x510, 4, 1);
	CHECK_EQ(in(0x511, 1), (uint32_t)'U');
	CHECK_EQ(in(0x511, 1), 0U);
	out(0x510, 2, 0);
	CHECK_EQ(in(0x511, 1), (uint32_t)'Q');
}

static char said[8];

static void keep(void *host, uint8_t byte)
{
	char *text = host;
	size_t length = strlen(text);

	if (length < sizeof(said) - 1)
		text[length] = byte;
}

static void log_port(void)
{
	struct bios_log log = { .byte = keep, .host = said };
	struct port_device device = bios_log_device(&log);

	new_device();
	CHECK_EQ(ports_add(&ports, &device), 0);
	CHECK_EQ(in(0x402, 1), 0xe9U);
	out(0x402, 1, 'B');
	out(0x402, 1, 'I');
	out(0x402, 4, 0x0403024f);		/* its port is the first of four */
	CHECK(!strcmp(said, "BIO"));
}

static const struct ktap_case cases[] = {
	{ "it says who it is", who_it_is },
	{ "items, and what is behind their end", items },
	{ "files", files },
	{ "no room", full },
	{ "every selector", hostile_selectors },
	{ "accesses of other widths", odd_widths },
	{ "the log", log_port },
};
KTAP_MAIN(cases)
