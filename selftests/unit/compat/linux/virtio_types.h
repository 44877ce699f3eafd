/* SPDX-License-Identifier: GPL-2.0 */
/* The system's virtio headers beside this folder's linux/types.h. */
#ifndef COMPAT_LINUX_VIRTIO_TYPES_H
#define COMPAT_LINUX_VIRTIO_TYPES_H

#include <asm/types.h>

typedef __u16 __le16, __be16, __virtio16;
typedef __u32 __le32, __virtio32;
typedef __u64 __le64, __virtio64;

#endif
