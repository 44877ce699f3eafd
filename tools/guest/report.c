// SPDX-License-Identifier: GPL-2.0
/*
 * What the demonstration guest says of itself: the kernel it runs, the hypervisor's signature, and a checksum of
 * memory that it wrote and read back. With --end it ends the whole machine.
 *
 *	report [MIB]	64 MiB unless told; exit status 0 if the memory held what was written
 *	report --end N	write N to port 0xf4: tpz run ends with status (N << 1) | 1
 */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#define SIGNATURE_LEAF	0x40000000
#define TRAPEZE_LEAF	0x40000100
#define END_PORT	0xf4

static void print_uname(void)
{
	struct utsname name;

	if (!uname(&name))
		printf("report: uname %s %s %s %s %s\n", name.sysname, name.nodename, name.release,
		       name.version, name.machine);
}

static void print_signature(void)
{
	uint32_t leaf, word[3];
	char text[13] = "";

	__cpuid(SIGNATURE_LEAF, leaf, word[0], word[1], word[2]);
	memcpy(text, word, 12);
	printf("report: CPUID %#x: signature \"%s\", highest leaf %#x\n", SIGNATURE_LEAF, text, leaf);
	if (leaf < TRAPEZE_LEAF)
		return;
	__cpuid(TRAPEZE_LEAF, leaf, word[0], word[1], word[2]);
	memcpy(text, word, 12);
	printf("report: CPUID %#x: signature \"%s\"\n", TRAPEZE_LEAF, text);
}

/* A full-period generator: no two words of the memory are alike */
static uint64_t next_word(uint64_t word)
{
	return word * 6364136223846793005ULL + 1442695040888963407ULL;
}

static uint64_t add_word(uint64_t sum, uint64_t word)
{
	return (sum << 1 | sum >> 63) ^ word;
}

static int check_memory(unsigned long mib)
{
	size_t words = (mib << 20) / sizeof(uint64_t);
	uint64_t word = 1, written = 0, read = 0;
	volatile uint64_t *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("report: mmap");
		return 1;
	}
	for (size_t i = 0; i < words; i++) {
		memory[i] = word;
		written = add_word(written, word);
		word = next_word(word);
	}
	for (size_t i = 0; i < words; i++)
		read = add_word(read, memory[i]);
	printf("report: %lu MiB written, checksum %016llx; read back, checksum %016llx: %s\n", mib,
	       (unsigned long long)written, (unsigned long long)read,
	       written == read ? "verified" : "MEMORY IS WRONG");
	return written != read;
}

static int end_machine(unsigned long value)
{
	fflush(stdout);
	tcdrain(STDOUT_FILENO);		/* the console's last words leave by interrupt */
	if (ioperm(END_PORT, 4, 1)) {
		perror("report: ioperm");
		return 1;
	}
	outl(value, END_PORT);
	return 1;		/* no such port here: this is no guest of tpz */
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--end"))
		return end_machine(strtoul(argv[2], NULL, 0));
	print_uname();
	print_signature();
	return check_memory(argc > 1 ? strtoul(argv[1], NULL, 0) : 64);
}
