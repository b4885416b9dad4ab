/* SPDX-License-Identifier: MIT */
/*
 * Linearizability under the explorer: what each thread calls is chosen like everything else, and
 * what the calls answered must be a history that the queue may have (tests/lin/wgl.h).
 *
 * The checker is not under test: it is compiled without the explorer's calls, and its memory is
 * nothing that an execution sees.
 */
#include <wpool/error.h>
#include <wpool/queue.h>

#include "explore.h"
#include "lin/stamp.h"
#include "lin/wgl.h"
#include "queue/segqueue.h"

#define THREADS 3u
#define CALLS   3u
#define ENTRIES 1024u

enum way { TRY_PUSH, CLAIM_ONE, CLAIM_TWO, POP_MANY, CLOSE };

static struct wp__segqueue queue;
static uint32_t capacity, segment_size;
static uint8_t ways[THREADS][CALLS];
static wp_atomic_u64 stamps;
static struct wgl_op notes[THREADS + 1][WGL_OPS];
static uint32_t noted[THREADS + 1];

static struct wgl_history history;
static struct wgl_memo_entry entries[ENTRIES];
static struct wgl_memo memo = { .size = ENTRIES, .entry = entries };

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

/* ---- one call ---- */

static void push(struct wgl_op *op)
{
	struct wp_job job = { .fn = no_job, .payload = (void *)(uintptr_t)op->value };
	int r = wp__segqueue_push_until(&queue, &job, 0);
	explore_assert(r >= 0 || r == WP_EFULL || r == WP_ECLOSED);
	op->answer = r >= 0 ? WGL_OK : r == WP_EFULL ? WGL_FULL : WGL_CLOSED;
	explore_note("push answered", op->answer);
}

static void pop(struct wgl_op *op)
{
	struct wp_job jobs[WGL_BATCH];
	struct wp__claim claim = { .count = 0 };
	uint32_t count = 0;
	if (op->kind == WGL_POP) /* a public queue is nothing but its lane */
		count = (uint32_t)wp_queue_pop_many(
			(struct wp_queue *)(void *)&queue, jobs, op->max);
	else if (wp__segqueue_claim(&queue, jobs, op->max, 1, 1, &claim))
		count = claim.count;
	explore_assert(count <= op->max);
	for (uint32_t i = 0; i < count; i++) {
		explore_assert(jobs[i].fn == no_job);
		op->got[i] = (uint8_t)(uintptr_t)jobs[i].payload;
	}
	op->count = (uint8_t)count;
	explore_note("jobs that came out", count);
}

static struct wgl_op *make_call(uint32_t me, enum way way)
{
	static const uint8_t kinds[] = { WGL_PUSH, WGL_CLAIM, WGL_CLAIM, WGL_POP, WGL_CLOSE };
	static const uint8_t most[] = { 0, 1, 2, 2, 0 };
	struct wgl_op *op = &notes[me][noted[me]];
	op->kind = kinds[way];
	op->thread = (uint8_t)me;
	op->max = most[way];
	op->value = (uint8_t)(me * CALLS + noted[me]++);
	op->inv = stamp_draw(&stamps);
	if (op->kind == WGL_PUSH)
		push(op);
	else if (op->kind == WGL_CLOSE)
		wp__segqueue_close(&queue);
	else
		pop(op);
	op->resp = stamp_draw(&stamps);
	return op;
}

/* ---- executions ---- */

/* Who only pushes, who only pops, who does as he likes. */
static uint8_t choose_way(uint32_t me, bool may_close)
{
	if (me == 0)
		return TRY_PUSH;
	if (me == 1)
		return (uint8_t)(CLAIM_ONE + explore_choose(3));
	return (uint8_t)explore_choose(may_close ? 5 : 4);
}

static void choose(uint32_t threads, uint32_t calls)
{
	struct wp__segqueue_options o = { .room_patience = 0 };
	capacity = 1 + explore_choose(3);
	segment_size = 1 + explore_choose(2);
	o.capacity = capacity;
	o.segment_size = segment_size;
	explore_assert(wp__segqueue_init(&queue, &o) == 0);
	for (uint32_t t = 0; t < threads; t++)
		for (uint32_t i = 0; i < calls; i++)
			ways[t][i] = choose_way(t, true);
}

static void two_threads(void)
{
	choose(2, 3);
}

static void three_threads(void)
{
	choose(3, 2);
}

static void run(uint32_t me, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++)
		make_call(me, (enum way)ways[me][i]);
}

static void first_of_two(void)
{
	run(0, 3);
}

static void second_of_two(void)
{
	run(1, 3);
}

static void first_of_three(void)
{
	run(0, 2);
}

static void second_of_three(void)
{
	run(1, 2);
}

static void third_of_three(void)
{
	run(2, 2);
}

static void check_history(bool weak)
{
	while (make_call(THREADS, POP_MANY)->count)
		;
	history.capacity = capacity;
	history.segment_size = segment_size;
	history.weak = weak;
	for (uint32_t t = 0; t <= THREADS; t++)
		for (uint32_t i = 0; i < noted[t]; i++)
			history.op[history.ops++] = notes[t][i];
	explore_assert(wgl_check(&history, &memo) == WGL_ACCEPTED);
	explore_assert(wp__segqueue_is_valid(&queue));
	wp__segqueue_fini(&queue);
}

static void check(void)
{
	check_history(true);
}

EXPLORE_TEST(lin_2_threads, .setup = two_threads, .body = { first_of_two, second_of_two },
	.check = check, .no_leaks = true);

EXPLORE_TEST(lin_3_threads, .setup = three_threads,
	.body = { first_of_three, second_of_three, third_of_three }, .check = check,
	.no_leaks = true);

/* Where loads read what stands there, each answer is right at a moment of its call. */
static void check_moments(void)
{
	check_history(false);
}

EXPLORE_TEST(lin_3_threads_in_order, .setup = three_threads,
	.body = { first_of_three, second_of_three, third_of_three }, .check = check_moments,
	.no_leaks = true, .stale = -1);
