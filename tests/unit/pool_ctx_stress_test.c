/* SPDX-License-Identifier: MIT */
/*
 * Jobs with contexts under load: many submit in contexts that others cancel, in every way, into
 * pools that are too small. Afterwards the books have to balance to the last job and reference.
 */
#include <errno.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

#define SUBMITTERS 3
#define CANCELLERS 1
#define CAUSE      (-EIO)

struct tally {
	wp_atomic_u64 accepted, refused_cancelled, refused_late, refused_full, refused_closed;
	wp_atomic_u64 ran, cleaned, skipped_waits, saw_the_end;
};

struct storm {
	struct wp_pool *pool;
	struct wp_ctx *top;
	uint64_t rounds;
	uint64_t seed;
	bool stopped; /* somebody stops the pool in the middle */
	wp_atomic_u32 submitting;
	struct tally tally;
	/* What each submitter works in; handed to cancellers with a reference. */
	wp_atomic_ptr offered[SUBMITTERS];
};

static struct storm storm;

static int run_fn(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&storm.tally.ran, 1);
	/* Not run when it had ended; it may end just now. */
	if (wp_ctx_err(wp_job_current()->ctx))
		wp_add_rlx_u64(&storm.tally.saw_the_end, 1);
	return 0;
}

static void clean(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&storm.tally.cleaned, 1);
}

/* Submits from inside of a job, to a full lane as well. */
static int run_and_submit(void *payload)
{
	struct wp_job inner = { .fn = run_fn, .ctx = wp_job_current()->ctx, .cleanup = clean };
	int error = wp_submit_job(storm.pool, &inner);
	struct tally *t = &storm.tally;
	wp_add_rlx_u64(!error                ? &t->accepted
		       : error == CAUSE      ? &t->refused_cancelled
		       : error == WP_ECLOSED ? &t->refused_closed
					     : &t->refused_late,
		1);
	t_assert(!error || error == CAUSE || error == WP_ETIMEDOUT || error == WP_ECLOSED);
	return run_fn(payload);
}

static void book(int error, uint64_t n)
{
	struct tally *t = &storm.tally;
	switch (error) {
	case 0:
		wp_add_rlx_u64(&t->accepted, n);
		break;
	case CAUSE:
		wp_add_rlx_u64(&t->refused_cancelled, n);
		break;
	case WP_ETIMEDOUT:
		wp_add_rlx_u64(&t->refused_late, n);
		break;
	case WP_EFULL:
		wp_add_rlx_u64(&t->refused_full, n);
		break;
	default:
		t_assert_int_eq(error, WP_ECLOSED);
		wp_add_rlx_u64(&t->refused_closed, n);
	}
}

static void book_batch(struct wp_ctx *ctx, ssize_t accepted, uint64_t n, bool wait)
{
	if (accepted < 0) {
		book((int)accepted, n);
		return;
	}
	book(0, (uint64_t)accepted);
	if ((uint64_t)accepted == n)
		return;
	/* Why the others were not: what the statistics say has to agree in the end. */
	int err = wp_ctx_err(ctx);
	t_assert(err || !wait || wp_pool_is_closed(storm.pool));
	book(err ? err : wait ? WP_ECLOSED : WP_EFULL, n - (uint64_t)accepted);
}

/* A job that is waited for is accepted unless the context, or the pool, ended before. */
static void submit_and_wait(const struct wp_job *job)
{
	uint64_t cleaned = 0;
	struct wp_job counted = *job;
	counted.payload = &cleaned;
	counted.cleanup = count_cleanup;
	int error = wp_submit_wait(storm.pool, &counted);
	cleaned = wp_load_rlx_u64((wp_atomic_u64 *)(void *)&cleaned);
	t_assert(cleaned <= 1 && (error || cleaned));
	wp_add_rlx_u64(&storm.tally.cleaned, cleaned);
	if (cleaned && error) {
		t_assert(error == CAUSE || error == WP_ETIMEDOUT || error == WP_EDROPPED);
		wp_add_rlx_u64(&storm.tally.skipped_waits, 1);
	}
	book(cleaned ? 0 : error, 1);
}

static void submit_somehow(struct wp_ctx *ctx, struct wp__rng *random)
{
	struct wp_job job = { .fn = wp__rng_below(random, 4) ? run_fn : run_and_submit,
		.ctx = ctx,
		.cleanup = clean };
	struct wp_job jobs[5] = { job, job, job, job, job };
	switch (wp__rng_below(random, 6)) {
	case 0:
		book(wp_submit_job(storm.pool, &job), 1);
		break;
	case 1:
		book(wp_try_submit(storm.pool, &job), 1);
		break;
	case 2:
		book(wp_submit_until(storm.pool, &job, wp_after_ns(50000)), 1);
		break;
	case 3:
		book_batch(ctx, wp_submit_batch(storm.pool, jobs, 5), 5, true);
		break;
	case 4:
		book_batch(ctx, wp_try_submit_batch(storm.pool, jobs, 5), 5, false);
		break;
	default:
		job.fn = run_fn;
		submit_and_wait(&job);
	}
}

static void submit_many(unsigned me, struct wp__rng *random)
{
	for (uint64_t i = 0; i < storm.rounds; i++) {
		uint64_t lives = wp__rng_below(random, 8)
					 ? WP_FOREVER
					 : wp_after_ns(wp__rng_below(random, 200000));
		struct wp_ctx *ctx = NULL;
		t_assert_int_eq(wp_ctx_create(&ctx, storm.top, lives), 0);
		struct wp_ctx *old = wp_swap_ar_ptr(&storm.offered[me], wp_ctx_ref(ctx));
		wp_ctx_unref(old);
		for (uint64_t k = wp__rng_below(random, 12); k; k--)
			submit_somehow(ctx, random);
		wp_ctx_unref(ctx);
	}
	wp_sub_rel_u32(&storm.submitting, 1);
}

static void cancel_many(struct wp__rng *random)
{
	while (wp_load_acq_u32(&storm.submitting)) {
		uint64_t at = wp__rng_below(random, SUBMITTERS);
		struct wp_ctx *ctx = wp_swap_ar_ptr(&storm.offered[at], NULL);
		for (uint64_t i = wp__rng_below(random, 2000); i; i--)
			wp_spin_hint();
		wp_ctx_cancel(ctx, CAUSE);
		wp_ctx_unref(ctx);
		if (wp__rng_below(random, 16) == 0)
			wp__os_sleep(20000);
	}
}

static void submit_or_cancel(void *arg, unsigned me)
{
	struct wp__rng random = { storm.seed * 64 + me };
	(void)arg;
	if (me < SUBMITTERS)
		submit_many(me, &random);
	else if (me < SUBMITTERS + CANCELLERS)
		cancel_many(&random);
	else
		while (wp_load_acq_u32(&storm.submitting) == SUBMITTERS)
			wp__os_sleep(100000);
	if (me == SUBMITTERS + CANCELLERS)
		t_assert_int_eq(wp_pool_stop(storm.pool, NULL), 0);
}

static uint64_t of(const wp_atomic_u64 *count)
{
	return wp_load_rlx_u64(count);
}

static void balance(void)
{
	const struct tally *t = &storm.tally;
	struct wp_stats s = pool_stats(storm.pool);
	t_assert_u64_eq(s.submitted, of(&t->accepted));
	t_assert_u64_eq(s.completed, of(&t->ran));
	t_assert_u64_eq(s.completed + s.cancelled + s.dropped, s.submitted);
	t_assert_u64_eq(of(&t->cleaned), s.submitted);
	t_assert_u64_eq(s.queued + s.running, 0);
	t_assert(storm.stopped || s.dropped == 0);
	uint64_t refused = of(&t->refused_cancelled) + of(&t->refused_late) + of(&t->refused_full) +
			   of(&t->refused_closed);
	t_assert_u64_eq(
		s.rejected_cancelled + s.rejected_timeout + s.rejected_full + s.rejected_closed,
		refused);
	t_assert(s.rejected_cancelled && (storm.stopped || s.cancelled));
	t_assert(wp__segqueue_is_valid(&storm.pool->lane));
	t_assert_u64_eq(wp_load_rlx_u32(&storm.pool->lane.room.waiters), 0);
}

static void rage(unsigned workers, size_t capacity, uint64_t rounds, bool stopped)
{
	static const struct storm calm;
	struct crew crew;
	uint64_t seed = storm.seed + 1;
	storm = calm;
	storm.seed = seed;
	storm.rounds = rounds;
	storm.stopped = stopped;
	storm.pool = pool_of(workers, capacity, 3);
	t_assert_int_eq(wp_ctx_create(&storm.top, NULL, WP_FOREVER), 0);
	wp_store_rlx_u32(&storm.submitting, SUBMITTERS);
	crew_start(&crew, SUBMITTERS + CANCELLERS + stopped, submit_or_cancel, NULL);
	crew_join(&crew);
	pool_wait(storm.pool);
	balance();
	for (int i = 0; i < SUBMITTERS; i++)
		wp_ctx_unref(wp_load_acq_ptr(&storm.offered[i]));
	pool_destroy(storm.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&storm.top->references), 1);
	t_assert(storm.top->first_child == NULL);
	wp_ctx_unref(storm.top);
}

/* So many that some jobs meet a cancel, however small the load is asked to be. */
static uint64_t rounds(uint64_t n)
{
	return wp_max_u64(t_scaled(n), 50);
}

T_TEST_TIMEOUT(pool_ctx_stress, the_books_balance, 600)
{
	rage(1, 1, rounds(2000), false);
	rage(2, 2, rounds(2000), false);
	rage(2, 7, rounds(3000), false);
	rage(4, 64, rounds(3000), false);
}

T_TEST_TIMEOUT(pool_ctx_stress, the_books_balance_under_chaos, 600)
{
	wp__chaos(7, 64, 8);
	rage(1, 2, rounds(300), false);
	rage(3, 5, rounds(300), false);
}

T_TEST_TIMEOUT(pool_ctx_stress, stopped_in_the_middle, 600)
{
	for (uint64_t i = 0; i < t_scaled(30); i++)
		rage(1 + (unsigned)i % 3, 4, 200, true);
}
