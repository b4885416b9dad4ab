/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations: the memory model.
 *
 * Each location keeps its last stores in modification order; the program's memory holds the newest.
 * A load may read any store that is not older than one its thread knows of: one that it read or
 * wrote itself, or that somebody read or wrote before handing knowledge on. That is coherence over
 * happens-before, by clocks. A store with release order (or after a release fence) hands over what
 * its thread knows; an acquire load takes it up; a relaxed load keeps it until an acquire fence.
 * A read-modify-write reads the newest store and hands over what that one handed over, too (the
 * release sequence of C++20: plain stores of the same thread do not continue it). A sequentially
 * consistent fence takes up, and adds to, what such fences have published; that limits what may be
 * read, but does not excuse a race. A sequentially consistent access counts as acquire and release.
 *
 * That is RC11 (O. Lahav et al., "Repairing sequential consistency in C/C++11", PLDI 2017) without
 * load buffering, as in promising machines without promises; modification order is execution order
 * unless the test asks for late stores.
 */
#include <limits.h>
#include <string.h>

#include "rt.h"

#define READ_AGAIN 3 /* how often an old store may be read in a row */

int32_t rt_tick(struct fiber *f)
{
	f->clock++;
	f->knows.hb.c[f->id] = f->clock;
	f->knows.view.c[f->id] = f->clock;
	return f->clock;
}

void rt_fence_sc(struct fiber *f)
{
	vc_join(&f->knows.view, &rt->fences.view);
	rt->fences.view = f->knows.view;
}

/* ---- the program's memory ---- */

static uint64_t mem_read(uintptr_t addr, unsigned size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)addr;
	case 2:
		return *(const uint16_t *)addr;
	case 4:
		return *(const uint32_t *)addr;
	default:
		return *(const uint64_t *)addr;
	}
}

static void mem_write(uintptr_t addr, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)addr = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)addr = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)addr = (uint32_t)value;
		break;
	default:
		*(uint64_t *)addr = value;
		break;
	}
}

static uint64_t cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

/* ---- locations ---- */

static struct store *store_at(struct loc *l, uint32_t i)
{
	return &l->st[i % RT_HISTORY];
}

static struct loc *new_loc(struct granule *g, uintptr_t addr, unsigned size)
{
	if (rt->nlocs == RT_LOCS)
		rt_fail("test", "more than %u atomic locations in one execution", RT_LOCS);
	struct loc *l = &rt->locs[rt->nlocs];
	l->addr = addr;
	l->size = (uint8_t)size;
	l->next = g->loc;
	g->loc = (uint16_t)rt->nlocs++;
	/* Number 0 is the value that was there before; whoever published it hands it over. */
	l->lo = 0;
	l->hi = 1;
	memset(l->top, 0, sizeof(l->top));
	memset(l->last_write, 0, sizeof(l->last_write));
	memset(l->last_access, 0, sizeof(l->last_access));
	memset(l->read_last, 0, sizeof(l->read_last));
	l->st[0].value = mem_read(addr, size);
	l->st[0].number = 0;
	l->st[0].fiber = 0;
	l->st[0].rmw = l->st[0].hands = false;
	l->st[0].pc = NULL;
	return l;
}

static struct loc *find(uintptr_t addr, unsigned size, bool write, const void *pc)
{
	struct granule *g = rt_granule(addr, pc);
	if (!g)
		rt_fail("test", "atomic operation on memory that the explorer does not watch");
	struct fiber *f = rt_self();
	if (g->n)
		rt_check_plain(g, addr, size, write, pc);
	struct loc *l = NULL;
	for (uint16_t i = g->loc; i && !l; i = rt->locs[i].next) {
		struct loc *other = &rt->locs[i];
		if (other->addr == addr && other->size == size)
			l = other;
		else if (other->addr < addr + size && addr < other->addr + other->size)
			rt_fail("test", "atomic operations of different sizes on the same memory");
	}
	if (!l)
		l = new_loc(g, addr, size);
	l->last_access[f->id] = f->clock;
	if (write)
		l->last_write[f->id] = f->clock;
	return l;
}

/* The oldest store that f may read. */
static uint32_t oldest(const struct loc *l, const struct fiber *f)
{
	uint32_t floor = l->lo;
	for (unsigned u = 0; u < rt->nfibers; u++) {
		int32_t known = f->knows.view.c[u];
		for (uint32_t i = l->top[u]; i > floor + 1; i--) {
			if (l->seen[u][(i - 1) % RT_HISTORY] <= known) {
				floor = i - 1;
				break;
			}
		}
	}
	return floor;
}

/* f has read or written store i. */
static void observe(struct loc *l, const struct fiber *f, uint32_t i)
{
	uint32_t from = l->top[f->id] > l->lo ? l->top[f->id] : l->lo;
	for (uint32_t k = from; k <= i; k++)
		l->seen[f->id][k % RT_HISTORY] = f->clock;
	if (i + 1 > l->top[f->id])
		l->top[f->id] = i + 1;
}

static void take_up(struct fiber *f, const struct store *s, int order)
{
	if (!s->hands)
		return;
	if (is_acquire(order)) {
		know(&f->knows, &s->knows);
	} else if (f->has_pending) {
		know(&f->pending, &s->knows);
	} else {
		f->pending = s->knows;
		f->has_pending = true;
	}
}

/* The oldest store that f may read, and has not read so often that it must see a newer one. */
static uint32_t oldest_now(const struct loc *l, const struct fiber *f)
{
	if (rt->fair || f->rush)
		return l->hi - 1;
	uint32_t lo = oldest(l, f);
	bool again = l->read_last[f->id] == lo + 1 && lo + 1 < l->hi;
	if (again && (l->read_hints[f->id] != f->hints || l->read_again[f->id] >= READ_AGAIN))
		lo++;
	return lo;
}

static void was_read(struct loc *l, struct fiber *f, uint32_t i)
{
	bool again = l->read_last[f->id] == i + 1 && l->read_hints[f->id] == f->hints;
	l->read_again[f->id] = again ? (uint8_t)(l->read_again[f->id] + 1) : 0;
	l->read_last[f->id] = i + 1;
	l->read_hints[f->id] = f->hints;
	observe(l, f, i);
}

static uint32_t choose_read(struct loc *l, const struct fiber *f)
{
	uint32_t n = l->hi - oldest_now(l, f);
	if (n == 1)
		return l->hi - 1;
	unsigned v = rt_choose(C_READ, n, rt->left.stale > 0);
	if (v)
		rt->left.stale--;
	return l->hi - 1 - v;
}

/* Where a new store may stand in the modification order; at the end is the first choice. */
static uint32_t choose_place(struct loc *l, const struct fiber *f)
{
	uint32_t place[RT_HISTORY + 1], n = 0;
	place[n++] = l->hi;
	if (!rt->test->late_stores || rt->fair)
		return l->hi;
	uint32_t first = oldest(l, f) + 1;
	for (uint32_t i = l->hi - 1; i >= first && n <= RT_HISTORY; i--)
		if (!store_at(l, i)->rmw)
			place[n++] = i;
	return place[rt_choose(C_READ, n, true)];
}

/* Makes room for a store at place i. */
static struct store *insert(struct loc *l, uint32_t i)
{
	if (l->hi - l->lo == RT_HISTORY)
		l->lo++; /* i is not the oldest: there is one before it that it follows */
	for (uint32_t k = l->hi; k > i; k--) {
		*store_at(l, k) = *store_at(l, k - 1);
		for (unsigned u = 0; u < rt->nfibers; u++)
			l->seen[u][k % RT_HISTORY] = l->seen[u][(k - 1) % RT_HISTORY];
	}
	if (i < l->hi)
		for (unsigned u = 0; u < rt->nfibers; u++) {
			l->top[u] += l->top[u] > i;
			l->read_last[u] += l->read_last[u] > i;
		}
	l->hi++;
	return store_at(l, i);
}

static void write_store(struct loc *l, struct fiber *f, uint32_t place, uint64_t value, int order,
	const struct store *continues, const void *pc)
{
	/* Taken before the ring turns over and the old store is gone. */
	bool hands = false;
	struct knowledge knows;
	if (is_release(order)) {
		knows = f->knows;
		hands = true;
	} else if (f->has_fence) {
		knows = f->fence;
		hands = true;
	}
	if (continues && continues->hands) {
		if (hands)
			know(&knows, &continues->knows);
		else
			knows = continues->knows;
		hands = true;
	}
	bool newest = place == l->hi;
	struct store *s = insert(l, place);
	s->value = value;
	s->number = ++rt->stores;
	s->fiber = f->id;
	s->rmw = continues != NULL;
	s->hands = hands;
	if (hands)
		s->knows = knows;
	s->pc = pc;
	observe(l, f, place);
	if (newest)
		mem_write(l->addr, l->size, value);
	f->own_writes++;
	rt_wrote();
}

static int mutated(int order, const void *pc)
{
	switch (rt_mutating ? rt_mutation_at(pc) : MUTATE_NONE) {
	case MUTATE_WEAKEN:
		return ORDER_RELAXED;
	case MUTATE_DROP_ACQUIRE:
		return is_release(order) ? ORDER_RELEASE : ORDER_RELAXED;
	case MUTATE_DROP_RELEASE:
		return is_acquire(order) ? ORDER_ACQUIRE : ORDER_RELAXED;
	default:
		return order;
	}
}

/* ---- operations ---- */

static uint64_t load(uintptr_t addr, unsigned size, int order, const void *pc)
{
	struct fiber *f = rt_self();
	struct loc *l = find(addr, size, false, pc);
	uint32_t i = choose_read(l, f);
	struct store *s = store_at(l, i);
	was_read(l, f, i);
	take_up(f, s, order);
	rt_event(OP_LOAD, order, addr, s->value, 0, false, l->hi - 1 - i, pc);
	return s->value;
}

uint64_t rt_load(uintptr_t addr, unsigned size, int order, const void *pc)
{
	rt_point((struct op){ .addr = addr, .kind = OP_LOAD });
	if (rt->solo) {
		rt_granule(addr, pc);
		return mem_read(addr, size);
	}
	rt_tick(rt_self());
	return load(addr, size, mutated(order, pc), pc);
}

uint64_t rt_load_for_wait(uintptr_t addr, const void *pc)
{
	return load(addr, 4, ORDER_RELAXED, pc);
}

void rt_store(uintptr_t addr, unsigned size, uint64_t value, int order, const void *pc)
{
	rt_point((struct op){ .addr = addr, .kind = OP_STORE, .write = true });
	if (rt->solo) {
		rt_granule(addr, pc);
		mem_write(addr, size, value);
		return;
	}
	struct fiber *f = rt_self();
	rt_tick(f);
	order = mutated(order, pc);
	struct loc *l = find(addr, size, true, pc);
	uint32_t place = choose_place(l, f);
	write_store(l, f, place, cut(value, size), order, NULL, pc);
	rt_event(OP_STORE, order, addr, 0, value, true, l->hi - 1 - place, pc);
}

static uint64_t apply(enum rmw op, uint64_t a, uint64_t b)
{
	switch (op) {
	case RMW_SWAP:
		return b;
	case RMW_ADD:
		return a + b;
	case RMW_SUB:
		return a - b;
	case RMW_AND:
		return a & b;
	case RMW_OR:
		return a | b;
	case RMW_XOR:
		return a ^ b;
	case RMW_NAND:
		return ~(a & b);
	}
	return 0;
}

/* Reads store i and writes right behind it. */
static void rmw_behind(
	struct loc *l, struct fiber *f, uint32_t i, uint64_t value, int order, const void *pc)
{
	struct store *s = store_at(l, i);
	take_up(f, s, order);
	write_store(l, f, i + 1, value, order, s, pc);
}

/* The newest store; with late stores any that no other read-modify-write has read. */
static uint32_t choose_for_rmw(struct loc *l, const struct fiber *f)
{
	uint32_t at[RT_HISTORY], n = 0;
	at[n++] = l->hi - 1;
	if (!rt->test->late_stores || rt->fair)
		return l->hi - 1;
	uint32_t lo = oldest(l, f);
	for (uint32_t i = l->hi - 1; i > lo && n < RT_HISTORY; i--)
		if (!store_at(l, i)->rmw)
			at[n++] = i - 1;
	return at[rt_choose(C_READ, n, true)];
}

uint64_t rt_rmw(
	enum rmw op, uintptr_t addr, unsigned size, uint64_t value, int order, const void *pc)
{
	rt_point((struct op){ .addr = addr, .kind = OP_RMW, .write = true });
	if (rt->solo) {
		rt_granule(addr, pc);
		uint64_t old = mem_read(addr, size);
		mem_write(addr, size, cut(apply(op, old, value), size));
		return old;
	}
	struct fiber *f = rt_self();
	rt_tick(f);
	order = mutated(order, pc);
	struct loc *l = find(addr, size, true, pc);
	uint32_t i = choose_for_rmw(l, f);
	uint64_t old = store_at(l, i)->value;
	uint64_t new = cut(apply(op, old, value), size);
	unsigned late = l->hi - 1 - i;
	rmw_behind(l, f, i, new, order, pc);
	rt_event(OP_RMW, order, addr, old, new, true, late, pc);
	return old;
}

/*
 * Which store a compare-and-swap compares with: the newest, or an old one that does not match (to
 * match, it would have to be the newest).
 */
static uint32_t choose_compared(struct loc *l, const struct fiber *f, uint64_t expected)
{
	uint32_t at[RT_HISTORY], n = 0, lo = oldest_now(l, f);
	at[n++] = l->hi - 1;
	for (uint32_t i = l->hi - 1; i > lo && n < RT_HISTORY; i--)
		if (store_at(l, i - 1)->value != expected)
			at[n++] = i - 1;
	unsigned v = rt_choose(C_READ, n, rt->left.stale > 0);
	if (v)
		rt->left.stale--;
	return at[v];
}

bool rt_cas(uintptr_t addr, unsigned size, uint64_t *expected, uint64_t desired, int order,
	int failure, bool weak, const void *pc)
{
	rt_point((struct op){ .addr = addr, .kind = OP_CAS, .write = true });
	if (rt->solo) {
		rt_granule(addr, pc);
		uint64_t found = mem_read(addr, size);
		bool same = found == *expected;
		if (same)
			mem_write(addr, size, desired);
		*expected = found;
		return same;
	}
	struct fiber *f = rt_self();
	rt_tick(f);
	order = mutated(order, pc);
	failure = mutated(failure, pc);
	struct loc *l = find(addr, size, true, pc);
	uint32_t i = choose_compared(l, f, *expected);
	struct store *s = store_at(l, i);
	uint64_t found = s->value;
	bool same = found == *expected;
	if (same && weak && rt->left.weak > 0 && !rt->fair && rt_choose(C_WEAK, 2, true)) {
		rt->left.weak--;
		same = false;
	}
	if (same) {
		rmw_behind(l, f, i, cut(desired, size), order, pc);
	} else {
		was_read(l, f, i);
		take_up(f, s, failure);
	}
	rt_event(OP_CAS, same ? order : failure, addr, found, desired, same, l->hi - 1 - i, pc);
	*expected = found;
	return same;
}

void rt_fence(int order, const void *pc)
{
	struct fiber *f = rt_self();
	if (rt_mutating && rt_mutation_at(pc) == MUTATE_DROP_FENCE)
		return;
	if (order == ORDER_SC)
		rt_point((struct op){ .kind = OP_FENCE, .fence = true });
	if (rt->solo)
		return;
	rt_tick(f);
	if (is_acquire(order) && f->has_pending) {
		know(&f->knows, &f->pending);
		f->has_pending = false;
	}
	if (order == ORDER_SC)
		rt_fence_sc(f);
	if (is_release(order)) {
		f->fence = f->knows;
		f->has_fence = true;
	}
	rt_event(OP_FENCE, order, 0, 0, 0, false, 0, pc);
}
