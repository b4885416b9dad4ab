/* SPDX-License-Identifier: MIT */
/*
 * Plain memory: who touched it, whether that was a race, what is allocated, and what must be put
 * back before the next execution.
 *
 * For each eight bytes there are a few cells: fiber, its clock, which bytes, read or write. An
 * access races with a cell of another fiber that overlaps it when one of them writes and the other
 * fiber's clock is not known here (C. Flanagan, S. Freund, "FastTrack", PLDI 2009; the layout is
 * that of ThreadSanitizer's shadow). A write without a race has everything before it behind it, so
 * the cells of its bytes are dropped.
 *
 * Watched are the arena, from which the fibers' stacks and all allocations come, and the program's
 * static data. A granule belongs to the current execution when its stamp says so; the first touch
 * of static data in an execution notes the value to restore.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "rt.h"

#define REDZONE    32u
/* A place that programs rarely have anything: the same addresses in every process. */
#define ARENA_HINT ((void *)(uintptr_t)0x100000000000)

extern char __data_start[], _end[];

static void *map(void *hint, size_t size)
{
	void *p = mmap(hint, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void rt_shadow_init(void)
{
	rt->arena = map(ARENA_HINT, RT_ARENA);
	rt->arena_shadow = map(NULL, RT_ARENA / 8 * sizeof(struct granule));
	rt->owner = map(NULL, RT_ARENA / 8 * sizeof(*rt->owner));
	rt->locs = map(NULL, RT_LOCS * sizeof(*rt->locs));
	rt->data = (uintptr_t)__data_start & ~(uintptr_t)7;
	rt->data_end = (uintptr_t)_end;
	rt->data_shadow = map(NULL, ((rt->data_end - rt->data) / 8 + 1) * sizeof(struct granule));
	if (!rt->arena || !rt->arena_shadow || !rt->owner || !rt->locs || !rt->data_shadow) {
		fprintf(stderr, "explore: no address space\n");
		__builtin_trap();
	}
	for (unsigned i = 0; i < RT_FIBERS; i++)
		mprotect(rt->arena + i * RT_STACK, RT_STACK_GUARD, PROT_NONE);
}

void rt_shadow_begin(void)
{
	rt->stamp++;
	rt->nundo = 0;
	rt->nlocs = 1;
	rt->nblocks = 1; /* 0: none */
	rt->heap_next = (uintptr_t)rt->arena + RT_STACKS;
}

void rt_shadow_end(void)
{
	while (rt->nundo) {
		struct undo *u = &rt->undo[--rt->nundo];
		*u->at = u->value;
	}
}

static uint32_t short_pc(const void *pc)
{
	return pc ? (uint32_t)((uintptr_t)pc - rt->program) : 0;
}

static const void *long_pc(uint32_t pc)
{
	return pc ? (const void *)(rt->program + pc) : NULL;
}

/* ---- granules ---- */

static struct block *block_at(uintptr_t addr)
{
	uintptr_t offset = addr - (uintptr_t)rt->arena;
	if (offset < RT_STACKS || addr >= rt->heap_next)
		return NULL;
	return &rt->block[rt->owner[offset / 8]];
}

static void check_block(uintptr_t addr, const struct block *b, const void *pc)
{
	char where[64];
	if (b && b->live)
		return;
	rt->fail_pc[0] = pc;
	rt_where(addr, where, sizeof(where));
	if (b && b != rt->block) {
		rt->fail_pc[1] = long_pc(b->free_pc);
		rt_fail("use after free", "access to %s, which was freed", where);
	}
	rt_fail("wild access", "access to %s, which is not allocated", where);
}

static void begin_granule(struct granule *g, uintptr_t addr, const struct block *b)
{
	g->stamp = rt->stamp;
	g->n = 0;
	g->loc = 0;
	if (b) {
		if (!b->solo) {
			g->n = 1;
			g->cell[0] =
				(struct cell){ b->clock, b->alloc_pc, b->fiber, 0xff, true, false };
		}
	} else if (addr - rt->data < rt->data_end - rt->data) {
		if (rt->nundo == RT_UNDO)
			rt_fail("test", "too much static data changed");
		uint64_t *at = (uint64_t *)(addr & ~(uintptr_t)7);
		rt->undo[rt->nundo++] = (struct undo){ at, *at };
	}
}

struct granule *rt_granule(uintptr_t addr, const void *pc)
{
	uintptr_t offset = addr - (uintptr_t)rt->arena;
	struct granule *g;
	struct block *b = NULL;
	if (offset < RT_ARENA) {
		g = &rt->arena_shadow[offset / 8];
		if (offset >= RT_STACKS) {
			b = block_at(addr);
			if (!b || !b->live)
				check_block(addr, b, pc);
		}
	} else if (addr - rt->data < rt->data_end - rt->data) {
		g = &rt->data_shadow[(addr - rt->data) / 8];
	} else {
		if (addr < 4096)
			rt_fail("crash", "access to address %#zx", (size_t)addr);
		return NULL;
	}
	if (g->stamp != rt->stamp)
		begin_granule(g, addr, b);
	return g;
}

/* ---- races ---- */

/* Of what thread rt->cur does now (a `kind`) with what another did before. */
_Noreturn static void race(
	uintptr_t addr, const struct cell *c, const char *now, const void *pc, const char *before)
{
	char where[64];
	bool freed = c->is_free || strcmp(now, "free") == 0;
	rt->fail_pc[0] = pc;
	rt->fail_pc[1] = long_pc(c->pc);
	rt_where(addr, where, sizeof(where));
	rt_fail(freed ? "use after free" : "race",
		"%s by thread %u and %s by thread %u of %s are not ordered", now, rt->cur,
		c->is_free ? "free" : before, c->fiber, where);
}

static bool unordered(const struct fiber *f, unsigned other, int32_t clock)
{
	return other != f->id && clock > f->knows.hb.c[other];
}

static uint8_t mask_of(uintptr_t addr, unsigned size)
{
	return (uint8_t)(((1u << size) - 1) << (addr & 7));
}

void rt_check_plain(
	const struct granule *g, uintptr_t addr, unsigned size, bool write, const void *pc)
{
	const struct fiber *f = rt_self();
	uint8_t mask = mask_of(addr, size);
	for (unsigned i = 0; i < g->n; i++) {
		const struct cell *c = &g->cell[i];
		if ((c->mask & mask) && (write || c->write) && unordered(f, c->fiber, c->clock))
			race(addr, c, "atomic access", pc, c->write ? "write" : "read");
	}
}

/* A plain access to memory that atomics live in; a write ends them. */
static void check_atomics(struct granule *g, uintptr_t addr, unsigned size, bool write,
	const char *now, const void *pc)
{
	const struct fiber *f = rt_self();
	uint16_t keep = 0;
	for (uint16_t i = g->loc, next; i; i = next) {
		struct loc *l = &rt->locs[i];
		next = l->next;
		bool overlaps = l->addr < addr + size && addr < l->addr + l->size;
		for (unsigned u = 0; overlaps && u < rt->nfibers; u++) {
			int32_t clock = write ? l->last_access[u] : l->last_write[u];
			struct cell c = { .fiber = (uint8_t)u };
			if (unordered(f, u, clock))
				race(addr, &c, now, pc, "atomic access");
		}
		if (!overlaps || !write) {
			l->next = keep;
			keep = i;
		}
	}
	g->loc = keep;
}

static void add_cell(struct granule *g, struct cell cell)
{
	if (g->n == RT_CELLS) {
		/* A read makes room: the oldest. This can only hide a race, never invent one. */
		rt->evictions = true;
		unsigned victim = 0;
		for (unsigned i = 0; i < g->n; i++)
			if (!g->cell[i].write) {
				victim = i;
				break;
			}
		memmove(&g->cell[victim], &g->cell[victim + 1],
			(g->n - victim - 1u) * sizeof(struct cell));
		g->n--;
	}
	g->cell[g->n++] = cell;
}

static void touch(
	struct granule *g, uintptr_t addr, unsigned size, bool write, bool is_free, const void *pc)
{
	const struct fiber *f = rt_self();
	const char *now = is_free ? "free" : write ? "write" : "read";
	uint8_t mask = mask_of(addr, size);
	if (g->loc)
		check_atomics(g, addr, size, write, now, pc);
	unsigned n = 0;
	for (unsigned i = 0; i < g->n; i++) {
		struct cell c = g->cell[i];
		if (c.mask & mask) {
			if ((write || c.write) && unordered(f, c.fiber, c.clock))
				race(addr, &c, now, pc, c.write ? "write" : "read");
			if (write || (c.fiber == f->id && !c.write))
				c.mask &= (uint8_t)~mask;
		}
		if (c.mask)
			g->cell[n++] = c;
	}
	g->n = (uint8_t)n;
	/* What it does between two operations belongs to the next one. */
	add_cell(g, (struct cell){ f->clock + 1, short_pc(pc), f->id, mask, write, is_free });
}

/* The only thread: nothing to race with. */
static void plain_alone(uintptr_t addr, size_t size, const void *pc)
{
	if (addr - (uintptr_t)rt->arena < RT_ARENA) {
		rt_granule(addr, pc);
		if (size > 8)
			rt_granule(addr + size - 1, pc);
		return;
	}
	uintptr_t end = addr + size;
	for (addr &= ~(uintptr_t)7; addr < end; addr += 8)
		if (!rt_granule(addr, pc))
			return;
}

void rt_plain(uintptr_t addr, size_t size, bool write, const void *pc)
{
	if (!rt || !rt->test || !size)
		return;
	if (rt->solo) {
		plain_alone(addr, size, pc);
		return;
	}
	while (size) {
		unsigned here = 8 - (unsigned)(addr & 7);
		if (here > size)
			here = (unsigned)size;
		struct granule *g = rt_granule(addr, pc);
		if (!g)
			return;
		touch(g, addr, here, write, false, pc);
		addr += here;
		size -= here;
	}
}

/* ---- allocation ---- */

static uint16_t reusable(size_t size, size_t align)
{
	if (rt->test->reuse != EXPLORE_REUSE_LAST)
		return 0;
	for (uint32_t i = rt->nblocks - 1; i; i--) {
		const struct block *b = &rt->block[i];
		if (!b->live && b->size == size && b->addr % align == 0)
			return (uint16_t)i;
	}
	return 0;
}

static uint16_t new_block(size_t size, size_t align, const void *pc)
{
	uintptr_t addr = (rt->heap_next + REDZONE + align - 1) & ~((uintptr_t)align - 1);
	size_t room = (size + 7) & ~(size_t)7;
	rt->fail_pc[0] = pc;
	if (rt->nblocks == RT_BLOCKS || addr + room + REDZONE > (uintptr_t)rt->arena + RT_ARENA)
		rt_fail("test", "the test needs more memory than the explorer has");
	uintptr_t first = rt->heap_next - (uintptr_t)rt->arena;
	uintptr_t from = addr - (uintptr_t)rt->arena;
	memset(&rt->owner[first / 8], 0, (from - first) / 8 * sizeof(*rt->owner));
	for (size_t i = 0; i < room / 8; i++)
		rt->owner[from / 8 + i] = (uint16_t)rt->nblocks;
	rt->heap_next = addr + room;
	struct block *b = &rt->block[rt->nblocks];
	b->addr = addr;
	b->size = size;
	return (uint16_t)rt->nblocks++;
}

/* `size` zeroed bytes; for the code under test it is as if the allocating thread wrote them. */
void *rt_allocate(size_t align, size_t size, const void *pc)
{
	if (align < 16)
		align = 16;
	uint16_t i = reusable(size, align);
	bool again = i != 0;
	if (!again)
		i = new_block(size, align, pc);
	struct block *b = &rt->block[i];
	b->live = true;
	b->solo = rt->solo;
	b->fiber = rt->cur;
	b->clock = rt_self()->clock + 1;
	b->alloc_pc = short_pc(pc);
	if (again) {
		/* The new owner's knowledge begins with the allocation, as with malloc. */
		struct granule *g = &rt->arena_shadow[(b->addr - (uintptr_t)rt->arena) / 8];
		for (size_t k = 0; k < (size + 7) / 8; k++)
			g[k].stamp = 0;
	}
	memset((void *)b->addr, 0, size);
	return (void *)b->addr;
}

void rt_release(void *memory, const void *pc)
{
	uintptr_t addr = (uintptr_t)memory;
	struct block *b = block_at(addr);
	rt->fail_pc[0] = pc;
	if (!b || b == rt->block || b->addr != addr)
		rt_fail("bad free", "free of something that was not allocated");
	if (!b->live) {
		rt->fail_pc[1] = long_pc(b->free_pc);
		rt_fail("double free", "freed already");
	}
	struct granule *g = &rt->arena_shadow[(addr - (uintptr_t)rt->arena) / 8];
	for (size_t k = 0; !rt->solo && k < (b->size + 7) / 8; k++)
		if (g[k].stamp == rt->stamp)
			touch(&g[k], addr + 8 * k, 8, true, true, pc);
	b->live = false;
	b->free_pc = short_pc(pc);
}

unsigned rt_live_blocks(void)
{
	unsigned n = 0;
	for (uint32_t i = 1; i < rt->nblocks; i++)
		n += rt->block[i].live;
	return n;
}

const char *rt_where(uintptr_t addr, char *buffer, size_t size)
{
	uintptr_t offset = addr - (uintptr_t)rt->arena;
	uint64_t beyond = 0;
	struct block *b = block_at(addr);
	if (offset < RT_STACKS)
		snprintf(buffer, size, "stack%zu+%#zx", (size_t)(offset / RT_STACK),
			(size_t)(offset % RT_STACK));
	else if (b && b != rt->block)
		snprintf(buffer, size, "block%u+%#zx", (unsigned)(b - rt->block),
			(size_t)(addr - b->addr));
	else if (addr - rt->data < rt->data_end - rt->data) {
		const char *name = rt_symbol(addr, &beyond);
		if (beyond)
			snprintf(buffer, size, "%s+%#llx", name, (unsigned long long)beyond);
		else
			snprintf(buffer, size, "%s", name);
	} else
		snprintf(buffer, size, "%#zx", (size_t)addr);
	return buffer;
}
