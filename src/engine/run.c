/* SPDX-License-Identifier: MIT */
#include "engine/run.h"

#include <string.h>

#include <wpool/error.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "engine/error.h"
#include "engine/fork.h"
#include "engine/lanes.h"
#include "engine/rescue.h"
#include "engine/timing.h"
#include "engine/worker.h"
#include "work/job.h"

#define SPILL_FIRST_CAPACITY 64
#define DEEPER_AFTER_NS      UINT64_C(1000000)

/* ---- one job ---- */

/* The worker's job is not running any more. */
static inline void finish(struct wp__worker *w, const struct wp_job *job)
{
	/* One branch for the many that have neither. */
	if (((uintptr_t)job->cleanup | (uintptr_t)job->ctx) == 0)
		return;
	w->phase = WP__IN_CLEANUP;
	wp__job_finish(job);
	w->phase = WP__IN_JOB;
}

/* False: it did not complete; the outcome is in w->running. */
static inline bool run_job_untimed(struct wp__worker *w, const struct wp_job *job)
{
	int code = job->fn(job->payload);
	if (wp_unlikely(code != 0))
		wp__error_failed(w, job, code);
	finish(w, job);
	return code == 0;
}

static WP_COLD bool run_job_timed(struct wp__worker *w, const struct wp_job *job)
{
	const struct wp__running *here = w->running;
	bool of_batch = here->jobs == w->batch;
	uint64_t stamp = of_batch ? w->timing->stamps[here->index] : here->stamp;
	uint64_t start = wp__os_ticks();
	bool completed = run_job_untimed(w, job);
	wp__timing_job(w, stamp, start, wp__os_ticks());
	return completed;
}

static inline bool run_job(struct wp__worker *w, const struct wp_job *job, bool timed)
{
	return wp_unlikely(timed) ? run_job_timed(w, job) : run_job_untimed(w, job);
}

/*
 * n jobs are over, cleaned up and all. What they did is visible to whoever sees the count. Each
 * accepted job is counted once.
 */
static void count_over(struct wp__worker *w, enum wp__outcome outcome, uint64_t n)
{
	uint64_t over = wp_load_rlx_u64(&w->over[outcome]) + n;
	/* [E1] rel: the jobs' effects; pairs with [E2] */
	wp_store_rel_u64(&w->over[outcome], over);
	WP_POINT("E1");
}

static void count_run(struct wp__worker *w, enum wp__outcome outcome, uint64_t n)
{
	struct wp_pool *pool = w->pool;
	pool->metrics.inc_executed(pool->metrics_self, n);
	count_over(w, outcome, n);
}

/* A job of the batch ran; if it did not complete, it is not counted with the others. */
static WP_COLD void count_apart(struct wp__worker *w, enum wp__outcome outcome)
{
	if (outcome == WP__COMPLETED)
		return;
	w->batch_apart++;
	count_run(w, outcome, 1);
}

/* The outermost job, which w->running is. */
static WP_COLD void count_outermost(struct wp__worker *w)
{
	enum wp__outcome outcome = w->outermost.outcome;
	w->outermost.outcome = WP__COMPLETED;
	count_apart(w, outcome);
}

static void count_skipped(struct wp__worker *w, unsigned phase)
{
	count_over(w, phase == WP__IN_CANCEL ? WP__CANCELLED : WP__DROPPED, 1);
}

/* The worker's job, w->running: its context has ended, or else the pool is being stopped. */
static WP_COLD void skip_job(struct wp__worker *w, const struct wp_job *job)
{
	int ended = wp__ctx_err(job->ctx);
	unsigned phase = ended ? WP__IN_CANCEL : WP__IN_DROP;
	wp__job_set_result(job, ended ? ended : WP_EDROPPED);
	w->phase = phase;
	wp__job_finish(job);
	w->phase = WP__IN_JOB;
	count_skipped(w, phase);
}

/* ---- jobs that give up ---- */

static inline const struct wp_job *running_job(const struct wp__worker *w)
{
	return &w->running->jobs[w->running->index];
}

/*
 * Goes on with the running job where it was given up: see engine/guard.h. It may be given up again,
 * in its handler and then in its cleanup, and is done after the third time at the latest.
 */
static WP_COLD void conclude(void *worker)
{
	struct wp__worker *w = worker;
	const struct wp_job *job = running_job(w);
	unsigned phase = w->phase;
	w->running->held = 0;
	if (phase == WP__IN_JOB) {
		wp__job_set_result(job, WP_EPANIC);
		wp__error_panicked(w, job);
	} else {
		wp__error_in_handler(w);
	}
	if (phase == WP__IN_JOB || phase == WP__IN_HANDLER) {
		finish(w, job);
		return;
	}
	wp__job_finish_rest(job);
	w->phase = WP__IN_JOB;
	if (phase != WP__IN_CLEANUP)
		count_skipped(w, phase);
}

static void run_guarded(void *worker)
{
	struct wp__worker *w = worker;
	(void)run_job(w, running_job(w), w->timing != NULL);
}

static void skip_guarded(void *worker)
{
	struct wp__worker *w = worker;
	skip_job(w, running_job(w));
}

/* Does what is to be done with the job inside of another job, or beside the batch. */
static enum wp__outcome nest(
	struct wp__worker *w, struct wp__running *here, void (*what)(void *worker))
{
	here->outer = w->running;
	here->outer_phase = w->phase;
	w->running = here;
	w->phase = WP__IN_JOB;
	w->help_depth++;
	if (wp_unlikely(!wp__guard_run(w, what)))
		while (!wp__guard_run(w, conclude))
			;
	w->help_depth--;
	w->phase = here->outer_phase;
	w->running = here->outer;
	return here->outcome;
}

/* batch[index], to be nested. */
static inline struct wp__running of_batch(const struct wp__worker *w, uint32_t index)
{
	return (struct wp__running){ .jobs = w->batch, .first_id = w->first_id, .index = index };
}

/* ---- one after the other ---- */

static inline bool discarding(const struct wp__worker *w)
{
	/* Relaxed: a job more or less may run; wp_pool_stop waits for the threads' end. */
	return wp_load_rlx_u32(&w->interrupt) & WP__DISCARD;
}

static inline bool is_to_run(const struct wp__worker *w, const struct wp_job *job)
{
	return !discarding(w) && wp_likely(!job->ctx || !wp__ctx_err(job->ctx));
}

/* The next job of the batch that is to be run; those before it that are not are skipped. */
static inline bool next_of_batch(struct wp__worker *w, uint32_t *index)
{
	while (wp__rescue_next(w, index)) {
		if (wp_likely(is_to_run(w, &w->batch[*index])))
			return true;
		struct wp__running job = of_batch(w, *index);
		w->batch_apart++;
		nest(w, &job, skip_guarded);
	}
	return false;
}

/*
 * Runs jobs[index] inside of another job, or after a batch; does not count it. Nobody knows for how
 * long: this worker does not look for work meanwhile.
 */
static enum wp__outcome run_nested(struct wp__worker *w, struct wp__running *job, bool work_left)
{
	wp__worker_step_away(w, work_left);
	return nest(w, job, run_guarded);
}

/* Runs or skips one job that is not of the batch. The job lies where the caller has it. */
static void run_or_skip(struct wp__worker *w, struct wp__running *job, bool work_left)
{
	if (is_to_run(w, &job->jobs[0]))
		count_run(w, run_nested(w, job, work_left), 1);
	else
		nest(w, job, skip_guarded);
}

/* ---- set aside ---- */

/* Makes room at the end: by closing the gap at the front, or in new memory. */
static bool extend_spill(struct wp__spill *spill)
{
	struct wp_job *jobs = spill->jobs;
	struct wp__tag *tags = spill->tags;
	size_t capacity = spill->capacity;
	if (2 * spill->count >= capacity) {
		capacity = capacity ? 2 * capacity : SPILL_FIRST_CAPACITY;
		jobs = wp__alloc(sizeof(void *), capacity * sizeof(*jobs));
		tags = wp__alloc(sizeof(void *), capacity * sizeof(*tags));
		if (!jobs || !tags) {
			wp__free(jobs);
			wp__free(tags);
			return false;
		}
	}
	if (spill->count) {
		memmove(jobs, spill->jobs + spill->first, spill->count * sizeof(*jobs));
		memmove(tags, spill->tags + spill->first, spill->count * sizeof(*tags));
	}
	/* The child of a fork finds the old memory or the new, and all of it. */
	wp__fork_hold();
	if (jobs != spill->jobs) {
		wp__free(spill->jobs);
		wp__free(spill->tags);
	}
	*spill = (struct wp__spill){ jobs, tags, capacity, spill->count, 0 };
	wp__fork_release();
	return true;
}

static bool set_aside(struct wp__worker *w, const struct wp_job *job, struct wp__tag tag)
{
	struct wp__spill *spill = &w->spill;
	if (spill->first + spill->count == spill->capacity && !extend_spill(spill))
		return false;
	spill->jobs[spill->first + spill->count] = *job;
	spill->tags[spill->first + spill->count] = tag;
	spill->count++;
	return true;
}

static bool run_one_set_aside(struct wp__worker *w)
{
	struct wp__spill *spill = &w->spill;
	if (!spill->count || wp__is_orphan(w))
		return false;
	struct wp_job job = spill->jobs[spill->first];
	const struct wp__tag *tag = &spill->tags[spill->first];
	struct wp__running what = { .jobs = &job, .first_id = tag->id, .stamp = tag->stamp };
	spill->first++;
	if (--spill->count == 0)
		spill->first = 0;
	run_or_skip(w, &what, false);
	return true;
}

/* Brings the job with this payload to the front of those set aside; false: it is not there. */
static bool prefer_set_aside(struct wp__spill *spill, const void *payload)
{
	for (size_t i = spill->first; i < spill->first + spill->count; i++) {
		if (spill->jobs[i].payload != payload)
			continue;
		struct wp_job job = spill->jobs[i];
		struct wp__tag tag = spill->tags[i];
		size_t before = i - spill->first;
		memmove(&spill->jobs[spill->first + 1], &spill->jobs[spill->first],
			before * sizeof(job));
		memmove(&spill->tags[spill->first + 1], &spill->tags[spill->first],
			before * sizeof(tag));
		spill->jobs[spill->first] = job;
		spill->tags[spill->first] = tag;
		return true;
	}
	return false;
}

void wp__run_fini(struct wp__worker *w)
{
	wp__free(w->spill.jobs);
	wp__free(w->spill.tags);
}

/* ---- batches ---- */

/* Runs what is left of the batch, and then what was set aside. */
static void finish_batch(struct wp__worker *w)
{
	const struct wp__timing *timing = w->timing;
	struct wp__running *here = &w->outermost;
	while (next_of_batch(w, &here->index)) {
		bool timed = wp_unlikely(timing != NULL) && wp__timing_wants(timing, here->index);
		if (wp_unlikely(!run_job(w, &w->batch[here->index], timed)))
			count_outermost(w);
	}
	w->running = NULL;
	if (wp_unlikely(wp__is_orphan(w)))
		return;
	if (wp_unlikely(timing != NULL))
		wp__timing_batch_ends(w);
	/* A rescue has made count smaller. */
	uint32_t completed = w->count - w->batch_apart;
	if (completed)
		count_run(w, WP__COMPLETED, completed);
	while (wp_unlikely(run_one_set_aside(w)))
		;
}

void wp__run_batch(struct wp__worker *w)
{
	w->outermost = of_batch(w, 0);
	w->running = &w->outermost;
	w->phase = WP__IN_JOB;
	w->batch_apart = 0;
	finish_batch(w);
}

WP_COLD void wp__run_resume(struct wp__worker *w)
{
	conclude(w);
	count_outermost(w);
	finish_batch(w);
}

/* ---- inside of a job ---- */

/* Counted with its batch. */
static bool run_next_of_batch(struct wp__worker *w)
{
	uint32_t index;
	if (!next_of_batch(w, &index))
		return false;
	struct wp__running job = of_batch(w, index);
	count_apart(w, run_nested(w, &job, false));
	return true;
}

/* A function of its own, so that jobs inside of jobs do not have its frame on the stack. */
static WP_COLD bool take_one(
	struct wp__worker *w, struct wp_job *job, struct wp__running *what, bool *more)
{
	struct wp__claim claim = { .stamps = &what->stamp };
	if (!wp__lanes_claim(w, job, 1, 1, &claim))
		return false;
	what->first_id = claim.ticket;
	*more = claim.more;
	return true;
}

/* Takes one job off the lane and runs it; or sets it aside, unless it is the one with `wanted`. */
static bool help_lane(struct wp__worker *w, const void *wanted)
{
	struct wp_job job;
	struct wp__running what = { .jobs = &job };
	bool more;
	if (!take_one(w, &job, &what, &more))
		return false;
	bool deep = w->help_depth >= WP__HELP_DEPTH && !(wanted && job.payload == wanted);
	if (deep && set_aside(w, &job, (struct wp__tag){ what.first_id, what.stamp }))
		return true;
	run_or_skip(w, &what, more);
	return true;
}

/* In a job, and nobody else is there to do it: the rescued jobs are run before the job goes on. */
static WP_COLD void rescue_inside(struct wp__worker *w)
{
	struct wp_job jobs[WP__BATCH_MAX];
	uint64_t stamps[WP__BATCH_MAX] = { 0 };
	uint64_t first_id;
	uint32_t n = wp__rescue_take(w->stuck, jobs, stamps, &first_id);
	w->stuck = NULL;
	wp__count(&w->rescues, n != 0);
	for (uint32_t i = 0; i < n; i++) {
		struct wp__running what = {
			.jobs = &jobs[i], .first_id = first_id + i, .stamp = stamps[i]
		};
		run_or_skip(w, &what, false);
	}
}

bool wp__run_to_make_room(struct wp__worker *w)
{
	return !wp__is_orphan(w) && help_lane(w, NULL);
}

/*
 * WP__HELP_DEPTH deep, and the lane is empty. The job waited for is set aside here, or runs
 * elsewhere. Then running other jobs would only go deeper, and is right only if that job in its
 * turn waits for one of them: so not before some time has passed.
 */
static bool help_deep(struct wp__worker *w, struct wp__awaited *awaited)
{
	if (prefer_set_aside(&w->spill, awaited))
		return run_one_set_aside(w);
	if (!w->spill.count && !wp_load_rlx_u32(&w->left))
		return false;
	wp__worker_step_away(w, false);
	if (wp__latch_wait_until(&awaited->done, wp__os_now_ns() + DEEPER_AFTER_NS))
		return true;
	return run_one_set_aside(w) || run_next_of_batch(w);
}

bool wp__run_while_waiting(struct wp__worker *w, struct wp__awaited *awaited)
{
	if (wp__is_orphan(w))
		return false;
	if (w->stuck)
		rescue_inside(w);
	if (w->help_depth >= WP__HELP_DEPTH)
		return help_lane(w, awaited) || help_deep(w, awaited);
	return run_next_of_batch(w) || run_one_set_aside(w) || help_lane(w, awaited);
}

static void clean_up_guarded(void *worker)
{
	struct wp__worker *w = worker;
	finish(w, running_job(w));
}

WP_COLD void wp__run_cleanups(const struct wp_job *jobs, size_t n, uint64_t first_id)
{
	struct wp__worker *w = wp__self;
	for (size_t i = 0; i < n; i++) {
		struct wp__running job = { .jobs = &jobs[i], .first_id = first_id + i };
		if (w && w->running)
			nest(w, &job, clean_up_guarded);
		else
			wp__job_finish(&jobs[i]);
	}
}

const struct wp_job_info *wp_job_current(void)
{
	struct wp__worker *w = wp__self;
	if (!w || !w->running)
		return NULL;
	const struct wp__running *running = w->running;
	w->info = (struct wp_job_info){
		.id = running->first_id + running->index,
		.worker = w->index,
		.attempt = 1,
		.pool = w->pool,
		.ctx = wp__job_unwrap(&running->jobs[running->index])->ctx,
	};
	return &w->info;
}
