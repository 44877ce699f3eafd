/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A shared folder's file server: another program (diod), which sees that folder and nothing else.
 */
#ifndef TPZ_SHARE_H
#define TPZ_SHARE_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct share - a server that runs
 * @socket: to talk 9P2000.L with it; non-blocking
 */
struct share {
	int socket;
	pid_t server;
};

/**
 * share_open() - start a server for the folder @name; ends tpz with a message on failure
 *
 * Before any thread is made, and before tpz confines itself.
 */
void share_open(struct share *share, const char *name, bool readonly);

/* End it */
void share_close(struct share *share);

#endif /* TPZ_SHARE_H */
