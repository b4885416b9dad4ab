/* SPDX-License-Identifier: MIT */
/* The doors: futex, deadlines, mutex, threads, heap and RCU. */
#include <errno.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/rcu.h"
#include "litmus.h"

/* One program to a paragraph, one thread to a line. */
/* clang-format off */

static wp_atomic_u32 word;
static struct wp__mutex mutex = WP__MUTEX_INIT;

/* ---- futex ---- */

static int sleep_until(uint32_t expected, uint64_t deadline)
{
	return wp__os_futex_wait(&word, expected, deadline);
}

/* The value is compared with the sleep as one step: the wake cannot fall in between. */
LITMUS2(futex_wakes,
	while (!GET(word, acq)) sleep_until(0, UINT64_MAX); r[0] = d,
	d = 1; SET(word, 1, rel); wp__os_futex_wake(&word, 1),
	r[0], ALLOWED(1));

/* Returns at once when the value is another one already. */
LITMUS2(futex_other_value,
	SET(word, 1, rlx); r[0] = sleep_until(0, UINT64_MAX) == 0,
	r[1] = GET(y, rlx),
	r[0], ALLOWED(1));

/* A deadline passes when nobody can run, and may pass before. */
LITMUS2(futex_deadline,
	r[0] = sleep_until(0, 2000000000) == -ETIMEDOUT ? 1 : 2,
	SET(word, 1, rlx); wp__os_futex_wake(&word, 1),
	r[0], ALLOWED(1, 2));

LITMUS2(futex_deadline_alone,
	r[0] = sleep_until(0, 2000000000) == -ETIMEDOUT ? 1 : 2,
	r[1] = wp__os_now_ns() > 0,
	r[0], ALLOWED(1), .spurious = -1);

/* A sleeper may wake for no reason: 2 without anybody waking it. */
LITMUS2(futex_spurious,
	r[0] = sleep_until(0, 2000000000) == -ETIMEDOUT ? 1 : 2,
	r[1] = GET(y, rlx); r[2] = GET(y, rlx),
	r[0], ALLOWED(1, 2));

/* One wake for two sleepers: either of them. */
LITMUS3(futex_wakes_either,
	r[0] = sleep_until(0, 5000000000) == -ETIMEDOUT ? 1 : 2,
	r[1] = sleep_until(0, 5000000000) == -ETIMEDOUT ? 1 : 2,
	r[2] = (unsigned)wp__os_futex_wake(&word, 1),
	r[0] * 100 + r[1] * 10 + r[2], ALLOWED(110, 121, 211), .spurious = -1, .timeouts = -1);

/* The barriers in the kernel order the waiter's own store before its look at the word. */
LITMUS2(futex_wait_is_a_barrier,
	SET(x, 1, rlx); r[0] = sleep_until(0, 1) == 0,
	SET(word, 1, rlx); SC; r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(1, 10, 11));

/* ---- the barrier that all threads pass: one side of a store buffering needs no fence ---- */

LITMUS2(membarrier_on_one_side,
	SET(x, 1, rlx); wp__os_membarrier(); r[0] = GET(y, rlx),
	SET(y, 1, rlx); r[1] = GET(x, rlx),
	r[0] * 10 + r[1], ALLOWED(1, 10, 11));

/* ---- mutex ---- */

static void count_under_mutex(void)
{
	wp__os_mutex_lock(&mutex);
	d++;
	wp__os_mutex_unlock(&mutex);
}

LITMUS3(mutex_counts,
	count_under_mutex(),
	count_under_mutex(),
	count_under_mutex(),
	d, ALLOWED(3));

/* ---- threads ---- */

static void *child(void *arg)
{
	*(uint32_t *)arg += 1;
	return NULL;
}

static void create_and_join(void)
{
	struct wp__thread t;
	d = 1;
	explore_assert(wp__os_thread_create(&t, 0, child, &d) == 0);
	wp__os_thread_join(&t);
	r[0] = d;
}

LITMUS2(thread_create_and_join,
	create_and_join(),
	r[1] = GET(y, rlx),
	r[0], ALLOWED(2));

/* Each thread has thread-locals of its own. */
static _Thread_local unsigned mine = 7;

static unsigned own(unsigned add)
{
	mine += add;
	wp_store_rlx_u32(&x, add);
	(void)GET(x, rlx);
	return mine;
}

LITMUS2(thread_local_per_thread,
	r[0] = own(1),
	r[1] = own(2),
	r[0] * 10 + r[1], ALLOWED(89));

/* ---- heap ---- */

static unsigned try_to_allocate(void)
{
	uint32_t *p = wp__alloc(16, 16);
	unsigned got = p != NULL && *p == 0;
	wp__free(p);
	return got;
}

LITMUS2(allocation_may_fail,
	r[0] = try_to_allocate(),
	r[1] = try_to_allocate(),
	r[0] * 10 + r[1], ALLOWED(1, 10, 11), .alloc_failures = 1, .no_leaks = true);

/* Freed memory comes back only where the test wants it. */
static unsigned same_address(void)
{
	void *first = wp__alloc(16, 48);
	wp__free(first);
	void *second = wp__alloc(16, 48);
	wp__free(second);
	return first == second;
}

LITMUS2(heap_never_reuses,
	r[0] = same_address(),
	r[1] = GET(y, rlx),
	r[0], ALLOWED(0));

LITMUS2(heap_reuses_last,
	r[0] = same_address(),
	r[1] = GET(y, rlx),
	r[0], ALLOWED(1), .reuse = EXPLORE_REUSE_LAST);

/* ---- rcu: who misses the first store cannot see what came after the grace period ---- */

LITMUS2(rcu_grace_period,
	SET(x, 1, rlx); wp__rcu_synchronize(); SET(y, 1, rlx),
	wp__rcu_read_lock(); r[0] = GET(y, rlx); r[1] = GET(x, rlx); wp__rcu_read_unlock(),
	r[0] * 10 + r[1], ALLOWED(0, 1, 11));

LITMUS2(rcu_no_grace_period,
	SET(x, 1, rlx); SET(y, 1, rlx),
	wp__rcu_read_lock(); r[0] = GET(y, rlx); r[1] = GET(x, rlx); wp__rcu_read_unlock(),
	r[0] * 10 + r[1], ALLOWED(0, 1, 10, 11));

static wp_atomic_ptr shared;

static void publish_then_free(void)
{
	uint32_t *old = wp__alloc(16, 16);
	*old = 1;
	wp_store_rel_ptr(&shared, old);
	wp_store_rel_ptr(&shared, NULL);
	wp__rcu_synchronize();
	wp__free(old);
}

static unsigned read_side(void)
{
	wp__rcu_read_lock();
	uint32_t *p = wp_load_acq_ptr(&shared);
	unsigned v = p ? *p : 0;
	wp__rcu_read_unlock();
	return v;
}

LITMUS2(rcu_frees_safely,
	publish_then_free(),
	r[0] = read_side(),
	r[0], ALLOWED(0, 1), .no_leaks = true);
