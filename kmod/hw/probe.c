// SPDX-License-Identifier: GPL-2.0
/* What the probes of both vendors share: see probe.h, and tpz_hw_available() in hw.h. */
#define pr_fmt(fmt) "trapeze: " fmt
#include <linux/printk.h>
#include "../host.h"
#include "probe.h"

int tpz_hw_available(const struct tpz_hw *hw)
{
	if (tpz_host_module_loaded(hw->rival)) {
		pr_err_ratelimited("KVM holds %s; run \"modprobe -r %s\" first, or boot with kvm.enable_virt_at_load=0 and without %s\n",
				   hw->name, hw->rival, hw->rival);
		return -EBUSY;
	}
	if (hw->held()) {
		pr_err_ratelimited("another hypervisor holds %s (%s is set); unload it first\n", hw->name, hw->held_by);
		return -EBUSY;
	}
	return 0;
}

void tpz_feature_answer(const struct tpz_feature_line *line, const u64 *words, struct tpz_hw_feature *answer)
{
	answer->name = line->name;
	answer->why = line->gives;
	if (!(words[line->word] & line->bit)) {
		answer->state = TPZ_FEATURE_ABSENT;
		answer->why = "this CPU does not have it";
	} else {
		answer->state = line->used ? TPZ_FEATURE_PRESENT : TPZ_FEATURE_UNUSED;
	}
}
