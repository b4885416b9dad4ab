/* SPDX-License-Identifier: MIT */
/* Contexts used by many threads at once, with and without disturbance at the labelled points. */
#include <wpool/ctx.h>

#include <errno.h>
#include <stdlib.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/rng.h"
#include "crew.h"
#include "ctx.h"
#include "hooks.h"
#include "t.h"
#include "work/ctx.h"

/* ---- a tree that grows and shrinks while it is cancelled ---- */

#define KEPT 16

struct growing {
	struct wp_ctx *top;
	uint64_t seed;
};

/* When the top has ended all has ended, and what is made from then on as well. */
static void expect_ended(struct wp_ctx **kept, int err)
{
	for (unsigned i = 0; i < KEPT; i++) {
		struct wp_ctx *child = ctx_make(kept[i], wp_after_ms(1000000));
		t_assert_int_eq(wp_ctx_err(kept[i]), err);
		t_assert_int_eq(wp_ctx_err(child), err);
		t_assert_int_eq(wp_ctx_wait(child, WP_FOREVER), err);
		wp_ctx_unref(child);
	}
}

static void grow(void *arg, unsigned me)
{
	struct growing *g = arg;
	struct wp_ctx *kept[KEPT];
	struct wp__rng random = { g->seed + me };
	int err;
	for (unsigned i = 0; i < KEPT; i++)
		kept[i] = ctx_make(g->top, WP_FOREVER);
	while (!(err = wp_ctx_err(g->top))) {
		unsigned at = (unsigned)wp__rng_below(&random, KEPT);
		unsigned parent = (unsigned)wp__rng_below(&random, KEPT);
		struct wp_ctx *child = ctx_make(parent % 4 ? kept[parent] : g->top, WP_FOREVER);
		wp_ctx_unref(kept[at]);
		kept[at] = child;
	}
	expect_ended(kept, err);
	for (unsigned i = 0; i < KEPT; i++)
		wp_ctx_unref(kept[i]);
}

static void grow_and_cancel(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		struct growing g = { ctx_make(NULL, WP_FOREVER), i * 64 };
		struct crew crew;
		crew_start(&crew, 4, grow, &g);
		wp__os_sleep(i % 8 * 50000);
		wp_ctx_cancel(g.top, -EIO);
		crew_join(&crew);
		t_assert(g.top->first_child == NULL);
		t_assert_u64_eq(wp_load_rlx_u64(&g.top->references), 1);
		wp_ctx_unref(g.top);
	}
}

T_TEST_TIMEOUT(ctx_stress, cancel_against_children, 400)
{
	grow_and_cancel(t_scaled(400));
}

T_TEST_TIMEOUT(ctx_stress, cancel_against_children_under_chaos, 400)
{
	wp__chaos(1, 64, 8);
	grow_and_cancel(t_scaled(100));
}

/* ---- callbacks that are taken back while they are called ---- */

#define TARGETS 8

struct target {
	struct wp_ctx_callback callback;
	uint64_t calls; /* plain: removal and call are ordered */
	int err;
};

struct switchboard {
	struct wp_ctx *top;
	wp_atomic_ptr current[TARGETS]; /* contexts that cancellers may cancel */
	wp_atomic_u32 readers[TARGETS];
	wp_atomic_u32 owners;
	wp_atomic_u64 called, in_time;
	uint64_t rounds;
};

static void count_call(void *self, int err)
{
	struct target *target = self;
	target->calls++;
	target->err = err;
}

/* One round of an owner: a context with callbacks is offered to cancellers, and taken away. */
static void own_round(struct switchboard *s, unsigned me, struct wp__rng *random)
{
	struct wp_ctx *ctx = ctx_make(s->top, WP_FOREVER), *below = ctx_make(ctx, WP_FOREVER);
	struct target *target[3];
	for (unsigned i = 0; i < 3; i++) {
		target[i] = calloc(1, sizeof(*target[i]));
		t_assert(target[i] != NULL);
		t_assert_int_eq(wp_ctx_on_cancel(i == 1 ? below : ctx, &target[i]->callback,
					count_call, target[i]),
			0);
	}
	wp_store_rel_ptr(&s->current[me], ctx);
	for (uint64_t i = wp__rng_below(random, 64); i; i--)
		wp_spin_hint();
	for (unsigned i = 3; i-- > 0;) {
		bool in_time = wp_ctx_remove_callback(&target[i]->callback);
		t_assert_u64_eq(target[i]->calls, in_time ? 0 : 1);
		t_assert_int_eq(target[i]->err, in_time ? 0 : -EIO);
		wp_add_rlx_u64(in_time ? &s->in_time : &s->called, 1);
		free(target[i]);
	}
	wp_swap_ar_ptr(&s->current[me], NULL);
	wp_fence_sc();
	while (wp_load_acq_u32(&s->readers[me]))
		wp__os_yield();
	wp_ctx_unref(below);
	wp_ctx_unref(ctx);
}

static void own_or_cancel(void *arg, unsigned me)
{
	struct switchboard *s = arg;
	struct wp__rng random = { me + 1 };
	if (me < TARGETS / 4) {
		for (uint64_t i = 0; i < s->rounds; i++)
			own_round(s, me, &random);
		wp_sub_rel_u32(&s->owners, 1);
		return;
	}
	while (wp_load_acq_u32(&s->owners)) {
		unsigned at = (unsigned)wp__rng_below(&random, TARGETS / 4);
		wp_add_ar_u32(&s->readers[at], 1);
		wp_fence_sc();
		struct wp_ctx *ctx = wp_load_acq_ptr(&s->current[at]);
		if (ctx)
			wp_ctx_cancel(ctx, -EIO);
		wp_sub_rel_u32(&s->readers[at], 1);
		for (uint64_t i = wp__rng_below(&random, 256); i; i--)
			wp_spin_hint();
	}
}

static void remove_and_cancel(uint64_t rounds)
{
	static struct switchboard s;
	struct crew crew;
	s.top = ctx_make(NULL, WP_FOREVER);
	s.rounds = rounds;
	wp_store_rlx_u32(&s.owners, TARGETS / 4);
	crew_start(&crew, 4, own_or_cancel, &s);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&s.called) + wp_load_rlx_u64(&s.in_time),
		rounds * 3 * (TARGETS / 4));
	t_assert_u64_eq(wp_load_rlx_u64(&s.top->references), 1);
	wp_ctx_unref(s.top);
}

T_TEST_TIMEOUT(ctx_stress, removal_against_cancel, 400)
{
	remove_and_cancel(t_scaled(30000));
}

T_TEST_TIMEOUT(ctx_stress, removal_against_cancel_under_chaos, 400)
{
	wp__chaos(2, 64, 8);
	remove_and_cancel(t_scaled(5000));
}

/* ---- sleepers ---- */

struct bed {
	struct wp_ctx *ctx[2];
	uint64_t data; /* written before the cancel, read after it */
	unsigned woken;
};

static void sleep_or_cancel(void *arg, unsigned me)
{
	struct bed *bed = arg;
	if (me == 0) {
		bed->data = 1;
		wp_ctx_cancel(bed->ctx[0], -EIO);
		return;
	}
	int err = me == 3 ? 0 : wp_ctx_wait(bed->ctx[me % 2], WP_FOREVER);
	while (!err) /* one polls */
		err = wp_ctx_err(bed->ctx[1]);
	t_assert_int_eq(err, -EIO);
	t_assert_u64_eq(bed->data, 1);
}

static void sleep_and_cancel(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		struct bed bed = { 0 };
		struct crew crew;
		bed.ctx[0] = ctx_make(NULL, WP_FOREVER);
		bed.ctx[1] = ctx_make(bed.ctx[0], WP_FOREVER);
		crew_start(&crew, 4, sleep_or_cancel, &bed);
		crew_join(&crew);
		wp_ctx_unref(bed.ctx[0]);
		t_assert_u64_eq(bed.ctx[1]->waiters, 0);
		wp_ctx_unref(bed.ctx[1]);
	}
}

T_TEST_TIMEOUT(ctx_stress, cancel_against_sleepers, 400)
{
	sleep_and_cancel(t_scaled(3000));
}

T_TEST_TIMEOUT(ctx_stress, cancel_against_sleepers_under_chaos, 400)
{
	wp__chaos(3, 64, 8);
	sleep_and_cancel(t_scaled(1000));
}

/* ---- one end for everybody: cancels of many causes, and a deadline ---- */

struct race {
	struct wp_ctx *ctx;
	int seen[4];
};

static void race_to_end(void *arg, unsigned me)
{
	struct race *race = arg;
	if (me < 3)
		wp_ctx_cancel(race->ctx, -(int)(me + 1));
	while (!(race->seen[me] = wp_ctx_err(race->ctx)))
		;
}

T_TEST_TIMEOUT(ctx_stress, everybody_sees_one_end, 400)
{
	for (uint64_t i = 0; i < t_scaled(3000); i++) {
		struct race race = { .ctx = ctx_make(NULL,
					     i % 2 ? WP_FOREVER : wp_after_ns(i % 100 * 1000)) };
		struct crew crew;
		crew_start(&crew, 4, race_to_end, &race);
		crew_join(&crew);
		for (int k = 0; k < 4; k++)
			t_assert_int_eq(race.seen[k], wp_ctx_err(race.ctx));
		wp_ctx_unref(race.ctx);
	}
}

/* ---- references given back by many ---- */

static void ref_and_unref(void *arg, unsigned me)
{
	struct wp_ctx *ctx = arg;
	for (uint64_t i = 0; i < t_scaled(100000); i++) {
		t_assert(wp_ctx_ref(ctx) == ctx);
		if (i % 2 == me % 2) {
			struct wp_ctx *child = ctx_make(ctx, WP_FOREVER);
			wp_ctx_unref(child);
		}
		wp_ctx_unref(ctx);
	}
	wp_ctx_unref(ctx); /* each came with one */
}

T_TEST_TIMEOUT(ctx_stress, the_last_reference_frees_it, 400)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct crew crew;
	for (int i = 0; i < 3; i++)
		wp_ctx_ref(ctx);
	crew_start(&crew, 4, ref_and_unref, ctx);
	crew_join(&crew);
}
