/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the machine's power management stands: what the devices decode and the ACPI tables tell. Numbers only: the
 * sources of the tables' AML include this file, too.
 */
#ifndef TPZ_ACPI_LAYOUT_H
#define TPZ_ACPI_LAYOUT_H

#define ACPI_PM_EVENT		0x600	/* status and enable, 2 bytes each */
#define ACPI_PM_CONTROL		0x604	/* 2 bytes */
#define ACPI_PM_TIMER		0x608	/* 4 bytes */
#define ACPI_PM_PORTS		12
#define ACPI_SCI		9	/* line, of the 8259 pair and of the I/O APIC alike */
#define ACPI_S5_TYPE		5	/* the sleep type that switches the machine off */
#define ACPI_RESET_PORT		0xcf9
#define ACPI_RESET_VALUE	0x06

#define PVPANIC_PORT		0x505

#define WATCHDOG_PORT		0x620
#define WATCHDOG_CONTROL	0x00	/* three registers of 4 bytes, told by the WDAT (boot/acpi_wdat.c) */
#define WATCHDOG_LIMIT		0x04
#define WATCHDOG_LEFT		0x08
#define WATCHDOG_PORTS		12
#define WATCHDOG_PERIOD_MS	100
#define WATCHDOG_LIMIT_MAX	0xffff

#endif /* TPZ_ACPI_LAYOUT_H */
