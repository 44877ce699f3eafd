// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's thread: runs the guest and answers what the kernel hands up.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "machine.h"

static void answer_io(struct machine *machine)
{
	const struct tpz_run_io *io = &machine->vcpu.run->io;

	ports_access(&machine->ports, io->port, io->bytes, io->count, io->in, machine->vcpu.data);
}

static void answer_mmio(struct machine *machine)
{
	const struct tpz_run *run = machine->vcpu.run;
	const struct tpz_run_mmio *mmio = &run->mmio;

	if (machine->pci.present)
		mmio_access(&machine->pci.mmio, mmio->gpa, mmio->bytes, mmio->write, machine->vcpu.data);
	else
		machine_end(machine, STATUS_MEMORY, true, "the guest %s guest-physical address %#llx at rip %#llx, where it has no memory",
			    mmio->write ? "wrote to" : "read from", (unsigned long long)mmio->gpa,
			    (unsigned long long)run->rip);
}

static void end_by_memory(struct machine *machine)
{
	const struct tpz_run *run = machine->vcpu.run;
	const struct tpz_run_memory *memory = &run->memory;
	const char *access = memory->page_walk ? "walked a page table at" :
			     memory->fetch ? "fetched an instruction from" :
			     memory->write ? "wrote to" : "read from";
	char linear[48] = "";

	if (memory->gva_valid)
		snprintf(linear, sizeof(linear), " (linear %#llx)", (unsigned long long)memory->gva);
	machine_end(machine, STATUS_MEMORY, true, "the guest %s guest-physical address %#llx%s at rip %#llx, where %s",
		    access, (unsigned long long)memory->gpa, linear, (unsigned long long)run->rip,
		    memory->readonly_slot ? "its memory is read-only" : "it has no memory");
}

static void end_by_entry(struct machine *machine)
{
	const struct tpz_run_entry_failed *failed = &machine->vcpu.run->entry_failed;

	machine_end(machine, STATUS_ENTRY_FAILED, true, "the CPU refused to enter the guest: %.*s (%.*s); its error %u, its exit reason %#x",
		    (int)sizeof(failed->rule), failed->rule, (int)sizeof(failed->section), failed->section,
		    failed->hw_error, failed->hw_reason);
}

static void end_unanswered(struct machine *machine)
{
	const struct tpz_run *run = machine->vcpu.run;
	const char *name = tpz_exit_name(run->reason);

	machine_end(machine, STATUS_UNANSWERED, true, "tpz has no answer to the trap %s (%u) at rip %#llx: raw reason %#llx, qualification %#llx, details %#llx %#llx",
		    name ? name : "without a name", run->reason, (unsigned long long)run->rip,
		    (unsigned long long)run->raw_reason, (unsigned long long)run->qualification,
		    (unsigned long long)run->words[0], (unsigned long long)run->words[1]);
}

static void answer(struct machine *machine)
{
	const struct tpz_run *run = machine->vcpu.run;

	switch (run->reason) {
	case TPZ_EXIT_IO:
		answer_io(machine);
		break;
	case TPZ_EXIT_MMIO:
		answer_mmio(machine);
		break;
	case TPZ_EXIT_INTERRUPTED:
		break;
	case TPZ_EXIT_HLT:
		/* Only a halt that no interrupt can end comes up here: Linux's last instruction, for one */
		machine_end(machine, STATUS_OK, false, "the guest halted for good");
		break;
	case TPZ_EXIT_TRIPLE_FAULT:
		machine_end(machine, STATUS_TRIPLE_FAULT, true, "the guest triple-faulted at rip %#llx",
			    (unsigned long long)run->rip);
		break;
	case TPZ_EXIT_MEMORY:
		end_by_memory(machine);
		break;
	case TPZ_EXIT_ENTRY_FAILED:
		end_by_entry(machine);
		break;
	case TPZ_EXIT_DEAD:
		machine_end(machine, STATUS_DEAD, false, "the module gave the VM up: %.*s",
			    (int)sizeof(run->dead.why), run->dead.why);
		break;
	default:
		end_unanswered(machine);
		break;
	}
}

void *vcpu_thread(void *argument)
{
	struct machine *machine = argument;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, VCPU_KICK);
	while (sem_wait(&machine->go))
		;
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	while (!machine_ended(machine)) {
		int ret = tpz_vcpu_run(&machine->vcpu);

		if (!ret)
			answer(machine);
		else if (ret != -EINTR)
			machine_end(machine, STATUS_HOST, true, "%s", tpz_error());
	}
	return NULL;
}
