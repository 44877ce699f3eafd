/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPAT_LINUX_BUILD_BUG_H
#define COMPAT_LINUX_BUILD_BUG_H

#include <assert.h>

/* As the kernel's: the message may be left out */
#undef static_assert
#define static_assert(condition, ...)	_Static_assert(condition, #condition)

#endif
