/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <stdlib.h>

#include <wpool/wpool.h>

#include "../pin.h"

#define QUIET_SHARE    0.97
#define QUIET_ATTEMPTS 30
#define QUIET_PAUSE_NS 3000000u

static _Atomic uint64_t damage_seen;

void micro_note_damage(uint64_t damage)
{
	atomic_fetch_or_explicit(&damage_seen, damage, memory_order_relaxed);
}

/* ---- the lane ---- */

static unsigned log2_of(uint64_t power)
{
	return 63u - (unsigned)__builtin_clzll(power);
}

/* All slots unpublished, all blocks open for the first lap. */
static struct micro_lane *lane_make(
	struct micro_kind kind, struct micro_shape shape, const struct bench_params *p)
{
	uint32_t size = shape.block ? shape.block : MICRO_BLOCK;
	uint32_t ring = shape.ring ? shape.ring : MICRO_RING;
	struct micro_lane *lane = bench_alloc(1, sizeof(*lane));

	if (size < MICRO_ROW || (size & (size - 1)) != 0 || (ring & (ring - 1)) != 0 ||
		ring < 2 * size || (kind.marks_apart && size < MICRO_MARK_GROUP))
		bench_die("no lane with blocks of %u slots in a ring of %u: powers of two, blocks "
			  "from %d, at least two of them",
			size, ring, kind.marks_apart ? MICRO_MARK_GROUP : MICRO_ROW);
	lane->slots = bench_alloc(ring, sizeof(*lane->slots));
	lane->marks = bench_alloc(ring, sizeof(*lane->marks));
	lane->words = bench_alloc(ring / MICRO_ROW * (kind.words_apart ? MICRO_WORD_STRIDE : 1),
		sizeof(*lane->words));
	lane->blocks = bench_alloc(ring / size, sizeof(*lane->blocks));
	lane->block_shift = log2_of(size);
	lane->lap_shift = log2_of(ring);
	lane->ring_mask = ring - 1;
	lane->jobs = p->jobs;
	lane->claim_max = shape.claim ? shape.claim : MICRO_CLAIM;
	lane->batch = shape.batch ? shape.batch : 1;
	if (lane->claim_max > MICRO_CLAIM_MAX)
		bench_die("a claim of %u jobs: at most %d", lane->claim_max, MICRO_CLAIM_MAX);
	if (lane->batch > size)
		bench_die("a push of %u jobs: at most a block of %u", lane->batch, size);
	lane->producers = lane->consumers = p->producers;
	lane->crowded = 2 * p->producers > wp_usable_cpus();
	return lane;
}

static void lane_free(struct micro_lane *lane)
{
	free(lane->slots);
	free((void *)lane->marks);
	free((void *)lane->words);
	free(lane->blocks);
	free(lane);
}

/* ---- one run ---- */

void micro_run(const char *name, struct micro_kind kind, struct micro_shape shape,
	micro_work produce, micro_work consume, const struct bench_params *p,
	struct bench_sample *sample)
{
	struct micro_lane *lane = lane_make(kind, shape, p);
	struct crew crew;

	atomic_store_explicit(&damage_seen, 0, memory_order_relaxed);
	tally_begin(lane->consumers);
	crew_init(&crew, lane->producers + lane->consumers);
	for (unsigned i = 0; i < lane->consumers; i++)
		crew_add_consumer(&crew, consume, lane, i, pin_cpu(i));
	for (unsigned i = 0; i < lane->producers; i++)
		crew_add_producer(&crew, produce, lane, i, pin_cpu(lane->consumers + i));
	crew_open(&crew);
	crew_join(&crew);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	tally_check(name, p->jobs);
	if (atomic_load_explicit(&damage_seen, memory_order_relaxed) != 0)
		bench_die("%s: a job did not arrive as it was written", name);
	crew_fini(&crew);
	lane_free(lane);
}

/* Of the CPUs that the threads could use at once, how much they had: 1 is all. */
static double share_of(const struct bench_sample *sample, unsigned threads)
{
	unsigned cpus = wp_usable_cpus() < threads ? wp_usable_cpus() : threads;
	double share = sample->cpu_ns / (sample->wall_ns * cpus);

	/* The CPU time includes the threads' start and end. */
	return share < 1 ? share : 1;
}

static unsigned disturbed;

static void tell_disturbed(void)
{
	fprintf(stderr,
		BENCH_NAME ": %u runs shared their CPUs with others for more than %.0f %%\n",
		disturbed, 100 * (1 - QUIET_SHARE));
}

static void note_disturbed(void)
{
	if (disturbed++ == 0)
		atexit(tell_disturbed);
}

void micro_quietly(void (*run)(const struct bench_params *, struct bench_sample *),
	const struct bench_params *p, unsigned threads, struct bench_sample *sample)
{
	double best = -1;

	for (unsigned attempt = 0; attempt < (p->brief ? 1 : QUIET_ATTEMPTS); attempt++) {
		struct bench_sample one = { 0 };
		double share;

		if (attempt != 0)
			bench_sleep_ns(QUIET_PAUSE_NS);
		run(p, &one);
		share = share_of(&one, threads);
		if (share > best) {
			best = share;
			*sample = one;
		}
		if (best >= QUIET_SHARE || bench_interrupted())
			break;
	}
	if (!p->brief && best < QUIET_SHARE)
		note_disturbed();
}
