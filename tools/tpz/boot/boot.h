/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From an image file to a guest that is ready to run.
 *
 * A loader reads a kernel in one format, puts it and what it wants to know into the guest's memory, and says
 * where and how the processor starts. Images are hostile: every number in one is checked before use,
 * and a loader refuses with a sentence. Loaders know nothing of the module: they see plain memory, so
 * they are tested where there is no hypervisor.
 *
 * The guest's memory, as the loaders lay it out:
 *
 *	0x00000		BIOS data area, as far as guests look at it
 *	0x01000		boot area: GDT, what the kernel is told, page tables, command line
 *	0x20000		free memory, up to 0x9fc00
 *	0x9fc00		reserved (extended BIOS data area), and the hole of VGA and option ROMs
 *	0xe0000		reserved: ACPI tables, where a scan of the BIOS area finds them
 *	1 MiB		free: the kernel low, initrd or module at the top end
 *	3 GiB		no memory, up to 4 GiB (devices/pci_layout.h; interrupt controllers); then the rest of it
 *
 * With a BIOS nothing but its copy (below 1 MiB) and the ACPI tables (at the end of the memory below 3 GiB) is there.
 */
#ifndef TPZ_BOOT_H
#define TPZ_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_GDT		0x1000
#define BOOT_HANDOVER		0x2000	/* boot_params, hvm_start_info or the multiboot information */
#define BOOT_HANDOVER_BYTES	0x2000
#define BOOT_PAGE_TABLES	0x4000	/* 6 pages: an identity map of 4 GiB */
#define BOOT_CMDLINE		0x10000
#define BOOT_CMDLINE_BYTES	0x10000
#define BOOT_AREA_END		0x20000
#define BOOT_EBDA		0x9fc00
#define BOOT_ACPI		0xe0000
#define BOOT_HIGH		0x100000
#define BOOT_BIOS_ACPI_BYTES	0x10000	/* the tables' place with a BIOS: the end of the memory below 3 GiB */
#define BOOT_RSDP_BYTES		36

#define BOOT_LOW_MAX		(3ULL << 30)	/* memory below the hole */
#define BOOT_ABOVE_4G		(4ULL << 30)
#define BOOT_MEMORY_MIN		(2ULL << 20)
#define BOOT_MEMORY_MAX		(1ULL << 40)
#define BOOT_ROM_MAX		(16ULL << 20)	/* of a BIOS; above are the interrupt controllers' pages */

/* Selectors in BOOT_GDT. Linux's 64-bit protocol fixes the last two. */
#define BOOT_SEL_CODE32		0x08
#define BOOT_SEL_CODE64		0x10
#define BOOT_SEL_DATA		0x18
#define BOOT_GDT_BYTES		0x20

/**
 * struct boot_file - a file read into memory
 */
struct boot_file {
	const char *name;
	const uint8_t *data;
	size_t bytes;
};

/* Types of memory, numbered as BIOS call E820, PVH and multiboot all do */
enum boot_memory_type {
	BOOT_RAM = 1,
	BOOT_RESERVED = 2,
};

struct boot_range {
	uint64_t start;
	uint64_t bytes;
	enum boot_memory_type type;
};

#define BOOT_RANGES_MAX		8
#define BOOT_PROCESSORS_MAX	64

enum boot_mode {
	BOOT_MODE_LONG,		/* 64-bit, paging on */
	BOOT_MODE_PROTECTED,	/* 32-bit, paging off */
	BOOT_MODE_RESET,	/* as after power-up, which is how a vCPU is created */
};

/**
 * struct boot_entry - the processor's first instruction; what is not named here is 0
 */
struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t rax, rbx, rsi;
	uint64_t cr3;		/* BOOT_MODE_LONG */
};

/**
 * struct boot - one guest's start
 * @memory: the guest's memory in the launcher: @memory_bytes, of which the first @low_bytes stand at
 *	guest-physical 0 and the rest at 4 GiB
 * @image: the kernel, or a BIOS
 * @module: initrd (Linux, PVH) or module (multiboot); no data: none
 * @cmdline: the command line
 * @apic_ids: @processors of them: the local APICs, in the order in which the guest shall number its processors
 * @pci: the machine has a PCI bus
 * @map: what the guest is told of its memory, ascending
 * @rsdp: the ACPI root pointer's address
 * @entry: out: where it starts
 * @protocol: out: the loader's name
 * @error: out: why it cannot start
 */
struct boot {
	uint8_t *memory;
	uint64_t memory_bytes;
	uint64_t low_bytes;
	struct boot_file image;
	struct boot_file module;
	const char *cmdline;
	uint8_t apic_ids[BOOT_PROCESSORS_MAX];
	unsigned int processors;
	bool pci;

	struct boot_range map[BOOT_RANGES_MAX];
	unsigned int ranges;
	uint64_t rsdp;

	struct boot_entry entry;
	const char *protocol;
	char error[256];
};

/**
 * boot_load() - prepare the memory and load the image
 * @protocol: "linux", "pvh", "multiboot", or NULL: find out
 * @return 0, or -1 with boot->error set
 */
int boot_load(struct boot *boot, const char *protocol);

/**
 * bios_load() - prepare the memory for a BIOS (the image), which then loads what there is to load
 * @return 0, or -1 with boot->error set
 */
int bios_load(struct boot *boot);

/* ------------------------------------------------------------------ for the loaders */

/* Notes the sentence; returns -1 */
int boot_fail(struct boot *boot, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* The launcher's address of [gpa, gpa + bytes), or NULL if that is not all memory below 3 GiB */
void *boot_at(const struct boot *boot, uint64_t gpa, uint64_t bytes);

/* Whether a kernel may be put at [gpa, gpa + bytes): usable memory below 3 GiB, clear of the boot area */
bool boot_is_free(const struct boot *boot, uint64_t gpa, uint64_t bytes);

/* Copies the command line to BOOT_CMDLINE; an error if it is longer than @max_bytes without its end mark */
int boot_put_cmdline(struct boot *boot, uint64_t max_bytes);

/*
 * Copies the module to the highest pages that end at or below @limit and start at or above @floor (the
 * kernel's end); *@gpa is its address, or 0 if there is no module.
 */
int boot_put_module(struct boot *boot, uint64_t floor, uint64_t limit, uint64_t *gpa);

/* The ACPI tables from @at on, the root pointer first; returns its address: acpi.c */
uint64_t boot_put_acpi(struct boot *boot, uint64_t at);

/* Tell the guest of [start, end), if that is not empty; and of the PCI bus's registers and the memory above 4 GiB */
void boot_add_range(struct boot *boot, uint64_t start, uint64_t end, enum boot_memory_type type);
void boot_add_pci_and_high_ranges(struct boot *boot);

/* Each: is this image mine? Cheap, and no verdict about the image's health. */
bool linux_is_image(const struct boot_file *image);
bool pvh_is_image(const struct boot_file *image);
bool multiboot_is_image(const struct boot_file *image);

int linux_load(struct boot *boot);
int pvh_load(struct boot *boot);
int multiboot_load(struct boot *boot);

#endif /* TPZ_BOOT_H */
