/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine in a few lines, over the raw ABI: what nearly every test starts with.
 *
 *	struct vcpu *vcpu = vm_with_vcpu();
 *
 *	vcpu_start(vcpu, MODE_LONG, RING0, guest_function, argument);
 *	CHECK_EQ(vcpu_finish(vcpu), 42);
 *
 * Every function here checks for itself: what goes wrong fails the running case with the reason in words.
 * VMs are closed at the end of the case. A test of the ABI itself calls ioctl() on vm->fd and vcpu->fd.
 *
 * The guest-physical memory: 4 MiB of the VM's own at 0 (slot 0; guest.h tells what lies where), and
 * the test program's own image, at its own addresses above (slot 1).
 */
#ifndef TRAPEZE_VM_H
#define TRAPEZE_VM_H

#include <linux/trapeze.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "ktap.h"
#include "machine.h"

#define DEVICE		"/dev/trapeze"
#define PAGE		4096UL
#define VM_BYTES	(4UL << 20)

#define SLOT_MEMORY	0
#define SLOT_IMAGE	1
#define SLOT_TEST	2	/* the first that is the test's own */

struct vcpu {
	struct vm *vm;
	int fd;
	__u32 id;
	volatile struct tpz_run *run;
	volatile __u8 *data;	/* TPZ_RUN_DATA_BYTES of port data */
	char text[320];		/* vcpu_exit_text()'s */
};

struct vm {
	int fd;
	__u64 id;
	__u8 *memory;		/* of guest-physical 0 to VM_BYTES */
	bool x2apic;
	struct vcpu *vcpus[GUEST_CPUS];
};

struct vm_options {
	__u32 flags;		/* TPZ_VM_* */
	__u64 devices;
	__u64 traps;
	__u64 timer_cycles;
	__u32 sockets, cores, threads;
	bool xapic;		/* local APICs stay in xAPIC mode, as they power up; else vcpu_create() has them in x2APIC mode */
	bool memfd;		/* the memory is a memfd's, shared, instead of anonymous and private */
};

/* vm_create(.devices = TPZ_DEVICE_LAPIC, .traps = …) */
#define vm_create(...)	vm_create_with((struct vm_options){ __VA_ARGS__ })
struct vm *vm_create_with(struct vm_options options);
struct vcpu *vcpu_create(struct vm *vm, __u32 id);

/* A VM with one vCPU, for most cases */
#define vm_with_vcpu(...)	vcpu_create(vm_create(__VA_ARGS__), 0)

/* Closes the VM's files now, not at the end of the case */
void vm_close(struct vm *vm);

/* Opens the device for this case */
int device_open(void);
struct tpz_info device_info(void);

/* More memory: @bytes of zeroes at @gpa; returns where the launcher has it */
void *vm_add_memory(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, __u32 flags);
void vm_set_slot(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, const volatile void *memory, __u32 flags);

/* The entry of the guest's page tables (long mode and PAE) for a page below VM_BYTES */
volatile __u64 *vm_pte(struct vm *vm, __u64 address);

/* Where the launcher has the guest's memory at @gpa: the VM's own, or the program's image */
void *vm_host(struct vm *vm, __u64 gpa);

enum guest_mode {
	MODE_REAL,		/* CS 0x1000, where vcpu_load() put the blob; the entry is its IP */
	MODE_PROTECTED,		/* 32-bit, flat, no paging */
	MODE_PAGING32,		/* 32-bit, flat, 32-bit paging */
	MODE_PAE,		/* 32-bit, flat, PAE paging */
	MODE_COMPAT,		/* 32-bit code segment in long mode */
	MODE_LONG,		/* 64-bit */
};

enum guest_ring { RING0 = 0, RING3 = 3 };

/*
 * Sets general registers, segments, control registers and events so that the next run starts @entry with @argument in
 * (R/E)DI, on a stack of its own, interrupts off. Returning from @entry is guest_done() of its result.
 */
#define vcpu_start(vcpu, mode, ring, entry, argument)			\
	vcpu_start_at(vcpu, mode, ring, (uintptr_t)(entry), (__u64)(uintptr_t)(argument))
void vcpu_start_at(struct vcpu *vcpu, enum guest_mode mode, enum guest_ring ring, __u64 entry, __u64 argument);

/* The state that vcpu_start() would set: to change a little before vcpu_set() */
struct tpz_state vcpu_start_state(struct vcpu *vcpu, enum guest_mode mode, enum guest_ring ring,
				  __u64 entry, __u64 argument);

/* Copies an assembly blob into guest memory at @gpa (GUEST_REAL_CODE for real mode) */
void vcpu_load(struct vcpu *vcpu, __u64 gpa, const void *begin, const void *end);

/* One TPZ_RUN: the exit's reason; a signal ends it with TPZ_EXIT_INTERRUPTED */
__u32 vcpu_run(struct vcpu *vcpu);

/* Runs; the exit must be as told */
void vcpu_expect(struct vcpu *vcpu, __u32 reason);
/* An OUT of one item to @port: its value */
__u32 vcpu_expect_out(struct vcpu *vcpu, __u16 port);
/* The guest must finish: its result */
__u32 vcpu_finish(struct vcpu *vcpu);

/* Runs; the guest must take an exception (or interrupt) that none of its own handlers wanted */
struct fault {
	__u64 vector, error, rip, cs, rflags, cr2, rsp;
	void *frame;		/* in launcher memory; running on is IRET from it */
};
struct fault vcpu_fault(struct vcpu *vcpu);	/* that the last run ended with */
struct fault vcpu_expect_fault(struct vcpu *vcpu, __u32 vector);

/* What happened, in words */
const char *vcpu_exit_text(struct vcpu *vcpu);
const char *reason_name(__u32 reason);

struct tpz_state vcpu_get(struct vcpu *vcpu, __u64 groups);
void vcpu_set(struct vcpu *vcpu, struct tpz_state *state);

/* Sets the handler of a vector in the 64-bit guest, for this case */
#ifdef __x86_64__
void guest_on(__u8 vector, guest_handler handler);
#endif

/* ---- meters */

struct meters {
	const volatile struct tpz_vm_meters *vm;	/* the first page; the vCPUs' follow */
	size_t bytes;
	int fd;
};

/* Opens and maps the meters of a VM, with the vCPUs that it has now */
struct meters meters_open(__u64 id);
/* A consistent copy of a vCPU's page */
struct tpz_vcpu_meters meters_read(const struct meters *meters, __u32 vcpu);
/* Exits of the guest's own making: all but those of the host's interrupts and NMIs, which come as they like */
__u64 meters_own_exits(const struct tpz_vcpu_meters *m);
/* The number of VMs alive */
int vms_alive(void);

/* ---- the module */

/* Loads the module with parameters, or unloads it: 0 or -1 and errno. What was loaded before is back at the end */
int module_load(const char *parameters);
int module_unload(void);
bool module_loaded(void);
/* Unloads, loads with @parameters for this case, and goes back at its end */
void module_reload(const char *parameters);

/* ---- little helpers */

/* Lets the calling thread run on @cpu alone */
void run_on_cpu(int cpu);
void run_on_any_cpu(void *unused);		/* again: for ktap_defer() */
int cpus_online(void);
/* The kernel's log from here on, closed at the end of the case; and how many lines with @words came since the last count */
int kernel_log(void);
unsigned int kernel_log_count(int log, const char *words);
/* Reads a number from a file of /sys or /proc; -1 if there is none */
long long read_number(const char *path);

#endif /* TRAPEZE_VM_H */
