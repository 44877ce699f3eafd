// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's life: creation, the list of all VMs, the end.
 */
#include <linux/cred.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include "cpus.h"
#include "hw/hw.h"
#include "irq/irq.h"
#include "mem/mem.h"
#include "time/time.h"
#include "vm.h"
#include "watch/meters.h"

static LIST_HEAD(vms);			/* tpz_vm.list */
static DEFINE_MUTEX(vms_lock);		/* guards vms */
static atomic64_t last_id;

/* -EINVAL: some but not all are told, or an APIC identifier would not be a vCPU's number */
static int set_topology(struct tpz_topology *t, const struct tpz_vm_options *o)
{
	const bool told = o->sockets && o->cores && o->threads;

	if (!told && (o->sockets || o->cores || o->threads))
		return -EINVAL;
	if (max3(o->sockets, o->cores, o->threads) > TPZ_MAX_VCPUS)
		return -EINVAL;
	t->sockets = told ? o->sockets : TPZ_MAX_VCPUS;
	t->cores = told ? o->cores : 1;
	t->threads = told ? o->threads : 1;
	t->thread_bits = order_base_2(t->threads);
	t->package_bits = t->thread_bits + order_base_2(t->cores);
	return (u64)t->sockets << t->package_bits > TPZ_MAX_VCPUS ? -EINVAL : 0;
}

static int check_options(const struct tpz_vm_options *o)
{
	if (o->flags & ~TPZ_VM_NO_HYPERVISOR || o->traps & ~TPZ_TRAPS_ALL)
		return -EINVAL;
	if (o->devices & ~(TPZ_DEVICES_PC | TPZ_DEVICE_IOAPIC | TPZ_DEVICE_PIT))
		return -EINVAL;
	if ((o->devices & (TPZ_DEVICE_PIC | TPZ_DEVICE_IOAPIC)) && !(o->devices & TPZ_DEVICE_LAPIC))
		return -EINVAL;
	if ((o->devices & TPZ_DEVICE_PIT) && !(o->devices & (TPZ_DEVICE_PIC | TPZ_DEVICE_IOAPIC)))
		return -EINVAL;
	if ((o->flags & TPZ_VM_NO_HYPERVISOR) && (o->devices & TPZ_DEVICE_KVMCLOCK))
		return -EINVAL;
	if (!!(o->traps & TPZ_TRAP_TIMER) != !!o->timer_cycles || o->timer_cycles > U32_MAX)
		return -EINVAL;
	if (o->traps & ~tpz_hw->traps())
		return -EOPNOTSUPP;
	return 0;
}

static void describe_creator(struct tpz_vm *vm)
{
	vm->pid = task_tgid_nr(current);
	vm->tgid = get_pid(task_tgid(current));
	vm->uid = current_uid();
	get_task_comm(vm->comm, current->group_leader);
	vm->mm = current->mm;
	mmgrab(vm->mm);
}

static void forget_creator(struct tpz_vm *vm)
{
	mmdrop(vm->mm);
	put_pid(vm->tgid);
}

/* In reverse: the eventfds and the timer drive the controllers */
static void destroy_irq(struct tpz_vm *vm)
{
	tpz_events_destroy(vm);
	tpz_pit_destroy(vm);
	tpz_ioapic_destroy(vm);
	tpz_pic_destroy(vm);
}

static int create_irq(struct tpz_vm *vm)
{
	int ret = tpz_pic_create(vm) ?: tpz_ioapic_create(vm) ?: tpz_pit_create(vm) ?: tpz_events_create(vm);

	if (ret)
		destroy_irq(vm);
	return ret;
}

struct tpz_vm *tpz_vm_create(const struct tpz_vm_options *options)
{
	struct tpz_topology topology = {};
	struct tpz_vm *vm;
	int ret = check_options(options) ?: set_topology(&topology, options);

	if (ret)
		return ERR_PTR(ret);
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	vm->id = atomic64_inc_return(&last_id);
	vm->domain = vm->id;
	vm->devices = options->devices;
	vm->hidden = options->flags & TPZ_VM_NO_HYPERVISOR;
	vm->traps = options->traps;
	vm->topology = topology;
	vm->timer_cycles = options->timer_cycles;
	vm->tsc_offset = -rdtsc();
	describe_creator(vm);

	ret = -ENOMEM;
	vm->meters = tpz_meters_create(vm);
	if (!vm->meters)
		goto forget;
	ret = tpz_cpus_get();
	if (ret)
		goto end_meters;
	ret = tpz_mem_create(vm);
	if (ret)
		goto put_cpus;
	vm->npt_root = tpz_mem_root(vm);
	ret = create_irq(vm);
	if (ret)
		goto destroy_mem;
	ret = tpz_clock_create(vm);
	if (ret)
		goto destroy_irq;
	mutex_lock(&vms_lock);
	list_add_tail(&vm->list, &vms);
	mutex_unlock(&vms_lock);
	return vm;

destroy_irq:
	destroy_irq(vm);
destroy_mem:
	tpz_mem_destroy(vm);
put_cpus:
	tpz_cpus_put();
end_meters:
	tpz_meters_end(vm);
forget:
	forget_creator(vm);
	kfree(vm);
	return ERR_PTR(ret);
}

static void destroy(struct kref *ref)
{
	struct tpz_vm *vm = container_of(ref, struct tpz_vm, ref);
	int i;

	mutex_lock(&vms_lock);
	list_del(&vm->list);
	mutex_unlock(&vms_lock);
	/* Interrupts and the MMU notifier reach the vCPUs: these end first */
	destroy_irq(vm);
	tpz_mem_destroy(vm);
	for (i = 0; i < TPZ_MAX_VCPUS; i++)
		if (vm->vcpu[i])
			tpz_vcpu_destroy(vm->vcpu[i]);
	tpz_clock_destroy(vm);
	tpz_cpus_put();
	tpz_meters_end(vm);
	forget_creator(vm);
	kfree(vm);
}

struct tpz_vm *tpz_vm_get(struct tpz_vm *vm)
{
	kref_get(&vm->ref);
	return vm;
}

void tpz_vm_put(struct tpz_vm *vm)
{
	kref_put(&vm->ref, destroy);
}

/**
 * tpz_vm_host_resumed() - the host slept: the guests' clocks are to be drawn anew
 * Context: interrupts off, one CPU, all threads frozen (none of them inside vms_lock).
 */
void tpz_vm_host_resumed(void)
{
	struct tpz_vm *vm;
	int i;

	list_for_each_entry(vm, &vms, list)
		for (i = 0; i < TPZ_MAX_VCPUS; i++)
			if (vm->vcpu[i])
				set_bit(TPZ_REQ_CLOCK, &vm->vcpu[i]->requests);
}

/* ---- the list, for monitors */

static bool may_watch(const struct tpz_vm *vm)
{
	return uid_eq(vm->uid, current_uid()) || capable(CAP_SYS_ADMIN);
}

static void describe(const struct tpz_vm *vm, struct tpz_vm_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->id = vm->id;
	e->pid = pid_vnr(vm->tgid);
	e->uid = from_kuid_munged(current_user_ns(), vm->uid);
	e->vcpus = READ_ONCE(vm->m->vcpus);
	memcpy(e->comm, vm->comm, sizeof(e->comm));
}

/**
 * tpz_vm_list() - describe the VMs that the calling thread may watch
 * @entries: the answer
 * @capacity: how many it holds
 *
 * Return: how many there are, also beyond @capacity.
 */
int tpz_vm_list(struct tpz_vm_entry *entries, u32 capacity)
{
	const struct tpz_vm *vm;
	int n = 0;

	mutex_lock(&vms_lock);
	list_for_each_entry(vm, &vms, list) {
		if (!may_watch(vm))
			continue;
		if (n < capacity)
			describe(vm, &entries[n]);
		n++;
	}
	mutex_unlock(&vms_lock);
	return n;
}

struct tpz_meters *tpz_vm_find_meters(u64 id)
{
	struct tpz_meters *found = ERR_PTR(-ENOENT);
	struct tpz_vm *vm;

	mutex_lock(&vms_lock);
	list_for_each_entry(vm, &vms, list) {
		if (vm->id != id)
			continue;
		found = may_watch(vm) ? tpz_meters_get(vm->meters) : ERR_PTR(-EPERM);
		break;
	}
	mutex_unlock(&vms_lock);
	return found;
}

unsigned int tpz_vm_count(void)
{
	const struct tpz_vm *vm;
	unsigned int n = 0;

	mutex_lock(&vms_lock);
	list_for_each_entry(vm, &vms, list)
		n++;
	mutex_unlock(&vms_lock);
	return n;
}
