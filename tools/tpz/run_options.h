/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line of tpz run.
 */
#ifndef TPZ_RUN_OPTIONS_H
#define TPZ_RUN_OPTIONS_H

#include "machine.h"

/**
 * struct run_options - what the command line asked for
 * @timeout_ns: when to end the run; 0: never
 * @stat: print the meters at the end
 */
struct run_options {
	struct machine_config machine;
	uint64_t timeout_ns;
	bool stat;
};

/**
 * run_options_parse() - ends tpz with a message if the command line is wrong
 */
void run_options_parse(int argc, char **argv, struct run_options *run);

#endif /* TPZ_RUN_OPTIONS_H */
