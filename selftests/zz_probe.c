#define _GNU_SOURCE
#include "apic.h"
#include <stdio.h>
#include <time.h>
static __u64 khz;
static volatile __u64 loops;
static GUEST __u32 spin(__u64 us)
{
	__u64 end = rdtsc() + us * khz / 1000;
	if (us & 1) asm volatile("sti");
	while (rdtsc() < end) loops++;
	return 0;
}
static long irq0(const char *name)
{
	char line[400]; long n = 0; FILE *f = fopen("/proc/interrupts", "r");
	while (fgets(line, sizeof line, f)) if (strstr(line, name)) { sscanf(strchr(line, ':') + 1, "%ld", &n); break; }
	fclose(f); return n;
}
static void t(void)
{
	struct vcpu *v = vm_with_vcpu(.devices = TPZ_DEVICES_PC);
	struct meters m = meters_open(v->vm->id);
	struct timespec a, b;
	khz = device_info().tsc_khz;
	char cs[64] = ""; FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r"); fgets(cs, 64, f); fclose(f);
	ktap_diag("khz %llu clocksource %s", khz, cs);
	for (int i = 0; i < 3; i++) {
		vcpu_start(v, MODE_LONG, RING0, spin, 1000000 + i);
		long l0 = irq0("LOC"), i0 = irq0("timer");
		__u64 t0 = rdtsc();
		clock_gettime(CLOCK_MONOTONIC, &a);
		vcpu_finish(v);
		clock_gettime(CLOCK_MONOTONIC, &b);
		__u64 t1 = rdtsc();
		struct tpz_vcpu_meters mm = meters_read(&m, 0);
		ktap_diag("%ld us by host clock, %llu us by TSC, LOC %ld, timer %ld; exits %llu host-int %llu", (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000, (t1-t0)*1000/khz, irq0("LOC") - l0, irq0("timer") - i0, mm.exits, mm.reason[TPZ_EXIT_HOST_INTERRUPT].count);
	}
}
static const struct ktap_case cases[] = {{"t", t}};
KTAP_MAIN(cases)
