/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame of the chips' unit tests, which include the chip's source and the kernel's stand-ins (compat/): CHECK() notes a
 * case's first failure, run_cases() reports in KTAP.
 */
#ifndef TRAPEZE_CHIP_TEST_H
#define TRAPEZE_CHIP_TEST_H

#include <stdio.h>
#include <stdlib.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct chip_case {
	const char *name;
	void (*run)(void);
};

static unsigned int failed_line;

#define CHECK(condition)						\
	do {								\
		if (!(condition) && !failed_line) {			\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failed_line = __LINE__;				\
		}							\
	} while (0)

/* Return: the program's exit status */
static int run_cases(const struct chip_case *cases, unsigned int count)
{
	int status = 0;

	printf("KTAP version 1\n1..%u\n", count);
	for (unsigned int i = 0; i < count; i++) {
		failed_line = 0;
		cases[i].run();
		printf("%sok %u %s\n", failed_line ? "not " : "", i + 1, cases[i].name);
		status |= failed_line != 0;
	}
	return status;
}

#endif /* TRAPEZE_CHIP_TEST_H */
