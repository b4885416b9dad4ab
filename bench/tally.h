/* SPDX-License-Identifier: MIT */
/*
 * Proof that each job ran exactly once, at a cost that does not drown what is measured.
 *
 * Jobs of a run carry the ids 1 .. N as their payload. A thread that runs (or pops) jobs adds each
 * id to its own tally, on cache lines of its own: how many, the sum, the sum of squares and the
 * exclusive-or of a hash. At the end the tallies of all threads are added up and compared with what
 * 1 .. N give. What that shows:
 *
 *   - A job lost, or run twice, changes the count. Lost and run twice together keep the count, but
 *     change the sum, unless at least two of each cancel out; two of each that keep the sum change
 *     the sum of squares (a + b and a^2 + b^2 determine a and b). Larger conspiracies, and payloads
 *     that were damaged, have to get past the hash: one chance in 2^64.
 *   - It does not show in which order jobs ran. The tests of the library check that, not this.
 *
 * What it costs: one thread-local pointer load, and four load-modify-store pairs on one line that
 * stays in the thread's first-level cache; the workload job_cost measures it in each run (about
 * 1.5 to 2 ns on current machines), and the figures of the pool_* workloads contain it. Nothing
 * cheaper is honest: an empty function proves nothing, a counter alone does not see a job that was
 * run in place of another, and one shared counter would cost more than the pool and make every
 * pool look alike.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "bench.h"

struct tally {
	alignas(BENCH_ALONE) uint64_t count;
	uint64_t sum;
	uint64_t squares;
	uint64_t hash;
	_Atomic uint64_t executed; /* jobs that the pool's metrics reported for this thread */
	_Atomic uint64_t last_ns;  /* the last such report after all jobs had been submitted */
};

/* A product and a fold of its upper half: every bit of the id reaches every bit position below. */
static inline uint64_t tally_hash(uint64_t id)
{
	uint64_t x = id * 0x9e3779b97f4a7c15u;

	return x ^ x >> 32;
}

static inline void tally_add(struct tally *tally, uint64_t id)
{
	tally->count++;
	tally->sum += id;
	tally->squares += id * id;
	tally->hash ^= tally_hash(id);
}

/* The calling thread's tally; NULL until its first job. */
extern _Thread_local struct tally *tally_mine;

/* Gives the calling thread a tally of the present run. */
struct tally *tally_claim(void);

static inline struct tally *tally_of_thread(void)
{
	struct tally *tally = tally_mine;

	return __builtin_expect(tally != NULL, 1) ? tally : tally_claim();
}

/* The empty job: counts itself. Its payload is its id. */
int tally_job(void *payload);

static inline void *tally_payload(uint64_t id)
{
	return (void *)(uintptr_t)id;
}

static inline uint64_t tally_id(const void *payload)
{
	return (uint64_t)(uintptr_t)payload;
}

/*
 * Forgets everything; up to `threads` threads may take part from now on. The threads that took part
 * before must be gone, or never run a job again: they still point to their old tally.
 */
void tally_begin(unsigned threads);

/* Over all threads: the sum of executed; the latest last_ns, 0 when there is none. */
uint64_t tally_executed(void);
uint64_t tally_last_ns(void);

/*
 * Ends the program with a line that says what is wrong unless the jobs 1 .. jobs ran once each.
 * All threads must have finished their jobs.
 */
void tally_check(const char *workload, uint64_t jobs);

#endif
