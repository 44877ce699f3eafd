// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables of a machine with its processors' local APICs, an I/O APIC and the 8259 pair: root pointer, table
 * of tables, and the interrupt description. Without the last Linux takes the machine for one without
 * local APIC and never starts its timer. There is no FADT and no DSDT: nothing here is power-managed.
 */
#include <string.h>

#include "boot.h"

#define LAPIC_ADDRESS		0xfee00000
#define IOAPIC_ADDRESS		0xfec00000
#define TIMER_PIN		2	/* of the I/O APIC: where the 8254's line 0 comes in */
#define MADT_PCAT_COMPAT	1	/* an 8259 pair is there too */
#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_OVERRIDE		2
#define MADT_LAPIC_ENABLED	1

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

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t table[1];
} __attribute__((packed));

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
	struct {
		uint8_t type;
		uint8_t length;
		uint8_t id;
		uint8_t reserved;
		uint32_t address;
		uint32_t first_line;
	} __attribute__((packed)) ioapic;
	struct {
		uint8_t type;
		uint8_t length;
		uint8_t bus;
		uint8_t source;
		uint32_t line;
		uint16_t flags;
	} __attribute__((packed)) timer;
	struct {
		uint8_t type;
		uint8_t length;
		uint8_t processor;
		uint8_t apic_id;
		uint32_t flags;
	} __attribute__((packed)) lapic[BOOT_PROCESSORS_MAX];
} __attribute__((packed));

/* The byte that makes the sum over all bytes 0 */
static uint8_t checksum(const void *table, size_t bytes)
{
	const uint8_t *byte = table;
	uint8_t sum = 0;

	while (bytes--)
		sum += *byte++;
	return -sum;
}

static void finish_table(struct acpi_header *header, const char *signature, uint8_t revision, uint32_t bytes)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem_id, OEM_ID, sizeof(header->oem_id));
	memcpy(header->oem_table_id, OEM_TABLE_ID, sizeof(header->oem_table_id));
	memcpy(header->creator_id, "TRPZ", sizeof(header->creator_id));
	header->length = bytes;
	header->revision = revision;
	header->oem_revision = 1;
	header->creator_revision = 1;
	header->checksum = checksum(header, bytes);
}

uint64_t boot_put_acpi(struct boot *boot)
{
	const uint64_t rsdp_at = BOOT_ACPI, xsdt_at = BOOT_ACPI + 0x40, madt_at = BOOT_ACPI + 0x80;
	struct acpi_rsdp rsdp = {
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt = xsdt_at,
	};
	struct acpi_xsdt xsdt = { .table = { madt_at } };
	struct acpi_madt madt = {
		.lapic_address = LAPIC_ADDRESS,
		.flags = MADT_PCAT_COMPAT,
		.ioapic = { MADT_IOAPIC, sizeof(madt.ioapic), .address = IOAPIC_ADDRESS },
		.timer = { MADT_OVERRIDE, sizeof(madt.timer), .line = TIMER_PIN },
	};
	const size_t madt_bytes = offsetof(struct acpi_madt, lapic) + boot->processors * sizeof(madt.lapic[0]);

	for (unsigned int i = 0; i < boot->processors; i++) {
		madt.lapic[i].type = MADT_LAPIC;
		madt.lapic[i].length = sizeof(madt.lapic[i]);
		madt.lapic[i].processor = i;
		madt.lapic[i].apic_id = boot->apic_ids[i];
		madt.lapic[i].flags = MADT_LAPIC_ENABLED;
	}

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	finish_table(&xsdt.header, "XSDT", 1, sizeof(xsdt));
	finish_table(&madt.header, "APIC", 4, madt_bytes);

	memcpy(boot_at(boot, rsdp_at, sizeof(rsdp)), &rsdp, sizeof(rsdp));
	memcpy(boot_at(boot, xsdt_at, sizeof(xsdt)), &xsdt, sizeof(xsdt));
	memcpy(boot_at(boot, madt_at, madt_bytes), &madt, madt_bytes);
	return rsdp_at;
}
