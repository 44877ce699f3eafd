/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Port 0x402: what SeaBIOS says of its doings, byte by byte. It looks first whether the port reads as 0xe9.
 */
#ifndef TPZ_BIOS_LOG_H
#define TPZ_BIOS_LOG_H

#include "ports.h"

/**
 * struct bios_log - where a write goes
 * @byte: called with each byte
 */
struct bios_log {
	void (*byte)(void *host, uint8_t byte);
	void *host;
};

struct port_device bios_log_device(struct bios_log *log);

#endif /* TPZ_BIOS_LOG_H */
