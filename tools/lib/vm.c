// SPDX-License-Identifier: GPL-2.0
/*
 * A VM, and the launcher's memory that becomes the guest's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "trapeze.h"

#ifndef MFD_HUGE_2MB		/* Debian 12's glibc has it in no header of its own */
#define MFD_HUGE_2MB	(21U << 26)
#endif

#define HUGE_PAGE	(2UL << 20)

int tpz_vm_create(int dev, uint64_t devices, struct tpz_vm *vm)
{
	struct tpz_create_vm config = { .devices = devices };

	return tpz_vm_create_with(dev, &config, vm);
}

int tpz_vm_create_with(int dev, struct tpz_create_vm *config, struct tpz_vm *vm)
{
	config->size = sizeof(*config);
	vm->id = 0;
	vm->queue = NULL;
	vm->fd = tpz_call(dev, TPZ_CREATE_VM, config, "TPZ_CREATE_VM");
	if (vm->fd == -EOPNOTSUPP)
		return tpz_fail(EOPNOTSUPP, "TPZ_CREATE_VM: this CPU lacks a device or trap that was asked for; tpz info lists what it has");
	if (vm->fd == -EBUSY)
		return tpz_fail(EBUSY, "TPZ_CREATE_VM: another hypervisor holds this machine's virtualization (KVM?); dmesg says how to release it");
	if (vm->fd < 0)
		return vm->fd;
	vm->id = config->id;
	return 0;
}

void tpz_vm_close(struct tpz_vm *vm)
{
	if (vm->queue)
		munmap(vm->queue, TPZ_QUEUE_BYTES);
	vm->queue = NULL;
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

int tpz_vm_set_slot(const struct tpz_vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, void *addr,
		    uint64_t bytes)
{
	struct tpz_slot config = {
		.size = sizeof(config),
		.flags = flags,
		.slot = slot,
		.gpa = gpa,
		.bytes = bytes,
		.uaddr = (uintptr_t)addr,
	};

	return tpz_call(vm->fd, TPZ_SET_SLOT, &config, "TPZ_SET_SLOT");
}

int tpz_vm_irq_line(const struct tpz_vm *vm, uint32_t line, int level)
{
	struct tpz_irq_line config = {
		.size = sizeof(config),
		.line = line,
		.level = !!level,
	};

	return tpz_call(vm->fd, TPZ_IRQ_LINE, &config, "TPZ_IRQ_LINE");
}

int tpz_vm_send_msi(const struct tpz_vm *vm, uint64_t address, uint32_t data)
{
	struct tpz_msi config = {
		.size = sizeof(config),
		.address = address,
		.data = data,
	};

	return tpz_call(vm->fd, TPZ_SEND_MSI, &config, "TPZ_SEND_MSI");
}

int tpz_vm_irqfd_msi(const struct tpz_vm *vm, int fd, uint64_t address, uint32_t data)
{
	struct tpz_irqfd config = {
		.size = sizeof(config),
		.flags = TPZ_IRQFD_MSI,
		.fd = fd,
		.address = address,
		.data = data,
		.resample_fd = -1,
	};

	return tpz_call(vm->fd, TPZ_SET_IRQFD, &config, "TPZ_SET_IRQFD");
}

int tpz_vm_ioeventfd(const struct tpz_vm *vm, uint64_t gpa, int fd, int remove)
{
	struct tpz_ioeventfd config = {
		.size = sizeof(config),
		.flags = remove ? TPZ_IOEVENTFD_REMOVE : 0,
		.address = gpa,
		.fd = fd,
	};

	return tpz_call(vm->fd, TPZ_SET_IOEVENTFD, &config, "TPZ_SET_IOEVENTFD");
}

static int map_queue(struct tpz_vm *vm)
{
	void *map;

	if (vm->queue)
		return 0;
	map = mmap(NULL, TPZ_QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vm->fd, 0);
	if (map == MAP_FAILED)
		return tpz_fail(errno, "mapping a VM's queue: %s", strerror(errno));
	vm->queue = map;
	return 0;
}

int tpz_vm_coalesce(struct tpz_vm *vm, int port, uint64_t address, uint64_t bytes)
{
	struct tpz_coalesced config = {
		.size = sizeof(config),
		.flags = port ? TPZ_COALESCED_PORT : 0,
		.address = address,
		.bytes = bytes,
	};
	int ret = map_queue(vm);

	return ret ? ret : tpz_call(vm->fd, TPZ_SET_COALESCED, &config, "TPZ_SET_COALESCED");
}

int tpz_vm_set_scanned(struct tpz_vm *vm, uint32_t slot, uint64_t gpa, void *addr, uint64_t bytes, uint32_t scan_us)
{
	struct tpz_slot config = {
		.size = sizeof(config),
		.flags = TPZ_SLOT_SCANNED,
		.slot = slot,
		.scan_us = scan_us,
		.gpa = gpa,
		.bytes = bytes,
		.uaddr = (uintptr_t)addr,
	};
	int ret = map_queue(vm);

	return ret ? ret : tpz_call(vm->fd, TPZ_SET_SLOT, &config, "TPZ_SET_SLOT");
}

int tpz_vm_take_write(const struct tpz_vm *vm, struct tpz_queued_write *write)
{
	struct tpz_queue *queue = vm->queue;

	if (!queue || queue->tail == __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE))
		return 0;
	*write = queue->write[queue->tail % TPZ_QUEUE_WRITES];
	__atomic_store_n(&queue->tail, queue->tail + 1, __ATOMIC_RELEASE);
	return 1;
}

/* Maps @bytes at a multiple of 2 MiB: reserves that much more address space, then gives the ends back */
static void *map_aligned(size_t bytes, int flags, int fd)
{
	size_t reserved = bytes + HUGE_PAGE;
	char *start = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned, *end;

	if (start == MAP_FAILED)
		return MAP_FAILED;
	aligned = (char *)(((uintptr_t)start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (mmap(aligned, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
		int error = errno;

		munmap(start, reserved);
		errno = error;
		return MAP_FAILED;
	}
	end = (char *)(((uintptr_t)aligned + bytes + 4095) & ~4095UL);
	if (aligned > start)
		munmap(start, aligned - start);
	if (end < start + reserved)
		munmap(end, start + reserved - end);
	return aligned;
}

int tpz_mem_alloc(struct tpz_mem *mem, enum tpz_mem_kind kind, size_t bytes)
{
	static const int map_flags[] = {
		[TPZ_MEM_ANON] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		[TPZ_MEM_MEMFD] = MAP_SHARED,
		[TPZ_MEM_HUGETLB] = MAP_SHARED,
	};

	mem->fd = -1;
	mem->bytes = bytes;
	if (kind != TPZ_MEM_ANON) {
		unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

		if (kind == TPZ_MEM_HUGETLB) {
			flags |= MFD_HUGETLB | MFD_HUGE_2MB;
			if (bytes & (HUGE_PAGE - 1))
				return tpz_fail(EINVAL, "memory in huge pages comes in multiples of 2 MiB");
		}
		mem->fd = memfd_create("guest-memory", flags);
		if (mem->fd < 0)
			return tpz_fail(errno, "a memory file for the guest: %s", strerror(errno));
		if (ftruncate(mem->fd, bytes) ||
		    fcntl(mem->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
			int error = errno;

			close(mem->fd);
			return tpz_fail(error, "%zu bytes of guest memory: %s", bytes, strerror(error));
		}
	}

	mem->addr = map_aligned(bytes, map_flags[kind], mem->fd);
	if (mem->addr == MAP_FAILED) {
		int error = errno;

		if (mem->fd >= 0)
			close(mem->fd);
		return tpz_fail(error, "%zu bytes of guest memory: %s%s", bytes, strerror(error),
				kind == TPZ_MEM_HUGETLB ? "; reserve huge pages: sysctl vm.nr_hugepages=N" : "");
	}
	if (kind == TPZ_MEM_ANON)
		madvise(mem->addr, bytes, MADV_HUGEPAGE);	/* a wish: the host may have none */
	return 0;
}

void tpz_mem_free(struct tpz_mem *mem)
{
	munmap(mem->addr, mem->bytes);
	if (mem->fd >= 0)
		close(mem->fd);
	mem->fd = -1;
}
