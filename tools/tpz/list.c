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

#include "control_place.h"
#include "tpz.h"

/* The VM's name, or "" */
static const char *name_of(const struct tpz_vm_entry *vm)
{
	static char name[CONTROL_NAME_MAX + 1];
	struct sockaddr_un address;

	return control_find(vm, &address, name) ? "" : name;
}

static void print_text(const struct tpz_vm_entry *vms, int count)
{
	printf("%8s %8s %8s %6s  %-16s %s\n", "VM", "PID", "UID", "VCPUS", "LAUNCHER", "NAME");
	for (int i = 0; i < count; i++) {
		printf("%8llu %8u %8u %6u  %-16.*s %s\n", (unsigned long long)vms[i].id, vms[i].pid, vms[i].uid,
		       vms[i].vcpus, (int)sizeof(vms[i].comm), vms[i].comm, name_of(&vms[i]));
	}
}

static int print_array(const struct tpz_vm_entry *vms, int count)
{
	struct json_object *array = json_object_new_array();

	for (int i = 0; i < count; i++) {
		struct json_object *entry = json_object_new_object();
		const char *name = name_of(&vms[i]);

		json_object_object_add(entry, "id", json_object_new_uint64(vms[i].id));
		json_object_object_add(entry, "pid", json_object_new_int64(vms[i].pid));
		json_object_object_add(entry, "uid", json_object_new_int64(vms[i].uid));
		json_object_object_add(entry, "vcpus", json_object_new_int64(vms[i].vcpus));
		json_object_object_add(entry, "comm",
				       json_object_new_string_len(vms[i].comm,
								  strnlen(vms[i].comm, sizeof(vms[i].comm))));
		json_object_object_add(entry, "name", *name ? json_object_new_string(name) : NULL);
		json_object_array_add(array, entry);
	}
	return print_json(array);
}

int cmd_list(int argc, char **argv)
{
	struct tpz_vm_entry *vms;
	struct tpz_info info;
	bool json = wants_json(argc, argv, "The VMs there are: your own, or all with CAP_SYS_ADMIN.");
	int dev, count, status = STATUS_OK;

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
