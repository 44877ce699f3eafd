// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables of a machine with a PCI bus: where its configuration space stands (MCFG), and an SSDT (pci.asl) with
 * its windows and interrupt lines.
 */
#include "../../devices/pci_layout.h"
#include "acpi.h"
#include "pci.hex"

struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved0;
	uint64_t address;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} __attribute__((packed));

void acpi_put_pci(struct acpi_build *build)
{
	struct acpi_mcfg mcfg = { .address = PCI_ECAM };

	acpi_list(build, acpi_put_bytes(build, pci_aml_code, sizeof(pci_aml_code)));
	acpi_list(build, acpi_put(build, &mcfg, "MCFG", 1, sizeof(mcfg)));
}
