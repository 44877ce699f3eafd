/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libtrapeze: a thin C library over the ioctl ABI of Trapeze (linux/trapeze.h).
 *
 * Three objects, as in the ABI: the device (a plain file descriptor), a VM, a vCPU; and the meters of any
 * VM. Every function that can fail returns a negative errno value, and then tpz_error() is one sentence
 * that says what failed and, where that is known, what to do about it. Nothing here keeps global state
 * besides that sentence, which is the thread's own; nothing prints, nothing exits.
 *
 *	int dev = tpz_open();
 *	struct tpz_vm vm;
 *	struct tpz_vcpu vcpu;
 *
 *	if (dev < 0 || tpz_vm_create(dev, TPZ_DEVICES_PC, &vm) || tpz_vcpu_create(&vm, 0, &vcpu))
 *		errx(1, "%s", tpz_error());
 */
#ifndef LIBTRAPEZE_H
#define LIBTRAPEZE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/trapeze.h>

#define TPZ_DEVICE_PATH	"/dev/trapeze"

/* ------------------------------------------------------------------ the device: device.c */

/**
 * tpz_error() - the sentence about the calling thread's last failure in this library
 */
const char *tpz_error(void);

/**
 * tpz_open() - open /dev/trapeze
 * @return a file descriptor (close-on-exec), or a negative errno value
 */
int tpz_open(void);

/**
 * tpz_get_info() - what the module is and can do here
 * @return 0 or a negative errno value; -EPROTO: the module speaks another version of the ABI
 */
int tpz_get_info(int dev, struct tpz_info *info);

/**
 * tpz_get_feature() - feature number @index (0 to tpz_info.feature_count - 1)
 * @return 0 or a negative errno value
 */
int tpz_get_feature(int dev, uint32_t index, struct tpz_feature *feature);

/**
 * tpz_list_vms() - the VMs that the caller may watch
 * @entries: an array that the caller frees with free()
 * @return the number of VMs in it, or a negative errno value
 */
int tpz_list_vms(int dev, struct tpz_vm_entry **entries);

/**
 * tpz_exit_name() - the name of an exit reason in reports ("io", "cpuid"), or NULL for a gap in the numbers
 */
const char *tpz_exit_name(uint32_t reason);

/* ------------------------------------------------------------------ a VM and its memory: vm.c */

/**
 * struct tpz_vm - a VM
 * @queue: writes that cost no exit (tpz_vm_take_write()); NULL until it is needed
 */
struct tpz_vm {
	int fd;
	uint64_t id;
	struct tpz_queue *queue;
};

/**
 * tpz_vm_create() - create a VM with @devices (TPZ_DEVICE_*)
 */
int tpz_vm_create(int dev, uint64_t devices, struct tpz_vm *vm);

/**
 * tpz_vm_create_with() - create a VM with all that struct tpz_create_vm offers
 * @config: size and flags are filled in here; id is written
 */
int tpz_vm_create_with(int dev, struct tpz_create_vm *config, struct tpz_vm *vm);

/**
 * tpz_vm_close() - close the VM's file; the VM ends when its vCPUs are closed too
 */
void tpz_vm_close(struct tpz_vm *vm);

/**
 * tpz_vm_set_slot() - the launcher's memory at @addr becomes the guest's at @gpa; @bytes 0 removes the slot
 * @flags: TPZ_SLOT_*
 */
int tpz_vm_set_slot(const struct tpz_vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, void *addr,
		    uint64_t bytes);

/**
 * tpz_vm_irq_line() - drive input @line of the 8259 pair to @level
 */
int tpz_vm_irq_line(const struct tpz_vm *vm, uint32_t line, int level);

/**
 * tpz_vm_send_msi() - send a message-signalled interrupt
 * @return the number of vCPUs that took it, or a negative errno value
 */
int tpz_vm_send_msi(const struct tpz_vm *vm, uint64_t address, uint32_t data);

/**
 * tpz_vm_irqfd_msi() - from now on each signal of the eventfd @fd is this message
 */
int tpz_vm_irqfd_msi(const struct tpz_vm *vm, int fd, uint64_t address, uint32_t data);

/**
 * tpz_vm_ioeventfd() - from now on (or, @remove, no more) the guest's writes of any width at @gpa signal @fd
 */
int tpz_vm_ioeventfd(const struct tpz_vm *vm, uint64_t gpa, int fd, int remove);

/**
 * tpz_vm_coalesce() - from now on the guest's writes to these addresses (or ports) are queued for tpz_vm_take_write()
 */
int tpz_vm_coalesce(struct tpz_vm *vm, int port, uint64_t address, uint64_t bytes);

/**
 * tpz_vm_set_scanned() - the launcher's memory at @addr becomes the guest's at @gpa; what the guest writes there is found by
 * looking every @scan_us microseconds, and comes by tpz_vm_take_write() (TPZ_SLOT_SCANNED)
 */
int tpz_vm_set_scanned(struct tpz_vm *vm, uint32_t slot, uint64_t gpa, void *addr, uint64_t bytes, uint32_t scan_us);

/**
 * tpz_vm_take_write() - the oldest write that was queued
 *
 * They come before the exit that tpz_vcpu_run() reports: take them all first. One thread at a time.
 * @return 1: @write is filled; 0: there is none
 */
int tpz_vm_take_write(const struct tpz_vm *vm, struct tpz_queued_write *write);

enum tpz_mem_kind {
	TPZ_MEM_ANON,		/* private anonymous memory; transparent huge pages if the host has them */
	TPZ_MEM_MEMFD,		/* a sealed-size memory file, shareable by its descriptor */
	TPZ_MEM_HUGETLB,	/* reserved 2 MiB pages; fails now rather than by SIGBUS later */
};

struct tpz_mem {
	void *addr;
	size_t bytes;
	int fd;			/* the memory file, or -1 */
};

/**
 * tpz_mem_alloc() - map zeroed memory for a slot, aligned to 2 MiB so that large leaves can back it
 */
int tpz_mem_alloc(struct tpz_mem *mem, enum tpz_mem_kind kind, size_t bytes);
void tpz_mem_free(struct tpz_mem *mem);

/* ------------------------------------------------------------------ a vCPU: vcpu.c */

/**
 * struct tpz_vcpu - a vCPU and its run page
 * @run: the exit record, and immediate_exit
 * @data: the data of port reads and writes (TPZ_RUN_DATA_BYTES)
 */
struct tpz_vcpu {
	int fd;
	struct tpz_run *run;
	void *data;
};

int tpz_vcpu_create(const struct tpz_vm *vm, uint32_t id, struct tpz_vcpu *vcpu);
void tpz_vcpu_close(struct tpz_vcpu *vcpu);

/**
 * tpz_vcpu_run() - run the guest until something for user space to do; @vcpu->run says what
 * @return 0, or a negative errno value; -EINTR (a signal came, or immediate_exit was set) is no failure
 */
int tpz_vcpu_run(const struct tpz_vcpu *vcpu);

/**
 * tpz_vcpu_stop() - make TPZ_RUN return soon, now or at its next call; for other threads and signal handlers
 *
 * Only half of it: a thread that is inside the guest also needs a signal that it does not block.
 */
void tpz_vcpu_stop(const struct tpz_vcpu *vcpu);

/**
 * tpz_vcpu_get_state() - read @groups (TPZ_STATE_*) into @state, and name them in @state->groups
 *
 * Only the groups asked for are written, so groups can be collected by several calls. For TPZ_STATE_FPU
 * the caller sets @state->fpu and @state->fpu_bytes first.
 */
int tpz_vcpu_get_state(const struct tpz_vcpu *vcpu, uint64_t groups, struct tpz_state *state);

/**
 * tpz_vcpu_set_state() - set @groups from @state; all or none
 * @return 0 or a negative errno value; tpz_error() then names the field and the rule it breaks
 */
int tpz_vcpu_set_state(const struct tpz_vcpu *vcpu, uint64_t groups, struct tpz_state *state);

/**
 * tpz_vcpu_get_cpuid() - what the guest's CPUID answers
 * @entries: an array that the caller frees with free()
 * @return the number of entries, or a negative errno value
 */
int tpz_vcpu_get_cpuid(const struct tpz_vcpu *vcpu, struct tpz_cpuid_entry **entries);

/**
 * tpz_vcpu_poke() - write a raw VMCS field for the next entry (module parameter test=1)
 */
int tpz_vcpu_poke(const struct tpz_vcpu *vcpu, uint32_t field, uint64_t value);

/* ------------------------------------------------------------------ whole processor modes: state.c */

/*
 * Each prepares the groups REGS, SEGMENTS and CONTROL of @state, which must have been read before, for a
 * start at the given place: all general registers 0, interrupts off, flat segments, a busy TSS, no LDT, empty
 * GDT and IDT. The caller may change what it likes, then set all three groups in one call.
 */
#define TPZ_STATE_MODE	(TPZ_STATE_REGS | TPZ_STATE_SEGMENTS | TPZ_STATE_CONTROL)

/* 16-bit real mode at @cs:@ip */
void tpz_state_real(struct tpz_state *state, uint16_t cs, uint16_t ip);

/* 32-bit protected mode without paging */
void tpz_state_protected(struct tpz_state *state, uint16_t cs, uint16_t ds, uint32_t eip);

/* 64-bit mode with the page table at @cr3 */
void tpz_state_long(struct tpz_state *state, uint16_t cs, uint16_t ds, uint64_t rip, uint64_t cr3);

/* ------------------------------------------------------------------ meters: meters.c */

struct tpz_meters {
	int fd;
	const void *map;
	size_t bytes;
};

/**
 * tpz_meters_open() - open the meters of VM @id; they stay readable after its end and never hold it
 */
int tpz_meters_open(int dev, uint64_t id, struct tpz_meters *meters);
void tpz_meters_close(struct tpz_meters *meters);

/**
 * tpz_meters_vm() - copy the VM's own meters; makes no system call
 */
void tpz_meters_vm(const struct tpz_meters *meters, struct tpz_vm_meters *vm);

/**
 * tpz_meters_vcpu() - copy the meters of the vCPU on page @index (0 to tpz_vm_meters.vcpus - 1), all of one moment
 * @return 0; -EAGAIN: the writer never stood still (the copy is then torn); -ENOENT: no such page;
 *	another negative errno value: the page could not be mapped (done once for each new vCPU)
 */
int tpz_meters_vcpu(struct tpz_meters *meters, uint32_t index, struct tpz_vcpu_meters *vcpu);

/**
 * tpz_meters_add() - add @vcpu's figures to @total: a VM's total is the sum over its vCPUs
 */
void tpz_meters_add(struct tpz_vcpu_meters *total, const struct tpz_vcpu_meters *vcpu);

#endif /* LIBTRAPEZE_H */
