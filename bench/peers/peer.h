/* SPDX-License-Identifier: MIT */
/*
 * What the programs of bench/peers share: one program per library, each with one adapter for every
 * way of using it, all driven by the same frame (peer_main.c) and compared by tools/bench-peers.
 *
 * An adapter does one thing with somebody else's queue or pool, and does it as that library's
 * manual recommends. Two kinds:
 *
 *   struct peer_queue   carries 32-byte jobs from producer threads to consumer threads. The jobs
 *                       are counted by the consumer and not called. Time: from the first push to
 *                       the last job popped.
 *   struct peer_pool    runs jobs that count themselves, and besides do nothing, or the task that
 *                       was asked for: 100,000 additions, or to sleep 1 ms. Time: from the first
 *                       submit to the return of the library's own way to wait until all have run.
 *
 * The frame deals out the jobs 1 .. N to the producers before the clock starts, makes the threads
 * (../crew.h), runs a share of the jobs first to warm up, through the same queue or pool, and then
 * the measured ones. An adapter's inner loop is its own: the frame is called once per share, never
 * once per job, so that no adapter pays for an indirect call that its library does not need.
 *
 * That each job ran exactly once is checked in every run: each thread that takes jobs counts them
 * and adds up their ids and the squares of their ids; a job lost or run twice changes the count,
 * and a job that took another's place changes the sums (see ../tally.h for the argument).
 *
 * Consumers of a queue look for jobs in one of two ways, and each queue is measured with both:
 * paced (../pacer.h: wait a little while jobs flow, so that a look finds many) and at once.
 *
 * This header is C11 and C++17.
 */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#ifdef __cplusplus
#define _Noreturn __attribute__((noreturn))
extern "C" {
#endif

#include "../bench.h"
#include "../pacer.h"

/* Jobs that a bounded queue or pool holds: wpool's default capacity. */
#define PEER_CAPACITY 65536u

/* Jobs per call of the adapters that push or submit in bulk. */
#define PEER_BATCH 64u

/* Jobs that a consumer or worker takes at once, where it can take several. */
#define PEER_CLAIM 256u

/* As large as struct wp_job, and with the same fields. */
struct peer_job {
	int (*fn)(void *payload);
	void *payload;
	void *ctx;
	void (*cleanup)(void *payload);
};

struct peer_case {
	unsigned producers;
	unsigned workers; /* of a pool, or consumers of a queue */
	uint64_t jobs;    /* of the whole run, warming up included: no id is larger */
	bool paced;       /* consumers wait between looks */
	bool crowded;     /* more threads than CPUs */
};

/* The jobs id .. end-1 of one producer. */
struct peer_share {
	unsigned producer; /* 0 .. producers-1 */
	uint64_t id;
	uint64_t end;
};

/* ---- counting ---- */

struct peer_tally {
	uint64_t count; /* read by the frame while jobs run */
	uint64_t sum;
	uint64_t squares;
} __attribute__((aligned(BENCH_ALONE)));

/* The calling thread's tally; NULL until its first job. */
extern __thread struct peer_tally *peer_tally_mine;

/* Gives the calling thread a tally. */
struct peer_tally *peer_tally_claim(void);

static inline struct peer_tally *peer_tally_of_thread(void)
{
	struct peer_tally *tally = peer_tally_mine;

	return __builtin_expect(tally != NULL, 1) ? tally : peer_tally_claim();
}

static inline void peer_tally_add(struct peer_tally *tally, uint64_t id)
{
	/* One writer; the frame reads it to see how far the warm-up is. */
	__atomic_store_n(&tally->count, tally->count + 1, __ATOMIC_RELAXED);
	tally->sum += id;
	tally->squares += id * id;
}

/*
 * The job: does the task, if there is one, and counts itself. Its payload is its id.
 */
int peer_run_job(void *payload);

/* What jobs of pools do besides; NULL: nothing. Set before the threads are made. */
extern void (*peer_task)(void);

/* The task of this name: "empty", "cpu" or "io", as seg_bench's. false: there is none. */
bool peer_task_choose(const char *name);

/* The same for a thread that lives for one job only and has no tally of its own. */
void peer_run_job_alone(uint64_t id);

static inline void *peer_payload(uint64_t id)
{
	return (void *)(uintptr_t)id;
}

static inline uint64_t peer_id(const void *payload)
{
	return (uint64_t)(uintptr_t)payload;
}

static inline struct peer_job peer_job_of(uint64_t id)
{
	struct peer_job job;

	job.fn = peer_run_job;
	job.payload = peer_payload(id);
	job.ctx = NULL;
	job.cleanup = NULL;
	return job;
}

/* ---- queues ---- */

struct peer_consumer {
	const struct peer_case *c;
	unsigned index; /* 0 .. workers-1 */
	uint64_t end_ns;
};

/* Whether all producers have returned. What they pushed is visible then. */
bool peer_all_pushed(void);

/* Adds one, and releases the CPU now and then: for loops that wait for room in a full queue. */
static inline void peer_wait_for_room(const struct peer_case *c, unsigned *looks)
{
	bench_relax();
	if (++*looks % PACER_EMPTY_MAX == 0 || c->crowded)
		sched_yield();
}

/*
 * The loop of a consumer. `pop` puts up to `most` jobs into `out` and returns how many; with a
 * constant function it is compiled into the loop.
 */
static inline __attribute__((always_inline)) void peer_consume(struct peer_consumer *me,
	size_t (*pop)(void *context, struct peer_job *out, size_t most), void *context)
{
	struct peer_tally *tally = peer_tally_of_thread();
	struct peer_job jobs[PEER_CLAIM];
	struct pacer pacer;

	pacer.gap_ns = 0;
	pacer.empty = 0;
	pacer.crowded = me->c->crowded;
	for (;;) {
		bool last;
		size_t n;

		if (me->c->paced)
			pacer_wait(&pacer);
		last = peer_all_pushed();
		n = pop(context, jobs, PEER_CLAIM);
		for (size_t i = 0; i < n; i++)
			peer_tally_add(tally, peer_id(jobs[i].payload));
		pacer_note(&pacer, n, PEER_CLAIM);
		if (!last)
			continue;
		/* The clock is read only when this may have been the last job. */
		if (n == 0)
			break;
		me->end_ns = bench_now_ns();
	}
}

struct peer_queue {
	const char *name;
	const char *about;
	bool bulk;              /* pushes PEER_BATCH jobs per call */
	unsigned max_producers; /* that the queue allows; 0: any number */
	unsigned max_consumers;
	void *(*create)(const struct peer_case *c);
	void (*produce)(void *queue, const struct peer_case *c, struct peer_share share);
	void (*consume)(void *queue, struct peer_consumer *me);
	void (*destroy)(void *queue);
};

/* ---- pools ---- */

struct peer_pool {
	const char *name;
	const char *about;
	bool bulk;              /* submits PEER_BATCH jobs per call */
	bool no_workers;        /* the number of workers cannot be chosen */
	unsigned max_producers; /* that it allows; 0: any number */
	void *(*open)(const struct peer_case *c);
	void (*submit)(void *pool, const struct peer_case *c, struct peer_share share);
	void (*finish)(void *pool); /* waits until all have run; called once, by the main thread */
	void (*close)(void *pool);
	/*
	 * Instead of submit and finish, for a library that has the threads submit which it made
	 * itself: submits the shares of all producers, id .. end-1 in all, and waits.
	 */
	void (*run)(void *pool, const struct peer_case *c, uint64_t id, uint64_t end);
};

/* The part of id .. end-1 that is this producer's. */
struct peer_share peer_share_of(
	const struct peer_case *c, unsigned producer, uint64_t id, uint64_t end);

/* Ends the program where a call that must succeed did not. */
static inline void peer_must(bool good, const char *what)
{
	if (__builtin_expect(!good, 0))
		bench_die("%s", what);
}

/* ---- what a program defines; both lists end with NULL ---- */

extern const struct peer_queue *const peer_queues[];
extern const struct peer_pool *const peer_pools[];

/* Name and version of the library, as it says itself. */
extern const char *const peer_library;

#ifdef __cplusplus
}
#endif

#endif
