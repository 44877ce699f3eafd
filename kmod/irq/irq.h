/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt controllers: the local APIC (x2APIC or xAPIC mode) of each vCPU, and the 8259 pair of the VM.
 *
 * Users of an interrupt: tpz_apic_pending() says what could be delivered now, tpz_apic_accept() takes it (IRR to
 * ISR, or the 8259's acknowledge cycle for an ExtINT through LINT0). An interrupt that arrives sets TPZ_REQ_EVENT
 * and kicks the vCPU (tpz_request()); so does everything that may make a waiting one deliverable (EOI, TPR).
 *
 * A VM may lack either: v->apic and vm->pic are NULL then, and every function here but CR8's knows.
 */
#ifndef TPZ_IRQ_H
#define TPZ_IRQ_H

#include "../cpu/cpu.h"

/**
 * tpz_apic_create() - a local APIC after reset, in xAPIC mode (SDM vol. 3A, .4.7.1); nothing without TPZ_DEVICE_LAPIC
 *
 * Where the VM has the 8259 pair, LINT0 of vCPU 0 starts as firmware leaves it: ExtINT, unmasked ("virtual wire"); it
 * counts once the guest routes the pair's INTR there (tpz_pic_direct()).
 * Return: 0; -ENOMEM; -ENODEV: the host does not know its TSC's frequency. May sleep.
 */
int tpz_apic_create(struct tpz_vcpu *v);
void tpz_apic_destroy(struct tpz_vcpu *v);	/* cancels the timer; may sleep */

/* Delivery modes, as the ICR, the I/O APIC's entries and MSI data number them (SDM vol. 3A, .6.1) */
enum tpz_irq_mode {
	TPZ_IRQ_FIXED = 0,
	TPZ_IRQ_LOWEST = 1,
	TPZ_IRQ_SMI = 2,
	TPZ_IRQ_NMI = 4,
	TPZ_IRQ_INIT = 5,
	TPZ_IRQ_STARTUP = 6,	/* the ICR's alone */
	TPZ_IRQ_EXTINT = 7,
};

/* The ICR's shorthands, as it numbers them */
enum tpz_irq_to { TPZ_IRQ_TO_ONE, TPZ_IRQ_TO_SELF, TPZ_IRQ_TO_ALL, TPZ_IRQ_TO_OTHERS };

#define TPZ_IRQ_BROADCAST	U32_MAX

/**
 * struct tpz_irq_message - an interrupt message, whoever sends it
 * @destination: a local APIC's ID; with @logical a set of them. TPZ_IRQ_BROADCAST: all. Who has a destination of 8 bits
 *	(I/O APIC, MSI) passes 0xff as TPZ_IRQ_BROADCAST
 * @level: level-triggered: its EOI goes to tpz_ioapic_eoi()
 * @mode: enum tpz_irq_mode
 * @to: enum tpz_irq_to; but for TPZ_IRQ_TO_ONE @destination does not count
 * @from: whose ICR; NULL for others
 */
struct tpz_irq_message {
	u32 destination;
	bool logical;
	bool level;
	u8 mode;
	u8 vector;
	u8 to;
	const struct tpz_vcpu *from;
};

/**
 * tpz_irq_deliver() - bring a message to the local APICs that it is for
 *
 * SMI goes nowhere: there is no SMM. Nor does ExtINT: the 8259's output is looked at, not sent (tpz_apic_pending()).
 * Return: the number of vCPUs that took it. Context: any, hard interrupts included; takes no lock.
 */
int tpz_irq_deliver(struct tpz_vm *vm, const struct tpz_irq_message *m);

/**
 * tpz_irq_deliver_set() - the same for local APICs named one by one
 * @ids: a bit for each identifier; those that are not there take nothing
 * @m: its destination does not count; TPZ_IRQ_FIXED or TPZ_IRQ_NMI
 */
int tpz_irq_deliver_set(struct tpz_vm *vm, u64 ids, const struct tpz_irq_message *m);

/**
 * tpz_ioapic_eoi() - a vCPU has ended the level-triggered interrupt @vector. Context: the vCPU's thread
 */
void tpz_ioapic_eoi(struct tpz_vm *vm, u32 vector);

/**
 * tpz_apic_mmio() - an access to the local APIC's page, in xAPIC mode
 * Return: true if it was one; false: nothing of ours stands there. Context: the vCPU's thread, interrupts on or off.
 */
bool tpz_apic_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data);

/**
 * tpz_apic_init() - what INIT does to the local APIC: all as after reset, but for its mode. Context: the vCPU's thread
 */
void tpz_apic_init(struct tpz_vcpu *v);

/**
 * tpz_apic_pending() - the vector of the interrupt that this vCPU would take if RFLAGS.IF were set
 * Return: 0 to 255, or -1. Context: any, also from other CPUs; does not sleep, does not disturb anything.
 */
int tpz_apic_pending(struct tpz_vcpu *v);

/**
 * tpz_apic_accept() - the vCPU takes the interrupt: acknowledge it at its controller
 * Return: the vector, or -1 if it went away. Context: the vCPU's thread, interrupts off.
 */
int tpz_apic_accept(struct tpz_vcpu *v);

/**
 * tpz_apic_sole_edge() - is one interrupt in service, edge-triggered, and does none wait? Then its end matters to nobody
 * but the local APIC, and only before the next one comes. Context: the vCPU's thread
 */
bool tpz_apic_sole_edge(const struct tpz_vcpu *v);

/* The guest has ended the interrupt in service, otherwise than by its EOI register. Context: the vCPU's thread */
void tpz_apic_ended(struct tpz_vcpu *v);

/* CR8 is a window on the task priority. For a vCPU that has a local APIC */
void tpz_apic_set_cr8(struct tpz_vcpu *v);

/**
 * tpz_apic_check_base() - may IA32_APIC_BASE have this value in a state that user space sets? 0 or -EINVAL
 * The guest's own write has stricter rules (tpz_apic_msrs).
 */
int tpz_apic_check_base(const struct tpz_vcpu *v, u64 value);

/**
 * tpz_apic_tsc_moved() - v->tsc_offset has changed: an armed TSC deadline follows. Context: the vCPU's thread
 */
void tpz_apic_tsc_moved(struct tpz_vcpu *v);

/**
 * tpz_apic_lint0_rises() - the 8259's INTR, wired to vCPU 0's LINT0, rises. Context: any
 */
void tpz_apic_lint0_rises(struct tpz_vcpu *v);

/* State group TPZ_STATE_LAPIC. @bad: which field, in words */
void tpz_apic_get_state(struct tpz_vcpu *v, struct tpz_lapic *st);
int tpz_apic_check_state(const struct tpz_vcpu *v, const struct tpz_lapic *st, char *bad, size_t bad_bytes);
void tpz_apic_set_state(struct tpz_vcpu *v, const struct tpz_lapic *st);

/* The 8259 pair; tpz_pic_create() does nothing without TPZ_DEVICE_PIC */
int tpz_pic_create(struct tpz_vm *vm);
void tpz_pic_destroy(struct tpz_vm *vm);
void tpz_pic_set_line(struct tpz_vm *vm, unsigned int line, bool level);	/* any context */
bool tpz_pic_direct(struct tpz_vm *vm);		/* INTR goes past vCPU 0's local APIC (IMCR: pic.c) */
int tpz_pic_pending(struct tpz_vm *vm);		/* does the master assert INTR: 1 or 0 */
int tpz_pic_vector(struct tpz_vm *vm);		/* what tpz_pic_accept() would answer now; disturbs nothing */
int tpz_pic_accept(struct tpz_vm *vm);		/* the acknowledge cycle: the vector (spurious: IRQ 7's) */

/**
 * tpz_pic_port() - an access to 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1; and 0x22, 0x23, the IMCR (pic.c)
 * Return: true if it was one of the VM's 8259 ports. Context: the vCPU's thread, interrupts on or off.
 */
bool tpz_pic_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value);

/* ---- ioapic.c; tpz_ioapic_create() does nothing without TPZ_DEVICE_IOAPIC */

#define TPZ_IRQ_LINES	24

int tpz_ioapic_create(struct tpz_vm *vm);
void tpz_ioapic_destroy(struct tpz_vm *vm);

/**
 * tpz_irq_check_line() - does an interrupt line have an end?
 * Return: 0; -ENXIO: the VM has neither controller; -EINVAL: no such line (2 is the 8259 pair's own cascade).
 */
int tpz_irq_check_line(const struct tpz_vm *vm, u32 line);

/**
 * tpz_irq_set_line() - drive a line: an input of the 8259 pair (0 to 15) and a pin of the I/O APIC, the timer's line 0
 *	being pin 2 and all others their own
 * @line: checked before
 *
 * A line is one wire: whoever drives it last says what it is.
 * Context: any.
 */
void tpz_irq_set_line(struct tpz_vm *vm, u32 line, bool level);

/**
 * tpz_ioapic_mmio() - an access to the I/O APIC's page; aligned 32-bit accesses have an effect, others read as 0
 * @data: @bytes, in or out
 * Return: true if it was there. Context: the vCPU's thread, interrupts on or off.
 */
bool tpz_ioapic_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data);

/* Return: 0; -EINVAL: a message that is none. -ENXIO: nobody can take one. tpz_msi_message() fills @m */
int tpz_msi_message(const struct tpz_vm *vm, u64 address, u32 data, struct tpz_irq_message *m);

/* ---- pit.c; tpz_pit_create() does nothing without TPZ_DEVICE_PIT. Destroyed before the controllers */
int tpz_pit_create(struct tpz_vm *vm);
void tpz_pit_destroy(struct tpz_vm *vm);	/* may sleep */
bool tpz_pit_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value);	/* as tpz_pic_port(): 0x40 to 0x43, 0x61 */

/* ---- eventfd.c */

int tpz_events_create(struct tpz_vm *vm);
void tpz_events_destroy(struct tpz_vm *vm);	/* before the controllers. May sleep */

/**
 * struct tpz_irqfd_options - what an eventfd's signal becomes, checked
 * @msi: @message is sent; else a pulse on @line, or with @resample_fd a level that the guest's EOI lowers
 * @resample_fd: or -1
 */
struct tpz_irqfd_options {
	bool msi;
	struct tpz_irq_message message;
	u32 line;
	int resample_fd;
};

/**
 * tpz_irqfd_set() - signals of the eventfd become interrupts, or other ones
 * Return: 0; -EBADF, -EINVAL: not an eventfd; -EEXIST: it is there and has, or would get, a resample eventfd; -ENOSPC;
 *	-ENOMEM. May sleep.
 */
int tpz_irqfd_set(struct tpz_vm *vm, int fd, const struct tpz_irqfd_options *o);
int tpz_irqfd_remove(struct tpz_vm *vm, int fd);	/* -ENOENT */

/**
 * tpz_irq_ended() - the guest has ended level-triggered interrupts: lines with a resample eventfd fall, and it is told
 * @lines: a bit for each
 * Context: the vCPU's thread, interrupts on or off; no lock of ours.
 */
void tpz_irq_ended(struct tpz_vm *vm, u32 lines);

/**
 * struct tpz_ioeventfd_options - writes that signal an eventfd
 * @bytes: their width; 0: any
 */
struct tpz_ioeventfd_options {
	bool port;
	bool match;
	u8 bytes;
	u64 address;
	u64 data;
};

/* Return: 0; -EBADF, -EINVAL; -EEXIST: a write could mean two of them; -ENOENT; -ENOSPC; -ENOMEM. May sleep */
int tpz_ioeventfd_add(struct tpz_vm *vm, int fd, const struct tpz_ioeventfd_options *o);
int tpz_ioeventfd_remove(struct tpz_vm *vm, int fd, const struct tpz_ioeventfd_options *o);

/**
 * tpz_ioeventfd_port() - a guest's write to a port, and tpz_ioeventfd_mmio() one to memory that is none
 * Return: true: an eventfd has been signalled, and nobody else needs to know. Context: the vCPU's thread; interrupts off
 * too, but on a PREEMPT_RT host.
 */
bool tpz_ioeventfd_port(struct tpz_vcpu *v, u16 port, unsigned int bytes, const void *data);
bool tpz_ioeventfd_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data);

/* ---- vm_state.c: 0; -EINVAL with st->bad_group and st->bad_field. Context: may sleep */
int tpz_vm_state_get(struct tpz_vm *vm, struct tpz_vm_state *st);
int tpz_vm_state_set(struct tpz_vm *vm, struct tpz_vm_state *st);

/* The controllers' own parts of it. Checked before set; @bad: which field, in words */
void tpz_ioapic_get_state(struct tpz_vm *vm, struct tpz_ioapic_state *st);
const char *tpz_ioapic_check_state(const struct tpz_ioapic_state *st);
void tpz_ioapic_set_state(struct tpz_vm *vm, const struct tpz_ioapic_state *st);
void tpz_pic_get_state(struct tpz_vm *vm, struct tpz_pic_state *st);
const char *tpz_pic_check_state(const struct tpz_pic_state *st);
void tpz_pic_set_state(struct tpz_vm *vm, const struct tpz_pic_state *st);
void tpz_pit_get_state(struct tpz_vm *vm, struct tpz_pit_state *st);
const char *tpz_pit_check_state(const struct tpz_pit_state *st);
void tpz_pit_set_state(struct tpz_vm *vm, const struct tpz_pit_state *st);

#endif /* TPZ_IRQ_H */
