// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket: (i) making it, while files can still be made; (ii) serving it, confined.
 *
 * What clients send is hostile: they are the same user, but the guest's run must survive whatever comes. A message is
 * taken whole or not at all (SOCK_SEQPACKET), one that is too long ends its connection, and so does an answer that the
 * client lets lie.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "control_place.h"

#define DEPTH_MAX	8

/* ------------------------------------------------------------------ (i) making it */

static int fail(char problem[256], const char *what, const char *why)
{
	snprintf(problem, 256, "%s: %s", what, why);
	return -1;
}

/* The folder, ours alone, locked against other launchers that look through it */
static int open_folder(const char *path, char problem[256])
{
	struct stat status;
	int fd;

	if (mkdir(path, 0700) && errno != EEXIST)
		return fail(problem, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(problem, path, strerror(errno));
	if (!fstat(fd, &status) && status.st_uid == geteuid() && !(status.st_mode & 022) && !flock(fd, LOCK_EX))
		return fd;
	close(fd);
	return fail(problem, path, "is not ours alone");
}

static int set_address(struct sockaddr_un *address, const char *folder, const char *file)
{
	address->sun_family = AF_UNIX;
	return (size_t)snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s", folder, file) <
	       sizeof(address->sun_path) ? 0 : -1;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return !refused;
}

/* Removes dead sockets, and whatever bears our number; refuses a name that another guest has */
static int sweep(const char *folder, uint64_t id, const char *name, char problem[256])
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return fail(problem, folder, strerror(errno));
	while (!ret && (entry = readdir(dir))) {
		const char *dot = strchr(entry->d_name, '.'), *found;
		struct sockaddr_un address;

		if (entry->d_name[0] == '.' || set_address(&address, folder, entry->d_name))
			continue;
		if (control_file(entry->d_name, id, &found) || !somebody_listens(&address))
			unlink(address.sun_path);
		else if (name && dot && !strcmp(dot + 1, name))
			ret = fail(problem, name, "another VM has that name");
	}
	closedir(dir);
	return ret;
}

static int bind_socket(const char *folder, const char *file, char problem[256])
{
	struct sockaddr_un address;
	int fd, ret;
	mode_t mask;

	if (set_address(&address, folder, file))
		return fail(problem, folder, "is too long a name");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(problem, "socket", strerror(errno));
	mask = umask(0177);
	ret = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (!ret && !listen(fd, CONTROL_CLIENTS))
		return fd;
	fail(problem, address.sun_path, strerror(errno));
	close(fd);
	return -1;
}

int control_listen(struct control *control, uint64_t id, const char *name, char problem[256])
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)], file[CONTROL_NAME_MAX + 32];
	int lock;

	/* The JSON library's first use may open files: now, while they can be opened */
	json_object_put(json_tokener_parse("{\"a\": 1.5}"));

	*control = (struct control){ .listener = -1, .uid = geteuid() };
	memset(control->client, -1, sizeof(control->client));
	if (control_folder(control->uid, folder, sizeof(folder)))
		return fail(problem, "$XDG_RUNTIME_DIR", "is too long a name");
	lock = open_folder(folder, problem);
	if (lock < 0)
		return -1;
	snprintf(file, sizeof(file), "%llu%s%s", (unsigned long long)id, name ? "." : "", name ?: "");
	if (!sweep(folder, id, name, problem))
		control->listener = bind_socket(folder, file, problem);
	close(lock);
	return control->listener < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ (ii) serving it */

static void hang_up(int *client)
{
	if (*client >= 0)
		close(*client);
	*client = -1;
}

static void take_connection(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t bytes = sizeof(peer);
	unsigned int at = 0;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) || (peer.uid && peer.uid != control->uid)) {
		close(fd);
		return;
	}
	while (at < CONTROL_CLIENTS && control->client[at] >= 0)
		at++;
	if (at == CONTROL_CLIENTS) {
		at = control->oldest++ % CONTROL_CLIENTS;
		hang_up(&control->client[at]);
	}
	control->client[at] = fd;
}

/* A message as an object, or NULL */
static struct json_object *parse(const char *text, size_t bytes)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *object;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, bytes);
	if (json_tokener_get_error(tokener) != json_tokener_success || !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/* Fills the answer; whether the run shall end once it is sent */
static bool obey(struct control *control, struct json_object *message, struct json_object *answer)
{
	struct json_object *member;
	const char *command = NULL, *error = NULL;
	bool stop = false;

	if (json_object_object_get_ex(message, "command", &member) && json_object_is_type(member, json_type_string))
		command = json_object_get_string(member);
	if (!command)
		error = "a message is an object with a \"command\"";
	else if (!strcmp(command, "status"))
		control->status(control->host, answer);
	else if (!strcmp(command, "power-button"))
		json_object_object_add(answer, "listens", json_object_new_boolean(control->press(control->host)));
	else if (!strcmp(command, "stop"))
		stop = true;
	else
		error = "there are status, power-button and stop";
	json_object_object_add(answer, "ok", json_object_new_boolean(!error));
	if (error)
		json_object_object_add(answer, "error", json_object_new_string(error));
	return stop;
}

static void take_message(struct control *control, int *client)
{
	char bytes[CONTROL_MESSAGE_MAX];
	ssize_t count = recv(*client, bytes, sizeof(bytes), MSG_TRUNC);
	struct json_object *message, *answer;
	const char *text;
	bool stop;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0 || (size_t)count > sizeof(bytes)) {
		hang_up(client);
		return;
	}
	message = parse(bytes, count);
	answer = json_object_new_object();
	stop = obey(control, message, answer);
	text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
	if (!text || send(*client, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		hang_up(client);
	json_object_put(answer);
	json_object_put(message);
	if (stop)
		control->stop(control->host);
}

void control_poll(const struct control *control, struct pollfd *files)
{
	files[0] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		files[1 + i] = (struct pollfd){ .fd = control->client[i], .events = POLLIN };
}

void control_serve(struct control *control, const struct pollfd *files)
{
	/* Messages first: a new connection may take a client's place */
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++) {
		if (files[1 + i].revents)
			take_message(control, &control->client[i]);
	}
	if (files[0].revents)
		take_connection(control);
}

void control_close(struct control *control)
{
	hang_up(&control->listener);
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		hang_up(&control->client[i]);
}
