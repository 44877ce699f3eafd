/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal that becomes the guest's console.
 */
#ifndef TPZ_CONSOLE_H
#define TPZ_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#define CONSOLE_ESCAPE	0x01	/* Ctrl-A */

/**
 * struct console - standard input, as the guest's terminal
 * @tty: it is a terminal, and ours to change
 * @raw: it is in raw mode now
 * @escaped: the last byte was the escape
 * @saved: how the terminal was set
 * @guard: the process that puts the terminal back if tpz is killed, and the pipe that tells it
 */
struct console {
	bool tty;
	bool raw;
	bool escaped;
	struct termios saved;
	pid_t guard;
	int guard_pipe;
};

enum console_command {
	CONSOLE_NONE,
	CONSOLE_QUIT,
	CONSOLE_HELP,
};

/**
 * console_open() - look at the terminal and start its guard; call it before anything that the guard must not hold
 * @return 0, or -1 with errno set
 */
int console_open(struct console *console);

/* Raw mode on; and off again, with the guard ended: both may be called when there is no terminal */
void console_raw(struct console *console);
void console_close(struct console *console);

/**
 * console_filter() - take the escape sequences out of what was typed
 * @bytes: changed in place
 * @count: in and out: how many
 * @return the command typed, if any: what follows it in @bytes is dropped for CONSOLE_QUIT only
 */
enum console_command console_filter(struct console *console, uint8_t *bytes, size_t *count);

/* What Ctrl-A h prints */
extern const char console_help[];

#endif /* TPZ_CONSOLE_H */
