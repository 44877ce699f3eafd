// SPDX-License-Identifier: GPL-2.0
/*
 * The firmware's configuration device. What is not there reads as zeros, as does what lies behind an item's end:
 * firmware counts on it when it asks for items that this machine has no use for.
 */
#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "fw_cfg.h"

#define SELECTOR		0x510
#define DATA			0x511

#define ITEM_SIGNATURE		0x00
#define ITEM_FEATURES		0x01
#define ITEM_DIRECTORY		0x19
#define ITEM_FIRST_FILE		0x20

static const char signature[4] = { 'Q', 'E', 'M', 'U' };
static const uint8_t features[4] = { 1 };	/* the two ports, and no more */

static uint32_t read_byte(struct fw_cfg *fw_cfg)
{
	for (unsigned int i = 0; i < fw_cfg->items; i++) {
		if (fw_cfg->item[i].number != fw_cfg->selected)
			continue;
		if (fw_cfg->at >= fw_cfg->item[i].bytes)
			return 0;
		return ((const uint8_t *)fw_cfg->item[i].data)[fw_cfg->at++];
	}
	return 0;
}

/* The data port is 8 bits wide; there is nothing beside it, and nothing to read at the selector */
static uint32_t fw_cfg_in(void *device, uint16_t port, unsigned int bytes)
{
	(void)bytes;
	return port == DATA ? ~0xffU | read_byte(device) : ~0U;
}

static void fw_cfg_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct fw_cfg *fw_cfg = device;

	if (port != SELECTOR || bytes != 2)
		return;
	fw_cfg->selected = value;
	fw_cfg->at = 0;
}

int fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t number, const void *data, uint32_t bytes)
{
	for (unsigned int i = 0; i < fw_cfg->items; i++) {
		if (fw_cfg->item[i].number == number)
			return -1;
	}
	if (fw_cfg->items == FW_CFG_ITEMS_MAX)
		return -1;
	fw_cfg->item[fw_cfg->items].number = number;
	fw_cfg->item[fw_cfg->items].data = data;
	fw_cfg->item[fw_cfg->items++].bytes = bytes;
	return 0;
}

int fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *data, uint32_t bytes)
{
	uint16_t number = ITEM_FIRST_FILE + fw_cfg->files;
	struct fw_cfg_file *file;

	if (fw_cfg->files == FW_CFG_FILES_MAX || strlen(name) >= FW_CFG_NAME_BYTES ||
	    fw_cfg_add(fw_cfg, number, data, bytes))
		return -1;
	file = &fw_cfg->directory.file[fw_cfg->files++];
	file->bytes = htobe32(bytes);
	file->item = htobe16(number);
	strcpy(file->name, name);
	fw_cfg->directory.files = htobe32(fw_cfg->files);
	return 0;
}

void fw_cfg_init(struct fw_cfg *fw_cfg)
{
	_Static_assert(sizeof(fw_cfg->directory) == 4 + 64 * FW_CFG_FILES_MAX, "the directory as the guest reads it");

	memset(fw_cfg, 0, sizeof(*fw_cfg));
	/* All of the directory's places can be read; the guest is told how many are files */
	fw_cfg_add(fw_cfg, ITEM_SIGNATURE, signature, sizeof(signature));
	fw_cfg_add(fw_cfg, ITEM_FEATURES, features, sizeof(features));
	fw_cfg_add(fw_cfg, ITEM_DIRECTORY, &fw_cfg->directory, sizeof(fw_cfg->directory));
}

struct port_device fw_cfg_device(struct fw_cfg *fw_cfg)
{
	return (struct port_device){
		.name = "fw-cfg", .first = SELECTOR, .count = 2, .max_bytes = 2,
		.in = fw_cfg_in, .out = fw_cfg_out, .device = fw_cfg,
	};
}
