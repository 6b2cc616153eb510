// SPDX-License-Identifier: GPL-2.0
/*
 * The host's state across a stay in the guest.
 *
 * A VM exit loads most of it from the VMCS. Those fields fall into classes:
 *
 *	constant	selectors, RIP, CR0, EFER, PAT: written once
 *	of the CPU	TR and GDT base, SYSENTER's stack: when the VMCS changes CPU
 *	of the task	FS and GS base: once after each vcpu_load
 *	of the moment	CR3 and CR4, and DEBUGCTL, which is no field: looked at before
 *			each entry, because a TLB flush or a perf user changes them
 *			behind our back; and perf's counters, by the lists of MSRs that
 *			an entry and an exit load (perf says which differ)
 *
 * What an exit does not bring back, or only halfway, is put right when the vCPU
 * is put, since the kernel itself does not depend on it:
 *
 *	DS, ES, FS, GS selectors	an exit can load none with RPL 3: it loads
 *			null ones, the user's come back at put
 *	LDTR		comes out null; the user's is loaded at put. Whether there is
 *			one is asked before each entry, as another thread may have made it
 *	GDTR, IDTR limits	come out as ffffh
 *	TR limit	comes out as 67h, without the I/O bitmap
 *	KERNEL_GS_BASE	is not switched at all: the user's GS base while in the
 *			kernel, the guest's own while a guest has it
 *	DEBUGCTL	comes out as 0: back at once, if it was not
 */
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>
#include "compat_virt.h"
#include "insn.h"
#include "vmx.h"

void vmx_host_constant(struct vcpu_vmx *vmx)
{
	vmx_write(HOST_CR0, read_cr0());
	vmx_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmx_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmx_write(HOST_DS_SELECTOR, 0);
	vmx_write(HOST_ES_SELECTOR, 0);
	vmx_write(HOST_FS_SELECTOR, 0);
	vmx_write(HOST_GS_SELECTOR, 0);
	vmx_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmx_write(HOST_IA32_SYSENTER_CS, __KERNEL_CS);
	vmx_write(HOST_IA32_SYSENTER_EIP, compat_rdmsr(MSR_IA32_SYSENTER_EIP));
	vmx_write(HOST_RIP, (unsigned long)vmx_exit_here);
	if (vmx_base.exit & VM_EXIT_LOAD_IA32_PAT)
		vmx_write(HOST_IA32_PAT, compat_rdmsr(MSR_IA32_CR_PAT));
	if (vmx_base.exit & VM_EXIT_LOAD_IA32_EFER)
		vmx_write(HOST_IA32_EFER, compat_rdmsr(MSR_EFER));
}

void vmx_host_per_cpu(struct vcpu_vmx *vmx)
{
	struct desc_ptr gdt, idt;

	native_store_gdt(&gdt);
	store_idt(&idt);
	vmx_write(HOST_GDTR_BASE, gdt.address);
	vmx_write(HOST_IDTR_BASE, idt.address);
	vmx_write(HOST_TR_BASE,
		  (unsigned long)&get_cpu_entry_area(smp_processor_id())->tss.x86_tss);
	vmx_write(HOST_IA32_SYSENTER_ESP, compat_rdmsr(MSR_IA32_SYSENTER_ESP));
}

/* ---- saved and restored around a stay --------------------------------------------------- */

static void vmx_write_bases(struct vmx_host *h)
{
	unsigned long fs = compat_rdmsr(MSR_FS_BASE), gs = compat_rdmsr(MSR_GS_BASE);

	if (h->fs_base != fs) {
		vmx_write(HOST_FS_BASE, fs);
		h->fs_base = fs;
	}
	if (h->gs_base != gs) {
		vmx_write(HOST_GS_BASE, gs);
		h->gs_base = gs;
	}
}

void vmx_host_save(struct vcpu_vmx *vmx)
{
	struct vmx_host *h = &vmx->host;

	if (h->saved)
		return;
	savesegment(fs, h->fs_sel);
	savesegment(gs, h->gs_sel);
	savesegment(ds, h->ds_sel);
	savesegment(es, h->es_sel);
	h->kernel_gs_base = compat_rdmsr(MSR_KERNEL_GS_BASE);
	h->ldt_sel = 0;
	vmx_write_bases(h);
	compat_wrmsr(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	h->saved = true;
}

static void vmx_restore_tables(void)
{
	struct desc_ptr dt;

	native_store_gdt(&dt);
	dt.size = GDT_SIZE - 1;
	native_load_gdt(&dt);
	store_idt(&dt);
	dt.size = IDT_ENTRIES * sizeof(gate_desc) - 1;
	native_load_idt(&dt);
	invalidate_tss_limit();
}

void vmx_host_restore(struct vcpu_vmx *vmx)
{
	struct vmx_host *h = &vmx->host;

	if (!h->saved)
		return;
	h->saved = false;
	vmx->kernel_gs_base = compat_rdmsr(MSR_KERNEL_GS_BASE);
	vmx_restore_tables();
	if (h->ldt_sel)
		asm volatile("lldt %0" : : "m" (h->ldt_sel));
	if (h->gs_sel)
		load_gs_index(h->gs_sel);
	if (h->fs_sel) {
		loadsegment(fs, h->fs_sel);
		compat_wrmsr(MSR_FS_BASE, h->fs_base);
	}
	if (unlikely(h->ds_sel | h->es_sel)) {
		loadsegment(ds, h->ds_sel);
		loadsegment(es, h->es_sel);
	}
	compat_wrmsr(MSR_KERNEL_GS_BASE, h->kernel_gs_base);
}

/* ---- before each entry --------------------------------------------------------------------- */

void vmx_host_renew(struct vcpu_vmx *vmx)
{
	struct vmx_vmcs *vmcs = vmx->vmcs;
	unsigned long cr3 = __get_current_cr3_fast(), cr4 = cr4_read_shadow();
	u16 ldt;

	if (unlikely(vmcs->host_cr3 != cr3)) {
		vmx_write(HOST_CR3, cr3);
		vmcs->host_cr3 = cr3;
	}
	if (unlikely(vmcs->host_cr4 != cr4)) {
		vmx_write(HOST_CR4, cr4);
		vmcs->host_cr4 = cr4;
	}
	vmx->host.debugctl = compat_rdmsr(MSR_IA32_DEBUGCTLMSR);
	asm volatile("sldt %0" : "=rm" (ldt));
	if (unlikely(ldt))
		vmx->host.ldt_sel = ldt;
}

static void vmx_autoload_set(struct vcpu_vmx *vmx, int n, const struct perf_guest_switch_msr *msr)
{
	/*
	 * A counter that samples by itself (PEBS) writes its record a while after it was
	 * stopped; with a list alone that would be into the guest's memory.
	 */
	if (msr->msr == MSR_IA32_PEBS_ENABLE)
		compat_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
	vmx->autoload->guest[n].index = msr->msr;
	vmx->autoload->guest[n].value = msr->guest;
	vmx->autoload->host[n].index = msr->msr;
	vmx->autoload->host[n].value = msr->host;
}

static noinline void vmx_autoload_perf(struct vcpu_vmx *vmx,
				       const struct perf_guest_switch_msr *msrs, int nr)
{
	int i, n = vmx_autoloads_efer();

	for (i = 0; i < nr && n < VMX_AUTOLOAD_MAX; i++)
		if (msrs[i].host != msrs[i].guest)
			vmx_autoload_set(vmx, n++, &msrs[i]);
	if (likely(n == vmx->autoload_nr))
		return;
	vmx->autoload_nr = n;
	vmx_write(VM_EXIT_MSR_LOAD_COUNT, n);
	vmx_write(VM_ENTRY_MSR_LOAD_COUNT, n);
}

/* Counters of the host's that are not to count the guest, and those that are for it alone. */
void vmx_host_perf(struct vcpu_vmx *vmx)
{
	int nr = 0;
	struct perf_guest_switch_msr *msrs = perf_guest_get_msrs(&nr, NULL);

	if (unlikely(msrs && nr) || unlikely(vmx->autoload_nr != vmx_autoloads_efer()))
		vmx_autoload_perf(vmx, msrs, msrs ? nr : 0);
}
