// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables of power management: FADT (where the fixed hardware stands: devices/acpi_pm.c, devices/reset.c), the
 * FACS that it needs, and the DSDT (dsdt.asl).
 */
#include <string.h>

#include "../../devices/acpi_layout.h"
#include "acpi.h"
#include "dsdt.hex"

#define FACS_VERSION		2
#define C_STATE_NONE		0xffff		/* a latency too long for the state to be there */
#define CENTURY			0x32		/* devices/cmos.c */

#define BOOT_LEGACY_DEVICES	(1U << 0)
#define BOOT_NO_VGA		(1U << 2)

#define FADT_WBINVD		(1U << 0)
#define FADT_C1			(1U << 2)	/* HLT */
#define FADT_NO_SLEEP_BUTTON	(1U << 5)	/* the power button's bit, 4, is clear: there is one in PM1 */
#define FADT_NO_RTC_WAKE	(1U << 6)
#define FADT_TIMER_32		(1U << 8)
#define FADT_RESET		(1U << 10)

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint8_t none[24];
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved0, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4_bios, p_states;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	uint8_t pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
	uint8_t gpe0_bytes, gpe1_bytes, gpe1_base, c_states;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_register reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct acpi_register x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer;
	struct acpi_register x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 6.5, table 5.13");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.5, table 5.9");

#define IO_REGISTER(at, count)	{ ACPI_SPACE_IO, (count) * 8, 0, 0, (at) }

void acpi_put_fadt(struct acpi_build *build)
{
	struct acpi_facs facs = { .length = sizeof(facs), .version = FACS_VERSION };
	struct acpi_fadt fadt = {
		.sci = ACPI_SCI,
		.pm1a_event = ACPI_PM_EVENT,
		.pm1a_control = ACPI_PM_CONTROL,
		.pm_timer = ACPI_PM_TIMER,
		.pm1_event_bytes = 4,
		.pm1_control_bytes = 2,
		.pm_timer_bytes = 4,
		.c2_latency = C_STATE_NONE,
		.c3_latency = C_STATE_NONE,
		.century = CENTURY,
		.boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_RTC_WAKE | FADT_TIMER_32 | FADT_RESET,
		.reset = { ACPI_SPACE_IO, 8, 0, ACPI_ACCESS_1, ACPI_RESET_PORT },
		.reset_value = ACPI_RESET_VALUE,
		.x_pm1a_event = IO_REGISTER(ACPI_PM_EVENT, 4),
		.x_pm1a_control = IO_REGISTER(ACPI_PM_CONTROL, 2),
		.x_pm_timer = IO_REGISTER(ACPI_PM_TIMER, 4),
	};

	memcpy(facs.signature, "FACS", sizeof(facs.signature));
	fadt.facs = acpi_put_bytes(build, &facs, sizeof(facs));
	fadt.x_dsdt = acpi_put_bytes(build, dsdt_aml_code, sizeof(dsdt_aml_code));
	fadt.dsdt = fadt.x_dsdt;
	acpi_list(build, acpi_put(build, &fadt, "FACP", 6, sizeof(fadt)));
}
