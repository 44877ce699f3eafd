/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cable of a network card: any file that carries one Ethernet frame a read or write, and does not block: a tap, or
 * a socket that keeps message boundaries. Any thread; no state but the file's.
 */
#ifndef TPZ_CABLE_H
#define TPZ_CABLE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define CABLE_FRAME_MAX	65536

/**
 * cable_receive() - the next frame from outside
 * @room: bytes at @frame; a frame that fills them all may have been cut, and is dropped, as is one without a header
 * @return its bytes; 0: none is there now; -1: the other end is gone
 */
ssize_t cable_receive(int fd, void *frame, size_t room);

/**
 * cable_send() - a frame to the outside, in @count slices; one of no frame's length goes nowhere
 * @return 1: it went, or never will; 0: not now, wait until the file can be written to; -1: the other end is gone
 */
int cable_send(int fd, const struct iovec *slice, unsigned int count);

#endif /* TPZ_CABLE_H */
