/* SPDX-License-Identifier: MIT */
#include "work/metrics.h"

#include "base/atomic.h"

bool wp__metrics_is_complete(const struct wp_metrics_ops *ops)
{
	return ops->inc_queued && ops->batch_dec_queued && ops->inc_executed && ops->inc_rejected;
}

/* ---- noop ---- */

static void noop_count(void *self, size_t n)
{
	(void)self;
	(void)n;
}

static void noop_rejected(void *self, size_t n, int why)
{
	(void)self;
	(void)n;
	(void)why;
}

const struct wp_metrics_ops wp_metrics_noop = {
	.inc_queued = noop_count,
	.batch_dec_queued = noop_count,
	.inc_executed = noop_count,
	.inc_rejected = noop_rejected,
};

/* ---- atomic ---- */

_Static_assert(sizeof(wp_atomic_u64) == sizeof(int64_t), "a counter's value is an atomic word");

/* The public struct shows plain integers, so that C++ can include it; they are atomic words. */
static wp_atomic_u64 *word(const int64_t *value)
{
	return (wp_atomic_u64 *)(uintptr_t)value;
}

/* Relaxed throughout: counters order nothing. */

static void atomic_queued(void *self, size_t n)
{
	struct wp_metrics_counters *c = self;
	wp_add_rlx_u64(word(&c->queued.value), n);
}

static void atomic_dequeued(void *self, size_t n)
{
	struct wp_metrics_counters *c = self;
	wp_sub_rlx_u64(word(&c->queued.value), n);
}

static void atomic_executed(void *self, size_t n)
{
	struct wp_metrics_counters *c = self;
	wp_add_rlx_u64(word(&c->executed.value), n);
}

static void atomic_rejected(void *self, size_t n, int why)
{
	struct wp_metrics_counters *c = self;
	(void)why;
	wp_add_rlx_u64(word(&c->rejected.value), n);
}

const struct wp_metrics_ops wp_metrics_atomic = {
	.inc_queued = atomic_queued,
	.batch_dec_queued = atomic_dequeued,
	.inc_executed = atomic_executed,
	.inc_rejected = atomic_rejected,
};

void wp_metrics_read(const struct wp_metrics_counters *counters, struct wp_metrics_snapshot *out)
{
	out->queued = (int64_t)wp_load_rlx_u64(word(&counters->queued.value));
	out->executed = wp_load_rlx_u64(word(&counters->executed.value));
	out->rejected = wp_load_rlx_u64(word(&counters->rejected.value));
}
