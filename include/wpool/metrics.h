/* SPDX-License-Identifier: MIT */
/*
 * The metrics policy: a table of functions given to the pool at creation and called without a
 * test, so that the hot path has no branch for metrics. Calls are made once per submit call and
 * once per batch, never once per job where that can be avoided.
 *
 * Every member must be set. Start from wp_metrics_noop and replace what is wanted:
 *
 *     struct wp_metrics_ops ops = wp_metrics_noop;
 *     ops.inc_executed = my_function;
 *
 * The functions run on the submitting thread (inc_queued, inc_rejected) and on workers (the
 * others), several at once. They must not submit to, wait for or destroy the pool.
 */
#ifndef WPOOL_METRICS_H
#define WPOOL_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

struct wp_metrics_ops {
	/* n jobs were accepted. Called after they were published, so a worker may be faster. */
	void (*inc_queued)(void *self, size_t n);
	/* A worker took n jobs off the lane, to run or (when the pool stops) to drop them. */
	void (*batch_dec_queued)(void *self, size_t n);
	/* n jobs have run, whatever their result. */
	void (*inc_executed)(void *self, size_t n);
	/* n jobs were refused; why is WP_EFULL, WP_ETIMEDOUT, WP_ECANCELED or WP_ECLOSED. */
	void (*inc_rejected)(void *self, size_t n, int why);
};

/* Does nothing; self is not looked at. The default. */
extern WP_API const struct wp_metrics_ops wp_metrics_noop;

/*
 * Counts into a struct wp_metrics_counters, given as metrics_self: one atomic addition a call.
 * Read them with wp_metrics_read. The struct must outlive the pool; start it zeroed.
 */
extern WP_API const struct wp_metrics_ops wp_metrics_atomic;

struct wp_metrics_counters {
	/* Each word alone on its cache lines: submitters and workers write different ones. */
	struct {
		int64_t value;
		char pad[120];
	} queued, executed, rejected;
};

struct wp_metrics_snapshot {
	int64_t queued;    /* accepted less taken; below zero for a moment when workers are ahead */
	uint64_t executed; /* run */
	uint64_t rejected; /* refused */
};

/* The present values, each read atomically. Any thread. */
WP_API void wp_metrics_read(
	const struct wp_metrics_counters *counters, struct wp_metrics_snapshot *out);

WP_END_DECLS

#endif
