// SPDX-License-Identifier: GPL-2.0
/*
 * Builds a guest and takes it down.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

#define SERIAL_IRQ	4
#define FILE_MAX	(2ULL << 30)

/* ------------------------------------------------------------------ the end */

void machine_end(struct machine *machine, int status, bool show_state, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&machine->end_lock);
	if (!machine->end.ended) {
		machine->end.status = status;
		machine->end.show_state = show_state;
		va_start(args, format);
		vsnprintf(machine->end.text, sizeof(machine->end.text), format, args);
		va_end(args);
		__atomic_store_n(&machine->end.ended, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&machine->end_lock);
	eventfd_write(machine->notify, 1);
}

bool machine_ended(struct machine *machine)
{
	return __atomic_load_n(&machine->end.ended, __ATOMIC_ACQUIRE);
}

/* ------------------------------------------------------------------ what the devices call */

static void serial_transmit(void *host, uint8_t byte)
{
	struct machine *machine = host;

	while (!machine_ended(machine)) {
		struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

		if (write(STDOUT_FILENO, &byte, 1) == 1)
			return;
		if (errno == EAGAIN)
			poll(&out, 1, -1);	/* or a signal comes, and the run has ended */
		else if (errno != EINTR)
			machine_end(machine, STATUS_HOST, false, "standard output: %s", strerror(errno));
	}
}

void machine_set_line(void *arg, unsigned int line, bool level)
{
	struct machine *machine = arg;

	if (tpz_vm_irq_line(&machine->vm, line, level))
		machine_end(machine, STATUS_HOST, false, "%s", tpz_error());
}

static void serial_set_irq(void *host, bool level)
{
	machine_set_line(host, SERIAL_IRQ, level);
}

static void serial_has_room(void *host)
{
	struct machine *machine = host;

	eventfd_write(machine->notify, 1);
}

static void end_by_port(void *host, uint32_t value)
{
	machine_end(host, (value << 1 | 1) & 0xff, false, "the guest ended the run with %#x at port 0xf4", value);
}

static void end_by_reset(void *host, uint16_t port)
{
	machine_end(host, STATUS_RESET, false, "the guest reset itself by port %#x", port);
}

/* ------------------------------------------------------------------ input: to hvc0, or else to ttyS0 */

size_t machine_input_room(struct machine *machine)
{
	return machine->pci.has_console ? virtio_console_room(&machine->pci.console) : serial_room(&machine->serial);
}

void machine_input(struct machine *machine, const uint8_t *bytes, size_t count)
{
	if (machine->pci.has_console)
		virtio_console_receive(&machine->pci.console, bytes, count);
	else
		serial_receive(&machine->serial, bytes, count);
}

/* ------------------------------------------------------------------ building */

static void add_devices(struct machine *machine)
{
	struct port_device devices[] = {
		serial_device(&machine->serial, SERIAL_PORT),
		debug_exit_device(&machine->debug_exit),
	};

	if (ports_init(&machine->ports))
		errx(STATUS_CANNOT, "out of memory");
	serial_init(&machine->serial);
	machine->serial.transmit = serial_transmit;
	machine->serial.set_irq = serial_set_irq;
	machine->serial.room = serial_has_room;
	machine->serial.host = machine;
	machine->debug_exit = (struct debug_exit){ .end = end_by_port, .host = machine };
	machine->reset = (struct reset){ .reset = end_by_reset, .host = machine };
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (ports_add(&machine->ports, &devices[i]))
			errx(STATUS_CANNOT, "no room for the device %s", devices[i].name);
	}
	if (reset_add(&machine->reset, &machine->ports))
		errx(STATUS_CANNOT, "no room for the reset ports");
	machine_power_create(machine);
}

static void read_file(const char *name, struct boot_file *file)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &status))
		err(STATUS_CANNOT, "%s", name);
	if (!S_ISREG(status.st_mode))
		errx(STATUS_CANNOT, "%s: is no regular file", name);
	if ((uint64_t)status.st_size > FILE_MAX)
		errx(STATUS_CANNOT, "%s: is larger than %llu MiB", name, FILE_MAX >> 20);
	data = malloc(status.st_size + 1);
	if (!data)
		errx(STATUS_CANNOT, "%s: out of memory", name);

	file->name = name;
	file->data = data;
	while (file->bytes < (size_t)status.st_size) {
		ssize_t got = read(fd, data + file->bytes, status.st_size - file->bytes);

		if (got < 0)
			err(STATUS_CANNOT, "%s", name);
		if (!got)
			break;			/* it was truncated meanwhile: the loader will say so */
		file->bytes += got;
	}
	close(fd);
}

static void free_file(struct boot_file *file)
{
	free((void *)file->data);
	*file = (struct boot_file){ 0 };
}

/* Slot 0 at 0, slot 1 at 4 GiB, slot 2, if there is a BIOS, right below 4 GiB */
static void set_slots(struct machine *machine)
{
	struct boot *boot = &machine->boot;
	uint64_t high = boot->memory_bytes - boot->low_bytes;

	if (tpz_vm_set_slot(&machine->vm, 0, 0, 0, boot->memory, boot->low_bytes) ||
	    (high && tpz_vm_set_slot(&machine->vm, 1, 0, BOOT_ABOVE_4G, boot->memory + boot->low_bytes, high)) ||
	    (machine->bios.present && machine_bios_set_slot(machine, 2)))
		errx(STATUS_CANNOT, "%s", tpz_error());
}

static void set_first_instruction(struct machine *machine)
{
	const struct boot_entry *entry = &machine->boot.entry;
	struct tpz_state state = { 0 };

	if (entry->mode == BOOT_MODE_RESET)
		return;
	if (tpz_vcpu_get_state(&machine->processors[0].vcpu, TPZ_STATE_MODE, &state))
		errx(STATUS_CANNOT, "%s", tpz_error());
	if (entry->mode == BOOT_MODE_LONG)
		tpz_state_long(&state, BOOT_SEL_CODE64, BOOT_SEL_DATA, entry->rip, entry->cr3);
	else
		tpz_state_protected(&state, BOOT_SEL_CODE32, BOOT_SEL_DATA, entry->rip);
	state.segments.gdtr.base = BOOT_GDT;
	state.segments.gdtr.limit = BOOT_GDT_BYTES - 1;
	state.regs.gpr[TPZ_RAX] = entry->rax;
	state.regs.gpr[TPZ_RBX] = entry->rbx;
	state.regs.gpr[TPZ_RSI] = entry->rsi;
	if (tpz_vcpu_set_state(&machine->processors[0].vcpu, TPZ_STATE_MODE, &state))
		errx(STATUS_CANNOT, "%s", tpz_error());
}

static unsigned int bits_for(unsigned int count)
{
	unsigned int bits = 0;

	while (1U << bits < count)
		bits++;
	return bits;
}

/* APIC identifiers as TPZ_CREATE_VM divides them */
static void number_processors(struct boot *boot, const struct machine_config *config)
{
	const unsigned int thread_bits = bits_for(config->threads), core_bits = bits_for(config->cores);

	if (config->sockets << (thread_bits + core_bits) > BOOT_PROCESSORS_MAX)
		errx(STATUS_CANNOT, "%u sockets of %u cores of %u threads: more APIC identifiers than %u",
		     config->sockets, config->cores, config->threads, BOOT_PROCESSORS_MAX);
	for (unsigned int socket = 0; socket < config->sockets; socket++)
		for (unsigned int core = 0; core < config->cores; core++)
			for (unsigned int thread = 0; thread < config->threads; thread++)
				boot->apic_ids[boot->processors++] =
					(socket << core_bits | core) << thread_bits | thread;
}

void machine_create(struct machine *machine, int dev, const struct machine_config *config)
{
	struct tpz_create_vm vm = {
		.devices = TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC | TPZ_DEVICE_PIT,
		.traps = config->traps,
		.timer_cycles = config->timer_cycles,
		.sockets = config->sockets,
		.cores = config->cores,
		.threads = config->threads,
	};
	struct boot *boot = &machine->boot;

	if (config->hidden) {
		vm.flags |= TPZ_VM_NO_HYPERVISOR;
		vm.devices &= ~TPZ_DEVICE_KVMCLOCK;
	}
	memset(machine, 0, sizeof(*machine));
	pthread_mutex_init(&machine->end_lock, NULL);
	pthread_mutex_init(&machine->devices_lock, NULL);
	sem_init(&machine->go, 0, 0);
	machine->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (machine->notify < 0)
		err(STATUS_CANNOT, "eventfd");

	read_file(config->bios ?: config->kernel, &boot->image);
	if (config->module)
		read_file(config->module, &boot->module);
	if (tpz_mem_alloc(&machine->memory, config->memory_kind, config->memory_bytes))
		errx(STATUS_CANNOT, "%s", tpz_error());
	boot->memory = machine->memory.addr;
	boot->memory_bytes = config->memory_bytes;
	boot->low_bytes = config->memory_bytes < BOOT_LOW_MAX ? config->memory_bytes : BOOT_LOW_MAX;
	boot->cmdline = config->cmdline;
	boot->pci = config->bios || machine_pci_wanted(&config->pci);
	number_processors(boot, config);
	if (config->bios ? bios_load(boot) : boot_load(boot, config->protocol))
		errx(STATUS_CANNOT, "%s", boot->error);

	add_devices(machine);
	machine_pci_create(machine, &config->pci);
	if (config->bios)
		machine_bios_create(machine, config);
	free_file(&boot->image);
	free_file(&boot->module);
	if (tpz_vm_create_with(dev, &vm, &machine->vm))
		errx(STATUS_CANNOT, "%s", tpz_error());
	set_slots(machine);
	for (unsigned int i = 0; i < boot->processors; i++) {
		machine->processors[i].machine = machine;
		machine->processors[i].pinned = config->pins;
		machine->processors[i].cpu = config->pins ? config->pin[i % config->pins] : 0;
		if (tpz_vcpu_create(&machine->vm, boot->apic_ids[i], &machine->processors[i].vcpu))
			errx(STATUS_CANNOT, "%s", tpz_error());
	}
	set_first_instruction(machine);
}

void machine_destroy(struct machine *machine)
{
	machine_pci_destroy(machine);
	for (unsigned int i = 0; i < machine->boot.processors; i++)
		tpz_vcpu_close(&machine->processors[i].vcpu);
	tpz_vm_close(&machine->vm);
	tpz_mem_free(&machine->memory);
	if (machine->bios.present)
		machine_bios_destroy(machine);
	ports_free(&machine->ports);
	machine_power_destroy(machine);
	close(machine->notify);
}

/* ------------------------------------------------------------------ the threads */

static void kicked(int signal)
{
	(void)signal;		/* its arrival is all */
}

static void pin(const struct processor *processor, unsigned int i)
{
	cpu_set_t cpus;
	int error;

	if (!processor->pinned)
		return;
	CPU_ZERO(&cpus);
	CPU_SET(processor->cpu, &cpus);
	error = pthread_setaffinity_np(processor->thread, sizeof(cpus), &cpus);
	if (error)
		errx(STATUS_CANNOT, "vCPU %u cannot be pinned to CPU %u: %s", i, processor->cpu,
		     error == EINVAL ? "there is none, or it is offline, or not for this process" : strerror(error));
}

void machine_start_threads(struct machine *machine)
{
	struct sigaction action = { .sa_handler = kicked };
	int error;

	machine_pci_start(machine);
	sigaction(VCPU_KICK, &action, NULL);	/* without SA_RESTART */
	for (unsigned int i = 0; i < machine->boot.processors; i++) {
		struct processor *processor = &machine->processors[i];

		error = pthread_create(&processor->thread, NULL, vcpu_thread, processor);
		if (error)
			errx(STATUS_CANNOT, "a thread for vCPU %u: %s", i, strerror(error));
		pin(processor, i);
	}
}

void machine_go(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->boot.processors; i++)
		sem_post(&machine->go);
}

void machine_stop(struct machine *machine)
{
	machine_end(machine, STATUS_HOST, false, "stopped");	/* unless it has ended already */
	for (unsigned int i = 0; i < machine->boot.processors; i++) {
		tpz_vcpu_stop(&machine->processors[i].vcpu);
		pthread_kill(machine->processors[i].thread, VCPU_KICK);
	}
	for (unsigned int i = 0; i < machine->boot.processors; i++)
		pthread_join(machine->processors[i].thread, NULL);
}

void machine_print_state(const struct machine *machine)
{
	static const char *const gpr[TPZ_GPRS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const struct processor *processor = machine->blame ?: &machine->processors[0];
	struct tpz_state state = { 0 };

	if (tpz_vcpu_get_state(&processor->vcpu, TPZ_STATE_MODE, &state)) {
		warnx("%s", tpz_error());
		return;
	}
	for (int i = 0; i < TPZ_GPRS; i++)
		fprintf(stderr, "%3s %016llx%s", gpr[i], (unsigned long long)state.regs.gpr[i],
			i % 4 == 3 ? "\n" : "  ");
	fprintf(stderr, "rip %016llx  rflags %08llx  cs %04x  ss %04x\n", (unsigned long long)state.regs.rip,
		(unsigned long long)state.regs.rflags, state.segments.seg[TPZ_CS].selector,
		state.segments.seg[TPZ_SS].selector);
	fprintf(stderr, "cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  efer %04llx\n",
		(unsigned long long)state.control.cr0, (unsigned long long)state.control.cr2,
		(unsigned long long)state.control.cr3, (unsigned long long)state.control.cr4,
		(unsigned long long)state.control.efer);
}
