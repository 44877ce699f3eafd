// SPDX-License-Identifier: GPL-2.0
/*
 * tpz list: the VMs that the caller may watch.
 */
#include <err.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tpz.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
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

static void print_text(const struct tpz_vm_entry *vms, int count)
{
	printf("%8s %8s %8s %6s  %s\n", "VM", "PID", "UID", "VCPUS", "LAUNCHER");
	for (int i = 0; i < count; i++) {
		printf("%8llu %8u %8u %6u  %.*s\n", (unsigned long long)vms[i].id, vms[i].pid, vms[i].uid,
		       vms[i].vcpus, (int)sizeof(vms[i].comm), vms[i].comm);
	}
}

static int print_array(const struct tpz_vm_entry *vms, int count)
{
	struct json_object *array = json_object_new_array();

	for (int i = 0; i < count; i++) {
		struct json_object *entry = json_object_new_object();

		json_object_object_add(entry, "id", json_object_new_uint64(vms[i].id));
		json_object_object_add(entry, "pid", json_object_new_int64(vms[i].pid));
		json_object_object_add(entry, "uid", json_object_new_int64(vms[i].uid));
		json_object_object_add(entry, "vcpus", json_object_new_int64(vms[i].vcpus));
		json_object_object_add(entry, "comm",
				       json_object_new_string_len(vms[i].comm,
								  strnlen(vms[i].comm, sizeof(vms[i].comm))));
		json_object_array_add(array, entry);
	}
	return print_json(array);
}

int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "The VMs there are: your own, or all with CAP_SYS_ADMIN.",
	};
	struct tpz_vm_entry *vms;
	struct tpz_info info;
	bool json = false;
	int dev, count, status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	dev = open_device(&info);
	count = tpz_list_vms(dev, &vms);
	if (count < 0)
		errx(STATUS_CANNOT, "%s", tpz_error());
	if (json)
		status = print_array(vms, count);
	else
		print_text(vms, count);
	free(vms);
	close(dev);
	return status;
}
