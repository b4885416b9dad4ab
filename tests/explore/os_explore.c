/* SPDX-License-Identifier: MIT */
/*
 * src/base/os.h on fibers and virtual time. Linked instead of src/base/os.c.
 *
 * Processors: four of them, all allowed. Files: none. Environment: empty. A futex wait and a futex
 * wake contain a full barrier, as in the kernel, but hand nothing over: code must not rely on
 * either to publish data.
 */
#include "base/os.h"

#include <errno.h>
#include <string.h>

#include "base/layout.h"
#include "explore.h"
#include "rt.h"

#define TICK_NS   100u
#define CPUS      4u
#define PAGE_SIZE 64u /* small, so that giving pages back happens in small tests */

#define NOBODY 1u

#define HERE __builtin_return_address(0)

/* ---- waiting ---- */

int wp__os_futex_wait(wp_atomic_u32 *word, uint32_t expected, uint64_t deadline)
{
	uintptr_t addr = (uintptr_t)word;
	struct fiber *f = rt_self();
	rt_point((struct op){ .addr = addr, .kind = OP_WAIT, .write = true, .fence = true });
	if (rt->solo) {
		if (rt_load(addr, 4, ORDER_RELAXED, HERE) != expected)
			return 0;
		if (deadline == UINT64_MAX)
			rt_fail("deadlock", "the only thread sleeps for ever");
		rt->now = deadline > rt->now ? deadline : rt->now;
		return -ETIMEDOUT;
	}
	rt_tick(f);
	rt_fence_sc(f);
	uint64_t value = rt_load_for_wait(addr, HERE);
	rt_event(OP_WAIT, 0, addr, value, expected, false, 0, HERE);
	if (value != expected)
		return 0;
	if (deadline <= rt->now)
		return -ETIMEDOUT;
	f->waits_on = addr;
	f->deadline = deadline;
	f->timed_out = false;
	rt_block(F_FUTEX);
	return f->timed_out ? -ETIMEDOUT : 0;
}

int wp__os_futex_wake(wp_atomic_u32 *word, uint32_t n)
{
	uintptr_t addr = (uintptr_t)word;
	rt_point((struct op){ .addr = addr, .kind = OP_WAKE, .write = true, .fence = true });
	if (rt->solo || (rt_mutating && rt_mutation_at(HERE) == MUTATE_SKIP_WAKE))
		return 0;
	rt_tick(rt_self());
	rt_fence_sc(rt_self());
	int woken = 0;
	while (n--) {
		struct fiber *asleep[RT_FIBERS];
		unsigned count = 0;
		for (unsigned i = 0; i < rt->nfibers; i++)
			if (rt->fiber[i].state == F_FUTEX && rt->fiber[i].waits_on == addr)
				asleep[count++] = &rt->fiber[i];
		if (!count)
			break;
		/* With enough wakes for all of them the order does not matter. */
		unsigned i = n + 1 >= count ? 0 : rt_choose(C_PICK, count, true);
		rt_make_ready(asleep[i]);
		woken++;
	}
	rt_event(OP_WAKE, 0, addr, (uint64_t)woken, 0, false, 0, HERE);
	return woken;
}

int wp__os_membarrier_register(void)
{
	if (rt->left.allocs > 0 && rt_choose(C_ALLOC, 2, true)) {
		rt->left.allocs--;
		return -ENOSYS;
	}
	return 0;
}

int wp__os_membarrier(void)
{
	if (rt_mutating && rt_mutation_at(HERE) == MUTATE_DROP_FENCE)
		return 0;
	rt_point((struct op){ .kind = OP_FENCE, .all = true });
	if (rt->solo)
		return 0;
	rt_tick(rt_self());
	rt_fence_all();
	rt_event(OP_FENCE, ORDER_SC, 0, 0, 0, false, 0, HERE);
	return 0;
}

void wp__os_yield(void)
{
	rt_hint();
}

void wp__os_sleep(uint64_t ns)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .kind = OP_SLEEP, .global = true });
	if (rt->solo) {
		rt->now += ns;
		return;
	}
	rt_event(OP_SLEEP, 0, 0, ns, 0, false, 0, HERE);
	f->deadline = rt->now + ns;
	rt_block(F_SLEEP);
}

void explore_spin_hint(void);
void explore_spin_hint(void)
{
	rt_hint();
}

/* ---- time ---- */

uint64_t wp__os_now_ns(void)
{
	return rt->now += TICK_NS;
}

uint64_t wp__os_ticks_explore(void);
uint64_t wp__os_ticks_explore(void)
{
	return (rt->now += TICK_NS) - rt->ticks_behind;
}

uint64_t wp__os_ticks_per_1024ns(void)
{
	return 1024;
}

/* ---- threads ---- */

int wp__os_thread_create(
	struct wp__thread *thread, size_t stack_size, void *(*start)(void *), void *arg)
{
	(void)stack_size;
	rt_point((struct op){ .kind = OP_CREATE, .global = true });
	if (rt->left.allocs > 0 && rt_choose(C_ALLOC, 2, true)) {
		rt->left.allocs--;
		return -EAGAIN;
	}
	int id = rt_create(start, arg);
	if (id < 0)
		return id;
	thread->handle = (pthread_t)id;
	return 0;
}

void wp__os_thread_join(struct wp__thread *thread)
{
	rt_join((unsigned)thread->handle);
}

int wp__os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	(void)before, (void)in_parent, (void)in_child; /* nobody forks here */
	rt_point((struct op){ .kind = OP_ALLOC, .global = true });
	if (rt->left.allocs > 0 && rt_choose(C_ALLOC, 2, true)) {
		rt->left.allocs--;
		return -ENOMEM;
	}
	return 0;
}

void wp__os_thread_self(struct wp__thread *thread)
{
	thread->handle = (pthread_t)rt_self()->id;
}

int wp__os_thread_set_name(const char *name)
{
	(void)name;
	return 0;
}

int wp__os_thread_set_slice(uint64_t ns)
{
	(void)ns;
	return 0;
}

/* A mutex is known by its address; what is in it stays as it was initialised. */
static struct mutex *mutex_of(const struct wp__mutex *mutex)
{
	uintptr_t addr = (uintptr_t)mutex;
	struct mutex *m = NULL;
	for (uint32_t i = 0; i < rt->nmutexes; i++) {
		if (rt->mutex[i].addr == addr)
			return &rt->mutex[i];
		if (rt->mutex[i].addr == NOBODY)
			m = &rt->mutex[i];
	}
	if (!m && rt->nmutexes == RT_MUTEXES)
		rt_fail("test", "more than %u mutexes", RT_MUTEXES);
	if (!m)
		m = &rt->mutex[rt->nmutexes++];
	memset(m, 0, sizeof(*m));
	m->addr = addr;
	return m;
}

void wp__os_mutex_init(struct wp__mutex *mutex)
{
	memset(mutex_of(mutex), 0, sizeof(struct mutex));
	mutex_of(mutex)->addr = (uintptr_t)mutex;
}

_Thread_local unsigned wp__os_mutexes_held; /* nobody faults here */

void wp__os_mutex_destroy(struct wp__mutex *mutex)
{
	struct mutex *m = mutex_of(mutex);
	if (m->owner)
		rt_fail("mutex", "destroyed while it is locked");
	m->addr = NOBODY; /* nobody's: the memory may hold something else from now on */
}

void wp__os_mutex_lock(struct wp__mutex *mutex)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .addr = (uintptr_t)mutex, .kind = OP_LOCK, .write = true });
	rt_granule((uintptr_t)mutex, HERE);
	struct mutex *m = mutex_of(mutex);
	if (m->owner == f->id + 1u)
		rt_fail("deadlock", "a thread locks a mutex that it holds");
	while (m->owner) {
		f->waits_on = (uintptr_t)mutex;
		rt_block(F_MUTEX);
	}
	m->owner = (uint8_t)(f->id + 1);
	rt_tick(f);
	know(&f->knows, &m->knows);
	rt_event(OP_LOCK, 0, (uintptr_t)mutex, 0, 0, false, 0, HERE);
}

void wp__os_mutex_unlock(struct wp__mutex *mutex)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .addr = (uintptr_t)mutex, .kind = OP_UNLOCK, .write = true });
	rt_granule((uintptr_t)mutex, HERE);
	struct mutex *m = mutex_of(mutex);
	if (m->owner != f->id + 1u)
		rt_fail("mutex", "unlocked by a thread that does not hold it");
	rt_tick(f);
	m->owner = 0;
	m->knows = f->knows;
	rt_event(OP_UNLOCK, 0, (uintptr_t)mutex, 0, 0, false, 0, HERE);
	for (unsigned i = 0; i < rt->nfibers; i++)
		if (rt->fiber[i].state == F_MUTEX && rt->fiber[i].waits_on == (uintptr_t)mutex)
			rt_make_ready(&rt->fiber[i]);
	rt_wrote();
	f->own_writes++;
}

/* ---- giving up ---- */

/* Where a thread that ends goes to; an execution leaves nothing behind that the next one reads. */
static struct wp__escape *innermost[RT_FIBERS];

bool wp__os_try(struct wp__escape *escape, void (*body)(void *arg), void *arg)
{
	volatile bool returned = false;
	struct wp__escape **slot = &innermost[rt_self()->id];
	struct wp__escape *outer = *slot;
	*slot = escape;
	escape->thread_ends = false;
	if (_setjmp(escape->to) == 0) {
		body(arg);
		returned = true;
	}
	*slot = outer;
	return returned;
}

void explore_end_thread(void)
{
	struct wp__escape *escape = innermost[rt_self()->id];
	escape->thread_ends = true;
	longjmp(escape->to, 1);
}

void wp__os_escape(struct wp__escape *escape)
{
	longjmp(escape->to, 1);
}

unsigned wp__os_backtrace(void **frames, unsigned max)
{
	(void)frames;
	(void)max;
	return 0;
}

void wp__os_symbolize(void *const *frames, unsigned count, char *text, size_t size)
{
	(void)frames;
	(void)count;
	(void)size;
	text[0] = '\0';
}

void wp__os_die(const char *message)
{
	rt_fail("died", "%s", message);
}

int wp__os_stack_end(void **low, size_t *guard)
{
	(void)low;
	(void)guard;
	return -ENOSYS;
}

/* ---- memory ---- */

void *wp__os_reserve(size_t size)
{
	rt_point((struct op){ .kind = OP_ALLOC, .global = true });
	if (rt->left.allocs > 0 && rt_choose(C_ALLOC, 2, true)) {
		rt->left.allocs--;
		return NULL;
	}
	return rt_allocate(4096, size, HERE);
}

void wp__os_release(void *memory, size_t size)
{
	(void)size;
	rt_point((struct op){ .kind = OP_FREE, .global = true });
	rt_release(memory, HERE);
}

int wp__os_protect(void *memory, size_t size)
{
	(void)memory;
	(void)size;
	return -ENOSYS;
}

int wp__os_discard(void *memory, size_t size)
{
	uintptr_t first = wp_round_up((uintptr_t)memory, PAGE_SIZE);
	uintptr_t last = ((uintptr_t)memory + size) & ~(uintptr_t)(PAGE_SIZE - 1);
	if (first >= last)
		return 0;
	rt_plain(first, last - first, true, HERE);
	memset((void *)first, 0, last - first);
	return 0;
}

/* ---- processors, environment ---- */

int wp__os_get_affinity(struct wp__cpu_set *set)
{
	memset(set, 0, sizeof(*set));
	set->bits[0] = (1u << CPUS) - 1;
	return 0;
}

int wp__os_set_affinity(const struct wp__cpu_set *set)
{
	return set->bits[0] & ((1u << CPUS) - 1) ? 0 : -EINVAL;
}

long wp__os_read_file(const char *path, char *buffer, size_t size)
{
	(void)path;
	(void)buffer;
	(void)size;
	return -ENOENT;
}

const char *wp__os_getenv(const char *name)
{
	(void)name;
	return NULL;
}
