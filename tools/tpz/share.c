// SPDX-License-Identifier: GPL-2.0
/*
 * Starts the file server of a shared folder. diod follows whatever symlinks and ".." a guest makes it follow, so the
 * kernel has to hold it: its root directory is the shared folder. Three parts: (i) the builder, a child that makes the
 * namespace, (ii) the server, its sibling there, (iii) tpz's side.
 *
 * Before the server has started it needs its program and libraries; from its first answer on, it does not. So it
 * starts in a root of its own with these in it, and then the builder puts the shared folder in that root's place.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "share.h"
#include "tpz.h"

#define STAGE		"/tmp"		/* where the new root is put together; only this namespace sees that */
#define FOLDER		"/share"	/* in it */

static const char *const server_names[] = { "/usr/sbin/diod", "/sbin/diod", "/usr/bin/diod", "/bin/diod" };
static const char *const program_folders[] = { "/usr", "/lib", "/lib64", "/bin", "/sbin" };

/* ------------------------------------------------------------------ (i) the builder */

static void write_text(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(STATUS_CANNOT, "--share: %s", file);
	close(fd);
}

/* Without the privilege to have namespaces, in a user namespace, as the same user */
static void enter_namespaces(void)
{
	const int kinds = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC;
	const unsigned int uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(kinds)) {
		if (errno != EPERM || unshare(CLONE_NEWUSER | kinds))
			err(STATUS_CANNOT, "--share: a namespace for the file server (are user namespaces off?)");
		write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		write_text("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		write_text("/proc/self/gid_map", map);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		err(STATUS_CANNOT, "--share: private mounts");
}

/* A copy of what is mounted at @name, not yet mounted anywhere */
static int copy_mount(const char *name, unsigned long long attributes)
{
	struct mount_attr attr = { .attr_set = attributes };
	int fd = open_tree(AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)))
		err(STATUS_CANNOT, "--share: %s", name);
	return fd;
}

static void place_mount(int fd, const char *name)
{
	if (mkdir(name, 0755) || move_mount(fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH))
		err(STATUS_CANNOT, "--share: %s", name);
	close(fd);
}

static void place_programs(void)
{
	const unsigned long long attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	for (size_t i = 0; i < sizeof(program_folders) / sizeof(program_folders[0]); i++) {
		const char *name = program_folders[i];
		char target[256];
		ssize_t length = readlink(name, target, sizeof(target) - 1);
		struct stat status;

		if (length > 0) {
			target[length] = 0;
			if (symlink(target, name + 1))
				err(STATUS_CANNOT, "--share: %s", name);
		} else if (!stat(name, &status)) {
			place_mount(copy_mount(name, attributes), name + 1);
		}
	}
}

/* The first root, with the folder and the programs in it */
static void build_root(const char *name, bool readonly)
{
	int folder = copy_mount(name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (readonly ? MOUNT_ATTR_RDONLY : 0));

	if (mount("tpz-share", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") || chdir(STAGE))
		err(STATUS_CANNOT, "--share: %s", STAGE);
	place_mount(folder, FOLDER + 1);
	place_programs();
	if (!syscall(SYS_pivot_root, ".", ".")) {
		if (umount2(".", MNT_DETACH))
			err(STATUS_CANNOT, "--share: the old root");
	} else if (mount(".", "/", NULL, MS_MOVE, NULL)) {	/* an initramfs is no mount that could leave */
		err(STATUS_CANNOT, "--share: a new root");
	}
	if (chroot(".") || chdir("/"))
		err(STATUS_CANNOT, "--share: a new root");
}

/* pivot_root() moves the server, too: its root and working directory are the old root */
static void leave_programs(void)
{
	if (chdir(FOLDER) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		err(STATUS_CANNOT, "--share: the folder as root");
}

/* ------------------------------------------------------------------ (ii) the server */

/* Root's server has what it takes to be any user with files, and nothing else */
static void give_up_privileges(void)
{
	static const int kept[] = {
		CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_CHOWN, CAP_FSETID, CAP_SETUID, CAP_SETGID,
	};

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		bool keep = false;

		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			keep |= kept[i] == cap;
		if (!keep && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			err(STATUS_CANNOT, "--share: capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err(STATUS_CANNOT, "--share: new privileges");
}

static const char *find_server(void)
{
	for (size_t i = 0; i < sizeof(server_names) / sizeof(server_names[0]); i++) {
		if (!access(server_names[i], X_OK))
			return server_names[i];
	}
	errx(STATUS_CANNOT, "--share: there is no diod, which serves the folder: apt-get install diod");
}

static void run_server(const char *program, int fd, int null, pid_t tpz)
{
	setsid();			/* a terminal's signals are tpz's */
	give_up_privileges();
	if (dup2(fd, 3) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || fcntl(3, F_SETFD, 0) ||
	    close_range(4, ~0U, 0))
		err(STATUS_CANNOT, "--share: files");
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != tpz)
		_exit(STATUS_CANNOT);
	/* -N: it knows users by number, without a list of them */
	execl(program, "diod", "-f", "-r", "3", "-w", "3", "-n", "-N", "-e", "/", NULL);
	_exit(STATUS_CANNOT);
}

/* ------------------------------------------------------------------ (iii) tpz's side */

static void build(const char *name, bool readonly, int server, int control)
{
	const char *program = find_server();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t tpz = getppid(), pid;
	char go;

	if (null < 0)
		err(STATUS_CANNOT, "/dev/null");
	enter_namespaces();
	build_root(name, readonly);
	/* tpz's child, as this one is */
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		run_server(program, server, null, tpz);
	close(server);			/* so that its end is seen */
	if (pid < 0 || write(control, &pid, sizeof(pid)) != sizeof(pid))
		err(STATUS_CANNOT, "--share: the server's process");
	if (read(control, &go, 1) != 1)
		_exit(STATUS_CANNOT);	/* tpz has told why */
	leave_programs();
	_exit(0);
}

/* The version's agreement shows that the server runs; the guest's driver asks anew */
static bool greet(int fd)
{
	static const uint8_t ask[] = {
		21, 0, 0, 0, 100, 0xff, 0xff, 0, 0x20, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L',
	};
	uint8_t answer[sizeof(ask)];
	size_t bytes = 0;

	if (write(fd, ask, sizeof(ask)) != sizeof(ask))
		return false;
	while (bytes < sizeof(answer)) {
		ssize_t got = read(fd, answer + bytes, sizeof(answer) - bytes);

		if (got <= 0)
			return false;
		bytes += got;
	}
	return answer[4] == ask[4] + 1 && !memcmp(answer + 13, ask + 13, 8);
}

static void end_server(pid_t pid)
{
	/* As a confined tpz may */
	syscall(SYS_tgkill, pid, pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void share_open(struct share *share, const char *name, bool readonly)
{
	int server[2], control[2], status;
	pid_t builder;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control))
		err(STATUS_CANNOT, "--share: sockets");
	builder = fork();
	if (builder < 0)
		err(STATUS_CANNOT, "--share: fork");
	if (!builder) {
		close(server[0]);
		close(control[0]);
		build(name, readonly, server[1], control[1]);
	}
	close(server[1]);
	close(control[1]);
	if (read(control[0], &share->server, sizeof(share->server)) != sizeof(share->server)) {
		waitpid(builder, NULL, 0);
		exit(STATUS_CANNOT);		/* it has told why */
	}
	signal(SIGPIPE, SIG_IGN);
	if (!greet(server[0])) {
		end_server(share->server);
		errx(STATUS_CANNOT, "--share %s: diod does not run, or speaks no 9P2000.L", name);
	}
	if (write(control[0], "", 1) != 1 || waitpid(builder, &status, 0) != builder || status) {
		end_server(share->server);
		exit(STATUS_CANNOT);
	}
	close(control[0]);
	if (fcntl(server[0], F_SETFL, O_NONBLOCK))
		err(STATUS_CANNOT, "--share: socket");
	share->socket = server[0];
}

void share_close(struct share *share)
{
	end_server(share->server);
	close(share->socket);
}
