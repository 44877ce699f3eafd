// SPDX-License-Identifier: GPL-2.0
/*
 * Every exit code of the manual has a row: an instruction that makes the CPU exit with it, or the reason why nothing here
 * can. exit_codes_svm.h and exit_codes_vmx.h hold the rows.
 *
 * Where the launcher gets the exit, it sees the code itself. Where the kernel answers, the guest does this one thing and
 * nothing else, and the meter of the reason must tell one trap. Intercepts that Trapeze never sets are set for one entry
 * behind its back (TPZ_POKE; the module is loaded with test=1).
 *
 * A row that says that the lab's CPU cannot do it is tried all the same: what has become possible fails, too.
 */
#include "vm.h"

#include <stdio.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#include "../kmod/hw/svm/vmcb.h"
#include "../kmod/hw/vmx/vmcs.h"

#define DATA		(GUEST_FREE + 0x4000ULL)
#define HOLE		(GUEST_FREE + 0x8000ULL)	/* not present in the guest's page tables */
#define NOWHERE		(512ULL << 20)		/* in the guest's page tables, in no slot */
#define SEL_TASK	0x48
#define SEL_ABSENT	0x50
#define TRIES		20		/* an interrupt of the host may end the entry that has the intercept */

struct code {
	__u32 first, last;	/* the second: of a range for which nothing is tried */
	const char *guest;	/* RBX: DATA, RSI: HOLE, RDI: NOWHERE, the other registers are 0 */
	__u32 reason;
	bool to_user;		/* the launcher gets the code */
	__u32 ends;		/* what the launcher gets instead; 0: the guest's last OUT */
	bool many;		/* it comes as often as it likes */
	bool nmi_blocked;	/* as in the handler of an NMI */
	bool protected;		/* in 32-bit protected mode */
	__u64 traps;
	__u64 cr0, cr4, rflags;	/* set as it starts */
	__u32 field;		/* the control that is poked, */
	__u32 flip;		/* and its bits */
	const char *tcg;	/* not reached: what QEMU's TCG does instead */
	const char *bochs;	/* what Bochs does instead */
	const char *tcg_tells;	/* reached, but QEMU's TCG tells another code: the instruction was decoded */
	const char *why;	/* nothing is tried: who else reaches it, or why nobody can */
};

/* ------------------------------------------------------------------ the rows: the guest's code, then the tables */

#include "exit_codes_svm.h"
#include "exit_codes_vmx.h"

#define EMIT(code, text, ...)	asm(".balign 16\nexit_" #code ":\n\t" text "\n\tret\n\t.code64\n");
#define DECLARE(code, ...)	extern const char exit_##code[];
#define ROW(code, text, ...)	{ .first = code, .last = code, .guest = exit_##code, __VA_ARGS__ },
#define NO_ROW(from, to, words)	{ .first = from, .last = to, .why = words },
#define NOTHING(...)

asm(".text");
SVM_ROWS(EMIT, NOTHING)
VMX_ROWS(EMIT, NOTHING)
SVM_ROWS(DECLARE, NOTHING)
VMX_ROWS(DECLARE, NOTHING)

static const struct code svm_codes[] = { SVM_ROWS(ROW, NO_ROW) };
static const struct code vmx_codes[] = { VMX_ROWS(ROW, NO_ROW) };

struct name {
	__u32 number;
	const char *name;
};

#define NAME(code, number)	{ number, #code },
static const struct name svm_names[] = { SVM_EXIT_CODES(NAME) };
static const struct name vmx_names[] = { VMX_EXIT_REASONS(NAME) };

static const struct code *codes;
static const struct name *names;
static unsigned int nr_codes, nr_names;

/* Names of ranges stand for all up to the next name */
static const char *name_of(__u32 code)
{
	const char *name = "?";

	for (unsigned int i = 0; i < nr_names && names[i].number <= code; i++)
		name = names[i].name + strlen(machine.svm ? "SVM_EXIT_" : "VMX_EXIT_");
	return name;
}

static unsigned int rows_of(__u32 code)
{
	unsigned int rows = 0;

	for (unsigned int i = 0; i < nr_codes; i++)
		rows += code >= codes[i].first && code <= codes[i].last;
	return rows;
}

static void every_code_has_a_row(void)
{
	for (unsigned int i = 0; i < nr_names; i++)
		CHECK_THAT(rows_of(names[i].number) == 1, "%#x %s", names[i].number, names[i].name);
	for (__u32 code = 0; machine.svm && code <= SVM_EXIT_IDLE_HLT; code++)
		CHECK_THAT(rows_of(code) == 1, "%#x %s", code, name_of(code));
}

/* ------------------------------------------------------------------ one code */

static void poke(struct vcpu *vcpu, const struct code *code)
{
	struct tpz_poke poke = {
		.size = sizeof(poke), .flags = TPZ_POKE_XOR, .field = code->field, .value = code->flip,
	};

	CHECK_SYS(ioctl(vcpu->fd, TPZ_POKE, &poke));
}

/* A task's segment, available; a data segment that is not present; a page that is not */
static void prepare(struct vm *vm)
{
	const __u64 tss = 0x0000890000000067ULL | DATA << 16, absent = 0x00cf12000000ffffULL;

	memcpy(vm->memory + GUEST_GDT + SEL_TASK, &tss, sizeof(tss));
	memcpy(vm->memory + GUEST_GDT + SEL_ABSENT, &absent, sizeof(absent));
	*vm_pte(vm, HOLE) &= ~1ULL;
}

static void start(struct vcpu *vcpu, const struct code *code)
{
	struct tpz_state state = vcpu_start_state(vcpu, code->protected ? MODE_PROTECTED : MODE_LONG, RING0,
						  (uintptr_t)code->guest, NOWHERE);

	state.regs.gpr[TPZ_RBX] = DATA;
	state.regs.gpr[TPZ_RSI] = HOLE;
	state.regs.rflags |= code->rflags;
	state.control.cr0 |= code->cr0;
	state.control.cr4 |= code->cr4;
	state.events.nmi_blocked = code->nmi_blocked;
	vcpu_set(vcpu, &state);
}

static bool is_noise(unsigned int reason)
{
	return reason == TPZ_EXIT_HOST_INTERRUPT || reason == TPZ_EXIT_HOST_NMI || reason == TPZ_EXIT_NPF ||
	       reason == TPZ_EXIT_IO;	/* the last: how the guest ends */
}

/* The trap was counted under its own reason, once, and no other one was */
static bool metered(const struct code *code, const struct tpz_vcpu_meters *before, const struct tpz_vcpu_meters *after)
{
	for (unsigned int i = 0; i < TPZ_EXIT_COUNT; i++) {
		const __u64 came = after->reason[i].count - before->reason[i].count;

		if (i == code->reason && (code->many ? came < 1 : came != 1))
			return false;
		if (i != code->reason && came && !is_noise(i))
			return false;
	}
	return true;
}

static bool reached_in(struct vcpu *vcpu, const struct code *code, const struct meters *meters)
{
	const struct tpz_vcpu_meters before = meters_read(meters, 0);
	struct tpz_vcpu_meters after;
	__u32 ended;

	start(vcpu, code);
	if (code->field)
		poke(vcpu, code);
	ended = vcpu_run(vcpu);
	if (code->to_user)
		return ended == code->reason && (__u32)vcpu->run->raw_reason == code->first;
	after = meters_read(meters, 0);
	return ended == (code->ends ?: TPZ_EXIT_IO) && metered(code, &before, &after);
}

/* The first try brings the guest's memory in */
static bool reached(const struct code *code)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = code->traps, .timer_cycles = code->traps & TPZ_TRAP_TIMER ? 1000 : 0);
	struct meters meters = meters_open(vcpu->vm->id);
	bool yes = false;

	prepare(vcpu->vm);
	for (int i = 0; i < TRIES && !yes; i++)
		yes = reached_in(vcpu, code, &meters);
	vm_close(vcpu->vm);
	return yes;
}

/* ------------------------------------------------------------------ all */

static const char *excuse_of(const struct code *code)
{
	return machine.tcg ? code->tcg : code->bochs;
}

static void tell(const struct code *code, const char *what, const char *more)
{
	const char *number = machine.svm ? "%03x" : "%u", *range = machine.svm ? "%03x-%03x" : "%u-%u";
	char text[32];

	snprintf(text, sizeof(text), code->first == code->last ? number : range, code->first, code->last);
	ktap_diag("%s %s: %s%s", text, name_of(code->first), what, more);
}

/* Return: whether what the row says is so */
static bool try_row(const struct code *code)
{
	const char *excuse = excuse_of(code);
	bool yes;

	if (code->why) {
		tell(code, "", code->why);
		return true;
	}
	yes = reached(code);
	if (yes && excuse)
		tell(code, "WRONG: is reached, though this CPU ", excuse);
	else if (yes && machine.tcg && code->tcg_tells)
		tell(code, "reached, though TCG tells the code of ", code->tcg_tells);
	else if (yes)
		tell(code, "reached: ", reason_name(code->reason));
	else if (excuse)
		tell(code, "not reached: this CPU ", excuse);
	else
		tell(code, "WRONG: not reached as ", reason_name(code->reason));
	return yes != !!excuse;
}

static void every_code_is_reached(void)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < nr_codes; i++)
		wrong += !try_row(&codes[i]);
	CHECK_THAT(!wrong, "%u of %u rows", wrong, nr_codes);
}

static const struct ktap_case cases[] = {
	{ "every exit code of the manual has a row", every_code_has_a_row },
	{ "every exit code is reached, or cannot be", every_code_is_reached },
};

int main(int argc, char **argv)
{
	codes = machine.svm ? svm_codes : vmx_codes;
	nr_codes = machine.svm ? ARRAY_SIZE(svm_codes) : ARRAY_SIZE(vmx_codes);
	names = machine.svm ? svm_names : vmx_names;
	nr_names = machine.svm ? ARRAY_SIZE(svm_names) : ARRAY_SIZE(vmx_names);
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
