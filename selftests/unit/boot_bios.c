// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that starts with a BIOS: what of its ROM is where, and what else is in the memory.
 */
#include "boot_test.h"

#include "../../tools/tpz/boot/bios.c"

#define MIB	(1ULL << 20)
#define KIB	(1ULL << 10)

static uint8_t rom[512 * 1024];

static struct boot *new_bios(uint64_t memory, size_t bytes)
{
	struct boot *boot;

	for (size_t i = 0; i < sizeof(rom); i++)
		rom[i] = i / 256 * 7 + i;
	boot = new_boot(memory, rom, bytes);
	boot->pci = true;
	return boot;
}

/* The last bytes below 1 MiB are the ROM's last, up to 256 KiB of them; below is nothing */
static void shadow(void)
{
	static const size_t sizes[] = { 64 * KIB, 128 * KIB, 256 * KIB, 320 * KIB, 512 * KIB };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct boot *boot = new_bios(16 * MIB, sizes[i]);
		size_t bytes = sizes[i] < 256 * KIB ? sizes[i] : 256 * KIB;

		CHECK_EQ(bios_load(boot), 0);
		CHECK(!memcmp(boot->memory + MIB - bytes, rom + sizes[i] - bytes, bytes));
		for (size_t at = 0; at < MIB - bytes; at++)
			CHECK_EQ(boot->memory[at], 0);
		CHECK_EQ(boot->entry.mode, BOOT_MODE_RESET);
	}
}

static void refused(void)
{
	static const size_t sizes[] = { 0, 1, 64 * KIB - 1, 64 * KIB + 4 * KIB };
	struct boot *boot;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		boot = new_bios(16 * MIB, sizes[i]);
		CHECK_EQ(bios_load(boot), -1);
		CHECK_THAT(strstr(boot->error, "steps of 64 KiB"), "%s", boot->error);
	}
	boot = new_bios(16 * MIB, 64 * KIB);
	boot->image.bytes = BOOT_ROM_MAX + 64 * KIB;
	CHECK_EQ(bios_load(boot), -1);
	boot = new_bios(1 * MIB, 64 * KIB);
	CHECK_EQ(bios_load(boot), -1);
	CHECK_THAT(strstr(boot->error, "memory"), "%s", boot->error);
}

/* All memory is told once; the tables stand in what is reserved, and everything they point to as well */
static void map(void)
{
	struct boot *boot = new_bios(BOOT_MEMORY_MIN, 256 * KIB);
	const uint64_t tables = BOOT_MEMORY_MIN - BOOT_BIOS_ACPI_BYTES;
	const struct acpi_rsdp *rsdp;
	const struct acpi_xsdt *xsdt;

	boot->processors = BOOT_PROCESSORS_MAX;		/* the largest tables there are */
	CHECK_EQ(bios_load(boot), 0);
	CHECK_EQ(boot->ranges, 3U);
	CHECK_EQ(boot->map[0].start, 0U);
	CHECK_EQ(boot->map[0].bytes, tables);
	CHECK_EQ(boot->map[0].type, BOOT_RAM);
	CHECK_EQ(boot->map[1].start, tables);
	CHECK_EQ(boot->map[1].bytes, BOOT_BIOS_ACPI_BYTES);
	CHECK_EQ(boot->map[1].type, BOOT_RESERVED);
	CHECK_EQ(boot->map[2].start, PCI_ECAM);
	CHECK_EQ(boot->rsdp, tables);
	rsdp = boot_at(boot, boot->rsdp, sizeof(*rsdp));
	CHECK(!memcmp(rsdp->signature, "RSD PTR ", 8));
	xsdt = boot_at(boot, rsdp->xsdt, sizeof(*xsdt));
	CHECK(!memcmp(xsdt->header.signature, "XSDT", 4));
	for (size_t i = 0; i < (xsdt->header.length - sizeof(struct acpi_header)) / 8; i++) {
		CHECK_GE(xsdt->table[i], tables);
		CHECK_LE(xsdt->table[i], rsdp->xsdt);
	}
	CHECK_LE(rsdp->xsdt + xsdt->header.length, BOOT_MEMORY_MIN);
}

static const struct ktap_case cases[] = {
	{ "the copy below 1 MiB", shadow },
	{ "sizes that are refused", refused },
	{ "the map of memory, and the ACPI tables", map },
};
KTAP_MAIN(cases)
