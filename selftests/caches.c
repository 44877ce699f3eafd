// SPDX-License-Identifier: GPL-2.0
/*
 * INVD and WBINVD are never run for a guest: INVD would throw away what the host has not written back, WBINVD would
 * empty caches that other VMs live on. Both are counted, and the guest goes on.
 *
 * That the module does not run them itself is seen by what INVD would destroy: data that was just written by the
 * launcher, the guest and other CPUs stays. (An emulator has no caches to lose; on hardware this test means it.)
 */
#include "vm.h"

#define GP	13

#define TIMES	50

static GUEST __u32 flushes(__u64 page)
{
	volatile __u64 *words = (volatile __u64 *)page;

	for (int i = 0; i < TIMES; i++) {
		for (int w = 0; w < 512; w++)
			words[w] = i * 512 + w;
		asm volatile("invd\n\twbinvd\n\tinvd" : : : "memory");
		for (int w = 0; w < 512; w++)
			GUEST_CHECK_EQ(words[w], i * 512 + w);
	}
	return 1;
}

static void both_are_counted(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);
	struct tpz_vcpu_meters m;
	static __u64 dirty[8192];

	for (unsigned int i = 0; i < ARRAY_SIZE(dirty); i++)
		dirty[i] = i * 0x9e3779b97f4a7c15ULL;
	vcpu_start(vcpu, MODE_LONG, RING0, flushes, GUEST_FREE);
	CHECK_EQ(vcpu_finish(vcpu), 1);
	m = meters_read(&meters, 0);
	CHECK_EQ(m.invds, 2 * TIMES);
	CHECK_EQ(m.wbinvds, TIMES);
	CHECK_EQ(m.reason[TPZ_EXIT_INVD].count, 2 * TIMES);
	CHECK_EQ(m.reason[TPZ_EXIT_WBINVD].count, TIMES);
	CHECK_EQ(m.user_exits, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(dirty); i++)
		CHECK_EQ(dirty[i], i * 0x9e3779b97f4a7c15ULL);
	for (__u64 w = 0; w < 512; w++)
		CHECK_EQ(((__u64 *)(vcpu->vm->memory + GUEST_FREE))[w], (TIMES - 1) * 512 + w);
}

/* What the guest's own privilege levels forbid is #GP, without an exit */
static GUEST __u32 tries(__u64 unused)
{
	struct guest_fault fault;

	(void)unused;
	GUEST_TRY(fault, "invd", (), ());
	GUEST_CHECK_EQ(fault.vector, GP);
	GUEST_TRY(fault, "wbinvd", (), ());
	GUEST_CHECK_EQ(fault.vector, GP);
	return 2;
}

static void ring3_has_neither(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_LONG, RING3, tries, 0);
	CHECK_EQ(vcpu_finish(vcpu), 2);
	CHECK_EQ(meters_read(&meters, 0).invds, 0);
	CHECK_EQ(meters_read(&meters, 0).wbinvds, 0);
}

/* WBNOINVD is WBINVD with a prefix that CPUs without it ignore: one exit, counted with it */
static GUEST __u32 wbnoinvd(__u64 unused)
{
	(void)unused;
	asm volatile(".byte 0xf3, 0x0f, 0x09" : : : "memory");
	return 3;
}

static void wbnoinvd_is_wbinvd(void)
{
	struct vcpu *vcpu = vm_with_vcpu();
	struct meters meters = meters_open(vcpu->vm->id);

	vcpu_start(vcpu, MODE_LONG, RING0, wbnoinvd, 0);
	CHECK_EQ(vcpu_finish(vcpu), 3);
	CHECK_EQ(meters_read(&meters, 0).wbinvds, 1);
}

static const struct ktap_case cases[] = {
	{ "both are counted", both_are_counted },
	{ "ring 3 has neither", ring3_has_neither },
	{ "WBNOINVD is WBINVD", wbnoinvd_is_wbinvd },
};
KTAP_MAIN(cases)
