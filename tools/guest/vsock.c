// SPDX-License-Identifier: GPL-2.0
/*
 * One AF_VSOCK connection: standard input goes out, what comes goes to standard output, each until its end. The same program
 * serves in a guest and on its host, neither of which need have another one.
 *
 *	guest-vsock listen PORT
 *	guest-vsock connect CID PORT	the host is CID 2
 */
#include <err.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

static void copy(int from, int to)
{
	static char data[CHUNK];
	ssize_t got, sent;

	while ((got = read(from, data, sizeof(data))) > 0) {
		for (ssize_t done = 0; done < got; done += sent) {
			sent = write(to, data + done, got - done);
			if (sent < 0)
				err(1, "writing");
		}
	}
	if (got < 0)
		err(1, "reading");
}

/* A process for each direction: if both ends wrote before they read, each would wait for the other */
int main(int argc, char **argv)
{
	int peer, status;
	pid_t child;

	if (argc == 3 && !strcmp(argv[1], "listen"))
		peer = listen_at(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "connect"))
		peer = connect_to(argv[2], argv[3]);
	else
		errx(2, "listen PORT | connect CID PORT");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		copy(STDIN_FILENO, peer);
		shutdown(peer, SHUT_WR);
		return 0;
	}
	copy(peer, STDOUT_FILENO);
	return waitpid(child, &status, 0) != child || status;
}
