/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of meters, and the read-only file that shows them. The pages outlive the VM: each reader holds them.
 */
#ifndef TPZ_METERS_H
#define TPZ_METERS_H

#include "../core.h"

struct tpz_meters *tpz_meters_create(struct tpz_vm *vm);	/* NULL: no memory. Sets vm->m. May sleep */
void tpz_meters_end(struct tpz_vm *vm);				/* the VM ends: marks the page dead, drops its hold */
struct tpz_vcpu_meters *tpz_meters_add_vcpu(struct tpz_vm *vm, u32 id);	/* NULL: no memory */

/* Hold the pages beyond the VM's life */
struct tpz_meters *tpz_meters_get(struct tpz_meters *meters);
void tpz_meters_put(struct tpz_meters *meters);

/**
 * tpz_meters_open() - a new meter file; consumes the hold on @meters
 * Return: a file descriptor, or an error.
 */
int tpz_meters_open(struct tpz_meters *meters);

#endif /* TPZ_METERS_H */
