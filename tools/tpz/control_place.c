// SPDX-License-Identifier: GPL-2.0
/*
 * Where control sockets are.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <trapeze.h>

#include "control_place.h"

#ifndef CONTROL_ROOT_FOLDER
#define CONTROL_ROOT_FOLDER	"/run/trapeze"
#endif

bool control_name_ok(const char *name)
{
	size_t length = strlen(name);

	return length && length <= CONTROL_NAME_MAX && isalnum((unsigned char)*name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length &&
	       strspn(name, "0123456789") < length;
}

int control_folder(uid_t uid, char *path, size_t bytes)
{
	const char *own = uid == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
	int length;

	/* root's environment may be that of the user who became root */
	if (!uid)
		length = snprintf(path, bytes, "%s", CONTROL_ROOT_FOLDER);
	else if (own && *own == '/')
		length = snprintf(path, bytes, "%s/trapeze", own);
	else
		length = snprintf(path, bytes, "/run/user/%u/trapeze", uid);
	return length < 0 || (size_t)length >= bytes ? -1 : 0;
}

bool control_file(const char *file, uint64_t id, const char **name)
{
	char number[24];
	size_t length = snprintf(number, sizeof(number), "%llu", (unsigned long long)id);

	if (strncmp(file, number, length))
		return false;
	if (!file[length]) {
		*name = "";
		return true;
	}
	*name = file + length + 1;
	return file[length] == '.' && control_name_ok(*name);
}

int control_find(const struct tpz_vm_entry *vm, struct sockaddr_un *address, char *name)
{
	char folder[sizeof(address->sun_path)];
	struct dirent *entry;
	int ret = -1;
	DIR *dir;

	if (control_folder(vm->uid, folder, sizeof(folder)))
		return -1;
	dir = opendir(folder);
	if (!dir)
		return -1;
	address->sun_family = AF_UNIX;
	while (ret && (entry = readdir(dir))) {
		const char *found;

		if (!control_file(entry->d_name, vm->id, &found))
			continue;
		if ((size_t)snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s", folder, entry->d_name) >=
		    sizeof(address->sun_path))
			break;
		strcpy(name, found);
		ret = 0;
	}
	closedir(dir);
	return ret;
}
