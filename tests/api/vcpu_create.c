// SPDX-License-Identifier: GPL-2.0
/* Creating vCPUs, mapping struct kvm_run, the life of descriptors, use from another process. */
#include "kvmtest.h"

static void ids(void)
{
	struct tvm t;
	int max, a, b;

	tvm_open(&t);
	max = has_cap(t.sys, KVM_CAP_MAX_VCPU_ID);
	a = ioctl(t.vm, KVM_CREATE_VCPU, 0);
	CHECK_OK(a);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, 0), EEXIST);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, max), EINVAL);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, -1), EINVAL);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, 1u << 31), EINVAL);
	b = ioctl(t.vm, KVM_CREATE_VCPU, 7);	/* gaps are fine */
	CHECK_OK(b);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, 7), EEXIST);
	/* Closing the descriptor doesn't give the id back. */
	close(b);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, 7), EEXIST);
	close(a);
	tvm_close(&t);
}

static void many(void)
{
	int n = 16, fd[16];
	struct tvm t;

	tvm_open(&t);
	for (int i = 0; i < n; i++)
		CHECK_OK(fd[i] = ioctl(t.vm, KVM_CREATE_VCPU, i));
	for (int i = 0; i < n; i++)
		close(fd[i]);
	tvm_close(&t);
}

static void max_vcpu_id(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { 2 } };
	struct tvm t;

	tvm_open(&t);
	CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &c));
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_VCPU, 2), EINVAL);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_VCPU, 1));
	c.args[0] = 3;
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	tvm_close(&t);
}

static void mapping(void)
{
	struct tvm t;
	void *p;

	vm_new(&t);
	CHECK_EQ(t.run->exit_reason, 0);
	/*
	 * Beyond the shared pages there is nothing to map but SIGBUS; a private writable mapping is
	 * as good.
	 */
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, t.fd, 0);
	CHECK(p != MAP_FAILED);
	t.run->immediate_exit = 1;
	CHECK_EQ(((struct kvm_run *)p)->immediate_exit, 1);
	munmap(p, 4096);
	tvm_close(&t);
}

GUEST(out_hlt, 16, "mov $0x42, %al; out %al, $0x10; hlt");

/* The vCPU's descriptor keeps the VM alive. */
static void vcpu_outlives_vm_descriptor(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, out_hlt);
	close(t.vm);
	t.vm = open("/dev/null", O_RDONLY);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x42);
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

static void run_mapping_outlives_descriptor(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, out_hlt);
	RUN_TO(&t, KVM_EXIT_IO);
	close(t.fd);
	close(t.vm);
	CHECK_EQ(t.run->exit_reason, KVM_EXIT_IO);
	t.vm = t.fd = open("/dev/null", O_RDONLY);
	tvm_close(&t);
}

static int in_child(int fd, unsigned long nr, void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(ioctl(fd, nr, arg) < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A VM belongs to the address space that made it: another one gets EIO from every ioctl. */
static void another_process(void)
{
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, out_hlt);
	CHECK_EQ(in_child(t.vm, KVM_CREATE_VCPU, (void *)1ul), EIO);
	CHECK_EQ(in_child(t.vm, KVM_CHECK_EXTENSION, NULL), EIO);
	CHECK_EQ(in_child(t.fd, KVM_GET_REGS, &r), EIO);
	CHECK_EQ(in_child(t.fd, KVM_RUN, NULL), EIO);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x42);
	tvm_close(&t);
}

/*
 * The child of a fork keeps the descriptors when the parent is killed; nothing may be left when it
 * ends, too.
 */
static void killed_with_descriptors_elsewhere(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct tvm t;

		vm_new(&t);
		GUEST_START(&t, REAL, out_hlt);
		tvm_run(&t);
		if (!fork()) {
			usleep(100000);
			_exit(0);
		}
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status));
	usleep(150000);
}

/* What a vCPU holds after reset. */
static void reset_state(void)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	r = get_regs(&t);
	s = get_sregs(&t);
	CHECK_EQ(r.rip, 0xfff0);
	CHECK_EQ(r.rflags, 2);
	CHECK_EQ(r.rax | r.rbx | r.rcx | r.rsp | r.rbp | r.rsi | r.rdi | r.r8 | r.r15, 0);
	CHECK_EQ(s.cs.base, 0xffff0000);
	CHECK_EQ(s.cs.selector, 0xf000);
	CHECK_EQ(s.cs.limit, 0xffff);
	CHECK_EQ(s.ds.base | s.es.base | s.ss.base | s.fs.base | s.gs.base, 0);
	CHECK_EQ(s.cr0, 0x60000010);
	CHECK_EQ(s.cr2 | s.cr3 | s.cr4 | s.efer | s.cr8, 0);
	CHECK_EQ(s.apic_base, 0xfee00900);
	CHECK_EQ(s.idt.limit, 0xffff);
	CHECK_EQ(s.gdt.limit, 0xffff);
	tvm_close(&t);
}

TEST_MAIN(T(ids), T(many), T(max_vcpu_id), T(mapping), T(vcpu_outlives_vm_descriptor),
	  T(run_mapping_outlives_descriptor), T(another_process),
	  T(killed_with_descriptors_elsewhere), T(reset_state))
