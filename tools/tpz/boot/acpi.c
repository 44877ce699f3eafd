// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables' frame: root pointer, table of tables, and how a table gets its header and its place.
 */
#include <string.h>

#include "acpi.h"

#define OEM_ID			"TRAPEZ"
#define OEM_TABLE_ID		"TRAPEZE "

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;		/* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;	/* of all */
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t table[8];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_rsdp) == BOOT_RSDP_BYTES, "ACPI 6.5, table 5.3");

/* The byte that makes the sum over all bytes 0 */
static uint8_t checksum(const void *table, size_t bytes)
{
	const uint8_t *byte = table;
	uint8_t sum = 0;

	while (bytes--)
		sum += *byte++;
	return -sum;
}

uint64_t acpi_put_bytes(struct acpi_build *build, const void *bytes, uint32_t count)
{
	uint64_t at = build->next;

	memcpy(boot_at(build->boot, at, count), bytes, count);
	build->next = (at + count + 63) & ~63ULL;	/* the FACS must be so aligned */
	return at;
}

uint64_t acpi_put(struct acpi_build *build, void *table, const char *signature, uint8_t revision, uint32_t bytes)
{
	struct acpi_header *header = table;

	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem_id, OEM_ID, sizeof(header->oem_id));
	memcpy(header->oem_table_id, OEM_TABLE_ID, sizeof(header->oem_table_id));
	memcpy(header->creator_id, "TRPZ", sizeof(header->creator_id));
	header->length = bytes;
	header->revision = revision;
	header->oem_revision = 1;
	header->creator_revision = 1;
	header->checksum = checksum(header, bytes);
	return acpi_put_bytes(build, table, bytes);
}

void acpi_list(struct acpi_build *build, uint64_t table)
{
	build->table[build->tables++] = table;
}

uint64_t boot_put_acpi(struct boot *boot, uint64_t at)
{
	struct acpi_build build = { .boot = boot, .next = at + 64 };
	struct acpi_rsdp rsdp = { .revision = 2, .length = sizeof(rsdp) };
	struct acpi_xsdt xsdt = { 0 };

	acpi_put_fadt(&build);
	acpi_put_madt(&build);
	acpi_put_wdat(&build);
	if (boot->pci)
		acpi_put_pci(&build);
	memcpy(xsdt.table, build.table, sizeof(xsdt.table));
	rsdp.xsdt = acpi_put(&build, &xsdt, "XSDT", 1,
			     offsetof(struct acpi_xsdt, table) + build.tables * sizeof(xsdt.table[0]));

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(boot_at(boot, at, sizeof(rsdp)), &rsdp, sizeof(rsdp));
	return at;
}
