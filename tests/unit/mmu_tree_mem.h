/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables for the tree tests: plain aligned memory, addressed by itself. A table
 * that was cut off is kept until the test is over, as RCU would, so that late
 * readers find it and the sanitizers can tell who touches what.
 */
#ifndef MMU_TREE_MEM_H
#define MMU_TREE_MEM_H

#include <pthread.h>
#include "../../mmu/tree.h"

u64 *tree_table(u64 addr)
{
	return (u64 *)(uintptr_t)addr;
}

u64 tree_table_addr(u64 *pt)
{
	return (uintptr_t)pt;
}

struct mem_table {
	struct mem_table *next;
	u64 *pt;
};

static struct mem_table *mem_tables;	/* every table ever made */
static pthread_mutex_t mem_lock = PTHREAD_MUTEX_INITIALIZER;

/* @n zeroed pages in a row. */
static u64 *mem_new_tables(int n)
{
	struct mem_table *t = malloc(sizeof(*t));

	t->pt = aligned_alloc(4096, n * 4096);
	memset(t->pt, 0, n * 4096);
	pthread_mutex_lock(&mem_lock);
	t->next = mem_tables;
	mem_tables = t;
	pthread_mutex_unlock(&mem_lock);
	return t->pt;
}

static void mem_free_all(void)
{
	struct mem_table *t;

	while ((t = mem_tables)) {
		mem_tables = t->next;
		free(t->pt);
		free(t);
	}
}

#endif
