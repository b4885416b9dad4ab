/* SPDX-License-Identifier: MIT */
/*
 * The lane's protocols step by step: a hook at a labelled point does there what another thread
 * might do at the worst moment. Each test fixes one order of events, so it fails each time when the
 * step that it is about is missing, mostly by hanging until its limit.
 */
#include "queue/segqueue.h"

#include <stdlib.h>
#include <string.h>

#include <wpool/error.h>

#include "base/alloc.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"

#define HANGS 30

static struct wp__segqueue *q;
static struct ledger jobs;
static uint64_t next_in, next_out; /* of the one producer that most tests have */

static void make(uint64_t capacity, uint32_t segment_size)
{
	q = wp__alloc(WP_ALONE, sizeof(*q));
	struct wp__segqueue_options options = { .capacity = capacity,
		.segment_size = segment_size,
		.first_ticket = WP_FIRST_TICKET() };
	t_assert(q && wp__segqueue_init(q, &options) == 0);
	ledger_open(&jobs, 64, 16384);
	next_in = next_out = 0;
}

static void drop(void)
{
	wp__set_point_hook(NULL);
	t_assert(wp__segqueue_is_valid(q));
	ledger_close(&jobs);
	wp__segqueue_fini(q);
	wp__free(q);
}

static struct wp_job next_job(void)
{
	return ledger_job(&jobs, 0, next_in++);
}

static void push_one(void)
{
	struct wp_job job = next_job();
	t_assert_int_eq(wp__segqueue_push_until(q, &job, 0), 0);
}

static bool is_job(const struct wp_job *job, unsigned producer, uint64_t seq)
{
	struct wp_job expected = ledger_job(&jobs, producer, seq);
	return memcmp(job, &expected, sizeof(expected)) == 0;
}

/* Takes one job, which must be the next of producer 0. */
static void pop_one(void)
{
	struct wp_job job;
	struct wp__claim claim;
	t_assert(wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
	t_assert_u64_eq(claim.count, 1);
	t_assert_u64_eq(claim.ticket, next_out);
	t_assert(is_job(&job, 0, next_out++));
}

static void pop_none(void)
{
	struct wp_job job;
	struct wp__claim claim;
	t_assert(!wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
}

/* ---- a hook that does something once, at one point, in one thread ---- */

static _Thread_local bool takes_part; /* this thread's points count */
static const char *at;
static void (*what)(void);

static void once(const char *label)
{
	if (!takes_part || strcmp(label, at) != 0)
		return;
	takes_part = false;
	what();
}

static void arm(const char *label, void (*act)(void))
{
	at = label;
	what = act;
	takes_part = true;
	wp__set_point_hook(once);
}

/* ---- waiting for room ---- */

/* Room comes between the look that found none and the bit: no consumer will wake. */
T_TEST_TIMEOUT(segqueue_steps, room_before_the_waiters_bit_is_seen, HANGS)
{
	make(2, 4);
	push_one();
	push_one();
	arm("W1", pop_one);
	struct wp_job job = next_job();
	t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	t_assert(!takes_part);
	pop_one();
	pop_one();
	pop_none();
	drop();
}

/* Room comes between the bit and the sleep: the epoch has moved, the sleep ends at once. */
T_TEST_TIMEOUT(segqueue_steps, room_before_the_sleep_ends_it, HANGS)
{
	make(1, 1);
	push_one();
	arm("W2", pop_one);
	struct wp_job job = next_job();
	t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	t_assert(!takes_part);
	pop_one();
	drop();
}

static void close_lane(void)
{
	t_assert(wp__segqueue_close(q));
}

T_TEST_TIMEOUT(segqueue_steps, a_close_before_the_bit_or_the_sleep_is_seen, HANGS)
{
	static const char *const labels[] = { "W1", "W2" };
	for (size_t i = 0; i < 2; i++) {
		make(1, 3);
		push_one();
		arm(labels[i], close_lane);
		struct wp_job job = next_job();
		t_assert_int_eq(wp__segqueue_push(q, &job), WP_ECLOSED);
		t_assert(!takes_part);
		pop_one();
		pop_none();
		drop();
	}
}

/* Waits until n calls of futex wait were begun since the counts were reset. */
static void until_asleep(uint64_t n)
{
	while (wp__fault_calls(WP_FAULT_FUTEX_WAIT) < n)
		wp__os_yield();
}

static void push_as(void *arg, unsigned me)
{
	int *results = arg;
	struct wp_job job = ledger_job(&jobs, me + 1, 0);
	results[me] = wp__segqueue_push(q, &job);
}

/* One sleeper: the wake must come from the pop, there is nothing else. */
T_TEST_TIMEOUT(segqueue_steps, a_pop_wakes_a_sleeper, HANGS)
{
	make(1, 1);
	/* A count that wraps is a count like any other. */
	wp_store_rlx_u32(&q->room.epoch, UINT32_MAX);
	for (int round = 0; round < 20; round++) {
		push_one();
		wp__fault_reset_counts();
		struct crew crew;
		int result = -1;
		crew_start(&crew, 1, push_as, &result);
		until_asleep(1);
		if (round % 2)
			wp__os_sleep(
				2000000); /* mostly it sleeps by now; either way it must wake */
		pop_one();
		crew_join(&crew);
		t_assert_int_eq(result, 0);
		struct wp_job job;
		struct wp__claim claim;
		t_assert(wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
		t_assert(is_job(&job, 1, 0));
		next_out = claim.ticket + 1;
		next_in = next_out;
	}
	t_assert_u64_eq(wp_load_rlx_u32(&q->room.waiters), 0);
	drop();
}

/* ---- tickets beyond the limit ---- */

#define GATHERED 20
#define SMALLEST 64 /* capacity that uses the fetch-add */

static wp_atomic_u32 gathered;

/*
 * Nobody goes on before all have their tickets, so nobody has said yet that the lane is near
 * full.
 */
static void gather(const char *label)
{
	if (strcmp(label, "Q1") != 0 || wp_load_rlx_u32(&gathered) >= GATHERED)
		return;
	wp_add_rlx_u32(&gathered, 1);
	while (wp_load_rlx_u32(&gathered) < GATHERED)
		wp__os_yield();
}

/*
 * Fills the lane by fetch-add up to the edge, then beyond it; returns how many tickets are
 * beyond.
 */
static unsigned overshoot(struct crew *crew, int *results)
{
	make(SMALLEST, 16);
	wp_store_rlx_u32(&gathered, 0);
	for (unsigned i = 0; i < SMALLEST - SMALLEST / 8; i++) {
		struct wp_job job = next_job();
		t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	}
	t_assert_u64_eq(wp_load_rlx_u32(&q->near), 0);
	wp__fault_reset_counts();
	wp__set_point_hook(gather);
	crew_start(crew, GATHERED, push_as, results);
	until_asleep(GATHERED - SMALLEST / 8);
	wp__set_point_hook(NULL);
	return GATHERED - SMALLEST / 8;
}

static size_t pop_all(struct wp_job *out, size_t n, uint64_t wake_room)
{
	size_t got = 0;
	while (got < n) {
		struct wp__claim claim;
		if (wp__segqueue_claim(q, out + got, 64, 1, wake_room, &claim))
			got += claim.count;
		else
			wp__os_yield();
	}
	return got;
}

/* Whatever number the consumer asks for at a time, who waits with a ticket gets his room. */
static void held_tickets_come_out(uint64_t wake_room)
{
	struct crew crew;
	int results[GATHERED];
	memset(results, -1, sizeof(results));
	unsigned beyond = overshoot(&crew, results);
	t_assert_u64_eq(wp__segqueue_depth(q), SMALLEST);
	t_assert_u64_eq(wp__segqueue_accepted(q), SMALLEST + beyond);
	struct wp_job refused = next_job();
	t_assert_int_eq(wp__segqueue_push_until(q, &refused, 0), WP_EFULL);
	struct wp_job out[128];
	pop_all(out, SMALLEST + beyond, wake_room);
	crew_join(&crew);
	for (unsigned i = 0; i < GATHERED; i++)
		t_assert_int_eq(results[i], 0);
	for (unsigned i = 0; i < SMALLEST - SMALLEST / 8; i++)
		t_assert(is_job(&out[i], 0, i));
	pop_none();
	drop();
}

T_TEST_TIMEOUT(segqueue_steps, held_tickets_come_out_one_by_one, HANGS)
{
	held_tickets_come_out(1);
}

T_TEST_TIMEOUT(segqueue_steps, held_tickets_come_out_in_large_batches, HANGS)
{
	held_tickets_come_out(SMALLEST);
	held_tickets_come_out(UINT64_MAX);
}

T_TEST_TIMEOUT(segqueue_steps, held_tickets_are_promises_that_a_close_keeps, HANGS)
{
	struct crew crew;
	int results[GATHERED];
	memset(results, -1, sizeof(results));
	unsigned beyond = overshoot(&crew, results);
	t_assert(wp__segqueue_close(q));
	crew_join(&crew); /* nobody pops: they may not wait for that any longer */
	for (unsigned i = 0; i < GATHERED; i++)
		t_assert_int_eq(results[i], 0);
	t_assert_u64_eq(wp__segqueue_depth(q), SMALLEST);
	t_assert(wp__segqueue_is_valid(q));
	struct wp_job out[128];
	pop_all(out, SMALLEST + beyond, 1);
	pop_none();
	drop();
}

/* ---- who leaves the waiters and who joins them ---- */

static struct crew second;
static int second_result;

/* The first waiter is on his way out; the room goes; the second comes, finds none, and sleeps. */
static void second_sleeps(void)
{
	push_one();
	wp__fault_reset_counts();
	second_result = -1;
	crew_start(&second, 1, push_as, &second_result);
	until_asleep(1);
	wp__os_sleep(5000000);
}

static void room_for_the_first(void)
{
	pop_one();
	arm("W4", second_sleeps);
}

/*
 * The first waiter finds room, counts himself out, and before he takes WAITERS away the second one
 * has set it and sleeps. It must be set again, or nobody wakes the second.
 */
T_TEST_TIMEOUT(segqueue_steps, who_leaves_does_not_take_anothers_bit_along, HANGS)
{
	make(1, 4);
	push_one();
	/* Room at W1, so that the look after W2 finds it; at W4 it is gone again. */
	arm("W1", room_for_the_first);
	t_assert_int_eq(wp__room_wait(q, UINT64_MAX), 0);
	t_assert(!takes_part);
	pop_one();
	crew_join(&second);
	t_assert_int_eq(second_result, 0);
	struct wp_job job;
	struct wp__claim claim;
	t_assert(wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
	t_assert(is_job(&job, 1, 0));
	drop();
}

/* ---- what a consumer may meet ---- */

/* The whole directory goes round while a consumer is about to count its job as copied out. */
static uint64_t laps;

static void go_round(void)
{
	uint64_t entries = q->directory_mask + 1;
	for (uint64_t i = 1; i < laps * entries * q->segment_size; i++) {
		push_one();
		struct wp_job job;
		struct wp__claim claim;
		t_assert(wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
		t_assert_u64_eq(claim.ticket, i);
		t_assert(is_job(&job, 0, i));
	}
	/* Now the front of the line is in an entry that still holds the block of a lap ago. */
	pop_none();
	t_assert_u64_eq(wp__segqueue_depth(q), 0);
}

T_TEST_TIMEOUT(segqueue_steps, a_block_of_a_lap_ago_is_not_taken_for_this_one, HANGS)
{
	make(1, 4);
	push_one();
	laps = 1;
	arm("S1", go_round);
	pop_one();
	t_assert(!takes_part);
	next_out = next_in;
	push_one(); /* the entry is free now */
	pop_one();
	drop();
}

/* Somebody takes the job that the front pointed to, and another one is published. */
static void pop_and_push(void)
{
	struct wp_job job;
	struct wp__claim claim;
	t_assert(wp__segqueue_claim(q, &job, 1, 1, 1, &claim));
	t_assert(is_job(&job, 0, claim.ticket));
	next_out++;
	push_one();
}

T_TEST_TIMEOUT(segqueue_steps, an_outdated_front_is_not_taken_for_an_empty_queue, HANGS)
{
	make(4, 1); /* each job a segment: the outdated front's is retired */
	push_one();
	arm("H0", pop_and_push);
	pop_one();
	t_assert(!takes_part);
	drop();
}

/* The outdated front is not popped a second time either. */
T_TEST_TIMEOUT(segqueue_steps, an_outdated_front_is_not_popped_again, HANGS)
{
	for (uint32_t size = 1; size <= 4; size++) {
		make(4, size);
		push_one();
		arm("H1", pop_and_push);
		pop_one();
		t_assert(!takes_part);
		pop_none();
		drop();
	}
}

static void push_two(void)
{
	push_one();
	push_one();
}

/* What is copied out is not overwritten, though its segment is already used again. */
T_TEST_TIMEOUT(segqueue_steps, a_retired_segment_was_copied_out, HANGS)
{
	static const char *const labels[] = { "S1", "D3" };
	for (size_t i = 0; i < 2; i++) {
		make(4, 1);
		push_one();
		arm(labels[i], push_two);
		pop_one();
		t_assert(!takes_part);
		pop_one();
		pop_one();
		drop();
	}
}

static void may_not_sleep(void)
{
	t_assert(!wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_disarm_sleep(q));
	pop_none();
}

/* A ticket without its job is work to come: nobody sleeps over it. */
T_TEST_TIMEOUT(segqueue_steps, a_ticket_alone_keeps_consumers_awake, HANGS)
{
	make(100, 4);
	arm("Q1", may_not_sleep); /* the fetch-add has been done */
	struct wp_job job = next_job();
	t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	t_assert(!takes_part);
	pop_one();
	t_assert(wp__segqueue_arm_sleep(q));
	drop();
}

static void announce(void)
{
	t_assert(wp__segqueue_arm_sleep(q));
}

/* Announced before the ticket is taken: this push has to wake. */
T_TEST_TIMEOUT(segqueue_steps, a_push_sees_the_sleeper_who_came_first, HANGS)
{
	make(100, 4);
	arm("Q0", announce);
	struct wp_job job = next_job();
	t_assert_int_eq(wp__segqueue_push(q, &job), WP__PUSHED_WAKE);
	t_assert(!takes_part);
	pop_one();
	drop();
}
