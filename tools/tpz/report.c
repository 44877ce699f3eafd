// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's meters as a table and as JSON. Both know each counter by one line of one table.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* The plain counters of a vCPU, as JSON names them and as the table's foot does */
static const struct {
	const char *name;
	const char *text;
	size_t offset;
} counters[] = {
#define COUNTER(name, text)	{ #name, text, offsetof(struct tpz_vcpu_meters, name) }
	COUNTER(entries, "entries"),
	COUNTER(exits, "exits"),
	COUNTER(user_exits, "exits to user space"),
	COUNTER(guest_cycles, NULL),
	COUNTER(host_cycles, NULL),
	COUNTER(halts, "halts"),
	COUNTER(halted_cycles, NULL),
	COUNTER(injected_interrupts, "interrupts injected"),
	COUNTER(injected_nmis, "NMIs injected"),
	COUNTER(injected_exceptions, "exceptions injected"),
	COUNTER(npf_mapped, "nested page faults mapped"),
	COUNTER(migrations, "moves between CPUs"),
	COUNTER(wbinvds, "WBINVD"),
	COUNTER(pv_eois, "interrupts ended without an exit"),
	COUNTER(pv_flushes, "TLB flushes left for the next entry"),
	COUNTER(yields, "CPUs given to another vCPU"),
	COUNTER(invds, "INVD"),
};

#define COUNTERS	(sizeof(counters) / sizeof(counters[0]))

static uint64_t *counter(struct tpz_vcpu_meters *meters, size_t index)
{
	return (uint64_t *)((char *)meters + counters[index].offset);
}

static uint64_t counter_value(const struct tpz_vcpu_meters *meters, size_t index)
{
	return *(const uint64_t *)((const char *)meters + counters[index].offset);
}

int report_read(struct tpz_meters *meters, struct report *report)
{
	memset(report, 0, sizeof(*report));
	tpz_meters_vm(meters, &report->vm);
	for (uint32_t i = 0; i < report->vm.vcpus; i++) {
		struct tpz_vcpu_meters vcpu;
		int ret = tpz_meters_vcpu(meters, i, &vcpu);

		if (ret)
			return ret;
		if (vcpu.present)
			tpz_meters_add(&report->total, &vcpu);
	}
	return 0;
}

void report_since(struct report *report, const struct report *before)
{
	for (size_t i = 0; i < COUNTERS; i++)
		*counter(&report->total, i) -= counter_value(&before->total, i);
	for (int i = 0; i < TPZ_EXIT_COUNT; i++) {
		report->total.reason[i].count -= before->total.reason[i].count;
		report->total.reason[i].cycles -= before->total.reason[i].cycles;
	}
}

struct line {
	uint32_t reason;
	struct tpz_reason_meter meter;
};

static int by_cycles(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	if (left->meter.cycles != right->meter.cycles)
		return left->meter.cycles < right->meter.cycles ? 1 : -1;
	return left->meter.count < right->meter.count ? 1 : -1;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

static void print_line(FILE *stream, const char *name, const struct tpz_reason_meter *meter, uint64_t cycles)
{
	fprintf(stream, "%-30s %14llu %18llu %12llu %7.2f %%\n", name, (unsigned long long)meter->count,
		(unsigned long long)meter->cycles,
		(unsigned long long)(meter->count ? meter->cycles / meter->count : 0),
		percent(meter->cycles, cycles));
}

static void print_exits(FILE *stream, const struct tpz_vcpu_meters *total)
{
	struct line lines[TPZ_EXIT_COUNT];
	struct tpz_reason_meter sum = { 0 };
	size_t count = 0;

	for (uint32_t i = 0; i < TPZ_EXIT_COUNT; i++) {
		if (!total->reason[i].count)
			continue;
		lines[count++] = (struct line){ i, total->reason[i] };
		sum.count += total->reason[i].count;
		sum.cycles += total->reason[i].cycles;
	}
	qsort(lines, count, sizeof(lines[0]), by_cycles);

	fprintf(stream, "%-30s %14s %18s %12s %9s\n", "exit", "count", "cycles", "mean", "share");
	for (size_t i = 0; i < count; i++) {
		const char *name = tpz_exit_name(lines[i].reason);
		char number[16];

		snprintf(number, sizeof(number), "number %u", lines[i].reason);
		print_line(stream, name ? name : number, &lines[i].meter, sum.cycles);
	}
	print_line(stream, "all", &sum, sum.cycles);
}

void report_print(FILE *stream, const struct report *report)
{
	const struct tpz_vcpu_meters *total = &report->total;
	const struct tpz_vm_meters *vm = &report->vm;
	uint64_t cycles = total->guest_cycles + total->host_cycles + total->halted_cycles;

	fprintf(stream, "VM %llu (%.*s, pid %u)%s: %u vCPU%s, %llu MiB of memory, %llu KiB of it resident, %llu KiB of page tables\n",
		(unsigned long long)vm->id, (int)sizeof(vm->comm), vm->comm, vm->pid,
		vm->dead ? ", ended" : "", vm->vcpus, vm->vcpus == 1 ? "" : "s",
		(unsigned long long)vm->slot_bytes >> 20, (unsigned long long)vm->resident_pages * 4,
		(unsigned long long)vm->table_pages * 4);
	print_exits(stream, total);
	fprintf(stream, "time: %.2f %% in the guest, %.2f %% in the host, %.2f %% halted, of %llu cycles (%.3f s)\n",
		percent(total->guest_cycles, cycles), percent(total->host_cycles, cycles),
		percent(total->halted_cycles, cycles), (unsigned long long)cycles,
		vm->tsc_khz ? cycles / (vm->tsc_khz * 1e3) : 0);
	for (size_t i = 0, column = 0; i < COUNTERS; i++) {
		if (!counters[i].text)
			continue;
		fprintf(stream, "%s%llu %s", column % 6 ? ", " : column ? "\n" : "",
			(unsigned long long)counter_value(total, i), counters[i].text);
		column++;
	}
	fprintf(stream, "\n");
}

static struct json_object *vcpu_json(const struct tpz_vcpu_meters *meters)
{
	struct json_object *object = json_object_new_object();
	struct json_object *exits = json_object_new_object();

	for (size_t i = 0; i < COUNTERS; i++) {
		json_object_object_add(object, counters[i].name,
				       json_object_new_uint64(counter_value(meters, i)));
	}
	for (uint32_t i = 0; i < TPZ_EXIT_COUNT; i++) {
		struct json_object *entry;
		const char *name = tpz_exit_name(i);
		char number[16];

		if (!meters->reason[i].count)
			continue;
		snprintf(number, sizeof(number), "%u", i);
		entry = json_object_new_object();
		json_object_object_add(entry, "count", json_object_new_uint64(meters->reason[i].count));
		json_object_object_add(entry, "cycles", json_object_new_uint64(meters->reason[i].cycles));
		json_object_object_add(exits, name ? name : number, entry);
	}
	json_object_object_add(object, "by_reason", exits);
	return object;
}

struct json_object *report_json(struct tpz_meters *meters)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();
	struct tpz_vcpu_meters total = { 0 };
	struct tpz_vm_meters vm;

	tpz_meters_vm(meters, &vm);
	json_object_object_add(object, "id", json_object_new_uint64(vm.id));
	json_object_object_add(object, "ended", json_object_new_boolean(vm.dead));
	json_object_object_add(object, "pid", json_object_new_int64(vm.pid));
	json_object_object_add(object, "comm",
			       json_object_new_string_len(vm.comm, strnlen(vm.comm, sizeof(vm.comm))));
	json_object_object_add(object, "tsc_khz", json_object_new_int64(vm.tsc_khz));
	json_object_object_add(object, "slot_bytes", json_object_new_uint64(vm.slot_bytes));
	json_object_object_add(object, "resident_pages", json_object_new_uint64(vm.resident_pages));
	json_object_object_add(object, "table_pages", json_object_new_uint64(vm.table_pages));
	json_object_object_add(object, "notifier_zaps", json_object_new_uint64(vm.notifier_zaps));
	json_object_object_add(object, "vcpus", vcpus);
	for (uint32_t i = 0; i < vm.vcpus; i++) {
		struct tpz_vcpu_meters vcpu;
		struct json_object *entry;

		if (tpz_meters_vcpu(meters, i, &vcpu)) {
			json_object_put(object);
			return NULL;
		}
		if (!vcpu.present)
			continue;
		tpz_meters_add(&total, &vcpu);
		entry = vcpu_json(&vcpu);
		json_object_object_add(entry, "vcpu", json_object_new_int64(vcpu.vcpu));
		json_object_array_add(vcpus, entry);
	}
	json_object_object_add(object, "total", vcpu_json(&total));
	return object;
}
