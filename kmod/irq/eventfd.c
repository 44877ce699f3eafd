// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds at both ends: irqfd (a signal becomes an interrupt), its resample (the guest's EOI becomes a signal), and
 * ioeventfd (a guest's write becomes a signal).
 *
 * An irqfd's function stands in the eventfd's wait queue and delivers from there, under that queue's lock, in whatever
 * context signals. When the last file of the eventfd is closed, that function is told too (EPOLLHUP), but can't take
 * itself away: it leaves a mark, and a work item of the VM takes all marked ones. Nobody frees an irqfd but under
 * @lock, after eventfd_ctx_remove_wait_queue(), which waits for a function that runs.
 *
 * ioeventfds stand in one sorted table, replaced as a whole under RCU: a write finds its own by bisection.
 *
 * Parts: (i) irqfd, (ii) resample, (iii) ioeventfd, (iv) life
 */
#include <linux/bsearch.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "../host.h"
#include "irq.h"

#define MAX_IRQFDS	1024
#define MAX_IOEVENTFDS	1024

struct irqfd {
	struct tpz_vm *vm;			/* (c) */
	struct eventfd_ctx *ctx;		/* (c) referenced */
	struct eventfd_ctx *resample;		/* (c) referenced, or NULL */
	wait_queue_head_t *queue;		/* (c) @ctx's; its lock guards @msi, @message, @line */
	wait_queue_entry_t wait;
	poll_table poll;			/* while it is added */
	bool msi;
	struct tpz_irq_message message;
	u32 line;
	bool closed;				/* set once, by its function */
	struct list_head list;			/* tpz_events_of_vm.irqfds */
	struct list_head resamplers;		/* tpz_events_of_vm.resamplers */
};

struct ioeventfd {
	struct tpz_ioeventfd_options o;
	struct eventfd_ctx *ctx;		/* referenced by the table that holds it */
};

struct ioeventfd_table {
	struct rcu_head rcu;
	unsigned int count;
	struct ioeventfd entry[];		/* by before() */
};

struct tpz_events_of_vm {
	struct tpz_vm *vm;			/* (c) */
	struct mutex lock;			/* who changes any of the following */
	struct list_head irqfds;
	unsigned int irqfd_count;
	struct list_head resamplers;		/* RCU for readers */
	struct ioeventfd_table __rcu *table;	/* NULL: none */
	struct work_struct reap;		/* takes away irqfds whose eventfd was closed */
	struct work_struct tell;		/* PREEMPT_RT: signals what @ended says */
	atomic_t ended;
};

/* ------------------------------------------------------------------ (i) irqfd */

static void deliver(struct irqfd *e)
{
	if (e->msi) {
		tpz_irq_deliver(e->vm, &e->message);
		return;
	}
	tpz_irq_set_line(e->vm, e->line, true);
	if (!e->resample)
		tpz_irq_set_line(e->vm, e->line, false);
}

static int on_signal(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *e = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(e->ctx, &count);
		deliver(e);
	}
	if (events & EPOLLHUP) {
		WRITE_ONCE(e->closed, true);
		schedule_work(&e->vm->events->reap);
	}
	return 0;
}

/* Before other readers: the count that was taken here is nobody else's news */
static void enqueue(struct file *file, wait_queue_head_t *queue, poll_table *poll)
{
	struct irqfd *e = container_of(poll, struct irqfd, poll);

	e->queue = queue;
	add_wait_queue_priority(queue, &e->wait);
}

static void set_target(struct irqfd *e, const struct tpz_irqfd_options *o)
{
	e->msi = o->msi;
	e->message = o->message;
	e->line = o->line;
}

/* Under events->lock */
static struct irqfd *find_irqfd(struct tpz_events_of_vm *events, const struct eventfd_ctx *ctx)
{
	struct irqfd *e;

	list_for_each_entry(e, &events->irqfds, list)
		if (e->ctx == ctx && !READ_ONCE(e->closed))
			return e;
	return NULL;
}

/* Under events->lock. A resample line falls with its irqfd */
static void free_irqfd(struct irqfd *e)
{
	struct tpz_events_of_vm *events = e->vm->events;
	u64 count;

	list_del(&e->list);
	events->irqfd_count--;
	eventfd_ctx_remove_wait_queue(e->ctx, &e->wait, &count);
	if (e->resample) {
		list_del_rcu(&e->resamplers);
		synchronize_rcu();
		tpz_irq_set_line(e->vm, e->line, false);
		eventfd_ctx_put(e->resample);
	}
	eventfd_ctx_put(e->ctx);
	kfree(e);
}

static void reap(struct work_struct *work)
{
	struct tpz_events_of_vm *events = container_of(work, struct tpz_events_of_vm, reap);
	struct irqfd *e, *next;

	mutex_lock(&events->lock);
	list_for_each_entry_safe(e, next, &events->irqfds, list)
		if (READ_ONCE(e->closed))
			free_irqfd(e);
	mutex_unlock(&events->lock);
}

static int update_irqfd(struct irqfd *e, const struct tpz_irqfd_options *o)
{
	if (e->resample || o->resample_fd >= 0)
		return -EEXIST;
	spin_lock_irq(&e->queue->lock);
	set_target(e, o);
	spin_unlock_irq(&e->queue->lock);
	return 0;
}

/* Under events->lock; @e has its references. A signal that came before is delivered now */
static void add_irqfd(struct tpz_events_of_vm *events, struct file *file, struct irqfd *e)
{
	u64 count;

	list_add(&e->list, &events->irqfds);
	events->irqfd_count++;
	if (e->resample)
		list_add_rcu(&e->resamplers, &events->resamplers);
	init_waitqueue_func_entry(&e->wait, on_signal);
	init_poll_funcptr(&e->poll, enqueue);
	if (!(vfs_poll(file, &e->poll) & EPOLLIN))
		return;
	spin_lock_irq(&e->queue->lock);
	eventfd_ctx_do_read(e->ctx, &count);
	if (count)		/* else its function was faster */
		deliver(e);
	spin_unlock_irq(&e->queue->lock);
}

static struct irqfd *new_irqfd(struct tpz_vm *vm, struct eventfd_ctx *ctx, const struct tpz_irqfd_options *o)
{
	struct irqfd *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);

	if (!e)
		return ERR_PTR(-ENOMEM);
	if (o->resample_fd >= 0) {
		e->resample = eventfd_ctx_fdget(o->resample_fd);
		if (IS_ERR(e->resample)) {
			struct irqfd *error = ERR_CAST(e->resample);

			kfree(e);
			return error;
		}
	}
	e->vm = vm;
	e->ctx = ctx;
	set_target(e, o);
	return e;
}

int tpz_irqfd_set(struct tpz_vm *vm, int fd, const struct tpz_irqfd_options *o)
{
	struct tpz_events_of_vm *events = vm->events;
	struct file *file = fget(fd);
	struct eventfd_ctx *ctx;
	struct irqfd *e;
	int ret = 0;

	if (!file)
		return -EBADF;
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx)) {
		ret = PTR_ERR(ctx);
		goto put_file;
	}
	mutex_lock(&events->lock);
	e = find_irqfd(events, ctx);
	if (e) {
		ret = update_irqfd(e, o);
		goto put_ctx;
	}
	ret = -ENOSPC;
	if (events->irqfd_count >= MAX_IRQFDS)
		goto put_ctx;
	e = new_irqfd(vm, ctx, o);
	ret = PTR_ERR_OR_ZERO(e);
	if (ret)
		goto put_ctx;
	add_irqfd(events, file, e);
	goto unlock;			/* it keeps ctx */

put_ctx:
	eventfd_ctx_put(ctx);
unlock:
	mutex_unlock(&events->lock);
put_file:
	fput(file);
	return ret;
}

int tpz_irqfd_remove(struct tpz_vm *vm, int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	struct irqfd *e;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->events->lock);
	e = find_irqfd(vm->events, ctx);
	if (e)
		free_irqfd(e);
	mutex_unlock(&vm->events->lock);
	eventfd_ctx_put(ctx);
	return e ? 0 : -ENOENT;
}

/* ------------------------------------------------------------------ (ii) resample */

static void tell_resamplers(struct tpz_events_of_vm *events, u32 lines)
{
	struct irqfd *e;

	rcu_read_lock();
	list_for_each_entry_rcu(e, &events->resamplers, resamplers)
		if (lines & BIT(e->line))
			tpz_eventfd_signal(e->resample);
	rcu_read_unlock();
}

static void tell(struct work_struct *work)
{
	struct tpz_events_of_vm *events = container_of(work, struct tpz_events_of_vm, tell);

	tell_resamplers(events, atomic_xchg(&events->ended, 0));
}

/* All lines fall before anybody is told: devices that share one raise it again if they must */
void tpz_irq_ended(struct tpz_vm *vm, u32 lines)
{
	struct tpz_events_of_vm *events = vm->events;
	struct irqfd *e;
	u32 lowered = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(e, &events->resamplers, resamplers)
		lowered |= lines & BIT(e->line);
	rcu_read_unlock();
	for (lines = lowered; lines; lines &= lines - 1)
		tpz_irq_set_line(vm, __ffs(lines), false);
	if (!lowered)
		return;
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		atomic_or(lowered, &events->ended);
		schedule_work(&events->tell);
	} else {
		tell_resamplers(events, lowered);
	}
}

/* ------------------------------------------------------------------ (iii) ioeventfd */

/* By place alone: those of one place stand together */
static int compare_places(const void *a, const void *b)
{
	const struct tpz_ioeventfd_options *x = a, *y = b;

	if (x->port != y->port)
		return x->port ? 1 : -1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int compare(const void *a, const void *b)
{
	const struct tpz_ioeventfd_options *x = a, *y = b;
	int order = compare_places(a, b);

	if (order)
		return order;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	if (x->match != y->match)
		return x->match ? 1 : -1;
	return x->data < y->data ? -1 : x->data > y->data;
}

/* Could one write mean both? */
static bool overlap(const struct tpz_ioeventfd_options *x, const struct tpz_ioeventfd_options *y)
{
	if (compare_places(x, y) || (x->bytes && y->bytes && x->bytes != y->bytes))
		return false;
	return !x->match || !y->match || x->data == y->data;
}

/*
 * A place has either one entry of any width, or for each width one of any data or several of different data: none
 * overlaps another. So three bisections find the one that a write means, however many there are.
 */
static struct eventfd_ctx *find(const struct ioeventfd_table *table, struct tpz_ioeventfd_options o)
{
	const struct ioeventfd *found;

	o.match = true;
	found = bsearch(&o, table->entry, table->count, sizeof(table->entry[0]), compare);
	if (!found) {
		o.match = false;
		o.data = 0;
		found = bsearch(&o, table->entry, table->count, sizeof(table->entry[0]), compare);
	}
	if (!found) {
		o.bytes = 0;
		found = bsearch(&o, table->entry, table->count, sizeof(table->entry[0]), compare);
	}
	return found ? found->ctx : NULL;
}

static bool guest_writes(struct tpz_vcpu *v, bool port, u64 address, unsigned int bytes, const void *data)
{
	struct tpz_ioeventfd_options o = { .port = port, .address = address, .bytes = bytes };
	const struct ioeventfd_table *table;
	struct eventfd_ctx *ctx = NULL;

	if (bytes > sizeof(o.data))
		return false;
	memcpy(&o.data, data, bytes);
	rcu_read_lock();
	table = rcu_dereference(v->vm->events->table);
	if (table)
		ctx = find(table, o);
	if (ctx)
		tpz_eventfd_signal(ctx);
	rcu_read_unlock();
	return ctx;
}

bool tpz_ioeventfd_port(struct tpz_vcpu *v, u16 port, unsigned int bytes, const void *data)
{
	if (likely(!rcu_access_pointer(v->vm->events->table)))
		return false;
	return guest_writes(v, true, port, bytes, data);
}

bool tpz_ioeventfd_mmio(struct tpz_vcpu *v, u64 gpa, unsigned int bytes, bool write, void *data)
{
	if (!write || !rcu_access_pointer(v->vm->events->table))
		return false;
	return guest_writes(v, false, gpa, bytes, data);
}

static struct ioeventfd_table *current_table(struct tpz_events_of_vm *events)
{
	return rcu_dereference_protected(events->table, lockdep_is_held(&events->lock));
}

static struct ioeventfd_table *new_table(unsigned int count)
{
	struct ioeventfd_table *table;

	table = kzalloc(struct_size(table, entry, count), GFP_KERNEL_ACCOUNT);
	if (table)
		table->count = count;
	return table;
}

/* Under events->lock. On return nobody uses the old one, or what it alone refers to */
static void replace_table(struct tpz_events_of_vm *events, struct ioeventfd_table *table)
{
	struct ioeventfd_table *old = current_table(events);

	rcu_assign_pointer(events->table, table);
	synchronize_rcu();
	kfree(old);
}

static int add_ioeventfd(struct tpz_events_of_vm *events, struct eventfd_ctx *ctx,
			 const struct tpz_ioeventfd_options *o)
{
	const struct ioeventfd_table *old = current_table(events);
	unsigned int i, count = old ? old->count : 0;
	struct ioeventfd_table *table;

	for (i = 0; i < count; i++)
		if (overlap(&old->entry[i].o, o))
			return -EEXIST;
	if (count >= MAX_IOEVENTFDS)
		return -ENOSPC;
	table = new_table(count + 1);
	if (!table)
		return -ENOMEM;
	if (old)
		memcpy(table->entry, old->entry, count * sizeof(table->entry[0]));
	table->entry[count] = (struct ioeventfd) { .o = *o, .ctx = ctx };
	sort(table->entry, count + 1, sizeof(table->entry[0]), compare, NULL);
	replace_table(events, table);
	return 0;
}

int tpz_ioeventfd_add(struct tpz_vm *vm, int fd, const struct tpz_ioeventfd_options *o)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	int ret;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->events->lock);
	ret = add_ioeventfd(vm->events, ctx, o);
	mutex_unlock(&vm->events->lock);
	if (ret)
		eventfd_ctx_put(ctx);
	return ret;
}

static int remove_ioeventfd(struct tpz_events_of_vm *events, struct eventfd_ctx *ctx,
			    const struct tpz_ioeventfd_options *o)
{
	const struct ioeventfd_table *old = current_table(events);
	struct ioeventfd_table *table = NULL;
	unsigned int i;

	for (i = 0; old && i < old->count; i++)
		if (old->entry[i].ctx == ctx && !compare(&old->entry[i].o, o))
			break;
	if (!old || i == old->count)
		return -ENOENT;
	if (old->count > 1) {
		table = new_table(old->count - 1);
		if (!table)
			return -ENOMEM;
		memcpy(table->entry, old->entry, i * sizeof(table->entry[0]));
		memcpy(table->entry + i, old->entry + i + 1, (old->count - 1 - i) * sizeof(table->entry[0]));
	}
	replace_table(events, table);
	eventfd_ctx_put(ctx);		/* the old table's reference */
	return 0;
}

int tpz_ioeventfd_remove(struct tpz_vm *vm, int fd, const struct tpz_ioeventfd_options *o)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	int ret;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->events->lock);
	ret = remove_ioeventfd(vm->events, ctx, o);
	mutex_unlock(&vm->events->lock);
	eventfd_ctx_put(ctx);
	return ret;
}

/* ------------------------------------------------------------------ (iv) life */

int tpz_events_create(struct tpz_vm *vm)
{
	struct tpz_events_of_vm *events = kzalloc(sizeof(*events), GFP_KERNEL_ACCOUNT);

	if (!events)
		return -ENOMEM;
	events->vm = vm;
	mutex_init(&events->lock);
	INIT_LIST_HEAD(&events->irqfds);
	INIT_LIST_HEAD(&events->resamplers);
	INIT_WORK(&events->reap, reap);
	INIT_WORK(&events->tell, tell);
	vm->events = events;
	return 0;
}

/* No file of the VM is left, so nobody adds; once the irqfds are gone nobody schedules the work either */
void tpz_events_destroy(struct tpz_vm *vm)
{
	struct tpz_events_of_vm *events = vm->events;
	struct ioeventfd_table *table;
	struct irqfd *e, *next;
	unsigned int i;

	if (!events)
		return;
	cancel_work_sync(&events->tell);
	mutex_lock(&events->lock);
	list_for_each_entry_safe(e, next, &events->irqfds, list)
		free_irqfd(e);
	table = current_table(events);
	for (i = 0; table && i < table->count; i++)
		eventfd_ctx_put(table->entry[i].ctx);
	mutex_unlock(&events->lock);
	cancel_work_sync(&events->reap);
	kfree(table);
	kfree(events);
	vm->events = NULL;
}
