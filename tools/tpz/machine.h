/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One guest: its VM, its memory, its devices, the threads that run it, and how it ended.
 */
#ifndef TPZ_MACHINE_H
#define TPZ_MACHINE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <trapeze.h>

#include "boot/boot.h"
#include "devices/debugexit.h"
#include "devices/ports.h"
#include "devices/reset.h"
#include "devices/serial.h"
#include "machine_bios.h"
#include "machine_pci.h"
#include "machine_power.h"
#include "tpz.h"

#define SERIAL_PORT	0x3f8

/**
 * struct machine_config - what the command line asked for
 * @kernel: file name; @module, @protocol: or NULL
 * @bios: file name, in place of @kernel; @bios_log: where it tells what it does, or NULL
 * @hidden: the guest shall not see that it is one
 * @sockets: with @cores in each and @threads in each core
 * @pin: vCPU n runs on host CPU @pin[n % @pins] alone; @pins 0: anywhere
 */
struct machine_config {
	const char *kernel;
	const char *bios, *bios_log;
	const char *module;
	const char *cmdline;
	const char *protocol;
	uint64_t memory_bytes;
	enum tpz_mem_kind memory_kind;
	uint64_t traps;
	uint64_t timer_cycles;
	bool hidden;
	unsigned int sockets, cores, threads;
	unsigned int pin[BOOT_PROCESSORS_MAX], pins;
	struct machine_pci_config pci;
};

/**
 * struct machine_end - why the run ended
 * @ended: it did; the rest counts then
 * @status: the exit status for it
 * @show_state: the processor's registers help to understand it
 */
struct machine_end {
	bool ended;
	int status;
	bool show_state;
	char text[320];
};

/**
 * struct processor - a vCPU and its thread
 * @pinned: it runs on the host's @cpu alone
 */
struct processor {
	struct machine *machine;
	struct tpz_vcpu vcpu;
	pthread_t thread;
	bool pinned;
	unsigned int cpu;
};

/**
 * struct machine - all of one guest
 *
 * Written before the vCPUs' threads start. Then the devices are theirs, under @devices_lock, but for @serial and
 * what is in @power (locks of their own, besides); and @end (@end_lock).
 *
 * @notify: an eventfd: something for the main thread to look at (the end, or room for input)
 * @go: the vCPUs' threads wait for it before the first instruction
 * @blame: the vCPU that @end.show_state means
 */
struct machine {
	struct tpz_vm vm;
	struct processor processors[BOOT_PROCESSORS_MAX];
	struct tpz_mem memory;
	struct boot boot;

	pthread_mutex_t devices_lock;
	struct port_space ports;
	struct serial serial;
	struct debug_exit debug_exit;
	struct reset reset;
	struct machine_power power;
	struct machine_pci pci;
	struct machine_bios bios;

	sem_t go;
	int notify;

	pthread_mutex_t end_lock;
	struct machine_end end;
	const struct processor *blame;
};

/**
 * machine_create() - a guest that is ready for its first instruction; ends tpz with a message on failure
 */
void machine_create(struct machine *machine, int dev, const struct machine_config *config);

/**
 * machine_start_threads() - create the vCPUs' threads, which wait for machine_go(); ends tpz on failure
 */
void machine_start_threads(struct machine *machine);
void machine_go(struct machine *machine);

/**
 * machine_stop() - bring the vCPUs' threads to their end, wherever they are
 */
void machine_stop(struct machine *machine);

/**
 * machine_destroy() - give everything back, after machine_stop()
 */
void machine_destroy(struct machine *machine);

/**
 * machine_end() - the run is over; the first reason counts. Any thread may call it.
 */
void machine_end(struct machine *machine, int status, bool show_state, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * machine_set_line() - drive an interrupt line; any thread, once the VM is there
 * @machine: a struct machine: devices call this as it is
 */
void machine_set_line(void *machine, unsigned int line, bool level);

bool machine_ended(struct machine *machine);

/**
 * machine_input_room() - how many bytes of input the guest's console takes now; 0: @notify is signalled later
 */
size_t machine_input_room(struct machine *machine);

/* Input for the guest's console; what has no room is lost */
void machine_input(struct machine *machine, const uint8_t *bytes, size_t count);

/**
 * machine_print_state() - the processor's registers, on standard error
 */
void machine_print_state(const struct machine *machine);

/* A vCPU's thread: vcpu_thread.c */
void *vcpu_thread(void *processor);

/* The signal that takes it out of the guest */
#define VCPU_KICK	SIGUSR1

#endif /* TPZ_MACHINE_H */
