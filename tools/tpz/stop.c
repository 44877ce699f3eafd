// SPDX-License-Identifier: GPL-2.0
/*
 * tpz stop: a VM's end, by its power button if its guest follows, by force if not.
 */
#include <err.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "control_place.h"
#include "tpz.h"

#define DEFAULT_SECONDS	60
#define ANSWER_MS	10000

struct stop {
	const char *vm;
	bool force;
	uint64_t timeout_ns;
};

static const struct argp_option options[] = {
	{ "force", 'f', NULL, 0, "At once, without asking the guest", 0 },
	{ "timeout", 't', "SECONDS", 0, "How long the guest may take (default: 60); then it is stopped by force", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stop *stop = state->input;

	switch (key) {
	case 'f':
		stop->force = true;
		return 0;
	case 't':
		stop->timeout_ns = parse_seconds(state, "--timeout", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (stop->vm)
			argp_error(state, "one VM at a time");
		stop->vm = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which VM?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Connects to the VM of that number or name */
static int connect_vm(const char *wanted)
{
	struct sockaddr_un address, found = { .sun_family = AF_UNSPEC };
	char name[CONTROL_NAME_MAX + 1], number[24];
	struct tpz_vm_entry *vms;
	struct tpz_info info;
	int dev = open_device(&info), count = tpz_list_vms(dev, &vms), fd;

	if (count < 0)
		errx(STATUS_CANNOT, "%s", tpz_error());
	for (int i = 0; i < count; i++) {
		bool reachable = !control_find(&vms[i], &address, name);

		snprintf(number, sizeof(number), "%llu", (unsigned long long)vms[i].id);
		if (strcmp(wanted, number) && !(reachable && !strcmp(wanted, name)))
			continue;
		if (!reachable)
			errx(STATUS_CANNOT, "VM %s has no control socket", number);
		if (found.sun_family != AF_UNSPEC)
			errx(STATUS_CANNOT, "several VMs are called %s: say a number", wanted);
		found = address;
	}
	free(vms);
	close(dev);
	if (found.sun_family == AF_UNSPEC)
		errx(STATUS_CANNOT, "there is no VM %s", wanted);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&found, sizeof(found)))
		err(STATUS_CANNOT, "%s", found.sun_path);
	return fd;
}

/* Whether its connection ends, as it does with the run */
static bool ends_within(int fd, uint64_t ms)
{
	struct pollfd file = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&file, 1, ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* @return the answer, or NULL: the run ended meanwhile */
static struct json_object *tell(int fd, const char *message)
{
	struct pollfd file = { .fd = fd, .events = POLLIN };
	char answer[CONTROL_MESSAGE_MAX + 1];
	ssize_t count;

	if (send(fd, message, strlen(message), MSG_NOSIGNAL) < 0)
		return NULL;
	if (poll(&file, 1, ANSWER_MS) != 1)
		errx(STATUS_CANNOT, "the VM's launcher does not answer");
	count = recv(fd, answer, sizeof(answer) - 1, 0);
	if (count <= 0)
		return NULL;
	answer[count] = 0;
	return json_tokener_parse(answer);
}

int cmd_stop(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "NAME|NUMBER",
		.doc = "Press a VM's power button, and wait until it has ended; after a time, end it by force.",
	};
	struct stop stop = { .timeout_ns = DEFAULT_SECONDS * 1000000000ULL };
	struct json_object *answer, *listens;
	int fd;

	argp_parse(&argp, argc, argv, 0, NULL, &stop);
	fd = connect_vm(stop.vm);
	if (!stop.force) {
		answer = tell(fd, "{\"command\": \"power-button\"}");
		if (!answer)
			return STATUS_OK;
		if (json_object_object_get_ex(answer, "listens", &listens) && !json_object_get_boolean(listens))
			warnx("the guest does not listen to its power button yet");
		json_object_put(answer);
		if (ends_within(fd, stop.timeout_ns / 1000000))
			return STATUS_OK;
		warnx("the guest took too long: stopped by force");
	}
	json_object_put(tell(fd, "{\"command\": \"stop\"}"));
	if (!ends_within(fd, ANSWER_MS))
		errx(STATUS_CANNOT, "the VM's launcher does not end");
	return STATUS_OK;
}
