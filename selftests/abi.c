// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI's habits, ioctl by ioctl: sizes, unknown flags, bad pointers, the wrong kind of file, other address
 * spaces, limits, mappings, foreign readers; and a bounded storm of nonsense. Nothing here looks at what a guest does.
 */
#define _GNU_SOURCE
#include "layout.h"
#include "vm.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the ioctls, one line each */

enum kind { DEVICE_FILE, VM_FILE, VCPU_FILE, METER_FILE, KINDS };

static const char *const kind_names[KINDS] = { "device", "VM", "vCPU", "meters" };

/* Files of each kind, and what valid calls need */
static struct {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd[KINDS];
	struct tpz_vm_entry entries[4];
	struct tpz_cpuid_entry cpuid[256];
} here;

static void prepare_slot(void *arg)
{
	struct tpz_slot *slot = arg, remove = { .size = sizeof(remove), .slot = 5 };

	ioctl(here.vm->fd, TPZ_SET_SLOT, &remove);
	*slot = (struct tpz_slot){ .slot = 5, .gpa = 1ULL << 30, .bytes = PAGE, .uaddr = (uintptr_t)here.vm->memory };
}

static void prepare_list(void *arg)
{
	struct tpz_list_vms *list = arg;

	list->entries = (uintptr_t)here.entries;
	list->capacity = ARRAY_SIZE(here.entries);
	list->entry_bytes = sizeof(here.entries[0]);
}

static void prepare_meters(void *arg)
{
	((struct tpz_open_meters *)arg)->id = here.vm->id;
}

static void prepare_irq_line(void *arg)
{
	((struct tpz_irq_line *)arg)->line = 4;
}

static void prepare_coalesced(void *arg)
{
	struct tpz_coalesced *region = arg, remove = { .size = sizeof(remove), .flags = TPZ_COALESCED_REMOVE | TPZ_COALESCED_PORT,
						       .address = 0x300, .bytes = 8 };

	ioctl(here.vm->fd, TPZ_SET_COALESCED, &remove);
	*region = remove;
	region->flags = TPZ_COALESCED_PORT;
}

static void prepare_get_state(void *arg)
{
	((struct tpz_state *)arg)->groups = TPZ_STATE_REGS;
}

static void prepare_set_state(void *arg)
{
	struct tpz_state *state = arg;

	state->groups = TPZ_STATE_REGS;
	state->regs.rip = 0xfff0;
	state->regs.rflags = 2;
}

static void prepare_cpuid(void *arg)
{
	struct tpz_cpuid *get = arg;

	get->entries = (uintptr_t)here.cpuid;
	get->capacity = ARRAY_SIZE(here.cpuid);
	get->entry_bytes = sizeof(here.cpuid[0]);
}

static const struct call {
	const char *name;
	unsigned int number;
	enum kind kind;
	unsigned int bytes;
	void (*prepare)(void *);
	bool returns_file;
	bool answers;		/* the kernel writes into the struct */
} calls[] = {
	{ "TPZ_GET_INFO", TPZ_GET_INFO, DEVICE_FILE, sizeof(struct tpz_info), NULL, false, true },
	{ "TPZ_GET_FEATURE", TPZ_GET_FEATURE, DEVICE_FILE, sizeof(struct tpz_feature), NULL, false, true },
	{ "TPZ_CREATE_VM", TPZ_CREATE_VM, DEVICE_FILE, sizeof(struct tpz_create_vm), NULL, true, true },
	{ "TPZ_LIST_VMS", TPZ_LIST_VMS, DEVICE_FILE, sizeof(struct tpz_list_vms), prepare_list, false, false },
	{ "TPZ_OPEN_METERS", TPZ_OPEN_METERS, DEVICE_FILE, sizeof(struct tpz_open_meters), prepare_meters, true, false },
	{ "TPZ_SET_SLOT", TPZ_SET_SLOT, VM_FILE, sizeof(struct tpz_slot), prepare_slot, false, false },
	{ "TPZ_IRQ_LINE", TPZ_IRQ_LINE, VM_FILE, sizeof(struct tpz_irq_line), prepare_irq_line, false, false },
	{ "TPZ_GET_STATE", TPZ_GET_STATE, VCPU_FILE, sizeof(struct tpz_state), prepare_get_state, false, true },
	{ "TPZ_SET_STATE", TPZ_SET_STATE, VCPU_FILE, sizeof(struct tpz_state), prepare_set_state, false, false },
	{ "TPZ_GET_CPUID", TPZ_GET_CPUID, VCPU_FILE, sizeof(struct tpz_cpuid), prepare_cpuid, false, false },
	{ "TPZ_SET_COALESCED", TPZ_SET_COALESCED, VM_FILE, sizeof(struct tpz_coalesced), prepare_coalesced, false, false },
};

/* Those that need a world of their own: TPZ_CREATE_VCPU, TPZ_RUN, TPZ_POKE */
static const struct { unsigned int number; enum kind kind; } all_numbers[] = {
	{ TPZ_GET_INFO, DEVICE_FILE }, { TPZ_GET_FEATURE, DEVICE_FILE }, { TPZ_CREATE_VM, DEVICE_FILE },
	{ TPZ_LIST_VMS, DEVICE_FILE }, { TPZ_OPEN_METERS, DEVICE_FILE },
	{ TPZ_SET_SLOT, VM_FILE }, { TPZ_CREATE_VCPU, VM_FILE }, { TPZ_IRQ_LINE, VM_FILE },
	{ TPZ_SEND_MSI, VM_FILE }, { TPZ_SET_IRQFD, VM_FILE }, { TPZ_SET_IOEVENTFD, VM_FILE },
	{ TPZ_GET_VM_STATE, VM_FILE }, { TPZ_SET_VM_STATE, VM_FILE },
	{ TPZ_RUN, VCPU_FILE }, { TPZ_GET_STATE, VCPU_FILE }, { TPZ_SET_STATE, VCPU_FILE },
	{ TPZ_GET_CPUID, VCPU_FILE }, { TPZ_POKE, VCPU_FILE },
	{ TPZ_SET_COALESCED, VM_FILE },
};

static void open_all(void)
{
	here.vm = vm_create(.devices = TPZ_DEVICES_PC);
	here.vcpu = vcpu_create(here.vm, 0);
	here.fd[DEVICE_FILE] = device_open();
	here.fd[VM_FILE] = here.vm->fd;
	here.fd[VCPU_FILE] = here.vcpu->fd;
	here.fd[METER_FILE] = meters_open(here.vm->id).fd;
}

/* A buffer of a page and more, filled with a valid struct for @call and room behind it */
static __u8 buffer[3 * 4096] __attribute__((aligned(4096)));
#define GUARD	0xa5

static __u32 *size_field = (__u32 *)buffer;
static __u32 *flags_field = (__u32 *)(buffer + 4);

static void prepare(const struct call *call, __u32 size)
{
	memset(buffer, 0, sizeof(buffer));
	if (call->prepare)
		call->prepare(buffer);
	*size_field = size;
}

static int issue_at(const struct call *call, void *at)
{
	int ret = ioctl(here.fd[call->kind], call->number, at);

	if (ret >= 0 && call->returns_file)
		close(ret);
	return ret;
}

static int issue(const struct call *call)
{
	return issue_at(call, buffer);
}

#define EACH_CALL(call)	(const struct call *call = calls; call < calls + ARRAY_SIZE(calls); call++)

#define CHECK_CALL(call, error)						\
	do {								\
		int call_ret = issue(call);				\
		if (call_ret != -1 || errno != (error))			\
			FAIL("%s, size %u: must fail with %s, returned %d (%s)", (call)->name, \
			     size_before, #error, call_ret, call_ret < 0 ? ktap_errno_name(errno) : ""); \
	} while (0)

static int files_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* ------------------------------------------------------------------ what every ioctl owes */

static void info_is_sound(void)
{
	struct tpz_info info = device_info();

	CHECK_EQ(info.size, sizeof(info));
	CHECK_EQ(info.abi_version, TPZ_ABI_VERSION);
	CHECK(info.backend == TPZ_BACKEND_VMX || info.backend == TPZ_BACKEND_SVM);
	CHECK_EQ(info.run_bytes, TPZ_RUN_BYTES);
	CHECK_EQ(info.meter_page_bytes, TPZ_METER_PAGE);
	CHECK_GE(info.max_vcpus, 1);
	CHECK_GE(info.max_slots, 8);
	CHECK_GE(info.phys_bits, 32);
	CHECK_LE(info.phys_bits, 52);
	CHECK_GT(info.tsc_khz, 0);
	CHECK_EQ(info.vms, 0);
	CHECK_EQ(info.cpus_on, cpus_online());
	CHECK_GE(info.xsave_bytes, 576);
	CHECK_LE(info.xsave_bytes, 64 << 10);
	CHECK_GT(info.feature_count, 0);
	CHECK(memchr(info.module_version, 0, sizeof(info.module_version)));
	CHECK(info.module_version[0]);
	vm_create();
	CHECK_EQ(device_info().vms, 1);
}

static void features_are_listed(void)
{
	int device = device_open();
	__u32 count = device_info().feature_count;

	for (__u32 i = 0; i < count; i++) {
		struct tpz_feature feature = { .size = sizeof(feature), .index = i };

		CHECK_SYS(ioctl(device, TPZ_GET_FEATURE, &feature));
		CHECK_EQ(feature.index, i);
		CHECK(feature.name[0] && memchr(feature.name, 0, sizeof(feature.name)));
		CHECK(feature.why[0] && memchr(feature.why, 0, sizeof(feature.why)));
		CHECK_LE(feature.state, TPZ_FEATURE_UNUSED);
	}
	for (__u32 i = 0; i < 2; i++) {
		struct tpz_feature beyond = { .size = sizeof(beyond), .index = i ? count : 0xffffffff };

		CHECK_ERR(ioctl(device, TPZ_GET_FEATURE, &beyond), ENOENT);
	}
}

static void valid_calls_pass(void)
{
	open_all();
	for EACH_CALL(call) {
		prepare(call, call->bytes);
		if (issue(call) < 0)
			FAIL("%s: %s", call->name, strerror(errno));
		if (call->answers)
			CHECK_THAT(*size_field == call->bytes, "%s wrote size %u", call->name, *size_field);
	}
}

static void size_must_cover_size_and_flags(void)
{
	open_all();
	for EACH_CALL(call)
		for (__u32 size_before = 0; size_before < 8; size_before += size_before ? 3 : 1) {
			prepare(call, size_before);
			CHECK_CALL(call, EINVAL);
		}
}

static void a_longer_struct_with_a_zero_tail_passes(void)
{
	open_all();
	for EACH_CALL(call) {
		prepare(call, call->bytes + 8);
		if (issue(call) < 0)
			FAIL("%s: %s", call->name, strerror(errno));
		if (call->answers)
			CHECK_THAT(*size_field == call->bytes, "%s wrote size %u", call->name, *size_field);
		prepare(call, 4096);
		if (issue(call) < 0)
			FAIL("%s with a page: %s", call->name, strerror(errno));
	}
}

static void a_tail_that_is_not_zero_is_too_big(void)
{
	open_all();
	for EACH_CALL(call) {
		const __u32 tails[] = { 1, 8, 100, 4096 - call->bytes };

		for (unsigned int i = 0; i < ARRAY_SIZE(tails); i++) {
			__u32 size_before = call->bytes + tails[i];

			prepare(call, size_before);
			buffer[size_before - 1] = 1;
			CHECK_CALL(call, E2BIG);
		}
		for (__u32 size_before = 4097; size_before; size_before = size_before == 4097 ? ~0U : 0) {
			prepare(call, size_before);
			CHECK_CALL(call, E2BIG);
		}
	}
}

static void a_shorter_struct_is_left_alone_behind_its_end(void)
{
	open_all();
	for EACH_CALL(call) {
		if (!call->answers || call->number == TPZ_GET_STATE)
			continue;
		for (__u32 size = 8; size < call->bytes; size += 4) {
			prepare(call, size);
			memset(buffer + size, GUARD, sizeof(buffer) - size);
			if (issue(call) < 0)
				FAIL("%s with %u bytes: %s", call->name, size, strerror(errno));
			for (__u32 i = size; i < call->bytes + 64; i++)
				CHECK_THAT(buffer[i] == GUARD, "%s with %u bytes wrote byte %u", call->name, size, i);
			CHECK_EQ(*size_field, call->bytes);
		}
	}
	/* What a shorter struct lacks reads as zero: groups are none, so nothing is asked */
	struct call get_state = { "TPZ_GET_STATE", TPZ_GET_STATE, VCPU_FILE, sizeof(struct tpz_state), NULL, 0, 1 };

	prepare(&get_state, 8);
	memset(buffer + 8, GUARD, sizeof(buffer) - 8);
	CHECK_SYS(issue(&get_state));
	CHECK_EQ(buffer[8], GUARD);
}

static void unknown_flags_are_invalid(void)
{
	open_all();
	for EACH_CALL(call)
		for (unsigned int bit = 0; bit < 32; bit++) {
			__u32 size_before = call->bytes;

			if (call->number == TPZ_SET_SLOT && 1U << bit == TPZ_SLOT_READONLY)	/* the other needs scan_us: EINVAL */
				continue;
			if (call->number == TPZ_CREATE_VM && 1U << bit == TPZ_VM_NO_HYPERVISOR)
				continue;
			if (call->number == TPZ_SET_COALESCED && 1U << bit <= TPZ_COALESCED_PORT)
				continue;
			prepare(call, size_before);
			*flags_field = 1U << bit;
			CHECK_CALL(call, EINVAL);
		}
}

static void bad_pointers_fault(void)
{
	void *unmapped = CHECK_SYS(mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	__u8 *edge = CHECK_SYS(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	void *const pointers[] = {
		NULL, (void *)1, unmapped, (void *)(1UL << 47), (void *)0xffff888000000000, (void *)-4096L, (void *)-1L,
	};
	int files;

	CHECK_SYS(mprotect(edge + PAGE, PAGE, PROT_NONE));
	open_all();
	files = files_open();
	for EACH_CALL(call) {
		for (unsigned int i = 0; i < ARRAY_SIZE(pointers); i++) {
			int ret = issue_at(call, pointers[i]);

			if (ret != -1 || errno != EFAULT)
				FAIL("%s(%p): must fail with EFAULT, returned %d (%s)", call->name, pointers[i], ret,
				     ktap_errno_name(errno));
		}
		/* The struct runs into a page that is not there */
		prepare(call, call->bytes);
		memcpy(edge + PAGE - call->bytes + 4, buffer, call->bytes - 4);
		if (issue_at(call, edge + PAGE - call->bytes + 4) != -1 || errno != EFAULT)
			FAIL("%s over the edge: %s", call->name, ktap_errno_name(errno));
		/* It ends right before that page */
		memcpy(edge + PAGE - call->bytes, buffer, call->bytes);
		if (issue_at(call, edge + PAGE - call->bytes) < 0)
			FAIL("%s at the edge: %s", call->name, ktap_errno_name(errno));
	}
	/* An answer that cannot be written: no file, no VM stays behind */
	for EACH_CALL(call) {
		if (!call->answers)
			continue;
		prepare(call, call->bytes);
		memcpy(edge, buffer, call->bytes);
		CHECK_SYS(mprotect(edge, PAGE, PROT_READ));
		if (issue_at(call, edge) != -1 || errno != EFAULT)
			FAIL("%s into a read-only page: %s", call->name, ktap_errno_name(errno));
		CHECK_SYS(mprotect(edge, PAGE, PROT_READ | PROT_WRITE));
	}
	CHECK_EQ(files_open(), files);
	CHECK_EQ(vms_alive(), 1);
	munmap(unmapped, 2 * PAGE);
	munmap(edge, 2 * PAGE);
}

static void bad_inner_pointers_fault(void)
{
	struct tpz_list_vms list = { .size = sizeof(list), .capacity = 4, .entry_bytes = sizeof(struct tpz_vm_entry) };
	struct tpz_cpuid get = { .size = sizeof(get), .capacity = 256, .entry_bytes = sizeof(struct tpz_cpuid_entry) };
	struct tpz_state state = { .size = sizeof(state), .groups = TPZ_STATE_FPU };
	const __u64 pointers[] = { 8, 1ULL << 47, 0xffff888000000000, ~0ULL - 4095 };

	open_all();
	state.fpu_bytes = device_info().xsave_bytes;
	for (unsigned int i = 0; i < ARRAY_SIZE(pointers); i++) {
		list.entries = get.entries = state.fpu = pointers[i];
		CHECK_ERR(ioctl(here.fd[DEVICE_FILE], TPZ_LIST_VMS, &list), EFAULT);
		CHECK_ERR(ioctl(here.fd[VCPU_FILE], TPZ_GET_CPUID, &get), EFAULT);
		CHECK_ERR(ioctl(here.fd[VCPU_FILE], TPZ_GET_STATE, &state), EFAULT);
		CHECK_ERR(ioctl(here.fd[VCPU_FILE], TPZ_SET_STATE, &state), EFAULT);
	}
}

static void unknown_ioctls_are_refused(void)
{
	open_all();
	for (int kind = 0; kind < KINDS; kind++) {
		for (unsigned int nr = 0; nr < 256; nr++) {
			bool known = false;

			for (unsigned int i = 0; i < ARRAY_SIZE(all_numbers); i++)
				known |= all_numbers[i].number == TPZ_IOC(nr) && all_numbers[i].kind == kind;
			if (known)
				continue;
			errno = 0;
			memset(buffer, 0, sizeof(buffer));
			*size_field = 64;
			if (ioctl(here.fd[kind], TPZ_IOC(nr), buffer) != -1 || errno != ENOTTY)
				FAIL("ioctl %#x on a %s file: must fail with ENOTTY, got %s", nr, kind_names[kind],
				     ktap_errno_name(errno));
		}
		CHECK_ERR(ioctl(here.fd[kind], _IO('Y', 0), buffer), ENOTTY);
		CHECK_ERR(ioctl(here.fd[kind], _IOR('Z', 0, __u32), buffer), ENOTTY);
	}
}

static void other_file_operations_are_refused(void)
{
	char byte = 0;

	open_all();
	for (int kind = 0; kind < KINDS; kind++) {
		CHECK_EQ(read(here.fd[kind], &byte, 1), -1);
		CHECK_EQ(write(here.fd[kind], &byte, 1), -1);
	}
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, here.fd[DEVICE_FILE], 0), ENODEV);
}

static void groups_are_known(void)
{
	struct tpz_state state = { .size = sizeof(state) };

	open_all();
	for (unsigned int bit = 9; bit < 64; bit++) {
		state.groups = 1ULL << bit;
		CHECK_ERR(ioctl(here.fd[VCPU_FILE], TPZ_GET_STATE, &state), EINVAL);
		CHECK_ERR(ioctl(here.fd[VCPU_FILE], TPZ_SET_STATE, &state), EINVAL);
	}
	state.groups = 0;
	CHECK_SYS(ioctl(here.fd[VCPU_FILE], TPZ_GET_STATE, &state));
	CHECK_SYS(ioctl(here.fd[VCPU_FILE], TPZ_SET_STATE, &state));
}

static void creation_flags_are_known(void)
{
	int device = device_open();
	struct tpz_create_vm create;

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (!(TPZ_DEVICES_PC >> bit & 1)) {
			create = (struct tpz_create_vm){ .size = sizeof(create), .devices = 1ULL << bit };
			CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
		}
		if (!(TPZ_TRAPS_ALL >> bit & 1)) {
			create = (struct tpz_create_vm){ .size = sizeof(create), .traps = 1ULL << bit };
			CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
		}
	}
	/* The PIC needs a local APIC; a timer needs its period, and a period the timer */
	create = (struct tpz_create_vm){ .size = sizeof(create), .devices = TPZ_DEVICE_PIC };
	CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
	create.devices = TPZ_DEVICE_KVMCLOCK;		/* offers what a hypervisor does */
	create.flags = TPZ_VM_NO_HYPERVISOR;
	CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
	create = (struct tpz_create_vm){ .size = sizeof(create), .traps = TPZ_TRAP_TIMER };
	CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
	create.timer_cycles = 1ULL << 32;
	CHECK_ERR(ioctl(device, TPZ_CREATE_VM, &create), EINVAL);
	CHECK_EQ(vms_alive(), 0);
}

static void ids_are_never_used_again(void)
{
	__u64 last = 0;

	for (int i = 0; i < 5; i++) {
		struct vm *vm = vm_create();

		CHECK_GT(vm->id, last);
		last = vm->id;
		vm_close(vm);
	}
}

/* ------------------------------------------------------------------ slots */

static int set_slot(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, __u64 uaddr)
{
	struct tpz_slot set = {
		.size = sizeof(set), .slot = slot, .gpa = gpa, .bytes = bytes, .uaddr = uaddr,
	};

	return ioctl(vm->fd, TPZ_SET_SLOT, &set);
}

/* Where the launcher's half ends: 2^56 with 5-level paging, 2^47 else. */
static __u64 user_end(void)
{
	void *far = mmap((void *)(1ULL << 50), PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(far != MAP_FAILED);
	munmap(far, PAGE);
	return (uintptr_t)far >> 47 ? 1ULL << 56 : 1ULL << 47;
}

static void slots_are_checked(void)
{
	struct vm *vm = vm_create();
	struct tpz_info info = device_info();
	const __u64 free = 1ULL << 30;		/* nothing is there yet */
	const __u64 memory = (uintptr_t)vm->memory;
	const __u64 top = 1ULL << info.phys_bits;

	CHECK_ERR(set_slot(vm, info.max_slots, free, PAGE, memory), EINVAL);
	CHECK_ERR(set_slot(vm, ~0U, free, PAGE, memory), EINVAL);
	for (__u64 off = 1; off < PAGE; off <<= 1) {
		CHECK_ERR(set_slot(vm, SLOT_TEST, free + off, PAGE, memory), EINVAL);
		CHECK_ERR(set_slot(vm, SLOT_TEST, free, PAGE + off, memory), EINVAL);
		CHECK_ERR(set_slot(vm, SLOT_TEST, free, off, memory), EINVAL);
		CHECK_ERR(set_slot(vm, SLOT_TEST, free, PAGE, memory + off), EINVAL);
	}

	/* Beyond the width of a guest-physical address; around the end of numbers */
	CHECK_ERR(set_slot(vm, SLOT_TEST, top, PAGE, memory), EINVAL);
	CHECK_ERR(set_slot(vm, SLOT_TEST, top - PAGE, 2 * PAGE, memory), EINVAL);
	CHECK_ERR(set_slot(vm, SLOT_TEST, -PAGE, PAGE, memory), EINVAL);
	CHECK_ERR(set_slot(vm, SLOT_TEST, free, -PAGE, memory), EINVAL);
	CHECK_ERR(set_slot(vm, SLOT_TEST, free, -free, memory), EINVAL);
	CHECK_ERR(set_slot(vm, SLOT_TEST, -PAGE, 2 * PAGE, memory), EINVAL);
	CHECK_SYS(set_slot(vm, SLOT_TEST, top - PAGE, PAGE, memory));
	CHECK_SYS(set_slot(vm, SLOT_TEST, 0, 0, 0));

	/* The launcher's half of the address space alone */
	CHECK_ERR(set_slot(vm, SLOT_TEST, free, PAGE, 0xffff888000000000), EFAULT);
	CHECK_ERR(set_slot(vm, SLOT_TEST, free, 2 * PAGE, user_end() - PAGE), EFAULT);
	CHECK_ERR(set_slot(vm, SLOT_TEST, free, 2 * PAGE, -PAGE), EFAULT);

	/* Overlaps from below, from above, within, around */
	CHECK_SYS(set_slot(vm, SLOT_TEST, free, 4 * PAGE, memory));
	CHECK_ERR(set_slot(vm, SLOT_TEST + 1, free - PAGE, 2 * PAGE, memory), EEXIST);
	CHECK_ERR(set_slot(vm, SLOT_TEST + 1, free + 3 * PAGE, 2 * PAGE, memory), EEXIST);
	CHECK_ERR(set_slot(vm, SLOT_TEST + 1, free + PAGE, PAGE, memory), EEXIST);
	CHECK_ERR(set_slot(vm, SLOT_TEST + 1, free - PAGE, 6 * PAGE, memory), EEXIST);
	CHECK_ERR(set_slot(vm, SLOT_TEST + 1, free, 4 * PAGE, memory), EEXIST);
	CHECK_SYS(set_slot(vm, SLOT_TEST + 1, free - PAGE, PAGE, memory));
	CHECK_SYS(set_slot(vm, SLOT_TEST + 2, free + 4 * PAGE, PAGE, memory));

	/* Removed, its place is free; what is not there cannot be removed */
	CHECK_SYS(set_slot(vm, SLOT_TEST, 0, 0, 0));
	CHECK_ERR(set_slot(vm, SLOT_TEST, 0, 0, 0), ENOENT);
	CHECK_SYS(set_slot(vm, SLOT_TEST + 3, free + PAGE, PAGE, memory));

	/* As many as told */
	for (__u32 slot = SLOT_TEST + 4; slot < info.max_slots; slot++)
		CHECK_SYS(set_slot(vm, slot, (1ULL << 31) + slot * PAGE, PAGE, memory));
}

static GUEST __u32 read_far(__u64 at)
{
	return *(volatile __u32 *)at;
}

/* A slot's life as the guest sees it: there, gone, there with other memory, read-only */
static void slots_come_and_go(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	const __u64 gpa = 256 << 20;
	__u32 *first = vm_add_memory(vm, SLOT_TEST, gpa, 2 * PAGE, 0);
	__u32 *second;

	*first = 17;
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, gpa);
	CHECK_EQ(vcpu_finish(vcpu), 17);

	vm_set_slot(vm, SLOT_TEST, 0, 0, NULL, 0);
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, gpa);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, gpa);
	CHECK_EQ(vcpu->run->mmio.bytes, 4);
	CHECK_EQ(vcpu->run->mmio.write, 0);

	/* Put back, the same instruction goes through */
	second = vm_add_memory(vm, SLOT_TEST, gpa, PAGE, TPZ_SLOT_READONLY);
	*second = 18;
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, gpa);
	CHECK_EQ(vcpu_finish(vcpu), 18);
}

static GUEST __u32 write_far(__u64 at)
{
	*(volatile __u32 *)at = 99;
	return 0;
}

static void a_readonly_slot_refuses_writes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 gpa = 256 << 20;
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, gpa, PAGE, TPZ_SLOT_READONLY);

	*memory = 5;
	vcpu_start(vcpu, MODE_LONG, RING0, write_far, gpa + 8);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, gpa + 8);
	CHECK_EQ(vcpu->run->mmio.write, 1);
	CHECK_EQ(memory[2], 0);
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, gpa);
	CHECK_EQ(vcpu_finish(vcpu), 5);
}

/* ------------------------------------------------------------------ vCPUs and their run pages */

static void vcpu_ids_are_checked(void)
{
	struct vm *vm = vm_create();
	struct tpz_info info = device_info();
	struct tpz_create_vcpu create = { .size = sizeof(create), .id = info.max_vcpus };

	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EINVAL);
	create.id = ~0U;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EINVAL);
	create.id = 0;
	create.flags = 1;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EINVAL);
	vcpu_create(vm, 0);
	create.flags = 0;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EEXIST);
	/* A closed vCPU is not forgotten */
	close(vm->vcpus[0]->fd);
	vm->vcpus[0]->fd = -1;
	CHECK_ERR(ioctl(vm->fd, TPZ_CREATE_VCPU, &create), EEXIST);
}

/* Refused, or SIGBUS when touched; never what lies behind it in the kernel's memory */
static void stretch_the_run_page(void *arg)
{
	struct vcpu *vcpu = arg;
	volatile __u64 *map = mremap((void *)vcpu->run, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);

	if (map == MAP_FAILED)
		raise(SIGBUS);
	ktap_diag("read %#llx", map[2 * PAGE / 8]);
}

static void the_run_page_maps_in_one_way(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const int rw = PROT_READ | PROT_WRITE;

	CHECK_EQ(mmap(NULL, 3 * PAGE, rw, MAP_SHARED, vcpu->fd, 0), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_SHARED, vcpu->fd, 2 * PAGE), MAP_FAILED);
	CHECK_EQ(mmap(NULL, 2 * PAGE, rw, MAP_SHARED, vcpu->fd, PAGE), MAP_FAILED);
	CHECK_EQ(mmap(NULL, 2 * PAGE, rw, MAP_SHARED, vcpu->fd, 1UL << 40), MAP_FAILED);
	CHECK_EQ(mmap(NULL, 2 * PAGE, rw, MAP_PRIVATE, vcpu->fd, 0), MAP_FAILED);
	CHECK_EQ(ktap_fork(stretch_the_run_page, vcpu), SIGBUS);

	/* Mapped twice it is one page; it outlives its file */
	struct tpz_run *again = CHECK_SYS(mmap(NULL, 2 * PAGE, rw, MAP_SHARED, vcpu->fd, 0));

	again->immediate_exit = 7;
	CHECK_EQ(vcpu->run->immediate_exit, 7);
	vm_close(vcpu->vm);
	CHECK_EQ(again->immediate_exit, 7);
	again->immediate_exit = 8;
	munmap(again, 2 * PAGE);
	CHECK_EQ(vms_alive(), 0);
}

static void a_vm_lives_as_long_as_any_of_its_files(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	__u32 *memory = vm_add_memory(vm, SLOT_TEST, 256 << 20, PAGE, 0);

	*memory = 31;
	close(vm->fd);
	vm->fd = -1;
	CHECK_EQ(vms_alive(), 1);
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, 256 << 20);
	CHECK_EQ(vcpu_finish(vcpu), 31);
	vm_close(vm);
	CHECK_EQ(vms_alive(), 0);
}

static GUEST __u32 spin(__u64 unused)
{
	(void)unused;
	sti();
	for (;;)
		asm volatile("pause");
	return 0;
}

static void immediate_exit_enters_nothing(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	CHECK_ERR(ioctl(vcpu->fd, TPZ_RUN, 1), EINVAL);
	vcpu_start(vcpu, MODE_LONG, RING0, spin, 0);
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	CHECK_EQ(meters_read(&meters, 0).entries, 0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void a_signal_ends_a_run(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct sigaction action = { .sa_handler = on_alarm }, before;

	CHECK_SYS(sigaction(SIGALRM, &action, &before));
	vcpu_start(vcpu, MODE_LONG, RING0, spin, 0);
	for (int i = 0; i < 3; i++) {
		alarm(1);
		CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	}
	CHECK_SYS(sigaction(SIGALRM, &before, NULL));
	ktap_timeout(KTAP_TIMEOUT);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_INTERRUPTED);
}

/* ------------------------------------------------------------------ other address spaces */

static void use_in_child(void *arg)
{
	struct vcpu *vcpu = arg;
	struct tpz_create_vcpu create = { .size = sizeof(create), .id = 0 };
	struct tpz_state state = { .size = sizeof(state), .groups = TPZ_STATE_REGS };

	CHECK_ERR(set_slot(vcpu->vm, SLOT_TEST, 1ULL << 30, PAGE, (uintptr_t)vcpu->vm->memory), EXDEV);
	CHECK_ERR(set_slot(vcpu->vm, SLOT_MEMORY, 0, 0, 0), EXDEV);
	CHECK_ERR(ioctl(vcpu->vm->fd, TPZ_CREATE_VCPU, &create), EXDEV);
	CHECK_ERR(ioctl(vcpu->fd, TPZ_RUN, 0), EXDEV);
	CHECK_ERR(ioctl(vcpu->fd, TPZ_GET_STATE, &state), EXDEV);
	CHECK_ERR(ioctl(vcpu->fd, TPZ_SET_STATE, &state), EXDEV);
}

static void another_address_space_is_refused(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, 256 << 20, PAGE, 0);

	CHECK_EQ(ktap_fork(use_in_child, vcpu), 0);
	/* What fork() write-protected is still the guest's, and the creator goes on */
	*memory = 77;
	vcpu_start(vcpu, MODE_LONG, RING0, read_far, 256 << 20);
	CHECK_EQ(vcpu_finish(vcpu), 77);
}

/* The creator dies, a child keeps the files: no memory is left to run on, and nothing hangs on to it */
static void the_creator_dies_first(void)
{
	int ready[2], status;
	char byte = 0;
	pid_t creator;

	CHECK_SYS(pipe(ready));
	creator = CHECK_SYS(fork());
	if (!creator) {
		struct vcpu *vcpu = vm_with_vcpu();

		vcpu_start(vcpu, MODE_LONG, RING0, spin, 0);
		if (!CHECK_SYS(fork())) {
			while (getppid() != 1)
				usleep(1000);
			errno = 0;
			ioctl(vcpu->fd, TPZ_RUN, 0);
			byte = errno == EXDEV ? 'x' : 'o';
			CHECK_EQ(write(ready[1], &byte, 1), 1);
			_exit(0);
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(creator, &status, 0), creator);
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	CHECK_EQ(byte, 'x');
	for (int i = 0; i < 1000 && vms_alive(); i++)
		usleep(1000);
	CHECK_EQ(vms_alive(), 0);
}

/* ------------------------------------------------------------------ foreign readers */

/* No page of a vCPU stands there: refused now, or SIGBUS when touched; never another page */
static void touch_beyond_the_meters(void *arg)
{
	struct meters *meters = arg;
	volatile __u64 *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, meters->fd, 1UL << 30);

	if (page == MAP_FAILED)
		raise(SIGBUS);
	ktap_diag("read %#llx", *page);
}

static void meters_are_read_only(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	const int rw = PROT_READ | PROT_WRITE;

	CHECK_EQ(meters.vm->id, vcpu->vm->id);
	CHECK_EQ(meters.vm->dead, 0);
	CHECK_EQ(meters.vm->vcpus, 1);
	CHECK_EQ(meters.vm->version, TPZ_METER_VERSION);
	CHECK_EQ(meters.vm->pid, getpid());
	CHECK_EQ(meters_read(&meters, 0).present, 1);

	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_SHARED, meters.fd, 0), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, meters.fd, 0), MAP_FAILED);
	CHECK_ERR(mprotect((void *)meters.vm, PAGE, rw), EACCES);
	CHECK_EQ(mmap(NULL, PAGE, rw, MAP_PRIVATE, meters.fd, 0), MAP_FAILED);
	CHECK_EQ(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, meters.fd, 0), MAP_FAILED);
	CHECK_EQ(ktap_fork(touch_beyond_the_meters, &meters), SIGBUS);
}

static GUEST __u32 some_cpuids(__u64 count)
{
	__u32 a, b, c, d;

	while (count--)
		cpuid(0, 0, &a, &b, &c, &d);
	return 0;
}

static void meters_outlive_the_vm(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u64 id = vcpu->vm->id;
	struct meters meters = meters_open(id);
	struct tpz_open_meters again = { .size = sizeof(again), .id = id };
	struct tpz_vcpu_meters last;

	vcpu_start(vcpu, MODE_LONG, RING0, some_cpuids, 25);
	vcpu_finish(vcpu);
	CHECK_EQ(meters_read(&meters, 0).reason[TPZ_EXIT_CPUID].count, 25);

	/* The reader does not hold the VM */
	vm_close(vcpu->vm);
	CHECK_EQ(vms_alive(), 0);
	CHECK_EQ(meters.vm->dead, 1);
	last = meters_read(&meters, 0);
	CHECK_EQ(last.reason[TPZ_EXIT_CPUID].count, 25);
	CHECK_ERR(ioctl(device_open(), TPZ_OPEN_METERS, &again), ENOENT);
	again.id = ~0ULL;
	CHECK_ERR(ioctl(device_open(), TPZ_OPEN_METERS, &again), ENOENT);
	again.id = 0;
	CHECK_ERR(ioctl(device_open(), TPZ_OPEN_METERS, &again), ENOENT);
}

static void vms_are_listed(void)
{
	struct vm *vms[3];
	struct tpz_vm_entry entries[4];
	struct tpz_list_vms list = {
		.size = sizeof(list), .entries = (uintptr_t)entries,
		.capacity = ARRAY_SIZE(entries), .entry_bytes = sizeof(entries[0]),
	};
	int device = device_open();

	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 0);
	for (int i = 0; i < 3; i++)
		vms[i] = vm_create();
	vcpu_create(vms[1], 0);
	memset(entries, GUARD, sizeof(entries));
	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 3);
	for (int i = 0; i < 3; i++) {
		int found = -1;

		for (int j = 0; j < 3; j++)
			if (entries[j].id == vms[i]->id)
				found = j;
		CHECK_GE(found, 0);
		CHECK_EQ(entries[found].pid, getpid());
		CHECK_EQ(entries[found].uid, 0);
		CHECK_EQ(entries[found].vcpus, i == 1);
		CHECK_STR(entries[found].comm, "abi");
	}
	CHECK_EQ(*(__u8 *)&entries[3], GUARD);

	/* Less room than VMs; none at all; a caller with a shorter and with a longer entry */
	memset(entries, GUARD, sizeof(entries));
	list.capacity = 1;
	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 3);
	CHECK_NE(entries[0].id, 0xa5a5a5a5a5a5a5a5ULL);
	CHECK_EQ(entries[1].id, 0xa5a5a5a5a5a5a5a5ULL);
	list.capacity = 0;
	list.entries = 0;
	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 3);

	__u64 narrow[5];

	memset(narrow, GUARD, sizeof(narrow));
	list.entries = (uintptr_t)narrow;
	list.capacity = 4;
	list.entry_bytes = sizeof(narrow[0]);
	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 3);
	CHECK_NE(narrow[2], 0xa5a5a5a5a5a5a5a5ULL);
	CHECK_EQ(narrow[3], 0xa5a5a5a5a5a5a5a5ULL);
	list.entry_bytes = 0;
	CHECK_ERR(ioctl(device, TPZ_LIST_VMS, &list), EINVAL);

	vm_close(vms[0]);
	list.capacity = 0;
	list.entry_bytes = sizeof(entries[0]);
	CHECK_EQ(CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list)), 2);
}

#define NOBODY	65534

/* Another user with a file of the device in hand: sees and opens their own VMs, nobody else's */
static void as_nobody(void *arg)
{
	struct vm *roots = arg;
	int device = CHECK_SYS(open(DEVICE, O_RDWR));
	struct tpz_open_meters open_meters = { .size = sizeof(open_meters), .id = roots->id };
	struct tpz_list_vms list = { .size = sizeof(list), .entry_bytes = sizeof(struct tpz_vm_entry) };
	struct tpz_create_vm create = { .size = sizeof(create) };
	int vm, meters;

	CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
	CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_ERR(open(DEVICE, O_RDWR), EACCES);
	CHECK_EQ(ioctl(device, TPZ_LIST_VMS, &list), 0);
	CHECK_EQ(ioctl(device, TPZ_OPEN_METERS, &open_meters), -1);
	CHECK(errno == EPERM || errno == EACCES || errno == ENOENT);

	vm = CHECK_SYS(ioctl(device, TPZ_CREATE_VM, &create));
	CHECK_EQ(ioctl(device, TPZ_LIST_VMS, &list), 1);
	open_meters.id = create.id;
	meters = CHECK_SYS(ioctl(device, TPZ_OPEN_METERS, &open_meters));
	close(meters);
	close(vm);
}

static void other_users_see_only_their_own(void)
{
	CHECK_EQ(ktap_fork(as_nobody, vm_create()), 0);
}

/* ------------------------------------------------------------------ nonsense */

static __u64 random_state = 0x7261707a65ULL;

static __u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static __u64 nasty_word(void)
{
	static const __u64 words[] = {
		0, 1, 2, 7, 8, 0xfff, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 46, 1ULL << 47,
		1ULL << 52, 1ULL << 63, ~0ULL, ~0ULL - 4095, 0xffff888000000000,
	};
	__u64 kind = random64();

	if (kind % 4 == 0)
		return random64();
	if (kind % 4 == 1)
		return (uintptr_t)buffer + 4096 + (kind >> 32) % 4096;
	return words[(kind >> 8) % ARRAY_SIZE(words)];
}

static void nonsense_is_survived(void)
{
	struct vcpu *other;

	open_all();
	here.vcpu->run->immediate_exit = 1;	/* TPZ_RUN: no entry */
	for (int i = 0; i < 4000; i++) {
		unsigned int which = random64() % ARRAY_SIZE(all_numbers);
		const unsigned int number = all_numbers[which].number;
		int kind = random64() % 16 ? all_numbers[which].kind : random64() % KINDS;
		__u64 *words = (__u64 *)buffer;
		int ret;

		for (unsigned int w = 0; w < 512; w++)
			words[w] = random64() % 3 ? 0 : nasty_word();
		*size_field = random64() % 4 ? sizeof(struct tpz_state) : nasty_word();
		*flags_field = random64() % 8 ? 0 : nasty_word();
		for (unsigned int c = 0; c < ARRAY_SIZE(calls); c++)
			if (calls[c].number == number && random64() % 8)
				*size_field = calls[c].bytes;
		/* Addresses of memory that the kernel may fill must not be the program's own by accident */
		if (number == TPZ_LIST_VMS || number == TPZ_GET_CPUID)
			words[1] = (uintptr_t)buffer + 4096;
		if (number == TPZ_GET_STATE)
			words[2] = (uintptr_t)buffer + 4096;
		ret = ioctl(here.fd[kind], number, random64() % 32 ? (void *)buffer : (void *)(uintptr_t)nasty_word());
		if (ret >= 0 && (number == TPZ_CREATE_VM || number == TPZ_OPEN_METERS || number == TPZ_CREATE_VCPU))
			close(ret);
	}
	/* All goes on as if nothing had been */
	other = vm_with_vcpu();
	vcpu_start(other, MODE_LONG, RING0, some_cpuids, 3);
	vcpu_finish(other);
}

static const struct ktap_case cases[] = {
	{ "TPZ_GET_INFO is sound", info_is_sound },
	{ "features are listed", features_are_listed },
	{ "valid calls pass", valid_calls_pass },
	{ "a size below 8 is invalid", size_must_cover_size_and_flags },
	{ "a longer struct with a zero tail passes", a_longer_struct_with_a_zero_tail_passes },
	{ "a longer struct with a non-zero tail is E2BIG", a_tail_that_is_not_zero_is_too_big },
	{ "a shorter struct is left alone behind its end", a_shorter_struct_is_left_alone_behind_its_end },
	{ "unknown flags are EINVAL", unknown_flags_are_invalid },
	{ "bad pointers are EFAULT", bad_pointers_fault },
	{ "bad pointers inside structs are EFAULT", bad_inner_pointers_fault },
	{ "unknown ioctls and wrong files are ENOTTY", unknown_ioctls_are_refused },
	{ "read, write and odd mmaps are refused", other_file_operations_are_refused },
	{ "unknown state groups are EINVAL", groups_are_known },
	{ "unknown devices and traps are EINVAL", creation_flags_are_known },
	{ "VM ids are never used again", ids_are_never_used_again },
	{ "slots are checked", slots_are_checked },
	{ "slots come and go under a guest", slots_come_and_go },
	{ "a read-only slot refuses writes", a_readonly_slot_refuses_writes },
	{ "vCPU ids are checked", vcpu_ids_are_checked },
	{ "the run page maps in one way", the_run_page_maps_in_one_way },
	{ "a VM lives as long as any of its files", a_vm_lives_as_long_as_any_of_its_files },
	{ "immediate_exit enters nothing", immediate_exit_enters_nothing },
	{ "a signal ends a run", a_signal_ends_a_run },
	{ "another address space is EXDEV", another_address_space_is_refused },
	{ "the creator dies before a child with its files", the_creator_dies_first },
	{ "meters are read-only", meters_are_read_only },
	{ "meters outlive the VM", meters_outlive_the_vm },
	{ "VMs are listed", vms_are_listed },
	{ "other users see only their own VMs", other_users_see_only_their_own },
	{ "nonsense is survived", nonsense_is_survived },
};
KTAP_MAIN(cases)
