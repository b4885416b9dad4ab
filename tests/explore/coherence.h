/* SPDX-License-Identifier: MIT */
/*
 * Coherence: how often cache lines travel between cores for a job.
 *
 * Every access of the explored sources is fed to a small model of cores with caches that are kept
 * coherent by MESI (M. Papamarcos, J. Patel, "A low-overhead coherence solution for multiprocessors
 * with private cache memories", ISCA 1984): a line is in the caches of some cores; a store needs it
 * to be in one alone. Caches are as large as it takes: what is counted is what the sharing costs,
 * not what the size of a cache costs. Counted are, for each operation and side,
 *
 *     rmw      read-modify-writes of shared memory
 *     lines    different lines of shared memory touched
 *     loads    loads that wait for a line from another core
 *     rmws     read-modify-writes that do; a line that is shared counts, too
 *     stores   plain stores that need a line from elsewhere: they wait in the store buffer, while
 *              the core goes on
 *
 * Shared is everything but stacks and thread-local memory. A line that no core has is a first
 * touch, which ends with the warm-up and is not counted.
 *
 * The operations of a path are run one after the other, each on the core that is told. Where they
 * overlap in time (coherence_overlap), each core is a fiber, and they take turns of 20 steps.
 *
 * The scenarios (coherence_paths.c) are compiled like all code under test; this is not.
 */
#ifndef WP_TESTS_EXPLORE_COHERENCE_H
#define WP_TESTS_EXPLORE_COHERENCE_H

#include <stdint.h>

enum side { SIDE_PRODUCER, SIDE_WORKER, SIDES };

/* One row of the table: its two sides are printed after one another. */
struct coherence_path {
	const char *name;
	unsigned producers, workers;
	unsigned push;    /* jobs per push */
	unsigned backlog; /* jobs that are pushed before they are claimed; 0: cores overlap */
	unsigned claim;   /* jobs per claim, at most */
	int single;       /* each producer has a lane of its own */
};

extern const struct coherence_path coherence_paths[];
extern const unsigned coherence_path_count;

/* What follows is an operation of this side on this core, up to the next call. */
void coherence_operation(enum side side, unsigned core);
/* The scenario's own bookkeeping follows, which is nobody's. */
void coherence_pause(void);
/* The warm-up is over, or the count is; `jobs` is how many were handed over in between. */
void coherence_begin(void);
void coherence_end(uint64_t jobs);
/* From now on fibers take turns. */
void coherence_overlap(void);

/* The path that is being run. */
extern const struct coherence_path *coherence_path;

/* coherence_paths.c: one after the other, and side by side. */
void coherence_in_turn(void);
void coherence_set_up(void);
void coherence_fiber(unsigned index);
void coherence_finish(void);

#endif
