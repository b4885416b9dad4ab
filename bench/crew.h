/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's own threads, and the timed region.
 *
 * A crew is made of threads that are created first and then wait at a gate. When the gate opens
 * they all begin. The timed region is
 *
 *     from the earliest moment at which a producer, past the gate, is about to make its first call
 *     to   the moment at which the last job has finished,
 *
 * so thread creation and waking are outside. Each thread notes its own begin and end with one clock
 * read each; a consumer notes the end of its last useful work, not of its last look at an empty
 * queue. The CPU time of the whole process is read just before the gate opens and after all threads
 * of the crew are done; it contains waking them, some tens of microseconds a run.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct crew;

struct crew_member {
	struct crew *crew;
	void (*work)(struct crew_member *me);
	void *shared;      /* what the work is done on */
	unsigned index;    /* among the producers, or among the consumers */
	bool producer;     /* its begin begins the region */
	int cpu;           /* to run on, or -1 */
	uint64_t begin_ns; /* noted for each member by the crew */
	uint64_t end_ns;   /* noted by the crew for producers, by the work itself for consumers */
	pthread_t thread;
};

struct crew {
	pthread_barrier_t gate;
	struct crew_member *members;
	unsigned count;
	unsigned size;
	uint64_t cpu_begin_ns;
};

/* A crew of exactly `size` threads. */
void crew_init(struct crew *crew, unsigned size);

/* Adds a producer or a consumer, which waits at the gate. cpu is -1 or the CPU to be bound to. */
void crew_add_producer(struct crew *crew, void (*work)(struct crew_member *), void *shared,
	unsigned index, int cpu);
void crew_add_consumer(struct crew *crew, void (*work)(struct crew_member *), void *shared,
	unsigned index, int cpu);

/* Opens the gate; all members must have been added. */
void crew_open(struct crew *crew);

/* Waits for all members to return. */
void crew_join(struct crew *crew);

/* When the region began, and when the last member ended. After crew_join. */
uint64_t crew_begin_ns(const struct crew *crew);
uint64_t crew_end_ns(const struct crew *crew);

void crew_fini(struct crew *crew);

#endif
