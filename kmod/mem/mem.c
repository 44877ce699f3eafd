// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a VM comes and goes. See internal.h for the parts:
 *
 *	slots.c		where the launcher's memory stands in the guest
 *	fault.c		the guest touches a page that is not mapped yet
 *	notifier.c	the host is about to change a page
 *	tree.c		the nested page table, which the two above fill and empty (tree.h)
 *	access.c	the module itself reads and writes guest memory
 *	scan.c		slots whose changes are found by looking at them now and then
 *	queue.c		writes that the launcher is told of without an exit of their own
 */
#include <linux/slab.h>
#include "internal.h"

/* What monitors read; space->lock */
static void publish(const struct tpz_mem *mem)
{
	struct tpz_vm_meters *m = mem->vm->m;

	WRITE_ONCE(m->resident_pages, mem->tree.pages);
	WRITE_ONCE(m->table_pages, mem->tree.tables);
	WRITE_ONCE(m->notifier_zaps, mem->zaps);
}

void tpz_mem_flush(struct tpz_mem *mem, const struct tpz_zap *zap)
{
	lockdep_assert_held(&mem->space->lock);
	if (zap->leaves || zap->table_count)
		tpz_flush_all(mem->vm);
	publish(mem);
}

int tpz_mem_create(struct tpz_vm *vm)
{
	struct tpz_mem *mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	struct tpz_slots *slots;
	int err = -ENOMEM;

	if (!mem)
		return -ENOMEM;
	mem->vm = vm;
	mem->max_tables = 1;
	mutex_init(&mem->slots_lock);
	tpz_scan_init(mem);

	mem->queued = tpz_queue_create();
	if (!mem->queued)
		goto free_mem;
	slots = kzalloc(sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		goto destroy_queue;
	RCU_INIT_POINTER(mem->slots, slots);

	err = tpz_tree_create(&mem->tree, tpz_hw->npt);
	if (err)
		goto free_slots;

	mem->space = tpz_space_get();
	if (IS_ERR(mem->space)) {
		err = PTR_ERR(mem->space);
		goto destroy_tree;
	}
	vm->mem = mem;
	spin_lock(&mem->space->lock);
	list_add(&mem->link, &mem->space->mems);
	publish(mem);
	spin_unlock(&mem->space->lock);
	return 0;

destroy_tree:
	tpz_tree_destroy(&mem->tree);
free_slots:
	kfree(slots);
destroy_queue:
	tpz_queue_destroy(mem->queued);
free_mem:
	kfree(mem);
	return err;
}

void tpz_mem_destroy(struct tpz_vm *vm)
{
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	struct tpz_mem *mem = vm->mem;

	tpz_scan_exit(mem);
	/* Out of the notifier's reach first. No flush: the guest never runs again */
	spin_lock(&mem->space->lock);
	list_del(&mem->link);
	tpz_tree_zap_all(&mem->tree, &zap);
	spin_unlock(&mem->space->lock);

	tpz_space_put(mem->space);
	tpz_zap_free(&zap, true);
	tpz_tree_destroy(&mem->tree);
	publish(mem);
	kfree(rcu_dereference_protected(mem->slots, true));
	tpz_queue_destroy(mem->queued);
	mutex_destroy(&mem->slots_lock);
	kfree(mem);
	vm->mem = NULL;
}

void tpz_mem_exit(void)
{
	/* That waits for a grace period, not for the callbacks queued before it: they are our code too */
	mmu_notifier_synchronize();
	while (tpz_spaces_alive())
		schedule_timeout_uninterruptible(1);
}

u64 tpz_mem_root(struct tpz_vm *vm)
{
	return __pa(vm->mem->tree.root);
}
