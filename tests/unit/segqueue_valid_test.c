/* SPDX-License-Identifier: MIT */
/* The walker over a lane's invariants sees each of them broken. */
#include <wpool/queue.h>

#include "lane.h"
#include "ledger.h"

#define SIZE 2u

/* Three jobs in segments of two slots; the first segment touched is the first in memory. */
static struct wp_queue *three_jobs(void)
{
	struct wp_job job = { .fn = ledger_fn0 };
	struct wp_queue *q = lane_create(8, SIZE);
	for (unsigned i = 0; i < 3; i++)
		t_assert_int_eq(wp_queue_push(q, &job), 0);
	t_assert(wp__segqueue_is_valid(lane_of(q)));
	return q;
}

/* Breaks one word and mends it again. */
static void expect_noticed_u64(struct wp_queue *q, wp_atomic_u64 *word, uint64_t broken)
{
	uint64_t right = wp_load_rlx_u64(word);
	wp_store_rlx_u64(word, broken);
	t_assert(!wp__segqueue_is_valid(lane_of(q)));
	wp_store_rlx_u64(word, right);
	t_assert(wp__segqueue_is_valid(lane_of(q)));
}

static void expect_noticed_u32(struct wp_queue *q, wp_atomic_u32 *word, uint32_t broken)
{
	uint32_t right = wp_load_rlx_u32(word);
	wp_store_rlx_u32(word, broken);
	t_assert(!wp__segqueue_is_valid(lane_of(q)));
	wp_store_rlx_u32(word, right);
	t_assert(wp__segqueue_is_valid(lane_of(q)));
}

T_TEST(segqueue_valid, positions)
{
	struct wp_queue *q = three_jobs();
	struct wp__segqueue *lane = lane_of(q);
	uint64_t head = wp_load_rlx_u64(&lane->head), tail = wp_load_rlx_u64(&lane->tail);
	/* Claimed beyond what was accepted; more inside than there is room for. */
	expect_noticed_u64(q, &lane->head, head + 4 * WP__TICKET_ONE);
	expect_noticed_u64(q, &lane->tail, tail + 6 * WP__TICKET_ONE);
	/* A limit that lets more in than there is room for. */
	expect_noticed_u64(q, &lane->limit, head + 9 * WP__TICKET_ONE);
	/* Closed, and nobody has said where. */
	expect_noticed_u64(q, &lane->tail, tail | WP__TAIL_CLOSED);
	wp_queue_destroy(q);
}

T_TEST(segqueue_valid, segments)
{
	struct wp_queue *q = three_jobs();
	struct wp__segqueue *lane = lane_of(q);
	struct wp__segment *full = (struct wp__segment *)(void *)lane->pool.memory;
	/* All copied out and still installed; more than published; the mark of another use. */
	expect_noticed_u32(q, &full->done, SIZE);
	expect_noticed_u32(q, &full->done, SIZE + 1);
	full->uses++;
	t_assert(!wp__segqueue_is_valid(lane));
	full->uses--;
	t_assert(wp__segqueue_is_valid(lane));
	/* A segment that is neither in use nor free. */
	expect_noticed_u32(q, &lane->pool.touched, wp_load_rlx_u32(&lane->pool.touched) + 1);
	wp_queue_destroy(q);
}
