// SPDX-License-Identifier: GPL-2.0
/*
 * What all loaders share: the memory map, the boot area, where things go.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../devices/pci_layout.h"
#include "boot.h"

#define PAGE		4096ULL

#define BDA_EBDA_SEGMENT	0x40e	/* where the extended BIOS data area starts */
#define BDA_BASE_KIB		0x413	/* memory below it */

#define PTE_PRESENT_WRITE	0x3
#define PTE_LARGE		0x80

int boot_fail(struct boot *boot, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(boot->error, sizeof(boot->error), format, args);
	va_end(args);
	return -1;
}

void *boot_at(const struct boot *boot, uint64_t gpa, uint64_t bytes)
{
	if (gpa > boot->low_bytes || bytes > boot->low_bytes - gpa)
		return NULL;
	return boot->memory + gpa;
}

bool boot_is_free(const struct boot *boot, uint64_t gpa, uint64_t bytes)
{
	if (gpa < BOOT_AREA_END || !boot_at(boot, gpa, bytes))
		return false;
	for (unsigned int i = 0; i < boot->ranges; i++) {
		const struct boot_range *range = &boot->map[i];

		if (range->type == BOOT_RAM && gpa >= range->start &&
		    gpa - range->start <= range->bytes && bytes <= range->bytes - (gpa - range->start))
			return true;
	}
	return false;
}

int boot_put_cmdline(struct boot *boot, uint64_t max_bytes)
{
	size_t length = strlen(boot->cmdline);

	if (max_bytes > BOOT_CMDLINE_BYTES - 1)
		max_bytes = BOOT_CMDLINE_BYTES - 1;
	if (length > max_bytes)
		return boot_fail(boot, "the command line has %zu characters; this kernel takes %llu", length,
				 (unsigned long long)max_bytes);
	memcpy(boot_at(boot, BOOT_CMDLINE, length + 1), boot->cmdline, length + 1);
	return 0;
}

int boot_put_module(struct boot *boot, uint64_t floor, uint64_t limit, uint64_t *gpa)
{
	const struct boot_file *module = &boot->module;

	*gpa = 0;
	if (!module->data)
		return 0;
	if (!module->bytes)
		return boot_fail(boot, "%s: is empty", module->name);
	if (limit > boot->low_bytes)
		limit = boot->low_bytes;
	if (floor < BOOT_HIGH)
		floor = BOOT_HIGH;
	if (module->bytes > limit || (limit - module->bytes) / PAGE * PAGE < floor)
		return boot_fail(boot, "%s: %zu bytes do not fit above the kernel's end at %#llx and below %#llx: give the guest more memory",
				 module->name, module->bytes, (unsigned long long)floor,
				 (unsigned long long)limit);
	*gpa = (limit - module->bytes) / PAGE * PAGE;
	memcpy(boot_at(boot, *gpa, module->bytes), module->data, module->bytes);
	return 0;
}

void boot_add_range(struct boot *boot, uint64_t start, uint64_t end, enum boot_memory_type type)
{
	if (end > start)
		boot->map[boot->ranges++] = (struct boot_range){ start, end - start, type };
}

void boot_add_pci_and_high_ranges(struct boot *boot)
{
	uint64_t high_bytes = boot->memory_bytes - boot->low_bytes;

	if (boot->pci)
		boot_add_range(boot, PCI_ECAM, PCI_ECAM + (uint64_t)PCI_ECAM_BYTES, BOOT_RESERVED);
	boot_add_range(boot, BOOT_ABOVE_4G, BOOT_ABOVE_4G + high_bytes, BOOT_RAM);
}

static void make_map(struct boot *boot)
{
	boot->ranges = 0;
	boot_add_range(boot, 0, BOOT_EBDA, BOOT_RAM);
	boot_add_range(boot, BOOT_EBDA, 0xa0000, BOOT_RESERVED);
	boot_add_range(boot, BOOT_ACPI, BOOT_HIGH, BOOT_RESERVED);
	boot_add_range(boot, BOOT_HIGH, boot->low_bytes, BOOT_RAM);
	boot_add_pci_and_high_ranges(boot);
}

static void put_u16(struct boot *boot, uint64_t gpa, uint16_t value)
{
	memcpy(boot_at(boot, gpa, sizeof(value)), &value, sizeof(value));
}

static void put_u64(struct boot *boot, uint64_t gpa, uint64_t value)
{
	memcpy(boot_at(boot, gpa, sizeof(value)), &value, sizeof(value));
}

static void put_gdt(struct boot *boot)
{
	put_u64(boot, BOOT_GDT, 0);
	put_u64(boot, BOOT_GDT + BOOT_SEL_CODE32, 0x00cf9b000000ffff);
	put_u64(boot, BOOT_GDT + BOOT_SEL_CODE64, 0x00af9b000000ffff);
	put_u64(boot, BOOT_GDT + BOOT_SEL_DATA, 0x00cf93000000ffff);
}

/* One top-level page, one page of 1 GiB entries, four pages of 2 MiB leaves */
static void put_page_tables(struct boot *boot)
{
	const uint64_t top = BOOT_PAGE_TABLES, third = top + PAGE, second = third + PAGE;

	put_u64(boot, top, third | PTE_PRESENT_WRITE);
	for (uint64_t i = 0; i < 4; i++)
		put_u64(boot, third + i * 8, (second + i * PAGE) | PTE_PRESENT_WRITE);
	for (uint64_t i = 0; i < 4 * 512; i++)
		put_u64(boot, second + i * 8, i << 21 | PTE_PRESENT_WRITE | PTE_LARGE);
}

struct loader {
	const char *name;
	bool (*is_image)(const struct boot_file *image);
	int (*load)(struct boot *boot);
};

/* In the order of preference: an ELF with a PVH note may have a multiboot header too */
static const struct loader loaders[] = {
	{ "linux", linux_is_image, linux_load },
	{ "pvh", pvh_is_image, pvh_load },
	{ "multiboot", multiboot_is_image, multiboot_load },
};

static const struct loader *find_loader(struct boot *boot, const char *protocol)
{
	for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++) {
		const struct loader *loader = &loaders[i];

		if (protocol ? !strcmp(protocol, loader->name) : loader->is_image(&boot->image))
			return loader;
	}
	if (protocol)
		boot_fail(boot, "no boot protocol is named %s: linux, pvh and multiboot are", protocol);
	else
		boot_fail(boot, "%s: is no Linux bzImage, no ELF with a PVH note and no multiboot-1 image",
			  boot->image.name);
	return NULL;
}

int boot_load(struct boot *boot, const char *protocol)
{
	const struct loader *loader;

	if (boot->memory_bytes < BOOT_MEMORY_MIN)
		return boot_fail(boot, "a guest needs at least %llu MiB of memory", BOOT_MEMORY_MIN >> 20);
	loader = find_loader(boot, protocol);
	if (!loader)
		return -1;
	if (protocol && !loader->is_image(&boot->image))
		return boot_fail(boot, "%s: is no image for the boot protocol %s", boot->image.name, protocol);

	make_map(boot);
	put_u16(boot, BDA_EBDA_SEGMENT, BOOT_EBDA >> 4);
	put_u16(boot, BDA_BASE_KIB, BOOT_EBDA >> 10);
	put_gdt(boot);
	put_page_tables(boot);
	boot->rsdp = boot_put_acpi(boot, BOOT_ACPI);
	boot->entry = (struct boot_entry){ 0 };
	boot->protocol = loader->name;
	return loader->load(boot);
}
