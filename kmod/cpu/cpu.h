/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest sees of its processor. One file each:
 *
 *	cpuid.c cpuid_table.c	CPUID, and which features there are
 *	msr.c			RDMSR, WRMSR
 *	control.c		MOV CR, LMSW, CLTS, XSETBV
 *	debug.c			MOV DR
 *	exception.c		exceptions on their way to the guest; the end of an instruction
 *	io.c			port I/O with strings
 *	dtable.c		descriptor-table instructions
 *	insn.c			the rest of the trapped instructions; the nested page fault
 *	paging.c access.c	the guest's own page tables; reads and writes of its memory
 *	decode.c		bytes of code to length and operands
 *	decode_exit.c		what the CPU did not tell of a trapped instruction
 *	fpu.c			x87, SSE, AVX ...: on and off the CPU
 *	state.c state_check*.c	the state groups, and the rules on them
 */
#ifndef TPZ_CPU_H
#define TPZ_CPU_H

#include <linux/jump_label.h>
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include <asm/trap_pf.h>
#include <asm/trapnr.h>
#include "../hw/hw.h"

/*
 * What a processor asks of what stands around it, and so of the layers above this one: described in irq/irq.h,
 * time/time.h and pv/pv.h, declared here so that no file of cpu/ includes a header from above.
 */
void tpz_apic_set_cr8(struct tpz_vcpu *v);	/* v->s.cr8 was written */
int tpz_apic_check_base(const struct tpz_vcpu *v, u64 value);
void tpz_apic_get_state(struct tpz_vcpu *v, struct tpz_lapic *st);
int tpz_apic_check_state(const struct tpz_vcpu *v, const struct tpz_lapic *st, char *bad, size_t bad_bytes);
void tpz_apic_set_state(struct tpz_vcpu *v, const struct tpz_lapic *st);
bool tpz_pic_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value);
bool tpz_pit_port(struct tpz_vcpu *v, u16 port, bool in, u8 *value);
bool tpz_ioeventfd_port(struct tpz_vcpu *v, u16 port, unsigned int bytes, const void *data);
u64 tpz_guest_tsc(const struct tpz_vcpu *v);
void tpz_set_guest_tsc(struct tpz_vcpu *v, u64 tsc);
int tpz_check_kvm_msr(u32 index, u64 value);
bool tpz_steal_valid(const struct tpz_vcpu *v, u64 msr);
bool tpz_eoi_valid(const struct tpz_vcpu *v, u64 msr);
void tpz_pv_get_state(const struct tpz_vcpu *v, struct tpz_pv *pv);
void tpz_pv_set_state(struct tpz_vcpu *v, const struct tpz_pv *pv);
void tpz_pv_init(struct tpz_vcpu *v);		/* INIT */
u32 tpz_pv_features(const struct tpz_vm *vm);

#define TPZ_NO_ERROR	(-1L)

/* ---- exception.c */

/**
 * tpz_queue_exception() - an exception is delivered by the next entry
 * @error: error code, or TPZ_NO_ERROR. In real mode none is pushed whatever is given
 *
 * Combined with an event that waits already by the rules of double faults (SDM vol. 3A, table 6-5): a second
 * contributory exception becomes #DF; one after #DF sets v->activity to SHUTDOWN, and the run loop then reports
 * TPZ_EXIT_TRIPLE_FAULT instead of an entry. CR2 and DR6 are written at once (the event has no payload).
 */
void tpz_queue_exception(struct tpz_vcpu *v, u8 vector, long error);
void tpz_queue_page_fault(struct tpz_vcpu *v, u64 address, u32 error);
void tpz_queue_debug(struct tpz_vcpu *v, u64 dr6_bits);

/* Shorthands that fit a handler's return: queue and TPZ_RESUME */
enum tpz_next tpz_inject_ud(struct tpz_vcpu *v);
enum tpz_next tpz_inject_gp(struct tpz_vcpu *v);

/**
 * tpz_skip_insn() - the instruction that trapped is done: RIP moves on, interrupt shadows end, a single step is due
 */
void tpz_skip_insn(struct tpz_vcpu *v);

unsigned int tpz_cpl(struct tpz_vcpu *v);
bool tpz_long_mode(struct tpz_vcpu *v);		/* 64-bit code segment in IA-32e mode */
u64 tpz_arg(struct tpz_vcpu *v, unsigned int reg);	/* a register, cut to 32 bits outside 64-bit mode */

/* ---- paging.c: the guest's own page tables */

#define TPZ_ACCESS_READ		0
#define TPZ_ACCESS_WRITE	X86_PF_WRITE
#define TPZ_ACCESS_FETCH	X86_PF_INSTR

struct tpz_walk {
	u64 gpa;		/* on -ENXIO: of the table's entry */
	u64 page_bytes;
	u32 pf_error;		/* on -EFAULT: the error code of the #PF that the access raises */
};

/**
 * struct tpz_hole - on -ENXIO: where an access of the module's on the guest's behalf found no memory
 */
struct tpz_hole {
	u64 gpa;
	u64 gva;
	bool gva_valid;
	bool write;
	bool page_walk;		/* the guest's own page table stands there */
};

/**
 * tpz_no_memory() - the exit record TPZ_EXIT_MEMORY of a hole
 */
enum tpz_next tpz_no_memory(struct tpz_vcpu *v, const struct tpz_hole *hole);

/**
 * tpz_walk_gva() - translate a linear address by the guest's page tables (none, 32-bit, PAE, 4-level, 5-level)
 * @access: TPZ_ACCESS_*
 * @user: as CPL 3 would
 * Checks present, R/W with CR0.WP, U/S, NX, SMEP, SMAP with EFLAGS.AC, PKU, reserved bits; sets accessed and dirty.
 * Return: 0; -EFAULT: the access raises #PF with @w->pf_error; -ENXIO: the tables stand at unbacked memory. May sleep.
 */
int tpz_walk_gva(struct tpz_vcpu *v, u64 gva, u32 access, bool user, struct tpz_walk *w);

/**
 * tpz_load_pdptes() - PAE: read and check the four PDPTEs at CR3
 * Nothing to do where the CPU reads them in each walk (hw->pdptes_in_memory).
 * Return: 0; -EINVAL: a reserved bit is set (#GP of the MOV to CR); -ENXIO. May sleep.
 */
int tpz_load_pdptes(struct tpz_vcpu *v, u64 cr3);
void tpz_get_pdptes(struct tpz_vcpu *v, u64 pdpte[4]);	/* CR0, CR3, CR4, EFER and PDPTEs fetched. May sleep */

/* ---- access.c */

/**
 * tpz_linear() - segment and offset to a linear address, with limit, canonical, type and present checks
 * Return: 0; or -EFAULT with #GP, #SS queued.
 */
int tpz_linear(struct tpz_vcpu *v, unsigned int seg, u64 offset, unsigned int addr_bytes, unsigned int bytes,
	       bool write, u64 *gva);

/**
 * tpz_read_gva() - read guest memory at a linear address as the current CPL
 * Return: 0; -EFAULT: the guest's own fault is queued; -ENXIO: @hole has no memory behind it. May sleep.
 */
int tpz_read_gva(struct tpz_vcpu *v, u64 gva, void *to, size_t bytes, struct tpz_hole *hole);
int tpz_write_gva(struct tpz_vcpu *v, u64 gva, const void *from, size_t bytes, struct tpz_hole *hole);

/* ---- decode_exit.c */

/**
 * tpz_decode_exit() - complete v->exit, whose @decode is set: length and operands, by the instruction at RIP
 * @may_sleep: else memory that is not there right now makes the answer TPZ_SLOW
 * @answer: where false is returned: what a handler would have answered. TPZ_RESUME: the instruction can't be fetched any more
 *	(the guest's fault is queued), or is not the one that trapped (it runs again); TPZ_TO_USER: it stands where no memory is
 * Return: true: v->exit is complete, its handlers may run.
 */
bool tpz_decode_exit(struct tpz_vcpu *v, bool may_sleep, enum tpz_next *answer);

/*
 * decode=always (for the selftests): what the CPU told of an exit is put aside, decoded all the same, and compared: a
 * difference is a bug. tpz_decode_anyway() comes right after the exit.
 */
DECLARE_STATIC_KEY_FALSE(tpz_decode_always);
void tpz_decode_anyway(struct tpz_vcpu *v);

/* ---- cpuid.c */

int tpz_processor_create(struct tpz_vcpu *v);		/* v->processor, with its CPUID */
void tpz_processor_destroy(struct tpz_vcpu *v);
bool tpz_cpuid_find(const struct tpz_vcpu *v, u32 leaf, u32 subleaf, u32 regs[4]);
bool tpz_guest_has(const struct tpz_vcpu *v, unsigned int x86_feature);	/* X86_FEATURE_* */
u64 tpz_cr4_allowed(const struct tpz_vcpu *v);	/* CR4 bits that this guest may set */
u64 tpz_efer_allowed(const struct tpz_vcpu *v);
unsigned int tpz_guest_phys_bits(const struct tpz_vcpu *v);
long tpz_cpuid_copy(struct tpz_vcpu *v, struct tpz_cpuid_entry __user *to, u32 capacity);

/* ---- control.c: by the rules of the instruction that writes them: 0; -EINVAL (#GP); -ENXIO: PDPTEs without memory */

int tpz_set_cr0(struct tpz_vcpu *v, u64 cr0);
int tpz_set_cr3(struct tpz_vcpu *v, u64 cr3);
int tpz_set_cr4(struct tpz_vcpu *v, u64 cr4);
int tpz_set_efer(struct tpz_vcpu *v, u64 efer);
bool tpz_xcr0_valid(const struct tpz_vcpu *v, u64 xcr0);
int tpz_set_cr8(struct tpz_vcpu *v, u64 cr8);

/* ---- msr.c */

/**
 * struct tpz_msr - MSRs first to last and who answers for them
 * @read, @write: 0; -EINVAL: #GP; -EAGAIN: needs to sleep (fast path: the slow path calls again)
 * @sleeps: the handlers may sleep: not on the fast path
 */
struct tpz_msr {
	u32 first, last;
	bool sleeps;
	int (*read)(struct tpz_vcpu *v, u32 index, u64 *value);
	int (*write)(struct tpz_vcpu *v, u32 index, u64 value);
};

extern const struct tpz_msr tpz_cpu_msrs[];	/* the processor's own; ends with first > last */
extern const struct tpz_msr tpz_time_msrs[];	/* time/ */
extern const struct tpz_msr tpz_steal_msrs[];
extern const struct tpz_msr tpz_apic_msrs[];	/* irq/ */
extern const struct tpz_msr tpz_eoi_msrs[];	/* pv/ */

int tpz_msr_read(struct tpz_vcpu *v, u32 index, u64 *value, bool may_sleep);	/* exit.c */
int tpz_msr_write(struct tpz_vcpu *v, u32 index, u64 value, bool may_sleep);

/* ---- handlers of the dispatch table (exit.c), by file */

#define TPZ_HANDLER(name)	enum tpz_next name(struct tpz_vcpu *v, const struct tpz_exit *x)

TPZ_HANDLER(tpz_on_cpuid);			/* fast */
TPZ_HANDLER(tpz_on_msr_read_fast);		/* msr.c */
TPZ_HANDLER(tpz_on_msr_read);
TPZ_HANDLER(tpz_on_msr_write_fast);
TPZ_HANDLER(tpz_on_msr_write);
TPZ_HANDLER(tpz_on_cr);				/* control.c; slow: PDPTEs are read from guest memory */
TPZ_HANDLER(tpz_on_xsetbv);			/* fast */
TPZ_HANDLER(tpz_on_dr);				/* debug.c, fast */
TPZ_HANDLER(tpz_on_exception);			/* exception.c, fast: #DB, #BP, #PF, #UD, #AC: delivered to the guest */
TPZ_HANDLER(tpz_on_triple_fault);
TPZ_HANDLER(tpz_on_task_switch);		/* to user space */
TPZ_HANDLER(tpz_on_io_fast);			/* io.c: IN and OUT; strings are TPZ_SLOW */
TPZ_HANDLER(tpz_on_io);
TPZ_HANDLER(tpz_on_dt_access);			/* dtable.c */
TPZ_HANDLER(tpz_on_ud_insn);			/* insn.c: #UD: virtualization instructions, GETSEC, RSM, MWAIT, ... */
TPZ_HANDLER(tpz_on_gp_insn);			/* RDPMC */
TPZ_HANDLER(tpz_on_invd);
TPZ_HANDLER(tpz_on_wbinvd);
TPZ_HANDLER(tpz_on_invlpg);
TPZ_HANDLER(tpz_on_invpcid);
TPZ_HANDLER(tpz_on_rdtsc);			/* and RDTSCP */
TPZ_HANDLER(tpz_on_rdrand);			/* and RDSEED */
TPZ_HANDLER(tpz_on_npf);			/* mmio.c: tpz_mem_fault(), else the emulator, else TPZ_EXIT_MEMORY */

/**
 * tpz_io_complete() - commit the launcher's answer to an I/O exit: IN's data to AL, AX, EAX, INS's to memory; RIP
 * Return: 0: go on (the rest of a REP traps again by itself); 1: the memory for INS has gone, and an exit record says
 * so; negative: an error, the answer is still wanted. Context: loaded, FPU state saved. May sleep.
 */
int tpz_io_complete(struct tpz_vcpu *v);

/* ---- mmio.c: accesses to guest-physical addresses without memory */

/**
 * tpz_mmio_complete() - commit the launcher's answer to an MMIO exit (v->mmio_pending), and go on with its instruction
 * Return: as tpz_io_complete(). Context: as tpz_io_complete().
 */
int tpz_mmio_complete(struct tpz_vcpu *v);

/**
 * tpz_mmio_device() - offer an access to the devices in the kernel (exit.c)
 * Return: true: one of them has served it. May sleep.
 */
bool tpz_mmio_device(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data);

/* ---- fpu.c: the guest's x87, SSE, AVX … state in v->fpu */

extern u64 tpz_fpu_mask;		/* XCR0 bits that guests may use */
int tpz_fpu_init(void);			/* module load */
u32 tpz_fpu_bytes(void);
int tpz_fpu_create(struct tpz_vcpu *v);
void tpz_fpu_destroy(struct tpz_vcpu *v);

/**
 * tpz_fpu_load() - the host's state out of the registers (kernel_fpu_begin), the guest's in
 * tpz_fpu_save() - the guest's out, kernel_fpu_end
 * Context: interrupts off, from the one to the other. XCR0 is the backend's (hw/switch.h) at the entry.
 */
void tpz_fpu_load(struct tpz_vcpu *v);
void tpz_fpu_save(struct tpz_vcpu *v);
int tpz_fpu_set(struct tpz_vcpu *v, const void *area, char *bad, size_t bad_bytes);	/* checked */

/* ---- state.c, reset.c */

void tpz_cpu_reset(struct tpz_vcpu *v);		/* power-up state, SDM vol. 3A, table 9-1 */

/**
 * tpz_cpu_take_init() - an INIT and a start-up message that other vCPUs have sent, if any, take effect
 * Context: the vCPU's thread. May sleep.
 */
void tpz_cpu_take_init(struct tpz_vcpu *v);

/**
 * tpz_state_get(), tpz_state_set() - the groups of @st->groups; for set: checked over the result, then all or nothing
 * @fpu: kernel copy of the FPU area, or NULL if the group is not asked for
 * Context: the vCPU's thread, loaded. May sleep.
 */
int tpz_state_get(struct tpz_vcpu *v, struct tpz_state *st, void *fpu);
int tpz_state_set(struct tpz_vcpu *v, struct tpz_state *st, const void *fpu);

#endif /* TPZ_CPU_H */
