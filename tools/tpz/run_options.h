/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The options of tpz run, from the command line and from a file.
 */
#ifndef TPZ_RUN_OPTIONS_H
#define TPZ_RUN_OPTIONS_H

#include "machine.h"

/**
 * struct run_options - what was asked for
 * @timeout_ns: when to end the run; 0: never
 * @stat: print the meters at the end
 * @name: what tpz list and tpz stop call the VM, or NULL
 */
struct run_options {
	struct machine_config machine;
	uint64_t timeout_ns;
	bool stat;
	const char *name;
};

/**
 * run_options_parse() - ends tpz with a message if the command line is wrong
 */
void run_options_parse(int argc, char **argv, struct run_options *run);

#endif /* TPZ_RUN_OPTIONS_H */
