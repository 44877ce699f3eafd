/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that starts with a BIOS: its ROM, and the device by which the BIOS learns what machine this is.
 */
#ifndef TPZ_MACHINE_BIOS_H
#define TPZ_MACHINE_BIOS_H

#include <stdbool.h>
#include <stdint.h>

#include <trapeze.h>

#include "boot/boot.h"
#include "devices/bios_log.h"
#include "devices/fw_cfg.h"

#define BIOS_DEFAULT	"/usr/share/seabios/bios-256k.bin"
#define BIOS_PACKAGE	"seabios"	/* Debian's, which has it */

/* A line of the BIOS's map of memory, little-endian as the guest */
struct bios_range {
	uint64_t start, bytes;
	uint32_t type;
} __attribute__((packed));

/* What the BIOS shall do with a file: an entry of its file etc/table-loader */
struct bios_loader_entry {
	uint32_t command;
	char file[FW_CFG_NAME_BYTES];
	uint32_t align;
	uint8_t zone;
	uint8_t unused[63];
} __attribute__((packed));

/**
 * struct machine_bios - written before the vCPUs' threads start; then the port space's lock guards the devices
 * @present: there is a BIOS
 * @rom: its memory
 * @log_fd: where its log goes, if @has_log
 *
 * The rest is what @fw_cfg hands out: @apic_ids are all below it, @root is ACPI's root pointer, for a place that
 * the BIOS chooses.
 */
struct machine_bios {
	bool present;
	struct tpz_mem rom;
	struct fw_cfg fw_cfg;
	struct bios_log log;
	bool has_log;
	int log_fd;

	uint16_t processors, apic_ids;
	uint16_t serial_port;
	uint8_t timer_on_pin_2;
	struct bios_range map[BOOT_RANGES_MAX];
	uint8_t root[BOOT_RSDP_BYTES];
	struct bios_loader_entry root_place;
};

struct machine;
struct machine_config;

/* Keeps the ROM, and puts the devices into the port space, after bios_load(); ends tpz with a message on failure */
void machine_bios_create(struct machine *machine, const struct machine_config *config);

/* The ROM below 4 GiB; @return 0 or a negative errno value, as tpz_vm_set_slot() */
int machine_bios_set_slot(struct machine *machine, uint32_t slot);
void machine_bios_destroy(struct machine *machine);

#endif /* TPZ_MACHINE_BIOS_H */
