/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A target under libFuzzer, with clang's sanitizers: as a test, of a fixed number of runs; or, called with "--", as a plain
 * libFuzzer program that takes its own options, for longer runs.
 */
#ifndef TPZ_UNIT_FUZZ_H
#define TPZ_UNIT_FUZZ_H

#include <stdint.h>
#include <sys/mman.h>

#include "../lib/ktap.h"

#define FUZZ_COUNTS	8

/**
 * struct fuzz - a target, which returns 0
 * @name: of the program
 * @set_up: called once before the runs, in the process that makes them or in its parent
 * @runs, @max_bytes: how many as a test, of how much data at the most
 * @option, @seeds: one more option of libFuzzer's; a folder of first inputs, or NULL
 */
struct fuzz {
	const char *name;
	int (*target)(const uint8_t *data, size_t count);
	void (*set_up)(void);
	unsigned long runs;
	unsigned int max_bytes;
	const char *option, *seeds;
};

/* What the target counts in a test, [0] its runs; shared with the child that makes them. Else NULL */
static unsigned long *fuzz_count;

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *data, size_t count));

/* libFuzzer ends the process: 0 after all runs, else what it found is on stderr and in the crash file that it names */
static void fuzz_child(void *arg)
{
	const struct fuzz *fuzz = arg;
	char runs[32], most[32], crash[64];
	char *arguments[] = { (char *)fuzz->name, runs, most, crash, "-seed=1", "-verbosity=0", (char *)fuzz->option,
			      (char *)fuzz->seeds, NULL };
	int argc = fuzz->seeds ? 8 : 7;
	char **argv = arguments;

	snprintf(runs, sizeof(runs), "-runs=%lu", fuzz->runs);
	snprintf(most, sizeof(most), "-max_len=%u", fuzz->max_bytes);
	snprintf(crash, sizeof(crash), "-artifact_prefix=/tmp/%s-", fuzz->name);
	exit(LLVMFuzzerRunDriver(&argc, &argv, fuzz->target));
}

/* The test: all runs are made, and nothing is found */
static void fuzz_run(const struct fuzz *fuzz)
{
	int status;

	ktap_timeout(550);
	fuzz_count = mmap(NULL, FUZZ_COUNTS * sizeof(*fuzz_count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(fuzz_count != MAP_FAILED);
	fuzz->set_up();
	status = ktap_fork(fuzz_child, (void *)fuzz);
	CHECK_THAT(!status, "libFuzzer ended with wait status %#x: its report is on stderr", status);
	CHECK_GE(fuzz_count[0], fuzz->runs);
}

static int fuzz_main(const struct fuzz *fuzz, const struct ktap_case *cases, unsigned int count, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--")) {
		argv++;
		argc--;
		fuzz->set_up();
		return LLVMFuzzerRunDriver(&argc, &argv, fuzz->target);
	}
	return ktap_main(cases, count, argc, argv);
}

#endif /* TPZ_UNIT_FUZZ_H */
