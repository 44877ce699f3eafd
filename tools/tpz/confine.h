/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tpz gives up before the guest's first instruction.
 */
#ifndef TPZ_CONFINE_H
#define TPZ_CONFINE_H

/**
 * confine_privileges() - give up capabilities, and new privileges for ever; before any thread is created
 * @return NULL, or what could not be given up (errno says why)
 */
const char *confine_privileges(void);

/**
 * confine_calls() - give up all system calls but those that running a guest needs, in every thread
 *
 * For ever. All files must be open, all threads created.
 *
 * @return as confine_privileges()
 */
const char *confine_calls(void);

/**
 * confine_network_calls() - the same for the process of a user-mode network: what it needs is sockets
 *
 * @return as confine_privileges()
 */
const char *confine_network_calls(void);

#endif /* TPZ_CONFINE_H */
