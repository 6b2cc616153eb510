// SPDX-License-Identifier: GPL-2.0
/*
 * churn [SHARE [PART]]: give the kernel's page tables work. Everything here makes them, fills
 * them, takes them down or switches between them, and computes as good as nothing; with
 * shadow paging nearly all of that costs exits.
 *
 *	fork	2000 processes, one after the other: each writes to some pages and ends
 *	exec	500 processes that run this program anew
 *	ring	100 processes alive at once pass a token around, 20 times
 *	small	a gigabyte in pieces: mapped, each page of 4 KiB touched, unmapped
 *	large	the same in huge pages
 *	rights	pages made read-only, writable again and written to, over and over
 *
 * SHARE (1) divides all these numbers; PART is one of the names above. For each part a line tells how long it took by the TSC,
 * in thousands; where the host counts instructions that is host instructions.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <x86intrin.h>

#define PAGE		4096UL
#define PIECE		(64UL << 20)
#define WRITTEN		16		/* pages that a child writes to */

static const char *self;
static char data[64 * PAGE] __attribute__((aligned(PAGE)));

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die("a child failed");
}

static void part_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		for (int i = 0; i < WRITTEN; i++)
			data[i * PAGE]++;
		_exit(data[0] != 2);
	}
	reap(pid);
}

static void part_exec(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		execl(self, self, "nothing", NULL);
		_exit(1);
	}
	reap(pid);
}

#define ALIVE	100

/* Each process adds one to what comes from its left and hands it to its right. */
static void pass_on(int from, int to, int rounds)
{
	for (uint32_t token; rounds; rounds--) {
		if (read(from, &token, sizeof(token)) != sizeof(token))
			_exit(1);
		token++;
		data[0] = token;
		if (write(to, &token, sizeof(token)) != sizeof(token))
			_exit(1);
	}
	_exit(0);
}

static void part_ring(int rounds)
{
	uint32_t token = 0;
	int first[2], left, next[2];
	pid_t pid[ALIVE];

	if (pipe(first))
		die("pipe");
	left = first[0];
	for (int i = 0; i < ALIVE; i++) {
		if (pipe(next))
			die("pipe");
		pid[i] = fork();
		if (pid[i] < 0)
			die("fork");
		if (!pid[i])
			pass_on(left, next[1], rounds);
		close(left);
		close(next[1]);
		left = next[0];
	}
	for (int i = 0; i < rounds; i++)
		if (write(first[1], &token, sizeof(token)) != sizeof(token) ||
		    read(left, &token, sizeof(token)) != sizeof(token))
			die("token");
	if (token != (uint32_t)ALIVE * rounds)
		die("the token is wrong");
	for (int i = 0; i < ALIVE; i++)
		reap(pid[i]);
	close(left);
	close(first[0]);
	close(first[1]);
}

static void map_piece(int advice)
{
	char *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, PIECE, advice);
	for (unsigned long i = 0; i < PIECE; i += PAGE)
		p[i] = 1;
	if (munmap(p, PIECE))
		die("munmap");
}

static void part_small(void)
{
	map_piece(MADV_NOHUGEPAGE);
}

static void part_large(void)
{
	map_piece(MADV_HUGEPAGE);
}

static void part_rights(void)
{
	if (mprotect(data + PAGE, 32 * PAGE, PROT_READ) ||
	    mprotect(data + PAGE, 32 * PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
	for (int i = 1; i < 33; i++)
		data[i * PAGE]++;
}

static void measure(const char *only, const char *name, void (*part)(void), int times)
{
	uint64_t t = __rdtsc();

	if (only && strcmp(only, name))
		return;
	while (times-- > 0)
		part();
	printf("L2-CHURN %s %llu\n", name, (unsigned long long)(__rdtsc() - t) / 1000);
}

static int rounds;
static void ring(void)
{
	part_ring(rounds);
}

int main(int argc, char **argv)
{
	const char *only = argc > 2 ? argv[2] : NULL;
	int share = argc > 1 ? atoi(argv[1]) : 1;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	if (share < 1)
		return 2;
	self = "/proc/self/exe";
	setvbuf(stdout, NULL, _IONBF, 0);
	data[0] = 1;
	rounds = 20 / share;
	measure(only, "fork", part_fork, 2000 / share);
	measure(only, "exec", part_exec, 500 / share);
	measure(only, "ring", ring, 1);
	measure(only, "small", part_small, 16 / share);
	measure(only, "large", part_large, 16 / share);
	measure(only, "rights", part_rights, 500 / share);
	return 0;
}
