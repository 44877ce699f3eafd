// SPDX-License-Identifier: GPL-2.0
/*
 * tpz stat: what a VM has cost.
 */
#include <err.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "tpz.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON, with each vCPU by itself; always the figures since the start", 0 },
	{ "interval", 'i', "SECONDS", 0, "Print again every SECONDS, what happened meanwhile, until the VM ends", 0 },
	{ 0 }
};

struct arguments {
	bool json;
	uint64_t interval_ns;
	bool has_id;
	uint64_t id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'j':
		args->json = true;
		return 0;
	case 'i':
		args->interval_ns = parse_seconds(state, "--interval", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (args->has_id)
			argp_error(state, "one VM at a time");
		args->id = parse_number(state, "ID", arg);
		args->has_id = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Without a number: the only VM there is */
static uint64_t only_vm(int dev)
{
	struct tpz_vm_entry *vms;
	int count = tpz_list_vms(dev, &vms);
	uint64_t id;

	if (count < 0)
		errx(STATUS_CANNOT, "%s", tpz_error());
	if (!count)
		errx(STATUS_CANNOT, "there is no VM");
	if (count > 1)
		errx(STATUS_CANNOT, "there are %d VMs: say which; tpz list shows them", count);
	id = vms[0].id;
	free(vms);
	return id;
}

static void pause_ns(uint64_t ns)
{
	struct timespec left = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static int show_json(struct tpz_meters *meters)
{
	struct json_object *object = report_json(meters);

	if (!object)
		errx(STATUS_CANNOT, "%s", tpz_error());
	return print_json(object);
}

static int show(struct tpz_meters *meters, struct report *report, const struct report *before)
{
	if (report_read(meters, report))
		errx(STATUS_CANNOT, "%s", tpz_error());
	if (before) {
		struct report since = *report;

		report_since(&since, before);
		printf("\n");
		report_print(stdout, &since);
	} else {
		report_print(stdout, report);
	}
	return fflush(stdout) ? STATUS_CANNOT : STATUS_OK;
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[ID]",
		.doc = "What VM number ID has cost so far: its traps by reason, and where its time went. Without ID: the only VM there is.",
	};
	struct arguments args = { 0 };
	struct report report = { 0 }, before;
	struct tpz_meters meters;
	struct tpz_info info;
	int dev, status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = open_device(&info);
	if (!args.has_id)
		args.id = only_vm(dev);
	if (tpz_meters_open(dev, args.id, &meters))
		errx(STATUS_CANNOT, "%s", tpz_error());

	status = args.json ? show_json(&meters) : show(&meters, &report, NULL);
	while (args.interval_ns && status == STATUS_OK) {
		struct tpz_vm_meters vm;

		tpz_meters_vm(&meters, &vm);
		if (vm.dead)
			break;
		pause_ns(args.interval_ns);
		before = report;
		status = args.json ? show_json(&meters) : show(&meters, &report, &before);
	}
	tpz_meters_close(&meters);
	close(dev);
	return status;
}
