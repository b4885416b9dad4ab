/* SPDX-License-Identifier: MIT */
/*
 * Children of processes with pools. One file of a program includes this.
 */
#ifndef WP_TESTS_FORKED_POOL_H
#define WP_TESTS_FORKED_POOL_H

#include "child.h"
#include "pool.h"

/*
 * Whether AddressSanitizer looks for leaks when a process ends. In a child it takes locks of its
 * own that another thread may have held during the fork, and then hangs: so a child looks only
 * where all other threads slept.
 */
static bool look_for_leaks = true;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return !look_for_leaks;
}

static inline pid_t fork_without_leak_check(void)
{
	pid_t pid = child_fork();
	if (pid == 0)
		look_for_leaks = false;
	return pid;
}

/* In a child: what it finds in place of its parent's pool. */
static inline void try_everything(struct wp_pool *pool)
{
	static wp_atomic_u64 ran;
	struct wp_job job = { .fn = count_fn, .payload = &ran }, jobs[2] = { job, job };
	struct wp_stats s = WP_STATS_INIT;
	struct wp_stop_report report;
	child_check(wp_submit(pool, count_fn, &ran) == WP_EFORKED);
	child_check(wp_submit_job(pool, &job) == WP_EFORKED);
	child_check(wp_try_submit(pool, &job) == WP_EFORKED);
	child_check(wp_submit_until(pool, &job, wp_after_ms(1)) == WP_EFORKED);
	child_check(wp_submit_until(pool, &job, WP_FOREVER) == WP_EFORKED);
	child_check(wp_submit_batch(pool, jobs, 2) == WP_EFORKED);
	child_check(wp_try_submit_batch(pool, jobs, 2) == WP_EFORKED);
	child_check(wp_submit_wait(pool, &job) == WP_EFORKED);
	child_check(wp_pool_wait(pool, WP_FOREVER) == WP_EFORKED);
	child_check(wp_pool_shutdown(pool, WP_FOREVER, &report) == WP_EFORKED);
	child_check(wp_pool_stop(pool, NULL) == WP_EFORKED);
	child_check(wp_pool_stats(pool, &s) == WP_EFORKED);
	child_check(wp_pool_dump(pool, stderr) == WP_EFORKED);
	child_check(wp_pool_last_error(pool, NULL, 0) == WP_EFORKED);
	struct wp_job in_ctx[2] = { job, job };
	child_check(wp_ctx_create(&in_ctx[1].ctx, NULL, WP_FOREVER) == 0);
	child_check(wp_submit_job(pool, &in_ctx[1]) == WP_EFORKED);
	child_check(wp_submit_batch(pool, in_ctx, 2) == WP_EFORKED);
	wp_ctx_unref(in_ctx[1].ctx);
	struct wp_producer *producer = NULL;
	child_check(wp_producer_open(&producer, pool) == WP_EFORKED && !producer);
	child_check(wp_pool_is_closed(pool));
	child_check(wp_pool_state(pool) == WP_STATE_FORKED);
	child_check(wp_submit(pool, NULL, NULL) == WP_EINVAL);
	child_check(wp_pool_wait(NULL, 0) == WP_EINVAL);
	child_check(wp_load_rlx_u64(&ran) == 0);
}

static bool all_asleep;

/* Forks once; the child does everything there is to do. */
static inline void fork_once(struct wp_pool *pool, unsigned round)
{
	pid_t pid = all_asleep ? child_fork() : fork_without_leak_check();
	if (pid == 0) {
		try_everything(pool);
		if (round % 4 != 3) /* or leaves it as it is */
			wp_pool_destroy(pool);
		child_exit();
	}
	child_ends_well(pid);
}

#endif
