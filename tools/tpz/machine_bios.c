// SPDX-License-Identifier: GPL-2.0
/*
 * What a BIOS (SeaBIOS, to name it) finds in its machine: its ROM, and its configuration.
 *
 * It gets no description of the chipset, and takes the PCI bus as it finds it. The ACPI tables are in memory already:
 * it is told that this memory is reserved (file etc/e820), and to put the root pointer where systems look for it (file
 * etc/table-loader). Its screen and keyboard are the serial port (file etc/sercon-port).
 */
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define LOADER_ALLOCATE		1	/* copy a file to memory of its own */
#define LOADER_ZONE_F_SEGMENT	2	/* where a root pointer is searched for */
#define ROOT_FILE		"etc/acpi/rsdp"

_Static_assert(sizeof(struct bios_range) == 20, "as BIOS call E820 has it");
_Static_assert(sizeof(struct bios_loader_entry) == 128, "an entry of etc/table-loader");

/* A log that cannot be written is no reason to end the guest */
static void log_byte(void *host, uint8_t byte)
{
	const struct machine_bios *bios = host;

	if (write(bios->log_fd, &byte, 1) < 0)
		return;
}

static void keep_rom(struct machine_bios *bios, const struct boot_file *rom)
{
	if (tpz_mem_alloc(&bios->rom, TPZ_MEM_ANON, rom->bytes))
		errx(STATUS_CANNOT, "%s", tpz_error());
	memcpy(bios->rom.addr, rom->data, rom->bytes);
}

static void describe(struct machine_bios *bios, const struct boot *boot)
{
	bios->serial_port = SERIAL_PORT;
	bios->timer_on_pin_2 = 1;
	bios->processors = boot->processors;
	bios->apic_ids = boot->apic_ids[boot->processors - 1] + 1;
	for (unsigned int i = 0; i < boot->ranges; i++) {
		bios->map[i] = (struct bios_range){
			.start = boot->map[i].start, .bytes = boot->map[i].bytes, .type = boot->map[i].type,
		};
	}
	memcpy(bios->root, boot_at(boot, boot->rsdp, sizeof(bios->root)), sizeof(bios->root));
	bios->root_place = (struct bios_loader_entry){
		.command = LOADER_ALLOCATE, .file = ROOT_FILE, .align = 16, .zone = LOADER_ZONE_F_SEGMENT,
	};
}

static int fill_fw_cfg(struct machine_bios *bios, const struct boot *boot)
{
	struct fw_cfg *fw_cfg = &bios->fw_cfg;

	fw_cfg_init(fw_cfg);
	if (fw_cfg_add(fw_cfg, FW_CFG_PROCESSORS, &bios->processors, sizeof(bios->processors)) ||
	    fw_cfg_add(fw_cfg, FW_CFG_PROCESSORS_MAX, &bios->apic_ids, sizeof(bios->apic_ids)) ||
	    fw_cfg_add(fw_cfg, FW_CFG_TIMER_ON_PIN_2, &bios->timer_on_pin_2, sizeof(bios->timer_on_pin_2)) ||
	    fw_cfg_add_file(fw_cfg, "etc/e820", bios->map, boot->ranges * sizeof(bios->map[0])) ||
	    fw_cfg_add_file(fw_cfg, "etc/sercon-port", &bios->serial_port, sizeof(bios->serial_port)) ||
	    fw_cfg_add_file(fw_cfg, ROOT_FILE, bios->root, sizeof(bios->root)) ||
	    fw_cfg_add_file(fw_cfg, "etc/table-loader", &bios->root_place, sizeof(bios->root_place)))
		return -1;
	return 0;
}

static int add_log(struct machine *machine, const char *name)
{
	struct machine_bios *bios = &machine->bios;
	struct port_device device = bios_log_device(&bios->log);

	bios->log_fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (bios->log_fd < 0)
		err(STATUS_CANNOT, "%s", name);
	bios->has_log = true;
	bios->log = (struct bios_log){ .byte = log_byte, .host = bios };
	return ports_add(&machine->ports, &device);
}

void machine_bios_create(struct machine *machine, const struct machine_config *config)
{
	struct machine_bios *bios = &machine->bios;
	struct port_device device = fw_cfg_device(&bios->fw_cfg);

	bios->present = true;
	machine->serial.without_rts = true;
	keep_rom(bios, &machine->boot.image);
	describe(bios, &machine->boot);
	if (fill_fw_cfg(bios, &machine->boot) || ports_add(&machine->ports, &device) ||
	    (config->bios_log && add_log(machine, config->bios_log)))
		errx(STATUS_CANNOT, "no room for the BIOS's devices");
}

int machine_bios_set_slot(struct machine *machine, uint32_t slot)
{
	const struct tpz_mem *rom = &machine->bios.rom;

	return tpz_vm_set_slot(&machine->vm, slot, TPZ_SLOT_READONLY, BOOT_ABOVE_4G - rom->bytes, rom->addr, rom->bytes);
}

void machine_bios_destroy(struct machine *machine)
{
	tpz_mem_free(&machine->bios.rom);
	if (machine->bios.has_log)
		close(machine->bios.log_fd);
}
