// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "threads.h"

#include <signal.h>
#include <unistd.h>

static volatile bool ended;

static void nothing(int number)
{
	(void)number;
}

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

void runner_start(struct runner *r, struct vcpu *vcpu)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	ended = false;
	r->vcpu = vcpu;
	r->result = 0xdead;
	CHECK_EQ(pthread_create(&r->thread, NULL, run_vcpu, r), 0);
}

bool runner_ended(struct runner *r)
{
	return !pthread_tryjoin_np(r->thread, NULL);
}

void runners_stop(void)
{
	ended = true;
}

void runners_join(struct runner *r, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		while (!runner_ended(&r[i])) {
			usleep(1000);
			if (ended || ktap_failed())
				pthread_kill(r[i].thread, SIGUSR1);
		}
}

void run_all_in(struct vm *vm, unsigned int n, uintptr_t first, uintptr_t rest)
{
	struct runner r[64];

	CHECK_LE(n, ARRAY_SIZE(r));
	for (unsigned int i = 0; i < n; i++)
		vcpu_start_at(vcpu_create(vm, i), MODE_LONG, RING0, i ? rest : first, i);
	for (unsigned int i = 0; i < n; i++)
		runner_start(&r[i], vm->vcpus[i]);
	runners_join(r, n);
	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(r[i].result, 0);
}
