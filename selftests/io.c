// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O as the launcher and the guest see it: IN and OUT of each width; INS and OUTS with and without REP, both
 * directions, segments, address sizes, pages, counts; and string I/O whose buffer faults.
 */
#include "vm.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PF	14
#define GP	13
#define DB	1

/* ------------------------------------------------------------------ the test's device, at PORT_TEST */

static struct {
	__u8 bytes;		/* width that the guest must use */
	bool string, rep;
	__u8 log[64 << 10];	/* what came out */
	unsigned int logged;
	unsigned int items_in;	/* items that were handed in; item n is pattern(n) */
	unsigned int exits;
} port;

static __u32 pattern(unsigned int n)
{
	return 0x10203040 + n * 0x01030507;
}

static void port_expects(__u8 bytes, bool string, bool rep)
{
	memset(&port, 0, sizeof(port));
	port.bytes = bytes;
	port.string = string;
	port.rep = rep;
}

/* The exit record is of PORT_TEST: play the device */
static void port_serve(struct vcpu *vcpu)
{
	volatile struct tpz_run_io *io = &vcpu->run->io;
	__u32 total = io->count * io->bytes;

	CHECK_EQ(io->bytes, port.bytes);
	CHECK_EQ(io->string, port.string);
	CHECK_EQ(io->rep, port.rep);
	CHECK_GE(io->count, 1);
	CHECK_LE(total, TPZ_RUN_DATA_BYTES);
	if (!port.rep)
		CHECK_EQ(io->count, 1);
	port.exits++;
	if (io->in) {
		for (__u32 i = 0; i < io->count; i++) {
			__u32 value = pattern(port.items_in++);

			memcpy((void *)(vcpu->data + i * io->bytes), &value, io->bytes);
		}
	} else {
		CHECK_LE(port.logged + total, sizeof(port.log));
		memcpy(port.log + port.logged, (void *)vcpu->data, total);
		port.logged += total;
	}
}

/* Serves the port until something else happens, which is left in the run page */
static void serve(struct vcpu *vcpu)
{
	for (;;) {
		__u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_IO || vcpu->run->io.port != PORT_TEST)
			return;
		port_serve(vcpu);
	}
}

static __u32 serve_to_the_end(struct vcpu *vcpu)
{
	__u32 value = 0;

	serve(vcpu);
	if (vcpu->run->reason != TPZ_EXIT_IO || vcpu->run->io.in || vcpu->run->io.port != PORT_DONE)
		FAIL("expected the end; %s", vcpu_exit_text(vcpu));
	memcpy(&value, (void *)vcpu->data, vcpu->run->io.bytes);
	return value;
}

/* ------------------------------------------------------------------ IN and OUT */

static volatile __u64 seen[8];

static GUEST __u32 single_outs(__u64 value)
{
	asm volatile("outb %%al, %w1\n\t"
		     "outw %%ax, %w1\n\t"
		     "outl %%eax, %w1\n\t"
		     "outb %%al, %2\n\t"
		     "outw %%ax, %2\n\t"
		     "outl %%eax, %2"
		     : : "a"(value), "d"(PORT_TEST | 0xffff0000), "i"(PORT_TEST));
	return 1;
}

static void outs_of_each_width(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u8 widths[] = { 1, 2, 4, 1, 2, 4 };
	const __u32 value = 0x81828384;

	vcpu_start(vcpu, MODE_LONG, RING0, single_outs, 0xffffffff00000000 | value);
	for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
		struct tpz_regs regs;

		memset((void *)vcpu->data, 0xee, 8);
		vcpu_expect(vcpu, TPZ_EXIT_IO);
		CHECK_EQ(vcpu->run->io.port, PORT_TEST);
		CHECK_EQ(vcpu->run->io.bytes, widths[i]);
		CHECK_EQ(vcpu->run->io.in, 0);
		CHECK_EQ(vcpu->run->io.count, 1);
		CHECK_EQ(vcpu->run->io.string, 0);
		CHECK_EQ(vcpu->run->io.rep, 0);
		CHECK_EQ(memcmp((void *)vcpu->data, &value, widths[i]), 0);
		regs = vcpu_get(vcpu, TPZ_STATE_REGS).regs;
		CHECK_EQ(regs.gpr[TPZ_RAX], 0xffffffff00000000 | value);
	}
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static GUEST __u32 single_ins(__u64 unused)
{
	const __u64 before = 0xf0f1f2f3f4f5f6f7;

	(void)unused;
	asm volatile("inb %w1, %%al" : "=a"(seen[0]) : "d"(PORT_TEST), "0"(before));
	asm volatile("inw %w1, %%ax" : "=a"(seen[1]) : "d"(PORT_TEST), "0"(before));
	asm volatile("inl %w1, %%eax" : "=a"(seen[2]) : "d"(PORT_TEST), "0"(before));
	asm volatile("inb %1, %%al" : "=a"(seen[3]) : "i"(PORT_TEST), "0"(before));
	asm volatile("inw %1, %%ax" : "=a"(seen[4]) : "i"(PORT_TEST), "0"(before));
	asm volatile("inl %1, %%eax" : "=a"(seen[5]) : "i"(PORT_TEST), "0"(before));
	return 1;
}

static void ins_of_each_width(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u8 widths[] = { 1, 2, 4, 1, 2, 4 };
	const __u64 before = 0xf0f1f2f3f4f5f6f7, value = 0x8182838485868788;

	vcpu_start(vcpu, MODE_LONG, RING0, single_ins, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
		vcpu_expect(vcpu, TPZ_EXIT_IO);
		CHECK_EQ(vcpu->run->io.port, PORT_TEST);
		CHECK_EQ(vcpu->run->io.bytes, widths[i]);
		CHECK_EQ(vcpu->run->io.in, 1);
		CHECK_EQ(vcpu->run->io.count, 1);
		CHECK_EQ(vcpu->run->io.string, 0);
		memcpy((void *)vcpu->data, &value, 8);
	}
	CHECK_EQ(vcpu_finish(vcpu), 1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(seen[3 * i], (before & ~0xffULL) | (value & 0xff));
		CHECK_EQ(seen[3 * i + 1], (before & ~0xffffULL) | (value & 0xffff));
		CHECK_EQ(seen[3 * i + 2], value & 0xffffffff);
	}
}

/* Every port of 65536 is the launcher's, byte by byte */
static GUEST __u32 all_ports(__u64 step)
{
	__u32 sum = 0;

	for (__u32 p = 0; p < 65536; p += step)
		sum += inb(p);
	return sum;
}

static void every_port_exits(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u32 sum = 0;

	vcpu_start(vcpu, MODE_LONG, RING0, all_ports, 251);
	for (__u32 p = 0; p < 65536; p += 251) {
		vcpu_expect(vcpu, TPZ_EXIT_IO);
		CHECK_EQ(vcpu->run->io.port, p);
		CHECK_EQ(vcpu->run->io.in, 1);
		*vcpu->data = p;
		sum += (__u8)p;
	}
	CHECK_EQ(vcpu_finish(vcpu), sum);
}

/* The launcher's answer is taken by the next run, also by one that enters nothing */
static void an_answer_is_taken_without_an_entry(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_regs before, after;

	vcpu_start(vcpu, MODE_LONG, RING0, single_ins, 0);
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	before = vcpu_get(vcpu, TPZ_STATE_REGS).regs;
	CHECK_EQ(before.gpr[TPZ_RAX], 0xf0f1f2f3f4f5f6f7);
	CHECK_EQ(before.rip, vcpu->run->rip);
	*vcpu->data = 0x5a;
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	after = vcpu_get(vcpu, TPZ_STATE_REGS).regs;
	CHECK_EQ(after.gpr[TPZ_RAX], 0xf0f1f2f3f4f5f65a);
	CHECK_EQ(after.rip, before.rip + 1);	/* IN AL, DX */
	*vcpu->data = 0xff;
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	CHECK_EQ(vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RAX], 0xf0f1f2f3f4f5f65a);
	vcpu->run->immediate_exit = 0;
	vcpu_expect(vcpu, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.bytes, 2);
}

static GUEST __u32 out_under_tf(__u64 unused)
{
	(void)unused;
	asm volatile("pushf\n\t"
		     "orq $0x100, (%%rsp)\n\t"
		     "popf\n\t"
		     "outb %%al, %%dx\n"
		     ".globl after_out\n"
		     "after_out: nop"
		     : : "a"(0), "d"(PORT_TEST) : "memory", "cc");
	return 0;
}

extern const char after_out[];

/* A single step over an OUT that went to the launcher: the trap comes after it, not later */
static void a_step_over_an_out_traps_after_it(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct fault fault;

	vcpu_start(vcpu, MODE_LONG, RING0, out_under_tf, 0);
	CHECK_EQ(vcpu_expect_out(vcpu, PORT_TEST), 0);
	fault = vcpu_expect_fault(vcpu, DB);
	CHECK_EQ(fault.rip, (uintptr_t)after_out);
}

/* ------------------------------------------------------------------ INS and OUTS, 64-bit */

static volatile struct { __u64 rsi, rdi, rcx, df; } before, after;

/* A guest of one string instruction, whose address is NAME_insn */
#define STRING_GUEST(name, instruction)					\
	extern const char name##_insn[];				\
	static GUEST __u32 name(__u64 unused)				\
	{								\
		__u64 rsi = before.rsi, rdi = before.rdi, rcx = before.rcx; \
									\
		(void)unused;						\
		asm volatile("test %%eax, %%eax\n\t"			\
			     "jz " #name "_insn\n\t"			\
			     "std\n"					\
			     ".globl " #name "_insn\n"			\
			     #name "_insn:\n\t"				\
			     instruction "\n\t"				\
			     "cld"					\
			     : "+S"(rsi), "+D"(rdi), "+c"(rcx)		\
			     : "a"((__u32)before.df), "d"(PORT_TEST) : "memory", "cc"); \
		after.rsi = rsi;					\
		after.rdi = rdi;					\
		after.rcx = rcx;					\
		return 1;						\
	}

STRING_GUEST(guest_outsb, "outsb")
STRING_GUEST(guest_outsw, "outsw")
STRING_GUEST(guest_outsl, "outsl")
STRING_GUEST(guest_insb, "insb")
STRING_GUEST(guest_insw, "insw")
STRING_GUEST(guest_insl, "insl")
STRING_GUEST(guest_rep_outsb, "rep outsb")
STRING_GUEST(guest_rep_outsw, "rep outsw")
STRING_GUEST(guest_rep_outsl, "rep outsl")
STRING_GUEST(guest_rep_insb, "rep insb")
STRING_GUEST(guest_rep_insw, "rep insw")
STRING_GUEST(guest_rep_insl, "rep insl")
STRING_GUEST(guest_fs_outsl, "outsl %%fs:(%%rsi), %%dx")
STRING_GUEST(guest_addr32_rep_outsb, "rep outsb %%ds:(%%esi), %%dx")
STRING_GUEST(guest_addr32_rep_insb, "rep insb %%dx, %%es:(%%edi)")

static const struct string_guest {
	__u32 (*run)(__u64);
	__u8 bytes;
	bool in, rep;
} strings[] = {
	{ guest_outsb, 1, false, false }, { guest_outsw, 2, false, false }, { guest_outsl, 4, false, false },
	{ guest_insb, 1, true, false }, { guest_insw, 2, true, false }, { guest_insl, 4, true, false },
	{ guest_rep_outsb, 1, false, true }, { guest_rep_outsw, 2, false, true }, { guest_rep_outsl, 4, false, true },
	{ guest_rep_insb, 1, true, true }, { guest_rep_insw, 2, true, true }, { guest_rep_insl, 4, true, true },
};

#define BUFFER	(GUEST_FREE + 0x20000ULL)
#define WINDOW	(BUFFER - 4 * PAGE)	/* no check_string() reaches beyond */
#define WINDOW_BYTES	(8 * PAGE)
#define ABOVE	0xabcdef0100000000ULL	/* what the upper halves of registers must lose or keep */

static void fill(struct vm *vm, __u64 at, __u64 bytes)
{
	for (__u64 i = 0; i < bytes; i++)
		vm->memory[at + i] = i * 7 + (i >> 8);
}

static void start_string(struct vcpu *vcpu, enum guest_ring ring, const void *run, __u64 address, __u64 count, bool down)
{
	before.rsi = before.rdi = address;
	before.rcx = count;
	before.df = down;
	vcpu_start(vcpu, MODE_LONG, ring, run, 0);
}

/* One instruction over memory that is all there: data, order, registers */
static void check_string(struct vcpu *vcpu, const struct string_guest *guest, __u64 address, __u64 count, bool down)
{
	const __u64 items = guest->rep ? count : 1;
	const __s64 step = down ? -(__s64)guest->bytes : guest->bytes;
	struct vm *vm = vcpu->vm;
	__u8 *from = vm->memory + address, *window = vm->memory + WINDOW;
	static __u8 copy[WINDOW_BYTES];

	port_expects(guest->bytes, true, guest->rep);
	memcpy(copy, window, sizeof(copy));
	start_string(vcpu, RING0, guest->run, address, count, down);
	CHECK_EQ(serve_to_the_end(vcpu), 1);

	CHECK_EQ(after.rsi, address + (guest->in ? 0 : items * step));
	CHECK_EQ(after.rdi, address + (guest->in ? items * step : 0));
	CHECK_EQ(after.rcx, guest->rep ? 0 : count);
	if (!items)
		CHECK_EQ(port.exits, 0);
	if (!guest->in) {
		CHECK_EQ(port.logged, items * guest->bytes);
		for (__u64 i = 0; i < items; i++)
			CHECK_THAT(!memcmp(port.log + i * guest->bytes, from + (__s64)i * step, guest->bytes),
				   "item %llu of %llu, %u bytes, down %u", i, items, guest->bytes, down);
		CHECK_EQ(memcmp(copy, window, sizeof(copy)), 0);
		return;
	}
	CHECK_EQ(port.items_in, items);
	for (__u64 i = 0; i < items; i++) {
		__u32 value = pattern(i);

		memcpy(copy + (from - window) + (__s64)i * step, &value, guest->bytes);
	}
	/* What was not to be written was not */
	if (!memcmp(copy, window, sizeof(copy)))
		return;
	for (__u64 i = 0; i < sizeof(copy); i++)
		CHECK_THAT(copy[i] == window[i], "byte %#llx: %#x, not %#x (%llu items of %u, down %u)",
			   WINDOW + i, window[i], copy[i], items, guest->bytes, down);
}

#define EACH_STRING(guest)							\
	(const struct string_guest *guest = strings; guest < strings + ARRAY_SIZE(strings); guest++)

static void strings_in_both_directions(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	fill(vcpu->vm, BUFFER - PAGE, 3 * PAGE);
	for EACH_STRING(guest)
		for (int down = 0; down < 2; down++)
			check_string(vcpu, guest, BUFFER + 0x123, 37, down);
}

static void a_count_of_zero_does_nothing(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	for EACH_STRING(guest)
		if (guest->rep)
			check_string(vcpu, guest, BUFFER, 0, false);
	/* Not even look at the address or the port */
	for EACH_STRING(guest) {
		if (!guest->rep)
			continue;
		start_string(vcpu, RING0, guest->run, 1ULL << 63, 0, false);
		CHECK_EQ(vcpu_finish(vcpu), 1);
		CHECK_EQ(after.rsi, 1ULL << 63);
		CHECK_EQ(after.rdi, 1ULL << 63);
	}
}

static void counts_beyond_the_data_area(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	fill(vcpu->vm, BUFFER - 4 * PAGE, 8 * PAGE);
	for EACH_STRING(guest)
		if (guest->rep)
			check_string(vcpu, guest, BUFFER + 0x801, 3000, false);
	CHECK_GE(port.exits, 3);
	check_string(vcpu, &strings[8], BUFFER + 0x802, 2500, true);
	check_string(vcpu, &strings[11], BUFFER + 0x803, 2500, true);
}

/* Pages that are neighbours for the guest and strangers in memory; an item lies across both */
static void strings_cross_pages(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	const __u64 far = GUEST_FREE + 0x80000;
	const __u32 inside = 0xaabbccdd;

	*vm_pte(vm, BUFFER) = far | 7;
	*vm_pte(vm, BUFFER + PAGE) = (far - 4 * PAGE) | 7;
	memcpy(vm->memory + far + PAGE - 2, &inside, 2);
	memcpy(vm->memory + far - 4 * PAGE, (const __u8 *)&inside + 2, 2);

	port_expects(4, true, false);
	start_string(vcpu, RING0, guest_outsl, BUFFER + PAGE - 2, 0, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(*(__u32 *)port.log, inside);

	port_expects(4, true, true);
	start_string(vcpu, RING0, guest_rep_outsl, BUFFER + PAGE - 6, 3, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(port.logged, 12);
	CHECK_EQ(((__u32 *)port.log)[1], inside);

	port_expects(4, true, true);
	start_string(vcpu, RING0, guest_rep_insl, BUFFER + PAGE - 6, 3, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	__u32 values[3] = { pattern(0), pattern(1), pattern(2) };

	CHECK_EQ(memcmp(vm->memory + far + PAGE - 6, values, 6), 0);
	CHECK_EQ(memcmp(vm->memory + far - 4 * PAGE, (__u8 *)values + 6, 6), 0);
}

static void segments_and_address_sizes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	struct tpz_state state;
	const __u32 value = 0x0badcafe;

	/* FS's base counts for OUTS */
	memcpy(vm->memory + BUFFER + 0x40, &value, 4);
	before.rsi = 0x40;
	before.df = 0;
	port_expects(4, true, false);
	state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)guest_fs_outsl, 0);
	state.segments.seg[TPZ_FS].base = BUFFER;
	vcpu_set(vcpu, &state);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(*(__u32 *)port.log, value);
	CHECK_EQ(after.rsi, 0x44);

	/* 32-bit addresses: the upper halves do not count, and are gone afterwards */
	fill(vm, BUFFER, 16);
	port_expects(1, true, true);
	start_string(vcpu, RING0, guest_addr32_rep_outsb, ABOVE | BUFFER, ABOVE | 5, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(port.logged, 5);
	CHECK_EQ(memcmp(port.log, vm->memory + BUFFER, 5), 0);
	CHECK_EQ(after.rsi, BUFFER + 5);
	CHECK_EQ(after.rcx, 0);
	CHECK_EQ(after.rdi, ABOVE | BUFFER);
	port_expects(1, true, true);
	start_string(vcpu, RING0, guest_addr32_rep_insb, ABOVE | BUFFER, ABOVE | 5, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(after.rdi, BUFFER + 5);
	CHECK_EQ(after.rcx, 0);
	CHECK_EQ(after.rsi, ABOVE | BUFFER);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(vm->memory[BUFFER + i], (__u8)pattern(i));
}

/* ------------------------------------------------------------------ 16-bit and 32-bit */

/* guests/io.S */
extern const char real_outs_begin[], real_outs_end[];
extern const char limit_outs[], limit_outs_insn[], limit_outs_rep[], limit_outs_rep_insn[], outs_addr16[];

static void strings_in_real_mode(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	__u8 *ds = vm->memory + GUEST_REAL_CODE, *es = vm->memory + 0x80000;

	vcpu_load(vcpu, GUEST_REAL_CODE, real_outs_begin, real_outs_end);
	memcpy(ds + 0xfffd, "\x11\x22\x33", 3);
	memcpy(es + 0xfffe, "\x44\x55", 2);
	memcpy(es, "\x66\x77\x88\x99", 4);
	vcpu_start(vcpu, MODE_REAL, RING0, 0, 0);

	/* REP OUTSB from 0xfffd: over the end of the segment, to its begin */
	port_expects(1, true, true);
	CHECK_EQ(serve_to_the_end(vcpu), 0xaaaa0003);
	CHECK_EQ(port.logged, 6);
	CHECK_EQ(memcmp(port.log, "\x11\x22\x33", 3), 0);
	CHECK_EQ(memcmp(port.log + 3, real_outs_begin, 3), 0);
	CHECK_EQ(serve_to_the_end(vcpu), 0xbbbb0000);

	/* REP OUTSW downwards through ES */
	port_expects(2, true, true);
	CHECK_EQ(serve_to_the_end(vcpu), 0xaaaafffc);
	CHECK_EQ(port.logged, 6);
	CHECK_EQ(memcmp(port.log, "\x88\x99\x66\x77\x44\x55", 6), 0);

	port_expects(2, true, true);
	CHECK_EQ(serve_to_the_end(vcpu), 10);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(*(__u16 *)(es + 4 + 2 * i), (__u16)pattern(i));
}

static void start_limited(struct vcpu *vcpu, const void *entry, __u64 argument)
{
	struct tpz_state state = vcpu_start_state(vcpu, MODE_PROTECTED, RING0, (uintptr_t)entry, argument);

	state.segments.seg[TPZ_FS].base = BUFFER;
	state.segments.seg[TPZ_FS].limit = 0xff;
	state.segments.seg[TPZ_FS].g = 0;
	vcpu_set(vcpu, &state);
}

static void strings_respect_limits(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct fault fault;

	fill(vcpu->vm, BUFFER, 0x200);
	port_expects(4, true, false);
	start_limited(vcpu, limit_outs, 0xfc);
	CHECK_EQ(serve_to_the_end(vcpu), 0x100);
	CHECK_EQ(port.logged, 4);

	start_limited(vcpu, limit_outs, 0xfd);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.rip, (uintptr_t)limit_outs_insn);

	/* What lies within the limit goes out, then the fault, with the registers in the middle */
	port_expects(1, true, true);
	start_limited(vcpu, limit_outs_rep, 0xfc);
	serve(vcpu);
	CHECK_EQ(port.logged, 4);
	CHECK_EQ(memcmp(port.log, vcpu->vm->memory + BUFFER + 0xfc, 4), 0);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, PORT_FAULT32);
	/* ECX is 5 words before ESP's in the frame of PUSHAL: cr2 edi esi ebp esp ebx edx ecx */
	__u32 *frame = vm_host(vcpu->vm, (__u32)vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

	CHECK_EQ(frame[2], 0x100);	/* ESI */
	CHECK_EQ(frame[7], 4);		/* ECX */
	CHECK_EQ(frame[9], GP);
	CHECK_EQ(frame[11], (uintptr_t)limit_outs_rep_insn);
}

static void addresses_of_16_bits(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	vcpu->vm->memory[0] = 0xb1;
	vcpu->vm->memory[0xffff] = 0xb0;
	port_expects(1, true, true);
	vcpu_start(vcpu, MODE_PROTECTED, RING0, outs_addr16, 0);
	CHECK_EQ(serve_to_the_end(vcpu), 0x12340001 - 0x56780000);
	CHECK_EQ(port.logged, 2);
	CHECK_EQ(port.log[0], 0xb0);
	CHECK_EQ(port.log[1], 0xb1);
}

/* ------------------------------------------------------------------ buffers that fault */

#define HOLE	(BUFFER + PAGE)
#define PF_WRITE	2
#define PF_USER		4

static struct fault expect_hole(struct vcpu *vcpu, const char *insn, __u64 address, __u32 error)
{
	struct fault fault;

	serve(vcpu);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	if (vcpu->run->io.port != PORT_FAULT64)
		FAIL("expected a fault; %s", vcpu_exit_text(vcpu));
	struct guest_frame *frame = vm_host(vcpu->vm, vcpu_get(vcpu, TPZ_STATE_REGS).regs.gpr[TPZ_RDI]);

	fault = (struct fault){ .vector = frame->vector, .frame = frame };
	CHECK_EQ(frame->vector, PF);
	CHECK_EQ(frame->error, error);
	CHECK_EQ(frame->cr2, address);
	CHECK_EQ(frame->rip, (uintptr_t)insn);
	return fault;
}

/* The guest's page is missing: #PF before anything reaches the port; after a repair the instruction runs again */
static void a_buffer_that_is_not_present(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	const struct { const void *run; const char *insn; __u8 bytes; bool in; } guests[] = {
		{ guest_outsb, guest_outsb_insn, 1, false }, { guest_outsl, guest_outsl_insn, 4, false },
		{ guest_insb, guest_insb_insn, 1, true }, { guest_insl, guest_insl_insn, 4, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(guests); i++)
		for (int ring = 0; ring <= 3; ring += 3) {
			*vm_pte(vm, HOLE) &= ~1ULL;
			port_expects(guests[i].bytes, true, false);
			start_string(vcpu, ring, guests[i].run, HOLE + 0x10, 0, false);
			expect_hole(vcpu, guests[i].insn, HOLE + 0x10,
				    (guests[i].in ? PF_WRITE : 0) | (ring ? PF_USER : 0));
			CHECK_EQ(port.exits, 0);
			*vm_pte(vm, HOLE) |= 1;
			fill(vm, HOLE, 64);
			CHECK_EQ(serve_to_the_end(vcpu), 1);
			CHECK_EQ(port.exits, 1);
			if (!guests[i].in)
				CHECK_EQ(memcmp(port.log, vm->memory + HOLE + 0x10, guests[i].bytes), 0);
			CHECK_EQ(guests[i].in ? after.rdi : after.rsi, HOLE + 0x10 + guests[i].bytes);
		}
}

/* REP: what comes before the hole is done, once; the registers stand at the first item that faulted */
static void a_rep_that_runs_into_a_hole(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct vm *vm = vcpu->vm;
	struct guest_frame *frame;

	for (int in = 0; in < 2; in++) {
		*vm_pte(vm, HOLE) &= ~1ULL;
		fill(vm, BUFFER, 2 * PAGE);
		port_expects(2, true, true);
		start_string(vcpu, RING0, in ? guest_rep_insw : guest_rep_outsw, HOLE - 10, 8, false);
		frame = expect_hole(vcpu, in ? guest_rep_insw_insn : guest_rep_outsw_insn, HOLE, in ? PF_WRITE : 0).frame;
		CHECK_EQ(frame->rcx, 3);
		CHECK_EQ(in ? frame->rdi : frame->rsi, HOLE);
		CHECK_EQ(in ? port.items_in : port.logged / 2, 5);
		*vm_pte(vm, HOLE) |= 1;
		CHECK_EQ(serve_to_the_end(vcpu), 1);
		CHECK_EQ(after.rcx, 0);
		CHECK_EQ(in ? port.items_in : port.logged / 2, 8);
		for (int i = 0; i < 8; i++) {
			__u16 value = in ? pattern(i) : ((__u16 *)port.log)[i];

			CHECK_EQ(value, *(__u16 *)(vm->memory + HOLE - 10 + 2 * i));
		}
	}
}

/* An item that begins on a good page and ends in a hole: the address of the fault is the hole's */
static void an_item_across_the_edge_of_a_hole(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	*vm_pte(vcpu->vm, HOLE) &= ~1ULL;
	port_expects(4, true, false);
	start_string(vcpu, RING0, guest_outsl, HOLE - 2, 0, false);
	expect_hole(vcpu, guest_outsl_insn, HOLE, 0);
	start_string(vcpu, RING0, guest_insl, HOLE - 2, 0, false);
	expect_hole(vcpu, guest_insl_insn, HOLE, PF_WRITE);
	CHECK_EQ(port.exits, 0);
}

static void a_readonly_buffer(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	*vm_pte(vcpu->vm, HOLE) &= ~2ULL;
	port_expects(1, true, false);
	start_string(vcpu, RING0, guest_insb, HOLE, 0, false);
	expect_hole(vcpu, guest_insb_insn, HOLE, PF_WRITE | 1);
	start_string(vcpu, RING0, guest_outsb, HOLE, 0, false);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
}

static void a_buffer_that_is_not_canonical(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct fault fault;

	start_string(vcpu, RING0, guest_outsl, 1ULL << 47, 0, false);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.rip, (uintptr_t)guest_outsl_insn);
	start_string(vcpu, RING0, guest_insl, (1ULL << 47) - 2, 0, false);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.rip, (uintptr_t)guest_insl_insn);
}

/* The guest's own tables are fine, but nothing stands there: the run ends with the address named */
static void a_buffer_without_memory(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 nowhere = 512 << 20;

	port_expects(4, true, false);
	start_string(vcpu, RING0, guest_outsl, nowhere + 8, 0, false);
	serve(vcpu);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, nowhere + 8);
	CHECK_EQ(vcpu->run->memory.no_slot, 1);
	start_string(vcpu, RING0, guest_insl, nowhere + 12, 0, false);
	serve(vcpu);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_MEMORY);
	CHECK_EQ(vcpu->run->memory.gpa, nowhere + 12);
}

/* ------------------------------------------------------------------ a launcher that does not keep the rules */

static void the_record_is_not_read_back(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u64 random = 88172645463325252ULL;

	fill(vcpu->vm, BUFFER, PAGE);
	for (int i = 0; i < 50; i++) {
		__u64 *words = (__u64 *)vcpu->run;

		start_string(vcpu, RING0, guest_rep_insl, BUFFER, 16, false);
		vcpu_expect(vcpu, TPZ_EXIT_IO);
		/* Everything but immediate_exit */
		for (unsigned int w = 1; w < sizeof(struct tpz_run) / 8; w++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			words[w] = random;
		}
		memset((void *)vcpu->data, 0x77, TPZ_RUN_DATA_BYTES);
		CHECK_EQ(vcpu_finish(vcpu), 1);
		CHECK_EQ(after.rdi, BUFFER + 64);
		CHECK_EQ(vcpu->vm->memory[BUFFER + 63], 0x77);
	}
}

static const struct ktap_case cases[] = {
	{ "OUT of each width", outs_of_each_width },
	{ "IN of each width", ins_of_each_width },
	{ "every port exits", every_port_exits },
	{ "an answer is taken without an entry", an_answer_is_taken_without_an_entry },
	{ "a step over an OUT traps after it", a_step_over_an_out_traps_after_it },
	{ "INS and OUTS in both directions", strings_in_both_directions },
	{ "a count of zero does nothing", a_count_of_zero_does_nothing },
	{ "counts beyond the data area", counts_beyond_the_data_area },
	{ "strings cross pages", strings_cross_pages },
	{ "segments and address sizes", segments_and_address_sizes },
	{ "strings in real mode", strings_in_real_mode },
	{ "strings respect segment limits", strings_respect_limits },
	{ "addresses of 16 bits", addresses_of_16_bits },
	{ "a buffer that is not present", a_buffer_that_is_not_present },
	{ "a REP that runs into a hole", a_rep_that_runs_into_a_hole },
	{ "an item across the edge of a hole", an_item_across_the_edge_of_a_hole },
	{ "a read-only buffer", a_readonly_buffer },
	{ "a buffer that is not canonical", a_buffer_that_is_not_canonical },
	{ "a buffer without memory", a_buffer_without_memory },
	{ "the exit record is not read back", the_record_is_not_read_back },
};
KTAP_MAIN(cases)
