// SPDX-License-Identifier: GPL-2.0
/*
 * tpz info: what this host and the module can do, feature by feature.
 */
#include <err.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tpz.h"

static const char *backend_name(uint32_t backend)
{
	switch (backend) {
	case TPZ_BACKEND_VMX:
		return "vmx";
	case TPZ_BACKEND_SVM:
		return "svm";
	default:
		return "unknown";
	}
}

static const char *state_name(uint32_t state)
{
	switch (state) {
	case TPZ_FEATURE_ABSENT:
		return "no";
	case TPZ_FEATURE_PRESENT:
		return "yes";
	case TPZ_FEATURE_UNUSED:
		return "unused";
	default:
		return "?";
	}
}

static void get_feature(int dev, uint32_t index, struct tpz_feature *feature)
{
	if (tpz_get_feature(dev, index, feature))
		errx(STATUS_CANNOT, "%s", tpz_error());
	feature->name[sizeof(feature->name) - 1] = 0;
	feature->why[sizeof(feature->why) - 1] = 0;
}

static void print_text(int dev, const struct tpz_info *info)
{
	printf("Trapeze %.*s, ABI %u, backend %s\n", (int)sizeof(info->module_version), info->module_version,
	       info->abi_version, backend_name(info->backend));
	printf("  %u CPUs with virtualization on, %u VMs alive\n", info->cpus_on, info->vms);
	printf("  a VM may have %u vCPUs and %u memory slots in %u bits of guest-physical address\n",
	       info->max_vcpus, info->max_slots, info->phys_bits);
	printf("  TSC at %u.%03u MHz, XSAVE area of %u bytes\n\n", info->tsc_khz / 1000, info->tsc_khz % 1000,
	       info->xsave_bytes);
	printf("%-32s %-7s %s\n", "feature", "here", "");
	for (uint32_t i = 0; i < info->feature_count; i++) {
		struct tpz_feature feature;

		get_feature(dev, i, &feature);
		printf("%-32s %-7s %s\n", feature.name, state_name(feature.state), feature.why);
	}
}

static int print_object(int dev, const struct tpz_info *info)
{
	struct json_object *object = json_object_new_object();
	struct json_object *features = json_object_new_array();

	json_object_object_add(object, "module_version",
			       json_object_new_string_len(info->module_version,
							  strnlen(info->module_version,
								  sizeof(info->module_version))));
	json_object_object_add(object, "abi_version", json_object_new_int64(info->abi_version));
	json_object_object_add(object, "backend", json_object_new_string(backend_name(info->backend)));
	json_object_object_add(object, "cpus_on", json_object_new_int64(info->cpus_on));
	json_object_object_add(object, "vms", json_object_new_int64(info->vms));
	json_object_object_add(object, "max_vcpus", json_object_new_int64(info->max_vcpus));
	json_object_object_add(object, "max_slots", json_object_new_int64(info->max_slots));
	json_object_object_add(object, "phys_bits", json_object_new_int64(info->phys_bits));
	json_object_object_add(object, "tsc_khz", json_object_new_int64(info->tsc_khz));
	json_object_object_add(object, "xsave_bytes", json_object_new_int64(info->xsave_bytes));
	for (uint32_t i = 0; i < info->feature_count; i++) {
		struct json_object *entry = json_object_new_object();
		struct tpz_feature feature;

		get_feature(dev, i, &feature);
		json_object_object_add(entry, "name", json_object_new_string(feature.name));
		json_object_object_add(entry, "state", json_object_new_string(state_name(feature.state)));
		json_object_object_add(entry, "why", json_object_new_string(feature.why));
		json_object_array_add(features, entry);
	}
	json_object_object_add(object, "features", features);
	return print_json(object);
}

int cmd_info(int argc, char **argv)
{
	struct tpz_info info;
	bool json = wants_json(argc, argv,
			       "What this host and the Trapeze module can do, feature by feature, and why not where not.");
	int dev, status = STATUS_OK;

	dev = open_device(&info);
	if (json)
		status = print_object(dev, &info);
	else
		print_text(dev, &info);
	close(dev);
	return status;
}
