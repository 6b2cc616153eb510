// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that changes under running vCPUs: pages replaced by the host, slots deleted and made again, dirty logging switched,
 * eventfds plugged and unplugged, all at once. The guest must never see a page that has been replaced already: before each page
 * it reads from other memory how old it may be at most.
 */
#include <sched.h>
#include <sys/syscall.h>
#include "kvmtest.h"

#define P 4096ul
#define PAGES 64
#define EPOCHS 4096
#define SECONDS 8

static struct tvm t;
static uint8_t *win, *other;
static volatile uint64_t *floor_of;
static volatile bool stop;
static struct kvm_run *runs[2];
static int file;
static unsigned long turns[6];

GUEST(g_race, 64,
      "1: xor %esi, %esi;"
      "2: mov $0x100000, %ebx; mov (%rbx,%rsi,8), %rax; mov %esi, %ecx; shl $12, %ecx;"
      "mov $0x400000, %edi; mov (%rdi,%rcx), %rdx; cmp %rax, %rdx; jb 9f;"
      "mov $0x600000, %edi; mov %rdx, 8(%rdi,%rcx);"
      "inc %esi; and $63, %esi; jnz 2b; lock incq 0x100800; jmp 1b;"
      "9: out %al, $0x10; jmp 1b");

static void *vcpu_thread(void *p)
{
	int fd = *(int *)p;
	struct kvm_run *run = runs[fd != t.fd];

	while (!stop) {
		if (ioctl(fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR)
				FAIL("KVM_RUN: %s", strerror(errno));
			continue;
		}
		if (run->exit_reason == KVM_EXIT_IO)
			FAIL("a stale page was read");
		else if (run->exit_reason != KVM_EXIT_MMIO) {
			FAIL("exit %u", run->exit_reason);
			break;
		}
	}
	return NULL;
}

static void *replacer(void *p)
{
	uint64_t epoch[PAGES] = { 0 };
	unsigned int seed = 1;

	(void)p;
	while (!stop) {
		int i = rand_r(&seed) % PAGES;
		uint64_t e = epoch[i] + 1;

		if (e == EPOCHS)
			break;
		switch (rand_r(&seed) % 4) {
		case 0:
			madvise(win + i * P, P, MADV_DONTNEED);
			break;
		case 1:
			mprotect(win + i * P, P, PROT_READ);
			break;
		default:
			REQUIRE(mmap(win + i * P, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, e * P) != MAP_FAILED);
			floor_of[i] = epoch[i] = e;
		}
		turns[0]++;
		if (rand_r(&seed) % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void *slots(void *p)
{
	struct kvm_dirty_log log = { .slot = 1 };
	uint64_t map[2];

	(void)p;
	while (!stop) {
		REQUIRE_OK(tvm_set_slot(t.vm, 2, 0, 0, 0, NULL));
		REQUIRE_OK(tvm_set_slot(t.vm, 2, 0, 0x600000, PAGES * P, other));
		REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x400000, PAGES * P, win));
		log.dirty_bitmap = map;
		REQUIRE_OK(ioctl(t.vm, KVM_GET_DIRTY_LOG, &log));
		REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, PAGES * P, win));
		turns[1]++;
		usleep(500);
	}
	return NULL;
}

static void *wires(void *p)
{
	uint64_t one = 1;

	(void)p;
	for (int i = 0; !stop; i++) {
		int e = eventfd(0, EFD_NONBLOCK), r = eventfd(0, EFD_NONBLOCK);
		struct kvm_ioeventfd io = { .addr = 0x700000, .fd = e, .len = i & 1 ? 0 : 4 };
		struct kvm_irqfd irq = { .fd = e, .gsi = 5 + i % 3, .resamplefd = r,
					 .flags = i & 2 ? KVM_IRQFD_FLAG_RESAMPLE : 0 };

		REQUIRE_OK(ioctl(t.vm, KVM_IOEVENTFD, &io));
		REQUIRE_OK(ioctl(t.vm, KVM_IRQFD, &irq));
		REQUIRE(write(e, &one, 8) == 8);
		io.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
		REQUIRE_OK(ioctl(t.vm, KVM_IOEVENTFD, &io));
		irq.flags = KVM_IRQFD_FLAG_DEASSIGN;
		if (i & 4)
			REQUIRE_OK(ioctl(t.vm, KVM_IRQFD, &irq));
		close(e);
		close(r);
		turns[2]++;
		usleep(200);
	}
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void race(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	pthread_t th[5];
	struct kvm_run *run;
	int fd1;

	sigaction(SIGUSR1, &a, NULL);
	file = syscall(SYS_memfd_create, "epochs", 0);
	REQUIRE_OK(ftruncate(file, EPOCHS * P));
	for (uint64_t e = 0; e < EPOCHS; e++)
		REQUIRE(pwrite(file, &e, 8, e * P) == 8);
	win = mmap(NULL, PAGES * P, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	for (int i = 0; i < PAGES; i++)
		mmap(win + i * P, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
	other = tvm_alloc(PAGES * P);

	vm_new_irqchip(&t);
	floor_of = (void *)(t.mem + 0x100000);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, PAGES * P, win));
	REQUIRE_OK(tvm_set_slot(t.vm, 2, 0, 0x600000, PAGES * P, other));
	GUEST_START(&t, LONG, g_race);
	fd1 = tvm_add_vcpu(&t, 1, &run);
	{
		struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
		struct kvm_sregs s = get_sregs(&t);

		s.apic_base &= ~(1ul << 8);
		REQUIRE_OK(ioctl(fd1, KVM_SET_MP_STATE, &mp));
		REQUIRE_OK(ioctl(fd1, KVM_SET_SREGS, &s));
		tvm_start(fd1, TVM_CODE, TVM_STACK);
	}
	runs[0] = t.run;
	runs[1] = run;
	pthread_create(&th[0], NULL, vcpu_thread, &t.fd);
	pthread_create(&th[1], NULL, vcpu_thread, &fd1);
	pthread_create(&th[2], NULL, replacer, NULL);
	pthread_create(&th[3], NULL, slots, NULL);
	pthread_create(&th[4], NULL, wires, NULL);
	for (int i = 0; i < SECONDS * 10 && !failures; i++)
		usleep(100000);
	stop = true;
	for (int i = 0; i < 5; i++) {
		if (i < 2) {
			/* the signal alone may come between the look at stop and KVM_RUN */
			runs[i]->immediate_exit = 1;
			pthread_kill(th[i], SIGUSR1);
		}
		pthread_join(th[i], NULL);
	}
	printf("guest rounds %lu, pages %lu, slots %lu, wires %lu\n", (unsigned long)*(uint64_t *)(t.mem + 0x100800),
	       turns[0], turns[1], turns[2]);
	CHECK(*(uint64_t *)(t.mem + 0x100800) > 10);
	CHECK(turns[0] > 10 && turns[1] > 3 && turns[2] > 3);
	tvm_close(&t);
}

TEST_MAIN(T(race))
