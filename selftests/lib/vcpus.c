// SPDX-License-Identifier: GPL-2.0
/* See vcpus.h. */
#define _GNU_SOURCE
#include "vcpus.h"

#include <signal.h>
#include <unistd.h>

static volatile bool ended;

static void nothing(int number)
{
	(void)number;
}

/* Runs until the guest is done, or the case is over */
static void *run_vcpu(void *arg)
{
	struct runner *r = arg;

	while (!ended && !ktap_failed()) {
		__u32 reason = vcpu_run(r->vcpu);

		if (reason == TPZ_EXIT_INTERRUPTED)
			continue;
		if (reason != TPZ_EXIT_IO || r->vcpu->run->io.port != PORT_DONE)
			FAIL("%s", vcpu_exit_text(r->vcpu));
		memcpy(&r->result, (const void *)r->vcpu->data, sizeof(r->result));
		break;
	}
	return NULL;
}

void vcpus_start(struct runner *r, struct vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	ended = false;
	r->vcpu = vcpu;
	r->result = 0xdead;
	CHECK_EQ(pthread_create(&r->thread, NULL, run_vcpu, r), 0);
}

void vcpus_end(void)
{
	ended = true;
}

void vcpus_join(struct runner *r, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		while (pthread_tryjoin_np(r[i].thread, NULL)) {
			usleep(1000);
			if (ended || ktap_failed())
				pthread_kill(r[i].thread, SIGUSR1);
		}
}

void run_all_in(struct vm *vm, unsigned int n, uintptr_t first, uintptr_t rest)
{
	struct runner r[MAX_RUNNERS];

	CHECK_LE(n, MAX_RUNNERS);
	for (unsigned int i = 0; i < n; i++)
		vcpu_start_at(vcpu_create(vm, i), MODE_LONG, RING0, i ? rest : first, i);
	for (unsigned int i = 0; i < n; i++)
		vcpus_start(&r[i], vm->vcpus[i]);
	vcpus_join(r, n);
	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(r[i].result, 0);
}
