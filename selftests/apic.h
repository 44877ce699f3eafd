/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC as guests of apic.c, pic.c, interrupts.c and nmi.c use it: x2APIC, by MSRs.
 */
#ifndef TRAPEZE_TEST_APIC_H
#define TRAPEZE_TEST_APIC_H

#include "vm.h"

#define MSR_APIC_BASE	0x1b
#define MSR_TSC		0x10
#define MSR_DEADLINE	0x6e0

#define X2APIC(reg)	(0x800 + (reg))
#define APIC_ID		X2APIC(0x02)
#define APIC_VERSION	X2APIC(0x03)
#define APIC_TPR	X2APIC(0x08)
#define APIC_PPR	X2APIC(0x0a)
#define APIC_EOI	X2APIC(0x0b)
#define APIC_LDR	X2APIC(0x0d)
#define APIC_SVR	X2APIC(0x0f)
#define APIC_ISR	X2APIC(0x10)
#define APIC_TMR	X2APIC(0x18)
#define APIC_IRR	X2APIC(0x20)
#define APIC_ESR	X2APIC(0x28)
#define APIC_ICR	X2APIC(0x30)
#define APIC_LVT_TIMER	X2APIC(0x32)
#define APIC_LVT_THERMAL X2APIC(0x33)
#define APIC_LVT_PERF	X2APIC(0x34)
#define APIC_LVT_LINT0	X2APIC(0x35)
#define APIC_LVT_LINT1	X2APIC(0x36)
#define APIC_LVT_ERROR	X2APIC(0x37)
#define APIC_INITIAL	X2APIC(0x38)
#define APIC_CURRENT	X2APIC(0x39)
#define APIC_DIVIDE	X2APIC(0x3e)
#define APIC_SELF_IPI	X2APIC(0x3f)

#define SVR_ON		0x1ff
#define LVT_MASKED	(1 << 16)
#define TIMER_ONE_SHOT	(0 << 17)
#define TIMER_PERIODIC	(1 << 17)
#define TIMER_DEADLINE	(2 << 17)
#define MODE_EXTINT	(7 << 8)
#define MODE_NMI	(4 << 8)
#define TO_SELF		(1 << 18)
#define TO_ALL		(2 << 18)
#define TO_OTHERS	(3 << 18)

#define DIVIDE_BY_1	0xb

#define RFLAGS_IF	(1 << 9)

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

/*
 * One round of a loop that spins with interrupts off. CLI changes nothing, but Bochs 3.0 needs it: after a VM entry
 * with interrupts off, host interrupts end the stay in the guest only once the guest has written RFLAGS.IF.
 */
static inline void spin_off(void)
{
	asm volatile("cli; pause" : : : "memory");
}

/* Opens the window for interrupts for two instructions, then closes it: what waits is taken in it */
static inline void window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* Sleeps until an interrupt has been taken; interrupts are off before and after */
static inline void wait_for_interrupt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

/* Is @vector's bit set in ISR, TMR or IRR? */
static inline bool apic_bit(__u32 first, __u8 vector)
{
	return rdmsr(first + vector / 32) >> (vector % 32) & 1;
}

/* RDMSR, WRMSR: the vector of the exception, or GUEST_NO_FAULT */
static inline __u64 try_rdmsr(__u32 msr)
{
	struct guest_fault fault;
	__u32 low, high;

	GUEST_TRY(fault, "rdmsr", ("=a"(low), "=d"(high)), ("c"(msr)));
	(void)low;
	(void)high;
	return fault.vector;
}

static inline __u64 try_wrmsr(__u32 msr, __u64 value)
{
	struct guest_fault fault;

	GUEST_TRY(fault, "wrmsr", (), ("c"(msr), "a"((__u32)value), "d"((__u32)(value >> 32))));
	return fault.vector;
}

/* ---- interrupt lines, on the launcher's side */

static inline void drive(struct vm *vm, __u32 number, __u32 level)
{
	struct tpz_irq_line irq = { .size = sizeof(irq), .line = number, .level = level };

	CHECK_SYS(ioctl(vm->fd, TPZ_IRQ_LINE, &irq));
}

/* Drives the lines that the guest asks for at PORT_TEST (number, level << 8), until it is done. Return: its result */
static inline __u32 serve(struct vcpu *vcpu)
{
	for (;;) {
		__u32 value;

		vcpu_expect(vcpu, TPZ_EXIT_IO);
		memcpy(&value, (const void *)vcpu->data, 4);
		if (vcpu->run->io.port == PORT_DONE)
			return value;
		if (vcpu->run->io.port != PORT_TEST)
			FAIL("%s", vcpu_exit_text(vcpu));
		drive(vcpu->vm, value & 0xff, value >> 8);
	}
}

#endif /* TRAPEZE_TEST_APIC_H */
