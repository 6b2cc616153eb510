/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/shrinker.h: from 6.7 on a shrinker is allocated by the kernel, before
 * it lay in the caller's memory.
 */
#ifndef COMPAT_SHRINKER_H
#define COMPAT_SHRINKER_H

#include <linux/shrinker.h>

typedef unsigned long compat_shrink_fn(struct shrinker *s, struct shrink_control *sc);

#ifdef HAVE_SHRINKER_ALLOC
static inline struct shrinker *compat_shrinker_add(compat_shrink_fn *count,
						   compat_shrink_fn *scan, int seeks,
						   const char *name)
{
	struct shrinker *s = shrinker_alloc(0, "%s", name);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = seeks;
	shrinker_register(s);
	return s;
}

static inline void compat_shrinker_remove(struct shrinker *s)
{
	shrinker_free(s);
}
#else
#include <linux/slab.h>

/* NULL: no memory. Process context. */
static inline struct shrinker *compat_shrinker_add(compat_shrink_fn *count,
						   compat_shrink_fn *scan, int seeks,
						   const char *name)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = seeks;
	if (!register_shrinker(s, "%s", name))
		return s;
	kfree(s);
	return NULL;
}

/* Waits for those that run. NULL is nothing. */
static inline void compat_shrinker_remove(struct shrinker *s)
{
	if (!s)
		return;
	unregister_shrinker(s);
	kfree(s);
}
#endif
#endif
