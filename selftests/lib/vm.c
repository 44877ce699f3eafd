// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The program's own image, from the linker */
extern char __executable_start[], _end[];

#define CR0_PE		(1ULL << 0)
#define CR0_MP		(1ULL << 1)
#define CR0_ET		(1ULL << 4)
#define CR0_NE		(1ULL << 5)
#define CR0_WP		(1ULL << 16)
#define CR0_PG		(1ULL << 31)
#define CR4_PSE		(1ULL << 4)
#define CR4_PAE		(1ULL << 5)
#define CR4_OSFXSR	(1ULL << 9)
#define CR4_OSXMMEXCPT	(1ULL << 10)
#define EFER_SCE	(1ULL << 0)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)
#define EFER_NXE	(1ULL << 11)

#define PTE_PRESENT	(1ULL << 0)
#define PTE_ALL		7	/* present, writable, of ring 3 */
#define PTE_LARGE	(1ULL << 7)

/* ------------------------------------------------------------------ files */

static void close_deferred(void *fd)
{
	close((intptr_t)fd);
}

int device_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s: %s", DEVICE, strerror(errno));
	ktap_defer(close_deferred, (void *)(intptr_t)fd);
	return fd;
}

struct tpz_info device_info(void)
{
	struct tpz_info info = { .size = sizeof(info) };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s: %s", DEVICE, strerror(errno));
	CHECK_SYS(ioctl(fd, TPZ_GET_INFO, &info));
	close(fd);
	return info;
}

void vm_close(struct vm *vm)
{
	for (unsigned int i = 0; i < GUEST_CPUS; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!vcpu)
			continue;
		if (vcpu->run)
			munmap((void *)vcpu->run, TPZ_RUN_BYTES);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
		vcpu->run = NULL;
		vcpu->fd = -1;
	}
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
	if (vm->memory)
		munmap(vm->memory, VM_BYTES);
	vm->memory = NULL;
}

static void vm_free(void *arg)
{
	struct vm *vm = arg;

	vm_close(vm);
	for (unsigned int i = 0; i < GUEST_CPUS; i++)
		free(vm->vcpus[i]);
	free(vm);
}

/* ------------------------------------------------------------------ memory */

/* A GDT entry: base 0, limit 4 GiB */
static __u64 descriptor(__u8 access, __u8 flags)
{
	return 0x000f00000000ffffULL | (__u64)access << 40 | (__u64)flags << 52;
}

static void put64(struct vm *vm, __u64 gpa, __u64 value)
{
	memcpy(vm->memory + gpa, &value, 8);
}

static void put32(struct vm *vm, __u64 gpa, __u32 value)
{
	memcpy(vm->memory + gpa, &value, 4);
}

static __u64 cpu_area(__u32 id)
{
	if (id >= GUEST_NEAR_CPUS)
		return GUEST_FAR_AREAS + (id - GUEST_NEAR_CPUS) * GUEST_CPU_BYTES;
	return GUEST_CPU_AREAS + id * GUEST_CPU_BYTES;
}

static void build_gdt(struct vm *vm)
{
	put64(vm, GUEST_GDT + SEL_CODE64, descriptor(0x9b, 0xa));
	put64(vm, GUEST_GDT + SEL_DATA, descriptor(0x93, 0xc));
	put64(vm, GUEST_GDT + SEL_USER_CODE32, descriptor(0xfb, 0xc));
	put64(vm, GUEST_GDT + SEL_USER_DATA, descriptor(0xf3, 0xc));
	put64(vm, GUEST_GDT + SEL_USER_CODE64, descriptor(0xfb, 0xa));
	put64(vm, GUEST_GDT + SEL_CODE32, descriptor(0x9b, 0xc));
	/* 16-bit segments: 64 KiB at the real-mode blob */
	put64(vm, GUEST_GDT + SEL_CODE16, 0x00009b000000ffffULL | (__u64)GUEST_REAL_CODE << 16);
	put64(vm, GUEST_GDT + SEL_DATA16, 0x000093000000ffffULL | (__u64)GUEST_REAL_CODE << 16);
	for (__u32 id = 0; id < GUEST_CPUS; id++)
		put64(vm, GUEST_GDT + SEL_TSS + 16 * id, 0x00008b0000000074ULL | cpu_area(id) << 16);
}

static void build_idts(struct vm *vm)
{
	for (unsigned int vector = 0; vector < 256; vector++) {
		/* INT n of ring 3 may reach any vector */
		const __u64 gate = 0x0000ee0000000000ULL;
		__u64 handler;

#ifdef __x86_64__
		handler = (uintptr_t)guest_stubs64 + vector * GUEST_STUB_BYTES;
		put64(vm, GUEST_IDT64 + 16 * vector,
		      gate | (handler & 0xffff) | (handler & 0xffff0000) << 32 | SEL_CODE64 << 16);
		put64(vm, GUEST_IDT64 + 16 * vector + 8, handler >> 32);
#endif
		handler = (uintptr_t)guest_stubs32 + vector * GUEST_STUB_BYTES;
		put64(vm, GUEST_IDT32 + 8 * vector,
		      gate | (handler & 0xffff) | (handler & 0xffff0000) << 32 | SEL_CODE32 << 16);
		put32(vm, 4 * vector, 0x400 + 8 * vector);
	}
	memcpy(vm->memory + 0x400, guest_real_begin, guest_real_end - guest_real_begin);
}

static void build_page_tables(struct vm *vm)
{
	put64(vm, GUEST_PML4, GUEST_PDPT | PTE_ALL);
	put64(vm, GUEST_PDPT, GUEST_PD | PTE_ALL);
	put64(vm, GUEST_PDPT_PAE, GUEST_PD | PTE_PRESENT);
	for (__u64 i = 0; i < 512; i++)
		put64(vm, GUEST_PD + 8 * i, i << 21 | PTE_LARGE | PTE_ALL);
	put64(vm, GUEST_PD, GUEST_PT | PTE_ALL);
	put64(vm, GUEST_PD + 8, (GUEST_PT + PAGE) | PTE_ALL);

	for (__u32 i = 0; i < 256; i++)
		put32(vm, GUEST_PD32 + 4 * i, i << 22 | PTE_LARGE | PTE_ALL);
	put32(vm, GUEST_PD32, GUEST_PT32 | PTE_ALL);

	for (__u64 page = 0; page < VM_BYTES / PAGE; page++) {
		put64(vm, GUEST_PT + 8 * page, page << 12 | PTE_ALL);
		put32(vm, GUEST_PT32 + 4 * page, page << 12 | PTE_ALL);
	}
}

volatile __u64 *vm_pte(struct vm *vm, __u64 address)
{
	CHECK_LT(address, VM_BYTES);
	return (volatile __u64 *)(vm->memory + GUEST_PT) + address / PAGE;
}

void *vm_host(struct vm *vm, __u64 gpa)
{
	if (gpa < VM_BYTES)
		return vm->memory + gpa;
	CHECK_GE(gpa, (uintptr_t)__executable_start);
	CHECK_LT(gpa, (uintptr_t)_end);
	return (void *)(uintptr_t)gpa;
}

void vm_set_slot(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, const volatile void *memory, __u32 flags)
{
	struct tpz_slot set = {
		.size = sizeof(set), .flags = flags, .slot = slot,
		.gpa = gpa, .bytes = bytes, .uaddr = (uintptr_t)memory,
	};

	if (ioctl(vm->fd, TPZ_SET_SLOT, &set))
		FAIL("slot %u, gpa %#llx, %#llx bytes: %s", slot, gpa, bytes, strerror(errno));
}

struct mapping {
	void *memory;
	size_t bytes;
};

static void unmap_deferred(void *arg)
{
	struct mapping *mapping = arg;

	munmap(mapping->memory, mapping->bytes);
	free(mapping);
}

void *vm_add_memory(struct vm *vm, __u32 slot, __u64 gpa, __u64 bytes, __u32 flags)
{
	struct mapping *mapping = malloc(sizeof(*mapping));

	mapping->bytes = bytes;
	mapping->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mapping->memory != MAP_FAILED);
	ktap_defer(unmap_deferred, mapping);
	vm_set_slot(vm, slot, gpa, bytes, mapping->memory, flags);
	return mapping->memory;
}

struct vm *vm_create_with(struct vm_options options)
{
	struct tpz_create_vm create = {
		.size = sizeof(create), .flags = options.flags, .devices = options.devices,
		.traps = options.traps, .timer_cycles = options.timer_cycles,
		.sockets = options.sockets,
		.cores = options.cores,
		.threads = options.threads,
	};
	uintptr_t image = (uintptr_t)__executable_start & -PAGE;
	uintptr_t image_end = ((uintptr_t)_end + PAGE - 1) & -PAGE;
	struct vm *vm = calloc(1, sizeof(*vm));
	int device, memfd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	CHECK(vm);
	vm->fd = -1;
	ktap_defer(vm_free, vm);
	CHECK_GE(image, VM_BYTES);

	if (options.memfd) {
		memfd = CHECK_SYS(memfd_create("guest", MFD_CLOEXEC));
		CHECK_SYS(ftruncate(memfd, VM_BYTES));
		flags = MAP_SHARED;
	}
	vm->memory = mmap(NULL, VM_BYTES, PROT_READ | PROT_WRITE, flags, memfd, 0);
	if (memfd >= 0)
		close(memfd);
	if (vm->memory == MAP_FAILED) {
		vm->memory = NULL;
		FAIL("guest memory: %s", strerror(errno));
	}

	device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		FAIL("%s: %s", DEVICE, strerror(errno));
	vm->fd = ioctl(device, TPZ_CREATE_VM, &create);
	if (vm->fd < 0 && errno == EOPNOTSUPP && options.traps) {
		close(device);
		SKIP("this CPU lacks a trap of %#llx", options.traps);
	}
	if (vm->fd < 0)
		FAIL("TPZ_CREATE_VM: %s", strerror(errno));
	close(device);
	vm->id = create.id;
	vm->x2apic = (options.devices & TPZ_DEVICE_LAPIC) && !options.xapic;

	build_gdt(vm);
	build_idts(vm);
	build_page_tables(vm);
	vm_set_slot(vm, SLOT_MEMORY, 0, VM_BYTES, vm->memory, 0);
	vm_set_slot(vm, SLOT_IMAGE, image, image_end - image, (void *)image, 0);
	return vm;
}

/* ------------------------------------------------------------------ vCPUs */

#define APIC_BASE_EXTD	(1ULL << 10)

static void enter_x2apic(struct vcpu *vcpu)
{
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_MSRS);

	state.msrs.apic_base |= APIC_BASE_EXTD;
	vcpu_set(vcpu, &state);
}

struct vcpu *vcpu_create(struct vm *vm, __u32 id)
{
	struct tpz_create_vcpu create = { .size = sizeof(create), .id = id };
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

	CHECK_LT(id, GUEST_CPUS);
	vm->vcpus[id] = vcpu;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, TPZ_CREATE_VCPU, &create);
	if (vcpu->fd < 0)
		FAIL("TPZ_CREATE_VCPU: %s", strerror(errno));
	void *map = mmap(NULL, TPZ_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);

	if (map == MAP_FAILED)
		FAIL("run page: %s", strerror(errno));
	vcpu->run = map;
	vcpu->data = (__u8 *)map + TPZ_RUN_DATA_OFFSET;
	if (vm->x2apic)
		enter_x2apic(vcpu);
	return vcpu;
}

struct tpz_state vcpu_get(struct vcpu *vcpu, __u64 groups)
{
	struct tpz_state state = { .size = sizeof(state), .groups = groups };

	if (ioctl(vcpu->fd, TPZ_GET_STATE, &state))
		FAIL("TPZ_GET_STATE %#llx: %s", groups, strerror(errno));
	return state;
}

void vcpu_set(struct vcpu *vcpu, struct tpz_state *state)
{
	state->size = sizeof(*state);
	if (ioctl(vcpu->fd, TPZ_SET_STATE, state))
		FAIL("TPZ_SET_STATE %#llx: %s (group %#llx: %s)", state->groups, strerror(errno),
		     state->bad_group, state->bad_field);
}

static struct tpz_segment segment(__u16 selector, __u8 type, __u8 dpl, bool l)
{
	return (struct tpz_segment){
		.selector = selector | dpl, .limit = 0xffffffff, .type = type, .s = 1,
		.dpl = dpl, .present = 1, .l = l, .db = !l, .g = 1,
	};
}

static struct tpz_segment real_segment(__u16 selector)
{
	return (struct tpz_segment){
		.selector = selector, .base = (__u64)selector << 4, .limit = 0xffff,
		.type = 3, .s = 1, .present = 1,
	};
}

/* Where interrupts of ring 3 find the stack of ring 0, and the I/O bitmap */
static void build_tss(struct vm *vm, __u32 id, bool wide)
{
	__u64 tss = cpu_area(id), stack = tss + GUEST_CPU_BYTES;

	memset(vm->memory + tss, 0, 0x68);
	put32(vm, tss + 4, stack);
	if (!wide)
		put32(vm, tss + 8, SEL_DATA);
	put32(vm, tss + 0x64, 0x68 << 16);
	memset(vm->memory + tss + 0x68, 0xff, 16);
	memset(vm->memory + tss + 0x68 + 0x50 / 8, 0, 2);
}

struct tpz_state vcpu_start_state(struct vcpu *vcpu, enum guest_mode mode, enum guest_ring ring,
				  __u64 entry, __u64 argument)
{
	const bool wide = mode == MODE_LONG || mode == MODE_COMPAT;
	struct tpz_state state = {
		.size = sizeof(state),
		.groups = TPZ_STATE_REGS | TPZ_STATE_SEGMENTS | TPZ_STATE_CONTROL | TPZ_STATE_EVENTS,
	};
	struct tpz_segments *segments = &state.segments;
	struct tpz_control *control = &state.control;
	struct vm *vm = vcpu->vm;
	__u64 area = cpu_area(vcpu->id);
	__u64 stack = area + (ring ? 0x2000 : GUEST_CPU_BYTES) - 16;

	state.regs.rip = entry;
	state.regs.rflags = 2;
	state.regs.gpr[TPZ_RDI] = argument;
	control->xcr0 = 1;
	control->cr0 = CR0_ET | CR0_NE;
	segments->seg[TPZ_LDTR] = (struct tpz_segment){ .type = 2, .unusable = 1 };
	segments->seg[TPZ_TR] = (struct tpz_segment){ .type = 11, .present = 1 };

	if (mode == MODE_REAL) {
		CHECK_EQ(ring, RING0);
		for (int i = TPZ_ES; i <= TPZ_GS; i++)
			segments->seg[i] = real_segment(GUEST_REAL_CODE >> 4);
		segments->seg[TPZ_SS] = real_segment(area >> 4);
		segments->seg[TPZ_TR].limit = 0xffff;
		segments->gdtr.limit = 0xffff;
		segments->idtr.limit = 0x3ff;
		state.regs.gpr[TPZ_RSP] = stack - area;
		return state;
	}

	for (int i = TPZ_ES; i <= TPZ_GS; i++)
		segments->seg[i] = segment(ring ? SEL_USER_DATA : SEL_DATA, 3, ring, false);
	if (mode == MODE_LONG)
		segments->seg[TPZ_CS] = segment(ring ? SEL_USER_CODE64 : SEL_CODE64, 11, ring, true);
	else
		segments->seg[TPZ_CS] = segment(ring ? SEL_USER_CODE32 : SEL_CODE32, 11, ring, false);
	segments->seg[TPZ_TR].selector = SEL_TSS + 16 * vcpu->id;
	segments->seg[TPZ_TR].base = area;
	segments->seg[TPZ_TR].limit = 0x74;
	segments->gdtr = (struct tpz_dtable){ .base = GUEST_GDT, .limit = SEL_TSS + 16 * GUEST_CPUS - 1 };
	segments->idtr = wide ? (struct tpz_dtable){ .base = GUEST_IDT64, .limit = 0xfff } :
				(struct tpz_dtable){ .base = GUEST_IDT32, .limit = 0x7ff };

	control->cr0 |= CR0_PE | CR0_MP | CR0_WP;
	control->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
	switch (mode) {
	case MODE_PAGING32:
		control->cr0 |= CR0_PG;
		control->cr4 |= CR4_PSE;
		control->cr3 = GUEST_PD32;
		break;
	case MODE_PAE:
		control->cr0 |= CR0_PG;
		control->cr4 |= CR4_PAE;
		control->cr3 = GUEST_PDPT_PAE;
		memcpy(control->pdpte, vm->memory + GUEST_PDPT_PAE, sizeof(control->pdpte));
		break;
	case MODE_COMPAT:
	case MODE_LONG:
		control->cr0 |= CR0_PG;
		control->cr4 |= CR4_PAE;
		control->cr3 = GUEST_PML4;
		control->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
		break;
	default:
		break;
	}

	build_tss(vm, vcpu->id, wide);
	if (mode == MODE_LONG) {
#ifdef __x86_64__
		stack -= 8;
		put64(vm, stack, (uintptr_t)guest_return64);
#endif
	} else {
		stack -= 4;
		put32(vm, stack, (uintptr_t)guest_return32);
	}
	state.regs.gpr[TPZ_RSP] = stack;
	return state;
}

void vcpu_start_at(struct vcpu *vcpu, enum guest_mode mode, enum guest_ring ring, __u64 entry, __u64 argument)
{
	struct tpz_state state = vcpu_start_state(vcpu, mode, ring, entry, argument);

	vcpu_set(vcpu, &state);
}

void vcpu_load(struct vcpu *vcpu, __u64 gpa, const void *begin, const void *end)
{
	size_t bytes = (const char *)end - (const char *)begin;

	CHECK_LE(gpa + bytes, VM_BYTES);
	memcpy(vcpu->vm->memory + gpa, begin, bytes);
}

/* ------------------------------------------------------------------ running */

const char *reason_name(__u32 reason)
{
#define NAME(number, name, text) [number] = text,
	static const char *const names[] = { TPZ_EXIT_REASONS(NAME) };

	return reason < ARRAY_SIZE(names) && names[reason] ? names[reason] : "?";
}

static __u32 port_value(struct vcpu *vcpu)
{
	__u32 value = 0;

	memcpy(&value, (const void *)vcpu->data, vcpu->run->io.bytes);
	return value;
}

/* What guest.S pushes in 32-bit and in real mode; struct guest_frame of guest.h is the 64-bit one */
struct frame32 {
	__u32 cr2;
	__u32 edi, esi, ebp, esp_pushed, ebx, edx, ecx, eax;
	__u32 vector, error;
	__u32 eip, cs, eflags, esp, ss;
};

struct frame16 {
	__u16 es, ds;
	__u16 di, si, bp, sp_pushed, bx, dx, cx, ax;
	__u16 vector;
	__u16 ip, cs, flags;
};

static bool is_fault(struct vcpu *vcpu)
{
	return vcpu->run->reason == TPZ_EXIT_IO && !vcpu->run->io.in &&
	       vcpu->run->io.port >= PORT_FAULT16 && vcpu->run->io.port <= PORT_FAULT64;
}

/* The frame of the exception that the guest has just reported */
static struct fault read_fault(struct vcpu *vcpu)
{
	struct tpz_state state = vcpu_get(vcpu, TPZ_STATE_REGS | TPZ_STATE_SEGMENTS);
	struct fault fault = {};

	if (vcpu->run->io.port == PORT_FAULT64) {
		struct guest_frame *f = vm_host(vcpu->vm, state.regs.gpr[TPZ_RDI]);

		fault = (struct fault){ f->vector, f->error, f->rip, f->cs, f->rflags, f->cr2, f->rsp, f };
	} else if (vcpu->run->io.port == PORT_FAULT32) {
		struct frame32 *f = vm_host(vcpu->vm, (__u32)state.regs.gpr[TPZ_RDI]);

		fault = (struct fault){ f->vector, f->error, f->eip, f->cs & 0xffff, f->eflags, f->cr2, 0, f };
		fault.rsp = f->cs & 3 ? f->esp : f->esp_pushed + 5 * 4;
	} else {
		struct frame16 *f = vm_host(vcpu->vm, state.segments.seg[TPZ_SS].base +
						      (__u16)state.regs.gpr[TPZ_RDI]);

		fault = (struct fault){ f->vector, 0, f->ip, f->cs, f->flags, 0, 0, f };
		fault.rsp = (__u16)(state.regs.gpr[TPZ_RDI] + sizeof(*f));
	}
	return fault;
}

const char *vcpu_exit_text(struct vcpu *vcpu)
{
	volatile struct tpz_run *run = vcpu->run;
	char *text = vcpu->text;
	size_t room = sizeof(vcpu->text);
	int n = snprintf(text, room, "vCPU %u: %s at rip %#llx", vcpu->id, reason_name(run->reason), run->rip);

	text += n;
	room -= n;
	switch (run->reason) {
	case TPZ_EXIT_IO:
		if (is_fault(vcpu)) {
			struct fault fault = read_fault(vcpu);

			snprintf(text, room,
				 ": guest took vector %llu, error %#llx, rip %#llx, cs %#llx, rflags %#llx, cr2 %#llx",
				 fault.vector, fault.error, fault.rip, fault.cs, fault.rflags, fault.cr2);
		} else {
			snprintf(text, room, ": %s port %#x, %u bytes, count %u, string %u, rep %u, data %#x",
				 run->io.in ? "in" : "out", run->io.port, run->io.bytes, run->io.count,
				 run->io.string, run->io.rep, run->io.in ? 0 : port_value(vcpu));
		}
		break;
	case TPZ_EXIT_MMIO:
		snprintf(text, room, ": %s gpa %#llx, %u bytes", run->mmio.write ? "write" : "read", run->mmio.gpa,
			 run->mmio.bytes);
		break;
	case TPZ_EXIT_MEMORY:
		snprintf(text, room, ": gpa %#llx, gva %#llx (%s), %s%s%s%s%s%s", run->memory.gpa, run->memory.gva,
			 run->memory.gva_valid ? "valid" : "none", run->memory.read ? "read " : "",
			 run->memory.write ? "write " : "", run->memory.fetch ? "fetch " : "",
			 run->memory.page_walk ? "page-walk " : "", run->memory.no_slot ? "no-slot " : "",
			 run->memory.readonly_slot ? "read-only" : "");
		break;
	case TPZ_EXIT_ENTRY_FAILED:
		snprintf(text, room, ": error %u, raw reason %#x: %s (%s)", run->entry_failed.hw_error,
			 run->entry_failed.hw_reason, (const char *)run->entry_failed.rule,
			 (const char *)run->entry_failed.section);
		break;
	case TPZ_EXIT_DEAD:
		snprintf(text, room, ": %s", (const char *)run->dead.why);
		break;
	case TPZ_EXIT_EXCEPTION:
		snprintf(text, room, ": vector %u, type %u, error %#x, address %#llx", run->exception.vector,
			 run->exception.type, run->exception.error, run->exception.address);
		break;
	default:
		snprintf(text, room, ": raw reason %#llx, qualification %#llx", run->raw_reason, run->qualification);
	}
	return vcpu->text;
}

#ifdef __x86_64__
/* A failed GUEST_CHECK: the registers tell which */
static void __attribute__((noreturn)) guest_check_failed(struct vcpu *vcpu)
{
	struct tpz_regs regs = vcpu_get(vcpu, TPZ_STATE_REGS).regs;
	const struct guest_check *check = vm_host(vcpu->vm, regs.gpr[TPZ_RDI]);

	ktap_fail(check->file, check->line, "in the guest: %s: %#llx, %#llx", check->expression,
		  regs.gpr[TPZ_RSI], regs.gpr[TPZ_RDX]);
}
#endif

__u32 vcpu_run(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, TPZ_RUN, 0)) {
		if (errno != EINTR)
			FAIL("TPZ_RUN: %s", strerror(errno));
		return TPZ_EXIT_INTERRUPTED;
	}
#ifdef __x86_64__
	if (vcpu->run->reason == TPZ_EXIT_IO && !vcpu->run->io.in && vcpu->run->io.port == PORT_CHECK)
		guest_check_failed(vcpu);
#endif
	return vcpu->run->reason;
}

static __u32 run_through(struct vcpu *vcpu)
{
	__u32 reason;

	do
		reason = vcpu_run(vcpu);
	while (reason == TPZ_EXIT_INTERRUPTED);
	return reason;
}

void vcpu_expect(struct vcpu *vcpu, __u32 reason)
{
	if (run_through(vcpu) != reason)
		FAIL("expected %s; %s", reason_name(reason), vcpu_exit_text(vcpu));
}

__u32 vcpu_expect_out(struct vcpu *vcpu, __u16 port)
{
	if (run_through(vcpu) != TPZ_EXIT_IO || vcpu->run->io.in || vcpu->run->io.port != port ||
	    vcpu->run->io.count != 1)
		FAIL("expected an OUT to port %#x; %s", port, vcpu_exit_text(vcpu));
	return port_value(vcpu);
}

__u32 vcpu_finish(struct vcpu *vcpu)
{
	return vcpu_expect_out(vcpu, PORT_DONE);
}

struct fault vcpu_fault(struct vcpu *vcpu)
{
	if (vcpu->run->reason != TPZ_EXIT_IO || !is_fault(vcpu))
		FAIL("expected an exception; %s", vcpu_exit_text(vcpu));
	return read_fault(vcpu);
}

struct fault vcpu_expect_fault(struct vcpu *vcpu, __u32 vector)
{
	struct fault fault;

	if (run_through(vcpu) != TPZ_EXIT_IO || !is_fault(vcpu))
		FAIL("expected exception %u; %s", vector, vcpu_exit_text(vcpu));
	fault = read_fault(vcpu);
	if (fault.vector != vector)
		FAIL("expected exception %u; %s", vector, vcpu_exit_text(vcpu));
	return fault;
}

#ifdef __x86_64__
static void guest_off(void *vector)
{
	guest_handlers[(uintptr_t)vector] = NULL;
}

void guest_on(__u8 vector, guest_handler handler)
{
	guest_handlers[vector] = handler;
	ktap_defer(guest_off, (void *)(uintptr_t)vector);
}
#endif

/* ------------------------------------------------------------------ meters */

static void meters_close(void *arg)
{
	struct meters *meters = arg;

	if (meters->vm)
		munmap((void *)meters->vm, meters->bytes);
	close(meters->fd);
	free(meters);
}

struct meters meters_open(__u64 id)
{
	struct tpz_open_meters open_meters = { .size = sizeof(open_meters), .id = id };
	struct meters *meters = calloc(1, sizeof(*meters));
	const struct tpz_vm_meters *page;
	int device = device_open();

	meters->fd = ioctl(device, TPZ_OPEN_METERS, &open_meters);
	if (meters->fd < 0)
		FAIL("TPZ_OPEN_METERS %llu: %s", id, strerror(errno));
	ktap_defer(meters_close, meters);
	page = mmap(NULL, TPZ_METER_PAGE, PROT_READ, MAP_SHARED, meters->fd, 0);
	CHECK(page != MAP_FAILED);
	CHECK_EQ(page->magic, TPZ_METER_MAGIC);
	CHECK_EQ(page->page_bytes, TPZ_METER_PAGE);
	meters->bytes = (1 + page->vcpus) * TPZ_METER_PAGE;
	munmap((void *)page, TPZ_METER_PAGE);
	page = mmap(NULL, meters->bytes, PROT_READ, MAP_SHARED, meters->fd, 0);
	CHECK(page != MAP_FAILED);
	meters->vm = page;
	return *meters;
}

struct tpz_vcpu_meters meters_read(const struct meters *meters, __u32 vcpu)
{
	const volatile __u8 *first = (const volatile __u8 *)meters->vm;
	struct tpz_vcpu_meters copy;
	__u64 seq;

	CHECK_LE((vcpu + 2) * TPZ_METER_PAGE, meters->bytes);
	const volatile struct tpz_vcpu_meters *page = (const void *)(first + (vcpu + 1) * TPZ_METER_PAGE);

	do {
		while ((seq = page->seq) & 1)
			sched_yield();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		memcpy(&copy, (const void *)page, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (page->seq != seq);
	return copy;
}

__u64 meters_own_exits(const struct tpz_vcpu_meters *m)
{
	return m->exits - m->reason[TPZ_EXIT_HOST_INTERRUPT].count - m->reason[TPZ_EXIT_HOST_NMI].count;
}

int vms_alive(void)
{
	struct tpz_list_vms list = { .size = sizeof(list), .entry_bytes = sizeof(struct tpz_vm_entry) };
	int device = open(DEVICE, O_RDWR | O_CLOEXEC), count;

	if (device < 0)
		FAIL("%s: %s", DEVICE, strerror(errno));
	count = CHECK_SYS(ioctl(device, TPZ_LIST_VMS, &list));
	close(device);
	return count;
}

/* ------------------------------------------------------------------ helpers */

void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
}

void run_on_any_cpu(void *unused)
{
	cpu_set_t all;

	(void)unused;
	memset(&all, 0xff, sizeof(all));
	CHECK_SYS(sched_setaffinity(0, sizeof(all), &all));
}

int cpus_online(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

int kernel_log(void)
{
	int log = CHECK_SYS(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	ktap_defer(close_deferred, (void *)(intptr_t)log);
	CHECK_SYS(lseek(log, 0, SEEK_END));
	return log;
}

/* One read is one line. Those that are counted are read: another count on the same log begins behind them */
unsigned int kernel_log_count(int log, const char *words)
{
	unsigned int lines = 0;
	char line[2048];
	ssize_t bytes;

	while ((bytes = read(log, line, sizeof(line) - 1)) > 0) {
		line[bytes] = 0;
		lines += !!strstr(line, words);
	}
	return lines;
}

long long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%lli", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}
