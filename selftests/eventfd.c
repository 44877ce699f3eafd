// SPDX-License-Identifier: GPL-2.0
/*
 * irqfd, resample and ioeventfd: signals become interrupts, the guest's EOI and writes become signals.
 */
#define _GNU_SOURCE
#include "apic.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEVICES		(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC)
#define LEVEL		(1 << 15)
#define DOORBELL	0x600

static volatile __u32 taken;
static volatile __u32 wanted;
static volatile bool ready;

static GUEST void take(struct guest_frame *frame __attribute__((unused)))
{
	taken++;
	wrmsr(APIC_EOI, 0);
}

static int new_eventfd(void)
{
	return CHECK_SYS(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static void signal_fd(int fd)
{
	__u64 one = 1;

	CHECK_EQ(write(fd, &one, 8), 8);
}

static __u64 count_of(int fd)
{
	__u64 count = 0;

	return read(fd, &count, 8) == 8 ? count : 0;
}

static int set_irqfd(struct vm *vm, struct tpz_irqfd f)
{
	f.size = sizeof(f);
	return ioctl(vm->fd, TPZ_SET_IRQFD, &f);
}

static int set_ioeventfd(struct vm *vm, struct tpz_ioeventfd e)
{
	e.size = sizeof(e);
	return ioctl(vm->fd, TPZ_SET_IOEVENTFD, &e);
}

static void program(struct vm *vm, unsigned int pin, __u64 entry)
{
	struct tpz_vm_state st = { .size = sizeof(st), .groups = TPZ_VM_STATE_IOAPIC };

	CHECK_SYS(ioctl(vm->fd, TPZ_GET_VM_STATE, &st));
	st.ioapic.redirection[pin] = entry;
	CHECK_SYS(ioctl(vm->fd, TPZ_SET_VM_STATE, &st));
}

static struct vcpu *start_at(uintptr_t guest)
{
	struct vcpu *vcpu = vm_with_vcpu(.devices = DEVICES);

	taken = 0;
	ready = false;
	for (unsigned int vector = 0x40; vector < 0x60; vector++)
		guest_on(vector, take);
	vcpu_start_at(vcpu, MODE_LONG, RING0, guest, 0);
	return vcpu;
}
#define start(guest)	start_at((uintptr_t)(guest))

/* Takes @wanted interrupts, asleep between them */
static GUEST __u32 sleeper(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	ready = true;
	while (taken < wanted)
		wait_for_interrupt();
	return taken;
}

static void *signaller(void *arg)
{
	int fd = *(int *)arg;

	for (unsigned int i = 0; i < wanted; i++) {
		while (!ready || taken < i)
			usleep(500);
		signal_fd(fd);
	}
	return NULL;
}

static void from_thread(struct vcpu *vcpu, int fd)
{
	pthread_t thread;

	wanted = 20;
	CHECK_EQ(pthread_create(&thread, NULL, signaller, &fd), 0);
	CHECK_EQ(vcpu_finish(vcpu), 20);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(count_of(fd), 0);	/* it was all consumed */
}

static void msi(void)
{
	struct vcpu *vcpu = start(sleeper);
	int fd = new_eventfd();

	CHECK_SYS(set_irqfd(vcpu->vm, (struct tpz_irqfd){ .flags = TPZ_IRQFD_MSI, .fd = fd,
							    .address = 0xfee00000, .data = 0x51 }));
	from_thread(vcpu, fd);
}

static void edge(void)
{
	struct vcpu *vcpu = start(sleeper);
	int fd = new_eventfd();

	program(vcpu->vm, 17, 0x51);
	CHECK_SYS(set_irqfd(vcpu->vm, (struct tpz_irqfd){ .fd = fd, .line = 17 }));
	from_thread(vcpu, fd);
}

static GUEST __u32 count_window(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	taken = 0;
	outl(PORT_TEST, 0);
	window();
	return taken;
}

/* Where the guest asks, the eventfd is signalled; how many interrupts come of it */
static __u32 signal_once(struct vcpu *vcpu, int fd)
{
	vcpu_start(vcpu, MODE_LONG, RING0, count_window, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	signal_fd(fd);
	return vcpu_finish(vcpu);
}

static void replaced_and_removed(void)
{
	struct vcpu *vcpu = start(count_window);
	int fd = new_eventfd(), early = new_eventfd();
	struct tpz_irqfd f = { .flags = TPZ_IRQFD_MSI, .fd = fd, .address = 0xfee00000, .data = 0x51 };

	CHECK_SYS(set_irqfd(vcpu->vm, f));
	CHECK_EQ(signal_once(vcpu, fd), 1);
	f.address = 0xfee05000;		/* nobody */
	CHECK_SYS(set_irqfd(vcpu->vm, f));
	CHECK_EQ(signal_once(vcpu, fd), 0);
	f.address = 0xfee00000;
	CHECK_SYS(set_irqfd(vcpu->vm, f));
	CHECK_EQ(signal_once(vcpu, fd), 1);
	CHECK_SYS(set_irqfd(vcpu->vm, (struct tpz_irqfd){ .flags = TPZ_IRQFD_REMOVE, .fd = fd }));
	CHECK_EQ(signal_once(vcpu, fd), 0);
	CHECK_EQ(count_of(fd), 1);
	CHECK_ERR(set_irqfd(vcpu->vm, (struct tpz_irqfd){ .flags = TPZ_IRQFD_REMOVE, .fd = fd }), ENOENT);

	/* What was signalled before counts */
	signal_fd(early);
	f.fd = early;
	vcpu_start(vcpu, MODE_LONG, RING0, count_window, 0);
	vcpu_expect_out(vcpu, PORT_TEST);
	CHECK_SYS(set_irqfd(vcpu->vm, f));
	CHECK_EQ(vcpu_finish(vcpu), 1);
}

static void irqfd_arguments(void)
{
	struct vm *vm = vm_create(.devices = DEVICES), *bare = vm_create();
	int fd = new_eventfd(), other = new_eventfd(), pipes[2];

	CHECK_SYS(pipe(pipes));
	CHECK_ERR(set_irqfd(bare, (struct tpz_irqfd){ .fd = fd, .line = 4 }), ENXIO);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = -1, .line = 4 }), EBADF);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = pipes[0], .line = 4 }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 24 }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 2 }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 4, .flags = 8 }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .flags = TPZ_IRQFD_MSI }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .flags = TPZ_IRQFD_MSI | TPZ_IRQFD_RESAMPLE }), EINVAL);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 9, .flags = TPZ_IRQFD_RESAMPLE,
						    .resample_fd = -1 }), EBADF);
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 9, .flags = TPZ_IRQFD_RESAMPLE,
						    .resample_fd = pipes[0] }), EINVAL);
	CHECK_SYS(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 9, .flags = TPZ_IRQFD_RESAMPLE,
						    .resample_fd = other }));
	CHECK_ERR(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 9 }), EEXIST);
	close(pipes[0]);
	close(pipes[1]);
}

/* ------------------------------------------------------------------ resample */

static GUEST __u32 level(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	for (unsigned int i = 0; i < 10; i++) {
		outl(PORT_TEST, i);
		window();
		window();
		GUEST_CHECK_EQ(taken, i + 1);
	}
	return 0;
}

static void resample(void)
{
	struct vcpu *vcpu = start(level);
	int fd = new_eventfd(), told = new_eventfd();

	program(vcpu->vm, 9, LEVEL | 0x49);
	CHECK_SYS(set_irqfd(vcpu->vm, (struct tpz_irqfd){ .fd = fd, .line = 9, .flags = TPZ_IRQFD_RESAMPLE,
							    .resample_fd = told }));
	for (unsigned int i = 0; i < 10; i++) {
		vcpu_expect_out(vcpu, PORT_TEST);
		CHECK_EQ(count_of(told), i ? 1 : 0);
		signal_fd(fd);
	}
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(count_of(told), 1);
}

/* ------------------------------------------------------------------ closing while in use */

static volatile bool stop;
static volatile int shared_fd;

static void *keep_signalling(void *arg __attribute__((unused)))
{
	__u64 one = 1;

	while (!stop)
		if (write(shared_fd, &one, 8) < 0)
			usleep(10);
	return NULL;
}

static GUEST __u32 spin(void)
{
	wrmsr(APIC_SVR, SVR_ON);
	ready = true;
	sti();
	while (!stop)
		asm volatile("pause");
	cli();
	return 0;
}

static void *churn(void *arg)
{
	struct vm *vm = arg;

	for (unsigned int i = 0; i < 400; i++) {
		int fd = eventfd(0, EFD_NONBLOCK);

		set_irqfd(vm, (struct tpz_irqfd){ .flags = TPZ_IRQFD_MSI, .fd = fd, .address = 0xfee00000, .data = 0x51 });
		shared_fd = fd;
		if (i & 1)
			set_irqfd(vm, (struct tpz_irqfd){ .flags = TPZ_IRQFD_REMOVE, .fd = fd });
		if (i % 8 == 0)
			usleep(100);
		close(fd);
	}
	stop = true;
	return NULL;
}

static void closing(void)
{
	struct vcpu *vcpu = start(spin);
	pthread_t a, b;
	int fd = new_eventfd();

	stop = false;
	shared_fd = fd;
	CHECK_EQ(pthread_create(&a, NULL, keep_signalling, NULL), 0);
	CHECK_EQ(pthread_create(&b, NULL, churn, vcpu->vm), 0);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(pthread_join(a, NULL), 0);
	CHECK_EQ(pthread_join(b, NULL), 0);
}

/* The VM goes first, its eventfds are still signalled */
static void outlives(void)
{
	struct vm *vm = vm_create(.devices = DEVICES);
	int fd = new_eventfd(), bell = new_eventfd();

	CHECK_SYS(set_irqfd(vm, (struct tpz_irqfd){ .fd = fd, .line = 4 }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ .flags = TPZ_IOEVENTFD_PORT, .address = 1, .fd = bell }));
	vm_close(vm);
	signal_fd(fd);
	CHECK_EQ(count_of(fd), 1);
}

/* ------------------------------------------------------------------ ioeventfd */

static GUEST __u32 ring(void)
{
	outb(DOORBELL, 1);
	outw(DOORBELL, 7);
	outw(DOORBELL, 8);
	outl(DOORBELL + 4, 9);
	outw(DOORBELL + 4, 9);
	return 0;
}

static void doorbells(void)
{
	struct vcpu *vcpu = start(ring);
	struct meters meters = meters_open(vcpu->vm->id);
	int byte = new_eventfd(), seven = new_eventfd(), eight = new_eventfd(), any = new_eventfd();
	const __u32 match = TPZ_IOEVENTFD_PORT | TPZ_IOEVENTFD_DATAMATCH;
	struct vm *vm = vcpu->vm;

	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, DOORBELL, 7, 2, seven }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, DOORBELL, 8, 2, eight }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, TPZ_IOEVENTFD_PORT, DOORBELL, 0, 1, byte }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, TPZ_IOEVENTFD_PORT, DOORBELL + 4, 0, 0, any }));
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(meters_read(&meters, 0).user_exits, 1);
	CHECK_EQ(count_of(byte), 1);
	CHECK_EQ(count_of(seven), 1);
	CHECK_EQ(count_of(eight), 1);
	CHECK_EQ(count_of(any), 2);

	/* Without its own, a write is the launcher's */
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match | TPZ_IOEVENTFD_REMOVE, DOORBELL, 8, 2, eight }));
	vcpu_start(vcpu, MODE_LONG, RING0, ring, 0);
	CHECK_EQ(vcpu_expect_out(vcpu, DOORBELL), 8);
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(count_of(seven), 1);
}

/* Guest-physical, where no memory is */
#define PAGE_OF_BELLS	0x20000000UL

static GUEST __u32 ring_in_memory(void)
{
	volatile __u8 *at = (volatile __u8 *)PAGE_OF_BELLS;

	at[0] = 1;
	*(volatile __u16 *)at = 7;
	*(volatile __u16 *)at = 8;
	*(volatile __u32 *)(at + 8) = 9;
	*(volatile __u16 *)(at + 8) = 9;
	*(volatile __u64 *)(at + 16) = 0x1122334455667788;
	asm volatile("lock orl $2, 24(%0)" : : "r"(at) : "memory");	/* what it reads is the launcher's */
	return 0;
}

static void doorbells_in_memory(void)
{
	struct vcpu *vcpu = start(ring_in_memory);
	struct meters meters = meters_open(vcpu->vm->id);
	int byte = new_eventfd(), seven = new_eventfd(), eight = new_eventfd();
	int any = new_eventfd(), wide = new_eventfd(), modified = new_eventfd();
	const __u32 match = TPZ_IOEVENTFD_DATAMATCH;
	const __u64 at = PAGE_OF_BELLS;
	struct vm *vm = vcpu->vm;
	__u32 old = 1;

	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, at, 7, 2, seven }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, at, 8, 2, eight }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, 0, at, 0, 1, byte }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, 0, at + 8, 0, 0, any }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, at + 16, 0x1122334455667788, 8, wide }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, at + 24, 3, 4, modified }));
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, at + 24);
	CHECK_EQ(vcpu->run->mmio.write, 0);
	memcpy((void *)vcpu->data, &old, sizeof(old));
	CHECK_EQ(vcpu_finish(vcpu), 0);
	CHECK_EQ(meters_read(&meters, 0).user_exits, 2);
	CHECK_EQ(count_of(byte), 1);
	CHECK_EQ(count_of(seven), 1);
	CHECK_EQ(count_of(eight), 1);
	CHECK_EQ(count_of(any), 2);
	CHECK_EQ(count_of(wide), 1);
	CHECK_EQ(count_of(modified), 1);

	/* Other data, another width, another address: the launcher's */
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match | TPZ_IOEVENTFD_REMOVE, at, 8, 2, eight }));
	vcpu_start(vcpu, MODE_LONG, RING0, ring_in_memory, 0);
	vcpu_expect(vcpu, TPZ_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, at);
	CHECK_EQ(vcpu->run->mmio.write, 1);
	CHECK_EQ(vcpu->run->mmio.bytes, 2);
	CHECK_EQ(*(volatile __u16 *)vcpu->data, 8);
	CHECK_EQ(count_of(byte), 1);
	CHECK_EQ(count_of(seven), 1);
	CHECK_EQ(count_of(eight), 0);
}

static void ioeventfd_arguments(void)
{
	struct vm *vm = vm_create();
	int fd = new_eventfd();
	const __u32 port = TPZ_IOEVENTFD_PORT, match = TPZ_IOEVENTFD_PORT | TPZ_IOEVENTFD_DATAMATCH;

	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 8, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 3, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 0x10000, 0, 1, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 5, 1, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, 1, 0, 0, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, 1, 0x100, 1, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, 8, 1, 0, 1, fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 1, -1 }), EBADF);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 1, vm->fd }), EINVAL);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port | TPZ_IOEVENTFD_REMOVE, 1, 0, 1, fd }), ENOENT);
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, 1, 5, 1, fd }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, 1, 6, 1, fd }));
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 2, fd }));
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, match, 1, 6, 1, fd }), EEXIST);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 1, fd }), EEXIST);
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 1, 0, 0, fd }), EEXIST);
	CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, 0, 1, 0, 0, fd }));
	for (unsigned int i = 4; i < 1024; i++)
		CHECK_SYS(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 0x1000 + i, 0, 4, fd }));
	CHECK_ERR(set_ioeventfd(vm, (struct tpz_ioeventfd){ 0, port, 2, 0, 1, fd }), ENOSPC);
}

static const struct ktap_case cases[] = {
	{ "TPZ_SET_IRQFD: arguments", irqfd_arguments },
	{ "irqfd: messages, from another thread", msi },
	{ "irqfd: edges, from another thread", edge },
	{ "irqfd: replaced, removed, signalled before", replaced_and_removed },
	{ "irqfd: resample", resample },
	{ "eventfds closed while in use", closing },
	{ "eventfds outlive the VM", outlives },
	{ "ioeventfd: ports, widths, data", doorbells },
	{ "ioeventfd: memory, widths, data", doorbells_in_memory },
	{ "TPZ_SET_IOEVENTFD: arguments", ioeventfd_arguments },
};
KTAP_MAIN(cases)
