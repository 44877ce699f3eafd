// SPDX-License-Identifier: GPL-2.0
/*
 * tpz's Linux loader, memory map and ACPI tables: on a made-up bzImage, whole and damaged, and on Debian's
 * own kernel where one is installed.
 */
#include "boot_test.h"

#include <glob.h>
#include <sys/stat.h>
#include <fcntl.h>

#define MIB		(1ULL << 20)
#define SETUP_SECTORS	3
#define KERNEL_BYTES	0x5000
#define IMAGE_BYTES	((SETUP_SECTORS + 1) * 512 + KERNEL_BYTES)

static uint8_t made_up[IMAGE_BYTES];

/* A bzImage as small as the protocol lets it be; returned so that a case can spoil it */
static struct setup_header *make_image(void)
{
	struct setup_header *header = (struct setup_header *)(made_up + HEADER_AT);

	memset(made_up, 0x90, sizeof(made_up));
	memset(header, 0, sizeof(*header));
	made_up[HEADER_END_BYTE] = HEADER_AT + sizeof(*header) - 0x202;
	header->setup_sects = SETUP_SECTORS;
	header->syssize = KERNEL_BYTES / 16;
	header->boot_flag = BOOT_FLAG;
	header->header = HEADER_MAGIC;
	header->version = 0x020f;
	header->loadflags = LOADED_HIGH;
	header->xloadflags = XLF_KERNEL_64;
	header->initrd_addr_max = 0x7fffffff;
	header->kernel_alignment = 2 * MIB;
	header->relocatable_kernel = 1;
	header->cmdline_size = 2047;
	header->pref_address = 16 * MIB;
	header->init_size = 3 * MIB;
	return header;
}

static const struct boot_params *zero_page(const struct boot *boot)
{
	return boot_at(boot, BOOT_HANDOVER, sizeof(struct boot_params));
}

static uint64_t word(const struct boot *boot, uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, boot_at(boot, gpa, 8), 8);
	return value;
}

static void entry_state(void)
{
	const struct boot_params *params;
	struct boot *boot;

	make_image();
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	must_load(boot, NULL);
	CHECK_STR(boot->protocol, "linux");
	CHECK_EQ(boot->entry.mode, BOOT_MODE_LONG);
	CHECK_EQ(boot->entry.rip, 16 * MIB + 0x200);
	CHECK_EQ(boot->entry.rsi, BOOT_HANDOVER);
	CHECK(!memcmp(boot_at(boot, 16 * MIB, KERNEL_BYTES), made_up + (SETUP_SECTORS + 1) * 512, KERNEL_BYTES));

	params = zero_page(boot);
	CHECK_EQ(params->hdr.header, (uint32_t)HEADER_MAGIC);
	CHECK_EQ(params->hdr.type_of_loader, 0xff);
	CHECK_EQ(params->hdr.cmd_line_ptr, (uint32_t)BOOT_CMDLINE);
	CHECK_EQ(params->hdr.ramdisk_size, 0U);
	CHECK_EQ(params->acpi_rsdp_addr, boot->rsdp);
	CHECK_EQ(params->sentinel, 0);
	CHECK_STR((const char *)boot_at(boot, BOOT_CMDLINE, 32), "console=ttyS0");
}

static void page_tables_and_gdt(void)
{
	struct boot *boot;

	make_image();
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	must_load(boot, NULL);

	/* Each address below 4 GiB maps to itself: follow the tables as a processor does */
	for (uint64_t gpa = 0; gpa < BOOT_ABOVE_4G; gpa += 2 * MIB) {
		uint64_t top = word(boot, boot->entry.cr3 + (gpa >> 39 & 511) * 8);
		uint64_t third = word(boot, (top & ~0xfffULL) + (gpa >> 30 & 511) * 8);
		uint64_t leaf = word(boot, (third & ~0xfffULL) + (gpa >> 21 & 511) * 8);

		CHECK_EQ(top & 3, 3);
		CHECK_EQ(third & 0x83, 3);
		CHECK_EQ(leaf & 0x83, 0x83);
		CHECK_EQ(leaf & ~0xfffULL, gpa);
	}
	/* Present, code or data, accessed; long or 32-bit */
	CHECK_EQ(word(boot, BOOT_GDT + BOOT_SEL_CODE64), 0x00af9b000000ffffULL);
	CHECK_EQ(word(boot, BOOT_GDT + BOOT_SEL_CODE32), 0x00cf9b000000ffffULL);
	CHECK_EQ(word(boot, BOOT_GDT + BOOT_SEL_DATA), 0x00cf93000000ffffULL);
}

/* Ascending, apart, within the memory, and all the memory */
static void check_map(const struct boot *boot)
{
	const struct boot_params *params = zero_page(boot);
	uint64_t end = 0, ram = 0;

	CHECK_EQ(params->e820_entries, boot->ranges);
	for (unsigned int i = 0; i < boot->ranges; i++) {
		const struct boot_e820_entry *entry = &params->e820_table[i];

		CHECK_GE(entry->addr, end);
		CHECK_GT(entry->size, 0);
		end = entry->addr + entry->size;
		CHECK(end <= boot->low_bytes || entry->addr >= BOOT_ABOVE_4G);
		if (entry->type == BOOT_RAM)
			ram += entry->size;
	}
	CHECK_EQ(ram, boot->memory_bytes - (BOOT_HIGH - BOOT_EBDA));
}

static void memory_map(void)
{
	static const uint64_t sizes[] = { 20 * MIB, 64 * MIB, 3072 * MIB, 3073 * MIB, 8192 * MIB };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct boot *boot;

		make_image();
		boot = new_boot(sizes[i], made_up, sizeof(made_up));
		must_load(boot, NULL);
		check_map(boot);
	}
}

static void initrd_is_high_and_apart(void)
{
	const struct boot_params *params;
	struct boot *boot;
	uint64_t start;

	make_image();
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	set_module(boot, 5 * MIB + 123);
	must_load(boot, NULL);
	params = zero_page(boot);
	start = params->hdr.ramdisk_image;
	CHECK_EQ(start % 4096, 0);
	CHECK_EQ(params->hdr.ramdisk_size, 5 * MIB + 123);
	CHECK_LE(start + params->hdr.ramdisk_size, 64 * MIB);
	CHECK_GE(start, 16 * MIB + 3 * MIB);
	CHECK(!memcmp(boot_at(boot, start, boot->module.bytes), boot->module.data, boot->module.bytes));

	/* A kernel may limit how high it looks */
	make_image()->initrd_addr_max = 40 * MIB - 1;
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	set_module(boot, MIB);
	must_load(boot, NULL);
	CHECK_EQ(zero_page(boot)->hdr.ramdisk_image, 39 * MIB);
}

static void relocates_if_memory_is_small(void)
{
	struct boot *boot;

	make_image();
	boot = new_boot(16 * MIB, made_up, sizeof(made_up));
	must_load(boot, NULL);
	CHECK_EQ(boot->entry.rip, 2 * MIB + 0x200);

	make_image()->relocatable_kernel = 0;
	boot = new_boot(16 * MIB, made_up, sizeof(made_up));
	must_refuse(boot, "give it more");
}

static void refusals(void)
{
	struct boot *boot;

	make_image()->version = 0x020b;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "boot protocol 2.11");
	make_image()->xloadflags = 0;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "32-bit kernel");
	make_image()->loadflags = 0;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "zImage");
	make_image()->kernel_alignment = 0;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "power of two");
	make_image()->init_size = 0xffffffff;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "give it more");
	make_image()->pref_address = ~0ULL - 4096;
	must_load(new_boot(64 * MIB, made_up, sizeof(made_up)), NULL);	/* elsewhere */
	make_image()->syssize = 0xffffffff;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "truncated");
	make_image()->setup_sects = 255;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "truncated");
	make_image()->cmdline_size = 5;
	must_refuse(new_boot(64 * MIB, made_up, sizeof(made_up)), "command line has 13 characters");

	make_image();
	must_refuse(new_boot(1 * MIB, made_up, sizeof(made_up)), "at least 2 MiB");
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	set_module(boot, 60 * MIB);
	must_refuse(boot, "do not fit");
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	boot->module = (struct boot_file){ "nothing", boot->image.data, 0 };
	must_refuse(boot, "is empty");
	must_refuse(new_boot(64 * MIB, "#!/bin/sh\n", 10), "is no Linux bzImage");
	boot = new_boot(64 * MIB, made_up, sizeof(made_up));
	CHECK_EQ(boot_load(boot, "pvh"), -1);
	CHECK_EQ(boot_load(boot, "efi"), -1);
}

static void damaged_images(void)
{
	make_image();
	survives_bad_images(made_up, sizeof(made_up), 0x280, 64 * MIB);
}

/* The installed kernel, as every user boots it */
static void debian_kernel(void)
{
	const struct boot_params *params;
	struct stat status;
	struct boot *boot;
	void *image;
	glob_t found;
	int fd;

	if (glob("/boot/vmlinuz-*", 0, NULL, &found))
		SKIP("no /boot/vmlinuz-* here");
	fd = CHECK_SYS(open(found.gl_pathv[found.gl_pathc - 1], O_RDONLY));
	globfree(&found);
	CHECK_SYS(fstat(fd, &status));
	image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(image != MAP_FAILED);
	close(fd);

	boot = new_boot(256 * MIB, image, status.st_size);
	munmap(image, status.st_size);
	set_module(boot, 3 * MIB);
	must_load(boot, NULL);
	check_map(boot);
	params = zero_page(boot);
	CHECK_GE(params->hdr.version, 0x020c);
	CHECK_EQ(boot->entry.rip, params->hdr.pref_address + 0x200);
	CHECK_GE(params->hdr.ramdisk_image, params->hdr.pref_address + params->hdr.init_size);
	CHECK_LE(params->hdr.ramdisk_image + 3 * MIB, 256 * MIB);
	ktap_diag("kernel at %#llx, %u MiB to unpack in, initrd at %#x", params->hdr.pref_address,
		  params->hdr.init_size >> 20, params->hdr.ramdisk_image);
}

static const struct ktap_case cases[] = {
	{ "the processor's start and the zero page", entry_state },
	{ "identity map and GDT", page_tables_and_gdt },
	{ "the memory map: ascending, apart, all of the memory", memory_map },
	{ "initrd: high, whole, apart from the kernel", initrd_is_high_and_apart },
	{ "a relocatable kernel in a small memory", relocates_if_memory_is_small },
	{ "refusals tell why", refusals },
	{ "truncated and damaged images do no harm", damaged_images },
	{ "Debian's kernel", debian_kernel },
};
KTAP_MAIN(cases)
