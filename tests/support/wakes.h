/* SPDX-License-Identifier: MIT */
/*
 * One job at a time, with pauses between them: no wake-up is lost.
 *
 * The workers spin for SPIN_NS before they park; a pause of the producer is drawn from twice that,
 * so that submits meet workers that spin, that are about to park, and that sleep.
 */
#ifndef WP_TESTS_WAKES_H
#define WP_TESTS_WAKES_H

#include "base/rng.h"
#include "pool.h"
#include "t.h"

#define SPIN_NS 5000

struct wakes {
	struct wp_pool *pool;
	bool own_lane; /* a producer's, instead of the common one */
	uint64_t rounds;
	uint64_t sleeps; /* of 1024 pauses */
	uint64_t longest_ns;
};

static inline void pause_ns(uint64_t ns)
{
	for (uint64_t end = wp__os_now_ns() + ns; wp__os_now_ns() < end;)
		wp_spin_hint();
}

static inline void pause_somehow(const struct wakes *s, struct wp__rng *rng)
{
	uint64_t dice = wp__rng_below(rng, 1024);
	if (dice < s->sleeps)
		wp__os_sleep(wp__rng_below(rng, s->longest_ns));
	else if (dice < 100)
		pause_ns(wp__rng_below(rng, 2 * SPIN_NS));
	else if (dice < 200)
		pause_ns(wp__rng_below(rng, 500));
}

static inline void one_at_a_time(void *arg, unsigned me)
{
	struct wakes *s = arg;
	struct wp__rng rng = { me };
	wp_atomic_u64 done = { 0 };
	struct wp_producer *p = s->own_lane ? producer_in(s->pool) : NULL;
	for (uint64_t r = 1; r <= s->rounds; r++) {
		int error = p ? wp_producer_submit(p, count_fn, &done)
			      : wp_submit(s->pool, count_fn, &done);
		t_assert_int_eq(error, 0);
		struct patience patience = { 0 };
		for (unsigned spins = 1; wp_load_rlx_u64(&done) != r; spins++) {
			wp_spin_hint();
			if (spins % 256)
				continue;
			wp__os_yield();
			t_assert_msg(!patience_ends(&patience), "lost in round %llu, idle %#llx",
				(unsigned long long)r,
				(unsigned long long)wp__parking_idle(&s->pool->parking));
		}
		pause_somehow(s, &rng);
	}
	if (p)
		wp_producer_close(p);
}

/* In two halves with a sleeping pool between them: some wake-up is certain on any machine. */
static inline void wake_up_in(struct wakes s, unsigned workers, unsigned producers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct crew crew;
	o.workers = workers;
	o.spin_ns = SPIN_NS;
	s.pool = pool_make(&o);
	s.rounds = (t_scaled(s.rounds) + 1) / 2;
	for (unsigned half = 0; half < 2; half++) {
		crew_start(&crew, producers, one_at_a_time, &s);
		crew_join(&crew);
		pool_wait(s.pool);
		pool_expect_asleep(s.pool);
	}
	struct wp_stats stats = pool_stats(s.pool);
	t_assert_u64_eq(stats.completed, 2 * s.rounds * producers);
	t_assert(stats.wakes > 0);
	pool_end(s.pool);
}

#endif
