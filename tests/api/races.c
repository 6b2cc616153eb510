// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads on one VM: slots that change under a running guest, routes under ringing
 * eventfds, vCPUs that are being made while others use the VM, timers and interrupts at teardown.
 * The judge is mostly the kernel log; what must come out right is checked.
 */
#include "kvmtest.h"

#define P 4096ull
#define SECONDS 2

static volatile bool stop;
static struct tvm vm;
static uint8_t *host[2];

/*
 * For ever: adds 1 to the counter at 0x9000 of plain memory, writes it to the page that comes and
 * goes, reads it back.
 */
GUEST(g_writer, 32, "1: incl 0x9000; mov 0x9000, %eax; mov %eax, 0x400000; mov 0x400000, %ebx;"
		    "jmp 1b");

static void *mover(void *p)
{
	(void)p;
	for (unsigned int i = 0; !stop; i++) {
		switch (i % 6) {
		case 0:
			tvm_set_slot(vm.vm, 1, 0, 0, 0, NULL);
			break;
		case 1:
			tvm_set_slot(vm.vm, 1, 0, 0x400000, P, host[i / 6 % 2]);
			break;
		case 2:
			tvm_set_slot(vm.vm, 1, 0, 0x800000, P, host[i / 6 % 2]);
			break;
		case 3:
			tvm_set_slot(vm.vm, 1, 0, 0x400000, P, host[i / 6 % 2]);
			break;
		case 4:
			tvm_set_slot(vm.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x400000, P,
				     host[i / 6 % 2]);
			break;
		case 5:
			madvise(host[i / 6 % 2], P, MADV_DONTNEED);
			break;
		}
	}
	return NULL;
}

static void *stopper(void *p)
{
	(void)p;
	sleep(SECONDS);
	stop = true;
	vm.run->immediate_exit = 1;
	pthread_kill(*(pthread_t *)p, SIGUSR1);
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

/* Run until the stopper says so; MMIO is what the guest meets where there is no slot. */
static void run_until_stopped(void)
{
	struct sigaction a = { .sa_handler = nothing };
	pthread_t self = pthread_self(), th;

	sigaction(SIGUSR1, &a, NULL);
	stop = false;
	pthread_create(&th, NULL, stopper, &self);
	while (!stop) {
		if (tvm_run(&vm) < 0) {
			if (errno != EINTR && errno != EAGAIN) {
				FAIL("KVM_RUN: %s", strerror(errno));
				break;
			}
		} else if (vm.run->exit_reason != KVM_EXIT_MMIO &&
			   vm.run->exit_reason != KVM_EXIT_IO) {
			tvm_print_exit(stdout, vm.fd, vm.run);
			failures++;
			break;
		}
	}
	pthread_join(th, NULL);
}

static void slots(void)
{
	pthread_t th;
	uint32_t n;

	host[0] = tvm_alloc(P);
	host[1] = tvm_alloc(P);
	vm_new(&vm);
	GUEST_START(&vm, PROT, g_writer);
	stop = false;
	pthread_create(&th, NULL, mover, NULL);
	run_until_stopped();
	pthread_join(th, NULL);
	memcpy(&n, vm.mem + 0x9000, 4);
	CHECK(n > 100);
	tvm_close(&vm);
}

static int bell;

static void *router(void *p)
{
	(void)p;
	for (unsigned int i = 0; !stop; i++) {
		struct {
			struct kvm_irq_routing h;
			struct kvm_irq_routing_entry e;
		} r = {
			.h.nr = i & 1,
			.e = { .gsi = 40, .type = KVM_IRQ_ROUTING_MSI,
				.u.msi = { .address_lo = 0xfee00000, .data = 0x31 } },
		};

		ioctl(vm.vm, KVM_SET_GSI_ROUTING, &r);
	}
	return NULL;
}

static void *ringer(void *p)
{
	uint64_t one = 1;

	(void)p;
	for (unsigned int i = 0; !stop; i++) {
		struct kvm_irqfd f = { .fd = bell, .gsi = 40, .flags = i & 64 ?
			KVM_IRQFD_FLAG_DEASSIGN : 0 };

		if (i % 64 == 0)
			ioctl(vm.vm, KVM_IRQFD, &f);
		if (write(bell, &one, 8) != 8)
			break;
	}
	return NULL;
}

GUEST(g_apic, 64,
      "mov $0xff, %al; out %al, $0x21; mov $0xfee000f0, %eax; movl $0x1ff, (%rax);"
      "lea " AT(g_apic, g_apic_idt) ", %rax; lidt (%rax); sti; 1: hlt; jmp 1b;"
      "g_apic_isr: incl 0x9000; mov $0xfee000b0, %eax; movl $0, (%rax); iretq;"
      "g_apic_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_apic_isr[];

static void routes(void)
{
	pthread_t a, b;
	uint32_t n;

	bell = eventfd(0, EFD_NONBLOCK);
	vm_new_irqchip(&vm);
	GUEST_START(&vm, LONG, g_apic);
	tvm_gate(&vm, 0x31, TVM_CODE + (g_apic_isr - g_apic));
	stop = false;
	pthread_create(&a, NULL, router, NULL);
	pthread_create(&b, NULL, ringer, NULL);
	run_until_stopped();
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	memcpy(&n, vm.mem + 0x9000, 4);
	CHECK(n > 10);
	tvm_close(&vm);
	close(bell);
}

/*
 * vCPUs are made while another thread uses the VM's ioctls; each is whole when its descriptor is
 * there.
 */
static void *maker(void *p)
{
	struct kvm_regs r;

	(void)p;
	for (int i = 1; i < 32 && !stop; i++) {
		int fd = ioctl(vm.vm, KVM_CREATE_VCPU, i);

		if (fd < 0 || ioctl(fd, KVM_GET_REGS, &r) < 0)
			FAIL("vCPU %d: %s", i, strerror(errno));
		close(fd);
	}
	return NULL;
}

static void vcpu_creation(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000 | 0xff << 12, .data = 0x31 };
	pthread_t th;

	for (int round = 0; round < 5; round++) {
		vm_new_irqchip(&vm);
		stop = false;
		pthread_create(&th, NULL, maker, NULL);
		for (int i = 0; i < 500; i++) {
			struct kvm_irq_level l = { .irq = i % 24, .level = i & 1 };

			ioctl(vm.vm, KVM_SIGNAL_MSI, &msi);
			ioctl(vm.vm, KVM_IRQ_LINE, &l);
		}
		pthread_join(th, NULL);
		tvm_close(&vm);
	}
}

static void *same_id(void *p)
{
	int fd = ioctl(vm.vm, KVM_CREATE_VCPU, 1);

	(void)p;
	return (void *)(long)(fd < 0 ? -errno : fd);
}

/* Of those who make the same vCPU at once one succeeds. */
static void same_vcpu(void)
{
	for (int round = 0; round < 20; round++) {
		int made = 0, there = 0;
		pthread_t th[4];

		vm_new(&vm);
		for (int i = 0; i < 4; i++)
			pthread_create(&th[i], NULL, same_id, NULL);
		for (int i = 0; i < 4; i++) {
			void *ret;

			pthread_join(th[i], &ret);
			made += (long)ret >= 0;
			there += (long)ret == -EEXIST;
			if ((long)ret >= 0)
				close((long)ret);
		}
		CHECK_EQ(made, 1);
		CHECK_EQ(there, 3);
		tvm_close(&vm);
	}
}

static int module_users(void)
{
	int n = -1;
	FILE *f = fopen("/sys/module/kvm/refcnt", "r");

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void *run_thread(void *p)
{
	(void)p;
	for (;;)
		ioctl(vm.fd, KVM_RUN, 0);
	return NULL;
}

static void busy_vm(unsigned int seed)
{
	struct kvm_pit_config pit = { 0 };
	struct kvm_irqfd f = { .gsi = 40 };
	pthread_t th;

	bell = eventfd(0, EFD_NONBLOCK);
	host[0] = tvm_alloc(P);
	host[1] = tvm_alloc(P);
	vm_new_irqchip(&vm);
	ioctl(vm.vm, KVM_CREATE_PIT2, &pit);
	f.fd = bell;
	ioctl(vm.vm, KVM_IRQFD, &f);
	if (seed & 1)
		GUEST_START(&vm, PROT, g_writer);
	else
		GUEST_START(&vm, LONG, g_apic);
	pthread_create(&th, NULL, run_thread, NULL);
	pthread_create(&th, NULL, seed & 2 ? mover : ringer, NULL);
	pthread_create(&th, NULL, seed & 4 ? router : maker, NULL);
	pause();
}

/* A VMM killed at any instant leaves nothing: the modules are as unused as before. */
static void killed(void)
{
	int before = module_users();

	for (unsigned int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (!pid) {
			stop = false;
			busy_vm(i);
			_exit(0);
		}
		usleep(i * 997 % 30000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* The last references go with the last grace periods. */
	for (int i = 0; i < 50 && module_users() != before; i++)
		usleep(100000);
	CHECK_EQ(module_users(), before);
}

TEST_MAIN(T(slots), T(routes), T(vcpu_creation), T(same_vcpu), T(killed))
