// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that breaks out of a device model lands in this process. So before the guest runs, the
 * process gives up what it will not need again: capabilities, the ways to get new ones, and every system call
 * but a short list. It cannot open a file, make a socket, or start a program any more. The user-mode network
 * (tools/net), which parses the guest's packets, is a process of its own and does the same with another list.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vhost.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/trapeze.h>

#include "confine.h"

/* Any arguments */
static const int calls[] = {
	/* the console and the ends of a run */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(lseek),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(timerfd_settime), SCMP_SYS(wait4), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* threads and signals */
	SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(tgkill), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	/* the control socket */
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	/* disks and entropy */
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync), SCMP_SYS(fallocate),
	SCMP_SYS(getrandom), SCMP_SYS(io_uring_enter),	/* on rings whose operations are restricted: disk_ring.c */
	/* time, where the vDSO has none */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(clock_nanosleep),
	/* memory; new mappings below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap),
};

/* The only ioctls, whatever the file */
static const unsigned long ioctls[] = {
	TPZ_RUN, TPZ_IRQ_LINE, TPZ_SEND_MSI, TPZ_SET_IRQFD, TPZ_SET_IOEVENTFD, TPZ_GET_STATE, TCGETS, TCSETS, TCSETSW, TCSETSF,
	/* start and stop of queues that the kernel serves, in the memory that it was told of before: vhost.c */
	VHOST_SET_FEATURES, VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR, VHOST_NET_SET_BACKEND, VHOST_VSOCK_SET_RUNNING,
};

/* The network's: sockets of the Internet, files to read (the name servers'), memory; no program, no thread */
static const int network_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(lseek),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(fcntl), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(shutdown),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap),
};

static const unsigned long network_ioctls[] = { FIONREAD, FIONBIO };

struct list {
	const int *calls;
	size_t calls_count;
	const unsigned long *ioctls;
	size_t ioctls_count;
};

#define LIST(calls, ioctls)	{ calls, sizeof(calls) / sizeof(calls[0]), ioctls, sizeof(ioctls) / sizeof(ioctls[0]) }

static int add_rules(scmp_filter_ctx filter, const struct list *list)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < list->calls_count; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, list->calls[i], 0);
	for (size_t i = 0; !ret && i < list->ioctls_count; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, list->ioctls[i]));
	/* Memory, but never to execute */
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return ret;
}

const char *confine_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);	/* refused without CAP_SETPCAP: nothing to drop then */
	if (syscall(SYS_capset, &header, none))
		return "capabilities";
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? "new privileges" : NULL;
}

/* The control socket asks who is at its other end */
static int add_launcher_rules(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
				SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2(SCMP_CMP_EQ, SO_PEERCRED));
}

static int add_network_rules(scmp_filter_ctx filter)
{
	int ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				   SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));

	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET));
	/* The rest is refused rather than deadly: libslirp and libc try, and go on */
	if (!ret)
		ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_NE, AF_INET));
	return ret;
}

static const char *confine(const struct list *list, int (*add_more)(scmp_filter_ctx filter))
{
	scmp_filter_ctx filter;
	int ret;

	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter) {
		errno = ENOMEM;
		return "system calls";
	}
	ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = add_rules(filter, list);
	if (!ret)
		ret = add_more(filter);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	errno = -ret;
	return ret ? "system calls" : NULL;
}

const char *confine_calls(void)
{
	static const struct list list = LIST(calls, ioctls);

	return confine(&list, add_launcher_rules);
}

const char *confine_network_calls(void)
{
	static const struct list list = LIST(network_calls, network_ioctls);

	return confine(&list, add_network_rules);
}
