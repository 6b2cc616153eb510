// SPDX-License-Identifier: GPL-2.0
/*
 * Finding the local APICs a message is for, and giving it to them.
 *
 * lapic_matches() defines which APIC a message addresses. Asking every APIC
 * for every interrupt would do, and is done for what is rare: broadcasts,
 * mixtures of modes. The map is the short cut for the rest: an array by
 * physical id, and for logical mode the members of each cluster. A map is
 * built once, published, and never changed: whoever changes an id, an LDR, a
 * DFR or a mode builds a new one. Readers need no lock, only that the map
 * does not vanish under them (RCU in the kernel).
 *
 * In x2APIC mode the logical id is computed from the physical one (cluster
 * id >> 4, bit id & 15), so the array by id serves both.
 *
 * Who is "everybody" depends on the eye of the beholder: 0xff for an xAPIC,
 * 0xffffffff for an x2APIC. Devices can only say 0xff, and systems that run
 * x2APICs without interrupt remapping rely on being heard, so 0xff from a
 * narrow source means everybody to x2APICs as well unless userspace turned
 * this quirk off.
 *
 * Lowest priority goes to a destination with the least task priority; among
 * equals the vector chooses, which spreads vectors over CPUs and keeps each
 * of them where its cache lines are.
 */
#include "lapic.h"

#define LAPIC_FAST_MAX	16	/* members of the largest cluster */

/* Destinations of one message: the short list, or all that match. */
struct lapic_walk {
	const struct lapic_map *map;
	const struct lapic *src;
	const struct lapic_irq *irq;
	struct lapic *list[LAPIC_FAST_MAX];
	u32 nr, next;
	bool slow;
};

static bool lapic_is_broadcast(const struct lapic_map *map, const struct lapic *l,
			       const struct lapic_irq *irq)
{
	if (irq->dest == U32_MAX)
		return true;
	if (irq->wide || irq->dest != 0xff)
		return false;
	return !lapic_x2_mode(l) || !map->quirk_off;
}

static bool lapic_matches_physical(const struct lapic *l, u32 dest)
{
	/* an xAPIC whose id does not fit its register is found by the full id only */
	return l->id == dest;
}

static bool lapic_matches_logical(const struct lapic *l, u32 dest)
{
	u32 ldr = lapic_reg(l, LAPIC_LDR) >> 24;

	if (lapic_x2_mode(l))
		return (l->id >> 4) == (dest >> 16) && (dest & BIT(l->id & 0xf));
	if (dest > 0xff)
		return false;
	switch (lapic_reg(l, LAPIC_DFR)) {
	case LAPIC_DFR_FLAT:
		return ldr & dest;
	case LAPIC_DFR_CLUSTER:
		return (ldr >> 4) == (dest >> 4) && (ldr & dest & 0xf);
	}
	return false;
}

bool lapic_matches(const struct lapic_map *map, const struct lapic *l, const struct lapic *src,
		   const struct lapic_irq *irq)
{
	switch (irq->shorthand) {
	case LAPIC_SHORT_SELF:
		return l == src;
	case LAPIC_SHORT_ALL:
		return true;
	case LAPIC_SHORT_OTHERS:
		return l != src;
	}
	if (lapic_is_broadcast(map, l, irq))
		return true;
	if (irq->logical)
		return lapic_matches_logical(l, irq->dest);
	return lapic_matches_physical(l, irq->dest);
}

static void lapic_walk_add(struct lapic_walk *w, struct lapic *l)
{
	if (l)
		w->list[w->nr++] = l;
}

static void lapic_walk_logical(struct lapic_walk *w)
{
	const struct lapic_map *map = w->map;
	u32 dest = w->irq->dest, i;

	switch (map->logical) {
	case LAPIC_LOGICAL_X2:
		for (i = 0; i < 16; i++)
			if (dest & BIT(i))
				lapic_walk_add(w, lapic_map_by_id(map, (dest >> 16) * 16 + i));
		break;
	case LAPIC_LOGICAL_FLAT:
		for (i = 0; i < 8 && dest <= 0xff; i++)
			if (dest & BIT(i))
				lapic_walk_add(w, map->flat[i]);
		break;
	case LAPIC_LOGICAL_CLUSTER:
		for (i = 0; i < 4 && dest <= 0xff; i++)
			if (dest & BIT(i))
				lapic_walk_add(w, map->cluster[(dest >> 4) & 0xf][i]);
		break;
	case LAPIC_LOGICAL_SLOW:
		w->slow = true;
		break;
	}
}

static void lapic_walk_start(struct lapic_walk *w, const struct lapic_map *map,
			     const struct lapic *src, const struct lapic_irq *irq)
{
	w->map = map;
	w->src = src;
	w->irq = irq;
	w->nr = 0;
	w->next = 0;
	w->slow = false;
	if (irq->shorthand || irq->dest == U32_MAX || (!irq->wide && irq->dest == 0xff))
		w->slow = true;
	else if (irq->logical)
		lapic_walk_logical(w);
	else
		lapic_walk_add(w, lapic_map_by_id(map, irq->dest));
}

static struct lapic *lapic_walk_next(struct lapic_walk *w)
{
	struct lapic *l;

	if (!w->slow)
		return w->next < w->nr ? w->list[w->next++] : NULL;
	while (w->next < w->map->nr) {
		l = w->map->all[w->next++];
		if (lapic_matches(w->map, l, w->src, w->irq))
			return l;
	}
	return NULL;
}

/* The one that takes a lowest-priority message; NULL if none is enabled. */
static struct lapic *lapic_arbitrate(struct lapic_walk *w)
{
	u32 best = U32_MAX, equals = 0, pick, prio;
	struct lapic *l;

	while ((l = lapic_walk_next(w))) {
		if (!lapic_sw_enabled(l))
			continue;
		prio = lapic_reg(l, LAPIC_TPR) >> 4;
		if (prio < best) {
			best = prio;
			equals = 0;
		}
		equals += prio == best;
	}
	if (!equals)
		return NULL;

	/* priorities may have changed meanwhile; then the last seen will do */
	pick = w->irq->vector % equals;
	for (w->next = 0; (l = lapic_walk_next(w)); ) {
		if (!lapic_sw_enabled(l) || lapic_reg(l, LAPIC_TPR) >> 4 != best)
			continue;
		if (!pick--)
			return l;
	}
	w->next = 0;
	return lapic_walk_next(w);
}

int lapic_map_deliver(const struct lapic_map *map, struct lapic *src,
		      const struct lapic_irq *irq)
{
	struct lapic_walk w;
	struct lapic *l;
	int ret = -1, one;

	if (irq->shorthand == LAPIC_SHORT_SELF)
		return src ? lapic_accept(src, irq) : -1;

	lapic_walk_start(&w, map, src, irq);
	if (lapic_irq_is_lowest(irq)) {
		l = lapic_arbitrate(&w);
		return l ? lapic_accept(l, irq) : -1;
	}
	while ((l = lapic_walk_next(&w))) {
		one = lapic_accept(l, irq);
		if (one >= 0)
			ret = max(ret, 0) + one;
	}
	return ret;
}

bool lapic_map_busy(const struct lapic_map *map, const struct lapic_irq *irq)
{
	struct lapic_walk w;
	struct lapic *l;

	lapic_walk_start(&w, map, NULL, irq);
	while ((l = lapic_walk_next(&w)))
		if (lapic_vector_busy(l, irq->vector))
			return true;
	return false;
}

/* Enter an xAPIC's logical id. False: its bit is taken, or it has several. */
static bool lapic_map_claim(struct lapic **row, u32 bits, struct lapic *l)
{
	u32 bit = __ffs(bits);

	if (!is_power_of_2(bits) || row[bit])
		return false;
	row[bit] = l;
	return true;
}

static enum lapic_logical lapic_map_add_logical(struct lapic_map *map, struct lapic *l)
{
	u32 ldr = lapic_reg(l, LAPIC_LDR) >> 24;

	if (lapic_x2_mode(l))
		return LAPIC_LOGICAL_X2;
	switch (lapic_reg(l, LAPIC_DFR)) {
	case LAPIC_DFR_FLAT:
		if (!ldr || lapic_map_claim(map->flat, ldr, l))
			return LAPIC_LOGICAL_FLAT;
		break;
	case LAPIC_DFR_CLUSTER:
		if (!(ldr & 0xf) || lapic_map_claim(map->cluster[ldr >> 4], ldr & 0xf, l))
			return LAPIC_LOGICAL_CLUSTER;
		break;
	}
	return LAPIC_LOGICAL_SLOW;
}

void lapic_map_init(struct lapic_map *map, u32 max_id, bool quirk_off)
{
	map->quirk_off = quirk_off;
	map->nr_ids = max_id + 1;
	map->all = &map->slots[map->nr_ids];
}

void lapic_map_add(struct lapic_map *map, struct lapic *l)
{
	enum lapic_logical logical;

	if (!lapic_hw_enabled(l) || WARN_ON_ONCE(l->id >= map->nr_ids))
		return;
	map->slots[l->id] = l;
	logical = lapic_map_add_logical(map, l);
	if (map->nr && logical != map->logical)
		logical = LAPIC_LOGICAL_SLOW;
	map->logical = logical;
	map->all[map->nr++] = l;
}
