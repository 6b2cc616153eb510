// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer on decode and execute: the input is a machine and the code it runs.
 *
 * The first bytes choose mode, privilege and control registers, then come a few
 * registers, stack contents and descriptors, the rest is code. Up to eight
 * instructions are run. Besides what the sanitizers watch:
 *
 *   em_insn_len() and em_decode() agree on a length of 1 to 15
 *   EM_PENDING goes on when it is repeated, and ends
 *   EM_UNSUPPORTED and faults leave rip and privilege, but in a new task
 *   below 64-bit mode rip stays below 4G
 */
#include "em_machine.h"

#define MUST(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "violated: %s, line %d\n", #cond, __LINE__); \
			abort();					\
		}							\
	} while (0)

static struct machine m;

struct input {
	const u8 *p;
	size_t left;
};

static u64 take(struct input *in, unsigned int size)
{
	u64 v = 0;
	unsigned int n = size < in->left ? size : (unsigned int)in->left;

	memcpy(&v, in->p, n);
	in->p += n;
	in->left -= n;
	return v;
}

/* A byte selects a region, two more the place in it. */
static u64 take_address(struct input *in)
{
	unsigned int kind = take(in, 1);
	u64 off = take(in, 2);

	switch (kind & 7) {
	case 0:
		return DEV_BASE + off % DEV_SIZE;
	case 1:
		return HOLE_BASE - 32 + off % 64;
	case 2:
		return off | off << 48;
	case 3:
		return 0 - off;
	case 4:
		return off;
	default:
		return 0x20000 + off;
	}
}

static void take_mode(struct input *in)
{
	unsigned int mode = take(in, 1);

	machine_any(&m, mode);
	if (m.c.mode >= EM_PROT16 && mode & 0x80)
		m.c.cpl = 3;
	m.c.intel = mode & 0x40;
	m.dev_sync = mode & 0x20;
}

static void take_machine(struct input *in)
{
	unsigned int i;
	u64 cr4, odd;

	take_mode(in);
	m.c.rflags |= take(in, 3) & 0x3c7fd5;
	cr4 = take(in, 3) & (X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_UMIP |
			     X86_CR4_PKE | X86_CR4_PCIDE | X86_CR4_LA57 | X86_CR4_FSGSBASE | X86_CR4_OSXSAVE);
	m.c.cr4 = m.cr[4] |= cr4;
	m.c.cr0 = m.cr[0] |= take(in, 1) & 0xe;
	odd = take(in, 1);
	m.races = odd & 1;
	m.lacks = odd & 2 ? ~0ULL : 0;
	m.xcr0 = odd & 4 ? 3 : 7;
	m.dry = odd & 8;
	m.fx.fsw = take(in, 2);
	for (i = 0; i < 8; i++)
		m.c.gpr[i] = take_address(in);
	if (m.c.gpr[4] & 1)
		m.c.gpr[4] = 0x8000;
	for (i = 0; i < 8; i++)	/* what returns and far transfers find */
		((u64 *)(m.ram + 0x8000))[i] = take(in, 1) & 1 ? take(in, 2) & 0x7b :
						 take_address(in);
	for (i = 0; i < 6; i++) {
		u64 desc = take(in, 8);

		memcpy(m.ram + GDT_BASE + 0x80 + i * 8, &desc, 8);
	}
	m.gdt.limit = 0xaf;
	m.idt.base = take(in, 2);
}

/* False if there is no going on. */
static bool one(void)
{
	u64 rip = m.c.rip, count = m.c.gpr[1];
	unsigned int cpl = m.c.cpl, tasks = m.tr_loads, n;
	enum em_result r;
	int len;

	len = em_insn_len(&m.c, NULL, 0);
	r = em_decode(&m.c, NULL, 0);
	MUST((r == EM_DONE) == (len > 0));
	if (r != EM_DONE)
		return false;
	MUST(len == m.c.insn.len && len <= 15);
	for (n = 0, r = EM_PENDING; r == EM_PENDING; n++) {
		r = em_execute(&m.c);
		MUST(r != EM_PENDING || m.c.rip == rip || m.c.insn.rep);
		if (n < 5000)
			continue;
		/* a string in device memory: as long as its count likes, but it must get on */
		MUST(m.c.insn.rep && m.c.gpr[1] != count);
		return false;
	}
	if (r == EM_UNSUPPORTED && m.tr_loads == tasks && !m.c.insn.rep)
		MUST(m.c.rip == rip && m.c.cpl == cpl);
	if (r == EM_FAULT && !m.c.fault.trap && m.tr_loads == tasks)
		MUST(m.c.rip == rip && m.c.cpl == cpl);
	if (m.c.mode != EM_PROT64 && !m.efer)
		MUST(m.c.rip <= U32_MAX);
	return r == EM_DONE;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	unsigned int i;

	take_machine(&in);
	memcpy(m.ram + m.c.rip, in.p, in.left < 256 ? in.left : 256);
	for (i = 0; i < 8; i++) {
		struct em_seg *cs = &m.seg[EM_CS];

		if (!one())
			break;
		m.c.mode = em_mode_of(m.c.cr0, m.efer, m.c.rflags, cs->attr);
		m.c.cr0 = m.cr[0];
	}
	return 0;
}
