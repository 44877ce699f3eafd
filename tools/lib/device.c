// SPDX-License-Identifier: GPL-2.0
/*
 * The device, and how a failure becomes a sentence.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "trapeze.h"

static __thread char error_text[320];

const char *tpz_error(void)
{
	return error_text;
}

int tpz_fail(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	return -error;
}

/* What to do about an ioctl's errno, where it always means the same; else nothing */
static const char *remedy(int error)
{
	switch (error) {
	case E2BIG:
	case ENOTTY:
		return "; the loaded module is older than this program: load the module of the same release";
	case EXDEV:
		return "; a VM takes these calls only from the process that created it";
	case ENOMEM:
		return "; the host, or this memory control group, has no memory left";
	default:
		return "";
	}
}

int tpz_call(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret >= 0)
		return ret;
	return tpz_fail(errno, "%s: %s%s", what, strerror(errno), remedy(errno));
}

int tpz_open(void)
{
	int fd = open(TPZ_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return tpz_fail(errno, "%s: no such device: load the module (modprobe trapeze, or insmod trapeze.ko); if that refuses, dmesg says why",
				TPZ_DEVICE_PATH);
	case EACCES:
	case EPERM:
		return tpz_fail(errno, "%s: permission denied: run as root, or join the device's group (make install gives it to kvm)",
				TPZ_DEVICE_PATH);
	default:
		return tpz_fail(errno, "%s: %s", TPZ_DEVICE_PATH, strerror(errno));
	}
}

int tpz_get_info(int dev, struct tpz_info *info)
{
	int ret;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	ret = tpz_call(dev, TPZ_GET_INFO, info, "TPZ_GET_INFO");
	if (ret < 0)
		return ret;
	if (info->abi_version != TPZ_ABI_VERSION)
		return tpz_fail(EPROTO, "the loaded module speaks version %u of the ABI, this program version %u: load the module of the same release",
				info->abi_version, TPZ_ABI_VERSION);
	return 0;
}

int tpz_get_feature(int dev, uint32_t index, struct tpz_feature *feature)
{
	memset(feature, 0, sizeof(*feature));
	feature->size = sizeof(*feature);
	feature->index = index;
	return tpz_call(dev, TPZ_GET_FEATURE, feature, "TPZ_GET_FEATURE");
}

int tpz_list_vms(int dev, struct tpz_vm_entry **entries)
{
	uint32_t capacity = 16;

	for (;;) {
		struct tpz_list_vms list = {
			.size = sizeof(list),
			.capacity = capacity,
			.entry_bytes = sizeof(struct tpz_vm_entry),
		};
		int count;

		*entries = calloc(capacity, sizeof(**entries));
		if (!*entries)
			return tpz_fail(ENOMEM, "a list of %u VMs: out of memory", capacity);
		list.entries = (uintptr_t)*entries;
		count = tpz_call(dev, TPZ_LIST_VMS, &list, "TPZ_LIST_VMS");
		if (count >= 0 && (uint32_t)count <= capacity)
			return count;
		free(*entries);
		*entries = NULL;
		if (count < 0)
			return count;
		capacity = count + 16;	/* more may come while we ask again */
	}
}

#define EXIT_NAME(nr, name, text)	[nr] = text,
static const char *const exit_names[TPZ_EXIT_COUNT] = {
	TPZ_EXIT_REASONS(EXIT_NAME)
};

const char *tpz_exit_name(uint32_t reason)
{
	return reason < TPZ_EXIT_COUNT ? exit_names[reason] : NULL;
}
