/* SPDX-License-Identifier: GPL-2.0 */
/* What the memory tests share: the pattern that fills a page, and the host's switches */
#ifndef TRAPEZE_MEMORY_H
#define TRAPEZE_MEMORY_H

#include "vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AREA		0x20000000ULL	/* where tests put their slots; the guest's tables map up to 1 GiB */
#define LARGE		(2UL << 20)
#define WORDS		8		/* checked in each page */

static inline __u64 word_of(__u64 page, __u64 generation, unsigned int word)
{
	return (page << 40 | generation << 8 | word | 1ULL << 63) * 0x9e3779b97f4a7c15ULL;
}

static inline volatile __u64 *word_at(__u64 base, __u64 page, unsigned int word)
{
	return (volatile __u64 *)(base + page * PAGE + word * (PAGE / WORDS));
}

static inline void check_host(const void *memory, __u64 pages, __u64 generation)
{
	for (__u64 page = 0; page < pages; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			CHECK_THAT(*word_at((uintptr_t)memory, page, i) == word_of(page, generation, i),
				   "page %llu, word %u: %#llx", page, i, *word_at((uintptr_t)memory, page, i));
}

static inline __u32 run_guest(struct vcpu *vcpu, __u32 (*guest)(__u64), __u64 argument)
{
	vcpu_start(vcpu, MODE_LONG, RING0, guest, argument);
	return vcpu_finish(vcpu);
}

static inline bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

#define THP_ENABLED	"/sys/kernel/mm/transparent_hugepage/enabled"

static inline void thp_restore(void *mode)
{
	write_file(THP_ENABLED, mode);
}

/* A kernel with little memory switches transparent huge pages off */
static inline void thp_enable(void)
{
	FILE *f = fopen(THP_ENABLED, "r");
	static char text[64];
	char *mode = NULL;

	if (f && fgets(text, sizeof(text), f))
		mode = strchr(text, '[');
	if (f)
		fclose(f);
	if (!mode)
		SKIP("no transparent huge pages in this kernel");
	*strchr(++mode, ']') = 0;
	if (write_file(THP_ENABLED, "always"))
		ktap_defer(thp_restore, mode);
}

#endif /* TRAPEZE_MEMORY_H */
