/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file that says what the command line of tpz run could say.
 */
#ifndef TPZ_CONFIG_H
#define TPZ_CONFIG_H

#include <argp.h>
#include <stdbool.h>

/**
 * config_arguments() - a file's options as a command line has them; ends tpz with a message if it is wrong
 * @file: one JSON object: long names of options and their values; an array for an option that may be repeated
 * @given: whether the command line has that option itself: the file's is left out then
 * @count: out: how many
 * @return the arguments, to be kept as long as what is parsed of them
 */
char **config_arguments(const char *file, const struct argp_option *options,
			bool (*given)(const void *arg, int key), const void *arg, int *count);

#endif /* TPZ_CONFIG_H */
