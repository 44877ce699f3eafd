// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ktap.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 4 };

enum verdict { PASSED, FAILED, SKIPPED };

static struct {
	pid_t pid;		/* who runs the cases: children and threads end otherwise */
	pthread_t thread;
	jmp_buf end;
	unsigned int number;
	const char *name;
	volatile bool failed;	/* a thread of this case failed */
	char why_skipped[160];
} now;

static struct undo {
	void (*undo)(void *);
	void *arg;
} undos[256];
static unsigned int undo_count;

/* One line, one write(): lines of several processes and threads never mix, and none is lost in a crash */
static void line(const char *prefix, const char *format, va_list args)
{
	char text[1024];
	int length = snprintf(text, sizeof(text), "%s", prefix);

	length += vsnprintf(text + length, sizeof(text) - length - 1, format, args);
	if (length > (int)sizeof(text) - 2)
		length = sizeof(text) - 2;
	/* A diagnosis of several lines stays a diagnosis */
	for (int i = strlen(prefix); i < length; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
	text[length++] = '\n';
	if (write(STDOUT_FILENO, text, length) < 0)
		_exit(EXIT_FAIL);
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line("", format, args);
	va_end(args);
}

void ktap_diag(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line("# ", format, args);
	va_end(args);
}

static void __attribute__((noreturn)) end_case(enum verdict verdict)
{
	if (getpid() != now.pid)
		_exit(verdict == FAILED ? EXIT_FAIL : EXIT_SKIP);
	if (!pthread_equal(pthread_self(), now.thread)) {
		if (verdict == FAILED)
			now.failed = true;
		pthread_exit(NULL);
	}
	longjmp(now.end, verdict);
}

void ktap_fail(const char *file, int number, const char *format, ...)
{
	char prefix[200];
	va_list args;

	snprintf(prefix, sizeof(prefix), "# %s:%d: ", file, number);
	va_start(args, format);
	line(prefix, format, args);
	va_end(args);
	end_case(FAILED);
}

void ktap_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(now.why_skipped, sizeof(now.why_skipped), format, args);
	va_end(args);
	end_case(SKIPPED);
}

const char *ktap_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "success";
}

void ktap_defer(void (*undo)(void *), void *arg)
{
	if (getpid() != now.pid)	/* a child's end closes all that it has */
		return;
	CHECK(undo_count < ARRAY_SIZE(undos));
	undos[undo_count++] = (struct undo){ undo, arg };
}

static void undo_all(void)
{
	while (undo_count) {
		struct undo *last = &undos[--undo_count];

		last->undo(last->arg);
	}
}

static void timed_out(int signal)
{
	(void)signal;
	if (getpid() == now.pid) {
		say("# case did not end in time");
		say("not ok %u %s", now.number, now.name);
		say("Bail out! %s hangs", now.name);
	}
	_exit(EXIT_FAIL);
}

bool ktap_failed(void)
{
	return now.failed;
}

/* A machine with checkers built in takes longer to everything: the lab says how many times */
static unsigned int slowness(void)
{
	const char *times = getenv("KTAP_SLOW");

	return times && atoi(times) > 0 ? atoi(times) : 1;
}

void ktap_timeout(unsigned int seconds)
{
	alarm(seconds * slowness());
}

int ktap_fork(void (*child)(void *), void *arg)
{
	int status;
	pid_t pid = CHECK_SYS(fork());

	if (!pid) {
		child(arg);
		_exit(EXIT_PASS);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static enum verdict run(const struct ktap_case *test)
{
	volatile enum verdict verdict = PASSED;	/* set between setjmp() and longjmp() */
	int end;

	now.failed = false;
	now.why_skipped[0] = 0;
	alarm(KTAP_TIMEOUT * slowness());
	end = setjmp(now.end);
	if (!end)
		test->run();
	else if (verdict != FAILED)
		verdict = end;
	undo_all();	/* a check that fails in here comes back above; the rest is undone then */
	alarm(0);
	return now.failed ? FAILED : verdict;
}

static bool wanted(const struct ktap_case *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(test->name, argv[i]))
			return true;
	return argc <= 1;
}

int ktap_main(const struct ktap_case *cases, unsigned int count, int argc, char **argv)
{
	unsigned int passed = 0, failed = 0, skipped = 0, planned = 0;

	now.pid = getpid();
	now.thread = pthread_self();
	signal(SIGALRM, timed_out);

	for (unsigned int i = 0; i < count; i++)
		planned += wanted(&cases[i], argc, argv);
	say("KTAP version 1");
	say("1..%u", planned);

	for (unsigned int i = 0; i < count; i++) {
		if (!wanted(&cases[i], argc, argv))
			continue;
		now.number++;
		now.name = cases[i].name;
		switch (run(&cases[i])) {
		case PASSED:
			passed++;
			say("ok %u %s", now.number, now.name);
			break;
		case FAILED:
			failed++;
			say("not ok %u %s", now.number, now.name);
			break;
		case SKIPPED:
			skipped++;
			say("ok %u %s # SKIP %s", now.number, now.name, now.why_skipped);
			break;
		}
	}
	say("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0", passed, failed, skipped);
	if (failed || !planned)
		return EXIT_FAIL;
	return passed ? EXIT_PASS : EXIT_SKIP;
}
