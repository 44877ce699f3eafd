// SPDX-License-Identifier: GPL-2.0
/*
 * tpz run: boots a guest. Three parts: (i) the options, (ii) watching over a running guest, (iii) the order
 * in which all is set up, confined, and taken down.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "confine.h"
#include "console.h"
#include "machine.h"
#include "report.h"

#define DEFAULT_MEMORY	(256ULL << 20)
#define DEFAULT_APPEND	"console=ttyS0 noapic"

/* ------------------------------------------------------------------ (i) the options */

enum {
	OPT_PROTOCOL = 0x100,
	OPT_BACKING,
	OPT_TRAP,
	OPT_TIMER_CYCLES,
	OPT_STAT,
	OPT_MODULE,
};

static const struct argp_option options[] = {
	{ "kernel", 'k', "FILE", 0, "The image: a Linux bzImage, an ELF with a PVH note, or a multiboot-1 image", 0 },
	{ "initrd", 'i', "FILE", 0, "Linux's initrd, or a multiboot module", 0 },
	{ "module", OPT_MODULE, "FILE", OPTION_ALIAS, NULL, 0 },
	{ "append", 'a', "TEXT", 0, "The kernel's command line (default: " DEFAULT_APPEND ")", 0 },
	{ "memory", 'm', "SIZE", 0, "The guest's memory: a number with K, M or G, alone it counts MiB (default: 256M)", 0 },
	{ "cpus", 'c', "N", 0, "Number of vCPUs; only 1 for now", 0 },
	{ "timeout", 't', "SECONDS", 0, "End the run after that time, with status 16", 0 },
	{ "stat", OPT_STAT, NULL, 0, "At the end print what the guest cost, as tpz stat does, on standard error", 0 },
	{ 0, 0, NULL, 0, "Less often needed:", 1 },
	{ "protocol", OPT_PROTOCOL, "NAME", 0, "Boot by linux, pvh or multiboot, rather than by the image's looks", 1 },
	{ "backing", OPT_BACKING, "KIND", 0, "Memory from anon (default), memfd or hugetlb", 1 },
	{ "trap", OPT_TRAP, "NAME,...", 0, "Let the guest trap on these too, which are off by default: dt, cr3, invlpg, tsc, pause, int3, pf, ud, rdrand, timer", 1 },
	{ "timer-cycles", OPT_TIMER_CYCLES, "N", 0, "With --trap timer: TSC cycles between two ticks", 1 },
	{ 0 }
};

struct arguments {
	struct machine_config machine;
	uint64_t timeout_ns;		/* 0: none */
	bool stat;
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

static void set_kernel(struct argp_state *state, struct machine_config *machine, const char *name)
{
	if (machine->kernel)
		argp_error(state, "two kernels: %s and %s", machine->kernel, name);
	machine->kernel = name;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;
	struct machine_config *machine = &args->machine;

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
		if (parse_number(state, "--cpus", arg) != 1)
			argp_error(state, "--cpus %s: a guest has one vCPU for now", arg);
		return 0;
	case 't':
		args->timeout_ns = parse_seconds(state, "--timeout", arg);
		return 0;
	case OPT_STAT:
		args->stat = true;
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
		if (!machine->kernel)
			argp_error(state, "which kernel?");
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
	.doc = "Boot KERNEL as a guest, this terminal being its serial console (ttyS0).\v"
	       "Ctrl-A x ends the guest, Ctrl-A h shows the other keys.\n\n"
	       "A guest that writes V to port 0xf4 ends the run with the odd status (V << 1) | 1. "
	       "Even ones are tpz's: 0 Ctrl-A x or the guest halted for good, 2 could not start, 4 the guest reset itself, 6 triple fault, "
	       "8 access outside of memory, 10 the CPU refused the guest's state, 12 a trap without an answer, "
	       "14 the module gave up, 16 --timeout, 18 tpz itself failed.",
};

/* ------------------------------------------------------------------ (ii) watching over the guest */

/**
 * struct watch - what the main thread waits for
 * @signal: the signal that ends the run, once one came
 */
struct watch {
	struct machine *machine;
	struct console *console;
	int signals;
	int timer;
	int signal;
	bool input_open;
};

static void take_input(struct watch *watch)
{
	uint8_t bytes[256];
	size_t count = serial_room(&watch->machine->serial);
	ssize_t got;

	/* At a terminal the escape must work even if the guest reads nothing; a pipe can wait */
	if (watch->console->tty || count > sizeof(bytes))
		count = sizeof(bytes);
	got = read(STDIN_FILENO, bytes, count);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		watch->input_open = false;	/* the guest runs on without input */
		return;
	}
	count = got;
	if (watch->console->tty) {
		switch (console_filter(watch->console, bytes, &count)) {
		case CONSOLE_QUIT:
			machine_end(watch->machine, STATUS_OK, false, "ended by Ctrl-A x");
			break;
		case CONSOLE_HELP:
			fputs(console_help, stderr);
			break;
		case CONSOLE_NONE:
			break;
		}
	}
	serial_receive(&watch->machine->serial, bytes, count);
}

static void take_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) != sizeof(info))
		return;
	watch->signal = info.ssi_signo;
	machine_end(watch->machine, STATUS_HOST, false, "ended by %s", strsignal(watch->signal));
}

static void watch_machine(struct watch *watch)
{
	struct machine *machine = watch->machine;
	enum { INPUT, SIGNALS, TIMER, NOTIFY, FILES };
	struct pollfd files[FILES] = {
		[INPUT] = { .events = POLLIN },
		[SIGNALS] = { .fd = watch->signals, .events = POLLIN },
		[TIMER] = { .fd = watch->timer, .events = POLLIN },
		[NOTIFY] = { .fd = machine->notify, .events = POLLIN },
	};

	while (!machine_ended(machine)) {
		bool wanted = watch->input_open && (watch->console->tty || serial_room(&machine->serial));
		eventfd_t count;

		files[INPUT].fd = wanted ? STDIN_FILENO : -1;
		if (poll(files, FILES, -1) < 0) {
			if (errno == EINTR)
				continue;
			machine_end(machine, STATUS_HOST, false, "poll: %s", strerror(errno));
			break;
		}
		if (files[SIGNALS].revents)
			take_signal(watch);
		if (files[TIMER].revents)
			machine_end(machine, STATUS_TIMEOUT, true, "the time is over (--timeout)");
		if (files[NOTIFY].revents)
			eventfd_read(machine->notify, &count);
		if (wanted && files[INPUT].revents)
			take_input(watch);
	}
}

/* ------------------------------------------------------------------ (iii) from beginning to end */

static void open_watch(struct watch *watch, struct machine *machine, struct console *console)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	*watch = (struct watch){
		.machine = machine,
		.console = console,
		.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		/* A background job must not touch the terminal */
		.input_open = console->tty || !isatty(STDIN_FILENO),
	};
	if (watch->signals < 0 || watch->timer < 0)
		err(STATUS_CANNOT, "signals and timer");
	sigaddset(&set, VCPU_KICK);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void start_timeout(const struct watch *watch, uint64_t ns)
{
	struct itimerspec time = {
		.it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 },
	};

	if (ns)
		timerfd_settime(watch->timer, 0, &time, NULL);
}

static void give_up(const char *what)
{
	if (what)
		err(STATUS_CANNOT, "giving up %s", what);
}

static void print_end(struct machine *machine, bool on_terminal)
{
	char unanswered[256];

	if (on_terminal)
		fputc('\n', stderr);	/* the guest's last line may have no end */
	warnx("%s", machine->end.text);
	if (machine->end.show_state)
		machine_print_state(machine);
	if (ports_describe_unanswered(&machine->ports, unanswered, sizeof(unanswered)))
		warnx("%s", unanswered);
}

static void print_cost(struct tpz_meters *meters)
{
	struct report report;

	if (report_read(meters, &report))
		warnx("%s", tpz_error());
	else
		report_print(stderr, &report);
}

/* As if the signal had not been caught, so that a shell or a script sees what happened */
static void die_of(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int cmd_run(int argc, char **argv)
{
	struct arguments args = {
		.machine = { .cmdline = DEFAULT_APPEND, .memory_bytes = DEFAULT_MEMORY },
	};
	static struct machine machine;
	struct console console;
	struct tpz_meters meters;
	struct tpz_info info;
	struct watch watch;
	int dev;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (console_open(&console))	/* first: the terminal's guard must hold nothing of the VM */
		err(STATUS_CANNOT, "the terminal");
	dev = open_device(&info);
	machine_create(&machine, dev, &args.machine);
	if (args.stat && tpz_meters_open(dev, machine.vm.id, &meters))
		errx(STATUS_CANNOT, "%s", tpz_error());
	close(dev);

	open_watch(&watch, &machine, &console);
	give_up(confine_privileges());
	machine_start_thread(&machine);
	give_up(confine_calls());

	console_raw(&console);
	start_timeout(&watch, args.timeout_ns);
	machine_go(&machine);
	watch_machine(&watch);
	machine_stop(&machine);
	console_close(&console);

	print_end(&machine, console.tty);
	if (args.stat)
		print_cost(&meters);
	machine_destroy(&machine);
	if (watch.signal)
		die_of(watch.signal);
	return machine.end.status;
}
