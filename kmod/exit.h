/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TPZ_EXIT_H
#define TPZ_EXIT_H

#include "core.h"

/**
 * tpz_exit_fast() - the first answer to v->exit. Interrupts off. TPZ_SLOW: tpz_exit_slow() is to be called
 * tpz_exit_slow() - the answer that may sleep: TPZ_RESUME or TPZ_TO_USER
 */
enum tpz_next tpz_exit_fast(struct tpz_vcpu *v);
enum tpz_next tpz_exit_slow(struct tpz_vcpu *v);

#endif /* TPZ_EXIT_H */
