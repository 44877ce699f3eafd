/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tpz, the command: what its subcommands share.
 */
#ifndef TPZ_H
#define TPZ_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include <trapeze.h>

#ifndef TPZ_VERSION
#define TPZ_VERSION "0.1"
#endif

/*
 * Exit statuses. A guest that ends its run by port 0xf4 gives an odd one; tpz's own are even. After a signal
 * tpz dies of that signal.
 */
enum tpz_status {
	STATUS_OK = 0,			/* of a run: the guest switched the machine off */
	STATUS_CANNOT = 2,		/* wrong options, no device, no such image, no such VM … */
	STATUS_RESET = 4,		/* the guest reset itself */
	STATUS_TRIPLE_FAULT = 6,
	STATUS_MEMORY = 8,		/* it touched an address without memory */
	STATUS_ENTRY_FAILED = 10,
	STATUS_UNANSWERED = 12,		/* a trap that tpz has no answer to */
	STATUS_DEAD = 14,		/* the module gave the VM up */
	STATUS_TIMEOUT = 16,
	STATUS_HOST = 18,		/* tpz itself could not go on */
	STATUS_STOPPED = 20,		/* Ctrl-A x, or tpz stop by force */
	STATUS_HALTED = 22,		/* the module handed a HLT up: without a local APIC nothing can wake the vCPU */
	STATUS_PANIC = 24,
	STATUS_HANG = 26,		/* it did not keep its watchdog quiet */
};

/**
 * struct command - a subcommand
 * @run: called with argv[0] "tpz NAME"; returns the exit status
 */
struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_stop(int argc, char **argv);

/**
 * open_device() - the device, and what the module says of itself; ends tpz with a message on failure
 */
int open_device(struct tpz_info *info);

/**
 * parse_number() - a whole number of an option's argument; ends tpz with a message if it is none
 */
uint64_t parse_number(struct argp_state *state, const char *option, const char *text);

/**
 * parse_seconds() - a positive decimal number of seconds, in nanoseconds
 */
uint64_t parse_seconds(struct argp_state *state, const char *option, const char *text);

/**
 * wants_json() - the command line of a command whose only option is --json; ends tpz with a message if it is wrong
 * @doc: for --help
 */
bool wants_json(int argc, char **argv, const char *doc);

struct json_object;

/**
 * print_json() - print to standard output, and release
 * @return the exit status
 */
int print_json(struct json_object *object);

#endif /* TPZ_H */
