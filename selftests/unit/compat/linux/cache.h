/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPAT_LINUX_CACHE_H
#define COMPAT_LINUX_CACHE_H

#define __ro_after_init

#endif
