// SPDX-License-Identifier: GPL-2.0
/*
 * tpz run: boots a guest. Three parts: (i) watching over a running guest, (ii) what its control socket asks for, (iii)
 * the order in which all is set up, confined, and taken down.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <json-c/json.h>

#include "confine.h"
#include "console.h"
#include "control.h"
#include "machine.h"
#include "report.h"
#include "run_options.h"

/* ------------------------------------------------------------------ (i) watching over the guest */

/**
 * struct watch - what the main thread waits for
 * @signal: the signal that ends the run, once one came
 */
struct watch {
	struct machine *machine;
	struct console *console;
	struct control control;
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
			machine_end(watch->machine, STATUS_STOPPED, false, "ended by Ctrl-A x");
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
	enum { INPUT, SIGNALS, TIMER, NOTIFY, RTC, WATCHDOG, CONTROL, FILES = CONTROL + CONTROL_FILES };
	struct pollfd files[FILES] = {
		[INPUT] = { .events = POLLIN },
		[SIGNALS] = { .fd = watch->signals, .events = POLLIN },
		[TIMER] = { .fd = watch->timer, .events = POLLIN },
		[NOTIFY] = { .fd = machine->notify, .events = POLLIN },
		[RTC] = { .fd = machine->power.rtc_timer, .events = POLLIN },
		[WATCHDOG] = { .fd = machine->power.watchdog_timer, .events = POLLIN },
	};

	while (!machine_ended(machine)) {
		bool wanted = watch->input_open && (watch->console->tty || serial_room(&machine->serial));
		eventfd_t count;

		files[INPUT].fd = wanted ? STDIN_FILENO : -1;
		control_poll(&watch->control, files + CONTROL);
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
		if (files[RTC].revents)
			machine_power_rtc(machine);
		if (files[WATCHDOG].revents)
			machine_power_watchdog(machine);
		control_serve(&watch->control, files + CONTROL);
		if (wanted && files[INPUT].revents)
			take_input(watch);
	}
}

/* ------------------------------------------------------------------ (ii) what the control socket asks for */

static void tell_status(void *host, struct json_object *object)
{
	const struct machine *machine = host;

	json_object_object_add(object, "id", json_object_new_uint64(machine->vm.id));
	json_object_object_add(object, "pid", json_object_new_int64(getpid()));
	json_object_object_add(object, "vcpus", json_object_new_int64(machine->boot.processors));
	json_object_object_add(object, "memory", json_object_new_uint64(machine->boot.memory_bytes));
}

static bool press_power_button(void *host)
{
	struct machine *machine = host;

	return acpi_pm_press(&machine->power.pm);
}

static void stop_by_force(void *host)
{
	machine_end(host, STATUS_STOPPED, false, "stopped by tpz stop");
}

/* A run without a name can do without the socket */
static void open_control(struct watch *watch, const char *name)
{
	char problem[256];

	if (control_listen(&watch->control, watch->machine->vm.id, name, problem)) {
		if (name)
			errx(STATUS_CANNOT, "%s", problem);
		warnx("no control socket, so tpz stop cannot reach this VM: %s", problem);
	}
	watch->control.status = tell_status;
	watch->control.press = press_power_button;
	watch->control.stop = stop_by_force;
	watch->control.host = watch->machine;
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
	static struct machine machine;
	struct run_options options;
	struct console console;
	struct tpz_meters meters;
	struct tpz_info info;
	struct watch watch;
	int dev;

	run_options_parse(argc, argv, &options);
	if (console_open(&console))	/* first: the terminal's guard must hold nothing of the VM */
		err(STATUS_CANNOT, "the terminal");
	dev = open_device(&info);
	machine_create(&machine, dev, &options.machine);
	if (options.stat && tpz_meters_open(dev, machine.vm.id, &meters))
		errx(STATUS_CANNOT, "%s", tpz_error());
	close(dev);

	open_watch(&watch, &machine, &console);
	open_control(&watch, options.name);
	give_up(confine_privileges());
	machine_start_threads(&machine);
	give_up(confine_calls());

	console_raw(&console);
	start_timeout(&watch, options.timeout_ns);
	machine_go(&machine);
	watch_machine(&watch);
	machine_stop(&machine);
	console_close(&console);

	print_end(&machine, console.tty);
	if (options.stat)
		print_cost(&meters);
	machine_destroy(&machine);
	control_close(&watch.control);
	if (watch.signal)
		die_of(watch.signal);
	return machine.end.status;
}
