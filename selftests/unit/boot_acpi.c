// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables: places, lengths, checksums; what they tell, against the addresses of the devices; and that a
 * disassembler of the ACPI specification's authors reads every one.
 */
#include "boot_test.h"

#include <stdlib.h>
#include <unistd.h>

#define MIB	(1ULL << 20)

/* A multiboot image that is nothing but its header */
static const uint32_t image[16] = { 0x1badb002, 0x00010000, -0x1badb002 - 0x00010000, 0x200000, 0x200000, 0x200040, 0x200040, 0x200000 };

static struct boot *load(bool pci)
{
	struct boot *boot = new_boot(64 * MIB, image, sizeof(image));

	boot->pci = pci;
	must_load(boot, "multiboot");
	return boot;
}

static uint8_t sum(const struct boot *boot, uint64_t gpa, size_t bytes)
{
	const uint8_t *byte = boot_at(boot, gpa, bytes);
	uint8_t total = 0;

	while (bytes--)
		total += *byte++;
	return total;
}

static const struct acpi_xsdt *get_xsdt(const struct boot *boot)
{
	const struct acpi_rsdp *rsdp = boot_at(boot, boot->rsdp, sizeof(*rsdp));

	return boot_at(boot, rsdp->xsdt, sizeof(struct acpi_xsdt));
}

static unsigned int tables(const struct boot *boot)
{
	return (get_xsdt(boot)->header.length - sizeof(struct acpi_header)) / 8;
}

/* The table of that signature, or NULL */
static const void *find(const struct boot *boot, const char *signature)
{
	const struct acpi_xsdt *xsdt = get_xsdt(boot);

	for (unsigned int i = 0; i < tables(boot); i++) {
		const struct acpi_header *header = boot_at(boot, xsdt->table[i], sizeof(*header));

		if (!memcmp(header->signature, signature, 4))
			return header;
	}
	return NULL;
}

/* Where a scan of the BIOS area looks: 16-byte steps from 0xe0000 */
static void frame(void)
{
	for (int pci = 0; pci < 2; pci++) {
		struct boot *boot = load(pci);
		const struct acpi_rsdp *rsdp = boot_at(boot, boot->rsdp, sizeof(*rsdp));
		const struct acpi_xsdt *xsdt = get_xsdt(boot);
		uint64_t end = boot->rsdp + 36;

		CHECK_EQ(boot->rsdp % 16, 0);
		CHECK_GE(boot->rsdp, 0xe0000);
		CHECK(!memcmp(rsdp->signature, "RSD PTR ", 8));
		CHECK_EQ(sum(boot, boot->rsdp, 20), 0);
		CHECK_EQ(rsdp->length, 36);
		CHECK_EQ(sum(boot, boot->rsdp, 36), 0);
		CHECK(!memcmp(xsdt->header.signature, "XSDT", 4));
		CHECK_EQ(sum(boot, rsdp->xsdt, xsdt->header.length), 0);
		CHECK_EQ(tables(boot), pci ? 5U : 3U);
		for (unsigned int i = 0; i < tables(boot); i++) {
			const struct acpi_header *header = boot_at(boot, xsdt->table[i], sizeof(*header));

			CHECK_GE(xsdt->table[i], end);
			CHECK_EQ(sum(boot, xsdt->table[i], header->length), 0);
			end = xsdt->table[i] + header->length;
		}
		CHECK_GE(rsdp->xsdt, end);
		CHECK_LE(rsdp->xsdt + xsdt->header.length, BOOT_HIGH);
	}
}

static void processors(void)
{
	const struct acpi_madt *madt = find(load(false), "APIC");

	CHECK(madt);
	CHECK_EQ(madt->header.length, 44 + 12 + 2 * 10 + 3 * 8);
	CHECK_EQ(madt->flags, 1U);
	CHECK_EQ(madt->ioapic.type, 1);
	CHECK_EQ(madt->ioapic.length, 12);
	CHECK_EQ(madt->ioapic.address, 0xfec00000U);
	CHECK_EQ(madt->ioapic.first_line, 0U);
	CHECK_EQ(madt->timer.type, 2);
	CHECK_EQ(madt->timer.length, 10);
	CHECK_EQ(madt->timer.source, 0);
	CHECK_EQ(madt->timer.line, 2U);
	CHECK_EQ(madt->timer.flags, 0);
	CHECK_EQ(madt->sci.type, 2);
	CHECK_EQ(madt->sci.length, 10);
	CHECK_EQ(madt->sci.source, 9);
	CHECK_EQ(madt->sci.line, 9U);
	CHECK_EQ(madt->sci.flags, 0xd);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(madt->lapic[i].type, 0);
		CHECK_EQ(madt->lapic[i].length, 8);
		CHECK_EQ(madt->lapic[i].processor, i);
		CHECK_EQ(madt->lapic[i].apic_id, i == 2 ? 4U : i);
		CHECK_EQ(madt->lapic[i].flags, 1U);
	}
}

static void power(void)
{
	struct boot *boot = load(false);
	const struct acpi_fadt *fadt = find(boot, "FACP");
	const struct acpi_header *dsdt;

	CHECK(fadt);
	CHECK_EQ(fadt->header.length, 276);
	CHECK_EQ(fadt->sci, 9);
	CHECK_EQ(fadt->smi_command, 0U);		/* always in ACPI mode */
	CHECK_EQ(fadt->pm1a_event, 0x600U);
	CHECK_EQ(fadt->x_pm1a_event.address, 0x600U);
	CHECK_EQ(fadt->x_pm1a_event.bits, 32);
	CHECK_EQ(fadt->pm1a_control, 0x604U);
	CHECK_EQ(fadt->pm_timer, 0x608U);
	CHECK_EQ(fadt->x_pm_timer.space, 1);
	CHECK_EQ(fadt->flags & 1 << 4, 0U);		/* a power button in PM1 */
	CHECK_EQ(fadt->flags & 1 << 10, 1U << 10);
	CHECK_EQ(fadt->reset.address, 0xcf9U);
	CHECK_EQ(fadt->reset_value, 6);
	CHECK_EQ(fadt->boot_flags, 5);			/* COM1 is there; no keyboard controller, no VGA */
	CHECK_EQ(fadt->facs % 64, 0U);
	CHECK(!memcmp(boot_at(boot, fadt->facs, 64), "FACS\x40\0\0", 8));
	CHECK_EQ(fadt->dsdt, fadt->x_dsdt);
	dsdt = boot_at(boot, fadt->dsdt, sizeof(*dsdt));
	CHECK(!memcmp(dsdt->signature, "DSDT", 4));
	CHECK_EQ(sum(boot, fadt->dsdt, dsdt->length), 0);
}

static void pci_bus(void)
{
	struct boot *boot = load(true), *without = load(false);
	const struct acpi_mcfg *mcfg = find(boot, "MCFG");
	unsigned int reserved = 0;

	CHECK(mcfg);
	CHECK_EQ(mcfg->header.length, 60);
	CHECK_EQ(mcfg->address, 0xe0000000U);
	CHECK_EQ(mcfg->last_bus, 0);
	CHECK(find(boot, "SSDT"));
	for (unsigned int i = 0; i < boot->ranges; i++) {
		const struct boot_range *range = &boot->map[i];

		reserved += range->start == 0xe0000000 && range->bytes == MIB && range->type == BOOT_RESERVED;
	}
	CHECK_EQ(reserved, 1U);
	CHECK(!find(without, "MCFG"));
	CHECK(!find(without, "SSDT"));
	CHECK_EQ(without->ranges + 1, boot->ranges);
}

static char *folder;

static void remove_folder(void *arg)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command))
		ktap_diag("%s failed", command);
}

/* iasl's text of the table; it must contain all of @words, NULL at the end */
static void must_disassemble(const void *table, uint32_t bytes, const char *name, const char *const *words)
{
	static char text[1 << 16];
	char file[96], command[256];
	FILE *stream;

	snprintf(file, sizeof(file), "%s/%s.aml", folder, name);
	stream = fopen(file, "w");
	CHECK(stream);
	CHECK_EQ(fwrite(table, 1, bytes, stream), bytes);
	fclose(stream);
	snprintf(command, sizeof(command), "iasl -d %s >%s/log 2>&1", file, folder);
	CHECK_EQ(system(command), 0);
	snprintf(file, sizeof(file), "%s/%s.dsl", folder, name);
	stream = fopen(file, "r");
	CHECK(stream);
	text[fread(text, 1, sizeof(text) - 1, stream)] = 0;
	fclose(stream);
	CHECK_THAT(!strstr(text, "Incorrect checksum") && !strstr(text, "Invalid") && !strstr(text, "****"),
		   "%s: %s", name, text);
	for (; *words; words++)
		CHECK_THAT(strstr(text, *words), "\"%s\" in %s: %s", *words, name, text);
}

static void disassembled(void)
{
	static const char *const dsdt_words[] = { "Name (_S5", "0x05", "PNP0501", "PNP0B00", "QEMU0001", "0x0505", NULL };
	static const char *const ssdt_words[] = { "PNP0A03", "_PRT", "0x0001FFFF", "0x001FFFFF", "0xDFFFFFFF", "0xFEBFFFFF", "0xE0000000", NULL };
	static const char *const wdat_words[] = { "Watchdog Action Table", "0000000000000628", NULL };
	static const char *const fadt_words[] = { "Power Button (V1) : 0", "Reset Register Supported (V2) : 1", NULL };
	static const char *const madt_words[] = { "I/O APIC", "Interrupt Source Override", NULL };
	static const char *const mcfg_words[] = { "Memory Mapped Configuration table", "00000000E0000000", NULL };
	static const struct {
		const char *signature;
		const char *const *words;
	} lists[] = {
		{ "SSDT", ssdt_words }, { "WDAT", wdat_words }, { "FACP", fadt_words }, { "APIC", madt_words }, { "MCFG", mcfg_words },
	};
	static char pattern[] = "/tmp/boot_acpi.XXXXXX";
	struct boot *boot = load(true);
	const struct acpi_header *table;

	folder = mkdtemp(pattern);
	CHECK(folder);
	ktap_defer(remove_folder, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		table = find(boot, lists[i].signature);
		CHECK(table);
		must_disassemble(table, table->length, lists[i].signature, lists[i].words);
	}
	table = boot_at(boot, ((const struct acpi_fadt *)find(boot, "FACP"))->dsdt, sizeof(*table));
	must_disassemble(table, table->length, "DSDT", dsdt_words);
}

static const struct ktap_case cases[] = {
	{ "places, lengths, checksums", frame },
	{ "processors and interrupt controllers", processors },
	{ "power management", power },
	{ "the PCI bus, only where there is one", pci_bus },
	{ "iasl reads every table", disassembled },
};
KTAP_MAIN(cases)
