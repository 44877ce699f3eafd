// SPDX-License-Identifier: GPL-2.0
/*
 * ELF kernels: headers of both classes are read into one form, with every offset checked against the file.
 */
#include <elf.h>
#include <string.h>

#include "elfimage.h"

#define SEGMENTS_MAX	128

/* Whether [offset, offset + bytes) is inside the file */
static bool in_file(const struct boot_file *file, uint64_t offset, uint64_t bytes)
{
	return offset <= file->bytes && bytes <= file->bytes - offset;
}

bool elf_open(const struct boot_file *file, struct elf *elf)
{
	uint16_t type, machine, phentsize;
	size_t entry_bytes;

	if (file->bytes < sizeof(Elf32_Ehdr) || memcmp(file->data, ELFMAG, SELFMAG) ||
	    file->data[EI_DATA] != ELFDATA2LSB)
		return false;

	elf->file = file;
	elf->is_64 = file->data[EI_CLASS] == ELFCLASS64;
	if (elf->is_64) {
		Elf64_Ehdr header;

		if (file->bytes < sizeof(header))
			return false;
		memcpy(&header, file->data, sizeof(header));
		type = header.e_type;
		machine = header.e_machine;
		phentsize = header.e_phentsize;
		elf->entry = header.e_entry;
		elf->phoff = header.e_phoff;
		elf->phnum = header.e_phnum;
		entry_bytes = sizeof(Elf64_Phdr);
	} else {
		Elf32_Ehdr header;

		memcpy(&header, file->data, sizeof(header));
		type = header.e_type;
		machine = header.e_machine;
		phentsize = header.e_phentsize;
		elf->entry = header.e_entry;
		elf->phoff = header.e_phoff;
		elf->phnum = header.e_phnum;
		entry_bytes = sizeof(Elf32_Phdr);
	}
	return (type == ET_EXEC || type == ET_DYN) && (machine == EM_386 || machine == EM_X86_64) &&
	       phentsize == entry_bytes && elf->phnum <= SEGMENTS_MAX &&
	       in_file(file, elf->phoff, elf->phnum * entry_bytes);
}

bool elf_segment(const struct elf *elf, unsigned int index, struct elf_segment *segment)
{
	const uint8_t *at = elf->file->data + elf->phoff;

	if (elf->is_64) {
		Elf64_Phdr header;

		memcpy(&header, at + index * sizeof(header), sizeof(header));
		*segment = (struct elf_segment){ header.p_type, header.p_offset, header.p_vaddr,
						 header.p_paddr, header.p_filesz, header.p_memsz };
	} else {
		Elf32_Phdr header;

		memcpy(&header, at + index * sizeof(header), sizeof(header));
		*segment = (struct elf_segment){ header.p_type, header.p_offset, header.p_vaddr,
						 header.p_paddr, header.p_filesz, header.p_memsz };
	}
	return in_file(elf->file, segment->offset, segment->file_bytes);
}

static uint64_t align4(uint64_t value)
{
	return (value + 3) & ~3ULL;
}

/* Notes of both classes look alike: three words, then name and content, each padded to words */
static const void *find_note(const uint8_t *notes, uint64_t left, const char *name, uint32_t type,
			     uint32_t *bytes)
{
	const uint64_t name_bytes = strlen(name) + 1;

	while (left >= sizeof(Elf32_Nhdr)) {
		Elf32_Nhdr note;
		uint64_t content, all;

		memcpy(&note, notes, sizeof(note));
		content = sizeof(note) + align4(note.n_namesz);
		all = content + align4(note.n_descsz);
		if (content + note.n_descsz > left)
			return NULL;
		if (note.n_type == type && note.n_namesz == name_bytes &&
		    !memcmp(notes + sizeof(note), name, name_bytes)) {
			*bytes = note.n_descsz;
			return notes + content;
		}
		if (all > left)
			return NULL;
		notes += all;
		left -= all;
	}
	return NULL;
}

const void *elf_note(const struct elf *elf, const char *name, uint32_t type, uint32_t *bytes)
{
	for (unsigned int i = 0; i < elf->phnum; i++) {
		struct elf_segment segment;
		const void *note;

		if (!elf_segment(elf, i, &segment) || segment.type != PT_NOTE)
			continue;
		note = find_note(elf->file->data + segment.offset, segment.file_bytes, name, type, bytes);
		if (note)
			return note;
	}
	return NULL;
}

int elf_load(struct boot *boot, const struct elf *elf, struct elf_extent *extent)
{
	const char *name = elf->file->name;

	*extent = (struct elf_extent){ .entry = elf->entry };
	for (unsigned int i = 0; i < elf->phnum; i++) {
		struct elf_segment segment;
		bool whole = elf_segment(elf, i, &segment);
		uint8_t *to;

		if (segment.type != PT_LOAD || !segment.memory_bytes)
			continue;
		if (!whole)
			return boot_fail(boot, "%s: is truncated: segment %u is not all there", name, i);
		if (segment.file_bytes > segment.memory_bytes)
			return boot_fail(boot, "%s: segment %u has more bytes in the file than in memory", name, i);
		if (!boot_is_free(boot, segment.paddr, segment.memory_bytes))
			return boot_fail(boot, "%s: segment %u wants %llu bytes at %#llx, where the guest has no free memory (free: %#x to %#x, and 1 MiB to %llu MiB)",
					 name, i, (unsigned long long)segment.memory_bytes,
					 (unsigned long long)segment.paddr, BOOT_AREA_END, BOOT_EBDA,
					 (unsigned long long)(boot->low_bytes >> 20));
		to = boot_at(boot, segment.paddr, segment.memory_bytes);
		memcpy(to, elf->file->data + segment.offset, segment.file_bytes);
		memset(to + segment.file_bytes, 0, segment.memory_bytes - segment.file_bytes);

		if (segment.paddr + segment.memory_bytes > extent->end)
			extent->end = segment.paddr + segment.memory_bytes;
		if (elf->entry >= segment.vaddr && elf->entry - segment.vaddr < segment.memory_bytes)
			extent->entry = segment.paddr + (elf->entry - segment.vaddr);
	}
	if (!extent->end)
		return boot_fail(boot, "%s: has nothing to load", name);
	return 0;
}
