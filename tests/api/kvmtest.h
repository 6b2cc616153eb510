/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the API tests share: checks that say where they failed, and a way to write guest code in
 * place.
 *
 * A test file is a list of functions, each making its own VM, and ends with TEST_MAIN(one, two,
 * three). CHECK* record a failure and go on; REQUIRE* end the process, for what the rest of the
 * function can't do without. Exit: 0 passed, 1 failed, 77 skipped. SKIP_REST leaves one function and
 * tells run-all, which counts it.
 *
 *	GUEST(name, 16, "in $0x40, %al; hlt");
 *
 * defines guest code as a constant array, to be loaded at TVM_CODE with guest_load(). Code refers
 * to its own labels relative to the instruction pointer, or absolutely as AT(label), which works in
 * every mode because TVM_CODE is below 64 KiB.
 */
#ifndef KVMTEST_H
#define KVMTEST_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include "tinyvmm.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int failures;

#define FAIL(...) \
	do { \
		failures++; \
		printf("%s:%d: ", __FILE__, __LINE__); \
		printf(__VA_ARGS__); \
		putchar('\n'); \
		fflush(stdout); \
	} while (0)

#define CHECK(cond) \
	({ \
		bool ok_ = (cond); \
		if (!ok_) \
			FAIL("not true: %s", #cond); \
		ok_; \
	})

#define CHECK_EQ(a, b) \
	({ \
		unsigned long long a_ = (a), b_ = (b); \
		if (a_ != b_) \
			FAIL("%s is %#llx, not %s = %#llx", #a, a_, #b, b_); \
		a_ == b_; \
	})

/* The call succeeds (returns 0 or more). */
#define CHECK_OK(call) \
	({ \
		long ret_ = (call); \
		if (ret_ < 0) \
			FAIL("%s: %s", #call, strerror(errno)); \
		ret_ >= 0; \
	})

/* The call fails with this error and no other. */
#define CHECK_ERR(call, err) \
	({ \
		long ret_ = (call); \
		int errno_ = errno; \
		if (ret_ != -1) \
			FAIL("%s returned %ld, not %s", #call, ret_, #err); \
		else if (errno_ != (err)) \
			FAIL("%s: %s, not %s", #call, strerror(errno_), #err); \
		ret_ == -1 && errno_ == (err); \
	})

#define REQUIRE(cond) \
	do { \
		if (!CHECK(cond)) \
			exit(1); \
	} while (0)

#define REQUIRE_OK(call) \
	do { \
		if (!CHECK_OK(call)) \
			exit(1); \
	} while (0)

#define SKIP(why) \
	do { \
		printf("%s\n", why); \
		exit(77); \
	} while (0)

/* What follows in this function can't be judged here. The caller has nothing left to do in it. */
#define SKIP_REST(why) \
	do { \
		printf("skipped %s: %s\n", __func__, why); \
		return; \
	} while (0)

static inline int has_cap(int fd, long cap)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, cap);
}

/* In front of an instruction: the emulator does it, if the parameter of kvm allows that. */
#define FORCED "ud2; .ascii \"kvm\";"

/* Sets that parameter, '1' or what a call before returned; returns what was there. */
static inline int forced_emulation(int value)
{
	FILE *f = fopen("/sys/module/kvm/parameters/force_emulation_prefix", "r+");
	int old;

	REQUIRE(f);
	old = fgetc(f);
	rewind(f);
	REQUIRE(fputc(value, f) == value && !fclose(f));
	return old;
}

#define AT_STR(x) #x
/* Absolute guest address of a label of the payload "name". */
#define AT(name, label) "(" #label " - " #name " + 0x8000)"

#ifdef __x86_64__
#define HOST_CODE ".code64"
#else
#define HOST_CODE ".code32"
#endif

/*
 * Labels in text should begin with the payload's name or be numbers: they share one name space in a
 * file.
 */
#define GUEST(name, bits, text) \
	extern const uint8_t name[], name##_end[]; \
	asm(".pushsection .rodata\n.balign 16\n" #name ":\n.code" #bits "\n" text "\n" \
	    #name "_end:\n" HOST_CODE "\n.popsection\n")

#define guest_load(t, name) memcpy((t)->mem + TVM_CODE, name, name##_end - name)

enum guest_mode { REAL, PROT, LONG };

static inline void guest_mode(struct tvm *t, enum guest_mode mode)
{
	if (mode == REAL)
		tvm_real(t);
	else if (mode == PROT)
		tvm_prot(t);
	else
		tvm_long(t);
}

/* A VM with 2 MiB, one vCPU and no interrupt controller. */
static inline void vm_new(struct tvm *t)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
	tvm_vcpu(t);
}

/* The same with interrupt controllers in the kernel. */
static inline void vm_new_irqchip(struct tvm *t)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
	TVM_IOCTL(t->vm, KVM_CREATE_IRQCHIP, 0);
	tvm_vcpu(t);
}

#define GUEST_START(t, mode, name) (guest_load(t, name), guest_mode(t, mode))

/* Run to an exit of this reason; anything else is a failure that tells where the guest stands. */
static inline bool run_to(struct tvm *t, uint32_t reason, const char *file, int line)
{
	if (tvm_run(t) < 0) {
		printf("%s:%d: KVM_RUN: %s\n", file, line, strerror(errno));
	} else if (t->run->exit_reason != reason) {
		printf("%s:%d: not an exit %s: ", file, line, tvm_exit_name(reason));
		tvm_print_exit(stdout, t->fd, t->run);
	} else {
		return true;
	}
	fflush(stdout);
	failures++;
	return false;
}

#define RUN_TO(t, reason) run_to(t, reason, __FILE__, __LINE__)

/* Run to an OUT on this port; the value written is the answer, or ~0 on any other exit. */
static inline uint32_t run_to_out(struct tvm *t, uint16_t port, const char *file, int line)
{
	uint32_t v = 0;

	if (!run_to(t, KVM_EXIT_IO, file, line))
		return ~0u;
	if (t->run->io.direction != KVM_EXIT_IO_OUT || t->run->io.port != port) {
		printf("%s:%d: not an out to port %#x: ", file, line, port);
		tvm_print_exit(stdout, t->fd, t->run);
		failures++;
		return ~0u;
	}
	memcpy(&v, tvm_io_data(t->run), t->run->io.size);
	return v;
}

#define RUN_TO_OUT(t, port) run_to_out(t, port, __FILE__, __LINE__)

static inline struct kvm_regs get_regs(struct tvm *t)
{
	struct kvm_regs r;

	TVM_IOCTL(t->fd, KVM_GET_REGS, &r);
	return r;
}

static inline struct kvm_sregs get_sregs(struct tvm *t)
{
	struct kvm_sregs s;

	TVM_IOCTL(t->fd, KVM_GET_SREGS, &s);
	return s;
}

static inline uint64_t get_msr(struct tvm *t, uint32_t index)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e;
	} m = { .h.nmsrs = 1, .e.index = index };

	if (ioctl(t->fd, KVM_GET_MSRS, &m) != 1)
		FAIL("MSR %#x can't be read", index);
	return m.e.data;
}

/* 1: written, 0: refused, as the ioctl returns it. */
static inline int set_msr(struct tvm *t, uint32_t index, uint64_t data)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e;
	} m = { .h.nmsrs = 1, .e.index = index, .e.data = data };

	return ioctl(t->fd, KVM_SET_MSRS, &m);
}

/* A statistic, from the descriptor that KVM_GET_STATS_FD gave: it can be read while the vCPU runs. */
static inline uint64_t get_stat(int fd, const char *name)
{
	uint64_t buf[64];
	struct kvm_stats_desc *d = (void *)buf;
	struct kvm_stats_header h;
	uint64_t v = 0;
	ssize_t size;

	REQUIRE(pread(fd, &h, sizeof(h), 0) == sizeof(h));
	size = sizeof(*d) + h.name_size;
	REQUIRE(size <= (ssize_t)sizeof(buf));
	for (uint32_t i = 0; i < h.num_desc; i++) {
		REQUIRE(pread(fd, buf, size, h.desc_offset + i * size) == size);
		if (strcmp(d->name, name))
			continue;
		CHECK_EQ(pread(fd, &v, 8, h.data_offset + d->offset), 8);
		return v;
	}
	FAIL("no statistic %s", name);
	return 0;
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* As if userspace had saved this vCPU in the middle of an exception's delivery. */
static inline void exception_in_flight(struct tvm *t, uint8_t vector)
{
	struct kvm_vcpu_events e;

	TVM_IOCTL(t->fd, KVM_GET_VCPU_EVENTS, &e);
	e.exception.injected = 1;
	e.exception.nr = vector;
	CHECK_OK(ioctl(t->fd, KVM_SET_VCPU_EVENTS, &e));
}

typedef void test_fn(void);

struct test {
	const char *name;
	test_fn *fn;
};

/* Seconds of patience, where SECONDS are enough on an idle machine; SLOW says how slow this one is. */
static inline unsigned int test_patience(unsigned int seconds)
{
	const char *slow = getenv("SLOW");

	return seconds * (slow ? (unsigned int)atoi(slow) : 1);
}

static const char *test_running;

static inline void test_alarm(int sig)
{
	static const char msg[] = "no end in time: ";

	(void)sig;
	if (write(1, msg, sizeof(msg) - 1) < 0 ||
	    write(1, test_running, strlen(test_running)) < 0 || write(1, "\n", 1) < 0)
		_exit(2);
	_exit(1);
}

static inline int test_main(const struct test *t, size_t n)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		printf("/dev/kvm: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		int before = failures;

		signal(SIGALRM, test_alarm);
		test_running = t[i].name;
		alarm(test_patience(30));
		t[i].fn();
		alarm(0);
		if (failures != before)
			printf("... in %s()\n", t[i].name);
	}
	return failures ? 1 : 0;
}

#define T(f) { #f, f }
#define TEST_MAIN(...) \
	int main(void) \
	{ \
		static const struct test tests[] = { __VA_ARGS__ }; \
		return test_main(tests, ARRAY_SIZE(tests)); \
	}

#endif
