/* SPDX-License-Identifier: MIT */
/*
 * The statistics against what was seen to happen, for each thing that can happen to a job and for
 * all of them at once: exact at rest, and meanwhile, read without a pause, never in contradiction
 * with themselves and never going back.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

#define SUBMITTERS 3
#define WORKERS    2
#define UNWANTED   20 /* jobs that are cancelled while they are queued */

/* What becomes of jobs: some of these, or of all. */
enum kind { WORKS, FAILS, PANICS, FAULTS, ENDS_ITS_THREAD, IS_CANCELLED, SUBMITS, KINDS };

/* How they come in. */
enum way { WAITS, TRIES, TIMES_OUT, FOR_RESULT, BY_LANE, IN_ENDED_CTX, WAYS };

#define ALL(n) ((1u << (n)) - 1)

struct scenario {
	const char *name;
	unsigned kinds, ways; /* bits */
	bool stops;           /* in the middle of it */
	bool bad_handlers;    /* cleanups and error handlers give up, too */
};

static const struct scenario scenarios[] = {
	{ "successes", 1 << WORKS, 1 << WAITS, false, false },
	{ "failures", 1 << WORKS | 1 << FAILS, 1 << WAITS, false, false },
	{ "panics", 1 << WORKS | 1 << PANICS, 1 << WAITS, false, false },
	{ "faults", 1 << WORKS | 1 << FAULTS, 1 << WAITS, false, false },
	{ "pthread_exit", 1 << WORKS | 1 << ENDS_ITS_THREAD, 1 << WAITS, false, false },
	{ "cancelled threads", 1 << WORKS | 1 << IS_CANCELLED, 1 << WAITS, false, false },
	{ "jobs of jobs", 1 << WORKS | 1 << SUBMITS, 1 << WAITS, false, false },
	{ "full", 1 << WORKS, 1 << TRIES, false, false },
	{ "time-outs", 1 << WORKS, 1 << TIMES_OUT, false, false },
	{ "results", 1 << WORKS | 1 << FAILS, 1 << FOR_RESULT, false, false },
	{ "producers", 1 << WORKS | 1 << FAILS, 1 << BY_LANE, false, false },
	{ "contexts", 1 << WORKS, 1 << WAITS | 1 << IN_ENDED_CTX, false, false },
	{ "a stop", 1 << WORKS, ALL(WAYS), true, false },
	{ "handlers", ALL(KINDS), 1 << WAITS | 1 << FOR_RESULT, false, true },
	{ "everything", ALL(KINDS), ALL(WAYS), false, true },
	{ "everything, stopped", ALL(KINDS), ALL(WAYS), true, true },
};

static const struct scenario *scenario;

static struct {
	struct wp_pool *pool;
	struct wp_ctx *ended;
	uint64_t each;
	wp_atomic_u32 submitting;
	/* What was seen: by the submitters, jobs, cleanups and handlers. */
	wp_atomic_u64 accepted, full, late, closed, unwanted;
	wp_atomic_u64 completed, failed, gave_up, ended_threads, cleaned, handled, in_handlers;
} seen;

static void see(wp_atomic_u64 *counter)
{
	wp_add_rlx_u64(counter, 1);
}

static uint64_t of(wp_atomic_u64 *counter)
{
	return wp_load_rlx_u64(counter);
}

/* ---- jobs ---- */

static void clean(void *payload);
static int offer(const struct wp_job *job, enum way way, struct wp_producer *lane);

static int run_fn(void *payload)
{
	switch ((enum kind)(uintptr_t)payload) {
	case FAILS:
		see(&seen.failed);
		return -EIO;
	case PANICS:
		see(&seen.gave_up);
		wp_panic(-EPROTO, "one of many");
	case FAULTS:
		see(&seen.gave_up);
		raise(SIGFPE);
		return 0;
	case ENDS_ITS_THREAD:
		see(&seen.gave_up);
		see(&seen.ended_threads);
		pthread_exit(NULL);
	case IS_CANCELLED:
		see(&seen.gave_up);
		see(&seen.ended_threads);
		pthread_cancel(pthread_self());
		pthread_testcancel();
		pthread_exit(NULL); /* it was cancelled before, by a job further out */
	case SUBMITS:
		offer(&(struct wp_job){ .fn = run_fn, .cleanup = clean }, FOR_RESULT, NULL);
		break;
	default:
		break;
	}
	see(&seen.completed);
	return 0;
}

static void give_up(void)
{
	see(&seen.in_handlers);
	wp_panic(-1, "not the job");
}

static void clean(void *payload)
{
	see(&seen.cleaned);
	if (scenario->bad_handlers && (uintptr_t)payload == FAILS)
		give_up();
}

static void on_error(void *self, const struct wp_job_error *error)
{
	(void)self;
	see(&seen.handled);
	if (scenario->bad_handlers && (uintptr_t)error->payload == FAILS)
		give_up();
}

/* A job that is rare is one in 16: threads are dear. */
static struct wp_job job_of(struct wp__rng *rng)
{
	enum kind kind = (enum kind)wp__rng_below(rng, KINDS);
	bool rare = kind == ENDS_ITS_THREAD || kind == IS_CANCELLED;
	if (!(scenario->kinds >> kind & 1) || (rare && wp__rng_below(rng, 16)))
		kind = WORKS;
	if (kind == FAULTS && T_SANITIZED)
		kind = PANICS; /* the sanitizer has the handlers */
	return (struct wp_job){
		.fn = run_fn, .payload = (void *)(uintptr_t)kind, .cleanup = clean
	};
}

/* ---- submitting ---- */

static int offer(const struct wp_job *job, enum way way, struct wp_producer *lane)
{
	int error = way == TRIES        ? wp_try_submit(seen.pool, job)
		    : way == TIMES_OUT  ? wp_submit_until(seen.pool, job, wp_after_ns(1000))
		    : way == BY_LANE    ? wp_producer_submit_job(lane, job)
		    : way == FOR_RESULT ? wp_submit_wait(seen.pool, job)
					: wp_submit_job(seen.pool, job);
	/* No job returns what a refusal does. */
	bool ran = way == FOR_RESULT && error != WP_ECLOSED;
	if (error == 0 || ran)
		see(&seen.accepted);
	else if (error == WP_EFULL)
		see(&seen.full);
	else if (error == WP_ETIMEDOUT)
		see(&seen.late);
	else if (error == WP_ECLOSED)
		see(&seen.closed);
	else if (error == -ENOLINK)
		see(&seen.unwanted);
	else
		t_assert_msg(false, "%s: refused with %d", scenario->name, error);
	return error;
}

static void submit_many(unsigned me)
{
	struct wp__rng rng = { me };
	struct wp_producer *lane = NULL;
	if (scenario->ways >> BY_LANE & 1) {
		int error = wp_producer_open(&lane, seen.pool);
		t_assert(error == 0 || (error == WP_ECLOSED && scenario->stops));
	}
	for (uint64_t i = 0; i < seen.each; i++) {
		enum way way;
		do
			way = (enum way)wp__rng_below(&rng, WAYS);
		while (!(scenario->ways >> way & 1) || (way == BY_LANE && !lane));
		struct wp_job job = job_of(&rng);
		job.ctx = way == IN_ENDED_CTX ? seen.ended : NULL;
		offer(&job, way, lane);
	}
	wp_producer_close(lane);
}

static void watch(void)
{
	struct wp_stats before = pool_stats(seen.pool);
	while (wp_load_acq_u32(&seen.submitting)) {
		struct wp_stats s = pool_stats(seen.pool);
		pool_expect_sum(&s);
		pool_expect_forwards(&before, &s);
		t_assert(s.workers_busy + s.workers_idle == s.workers_alive);
		t_assert(s.workers_alive <= WORKERS && s.workers_peak == WORKERS);
		before = s;
	}
}

static void take_part(void *arg, unsigned me)
{
	(void)arg;
	if (me == SUBMITTERS) {
		watch();
		return;
	}
	if (me == SUBMITTERS + 1) {
		pool_until(
			of(&seen.accepted) > seen.each / 2 || !wp_load_acq_u32(&seen.submitting));
		t_assert_int_eq(wp_pool_stop(seen.pool, NULL), 0);
		return;
	}
	submit_many(me);
	wp_sub_rel_u32(&seen.submitting, 1);
}

/* ---- the books ---- */

/* A context ends whose jobs are in line: so many are cancelled, exactly. */
static void cancel_some(void)
{
	struct gate gate = { 0 };
	gate_hold(&gate, seen.pool, WORKERS);
	struct wp_job job = { .fn = run_fn, .ctx = seen.ended, .cleanup = clean };
	for (unsigned i = 0; i < UNWANTED; i++)
		t_assert_int_eq(wp_submit_job(seen.pool, &job), 0);
	wp_ctx_cancel(seen.ended, -ENOLINK);
	gate_open(&gate);
	pool_wait(seen.pool);
}

static void expect_books(const struct wp_stats *s)
{
	uint64_t gates = WORKERS;
	uint64_t ran = of(&seen.completed) + of(&seen.failed) + of(&seen.gave_up);
	t_assert_u64_eq(s->submitted, of(&seen.accepted) + gates + UNWANTED);
	t_assert_u64_eq(s->completed, of(&seen.completed) + gates);
	t_assert_u64_eq(s->failed, of(&seen.failed));
	t_assert_u64_eq(s->panicked, of(&seen.gave_up));
	t_assert_u64_eq(s->cancelled, UNWANTED);
	t_assert_u64_eq(s->dropped, of(&seen.accepted) - ran);
	t_assert(scenario->stops || s->dropped == 0);
	t_assert_u64_eq(s->queued + s->running, 0);
	t_assert_u64_eq(s->rejected_full, of(&seen.full));
	t_assert_u64_eq(s->rejected_timeout, of(&seen.late));
	t_assert_u64_eq(s->rejected_closed, of(&seen.closed));
	t_assert_u64_eq(s->rejected_cancelled, of(&seen.unwanted));
	t_assert_u64_eq(of(&seen.handled), s->failed + s->panicked);
	t_assert(s->workers_replaced <= of(&seen.ended_threads));
	t_assert_u64_eq(of(&seen.cleaned), of(&seen.accepted) + UNWANTED);
	t_assert_u64_eq(s->handler_panics, of(&seen.in_handlers));
}

static void play(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct crew crew;
	o.workers = WORKERS;
	o.capacity = 32;
	o.segment_size = 8;
	o.producer_capacity = 8;
	o.timing = true;
	o.contain_faults = !T_SANITIZED;
	o.on_error = on_error;
	memset(&seen, 0, sizeof(seen));
	seen.pool = pool_make(&o);
	seen.each = t_scaled(400);
	t_assert_int_eq(wp_ctx_create(&seen.ended, NULL, WP_FOREVER), 0);
	cancel_some();
	wp_store_rlx_u32(&seen.submitting, SUBMITTERS);
	crew_start(&crew, SUBMITTERS + 1 + scenario->stops, take_part, NULL);
	crew_join(&crew);
	pool_wait(seen.pool);
	struct wp_stats at_rest = pool_stats(seen.pool), ended;
	expect_books(&at_rest);
	t_assert_int_eq(wp_pool_shutdown(seen.pool, WP_FOREVER, NULL), 0);
	ended = pool_stats(seen.pool);
	expect_books(&ended);
	pool_expect_forwards(&at_rest, &ended);
	wp_ctx_unref(seen.ended);
	pool_destroy(seen.pool);
}

T_TEST(stats_fates, exact_at_rest_and_forwards_meanwhile)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		scenario = &scenarios[i];
		play();
	}
}

T_TEST(stats_fates, under_chaos)
{
	wp__chaos(9, 64, 4);
	for (size_t i = sizeof(scenarios) / sizeof(scenarios[0]) - 4;
		i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		scenario = &scenarios[i];
		play();
	}
}
