/* SPDX-License-Identifier: MIT */
/* A bare queue: producers and consumers with threads of their own; each producer's order holds. */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST    6u
#define AT_ONCE 128u

struct round {
	struct soak_arena *arena;
	unsigned producers, consumers;
	bool closed_early;
};

/* ---- producers ---- */

/* One call with up to n of the jobs: how many went in. */
static size_t push_somehow(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	struct wp_queue *q = slot->arena->queue;
	switch (wp__rng_below(&slot->rng, 5)) {
	case 0:
		return wp_queue_push(q, jobs) == 0;
	case 1:
		return wp_queue_try_push(q, jobs) == 0;
	case 2:
		return wp_queue_push_until(
			       q, jobs, wp_after_ns(wp__rng_below(&slot->rng, 200000))) == 0;
	case 3:
		return wp_queue_push_many(q, jobs, n);
	default:
		return wp_queue_try_push_many(q, jobs, n);
	}
}

static void push_burst(struct soak_slot *slot)
{
	struct wp_job jobs[AT_ONCE];
	uint64_t ids[AT_ONCE];
	size_t n = 1 + wp__rng_below(&slot->rng, soak_log_uniform(&slot->rng, 0, 6));
	for (size_t i = 0; i < n; i++) {
		ids[i] = soak_new_id(slot, 0);
		jobs[i] = (struct wp_job){ .fn = soak_run_job,
			.payload = (void *)(uintptr_t)ids[i],
			.cleanup = soak_clean_job };
	}
	if (soak_take_one(&soak_to_lose)) {
		fp_add(&slot->book[SOAK_ACCEPTED], ids[0]);
		return;
	}
	size_t in = push_somehow(slot, jobs, n);
	for (size_t i = 0; i < in; i++)
		fp_add(&slot->book[SOAK_ACCEPTED], ids[i]);
	slot->count[SOAK_REFUSED] += n - in;
}

static void *producer(void *arg)
{
	struct round *r = arg;
	struct soak_slot *slot = soak_slot_here(r->arena);
	uint64_t pause = soak_log_uniform(&slot->rng, 0, 22);
	while (!wp_load_rlx_u32(&r->arena->enough)) {
		for (uint64_t i = wp__rng_below(&slot->rng, 256) + 1; i; i--)
			push_burst(slot);
		soak_breathe();
		if (pause > 1000)
			wp__os_sleep(wp__rng_below(&slot->rng, pause));
	}
	wp_add_rel_u32(&r->arena->gone, 1);
	return NULL;
}

/* ---- consumers ---- */

static void take(struct soak_slot *slot, const struct wp_job *job)
{
	uint64_t id = (uint64_t)(uintptr_t)job->payload;
	uint64_t sequence = soak_sequence_of(id);
	if (job->fn != soak_run_job || job->cleanup != soak_clean_job || job->ctx ||
		soak_arena_of(id) != slot->arena->number || soak_slot_of(id) >= SOAK_SLOTS) {
		soak_complain("a torn job: %s", slot->arena->what);
		return;
	}
	if (soak_round_of(id) != slot->round) {
		wp_add_rlx_u64(&slot->arena->strays, 1);
		return;
	}
	fp_add(&slot->book[SOAK_RAN], id);
	uint64_t *next = &slot->next[soak_slot_of(id)];
	if (sequence < *next)
		soak_complain("job %llu of thread %u came after job %llu: %s",
			(unsigned long long)sequence, soak_slot_of(id),
			(unsigned long long)*next - 1, slot->arena->what);
	*next = sequence + 1;
}

static void *consumer(void *arg)
{
	struct round *r = arg;
	struct soak_slot *slot = soak_slot_here(r->arena);
	struct wp_job out[AT_ONCE];
	for (unsigned idle = 0;;) {
		bool last = wp_load_acq_u32(&r->arena->gone) == r->producers;
		size_t n = wp_queue_pop_many(
			r->arena->queue, out, 1 + wp__rng_below(&slot->rng, AT_ONCE));
		for (size_t i = 0; i < n; i++)
			take(slot, &out[i]);
		if (!n && last && wp_queue_depth(r->arena->queue) == 0)
			return NULL;
		idle = n ? 0 : idle + 1;
		if (idle > 10)
			wp__os_sleep(wp__rng_below(&slot->rng, 100000));
		else if (idle)
			wp__os_yield();
	}
}

/* ---- all of it ---- */

static void play(struct round *r, struct wp__rng *rng)
{
	struct wp__thread threads[2 * MOST];
	unsigned n = 0;
	for (unsigned i = 0; i < r->producers + r->consumers; i++)
		if (wp__os_thread_create(
			    &threads[n], 0, i < r->producers ? producer : consumer, r) == 0)
			n++;
	if (n < r->producers + r->consumers) {
		/* Nobody would take what the others push. */
		printf("WRONG: no more threads: %s\n", r->arena->what);
		fflush(stdout);
		_Exit(1);
	}
	uint64_t last = wp_min_u64(r->arena->lap_end, wp_after_ns(soak_log_uniform(rng, 18, 31)));
	while (wp_now_ns() < last)
		wp__os_sleep(wp_min_u64(last - wp_min_u64(last, wp_now_ns()), 100000000));
	if (r->closed_early)
		wp_queue_close(r->arena->queue);
	wp_store_rlx_u32(&r->arena->enough, 1);
	for (unsigned i = 0; i < n; i++)
		wp__os_thread_join(&threads[i]);
}

void soak_queue_round(struct soak_arena *arena)
{
	static const size_t capacities[] = { 1, 2, 7, 64, 1000, 65536 };
	static const uint32_t sizes[] = { 1, 2, 3, 64, 1024 };
	struct wp__rng *rng = &arena->rng;
	struct wp_queue_options options = WP_QUEUE_OPTIONS_INIT;
	struct round r = { .arena = arena };
	soak_open(arena);
	arena->stops = false;
	options.capacity = capacities[wp__rng_below(rng, 6)];
	options.segment_size = sizes[wp__rng_below(rng, 5)];
	r.producers = 1 + (unsigned)wp__rng_below(rng, MOST);
	r.consumers = 1 + (unsigned)wp__rng_below(rng, MOST);
	r.closed_early = wp__rng_below(rng, 2);
	snprintf(arena->what, sizeof(arena->what),
		"arena %u, round %llu: queue, %u producers, %u consumers, capacity %zu, segment "
		"%u%s",
		arena->number, (unsigned long long)wp_load_rlx_u64(&arena->rounds), r.producers,
		r.consumers, options.capacity, options.segment_size,
		r.closed_early ? ", closed while in use" : "");
	int error = wp_queue_create(&arena->queue, &options);
	if (error) {
		soak_complain("wp_queue_create returned %d: %s", error, arena->what);
		return;
	}
	play(&r, rng);
	wp_queue_destroy(arena->queue);
	arena->queue = NULL;
	soak_settle(arena, NULL, NULL, NULL);
	arena->totals.queues++;
	arena->totals.by_manner[7]++;
}
