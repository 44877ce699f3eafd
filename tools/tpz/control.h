/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket of a running guest: one JSON object a message, one in answer. {"command": "status"},
 * {"command": "power-button"}, {"command": "stop"}.
 */
#ifndef TPZ_CONTROL_H
#define TPZ_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_CLIENTS		8
#define CONTROL_FILES		(1 + CONTROL_CLIENTS)
#define CONTROL_MESSAGE_MAX	1024

struct json_object;

/**
 * struct control - the main thread's alone
 * @status: members of the answer to "status", to be added to @object
 * @press: press the power button; returns whether the guest listens to it
 * @stop: end the run
 * @host: passed to all three
 * @listener: -1: there is no socket
 * @uid: who may connect, besides root
 * @client: connections; -1: free
 * @oldest: the one to give up if another one comes and all are in use
 */
struct control {
	void (*status)(void *host, struct json_object *object);
	bool (*press)(void *host);
	void (*stop)(void *host);
	void *host;

	int listener;
	uid_t uid;
	int client[CONTROL_CLIENTS];
	unsigned int oldest;
};

/**
 * control_listen() - make the socket, and remove those that nobody listens to any more
 * @name: or NULL
 * @problem: out, on failure: a sentence
 * @return 0 or -1. The callbacks and @host are the caller's to set before control_serve().
 */
int control_listen(struct control *control, uint64_t id, const char *name, char problem[256]);

/**
 * control_poll() - what to wait for: fills CONTROL_FILES entries
 */
void control_poll(const struct control *control, struct pollfd *files);

/**
 * control_serve() - after poll(): take connections and messages, and answer. Never waits.
 */
void control_serve(struct control *control, const struct pollfd *files);

/**
 * control_close() - hang up, which tells every client that the run is over
 */
void control_close(struct control *control);

#endif /* TPZ_CONTROL_H */
