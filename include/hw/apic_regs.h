/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Local APIC and I/O APIC registers and bits, from the manuals.
 *
 * Local APIC registers are 32 bits wide at 16-byte strides in a 4 KiB page;
 * in x2APIC mode register offset o is MSR 0x800 + (o >> 4).
 */
#ifndef KVM_HW_APIC_REGS_H
#define KVM_HW_APIC_REGS_H

#define LAPIC_DEFAULT_BASE	0xfee00000ULL
#define LAPIC_PAGE_SIZE		0x1000
#define LAPIC_X2_MSR_BASE	0x800
#define LAPIC_X2_MSR_LAST	0x8ff

/* IA32_APIC_BASE */
#define LAPIC_BASE_BSP		(1ULL << 8)
#define LAPIC_BASE_X2		(1ULL << 10)
#define LAPIC_BASE_EN		(1ULL << 11)
#define LAPIC_BASE_ADDR		(~0xfffULL)

/* Register offsets */
#define LAPIC_ID		0x020
#define LAPIC_VERSION		0x030
#define LAPIC_TPR		0x080
#define LAPIC_APR		0x090
#define LAPIC_PPR		0x0a0
#define LAPIC_EOI		0x0b0
#define LAPIC_RRR		0x0c0
#define LAPIC_LDR		0x0d0
#define LAPIC_DFR		0x0e0
#define LAPIC_SPIV		0x0f0
#define LAPIC_ISR		0x100
#define LAPIC_TMR		0x180
#define LAPIC_IRR		0x200
#define LAPIC_ESR		0x280
#define LAPIC_LVT_CMCI		0x2f0
#define LAPIC_ICR		0x300
#define LAPIC_ICR2		0x310
#define LAPIC_LVT_TIMER		0x320
#define LAPIC_LVT_THERMAL	0x330
#define LAPIC_LVT_PERF		0x340
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
#define LAPIC_LVT_ERROR		0x370
#define LAPIC_TMICT		0x380
#define LAPIC_TMCCT		0x390
#define LAPIC_TDCR		0x3e0
#define LAPIC_SELF_IPI		0x3f0

/* Version: integrated APIC, LVT count - 1 in bits 23:16 */
#define LAPIC_VERSION_ID	0x14
#define LAPIC_NR_LVT		6
#define LAPIC_VERSION_EOI_SUPPRESS	(1U << 24)

/* Spurious vector register */
#define LAPIC_SPIV_ENABLE	(1U << 8)
#define LAPIC_SPIV_FOCUS	(1U << 9)
#define LAPIC_SPIV_EOI_SUPPRESS	(1U << 12)

/* Error status register */
#define LAPIC_ESR_SEND_ILLEGAL	(1U << 5)
#define LAPIC_ESR_RECV_ILLEGAL	(1U << 6)
#define LAPIC_ESR_REG_ILLEGAL	(1U << 7)

/* Destination format */
#define LAPIC_DFR_CLUSTER	0x0fffffffU
#define LAPIC_DFR_FLAT		0xffffffffU

/* ICR and LVT fields */
#define LAPIC_VECTOR		0x000000ffU
#define LAPIC_MODE		0x00000700U
#define LAPIC_MODE_FIXED	0x00000000U
#define LAPIC_MODE_LOWEST	0x00000100U
#define LAPIC_MODE_SMI		0x00000200U
#define LAPIC_MODE_REMRD	0x00000300U
#define LAPIC_MODE_NMI		0x00000400U
#define LAPIC_MODE_INIT		0x00000500U
#define LAPIC_MODE_SIPI		0x00000600U
#define LAPIC_MODE_EXTINT	0x00000700U
#define LAPIC_DEST_LOGICAL	0x00000800U
#define LAPIC_STATUS_PENDING	0x00001000U
#define LAPIC_POLARITY		0x00002000U
#define LAPIC_LVT_REMOTE_IRR	0x00004000U
#define LAPIC_ICR_ASSERT	0x00004000U
#define LAPIC_LEVEL		0x00008000U
#define LAPIC_LVT_MASKED	0x00010000U
#define LAPIC_SHORTHAND		0x000c0000U
#define LAPIC_SHORT_NONE	0x00000000U
#define LAPIC_SHORT_SELF	0x00040000U
#define LAPIC_SHORT_ALL		0x00080000U
#define LAPIC_SHORT_OTHERS	0x000c0000U

/* Timer modes in the timer LVT */
#define LAPIC_TIMER_MODE	0x00060000U
#define LAPIC_TIMER_ONESHOT	0x00000000U
#define LAPIC_TIMER_PERIODIC	0x00020000U
#define LAPIC_TIMER_TSC		0x00040000U

/* I/O APIC: the two memory mapped windows and the registers behind them */
#define IOAPIC_BASE		0xfec00000ULL
#define IOAPIC_SIZE		0x100
#define IOAPIC_SELECT		0x00
#define IOAPIC_WINDOW		0x10
#define IOAPIC_REG_ID		0x00
#define IOAPIC_REG_VERSION	0x01
#define IOAPIC_REG_ARB		0x02
#define IOAPIC_REG_RTE		0x10
#define IOAPIC_VERSION_ID	0x11

/* MSI address and data */
#define MSI_ADDR_LOGICAL	(1U << 2)
#define MSI_ADDR_REDIRECT	(1U << 3)
#define MSI_ADDR_DEST_SHIFT	12
#define MSI_DATA_VECTOR		0xffU
#define MSI_DATA_MODE		0x700U
#define MSI_DATA_ASSERT		(1U << 14)
#define MSI_DATA_LEVEL		(1U << 15)

#endif
