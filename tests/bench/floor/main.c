// SPDX-License-Identifier: GPL-2.0
/*
 * What an exit costs where there is no hypervisor at all: the floor of tests/bench.
 *
 * A test module, of no use else. While it loads, with interrupts off, it runs a guest
 * that executes nothing but VMMCALL, again and again, reads the TSC round each time
 * and prints the medians, less the median of doing nothing:
 *
 *	VMRUN and back		CLGI, VMRUN, STGI and a function call
 *	whole switch		also VMLOAD and VMSAVE for both sides and the general
 *				registers: the least that a hypervisor has to do
 *
 * The guest shares the host's page tables and segments, at CPL 0, so that nothing has
 * to be set up but the VMCB. It has no stack and touches no memory. Interrupts stay
 * off in it, too. On a host that counts instructions a tick of the TSC is one of them,
 * and the figures are exact.
 *
 * No module of KVM may be loaded: EFER.SVME and VM_HSAVE_PA are taken and put back.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sort.h>
#include <asm/desc.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>
#include "floor.h"
#include "hw/svm.h"

#define ROUNDS	1001

static u64 ticks[ROUNDS];

/* The kernel's own names for these two change. */
static u64 get_msr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
	return lo | (u64)hi << 32;
}

static void put_msr(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)val), "d" ((u32)(val >> 32)) : "memory");
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Median of ROUNDS calls; ~0 if an exit was not the guest's VMMCALL. Interrupts off. */
static u64 measure(void (*fn)(u64 vmcb, u64 host, u64 *gprs), struct svm_vmcb *vmcb, u64 host)
{
	u64 pa = __pa(vmcb), gprs[16] = {}, start;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		vmcb->ctl.exit_code = SVM_EXIT_OF(SVM_I_VMMCALL);
		start = rdtsc();
		fn(pa, host, gprs);
		ticks[i] = rdtsc() - start;
		if (vmcb->ctl.exit_code != SVM_EXIT_OF(SVM_I_VMMCALL))
			return ~0ull;
		vmcb->ctl.clean = SVM_CLEAN_ALL;
	}
	sort(ticks, ROUNDS, sizeof(ticks[0]), compare, NULL);
	return ticks[ROUNDS / 2];
}

static void intercept(struct svm_control *ctl, int i)
{
	ctl->intercepts[i / 32] |= BIT(i % 32);
}

static void set_segment(struct svm_seg *seg, u16 sel, u16 attrib)
{
	*seg = (struct svm_seg) { .sel = sel, .attrib = attrib, .limit = U32_MAX };
}

/* The host's own state, a few instructions further on. SVM is on, interrupts are off. */
static void fill(struct svm_vmcb *vmcb)
{
	struct svm_control *ctl = &vmcb->ctl;
	struct svm_save *save = &vmcb->save;
	struct desc_ptr table;

	intercept(ctl, SVM_I_VMMCALL);
	intercept(ctl, SVM_I_VMRUN);
	ctl->asid = 1;
	ctl->int_ctl = SVM_V_INTR_MASKING;
	ctl->tlb_ctl = SVM_TLB_NOTHING;

	set_segment(&save->cs, __KERNEL_CS, 0xa9b);	/* present, 64-bit code, accessed */
	set_segment(&save->ss, __KERNEL_DS, 0xc93);
	set_segment(&save->ds, __KERNEL_DS, 0xc93);
	set_segment(&save->es, __KERNEL_DS, 0xc93);
	native_store_gdt(&table);
	save->gdtr.base = table.address;
	save->gdtr.limit = table.size;
	store_idt(&table);
	save->idtr.base = table.address;
	save->idtr.limit = table.size;
	save->cr0 = read_cr0();
	save->cr3 = __read_cr3();
	save->cr4 = __read_cr4();
	save->dr6 = 0xffff0ff0;
	save->dr7 = 0x400;
	save->rflags = 2;
	save->rip = (u64)floor_guest;
	save->efer = get_msr(MSR_EFER);
	asm volatile("vmsave %0" : : "a" (__pa(vmcb)) : "memory");
}

struct pages {
	struct svm_vmcb *vmcb;
	void *host, *hsave;
};

/* Answers in @r: nothing, bare, whole. */
static void run(struct pages *p, u64 r[3])
{
	u64 efer = get_msr(MSR_EFER);
	unsigned long flags;

	local_irq_save(flags);
	put_msr(MSR_EFER, efer | EFER_SVME);
	put_msr(SVM_MSR_HSAVE_PA, __pa(p->hsave));
	asm volatile("vmsave %0" : : "a" (__pa(p->host)) : "memory");
	fill(p->vmcb);
	r[0] = measure(floor_nothing, p->vmcb, __pa(p->host));
	r[1] = measure(floor_bare, p->vmcb, __pa(p->host));
	r[2] = measure(floor_whole, p->vmcb, __pa(p->host));
	put_msr(SVM_MSR_HSAVE_PA, 0);
	put_msr(MSR_EFER, efer);
	local_irq_restore(flags);
}

static int __init floor_init(void)
{
	struct pages p;
	int ret = -EOPNOTSUPP;
	u64 r[3] = {};

	if (!boot_cpu_has(X86_FEATURE_SVM) || get_msr(MSR_EFER) & EFER_SVME)
		return ret;
	p.vmcb = (void *)get_zeroed_page(GFP_KERNEL);
	p.host = (void *)get_zeroed_page(GFP_KERNEL);
	p.hsave = (void *)get_zeroed_page(GFP_KERNEL);
	if (p.vmcb && p.host && p.hsave) {
		run(&p, r);
		ret = r[1] == ~0ull || r[2] == ~0ull ? -EIO : 0;
	}
	if (!ret) {
		pr_info("FLOOR VMRUN and back,%llu\n", r[1] - r[0]);
		pr_info("FLOOR whole world switch,%llu\n", r[2] - r[0]);
	}
	free_page((unsigned long)p.hsave);
	free_page((unsigned long)p.host);
	free_page((unsigned long)p.vmcb);
	return ret;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
}
module_exit(floor_exit);

MODULE_DESCRIPTION("cost of a bare VMRUN");
MODULE_LICENSE("GPL");
