// SPDX-License-Identifier: GPL-2.0
/*
 * Writes that the launcher is told of without an exit of their own: a ring in a page that it maps (struct tpz_queue), one for
 * the VM, so that they keep their order whichever vCPUs they come from; and the regions whose writes go there.
 *
 * The launcher may write anything into the page. Of all that stands there only @tail is read, once for each write: a nonsense
 * value makes the queue full, or overwrites what the launcher has not yet taken.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "internal.h"

#define MAX_REGIONS	64

struct region {
	bool port;
	u64 first, last;
};

struct regions {
	struct rcu_head rcu;
	unsigned int count;
	struct region region[];
};

/*
 * Tags as in internal.h, and:
 *   (q) guarded by @lock
 *   (r) written under @regions_lock, read under it or RCU
 */
struct tpz_queued {
	struct tpz_queue *page;			/* (c) shared with the launcher */
	spinlock_t lock;
	u32 head;				/* (q) */
	struct mutex regions_lock;
	struct regions __rcu *regions;		/* (r) NULL: none */
};

static_assert(sizeof(struct tpz_queue) <= TPZ_QUEUE_BYTES && TPZ_QUEUE_BYTES == PAGE_SIZE);

bool tpz_queue_put(struct tpz_queued *q, enum tpz_queued_kind kind, u64 address, unsigned int bytes, u64 data)
{
	bool room;

	spin_lock(&q->lock);
	room = q->head - smp_load_acquire(&q->page->tail) < TPZ_QUEUE_WRITES;
	if (room) {
		q->page->write[q->head % TPZ_QUEUE_WRITES] = (struct tpz_queued_write) {
			.address = address,
			.data = data,
			.bytes = bytes,
			.kind = kind,
		};
		smp_store_release(&q->page->head, ++q->head);
	}
	spin_unlock(&q->lock);
	return room;
}

/* ------------------------------------------------------------------ coalesced regions */

static bool covers(const struct regions *regions, bool port, u64 first, u64 last)
{
	const struct region *r;

	for (r = regions->region; r < regions->region + regions->count; r++)
		if (r->port == port && first >= r->first && last <= r->last)
			return true;
	return false;
}

bool tpz_mem_coalesce(struct tpz_vm *vm, bool port, u64 address, unsigned int bytes, const void *data)
{
	struct tpz_queued *q = vm->mem->queued;
	const struct regions *regions;
	u64 value = 0;
	bool found;

	if (likely(!rcu_access_pointer(q->regions)) || bytes > sizeof(value))
		return false;
	rcu_read_lock();
	regions = rcu_dereference(q->regions);
	found = regions && covers(regions, port, address, address + bytes - 1);
	rcu_read_unlock();
	if (!found)
		return false;
	memcpy(&value, data, bytes);
	return tpz_queue_put(q, port ? TPZ_QUEUED_PORT : TPZ_QUEUED_MMIO, address, bytes, value);
}

static int check(const struct tpz_coalesced *c)
{
	const u64 end = c->flags & TPZ_COALESCED_PORT ? U16_MAX + 1 : 1ULL << tpz_mem_phys_bits();

	return c->bytes && c->bytes <= end && c->address <= end - c->bytes ? 0 : -EINVAL;
}

/* A new table without @change (which must be there), or with it (which must not overlap). NULL: it is empty now */
static struct regions *changed(const struct regions *now, const struct region *change, bool remove)
{
	const unsigned int count = now ? now->count : 0;
	bool removed = false;
	struct regions *next;
	unsigned int i;

	if (!remove && count == MAX_REGIONS)
		return ERR_PTR(-ENOSPC);
	next = kzalloc(struct_size(next, region, count + 1), GFP_KERNEL_ACCOUNT);
	if (!next)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < count; i++) {
		const struct region *r = &now->region[i];

		if (r->port != change->port || r->last < change->first || r->first > change->last) {
			next->region[next->count++] = *r;
		} else if (remove && r->first == change->first && r->last == change->last) {
			removed = true;
		} else {
			kfree(next);
			return ERR_PTR(remove ? -ENOENT : -EEXIST);
		}
	}
	if (!remove)
		next->region[next->count++] = *change;
	if (removed == remove && next->count)
		return next;
	kfree(next);
	return removed == remove ? NULL : ERR_PTR(-ENOENT);
}

int tpz_mem_set_coalesced(struct tpz_vm *vm, const struct tpz_coalesced *c)
{
	const struct region change = {
		.port = c->flags & TPZ_COALESCED_PORT,
		.first = c->address,
		.last = c->address + c->bytes - 1,
	};
	struct tpz_queued *q = vm->mem->queued;
	struct regions *now, *next;
	int err = check(c);

	if (err)
		return err;
	mutex_lock(&q->regions_lock);
	now = rcu_dereference_protected(q->regions, lockdep_is_held(&q->regions_lock));
	next = changed(now, &change, c->flags & TPZ_COALESCED_REMOVE);
	err = PTR_ERR_OR_ZERO(next);
	if (!err) {
		rcu_assign_pointer(q->regions, next);
		if (now)
			kfree_rcu(now, rcu);
	}
	mutex_unlock(&q->regions_lock);
	return err;
}

/* ------------------------------------------------------------------ life */

struct page *tpz_mem_queue_page(struct tpz_vm *vm)
{
	return virt_to_page(vm->mem->queued->page);
}

struct tpz_queued *tpz_queue_create(void)
{
	struct tpz_queued *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);

	if (!q)
		return NULL;
	q->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!q->page) {
		kfree(q);
		return NULL;
	}
	spin_lock_init(&q->lock);
	mutex_init(&q->regions_lock);
	return q;
}

/* A mapping of the page may outlive us: it holds its own reference */
void tpz_queue_destroy(struct tpz_queued *q)
{
	kfree(rcu_dereference_protected(q->regions, true));
	free_page((unsigned long)q->page);
	kfree(q);
}
