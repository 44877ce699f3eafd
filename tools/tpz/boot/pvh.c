// SPDX-License-Identifier: GPL-2.0
/*
 * An ELF kernel with a PVH note: the note names the physical address of an entry in 32-bit protected mode
 * without paging, and EBX points to a struct hvm_start_info (xen/include/public/arch-x86/hvm/start_info.h
 * describes it).
 */
#include <string.h>

#include "elfimage.h"

#define XEN_ELFNOTE_PHYS32_ENTRY	18
#define START_MAGIC			0x336ec578

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t module_list;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memory_map;		/* since version 1 */
	uint32_t memory_ranges;
	uint32_t reserved;
};

struct hvm_module {
	uint64_t address;
	uint64_t bytes;
	uint64_t cmdline;
	uint64_t reserved;
};

struct hvm_memory_range {
	uint64_t start;
	uint64_t bytes;
	uint32_t type;
	uint32_t reserved;
};

/* All of it, at BOOT_HANDOVER */
struct pvh_handover {
	struct hvm_start_info start;
	struct hvm_module module;
	struct hvm_memory_range map[BOOT_RANGES_MAX];
};

_Static_assert(sizeof(struct hvm_start_info) == 56, "version 1 of the interface");
_Static_assert(sizeof(struct pvh_handover) <= BOOT_HANDOVER_BYTES, "the handover fits");

static bool find_entry(const struct elf *elf, uint64_t *entry)
{
	uint32_t bytes;
	const void *note = elf_note(elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &bytes);

	*entry = 0;
	if (!note || (bytes != 4 && bytes != 8))
		return false;
	memcpy(entry, note, bytes);
	return true;
}

bool pvh_is_image(const struct boot_file *image)
{
	struct elf elf;
	uint64_t entry;

	return elf_open(image, &elf) && find_entry(&elf, &entry);
}

int pvh_load(struct boot *boot)
{
	struct pvh_handover *handover = boot_at(boot, BOOT_HANDOVER, sizeof(*handover));
	struct elf_extent extent;
	struct elf elf;
	uint64_t entry, module;

	if (!elf_open(&boot->image, &elf) || !find_entry(&elf, &entry))
		return boot_fail(boot, "%s: is no ELF with a PVH note", boot->image.name);
	if (elf_load(boot, &elf, &extent))
		return -1;
	if (!boot_is_free(boot, entry, 1) || entry >= extent.end)
		return boot_fail(boot, "%s: its PVH entry %#llx is outside of what it loads", boot->image.name,
				 (unsigned long long)entry);
	if (boot_put_cmdline(boot, BOOT_CMDLINE_BYTES - 1) ||
	    boot_put_module(boot, extent.end, BOOT_LOW_MAX, &module))
		return -1;

	memset(handover, 0, sizeof(*handover));
	handover->start = (struct hvm_start_info){
		.magic = START_MAGIC,
		.version = 1,
		.cmdline = BOOT_CMDLINE,
		.rsdp = boot->rsdp,
		.memory_map = BOOT_HANDOVER + offsetof(struct pvh_handover, map),
		.memory_ranges = boot->ranges,
	};
	if (module) {
		handover->start.modules = 1;
		handover->start.module_list = BOOT_HANDOVER + offsetof(struct pvh_handover, module);
		handover->module = (struct hvm_module){ .address = module, .bytes = boot->module.bytes };
	}
	for (unsigned int i = 0; i < boot->ranges; i++) {
		handover->map[i] = (struct hvm_memory_range){
			.start = boot->map[i].start, .bytes = boot->map[i].bytes, .type = boot->map[i].type,
		};
	}

	boot->entry = (struct boot_entry){
		.mode = BOOT_MODE_PROTECTED,
		.rip = entry,
		.rbx = BOOT_HANDOVER,
	};
	return 0;
}
