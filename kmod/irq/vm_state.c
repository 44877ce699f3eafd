// SPDX-License-Identifier: GPL-2.0
/*
 * The state groups of a VM: all of a call are checked before any is set.
 */
#include <linux/string.h>
#include "irq.h"

static int refuse(struct tpz_vm_state *st, u64 group, const char *device, const char *why)
{
	st->bad_group = group;
	scnprintf(st->bad_field, sizeof(st->bad_field), "%s: %s", device, why);
	return -EINVAL;
}

static int check_groups(const struct tpz_vm *vm, struct tpz_vm_state *st)
{
	static const char none[] = "this VM was created without it";

	if (st->groups & ~TPZ_VM_STATE_ALL)
		return refuse(st, st->groups & ~TPZ_VM_STATE_ALL, "groups", "no such group");
	if ((st->groups & TPZ_VM_STATE_PIC) && !vm->pic)
		return refuse(st, TPZ_VM_STATE_PIC, "pic", none);
	if ((st->groups & TPZ_VM_STATE_IOAPIC) && !vm->ioapic)
		return refuse(st, TPZ_VM_STATE_IOAPIC, "ioapic", none);
	if ((st->groups & TPZ_VM_STATE_PIT) && !vm->pit)
		return refuse(st, TPZ_VM_STATE_PIT, "pit", none);
	return 0;
}

/* A tick that comes meanwhile is rather told twice than not at all: whoever drives a line is read before its end */
int tpz_vm_state_get(struct tpz_vm *vm, struct tpz_vm_state *st)
{
	int ret = check_groups(vm, st);

	if (ret)
		return ret;
	if (st->groups & TPZ_VM_STATE_PIT)
		tpz_pit_get_state(vm, &st->pit);
	if (st->groups & TPZ_VM_STATE_PIC)
		tpz_pic_get_state(vm, &st->pic);
	if (st->groups & TPZ_VM_STATE_IOAPIC)
		tpz_ioapic_get_state(vm, &st->ioapic);
	return 0;
}

static int check_values(struct tpz_vm_state *st)
{
	const char *bad;

	if (st->groups & TPZ_VM_STATE_PIC) {
		bad = tpz_pic_check_state(&st->pic);
		if (bad)
			return refuse(st, TPZ_VM_STATE_PIC, "pic", bad);
	}
	if (st->groups & TPZ_VM_STATE_IOAPIC) {
		bad = tpz_ioapic_check_state(&st->ioapic);
		if (bad)
			return refuse(st, TPZ_VM_STATE_IOAPIC, "ioapic", bad);
	}
	if (st->groups & TPZ_VM_STATE_PIT) {
		bad = tpz_pit_check_state(&st->pit);
		if (bad)
			return refuse(st, TPZ_VM_STATE_PIT, "pit", bad);
	}
	return 0;
}

int tpz_vm_state_set(struct tpz_vm *vm, struct tpz_vm_state *st)
{
	int ret = check_groups(vm, st) ?: check_values(st);

	if (ret)
		return ret;
	if (st->groups & TPZ_VM_STATE_PIC)
		tpz_pic_set_state(vm, &st->pic);
	if (st->groups & TPZ_VM_STATE_IOAPIC)
		tpz_ioapic_set_state(vm, &st->ioapic);
	if (st->groups & TPZ_VM_STATE_PIT)
		tpz_pit_set_state(vm, &st->pit);
	return 0;
}
