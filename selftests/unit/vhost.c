// SPDX-License-Identifier: GPL-2.0
/*
 * Queues that the kernel serves: what the launcher tells it, and when. The kernel is played by this file, with the rules that
 * the real one has (a ring that is served is not changed), the guest's driver by virtio_driver.h.
 */
#include "virtio_driver.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#define ioctl kernel_ioctl
static int kernel_ioctl(int fd, unsigned long request, ...);

#include "../../tools/devices/vhost.c"
#include "../../tools/devices/cable.c"
#include "../../tools/devices/virtio_net.c"
#include "../../tools/devices/virtio_vsock.c"

#define PATH		"/dev/null"		/* any file: no call reaches it */
#define RINGS_AT(i)	(RING + 0x4000 * (i))
#define VECTOR		1			/* of all queues, as virtio_driver.h has it */
#define CONTROL		(AT_TABLE + 16 * VECTOR + 12)
#define TAP		0x700

static const uint64_t kernel_offers = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
	1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VHOST_NET_F_VIRTIO_NET_HDR | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
	1ULL << VIRTIO_F_NOTIFY_ON_EMPTY | 1ULL << VHOST_F_LOG_ALL;

struct kernel_ring {
	struct vhost_vring_addr address;
	unsigned int num, base;
	int kick, call, error, backend;
};

/* What it knows; @refuse: the call that fails once, with @error, after @passes of its kind */
static struct kernel {
	bool owned;
	uint64_t features, acked, cid;
	struct vhost_memory memory;
	struct vhost_memory_region region[GUEST_RANGES_MAX];
	struct kernel_ring ring[2];
	unsigned long refuse;
	unsigned int passes;
	int error;
	unsigned int calls;
} kernel;

static struct virtio_net net;
static struct virtio_vsock vsock;
static uint64_t routed_data;

/* ------------------------------------------------------------------ the kernel */

static int fail_with(int error)
{
	errno = error;
	return -1;
}

static int set_ring_file(unsigned long request, const struct vhost_vring_file *file)
{
	struct kernel_ring *ring = &kernel.ring[file->index];

	switch (request) {
	case VHOST_SET_VRING_KICK:
		ring->kick = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		ring->call = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		ring->error = file->fd;
		return 0;
	default:
		if (file->fd >= 0 && (!ring->num || !ring->address.used_user_addr))
			return fail_with(EFAULT);
		ring->backend = file->fd;
		return 0;
	}
}

static int set_ring(unsigned long request, const struct vhost_vring_state *state)
{
	struct kernel_ring *ring = &kernel.ring[state->index];

	if (ring->backend >= 0)
		return fail_with(EBUSY);
	if (request == VHOST_SET_VRING_NUM)
		ring->num = state->num;
	else
		ring->base = state->num;
	return 0;
}

static int run_vsock(int on)
{
	for (int i = 0; i < 2; i++) {
		if (on && !kernel.ring[i].num)
			return fail_with(EFAULT);
		kernel.ring[i].backend = on ? 0 : -1;
	}
	return 0;
}

static int kernel_ioctl(int fd, unsigned long request, ...)
{
	const struct vhost_memory *memory;
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	kernel.calls++;
	if (request == kernel.refuse && !kernel.passes--)
		return fail_with(kernel.error);
	if (!kernel.owned && request != VHOST_SET_OWNER)
		return fail_with(EPERM);
	switch (request) {
	case VHOST_SET_OWNER:
		kernel.owned = true;
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = kernel.features;
		return 0;
	case VHOST_SET_FEATURES:
		if (*(uint64_t *)arg & ~kernel.features)
			return fail_with(EOPNOTSUPP);
		kernel.acked = *(uint64_t *)arg;
		return 0;
	case VHOST_SET_MEM_TABLE:
		memory = arg;
		kernel.memory = *memory;
		CHECK_LE(memory->nregions, GUEST_RANGES_MAX);
		memcpy(kernel.region, memory->regions, memory->nregions * sizeof(kernel.region[0]));
		return 0;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
		return set_ring(request, arg);
	case VHOST_SET_VRING_ADDR:
		kernel.ring[((struct vhost_vring_addr *)arg)->index].address = *(struct vhost_vring_addr *)arg;
		return 0;
	case VHOST_VSOCK_SET_GUEST_CID:
		kernel.cid = *(uint64_t *)arg;
		return 0;
	case VHOST_VSOCK_SET_RUNNING:
		return run_vsock(*(int *)arg);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_NET_SET_BACKEND:
		return set_ring_file(request, arg);
	default:
		FAIL("the launcher calls %#lx", request);
	}
}

static int route(void *arg, int fd, uint64_t address, uint32_t data)
{
	__atomic_store_n(&routed_data, data, __ATOMIC_SEQ_CST);
	return 0;
}

/* ------------------------------------------------------------------ building */

static void new_kernel(void)
{
	kernel = (struct kernel){ .features = kernel_offers };
	for (int i = 0; i < 2; i++)
		kernel.ring[i] = (struct kernel_ring){ .kick = -1, .call = -1, .error = -1, .backend = -1 };
	host.msix.route = route;
	routed_data = 0;
}

/* As tpz does it */
static void use_vhost(void)
{
	struct vhost vhost;

	CHECK_EQ(vhost_open(&vhost, PATH, &memory), 0);
	CHECK_EQ(virtio_net_use_vhost(&net, &vhost), 0);
}

static void free_net(void *arg)
{
	virtio_net_free(&net);
	ports_free(&ports);
}

static void new_net(void)
{
	new_machine();
	CHECK_EQ(virtio_net_init(&net, &host, TAP, (const uint8_t[ETH_ALEN]){ 2 }), 0);
	use_vhost();
	device = &net.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_net, NULL);
}

static void free_vsock(void *arg)
{
	virtio_vsock_free(&vsock);
	ports_free(&ports);
}

static void new_vsock(uint32_t cid)
{
	new_machine();
	CHECK_EQ(virtio_vsock_init(&vsock, &host, PATH, cid), 0);
	device = &vsock.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_vsock, NULL);
}

/* Up to DRIVER_OK */
static void start_both(bool msix)
{
	negotiate(msix);
	enable(0, RINGS_AT(0));
	enable(1, RINGS_AT(1));
	store(VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static bool needs_reset(void)
{
	return load(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void await(bool (*condition)(void))
{
	for (int i = 0; i < 5000 && !condition(); i++)
		usleep(1000);
	CHECK(condition());
}

static bool line_is_high(void)
{
	return __atomic_load_n(&lines, __ATOMIC_SEQ_CST);
}

static bool is_pending(void)
{
	return load(AT_PENDING, 8) >> VECTOR & 1;
}

static int vector_fd(void)
{
	return device->pci.msix.vector[VECTOR].fd;
}

static bool vector_was_signalled(void)
{
	eventfd_t count;

	return !eventfd_read(vector_fd(), &count);
}

/* ------------------------------------------------------------------ cases */

static void memory_is_told(void)
{
	static uint8_t high[8192];

	new_kernel();
	new_machine();
	CHECK_EQ(guest_memory_add(&memory, 1ULL << 32, sizeof(high), high), 0);
	CHECK_EQ(virtio_net_init(&net, &host, TAP, (const uint8_t[ETH_ALEN]){ 2 }), 0);
	use_vhost();
	device = &net.virtio;
	CHECK_EQ(virtio_add(device, &bus), 0);
	ktap_defer(free_net, NULL);
	CHECK_EQ(kernel.memory.nregions, 2);
	CHECK_EQ(kernel.memory.padding, 0);
	CHECK_EQ(kernel.region[0].guest_phys_addr, 0);
	CHECK_EQ(kernel.region[0].memory_size, RAM);
	CHECK_EQ(kernel.region[0].userspace_addr, (uintptr_t)ram);
	CHECK_EQ(kernel.region[1].guest_phys_addr, 1ULL << 32);
	CHECK_EQ(kernel.region[1].memory_size, sizeof(high));
	CHECK_EQ(kernel.region[1].userspace_addr, (uintptr_t)high);
	CHECK_EQ(kernel.region[1].flags_padding, 0);
}

static void features_are_what_both_can(void)
{
	const uint64_t own = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS;

	new_kernel();
	kernel.features &= ~(1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_RING_F_EVENT_IDX);
	new_net();
	CHECK_EQ(device->features, own | 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	declined = 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	start_both(true);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 15);
	CHECK_EQ(kernel.acked, 1ULL << VIRTIO_F_VERSION_1);
}

static void all_features(void)
{
	new_kernel();
	new_net();
	declined = 0;
	start_both(true);
	CHECK_EQ(kernel.acked, VIRTIO_TRANSPORT_FEATURES | 1ULL << VIRTIO_NET_F_MRG_RXBUF);
}

static int lowest_free_fd(void)
{
	int fd = CHECK_SYS(open("/dev/null", O_RDONLY));

	close(fd);
	return fd;
}

static void kernels_that_will_not_do(void)
{
	static const struct {
		uint64_t lacks;
		unsigned long refuse;
		int error;
	} kernels[] = {
		{ 1ULL << VIRTIO_F_VERSION_1, 0, ENOTSUP },
		{ 0, VHOST_SET_OWNER, EBUSY },
		{ 0, VHOST_GET_FEATURES, EFAULT },
		{ 0, VHOST_SET_MEM_TABLE, ENOMEM },
	};
	struct vhost vhost;
	int free_fd;

	new_kernel();
	new_machine();
	free_fd = lowest_free_fd();
	CHECK_EQ(vhost_open(&vhost, "/nowhere", &memory), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(vhost.fd, -1);
	for (unsigned int i = 0; i < ARRAY_SIZE(kernels); i++) {
		new_kernel();
		kernel.features &= ~kernels[i].lacks;
		kernel.refuse = kernels[i].refuse;
		kernel.passes = 0;
		kernel.error = kernels[i].error;
		CHECK_EQ(vhost_open(&vhost, PATH, &memory), -1);
		CHECK_EQ(errno, kernels[i].error);
		CHECK_EQ(vhost.fd, -1);
		CHECK_EQ(lowest_free_fd(), free_fd);
	}
	ports_free(&ports);
}

static void check_ring(unsigned int i)
{
	const struct kernel_ring *ring = &kernel.ring[i];

	CHECK_EQ(ring->num, SIZE);
	CHECK_EQ(ring->base, 0);
	CHECK_EQ(ring->address.index, i);
	CHECK_EQ(ring->address.flags, 0);
	CHECK_EQ(ring->address.desc_user_addr, (uintptr_t)ram + RINGS_AT(i));
	CHECK_EQ(ring->address.avail_user_addr, (uintptr_t)ram + RINGS_AT(i) + 0x1000);
	CHECK_EQ(ring->address.used_user_addr, (uintptr_t)ram + RINGS_AT(i) + 0x2000);
	CHECK_EQ(ring->kick, device->queue[i].kick);
	CHECK_GE(ring->error, 0);
}

static void rings_go_and_come_back(void)
{
	unsigned int calls;
	eventfd_t count;

	new_kernel();
	new_net();
	for (int round = 0; round < 3; round++) {
		calls = kernel.calls;
		negotiate(true);
		if (!round)
			CHECK_EQ(kernel.calls, calls);
		for (int i = 0; i < 2; i++) {
			CHECK_EQ(kernel.ring[i].backend, -1);
			CHECK_EQ(kernel.ring[i].kick, -1);
			CHECK_EQ(kernel.ring[i].call, -1);
			kernel.ring[i].base = 77;	/* as the last driver left it */
		}
		calls = kernel.calls;
		enable(0, RINGS_AT(0));
		enable(1, RINGS_AT(1));
		CHECK_EQ(kernel.calls, calls);		/* not before the driver is ready */
		store(VIRTIO_PCI_COMMON_STATUS, 1, 15);
		for (int i = 0; i < 2; i++) {
			check_ring(i);
			CHECK_EQ(kernel.ring[i].backend, TAP);
		}
		/* What the guest writes is the kernel's kick, and no thread of ours takes it */
		eventfd_read(kernel.ring[1].kick, &count);
		store(AT_NOTIFY + NOTIFY_BYTES, 2, 1);
		usleep(20000);
		CHECK_EQ(eventfd_read(kernel.ring[1].kick, &count), 0);
		CHECK_EQ(count, 1);
	}
	store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	CHECK_EQ(kernel.ring[0].backend, -1);
	CHECK_EQ(kernel.ring[1].backend, -1);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_STATUS, 1), 0);
}

static void interrupts_go_by_the_vector(void)
{
	int by_hand;

	new_kernel();
	new_net();
	start_both(true);
	CHECK_EQ(kernel.ring[1].call, vector_fd());
	CHECK_EQ(routed_data, 0x51);
	/* Another message: routed before anything else is signalled */
	store(AT_TABLE + 16 * VECTOR + 8, 4, 0x62);
	CHECK_EQ(routed_data, 0x62);
	CHECK_EQ(kernel.ring[1].call, vector_fd());

	store(CONTROL, 4, 1);
	by_hand = kernel.ring[1].call;
	CHECK_NE(by_hand, vector_fd());
	CHECK_GE(by_hand, 0);
	while (vector_was_signalled())
		;
	CHECK_EQ(eventfd_write(by_hand, 1), 0);
	await(is_pending);
	CHECK(!vector_was_signalled());
	store(CONTROL, 4, 0);
	CHECK(vector_was_signalled());
	CHECK(!is_pending());
	CHECK_EQ(kernel.ring[1].call, vector_fd());

	/* The queue without a vector, and with it again */
	store(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	store(VIRTIO_PCI_COMMON_Q_MSIX, 2, NO_VECTOR);
	CHECK_EQ(kernel.ring[1].call, by_hand);
	store(VIRTIO_PCI_COMMON_Q_MSIX, 2, VECTOR);
	CHECK_EQ(kernel.ring[1].call, vector_fd());
}

static void without_a_route(void)
{
	new_kernel();
	host.msix.route = NULL;
	new_net();
	start_both(true);
	CHECK_EQ(kernel.ring[0].call, device->queue[0].wake);
	while (__atomic_exchange_n(&messages, 0, __ATOMIC_SEQ_CST))
		usleep(10000);		/* what the start told */
	CHECK_EQ(eventfd_write(kernel.ring[0].call, 1), 0);
	for (int i = 0; i < 5000 && !__atomic_load_n(&messages, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	CHECK_GE(messages, 1);
}

static void by_the_line(void)
{
	new_kernel();
	new_net();
	start_both(false);
	CHECK_EQ(kernel.ring[0].call, device->queue[0].wake);
	do {
		load(AT_ISR, 1);
		usleep(10000);
	} while (line_is_high());
	CHECK_EQ(eventfd_write(kernel.ring[0].call, 1), 0);
	await(line_is_high);
	CHECK_EQ(load(AT_ISR, 1), 1);
	CHECK(!line_is_high());
}

static void errors_need_a_reset(void)
{
	new_kernel();
	new_net();
	for (int round = 0; round < 3; round++) {
		start_both(true);
		CHECK(!needs_reset());
		CHECK_EQ(kernel.ring[0].backend, TAP);
		CHECK_EQ(eventfd_write(kernel.ring[0].error, 1), 0);
		await(needs_reset);
		CHECK_EQ(kernel.ring[0].backend, -1);
		CHECK_EQ(kernel.ring[0].kick, -1);
	}
}

static void drivers_that_are_not_ready(void)
{
	new_kernel();
	new_net();
	/* Neither queue, one queue, a queue outside of memory */
	for (int round = 0; round < 3; round++) {
		negotiate(true);
		if (round)
			enable(0, RINGS_AT(0));
		if (round == 2)
			enable(1, RAM - 0x2000);
		store(VIRTIO_PCI_COMMON_STATUS, 1, 15);
		CHECK(needs_reset());
		CHECK_EQ(kernel.ring[0].backend, -1);
		CHECK_EQ(kernel.ring[1].backend, -1);
		CHECK_EQ(kernel.ring[0].kick, -1);
	}
	start_both(true);
	CHECK(!needs_reset());
	CHECK_EQ(kernel.ring[1].backend, TAP);
}

static void kernels_that_refuse_to_start(void)
{
	static const unsigned long calls[] = {
		VHOST_SET_FEATURES, VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_CALL, VHOST_SET_VRING_KICK, VHOST_NET_SET_BACKEND,
	};

	new_kernel();
	new_net();
	/* For the first queue, and for the second while the first one runs */
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
		store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		kernel.refuse = calls[i / 2];
		kernel.passes = calls[i / 2] == VHOST_SET_FEATURES ? 0 : i % 2;
		kernel.error = EINVAL;
		start_both(true);
		CHECK(needs_reset());
		for (int ring = 0; ring < 2; ring++) {
			CHECK_EQ(kernel.ring[ring].backend, -1);
			CHECK(!net.vhost.ring[ring].running);
		}
		CHECK_EQ(kernel.ring[0].kick, -1);
		start_both(true);
		CHECK(!needs_reset());
		CHECK_EQ(kernel.ring[0].backend, TAP);
		CHECK_EQ(kernel.ring[1].backend, TAP);
	}
}

static void vsock_runs_and_stops(void)
{
	new_kernel();
	kernel.features = VIRTIO_TRANSPORT_FEATURES | 1ULL << VIRTIO_VSOCK_F_SEQPACKET;
	new_vsock(42);
	CHECK_EQ(kernel.cid, 42);
	CHECK_EQ(load(AT_DEVICE, 8), 42);
	CHECK_EQ(load(AT_DEVICE, 4), 42);
	CHECK_EQ(load(VIRTIO_PCI_COMMON_NUMQ, 2), 3);
	CHECK_EQ(device->features, kernel.features);
	for (int round = 0; round < 3; round++) {
		start_both(true);
		CHECK(!needs_reset());
		check_ring(0);
		check_ring(1);
		CHECK_EQ(kernel.ring[0].backend, 0);
		CHECK_EQ(kernel.ring[1].backend, 0);
		store(AT_NOTIFY + 2 * NOTIFY_BYTES, 2, 2);	/* the queue of events is there, and idle */
		if (round)
			store(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		else
			CHECK_EQ(eventfd_write(kernel.ring[1].error, 1), 0);
		if (!round)
			await(needs_reset);
		CHECK_EQ(kernel.ring[0].backend, -1);
		CHECK_EQ(kernel.ring[1].backend, -1);
	}
}

static void vsock_refused(void)
{
	int free_fd = lowest_free_fd();

	new_kernel();
	new_machine();
	kernel.refuse = VHOST_VSOCK_SET_GUEST_CID;
	kernel.error = EADDRINUSE;
	CHECK_EQ(virtio_vsock_init(&vsock, &host, PATH, 42), -1);
	CHECK_EQ(errno, EADDRINUSE);
	CHECK_EQ(virtio_vsock_init(&vsock, &host, "/nowhere", 42), -1);
	CHECK_EQ(errno, ENOENT);
	ports_free(&ports);
	CHECK_EQ(lowest_free_fd(), free_fd);
}

static const struct ktap_case cases[] = {
	{ "the kernel is told of the guest's memory", memory_is_told },
	{ "a driver is offered what device and kernel can do; the kernel hears its part of what it took", features_are_what_both_can },
	{ "all that is offered can be taken", all_features },
	{ "a kernel that lacks something is told of, and leaves nothing behind", kernels_that_will_not_do },
	{ "rings are the kernel's from DRIVER_OK to reset", rings_go_and_come_back },
	{ "the kernel signals a vector's eventfd while the vector may be sent", interrupts_go_by_the_vector },
	{ "without a route for messages they are sent by hand", without_a_route },
	{ "without MSI-X the line rises", by_the_line },
	{ "a ring that the kernel gives up needs a reset", errors_need_a_reset },
	{ "a driver that is ready without its queues needs a reset", drivers_that_are_not_ready },
	{ "a kernel that refuses to start leaves nothing running", kernels_that_refuse_to_start },
	{ "vsock: both queues of packets run and stop together", vsock_runs_and_stops },
	{ "vsock: a CID that is taken", vsock_refused },
};
KTAP_MAIN(cases)
