/* SPDX-License-Identifier: MIT */
#include "park/latch.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "crew.h"
#include "hooks.h"
#include "t.h"

T_TEST(latch, is_not_set_at_first)
{
	struct wp__latch latch = { 0 };
	t_assert(!wp__latch_is_set(&latch));
	wp__latch_set(&latch);
	t_assert(wp__latch_is_set(&latch));
}

T_TEST(latch, wait_for_a_set_latch_makes_no_call)
{
	struct wp__latch latch = { 0 };
	wp__latch_set(&latch);
	wp__fault_reset_counts();
	wp__latch_wait(&latch);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAIT), 0);
}

T_TEST(latch, wait_looks_again_after_an_interruption)
{
	struct wp__latch latch = { 0 };
	wp__latch_set(&latch);
	wp__fault_arm(WP_FAULT_FUTEX_WAIT, 1, true, EINTR);
	wp__latch_wait(&latch);
	t_assert(wp__latch_is_set(&latch));
}

T_TEST(latch, wait_until_ends_at_the_deadline)
{
	struct wp__latch latch = { 0 };
	for (int i = 0; i < 5; i++) {
		uint64_t deadline = wp__os_now_ns() + 2000000;
		t_assert(!wp__latch_wait_until(&latch, deadline));
		t_assert(wp__os_now_ns() >= deadline);
	}
	t_assert(!wp__latch_wait_until(&latch, 0));
	wp__latch_set(&latch);
	t_assert(wp__latch_wait_until(&latch, 0));
	t_assert(wp__latch_wait_until(&latch, UINT64_MAX));
}

struct relay {
	struct wp__latch latch;
	uint64_t data; /* plain: handed over by the latch */
	wp_atomic_u64 sum;
};

static void pass_on(void *arg, unsigned me)
{
	struct relay *relay = arg;
	if (me == 0) {
		wp__os_sleep(2000000);
		relay->data = 42;
		wp__latch_set(&relay->latch);
	} else {
		wp__latch_wait(&relay->latch);
		wp_add_rlx_u64(&relay->sum, relay->data);
	}
}

T_TEST(latch, releases_all_who_wait_and_hands_over_data)
{
	static struct relay relay;
	struct crew crew;
	crew_start(&crew, 9, pass_on, &relay);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&relay.sum), 8 * 42);
}

/*
 * The latch lies on the waiter's stack and is gone as soon as the wait returns; the setter is held
 * between its store and its wake-up in many rounds. A setter that touches the latch after the store
 * changes what lies there next (or is caught by the address sanitizer).
 */
struct box {
	wp_atomic_ptr latch;
	uint64_t rounds;
	wp_atomic_u32 over;
};

/* Where others use the processors, each round may take as long as they are let run. */
#define ROUNDS_NS UINT64_C(20000000000)

static void set_latches(struct box *box)
{
	for (;;) {
		struct wp__latch *latch;
		while (!(latch = wp_load_acq_ptr(&box->latch))) {
			if (wp_load_acq_u32(&box->over))
				return;
			wp_spin_hint(), wp__os_yield();
		}
		wp_store_rlx_ptr(&box->latch, NULL);
		wp__latch_set(latch);
	}
}

static __attribute__((noinline)) void wait_once(struct box *box)
{
	struct wp__latch latch = { 0 };
	wp_store_rel_ptr(&box->latch, &latch);
	wp__latch_wait(&latch);
}

static __attribute__((noinline)) void expect_stack_untouched(void)
{
	volatile uint32_t where[64];
	for (size_t i = 0; i < 64; i++)
		where[i] = 0x5a5a5a5a;
	wp__os_yield();
	for (size_t i = 0; i < 64; i++)
		t_assert_u64_eq(where[i], 0x5a5a5a5a);
}

static void come_and_go(void *arg, unsigned me)
{
	struct box *box = arg;
	if (me == 0) {
		set_latches(box);
		return;
	}
	uint64_t end = wp__os_now_ns() + ROUNDS_NS;
	for (uint64_t r = 0; r < box->rounds && (r < 10 || wp__os_now_ns() < end); r++) {
		wait_once(box);
		expect_stack_untouched();
	}
	wp_store_rel_u32(&box->over, 1);
}

T_TEST(latch, may_be_gone_when_the_wait_returns)
{
	static struct box box;
	box.rounds = t_scaled(20000);
	wp__chaos(5, 300, 20);
	struct crew crew;
	crew_start(&crew, 2, come_and_go, &box);
	crew_join(&crew);
	t_assert(wp__point_hits("L1") > 0);
}
