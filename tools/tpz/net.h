/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands behind a guest's network card: a user-mode network, a tap, or what the caller opened. Each is a file that
 * carries one Ethernet frame a read or write.
 */
#ifndef TPZ_NET_H
#define TPZ_NET_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#define NET_FORWARDS_MAX	16
#define NET_MAC_BYTES		6

enum net_kind {
	NET_USER,
	NET_TAP,
	NET_FD,
};

enum net_model {
	NET_VIRTIO,
	NET_E1000,
};

/* Whether the kernel's vhost-net shall move a tap's frames */
enum net_vhost {
	NET_VHOST_AUTO,		/* where the host has it */
	NET_VHOST_ON,
	NET_VHOST_OFF,
};

/**
 * struct net_config - what one --net asked for
 * @arg: as it was written, for messages
 * @tap: name of the interface; @fd: an open file
 * @forward: "tcp:HOSTPORT:GUESTPORT" or "udp:...", checked by the helper
 * @mac: if not @has_mac: from the host and @arg
 */
struct net_config {
	const char *arg;
	enum net_kind kind;
	enum net_model model;
	const char *tap;
	enum net_vhost vhost;
	int fd;
	const char *forward[NET_FORWARDS_MAX];
	unsigned int forwards;
	bool has_mac;
	uint8_t mac[NET_MAC_BYTES];
};

/**
 * net_parse() - the argument of --net, which it takes apart in place; ends tpz with a message if it is wrong
 * @index: of the card among the guest's
 */
void net_parse(struct argp_state *state, char *arg, unsigned int index, struct net_config *net);

/**
 * net_open() - a file that does not block; ends tpz with a message on failure
 * @headers: of a tap: each frame has a struct virtio_net_hdr_v1 in front
 *
 * A user-mode network is a child, which ends with the file.
 */
int net_open(const struct net_config *net, bool headers);

#endif /* TPZ_NET_H */
