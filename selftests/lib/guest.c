// SPDX-License-Identifier: GPL-2.0
/* What runs inside the guest when a 64-bit guest takes an exception or an interrupt */
#include "guest.h"

#ifdef __x86_64__

guest_handler guest_handlers[256];

/* Called by guest.S; returning is IRET */
GUEST void guest_exception(struct guest_frame *frame)
{
	guest_handler handler = guest_handlers[frame->vector & 0xff];

	if (handler) {
		handler(frame);
	} else if (frame->r9 == GUEST_TRY_MAGIC) {
		frame->r8 = frame->rip;
		frame->rip = frame->r10;
		frame->r9 = frame->vector;
		frame->r10 = frame->error;
		frame->r11 = frame->cr2;
	} else {
		asm volatile("outl %%eax, %0"
			     : : "N"(PORT_FAULT64), "a"(frame->vector), "D"(frame) : "memory");
	}
}

#endif
