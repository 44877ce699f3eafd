// SPDX-License-Identifier: GPL-2.0
/*
 * Frames through a file.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <unistd.h>

#include "cable.h"

ssize_t cable_receive(int fd, void *frame, size_t room)
{
	for (;;) {
		ssize_t got = read(fd, frame, room);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got <= 0)
			return -1;
		if (got >= ETH_HLEN && (size_t)got < room)
			return got;
	}
}

int cable_send(int fd, const struct iovec *slice, unsigned int count)
{
	size_t bytes = 0;
	ssize_t sent;

	for (unsigned int i = 0; i < count; i++)
		bytes += slice[i].iov_len;
	/* No bytes would be an end of file on a socket */
	if (bytes < ETH_HLEN || bytes >= CABLE_FRAME_MAX)
		return 1;
	do {
		sent = writev(fd, slice, count);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return 0;
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN || errno == EBADFD))
		return -1;
	return 1;	/* other errors are this frame's fault, or a tap that is down */
}
