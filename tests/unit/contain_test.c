/* SPDX-License-Identifier: MIT */
/* Faults of jobs, contained and not, in child processes: how each child ends is what is tested. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "child.h"
#include "counted.h"
#include "faults.h"
#include "pool.h"
#include "t.h"

/* ---- in every state of the pool ---- */

static wp_atomic_u64 told;

/*
 * What a child has to say even if it dies: in what state its pool was when the fault came, and how
 * many jobs were left, queued or claimed.
 */
static struct word {
	wp_atomic_u32 said;
	enum wp_state state;
	uint64_t left;
} * word;

static void say(const struct wp_pool *pool)
{
	if (wp_load_rlx_u32(&word->said))
		return;
	word->state = wp_pool_state(pool);
	struct wp_stats stats = pool_stats(pool);
	word->left = stats.queued + stats.running;
	wp_store_rel_u32(&word->said, 1);
}

static void on_error(void *self, const struct wp_job_error *error)
{
	const struct fault *fault = self;
	t_assert_int_eq(error->signal, fault->signal);
	t_assert_int_eq(error->code, WP_EPANIC);
	t_assert_int_eq(error->result, WP_EPANIC);
	t_assert(error->fn == fault->fn);
	t_assert_msg(strstr(error->message, fault->says) != NULL, "%s", error->message);
	t_assert(error->frame_count > 0 && strchr(error->backtrace, '\n'));
	wp_add_rlx_u64(&told, 1);
}

enum state { BUSY, DRAINING, STOPPING, STATES };

struct setting {
	const struct fault *fault;
	bool contain;
	enum state state;
};

static struct gate gate;

struct opener {
	struct wp_pool *pool;
	enum state state;
};

/* When the shutdown waits for the jobs; when the stop has told all workers. */
static void *open_gate_when_ending(void *arg)
{
	const struct opener *o = arg;
	if (o->state == STOPPING)
		pool_until(pool_discards(o->pool) && wp_pool_state(o->pool) == WP_STATE_STOPPING);
	else
		pool_until(wp_pool_state(o->pool) == WP_STATE_DRAINING);
	gate_open(&gate);
	return NULL;
}

/* Passes the gate, and then does what it has to. */
static int late_fault(void *payload)
{
	const struct fault *fault = payload;
	gate_fn(&gate);
	say(wp_job_current()->pool);
	return fault->fn(NULL);
}

static int fault_in_between(void *payload)
{
	const struct fault *fault = payload;
	say(wp_job_current()->pool);
	return fault->fn(NULL);
}

static struct wp_pool *pool_for(const struct setting *s, unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.contain_faults = s->contain;
	o.on_error = on_error;
	o.on_error_self = (void *)(uintptr_t)s->fault;
	return pool_make(&o);
}

static void busy(const struct setting *s)
{
	struct fault in_between = *s->fault;
	in_between.fn = fault_in_between;
	struct setting own = *s;
	own.fault = &in_between;
	struct wp_pool *pool = pool_for(&own, 2);
	struct wp_job fault = {
		.fn = fault_in_between, .payload = (void *)(uintptr_t)s->fault, .cleanup = cleanup
	};
	struct wp_job work = { .fn = works, .cleanup = cleanup };
	/* One worker is in a job all the time; the other one has jobs before it and behind it. */
	gate_hold(&gate, pool, 1);
	struct wp_job jobs[300];
	for (unsigned i = 0; i < 300; i++)
		jobs[i] = i % 30 == 7 ? fault : work;
	t_assert_int_eq(wp_submit_batch(pool, jobs, 300), 300);
	pool_until(wp_load_rlx_u64(&cleaned) == 300);
	gate_open(&gate);
	t_assert_int_eq(wp_submit_wait(pool, &fault), WP_EPANIC);
	t_assert_int_eq(wp_submit_wait(pool, &work), 0);
	pool_wait(pool);
	struct wp_stats stats = pool_stats(pool);
	t_assert_u64_eq(stats.panicked, 11);
	t_assert_u64_eq(stats.completed, 292);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 11);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 291);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 302);
	pool_end(pool);
}

/* The fault comes while the pool is being shut down or stopped. */
static void ending(const struct setting *s)
{
	struct fault late = *s->fault;
	late.fn = late_fault;
	struct setting own = *s;
	own.fault = &late;
	struct wp_pool *pool = pool_for(&own, 1);
	struct wp_job fault = {
		.fn = late_fault, .payload = (void *)(uintptr_t)s->fault, .cleanup = cleanup
	};
	struct wp_job work = { .fn = works, .cleanup = cleanup };
	t_assert_int_eq(wp_submit_job(pool, &fault), 0);
	pool_until(wp_load_acq_u32(&gate.entered));
	for (unsigned i = 0; i < 20; i++)
		t_assert_int_eq(wp_submit_job(pool, &work), 0);
	struct opener how = { pool, s->state };
	pthread_t opener;
	t_assert_int_eq(pthread_create(&opener, NULL, open_gate_when_ending, &how), 0);
	struct wp_stop_report report;
	if (s->state == DRAINING)
		t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	else
		t_assert_int_eq(wp_pool_stop(pool, &report), 0);
	pthread_join(opener, NULL);
	t_assert_u64_eq(report.completed, s->state == DRAINING ? 20 : 0);
	t_assert_u64_eq(report.dropped, s->state == DRAINING ? 0 : 20);
	t_assert_u64_eq(report.panicked, 1);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), report.completed);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 21);
	pool_destroy(pool);
}

static void run_setting(const void *arg)
{
	const struct setting *s = arg;
	if (s->state == BUSY)
		busy(s);
	else
		ending(s);
}

/* The child came as far as the fault, with the pool in that state, and ended as it had to. */
static void try_one(const struct setting *s)
{
	static const enum wp_state states[STATES] = { WP_STATE_OPEN, WP_STATE_DRAINING,
		WP_STATE_STOPPING };
	wp_store_rlx_u32(&word->said, 0);
	int status = in_child(run_setting, s);
	t_assert_msg(s->contain ? ended_well(status) : died_of(status, s->fault->signal),
		"%s, state %u: status %#x", s->fault->name, (unsigned)s->state, (unsigned)status);
	t_assert_u64_eq(wp_load_acq_u32(&word->said), 1);
	t_assert_int_eq(word->state, states[s->state]);
	t_assert(word->left >= (s->state == BUSY ? 293 : 21));
}

static void try_all(bool contain)
{
	word = child_shared(sizeof(*word));
	for (size_t f = 0; f < FAULTS; f++)
		for (unsigned state = 0; state < STATES; state++)
			try_one(&(struct setting){ &faults[f], contain, (enum state)state });
}

T_TEST(contain, on)
{
	SKIP_IF_SANITIZED();
	try_all(true);
}

T_TEST(contain, off)
{
	SKIP_IF_SANITIZED();
	try_all(false);
}

/* ---- nested ---- */

static struct wp_pool *the_pool;

static int waits_for_faults(void *payload)
{
	(void)payload;
	for (size_t f = 0; f < FAULTS; f++) {
		struct wp_job inner = { .fn = faults[f].fn, .cleanup = cleanup };
		t_assert_int_eq(wp_submit_wait(the_pool, &inner), WP_EPANIC);
	}
	return 0;
}

static void run_nested(const void *arg)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = *(const unsigned *)arg;
	o.contain_faults = true;
	the_pool = pool_make(&o);
	struct wp_job outer = { .fn = waits_for_faults };
	for (unsigned i = 0; i < 100; i++)
		t_assert_int_eq(wp_submit_wait(the_pool, &outer), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(pool_stats(the_pool).panicked, 100 * FAULTS);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 100 * FAULTS);
	pool_end(the_pool);
}

T_TEST(contain, inner_job_leaves_the_outer)
{
	SKIP_IF_SANITIZED();
	for (unsigned workers = 1; workers <= 2; workers++)
		t_assert(ended_well(in_child(run_nested, &workers)));
}

/* ---- odd ones ---- */

static int raises(void *payload)
{
	return raise((int)(intptr_t)payload);
}

/* Ruins its own stack, so that there is no backtrace to be had. */
static int ruins_its_stack(void *payload)
{
	volatile uintptr_t *frame = __builtin_frame_address(0);
	(void)payload;
	for (unsigned i = 0; i < 16; i++)
		frame[i] = 0x10;
	return 0;
}

static void faulting_cleanup(void *payload)
{
	wp_add_rlx_u64(&cleaned, 1);
	segv(payload);
}

static void run_odd_ones(const void *arg)
{
	(void)arg;
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.contain_faults = true;
	struct wp_pool *pool = pool_make(&o);
	for (size_t f = 0; f < FAULTS; f++) {
		struct wp_job job = { .fn = raises,
			.payload = (void *)(intptr_t)faults[f].signal,
			.cleanup = faulting_cleanup };
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	}
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).handler_panics, FAULTS);
	struct wp_job job = { .fn = ruins_its_stack };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	/* The same signals are not blocked afterwards, and threads may still be replaced. */
	job.fn = (wp_job_fn)(uintptr_t)pthread_exit;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	job.fn = overflow;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	char message[100];
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_EPANIC);
	t_assert(strncmp(message, "stack overflow", 14) == 0);
	pool_end(pool);
}

T_TEST(contain, odd_ones)
{
	SKIP_IF_SANITIZED();
	t_assert(ended_well(in_child(run_odd_ones, NULL)));
}

/* The handler faults, too, at what the job has left; so does the cleanup after it. */
static void faulting_handler(void *self, const struct wp_job_error *error)
{
	const struct fault *fault = self;
	wp_add_rlx_u64(&told, 1);
	fault->fn(error->payload);
}

static void run_faulting_handlers(const void *arg)
{
	struct wp_options o = WP_OPTIONS_INIT;
	const struct fault *fault = arg;
	o.workers = 1;
	o.contain_faults = true;
	o.timing = true;
	o.on_error = faulting_handler;
	o.on_error_self = (void *)(uintptr_t)arg;
	struct wp_pool *pool = pool_make(&o);
	struct wp_job job = { .fn = fault->fn, .cleanup = faulting_cleanup };
	struct wp_job work = { .fn = works };
	for (unsigned i = 0; i < 10; i++) {
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
		t_assert_int_eq(wp_submit_wait(pool, &work), 0);
	}
	pool_wait(pool);
	struct wp_stats stats = pool_stats(pool);
	t_assert_u64_eq(stats.panicked, 10);
	t_assert_u64_eq(stats.completed, 10);
	t_assert_u64_eq(stats.handler_panics, 20);
	t_assert_u64_eq(wp_load_rlx_u64(&told), 10);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 10);
	pool_end(pool);
}

T_TEST(contain, in_handlers)
{
	SKIP_IF_SANITIZED();
	for (size_t f = 0; f < FAULTS; f++)
		t_assert(ended_well(in_child(run_faulting_handlers, &faults[f])));
}
