// SPDX-License-Identifier: GPL-2.0
/*
 * Reset: the keyboard controller's command 0xfe at port 0x64, the fast reset bit of port 0x92, and the reset
 * control register 0xcf9 (byte accesses only: a wider access at 0xcf8 is PCI configuration, and absent).
 */
#include "reset.h"

#define KEYBOARD_STATUS		0x64
#define KEYBOARD_RESET		0xfe
#define CONTROL_A		0x92
#define CONTROL_A_RESET		0x01
#define CONTROL_A_A20		0x02
#define RESET_CONTROL		0xcf9
#define RESET_CONTROL_RESET	0x04
#define RESET_CONTROL_BITS	0x0e

/*
 * There is no keyboard controller. Its status says so by an output buffer that is always full, which is how a
 * guest finds out quickly; but the input buffer is empty, or a guest that wants to send the reset
 * command would wait for it in vain.
 */
#define KEYBOARD_ABSENT		0xfd

static uint32_t reset_in(void *device, uint16_t port, unsigned int bytes)
{
	struct reset *reset = device;

	(void)bytes;
	switch (port) {
	case KEYBOARD_STATUS:
		return KEYBOARD_ABSENT;
	case CONTROL_A:
		return CONTROL_A_A20;
	default:
		return reset->control;
	}
}

static void reset_out(void *device, uint16_t port, unsigned int bytes, uint32_t value)
{
	struct reset *reset = device;
	bool asked;

	(void)bytes;
	switch (port) {
	case KEYBOARD_STATUS:
		asked = value == KEYBOARD_RESET;
		break;
	case CONTROL_A:
		asked = value & CONTROL_A_RESET;
		break;
	default:
		asked = value & ~reset->control & RESET_CONTROL_RESET;
		reset->control = value & RESET_CONTROL_BITS;
		break;
	}
	if (asked)
		reset->reset(reset->host, port);
}

int reset_add(struct reset *reset, struct port_space *ports)
{
	static const uint16_t port[] = { KEYBOARD_STATUS, CONTROL_A, RESET_CONTROL };

	for (unsigned int i = 0; i < sizeof(port) / sizeof(port[0]); i++) {
		const struct port_device device = {
			.name = "reset", .first = port[i], .count = 1, .max_bytes = 1,
			.in = reset_in, .out = reset_out, .device = reset,
		};

		if (ports_add(ports, &device))
			return -1;
	}
	return 0;
}
