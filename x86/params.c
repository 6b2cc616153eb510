// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters of kvm.ko. Names and meaning are interface: VMMs and test
 * suites read /sys/module/kvm/parameters. Only parameters that do something, or
 * that name a fact tools ask for, are here.
 */
#include <linux/moduleparam.h>
#include "x86.h"

bool x86_ignore_msrs;
module_param_named(ignore_msrs, x86_ignore_msrs, bool, 0644);
MODULE_PARM_DESC(ignore_msrs, "unknown MSRs read as zero and swallow writes");

bool x86_report_ignored_msrs = true;
module_param_named(report_ignored_msrs, x86_report_ignored_msrs, bool, 0644);

/* No PMU is offered yet: the file says so to those who ask. */
bool x86_enable_pmu;
module_param_named(enable_pmu, x86_enable_pmu, bool, 0444);

bool x86_force_emulation_prefix;
module_param_named(force_emulation_prefix, x86_force_emulation_prefix, bool, 0644);
MODULE_PARM_DESC(force_emulation_prefix, "ud2; .ascii \"kvm\" in front of an instruction emulates it");

unsigned int x86_min_timer_period_us = 200;
module_param_named(min_timer_period_us, x86_min_timer_period_us, uint, 0644);

int x86_lapic_timer_advance_ns = -1;
module_param_named(lapic_timer_advance_ns, x86_lapic_timer_advance_ns, int, 0444);
MODULE_PARM_DESC(lapic_timer_advance_ns, "TSC deadlines are prepared that much ahead; -1 as learnt, 0 not");

unsigned int x86_halt_poll_ns = 200000;
module_param_named(halt_poll_ns, x86_halt_poll_ns, uint, 0644);
unsigned int x86_halt_poll_ns_grow = 2;
module_param_named(halt_poll_ns_grow, x86_halt_poll_ns_grow, uint, 0644);
unsigned int x86_halt_poll_ns_grow_start = 10000;
module_param_named(halt_poll_ns_grow_start, x86_halt_poll_ns_grow_start, uint, 0644);
unsigned int x86_halt_poll_ns_shrink;
module_param_named(halt_poll_ns_shrink, x86_halt_poll_ns_shrink, uint, 0644);

/* The MMU for nested paging handles faults in parallel: what tools know as tdp_mmu. */
static bool tdp_mmu = true;
module_param(tdp_mmu, bool, 0444);
