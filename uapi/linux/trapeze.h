/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ioctl ABI of Trapeze, version 1: everything that a launcher or a monitor sees.
 *
 * Three kinds of file: the device (/dev/trapeze), a VM, a vCPU; and the read-only meter file. Closing
 * the files is always enough to end a VM. Each ioctl struct starts with @size (sizeof the caller's
 * struct) and @flags, and is copied as clone3() does: a shorter struct reads as zero beyond its end, a
 * longer one is accepted if its tail is zero (-E2BIG otherwise); unknown flags are -EINVAL. On output
 * the kernel writes the smaller of both sizes, and its own size into @size.
 *
 * Layout is the same for 32-bit and 64-bit launchers: fixed-width fields, padded by hand; a pointer
 * travels as __u64. Documentation/abi.md is the reference.
 */
#ifndef _UAPI_LINUX_TRAPEZE_H
#define _UAPI_LINUX_TRAPEZE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TPZ_ABI_VERSION		1

/*
 * A struct may grow without changing its ioctl's number, so the number carries no size.
 */
#define TPZ_IOC(nr)		_IO('Z', nr)

/* On /dev/trapeze */
#define TPZ_GET_INFO		TPZ_IOC(0x00)	/* struct tpz_info */
#define TPZ_GET_FEATURE		TPZ_IOC(0x01)	/* struct tpz_feature */
#define TPZ_CREATE_VM		TPZ_IOC(0x02)	/* struct tpz_create_vm; returns the VM's file */
#define TPZ_LIST_VMS		TPZ_IOC(0x03)	/* struct tpz_list_vms; returns the number of VMs */
#define TPZ_OPEN_METERS		TPZ_IOC(0x04)	/* struct tpz_open_meters; returns a meter file */

/* On a VM file */
#define TPZ_SET_SLOT		TPZ_IOC(0x20)	/* struct tpz_slot */
#define TPZ_CREATE_VCPU		TPZ_IOC(0x21)	/* struct tpz_create_vcpu; returns the vCPU's file */
#define TPZ_IRQ_LINE		TPZ_IOC(0x22)	/* struct tpz_irq_line */
#define TPZ_SEND_MSI		TPZ_IOC(0x23)	/* struct tpz_msi; returns the number of vCPUs that took it */
#define TPZ_SET_IRQFD		TPZ_IOC(0x24)	/* struct tpz_irqfd */
#define TPZ_SET_IOEVENTFD	TPZ_IOC(0x25)	/* struct tpz_ioeventfd */
#define TPZ_GET_VM_STATE	TPZ_IOC(0x26)	/* struct tpz_vm_state */
#define TPZ_SET_VM_STATE	TPZ_IOC(0x27)	/* struct tpz_vm_state */
#define TPZ_SET_COALESCED	TPZ_IOC(0x28)	/* struct tpz_coalesced */

/* On a vCPU file */
#define TPZ_RUN			TPZ_IOC(0x40)	/* no struct: the run page carries everything */
#define TPZ_GET_STATE		TPZ_IOC(0x41)	/* struct tpz_state */
#define TPZ_SET_STATE		TPZ_IOC(0x42)	/* struct tpz_state */
#define TPZ_GET_CPUID		TPZ_IOC(0x43)	/* struct tpz_cpuid */
#define TPZ_POKE		TPZ_IOC(0x4f)	/* struct tpz_poke; module parameter test=1 only */

/*
 * What a guest's trap was, whichever vendor's CPU took it. X(number, NAME, "name in reports")
 * Numbers are ABI; gaps are for reasons to come.
 */
#define TPZ_EXIT_REASONS(X)				\
	X(0,  UNKNOWN,		"unknown")		\
	X(1,  EXCEPTION,	"exception")		\
	X(2,  HOST_INTERRUPT,	"host-interrupt")	\
	X(3,  HOST_NMI,		"host-nmi")		\
	X(4,  MACHINE_CHECK,	"machine-check")	\
	X(5,  TRIPLE_FAULT,	"triple-fault")		\
	X(6,  INIT,		"init")			\
	X(7,  SIPI,		"sipi")			\
	X(8,  SMI,		"smi")			\
	X(9,  INTR_WINDOW,	"interrupt-window")	\
	X(10, NMI_WINDOW,	"nmi-window")		\
	X(11, TASK_SWITCH,	"task-switch")		\
	X(12, CPUID,		"cpuid")		\
	X(13, HLT,		"hlt")			\
	X(14, INVD,		"invd")			\
	X(15, WBINVD,		"wbinvd")		\
	X(16, INVLPG,		"invlpg")		\
	X(17, INVPCID,		"invpcid")		\
	X(18, RDPMC,		"rdpmc")		\
	X(19, RDTSC,		"rdtsc")		\
	X(20, RDTSCP,		"rdtscp")		\
	X(21, RSM,		"rsm")			\
	X(22, HYPERCALL,	"hypercall")		\
	X(23, VIRT_INSN,	"virtualization-instruction") \
	X(24, CR,		"control-register")	\
	X(25, DR,		"debug-register")	\
	X(26, IO,		"io")			\
	X(27, MSR_READ,		"msr-read")		\
	X(28, MSR_WRITE,	"msr-write")		\
	X(29, ENTRY_FAILED,	"entry-failed")		\
	X(30, MWAIT,		"mwait")		\
	X(31, MONITOR,		"monitor")		\
	X(32, PAUSE,		"pause")		\
	X(33, SINGLE_STEP,	"single-step")		\
	X(34, TPR,		"tpr-below-threshold")	\
	X(35, APIC_ACCESS,	"apic-access")		\
	X(36, APIC_EOI,		"apic-eoi")		\
	X(37, APIC_WRITE,	"apic-write")		\
	X(38, DT_ACCESS,	"descriptor-table-access") \
	X(39, NPF,		"nested-page-fault")	\
	X(40, NPF_MISCONFIG,	"nested-page-misconfiguration") \
	X(41, XSETBV,		"xsetbv")		\
	X(42, RDRAND,		"rdrand")		\
	X(43, RDSEED,		"rdseed")		\
	X(44, XSAVES,		"xsaves")		\
	X(45, PML_FULL,		"page-log-full")	\
	X(46, TIMER,		"preemption-timer")	\
	X(47, GETSEC,		"getsec")		\
	X(48, ENCLS,		"encls")		\
	X(49, VMFUNC,		"vmfunc")		\
	X(50, UMWAIT,		"umwait")		\
	X(51, BUS_LOCK,		"bus-lock")		\
	X(52, NOTIFY,		"notify")		\
	X(53, OTHER,		"other")		\
	X(54, RDPRU,		"rdpru")		\
	X(55, MCOMMIT,		"mcommit")		\
	X(56, INVLPGB,		"invlpgb")	/* and TLBSYNC */ \
	X(57, IRET,		"iret")		/* of an NMI handler */ \
	/* What only the run page reports: no trap of its own */ \
	X(59, MMIO,		"mmio")			\
	X(60, INTERRUPTED,	"interrupted")		\
	X(61, MEMORY,		"unbacked-memory")	\
	X(62, DEAD,		"dead")			\
	X(63, SCANNED,		"scanned")

#define TPZ_EXIT_ENUM(nr, name, text)	TPZ_EXIT_##name = nr,
enum tpz_exit_reason {
	TPZ_EXIT_REASONS(TPZ_EXIT_ENUM)
};
#define TPZ_EXIT_COUNT		64

/* ------------------------------------------------------------------ the device */

enum tpz_backend {
	TPZ_BACKEND_VMX = 1,
	TPZ_BACKEND_SVM = 2,
};

/**
 * struct tpz_info - TPZ_GET_INFO: what this module is and can do here
 */
struct tpz_info {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u32 abi_version;	/* TPZ_ABI_VERSION */
	__u32 backend;		/* enum tpz_backend */
	__u32 run_bytes;	/* bytes to mmap() of a vCPU file */
	__u32 meter_page_bytes;	/* bytes of one page of a meter file */
	__u32 max_vcpus;	/* per VM */
	__u32 max_slots;	/* per VM */
	__u32 phys_bits;	/* width of a guest-physical address */
	__u32 tsc_khz;		/* the unit of every cycle count */
	__u32 vms;		/* alive now */
	__u32 cpus_on;		/* CPUs in VMX operation (EFER.SVME set) now */
	__u32 xsave_bytes;	/* size of the FPU state group */
	__u32 feature_count;	/* TPZ_GET_FEATURE's index runs from 0 to this - 1 */
	char module_version[16];
};

enum tpz_feature_state {
	TPZ_FEATURE_ABSENT = 0,
	TPZ_FEATURE_PRESENT = 1,	/* there, and used */
	TPZ_FEATURE_UNUSED = 2,		/* the CPU has it; this module does not use it */
};

/**
 * struct tpz_feature - TPZ_GET_FEATURE: one line of what host and module can do
 * @index: in: which (-ENOENT beyond the last)
 */
struct tpz_feature {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u32 index;
	__u32 state;		/* enum tpz_feature_state */
	char name[40];
	char why[120];		/* why it is absent or unused; else what it gives */
};

/* What a VM is created with besides memory and vCPUs */
#define TPZ_DEVICE_LAPIC	(1ULL << 0)	/* a local APIC (x2APIC) in each vCPU; HLT sleeps in the kernel */
#define TPZ_DEVICE_PIC		(1ULL << 1)	/* the 8259 pair, by ports; needs TPZ_DEVICE_LAPIC */
#define TPZ_DEVICE_KVMCLOCK	(1ULL << 2)	/* KVM's CPUID signature and its clock */
#define TPZ_DEVICE_IOAPIC	(1ULL << 3)	/* an I/O APIC of 24 pins at 0xfec00000; needs TPZ_DEVICE_LAPIC */
#define TPZ_DEVICE_PIT		(1ULL << 4)	/* the 8254 and its speaker port; needs TPZ_DEVICE_PIC or TPZ_DEVICE_IOAPIC */
#define TPZ_DEVICES_PC		(TPZ_DEVICE_LAPIC | TPZ_DEVICE_PIC | TPZ_DEVICE_KVMCLOCK)

/* Traps that are off unless asked for; the guest sees no difference, the meters do */
#define TPZ_TRAP_DT		(1ULL << 0)	/* SGDT SIDT SLDT STR LGDT LIDT LLDT LTR */
#define TPZ_TRAP_CR3		(1ULL << 1)	/* MOV to and from CR3 */
#define TPZ_TRAP_INVLPG		(1ULL << 2)	/* INVLPG, INVPCID */
#define TPZ_TRAP_TSC		(1ULL << 3)	/* RDTSC, RDTSCP */
#define TPZ_TRAP_PAUSE		(1ULL << 4)	/* PAUSE */
#define TPZ_TRAP_INT3		(1ULL << 5)	/* INT3: #BP is delivered by the module */
#define TPZ_TRAP_PF		(1ULL << 6)	/* #PF: delivered by the module */
#define TPZ_TRAP_UD		(1ULL << 7)	/* #UD: delivered by the module */
#define TPZ_TRAP_RDRAND		(1ULL << 8)	/* RDRAND, RDSEED */
#define TPZ_TRAP_TIMER		(1ULL << 9)	/* the preemption timer ticks (see struct tpz_create_vm) */
#define TPZ_TRAP_STEP		(1ULL << 10)	/* each instruction (monitor trap flag): to user space */
#define TPZ_TRAPS_ALL		((1ULL << 11) - 1)

#define TPZ_VM_NO_HYPERVISOR	(1U << 0)	/* CPUID tells of no hypervisor: neither bit nor leaves; not with KVMCLOCK */

/**
 * struct tpz_create_vm - TPZ_CREATE_VM
 * @flags: TPZ_VM_*
 * @devices: TPZ_DEVICE_*
 * @traps: TPZ_TRAP_*; -EOPNOTSUPP where the CPU lacks one
 * @timer_cycles: with TPZ_TRAP_TIMER: guest TSC cycles between two ticks; 1 to 2^32-1
 * @sockets: with @cores in each and @threads in each of these: the topology that CPUID tells. An APIC identifier is the
 *	number of socket, core and thread, each in as many bits as the largest needs; no other vCPU can be created. All three
 *	0: every vCPU is a socket of its own
 */
struct tpz_create_vm {
	__u32 size;
	__u32 flags;
	__u64 devices;
	__u64 traps;
	__u64 timer_cycles;
	__u64 id;		/* out: the VM's number, never used again while the module is loaded */
	__u32 sockets;
	__u32 cores;
	__u32 threads;
	__u32 pad;
};

/**
 * struct tpz_vm_entry - one VM in the answer of TPZ_LIST_VMS
 */
struct tpz_vm_entry {
	__u64 id;
	__u32 pid;		/* the launcher, in the caller's pid namespace; 0: not visible from here */
	__u32 uid;
	__u32 vcpus;
	__u32 pad;
	char comm[16];
};

/**
 * struct tpz_list_vms - TPZ_LIST_VMS: the VMs that the caller may watch (own user, or CAP_SYS_ADMIN)
 * @entries: user address of an array of struct tpz_vm_entry
 * @capacity: its length; what does not fit is left out, and the return value still counts it
 */
struct tpz_list_vms {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 entries;
	__u32 capacity;
	__u32 entry_bytes;	/* sizeof(struct tpz_vm_entry) of the caller */
};

/**
 * struct tpz_open_meters - TPZ_OPEN_METERS: a read-only file that outlives the VM and never holds it
 */
struct tpz_open_meters {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 id;
};

/* ------------------------------------------------------------------ a VM */

#define TPZ_SLOT_READONLY	(1U << 0)	/* a guest's write exits with TPZ_EXIT_MMIO */
#define TPZ_SLOT_SCANNED	(1U << 1)	/* the guest's writes are found by looking; not with TPZ_SLOT_READONLY */

#define TPZ_SCANNED_PAGES	64		/* at most, in one slot */

/**
 * struct tpz_slot - TPZ_SET_SLOT: the launcher's memory at [uaddr, uaddr + bytes) is the guest's at @gpa
 * @slot: 0 to tpz_info.max_slots - 1
 * @scan_us: with TPZ_SLOT_SCANNED: microseconds between two looks while a guest runs, 100 to 1,000,000; else 0
 * @bytes: page-aligned, as @gpa and @uaddr are; 0 removes the slot
 *
 * A scanned slot is registers in memory: the guest reads and writes without an exit. At each look, when the guest halts, and
 * before any exit to user space, 32-bit words of it that are not what they were at the last look are put into struct tpz_queue
 * (TPZ_QUEUED_SCANNED); a look that finds some ends TPZ_RUN with TPZ_EXIT_SCANNED. Of several writes to a word between two
 * looks only the last is seen, and none if it is the old value: to see each, set the slot anew with TPZ_SLOT_READONLY.
 *
 * -EEXIST: overlaps another slot. -EXDEV: the caller is not in the creator's address space.
 */
struct tpz_slot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 scan_us;
	__u64 gpa;
	__u64 bytes;
	__u64 uaddr;
};

struct tpz_create_vcpu {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u32 id;		/* 0 to tpz_info.max_vcpus - 1; also its APIC identifier */
	__u32 pad;
};

/**
 * struct tpz_irq_line - TPZ_IRQ_LINE: drive an input of the 8259 pair
 * @line: 0 to 15, not 2 (the cascade)
 */
struct tpz_irq_line {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u32 line;
	__u32 level;		/* 0 or 1 */
};

/**
 * struct tpz_msi - TPZ_SEND_MSI: a message-signalled interrupt, as a device would write it (SDM vol. 3A, 11.11)
 */
struct tpz_msi {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 address;
	__u32 data;
	__u32 pad;
};

#define TPZ_IRQFD_REMOVE	(1U << 0)	/* takes @fd away */
#define TPZ_IRQFD_MSI		(1U << 1)	/* each signal is the message @address, @data; else a pulse on @line */
#define TPZ_IRQFD_RESAMPLE	(1U << 2)	/* @line is level-triggered: a signal of @fd raises it, the guest's EOI lowers
						 * it and signals @resample_fd
						 */

/**
 * struct tpz_irqfd - TPZ_SET_IRQFD: signals of an eventfd become interrupts, with no system call of ours
 * @fd: an eventfd. One that is there already gets the new message or line
 * @line: 0 to 23, as for TPZ_IRQ_LINE
 */
struct tpz_irqfd {
	__u32 size;
	__u32 flags;		/* TPZ_IRQFD_* */
	__s32 fd;
	__u32 line;
	__u64 address;
	__u32 data;
	__s32 resample_fd;
};

#define TPZ_IOEVENTFD_REMOVE	(1U << 0)
#define TPZ_IOEVENTFD_PORT	(1U << 1)	/* @address is a port, else guest-physical */
#define TPZ_IOEVENTFD_DATAMATCH	(1U << 2)	/* only writes of @data */

/**
 * struct tpz_ioeventfd - TPZ_SET_IOEVENTFD: a guest's write there signals @fd, and the guest goes on
 * @bytes: width of the write: 1, 2, 4 or 8 (ports: not 8); 0: any (not with data match)
 *
 * -EEXIST: the same address, width and data are taken. -ENOENT: nothing to remove.
 */
struct tpz_ioeventfd {
	__u32 size;
	__u32 flags;		/* TPZ_IOEVENTFD_* */
	__u64 address;
	__u64 data;
	__u32 bytes;
	__s32 fd;
};

#define TPZ_COALESCED_REMOVE	(1U << 0)
#define TPZ_COALESCED_PORT	(1U << 1)	/* @address is a port, else guest-physical */

/**
 * struct tpz_coalesced - TPZ_SET_COALESCED: a guest's writes of up to 8 bytes within [address, address + bytes) are queued
 * (struct tpz_queue), and the guest goes on
 *
 * Devices in the kernel and ioeventfds come first. -EEXIST: overlaps another region. -ENOENT: no such region to remove.
 */
struct tpz_coalesced {
	__u32 size;
	__u32 flags;		/* TPZ_COALESCED_* */
	__u64 address;
	__u64 bytes;
};

enum tpz_queued_kind {
	TPZ_QUEUED_MMIO = 0,
	TPZ_QUEUED_PORT = 1,
	TPZ_QUEUED_SCANNED = 2,		/* a word of a scanned slot: what it is now */
};

struct tpz_queued_write {
	__u64 address;		/* guest-physical, or a port */
	__u64 data;		/* the lowest @bytes of it */
	__u8 bytes;
	__u8 kind;		/* enum tpz_queued_kind */
	__u8 pad[6];
};

#define TPZ_QUEUE_BYTES		4096
#define TPZ_QUEUE_WRITES	128

/**
 * struct tpz_queue - what to mmap() of a VM file, shared, TPZ_QUEUE_BYTES at offset 0: writes that cost no exit to user space
 * @head: how many the kernel has put there, modulo 2^32; number n stands in write[n % TPZ_QUEUE_WRITES]
 * @tail: how many the launcher has taken: the only word that the kernel reads
 *
 * They come before the exit that TPZ_RUN reports: whoever handles one takes them first, in order, one thread at a time. A
 * write that finds the queue full is an exit as any other.
 */
struct tpz_queue {
	__u32 head;
	__u32 tail;
	__u64 pad[7];
	struct tpz_queued_write write[TPZ_QUEUE_WRITES];
};

/* Groups of TPZ_GET_VM_STATE and TPZ_SET_VM_STATE */
#define TPZ_VM_STATE_PIC	(1ULL << 0)
#define TPZ_VM_STATE_IOAPIC	(1ULL << 1)
#define TPZ_VM_STATE_PIT	(1ULL << 2)
#define TPZ_VM_STATE_ALL	((1ULL << 3) - 1)

#define TPZ_IOAPIC_PINS		24

struct tpz_ioapic_state {
	__u64 redirection[TPZ_IOAPIC_PINS];	/* SDM-style entries: remote IRR and delivery status included */
	__u32 id;
	__u32 select;		/* IOREGSEL */
	__u32 lines;		/* levels of the inputs */
	__u32 pad;
};

/* Of struct tpz_pic_chip.flags */
#define TPZ_PIC_NEEDS_ICW4	(1U << 0)
#define TPZ_PIC_SINGLE		(1U << 1)
#define TPZ_PIC_AUTO_EOI	(1U << 2)
#define TPZ_PIC_AUTO_ROTATE	(1U << 3)
#define TPZ_PIC_SPECIAL_MASK	(1U << 4)
#define TPZ_PIC_FULLY_NESTED	(1U << 5)
#define TPZ_PIC_READ_ISR	(1U << 6)
#define TPZ_PIC_POLL		(1U << 7)

/* One 8259A, in its data sheet's words */
struct tpz_pic_chip {
	__u8 lines;		/* levels of the inputs */
	__u8 latched;		/* edges not yet acknowledged */
	__u8 elcr;
	__u8 imr;
	__u8 isr;
	__u8 vector_base;
	__u8 lowest;		/* the input of lowest priority */
	__u8 expects;		/* 0: OCW1; 1 to 3: ICW2 to ICW4 */
	__u32 flags;		/* TPZ_PIC_* */
	__u32 pad;
};

struct tpz_pic_state {
	struct tpz_pic_chip master, slave;
	__u8 imcr;		/* bit 0: INTR goes through the local APIC */
	__u8 imcr_index;
	__u8 pad[6];
};

/**
 * struct tpz_vm_state - TPZ_GET_VM_STATE, TPZ_SET_VM_STATE: the VM's devices, as struct tpz_state does for a vCPU
 * @groups: TPZ_VM_STATE_*
 * @bad_group: out, on -EINVAL from TPZ_SET_VM_STATE
 * @bad_field: out: the field, and the rule in words
 */
struct tpz_vm_state {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 groups;
	__u64 bad_group;
	char bad_field[96];
	struct tpz_pic_state pic;
	struct tpz_ioapic_state ioapic;
};

/* ------------------------------------------------------------------ a vCPU */

#define TPZ_RUN_BYTES		8192
#define TPZ_RUN_DATA_OFFSET	4096	/* of the port data, in the mapping of a vCPU file */
#define TPZ_RUN_DATA_BYTES	4096

/* tpz_run.detail of TPZ_EXIT_IO */
struct tpz_run_io {
	__u16 port;
	__u8 bytes;		/* of one item: 1, 2 or 4 */
	__u8 in;		/* 1: the launcher fills the data area; 0: it reads it */
	__u32 count;		/* items in the data area; more than 1 with REP INS and REP OUTS */
	__u8 string;		/* INS or OUTS */
	__u8 rep;
	__u8 pad[6];
};

/*
 * tpz_run.detail of TPZ_EXIT_MMIO: an access to an address without memory, by an instruction that the module carries out.
 * A read's answer (@bytes of the data area) is committed by the next TPZ_RUN; the instruction may then need another access.
 */
struct tpz_run_mmio {
	__u64 gpa;
	__u8 bytes;		/* 1 to 64, within one page */
	__u8 write;		/* 1: the data area holds what the guest wrote; 0: the launcher fills it */
	__u8 pad[6];
};

/*
 * tpz_run.detail of TPZ_EXIT_MEMORY: nothing stands at this address, or a slot or the launcher's own memory forbids the access;
 * and it is no access of an instruction that the module can carry out (those are TPZ_EXIT_MMIO)
 */
struct tpz_run_memory {
	__u64 gpa;
	__u64 gva;		/* valid if gva_valid */
	__u8 gva_valid;
	__u8 read;
	__u8 write;
	__u8 fetch;
	__u8 page_walk;		/* 1: the access was to the guest's own page table */
	__u8 readonly_slot;
	__u8 no_slot;
	__u8 pad;
	__u8 insn_bytes;	/* how many bytes of the instruction stand in @insn; 0: it was not looked at, or could not be fetched */
	__u8 insn[15];		/* what stands at tpz_run.rip; its length, if it could be decoded: tpz_run.insn_bytes */
};

/* tpz_run.detail of TPZ_EXIT_ENTRY_FAILED */
struct tpz_run_entry_failed {
	__u32 hw_error;		/* VM-instruction error number, or 0 */
	__u32 hw_reason;	/* raw exit reason of a failed entry, or 0 */
	char rule[48];		/* the first rule broken: its short name; empty: all rules are kept */
	char section[80];	/* where the manual states it */
	char text[320];		/* what it asks for, and the fields it found */
};

/* tpz_run.detail of TPZ_EXIT_CR, _DR, _MSR_*, _EXCEPTION, _TASK_SWITCH, _HYPERCALL */
struct tpz_run_cr {
	__u8 cr;
	__u8 access;		/* 0: MOV to, 1: MOV from, 2: CLTS, 3: LMSW */
	__u8 reg;
	__u8 pad[5];
	__u64 value;
};

struct tpz_run_msr {
	__u32 index;
	__u32 pad;
	__u64 value;
};

struct tpz_run_exception {
	__u8 vector;
	__u8 type;
	__u8 has_error;
	__u8 pad;
	__u32 error;
	__u64 address;		/* #PF: the linear address; #DB: the bits for DR6 */
};

struct tpz_run_task_switch {
	__u16 selector;
	__u8 source;		/* 0: CALL, 1: IRET, 2: JMP, 3: task gate */
	__u8 pad[5];
};

/* tpz_run.detail of TPZ_EXIT_DEAD: why this VM cannot go on */
struct tpz_run_dead {
	char why[160];
};

/**
 * struct tpz_run - the first page of a vCPU file's mapping
 *
 * The kernel writes the exit record; it reads only @immediate_exit (and, when an IN, INS or MMIO read was reported,
 * the data area), each once.
 */
struct tpz_run {
	/* in */
	__u32 immediate_exit;	/* not 0: TPZ_RUN completes a pending answer and returns without an entry */
	__u32 pad0;
	/* out: the exit record */
	__u32 reason;		/* enum tpz_exit_reason */
	__u32 insn_bytes;	/* length of the instruction, where the CPU or the decoder told */
	__u64 raw_reason;	/* the CPU's own exit code */
	__u64 qualification;	/* the CPU's own qualification (EXITINFO1) */
	__u64 rip;
	union {
		struct tpz_run_io io;
		struct tpz_run_memory memory;
		struct tpz_run_mmio mmio;
		struct tpz_run_entry_failed entry_failed;
		struct tpz_run_cr cr;
		struct tpz_run_msr msr;
		struct tpz_run_exception exception;
		struct tpz_run_task_switch task_switch;
		struct tpz_run_dead dead;
		__u64 words[64];
	};
};

/* Groups of TPZ_GET_STATE and TPZ_SET_STATE */
#define TPZ_STATE_REGS		(1ULL << 0)
#define TPZ_STATE_SEGMENTS	(1ULL << 1)
#define TPZ_STATE_CONTROL	(1ULL << 2)
#define TPZ_STATE_DEBUG		(1ULL << 3)
#define TPZ_STATE_MSRS		(1ULL << 4)
#define TPZ_STATE_FPU		(1ULL << 5)
#define TPZ_STATE_EVENTS	(1ULL << 6)
#define TPZ_STATE_LAPIC		(1ULL << 7)
#define TPZ_STATE_PV		(1ULL << 8)
#define TPZ_STATE_ALL		((1ULL << 9) - 1)

/* Indices of struct tpz_regs.gpr: the architecture's register numbers */
enum tpz_gpr {
	TPZ_RAX, TPZ_RCX, TPZ_RDX, TPZ_RBX, TPZ_RSP, TPZ_RBP, TPZ_RSI, TPZ_RDI,
	TPZ_R8, TPZ_R9, TPZ_R10, TPZ_R11, TPZ_R12, TPZ_R13, TPZ_R14, TPZ_R15,
	TPZ_GPRS
};

struct tpz_regs {
	__u64 gpr[TPZ_GPRS];
	__u64 rip;
	__u64 rflags;
};

struct tpz_segment {
	__u64 base;
	__u32 limit;
	__u16 selector;
	__u8 type;		/* 4 bits */
	__u8 s;			/* 1: code or data */
	__u8 dpl;
	__u8 present;
	__u8 avl;
	__u8 l;
	__u8 db;
	__u8 g;
	__u8 unusable;
	__u8 pad;
};

struct tpz_dtable {
	__u64 base;
	__u32 limit;
	__u32 pad;
};

/* Indices of struct tpz_segments.seg: the architecture's segment numbers, then LDTR and TR */
enum tpz_seg {
	TPZ_ES, TPZ_CS, TPZ_SS, TPZ_DS, TPZ_FS, TPZ_GS, TPZ_LDTR, TPZ_TR,
	TPZ_SEGS
};

struct tpz_segments {
	struct tpz_segment seg[TPZ_SEGS];
	struct tpz_dtable gdtr;
	struct tpz_dtable idtr;
};

struct tpz_control {
	__u64 cr0;
	__u64 cr2;
	__u64 cr3;
	__u64 cr4;
	__u64 cr8;
	__u64 efer;
	__u64 xcr0;
	__u64 pdpte[4];		/* meaningful with CR0.PG, CR4.PAE and not EFER.LMA */
};

struct tpz_debug {
	__u64 db[4];
	__u64 dr6;
	__u64 dr7;
};

struct tpz_msrs {
	__u64 star;
	__u64 lstar;
	__u64 cstar;
	__u64 fmask;
	__u64 kernel_gs_base;
	__u64 sysenter_cs;
	__u64 sysenter_esp;
	__u64 sysenter_eip;
	__u64 pat;
	__u64 tsc;		/* the guest's TSC now; setting it moves the offset */
	__u64 tsc_aux;
	__u64 apic_base;
	__u64 kvm_system_time;	/* MSR 0x4b564d01 */
	__u64 kvm_wall_clock;	/* MSR 0x4b564d00 */
};

enum tpz_activity {
	TPZ_ACTIVITY_RUN = 0,
	TPZ_ACTIVITY_HLT = 1,
	TPZ_ACTIVITY_SHUTDOWN = 2,
	TPZ_ACTIVITY_WAIT_SIPI = 3,
};

/* Types of an event, numbered as VMX does (SDM vol. 3C, table 25-17) */
#define TPZ_EVENT_INTR		0	/* external interrupt */
#define TPZ_EVENT_NMI		2
#define TPZ_EVENT_EXCEPTION	3	/* hardware exception */
#define TPZ_EVENT_SOFT_INTR	4	/* INT n */
#define TPZ_EVENT_PRIV_SOFT	5	/* INT1 */
#define TPZ_EVENT_SOFT_EXCEPTION 6	/* INT3, INTO */

struct tpz_events {
	/* The event that the next entry delivers first */
	__u8 pending;
	__u8 type;		/* TPZ_EVENT_* */
	__u8 vector;
	__u8 has_error;
	__u32 error;
	__u8 insn_bytes;	/* software events: length of the instruction, 1 to 15 */
	__u8 nmi_pending;	/* an NMI waits for its window: 0 or 1 */
	__u8 nmi_blocked;	/* inside the guest's NMI handler */
	__u8 sti_shadow;
	__u8 mov_ss_shadow;
	__u8 activity;		/* enum tpz_activity */
	__u8 pad[2];
	__u64 pending_debug;	/* bits of DR6 that a #DB would set after this instruction */
};

#define TPZ_LAPIC_BYTES		1024	/* register at MSR 0x800 + n stands at byte n * 16 */

struct tpz_lapic {
	__u8 regs[TPZ_LAPIC_BYTES];
	__u64 tsc_deadline;
	__u64 timer_left_ns;	/* one-shot and periodic mode: time to the next tick; 0: stopped */
};

/* What a guest has agreed on with its hypervisor, beyond its clock (struct tpz_msrs) */
struct tpz_pv {
	__u64 kvm_steal_time;	/* MSR 0x4b564d03 */
	__u64 stolen_ns;	/* what the guest was told so far */
	__u64 spare[6];		/* must be 0 */
};

/**
 * struct tpz_state - TPZ_GET_STATE, TPZ_SET_STATE: any groups of a vCPU's state in one call
 * @groups: TPZ_STATE_*: which groups below are read or set
 * @fpu: user address of @fpu_bytes (tpz_info.xsave_bytes) in the standard format of XSAVE
 * @bad_group: out, on -EINVAL from TPZ_SET_STATE: the group whose value was refused
 * @bad_field: out: the field, and the rule in words
 *
 * All groups of a call are checked over the result as a whole before any is set: a change of mode is one call.
 */
struct tpz_state {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 groups;
	__u64 fpu;
	__u32 fpu_bytes;
	__u32 pad;
	__u64 bad_group;
	char bad_field[96];
	struct tpz_regs regs;
	struct tpz_segments segments;
	struct tpz_control control;
	struct tpz_debug debug;
	struct tpz_msrs msrs;
	struct tpz_events events;
	struct tpz_lapic lapic;
	struct tpz_pv pv;
};

struct tpz_cpuid_entry {
	__u32 leaf;
	__u32 subleaf;
	__u32 flags;		/* TPZ_CPUID_SUBLEAF */
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 pad;
};
#define TPZ_CPUID_SUBLEAF	(1U << 0)	/* @subleaf counts */

/**
 * struct tpz_cpuid - TPZ_GET_CPUID: what the guest's CPUID answers; returns the number of entries
 */
struct tpz_cpuid {
	__u32 size;
	__u32 flags;		/* must be 0 */
	__u64 entries;		/* user address of an array of struct tpz_cpuid_entry */
	__u32 capacity;
	__u32 entry_bytes;
};

#define TPZ_POKE_XOR		(1U << 0)	/* the bits of @value are flipped, instead of @value set */

/**
 * struct tpz_poke - TPZ_POKE: write a raw field of the VMCS or VMCB right before the next entry, for one entry
 *
 * To break the manual's entry rules on purpose. -EPERM unless the module was loaded with test=1.
 */
struct tpz_poke {
	__u32 size;
	__u32 flags;
	__u32 field;		/* VMCS: its encoding. VMCB: offset, log2 of the width << 12 */
	__u32 pad;
	__u64 value;
};

/* ------------------------------------------------------------------ meters */

#define TPZ_METER_MAGIC		0x5445504d5a505254ULL	/* "TRPZMPET" */
#define TPZ_METER_VERSION	1
#define TPZ_METER_PAGE		4096

struct tpz_reason_meter {
	__u64 count;
	__u64 cycles;		/* host cycles from this exit to the next entry or return to user space */
};

/**
 * struct tpz_vcpu_meters - one page per vCPU, written by its thread alone
 *
 * A reader takes @seq (odd: being written), copies, and takes @seq again.
 */
struct tpz_vcpu_meters {
	__u64 seq;
	__u32 vcpu;
	__u32 present;
	__u64 entries;
	__u64 exits;
	__u64 user_exits;	/* returns from TPZ_RUN */
	__u64 guest_cycles;
	__u64 host_cycles;	/* in TPZ_RUN, outside the guest, not halted */
	__u64 halts;
	__u64 halted_cycles;
	__u64 injected_interrupts;
	__u64 injected_nmis;
	__u64 injected_exceptions;
	__u64 npf_mapped;	/* nested page faults answered by a mapping */
	__u64 migrations;	/* times the vCPU moved to another CPU */
	__u64 wbinvds;
	__u64 invds;
	__u64 spare[16];
	struct tpz_reason_meter reason[TPZ_EXIT_COUNT];
};

/**
 * struct tpz_vm_meters - the first page of a meter file; the vCPUs' pages follow
 */
struct tpz_vm_meters {
	__u64 magic;
	__u32 version;
	__u32 page_bytes;	/* of this page and of each that follows */
	__u64 id;
	__u32 dead;		/* 1: the VM has ended; the figures are final */
	__u32 vcpus;		/* pages that follow */
	__u32 tsc_khz;
	__u32 pid;
	__u64 created_tsc;
	__u64 slot_bytes;	/* memory in slots */
	__u64 resident_pages;	/* 4 KiB pages mapped in the nested page table */
	__u64 table_pages;	/* pages of the nested page table itself */
	__u64 notifier_zaps;	/* leaves taken away by the host's memory management */
	char comm[16];
};

#endif /* _UAPI_LINUX_TRAPEZE_H */
