/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the control sockets of running guests are, and which is whose.
 *
 * A user's sockets stand in a folder of their own: /run/trapeze for root, else trapeze in $XDG_RUNTIME_DIR. A file is
 * called by the VM's number, and its name after a dot if it has one. A launcher cannot remove its file at its end, for it
 * is confined then (confine.c): a later one of the same user does.
 */
#ifndef TPZ_CONTROL_PLACE_H
#define TPZ_CONTROL_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#define CONTROL_NAME_MAX	32

struct tpz_vm_entry;

/**
 * control_name_ok() - may a VM be called so? Letters, digits, dot, underscore and hyphen, and not digits alone
 */
bool control_name_ok(const char *name);

/**
 * control_folder() - the folder of a user's sockets, whether it exists or not
 * @return 0, or -1: its name is too long
 */
int control_folder(uid_t uid, char *path, size_t bytes);

/**
 * control_file() - does the file of that name belong to VM @id?
 * @name: out: the VM's name, or ""
 */
bool control_file(const char *file, uint64_t id, const char **name);

/**
 * control_find() - the socket of a VM that runs
 * @name: out: its name, or ""; needs CONTROL_NAME_MAX + 1 bytes
 * @return 0, or -1: it has none, or it cannot be looked for
 */
int control_find(const struct tpz_vm_entry *vm, struct sockaddr_un *address, char *name);

#endif /* TPZ_CONTROL_PLACE_H */
