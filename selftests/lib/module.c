// SPDX-License-Identifier: GPL-2.0
/* Loading and unloading the module from a test */
#define _GNU_SOURCE
#include "vm.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SYS_MODULE	"/sys/module/trapeze"

/* $TRAPEZE_KO, or where the lab or `make install` put it */
static int open_module(void)
{
	const char *named = getenv("TRAPEZE_KO");
	static const char *const places[] = {
		"/trapeze.ko",
		"/lib/modules/%s/extra/trapeze.ko",
		"/lib/modules/%s/updates/dkms/trapeze.ko",
	};
	struct utsname host;
	char path[256];
	int fd;

	if (named)
		return open(named, O_RDONLY | O_CLOEXEC);
	uname(&host);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), places[i], host.release);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	SKIP("no trapeze.ko: set TRAPEZE_KO to its path");
}

bool module_loaded(void)
{
	/* Not the folder: that is there too while the module is on its way out */
	return !access(SYS_MODULE "/parameters", F_OK) || !access(SYS_MODULE "/refcnt", F_OK);
}

int module_load(const char *parameters)
{
	int fd = open_module();
	int ret = syscall(SYS_finit_module, fd, parameters, 0);
	int error = errno;

	close(fd);
	errno = error;
	return ret;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "trapeze", O_NONBLOCK);
}

/* "name=value name=value" of the loaded module */
static void read_parameters(char *line, size_t room)
{
	DIR *folder = opendir(SYS_MODULE "/parameters");
	struct dirent *entry;

	line[0] = 0;
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		char path[300], value[64] = "";
		size_t used = strlen(line);
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SYS_MODULE "/parameters/%s", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(value, sizeof(value), file)) {
			value[strcspn(value, "\n")] = 0;
			if (value[0])
				snprintf(line + used, room - used, "%s%s=%s", used ? " " : "",
					 entry->d_name, value);
		}
		fclose(file);
	}
	closedir(folder);
}

static char parameters_before[512];

static void reload_before(void *unused)
{
	(void)unused;
	if (module_loaded() && module_unload())
		FAIL("cannot unload the module: %s", strerror(errno));
	if (module_load(parameters_before))
		FAIL("cannot load the module again with \"%s\": %s", parameters_before, strerror(errno));
}

void module_reload(const char *parameters)
{
	if (module_loaded()) {
		read_parameters(parameters_before, sizeof(parameters_before));
		if (module_unload())
			FAIL("cannot unload the module: %s", strerror(errno));
	}
	ktap_defer(reload_before, NULL);
	if (module_load(parameters))
		FAIL("cannot load the module with \"%s\": %s", parameters, strerror(errno));
}
