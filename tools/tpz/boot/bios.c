// SPDX-License-Identifier: GPL-2.0
/*
 * A PC's BIOS, which finds what it boots by itself: its end is copied to where a processor finds it below 1 MiB, as a
 * chipset does it that shadows the ROM in memory. All of it stands below 4 GiB, too: machine_bios.c.
 *
 * SeaBIOS works from the copy, writes to it, and copies it from the ROM before it resets the machine. So nothing is
 * gained by locking it, and there are no registers to do so.
 */
#include <string.h>

#include "boot.h"

#define SHADOW_MAX	(256U << 10)
#define STEP		(64U << 10)

/* The tables leave the BIOS area to the BIOS: it puts the root pointer there (machine_bios.c) */
static void make_bios_map(struct boot *boot)
{
	uint64_t tables = boot->low_bytes - BOOT_BIOS_ACPI_BYTES;

	boot->ranges = 0;
	boot_add_range(boot, 0, tables, BOOT_RAM);
	boot_add_range(boot, tables, boot->low_bytes, BOOT_RESERVED);
	boot_add_pci_and_high_ranges(boot);
	boot->rsdp = boot_put_acpi(boot, tables);
}

int bios_load(struct boot *boot)
{
	const struct boot_file *rom = &boot->image;
	size_t shadow = rom->bytes < SHADOW_MAX ? rom->bytes : SHADOW_MAX;

	if (boot->memory_bytes < BOOT_MEMORY_MIN)
		return boot_fail(boot, "a guest needs at least %llu MiB of memory", BOOT_MEMORY_MIN >> 20);
	if (!rom->bytes || rom->bytes % STEP || rom->bytes > BOOT_ROM_MAX)
		return boot_fail(boot, "%s: a BIOS has up to %llu MiB, in steps of %u KiB, not %zu bytes", rom->name,
				 BOOT_ROM_MAX >> 20, STEP >> 10, rom->bytes);
	memcpy(boot_at(boot, BOOT_HIGH - shadow, shadow), rom->data + rom->bytes - shadow, shadow);
	make_bios_map(boot);
	boot->entry = (struct boot_entry){ .mode = BOOT_MODE_RESET };
	boot->protocol = "bios";
	return 0;
}
