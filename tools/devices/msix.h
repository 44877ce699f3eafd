/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSI-X of one PCI function (PCI 3.0, 6.8.2): the vector table, masks and pending bits.
 */
#ifndef TPZ_MSIX_H
#define TPZ_MSIX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define MSIX_VECTORS_MAX	32
#define MSIX_ENTRY_BYTES	16

/**
 * struct msix_host - how a message leaves
 * @send: send it now
 * @route: let each signal of @fd send it from now on; a later call for the same @fd replaces the message.
 *	NULL, or an answer other than 0: there is no such way, @send is used
 */
struct msix_host {
	int (*send)(void *arg, uint64_t address, uint32_t data);
	int (*route)(void *arg, int fd, uint64_t address, uint32_t data);
	void *arg;
};

struct msix_vector {
	uint64_t address;
	uint32_t data;
	bool masked;
	bool pending;
	bool routed;	/* @fd stands for the message above */
	int fd;		/* an eventfd, or -1 */
};

/**
 * struct msix - @lock guards all but @host, @vectors and @changed, which stay as they are
 * @changed: the guest has changed which messages leave, and how; without @lock. Or NULL
 */
struct msix {
	pthread_mutex_t lock;
	struct msix_host host;
	void (*changed)(void *arg);
	void *arg;
	unsigned int vectors;
	bool enabled;
	bool masked;		/* the whole function */
	struct msix_vector vector[MSIX_VECTORS_MAX];
};

/* @return 0, or -1: too many vectors */
int msix_init(struct msix *msix, unsigned int vectors, const struct msix_host *host);
void msix_free(struct msix *msix);

/* The guest wrote the capability's message control */
void msix_control(struct msix *msix, bool enabled, bool masked);

/* All of it as after power-on */
void msix_reset(struct msix *msix);

/* The table's and the pending bits' registers; only aligned accesses of 4 and 8 bytes exist */
uint64_t msix_read_table(struct msix *msix, uint64_t offset, unsigned int bytes);
void msix_write_table(struct msix *msix, uint64_t offset, unsigned int bytes, uint64_t value);
uint64_t msix_read_pending(struct msix *msix, uint64_t offset, unsigned int bytes);

/**
 * msix_notify() - send vector @vector, or note it as pending; any thread
 * @return false if MSI-X is off: the device then has its INTx line
 */
bool msix_notify(struct msix *msix, unsigned int vector);

/**
 * msix_direct() - an eventfd whose signals leave as vector @vector's message, until @changed is called; any thread
 * @return it, or -1: masked, off, or no such way; then there is msix_notify()
 */
int msix_direct(struct msix *msix, unsigned int vector);

#endif /* TPZ_MSIX_H */
