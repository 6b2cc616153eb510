// SPDX-License-Identifier: GPL-2.0
/*
 * Why the guest stopped: one handler for each exit code.
 *
 * Handlers run with interrupts and preemption on and answer enum
 * kvm_exit_result or -errno. Whoever finished an instruction ends in x86_skip();
 * whoever wants the instruction executed anew just resumes.
 *
 * Many AMD processors, and the emulators this is tested on, have no decode
 * assists: of a MOV to CR4 the exit says no more than "CR4 is being written". Then
 * the emulator executes the instruction at RIP; so it does for whatever has an
 * operand that the hardware does not hand over.
 */
#include <linux/nospec.h>
#include "mmu.h"
#include "event.h"
#include "svm.h"

/* ---- instruction length and bytes ------------------------------------------------ */

/* RIP after the exiting instruction, as far as the hardware says. 0 unknown. */
static u64 svm_next_rip(const struct svm_control *ctl)
{
	if (ctl->exit_code == SVM_EXIT_OF(SVM_I_IOIO))
		return ctl->exit_info2;
	return hw_caps.nrips ? ctl->next_rip : 0;
}

int svm_insn_len(struct kvm_vcpu *vcpu)
{
	const struct vcpu_svm *svm = to_svm(vcpu);
	u64 next, len;

	if (svm->insn_len)
		return svm->insn_len;
	next = svm_next_rip(&svm->vmcb->ctl);
	len = next - x86_rip(vcpu);
	return next && len <= 15 ? len : 0;
}

int svm_insn_bytes(struct kvm_vcpu *vcpu, u8 *buf)
{
	const struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;
	int n;

	if (!hw_caps.decode_assists)
		return 0;
	n = min_t(int, ctl->fetched, sizeof(ctl->insn));
	memcpy(buf, ctl->insn, n);
	return n;
}

void svm_exit_info(struct kvm_vcpu *vcpu, struct x86_exit_info *info)
{
	const struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;

	*info = (struct x86_exit_info) {
		.reason = ctl->exit_code,
		.info1 = ctl->exit_info1,
		.info2 = ctl->exit_info2,
		.intr_info = ctl->exit_int_info,
		.error_code = ctl->exit_int_error,
	};
}

/* ---- simple ones ------------------------------------------------------------------- */

static int svm_emulate(struct kvm_vcpu *vcpu)
{
	return x86_emulate_insn(vcpu);
}

/* Done already: by run(), by STGI, or by the host taking its interrupt. */
static int svm_resume(struct kvm_vcpu *vcpu)
{
	return KVM_EXIT_RESUME;
}

static int svm_intr(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_exits++;
	return KVM_EXIT_RESUME;
}

static int svm_vintr(struct kvm_vcpu *vcpu)
{
	vcpu->stat.irq_window_exits++;
	svm_close_intr_window(vcpu);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return KVM_EXIT_RESUME;
}

static int svm_iret(struct kvm_vcpu *vcpu)
{
	vcpu->stat.nmi_window_exits++;
	svm_iret_exit(vcpu);
	return KVM_EXIT_RESUME;
}

/* The emulator does the same. */
static int svm_rdpmc(struct kvm_vcpu *vcpu)
{
	u32 counter = x86_gpr(vcpu, X86_RCX);

	if ((x86_cpl(vcpu) && !(x86_cr4(vcpu) & X86_CR4_PCE) && x86_protmode(vcpu)) ||
	    counter >= hw_caps.nr_counters) {
		x86_inject_gp(vcpu, 0);
		return KVM_EXIT_RESUME;
	}
	x86_put_gpr(vcpu, X86_RAX, 0);
	x86_put_gpr(vcpu, X86_RDX, 0);
	return x86_skip(vcpu);
}

/* A triple fault. The VMCB's state is undefined now: back to that of INIT. */
static int svm_shutdown(struct kvm_vcpu *vcpu)
{
	x86_vcpu_reset(vcpu, true);
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return KVM_EXIT_TO_USER;
}

static int svm_msr(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->ctl.exit_info1 ? x86_handle_wrmsr(vcpu) :
						    x86_handle_rdmsr(vcpu);
}

static int svm_ioio(struct kvm_vcpu *vcpu)
{
	u64 info = to_svm(vcpu)->vmcb->ctl.exit_info1;

	vcpu->stat.io_exits++;
	if (info & SVM_IOIO_STRING)
		return svm_emulate(vcpu);
	return x86_fast_pio(vcpu, (info >> SVM_IOIO_SIZE_SHIFT) & 7,
			    (info >> SVM_IOIO_PORT_SHIFT) & 0xffff, info & SVM_IOIO_IN);
}

static int svm_npf(struct kvm_vcpu *vcpu)
{
	const struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;

	return mmu_nested_fault(vcpu, ctl->exit_info2, ctl->exit_info1);
}

/* A page fault of the guest without nested paging. */
static int svm_pf(struct kvm_vcpu *vcpu)
{
	const struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;

	return mmu_shadow_fault(vcpu, ctl->exit_info2, ctl->exit_info1);
}

static int svm_invlpg(struct kvm_vcpu *vcpu)
{
	if (!hw_caps.decode_assists)
		return svm_emulate(vcpu);
	mmu_invlpg(vcpu, to_svm(vcpu)->vmcb->ctl.exit_info1);
	return x86_skip(vcpu);
}

/* ---- control registers ------------------------------------------------------------------ */

/*
 * The general register of the MOV to or from CR@cr that exited, or -1 if it is
 * none, or not plainly one: CLTS, LMSW, SMSW, prefixes. Hardware with decode
 * assists says so; else look for [REX] 0F 20 /r or 0F 22 /r.
 */
static int svm_mov_cr_gpr(struct kvm_vcpu *vcpu, int cr, bool write)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 info = svm->vmcb->ctl.exit_info1;
	u8 code[4], rex = 0, *insn = code;

	if (hw_caps.decode_assists)
		return info & SVM_CR_IS_MOV ? (int)(info & SVM_CR_GPR) : -1;
	if (!x86_fetch_code(vcpu, code, sizeof(code)))
		return -1;
	if ((code[0] & 0xf0) == 0x40 && x86_64bit_code(vcpu))
		rex = *insn++;
	if (insn[0] != 0x0f || insn[1] != (write ? 0x22 : 0x20) ||
	    ((insn[2] >> 3 & 7) | (rex & 4) << 1) != cr)
		return -1;
	svm->insn_len = insn + 3 - code;
	return (insn[2] & 7) | (rex & 1) << 3;
}

static int svm_mov_cr(struct kvm_vcpu *vcpu, int cr, bool write, int gpr)
{
	u64 mask = x86_64bit_code(vcpu) ? ~0ull : U32_MAX;

	if (write)
		return x86_complete(vcpu, x86_set_cr(vcpu, cr, x86_gpr(vcpu, gpr) & mask));
	x86_put_gpr(vcpu, gpr, x86_get_cr(vcpu, cr) & mask);
	return x86_skip(vcpu);
}

static int svm_cr_exit(struct kvm_vcpu *vcpu, int cr, bool write)
{
	int gpr = svm_mov_cr_gpr(vcpu, cr, write);

	return gpr < 0 ? svm_emulate(vcpu) : svm_mov_cr(vcpu, cr, write, gpr);
}

static int svm_cr0_read(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 0, false);
}

static int svm_cr3_read(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 3, false);
}

static int svm_cr4_read(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 4, false);
}

static int svm_cr0_write(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 0, true);
}

static int svm_cr3_write(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 3, true);
}

static int svm_cr4_write(struct kvm_vcpu *vcpu)
{
	return svm_cr_exit(vcpu, 4, true);
}

static int svm_cr8_write(struct kvm_vcpu *vcpu)
{
	u64 before = x86_get_cr8(vcpu);

	return x86_cr8_written(vcpu, before, svm_cr_exit(vcpu, 8, true));
}

/* ---- debug registers and exceptions --------------------------------------------------------- */

/* The first access hands the debug registers to the guest until the next exit. */
static int svm_dr_access(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return svm_emulate(vcpu);
	x86_need(vcpu, X86_DR);
	vcpu->arch.dr_loaded = true;
	svm_update_intercepts(vcpu);
	return KVM_EXIT_RESUME;
}

static int svm_exit_debug(struct kvm_vcpu *vcpu, u8 vector)
{
	const struct svm_save *save = &to_svm(vcpu)->vmcb->save;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pc = save->cs.base + save->rip;
	run->debug.arch.dr6 = save->dr6;
	run->debug.arch.dr7 = save->dr7;
	/*
	 * What DR6 reports is the debugger's. The cache has the guest's: DR6
	 * changes by exits only, or in x86_save_debug_regs()' hands.
	 */
	x86_touch(vcpu, X86_DR);
	return KVM_EXIT_TO_USER;
}

static int svm_db(struct kvm_vcpu *vcpu)
{
	u64 dr6 = to_svm(vcpu)->vmcb->save.dr6;

	if (svm_step_done(vcpu))
		return KVM_EXIT_RESUME;
	if (vcpu->arch.dbg.control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return svm_exit_debug(vcpu, 1);
	x86_queue_exception_p(vcpu, 1, dr6_payload(dr6));
	return KVM_EXIT_RESUME;
}

static int svm_bp(struct kvm_vcpu *vcpu)
{
	return svm_exit_debug(vcpu, 3);
}

static int svm_ud(struct kvm_vcpu *vcpu)
{
	return x86_handle_ud(vcpu);
}

static int svm_ac(struct kvm_vcpu *vcpu)
{
	x86_queue_exception_e(vcpu, 17, 0);
	return KVM_EXIT_RESUME;
}

/* ---- task switch -------------------------------------------------------------------------------- */

static int svm_task_switch(struct kvm_vcpu *vcpu)
{
	const struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;
	struct x86_task_switch ts = svm_decode_task_switch(ctl->exit_info1, ctl->exit_info2,
							   ctl->exit_int_info);

	return x86_task_switch(vcpu, &ts);
}

/* ---- what can't be handled -------------------------------------------------------------------------- */

static int svm_unexpected(struct kvm_vcpu *vcpu)
{
	u64 data[] = { to_svm(vcpu)->vmcb->ctl.exit_code, vcpu->cpu };

	svm_dump_state(vcpu);
	return x86_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
				  ARRAY_SIZE(data), data);
}

/* VMRUN did not accept the VMCB: what userspace put into it makes no sense together. */
static int svm_entry_failed(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	svm_dump_state(vcpu);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = to_svm(vcpu)->vmcb->ctl.exit_code;
	run->fail_entry.cpu = vcpu->cpu;
	return KVM_EXIT_TO_USER;
}

/* ---- the table --------------------------------------------------------------------------------------- */

typedef int (*svm_exit_fn)(struct kvm_vcpu *vcpu);

static const svm_exit_fn svm_exits[] = {
	[SVM_EXIT_CR_READ(0)]			= svm_cr0_read,
	[SVM_EXIT_CR_READ(3)]			= svm_cr3_read,
	[SVM_EXIT_CR_READ(4)]			= svm_cr4_read,
	[SVM_EXIT_CR_WRITE(0)]			= svm_cr0_write,
	[SVM_EXIT_CR_WRITE(3)]			= svm_cr3_write,
	[SVM_EXIT_CR_WRITE(4)]			= svm_cr4_write,
	[SVM_EXIT_CR_WRITE(8)]			= svm_cr8_write,
	[SVM_EXIT_DR_READ(0) ... SVM_EXIT_DR_READ(7)]	= svm_dr_access,
	[SVM_EXIT_DR_WRITE(0) ... SVM_EXIT_DR_WRITE(7)]	= svm_dr_access,
	[SVM_EXIT_EXC(1)]			= svm_db,
	[SVM_EXIT_EXC(3)]			= svm_bp,
	[SVM_EXIT_EXC(6)]			= svm_ud,
	[SVM_EXIT_EXC(14)]			= svm_pf,
	[SVM_EXIT_EXC(17)]			= svm_ac,
	[SVM_EXIT_EXC(18)]			= svm_resume,	/* exit_irqoff() has seen it */
	[SVM_EXIT_OF(SVM_I_INTR)]		= svm_intr,
	[SVM_EXIT_OF(SVM_I_NMI)]		= svm_resume,
	[SVM_EXIT_OF(SVM_I_SMI)]		= svm_resume,
	[SVM_EXIT_OF(SVM_I_INIT)]		= svm_resume,
	[SVM_EXIT_OF(SVM_I_VINTR)]		= svm_vintr,
	[SVM_EXIT_OF(SVM_I_CR0_SEL_WRITE)]	= svm_cr0_write,
	[SVM_EXIT_OF(SVM_I_RDPMC)]		= svm_rdpmc,
	[SVM_EXIT_OF(SVM_I_CPUID)]		= x86_handle_cpuid,
	[SVM_EXIT_OF(SVM_I_RSM)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_IRET)]		= svm_iret,
	/* INVD would throw the host's data away, WBINVD has nothing to do: memory is coherent. */
	[SVM_EXIT_OF(SVM_I_INVD)]		= x86_skip,
	[SVM_EXIT_OF(SVM_I_PAUSE)]		= x86_handle_pause,
	[SVM_EXIT_OF(SVM_I_HLT)]		= x86_handle_hlt,
	[SVM_EXIT_OF(SVM_I_INVLPG)]		= svm_invlpg,
	[SVM_EXIT_OF(SVM_I_INVLPGA)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_IOIO)]		= svm_ioio,
	[SVM_EXIT_OF(SVM_I_MSR)]		= svm_msr,
	[SVM_EXIT_OF(SVM_I_TASK_SWITCH)]	= svm_task_switch,
	[SVM_EXIT_OF(SVM_I_SHUTDOWN)]		= svm_shutdown,
	[SVM_EXIT_OF(SVM_I_VMRUN)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_VMMCALL)]		= x86_handle_hypercall,
	[SVM_EXIT_OF(SVM_I_VMLOAD)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_VMSAVE)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_STGI)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_CLGI)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_SKINIT)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_RDTSCP)]		= x86_handle_no_insn,
	[SVM_EXIT_OF(SVM_I_WBINVD)]		= x86_skip,
	[SVM_EXIT_OF(SVM_I_MONITOR)]		= x86_handle_mwait,
	[SVM_EXIT_OF(SVM_I_MWAIT)]		= x86_handle_mwait,
	[SVM_EXIT_OF(SVM_I_XSETBV)]		= x86_handle_xsetbv,
	[SVM_EXIT_OF(SVM_I_RDPRU)]		= x86_handle_no_insn,
	[SVM_EXIT_OF5(SVM_I_INVPCID)]		= x86_handle_no_insn,
};

/* The frequent ones without an indirect branch. */
int svm_handle_exit(struct kvm_vcpu *vcpu)
{
	u64 code = to_svm(vcpu)->vmcb->ctl.exit_code;
	svm_exit_fn fn;

	if (code == SVM_EXITCODE_NPF)
		return svm_npf(vcpu);
	if (code == SVM_EXIT_OF(SVM_I_MSR))
		return svm_msr(vcpu);
	if (code == SVM_EXIT_OF(SVM_I_IOIO))
		return svm_ioio(vcpu);
	if (code == SVM_EXIT_OF(SVM_I_INTR))
		return svm_intr(vcpu);
	if (unlikely((u32)code == (u32)SVM_EXITCODE_INVALID))
		return svm_entry_failed(vcpu);
	if (code >= ARRAY_SIZE(svm_exits))
		return svm_unexpected(vcpu);
	fn = svm_exits[array_index_nospec(code, ARRAY_SIZE(svm_exits))];
	return fn ? fn(vcpu) : svm_unexpected(vcpu);
}
