/* SPDX-License-Identifier: MIT */
/*
 * Random small scenarios on real threads: what each call answered, and when, must be a history that
 * the queue may have (wgl.h).
 *
 * A scenario says what each of its 2 to 4 threads does: up to 5 calls on a queue of a few places
 * and small segments, perhaps with a close among them. It is run many times, disturbed at the
 * labelled points in some scenarios. The queue is emptied in the end, by calls that belong to the
 * history. Pushes that wait for room that nobody makes are ended by a close.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/clock.h>
#include <wpool/error.h>
#include <wpool/queue.h>

#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "report.h"
#include "stamp.h"
#include "wgl.h"

#define SCENARIOS   300
#define RUNS        1000
/* On a busy machine there are fewer runs; how many there were is printed. */
#define BUDGET_NS   UINT64_C(35000000000)
#define THREADS_MAX 4
#define CALLS_MAX   5
#define GROUP       50 /* runs for which threads are started together */
#define HANG_NS     UINT64_C(30000000000)

enum way { PUSH, TRY_PUSH, PUSH_UNTIL, CLAIM, POP_MANY, CLOSE };

struct call {
	enum way way;
	uint8_t value, max;
};

struct scenario {
	unsigned threads, capacity, segment_size;
	unsigned calls[THREADS_MAX];
	struct call call[THREADS_MAX][CALLS_MAX];
	unsigned yields, sleeps;
};

/* One run: a queue and what happened to it. */
struct run {
	struct wp_queue *q;
	wp_atomic_u64 stamps;
	wp_atomic_u32 arrived, done;
	unsigned noted[THREADS_MAX + 1];
	struct wgl_op notes[THREADS_MAX + 1][WGL_OPS];
};

struct group {
	const struct scenario *scenario;
	struct run runs[GROUP];
	wp_atomic_u32 finished;
	wp_atomic_u32 blocked[THREADS_MAX]; /* 1 + the run in which a push may be waiting */
};

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

/* ---- making one up ---- */

static struct call random_call(struct wp__rng *rng, unsigned pushes_of_8, bool may_close)
{
	struct call call = { .max = (uint8_t)(1 + wp__rng_below(rng, 4)) };
	if (may_close && wp__rng_below(rng, 6) == 0) {
		call.way = CLOSE;
	} else if (wp__rng_below(rng, 8) < pushes_of_8) {
		uint64_t draw = wp__rng_below(rng, 8);
		call.way = draw < 3 ? PUSH : draw < 7 ? TRY_PUSH : PUSH_UNTIL;
	} else {
		call.way = wp__rng_below(rng, 3) ? CLAIM : POP_MANY;
	}
	return call;
}

static struct scenario random_scenario(uint64_t seed)
{
	static const unsigned sizes[] = { 1, 2, 3, 64 };
	struct wp__rng rng = { seed };
	struct scenario s = {
		.threads = 2 + (unsigned)wp__rng_below(&rng, THREADS_MAX - 1),
		.capacity = 1 + (unsigned)wp__rng_below(&rng, 8),
		.segment_size = sizes[wp__rng_below(&rng, 4)],
	};
	bool with_close = wp__rng_below(&rng, 3) == 0;
	uint8_t value = 0;
	for (unsigned t = 0; t < s.threads; t++) {
		/* Some threads only push, some only pop, some do both. */
		static const unsigned mixes[] = { 8, 0, 4, 6 };
		unsigned mix = mixes[t < 2 ? t : wp__rng_below(&rng, 4)];
		s.calls[t] = 1 + (unsigned)wp__rng_below(&rng, CALLS_MAX);
		for (unsigned i = 0; i < s.calls[t]; i++) {
			s.call[t][i] = random_call(&rng, mix, with_close);
			s.call[t][i].value = value++;
		}
	}
	static const unsigned yields[] = { 0, 64, 256, 512 };
	s.yields = yields[wp__rng_below(&rng, 4)];
	s.sleeps = wp__rng_below(&rng, 8) == 0 ? 4 : 0;
	return s;
}

/* ---- running it ---- */

static void push(struct wp_queue *q, const struct call *call, struct wgl_op *op)
{
	struct wp_job job = { .fn = no_job, .payload = (void *)(uintptr_t)call->value };
	int r = call->way == PUSH       ? wp_queue_push(q, &job)
		: call->way == TRY_PUSH ? wp_queue_try_push(q, &job)
					: wp_queue_push_until(q, &job, wp_after_ns(5000));
	t_assert(r == 0 || r == WP_ECLOSED || (call->way == TRY_PUSH && r == WP_EFULL) ||
		 (call->way == PUSH_UNTIL && r == WP_ETIMEDOUT));
	op->answer = r == 0 ? WGL_OK : r == WP_ECLOSED ? WGL_CLOSED : WGL_FULL;
}

static void pop(struct wp_queue *q, const struct call *call, struct wgl_op *op)
{
	struct wp_job jobs[WGL_BATCH];
	if (call->way == CLAIM) {
		struct wp__claim claim;
		if (wp__segqueue_claim(lane_of(q), jobs, call->max, 1, 1, &claim))
			op->count = (uint8_t)claim.count;
	} else {
		op->count = (uint8_t)wp_queue_pop_many(q, jobs, call->max);
	}
	t_assert(op->count <= call->max);
	for (unsigned i = 0; i < op->count; i++) {
		uintptr_t value = (uintptr_t)jobs[i].payload;
		t_assert(jobs[i].fn == no_job && value < WGL_OPS);
		op->got[i] = (uint8_t)value;
	}
}

static struct wgl_op *make_call(struct run *run, unsigned me, const struct call *call)
{
	static const enum wgl_kind kinds[] = { WGL_PUSH, WGL_PUSH, WGL_PUSH, WGL_CLAIM, WGL_POP,
		WGL_CLOSE };
	t_assert(run->noted[me] < WGL_OPS);
	struct wgl_op *op = &run->notes[me][run->noted[me]++];
	memset(op, 0, sizeof(*op));
	op->kind = (uint8_t)kinds[call->way];
	op->thread = (uint8_t)me;
	op->value = call->value;
	op->max = call->max;
	op->inv = stamp_draw(&run->stamps);
	if (op->kind == WGL_PUSH)
		push(run->q, call, op);
	else if (op->kind == WGL_CLOSE)
		wp_queue_close(run->q);
	else
		pop(run->q, call, op);
	op->resp = stamp_draw(&run->stamps);
	return op;
}

static void take_part(void *arg, unsigned me)
{
	struct group *group = arg;
	const struct scenario *s = group->scenario;
	for (unsigned r = 0; r < GROUP; r++) {
		struct run *run = &group->runs[r];
		wp_add_rlx_u32(&run->arrived, 1);
		for (unsigned i = 0; wp_load_rlx_u32(&run->arrived) < s->threads; i++)
			if (i > 200)
				wp__os_yield();
		for (unsigned i = 0; i < s->calls[me]; i++) {
			bool may_wait = s->call[me][i].way == PUSH;
			if (may_wait)
				wp_store_rlx_u32(&group->blocked[me], r + 1);
			make_call(run, me, &s->call[me][i]);
			if (may_wait)
				wp_store_rlx_u32(&group->blocked[me], 0);
		}
		wp_add_rlx_u32(&run->done, 1);
	}
	wp_add_rlx_u32(&group->finished, 1);
}

/* Whether every thread of the run has finished it, or waits for room, and at least one waits. */
static bool all_wait(struct group *group, unsigned r)
{
	unsigned waiting = 0;
	for (unsigned t = 0; t < group->scenario->threads; t++)
		waiting += wp_load_rlx_u32(&group->blocked[t]) == r + 1;
	return waiting &&
	       waiting + wp_load_rlx_u32(&group->runs[r].done) >= group->scenario->threads;
}

/* Ends waits that nobody else will end; returns when all threads have finished all runs. */
static void watch(struct group *group)
{
	const struct scenario *s = group->scenario;
	uint64_t end = wp_after_ns(HANG_NS);
	for (unsigned r = 0, seen = 0; wp_load_rlx_u32(&group->finished) < s->threads;) {
		struct run *run = &group->runs[r];
		wp__os_yield();
		if (r + 1 < GROUP && wp_load_rlx_u32(&run->done) == s->threads) {
			r++;
			seen = 0;
			end = wp_after_ns(HANG_NS);
			continue;
		}
		seen = all_wait(group, r) ? seen + 1 : 0;
		t_assert_msg(wp_now_ns() < end, "hangs: depth %zu of %u, %s",
			wp_queue_depth(run->q), s->capacity,
			seen ? "pushes wait" : "nobody waits for room");
		/* They wait rightly only if it is full. One close ends the waits of all. */
		if (seen > 20 && !run->noted[s->threads] && wp_queue_depth(run->q) == s->capacity)
			make_call(run, s->threads, &(struct call){ .way = CLOSE });
	}
}

static void start_run(struct run *run, const struct scenario *s)
{
	run->q = lane_create(s->capacity, s->segment_size);
	wp_store_rlx_u64(&run->stamps, 1);
	wp_store_rlx_u32(&run->arrived, 0);
	wp_store_rlx_u32(&run->done, 0);
	memset(run->noted, 0, sizeof(run->noted));
}

static void end_run(struct run *run, const struct scenario *s, struct wgl_history *h)
{
	struct call rest = { .way = POP_MANY, .max = WGL_BATCH };
	while (make_call(run, s->threads, &rest)->count)
		;
	wp_queue_destroy(run->q);
	memset(h, 0, sizeof(*h));
	h->capacity = s->capacity;
	h->segment_size = s->segment_size;
	for (unsigned t = 0; t <= s->threads; t++)
		for (unsigned i = 0; i < run->noted[t]; i++) {
			t_assert(h->ops < WGL_OPS);
			h->op[h->ops++] = run->notes[t][i];
		}
}

/* ---- checking it ---- */

#define KNOWN 8192

/* The histories of a scenario that have been checked, as hashes; 0 is nobody's. */
struct known {
	uint64_t hash[KNOWN];
	unsigned count;
};

static bool is_known(struct known *known, const struct wgl_history *h)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const unsigned char *bytes = (const unsigned char *)h->op;
	for (size_t i = 0; i < h->ops * sizeof(h->op[0]); i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	hash |= 1;
	for (uint64_t at = hash >> 20;; at++) {
		uint64_t *slot = &known->hash[at % KNOWN];
		if (*slot == hash)
			return true;
		if (*slot)
			continue;
		if (known->count < KNOWN / 2) {
			*slot = hash;
			known->count++;
		}
		return false;
	}
}

static void check(const struct wgl_history *h, struct wgl_memo *memo, uint64_t seed)
{
	enum wgl_verdict verdict = wgl_check(h, memo);
	if (verdict == WGL_ACCEPTED)
		return;
	printf("scenario %llu: not a history of the queue%s:\n", (unsigned long long)seed,
		verdict == WGL_GAVE_UP ? ", or too long to tell" : "");
	wgl_print(stdout, h);
	struct wgl_history less = *h;
	if (verdict == WGL_REJECTED)
		wgl_shrink(&less, memo);
	printf("without what does not matter:\n");
	wgl_print(stdout, &less);
	t_assert_msg(false, "scenario %llu", (unsigned long long)seed);
}

/* Runs a scenario; returns how many different histories came of it. */
static unsigned run_scenario(
	uint64_t seed, struct group *group, struct wgl_memo *memo, uint64_t runs, uint64_t deadline)
{
	static struct known known;
	static uint64_t all_runs;
	struct scenario s = random_scenario(seed);
	struct wgl_history h;
	struct crew crew;
	memset(&known, 0, sizeof(known));
	group->scenario = &s;
	wp__chaos(seed, s.yields, s.sleeps);
	for (uint64_t done = 0; done < runs && (done == 0 || wp_now_ns() < deadline);
		done += GROUP, all_runs += GROUP) {
		for (unsigned r = 0; r < GROUP; r++)
			start_run(&group->runs[r], &s);
		wp_store_rlx_u32(&group->finished, 0);
		crew_start(&crew, s.threads, take_part, group);
		watch(group);
		crew_join(&crew);
		for (unsigned r = 0; r < GROUP; r++) {
			end_run(&group->runs[r], &s, &h);
			if (!is_known(&known, &h))
				check(&h, memo, seed);
		}
	}
	wp__chaos(0, 0, 0);
	if (seed % 50 == 0)
		printf("%llu scenarios, %llu runs\n", (unsigned long long)seed,
			(unsigned long long)all_runs);
	return known.count;
}

T_TEST_TIMEOUT(lin_small, random_scenarios, 600)
{
	enum { ENTRIES = 1 << 16 };
	struct wgl_memo memo = { .size = ENTRIES };
	memo.entry = calloc(ENTRIES, sizeof(*memo.entry));
	struct group *group = calloc(1, sizeof(*group));
	t_assert(memo.entry && group);
	uint64_t runs = t_scaled(RUNS), begin = wp_now_ns(), histories = 0;
	uint64_t budget = wp_max_u64(BUDGET_NS, BUDGET_NS / RUNS * runs);
	for (uint64_t seed = 1; seed <= SCENARIOS; seed++)
		histories +=
			run_scenario(seed, group, &memo, runs, begin + budget / SCENARIOS * seed);
	printf("%llu different histories\n", (unsigned long long)histories);
	free(memo.entry);
	free(group);
}
