/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of tpz's loaders share: memory with guard pages around it, so that a loader that reads or
 * writes one byte too far dies, and the loaders themselves.
 */
#ifndef BOOT_TEST_H
#define BOOT_TEST_H

#include <asm/types.h>

#include "../lib/ktap.c"

#include <sys/mman.h>

#include "../../tools/tpz/boot/acpi.c"
#include "../../tools/tpz/boot/acpi_fadt.c"
#include "../../tools/tpz/boot/acpi_madt.c"
#include "../../tools/tpz/boot/acpi_pci.c"
#include "../../tools/tpz/boot/acpi_wdat.c"
#include "../../tools/tpz/boot/boot.c"
#include "../../tools/tpz/boot/elfimage.c"
#include "../../tools/tpz/boot/linux.c"
#include "../../tools/tpz/boot/multiboot.c"
#include "../../tools/tpz/boot/pvh.c"

#define GUARD	4096

struct guarded {
	uint8_t *map;
	size_t map_bytes;
};

static void guarded_free(void *arg)
{
	struct guarded *guarded = arg;

	munmap(guarded->map, guarded->map_bytes);
	free(guarded);
}

/* @bytes that end right before a page nobody may touch, and start (rounded) right after one */
static uint8_t *guarded_alloc(size_t bytes)
{
	size_t pages = (bytes + GUARD - 1) / GUARD * GUARD;
	struct guarded *guarded = malloc(sizeof(*guarded));

	guarded->map_bytes = pages + 2 * GUARD;
	guarded->map = mmap(NULL, guarded->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (guarded->map == MAP_FAILED || mprotect(guarded->map + GUARD, pages, PROT_READ | PROT_WRITE))
		FAIL("no %zu bytes", bytes);
	ktap_defer(guarded_free, guarded);
	return guarded->map + GUARD + pages - bytes;
}

/* A guest of @bytes of memory with the image and module given; their bytes are copied */
static struct boot *new_boot(uint64_t bytes, const void *image, size_t image_bytes)
{
	struct boot *boot = calloc(1, sizeof(*boot));
	uint8_t *copy = guarded_alloc(image_bytes);

	ktap_defer(free, boot);
	memcpy(copy, image, image_bytes);
	boot->memory = guarded_alloc(bytes);
	boot->memory_bytes = bytes;
	boot->low_bytes = bytes < BOOT_LOW_MAX ? bytes : BOOT_LOW_MAX;
	boot->cmdline = "console=ttyS0";
	boot->processors = 3;
	boot->apic_ids[1] = 1;
	boot->apic_ids[2] = 4;
	boot->image = (struct boot_file){ "image", copy, image_bytes };
	return boot;
}

static __attribute__((unused)) void set_module(struct boot *boot, size_t bytes)
{
	uint8_t *data = guarded_alloc(bytes);

	memset(data, 0x5a, bytes);
	boot->module = (struct boot_file){ "module", data, bytes };
}

static __attribute__((unused)) void must_load(struct boot *boot, const char *protocol)
{
	int ret = boot_load(boot, protocol);

	CHECK_THAT(ret == 0, "%s", boot->error);
}

/* The load fails, and the sentence contains @words */
static __attribute__((unused)) void must_refuse(struct boot *boot, const char *words)
{
	CHECK_EQ(boot_load(boot, NULL), -1);
	CHECK_THAT(strstr(boot->error, words), "\"%s\" in \"%s\"", words, boot->error);
}

/*
 * Every prefix of the image, and every one of its first @header_bytes set to each of some bad values: whatever
 * the loader answers, it touches nothing that is not its own, and a refusal has a sentence.
 */
static __attribute__((unused)) void survives_bad_images(const void *image, size_t bytes, size_t header_bytes, uint64_t memory)
{
	static const uint8_t bad[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	uint8_t *guest = guarded_alloc(memory), *copy = guarded_alloc(bytes);
	struct boot *boot = calloc(1, sizeof(*boot));

	ktap_defer(free, boot);
	for (size_t length = 0; length <= bytes; length += length < header_bytes ? 1 : 509) {
		/* The copy's end is at the guard page */
		memmove(copy + bytes - length, image, length);
		*boot = (struct boot){
			.memory = guest, .memory_bytes = memory, .low_bytes = memory, .cmdline = "x",
			.image = { "prefix", copy + bytes - length, length },
		};
		if (boot_load(boot, NULL))
			CHECK(boot->error[0]);
	}
	for (size_t at = 0; at < header_bytes * sizeof(bad); at++) {
		memcpy(copy, image, bytes);
		copy[at / sizeof(bad)] = bad[at % sizeof(bad)];
		*boot = (struct boot){
			.memory = guest, .memory_bytes = memory, .low_bytes = memory, .cmdline = "x",
			.image = { "damaged", copy, bytes },
		};
		if (boot_load(boot, NULL))
			CHECK(boot->error[0]);
	}
}

#endif /* BOOT_TEST_H */
