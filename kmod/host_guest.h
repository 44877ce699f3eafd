/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A part of host.h that must be inlined into noinstr code: the host's own bookkeeping of "this CPU runs a guest"
 * (context tracking, RCU, lockdep, guest time). Included by the backends' enter.c and by vcpu.c alone, because it
 * pulls in KVM's header, where the kernel keeps these helpers.
 *
 *	guest_timing_enter_irqoff();	time is the guest's from here (%guest in top)
 *		guest_state_enter_irqoff();	noinstr from here
 *		... the entry and the exit ...
 *		guest_state_exit_irqoff();
 *		interrupts may be taken: the tick is charged to the guest
 *	guest_timing_exit_irqoff();
 */
#ifndef TPZ_HOST_GUEST_H
#define TPZ_HOST_GUEST_H

#include <linux/kvm_host.h>

#endif /* TPZ_HOST_GUEST_H */
