/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TPZ_DEVICE_H
#define TPZ_DEVICE_H

#include <linux/types.h>

#define TPZ_MODULE_VERSION	"0.1"

int tpz_device_init(void);		/* /dev/trapeze appears */
void tpz_device_exit(void);

#endif /* TPZ_DEVICE_H */
