/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM's meters as a table and as JSON.
 */
#ifndef TPZ_REPORT_H
#define TPZ_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include <trapeze.h>

struct json_object;

/**
 * struct report - the meters of one moment
 * @total: the sum over all vCPUs
 */
struct report {
	struct tpz_vm_meters vm;
	struct tpz_vcpu_meters total;
};

/**
 * report_read() - read all of a VM's meters
 * @return 0, or a negative errno value with tpz_error() set
 */
int report_read(struct tpz_meters *meters, struct report *report);

/**
 * report_since() - take @before's figures off, so that what happened since remains
 */
void report_since(struct report *report, const struct report *before);

/**
 * report_print() - the table: exits by reason, the dearest first, then where the time went
 */
void report_print(FILE *stream, const struct report *report);

/**
 * report_json() - all figures, each vCPU's and the total
 * @return the object, or NULL with tpz_error() set
 */
struct json_object *report_json(struct tpz_meters *meters);

#endif /* TPZ_REPORT_H */
