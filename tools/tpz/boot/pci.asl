/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The PCI bus: its windows, its interrupt lines, and that its configuration space is nobody's memory.
 */
#include "devices/pci_layout.h"

/* INTA of a slot, whose number is given in hexadecimal digits; no device here has another pin */
#define LINE_OF(slot)	(PCI_LINE_FIRST + ((slot) % PCI_LINES))
#define SLOT(digits)	Package () { 0x##digits##FFFF, 0, 0, LINE_OF (0x##digits) }
#define FOUR(a, b, c, d)	SLOT (a), SLOT (b), SLOT (c), SLOT (d)

DefinitionBlock ("", "SSDT", 2, "TRAPEZ", "TRAPEZE ", 1)
{
	Scope (\_SB) {
		Device (PCI0) {
			Name (_HID, EisaId ("PNP0A03"))
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate () {
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, PCI_IO_WINDOW, PCI_IO_WINDOW_LAST, 0, PCI_IO_WINDOW_BYTES)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					     0, PCI_WINDOW, PCI_WINDOW_LAST, 0, PCI_WINDOW_BYTES)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					     0, PCI_BIOS_WINDOW, PCI_BIOS_WINDOW_LAST, 0, PCI_BIOS_WINDOW_BYTES)
			})
			Name (_PRT, Package () {
				FOUR (0, 1, 2, 3), FOUR (4, 5, 6, 7), FOUR (8, 9, A, B), FOUR (C, D, E, F),
				FOUR (10, 11, 12, 13), FOUR (14, 15, 16, 17), FOUR (18, 19, 1A, 1B), FOUR (1C, 1D, 1E, 1F)
			})
		}

		Device (ECAM) {
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate () {
				Memory32Fixed (ReadWrite, PCI_ECAM, PCI_ECAM_BYTES)
			})
		}
	}
}
