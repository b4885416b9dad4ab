/* SPDX-License-Identifier: MIT */
/* The times that wp_pool_stats tells, and the text that wp_pool_dump makes of it all. */
#include <errno.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

static wp_atomic_u64 ran;

static int busy_for(void *payload)
{
	for (uint64_t end = wp_now_ns() + (uintptr_t)payload; wp_now_ns() < end;)
		wp_spin_hint();
	return 0;
}

T_TEST(stats_times, run_time)
{
	for (int timing = 0; timing < 2; timing++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = 1;
		o.timing = timing;
		struct wp_pool *pool = pool_make(&o);
		for (int i = 0; i < 20; i++)
			t_assert_int_eq(wp_submit(pool, busy_for,
						(void *)(uintptr_t)(i == 7 ? 8000000 : 100000)),
				0);
		pool_wait(pool);
		struct wp_stats s = pool_stats(pool);
		/* The clocks are not the same one: a hundredth apart at most. */
		t_assert(s.run_ns_average >= 9900000 / 20 / 100 * 99);
		t_assert(s.run_ns_average * 20 <= s.uptime_ns);
		if (timing) {
			t_assert(s.run_ns_max >= 8000000 / 100 * 99);
			t_assert(s.run_ns_max <= s.uptime_ns);
		} else {
			t_assert_u64_eq(s.run_ns_max, 0);
		}
		pool_end(pool);
	}
}

struct watched {
	struct wp_pool *pool;
	uint64_t each;
	wp_atomic_u32 producing;
};

static struct wp_pool *timed_pool(unsigned workers, size_t capacity, uint32_t segment_size)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = segment_size;
	o.timing = true;
	return pool_make(&o);
}

static void expect_ordered(const struct wp_stats *s)
{
	t_assert(s->run_ns_p50 <= s->run_ns_p90 && s->run_ns_p90 <= s->run_ns_p99);
	t_assert(s->run_ns_p99 <= s->run_ns_p999 && s->run_ns_p999 <= s->run_ns_max);
	t_assert(s->wait_ns_p50 <= s->wait_ns_p90 && s->wait_ns_p90 <= s->wait_ns_p99);
	t_assert(s->wait_ns_p99 <= s->wait_ns_p999 && s->wait_ns_p999 <= s->wait_ns_max);
	t_assert(s->wait_ns_average <= s->wait_ns_max);
}

/* Costly jobs are timed one and all: nine in ten of 100 us, one of 8 ms. */
T_TEST(stats_times, percentiles_of_costly_jobs)
{
	for (unsigned size = 1; size <= 1024; size *= 8) {
		struct wp_pool *pool = timed_pool(1, 1000, size);
		for (int i = 0; i < 20; i++)
			t_assert_int_eq(wp_submit(pool, busy_for,
						(void *)(uintptr_t)(i % 10 ? 100000 : 8000000)),
				0);
		pool_wait(pool);
		struct wp_stats s = pool_stats(pool);
		expect_ordered(&s);
		t_assert_u64_eq(s.run_samples, 20);
		t_assert_u64_eq(s.wait_samples, 20);
		/* 1.6 % of the bucket, and the clocks a hundredth apart: see run_time. */
		t_assert(s.run_ns_p50 >= 97000 && s.run_ns_p90 >= 97000);
		t_assert(s.run_ns_p99 >= 7700000 && s.run_ns_p999 >= 7700000);
		t_assert(s.run_ns_max >= 8000000 / 100 * 99);
		t_assert(s.run_ns_max <= s.uptime_ns && s.wait_ns_max <= s.uptime_ns);
		/* All but the first few come in while the first one runs, and wait for it. */
		t_assert(s.wait_ns_max >= 8000000);
		pool_end(pool);
	}
}

/* A gate holds the only worker: what waits behind it waits as long as the gate is shut. */
T_TEST(stats_times, waits)
{
	struct wp_pool *pool = timed_pool(1, 1000, 64);
	struct wp_job jobs[100];
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 100; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	for (int i = 0; i < 50; i++)
		t_assert_int_eq(wp_submit_job(pool, &jobs[i]), 0);
	t_assert_int_eq(wp_submit_batch(pool, jobs + 50, 50), 50);
	uint64_t begin = wp_now_ns();
	wp__os_sleep(5000000);
	uint64_t slept = wp_now_ns() - begin;
	gate_open(&gate);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	expect_ordered(&s);
	/* They were stamped while the jobs known were costly ones. */
	t_assert_u64_eq(s.wait_samples, 101);
	t_assert(s.wait_ns_p50 >= slept / 100 * 97);
	t_assert(s.wait_ns_max <= s.uptime_ns);
	pool_end(pool);
}

/* Cheap jobs are sampled, and a rare long one among them is not missed by the maximum. */
T_TEST(stats_times, samples_of_cheap_jobs)
{
	struct wp_pool *pool = timed_pool(1, 65536, 1024);
	uint64_t n = t_scaled(200000);
	if (n < 20000)
		n = 20000;
	struct wp_stats s = pool_stats(pool), before;
	uint64_t end = wp_now_ns() + POOL_WATCHDOG_NS;
	/* A whole round may be in line before the worker has learned that they are cheap. */
	do {
		t_assert_msg(wp_now_ns() < end, "each job was timed, cheap as they are");
		before = s;
		for (uint64_t i = 0; i < n; i++)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pool_wait(pool);
		s = pool_stats(pool);
		expect_ordered(&s);
		t_assert(s.run_samples - before.run_samples >= n / 64 - 64);
		t_assert(s.wait_samples - before.wait_samples >= n / 64 - 64);
	} while (s.run_samples - before.run_samples == n ||
		 s.wait_samples - before.wait_samples == n);
	for (uint64_t i = 0; i < 3; i++) {
		/* The ticket after a multiple of 64: not a stamped one. */
		while (pool_stats(pool).submitted % 64 != 1)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		t_assert_int_eq(wp_submit(pool, busy_for, (void *)(uintptr_t)(4000000 << i)), 0);
		pool_make_cheap(pool, &ran);
		t_assert(pool_stats(pool).run_ns_max >= (UINT64_C(4000000) << i) / 100 * 99);
	}
	pool_end(pool);
}

/* Workers, lane and readers all at once, jobs of both kinds, some inside of others. */
static int mixed(void *payload)
{
	uint64_t i = (uintptr_t)payload;
	if (i % 1000 == 0)
		busy_for((void *)(uintptr_t)50000);
	if (i % 64 == 1) {
		struct wp_job inner = { .fn = count_fn, .payload = &ran };
		t_assert_int_eq(wp_submit_wait(wp_job_current()->pool, &inner), 0);
	}
	return i % 128 == 2 ? -1 : 0;
}

static void submit_mixed_or_watch(void *arg, unsigned me)
{
	struct watched *w = arg;
	if (me > 0) {
		for (uint64_t i = 0; i < w->each; i++)
			t_assert_int_eq(wp_submit(w->pool, mixed, (void *)(uintptr_t)i), 0);
		wp_sub_rel_u32(&w->producing, 1);
		return;
	}
	struct wp_stats before = pool_stats(w->pool);
	while (wp_load_acq_u32(&w->producing)) {
		struct wp_stats s = pool_stats(w->pool);
		expect_ordered(&s);
		t_assert(s.run_samples >= before.run_samples);
		t_assert(s.wait_samples >= before.wait_samples);
		t_assert(s.run_ns_max >= before.run_ns_max);
		t_assert(s.wait_ns_max >= before.wait_ns_max);
		before = s;
	}
}

T_TEST(stats_times, times_while_the_pool_works)
{
	for (uint32_t size = 1; size <= 256; size *= 16) {
		struct watched w = { .pool = timed_pool(3, 300, size), .each = t_scaled(20000) };
		wp_store_rlx_u32(&w.producing, 3);
		struct crew crew;
		crew_start(&crew, 4, submit_mixed_or_watch, &w);
		crew_join(&crew);
		pool_wait(w.pool);
		struct wp_stats s = pool_stats(w.pool);
		expect_ordered(&s);
		uint64_t inner = 3 * ((w.each + 62) / 64);
		uint64_t failed = 3 * ((w.each + 125) / 128);
		t_assert_u64_eq(s.submitted, 3 * w.each + inner);
		t_assert_u64_eq(s.failed, failed);
		t_assert_u64_eq(s.completed, s.submitted - failed);
		t_assert(s.wait_samples > 0 && s.wait_samples <= s.submitted);
		t_assert(s.run_samples > 0 && s.run_samples <= s.submitted);
		pool_end(w.pool);
	}
}

/* What was taken from a stuck worker keeps its stamp: it has waited longest. */
static int take_turns(void *payload)
{
	wp__os_sleep((uintptr_t)payload);
	return 0;
}

T_TEST(stats_times, rescues)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.timing = true;
	o.batch_ns = 1000000;
	struct wp_pool *pool = pool_make(&o);
	struct wp_job jobs[64];
	uint64_t end = wp_after_ns(POOL_WATCHDOG_NS);
	/* Cheap jobs so that a batch is claimed, the first of which then takes long. */
	while (pool_stats(pool).rescues == 0) {
		t_assert(wp_now_ns() < end);
		pool_make_cheap(pool, &ran);
		for (int i = 0; i < 64; i++)
			jobs[i] = (struct wp_job){ .fn = i ? count_fn : take_turns,
				.payload = i ? (void *)&ran : (void *)(uintptr_t)20000000 };
		t_assert_int_eq(wp_submit_batch(pool, jobs, 64), 64);
		pool_wait(pool);
	}
	struct wp_stats s = pool_stats(pool);
	expect_ordered(&s);
	t_assert(s.run_ns_max >= 20000000 / 100 * 99);
	pool_end(pool);
}

/* ---- for people ---- */

static void read_dump(struct wp_pool *pool, char *text, size_t size)
{
	FILE *f = tmpfile();
	t_assert(f != NULL);
	t_assert_int_eq(wp_pool_dump(pool, f), 0);
	rewind(f);
	size_t n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* Digits and units may differ from run to run; the words may not. */
static void expect_lines(const char *text, const char *const *lines)
{
	for (; *lines; lines++) {
		const char *want = *lines;
		for (; *want; want++) {
			if (*want == '#') {
				t_assert_msg(
					*text >= '0' && *text <= '9', "no number at: %s", text);
				text += strspn(text, "0123456789.");
			} else if (*want == '~') {
				t_assert_msg(*text >= '0' && *text <= '9', "no time at: %s", text);
				text += strspn(text, "0123456789.");
				t_assert(*text++ == ' ');
				text += strspn(text, "nums");
			} else {
				t_assert_msg(*text++ == *want, "not \"%s\" at: %s", want, text - 1);
			}
		}
		t_assert(*text++ == '\n');
	}
	t_assert_str_eq(text, "");
}

T_TEST(stats_times, dump)
{
	static char text[4096];
	t_assert_int_eq(wp_pool_dump(NULL, stderr), WP_EINVAL);
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.name = "shown";
	struct wp_pool *pool = pool_make(&o);
	t_assert_int_eq(wp_pool_dump(pool, NULL), WP_EINVAL);
	read_dump(pool, text, sizeof(text));
	expect_lines(
		text, (const char *const[]){ "pool \"shown\", open, up ~",
			      "  workers    2 alive, # busy, # idle; peak 2",
			      "  jobs       0 submitted: 0 queued, 0 running",
			      "  over       0 completed, 0 failed, 0 panicked, 0 cancelled, "
			      "0 dropped",
			      "  refused    0 full, 0 timed out, 0 closed, 0 cancelled",
			      "  run time   average 0 ns", "  batches    0 of 0.0 jobs on average",
			      "  segments   0 touched, 0 free, 0 used again",
			      "  sleep      # parks, # wakes, # rescues", NULL });
	pool_end(pool);
}

static int fail_fn(void *payload)
{
	(void)payload;
	return WP_ENOMEM;
}

T_TEST(stats_times, dump_of_a_used_pool)
{
	static char text[4096];
	struct wp_pool *pool = timed_pool(1, 2, 4);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_int_eq(wp_submit(pool, fail_fn, NULL), 0);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), WP_ECLOSED);
	errno = 77;
	read_dump(pool, text, sizeof(text));
	expect_lines(text, (const char *const[]){ "pool \"wpool\", stopped, up ~",
				   "  workers    0 alive, 0 busy, 0 idle; peak 1",
				   "  jobs       2 submitted: 0 queued, 0 running",
				   "  over       1 completed, 1 failed, 0 panicked, 0 cancelled, "
				   "0 dropped",
				   "  refused    0 full, 0 timed out, 1 closed, 0 cancelled",
				   "  last error -# (out of memory)",
				   "  run time   average ~; p50 ~, p90 ~, p99 ~, p99.9 ~, max ~ "
				   "(2 timed)",
				   "  queue wait average ~; p50 ~, p90 ~, p99 ~, p99.9 ~, max ~ "
				   "(2 timed)",
				   "  batches    2 of 1.0 jobs on average",
				   "  segments   1 touched, 0 free, 0 used again",
				   "  sleep      # parks, # wakes, # rescues", NULL });
	pool_destroy(pool);
}

T_TEST(stats_times, a_pool_whose_times_find_no_memory_is_not_made)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_pool *pool = NULL;
	o.workers = 2;
	o.timing = true;
	int error = WP_ENOMEM;
	for (unsigned nth = 1; error; nth++) {
		wp__fault_arm(WP_FAULT_ALLOC, nth, false, ENOMEM);
		error = wp_pool_create(&pool, &o);
		wp__fault_disarm();
		t_assert(error == 0 || (error == WP_ENOMEM && !pool));
	}
	pool_end(pool);
}
