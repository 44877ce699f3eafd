/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the PCI bus stands in the guest: what the devices decode and the ACPI tables tell.
 */
#ifndef TPZ_PCI_LAYOUT_H
#define TPZ_PCI_LAYOUT_H

#define PCI_WINDOW		0xd0000000U	/* BARs */
#define PCI_WINDOW_BYTES	0x10000000U
#define PCI_ECAM		0xe0000000U	/* bus 0 alone */
#define PCI_ECAM_BYTES		0x00100000U

/* INTA of slot n drives line FIRST + n % LINES: inputs of the 8259 pair and of the I/O APIC alike */
#define PCI_LINE_FIRST		10
#define PCI_LINES		2

#endif /* TPZ_PCI_LAYOUT_H */
