#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Which of the kernel interfaces that changed does this kernel have? Prints one
# -DHAVE_... for each that is found in the headers.
#
#	probe.sh <kernel source or headers tree>
#
# Looks for names, not versions: stable kernels and distributions move things.
# Kbuild calls it as:  ccflags-y += $(shell sh $(src)/compat/probe.sh $(srctree))

tree=$1
inc=$tree/include/linux
x86=$tree/arch/x86/include/asm

# have NAME FILE PATTERN: the (extended) pattern occurs in the file
have()
{
	grep -Eqs -- "$3" "$2" && printf ' -DHAVE_%s' "$1"
}

have FOLLOW_PFNMAP		"$inc/mm.h"		'follow_pfnmap_start\('
have MMU_NOTIFIER_YOUNG_BOOL	"$inc/mmu_notifier.h"	'bool \(\*clear_young\)'
have SYSCORE_DATA		"$inc/syscore_ops.h"	'register_syscore\('
have EVENTFD_SIGNAL_NO_COUNT	"$inc/eventfd.h"	'eventfd_signal\(struct eventfd_ctx \*ctx\)'
have WAIT_PRIORITY_EXCLUSIVE	"$inc/wait.h"		'add_wait_queue_priority_exclusive'
have FD_FILE			"$inc/file.h"		'fd_file\('
have HRTIMER_SETUP		"$inc/hrtimer.h"	'hrtimer_setup\('
have CPUHP_KVM_ONLINE		"$inc/cpuhotplug.h"	'CPUHP_AP_KVM_ONLINE'
have VFIO_FILE_IS_VALID		"$inc/vfio.h"		'vfio_file_is_valid\('
have HIDDEN_IMMEDIATE_EXIT	"$tree/include/uapi/linux/kvm.h" 'HINT_UNSAFE_IN_KVM\(immediate_exit'
have ENTRY_VIRT_H		"$inc/entry-virt.h"	'xfer_to_guest_mode'
have EMERGENCY_VIRT_CALLBACK	"$x86/reboot.h"		'cpu_emergency_register_virt_callback'
have X86_VIRT_REF		"$x86/virt.h"		'x86_virt_get_ref'
have X86_ENTRY_FROM_KVM		"$x86/entry-common.h"	'x86_entry_from_kvm\('
have MMIO_STALE_KEY		"$x86/nospec-branch.h"	'KEY_FALSE\(mmio_stale_data_clear\)'
have RCU_VIRT_NOTE_CPU		"$inc/rcutree.h"	'rcu_virt_note_context_switch\(int cpu\)'
have CPUID_API_H		"$x86/cpuid/api.h"	'cpuid_eax'
have SHRINKER_ALLOC		"$inc/shrinker.h"	'shrinker_alloc\('
have RDMSRQ			"$x86/msr.h"		'rdmsrq\('
echo
