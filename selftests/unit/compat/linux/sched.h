/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMPAT_LINUX_SCHED_H
#define COMPAT_LINUX_SCHED_H

static inline void cond_resched(void)
{
}

#endif
