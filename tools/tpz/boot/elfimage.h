/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ELF kernels, 32-bit and 64-bit.
 */
#ifndef TPZ_ELFIMAGE_H
#define TPZ_ELFIMAGE_H

#include "boot.h"

/**
 * struct elf - a checked ELF file header
 * @file: the file
 * @is_64: class
 * @entry: as the file gives it: a virtual address
 */
struct elf {
	const struct boot_file *file;
	bool is_64;
	uint64_t entry;
	uint64_t phoff;
	unsigned int phnum;
};

/**
 * struct elf_segment - a program header of either class; its bytes in the file are checked to be there
 */
struct elf_segment {
	uint32_t type;
	uint64_t offset;
	uint64_t vaddr;
	uint64_t paddr;
	uint64_t file_bytes;
	uint64_t memory_bytes;
};

/**
 * struct elf_extent - what elf_load() loaded
 * @entry: the physical address of the file's entry
 * @end: the end of the highest segment
 */
struct elf_extent {
	uint64_t entry;
	uint64_t end;
};

/**
 * elf_open() - is it an x86 ELF executable whose program headers are all there?
 */
bool elf_open(const struct boot_file *file, struct elf *elf);

/**
 * elf_segment() - program header number @index
 * @return false: it points outside of the file
 */
bool elf_segment(const struct elf *elf, unsigned int index, struct elf_segment *segment);

/**
 * elf_note() - find a note among those that the program headers name
 * @return its content (@bytes of it), or NULL
 */
const void *elf_note(const struct elf *elf, const char *name, uint32_t type, uint32_t *bytes);

/**
 * elf_load() - put the segments to their physical addresses
 * @return 0, or -1 with boot->error set
 */
int elf_load(struct boot *boot, const struct elf *elf, struct elf_extent *extent);

#endif /* TPZ_ELFIMAGE_H */
