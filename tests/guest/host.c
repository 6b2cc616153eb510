// SPDX-License-Identifier: GPL-2.0
/*
 * The host half of the guest tests: loads the payload that is linked into it, runs its vCPUs, each
 * in a thread, and does what the guest asks for between two of its instructions (guest.h). Exit: 0
 * the guest is satisfied, 1 it is not or it ended otherwise.
 *
 *	NAME [-v]	-v prints every exit
 */
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include "tinyvmm.h"
#include "guest.h"

#define MAX_CPUS 8

extern const uint8_t payload_start[], payload_stop[], payload_is_32[];

struct vcpu {
	struct tvm *t;
	int fd, index;
	struct kvm_run *run;
	pthread_t thread;
};

static struct vcpu cpus[MAX_CPUS];
static int n_cpus;
static volatile bool late;
static uint8_t device[DEVICE_SIZE];
static uint8_t fifo[4096];
static unsigned int fifo_in, fifo_out;
static uint32_t echo;
static bool verbose;

static void drop(struct tvm *t, uint64_t from, uint64_t size)
{
	if (from >= t->size || madvise(t->mem + (from & ~0xfffull), size, MADV_DONTNEED))
		tvm_die("madvise");
}

/* With logging switched on, every page is write-protected until its next write. */
static void protect(struct tvm *t)
{
	if (tvm_set_slot(t->vm, 0, 0, 0, t->size, t->mem) ||
	    tvm_set_slot(t->vm, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, t->size, t->mem))
		tvm_die("KVM_SET_USER_MEMORY_REGION");
}

static void line(struct tvm *t, uint32_t v)
{
	struct kvm_irq_level l = { .irq = v & 0xff, .level = v >> 8 & 1 };

	TVM_IOCTL(t->vm, KVM_IRQ_LINE, &l);
}

/* The statistics file of the vCPU has a counter of this name. */
static uint64_t counter(struct vcpu *c, const char *name)
{
	struct kvm_stats_header h;
	union {
		struct kvm_stats_desc d;
		char bytes[sizeof(struct kvm_stats_desc) + 64];
	} desc;
	ssize_t size;
	int fd = ioctl(c->fd, KVM_GET_STATS_FD, 0);
	uint64_t v = 0;

	if (fd < 0 || pread(fd, &h, sizeof(h), 0) != sizeof(h))
		tvm_die("KVM_GET_STATS_FD");
	size = sizeof(desc.d) + h.name_size;
	for (uint32_t i = 0; i < h.num_desc; i++) {
		if (size > (ssize_t)sizeof(desc) ||
		    pread(fd, &desc, size, h.desc_offset + i * size) != size)
			tvm_die("statistics");
		if (!strcmp(desc.d.name, name) &&
		    pread(fd, &v, sizeof(v), h.data_offset + desc.d.offset) != sizeof(v))
			tvm_die("statistics");
	}
	close(fd);
	return v;
}

static void blockirq(struct vcpu *c, bool on)
{
	struct kvm_guest_debug d = { .control = on ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ : 0 };

	TVM_IOCTL(c->fd, KVM_SET_GUEST_DEBUG, &d);
}

static void io_out(struct vcpu *c, const uint8_t *data)
{
	struct kvm_run *run = c->run;
	uint32_t v = 0;

	memcpy(&v, data, run->io.size);
	switch (run->io.port) {
	case PORT_DROP:
		drop(c->t, v, 4096);
		break;
	case PORT_DROP_ALL:
		drop(c->t, 0, c->t->size);
		break;
	case PORT_PROTECT:
		protect(c->t);
		break;
	case PORT_NMI:
		TVM_IOCTL(c->fd, KVM_NMI, 0);
		break;
	case PORT_LINE:
		line(c->t, v);
		break;
	case PORT_ECHO:
		echo = v;
		break;
	case PORT_BLOCKIRQ:
		blockirq(c, v);
		break;
	case PORT_CHAR:
		fwrite(data, run->io.size, run->io.count, stdout);
		break;
	case PORT_FIFO:
		for (uint32_t i = 0; i < run->io.size * run->io.count; i++)
			fifo[fifo_in++ % sizeof(fifo)] = data[i];
		break;
	case PORT_DONE:
		fflush(stdout);
		_exit(v ? 1 : 0);
	}
}

static void io_in(struct vcpu *c, uint8_t *data)
{
	struct kvm_run *run = c->run;
	uint32_t n = run->io.size * run->io.count;

	memset(data, 0xff, n);
	if (run->io.port == PORT_ECHO) {
		memcpy(data, &echo, run->io.size);
		echo++;
	} else if (run->io.port == PORT_EXITS) {
		*(uint32_t *)data = counter(c, "exits");
	} else if (run->io.port == PORT_APICV) {
		*(uint32_t *)data = host_has_apicv();
	} else if (run->io.port == PORT_FIFO) {
		for (uint32_t i = 0; i < n; i++)
			data[i] = fifo[fifo_out++ % sizeof(fifo)];
	}
}

static void mmio(struct vcpu *c)
{
	struct kvm_run *run = c->run;
	uint64_t at = run->mmio.phys_addr - DEVICE;

	if (run->mmio.phys_addr < DEVICE || at + run->mmio.len > DEVICE_SIZE)
		memset(run->mmio.data, 0xff, run->mmio.is_write ? 0 : run->mmio.len);
	else if (run->mmio.is_write)
		memcpy(device + at, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, device + at, run->mmio.len);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Time is up: every vCPU leaves the guest and tells. */
static void stuck(int sig)
{
	(void)sig;
	late = true;
	for (int i = 0; i < n_cpus; i++) {
		cpus[i].run->immediate_exit = 1;
		pthread_kill(cpus[i].thread, SIGUSR1);
	}
	signal(SIGALRM, SIG_DFL);	/* one of them does not even leave */
	alarm(10);
}

/* What this vCPU waits for can be told from its stack and its APIC. */
static void tell(struct vcpu *c)
{
	static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
	static int told;
	struct kvm_lapic_state apic;
	struct kvm_mp_state mp;
	struct kvm_regs r;

	pthread_mutex_lock(&one_by_one);
	TVM_IOCTL(c->fd, KVM_GET_REGS, &r);
	printf("%svCPU %d: rip %#llx rflags %#llx rsp %#llx:", told ? "" : "\nno end; where the guest stands:\n",
	       c->index, r.rip, r.rflags, r.rsp);
	for (uint64_t at = r.rsp; at < r.rsp + 96 && at + 8 <= c->t->size; at += 8)
		printf(" %llx", *(unsigned long long *)(c->t->mem + at));
	if (!ioctl(c->fd, KVM_GET_MP_STATE, &mp) && !ioctl(c->fd, KVM_GET_LAPIC, &apic)) {
		printf("\n  mp_state %u, APIC:", mp.mp_state);
		for (int at = 0x80; at < 0x400; at += 16)
			if (*(uint32_t *)(apic.regs + at))
				printf(" %x=%x", at, *(uint32_t *)(apic.regs + at));
	}
	printf("\n");
	fflush(stdout);
	if (++told == n_cpus)
		_exit(1);
	pthread_mutex_unlock(&one_by_one);
	pause();
}

static void *run_vcpu(void *p)
{
	struct vcpu *c = p;

	for (;;) {
		if (ioctl(c->fd, KVM_RUN, 0) < 0) {
			while (late)
				tell(c);
			if (errno == EINTR || errno == EAGAIN)
				continue;
			fprintf(stderr, "vCPU %d: KVM_RUN: %s; ", c->index, strerror(errno));
			tvm_print_exit(stderr, c->fd, c->run);
			_exit(1);
		}
		if (verbose && (c->run->exit_reason != KVM_EXIT_IO || c->run->io.port != PORT_CHAR))
			tvm_print_exit(stderr, c->fd, c->run);
		if (c->run->exit_reason == KVM_EXIT_IO) {
			if (c->run->io.direction == KVM_EXIT_IO_OUT)
				io_out(c, tvm_io_data(c->run));
			else
				io_in(c, tvm_io_data(c->run));
		} else if (c->run->exit_reason == KVM_EXIT_MMIO) {
			mmio(c);
		} else {
			printf("\nvCPU %d: ", c->index);
			tvm_print_exit(stdout, c->fd, c->run);
			_exit(1);
		}
	}
	return NULL;
}

static bool parameter_is_on(const char *module, const char *name)
{
	char path[128];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	f = fopen(path, "r");
	c = f ? getc(f) : 'N';
	if (f)
		fclose(f);
	return c == 'Y' || c == '1';
}

static void start_vcpu(struct vcpu *c)
{
	struct kvm_regs r = {
		.rip = LOAD + 16, .rsp = STACKS + 0x4000 * (c->index + 1), .rflags = 2,
		.rdi = c->index,
		.rsi = host_is_tcg(),
		.rdx = parameter_is_on("kvm_amd", "emulate_real_mode"),
	};
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

	if (payload_is_32[0])
		tvm_prot_at(c->t, c->fd, r.rip);
	else
		tvm_long_at(c->t, c->fd, r.rip);
	TVM_IOCTL(c->fd, KVM_SET_REGS, &r);
	if (c->index)
		TVM_IOCTL(c->fd, KVM_SET_MP_STATE, &runnable);
}

/*
 * Task switches of QEMU's emulator load the guest's own CR3, which is not the one in use with
 * shadow paging.
 */
static bool switches_tasks_right(void)
{
	return !host_is_tcg() || parameter_is_on("kvm_amd", "npt");
}

int main(int argc, char **argv)
{
	uint64_t header[2];
	struct tvm t;

	verbose = argc > 1 && !strcmp(argv[1], "-v");
	memcpy(header, payload_start, sizeof(header));
	if (header[0] != HEADER_MAGIC) {
		fprintf(stderr, "%s: payload without header\n", argv[0]);
		return 1;
	}
	if (payload_is_32[0] && !switches_tasks_right()) {
		printf("no task switches with shadow paging on this emulator\n");
		return 77;
	}
	n_cpus = header[1] & 0xff;
	tvm_open(&t);
	tvm_mem(&t, RAM_SIZE);
	if (header[1] & HEADER_IRQCHIP)
		TVM_IOCTL(t.vm, KVM_CREATE_IRQCHIP, 0);
	if (header[1] & HEADER_PIT) {
		struct kvm_pit_config pit = { 0 };

		TVM_IOCTL(t.vm, KVM_CREATE_PIT2, &pit);
	}
	memcpy(t.mem + LOAD, payload_start, payload_stop - payload_start);
	for (int i = 0; i < n_cpus; i++) {
		cpus[i] = (struct vcpu) { .t = &t, .index = i };
		cpus[i].fd = tvm_add_vcpu(&t, i, &cpus[i].run);
		start_vcpu(&cpus[i]);
	}
	cpus[0].thread = pthread_self();
	signal(SIGUSR1, nothing);
	signal(SIGALRM, stuck);
	alarm(40 * (getenv("SLOW") ? atoi(getenv("SLOW")) : 1));
	for (int i = 1; i < n_cpus; i++)
		pthread_create(&cpus[i].thread, NULL, run_vcpu, &cpus[i]);
	run_vcpu(&cpus[0]);
	return 1;
}
