// SPDX-License-Identifier: GPL-2.0
/*
 * The module's own reads and writes of guest memory (guest page tables, string I/O, clock pages): through the
 * launcher's mapping, as the launcher itself would do them. So paging, dirty tracking and permissions are the host's
 * affair.
 */
#include <linux/uaccess.h>
#include "internal.h"

/*
 * The user address of guest-physical @gpa and how many of @bytes can be had there at one go.
 * 0, -ENOENT, -EROFS; -EFAULT: this thread is not in the creator's address space
 */
static int user_part(struct tpz_vm *vm, u64 gpa, size_t bytes, bool write, void __user **user, size_t *part)
{
	struct tpz_range r;
	int err;

	if (current->mm != vm->mm)
		return -EFAULT;
	err = tpz_slot_find(vm->mem, gpa, &r);
	if (err)
		return err;
	if (write && r.readonly)
		return -EROFS;
	if (write)
		tpz_scan_wrote(vm->mem, &r);
	*user = (void __user *)(r.uaddr + (unsigned long)(gpa - r.gpa));
	*part = min_t(u64, bytes, r.bytes - (gpa - r.gpa));
	return 0;
}

/*
 * A page-table entry, an instruction: word by word, each read at once. A slot's addresses are known to be user space's, and
 * the buffers are ours, so the checks of copy_from_user() would only cost (ten times what is done)
 */
#define SMALL	16

static int read_small(void *to, const void __user *from, size_t bytes)
{
	int err = 0;

	for (; bytes >= 8 && !err; bytes -= 8, to += 8, from += 8)
		err = __get_user(*(u64 *)to, (const u64 __user *)from);
	if (bytes & 4 && !err) {
		err = __get_user(*(u32 *)to, (const u32 __user *)from);
		to += 4;
		from += 4;
	}
	if (bytes & 2 && !err) {
		err = __get_user(*(u16 *)to, (const u16 __user *)from);
		to += 2;
		from += 2;
	}
	if (bytes & 1 && !err)
		err = __get_user(*(u8 *)to, (const u8 __user *)from);
	return err;
}

int tpz_mem_read(struct tpz_vm *vm, u64 gpa, void *to, size_t bytes)
{
	void __user *user;
	size_t part;
	int err;

	for (; bytes; gpa += part, to += part, bytes -= part) {
		err = user_part(vm, gpa, bytes, false, &user, &part);
		if (err)
			return err;
		if (part <= SMALL ? read_small(to, user, part) : copy_from_user(to, user, part))
			return -EFAULT;
	}
	return 0;
}

int tpz_mem_write(struct tpz_vm *vm, u64 gpa, const void *from, size_t bytes)
{
	void __user *user;
	size_t part;
	int err;

	for (; bytes; gpa += part, from += part, bytes -= part) {
		err = user_part(vm, gpa, bytes, true, &user, &part);
		if (err)
			return err;
		if (copy_to_user(user, from, part))
			return -EFAULT;
	}
	return 0;
}

int tpz_mem_cmpxchg(struct tpz_vm *vm, u64 gpa, u64 old, u64 new, size_t bytes)
{
	u32 old32 = old, new32 = new;
	void __user *user;
	bool done;
	size_t part;
	int err;

	if ((bytes != 4 && bytes != 8) || !IS_ALIGNED(gpa, bytes))
		return -EINVAL;
	err = user_part(vm, gpa, bytes, true, &user, &part);
	if (err)
		return err;

	if (!user_access_begin(user, bytes))
		return -EFAULT;
	if (bytes == 8)
		done = unsafe_try_cmpxchg_user((u64 __user *)user, &old, new, fault);
	else
		done = unsafe_try_cmpxchg_user((u32 __user *)user, &old32, new32, fault);
	user_access_end();
	return done ? 0 : -EAGAIN;

fault:
	user_access_end();
	return -EFAULT;
}
