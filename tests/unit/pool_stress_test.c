/* SPDX-License-Identifier: MIT */
/* Many producers, many workers: every job once, in the promised order, and no standstill. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

#define MOST 16

struct stress {
	unsigned workers, producers;
	size_t capacity;
	uint32_t segment_size;
	uint64_t jobs;  /* in all */
	unsigned burst; /* jobs at once, 1 .. burst; 0: singles, as fast as can be */
	/* set by run() */
	struct wp_pool *pool;
	uint64_t each;
	struct item *items;
	wp_atomic_u64 started, cleaned;
	uint64_t next[MOST]; /* one worker only: what each producer's next job is */
};

struct item {
	struct stress *stress;
	unsigned producer;
	uint64_t seq;
	wp_atomic_u32 ran, cleaned;
};

static int run_item(void *payload)
{
	struct item *item = payload;
	struct stress *s = item->stress;
	t_assert_u64_eq(wp_add_rlx_u32(&item->ran, 1), 0);
	uint64_t id = wp_job_current()->id;
	uint64_t n = wp_add_rlx_u64(&s->started, 1);
	if (s->workers == 1) {
		/* First in, first out: by its place in line, and by its producer's order. */
		t_assert_u64_eq(id, n);
		t_assert_u64_eq(item->seq, s->next[item->producer]);
		s->next[item->producer]++;
	}
	return item->seq % 64 == 63 ? -1 : 0;
}

static void clean_item(void *payload)
{
	struct item *item = payload;
	t_assert_u64_eq(wp_load_rlx_u32(&item->ran), 1);
	t_assert_u64_eq(wp_add_rlx_u32(&item->cleaned, 1), 0);
	wp_add_rlx_u64(&item->stress->cleaned, 1);
}

static void submit_some(struct stress *s, const struct wp_job *jobs, size_t n, struct wp__rng *rng)
{
	while (n) {
		ssize_t done;
		uint64_t dice = wp__rng_below(rng, 8);
		if (n > 1 && dice < 4)
			done = wp_submit_batch(s->pool, jobs, n);
		else if (dice == 5)
			done = wp_try_submit(s->pool, jobs) == 0;
		else if (dice == 6)
			done = wp_submit_until(s->pool, jobs, wp_after_ns(50000)) == 0;
		else
			done = wp_submit_job(s->pool, jobs) == 0;
		if (done > 0) {
			jobs += done;
			n -= (size_t)done;
		}
	}
}

static void produce(void *arg, unsigned me)
{
	struct stress *s = arg;
	struct wp__rng rng = { me };
	struct item *items = s->items + me * s->each;
	for (uint64_t seq = 0; seq < s->each;) {
		struct wp_job jobs[32];
		uint64_t n = 1 + wp__rng_below(&rng, s->burst ? s->burst : 32);
		n = n < s->each - seq ? n : s->each - seq;
		for (uint64_t i = 0; i < n; i++, seq++) {
			items[seq] = (struct item){ .stress = s, .producer = me, .seq = seq };
			jobs[i] = (struct wp_job){
				.fn = run_item, .payload = &items[seq], .cleanup = clean_item
			};
		}
		submit_some(s, jobs, n, &rng);
		if (s->burst && wp__rng_below(&rng, 4) == 0)
			wp__os_sleep(wp__rng_below(&rng, 100000));
	}
}

/* Waits for the end as long as something happens. */
static void wait_while_progress(struct stress *s)
{
	uint64_t before = 0;
	while (wp_pool_wait(s->pool, wp_after_ns(POOL_WATCHDOG_NS))) {
		uint64_t now = wp_load_rlx_u64(&s->started);
		if (now == before)
			pool_show(s->pool);
		t_assert_msg(now > before, "no progress");
		before = now;
	}
}

static void run(struct stress s)
{
	s.each = t_scaled(s.jobs) / s.producers + 1;
	uint64_t all = s.each * s.producers;
	s.items = calloc(all, sizeof(*s.items));
	t_assert(s.items != NULL);
	s.pool = pool_of(s.workers, s.capacity, s.segment_size);
	struct crew crew;
	crew_start(&crew, s.producers, produce, &s);
	crew_join(&crew);
	wait_while_progress(&s);
	t_assert_u64_eq(wp_load_rlx_u64(&s.started), all);
	t_assert_u64_eq(wp_load_rlx_u64(&s.cleaned), all);
	for (uint64_t i = 0; i < all; i++)
		t_assert(wp_load_rlx_u32(&s.items[i].ran) == 1 &&
			 wp_load_rlx_u32(&s.items[i].cleaned) == 1);
	struct wp_stats stats = pool_stats(s.pool);
	t_assert_u64_eq(stats.submitted, all);
	t_assert_u64_eq(stats.completed + stats.failed, all);
	t_assert_u64_eq(stats.failed, s.each / 64 * s.producers);
	pool_expect_asleep(s.pool);
	pool_end(s.pool);
	free(s.items);
}

static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 1024 };

T_TEST_TIMEOUT(pool_stress, one_worker_keeps_the_order, 300)
{
	for (size_t i = 0; i < 6; i++) {
		run((struct stress){ 1, 1, 65536, sizes[i], .jobs = 200000 });
		run((struct stress){ 1, 4, 1000, sizes[i], .jobs = 100000 });
		run((struct stress){ 1, 16, 7, sizes[i], .jobs = 30000 });
	}
}

T_TEST_TIMEOUT(pool_stress, sixteen_by_sixteen, 300)
{
	for (size_t i = 0; i < 6; i++) {
		run((struct stress){ 16, 16, 65536, sizes[i], .jobs = 200000 });
		run((struct stress){ 16, 16, 50, sizes[i], .jobs = 50000 });
	}
}

T_TEST_TIMEOUT(pool_stress, a_million_jobs, 300)
{
	run((struct stress){ 4, 2, 65536, 1024, .jobs = 1000000 });
}

T_TEST_TIMEOUT(pool_stress, under_chaos, 300)
{
	for (size_t i = 0; i < 6; i++) {
		wp__chaos(i, 32, 2);
		run((struct stress){ 16, 16, 300, sizes[i], .jobs = 10000 });
		run((struct stress){ 1, 16, 20, sizes[i], .jobs = 5000 });
		run((struct stress){ 3, 2, 1, sizes[i], .jobs = 1000 });
	}
}

T_TEST_TIMEOUT(pool_stress, large_segments, 300)
{
	run((struct stress){ 16, 8, 131072, 4096, .jobs = 200000 });
	run((struct stress){ 16, 8, 5000, 4096, .jobs = 200000 });
}

/* All threads take turns on one CPU: who is interrupted stays so while the others want to go on. */
T_TEST_TIMEOUT(pool_stress, on_one_cpu, 300)
{
	cpu_set_t cpus, one;
	CPU_ZERO(&cpus);
	t_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	unsigned cpu = 0;
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	t_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	for (size_t i = 0; i < 6; i++) {
		run((struct stress){ 16, 16, 300, sizes[i], .jobs = 6000 });
		run((struct stress){ 1, 16, 20, sizes[i], .jobs = 3000 });
	}
	run((struct stress){ 4, 3, 64, 2, .jobs = 2000, .burst = 3 });
}

/* Small bursts with pauses: workers go to sleep and are woken all the time. */
T_TEST_TIMEOUT(pool_stress, bursts_of_one_to_three, 300)
{
	run((struct stress){ 1, 1, 64, 16, .jobs = 10000, .burst = 3 });
	run((struct stress){ 2, 2, 64, 16, .jobs = 10000, .burst = 3 });
	run((struct stress){ 16, 4, 64, 2, .jobs = 20000, .burst = 3 });
	wp__chaos(1, 50, 4);
	run((struct stress){ 4, 3, 64, 1, .jobs = 10000, .burst = 3 });
}

/* The lane's tickets may begin anywhere. */
T_TEST_TIMEOUT(pool_stress, tickets_cross_a_word, 300)
{
	wp__set_first_ticket(UINT64_C(0xffffff00));
	run((struct stress){ 2, 4, 1000, 64, .jobs = 50000 });
	run((struct stress){ 1, 4, 1000, 64, .jobs = 50000 });
}
