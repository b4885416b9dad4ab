/* SPDX-License-Identifier: MIT */
/*
 * Soak: everything the library can do, mixed at random, for minutes or days, in constant memory.
 *
 * Time is divided into laps. In each lap some arenas, each with a thread of its own, run one round
 * after the other. A round makes a pool with random options (or a bare queue), lets producers,
 * jobs and meddlers use it in every way there is, ends it in one of several manners, and settles
 * its ledger:
 *
 *     accepted = completed + failed + panicked + cancelled + dropped,  each cleaned up once
 *
 * Jobs give up, end their threads, and have contexts that end; producers come and go with lanes.
 * Meanwhile the stressor, another process, stops single threads wherever they are, moves them
 * between processors and takes their priority away. Between two laps nothing runs: then memory is
 * measured, and the gauge measures latency under a load that is always the same.
 *
 * The ledger: each thread that takes part in a round has a slot, which only it writes; it holds a
 * fingerprint (fingerprint.h) for each book. A job's payload is its id, so jobs need no memory, and
 * everything that a job does follows from its id and its thread's random numbers.
 *
 * Slots are read when their threads have ended: producers are joined by the arena, workers by the
 * pool itself.
 */
#ifndef WP_TESTS_SOAK_H
#define WP_TESTS_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/rng.h"
#include "fingerprint.h"

/* ---- ids: | arena 3 | round 16 | depth 2 | slot 8 | sequence 35 | ---- */

#define SOAK_ARENAS    3u
#define SOAK_SLOTS     128u
#define SOAK_DEPTH_MAX 3u
#define SOAK_BRANCHES  3u  /* contexts that all threads of a round share, besides their root */
#define SOAK_DEATHS    24u /* threads that the jobs of a round may end: each costs a slot */

static inline unsigned soak_arena_of(uint64_t id)
{
	return (unsigned)(id >> 61);
}

static inline unsigned soak_round_of(uint64_t id)
{
	return (unsigned)(id >> 45 & 0xffff);
}

static inline unsigned soak_depth_of(uint64_t id)
{
	return (unsigned)(id >> 43 & 3);
}

static inline unsigned soak_slot_of(uint64_t id)
{
	return (unsigned)(id >> 35 & 0xff);
}

static inline uint64_t soak_sequence_of(uint64_t id)
{
	return id & ((UINT64_C(1) << 35) - 1);
}

/* One in 512 gives up: it panics, ends its thread, or faults; where it cannot, it panics. */
enum soak_fate { SOAK_RETURNS, SOAK_PANICS, SOAK_ENDS_ITS_THREAD, SOAK_FAULTS };

static inline enum soak_fate soak_fate_of(uint64_t id)
{
	uint64_t dice = fp_mix(id, 2);
	if (dice % 512)
		return SOAK_RETURNS;
	dice = dice / 512 % 16;
	return dice == 0 ? SOAK_ENDS_ITS_THREAD : dice == 1 ? SOAK_FAULTS : SOAK_PANICS;
}

/* What the job returns, or gives to wp_panic: one in 16 fails. */
static inline int soak_code_of(uint64_t id)
{
	uint64_t dice = fp_mix(id, 1);
	bool fails = dice % 16 == 0 || soak_fate_of(id) != SOAK_RETURNS;
	return fails ? 1 + (int)(dice >> 8 & 63) : 0;
}

/* What wp_submit_wait returns when the job has run. */
static inline int soak_result_of(uint64_t id)
{
	return soak_fate_of(id) == SOAK_RETURNS ? soak_code_of(id) : WP_EPANIC;
}

/* ---- the books of a round ---- */

enum soak_book {
	SOAK_ACCEPTED, /* jobs with a cleanup: a submit call took them */
	SOAK_RAN,
	SOAK_DROPPED,   /* cleaned up without having run */
	SOAK_CANCELLED, /* the same, and its context had ended */
	SOAK_CLEANED,
	SOAK_BARE_ACCEPTED, /* jobs without a cleanup, in rounds that no stop ends */
	SOAK_BARE_RAN,
	SOAK_BOOKS
};

/* What is only counted. */
enum soak_kind {
	SOAK_FAILED,    /* jobs that returned something else than 0 */
	SOAK_PANICKED,  /* jobs that gave up, in one way or other */
	SOAK_ENDED,     /* of these, by ending their thread */
	SOAK_FAULTED,   /* of these, by a contained fault */
	SOAK_HANDLED,   /* jobs that on_error was told of */
	SOAK_REFUSED,   /* jobs that no submit call took */
	SOAK_LANES,     /* producers that were opened */
	SOAK_BY_LANE,   /* jobs that a producer's lane took */
	SOAK_COMMITTED, /* of these, by reserve and commit */
	SOAK_BOUNCED,   /* jobs that were refused by a commit, since the pool had been closed */
	SOAK_CONTEXTS,  /* that were made */
	SOAK_CANCELS,   /* calls of wp_ctx_cancel */
	SOAK_TOLD,      /* callbacks that were called */
	SOAK_KINDS
};

struct soak_arena;

struct soak_slot {
	_Alignas(128) struct soak_arena *arena;
	unsigned number, round;
	uint64_t sequence;
	struct wp__rng rng;
	uint64_t count[SOAK_KINDS];
	uint64_t next[SOAK_SLOTS]; /* queue rounds: 1 + the last sequence number by slot */
	wp_atomic_u64 awaited; /* id of the job that this thread waits for; 0 when that is over */
	struct wp_producer *lane; /* of its own, or NULL */
	bool committing;          /* inside of wp_producer_commit, */
	uint64_t bounced;         /* which has cleaned up so many jobs */
	struct wp_ctx *ctx;       /* for this thread's jobs, or NULL; renewed now and then */
	wp_atomic_u32 told;       /* times that its callback was called */
	struct wp_ctx_callback callback;
	struct fingerprint book[SOAK_BOOKS];
};

/* What all rounds of an arena add up to. */
struct soak_totals {
	uint64_t pools, queues, nested, events;
	uint64_t accepted, popped, completed, cancelled, dropped;
	uint64_t parks, rescues,
		replaced; /* by the statistics of pools that were asked at the end */
	uint64_t count[SOAK_KINDS];
	uint64_t by_manner[8];
	struct fp_findings found;
};

struct soak_arena {
	unsigned number;
	struct wp__rng rng; /* of its thread */
	uint64_t seed;      /* of the present round's threads */
	struct wp__thread thread;
	struct wp_pool *pool;
	struct wp_queue *queue;
	unsigned round; /* of the present round, in 16 bits */
	bool stops;     /* jobs of this round may be dropped */
	bool contains;  /* faults are contained in this round */
	struct wp_ctx *root, *branch[SOAK_BRANCHES];
	wp_atomic_u32 deaths; /* threads that jobs may still end */
	/* By worker, which alone looks at it: the id of the job that it has just run; 0: none. */
	uint64_t last_ran[WP_WORKERS_MAX];
	wp_atomic_u32 slots;  /* that were given out */
	wp_atomic_u32 enough; /* producers shall end */
	wp_atomic_u32 gone;   /* queue rounds: no producer is left */
	wp_atomic_u64 rounds; /* begun; what the watchdog looks at */
	wp_atomic_u64 strays; /* jobs that ran after their round */
	wp_atomic_u64 nested; /* jobs submitted by jobs */
	wp_atomic_u64 events; /* that the pools reported */
	uint64_t lap_end;
	char what[256]; /* the present round, for reports */
	struct soak_totals totals;
	struct soak_slot slot[SOAK_SLOTS];
};

extern struct soak_arena soak_arenas[SOAK_ARENAS];

/* ---- ledger.c ---- */

/* The calling thread's slot in the arena's present round. */
struct soak_slot *soak_slot_here(struct soak_arena *arena);
void soak_open(struct soak_arena *arena);
/* All threads of the round have ended. NULL: nobody reports. Adds to the totals. */
void soak_settle(struct soak_arena *arena, const struct wp_stop_report *report,
	const struct wp_stats *stats, const struct wp_metrics_counters *counters);
uint64_t soak_new_id(struct soak_slot *slot, unsigned depth);

/* Something is wrong: counted, and the first ones are printed. */
void soak_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t soak_complaints(void);

/* Takes one off, if there is one. */
bool soak_take_one(wp_atomic_u32 *count);

/* Mistakes that the soak makes up, so that it can be seen to find them. */
extern wp_atomic_u32 soak_to_lose, soak_to_duplicate;

/* ---- jobs.c ---- */

/* Offers some new jobs in a way drawn by lot and notes which were accepted; false: closed. */
bool soak_submit_some(struct soak_slot *slot, unsigned depth, bool may_wait);
void soak_on_error(void *self, const struct wp_job_error *error);
int soak_run_job(void *payload);
void soak_clean_job(void *payload);

/* ---- contexts.c ---- */

/* The round's tree of contexts; freed when all its threads have ended and its pool is gone. */
void soak_contexts_open(struct soak_arena *arena);
void soak_contexts_close(struct soak_arena *arena);
/* One for the next jobs: NULL, or a reference, which the caller gives back. May have ended. */
struct wp_ctx *soak_draw_context(struct soak_slot *slot);
/* A shared one, not referenced; it may have ended. */
struct wp_ctx *soak_branch(struct soak_slot *slot);
/* Cancels something that others use, now and then. */
void soak_cancel_some(struct soak_slot *slot);
/* Whether err is the error of a context that has ended, of this one unless that is NULL. */
bool soak_is_end(int err, const struct wp_ctx *ctx);

/* ---- lanes.c ---- */

/* Submits the jobs, which share a context, through a producer's lane; as wp_submit_batch. */
ssize_t soak_by_lane(struct soak_slot *slot, const struct wp_job *jobs, size_t n);
/* Gives the thread's lane up. */
void soak_lane_close(struct soak_slot *slot);

/* ---- pool_round.c, queue_round.c ---- */

void soak_pool_round(struct soak_arena *arena);
void soak_queue_round(struct soak_arena *arena);
extern const char *const soak_manners[8];

/* ---- main.c ---- */

/* 2^(lo .. hi) at random, each power of two as likely as the others. */
uint64_t soak_log_uniform(struct wp__rng *rng, unsigned lo, unsigned hi);
/* Sleeps while the program has used more processor time than it may. */
void soak_breathe(void);

/* ---- stress.c ---- */

struct soak_stress {
	wp_atomic_u32 active;  /* 0: leave the threads alone */
	wp_atomic_u32 resting; /* the stressor has seen that */
	wp_atomic_u32 refused; /* 1 + errno: threads cannot be stopped here */
	wp_atomic_u64 pauses, paused_ns, moves, demotions;
};

/* Starts the stressor, before there are threads; NULL when that is not possible. */
struct soak_stress *soak_stress_start(uint64_t seed);
void soak_stress_set(struct soak_stress *stress, bool active);
void soak_stress_stop(struct soak_stress *stress);

/* ---- gauge.c ---- */

/* Nothing else runs while it is taken. */
struct soak_reading {
	uint64_t resident, reserved, heap; /* bytes */
	unsigned threads, files;
	uint64_t wait_p50, wait_p99; /* ns from wp_submit_wait to its return */
	double job_ns;               /* per empty job, submit to finished */
};

void soak_read(struct soak_reading *reading);

#endif
