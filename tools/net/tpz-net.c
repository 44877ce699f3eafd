// SPDX-License-Identifier: GPL-2.0
/*
 * The user-mode network of one card: a program of its own, which `tpz run --net user` starts. Standard input is a
 * socket that carries Ethernet frames; libslirp answers them with ordinary sockets of this process, so no
 * privilege is needed. It parses what the guest sends, so it gives up all that it can before the first frame.
 *
 * 10.0.2.0/24: the guest gets 10.0.2.15 by DHCP, the gateway 10.0.2.2 is the host, 10.0.2.3 its name server. No IPv6.
 *
 *	tpz-net [tcp:HOSTPORT:GUESTPORT | udp:HOSTPORT:GUESTPORT]...
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tpz/confine.h"

#define CABLE		STDIN_FILENO
#define FRAME_MAX	65536
#define TURN		64		/* frames, before the sockets have theirs */
#define FILES_MAX	1024
#define PATIENCE_MS	100		/* for a guest that takes no frames; then they are dropped, as a wire would */
#define DATA_MAX	(256UL << 20)

struct network {
	Slirp *slirp;
	struct pollfd files[FILES_MAX + 1];	/* the first is the cable */
	unsigned int count;
};

/* ------------------------------------------------------------------ what libslirp calls */

static ssize_t send_packet(const void *frame, size_t bytes, void *opaque)
{
	(void)opaque;
	while (send(CABLE, frame, bytes, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			exit(0);	/* tpz has gone */
		break;
	}
	return bytes;
}

static void guest_error(const char *text, void *opaque)
{
	(void)text;		/* a guest must not fill the host's terminal */
	(void)opaque;
}

static int64_t clock_now(void *opaque)
{
	struct timespec now;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Only IPv6 has timers */
static void *timer_new(SlirpTimerCb callback, void *arg, void *opaque)
{
	(void)callback;
	(void)arg;
	(void)opaque;
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void timer_mod(void *timer, int64_t ms, void *opaque)
{
	(void)timer;
	(void)ms;
	(void)opaque;
}

/* The files to poll are asked for at each turn */
static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_now,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore,
};

/* ------------------------------------------------------------------ the loop */

static const struct {
	int slirp;
	short poll;
} events[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int wanted, void *opaque)
{
	struct network *network = opaque;
	struct pollfd *file = &network->files[network->count];

	if (network->count > FILES_MAX)
		return -1;
	*file = (struct pollfd){ .fd = fd };
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		file->events |= wanted & events[i].slirp ? events[i].poll : 0;
	return network->count++;
}

static int get_events(int index, void *opaque)
{
	const struct network *network = opaque;
	int found = 0;

	for (size_t i = 0; index >= 0 && i < sizeof(events) / sizeof(events[0]); i++)
		found |= network->files[index].revents & events[i].poll ? events[i].slirp : 0;
	return found;
}

static void take_frames(struct network *network)
{
	static uint8_t frame[FRAME_MAX];

	for (int i = 0; i < TURN; i++) {
		ssize_t got = recv(CABLE, frame, sizeof(frame), MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			exit(0);
		slirp_input(network->slirp, frame, got);
	}
}

static void serve(struct network *network)
{
	for (;;) {
		uint32_t timeout = INT32_MAX;
		int ready;

		network->files[0] = (struct pollfd){ .fd = CABLE, .events = POLLIN };
		network->count = 1;
		slirp_pollfds_fill(network->slirp, &timeout, add_poll, network);
		ready = poll(network->files, network->count, timeout);
		if (ready < 0 && errno != EINTR)
			err(1, "poll");
		if (ready > 0 && network->files[0].revents)
			take_frames(network);
		slirp_pollfds_poll(network->slirp, ready < 0, get_events, network);
	}
}

/* ------------------------------------------------------------------ building */

static void forward(Slirp *slirp, const char *rule)
{
	struct in_addr here = { .s_addr = htonl(INADDR_LOOPBACK) }, guest = { .s_addr = htonl(0x0a00020f) };
	unsigned int from, to;
	char protocol[4];
	int end = 0;

	if (sscanf(rule, "%3[a-z]:%u:%u%n", protocol, &from, &to, &end) != 3 || rule[end] || !from || !to ||
	    from > 65535 || to > 65535 || (strcmp(protocol, "tcp") && strcmp(protocol, "udp")))
		errx(1, "hostfwd=%s: takes tcp:HOSTPORT:GUESTPORT or udp:HOSTPORT:GUESTPORT", rule);
	if (slirp_add_hostfwd(slirp, !strcmp(protocol, "udp"), here, from, guest, to))
		err(1, "hostfwd=%s: port %u of this host", rule, from);
}

static Slirp *new_slirp(struct network *network)
{
	const SlirpConfig config = {
		.version = 1,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(0x0a000200),
		.vnetmask.s_addr = htonl(0xffffff00),
		.vhost.s_addr = htonl(0x0a000202),
		.vdhcp_start.s_addr = htonl(0x0a00020f),
		.vnameserver.s_addr = htonl(0x0a000203),
	};

	return slirp_new(&config, &callbacks, network);
}

static void limit(int resource, rlim_t most)
{
	struct rlimit limit = { most, most };

	setrlimit(resource, &limit);
}

static void give_up(const char *what)
{
	if (what)
		err(1, "giving up %s", what);
}

int main(int argc, char **argv)
{
	static struct network network;
	struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };
	int type = 0;
	socklen_t bytes = sizeof(type);

	if (getsockopt(CABLE, SOL_SOCKET, SO_TYPE, &type, &bytes) || type != SOCK_SEQPACKET)
		errx(1, "is started by `tpz run --net user`, not by hand");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What ends tpz ends this, too, but not earlier */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	setsockopt(CABLE, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));

	network.slirp = new_slirp(&network);
	if (!network.slirp)
		errx(1, "libslirp does not start");
	for (int i = 1; i < argc; i++)
		forward(network.slirp, argv[i]);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_DATA, DATA_MAX);
	give_up(confine_privileges());
	give_up(confine_network_calls());
	if (send(CABLE, "r", 1, MSG_NOSIGNAL) != 1)
		return 1;
	serve(&network);
}
