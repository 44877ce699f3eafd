// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's thread: runs the guest and answers what the kernel hands up.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "machine.h"

/* The end, with this vCPU's registers to be shown if it is the first */
#define end_by_processor(processor, status, ...)						\
do {												\
	const struct processor *nobody = NULL;							\
												\
	__atomic_compare_exchange_n(&(processor)->machine->blame, &nobody, processor, false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);			\
	machine_end((processor)->machine, status, true, __VA_ARGS__);				\
} while (0)

static void answer_io(struct processor *processor)
{
	struct machine *machine = processor->machine;
	const struct tpz_run_io *io = &processor->vcpu.run->io;

	pthread_mutex_lock(&machine->devices_lock);
	ports_access(&machine->ports, io->port, io->bytes, io->count, io->in, processor->vcpu.data);
	pthread_mutex_unlock(&machine->devices_lock);
}

static void answer_mmio(struct processor *processor)
{
	struct machine *machine = processor->machine;
	const struct tpz_run *run = processor->vcpu.run;
	const struct tpz_run_mmio *mmio = &run->mmio;

	if (machine->pci.present)
		mmio_access(&machine->pci.mmio, mmio->gpa, mmio->bytes, mmio->write, processor->vcpu.data);
	else
		end_by_processor(processor, STATUS_MEMORY,
				 "the guest %s guest-physical address %#llx at rip %#llx, where it has no memory to %s",
				 mmio->write ? "wrote to" : "read from", (unsigned long long)mmio->gpa,
				 (unsigned long long)run->rip, mmio->write ? "write" : "read");
}

static void end_by_memory(struct processor *processor)
{
	const struct tpz_run *run = processor->vcpu.run;
	const struct tpz_run_memory *memory = &run->memory;
	const char *access = memory->page_walk ? "walked a page table at" :
			     memory->fetch ? "fetched an instruction from" :
			     memory->write ? "wrote to" : "read from";
	char linear[48] = "";

	if (memory->gva_valid)
		snprintf(linear, sizeof(linear), " (linear %#llx)", (unsigned long long)memory->gva);
	end_by_processor(processor, STATUS_MEMORY, "the guest %s guest-physical address %#llx%s at rip %#llx, where %s",
		    access, (unsigned long long)memory->gpa, linear, (unsigned long long)run->rip,
		    memory->readonly_slot ? "its memory is read-only" : "it has no memory");
}

static void end_by_entry(struct processor *processor)
{
	const struct tpz_run_entry_failed *failed = &processor->vcpu.run->entry_failed;

	end_by_processor(processor, STATUS_ENTRY_FAILED, "the CPU refused to enter the guest: %.*s (%.*s); its error %u, its exit reason %#x",
		    (int)sizeof(failed->rule), failed->rule, (int)sizeof(failed->section), failed->section,
		    failed->hw_error, failed->hw_reason);
}

static void end_unanswered(struct processor *processor)
{
	const struct tpz_run *run = processor->vcpu.run;
	const char *name = tpz_exit_name(run->reason);

	end_by_processor(processor, STATUS_UNANSWERED, "tpz has no answer to the trap %s (%u) at rip %#llx: raw reason %#llx, qualification %#llx, details %#llx %#llx",
		    name ? name : "without a name", run->reason, (unsigned long long)run->rip,
		    (unsigned long long)run->raw_reason, (unsigned long long)run->qualification,
		    (unsigned long long)run->words[0], (unsigned long long)run->words[1]);
}

static void answer(struct processor *processor)
{
	const struct tpz_run *run = processor->vcpu.run;

	switch (run->reason) {
	case TPZ_EXIT_IO:
		answer_io(processor);
		break;
	case TPZ_EXIT_MMIO:
		answer_mmio(processor);
		break;
	case TPZ_EXIT_INTERRUPTED:
		break;
	case TPZ_EXIT_HLT:
		/* With a local APIC the module sleeps, even if interrupts are off; so this is for machines without */
		machine_end(processor->machine, STATUS_HALTED, false, "the guest halted for good");
		break;
	case TPZ_EXIT_TRIPLE_FAULT:
		end_by_processor(processor, STATUS_TRIPLE_FAULT, "the guest triple-faulted at rip %#llx",
			    (unsigned long long)run->rip);
		break;
	case TPZ_EXIT_MEMORY:
		end_by_memory(processor);
		break;
	case TPZ_EXIT_ENTRY_FAILED:
		end_by_entry(processor);
		break;
	case TPZ_EXIT_DEAD:
		machine_end(processor->machine, STATUS_DEAD, false, "the module gave the VM up: %.*s",
			    (int)sizeof(run->dead.why), run->dead.why);
		break;
	default:
		end_unanswered(processor);
		break;
	}
}

void *vcpu_thread(void *argument)
{
	struct processor *processor = argument;
	struct machine *machine = processor->machine;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, VCPU_KICK);
	while (sem_wait(&machine->go))
		;
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	while (!machine_ended(machine)) {
		int ret = tpz_vcpu_run(&processor->vcpu);

		if (!ret)
			answer(processor);
		else if (ret != -EINTR)
			end_by_processor(processor, STATUS_HOST, "%s", tpz_error());
	}
	return NULL;
}
