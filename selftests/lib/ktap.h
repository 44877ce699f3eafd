/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test program in KTAP, the kernel's test protocol: a table of cases, run one after the other.
 *
 *	static void adds_up(void)
 *	{
 *		CHECK_EQ(1 + 1, 2);
 *	}
 *
 *	static const struct ktap_case cases[] = {
 *		{ "adds up", adds_up },
 *	};
 *	KTAP_MAIN(cases)
 *
 * A check that fails prints file, line, expression and both values, and ends its case, not the program.
 * What a case must undo, it hands to ktap_defer() as soon as it has done it: that runs however the case ends.
 * The program's exit status is kselftest's: 0 all passed, 1 some failed, 4 all were skipped. Called with
 * arguments it runs only the cases whose names contain one of them.
 *
 * Checks may stand anywhere: a check that fails in a thread ends that thread and fails the case; one
 * that fails in a child of ktap_fork() ends the child with status 1.
 */
#ifndef TRAPEZE_KTAP_H
#define TRAPEZE_KTAP_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Seconds, on the lab machine's clock, until a case that does not end is reported and the program killed */
#define KTAP_TIMEOUT	120

struct ktap_case {
	const char *name;
	void (*run)(void);
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define KTAP_MAIN(cases)						\
	int main(int argc, char **argv)					\
	{								\
		return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);	\
	}

int ktap_main(const struct ktap_case *cases, unsigned int count, int argc, char **argv);

/* A line of diagnosis: "# …", written at once */
void ktap_diag(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs at the end of the case, in reverse order, whether it passed or not */
void ktap_defer(void (*undo)(void *), void *arg);

/* Gives the running case more time than KTAP_TIMEOUT */
void ktap_timeout(unsigned int seconds);

/* Whether a thread of this case has failed already: for loops that wait for threads */
bool ktap_failed(void);

/* Runs @child in a forked process and returns its wait status; a failed check in it makes the status 1 << 8 */
int ktap_fork(void (*child)(void *), void *arg);

/* The ends of the checks below */
void ktap_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, cold, format(printf, 3, 4)));
void ktap_skip(const char *format, ...) __attribute__((noreturn, cold, format(printf, 1, 2)));
const char *ktap_errno_name(int error);

/* Ends the case as skipped: what it needs is not there */
#define SKIP(...)	ktap_skip(__VA_ARGS__)

/* Ends the case as failed */
#define FAIL(...)	ktap_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			FAIL("%s", #condition);				\
	} while (0)

/* With a sentence instead of the bare expression */
#define CHECK_THAT(condition, format, ...)				\
	do {								\
		if (!(condition))					\
			FAIL("%s: " format, #condition, ##__VA_ARGS__);	\
	} while (0)

#define KTAP_COMPARE(a, op, b)						\
	do {								\
		__auto_type ktap_a = (a);				\
		__auto_type ktap_b = (b);				\
		if (!(ktap_a op ktap_b))				\
			FAIL("%s %s %s: %#llx (%lld), %#llx (%lld)",	\
			     #a, #op, #b,				\
			     (unsigned long long)ktap_a, (long long)ktap_a, \
			     (unsigned long long)ktap_b, (long long)ktap_b); \
	} while (0)

#define CHECK_EQ(a, b)	KTAP_COMPARE(a, ==, b)
#define CHECK_NE(a, b)	KTAP_COMPARE(a, !=, b)
#define CHECK_LT(a, b)	KTAP_COMPARE(a, <, b)
#define CHECK_LE(a, b)	KTAP_COMPARE(a, <=, b)
#define CHECK_GT(a, b)	KTAP_COMPARE(a, >, b)
#define CHECK_GE(a, b)	KTAP_COMPARE(a, >=, b)

#define CHECK_STR(a, b)							\
	do {								\
		const char *ktap_a = (a), *ktap_b = (b);		\
		if (strcmp(ktap_a, ktap_b))				\
			FAIL("%s == %s: \"%s\", \"%s\"", #a, #b, ktap_a, ktap_b); \
	} while (0)

/* A system call that must succeed; its value is the call's */
#define CHECK_SYS(call)							\
	({								\
		__auto_type ktap_ret = (call);				\
		if (ktap_ret == (__typeof__(ktap_ret))-1)		\
			FAIL("%s: %s (%s)", #call, ktap_errno_name(errno), strerror(errno)); \
		ktap_ret;						\
	})

/* A system call that must fail with @error */
#define CHECK_ERR(call, error)						\
	do {								\
		errno = 0;						\
		__auto_type ktap_ret = (call);				\
		int ktap_errno = errno;					\
		if (ktap_ret != (__typeof__(ktap_ret))-1)		\
			FAIL("%s: must fail with %s, returned %lld", #call, #error, \
			     (long long)ktap_ret);			\
		if (ktap_errno != (error))				\
			FAIL("%s: must fail with %s, failed with %s", #call, #error, \
			     ktap_errno_name(ktap_errno));		\
	} while (0)

#endif /* TRAPEZE_KTAP_H */
