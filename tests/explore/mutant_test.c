/* SPDX-License-Identifier: MIT */
/*
 * Small correct programs in which every labelled order, fence and wake is needed: the explorer
 * must find the failure when any one of them is taken away by its label (--weaken, --drop-acquire,
 * --drop-release, --drop-fence, --skip-wake), and none when nothing is. This tests labels and
 * mutation, not the memory model.
 */
#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"

static wp_atomic_u32 ready, work, sleepers, epoch;
static uint32_t data;

static void publish(void)
{
	data = 1;
	wp_store_rel_u32(&ready, 1); /* [M1] rel: the data; pairs with [M2] */
}

static void consume(void)
{
	/*
	 * [M2] acq: the data;
	 * pairs with [M1]
	 */
	if (wp_load_acq_u32(&ready))
		explore_assert(data == 1);
}

EXPLORE_TEST(mutants_message, .body = { publish, consume });

static void announce(void)
{
	/* Relaxed: only the fence below orders it. */
	wp_store_rlx_u32(&work, 1);
	/* [M3] sc: the work, before the look for sleepers; pairs with [M4] */
	wp_fence_sc();
	if (wp_load_rlx_u32(&sleepers)) {
		wp_add_rlx_u32(&epoch, 1);
		/* [M5] wake */
		wp__os_futex_wake(&epoch, 1);
	}
}

static void wait(void)
{
	wp_store_rlx_u32(&sleepers, 1);
	/* [M4] sc: the announcement, before the look for work; pairs with [M3] */
	wp_fence_sc();
	for (;;) {
		uint32_t seen = wp_load_rlx_u32(&epoch);
		atomic_thread_fence(memory_order_acquire);
		if (wp_load_rlx_u32(&work))
			return;
		wp__os_futex_wait(&epoch, seen, UINT64_MAX);
	}
}

EXPLORE_TEST(mutants_sleep, .body = { wait, announce }, .spurious = -1);

static wp_atomic_u32 arrived;
static uint32_t mine[2];

/* Whoever comes second has everything that the first one wrote: both halves of the order. */
static void arrive(unsigned me)
{
	mine[me] = 1;
	/* [M6] ar: mine; pairs with [M6] */
	if (wp_add_ar_u32(&arrived, 1) == 1)
		explore_assert(mine[!me] == 1);
}

static void arrive_0(void)
{
	arrive(0);
}

static void arrive_1(void)
{
	arrive(1);
}

EXPLORE_TEST(mutants_meeting, .body = { arrive_0, arrive_1 });
