/* SPDX-License-Identifier: MIT */
/*
 * The pool: one shared lane, the workers, and what they have in common.
 *
 * Who owns what. The creator's thread makes everything and, in the end, frees everything. Workers
 * find lanes and each other through `table`, which RCU protects: a new table replaces the old one,
 * and the old one is freed after a grace period, so that lanes and workers can come and go. All
 * other threads read the table under `mutex`.
 *
 * Counting. Lanes' tickets count what was accepted and claimed; each worker counts the jobs
 * that are over, by outcome, alone and without a read-modify-write. The pool is at rest when the
 * sum of the latter, read first, equals what was accepted, read last:
 *
 *     accepted = sum(over) + running + queued       at any time
 *     claimed  = sum(over) + running
 *     over     = completed + failed + panicked + cancelled + dropped
 *
 * Layers: engine/worker.c decides when a worker looks, runs and sleeps; engine/run.c what happens
 * to a job; engine/submit.c how jobs come in; engine/lifecycle.c how a pool comes to an end.
 */
#ifndef WP_ENGINE_POOL_H
#define WP_ENGINE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <wpool/pool.h>
#include <wpool/stats.h>

#include "base/atomic.h"
#include "base/layout.h"
#include "base/os.h"
#include "engine/guard.h"
#include "park/eventcount.h"
#include "park/latch.h"
#include "park/parking.h"
#include "queue/segqueue.h"

#define WP__BATCH_MAX        256
#define WP__ROOM_PATIENCE_NS UINT64_C(1000000)
#define WP__DOZE_NS          UINT64_C(50000) /* a pause from which on a worker sleeps in it */
#define WP__HELP_DEPTH       32 /* how deep a worker runs jobs inside of jobs to make room */

struct wp__lane;
struct wp__timing;
struct wp__times;
struct wp__worker;
struct wp_producer;

/* What became of a job; the order of the workers' counters. */
enum wp__outcome {
	WP__COMPLETED, /* ran, returned 0 */
	WP__FAILED,    /* ran, returned something else */
	WP__PANICKED,  /* ran, and gave up or was given up */
	WP__CANCELLED, /* did not run: its context had ended */
	WP__DROPPED,   /* did not run: the pool was stopped */
	WP__OUTCOMES
};

#define WP__LANE_WORDS WP_TUNED(256, 1) /* of 64 lanes each */

/* Everything workers walk over. Lanes are added where there is room, else it is replaced. */
struct wp__table {
	unsigned lane_room;
	unsigned worker_count;
	wp_atomic_ptr *lanes; /* struct wp__segqueue; NULL: not made yet */
	struct wp__worker **workers;
	struct wp__table *older; /* that could not be freed, or NULL; see make_place in lanes.c */
};

/* The job that runs, and around it those whose submits or waits run it (engine/run.c). */
struct wp__running {
	struct wp__running *outer;
	const struct wp_job *jobs;
	uint64_t first_id;
	uint64_t stamp; /* when it came in, where it is not of the batch (engine/timing.h) */
	uint32_t index;
	enum wp__outcome outcome; /* of the job, if it ran and has not completed */
	unsigned outer_phase;     /* what the worker was doing around this one */
	unsigned held;            /* wpool is at work inside of the job: see engine/guard.h */
};

/* What goes with a job beside what its submitter gave. */
struct wp__tag {
	uint64_t id;
	uint64_t stamp; /* when it came in, in ticks; 0: not noted */
};

/* Jobs set aside by a worker that had to make room and could not run them (engine/run.c). */
struct wp__spill {
	struct wp_job *jobs;
	struct wp__tag *tags;
	size_t capacity, count, first;
};

struct wp__worker {
	struct wp_pool *pool;
	unsigned index;
	unsigned cpu;             /* to be pinned to; UINT_MAX: not */
	struct wp__thread thread; /* the one that it is now; see engine/thread.h */
	struct wp__latch ended;   /* the worker is gone: thread can be joined */
	bool is_set_up;           /* the thread has its name and place */
	bool dying;               /* the thread was about to end: to be replaced */
	bool replaces;            /* the thread has to wait for the end of the one before */
	int replace_error;        /* of the last attempt, to be reported */

	/* The claimed jobs: batch[0 .. count-1], of which the last `left` have not been started. */
	uint32_t count;
	uint32_t batch_apart;     /* of the batch, those counted already: not completed */
	uint64_t first_id;        /* id of batch[0] */
	uint32_t taken_from;      /* see engine/rescue.h */
	struct wp__worker *stuck; /* whose jobs this worker is to rescue next, or NULL */
	struct wp__running *running;
	struct wp__running outermost; /* of the batch; the others lie on the stack */
	unsigned phase;               /* enum wp__phase; while running */
	struct wp__escape *escape;    /* of the innermost guard (engine/guard.h) */
	struct wp__giving_up gave_up;
	bool tracing; /* the backtrace of a fault is being taken */
	unsigned help_depth;
	struct wp__spill spill;
	struct wp_job_info info; /* what wp_job_current shows */

	/* Pacing (engine/worker.c), in ticks. The worker's own. */
	uint64_t cost;         /* run time of a recent job */
	uint64_t gap;          /* pause before the next look */
	uint64_t last_claim;   /* when */
	uint64_t flow_since;   /* where pauses are long: jobs are counted since then, */
	uint64_t flow_jobs;    /* so many */
	uint64_t dry_since;    /* since when looks find nothing; 0: the last one found something */
	uint64_t behind_since; /* since when every claim left work behind; 0: the last did not */
	uint64_t appointed_at; /* when this worker last appointed a standby */
	unsigned streak;       /* claims in a row without a dry spell */
	unsigned calm;         /* claims in a row that left nothing behind */
	unsigned looks;        /* dry ones */
	uint32_t next_lane;    /* to look at; see engine/lanes.h */
	uint32_t empty_looks;  /* at lanes in which nothing was ready */
	bool mid_round;        /* lanes are left to look at before the first one's turn */
	unsigned stalls;       /* times in a row that work was there and could not be taken */
	bool ran;              /* a job is over since the last dry look */

	/* Counters: written by the worker alone, read by anybody. */
	_Alignas(WP_ALONE) wp_atomic_u64 over[WP__OUTCOMES];
	wp_atomic_u64 batches, parks, wakes, rescues;
	wp_atomic_u64 handler_panics, replaced;
	wp_atomic_u64 busy_ticks;
	struct wp__timing *timing; /* NULL without options.timing; engine/timing.h */

	/* See engine/rescue.h. */
	_Alignas(
		WP_ALONE) wp_atomic_u32 left; /* jobs not started; the worker writes, others read */
	wp_atomic_u32 interrupt;              /* set by others to make the worker look */

	_Alignas(WP_ALONE) struct wp_job batch[WP__BATCH_MAX];
};

/* Why jobs were refused, in the order of the counters. */
enum wp__reject {
	WP__REJECT_FULL,
	WP__REJECT_TIMEOUT,
	WP__REJECT_CLOSED,
	WP__REJECT_CANCELLED,
	WP__REJECT_REASONS
};

struct wp_pool {
	struct wp__segqueue lane;
	struct wp__parking parking;

	/* Set at creation, then only read. */
	_Alignas(WP_ALONE) struct wp_metrics_ops metrics;
	void *metrics_self;
	struct wp_options options;
	char name[16];
	uint64_t spin_ticks, gap_ticks, batch_ticks;
	uint64_t ticks_per_1024ns;
	uint64_t started_ns;
	bool dozes; /* pauses may be so long that workers sleep in them */
	bool has_membarrier;
	bool has_traps; /* wp__trap_release is due */
	struct wp__worker *workers;

	_Alignas(WP_ALONE) wp_atomic_ptr table;
	wp_atomic_u32 awake_words; /* of `awake` that are in use */
	wp_atomic_u32 exit;        /* workers end as soon as they find nothing */

	_Alignas(
		WP_ALONE) struct wp__eventcount rest; /* those who wait until the pool is at rest */
	wp_atomic_u64 rejected[WP__REJECT_REASONS];
	wp_atomic_u64 last_error; /* see engine/error.h */
	struct wp__mutex panic_mutex;
	char last_panic[WP__MESSAGE_MAX]; /* under panic_mutex */

	/* See engine/lanes.h: a bit for each lane that workers look at. */
	_Alignas(WP_ALONE) wp_atomic_u64 awake[WP__LANE_WORDS];

	struct wp__mutex mutex; /* table and lanes for non-workers */
	/*
	 * Held while threads are joined: the destructors of their data are user code, which may
	 * take the other one; so may the handlers of late events. Taken before it.
	 */
	struct wp__mutex end_mutex;
	struct wp__lane *newest_lane, *idle_lanes;
	struct wp_producer *producers; /* the open ones */
	/* Among all pools of the process; engine/fork.c. */
	struct wp_pool *next, **link;
	bool orphaned; /* destroyed in a child inside of its own job: freed after that */

	wp_atomic_u32 state;     /* enum wp_state; engine/lifecycle.c */
	unsigned threads;        /* started and not joined; changed by one thread, under mutex */
	unsigned threads_peak;   /* the most there were */
	struct wp__times *times; /* room to add up what workers have timed; under mutex */
};

/* The worker that the calling thread is, or NULL. */
extern _Thread_local struct wp__worker *wp__self __attribute__((tls_model("initial-exec")));

/* The worker of this pool that the calling thread is, or NULL. */
static inline struct wp__worker *wp__self_in(const struct wp_pool *pool)
{
	struct wp__worker *w = wp__self;
	return w && w->pool == pool ? w : NULL;
}

/* What wpool does from here on inside of the running job, if there is one, must not be given up. */
static inline void wp__guard_hold(struct wp__worker *w)
{
	if (w->running)
		w->running->held++;
}

static inline void wp__guard_let_go(struct wp__worker *w)
{
	if (w->running)
		w->running->held--;
}

/*
 * The same on a thread that may be no worker, or one of another pool: what is half done in this
 * pool stays so, whoever's job gives up. What it returns goes to wp__guard_let_go_self.
 */
static inline struct wp__worker *wp__guard_hold_self(void)
{
	struct wp__worker *w = wp__self;
	if (w)
		wp__guard_hold(w);
	return w;
}

static inline void wp__guard_let_go_self(struct wp__worker *w)
{
	if (w)
		wp__guard_let_go(w);
}

/* A counter with one writer. Relaxed: it orders nothing. */
static inline void wp__count(wp_atomic_u64 *counter, uint64_t n)
{
	wp_store_rlx_u64(counter, wp_load_rlx_u64(counter) + n);
}

static inline uint64_t wp__ns_to_ticks(const struct wp_pool *pool, uint64_t ns)
{
	return (uint64_t)((wp_u128)ns * pool->ticks_per_1024ns / 1024);
}

static inline uint64_t wp__ticks_to_ns(const struct wp_pool *pool, uint64_t ticks)
{
	return (uint64_t)((wp_u128)ticks * 1024 / pool->ticks_per_1024ns);
}

/* Starts the pool; the options are complete and valid. 0, WP_EINVAL or WP_ENOMEM. */
int wp__pool_start(struct wp_pool **pool, const struct wp_options *options);

/* Ends the threads and waits for them; the pool is at rest, or never was in use. With end_mutex. */
void wp__pool_join(struct wp_pool *pool);

/* Frees a pool whose threads are gone. */
void wp__pool_free(struct wp_pool *pool);

/* Tells the event handler, if there is one. worker is UINT_MAX for the pool as a whole. */
void wp__pool_event(struct wp_pool *pool, int code, unsigned worker, const char *what);

#endif
