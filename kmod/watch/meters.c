// SPDX-License-Identifier: GPL-2.0
/*
 * The meter pages and their file: one page for the VM, one for each vCPU. A reader maps them and needs no system
 * call; the kernel writes, nobody else can.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/tsc.h>
#include "meters.h"

static_assert(sizeof(struct tpz_vm_meters) <= TPZ_METER_PAGE);
static_assert(sizeof(struct tpz_vcpu_meters) <= TPZ_METER_PAGE);
static_assert(TPZ_METER_PAGE == PAGE_SIZE);

struct tpz_meters {
	struct kref ref;				/* the VM, and each meter file */
	struct page *page[1 + TPZ_MAX_VCPUS];		/* set once; the vCPUs' appear as they are created */
};

static struct page *new_page(void)
{
	return alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

struct tpz_meters *tpz_meters_create(struct tpz_vm *vm)
{
	struct tpz_meters *meters = kzalloc(sizeof(*meters), GFP_KERNEL_ACCOUNT);
	struct tpz_vm_meters *m;

	if (!meters)
		return NULL;
	meters->page[0] = new_page();
	if (!meters->page[0]) {
		kfree(meters);
		return NULL;
	}
	kref_init(&meters->ref);
	m = page_address(meters->page[0]);
	m->magic = TPZ_METER_MAGIC;
	m->version = TPZ_METER_VERSION;
	m->page_bytes = TPZ_METER_PAGE;
	m->id = vm->id;
	m->tsc_khz = tsc_khz;
	m->pid = vm->pid;
	m->created_tsc = rdtsc();
	memcpy(m->comm, vm->comm, sizeof(m->comm));
	vm->m = m;
	return meters;
}

/*
 * Page @n, made if it is not there: by the vCPU, or by a reader that is ahead of it. A vCPU that is not there, while later
 * ones are, so reads as zeroes
 */
static struct page *get_vcpu_page(struct tpz_meters *meters, unsigned long n)
{
	struct page *page = READ_ONCE(meters->page[n]);
	struct page *other;

	if (page)
		return page;
	page = new_page();
	if (!page)
		return NULL;
	other = cmpxchg(&meters->page[n], NULL, page);
	if (!other)
		return page;
	put_page(page);
	return other;
}

struct tpz_vcpu_meters *tpz_meters_add_vcpu(struct tpz_vm *vm, u32 id)
{
	struct page *page = get_vcpu_page(vm->meters, 1 + id);	/* a creation that failed, or a reader, left one */
	struct tpz_vcpu_meters *m;

	if (!page)
		return NULL;
	m = page_address(page);
	m->vcpu = id;
	WRITE_ONCE(m->present, 1);
	if (vm->m->vcpus < id + 1)
		WRITE_ONCE(vm->m->vcpus, id + 1);
	return m;
}

static void release(struct kref *ref)
{
	struct tpz_meters *meters = container_of(ref, struct tpz_meters, ref);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(meters->page); i++)
		if (meters->page[i])
			put_page(meters->page[i]);
	kfree(meters);
}

struct tpz_meters *tpz_meters_get(struct tpz_meters *meters)
{
	kref_get(&meters->ref);
	return meters;
}

void tpz_meters_put(struct tpz_meters *meters)
{
	kref_put(&meters->ref, release);
}

void tpz_meters_end(struct tpz_vm *vm)
{
	smp_store_release(&vm->m->dead, 1);
	tpz_meters_put(vm->meters);
}

/* ---- the file */

static vm_fault_t meters_fault(struct vm_fault *vmf)
{
	struct tpz_meters *meters = vmf->vma->vm_file->private_data;
	const struct tpz_vm_meters *m;
	struct page *page;

	if (vmf->pgoff >= ARRAY_SIZE(meters->page))
		return VM_FAULT_SIGBUS;
	m = page_address(meters->page[0]);
	if (vmf->pgoff > READ_ONCE(m->vcpus))
		return VM_FAULT_SIGBUS;
	page = get_vcpu_page(meters, vmf->pgoff);
	if (!page)
		return VM_FAULT_OOM;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct meters_vm_ops = {
	.fault = meters_fault,
};

static int meters_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
#ifdef TPZ_HAVE_VM_FLAGS_CLEAR
	vm_flags_mod(vma, VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
#else
	vma->vm_flags &= ~(VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_flags |= VM_DONTDUMP;
#endif
	vma->vm_ops = &meters_vm_ops;
	return 0;
}

static int meters_release(struct inode *inode, struct file *file)
{
	tpz_meters_put(file->private_data);
	return 0;
}

static const struct file_operations meters_fops = {
	.owner = THIS_MODULE,
	.mmap = meters_mmap,
	.release = meters_release,
	.llseek = noop_llseek,
};

int tpz_meters_open(struct tpz_meters *meters)
{
	int fd = anon_inode_getfd("[trapeze-meters]", &meters_fops, meters, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		tpz_meters_put(meters);
	return fd;
}
