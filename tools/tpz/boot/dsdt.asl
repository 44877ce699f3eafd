/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every machine of tpz has and a guest cannot find by itself. The power button is none of these: it is fixed
 * hardware (acpi_fadt.c).
 */
#include "devices/acpi_layout.h"

DefinitionBlock ("", "DSDT", 2, "TRAPEZ", "TRAPEZE ", 1)
{
	Name (_S5, Package () { ACPI_S5_TYPE, ACPI_S5_TYPE, 0, 0 })

	Scope (_SB) {
		Device (COM1) {
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate () {
				IO (Decode16, 0x3f8, 0x3f8, 0, 8)
				IRQNoFlags () { 4 }
			})
		}

		Device (RTC) {
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate () {
				IO (Decode16, 0x70, 0x70, 0, 2)
				IRQNoFlags () { 8 }
			})
		}

		/* The name by which stock kernels know a port that takes word of a panic */
		Device (PANC) {
			Name (_HID, "QEMU0001")
			Name (_CRS, ResourceTemplate () {
				IO (Decode16, PVPANIC_PORT, PVPANIC_PORT, 0, 1)
			})
		}
	}
}
