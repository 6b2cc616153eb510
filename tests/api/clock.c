// SPDX-License-Identifier: GPL-2.0
/* Time: TSC frequency and value, kvmclock, KVM_GET/SET_CLOCK, KVM_KVMCLOCK_CTRL. */
#include "kvmtest.h"

static void tsc_khz(void)
{
	struct tvm t;
	int khz;

	vm_new(&t);
	khz = ioctl(t.fd, KVM_GET_TSC_KHZ, 0);
	CHECK(khz >= 100000 && khz < 20000000);
	/* The frequency that it has can always be set. */
	CHECK_OK(ioctl(t.fd, KVM_SET_TSC_KHZ, khz));
	CHECK_EQ(ioctl(t.fd, KVM_GET_TSC_KHZ, 0), khz);
	/* 0 is the host's. */
	CHECK_OK(ioctl(t.fd, KVM_SET_TSC_KHZ, 0));
	CHECK_EQ(ioctl(t.fd, KVM_GET_TSC_KHZ, 0), khz);
	if (has_cap(t.sys, KVM_CAP_TSC_CONTROL)) {
		CHECK_OK(ioctl(t.fd, KVM_SET_TSC_KHZ, khz / 2));
		CHECK_EQ(ioctl(t.fd, KVM_GET_TSC_KHZ, 0), khz / 2);
	}
	tvm_close(&t);
}

/* What a VM is told, the vCPUs get that it creates from then on. */
static void tsc_khz_of_a_vm(void)
{
	struct tvm t;
	int khz;

	tvm_open(&t);
	tvm_mem(&t, 2 << 20);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_VM_TSC_CONTROL), has_cap(t.sys, KVM_CAP_TSC_CONTROL));
	khz = ioctl(t.vm, KVM_GET_TSC_KHZ, 0);
	CHECK(khz >= 100000 && khz < 20000000);
	CHECK_OK(ioctl(t.vm, KVM_SET_TSC_KHZ, khz));
	CHECK_EQ(ioctl(t.vm, KVM_GET_TSC_KHZ, 0), khz);
	if (has_cap(t.sys, KVM_CAP_VM_TSC_CONTROL)) {
		khz /= 2;
		CHECK_OK(ioctl(t.vm, KVM_SET_TSC_KHZ, khz));
	} else if (ioctl(t.vm, KVM_SET_TSC_KHZ, khz * 2) < 0) {
		CHECK_EQ(errno, EINVAL);
	} else {
		khz *= 2;	/* the 6.1 kernel's own module takes it */
	}
	CHECK_EQ(ioctl(t.vm, KVM_GET_TSC_KHZ, 0), khz);
	tvm_vcpu(&t);
	CHECK_EQ(ioctl(t.fd, KVM_GET_TSC_KHZ, 0), khz);
	/* 0 is the host's. */
	CHECK_OK(ioctl(t.vm, KVM_SET_TSC_KHZ, 0));
	CHECK_EQ(ioctl(t.fd, KVM_GET_TSC_KHZ, 0), khz);
	tvm_close(&t);
}

GUEST(g_tsc, 64, "1: rdtsc; shl $32, %rdx; or %rdx, %rax; out %al, $0x10; jmp 1b");

static uint64_t guest_tsc(struct tvm *t)
{
	RUN_TO_OUT(t, 0x10);
	return get_regs(t).rax;
}

static void tsc_value(void)
{
	uint64_t a, b, m;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_tsc);
	a = guest_tsc(&t);
	m = get_msr(&t, 0x10);
	b = guest_tsc(&t);
	CHECK(a <= m && m <= b && a < b);
	/* Far ahead, and back again. */
	CHECK_EQ(set_msr(&t, 0x10, 1ull << 50), 1);
	a = guest_tsc(&t);
	CHECK(a >= 1ull << 50 && a < (1ull << 50) + (1ull << 36));
	CHECK_EQ(set_msr(&t, 0x10, 1000), 1);
	CHECK(guest_tsc(&t) < 1ull << 36);
	tvm_close(&t);
}

/* TSC_ADJUST written by the VMM changes the record and not the counter. */
static void tsc_adjust(void)
{
	struct tvm t;
	uint64_t a;

	vm_new(&t);
	GUEST_START(&t, LONG, g_tsc);
	a = guest_tsc(&t);
	CHECK_EQ(set_msr(&t, 0x3b, 1ull << 45), 1);
	CHECK_EQ(get_msr(&t, 0x3b), 1ull << 45);
	CHECK(guest_tsc(&t) - a < 1ull << 40);
	tvm_close(&t);
}

static void tsc_offset_attribute(void)
{
	uint64_t off = 0, want;
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
		.addr = tvm_ptr(&off) };
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_VCPU_ATTRIBUTES)) {
		CHECK(ioctl(t.fd, KVM_HAS_DEVICE_ATTR, &attr) < 0);
		tvm_close(&t);
		SKIP_REST("vCPUs have no attributes");
	}
	CHECK_OK(ioctl(t.fd, KVM_HAS_DEVICE_ATTR, &attr));
	CHECK_OK(ioctl(t.fd, KVM_GET_DEVICE_ATTR, &attr));
	want = off += 1ull << 44;
	CHECK_OK(ioctl(t.fd, KVM_SET_DEVICE_ATTR, &attr));
	off = 0;
	CHECK_OK(ioctl(t.fd, KVM_GET_DEVICE_ATTR, &attr));
	CHECK_EQ(off, want);
	attr.attr = 99;
	CHECK_ERR(ioctl(t.fd, KVM_GET_DEVICE_ATTR, &attr), ENXIO);
	tvm_close(&t);
}

/* All vCPUs whose TSC is written at about the same time with the same value stay in step. */
static void synchronised(void)
{
	struct kvm_run *run;
	struct tvm t;
	uint64_t a, b, off[2] = { 0 };
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET };
	int fd[2];

	vm_new(&t);
	fd[0] = t.fd;
	fd[1] = tvm_add_vcpu(&t, 1, &run);
	CHECK_EQ(set_msr(&t, 0x10, 0x100000), 1);
	t.fd = fd[1];
	usleep(20000);
	CHECK_EQ(set_msr(&t, 0x10, 0x100000), 1);
	b = get_msr(&t, 0x10);
	t.fd = fd[0];
	a = get_msr(&t, 0x10);
	CHECK(a >= b);
	for (int i = 0; i < 2; i++) {
		attr.addr = tvm_ptr(&off[i]);
		if (ioctl(fd[i], KVM_GET_DEVICE_ATTR, &attr) < 0)
			break;
	}
	CHECK_EQ(off[0], off[1]);
	munmap(run, t.run_size);
	close(fd[1]);
	tvm_close(&t);
}

static void vm_clock(void)
{
	struct kvm_clock_data c = { 0 };
	struct tvm t;
	uint64_t a;

	vm_new(&t);
	CHECK_OK(ioctl(t.vm, KVM_GET_CLOCK, &c));
	a = c.clock;
	CHECK(a < 30000000000ull);	/* begins near zero */
	CHECK_EQ(c.flags & ~0xeu, 0);
	if (c.flags & KVM_CLOCK_REALTIME) {
		struct timespec ts;
		uint64_t real;

		clock_gettime(CLOCK_REALTIME, &ts);
		real = ts.tv_sec * 1000000000ull + ts.tv_nsec;
		CHECK(c.realtime <= real && real - c.realtime < 5000000000);
	}
	CHECK_OK(ioctl(t.vm, KVM_GET_CLOCK, &c));
	CHECK(c.clock > a);
	memset(&c, 0, sizeof(c));
	c.clock = 1000000000000ull;
	CHECK_OK(ioctl(t.vm, KVM_SET_CLOCK, &c));
	CHECK_OK(ioctl(t.vm, KVM_GET_CLOCK, &c));
	CHECK(c.clock >= 1000000000000ull && c.clock < 1010000000000ull);
	c.flags = 1u << 10;
	CHECK_ERR(ioctl(t.vm, KVM_SET_CLOCK, &c), EINVAL);
	CHECK_ERR(ioctl(t.vm, KVM_SET_CLOCK, NULL), EFAULT);
	CHECK_ERR(ioctl(t.vm, KVM_GET_CLOCK, NULL), EFAULT);
	tvm_close(&t);
}

/* The page that the guest reads its time from. */
struct pvclock {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
} __attribute__((packed));

static uint64_t pv_now(const struct pvclock *p, uint64_t tsc)
{
	uint64_t delta = tsc - p->tsc;

	delta = p->shift >= 0 ? delta << p->shift : delta >> -p->shift;
	/* mul is a fraction of 2^32; done in two halves to do without 128 bits. */
	return p->ns + (delta >> 32) * p->mul + (((delta & 0xffffffff) * p->mul) >> 32);
}

static void pv_clock(void)
{
	struct kvm_clock_data c = { 0 };
	struct kvm_cpuid2 *cpuid;
	struct pvclock *p;
	struct tvm t;
	uint64_t ns;

	vm_new(&t);
	/* Offered to the VMM, and by CPUID to the guest: both pairs of MSRs. */
	CHECK_EQ(has_cap(t.sys, KVM_CAP_CLOCKSOURCE), 1);
	cpuid = tvm_supported_cpuid(t.sys);
	REQUIRE(tvm_cpuid_find(cpuid, 0x40000001, 0));
	CHECK_EQ(tvm_cpuid_find(cpuid, 0x40000001, 0)->eax & 9, 9);
	free(cpuid);
	/* Before the guest has switched it on. */
	CHECK_ERR(ioctl(t.fd, KVM_KVMCLOCK_CTRL, 0), EINVAL);
	GUEST_START(&t, LONG, g_tsc);
	p = (struct pvclock *)(t.mem + TVM_DATA);
	CHECK_EQ(set_msr(&t, 0x4b564d01, TVM_DATA | 1), 1);
	ns = pv_now(p, 0);
	ns = guest_tsc(&t);
	CHECK(p->version && !(p->version & 1));
	CHECK(p->mul);
	CHECK(p->tsc <= ns);
	ns = pv_now(p, ns);
	CHECK_OK(ioctl(t.vm, KVM_GET_CLOCK, &c));
	CHECK(ns <= c.clock + 1000000 && c.clock - ns < 100000000);
	/* "The host stopped me": flag bit 1 once the vCPU runs. */
	CHECK_OK(ioctl(t.fd, KVM_KVMCLOCK_CTRL, 0));
	guest_tsc(&t);
	CHECK(p->flags & 2);
	/* The clock set by the VMM is what the guest reads. */
	memset(&c, 0, sizeof(c));
	c.clock = 5000000000000ull;
	CHECK_OK(ioctl(t.vm, KVM_SET_CLOCK, &c));
	ns = guest_tsc(&t);
	ns = pv_now(p, ns);
	CHECK(ns >= 5000000000000ull && ns < 5001000000000ull);
	tvm_close(&t);
}

/* ---- is time promised to agree between vCPUs? -------------------------------------- */

#define CLOCKSOURCE "/sys/devices/system/clocksource/clocksource0/"

/* A word of the host's clocksource files, or all of them. */
static void clocksource(const char *file, char *buf, size_t size)
{
	char name[128];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), CLOCKSOURCE "%s", file);
	fd = open(name, O_RDONLY);
	REQUIRE(fd >= 0);
	n = read(fd, buf, size - 1);
	REQUIRE(n > 0);
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	close(fd);
}

static bool host_clock_is_tsc(void)
{
	char now[32];

	clocksource("current_clocksource", now, sizeof(now));
	return !strcmp(now, "tsc");
}

static void set_clocksource(const char *name)
{
	char now[32];
	int fd = open(CLOCKSOURCE "current_clocksource", O_WRONLY);

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, name, strlen(name)) == (ssize_t)strlen(name));
	close(fd);
	clocksource("current_clocksource", now, sizeof(now));
	REQUIRE(!strcmp(now, name));
}

static bool vm_clock_stable(struct tvm *t)
{
	struct kvm_clock_data c = { 0 };

	CHECK_OK(ioctl(t->vm, KVM_GET_CLOCK, &c));
	return c.flags & KVM_CLOCK_TSC_STABLE;
}

/* A VM whose first vCPU has its clock switched on. */
static struct pvclock *vm_with_clock(struct tvm *t)
{
	vm_new(t);
	GUEST_START(t, LONG, g_tsc);
	CHECK_EQ(set_msr(t, 0x4b564d01, TVM_DATA | 1), 1);
	return (struct pvclock *)(t->mem + TVM_DATA);
}

/*
 * It is exactly where the host keeps time by the TSC itself, for only then can all vCPUs go on from
 * one pair of time and TSC; and the VMM is told the same as the guest.
 */
static void stable_bit(void)
{
	bool tsc = host_clock_is_tsc();
	struct kvm_clock_data c = { 0 };
	struct pvclock *p;
	struct tvm t;

	p = vm_with_clock(&t);
	guest_tsc(&t);
	CHECK_EQ(p->flags & 1, tsc);
	CHECK_EQ(vm_clock_stable(&t), tsc);
	/* A clock that was set is no other. */
	c.clock = 1000000000000ull;
	CHECK_OK(ioctl(t.vm, KVM_SET_CLOCK, &c));
	CHECK_EQ(vm_clock_stable(&t), tsc);
	guest_tsc(&t);
	CHECK_EQ(p->flags & 1, tsc);
	tvm_close(&t);
}

/* Nor is it where the TSCs of the vCPUs were set to different values, until they are one again. */
static void stable_bit_needs_equal_tscs(void)
{
	bool tsc = host_clock_is_tsc();
	struct tvm t, other;
	struct pvclock *p;

	p = vm_with_clock(&t);
	other = t;
	other.fd = tvm_add_vcpu(&t, 1, &other.run);
	tvm_long_at(&t, other.fd, TVM_CODE);
	guest_tsc(&other);
	guest_tsc(&t);
	CHECK_EQ(p->flags & 1, tsc);
	CHECK_EQ(set_msr(&other, 0x10, 1ull << 50), 1);
	/* It tells the others when it runs. */
	guest_tsc(&other);
	guest_tsc(&t);
	CHECK_EQ(p->flags & 1, 0);
	CHECK_EQ(vm_clock_stable(&t), 0);
	CHECK_EQ(set_msr(&t, 0x10, 1ull << 50), 1);
	guest_tsc(&t);
	CHECK_EQ(p->flags & 1, tsc);
	CHECK_EQ(vm_clock_stable(&t), tsc);
	munmap(other.run, t.run_size);
	close(other.fd);
	tvm_close(&t);
}

/* The host changes its clock while the guest runs. */
static void stable_bit_follows(void)
{
	uint64_t end, before;
	struct kvm_clock_data c = { 0 };
	char all[128], *other;
	struct pvclock *p;
	struct tvm t;

	clocksource("available_clocksource", all, sizeof(all));
	for (other = strtok(all, " "); other && !strcmp(other, "tsc"); )
		other = strtok(NULL, " ");
	if (!host_clock_is_tsc() || !other)
		SKIP_REST("the host can't change between its TSC and another clocksource");
	p = vm_with_clock(&t);
	guest_tsc(&t);
	CHECK(p->flags & 1);
	before = pv_now(p, guest_tsc(&t));
	set_clocksource(other);
	/* That comes to the vCPU by and by. */
	end = now_ns() + test_patience(5) * 1000000000ull;
	do {
		guest_tsc(&t);
	} while (p->flags & 1 && now_ns() < end);
	CHECK_EQ(p->flags & 1, 0);
	CHECK_EQ(vm_clock_stable(&t), 0);
	CHECK(pv_now(p, guest_tsc(&t)) > before);
	set_clocksource("tsc");
	/* The way back may wait for the next time the clock is set. */
	CHECK_OK(ioctl(t.vm, KVM_GET_CLOCK, &c));
	c.flags = 0;
	CHECK_OK(ioctl(t.vm, KVM_SET_CLOCK, &c));
	CHECK(vm_clock_stable(&t));
	guest_tsc(&t);
	CHECK(p->flags & 1);
	tvm_close(&t);
}

/* ---- the rest ----------------------------------------------------------------------- */

/* The wall clock: version, seconds and nanoseconds at which the VM's clock began. */
static void wall_clock(void)
{
	uint32_t *w;
	struct tvm t;

	vm_new(&t);
	w = (uint32_t *)(t.mem + TVM_DATA);
	CHECK_EQ(set_msr(&t, 0x4b564d00, TVM_DATA), 1);
	CHECK(w[0] && !(w[0] & 1));
	CHECK(time(NULL) - (time_t)w[1] < 60 && time(NULL) >= (time_t)w[1]);
	CHECK(w[2] < 1000000000);
	/* Where there is no memory nothing is written; the MSR is what it was set to, as any other. */
	CHECK_EQ(set_msr(&t, 0x4b564d00, 1ull << 63 | 2), 1);
	CHECK_EQ(get_msr(&t, 0x4b564d00), 1ull << 63 | 2);
	tvm_close(&t);
}

/*
 * Two vCPUs read their clocks in turns (rdi: this one's page): none may show less than what another
 * has shown before. Out 0x20: the VMM said stop, 0x21: it went backwards.
 */
GUEST(g_mono, 64,
      "1: mov 0xf100, %r8;"
      "2: mov (%rdi), %ebx; test $1, %bl; jnz 2b; lfence; rdtsc; shl $32, %rdx; or %rdx, %rax;"
      "sub 8(%rdi), %rax; movsbl 28(%rdi), %ecx; test %ecx, %ecx; js 3f; shl %cl, %rax; jmp 4f;"
      "3: neg %ecx; shr %cl, %rax; 4: mov 24(%rdi), %edx; mul %rdx; shrd $32, %rdx, %rax;"
      "add 16(%rdi), %rax; cmp (%rdi), %ebx; jne 2b;"
      "cmp %r8, %rax; jb 7f; mov %rax, %r9;"
      "5: mov 0xf100, %rax; cmp %rax, %r9; jbe 6f; lock cmpxchg %r9, 0xf100; jne 5b;"
      "6: incq 32(%rdi); cmpb $0, 0xf108; je 1b; out %al, $0x20; hlt;"
      "7: out %al, $0x21; hlt");

struct mono {
	int fd;
	struct kvm_run *run;
	uint64_t page;
	int port;
};

static void *mono_run(void *p)
{
	struct mono *m = p;
	struct kvm_regs r = { .rip = TVM_CODE, .rsp = TVM_STACK, .rflags = 2, .rdi = m->page };

	ioctl(m->fd, KVM_SET_REGS, &r);
	m->port = !ioctl(m->fd, KVM_RUN, 0) && m->run->exit_reason == KVM_EXIT_IO ?
		  m->run->io.port : -1;
	return NULL;
}

/* Forward by 10 ms and whatever time passed since it was read. */
static void push_clock(struct tvm *t)
{
	struct kvm_clock_data c = { 0 };

	CHECK_OK(ioctl(t->vm, KVM_GET_CLOCK, &c));
	c.clock += 10000000;
	c.flags &= KVM_CLOCK_REALTIME;
	CHECK_OK(ioctl(t->vm, KVM_SET_CLOCK, &c));
}

static void switch_clock_on(struct mono *m)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e;
	} msr = { .h.nmsrs = 1, .e.index = 0x4b564d01, .e.data = m->page | 1 };

	CHECK_EQ(ioctl(m->fd, KVM_SET_MSRS, &msr), 1);
}

/* A clock that is set again and again never shows one vCPU the future of another. */
static void monotonic_while_set(void)
{
	struct pvclock *page[2];
	struct mono m[2];
	pthread_t th[2];
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_mono);
	m[0] = (struct mono) { .fd = t.fd, .run = t.run, .page = 0xf000 };
	m[1] = (struct mono) { .page = 0xf080 };
	m[1].fd = tvm_add_vcpu(&t, 1, &m[1].run);
	tvm_long_at(&t, m[1].fd, TVM_CODE);
	for (int i = 0; i < 2; i++) {
		page[i] = (struct pvclock *)(t.mem + m[i].page);
		switch_clock_on(&m[i]);
		pthread_create(&th[i], NULL, mono_run, &m[i]);
	}
	for (int i = 0; i < 300; i++) {
		push_clock(&t);
		usleep(1000);
	}
	t.mem[0xf108] = 1;
	for (int i = 0; i < 2; i++) {
		pthread_join(th[i], NULL);
		CHECK(*(uint64_t *)(t.mem + m[i].page + 32) > 0);
		/* only clocks of one line are promised to agree */
		if (page[i]->flags & 1)
			CHECK_EQ(m[i].port, 0x20);
	}
	close(m[1].fd);
	tvm_close(&t);
}

TEST_MAIN(T(tsc_khz), T(tsc_khz_of_a_vm), T(tsc_value), T(tsc_adjust), T(tsc_offset_attribute), T(synchronised),
	  T(vm_clock), T(pv_clock), T(stable_bit), T(stable_bit_needs_equal_tscs), T(stable_bit_follows),
	  T(wall_clock), T(monotonic_while_set))
