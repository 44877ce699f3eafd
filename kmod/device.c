// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctl ABI: a thin translation between user structs and the core's calls. No user pointer passes this file, but
 * for the arrays that the core copies to.
 *
 * Parts: 1. structs in and out  2. the device  3. a VM  4. a vCPU
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/tsc.h>
#include "cpu/cpu.h"
#include "cpus.h"
#include "device.h"
#include "host.h"
#include "irq/irq.h"
#include "mem/mem.h"
#include "vm.h"
#include "watch/meters.h"

/* ---- 1. Structs in and out, as clone3() does */

struct head {
	__u32 size;
	__u32 flags;
};

/**
 * copy_in() - a user struct of any size into the kernel's
 * @k: the kernel's struct
 * @ksize: its size
 * @u: the user's
 * @flags: bits of .flags that are known
 * @usize: out: its size in user space, for copy_out()
 * Return: 0; -EINVAL: shorter than its head, or an unknown flag; -E2BIG: a tail that is not zero; -EFAULT.
 */
static int copy_in(void *k, size_t ksize, const void __user *u, u32 flags, u32 *usize)
{
	const struct head *head = k;
	int ret;

	if (get_user(*usize, (const __u32 __user *)u))
		return -EFAULT;
	if (*usize < sizeof(struct head))
		return -EINVAL;
	if (*usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(k, ksize, u, *usize);
	if (ret)
		return ret;
	return head->flags & ~flags ? -EINVAL : 0;
}

static int copy_out(void __user *u, void *k, size_t ksize, u32 usize)
{
	((struct head *)k)->size = ksize;
	return copy_to_user(u, k, min_t(size_t, ksize, usize)) ? -EFAULT : 0;
}

#define COPY_IN(var, u, flags, usize)	copy_in(&(var), sizeof(var), u, flags, usize)
#define COPY_OUT(u, var, usize)		copy_out(u, &(var), sizeof(var), usize)

/* A file descriptor for an object whose reference the file takes over */
static int new_file(const char *name, const struct file_operations *fops, void *object)
{
	return anon_inode_getfd(name, fops, object, O_RDWR | O_CLOEXEC);
}

/* ---- 2. The device */

/* The backend's features, then the host's mitigations. -ENOENT beyond the last */
static int describe_feature(u32 index, struct tpz_feature *f)
{
	const struct tpz_host_mitigation *mitigation;
	const struct tpz_hw_feature *known;
	u32 n = 0;

	memset(f->name, 0, sizeof(f->name));
	memset(f->why, 0, sizeof(f->why));
	known = tpz_hw->feature(index);
	if (known) {
		f->state = known->state;
		strscpy(f->name, known->name, sizeof(f->name));
		strscpy(f->why, known->why, sizeof(f->why));
		return 0;
	}
	while (tpz_hw->feature(n))
		n++;
	mitigation = tpz_host_mitigation(index - n);
	if (!mitigation)
		return -ENOENT;
	f->state = mitigation->on ? TPZ_FEATURE_PRESENT : TPZ_FEATURE_ABSENT;
	strscpy(f->name, mitigation->name, sizeof(f->name));
	strscpy(f->why, mitigation->on ? mitigation->what : "this host does not ask for it", sizeof(f->why));
	return 0;
}

static long get_info(void __user *u)
{
	struct tpz_feature line;
	struct tpz_info info;
	u32 usize, n = 0;
	int ret = COPY_IN(info, u, 0, &usize);

	if (ret)
		return ret;
	while (!describe_feature(n, &line))
		n++;
	memset(&info, 0, sizeof(info));
	info.abi_version = TPZ_ABI_VERSION;
	info.backend = tpz_hw->backend;
	info.run_bytes = TPZ_RUN_BYTES;
	info.meter_page_bytes = TPZ_METER_PAGE;
	info.max_vcpus = TPZ_MAX_VCPUS;
	info.max_slots = TPZ_MAX_SLOTS;
	info.phys_bits = tpz_mem_phys_bits();
	info.tsc_khz = tsc_khz;
	info.vms = tpz_vm_count();
	info.cpus_on = tpz_cpus_on();
	info.xsave_bytes = tpz_fpu_bytes();
	info.feature_count = n;
	strscpy(info.module_version, TPZ_MODULE_VERSION, sizeof(info.module_version));
	return COPY_OUT(u, info, usize);
}

static long get_feature(void __user *u)
{
	struct tpz_feature f;
	u32 usize;
	int ret = COPY_IN(f, u, 0, &usize) ?: describe_feature(f.index, &f);

	return ret ?: COPY_OUT(u, f, usize);
}

static int vm_release(struct inode *inode, struct file *file)
{
	tpz_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops;

static long create_vm(void __user *u)
{
	struct tpz_vm_options options;
	struct tpz_create_vm c;
	struct tpz_vm *vm;
	u32 usize;
	int fd, ret = COPY_IN(c, u, TPZ_VM_NO_HYPERVISOR, &usize);

	if (ret)
		return ret;
	if (c.pad)
		return -EINVAL;
	options = (struct tpz_vm_options) {
		.flags = c.flags,
		.devices = c.devices,
		.traps = c.traps,
		.timer_cycles = c.timer_cycles,
		.sockets = c.sockets,
		.cores = c.cores,
		.threads = c.threads,
	};
	vm = tpz_vm_create(&options);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	c.id = vm->id;
	ret = COPY_OUT(u, c, usize);
	if (ret)
		goto put;
	fd = new_file("[trapeze-vm]", &vm_fops, vm);
	if (fd >= 0)
		return fd;
	ret = fd;
put:
	tpz_vm_put(vm);
	return ret;
}

#define LIST_MAX	4096	/* VMs in one answer */

static long list_vms(void __user *u)
{
	struct tpz_vm_entry *entries;
	struct tpz_list_vms l;
	u32 usize, i, bytes;
	int n, ret = COPY_IN(l, u, 0, &usize);

	if (ret)
		return ret;
	if (l.capacity && l.entry_bytes < sizeof(__u64))
		return -EINVAL;
	l.capacity = min_t(u32, l.capacity, LIST_MAX);
	entries = kvcalloc(max_t(u32, l.capacity, 1), sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	n = tpz_vm_list(entries, l.capacity);
	bytes = min_t(u32, l.entry_bytes, sizeof(*entries));
	for (i = 0; i < min_t(u32, n, l.capacity); i++) {
		if (copy_to_user(u64_to_user_ptr(l.entries + (u64)i * l.entry_bytes), &entries[i], bytes)) {
			n = -EFAULT;
			break;
		}
	}
	kvfree(entries);
	return n;
}

static long open_meters(void __user *u)
{
	struct tpz_meters *meters;
	struct tpz_open_meters o;
	u32 usize;
	int ret = COPY_IN(o, u, 0, &usize);

	if (ret)
		return ret;
	meters = tpz_vm_find_meters(o.id);
	if (IS_ERR(meters))
		return PTR_ERR(meters);
	return tpz_meters_open(meters);
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *u = (void __user *)arg;

	switch (cmd) {
	case TPZ_GET_INFO:
		return get_info(u);
	case TPZ_GET_FEATURE:
		return get_feature(u);
	case TPZ_CREATE_VM:
		return create_vm(u);
	case TPZ_LIST_VMS:
		return list_vms(u);
	case TPZ_OPEN_METERS:
		return open_meters(u);
	}
	return -ENOTTY;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "trapeze",
	.mode = 0600,
	.fops = &device_fops,
};

int tpz_device_init(void)
{
	return misc_register(&device);
}

void tpz_device_exit(void)
{
	misc_deregister(&device);
}

/* ---- 3. A VM */

static long set_slot(struct tpz_vm *vm, void __user *u)
{
	struct tpz_slot slot;
	u32 usize;
	int ret = COPY_IN(slot, u, TPZ_SLOT_READONLY | TPZ_SLOT_SCANNED, &usize);

	if (ret)
		return ret;
	return tpz_mem_set_slot(vm, &slot);
}

static long set_coalesced(struct tpz_vm *vm, void __user *u)
{
	struct tpz_coalesced c;
	u32 usize;
	int ret = COPY_IN(c, u, TPZ_COALESCED_REMOVE | TPZ_COALESCED_PORT, &usize);

	return ret ?: tpz_mem_set_coalesced(vm, &c);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct tpz_vcpu *v = file->private_data;

	tpz_vm_put(v->vm);
	return 0;
}

static const struct file_operations vcpu_fops;

static long create_vcpu(struct tpz_vm *vm, void __user *u)
{
	struct tpz_create_vcpu c;
	struct tpz_vcpu *v;
	u32 usize;
	int fd, ret = COPY_IN(c, u, 0, &usize);

	if (ret)
		return ret;
	if (c.pad)
		return -EINVAL;
	v = tpz_vcpu_create(vm, c.id);
	if (IS_ERR(v))
		return PTR_ERR(v);
	/* The vCPU lives as long as the VM: without a file it is out of reach, and goes with it */
	tpz_vm_get(vm);
	fd = new_file("[trapeze-vcpu]", &vcpu_fops, v);
	if (fd < 0)
		tpz_vm_put(vm);
	return fd;
}

static long irq_line(struct tpz_vm *vm, void __user *u)
{
	struct tpz_irq_line l;
	u32 usize;
	int ret = COPY_IN(l, u, 0, &usize);

	if (ret)
		return ret;
	ret = tpz_irq_check_line(vm, l.line);
	if (ret)
		return ret;
	if (l.level > 1)
		return -EINVAL;
	tpz_irq_set_line(vm, l.line, l.level);
	return 0;
}

static long send_msi(struct tpz_vm *vm, void __user *u)
{
	struct tpz_irq_message m;
	struct tpz_msi msi;
	u32 usize;
	int ret = COPY_IN(msi, u, 0, &usize);

	if (ret)
		return ret;
	if (msi.pad)
		return -EINVAL;
	return tpz_msi_message(vm, msi.address, msi.data, &m) ?: tpz_irq_deliver(vm, &m);
}

static long set_irqfd(struct tpz_vm *vm, void __user *u)
{
	const u32 kinds = TPZ_IRQFD_MSI | TPZ_IRQFD_RESAMPLE;
	struct tpz_irqfd_options o = { .resample_fd = -1 };
	struct tpz_irqfd f;
	u32 usize;
	int ret = COPY_IN(f, u, kinds | TPZ_IRQFD_REMOVE, &usize);

	if (ret)
		return ret;
	if (f.flags & TPZ_IRQFD_REMOVE)
		return f.flags & kinds ? -EINVAL : tpz_irqfd_remove(vm, f.fd);
	if ((f.flags & kinds) == kinds)
		return -EINVAL;
	o.msi = f.flags & TPZ_IRQFD_MSI;
	o.line = f.line;
	if (f.flags & TPZ_IRQFD_RESAMPLE) {
		o.resample_fd = f.resample_fd;
		if (f.resample_fd < 0)
			return -EBADF;
	}
	if (o.msi)
		ret = tpz_msi_message(vm, f.address, f.data, &o.message);
	else
		ret = tpz_irq_check_line(vm, f.line);
	return ret ?: tpz_irqfd_set(vm, f.fd, &o);
}

static long set_ioeventfd(struct tpz_vm *vm, void __user *u)
{
	struct tpz_ioeventfd_options o;
	struct tpz_ioeventfd e;
	u32 usize;
	int ret = COPY_IN(e, u, TPZ_IOEVENTFD_REMOVE | TPZ_IOEVENTFD_PORT | TPZ_IOEVENTFD_DATAMATCH, &usize);

	if (ret)
		return ret;
	o = (struct tpz_ioeventfd_options) {
		.port = e.flags & TPZ_IOEVENTFD_PORT,
		.match = e.flags & TPZ_IOEVENTFD_DATAMATCH,
		.address = e.address,
		.data = e.data,
	};
	if (e.bytes > 8 || (e.bytes && !is_power_of_2(e.bytes)))
		return -EINVAL;
	o.bytes = e.bytes;
	if (o.match ? !e.bytes || (e.bytes < 8 && e.data >> (8 * e.bytes)) : e.data)
		return -EINVAL;
	if (o.port && (e.bytes == 8 || e.address > U16_MAX))
		return -EINVAL;
	if (e.flags & TPZ_IOEVENTFD_REMOVE)
		return tpz_ioeventfd_remove(vm, e.fd, &o);
	return tpz_ioeventfd_add(vm, e.fd, &o);
}

static long move_vm_state(struct tpz_vm *vm, void __user *u, bool set)
{
	struct tpz_vm_state *st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);
	u32 usize;
	int ret;

	if (!st)
		return -ENOMEM;
	ret = copy_in(st, sizeof(*st), u, 0, &usize);
	if (ret)
		goto free;
	st->bad_group = 0;
	memset(st->bad_field, 0, sizeof(st->bad_field));
	ret = set ? tpz_vm_state_set(vm, st) : tpz_vm_state_get(vm, st);
	if ((!set || ret == -EINVAL) && copy_out(u, st, sizeof(*st), usize))
		ret = -EFAULT;
free:
	kfree(st);
	return ret;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tpz_vm *vm = file->private_data;
	void __user *u = (void __user *)arg;

	if (vm->mm != current->mm)
		return -EXDEV;
	switch (cmd) {
	case TPZ_SET_SLOT:
		return set_slot(vm, u);
	case TPZ_CREATE_VCPU:
		return create_vcpu(vm, u);
	case TPZ_IRQ_LINE:
		return irq_line(vm, u);
	case TPZ_SEND_MSI:
		return send_msi(vm, u);
	case TPZ_SET_IRQFD:
		return set_irqfd(vm, u);
	case TPZ_SET_IOEVENTFD:
		return set_ioeventfd(vm, u);
	case TPZ_GET_VM_STATE:
		return move_vm_state(vm, u, false);
	case TPZ_SET_VM_STATE:
		return move_vm_state(vm, u, true);
	case TPZ_SET_COALESCED:
		return set_coalesced(vm, u);
	}
	return -ENOTTY;
}

static vm_fault_t queue_fault(struct vm_fault *vmf)
{
	if (vmf->pgoff)
		return VM_FAULT_SIGBUS;
	vmf->page = tpz_mem_queue_page(vmf->vma->vm_file->private_data);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct queue_vm_ops = {
	.fault = queue_fault,
};

static int queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_ops = &queue_vm_ops;
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = queue_mmap,
	.release = vm_release,
	.llseek = noop_llseek,
};

/* ---- 4. A vCPU */

static int fpu_in(const struct tpz_state *st, void **fpu)
{
	if (!(st->groups & TPZ_STATE_FPU))
		return 0;
	if (st->fpu_bytes != tpz_fpu_bytes())
		return -EINVAL;
	*fpu = vmemdup_user(u64_to_user_ptr(st->fpu), st->fpu_bytes);
	if (IS_ERR(*fpu)) {
		int ret = PTR_ERR(*fpu);

		*fpu = NULL;
		return ret;
	}
	return 0;
}

static int fpu_out(const struct tpz_state *st, const void *fpu)
{
	if (!fpu)
		return 0;
	return copy_to_user(u64_to_user_ptr(st->fpu), fpu, st->fpu_bytes) ? -EFAULT : 0;
}

static long move_state(struct tpz_vcpu *v, void __user *u, bool set)
{
	struct tpz_state *st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);
	void *fpu = NULL;
	u32 usize;
	int ret;

	if (!st)
		return -ENOMEM;
	ret = copy_in(st, sizeof(*st), u, 0, &usize);
	if (!ret && (st->groups & ~TPZ_STATE_ALL || st->pad))
		ret = -EINVAL;
	if (!ret)
		ret = fpu_in(st, &fpu);
	if (ret)
		goto free;
	st->bad_group = 0;
	memset(st->bad_field, 0, sizeof(st->bad_field));
	ret = tpz_vcpu_get(v);
	if (ret)
		goto free;
	tpz_cpu_take_init(v);
	ret = set ? tpz_state_set(v, st, fpu) : tpz_state_get(v, st, fpu);
	tpz_vcpu_put(v);
	/* A refusal tells its field too */
	if (!set && !ret)
		ret = fpu_out(st, fpu);
	if ((!set || ret == -EINVAL) && copy_out(u, st, sizeof(*st), usize))
		ret = -EFAULT;
free:
	kvfree(fpu);
	kfree(st);
	return ret;
}

static long get_cpuid(struct tpz_vcpu *v, void __user *u)
{
	struct tpz_cpuid c;
	u32 usize;
	int ret = COPY_IN(c, u, 0, &usize);

	if (ret)
		return ret;
	if (c.capacity && c.entry_bytes != sizeof(struct tpz_cpuid_entry))
		return -EINVAL;
	return tpz_cpuid_copy(v, u64_to_user_ptr(c.entries), c.capacity);
}

static long poke(struct tpz_vcpu *v, void __user *u)
{
	struct tpz_poke p;
	u32 usize;
	int ret;

	if (!tpz_test_mode || !capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = COPY_IN(p, u, TPZ_POKE_XOR, &usize);
	if (ret)
		return ret;
	if (p.pad)
		return -EINVAL;
	ret = tpz_vcpu_get(v);
	if (ret)
		return ret;
	ret = tpz_hw->poke(v, p.field, p.value, p.flags & TPZ_POKE_XOR);
	tpz_vcpu_put(v);
	return ret;
}

static long run(struct tpz_vcpu *v)
{
	int ret = tpz_vcpu_get(v);

	if (ret)
		return ret;
	ret = tpz_vcpu_run(v);
	tpz_vcpu_put(v);
	return ret;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tpz_vcpu *v = file->private_data;
	void __user *u = (void __user *)arg;

	switch (cmd) {
	case TPZ_RUN:
		return arg ? -EINVAL : run(v);
	case TPZ_GET_STATE:
		return move_state(v, u, false);
	case TPZ_SET_STATE:
		return move_state(v, u, true);
	case TPZ_GET_CPUID:
		return v->vm->mm == current->mm ? get_cpuid(v, u) : -EXDEV;
	case TPZ_POKE:
		return poke(v, u);
	}
	return -ENOTTY;
}

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct tpz_vcpu *v = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= TPZ_RUN_BYTES / PAGE_SIZE)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page((void *)v->run + vmf->pgoff * PAGE_SIZE);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long pages = vma_pages(vma);

	if (vma->vm_pgoff + pages > TPZ_RUN_BYTES / PAGE_SIZE || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};
