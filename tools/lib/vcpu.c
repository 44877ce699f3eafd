// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU: its run page, its state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "trapeze.h"

int tpz_vcpu_create(const struct tpz_vm *vm, uint32_t id, struct tpz_vcpu *vcpu)
{
	struct tpz_create_vcpu config = { .size = sizeof(config), .id = id };
	void *map;

	vcpu->fd = tpz_call(vm->fd, TPZ_CREATE_VCPU, &config, "TPZ_CREATE_VCPU");
	if (vcpu->fd < 0)
		return vcpu->fd;
	map = mmap(NULL, TPZ_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (map == MAP_FAILED) {
		int error = errno;

		close(vcpu->fd);
		vcpu->fd = -1;
		return tpz_fail(error, "mapping a vCPU's run page: %s", strerror(error));
	}
	vcpu->run = map;
	vcpu->data = (char *)map + TPZ_RUN_DATA_OFFSET;
	return 0;
}

void tpz_vcpu_close(struct tpz_vcpu *vcpu)
{
	if (vcpu->fd < 0)
		return;
	munmap(vcpu->run, TPZ_RUN_BYTES);
	close(vcpu->fd);
	vcpu->fd = -1;
}

int tpz_vcpu_run(const struct tpz_vcpu *vcpu)
{
	if (ioctl(vcpu->fd, TPZ_RUN, 0) >= 0)
		return 0;
	if (errno == EINTR)
		return -EINTR;
	return tpz_fail(errno, "TPZ_RUN: %s", strerror(errno));
}

void tpz_vcpu_stop(const struct tpz_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
}

int tpz_vcpu_get_state(const struct tpz_vcpu *vcpu, uint64_t groups, struct tpz_state *state)
{
	state->size = sizeof(*state);
	state->flags = 0;
	state->groups = groups;
	return tpz_call(vcpu->fd, TPZ_GET_STATE, state, "TPZ_GET_STATE");
}

int tpz_vcpu_set_state(const struct tpz_vcpu *vcpu, uint64_t groups, struct tpz_state *state)
{
	int ret;

	state->size = sizeof(*state);
	state->flags = 0;
	state->groups = groups;
	state->bad_group = 0;
	memset(state->bad_field, 0, sizeof(state->bad_field));
	ret = tpz_call(vcpu->fd, TPZ_SET_STATE, state, "TPZ_SET_STATE");
	if (ret == -EINVAL && state->bad_group)
		return tpz_fail(EINVAL, "TPZ_SET_STATE: refused: %.*s (group %#llx)",
				(int)sizeof(state->bad_field), state->bad_field,
				(unsigned long long)state->bad_group);
	return ret;
}

int tpz_vcpu_get_cpuid(const struct tpz_vcpu *vcpu, struct tpz_cpuid_entry **entries)
{
	uint32_t capacity = 64;

	for (;;) {
		struct tpz_cpuid cpuid = {
			.size = sizeof(cpuid),
			.capacity = capacity,
			.entry_bytes = sizeof(struct tpz_cpuid_entry),
		};
		int count;

		*entries = calloc(capacity, sizeof(**entries));
		if (!*entries)
			return tpz_fail(ENOMEM, "a list of %u CPUID entries: out of memory", capacity);
		cpuid.entries = (uintptr_t)*entries;
		count = tpz_call(vcpu->fd, TPZ_GET_CPUID, &cpuid, "TPZ_GET_CPUID");
		if (count >= 0 && (uint32_t)count <= capacity)
			return count;
		free(*entries);
		*entries = NULL;
		if (count < 0)
			return count;
		capacity = count;
	}
}

int tpz_vcpu_poke(const struct tpz_vcpu *vcpu, uint32_t field, uint64_t value)
{
	struct tpz_poke poke = { .size = sizeof(poke), .field = field, .value = value };
	int ret = tpz_call(vcpu->fd, TPZ_POKE, &poke, "TPZ_POKE");

	if (ret == -EPERM)
		return tpz_fail(EPERM, "TPZ_POKE: only for tests: load the module with test=1");
	return ret;
}
