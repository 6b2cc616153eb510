// SPDX-License-Identifier: GPL-2.0
/*
 * fill SEED OWN SHARED PASSES: keep OWN MB of this guest's memory filled with data that nobody
 * else has, and SHARED MB with pages of which there are many alike, and see that
 * it stays what was written. A pass verifies every page and writes a third of them
 * anew, in an order of its own; so pages that the host has merged, split, moved or
 * swapped out are both read and written. Prints a line for each pass.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE	4096
#define WORDS	(PAGE / sizeof(uint64_t))
#define ALIKE	16		/* kinds of shared pages */

static uint64_t seed;
static size_t nr_own, nr;
static uint64_t *mem;
static uint8_t *version;	/* of each page */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x ^ x >> 32;
}

/* What the words of a page follow from. */
static uint64_t key(size_t page)
{
	if (page < nr_own)
		return mix(seed + ((uint64_t)page << 16) + version[page]);
	return mix(page % ALIKE + 1000 * version[page] + 1);
}

static void write_page(size_t page)
{
	uint64_t k = key(page), *p = mem + page * WORDS;

	for (size_t i = 0; i < WORDS; i++)
		p[i] = k += 0xd1342543de82ef95ULL;
}

static int check_page(size_t page)
{
	uint64_t k = key(page), *p = mem + page * WORDS;

	for (size_t i = 0; i < WORDS; i++) {
		k += 0xd1342543de82ef95ULL;
		if (p[i] == k)
			continue;
		printf("L2-FAIL page %zu of %zu, word %zu: %llx instead of %llx\n", page, nr, i,
		       (unsigned long long)p[i], (unsigned long long)k);
		return 1;
	}
	return 0;
}

/* Every page once, far jumps between them: 7919 is a prime and no divisor of nr. */
static int pass(int round)
{
	size_t page = mix(seed + round) % nr;

	for (size_t i = 0; i < nr; i++) {
		if (check_page(page))
			return 1;
		if ((page + round) % 3 == 0) {
			version[page]++;
			write_page(page);
		}
		page = (page + 7919) % nr;
	}
	printf("L2-VERIFIED %d\n", round);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	seed = mix(strtoull(argv[1], NULL, 0));
	nr_own = strtoul(argv[2], NULL, 0) << 8;
	nr = nr_own + (strtoul(argv[3], NULL, 0) << 8);
	mem = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	version = calloc(nr, 1);
	if (mem == MAP_FAILED || !version || !nr || nr % 7919 == 0)
		return 2;
	for (size_t page = 0; page < nr; page++)
		write_page(page);
	puts("L2-FILLED");
	for (int round = 1; round <= atoi(argv[4]); round++)
		if (pass(round))
			return 1;
	return 0;
}
