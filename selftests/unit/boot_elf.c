// SPDX-License-Identifier: GPL-2.0
/*
 * tpz's loaders for ELF images: PVH and multiboot 1. The images are made up here.
 */
#include "boot_test.h"

#define MIB		(1ULL << 20)
#define LOAD_AT		0x100000
#define CODE_AT		0x200		/* in the file */
#define CODE_BYTES	0x100
#define BSS_BYTES	0x3000
#define NOTE_AT		0x180
#define MB_AT		0x80
#define IMAGE_BYTES	(CODE_AT + CODE_BYTES)

static uint8_t image[IMAGE_BYTES];

static struct mb_header *mb_header(void)
{
	return (struct mb_header *)(image + MB_AT);
}

static void put_note(uint32_t entry, uint32_t bytes)
{
	const Elf32_Nhdr other = { .n_namesz = 4, .n_descsz = 5, .n_type = XEN_ELFNOTE_PHYS32_ENTRY };
	const Elf32_Nhdr note = { .n_namesz = 4, .n_descsz = bytes, .n_type = XEN_ELFNOTE_PHYS32_ENTRY };
	uint8_t *at = image + NOTE_AT;

	/* Another owner's note with the same number comes first, padded */
	memcpy(at, &other, sizeof(other));
	memcpy(at + 12, "GNU", 4);
	memcpy(at + 24, &note, sizeof(note));
	memcpy(at + 36, "Xen", 4);
	memcpy(at + 40, &entry, 4);
}

#define NOTE_BYTES	48

static Elf32_Phdr *make_elf32(void)
{
	Elf32_Ehdr *header = (Elf32_Ehdr *)image;
	Elf32_Phdr *segment = (Elf32_Phdr *)(header + 1);

	memset(image, 0, sizeof(image));
	memset(image + CODE_AT, 0xcc, CODE_BYTES);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS32;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_type = ET_EXEC;
	header->e_machine = EM_386;
	header->e_entry = 0xc0000010;
	header->e_phoff = sizeof(*header);
	header->e_phentsize = sizeof(*segment);
	header->e_phnum = 2;
	segment[0] = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_offset = CODE_AT, .p_vaddr = 0xc0000000, .p_paddr = LOAD_AT,
		.p_filesz = CODE_BYTES, .p_memsz = CODE_BYTES + BSS_BYTES,
	};
	segment[1] = (Elf32_Phdr){ .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_filesz = NOTE_BYTES };
	return segment;
}

static Elf64_Phdr *make_elf64(void)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	Elf64_Phdr *segment = (Elf64_Phdr *)(header + 1);

	memset(image, 0, sizeof(image));
	memset(image + CODE_AT, 0xcc, CODE_BYTES);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_type = ET_EXEC;
	header->e_machine = EM_X86_64;
	header->e_entry = 0xffffffff80000000;
	header->e_phoff = sizeof(*header);
	header->e_phentsize = sizeof(*segment);
	header->e_phnum = 2;
	segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = CODE_AT, .p_vaddr = 0xffffffff80000000, .p_paddr = LOAD_AT,
		.p_filesz = CODE_BYTES, .p_memsz = CODE_BYTES + BSS_BYTES,
	};
	segment[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_filesz = NOTE_BYTES };
	return segment;
}

static void put_multiboot(uint32_t flags)
{
	struct mb_header *header = mb_header();

	header->magic = MB_HEADER_MAGIC;
	header->flags = flags;
	header->checksum = -(header->magic + header->flags);
}

/* The file's bytes from @offset on, then zeros */
static void check_loaded(const struct boot *boot, size_t offset)
{
	const uint8_t *at = boot_at(boot, LOAD_AT, CODE_BYTES + BSS_BYTES);

	for (size_t i = 0; i < CODE_BYTES + BSS_BYTES; i++)
		CHECK_EQ(at[i], offset + i < sizeof(image) ? image[offset + i] : 0);
}

/* Of memory in all, one range each of what every protocol tells alike */
static void check_range(uint64_t start, uint64_t bytes, uint32_t type, const struct boot_range *expected)
{
	CHECK_EQ(start, expected->start);
	CHECK_EQ(bytes, expected->bytes);
	CHECK_EQ(type, expected->type);
}

static void check_pvh(struct boot *boot, uint64_t entry)
{
	const struct hvm_start_info *start = boot_at(boot, BOOT_HANDOVER, sizeof(*start));
	const struct hvm_memory_range *map;
	const struct hvm_module *module;

	memset(boot_at(boot, LOAD_AT, CODE_BYTES + BSS_BYTES), 0xee, CODE_BYTES + BSS_BYTES);
	set_module(boot, 5000);
	must_load(boot, NULL);
	CHECK_STR(boot->protocol, "pvh");
	CHECK_EQ(boot->entry.mode, BOOT_MODE_PROTECTED);
	CHECK_EQ(boot->entry.rip, entry);
	CHECK_EQ(boot->entry.rbx, BOOT_HANDOVER);
	check_loaded(boot, CODE_AT);

	CHECK_EQ(start->magic, 0x336ec578U);
	CHECK_EQ(start->version, 1U);
	CHECK_EQ(start->rsdp, boot->rsdp);
	CHECK_STR((const char *)boot_at(boot, start->cmdline, 32), "console=ttyS0");
	CHECK_EQ(start->modules, 1U);
	module = boot_at(boot, start->module_list, sizeof(*module));
	CHECK_EQ(module->bytes, 5000);
	CHECK(!memcmp(boot_at(boot, module->address, 5000), boot->module.data, 5000));
	CHECK_EQ(start->memory_ranges, boot->ranges);
	map = boot_at(boot, start->memory_map, boot->ranges * sizeof(*map));
	for (unsigned int i = 0; i < boot->ranges; i++)
		check_range(map[i].start, map[i].bytes, map[i].type, &boot->map[i]);
}

static void pvh_elf64(void)
{
	make_elf64();
	put_note(LOAD_AT + 0x20, 8);
	check_pvh(new_boot(16 * MIB, image, sizeof(image)), LOAD_AT + 0x20);
}

static void pvh_elf32(void)
{
	make_elf32();
	put_note(LOAD_AT + 0x30, 4);
	put_multiboot(0);		/* PVH is preferred */
	check_pvh(new_boot(16 * MIB, image, sizeof(image)), LOAD_AT + 0x30);
}

static void check_multiboot(struct boot *boot, uint64_t entry, size_t offset)
{
	const struct mb_info *info = boot_at(boot, BOOT_HANDOVER, sizeof(*info));
	const struct mb_memory_range *map;
	const struct mb_module *module;

	memset(boot_at(boot, LOAD_AT, CODE_BYTES + BSS_BYTES), 0xee, CODE_BYTES + BSS_BYTES);
	set_module(boot, 5000);
	must_load(boot, "multiboot");
	CHECK_EQ(boot->entry.mode, BOOT_MODE_PROTECTED);
	CHECK_EQ(boot->entry.rip, entry);
	CHECK_EQ(boot->entry.rax, 0x2badb002);
	CHECK_EQ(boot->entry.rbx, BOOT_HANDOVER);
	check_loaded(boot, offset);

	CHECK_EQ(info->flags, 0x24dU);	/* memory, command line, modules, map, loader's name */
	CHECK_EQ(info->mem_lower, 639U);
	CHECK_EQ(info->mem_upper, 15 * 1024U);
	CHECK_STR((const char *)boot_at(boot, info->cmdline, 32), "console=ttyS0");
	CHECK_STR((const char *)boot_at(boot, info->boot_loader_name, 8), "trapeze");
	CHECK_EQ(info->mods_count, 1U);
	module = boot_at(boot, info->mods_addr, sizeof(*module));
	CHECK_EQ(module->end - module->start, 5000U);
	CHECK_EQ(module->start % 4096, 0U);
	CHECK_STR((const char *)boot_at(boot, module->string, 1), "");
	CHECK(!memcmp(boot_at(boot, module->start, 5000), boot->module.data, 5000));
	CHECK_EQ(info->mmap_length, boot->ranges * 24);
	map = boot_at(boot, info->mmap_addr, info->mmap_length);
	for (unsigned int i = 0; i < boot->ranges; i++) {
		CHECK_EQ(map[i].size, 20U);
		check_range(map[i].start, map[i].bytes, map[i].type, &boot->map[i]);
	}
}

/* The ELF's entry is a virtual address; the segment says where that is */
static void multiboot_elf(void)
{
	make_elf32();
	put_multiboot(MB_HEADER_PAGE_ALIGN | MB_HEADER_MEMORY_INFO);
	check_multiboot(new_boot(16 * MIB, image, sizeof(image)), LOAD_AT + 0x10, CODE_AT);
}

/* Loaded from the header on: what stands before it stays in the file */
static struct mb_header *make_flat(void)
{
	struct mb_header *header = mb_header();

	memset(image, 0, sizeof(image));
	memset(image + CODE_AT, 0xcc, CODE_BYTES);
	put_multiboot(MB_HEADER_ADDRESSES);
	header->header_addr = LOAD_AT;
	header->load_addr = LOAD_AT;
	header->entry_addr = LOAD_AT + 4;
	header->bss_end_addr = LOAD_AT + CODE_BYTES + BSS_BYTES;
	return header;
}

static void multiboot_by_addresses(void)
{
	struct mb_header *header = make_flat();

	check_multiboot(new_boot(16 * MIB, image, sizeof(image)), LOAD_AT + 4, MB_AT);
	header->load_end_addr = LOAD_AT + IMAGE_BYTES - MB_AT;
	check_multiboot(new_boot(16 * MIB, image, sizeof(image)), LOAD_AT + 4, MB_AT);
}

static struct boot *whole(void)
{
	return new_boot(16 * MIB, image, sizeof(image));
}

static void elf_refusals(void)
{
	make_elf32()[0].p_paddr = 0x10000;
	put_note(0x10000, 4);
	must_refuse(whole(), "no free memory");
	make_elf32()[0].p_paddr = 0x9f000;
	put_note(0x9f000, 4);
	must_refuse(whole(), "no free memory");
	make_elf32()[0].p_paddr = 16 * MIB - 4096;
	put_note(16 * MIB - 4096, 4);
	must_refuse(whole(), "no free memory");
	make_elf64()[0].p_paddr = ~0ULL - 100;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "no free memory");
	make_elf64()[0].p_memsz = ~0ULL;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "no free memory");
	make_elf32()[0].p_offset = 0xffffff00;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "truncated");
	make_elf32()[0].p_filesz = CODE_BYTES + 1;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "truncated");
	make_elf32()[0].p_memsz = 1;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "more bytes in the file");
	make_elf32()[0].p_type = PT_NULL;
	put_note(LOAD_AT, 4);
	must_refuse(whole(), "nothing to load");
	make_elf32();
	put_note(LOAD_AT + CODE_BYTES + BSS_BYTES, 4);
	must_refuse(whole(), "PVH entry");
	make_elf32();
	put_note(0x40, 4);
	must_refuse(whole(), "PVH entry");
	make_elf32();
	must_refuse(whole(), "is no Linux bzImage");
}

static void multiboot_refusals(void)
{
	make_elf64();
	put_multiboot(0);
	must_refuse(whole(), "32-bit ELF");
	make_elf32();
	put_multiboot(MB_HEADER_VIDEO_MODE);
	must_refuse(whole(), "video mode");
	make_elf32();
	put_multiboot(1 << 9);
	must_refuse(whole(), "requires");
	make_elf32();
	put_multiboot(1);
	mb_header()->checksum++;
	must_refuse(whole(), "is no Linux bzImage");

	make_flat()->load_addr = LOAD_AT + 4096;
	must_refuse(whole(), "load_addr");
	make_flat()->load_addr = 0;
	must_refuse(whole(), "load_addr");
	make_flat()->load_end_addr = 0xffffffff;
	must_refuse(whole(), "load_end_addr");
	make_flat()->load_end_addr = 1;
	must_refuse(whole(), "load_end_addr");
	make_flat()->bss_end_addr = LOAD_AT;
	must_refuse(whole(), "bss_end_addr");
	make_flat()->bss_end_addr = 0xffffffff;
	must_refuse(whole(), "no free memory");
	make_flat()->entry_addr = 0x500;
	must_refuse(whole(), "its entry");
	make_flat();
	must_refuse(new_boot(16 * MIB, image, MB_AT + 20), "truncated");
}

static void damaged_images(void)
{
	make_elf64();
	put_note(LOAD_AT, 8);
	survives_bad_images(image, sizeof(image), CODE_AT, 16 * MIB);
	make_elf32();
	put_multiboot(0);
	survives_bad_images(image, sizeof(image), CODE_AT, 16 * MIB);
	make_flat();
	survives_bad_images(image, sizeof(image), CODE_AT, 16 * MIB);
}

static const struct ktap_case cases[] = {
	{ "PVH, 64-bit ELF", pvh_elf64 },
	{ "PVH, 32-bit ELF, preferred to multiboot", pvh_elf32 },
	{ "multiboot, ELF", multiboot_elf },
	{ "multiboot, address fields", multiboot_by_addresses },
	{ "ELF: refusals tell why", elf_refusals },
	{ "multiboot: refusals tell why", multiboot_refusals },
	{ "truncated and damaged images do no harm", damaged_images },
};
KTAP_MAIN(cases)
