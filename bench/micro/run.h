/* SPDX-License-Identifier: MIT */
/*
 * One run of a variant: producers push the ids 1 .. N, consumers claim them and add them to their
 * tallies (../tally.h), the region is timed, and each job must have come out exactly once, whole.
 *
 * Threads are bound to CPUs: consumers to the first ones, producers to those that follow, round and
 * round. There are as many consumers as producers. Consumers pause between looks (../pacer.h)
 * unless the variant is eager.
 *
 * A run is short, a few milliseconds, and is repeated until it had its CPUs for itself: the CPU
 * time that its threads got is at least QUIET_SHARE of what they could have got. After
 * QUIET_ATTEMPTS the quietest counts, and at its end the program tells how often that was so.
 */
#ifndef BENCH_MICRO_RUN_H
#define BENCH_MICRO_RUN_H

#include <stdlib.h>

#include "../crew.h"
#include "../pacer.h"
#include "../tally.h"
#include "claim.h"
#include "lane.h"
#include "push.h"

/* How the lane of a run is laid out; 0: the usual. All are powers of two. */
struct micro_shape {
	uint32_t block; /* slots */
	uint32_t ring;  /* slots of all blocks */
	uint32_t claim; /* jobs per claim, at most */
	uint32_t batch; /* jobs per push; more than 1 is for marks in plain order */
};

#define MICRO_BLOCK 1024
#define MICRO_RING  4096
#define MICRO_CLAIM 256

typedef void (*micro_work)(struct crew_member *me);

/* Runs the two sides of a variant and fills the sample. */
void micro_run(const char *name, struct micro_kind kind, struct micro_shape shape,
	micro_work produce, micro_work consume, const struct bench_params *p,
	struct bench_sample *sample);

/* Calls `run` until it was quiet. */
void micro_quietly(void (*run)(const struct bench_params *, struct bench_sample *),
	const struct bench_params *p, unsigned threads, struct bench_sample *sample);

/* Every job of the run whole so far? Called by each consumer at its end. */
void micro_note_damage(uint64_t damage);

MICRO_INLINE void micro_produce(struct crew_member *me, struct micro_kind kind)
{
	struct micro_lane *lane = me->shared;
	uint64_t id = 1 + lane->jobs * me->index / lane->producers;
	uint64_t end = 1 + lane->jobs * (me->index + 1) / lane->producers;

	if (lane->batch == 1) {
		for (; id < end; id++)
			micro_push(lane, kind, id);
		return;
	}
	struct micro_job *jobs = bench_alloc(lane->batch, sizeof(*jobs));
	while (id < end) {
		uint32_t n = end - id < lane->batch ? (uint32_t)(end - id) : lane->batch;

		for (uint32_t i = 0; i < n; i++)
			jobs[i] = micro_job_of(id++);
		micro_push_many(lane, kind, jobs, n);
	}
	free(jobs);
}

/* A consumer between two claims. */
struct micro_consumer {
	struct micro_lane *lane;
	struct tally *tally;
	uint64_t damage;
	uint64_t ticket; /* CLAIM_FAA_ONE: of the last job, not yet counted as done */
	uint32_t done;   /* and how many with it, in its block */
	struct micro_job jobs[MICRO_CLAIM_MAX];
};

MICRO_INLINE void micro_use(struct micro_consumer *c, const struct micro_job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		tally_add(c->tally, jobs[i].words[0]);
		c->damage |= micro_damage(&jobs[i]);
	}
}

/* Jobs of one block that this consumer owns: copies them out, lets go of the slots, uses them. */
MICRO_INLINE void micro_serve(
	struct micro_consumer *c, struct micro_kind kind, uint64_t ticket, uint32_t n)
{
	if (kind.in_place) {
		micro_use(c, micro_slot(c->lane, kind, ticket), n);
		micro_finish(c->lane, kind, ticket, n);
		return;
	}
	micro_copy(c->lane, kind, ticket, n, c->jobs);
	micro_finish(c->lane, kind, ticket, n);
	micro_use(c, c->jobs, n);
}

/* 64 tickets, which may lie in two blocks; those beyond the last job's are nobody's. */
MICRO_INLINE struct micro_claimed micro_serve_row(struct micro_consumer *c, struct micro_kind kind)
{
	struct micro_lane *lane = c->lane;
	uint64_t block = UINT64_C(1) << lane->block_shift;
	uint64_t at = atomic_fetch_add_explicit(&lane->head, MICRO_ROW, memory_order_relaxed);
	uint64_t end = at + MICRO_ROW < lane->jobs ? at + MICRO_ROW : lane->jobs;
	struct micro_claimed row = { .over = at >= end };

	while (at < end) {
		uint64_t stop = (at | (block - 1)) + 1;

		stop = stop < end ? stop : end;
		for (uint64_t t = at; t < stop; t++)
			(void)micro_await(lane, kind, t);
		micro_serve(c, kind, at, (uint32_t)(stop - at));
		row.count += (uint32_t)(stop - at);
		at = stop;
	}
	return row;
}

/* What this consumer is finished with is told when it leaves a block: it may be the last of it. */
MICRO_INLINE void micro_leave(struct micro_consumer *c, struct micro_kind kind)
{
	if (c->done != 0)
		micro_finish(c->lane, kind, c->ticket, c->done);
	c->done = 0;
}

/* One by one, each by a ticket of its own, until one had to be waited for. */
MICRO_INLINE struct micro_claimed micro_serve_singly(
	struct micro_consumer *c, struct micro_kind kind, uint32_t max)
{
	struct micro_lane *lane = c->lane;
	struct micro_claimed all = { 0 };
	bool waited = false;

	while (all.count < max && !waited) {
		uint64_t ticket = atomic_fetch_add_explicit(&lane->head, 1, memory_order_relaxed);

		if (ticket >> lane->block_shift != c->ticket >> lane->block_shift)
			micro_leave(c, kind);
		if (ticket >= lane->jobs) {
			micro_leave(c, kind);
			all.over = true;
			break;
		}
		waited = micro_await(lane, kind, ticket);
		micro_copy(lane, kind, ticket, 1, c->jobs);
		micro_use(c, c->jobs, 1);
		c->ticket = ticket;
		c->done++;
		all.count++;
	}
	return all;
}

MICRO_INLINE struct micro_claimed micro_claim_and_serve(
	struct micro_consumer *c, struct micro_kind kind)
{
	struct micro_claimed claimed;

	if (kind.claim == CLAIM_FAA_ONE)
		return micro_serve_singly(c, kind, c->lane->claim_max);
	if (kind.claim == CLAIM_FAA_ROW && micro_is_deep(c->lane, kind))
		return micro_serve_row(c, kind);
	claimed = micro_claim_cas(c->lane, kind, c->lane->claim_max);
	if (claimed.count != 0)
		micro_serve(c, kind, claimed.ticket, claimed.count);
	return claimed;
}

MICRO_INLINE void micro_consume(struct crew_member *me, struct micro_kind kind)
{
	struct micro_lane *lane = me->shared;
	struct micro_consumer c = { .lane = lane, .tally = tally_of_thread() };
	struct pacer pacer = { .crowded = lane->crowded };
	uint32_t full = kind.claim == CLAIM_FAA_ROW ? MICRO_ROW : lane->claim_max;

	for (uint32_t found = 0;;) {
		struct micro_claimed claimed;

		if (!kind.eager && found == 0)
			pacer_wait(&pacer);
		claimed = micro_claim_and_serve(&c, kind);
		/* The clock is read only when this may have been the last of its jobs. */
		if (claimed.count != 0 &&
			atomic_load_explicit(&lane->head, memory_order_relaxed) >= lane->jobs)
			me->end_ns = bench_now_ns();
		if (claimed.over)
			break;
		/* The next block was not looked at: that belongs to the same look. */
		found += claimed.count;
		if (claimed.at_block_end && found < full)
			continue;
		pacer_note(&pacer, found, full);
		found = 0;
	}
	micro_note_damage(c.damage);
}

/*
 * A workload `bench_<name>`: the lane of kind { ... }, with 1 and 2 producers. The expressions of
 * `shape_` may use the parameters p.
 */
#define MICRO_VARIANT(name_, about_, kind_, shape_, lists_)                                      \
	static void name_##_produce(struct crew_member *me)                                      \
	{                                                                                        \
		micro_produce(me, (struct micro_kind)MICRO_LIST kind_);                          \
	}                                                                                        \
	static void name_##_consume(struct crew_member *me)                                      \
	{                                                                                        \
		micro_consume(me, (struct micro_kind)MICRO_LIST kind_);                          \
	}                                                                                        \
	static void name_##_once(const struct bench_params *p, struct bench_sample *s)           \
	{                                                                                        \
		micro_run(#name_, (struct micro_kind)MICRO_LIST kind_,                           \
			(struct micro_shape)MICRO_LIST shape_, name_##_produce, name_##_consume, \
			p, s);                                                                   \
	}                                                                                        \
	static void name_##_run(const struct bench_params *p, struct bench_sample *s)            \
	{                                                                                        \
		micro_quietly(name_##_once, p, 2 * p->producers, s);                             \
	}                                                                                        \
	const struct bench_workload bench_##name_ = { .name = #name_,                            \
		.about = about_,                                                                 \
		.kind = BENCH_TIME,                                                              \
		.producers = "1,2",                                                              \
		.jobs = 64000,                                                                   \
		.quick_jobs = 16000,                                                             \
		.run = name_##_run,                                                              \
		lists_ }

#define MICRO_LIST(...)     \
	{                   \
		__VA_ARGS__ \
	}

/* What wpool does, and the usual layout. */
#define MICRO_AS_IS .publish = PUBLISH_MARK, .prefetch = 16
#define MICRO_USUAL .block = 0
#define NO_LISTS    .batch = NULL

#endif
