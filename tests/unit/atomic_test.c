/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>

#include <wpool/clock.h>

#include "base/atomic.h"
#include "t.h"

#define ROUNDS (T_SANITIZED ? 20000 : 200000)

#define CHECK_RMW(op, order, name, before, operand, after)                        \
	do {                                                                      \
		wp_store_rlx_##name(&a, before);                                  \
		t_assert_u64_eq(wp_##op##_##order##_##name(&a, operand), before); \
		t_assert_u64_eq(wp_load_rlx_##name(&a), after);                   \
	} while (0)

#define CHECK_RMW_ORDERS(op, name, before, operand, after) \
	CHECK_RMW(op, rlx, name, before, operand, after);  \
	CHECK_RMW(op, acq, name, before, operand, after);  \
	CHECK_RMW(op, rel, name, before, operand, after);  \
	CHECK_RMW(op, ar, name, before, operand, after)

#define CHECK_CAS(strength, order, name)                                           \
	do {                                                                       \
		wp_store_rlx_##name(&a, 7);                                        \
		expected = 8;                                                      \
		t_assert(!wp_cas_##strength##_##order##_##name(&a, &expected, 9)); \
		t_assert_u64_eq(expected, 7);                                      \
		t_assert_u64_eq(wp_load_rlx_##name(&a), 7);                        \
		while (!wp_cas_##strength##_##order##_##name(&a, &expected, 9))    \
			t_assert_u64_eq(expected, 7);                              \
		t_assert_u64_eq(wp_load_rlx_##name(&a), 9);                        \
	} while (0)

#define CHECK_CAS_ORDERS(strength, name) \
	CHECK_CAS(strength, rlx, name);  \
	CHECK_CAS(strength, acq, name);  \
	CHECK_CAS(strength, rel, name);  \
	CHECK_CAS(strength, ar, name)

T_TEST(atomic, u64_operations_return_the_value_before)
{
	wp_atomic_u64 a;
	uint64_t expected;
	const uint64_t high = UINT64_C(1) << 40;
	CHECK_RMW_ORDERS(swap, u64, high, high + 1, high + 1);
	CHECK_RMW_ORDERS(add, u64, high, high, 2 * high);
	CHECK_RMW_ORDERS(sub, u64, 0, 1, UINT64_MAX);
	CHECK_RMW_ORDERS(or, u64, high, 5, high + 5);
	CHECK_RMW_ORDERS(and, u64, high + 5, 4, 4);
	CHECK_CAS_ORDERS(weak, u64);
	CHECK_CAS_ORDERS(strong, u64);
	wp_store_rel_u64(&a, high);
	t_assert_u64_eq(wp_load_acq_u64(&a), high);
}

T_TEST(atomic, u32_operations_return_the_value_before)
{
	wp_atomic_u32 a;
	uint32_t expected;
	CHECK_RMW_ORDERS(swap, u32, 1, 2, 2);
	CHECK_RMW_ORDERS(add, u32, UINT32_MAX, 2, 1);
	CHECK_RMW_ORDERS(sub, u32, 0, 1, UINT32_MAX);
	CHECK_RMW_ORDERS(or, u32, 6, 3, 7);
	CHECK_RMW_ORDERS(and, u32, 6, 3, 2);
	CHECK_CAS_ORDERS(weak, u32);
	CHECK_CAS_ORDERS(strong, u32);
	wp_store_rel_u32(&a, 9);
	t_assert_u64_eq(wp_load_acq_u32(&a), 9);
}

T_TEST(atomic, pointers)
{
	int x, y;
	wp_atomic_ptr a = { NULL };
	void *expected = &y;
	wp_store_rel_ptr(&a, &x);
	t_assert(wp_load_acq_ptr(&a) == &x);
	t_assert(!wp_cas_strong_ar_ptr(&a, &expected, &y));
	t_assert(expected == &x);
	t_assert(wp_cas_strong_ar_ptr(&a, &expected, &y));
	t_assert(wp_swap_ar_ptr(&a, NULL) == &y);
	t_assert(wp_load_rlx_ptr(&a) == NULL);
}

static wp_atomic_u64 counter;

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		wp_add_rlx_u64(&counter, 1);
	return NULL;
}

T_TEST(atomic, no_addition_is_lost)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		t_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	t_assert_u64_eq(wp_load_rlx_u64(&counter), 4 * (uint64_t)ROUNDS);
}

/*
 * Message passing: plain data behind a release store, read after an acquire load. The sender may be
 * ahead by as many as there are slots: turn by turn, a busy machine would wait long at each.
 */
#define SLOTS 8192
static uint64_t messages[SLOTS];
static wp_atomic_u64 sent, received;

static void *send_all(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		while (wp_load_acq_u64(&received) + SLOTS < i)
			sched_yield();
		messages[i % SLOTS] = i * 3;
		wp_store_rel_u64(&sent, i);
	}
	return NULL;
}

T_TEST(atomic, release_publishes_to_acquire)
{
	pthread_t sender;
	t_assert_int_eq(pthread_create(&sender, NULL, send_all, NULL), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		while (wp_load_acq_u64(&sent) < i)
			sched_yield();
		t_assert_u64_eq(messages[i % SLOTS], i * 3);
		wp_store_rel_u64(&received, i);
	}
	pthread_join(sender, NULL);
}

/* Two threads meet before each step, so that what they do then happens at the same time. */
static void meet(wp_atomic_u32 *here, uint32_t round)
{
	wp_add_ar_u32(here, 1);
	for (unsigned looks = 0; wp_load_acq_u32(here) < 2 * round; looks++)
		if (looks < 20000)
			wp_spin_hint();
		else
			sched_yield(); /* the other has no processor: perhaps ours will do */
}

/*
 * Store, fence, load on both sides: at least one of them sees the other. Where a meeting takes long
 * because the machine is busy, as many rounds as there are in some seconds.
 */
#define SHAKES    20000
#define SHAKES_NS UINT64_C(5000000000)
static wp_atomic_u32 flags[2], seen[2], arrivals, enough;
static uint64_t shakes_end;

static void *shake(void *arg)
{
	unsigned me = *(unsigned *)arg;
	for (uint32_t round = 1; round <= SHAKES && !wp_load_rlx_u32(&enough); round++) {
		meet(&arrivals, 3 * round - 2);
		wp_store_rlx_u32(&flags[me], round);
		wp_fence_sc();
		wp_store_rlx_u32(&seen[me], wp_load_rlx_u32(&flags[1 - me]) == round);
		meet(&arrivals, 3 * round - 1);
		t_assert(wp_load_rlx_u32(&seen[0]) || wp_load_rlx_u32(&seen[1]));
		/* Before both meet again: they agree on which round is the last. */
		if (me == 0 && wp_now_ns() >= shakes_end)
			wp_store_rlx_u32(&enough, 1);
		meet(&arrivals, 3 * round);
	}
	return NULL;
}

T_TEST(atomic, fences_order_a_store_before_a_load)
{
	pthread_t threads[2];
	unsigned numbers[2] = { 0, 1 };
	shakes_end = wp_after_ns(SHAKES_NS);
	for (int i = 0; i < 2; i++)
		t_assert_int_eq(pthread_create(&threads[i], NULL, shake, &numbers[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
