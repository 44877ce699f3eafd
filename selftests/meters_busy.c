// SPDX-License-Identifier: GPL-2.0
/*
 * The meters of a vCPU that runs without a pause can be read: its page is in the middle of an update only for moments,
 * never for the length of a stay in the guest.
 */
#define _GNU_SOURCE
#include "vm.h"

#include <pthread.h>
#include <unistd.h>

static struct vcpu *vcpu;

static GUEST void spin(__u64 rounds)
{
	sti();
	for (__u64 i = 0; i < rounds; i++)
		asm volatile("pause");
	outb(PORT_TEST, 0);
}

static void *run(void *unused)
{
	(void)unused;
	run_on_cpu(1);
	vcpu_expect_out(vcpu, PORT_TEST);
	return NULL;
}

#define LOOKS	200000

static void a_busy_vcpu_can_be_read(void)
{
	const volatile struct tpz_vcpu_meters *page;
	unsigned long between = 0;
	struct meters meters;
	pthread_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("a second CPU is needed, to look from");
	vcpu = vm_with_vcpu();
	meters = meters_open(vcpu->vm->id);
	page = (const void *)((const char *)meters.vm + TPZ_METER_PAGE);
	vcpu_start(vcpu, MODE_LONG, RING0, spin, 6000000);
	run_on_cpu(0);
	CHECK_EQ(pthread_create(&thread, NULL, run, NULL), 0);
	usleep(100000);
	for (unsigned long i = 0; i < LOOKS; i++)
		between += page->seq & 1;
	ktap_diag("in the middle of an update in %lu of %d looks", between, LOOKS);
	pthread_join(thread, NULL);
	CHECK_LT(between, LOOKS / 10);
}

static const struct ktap_case cases[] = {
	{ "a busy vCPU can be read", a_busy_vcpu_can_be_read },
};
KTAP_MAIN(cases)
