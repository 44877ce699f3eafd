// SPDX-License-Identifier: GPL-2.0
/*
 * A multiboot-1 kernel (version 0.6.96 of the specification): somewhere in its first 8 KiB stands a header; the
 * image is loaded by the address fields in that header, if it has them, or else as a 32-bit ELF. The
 * kernel starts in 32-bit protected mode without paging, EAX holding a magic number and EBX the address of
 * the information structure.
 */
#include <string.h>

#include "elfimage.h"

#define MB_SEARCH_BYTES		8192
#define MB_HEADER_MAGIC		0x1badb002
#define MB_HEADER_PAGE_ALIGN	(1U << 0)
#define MB_HEADER_MEMORY_INFO	(1U << 1)
#define MB_HEADER_VIDEO_MODE	(1U << 2)
#define MB_HEADER_REQUIREMENTS	0xffffU		/* a loader that does not know one of these must refuse */
#define MB_HEADER_ADDRESSES	(1U << 16)

#define MB_LOADER_MAGIC		0x2badb002
#define MB_INFO_MEMORY		(1U << 0)
#define MB_INFO_CMDLINE		(1U << 2)
#define MB_INFO_MODULES		(1U << 3)
#define MB_INFO_MEMORY_MAP		(1U << 6)
#define MB_INFO_LOADER_NAME	(1U << 9)

struct mb_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	/* with MB_HEADER_ADDRESSES */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr;		/* 0: all of the file */
	uint32_t bss_end_addr;		/* 0: none */
	uint32_t entry_addr;
};

#define MB_HEADER_MIN	12

struct mb_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper;	/* KiB, from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
};

struct mb_module {
	uint32_t start, end;
	uint32_t string;
	uint32_t reserved;
};

struct mb_memory_range {
	uint32_t size;			/* of what follows */
	uint64_t start;
	uint64_t bytes;
	uint32_t type;
} __attribute__((packed));

/* All of it, at BOOT_HANDOVER */
struct mb_handover {
	struct mb_info info;
	struct mb_module module;
	struct mb_memory_range map[BOOT_RANGES_MAX];
	char loader_name[16];
	char no_string[4];
};

_Static_assert(sizeof(struct mb_handover) <= BOOT_HANDOVER_BYTES, "the handover fits");

static bool find_header(const struct boot_file *image, struct mb_header *header, size_t *offset)
{
	size_t end = image->bytes < MB_SEARCH_BYTES ? image->bytes : MB_SEARCH_BYTES;

	for (*offset = 0; *offset + MB_HEADER_MIN <= end; *offset += 4) {
		size_t bytes = image->bytes - *offset;

		memset(header, 0, sizeof(*header));
		memcpy(header, image->data + *offset, bytes < sizeof(*header) ? bytes : sizeof(*header));
		if (header->magic == MB_HEADER_MAGIC && header->magic + header->flags + header->checksum == 0)
			return true;
	}
	return false;
}

bool multiboot_is_image(const struct boot_file *image)
{
	struct mb_header header;
	size_t offset;

	return find_header(image, &header, &offset);
}

/* By the header's address fields */
static int load_by_addresses(struct boot *boot, const struct mb_header *header, size_t offset,
			     struct elf_extent *extent)
{
	const struct boot_file *image = &boot->image;
	uint64_t before_header, start, file_bytes, memory_bytes;
	uint8_t *to;

	if (image->bytes - offset < sizeof(*header))
		return boot_fail(boot, "%s: is truncated: it ends inside its multiboot header", image->name);
	before_header = (uint64_t)header->header_addr - header->load_addr;
	if (header->header_addr < header->load_addr || before_header > offset)
		return boot_fail(boot, "%s: the multiboot header's load_addr %#x does not fit its header_addr %#x",
				 image->name, header->load_addr, header->header_addr);
	start = offset - before_header;
	file_bytes = image->bytes - start;
	if (header->load_end_addr) {
		if (header->load_end_addr < header->load_addr ||
		    header->load_end_addr - header->load_addr > file_bytes)
			return boot_fail(boot, "%s: is truncated, or the multiboot header's load_end_addr %#x is wrong",
					 image->name, header->load_end_addr);
		file_bytes = header->load_end_addr - header->load_addr;
	}
	memory_bytes = file_bytes;
	if (header->bss_end_addr) {
		if (header->bss_end_addr < header->load_addr + file_bytes)
			return boot_fail(boot, "%s: the multiboot header's bss_end_addr %#x is inside what it loads",
					 image->name, header->bss_end_addr);
		memory_bytes = header->bss_end_addr - header->load_addr;
	}
	if (!boot_is_free(boot, header->load_addr, memory_bytes))
		return boot_fail(boot, "%s: wants %llu bytes at %#x, where the guest has no free memory (free: %#x to %#x, and 1 MiB to %llu MiB)",
				 image->name, (unsigned long long)memory_bytes, header->load_addr,
				 BOOT_AREA_END, BOOT_EBDA, (unsigned long long)(boot->low_bytes >> 20));

	to = boot_at(boot, header->load_addr, memory_bytes);
	memcpy(to, image->data + start, file_bytes);
	memset(to + file_bytes, 0, memory_bytes - file_bytes);
	extent->entry = header->entry_addr;
	extent->end = header->load_addr + memory_bytes;
	return 0;
}

static int load_kernel(struct boot *boot, const struct mb_header *header, size_t offset,
		       struct elf_extent *extent)
{
	struct elf elf;

	if (header->flags & MB_HEADER_ADDRESSES)
		return load_by_addresses(boot, header, offset, extent);
	if (!elf_open(&boot->image, &elf) || elf.is_64)
		return boot_fail(boot, "%s: has a multiboot header, but neither address fields in it nor the form of a 32-bit ELF",
				 boot->image.name);
	return elf_load(boot, &elf, extent);
}

/* Multiboot knows 32-bit addresses; its map may name memory above them all the same */
static void put_info(struct boot *boot, struct mb_handover *handover, uint64_t module)
{
	struct mb_info *info = &handover->info;

	memset(handover, 0, sizeof(*handover));
	memcpy(handover->loader_name, "trapeze", 8);
	info->flags = MB_INFO_MEMORY | MB_INFO_CMDLINE | MB_INFO_MEMORY_MAP | MB_INFO_LOADER_NAME;
	info->mem_lower = BOOT_EBDA >> 10;
	info->mem_upper = (boot->low_bytes - BOOT_HIGH) >> 10;
	info->cmdline = BOOT_CMDLINE;
	info->boot_loader_name = BOOT_HANDOVER + offsetof(struct mb_handover, loader_name);
	if (module) {
		info->flags |= MB_INFO_MODULES;
		info->mods_count = 1;
		info->mods_addr = BOOT_HANDOVER + offsetof(struct mb_handover, module);
		handover->module = (struct mb_module){
			.start = module,
			.end = module + boot->module.bytes,
			.string = BOOT_HANDOVER + offsetof(struct mb_handover, no_string),
		};
	}
	info->mmap_addr = BOOT_HANDOVER + offsetof(struct mb_handover, map);
	info->mmap_length = boot->ranges * sizeof(handover->map[0]);
	for (unsigned int i = 0; i < boot->ranges; i++) {
		handover->map[i] = (struct mb_memory_range){
			.size = sizeof(handover->map[i]) - sizeof(handover->map[i].size),
			.start = boot->map[i].start, .bytes = boot->map[i].bytes, .type = boot->map[i].type,
		};
	}
}

int multiboot_load(struct boot *boot)
{
	struct mb_handover *handover = boot_at(boot, BOOT_HANDOVER, sizeof(*handover));
	const uint32_t known = MB_HEADER_PAGE_ALIGN | MB_HEADER_MEMORY_INFO;
	struct elf_extent extent;
	struct mb_header header;
	uint64_t module;
	size_t offset;

	if (!find_header(&boot->image, &header, &offset))
		return boot_fail(boot, "%s: has no multiboot-1 header", boot->image.name);
	if (header.flags & MB_HEADER_VIDEO_MODE)
		return boot_fail(boot, "%s: asks for a video mode; there is only a serial console here",
				 boot->image.name);
	if (header.flags & MB_HEADER_REQUIREMENTS & ~known)
		return boot_fail(boot, "%s: its multiboot header requires what is not known here (flags %#x)",
				 boot->image.name, header.flags);
	if (load_kernel(boot, &header, offset, &extent))
		return -1;
	if (!boot_is_free(boot, extent.entry, 1) || extent.entry >= extent.end)
		return boot_fail(boot, "%s: its entry %#llx is outside of what it loads", boot->image.name,
				 (unsigned long long)extent.entry);
	if (boot_put_cmdline(boot, BOOT_CMDLINE_BYTES - 1) ||
	    boot_put_module(boot, extent.end, BOOT_LOW_MAX, &module))
		return -1;
	put_info(boot, handover, module);

	boot->entry = (struct boot_entry){
		.mode = BOOT_MODE_PROTECTED,
		.rip = extent.entry,
		.rax = MB_LOADER_MAGIC,
		.rbx = BOOT_HANDOVER,
	};
	return 0;
}
