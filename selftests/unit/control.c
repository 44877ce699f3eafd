// SPDX-License-Identifier: GPL-2.0
/*
 * tpz's control socket, played by good and bad clients; where it stands; and the options that a file gives.
 */
#define _GNU_SOURCE
#include <asm/types.h>

#include "../lib/ktap.c"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *folder;
#define CONTROL_ROOT_FOLDER	folder

#define TPZ_VERSION	"test"
#include "../../tools/tpz/control.c"
#include "../../tools/tpz/control_place.c"
#define append config_append
#include "../../tools/tpz/config.c"

static struct control control;
static unsigned int presses, stops;

static void tell_status(void *host, struct json_object *object)
{
	json_object_object_add(object, "id", json_object_new_int(7));
}

static bool press(void *host)
{
	return ++presses > 1;
}

static void stop(void *host)
{
	stops++;
}

static void remove_folder(void *arg)
{
	char command[128];

	control_close(&control);
	snprintf(command, sizeof(command), "rm -rf %s", (char *)arg);
	if (system(command))
		ktap_diag("%s failed", command);
}

/* The sockets' folder, whoever runs this */
static void new_folder(void)
{
	static char pattern[32], path[64];

	strcpy(pattern, "/tmp/control.XXXXXX");
	CHECK(mkdtemp(pattern));
	ktap_defer(remove_folder, pattern);
	setenv("XDG_RUNTIME_DIR", pattern, 1);
	snprintf(path, sizeof(path), "%s/trapeze", pattern);
	folder = path;
	memset(control.client, -1, sizeof(control.client));
	control.listener = -1;
}

static void listen_as(struct control *as, uint64_t id, const char *name)
{
	char problem[256] = "";

	CHECK_THAT(!control_listen(as, id, name, problem), "%s", problem);
	as->status = tell_status;
	as->press = press;
	as->stop = stop;
	presses = 0;
	stops = 0;
}

static void serve(void)
{
	struct pollfd files[CONTROL_FILES];

	control_poll(&control, files);
	while (poll(files, CONTROL_FILES, 0) > 0) {
		control_serve(&control, files);
		control_poll(&control, files);
	}
}

static void close_fd(void *arg)
{
	close((int)(long)arg);
}

static int dial(void)
{
	struct tpz_vm_entry vm = { .id = 7, .uid = geteuid() };
	struct sockaddr_un address;
	char name[CONTROL_NAME_MAX + 1];
	int fd = CHECK_SYS(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));

	ktap_defer(close_fd, (void *)(long)fd);
	CHECK_EQ(control_find(&vm, &address, name), 0);
	CHECK_SYS(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* The answer, or "" if the connection was ended, or NULL if there is none */
static const char *hear(int fd)
{
	static char answer[4096];
	ssize_t count;

	serve();
	count = recv(fd, answer, sizeof(answer) - 1, 0);
	if (count < 0 && errno == EAGAIN)
		return NULL;
	answer[count > 0 ? count : 0] = 0;
	return answer;
}

static const char *say_to(int fd, const char *message)
{
	CHECK_EQ(send(fd, message, strlen(message), MSG_NOSIGNAL), (ssize_t)strlen(message));
	return hear(fd);
}

static void names(void)
{
	static const char *const good[] = { "a", "web", "web-1.x_Y", "1a", "abcdefghijklmnopqrstuvwxyz012345" };
	static const char *const bad[] = {
		"", "7", "0123", ".a", "-a", "_a", "a/b", "..", "a b", "a\n", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456",
	};
	const char *name;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_THAT(control_name_ok(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_THAT(!control_name_ok(bad[i]), "%s", bad[i]);
	CHECK(control_file("7", 7, &name));
	CHECK_STR(name, "");
	CHECK(control_file("7.web.x", 7, &name));
	CHECK_STR(name, "web.x");
	CHECK(!control_file("77.web", 7, &name));
	CHECK(!control_file("7.we/b", 7, &name));
	CHECK(!control_file("7.", 7, &name));
	CHECK(!control_file("7web", 7, &name));
}

static void place(void)
{
	struct tpz_vm_entry vm = { .id = 7, .uid = geteuid() };
	char name[CONTROL_NAME_MAX + 1], path[128], problem[256];
	struct control other;
	struct sockaddr_un address;
	struct stat status;

	new_folder();
	CHECK_EQ(control_find(&vm, &address, name), -1);
	listen_as(&control, 7, "web");
	CHECK_EQ(control_find(&vm, &address, name), 0);
	CHECK_STR(name, "web");
	CHECK_SYS(stat(folder, &status));
	CHECK_EQ(status.st_mode & 0777, 0700);
	CHECK_SYS(stat(address.sun_path, &status));
	CHECK_EQ(status.st_mode & 0777, 0600);

	CHECK_EQ(control_listen(&other, 8, "web", problem), -1);
	CHECK(strstr(problem, "another VM has that name"));
	listen_as(&other, 8, "webb");
	listen_as(&other, 9, NULL);			/* 8's is dead now, and so swept when the next one comes */
	control_close(&control);
	listen_as(&control, 10, "web");			/* free again */
	snprintf(path, sizeof(path), "%s/7.web", folder);
	CHECK_EQ(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/9", folder);
	CHECK_EQ(access(path, F_OK), 0);
	control_close(&other);
	listen_as(&other, 10, "web2");			/* the number is used anew: a module loaded again */
	vm.id = 10;
	CHECK_EQ(control_find(&vm, &address, name), 0);
	CHECK_STR(name, "web2");
	control_close(&other);

	CHECK_SYS(chmod(folder, 0777));
	CHECK_EQ(control_listen(&other, 11, NULL, problem), -1);
	CHECK(strstr(problem, "not ours alone"));
}

static void protocol(void)
{
	int fd, second;

	new_folder();
	listen_as(&control, 7, NULL);
	fd = dial();
	second = dial();
	CHECK_STR(say_to(fd, "{\"command\": \"status\"}"), "{\"id\":7,\"ok\":true}");
	CHECK_STR(say_to(fd, "{\"command\": \"power-button\"}\n"), "{\"listens\":false,\"ok\":true}");
	CHECK_STR(say_to(second, "{\"command\": \"power-button\"}"), "{\"listens\":true,\"ok\":true}");
	CHECK_EQ(presses, 2U);
	CHECK(strstr(say_to(fd, "{\"command\": \"reboot\"}"), "\"ok\":false"));
	CHECK(strstr(say_to(fd, "{\"command\": 5}"), "\"ok\":false"));
	CHECK(strstr(say_to(fd, "{\"comand\": \"stop\"}"), "\"ok\":false"));
	CHECK_EQ(stops, 0U);
	CHECK_STR(say_to(second, "{\"command\": \"stop\"}"), "{\"ok\":true}");
	CHECK_EQ(stops, 1U);
	control_close(&control);
	CHECK_STR(hear(fd), "");
}

static void bad_messages(void)
{
	static const char *const bad[] = {
		" ", "{", "}", "[]", "null", "5", "\"status\"", "{\"command\": \"status\"", "{\"command\": \"status\"}}",
		"{\"command\": \"stop\"} {}", "{'command': 'stop'}", "{\"command\": [[[[[[[[[[[[1]]]]]]]]]]]]}",
		"{\"command\": \"st\\u0000op\"}", "{\"command\": NaN}", "\xff\xfe{}", "{\"command\": \"\xff\"}",
	};
	char bytes[CONTROL_MESSAGE_MAX + 1];
	int fd;

	new_folder();
	listen_as(&control, 7, NULL);
	fd = dial();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *answer = say_to(fd, bad[i]);

		CHECK_THAT(answer && strstr(answer, "\"ok\":false"), "%s: %s", bad[i], answer);
	}
	memset(bytes, ' ', sizeof(bytes));
	CHECK_EQ(send(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	CHECK_STR(hear(fd), "");			/* too long */
	fd = dial();
	CHECK_EQ(send(fd, bytes, 0, 0), 0);
	CHECK_STR(hear(fd), "");
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		size_t length = random() % sizeof(bytes);

		fd = round % 100 ? fd : dial();
		for (size_t i = 0; i < length; i++)
			bytes[i] = random() % 4 ? "{}[]\":,\\ue0-+.truefalsn command"[random() % 31] : random();
		if (send(fd, bytes, length, MSG_NOSIGNAL) < 0)
			fd = dial();
		hear(fd);
	}
	CHECK_EQ(stops, 0U);
	CHECK_STR(say_to(dial(), "{\"command\": \"status\"}"), "{\"id\":7,\"ok\":true}");
}

static void bad_clients(void)
{
	int first, fd;
	unsigned int sent = 0;

	new_folder();
	listen_as(&control, 7, NULL);
	first = dial();
	CHECK_STR(say_to(first, "{\"command\": \"status\"}"), "{\"id\":7,\"ok\":true}");
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++) {
		fd = dial();
		serve();
	}
	CHECK_STR(hear(first), "");			/* the oldest made room */
	CHECK_STR(say_to(fd, "{\"command\": \"status\"}"), "{\"id\":7,\"ok\":true}");

	/* It never reads: the answers fill its socket, and then it is given up */
	while (sent < 100000 && send(fd, "{}", 2, MSG_NOSIGNAL) == 2) {
		sent++;
		serve();
	}
	CHECK_LT(sent, 100000U);
	CHECK_STR(say_to(dial(), "{\"command\": \"status\"}"), "{\"id\":7,\"ok\":true}");
}

static void another_user(void)
{
	struct tpz_vm_entry vm = { .id = 7, .uid = geteuid() };
	char name[CONTROL_NAME_MAX + 1], above[64], byte;
	struct sockaddr_un address;
	int fd;

	if (geteuid())
		SKIP("needs root, to become somebody else");
	new_folder();
	listen_as(&control, 7, NULL);
	CHECK_EQ(control_find(&vm, &address, name), 0);
	snprintf(above, sizeof(above), "%s/..", folder);
	CHECK_SYS(chmod(above, 0755));
	CHECK_SYS(chmod(folder, 0755));
	CHECK_SYS(chmod(address.sun_path, 0666));	/* as if the file's mode did not hold */
	fd = CHECK_SYS(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	ktap_defer(close_fd, (void *)(long)fd);
	CHECK_SYS(seteuid(65534));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		CHECK_SYS(seteuid(0) ?: -1);
	CHECK_SYS(seteuid(0));
	serve();
	CHECK_EQ(recv(fd, &byte, 1, 0), 0);
}

/* ------------------------------------------------------------------ options from a file */

static const struct argp_option known[] = {
	{ "memory", 'm', "SIZE", 0, "", 0 },
	{ "disk", 'd', "FILE", 0, "", 0 },
	{ "rng", 'r', NULL, 0, "", 0 },
	{ "stat", 's', NULL, 0, "", 0 },
	{ "config", 'C', "FILE", 0, "", 0 },
	{ 0, 0, NULL, 0, "More:", 1 },
	{ "timeout", 't', "SECONDS", 0, "", 1 },
	{ 0 }
};

static bool is_memory(const void *arg, int key)
{
	return key == 'm' && arg;
}

static const char *text;

/* In a child: an error ends it */
static void read_config(void *expected)
{
	char **arguments, all[256] = "";
	int count;
	FILE *stream = fopen("/tmp/control.conf", "w");

	CHECK(stream);
	fputs(text, stream);
	fclose(stream);
	if (!freopen("/dev/null", "w", stderr))
		FAIL("no /dev/null");
	arguments = config_arguments("/tmp/control.conf", known, is_memory, expected, &count);
	for (int i = 0; i < count; i++)
		strcat(strcat(all, arguments[i]), " ");
	exit(strcmp(all, expected ?: "--memory=512M ") ? 1 : 0);
}

static void config_file(void)
{
	static const char *const bad[] = {
		"", "[]", "{", "{\"memroy\": 1}", "{\"config\": \"x\"}", "{\"rng\": 1}", "{\"memory\": true}", "{\"disk\": {}}",
		"{\"disk\": [[\"a\"]]}", "{\"disk\": null}",
	};

	text = "/* a comment */ {\"memory\": \"512M\"}";
	CHECK_EQ(ktap_fork(read_config, NULL), 0);
	text = "{\"memory\": 512, \"disk\": [\"a\", \"b,ro\"], \"rng\": true, \"stat\": false, \"timeout\": 2.5}";
	CHECK_EQ(ktap_fork(read_config, "--disk=a --disk=b,ro --rng --timeout=2.5 "), 0);	/* memory is given */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text = bad[i];
		CHECK_THAT(ktap_fork(read_config, NULL) == STATUS_CANNOT << 8, "%s", bad[i]);
	}
	unlink("/tmp/control.conf");
}

static const struct ktap_case cases[] = {
	{ "names", names },
	{ "folder and file", place },
	{ "commands", protocol },
	{ "bad messages", bad_messages },
	{ "bad clients", bad_clients },
	{ "another user is refused", another_user },
	{ "options from a file", config_file },
};
KTAP_MAIN(cases)
