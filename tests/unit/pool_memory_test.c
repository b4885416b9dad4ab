/* SPDX-License-Identifier: MIT */
/* What a pool takes from the heap once it works, nothing, and what it keeps after a burst. */
#include <unistd.h>

#include "heap_calls.h"
#include "pool.h"
#include "t.h"

/* ---- every call of the heap, of all threads ---- */

static wp_atomic_u32 counting;
static wp_atomic_u64 heap_calls;

#if HEAP_IS_COUNTED
static void heap_called(void)
{
	if (wp_load_rlx_u32(&counting))
		wp_add_rlx_u64(&heap_calls, 1);
}
#endif

static wp_atomic_u64 ran;

static int fails(void *payload)
{
	count_fn(payload);
	return -1;
}

static int panics(void *payload)
{
	count_fn(payload);
	wp_panic(-1, "number %d", 7);
}

/* Every way in, every kind of job, several workers asleep and awake. */
static uint64_t work(struct wp_pool *pool, struct wp_producer *producer, struct wp_ctx *ctx)
{
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = count_cleanup };
	struct wp_job in_ctx = job, bad = job, panicking = job, jobs[8];
	uint64_t accepted = 0;
	in_ctx.ctx = ctx;
	bad.fn = fails;
	panicking.fn = panics;
	for (int i = 0; i < 8; i++)
		jobs[i] = i % 2 ? job : in_ctx;
	for (int i = 0; i < 200; i++) {
		accepted += wp_submit_job(pool, &job) == 0;
		accepted += wp_submit_job(pool, &in_ctx) == 0;
		accepted += wp_submit_job(pool, i % 8 ? &bad : &panicking) == 0;
		accepted += wp_try_submit(pool, &job) == 0;
		accepted += wp_submit_until(pool, &job, wp_after_ms(1)) == 0;
		accepted += wp_producer_submit_job(producer, &job) == 0;
		ssize_t n = wp_submit_batch(pool, jobs, 8);
		accepted += n > 0 ? (uint64_t)n : 0;
		if (i % 16 == 0) {
			t_assert_int_eq(wp_submit_wait(pool, &job), 0);
			accepted++;
			pool_wait(pool);
			pool_stats(pool);
		}
	}
	pool_wait(pool);
	return accepted;
}

T_TEST(pool_memory, nothing_is_allocated_while_it_works)
{
	if (!HEAP_IS_COUNTED) {
		t_skip("a sanitizer has the heap");
		return;
	}
	static const uint32_t sizes[] = { 1, 3, 64 };
	for (unsigned i = 0; i < 6; i++) {
		struct wp_pool *pool = pool_of(1 + i % 2 * 2, 20, sizes[i / 2]);
		struct wp_producer *producer;
		struct wp_ctx *ctx;
		t_assert_int_eq(wp_producer_open(&producer, pool), 0);
		t_assert_int_eq(wp_ctx_create(&ctx, NULL, WP_FOREVER), 0);
		uint64_t accepted = work(pool, producer, ctx); /* the first backtrace, and so on */
		wp_store_rlx_u64(&heap_calls, 0);
		wp_store_rlx_u32(&counting, 1);
		for (uint64_t round = 0; round < t_scaled(10); round++)
			accepted += work(pool, producer, ctx);
		wp_store_rlx_u32(&counting, 0);
		t_assert_u64_eq(wp_load_rlx_u64(&heap_calls), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 2 * accepted); /* run and cleaned up */
		wp_store_rlx_u64(&ran, 0);
		wp_producer_close(producer);
		wp_ctx_unref(ctx);
		pool_end(pool);
	}
}

/* What the eyes of this test are worth. */
T_TEST(pool_memory, the_heap_of_other_threads_is_counted)
{
	if (!HEAP_IS_COUNTED) {
		t_skip("a sanitizer has the heap");
		return;
	}
	wp_store_rlx_u32(&counting, 1);
	struct wp_pool *pool = pool_of(1, 20, 4);
	uint64_t before = wp_load_rlx_u64(&heap_calls);
	t_assert(before > 0);
	pool_destroy(pool);
	t_assert(wp_load_rlx_u64(&heap_calls) > before);
	wp_store_rlx_u32(&counting, 0);
}

/* ---- segments ---- */

/* A block of 16 jobs, the first of which runs on: its segment is free all the same. */
T_TEST(pool_memory, a_job_that_runs_holds_no_segment)
{
	struct wp_pool *pool = pool_of(2, 1000, 16);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 15; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_until(wp_load_rlx_u64(&ran) == 15);
	pool_until(pool_stats(pool).running == 1); /* the others are counted with their batch */
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.segments_touched, 1);
	t_assert_u64_eq(s.segments_free, 1);
	gate_open(&gate);
	pool_end(pool);
}

/* ---- after a burst ---- */

/* Of memory that is nobody's file: how much code is mapped in changes as it is used. */
static uint64_t resident_pages(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	t_assert(f != NULL);
	while (fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %llu", &kib) != 1)
		;
	fclose(f);
	t_assert(kib > 0);
	return kib * 1024 / (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Fills the pool behind a gate; how many pages there are then. */
static uint64_t burst(struct wp_pool *pool, size_t jobs)
{
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	for (size_t i = 0; i < jobs; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	uint64_t full = resident_pages();
	gate_open(&gate);
	pool_wait(pool);
	return full;
}

/* 65536 jobs of 32 bytes: 512 pages. Two segments of 9 pages are kept. */
T_TEST(pool_memory, a_burst_gives_its_memory_back)
{
	if (T_SANITIZED) {
		t_skip("a sanitizer has memory of its own");
		return;
	}
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.pool_capacity = 2;
	struct wp_pool *pool = pool_make(&o);
	burst(pool, 100);
	/* The code that valgrind makes of ours is in these pages, too: it is there after this. */
	if (t_memcheck())
		burst(pool, 65536);
	uint64_t before = resident_pages();
	for (int round = 0; round < (t_memcheck() ? 2 : 10); round++) {
		uint64_t full = burst(pool, 65536);
		t_assert_msg(full >= before + 400, "%llu pages, %llu when full",
			(unsigned long long)before, (unsigned long long)full);
		uint64_t after = resident_pages();
		t_assert_msg(after <= before + 100, "%llu pages, %llu after the burst",
			(unsigned long long)before, (unsigned long long)after);
	}
	pool_end(pool);
}
