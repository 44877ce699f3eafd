// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to guest-physical addresses without memory: the module carries out the instruction, and the launcher is the device.
 *
 * The yardstick is the CPU: each form runs twice, on memory and on a device that holds the same bytes. Registers, flags and
 * what is held afterwards must be the same, and the launcher must have seen each byte once.
 */
#define _GNU_SOURCE
#include "vm.h"

#define PF	14
#define GP	13
#define AC	17

#define DEVICE_GPA	0x20000000ULL	/* two pages */
#define BYTES		(2 * PAGE)

/* ------------------------------------------------------------------ the guests */

/* What a form leaves behind */
static volatile struct {
	__u64 rax, rcx, rdx, rbx, rsi, rdi, rbp, rflags;
	__u8 xmm0[16];
} after __attribute__((used));

static __u8 buffer[64] __attribute__((used));	/* ordinary memory, for instructions that need both */

asm(".pushsection .text\n"
    "form_begin:\n"
    "	movabs $0x8877665544332211, %rax\n"
    "	movabs $0x0102030405060708, %rdx\n"
    "	movabs $0xf0e0d0c0b0a09080, %rbx\n"
    "	mov $5, %ecx\n"
    "	lea buffer(%rip), %rsi\n"
    "	movq %rax, %xmm0\n"
    "	movq %rdx, %xmm1\n"
    "	punpcklqdq %xmm1, %xmm0\n"
    "	mov %rsp, %rbp\n"
    "	jmp *%r8\n"
    "form_end:\n"
    "	mov %rbp, %rsp\n"
    "	pushfq\n"
    "	popq after+56(%rip)\n"
    "	mov %rax, after(%rip)\n"
    "	mov %rcx, after+8(%rip)\n"
    "	mov %rdx, after+16(%rip)\n"
    "	mov %rbx, after+24(%rip)\n"
    "	mov %rsi, after+32(%rip)\n"
    "	mov %rdi, after+40(%rip)\n"
    "	movdqu %xmm0, after+64(%rip)\n"
    "	cld\n"
    "	mov $1, %eax\n"
    "	ret\n"
    ".popsection\n");

#define GUEST_FORM(name, ...)						\
	asm(".pushsection .text\n" #name ": lea " #name "_insn(%rip), %r8\n jmp form_begin\n"	\
	    #name "_insn: " __VA_ARGS__ "\n jmp form_end\n" #name "_there: jmp form_end\n.popsection\n");	\
	extern const char name[], name##_insn[]

#define LOADS		(1 << 0)
#define STORES		(1 << 1)
#define ALIGNED		(1 << 2)
#define REPEATS		(1 << 3)

/* X(name, bytes of one access, flags, text) */
#define FORMS(X)							\
	X(mov_b_store, 1, STORES, "movb %al, (%rdi)")			\
	X(mov_w_store, 2, STORES, "movw %ax, (%rdi)")			\
	X(mov_l_store, 4, STORES, "movl %eax, (%rdi)")			\
	X(mov_q_store, 8, STORES, "movq %rax, (%rdi)")			\
	X(mov_high_store, 1, STORES, "movb %dh, (%rdi)")		\
	X(mov_b_load, 1, LOADS, "movb (%rdi), %al")			\
	X(mov_w_load, 2, LOADS, "movw (%rdi), %ax")			\
	X(mov_l_load, 4, LOADS, "movl (%rdi), %eax")			\
	X(mov_q_load, 8, LOADS, "movq (%rdi), %rax")			\
	X(mov_high_load, 1, LOADS, "movb (%rdi), %ah")			\
	X(mov_b_imm, 1, STORES, "movb $0x5a, (%rdi)")			\
	X(mov_w_imm, 2, STORES, "movw $0x5aa5, (%rdi)")			\
	X(mov_l_imm, 4, STORES, "movl $0x80001234, (%rdi)")		\
	X(mov_q_imm, 8, STORES, "movq $-5, (%rdi)")			\
	X(movzx_b, 1, LOADS, "movzbl (%rdi), %eax")			\
	X(movzx_w, 2, LOADS, "movzwq (%rdi), %rax")			\
	X(movsx_b, 1, LOADS, "movsbw (%rdi), %ax")			\
	X(movsx_w, 2, LOADS, "movswl (%rdi), %eax")			\
	X(movsxd, 4, LOADS, "movslq (%rdi), %rax")			\
	X(add_store, 4, LOADS | STORES, "addl %eax, (%rdi)")		\
	X(add_load, 8, LOADS, "addq (%rdi), %rax")			\
	X(or_imm, 1, LOADS | STORES, "orb $0x81, (%rdi)")		\
	X(adc_store, 2, LOADS | STORES, "stc; adcw %ax, (%rdi)")	\
	X(sbb_store, 8, LOADS | STORES, "stc; sbbq %rax, (%rdi)")	\
	X(and_imm, 4, LOADS | STORES, "andl $0x00ff00ff, (%rdi)")	\
	X(lock_xor, 4, LOADS | STORES, "lock xorl %edx, (%rdi)")	\
	X(cmp_imm, 4, LOADS, "cmpl $7, (%rdi)")				\
	X(test_imm, 1, LOADS, "testb $0x80, (%rdi)")			\
	X(not_q, 8, LOADS | STORES, "notq (%rdi)")			\
	X(neg_l, 4, LOADS | STORES, "negl (%rdi)")			\
	X(inc_w, 2, LOADS | STORES, "incw (%rdi)")			\
	X(lock_dec, 4, LOADS | STORES, "lock decl (%rdi)")		\
	X(xchg_l, 4, LOADS | STORES, "xchgl %eax, (%rdi)")		\
	X(lock_xadd, 8, LOADS | STORES, "lock xaddq %rax, (%rdi)")	\
	X(cmpxchg_other, 4, LOADS | STORES, "lock cmpxchgl %edx, (%rdi)")	\
	X(bt_imm, 4, LOADS, "btl $5, (%rdi)")				\
	X(bts_reg, 4, LOADS | STORES, "mov $6, %edx; lock btsl %edx, (%rdi)")	\
	X(btc_reg, 8, LOADS | STORES, "mov $63, %edx; btcq %rdx, (%rdi)")	\
	X(rol_by_1, 2, LOADS | STORES, "rolw $1, (%rdi)")		\
	X(rcr_by_1, 8, LOADS | STORES, "rcrq $1, (%rdi)")		\
	X(shl_by_5, 4, LOADS | STORES, "shll $5, (%rdi); test %eax, %eax")	\
	X(sar_by_cl, 1, LOADS | STORES, "sarb %cl, (%rdi); test %eax, %eax")	\
	X(mul_l, 4, LOADS, "mull (%rdi); test %eax, %eax")		\
	X(imul_q, 8, LOADS, "imulq (%rdi), %rdx; test %eax, %eax")	\
	X(imul_imm, 4, LOADS, "imull $-77, (%rdi), %ebx; test %eax, %eax")	\
	X(cmov_l, 4, LOADS, "cmovcl (%rdi), %eax")			\
	X(cmov_q, 8, LOADS, "cmovncq (%rdi), %rdx")			\
	X(setc, 1, STORES, "stc; setc (%rdi)")				\
	X(movnti_l, 4, STORES, "movnti %eax, (%rdi)")			\
	X(mov_from_ss, 2, STORES, "movw %ss, (%rdi)")			\
	X(push_memory, 8, LOADS, "pushq (%rdi)")			\
	X(pop_memory, 8, STORES, "pushq %rdx; popq (%rdi)")		\
	X(push_there, 8, STORES, "lea 8(%rdi), %rsp; pushq %rax")	\
	X(pop_there, 8, LOADS, "mov %rdi, %rsp; popq %rax")		\
	X(stos_l, 4, STORES, "stosl")					\
	X(lods_q, 8, LOADS, "mov %rdi, %rsi; lodsq")			\
	X(movs_there, 2, STORES, "movsw")				\
	X(movs_from, 4, LOADS, "xchg %rsi, %rdi; movsl")		\
	X(scas_b, 1, LOADS, "scasb")					\
	X(cmps_w, 2, LOADS, "cmpsw")					\
	X(rep_stos, 1, STORES | REPEATS, "rep stosb")			\
	X(rep_movs, 4, STORES | REPEATS, "rep movsl")			\
	X(rep_movs_down, 2, STORES | REPEATS, "std; rep movsw")		\
	X(rep_lods, 2, LOADS | REPEATS, "mov %rdi, %rsi; rep lodsw")	\
	X(movups_load, 16, LOADS, "movups (%rdi), %xmm0")		\
	X(movups_store, 16, STORES, "movups %xmm0, (%rdi)")		\
	X(movdqa_load, 16, LOADS | ALIGNED, "movdqa (%rdi), %xmm0")	\
	X(movaps_store, 16, STORES | ALIGNED, "movaps %xmm0, (%rdi)")	\
	X(movq_load, 8, LOADS, "movq (%rdi), %xmm0")			\
	X(movq_store, 8, STORES, "movq %xmm0, (%rdi)")			\
	X(movss_load, 4, LOADS, "movss (%rdi), %xmm0")			\
	X(movhps_load, 8, LOADS, "movhps (%rdi), %xmm0")		\
	X(movd_store, 4, STORES, "movd %xmm0, (%rdi)")

#define DECLARE(name, bytes, flags, text)	GUEST_FORM(form_##name, text);
FORMS(DECLARE)

static const struct form {
	const char *name, *guest;
	__u8 bytes, flags;
} forms[] = {
#define ENTRY(name, bytes, flags, text)	{ #name, form_##name, bytes, flags },
	FORMS(ENTRY)
};

/* ------------------------------------------------------------------ the device */

static struct {
	__u8 bytes[BYTES];
	unsigned int reads, writes, read_bytes, written_bytes, exits;
	__u8 smallest, largest;
} device;

static void device_starts(void)
{
	memset(&device, 0, sizeof(device));
	device.smallest = 255;
	for (unsigned int i = 0; i < BYTES; i++)
		device.bytes[i] = i * 37 + 11;
}

/* One MMIO exit: checked, and answered */
static void serve_one(struct vcpu *vcpu)
{
	const __u64 at = vcpu->run->mmio.gpa - DEVICE_GPA;
	const unsigned int bytes = vcpu->run->mmio.bytes;

	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_MMIO);
	CHECK_GT(bytes, 0);
	CHECK_THAT(at < BYTES && at + bytes <= BYTES, "%s", vcpu_exit_text(vcpu));
	CHECK_EQ(at / PAGE, (at + bytes - 1) / PAGE);
	CHECK_GT(vcpu->run->insn_bytes, 0);
	device.exits++;
	device.smallest = bytes < device.smallest ? bytes : device.smallest;
	device.largest = bytes > device.largest ? bytes : device.largest;
	if (vcpu->run->mmio.write) {
		device.writes++;
		device.written_bytes += bytes;
		memcpy(device.bytes + at, (void *)vcpu->data, bytes);
	} else {
		device.reads++;
		device.read_bytes += bytes;
		memcpy((void *)vcpu->data, device.bytes + at, bytes);
	}
}

static __u32 serve_to_the_end(struct vcpu *vcpu)
{
	for (;;) {
		__u32 reason = vcpu_run(vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_MMIO)
			break;
		serve_one(vcpu);
	}
	CHECK_THAT(vcpu->run->reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE, "%s", vcpu_exit_text(vcpu));
	return *(volatile __u32 *)vcpu->data;
}

static void fill_buffer(void)
{
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		buffer[i] = i * 13 + 200;
}

#define STATUS_FLAGS	0x8d5ULL

/* Both runs leave the addresses themselves: those are told relative to where the run was */
static __u64 relative(__u64 value, __u64 base)
{
	return value - base < BYTES ? value - base : value;
}

static void same_as_on_memory(struct vcpu *vcpu, const struct form *form, __u64 offset)
{
	static __u8 native[BYTES], spare[sizeof(buffer)];
	typeof(after) memory;
	__u8 *host = vm_host(vcpu->vm, GUEST_FREE);

	fill_buffer();
	device_starts();
	memcpy(host, device.bytes, BYTES);
	vcpu_start(vcpu, MODE_LONG, RING0, form->guest, GUEST_FREE + offset);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	memcpy((void *)&memory, (void *)&after, sizeof(memory));
	memcpy(native, host, BYTES);
	memcpy(spare, buffer, sizeof(buffer));

	fill_buffer();
	vcpu_start(vcpu, MODE_LONG, RING0, form->guest, DEVICE_GPA + offset);
	CHECK_THAT(serve_to_the_end(vcpu) == 1, "%s", form->name);
	CHECK_THAT(after.rax == memory.rax && after.rcx == memory.rcx && after.rdx == memory.rdx && after.rbx == memory.rbx,
		   "%s at %#llx: RAX %#llx, on memory %#llx; RCX %#llx, %#llx", form->name, offset, after.rax, memory.rax,
		   after.rcx, memory.rcx);
	CHECK_THAT(relative(after.rsi, DEVICE_GPA) == relative(memory.rsi, GUEST_FREE) &&
		   relative(after.rdi, DEVICE_GPA) == relative(memory.rdi, GUEST_FREE), "%s: RSI or RDI", form->name);
	CHECK_THAT(!((after.rflags ^ memory.rflags) & STATUS_FLAGS), "%s: flags %#llx, on memory %#llx", form->name,
		   after.rflags, memory.rflags);
	CHECK_THAT(!memcmp((void *)after.xmm0, (void *)memory.xmm0, 16), "%s: XMM0", form->name);
	CHECK_THAT(!memcmp(device.bytes, native, BYTES), "%s at %#llx: the device holds something else", form->name, offset);
	CHECK_THAT(!memcmp(spare, buffer, sizeof(buffer)), "%s: the buffer holds something else", form->name);
}

/* ------------------------------------------------------------------ each form */

static void each_form(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	for (const struct form *f = forms; f < forms + ARRAY_SIZE(forms); f++) {
		const unsigned int times = f->flags & REPEATS ? 5 : 1;

		same_as_on_memory(vcpu, f, 0x140);
		CHECK_THAT(device.reads == (f->flags & LOADS ? times : 0), "%s: %u reads", f->name, device.reads);
		CHECK_THAT(device.writes == (f->flags & STORES ? times : 0), "%s: %u writes", f->name, device.writes);
		CHECK_THAT(device.smallest == f->bytes && device.largest == f->bytes, "%s: %u to %u bytes", f->name,
			   device.smallest, device.largest);
	}
	ktap_diag("%zu forms", ARRAY_SIZE(forms));
}

/* At each split of the operand: one exit for each page, each byte once */
static void across_pages(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	for (const struct form *f = forms; f < forms + ARRAY_SIZE(forms); f++) {
		if ((f->flags & (ALIGNED | REPEATS)) || f->bytes == 1)
			continue;
		for (unsigned int split = 1; split < f->bytes; split += f->bytes > 8 ? 5 : 1) {
			same_as_on_memory(vcpu, f, PAGE - split);
			CHECK_THAT(device.reads == (f->flags & LOADS ? 2 : 0), "%s: %u reads", f->name, device.reads);
			CHECK_THAT(device.writes == (f->flags & STORES ? 2 : 0), "%s: %u writes", f->name, device.writes);
			CHECK_THAT(device.read_bytes == (f->flags & LOADS ? f->bytes : 0) &&
				   device.written_bytes == (f->flags & STORES ? f->bytes : 0), "%s: bytes", f->name);
		}
	}
}

/* REP over the border, up and down, with an item that lies on it or none */
static void repeated_across_pages(void)
{
	static const __u64 offsets[] = { PAGE - 6, PAGE - 4, PAGE + 3, PAGE + 4 };
	struct vcpu *vcpu = vm_with_vcpu();

	for (const struct form *f = forms; f < forms + ARRAY_SIZE(forms); f++) {
		if (!(f->flags & REPEATS))
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
			same_as_on_memory(vcpu, f, offsets[i]);
			CHECK_THAT(device.read_bytes == (f->flags & LOADS ? 5 * f->bytes : 0) &&
				   device.written_bytes == (f->flags & STORES ? 5 * f->bytes : 0), "%s: bytes", f->name);
		}
	}
}

/* One page is memory: the launcher hears of the other alone */
static void half_of_it_memory(void)
{
	for (unsigned int there = 0; there < 2; there++) {
		struct vcpu *vcpu = vm_with_vcpu();
		__u8 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, DEVICE_GPA + there * PAGE, PAGE, 0);
		const unsigned int edge = there ? 0 : PAGE - 3, own = there ? 5 : 3;	/* of 8 bytes, 3 before the edge */

		device_starts();
		memcpy(memory, device.bytes + there * PAGE, PAGE);
		vcpu_start(vcpu, MODE_LONG, RING0, form_mov_q_load, DEVICE_GPA + PAGE - 3);
		CHECK_EQ(serve_to_the_end(vcpu), 1);
		CHECK_EQ(after.rax, *(__u64 *)(device.bytes + PAGE - 3));
		CHECK_EQ(device.exits, 1);
		CHECK_EQ(device.read_bytes, 8 - own);

		device_starts();
		vcpu_start(vcpu, MODE_LONG, RING0, form_mov_q_store, DEVICE_GPA + PAGE - 3);
		CHECK_EQ(serve_to_the_end(vcpu), 1);
		CHECK_EQ(device.exits, 1);
		CHECK_EQ(device.written_bytes, 8 - own);
		memcpy(device.bytes + there * PAGE + edge, memory + edge, own);
		CHECK_EQ(*(__u64 *)(device.bytes + PAGE - 3), 0x8877665544332211ULL);
	}
}

/* CALL and JMP through memory that is not there; the table holds their target */
GUEST_FORM(form_call, "call *(%rdi); nop");
GUEST_FORM(form_jump, "jmp *(%rdi); ud2");
extern const char form_call_there[], form_jump_there[];

static void branches(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	const __u64 call = (uintptr_t)form_call_there, jump = (uintptr_t)form_jump_there, far = 1ULL << 47;
	struct fault fault;

	device_starts();
	memcpy(device.bytes + 0x40, &call, 8);
	vcpu_start(vcpu, MODE_LONG, RING0, form_call, DEVICE_GPA + 0x40);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(device.reads, 1);
	memcpy(device.bytes + 0x40, &jump, 8);
	vcpu_start(vcpu, MODE_LONG, RING0, form_jump, DEVICE_GPA + 0x40);
	CHECK_EQ(serve_to_the_end(vcpu), 1);

	vcpu_start(vcpu, MODE_LONG, RING0, form_jump, DEVICE_GPA + 0x40);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	memcpy((void *)vcpu->data, &far, 8);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.rip, (uintptr_t)form_jump_insn);
	CHECK_EQ(fault.error, 0);
}

/* ------------------------------------------------------------------ what is told, and when it is done */

GUEST_FORM(form_fxsave, "fxsave (%rdi)");
GUEST_FORM(form_fild, "fildl (%rdi)");
GUEST_FORM(form_shld, "shldl $4, %eax, (%rdi)");
GUEST_FORM(form_load_ss, "movw (%rdi), %ss");

static void what_is_not_known(void)
{
	const struct { const char *guest, *insn; __u8 bytes[3], count, write; } unknown[] = {
		{ form_fxsave, form_fxsave_insn, { 0x0f, 0xae, 0x07 }, 3, 1 },
		{ form_fild, form_fild_insn, { 0xdb, 0x07 }, 2, 0 },
		{ form_load_ss, form_load_ss_insn, { 0x8e, 0x17 }, 2, 0 },
	};
	struct vcpu *shld = vm_with_vcpu();

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct vcpu *vcpu = vm_with_vcpu();

		vcpu_start(vcpu, MODE_LONG, RING0, unknown[i].guest, DEVICE_GPA + 0x40);
		vcpu_expect(vcpu, TPZ_EXIT_MEMORY);
		CHECK_EQ(vcpu->run->memory.gpa, DEVICE_GPA + 0x40);
		CHECK_EQ(vcpu->run->memory.no_slot, 1);
		CHECK_EQ(vcpu->run->memory.write, unknown[i].write);
		CHECK_EQ(vcpu->run->rip, (uintptr_t)unknown[i].insn);
		CHECK_EQ(vcpu->run->insn_bytes, unknown[i].count);
		CHECK_EQ(vcpu->run->memory.insn_bytes, unknown[i].count);
		CHECK_EQ(memcmp((void *)vcpu->run->memory.insn, unknown[i].bytes, unknown[i].count), 0);
		*(__u16 *)((__u8 *)vm_add_memory(vcpu->vm, SLOT_TEST, DEVICE_GPA, PAGE, 0) + 0x40) = SEL_DATA;
		CHECK_EQ(vcpu_finish(vcpu), 1);
		vm_close(vcpu->vm);
	}
	/* Whether the read or the write of it is told, is the CPU's affair */
	vcpu_start(shld, MODE_LONG, RING0, form_shld, DEVICE_GPA + 0x40);
	vcpu_expect(shld, TPZ_EXIT_MEMORY);
	CHECK_EQ(shld->run->memory.gpa, DEVICE_GPA + 0x40);
	CHECK_EQ(shld->run->insn_bytes, 4);
	CHECK_EQ(memcmp((void *)shld->run->memory.insn, (__u8[]){ 0x0f, 0xa4, 0x07, 0x04 }, 4), 0);
}

static GUEST __u32 read_often(__u64 times)
{
	__u32 sum = 0;

	while (times--)
		sum += *(volatile __u32 *)DEVICE_GPA;
	return sum;
}

static void one_exit_for_each_access(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters before, now;
	__u32 sum = 0;

	vcpu_start(vcpu, MODE_LONG, RING0, read_often, 1);
	device_starts();
	serve_to_the_end(vcpu);
	before = meters_read(&meters, 0);
	vcpu_start(vcpu, MODE_LONG, RING0, read_often, 100);
	for (unsigned int i = 0; i < 100; i++) {
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		*(volatile __u32 *)vcpu->data = i;
		sum += i;
	}
	CHECK_EQ(vcpu_finish(vcpu), sum);
	now = meters_read(&meters, 0);
	CHECK_EQ(now.reason[TPZ_EXIT_NPF].count - before.reason[TPZ_EXIT_NPF].count, 100);
	CHECK_EQ(meters_own_exits(&now) - meters_own_exits(&before), 101);
}

/* A read has not happened until it is answered; a write has, when the launcher hears of it */
static void the_state_in_between(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	device_starts();
	vcpu_start(vcpu, MODE_LONG, RING0, form_mov_l_load, DEVICE_GPA);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	state = vcpu_get(vcpu, TPZ_STATE_REGS);
	CHECK_EQ(state.regs.rip, (uintptr_t)form_mov_l_load_insn);
	CHECK_EQ(state.regs.gpr[TPZ_RAX], 0x8877665544332211ULL);
	*(volatile __u32 *)vcpu->data = 77;
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), TPZ_EXIT_INTERRUPTED);
	vcpu->run->immediate_exit = 0;
	state = vcpu_get(vcpu, TPZ_STATE_REGS);
	CHECK_EQ(state.regs.rip, (uintptr_t)form_mov_l_load_insn + 2);
	CHECK_EQ(state.regs.gpr[TPZ_RAX], 77);
	CHECK_EQ(vcpu_finish(vcpu), 1);

	vcpu_start(vcpu, MODE_LONG, RING0, form_mov_l_store, DEVICE_GPA);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->rip, (uintptr_t)form_mov_l_store_insn);
	state = vcpu_get(vcpu, TPZ_STATE_REGS);
	CHECK_EQ(state.regs.rip, (uintptr_t)form_mov_l_store_insn + 2);

	/* REP: item by item, RCX counts down */
	vcpu_start(vcpu, MODE_LONG, RING0, form_rep_stos, DEVICE_GPA);
	for (unsigned int left = 4; left + 1; left--) {
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.gpa, DEVICE_GPA + 4 - left);
		state = vcpu_get(vcpu, TPZ_STATE_REGS);
		CHECK_EQ(state.regs.gpr[TPZ_RCX], left);
		CHECK_EQ(state.regs.rip, (uintptr_t)form_rep_stos_insn + (left ? 0 : 2));
	}
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

/* TF: the trap comes behind the instruction that was emulated */
static void a_step_traps_behind_it(void)
{
	for (int store = 0; store < 2; store++) {
		struct vcpu *vcpu = vm_with_vcpu();
		const __u64 insn = (uintptr_t)(store ? form_mov_l_store_insn : form_mov_l_load_insn);
		struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, insn, DEVICE_GPA);
		struct fault fault;

		state.regs.rflags |= 1 << 8;
		vcpu_set(vcpu, &state);
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		fault = vcpu_expect_fault(vcpu, 1);
		CHECK_EQ(fault.rip, insn + 2);
		vm_close(vcpu->vm);
	}
}

/* TPZ_TRAP_STEP: the CPU does not count what the module carries out, so the module tells it */
static void each_step_is_told(void)
{
	struct vcpu *vcpu = vm_with_vcpu(.traps = TPZ_TRAP_STEP);
	const char *const insns[] = { form_mov_l_load_insn, form_mov_l_store_insn };

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		vcpu_start(vcpu, MODE_LONG, RING0, insns[i], DEVICE_GPA);
		vcpu_expect(vcpu, TPZ_EXIT_MMIO);
		vcpu_expect(vcpu, TPZ_EXIT_SINGLE_STEP);
		CHECK_EQ(vcpu->run->rip, (uintptr_t)insns[i] + 2);
	}
}

/* 32 bytes at once, in YMM registers */
GUEST_FORM(form_avx, "vmovdqu (%rdi), %ymm9; vmovdqu %ymm9, buffer(%rip); vpxor %xmm9, %xmm9, %xmm9;"
	   "vmovdqu buffer(%rip), %ymm10; vmovups %ymm10, 64(%rdi); vmovq (%rdi), %xmm10; vmovdqu %ymm10, buffer+32(%rip);"
	   "vmovups buffer(%rip), %ymm0; movups 16(%rdi), %xmm0; vmovdqa %ymm0, 96(%rdi)");

static void thirty_two_bytes(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;
	__u8 want[32] = {};

	if (!__builtin_cpu_supports("avx"))
		SKIP("no AVX");
	for (__u64 offset = 0; offset < PAGE; offset += PAGE - 32) {
		state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)form_avx, DEVICE_GPA + offset);
		state.control.cr4 |= 1 << 18;
		state.control.xcr0 = 7;
		vcpu_set(vcpu, &state);
		device_starts();
		CHECK_EQ(serve_to_the_end(vcpu), 1);
		CHECK_EQ(memcmp(buffer, device.bytes + offset, 32), 0);
		CHECK_EQ(memcmp(device.bytes + offset + 64, device.bytes + offset, 32), 0);
		memcpy(want, device.bytes + offset, 8);		/* VMOVQ clears the rest */
		CHECK_EQ(memcmp(buffer + 32, want, 32), 0);
		/* MOVUPS keeps the upper half of YMM0 */
		CHECK_EQ(memcmp(device.bytes + offset + 96, device.bytes + offset + 16, 16), 0);
		CHECK_EQ(memcmp(device.bytes + offset + 112, device.bytes + offset + 16, 16), 0);
		CHECK_EQ(device.largest, 32);
		CHECK_EQ(device.exits, 5);
	}
	state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)form_avx, DEVICE_GPA + PAGE - 5);
	state.control.cr4 |= 1 << 18;
	state.control.xcr0 = 7;
	vcpu_set(vcpu, &state);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.bytes, 5);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.bytes, 27);
}

/* ------------------------------------------------------------------ faults */

#define WINDOW	(GUEST_FREE + 16 * PAGE)	/* linear; two pages that the cases map where they like */

static void map_window(struct vm *vm, __u64 first, __u64 second)
{
	*vm_pte(vm, WINDOW) = first;
	*vm_pte(vm, WINDOW + PAGE) = second;
}

static void expect_page_fault(struct vcpu *vcpu, const char *guest, const char *insn, __u64 address, __u32 error)
{
	struct fault fault;

	vcpu_start(vcpu, MODE_LONG, RING0, guest, WINDOW + PAGE - 2);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.cr2, address);
	CHECK_EQ(fault.error, error);
	CHECK_EQ(fault.rip, (uintptr_t)insn);
}

/* The second page raises #PF: before the first one's device hears anything */
static void a_fault_on_the_second_page(void)
{
	struct vcpu *vcpu = vm_with_vcpu();

	map_window(vcpu->vm, DEVICE_GPA | 7, 0);
	expect_page_fault(vcpu, form_mov_l_load, form_mov_l_load_insn, WINDOW + PAGE, 0);
	expect_page_fault(vcpu, form_mov_q_store, form_mov_q_store_insn, WINDOW + PAGE, 2);
	expect_page_fault(vcpu, form_lock_xor, form_lock_xor_insn, WINDOW + PAGE, 2);
	map_window(vcpu->vm, DEVICE_GPA | 7, (DEVICE_GPA + PAGE) | 5);		/* read-only, and CR0.WP */
	expect_page_fault(vcpu, form_mov_q_store, form_mov_q_store_insn, WINDOW + PAGE, 3);
	device_starts();
	vcpu_start(vcpu, MODE_LONG, RING0, form_mov_l_load, WINDOW + PAGE - 2);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ((__u32)after.rax, *(__u32 *)(device.bytes + PAGE - 2));
}

/* Alignment, asked for in ring 3: the address is good, and so the device's page is not asked */
static void alignment(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING3, (uintptr_t)form_mov_l_load_insn, DEVICE_GPA + 1);
	struct fault fault;

	state.regs.rflags |= 1 << 18;
	state.control.cr0 |= 1 << 18;
	vcpu_set(vcpu, &state);
	fault = vcpu_expect_fault(vcpu, AC);
	CHECK_EQ(fault.error, 0);
	CHECK_EQ(fault.rip, (uintptr_t)form_mov_l_load_insn);
	vcpu_start(vcpu, MODE_LONG, RING0, form_movaps_store, DEVICE_GPA + 8);
	fault = vcpu_expect_fault(vcpu, GP);
	CHECK_EQ(fault.rip, (uintptr_t)form_movaps_store_insn);
}

/* MOVS from the device to a page that is not there: the device is read again after the repair, as by a CPU */
static void a_fault_of_the_other_operand(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;
	struct fault fault;

	map_window(vcpu->vm, 0, 0);
	state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)form_movs_there_insn, WINDOW);
	state.regs.gpr[TPZ_RSI] = DEVICE_GPA + 8;
	state.regs.gpr[TPZ_RBP] = state.regs.gpr[TPZ_RSP];
	vcpu_set(vcpu, &state);
	device_starts();
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	serve_one(vcpu);
	fault = vcpu_expect_fault(vcpu, PF);
	CHECK_EQ(fault.cr2, WINDOW);
	CHECK_EQ(fault.error, 2);
	CHECK_EQ(fault.rip, (uintptr_t)form_movs_there_insn);
	map_window(vcpu->vm, WINDOW | 7, 0);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(device.reads, 2);
	CHECK_EQ(*(__u16 *)vm_host(vcpu->vm, WINDOW), *(__u16 *)(device.bytes + 8));
	CHECK_EQ(after.rsi, DEVICE_GPA + 10);
	CHECK_EQ(after.rdi, WINDOW + 2);
}

/* ------------------------------------------------------------------ MOV to a segment register */

GUEST_FORM(form_load_fs, "movw (%rdi), %fs");

struct outcome {
	struct fault fault;	/* .vector 0: none */
	struct tpz_segment fs;
	__u64 descriptor;
};

/* Loads @selector from @at, with a GDT that has a few more descriptors than usual */
static struct outcome load_fs(struct vcpu *vcpu, __u16 selector, __u64 at, const __u64 more[4])
{
	struct tpz_state state = vcpu_start_state(vcpu, MODE_LONG, RING0, (uintptr_t)form_load_fs, at);
	const unsigned int bytes = state.segments.gdtr.limit + 1;
	__u8 *gdt = vm_host(vcpu->vm, WINDOW);
	struct outcome o = {};

	memcpy(gdt, vm_host(vcpu->vm, state.segments.gdtr.base), bytes);
	memcpy(gdt + bytes, more, 32);
	state.segments.gdtr = (struct tpz_dtable){ .base = WINDOW, .limit = bytes + 31 };
	vcpu_set(vcpu, &state);
	if (selector & ~3)
		selector += bytes - 8;		/* 8: the first of ours */
	memcpy(device.bytes + 0x40, &selector, 2);
	memcpy(vm_host(vcpu->vm, GUEST_FREE) + 0x40, &selector, 2);
	while (vcpu_run(vcpu) == TPZ_EXIT_MMIO || vcpu->run->reason == TPZ_EXIT_INTERRUPTED)
		if (vcpu->run->reason == TPZ_EXIT_MMIO)
			serve_one(vcpu);
	CHECK_EQ(vcpu->run->reason, TPZ_EXIT_IO);
	if (vcpu->run->io.port != PORT_DONE)
		o.fault = vcpu_fault(vcpu);
	state = vcpu_get(vcpu, TPZ_STATE_SEGMENTS);
	o.fs = state.segments.seg[TPZ_FS];
	memcpy(&o.descriptor, gdt + bytes, 8);
	return o;
}

static void segment_registers(void)
{
	static const __u64 more[4] = {
		0x12cf92345678ffff,	/* data at 0x12345678, not yet accessed */
		0x00cf12000000ffff,	/* not present */
		0x00af98000000ffff,	/* code that can't be read */
		0x00cff2000000ffff,	/* ring 3's */
	};
	static const __u16 selectors[] = { 8, 8 | 3, 16, 16 | 1, 24, 32, 32 | 3, 40, 48 | 2, 8 | 4, 0, 3 };
	struct vcpu *vcpu = vm_with_vcpu();
	unsigned int faults = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(selectors); i++) {
		struct outcome memory, mmio;

		device_starts();
		memory = load_fs(vcpu, selectors[i], GUEST_FREE + 0x40, more);
		CHECK_EQ(device.exits, 0);
		mmio = load_fs(vcpu, selectors[i], DEVICE_GPA + 0x40, more);
		CHECK_EQ(device.exits, 1);
		CHECK_THAT(mmio.fault.vector == memory.fault.vector && mmio.fault.error == memory.fault.error &&
			   mmio.fault.rip == memory.fault.rip,
			   "selector %#x: exception %llu, error %#llx; on memory %llu, %#llx", selectors[i], mmio.fault.vector,
			   mmio.fault.error, memory.fault.vector, memory.fault.error);
		CHECK_EQ(mmio.descriptor, memory.descriptor);
		CHECK_EQ(mmio.fs.selector, memory.fs.selector);
		CHECK_EQ(mmio.fs.unusable, memory.fs.unusable);
		faults += !!mmio.fault.vector;
		if (!mmio.fs.unusable)
			CHECK_THAT(!memcmp(&mmio.fs, &memory.fs, sizeof(mmio.fs)), "selector %#x", selectors[i]);
	}
	CHECK_GE(faults, 6);
}

/* ------------------------------------------------------------------ a launcher that does not keep the rules */

static void the_record_is_not_read_back(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	__u64 random = 88172645463325252ULL;

	for (unsigned int i = 0; i < 200; i++) {
		const struct form *f = &forms[i % ARRAY_SIZE(forms)];
		__u64 *words = (__u64 *)vcpu->run;
		unsigned int exits = 0;

		if (f->flags & ALIGNED)
			continue;
		vcpu_start(vcpu, MODE_LONG, RING0, f->guest, DEVICE_GPA + PAGE - 1);
		while (vcpu_run(vcpu) == TPZ_EXIT_MMIO) {
			CHECK_LE(++exits, 20);
			for (unsigned int w = 1; w < sizeof(struct tpz_run) / 8; w++) {
				random ^= random << 13;
				random ^= random >> 7;
				random ^= random << 17;
				words[w] = random;
			}
			memset((void *)vcpu->data, random, TPZ_RUN_DATA_BYTES);
		}
		CHECK_THAT(vcpu->run->reason == TPZ_EXIT_IO && vcpu->run->io.port == PORT_DONE, "%s: %s", f->name,
			   vcpu_exit_text(vcpu));
	}
}

/* Registers set in between take the instruction over; other groups do not */
static void state_set_in_between(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct tpz_state state;

	device_starts();
	vcpu_start(vcpu, MODE_LONG, RING0, form_add_store, DEVICE_GPA + PAGE - 1);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.bytes, 1);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);		/* the other page's three bytes */
	CHECK_EQ(vcpu->run->mmio.bytes, 3);
	state = vcpu_get(vcpu, TPZ_STATE_REGS);
	vcpu_set(vcpu, &state);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);		/* from the start */
	CHECK_EQ(vcpu->run->mmio.bytes, 1);
	serve_one(vcpu);
	state = vcpu_get(vcpu, TPZ_STATE_ALL & ~(TPZ_STATE_REGS | TPZ_STATE_FPU | TPZ_STATE_LAPIC));
	vcpu_set(vcpu, &state);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(device.reads, 2);
	CHECK_EQ(device.writes, 2);

	/* Segments and page tables changed under a pending access: its address was found before */
	map_window(vcpu->vm, DEVICE_GPA | 7, 0);
	vcpu_start(vcpu, MODE_LONG, RING0, form_not_q, WINDOW + 8);
	device_starts();
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	serve_one(vcpu);
	map_window(vcpu->vm, 0, 0);
	CHECK_EQ(serve_to_the_end(vcpu), 1);
	CHECK_EQ(device.writes, 1);

	/* Memory put there in between gets the write */
	vcpu_start(vcpu, MODE_LONG, RING0, form_not_q, DEVICE_GPA + 8);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	memset((void *)vcpu->data, 0x0f, 8);
	__u64 *memory = vm_add_memory(vcpu->vm, SLOT_TEST, DEVICE_GPA, PAGE, 0);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	CHECK_EQ(memory[1], 0xf0f0f0f0f0f0f0f0ULL);
}

/* ------------------------------------------------------------------ other modes */

asm(".pushsection .text\n"
    ".code32\n"
    "protected_forms:\n"
    "	movl $0x11223344, %eax\n"
    "	movl %eax, (%edi)\n"
    "	addw $0x1111, 2(%edi)\n"
    "	movl %esp, %ebp\n"
    "	leal 0x20(%edi), %esp\n"
    "	pushl %eax\n"
    "	popl %ecx\n"
    "	movl %ebp, %esp\n"
    "	movzwl (%edi), %eax\n"
    "	addl %ecx, %eax\n"
    "	ret\n"
    ".code64\n"
    ".popsection\n");
extern const char protected_forms[];

static void in_32_bit_modes(void)
{
	const enum guest_mode modes[] = { MODE_PROTECTED, MODE_PAGING32, MODE_PAE, MODE_COMPAT };

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vcpu *vcpu = vm_with_vcpu();

		device_starts();
		vcpu_start(vcpu, modes[i], RING0, protected_forms, DEVICE_GPA);
		CHECK_EQ(serve_to_the_end(vcpu), 0x3344 + 0x11223344);
		CHECK_EQ(*(__u32 *)device.bytes, 0x22333344);
		CHECK_EQ(*(__u32 *)(device.bytes + 0x1c), 0x11223344);
		CHECK_EQ(device.reads, 3);
		CHECK_EQ(device.writes, 3);
		vm_close(vcpu->vm);
	}
}

static const struct ktap_case cases[] = {
	{ "each form, as on memory", each_form },
	{ "across pages", across_pages },
	{ "repeated across pages", repeated_across_pages },
	{ "half of it memory", half_of_it_memory },
	{ "branches through it", branches },
	{ "what is not known goes up with its bytes", what_is_not_known },
	{ "one exit for each access", one_exit_for_each_access },
	{ "the state in between", the_state_in_between },
	{ "a step traps behind it", a_step_traps_behind_it },
	{ "each step is told", each_step_is_told },
	{ "32 bytes at once", thirty_two_bytes },
	{ "alignment", alignment },
	{ "a fault on the second page", a_fault_on_the_second_page },
	{ "a fault of the other operand", a_fault_of_the_other_operand },
	{ "segment registers", segment_registers },
	{ "the record is not read back", the_record_is_not_read_back },
	{ "state set in between", state_set_in_between },
	{ "32-bit modes", in_32_bit_modes },
};
KTAP_MAIN(cases)
