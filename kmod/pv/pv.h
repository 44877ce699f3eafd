/* SPDX-License-Identifier: GPL-2.0 */
/* What guests may ask for: hypercalls (Documentation/abi.md, "Guests"). */
#ifndef TPZ_PV_H
#define TPZ_PV_H

#include "../cpu/cpu.h"

TPZ_HANDLER(tpz_on_hypercall);	/* fast: unknown numbers answer -ENOSYS (KVM's -1000), CPL > 0: -EPERM */

#endif /* TPZ_PV_H */
