// SPDX-License-Identifier: GPL-2.0
/*
 * Opens what a guest's disks are on.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine_disk.h"
#include "tpz.h"

static uint64_t disk_bytes(int fd, const char *name)
{
	struct stat status;
	uint64_t bytes;

	if (fstat(fd, &status))
		err(STATUS_CANNOT, "%s", name);
	if (S_ISREG(status.st_mode))
		return status.st_size;
	if (!S_ISBLK(status.st_mode))
		errx(STATUS_CANNOT, "%s: is no regular file and no block device", name);
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		err(STATUS_CANNOT, "%s", name);
	return bytes;
}

void machine_disk_open(struct virtio_blk *disk, const struct disk_config *config, const struct virtio_host *host,
		       unsigned int queues)
{
	const char *name = config->name;
	int fd = open(name, (config->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	uint64_t bytes;

	if (fd < 0)
		err(STATUS_CANNOT, "%s", name);
	if (flock(fd, (config->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))	/* two writers would destroy it */
		err(STATUS_CANNOT, "%s: is another guest's disk", name);
	bytes = disk_bytes(fd, name);
	if (!bytes || bytes % 512)
		errx(STATUS_CANNOT, "%s: %llu bytes are no whole number of sectors", name, (unsigned long long)bytes);
	if (virtio_blk_init(disk, host, fd, bytes, config->readonly, queues))
		errx(STATUS_CANNOT, "%s: no room for the disk", name);
	virtio_blk_use_rings(disk);		/* or it goes without */
}

void machine_disk_free(struct virtio_blk *disk)
{
	int fd = disk->fd;

	virtio_blk_free(disk);
	close(fd);
}
