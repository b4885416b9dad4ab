/* SPDX-License-Identifier: MIT */
/*
 * Statistics: what a pool has done, and how long its jobs waited and ran.
 *
 * wp_pool_stats is cheap and may be called by any thread at any time; each accepted job is in
 * exactly one of its counts. The times need options.timing, which costs a few nanoseconds a job.
 * wp_pool_dump writes all of it for people to read. For a metrics system of your own give the pool
 * a table of functions (metrics.h); here the ready-made one counts.
 *
 * It prints ("..." differs from run to run):
 *
 *     1000 submitted = 990 completed + 10 failed
 *     2 workers, at rest: 0 queued, 0 running
 *     last error -7; 1 refused: the pool was closed
 *     median run time ... ns, 99 of 100 jobs within ... ns, the longest ... ns
 *     median wait ... ns, 99 of 100 jobs within ... ns, the longest ... ns
 *     the metrics table counted 1000 executed, 1 rejected
 *     pool "example", stopped, up ...
 *       workers    0 alive, 0 busy, 0 idle; peak 2
 *       jobs       1000 submitted: 0 queued, 0 running
 *       over       990 completed, 10 failed, 0 panicked, 0 cancelled, 0 dropped
 *       refused    0 full, 0 timed out, 1 closed, 0 cancelled
 *       last error -7 (...)
 *       run time   average ...; p50 ..., p90 ..., p99 ..., p99.9 ..., max ... (... timed)
 *       queue wait average ...; p50 ..., p90 ..., p99 ..., p99.9 ..., max ... (... timed)
 *       batches    ... of ... jobs on average
 *       segments   ... touched, ... free, ... used again
 *       sleep      ... parks, ... wakes, ... rescues
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <wpool/wpool.h>

#define JOBS 1000

/* Every hundredth job fails. */
static int work(void *payload)
{
	uintptr_t number = (uintptr_t)payload;
	return number % 100 == 0 ? -7 : 0;
}

static void show_times(const char *what, uint64_t median, uint64_t p99, uint64_t longest)
{
	printf("median %s %llu ns, 99 of 100 jobs within %llu ns, the longest %llu ns\n", what,
		(unsigned long long)median, (unsigned long long)p99, (unsigned long long)longest);
}

static int show(struct wp_pool *pool)
{
	struct wp_stats s = WP_STATS_INIT;
	int err = wp_pool_stats(pool, &s);
	if (err)
		return err;
	printf("%llu submitted = %llu completed + %llu failed\n", (unsigned long long)s.submitted,
		(unsigned long long)s.completed, (unsigned long long)s.failed);
	printf("%u workers, at rest: %llu queued, %llu running\n", s.workers_peak,
		(unsigned long long)s.queued, (unsigned long long)s.running);
	printf("last error %d; %llu refused: the pool was closed\n", s.last_error,
		(unsigned long long)s.rejected_closed);
	show_times("run time", s.run_ns_p50, s.run_ns_p99, s.run_ns_max);
	show_times("wait", s.wait_ns_p50, s.wait_ns_p99, s.wait_ns_max);
	return 0;
}

static int run(struct wp_pool *pool)
{
	for (uintptr_t i = 0; i < JOBS; i++) {
		int err = wp_submit(pool, work, (void *)i);
		if (err)
			return err;
	}
	int err = wp_pool_shutdown(pool, WP_FOREVER, NULL);
	if (err)
		return err;
	err = wp_submit(pool, work, NULL);
	return err == WP_ECLOSED ? 0 : err; /* too late, which is counted */
}

int main(void)
{
	struct wp_metrics_counters counters = { .queued = { .value = 0 } };
	struct wp_options options = WP_OPTIONS_INIT;
	options.name = "example";
	options.workers = 2;
	options.timing = true;
	options.metrics = &wp_metrics_atomic;
	options.metrics_self = &counters;
	struct wp_pool *pool;
	int err = wp_pool_create(&pool, &options);
	if (!err) {
		err = run(pool);
		if (!err)
			err = show(pool);
		struct wp_metrics_snapshot counted;
		wp_metrics_read(&counters, &counted);
		if (!err) {
			printf("the metrics table counted %llu executed, %llu rejected\n",
				(unsigned long long)counted.executed,
				(unsigned long long)counted.rejected);
			err = wp_pool_dump(pool, stdout);
		}
		wp_pool_destroy(pool);
	}
	if (err)
		fprintf(stderr, "statistics: %s\n", wp_strerror(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
