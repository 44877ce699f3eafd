// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder (kmod/cpu/decode.c) under libFuzzer, with the sanitizers of addresses and undefined behaviour: a
 * bounded number of runs, from the instructions of decode_samples.h. Built with clang; `decode_fuzz -- OPTION ...` hands
 * libFuzzer's own options to it, for longer runs.
 */
#include "../lib/ktap.c"

#include <linux/bits.h>
#include <sys/stat.h>

#include "../../kmod/cpu/decode.c"
#include "../../kmod/cpu/decode_tables.c"
#include "decode_samples.h"
#include "decode_compare.h"
#include "fuzz.h"

#define RUNS		1000000

/* What a handler does with an instruction: nothing of it may be out of the bounds of what it indexes */
static void use(const struct tpz_insn *insn)
{
	static u64 gpr[TPZ_GPRS] = { [TPZ_RAX] = ~0ULL, [TPZ_R15] = 1ULL << 63 };
	volatile u64 address = tpz_effective_address(insn, gpr, ~0ULL);

	(void)address;
	if (insn->address_bytes != 2 && insn->address_bytes != 4 && insn->address_bytes != 8)
		abort();
	if (insn->operand_bytes != 2 && insn->operand_bytes != 4 && insn->operand_bytes != 8)
		abort();
	if (insn->has_memory && insn->segment > TPZ_GS)
		abort();
}

/*
 * The bytes stand alone on the heap, so that reading one too many is seen. The first byte is the mode
 */
static int target(const u8 *data, size_t size)
{
	struct tpz_insn whole, part;
	struct pair pair;
	u8 padded[TPZ_INSN_MAX] = {};
	unsigned int count, mode;
	int ret;

	if (fuzz_count)
		fuzz_count[0]++;
	if (!size)
		return 0;
	mode = data[0] % 3;
	count = size - 1;
	ret = tpz_decode(&whole, data + 1, count, mode);
	if (ret == -EAGAIN ? count >= TPZ_INSN_MAX : ret && ret != -EINVAL && ret != -E2BIG)
		abort();
	if (!ret && (!whole.bytes || whole.bytes > TPZ_INSN_MAX || whole.bytes > count))
		abort();
	if (!ret)
		use(&whole);

	/* Fewer bytes: the same answer, or -EAGAIN until it is known */
	for (unsigned int less = 0; less < count && less <= TPZ_INSN_MAX; less++) {
		u8 *alone = malloc(less ?: 1);
		int early;

		memcpy(alone, data + 1, less);
		early = tpz_decode(&part, alone, less, mode);
		free(alone);
		if (early != -EAGAIN && (early != ret || (!ret && memcmp(&part, &whole, sizeof(part)))))
			abort();
		if (!ret && (early == -EAGAIN) != (less < whole.bytes))
			abort();
	}

	/* Coverage finds what random bytes don't: these too are compared with Zydis */
	memcpy(padded, data + 1, count < TPZ_INSN_MAX ? count : TPZ_INSN_MAX);
	compare_length(&pair, mode, padded);
	if (counts.wrong)
		abort();
	return 0;
}

static void write_seeds(const char *folder)
{
	CHECK_SYS(mkdir(folder, 0700));
	for (unsigned int i = 0; i < ARRAY_SIZE(samples); i++) {
		char path[200];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%u", folder, i);
		file = fopen(path, "wb");
		CHECK(file);
		fputc(samples[i].mode, file);
		CHECK_EQ(fwrite(samples[i].code, 1, samples[i].bytes, file), samples[i].bytes);
		CHECK_EQ(fclose(file), 0);
	}
}

static void remove_folder(void *folder)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)folder);
	if (system(command))
		ktap_diag("%s failed", command);
}

static const struct fuzz fuzz = {
	.name = "decode_fuzz", .target = target, .set_up = set_up_views, .runs = RUNS, .max_bytes = 24,
	.option = "-print_final_stats=1",
};

static void a_million_runs(void)
{
	static char base[] = "/tmp/decode_fuzz.XXXXXX", seeds[sizeof(base) + 10];
	struct fuzz seeded = fuzz;

	CHECK(mkdtemp(base));
	ktap_defer(remove_folder, base);
	snprintf(seeds, sizeof(seeds), "%s/seeds", base);
	write_seeds(seeds);
	seeded.seeds = seeds;
	fuzz_run(&seeded);
}

static const struct ktap_case cases[] = {
	{ "a million runs guided by coverage", a_million_runs },
};

int main(int argc, char **argv)
{
	return fuzz_main(&fuzz, cases, ARRAY_SIZE(cases), argc, argv);
}
