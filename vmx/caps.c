// SPDX-License-Identifier: GPL-2.0
/*
 * What this processor's VT can do, read once, and what we ask of it.
 *
 * For each word of controls an MSR says which bits must be 1 and which may be
 * (Intel SDM vol. 3, appendix A). The "true" variants say it without regard to
 * software of the first days, which set more bits than it had to. Every control
 * that any VMCS of ours ever has is in one of the two tables below: needed, or
 * welcome. Nothing is used that is not in what may be; so each question of
 * "does this CPU have it" becomes a bit of vmx_base or a bool that follows from
 * it.
 *
 * Features depend on each other: unrestricted guests on EPT, EPT on a memory
 * type and a depth of tables that we build, INVEPT and so on. Where a feature
 * can't be had its parameter is lowered, so that /sys shows what is.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <asm/cpufeature.h>
#include "compat_cpuid.h"
#include "compat_virt.h"
#include "vmx.h"

struct vmx_caps vmx_caps;
struct vmx_controls vmx_base;

/* ---- what there is ---------------------------------------------------------------- */

static struct vmx_allowed vmx_allowed(u32 msr)
{
	u64 val = 0;

	compat_rdmsr_safe(msr, &val);
	return (struct vmx_allowed){ .must = lower_32_bits(val), .may = upper_32_bits(val) };
}

static void vmx_read_controls(struct vmx_caps *caps, bool true_ctls)
{
	caps->pin = vmx_allowed(true_ctls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS :
					    MSR_IA32_VMX_PINBASED_CTLS);
	caps->cpu = vmx_allowed(true_ctls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
					    MSR_IA32_VMX_PROCBASED_CTLS);
	caps->exit = vmx_allowed(true_ctls ? MSR_IA32_VMX_TRUE_EXIT_CTLS :
					     MSR_IA32_VMX_EXIT_CTLS);
	caps->entry = vmx_allowed(true_ctls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS :
					      MSR_IA32_VMX_ENTRY_CTLS);
	if (caps->cpu.may & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		caps->cpu2 = vmx_allowed(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (caps->cpu2.may & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		caps->ept_vpid = compat_rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
}

#define VMX_BASIC_TYPE(basic)	(((basic) >> 50) & 0xf)
#define VMX_BASIC_TRUE		BIT_ULL(55)
#define VMX_BASIC_32BIT		BIT_ULL(48)

int vmx_read_caps(struct vmx_caps *caps)
{
	u64 basic;

	memset(caps, 0, sizeof(*caps));
	if (compat_rdmsr_safe(MSR_IA32_VMX_BASIC, &basic)) {
		pr_err("this CPU does not tell what its VT can do\n");
		return -EOPNOTSUPP;
	}
	if ((basic & VMX_BASIC_32BIT) || VMX_BASIC_TYPE(basic) != 6 ||
	    vmx_basic_vmcs_size(basic) > PAGE_SIZE) {
		pr_err("VMCS format %llx is not one that we know\n", basic);
		return -EOPNOTSUPP;
	}
	caps->revision = vmx_basic_vmcs_revision_id(basic);
	vmx_read_controls(caps, basic & VMX_BASIC_TRUE);
	caps->misc = compat_rdmsr(MSR_IA32_VMX_MISC);
	caps->cr0_must = compat_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	caps->cr0_may = compat_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	caps->cr4_must = compat_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	caps->cr4_may = compat_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	return 0;
}

/* ---- what we ask for ----------------------------------------------------------------- */

#define VMX_PIN_NEEDED	(PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING | PIN_BASED_VIRTUAL_NMIS)

/* Set while there is a deadline, and while interrupts are posted. */
#define VMX_PIN_SOMETIMES	(PIN_BASED_VMX_PREEMPTION_TIMER | PIN_BASED_POSTED_INTR)

#define VMX_CPU_NEEDED	(CPU_BASED_HLT_EXITING | CPU_BASED_INVLPG_EXITING |		\
			 CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING |		\
			 CPU_BASED_RDPMC_EXITING | CPU_BASED_USE_TSC_OFFSETTING |	\
			 CPU_BASED_MOV_DR_EXITING | CPU_BASED_UNCOND_IO_EXITING |	\
			 CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |	\
			 CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING)
/* Set when there is something to wait for. */
#define VMX_CPU_WINDOWS	(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING)
#define VMX_CPU_WELCOME	(CPU_BASED_TPR_SHADOW | CPU_BASED_USE_MSR_BITMAPS |		\
			 CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)

#define VMX_CPU2_WELCOME (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_RDTSCP |	\
			  SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_WBINVD_EXITING |	\
			  SECONDARY_EXEC_UNRESTRICTED_GUEST |				\
			  SECONDARY_EXEC_PAUSE_LOOP_EXITING |				\
			  SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_XSAVES |	\
			  SECONDARY_EXEC_TSC_SCALING | SECONDARY_EXEC_ENCLS_EXITING |	\
			  SECONDARY_EXEC_ENABLE_PML | VMX_CPU2_APICV)

#define VMX_EXIT_NEEDED	 (VM_EXIT_SAVE_DEBUG_CONTROLS | VM_EXIT_HOST_ADDR_SPACE_SIZE)
#define VMX_EXIT_WELCOME (VM_EXIT_LOAD_IA32_PAT | VM_EXIT_LOAD_IA32_EFER |	\
			  VM_EXIT_ACK_INTR_ON_EXIT)

#define VMX_ENTRY_NEEDED  VM_ENTRY_LOAD_DEBUG_CONTROLS
#define VMX_ENTRY_WELCOME (VM_ENTRY_LOAD_IA32_PAT | VM_ENTRY_LOAD_IA32_EFER)
#define VMX_ENTRY_SOMETIMES VM_ENTRY_IA32E_MODE

/* False: something that is needed can't be had. */
static bool vmx_choose(const char *name, struct vmx_allowed allowed, u32 needed, u32 welcome,
		       u32 *word)
{
	if (needed & ~allowed.may) {
		pr_err("%s controls %x are missing\n", name, needed & ~allowed.may);
		return false;
	}
	*word = needed | (welcome & allowed.may) | allowed.must;
	return true;
}

/* An EPT that is of use to us. */
static bool vmx_ept_usable(void)
{
	const u64 needed = VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT | VMX_EPT_INVEPT_BIT;

	return (vmx_base.cpu2 & SECONDARY_EXEC_ENABLE_EPT) &&
	       (vmx_caps.ept_vpid & needed) == needed &&
	       (vmx_caps.ept_vpid & (VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT));
}

#define VPID_CAP(bit)	((u64)(bit) << 32)

/* Any kind of INVVPID that forgets at least one whole VPID. */
static bool vmx_vpid_usable(void)
{
	const u64 cap = vmx_caps.ept_vpid;

	return (vmx_base.cpu2 & SECONDARY_EXEC_ENABLE_VPID) &&
	       (cap & VPID_CAP(VMX_VPID_INVVPID_BIT)) &&
	       (cap & VPID_CAP(VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT |
			       VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT));
}

/*
 * CPUs of 2008 to 2012, by CPUID.1:EAX, whose timer runs at another rate than they
 * say ("VMX-Preemption Timer Does Not Count Down at the Rate Specified", Intel's
 * specification updates).
 */
static const u32 vmx_timer_errata[] = {
	0x106a4, 0x106a5, 0x106e5, 0x20652, 0x20655, 0x206e6, 0x306a8,
};

static bool vmx_timer_usable(void)
{
	u32 sig = cpuid_eax(1);
	int i;

	for (i = 0; i < ARRAY_SIZE(vmx_timer_errata); i++)
		if (sig == vmx_timer_errata[i])
			return false;
	return (vmx_base.pin & PIN_BASED_VMX_PREEMPTION_TIMER) && tsc_khz;
}

/* All of it or nothing; and real mode on the CPU, where the emulator delivers no interrupts. */
static bool vmx_apicv_usable(void)
{
	const u32 cpu = CPU_BASED_TPR_SHADOW | CPU_BASED_USE_MSR_BITMAPS;

	return vmx_ept && vmx_unrestricted && (vmx_base.cpu & cpu) == cpu &&
	       (vmx_base.cpu2 & VMX_CPU2_APICV) == VMX_CPU2_APICV;
}

static void vmx_lower_parameters(void)
{
	vmx_ept = vmx_ept && vmx_ept_usable();
	vmx_ept_ad = vmx_ept_ad && vmx_ept && (vmx_caps.ept_vpid & VMX_EPT_AD_BIT);
	vmx_unrestricted = vmx_unrestricted && vmx_ept &&
			   (vmx_base.cpu2 & SECONDARY_EXEC_UNRESTRICTED_GUEST);
	vmx_vpid = vmx_vpid && vmx_vpid_usable();
	if (!(vmx_base.cpu2 & SECONDARY_EXEC_PAUSE_LOOP_EXITING))
		vmx_ple_gap = 0;
	vmx_pml = vmx_pml && vmx_ept_ad && (vmx_base.cpu2 & SECONDARY_EXEC_ENABLE_PML);
	vmx_preemption_timer = vmx_preemption_timer && vmx_timer_usable();
	vmx_apicv = vmx_apicv && vmx_apicv_usable();
	vmx_posts = vmx_posts && vmx_apicv && (vmx_base.pin & PIN_BASED_POSTED_INTR) &&
		    (vmx_base.exit & VM_EXIT_ACK_INTR_ON_EXIT);
}

static void vmx_apply_parameters(void)
{
	u32 *cpu2 = &vmx_base.cpu2;

	if (vmx_ept)	/* the guest's CR3 and translations are its own */
		vmx_base.cpu &= ~(CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
				  CPU_BASED_INVLPG_EXITING);
	else
		*cpu2 &= ~(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_INVPCID);
	if (!vmx_unrestricted)
		*cpu2 &= ~SECONDARY_EXEC_UNRESTRICTED_GUEST;
	if (!vmx_vpid)
		*cpu2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (!vmx_pml)
		*cpu2 &= ~SECONDARY_EXEC_ENABLE_PML;
	if (!vmx_apicv)
		*cpu2 &= ~VMX_CPU2_APICV;
	if (!vmx_posts)
		vmx_base.exit &= ~VM_EXIT_ACK_INTR_ON_EXIT;
	if (!vmx_ple_gap)
		*cpu2 &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
}

/* Half of a pair is worth nothing. */
static void vmx_pair(u32 entry, u32 exit)
{
	if ((vmx_base.entry & entry) && (vmx_base.exit & exit))
		return;
	vmx_base.entry &= ~entry;
	vmx_base.exit &= ~exit;
}

int vmx_choose_controls(void)
{
	if (!vmx_choose("pin-based", vmx_caps.pin, VMX_PIN_NEEDED, VMX_PIN_SOMETIMES, &vmx_base.pin) ||
	    !vmx_choose("processor-based", vmx_caps.cpu, VMX_CPU_NEEDED | VMX_CPU_WINDOWS,
			VMX_CPU_WELCOME, &vmx_base.cpu) ||
	    !vmx_choose("secondary", vmx_caps.cpu2, 0, VMX_CPU2_WELCOME, &vmx_base.cpu2) ||
	    !vmx_choose("exit", vmx_caps.exit, VMX_EXIT_NEEDED, VMX_EXIT_WELCOME,
			&vmx_base.exit) ||
	    !vmx_choose("entry", vmx_caps.entry, VMX_ENTRY_NEEDED | VMX_ENTRY_SOMETIMES,
			VMX_ENTRY_WELCOME, &vmx_base.entry))
		return -EOPNOTSUPP;
	vmx_base.cpu &= ~VMX_CPU_WINDOWS;
	vmx_base.entry &= ~VMX_ENTRY_SOMETIMES;
	vmx_pair(VM_ENTRY_LOAD_IA32_PAT, VM_EXIT_LOAD_IA32_PAT);
	vmx_pair(VM_ENTRY_LOAD_IA32_EFER, VM_EXIT_LOAD_IA32_EFER);
	vmx_lower_parameters();
	vmx_base.pin &= ~VMX_PIN_SOMETIMES;
	vmx_apply_parameters();
	return 0;
}
