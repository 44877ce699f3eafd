// SPDX-License-Identifier: GPL-2.0
/*
 * One AF_VSOCK connection: standard input goes out, what comes goes to standard output, each until its end. The same program
 * serves in a guest and on its host, neither of which need have another one.
 *
 *	guest-vsock listen PORT
 *	guest-vsock connect CID PORT	the host is CID 2
 */
#include <err.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK	65536

static struct sockaddr_vm address_of(unsigned int cid, const char *port)
{
	return (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = strtoul(port, NULL, 0),
	};
}

static int new_socket(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "AF_VSOCK");
	return fd;
}

static int listen_at(const char *port)
{
	struct sockaddr_vm address = address_of(VMADDR_CID_ANY, port);
	int listener = new_socket(), fd;

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		err(1, "port %s", port);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	close(listener);
	return fd;
}

static int connect_to(const char *cid, const char *port)
{
	struct sockaddr_vm address = address_of(strtoul(cid, NULL, 0), port);
	int fd = new_socket();

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "connecting to port %s of CID %s", port, cid);
	return fd;
}

/* @return whether there was more */
static int move(int from, int to)
{
	static char data[CHUNK];
	ssize_t got = read(from, data, sizeof(data)), sent;

	if (got < 0)
		err(1, "reading");
	for (ssize_t done = 0; done < got; done += sent) {
		sent = write(to, data + done, got - done);
		if (sent < 0)
			err(1, "writing");
	}
	return got > 0;
}

int main(int argc, char **argv)
{
	struct pollfd files[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	int peer;

	if (argc == 3 && !strcmp(argv[1], "listen"))
		peer = listen_at(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "connect"))
		peer = connect_to(argv[2], argv[3]);
	else
		errx(2, "listen PORT | connect CID PORT");
	files[1].fd = peer;
	while (files[0].fd >= 0 || files[1].fd >= 0) {
		if (poll(files, 2, -1) < 0 && errno != EINTR)
			err(1, "poll");
		if (files[0].revents && !move(STDIN_FILENO, peer)) {
			shutdown(peer, SHUT_WR);
			files[0].fd = -1;
		}
		if (files[1].revents && !move(peer, STDOUT_FILENO))
			files[1].fd = -1;
	}
	return 0;
}
