/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the system "kvm". Names and fields are interface: perf kvm
 * stat, kvm_stat and everybody's scripts read them, so they are those of the
 * stock modules (their tracefs format files). An event that nothing here emits
 * is not declared.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#if !defined(KVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVM_TRACE_H

#include <linux/tracepoint.h>
#include <asm/pvclock.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#include <vdso/clocksource.h>
#include "emulate.h"
#include "regs.h"

#ifndef KVM_TRACE_MMIO_READ
#define KVM_TRACE_MMIO_READ_UNSATISFIED	0
#define KVM_TRACE_MMIO_READ		1
#define KVM_TRACE_MMIO_WRITE		2
#endif

#define kvm_trace_mode_names \
	{ 0, "Fixed" }, { 1, "LowPrio" }, { 2, "SMI" }, { 3, "Res3" }, \
	{ 4, "NMI" }, { 5, "INIT" }, { 6, "SIPI" }, { 7, "ExtINT" }

/* Three strings: the reason, and for VMX a space and what is in the upper half. */
#define kvm_trace_exit_name(isa, reason) \
	(isa == KVM_ISA_VMX) ? __print_symbolic(reason & 0xffff, VMX_EXIT_REASONS) : \
			       __print_symbolic(reason, SVM_EXIT_REASONS), \
	(isa == KVM_ISA_VMX && reason & ~0xffff) ? " " : "", \
	(isa == KVM_ISA_VMX) ? __print_flags(reason & ~0xffff, " ", VMX_EXIT_REASON_FLAGS) : ""

#define kvm_trace_user_exit(name) { KVM_EXIT_##name, "KVM_EXIT_" #name }
#define kvm_trace_user_exits \
	kvm_trace_user_exit(UNKNOWN), kvm_trace_user_exit(EXCEPTION), kvm_trace_user_exit(IO), \
	kvm_trace_user_exit(HYPERCALL), kvm_trace_user_exit(DEBUG), kvm_trace_user_exit(HLT), \
	kvm_trace_user_exit(MMIO), kvm_trace_user_exit(IRQ_WINDOW_OPEN), \
	kvm_trace_user_exit(SHUTDOWN), kvm_trace_user_exit(FAIL_ENTRY), \
	kvm_trace_user_exit(INTR), kvm_trace_user_exit(SET_TPR), \
	kvm_trace_user_exit(TPR_ACCESS), kvm_trace_user_exit(S390_SIEIC), \
	kvm_trace_user_exit(S390_RESET), kvm_trace_user_exit(DCR), kvm_trace_user_exit(NMI), \
	kvm_trace_user_exit(INTERNAL_ERROR), kvm_trace_user_exit(OSI), \
	kvm_trace_user_exit(PAPR_HCALL), kvm_trace_user_exit(S390_UCONTROL), \
	kvm_trace_user_exit(WATCHDOG), kvm_trace_user_exit(S390_TSCH), \
	kvm_trace_user_exit(EPR), kvm_trace_user_exit(SYSTEM_EVENT), \
	kvm_trace_user_exit(S390_STSI), kvm_trace_user_exit(IOAPIC_EOI), \
	kvm_trace_user_exit(HYPERV), kvm_trace_user_exit(ARM_NISV), \
	kvm_trace_user_exit(X86_RDMSR), kvm_trace_user_exit(X86_WRMSR)

#define kvm_trace_exceptions \
	{ 0, "#DE" }, { 1, "#DB" }, { 3, "#BP" }, { 4, "#OF" }, { 5, "#BR" }, { 6, "#UD" }, \
	{ 7, "#NM" }, { 8, "#DF" }, { 10, "#TS" }, { 11, "#NP" }, { 12, "#SS" }, \
	{ 13, "#GP" }, { 14, "#PF" }, { 16, "#MF" }, { 17, "#AC" }, { 18, "#MC" }

#define kvm_trace_apic_regs \
	{ 0x20, "APIC_ID" }, { 0x30, "APIC_LVR" }, { 0x80, "APIC_TASKPRI" }, \
	{ 0x90, "APIC_ARBPRI" }, { 0xa0, "APIC_PROCPRI" }, { 0xb0, "APIC_EOI" }, \
	{ 0xc0, "APIC_RRR" }, { 0xd0, "APIC_LDR" }, { 0xe0, "APIC_DFR" }, \
	{ 0xf0, "APIC_SPIV" }, { 0x100, "APIC_ISR" }, { 0x180, "APIC_TMR" }, \
	{ 0x200, "APIC_IRR" }, { 0x280, "APIC_ESR" }, { 0x300, "APIC_ICR" }, \
	{ 0x310, "APIC_ICR2" }, { 0x320, "APIC_LVTT" }, { 0x330, "APIC_LVTTHMR" }, \
	{ 0x340, "APIC_LVTPC" }, { 0x350, "APIC_LVT0" }, { 0x360, "APIC_LVT1" }, \
	{ 0x370, "APIC_LVTERR" }, { 0x380, "APIC_TMICT" }, { 0x390, "APIC_TMCCT" }, \
	{ 0x3e0, "APIC_TDCR" }, { 0x3f0, "APIC_SELF_IPI" }, { 0x400, "APIC_EFEAT" }, \
	{ 0x410, "APIC_ECTRL" }

#define kvm_trace_host_clocks \
	{ VDSO_CLOCKMODE_NONE, "none" }, { VDSO_CLOCKMODE_TSC, "tsc" }

TRACE_EVENT(kvm_entry,
	TP_PROTO(struct kvm_vcpu *vcpu, bool immediate_exit),
	TP_ARGS(vcpu, immediate_exit),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
		__field(bool, immediate_exit)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->rip = x86_rip(vcpu);
		__entry->immediate_exit = immediate_exit;
	),
	TP_printk("vcpu %u, rip 0x%lx%s", __entry->vcpu_id, __entry->rip,
		  __entry->immediate_exit ? "[immediate exit]" : "")
);

TRACE_EVENT(kvm_exit,
	TP_PROTO(struct kvm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, exit_reason)
		__field(unsigned long, guest_rip)
		__field(u32, isa)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr_info)
		__field(u32, error_code)
		__field(unsigned int, vcpu_id)
	),
	TP_fast_assign(
		struct x86_exit_info info;

		vendor_call(exit_info)(vcpu, &info);
		__entry->exit_reason = info.reason;
		__entry->guest_rip = x86_rip(vcpu);
		__entry->isa = hw_caps.exit_isa;
		__entry->info1 = info.info1;
		__entry->info2 = info.info2;
		__entry->intr_info = info.intr_info;
		__entry->error_code = info.error_code;
		__entry->vcpu_id = vcpu->vcpu_id;
	),
	TP_printk("vcpu %u reason %s%s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id, kvm_trace_exit_name(__entry->isa, __entry->exit_reason),
		  __entry->guest_rip, __entry->info1, __entry->info2, __entry->intr_info,
		  __entry->error_code)
);

TRACE_EVENT(kvm_userspace_exit,
	TP_PROTO(__u32 reason, int errno),
	TP_ARGS(reason, errno),
	TP_STRUCT__entry(
		__field(__u32, reason)
		__field(int, errno)
	),
	TP_fast_assign(
		__entry->reason = reason;
		__entry->errno = errno;
	),
	TP_printk("reason %s (%d)", __entry->errno < 0 ?
		  (__entry->errno == -EINTR ? "restart" : "error") :
		  __print_symbolic(__entry->reason, kvm_trace_user_exits),
		  __entry->errno < 0 ? -__entry->errno : __entry->reason)
);

TRACE_EVENT(kvm_pio,
	TP_PROTO(unsigned int rw, unsigned int port, unsigned int size, unsigned int count,
		 const void *data),
	TP_ARGS(rw, port, size, count, data),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, port)
		__field(unsigned int, size)
		__field(unsigned int, count)
		__field(unsigned int, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->port = port;
		__entry->size = size;
		__entry->count = count;
		__entry->val = 0;
		memcpy(&__entry->val, data, size <= 4 ? size : 4);
	),
	TP_printk("pio_%s at 0x%x size %d count %d val 0x%x %s",
		  __entry->rw ? "write" : "read", __entry->port, __entry->size, __entry->count,
		  __entry->val, __entry->count > 1 ? "(...)" : "")
);

TRACE_EVENT(kvm_mmio,
	TP_PROTO(u32 type, u32 len, u64 gpa, u64 val),
	TP_ARGS(type, len, gpa, val),
	TP_STRUCT__entry(
		__field(u32, type)
		__field(u32, len)
		__field(u64, gpa)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->type = type;
		__entry->len = len;
		__entry->gpa = gpa;
		__entry->val = val;
	),
	TP_printk("mmio %s len %u gpa 0x%llx val 0x%llx",
		  __print_symbolic(__entry->type, { 0, "unsatisfied-read" }, { 1, "read" },
				   { 2, "write" }),
		  __entry->len, __entry->gpa, __entry->val)
);

TRACE_EVENT(kvm_fast_mmio,
	TP_PROTO(u64 gpa),
	TP_ARGS(gpa),
	TP_STRUCT__entry(__field(u64, gpa)),
	TP_fast_assign(__entry->gpa = gpa;),
	TP_printk("fast mmio at gpa 0x%llx", __entry->gpa)
);

TRACE_EVENT(kvm_page_fault,
	TP_PROTO(struct kvm_vcpu *vcpu, u64 fault_address, u64 error_code),
	TP_ARGS(vcpu, fault_address, error_code),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, guest_rip)
		__field(u64, fault_address)
		__field(u64, error_code)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->vcpu_id;
		__entry->guest_rip = x86_rip(vcpu);
		__entry->fault_address = fault_address;
		__entry->error_code = error_code;
	),
	TP_printk("vcpu %u rip 0x%lx address 0x%016llx error_code 0x%llx",
		  __entry->vcpu_id, __entry->guest_rip, __entry->fault_address,
		  __entry->error_code)
);

TRACE_EVENT(kvm_inj_virq,
	TP_PROTO(unsigned int vector, bool soft, bool reinjected),
	TP_ARGS(vector, soft, reinjected),
	TP_STRUCT__entry(
		__field(unsigned int, vector)
		__field(bool, soft)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->vector = vector;
		__entry->soft = soft;
		__entry->reinjected = reinjected;
	),
	TP_printk("%s 0x%x%s", __entry->soft ? "Soft/INTn" : "IRQ", __entry->vector,
		  __entry->reinjected ? " [reinjected]" : "")
);

TRACE_EVENT(kvm_inj_exception,
	TP_PROTO(u8 exception, bool has_error, u32 error_code, bool reinjected),
	TP_ARGS(exception, has_error, error_code, reinjected),
	TP_STRUCT__entry(
		__field(u8, exception)
		__field(u8, has_error)
		__field(u32, error_code)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->exception = exception;
		__entry->has_error = has_error;
		__entry->error_code = error_code;
		__entry->reinjected = reinjected;
	),
	TP_printk("%s%s%s%s%s", __print_symbolic(__entry->exception, kvm_trace_exceptions),
		  !__entry->has_error ? "" : " (",
		  !__entry->has_error ? "" : __print_symbolic(__entry->error_code, { 0, "0x0" }),
		  !__entry->has_error ? "" : ")",
		  __entry->reinjected ? " [reinjected]" : "")
);

TRACE_EVENT(kvm_cpuid,
	TP_PROTO(unsigned int function, unsigned int index, unsigned long rax, unsigned long rbx,
		 unsigned long rcx, unsigned long rdx, bool found, bool used_max_basic),
	TP_ARGS(function, index, rax, rbx, rcx, rdx, found, used_max_basic),
	TP_STRUCT__entry(
		__field(unsigned int, function)
		__field(unsigned int, index)
		__field(unsigned long, rax)
		__field(unsigned long, rbx)
		__field(unsigned long, rcx)
		__field(unsigned long, rdx)
		__field(bool, found)
		__field(bool, used_max_basic)
	),
	TP_fast_assign(
		__entry->function = function;
		__entry->index = index;
		__entry->rax = rax;
		__entry->rbx = rbx;
		__entry->rcx = rcx;
		__entry->rdx = rdx;
		__entry->found = found;
		__entry->used_max_basic = used_max_basic;
	),
	TP_printk("func %x idx %x rax %lx rbx %lx rcx %lx rdx %lx, cpuid entry %s%s",
		  __entry->function, __entry->index, __entry->rax, __entry->rbx, __entry->rcx,
		  __entry->rdx, __entry->found ? "found" : "not found",
		  __entry->used_max_basic ? ", used max basic" : "")
);

TRACE_EVENT(kvm_msr,
	TP_PROTO(unsigned int write, u32 ecx, u64 data, bool exception),
	TP_ARGS(write, ecx, data, exception),
	TP_STRUCT__entry(
		__field(unsigned, write)
		__field(u32, ecx)
		__field(u64, data)
		__field(u8, exception)
	),
	TP_fast_assign(
		__entry->write = write;
		__entry->ecx = ecx;
		__entry->data = data;
		__entry->exception = exception;
	),
	TP_printk("msr_%s %x = 0x%llx%s", __entry->write ? "write" : "read", __entry->ecx,
		  __entry->data, __entry->exception ? " (#GP)" : "")
);

TRACE_EVENT(kvm_cr,
	TP_PROTO(unsigned int rw, unsigned int cr, unsigned long val),
	TP_ARGS(rw, cr, val),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, cr)
		__field(unsigned long, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->cr = cr;
		__entry->val = val;
	),
	TP_printk("cr_%s %x = 0x%lx", __entry->rw ? "write" : "read", __entry->cr, __entry->val)
);

TRACE_EVENT(kvm_hypercall,
	TP_PROTO(unsigned long nr, unsigned long a0, unsigned long a1, unsigned long a2,
		 unsigned long a3),
	TP_ARGS(nr, a0, a1, a2, a3),
	TP_STRUCT__entry(
		__field(unsigned long, nr)
		__field(unsigned long, a0)
		__field(unsigned long, a1)
		__field(unsigned long, a2)
		__field(unsigned long, a3)
	),
	TP_fast_assign(
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->a1 = a1;
		__entry->a2 = a2;
		__entry->a3 = a3;
	),
	TP_printk("nr 0x%lx a0 0x%lx a1 0x%lx a2 0x%lx a3 0x%lx", __entry->nr, __entry->a0,
		  __entry->a1, __entry->a2, __entry->a3)
);

TRACE_EVENT(kvm_emulate_insn,
	TP_PROTO(struct kvm_vcpu *vcpu, struct em_ctx *ctx, bool failed),
	TP_ARGS(vcpu, ctx, failed),
	TP_STRUCT__entry(
		__field(__u64, rip)
		__field(__u32, csbase)
		__field(__u8, len)
		__array(__u8, insn, 15)
		__field(__u8, flags)
		__field(__u8, failed)
	),
	TP_fast_assign(
		__entry->rip = x86_rip(vcpu);
		__entry->csbase = x86_seg(vcpu, X86_CS)->base;
		__entry->len = ctx->insn.fetched <= 15 ? ctx->insn.fetched : 15;
		memcpy(__entry->insn, ctx->insn.bytes, 15);
		/* real, vm16, prot16, prot32, prot64: bit 0 protected, then the kind */
		__entry->flags = ctx->mode == EM_REAL ? 0 : ctx->mode == EM_VM86 ? 3 :
				 ctx->mode == EM_PROT16 ? 1 : ctx->mode == EM_PROT32 ? 5 : 9;
		__entry->failed = failed;
	),
	TP_printk("%x:%llx:%s (%s)%s", __entry->csbase, __entry->rip,
		  __print_hex(__entry->insn, __entry->len),
		  __print_symbolic(__entry->flags, { 0, "real" }, { 3, "vm16" }, { 1, "prot16" },
				   { 5, "prot32" }, { 9, "prot64" }),
		  __entry->failed ? " failed" : "")
);

TRACE_EVENT(kvm_apic,
	TP_PROTO(unsigned int rw, unsigned int reg, u64 val),
	TP_ARGS(rw, reg, val),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, reg)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->reg = reg;
		__entry->val = val;
	),
	TP_printk("apic_%s %s = 0x%llx", __entry->rw ? "write" : "read",
		  __print_symbolic(__entry->reg, kvm_trace_apic_regs), __entry->val)
);

TRACE_EVENT(kvm_apic_ipi,
	TP_PROTO(__u32 icr_low, __u32 dest_id),
	TP_ARGS(icr_low, dest_id),
	TP_STRUCT__entry(
		__field(__u32, icr_low)
		__field(__u32, dest_id)
	),
	TP_fast_assign(
		__entry->icr_low = icr_low;
		__entry->dest_id = dest_id;
	),
	TP_printk("dst %x vec %u (%s|%s|%s|%s|%s)", __entry->dest_id, (u8)__entry->icr_low,
		  __print_symbolic((__entry->icr_low >> 8 & 0x7), kvm_trace_mode_names),
		  (__entry->icr_low & (1 << 11)) ? "logical" : "physical",
		  (__entry->icr_low & (1 << 14)) ? "assert" : "de-assert",
		  (__entry->icr_low & (1 << 15)) ? "level" : "edge",
		  __print_symbolic((__entry->icr_low >> 18 & 0x3), { 0, "dst" }, { 1, "self" },
				   { 2, "all" }, { 3, "all-but-self" }))
);

DECLARE_EVENT_CLASS(kvm_accept_irq_class,
	TP_PROTO(__u32 apicid, __u16 dm, __u16 tm, __u8 vec),
	TP_ARGS(apicid, dm, tm, vec),
	TP_STRUCT__entry(
		__field(__u32, apicid)
		__field(__u16, dm)
		__field(__u16, tm)
		__field(__u8, vec)
	),
	TP_fast_assign(
		__entry->apicid = apicid;
		__entry->dm = dm;
		__entry->tm = tm;
		__entry->vec = vec;
	),
	TP_printk("apicid %x vec %u (%s|%s)", __entry->apicid, __entry->vec,
		  __print_symbolic((__entry->dm >> 8 & 0x7), kvm_trace_mode_names),
		  __entry->tm ? "level" : "edge")
);

DEFINE_EVENT(kvm_accept_irq_class, kvm_apic_accept_irq,
	TP_PROTO(__u32 apicid, __u16 dm, __u16 tm, __u8 vec),
	TP_ARGS(apicid, dm, tm, vec)
);

DEFINE_EVENT(kvm_accept_irq_class, kvm_apicv_accept_irq,
	TP_PROTO(__u32 apicid, __u16 dm, __u16 tm, __u8 vec),
	TP_ARGS(apicid, dm, tm, vec)
);

TRACE_EVENT(kvm_apicv_inhibit_changed,
	TP_PROTO(int reason, bool set, unsigned long inhibits),
	TP_ARGS(reason, set, inhibits),
	TP_STRUCT__entry(
		__field(int, reason)
		__field(bool, set)
		__field(unsigned long, inhibits)
	),
	TP_fast_assign(
		__entry->reason = reason;
		__entry->set = set;
		__entry->inhibits = inhibits;
	),
	TP_printk("%s reason=%u, inhibits=0x%lx", __entry->set ? "set" : "cleared",
		  __entry->reason, __entry->inhibits)
);

DECLARE_EVENT_CLASS(kvm_eoi_class,
	TP_PROTO(__u32 apicid, int vector),
	TP_ARGS(apicid, vector),
	TP_STRUCT__entry(
		__field(__u32, apicid)
		__field(int, vector)
	),
	TP_fast_assign(
		__entry->apicid = apicid;
		__entry->vector = vector;
	),
	TP_printk("apicid %x vector %d", __entry->apicid, __entry->vector)
);

DEFINE_EVENT(kvm_eoi_class, kvm_eoi,
	TP_PROTO(__u32 apicid, int vector),
	TP_ARGS(apicid, vector)
);

DEFINE_EVENT(kvm_eoi_class, kvm_pv_eoi,
	TP_PROTO(__u32 apicid, int vector),
	TP_ARGS(apicid, vector)
);

TRACE_EVENT(kvm_set_irq,
	TP_PROTO(unsigned int gsi, int level, int irq_source_id),
	TP_ARGS(gsi, level, irq_source_id),
	TP_STRUCT__entry(
		__field(unsigned int, gsi)
		__field(int, level)
		__field(int, irq_source_id)
	),
	TP_fast_assign(
		__entry->gsi = gsi;
		__entry->level = level;
		__entry->irq_source_id = irq_source_id;
	),
	TP_printk("gsi %u level %d source %d", __entry->gsi, __entry->level,
		  __entry->irq_source_id)
);

TRACE_EVENT(kvm_ack_irq,
	TP_PROTO(unsigned int irqchip, unsigned int pin),
	TP_ARGS(irqchip, pin),
	TP_STRUCT__entry(
		__field(unsigned int, irqchip)
		__field(unsigned int, pin)
	),
	TP_fast_assign(
		__entry->irqchip = irqchip;
		__entry->pin = pin;
	),
	TP_printk("irqchip %s pin %u",
		  __print_symbolic(__entry->irqchip, { 0, "PIC master" }, { 1, "PIC slave" },
				   { 2, "IOAPIC" }), __entry->pin)
);

TRACE_EVENT(kvm_ioapic_set_irq,
	TP_PROTO(__u64 e, int pin, bool coalesced),
	TP_ARGS(e, pin, coalesced),
	TP_STRUCT__entry(
		__field(__u64, e)
		__field(int, pin)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->e = e;
		__entry->pin = pin;
		__entry->coalesced = coalesced;
	),
	TP_printk("pin %u dst %x vec %u (%s|%s|%s%s)%s", __entry->pin, (u8)(__entry->e >> 56),
		  (u8)__entry->e, __print_symbolic((__entry->e >> 8 & 0x7), kvm_trace_mode_names),
		  (__entry->e & (1 << 11)) ? "logical" : "physical",
		  (__entry->e & (1 << 15)) ? "level" : "edge",
		  (__entry->e & (1 << 16)) ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_pic_set_irq,
	TP_PROTO(__u8 chip, __u8 pin, __u8 elcr, __u8 imr, bool coalesced),
	TP_ARGS(chip, pin, elcr, imr, coalesced),
	TP_STRUCT__entry(
		__field(__u8, chip)
		__field(__u8, pin)
		__field(__u8, elcr)
		__field(__u8, imr)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->chip = chip;
		__entry->pin = pin;
		__entry->elcr = elcr;
		__entry->imr = imr;
		__entry->coalesced = coalesced;
	),
	TP_printk("chip %u pin %u (%s%s)%s", __entry->chip, __entry->pin,
		  (__entry->elcr & (1 << __entry->pin)) ? "level" : "edge",
		  (__entry->imr & (1 << __entry->pin)) ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_msi_set_irq,
	TP_PROTO(__u64 address, __u64 data),
	TP_ARGS(address, data),
	TP_STRUCT__entry(
		__field(__u64, address)
		__field(__u64, data)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->data = data;
	),
	TP_printk("dst %llx vec %u (%s|%s|%s%s)",
		  (u8)(__entry->address >> 12) | ((__entry->address >> 32) & 0xffffff00),
		  (u8)__entry->data,
		  __print_symbolic((__entry->data >> 8 & 0x7), kvm_trace_mode_names),
		  (__entry->address & (1 << 2)) ? "logical" : "physical",
		  (__entry->data & (1 << 15)) ? "level" : "edge",
		  (__entry->address & (1 << 3)) ? "|rh" : "")
);

TRACE_EVENT(kvm_vcpu_wakeup,
	TP_PROTO(__u64 ns, bool waited, bool valid),
	TP_ARGS(ns, waited, valid),
	TP_STRUCT__entry(
		__field(__u64, ns)
		__field(bool, waited)
		__field(bool, valid)
	),
	TP_fast_assign(
		__entry->ns = ns;
		__entry->waited = waited;
		__entry->valid = valid;
	),
	TP_printk("%s time %lld ns, polling %s", __entry->waited ? "wait" : "poll", __entry->ns,
		  __entry->valid ? "valid" : "invalid")
);

TRACE_EVENT(kvm_halt_poll_ns,
	TP_PROTO(bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old),
	TP_ARGS(grow, vcpu_id, new, old),
	TP_STRUCT__entry(
		__field(bool, grow)
		__field(unsigned int, vcpu_id)
		__field(unsigned int, new)
		__field(unsigned int, old)
	),
	TP_fast_assign(
		__entry->grow = grow;
		__entry->vcpu_id = vcpu_id;
		__entry->new = new;
		__entry->old = old;
	),
	TP_printk("vcpu %u: halt_poll_ns %u (%s %u)", __entry->vcpu_id, __entry->new,
		  __entry->grow ? "grow" : "shrink", __entry->old)
);

TRACE_EVENT(kvm_fpu,
	TP_PROTO(u32 load),
	TP_ARGS(load),
	TP_STRUCT__entry(__field(u32, load)),
	TP_fast_assign(__entry->load = load;),
	TP_printk("%s", __print_symbolic(__entry->load, { 0, "unload" }, { 1, "load" }))
);

TRACE_EVENT(kvm_unmap_hva_range,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mmu notifier unmap range: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_age_hva,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mmu notifier age hva: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_test_age_hva,
	TP_PROTO(unsigned long hva),
	TP_ARGS(hva),
	TP_STRUCT__entry(__field(unsigned long, hva)),
	TP_fast_assign(__entry->hva = hva;),
	TP_printk("mmu notifier test age hva: %#016lx", __entry->hva)
);

TRACE_EVENT(kvm_write_tsc_offset,
	TP_PROTO(unsigned int vcpu_id, __u64 previous, __u64 next),
	TP_ARGS(vcpu_id, previous, next),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(__u64, previous_tsc_offset)
		__field(__u64, next_tsc_offset)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->previous_tsc_offset = previous;
		__entry->next_tsc_offset = next;
	),
	TP_printk("vcpu=%u prev=%llu next=%llu", __entry->vcpu_id, __entry->previous_tsc_offset,
		  __entry->next_tsc_offset)
);

TRACE_EVENT(kvm_track_tsc,
	TP_PROTO(unsigned int vcpu_id, unsigned int matched, unsigned int online, bool master,
		 bool tsc),
	TP_ARGS(vcpu_id, matched, online, master, tsc),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned int, nr_vcpus_matched_tsc)
		__field(unsigned int, online_vcpus)
		__field(bool, use_master_clock)
		__field(unsigned int, host_clock)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->nr_vcpus_matched_tsc = matched;
		__entry->online_vcpus = online;
		__entry->use_master_clock = master;
		__entry->host_clock = tsc ? VDSO_CLOCKMODE_TSC : VDSO_CLOCKMODE_NONE;
	),
	TP_printk("vcpu_id %u masterclock %u offsetmatched %u nr_online %u hostclock %s",
		  __entry->vcpu_id, __entry->use_master_clock, __entry->nr_vcpus_matched_tsc,
		  __entry->online_vcpus,
		  __print_symbolic(__entry->host_clock, kvm_trace_host_clocks))
);

TRACE_EVENT(kvm_update_master_clock,
	TP_PROTO(bool master, bool tsc, bool matched),
	TP_ARGS(master, tsc, matched),
	TP_STRUCT__entry(
		__field(bool, use_master_clock)
		__field(unsigned int, host_clock)
		__field(bool, offset_matched)
	),
	TP_fast_assign(
		__entry->use_master_clock = master;
		__entry->host_clock = tsc ? VDSO_CLOCKMODE_TSC : VDSO_CLOCKMODE_NONE;
		__entry->offset_matched = matched;
	),
	TP_printk("masterclock %d hostclock %s offsetmatched %u", __entry->use_master_clock,
		  __print_symbolic(__entry->host_clock, kvm_trace_host_clocks),
		  __entry->offset_matched)
);

TRACE_EVENT(kvm_pvclock_update,
	TP_PROTO(unsigned int vcpu_id, const struct pvclock_vcpu_time_info *t),
	TP_ARGS(vcpu_id, t),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(__u32, version)
		__field(__u64, tsc_timestamp)
		__field(__u64, system_time)
		__field(__u32, tsc_to_system_mul)
		__field(__s8, tsc_shift)
		__field(__u8, flags)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->version = t->version;
		__entry->tsc_timestamp = t->tsc_timestamp;
		__entry->system_time = t->system_time;
		__entry->tsc_to_system_mul = t->tsc_to_system_mul;
		__entry->tsc_shift = t->tsc_shift;
		__entry->flags = t->flags;
	),
	TP_printk("vcpu_id %u, pvclock { version %u, tsc_timestamp 0x%llx, system_time 0x%llx, tsc_to_system_mul 0x%x, tsc_shift %d, flags 0x%x }",
		  __entry->vcpu_id, __entry->version, __entry->tsc_timestamp,
		  __entry->system_time, __entry->tsc_to_system_mul, __entry->tsc_shift,
		  __entry->flags)
);

TRACE_EVENT(kvm_wait_lapic_expire,
	TP_PROTO(unsigned int vcpu_id, s64 delta),
	TP_ARGS(vcpu_id, delta),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(s64, delta)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->delta = delta;
	),
	TP_printk("vcpu %u: delta %lld (%s)", __entry->vcpu_id, __entry->delta,
		  __entry->delta < 0 ? "early" : "late")
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
