// SPDX-License-Identifier: GPL-2.0
/*
 * tpz: finds the subcommand and hands it the rest of the line.
 */
#include <err.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpz.h"

const char *argp_program_version = "tpz " TPZ_VERSION;

static const struct command commands[] = {
	{ "run",  "boot a guest and give it this terminal as its console", cmd_run },
	{ "info", "what this host and the module can do, and why not where not", cmd_info },
	{ "stat", "what a VM has cost: its traps, by count and cycles", cmd_stat },
	{ "list", "the VMs there are", cmd_list },
	{ "stop", "press a VM's power button, or stop it by force", cmd_stop },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

struct choice {
	const struct command *command;
	int argc;
	char **argv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct choice *choice = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < COMMANDS; i++) {
			if (!strcmp(arg, commands[i].name))
				choice->command = &commands[i];
		}
		if (!choice->command)
			argp_error(state, "there is no command '%s'", arg);
		/* What follows is the command's */
		choice->argc = state->argc - state->next + 1;
		choice->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help_filter(int key, const char *text, void *input)
{
	char *help;
	size_t bytes;
	FILE *stream;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	stream = open_memstream(&help, &bytes);
	if (!stream)
		return NULL;
	fprintf(stream, "Commands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-6s %s\n", commands[i].name, commands[i].summary);
	fprintf(stream, "\n'tpz COMMAND --help' tells a command's options, 'man tpz-COMMAND' all of it.");
	fclose(stream);
	return help;
}

int open_device(struct tpz_info *info)
{
	int dev = tpz_open();

	if (dev < 0 || tpz_get_info(dev, info))
		errx(STATUS_CANNOT, "%s", tpz_error());
	return dev;
}

uint64_t parse_number(struct argp_state *state, const char *option, const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		argp_error(state, "%s takes a number, not '%s'", option, text);
	return value;
}

uint64_t parse_seconds(struct argp_state *state, const char *option, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0.001 && value <= 1e9))
		argp_error(state, "%s takes a number of seconds (0.001 to 1e9), not '%s'", option, text);
	return value * 1e9;
}

static error_t parse_json_option(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	(void)arg;
	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

bool wants_json(int argc, char **argv, const char *doc)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	const struct argp argp = { .options = options, .parser = parse_json_option, .doc = doc };
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	return json;
}

int print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
	return fflush(stdout) ? STATUS_CANNOT : STATUS_OK;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "Boot and watch guests of the Trapeze hypervisor.\v",
		.help_filter = help_filter,
	};
	struct choice choice = { 0 };
	char name[16];

	argp_err_exit_status = STATUS_CANNOT;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice);
	snprintf(name, sizeof(name), "tpz %s", choice.command->name);
	choice.argv[0] = name;
	return choice.command->run(choice.argc, choice.argv);
}
