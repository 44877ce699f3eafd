/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the PCI bus stands in the guest: what the devices decode and the ACPI tables tell. Numbers only: the source of
 * the tables' AML includes this file, too.
 */
#ifndef TPZ_PCI_LAYOUT_H
#define TPZ_PCI_LAYOUT_H

#define PCI_WINDOW		0xd0000000	/* BARs */
#define PCI_WINDOW_BYTES	0x10000000
#define PCI_WINDOW_LAST		0xdfffffff	/* iasl adds no addresses: pci.c checks it */
#define PCI_BIOS_WINDOW		0xe0100000	/* in whose end SeaBIOS places all BARs anew */
#define PCI_BIOS_WINDOW_BYTES	0x1eb00000
#define PCI_BIOS_WINDOW_LAST	0xfebfffff
#define PCI_IO_WINDOW		0x1000		/* no device uses it yet */
#define PCI_IO_WINDOW_BYTES	0xf000
#define PCI_IO_WINDOW_LAST	0xffff
#define PCI_ECAM		0xe0000000	/* bus 0 alone */
#define PCI_ECAM_BYTES		0x00100000

/* INTA of slot n drives line FIRST + n % LINES: inputs of the 8259 pair and of the I/O APIC alike */
#define PCI_LINE_FIRST		10
#define PCI_LINES		2

#endif /* TPZ_PCI_LAYOUT_H */
