// SPDX-License-Identifier: GPL-2.0
/*
 * Options from a file. Its keys are the command line's long options, so that there is one list of them and one parser.
 */
#include <err.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tpz.h"

struct arguments {
	const char *file;
	char **text;
	int count;
};

static void append(struct arguments *arguments, const char *name, const char *value)
{
	char *text = NULL, **more = realloc(arguments->text, (arguments->count + 1) * sizeof(*more));

	if (!more || asprintf(&text, value ? "--%s=%s" : "--%s", name, value) < 0)
		errx(STATUS_CANNOT, "%s: out of memory", arguments->file);
	arguments->text = more;
	arguments->text[arguments->count++] = text;
}

static void append_value(struct arguments *arguments, const struct argp_option *option, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		if (option->arg && !(option->flags & OPTION_ARG_OPTIONAL))
			errx(STATUS_CANNOT, "%s: \"%s\" takes a value: %s", arguments->file, option->name, option->arg);
		if (json_object_get_boolean(value))
			append(arguments, option->name, NULL);
		break;
	case json_type_string:
	case json_type_int:
	case json_type_double:
		if (!option->arg)
			errx(STATUS_CANNOT, "%s: \"%s\" is true or false", arguments->file, option->name);
		append(arguments, option->name, json_object_get_string(value));
		break;
	default:
		errx(STATUS_CANNOT, "%s: \"%s\" is no value of an option", arguments->file, option->name);
	}
}

static const struct argp_option *find_option(const struct argp_option *options, const char *name)
{
	for (const struct argp_option *option = options; option->name || option->doc; option++) {
		if (option->name && !strcmp(option->name, name))
			return option;
	}
	return NULL;
}

char **config_arguments(const char *file, const struct argp_option *options,
			bool (*given)(const void *arg, int key), const void *arg, int *count)
{
	struct arguments arguments = { .file = file };
	struct json_object *object = json_object_from_file(file);

	if (!object) {
		const char *why = json_util_get_last_err() ?: "is no JSON";

		errx(STATUS_CANNOT, "%s: %.*s", file, (int)strcspn(why, "\n"), why);
	}
	if (!json_object_is_type(object, json_type_object))
		errx(STATUS_CANNOT, "%s: is no JSON object", file);
	json_object_object_foreach(object, name, value) {
		const struct argp_option *option = find_option(options, name);

		if (!option || !strcmp(name, "config"))
			errx(STATUS_CANNOT, "%s: there is no option \"%s\"", file, name);
		if (given(arg, option->key))
			continue;
		if (!json_object_is_type(value, json_type_array)) {
			append_value(&arguments, option, value);
			continue;
		}
		for (size_t i = 0; i < json_object_array_length(value); i++)
			append_value(&arguments, option, json_object_array_get_idx(value, i));
	}
	json_object_put(object);
	*count = arguments.count;
	return arguments.text;
}
