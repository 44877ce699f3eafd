/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the ACPI tables share. Structures and numbers are those of the ACPI specification 6.5, chapter 5.
 */
#ifndef TPZ_BOOT_ACPI_H
#define TPZ_BOOT_ACPI_H

#include "boot.h"

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* A register: generic address structure */
struct acpi_register {
	uint8_t space;
	uint8_t bits;
	uint8_t bit_offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

enum { ACPI_SPACE_IO = 1 };				/* acpi_register.space */
enum { ACPI_ACCESS_1 = 1, ACPI_ACCESS_2, ACPI_ACCESS_4 };	/* .access, in bytes */

/**
 * struct acpi_build - the tables so far
 * @next: where the next one goes
 * @table: those that the XSDT names
 */
struct acpi_build {
	struct boot *boot;
	uint64_t next;
	uint64_t table[8];
	unsigned int tables;
};

/**
 * acpi_put() - give a table its header, and copy it to the guest
 * @table: starts with a struct acpi_header, which is filled in here
 * @return its address
 */
uint64_t acpi_put(struct acpi_build *build, void *table, const char *signature, uint8_t revision, uint32_t bytes);

/**
 * acpi_put_bytes() - copy something to the guest as it is
 */
uint64_t acpi_put_bytes(struct acpi_build *build, const void *bytes, uint32_t count);

/**
 * acpi_list() - the XSDT shall name the table at this address
 */
void acpi_list(struct acpi_build *build, uint64_t table);

/* The tables by purpose: processors and interrupt controllers; power management; watchdog; the PCI bus */
void acpi_put_madt(struct acpi_build *build);
void acpi_put_fadt(struct acpi_build *build);
void acpi_put_wdat(struct acpi_build *build);
void acpi_put_pci(struct acpi_build *build);

#endif /* TPZ_BOOT_ACPI_H */
