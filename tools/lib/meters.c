// SPDX-License-Identifier: GPL-2.0
/*
 * Meters of any VM, read from the pages of its meter file without a system call.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "trapeze.h"

#define TORN_READS_MAX	1000	/* then the writer was preempted inside its update, or is gone */

_Static_assert(sizeof(struct tpz_vcpu_meters) <= TPZ_METER_PAGE, "a vCPU's meters fit into their page");
_Static_assert(sizeof(struct tpz_vcpu_meters) % 8 == 0, "copied by words");

static int map_meters(struct tpz_meters *meters, size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, meters->fd, 0);

	if (map == MAP_FAILED)
		return tpz_fail(errno, "mapping a VM's meters: %s", strerror(errno));
	if (meters->map)
		munmap((void *)meters->map, meters->bytes);
	meters->map = map;
	meters->bytes = bytes;
	return 0;
}

int tpz_meters_open(int dev, uint64_t id, struct tpz_meters *meters)
{
	struct tpz_open_meters config = { .size = sizeof(config), .id = id };
	const struct tpz_vm_meters *vm;
	int ret;

	*meters = (struct tpz_meters){ .fd = tpz_call(dev, TPZ_OPEN_METERS, &config, "TPZ_OPEN_METERS") };
	if (meters->fd == -ENOENT)
		return tpz_fail(ENOENT, "no VM has the number %llu; tpz list shows those there are",
				(unsigned long long)id);
	if (meters->fd == -EPERM || meters->fd == -EACCES)
		return tpz_fail(-meters->fd, "VM %llu is another user's: only that user and CAP_SYS_ADMIN may read its meters",
				(unsigned long long)id);
	if (meters->fd < 0)
		return meters->fd;

	ret = map_meters(meters, TPZ_METER_PAGE);
	if (ret)
		goto close_meters;
	vm = meters->map;
	if (vm->magic != TPZ_METER_MAGIC || vm->version != TPZ_METER_VERSION ||
	    vm->page_bytes != TPZ_METER_PAGE) {
		ret = tpz_fail(EPROTO, "the meters of VM %llu have a layout that this program does not know: use the tools of the module's release",
			       (unsigned long long)id);
		goto close_meters;
	}
	return 0;

close_meters:
	tpz_meters_close(meters);
	return ret;
}

void tpz_meters_close(struct tpz_meters *meters)
{
	if (meters->map)
		munmap((void *)meters->map, meters->bytes);
	close(meters->fd);
	*meters = (struct tpz_meters){ .fd = -1 };
}

void tpz_meters_vm(const struct tpz_meters *meters, struct tpz_vm_meters *vm)
{
	const volatile struct tpz_vm_meters *page = meters->map;

	*vm = *page;
}

/* One try: 0 if nothing was written meanwhile */
static int copy_meters(struct tpz_vcpu_meters *to, const struct tpz_vcpu_meters *from)
{
	const uint64_t *source = (const uint64_t *)from;
	uint64_t *target = (uint64_t *)to;
	uint64_t seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);

	for (size_t i = 0; i < sizeof(*to) / sizeof(*target); i++)
		target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (seq & 1 || __atomic_load_n(&from->seq, __ATOMIC_RELAXED) != seq)
		return -EAGAIN;
	return 0;
}

int tpz_meters_vcpu(struct tpz_meters *meters, uint32_t index, struct tpz_vcpu_meters *vcpu)
{
	uint32_t vcpus = __atomic_load_n(&((const struct tpz_vm_meters *)meters->map)->vcpus, __ATOMIC_ACQUIRE);
	size_t offset = TPZ_METER_PAGE * (1 + (size_t)index);
	int tries = 0;

	if (index >= vcpus)
		return tpz_fail(ENOENT, "the VM has no vCPU number %u", index);
	if (offset + TPZ_METER_PAGE > meters->bytes) {
		int ret = map_meters(meters, TPZ_METER_PAGE * (1 + (size_t)vcpus));

		if (ret)
			return ret;
	}
	while (copy_meters(vcpu, (const void *)((const char *)meters->map + offset))) {
		if (++tries == TORN_READS_MAX)
			return tpz_fail(EAGAIN, "the meters of vCPU %u never stand still", index);
		sched_yield();
	}
	return 0;
}

void tpz_meters_add(struct tpz_vcpu_meters *total, const struct tpz_vcpu_meters *vcpu)
{
	total->entries += vcpu->entries;
	total->exits += vcpu->exits;
	total->user_exits += vcpu->user_exits;
	total->guest_cycles += vcpu->guest_cycles;
	total->host_cycles += vcpu->host_cycles;
	total->halts += vcpu->halts;
	total->halted_cycles += vcpu->halted_cycles;
	total->injected_interrupts += vcpu->injected_interrupts;
	total->injected_nmis += vcpu->injected_nmis;
	total->injected_exceptions += vcpu->injected_exceptions;
	total->npf_mapped += vcpu->npf_mapped;
	total->migrations += vcpu->migrations;
	total->wbinvds += vcpu->wbinvds;
	total->pv_eois += vcpu->pv_eois;
	total->pv_flushes += vcpu->pv_flushes;
	total->yields += vcpu->yields;
	total->invds += vcpu->invds;
	for (int i = 0; i < TPZ_EXIT_COUNT; i++) {
		total->reason[i].count += vcpu->reason[i].count;
		total->reason[i].cycles += vcpu->reason[i].cycles;
	}
}
