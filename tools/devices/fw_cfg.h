/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration device that SeaBIOS knows from QEMU (its specification: docs/specs/fw_cfg in QEMU's documentation),
 * at ports 0x510 and 0x511: items that the firmware selects by number and reads byte by byte, one of which is a
 * directory of named files. Of it only what can be read; without the DMA interface, which the guest is told.
 */
#ifndef TPZ_FW_CFG_H
#define TPZ_FW_CFG_H

#include "ports.h"

#define FW_CFG_ITEMS_MAX	24
#define FW_CFG_FILES_MAX	16
#define FW_CFG_NAME_BYTES	56	/* with its end mark */

/* Items that are no files */
enum {
	FW_CFG_PROCESSORS = 0x05,		/* 16 bits */
	FW_CFG_PROCESSORS_MAX = 0x0f,		/* 16 bits: APIC identifiers are below it */
	FW_CFG_TIMER_ON_PIN_2 = 0x8002,		/* 8 bits: 1, where the 8254 is at the I/O APIC's input 2 */
};

/**
 * struct fw_cfg_file - an entry of the directory, as the guest reads it: big-endian numbers
 */
struct fw_cfg_file {
	uint32_t bytes;
	uint16_t item;
	uint16_t reserved;
	char name[FW_CFG_NAME_BYTES];
};

/**
 * struct fw_cfg - the device; calls to it are serialized by who owns the port space
 * @item: what there is; the bytes are their owners'
 * @selected, @at: the item that the guest reads, and how far it has come
 */
struct fw_cfg {
	struct {
		uint16_t number;
		uint32_t bytes;
		const void *data;
	} item[FW_CFG_ITEMS_MAX];
	unsigned int items;
	struct {
		uint32_t files;		/* big-endian */
		struct fw_cfg_file file[FW_CFG_FILES_MAX];
	} directory;
	unsigned int files;
	uint16_t selected;
	uint32_t at;
};

/**
 * fw_cfg_init() - the device with an empty directory
 */
void fw_cfg_init(struct fw_cfg *fw_cfg);

/**
 * fw_cfg_add() - add an item, before the guest runs
 * @data: must stay as it is
 * @return 0, or -1: there is one of that number, or no room
 */
int fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t number, const void *data, uint32_t bytes);

/**
 * fw_cfg_add_file() - add a file; the same rules
 * @return 0, or -1: no room, or its name is too long
 */
int fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *data, uint32_t bytes);

struct port_device fw_cfg_device(struct fw_cfg *fw_cfg);

#endif /* TPZ_FW_CFG_H */
