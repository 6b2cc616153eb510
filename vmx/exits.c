// SPDX-License-Identifier: GPL-2.0
/*
 * Why the guest stopped: one handler for each exit reason.
 *
 * Handlers run with interrupts and preemption on and answer enum
 * kvm_exit_result or -errno. Whoever finished an instruction ends in x86_skip();
 * whoever wants the instruction executed anew just resumes.
 *
 * The exit qualification says of most instructions what they wanted to do, and
 * their length comes with the exit. For violations of EPT the length is not
 * defined; then it is decoded.
 */
#include <linux/nospec.h>
#include <asm/cpu.h>
#include <uapi/asm/debugreg.h>
#include "apicv.h"
#include "compat_virt.h"
#include "insn.h"
#include "irqchip.h"
#include "mmu.h"
#include "vmx.h"

/* ---- what the exit says --------------------------------------------------------- */

u64 vmx_qualification(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit.known & VMX_KNOWN_QUALIFICATION)) {
		vmx->exit.qualification = vmx_read(EXIT_QUALIFICATION);
		vmx->exit.known |= VMX_KNOWN_QUALIFICATION;
	}
	return vmx->exit.qualification;
}

u32 vmx_intr_info(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit.known & VMX_KNOWN_INTR_INFO)) {
		vmx->exit.intr_info = vmx_read32(VM_EXIT_INTR_INFO);
		vmx->exit.known |= VMX_KNOWN_INTR_INFO;
	}
	return vmx->exit.intr_info;
}

static u16 vmx_reason(const struct vcpu_vmx *vmx)
{
	return vmx->exit.reason;
}

int vmx_insn_len(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	switch (vmx_reason(vmx)) {
	case EXIT_REASON_EXCEPTION_NMI:
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
	case EXIT_REASON_APIC_ACCESS:
		return 0;
	}
	if (!(vmx->exit.known & VMX_KNOWN_LEN)) {
		vmx->exit.len = vmx_read32(VM_EXIT_INSTRUCTION_LEN);
		vmx->exit.known |= VMX_KNOWN_LEN;
	}
	return vmx->exit.len <= 15 ? vmx->exit.len : 0;
}

/* There is nothing like it here. */
int vmx_insn_bytes(struct kvm_vcpu *vcpu, u8 *buf)
{
	return 0;
}

void vmx_exit_info(struct kvm_vcpu *vcpu, struct x86_exit_info *info)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	*info = (struct x86_exit_info) {
		.reason = vmx->exit.reason,
		.info1 = vmx_qualification(vmx),
		.info2 = vmx->exit.vectoring,
		.intr_info = vmx_intr_info(vmx),
	};
	if (info->intr_info & INTR_INFO_DELIVER_CODE_MASK)
		info->error_code = vmx_read32(VM_EXIT_INTR_ERROR_CODE);
}

/*
 * The exit came while IRET was being executed, after it had ended NMI blocking.
 * It will be executed again.
 */
static void vmx_block_nmi_again(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit.vectoring & VECTORING_INFO_VALID_MASK))
		vmx_set_nmi_mask(&vmx->vcpu, true);
}

/* ---- simple ones ------------------------------------------------------------------- */

/* Done already: by run(), or by the host taking its interrupt. */
static int vmx_resume(struct kvm_vcpu *vcpu)
{
	return KVM_EXIT_RESUME;
}

static int vmx_intr(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_exits++;
	return KVM_EXIT_RESUME;
}

static int vmx_intr_window(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_window_exits++;
	vmx_close_window(vcpu, CPU_BASED_INTR_WINDOW_EXITING);
	return KVM_EXIT_RESUME;
}

static int vmx_nmi_window(struct kvm_vcpu *vcpu)
{
	vcpu->stat.nmi_window_exits++;
	vmx_close_window(vcpu, CPU_BASED_NMI_WINDOW_EXITING);
	return KVM_EXIT_RESUME;
}

static int vmx_deadline(struct kvm_vcpu *vcpu)
{
	irqchip_deadline_reached(vcpu);
	return KVM_EXIT_RESUME;
}

/* No performance counters are offered. */
static int vmx_rdpmc(struct kvm_vcpu *vcpu)
{
	x86_inject_gp(vcpu, 0);
	return KVM_EXIT_RESUME;
}

static int vmx_triple_fault(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return KVM_EXIT_TO_USER;
}

/* A lower TPR lets something through. */
static int vmx_tpr_below_threshold(struct kvm_vcpu *vcpu)
{
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return KVM_EXIT_RESUME;
}

static int vmx_invlpg(struct kvm_vcpu *vcpu)
{
	mmu_invlpg(vcpu, vmx_qualification(to_vmx(vcpu)));
	return x86_skip(vcpu);
}

/* Qualification of IN and OUT. */
#define VMX_IO_SIZE	7	/* less one */
#define VMX_IO_IN	BIT(3)
#define VMX_IO_PORT	16

static int vmx_ioio(struct kvm_vcpu *vcpu)
{
	u64 info = vmx_qualification(to_vmx(vcpu));

	vcpu->stat.io_exits++;
	if (info & VMX_IO_STRING)
		return x86_emulate_insn(vcpu);
	return x86_fast_pio(vcpu, (info & VMX_IO_SIZE) + 1, (info >> VMX_IO_PORT) & 0xffff,
			    info & VMX_IO_IN);
}

/* ---- memory ------------------------------------------------------------------------------ */

#define VMX_EPT_GVA_FINAL	(EPT_VIOLATION_GVA_IS_VALID | EPT_VIOLATION_GVA_TRANSLATED)
#define VMX_EPT_NMI_UNBLOCKED	BIT(12)

/* In the words of a page fault's error code. Like AMD's, an access is always a user's. */
static u64 vmx_ept_error(u64 q)
{
	u64 error = MMU_PF_USER;

	if (q & EPT_VIOLATION_ACC_WRITE)
		error |= MMU_PF_WRITE;
	if (q & EPT_VIOLATION_ACC_INSTR)
		error |= MMU_PF_FETCH;
	if (q & EPT_VIOLATION_RWX_MASK)
		error |= MMU_PF_PRESENT;
	if ((q & VMX_EPT_GVA_FINAL) == VMX_EPT_GVA_FINAL)
		error |= MMU_PF_GUEST_FINAL;
	else if (q & EPT_VIOLATION_GVA_IS_VALID)
		error |= MMU_PF_GUEST_PAGE;
	return error;
}

/* The CPU looks for the identity map of an unpaged guest. */
static bool vmx_is_identity_fault(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	return unlikely(vcpu->kvm->arch.vendor) && !x86_paging(vcpu) &&
	       gpa_to_gfn(gpa) == gpa_to_gfn(vcpu->kvm->arch.identity_map_addr);
}

static int vmx_ept_violation(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 q = vmx_qualification(vmx);
	gpa_t gpa = vmx_read(GUEST_PHYSICAL_ADDRESS);
	int r;

	if (unlikely(q & VMX_EPT_NMI_UNBLOCKED))
		vmx_block_nmi_again(vmx);
	if (vmx_is_identity_fault(vcpu, gpa))
		return mmu_map_own_page(vcpu, gpa, vcpu->kvm->arch.vendor, NULL) ?: KVM_EXIT_RESUME;
	r = apicv_page_fault(vcpu, gpa);
	if (r)
		return r;
	return mmu_nested_fault(vcpu, gpa, vmx_ept_error(q));
}

/* The log was looked through before this. It comes between a write and its effect, of IRET, too. */
static int vmx_pml_full(struct kvm_vcpu *vcpu)
{
	if (unlikely(vmx_qualification(to_vmx(vcpu)) & VMX_EPT_NMI_UNBLOCKED))
		vmx_block_nmi_again(to_vmx(vcpu));
	return KVM_EXIT_RESUME;
}

/* ---- local APIC: vmx/apicv.c ------------------------------------------------------------- */

#define VMX_APIC_OFFSET		0xfff
#define VMX_APIC_TYPE		12
#define VMX_APIC_WRITE		1
#define VMX_APIC_PHYSICAL	10	/* and above: not at the instruction's linear address */

/* An access that the hardware does not do by itself. */
static int vmx_apic_access(struct kvm_vcpu *vcpu)
{
	u64 q = vmx_qualification(to_vmx(vcpu)), type = (q >> VMX_APIC_TYPE) & 0xf, error = 0;

	if (type == VMX_APIC_WRITE)
		error = MMU_PF_WRITE;
	else if (type >= VMX_APIC_PHYSICAL)
		error = MMU_PF_GUEST_PAGE;
	return mmu_device_access(vcpu, LAPIC_DEFAULT_BASE | (q & VMX_APIC_OFFSET), error);
}

/* A write that is done as far as the guest goes: RIP is behind it. */
static int vmx_apic_write(struct kvm_vcpu *vcpu)
{
	lapic_written(vcpu->arch.apic, vmx_qualification(to_vmx(vcpu)) & VMX_APIC_OFFSET);
	return KVM_EXIT_RESUME;
}

static int vmx_eoi(struct kvm_vcpu *vcpu)
{
	lapic_ended(vcpu->arch.apic, vmx_qualification(to_vmx(vcpu)));
	return KVM_EXIT_RESUME;
}

/* ---- control registers ------------------------------------------------------------------- */

enum vmx_cr_access { VMX_CR_WRITE, VMX_CR_READ, VMX_CR_CLTS, VMX_CR_LMSW };

static int vmx_mov_to_cr(struct kvm_vcpu *vcpu, int cr, int gpr)
{
	u64 mask = x86_64bit_code(vcpu) ? ~0ull : U32_MAX, before = x86_get_cr8(vcpu);
	int r = x86_complete(vcpu, x86_set_cr(vcpu, cr, x86_gpr(vcpu, gpr) & mask));

	return cr == 8 ? x86_cr8_written(vcpu, before, r) : r;
}

static int vmx_mov_from_cr(struct kvm_vcpu *vcpu, int cr, int gpr)
{
	u64 mask = x86_64bit_code(vcpu) ? ~0ull : U32_MAX;

	x86_put_gpr(vcpu, gpr, x86_get_cr(vcpu, cr) & mask);
	return x86_skip(vcpu);
}

/* LMSW can set PE but not clear it. */
static int vmx_lmsw(struct kvm_vcpu *vcpu, u16 msw)
{
	const u64 can = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;
	u64 cr0 = x86_cr0(vcpu);

	return x86_complete(vcpu, x86_set_cr0(vcpu, (cr0 & ~can) | (msw & (can | X86_CR0_PE))));
}

static int vmx_cr_access(struct kvm_vcpu *vcpu)
{
	u64 q = vmx_qualification(to_vmx(vcpu));
	int cr = q & 15, gpr = (q >> 8) & 15;

	switch ((enum vmx_cr_access)((q >> 4) & 3)) {
	case VMX_CR_WRITE:
		return vmx_mov_to_cr(vcpu, cr, gpr);
	case VMX_CR_READ:
		return vmx_mov_from_cr(vcpu, cr, gpr);
	case VMX_CR_CLTS:
		return x86_complete(vcpu, x86_set_cr0(vcpu, x86_cr0(vcpu) & ~(u64)X86_CR0_TS));
	case VMX_CR_LMSW:
		break;
	}
	return vmx_lmsw(vcpu, q >> 16);
}

/* ---- debug registers and exceptions --------------------------------------------------------- */

/* The first access hands the debug registers to the guest until the next exit. */
static int vmx_dr_access(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return x86_emulate_insn(vcpu);
	x86_need(vcpu, X86_DR);
	vcpu->arch.dr_loaded = true;
	vmx_update_intercepts(vcpu);
	return KVM_EXIT_RESUME;
}

/* What DR6 would report; bits that are 0 when they report something come inverted. */
#define VMX_DB_REASONS	(DR_TRAP_BITS | DR_STEP | BIT(13) | DR_BUS_LOCK | BIT(16))

/* INT1 raises it as a trap: its exit comes before RIP has moved. */
static void vmx_move_over_int1(struct kvm_vcpu *vcpu)
{
	u32 type = vmx_intr_info(to_vmx(vcpu)) & INTR_INFO_INTR_TYPE_MASK;

	if (type == INTR_TYPE_PRIV_SW_EXCEPTION)
		x86_put_rip(vcpu, x86_rip(vcpu) + vmx_read32(VM_EXIT_INSTRUCTION_LEN));
}

static int vmx_db(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 reasons = vmx_qualification(vmx) & VMX_DB_REASONS;

	vmx_move_over_int1(vcpu);
	vmx_set_int_shadow(vcpu, 0);	/* the trap is behind it; TF in a shadow fails an entry */
	if (vcpu->arch.dbg.control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return x86_debug_exit(vcpu, 1, reasons);
	x86_queue_exception_p(vcpu, 1, reasons);
	return KVM_EXIT_RESUME;
}

static int vmx_bp(struct kvm_vcpu *vcpu)
{
	return x86_debug_exit(vcpu, 3, 0);
}

static int vmx_pf(struct kvm_vcpu *vcpu)
{
	return mmu_shadow_fault(vcpu, vmx_qualification(to_vmx(vcpu)),
				vmx_read32(VM_EXIT_INTR_ERROR_CODE));
}

static bool vmx_guest_checks_alignment(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs.cpl == 3 && (x86_cr0(vcpu) & X86_CR0_AM) &&
	       (x86_rflags(vcpu) & X86_EFLAGS_AC);
}

/*
 * The guest's own, or of the host's split lock detection: that one warns and lets the
 * instruction run, or has sent the VMM a signal.
 */
static int vmx_ac(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (vmx_guest_checks_alignment(vcpu) || !boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT)) {
		x86_queue_exception_e(vcpu, 17, 0);
		return KVM_EXIT_RESUME;
	}
	if (handle_guest_split_lock(x86_rip(vcpu)))
		return KVM_EXIT_RESUME;
	run->exit_reason = KVM_EXIT_EXCEPTION;
	run->ex.exception = 17;
	run->ex.error_code = 0;
	return KVM_EXIT_TO_USER;
}

static int vmx_unexpected(struct kvm_vcpu *vcpu)
{
	u64 data[] = { to_vmx(vcpu)->exit.reason, vcpu->cpu };

	vmx_dump_state(vcpu);
	return x86_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
				  ARRAY_SIZE(data), data);
}

static int vmx_exception(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vmx_intr_info(vmx);

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return KVM_EXIT_RESUME;		/* run() has handed it to the host */
	if (unlikely(info & INTR_INFO_UNBLOCK_NMI) && (info & INTR_INFO_VECTOR_MASK) != 8)
		vmx_block_nmi_again(vmx);
	switch (info & INTR_INFO_VECTOR_MASK) {
	case 1:
		return vmx_db(vcpu);
	case 3:
		return vmx_bp(vcpu);
	case 6:
		return x86_handle_ud(vcpu);
	case 14:
		return vmx_pf(vcpu);
	case 17:
		return vmx_ac(vcpu);
	case 18:
		return KVM_EXIT_RESUME;		/* exit_irqoff() has seen it */
	default:
		return vmx_unexpected(vcpu);
	}
}

/* ---- task switch -------------------------------------------------------------------------------- */

#define VMX_TASK_SOURCE	30

static bool vmx_is_soft(u32 type)
{
	return type == INTR_TYPE_SOFT_INTR || type == INTR_TYPE_SOFT_EXCEPTION ||
	       type == INTR_TYPE_PRIV_SW_EXCEPTION;
}

static int vmx_task_switch(struct kvm_vcpu *vcpu)
{
	static const enum x86_task_reason reasons[] = {
		X86_TASK_CALL, X86_TASK_IRET, X86_TASK_JMP, X86_TASK_GATE,
	};
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 q = vmx_qualification(vmx);
	struct x86_task_switch ts = {
		.sel = q, .reason = reasons[(q >> VMX_TASK_SOURCE) & 3], .skip_insn = true,
	};
	u32 info = vmx->exit.vectoring;

	if (ts.reason == X86_TASK_GATE) {
		if ((info & (VECTORING_INFO_VALID_MASK | VECTORING_INFO_TYPE_MASK)) ==
		    (VECTORING_INFO_VALID_MASK | INTR_TYPE_NMI_INTR))
			vmx_set_nmi_mask(vcpu, true);
		ts.skip_insn = (info & VECTORING_INFO_VALID_MASK) &&
			       vmx_is_soft(info & VECTORING_INFO_TYPE_MASK);
		ts.has_error = info & VECTORING_INFO_DELIVER_CODE_MASK;
		if (ts.has_error)
			ts.error = vmx_read32(IDT_VECTORING_ERROR_CODE);
	}
	return x86_task_switch(vcpu, &ts);
}

/* ---- what can't be handled -------------------------------------------------------------------------- */

/* The hardware did not accept the VMCS: what userspace put into it makes no sense together. */
static int vmx_entry_failed(struct kvm_vcpu *vcpu, u64 reason)
{
	struct kvm_run *run = vcpu->run;

	vmx_dump_state(vcpu);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = reason;
	run->fail_entry.cpu = vcpu->cpu;
	return KVM_EXIT_TO_USER;
}

/* ---- the table --------------------------------------------------------------------------------------- */

typedef int (*vmx_exit_fn)(struct kvm_vcpu *vcpu);

/* CPUs with TDX end in these, whatever the controls say. */
#define VMX_EXIT_SEAMCALL	76
#define VMX_EXIT_TDCALL		77

static const vmx_exit_fn vmx_exits[] = {
	[EXIT_REASON_EXCEPTION_NMI]		= vmx_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT]	= vmx_intr,
	[EXIT_REASON_TRIPLE_FAULT]		= vmx_triple_fault,
	[EXIT_REASON_INIT_SIGNAL]		= vmx_resume,
	[EXIT_REASON_INTERRUPT_WINDOW]		= vmx_intr_window,
	[EXIT_REASON_NMI_WINDOW]		= vmx_nmi_window,
	[EXIT_REASON_TASK_SWITCH]		= vmx_task_switch,
	[EXIT_REASON_CPUID]			= x86_handle_cpuid,
	[EXIT_REASON_HLT]			= x86_handle_hlt,
	/* INVD would throw the host's data away, WBINVD has nothing to do: memory is coherent. */
	[EXIT_REASON_INVD]			= x86_skip,
	[EXIT_REASON_INVLPG]			= vmx_invlpg,
	[EXIT_REASON_RDPMC]			= vmx_rdpmc,
	[EXIT_REASON_VMCALL]			= x86_handle_hypercall,
	[EXIT_REASON_VMCLEAR]			= x86_handle_no_insn,
	[EXIT_REASON_VMLAUNCH]			= x86_handle_no_insn,
	[EXIT_REASON_VMPTRLD]			= x86_handle_no_insn,
	[EXIT_REASON_VMPTRST]			= x86_handle_no_insn,
	[EXIT_REASON_VMREAD]			= x86_handle_no_insn,
	[EXIT_REASON_VMRESUME]			= x86_handle_no_insn,
	[EXIT_REASON_VMWRITE]			= x86_handle_no_insn,
	[EXIT_REASON_VMOFF]			= x86_handle_no_insn,
	[EXIT_REASON_VMON]			= x86_handle_no_insn,
	[EXIT_REASON_CR_ACCESS]			= vmx_cr_access,
	[EXIT_REASON_DR_ACCESS]			= vmx_dr_access,
	[EXIT_REASON_IO_INSTRUCTION]		= vmx_ioio,
	[EXIT_REASON_MSR_READ]			= x86_handle_rdmsr,
	[EXIT_REASON_MSR_WRITE]			= x86_handle_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION]		= x86_handle_mwait,
	[EXIT_REASON_MONITOR_INSTRUCTION]	= x86_handle_mwait,
	[EXIT_REASON_PAUSE_INSTRUCTION]		= x86_handle_pause,
	[EXIT_REASON_MCE_DURING_VMENTRY]	= vmx_resume,	/* exit_irqoff() has seen it */
	[EXIT_REASON_TPR_BELOW_THRESHOLD]	= vmx_tpr_below_threshold,
	[EXIT_REASON_APIC_ACCESS]		= vmx_apic_access,
	[EXIT_REASON_EOI_INDUCED]		= vmx_eoi,
	[EXIT_REASON_EPT_VIOLATION]		= vmx_ept_violation,
	[EXIT_REASON_INVEPT]			= x86_handle_no_insn,
	[EXIT_REASON_RDTSCP]			= x86_handle_no_insn,
	[EXIT_REASON_PREEMPTION_TIMER]		= vmx_deadline,
	[EXIT_REASON_INVVPID]			= x86_handle_no_insn,
	[EXIT_REASON_WBINVD]			= x86_skip,
	[EXIT_REASON_XSETBV]			= x86_handle_xsetbv,
	[EXIT_REASON_APIC_WRITE]		= vmx_apic_write,
	[EXIT_REASON_INVPCID]			= x86_handle_no_insn,
	[EXIT_REASON_VMFUNC]			= x86_handle_no_insn,
	[EXIT_REASON_ENCLS]			= x86_handle_no_insn,
	[EXIT_REASON_PML_FULL]			= vmx_pml_full,
	[VMX_EXIT_SEAMCALL]			= x86_handle_no_insn,
	[VMX_EXIT_TDCALL]			= x86_handle_no_insn,
};

/* The frequent ones without an indirect branch. */
int vmx_handle_exit(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 reason = vmx->exit.reason;
	vmx_exit_fn fn;

	if (unlikely(vmx_logs_writes(vmx)))
		vmx_take_written(vcpu);
	if (unlikely(vmx->entry.failed)) {
		vmx->entry.failed = 0;
		return vmx_entry_failed(vcpu, vmx_read32(VM_INSTRUCTION_ERROR));
	}
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return vmx_entry_failed(vcpu, reason);
	reason = (u16)reason;
	if (reason == EXIT_REASON_EPT_VIOLATION)
		return vmx_ept_violation(vcpu);
	if (reason == EXIT_REASON_MSR_WRITE)
		return x86_handle_wrmsr(vcpu);
	if (reason == EXIT_REASON_IO_INSTRUCTION)
		return vmx_ioio(vcpu);
	if (reason == EXIT_REASON_EXTERNAL_INTERRUPT)
		return vmx_intr(vcpu);
	if (reason >= ARRAY_SIZE(vmx_exits))
		return vmx_unexpected(vcpu);
	fn = vmx_exits[array_index_nospec(reason, ARRAY_SIZE(vmx_exits))];
	return fn ? fn(vcpu) : vmx_unexpected(vcpu);
}
