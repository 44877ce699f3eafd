// SPDX-License-Identifier: GPL-2.0
/*
 * Networks for the guest's cards: (i) the option --net, (ii) taps, (iii) the user-mode network's process.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "tpz.h"

#define HELPER		"tpz-net"
#define MACHINE_ID	"/etc/machine-id"

extern char **environ;

/* ------------------------------------------------------------------ (i) --net */

static uint64_t mix(uint64_t hash, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3;	/* FNV-1a */
	return hash;
}

/* The same at each run, and another on another host, for another tap, and for each card of a guest */
static void default_mac(struct net_config *net, unsigned int index)
{
	char id[64];
	int fd = open(MACHINE_ID, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, id, sizeof(id));
	uint64_t hash = 0xcbf29ce484222325;

	if (fd >= 0)
		close(fd);
	hash = mix(hash, id, got > 0 ? got : 0);
	if (net->tap)
		hash = mix(hash, net->tap, strlen(net->tap));
	hash = mix(hash, (const char *)&index, sizeof(index));
	net->mac[0] = 0x02;		/* locally administered, of one card */
	for (int i = 1; i < NET_MAC_BYTES; i++)
		net->mac[i] = hash >> (8 * i);
}

static void parse_mac(struct argp_state *state, const char *text, struct net_config *net)
{
	uint8_t *mac = net->mac;
	int end = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5],
		   &end) != NET_MAC_BYTES || text[end])
		argp_error(state, "--net: mac=%s: six bytes in hexadecimal, such as 02:00:00:00:00:01", text);
	if (mac[0] & 1)
		argp_error(state, "--net: mac=%s: is a group's address (its first byte is odd)", text);
	net->has_mac = true;
}

static void parse_kind(struct argp_state *state, char *word, struct net_config *net)
{
	if (!strcmp(word, "user")) {
		net->kind = NET_USER;
	} else if (!strncmp(word, "tap=", 4)) {
		net->kind = NET_TAP;
		net->tap = word + 4;
		if (!*net->tap || strlen(net->tap) >= IFNAMSIZ)
			argp_error(state, "--net %s: no interface has that name", word);
	} else if (!strncmp(word, "fd=", 3)) {
		net->kind = NET_FD;
		net->fd = parse_number(state, "--net fd", word + 3);
	} else {
		argp_error(state, "--net takes user, tap=NAME or fd=N, not '%s'", word);
	}
}

static void parse_model(struct argp_state *state, const char *name, struct net_config *net)
{
	if (!strcmp(name, "e1000"))
		net->model = NET_E1000;
	else if (strcmp(name, "virtio"))
		argp_error(state, "--net: model= takes virtio or e1000, not '%s'", name);
}

static void parse_vhost(struct argp_state *state, const char *text, struct net_config *net)
{
	if (net->kind != NET_TAP)
		argp_error(state, "--net: vhost= is for tap=NAME");
	if (!strcmp(text, "on"))
		net->vhost = NET_VHOST_ON;
	else if (!strcmp(text, "off"))
		net->vhost = NET_VHOST_OFF;
	else if (!strcmp(text, "auto"))
		net->vhost = NET_VHOST_AUTO;
	else
		argp_error(state, "--net: vhost= takes on, off or auto, not '%s'", text);
}

void net_parse(struct argp_state *state, char *arg, unsigned int index, struct net_config *net)
{
	char *rest, *word = strtok_r(arg, ",", &rest);

	*net = (struct net_config){ .arg = arg, .fd = -1 };
	parse_kind(state, word ?: "", net);
	while ((word = strtok_r(NULL, ",", &rest))) {
		if (!strncmp(word, "mac=", 4)) {
			parse_mac(state, word + 4, net);
		} else if (!strncmp(word, "model=", 6)) {
			parse_model(state, word + 6, net);
		} else if (!strncmp(word, "vhost=", 6)) {
			parse_vhost(state, word + 6, net);
		} else if (!strncmp(word, "hostfwd=", 8) && net->kind == NET_USER) {
			if (net->forwards == NET_FORWARDS_MAX)
				argp_error(state, "--net: more than %d times hostfwd=", NET_FORWARDS_MAX);
			net->forward[net->forwards++] = word + 8;
		} else {
			argp_error(state, "--net %s: what is '%s'?", arg, word);
		}
	}
	if (!net->has_mac)
		default_mac(net, index);
}

/* ------------------------------------------------------------------ (ii) taps */

static void explain_tap(const char *name)
{
	switch (errno) {
	case EPERM:
		errx(STATUS_CANNOT, "tap %s: belongs to another user; as root: ip tuntap add %s mode tap user USER", name,
		     name);
	case EBUSY:
		errx(STATUS_CANNOT, "tap %s: is in use by another program", name);
	case EINVAL:
		errx(STATUS_CANNOT, "tap %s: is another kind of interface; make one by `ip tuntap add NAME mode tap`", name);
	default:
		err(STATUS_CANNOT, "tap %s", name);
	}
}

static int open_tap(const char *name, bool headers)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | (headers ? IFF_VNET_HDR : 0) };
	int header_bytes = sizeof(struct virtio_net_hdr_v1);
	int fd;

	if (!if_nametoindex(name))
		errx(STATUS_CANNOT, "tap %s: there is none; as root: ip tuntap add %s mode tap user USER && "
		     "ip link set %s up", name, name, name);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		errx(STATUS_CANNOT, "/dev/net/tun: no permission; as root: chmod 0666 /dev/net/tun, or use --net user");
	if (fd < 0)
		err(STATUS_CANNOT, "/dev/net/tun (modprobe tun?)");
	strcpy(request.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &request))
		explain_tap(name);
	if (headers && ioctl(fd, TUNSETVNETHDRSZ, &header_bytes))
		err(STATUS_CANNOT, "tap %s: headers", name);
	return fd;
}

static int take_fd(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (fd <= STDERR_FILENO || flags < 0)
		errx(STATUS_CANNOT, "--net fd=%d: is no open file; the caller must open it and let tpz inherit it", fd);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		err(STATUS_CANNOT, "--net fd=%d", fd);
	return fd;
}

/* ------------------------------------------------------------------ (iii) user mode */

/* The helper stands beside tpz */
static void find_helper(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - sizeof(HELPER));

	if (length < 0)
		err(STATUS_CANNOT, "/proc/self/exe");
	path[length] = 0;
	strcpy(strrchr(path, '/') + 1, HELPER);
	if (access(path, X_OK))
		errx(STATUS_CANNOT, "--net user needs %s: %s (building it needs the package libslirp-dev)", path,
		     strerror(errno));
}

/* It has the cable as its standard input; its first message says that it is ready, its end that it told why not */
static int open_user(const struct net_config *net)
{
	char path[4096], *words[NET_FORWARDS_MAX + 2] = { HELPER };
	posix_spawn_file_actions_t actions;
	int ends[2], error;
	pid_t pid;
	char byte;

	find_helper(path, sizeof(path));
	for (unsigned int i = 0; i < net->forwards; i++)
		words[i + 1] = (char *)net->forward[i];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		err(STATUS_CANNOT, "--net user");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	error = posix_spawn(&pid, path, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		errx(STATUS_CANNOT, "%s: %s", path, strerror(error));
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		errx(STATUS_CANNOT, "--net user: the network did not start");
	return take_fd(ends[0]);
}

int net_open(const struct net_config *net, bool headers)
{
	switch (net->kind) {
	case NET_TAP:
		return open_tap(net->tap, headers);
	case NET_FD:
		return take_fd(net->fd);
	default:
		return open_user(net);
	}
}
