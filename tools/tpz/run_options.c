// SPDX-License-Identifier: GPL-2.0
/*
 * The options of tpz run: the command line, and before it those of a file that the command line does not have itself.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "control_place.h"
#include "run_options.h"

#define DEFAULT_MEMORY	(256ULL << 20)
#define DEFAULT_APPEND	"console=ttyS0"
#define VIRTIO_APPEND	"console=hvc0"

enum {
	OPT_PROTOCOL = 0x100,
	OPT_BACKING,
	OPT_TRAP,
	OPT_TIMER_CYCLES,
	OPT_STAT,
	OPT_MODULE,
	OPT_DISK,
	OPT_RNG,
	OPT_PIN,
	OPT_CONFIG,
	OPT_NAME,
	OPT_NO_HV,
	OPT_NET,
	OPT_SHARE,
	OPT_CONSOLE,
	OPT_VSOCK,
	OPT_BIOS,
	OPT_BIOS_LOG,
};

static const struct argp_option options[] = {
	{ "kernel", 'k', "FILE", 0, "The image: a Linux bzImage, an ELF with a PVH note, or a multiboot-1 image", 0 },
	{ "initrd", 'i', "FILE", 0, "Linux's initrd, or a multiboot module", 0 },
	{ "module", OPT_MODULE, "FILE", OPTION_ALIAS, NULL, 0 },
	{ "append", 'a', "TEXT", 0, "The kernel's command line (default: " DEFAULT_APPEND ", or " VIRTIO_APPEND " with --console virtio)", 0 },
	{ "memory", 'm', "SIZE", 0, "The guest's memory: a number with K, M or G, alone it counts MiB (default: 256M)", 0 },
	{ "cpus", 'c', "N[,sockets=N][,cores=N][,threads=N]", 0, "Number of vCPUs (default: 1), and how they are arranged (default: cores of one socket)", 0 },
	{ "pin", OPT_PIN, "CPU[-CPU],...", 0, "Each vCPU runs on one CPU of this list alone, in turn", 0 },
	{ "disk", OPT_DISK, "FILE[,ro]", 0, "A raw image or block device as virtio disk: vda, the next one vdb; ro: read-only", 0 },
	{ "net", OPT_NET, "user[,hostfwd=tcp:PORT:PORT]|tap=NAME[,vhost=on|off|auto]|fd=N[,mac=MAC][,model=virtio|e1000]", 0,
	  "A network card: on a network that needs no privilege (hostfwd: a port of this host leads to one of the "
	  "guest); on a tap interface (vhost: the host's kernel moves the frames); or on an open file. "
	  "Model e1000 is an Intel 82545GM, for guests without virtio", 0 },
	{ "vsock", OPT_VSOCK, "cid=N", 0, "A virtio socket device: host and guest reach each other by AF_VSOCK, the guest is context N (3 or more)", 0 },
	{ "rng", OPT_RNG, NULL, 0, "A virtio entropy device", 0 },
	{ "name", OPT_NAME, "NAME", 0, "What tpz list and tpz stop call the VM", 0 },
	{ "config", OPT_CONFIG, "FILE", 0, "More options, as a JSON object: { \"memory\": \"1G\", \"disk\": [\"a.raw\", \"b.raw,ro\"], \"rng\": true }; those given here win", 0 },
	{ "share", OPT_SHARE, "DIR:TAG[,ro]", 0, "Share a folder by 9P (needs diod): mount -t 9p -o trans=virtio TAG /mnt; ro: read-only", 0 },
	{ "console", OPT_CONSOLE, "KIND", 0, "What the terminal is in the guest: serial (ttyS0, the default) or virtio (hvc0)", 0 },
	{ "bios", OPT_BIOS, "FILE", OPTION_ARG_OPTIONAL, "Start with a BIOS, which boots from the first disk, as if there is no KERNEL (default: " BIOS_DEFAULT ")", 0 },
	{ "timeout", 't', "SECONDS", 0, "End the run after that time, with status 16", 0 },
	{ "stat", OPT_STAT, NULL, 0, "At the end print what the guest cost, as tpz stat does, on standard error", 0 },
	{ 0, 0, NULL, 0, "Less often needed:", 1 },
	{ "protocol", OPT_PROTOCOL, "NAME", 0, "Boot by linux, pvh or multiboot, rather than by the image's looks", 1 },
	{ "bios-log", OPT_BIOS_LOG, "FILE", 0, "With --bios: what SeaBIOS tells of its doings goes to this file", 1 },
	{ "backing", OPT_BACKING, "KIND", 0, "Memory from anon (default), memfd or hugetlb", 1 },
	{ "no-hv", OPT_NO_HV, NULL, 0, "Hide from the guest that it is one: no hypervisor bit, no hypervisor leaves, no paravirtual services", 1 },
	{ "trap", OPT_TRAP, "NAME,...", 0, "Let the guest trap on these too, which are off by default: dt, cr3, invlpg, tsc, pause, int3, pf, ud, rdrand, timer", 1 },
	{ "timer-cycles", OPT_TIMER_CYCLES, "N", 0, "With --trap timer: TSC cycles between two ticks", 1 },
	{ 0 }
};

static uint64_t parse_size(struct argp_state *state, const char *text)
{
	char *end;
	unsigned long long value;
	unsigned int shift = 20;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (end == text || errno || *text == '-')
		argp_error(state, "--memory takes a size such as 512M, not '%s'", text);
	switch (*end) {
	case 'k':
	case 'K':
		shift = 10;
		end++;
		break;
	case 'm':
	case 'M':
		end++;
		break;
	case 'g':
	case 'G':
		shift = 30;
		end++;
		break;
	}
	if (*end)
		argp_error(state, "--memory takes a size such as 512M, not '%s'", text);
	if (value < BOOT_MEMORY_MIN >> shift || value > BOOT_MEMORY_MAX >> shift)
		argp_error(state, "--memory %s: a guest may have from %llu MiB to %llu GiB", text,
			   BOOT_MEMORY_MIN >> 20, BOOT_MEMORY_MAX >> 30);
	value <<= shift;
	if (value & 4095)
		argp_error(state, "--memory %s: is no multiple of 4 KiB", text);
	return value;
}

static uint64_t parse_traps(struct argp_state *state, const char *list)
{
	static const struct {
		const char *name;
		uint64_t bit;
	} traps[] = {
		{ "dt", TPZ_TRAP_DT }, { "cr3", TPZ_TRAP_CR3 }, { "invlpg", TPZ_TRAP_INVLPG },
		{ "tsc", TPZ_TRAP_TSC }, { "pause", TPZ_TRAP_PAUSE }, { "int3", TPZ_TRAP_INT3 },
		{ "pf", TPZ_TRAP_PF }, { "ud", TPZ_TRAP_UD }, { "rdrand", TPZ_TRAP_RDRAND },
		{ "timer", TPZ_TRAP_TIMER },
	};
	uint64_t bits = 0;

	while (*list) {
		size_t length = strcspn(list, ",");
		uint64_t bit = 0;

		for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
			if (strlen(traps[i].name) == length && !strncmp(list, traps[i].name, length))
				bit = traps[i].bit;
		}
		if (!bit)
			argp_error(state, "--trap: there is no trap '%.*s'", (int)length, list);
		bits |= bit;
		list += length;
		list += *list == ',';
	}
	return bits;
}

static enum tpz_mem_kind parse_backing(struct argp_state *state, const char *kind)
{
	if (!strcmp(kind, "anon"))
		return TPZ_MEM_ANON;
	if (!strcmp(kind, "memfd"))
		return TPZ_MEM_MEMFD;
	if (strcmp(kind, "hugetlb"))
		argp_error(state, "--backing takes anon, memfd or hugetlb, not '%s'", kind);
	return TPZ_MEM_HUGETLB;
}

static bool parse_console(struct argp_state *state, const char *kind)
{
	if (!strcmp(kind, "virtio"))
		return true;
	if (strcmp(kind, "serial"))
		argp_error(state, "--console takes serial or virtio, not '%s'", kind);
	return false;
}

/* What is left out of the three follows from N: cores, of one thread each, in one socket */
static void parse_cpus(struct argp_state *state, const char *arg, struct machine_config *machine)
{
	unsigned int n, sockets = 0, cores = 0, threads = 0, value;
	const char *rest = arg;
	int read;

	if (sscanf(rest, "%u%n", &n, &read) != 1 || !n || n > BOOT_PROCESSORS_MAX)
		argp_error(state, "--cpus %s: a guest has 1 to %u vCPUs", arg, BOOT_PROCESSORS_MAX);
	for (rest += read; *rest; rest += read) {
		if (sscanf(rest, ",sockets=%u%n", &value, &read) == 1)
			sockets = value;
		else if (sscanf(rest, ",cores=%u%n", &value, &read) == 1)
			cores = value;
		else if (sscanf(rest, ",threads=%u%n", &value, &read) == 1)
			threads = value;
		else
			argp_error(state, "--cpus takes N,sockets=N,cores=N,threads=N, not '%s'", arg);
		if (!value || value > BOOT_PROCESSORS_MAX)
			argp_error(state, "--cpus %s: each number is 1 to %u", arg, BOOT_PROCESSORS_MAX);
	}
	threads = threads ?: 1;
	if (!cores)
		cores = n / ((sockets ?: 1) * threads) ?: 1;
	if (!sockets)
		sockets = n / (cores * threads) ?: 1;
	if (sockets * cores * threads != n)
		argp_error(state, "--cpus %s: %u sockets of %u cores of %u threads are not %u", arg, sockets, cores, threads, n);
	machine->sockets = sockets;
	machine->cores = cores;
	machine->threads = threads;
}

static void parse_pin(struct argp_state *state, const char *arg, struct machine_config *machine)
{
	const char *rest = arg;

	machine->pins = 0;
	do {
		unsigned int first, last;
		int read = 0;

		if (sscanf(rest, "%u-%u%n", &first, &last, &read) != 2 || !read) {
			if (sscanf(rest, "%u%n", &first, &read) != 1)
				argp_error(state, "--pin takes CPUs such as 0-3,8, not '%s'", arg);
			last = first;
		}
		rest += read;
		if (last < first || last >= CPU_SETSIZE || (*rest && *rest != ','))
			argp_error(state, "--pin takes CPUs such as 0-3,8, each below %u, not '%s'", CPU_SETSIZE, arg);
		for (; first <= last; first++) {
			if (machine->pins == BOOT_PROCESSORS_MAX)
				argp_error(state, "--pin %s: more than the %u vCPUs that a guest can have", arg,
					   BOOT_PROCESSORS_MAX);
			machine->pin[machine->pins++] = first;
		}
	} while (*rest++);
}

static void set_kernel(struct argp_state *state, struct machine_config *machine, const char *name)
{
	if (machine->kernel)
		argp_error(state, "two kernels: %s and %s", machine->kernel, name);
	machine->kernel = name;
}

/* Takes ",ro" off its end */
static bool is_readonly(char *arg)
{
	size_t length = strlen(arg);

	if (length <= 3 || strcmp(arg + length - 3, ",ro"))
		return false;
	arg[length - 3] = 0;
	return true;
}

static void add_disk(struct argp_state *state, struct machine_pci_config *pci, char *arg)
{
	if (pci->disks == DISKS_MAX)
		argp_error(state, "more than %d disks", DISKS_MAX);
	pci->disk[pci->disks].readonly = is_readonly(arg);
	pci->disk[pci->disks++].name = arg;
}

static void add_share(struct argp_state *state, struct machine_pci_config *pci, char *arg)
{
	bool readonly = is_readonly(arg);
	char *colon = strrchr(arg, ':');

	if (pci->shares == SHARES_MAX)
		argp_error(state, "more than %d shares", SHARES_MAX);
	if (!colon || colon == arg || !colon[1])
		argp_error(state, "--share takes DIR:TAG or DIR:TAG,ro, not '%s'", arg);
	*colon++ = 0;
	if (strlen(colon) > P9_TAG_MAX)
		argp_error(state, "--share: the tag '%s' is longer than %d characters", colon, P9_TAG_MAX);
	for (unsigned int i = 0; i < pci->shares; i++) {
		if (!strcmp(pci->share[i].tag, colon))
			argp_error(state, "two shares of the tag '%s'", colon);
	}
	pci->share[pci->shares].name = arg;
	pci->share[pci->shares].tag = colon;
	pci->share[pci->shares++].readonly = readonly;
}

static uint32_t parse_vsock(struct argp_state *state, const char *arg)
{
	uint64_t cid;

	if (strncmp(arg, "cid=", 4))
		argp_error(state, "--vsock takes cid=N, not '%s'", arg);
	cid = parse_number(state, "--vsock cid", arg + 4);
	if (cid < VSOCK_CID_MIN || cid > VSOCK_CID_MAX)
		argp_error(state, "--vsock %s: a guest's CID is %u to %u", arg, VSOCK_CID_MIN, VSOCK_CID_MAX);
	return cid;
}

static const char *find_bios(struct argp_state *state)
{
	if (access(BIOS_DEFAULT, R_OK))
		argp_failure(state, STATUS_CANNOT, errno, "%s: is the package " BIOS_PACKAGE " installed? (or --bios=FILE)",
			     BIOS_DEFAULT);
	return BIOS_DEFAULT;
}

/* A BIOS knows no more than its disks */
static void check_bios(struct argp_state *state, const struct machine_config *machine)
{
	if (machine->bios && (machine->kernel || machine->module || machine->cmdline || machine->protocol))
		argp_error(state, "with --bios the guest boots from a disk: no kernel, initrd, command line or protocol");
	if (machine->bios_log && !machine->bios)
		argp_error(state, "--bios-log needs --bios");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *run = state->input;
	struct machine_config *machine = &run->machine;

	switch (key) {
	case 'k':
	case ARGP_KEY_ARG:
		set_kernel(state, machine, arg);
		return 0;
	case 'i':
	case OPT_MODULE:
		if (machine->module)
			argp_error(state, "only one initrd or module");
		machine->module = arg;
		return 0;
	case 'a':
		machine->cmdline = arg;
		return 0;
	case 'm':
		machine->memory_bytes = parse_size(state, arg);
		return 0;
	case 'c':
		parse_cpus(state, arg, machine);
		return 0;
	case OPT_PIN:
		parse_pin(state, arg, machine);
		return 0;
	case 't':
		run->timeout_ns = parse_seconds(state, "--timeout", arg);
		return 0;
	case OPT_DISK:
		add_disk(state, &machine->pci, arg);
		return 0;
	case OPT_NET:
		if (machine->pci.nets == NETS_MAX)
			argp_error(state, "more than %d network cards", NETS_MAX);
		net_parse(state, arg, machine->pci.nets, &machine->pci.net[machine->pci.nets]);
		machine->pci.nets++;
		return 0;
	case OPT_RNG:
		machine->pci.rng = true;
		return 0;
	case OPT_NAME:
		if (!control_name_ok(arg))
			argp_error(state, "--name takes up to %d letters, digits and ._-, not '%s'", CONTROL_NAME_MAX, arg);
		run->name = arg;
		return 0;
	case OPT_CONFIG:
		return 0;	/* find_given() has it */
	case OPT_NO_HV:
		machine->hidden = true;
		return 0;
	case OPT_SHARE:
		add_share(state, &machine->pci, arg);
		return 0;
	case OPT_CONSOLE:
		machine->pci.console = parse_console(state, arg);
		return 0;
	case OPT_VSOCK:
		if (machine->pci.vsock_cid)
			argp_error(state, "only one --vsock");
		machine->pci.vsock_cid = parse_vsock(state, arg);
		return 0;
	case OPT_BIOS:
		machine->bios = arg ?: find_bios(state);
		return 0;
	case OPT_BIOS_LOG:
		machine->bios_log = arg;
		return 0;
	case OPT_STAT:
		run->stat = true;
		return 0;
	case OPT_PROTOCOL:
		machine->protocol = arg;
		return 0;
	case OPT_BACKING:
		machine->memory_kind = parse_backing(state, arg);
		return 0;
	case OPT_TRAP:
		machine->traps |= parse_traps(state, arg);
		return 0;
	case OPT_TIMER_CYCLES:
		machine->timer_cycles = parse_number(state, "--timer-cycles", arg);
		return 0;
	case ARGP_KEY_END:
		if (!machine->kernel && !machine->bios && machine->pci.disks)
			machine->bios = find_bios(state);
		check_bios(state, machine);
		if (!machine->kernel && !machine->bios)
			argp_error(state, "which kernel? (or a --disk to boot from)");
		if (!machine->cmdline)
			machine->cmdline = machine->pci.console ? VIRTIO_APPEND : DEFAULT_APPEND;
		if (!!machine->timer_cycles != !!(machine->traps & TPZ_TRAP_TIMER))
			argp_error(state, "--trap timer and --timer-cycles need each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[KERNEL]",
	.doc = "Boot KERNEL as a guest, this terminal being its console.\v"
	       "Ctrl-A x ends the guest, Ctrl-A h shows the other keys.\n\n"
	       "A guest that writes V to port 0xf4 ends the run with the odd status (V << 1) | 1. "
	       "Even ones are tpz's: 0 the guest switched itself off, 2 could not start, 4 the guest reset itself, 6 triple fault, "
	       "8 access outside of memory, 10 the CPU refused the guest's state, 12 a trap without an answer, "
	       "14 the module gave up, 16 --timeout, 18 tpz itself failed, 20 Ctrl-A x or tpz stop, 22 the guest halted for good, "
	       "24 it panicked, 26 it hangs, by its watchdog.",
};

/* ------------------------------------------------------------------ which options the command line has */

struct given {
	const char *config;
	int key[64];
	unsigned int keys;
};

static error_t note_given(int key, char *arg, struct argp_state *state)
{
	struct given *given = state->input;

	switch (key) {
	case OPT_CONFIG:
		if (given->config)
			argp_error(state, "only one --config");
		given->config = arg;
		return 0;
	case ARGP_KEY_ARG:
		key = 'k';
		break;
	case OPT_MODULE:
		key = 'i';
		break;
	case ARGP_KEY_INIT:
	case ARGP_KEY_FINI:
	case ARGP_KEY_NO_ARGS:
	case ARGP_KEY_ARGS:
	case ARGP_KEY_END:
	case ARGP_KEY_SUCCESS:
	case ARGP_KEY_ERROR:
		return ARGP_ERR_UNKNOWN;
	}
	/* A key noted twice needs no second place; there are fewer options than places */
	for (unsigned int i = 0; i < given->keys; i++) {
		if (given->key[i] == key)
			return 0;
	}
	given->key[given->keys++] = key;
	return 0;
}

static bool is_given(const void *arg, int key)
{
	const struct given *given = arg;

	if (key == OPT_MODULE)
		key = 'i';
	for (unsigned int i = 0; i < given->keys; i++) {
		if (given->key[i] == key)
			return true;
	}
	return false;
}

/* The command line, with the file's options in front */
static char **join(int *argc, char **argv, char **more, int count)
{
	char **all = calloc(*argc + count + 1, sizeof(*all));

	if (!all)
		err(STATUS_CANNOT, "the options");
	all[0] = argv[0];
	memcpy(all + 1, more, count * sizeof(*all));
	memcpy(all + 1 + count, argv + 1, (*argc - 1) * sizeof(*all));
	*argc += count;
	return all;
}

void run_options_parse(int argc, char **argv, struct run_options *run)
{
	const struct argp noting = { argp.options, note_given, argp.args_doc, argp.doc, NULL, NULL, NULL };
	struct given given = { 0 };

	*run = (struct run_options){
		.machine = {
			.memory_bytes = DEFAULT_MEMORY,
			.sockets = 1, .cores = 1, .threads = 1,
		},
	};
	argp_parse(&noting, argc, argv, 0, NULL, &given);
	if (given.config) {
		int count;
		char **more = config_arguments(given.config, options, is_given, &given, &count);

		argv = join(&argc, argv, more, count);
	}
	argp_parse(&argp, argc, argv, 0, NULL, run);
}
