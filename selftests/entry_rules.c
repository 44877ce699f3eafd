// SPDX-License-Identifier: GPL-2.0
/*
 * A refused entry explains itself: the manual's rules for a VMCS or VMCB are broken one by one, by writing a field behind
 * the module's back (TPZ_POKE; the module is loaded with test=1). Each time TPZ_RUN must name the rule, and the guest must
 * go on afterwards as if nothing had happened.
 *
 * The CPU's own opinion counts, too: Bochs says why it refuses an entry. What it must say is told in a line
 * "# emulator: …", and the lab compares these lines with the emulator's log, one by one. QEMU refuses without a word.
 *
 * Only rules that the lab's emulators check are broken: an entry that they let in with a wrong host state would take the
 * machine along.
 */
#define _GNU_SOURCE
#include "machine.h"
#include "vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#include "../kmod/hw/svm/vmcb.h"
#include "../kmod/hw/vmx/vmcs.h"

/* ------------------------------------------------------------------ guests */

/* The same bytes in 16-bit, 32-bit and 64-bit code: 1: inc %eax; out %eax, $PORT_TEST; jmp 1b */
static const __u8 count_up[] = { 0xff, 0xc0, 0xe7, PORT_TEST, 0xeb, 0xfa };

enum { LONG, PROTECTED, REAL, PAE, MODES };

static const enum guest_mode modes[MODES] = { MODE_LONG, MODE_PROTECTED, MODE_REAL, MODE_PAE };
static const char *const mode_names[MODES] = { "long", "protected", "real", "PAE" };

#define L	(1 << LONG)
#define P	(1 << PROTECTED)
#define R	(1 << REAL)
#define A	(1 << PAE)
#define ANY	(L | P | R)

struct guest {
	struct vcpu *vcpu;
	__u16 counted;
};

static struct guest create_guest(int mode)
{
	struct guest guest = { .vcpu = vm_with_vcpu() };

	vcpu_load(guest.vcpu, GUEST_REAL_CODE, count_up, count_up + sizeof(count_up));
	vcpu_start(guest.vcpu, modes[mode], RING0, modes[mode] == MODE_REAL ? 0 : GUEST_REAL_CODE, 0);
	return guest;
}

static void goes_on(struct guest *guest)
{
	guest->counted++;
	CHECK_EQ((__u16)vcpu_expect_out(guest->vcpu, PORT_TEST), guest->counted);
}

/* ------------------------------------------------------------------ breaking rules */

struct rule {
	const char *name;
	__u32 modes;		/* of guests that it is broken for */
	__u32 field;
	__u32 flags;
	__u64 value;
	const char *emulator;	/* what the emulator must say of it, if it talks */
};

static int poke(struct vcpu *vcpu, __u32 field, __u32 flags, __u64 value)
{
	struct tpz_poke poke = { .size = sizeof(poke), .flags = flags, .field = field, .value = value };

	return ioctl(vcpu->fd, TPZ_POKE, &poke);
}

/* What the CPU says of a broken rule, beside that it is broken */
struct refusal {
	__u32 error;
	__u32 reason;
	__u64 qualification;
};

/* What differs between the vendors, beside the rules themselves */
struct vendor {
	const char *chapter;		/* of the manual that has the rules */
	struct sample {
		const struct rule *rule;
		const struct refusal *refusal;
		const char *log;
	} samples[2];			/* rules of all modes, for the cases that any rule will do for */
	const __u32 *unpokeable;	/* fields that TPZ_POKE does not know or must not write */
	unsigned int nr_unpokeable;
};

static const struct vendor *vendor;

/* Return: whether the refusal was explained right */
static bool break_rule(struct vcpu *vcpu, const struct rule *rule, const struct refusal *refusal)
{
	const volatile struct tpz_run_entry_failed *failed = &vcpu->run->entry_failed;
	char start[64];

	if (rule->emulator)
		ktap_diag("emulator: %s", rule->emulator);
	CHECK_SYS(poke(vcpu, rule->field, rule->flags, rule->value));
	vcpu_run(vcpu);
	snprintf(start, sizeof(start), "%s: ", rule->name);
	return vcpu->run->reason == TPZ_EXIT_ENTRY_FAILED &&
	       !strcmp((const char *)failed->rule, rule->name) &&
	       !strncmp((const char *)failed->section, vendor->chapter, strlen(vendor->chapter)) &&
	       !strncmp((const char *)failed->text, start, strlen(start)) &&
	       failed->hw_error == refusal->error && failed->hw_reason == refusal->reason &&
	       vcpu->run->qualification == refusal->qualification;
}

static void break_rules(const struct rule *rules, unsigned int count, const struct refusal *refusal)
{
	struct guest guests[MODES];
	unsigned int broken = 0, wrong = 0;

	for (int mode = 0; mode < MODES; mode++) {
		guests[mode] = create_guest(mode);
		goes_on(&guests[mode]);
	}
	for (unsigned int i = 0; i < count; i++)
		for (int mode = 0; mode < MODES; mode++) {
			struct guest *guest = &guests[mode];

			if (!(rules[i].modes & 1 << mode))
				continue;
			broken++;
			if (!break_rule(guest->vcpu, &rules[i], refusal)) {
				ktap_diag("%s mode, %s: %s", mode_names[mode], rules[i].name,
					  vcpu_exit_text(guest->vcpu));
				wrong++;
			}
			goes_on(guest);
		}
	ktap_diag("%u rules, broken %u times", count, broken);
	CHECK_EQ(wrong, 0);
}

/* ------------------------------------------------------------------ the rules */

#include "entry_rules_vmx.h"
#include "entry_rules_svm.h"

/* ------------------------------------------------------------------ what else a refusal must (not) do */

static bool break_sample(struct vcpu *vcpu, unsigned int i)
{
	return break_rule(vcpu, vendor->samples[i].rule, vendor->samples[i].refusal);
}

/* On VMX: VMLAUNCH is refused, not VMRESUME. And twice in a row */
static void the_first_entry(void)
{
	struct guest guest = create_guest(LONG);

	CHECK(break_sample(guest.vcpu, 0));
	CHECK(break_sample(guest.vcpu, 1));
	goes_on(&guest);
	CHECK(break_sample(guest.vcpu, 1));
	CHECK(break_sample(guest.vcpu, 0));
	goes_on(&guest);
}

static void no_register_changes(void)
{
	const __u64 groups = TPZ_STATE_REGS | TPZ_STATE_SEGMENTS | TPZ_STATE_CONTROL | TPZ_STATE_DEBUG |
		TPZ_STATE_EVENTS;

	for (int mode = 0; mode < MODES; mode++)
		for (unsigned int i = 0; i < ARRAY_SIZE(vendor->samples); i++) {
			struct guest guest = create_guest(mode);
			struct tpz_state before, after;

			goes_on(&guest);
			before = vcpu_get(guest.vcpu, groups);
			CHECK(break_sample(guest.vcpu, i));
			after = vcpu_get(guest.vcpu, groups);
			CHECK_EQ(guest.vcpu->run->rip, before.regs.rip);
			CHECK_EQ(memcmp(&before, &after, sizeof(before)), 0);
		}
}

/* An event that was to be delivered by the refused entry is delivered by the next one */
static GUEST __u32 spin_on(__u64 flag)
{
	while (!*(volatile __u32 *)flag)
		;
	return 7;
}

static volatile __u32 nmis;

static GUEST void on_nmi(struct guest_frame *frame)
{
	(void)frame;
	nmis++;
}

static void an_event_is_kept(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)spin_on, (uintptr_t)&nmis);

	nmis = 0;
	guest_on(2, on_nmi);
	state.events.nmi_pending = 1;
	vcpu_set(vcpu, &state);
	CHECK(break_sample(vcpu, 1));
	CHECK_EQ(nmis, 0);
	CHECK_EQ(vcpu_finish(vcpu), 7);
	CHECK_EQ(nmis, 1);
}

/* ------------------------------------------------------------------ the log */

static void the_log_tells_each_rule_once(void)
{
	int logs[ARRAY_SIZE(vendor->samples)];

	module_reload("test=1");	/* which forgets what it has told */
	for (unsigned int i = 0; i < ARRAY_SIZE(logs); i++)
		logs[i] = kernel_log();
	for (int vms = 0; vms < 2; vms++) {
		struct guest guest = create_guest(LONG);

		for (int times = 0; times < 2; times++)
			for (unsigned int i = 0; i < ARRAY_SIZE(logs); i++)
				CHECK(break_sample(guest.vcpu, i));
		vm_close(guest.vcpu->vm);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(logs); i++)
		CHECK_EQ(kernel_log_count(logs[i], vendor->samples[i].log), 1);
}

/* ------------------------------------------------------------------ the poke itself */

static void a_poke_is_for_tests_alone(void)
{
	struct vcpu *vcpu;

	module_reload("test=0");
	vcpu = vm_with_vcpu();
	CHECK_ERR(poke(vcpu, vendor->samples[0].rule->field, 0, 0), EPERM);
}

static void a_poke_knows_its_limits(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	for (unsigned int i = 0; i < vendor->nr_unpokeable; i++)
		CHECK_ERR(poke(vcpu, vendor->unpokeable[i], 0, 0), EINVAL);
	CHECK_ERR(poke(vcpu, vendor->samples[0].rule->field, TPZ_POKE_XOR << 1, 0), EINVAL);
}

/* Cases of both vendors */
#define COMMON_CASES							\
	{ "the first entry is refused", the_first_entry },		\
	{ "a refused entry changes no register", no_register_changes },	\
	{ "an event is kept for the next entry", an_event_is_kept },	\
	{ "the log tells each rule once", the_log_tells_each_rule_once }, \
	{ "a poke is for tests alone", a_poke_is_for_tests_alone },	\
	{ "a poke knows its limits", a_poke_knows_its_limits }

static const struct ktap_case vmx_cases[] = {
	{ "VM-execution controls", execution_controls },
	{ "exit and entry controls", exit_and_entry_controls },
	{ "host state", host },
	{ "guest registers", guest_registers },
	{ "guest segments", guest_segments },
	{ "other guest state", guest_other_state },
	COMMON_CASES
};

static const struct ktap_case svm_cases[] = {
	{ "guest registers", svm_registers },
	{ "controls", svm_controls },
	{ "event injection", svm_events },
	{ "what QEMU's TCG lets in", svm_tcg_lets_in },
	{ "what Bochs lets in", svm_bochs_lets_in },
	{ "what both let in", svm_emulators_let_in },
	{ "parts of the CPU that it may lack", svm_optional },
	COMMON_CASES
};

int main(int argc, char **argv)
{
	if (machine.svm) {
		vendor = &svm;
		return ktap_main(svm_cases, ARRAY_SIZE(svm_cases), argc, argv);
	}
	vendor = &vmx;
	return ktap_main(vmx_cases, ARRAY_SIZE(vmx_cases), argc, argv);
}
