// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a VM comes and goes. See internal.h for the parts:
 *
 *	slots.c		where the launcher's memory stands in the guest
 *	fault.c		the guest touches a page that is not mapped yet
 *	notifier.c	the host is about to change a page
 *	tree.c		the nested page table, which the two above fill and empty
 *	access.c	the module itself reads and writes guest memory
 */
#include <linux/slab.h>
#include "internal.h"

int tpz_mem_create(struct tpz_vm *vm)
{
	struct tpz_mem *mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	struct tpz_slots *slots;
	int err = -ENOMEM;

	if (!mem)
		return -ENOMEM;
	mem->vm = vm;
	mem->format = tpz_hw->npt;
	mem->tables = 1;
	mem->max_tables = 1;
	mutex_init(&mem->slots_lock);

	slots = kzalloc(sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		goto free_mem;
	RCU_INIT_POINTER(mem->slots, slots);

	mem->root = tpz_table_alloc();
	if (!mem->root)
		goto free_slots;

	mem->space = tpz_space_get();
	if (IS_ERR(mem->space)) {
		err = PTR_ERR(mem->space);
		goto free_root;
	}
	vm->mem = mem;
	spin_lock(&mem->space->lock);
	list_add(&mem->link, &mem->space->mems);
	tpz_tree_meters(mem);
	spin_unlock(&mem->space->lock);
	return 0;

free_root:
	tpz_table_free(mem->root);
free_slots:
	kfree(slots);
free_mem:
	kfree(mem);
	return err;
}

void tpz_mem_destroy(struct tpz_vm *vm)
{
	struct tpz_zap zap = TPZ_ZAP_INIT(zap);
	struct tpz_mem *mem = vm->mem;

	/* Out of the notifier's reach first. No flush: the guest never runs again */
	spin_lock(&mem->space->lock);
	list_del(&mem->link);
	tpz_tree_zap_all(mem, &zap);
	spin_unlock(&mem->space->lock);

	tpz_space_put(mem->space);
	tpz_zap_free(&zap, true);
	tpz_table_free(mem->root);
	kfree(rcu_dereference_protected(mem->slots, true));
	mutex_destroy(&mem->slots_lock);
	kfree(mem);
	vm->mem = NULL;
}

void tpz_mem_exit(void)
{
	mmu_notifier_synchronize();
}

u64 tpz_mem_root(struct tpz_vm *vm)
{
	return __pa(vm->mem->root);
}
