/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects that every layer shares: VM, vCPU, exit; the request word, the kick, and the meters' increments.
 *
 * Tags on the members of struct tpz_vm and struct tpz_vcpu:
 *   (c) written once at creation, then read by anyone
 *   (o) owned by the thread that holds vcpu->lock (the running vCPU thread); no other CPU touches it
 *   (a) atomic, or its own type's rules: anyone
 *   (l) guarded by vm->lock
 *   (m) read by anyone under a sequence counter, written by the owner
 *   (g) guarded by the global list's lock (vm.c)
 */
#ifndef TPZ_CORE_H
#define TPZ_CORE_H

#include <linux/bitops.h>
#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/uidgid.h>
#include <linux/trapeze.h>

#define TPZ_MAX_VCPUS	64
#define TPZ_MAX_SLOTS	32

struct tpz_mem;
struct tpz_pic;
struct tpz_ioapic;
struct tpz_pit;
struct tpz_events_of_vm;
struct tpz_apic;
struct tpz_clock;
struct tpz_meters;
struct tpz_processor;

/* ------------------------------------------------------------------ the guest's processor state */

/*
 * What of struct tpz_cpu_state the backend keeps in its control structure. A bit set in @cached: the copy
 * in memory is right. In @dirty: it is newer than the control structure's, and written there at the next
 * entry. Call tpz_fetch() before reading, tpz_dirty() after writing.
 */
enum tpz_part {
	TPZ_P_RIP	= BIT(0),
	TPZ_P_RSP	= BIT(1),
	TPZ_P_RFLAGS	= BIT(2),
	TPZ_P_CR0	= BIT(3),
	TPZ_P_CR3	= BIT(4),
	TPZ_P_CR4	= BIT(5),
	TPZ_P_EFER	= BIT(6),
	TPZ_P_PDPTE	= BIT(7),
	TPZ_P_ES	= BIT(8),	/* BIT(8 + enum tpz_seg) */
	TPZ_P_CS	= BIT(9),
	TPZ_P_SS	= BIT(10),
	TPZ_P_DS	= BIT(11),
	TPZ_P_FS	= BIT(12),
	TPZ_P_GS	= BIT(13),
	TPZ_P_LDTR	= BIT(14),
	TPZ_P_TR	= BIT(15),
	TPZ_P_GDTR	= BIT(16),
	TPZ_P_IDTR	= BIT(17),
	TPZ_P_DR7	= BIT(18),
	TPZ_P_SYSENTER	= BIT(19),
	TPZ_P_PAT	= BIT(20),
	TPZ_P_SHADOW	= BIT(21),	/* interrupt shadows, NMI blocking, pending debug exceptions */
	TPZ_P_KERNEL_GS	= BIT(22),
	TPZ_P_SYSCALL	= BIT(23),	/* STAR, LSTAR, CSTAR, FMASK, TSC_AUX: always cached; dirty matters */
	TPZ_P_SEGMENTS	= 0xff00,
	TPZ_P_ALL	= BIT(24) - 1,
};
#define TPZ_P_SEG(n)	BIT(8 + (n))

#define TPZ_PENDING_DEBUG_ENABLED	BIT(12)	/* one of B0 to B3 is enabled in DR7 */
#define TPZ_PENDING_DEBUG_BS		BIT(14)	/* a single step */

/**
 * struct tpz_cpu_state - the guest's view of its processor; see enum tpz_part for what is lazily kept
 *
 * CR0, CR4 and EFER are what the guest reads: bits that the hardware needs besides are the backend's affair.
 */
struct tpz_cpu_state {
	u64 gpr[TPZ_GPRS];	/* enum tpz_gpr; the entry stub's layout. gpr[TPZ_RSP]: TPZ_P_RSP */
	u64 rip;
	u64 rflags;
	u64 cr0;
	u64 cr2;		/* always right */
	u64 cr3;
	u64 cr4;
	u64 cr8;		/* always right: the local APIC's task priority, where there is one */
	u64 efer;
	u64 pdpte[4];
	struct tpz_segment seg[TPZ_SEGS];
	struct tpz_dtable gdtr;
	struct tpz_dtable idtr;
	u64 db[4];		/* always right, as dr6 is */
	u64 dr6;
	u64 dr7;
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 pat;
	/* TPZ_P_SHADOW */
	bool sti_shadow;
	bool mov_ss_shadow;
	bool nmi_blocked;
	u64 pending_debug;	/* in DR6's bits: B0-B3, BS, RTM; and bit 12: TPZ_PENDING_DEBUG_* */
	u64 kernel_gs_base;
	/* TPZ_P_SYSCALL: in the MSRs while the vCPU is loaded; the guest's writes are trapped */
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 fmask;
	u64 tsc_aux;
	u64 xcr0;		/* always right; loaded around each entry */
};

/**
 * struct tpz_event - an exception or interrupt to deliver at an entry, or whose delivery an exit interrupted
 * @type: TPZ_EVENT_* of the uapi
 * @insn_bytes: software events: length of the instruction that raised it
 * @payload: #PF: the linear address for CR2; #DB: bits for DR6. Already in the registers when @type was delivered once
 */
struct tpz_event {
	bool valid;
	u8 type;
	u8 vector;
	bool has_error;
	u8 insn_bytes;
	u32 error;
	u64 payload;
	bool has_payload;
};

/* ------------------------------------------------------------------ the normalized exit */

/* A memory operand as the CPU (or the decoder) told it: the address before segmentation */
struct tpz_operand {
	bool is_reg;
	u8 reg;			/* is_reg: enum tpz_gpr */
	u8 seg;			/* enum tpz_seg */
	u8 addr_bytes;		/* 2, 4 or 8 */
	u8 bytes;		/* operand size, where the instruction has one */
	u64 offset;		/* base + index * scale + displacement, cut to addr_bytes */
};

enum tpz_dt_insn {
	TPZ_SGDT, TPZ_SIDT, TPZ_LGDT, TPZ_LIDT, TPZ_SLDT, TPZ_STR, TPZ_LLDT, TPZ_LTR,
};

enum tpz_cr_access { TPZ_MOV_TO_CR, TPZ_MOV_FROM_CR, TPZ_CLTS, TPZ_LMSW, TPZ_SMSW };

/**
 * struct tpz_exit - one trap, normalized: no raw code of a vendor leaves hw/ but for show
 */
struct tpz_exit {
	u8 reason;		/* enum tpz_exit_reason */
	u8 insn_bytes;		/* 0: not told for this reason */
	bool decode;		/* the CPU told no length or operands: cpu/decode_exit.c fills them in before a handler runs */
	u64 raw_reason;
	u64 qualification;
	u64 tsc;		/* host TSC right after the exit */
	union {
		struct {
			u16 port;
			u8 bytes;
			bool in;
			bool string;
			bool rep;
			u8 seg;		/* OUTS: enum tpz_seg */
			u8 addr_bytes;
		} io;
		struct {
			u8 cr;
			u8 access;	/* enum tpz_cr_access */
			u8 reg;		/* enum tpz_gpr */
			u16 lmsw;	/* source of LMSW */
			struct tpz_operand op;	/* destination of SMSW */
		} cr;
		struct {
			u8 dr;
			bool from;	/* MOV from DR */
			u8 reg;
		} dr;
		struct {
			u64 gpa;
			u64 gva;
			bool gva_valid;
			bool read, write, fetch;
			bool page_walk;	/* the access was to the guest's own page table */
		} npf;
		struct {
			u8 vector;
			u8 type;	/* TPZ_EVENT_* */
			bool has_error;
			u32 error;
			u64 address;	/* #PF: linear address; #DB: bits for DR6 */
		} exception;
		struct {
			u8 insn;	/* enum tpz_dt_insn */
			struct tpz_operand op;
		} dt;
		struct {
			u8 reg;		/* INVPCID: register of the type; RDRAND, RDSEED: destination */
			struct tpz_operand op;	/* INVLPG: op.offset is the linear address */
		} insn;
		struct {
			u16 selector;
			u8 source;	/* 0 CALL, 1 IRET, 2 JMP, 3 task gate */
		} task;
		struct tpz_run_entry_failed failed;
	};
};

/* A handler's answer */
enum tpz_next {
	TPZ_RESUME,	/* enter the guest again; what was queued (tpz_queue_exception) is delivered */
	TPZ_SLOW,	/* a fast handler's: it takes what may sleep */
	TPZ_TO_USER,	/* the exit record is filled (tpz_user_exit) */
	TPZ_NO_MEMORY,	/* a slow handler's: the host has none, the run ends with -ENOMEM; the next one traps again */
};

/* ------------------------------------------------------------------ requests, VM, vCPU */

/* Bits of tpz_vcpu.requests: work to be done before the next entry */
enum tpz_request {
	TPZ_REQ_FLUSH,		/* forget cached translations, nested and guest's */
	TPZ_REQ_EVENT,		/* an interrupt line, timer or NMI has news */
	TPZ_REQ_CLOCK,		/* rewrite the paravirtual clock page */
	TPZ_REQ_DEAD,		/* the VM was killed */
	TPZ_REQ_BACK,		/* its guest's steal time structure says that it is away: tpz_steal_update() */
	TPZ_REQ_STEP,		/* TPZ_TRAP_STEP: an instruction that the module carried out is to be reported */
	TPZ_REQ_INIT,		/* INIT has come: tpz_cpu_take_init() */
	TPZ_REQ_SIPI,		/* so has a start-up message after it; v->sipi_vector is its vector */
	TPZ_REQ_SCAN,		/* look at the scanned slots: tpz_mem_scan() */
};

/* The interrupt in service, and the flag in guest memory by which the guest may end it (pv/eoi.c) */
enum tpz_eoi {
	TPZ_EOI_BY_EXIT,	/* the flag is clear, and nothing has happened that asks for another look */
	TPZ_EOI_CONSIDER,	/* the flag is clear; the next entry looks whether it may be set */
	TPZ_EOI_PROMISED,	/* it was set by the last entry; what stands there now is to be looked at first */
};

enum tpz_mode { TPZ_OUTSIDE, TPZ_IN_GUEST };

/* Sockets, cores in each, threads in each core; and how an APIC identifier is divided into the three */
struct tpz_topology {
	u32 sockets, cores, threads;
	u8 thread_bits;
	u8 package_bits;	/* of core and thread together */
};

struct tpz_vm {
	u64 id;				/* (c) */
	struct kref ref;		/* (a) held by the VM file and each vCPU file */
	struct mm_struct *mm;		/* (c) the creator's; grabbed (mm_count), not held (mm_users) */
	u64 devices;			/* (c) TPZ_DEVICE_* */
	bool hidden;			/* (c) TPZ_VM_NO_HYPERVISOR */
	u64 traps;			/* (c) TPZ_TRAP_* */
	u64 timer_cycles;		/* (c) */
	u32 domain;			/* (c) trust domain: predictors are flushed between two of them */
	u64 tsc_offset;			/* (c) what a new vCPU starts with */
	struct tpz_topology topology;	/* (c) */
	struct tpz_mem *mem;		/* (c) mem/ */
	struct tpz_pic *pic;		/* (c) irq/; NULL without TPZ_DEVICE_PIC */
	struct tpz_ioapic *ioapic;	/* (c) irq/; NULL without TPZ_DEVICE_IOAPIC */
	struct tpz_pit *pit;		/* (c) irq/; NULL without TPZ_DEVICE_PIT */
	struct tpz_events_of_vm *events;	/* (c) irq/eventfd.c */
	struct tpz_clock *clock;	/* (c) time/; NULL without TPZ_DEVICE_KVMCLOCK */
	struct tpz_meters *meters;	/* (c) vm.c; the pages have their own life */
	struct tpz_vm_meters *m;	/* (m) the first page of it */
	u32 scan_us;			/* (a) mem/scan.c: how often to look at the scanned slots; 0: there are none. READ_ONCE */
	u64 npt_root;			/* (c) mem/: physical address of the nested page table's root */
	void *hw;			/* (c) the backend's */

	struct mutex lock;		/* guards vCPU creation */
	struct tpz_vcpu *vcpu[TPZ_MAX_VCPUS];	/* (l) set once, READ_ONCE by anyone */
	u32 vcpus;			/* (l) how many of them; READ_ONCE by anyone */

	bool dead;			/* (a) set once, READ_ONCE; why is complete before it */
	atomic_t dying;			/* (a) who writes why */
	char why[160];
	u32 yield_turn;			/* (a) to whom a spinning vCPU last gave its CPU; likewise */
	u32 lowest_turn;		/* (a) who took the last message of lowest priority; a hint, READ_ONCE */

	struct list_head list;		/* (g) */
	pid_t pid;			/* (c) */
	kuid_t uid;			/* (c) */
	struct pid *tgid;		/* (c) referenced */
	char comm[TASK_COMM_LEN];	/* (c) */
};

struct tpz_vcpu {
	/* Other CPUs may touch these */
	struct tpz_vm *vm;		/* (c) referenced */
	u32 id;				/* (c) */
	unsigned long requests;		/* (a) BIT(enum tpz_request) */
	int mode;			/* (a) enum tpz_mode; written by the owner with interrupts off */
	int cpu;			/* (a) where it is loaded, or -1; written by the owner */
	struct rcuwait wait;		/* (a) where HLT sleeps */
	atomic_t nmi_pending;		/* (a) 0 or 1 */
	u8 sipi_vector;			/* (a) written before TPZ_REQ_SIPI is set */
	bool kicked;			/* (a) KVM_HC_KICK_CPU: the next HLT ends at once */
	bool waits_for_cpu;		/* (a) its thread wants to run, and another one has its CPU; a hint, READ_ONCE */
	struct task_struct *runner;	/* (a) the thread inside TPZ_RUN, or NULL; READ_ONCE under RCU */

	struct mutex lock;		/* held by the thread inside an ioctl of this vCPU */

	/* (o) from here on */
	struct tpz_cpu_state s;
	u32 cached;			/* enum tpz_part */
	u32 dirty;
	u64 tsc_offset;			/* guest TSC = host TSC + this */
	u64 timer_at;			/* exit with TPZ_EXIT_TIMER at this host TSC, by a backend that has TPZ_TRAP_TIMER; 0: never */
	struct tpz_event event;		/* delivered by the next entry */
	struct tpz_exit exit;
	u8 activity;			/* enum tpz_activity */
	bool io_pending;		/* the launcher's answer to an I/O exit is still to be committed */
	bool mmio_pending;		/* the same of an MMIO exit, or the rest of its instruction is to be carried out */
	bool user_exit;			/* the exit record of this run is filled */
	bool on_cpu;			/* the backend holds it on this CPU (cleared when scheduled out) */
	u64 cr4_allowed;		/* bits of CR4 that this guest may set: by its CPUID */
	u64 apic_base;
	u64 kvm_system_time;
	u64 kvm_wall_clock;
	struct {			/* time/steal.c */
		u64 msr;
		u64 told_ns;		/* what the guest was told */
		u64 seen_ns;		/* the thread's run delay then */
		pid_t thread;		/* whose */
		bool stale;		/* the guest's structure is to be written anew */
	} steal;
	struct {			/* pv/eoi.c */
		u64 msr;
		u8 state;		/* enum tpz_eoi */
	} eoi;

	struct preempt_notifier notifier;
	struct tpz_run *run;		/* TPZ_RUN_BYTES, shared with the launcher: READ_ONCE, then validate */
	void *run_data;			/* TPZ_RUN_DATA_BYTES, likewise */
	struct tpz_vcpu_meters *m;	/* (m) */
	struct tpz_processor *processor;	/* cpu/ */
	struct tpz_apic *apic;	/* irq/; NULL without TPZ_DEVICE_LAPIC */
	void *fpu;			/* the guest's XSAVE area, tpz_fpu_bytes(), 64-byte aligned */
	bool host_ran;			/* more than fast handlers ran on this CPU since the last exit */
	u64 entered_tsc;		/* meters: the last entry's, the last exit's time */
	u64 left_tsc;
	void *hw;			/* the backend's */
};

/* ------------------------------------------------------------------ core.c */

extern bool tpz_test_mode;		/* module parameter test=1 */

DECLARE_PER_CPU(bool, tpz_cpu_on);	/* cpus.c writes it, on that CPU with interrupts off */

/* tpz_this_cpu_on() - is this CPU in virtualization operation (or may be, for each entry)? Preemption off */
static inline bool tpz_this_cpu_on(void)
{
	return __this_cpu_read(tpz_cpu_on);
}

/* tpz_has_others() - is there another vCPU that it may spin for? One that comes later is seen later */
static inline bool tpz_has_others(const struct tpz_vcpu *v)
{
	return READ_ONCE(v->vm->vcpus) > 1;
}

/**
 * tpz_kick() - make a vCPU look at its request word: out of the guest, or out of its sleep
 * Context: any; interrupts on or off.
 */
void tpz_kick(struct tpz_vcpu *v);

/**
 * tpz_request() - set a request bit and kick. Context: any.
 */
static inline void tpz_request(struct tpz_vcpu *v, enum tpz_request r)
{
	set_bit(r, &v->requests);
	smp_mb__after_atomic();		/* the bit before the look at v->mode in tpz_kick() */
	tpz_kick(v);
}

/**
 * tpz_flush_all() - every vCPU of the VM forgets its cached translations before it next runs guest code
 *
 * On return no CPU runs the guest with a translation older than the call.
 * Context: interrupts on; may hold spin locks. Never sleeps.
 */
void tpz_flush_all(struct tpz_vm *vm);

/**
 * tpz_vm_kill() - this VM cannot go on: every run from now reports TPZ_EXIT_DEAD with this sentence
 * Context: any.
 */
__printf(2, 3) void tpz_vm_kill(struct tpz_vm *vm, const char *fmt, ...);

/**
 * tpz_vm_bug() - a rule broken by Trapeze itself: a warning, once, and this VM is dead; the host lives on
 */
#define tpz_vm_bug(vm, fmt, ...)					\
do {									\
	WARN_ONCE(1, "trapeze: " fmt "\n", ##__VA_ARGS__);		\
	tpz_vm_kill(vm, "internal error: " fmt, ##__VA_ARGS__);		\
} while (0)

/**
 * tpz_user_exit() - fill the head of the exit record in the run page; the caller fills the detail
 * Return: the record, whose detail is zeroed.
 */
struct tpz_run *tpz_user_exit(struct tpz_vcpu *v, enum tpz_exit_reason reason);

/* ------------------------------------------------------------------ meters: the increments */

/* Written by the vCPU's thread alone; readers on other CPUs see whole words */
static inline void tpz_count(u64 *meter)
{
	WRITE_ONCE(*meter, *meter + 1);
}

static inline void tpz_add(u64 *meter, u64 n)
{
	WRITE_ONCE(*meter, *meter + n);
}

/* One exit's worth, by the vCPU's thread; readers see all of it or nothing */
static inline void tpz_meters_begin(struct tpz_vcpu_meters *m)
{
	WRITE_ONCE(m->seq, m->seq + 1);
	smp_wmb();
}

static inline void tpz_meters_done(struct tpz_vcpu_meters *m)
{
	smp_wmb();
	WRITE_ONCE(m->seq, m->seq + 1);
}

#endif /* TPZ_CORE_H */
