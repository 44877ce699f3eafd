// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI table of the processors' local APICs, the I/O APIC and the 8259 pair. Without it Linux takes the machine for
 * one without local APIC and never starts its timer.
 */
#include "../../devices/acpi_layout.h"
#include "acpi.h"

#define LAPIC_ADDRESS		0xfee00000
#define IOAPIC_ADDRESS		0xfec00000
#define TIMER_PIN		2	/* of the I/O APIC: where the 8254's line 0 comes in */
#define MADT_PCAT_COMPAT	1	/* an 8259 pair is there too */
#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_OVERRIDE		2
#define MADT_LAPIC_ENABLED	1
#define MADT_LEVEL_HIGH		0xd	/* level-triggered, active high */

struct madt_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t source;
	uint32_t line;
	uint16_t flags;
} __attribute__((packed));

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
	struct {
		uint8_t type;
		uint8_t length;
		uint8_t id;
		uint8_t reserved;
		uint32_t address;
		uint32_t first_line;
	} __attribute__((packed)) ioapic;
	struct madt_override timer, sci;
	struct {
		uint8_t type;
		uint8_t length;
		uint8_t processor;
		uint8_t apic_id;
		uint32_t flags;
	} __attribute__((packed)) lapic[BOOT_PROCESSORS_MAX];
} __attribute__((packed));

void acpi_put_madt(struct acpi_build *build)
{
	const struct boot *boot = build->boot;
	struct acpi_madt madt = {
		.lapic_address = LAPIC_ADDRESS,
		.flags = MADT_PCAT_COMPAT,
		.ioapic = { MADT_IOAPIC, sizeof(madt.ioapic), .address = IOAPIC_ADDRESS },
		.timer = { MADT_OVERRIDE, sizeof(madt.timer), .line = TIMER_PIN },
		.sci = { MADT_OVERRIDE, sizeof(madt.sci), 0, ACPI_SCI, ACPI_SCI, MADT_LEVEL_HIGH },
	};

	for (unsigned int i = 0; i < boot->processors; i++) {
		madt.lapic[i].type = MADT_LAPIC;
		madt.lapic[i].length = sizeof(madt.lapic[i]);
		madt.lapic[i].processor = i;
		madt.lapic[i].apic_id = boot->apic_ids[i];
		madt.lapic[i].flags = MADT_LAPIC_ENABLED;
	}
	acpi_list(build, acpi_put(build, &madt, "APIC", 4,
				  offsetof(struct acpi_madt, lapic) + boot->processors * sizeof(madt.lapic[0])));
}
