/* SPDX-License-Identifier: MIT */
/* Many pools, one after the other: none leaves a thread, a file or memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "hooks.h"
#include "pool.h"
#include "proc.h"
#include "t.h"

static wp_atomic_u64 ran;

/* What a process has: pages in memory, pages of address space, threads, open files. */
struct holdings {
	unsigned long long resident, reserved;
	unsigned threads, files;
};

static struct holdings take_stock(const char *when)
{
	struct holdings h = { 0 };
	FILE *f = fopen("/proc/self/statm", "r");
	t_assert(f && fscanf(f, "%llu %llu", &h.reserved, &h.resident) == 2);
	fclose(f);
	h.threads = proc_threads();
	h.files = proc_files();
	printf("%s: %llu pages resident, %llu reserved, %u threads, %u files\n", when, h.resident,
		h.reserved, h.threads - 2, h.files - 2); /* without "." and ".." */
	return h;
}

static int fails_somehow(void *payload)
{
	uintptr_t i = (uintptr_t)payload;
	if (i % 10 == 1)
		pthread_exit(NULL);
	if (i % 10 == 3)
		wp_panic(-1, "one of many");
	return -2;
}

/* A pool whose nth thread cannot be had. */
static void fail_to_create(struct wp_options *o, uint64_t nth)
{
	struct wp_pool *pool;
	wp__fault_arm(WP_FAULT_THREAD, nth, false, EAGAIN);
	t_assert_int_eq(wp_pool_create(&pool, o), WP_ENOMEM);
	wp__fault_disarm();
}

static void use_a_little(struct wp_pool *pool, uint64_t i)
{
	struct wp_ctx *ctx;
	struct wp_producer *producer;
	t_assert_int_eq(wp_ctx_create(&ctx, NULL, WP_FOREVER), 0);
	struct wp_job job = { .fn = count_fn, .payload = &ran, .ctx = ctx };
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	wp_ctx_unref(ctx);
	t_assert_int_eq(wp_producer_open(&producer, pool), 0);
	t_assert_int_eq(wp_producer_submit(producer, count_fn, &ran), 0);
	wp_producer_close(producer);
	if (i % 4 == 1)
		t_assert_int_eq(wp_submit(pool, fails_somehow, (void *)(uintptr_t)(i / 4)), 0);
	if (i % 8 == 3)
		pool_wait(pool);
}

/* Of each two one is used; one in 16 cannot be made. */
static void create_and_destroy(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = 2;
		o.capacity = 64;
		o.segment_size = 16;
		o.timing = i % 3 == 0;
		o.contain_faults = !T_SANITIZED && i % 5 == 0;
		if (i % 16 == 0)
			fail_to_create(&o, 1 + i / 16 % 2);
		struct wp_pool *pool = pool_make(&o);
		if (i % 2)
			use_a_little(pool, i);
		if (i % 7 == 0)
			t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
		pool_destroy(pool);
	}
}

/* 100,000 with WP_TEST_SCALE=10. */
T_TEST_TIMEOUT(pool_leak, ten_thousand_pools_leave_nothing, 900)
{
	uint64_t n = t_scaled(10000);
	take_stock("before");
	create_and_destroy(n / 10);
	struct holdings then = take_stock("after a tenth of them");
	create_and_destroy(n / 2 - n / 10);
	take_stock("after half of them");
	create_and_destroy(n - n / 2);
	pool_until(proc_threads() <= then.threads);
	struct holdings now = take_stock("after all of them");
	t_assert_u64_eq(now.files, then.files);
	if (T_SANITIZED)
		return;
	/* Valgrind is resident, too: code it makes of ours. What is lost it reports itself. */
	t_assert(now.resident < then.resident + 256 || t_memcheck());
	t_assert(
		now.reserved < then.reserved + 256 + 2 * 2050); /* the C library keeps two stacks */
}
