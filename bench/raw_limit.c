/* SPDX-License-Identifier: MIT */
/*
 * raw_limit: how fast can 32-byte jobs get from one core to another at all?
 *
 * Two threads, bound to two CPUs, share a ring of chunks of CHUNK_JOBS jobs. The producer writes
 * every field of every job of a chunk, then sets the chunk's flag (release); the consumer sees the
 * flag (acquire), reads every field into checksums, and clears it. Each flag has cache lines of its
 * own. So per chunk one flag travels each way, and per job nothing but the job: half a cache line,
 * moved by the cache-coherence hardware with its prefetchers at work on a plain sequential stream.
 *
 * This is the physical limit for a hand-over by shared memory: no queue that copies 32 bytes per
 * job to another core can be faster. It is not a queue: one producer, one consumer, whole chunks,
 * nobody sleeps, nothing is checked but the checksums. The other workloads state their ratio to it,
 * because ratios carry over from machine to machine where nanoseconds do not.
 *
 * With a single CPU the two threads take turns, and the figure means nothing.
 */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sched.h>

#include "bench.h"
#include "crew.h"
#include "pin.h"

#define CHUNK_JOBS 512
#define CHUNKS     4 /* 64 KiB: both sides work out of their second-level cache at most */

/* Looks at a flag before the CPU is offered to others: only a busy machine gets there. */
#define SPINS_MAX 20000

struct raw_job {
	uint64_t words[4];
};

/* What all fields of a run add up to, a sum for each. */
struct checksum {
	uint64_t sums[4];
};

struct chunk_flag {
	alignas(BENCH_ALONE) _Atomic uint32_t full;
};

struct ring {
	alignas(BENCH_ALONE) struct raw_job jobs[CHUNKS][CHUNK_JOBS];
	struct chunk_flag flags[CHUNKS];
	uint64_t chunks;       /* to hand over in this run */
	struct checksum found; /* by the consumer */
};

static struct ring *ring;

static void wait_for(struct chunk_flag *flag, uint32_t wanted)
{
	unsigned spins = 0;

	while (atomic_load_explicit(&flag->full, memory_order_acquire) != wanted) {
		bench_relax();
		if (++spins % SPINS_MAX == 0)
			sched_yield();
	}
}

/* Four fields that all depend on the id, each by one instruction. */
static inline struct raw_job job_of(uint64_t id)
{
	return (struct raw_job){ { id, id + 1, id ^ 0x5555, ~id } };
}

static void produce(struct crew_member *me)
{
	uint64_t id = 0;

	(void)me;
	for (uint64_t c = 0; c < ring->chunks; c++) {
		struct chunk_flag *flag = &ring->flags[c % CHUNKS];
		struct raw_job *jobs = ring->jobs[c % CHUNKS];

		wait_for(flag, 0);
		for (unsigned i = 0; i < CHUNK_JOBS; i++)
			jobs[i] = job_of(id++);
		/* Release: whoever sees the flag sees the jobs. */
		atomic_store_explicit(&flag->full, 1, memory_order_release);
	}
}

static void consume(struct crew_member *me)
{
	struct checksum sum = { { 0 } };

	for (uint64_t c = 0; c < ring->chunks; c++) {
		struct chunk_flag *flag = &ring->flags[c % CHUNKS];
		const struct raw_job *jobs = ring->jobs[c % CHUNKS];

		wait_for(flag, 1);
		for (unsigned i = 0; i < CHUNK_JOBS; i++)
			for (unsigned w = 0; w < 4; w++)
				sum.sums[w] += jobs[i].words[w];
		/* Release: our reads are done before the producer writes again. */
		atomic_store_explicit(&flag->full, 0, memory_order_release);
	}
	me->end_ns = bench_now_ns();
	ring->found = sum;
}

static void check(uint64_t jobs)
{
	struct checksum expected = { { 0 } };

	for (uint64_t id = 0; id < jobs; id++) {
		struct raw_job job = job_of(id);

		for (unsigned w = 0; w < 4; w++)
			expected.sums[w] += job.words[w];
	}
	for (unsigned w = 0; w < 4; w++)
		if (ring->found.sums[w] != expected.sums[w])
			bench_die("raw_limit: field %u did not arrive as it was written", w);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct crew crew;

	if (ring == NULL)
		ring = bench_alloc(1, sizeof(*ring));
	ring->chunks = (p->jobs + CHUNK_JOBS - 1) / CHUNK_JOBS;
	crew_init(&crew, 2);
	crew_add_consumer(&crew, consume, NULL, 0, pin_cpu(0));
	crew_add_producer(&crew, produce, NULL, 0, pin_cpu(1));
	crew_open(&crew);
	crew_join(&crew);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = ring->chunks * CHUNK_JOBS;
	check(sample->jobs);
	crew_fini(&crew);
}

const struct bench_workload bench_raw_limit = {
	.name = "raw_limit",
	.about = "bare hand-over of 32-byte jobs between two cores: the physical limit",
	.kind = BENCH_TIME,
	.jobs = 10000000,
	.quick_jobs = 1000000,
	.run = run,
};
