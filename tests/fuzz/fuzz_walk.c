// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer on the guest page-table walker: the input is a paging mode, a request
 * and a list of entries to plant into four pages of tables. Besides what the
 * sanitizers watch:
 *
 *   nothing but accessed and dirty bits changes, and nothing at all unless the
 *   walk succeeds or lost a race on the way
 *   the same walk again gives the same answer and changes nothing more
 *   an error code says what was asked for, and a success grants it
 */
#include "walk.h"

#define MUST(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "violated: %s, line %d\n", #cond, __LINE__); \
			abort();					\
		}							\
	} while (0)

#define MEM_PAGES	4

static u8 mem[MEM_PAGES * 4096], before[MEM_PAGES * 4096];
static unsigned int updates, lost;
static int races;
static bool rom;

/*
 * An entry that is its own table's is read twice. An accessed bit that it gets as the
 * lower of the two may be a reserved one of the upper (PAE's PDPTEs), and the
 * next walk rightly faults.
 */
static u64 entries_read[16];
static unsigned int nr_read;
static bool tangled;

static unsigned int times_read(u64 gpa)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr_read && i < ARRAY_SIZE(entries_read); i++)
		n += entries_read[i] == gpa;
	return n;
}

static int mem_read(void *ctx, u64 gpa, u64 *entry, unsigned int size)
{
	MUST(size == 4 || size == 8);
	MUST(gpa % size == 0);
	if (gpa >= sizeof(mem))
		return -EFAULT;
	entries_read[nr_read++ % ARRAY_SIZE(entries_read)] = gpa & ~7ULL;
	*entry = 0;
	memcpy(entry, mem + gpa, size);
	return 0;
}

static int mem_update(void *ctx, u64 gpa, u64 old, u64 new, unsigned int size)
{
	u64 now = 0;

	MUST(gpa < sizeof(mem));
	memcpy(&now, mem + gpa, size);
	MUST(!((old ^ new) & ~0x60ULL) && (old & new) == old);
	if (rom)
		return -EFAULT;
	if (races > 0) {
		races--;
		mem[gpa] ^= 0x40;
		memcpy(before + gpa, mem + gpa, 1);
		lost++;
		return 1;
	}
	/* a table that is its own entry changes under the walk, too */
	if (now != old) {
		lost++;
		return 1;
	}
	tangled |= times_read(gpa & ~7ULL) > 1;
	memcpy(mem + gpa, &new, size);
	updates++;
	return 0;
}

static const struct walk_ops ops = { .read = mem_read, .update = mem_update };

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

static void take_mode(struct input *in, struct mmu_mode *mode)
{
	static const u8 levels[] = { 0, 2, 3, 4, 5, 4, 2, 3 };
	u32 bits = take(in, 2);

	*mode = (struct mmu_mode) {
		.levels = levels[bits & 7],
		.nx = bits & 8, .wp = bits & 16, .smep = bits & 32, .smap = bits & 64,
		.pku = bits & 128, .pse = bits & 256, .gbpages = bits & 512, .amd = bits & 1024,
		.maxphyaddr = 32 + (bits >> 11) % 21,
	};
	mode->pae = mode->levels >= 3;
	mode->lma = mode->levels >= 4;
	mode->la57 = mode->levels == 5;
	walk_prepare(mode);
}

static void take_request(struct input *in, struct walk_req *req, u64 *pdptrs)
{
	unsigned int bits = take(in, 1), i;
	u64 access = 0;

	access |= bits & 1 ? MMU_ACC_WRITE : 0;
	access |= bits & 2 ? MMU_ACC_USER : 0;
	if (bits & 4)	/* nothing is fetched to be written */
		access = (access & ~MMU_ACC_WRITE) | MMU_ACC_FETCH;
	access |= bits & 8 ? MMU_ACC_IMPLICIT : 0;
	access |= bits & 16 ? MMU_ACC_SYSTEM : 0;
	*req = (struct walk_req) {
		.cr3 = take(in, 8), .addr = take(in, 8), .access = access,
		.pkru = take(in, 4), .ac = bits & 32,
	};
	for (i = 0; bits & 64 && i < 4; i++)
		pdptrs[i] = take(in, 8);
	if (bits & 64)
		req->pdptrs = pdptrs;
	rom = bits & 128;
	races = take(in, 1) & 3;
}

/* Entries at places that the input chooses: page and index within. */
static void take_tables(struct input *in)
{
	while (in->left >= 4) {
		unsigned int at = (take(in, 2) * 8) % sizeof(mem);
		u64 entry = take(in, 8);

		memcpy(mem + at, &entry, 8);
	}
}

static void only_ad_bits(void)
{
	u64 a, b;
	size_t i;

	for (i = 0; i < sizeof(mem); i += 8) {
		memcpy(&a, mem + i, 8);
		memcpy(&b, before + i, 8);
		MUST(!((a ^ b) & ~0x6000000060ULL));
	}
}

static void judge(const struct walk_req *req, const struct walk *w, enum walk_status st)
{
	bool system = req->access & MMU_ACC_SYSTEM;

	if (st != WALK_OK) {
		MUST(lost || !memcmp(mem, before, sizeof(mem)));
		only_ad_bits();
		if (st == WALK_FAULT && !system) {
			MUST(!(w->error & MMU_PF_WRITE) == !(req->access & MMU_ACC_WRITE));
			MUST(!(w->error & MMU_PF_USER) == !(req->access & MMU_ACC_USER));
		}
		return;
	}
	only_ad_bits();
	MUST((w->gpa & 4095) == (req->addr & 4095));
	if (system || !w->level)
		return;
	if (req->access & MMU_ACC_USER)
		MUST(w->user);
	if (req->access & MMU_ACC_USER && req->access & MMU_ACC_WRITE)
		MUST(w->writable);
	if (req->access & MMU_ACC_FETCH)
		MUST(w->exec);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	enum walk_status st, again;
	struct mmu_mode mode;
	struct walk_req req;
	struct walk w, w2;
	u64 pdptrs[4] = {};

	memset(mem, 0, sizeof(mem));
	lost = 0;
	nr_read = 0;
	tangled = false;
	take_mode(&in, &mode);
	take_request(&in, &req, pdptrs);
	take_tables(&in);
	memcpy(before, mem, sizeof(mem));
	st = walk_guest(&mode, &req, &ops, NULL, &w);
	judge(&req, &w, st);

	if (tangled)
		return 0;
	races = 0;
	updates = 0;
	again = walk_guest(&mode, &req, &ops, NULL, &w2);
	MUST(again == st);
	MUST(!updates);
	if (st == WALK_OK)
		MUST(w.gpa == w2.gpa && w.writable == w2.writable && w.user == w2.user);
	if (st == WALK_FAULT)
		MUST(w.error == w2.error);
	return 0;
}
