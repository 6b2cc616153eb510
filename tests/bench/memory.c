// SPDX-License-Identifier: GPL-2.0
/*
 * What a VM costs in memory: kernel bytes for an idle VM with one vCPU, and for each vCPU more.
 *
 * Makes many alike, each vCPU run once to its first exit, and divides what the host then has less.
 * The guest's own RAM and this program's memory are taken out by counting them (shared, anonymous
 * and page-table pages); what is left is the kernel's.
 *
 * Prints "name,bytes" lines.
 */
#include "tinyvmm.h"

#define VMS	24
#define MORE	7	/* further vCPUs of each VM in the second round */

static long meminfo(const char *key)
{
	char line[128];
	long v = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		tvm_die("/proc/meminfo");
	while (v < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			v = strtol(line + strlen(key) + 1, NULL, 10);
	fclose(f);
	return v < 0 ? 0 : v * 1024;
}

/* Free pages on the CPUs' own lists, which MemFree leaves out: some MB that come and go. */
static long percpu_free(void)
{
	long pages = 0;
	char line[128];
	FILE *f = fopen("/proc/zoneinfo", "r");

	if (!f)
		tvm_die("/proc/zoneinfo");
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "count:");

		if (p)
			pages += strtol(p + strlen("count:"), NULL, 10);
	}
	fclose(f);
	return pages * 4096;
}

/* What the kernel holds, without what belongs to processes and without caches of files. */
static long kernel_bytes(void)
{
	sleep(1);	/* freed by grace periods */
	return meminfo("MemTotal") - meminfo("MemFree") - percpu_free() - meminfo("AnonPages") -
	       meminfo("Cached") - meminfo("Buffers") - meminfo("PageTables");
}

static void make(struct tvm *t, int vcpus, int *fd)
{
	struct kvm_run *run;

	tvm_open(t);
	tvm_mem(t, 1 << 20);
	TVM_IOCTL(t->vm, KVM_CREATE_IRQCHIP, 0);
	tvm_vcpu(t);
	t->mem[TVM_CODE] = 0xe6;	/* out %al, $0xf4 */
	t->mem[TVM_CODE + 1] = 0xf4;
	tvm_real(t);
	for (int i = 1; i < vcpus; i++)
		fd[i] = tvm_add_vcpu(t, i, &run);
	if (tvm_run(t) < 0 || t->run->exit_reason != KVM_EXIT_IO) {
		tvm_print_exit(stderr, t->fd, t->run);
		exit(1);
	}
	/* vCPUs more have run, too, as in real use. */
	for (int i = 1; i < vcpus; i++) {
		struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

		TVM_IOCTL(fd[i], KVM_SET_MP_STATE, &runnable);
		tvm_real_at(fd[i], TVM_CODE);
		if (ioctl(fd[i], KVM_RUN, 0) < 0)
			tvm_die("KVM_RUN");
	}
}

/*
 * All stay until the end: the allocators keep what is freed, and a second round would look free of
 * cost.
 */
static long cost(int vms, int vcpus)
{
	long before = kernel_bytes();

	for (int i = 0; i < vms; i++) {
		struct tvm t;
		int fd[MORE + 1];

		make(&t, vcpus, fd);
	}
	return (kernel_bytes() - before) / vms;
}

int main(void)
{
	long one, more;

	/* what is made once for all VMs, and what boot still frees behind our back */
	cost(VMS, 1);
	one = cost(VMS, 1);
	more = cost(VMS, 1 + MORE);
	printf("idle VM with one vCPU,%ld\n", one);
	printf("each further vCPU,%ld\n", (more - one) / MORE);
	return 0;
}
