// SPDX-License-Identifier: GPL-2.0
/*
 * Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 * A bzImage is a boot sector and setup code for real mode, which stay unused here but for the header at 0x1f1,
 * followed by the kernel proper. The kernel goes where its header prefers, the header is copied into
 * the "zero page" (struct boot_params), and the processor starts 0x200 behind the kernel's start in
 * 64-bit mode, RSI pointing to the zero page.
 */
#include <string.h>

#include <asm/bootparam.h>

#include "boot.h"

#define HEADER_AT	0x1f1
#define HEADER_END_BYTE	0x201	/* the header ends at 0x202 plus what this byte says */
#define HEADER_MAGIC	0x53726448	/* "HdrS" */
#define BOOT_FLAG	0xaa55
#define SECTOR		512
#define ENTRY_64	0x200
#define LOADER_UNKNOWN	0xff
#define VIDEO_NORMAL	0xffff

#define PROTOCOL_64	0x020c	/* the first with XLF_KERNEL_64 */

_Static_assert(sizeof(struct boot_params) <= BOOT_HANDOVER_BYTES, "the zero page fits");
_Static_assert(BOOT_SEL_CODE64 == 0x10 && BOOT_SEL_DATA == 0x18, "__BOOT_CS and __BOOT_DS");

static bool read_header(const struct boot_file *image, struct setup_header *header)
{
	if (image->bytes < HEADER_AT + sizeof(*header))
		return false;
	memcpy(header, image->data + HEADER_AT, sizeof(*header));
	return header->boot_flag == BOOT_FLAG && header->header == HEADER_MAGIC;
}

bool linux_is_image(const struct boot_file *image)
{
	struct setup_header header;

	return read_header(image, &header);
}

/* The protocol's version and what the 64-bit entry needs */
static int check_header(struct boot *boot, const struct setup_header *header)
{
	const char *name = boot->image.name;

	if (header->version < PROTOCOL_64)
		return boot_fail(boot, "%s: boot protocol %u.%02u; the 64-bit entry came with 2.12 (Linux 3.8)", name,
				 header->version >> 8, header->version & 0xff);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return boot_fail(boot, "%s: is a 32-bit kernel: it has no 64-bit entry", name);
	if (!(header->loadflags & LOADED_HIGH))
		return boot_fail(boot, "%s: is a zImage, which loads below 1 MiB; a bzImage is needed", name);
	if (!header->kernel_alignment || header->kernel_alignment & (header->kernel_alignment - 1))
		return boot_fail(boot, "%s: kernel_alignment %#x is no power of two", name,
				 header->kernel_alignment);
	return 0;
}

/* The kernel proper: all that follows boot sector and setup code */
static int find_kernel(struct boot *boot, const struct setup_header *header, struct boot_file *kernel)
{
	uint64_t setup = (uint64_t)((header->setup_sects ? header->setup_sects : 4) + 1) * SECTOR;
	uint64_t promised = (uint64_t)header->syssize * 16;
	size_t bytes = boot->image.bytes;

	if (setup >= bytes || bytes - setup <= ENTRY_64)
		return boot_fail(boot, "%s: is truncated: it ends at %#zx, before its kernel's entry",
				 boot->image.name, bytes);
	/* syssize counts paragraphs; the last one may be cut short */
	if (bytes - setup + 15 < promised)
		return boot_fail(boot, "%s: is truncated: its header promises %llu bytes of kernel, %llu are there",
				 boot->image.name, (unsigned long long)promised,
				 (unsigned long long)(bytes - setup));
	kernel->name = boot->image.name;
	kernel->data = boot->image.data + setup;
	kernel->bytes = bytes - setup;
	return 0;
}

/* Where the kernel goes; it needs @bytes there, to unpack itself in place */
static int choose_address(struct boot *boot, const struct setup_header *header, uint64_t bytes, uint64_t *load)
{
	uint64_t align = header->kernel_alignment;

	if (boot_is_free(boot, header->pref_address, bytes)) {
		*load = header->pref_address;
		return 0;
	}
	*load = (BOOT_HIGH + align - 1) / align * align;
	if (header->relocatable_kernel && boot_is_free(boot, *load, bytes))
		return 0;
	return boot_fail(boot, "%s: needs %llu MiB of memory at %#llx, and the guest has %llu MiB: give it more",
			 boot->image.name, (unsigned long long)((bytes + (1 << 20) - 1) >> 20),
			 (unsigned long long)header->pref_address,
			 (unsigned long long)(boot->memory_bytes >> 20));
}

static void put_memory_map(const struct boot *boot, struct boot_params *params)
{
	for (unsigned int i = 0; i < boot->ranges; i++) {
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = boot->map[i].start,
			.size = boot->map[i].bytes,
			.type = boot->map[i].type,
		};
	}
	params->e820_entries = boot->ranges;
}

/* Only the header, by its own length, goes into the zero page: the rest must be 0 */
static void put_header(const struct boot *boot, struct boot_params *params)
{
	size_t bytes = 0x202 + boot->image.data[HEADER_END_BYTE] - HEADER_AT;

	if (bytes > sizeof(params->hdr))
		bytes = sizeof(params->hdr);
	memcpy(&params->hdr, boot->image.data + HEADER_AT, bytes);
}

int linux_load(struct boot *boot)
{
	struct boot_params *params = boot_at(boot, BOOT_HANDOVER, sizeof(*params));
	struct setup_header header;
	struct boot_file kernel = { 0 };
	uint64_t load, needs, initrd;

	if (!read_header(&boot->image, &header))
		return boot_fail(boot, "%s: is no Linux bzImage", boot->image.name);
	if (check_header(boot, &header) || find_kernel(boot, &header, &kernel))
		return -1;
	needs = kernel.bytes > header.init_size ? kernel.bytes : header.init_size;
	if (choose_address(boot, &header, needs, &load))
		return -1;
	if (boot_put_cmdline(boot, header.cmdline_size ? header.cmdline_size : 255))
		return -1;
	if (boot_put_module(boot, load + needs, (uint64_t)header.initrd_addr_max + 1, &initrd))
		return -1;
	memcpy(boot_at(boot, load, kernel.bytes), kernel.data, kernel.bytes);

	memset(params, 0, sizeof(*params));
	put_header(boot, params);
	put_memory_map(boot, params);
	params->acpi_rsdp_addr = boot->rsdp;
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.vid_mode = VIDEO_NORMAL;
	params->hdr.code32_start = load;
	params->hdr.cmd_line_ptr = BOOT_CMDLINE;
	params->hdr.setup_data = 0;
	params->hdr.ramdisk_image = initrd;
	params->hdr.ramdisk_size = initrd ? boot->module.bytes : 0;

	boot->entry = (struct boot_entry){
		.mode = BOOT_MODE_LONG,
		.rip = load + ENTRY_64,
		.rsi = BOOT_HANDOVER,
		.cr3 = BOOT_PAGE_TABLES,
	};
	return 0;
}
