// SPDX-License-Identifier: GPL-2.0
/*
 * The terminal. In raw mode every key goes to the guest, Ctrl-C too; Ctrl-A is the way out.
 *
 * A terminal's mode outlives the process that set it, and a process that is killed by SIGKILL can put nothing
 * back. So a small child does: it holds nothing but the terminal and the end of a pipe, and waits for the
 * pipe to close.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"

const char console_help[] =
	"\r\n"
	"Ctrl-A x    quit: end the guest at once\r\n"
	"Ctrl-A h    this help\r\n"
	"Ctrl-A a    send Ctrl-A to the guest (so does Ctrl-A Ctrl-A)\r\n";

/* The child: a byte in the pipe is a farewell, its end without one is a death */
static void guard_terminal(int pipe_end, const struct termios *saved)
{
	sigset_t all;
	char byte;

	/* Not in tpz's process group, so that what kills the group leaves the guard; SIGTTOU must not stop it */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setpgid(0, 0);
	prctl(PR_SET_NAME, "tpz-guard");
	if (pipe_end != 3)
		dup2(pipe_end, 3);
	close_range(4, ~0U, 0);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	if (read(3, &byte, 1) != 1)
		tcsetattr(STDIN_FILENO, TCSANOW, saved);
	_exit(0);
}

int console_open(struct console *console)
{
	int ends[2];

	*console = (struct console){ .guard_pipe = -1 };
	/* A terminal that another job uses in the foreground is not ours */
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return 0;
	if (tcgetattr(STDIN_FILENO, &console->saved))
		return -1;
	if (pipe(ends))
		return -1;
	console->guard = fork();
	if (console->guard < 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		errno = error;
		return -1;
	}
	if (!console->guard) {
		close(ends[1]);
		guard_terminal(ends[0], &console->saved);
	}
	close(ends[0]);
	console->guard_pipe = ends[1];
	console->tty = true;
	return 0;
}

void console_raw(struct console *console)
{
	struct termios raw = console->saved;

	if (!console->tty)
		return;
	cfmakeraw(&raw);
	if (!tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		console->raw = true;
}

void console_close(struct console *console)
{
	if (console->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &console->saved);
	console->raw = false;
	if (console->guard_pipe < 0)
		return;
	/* If the farewell cannot be written, the guard sets the same mode once more */
	if (write(console->guard_pipe, "q", 1) != 1)
		errno = 0;
	close(console->guard_pipe);
	console->guard_pipe = -1;
	waitpid(console->guard, NULL, 0);
}

enum console_command console_filter(struct console *console, uint8_t *bytes, size_t *count)
{
	enum console_command command = CONSOLE_NONE;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		uint8_t byte = bytes[i];

		if (!console->escaped) {
			if (byte == CONSOLE_ESCAPE)
				console->escaped = true;
			else
				bytes[kept++] = byte;
			continue;
		}
		console->escaped = false;
		switch (byte) {
		case 'x':
		case 'X':
			*count = kept;
			return CONSOLE_QUIT;
		case 'a':
		case CONSOLE_ESCAPE:
			bytes[kept++] = CONSOLE_ESCAPE;
			break;
		default:
			command = CONSOLE_HELP;
			break;
		}
	}
	*count = kept;
	return command;
}
