// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's FPU and extended state.
 *
 * The kernel keeps a container for guest state and swaps it with the task's
 * own (asm/fpu/api.h): from the beginning of KVM_RUN to its end the guest's
 * registers are the task's registers, so that preemption and kernel FPU use in
 * between need nothing from us. What the kernel does not switch is done tightly
 * round the entry, interrupts off: XCR0, IA32_XSS and PKRU.
 *
 * The ioctls work on the container, which is up to date because no KVM_RUN is
 * under way (vcpu->mutex). The old KVM_GET_FPU and KVM_SET_FPU go through the
 * same standard-format image as KVM_GET_XSAVE, of which they are a part.
 *
 * Offered state components: those the host uses itself and whose switching
 * needs nothing but the above. Not MPX and AMX; no supervisor states.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/special_insns.h>
#include "compat_virt.h"
#include "trace.h"
#include "x86.h"

#define XSTATE_OFFERED \
	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

#define XSAVE_SIZE	sizeof(struct kvm_xsave)	/* 4096 */
#define XSAVE_HDR	512				/* offset of XSTATE_BV */

static u64 host_xcr0(void)
{
	return boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : 0;
}

u64 x86_supported_xcr0(void)
{
	return host_xcr0() & XSTATE_OFFERED;
}

u64 x86_supported_xss(void)
{
	return 0;
}

int x86_xsave_size(struct kvm *kvm)
{
	return max_t(u32, x86_xstate_size(x86_supported_xcr0(), false), XSAVE_SIZE);
}

/* ---- life ------------------------------------------------------------------- */

int x86_fpu_create(struct kvm_vcpu *vcpu)
{
	if (!fpu_alloc_guest_fpstate(&vcpu->arch.guest_fpu))
		return -ENOMEM;
	vcpu->arch.host_xcr0 = host_xcr0();
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		vcpu->arch.host_xss = compat_rdmsr(MSR_IA32_XSS);
	vcpu->arch.xcr0 = XFEATURE_MASK_FP;
	vcpu->arch.cpuid.xcr0_supported = XFEATURE_MASK_FP;	/* before SET_CPUID2 */
	return 0;
}

void x86_fpu_free(struct kvm_vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->arch.guest_fpu);
}

/* INIT leaves all of it alone; after power-on the container is as it was allocated. */
void x86_fpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	if (init)
		return;
	vcpu->arch.xcr0 = XFEATURE_MASK_FP;
	vcpu->arch.xss = 0;
	vcpu->arch.pkru = 0;
}

/* ---- switching ---------------------------------------------------------------- */

void x86_fpu_load_guest(struct kvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->arch.guest_fpu, true);
	trace_kvm_fpu(true);
}

void x86_fpu_put_guest(struct kvm_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->arch.guest_fpu, false);
	vcpu->stat.fpu_reload++;
	trace_kvm_fpu(false);
}

/* Guests can reach XCR0 and the state behind it only with CR4.OSXSAVE. */
static __always_inline bool guest_xcr0_differs(struct kvm_vcpu *vcpu)
{
	return (x86_cr4_kept(vcpu) & X86_CR4_OSXSAVE) && vcpu->arch.xcr0 != vcpu->arch.host_xcr0;
}

/*
 * Does the guest see PKRU? With CR4.PKE by RDPKRU and by every access, with
 * the component in XCR0 by XSAVE.
 */
static __always_inline bool guest_uses_pkru(struct kvm_vcpu *vcpu)
{
	return cpu_feature_enabled(X86_FEATURE_OSPKE) &&
	       ((x86_cr4_kept(vcpu) & X86_CR4_PKE) ||
		((x86_cr4_kept(vcpu) & X86_CR4_OSXSAVE) && (vcpu->arch.xcr0 & XFEATURE_MASK_PKRU)));
}

static __always_inline bool guest_uses_xss(struct kvm_vcpu *vcpu)
{
	return cpu_feature_enabled(X86_FEATURE_XSAVES) &&
	       x86_guest_has(vcpu, X86_FEATURE_XSAVES);
}

/*
 * The registers must be the guest's now. A softirq or another task may have
 * used them since KVM_RUN began; then the kernel only notes that they are to be
 * loaded before the return to user mode, which is not where we are going.
 */
static void ensure_registers_loaded(void)
{
	fpregs_assert_state_consistent();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

void x86_xcr_load_guest(struct kvm_vcpu *vcpu)
{
	ensure_registers_loaded();
	if (guest_xcr0_differs(vcpu))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->arch.xcr0);
	if (guest_uses_xss(vcpu) && vcpu->arch.xss != vcpu->arch.host_xss)
		compat_wrmsr(MSR_IA32_XSS, vcpu->arch.xss);
	if (guest_uses_pkru(vcpu)) {
		vcpu->arch.host_pkru = rdpkru();
		if (vcpu->arch.pkru != vcpu->arch.host_pkru)
			wrpkru(vcpu->arch.pkru);
	}
}

/*
 * Emulated hosts may run XSETBV without the exit that was asked for (QEMU's TCG
 * does). Then the register tells what the guest wrote; the next entry would
 * take it away again.
 */
static void notice_untold_xsetbv(struct kvm_vcpu *vcpu)
{
	u64 xcr0;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR) || !(x86_cr4_kept(vcpu) & X86_CR4_OSXSAVE))
		return;
	xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (likely(xcr0 == vcpu->arch.xcr0))
		return;
	vcpu->arch.xcr0 = xcr0;
	x86_cpuid_update_runtime(vcpu);
}

/*
 * The guest can change its CR4 and XCR0 only by exits, and none was handled
 * since the entry: the same questions have the same answers.
 */
void x86_xcr_load_host(struct kvm_vcpu *vcpu)
{
	notice_untold_xsetbv(vcpu);
	if (guest_uses_pkru(vcpu)) {
		vcpu->arch.pkru = rdpkru();
		if (vcpu->arch.pkru != vcpu->arch.host_pkru)
			wrpkru(vcpu->arch.host_pkru);
	}
	if (guest_xcr0_differs(vcpu))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->arch.host_xcr0);
	if (guest_uses_xss(vcpu) && vcpu->arch.xss != vcpu->arch.host_xss)
		compat_wrmsr(MSR_IA32_XSS, vcpu->arch.host_xss);
}

/* ---- KVM_GET_XSAVE, KVM_SET_XSAVE, and their larger twin ------------------------- */

/* Components that userspace may see: the guest's, or all offered before SET_CPUID. */
static u64 uabi_components(struct kvm_vcpu *vcpu)
{
	return XFEATURE_MASK_FPSSE | x86_supported_xcr0();
}

/* A buffer large enough for the kernel's image and for the ioctl's. */
static size_t image_size(struct kvm_vcpu *vcpu)
{
	return max_t(size_t, vcpu->arch.guest_fpu.uabi_size, x86_xsave_size(vcpu->kvm));
}

static void *image_get(struct kvm_vcpu *vcpu)
{
	size_t size = image_size(vcpu);
	void *buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);

	if (buf)
		fpu_copy_guest_fpstate_to_uabi(&vcpu->arch.guest_fpu, buf, size,
					       uabi_components(vcpu), vcpu->arch.pkru);
	return buf;
}

/* 0, or -EINVAL for what hardware would refuse to load. */
static int image_put(struct kvm_vcpu *vcpu, const void *buf)
{
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->arch.guest_fpu, buf, uabi_components(vcpu),
					      &vcpu->arch.pkru);
}

static long get_image(struct kvm_vcpu *vcpu, void *arg, size_t size)
{
	void *buf = image_get(vcpu);
	long r;

	if (!buf)
		return -ENOMEM;
	r = copy_to_user((void __user *)arg, buf, size) ? -EFAULT : 0;
	kvfree(buf);
	return r;
}

long x86_get_xsave(struct kvm_vcpu *vcpu, void *arg)
{
	/* larger state does not fit this struct: userspace must use the other */
	if (x86_xsave_size(vcpu->kvm) > XSAVE_SIZE)
		return -EINVAL;
	return get_image(vcpu, arg, XSAVE_SIZE);
}

long x86_get_xsave2(struct kvm_vcpu *vcpu, void *arg)
{
	return get_image(vcpu, arg, x86_xsave_size(vcpu->kvm));
}

long x86_set_xsave(struct kvm_vcpu *vcpu, void *arg)
{
	void *buf = kvzalloc(image_size(vcpu), GFP_KERNEL_ACCOUNT);
	long r = -EFAULT;

	if (!buf)
		return -ENOMEM;
	if (!copy_from_user(buf, (void __user *)arg, x86_xsave_size(vcpu->kvm)))
		r = image_put(vcpu, buf);
	kvfree(buf);
	return r;
}

/* ---- KVM_GET_FPU, KVM_SET_FPU ------------------------------------------------------ */

long x86_get_fpu(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_fpu *fpu = arg;
	const struct fxregs_state *fx = image_get(vcpu);

	if (!fx)
		return -ENOMEM;
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	fpu->mxcsr = fx->mxcsr;
	kvfree(fx);
	return 0;
}

long x86_set_fpu(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_fpu *fpu = arg;
	struct fxregs_state *fx = image_get(vcpu);
	u64 *xstate_bv;
	long r;

	if (!fx)
		return -ENOMEM;
	memcpy(fx->st_space, fpu->fpr, sizeof(fpu->fpr));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	fx->mxcsr = fpu->mxcsr;
	xstate_bv = (void *)fx + XSAVE_HDR;
	*xstate_bv |= XFEATURE_MASK_FPSSE;
	r = image_put(vcpu, fx);
	kvfree(fx);
	return r;
}

/* ---- XCR0 ----------------------------------------------------------------------------- */

long x86_get_xcrs(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_xcrs *x = arg;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	x->nr_xcrs = 1;
	x->flags = 0;
	x->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	x->xcrs[0].value = vcpu->arch.xcr0;
	return 0;
}

long x86_set_xcrs(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_xcrs *x = arg;
	u32 i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	if (x->nr_xcrs > KVM_MAX_XCRS || x->flags)
		return -EINVAL;
	/* only XCR0 exists; whatever else is in the list is not ours to judge */
	for (i = 0; i < x->nr_xcrs; i++)
		if (x->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return x86_set_xcr(vcpu, XCR_XFEATURE_ENABLED_MASK, x->xcrs[i].value);
	return 0;
}
