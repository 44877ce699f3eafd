// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: which accesses exit and with what told, how many faults memory costs, slots, and what is left when a
 * slot or a VM goes.
 *
 * On one CPU: on two, Bochs 3.0 would lose the guest's RIP where a host interrupt follows a #PF (Documentation/lab.md).
 */
#define _GNU_SOURCE
#include "memory.h"

#include <sys/mman.h>

/* ------------------------------------------------------------------ what exits, and what is told */

static void unbacked_address(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 gpa = AREA + 0x12345678;
	__u32 *memory;

	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, gpa);
	for (int again = 0; again < 2; again++) {	/* an instruction that is set anew tries again */
		struct tpz_state state;

		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.gpa, gpa);
		CHECK_EQ(vcpu->run->mmio.bytes, 4);
		CHECK_EQ(vcpu->run->mmio.write, 0);
		state = vcpu_get(vcpu, TPZ_STATE_REGS);
		CHECK_EQ(state.regs.rip, vcpu->run->rip);
		vcpu_set(vcpu, &state);
	}
	memory = vm_add_memory(vcpu->vm, SLOT_TEST, gpa & -PAGE, PAGE, 0);
	memory[(gpa & (PAGE - 1)) / 4] = 0xabcdef01;
	CHECK_EQ(vcpu_finish(vcpu), 0xabcdef01);
}

static void unbacked_write_and_fetch(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA + 4);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, AREA + 4);
	CHECK_EQ(vcpu->run->mmio.bytes, 4);
	CHECK_EQ(vcpu->run->mmio.write, 1);
	CHECK_EQ(*(volatile __u32 *)vcpu->data, 0x12345678);

	vcpu_start(vcpu, MODE_LONG, RING0, AREA + 16, 0);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA + 16);
	CHECK_EQ(vcpu->run->memory.fetch, 1);
	CHECK_EQ(vcpu->run->memory.write, 0);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->rip, AREA + 16);
}

static void readonly_slot(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, AREA, 4 * PAGE, TPZ_SLOT_READONLY);

	memory[0] = 77;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 77);
	for (int page = 0; page < 2; page++) {		/* one that was read before, one that was not */
		vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA + page * PAGE);
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.gpa, AREA + page * PAGE);
		CHECK_EQ(vcpu->run->mmio.bytes, 4);
		CHECK_EQ(vcpu->run->mmio.write, 1);
		/* The write is the launcher's to carry out: the guest reads what it made of it */
		CHECK_EQ(vcpu_finish(vcpu), page ? 0 : 77);
	}
	CHECK_EQ(memory[0], 77);
	CHECK_EQ(memory[PAGE / 4], 0);

	/* The launcher may still write, and the guest sees it */
	memory[0] = 78;
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 78);

	/* The same memory, writable: the guest writes by itself */
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, 4 * PAGE, memory, 0);
	CHECK_EQ(run_guest(vcpu, guest_write, AREA), 0x12345678);
	CHECK_EQ(memory[0], 0x12345678);
}

/* What the launcher itself may not do, the guest may not do */
static void launcher_protection(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, AREA, PAGE, 0);

	memory[0] = 5;
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 5);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, AREA);
	CHECK_EQ(vcpu->run->memory.readonly_slot, 0);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(vcpu_finish(vcpu), 0x12345678);

	CHECK_SYS(mprotect(memory, PAGE, PROT_NONE));
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_SYS(mprotect(memory, PAGE, PROT_READ));
	CHECK_EQ(vcpu_finish(vcpu), 0x12345678);
}

/* ------------------------------------------------------------------ slots */

static int set_slot(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, __u64 uaddr, __u32 flags)
{
	struct tpz_slot set = { .size = sizeof(set), .flags = flags, .slot = slot,
				.gpa = gpa, .bytes = bytes, .uaddr = uaddr };

	return ioctl(vm->fd, TPZ_SET_SLOT, &set);
}

static void slot_rules(void)
{
	struct vm *vm = vm_create();
	struct tpz_info info = device_info();
	__u64 memory = (uintptr_t)map_anonymous(reserve(), 16 * PAGE), top = 1ULL << info.phys_bits;
	struct tpz_slot odd = { .size = sizeof(odd), .slot = 5, .scan_us = 1000, .gpa = AREA, .bytes = PAGE, .uaddr = memory };

	CHECK_SYS(set_slot(vm, 2, AREA, 8 * PAGE, memory, 0));
	/* Overlaps: at its start, its end, inside, around; but not side by side */
	CHECK_ERR(set_slot(vm, 3, AREA - PAGE, 2 * PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA + 7 * PAGE, 2 * PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA + 3 * PAGE, PAGE, memory, 0), EEXIST);
	CHECK_ERR(set_slot(vm, 3, AREA - PAGE, 16 * PAGE, memory, 0), EEXIST);
	CHECK_SYS(set_slot(vm, 3, AREA - PAGE, PAGE, memory, 0));
	CHECK_SYS(set_slot(vm, 4, AREA + 8 * PAGE, PAGE, memory, 0));
	/* A slot may move over its own old place, but not over others */
	CHECK_SYS(set_slot(vm, 2, AREA + PAGE, 7 * PAGE, memory, 0));
	CHECK_ERR(set_slot(vm, 2, AREA, 9 * PAGE, memory, 0), EEXIST);

	CHECK_ERR(set_slot(vm, 5, AREA + 1, PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE + 512, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, memory + 8, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, memory, 2), EINVAL);
	CHECK_ERR(set_slot(vm, info.max_slots, 2 * AREA, PAGE, memory, 0), EINVAL);
	CHECK_ERR(ioctl(vm->fd, TPZ_SET_SLOT, &odd), EINVAL);
	CHECK_ERR(set_slot(vm, 5, top, PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, top - PAGE, 2 * PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, -PAGE, 2 * PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 0, -PAGE, memory, 0), EINVAL);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, PAGE, 0xffff888000000000ULL, 0), EFAULT);
	CHECK_ERR(set_slot(vm, 5, 2 * AREA, 4 * PAGE, -2 * PAGE, 0), EFAULT);
	CHECK_ERR(set_slot(vm, 5, 0, 0, 0, 0), ENOENT);
	CHECK_SYS(set_slot(vm, 5, top - PAGE, PAGE, memory, 0));

	for (__u32 slot = 2; slot < 6; slot++)
		CHECK_SYS(set_slot(vm, slot, 0, 0, 0, 0));
	CHECK_ERR(set_slot(vm, 2, 0, 0, 0, 0), ENOENT);
	for (__u32 slot = 2; slot < info.max_slots; slot++)	/* from the top down */
		CHECK_SYS(set_slot(vm, slot, AREA + (info.max_slots - slot) * 2 * PAGE, PAGE, memory, 0));
}

static void slots_come_and_go(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	__u8 *memory = map_anonymous(reserve(), 8 * PAGE);
	__u64 before = meters.vm->slot_bytes;

	memory[0] = 1;
	memory[4 * PAGE] = 2;
	vm_set_slot(vcpu->vm, 2, AREA, 4 * PAGE, memory, 0);
	CHECK_EQ(meters.vm->slot_bytes, before + 4 * PAGE);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 1);
	/* Other memory at the same place */
	vm_set_slot(vcpu->vm, 2, AREA, 4 * PAGE, memory + 4 * PAGE, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA), 2);
	/* The same memory at another place, twice */
	vm_set_slot(vcpu->vm, 2, AREA + LARGE, 4 * PAGE, memory, 0);
	vm_set_slot(vcpu->vm, 3, AREA + 2 * LARGE, 4 * PAGE, memory, TPZ_SLOT_READONLY);
	CHECK_EQ(run_guest(vcpu, guest_write, AREA + LARGE), 0x12345678);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0x12345678);
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, AREA);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, AREA);
	/* What the host takes away is gone at both places */
	CHECK_SYS(madvise(memory, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + LARGE), 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0);
	vm_set_slot(vcpu->vm, 2, 0, 0, NULL, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, AREA + 2 * LARGE), 0);
	vm_set_slot(vcpu->vm, 3, 0, 0, NULL, 0);
	CHECK_EQ(meters.vm->slot_bytes, before);
	CHECK_EQ(meters.vm->resident_pages, 0);
	CHECK_EQ(meters.vm->table_pages, 1);
}

/* ------------------------------------------------------------------ faults kept apart */

static volatile __u64 page_faults;
static volatile __u64 *pte_to_mend;

static void mend_pte(struct guest_frame *frame)
{
	page_faults++;
	GUEST_CHECK_EQ(frame->error & 1, 0);
	*pte_to_mend |= 1;
}

/* The first touch of each page costs one nested fault and no #PF; the second costs nothing */
static void first_touch(void)
{
	const __u64 pages = 64;
	struct cost before, cost;
	struct meters meters;
	struct vcpu *vcpu;
	__u8 *memory;
	__u64 resident;

	quiet_host_memory();
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	memory = map_anonymous(reserve(), (pages + 1) * PAGE);

	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, (pages + 1) * PAGE, memory, 0);
	guest_on(14, mend_pte);
	page_faults = 0;
	work.gpa = AREA;
	work.pages = 1;
	run_guest(vcpu, guest_fill, 1);		/* code, stack and page tables are there now */
	run_guest(vcpu, guest_verify, 1);
	work.gpa = AREA + PAGE;
	work.pages = pages;

	before = cost_of(&meters);
	resident = meters.vm->resident_pages;
	CHECK_EQ(run_guest(vcpu, guest_fill, 1), 1);
	cost = cost_since(&meters, &before);
	CHECK_EQ(cost.zaps, 0);
	CHECK_EQ(cost.faults, pages);
	CHECK_EQ(cost.mapped, pages);
	CHECK_EQ(cost.exits, pages + 1);	/* and the OUT at the end */
	CHECK_EQ(cost.exceptions, 0);
	CHECK_EQ(page_faults, 0);
	CHECK_EQ(meters.vm->resident_pages - resident, pages);

	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_verify, 1), 1);
	cost = cost_since(&meters, &before);
	CHECK_EQ(cost.faults, 0);
	CHECK_EQ(cost.exits, 1);

	/* Read first: the leaf permits what the host's does. Zero pages are read-only: each costs a second fault */
	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_DONTNEED));
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_sum, 0), 0);
	CHECK_EQ(cost_since(&meters, &before).faults, pages);
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_fill, 2), 1);
	CHECK_EQ(cost_since(&meters, &before).faults, pages);
	/* What the launcher has written to is writable at once */
	CHECK_SYS(madvise(memory, (pages + 1) * PAGE, MADV_DONTNEED));
	memset(memory, 0, (pages + 1) * PAGE);
	before = cost_of(&meters);
	CHECK_EQ(run_guest(vcpu, guest_sum, 0), 0);
	CHECK_EQ(run_guest(vcpu, guest_fill, 3), 1);
	CHECK_EQ(cost_since(&meters, &before).faults, pages);
	CHECK_EQ(page_faults, 0);
}

static GUEST __u32 guest_fault_once(__u64 gpa)
{
	__u64 faults = page_faults;

	*pte_to_mend &= ~1ULL;
	asm volatile("invlpg (%0)" : : "r"(gpa) : "memory");
	*(volatile __u32 *)gpa = 9;
	return page_faults - faults;
}

/* A #PF that the guest's own tables cause is the guest's own affair */
static void guests_own_page_fault(void)
{
	const __u64 gpa = GUEST_FREE, times = 100;
	struct cost before, cost;
	struct meters meters;
	struct vcpu *vcpu;

	quiet_host_memory();
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	guest_on(14, mend_pte);
	pte_to_mend = (volatile __u64 *)(GUEST_PT + gpa / PAGE * 8);
	CHECK_EQ(run_guest(vcpu, guest_fault_once, gpa), 1);	/* brings everything in */
	before = cost_of(&meters);
	for (__u64 i = 0; i < times; i++)
		CHECK_EQ(run_guest(vcpu, guest_fault_once, gpa), 1);
	cost = cost_since(&meters, &before);
	CHECK_EQ(cost.zaps, 0);
	CHECK_EQ(cost.exits, times);		/* the OUT at the end of each */
	CHECK_EQ(cost.faults, 0);
	CHECK_EQ(cost.exceptions, 0);
}

/* The CPU could not read or mark the guest's own page table: told apart from an access by the guest */
static void page_table_page(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 table = AREA, gva = 1ULL << 39;	/* PML4 entry 1 -> a PDPT at AREA: gva + 0 is gpa 0 by a 1 GiB page */
	__u64 *pml4 = vm_host(vcpu->vm, GUEST_PML4), *pdpt;

	pml4[1] = table | 7;
	vcpu_start(vcpu, MODE_LONG, RING0, guest_read, gva + GUEST_FREE);
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, table);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	CHECK_EQ(vcpu->run->memory.gva, machine.npf_tells_gva ? gva + GUEST_FREE : 0);

	/* A table in a read-only slot: its accessed bit cannot be set */
	pdpt = vm_add_memory(vcpu->vm, SLOT_TEST, table, PAGE, TPZ_SLOT_READONLY);
	pdpt[0] = 0x87;
	*(__u32 *)vm_host(vcpu->vm, GUEST_FREE) = 31;
	vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, table);
	CHECK_EQ(vcpu->run->memory.page_walk, 1);
	CHECK_EQ(vcpu->run->memory.readonly_slot, 1);
	CHECK_EQ(vcpu->run->memory.no_slot, 0);
	CHECK_EQ(vcpu->run->memory.write, 1);

	/* The guest's own access to the same page is not a page walk */
	vcpu_start(vcpu, MODE_LONG, RING0, guest_write, table + 8);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, table + 8);
	CHECK_EQ(vcpu->run->mmio.write, 1);

	vm_set_slot(vcpu->vm, SLOT_TEST, table, PAGE, pdpt, 0);
	CHECK_EQ(run_guest(vcpu, guest_read, gva + GUEST_FREE), 31);
	CHECK_EQ(pdpt[0] & 0xff, 0xa7);		/* the CPU has marked it accessed */
}

/* ------------------------------------------------------------------ what is left */

/* Two VMs of one process share its memory; one ends, the other goes on */
static void two_vms(void)
{
	__u8 *memory;
	struct vcpu *first = vm_filled(32, &memory), *second = vm_with_vcpu();

	vm_set_slot(second->vm, SLOT_TEST, AREA, 32 * PAGE, memory, 0);
	CHECK_EQ(run_guest(second, guest_verify, 1), 1);
	CHECK_EQ(run_guest(second, guest_fill, 2), 1);
	CHECK_EQ(run_guest(first, guest_verify, 2), 1);
	CHECK_SYS(madvise(memory, 32 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(first, guest_read, AREA), 0);
	CHECK_EQ(run_guest(second, guest_read, AREA), 0);
	CHECK_EQ(run_guest(first, guest_fill, 3), 1);
	vm_close(first->vm);
	CHECK_EQ(run_guest(second, guest_verify, 3), 1);
	CHECK_SYS(madvise(memory, 32 * PAGE, MADV_DONTNEED));
	CHECK_EQ(run_guest(second, guest_read, AREA), 0);
}

/* Page-table pages grow with what is touched, and go with the slot */
static void table_pages(void)
{
	const __u64 bytes = 128UL << 20;
	__u8 *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct meters meters;
	struct vcpu *vcpu;
	__u64 before;

	CHECK(memory != MAP_FAILED);
	quiet_host_memory();
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	CHECK_SYS(madvise(memory, bytes, MADV_NOHUGEPAGE));
	vm_set_slot(vcpu->vm, SLOT_TEST, AREA, bytes, memory, 0);
	run_guest(vcpu, guest_read, AREA);
	before = meters.vm->table_pages;
	for (__u64 at = LARGE; at < bytes; at += LARGE)
		CHECK_EQ(run_guest(vcpu, guest_read, AREA + at), 0);
	CHECK_EQ(meters.vm->table_pages - before, bytes / LARGE - 1);
	CHECK_SYS(madvise(memory, bytes, MADV_DONTNEED));
	CHECK_LE(meters.vm->table_pages, before);
	CHECK_SYS(munmap(memory, bytes));
	CHECK_LE(meters.vm->table_pages, before);
}

static const struct ktap_case cases[] = {
	{ "an access to an unbacked address exits with that address", unbacked_address },
	{ "unbacked writes and fetches are told as such", unbacked_write_and_fetch },
	{ "a read-only slot", readonly_slot },
	{ "the launcher's own protections bind the guest", launcher_protection },
	{ "slots: rules", slot_rules },
	{ "slots: set, moved, aliased, removed", slots_come_and_go },
	{ "the first touch of a page: one nested fault and no #PF", first_touch },
	{ "a #PF of the guest's own making costs no exit", guests_own_page_fault },
	{ "a violation on the guest's page table is told apart", page_table_page },
	{ "two VMs on the same memory", two_vms },
	{ "pages of the nested page table", table_pages },
};

KTAP_MAIN(cases)
